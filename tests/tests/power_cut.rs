//! The power goes while a real server works: whatever its disk may then hold, everything it had acknowledged is there.
//!
//! A server is recorded by strace while it serves, is stopped, killed and started again: every write, sync and rename,
//! and every answer, in order. Then the power is cut again and again at random points of the recording. What the disk
//! may hold is laid out (`tests::disk`), recovered as every start does it, and compared with what had been answered.
//!
//! A recovery may refuse what it finds only where nothing had been acknowledged yet.

use domain::ids::{Ordinal, PartitionNo};
use domain::item::{Item, Phase};
use domain::views::StateView;
use engine::fold::{Folded, FoldedItem};
use eventlog::ChainHash;
use eventlog::limits::RECORD_BYTES_MAX;
use http::Method;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use tests::client::fresh_key;
use tests::disk::{Disk, Left};
use tests::server::Signal;
use tests::trace::{Call, Recording, STRACE};
use tests::{Client, Server, from_environment, server, strace_is_here};
use tokio::process::Command;
use tokio::task::JoinSet;

/// How often the power is cut. The night's run sets it higher.
fn images() -> usize {
    from_environment("HOLDFAST_POWER_CUT_IMAGES", 200)
}

/// On how many of those the server itself is started besides: that takes much longer than recovering the log.
fn starts() -> usize {
    from_environment("HOLDFAST_POWER_CUT_STARTS", 4)
}

/// Printed, and taken from the environment to repeat a run's choices.
fn seed() -> u64 {
    from_environment("HOLDFAST_POWER_CUT_SEED", 20_260_105)
}

/// Syncs that lie in the check of the check.
const LIES: usize = 10;

/// As small as they may be.
const SMALL_GENERATIONS: &str = "--log-generation-bytes=16384";

/// The file in which sled keeps a log.
const SLED_FILE: &str = "db";
/// How much a disk gets done before it is asked to differs: a fixed share would never lose all, nor nearly nothing.
const LUCK: [f64; 5] = [0.0, 0.3, 0.7, 0.95, 1.0];
const LANES: usize = 6;
const VISITS: usize = 8;
/// For those who come one after another; the crowd has to wait.
const STOCK: u32 = (LANES * VISITS) as u32;
/// So many events do not fit into one record.
const CROWD: usize = 150;
/// More bytes at once are no group of these, but a copy of the whole log.
const GROUP_BYTES: usize = 100_000;

/// What was recorded.
struct World {
    /// Where the recorded server had its data directory, in a directory that stands for the disk.
    data: PathBuf,
    root: tempfile::TempDir,
    /// One for each life of the server.
    /// What each process did, and what it found there.
    lives: Vec<(Recording, Left)>,
    /// The whole log as it was in the end.
    hashes: Vec<ChainHash>,
    /// In how many generations.
    generations: usize,
}

async fn record(log: &[&str]) -> World {
    let root = tempfile::tempdir().expect("a directory");
    let disk = root.path().join("disk");
    std::fs::create_dir(&disk).expect("it is made");
    let data = disk.join("data");
    let mut lives = Vec::new();
    // From nothing to a clean stop; from that to a kill; from that to a clean stop.
    let mut found = Left::default();
    for (life, end) in [Signal::TERM, Signal::KILL, Signal::TERM].into_iter().enumerate() {
        let trace = root.path().join(format!("trace-{life}"));
        let mut command = Command::new("strace");
        command.args(STRACE).arg(&trace).arg(server::binary());
        let server = Server::start_as(command, &data, log).await.expect("a server under strace");
        if life == 0 {
            let terms = json!({"hold_time_ms": 600_000, "close_when_sold": false});
            server.client.open_item("lamp", STOCK, terms).await.expect("an item");
        }
        let mut lanes = JoinSet::new();
        for lane in 0..LANES {
            lanes.spawn(customers(server.client.clone(), format!("life-{life}-{lane}")));
        }
        lanes.join_all().await;
        crowd(&server.client, life).await;
        server.signal(end).expect("it runs");
        // strace holds its output open until all is written down.
        server.ended().await.expect("it ends");
        let recording = tests::trace::read(&std::fs::read_to_string(&trace).expect("a trace"), &disk);
        let left = Left::below(&disk).expect("readable");
        lives.push((recording, std::mem::replace(&mut found, left)));
    }
    let copy = tempfile::tempdir().expect("a directory");
    tests::log::copy(&data, copy.path()).expect("a copy");
    let hashes = tests::log::hashes(copy.path(), PartitionNo(0)).expect("the log is whole");
    let generations = generations(copy.path()).expect("the partition's directory");
    World { data, root, lives, hashes, generations }
}

/// How many generations there are in a data directory.
fn generations(data: &Path) -> std::io::Result<usize> {
    let entries = std::fs::read_dir(data.join("partition-000"))?;
    let names = entries.map(|entry| Ok(entry?.file_name())).collect::<std::io::Result<Vec<_>>>()?;
    Ok(names.iter().filter(|name| name.to_string_lossy().starts_with("gen-")).count())
}

/// More than there are units, all at once; then there are units for all of them, and for the next life. One turn
/// promotes them, and what it says fills several records of one group.
async fn crowd(client: &Client, life: usize) {
    let mut crowd = JoinSet::new();
    for number in 0..CROWD {
        let client = client.clone();
        crowd.spawn(async move {
            let held = client.reserve(&format!("crowd-{life}-{number}"), "lamp").await.expect("an answer");
            assert!(held.status.is_success(), "{}", held.text);
        });
    }
    crowd.join_all().await;
    let more = json!({ "change": CROWD + LANES * VISITS, "reason": "found a box" });
    let restocked = client.operate(Method::POST, "/v1/admin/items/lamp/stock", more).await.expect("an answer");
    assert!(restocked.status.is_success(), "{}", restocked.text);
}

/// One after another: some hold, some order, some pay, some cancel.
async fn customers(client: Client, name: String) {
    for number in 0..VISITS {
        let customer = format!("{name}-{number}");
        let held = client.reserve(&customer, "lamp").await.expect("an answer");
        let id = held.text_of("id");
        match number % 4 {
            0 => {}
            1 => drop(client.delete(&customer, &format!("/v1/reservations/{id}")).await.expect("an answer")),
            _ => {
                let body = json!({ "reservation": id });
                let order = client.post(&customer, "/v1/orders", &fresh_key(), body).await.expect("an answer");
                if number % 4 == 3 {
                    let path = format!("/v1/orders/{}/confirm", order.text_of("id"));
                    let reference = json!({ "payment_reference": customer });
                    client.service_post(&customer, &path, &fresh_key(), reference).await.expect("an answer");
                }
            }
        }
    }
}

/// What a client was told of.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Told {
    /// The item is there, in this phase.
    Item(String),
    /// A reservation, in this state.
    Reservation(String, String),
    /// A reservation's order, in this state.
    Order(String, String),
}

impl Told {
    fn by(answer: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(answer);
        let body: Value = serde_json::from_str(text.split_once("\r\n\r\n")?.1).ok()?;
        let of = |member: &str| body.get(member).and_then(Value::as_str).map(ToOwned::to_owned);
        let Some(id) = of("id") else { return Some(Self::Item(of("phase")?)) };
        let state = of("state")?;
        Some(match id.strip_prefix("ord_") {
            Some(uuid) => Self::Order(format!("rsv_{uuid}"), state),
            None => Self::Reservation(id, state),
        })
    }

    /// Whether customers can buy from then on.
    fn is_on_sale(&self) -> bool {
        matches!(self, Self::Item(phase) if phase == "open")
    }

    /// Whether the log knows of it; it may have gone on since.
    fn is_known_to(&self, item: &Item, ids: &HashMap<String, Ordinal>) -> bool {
        let state = |id| Some(item.reservation_view(*ids.get(id)?, item.now())?.state);
        match self {
            Self::Item(phase) => phase == "scheduled" || item.status().phase == Phase::Open,
            Self::Reservation(id, told) if told == "cancelled" => state(id) == Some(StateView::Cancelled),
            Self::Reservation(id, _) => ids.contains_key(id),
            Self::Order(id, told) if told == "paid" => state(id) == Some(StateView::Confirmed),
            Self::Order(id, _) => ids.get(id).is_some_and(|no| item.order_view(*no, item.now()).is_some()),
        }
    }
}

/// Opens and recovers what a power cut left, and compares. What is wrong, in words.
fn judge(data: &Path, told: &[Told], hashes: &[ChainHash]) -> Result<Found, String> {
    let recovered = match tests::log::recovered(data, PartitionNo(0)) {
        Ok((recovered, folded)) => Ok((recovered, item_of(folded)?)),
        Err(error) => Err(error),
    };
    let (recovered, item) = match recovered {
        Ok(both) => both,
        Err(_) if told.is_empty() => return Ok(Found::Refused),
        Err(error) => return Err(format!("refused, after {} answers: {error:#}", told.len())),
    };
    let tail = recovered.tail.record.0 as usize;
    if tail > 0 && hashes.get(tail - 1) != Some(&recovered.tail.hash) {
        return Err(format!("what is left, {tail} records, is no beginning of the log"));
    }
    if let Some(item) = &item {
        item.recount().map_err(|broken| broken.to_string())?;
    }
    let ids = item.iter().flat_map(|item| item.owners().map(|(no, _)| (item.id_of(no).to_string(), no))).collect();
    let is_missing = |told: &&Told| !item.as_deref().is_some_and(|item| told.is_known_to(item, &ids));
    let missing: Vec<&Told> = told.iter().filter(is_missing).collect();
    if missing.is_empty() {
        return Ok(recovered.cut.map_or(Found::Whole, |_| Found::Cut));
    }
    Err(format!("{} of {} answers are of what is gone: {missing:?}", missing.len(), told.len()))
}

fn item_of(folded: Folded) -> Result<Option<Box<Item>>, String> {
    match folded.items.into_values().next() {
        None => Ok(None),
        Some(FoldedItem::Whole(item)) => Ok(Some(item)),
        Some(FoldedItem::Broken { why, .. }) => Err(why),
    }
}

/// What a recovery found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Whole,
    Cut,
    Refused,
}

/// In memory where there is such a directory: it is not about how fast.
fn directory() -> tempfile::TempDir {
    let shm = Path::new("/dev/shm");
    if shm.is_dir() { tempfile::tempdir_in(shm) } else { tempfile::tempdir() }.expect("a directory")
}

impl World {
    /// Plays the recording, and calls `visit` before every step with what the disk is and what was told by then.
    fn play(&self, disk: &mut Disk, visit: &mut dyn FnMut(usize, &Disk, &[Told])) -> Vec<Told> {
        let (mut told, mut at) = (Vec::new(), 0);
        for (life, found) in &self.lives {
            disk.next_process(found);
            for step in &life.steps {
                visit(at, disk, &told);
                disk.step(life, *step);
                if let (Some(Call::Answer(bytes)), None) = (life.calls.get(step.call), step.result) {
                    told.extend(Told::by(bytes));
                }
                at += 1;
            }
        }
        visit(at, disk, &told);
        told
    }

    fn steps(&self) -> usize {
        self.lives.iter().map(|(life, _)| life.steps.len()).sum()
    }

    fn disk(&self) -> Disk {
        Disk::new(self.data.parent().expect("it lies in the disk"))
    }

    /// What a cut now leaves.
    fn cut(&self, disk: &Disk, random: &mut ChaCha8Rng) -> Image {
        let luck = LUCK.get(random.random_range(0..LUCK.len())).copied().expect("there are some");
        self.cut_with(luck, disk, random)
    }

    fn cut_with(&self, luck: f64, disk: &Disk, random: &mut ChaCha8Rng) -> Image {
        let root = directory();
        let lost = disk.power_cut(root.path(), luck, random).expect("it is laid out");
        let data = root.path().join(self.data.file_name().expect("it has a name"));
        Image { root, data, lost }
    }

    /// Steps to cut the power before: anywhere, where something can be lost, and where several records can be, in turn.
    fn cuts(&self, images: usize, random: &mut ChaCha8Rng) -> Vec<usize> {
        let mut steps: [Vec<usize>; 3] = Default::default();
        self.play(&mut self.disk(), &mut |at, disk, _| {
            let at_risk = disk.at_risk();
            let of_interest = [true, at_risk > 0, (RECORD_BYTES_MAX..GROUP_BYTES).contains(&at_risk)];
            for (steps, _) in steps.iter_mut().zip(of_interest).filter(|(_, of_interest)| *of_interest) {
                steps.push(at);
            }
        });
        let [_, some, many] = &steps;
        assert!(!many.is_empty(), "the harness did too little: {} steps at which anything is at risk", some.len());
        let mut cut = |number: usize| {
            let steps = steps.get(number % 3).expect("one of three");
            steps.get(random.random_range(0..steps.len())).copied().expect("there are some")
        };
        let mut cuts: Vec<usize> = (0..images).map(&mut cut).collect();
        cuts.sort_unstable();
        cuts
    }
}

/// What a power cut left.
struct Image {
    root: tempfile::TempDir,
    data: PathBuf,
    /// Files and directories that are not as they were.
    lost: usize,
}

impl Image {
    /// Ends the test, and keeps this for whoever looks into it.
    fn give_up(self, at: usize, words: &str) -> ! {
        panic!("power cut before step {at}: {words}\nkept in {}", self.root.keep().display())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_at_any_point_leaves_everything_acknowledged() {
    power_cuts(&["--log", "sled"], images()).await;
}

/// With generations so small that several are begun, closed, sealed and folded into snapshots meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_at_any_point_leaves_everything_acknowledged_while_generations_come_and_go() {
    power_cuts(&["--log", "sled", SMALL_GENERATIONS], images().div_ceil(2)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_at_any_point_leaves_everything_acknowledged_that_lies_in_fjall() {
    power_cuts(&["--log", "fjall", SMALL_GENERATIONS], images().div_ceil(5)).await;
}

async fn power_cuts(log: &[&str], images: usize) {
    if !strace_is_here("records what the server writes and syncs") {
        return;
    }
    println!("HOLDFAST_POWER_CUT_SEED={} HOLDFAST_POWER_CUT_IMAGES={images}, {log:?}", seed());
    let world = record(log).await;
    assert_eq!(world.generations > 3, log.contains(&SMALL_GENERATIONS), "{} generations", world.generations);
    let mut random = ChaCha8Rng::seed_from_u64(seed());
    let mut cuts = world.cuts(images, &mut random).into_iter().peekable();
    let (mut found, mut harmed, mut to_start) = ([0_usize; 3], 0, Vec::new());
    let every = images.div_ceil(starts().max(1));
    let mut number = 0_usize;
    let told = world.play(&mut world.disk(), &mut |at, disk, told| {
        while cuts.next_if_eq(&at).is_some() {
            number += 1;
            if number.is_multiple_of(every) && told.iter().any(Told::is_on_sale) {
                to_start.push((world.cut(disk, &mut random), at));
            }
            let image = world.cut(disk, &mut random);
            harmed += usize::from(image.lost > 0);
            match judge(&image.data, told, &world.hashes) {
                Ok(Found::Whole) => found[0] += 1,
                Ok(Found::Cut) => found[1] += 1,
                Ok(Found::Refused) => found[2] += 1,
                Err(words) => image.give_up(at, &words),
            }
        }
    });
    let [whole, cut, refused] = found;
    println!(
        "{number} power cuts in {} steps with {} answers; {harmed} of them took something with them: {whole} logs \
         recovered, {cut} of which a torn group was cut, {refused} refused before the first answer; everything \
         acknowledged is there",
        world.steps(),
        told.len()
    );
    assert!(told.len() > 100 && harmed > images / 10, "the harness did too little");
    the_server_itself_starts(to_start).await;
}

/// On images like those, with all the other files.
async fn the_server_itself_starts(images: Vec<(Image, usize)>) {
    let count = images.len();
    for (image, at) in images {
        let server = match Server::start(&image.data).await {
            Ok(server) => server,
            Err(error) => image.give_up(at, &format!("{error:#}")),
        };
        let answer = server.client.reserve("somebody-new", "lamp").await.expect("an answer");
        if !answer.status.is_success() {
            image.give_up(at, &answer.text);
        }
        assert_eq!(server.stop().await.expect("a status"), Some(0));
    }
    println!("the server itself started on {count} more such disks and sold on");
}

/// It did: nobody had synced the directory above it.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_data_directory_does_not_vanish_with_all_that_is_in_it() {
    if !strace_is_here("records what the server writes and syncs") {
        return;
    }
    let world = record(&["--log", "sled"]).await;
    let mut random = ChaCha8Rng::seed_from_u64(seed());
    let mut answers = 0;
    world.play(&mut world.disk(), &mut |at, disk, told| {
        // The first ones each, then every tenth.
        if told.len() > answers && (told.len() < 20 || told.len() >= answers + 10) {
            answers = told.len();
            let image = world.cut_with(0.0, disk, &mut random);
            let judged = judge(&image.data, told, &world.hashes);
            assert!(judged.is_ok(), "power cut before step {at}, without any luck: {judged:?}");
        }
    });
    println!("up to answer {answers} all held with nothing on the disk but what was synced before them");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_that_promises_and_does_not_keep_is_found_out_by_the_power_cuts() {
    if !strace_is_here("records what the server writes and syncs") {
        return;
    }
    let world = record(&["--log", "sled"]).await;
    let mut random = ChaCha8Rng::seed_from_u64(seed());
    // Which syncs of the log were followed by an answer before the next one. Others, of the anchor for example, come in
    // between by themselves, and no answer rests on them.
    let (mut answered, mut known, mut of_the_log) = (Vec::new(), 0, 0);
    world.play(&mut world.disk(), &mut |_, disk, told| {
        if disk.last_synced() == Some(SLED_FILE) {
            of_the_log = disk.syncs();
        }
        if told.len() > known && answered.last() != Some(&of_the_log) {
            answered.push(of_the_log);
        }
        known = told.len();
    });
    assert!(answered.len() > LIES, "the harness did too little");
    for _ in 0..LIES {
        let lie = answered.get(random.random_range(0..answered.len())).copied().expect("there are some");
        let mut disk = world.disk();
        disk.lies = vec![lie];
        let told = world.play(&mut disk, &mut |_, _, _| {});
        let image = world.cut(&disk, &mut random);
        let judged = judge(&image.data, &told, &world.hashes);
        assert!(judged.is_err(), "sync {lie} did not keep its promise, and nobody noticed: {judged:?}");
    }
    println!("{LIES} syncs that lied were found out; the recording lay in {}", world.root.path().display());
}
