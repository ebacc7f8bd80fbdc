//! What an audit came to.

use crate::chain::LogRead;
use crate::finding::{Finding, Findings, Promise, Rule};
use crate::recount::{ItemBooks, MoneySums, PartitionBooks, Units};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Everything that was recounted, with what was found.
#[derive(Debug)]
pub struct Report {
    /// The logs that were read.
    pub logs: Vec<LogRead>,
    /// Events entered.
    pub events: u64,
    /// Every item by its number.
    pub items: BTreeMap<u32, ItemBooks>,
    /// Every partition's own stream by its number.
    pub partitions: BTreeMap<u32, PartitionBooks>,
    pub(crate) strays: Findings,
}

/// The report in figures, for programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Whether every promise is kept.
    pub clean: bool,
    /// Events read.
    pub events: u64,
    /// The logs.
    pub logs: Vec<LogRead>,
    /// The items, by sku.
    pub items: BTreeMap<String, Units>,
    /// Bundles ever held.
    pub bundles: usize,
    /// Of them, those sold.
    pub bundles_sold: usize,
    /// Money of items and bundles, by currency.
    pub money: BTreeMap<String, MoneySums>,
    /// How often each promise was looked at and found broken.
    pub promises: Vec<PromiseCount>,
    /// What was found.
    pub findings: Vec<Finding>,
}

/// How often a promise was looked at and found broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct PromiseCount {
    /// Which.
    pub promise: Promise,
    /// How often it was looked at.
    pub looked_at: u64,
    /// How often it was broken.
    pub broken: u64,
}

impl Report {
    fn all(&self) -> impl Iterator<Item = &Findings> {
        let items = self.items.values().map(|books| &books.findings);
        let partitions = self.partitions.values().map(|books| &books.findings);
        items.chain(partitions).chain([&self.strays])
    }

    /// Whether every promise is kept.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.all().all(Findings::is_clean)
    }

    /// The rules that were found broken.
    #[must_use]
    pub fn rules(&self) -> BTreeSet<Rule> {
        self.all().flat_map(Findings::rules).collect()
    }

    /// What was found: the first of each stream.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.all().flat_map(Findings::list)
    }

    /// How often a promise was looked at.
    #[must_use]
    pub fn looks(&self, promise: Promise) -> u64 {
        self.all().map(|findings| findings.looks(promise)).sum()
    }

    /// How often a promise was found broken.
    #[must_use]
    pub fn broken(&self, promise: Promise) -> u64 {
        self.all().map(|findings| findings.broken(promise)).sum()
    }

    /// The money of all items and bundles, by currency.
    #[must_use]
    pub fn money(&self) -> BTreeMap<[u8; 3], MoneySums> {
        let mut all: BTreeMap<[u8; 3], MoneySums> = BTreeMap::new();
        let items = self.items.values().flat_map(ItemBooks::money);
        for (currency, sums) in items.chain(self.partitions.values().flat_map(PartitionBooks::money)) {
            all.entry(currency).or_default().add(&sums);
        }
        all
    }

    /// The report in figures.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let counts = self.partitions.values().map(PartitionBooks::bundle_counts);
        let (bundles, bundles_sold) = counts.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        let name = |currency: [u8; 3]| String::from_utf8_lossy(&currency).into_owned();
        let count = |promise| PromiseCount { promise, looked_at: self.looks(promise), broken: self.broken(promise) };
        Summary {
            clean: self.is_clean(),
            events: self.events,
            logs: self.logs.clone(),
            items: self.items.values().map(|books| (books.sku.clone(), books.units)).collect(),
            bundles,
            bundles_sold,
            money: self.money().into_iter().map(|(currency, sums)| (name(currency), sums)).collect(),
            promises: Promise::ALL.into_iter().map(count).collect(),
            findings: self.findings().cloned().collect(),
        }
    }
}
