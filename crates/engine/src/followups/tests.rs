//! Follow-ups on a log in memory and paused time, with a provider that misbehaves as told.

mod any_order;
mod endpoints;

use super::piece::Piece;
use super::table::OPEN_WORK_MAX;
use super::{FollowUpStore, Outside};
use crate::commit::CommitOn;
use crate::ports::{
    Opportunity, PaymentProvider, PaymentRequest, PaymentState, Promised, ProviderError, RefundRequest, Withdrawn,
};
use crate::tests::{customer, open_item_as, reserve, settled, spec};
use crate::{Engine, EngineConfig, ItemHandle, Unrecovered};
use domain::command::{Claim, Command};
use domain::ids::{Ordinal, PartitionNo};
use domain::money::{Currency, Money};
use domain::payment::{ClientData, PaymentReport, Provider, Told};
use domain::policy::ItemSpec;
use domain::text::{PaymentId, ProviderEventId};
use domain::time::{DurationMs, Timestamp};
use domain::turn::Query;
use domain::views::{Body, OfferStatus, OrderState, OrderView};
use eventlog::memory_log::{MemoryDisk, MemoryLog};
use eventlog::{LogId, RecordNo};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// SplitMix64 (Steele, Lea, Flood 2014): small, seeded, good enough to choose what comes next.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }
}

/// What a provider was asked, and how it behaves.
#[derive(Default)]
struct Bank {
    down: bool,
    hangs: bool,
    refuses_refunds: bool,
    /// How long it thinks before each answer.
    thinks: Duration,
    /// How late it is with each answer, and whether it is down then, as these dice say.
    moods: Option<Dice>,
    /// How often it was asked to give money back.
    asked_back: u32,
    /// What was taken of whatever is asked for, though no report told of it.
    taken: Option<Money>,
    created: BTreeMap<String, u32>,
    cancelled: Vec<String>,
    refunded: BTreeMap<String, u32>,
}

#[derive(Clone, Default)]
struct Fake(Arc<Mutex<Bank>>);

impl Fake {
    fn bank(&self) -> std::sync::MutexGuard<'_, Bank> {
        self.0.lock().expect("no panic")
    }

    fn mood(&self) -> (Duration, bool) {
        let mut bank = self.bank();
        let thinks = bank.thinks;
        let mood =
            bank.moods.as_mut().map(|dice| (Duration::from_millis(dice.below(3_000) as u64), dice.below(8) == 0));
        mood.unwrap_or((thinks, false))
    }

    async fn works(&self) -> Result<(), ProviderError> {
        let (late, is_down) = self.mood();
        tokio::time::sleep(late).await; // waits: paused time, no real sleep
        let Bank { down, hangs, .. } = *self.bank();
        if hangs {
            std::future::pending::<()>().await;
        }
        if down || is_down { Err(ProviderError::Unavailable("500".to_owned())) } else { Ok(()) }
    }
}

impl PaymentProvider for Fake {
    fn provider(&self) -> Provider {
        Provider::Simulated
    }

    fn create<'a>(&'a self, request: &'a PaymentRequest) -> Promised<'a, Result<Opportunity, ProviderError>> {
        Box::pin(async move {
            self.works().await?;
            let payment = format!("pay-{}", request.order);
            *self.bank().created.entry(payment.clone()).or_default() += 1;
            let client = ClientData::new(Some("https://pay.example".to_owned()), None).expect("short");
            Ok(Opportunity { payment: PaymentId::parse(&payment).expect("a payment"), client })
        })
    }

    fn state<'a>(&'a self, _: &'a PaymentId) -> Promised<'a, Result<PaymentState, ProviderError>> {
        Box::pin(async { Ok(self.bank().taken.map_or(PaymentState::Open, PaymentState::Captured)) })
    }

    fn cancel<'a>(&'a self, payment: &'a PaymentId) -> Promised<'a, Result<Withdrawn, ProviderError>> {
        Box::pin(async move {
            self.works().await?;
            if self.bank().taken.is_some() {
                return Ok(Withdrawn::AlreadyPaid);
            }
            self.bank().cancelled.push(payment.as_str().to_owned());
            Ok(Withdrawn::Cancelled)
        })
    }

    fn refund<'a>(&'a self, request: &'a RefundRequest) -> Promised<'a, Result<String, ProviderError>> {
        Box::pin(async move {
            self.bank().asked_back += 1;
            self.works().await?;
            if self.bank().refuses_refunds {
                return Err(ProviderError::Refused("no such charge".to_owned()));
            }
            *self.bank().refunded.entry(request.refund.to_string()).or_default() += 1;
            Ok("re-1".to_owned())
        })
    }
}

struct Shop {
    engine: Engine,
    item: ItemHandle,
}

fn start(disk: &MemoryDisk, store: &FollowUpStore, bank: &Fake) -> Engine {
    start_with(disk, store, bank, None)
}

fn start_with(
    disk: &MemoryDisk,
    store: &FollowUpStore,
    bank: &Fake,
    notifier: Option<Arc<dyn crate::ports::Notifier>>,
) -> Engine {
    let log = Unrecovered {
        partition: PartitionNo(0),
        log: Box::new(MemoryLog::open(disk.clone())),
        snapshots: None,
        follow_ups: store.clone(),
    };
    let config = EngineConfig {
        wall_clock: Arc::new(|| Timestamp::from_millis(1_767_225_600_000)),
        // A thread would work outside of paused time, and time would run on meanwhile.
        commit_on: CommitOn::Task,
        outside: Outside { providers: vec![Arc::new(bank.clone())], notifier },
        ..EngineConfig::default()
    };
    Engine::open_logs(vec![log], &config, None).expect("it opens").0
}

fn reopen(disk: &MemoryDisk, store: &FollowUpStore, bank: &Fake) -> Shop {
    let engine = start(disk, store, bank);
    let item = engine.item(domain::ids::ItemNo::new(PartitionNo(0), 1).expect("a number")).expect("it is there");
    Shop { engine, item }
}

fn paid_item(total: u32) -> ItemSpec {
    let mut spec = spec("phone", total);
    spec.settings.policy.payments.provider = Some(Provider::Simulated);
    spec
}

impl Shop {
    async fn open(disk: &MemoryDisk, store: &FollowUpStore, bank: &Fake, total: u32) -> Self {
        let engine = start(disk, store, bank);
        let item = open_item_as(&engine, paid_item(total)).await;
        Self { engine, item }
    }

    /// Sells twenty, and holds them for longer than any test takes.
    async fn patient(engine: Engine) -> Self {
        let mut spec = paid_item(20);
        spec.settings.policy.hold_time = DurationMs::from_secs(6_000);
        let item = open_item_as(&engine, spec).await;
        Self { engine, item }
    }

    async fn sells_to(&self, customers: std::ops::Range<u32>) {
        for n in customers {
            self.told(reserve(&format!("c{n}"))).await;
        }
    }

    async fn told(&self, command: Command) -> Body {
        let judged = settled(self.item.command(command, None)).await.expect("a judgement");
        judged.outcome.expect("accepted").body
    }

    async fn order(&self, reservation: u32, who: &str) -> Option<OrderView> {
        let claim = Claim { reservation: Ordinal(reservation), customer: customer(who) };
        match settled(self.item.query(Query::Order(claim))).await.expect("a judgement").outcome.ok()?.body {
            Body::Order(view) => Some(*view),
            _ => None,
        }
    }

    /// Lets follow-ups happen until the order looks as wanted; paused time moves on by itself.
    async fn until(&self, reservation: u32, who: &str, wanted: impl Fn(&OrderView) -> bool) -> OrderView {
        for _ in 0..2_000 {
            if let Some(order) = self.order(reservation, who).await.filter(|order| wanted(order)) {
                return order;
            }
            tokio::time::sleep(Duration::from_millis(20)).await; // waits: paused time, no real sleep
        }
        panic!("the follow-up never came: {:?}", self.order(reservation, who).await);
    }

    async fn pay(&self, reservation: u32, event: &str, payment: &str) -> Body {
        let amount = Money { minor: 100, currency: Currency::parse("USD").expect("a currency") };
        let report = PaymentReport {
            provider: Provider::Simulated,
            report: ProviderEventId::parse(event).expect("a report"),
            payment: PaymentId::parse(payment).expect("a payment"),
            told: Told::Captured(amount),
        };
        self.told(Command::RecordPayment { reservation: Ordinal(reservation), report: Box::new(report) }).await
    }
}

fn world() -> (MemoryDisk, FollowUpStore, Fake) {
    (MemoryDisk::new(LogId([7; 16])), FollowUpStore::memory(), Fake::default())
}

#[tokio::test(start_paused = true)]
async fn every_hold_and_every_promotion_gets_its_order_and_an_opportunity_to_pay() {
    let (disk, store, bank) = world();
    let shop = Shop::open(&disk, &store, &bank, 1).await;
    shop.told(reserve("ann")).await;
    shop.told(reserve("bob")).await;
    let order = shop.until(0, "ann", |order| order.payment.is_some()).await;
    let payment = order.payment.expect("an opportunity");
    assert_eq!((payment.status, payment.offer.client.url()), (OfferStatus::Open, Some("https://pay.example")));
    let claim = Claim { reservation: Ordinal(0), customer: customer("ann") };
    shop.told(Command::CancelReservation(claim)).await;
    shop.until(1, "bob", |order| order.payment.is_some()).await;
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(20)).await; // waits: paused time, no real sleep
        if !bank.bank().cancelled.is_empty() {
            break;
        }
    }
    assert_eq!(bank.bank().cancelled, [payment.offer.payment.as_str()], "an ended hold cannot be paid any more");
    shop.engine.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_is_down_delays_opportunities_and_nothing_else() {
    let (disk, store, bank) = world();
    bank.bank().down = true;
    let shop = Shop::open(&disk, &store, &bank, 10).await;
    for name in ["ann", "bob", "cyd"] {
        shop.told(reserve(name)).await;
    }
    shop.until(2, "cyd", |order| matches!(order.summary.state, OrderState::AwaitingPayment { .. })).await;
    assert!(shop.order(2, "cyd").await.expect("an order").payment.is_none());
    bank.bank().down = false;
    shop.until(0, "ann", |order| order.payment.is_some()).await;
    shop.engine.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_refund_that_is_due_is_done_once_and_settled() {
    let (disk, store, bank) = world();
    let shop = Shop::open(&disk, &store, &bank, 2).await;
    shop.told(reserve("ann")).await;
    let order = shop.until(0, "ann", |order| order.payment.is_some()).await;
    let payment = order.payment.expect("an opportunity").offer.payment;
    shop.pay(0, "evt-1", payment.as_str()).await;
    shop.pay(0, "evt-2", "pay-again").await;
    let order = shop.until(0, "ann", |order| order.refunds.iter().any(|one| one.record.is_refunded())).await;
    assert_eq!((order.summary.state, order.refunds.len()), (OrderState::Paid, 1));
    assert_eq!(bank.bank().refunded.values().copied().collect::<Vec<_>>(), [1]);
    assert!(bank.bank().cancelled.is_empty(), "the opportunity that was used is not withdrawn");
    shop.engine.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_refund_that_falls_due_while_another_of_its_order_is_under_way_is_not_forgotten() {
    let (disk, store, bank) = world();
    bank.bank().thinks = Duration::from_secs(5);
    let shop = Shop::open(&disk, &store, &bank, 2).await;
    shop.told(reserve("ann")).await;
    let order = shop.until(0, "ann", |order| order.payment.is_some()).await;
    shop.pay(0, "evt-1", order.payment.expect("an opportunity").offer.payment.as_str()).await;
    shop.pay(0, "evt-2", "pay-again").await;
    shop.until(0, "ann", |_| bank.bank().asked_back > 0).await;
    shop.pay(0, "evt-3", "pay-once-more").await;
    let all_back = |order: &OrderView| order.refunds.iter().all(|one| one.record.is_refunded());
    let order = shop.until(0, "ann", |order| order.refunds.len() == 2 && all_back(order)).await;
    assert_eq!((order.summary.state, bank.bank().refunded.len()), (OrderState::Paid, 2));
    shop.engine.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_payment_whose_report_is_lost_for_ever_is_found_when_its_order_ends_and_goes_back() {
    let (disk, store, bank) = world();
    let shop = Shop::open(&disk, &store, &bank, 1).await;
    shop.told(reserve("ann")).await;
    let order = shop.until(0, "ann", |order| order.payment.is_some()).await;
    let payment = order.payment.expect("an opportunity").offer.payment;
    bank.bank().taken = Some(Money { minor: 100, currency: Currency::parse("USD").expect("a currency") });
    let claim = Claim { reservation: Ordinal(0), customer: customer("ann") };
    shop.told(Command::CancelReservation(claim)).await;
    let order = shop.until(0, "ann", |order| order.summary.state == OrderState::Refunded).await;
    assert_eq!(order.refunds.iter().map(|refund| &refund.record.capture.payment).collect::<Vec<_>>(), [&payment]);
    shop.pay(0, "evt-after-all", payment.as_str()).await;
    let order = shop.until(0, "ann", |_| true).await;
    assert_eq!(
        (order.refunds.len(), bank.bank().refunded.len()),
        (1, 1),
        "a report that comes after all changes nothing"
    );
    shop.engine.close().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_not_done_before_a_crash_is_done_after_it() {
    let (disk, store, bank) = world();
    bank.bank().hangs = true;
    {
        let shop = Shop::open(&disk, &store, &bank, 2).await;
        shop.told(reserve("ann")).await;
        shop.until(0, "ann", |_| true).await;
        let claim = Claim { reservation: Ordinal(0), customer: customer("ann") };
        shop.told(Command::CancelReservation(claim)).await;
        shop.pay(0, "evt-1", "pay-late").await;
        // The process dies here: nothing is closed, and the provider never answered.
        shop.engine.abandon();
    }
    bank.bank().hangs = false;
    let shop = reopen(&disk, &store, &bank);
    let order = shop.until(0, "ann", |order| order.summary.state == OrderState::Refunded).await;
    assert_eq!(order.refunds.len(), 1);
    shop.engine.close().await;
}

#[tokio::test(start_paused = true)]
async fn money_that_no_order_ever_claimed_goes_back_too() {
    let (disk, store, bank) = world();
    let engine = start(&disk, &store, &bank);
    let mut spec = spec("phone", 1);
    spec.settings.policy.payments.parked_window = DurationMs::from_secs(1);
    let item = open_item_as(&engine, spec).await;
    let shop = Shop { engine, item };
    shop.told(reserve("ann")).await;
    shop.pay(0, "evt-1", "pay-1").await;
    for _ in 0..1_000 {
        tokio::time::sleep(Duration::from_millis(20)).await; // waits: paused time, no real sleep
        settled(shop.item.query(Query::Item)).await.expect("a judgement").outcome.expect("the item");
        if !bank.bank().refunded.is_empty() {
            break;
        }
    }
    assert_eq!(bank.bank().refunded.len(), 1, "though there is no order, and the hold still lasts");
    shop.engine.close().await;
}

#[tokio::test(start_paused = true)]
async fn a_refund_that_the_provider_refuses_stays_due_for_an_operator() {
    let (disk, store, bank) = world();
    bank.bank().refuses_refunds = true;
    let shop = Shop::open(&disk, &store, &bank, 1).await;
    shop.told(reserve("ann")).await;
    shop.until(0, "ann", |order| order.payment.is_some()).await;
    shop.pay(0, "evt-1", "one").await;
    shop.pay(0, "evt-2", "two").await;
    tokio::time::sleep(Duration::from_secs(5)).await; // waits: paused time, no real sleep
    let order = shop.order(0, "ann").await.expect("an order");
    assert_eq!(order.refunds.iter().filter(|refund| refund.record.is_refunded()).count(), 0);
    assert_eq!(shop.engine.status().follow_ups_open, 0, "it is not tried again and again");
    shop.engine.close().await;
}

#[tokio::test(start_paused = true)]
async fn no_more_work_is_open_than_there_is_room_for_and_what_waits_behind_it_is_done_later() {
    let (disk, store, bank) = world();
    bank.bank().down = true;
    let shop = Shop::patient(start(&disk, &store, &bank)).await;
    shop.sells_to(0..20).await;
    tokio::time::sleep(Duration::from_secs(3)).await; // waits: paused time, no real sleep
    assert_eq!(shop.engine.status().follow_ups_open, OPEN_WORK_MAX);
    shop.engine.abandon();
    // Its table is lost, so that all of it comes from the log.
    let shop = reopen(&disk, &FollowUpStore::memory(), &bank);
    tokio::time::sleep(Duration::from_secs(3)).await; // waits: paused time, no real sleep
    assert_eq!(shop.engine.status().follow_ups_open, OPEN_WORK_MAX);
    bank.bank().down = false;
    for n in 0..20 {
        shop.until(n, &format!("c{n}"), |order| order.payment.is_some()).await;
    }
    shop.engine.close().await;
}

#[tokio::test(start_paused = true)]
async fn many_pieces_of_the_log_are_read_one_right_after_another() {
    let (disk, store, bank) = world();
    bank.bank().hangs = true;
    {
        let shop = Shop::open(&disk, &store, &bank, 1).await;
        for _ in 0..50 {
            shop.told(Command::PauseSale).await;
            shop.told(Command::ResumeSale).await;
        }
        shop.told(reserve("ann")).await;
        shop.engine.abandon();
    }
    bank.bank().hangs = false;
    let shop = reopen(&disk, &FollowUpStore::memory(), &bank);
    let begun = tokio::time::Instant::now();
    shop.until(0, "ann", |order| order.payment.is_some()).await;
    assert!(begun.elapsed() < Duration::from_secs(1), "in engine time: {:?}", begun.elapsed());
    shop.engine.close().await;
}

#[tokio::test(start_paused = true)]
async fn every_place_in_the_log_can_be_read_up_to_though_its_record_holds_no_event() {
    let (disk, store, bank) = world();
    Shop::open(&disk, &store, &bank, 1).await.engine.abandon();
    let shop = reopen(&disk, &store, &bank);
    shop.told(reserve("ann")).await;
    shop.until(0, "ann", |order| order.payment.is_some()).await;
    let reader = shop.engine.log_reader(PartitionNo(0)).expect("its log");
    let tail = reader.tail();
    for goal in 1..=tail.0 {
        let (mut position, mut pieces) = (RecordNo(0), 0);
        while position < RecordNo(goal) {
            position = Piece::read(reader.as_ref(), position, RecordNo(goal)).expect("it can be read").upto;
            pieces += 1;
            assert!(pieces < 100, "no piece brings it from {position} to {goal}");
        }
        assert_eq!(position, RecordNo(goal));
    }
    let mut piece = Piece::read(reader.as_ref(), RecordNo(0), tail).expect("it can be read");
    for decoded in eventlog::events::decoded_events(reader.as_ref(), RecordNo(1)).map_while(Result::ok) {
        let Some(next) = piece.next() else { break };
        assert_eq!(
            (next.before.next(), next.event),
            (decoded.record, decoded.event),
            "its own record does not count yet"
        );
    }
    shop.engine.close().await;
}
