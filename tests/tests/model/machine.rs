//! The reference as a state machine: the books, the clock, and what came of the last step.

use domain::item::Phase;
use domain::policy::ItemSpec;
use proptest::prelude::*;
use proptest_state_machine::ReferenceStateMachine;

use crate::book::{Book, Key};
use crate::choose::Asked;
use crate::plan::{self, Step, Wait};
use crate::scene;
use crate::time::Answered;
use domain::command::Command;

/// How the process came back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Resume {
    pub(crate) at: u64,
    pub(crate) grace: u64,
    pub(crate) snapshot: bool,
}

/// A turn as the books would have it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Turned {
    pub(crate) clock: u64,
    pub(crate) resume: Option<Resume>,
    pub(crate) heard: Vec<(Asked, Answered)>,
    /// What it wrote is lost.
    pub(crate) dies: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Machine {
    pub(crate) spec: ItemSpec,
    pub(crate) crowded: bool,
    pub(crate) clock: u64,
    /// The process is gone, and what its last turn wrote with it.
    pub(crate) down: bool,
    pub(crate) book: Book,
    /// How much was asked, for names that are new.
    pub(crate) count: usize,
    /// What was asked under a key, and when.
    pub(crate) asked: Vec<(u64, Key, Command)>,
    pub(crate) last: Turned,
}

impl Machine {
    fn new(spec: ItemSpec, crowded: bool) -> Self {
        let book = Book {
            now: 0,
            logged: 0,
            settings: spec.settings.clone(),
            phase: Phase::Scheduled,
            total: spec.total.get(),
            revision: 1,
            reservations: Vec::new(),
            payments: Vec::new(),
            reports: Vec::new(),
            early: Vec::new(),
            endings: Vec::new(),
            remembered: Vec::new(),
            batch: 0,
        };
        let (asked, last) = (Vec::new(), Turned::default());
        Self { spec, crowded, clock: 0, down: false, book, count: 0, asked, last }
    }

    fn waits(&mut self, wait: Wait) {
        match wait {
            Wait::Not => {}
            Wait::Ms(ms) => self.clock += ms,
            Wait::Until(nth, shift) => {
                let mut ahead: Vec<u64> = self.book.timers().into_iter().filter(|at| *at >= self.clock).collect();
                ahead.sort_unstable();
                ahead.dedup();
                let at = ahead.get(usize::from(nth) % ahead.len().max(1)).copied().unwrap_or(self.clock);
                self.clock = at.saturating_add_signed(shift.into()).max(self.clock);
            }
        }
    }

    fn step(mut self, step: &Step) -> Self {
        self.waits(step.wait);
        let crash = step.crash.or_else(|| self.down.then(plan::Crash::default));
        let before = step.dies.then(|| self.book.clone());
        let resume = crash.map(|crash| {
            let at = self.clock.saturating_sub(crash.back_ms).max(self.book.logged);
            self.clock = at + crash.late_ms;
            Resume { at, grace: crash.grace_ms, snapshot: crash.snapshot }
        });
        match resume {
            Some(Resume { at, grace, .. }) => self.book.resume(self.clock, at, grace),
            None => self.book.begin(self.clock),
        }
        let mut heard = Vec::new();
        for ask in &step.asks {
            for asked in self.choose(ask) {
                let answer = match &asked {
                    Asked::Command(command, key) => self.book.judge(command, key.as_ref()),
                    Asked::Query(query) => self.book.read(query),
                };
                heard.push((asked, answer));
            }
        }
        self.last = Turned { clock: self.clock, resume, heard, dies: step.dies };
        self.down = step.dies;
        if let Some(before) = before {
            self.book = before;
        }
        self
    }
}

impl ReferenceStateMachine for Machine {
    type State = Self;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Self> {
        prop_oneof![
            60 => scene::small().prop_map(|spec| Self::new(spec, false)),
            1 => scene::crowded().prop_map(|spec| Self::new(spec, true)),
        ]
        .boxed()
    }

    fn transitions(state: &Self) -> BoxedStrategy<Step> {
        thread_local! {
            // They are the same at every step, and many to build.
            static STEPS: [BoxedStrategy<Step>; 2] = [plan::step().boxed(), plan::crowded_step().boxed()];
        }
        STEPS.with(|[small, crowded]| if state.crowded { crowded.clone() } else { small.clone() })
    }

    fn apply(state: Self, step: &Step) -> Self {
        state.step(step)
    }
}
