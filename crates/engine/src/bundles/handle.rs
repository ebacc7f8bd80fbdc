//! Bundles from outside, and what else a partition's own stream can be asked.

use super::collect::{self, Wish};
use crate::error::SubmitError;
use crate::handle::Engine;
use crate::registry::Registry;
use crate::shell::Reply;
use domain::bundle::{WantedLines, partition_of_bundle};
use domain::idempotency::Attempt;
use domain::identity::{BundleId, OrderId};
use domain::ids::PartitionNo;
use domain::partition::{PartitionCommand, PartitionQuery, PartitionRequest};
use domain::payment::PaymentReport;
use domain::text::CustomerId;
use domain::views::Origin;
use std::sync::Arc;

/// A partition's own stream from outside: the bundles that live there, their money, and reports of orders never
/// issued. Cheap to clone.
#[derive(Clone)]
pub struct PartitionHandle {
    engine: Engine,
    registry: Arc<Registry>,
}

impl PartitionHandle {
    /// Its number.
    #[must_use]
    pub fn no(&self) -> PartitionNo {
        self.registry.no
    }

    /// Has the partition judge a command. The answer leaves when it is durable and, where the command ended a bundle, when the
    /// parts have followed; or at the fixed timeout, with [`SubmitError::OutcomeUnknown`].
    ///
    /// # Errors
    /// [`SubmitError`]: no judgement; each variant says whether something may have happened.
    pub async fn command(&self, command: PartitionCommand, attempt: Option<&Attempt>) -> Reply {
        if self.engine.is_draining() {
            return Err(SubmitError::Draining);
        }
        let bundle = command.names();
        let bundles = Arc::clone(&self.registry.bundles);
        let judging = async {
            let judged = self.registry.partition_turn(|turn| {
                let request = PartitionRequest::new(command, attempt, &turn.key());
                turn.judge(&request)
            });
            let judgement = judged.await?.open().await?;
            // Whoever asks again gets the answer that there is: a part that cannot be told for long must not keep a
            // provider from hearing that its report is recorded.
            let accepted = judgement.outcome.as_ref().is_ok_and(|answer| matches!(answer.origin, Origin::Accepted(_)));
            if let Some(bundle) = bundle.filter(|_| accepted) {
                bundles.followed(bundle).await?;
            }
            Ok(judgement)
        };
        let within = self.registry.timeouts.answer_within;
        tokio::time::timeout(within, judging).await.unwrap_or(Err(SubmitError::OutcomeUnknown))
    }

    /// Reads, behind the same gate as the answers.
    ///
    /// # Errors
    /// [`SubmitError`]: no judgement.
    pub async fn query(&self, query: PartitionQuery) -> Reply {
        if self.engine.is_draining() {
            return Err(SubmitError::Draining);
        }
        let reading = async { self.registry.partition_turn(|turn| turn.read(&query)).await?.open().await };
        let within = self.registry.timeouts.answer_within;
        tokio::time::timeout(within, reading).await.unwrap_or(Err(SubmitError::OutcomeUnknown))
    }

    /// Takes note of a verified report that names an order never issued, once per report. It is listed
    /// ([`PartitionQuery::Unmatched`]) and moves no money.
    ///
    /// # Errors
    /// [`SubmitError`]: no judgement.
    pub async fn record_unmatched(&self, order: OrderId, report: PaymentReport) -> Reply {
        self.command(PartitionCommand::RecordUnmatched { order, report: Box::new(report) }, None).await
    }
}

impl Engine {
    /// Reserves every line or none. Judged like a command: the refusal names every line that is refused
    /// ([`domain::rejection::Rejection::BundleUnavailable`]), and the same key gets the first answer again.
    ///
    /// # Errors
    /// [`SubmitError`]: no judgement; each variant says whether something may have happened.
    pub async fn reserve_bundle(&self, customer: &CustomerId, lines: &WantedLines, attempt: Option<&Attempt>) -> Reply {
        if self.is_draining() {
            return Err(SubmitError::Draining);
        }
        let partitions = &self.inner.partitions;
        let count = u16::try_from(partitions.len()).unwrap_or(u16::MAX);
        let home = partition_of_bundle(customer, attempt.map(|attempt| attempt.key.as_str()), count);
        let home = partitions.get(usize::from(home.0)).ok_or(SubmitError::NotOwner)?;
        let wish = Wish { customer: customer.clone(), lines: lines.clone(), attempt: attempt.cloned() };
        let reserving = collect::reserve(&home.bundles, partitions, home, wish);
        let within = home.timeouts.answer_within;
        tokio::time::timeout(within, reserving).await.unwrap_or(Err(SubmitError::OutcomeUnknown))
    }

    /// Where this bundle lives, if its partition is one of this engine's. Whether there is such a bundle, the
    /// partition says.
    #[must_use]
    pub fn bundle(&self, id: BundleId) -> Option<PartitionHandle> {
        self.partition(id.partition())
    }

    /// A partition's own stream.
    #[must_use]
    pub fn partition(&self, no: PartitionNo) -> Option<PartitionHandle> {
        let registry = self.inner.partitions.get(usize::from(no.0))?;
        Some(PartitionHandle { engine: self.clone(), registry: Arc::clone(registry) })
    }

    /// How many partitions there are: they are numbered from 0.
    #[must_use]
    pub fn partition_count(&self) -> usize {
        self.inner.partitions.len()
    }
}
