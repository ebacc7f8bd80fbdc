//! What the log's own decoder read, in the auditor's words: the only place where both are known, so that a test can
//! hold them against each other, field by field.

use auditor as seen;
use domain::command::WaitlistChoice;
use domain::endpoint::{DisabledBy, EndpointEvent, Notice};
use domain::event::{ClosedBy, Event, LapseReason, OpenedBy, PartDecision, PartitionEvent, Recorded};
use domain::ids::ItemNo;
use domain::money::Money;
use domain::payment::{
    Capture, LateRefusal, PaymentEvent, PaymentReport, Provider, RefundReason, RefundedBy, SettledBy, Told,
    UnclaimedBecause,
};
use domain::policy::Settings;
use eventlog::StreamEvent;

/// The event as the auditor should have read it.
pub(crate) fn mapped(item: ItemNo, event: &StreamEvent) -> seen::Event {
    match event {
        StreamEvent::Item(recorded) => framed(item, recorded, item_body(&recorded.event)),
        StreamEvent::Partition(recorded) => framed(item, recorded, partition_body(&recorded.event)),
    }
}

fn framed<E>(item: ItemNo, recorded: &Recorded<E>, body: seen::Body) -> seen::Event {
    let key = recorded.idempotency.map(|found| seen::Key { request: found.request.0, content: found.content.0 });
    seen::Event { item: item.as_u32(), seq: recorded.seq.0, at: recorded.at.as_millis(), key, body }
}

fn item_body(event: &Event) -> seen::Body {
    use seen::Body;
    match event {
        Event::ItemCreated { spec, key } => Body::ItemCreated {
            sku: spec.sku.as_str().to_owned(),
            total: spec.total.get(),
            settings: Box::new(settings(&spec.settings)),
            key: *key.as_bytes(),
        },
        Event::ItemRevised { settings: new } => Body::ItemRevised { settings: Box::new(settings(new)) },
        Event::SaleOpened { by: OpenedBy::Operator } => Body::SaleOpened { by: seen::OpenedBy::Operator },
        Event::SaleOpened { by: OpenedBy::Schedule } => Body::SaleOpened { by: seen::OpenedBy::Schedule },
        Event::SalePaused => Body::SalePaused,
        Event::SaleResumed => Body::SaleResumed,
        Event::SaleClosed { by, lapsed } => {
            let by = match by {
                ClosedBy::Operator => seen::ClosedBy::Operator,
                ClosedBy::Schedule => seen::ClosedBy::Schedule,
                ClosedBy::SoldOut => seen::ClosedBy::SoldOut,
            };
            Body::SaleClosed { by, lapsed: *lapsed }
        }
        Event::StockAdjusted { change, reason, total } => {
            Body::StockAdjusted { change: change.get(), reason: reason.as_str().to_owned(), total: total.get() }
        }
        Event::ClockResumed { from, to, release_floor } => Body::ClockResumed {
            from_ms: from.as_millis(),
            to_ms: to.as_millis(),
            release_floor_ms: release_floor.as_millis(),
        },
        Event::Payment { reservation, event } => {
            Body::Payment { owner: reservation.0, event: Box::new(payment(event)) }
        }
        sale => sale_body(sale),
    }
}

fn sale_body(event: &Event) -> seen::Body {
    use seen::Body;
    match event {
        Event::HoldPlaced { reservation, customer, quantity, waitlist, deadline } => Body::HoldPlaced {
            reservation: reservation.0,
            customer: customer.as_str().to_owned(),
            quantity: quantity.get(),
            declines_waitlist: *waitlist == WaitlistChoice::Decline,
            deadline_ms: deadline.as_millis(),
        },
        Event::WaitlistJoined { reservation, customer, quantity, position, available } => Body::WaitlistJoined {
            reservation: reservation.0,
            customer: customer.as_str().to_owned(),
            quantity: quantity.get(),
            position: *position,
            available: available.get(),
        },
        Event::PurchaseConfirmed { reservation, customer, quantity, capture: paid, payment_named, amount_named } => {
            Body::PurchaseConfirmed(Box::new(seen::Purchase {
                reservation: reservation.0,
                customer: customer.as_str().to_owned(),
                quantity: quantity.get(),
                capture: capture(paid),
                payment_named: *payment_named,
                amount_named: *amount_named,
            }))
        }
        Event::ReservationCancelled { reservation, released } => {
            Body::ReservationCancelled { reservation: reservation.0, released: released.get() }
        }
        Event::HoldExtended { reservation, deadline } => {
            Body::HoldExtended { reservation: reservation.0, deadline_ms: deadline.as_millis() }
        }
        Event::OrderPlaced { reservation, amount, release_at, amount_named } => Body::OrderPlaced {
            reservation: reservation.0,
            amount: money(*amount),
            release_at_ms: release_at.as_millis(),
            amount_named: *amount_named,
        },
        Event::PartHeld { reservation, customer, quantity, bundle } => Body::PartHeld {
            reservation: reservation.0,
            customer: customer.as_str().to_owned(),
            quantity: quantity.get(),
            bundle: bundle.as_u128(),
        },
        Event::PartSettled { reservation, bundle, decision, released } => Body::PartSettled {
            reservation: reservation.0,
            bundle: bundle.as_u128(),
            decision: decided(*decision),
            released: released.get(),
        },
        Event::HoldExpired { reservation, release_at, released } => Body::HoldExpired {
            reservation: reservation.0,
            release_at_ms: release_at.as_millis(),
            released: released.get(),
        },
        Event::HoldPromoted { reservation, deadline, because } => {
            Body::HoldPromoted { reservation: reservation.0, deadline_ms: deadline.as_millis(), because: because.0 }
        }
        Event::WaitlistLapsed { reservation, reason } => Body::WaitlistLapsed {
            reservation: reservation.0,
            can_never_be_served: *reason == LapseReason::CanNeverBeServed,
        },
        other => panic!("{other:?} is none of a sale's main line"),
    }
}

const fn decided(decision: PartDecision) -> seen::Decision {
    match decision {
        PartDecision::Sold => seen::Decision::Sold,
        PartDecision::Expired => seen::Decision::Expired,
        PartDecision::Cancelled => seen::Decision::Cancelled,
        PartDecision::Abandoned => seen::Decision::Abandoned,
        PartDecision::Returned => seen::Decision::Returned,
    }
}

fn partition_body(event: &PartitionEvent) -> seen::Body {
    use seen::Body;
    match event {
        PartitionEvent::ItemRegistered { item, sku } => {
            Body::ItemRegistered { item: item.as_u32(), sku: sku.as_str().to_owned() }
        }
        PartitionEvent::PartitionKeyed { key } => Body::PartitionKeyed { key: *key.as_bytes() },
        PartitionEvent::BundleHeld { bundle, held, amount, deadline } => Body::BundleHeld {
            bundle: bundle.0,
            held: Box::new(seen::Bundle {
                id: held.id.as_u128(),
                customer: held.customer.as_str().to_owned(),
                lines: held.lines.iter().map(line).collect(),
                hold_time_ms: held.terms.hold_time.as_millis(),
                grace_ms: held.terms.grace.as_millis(),
                parked_window_ms: held.terms.parked_window.as_millis(),
                provider: held.terms.provider.map(provider),
            }),
            amount: money(*amount),
            deadline_ms: deadline.as_millis(),
        },
        PartitionEvent::BundleOrdered { bundle, amount, release_at, amount_named } => Body::BundleOrdered {
            bundle: bundle.0,
            amount: money(*amount),
            release_at_ms: release_at.as_millis(),
            amount_named: *amount_named,
        },
        PartitionEvent::BundleCancelled { bundle } => Body::BundleCancelled { bundle: bundle.0 },
        PartitionEvent::BundleExpired { bundle, release_at } => {
            Body::BundleExpired { bundle: bundle.0, release_at_ms: release_at.as_millis() }
        }
        PartitionEvent::Payment { bundle, event } => Body::Payment { owner: bundle.0, event: Box::new(payment(event)) },
        PartitionEvent::PaymentUnmatched { order, report: told } => {
            Body::PaymentUnmatched { order: order.as_u128(), report: Box::new(report(told)) }
        }
        PartitionEvent::Endpoint { endpoint: no, event } => {
            Body::Endpoint { endpoint: no.0, event: Box::new(endpoint(event)) }
        }
        PartitionEvent::ClockResumed { from, to, release_floor } => Body::ClockResumed {
            from_ms: from.as_millis(),
            to_ms: to.as_millis(),
            release_floor_ms: release_floor.as_millis(),
        },
    }
}

fn line(line: &domain::bundle::BundleLine) -> seen::BundleLine {
    seen::BundleLine {
        sku: line.sku.as_str().to_owned(),
        reservation: line.reservation.as_u128(),
        quantity: line.quantity.get(),
        amount: money(line.amount),
    }
}

fn endpoint(event: &EndpointEvent) -> seen::Endpoint {
    match event {
        EndpointEvent::Added { url, notices, secret } => {
            let number = |notice: &Notice| Notice::ALL.iter().position(|known| known == notice).expect("it is listed");
            let types = notices.iter().map(|notice| u8::try_from(number(notice) + 1).expect("few"));
            seen::Endpoint::Added { url: url.as_str().to_owned(), types: types.collect(), secret: *secret.as_bytes() }
        }
        EndpointEvent::SecretRotated { secret } => seen::Endpoint::SecretRotated { secret: *secret.as_bytes() },
        EndpointEvent::Disabled { by: DisabledBy::Operator } => seen::Endpoint::Disabled { by: 1 },
        EndpointEvent::Disabled { by: DisabledBy::Gone } => seen::Endpoint::Disabled { by: 2 },
        EndpointEvent::Disabled { by: DisabledBy::Unreachable } => seen::Endpoint::Disabled { by: 3 },
        EndpointEvent::Enabled => seen::Endpoint::Enabled,
        EndpointEvent::Removed => seen::Endpoint::Removed,
    }
}

fn money(amount: Money) -> seen::Money {
    let currency = amount.currency.as_str().as_bytes().try_into().expect("three letters");
    seen::Money { minor: amount.minor, currency }
}

const fn provider(provider: Provider) -> seen::Provider {
    match provider {
        Provider::External => seen::Provider::External,
        Provider::Simulated => seen::Provider::Simulated,
        Provider::Generic => seen::Provider::Generic,
        Provider::Stripe => seen::Provider::Stripe,
    }
}

fn capture(capture: &Capture) -> seen::Capture {
    seen::Capture {
        provider: provider(capture.provider),
        payment: capture.payment.as_str().to_owned(),
        report: capture.report.as_ref().map(|report| report.as_str().to_owned()),
        amount: money(capture.amount),
    }
}

fn report(report: &PaymentReport) -> seen::PaymentReport {
    seen::PaymentReport {
        provider: provider(report.provider),
        report: report.report.as_str().to_owned(),
        payment: report.payment.as_str().to_owned(),
        told: match report.told {
            Told::Captured(amount) => seen::Told::Captured(money(amount)),
            Told::Failed => seen::Told::Failed,
            Told::Cancelled => seen::Told::Cancelled,
            Told::Refunded(amount) => seen::Told::Refunded(money(amount)),
        },
    }
}

fn settings(settings: &Settings) -> seen::Settings {
    let policy = &settings.policy;
    seen::Settings {
        name: settings.name.as_str().to_owned(),
        unit_price: money(settings.unit_price),
        per_order_max: policy.per_order_max.get(),
        per_customer_limit: policy.per_customer_limit.get(),
        hold_time_ms: policy.hold_time.as_millis(),
        grace_ms: policy.grace.as_millis(),
        waitlist_enabled: policy.waitlist.enabled,
        waitlist_capacity: policy.waitlist.capacity,
        extension_times: policy.extension.times,
        extension_by_ms: policy.extension.by.as_millis(),
        cool_off_after_expiries: policy.cool_off.after_expiries,
        cool_off_lasts_ms: policy.cool_off.lasts.as_millis(),
        close_when_sold: policy.close_when_sold,
        opens_at_ms: settings.opens_at.map(|at| at.as_millis()),
        closes_at_ms: settings.closes_at.map(|at| at.as_millis()),
        provider: policy.payments.provider.map(provider),
        honours_late: policy.payments.honour_late,
        parked_window_ms: policy.payments.parked_window.as_millis(),
    }
}

fn reason(reason: RefundReason) -> seen::Reason {
    let (code, expected) = match reason {
        RefundReason::WrongAmount { expected } => (1, Some(money(expected))),
        RefundReason::SecondCapture => (2, None),
        RefundReason::OrderRefunded => (3, None),
        RefundReason::Unclaimed(UnclaimedBecause::ReservationEnded) => (4, None),
        RefundReason::Unclaimed(UnclaimedBecause::WindowPassed) => (5, None),
        RefundReason::Late(LateRefusal::Cancelled) => (16, None),
        RefundReason::Late(LateRefusal::Lapsed) => (17, None),
        RefundReason::Late(LateRefusal::Bundle) => (18, None),
        RefundReason::Late(LateRefusal::Policy) => (19, None),
        RefundReason::Late(LateRefusal::CustomerLimit) => (20, None),
        RefundReason::Late(LateRefusal::OthersWait) => (21, None),
        RefundReason::Late(LateRefusal::NoStock) => (22, None),
    };
    seen::Reason { code, expected }
}

fn payment(event: &PaymentEvent) -> seen::Payment {
    use seen::Payment;
    let text = |text: &str| text.to_owned();
    match event {
        PaymentEvent::Offered { provider: by, payment, client } => Payment::Offered {
            provider: provider(*by),
            payment: text(payment.as_str()),
            url: client.url().map(text),
            client_secret: client.client_secret().map(text),
        },
        PaymentEvent::Failed { provider: by, payment, report, withdrawn } => Payment::Failed {
            provider: provider(*by),
            payment: text(payment.as_str()),
            report: text(report.as_str()),
            withdrawn: *withdrawn,
        },
        PaymentEvent::Parked { capture: money, until } => {
            Payment::Parked { capture: capture(money), until_ms: until.as_millis() }
        }
        PaymentEvent::Captured { capture: money, amount_named } => {
            Payment::Captured { capture: capture(money), amount_named: *amount_named }
        }
        PaymentEvent::LateHonoured { capture: money, amount_named } => {
            Payment::LateHonoured { capture: capture(money), amount_named: *amount_named }
        }
        PaymentEvent::RefundDue { capture: money, reason: why, amount_named } => {
            Payment::RefundDue { capture: capture(money), reason: reason(*why), amount_named: *amount_named }
        }
        PaymentEvent::Unclaimed { capture, because } => {
            Payment::Unclaimed { capture: capture.0, reservation_ended: *because == UnclaimedBecause::ReservationEnded }
        }
        PaymentEvent::Noted { capture, provider: by, report } => {
            Payment::Noted { capture: capture.0, provider: provider(*by), report: text(report.as_str()) }
        }
        PaymentEvent::Disputed { capture, provider: by, report, told } => Payment::Disputed {
            capture: capture.0,
            provider: provider(*by),
            report: text(report.as_str()),
            told: money(*told),
        },
        PaymentEvent::RefundReported { provider: by, payment, report, amount } => Payment::RefundReported {
            provider: provider(*by),
            payment: text(payment.as_str()),
            report: text(report.as_str()),
            amount: money(*amount),
        },
        PaymentEvent::OrderRefunded { capture, released, by } => {
            let reason = match by {
                RefundedBy::Operator { reason } => Some(text(reason.as_str())),
                RefundedBy::Provider => None,
            };
            Payment::OrderRefunded { capture: capture.0, released: released.get(), reason }
        }
        PaymentEvent::RefundSettled { capture, by } => {
            let by = match by {
                SettledBy::Provider { reference } => seen::SettledBy::Provider { reference: text(reference.as_str()) },
                SettledBy::Report => seen::SettledBy::Report,
                SettledBy::Operator { reason } => seen::SettledBy::Operator { reason: text(reason.as_str()) },
            };
            Payment::RefundSettled { capture: capture.0, by }
        }
    }
}
