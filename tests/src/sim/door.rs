//! The door: what becomes of a request when it arrives, and when the process has made up its mind about it.

use super::clients::Op;
use super::server::{Caller, What, asked};
use super::world::{Call, World};
use domain::command::{Command, Request};
use domain::ids::ItemNo;
use domain::views::Judgement;
use engine::SubmitError;
use engine::shell::Reply;
use std::rc::Rc;

/// As the engine's usual timeout, in microseconds.
const JUDGE_WITHIN_US: u64 = 2_000_000;

impl World {
    /// A sending arrives.
    pub(super) fn arrive(&mut self, call: usize) -> Result<(), String> {
        let Call { op, gone, .. } = self.call(call);
        let (op, gone) = (*op, Rc::clone(gone));
        let Op { what, item, .. } = self.op(op).clone();
        let Some(server) = &mut self.server else {
            self.marks.hit("door: process down");
            self.reply(call, Err(SubmitError::Draining));
            return Ok(());
        };
        if self.dice.chance(20) {
            // Somebody looks at the page, without disturbing anybody.
            let published = server.seats.get(&item).map(|seat| seat.published.sequence).unwrap_or_default();
            self.oracle.looked(item, published, &self.ledger)?;
        }
        let wish = server.wish(item, &what);
        if let Some(refused) = wish.and_then(|wish| server.refuses(item, &wish, self.at_us)) {
            return self.refused_unasked(call, refused, &what);
        }
        let asked = asked(&what, self.at_us, JUDGE_WITHIN_US, Caller { call, gone });
        match server.accept(item, asked, self.plan.mailbox) {
            Ok(()) => {
                self.op(op).open += 1;
                self.call(call).unanswered = wish;
                let late = if self.dice.chance(self.plan.process.late_tick) { 3_000_000 } else { 1_000 };
                let wait = self.dice.below(late);
                self.wake(item, self.at_us + wait);
            }
            Err(caller) => {
                self.marks.hit("door: mailbox full");
                self.reply(caller.call, Err(SubmitError::Overloaded));
            }
        }
        Ok(())
    }

    /// A newcomer is refused by what is published: by what is durable, and only what the item would say too.
    fn refused_unasked(&mut self, call: usize, refused: Judgement, what: &What) -> Result<(), String> {
        let number = self.call(call).op;
        let item = self.op(number).item;
        self.marks.hit("door: newcomer refused");
        self.oracle.leaves(item, &refused, &self.ledger)?;
        let now = self.server.as_ref().ok_or("the process is down")?.now(self.at_us);
        if let What::Command(Request { command: Command::Reserve { customer, quantity, .. }, .. }) = what {
            let book = self.ledger.book(item).ok_or("an item without a book")?;
            book.may_refuse_unasked(customer, quantity.get(), now)?;
        }
        self.reply(call, Ok(refused));
        Ok(())
    }

    /// The process has made up its mind, whoever hears of it.
    pub(super) fn judged(&mut self, call: usize, reply: &Reply) -> Result<(), String> {
        let number = self.call(call).op;
        if reply.as_ref().map_or_else(|error| error.nothing_happened(), |_| true) {
            self.call(call).unanswered = None;
        } else {
            self.leaves(call);
        }
        let op = self.ops.get_mut(number).expect("a number that was given out");
        match reply {
            Ok(judgement) => {
                self.oracle.leaves(op.item, judgement, &self.ledger)?;
                op.open = op.open.saturating_sub(1);
                op.effective |= judgement.outcome.is_ok();
            }
            Err(error) => {
                if matches!(error, SubmitError::Late) {
                    self.marks.hit("door: late, dropped");
                }
                if error.nothing_happened() {
                    op.open = op.open.saturating_sub(1);
                }
            }
        }
        Ok(())
    }

    /// An effect is durable, and nobody has been told that nothing happened and nothing else.
    pub(super) fn is_open(&self, item: ItemNo, key: u128) -> Result<(), String> {
        let open = |op: &Op| op.item == item && op.key == Some(key) && op.open > 0;
        let is = self.ops.iter().any(open);
        if is { Ok(()) } else { Err("an effect of a request of which it was told that nothing happened".to_owned()) }
    }

    /// Whoever asked for units hears nothing of them any more.
    pub(super) fn leaves(&mut self, call: usize) {
        let Some(wish) = self.call(call).unanswered.take() else { return };
        let number = self.call(call).op;
        let item = self.op(number).item;
        if let Some(server) = &self.server {
            server.leaves(item, &wish);
        }
    }
}
