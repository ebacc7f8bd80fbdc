//! An item is put together from facts in their order, and from nothing that contradicts itself.

use domain::idempotency::{Acceptance, Answered, Entry, Fingerprint};
use domain::identity::ItemKey;
use domain::ids::{ItemNo, Ordinal, Revision, Seq};
use domain::item::{
    CustomerParts, IdempotencyParts, ItemBuilder, ItemHead, ItemPiece, Phase, ReservationParts, StateParts,
};
use domain::money::{Currency, Money};
use domain::payment::BooksParts;
use domain::policy::{Policy, Settings};
use domain::text::{CustomerId, ItemName, Sku};
use domain::time::Timestamp;
use domain::units::{Quantity, Units};

fn head() -> ItemHead {
    let unit_price = Money { minor: 100, currency: Currency::parse("EUR").expect("a currency") };
    let name = ItemName::parse("Lamp").expect("a name");
    ItemHead {
        no: ItemNo::from_u32(1),
        key: ItemKey::from_bytes([7; 32]),
        sku: Sku::parse("lamp").expect("a sku"),
        settings: Settings { name, unit_price, opens_at: None, closes_at: None, policy: Policy::default() },
        phase: Phase::Open,
        total: Units::ZERO,
        revision: Revision(1),
        seq: Seq(9),
        now: Timestamp::from_millis(1),
        freed_by: Seq(1),
    }
}

fn customer(number: u32) -> ItemPiece {
    let id = CustomerId::parse(&format!("customer-{number}")).expect("a customer");
    ItemPiece::Customer(CustomerParts { id, expiries_in_row: 0, cooling_until: Timestamp::default() })
}

fn waits(customer: u32, units: u32) -> ItemPiece {
    ItemPiece::Reservation(ReservationParts {
        customer,
        quantity: Quantity::new(units).expect("a quantity"),
        accepted_at: Timestamp::from_millis(1),
        changed: Seq(2),
        state: StateParts::Waiting,
    })
}

fn money() -> ItemPiece {
    ItemPiece::Money(Box::default(), Vec::new())
}

fn key(number: u128) -> ItemPiece {
    let answered = Answered::Cancelled { reservation: Ordinal(0) };
    let acceptance = Acceptance { seq: Seq(2), at: Timestamp::from_millis(1), answered };
    let entry = Entry { content: Fingerprint(1), acceptance };
    ItemPiece::Remembered(IdempotencyParts { request: Fingerprint(number), entry })
}

/// How many reservations the item has, or what is wrong.
fn built(pieces: impl IntoIterator<Item = ItemPiece>) -> Result<u32, String> {
    let mut builder = ItemBuilder::new(head());
    let taken = pieces.into_iter().try_for_each(|piece| builder.take(piece));
    let item = taken.and_then(|()| builder.finish());
    item.map(|item| item.reservation_count()).map_err(|broken| broken.what)
}

#[test]
fn an_item_is_put_together_from_facts_in_their_order() {
    assert_eq!(built([money()]), Ok(0));
    assert_eq!(
        built([customer(1), customer(2), waits(0, 1), waits(1, 1), waits(0, 1), money(), key(1), key(2)]),
        Ok(3)
    );
    // More than an index has in one part.
    let (customers, reservations) = ((0..20_000).map(customer), (0..20_000).map(|number| waits(number, 1)));
    let keys = (0..20_000).map(|number: u128| key(number << 32 | number));
    assert_eq!(built(customers.chain(reservations).chain([money()]).chain(keys)), Ok(20_000));
}

#[test]
fn facts_that_contradict_each_other_and_facts_out_of_order_are_no_item() {
    let misplaced = "something comes where it should not";
    let one = || vec![customer(1), waits(0, 1)];
    let behind_one = |pieces: Vec<ItemPiece>| one().into_iter().chain(pieces).collect::<Vec<_>>();
    let many = |count| (0..count).map(customer);
    let cases = [
        (vec![], "it ends too early"),
        (one(), "it ends too early"),
        (vec![ItemPiece::Head(Box::new(head()))], misplaced),
        (vec![key(1)], misplaced),
        (behind_one(vec![customer(2)]), misplaced),
        (behind_one(vec![money(), customer(2)]), misplaced),
        (behind_one(vec![money(), waits(0, 1)]), misplaced),
        (behind_one(vec![money(), money()]), misplaced),
        (behind_one(vec![key(1), money()]), misplaced),
        (vec![waits(0, 1)], "a reservation without its customer"),
        (behind_one(vec![waits(1, 1)]), "a reservation without its customer"),
        (vec![customer(1), customer(2), waits(0, 1), money()], "a customer without a reservation"),
        (vec![customer(1), customer(1), waits(0, 1)], "a customer appears twice"),
        (many(10_000).chain([customer(7), waits(0, 1)]).collect(), "a customer appears twice"),
        (behind_one(vec![money(), key(1), key(2), key(1)]), "a key appears twice"),
        (vec![customer(1)].into_iter().chain((0..66).map(|_| waits(0, 1_000))).collect(), "a count overflows"),
    ];
    for (pieces, expected) in cases {
        let count = pieces.len();
        let told = built(pieces).expect_err("it contradicts itself");
        assert!(told.ends_with(expected), "{count} pieces: {told:?} and not {expected:?}");
    }
}

#[test]
fn money_of_nobody_is_no_items() {
    let books = BooksParts::default();
    assert_eq!(built([ItemPiece::Money(Box::new(books.clone()), Vec::new())]), Ok(0));
    let part = (Ordinal(0), domain::identity::BundleId::from_u128(5));
    let told = built([ItemPiece::Money(Box::new(books), vec![part])]).expect_err("there is no such reservation");
    assert!(told.ends_with("a part that cannot be"), "{told}");
}
