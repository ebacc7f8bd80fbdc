//! `holdfast config show`: the effective value of each setting and where it came from. Secrets are masked.

use super::layers::{Layers, Origin};
use super::table::{SETTINGS, Setting};
use super::{SettingArgs, Settings};
use crate::tables;

/// The table, after the same checks that `serve` makes. `strays` are variables that look like ours and are none.
pub(crate) fn show(args: &SettingArgs, strays: &[String]) -> anyhow::Result<String> {
    let layers = Layers::load(args.file.as_deref(), &args.given)?;
    Settings::from_layers(&layers)?;
    let mut table = tables::table(&["key", "value", "from"]);
    for setting in SETTINGS {
        let (value, origin) = shown(setting, layers.get(setting.key));
        let from = match origin {
            Origin::Flag => format!("{} --{}", origin.name(), setting.flag),
            Origin::Environment => format!("{} {}", origin.name(), setting.variable),
            Origin::File | Origin::Default => origin.name().to_owned(),
        };
        table.add_row([setting.key.to_owned(), value, from]);
    }
    let file = match &args.file {
        Some(path) => format!("Configuration file: {}\n", path.display()),
        None => "Configuration file: none (--config FILE or HOLDFAST_CONFIG)\n".to_owned(),
    };
    let strays = match strays {
        [] => String::new(),
        names => format!("These variables are no settings: {}\n", names.join(", ")),
    };
    Ok(format!("{file}{}{strays}", tables::plain(&table)))
}

fn shown(setting: &Setting, found: Option<(String, Origin)>) -> (String, Origin) {
    match found {
        None => (setting.when_none.to_owned(), Origin::Default),
        // A list of secrets may be empty, and then there is none.
        Some((value, origin)) if setting.is_secret && is_empty_list(&value) => (setting.when_none.to_owned(), origin),
        Some((_, origin)) if setting.is_secret => ("********".to_owned(), origin),
        Some(found) => found,
    }
}

fn is_empty_list(value: &str) -> bool {
    value.split(',').all(|part| part.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::layers::Given;

    #[test]
    fn only_tokens_are_said_to_be_generated_and_a_missing_secret_says_what_is_off() {
        let told = |key: &str, value: Option<&str>| {
            let setting = SETTINGS.iter().find(|setting| setting.key == key).expect("it is one");
            shown(setting, value.map(|value| (value.to_owned(), Origin::Environment)))
        };
        for key in ["admin_token", "service_token"] {
            assert_eq!(told(key, None).0, "(generated into the data directory)", "{key}");
        }
        let off = [
            ("webhook.generic_secrets", "/v1/payments/webhooks/generic does not exist"),
            ("webhook.stripe_secrets", "/v1/payments/webhooks/stripe does not exist"),
            ("stripe.secret_key", "no payment"),
        ];
        for (key, words) in off {
            let (value, _) = told(key, None);
            assert!(value.contains("none") && value.contains(words) && !value.contains("generated"), "{key}: {value}");
        }
        assert!(told("webhook.generic_secrets", Some(" , ")).0.contains("does not exist"), "an empty list is none");
        assert_eq!(told("webhook.generic_secrets", Some("0123456789abcdef")).0, "********");
    }

    #[test]
    fn every_setting_is_shown_with_its_origin_and_no_secret_in_clear() {
        let secret = "0123456789abcdef-secret";
        let given = vec![
            Given { key: "admin_token", value: secret.to_owned(), origin: Origin::Flag },
            Given { key: "listen", value: "127.0.0.1:0".to_owned(), origin: Origin::Environment },
        ];
        let shown = show(&SettingArgs { file: None, given }, &[]).expect("it works");
        assert!(!shown.contains(secret));
        for setting in SETTINGS {
            assert!(shown.contains(setting.key), "{}", setting.key);
        }
        let line = |key: &str| shown.lines().find(|line| line.contains(key)).unwrap_or_default().to_owned();
        assert!(line("admin_token").contains("flag --admin-token"), "{shown}");
        assert!(
            line(" listen").contains("127.0.0.1:0") && line(" listen").contains("environment HOLDFAST_LISTEN"),
            "{shown}"
        );
    }
}
