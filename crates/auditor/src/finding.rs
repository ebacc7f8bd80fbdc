//! What is found: which rule is broken, where, and in words. The rules are those of the domain; how each is looked at
//! is `recount`'s business.

use serde::Serialize;
use std::collections::BTreeMap;

/// A promise that the log must show to be kept. Each has several rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Promise {
    /// Events of a stream are numbered 1, 2, 3, … and logged time never runs backwards.
    Contiguous,
    /// In every prefix of the log, held and sold units together are at most the total.
    NeverOversold,
    /// Every reservation goes only ways there are: granted once, sold once, ended once.
    Lives,
    /// Nobody ever has more than the limit, waiting, held and sold together.
    CustomerLimit,
    /// Promotions come in the order of the line, and no newcomer overtakes it.
    Fifo,
    /// No hold ends before its time, and no payment is taken after it.
    HoldTime,
    /// Money kept is price × units paid for; all other money goes back, once.
    Money,
    /// Every capture is parked, kept, due or refunded.
    MoneyConserved,
    /// A bundle is held, sold and given up whole.
    Bundles,
}

impl Promise {
    /// All of them, in the order they are shown.
    pub const ALL: [Self; 9] = [
        Self::Contiguous,
        Self::NeverOversold,
        Self::Lives,
        Self::CustomerLimit,
        Self::Fifo,
        Self::HoldTime,
        Self::Money,
        Self::MoneyConserved,
        Self::Bundles,
    ];

    /// In words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Contiguous => "the record is without gaps, and time never runs backwards",
            Self::NeverOversold => "held + sold never more than the total, in any prefix",
            Self::Lives => "every reservation granted once, sold once, ended once",
            Self::CustomerLimit => "no customer ever above the limit",
            Self::Fifo => "promoted in the order of the line, overtaken by nobody",
            Self::HoldTime => "no hold ended early, no payment taken late",
            Self::Money => "money kept = price × units paid for, all other goes back once",
            Self::MoneyConserved => "captured = parked + kept + due + refunded",
            Self::Bundles => "bundles held, sold and given up whole",
        }
    }
}

/// What is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// A stream's numbers have a gap, or one comes twice.
    Sequence,
    /// A stream's logged time runs backwards.
    Time,
    /// An item, a sku or a secret is not registered where it should be, or twice.
    Registered,
    /// More is held and sold than there is, or a sum is negative.
    Oversold,
    /// The stock that an event tells of is not what the events before it make.
    Total,
    /// A sale goes from one phase to another that does not follow it.
    Phase,
    /// A reservation or a bundle does what its state does not allow, or was never begun.
    Life,
    /// Units are released that were not granted, or not all of them.
    Released,
    /// One request is accepted twice.
    KeyTwice,
    /// A customer has more than the limit.
    Limit,
    /// Something is granted that the item's terms refuse: the quantity, the waitlist, a cool-off.
    Terms,
    /// A newcomer is granted units while others wait.
    Overtaken,
    /// Somebody is taken from the line who is not its head, or though the units are not there.
    OutOfTurn,
    /// Somebody is put in line though units are free and nobody waits, or told another place.
    Place,
    /// A promotion names another cause than what freed the units.
    Because,
    /// A hold ends before its time.
    EndedEarly,
    /// Something is done with a hold after its time.
    TooLate,
    /// A deadline is not what the terms of its grant make.
    Deadline,
    /// An amount is not price × quantity.
    Price,
    /// A payment, a report or an order is counted twice.
    Twice,
    /// Money goes where it has no reason to go, or from where it is not.
    MoneyAstray,
    /// The pots do not add up to what was captured.
    Unbalanced,
    /// A bundle is held, sold or given up in part.
    Torn,
}

impl Rule {
    /// All of them.
    pub const ALL: [Self; 23] = [
        Self::Sequence,
        Self::Time,
        Self::Registered,
        Self::Oversold,
        Self::Total,
        Self::Phase,
        Self::Life,
        Self::Released,
        Self::KeyTwice,
        Self::Limit,
        Self::Terms,
        Self::Overtaken,
        Self::OutOfTurn,
        Self::Place,
        Self::Because,
        Self::EndedEarly,
        Self::TooLate,
        Self::Deadline,
        Self::Price,
        Self::Twice,
        Self::MoneyAstray,
        Self::Unbalanced,
        Self::Torn,
    ];

    /// The promise that it belongs to.
    #[must_use]
    pub const fn promise(self) -> Promise {
        match self {
            Self::Sequence | Self::Time | Self::Registered => Promise::Contiguous,
            Self::Oversold | Self::Total => Promise::NeverOversold,
            Self::Phase | Self::Life | Self::Released | Self::KeyTwice => Promise::Lives,
            Self::Limit | Self::Terms => Promise::CustomerLimit,
            Self::Overtaken | Self::OutOfTurn | Self::Place | Self::Because => Promise::Fifo,
            Self::EndedEarly | Self::TooLate | Self::Deadline => Promise::HoldTime,
            Self::Price | Self::Twice | Self::MoneyAstray => Promise::Money,
            Self::Unbalanced => Promise::MoneyConserved,
            Self::Torn => Promise::Bundles,
        }
    }
}

/// Where something was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The record of the partition's log; 0 where the events were read from no log.
    pub record: u64,
    /// The stream: an item's number, or a partition's own.
    pub item: u32,
    /// The event's number in that stream.
    pub seq: u64,
}

/// A contradiction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What is broken.
    pub rule: Rule,
    /// Where. What shows only at the end is placed at the last event of its stream.
    pub place: Place,
    /// What the log says, and what should stand there.
    pub words: String,
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Place { record, item, seq } = self.place;
        write!(f, "{:?}: {} (record {record}, item {item:#010x}, sequence {seq})", self.rule, self.words)
    }
}

/// Most findings kept in words for each stream; the others are counted.
const FINDINGS_KEPT_MAX: usize = 20;

/// What was looked at and found in one stream.
#[derive(Clone, Debug, Default)]
pub struct Findings {
    looks: BTreeMap<Promise, u64>,
    broken: BTreeMap<Rule, u64>,
    kept: Vec<Finding>,
    place: Place,
}

impl Findings {
    /// What is found from here on stands there.
    pub(crate) fn move_to(&mut self, place: Place) {
        self.place = place;
    }

    /// Looks whether a rule is kept here; if not, `words` says what is wrong.
    pub(crate) fn check(&mut self, rule: Rule, is_kept: bool, words: impl FnOnce() -> String) {
        *self.looks.entry(rule.promise()).or_default() += 1;
        if !is_kept {
            *self.broken.entry(rule).or_default() += 1;
            if self.kept.len() < FINDINGS_KEPT_MAX {
                self.kept.push(Finding { rule, place: self.place, words: words() });
            }
        }
    }

    /// How often a promise was looked at.
    #[must_use]
    pub fn looks(&self, promise: Promise) -> u64 {
        self.looks.get(&promise).copied().unwrap_or_default()
    }

    /// How often a promise was found broken.
    #[must_use]
    pub fn broken(&self, promise: Promise) -> u64 {
        self.broken.iter().filter(|(rule, _)| rule.promise() == promise).map(|(_, count)| count).sum()
    }

    /// The rules that were found broken.
    pub fn rules(&self) -> impl Iterator<Item = Rule> + '_ {
        self.broken.keys().copied()
    }

    /// Whether nothing was found.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.broken.is_empty()
    }

    /// The first of what was found.
    #[must_use]
    pub fn list(&self) -> &[Finding] {
        &self.kept
    }
}
