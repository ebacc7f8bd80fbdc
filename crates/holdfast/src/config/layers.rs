//! Which value wins: flag > environment > file > default, and a note of where each came from.

use super::table::{self, PREFIX, SETTINGS};
use anyhow::{Context, bail};
use config::{Config, File, FileFormat, Map, Value, ValueKind};
use std::collections::BTreeMap;
use std::path::Path;

/// Where a value came from, weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Origin {
    /// Nobody said anything.
    Default,
    /// The configuration file.
    File,
    /// An environment variable.
    Environment,
    /// A flag.
    Flag,
}

impl Origin {
    /// One word.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::File => "file",
            Self::Environment => "environment",
            Self::Flag => "flag",
        }
    }
}

/// A value from the command line or the environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Given {
    /// Of which setting.
    pub(crate) key: &'static str,
    /// As it was written.
    pub(crate) value: String,
    /// Flag or environment.
    pub(crate) origin: Origin,
}

/// All values after layering, still as text.
#[derive(Debug)]
pub(crate) struct Layers {
    values: Config,
    origins: BTreeMap<&'static str, Origin>,
}

impl Layers {
    /// Reads the file, if one is named, and lays everything on top of the defaults.
    pub(crate) fn load(file: Option<&Path>, given: &[Given]) -> anyhow::Result<Self> {
        let from_file = match file {
            None => Vec::new(),
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .with_context(|| format!("the configuration file {} cannot be read", path.display()))?;
                read_file(&text).with_context(|| format!("the configuration file {} is refused", path.display()))?
            }
        };
        Self::stack(&from_file, given)
    }

    fn stack(from_file: &[Given], given: &[Given]) -> anyhow::Result<Self> {
        let mut values = Config::builder();
        for setting in SETTINGS {
            if let Some(default) = setting.default {
                values = values.set_default(setting.key, default)?;
            }
        }
        // Later overrides win: the file first, then what the environment and the flags say (clap settled those two).
        let mut origins: BTreeMap<_, _> = SETTINGS.iter().map(|setting| (setting.key, Origin::Default)).collect();
        for Given { key, value, origin } in from_file.iter().chain(given) {
            values = values.set_override(*key, value.as_str())?;
            origins.insert(key, *origin);
        }
        Ok(Self { values: values.build()?, origins })
    }

    /// The value of a setting and where it came from.
    pub(crate) fn get(&self, key: &str) -> Option<(String, Origin)> {
        let origin = self.origins.get(key).copied().unwrap_or(Origin::Default);
        Some((self.values.get_string(key).ok()?, origin))
    }
}

/// Every value of a file under its dotted key. An unknown key is refused: a typing mistake must not go unnoticed.
fn read_file(text: &str) -> anyhow::Result<Vec<Given>> {
    let file = Config::builder().add_source(File::from_str(text, FileFormat::Toml)).build()?;
    let mut found = Vec::new();
    flatten("", file.try_deserialize::<Map<String, Value>>()?, &mut found)?;
    Ok(found)
}

fn flatten(prefix: &str, table: Map<String, Value>, found: &mut Vec<Given>) -> anyhow::Result<()> {
    for (name, value) in table {
        let key = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
        match (table::find(&key), value.kind.clone()) {
            (Some(setting), ValueKind::Array(list)) => {
                let parts: Result<Vec<_>, _> = list.into_iter().map(Value::into_string).collect();
                found.push(Given { key: setting.key, value: parts?.join(","), origin: Origin::File });
            }
            (Some(setting), _) => {
                let value = value.into_string().with_context(|| format!("the key `{key}` needs one value"))?;
                found.push(Given { key: setting.key, value, origin: Origin::File });
            }
            (None, ValueKind::Table(inner)) => flatten(&key, inner, found)?,
            (None, _) => bail!("unknown key `{key}`{}", hint(&key)),
        }
    }
    Ok(())
}

fn hint(key: &str) -> String {
    let flat = |text: &str| text.replace(['.', '-', '_'], "");
    let meant = SETTINGS.iter().find(|setting| {
        let same_end = setting.key.rsplit('.').next() == key.rsplit('.').next();
        same_end || flat(setting.key) == flat(key)
    });
    match meant {
        Some(setting) => format!("; did you mean `{}`?", setting.key),
        None => "; `holdfast config show` lists the keys there are".to_owned(),
    }
}

/// Variables that look like ours and are no setting: worth a warning, not an error, because orchestrators set such
/// names too.
pub(crate) fn stray_variables() -> Vec<String> {
    strays_among(std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()))
}

fn strays_among(names: impl Iterator<Item = String>) -> Vec<String> {
    let known =
        |name: &str| super::table::FILE_VARIABLE == name || SETTINGS.iter().any(|setting| setting.variable == name);
    let mut unknown: Vec<_> = names.filter(|name| name.starts_with(PREFIX) && !known(name)).collect();
    unknown.sort();
    unknown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(key: &'static str, value: &str, origin: Origin) -> Given {
        Given { key, value: value.to_owned(), origin }
    }

    #[track_caller]
    fn check(file: &str, more: &[Given], key: &str, expected: (&str, Origin)) {
        let layers = Layers::stack(&read_file(file).expect("it works"), more).expect("it works");
        let (value, origin) = layers.get(key).expect("it works");
        assert_eq!((value.as_str(), origin), expected);
    }

    #[test]
    fn a_flag_or_variable_wins_over_the_file_and_the_file_over_the_default() {
        let flag = given("listen", "127.0.0.1:3", Origin::Flag);
        let variable = given("listen", "127.0.0.1:2", Origin::Environment);
        let file = "listen = '127.0.0.1:1'";
        check("", &[], "listen", ("127.0.0.1:8080", Origin::Default));
        check(file, &[], "listen", ("127.0.0.1:1", Origin::File));
        check(file, &[variable], "listen", ("127.0.0.1:2", Origin::Environment));
        check(file, &[flag], "listen", ("127.0.0.1:3", Origin::Flag));
    }

    #[test]
    fn numbers_booleans_and_lists_may_stand_in_the_file_as_they_are() {
        let file = "partitions = 4\n[gateway]\nreports_payments = true\npeers = ['10.0.0.0/8', '::1']";
        check(file, &[], "partitions", ("4", Origin::File));
        check(file, &[], "gateway.reports_payments", ("true", Origin::File));
        check(file, &[], "gateway.peers", ("10.0.0.0/8,::1", Origin::File));
    }

    #[test]
    fn an_unknown_key_is_refused_by_its_name_with_the_one_that_was_meant() {
        let error = read_file("[gatewy]\npeers = '::1'").expect_err("it is refused").to_string();
        assert_eq!(error, "unknown key `gatewy.peers`; did you mean `gateway.peers`?");
        let error = read_file("lisen = 'x'").expect_err("it is refused").to_string();
        assert!(error.starts_with("unknown key `lisen`;"), "{error}");
    }

    #[test]
    fn variables_that_look_like_ours_and_are_none_are_named() {
        let names = ["HOLDFAST_LISTEN", "HOLDFAST_CONFIG", "HOLDFAST_LISEN", "PATH"].map(str::to_owned);
        assert_eq!(strays_among(names.into_iter()), ["HOLDFAST_LISEN"]);
    }
}
