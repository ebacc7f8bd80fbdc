//! `holdfast crowd`: the crowd against any running server.

use super::client::Client;
use super::{Fate, ItemPlan, Makeup, Operator, Outcome, Paying, Plan, Statistics, render, say};
use crate::cli::CrowdArgs;
use crate::exit::{Exit, Failure};
use crate::stop::Stop;
use crate::tokens::{self, Secret};
use anyhow::{Context, bail};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Connections that an operator needs.
const OPERATOR_CONNECTIONS: usize = 1;

/// Runs the crowd and prints what became of it.
pub(crate) async fn run(args: &CrowdArgs) -> Result<Exit, Failure> {
    let service_token = token(args.service_token.as_deref(), args.service_token_file.as_deref())?;
    let admin_token = token(args.admin_token.as_deref(), args.admin_token_file.as_deref())?;
    let seed = args.shape.seed.map_or_else(new_seed, Ok)?;
    let sku = prepare_item(args, admin_token, seed).await?;
    let paying = service_token.map_or(Paying::Nobody, Paying::Backend);
    if matches!(paying, Paying::Nobody) {
        say("No service token is given, so nobody can pay: every hold is cancelled or expires.");
    }
    say(&format!("{} customers for {sku} at {}, seed {seed}.", args.shape.customers, args.target));
    let [arrive_within, hold_time] = [args.shape.arrive_within_ms, args.shape.hold_time_ms].map(Duration::from_millis);
    let plan = Plan {
        target: args.target.clone(),
        sku,
        paying,
        makeup: Makeup::lively(args.shape.customers, arrive_within, hold_time),
        seed,
        connections: args.shape.connections,
        stops_after_the_rush: false,
    };
    let mut stop = Stop::listen()?;
    let called_off = async {
        stop.first().await;
    };
    let outcome = super::run(&plan, called_off).await?;
    say(&render::outcome(&outcome));
    Ok(verdict(&outcome))
}

/// How a program ends whose crowd ended like this.
pub(crate) fn verdict(outcome: &Outcome) -> Exit {
    if !outcome.kept_every_promise() {
        Exit::Violation
    } else if outcome.tally.fates.contains_key(&Fate::InTrouble) {
        Exit::Error
    } else {
        Exit::Fine
    }
}

/// A seed that can be given again.
pub(crate) fn new_seed() -> anyhow::Result<u64> {
    let seed = getrandom::u32().context("the system has no randomness for a seed")?;
    Ok(u64::from(seed))
}

/// With an admin address the crowd brings its own item; without one it goes for an item that is on sale already.
async fn prepare_item(args: &CrowdArgs, token: Option<Secret>, seed: u64) -> anyhow::Result<String> {
    let (target, token) = match (&args.admin_target, token, &args.sku) {
        (None, _, Some(sku)) => return Ok(sku.clone()),
        (None, _, None) => bail!("name an item that is on sale with --sku, or give --admin-target to have one made"),
        (Some(_), None, _) => bail!("--admin-target needs the operators' token: --admin-token-file FILE"),
        (Some(target), Some(token), _) => (target, token),
    };
    let client = Client::new(target, OPERATOR_CONNECTIONS, Arc::new(Statistics::default()))?;
    let operator = Operator { client, token };
    let sku = args.sku.clone().unwrap_or_else(|| format!("crowd-{seed}"));
    let item = ItemPlan {
        name: format!("Item of crowd {seed}"),
        stock: args.shape.stock,
        price_cents: 99_900,
        hold_time_ms: args.shape.hold_time_ms,
        has_waitlist: true,
        provider: None,
        sku: sku.clone(),
    };
    operator.create(&item).await?;
    operator.open(&sku).await?;
    Ok(sku)
}

fn token(given: Option<&str>, file: Option<&Path>) -> anyhow::Result<Option<Secret>> {
    match (given, file) {
        (Some(text), _) => Secret::parse(text).map(Some),
        (None, Some(path)) => tokens::load(path).map(Some),
        (None, None) => Ok(None),
    }
}
