//! How fast a log is replayed: `cargo run --release -p replay --example replay_pace -- 1000000`.
//!
//! Writes a log of about so many events (100 items; customers reserve, most order and pay, some cancel, some let their
//! holds expire while others wait), and then replays it from a private copy: alone, with every check, and with every
//! command judged again.

use domain::command::{Claim, Command, Request, WaitlistChoice};
use domain::identity::ItemKey;
use domain::ids::{ItemNo, Ordinal, PartitionNo};
use domain::item::Item;
use domain::money::{Currency, Money};
use domain::partition::Partition;
use domain::policy::{ItemSpec, Policy, Settings};
use domain::text::{CustomerId, ItemName, PaymentId, Sku};
use domain::time::{DurationMs, Timestamp};
use domain::turn::Turn;
use domain::units::{Quantity, Units};
use eventlog::{
    Appended, Chain, ChainPoint, DataDir, DiskLog, DiskOptions, EncodedEvent, EventLog, PartitionCount,
    encode_item_event, encode_partition_event, recover,
};
use replay::{Ask, Logs, Wanted, Workplace, replay_partition};
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

const ITEMS: u32 = 100;
/// Events in one commit, as under load.
const GROUP_EVENTS: usize = 64;

type Done<T> = Result<T, Box<dyn Error>>;

fn main() -> Done<()> {
    let events: u64 = std::env::args().nth(1).map_or(Ok(1_000_000), |text| text.parse())?;
    let dir = tempfile::tempdir()?;
    let data = dir.path().join("data");
    let began = Instant::now();
    write(&data, events)?;
    println!("written in {:.1} s", began.elapsed().as_secs_f64());
    let (plain, everything) = (Ask::default(), Ask { verify: true, redecide: true, ..Ask::default() });
    let checks = [
        ("folded", plain.clone()),
        ("--verify", Ask { verify: true, ..plain.clone() }),
        ("--redecide", Ask { redecide: true, ..plain }),
        ("both", everything),
    ];
    for (name, ask) in checks {
        let began = Instant::now();
        let place = Workplace::new()?;
        let logs = Logs::open(&data, Wanted::All, &place)?;
        let opened = began.elapsed();
        let began = Instant::now();
        let source = logs.sources.first().ok_or("no partition")?;
        let replayed = replay_partition(source, logs.partition_count, &ask, &mut |_| ())?;
        let took = began.elapsed();
        println!(
            "{name}: {} events of {} records in {:.2} s, {:.0} events/s (copied and opened in {:.2} s), {} findings",
            replayed.events,
            replayed.records,
            took.as_secs_f64(),
            replayed.events as f64 / took.as_secs_f64(),
            opened.as_secs_f64(),
            replayed.findings.count(),
        );
    }
    Ok(())
}

/// A log under way.
struct Writer {
    log: DiskLog,
    chain: Chain,
    waiting: Vec<EncodedEvent>,
    events: u64,
}

impl Writer {
    fn add(&mut self, event: EncodedEvent) -> Done<()> {
        self.waiting.push(event);
        self.events += 1;
        if self.waiting.len() >= GROUP_EVENTS { self.commit() } else { Ok(()) }
    }

    fn commit(&mut self) -> Done<()> {
        let place = self.chain.next_record();
        let records = self.chain.frame(&std::mem::take(&mut self.waiting));
        if !matches!(self.log.append(place, &records), Appended::Durable) {
            return Err("the log failed".into());
        }
        if self.log.rotation_due() {
            self.log.rotate()?;
        }
        Ok(())
    }
}

fn write(data: &Path, events: u64) -> Done<()> {
    let held = DataDir::open(data, PartitionCount::ONE)?;
    let place = held.partitions().next().ok_or("no partition")?;
    let options = DiskOptions { sync: Arc::new(|_| Ok(())), ..DiskOptions::default() };
    let mut log = DiskLog::open(&place.path, place.log_id, options)?;
    recover(&mut log, ChainPoint::START, &mut |_| ())?;
    let chain = log.claim("replay_pace")?.chain;
    let mut writer = Writer { log, chain, waiting: Vec::new(), events: 0 };
    let mut now = 1_767_268_800_000;
    let mut items = create(&mut writer, now)?;
    let mut customer = 0u64;
    while writer.events < events {
        for item in &mut items {
            customer += 1;
            now += 3;
            sell(item, customer, Timestamp::from_millis(now), &mut writer)?;
        }
    }
    writer.commit()?;
    Box::new(writer.log).close()?;
    Ok(())
}

fn create(writer: &mut Writer, now: u64) -> Done<Vec<Item>> {
    let mut partition = Partition::new(PartitionNo(0));
    let mut items = Vec::new();
    for number in 0..ITEMS {
        let settings = Settings {
            name: ItemName::parse("a thing")?,
            unit_price: Money { minor: 500, currency: Currency::parse("EUR")? },
            policy: Policy { hold_time: DurationMs::from_secs(30), close_when_sold: false, ..Policy::default() },
            opens_at: Some(Timestamp::from_millis(now)),
            closes_at: None,
        };
        let spec = ItemSpec { sku: Sku::parse(&format!("item-{number}"))?, total: Units::new(1_000_000)?, settings };
        let key = ItemKey::from_bytes([7; 32]);
        let made = partition.register(spec, key, None, Timestamp::from_millis(now));
        let made = made.map_err(|refused| format!("{refused:?}"))?;
        partition.apply(&made.registered);
        writer.add(encode_partition_event(ItemNo::partition_stream(PartitionNo(0)), &made.registered))?;
        writer.add(encode_item_event(made.item, &made.created))?;
        items.extend(Item::begin(made.item, &made.created));
    }
    Ok(items)
}

/// A turn in which one more customer reserves, and then pays, cancels, or does nothing more.
fn sell(item: &mut Item, customer: u64, now: Timestamp, writer: &mut Writer) -> Done<()> {
    let no = item.no();
    let (reservation, name) = (Ordinal(item.reservation_count()), CustomerId::parse(&format!("customer-{customer}"))?);
    let claim = Claim { reservation, customer: name.clone() };
    let mut turn = Turn::begin(item, now);
    let mut commands =
        vec![Command::Reserve { customer: name, quantity: Quantity::ONE, waitlist: WaitlistChoice::Join }];
    match customer % 8 {
        0 => commands.push(Command::CancelReservation(claim)),
        1 => {}
        _ => {
            commands.push(Command::PlaceOrder { claim: claim.clone(), amount: None });
            let payment = PaymentId::parse(&format!("pay-{customer}"))?;
            commands.push(Command::ConfirmOrder { claim, payment, amount: None });
        }
    }
    for command in commands {
        let judged = turn.judge(&Request::from(command));
        judged.outcome.map_err(|refused| format!("{refused:?}"))?;
    }
    for recorded in turn.end().recorded {
        writer.add(encode_item_event(no, &recorded))?;
    }
    Ok(())
}
