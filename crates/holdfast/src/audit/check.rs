//! The promises that an audit checks, and what it found for each.

/// A promise that the log must show to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Promise {
    /// Events of an item are numbered 1, 2, 3, … and logged time never runs backwards.
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
    /// What the crowd was told is in the log.
    Told,
}

impl Promise {
    /// All of them, in the order they are shown.
    pub(crate) const ALL: [Self; 9] = [
        Self::Contiguous,
        Self::NeverOversold,
        Self::Lives,
        Self::CustomerLimit,
        Self::Fifo,
        Self::HoldTime,
        Self::Money,
        Self::MoneyConserved,
        Self::Told,
    ];

    /// In words.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Contiguous => "the record is without gaps, and time never runs backwards",
            Self::NeverOversold => "held + sold never more than the total, in any prefix",
            Self::Lives => "every reservation granted once, sold once, ended once",
            Self::CustomerLimit => "no customer ever above the limit",
            Self::Fifo => "promoted in the order of the line, overtaken by nobody",
            Self::HoldTime => "no hold ended early, no payment taken late",
            Self::Money => "money kept = price × units paid for, all other goes back once",
            Self::MoneyConserved => "captured = parked + kept + due + refunded",
            Self::Told => "everything the crowd was told is in the log",
        }
    }
}

/// Most contradictions kept in words for each item.
const CONTRADICTIONS_TOLD_MAX: usize = 20;

/// What was found for an item.
#[derive(Clone, Debug, Default)]
pub(crate) struct Findings {
    /// How often each promise was looked at.
    looks: std::collections::BTreeMap<Promise, u64>,
    /// Contradictions, the first of them, in words.
    contradictions: Vec<(Promise, String)>,
    /// Contradictions of each promise.
    counts: std::collections::BTreeMap<Promise, u64>,
}

impl Findings {
    /// Looks whether a promise is kept here; if not, `words` says what is wrong.
    pub(crate) fn check(&mut self, promise: Promise, kept: bool, words: impl FnOnce() -> String) {
        let looks = self.looks.entry(promise).or_default();
        *looks = looks.saturating_add(1);
        if !kept {
            let count = self.counts.entry(promise).or_default();
            *count = count.saturating_add(1);
            if self.contradictions.len() < CONTRADICTIONS_TOLD_MAX {
                self.contradictions.push((promise, words()));
            }
        }
    }

    /// How often a promise was looked at.
    pub(crate) fn looks(&self, promise: Promise) -> u64 {
        self.looks.get(&promise).copied().unwrap_or_default()
    }

    /// How often it was found broken.
    pub(crate) fn broken(&self, promise: Promise) -> u64 {
        self.counts.get(&promise).copied().unwrap_or_default()
    }

    /// Whether every promise is kept.
    pub(crate) fn is_clean(&self) -> bool {
        self.counts.is_empty()
    }

    /// Contradictions in words.
    pub(crate) fn contradictions(&self) -> &[(Promise, String)] {
        &self.contradictions
    }
}
