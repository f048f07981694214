//! Configuration: the compiled-in defaults, a file, the environment, in this order of strength.
//!
//! Must not accept a key that nobody reads, and must not print a secret.

use secrecy::SecretString;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// The defaults, with what each key means.
pub const DEFAULTS: &str = include_str!("config.default.toml");
/// The file that is read when none is named.
pub const DEFAULT_FILE: &str = "campaign-execution.toml";
/// Before each variable.
const ENV_PREFIX: &str = "CAMPAIGN_EXECUTION__";
/// Tables whose keys are not ours to know.
const OPEN: [&str; 2] = ["kafka.properties", "alerts"];

/// Everything that can be configured.
#[derive(Debug, Clone, Deserialize)]
pub struct Config {
    /// PostgreSQL.
    pub database: Database,
    /// Kafka.
    pub kafka: Kafka,
    /// Health, metrics, API.
    pub http: Http,
    /// Credential files.
    pub credentials: CredentialsDir,
    /// By platform id.
    pub platforms: BTreeMap<String, BaseUrl>,
    /// Google's token endpoint.
    pub google: Google,
    /// GA4.
    pub ga4: Ga4,
    /// Merchant API.
    pub merchant: BaseUrl,
    /// The asset library.
    pub asset_library: AssetLibrary,
    /// Alert routes by name.
    pub alerts: BTreeMap<String, Alert>,
    /// Span export.
    pub otel: Otel,
    /// Logs.
    pub log: Log,
    /// Limits of what is taken in.
    pub intake: IntakeConfig,
    /// The gate.
    pub gate: Gate,
    /// The workers.
    pub worker: Worker,
    /// Deadlines.
    pub sla: Sla,
    /// Stopping.
    pub shutdown: Shutdown,
}

/// PostgreSQL.
#[derive(Debug, Clone, Deserialize)]
pub struct Database {
    /// May hold a password.
    pub url: SecretString,
    /// Of one process.
    pub max_connections: u32,
}

/// Kafka.
#[derive(Debug, Clone, Deserialize)]
pub struct Kafka {
    /// `host:port,…`
    pub bootstrap_servers: String,
    /// Before every topic and group.
    pub topic_prefix: String,
    /// Bytes.
    pub max_message_bytes: usize,
    /// Passed to librdkafka.
    pub properties: BTreeMap<String, SecretString>,
}

/// Health, metrics, API.
#[derive(Debug, Clone, Deserialize)]
pub struct Http {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Bearer tokens; empty: none.
    pub tokens_file: PathBuf,
}

/// Credential files.
#[derive(Debug, Clone, Deserialize)]
pub struct CredentialsDir {
    /// The directory.
    pub dir: PathBuf,
}

/// Something with a base URL.
#[derive(Debug, Clone, Deserialize)]
pub struct BaseUrl {
    /// Ends before the version segment; empty: the vendor's own.
    pub base_url: String,
}

/// Google's token endpoint.
#[derive(Debug, Clone, Deserialize)]
pub struct Google {
    /// The URL.
    pub oauth_token_url: String,
}

/// GA4's two APIs.
#[derive(Debug, Clone, Deserialize)]
pub struct Ga4 {
    /// Admin API.
    pub admin_base_url: String,
    /// Data API.
    pub data_base_url: String,
}

/// The asset library.
#[derive(Debug, Clone, Deserialize)]
pub struct AssetLibrary {
    /// Its base URL.
    pub base_url: String,
    /// Its credential file's name.
    pub credential: String,
}

/// An alert route.
#[derive(Debug, Clone, Deserialize)]
pub struct Alert {
    /// Where alerts of this route go.
    pub webhook_url: SecretString,
}

/// Span export.
#[derive(Debug, Clone, Deserialize)]
pub struct Otel {
    /// Empty: none.
    pub endpoint: String,
}

/// Logs.
#[derive(Debug, Clone, Deserialize)]
pub struct Log {
    /// A tracing filter.
    pub level: String,
    /// `auto`, `text`, `json`.
    pub format: String,
}

/// Limits of what is taken in.
#[derive(Debug, Clone, Deserialize)]
pub struct IntakeConfig {
    /// Bytes unpacked.
    pub max_plan_bytes: usize,
}

/// The gate.
#[derive(Debug, Clone, Deserialize)]
pub struct Gate {
    /// Seconds.
    pub verdict_ttl_s: i64,
    /// Seconds.
    pub recheck_s: u64,
}

/// The workers.
#[derive(Debug, Clone, Deserialize)]
pub struct Worker {
    /// Legs at the same time, per platform.
    pub concurrency: usize,
    /// Seconds.
    pub lease_s: u64,
    /// Seconds.
    pub max_call_s: u64,
}

/// Deadlines.
#[derive(Debug, Clone, Deserialize)]
pub struct Sla {
    /// Seconds.
    pub execution_s: i64,
    /// Seconds.
    pub escalate_s: i64,
}

/// Stopping.
#[derive(Debug, Clone, Deserialize)]
pub struct Shutdown {
    /// Seconds.
    pub deadline_s: u64,
}

/// What is wrong with the configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadConfig {
    /// A file that cannot be read.
    #[error("{path}: {why}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// A key that nobody reads.
    #[error("{origin}: unknown key {key}{}", .nearest.as_ref().map(|n| format!("; did you mean {n}?")).unwrap_or_default())]
    UnknownKey {
        /// The file, or the variable.
        origin: String,
        /// The key.
        key: String,
        /// The known key that is spelled most alike.
        nearest: Option<String>,
    },
    /// A value that does not fit.
    #[error("{key}: {why}")]
    Value {
        /// The key.
        key: String,
        /// What is wrong, without the value where that may be secret.
        why: String,
    },
}

impl Config {
    /// Loads the configuration. `file`: the one that was named; without a name, the default one if it is there.
    ///
    /// # Errors
    /// Everything that is wrong, not only the first.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Vec<BadConfig>> {
        let mut table = defaults();
        let mut known = Vec::new();
        keys(&table, "", &mut known);
        let mut problems = Vec::new();
        if let Some((path, text)) = read(file).map_err(|e| vec![e])? {
            match text.parse::<Table>() {
                Ok(given) => merge(
                    &mut table,
                    given,
                    "",
                    &path.display().to_string(),
                    &known,
                    &mut problems,
                ),
                Err(error) => problems.push(BadConfig::File {
                    path,
                    why: error.message().to_owned(),
                }),
            }
        }
        for (name, value) in environment {
            if let Some(rest) = name.strip_prefix(ENV_PREFIX) {
                set_from_environment(&mut table, &name, rest, &value, &known, &mut problems);
            }
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let config = Self::deserialize(Value::Table(table)).map_err(|error| {
            vec![BadConfig::Value {
                key: "configuration".to_owned(),
                why: error.to_string().trim().replace('\n', " "),
            }]
        })?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), Vec<BadConfig>> {
        let mut problems = Vec::new();
        let mut bad = |key: &str, why: &str| {
            problems.push(BadConfig::Value {
                key: key.to_owned(),
                why: why.to_owned(),
            });
        };
        if !self.http.listen.ip().is_loopback() && self.http.tokens_file.as_os_str().is_empty() {
            bad("http.listen", "listening beyond loopback needs http.tokens_file");
        }
        if self.worker.concurrency == 0 {
            bad("worker.concurrency", "must be at least 1");
        }
        if self.worker.max_call_s == 0 {
            bad("worker.max_call_s", "must be at least 1");
        }
        if self.database.max_connections < 4 {
            bad("database.max_connections", "must be at least 4");
        }
        for (name, url) in self.urls() {
            if !url.is_empty() && !url::Url::parse(&url).is_ok_and(|u| matches!(u.scheme(), "http" | "https"))
            {
                bad(&name, "is not an http(s) URL");
            }
        }
        if !matches!(self.log.format.as_str(), "auto" | "text" | "json") {
            bad("log.format", "must be auto, text or json");
        }
        if problems.is_empty() {
            Ok(())
        } else {
            Err(problems)
        }
    }

    fn urls(&self) -> Vec<(String, String)> {
        let mut urls: Vec<(String, String)> = self
            .platforms
            .iter()
            .map(|(name, p)| (format!("platforms.{name}.base_url"), p.base_url.clone()))
            .collect();
        for (name, url) in [
            ("google.oauth_token_url", &self.google.oauth_token_url),
            ("ga4.admin_base_url", &self.ga4.admin_base_url),
            ("ga4.data_base_url", &self.ga4.data_base_url),
            ("merchant.base_url", &self.merchant.base_url),
            ("asset_library.base_url", &self.asset_library.base_url),
            ("otel.endpoint", &self.otel.endpoint),
        ] {
            urls.push((name.to_owned(), url.clone()));
        }
        urls
    }
}

fn defaults() -> Table {
    // The compiled-in text is parsed by a test; were it broken, every key would be unknown.
    DEFAULTS.parse().unwrap_or_default()
}

fn read(file: Option<&Path>) -> Result<Option<(PathBuf, String)>, BadConfig> {
    let path = file.unwrap_or(Path::new(DEFAULT_FILE)).to_owned();
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Some((path, text))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && file.is_none() => Ok(None),
        Err(error) => Err(BadConfig::File {
            path,
            why: error.to_string(),
        }),
    }
}

/// Every path of a table: `kafka.topic_prefix` …
fn keys(table: &Table, path: &str, into: &mut Vec<String>) {
    for (name, value) in table {
        let path = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        if let Value::Table(inner) = value {
            keys(inner, &path, into);
        }
        into.push(path);
    }
}

fn nearest(key: &str, known: &[String]) -> Option<String> {
    known
        .iter()
        .map(|k| (strsim::damerau_levenshtein(k, key), k))
        .min()
        .filter(|(distance, _)| *distance <= key.len() / 3 + 1)
        .map(|(_, k)| k.clone())
}

fn is_open(path: &str) -> bool {
    OPEN.iter().any(|open| path.starts_with(&format!("{open}.")))
}

fn merge(
    into: &mut Table,
    given: Table,
    path: &str,
    origin: &str,
    known: &[String],
    problems: &mut Vec<BadConfig>,
) {
    for (name, value) in given {
        let key = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        if !known.contains(&key) && !is_open(&key) {
            problems.push(BadConfig::UnknownKey {
                origin: origin.to_owned(),
                nearest: nearest(&key, known),
                key,
            });
            continue;
        }
        match (into.get_mut(&name), value) {
            (Some(Value::Table(inner)), Value::Table(given)) => {
                merge(inner, given, &key, origin, known, problems)
            }
            (_, value) => {
                into.insert(name, value);
            }
        }
    }
}

/// `KAFKA__TOPIC_PREFIX` → kafka.topic_prefix; `_` stands for `-` too. Below an open table the rest is one key, `_` meaning `.`
/// in librdkafka's names.
fn set_from_environment(
    table: &mut Table,
    variable: &str,
    rest: &str,
    value: &str,
    known: &[String],
    problems: &mut Vec<BadConfig>,
) {
    let wanted = rest.to_lowercase().replace("__", ".");
    let same = |k: &&String| k.replace('-', "_") == wanted.replace('-', "_");
    let key = match known.iter().find(same) {
        Some(key) => key.clone(),
        None if wanted.starts_with("kafka.properties.") => {
            let name = wanted.trim_start_matches("kafka.properties.").replace('_', ".");
            return insert(
                table,
                &["kafka", "properties", &name],
                Value::String(value.to_owned()),
            );
        }
        None if is_open(&wanted) => wanted,
        None => {
            let key = wanted;
            let nearest = nearest(&key, known);
            problems.push(BadConfig::UnknownKey {
                origin: format!("environment variable {variable}"),
                key,
                nearest,
            });
            return;
        }
    };
    let path: Vec<&str> = key.split('.').collect();
    let typed = match lookup(table, &path) {
        Some(Value::Integer(_)) => match value.parse() {
            Ok(number) => Value::Integer(number),
            Err(_) => {
                problems.push(BadConfig::Value {
                    key,
                    why: format!("{variable} is not a whole number"),
                });
                return;
            }
        },
        Some(_) | None => Value::String(value.to_owned()),
    };
    insert(table, &path, typed);
}

fn lookup<'t>(table: &'t Table, path: &[&str]) -> Option<&'t Value> {
    let (last, before) = path.split_last()?;
    let mut here = table;
    for name in before {
        here = here.get(*name)?.as_table()?;
    }
    here.get(*last)
}

fn insert(table: &mut Table, path: &[&str], value: Value) {
    let Some((last, before)) = path.split_last() else {
        return;
    };
    let mut here = table;
    for name in before {
        let next = here
            .entry((*name).to_owned())
            .or_insert_with(|| Value::Table(Table::new()));
        match next.as_table_mut() {
            Some(inner) => here = inner,
            None => return,
        }
    }
    here.insert((*last).to_owned(), value);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
            .collect()
    }

    fn file(text: &str) -> tempfile::NamedTempFile {
        use std::io::Write;
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    #[test]
    fn the_defaults_are_a_configuration() {
        let config = Config::load(None, []).unwrap();
        assert_eq!(config.kafka.max_message_bytes, 32 << 20);
        assert_eq!(config.platforms.len(), 4);
    }

    #[test]
    fn the_environment_overrides_the_file_which_overrides_the_defaults() {
        let f = file(
            "[kafka]\ntopic_prefix = \"a.\"\nbootstrap_servers = \"k:1\"\n[kafka.properties]\n\"x.y\" = \"z\"\n[alerts.agency_master]\nwebhook_url = \"https://x.example\"",
        );
        let vars = env(&[
            ("CAMPAIGN_EXECUTION__KAFKA__TOPIC_PREFIX", "b."),
            (
                "CAMPAIGN_EXECUTION__PLATFORMS__GOOGLE_ADS__BASE_URL",
                "http://127.0.0.1:1/google-ads",
            ),
            ("CAMPAIGN_EXECUTION__KAFKA__PROPERTIES__SASL_PASSWORD", "hush"),
            ("CAMPAIGN_EXECUTION__WORKER__CONCURRENCY", "3"),
            ("PATH", "/bin"),
        ]);
        let config = Config::load(Some(f.path()), vars).unwrap();
        assert_eq!(config.kafka.topic_prefix, "b.");
        assert_eq!(config.kafka.bootstrap_servers, "k:1");
        assert_eq!(
            config.platforms["google-ads"].base_url,
            "http://127.0.0.1:1/google-ads"
        );
        assert_eq!(config.worker.concurrency, 3);
        assert!(
            config.kafka.properties.contains_key("sasl.password")
                && config.kafka.properties.contains_key("x.y")
        );
        assert!(config.alerts.contains_key("agency_master"));
        assert!(!format!("{config:?}").contains("hush"), "a secret was printed");
    }

    #[test]
    fn unknown_keys_are_refused_with_the_nearest_name() {
        let f = file("[kafka]\nbootstrap_server = \"k:1\"");
        let problems =
            Config::load(Some(f.path()), env(&[("CAMPAIGN_EXECUTION__DATABASE__URI", "x")])).unwrap_err();
        let text: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert!(
            text[0].ends_with("unknown key kafka.bootstrap_server; did you mean kafka.bootstrap_servers?"),
            "{text:?}"
        );
        assert!(
            text[1].contains("CAMPAIGN_EXECUTION__DATABASE__URI") && text[1].contains("database.url"),
            "{text:?}"
        );
    }

    #[test]
    fn bad_values_say_which_key() {
        for (text, word) in [
            ("[http]\nlisten = \"0.0.0.0:80\"", "tokens_file"),
            ("[http]\nlisten = \"nowhere\"", "listen"),
            (
                "[platforms.meta]\nbase_url = \"ftp://x\"",
                "platforms.meta.base_url",
            ),
            ("[worker]\nconcurrency = 0", "worker.concurrency"),
            ("[worker]\nconcurrency = \"many\"", "concurrency"),
            ("[worker", "expected"),
        ] {
            let f = file(text);
            let problems = Config::load(Some(f.path()), []).unwrap_err();
            assert!(
                problems.iter().any(|p| p.to_string().contains(word)),
                "{text}: {problems:?}"
            );
        }
        assert!(Config::load(Some(Path::new("/nonexistent/x.toml")), []).is_err());
    }
}
