//! An item's refusals as problems, with the facts a caller can act on.

use super::{Code, Problem, Retry};
use crate::wire::money::MoneyBody;
use crate::wire::report::{pointed, setting};
use crate::wire::time::Rfc3339;
use crate::wire::words;
use domain::ids::Seq;
use domain::limits::STOCK_TOTAL_MAX;
use domain::rejection::Rejection;
use domain::text::Sku;
use domain::time::Timestamp;
use serde_json::Value;

/// The problem that says why an item refused, and at which place of its log.
pub(crate) fn refused(rejection: &Rejection, sequence: Seq, now: Timestamp) -> Problem {
    let problem = problem(rejection, now);
    // A stranger's object answers as if it did not exist: the very document that a made-up id gets.
    if *rejection == Rejection::NotFound { problem } else { problem.judged(sequence, now) }
}

/// The same for a backend that has charged already: where nothing is recorded here, the money is theirs to return.
pub(crate) fn charged_and_refused(rejection: &Rejection, sequence: Seq, now: Timestamp) -> Problem {
    let problem = refused(rejection, sequence, now);
    // Of these the first two name something else, and the others leave open what becomes of the charge.
    let open = matches!(
        rejection,
        Rejection::NotFound
            | Rejection::PaymentAlreadyUsed
            | Rejection::StillWaiting
            | Rejection::IdempotencyKeyReused { .. }
            | Rejection::IdempotencyTableFull
    );
    if open { problem } else { problem.with("refund", "owed_by_caller") }
}

fn problem(rejection: &Rejection, now: Timestamp) -> Problem {
    use Code as C;
    use Rejection as R;
    match rejection {
        R::NotFound => Problem::new(C::NotFound, "there is nothing of this id, or it is somebody else's"),
        R::SaleNotStarted { opens_at } => not_started(*opens_at, now),
        R::SalePaused => Problem::new(C::SalePaused, "the sale is paused").come_back_soon(),
        R::SaleClosed => Problem::new(C::SaleClosed, "the sale is over"),
        R::QuantityAboveMaximum { max } => {
            let detail = format!("one reservation of this item has at most {} units", max.get());
            pointed("/quantity", detail).with("max", max.get())
        }
        R::CustomerLimitReached { limit, existing } => {
            let detail = format!(
                "one customer can have at most {} of this item; this one has {existing} (held, waiting or bought), and with \
                 what was asked for would have more",
                limit.get()
            );
            Problem::new(C::CustomerLimitReached, detail).with("limit", limit.get()).with("existing", *existing)
        }
        R::CoolingOff { until } => Problem::new(C::CoolingOff, "too many holds of this customer ran out unpaid")
            .with("until", instant(*until))
            .come_back_at(*until, now),
        R::SoldOut => Problem::new(
            C::SoldOut,
            "no unit is free for a newcomer: all are held, sold, or promised to those who wait",
        ),
        R::InsufficientStock { available, is_final: false } => {
            Problem::new(C::InsufficientStock, "fewer units are free than were asked for")
                .with("available", available.get())
        }
        R::InsufficientStock { available, is_final: true } => {
            Problem::new(C::InsufficientStock, "more units were asked for than are left unsold, held ones included")
                .with("available", available.get())
                .for_good()
        }
        R::WaitlistFull { capacity } => {
            Problem::new(C::WaitlistFull, "nobody can wait any more").with("capacity", *capacity)
        }
        R::HoldExpired { ended } => {
            Problem::new(C::HoldExpired, words::over(*ended)).with("state", words::ended(*ended))
        }
        R::StillWaiting => Problem::new(C::HoldNotGranted, "the reservation is still waiting for its turn"),
        R::HoldAlreadyUsed => Problem::new(
            C::HoldAlreadyUsed,
            "the reservation is paid, and the sale is final: there is nothing to extend",
        ),
        R::NotCancellable { ended } => {
            Problem::new(C::NotCancellable, "the reservation is over").with("state", words::ended(*ended))
        }
        R::ExtensionRefused { reason } => {
            Problem::new(C::ExtensionRefused, words::extension(*reason).1).with("reason", words::extension(*reason).0)
        }
        R::AmountMismatch { expected } => Problem::new(C::AmountMismatch, "the amount named is not what it costs")
            .with("expected", serde_json::to_value(MoneyBody::from(*expected)).unwrap_or_default()),
        R::PaymentAlreadyUsed => Problem::new(C::PaymentAlreadyUsed, "this payment has paid another order"),
        R::NotRefundable { reason } => {
            let (word, sentence) = words::not_refundable(*reason);
            Problem::new(C::NotRefundable, sentence).with("reason", word)
        }
        R::PartOfBundle { bundle } => {
            Problem::new(C::PartOfBundle, "this reservation is part of a bundle").with("bundle", bundle.to_string())
        }
        R::BundleUnavailable { lines } => bundle_unavailable(lines, now),
        R::BundleNotSummable => pointed("/lines", "the lines' prices have no sum: their currencies differ".to_owned()),
        R::TooManyEndpoints => Problem::new(C::TooManyEndpoints, "there are as many endpoints as there can be"),
        R::ItemFull => Problem::new(C::ItemFull, "the item has taken as many reservations as it can"),
        R::ItemExists => Problem::new(C::ItemExists, "there is an item of this name"),
        R::PhaseConflict { phase } => {
            let detail = format!("this cannot be done while the sale is {}", phase.name());
            Problem::new(C::PhaseConflict, detail).with("phase", phase.name())
        }
        R::SettingFrozen { field, phase } => {
            let detail = format!("{field} can be changed only before the sale opens, and it is {}", phase.name());
            Problem::new(C::PhaseConflict, detail).with("phase", phase.name()).with("field", *field)
        }
        R::StockInUse { available } => Problem::new(C::StockInUse, "more units than are free cannot be taken away")
            .with("available", available.get()),
        R::StockTooLarge => pointed("/change", format!("the stock would pass {STOCK_TOTAL_MAX}")),
        R::InvalidSetting(error) => setting(error),
        R::RevisionMismatch { current } => {
            Problem::new(C::PreconditionFailed, "the item was changed meanwhile").with("revision", current.0)
        }
        R::IdempotencyKeyReused { accepted } => {
            Problem::new(C::IdempotencyKeyReused, "this key was used before, with other content")
                .with("accepted_sequence", accepted.0)
        }
        R::IdempotencyTableFull => {
            Problem::new(C::Overloaded, "no more keys can be remembered at the moment; nothing happened")
                .come_back_soon()
        }
    }
}

/// Each line with the code and the facts that its item would refuse it with alone. A line that can never be had is one
/// that the bundle waits for in vain.
fn bundle_unavailable(lines: &[(Sku, Rejection)], now: Timestamp) -> Problem {
    let problems: Vec<(&Sku, Problem)> = lines.iter().map(|(sku, why)| (sku, problem(why, now))).collect();
    let in_vain = problems.iter().any(|(_, problem)| problem.retry == Retry::Never);
    let refused = Problem::new(Code::BundleUnavailable, "not every line can be held, so none is")
        .with("lines", Value::Array(problems.into_iter().map(refused_line).collect()));
    if in_vain { refused.for_good() } else { refused }
}

fn refused_line((sku, problem): (&Sku, Problem)) -> Value {
    let mut facts: serde_json::Map<String, Value> =
        problem.facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    facts.insert("sku".to_owned(), Value::from(sku.as_str()));
    facts.insert("code".to_owned(), Value::from(problem.code.name()));
    facts.insert("retry".to_owned(), Value::from(problem.retry.name()));
    Value::Object(facts)
}

fn instant(at: Timestamp) -> Value {
    Value::String(Rfc3339(at).to_string())
}

fn not_started(opens_at: Option<Timestamp>, now: Timestamp) -> Problem {
    let problem = Problem::new(Code::SaleNotStarted, "the sale has not started");
    match opens_at {
        Some(at) => problem.with("opens_at", instant(at)).come_back_at(at, now),
        None => problem.with("opens_at", Value::Null),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::event::LapseReason;
    use domain::identity::BundleId;
    use domain::ids::{PartitionNo, Revision};
    use domain::item::Phase;
    use domain::money::{Currency, Money};
    use domain::policy::SettingError;
    use domain::rejection::{EndedAs, ExtensionRefusal, NotRefundable};
    use domain::units::{Quantity, Units};

    /// One line a refusal: status, code and facts.
    fn told(rejection: &Rejection) -> String {
        let problem = refused(rejection, Seq(9), Timestamp::from_millis(1_000));
        let facts = problem.facts.iter().map(|(name, value)| format!(" {name}={value}")).collect::<String>();
        let later = problem.retry_after_s.map_or(String::new(), |_| " Retry-After".to_owned());
        format!("{} {}{facts}{later}", problem.status().as_u16(), problem.code().name())
    }

    #[test]
    fn every_refusal_has_its_code_its_status_and_its_facts() {
        let units = Units::new(3).expect("small");
        let until = Timestamp::from_millis(61_000);
        let expected = Money { minor: 500, currency: Currency::parse("USD").expect("USD") };
        let lapsed = EndedAs::Lapsed(LapseReason::SaleClosed);
        let setting = SettingError { field: "extension.by_ms", problem: "no".to_owned() };
        let table = [
            (Rejection::NotFound, "404 not_found"),
            (
                Rejection::SaleNotStarted { opens_at: Some(until) },
                r#"403 sale_not_started opens_at="1970-01-01T00:01:01.000Z" Retry-After"#,
            ),
            (Rejection::SaleNotStarted { opens_at: None }, "403 sale_not_started opens_at=null"),
            (Rejection::SalePaused, "403 sale_paused Retry-After"),
            (Rejection::SaleClosed, "403 sale_closed"),
            (
                Rejection::QuantityAboveMaximum { max: Quantity::ONE },
                "422 validation_failed errors=[{\"detail\":\"one reservation of this item has at most 1 units\",\
                 \"pointer\":\"/quantity\"}] max=1",
            ),
            (
                Rejection::CustomerLimitReached { limit: Quantity::ONE, existing: 1 },
                "409 customer_limit_reached limit=1 existing=1",
            ),
            (Rejection::CoolingOff { until }, r#"409 cooling_off until="1970-01-01T00:01:01.000Z" Retry-After"#),
            (Rejection::SoldOut, "409 sold_out"),
            (Rejection::InsufficientStock { available: units, is_final: false }, "409 insufficient_stock available=3"),
            (Rejection::WaitlistFull { capacity: 5 }, "409 waitlist_full capacity=5"),
            (Rejection::HoldExpired { ended: lapsed }, r#"409 hold_expired state="lapsed""#),
            (Rejection::StillWaiting, "409 hold_not_granted"),
            (Rejection::HoldAlreadyUsed, "409 hold_already_used"),
            (Rejection::NotCancellable { ended: EndedAs::Confirmed }, r#"409 not_cancellable state="confirmed""#),
            (Rejection::NotCancellable { ended: lapsed }, r#"409 not_cancellable state="lapsed""#),
            (
                Rejection::ExtensionRefused { reason: ExtensionRefusal::UsedUp },
                r#"409 extension_refused reason="used_up""#,
            ),
            (Rejection::AmountMismatch { expected }, r#"422 amount_mismatch expected={"amount":500,"currency":"USD"}"#),
            (Rejection::PaymentAlreadyUsed, "409 payment_already_used"),
            (Rejection::NotRefundable { reason: NotRefundable::NotPaid }, r#"409 not_refundable reason="not_paid""#),
            (
                Rejection::PartOfBundle { bundle: BundleId::new(PartitionNo(0), 7) },
                r#"409 part_of_bundle bundle="bnd_00000000000080008000000000000007""#,
            ),
            (
                Rejection::BundleUnavailable {
                    lines: vec![(
                        Sku::parse("lamp").expect("a sku"),
                        Rejection::InsufficientStock { available: units, is_final: false },
                    )],
                },
                r#"409 bundle_unavailable lines=[{"available":3,"code":"insufficient_stock","retry":"after","sku":"lamp"}]"#,
            ),
            (Rejection::TooManyEndpoints, "409 too_many_endpoints"),
            (Rejection::ItemFull, "409 item_full"),
            (Rejection::ItemExists, "409 item_exists"),
            (Rejection::PhaseConflict { phase: Phase::Closed }, r#"409 phase_conflict phase="closed""#),
            (
                Rejection::SettingFrozen { field: "unit_price", phase: Phase::Open },
                r#"409 phase_conflict phase="open" field="unit_price""#,
            ),
            (Rejection::StockInUse { available: units }, "409 stock_in_use available=3"),
            (
                Rejection::StockTooLarge,
                "422 validation_failed errors=[{\"detail\":\"the stock would pass 1000000000\",\
                 \"pointer\":\"/change\"}]",
            ),
            (
                Rejection::InvalidSetting(setting),
                r#"422 validation_failed errors=[{"detail":"no","pointer":"/extension/by_ms"}]"#,
            ),
            (Rejection::RevisionMismatch { current: Revision(4) }, "412 precondition_failed revision=4"),
            (Rejection::IdempotencyKeyReused { accepted: Seq(2) }, "422 idempotency_key_reused accepted_sequence=2"),
            (Rejection::IdempotencyTableFull, "503 overloaded Retry-After"),
        ];
        for (rejection, expected) in table {
            assert_eq!(told(&rejection), expected);
        }
    }

    #[test]
    fn what_can_never_be_had_is_not_to_be_tried_again() {
        let sku = |name: &str| Sku::parse(name).expect("a sku");
        let short = |is_final| Rejection::InsufficientStock { available: Units::new(3).expect("small"), is_final };
        let retry = |rejection: &Rejection| refused(rejection, Seq(9), Timestamp::from_millis(0)).retry();
        assert_eq!((retry(&short(false)), retry(&short(true))), (Retry::After, Retry::Never));
        for (line, expected) in [
            (Rejection::SoldOut, Retry::After),
            (short(false), Retry::After),
            (short(true), Retry::Never),
            (Rejection::NotFound, Retry::Never),
            (Rejection::SaleClosed, Retry::Never),
        ] {
            let lines = vec![(sku("lamp"), Rejection::SoldOut), (sku("vase"), line)];
            assert_eq!(retry(&Rejection::BundleUnavailable { lines }), expected);
        }
    }

    #[test]
    fn whoever_comes_too_late_is_told_what_became_of_the_reservation() {
        let said =
            |ended| refused(&Rejection::HoldExpired { ended }, Seq(9), Timestamp::from_millis(0)).detail().to_owned();
        assert_eq!(said(EndedAs::Cancelled), "the reservation was cancelled");
        assert_eq!(said(EndedAs::Expired), "the reservation's time ran out");
        assert_eq!(
            said(EndedAs::Lapsed(LapseReason::SaleClosed)),
            "the sale closed before the reservation got its turn"
        );
    }

    #[test]
    fn a_refused_purchase_says_who_owes_the_refund() {
        let problem = charged_and_refused(&Rejection::SoldOut, Seq(9), Timestamp::from_millis(0));
        assert_eq!(problem.fact("refund"), Some(&Value::from("owed_by_caller")));
        let open = charged_and_refused(&Rejection::IdempotencyTableFull, Seq(9), Timestamp::from_millis(0));
        assert_eq!(open.fact("refund"), None, "it may be tried again");
    }
}
