//! Nothing is a figure before it is true: what the answers said is compared with what the items say and with the log.

use crate::load::source::customer_number;
use crate::load::tally::{Ending, Tally};
use crate::operator::Counts;
use anyhow::{Result, ensure};
use domain::identity::ReservationId;
use domain::ids::{ItemNo, Ordinal};
use domain::item::Item;
use domain::time::Timestamp;
use engine::fold::{Folded, FoldedItem};
use replay::{Ask, Logs, Wanted, Workplace, replay_partition};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What the answers of one run said, as far as an audit can ask about it.
#[derive(Clone, Debug, Default)]
pub struct Claims {
    granted: BTreeSet<u128>,
    waiting: BTreeSet<u128>,
    /// Who hung up, and when.
    gone: BTreeMap<u64, Timestamp>,
    /// Requests that may have happened without an answer.
    unknown: u64,
}

impl Claims {
    /// Adds what the answers of a run said. A repeated answer says nothing new.
    pub fn add(&mut self, tally: &Tally) {
        for &(id, ending) in tally.receipts.iter() {
            match ending {
                Ending::Granted => self.granted.insert(id),
                Ending::Waiting => self.waiting.insert(id),
                Ending::Refused | Ending::Shed | Ending::TimedOut | Ending::Failed => false,
            };
        }
        self.gone.extend(tally.gone.iter().map(|gone| (gone.customer, gone.at)));
        self.unknown += tally.count_in_all(Ending::TimedOut) + tally.count_in_all(Ending::Failed) - tally.unsent;
    }

    /// How many hung up before an answer came.
    #[must_use]
    pub fn gone(&self) -> u64 {
        self.gone.len() as u64
    }

    fn was_told_of(&self, id: u128) -> bool {
        self.granted.contains(&id) || self.waiting.contains(&id)
    }

    /// How many were told that they hold a unit.
    #[must_use]
    pub fn granted(&self) -> u64 {
        self.granted.len() as u64
    }
}

/// Whether the items' own counts fit what was answered: every unit is free, held or sold, and as many are held as
/// were granted. Holds of the bench outlast it.
///
/// # Errors
/// Which promise is broken.
pub fn by_counts(items: &[Counts], claims: &Claims) -> Result<()> {
    let sum = |count: fn(&Counts) -> u32| items.iter().map(|item| u64::from(count(item))).sum::<u64>();
    let (total, available) = (sum(|item| item.total), sum(|item| item.available));
    let (held, sold) = (sum(|item| item.held), sum(|item| item.sold));
    ensure!(total == available + held + sold, "{total} units are {available} free, {held} held and {sold} sold");
    let (granted, waiting) = (claims.granted.len() as u64, claims.waiting.len() as u64);
    let may_hold = granted..=granted + claims.unknown;
    ensure!(may_hold.contains(&(held + sold)), "{granted} were granted and {held} are held, {sold} sold");
    let wait = sum(|item| item.waiting);
    let may_wait = waiting..=waiting + claims.unknown;
    ensure!(may_wait.contains(&wait), "{waiting} were told to wait and {wait} do");
    Ok(())
}

/// What reading the log back found.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reread {
    /// Events folded.
    pub events: u64,
    /// Records read: commits, as far as one does not need several.
    pub records: u64,
    /// Reservations made.
    pub reservations: u64,
    /// Of those, how many nobody was told of.
    pub untold: u64,
    /// Of those, how many were made after their customer had hung up, by the log's time. It counts in whole
    /// milliseconds, so what is of the same one is not among them.
    pub for_the_gone: u64,
}

/// Whether the log of a server that stopped holds every reservation that was answered for, and keeps every invariant.
///
/// # Errors
/// Which reservation is missing, or what is wrong with the log.
pub fn by_log(dir: &Path, claims: &Claims) -> Result<Reread> {
    let place = Workplace::new()?;
    let logs = Logs::open(dir, Wanted::All, &place)?;
    let mut reread = Reread::default();
    let mut found = 0;
    for source in &logs.sources {
        let replayed = replay_partition(source, logs.partition_count, &Ask::default(), &mut |_| ())?;
        let findings = replayed.findings.told();
        ensure!(findings.is_empty(), "the log breaks a promise: {findings:?}");
        reread.events += replayed.events;
        reread.records += replayed.records;
        let items = || whole(&replayed.folded);
        reread.reservations += items().map(|item| u64::from(item.reservation_count())).sum::<u64>();
        if !claims.gone.is_empty() {
            reread.for_the_gone += items().map(|item| for_the_gone(item, claims)).sum::<u64>();
        }
        found += claims.granted.iter().chain(&claims.waiting).filter(|id| is_in(&replayed.folded, **id)).count();
    }
    let claimed = claims.granted.len() + claims.waiting.len();
    ensure!(found == claimed, "{claimed} reservations were answered for, and the log has {found} of them");
    reread.untold = reread.reservations - found as u64;
    Ok(reread)
}

fn whole(folded: &Folded) -> impl Iterator<Item = &Item> {
    folded.items.values().filter_map(|item| match item {
        FoldedItem::Whole(item) => Some(item.as_ref()),
        FoldedItem::Broken { .. } => None,
    })
}

/// How many reservations were made for customers who had hung up by then.
fn for_the_gone(item: &Item, claims: &Claims) -> u64 {
    let ordinals = (0..item.reservation_count()).map(Ordinal);
    let untold = ordinals.filter(|ordinal| !claims.was_told_of(item.id_of(*ordinal).as_u128()));
    let views = untold.filter_map(|ordinal| item.reservation_view(ordinal, item.now()));
    let hung_up = |name: &str| customer_number(name).and_then(|number| claims.gone.get(&number));
    let late = views.filter(|view| hung_up(view.customer.as_str()).is_some_and(|at| view.created_at > *at));
    late.count() as u64
}

/// Whether the log made this reservation. Its id is keyed, so another one's does not pass for it.
fn is_in(folded: &Folded, id: u128) -> bool {
    let id = ReservationId::from_u128(id);
    let item: ItemNo = id.item();
    match folded.items.get(&item) {
        Some(FoldedItem::Whole(item)) => {
            id.ordinal().0 < item.reservation_count() && item.id_of(id.ordinal()).as_u128() == id.as_u128()
        }
        Some(FoldedItem::Broken { .. }) | None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::tally::Gone;
    use counts::counted;
    use domain::command::{Command, Request, WaitlistChoice};
    use domain::text::CustomerId;
    use domain::turn::Turn;
    use domain::units::Quantity;
    use std::time::Duration;

    fn claims(granted: u128, waiting: u128, timed_out: usize) -> Claims {
        let mut tally = Tally::default();
        tally.receipts.extend((0..granted).map(|id| (id, Ending::Granted)));
        tally.receipts.extend((0..waiting).map(|id| (granted + id, Ending::Waiting)));
        // Said twice, it is the same.
        tally.receipts.extend((0..granted).map(|id| (id, Ending::Granted)));
        (0..timed_out).for_each(|_| tally.record(Ending::TimedOut, Duration::from_secs(1), true));
        let mut claims = Claims::default();
        claims.add(&tally);
        claims
    }

    fn reserve(item: &mut Item, customer: &str, at_ms: u64) {
        let (quantity, waitlist) = (Quantity::ONE, WaitlistChoice::Join);
        let customer = CustomerId::parse(customer).expect("a customer");
        let mut turn = Turn::begin(item, Timestamp::from_millis(at_ms));
        turn.judge(&Request::from(Command::Reserve { customer, quantity, waitlist })).outcome.expect("it is granted");
        let _events = turn.end();
    }

    #[test]
    fn what_is_made_after_its_customer_hung_up_is_told_from_what_they_only_did_not_hear_of() {
        let mut item = counted::open_item(10);
        ["c1", "c2", "ca", "c4"].iter().for_each(|customer| reserve(&mut item, customer, 100));
        let gone = |customer, at_ms| Gone { customer, at: Timestamp::from_millis(at_ms) };
        // The tenth had hung up before; the second did later, the fourth within the millisecond; the first never did.
        let mut tally = Tally::default();
        tally.gone = vec![gone(2, 150), gone(10, 99), gone(4, 100)];
        let late = |tally: &Tally| {
            let mut claims = Claims::default();
            claims.add(tally);
            for_the_gone(&item, &claims)
        };
        assert_eq!(late(&tally), 1);
        tally.receipts.push((item.id_of(Ordinal(2)).as_u128(), Ending::Granted));
        assert_eq!(late(&tally), 0, "told in the end");
    }

    #[test]
    fn counts_that_fit_the_answers_pass_and_others_do_not() {
        let item = Counts { total: 10, available: 4, held: 6, sold: 0, waiting: 2 };
        assert!(by_counts(&[item], &claims(6, 2, 0)).is_ok());
        assert!(by_counts(&[item], &claims(5, 2, 1)).is_ok(), "one without an answer happened");
        assert!(by_counts(&[item], &claims(5, 2, 0)).is_err(), "one too many");
        assert!(by_counts(&[item], &claims(7, 2, 9)).is_err(), "one was lost");
        assert!(by_counts(&[item], &claims(6, 3, 0)).is_err(), "one who waits was lost");
        assert!(by_counts(&[Counts { available: 5, ..item }], &claims(6, 2, 0)).is_err(), "a unit too many");
    }
}
