//! Reports of providers on their way to the order they name, whatever that is the order of.

use crate::error::SubmitError;
use crate::handle::Engine;
use domain::command::Command;
use domain::identity::{OrderId, OrderOf};
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
        match order.owner() {
            OrderOf::Reservation(id) => {
                let Some(item) = self.item(id.item()).filter(|item| item.is_genuine(id)) else {
                    return self.unmatched(order, report).await;
                };
                let reservation = id.ordinal();
                let command = Command::RecordPayment { reservation, report: Box::new(report.clone()) };
                let judgement = item.command(command, None).await?;
                match judgement.outcome {
                    Err(Rejection::NotFound) => self.unmatched(order, report).await,
                    Ok(_) | Err(_) => Ok(Reported::Judged(judgement)),
                }
            }
            OrderOf::Bundle(_) => self.unmatched(order, report).await,
        }
    }

    async fn unmatched(&self, _: OrderId, _: PaymentReport) -> Result<Reported, SubmitError> {
        Ok(Reported::Unmatched)
    }
}
