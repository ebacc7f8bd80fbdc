//! The whole stack on a simulated network: the HTTP front and the engine on a log in memory, and clients that lose
//! patience and ask again under the same key, while links are cut, held up and repaired, the log stutters, and the
//! server dies and comes back. By seed; time is simulated.
//!
//! What differs between two runs of one seed: ids, which are drawn from the system, and so the order in which some
//! tasks of the runtime come up. What is judged holds in any order.

#[path = "network/asking.rs"]
mod asking;
#[path = "network/audit.rs"]
mod audit;
#[path = "network/customer.rs"]
mod customer;
#[path = "network/shop.rs"]
mod shop;

use audit::Books;
use customer::{Settled, Tape};
use eventlog::memory_log::FaultWeights;
use eventlog::{LogId, MemoryDisk};
use http::StatusCode;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tests::from_environment;
use turmoil::{Builder, Sim};

/// How many simulations are run. Deeper runs set it higher.
fn seeds() -> u64 {
    from_environment("HOLDFAST_TURMOIL_SEEDS", 200)
}

/// The first seed; printed with a failure, to repeat it alone.
fn first_seed() -> u64 {
    from_environment("HOLDFAST_TURMOIL_SEED", 1)
}

const CUSTOMERS: u64 = 4;
const VISITS: u32 = 6;
/// Simulated time moves in these steps; what is shorter happens at once.
const TICK: Duration = Duration::from_millis(5);
/// For so long things go wrong.
const STORM: Duration = Duration::from_secs(6);
/// By then everybody has to have been told, or something hangs.
const END: Duration = Duration::from_secs(90);
/// Where the simulated clock begins: 2026.
const EPOCH: Duration = Duration::from_secs(1_767_225_600);

/// What may go wrong in one simulation, drawn from its seed: most simulations know only some of it.
struct Storm {
    dice: ChaCha8Rng,
    cuts: bool,
    one_way: bool,
    holds: bool,
    deaths: bool,
    down_until: Option<Duration>,
    /// How often each thing happened.
    counts: Counts,
}

#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    cuts: u64,
    holds: u64,
    deaths: u64,
    log_failures: u64,
}

/// How one simulation went.
#[derive(Clone, Copy, Debug, Default)]
struct Summary {
    asked: usize,
    again: u64,
    same: u64,
    events: usize,
    counts: Counts,
    simulated: Duration,
}

fn builder(seed: u64, dice: &mut ChaCha8Rng) -> Builder {
    let mut builder = Builder::new();
    builder
        .rng_seed(seed)
        .epoch(UNIX_EPOCH.checked_add(EPOCH).unwrap_or(SystemTime::UNIX_EPOCH))
        .tick_duration(TICK)
        .simulation_duration(END)
        .tcp_capacity(1_024)
        .max_message_latency(Duration::from_millis(dice.random_range(5..200)))
        .enable_random_order();
    if dice.random_bool(0.5) {
        // A link breaks by itself, and is repaired by itself.
        builder.fail_rate(0.01).repair_rate(0.3);
    }
    builder
}

fn log_faults(dice: &mut ChaCha8Rng) -> FaultWeights {
    let mut weight = |most: u16| if dice.random_bool(0.5) { dice.random_range(0..=most) } else { 0 };
    FaultWeights {
        unknown_applied: weight(40),
        unknown_not_applied: weight(40),
        late: weight(40),
        duplicate: weight(40),
        sync_fails: weight(30),
        torn_write: weight(30),
        disk_full: weight(30),
        ..FaultWeights::default()
    }
}

impl Storm {
    fn new(mut dice: ChaCha8Rng) -> Self {
        let mut flag = || dice.random_bool(0.6);
        let (cuts, one_way, holds, deaths) = (flag(), flag(), flag(), flag());
        Self { dice, cuts, one_way, holds, deaths, down_until: None, counts: Counts::default() }
    }

    /// What goes wrong before the next step.
    fn blow(&mut self, sim: &mut Sim<'_>, disk: &MemoryDisk) {
        self.revive(sim, disk);
        let customer = name(self.dice.random_range(0..CUSTOMERS));
        let from =
            if self.dice.random_bool(0.5) { (customer.as_str(), shop::HOST) } else { (shop::HOST, customer.as_str()) };
        match self.dice.random_range(0..1_000) {
            0..6 if self.cuts => {
                sim.partition(from.0, from.1);
                self.counts.cuts += 1;
            }
            // Not together with links that are held up: the simulator does not know both at once.
            6..12 if self.one_way && !self.holds => {
                sim.partition_oneway(from.0, from.1);
                self.counts.cuts += 1;
            }
            12..18 if self.holds => {
                sim.hold(from.0, from.1);
                self.counts.holds += 1;
            }
            18..48 if self.holds => sim.release(from.0, from.1),
            48..78 => sim.repair(from.0, from.1),
            78..82 if self.deaths && self.down_until.is_none() => {
                sim.crash(shop::HOST);
                disk.crash(self.dice.random());
                self.down_until = Some(sim.elapsed() + Duration::from_millis(self.dice.random_range(5..1_000)));
                self.counts.deaths += 1;
            }
            _ => {}
        }
    }

    /// A server that is down comes back after a while. One whose log has failed has ended by itself.
    fn revive(&mut self, sim: &mut Sim<'_>, disk: &MemoryDisk) {
        if self.down_until.is_none() && !sim.is_host_running(shop::HOST) {
            disk.crash(self.dice.random());
            self.down_until = Some(sim.elapsed() + Duration::from_millis(self.dice.random_range(5..500)));
            self.counts.log_failures += 1;
        }
        if self.down_until.is_some_and(|until| until <= sim.elapsed()) {
            self.down_until = None;
            sim.bounce(shop::HOST);
        }
    }

    /// From here on nothing new goes wrong, and what did is repaired.
    fn calm(&mut self, sim: &mut Sim<'_>, disk: &MemoryDisk) {
        disk.draw_faults(0, FaultWeights::default());
        sim.set_fail_rate(0.0);
        for customer in (0..CUSTOMERS).map(name).chain(["operator".to_owned()]) {
            sim.release(customer.as_str(), shop::HOST);
            sim.repair(customer.as_str(), shop::HOST);
        }
    }
}

fn name(customer: u64) -> String {
    format!("customer{customer}")
}

/// What a simulation leaves to be judged.
struct Outcome {
    books: Books,
    settled: Vec<Settled>,
    summary: Summary,
}

fn simulate(seed: u64) -> Outcome {
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    let disk = MemoryDisk::new(LogId(u128::from(seed).to_le_bytes()));
    disk.draw_faults(seed, log_faults(&mut dice));
    let mut sim = builder(seed, &mut dice).build();
    let of_host = disk.clone();
    sim.host(shop::HOST, move || shop::live(of_host.clone()));
    let tape = Rc::new(Tape::default());
    sim.client("operator", customer::open_sale(Rc::clone(&tape), dice.random(), dice.random_range(1..8)));
    for number in 0..CUSTOMERS {
        sim.client(name(number), customer::shop(Rc::clone(&tape), name(number), dice.random(), VISITS));
    }
    let mut storm = Storm::new(dice);
    loop {
        if sim.elapsed() < STORM {
            storm.blow(&mut sim, &disk);
        } else {
            if !tape.is_calm.get() {
                storm.calm(&mut sim, &disk);
                tape.is_calm.set(true);
            }
            storm.revive(&mut sim, &disk);
        }
        if sim.step().expect("every client is told what became of its requests") {
            break;
        }
    }
    let (books, settled) = (Books::of(&disk), tape.settled.take());
    let (again, same) = (tape.again.get(), tape.same.get());
    let (counts, simulated) = (storm.counts, sim.elapsed());
    let summary = Summary { asked: settled.len(), again, same, events: books.events, counts, simulated };
    Outcome { books, settled, summary }
}

#[test]
fn on_a_failing_network_no_unit_is_sold_twice_nothing_acknowledged_is_lost_and_a_key_has_one_answer() {
    let (first, count) = (first_seed(), seeds());
    let mut all = Summary::default();
    for seed in first..first + count {
        let judged = AssertUnwindSafe(|| {
            let outcome = simulate(seed);
            outcome.books.agree_with(&outcome.settled);
            outcome.summary
        });
        let summary = catch_unwind(judged).unwrap_or_else(|panic| {
            eprintln!("seed {seed} fails: HOLDFAST_TURMOIL_SEED={seed} HOLDFAST_TURMOIL_SEEDS=1");
            std::panic::resume_unwind(panic)
        });
        all.add(&summary);
    }
    println!("{count} seeds from {first}: {all:?}");
    // What never happens proves nothing.
    if count >= 100 {
        let counts = all.counts;
        let rare = [all.again, counts.cuts, counts.holds, counts.deaths, counts.log_failures].into_iter().min();
        assert!(rare > Some(20), "something hardly ever happened: {all:?}");
    }
}

#[test]
fn a_simulation_whose_tape_is_changed_is_found_out() {
    let Outcome { books, settled, .. } = simulate(first_seed());
    let first = settled.iter().position(|settled| settled.told.status == StatusCode::CREATED).expect("a hold");
    let judge = |tape: &[Settled]| catch_unwind(AssertUnwindSafe(|| books.agree_with(tape))).is_err();
    assert!(!judge(&settled), "as it was, it agrees");
    let mut missing = settled.clone();
    drop(missing.remove(first));
    assert!(judge(&missing), "an effect that nobody was told of went unnoticed");
    let mut twice = settled.clone();
    twice.extend(settled.get(first).cloned());
    assert!(judge(&twice), "one reservation for two requests went unnoticed");
    let mut moved = settled;
    let sequence = moved.get_mut(first).and_then(|settled| settled.told.json.get_mut("sequence")).expect("a place");
    *sequence = Value::from(1_000_000);
    assert!(judge(&moved), "another place in the log went unnoticed");
}

impl Summary {
    fn add(&mut self, other: &Self) {
        self.asked += other.asked;
        self.again += other.again;
        self.same += other.same;
        self.events += other.events;
        self.simulated += other.simulated;
        self.counts.cuts += other.counts.cuts;
        self.counts.holds += other.counts.holds;
        self.counts.deaths += other.counts.deaths;
        self.counts.log_failures += other.counts.log_failures;
    }
}
