//! Bundles on the whole engine, on logs in memory and on paused time: all or nothing, whatever goes wrong between.

use crate::actor::failpoint::Panics;
use crate::tests::{customer, open_item_as, reserve, settled, spec};
use crate::{Engine, EngineConfig, ItemHandle, SubmitError, Timeouts, Unrecovered};
use domain::bundle::WantedLines;
use domain::command::Command;
use domain::event::PartDecision;
use domain::idempotency::{Attempt, IdempotencyKey};
use domain::identity::{BundleId, OrderId};
use domain::ids::{CaptureNo, Ordinal, PartitionNo};
use domain::money::{Currency, Money};
use domain::partition::{BundleClaim, PartitionCommand, PartitionQuery, partition_of};
use domain::payment::{LateRefusal, PaymentReport, Provider, RefundReason, Told};
use domain::rejection::Rejection;
use domain::text::{PaymentId, ProviderEventId, Reason, Sku};
use domain::time::Timestamp;
use domain::turn::Query;
use domain::units::Quantity;
use domain::views::{
    Body, BundleStateView, BundleView, CaptureFilter, Judgement, Origin, PaymentVerdict, ReservationFilter, StateView,
};
use eventlog::LogId;
use eventlog::memory_log::{Fault, MemoryDisk, MemoryLog};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

fn disks(count: u8) -> Vec<MemoryDisk> {
    (0..count).map(|no| MemoryDisk::new(LogId([no + 1; 16]))).collect()
}

fn start(disks: &[MemoryDisk]) -> Engine {
    start_with(disks, Timeouts::default())
}

fn start_with(disks: &[MemoryDisk], timeouts: Timeouts) -> Engine {
    let log = |(no, disk): (u8, &MemoryDisk)| Unrecovered {
        partition: PartitionNo(no),
        log: Box::new(MemoryLog::open(disk.clone())),
        snapshots: None,
        follow_ups: crate::FollowUpStore::memory(),
    };
    let wall_clock = Arc::new(|| Timestamp::from_millis(1_767_225_600_000));
    let config = EngineConfig { wall_clock, timeouts, ..EngineConfig::default() };
    Engine::open_logs((0..).zip(disks).map(log).collect(), &config, None).expect("it opens").0
}

async fn item(engine: &Engine, sku: &str, total: u32) -> ItemHandle {
    open_item_as(engine, spec(sku, total)).await
}

fn again(engine: &Engine, sku: &str) -> ItemHandle {
    engine.find(&Sku::parse(sku).expect("a sku")).expect("it is there")
}

fn lines(skus: &[&str]) -> WantedLines {
    let line = |sku: &&str| (Sku::parse(sku).expect("a sku"), Quantity::ONE);
    WantedLines::new(skus.iter().map(line).collect()).expect("lines")
}

fn attempt(key: &str) -> Attempt {
    let key = IdempotencyKey::parse(&format!("{key:0>16}")).expect("a key");
    Attempt { caller: "ann".to_owned(), route: "POST /v1/bundles".to_owned(), key }
}

fn bundle(judged: Judgement) -> BundleView {
    match judged.outcome.expect("an answer").body {
        Body::Bundle(view) => *view,
        other => panic!("not a bundle: {other:?}"),
    }
}

async fn held(engine: &Engine, name: &str, skus: &[&str]) -> BundleView {
    bundle(settled(engine.reserve_bundle(&customer(name), &lines(skus), None)).await.expect("judged"))
}

async fn command(engine: &Engine, of: BundleId, command: PartitionCommand) -> Judgement {
    settled(engine.bundle(of).expect("its partition").command(command, None)).await.expect("judged")
}

async fn read(engine: &Engine, of: BundleId) -> Result<BundleView, Rejection> {
    let handle = engine.bundle(of).expect("its partition");
    let judged = settled(handle.query(PartitionQuery::AnyBundle(of))).await.expect("judged");
    judged.outcome.map(|answer| match answer.body {
        Body::Bundle(view) => *view,
        other => panic!("not a bundle: {other:?}"),
    })
}

fn claim(view: &BundleView) -> BundleClaim {
    BundleClaim { bundle: view.id, customer: view.customer.clone() }
}

fn usd(minor: u64) -> Money {
    Money { minor, currency: Currency::parse("USD").expect("a currency") }
}

fn captured(number: u8, minor: u64) -> PaymentReport {
    PaymentReport {
        provider: Provider::Simulated,
        report: ProviderEventId::parse(&format!("evt-{number}")).expect("a report"),
        payment: PaymentId::parse(&format!("pay-{number}")).expect("a payment"),
        told: Told::Captured(usd(minor)),
    }
}

async fn pay(engine: &Engine, view: &BundleView) -> PaymentVerdict {
    let placed = PartitionCommand::PlaceOrder { claim: claim(view), amount: Some(view.amount) };
    command(engine, view.id, placed).await.outcome.expect("ordered");
    let report = Box::new(captured(1, view.amount.minor));
    verdict(command(engine, view.id, PartitionCommand::RecordPayment { bundle: view.id, report }).await)
}

fn verdict(judged: Judgement) -> PaymentVerdict {
    match judged.outcome.expect("an answer").body {
        Body::Payment(verdict) => verdict,
        other => panic!("not a verdict: {other:?}"),
    }
}

/// Available, held and sold units.
fn counts(item: &ItemHandle) -> (u32, u32, u32) {
    let status = item.view().status;
    (status.available.get(), status.held.get(), status.sold.get())
}

/// Waits until every part has been told what is decided.
async fn quiet(engine: &Engine) {
    settled(async {
        while engine.status().bundles_following > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn every_line_is_held_then_every_line_is_sold_when_the_answer_leaves() {
    let engine = start(&disks(1));
    let (lamp, vase) = (item(&engine, "lamp", 2).await, item(&engine, "vase", 1).await);
    let view = held(&engine, "ann", &["vase", "lamp"]).await;
    assert_eq!((counts(&lamp), counts(&vase)), ((1, 1, 0), (0, 1, 0)));
    assert_eq!((view.amount, view.lines.len()), (usd(200), 2));
    assert!(matches!(view.state, BundleStateView::Held { .. }));
    assert_eq!(pay(&engine, &view).await, PaymentVerdict::Applied);
    assert_eq!((counts(&lamp), counts(&vase)), ((1, 0, 1), (0, 0, 1)), "the parts have followed");
    assert_eq!(read(&engine, view.id).await.expect("it is there").state, BundleStateView::Confirmed);
}

#[tokio::test(start_paused = true)]
async fn every_refused_line_is_named_and_nothing_stays_held() {
    let engine = start(&disks(1));
    let lamp = item(&engine, "lamp", 1).await;
    let (vase, rug) = (item(&engine, "vase", 1).await, item(&engine, "rug", 1).await);
    let desk = item(&engine, "desk", 1).await;
    for taken in [&vase, &desk] {
        settled(taken.command(reserve("bob"), None)).await.expect("judged").outcome.expect("held");
    }
    let wanted = lines(&["lamp", "vase", "rug", "desk"]);
    let judged = settled(engine.reserve_bundle(&customer("ann"), &wanted, None)).await.expect("judged");
    let refused = |sku: &str| (Sku::parse(sku).expect("a sku"), Rejection::SoldOut);
    assert_eq!(
        judged.outcome,
        Err(Rejection::BundleUnavailable { lines: vec![refused("vase"), refused("desk")] }),
        "in the order in which the items were asked"
    );
    assert_eq!((counts(&lamp), counts(&rug)), ((1, 0, 0), (1, 0, 0)), "given back, and never taken");
}

#[tokio::test(start_paused = true)]
async fn a_line_without_an_item_refuses_before_any_unit_is_touched() {
    let engine = start(&disks(1));
    let lamp = item(&engine, "lamp", 1).await;
    let wanted = lines(&["lamp", "ghost"]);
    let judged = settled(engine.reserve_bundle(&customer("ann"), &wanted, None)).await.expect("judged");
    let ghost = (Sku::parse("ghost").expect("a sku"), Rejection::NotFound);
    assert_eq!(judged.outcome, Err(Rejection::BundleUnavailable { lines: vec![ghost] }));
    assert_eq!(lamp.view().sequence.0, 2, "it was created and opened, and nothing else");
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_bundle_gives_every_line_back_before_the_answer_leaves() {
    let engine = start(&disks(1));
    let (lamp, vase) = (item(&engine, "lamp", 1).await, item(&engine, "vase", 1).await);
    let view = held(&engine, "ann", &["lamp", "vase"]).await;
    let cancelled = command(&engine, view.id, PartitionCommand::CancelBundle(claim(&view))).await;
    assert_eq!(bundle(cancelled).state, BundleStateView::Cancelled);
    assert_eq!((counts(&lamp), counts(&vase)), ((1, 0, 0), (1, 0, 0)));
}

#[tokio::test(start_paused = true)]
async fn a_bundle_expires_by_itself_and_late_money_for_it_goes_back() {
    let engine = start(&disks(1));
    let (lamp, vase) = (item(&engine, "lamp", 1).await, item(&engine, "vase", 1).await);
    let view = held(&engine, "ann", &["lamp", "vase"]).await;
    let placed = PartitionCommand::PlaceOrder { claim: claim(&view), amount: None };
    command(&engine, view.id, placed).await.outcome.expect("ordered");
    tokio::time::sleep(Duration::from_millis(10_500)).await; // waits: paused time
    for item in [&lamp, &vase] {
        settled(item.watch().wait_for(|view| view.status.available.get() == 1)).await.expect("published");
    }
    assert_eq!(read(&engine, view.id).await.expect("it is there").state, BundleStateView::Expired);
    let report = Box::new(captured(1, 200));
    let late = command(&engine, view.id, PartitionCommand::RecordPayment { bundle: view.id, report }).await;
    assert_eq!(verdict(late), PaymentVerdict::RefundDue(RefundReason::Late(LateRefusal::Bundle)));
    let due = PartitionQuery::Captures { filter: CaptureFilter::Due, from: CaptureNo(0), limit: 9 };
    let judged = settled(engine.bundle(view.id).expect("its partition").query(due)).await.expect("judged");
    let Body::Captures { page, .. } = judged.outcome.expect("a page").body else { panic!("not captures") };
    assert_eq!(page.iter().map(|capture| capture.order).collect::<Vec<_>>(), [OrderId::of_bundle(view.id)]);
}

#[tokio::test(start_paused = true)]
async fn a_refund_that_returns_units_reaches_every_item() {
    let engine = start(&disks(2));
    let (lamp, vase) = (item(&engine, "lamp", 2).await, item(&engine, "vase", 2).await);
    let view = held(&engine, "ann", &["lamp", "vase"]).await;
    assert_eq!(pay(&engine, &view).await, PaymentVerdict::Applied);
    let reason = Reason::parse("broken").expect("a reason");
    let refund = PartitionCommand::RefundOrder { bundle: view.id, return_units: true, reason };
    command(&engine, view.id, refund).await.outcome.expect("refunded");
    assert_eq!((counts(&lamp), counts(&vase)), ((2, 0, 0), (2, 0, 0)));
}

#[tokio::test(start_paused = true)]
async fn the_same_key_many_times_at_once_is_one_bundle_and_one_answer() {
    let disks = disks(3);
    let engine = start(&disks);
    let (lamp, vase) = (item(&engine, "lamp", 50).await, item(&engine, "vase", 50).await);
    let asks = (0..20).map(|_| {
        let engine = engine.clone();
        tokio::spawn(async move {
            engine.reserve_bundle(&customer("ann"), &lines(&["lamp", "vase"]), Some(&attempt("1"))).await
        })
    });
    let asks: Vec<_> = asks.collect();
    let mut answers = Vec::new();
    for ask in asks {
        answers.push(settled(ask).await.expect("no panic").expect("judged").outcome.expect("held"));
    }
    assert_eq!(answers.iter().filter(|answer| matches!(answer.origin, Origin::Accepted(_))).count(), 1);
    assert!(answers.windows(2).all(|pair| matches!(pair, [left, right] if left.body == right.body)), "one answer");
    assert_eq!((counts(&lamp), counts(&vase)), ((49, 1, 0), (49, 1, 0)));

    let (ann, lamp_alone, key) = (customer("ann"), lines(&["lamp"]), attempt("1"));
    let other = settled(engine.reserve_bundle(&ann, &lamp_alone, Some(&key))).await.expect("judged").outcome;
    assert!(matches!(other, Err(Rejection::IdempotencyKeyReused { .. })), "{other:?}");

    drop(engine);
    disks.iter().for_each(|disk| disk.crash(5));
    let engine = start(&disks);
    let wanted = lines(&["lamp", "vase"]);
    let repeated = settled(engine.reserve_bundle(&customer("ann"), &wanted, Some(&attempt("1")))).await;
    let repeated = repeated.expect("judged").outcome.expect("held");
    assert_eq!(Some(&repeated.body), answers.first().map(|answer| &answer.body), "also after a crash");
}

#[tokio::test(start_paused = true)]
async fn bundles_over_crossing_items_do_not_wait_for_each_other() {
    cross().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bundles_over_crossing_items_do_not_wait_for_each_other_on_several_threads() {
    cross().await;
}

async fn cross() {
    let engine = start(&disks(2));
    let pairs = [["lamp", "vase"], ["vase", "lamp"], ["rug", "vase"], ["lamp", "rug"]];
    let mut items = Vec::new();
    for name in ["lamp", "vase", "rug"] {
        items.push(item(&engine, name, 7).await);
    }
    let asks: Vec<_> = (0..40)
        .zip(pairs.into_iter().cycle())
        .map(|(number, pair)| {
            let engine = engine.clone();
            tokio::spawn(
                async move { engine.reserve_bundle(&customer(&format!("c{number}")), &lines(&pair), None).await },
            )
        })
        .collect();
    let mut expected: BTreeMap<Sku, u32> = BTreeMap::new();
    for ask in asks {
        match settled(ask).await.expect("no panic").expect("judged").outcome {
            Ok(answer) => {
                let Body::Bundle(view) = answer.body else { panic!("not a bundle") };
                view.lines.into_iter().for_each(|line| *expected.entry(line.sku).or_default() += 1);
            }
            Err(rejection) => assert!(matches!(rejection, Rejection::BundleUnavailable { .. }), "{rejection:?}"),
        }
    }
    quiet(&engine).await;
    for item in &items {
        let held = item.view().status.held.get();
        // None at all, if the two others sold out together.
        let whole = expected.get(&item.view().sku).copied().unwrap_or_default();
        assert_eq!(held, whole, "held for whole bundles only");
    }
}

#[tokio::test(start_paused = true)]
async fn a_part_of_a_bundle_that_nobody_collects_is_let_go() {
    let engine = start(&disks(1));
    let lamp = item(&engine, "lamp", 1).await;
    let late = Command::HoldPart {
        bundle: BundleId::new(PartitionNo(0), 77),
        customer: customer("ann"),
        quantity: Quantity::ONE,
    };
    settled(lamp.command(late, None)).await.expect("judged").outcome.expect("held, late");
    quiet(&engine).await;
    assert_eq!(counts(&lamp), (1, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_report_of_an_order_never_issued_is_listed_once() {
    let engine = start(&disks(1));
    let stranger = BundleId::new(PartitionNo(0), 5);
    let handle = engine.bundle(stranger).expect("its partition");
    for _ in 0..2 {
        let order = OrderId::of_bundle(stranger);
        settled(handle.record_unmatched(order, captured(1, 5))).await.expect("judged").outcome.expect("taken");
    }
    let query = PartitionQuery::Unmatched { from: 0, limit: 9 };
    let listed = settled(handle.query(query)).await.expect("judged").outcome.expect("a page");
    let Body::Unmatched { page, next: None } = listed.body else { panic!("not a page") };
    assert_eq!(page.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_turn_stops_that_stream_alone_and_says_so() {
    let engine = start(&disks(1));
    let lamp = item(&engine, "lamp", 2).await;
    let registry = engine.inner.partitions.first().expect("a partition");
    let lost = registry.partition_turn::<()>(|_| panic!("a test asked for this panic")).await;
    assert!(matches!(lost, Err(SubmitError::ItemStopped { .. })), "{lost:?}");
    let refused = settled(engine.reserve_bundle(&customer("ann"), &lines(&["lamp"]), None)).await;
    assert!(matches!(refused, Err(SubmitError::ItemStopped { .. })), "{refused:?}");
    assert_eq!(engine.status().partitions_stopped.len(), 1);
    settled(lamp.command(reserve("bob"), None)).await.expect("judged").outcome.expect("items go on");
}

#[tokio::test(start_paused = true)]
async fn after_the_log_fails_no_bundle_is_acknowledged() {
    let disks = disks(1);
    let engine = start(&disks);
    item(&engine, "lamp", 2).await;
    disks.iter().for_each(|disk| disk.script([Fault::None, Fault::DiskFull]));
    let lost = settled(engine.reserve_bundle(&customer("ann"), &lines(&["lamp"]), None)).await;
    assert_eq!(lost, Err(SubmitError::OutcomeUnknown), "the part was written, the bundle was not");
}

/// A whole life of a bundle, as far as the logs allow, and how it ends.
#[derive(Clone, Copy, Debug)]
enum Life {
    Paid,
    Cancelled,
    Returned,
    Refused,
}

async fn live(engine: &Engine, life: Life) -> Result<(), SubmitError> {
    let wanted = if matches!(life, Life::Refused) { ["lamp", "vase", "gone"] } else { ["lamp", "vase", "rug"] };
    let judged = settled(engine.reserve_bundle(&customer("ann"), &lines(&wanted), Some(&attempt("1")))).await?;
    let Ok(answer) = judged.outcome else { return Ok(()) };
    let Body::Bundle(view) = answer.body else { panic!("not a bundle") };
    let ask = async |command| settled(engine.bundle(view.id).expect("its partition").command(command, None)).await;
    if matches!(life, Life::Cancelled) {
        return ask(PartitionCommand::CancelBundle(claim(&view))).await.map(drop);
    }
    ask(PartitionCommand::PlaceOrder { claim: claim(&view), amount: None }).await?;
    let report = Box::new(captured(1, view.amount.minor));
    ask(PartitionCommand::RecordPayment { bundle: view.id, report }).await?;
    if matches!(life, Life::Returned) {
        let reason = Reason::parse("broken").expect("a reason");
        ask(PartitionCommand::RefundOrder { bundle: view.id, return_units: true, reason }).await?;
    }
    Ok(())
}

/// Every part says what its bundle says, and every bundle has all its parts.
async fn check(engine: &Engine, skus: &[&str]) {
    let mut parts: BTreeMap<BundleId, Vec<StateView>> = BTreeMap::new();
    for sku in skus {
        let query = Query::Reservations { filter: ReservationFilter::All, from: Ordinal(0), limit: 100 };
        let judged = settled(again(engine, sku).query(query)).await.expect("judged");
        let Body::Reservations { page, .. } = judged.outcome.expect("a page").body else { panic!("not a page") };
        for part in page {
            parts.entry(part.bundle.expect("a part")).or_default().push(part.state);
        }
    }
    for (id, states) in parts {
        let (expected, count) = match read(engine, id).await {
            Err(_) => (StateView::Cancelled, states.len()),
            Ok(view) => {
                let expected = match view.state {
                    BundleStateView::Held { .. } => StateView::HeldInBundle,
                    BundleStateView::Confirmed => StateView::Confirmed,
                    BundleStateView::Cancelled => StateView::Cancelled,
                    BundleStateView::Expired => StateView::Expired,
                };
                (expected, view.lines.len())
            }
        };
        assert_eq!(states, vec![expected; count], "{id}");
    }
}

/// Cuts each log after so many commits of its own, starts again and looks. Says whether everything had been written.
async fn crash_after(commits: &[usize], life: Life) -> bool {
    let skus = ["lamp", "vase", "rug", "gone"];
    let disks = disks(u8::try_from(commits.len()).expect("a few"));
    let engine = start(&disks);
    for sku in skus {
        item(&engine, sku, u32::from(sku != "gone")).await;
    }
    for (disk, commits) in disks.iter().zip(commits) {
        disk.script(std::iter::repeat_n(Fault::None, *commits).chain([Fault::DiskFull]));
    }
    let whole = live(&engine, life).await.is_ok();
    engine.abandon();
    drop(engine);
    // The same disks, without what was to go wrong on them.
    let disks: Vec<MemoryDisk> = disks.iter().map(MemoryDisk::duplicate).collect();
    disks.iter().for_each(|disk| disk.crash(1));
    let engine = start(&disks);
    quiet(&engine).await;
    check(&engine, &skus).await;
    // Whoever asks again under the same key converges to one effect.
    if !matches!(life, Life::Refused) {
        live(&engine, life).await.unwrap_or_else(|error| panic!("after {commits:?} commits of {life:?}: {error}"));
        quiet(&engine).await;
        check(&engine, &skus).await;
        let units: Vec<_> = skus.iter().take(3).map(|sku| counts(&again(&engine, sku))).collect();
        let sold = if matches!(life, Life::Paid) { (0, 0, 1) } else { (1, 0, 0) };
        assert_eq!(units, [sold; 3], "after {commits:?} commits of {life:?}");
    }
    whole
}

#[tokio::test(start_paused = true)]
async fn a_crash_between_any_two_commits_leaves_all_or_nothing() {
    const NEVER: usize = 1_000;
    let places = ["lamp", "vase", "rug"].map(|sku| partition_of(&Sku::parse(sku).expect("a sku"), 2));
    assert!([0, 1].iter().all(|no| places.contains(&PartitionNo(*no))), "both partitions take part: {places:?}");
    for life in [Life::Paid, Life::Cancelled, Life::Returned, Life::Refused] {
        // One log; then two, where either fails alone, or both do.
        for cut in [|at| vec![at], |at| vec![at, at], |at| vec![at, NEVER], |at| vec![NEVER, at]] {
            let mut commits = 0;
            while !crash_after(&cut(commits), life).await {
                commits += 1;
                assert!(commits < 60, "it never gets through");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_part_that_could_not_be_told_is_told_after_its_item_is_back() {
    // Paused time runs on while the item is rebuilt: these never end.
    let patient = Duration::from_secs(1_000_000);
    let engine = start_with(&disks(1), Timeouts { judge_within: patient, answer_within: patient });
    let (lamp, vase) = (item(&engine, "lamp", 1).await, item(&engine, "vase", 1).await);
    let view = held(&engine, "ann", &["lamp", "vase"]).await;
    crate::actor::failpoint::panic_next(vase.no(), Panics::Before);
    let cancel = PartitionCommand::CancelBundle(claim(&view));
    let handle = engine.bundle(view.id).expect("its partition");
    let cancelled = bundle(handle.command(cancel, None).await.expect("it is told again, and then it follows"));
    assert_eq!(cancelled.state, BundleStateView::Cancelled);
    quiet(&engine).await;
    assert_eq!((counts(&lamp), counts(&vase)), ((1, 0, 0), (1, 0, 0)));
    let told = Command::SettlePart { bundle: view.id, decision: PartDecision::Cancelled };
    settled(vase.command(told, None)).await.expect("judged").outcome.expect("told twice, it is done");
}

#[tokio::test(start_paused = true)]
async fn a_report_that_is_told_again_is_answered_though_a_part_cannot_be_told() {
    let engine = start(&disks(1));
    let (_, vase) = (item(&engine, "lamp", 1).await, item(&engine, "vase", 1).await);
    let view = held(&engine, "ann", &["lamp", "vase"]).await;
    let placed = PartitionCommand::PlaceOrder { claim: claim(&view), amount: Some(view.amount) };
    command(&engine, view.id, placed).await.outcome.expect("ordered");
    *vase.slot.seat() = crate::slot::Seat::Stopped("a test asked for this".to_owned());
    let report =
        || PartitionCommand::RecordPayment { bundle: view.id, report: Box::new(captured(1, view.amount.minor)) };
    let handle = engine.bundle(view.id).expect("its partition");
    assert_eq!(handle.command(report(), None).await, Err(SubmitError::OutcomeUnknown), "the vase does not follow");
    let again = settled(handle.command(report(), None)).await.expect("judged");
    assert_eq!(verdict(again), PaymentVerdict::Duplicate);
}
