//! What lies on a memory disk: synced records, written ones that are not synced yet, and what is to go wrong.

use super::fault::{Dice, Fault, FaultWeights};
use crate::ids::{ChainPoint, Epoch, LogId, RecordNo};
use crate::record::{Chain, Record};
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A disk, shared by every log that is opened on it. Outlives crashes.
#[derive(Clone)]
pub struct MemoryDisk(Arc<Mutex<State>>);

impl fmt::Debug for MemoryDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("MemoryDisk")
            .field("log_id", &state.log_id)
            .field("tail", &state.durable_tail())
            .finish_non_exhaustive()
    }
}

/// A group on its way.
pub(super) struct Held {
    pub(super) expected: RecordNo,
    pub(super) group: Vec<Record>,
}

pub(super) struct State {
    pub(super) log_id: LogId,
    pub(super) first: RecordNo,
    /// Where each generation begins.
    pub(super) generations: Vec<RecordNo>,
    durable: BTreeMap<u64, Vec<u8>>,
    unsynced: BTreeMap<u64, Vec<u8>>,
    /// The last record written, synced or not.
    pub(super) written: ChainPoint,
    pub(super) anchor: ChainPoint,
    pub(super) epoch: Option<Epoch>,
    pub(super) late: Option<Held>,
    script: VecDeque<Fault>,
    weights: FaultWeights,
    dice: Dice,
    pub(super) slow_sync: Option<Arc<dyn Fn() + Send + Sync>>,
}

impl MemoryDisk {
    /// An empty disk on which nothing goes wrong.
    #[must_use]
    pub fn new(log_id: LogId) -> Self {
        Self(Arc::new(Mutex::new(State {
            log_id,
            first: RecordNo(1),
            generations: vec![RecordNo(1)],
            durable: BTreeMap::new(),
            unsynced: BTreeMap::new(),
            written: ChainPoint::START,
            anchor: ChainPoint::START,
            epoch: None,
            late: None,
            script: VecDeque::new(),
            weights: FaultWeights::default(),
            dice: Dice::new(0),
            slow_sync: None,
        })))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // A test that panicked is over; what it left is whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What happens to the next appends, one after another; then as drawn by [`MemoryDisk::draw_faults`].
    pub fn script(&self, faults: impl IntoIterator<Item = Fault>) {
        self.lock().script.extend(faults);
    }

    /// From now on faults are drawn.
    pub fn draw_faults(&self, seed: u64, weights: FaultWeights) {
        let mut state = self.lock();
        (state.dice, state.weights) = (Dice::new(seed), weights);
    }

    /// Called in the middle of every slow sync, in place of waiting.
    pub fn on_slow_sync(&self, hook: impl Fn() + Send + Sync + 'static) {
        self.lock().slow_sync = Some(Arc::new(hook));
    }

    /// Another process claims the log.
    pub fn claim_by_another(&self) {
        self.lock().claim_by_another();
    }

    /// The power goes. Synced records stay; of the others each is there, torn or gone, as the seed has it.
    pub fn crash(&self, seed: u64) {
        let mut state = self.lock();
        let mut dice = Dice::new(seed);
        state.late = None;
        for (number, mut bytes) in std::mem::take(&mut state.unsynced) {
            match dice.below(3) {
                0 => {}
                1 => {
                    bytes.truncate(dice.below(bytes.len()));
                    state.durable.insert(number, bytes);
                }
                _ => {
                    state.durable.insert(number, bytes);
                }
            }
        }
    }

    /// Changes one bit of a record. Says whether there is such a bit.
    pub fn flip_bit(&self, record: RecordNo, bit: usize) -> bool {
        let mut state = self.lock();
        let byte = state.durable.get_mut(&record.0).and_then(|bytes| bytes.get_mut(bit / 8));
        byte.map(|byte| *byte ^= 1 << (bit % 8)).is_some()
    }

    /// Leaves so many bytes of a record, and nothing behind it.
    pub fn tear(&self, record: RecordNo, keep_bytes: usize) {
        let mut state = self.lock();
        state.durable.retain(|&number, _| number <= record.0);
        if let Some(bytes) = state.durable.get_mut(&record.0) {
            bytes.truncate(keep_bytes);
        }
    }

    /// Loses a record.
    pub fn lose(&self, record: RecordNo) {
        self.lock().durable.remove(&record.0);
    }

    /// Puts bytes in the place of a record.
    pub fn replace(&self, record: RecordNo, bytes: Vec<u8>) {
        self.lock().durable.insert(record.0, bytes);
    }

    /// A second disk with the same content; what happens to one does not happen to the other.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        let state = self.lock();
        let copy = Self::new(state.log_id);
        let mut to = copy.lock();
        (to.first, to.generations) = (state.first, state.generations.clone());
        (to.durable, to.unsynced) = (state.durable.clone(), state.unsynced.clone());
        (to.written, to.anchor, to.epoch) = (state.written, state.anchor, state.epoch);
        drop(to);
        copy
    }
}

impl State {
    pub(super) fn next_fault(&mut self) -> Fault {
        let Self { script, weights, dice, .. } = self;
        script.pop_front().unwrap_or_else(|| weights.draw(dice))
    }

    pub(super) fn write(&mut self, record: &Record) {
        self.unsynced.insert(record.number().0, record.bytes().to_vec());
        let header = record.header();
        let event = header.first_event.before().plus(u64::from(header.event_count));
        self.written = ChainPoint { record: record.number(), hash: record.hash(), event };
    }

    pub(super) fn sync(&mut self) {
        // One by one: `append` would build the whole map anew, and each sync would cost more than the one before.
        self.durable.extend(std::mem::take(&mut self.unsynced));
    }

    pub(super) fn tear_last(&mut self, keep_bytes: usize) {
        if let Some(mut last) = self.unsynced.last_entry() {
            last.get_mut().truncate(keep_bytes);
        }
    }

    pub(super) fn claim_by_another(&mut self) {
        let claimed = Chain::claim(self.log_id, self.written, "another process");
        let (record, chain) = claimed.expect("a short claimant fits");
        self.write(&record);
        self.sync();
        self.epoch = Some(chain.epoch());
    }

    /// What was under way arrives. If its place was taken meanwhile, the log refuses it, and nobody hears of that.
    pub(super) fn deliver_late(&mut self) {
        if let Some(Held { expected, group }) = self.late.take() {
            let _nobody_listens = super::MemoryLog::take(self, expected, &group);
            self.sync();
        }
    }

    pub(super) fn durable_tail(&self) -> RecordNo {
        let last = self.durable.last_key_value().map_or(self.first.before().0, |(&last, _)| last);
        RecordNo(last)
    }

    pub(super) fn durable_bytes(&self, record: RecordNo) -> Option<Vec<u8>> {
        self.durable.get(&record.0).cloned()
    }

    pub(super) fn written_bytes(&self, record: RecordNo) -> Option<Vec<u8>> {
        self.unsynced.get(&record.0).or_else(|| self.durable.get(&record.0)).cloned()
    }

    /// Whether the last of `group` is still there: another process may have opened the log meanwhile.
    pub(super) fn still_holds(&self, group: &[Record]) -> bool {
        group.last().is_none_or(|last| self.written_bytes(last.number()).is_some_and(|bytes| bytes == *last.bytes()))
    }

    /// A process has read the log back: what was never synced is gone.
    pub(super) fn settle(&mut self, tail: ChainPoint) {
        self.unsynced.clear();
        self.written = tail;
        self.anchor = tail;
    }

    pub(super) fn cut(&mut self, from: RecordNo) {
        self.durable.retain(|&number, _| number < from.0);
        self.unsynced.clear();
    }

    pub(super) fn retire(&mut self, before: RecordNo) -> RecordNo {
        let tail = self.durable_tail();
        while let [_, next, ..] = self.generations.as_slice() {
            let next = *next;
            if next > before || next > tail {
                break;
            }
            self.generations.remove(0);
            self.first = next;
            self.durable.retain(|&number, _| number >= next.0);
        }
        self.first
    }
}
