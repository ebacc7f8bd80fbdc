//! The audit: a log recounted by the independent auditor, and what a crowd was told compared with it.
//!
//! The crate `auditor` reads and judges; here are only the ids that people hold in their hands, words and tables.

pub(crate) mod command;
mod render;
mod told;

#[cfg(test)]
mod tests;

pub(crate) use render::render;

use crate::crowd::Told;
use anyhow::Context;
use auditor::{Auditor, ItemBooks, Moment, PartitionBooks, Report, Taken};
use domain::payment::Provider;
use eventlog::LogReader;
use std::sync::Arc;
use told::Comparison;

/// What a provider took and gave back, in minor units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OfProvider {
    /// Taken.
    pub(crate) captured: i128,
    /// Given back.
    pub(crate) refunded: i128,
}

/// An audit's result.
#[derive(Debug)]
pub(crate) struct Audit {
    /// The recount.
    pub(crate) report: Report,
    /// What a crowd was told, against it. Nothing was compared where it is `None`.
    told: Option<Comparison>,
    /// What is wrong beside the log itself, in words.
    strays: Vec<String>,
    /// A provider whose own books were compared, and what they say.
    provider: Option<(Provider, OfProvider)>,
}

/// Reads these logs from their first record to their durable tail, beside a server that may go on writing.
pub(crate) fn read(logs: &[Arc<dyn LogReader>]) -> anyhow::Result<Audit> {
    let mut auditor = Auditor::default();
    for log in logs {
        let mut trouble = None;
        let records = log.read_from(log.first());
        let records = records.map_while(|read| read.map_err(|error| trouble = Some(error)).ok());
        let audited = auditor.log(records.map(|(_, bytes)| bytes), None);
        let words = || format!("the log {} cannot be read back", log.log_id());
        trouble.map_or(Ok(()), Err).with_context(words)?;
        audited.with_context(words)?;
    }
    Ok(Audit::of(auditor.finish(Moment::Several)))
}

impl Audit {
    /// The audit that came to this.
    pub(crate) const fn of(report: Report) -> Self {
        Self { report, told: None, strays: Vec::new(), provider: None }
    }

    /// Compares with what a crowd was told.
    pub(crate) fn compare(&mut self, told: &[&Told]) {
        let mut comparison = Comparison::default();
        told.iter().for_each(|told| comparison.compare(&self.report, told));
        self.told = Some(comparison);
    }

    /// Compares with a provider's own books: both know of the same money.
    pub(crate) fn compare_with(&mut self, provider: Provider, theirs: OfProvider) {
        let items = self.report.items.values().flat_map(ItemBooks::captures);
        let captures = items.chain(self.report.partitions.values().flat_map(PartitionBooks::captures));
        let ours = captures.filter(|taken| is_of(taken, provider)).fold(OfProvider::default(), |mut sums, taken| {
            let minor = i128::from(taken.amount.minor);
            sums.captured += minor;
            sums.refunded += if taken.has_gone_back() { minor } else { 0 };
            sums
        });
        if ours != theirs {
            self.strays.push(format!("the {} provider says {theirs:?}, and the log says {ours:?}", provider.name()));
        }
        self.provider = Some((provider, theirs));
    }

    /// Whether every promise is kept.
    pub(crate) fn is_clean(&self) -> bool {
        self.report.is_clean() && self.strays.is_empty() && self.told.as_ref().is_none_or(|told| told.is_kept())
    }
}

fn is_of(taken: &Taken, provider: Provider) -> bool {
    let theirs = match taken.provider {
        auditor::Provider::External => Provider::External,
        auditor::Provider::Simulated => Provider::Simulated,
        auditor::Provider::Generic => Provider::Generic,
        auditor::Provider::Stripe => Provider::Stripe,
    };
    theirs == provider
}
