//! What the server promises, checked from what it tells the crowd while the sale runs.
//!
//! Answers reach different customers in any order, so nothing is concluded from when something was heard. Every answer
//! carries the place in the item's log that it reflects (`sequence`); all checks compare these places and are exact:
//! what they report did happen. What this cannot see is what nobody was told; that is for the audit of the log.

use super::wire::{ItemBody, ReservationBody, State};
use bytes::Bytes;
use std::collections::HashMap;

/// Most contradictions kept in words; more are only counted.
const VIOLATIONS_TOLD_MAX: usize = 20;

/// What is known of one reservation.
#[derive(Clone, Debug)]
struct Known {
    customer: usize,
    /// Where it was accepted.
    accepted: u64,
    /// The last place at which it is known to have been live or sold.
    counted: u64,
    /// Its last place in line heard of, and where.
    position: Option<(u64, u64)>,
    /// The first place at which it is known to have been granted.
    granted: Option<u64>,
}

/// What was answered under one key.
#[derive(Debug)]
struct Answered {
    body: Bytes,
    first_answers: u32,
}

/// The oracle of one item.
#[derive(Debug)]
pub(crate) struct Oracle {
    per_customer_limit: usize,
    reservations: HashMap<String, Known>,
    by_customer: HashMap<usize, Vec<String>>,
    answers: HashMap<String, Answered>,
    items: HashMap<u64, ItemBody>,
    lowest_available: Option<i64>,
    checks: u64,
    violations: Vec<String>,
    violation_count: usize,
}

impl Oracle {
    /// An oracle that knows nothing yet but how many units one customer may have. Everybody asks for one at a time.
    pub(crate) fn new(per_customer_limit: usize) -> Self {
        Self {
            per_customer_limit,
            reservations: HashMap::new(),
            by_customer: HashMap::new(),
            answers: HashMap::new(),
            items: HashMap::new(),
            lowest_available: None,
            checks: 0,
            violations: Vec::new(),
            violation_count: 0,
        }
    }

    /// A reserve was answered with a reservation.
    pub(crate) fn accepted(&mut self, customer: usize, body: &ReservationBody) {
        if !self.reservations.contains_key(&body.id) {
            let known =
                Known { customer, accepted: body.sequence, counted: body.sequence, position: None, granted: None };
            self.reservations.insert(body.id.clone(), known);
            self.by_customer.entry(customer).or_default().push(body.id.clone());
        }
        self.read(body);
    }

    /// A reservation was read.
    pub(crate) fn read(&mut self, body: &ReservationBody) {
        self.checks = self.checks.saturating_add(1);
        let Some(known) = self.reservations.get_mut(&body.id) else {
            return self.violated(format!("{} was never given out, and yet it was read", body.id));
        };
        let (customer, at) = (known.customer, body.sequence);
        if body.state.counts() {
            known.counted = known.counted.max(at);
        }
        if matches!(body.state, State::Held | State::Confirmed) {
            known.granted = Some(known.granted.map_or(at, |before| before.min(at)));
        }
        self.check_position(body);
        self.check_limit(customer);
    }

    fn check_position(&mut self, body: &ReservationBody) {
        let Some(line) = &body.waitlist else { return };
        let Some(known) = self.reservations.get_mut(&body.id) else { return };
        let now = (body.sequence, line.position);
        let before = known.position.replace(known.position.map_or(now, |before| before.max(now)));
        let Some(before) = before else { return };
        let (earlier, later) = if before.0 <= now.0 { (before, now) } else { (now, before) };
        if later.1 > earlier.1 {
            self.violated(format!(
                "{} was number {} in line at sequence {} and number {} at {}: a position grew",
                body.id, earlier.1, earlier.0, later.1, later.0
            ));
        }
    }

    /// No customer has more than the limit: wherever one of theirs was accepted, those of theirs that are known to
    /// have counted before and after that place counted there too.
    fn check_limit(&mut self, customer: usize) {
        let ids = self.by_customer.get(&customer).cloned().unwrap_or_default();
        let theirs: Vec<_> = ids.iter().filter_map(|id| self.reservations.get(id)).cloned().collect();
        for one in &theirs {
            let at = one.accepted;
            let count = theirs.iter().filter(|other| other.accepted <= at && at <= other.counted).count();
            if count > self.per_customer_limit {
                self.violated(format!(
                    "customer {customer} had {count} at sequence {at}, and the limit is {}: {}",
                    self.per_customer_limit,
                    ids.join(", ")
                ));
            }
        }
    }

    /// A request was accepted under this key, perhaps again: one of the answers is the first, and all are the same,
    /// byte for byte.
    pub(crate) fn answered(&mut self, key: &str, body: &Bytes, is_replayed: bool) {
        self.checks = self.checks.saturating_add(1);
        let known = self.answers.entry(key.to_owned());
        let known = known.or_insert_with(|| Answered { body: body.clone(), first_answers: 0 });
        known.first_answers = known.first_answers.saturating_add(u32::from(!is_replayed));
        let accepted_twice = known.first_answers > 1 && !is_replayed;
        let other = (known.body != body).then(|| String::from_utf8_lossy(&known.body).into_owned());
        if accepted_twice {
            self.violated(format!("key {key} was accepted twice"));
        }
        if let Some(first) = other {
            let second = String::from_utf8_lossy(body);
            self.violated(format!("key {key} was answered with {first} and with {second}"));
        }
    }

    /// The item was read.
    pub(crate) fn item(&mut self, body: &ItemBody) {
        self.checks = self.checks.saturating_add(1);
        let ItemBody { total, available, held, sold, sequence, .. } = *body;
        self.lowest_available = Some(self.lowest_available.map_or(available, |lowest| lowest.min(available)));
        if available < 0 || held < 0 || sold < 0 || available > total {
            self.violated(format!(
                "at sequence {sequence}: {available} of {total} available, {held} held, {sold} sold"
            ));
        }
        if available.saturating_add(held).saturating_add(sold) != total {
            self.violated(format!("at sequence {sequence}: {available} + {held} + {sold} is not {total}"));
        }
        if self.items.insert(sequence, body.clone()).is_some_and(|before| before != *body) {
            self.violated(format!("the item was told in two ways at sequence {sequence}"));
        }
    }

    /// Nobody was granted units while somebody who had come before still waited. Looks at everything heard so far.
    pub(crate) fn check_line(&mut self) {
        let mut line: Vec<_> = self.reservations.iter().collect();
        line.sort_by_key(|(_, known)| std::cmp::Reverse(known.accepted));
        let mut first_granted_behind: Option<(u64, &str)> = None;
        let mut overtaken = Vec::new();
        for (id, known) in line {
            if let (Some((waiting_at, _)), Some((granted_at, who))) = (known.position, first_granted_behind)
                && granted_at <= waiting_at
            {
                overtaken.push(format!("{who} was granted by sequence {granted_at} while {id}, who had come before, still waited at {waiting_at}"));
            }
            if let Some(at) = known.granted
                && first_granted_behind.is_none_or(|(earliest, _)| at < earliest)
            {
                first_granted_behind = Some((at, id));
            }
        }
        self.checks = self.checks.saturating_add(1);
        for words in overtaken {
            self.violated(words);
        }
    }

    /// A contradiction that somebody else noticed.
    pub(crate) fn violated(&mut self, words: String) {
        if self.violations.contains(&words) {
            return;
        }
        self.violation_count = self.violation_count.saturating_add(1);
        if self.violations.len() < VIOLATIONS_TOLD_MAX {
            self.violations.push(words);
        }
    }

    /// What was found.
    pub(crate) fn verdict(&mut self) -> Verdict {
        self.check_line();
        Verdict {
            checks: self.checks,
            lowest_available: self.lowest_available,
            violations: self.violations.clone(),
            violation_count: self.violation_count,
        }
    }
}

/// What an oracle found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Answers checked.
    pub(crate) checks: u64,
    /// The fewest units ever told to be available.
    pub(crate) lowest_available: Option<i64>,
    /// Contradictions in words, the first of them.
    pub(crate) violations: Vec<String>,
    /// How many there were.
    pub(crate) violation_count: usize,
}

#[cfg(test)]
mod tests;
