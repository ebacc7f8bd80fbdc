//! The server's configuration: one table of settings, four layers, one typed result.
//!
//! What this does not do: generate tokens (`tokens`) or touch the data directory.

mod args;
mod layers;
mod payments;
mod show;
mod table;

pub(crate) use args::SettingArgs;
pub(crate) use layers::stray_variables;
pub(crate) use payments::{Payments, Simulated, Trouble};
pub(crate) use show::show;
pub(crate) use table::ADDRESS_FORM;

use crate::tokens::Secret;
use api::PeerNetwork;
use eventlog::limits::{GENERATION_RECORD_BYTES, GENERATION_RECORD_BYTES_MIN};
use eventlog::{PartitionCount, StorageEngine};
use layers::Layers;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;
use table::Setting;

/// The settings as the server uses them.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Where customers and services are served.
    pub(crate) listen: SocketAddr,
    /// Where operators are served.
    pub(crate) admin_listen: SocketAddr,
    /// The data directory.
    pub(crate) data_dir: PathBuf,
    /// Partitions of a new data directory.
    pub(crate) partitions: PartitionCount,
    /// What new generations of the log are made with.
    pub(crate) log_engine: StorageEngine,
    /// Bytes of records after which a generation of the log is closed.
    pub(crate) log_generation_bytes: u64,
    /// How long after a restart no hold ends.
    pub(crate) restart_grace: Duration,
    /// The operators' token, if configured.
    pub(crate) admin_token: Option<Secret>,
    /// The services' token, if configured.
    pub(crate) service_token: Option<Secret>,
    /// Whose `X-Customer-Id` is believed.
    pub(crate) gateway: Gateway,
    /// How long a request may wait to be judged, and its caller for an answer.
    pub(crate) timeouts: engine::Timeouts,
    /// How long the head of a request may take.
    pub(crate) header_read: Duration,
    /// How long its body may take.
    pub(crate) body_read: Duration,
    /// How many connections there may be.
    pub(crate) connections: api::Connections,
    /// Who may tell of payments, and who is asked for them.
    pub(crate) payments: Payments,
    /// How long a stopping server waits for requests under way.
    pub(crate) drain: Duration,
    /// What is logged.
    pub(crate) log: Logging,
}

/// Whom to trust about customers.
#[derive(Clone, Debug)]
pub(crate) struct Gateway {
    /// From where.
    pub(crate) peers: Vec<PeerNetwork>,
    /// Whether they may report payments too.
    pub(crate) reports_payments: bool,
}

impl Gateway {
    /// What is dangerous about it, if anything is.
    pub(crate) fn warning(&self) -> Option<String> {
        let everybody = self.peers.iter().find(|network| is_everybody(network))?;
        let and_pay = if self.reports_payments { ", and can report payments" } else { "" };
        Some(format!(
            "gateway.peers has {everybody}: X-Customer-Id is believed whoever sends it, so anybody who reaches the \
             customers' listener can be any customer{and_pay}. Name the gateway's own network instead (10.0.0.0/8), \
             or make sure that nobody but the gateway reaches that listener"
        ))
    }
}

/// Whether a network has every address of its family: it has the first and the last.
fn is_everybody(network: &PeerNetwork) -> bool {
    let v4 = [Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST].map(IpAddr::V4);
    let v6 = [Ipv6Addr::UNSPECIFIED, Ipv6Addr::from_bits(u128::MAX)].map(IpAddr::V6);
    [v4, v6].iter().any(|ends| ends.iter().all(|address| network.contains(*address)))
}

/// What is logged, and how.
#[derive(Clone, Debug)]
pub(crate) struct Logging {
    /// A tracing filter.
    pub(crate) filter: String,
    /// Text or JSON.
    pub(crate) format: LogFormat,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

impl FromStr for LogFormat {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err("it is `text` or `json`"),
        }
    }
}

impl Settings {
    /// The effective settings.
    ///
    /// # Errors
    /// An unreadable file, an unknown key, or a value that cannot be, by the setting's name and origin.
    pub(crate) fn load(args: &SettingArgs) -> anyhow::Result<Self> {
        Self::from_layers(&Layers::load(args.file.as_deref(), &args.given)?)
    }

    fn from_layers(layers: &Layers) -> anyhow::Result<Self> {
        let peers = text(layers, "gateway.peers").unwrap_or_default();
        let peers = peers.split(',').map(str::trim).filter(|peer| !peer.is_empty());
        let (listen, admin_listen) = addresses(layers)?;
        let (admin_token, service_token) = tokens(layers)?;
        Ok(Self {
            listen,
            admin_listen,
            data_dir: value(layers, "data_dir")?,
            partitions: partitions(layers)?,
            log_engine: value(layers, "log_engine")?,
            log_generation_bytes: generation_bytes(layers)?,
            restart_grace: Duration::from_millis(value(layers, "restart_grace_ms")?),
            admin_token,
            service_token,
            gateway: Gateway {
                peers: peers.map(|peer| parse(layers, "gateway.peers", peer)).collect::<Result<_, _>>()?,
                reports_payments: value(layers, "gateway.reports_payments")?,
            },
            timeouts: timeouts(layers)?,
            header_read: positive_ms(layers, "timeouts.header_ms")?,
            body_read: positive_ms(layers, "timeouts.body_ms")?,
            connections: api::Connections {
                public: positive(layers, "connections.public")?,
                admin: positive(layers, "connections.admin")?,
            },
            payments: Payments::from_layers(layers)?,
            drain: Duration::from_millis(value(layers, "drain_ms")?),
            log: Logging { filter: value(layers, "log.filter")?, format: value(layers, "log.format")? },
        })
    }
}

/// Two listeners cannot have one address. What only the system can know is met when they are bound.
fn addresses(layers: &Layers) -> anyhow::Result<(SocketAddr, SocketAddr)> {
    let (listen, admin): (SocketAddr, SocketAddr) = (value(layers, "listen")?, value(layers, "admin_listen")?);
    let one_is_all =
        listen.is_ipv4() == admin.is_ipv4() && (listen.ip().is_unspecified() || admin.ip().is_unspecified());
    let same_port = listen.port() == admin.port() && listen.port() != 0;
    anyhow::ensure!(
        !(same_port && (one_is_all || listen.ip() == admin.ip())),
        "the settings `listen` ({listen}) and `admin_listen` ({admin}) are one and the same port: customers and operators \
         are served by two listeners. Give one of them another port; 0 takes any free one"
    );
    Ok((listen, admin))
}

/// Where both are configured. A token from a file of the data directory is compared when that was read.
fn tokens(layers: &Layers) -> anyhow::Result<(Option<Secret>, Option<Secret>)> {
    let (admin, service) = (secret(layers, "admin_token")?, secret(layers, "service_token")?);
    anyhow::ensure!(
        admin.is_none() || admin != service,
        "the settings `admin_token` and `service_token` are the same token: a service would be able to do whatever an \
         operator can. Change one of them, or leave one out to have it generated"
    );
    Ok((admin, service))
}

fn partitions(layers: &Layers) -> anyhow::Result<PartitionCount> {
    let count = u16::try_from(value::<u64>(layers, "partitions")?).ok().and_then(PartitionCount::new);
    count.ok_or_else(|| anyhow::anyhow!("the setting `partitions` is a number from 1 to 256"))
}

/// Whoever was dropped must be able to hear so: callers wait longer than requests may.
fn timeouts(layers: &Layers) -> anyhow::Result<engine::Timeouts> {
    let judge_within = positive_ms(layers, "timeouts.judge_ms")?;
    let answer_within = positive_ms(layers, "timeouts.answer_ms")?;
    anyhow::ensure!(
        judge_within < answer_within,
        "the setting `timeouts.judge_ms` must be less than `timeouts.answer_ms`: a caller whose request was dropped \
         is told so before its own time is over"
    );
    Ok(engine::Timeouts { judge_within, answer_within })
}

fn generation_bytes(layers: &Layers) -> anyhow::Result<u64> {
    let (bytes, allowed) =
        (value(layers, "log_generation_bytes")?, GENERATION_RECORD_BYTES_MIN..=GENERATION_RECORD_BYTES);
    anyhow::ensure!(
        allowed.contains(&bytes),
        "the setting `log_generation_bytes` is a number from {} to {}, not {bytes}",
        allowed.start(),
        allowed.end()
    );
    Ok(bytes)
}

fn positive_ms(layers: &Layers, key: &str) -> anyhow::Result<Duration> {
    let millis = u64::try_from(positive(layers, key)?)?;
    Ok(Duration::from_millis(millis))
}

fn positive(layers: &Layers, key: &str) -> anyhow::Result<usize> {
    let count: usize = value(layers, key)?;
    anyhow::ensure!(count > 0, "the setting `{key}` must be at least 1");
    Ok(count)
}

fn text(layers: &Layers, key: &str) -> Option<String> {
    layers.get(key).map(|(value, _)| value)
}

fn value<T: FromStr<Err: std::fmt::Display>>(layers: &Layers, key: &str) -> anyhow::Result<T> {
    let text = text(layers, key).ok_or_else(|| anyhow::anyhow!("the setting `{key}` has no value"))?;
    parse(layers, key, &text)
}

fn parse<T: FromStr<Err: std::fmt::Display>>(layers: &Layers, key: &str, text: &str) -> anyhow::Result<T> {
    text.parse().map_err(|problem: T::Err| {
        let origin = layers.get(key).map_or("default", |(_, origin)| origin.name());
        let form = table::find(key).and_then(Setting::form);
        let words = form.map_or_else(|| problem.to_string(), str::to_owned);
        anyhow::anyhow!("the setting `{key}` cannot be {text:?} (from the {origin}): {words}")
    })
}

/// Secrets never appear in an error.
fn secret(layers: &Layers, key: &str) -> anyhow::Result<Option<Secret>> {
    let Some(text) = text(layers, key) else { return Ok(None) };
    Secret::parse(&text).map(Some).map_err(|problem| anyhow::anyhow!("the setting `{key}` is refused: {problem}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use layers::{Given, Origin};

    fn load(key: &'static str, value: &str) -> anyhow::Result<Settings> {
        let given = vec![Given { key, value: value.to_owned(), origin: Origin::Environment }];
        Settings::load(&SettingArgs { file: None, given })
    }

    #[test]
    fn callers_wait_longer_than_requests_may_and_nothing_waits_for_no_time() {
        assert!(load("timeouts.judge_ms", "6000").is_err_and(|error| error.to_string().contains("less than")));
        assert!(load("timeouts.header_ms", "0").is_err_and(|error| error.to_string().contains("at least 1")));
        assert!(load("connections.public", "0").is_err());
        assert_eq!(load("timeouts.judge_ms", "100").expect("valid").timeouts.judge_within.as_millis(), 100);
    }

    #[test]
    fn the_defaults_are_settings_that_can_be() {
        let settings = Settings::load(&SettingArgs::default()).expect("it works");
        assert_eq!(settings.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(settings.gateway.peers.len(), 2);
        assert!(settings.admin_token.is_none());
        assert_eq!(settings.log_generation_bytes, GENERATION_RECORD_BYTES);
    }

    #[test]
    fn a_value_that_cannot_be_is_refused_by_name_and_origin() {
        let error = load("listen", "nowhere").expect_err("it is refused").to_string();
        assert!(
            error.contains("`listen`") && error.contains("\"nowhere\"") && error.contains("environment"),
            "{error}"
        );
        assert!(load("partitions", "257").is_err());
        assert!(load("gateway.peers", "10.0.0.0/33").is_err());
        assert!(load("log.format", "xml").is_err());
        for bytes in ["16383", "41943041", "-1", "much"] {
            assert!(
                load("log_generation_bytes", bytes)
                    .is_err_and(|error| error.to_string().contains("log_generation_bytes"))
            );
        }
        assert_eq!(load("log_generation_bytes", "16384").expect("it is one").log_generation_bytes, 16_384);
        let error = load("log_engine", "rocks").expect_err("it is refused").to_string();
        assert!(error.contains("`log_engine`") && error.contains("`sled` or `fjall`"), "{error}");
        assert_eq!(load("log_engine", "fjall").expect("it is one").log_engine, StorageEngine::Fjall);
    }

    #[test]
    fn a_value_that_cannot_be_is_told_what_one_looks_like_and_not_in_programmers_words() {
        let cases = [
            ("listen", "localhost:8080", "names such as localhost are not looked up"),
            ("admin_listen", "9090", "127.0.0.1:8080"),
            ("partitions", "-1", "a whole number"),
            ("partitions", "70000", "from 1 to 256"),
            ("drain_ms", "5s", "a whole number of milliseconds"),
            ("log_generation_bytes", "16k", "a whole number of bytes"),
            ("connections.public", "", "a whole number"),
            ("simulated.enabled", "yes", "`true` or `false`"),
            ("simulated.seed", "x", "a whole number"),
            ("gateway.peers", "10.0.0.0-10.0.0.9", "10.1.0.0/16"),
        ];
        for (key, wrong, words) in cases {
            let error = load(key, wrong).expect_err("it is refused").to_string();
            assert!(error.contains(&format!("`{key}`")) && error.contains(words), "{error}");
            for foreign in ["syntax", "digit", "parse", "target type", "provided string"] {
                assert!(!error.contains(foreign), "{error}");
            }
        }
    }

    fn load_both(first: (&'static str, &str), second: (&'static str, &str)) -> anyhow::Result<Settings> {
        let given = [first, second].map(|(key, value)| Given { key, value: value.to_owned(), origin: Origin::Flag });
        Settings::load(&SettingArgs { file: None, given: given.to_vec() })
    }

    #[test]
    fn two_listeners_on_one_port_are_refused_with_both_settings() {
        for (listen, admin) in [
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("0.0.0.0:80", "127.0.0.1:80"),
            ("192.0.2.1:80", "0.0.0.0:80"),
            ("[::]:80", "[::1]:80"),
        ] {
            let error = load_both(("listen", listen), ("admin_listen", admin)).expect_err("one port").to_string();
            assert!(error.contains("`listen`") && error.contains("`admin_listen`"), "{error}");
        }
        for (listen, admin) in
            [("127.0.0.1:0", "127.0.0.1:0"), ("127.0.0.1:80", "127.0.0.2:80"), ("0.0.0.0:80", "[::1]:80")]
        {
            assert!(load_both(("listen", listen), ("admin_listen", admin)).is_ok(), "{listen} {admin}");
        }
    }

    #[test]
    fn one_token_for_operators_and_services_is_refused_by_the_names_of_both_settings() {
        let token = "0123456789abcdef";
        let error = load_both(("admin_token", token), ("service_token", token)).expect_err("one token").to_string();
        assert!(
            error.contains("`admin_token`") && error.contains("`service_token`") && !error.contains(token),
            "{error}"
        );
    }

    #[test]
    fn gateways_that_are_everybody_are_warned_of() {
        let warning = |peers: &str| load("gateway.peers", peers).expect("valid").gateway.warning();
        for peers in ["0.0.0.0/0", "10.0.0.0/8,::/0"] {
            assert!(warning(peers).is_some_and(|words| words.contains("any customer")), "{peers}");
        }
        for peers in ["127.0.0.0/8,::1/128", "0.0.0.0/1", "::/1", "10.0.0.0/8"] {
            assert_eq!(warning(peers), None, "{peers}");
        }
        let both = load_both(("gateway.peers", "::/0"), ("gateway.reports_payments", "true")).expect("valid");
        assert!(both.gateway.warning().is_some_and(|words| words.contains("report payments")));
    }

    #[test]
    fn a_refused_secret_is_not_repeated_in_the_error() {
        let error = load("admin_token", "hunter2").expect_err("it is refused").to_string();
        assert!(error.contains("`admin_token`") && !error.contains("hunter2"), "{error}");
    }
}
