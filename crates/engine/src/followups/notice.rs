//! What integrators are told of an event: which kind of notice, and the message. Pure.
//!
//! A message's id comes from the log, so it is the same on every attempt and after every crash, and receivers can
//! tell repetitions.

use domain::endpoint::Notice;
use domain::event::{ClosedBy, Event, PartitionEvent, Recorded};
use domain::identity::{BundleId, ItemKey, OrderId, ReservationId};
use domain::ids::{ItemNo, Ordinal, Seq};
use domain::money::Money;
use domain::payment::PaymentEvent;
use domain::text::Sku;
use domain::time::Timestamp;
use serde_json::{Map, Value, json};

/// The item an event is of, as messages name it.
pub(crate) struct About<'a> {
    pub(crate) item: ItemNo,
    pub(crate) sku: &'a Sku,
    pub(crate) key: &'a ItemKey,
}

/// A message to integrators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) notice: Notice,
    /// `evt_…`, from the log.
    pub(crate) id: String,
    pub(crate) at: Timestamp,
    /// What happened, JSON.
    pub(crate) body: String,
}

/// What messages are logged under, one line each, for whoever sets the filter `notifications=debug`.
macro_rules! target {
    () => {
        "notifications"
    };
}

/// Whether somebody reads messages in the log.
pub(crate) fn are_logged() -> bool {
    tracing::enabled!(target: target!(), tracing::Level::DEBUG)
}

/// Writes messages into the log.
pub(crate) fn log(messages: &[Message]) {
    for message in messages {
        tracing::debug!(target: target!(), id = message.id, body = message.body, "{}", message.notice.name());
    }
}

/// Whether anybody could be told of an event.
pub(crate) const fn is_told(event: &Event) -> bool {
    match event {
        Event::HoldPlaced { .. }
        | Event::WaitlistJoined { .. }
        | Event::HoldPromoted { .. }
        | Event::HoldExtended { .. }
        | Event::HoldExpired { .. }
        | Event::ReservationCancelled { .. }
        | Event::PurchaseConfirmed { .. }
        | Event::OrderPlaced { .. }
        | Event::SaleOpened { .. }
        | Event::SaleClosed { .. }
        | Event::Payment { .. } => true,
        Event::ItemCreated { .. }
        | Event::ItemRevised { .. }
        | Event::SalePaused
        | Event::SaleResumed
        | Event::StockAdjusted { .. }
        | Event::PartHeld { .. }
        | Event::PartSettled { .. }
        | Event::WaitlistLapsed { .. }
        | Event::ClockResumed { .. } => false,
    }
}

/// The messages that an event leads to: a payment confirms a reservation and pays an order.
pub(crate) fn messages(about: &About<'_>, recorded: &Recorded) -> Vec<Message> {
    let mut told = Vec::new();
    let mut tell = |notice: Notice, mut data: Map<String, Value>| {
        data.insert("item".to_owned(), json!(about.sku.as_str()));
        told.push(message(Place { stream: about.item, seq: recorded.seq, at: recorded.at }, notice, data));
    };
    match &recorded.event {
        Event::HoldPlaced { reservation, customer, quantity, deadline, .. } => {
            let more =
                json!({ "customer": customer.as_str(), "quantity": quantity.get(), "expires_at": ms(*deadline) });
            tell(Notice::ReservationHeld, of(about, *reservation, more));
        }
        Event::WaitlistJoined { reservation, customer, quantity, position, .. } => {
            let more = json!({ "customer": customer.as_str(), "quantity": quantity.get(), "position": position });
            tell(Notice::ReservationWaiting, of(about, *reservation, more));
        }
        Event::HoldPromoted { reservation, deadline, .. } => {
            tell(Notice::ReservationPromoted, of(about, *reservation, json!({ "expires_at": ms(*deadline) })));
        }
        Event::HoldExtended { reservation, deadline } => {
            tell(Notice::ReservationExtended, of(about, *reservation, json!({ "expires_at": ms(*deadline) })));
        }
        Event::HoldExpired { reservation, .. } => tell(Notice::ReservationExpired, of(about, *reservation, json!({}))),
        Event::ReservationCancelled { reservation, .. } => {
            tell(Notice::ReservationCancelled, of(about, *reservation, json!({})));
        }
        Event::OrderPlaced { reservation, amount, release_at, .. } => {
            let more = json!({ "amount": money(*amount), "expires_at": ms(*release_at) });
            tell(Notice::OrderCreated, of(about, *reservation, more));
        }
        Event::PurchaseConfirmed { reservation, customer, quantity, capture, .. } => {
            let more = json!({ "customer": customer.as_str(), "quantity": quantity.get() });
            tell(Notice::ReservationConfirmed, of(about, *reservation, more));
            tell(Notice::OrderPaid, of(about, *reservation, json!({ "amount": money(capture.amount) })));
        }
        Event::SaleOpened { .. } => tell(Notice::ItemOpened, Map::new()),
        Event::SaleClosed { by, .. } => {
            if *by == ClosedBy::SoldOut {
                tell(Notice::ItemSoldOut, Map::new());
            }
            tell(Notice::ItemClosed, Map::new());
        }
        Event::Payment { reservation, event } => {
            payment(event, &mut |notice, more| tell(notice, of(about, *reservation, more)));
        }
        _ => {}
    }
    told
}

/// Which bundle an event of a partition's own stream is about, if integrators are told of it.
pub(crate) fn bundle_told_of(event: &PartitionEvent) -> Option<Ordinal> {
    match event {
        PartitionEvent::BundleHeld { bundle, .. }
        | PartitionEvent::BundleOrdered { bundle, .. }
        | PartitionEvent::BundleCancelled { bundle }
        | PartitionEvent::BundleExpired { bundle, .. }
        | PartitionEvent::Payment { bundle, .. } => Some(*bundle),
        PartitionEvent::ItemRegistered { .. }
        | PartitionEvent::PartitionKeyed { .. }
        | PartitionEvent::PaymentUnmatched { .. }
        | PartitionEvent::Endpoint { .. }
        | PartitionEvent::ClockResumed { .. } => None,
    }
}

/// The messages that an event about a bundle leads to: the same as of a reservation, with the bundle in its place.
pub(crate) fn messages_of_bundle(stream: ItemNo, id: BundleId, recorded: &Recorded<PartitionEvent>) -> Vec<Message> {
    let mut told = Vec::new();
    let mut tell = |notice: Notice, more: Value| {
        let mut data = Map::new();
        data.insert("bundle".to_owned(), json!(id.to_string()));
        data.insert("order".to_owned(), json!(OrderId::of_bundle(id).to_string()));
        if let Value::Object(more) = more {
            data.extend(more);
        }
        told.push(message(Place { stream, seq: recorded.seq, at: recorded.at }, notice, data));
    };
    match &recorded.event {
        PartitionEvent::BundleHeld { held, amount, deadline, .. } => {
            let lines = held.lines.iter();
            let lines: Vec<Value> =
                lines.map(|line| json!({ "item": line.sku.as_str(), "quantity": line.quantity.get() })).collect();
            let more = json!({ "customer": held.customer.as_str(), "lines": lines, "amount": money(*amount),
                               "expires_at": ms(*deadline) });
            tell(Notice::ReservationHeld, more);
        }
        PartitionEvent::BundleOrdered { amount, release_at, .. } => {
            tell(Notice::OrderCreated, json!({ "amount": money(*amount), "expires_at": ms(*release_at) }));
        }
        PartitionEvent::BundleCancelled { .. } => tell(Notice::ReservationCancelled, json!({})),
        PartitionEvent::BundleExpired { .. } => tell(Notice::ReservationExpired, json!({})),
        PartitionEvent::Payment { event, .. } => payment(event, &mut tell),
        PartitionEvent::ItemRegistered { .. }
        | PartitionEvent::PartitionKeyed { .. }
        | PartitionEvent::PaymentUnmatched { .. }
        | PartitionEvent::Endpoint { .. }
        | PartitionEvent::ClockResumed { .. } => {}
    }
    told
}

/// What a payment tells of its order, whatever the order is of.
fn payment(event: &PaymentEvent, tell: &mut impl FnMut(Notice, Value)) {
    match event {
        PaymentEvent::Captured { capture, .. } | PaymentEvent::LateHonoured { capture, .. } => {
            tell(Notice::ReservationConfirmed, json!({}));
            let more = json!({ "amount": money(capture.amount), "payment_reference": capture.payment.as_str() });
            tell(Notice::OrderPaid, more);
        }
        PaymentEvent::RefundDue { capture, .. } => {
            let more = json!({ "amount": money(capture.amount), "payment_reference": capture.payment.as_str() });
            tell(Notice::OrderRefundDue, more);
        }
        PaymentEvent::Unclaimed { .. } | PaymentEvent::OrderRefunded { .. } => {
            tell(Notice::OrderRefundDue, json!({}));
        }
        PaymentEvent::RefundSettled { .. } => tell(Notice::OrderRefunded, json!({})),
        PaymentEvent::Offered { .. }
        | PaymentEvent::Failed { .. }
        | PaymentEvent::Parked { .. }
        | PaymentEvent::Noted { .. }
        | PaymentEvent::Disputed { .. }
        | PaymentEvent::RefundReported { .. } => {}
    }
}

/// Where in the log an event stands.
#[derive(Clone, Copy)]
struct Place {
    stream: ItemNo,
    seq: Seq,
    at: Timestamp,
}

fn message(place: Place, notice: Notice, mut data: Map<String, Value>) -> Message {
    data.insert("sequence".to_owned(), json!(place.seq.0));
    let body = json!({ "type": notice.name(), "timestamp": ms(place.at), "data": data }).to_string();
    Message { notice, id: id(place, notice), at: place.at, body }
}

/// Stream, place in it, and kind: one event can lead to two messages.
fn id(place: Place, notice: Notice) -> String {
    let kind = Notice::ALL.iter().position(|known| *known == notice).unwrap_or_default();
    format!("evt_{:08x}{:016x}{kind:02x}", place.stream.as_u32(), place.seq.0)
}

fn of(about: &About<'_>, reservation: Ordinal, more: Value) -> Map<String, Value> {
    let id = ReservationId::new(about.item, reservation, about.key);
    let mut data = Map::new();
    data.insert("reservation".to_owned(), json!(id.to_string()));
    data.insert("order".to_owned(), json!(OrderId::of(id).to_string()));
    if let Value::Object(more) = more {
        data.extend(more);
    }
    data
}

fn money(amount: Money) -> Value {
    json!({ "amount": amount.minor, "currency": amount.currency.as_str() })
}

/// Messages tell instants as everywhere else in the API: RFC 3339 in UTC with milliseconds.
fn ms(at: Timestamp) -> String {
    let millis = i64::try_from(at.as_millis()).unwrap_or(i64::MAX);
    format!("{:.3}", jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::ids::{PartitionNo, Seq};
    use domain::money::Currency;
    use domain::payment::{Capture, Provider};
    use domain::text::PaymentId;

    fn told(event: Event) -> Vec<Message> {
        let item = ItemNo::new(PartitionNo(0), 1).expect("a number");
        let (sku, key) = (Sku::parse("lamp").expect("a sku"), ItemKey::from_bytes([7; 32]));
        let recorded = Recorded { seq: Seq(5), at: Timestamp::from_millis(1_500), idempotency: None, event };
        messages(&About { item, sku: &sku, key: &key }, &recorded)
    }

    #[test]
    fn a_payment_confirms_a_reservation_and_pays_an_order_in_two_messages_with_two_ids() {
        let amount = Money { minor: 500, currency: Currency::parse("USD").expect("a currency") };
        let payment = PaymentId::parse("pay-1").expect("a payment");
        let capture = Capture { provider: Provider::Generic, payment, report: None, amount };
        let event = Box::new(PaymentEvent::Captured { capture, amount_named: false });
        let told = told(Event::Payment { reservation: Ordinal(0), event });
        let names: Vec<&str> = told.iter().map(|message| message.notice.name()).collect();
        assert_eq!(names, ["reservation.confirmed", "order.paid"]);
        let ids: Vec<&str> = told.iter().map(|message| message.id.as_str()).collect();
        assert_eq!(ids, ["evt_00000001000000000000000506", "evt_00000001000000000000000508"]);
        let body: Value = told.last().and_then(|message| serde_json::from_str(&message.body).ok()).expect("JSON");
        assert_eq!(body.get("type"), Some(&json!("order.paid")));
        assert_eq!(body.get("timestamp"), Some(&json!("1970-01-01T00:00:01.500Z")));
        assert_eq!(body.pointer("/data/amount/amount"), Some(&json!(500)));
        assert_eq!(body.pointer("/data/sequence"), Some(&json!(5)));
    }

    #[test]
    fn a_sale_that_sells_out_says_both() {
        let names: Vec<&str> = told(Event::SaleClosed { by: ClosedBy::SoldOut, lapsed: 3 })
            .iter()
            .map(|message| message.notice.name())
            .collect();
        assert_eq!(names, ["item.sold_out", "item.closed"]);
    }
}
