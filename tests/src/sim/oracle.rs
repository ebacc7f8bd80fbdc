//! What callers were told, and whether it can all be true.

use super::clients::Op;
use super::ledger::Ledger;
use super::marks::{Marks, of_rejection};
use domain::ids::{ItemNo, Ordinal, Seq};
use domain::rejection::Rejection;
use domain::time::Timestamp;
use domain::views::{Answer, Body, Judgement, Origin, ReservationView, StateView};
use std::collections::{BTreeMap, HashMap};

/// What has been told so far.
#[derive(Debug, Default)]
pub(super) struct Oracle {
    /// The latest place in each item's log that somebody has been told of.
    floor: BTreeMap<ItemNo, Seq>,
    /// The newest reservation of each item that somebody has been told of.
    newest: BTreeMap<ItemNo, Ordinal>,
    /// Places in line: the last told, and as of when.
    positions: HashMap<(ItemNo, u32), (Seq, u32)>,
    /// Until when a hold was promised.
    promised: HashMap<(ItemNo, u32), Timestamp>,
    /// Holds that the process found when it started, and before when none of them may end.
    found: HashMap<(ItemNo, u32), Timestamp>,
}

/// What was known when a request was sent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Known {
    floor: Seq,
    newest: Option<Ordinal>,
}

fn check(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

impl Oracle {
    /// What somebody who sends a request now may rely on.
    #[must_use]
    pub(super) fn known(&self, item: ItemNo) -> Known {
        Known { floor: self.floor.get(&item).copied().unwrap_or_default(), newest: self.newest.get(&item).copied() }
    }

    /// The gate: an answer leaves only behind everything that it was computed from.
    ///
    /// # Errors
    /// In words.
    pub(super) fn leaves(&self, item: ItemNo, judgement: &Judgement, ledger: &Ledger) -> Result<(), String> {
        let durable = ledger.book(item).map_or(Seq(0), |book| book.seq);
        check(judgement.sequence <= durable, || {
            format!("invariant 32: an answer as of {} left when {durable} was durable", judgement.sequence)
        })
    }

    /// The published view as somebody looks at it.
    ///
    /// # Errors
    /// In words.
    pub(super) fn looked(&mut self, item: ItemNo, published: Seq, ledger: &Ledger) -> Result<(), String> {
        let floor = self.known(item).floor;
        check(published >= floor, || format!("the view is at {published}, and {floor} was told of before"))?;
        let durable = ledger.book(item).map_or(Seq(0), |book| book.seq);
        check(published <= durable, || format!("the view is at {published}, and {durable} is durable"))?;
        self.floor.insert(item, published);
        Ok(())
    }

    /// An answer has arrived.
    ///
    /// # Errors
    /// In words, what cannot be true.
    pub(super) fn told(&mut self, op: &mut Op, known: Known, told: Judgement, marks: &mut Marks) -> Result<(), String> {
        let item = op.item;
        check(told.sequence >= known.floor, || {
            format!("an answer as of {}, and {} was known when it was asked for", told.sequence, known.floor)
        })?;
        let floor = self.floor.entry(item).or_default();
        *floor = (*floor).max(told.sequence);
        match told.outcome {
            Ok(answer) => self.accepted(op, known, answer, marks),
            Err(rejection) => refused(op, &rejection, marks),
        }
    }

    fn accepted(&mut self, op: &mut Op, known: Known, answer: Answer, marks: &mut Marks) -> Result<(), String> {
        if op.other_content {
            return Err("invariant 30: a key was accepted with other content".to_owned());
        }
        if let Body::Reservation(view) = &answer.body {
            self.reservation(op.item, view)?;
        }
        if op.key.is_none() {
            op.ended = true;
            op.accepted = Some(answer.body);
            return Ok(());
        }
        match (&op.accepted, answer.origin) {
            (Some(before), Origin::Accepted(_) | Origin::Replayed) => {
                marks.hit("client: told again under its key");
                check(*before == answer.body, || {
                    format!("invariant 29: two answers under one key, {before:?} and {:?}", answer.body)
                })?;
            }
            (None, Origin::Accepted(_)) => {
                if let (Body::Reservation(view), true) = (&answer.body, op.makes_one) {
                    let ordinal = view.id.ordinal();
                    check(known.newest.is_none_or(|newest| ordinal > newest), || {
                        format!("invariant 17: {} came behind one sent after it was told of", ordinal.0)
                    })?;
                }
            }
            (_, Origin::AsItIs) | (None, Origin::Replayed) => {}
        }
        if let Body::Reservation(view) = &answer.body {
            let newest = self.newest.entry(op.item).or_insert(view.id.ordinal());
            *newest = (*newest).max(view.id.ordinal());
        }
        op.ended = true;
        if answer.origin != Origin::AsItIs {
            op.accepted = Some(answer.body);
        }
        Ok(())
    }

    fn reservation(&mut self, item: ItemNo, view: &ReservationView) -> Result<(), String> {
        let name = (item, view.id.ordinal().0);
        match view.state {
            StateView::Waiting { position, .. } => {
                let (seq, before) = *self.positions.entry(name).or_insert((view.sequence, position));
                let grew = (view.sequence >= seq && position > before) || (view.sequence <= seq && position < before);
                check(!grew, || format!("invariant 16: place {before} at {seq}, {position} at {}", view.sequence))?;
                if view.sequence > seq {
                    self.positions.insert(name, (view.sequence, position));
                }
            }
            StateView::Held { expires_at } => {
                let promised = self.promised.entry(name).or_insert(expires_at);
                *promised = (*promised).max(expires_at);
            }
            StateView::HeldInBundle
            | StateView::Confirmed
            | StateView::Cancelled
            | StateView::Expired
            | StateView::Lapsed(_) => {}
        }
        Ok(())
    }

    /// The process has started: none of these holds may end before the floor.
    pub(super) fn restarted(&mut self, held: impl Iterator<Item = (ItemNo, Ordinal)>, floor: Timestamp) {
        self.found = held.map(|(item, reservation)| ((item, reservation.0), floor)).collect();
    }

    /// A hold has expired.
    ///
    /// # Errors
    /// In words, if its customer was promised more, or had no time left after a restart.
    pub(super) fn expired(&self, item: ItemNo, reservation: Ordinal, at: Timestamp) -> Result<(), String> {
        let name = (item, reservation.0);
        let promised = self.promised.get(&name).copied().unwrap_or_default();
        check(at >= promised, || format!("expired at {at:?}, and its customer was told {promised:?}"))?;
        let floor = self.found.get(&name).copied().unwrap_or_default();
        check(at >= floor, || format!("rule 4: expired at {at:?} after a restart, and not before {floor:?}"))
    }
}

fn refused(op: &mut Op, rejection: &Rejection, marks: &mut Marks) -> Result<(), String> {
    marks.hit(of_rejection(rejection));
    if op.other_content {
        marks.hit("client: key with other content");
        op.ended = true;
        return Ok(());
    }
    if let (Some(before), Some(_)) = (&op.accepted, op.key) {
        return Err(format!("invariant 29: {rejection:?} under a key that was answered {before:?}"));
    }
    op.ended = true;
    Ok(())
}
