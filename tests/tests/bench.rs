//! The bench itself: a server that stands still is seen to stand still, and every part of it runs.

use benches::contestant::Contestant;
use benches::load::schedule::Schedule;
use benches::load::source::Wishes;
use benches::load::tally::{Ending, micros};
use benches::load::{self, Measured, Pace, Plan};
use benches::process::{Programs, Running};
use rustix::process::Signal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tests::server::binary;

const RATE_PER_S: f64 = 500.0;
const SEED: u64 = 7;

/// How long the server stands still.
const STOPPED: Duration = Duration::from_secs(1);

/// What every latency of the stop is at least that is looked for.
const SEEN: Duration = Duration::from_millis(900);

fn programs() -> Programs {
    let holdfast = binary().to_owned();
    let contestant = [holdfast.as_os_str(), "bench".as_ref(), "contestant".as_ref()].map(Into::into);
    Programs { server: holdfast, contestant: contestant.into() }
}

fn plan(to: &Running, halt: &Arc<AtomicBool>) -> Plan {
    Plan {
        to: to.public,
        pace: Pace::Open { rate_per_s: RATE_PER_S },
        threads: 1,
        connections: 16,
        warm_up: Duration::ZERO,
        // Long enough for any machine to have the stop within it; ended by `halt` when it is over.
        length: Duration::from_secs(60),
        patience: Duration::from_secs(30),
        queue_max: usize::MAX,
        cores: None,
        seed: SEED,
        again: 0,
        keeps_moments: false,
        halt: Some(Arc::clone(halt)),
    }
}

/// Whether every thread of the process has stopped.
fn stands_still(pid: u32) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).expect("it runs");
    threads.map(|thread| thread.expect("a thread").path().join("stat")).all(|path| {
        let stat = std::fs::read_to_string(path).expect("a thread's state");
        stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
    })
}

/// Stops the server for a while; from when to when it stood still for certain.
fn stop_for_a_while(server: &Running) -> (Instant, Instant) {
    server.signal(Signal::STOP).expect("it runs");
    while !stands_still(server.pid()) {
        std::thread::yield_now();
    }
    let from = Instant::now();
    std::thread::sleep(STOPPED); // waits: for the time that the generator is to have seen as a stop
    let to = Instant::now();
    server.signal(Signal::CONT).expect("it stands still");
    (from, to)
}

fn measure_across_a_stop() -> (Measured, Instant, Instant) {
    let dir = tempfile::tempdir().expect("a directory");
    let server = Running::start(Contestant::Noop, &programs(), &dir.path().join("noop"), None).expect("it starts");
    let halt = Arc::new(AtomicBool::new(false));
    let plan = plan(&server, &halt);
    let wishes = Wishes::one_item("hot", 1, SEED);
    let (measured, (from, to)) = std::thread::scope(|scope| {
        let generator = scope.spawn(|| load::run(&plan, &|thread| wishes.source(thread)));
        std::thread::sleep(Duration::from_millis(300)); // waits: until customers come
        let stop = stop_for_a_while(&server);
        std::thread::sleep(Duration::from_millis(300)); // waits: until some have come behind it
        halt.store(true, Ordering::Relaxed);
        (generator.join().expect("no panic").expect("it measures"), stop)
    });
    server.stop().expect("it stops");
    (measured, from, to)
}

#[test]
fn a_server_that_stands_still_for_a_second_is_seen_by_all_who_came_meanwhile() {
    let (measured, from, to) = measure_across_a_stop();
    // Whoever came while it stood still, and at least SEEN before it went on, waited for at least SEEN. Their times
    // were drawn before, so their number is known, however busy this machine is.
    let since_began = |at: Instant| at.saturating_duration_since(measured.began);
    let schedule = Schedule::poisson(SEED, RATE_PER_S, Duration::from_secs(60));
    let stuck = schedule.count_between(since_began(from), since_began(to).saturating_sub(SEEN)) as u64;
    let all = measured.tally.together();
    let seen = all.count_between(micros(SEEN), u64::MAX);
    assert!(stuck > 0, "nobody came in a tenth of a second at {RATE_PER_S} a second");
    assert!(seen >= stuck, "{stuck} came while it stood still, and {seen} latencies show it");
    // A closed loop would have shown 16, one for each connection. Of all of them these are more than one in a
    // thousand, so the percentile shows it too.
    assert!(stuck * 1_000 > all.len(), "{stuck} of {}", all.len());
    assert!(all.value_at_quantile(0.999) >= micros(SEEN), "p99.9 is {} µs", all.value_at_quantile(0.999));
    assert_eq!(all.len(), measured.tally.count(Ending::Granted), "and all were answered in the end");
}
