//! Creating items: the partition's own stream and the new item's first event go into the log in one frame.
//!
//! One at a time per partition. The registration is applied and the item seated only when it is durable, so a
//! creation that fails leaves nothing behind.

use crate::commit::ToCommitter;
use crate::error::SubmitError;
use crate::mailbox::Caller;
use crate::registry::Registry;
use crate::shell::{Ask, Handover, Reply, Shell, Ticket};
use crate::slot::Slot;
use domain::command::{Command, Request};
use domain::idempotency::Attempt;
use domain::identity::ItemKey;
use domain::ids::ItemNo;
use domain::item::Item;
use domain::partition::{RegisterRefusal, Registration};
use domain::policy::ItemSpec;
use domain::views::{Answer, Body, Judgement, Origin};
use std::sync::Arc;
use tokio::sync::oneshot;

pub(crate) async fn create(registry: &Arc<Registry>, spec: ItemSpec, attempt: Option<Attempt>) -> Reply {
    // A task of its own: a caller that goes away half-way must not leave the partition half-registered.
    let registry = Arc::clone(registry);
    let (timeout, creating) = (registry.timeouts.answer_within, tokio::spawn(create_one(registry, spec, attempt)));
    match tokio::time::timeout(timeout, creating).await {
        Ok(Ok(reply)) => reply,
        Ok(Err(_)) | Err(_) => Err(SubmitError::OutcomeUnknown),
    }
}

async fn create_one(registry: Arc<Registry>, spec: ItemSpec, attempt: Option<Attempt>) -> Reply {
    let _place = registry.partition.place()?;
    let waiting = tokio::time::timeout(registry.timeouts.judge_within, registry.partition.lock());
    let mut state = waiting.await.map_err(|_| SubmitError::Late)?;
    if let Some(slot) = registry.find(&spec.sku) {
        drop(state);
        let request = Request::new(Command::CreateItem(Box::new(spec)), attempt.as_ref(), &slot.key);
        return registry.ask(&slot, Ask::Command(Box::new(request))).await;
    }
    state.check()?;
    let partition = &mut state.partition;
    let mut secret = [0; 32];
    // Without randomness ids could be guessed; better no item than such a one.
    getrandom::fill(&mut secret).map_err(|_| SubmitError::Overloaded)?;
    let key = ItemKey::from_bytes(secret);
    let registration = match partition.register(spec, key, attempt.as_ref(), registry.clock.now()) {
        Ok(registration) => registration,
        Err(RegisterRefusal::Full) => return Err(SubmitError::TooManyItems),
        // Registered, but its own stream broke: it has no slot that could answer.
        Err(RegisterRefusal::Exists(item)) => return Err(SubmitError::ItemStopped { item }),
    };
    // The item as it will be, should its first event reach the disk.
    let Some(item) = Item::begin(registration.item, &registration.created) else {
        return Err(SubmitError::OutcomeUnknown);
    };
    commit(&registry, &registration).await?;
    partition.apply(&registration.registered);
    let view = item.view();
    let (sequence, at) = (view.sequence, view.at);
    let answer = Answer { body: Body::Item(Box::new(view)), origin: Origin::Accepted(sequence) };
    let judgement = Judgement { sequence, at, outcome: Ok(answer) };
    // Before the partition is free again: whoever creates the same item next must find this one.
    registry.seat_new(Slot::asleep(Box::new(Shell::new(item, Ticket(0)))));
    drop(state);
    Ok(judgement)
}

async fn commit(registry: &Registry, registration: &Registration) -> Result<(), SubmitError> {
    let (caller, committed) = oneshot::channel();
    let stream = ItemNo::partition_stream(registry.no);
    let nothing_yet = Judgement {
        sequence: registration.created.seq,
        at: registration.created.at,
        outcome: Err(domain::rejection::Rejection::NotFound),
    };
    let handover = Handover {
        item: registration.item,
        ticket: Ticket(0),
        encoded: vec![
            eventlog::encode_partition_event(stream, &registration.registered),
            eventlog::encode_item_event(registration.item, &registration.created),
        ],
        events: vec![registration.created.clone()],
        of_partition: Vec::new(),
        decided: Vec::new(),
        replies: vec![(Caller::new(caller), Ok(nothing_yet))],
        view: None,
    };
    registry.committer.send(ToCommitter::Handover(handover)).await.map_err(|_| SubmitError::OutcomeUnknown)?;
    match committed.await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(SubmitError::OutcomeUnknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::PARTITION_WAITERS;
    use crate::tests::{disk, hold_syncs, settled, spec, start};

    #[tokio::test(start_paused = true)]
    async fn while_the_disk_stands_still_creations_wait_in_a_bounded_line_and_are_told_that_nothing_happened() {
        let disk = disk();
        let engine = start(&disk);
        let release = hold_syncs(&disk, 1);
        let mut creating = tokio::task::JoinSet::new();
        for number in 0..=PARTITION_WAITERS {
            let (engine, spec) = (engine.clone(), spec(&format!("lamp-{number}"), 1));
            creating.spawn(async move { engine.create_item(spec, None).await });
        }
        let told = creating.join_all().await;
        let count = |error| told.iter().filter(|reply| **reply == Err(error)).count();
        assert_eq!(count(SubmitError::Overloaded), 1, "beyond the line's end");
        assert_eq!(count(SubmitError::OutcomeUnknown), 1, "whose event is at the disk");
        assert_eq!(count(SubmitError::Late), PARTITION_WAITERS - 1);
        release.send(()).expect("the sync waits");
        let later = settled(engine.create_item(spec("vase", 1), None)).await;
        later.expect("judged").outcome.expect("created");
        assert_eq!(engine.items(None, 10).len(), 2, "and of the others none, however late");
    }
}
