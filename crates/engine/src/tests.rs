//! The engine as a whole, on logs in memory and on paused time: what callers see when things go well and when not.

use crate::actor::failpoint::Panics;
use crate::commit::CommitOn;
use crate::limits::IDLE_BEFORE_REST;
use crate::{Engine, EngineConfig, SubmitError, Timeouts, Unrecovered};
use domain::command::{Claim, Command, WaitlistChoice};
use domain::idempotency::{Attempt, IdempotencyKey};
use domain::ids::{Ordinal, PartitionNo};
use domain::item::Phase;
use domain::money::{Currency, Money};
use domain::policy::{ItemSpec, Policy, Settings, SettingsPatch};
use domain::rejection::Rejection;
use domain::text::{CustomerId, ItemName, Sku};
use domain::time::{DurationMs, Timestamp};
use domain::turn::Query;
use domain::units::{Quantity, Units};
use domain::views::{Answer, Body, Origin, ReservationFilter, ReservationView, StateView};
use eventlog::memory_log::{Fault, MemoryDisk, MemoryLog};
use eventlog::{LogId, RecordNo};
use std::sync::Arc;
use std::time::Duration;

mod backlog;

pub(crate) fn disk() -> MemoryDisk {
    MemoryDisk::new(LogId([7; 16]))
}

/// A start of the process on this disk. The wall clock stands: engine time moves with tokio's paused clock.
pub(crate) fn start(disk: &MemoryDisk) -> Engine {
    start_as(disk, CommitOn::Thread)
}

fn start_as(disk: &MemoryDisk, commit_on: CommitOn) -> Engine {
    let log = Unrecovered {
        partition: PartitionNo(0),
        log: Box::new(MemoryLog::open(disk.clone())),
        snapshots: None,
        follow_ups: crate::FollowUpStore::memory(),
    };
    let wall_clock = Arc::new(|| Timestamp::from_millis(1_767_225_600_000));
    let config = EngineConfig { wall_clock, commit_on, ..EngineConfig::default() };
    Engine::open_logs(vec![log], &config, None).expect("it opens").0
}

/// Awaits something that a thread outside the runtime takes part in. Paused time would otherwise jump to the next
/// timeout as soon as the runtime has nothing to do itself.
pub(crate) async fn settled<T>(waiting: impl Future<Output = T>) -> T {
    let (done, over) = std::sync::mpsc::channel::<()>();
    let hold_time = tokio::task::spawn_blocking(move || {
        let _over = over.recv();
    });
    let result = waiting.await;
    drop(done);
    hold_time.await.expect("no panic");
    result
}

/// The next syncs of this disk, so many of them, wait until they are let go, one for each that is sent.
pub(crate) fn hold_syncs(disk: &MemoryDisk, count: usize) -> std::sync::mpsc::Sender<()> {
    let (release, gate) = std::sync::mpsc::channel::<()>();
    let gate = std::sync::Mutex::new(gate);
    disk.on_slow_sync(move || {
        let _released = gate.lock().expect("no panic").recv();
    });
    disk.script(std::iter::repeat_n(Fault::SlowSync, count));
    release
}

pub(crate) fn spec(sku: &str, total: u32) -> ItemSpec {
    let settings = Settings {
        name: ItemName::parse("thing").expect("a name"),
        unit_price: Money { minor: 100, currency: Currency::parse("USD").expect("a currency") },
        policy: Policy { hold_time: DurationMs::from_secs(10), ..Policy::default() },
        opens_at: None,
        closes_at: None,
    };
    ItemSpec { sku: Sku::parse(sku).expect("a sku"), total: Units::new(total).expect("units"), settings }
}

async fn open_item(engine: &Engine, sku: &str, total: u32) -> crate::ItemHandle {
    open_item_as(engine, spec(sku, total)).await
}

pub(crate) async fn open_item_as(engine: &Engine, spec: ItemSpec) -> crate::ItemHandle {
    let sku = spec.sku.clone();
    let created = settled(engine.create_item(spec, None)).await;
    created.expect("a judgement").outcome.expect("created");
    let item = engine.find(&sku).expect("it is there");
    let opened = settled(item.command(Command::OpenSale, None)).await;
    opened.expect("a judgement").outcome.expect("opened");
    item
}

pub(crate) fn customer(name: &str) -> CustomerId {
    CustomerId::parse(name).expect("a customer")
}

pub(crate) fn reserve(name: &str) -> Command {
    Command::Reserve { customer: customer(name), quantity: Quantity::ONE, waitlist: WaitlistChoice::Join }
}

pub(crate) fn attempt(key: &str) -> Attempt {
    let key = IdempotencyKey::parse(&format!("{key:0>16}")).expect("a key");
    Attempt { caller: "ann".to_owned(), route: "POST /reservations".to_owned(), key }
}

pub(crate) fn view(answer: Answer) -> ReservationView {
    match answer.body {
        Body::Reservation(view) => *view,
        other => panic!("not a reservation: {other:?}"),
    }
}

pub(crate) async fn held(item: &crate::ItemHandle, name: &str) -> ReservationView {
    view(settled(item.command(reserve(name), None)).await.expect("a judgement").outcome.expect("accepted"))
}

async fn read(item: &crate::ItemHandle, of: &ReservationView) -> ReservationView {
    let claim = Claim { reservation: of.id.ordinal(), customer: of.customer.clone() };
    view(settled(item.query(Query::Reservation(claim))).await.expect("a judgement").outcome.expect("found"))
}

#[tokio::test(start_paused = true)]
async fn what_was_acknowledged_is_there_after_a_crash_and_same_keys_get_the_same_answers() {
    let disk = disk();
    let engine = start(&disk);
    let item = open_item(&engine, "lamp", 2).await;
    let key = attempt("1");
    let first = settled(item.command(reserve("ann"), Some(&key))).await.expect("judged").outcome.expect("accepted");
    drop(engine);
    disk.crash(1);

    let engine = start(&disk);
    let item = engine.find(&Sku::parse("lamp").expect("a sku")).expect("it is there");
    assert_eq!(item.view().status.held.get(), 1);
    let again = settled(item.command(reserve("ann"), Some(&key))).await.expect("judged").outcome.expect("accepted");
    assert_eq!(engine.status().items_awake, 1, "its first turn, which is a long one, is its own task's");
    assert_eq!((again.origin, again.body), (Origin::Replayed, first.body));
    let other = settled(item.command(reserve("bob"), Some(&key))).await.expect("judged").outcome;
    assert!(other.is_ok(), "the content is the command, and who it is for is in the caller's scope");
    assert_eq!(settled(engine.reservations_of(&customer("ann"), None, 10)).await.expect("a page").ids.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_hold_expires_by_itself_and_the_next_in_line_is_promoted_while_nobody_asks() {
    let engine = start(&disk());
    let item = open_item(&engine, "lamp", 1).await;
    let ann = held(&item, "ann").await;
    let bob = held(&item, "bob").await;
    assert!(matches!(bob.state, StateView::Waiting { position: 1, .. }));
    let mut watch = item.watch();
    watch.borrow_and_update();
    tokio::time::sleep(Duration::from_secs(9)).await; // waits: paused time
    assert_eq!(engine.status().items_awake, 0, "nobody asks, so it sleeps");
    tokio::time::advance(Duration::from_millis(1_100)).await;
    settled(watch.changed()).await.expect("its time wakes it");
    assert_eq!(read(&item, &ann).await.state, StateView::Expired);
    assert!(matches!(read(&item, &bob).await.state, StateView::Held { .. }));
}

#[tokio::test(start_paused = true)]
async fn an_item_is_asked_in_its_sleep_wakes_for_those_who_come_together_and_goes_to_rest_again() {
    let engine = start(&disk());
    let item = open_item(&engine, "lamp", 9).await;
    for name in ["ann", "bob", "cyd"] {
        held(&item, name).await;
        assert_eq!(engine.status().items_awake, 0, "{name} came alone");
    }
    tokio::join!(held(&item, "dan"), held(&item, "eve"));
    assert_eq!(engine.status().items_awake, 1);
    tokio::time::sleep(2 * IDLE_BEFORE_REST).await; // waits: paused time
    assert_eq!(engine.status().items_awake, 0);
    assert_eq!(item.view().status.held.get(), 5);
}

#[tokio::test(start_paused = true)]
async fn after_a_restart_no_hold_ends_before_the_grace() {
    let disk = disk();
    let engine = start(&disk);
    let item = open_item(&engine, "lamp", 1).await;
    let ann = held(&item, "ann").await;
    drop(engine);
    disk.crash(2);
    let engine = start(&disk);
    let item = engine.find(&Sku::parse("lamp").expect("a sku")).expect("it is there");
    tokio::time::sleep(Duration::from_secs(29)).await; // waits: paused time
    assert!(matches!(read(&item, &ann).await.state, StateView::Held { .. }), "10 s have passed, the grace has not");
    tokio::time::sleep(Duration::from_secs(2)).await; // waits: paused time
    assert_eq!(read(&item, &ann).await.state, StateView::Expired);
}

#[tokio::test]
async fn a_failed_sync_ends_all_acknowledgements_and_is_told() {
    let disk = disk();
    let engine = start(&disk);
    let item = open_item(&engine, "lamp", 5).await;
    disk.script([Fault::SyncFails]);
    assert_eq!(item.command(reserve("ann"), None).await, Err(SubmitError::OutcomeUnknown));
    let mut failure = engine.failure();
    failure.wait_for(Option::is_some).await.expect("it is told");
    assert_eq!(item.command(reserve("bob"), None).await, Err(SubmitError::OutcomeUnknown));
    assert_eq!(item.view().status.held.get(), 0, "nothing of it was published");
}

#[tokio::test]
async fn an_append_of_unknown_fate_is_sent_again_and_counts_once() {
    let disk = disk();
    let engine = start(&disk);
    let item = open_item(&engine, "lamp", 5).await;
    disk.script([Fault::UnknownApplied, Fault::None, Fault::UnknownNotApplied, Fault::None, Fault::Late, Fault::None]);
    for name in ["ann", "bob", "cyd"] {
        held(&item, name).await;
    }
    drop(engine);
    let engine = start(&disk);
    let item = engine.find(&Sku::parse("lamp").expect("a sku")).expect("it is there");
    assert_eq!(item.view().status.held.get(), 3);
}

#[tokio::test]
async fn when_another_process_takes_over_callers_are_told_that_nothing_happened() {
    let disk = disk();
    let engine = start(&disk);
    let item = open_item(&engine, "lamp", 5).await;
    disk.script([Fault::TakenOver]);
    assert_eq!(item.command(reserve("ann"), None).await, Err(SubmitError::NotOwner));
    engine.failure().wait_for(Option::is_some).await.expect("it is told");
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_waits_too_long_is_told_that_nothing_is_known_and_the_same_key_tells() {
    let disk = disk();
    let engine = start(&disk);
    let item = open_item(&engine, "lamp", 5).await;
    let release = hold_syncs(&disk, 1);
    let key = attempt("9");
    // Time is paused and moves to the timeout, because the sync does not end before.
    assert_eq!(item.command(reserve("ann"), Some(&key)).await, Err(SubmitError::OutcomeUnknown));
    release.send(()).expect("the sync waits");
    let again = settled(item.command(reserve("ann"), Some(&key))).await.expect("judged").outcome.expect("accepted");
    assert_eq!(again.origin, Origin::Replayed, "it had happened, and happened once");
}

#[tokio::test]
async fn an_item_is_created_once_and_the_same_key_gets_the_same_answer() {
    let engine = start(&disk());
    let key = attempt("5");
    let first = engine.create_item(spec("lamp", 3), Some(&key)).await.expect("judged").outcome.expect("created");
    let again = engine.create_item(spec("lamp", 3), Some(&key)).await.expect("judged").outcome.expect("created");
    assert_eq!((again.origin, again.body), (Origin::Replayed, first.body));
    let other = engine.create_item(spec("lamp", 3), None).await.expect("judged").outcome;
    assert_eq!(other, Err(Rejection::ItemExists));
    let reused = engine.create_item(spec("lamp", 4), Some(&key)).await.expect("judged").outcome;
    assert!(matches!(reused, Err(Rejection::IdempotencyKeyReused { .. })));
}

#[tokio::test]
async fn a_panic_in_a_turn_stops_and_rebuilds_that_item_alone() {
    let engine = start(&disk());
    let other = open_item(&engine, "vase", 5).await;
    let asleep = open_item(&engine, "panics-asleep", 5).await;
    panics_once(&engine, &asleep, &other, Panics::Before).await;
    let awake = open_item(&engine, "panics-awake", 5).await;
    tokio::join!(held(&awake, "zoe"), held(&awake, "yan"));
    assert_eq!(engine.status().items_awake, 1);
    panics_once(&engine, &awake, &other, Panics::Before).await;
}

#[tokio::test]
async fn an_item_whose_turn_panics_when_all_of_it_is_done_waits_for_nothing_that_was_never_handed_over() {
    let engine = start(&disk());
    let (lamp, other) = (open_item(&engine, "panics-at-the-end", 5).await, open_item(&engine, "vase", 5).await);
    panics_once(&engine, &lamp, &other, Panics::Behind).await;
}

async fn panics_once(engine: &Engine, lamp: &crate::ItemHandle, other: &crate::ItemHandle, when: Panics) {
    let ann = held(lamp, "ann").await;
    crate::actor::failpoint::panic_next(lamp.no(), when);
    let lost = lamp.command(reserve("bob"), None).await;
    assert!(matches!(lost, Err(SubmitError::ItemRebuilding { .. } | SubmitError::OutcomeUnknown)), "{lost:?}");
    let cyd = held(other, lamp.view().sku.as_str()).await;
    assert!(matches!(cyd.state, StateView::Held { .. }));
    // The rebuilt item answers as soon as it is folded.
    let back = loop {
        match lamp.command(reserve("dan"), None).await {
            Ok(judgement) => break view(judgement.outcome.expect("accepted")),
            Err(SubmitError::ItemRebuilding { .. }) => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(back.id.ordinal().0, ann.id.ordinal().0 + 1, "bob's attempt left nothing");
    assert!(matches!(read(lamp, &ann).await.state, StateView::Held { .. }));
    assert!(engine.status().items_stopped.is_empty());
}

#[tokio::test]
async fn a_panic_behind_a_turn_in_an_items_sleep_is_the_engines_failure() {
    let engine = start(&disk());
    let lamp = open_item(&engine, "panics-behind-its-turn", 5).await;
    crate::actor::failpoint::panic_next(lamp.no(), Panics::HandingOver);
    let asking = tokio::spawn(async move { lamp.command(reserve("ann"), None).await });
    assert!(asking.await.is_err(), "whoever asked had the turn");
    let failed = engine.status().failed.expect("a reason");
    assert!(failed.contains("an item's turn in its sleep"), "{failed}");
}

#[tokio::test]
async fn an_item_that_panics_again_and_again_stays_stopped_and_is_shown() {
    let engine = start(&disk());
    let lamp = open_item(&engine, "panics-often", 5).await;
    for _ in 0..crate::limits::PANICS_MAX {
        crate::actor::failpoint::panic_next(lamp.no(), Panics::Before);
        while !matches!(lamp.command(reserve("bob"), None).await, Err(SubmitError::ItemStopped { .. })) {
            if !crate::actor::failpoint::is_armed(lamp.no()) {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    let stopped = loop {
        match lamp.command(reserve("bob"), None).await {
            Err(SubmitError::ItemStopped { item }) => break item,
            _ => tokio::task::yield_now().await,
        }
    };
    assert_eq!(stopped, lamp.no());
    assert_eq!(engine.status().items_stopped.len(), 1);
    held(&open_item(&engine, "vase", 1).await, "ann").await;
}

#[tokio::test]
async fn a_clean_close_keeps_everything_and_refuses_what_comes_later() {
    let disk = disk();
    let engine = start(&disk);
    let item = open_item(&engine, "lamp", 5).await;
    held(&item, "ann").await;
    engine.close().await;
    assert_eq!(item.command(reserve("bob"), None).await, Err(SubmitError::Draining));
    let engine = start(&disk);
    let item = engine.find(&Sku::parse("lamp").expect("a sku")).expect("it is there");
    assert_eq!((item.view().status.held.get(), item.view().status.phase), (1, Phase::Open));
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_first_turn_after_a_restart_does_not_cost_the_grace() {
    let disk = disk();
    let engine = start(&disk);
    let item = open_item(&engine, "lamp", 1).await;
    let ann = held(&item, "ann").await;
    drop(engine);
    disk.crash(4);
    let engine = start(&disk);
    let item = engine.find(&Sku::parse("lamp").expect("a sku")).expect("it is there");
    crate::actor::failpoint::panic_next(item.no(), Panics::Before);
    let lost = settled(item.command(reserve("bob"), None)).await;
    assert!(lost.is_err(), "{lost:?}");
    tokio::time::sleep(Duration::from_secs(12)).await; // waits: paused time
    assert!(matches!(read(&item, &ann).await.state, StateView::Held { .. }), "its own deadline has passed");
}

#[tokio::test]
async fn a_page_from_the_last_possible_cursor_is_empty() {
    let engine = start(&disk());
    let item = open_item(&engine, "lamp", 1).await;
    held(&item, "ann").await;
    let query = Query::Reservations { filter: ReservationFilter::All, from: Ordinal(u32::MAX), limit: 10 };
    let answer = item.query(query).await.expect("judged").outcome.expect("an answer");
    assert_eq!(answer.body, Body::Reservations { page: Vec::new(), next: None });
}

#[tokio::test]
async fn a_replayed_creation_shows_the_settings_of_its_moment() {
    let engine = start(&disk());
    let key = attempt("6");
    let first = engine.create_item(spec("lamp", 3), Some(&key)).await.expect("judged").outcome.expect("created");
    let item = engine.find(&Sku::parse("lamp").expect("a sku")).expect("it is there");
    let patch = SettingsPatch { name: Some(ItemName::parse("other").expect("a name")), ..SettingsPatch::default() };
    let revise = Command::ReviseItem { patch: Box::new(patch), expected: None };
    item.command(revise, None).await.expect("judged").outcome.expect("revised");
    let again = engine.create_item(spec("lamp", 3), Some(&key)).await.expect("judged").outcome.expect("created");
    assert_eq!((again.origin, again.body), (Origin::Replayed, first.body));
}

#[tokio::test]
async fn an_item_created_twice_at_once_exists_once_and_is_never_called_stopped() {
    let engine = start(&disk());
    let mut creations = tokio::task::JoinSet::new();
    for number in 0..20 {
        let engine = engine.clone();
        let key = attempt(&number.to_string());
        creations.spawn(async move { engine.create_item(spec("lamp", 3), Some(&key)).await.expect("judged").outcome });
    }
    let mut created = 0;
    while let Some(outcome) = creations.join_next().await {
        match outcome.expect("no panic") {
            Ok(_) => created += 1,
            Err(rejection) => assert_eq!(rejection, Rejection::ItemExists),
        }
    }
    assert_eq!(created, 1);
}

#[tokio::test(start_paused = true)]
async fn sleeping_items_all_wake_at_their_time() {
    let engine = start(&disk());
    let mut items = Vec::new();
    for number in 0..60 {
        let item = open_item(&engine, &format!("lamp-{number}"), 1).await;
        held(&item, "ann").await;
        items.push(item);
    }
    // Some are asked shortly before their time, some sleep through to it.
    tokio::time::sleep(Duration::from_secs(9)).await; // waits: paused time
    for item in items.iter().step_by(3) {
        held(item, "bob").await;
    }
    tokio::time::advance(Duration::from_millis(1_100)).await;
    for (number, item) in items.iter().enumerate() {
        let (held, waiting) = if number % 3 == 0 { (1, 0) } else { (0, 0) };
        let mut watch = item.watch();
        let woken = watch.wait_for(|view| (view.status.held.get(), view.status.waiting) == (held, waiting));
        settled(woken).await.expect("published");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_log_keeps_a_crowd_and_shares_its_records() {
    let dir = tempfile::tempdir().expect("a directory");
    let config = || EngineConfig { timeouts: Timeouts::default(), ..EngineConfig::default() };
    let (engine, _) = Engine::open(dir.path(), &config()).expect("it opens");
    let item = open_item(&engine, "lamp", 100).await;
    let mut crowd = tokio::task::JoinSet::new();
    for number in 0..300 {
        let item = item.clone();
        crowd.spawn(async move { item.command(reserve(&format!("c{number}")), None).await });
    }
    let mut accepted = 0;
    while let Some(judged) = crowd.join_next().await {
        accepted += usize::from(judged.expect("no panic").expect("judged").outcome.is_ok());
    }
    assert_eq!(accepted, 300, "a hundred held, two hundred waiting");
    let records = engine.log_reader(PartitionNo(0)).expect("a reader").tail();
    assert!(records < RecordNo(300), "{records} records for 302 events");
    engine.close().await;
    drop(engine);

    let (engine, report) = Engine::open(dir.path(), &config()).expect("it opens again");
    assert!(report.partitions.iter().all(|partition| partition.cut.is_none() && partition.events == 303));
    let view = engine.find(&Sku::parse("lamp").expect("a sku")).expect("it is there").view();
    assert_eq!((view.status.held.get(), view.status.waiting), (100, 200));
    engine.close().await;
}
