//! What one seed is about: how large, how rough, and which faults. Every seed leaves most faults out and
//! turns the others up, so that rare things meet each other (swarm testing, Groce et al. 2012).

use super::dice::Dice;
use domain::money::{Currency, Money};
use domain::policy::{CoolOffPolicy, ExtensionPolicy, ItemSpec, PaymentPolicy, Policy, Settings, WaitlistPolicy};
use domain::text::{ItemName, Sku};
use domain::time::{DurationMs, Timestamp};
use domain::units::{Quantity, Units};
use engine::pace::Rate;
use eventlog::memory_log::FaultWeights;
use std::time::Duration;

/// When a simulation's wall clock begins: an instant like any other, in milliseconds since 1970.
pub(super) const WALL_START_MS: u64 = 1_800_000_000_000;

/// How long requests go on coming. With the time in which everything ends, more than an hour in every seed.
pub(super) const SPAN_US: u64 = 3_900 * 1_000_000;

/// What is asked for, and how often relative to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Units for a newcomer.
    Reserve,
    /// Bought at once.
    Purchase,
    /// Given up.
    Cancel,
    /// More time.
    Extend,
    /// Going to pay.
    Order,
    /// Paid, says a backend.
    Confirm,
    /// Paid, or not, says a provider.
    Report,
    /// A read through the mailbox.
    Read,
    /// The published view.
    Look,
    /// An operator at work.
    Operate,
    /// A bundle's part, and what becomes of it.
    Part,
    /// Something accepted before, once more with its key.
    Again,
}

const KINDS: [Kind; 12] = [
    Kind::Reserve,
    Kind::Purchase,
    Kind::Cancel,
    Kind::Extend,
    Kind::Order,
    Kind::Confirm,
    Kind::Report,
    Kind::Read,
    Kind::Look,
    Kind::Operate,
    Kind::Part,
    Kind::Again,
];

/// A seed's plan.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// What is on sale.
    pub(super) items: Vec<ItemSpec>,
    /// How many customers there are.
    pub(super) customers: u64,
    /// How many requests are made before the faults end.
    pub(super) operations: u64,
    /// Requests that come at one instant, at most.
    pub(super) burst: u64,
    /// The mix.
    pub(super) kinds: Vec<Kind>,
    /// Places in an item's mailbox.
    pub(super) mailbox: usize,
    /// The network.
    pub(super) net: Net,
    /// The disk.
    pub(super) disk: Disk,
    /// What happens to the process, in a thousand requests.
    pub(super) process: Process,
    /// No hold ends within this after a restart.
    pub(super) grace: DurationMs,
    /// How fast items work off a backlog.
    pub(super) backlog: Rate,
}

/// What the network does, in a thousand messages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Net {
    /// The longest a message takes, in microseconds.
    pub(super) delay_us_max: u64,
    /// Requests that never arrive.
    pub(super) lose_request: u64,
    /// Answers that never arrive.
    pub(super) lose_reply: u64,
    /// Requests that arrive twice.
    pub(super) duplicate: u64,
    /// Messages that take seconds.
    pub(super) straggle: u64,
}

/// What the disk does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Disk {
    /// What an append comes to, in a thousand.
    pub(super) faults: FaultWeights,
    /// The longest usual sync, in microseconds.
    pub(super) sync_us_max: u64,
    /// Syncs of ten seconds, in a thousand.
    pub(super) stall: u64,
}

/// What happens to the process, in a thousand requests.
#[derive(Clone, Copy, Debug)]
pub(super) struct Process {
    /// The power goes.
    pub(super) crash: u64,
    /// And goes again while the log is read back, in a thousand crashes.
    pub(super) crash_again: u64,
    /// A turn panics.
    pub(super) panic: u64,
    /// A snapshot is taken.
    pub(super) snapshot: u64,
    /// Another process takes the log.
    pub(super) second_writer: u64,
    /// A bit of the synced log flips while the process is down, in a thousand crashes.
    pub(super) bit_flip: u64,
    /// How far the wall clock is off after a restart, at most, in milliseconds.
    pub(super) clock_off_ms: u64,
    /// Turns that come late, in a thousand.
    pub(super) late_tick: u64,
}

impl Plan {
    /// The plan of a seed. What seeds were about before backlogs could be slow stays: those have dice of their own.
    #[must_use]
    pub(super) fn draw(dice: &mut Dice, later: &mut Dice) -> Self {
        let count = dice.between(1, 3);
        let items = (0..count).map(|number| item(dice, number)).collect();
        let kinds = kinds(dice);
        Self {
            items,
            customers: dice.between(2, 14),
            operations: dice.between(520, 640),
            burst: *dice.pick(&[1, 3, 10, 40]),
            kinds,
            mailbox: *dice.pick(&[2, 8, 64, 64]),
            net: net(dice),
            disk: disk(dice),
            process: process(dice),
            grace: DurationMs::from_secs(*dice.pick(&[0, 5, 30])),
            backlog: backlog(later),
        }
    }
}

/// Mostly as it is. Few customers make no backlog that takes long, so some seeds have one that hardly gets on.
fn backlog(dice: &mut Dice) -> Rate {
    let rate = |event, burst| Rate { event: Duration::from_millis(event), burst: Duration::from_millis(burst) };
    *dice.pick(&[Rate::USUAL, Rate::USUAL, rate(1, 3), rate(200, 600), rate(1_000, 1_000)])
}

/// A weight that is mostly nothing.
fn swarm(dice: &mut Dice, max: u64) -> u64 {
    if dice.chance(600) { 0 } else { dice.between(1, max) }
}

fn kinds(dice: &mut Dice) -> Vec<Kind> {
    let mut kinds = Vec::new();
    for kind in KINDS {
        let weight = match kind {
            Kind::Reserve => dice.between(4, 12),
            Kind::Order | Kind::Report | Kind::Cancel => dice.between(1, 6),
            Kind::Read | Kind::Look | Kind::Again => dice.between(0, 3),
            Kind::Purchase | Kind::Extend | Kind::Confirm | Kind::Operate | Kind::Part => swarm(dice, 3),
        };
        kinds.extend((0..weight).map(|_| kind));
    }
    kinds
}

fn net(dice: &mut Dice) -> Net {
    Net {
        delay_us_max: *dice.pick(&[300, 3_000, 200_000]),
        lose_request: swarm(dice, 100),
        lose_reply: swarm(dice, 100),
        duplicate: swarm(dice, 100),
        straggle: swarm(dice, 40),
    }
}

fn disk(dice: &mut Dice) -> Disk {
    let mut fault = |max| u16::try_from(swarm(dice, max)).expect("a small weight");
    let faults = FaultWeights {
        unknown_applied: fault(40),
        unknown_not_applied: fault(40),
        late: fault(40),
        duplicate: fault(40),
        taken_over: fault(4),
        sync_fails: fault(8),
        // The loop's own: the simulated clock goes on meanwhile.
        slow_sync: 0,
        disk_full: fault(4),
        torn_write: fault(8),
    };
    Disk { faults, sync_us_max: *dice.pick(&[200, 2_000, 30_000]), stall: swarm(dice, 10) }
}

fn process(dice: &mut Dice) -> Process {
    Process {
        crash: dice.between(3, 15),
        crash_again: swarm(dice, 400),
        panic: swarm(dice, 8),
        snapshot: swarm(dice, 15),
        second_writer: swarm(dice, 4),
        bit_flip: swarm(dice, 300),
        // Half a day at most: what is accepted is remembered for a day, and must not be forgotten within a seed.
        clock_off_ms: *dice.pick(&[0, 0, 1_000, 60_000, 3_600_000, 43_200_000]),
        late_tick: swarm(dice, 100),
    }
}

fn item(dice: &mut Dice, number: u64) -> ItemSpec {
    let secs = |secs: u64| DurationMs::from_secs(secs);
    let quantity = |count: u64| Quantity::new(u32::try_from(count).expect("small")).expect("a quantity");
    let policy = Policy {
        per_order_max: quantity(dice.between(1, 3)),
        per_customer_limit: quantity(dice.between(1, 5)),
        hold_time: secs(*dice.pick(&[5, 30, 120, 600])),
        grace: secs(*dice.pick(&[0, 0, 10, 60])),
        waitlist: WaitlistPolicy {
            enabled: !dice.chance(150),
            capacity: u32::try_from(*dice.pick(&[1, 4, 100])).expect("small"),
        },
        extension: ExtensionPolicy {
            times: u8::try_from(dice.below(3)).expect("small"),
            by: secs(*dice.pick(&[1, 60])),
        },
        cool_off: CoolOffPolicy { after_expiries: u8::try_from(swarm(dice, 2)).expect("small"), lasts: secs(90) },
        close_when_sold: dice.chance(200),
        payments: PaymentPolicy {
            provider: None,
            honour_late: dice.chance(600),
            parked_window: secs(*dice.pick(&[1, 60, 900])),
        },
    };
    let starts = Timestamp::from_millis(WALL_START_MS);
    let settings = Settings {
        name: ItemName::parse("thing").expect("a name"),
        unit_price: price(),
        policy,
        opens_at: Some(starts.plus(secs(if dice.chance(300) { 200 } else { 0 }))),
        closes_at: dice.chance(200).then(|| starts.plus(secs(3_000))),
    };
    let total = Units::new(u32::try_from(dice.below(9)).expect("small")).expect("units");
    ItemSpec { sku: Sku::parse(&format!("thing-{number}")).expect("a sku"), total, settings }
}

/// What one unit costs.
#[must_use]
pub(super) fn price() -> Money {
    Money { minor: 100, currency: Currency::parse("EUR").expect("a currency") }
}
