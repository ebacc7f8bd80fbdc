//! The answer of a rush, in one piece.
//!
//! Nearly every answer of a sale is a reservation that is just held, or just waits. A serializer looks at each byte of each
//! of its names and texts, and takes longer over it than judging the request takes; here it is put together from its
//! texts. What it says is [`ReservationBody`](super::reservation::ReservationBody)'s to say: a test holds the two together.

use super::reservation::poll_after_ms;
use super::time::Rfc3339;
use bytes::Bytes;
use domain::identity::ReservationId;
use domain::views::{ReservationView, StateView};
use uuid::Uuid;

/// What a reservation's address begins with.
const ADDRESS: &str = "/v1/reservations/rsv_";

/// A reservation's address, without a formatter.
pub(crate) fn address(id: ReservationId) -> String {
    let mut buffer = Uuid::encode_buffer();
    [ADDRESS, id.uuid().simple().encode_lower(&mut buffer)].concat()
}

/// The answer that a reservation is made with, all of it in one piece of memory: a header more costs no allocation more.
pub(crate) struct Made {
    /// Its JSON.
    pub(crate) body: Bytes,
    /// Its address.
    pub(crate) address: Bytes,
    /// Its entity tag, as [`crate::answer::reservation_tag`] has it.
    pub(crate) etag: Bytes,
}

impl Made {
    /// `None` for whatever a serializer has to write.
    pub(crate) fn of(view: &ReservationView) -> Option<Self> {
        let (mut buffer, mut changed, mut position) = (Uuid::encode_buffer(), itoa::Buffer::new(), itoa::Buffer::new());
        let digits = view.id.uuid().simple().encode_lower(&mut buffer).as_bytes();
        let changed = changed.format(view.changed.0).as_bytes();
        let place: [&[u8]; 2] = match view.state {
            StateView::Waiting { position: place, .. } => [b"-", position.format(place).as_bytes()],
            StateView::Held { .. }
            | StateView::HeldInBundle
            | StateView::Confirmed
            | StateView::Cancelled
            | StateView::Expired
            | StateView::Lapsed(_) => [b"", b""],
        };
        let [dash, place] = place;
        let tail = [ADDRESS.as_bytes(), digits, b"W/\"", changed, dash, place, b"\""];
        let etag_len = tail.iter().skip(2).map(|piece| piece.len()).sum();
        let mut body = Bytes::from(written(view, tail)?);
        let etag = body.split_off(body.len().saturating_sub(etag_len));
        let address = body.split_off(body.len().saturating_sub(ADDRESS.len() + digits.len()));
        Some(Self { body, address, etag })
    }
}

/// What changes from one state to the other.
struct Line {
    state: &'static [u8],
    /// From the end of `expires_at` to that of `waitlist`.
    place: Vec<u8>,
    poll: Vec<u8>,
}

/// The JSON of a reservation that is held or waits, and nothing else. `None` for whatever a serializer has to write.
pub(crate) fn in_one_piece(view: &ReservationView) -> Option<Vec<u8>> {
    written(view, [b""; 7])
}

/// The same, and behind it whatever else is to be in the same memory.
fn written(view: &ReservationView, tail: [&[u8]; 7]) -> Option<Vec<u8>> {
    let (sku, customer) = (view.sku.as_str().as_bytes(), view.customer.as_str());
    // Both are printable ASCII; of that only these are written otherwise than they stand, and a name of an item has neither.
    if view.order.is_some() || view.bundle.is_some() || customer.contains(['"', '\\']) {
        return None;
    }
    let Line { state, place, poll } = Line::of(&view.state)?;
    let mut buffer = Uuid::encode_buffer();
    let digits = view.id.uuid().simple().encode_lower(&mut buffer).as_bytes();
    let (mut quantity, mut sequence) = (itoa::Buffer::new(), itoa::Buffer::new());
    let created_at = Rfc3339(view.created_at).text();
    let server_time = if view.at == view.created_at { created_at } else { Rfc3339(view.at).text() };
    let [t1, t2, t3, t4, t5, t6, t7] = tail;
    let pieces: [&[u8]; 32] = [
        b"{\"id\":\"rsv_",
        digits,
        b"\",\"state\":\"",
        state,
        b"\",\"item\":\"",
        sku,
        b"\",\"quantity\":",
        quantity.format(view.quantity.get()).as_bytes(),
        b",\"customer\":\"",
        customer.as_bytes(),
        b"\",\"sequence\":",
        sequence.format(view.sequence.0).as_bytes(),
        b",\"created_at\":\"",
        &created_at,
        b"\",\"expires_at\":",
        &place,
        b",\"order\":null,\"links\":{\"self\":\"/v1/reservations/rsv_",
        digits,
        b"\",\"item\":\"/v1/items/",
        sku,
        b"\"}",
        &poll,
        b",\"server_time\":\"",
        &server_time,
        b"\"}",
        t1,
        t2,
        t3,
        t4,
        t5,
        t6,
        t7,
    ];
    Some(pieces.concat())
}

impl Line {
    fn of(state: &StateView) -> Option<Self> {
        match *state {
            StateView::Held { expires_at } => {
                let place = [b"\"".as_slice(), &Rfc3339(expires_at).text(), b"\",\"waitlist\":null"].concat();
                Some(Self { state: b"held", place, poll: Vec::new() })
            }
            StateView::Waiting { position, estimated_wait_s } => {
                let ahead = position.saturating_sub(1);
                let place = format!(
                    "null,\"waitlist\":{{\"position\":{position},\"ahead\":{ahead},\"estimated_wait_s\":{estimated_wait_s},\"estimate\":\"rough\"}}"
                );
                let poll = format!(",\"poll_after_ms\":{}", poll_after_ms(estimated_wait_s));
                Some(Self { state: b"waiting", place: place.into_bytes(), poll: poll.into_bytes() })
            }
            StateView::HeldInBundle
            | StateView::Confirmed
            | StateView::Cancelled
            | StateView::Expired
            | StateView::Lapsed(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::reservation::ReservationBody;
    use super::*;
    use domain::event::LapseReason;
    use domain::identity::ItemKey;
    use domain::ids::{ItemNo, Ordinal, Seq};
    use domain::text::{CustomerId, Sku};
    use domain::time::Timestamp;
    use domain::units::Quantity;

    fn view(customer: &str, state: StateView, at: Timestamp) -> ReservationView {
        ReservationView {
            id: ReservationId::new(ItemNo::from_u32(7), Ordinal(41), &ItemKey::from_bytes([3; 32])),
            sku: Sku::parse("0.phone_x-1").expect("a name"),
            customer: CustomerId::parse(customer).expect("a customer"),
            quantity: Quantity::new(20).expect("a quantity"),
            state,
            created_at: Timestamp::from_millis(1_767_225_600_007),
            sequence: Seq(u64::MAX),
            changed: Seq(9),
            at,
            order: None,
            bundle: None,
        }
    }

    #[test]
    fn what_is_written_in_one_piece_is_what_a_serializer_writes() {
        let (then, later) = (Timestamp::from_millis(1_767_225_600_007), Timestamp::MAX);
        let held = [then, later].map(|expires_at| StateView::Held { expires_at });
        let waiting = [(0, 0), (1, 59), (u32::MAX, u32::MAX)]
            .map(|(position, estimated_wait_s)| StateView::Waiting { position, estimated_wait_s });
        for state in held.into_iter().chain(waiting) {
            for customer in ["c", "a/b<c>&'d'{e}~!", "user@example.com"] {
                for at in [then, later] {
                    let view = view(customer, state, at);
                    let serialized = serde_json::to_string(&ReservationBody::from(&view)).expect("JSON");
                    let written = in_one_piece(&view).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
                    assert_eq!(written, Some(serialized));
                }
            }
        }
    }

    #[test]
    fn what_is_made_has_the_body_the_address_and_the_tag_that_it_is_read_with() {
        let waiting = StateView::Waiting { position: 42, estimated_wait_s: 7 };
        for state in [StateView::Held { expires_at: Timestamp::MAX }, waiting] {
            let view = view("c", state, Timestamp::MAX);
            let made = Made::of(&view).expect("in one piece");
            assert_eq!(Some(made.body.to_vec()), in_one_piece(&view));
            assert_eq!(made.address, address(view.id));
            assert_eq!(made.etag, crate::answer::reservation_tag(&view));
        }
        assert!(Made::of(&view("c", StateView::Confirmed, Timestamp::MAX)).is_none());
    }

    #[test]
    fn an_address_ends_with_the_id_as_it_is_shown() {
        let id = view("c", StateView::Confirmed, Timestamp::MAX).id;
        assert_eq!(address(id), format!("/v1/reservations/{id}"));
    }

    #[test]
    fn what_has_more_to_say_or_has_to_be_escaped_is_left_to_the_serializer() {
        let held = StateView::Held { expires_at: Timestamp::MAX };
        for customer in ["quo\"te", "back\\slash"] {
            assert_eq!(in_one_piece(&view(customer, held, Timestamp::MAX)), None, "{customer}");
        }
        for state in [
            StateView::HeldInBundle,
            StateView::Confirmed,
            StateView::Cancelled,
            StateView::Expired,
            StateView::Lapsed(LapseReason::SaleClosed),
        ] {
            assert_eq!(in_one_piece(&view("c", state, Timestamp::MAX)), None);
        }
        let bundle = domain::identity::BundleId::new(domain::ids::PartitionNo(0), 5);
        let bundled = ReservationView { bundle: Some(bundle), ..view("c", held, Timestamp::MAX) };
        assert_eq!(in_one_piece(&bundled), None);
        let order = domain::views::OrderSummary {
            id: domain::identity::OrderId::of(bundled.id),
            state: domain::views::OrderState::Paid,
            amount: domain::money::Money {
                minor: 1,
                currency: domain::money::Currency::parse("EUR").expect("a currency"),
            },
        };
        let ordered = ReservationView { order: Some(order), ..view("c", held, Timestamp::MAX) };
        assert_eq!(in_one_piece(&ordered), None);
    }
}
