//! Temporary.
#![allow(missing_docs)]
use crate::time::Timestamp;
use std::collections::BTreeMap;
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimerKey(pub u32);
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimerId(u32);
#[derive(Clone, Debug)]
pub struct Due {
    pub due: Timestamp,
    pub key: TimerKey,
    pub id: TimerId,
}
#[derive(Clone, Debug)]
pub struct TimerWheel {
    now: Timestamp,
    next: u32,
    set: BTreeMap<(Timestamp, u32), u32>,
    ids: BTreeMap<u32, (Timestamp, u32)>,
}
impl TimerWheel {
    pub fn new(now: Timestamp) -> Self {
        Self { now, next: 0, set: BTreeMap::new(), ids: BTreeMap::new() }
    }
    pub fn arm(&mut self, due: Timestamp, key: TimerKey) -> TimerId {
        self.next += 1;
        self.set.insert((due, key.0), self.next);
        self.ids.insert(self.next, (due, key.0));
        TimerId(self.next)
    }
    pub fn cancel(&mut self, id: TimerId) {
        if let Some(k) = self.ids.remove(&id.0) {
            self.set.remove(&k);
        }
    }
    pub fn len(&self) -> usize {
        self.set.len()
    }
    pub fn is_empty(&self) -> bool {
        self.set.is_empty()
    }
    pub fn advance(&mut self, now: Timestamp, _b: usize) {
        self.now = self.now.max(now);
    }
    pub fn needs_work(&self) -> bool {
        false
    }
    pub fn first_due(&self) -> Option<Due> {
        self.set.first_key_value().filter(|(k, _)| k.0 <= self.now).map(|(k, v)| Due {
            due: k.0,
            key: TimerKey(k.1),
            id: TimerId(*v),
        })
    }
    pub fn next_wake(&self) -> Option<Timestamp> {
        self.set.first_key_value().map(|(k, _)| k.0)
    }
}
