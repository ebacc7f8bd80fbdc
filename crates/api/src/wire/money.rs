//! Money as `{"amount": <minor units>, "currency": "USD"}`.

use super::node::Node;
use super::report::Report;
use domain::money::{Currency, Money};
use serde::Serialize;

/// The largest amount a body can name: what every JSON reader takes exactly.
const AMOUNT_MAX: u64 = (1 << 53) - 1;

/// Money as it is written.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct MoneyBody {
    amount: u64,
    #[serde(serialize_with = "letters")]
    currency: Currency,
}

fn letters<S: serde::Serializer>(currency: &Currency, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(currency.as_str())
}

impl From<Money> for MoneyBody {
    fn from(money: Money) -> Self {
        Self { amount: money.minor, currency: money.currency }
    }
}

/// Reads money.
pub(crate) fn read(node: &Node<'_>, report: &mut Report) -> Option<Money> {
    let object = node.object(report)?;
    let minor = object.required("amount", report, |node, report| node.whole(report, 0..=AMOUNT_MAX, "an amount"));
    let currency = object.required("currency", report, |node, report| node.parsed(report, Currency::parse));
    object.only(&["amount", "currency"], report);
    Some(Money { minor: minor?, currency: currency? })
}
