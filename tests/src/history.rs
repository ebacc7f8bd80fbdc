//! Whether a recorded history of one item is linearizable: whether every answer is one that a single clerk could have
//! given, working through the requests one at a time, each somewhere between its call and its return.
//!
//! The clerk is written on its own, from the rules and not from the engine: a list of holders, a list of
//! those who wait. The search is Wing and Gong's, with Lowe's memory of the situations it was in before.

use std::collections::{BTreeSet, HashSet};

/// A number that names a reservation within one history.
pub type Who = usize;

/// What was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// One unit for a customer who has none.
    Reserve(Who),
    /// Its end.
    Cancel(Who),
    /// How it stands.
    Read(Who),
    /// How the item stands.
    ReadItem,
}

/// How a reservation stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stands {
    /// It has its unit.
    Held,
    /// It waits at this place, the first being 1.
    Waiting(usize),
    /// It is over.
    Cancelled,
}

/// What was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// A reservation, after the request.
    Reservation(Stands),
    /// Nothing is free, and nobody can wait any more.
    Full,
    /// Counts of the item.
    Item {
        /// Units that nobody has.
        available: usize,
        /// Units held.
        held: usize,
        /// How many wait.
        waiting: usize,
    },
}

/// A request with when it was sent and when its answer came, on one clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// What was asked.
    pub asked: Asked,
    /// When it was sent.
    pub called: u64,
    /// When the answer came; without one, the instant after which it can have no effect any more (the server's death).
    pub returned: u64,
    /// `None`: no answer came, and it may or may not have happened.
    pub answered: Option<Answered>,
    /// The place in the item's log that a reservation was given. The search does not look at it.
    pub sequence: Option<u64>,
}

/// What the search found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// There is an order that explains every answer.
    Linearizable,
    /// There is none. Where the best attempt got stuck: how many were explained, and the next candidates.
    Impossible {
        /// How many operations the longest order explains.
        explained: usize,
        /// What could have been next and was answered otherwise than the clerk would.
        stuck_at: Vec<String>,
    },
    /// The search gave up after as many situations as it may look at.
    Undecided {
        /// How many operations the longest order explains.
        explained: usize,
        /// What could have been next there.
        stuck_at: Vec<String>,
    },
}

/// Situations looked at before the search gives up: some hundred megabytes at the most.
const SITUATIONS_MAX: usize = 300_000;

/// What the clerk has to give away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Shop {
    /// Units.
    pub total: usize,
    /// Places in line.
    pub places: usize,
}

/// The reference: one clerk with two lists.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Clerk {
    shop: Shop,
    holders: BTreeSet<Who>,
    line: Vec<Who>,
    gone: BTreeSet<Who>,
}

impl Clerk {
    fn stands(&self, who: Who) -> Option<Stands> {
        if self.holders.contains(&who) {
            return Some(Stands::Held);
        }
        if self.gone.contains(&who) {
            return Some(Stands::Cancelled);
        }
        self.line.iter().position(|waiting| *waiting == who).map(|at| Stands::Waiting(at + 1))
    }

    /// Does what is asked and answers. `None`: it asks for a reservation that is not there.
    fn serve(&mut self, asked: Asked) -> Option<Answered> {
        let who = match asked {
            Asked::ReadItem => {
                let (held, waiting) = (self.holders.len(), self.line.len());
                return Some(Answered::Item { available: self.shop.total - held, held, waiting });
            }
            Asked::Reserve(who) => {
                if self.line.is_empty() && self.holders.len() < self.shop.total {
                    self.holders.insert(who);
                } else if self.line.len() >= self.shop.places {
                    return Some(Answered::Full);
                } else {
                    self.line.push(who);
                }
                who
            }
            Asked::Cancel(who) => {
                self.stands(who)?;
                self.line.retain(|waiting| *waiting != who);
                if self.holders.remove(&who) && !self.line.is_empty() {
                    let next = self.line.remove(0);
                    self.holders.insert(next);
                }
                self.gone.insert(who);
                who
            }
            Asked::Read(who) => who,
        };
        self.stands(who).map(Answered::Reservation)
    }
}

/// A situation of the search: which operations are accounted for, and how the clerk's lists look then.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Situation {
    /// All before this one, or they can have no effect any more.
    before: usize,
    /// And these behind it.
    also: BTreeSet<usize>,
    /// The latest call among them: what returned before this is over.
    now: u64,
    clerk: Clerk,
}

impl Situation {
    /// Whether an operation is accounted for, or had no answer and its time is over.
    fn is_past(&self, at: usize, operation: &Operation) -> bool {
        let is_over = operation.answered.is_none() && operation.returned < self.now;
        at < self.before || self.also.contains(&at) || is_over
    }

    /// The same after one more.
    fn after(mut self, at: usize, history: &[Operation]) -> Self {
        self.also.insert(at);
        self.now = self.now.max(history.get(at).map_or(0, |operation| operation.called));
        while history.get(self.before).is_some_and(|operation| self.is_past(self.before, operation)) {
            self.also.remove(&self.before);
            self.before += 1;
        }
        self
    }

    /// Operations that may be next: those called before any that was answered has returned. `None`: every answer is
    /// accounted for.
    fn candidates<'a>(&self, history: &'a [Operation]) -> Option<Vec<(usize, &'a Operation)>> {
        let (mut found, mut first_return) = (Vec::new(), None);
        for (at, operation) in history.iter().enumerate().skip(self.before) {
            // Sorted by call: nothing further on can be next.
            if first_return.is_some_and(|first| operation.called > first) {
                break;
            }
            if !self.is_past(at, operation) {
                if operation.answered.is_some() {
                    first_return = Some(first_return.unwrap_or(u64::MAX).min(operation.returned));
                }
                found.push((at, operation));
            }
        }
        let first_return = first_return?;
        found.retain(|(_, operation)| operation.called <= first_return);
        Some(found)
    }

    /// Situations that may follow, the likeliest last.
    fn next(&self, history: &[Operation], mut candidates: Vec<(usize, &Operation)>) -> Vec<Self> {
        candidates.sort_by_key(|(_, operation)| std::cmp::Reverse((operation.answered.is_none(), operation.returned)));
        let unanswered = candidates.iter().filter(|(_, operation)| operation.answered.is_none());
        let first_death = unanswered.map(|(_, operation)| operation.returned).min().unwrap_or(u64::MAX);
        let mut next = Vec::new();
        for (at, operation) in candidates {
            let mut clerk = self.clerk.clone();
            let Some(served) = clerk.serve(operation.asked) else { continue };
            let is_answered = operation.answered == Some(served);
            let changes = clerk != self.clerk;
            let after = || Self { clerk, ..self.clone() }.after(at, history);
            if is_answered && !changes && operation.called <= first_death {
                // It fits here and changes nothing: whatever order there is, there is one that has it here, unless
                // something that was never answered would have to come before.
                return vec![after()];
            }
            if is_answered || (operation.answered.is_none() && changes) {
                next.push(after());
            }
        }
        next
    }
}

/// Two reservations whose places in the log contradict real time: the second was sent after the first's answer had
/// come, and yet stands before it.
#[must_use]
pub fn out_of_order(history: &[Operation]) -> Option<(Operation, Operation)> {
    let mut placed: Vec<&Operation> = history.iter().filter(|operation| operation.sequence.is_some()).collect();
    placed.sort_by_key(|operation| operation.sequence);
    let mut latest: Option<&Operation> = None;
    for operation in placed {
        if let Some(before) = latest.filter(|before| operation.returned < before.called) {
            return Some((*operation, *before));
        }
        latest = latest.filter(|before| before.called > operation.called).or(Some(operation));
    }
    None
}

/// Nobody comes back from a cancellation. So what was read of a reservation after a cancellation without an answer was
/// over tells whether that one had happened, and the search need not try both.
fn settle_cancellations(history: &mut Vec<Operation>) {
    let cancels: Vec<Who> = history
        .iter()
        .filter_map(|operation| match operation.asked {
            Asked::Cancel(who) => Some(who),
            Asked::Reserve(_) | Asked::Read(_) | Asked::ReadItem => None,
        })
        .collect();
    let read: Vec<(Who, u64, Stands)> = history
        .iter()
        .filter_map(|operation| match (operation.asked, operation.answered) {
            (Asked::Read(who), Some(Answered::Reservation(stands))) => Some((who, operation.called, stands)),
            _ => None,
        })
        .collect();
    let read_after = |who, over| read.iter().find(move |(of, called, _)| *of == who && *called > over);
    history.retain_mut(|operation| {
        let (Asked::Cancel(who), None) = (operation.asked, operation.answered) else { return true };
        match read_after(who, operation.returned) {
            Some((_, _, Stands::Cancelled)) => {
                if cancels.iter().filter(|of| **of == who).count() == 1 {
                    operation.answered = Some(Answered::Reservation(Stands::Cancelled));
                }
                true
            }
            Some(_) => false,
            None => true,
        }
    });
}

/// Looks for an order of `history` that explains every answer of an item with as much to give as `shop`.
#[must_use]
pub fn explain(shop: Shop, mut history: Vec<Operation>) -> Found {
    settle_cancellations(&mut history);
    history.sort_by_key(|operation| operation.called);
    let clerk = Clerk { shop, holders: BTreeSet::new(), line: Vec::new(), gone: BTreeSet::new() };
    let mut open = vec![Situation { before: 0, also: BTreeSet::new(), now: 0, clerk }];
    let mut seen = HashSet::new();
    let (mut explained, mut stuck_at) = (0, Vec::new());
    while let Some(situation) = open.pop() {
        let Some(candidates) = situation.candidates(&history) else { return Found::Linearizable };
        if seen.len() >= SITUATIONS_MAX {
            return Found::Undecided { explained, stuck_at };
        }
        if !seen.insert(situation.clone()) {
            continue;
        }
        let done = situation.before + situation.also.len();
        if done >= explained {
            explained = done;
            stuck_at = candidates.iter().map(|(_, operation)| format!("{operation:?}")).collect();
            stuck_at.push(format!("{situation:?}"));
        }
        open.extend(situation.next(&history, candidates));
    }
    Found::Impossible { explained, stuck_at }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELD: Option<Answered> = Some(Answered::Reservation(Stands::Held));
    const GONE: Option<Answered> = Some(Answered::Reservation(Stands::Cancelled));

    const fn waiting(place: usize) -> Option<Answered> {
        Some(Answered::Reservation(Stands::Waiting(place)))
    }

    const fn counts(available: usize, held: usize, waiting: usize) -> Option<Answered> {
        Some(Answered::Item { available, held, waiting })
    }

    /// Operations as (asked, called, returned, answered).
    fn found(total: usize, rows: &[(Asked, u64, u64, Option<Answered>)]) -> Found {
        found_in(Shop { total, places: 2 }, rows)
    }

    fn found_in(shop: Shop, rows: &[(Asked, u64, u64, Option<Answered>)]) -> Found {
        let row =
            |&(asked, called, returned, answered): &_| Operation { asked, called, returned, answered, sequence: None };
        explain(shop, rows.iter().map(row).collect())
    }

    #[test]
    fn what_a_clerk_could_have_answered_is_linearizable() {
        use Asked::{Cancel, Read, ReadItem, Reserve};
        let cases: [&[_]; 5] = [
            &[(Reserve(0), 0, 1, HELD), (Reserve(1), 2, 3, waiting(1)), (Cancel(0), 4, 5, GONE), (Read(1), 6, 7, HELD)],
            // At the same time: either may have been first.
            &[(Reserve(0), 0, 5, waiting(1)), (Reserve(1), 1, 4, HELD)],
            // Without an answer: it happened, or it did not.
            &[(Reserve(0), 0, 5, None), (Reserve(1), 6, 7, waiting(1))],
            &[(Reserve(0), 0, 5, None), (Reserve(1), 6, 7, HELD)],
            &[(Reserve(0), 0, 9, HELD), (ReadItem, 1, 2, counts(1, 0, 0)), (ReadItem, 3, 4, counts(0, 1, 0))],
        ];
        for case in cases {
            assert_eq!(found(1, case), Found::Linearizable, "{case:?}");
        }
    }

    #[test]
    fn whoever_is_told_that_nobody_can_wait_was_told_so_while_that_was_true() {
        use Asked::{Cancel, ReadItem, Reserve};
        const FULL: Option<Answered> = Some(Answered::Full);
        let shop = Shop { total: 1, places: 0 };
        let begin = [(Reserve(0), 0, 1, HELD), (Cancel(0), 4, 7, GONE)];
        let with = |rows: &[_]| found_in(shop, &begin.iter().chain(rows).copied().collect::<Vec<_>>());
        assert_eq!(with(&[(Reserve(1), 2, 3, FULL)]), Found::Linearizable);
        // While the cancellation is under way either may be told, but not the other way round.
        assert_eq!(with(&[(Reserve(1), 5, 6, FULL)]), Found::Linearizable);
        assert_eq!(with(&[(Reserve(1), 5, 6, HELD)]), Found::Linearizable);
        let seen_free = (ReadItem, 5, 6, counts(1, 0, 0));
        for late in [[seen_free, (Reserve(1), 7, 8, FULL)], [seen_free, (Reserve(1), 8, 9, FULL)]] {
            assert!(matches!(with(&late), Found::Impossible { .. }), "{late:?}");
        }
        // Refused, and has a unit all the same.
        let both = [(Reserve(1), 8, 9, FULL), (ReadItem, 10, 11, counts(0, 1, 0))];
        assert!(matches!(with(&both), Found::Impossible { .. }));
    }

    #[test]
    fn places_in_the_log_follow_real_time_and_may_cross_only_while_both_are_under_way() {
        let placed = |rows: &[(u64, u64, u64)]| {
            let row = |&(called, returned, sequence): &_| Operation {
                asked: Asked::Reserve(0),
                called,
                returned,
                answered: HELD,
                sequence: Some(sequence),
            };
            out_of_order(&rows.iter().map(row).collect::<Vec<_>>()).is_none()
        };
        assert!(placed(&[(0, 1, 1), (2, 3, 2), (4, 9, 4), (5, 8, 3)]));
        assert!(!placed(&[(0, 1, 2), (2, 3, 1)]));
        assert!(!placed(&[(0, 1, 9), (2, 5, 3), (3, 4, 2)]), "not only neighbours");
    }

    #[test]
    fn a_cancellation_without_an_answer_is_settled_by_what_is_read_afterwards() {
        use Asked::{Cancel, Read, Reserve};
        let begin = [(Reserve(0), 0, 1, HELD), (Reserve(1), 2, 3, waiting(1)), (Cancel(0), 4, 6, None)];
        let with = |rows: &[_]| found(1, &begin.iter().chain(rows).copied().collect::<Vec<_>>());
        assert_eq!(with(&[(Read(0), 7, 8, HELD), (Read(1), 9, 10, waiting(1))]), Found::Linearizable);
        assert_eq!(with(&[(Read(0), 7, 8, GONE), (Read(1), 9, 10, HELD)]), Found::Linearizable);
        // While it is under way both may be read, but not in this order.
        assert_eq!(with(&[(Read(0), 4, 5, HELD), (Read(0), 7, 8, GONE)]), Found::Linearizable);
        assert!(matches!(with(&[(Read(0), 7, 8, GONE), (Read(0), 9, 10, HELD)]), Found::Impossible { .. }));
        assert!(matches!(with(&[(Read(0), 7, 8, HELD), (Read(1), 9, 10, HELD)]), Found::Impossible { .. }));
    }

    #[test]
    fn what_happened_without_an_answer_happened_before_the_first_read_of_the_next_life() {
        use Asked::{ReadItem, Reserve};
        let rows: &[_] = &[
            (Reserve(0), 0, 4, None),
            (Reserve(1), 1, 4, None),
            (ReadItem, 2, 3, counts(2, 0, 0)),
            (ReadItem, 5, 6, counts(1, 1, 0)),
            (Reserve(2), 7, 8, HELD),
            (ReadItem, 9, 10, counts(0, 2, 0)),
        ];
        assert_eq!(found(2, rows), Found::Linearizable);
    }

    #[test]
    fn what_no_clerk_could_have_answered_is_found_out() {
        use Asked::{Cancel, Read, ReadItem, Reserve};
        let cases: [&[_]; 7] = [
            // Oversold.
            &[(Reserve(0), 0, 9, HELD), (Reserve(1), 1, 8, HELD)],
            // A stale read after an answer.
            &[(Reserve(0), 0, 1, HELD), (ReadItem, 2, 3, counts(1, 0, 0))],
            // The last one in line is promoted past the first.
            &[
                (Reserve(0), 0, 1, HELD),
                (Reserve(1), 2, 3, waiting(1)),
                (Reserve(2), 4, 5, waiting(2)),
                (Cancel(0), 6, 7, GONE),
                (Read(2), 8, 9, HELD),
            ],
            // An acknowledged hold that is lost.
            &[(Reserve(0), 0, 1, HELD), (Reserve(1), 2, 3, HELD), (Read(0), 4, 5, HELD)],
            // Two places for one: time runs backwards between two reads.
            &[(Reserve(0), 0, 9, HELD), (ReadItem, 1, 2, counts(0, 1, 0)), (ReadItem, 3, 4, counts(1, 0, 0))],
            // Cancelled, and the unit goes to nobody though somebody waits.
            &[
                (Reserve(0), 0, 1, HELD),
                (Reserve(1), 2, 3, waiting(1)),
                (Cancel(0), 4, 5, GONE),
                (ReadItem, 6, 7, counts(1, 0, 1)),
            ],
            // Without an answer, but with an effect after its server's death.
            &[(Reserve(0), 0, 3, None), (ReadItem, 4, 5, counts(1, 0, 0)), (ReadItem, 6, 7, counts(0, 1, 0))],
        ];
        for case in cases {
            assert!(matches!(found(1, case), Found::Impossible { .. }), "{case:?}");
        }
    }
}
