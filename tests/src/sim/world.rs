//! The event loop: simulated time, the network, the life and death of the process.

use super::Outcome;
use super::clients::{Clients, Op, When};
use super::dice::Dice;
use super::ledger::Ledger;
use super::marks::Marks;
use super::oracle::{Known, Oracle};
use super::plan::{Net, Plan, SPAN_US};
use super::server::{Server, Snapshot, shop};
use auditor::{Auditor, Moment, Promise};
use domain::ids::ItemNo;
use engine::newcomers::Wish;
use engine::shell::Reply;
use eventlog::memory_log::FaultWeights;
use eventlog::{LogId, LogReader, MemoryDisk, RecordNo};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

/// As the engine's usual timeout, in microseconds.
const ANSWER_WITHIN_US: u64 = 5_000_000;

/// How long a process takes to start again, at least and at most.
pub(super) const RESTART_US: (u64, u64) = (200_000, 20_000_000);

/// How long everything may take to end once the faults are over: longer than a full line of a hundred takes whose only unit
/// each lets expire after the longest hold, one after another.
const ENDING_US: u64 = 20 * 3_600 * 1_000_000;

/// Far more than happens in any seed: an item that never comes to rest is found by it.
const ACTS_MAX: u64 = 300_000;

/// What happens at an instant.
#[derive(Debug)]
pub(super) enum Act {
    /// The next requests are made.
    Ask,
    /// An op is sent (again).
    Send(usize),
    /// A sending arrives.
    Arrive(usize),
    /// An answer arrives.
    Told(usize, Reply),
    /// A sender gives up on a sending.
    GiveUp(usize),
    /// An item's turn, in this life of the process.
    Turn(ItemNo, u64),
    /// The append under way ends, in this life.
    AppendEnds(u64),
    /// The power goes.
    Crash,
    /// The process starts.
    Start,
}

/// One sending.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) op: usize,
    known: Known,
    pub(super) gone: Rc<Cell<bool>>,
    /// Whether its sender has an answer, or has given up.
    over: bool,
    /// A duplicate on the way: nobody waits for its answer.
    ghost: bool,
    /// Asks for units, is with the process and has no answer: as the item's filter knows its customer.
    pub(super) unanswered: Option<Wish>,
}

/// A simulation under way.
pub(super) struct World {
    pub(super) dice: Dice,
    pub(super) plan: Plan,
    pub(super) items: Vec<ItemNo>,
    pub(super) disk: MemoryDisk,
    pub(super) backup: Option<MemoryDisk>,
    pub(super) server: Option<Server>,
    pub(super) life: u64,
    pub(super) snapshot: Option<Snapshot>,
    pub(super) anchored_at: u64,
    agenda: BTreeMap<(u64, u64), Act>,
    next: u64,
    acts: u64,
    /// Now.
    pub(super) at_us: u64,
    clients: Clients,
    pub(super) ops: Vec<Op>,
    calls: Vec<Call>,
    asked: u64,
    /// What the log says.
    pub(super) ledger: Ledger,
    pub(super) oracle: Oracle,
    /// What was reached.
    pub(super) marks: Marks,
    /// How often the process ended.
    pub(super) crashes: u64,
    /// A hash over everything that was written and told.
    pub(super) trace: blake3::Hasher,
    /// Where it is told what happens, line by line.
    pub(super) tell: Option<Vec<String>>,
}

impl World {
    /// A shop about to open.
    ///
    /// # Panics
    /// If the plan is wrong.
    #[must_use]
    pub(super) fn new(seed: u64, tell: bool) -> Self {
        let mut dice = Dice::new(seed);
        let plan = Plan::draw(&mut dice, &mut Dice::new(!seed));
        let disk = MemoryDisk::new(LogId(u128::from(seed).to_be_bytes()));
        let items = shop(&disk, &plan.items);
        disk.draw_faults(dice.roll(), plan.disk.faults);
        let mut world = Self {
            dice,
            plan,
            items,
            disk,
            backup: None,
            server: None,
            life: 0,
            snapshot: None,
            anchored_at: 0,
            agenda: BTreeMap::new(),
            next: 0,
            acts: 0,
            at_us: 0,
            clients: Clients::default(),
            ops: Vec::new(),
            calls: Vec::new(),
            asked: 0,
            ledger: Ledger::default(),
            oracle: Oracle::default(),
            marks: Marks::default(),
            crashes: 0,
            trace: blake3::Hasher::new(),
            tell: tell.then(Vec::new),
        };
        world.plan_for(0, Act::Start);
        world.plan_for(1_000, Act::Ask);
        // Whatever else happens, the power goes once.
        let once = world.dice.between(1_000_000, SPAN_US);
        world.plan_for(once, Act::Crash);
        world
    }

    /// What it came to.
    #[must_use]
    pub(super) fn outcome(&self) -> Outcome {
        Outcome {
            operations: self.ops.len() as u64,
            crashes: self.crashes,
            simulated_ms: self.at_us / 1_000,
            events: self.ledger.events.len() as u64,
            trace: *self.trace.finalize().as_bytes(),
            marks: self.marks.clone(),
        }
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// In words, what must never be and was.
    pub(super) fn run(&mut self) -> Result<(), String> {
        let faults_end = SPAN_US + 60_000_000;
        self.run_until(faults_end)?;
        self.at_us = faults_end;
        self.calm_down();
        let end = self.at_us + ENDING_US;
        loop {
            self.run_until(end)?;
            if !self.agenda.is_empty() {
                return Err("liveness: something still happens hours after the last fault".to_owned());
            }
            let endings = self.clients.endings(&self.items, &self.ledger);
            if endings.is_empty() {
                break;
            }
            for op in endings {
                self.want(op, 0);
            }
        }
        self.check_the_end()
    }

    pub(super) fn plan_for(&mut self, after_us: u64, act: Act) {
        self.next += 1;
        self.agenda.insert((self.at_us + after_us, self.next), act);
    }

    pub(super) fn say(&mut self, what: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.tell {
            lines.push(format!("{:>12.3} ms  {}", self.at_us as f64 / 1_000.0, what()));
        }
    }

    fn run_until(&mut self, end: u64) -> Result<(), String> {
        while let Some(entry) = self.agenda.first_entry() {
            self.acts += 1;
            if self.acts > ACTS_MAX {
                return Err("liveness: something happens over and over again".to_owned());
            }
            let (at, _) = *entry.key();
            if at > end {
                break;
            }
            let act = entry.remove();
            self.at_us = at;
            self.happen(act)?;
        }
        Ok(())
    }

    fn happen(&mut self, act: Act) -> Result<(), String> {
        match act {
            Act::Ask => self.ask(),
            Act::Send(op) => self.send(op),
            Act::Arrive(call) => self.arrive(call)?,
            Act::Told(call, reply) => self.told(call, reply)?,
            Act::GiveUp(call) => self.give_up(call),
            Act::Turn(item, life) if life == self.life => self.turn(item)?,
            Act::AppendEnds(life) if life == self.life => {
                if self.server.as_mut().is_some_and(Server::append_ends) {
                    self.marks.hit("log: outcome unknown, sent again");
                }
                self.commit()?;
            }
            Act::Turn(..) | Act::AppendEnds(_) => {}
            Act::Crash => self.crash(),
            Act::Start => self.start()?,
        }
        Ok(())
    }

    // What is asked, and by what way it goes.

    fn ask(&mut self) {
        let burst = self.dice.between(1, self.plan.burst);
        for _ in 0..burst {
            self.asked += 1;
            let (op, when) = self.clients.next(&mut self.dice, &self.plan, &self.items, &self.ops);
            let wait = match (when, &self.server) {
                (When::At(ms), Some(server)) => {
                    let at = domain::time::Timestamp::from_millis(ms);
                    server.instant_of(at).saturating_sub(self.at_us).min(600_000_000)
                }
                _ => 0,
            };
            self.want(op, wait);
            self.something_goes_wrong();
        }
        if self.asked < self.plan.operations {
            let usual = 2 * SPAN_US * burst / self.plan.operations;
            let wait = self.dice.below(usual).min(SPAN_US.saturating_sub(self.at_us));
            self.plan_for(wait, Act::Ask);
        }
    }

    fn want(&mut self, op: Op, wait: u64) {
        self.ops.push(op);
        self.plan_for(wait, Act::Send(self.ops.len() - 1));
    }

    pub(super) fn op(&mut self, number: usize) -> &mut Op {
        self.ops.get_mut(number).expect("a number that was given out")
    }

    pub(super) fn call(&mut self, number: usize) -> &mut Call {
        self.calls.get_mut(number).expect("a number that was given out")
    }

    fn send(&mut self, number: usize) {
        let op = self.op(number);
        if op.ended {
            return;
        }
        op.sent += 1;
        let item = op.item;
        self.sending(number, item, false);
        if self.dice.chance(self.plan.net.duplicate) {
            self.sending(number, item, true);
        }
    }

    fn sending(&mut self, op: usize, item: ItemNo, ghost: bool) {
        let known = self.oracle.known(item);
        let gone = Rc::new(Cell::new(false));
        self.calls.push(Call { op, known, gone, over: false, ghost, unanswered: None });
        let call = self.calls.len() - 1;
        if !ghost {
            self.plan_for(ANSWER_WITHIN_US, Act::GiveUp(call));
        }
        if !self.dice.chance(self.plan.net.lose_request) {
            let delay = self.delay();
            self.plan_for(delay, Act::Arrive(call));
        }
    }

    fn delay(&mut self) -> u64 {
        let Net { delay_us_max, straggle, .. } = self.plan.net;
        let slow = if self.dice.chance(straggle) { self.dice.below(20_000_000) } else { 0 };
        slow + self.dice.below(delay_us_max)
    }

    /// An answer sets out.
    pub(super) fn reply(&mut self, call: usize, reply: Reply) {
        if !self.dice.chance(self.plan.net.lose_reply) {
            let delay = self.delay();
            self.plan_for(delay, Act::Told(call, reply));
        }
    }

    fn told(&mut self, call: usize, reply: Reply) -> Result<(), String> {
        let Call { op: number, known, over, ghost, .. } = self.call(call);
        let (number, known, heard) = (*number, *known, !*over && !*ghost);
        if !heard {
            return Ok(());
        }
        self.call(call).over = true;
        self.say(|| format!("call {call} of op {number} is told {reply:?}"));
        self.trace.update(&self.at_us.to_le_bytes()).update(&(call as u64).to_le_bytes());
        match reply {
            Ok(judgement) => {
                self.trace.update(&judgement.sequence.0.to_le_bytes());
                let op = self.ops.get_mut(number).expect("a number that was given out");
                if op.ended {
                    return Ok(());
                }
                self.oracle.told(op, known, judgement, &mut self.marks)?;
                if let Some(body) = op.accepted.clone() {
                    let op = op.clone();
                    self.clients.learn(&op, &body);
                }
            }
            Err(_) => self.try_again(number),
        }
        Ok(())
    }

    fn give_up(&mut self, call: usize) {
        let number = call;
        let call = self.call(number);
        if !std::mem::replace(&mut call.over, true) {
            call.gone.set(true);
            let op = call.op;
            self.marks.hit("client: gave up");
            self.leaves(number);
            self.try_again(op);
        }
    }

    /// Reads are not missed; everything else is sent again, the same way, until it is answered.
    fn try_again(&mut self, number: usize) {
        let op = self.op(number);
        if op.is_read() {
            op.ended = true;
        } else if !op.ended {
            let wait = self.dice.between(50_000, 2_000_000);
            self.plan_for(wait, Act::Send(number));
        }
    }

    /// From here on nothing goes wrong any more.
    fn calm_down(&mut self) {
        self.say(|| "the faults are over".to_owned());
        let none = Net { delay_us_max: 1_000, lose_request: 0, lose_reply: 0, duplicate: 0, straggle: 0 };
        self.plan.net = none;
        self.plan.disk.stall = 0;
        self.plan.process.late_tick = 0;
        self.plan.process.crash_again = 0;
        self.plan.mailbox = 1_000;
        self.disk.draw_faults(0, FaultWeights::default());
    }

    /// Both phases are over: nothing is open, and everything adds up.
    fn check_the_end(&mut self) -> Result<(), String> {
        for (number, op) in self.ops.iter().enumerate() {
            if !op.ended {
                return Err(format!("liveness: op {number} was never answered: {:?}", op.what));
            }
            if let Some((provider, payment)) = op.money_taken()
                && !self.ledger.book(op.item).is_some_and(|book| book.has_money(provider, payment))
            {
                return Err(format!("invariant 24: money was acknowledged and is in no book: {:?}", op.what));
            }
            let Some(key) = op.key else { continue };
            let effects = self.ledger.effects(op.item, key);
            let accepted = op.accepted.is_some() && !op.other_content;
            if accepted && effects != 1 {
                return Err(format!("op {number} was accepted, and its key stands in the log {effects} times"));
            }
            if !op.effective && op.open == 0 && effects > 0 {
                return Err(format!("op {number} was refused, and its key stands in the log: {:?}", op.what));
            }
        }
        for &item in &self.items {
            let book = self.ledger.book(item).ok_or("an item without a book")?;
            if !book.is_at_rest() {
                return Err(format!("invariant 12: something is held, waits or is parked in {item} at the end"));
            }
        }
        self.audit()?;
        self.server.as_ref().ok_or("liveness: the process is not running")?.check(&self.disk)
    }

    /// The independent auditor has its say about the log as it is in the end.
    fn audit(&self) -> Result<(), String> {
        let records: Result<Vec<_>, _> =
            self.disk.read_from(RecordNo(1)).map(|read| read.map(|(_, bytes)| bytes)).collect();
        let mut auditor = Auditor::default();
        let records = records.map_err(|error| error.to_string())?;
        auditor.log(&records, None).map_err(|damage| format!("the auditor: {damage}"))?;
        let report = auditor.finish(Moment::One);
        // Parts are asked for here without the partition's stream, which alone knows of bundles.
        let mut broken = report.rules().into_iter().filter(|rule| rule.promise() != Promise::Bundles);
        let Some(rule) = broken.next() else { return Ok(()) };
        let words = report.findings().find(|finding| finding.rule == rule).map(ToString::to_string);
        Err(format!("the auditor: {}", words.unwrap_or_else(|| format!("{rule:?}"))))
    }
}
