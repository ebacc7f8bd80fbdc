//! What customers and backends ask for: reservations, purchases, orders, confirmations.

use super::json::Json;
use super::money;
use super::node::{Node, Object};
use super::report::Report;
use crate::problem::Problem;
use domain::command::WaitlistChoice;
use domain::identity::{BundleId, IdError, OrderOf, ReservationId};
use domain::limits::QUANTITY_MAX;
use domain::money::Money;
use domain::text::PaymentId;
use domain::units::Quantity;

/// `POST /v1/items/{sku}/reservations`.
#[derive(Debug, PartialEq)]
pub(crate) struct ReserveAsked {
    pub(crate) quantity: Quantity,
    pub(crate) waitlist: WaitlistChoice,
}

/// `POST /v1/items/{sku}/purchases`.
#[derive(Debug, PartialEq)]
pub(crate) struct PurchaseAsked {
    pub(crate) quantity: Quantity,
    pub(crate) payment: Option<PaymentId>,
    pub(crate) amount: Option<Money>,
}

/// `POST /v1/orders`.
#[derive(Debug, PartialEq)]
pub(crate) struct OrderAsked {
    pub(crate) of: OrderOf,
    pub(crate) amount: Option<Money>,
}

/// `POST /v1/orders/{id}/confirm`.
#[derive(Debug, PartialEq)]
pub(crate) struct ConfirmAsked {
    pub(crate) payment: PaymentId,
    pub(crate) amount: Option<Money>,
}

pub(super) fn quantity(object: &Object<'_>, report: &mut Report) -> Option<Quantity> {
    object.required("quantity", report, |node, report| {
        let count = node.whole(report, 1..=QUANTITY_MAX.into(), "a quantity")?;
        u32::try_from(count).ok().and_then(|count| Quantity::new(count).ok())
    })
}

fn choice(node: &Node<'_>, report: &mut Report) -> Option<WaitlistChoice> {
    match node.text(report)? {
        "join" => Some(WaitlistChoice::Join),
        "decline" => Some(WaitlistChoice::Decline),
        other => node.wrong(report, format!("must be \"join\" or \"decline\", not {other:?}")),
    }
}

/// Reads a body that has to be an object: its members by `members`, and none but those `known`.
pub(super) fn object<T>(
    json: &Json<'_>,
    known: &[&str],
    members: impl FnOnce(&Object<'_>, &mut Report) -> Option<T>,
) -> Result<T, Problem> {
    let mut report = Report::default();
    let value = Node::root(json).object(&mut report).and_then(|object| {
        let value = members(&object, &mut report);
        object.only(known, &mut report);
        value
    });
    report.close(value)
}

impl ReserveAsked {
    pub(crate) fn read(json: &Json<'_>) -> Result<Self, Problem> {
        object(json, &["quantity", "waitlist"], |object, report| {
            let quantity = quantity(object, report);
            let waitlist = object.optional("waitlist", report, choice).unwrap_or_default();
            Some(Self { quantity: quantity?, waitlist })
        })
    }
}

impl PurchaseAsked {
    pub(crate) fn read(json: &Json<'_>) -> Result<Self, Problem> {
        object(json, &["quantity", "payment_reference", "amount"], |object, report| {
            let quantity = quantity(object, report);
            let payment =
                object.optional("payment_reference", report, |node, report| node.parsed(report, PaymentId::parse));
            let amount = object.optional("amount", report, money::read);
            Some(Self { quantity: quantity?, payment, amount })
        })
    }
}

/// A reservation's id, or a bundle's.
fn order_of(text: &str) -> Result<OrderOf, IdError> {
    if text.starts_with("bnd_") {
        BundleId::parse(text).map(OrderOf::Bundle)
    } else {
        ReservationId::parse(text).map(OrderOf::Reservation)
    }
}

impl OrderAsked {
    pub(crate) fn read(json: &Json<'_>) -> Result<Self, Problem> {
        object(json, &["reservation", "amount"], |object, report| {
            let of = object.required("reservation", report, |node, report| node.parsed(report, order_of));
            let amount = object.optional("amount", report, money::read);
            Some(Self { of: of?, amount })
        })
    }
}

impl ConfirmAsked {
    pub(crate) fn read(json: &Json<'_>) -> Result<Self, Problem> {
        object(json, &["payment_reference", "amount"], |object, report| {
            let payment =
                object.required("payment_reference", report, |node, report| node.parsed(report, PaymentId::parse));
            let amount = object.optional("amount", report, money::read);
            Some(Self { payment: payment?, amount })
        })
    }
}

/// A request that has nothing to say: no body, or an empty object.
pub(crate) fn nothing(json: &Json<'_>) -> Result<(), Problem> {
    object(json, &[], |_, _| Some(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is wrong with a reserve body, one line a fault; empty if nothing is.
    fn faults(body: &str) -> String {
        let json = serde_json::from_str(body).expect("JSON");
        match ReserveAsked::read(&json) {
            Ok(_) => String::new(),
            Err(problem) => {
                problem.fact("errors").and_then(|errors| errors.as_array()).map_or_else(String::new, |all| {
                    let lines = all.iter().map(|fault| {
                        let text =
                            |name: &str| fault.get(name).and_then(|value| value.as_str()).unwrap_or("?").to_owned();
                        format!("{}: {}", text("pointer"), text("detail"))
                    });
                    lines.collect::<Vec<_>>().join("\n")
                })
            }
        }
    }

    #[test]
    fn a_quantity_is_a_whole_number_and_every_other_one_is_pointed_at() {
        assert_eq!(faults("{\"quantity\":1}"), "");
        assert_eq!(faults("{\"quantity\":1000,\"waitlist\":null}"), "");
        for (value, found) in [
            ("0", "0"),
            ("-1", "-1"),
            ("1001", "1001"),
            ("1.5", "1.5"),
            ("9.99", "9.99"),
            ("1.0", "1.0"),
            ("1e99", "1e+99"),
            ("18446744073709551616", "1.8446744073709552e+19"),
            ("\"1\"", "a text"),
            ("true", "a boolean"),
            ("[1]", "an array"),
            ("{}", "an object"),
        ] {
            let expected = format!("/quantity: a quantity is a whole number from 1 to 1000; got {found}");
            assert_eq!(faults(&format!("{{\"quantity\":{value}}}")), expected);
        }
        assert_eq!(faults("{\"quantity\":null}"), "/quantity: a quantity is a whole number from 1 to 1000; got null");
    }

    #[test]
    fn every_fault_is_told_in_one_answer() {
        assert_eq!(
            faults("{\"waitlist\":\"maybe\",\"quantty\":1,\"a/b~c\":2}"),
            "/quantity: is missing\n\
             /waitlist: must be \"join\" or \"decline\", not \"maybe\"\n\
             /quantty: unknown field; known: quantity, waitlist\n\
             /a~1b~0c: unknown field; known: quantity, waitlist"
        );
        assert_eq!(faults("[]"), ": must be an object, not an array");
        let nothing = nothing(&serde_json::from_str("{\"x\":1}").expect("JSON")).expect_err("a member");
        let said = nothing.fact("errors").and_then(|errors| errors.pointer("/0/detail")).and_then(|said| said.as_str());
        assert_eq!(said, Some("unknown field; nothing is to be said here"));
    }

    #[test]
    fn money_is_whole_minor_units_of_a_currency() {
        let read = |text: &str| ConfirmAsked::read(&serde_json::from_str(text).expect("JSON"));
        let good = read("{\"payment_reference\":\"pay-1\",\"amount\":{\"amount\":99900,\"currency\":\"USD\"}}");
        assert_eq!(good.expect("good").amount.map(|money| money.minor), Some(99_900));
        for bad in ["9.99", "{\"amount\":9.99,\"currency\":\"USD\"}", "{\"amount\":1,\"currency\":\"usd\"}", "{}"] {
            assert!(read(&format!("{{\"payment_reference\":\"pay-1\",\"amount\":{bad}}}")).is_err(), "{bad}");
        }
    }
}
