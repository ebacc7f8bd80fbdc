//! The real core as the engine's shell runs it: turns, their events as bytes, and what is read back from these.

use domain::command::Request;
use domain::event::{Event, Recorded};
use domain::idempotency::{Attempt, IdempotencyKey};
use domain::identity::ItemKey;
use domain::ids::{CaptureNo, ItemNo, Ordinal, Seq};
use domain::item::Item;
use domain::payment::MoneyPlace;
use domain::rejection::Rejection;
use domain::time::{DurationMs, Timestamp};
use domain::turn::Turn;
use domain::views::{Answer, Body, CaptureFilter, Judgement, Origin};
use eventlog::{EncodedEvent, RawEvent, StreamEvent, decode_event, decode_item, encode_item, encode_item_event};
use proptest_state_machine::StateMachineTest;
use std::collections::BTreeMap;

use crate::book::{Book, Key};
use crate::choose::Asked;
use crate::coverage;
use crate::machine::{Machine, Resume};
use crate::plan::Step;
use crate::time::Answered;
use crate::told::{CaptureTold, ItemTold, OrderTold, ReservationTold, Told};

/// How often a snapshot is taken, and every ended reservation compared again, in steps.
const LOOK_AROUND: usize = 16;

pub(crate) struct Shop {
    item: Item,
    log: Vec<EncodedEvent>,
    /// A snapshot, and how many events it holds.
    snapshot: Option<(Vec<u8>, usize)>,
    steps: usize,
}

fn key() -> ItemKey {
    ItemKey::from_bytes([3; 32])
}

fn no() -> ItemNo {
    ItemNo::from_u32(1)
}

fn decoded(event: &EncodedEvent) -> Recorded {
    let raw = RawEvent::parse(event.bytes()).expect("an event as it was encoded");
    match decode_event(&raw).expect("an event as it was encoded") {
        StreamEvent::Item(recorded) => recorded,
        StreamEvent::Partition(other) => panic!("no partition's event was written: {other:?}"),
    }
}

fn request(asked: &Asked) -> Option<Request> {
    let Asked::Command(command, attempt) = asked else { return None };
    let attempt = attempt.as_ref().map(|Key { caller, route, key }| Attempt {
        caller: caller.clone(),
        route: route.clone(),
        key: IdempotencyKey::parse(key).expect("a key"),
    });
    Some(Request::new(command.clone(), attempt.as_ref(), &key()))
}

/// What was accepted, without its place in the log: the clerk keeps none.
pub(crate) const ACCEPTED: Origin = Origin::Accepted(Seq(0));

/// What was heard, without places in the log.
fn heard(judgement: Judgement) -> Answered {
    match judgement.outcome {
        Ok(Answer { body, origin: Origin::Replayed }) => Ok((Told::heard(&body).given_again(), Origin::Replayed)),
        Ok(Answer { body, origin: Origin::Accepted(_) }) => Ok((Told::heard(&body), ACCEPTED)),
        Ok(Answer { body, origin: Origin::AsItIs }) => Ok((Told::heard(&body), Origin::AsItIs)),
        Err(Rejection::IdempotencyKeyReused { .. }) => Err(Rejection::IdempotencyKeyReused { accepted: Seq(0) }),
        Err(rejection) => Err(rejection),
    }
}

impl Shop {
    fn new(machine: &Machine) -> Self {
        let event = Event::ItemCreated { spec: Box::new(machine.spec.clone()), key: key() };
        let first = Recorded { seq: Seq(1), at: Timestamp::default(), idempotency: None, event };
        let item = Item::begin(no(), &first).expect("a first event");
        Self { item, log: vec![encode_item_event(no(), &first)], snapshot: None, steps: 0 }
    }

    fn folded(&self) -> Item {
        let (first, rest) = self.log.split_first().expect("its first event");
        let mut item = Item::begin(no(), &decoded(first)).expect("a first event");
        rest.iter().for_each(|event| item.apply(&decoded(event)));
        item
    }

    fn snapshot_and_tail(&self) -> Option<Item> {
        let (bytes, events) = self.snapshot.as_ref()?;
        let parts = decode_item(bytes).expect("a snapshot as it was encoded");
        let mut item = Item::from_parts(parts).expect("a snapshot agrees with itself");
        self.log[*events..].iter().for_each(|event| item.apply(&decoded(event)));
        Some(item)
    }

    /// The process is gone; what was written is all there is.
    fn comes_back(&mut self, snapshot: bool) {
        let folded = self.folded();
        self.item = match self.snapshot_and_tail().filter(|_| snapshot) {
            Some(item) => {
                coverage::saw("restart from a snapshot and a tail");
                assert_eq!(item.to_parts(), folded.to_parts(), "invariant 37: snapshot and tail, against the fold");
                item
            }
            None => folded,
        };
    }

    fn turns(&mut self, machine: &Machine) {
        let turned = &machine.last;
        let now = Timestamp::from_millis(turned.clock);
        if let Some(resume) = turned.resume {
            self.comes_back(resume.snapshot);
        }
        let mut turn = match turned.resume {
            Some(Resume { at, grace, .. }) => {
                let (at, grace) = (Timestamp::from_millis(at), DurationMs::from_millis(grace));
                Turn::begin_after_restart(&mut self.item, now, at, grace)
            }
            None => Turn::begin(&mut self.item, now),
        };
        for (asked, expected) in &turned.heard {
            let judgement = match (asked, request(asked)) {
                (Asked::Query(query), _) => turn.read(query),
                (_, request) => turn.judge(&request.expect("a command")),
            };
            let heard = heard(judgement);
            assert_eq!(&heard, expected, "the item (left) and the books (right) on {asked:?} at {now}");
            coverage::saw_answer(&heard);
        }
        let end = turn.end();
        end.recorded.iter().for_each(|recorded| coverage::saw_event(&recorded.event));
        if turned.dies {
            coverage::saw("a turn that was lost");
            return;
        }
        let backlog = machine.book.has_backlog();
        assert!(end.backlog || !backlog, "the books have a backlog, the item has not");
        if backlog {
            coverage::saw("a backlog");
        }
        self.log.extend(end.recorded.iter().map(|recorded| encode_item_event(no(), recorded)));
    }

    fn agrees_with(&self, book: &Book) {
        assert_eq!(ItemTold::heard(&self.item.view()), book.item(), "the item (left) and the books (right)");
        let looks_around = self.steps.is_multiple_of(LOOK_AROUND);
        assert_eq!(self.item.reservation_count() as usize, book.reservations.len(), "reservations");
        for (no, one) in book.reservations.iter().enumerate() {
            if looks_around || one.is_live() || no + 4 > book.reservations.len() {
                self.agrees_on(book, no);
            }
        }
        self.agrees_on_money(book);
        let first = book.timers().into_iter().min();
        let wake = self.item.next_wake().map(Timestamp::as_millis);
        let wakes = first.is_none_or(|first| wake.is_some_and(|wake| wake <= first));
        assert!(wakes, "invariant 23: something ends at {first:?}, the item wakes at {wake:?}");
        if looks_around {
            self.item.recount().expect("it adds up");
        }
    }

    fn agrees_on(&self, book: &Book, no: usize) {
        let ordinal = Ordinal(u32::try_from(no).expect("small"));
        let view = self.item.reservation_view(ordinal, book.at()).expect("it is there");
        assert_eq!(ReservationTold::heard(&view), book.reservation(no), "the item (left) and the books (right)");
        let order = self.item.order_view(ordinal, book.at());
        assert_eq!(order.as_ref().map(OrderTold::heard), book.order(no), "the item (left) and the books (right)");
    }

    /// Every capture is where the books have it, and the sums are those of the captures.
    fn agrees_on_money(&self, book: &Book) {
        let Body::Captures { page, .. } = self.item.captures(CaptureFilter::All, CaptureNo(0), usize::MAX) else {
            panic!("captures were asked for");
        };
        let told: Vec<CaptureTold> = page.iter().map(CaptureTold::heard).collect();
        let expected: Vec<CaptureTold> = (0..book.payments.len()).map(|no| book.capture(no)).collect();
        assert_eq!(told, expected, "the item (left) and the books (right)");
        let mut sums = BTreeMap::new();
        for payment in &book.payments {
            let [captured, parked, kept, due, refunded] =
                sums.entry(payment.capture.amount.currency).or_insert([0u128; 5]);
            let minor = u128::from(payment.capture.amount.minor);
            *captured += minor;
            *match payment.place {
                MoneyPlace::Parked { .. } => parked,
                MoneyPlace::Kept => kept,
                MoneyPlace::Due { .. } => due,
                MoneyPlace::Refunded { .. } => refunded,
            } += minor;
        }
        let of_item = self.item.money();
        let of_item: Vec<_> =
            of_item.map(|(currency, s)| (currency, [s.captured, s.parked, s.kept, s.due, s.refunded])).collect();
        assert_eq!(of_item, sums.into_iter().collect::<Vec<_>>(), "invariant 27: sums of money");
    }
}

impl StateMachineTest for Shop {
    type SystemUnderTest = Self;
    type Reference = Machine;

    fn init_test(machine: &Machine) -> Self {
        Self::new(machine)
    }

    fn apply(mut shop: Self, machine: &Machine, _: Step) -> Self {
        shop.steps += 1;
        shop.turns(machine);
        if !machine.down {
            shop.agrees_with(&machine.book);
            if shop.steps.is_multiple_of(LOOK_AROUND) {
                shop.snapshot = Some((encode_item(&shop.item.to_parts()), shop.log.len()));
            }
        }
        shop
    }

    fn teardown(mut shop: Self, machine: Machine) {
        if !machine.down {
            shop.steps = 0;
            shop.agrees_with(&machine.book);
            assert_eq!(shop.folded().to_parts(), shop.item.to_parts(), "invariant 36: the fold of what was written");
        }
    }
}
