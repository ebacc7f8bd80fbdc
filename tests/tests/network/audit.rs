//! Judges one simulation by the log alone, counting on its own: what was acknowledged is there, nothing more is, and no
//! unit is out twice.

use super::customer::{SKU, Settled};
use domain::event::Event;
use domain::identity::ReservationId;
use domain::payment::PaymentEvent;
use eventlog::events::decoded_events;
use eventlog::{MemoryDisk, RecordNo, StreamEvent};
use http::{Method, StatusCode};
use std::collections::{BTreeMap, BTreeSet};

/// What the log says of one item.
#[derive(Default)]
pub(crate) struct Books {
    total: i64,
    out: i64,
    /// Customer, quantity and place in the log of every reservation, by its ordinal.
    reservations: BTreeMap<u32, (String, u32, u64)>,
    ended: BTreeSet<u32>,
    paid: BTreeSet<u32>,
    /// Whose money goes back.
    due: BTreeSet<u32>,
    pub(crate) events: usize,
}

impl Books {
    /// Reads the log.
    pub(crate) fn of(disk: &MemoryDisk) -> Self {
        let mut books = Self::default();
        for event in decoded_events(disk, RecordNo(1)) {
            let event = event.expect("a log of whole records");
            books.events += 1;
            if let StreamEvent::Item(recorded) = event.event {
                books.take(recorded.seq.0, &recorded.event);
                assert!((0..=books.total).contains(&books.out), "{} of {} units are out", books.out, books.total);
            }
        }
        books
    }

    fn reserve(&mut self, ordinal: u32, customer: &str, quantity: u32, seq: u64) {
        let before = self.reservations.insert(ordinal, (customer.to_owned(), quantity, seq));
        assert_eq!(before, None, "one ordinal, one reservation");
    }

    fn quantity(&self, ordinal: u32) -> i64 {
        self.reservations.get(&ordinal).map_or(0, |(_, quantity, _)| i64::from(*quantity))
    }

    fn take(&mut self, seq: u64, event: &Event) {
        match event {
            Event::ItemCreated { spec, .. } => self.total = i64::from(spec.total.get()),
            Event::HoldPlaced { reservation, customer, quantity, .. } => {
                self.reserve(reservation.0, customer.as_str(), quantity.get(), seq);
                self.out += i64::from(quantity.get());
            }
            Event::WaitlistJoined { reservation, customer, quantity, .. } => {
                self.reserve(reservation.0, customer.as_str(), quantity.get(), seq);
            }
            Event::HoldPromoted { reservation, .. } => self.out += self.quantity(reservation.0),
            Event::HoldExpired { reservation, released, .. }
            | Event::ReservationCancelled { reservation, released } => {
                self.ended.insert(reservation.0);
                self.out -= i64::from(released.get());
            }
            Event::WaitlistLapsed { reservation, .. } => drop(self.ended.insert(reservation.0)),
            Event::Payment { reservation, event } => match &**event {
                PaymentEvent::Captured { .. } => drop(self.paid.insert(reservation.0)),
                PaymentEvent::LateHonoured { .. } => {
                    self.paid.insert(reservation.0);
                    self.out += self.quantity(reservation.0);
                }
                PaymentEvent::RefundDue { .. } => drop(self.due.insert(reservation.0)),
                PaymentEvent::OrderRefunded { released, .. } => self.out -= i64::from(released.get()),
                PaymentEvent::Parked { .. }
                | PaymentEvent::Unclaimed { .. }
                | PaymentEvent::Offered { .. }
                | PaymentEvent::RefundSettled { .. }
                | PaymentEvent::Failed { .. }
                | PaymentEvent::RefundReported { .. }
                | PaymentEvent::Noted { .. }
                | PaymentEvent::Disputed { .. } => {}
            },
            Event::PurchaseConfirmed { .. }
            | Event::StockAdjusted { .. }
            | Event::PartHeld { .. }
            | Event::PartSettled { .. } => panic!("nobody asked for {event:?}"),
            Event::ItemRevised { .. }
            | Event::SaleOpened { .. }
            | Event::SalePaused
            | Event::SaleResumed
            | Event::SaleClosed { .. }
            | Event::HoldExtended { .. }
            | Event::OrderPlaced { .. }
            | Event::ClockResumed { .. } => {}
        }
    }

    /// Compares with what customers were told. Every request was asked until it was settled, so the log has the
    /// reservations that were acknowledged and no other.
    pub(crate) fn agree_with(&self, settled: &[Settled]) {
        let mut acknowledged = BTreeSet::new();
        for Settled { asked, told } in settled.iter().filter(|settled| settled.told.status.is_success()) {
            let id = told.text_of("id");
            if asked.path == format!("/v1/items/{SKU}/reservations") {
                let ordinal = ReservationId::parse(&id).expect("an id").ordinal().0;
                let (customer, quantity, seq) =
                    self.reservations.get(&ordinal).unwrap_or_else(|| panic!("lost: {told:?}"));
                let told_of = (told.text_of("customer"), told.number_of("quantity"), told.number_of("sequence"));
                assert_eq!(told_of, (customer.clone(), u64::from(*quantity), *seq), "the log says otherwise");
                assert_eq!(*customer, asked.customer);
                assert!(acknowledged.insert(ordinal), "two keys have one reservation: {told:?}");
            } else if asked.method == Method::DELETE && told.text_of("state") == "cancelled" {
                let ordinal = ReservationId::parse(&id).expect("an id").ordinal().0;
                assert!(self.ended.contains(&ordinal), "a cancellation is lost: {told:?}");
            } else if asked.as_service && told.status == StatusCode::OK {
                let reservation = ReservationId::parse(&told.text_of("reservation")).expect("an id").ordinal().0;
                let money = if told.text_of("state") == "paid" { &self.paid } else { &self.due };
                assert!(money.contains(&reservation), "a payment is lost: {told:?}");
            }
        }
        let held: BTreeSet<u32> = self.reservations.keys().copied().collect();
        assert_eq!(held, acknowledged, "a key had more than one effect, or an effect nobody asked for");
    }
}
