//! `holdfast demo`: a server, two sales, a crowd, an audit, and a server to play with.

mod directory;
mod rush;

use crate::audit;
use crate::cli::DemoArgs;
use crate::config::{SettingArgs, Settings, Simulated, Trouble};
use crate::crowd::client::Client;
use crate::crowd::{self, ItemPlan, Makeup, Operator, Outcome, Paying, Plan, Statistics, Told, render, say};
use crate::exit::{Exit, Failure};
use crate::listeners::{self, Listeners, introduced, url};
use crate::server::{Ended, Running};
use crate::stop::Stop;
use crate::{logs, server};
use directory::Directory;
use domain::payment::Provider;
use rush::Rush;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Where the server is if nobody else is there.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8080);
const ADMIN_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9090);

/// How long the demo waits for the last callbacks and refunds before it audits.
const SETTLED_WITHIN: Duration = Duration::from_secs(60);

/// The second sale's item.
const SKU: &str = "iphone-15";

/// `count` times `factor`, at least one.
fn scaled(count: u32, factor: f64) -> u32 {
    // The factor is at most 100, and what does not fit saturates.
    (f64::from(count) * factor).round().max(1.0) as u32
}

/// Runs the demo.
pub(crate) async fn run(args: &DemoArgs) -> Result<Exit, Failure> {
    let mut stop = Stop::listen()?;
    let directory = Directory::choose(args.data_dir.as_deref())?;
    let settings = settings(args, &directory)?;
    logs::start(&settings.log)?;
    let listeners = listen(args).await?;
    let running = server::start(&settings, listeners).await?;
    introduce(&running, args);
    let shown = tokio::select! {
        shown = show(args, &running) => Ok(shown),
        ended = running.ended(&mut stop) => Err(ended),
    };
    let (exit, ended) = match shown {
        Err(ended) => {
            say("Called off before the audit; nothing is concluded.");
            (Exit::Fine, ended)
        }
        Ok(exit) => {
            let exit = exit?;
            let ended = if args.exit { Ended::Done } else { serve_on(&running, &mut stop).await };
            (exit, ended)
        }
    };
    let ended_well = matches!(ended, Ended::Done | Ended::Signal(_));
    stop.end_at_once_on_the_next();
    running.stop(ended).await?;
    if let Some(words) = directory.leave(exit == Exit::Fine && ended_well) {
        say(&words);
    }
    Ok(exit)
}

fn settings(args: &DemoArgs, directory: &Directory) -> anyhow::Result<Settings> {
    let mut settings = Settings::load(&SettingArgs::default())?;
    settings.data_dir = directory.path().to_owned();
    settings.listen = args.listen.unwrap_or(LISTEN);
    settings.admin_listen = args.admin_listen.unwrap_or(ADMIN_LISTEN);
    settings.payments.simulated = Some(Simulated { trouble: Trouble::Rough, seed: args.seed.unwrap_or(1) });
    "warn".clone_into(&mut settings.log.filter);
    Ok(settings)
}

/// The usual ports if they are free; an address that was asked for, or nothing.
async fn listen(args: &DemoArgs) -> anyhow::Result<Listeners> {
    let public = match args.listen {
        Some(address) => listeners::bind(listeners::LISTEN, address).await?,
        None => listeners::bind_or_any(listeners::LISTEN, LISTEN).await?,
    };
    let admin = match args.admin_listen {
        Some(address) => listeners::bind(listeners::ADMIN_LISTEN, address).await?,
        None => listeners::bind_or_any(listeners::ADMIN_LISTEN, ADMIN_LISTEN).await?,
    };
    Ok(Listeners { public, admin })
}

fn introduce(running: &Running, args: &DemoArgs) {
    let at = running.addresses();
    say(&format!("Holdfast serves customers at {} and operators at {}.", introduced(at.public), introduced(at.admin)));
    let moved =
        (args.listen.is_none() && at.public != LISTEN) || (args.admin_listen.is_none() && at.admin != ADMIN_LISTEN);
    if moved {
        say("(Another program listens on the usual ports, 8080 and 9090, so free ones were taken.)");
    }
    say(&format!("Data directory: {}\n", running.data_dir().display()));
}

/// Both sales and the audit. Ends with the worst of what was found.
async fn show(args: &DemoArgs, running: &Running) -> Result<Exit, Failure> {
    let stage = Stage::new(args, running)?;
    let rush = Rush::scaled(args.scale);
    say(&format!("1. The acceptance test: {} units, {} buyers at the same instant.", rush.stock, rush.buyers));
    let first = stage.hold_sale(&rush.item(), rush.makeup(), true).await?;
    say(&rush.render(&first));
    let (stock, customers) = (scaled(args.stock, args.scale), customers(args));
    let [arrive_within, hold_time] = [args.arrive_within_ms, args.hold_time_ms].map(Duration::from_millis);
    let makeup = Makeup::lively(customers, arrive_within, hold_time);
    say(&format!(
        "2. A sale: {stock} iPhones, one per customer; {customers} customers come within {:.1} s, holds last {:.1} s.\n   \
         Seed {}: the same people come again with --seed {}.",
        arrive_within.as_secs_f64(),
        hold_time.as_secs_f64(),
        stage.seed,
        stage.seed
    ));
    let second = stage.hold_sale(&iphone(args, stock), makeup, false).await?;
    say(&format!("The sale took {:.1} s.", second.took.as_secs_f64()));
    say(&render::outcome(&second));
    let audit = read_back(running, [&first.tally.told, &second.tally.told]).await?;
    say(&audit::render(&audit));
    let audited = if audit.is_clean() { Exit::Fine } else { Exit::Violation };
    Ok(worst([rush.verdict(&first), crowd::command::verdict(&second), audited]))
}

fn customers(args: &DemoArgs) -> usize {
    let customers = u32::try_from(args.customers).unwrap_or(u32::MAX);
    scaled(customers, args.scale) as usize
}

fn iphone(args: &DemoArgs, stock: u32) -> ItemPlan {
    ItemPlan {
        sku: SKU.to_owned(),
        name: "iPhone 15".to_owned(),
        stock,
        price_cents: 99_900,
        hold_time_ms: args.hold_time_ms,
        has_waitlist: true,
        provider: Some(Provider::Simulated),
    }
}

fn worst(exits: [Exit; 3]) -> Exit {
    let found = |exit| exits.contains(&exit).then_some(exit);
    found(Exit::Violation).or(found(Exit::Error)).unwrap_or(Exit::Fine)
}

/// What both sales need.
struct Stage<'a> {
    args: &'a DemoArgs,
    running: &'a Running,
    operator: Operator,
    seed: u64,
}

impl<'a> Stage<'a> {
    fn new(args: &'a DemoArgs, running: &'a Running) -> anyhow::Result<Self> {
        let target = url(running.addresses().admin).parse()?;
        let client = Client::new(&target, 1, Arc::new(Statistics::default()))?;
        let operator = Operator { client, token: running.admin_token().secret.clone() };
        let seed = args.seed.map_or_else(crowd::command::new_seed, Ok)?;
        Ok(Self { args, running, operator, seed })
    }

    async fn hold_sale(&self, item: &ItemPlan, makeup: Makeup, stops_after_the_rush: bool) -> anyhow::Result<Outcome> {
        self.operator.create(item).await?;
        self.operator.open(&item.sku).await?;
        let plan = Plan {
            target: url(self.running.addresses().public).parse()?,
            sku: item.sku.clone(),
            paying: match item.provider {
                Some(_) => Paying::Provider,
                None => Paying::Backend(self.running.service_token().secret.clone()),
            },
            makeup,
            seed: self.seed,
            connections: self.args.connections,
            stops_after_the_rush,
        };
        crowd::run(&plan, std::future::pending()).await
    }
}

/// Reads the whole log from disk, beside the running server.
async fn read_back(running: &Running, told: [&Told; 2]) -> anyhow::Result<audit::Audit> {
    if !running.settled(SETTLED_WITHIN).await {
        say("Some payments or refunds are still on their way; the audit may find them missing.");
    }
    let readers = running.log_readers();
    let mut audit = tokio::task::spawn_blocking(move || audit::read(&readers)).await??;
    if let Some(provider) = running.simulated() {
        let totals = provider.totals();
        let (captured, refunded) = (i128::try_from(totals.captured)?, i128::try_from(totals.refunded)?);
        audit.compare_with(Provider::Simulated, audit::OfProvider { captured, refunded });
    }
    audit.compare(&told);
    Ok(audit)
}

async fn serve_on(running: &Running, stop: &mut Stop) -> Ended {
    let at = running.addresses();
    let (public, admin, data_dir) = (url(at.public), url(at.admin), running.data_dir().display());
    say(&format!(
        "The server goes on until Ctrl-C. Try it:
  curl {public}/v1/items
  curl -X POST {admin}/v1/admin/items -H \"Authorization: Bearer $(cat {data_dir}/admin-token)\" \\
    -H 'Content-Type: application/json' \\
    -d '{{\"sku\":\"poster\",\"total\":3,\"unit_price\":{{\"amount\":1500,\"currency\":\"USD\"}}}}'
  curl -X POST {admin}/v1/admin/items/poster/open -H \"Authorization: Bearer $(cat {data_dir}/admin-token)\"
  curl -i -X POST {public}/v1/items/poster/reservations -H 'X-Customer-Id: ann' \\
    -H 'Idempotency-Key: my-first-attempt' -H 'Content-Type: application/json' -d '{{\"quantity\":1}}'
  curl '{admin}/readyz?verbose'
  holdfast crowd --target {public} --admin-target {admin} --sku encore \\
    --admin-token-file {data_dir}/admin-token --service-token-file {data_dir}/service-token"
    ));
    running.ended(stop).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scale_multiplies_and_leaves_at_least_one() {
        assert_eq!(scaled(1_000, 1.0), 1_000);
        assert_eq!(scaled(1_000, 0.1), 100);
        assert_eq!(scaled(3, 0.01), 1);
        assert_eq!(scaled(u32::MAX, 100.0), u32::MAX);
    }

    #[test]
    fn the_worst_of_what_was_found_decides_how_the_demo_ends() {
        assert_eq!(worst([Exit::Fine, Exit::Error, Exit::Violation]), Exit::Violation);
        assert_eq!(worst([Exit::Fine, Exit::Error, Exit::Fine]), Exit::Error);
        assert_eq!(worst([Exit::Fine; 3]), Exit::Fine);
    }
}
