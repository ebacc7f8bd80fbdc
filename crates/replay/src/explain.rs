//! One reservation's whole story, read back from the log.

use crate::error::ReplayError;
use crate::fold::Progress;
use crate::source::Source;
use domain::event::Event;
use domain::identity::ReservationId;
use domain::story::{Story, StoryLine};
use domain::text::Sku;
use eventlog::{RecordNo, StreamEvent};

/// A reservation's story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// Which.
    pub id: ReservationId,
    /// Of which item.
    pub sku: Sku,
    /// What happened, in order. Instants in it are milliseconds in brackets: see [`crate::with_instants`].
    pub lines: Vec<StoryLine>,
}

/// Tells the story of a reservation from its item's first event on. `None` where this log gave out no such id, or
/// where what came first was removed from the log.
///
/// # Errors
/// [`ReplayError`] where the log is damaged or cannot be read.
pub fn explain(
    source: &Source,
    id: ReservationId,
    progress: &mut dyn FnMut(Progress),
) -> Result<Option<Explained>, ReplayError> {
    let (point, _) = source.begin()?;
    let mut story = Story::about(id.ordinal());
    let mut sku = None;
    let mut told = RecordNo(0);
    for placed in source.walk(point) {
        let placed = placed.map_err(source.failed())?;
        if placed.record > told {
            told = placed.record;
            progress(Progress { partition: source.partition(), record: told, last: source.last() });
        }
        let StreamEvent::Item(recorded) = &placed.event else { continue };
        if placed.item != id.item() {
            continue;
        }
        if let Event::ItemCreated { spec, key } = &recorded.event {
            if !id.is_genuine(key) {
                return Ok(None);
            }
            sku = Some(spec.sku.clone());
        }
        story.take(recorded);
    }
    Ok(sku.zip(story.told()).map(|(sku, lines)| Explained { id, sku, lines }))
}
