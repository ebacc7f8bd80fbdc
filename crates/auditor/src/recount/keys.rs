//! Requests accepted under a key: each once within the time that it is remembered for.

use crate::event::Key;
use crate::finding::{Findings, Rule};
use std::collections::HashMap;

/// How long an acceptance is remembered at least: 24 hours. After that the same key may be accepted anew.
const REMEMBERED_MS: u64 = 24 * 3600 * 1000;

/// The requests of one stream, each with when and where it was accepted last.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys(HashMap<u128, (u64, u64)>);

impl Keys {
    pub(super) fn enter(&mut self, findings: &mut Findings, key: Option<Key>, (seq, at): (u64, u64)) {
        let Some(Key { request, .. }) = key else { return };
        let before = self.0.insert(request, (seq, at));
        let is_new = before.is_none_or(|(_, before)| at.saturating_sub(before) > REMEMBERED_MS);
        findings
            .check(Rule::KeyTwice, is_new, || format!("a request is accepted again: {before:?}, now ({seq}, {at})"));
    }
}
