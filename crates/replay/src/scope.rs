//! Which events are asked for: one item's or all, up to an event or an instant.

use crate::instant::Until;
use crate::walk::Placed;
use domain::event::Event;
use domain::ids::ItemNo;
use domain::text::Sku;
use eventlog::StreamEvent;

/// Whether an event is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Inside,
    Outside,
    /// Nor is any behind it.
    Over,
}

/// What is asked for.
#[derive(Debug)]
pub(crate) struct Scope<'a> {
    item: Option<&'a Sku>,
    until: Option<Until>,
    /// The item's number, once its first event has told it.
    wanted: Option<ItemNo>,
}

impl<'a> Scope<'a> {
    /// `known` is the item's number where the log does not begin at its beginning.
    pub(crate) const fn new(item: Option<&'a Sku>, until: Option<Until>, known: Option<ItemNo>) -> Self {
        Self { item, until, wanted: known }
    }

    /// The number of the item asked for, as far as it is known.
    pub(crate) const fn wanted(&self) -> Option<ItemNo> {
        self.wanted
    }

    /// Judges the next event of the log.
    pub(crate) fn judge(&mut self, placed: &Placed) -> Verdict {
        let is_item = matches!(placed.event, StreamEvent::Item(_));
        if self.item.is_some() && is_item && !self.is_wanted(placed) {
            return Verdict::Outside;
        }
        let behind = match self.until {
            None => return Verdict::Inside,
            // Streams need not have the same time, so one event too late does not mean that all are.
            Some(Until::Instant(at)) if placed.at() > at => return Verdict::Outside,
            Some(Until::Instant(_)) => return Verdict::Inside,
            Some(Until::Number(last)) if self.item.is_some() => is_item && placed.sequence().0 > last,
            Some(Until::Number(last)) => placed.number.0 > last,
        };
        if behind { Verdict::Over } else { Verdict::Inside }
    }

    fn is_wanted(&mut self, placed: &Placed) -> bool {
        if let StreamEvent::Item(recorded) = &placed.event
            && let Event::ItemCreated { spec, .. } = &recorded.event
            && Some(&spec.sku) == self.item
        {
            self.wanted = Some(placed.item);
        }
        self.wanted == Some(placed.item)
    }
}
