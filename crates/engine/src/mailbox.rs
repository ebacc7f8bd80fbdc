//! An item's mailbox: three bounded lanes, taken in order of what matters most.
//!
//! What finishes a sale goes before new reservations, and these before reads: overload never starves what finishes a
//! sale, and polling never a sale. A full lane refuses at once; nothing has happened then.
//!
//! All of them come by one channel and are sorted when they are taken out: among a thousand items a channel's memory is
//! nowhere near the processor when it is looked at, and three of them took that time three times.

use crate::commit::receipts::Stands;
use crate::limits::{FINISH_LANE, LANE_KEPT, MAILBOXES_KEPT, READ_LANE, RESERVE_LANE, TURN_TAKES, TURN_TAKES_READS};
use crate::shell::{Ask, Asked, Reply, ReplyTo};
use domain::command::Command;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
    /// What goes first comes first.
    const ALL: [Self; 3] = [Self::Finish, Self::Reserve, Self::Read];

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

/// How many a lane holds at most.
const fn room(lane: Lane) -> usize {
    match lane {
        Lane::Finish => FINISH_LANE,
        Lane::Reserve => RESERVE_LANE,
        Lane::Read => READ_LANE,
    }
}

/// How many a turn takes of a lane at most.
const fn takes(lane: Lane) -> usize {
    match lane {
        Lane::Finish | Lane::Reserve => TURN_TAKES,
        Lane::Read => TURN_TAKES_READS,
    }
}

/// How many wait in each lane, taken out of the channel or not.
#[derive(Debug, Default)]
struct Waiting([AtomicUsize; Lane::ALL.len()]);

impl Waiting {
    fn of(&self, lane: Lane) -> &AtomicUsize {
        let [finish, reserve, read] = &self.0;
        match lane {
            Lane::Finish => finish,
            Lane::Reserve => reserve,
            Lane::Read => read,
        }
    }

    /// A place in a lane, if it has one left.
    fn enter(&self, lane: Lane) -> bool {
        let has_room = self.of(lane).fetch_add(1, Ordering::Relaxed) < room(lane);
        if !has_room {
            self.leave(lane, 1);
        }
        has_room
    }

    fn leave(&self, lane: Lane, count: usize) {
        self.of(lane).fetch_sub(count, Ordering::Relaxed);
    }
}

/// The side that callers hold.
#[derive(Debug)]
pub(crate) struct Senders {
    channel: mpsc::Sender<Asked<Caller>>,
    waiting: Arc<Waiting>,
}

/// The side that the actor holds.
#[derive(Debug)]
pub(crate) struct Lanes {
    channel: mpsc::Receiver<Asked<Caller>>,
    waiting: Arc<Waiting>,
    /// What was taken out of the channel, in the order of [`Lane::ALL`].
    lanes: [VecDeque<Asked<Caller>>; Lane::ALL.len()],
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
    pub(crate) fn give_back(&self, senders: Senders, mut lanes: Lanes) {
        lanes.shrink();
        let mut kept = self.kept();
        if kept.len() < MAILBOXES_KEPT && lanes.is_empty() {
            kept.push((senders, lanes));
        }
    }
}

fn mailbox() -> (Senders, Lanes) {
    // Room for all that the lanes let in.
    let (sender, channel) = mpsc::channel(FINISH_LANE + RESERVE_LANE + READ_LANE);
    let waiting = Arc::<Waiting>::default();
    let senders = Senders { channel: sender, waiting: Arc::clone(&waiting) };
    (senders, Lanes { channel, waiting, lanes: Default::default() })
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
        let lane = Lane::of(&asked.ask);
        if !self.waiting.enter(lane) {
            return Err(NotTaken::Full);
        }
        self.channel.try_send(asked).map_err(|error| {
            self.waiting.leave(lane, 1);
            match error {
                TrySendError::Full(_) => NotTaken::Full,
                TrySendError::Closed(_) => NotTaken::Closed,
            }
        })
    }
}

impl Lanes {
    /// Waits until something is asked; it never ends while a slot holds the senders and nothing is.
    pub(crate) async fn some(&mut self) {
        if self.lanes.iter().all(VecDeque::is_empty)
            && let Some(asked) = self.channel.recv().await
        {
            self.sort(asked);
        }
    }

    fn sort(&mut self, asked: Asked<Caller>) {
        let [finish, reserve, read] = &mut self.lanes;
        match Lane::of(&asked.ask) {
            Lane::Finish => finish.push_back(asked),
            Lane::Reserve => reserve.push_back(asked),
            Lane::Read => read.push_back(asked),
        }
    }

    /// What is there, as much as a turn takes of each lane, in the order of the lanes.
    pub(crate) fn drain(&mut self) -> Vec<Asked<Caller>> {
        while let Ok(asked) = self.channel.try_recv() {
            self.sort(asked);
        }
        let mut taken = Vec::new();
        for (lane, waiting) in Lane::ALL.into_iter().zip(&mut self.lanes) {
            let count = waiting.len().min(takes(lane));
            if count > 0 {
                taken.extend(waiting.drain(..count));
                self.waiting.leave(lane, count);
            }
        }
        taken
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.channel.is_empty() && self.lanes.iter().all(VecDeque::is_empty)
    }

    /// Gives back the memory of a rush.
    fn shrink(&mut self) {
        self.lanes.iter_mut().for_each(|lane| lane.shrink_to(LANE_KEPT));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::MonoTime;
    use domain::command::{Request, WaitlistChoice};
    use domain::text::CustomerId;
    use domain::turn::Query;
    use domain::units::Quantity;
    use std::time::Duration;

    fn asked(ask: Ask) -> Asked<Caller> {
        Asked { ask, judge_before: MonoTime(Duration::ZERO), reply: Caller::new(oneshot::channel().0) }
    }

    fn read() -> Ask {
        Ask::Query(Query::Item)
    }

    fn command(command: Command) -> Ask {
        Ask::Command(Box::new(Request::from(command)))
    }

    fn reserve() -> Ask {
        let customer = CustomerId::parse("c").expect("a customer");
        command(Command::Reserve { customer, quantity: Quantity::ONE, waitlist: WaitlistChoice::Join })
    }

    #[tokio::test]
    async fn what_finishes_a_sale_goes_first_and_reads_go_last_whenever_they_came() {
        let (senders, mut lanes) = mailbox();
        for ask in [read(), reserve(), command(Command::OpenSale), reserve(), read()] {
            assert!(senders.send(asked(ask)).is_ok());
        }
        lanes.some().await;
        let order: Vec<Lane> = lanes.drain().iter().map(|asked| Lane::of(&asked.ask)).collect();
        assert_eq!(order, [Lane::Finish, Lane::Reserve, Lane::Reserve, Lane::Read, Lane::Read]);
        assert!(lanes.is_empty());
    }

    #[tokio::test]
    async fn a_full_lane_refuses_and_the_others_do_not_and_a_turn_makes_room_again() {
        let (senders, mut lanes) = mailbox();
        assert!((0..READ_LANE).all(|_| senders.send(asked(read())).is_ok()));
        assert!(matches!(senders.send(asked(read())), Err(NotTaken::Full)));
        assert!(senders.send(asked(reserve())).is_ok() && senders.send(asked(command(Command::OpenSale))).is_ok());
        assert_eq!(lanes.drain().len(), TURN_TAKES_READS + 2);
        assert!((0..TURN_TAKES_READS).all(|_| senders.send(asked(read())).is_ok()));
        assert!(matches!(senders.send(asked(read())), Err(NotTaken::Full)));
        // What a turn did not take is there for the next one, without anybody asking.
        lanes.some().await;
        assert_eq!(lanes.drain().len(), TURN_TAKES_READS);
        drop(lanes);
        assert!(matches!(senders.send(asked(reserve())), Err(NotTaken::Closed)));
    }

    #[tokio::test]
    async fn a_mailbox_that_is_given_back_is_used_again_unless_something_lies_in_it() {
        let mailboxes = Mailboxes::default();
        let (senders, lanes) = mailboxes.take();
        assert!(senders.send(asked(read())).is_ok());
        mailboxes.give_back(senders, lanes);
        assert_eq!(mailboxes.kept().len(), 0);
        let (senders, lanes) = mailboxes.take();
        mailboxes.give_back(senders, lanes);
        assert_eq!(mailboxes.kept().len(), 1);
        let (_senders, lanes) = mailboxes.take();
        assert!(mailboxes.kept().is_empty() && lanes.is_empty());
    }
}
