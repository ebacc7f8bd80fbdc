//! `holdfast serve`: start, say where, serve, stop.

use crate::config::{self, SettingArgs, Settings};
use crate::crowd::say;
use crate::exit::{Exit, Failure};
use crate::files;
use crate::listeners::{Listeners, introduced};
use crate::logs;
use crate::server::{self, Ended, Running, Token};
use crate::stop::Stop;

/// Serves until a signal comes or the log fails.
pub(crate) async fn run(args: &SettingArgs) -> Result<Exit, Failure> {
    let settings = Settings::load(args).map_err(|error| Failure::new(Exit::Usage, error))?;
    logs::start(&settings.log).map_err(|error| Failure::new(Exit::Usage, error))?;
    for name in config::stray_variables() {
        tracing::warn!(name, "this environment variable is no setting of holdfast");
    }
    if let Some(words) = settings.gateway.warning() {
        tracing::warn!("{words}");
    }
    if let Some(words) = files::raise_limit(settings.connections.public.saturating_add(settings.connections.admin)) {
        tracing::warn!("{words}");
    }
    let mut stop = Stop::listen()?;
    let listeners = Listeners::bind(settings.listen, settings.admin_listen).await?;
    let running = tokio::select! {
        started = server::start(&settings, listeners) => started?,
        _ = stop.first() => return Ok(Exit::Fine),
    };
    introduce(&running);
    let ended = running.ended(&mut stop).await;
    if let Ended::Signal(name) = ended {
        say(&format!("{name}: stopping; requests under way are finished. A second signal ends it at once."));
    }
    stop.end_at_once_on_the_next();
    let stopped = running.stop(ended).await?;
    say(&match stopped.cut_off {
        0 => "Stopped. Every request was answered, and the log is closed.".to_owned(),
        count => format!("Stopped. {count} connections were still busy and were cut off; the log is closed."),
    });
    Ok(Exit::Fine)
}

fn introduce(running: &Running) {
    let at = running.addresses();
    say(&format!("Customers and services: {}", introduced(at.public)));
    say(&format!("Operators:              {}", introduced(at.admin)));
    say(&format!("Data directory:         {}", running.data_dir().display()));
    say(&format!("Operators' token:       {}", whence(running.admin_token())));
    say(&format!("Services' token:        {}", whence(running.service_token())));
    for line in running.report_lines() {
        say(&line);
    }
    say("Ready.");
}

fn whence(token: &Token) -> String {
    match &token.file {
        Some(file) => format!("in {}", file.display()),
        None => "as configured".to_owned(),
    }
}
