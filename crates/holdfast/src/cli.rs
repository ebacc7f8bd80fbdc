//! The command line: what can be asked for, and the help that explains it.

use crate::audit::command::{ABOUT as AUDIT_ABOUT, AuditArgs};
use crate::config::{ADDRESS_FORM, SettingArgs};
use crate::exit;
use crate::replaying::{self, ReplayArgs};
use clap::{Args, Parser, Subcommand};
use http::Uri;
use std::net::SocketAddr;
use std::path::PathBuf;

const ABOUT: &str = "\
A flash-sale reservation engine: sells a limited stock to a crowd, exactly once, in order, and can prove it.

Start with `holdfast demo`: it opens a sale, sends ten thousand customers to it over real HTTP, and reads every \
promise back from the log.";

const EXAMPLES: &str = "\
Examples:
  holdfast demo                                       see it work, then play with it
  holdfast serve --data-dir /var/lib/holdfast         run it
  HOLDFAST_LISTEN=127.0.0.1:0 holdfast serve          any free port; the one chosen is printed
  holdfast replay --verify --redecide                 what the log says, with everything checked
  holdfast audit /backup/monday                       every promise recounted from the events alone
  holdfast config show --config holdfast.toml         what would be in effect, and why
";

/// The command line.
#[derive(Debug, Parser)]
#[command(name = "holdfast", version, about = ABOUT, max_term_width = 100)]
#[command(after_help = EXAMPLES, after_long_help = format!("{EXAMPLES}\n{}", exit::HELP))]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What can be asked for.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server until it is told to stop
    #[command(long_about = SERVE_ABOUT, after_long_help = format!("{SERVE_EXAMPLES}\n\n{}", exit::HELP))]
    Serve(SettingArgs),
    /// See it work: a server, a sale, a crowd, and an audit of the log
    #[command(long_about = DEMO_ABOUT, after_long_help = format!("{DEMO_EXAMPLES}\n\n{}", exit::HELP))]
    Demo(DemoArgs),
    /// Send a simulated crowd to a running server
    #[command(long_about = CROWD_ABOUT, after_long_help = format!("{CROWD_EXAMPLES}\n\n{}", exit::HELP))]
    Crowd(Box<CrowdArgs>),
    /// Fold a log again and say what it says: state, hash, invariants, stories, receipts
    #[command(long_about = replaying::ABOUT, after_long_help = format!("{}\n\n{}", replaying::EXAMPLES, exit::HELP))]
    Replay(Box<ReplayArgs>),
    /// Measure this server beside others on this machine
    #[command(long_about = benches::cli::ABOUT)]
    Bench(Box<benches::cli::BenchArgs>),
    /// Recount a log with an auditor that shares no code with the engine
    #[command(long_about = AUDIT_ABOUT, after_long_help = exit::HELP)]
    Audit(AuditArgs),
    /// What the configuration amounts to
    #[command(subcommand)]
    Config(ConfigCommand),
}

/// What can be asked about the configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print the effective value of each setting and where it came from
    #[command(
        long_about = "Print the effective value of each setting and where it came from: flag, environment, file \
                            or default. Secrets are masked. Takes the same flags as `holdfast serve`."
    )]
    Show(SettingArgs),
}

const SERVE_ABOUT: &str = "\
Run the server until it is told to stop.

Every setting can be a flag, an environment variable or a key in a TOML file; a flag wins over a variable, a variable \
over the file, the file over the default. `holdfast config show` prints what is in effect and why.

SIGTERM or SIGINT (Ctrl-C) stops it gracefully: no new requests, those under way are finished, the log is closed. A \
second signal ends it at once; whatever was acknowledged is in the log either way.";

const SERVE_EXAMPLES: &str = "\
Examples:
  holdfast serve --data-dir /var/lib/holdfast
  holdfast serve --listen 0.0.0.0:8080 --gateway-peers 10.0.0.0/8
  curl 'http://127.0.0.1:9090/readyz?verbose'
  curl http://127.0.0.1:9090/v1/admin/items \\
    -H \"Authorization: Bearer $(cat /var/lib/holdfast/admin-token)\"

What is said at the start and at the end goes to standard output, as plain
text; what is logged meanwhile, and why it failed, to standard error.

A file, with all that an ordinary installation needs:
  listen = \"0.0.0.0:8080\"
  data_dir = \"/var/lib/holdfast\"
  [gateway]
  peers = [\"10.0.0.0/8\"]";

const DEMO_ABOUT: &str = "\
See it work: a server on a fresh data directory, a sale, a crowd over real HTTP, and an audit of the log.

First the acceptance test of a flash sale: 100 units and 200 buyers at the same instant. Exactly 100 hold one, 100 are \
refused, and the stock is never below zero. Then a sale of 1,000 iPhones, one per customer: 10,000 customers come, \
many of them try several times at once, pay, cancel, let their holds expire, wait in line and are promoted. An oracle \
checks every answer while it runs; afterwards an audit with rules of its own recounts the log from disk. Then the \
server goes on until Ctrl-C, with commands to try on it.";

const DEMO_EXAMPLES: &str = "\
Examples:
  holdfast demo                     the whole of it, in less than a minute
  holdfast demo --scale 0.1 --exit  a tenth of it, ending with an exit code that says whether all promises were kept
  holdfast demo --seed 7            the same people as the last time with seed 7";

/// The demo's flags.
#[derive(Clone, Debug, Args)]
pub(crate) struct DemoArgs {
    /// A directory for the data; it must be empty or not exist [default: a new one in the temporary directory]
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Where customers are served [default: 127.0.0.1:8080 if free, else any free port]
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub(crate) listen: Option<SocketAddr>,
    /// Where operators are served [default: 127.0.0.1:9090 if free, else any free port]
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub(crate) admin_listen: Option<SocketAddr>,
    /// End after the audit instead of serving on
    #[arg(long)]
    pub(crate) exit: bool,
    /// Multiplies customers and stock of both sales
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = scale)]
    pub(crate) scale: f64,
    /// How many customers come to the second sale
    #[arg(long, value_name = "COUNT", default_value_t = 10_000)]
    pub(crate) customers: usize,
    /// How many units the second sale has
    #[arg(long, value_name = "COUNT", default_value_t = 1_000)]
    pub(crate) stock: u32,
    /// How long a hold lasts in the second sale, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 2_500, value_parser = clap::value_parser!(u64).range(1_000..))]
    pub(crate) hold_time_ms: u64,
    /// Within what time the customers of the second sale come, most of them early, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 4_000)]
    pub(crate) arrive_within_ms: u64,
    /// Draws the same crowd again [default: a new one, printed]
    #[arg(long, value_name = "NUMBER")]
    pub(crate) seed: Option<u64>,
    /// Most connections that the crowd opens
    #[arg(long, value_name = "COUNT", default_value_t = 256, value_parser = connections)]
    pub(crate) connections: usize,
}

const CROWD_ABOUT: &str = "\
Send a simulated crowd to a running server, and check what it answers.

With --admin-target the crowd makes an item of its own and opens its sale; without it, --sku names an item that is on \
sale already (whatever it allows a customer to have is what is checked). Customers need the server to believe their X-Customer-Id: run this from a \
gateway peer (loopback by default). Paying needs the services' token, because only a backend may report payments.

One process plays all customers over a bounded number of connections. Latencies count from the moment a connection is \
free for a request. Ctrl-C calls the crowd off and prints what became of it so far.";

const CROWD_EXAMPLES: &str = "\
Examples:
  holdfast crowd \\
    --target http://127.0.0.1:8080 --admin-target http://127.0.0.1:9090 \\
    --admin-token-file holdfast-data/admin-token \\
    --service-token-file holdfast-data/service-token
  holdfast crowd --target http://127.0.0.1:8080 --sku iphone-15 --customers 500";

/// The crowd's flags.
#[derive(Clone, Debug, Args)]
pub(crate) struct CrowdArgs {
    /// Where the customers go
    #[arg(long, value_name = "URL")]
    pub(crate) target: Uri,
    /// Where the operators are served, to have an item made
    #[arg(long, value_name = "URL")]
    pub(crate) admin_target: Option<Uri>,
    /// The item they want [default: one of their own, named after the seed]
    #[arg(long, value_name = "SKU")]
    pub(crate) sku: Option<String>,
    /// The operators' token
    #[arg(long, value_name = "TOKEN", env = "HOLDFAST_ADMIN_TOKEN", hide_env_values = true)]
    pub(crate) admin_token: Option<String>,
    /// A file with the operators' token
    #[arg(long, value_name = "FILE", conflicts_with = "admin_token")]
    pub(crate) admin_token_file: Option<PathBuf>,
    /// The services' token
    #[arg(long, value_name = "TOKEN", env = "HOLDFAST_SERVICE_TOKEN", hide_env_values = true)]
    pub(crate) service_token: Option<String>,
    /// A file with the services' token
    #[arg(long, value_name = "FILE", conflicts_with = "service_token")]
    pub(crate) service_token_file: Option<PathBuf>,
    /// What the crowd is like.
    #[command(flatten)]
    pub(crate) shape: CrowdShape,
}

/// What a crowd is like.
#[derive(Clone, Debug, Args)]
pub(crate) struct CrowdShape {
    /// How many customers come
    #[arg(long, value_name = "COUNT", default_value_t = 1_000)]
    pub(crate) customers: usize,
    /// How many units the crowd's own item has
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    pub(crate) stock: u32,
    /// How long a hold of the crowd's own item lasts, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 2_500, value_parser = clap::value_parser!(u64).range(1_000..))]
    pub(crate) hold_time_ms: u64,
    /// Within what time they come, most of them early, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 5_000)]
    pub(crate) arrive_within_ms: u64,
    /// Most connections that the crowd opens
    #[arg(long, value_name = "COUNT", default_value_t = 256, value_parser = connections)]
    pub(crate) connections: usize,
    /// Draws the same crowd again [default: a new one, printed]
    #[arg(long, value_name = "NUMBER")]
    pub(crate) seed: Option<u64>,
}

fn address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| ADDRESS_FORM)
}

fn scale(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(factor) if factor > 0.0 && factor <= 100.0 => Ok(factor),
        _ => Err("a factor above 0 and at most 100".to_owned()),
    }
}

fn connections(text: &str) -> Result<usize, String> {
    match text.parse::<usize>() {
        Ok(count) if (1..=10_000).contains(&count) => Ok(count),
        _ => Err("a number from 1 to 10000".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_help_of_serve_names_every_setting_with_its_variable_and_default() {
        let mut command = Cli::command();
        let serve = command.find_subcommand_mut("serve").expect("it works");
        let help = serve.render_long_help().to_string();
        for expected in
            ["--listen", "HOLDFAST_LISTEN", "[default: 127.0.0.1:8080]", "HOLDFAST_GATEWAY_PEERS", "SIGTERM"]
        {
            assert!(help.contains(expected), "{expected} is missing in\n{help}");
        }
    }

    #[test]
    fn a_token_from_the_environment_is_not_shown_in_the_help() {
        let mut command = Cli::command();
        let serve = command.find_subcommand_mut("serve").expect("it works");
        let hidden = |name: &str| serve.get_arguments().any(|arg| arg.get_id() == name && arg.is_hide_env_values_set());
        assert!(hidden("admin_token") && hidden("service_token"));
    }

    #[test]
    fn examples_stay_whole_on_a_narrow_terminal_and_a_command_goes_on_behind_a_backslash() {
        for examples in [SERVE_EXAMPLES, CROWD_EXAMPLES] {
            for (line, next) in examples.lines().zip(examples.lines().skip(1)) {
                assert!(line.len() < 80, "{line}");
                let goes_on = next.starts_with("    -");
                assert_eq!(line.ends_with('\\'), goes_on, "{line}\n{next}");
            }
        }
    }

    #[test]
    fn the_demo_says_what_an_address_looks_like() {
        let error = Cli::try_parse_from(["holdfast", "demo", "--listen", "localhost:80"]).expect_err("a name");
        assert!(error.to_string().contains("not looked up"), "{error}");
    }

    #[test]
    fn nonsense_is_refused() {
        for line in ["holdfast demo --scale 0", "holdfast crowd", "holdfast demo --connections 0", "holdfast fly"] {
            assert!(Cli::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }
}
