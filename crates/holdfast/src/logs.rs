//! What the program says about itself while it runs: tracing to standard error.

use crate::config::{LogFormat, Logging};
use anyhow::Context;
use std::io::IsTerminal;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::{EnvFilter, fmt};

/// Whose lines are our own: our libraries', the program's, and messages to integrators.
const OURS: [&str; 7] = ["holdfast", "api", "engine", "eventlog", "integrations", "replay", "notifications"];

/// Starts logging.
pub(crate) fn start(logging: &Logging) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(directives(&logging.filter))
        .with_context(|| format!("the setting `log.filter` cannot be {:?}", logging.filter))?;
    let lines = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match logging.format {
        LogFormat::Text => lines.with_ansi(std::io::stderr().is_terminal()).try_init(),
        LogFormat::Json => lines.json().try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("logging cannot be started: {error}"))
}

/// What a filter means. A level alone is for what is ours: whoever looks for a fault of this server has no use for
/// what sled or rustls do inside, so they are told of from warnings on, unless the filter names them.
fn directives(filter: &str) -> String {
    let parts = filter.split(',').map(str::trim).filter(|part| !part.is_empty());
    let (levels, named): (Vec<&str>, Vec<&str>) = parts.partition(|part| part.parse::<LevelFilter>().is_ok());
    // Of several the last one counts, as it does for names.
    let Some(level) = levels.last().and_then(|level| level.parse::<LevelFilter>().ok()) else {
        return filter.to_owned();
    };
    let others = level.min(LevelFilter::WARN).to_string();
    let ours = OURS.map(|target| format!("{target}={level}"));
    [others].into_iter().chain(ours).chain(named.into_iter().map(str::to_owned)).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_alone_is_for_our_own_lines_and_others_are_told_of_from_warnings_on() {
        for level in ["debug", "TRACE", "info"] {
            let directives = directives(level);
            assert!(directives.starts_with("warn,"), "{directives}");
            for target in OURS {
                assert!(directives.contains(&format!(",{target}={}", level.to_lowercase())), "{directives}");
            }
        }
        assert!(directives("error").starts_with("error,"), "what is less than a warning is for all");
        assert!(directives("off").starts_with("off,"));
        EnvFilter::try_new(directives("debug")).expect("a filter");
    }

    #[test]
    fn what_a_filter_names_comes_last_and_counts() {
        assert!(directives("debug,sled=info,engine=trace").ends_with(",sled=info,engine=trace"));
        assert_eq!(directives("engine=debug"), "engine=debug");
        assert!(EnvFilter::try_new(directives("debug,engine=loud")).is_err());
    }
}
