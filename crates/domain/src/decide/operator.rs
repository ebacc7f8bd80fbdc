//! What operators do: phases, settings, stock.

use crate::event::{ClosedBy, Event, OpenedBy};
use crate::ids::Revision;
use crate::item::{Item, Phase};
use crate::policy::SettingsPatch;
use crate::rejection::Rejection;
use crate::text::Reason;
use crate::units::StockChange;

fn in_phase(item: &Item, phase: Phase, event: Event) -> Result<Event, Rejection> {
    if item.phase() == phase { Ok(event) } else { Err(Rejection::PhaseConflict { phase: item.phase() }) }
}

pub(super) fn open(item: &Item) -> Result<Event, Rejection> {
    in_phase(item, Phase::Scheduled, Event::SaleOpened { by: OpenedBy::Operator })
}

pub(super) fn pause(item: &Item) -> Result<Event, Rejection> {
    in_phase(item, Phase::Open, Event::SalePaused)
}

pub(super) fn resume(item: &Item) -> Result<Event, Rejection> {
    in_phase(item, Phase::Paused, Event::SaleResumed)
}

pub(super) fn close(item: &Item) -> Result<Event, Rejection> {
    match item.phase() {
        Phase::Scheduled | Phase::Open | Phase::Paused => {
            Ok(Event::SaleClosed { by: ClosedBy::Operator, lapsed: item.waiting_count() })
        }
        Phase::Closed => Err(Rejection::PhaseConflict { phase: Phase::Closed }),
    }
}

/// Price, currency, provider and opening change only while scheduled: payments that customers were offered are withdrawn by
/// whom they were offered. Nothing changes any more once closed.
pub(super) fn revise(item: &Item, patch: &SettingsPatch, expected: Option<Revision>) -> Result<Event, Rejection> {
    if expected.is_some_and(|expected| expected != item.revision()) {
        return Err(Rejection::RevisionMismatch { current: item.revision() });
    }
    let old = item.settings();
    let settings = patch.applied_to(old);
    let phase = item.phase();
    let frozen = [
        ("unit_price", settings.unit_price != old.unit_price),
        ("opens_at", settings.opens_at != old.opens_at),
        ("payments.provider", settings.policy.payments.provider != old.policy.payments.provider),
    ];
    match frozen.into_iter().find(|(_, is_changed)| *is_changed) {
        _ if phase == Phase::Closed => return Err(Rejection::PhaseConflict { phase }),
        Some((field, _)) if phase != Phase::Scheduled => return Err(Rejection::SettingFrozen { field, phase }),
        Some(_) | None => {}
    }
    settings.validate().map_err(Rejection::InvalidSetting)?;
    Ok(Event::ItemRevised { settings: Box::new(settings) })
}

/// Stock grows at will and shrinks only by what is available (domain rule 15).
pub(super) fn adjust_stock(item: &Item, change: StockChange, reason: &Reason) -> Result<Event, Rejection> {
    if item.phase() == Phase::Closed {
        return Err(Rejection::PhaseConflict { phase: Phase::Closed });
    }
    match item.stock().adjusted(change) {
        Some(stock) => Ok(Event::StockAdjusted { change, reason: reason.clone(), total: stock.total() }),
        None if change.get() < 0 => Err(Rejection::StockInUse { available: item.stock().available() }),
        None => Err(Rejection::StockTooLarge),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::{Currency, Money};
    use crate::payment::Provider;
    use crate::scenario::{check, item_of};
    use crate::time::Timestamp;

    #[test]
    fn a_restock_is_offered_to_the_line_at_once_and_stock_shrinks_only_by_what_is_free() {
        check(
            "
            item    stock=1 hold_ms=1000
            t=0     reserve r1 ann 1   -> held until 1000
            t=1     reserve r2 bob 1   -> waiting 1
            t=2     stock! -1          -> stock_in_use 0
            t=3     stock 2            -> open, r2 held until 1003
            t=4     stock! -2          -> stock_in_use 1
            t=5     stock -1           -> open
            stock   available=0 held=2 sold=0
        ",
        );
    }

    #[test]
    fn a_paused_sale_promotes_nobody_but_holds_live_on_and_end() {
        check(
            "
            item    stock=1 hold_ms=1000
            t=0     reserve r1 ann 1   -> held until 1000
            t=1     reserve r2 bob 1   -> waiting 1
            t=2     pause              -> paused
            t=1000  tick               -> r1 expired
            t=1001  read r2            -> waiting 1
            t=1002  resume             -> open, r2 held until 2002
            t=1003  open!              -> phase_conflict
            t=1004  resume!            -> phase_conflict
        ",
        );
    }

    #[test]
    fn a_closed_sale_lapses_the_line_and_lets_holds_live_out_their_time() {
        check(
            "
            item    stock=1 hold_ms=1000
            t=0     reserve r1 ann 1   -> held until 1000
            t=1     reserve r2 bob 1   -> waiting 1
            t=2     close              -> closed
            t=3     read r2            -> lapsed
            t=4     cancel! r2 bob     -> not_cancellable
            t=5     order r1 ann       -> ordered until 1000
            t=6     confirm r1 ann p1  -> paid
            t=7     close!             -> phase_conflict
            t=8     stock! 5           -> phase_conflict
        ",
        );
    }

    #[test]
    fn the_sale_opens_and_closes_by_itself_to_the_millisecond() {
        check(
            "
            item    stock=2 hold_ms=1000 scheduled opens=100 closes=500
            t=99    reserve! ann 1     -> sale_not_started
            t=100   reserve r1 ann 1   -> held until 1100, opened
            t=499   reserve r2 bob 1   -> held until 1499
            t=500   reserve! cyd 1     -> sale_closed, closed
            t=1100  tick               -> r1 expired
            stock   available=1 held=1 sold=0
        ",
        );
    }

    #[test]
    fn price_opening_and_provider_are_fixed_once_the_sale_has_opened() {
        let price = Money { minor: 7, currency: Currency::parse("USD").expect("a currency") };
        let (opens_at, provider) = (Some(Timestamp::from_millis(9)), Some(Provider::Simulated));
        let patches = [
            ("unit_price", SettingsPatch { unit_price: Some(price), ..SettingsPatch::default() }),
            ("opens_at", SettingsPatch { opens_at: Some(opens_at), ..SettingsPatch::default() }),
            ("payments.provider", SettingsPatch { payment_provider: Some(provider), ..SettingsPatch::default() }),
        ];
        let (scheduled, open) = (item_of("item stock=1 scheduled"), item_of("item stock=1"));
        for (field, patch) in patches {
            assert!(revise(&scheduled, &patch, None).is_ok(), "{field}");
            let refused = revise(&open, &patch, None);
            assert_eq!(refused, Err(Rejection::SettingFrozen { field, phase: Phase::Open }), "{field}");
        }
    }
}
