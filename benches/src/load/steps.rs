//! What customers do with what they hold: order it, pay for it, or let it go.

/// A step behind the reservation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// An order is placed.
    Order,
    /// It is paid for, as a backend tells that charges by itself.
    Payment,
    /// The hold is given back.
    Cancellation,
}

/// The request of a step.
#[derive(Debug)]
pub struct Request {
    /// Which step.
    pub step: Step,
    /// As it is sent.
    pub text: String,
}

impl Request {
    /// Somebody orders what they hold.
    #[must_use]
    pub fn order(name: &str, id: u128) -> Self {
        let who = format!("{name}\r\nidempotency-key: order-{id:032x}");
        let body = format!(r#"{{"reservation":"rsv_{id:032x}"}}"#);
        Self::new(Step::Order, "POST /v1/orders", &who, &body)
    }

    /// A backend with this token tells that somebody has paid for what they hold.
    #[must_use]
    pub fn payment(name: &str, id: u128, token: &str) -> Self {
        let who = format!("{name}\r\nauthorization: Bearer {token}\r\nidempotency-key: pay-{id:032x}");
        let body = format!(r#"{{"payment_reference":"pay-{id:032x}"}}"#);
        Self::new(Step::Payment, &format!("POST /v1/orders/ord_{id:032x}/confirm"), &who, &body)
    }

    /// Somebody gives back what they hold.
    #[must_use]
    pub fn cancellation(name: &str, id: u128) -> Self {
        Self::new(Step::Cancellation, &format!("DELETE /v1/reservations/rsv_{id:032x}"), name, "")
    }

    fn new(step: Step, what: &str, who: &str, body: &str) -> Self {
        let content = if body.is_empty() { "" } else { "content-type: application/json\r\n" };
        let length = body.len();
        let text = format!(
            "{what} HTTP/1.1\r\nhost: bench\r\nx-customer-id: {who}\r\n{content}content-length: {length}\r\n\r\n{body}"
        );
        Self { step, text }
    }
}
