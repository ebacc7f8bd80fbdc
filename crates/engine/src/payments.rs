//! Reports of providers on their way to the order they name, whatever that is the order of.

use crate::error::SubmitError;
use crate::handle::Engine;
use domain::command::Command;
use domain::identity::{OrderId, OrderOf};
use domain::partition::PartitionCommand;
use domain::payment::PaymentReport;
use domain::rejection::Rejection;
use domain::views::Judgement;

/// What became of a report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reported {
    /// The order it names judged it.
    Judged(Judgement),
    /// It names an order that was never issued. It is recorded for operators, and no money moves.
    Unmatched,
}

impl Engine {
    /// Hands a verified report to the order it names.
    ///
    /// # Errors
    /// [`SubmitError`]: no judgement. A provider sends it again, and a report that is known changes nothing.
    pub async fn report(&self, order: OrderId, report: PaymentReport) -> Result<Reported, SubmitError> {
        let judged = match order.owner() {
            OrderOf::Reservation(id) => match self.item(id.item()).filter(|item| item.is_genuine(id)) {
                Some(item) => {
                    let (reservation, report) = (id.ordinal(), Box::new(report.clone()));
                    Some(item.command(Command::RecordPayment { reservation, report }, None).await?)
                }
                None => None,
            },
            OrderOf::Bundle(bundle) => match self.bundle(bundle) {
                Some(partition) => {
                    let report = Box::new(report.clone());
                    Some(partition.command(PartitionCommand::RecordPayment { bundle, report }, None).await?)
                }
                None => None,
            },
        };
        match judged {
            Some(judgement) if judgement.outcome != Err(Rejection::NotFound) => Ok(Reported::Judged(judgement)),
            Some(_) | None => self.unmatched(order, report).await,
        }
    }

    /// Written down in the partition that the order's id names, or in the first where there is no such one.
    async fn unmatched(&self, order: OrderId, report: PaymentReport) -> Result<Reported, SubmitError> {
        let named = order.reservation().item().partition();
        let partition = self.partition(named).or_else(|| self.partition(domain::ids::PartitionNo(0)));
        let partition = partition.ok_or(SubmitError::NotOwner)?;
        let judgement = partition.record_unmatched(order, report).await?;
        // What could not be written down is not taken: its provider has to hear so.
        Ok(if judgement.outcome.is_ok() { Reported::Unmatched } else { Reported::Judged(judgement) })
    }
}
