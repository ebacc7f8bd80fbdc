//! What can be made to go wrong.

/// What happens to one append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing goes wrong.
    None,
    /// Answered `Unknown`, though it became durable.
    UnknownApplied,
    /// Answered `Unknown`, and nothing of it ever arrives.
    UnknownNotApplied,
    /// Answered `Unknown`, and it arrives just before the next call.
    Late,
    /// It arrives twice.
    Duplicate,
    /// Another writer claims the log just before it arrives.
    TakenOver,
    /// It is written and the sync fails: it may or may not survive a crash.
    SyncFails,
    /// The sync takes long: the disk's hook is called before it ends.
    SlowSync,
    /// The disk is full; nothing is written.
    DiskFull,
    /// The write breaks off: of the last record so many bytes are written.
    TornWrite {
        /// How many.
        keep_bytes: usize,
    },
}

/// How often each kind of fault is drawn, out of a thousand appends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FaultWeights {
    /// [`Fault::UnknownApplied`].
    pub unknown_applied: u16,
    /// [`Fault::UnknownNotApplied`].
    pub unknown_not_applied: u16,
    /// [`Fault::Late`].
    pub late: u16,
    /// [`Fault::Duplicate`].
    pub duplicate: u16,
    /// [`Fault::TakenOver`].
    pub taken_over: u16,
    /// [`Fault::SyncFails`].
    pub sync_fails: u16,
    /// [`Fault::SlowSync`].
    pub slow_sync: u16,
    /// [`Fault::DiskFull`].
    pub disk_full: u16,
    /// [`Fault::TornWrite`].
    pub torn_write: u16,
}

impl FaultWeights {
    /// Draws what happens to the next append.
    pub(super) fn draw(&self, dice: &mut Dice) -> Fault {
        let torn = Fault::TornWrite { keep_bytes: dice.below(200) };
        let kinds = [
            (self.unknown_applied, Fault::UnknownApplied),
            (self.unknown_not_applied, Fault::UnknownNotApplied),
            (self.late, Fault::Late),
            (self.duplicate, Fault::Duplicate),
            (self.taken_over, Fault::TakenOver),
            (self.sync_fails, Fault::SyncFails),
            (self.slow_sync, Fault::SlowSync),
            (self.disk_full, Fault::DiskFull),
            (self.torn_write, torn),
        ];
        let mut rolled = dice.below(1_000);
        for (weight, fault) in kinds {
            match rolled.checked_sub(usize::from(weight)) {
                Some(rest) => rolled = rest,
                None => return fault,
            }
        }
        Fault::None
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014): small, seeded, good enough to choose faults.
#[derive(Clone, Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        // usize is 64 bits wide wherever tests run; the remainder is below `bound`.
        (self.roll() % (bound.max(1) as u64)) as usize
    }
}
