//! Turns of one item, each with one command.

use super::item::{attempt, claim, created, customer, item_after, keyed, open_item, turn, wish, wishes};
use super::{Prepared, USUAL};
use domain::command::{Command, Request, WaitlistChoice};
use domain::event::{Event, Recorded};
use domain::idempotency::{Fingerprint, Idempotency};
use domain::identity::ItemKey;
use domain::ids::{ItemNo, Ordinal, Seq};
use domain::item::Item;
use domain::rejection::Rejection;
use domain::text::PaymentId;
use domain::time::{DurationMs, Timestamp};
use domain::turn::Turn;
use domain::units::{Quantity, Units};
use domain::views::Origin;
use std::hint::black_box;

/// When everything happens that does not wait for time.
const AT: Timestamp = Timestamp::from_millis(1_767_225_600_000);

/// Between two holds that are to expire one by one.
const BETWEEN_HOLDS: DurationMs = DurationMs::from_millis(10);

/// An odd number without a pattern: its multiples look like hashes, and no two of them are the same.
const SCATTERS: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;

/// Turns that must each be accepted and write `events`.
fn accepted(mut item: Item, requests: Vec<Request>, events: usize) -> Prepared {
    Box::new(move || {
        for request in &requests {
            let (judgement, end) = turn(&mut item, AT, black_box(request));
            assert!(judgement.outcome.is_ok() && end.recorded.len() == events, "{judgement:?}");
            black_box((judgement, end));
        }
    })
}

/// The hashes of a request, which are taken before its turn.
pub(super) fn hashed() -> Prepared {
    let key = ItemKey::from_bytes([7; 32]);
    let mut asked: Vec<_> = (0..USUAL).map(|number| (wish(number, WaitlistChoice::Join), attempt(number))).collect();
    Box::new(move || {
        for (command, attempt) in std::mem::take(&mut asked) {
            black_box(Request::new(command, Some(&attempt), &key));
        }
    })
}

/// Units are there.
pub(super) fn granted() -> Prepared {
    let item = item_after(10 * USUAL, 0..USUAL, AT);
    accepted(item, wishes(USUAL..2 * USUAL, WaitlistChoice::Join), 1)
}

/// No units are there, and so many wait.
pub(super) fn queued(line: u32, newcomers: u32) -> Prepared {
    let mut item = item_after(1, 0..1, AT);
    // Its history is folded, not judged, and its keys are not hashed: under callgrind that would take minutes.
    for number in 1..=line {
        let scattered = Fingerprint(u128::from(number).wrapping_mul(SCATTERS));
        let idempotency = Some(Idempotency { request: scattered, content: scattered });
        let event = Event::WaitlistJoined {
            reservation: Ordinal(number),
            customer: customer(number),
            quantity: Quantity::ONE,
            position: number,
            available: Units::ZERO,
        };
        item.apply(&Recorded { seq: item.seq().next(), at: AT, idempotency, event });
    }
    assert_eq!(item.waiting_count(), line);
    // One is judged beforehand: what only the first turn after a fold does is not asked here.
    let (first, _end) = turn(&mut item, AT, &keyed(line + 1, wish(line + 1, WaitlistChoice::Join)));
    assert!(first.outcome.is_ok());
    accepted(item, wishes(line + 2..line + 2 + newcomers, WaitlistChoice::Join), 1)
}

/// The same request again under the same key.
pub(super) fn repeated() -> Prepared {
    let mut item = item_after(10 * USUAL, 0..USUAL, AT);
    let requests = wishes(0..USUAL, WaitlistChoice::Join);
    Box::new(move || {
        for request in &requests {
            let (judgement, end) = turn(&mut item, AT, black_box(request));
            let replayed = judgement.outcome.as_ref().is_ok_and(|answer| answer.origin == Origin::Replayed);
            assert!(replayed && end.recorded.is_empty(), "{judgement:?}");
            black_box((judgement, end));
        }
    })
}

/// No units are there, and the customer will not wait.
pub(super) fn refused() -> Prepared {
    let mut item = item_after(1, 0..2, AT);
    let requests = wishes(2..2 + USUAL, WaitlistChoice::Decline);
    Box::new(move || {
        for request in &requests {
            let (judgement, end) = turn(&mut item, AT, black_box(request));
            assert!(matches!(judgement.outcome, Err(Rejection::SoldOut)), "{judgement:?}");
            black_box((judgement, end));
        }
    })
}

/// An order and then its payment: two turns.
pub(super) fn ordered_and_confirmed() -> Prepared {
    let mut item = item_after(10 * USUAL, 0..USUAL, AT);
    let requests: Vec<(Request, Request)> = (0..USUAL)
        .map(|number| {
            let payment = PaymentId::parse(&format!("payment-{number}")).expect("a payment's id");
            let order = Command::PlaceOrder { claim: claim(number), amount: None };
            let confirm = Command::ConfirmOrder { claim: claim(number), payment, amount: None };
            (keyed(USUAL + number, order), keyed(2 * USUAL + number, confirm))
        })
        .collect();
    Box::new(move || {
        for (order, confirm) in &requests {
            for request in [order, confirm] {
                let (judgement, end) = turn(&mut item, AT, black_box(request));
                assert!(judgement.outcome.is_ok() && end.recorded.len() == 1, "{judgement:?}");
                black_box((judgement, end));
            }
        }
    })
}

/// A hold is cancelled, and the first in line gets the unit.
pub(super) fn cancelled() -> Prepared {
    let item = item_after(USUAL, 0..2 * USUAL, AT);
    let cancel = |number| keyed(2 * USUAL + number, Command::CancelReservation(claim(number)));
    accepted(item, (0..USUAL).map(cancel).collect(), 2)
}

/// A hold ends by time, and the first in line gets the unit: a turn without any request.
pub(super) fn expired() -> Prepared {
    let mut item = open_item(USUAL);
    let after = |start: Timestamp, holds: u32| {
        Timestamp::from_millis(start.as_millis() + u64::from(holds) * BETWEEN_HOLDS.as_millis())
    };
    for number in 0..2 * USUAL {
        let request = keyed(number, wish(number, WaitlistChoice::Join));
        let (judgement, _end) = turn(&mut item, after(AT, number.min(USUAL)), &request);
        assert!(judgement.outcome.is_ok());
    }
    let hold_time = item.settings().policy.hold_time;
    let first = Timestamp::from_millis(AT.as_millis() + hold_time.as_millis());
    Box::new(move || {
        for number in 0..USUAL {
            let end = Turn::begin(&mut item, black_box(after(first, number))).end();
            assert!(end.recorded.len() == 2, "{end:?}");
            black_box(end);
        }
    })
}

/// Events of the past are applied.
pub(super) fn folded() -> Prepared {
    let mut item = Item::begin(ItemNo::from_u32(1), &created(10 * USUAL)).expect("a first event");
    let mut live = item.clone();
    let mut events = Vec::new();
    let open = Request::from(Command::OpenSale);
    for request in std::iter::once(open).chain(wishes(0..USUAL - 1, WaitlistChoice::Join)) {
        let (judgement, end) = turn(&mut live, AT, &request);
        assert!(judgement.outcome.is_ok());
        events.extend(end.recorded);
    }
    assert_eq!(events.len(), USUAL as usize);
    Box::new(move || {
        for event in &events {
            item.apply(black_box(event));
        }
        assert_eq!(item.seq(), Seq(u64::from(USUAL) + 1));
    })
}
