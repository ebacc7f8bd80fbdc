//! Events with names and fields, for people and for other programs. The names are those of docs/log-format.md.
//!
//! Left out are an item's secret and what only the paying customer's client may know: whoever has an export must not
//! be able to forge ids or to pay in somebody's place.

mod partition;
mod payment;
mod settings;

pub(crate) use partition::{fields as partition_fields, name as partition_name};

use crate::instant::Rfc3339;
use domain::command::WaitlistChoice;
use domain::event::{ClosedBy, Event, LapseReason, OpenedBy, PartDecision};
use domain::ids::Ordinal;
use domain::money::Money;
use serde_json::{Map, Value, json};

/// The name of an item's event.
pub(crate) fn name(event: &Event) -> &'static str {
    match event {
        Event::ItemCreated { .. } => "ItemCreated",
        Event::ItemRevised { .. } => "ItemRevised",
        Event::SaleOpened { .. } => "SaleOpened",
        Event::SalePaused => "SalePaused",
        Event::SaleResumed => "SaleResumed",
        Event::SaleClosed { .. } => "SaleClosed",
        Event::StockAdjusted { .. } => "StockAdjusted",
        Event::HoldPlaced { .. } => "HoldPlaced",
        Event::WaitlistJoined { .. } => "WaitlistJoined",
        Event::PurchaseConfirmed { .. } => "PurchaseConfirmed",
        Event::ReservationCancelled { .. } => "ReservationCancelled",
        Event::HoldExtended { .. } => "HoldExtended",
        Event::OrderPlaced { .. } => "OrderPlaced",
        Event::Payment { event, .. } => payment::name(event),
        Event::PartHeld { .. } => "PartHeld",
        Event::PartSettled { .. } => "PartSettled",
        Event::HoldExpired { .. } => "HoldExpired",
        Event::HoldPromoted { .. } => "HoldPromoted",
        Event::WaitlistLapsed { .. } => "WaitlistLapsed",
        Event::ClockResumed { .. } => "ClockResumed",
    }
}

/// What an item's event says. The reservation it is about stands beside it as a plain number.
pub(crate) fn fields(event: &Event) -> Map<String, Value> {
    let (about, said) = said(event);
    let mut fields = match said {
        Value::Object(fields) => fields,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    };
    if let Some(reservation) = about {
        fields.insert("reservation".to_owned(), reservation.0.into());
    }
    fields
}

/// The reservation an item's event is about, if it is about one.
pub(crate) fn about(event: &Event) -> Option<Ordinal> {
    said(event).0
}

fn said(event: &Event) -> (Option<Ordinal>, Value) {
    match event {
        Event::ItemCreated { spec, key: _ } => {
            let settings = settings::json(&spec.settings);
            (None, json!({ "sku": spec.sku.as_str(), "total": spec.total.get(), "settings": settings }))
        }
        Event::ItemRevised { settings } => (None, json!({ "settings": settings::json(settings) })),
        Event::SaleOpened { by } => (None, json!({ "by": opened(*by) })),
        Event::SalePaused | Event::SaleResumed => (None, json!({})),
        Event::SaleClosed { by, lapsed } => (None, json!({ "by": closed(*by), "lapsed": lapsed })),
        Event::StockAdjusted { change, reason, total } => {
            (None, json!({ "change": change.get(), "reason": reason.as_str(), "total": total.get() }))
        }
        Event::HoldPlaced { reservation, customer, quantity, waitlist, deadline } => {
            let declines = *waitlist == WaitlistChoice::Decline;
            let (customer, deadline) = (customer.as_str(), Rfc3339(*deadline));
            let said = json!({ "customer": customer, "quantity": quantity.get(), "declines_waitlist": declines, "deadline": deadline });
            (Some(*reservation), said)
        }
        Event::WaitlistJoined { reservation, customer, quantity, position, available } => {
            let (customer, quantity) = (customer.as_str(), quantity.get());
            let said = json!({ "customer": customer, "quantity": quantity, "position": position, "available": available.get() });
            (Some(*reservation), said)
        }
        Event::PurchaseConfirmed { reservation, customer, quantity, capture, payment_named, amount_named } => {
            let said = json!({
                "customer": customer.as_str(), "quantity": quantity.get(), "capture": payment::capture(capture),
                "payment_named": payment_named, "amount_named": amount_named,
            });
            (Some(*reservation), said)
        }
        Event::Payment { reservation, event } => (Some(*reservation), payment::said(event)),
        Event::ReservationCancelled { .. }
        | Event::HoldExtended { .. }
        | Event::OrderPlaced { .. }
        | Event::PartHeld { .. }
        | Event::PartSettled { .. }
        | Event::HoldExpired { .. }
        | Event::HoldPromoted { .. }
        | Event::WaitlistLapsed { .. }
        | Event::ClockResumed { .. } => said_later(event),
    }
}

/// What comes after a reservation's first event.
fn said_later(event: &Event) -> (Option<Ordinal>, Value) {
    match event {
        Event::ReservationCancelled { reservation, released } => {
            (Some(*reservation), json!({ "released": released.get() }))
        }
        Event::HoldExtended { reservation, deadline } => {
            (Some(*reservation), json!({ "deadline": Rfc3339(*deadline) }))
        }
        Event::OrderPlaced { reservation, amount, release_at, amount_named } => {
            let said =
                json!({ "amount": money(*amount), "release_at": Rfc3339(*release_at), "amount_named": amount_named });
            (Some(*reservation), said)
        }
        Event::PartHeld { reservation, customer, quantity, bundle } => {
            let said =
                json!({ "customer": customer.as_str(), "quantity": quantity.get(), "bundle": bundle.to_string() });
            (Some(*reservation), said)
        }
        Event::PartSettled { reservation, bundle, decision, released } => {
            let decision = decided(*decision);
            let said = json!({ "bundle": bundle.to_string(), "decision": decision, "released": released.get() });
            (Some(*reservation), said)
        }
        Event::HoldExpired { reservation, release_at, released } => {
            (Some(*reservation), json!({ "release_at": Rfc3339(*release_at), "released": released.get() }))
        }
        Event::HoldPromoted { reservation, deadline, because } => {
            (Some(*reservation), json!({ "deadline": Rfc3339(*deadline), "because": because.0 }))
        }
        Event::WaitlistLapsed { reservation, reason } => (Some(*reservation), json!({ "reason": lapse(*reason) })),
        Event::ClockResumed { from, to, release_floor } => {
            let said = json!({ "from": Rfc3339(*from), "to": Rfc3339(*to), "release_floor": Rfc3339(*release_floor) });
            (None, said)
        }
        other => unreachable!("{} is told by said", name(other)),
    }
}

fn money(money: Money) -> Value {
    json!({ "minor": money.minor, "currency": money.currency.as_str() })
}

const fn opened(by: OpenedBy) -> &'static str {
    match by {
        OpenedBy::Operator => "operator",
        OpenedBy::Schedule => "schedule",
    }
}

const fn closed(by: ClosedBy) -> &'static str {
    match by {
        ClosedBy::Operator => "operator",
        ClosedBy::Schedule => "schedule",
        ClosedBy::SoldOut => "sold_out",
    }
}

const fn lapse(reason: LapseReason) -> &'static str {
    match reason {
        LapseReason::SaleClosed => "sale_closed",
        LapseReason::CanNeverBeServed => "can_never_be_served",
    }
}

const fn decided(decision: PartDecision) -> &'static str {
    match decision {
        PartDecision::Sold => "sold",
        PartDecision::Expired => "expired",
        PartDecision::Cancelled => "cancelled",
        PartDecision::Abandoned => "abandoned",
        PartDecision::Returned => "returned",
    }
}
