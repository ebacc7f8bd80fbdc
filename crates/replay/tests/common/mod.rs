//! Sales written to logs without a server: every turn judged by the domain at an instant of the test's choosing.

#![allow(dead_code, unreachable_pub, reason = "shared by test binaries that each use a part")]

use domain::command::{Claim, Command, Request, WaitlistChoice};
use domain::event::{Event, PartitionEvent, Recorded};
use domain::idempotency::{Attempt, IdempotencyKey};
use domain::identity::{ItemKey, ReservationId};
use domain::ids::{ItemNo, Ordinal, PartitionNo};
use domain::item::Item;
use domain::money::{Currency, Money};
use domain::partition::{Partition, PartitionTurn};
use domain::policy::{ItemSpec, Policy, Settings};
use domain::text::{CustomerId, ItemName, PaymentId, Reason, Sku};
use domain::time::{DurationMs, Timestamp};
use domain::turn::Turn;
use domain::units::{Quantity, StockChange, Units};
use engine::fold::Folded;
use eventlog::{
    Appended, Chain, ChainPoint, DataDir, DiskLog, DiskOptions, EncodedEvent, EventLog, LocalLog, LogId, MemoryDisk,
    MemoryLog, PartitionCount, StreamEvent, encode_item_event, encode_partition_event, recover,
};
use replay::{Ask, Logs, PartitionReplayed, ReplayError, Source, Wanted, Workplace, replay_partition};
use std::collections::BTreeMap;
use std::path::Path;

/// When every sale here begins: 2026-01-01T12:00:00Z.
pub const NOON: u64 = 1_767_268_800_000;

pub const NO: PartitionNo = PartitionNo(0);

/// `seconds` after noon.
pub fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(NOON + seconds * 1_000)
}

pub fn sku(text: &str) -> Sku {
    Sku::parse(text).expect("a sku")
}

pub fn customer(name: &str) -> CustomerId {
    CustomerId::parse(name).expect("a customer")
}

pub fn reserve(name: &str) -> Command {
    Command::Reserve { customer: customer(name), quantity: Quantity::ONE, waitlist: WaitlistChoice::Join }
}

pub fn claim(reservation: u32, name: &str) -> Claim {
    Claim { reservation: Ordinal(reservation), customer: customer(name) }
}

/// An item whose holds last ten seconds.
pub fn spec(name: &str, total: u32) -> ItemSpec {
    let settings = Settings {
        name: ItemName::parse("a thing").expect("a name"),
        unit_price: Money { minor: 500, currency: Currency::parse("EUR").expect("a currency") },
        policy: Policy {
            hold_time: DurationMs::from_secs(10),
            close_when_sold: false,
            per_customer_limit: Quantity::new(3).expect("a quantity"),
            ..Policy::default()
        },
        opens_at: None,
        closes_at: None,
    };
    ItemSpec { sku: sku(name), total: Units::new(total).expect("units"), settings }
}

/// A shop that writes its log, one group a turn.
pub struct Shop<L> {
    pub log: L,
    pub chain: Chain,
    pub partition: Partition,
    pub items: BTreeMap<Sku, Item>,
    /// Every event of the log folded again, as the snapshot folder would.
    pub folded: Folded,
    _data_dir: Option<DataDir>,
}

impl Shop<DiskLog> {
    /// In a new data directory of one partition.
    pub fn on_disk(dir: &Path) -> Self {
        let data_dir = DataDir::open(dir, PartitionCount::ONE).expect("a data directory");
        let place = data_dir.partitions().next().expect("a partition");
        let log = DiskLog::open(&place.path, place.log_id, DiskOptions::default()).expect("a log");
        Self::start(log, Some(data_dir))
    }

    /// Stops as a server does.
    pub fn close(self) {
        Box::new(self.log).close().expect("it closes");
    }

    /// Makes a snapshot of the state so far.
    pub fn snapshot(&self) {
        let sections = engine::snapshots::sections(&self.folded);
        self.log.snapshots().write(self.chain.point(), sections).expect("a snapshot");
    }
}

impl Shop<MemoryLog> {
    pub fn in_memory(disk: &MemoryDisk) -> Self {
        Self::start(MemoryLog::open(disk.clone()), None)
    }
}

impl<L: LocalLog> Shop<L> {
    fn start(mut log: L, data_dir: Option<DataDir>) -> Self {
        recover(&mut log, ChainPoint::START, &mut |_| ()).expect("an empty log");
        let chain = log.claim("tests").expect("a recovered log").chain;
        let (partition, folded) = (Partition::new(NO), Folded::new(NO));
        Self { log, chain, partition, items: BTreeMap::new(), folded, _data_dir: data_dir }
    }

    /// Creates an item and opens its sale.
    pub fn create(&mut self, name: &str, total: u32, seconds: u64) {
        let key = ItemKey::from_bytes([7; 32]);
        let made =
            self.partition.register(spec(name, total), key, Some(&attempt(name)), at(seconds)).expect("a new name");
        self.partition.apply(&made.registered);
        self.items.insert(sku(name), Item::begin(made.item, &made.created).expect("a first event"));
        let registered = encode_partition_event(ItemNo::partition_stream(NO), &made.registered);
        self.write(&[registered, encode_item_event(made.item, &made.created)]);
        self.folded.apply(ItemNo::partition_stream(NO), &StreamEvent::Partition(made.registered));
        self.folded.apply(made.item, &StreamEvent::Item(made.created));
        self.ask(name, seconds, Command::OpenSale);
    }

    /// One turn with one command, under a key of its own.
    pub fn ask(&mut self, name: &str, seconds: u64, command: Command) {
        let keyed = attempt(&format!("{name}-{}", self.chain.next_record()));
        let request = Request::new(command, Some(&keyed), &ItemKey::from_bytes([7; 32]));
        let item = self.items.get_mut(&sku(name)).expect("it was created");
        let mut turn = Turn::begin(item, at(seconds));
        turn.judge(&request).outcome.expect("it is accepted");
        let (recorded, no) = (turn.end().recorded, item.no());
        self.record(no, &recorded);
    }

    /// A turn in which nobody asks for anything.
    pub fn tick(&mut self, name: &str, seconds: u64) {
        let item = self.items.get_mut(&sku(name)).expect("it was created");
        let (recorded, no) = (Turn::begin(item, at(seconds)).end().recorded, item.no());
        self.record(no, &recorded);
    }

    fn record(&mut self, no: ItemNo, recorded: &[Recorded]) {
        let encoded: Vec<_> = recorded.iter().map(|recorded| encode_item_event(no, recorded)).collect();
        self.write(&encoded);
        for recorded in recorded {
            self.folded.apply(no, &StreamEvent::Item(recorded.clone()));
        }
    }

    /// A turn of the partition itself.
    pub fn partition_turn(&mut self, seconds: u64, act: impl FnOnce(&mut PartitionTurn<'_>)) {
        let mut turn = PartitionTurn::begin(&mut self.partition, at(seconds), ItemKey::from_bytes([5; 32]));
        act(&mut turn);
        let recorded = turn.end().recorded;
        self.record_partition(&recorded);
        for recorded in recorded {
            self.folded.apply(ItemNo::partition_stream(NO), &StreamEvent::Partition(recorded));
        }
    }

    /// Writes events of the partition's own stream.
    pub fn record_partition(&mut self, recorded: &[Recorded<PartitionEvent>]) {
        let stream = ItemNo::partition_stream(NO);
        let encoded: Vec<_> = recorded.iter().map(|recorded| encode_partition_event(stream, recorded)).collect();
        self.write(&encoded);
    }

    /// Puts an event into the log that no turn led to. Returns its sequence number.
    pub fn plant(&mut self, name: &str, seconds: u64, event: Event) -> u64 {
        let item = self.items.get(&sku(name)).expect("it was created");
        let recorded = Recorded { seq: item.seq().next(), at: at(seconds), idempotency: None, event };
        self.write(&[encode_item_event(item.no(), &recorded)]);
        recorded.seq.0
    }

    /// Writes an event of the partition's own stream that nothing led to.
    pub fn plant_partition(&mut self, seconds: u64, event: PartitionEvent) {
        let seq = self.partition.seq().next();
        let recorded = Recorded { seq, at: at(seconds), idempotency: None, event };
        self.record_partition(&[recorded]);
    }

    fn write(&mut self, events: &[EncodedEvent]) {
        let place = self.chain.next_record();
        let records = self.chain.frame(events);
        assert!(matches!(self.log.append(place, &records), Appended::Durable), "record {place} is not durable");
    }

    /// The sale that most tests look at. Lamps: ann buys, bob's hold expires, cyd waits and is promoted, dan waits in
    /// vain for a while and leaves. Chairs: one is held.
    pub fn sell(&mut self) {
        self.create("lamp", 2, 0);
        self.create("chair", 5, 1);
        self.ask("lamp", 2, reserve("ann"));
        self.ask("lamp", 3, reserve("bob"));
        self.ask("lamp", 4, reserve("cyd"));
        self.ask("chair", 4, reserve("ann"));
        self.ask("lamp", 5, reserve("dan"));
        self.ask("lamp", 6, Command::PlaceOrder { claim: claim(0, "ann"), amount: None });
        let payment = PaymentId::parse("pay-1").expect("a payment");
        self.ask("lamp", 7, Command::ConfirmOrder { claim: claim(0, "ann"), payment, amount: None });
        self.tick("lamp", 13);
        self.ask("lamp", 14, Command::CancelReservation(claim(3, "dan")));
        let reason = Reason::parse("one more was found").expect("a reason");
        let change = StockChange::new(1).expect("a change");
        self.ask("lamp", 15, Command::AdjustStock { change, reason });
    }

    /// The id of a reservation.
    pub fn id(&self, name: &str, reservation: u32) -> ReservationId {
        self.items.get(&sku(name)).expect("it was created").id_of(Ordinal(reservation))
    }
}

fn attempt(key: &str) -> Attempt {
    let key = IdempotencyKey::parse(&format!("{key:0>16}")).expect("a key");
    Attempt { caller: "tests".to_owned(), route: "POST /".to_owned(), key }
}

/// A log in memory, with the sale in it and whatever comes after.
pub fn in_memory(after: impl FnOnce(&mut Shop<MemoryLog>)) -> MemoryDisk {
    let disk = MemoryDisk::new(LogId([9; 16]));
    let mut shop = Shop::in_memory(&disk);
    shop.sell();
    after(&mut shop);
    shop.log.write_anchor().expect("an anchor");
    disk
}

/// The logs of a disk in memory.
pub fn logs(disk: &MemoryDisk) -> Logs {
    Logs::of(vec![Source::of_log(NO, Box::new(MemoryLog::open(disk.clone())), None)])
}

/// Replays the only partition.
pub fn replay(logs: &Logs, ask: &Ask) -> Result<PartitionReplayed, ReplayError> {
    let source = logs.sources.first().expect("a partition");
    replay_partition(source, logs.partition_count, ask, &mut |_| ())
}

/// Opens a private copy of a directory. The copy lives as long as the workplace that comes with it.
pub fn open(dir: &Path) -> (Logs, Workplace) {
    let place = Workplace::new().expect("a directory");
    let logs = Logs::open(dir, Wanted::All, &place).expect("it opens");
    (logs, place)
}

/// Everything that can be checked.
pub fn everything() -> Ask {
    Ask { verify: true, redecide: true, ..Ask::default() }
}

/// The hash of a replayed partition's state.
pub fn hash(replayed: &PartitionReplayed) -> String {
    let mut hasher = replay::StateHasher::default();
    hasher.add(&replayed.folded);
    hasher.finish().expect("nothing is broken").to_string()
}
