//! The settings as flags: built from the table, so that each has a flag, a variable and a line of help.

use super::layers::{Given, Origin};
use super::table::{FILE_VARIABLE, SETTINGS, Setting};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};
use std::path::PathBuf;

/// What the command line and the environment say.
#[derive(Clone, Debug, Default)]
pub(crate) struct SettingArgs {
    /// The configuration file, if one is named.
    pub(crate) file: Option<PathBuf>,
    /// Settings given, each with where it came from.
    pub(crate) given: Vec<Given>,
}

const FILE: &str = "config";

impl Args for SettingArgs {
    fn augment_args(command: Command) -> Command {
        let file = Arg::new(FILE)
            .long(FILE)
            .env(FILE_VARIABLE)
            .value_name("FILE")
            .value_parser(clap::value_parser!(PathBuf))
            .help("A TOML file with settings")
            .long_help(
                "A TOML file with settings. Its keys are those that `holdfast config show` prints; an unknown key is \
                 refused. A flag wins over a variable, a variable over the file, the file over the default.",
            );
        SETTINGS.iter().fold(command.arg(file), |command, setting| command.arg(arg(setting)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn arg(setting: &Setting) -> Arg {
    let long_help = [setting.help, setting.more].join(".\n").trim_end_matches(['\n', '.']).to_owned();
    Arg::new(setting.key)
        .long(setting.flag)
        .visible_aliases(setting.alias)
        .env(setting.variable)
        .value_name(setting.value_name)
        .default_value(setting.default)
        .hide_env_values(setting.is_secret)
        .help_heading(setting.heading)
        .help(setting.help)
        .long_help(long_help)
}

impl FromArgMatches for SettingArgs {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut args = Self::default();
        args.update_from_arg_matches(matches)?;
        Ok(args)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.file = matches.get_one::<PathBuf>(FILE).cloned();
        self.given = SETTINGS.iter().filter_map(|setting| given(setting, matches)).collect();
        Ok(())
    }
}

fn given(setting: &Setting, matches: &ArgMatches) -> Option<Given> {
    let origin = match matches.value_source(setting.key)? {
        ValueSource::CommandLine => Origin::Flag,
        ValueSource::EnvVariable => Origin::Environment,
        // Defaults come in once, in the lowest layer.
        _ => return None,
    };
    let value = matches.get_one::<String>(setting.key)?.clone();
    Some(Given { key: setting.key, value, origin })
}
