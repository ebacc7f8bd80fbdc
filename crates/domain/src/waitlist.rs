//! Temporary.
#![allow(missing_docs)]
use std::collections::BTreeSet;
#[derive(Clone, Debug, Default)]
pub struct Waitlist(BTreeSet<u32>);
impl Waitlist {
    pub fn join(&mut self, o: u32) {
        self.0.insert(o);
    }
    pub fn leave(&mut self, o: u32) -> bool {
        self.0.remove(&o)
    }
    pub fn head(&self) -> Option<u32> {
        self.0.first().copied()
    }
    pub fn position(&self, o: u32) -> Option<u32> {
        self.0.contains(&o).then(|| self.0.range(..=o).count() as u32)
    }
    pub fn len(&self) -> u32 {
        self.0.len() as u32
    }
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    pub fn contains(&self, o: u32) -> bool {
        self.0.contains(&o)
    }
    pub fn clear(&mut self) {
        self.0.clear();
    }
}
