//! The pure core: one command a turn, no I/O.

use crate::{Measured, histogram};
use domain::command::{Claim, Command, Request, WaitlistChoice};
use domain::event::{Event, Recorded};
use domain::identity::ItemKey;
use domain::ids::{ItemNo, Ordinal, Seq};
use domain::item::Item;
use domain::money::{Currency, Money};
use domain::policy::{ItemSpec, Policy, Settings};
use domain::text::{CustomerId, ItemName, Sku};
use domain::time::Timestamp;
use domain::turn::Turn;
use domain::units::{Quantity, Units};
use hdrhistogram::Histogram;
use std::time::Instant;

const ROUNDS: u32 = 100_000;

/// An open item with that many units.
pub(crate) fn open_item(total: u32) -> Item {
    let settings = Settings {
        name: ItemName::parse("thing").expect("a name"),
        unit_price: Money { minor: 100, currency: Currency::parse("USD").expect("a currency") },
        policy: Policy::default(),
        opens_at: None,
        closes_at: None,
    };
    let total = Units::new(total).expect("units");
    let spec = Box::new(ItemSpec { sku: Sku::parse("thing").expect("a sku"), total, settings });
    let event = Event::ItemCreated { spec, key: ItemKey::from_bytes([7; 32]) };
    let created = Recorded { seq: Seq(1), at: Timestamp::default(), idempotency: None, event };
    let mut item = Item::begin(ItemNo::from_u32(1), &created).expect("a first event");
    let mut turn = Turn::begin(&mut item, Timestamp::default());
    turn.judge(&Request::from(Command::OpenSale)).outcome.expect("it opens");
    let _events = turn.end();
    item
}

pub(crate) fn reserve(number: u32) -> Request {
    let customer = CustomerId::parse(&format!("customer-{number}")).expect("a customer");
    Request::from(Command::Reserve { customer, quantity: Quantity::ONE, waitlist: WaitlistChoice::Join })
}

fn timed(item: &mut Item, request: &Request, histogram: &mut Histogram<u64>) {
    let begin = Instant::now();
    let mut turn = Turn::begin(item, Timestamp::from_millis(1));
    let judgement = turn.judge(request);
    let end = turn.end();
    let taken = begin.elapsed();
    assert!(judgement.outcome.is_ok() && !end.recorded.is_empty());
    histogram.saturating_record(u64::try_from(taken.as_nanos()).unwrap_or(u64::MAX));
}

pub(crate) fn all() -> Measured {
    let (mut held, mut waiting, mut promoted) = (histogram(), histogram(), histogram());
    let mut item = open_item(ROUNDS);
    for number in 0..ROUNDS {
        timed(&mut item, &reserve(number), &mut held);
    }
    for number in 0..ROUNDS {
        timed(&mut item, &reserve(ROUNDS + number), &mut waiting);
    }
    for number in 0..ROUNDS {
        let customer = CustomerId::parse(&format!("customer-{number}")).expect("a customer");
        let claim = Claim { reservation: Ordinal(number), customer };
        timed(&mut item, &Request::from(Command::CancelReservation(claim)), &mut promoted);
    }
    vec![
        ("core: reserve, held".to_owned(), held),
        ("core: reserve, waiting".to_owned(), waiting),
        ("core: cancel, and the next one is promoted".to_owned(), promoted),
    ]
}
