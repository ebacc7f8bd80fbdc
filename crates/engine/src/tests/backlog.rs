//! Backlogs: more is due or promotable than one turn works off.

use super::{disk, held, hold_syncs, open_item, settled, start, start_as};
use crate::ItemHandle;
use crate::commit::CommitOn;
use crate::limits::{BACKLOG_AHEAD, BACKLOG_BURST, BACKLOG_EVENT};
use domain::command::Command;
use domain::limits::TURN_BATCH;
use domain::text::{Reason, Sku};
use domain::units::StockChange;
use std::time::Duration;
use tokio::time::Instant;

/// One customer holds the item's only unit, and so many wait behind.
async fn waiting(item: &ItemHandle, waiters: usize) {
    for number in 0..=waiters {
        held(item, &format!("c{number}")).await;
    }
}

fn restock(units: usize) -> Command {
    let change = StockChange::new(i32::try_from(units).expect("it is small")).expect("a change");
    Command::AdjustStock { change, reason: Reason::parse("more came").expect("a reason") }
}

#[tokio::test(start_paused = true)]
async fn a_promotion_backlog_that_a_crash_cut_goes_on_after_the_restart_while_nobody_asks() {
    let disk = disk();
    let engine = start_as(&disk, CommitOn::Task);
    let item = open_item(&engine, "lamp", 1).await;
    waiting(&item, 699).await;
    item.command(restock(699), None).await.expect("judged").outcome.expect("accepted");
    drop(engine);
    disk.crash(3);
    let engine = start_as(&disk, CommitOn::Task);
    let item = engine.find(&Sku::parse("lamp").expect("a sku")).expect("it is there");
    assert!(item.view().status.waiting > 0, "the crash cut it");
    let mut watch = item.watch();
    let served = watch.wait_for(|view| view.status.waiting == 0).await.expect("published");
    assert_eq!((served.status.held.get(), served.status.available.get()), (700, 0));
}

#[tokio::test(start_paused = true)]
async fn a_backlog_runs_only_a_few_turns_ahead_of_the_disk() {
    let disk = disk();
    let engine = start(&disk);
    let item = open_item(&engine, "lamp", 1).await;
    let turns_ahead = usize::try_from(BACKLOG_AHEAD).expect("it is small") + 1;
    let waiters = 4 * turns_ahead * TURN_BATCH;
    waiting(&item, waiters).await;
    let release = hold_syncs(&disk, 3);
    let mut watch = item.watch();
    let restocking = tokio::spawn({
        let item = item.clone();
        async move { item.command(restock(waiters), None).await }
    });
    // While the first sync lasts the item has time for all of its backlog.
    let first = settled(async {
        for _ in 0..50 * waiters / TURN_BATCH {
            tokio::time::advance(BACKLOG_BURST).await;
        }
        release.send(()).expect("the first sync waits");
        watch.changed().await.expect("the restock is published");
        watch.borrow_and_update().status.held.get() as usize
    })
    .await;
    release.send(()).expect("the second sync waits");
    let second = settled(watch.changed()).await.map(|()| watch.borrow().status.held.get() as usize);
    let ahead = second.expect("what ran ahead is published") - first;
    assert!((1..=turns_ahead * TURN_BATCH).contains(&ahead), "{ahead} promotions shared a commit");
    release.send(()).expect("the third sync waits");
    // The rest follows, commit by commit.
    while item.view().status.waiting > 0 {
        tokio::time::advance(BACKLOG_BURST).await;
    }
    settled(restocking).await.expect("no panic").expect("judged").outcome.expect("accepted");
}

#[tokio::test(start_paused = true)]
async fn a_backlog_leaves_time_to_others_however_fast_the_disk_is() {
    let engine = start_as(&disk(), CommitOn::Task);
    let item = open_item(&engine, "lamp", 1).await;
    let waiters = 20 * TURN_BATCH;
    waiting(&item, waiters).await;
    tokio::time::advance(BACKLOG_BURST).await;
    let began = Instant::now();
    item.command(restock(waiters), None).await.expect("judged").outcome.expect("accepted");
    let takes = |events: usize| BACKLOG_EVENT * u32::try_from(events).expect("it is small");
    let (mut watch, mut served) = (item.watch(), 0);
    while served < waiters {
        served = watch.borrow_and_update().status.held.get() as usize - 1;
        assert!(takes(served) <= began.elapsed() + BACKLOG_BURST, "{served} after {:?}", began.elapsed());
        if served < waiters {
            watch.changed().await.expect("published");
        }
    }
    // The runtime's timers are exact to a millisecond, and come late.
    let pace = takes(waiters).saturating_sub(BACKLOG_BURST);
    assert!(began.elapsed() <= pace + Duration::from_millis(2), "{:?} for what takes {pace:?}", began.elapsed());
}
