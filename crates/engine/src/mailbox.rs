//! An item's mailbox: three bounded lanes, taken in order of what matters most.
//!
//! What finishes a sale goes before new reservations, and these before reads: overload never starves what finishes a
//! sale, and polling never a sale. A full lane refuses at once; nothing has happened then.

use crate::commit::receipts::Stands;
use crate::limits::{FINISH_LANE, MAILBOXES_KEPT, READ_LANE, RESERVE_LANE, TURN_TAKES, TURN_TAKES_READS};
use crate::shell::{Ask, Asked, Reply, ReplyTo};
use domain::command::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

/// Where an answer goes: a caller that waits on a channel, and perhaps wants to know where its event stands.
#[derive(Debug)]
pub(crate) struct Caller {
    reply: oneshot::Sender<Reply>,
    receipt: Option<oneshot::Sender<Stands>>,
}

impl ReplyTo for Caller {
    fn is_gone(&self) -> bool {
        self.reply.is_closed()
    }
}

impl Caller {
    /// Somebody who waits for an answer.
    pub(crate) const fn new(reply: oneshot::Sender<Reply>) -> Self {
        Self { reply, receipt: None }
    }

    /// Somebody who wants a receipt too.
    pub(crate) const fn with_receipt(reply: oneshot::Sender<Reply>, receipt: oneshot::Sender<Stands>) -> Self {
        Self { reply, receipt: Some(receipt) }
    }

    pub(crate) const fn wants_receipt(&self) -> bool {
        self.receipt.is_some()
    }

    /// Tells where the event stands that the answer tells of. Before the answer.
    pub(crate) fn stands(&mut self, stands: Stands) {
        if let Some(receipt) = self.receipt.take() {
            let _gone = receipt.send(stands);
        }
    }

    /// Answers. A caller that has gone meanwhile is not missed.
    pub(crate) fn answer(self, reply: Reply) {
        let _gone = self.reply.send(reply);
    }
}

/// Which lane something goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    Finish,
    Reserve,
    Read,
}

impl Lane {
    pub(crate) const fn of(ask: &Ask) -> Self {
        match ask {
            Ask::Query(_) => Self::Read,
            Ask::Command(request) => match request.command {
                Command::Reserve { .. } | Command::Purchase { .. } | Command::HoldPart { .. } => Self::Reserve,
                Command::CreateItem(_)
                | Command::ReviseItem { .. }
                | Command::OpenSale
                | Command::PauseSale
                | Command::ResumeSale
                | Command::CloseSale
                | Command::AdjustStock { .. }
                | Command::CancelReservation(_)
                | Command::ExtendHold(_)
                | Command::PlaceOrder { .. }
                | Command::ConfirmOrder { .. }
                | Command::RecordPayment { .. }
                | Command::OfferPayment { .. }
                | Command::SettleRefund { .. }
                | Command::RefundOrder { .. }
                | Command::SettlePart { .. } => Self::Finish,
            },
        }
    }
}

/// The side that callers hold.
#[derive(Debug)]
pub(crate) struct Senders {
    finish: mpsc::Sender<Asked<Caller>>,
    reserve: mpsc::Sender<Asked<Caller>>,
    read: mpsc::Sender<Asked<Caller>>,
}

/// The side that the actor holds.
#[derive(Debug)]
pub(crate) struct Lanes {
    finish: mpsc::Receiver<Asked<Caller>>,
    reserve: mpsc::Receiver<Asked<Caller>>,
    read: mpsc::Receiver<Asked<Caller>>,
}

/// Mailboxes of items that rest, kept for those that wake: making one takes as long as a turn.
#[derive(Debug, Default)]
pub(crate) struct Mailboxes(Mutex<Vec<(Senders, Lanes)>>);

impl Mailboxes {
    fn kept(&self) -> MutexGuard<'_, Vec<(Senders, Lanes)>> {
        // Pushed and popped whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An empty one.
    pub(crate) fn take(&self) -> (Senders, Lanes) {
        let kept = self.kept().pop();
        kept.unwrap_or_else(mailbox)
    }

    /// Takes one back, which must be empty and in nobody's hands any more.
    pub(crate) fn give_back(&self, senders: Senders, lanes: Lanes) {
        let mut kept = self.kept();
        if kept.len() < MAILBOXES_KEPT && lanes.is_empty() {
            kept.push((senders, lanes));
        }
    }
}

fn mailbox() -> (Senders, Lanes) {
    let (finish, finish_lane) = mpsc::channel(FINISH_LANE);
    let (reserve, reserve_lane) = mpsc::channel(RESERVE_LANE);
    let (read, read_lane) = mpsc::channel(READ_LANE);
    (Senders { finish, reserve, read }, Lanes { finish: finish_lane, reserve: reserve_lane, read: read_lane })
}

/// Why something was not taken.
pub(crate) enum NotTaken {
    /// The lane is full.
    Full,
    /// The actor has gone.
    Closed,
}

impl Senders {
    pub(crate) fn send(&self, asked: Asked<Caller>) -> Result<(), NotTaken> {
        let lane = match Lane::of(&asked.ask) {
            Lane::Finish => &self.finish,
            Lane::Reserve => &self.reserve,
            Lane::Read => &self.read,
        };
        lane.try_send(asked).map_err(|error| match error {
            TrySendError::Full(_) => NotTaken::Full,
            TrySendError::Closed(_) => NotTaken::Closed,
        })
    }
}

impl Lanes {
    /// Waits for something to be asked; `None` never comes while a slot holds the senders.
    pub(crate) async fn first(&mut self) -> Option<Asked<Caller>> {
        tokio::select! {
            biased;
            asked = self.finish.recv() => asked,
            asked = self.reserve.recv() => asked,
            asked = self.read.recv() => asked,
        }
    }

    /// Adds what is there, as much as a turn takes of each lane, in the order of the lanes.
    pub(crate) fn drain(&mut self, asked: &mut Vec<Asked<Caller>>) {
        let lanes =
            [(&mut self.finish, TURN_TAKES), (&mut self.reserve, TURN_TAKES), (&mut self.read, TURN_TAKES_READS)];
        for (lane, takes) in lanes {
            for _ in 0..takes {
                match lane.try_recv() {
                    Ok(one) => asked.push(one),
                    Err(_) => break,
                }
            }
        }
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.finish.is_empty() && self.reserve.is_empty() && self.read.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::MonoTime;
    use domain::turn::Query;
    use std::time::Duration;

    #[tokio::test]
    async fn a_mailbox_that_is_given_back_is_used_again_unless_something_lies_in_it() {
        let mailboxes = Mailboxes::default();
        let (senders, lanes) = mailboxes.take();
        let (reply, _answer) = oneshot::channel();
        let asked =
            Asked { ask: Ask::Query(Query::Item), judge_before: MonoTime(Duration::ZERO), reply: Caller::new(reply) };
        assert!(senders.send(asked).is_ok());
        mailboxes.give_back(senders, lanes);
        assert_eq!(mailboxes.kept().len(), 0);
        let (senders, lanes) = mailboxes.take();
        mailboxes.give_back(senders, lanes);
        assert_eq!(mailboxes.kept().len(), 1);
        let (_senders, lanes) = mailboxes.take();
        assert!(mailboxes.kept().is_empty() && lanes.is_empty());
    }
}
