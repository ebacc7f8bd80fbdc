//! The sweeper: tells parts how their bundles ended, until they have taken it.

use super::{Bundles, Owing, Stage};
use crate::limits::{PARTS_TOLD_AT_ONCE, TELL_AGAIN_AFTER, TELL_AGAIN_AFTER_MAX};
use crate::registry::Registry;
use crate::shell::Ask;
use domain::command::{Command, Request};
use domain::event::PartDecision;
use domain::identity::BundleId;
use domain::ids::ItemNo;
use domain::partition::Fate;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// What telling the parts of one bundle came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// Every part has taken what is decided, or nothing is.
    All,
    /// Some could not be reached.
    NotAll,
}

/// Tells parts for as long as the engine lives. `partitions` are in the order of their numbers.
pub(crate) async fn sweep(bundles: Arc<Bundles>, partitions: Arc<[Arc<Registry>]>) {
    let mut sweeper = Sweeper { bundles, partitions, telling: JoinSet::new(), tries: BTreeMap::new() };
    let mut resting: BTreeSet<(Instant, BundleId)> = BTreeSet::new();
    loop {
        sweeper.start();
        let first = resting.first().copied();
        let bundles = Arc::clone(&sweeper.bundles);
        tokio::select! {
            Some(told) = sweeper.telling.join_next(), if !sweeper.telling.is_empty() => {
                if let Ok((bundle, told)) = told && let Some(pause) = sweeper.finish(bundle, told) {
                    resting.insert((Instant::now() + pause, bundle));
                }
            }
            () = bundles.work.notified() => {}
            () = tokio::time::sleep_until(first.map_or_else(Instant::now, |(at, _)| at)), if first.is_some() => {
                if let Some((_, bundle)) = resting.pop_first() {
                    sweeper.bundles.parts().queue(bundle);
                }
            }
        }
    }
}

struct Sweeper {
    bundles: Arc<Bundles>,
    partitions: Arc<[Arc<Registry>]>,
    telling: JoinSet<(BundleId, Told)>,
    /// How often in a row a bundle's parts could not be told.
    tries: BTreeMap<BundleId, u32>,
}

impl Sweeper {
    fn start(&mut self) {
        while self.telling.len() < PARTS_TOLD_AT_ONCE
            && let Some(bundle) = self.bundles.next()
        {
            let (bundles, partitions) = (Arc::clone(&self.bundles), Arc::clone(&self.partitions));
            self.telling.spawn(async move { (bundle, tell(&bundles, &partitions, bundle).await) });
        }
    }

    /// How long to rest before the parts are told again, if they have to be.
    fn finish(&mut self, bundle: BundleId, told: Told) -> Option<Duration> {
        if told == Told::NotAll && self.partitions.iter().any(|registry| registry.failed().is_some()) {
            // Nothing more is written here. A restart finds the parts in their items.
            self.bundles.forget(bundle);
            return None;
        }
        if self.bundles.told(bundle, told == Told::All) {
            self.tries.remove(&bundle);
            return None;
        }
        let tries = self.tries.entry(bundle).or_default();
        let pause = TELL_AGAIN_AFTER.saturating_mul(1 << (*tries).min(16)).min(TELL_AGAIN_AFTER_MAX);
        *tries = tries.saturating_add(1);
        if pause == TELL_AGAIN_AFTER_MAX {
            tracing::warn!(%bundle, "parts of a bundle cannot be told how it ended; it is tried again and again");
        }
        Some(pause)
    }
}

impl Bundles {
    /// Takes the next bundle from the queue.
    fn next(&self) -> Option<BundleId> {
        let mut parts = self.parts();
        let bundle = parts.queue.pop_front()?;
        if let Some(following) = parts.following.get_mut(&bundle) {
            following.stage = Stage::UnderWay { again: false };
        }
        Some(bundle)
    }

    /// Ends an attempt at a bundle. Says whether it needs no pause: all is told, or it is queued again already.
    fn told(&self, bundle: BundleId, all: bool) -> bool {
        let mut parts = self.parts();
        let Some(following) = parts.following.get_mut(&bundle) else { return true };
        let again = following.stage == Stage::UnderWay { again: true };
        following.stage = Stage::Resting;
        let all = all || again && !parts.owing.contains_key(&bundle);
        // Without a part that owes anything, what was decided meanwhile is done.
        if again && parts.queue(bundle) {
            return true;
        }
        if all {
            let waiting = parts.following.remove(&bundle).map(|following| following.waiting).unwrap_or_default();
            for done in waiting {
                let _gone = done.send(());
            }
        }
        all
    }

    /// Gives a bundle up: whoever waits for its parts hears that nothing is known.
    fn forget(&self, bundle: BundleId) {
        self.parts().following.remove(&bundle);
    }

    fn owing(&self, bundle: BundleId) -> Vec<(ItemNo, Owing)> {
        let parts = self.parts();
        parts
            .owing
            .get(&bundle)
            .map(|items| items.iter().map(|(item, owing)| (*item, *owing)).collect())
            .unwrap_or_default()
    }

    /// A part that says it has taken this decision owes nothing more of it.
    fn took(&self, bundle: BundleId, item: ItemNo, decision: PartDecision) {
        self.parts().took(bundle, item, decision);
    }
}

/// Asks the bundle's partition, and tells every part that owes something.
async fn tell(bundles: &Bundles, partitions: &[Arc<Registry>], bundle: BundleId) -> Told {
    let Some(home) = partitions.get(usize::from(bundle.partition().0)) else {
        tracing::error!(%bundle, "a part names a partition that there is not; it stays held");
        return Told::All;
    };
    let Ok(fate) = home.fate_of(bundle).await else { return Told::NotAll };
    let mut all = Told::All;
    for (item, _) in bundles.owing(bundle) {
        if !tell_one(bundles, partitions, bundle, item, fate).await {
            all = Told::NotAll;
        }
    }
    all
}

async fn tell_one(bundles: &Bundles, partitions: &[Arc<Registry>], bundle: BundleId, item: ItemNo, fate: Fate) -> bool {
    let registry = partitions.get(usize::from(item.partition().0));
    let Some((registry, slot)) = registry.and_then(|registry| Some((registry, registry.slot(item)?))) else {
        tracing::error!(%bundle, %item, "a part's item is not there");
        return true;
    };
    for &decision in fate.steps() {
        let request = Request::from(Command::SettlePart { bundle, decision });
        match registry.ask(&slot, Ask::Command(Box::new(request))).await {
            // A refusal says that there is no such part: then it owes nothing either.
            Ok(_) => bundles.took(bundle, item, decision),
            Err(_) => return false,
        }
    }
    true
}
