//! The whole way of a reservation below the runtime: shell, group commit, log, release. The log is in memory.

use super::item::{item_after, wishes};
use super::{Prepared, USUAL};
use domain::command::WaitlistChoice;
use domain::time::Timestamp;
use engine::commit::gather::{Action, Gather};
use engine::shell::{Ask, Asked, MonoTime, ReplyTo, Shell, Ticket, TurnInput};
use eventlog::{ChainPoint, EventLog, LogId, MemoryDisk, MemoryLog, recover};
use std::hint::black_box;
use std::time::Duration;

const AT: Timestamp = Timestamp::from_millis(1_767_225_600_000);

/// The instant of all turns, and one by which they must be judged.
const NOW: MonoTime = MonoTime(Duration::ZERO);
const LATER: MonoTime = MonoTime(Duration::from_secs(1));

/// Somebody who waits.
#[derive(Debug)]
struct Patient;

impl ReplyTo for Patient {
    fn is_gone(&self) -> bool {
        false
    }
}

/// One client: each reservation is a turn, a group, a record and an answer.
pub(super) fn reserved() -> Prepared {
    let mut shell = Shell::new(item_after(10 * USUAL, 0..USUAL, AT), Ticket::default());
    let mut log = MemoryLog::open(MemoryDisk::new(LogId([1; 16])));
    recover(&mut log, ChainPoint::START, &mut |_| {}).expect("an empty log");
    let mut gather = Gather::new(log.claim("the counts").expect("it is free").chain);
    let ask = |request| Asked { ask: Ask::Command(Box::new(request)), judge_before: LATER, reply: Patient };
    let mut asked: Vec<Vec<Asked<Patient>>> =
        wishes(USUAL..2 * USUAL, WaitlistChoice::Join).into_iter().map(|request| vec![ask(request)]).collect();
    Box::new(move || {
        for asked in std::mem::take(&mut asked) {
            let input = TurnInput { now: AT, mono: NOW, durable: shell.submitted(), asked: black_box(asked) };
            let output = shell.turn(input);
            gather.submit(output.handover.expect("it writes"));
            let answered = commit(&mut gather, &mut log);
            assert!(output.release.is_empty() && answered == 1);
        }
    })
}

/// Carries out what the committer wants until it wants nothing more; how many were answered.
fn commit(gather: &mut Gather<Patient>, log: &mut MemoryLog) -> usize {
    let mut answered = 0;
    while let Some(action) = gather.next_action() {
        match action {
            Action::Append { expected, records } => gather.appended(log.append(expected, &records)),
            Action::Release { group, records } => {
                answered += group.iter().map(|handover| handover.replies.len()).sum::<usize>();
                black_box((group, records));
            }
            Action::ReadBack { .. } | Action::Dismiss(_) | Action::Stop(_) => panic!("the log in memory never fails"),
        }
    }
    answered
}
