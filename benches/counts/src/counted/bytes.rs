//! Events as bytes, and groups of them as records.

use super::item::{keyed, wish};
use super::{Prepared, USUAL};
use domain::command::WaitlistChoice;
use domain::event::{Event, Recorded};
use domain::ids::{ItemNo, Ordinal, Seq};
use domain::text::CustomerId;
use domain::time::Timestamp;
use domain::units::Quantity;
use eventlog::{Chain, ChainPoint, EncodedEvent, LogId, RawEvent};
use std::hint::black_box;

const ITEM: ItemNo = ItemNo::from_u32(1);

/// A hold as a keyed request leads to it.
#[must_use]
pub fn hold(number: u32) -> Recorded {
    let idempotency = keyed(number, wish(number, WaitlistChoice::Join)).idempotency;
    let event = Event::HoldPlaced {
        reservation: Ordinal(number),
        customer: CustomerId::parse(&format!("customer-{number}")).expect("a customer"),
        quantity: Quantity::ONE,
        waitlist: WaitlistChoice::Join,
        deadline: Timestamp::from_millis(1_767_225_720_000),
    };
    let at = Timestamp::from_millis(1_767_225_600_000);
    Recorded { seq: Seq(u64::from(number) + 1), at, idempotency, event }
}

pub(super) fn encoded() -> Prepared {
    let holds: Vec<Recorded> = (0..USUAL).map(hold).collect();
    Box::new(move || {
        for hold in &holds {
            black_box(eventlog::encode_item_event(ITEM, black_box(hold)));
        }
    })
}

pub(super) fn decoded() -> Prepared {
    let stored: Vec<EncodedEvent> = (0..USUAL).map(|number| eventlog::encode_item_event(ITEM, &hold(number))).collect();
    Box::new(move || {
        for event in &stored {
            let raw = RawEvent::parse(black_box(event.bytes())).expect("an event's frame");
            black_box(eventlog::decode_event(&raw).expect("an event"));
        }
    })
}

/// Groups of so many events, each in a record of its own.
pub(super) fn framed(events: u32) -> Prepared {
    let group: Vec<EncodedEvent> = (0..events).map(|number| eventlog::encode_item_event(ITEM, &hold(number))).collect();
    let (_claim, mut chain) = Chain::claim(LogId([1; 16]), ChainPoint::START, "the counts").expect("a claim");
    Box::new(move || {
        for _ in 0..USUAL {
            let records = chain.frame(black_box(&group));
            assert_eq!(records.len(), 1);
            black_box(records);
        }
    })
}
