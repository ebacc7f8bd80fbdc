//! Items, customers and requests for what is counted.

use domain::command::{Claim, Command, Request, WaitlistChoice};
use domain::event::{Event, Recorded};
use domain::idempotency::{Attempt, IdempotencyKey};
use domain::identity::ItemKey;
use domain::ids::{ItemNo, Ordinal, Seq};
use domain::item::Item;
use domain::limits::WAITLIST_CAPACITY_MAX;
use domain::money::{Currency, Money};
use domain::policy::{ItemSpec, Policy, Settings, WaitlistPolicy};
use domain::text::{CustomerId, ItemName, Sku};
use domain::time::Timestamp;
use domain::turn::{Turn, TurnEnd};
use domain::units::{Quantity, Units};
use domain::views::Judgement;

const KEY: ItemKey = ItemKey::from_bytes([7; 32]);

/// The first event of an item with that many units.
pub(super) fn created(total: u32) -> Recorded {
    let waitlist = WaitlistPolicy { enabled: true, capacity: WAITLIST_CAPACITY_MAX };
    let settings = Settings {
        name: ItemName::parse("thing").expect("a name"),
        unit_price: Money { minor: 100, currency: Currency::parse("USD").expect("a currency") },
        policy: Policy { waitlist, ..Policy::default() },
        opens_at: None,
        closes_at: None,
    };
    let total = Units::new(total).expect("units");
    let spec = Box::new(ItemSpec { sku: Sku::parse("thing").expect("a sku"), total, settings });
    let event = Event::ItemCreated { spec, key: KEY };
    Recorded { seq: Seq(1), at: Timestamp::default(), idempotency: None, event }
}

/// An open item with that many units.
///
/// # Panics
/// If there cannot be so many.
#[must_use]
pub fn open_item(total: u32) -> Item {
    let mut item = Item::begin(ItemNo::from_u32(1), &created(total)).expect("a first event");
    let mut turn = Turn::begin(&mut item, Timestamp::default());
    turn.judge(&Request::from(Command::OpenSale)).outcome.expect("it opens");
    let _events = turn.end();
    item
}

pub(super) fn customer(number: u32) -> CustomerId {
    CustomerId::parse(&format!("customer-{number}")).expect("a customer")
}

/// A customer's wish for one unit, without a key.
///
/// # Panics
/// Never: every number makes a name.
#[must_use]
pub fn reserve(number: u32) -> Request {
    Request::from(wish(number, WaitlistChoice::Join))
}

pub(super) const fn wish_of(customer: CustomerId, waitlist: WaitlistChoice) -> Command {
    Command::Reserve { customer, quantity: Quantity::ONE, waitlist }
}

pub(super) fn wish(number: u32, waitlist: WaitlistChoice) -> Command {
    wish_of(customer(number), waitlist)
}

/// What a request comes with over HTTP.
pub(super) fn attempt(number: u32) -> Attempt {
    Attempt {
        caller: format!("customer-{number}"),
        route: "POST /v1/items/thing/reservations".to_owned(),
        key: IdempotencyKey::parse(&format!("{number:08}-0123-4567-89ab-cdef01234567")).expect("a key"),
    }
}

/// The command as it comes over HTTP: under a key of its own.
pub(super) fn keyed(number: u32, command: Command) -> Request {
    Request::new(command, Some(&attempt(number)), &KEY)
}

/// Those customers' wishes, each under a key.
pub(super) fn wishes(numbers: std::ops::Range<u32>, waitlist: WaitlistChoice) -> Vec<Request> {
    numbers.map(|number| keyed(number, wish(number, waitlist))).collect()
}

/// The claim of the customer who came as that one.
pub(super) fn claim(number: u32) -> Claim {
    Claim { reservation: Ordinal(number), customer: customer(number) }
}

/// A turn with one request.
pub(super) fn turn(item: &mut Item, at: Timestamp, request: &Request) -> (Judgement, TurnEnd) {
    let mut turn = Turn::begin(item, at);
    let judgement = turn.judge(request);
    (judgement, turn.end())
}

/// An open item with so many units, and the turns of these customers behind it.
pub(super) fn item_after(total: u32, customers: std::ops::Range<u32>, at: Timestamp) -> Item {
    let mut item = open_item(total);
    for request in wishes(customers, WaitlistChoice::Join) {
        let (judgement, _end) = turn(&mut item, at, &request);
        judgement.outcome.expect("it is accepted");
    }
    item
}
