//! The one list of settings. From it come the flags, their environment variables, the keys of the file, the defaults,
//! the help and what `config show` prints, so that none of these can differ from another.

/// One setting.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting {
    /// Its key in the file; a dot means a table.
    pub(crate) key: &'static str,
    /// Its flag, without the dashes.
    pub(crate) flag: &'static str,
    /// Its environment variable.
    pub(crate) variable: &'static str,
    /// Another name of its flag, shorter.
    pub(crate) alias: Option<&'static str>,
    /// What the value is, for `--help`.
    pub(crate) value_name: &'static str,
    /// What it is when nobody says; without one it is optional.
    pub(crate) default: Option<&'static str>,
    /// What follows where it is optional and nobody says, for `config show`.
    pub(crate) when_none: &'static str,
    /// Whether its value must not be shown.
    pub(crate) is_secret: bool,
    /// The heading it stands under in `--help`.
    pub(crate) heading: &'static str,
    /// One line.
    pub(crate) help: &'static str,
    /// The rest of the story, for `--help`.
    pub(crate) more: &'static str,
}

/// What every environment variable of ours begins with.
pub(crate) const PREFIX: &str = "HOLDFAST_";

/// The variable that names the configuration file. It is not a setting: it cannot stand in the file.
pub(crate) const FILE_VARIABLE: &str = "HOLDFAST_CONFIG";

const ADDRESSES: &str = "Addresses";
const DATA: &str = "Data";
const CALLERS: &str = "Who may ask for what";
const LIMITS: &str = "Limits";
const PAYMENTS: &str = "Payments";
const RUNNING: &str = "Running";

/// The names of one setting in the file, as a flag and in the environment. A test holds them together.
type Names = [&'static str; 3];

const fn plain(heading: &'static str, [key, flag, variable]: Names, value_name: &'static str) -> Setting {
    Setting {
        key,
        flag,
        variable,
        alias: None,
        value_name,
        default: None,
        when_none: "(none)",
        is_secret: false,
        heading,
        help: "",
        more: "",
    }
}

/// Every setting of the server.
pub(crate) const SETTINGS: &[Setting] = &[
    Setting {
        default: Some("127.0.0.1:8080"),
        help: "Where customers and services are served",
        more: "Port 0 takes any free port; the address that was chosen is printed.",
        ..plain(ADDRESSES, ["listen", "listen", "HOLDFAST_LISTEN"], "ADDRESS")
    },
    Setting {
        default: Some("127.0.0.1:9090"),
        help: "Where operators are served",
        more: "A listener of its own, so that a gateway cannot reach it by accident. Port 0 works here too.",
        ..plain(ADDRESSES, ["admin_listen", "admin-listen", "HOLDFAST_ADMIN_LISTEN"], "ADDRESS")
    },
    Setting {
        default: Some("holdfast-data"),
        help: "The data directory: log, snapshots, tokens",
        more: "It is created if it does not exist. One process at a time can use it.",
        ..plain(DATA, ["data_dir", "data-dir", "HOLDFAST_DATA_DIR"], "DIR")
    },
    Setting {
        default: Some("1"),
        help: "Into how many partitions a new data directory is divided, 1 to 256",
        more: "Fixed when the data directory is created; each partition has a log and a committer of its own.",
        ..plain(DATA, ["partitions", "partitions", "HOLDFAST_PARTITIONS"], "COUNT")
    },
    Setting {
        alias: Some("log"),
        default: Some("sled"),
        help: "What the log's records lie in until their generation is closed: `sled` or `fjall`",
        more: "It decides what new generations are made with; those that are there are read with what they hold, so \
               it may change at any restart.",
        ..plain(DATA, ["log_engine", "log-engine", "HOLDFAST_LOG_ENGINE"], "ENGINE")
    },
    Setting {
        default: Some("41943040"),
        help: "Bytes of records after which a generation of the log is closed, 16384 to 41943040",
        more: "A closed generation is folded into a snapshot. Smaller ones are more of both: a restart reads less behind \
               its snapshot, and the processors fold more often.",
        ..plain(DATA, ["log_generation_bytes", "log-generation-bytes", "HOLDFAST_LOG_GENERATION_BYTES"], "BYTES")
    },
    Setting {
        default: Some("30000"),
        help: "How long after a restart no hold ends, in milliseconds",
        more: "Customers could not pay while the server was down; this gives them the time back.",
        ..plain(DATA, ["restart_grace_ms", "restart-grace-ms", "HOLDFAST_RESTART_GRACE_MS"], "MS")
    },
    Setting {
        is_secret: true,
        when_none: "(generated into the data directory)",
        help: "The operators' bearer token",
        more: "Without one, a token is generated into DIR/admin-token, readable by you alone. A token given as a flag \
               can be seen in the list of processes; prefer the variable or the file.",
        ..plain(CALLERS, ["admin_token", "admin-token", "HOLDFAST_ADMIN_TOKEN"], "TOKEN")
    },
    Setting {
        is_secret: true,
        when_none: "(generated into the data directory)",
        help: "The bearer token of services, which may report payments",
        more: "Without one, a token is generated into DIR/service-token, readable by you alone.",
        ..plain(CALLERS, ["service_token", "service-token", "HOLDFAST_SERVICE_TOKEN"], "TOKEN")
    },
    Setting {
        default: Some("127.0.0.0/8,::1/128"),
        help: "Networks whose X-Customer-Id is believed, separated by commas",
        more: "The gateway in front vouches for its customers. From anywhere else the header is refused.",
        ..plain(CALLERS, ["gateway.peers", "gateway-peers", "HOLDFAST_GATEWAY_PEERS"], "NETWORKS")
    },
    Setting {
        default: Some("false"),
        help: "Whether gateway peers may report payments without the service token",
        more: "",
        ..plain(
            CALLERS,
            ["gateway.reports_payments", "gateway-reports-payments", "HOLDFAST_GATEWAY_REPORTS_PAYMENTS"],
            "BOOL",
        )
    },
    Setting {
        default: Some("2000"),
        help: "How long a request may wait to be judged, in milliseconds",
        more: "After that it is dropped and answered 503: nothing happened.",
        ..plain(LIMITS, ["timeouts.judge_ms", "timeouts-judge-ms", "HOLDFAST_TIMEOUTS_JUDGE_MS"], "MS")
    },
    Setting {
        default: Some("5000"),
        help: "How long a caller waits for an answer, in milliseconds",
        more: "After that 504: it may have happened, and the same key gets the one answer. Longer than timeouts-judge-ms.",
        ..plain(LIMITS, ["timeouts.answer_ms", "timeouts-answer-ms", "HOLDFAST_TIMEOUTS_ANSWER_MS"], "MS")
    },
    Setting {
        default: Some("10000"),
        help: "How long the head of a request may take, in milliseconds",
        more: "Also how long an idle connection is kept: a gateway should close its own a little earlier.",
        ..plain(LIMITS, ["timeouts.header_ms", "timeouts-header-ms", "HOLDFAST_TIMEOUTS_HEADER_MS"], "MS")
    },
    Setting {
        default: Some("10000"),
        help: "How long the body of a request may take, in milliseconds",
        more: "A slower one is answered 408 and its connection closed.",
        ..plain(LIMITS, ["timeouts.body_ms", "timeouts-body-ms", "HOLDFAST_TIMEOUTS_BODY_MS"], "MS")
    },
    Setting {
        default: Some("16384"),
        help: "How many connections of customers and services there may be",
        more: "More wait in the system's backlog. The limit on open files must allow for it.",
        ..plain(LIMITS, ["connections.public", "connections-public", "HOLDFAST_CONNECTIONS_PUBLIC"], "COUNT")
    },
    Setting {
        default: Some("256"),
        help: "How many connections of operators there may be",
        more: "",
        ..plain(LIMITS, ["connections.admin", "connections-admin", "HOLDFAST_CONNECTIONS_ADMIN"], "COUNT")
    },
    Setting {
        is_secret: true,
        when_none: "(none: /v1/payments/webhooks/generic does not exist)",
        help: "Secrets that generic webhooks are signed with, separated by commas",
        more: "Several during a rotation. Without one, /v1/payments/webhooks/generic does not exist.",
        ..plain(
            PAYMENTS,
            ["webhook.generic_secrets", "webhook-generic-secrets", "HOLDFAST_WEBHOOK_GENERIC_SECRETS"],
            "SECRETS",
        )
    },
    Setting {
        is_secret: true,
        when_none: "(none: /v1/payments/webhooks/stripe does not exist)",
        help: "Signing secrets of Stripe's webhook endpoint (whsec_…), separated by commas",
        more: "Several during a rotation. Without one, /v1/payments/webhooks/stripe does not exist.",
        ..plain(
            PAYMENTS,
            ["webhook.stripe_secrets", "webhook-stripe-secrets", "HOLDFAST_WEBHOOK_STRIPE_SECRETS"],
            "SECRETS",
        )
    },
    Setting {
        is_secret: true,
        when_none: "(none: Stripe is asked for no payment, and for no refund)",
        help: "Stripe's secret key (sk_…): items whose payments.provider is stripe are offered through it",
        more: "Refunds of what Stripe captured go through it too. Without one, operators settle these by hand.",
        ..plain(PAYMENTS, ["stripe.secret_key", "stripe-secret-key", "HOLDFAST_STRIPE_SECRET_KEY"], "KEY")
    },
    Setting {
        default: Some("https://api.stripe.com"),
        help: "Where Stripe is reached",
        more: "Another address is for tests against a stand-in.",
        ..plain(PAYMENTS, ["stripe.base_url", "stripe-base-url", "HOLDFAST_STRIPE_BASE_URL"], "URL")
    },
    Setting {
        default: Some("false"),
        help: "Whether the built-in simulated provider pays for items whose payments.provider is simulated",
        more: "It takes no money and calls back the real webhook route of this server. For trials and demonstrations.",
        ..plain(PAYMENTS, ["simulated.enabled", "simulated-enabled", "HOLDFAST_SIMULATED_ENABLED"], "BOOL")
    },
    Setting {
        default: Some("none"),
        help: "How the simulated provider misbehaves: `none` or `rough`",
        more: "Rough: some payments are declined first, some callbacks come early, late, twice or only after a while.",
        ..plain(PAYMENTS, ["simulated.trouble", "simulated-trouble", "HOLDFAST_SIMULATED_TROUBLE"], "WORD")
    },
    Setting {
        default: Some("1"),
        help: "From which number the simulated provider draws the fate of each order",
        more: "",
        ..plain(PAYMENTS, ["simulated.seed", "simulated-seed", "HOLDFAST_SIMULATED_SEED"], "NUMBER")
    },
    Setting {
        default: Some("false"),
        help: "Whether outgoing webhooks may go to private addresses, and by http",
        more: "Off, so that nobody who may register an endpoint can make this server reach into its own network.",
        ..plain(PAYMENTS, ["notify.allow_private", "notify-allow-private", "HOLDFAST_NOTIFY_ALLOW_PRIVATE"], "BOOL")
    },
    Setting {
        default: Some("5000"),
        help: "How long a stopping server waits for requests under way, in milliseconds",
        more: "",
        ..plain(RUNNING, ["drain_ms", "drain-ms", "HOLDFAST_DRAIN_MS"], "MS")
    },
    Setting {
        default: Some("info"),
        help: "What is logged to standard error, as a tracing filter",
        more: "For example `warn`, `debug` or `info,engine=debug`. A level alone is for what is Holdfast's own; the libraries \
               are told of from `warn` on, unless the filter names them (`debug,sled=info`).",
        ..plain(RUNNING, ["log.filter", "log-filter", "HOLDFAST_LOG_FILTER"], "FILTER")
    },
    Setting {
        default: Some("text"),
        help: "How it is logged: `text` or `json`",
        more: "It counts for what is logged, which goes to standard error. What is said at the start and at the end \
               (addresses, where the tokens are, what was recovered, that it is ready) goes to standard output and is \
               plain text always; so is, on standard error, the failure that ends the program.",
        ..plain(RUNNING, ["log.format", "log-format", "HOLDFAST_LOG_FORMAT"], "FORMAT")
    },
];

/// What an address looks like.
pub(crate) const ADDRESS_FORM: &str =
    "it is an IP address and a port, such as 127.0.0.1:8080 or [::1]:8080; names such as localhost are not looked up";

impl Setting {
    /// What a value looks like, where the type's own words for one that cannot be do not tell.
    pub(crate) fn form(&self) -> Option<&'static str> {
        match self.value_name {
            "ADDRESS" => Some(ADDRESS_FORM),
            "COUNT" => Some("it is a whole number, such as 4"),
            "BYTES" => Some("it is a whole number of bytes, such as 41943040, without a unit"),
            "MS" => Some("it is a whole number of milliseconds, such as 5000, without a unit"),
            "NUMBER" => Some("it is a whole number, such as 7"),
            "BOOL" => Some("it is `true` or `false`"),
            _ => None,
        }
    }
}

/// The setting of this key.
pub(crate) fn find(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_nobody_gave_says_what_follows() {
        for setting in SETTINGS.iter().filter(|setting| setting.is_secret) {
            assert_ne!(setting.when_none, "(none)", "{}", setting.key);
        }
    }

    #[test]
    fn the_three_names_of_a_setting_are_one_name_spelled_in_three_ways() {
        for setting in SETTINGS {
            let words = setting.key.replace('.', "_");
            assert_eq!(setting.flag, words.replace('_', "-"));
            assert_eq!(setting.variable, format!("{PREFIX}{}", words.to_uppercase()));
        }
    }
}
