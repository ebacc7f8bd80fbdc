//! `Prefer: receipt`: where in the log an acceptance stands, for whoever wants to check it later (docs/replay.md).

use super::conditions::preferences;
use crate::app::SharedApp;
use crate::problem::Problem;
use axum::extract::FromRequestParts;
use axum::response::Response;
use domain::command::Command;
use domain::idempotency::Attempt;
use domain::views::Judgement;
use engine::Receipt;
use engine::handle::ItemHandle;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};

const RECEIPT: HeaderName = HeaderName::from_static("receipt");

/// Whether a receipt is wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Receipts(bool);

/// The receipt that came, if it was wanted and there is one.
#[derive(Debug, Default)]
pub(crate) struct Received(Option<Receipt>);

impl Receipts {
    /// Whether these headers ask for one.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        Self(preferences(headers).any(|(name, _)| name.eq_ignore_ascii_case("receipt")))
    }

    /// Has an item judge a command, and asks for a receipt if one is wanted.
    ///
    /// # Errors
    /// As [`ItemHandle::command`].
    pub(crate) async fn command(
        self,
        item: &ItemHandle,
        command: Command,
        attempt: Option<&Attempt>,
    ) -> Result<(Judgement, Received), Problem> {
        if !self.0 {
            return Ok((item.command(command, attempt).await?, Received::default()));
        }
        let (reply, receipt) = item.command_with_receipt(command, attempt).await;
        Ok((reply?, Received(receipt)))
    }
}

impl Received {
    /// The response with the receipt in its header.
    pub(crate) fn onto(self, mut response: Response) -> Response {
        // Its parts are digits and names of items, which a header takes.
        if let Some(value) = self.0.and_then(|receipt| HeaderValue::try_from(receipt.to_string()).ok()) {
            response.headers_mut().insert(RECEIPT, value);
        }
        response
    }
}

impl FromRequestParts<SharedApp> for Receipts {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &SharedApp) -> Result<Self, Problem> {
        Ok(Self::of(&parts.headers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_is_wanted_by_whoever_names_it_in_whatever_way_preferences_are_named() {
        let wants = |value: &'static str| {
            Receipts::of(&HeaderMap::from_iter([(HeaderName::from_static("prefer"), HeaderValue::from_static(value))]))
                .0
        };
        for yes in ["receipt", "Receipt", "wait=5, receipt", "receipt; of=all", "receipt=\"\""] {
            assert!(wants(yes), "{yes}");
        }
        for no in ["", "receipts", "wait=receipt", "x; receipt"] {
            assert!(!wants(no), "{no}");
        }
    }
}
