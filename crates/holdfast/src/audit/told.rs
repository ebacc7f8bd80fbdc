//! What a crowd was told, found again in the log: no answer may have said what the log does not know.

use crate::crowd::Told;
use auditor::{Came, ItemBooks, Life, Report};
use domain::identity::{ItemKey, OrderId, ReservationId};
use std::collections::BTreeSet;

/// The promise, in words.
pub(super) const WORDS: &str = "everything the crowd was told is in the log";

/// Most contradictions kept in words.
const CONTRADICTIONS_TOLD_MAX: usize = 20;

/// How often something that was told was looked up, and what was not there.
#[derive(Clone, Debug, Default)]
pub(super) struct Comparison {
    pub(super) looks: u64,
    pub(super) broken: u64,
    pub(super) words: Vec<String>,
}

impl Comparison {
    pub(super) fn compare(&mut self, report: &Report, told: &Told) {
        let order = |text: &str| OrderId::parse(text).ok().map(OrderId::reservation);
        let reservation = |text: &str| ReservationId::parse(text).ok();
        self.look_up(report, &told.accepted, "was accepted", reservation, |books, number| {
            life(books, number, |_| true)
        });
        self.look_up(report, &told.cancelled, "was cancelled", reservation, |books, number| {
            life(books, number, |life| life == Life::Cancelled)
        });
        self.look_up(report, &told.paid, "was paid", order, |books, number| {
            life(books, number, |life| life == Life::Sold)
        });
        self.look_up(report, &told.charged, "was charged for", order, |books, number| {
            came(books, number, |came| came != Came::Nothing)
        });
        self.look_up(report, &told.refunded, "is refunded", order, |books, number| {
            came(books, number, |came| came == Came::GoesBack)
        });
    }

    /// Looks each id up once; it must be genuine, and stand in the log as it was told. `Err` says how it stands.
    fn look_up(
        &mut self,
        report: &Report,
        ids: &[String],
        words: &str,
        parse: impl Fn(&str) -> Option<ReservationId>,
        stands: impl Fn(&ItemBooks, u32) -> Result<(), String>,
    ) {
        for text in ids.iter().collect::<BTreeSet<_>>() {
            let books = parse(text).and_then(|id| Some((id, report.items.get(&id.item().as_u32())?)));
            let found = match books {
                None => Err("the log knows no such item".to_owned()),
                Some((id, books)) if !id.is_genuine(&ItemKey::from_bytes(books.key)) => {
                    Err("its id is forged".to_owned())
                }
                Some((id, books)) => stands(books, id.ordinal().0),
            };
            self.looks += 1;
            if let Err(why) = found {
                self.broken += 1;
                if self.words.len() < CONTRADICTIONS_TOLD_MAX {
                    self.words.push(format!("{text} {words}, and {why}"));
                }
            }
        }
    }

    pub(super) const fn is_kept(&self) -> bool {
        self.broken == 0
    }
}

fn life(books: &ItemBooks, number: u32, right: impl Fn(Life) -> bool) -> Result<(), String> {
    let found = books.life(number);
    if found.is_some_and(right) { Ok(()) } else { Err(format!("in the log it is {found:?}")) }
}

fn came(books: &ItemBooks, number: u32, right: impl Fn(Came) -> bool) -> Result<(), String> {
    let found = books.came_for(number);
    if right(found) { Ok(()) } else { Err(format!("in the log it is {found:?}")) }
}
