//! The engine under test: the real one, on a log in memory that can be made to fail.

use domain::ids::PartitionNo;
use engine::{Engine, EngineConfig, Timeouts};
use eventlog::{LogId, MemoryDisk, MemoryLog};
use std::time::Duration;

/// How long the engine under test lets its callers wait.
pub const ANSWER_WITHIN: Duration = Duration::from_millis(300);

/// An engine on an empty log, and the disk under it.
pub fn in_memory(outside: engine::Outside) -> (Engine, MemoryDisk) {
    let disk = MemoryDisk::new(LogId::random());
    let log = engine::Unrecovered {
        partition: PartitionNo(0),
        log: Box::new(MemoryLog::open(disk.clone())),
        snapshots: None,
        follow_ups: engine::FollowUpStore::memory(),
    };
    let timeouts = Timeouts { judge_within: ANSWER_WITHIN / 2, answer_within: ANSWER_WITHIN };
    let config = EngineConfig { timeouts, outside, ..EngineConfig::default() };
    let (engine, _) = Engine::open_logs(vec![log], &config, None).expect("an empty log opens");
    (engine, disk)
}
