//! The shipped server beside its peers: Redis with a script, PostgreSQL with a row lock, and Redis without any front.

use crate::contestant::Contestant;
use crate::goals::{G3, G3_FJALL, G4, G4_FJALL, G5, G5_FJALL, Goal, Row};
use crate::ladder::done_per_second;
use crate::peers::{self, Operate as _, Redis, Sale};
use crate::run::Run;
use crate::visit::Workload;
use anyhow::Result;
use std::collections::BTreeMap;

/// More units than bare clients take in any run.
const UNITS: i32 = 1_000_000_000;

/// Each engine of the shipped server, with what is aimed at beside Redis, bare Redis and PostgreSQL.
const GOALS: [(Contestant, [Goal; 3]); 2] =
    [(Contestant::Durable, [G3, G4, G5]), (Contestant::DurableFjall, [G3_FJALL, G4_FJALL, G5_FJALL])];

/// Everybody in turn, round after round.
pub(crate) fn measure(run: &mut Run) -> Result<()> {
    if let Err(missing) = peers::are_installed() {
        for goal in GOALS.iter().flat_map(|(_, goals)| goals) {
            run.row(Row::new(*goal, Err(missing.to_string())));
        }
        return Ok(());
    }
    let (load, place) = (run.closed(), run.visitor("beside peers").place.clone());
    let mut over: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for round in 0..run.rounds() {
        let mut all: Vec<Contestant> = Contestant::PEERS.into_iter().chain(Contestant::SHIPPED).collect();
        if round % 2 == 1 {
            all.reverse();
        }
        let mut rates = BTreeMap::new();
        for who in all {
            let visit = run.visit(who, &Workload::ONE_ITEM, load)?;
            rates.insert(who, done_per_second(&visit));
            run.keep("beside", visit);
        }
        let bare = bare(run)?;
        let rate = |who| rates.get(&who).copied().unwrap_or_default();
        let postgres = rate(Contestant::Postgres).max(rate(Contestant::PostgresBatched));
        let under = [rate(Contestant::Redis), bare, postgres];
        for (who, goals) in GOALS {
            for (goal, under) in goals.into_iter().zip(under) {
                over.entry(goal.id).or_default().extend((under > 0.0).then_some(rate(who) / under));
            }
        }
        run.note(format!("beside, round {}: bare Redis {bare:.0}/s", round + 1));
        run.look_at_the_disk()?;
    }
    let found = |who: &Contestant| std::fs::read_to_string(place.join(format!("{who}.best"))).ok();
    for who in [Contestant::Redis, Contestant::Postgres] {
        let setting = found(&who).unwrap_or_default();
        run.note(format!("{}, best of the sweep (connections, commit_delay in µs): {setting}", who.words()));
    }
    let [redis, postgres, batched] = Contestant::PEERS;
    for (who, goals) in GOALS {
        // Bare Redis is no contestant: of its own trial nothing can be doubted.
        let under: [&[Contestant]; 3] = [&[redis], &[], &[postgres, batched]];
        for (goal, under) in goals.into_iter().zip(under) {
            let among: Vec<Contestant> = under.iter().copied().chain([who]).collect();
            run.figure_among(goal, &["beside"], &among, over.remove(goal.id).unwrap_or_default());
        }
    }
    Ok(())
}

/// The same script over its own protocol, without a front, with as many clients as the others have connections.
fn bare(run: &mut Run) -> Result<f64> {
    let size = run.size();
    let place = run.visitor("bare Redis over its own protocol").place.clone();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let rate = runtime.block_on(async {
        let redis = Redis::start(&place).await?;
        redis.open(&Sale::usual("hot", UNITS)).await?;
        redis.bare().operations_per_s("hot", size.connections, size.warm_up, size.length).await
    })?;
    Ok(rate)
}
