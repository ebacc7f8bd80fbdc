//! A running server: the engine, the HTTP front, and how they start and end together. `serve` and `demo` share it.

use crate::config::Settings;
use crate::data_dir;
use crate::exit::{Exit, Failure};
use crate::listeners::{Addresses, Listeners, url};
use crate::outside::World;
use crate::recovered;
use crate::stop::Stop;
use crate::tokens::{self, Secret};
use crate::unserved;
use anyhow::{Context, anyhow};
use domain::payment::Provider;
use domain::time::DurationMs;
use engine::ports::PaymentPage;
use engine::{Engine, EngineConfig, OpenReport, Outside};
use eventlog::LogReader;
use integrations::simulated::SimulatedProvider;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

/// The operators' token in the data directory.
pub(crate) const ADMIN_TOKEN: &str = "admin-token";

/// The services' token in the data directory.
pub(crate) const SERVICE_TOKEN: &str = "service-token";

/// How long callers who wait for a log that has failed get to hear so before the process ends.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A running server.
pub(crate) struct Running {
    engine: Engine,
    report: OpenReport,
    addresses: Addresses,
    data_dir: PathBuf,
    tokens: Tokens,
    shutdown: oneshot::Sender<()>,
    front: JoinHandle<api::Drained>,
    /// Its sender goes when the front ends, however it ends.
    front_runs: watch::Receiver<()>,
    simulated: Option<SimulatedProvider>,
}

/// Both tokens, and where they came from.
#[derive(Debug)]
struct Tokens {
    admin: Token,
    service: Token,
}

/// A token, and the file it is in if it was not configured.
#[derive(Debug)]
pub(crate) struct Token {
    /// The token.
    pub(crate) secret: Secret,
    /// Its file.
    pub(crate) file: Option<PathBuf>,
}

/// Why a server ends.
#[derive(Debug)]
pub(crate) enum Ended {
    /// It has done what it was for.
    Done,
    /// A signal of this name.
    Signal(&'static str),
    /// The log failed, and why.
    LogFailed(String),
    /// The HTTP front ended by itself, which it never should.
    FrontGone,
}

/// Opens the data directory and serves it.
pub(crate) async fn start(settings: &Settings, listeners: Listeners) -> Result<Running, Failure> {
    let addresses = listeners.addresses()?;
    let world = World::new(&settings.payments, &url(addresses.public))?;
    let providers: Vec<Provider> = world.outside.providers.iter().map(|provider| provider.provider()).collect();
    let (engine, report) = open(settings, world.outside).await?;
    for words in unserved::warnings(&engine, |provider| providers.contains(&provider)) {
        tracing::warn!("{words}");
    }
    // After the directory was locked: two processes never write tokens at once.
    let tokens = match Tokens::load(settings) {
        Ok(tokens) => tokens,
        Err(refused) => {
            // The log is well, and the next start need not recover it.
            engine.close().await;
            return Err(refused);
        }
    };
    let mut config = front(settings, &tokens)?;
    config.inboxes = world.inboxes;
    config.payment_page = world.simulated.clone().map(|page| Arc::new(page) as Arc<dyn PaymentPage>);
    let (shutdown, told) = oneshot::channel();
    let until = async move {
        // A sender that was dropped means the same: end.
        let _dropped = told.await;
    };
    let (runs, front_runs) = watch::channel(());
    let serving = api::serve(listeners.public, listeners.admin, engine.clone(), config, until);
    let front = tokio::spawn(async move {
        let _runs = runs;
        serving.await
    });
    let data_dir = settings.data_dir.clone();
    Ok(Running { engine, report, addresses, data_dir, tokens, shutdown, front, front_runs, simulated: world.simulated })
}

/// Opens the engine. Recovery reads the disk, so it has a thread of its own.
async fn open(settings: &Settings, outside: Outside) -> Result<(Engine, OpenReport), Failure> {
    let config = EngineConfig {
        partitions: settings.partitions,
        log_engine: settings.log_engine,
        generation_record_bytes: settings.log_generation_bytes,
        timeouts: settings.timeouts,
        restart_grace: DurationMs::from_millis(u64::try_from(settings.restart_grace.as_millis())?),
        claimant: concat!("holdfast ", env!("CARGO_PKG_VERSION")).to_owned(),
        on_stall: Arc::new(|words| end_of_a_stalled_log(&words)),
        outside,
        ..EngineConfig::default()
    };
    let path = settings.data_dir.clone();
    data_dir::take(&path)?;
    let opened = tokio::task::spawn_blocking(move || Engine::open(&path, &config)).await?;
    opened.map_err(|error| {
        let exit = if error.is_damage() { Exit::Damaged } else { Exit::Error };
        let shown = settings.data_dir.display();
        Failure::new(exit, anyhow::Error::new(error).context(format!("the data directory {shown} cannot be opened")))
    })
}

/// A commit hangs. Nobody can end it, so the process ends: whoever waits will ask again with the same key.
fn end_of_a_stalled_log(words: &str) {
    eprintln!("{}", Failure::new(Exit::LogFailed, log_failed(words)).in_words());
    std::process::exit(i32::from(Exit::LogFailed.code()));
}

impl Tokens {
    fn load(settings: &Settings) -> Result<Self, Failure> {
        let admin = Token::load(settings.admin_token.as_ref(), settings.data_dir.join(ADMIN_TOKEN))?;
        let service = Token::load(settings.service_token.as_ref(), settings.data_dir.join(SERVICE_TOKEN))?;
        if admin.secret == service.secret {
            return Err(Failure::new(Exit::Usage, same_tokens(admin.file.as_deref(), service.file.as_deref())));
        }
        Ok(Self { admin, service })
    }
}

/// What to change where both are one: at least one of them is in a file.
fn same_tokens(admin: Option<&Path>, service: Option<&Path>) -> anyhow::Error {
    let place = |file: Option<&Path>, setting: &str| match file {
        Some(file) => file.display().to_string(),
        None => format!("the setting `{setting}`"),
    };
    let (admin_place, service_place) = (place(admin, "admin_token"), place(service, "service_token"));
    let remedy = service.or(admin).map_or_else(String::new, |file| {
        format!(". Delete {}: a new token is generated at the next start", file.display())
    });
    anyhow!(
        "the operators' token ({admin_place}) and the services' ({service_place}) are the same: a service would be able to \
         do whatever an operator can{remedy}"
    )
}

impl Token {
    fn load(configured: Option<&Secret>, file: PathBuf) -> anyhow::Result<Self> {
        match configured {
            Some(secret) => Ok(Self { secret: secret.clone(), file: None }),
            None => Ok(Self { secret: tokens::load_or_generate(&file)?, file: Some(file) }),
        }
    }
}

fn front(settings: &Settings, tokens: &Tokens) -> anyhow::Result<api::ApiConfig> {
    let parse = |token: &Token| api::Token::parse(token.secret.reveal());
    let mut config = api::ApiConfig::new(parse(&tokens.admin)?, parse(&tokens.service)?);
    config.gateway.peers.clone_from(&settings.gateway.peers);
    config.gateway.reports_payments = settings.gateway.reports_payments;
    config.notify_private = settings.payments.allow_private;
    config.timeouts.header_read = settings.header_read;
    config.timeouts.body_read = settings.body_read;
    config.timeouts.drain = settings.drain;
    config.connections = settings.connections;
    Ok(config)
}

impl Running {
    /// Where it listens.
    pub(crate) const fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Its data directory.
    pub(crate) fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// What operators show.
    pub(crate) const fn admin_token(&self) -> &Token {
        &self.tokens.admin
    }

    /// What services show.
    pub(crate) const fn service_token(&self) -> &Token {
        &self.tokens.service
    }

    /// What opening the data directory found, in words.
    pub(crate) fn report_lines(&self) -> Vec<String> {
        recovered::lines(&self.report)
    }

    /// The simulated provider, if there is one.
    pub(crate) const fn simulated(&self) -> Option<&SimulatedProvider> {
        self.simulated.as_ref()
    }

    /// Waits until the simulated provider has called back about everything, and all that follows is done, or for
    /// `patience`. Says whether it is.
    pub(crate) async fn settled(&self, patience: Duration) -> bool {
        let settled = async {
            if let Some(provider) = &self.simulated {
                provider.idle().await;
            }
            // The table of follow-ups tells of itself once a second.
            let mut calm = 0;
            while calm < 3 {
                tokio::time::sleep(Duration::from_millis(600)).await;
                calm = if self.engine.status().follow_ups_open == 0 { calm + 1 } else { 0 };
            }
        };
        tokio::time::timeout(patience, settled).await.is_ok()
    }

    /// Readers of all its logs.
    pub(crate) fn log_readers(&self) -> Vec<Arc<dyn LogReader>> {
        let partitions = self.engine.status().partitions;
        partitions.into_iter().filter_map(|(number, _)| self.engine.log_reader(number)).collect()
    }

    /// Waits for a reason to end.
    pub(crate) async fn ended(&self, stop: &mut Stop) -> Ended {
        let (mut failure, mut front_runs) = (self.engine.failure(), self.front_runs.clone());
        tokio::select! {
            name = stop.first() => Ended::Signal(name),
            failed = failure.wait_for(Option::is_some) => match failed {
                Ok(why) => Ended::LogFailed(why.clone().unwrap_or_default()),
                Err(_) => Ended::LogFailed("the engine is gone".to_owned()),
            },
            _ = front_runs.changed() => Ended::FrontGone,
        }
    }

    /// Ends it. Gracefully: no new requests, those under way get their answers, then the log is closed. If the log has
    /// failed, whoever waits is told that the outcome is unknown, and that is all.
    pub(crate) async fn stop(self, why: Ended) -> Result<Stopped, Failure> {
        self.engine.drain();
        let _ended_already = self.shutdown.send(());
        match why {
            Ended::LogFailed(words) => {
                let _late = tokio::time::timeout(LAST_WORDS, self.front).await;
                Err(Failure::new(Exit::LogFailed, log_failed(&words)))
            }
            Ended::FrontGone => {
                self.engine.close().await;
                let ended = self.front.await.map(drop);
                Err(ended.err().map_or_else(|| anyhow::anyhow!("the HTTP front ended"), Into::into).into())
            }
            Ended::Done | Ended::Signal(_) => {
                let drained = self.front.await.context("the HTTP front failed")?;
                self.engine.close().await;
                Ok(Stopped { cut_off: drained.cut_off })
            }
        }
    }
}

/// How a server stopped.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stopped {
    /// Connections that were still busy when the time was up.
    pub(crate) cut_off: usize,
}

fn log_failed(words: &str) -> anyhow::Error {
    anyhow::anyhow!("{words}").context(
        "the server cannot go on. Requests that were under way may have happened, and the same idempotency key will \
         tell. If the log failed, look at the disk; if it is a bug, report it. Then start again: the log is recovered from \
         what was durable",
    )
}
