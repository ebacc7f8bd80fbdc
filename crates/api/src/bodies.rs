//! What the reader of each JSON body makes of bytes, without a server around it: for tests that try a great many.
//!
//! What this does not do: anything. The handlers read with the same readers and go on from there.

use crate::extract::body::JsonBody;
use crate::problem::{Code, Problem};
use crate::wire::bundle::BundleAsked;
use crate::wire::endpoint::{EndpointAsked, RedeliverAsked};
use crate::wire::operator::{RefundAsked, SettleAsked, StockAsked, change, create};
use crate::wire::shop::{ConfirmAsked, OrderAsked, PurchaseAsked, ReserveAsked};
use core::fmt::Debug;
use domain::time::Timestamp;

/// A request that has a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asking {
    /// `POST …/reservations`.
    Reserve,
    /// `POST …/purchases`.
    Purchase,
    /// `POST /v1/orders`.
    Order,
    /// `POST …/confirm`.
    Confirm,
    /// `POST /v1/bundles`.
    Bundle,
    /// `POST /v1/admin/items`.
    NewItem,
    /// `PATCH /v1/admin/items/{sku}`.
    Change,
    /// `POST …/stock`.
    Stock,
    /// `POST …/refund`.
    Refund,
    /// `POST …/settle`.
    Settle,
    /// `POST /v1/admin/endpoints`.
    Endpoint,
    /// `POST …/redeliver`.
    Redeliver,
    /// Requests that have nothing to say.
    Nothing,
}

/// Why a body is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedBody {
    /// The code, which decides the status.
    pub code: Code,
    /// The problem document as it would be sent.
    pub document: Vec<u8>,
}

impl Asking {
    /// Every one.
    pub const ALL: [Self; 13] = [
        Self::Reserve,
        Self::Purchase,
        Self::Order,
        Self::Confirm,
        Self::Bundle,
        Self::NewItem,
        Self::Change,
        Self::Stock,
        Self::Refund,
        Self::Settle,
        Self::Endpoint,
        Self::Redeliver,
        Self::Nothing,
    ];

    /// Reads a body; what was understood, as debugging output shows it.
    ///
    /// # Errors
    /// [`RefusedBody`], as a client would be told.
    pub fn read(self, body: &[u8]) -> Result<String, RefusedBody> {
        let body = JsonBody::of(body);
        let understood = match self {
            Self::Reserve => body.read(ReserveAsked::read).map(shown),
            Self::Purchase => body.read(PurchaseAsked::read).map(shown),
            Self::Order => body.read(OrderAsked::read).map(shown),
            Self::Confirm => body.read(ConfirmAsked::read).map(shown),
            Self::Bundle => body.read(BundleAsked::read).map(shown),
            Self::NewItem => body.read(create).map(shown),
            Self::Change => body.read(change).map(shown),
            Self::Stock => body.read(StockAsked::read).map(shown),
            Self::Refund => body.read(RefundAsked::read).map(shown),
            Self::Settle => body.read(SettleAsked::read).map(shown),
            Self::Endpoint => body.read(EndpointAsked::read).map(shown),
            Self::Redeliver => body.read(RedeliverAsked::read).map(shown),
            Self::Nothing => body.nothing().map(shown),
        };
        understood.map_err(|problem| refused(&problem))
    }
}

// By value, so that a reader can be followed by it.
fn shown<T: Debug>(value: T) -> String {
    format!("{value:?}")
}

fn refused(problem: &Problem) -> RefusedBody {
    let document = problem.render("none", &mut http::HeaderMap::new(), Timestamp::default);
    RefusedBody { code: problem.code(), document }
}
