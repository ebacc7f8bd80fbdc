//! The one list of problem codes: status, whether to try again, and what to tell people.

use http::StatusCode;

/// Whether and how to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Not like this: the request, or what it asks for, has to change first.
    Never,
    /// The same request with the same idempotency key: it may have happened, and then gets its answer.
    SameKey,
    /// The same request later: after `Retry-After` where given, else when what stood in the way is gone.
    After,
}

impl Retry {
    /// The word the API uses.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::SameKey => "same-key",
            Self::After => "after",
        }
    }
}

macro_rules! codes {
    ($($variant:ident $name:literal $status:ident $retry:ident $title:literal $meaning:literal $remedy:literal)*) => {
        /// Why a request was not done. The names and statuses are a contract (docs/api.md).
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Code {
            $(#[doc = $title] $variant,)*
        }

        impl Code {
            /// Every code.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name in bodies and in `/problems/<name>`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The status it is answered with.
            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)* }
            }

            /// Whether and how to try again.
            #[must_use]
            pub const fn retry(self) -> Retry {
                match self { $(Self::$variant => Retry::$retry,)* }
            }

            /// A short title, the same for every occurrence.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }

            /// What it means, for people.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)* }
            }

            /// What to do about it, for people.
            #[must_use]
            pub const fn remedy(self) -> &'static str {
                match self { $(Self::$variant => $remedy,)* }
            }
        }
    };
}

codes! {
    MalformedRequest "malformed_request" BAD_REQUEST Never "Malformed request"
        "The body cannot be read as JSON, has a name twice, or a header is not what it should be."
        "Mend the request; the detail says where it broke."
    IdempotencyKeyMissing "idempotency_key_missing" BAD_REQUEST Never "Idempotency key missing"
        "This request changes something and came without an Idempotency-Key header."
        "Send one: a fresh UUID for every new intention, the same again for every retry of it."
    IdempotencyKeyInvalid "idempotency_key_invalid" BAD_REQUEST Never "Idempotency key invalid"
        "The Idempotency-Key header is not 16 to 255 printable ASCII characters, or came more than once."
        "Send one key; a UUID is a good one."
    Unauthenticated "unauthenticated" UNAUTHORIZED Never "Not authenticated"
        "The request does not say who is asking in a way that is believed here."
        "Come through the gateway, or show the token: it lies in the data directory unless one is configured."
    Forbidden "forbidden" FORBIDDEN Never "Not allowed"
        "Who is asking is known, and may not do this."
        "Use a credential that may."
    SaleNotStarted "sale_not_started" FORBIDDEN After "The sale has not started"
        "Nothing can be reserved before the sale opens."
        "Come back at opens_at; without it, when an operator opens the sale."
    SalePaused "sale_paused" FORBIDDEN After "The sale is paused"
        "An operator has paused the sale. Existing holds, orders and payments go on."
        "Try again a little later."
    SaleClosed "sale_closed" FORBIDDEN Never "The sale is over"
        "The sale has closed, for good."
        "Stop."
    NotFound "not_found" NOT_FOUND Never "Not found"
        "There is nothing here, or it belongs to somebody else."
        "Check the address, the id and the customer; customers and operators are served at different addresses."
    MethodNotAllowed "method_not_allowed" METHOD_NOT_ALLOWED Never "Method not allowed"
        "This address does not take this method."
        "Use one of those in the Allow header."
    NotAcceptable "not_acceptable" NOT_ACCEPTABLE Never "Not acceptable"
        "The Accept header excludes JSON, and there is nothing else."
        "Accept application/json and application/problem+json."
    RequestTimeout "request_timeout" REQUEST_TIMEOUT SameKey "The request took too long to arrive"
        "The body did not arrive in time. Nothing happened."
        "Send it again, faster."
    SoldOut "sold_out" CONFLICT After "Sold out"
        "No unit is free for a newcomer: all are held or sold, or promised to those who wait. It can resolve when holds end."
        "Try again later, or join the waitlist where the item has one."
    InsufficientStock "insufficient_stock" CONFLICT After "Not enough stock"
        "Fewer units are free, or will ever be, than were asked for."
        "Ask for at most available; for more only where retry says after, when holds have ended."
    CustomerLimitReached "customer_limit_reached" CONFLICT Never "Customer limit reached"
        "With this, the customer would have, or be promised, more units of the item than one customer can have."
        "Ask for fewer, or use or cancel what there is."
    WaitlistFull "waitlist_full" CONFLICT After "The waitlist is full"
        "Nothing is free, and nobody can wait any more."
        "Try again later."
    HoldExpired "hold_expired" CONFLICT Never "The hold is over"
        "The reservation is over, and there is no hold to order or extend: its time ran out, it was cancelled, or it never got its turn."
        "Look at state, and reserve anew if the sale goes on."
    HoldNotGranted "hold_not_granted" CONFLICT After "Still waiting"
        "The reservation is on the waitlist; there is no hold to use yet."
        "Wait until it is promoted."
    HoldAlreadyUsed "hold_already_used" CONFLICT Never "The hold was used"
        "The reservation is paid and the sale is final, so there is no hold left to extend."
        "Read the order."
    PaymentAlreadyUsed "payment_already_used" CONFLICT Never "The payment was used"
        "This payment has paid another order already."
        "Report each payment for the order it paid."
    PaymentClosed "payment_closed" CONFLICT Never "Payment closed"
        "This payment cannot be used any more: its order is over, or was paid."
        "Read the order."
    TooManyEndpoints "too_many_endpoints" CONFLICT Never "Too many endpoints"
        "There are as many outgoing endpoints as there can be."
        "Remove one first, or put a message broker behind one."
    NotRefundable "not_refundable" CONFLICT Never "Not refundable"
        "There is no money of this order that could go back."
        "Read the order: it says where its money is."
    PartOfBundle "part_of_bundle" CONFLICT Never "Part of a bundle"
        "The reservation belongs to a bundle, which is ordered, paid and cancelled as a whole."
        "Use the bundle that the problem names."
    BundleUnavailable "bundle_unavailable" CONFLICT After "Bundle unavailable"
        "Not every line of the bundle can be had, so none is held."
        "Look at lines: each says why. Ask for less, or again when it can be had."
    WebhookSignatureInvalid "webhook_signature_invalid" UNAUTHORIZED Never "Webhook signature invalid"
        "The webhook is not signed with a secret that is configured, or its timestamp is too old or too new. Nothing was recorded."
        "Check the secret and the clocks of both sides; sign the raw body."
    NotCancellable "not_cancellable" CONFLICT Never "Cannot be cancelled"
        "The reservation is over: it was paid, its time ran out, or the sale ended before its turn."
        "Read the reservation."
    ExtensionRefused "extension_refused" CONFLICT Never "No extension"
        "The hold cannot be extended: none is left, its deadline has passed, or it is still waiting."
        "Order and pay before expires_at."
    CoolingOff "cooling_off" CONFLICT After "Cooling off"
        "Too many holds of this customer ran out unpaid, one after the other."
        "Come back at until."
    ItemExists "item_exists" CONFLICT Never "The item exists"
        "There is an item of this name already."
        "Change it with PATCH, or choose another sku."
    ItemFull "item_full" CONFLICT Never "The item is full"
        "The item has taken as many reservations as it can in its life."
        "Operators can sell what is left as a new item."
    PhaseConflict "phase_conflict" CONFLICT Never "Not in this phase"
        "The sale is in a phase in which this cannot be done, or this setting not be changed."
        "Read the item; see the phase."
    StockInUse "stock_in_use" CONFLICT After "Stock in use"
        "More units than are free cannot be taken away."
        "Take away at most available, or wait for holds to end."
    PreconditionFailed "precondition_failed" PRECONDITION_FAILED Never "Changed meanwhile"
        "The item is not at the revision that If-Match names."
        "Read it again, look at what changed, and decide anew."
    ContentTooLarge "content_too_large" PAYLOAD_TOO_LARGE Never "Body too large"
        "The body is larger than any request of this API can be."
        "Send less."
    UriTooLong "uri_too_long" URI_TOO_LONG Never "Address too long"
        "The request's address is longer than any of this API."
        "Mend the address."
    UnsupportedMediaType "unsupported_media_type" UNSUPPORTED_MEDIA_TYPE Never "Not JSON"
        "The body's Content-Type is not JSON."
        "Send Content-Type: application/json, and no Content-Encoding."
    ValidationFailed "validation_failed" UNPROCESSABLE_ENTITY Never "Validation failed"
        "The request is well formed, but values in it are not what they should be."
        "Mend what errors lists; each entry points at its place."
    IdempotencyKeyReused "idempotency_key_reused" UNPROCESSABLE_ENTITY Never "Idempotency key reused"
        "The same key came before with other content. The first request stands; this one was not done."
        "Look whether the first request was meant. If this one is another intention, send it with a key of its own."
    AmountMismatch "amount_mismatch" UNPROCESSABLE_ENTITY Never "Wrong amount"
        "The amount named is not what it costs. Nothing was recorded."
        "Use the expected amount, or name none."
    PreconditionRequired "precondition_required" PRECONDITION_REQUIRED Never "If-Match required"
        "A change of an item has to say which revision it changes, so that nobody overwrites what they have not seen."
        "Send If-Match with the ETag of the item as you read it."
    HeaderFieldsTooLarge "header_fields_too_large" REQUEST_HEADER_FIELDS_TOO_LARGE Never "Headers too large"
        "The request has too many header fields, or they are too large together."
        "Send fewer; cookies are not needed here."
    Internal "internal" INTERNAL_SERVER_ERROR SameKey "Internal error"
        "A bug. It may have happened."
        "Retry with the same idempotency key, and report the request_id."
    ItemStopped "item_stopped" INTERNAL_SERVER_ERROR SameKey "The item has stopped"
        "The item found itself broken and stopped, or is being rebuilt from its log. It may have happened."
        "Retry with the same idempotency key; operators see the item in /readyz."
    Overloaded "overloaded" SERVICE_UNAVAILABLE After "Overloaded"
        "The request was refused before it was judged. Nothing happened."
        "Retry after Retry-After, with the same key."
    Draining "draining" SERVICE_UNAVAILABLE After "Shutting down"
        "This process is stopping and takes no new work. Nothing happened."
        "Retry after Retry-After, with the same key."
    NotOwner "not_owner" SERVICE_UNAVAILABLE After "Not the owner"
        "This process has let go of the item's log to another one. Nothing happened."
        "Retry after Retry-After, with the same key; the owner will answer."
    OutcomeUnknown "outcome_unknown" GATEWAY_TIMEOUT SameKey "Outcome unknown"
        "No answer came in time. It may have happened."
        "Retry with the same idempotency key: it has one effect, and you get its answer."
}

impl Code {
    /// The code of this name.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.name() == name)
    }

    /// What a refusal is called that the router or a library made, and that says nothing but its status.
    #[must_use]
    pub(crate) fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::NotFound,
            StatusCode::METHOD_NOT_ALLOWED => Self::MethodNotAllowed,
            status if status.is_client_error() => Self::MalformedRequest,
            _ => Self::Internal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found_again() {
        for (at, code) in Code::ALL.iter().enumerate() {
            assert_eq!(Code::find(code.name()), Some(*code));
            let twins = Code::ALL.iter().skip(at + 1).filter(|other| other.name() == code.name());
            assert_eq!(twins.count(), 0, "{}", code.name());
        }
    }

    #[test]
    fn what_may_have_happened_is_retried_with_the_same_key_and_what_did_not_may_come_again_later() {
        for code in Code::ALL {
            match code.status().as_u16() {
                500 | 504 => assert_eq!(code.retry(), Retry::SameKey, "{}", code.name()),
                503 => assert_eq!(code.retry(), Retry::After, "{}", code.name()),
                _ => assert!(code.status().is_client_error(), "{}", code.name()),
            }
        }
    }
}
