//! Configuration: the compiled-in defaults, a file, the environment, in this order of strength.
//!
//! Must not accept a key that nobody reads, and must not print a secret.

mod sources;
#[cfg(test)]
mod tests;

use crate::outbound::webhook::check_url;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use sources::{defaults, keys, librdkafka_names, merge, read, set_from_environment};
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

/// The variables under which every platform is a sandbox's, and unpaced: a sandbox has no quotas unless it is told to.
#[must_use]
pub fn sandboxed(base: &str) -> Vec<(String, String)> {
    let name = |platform: &str| platform.to_uppercase().replace('-', "_");
    crate::platform::all()
        .iter()
        .flat_map(|p| {
            let prefix = format!("{ENV_PREFIX}PLATFORMS__{}", name(p.name()));
            [
                (format!("{prefix}__BASE_URL"), format!("{base}/{}", p.name())),
                (format!("{prefix}__QUOTA_PERCENT"), "1000000".to_owned()),
            ]
        })
        .collect()
}

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
    pub platforms: BTreeMap<String, PlatformConfig>,
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

/// A platform.
#[derive(Debug, Clone, Deserialize)]
pub struct PlatformConfig {
    /// Ends before the version segment; empty: the vendor's own.
    pub base_url: String,
    /// How much of an account's quota this process takes.
    pub quota_percent: u32,
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
    /// Besides its own: hosts, or hosts with a port, from which an asset's content may be fetched.
    pub content_hosts: Vec<String>,
    /// Bytes.
    pub max_content_bytes: u64,
}

/// An alert route.
#[derive(Debug, Clone, Deserialize)]
pub struct Alert {
    /// Where alerts of this route go.
    pub webhook_url: SecretString,
    /// The credential file's name with the secret that signs them; empty: `alert-<route>`.
    #[serde(default)]
    pub credential: String,
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
    /// Of that.
    pub warn_percent: i64,
    /// Seconds.
    pub escalate_s: i64,
    /// Seconds.
    pub escalate_after_s: i64,
    /// Seconds.
    pub alert_give_up_s: i64,
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
                Err(error) => {
                    // Not the error's own Display: it quotes the line, which may hold a secret.
                    let line = error
                        .span()
                        .map(|span| text.get(..span.start).unwrap_or(&text).lines().count().max(1));
                    let place = line.map_or(String::new(), |line| format!("line {line}: "));
                    problems.push(BadConfig::File {
                        path,
                        why: format!("{place}{}", error.message()),
                    });
                }
            }
        }
        librdkafka_names(&mut table, &mut problems);
        // Routes are named by the file: only now is it known which of them a variable means.
        if let Some(Value::Table(routes)) = table.get("alerts") {
            keys(routes, "alerts", &mut known);
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
        for (key, positive) in [
            (
                "platforms.<name>.quota_percent",
                self.platforms.values().all(|p| p.quota_percent > 0),
            ),
            ("worker.concurrency", self.worker.concurrency > 0),
            ("worker.lease_s", self.worker.lease_s > 0),
            ("worker.max_call_s", self.worker.max_call_s > 0),
            ("kafka.max_message_bytes", self.kafka.max_message_bytes > 0),
            ("intake.max_plan_bytes", self.intake.max_plan_bytes > 0),
            (
                "asset_library.max_content_bytes",
                self.asset_library.max_content_bytes > 0,
            ),
            ("gate.recheck_s", self.gate.recheck_s > 0),
            ("sla.execution_s", self.sla.execution_s > 0),
            ("sla.escalate_s", self.sla.escalate_s > 0),
            ("sla.escalate_after_s", self.sla.escalate_after_s > 0),
            ("sla.alert_give_up_s", self.sla.alert_give_up_s > 0),
            ("shutdown.deadline_s", self.shutdown.deadline_s > 0),
        ] {
            if !positive {
                bad(key, "must be at least 1");
            }
        }
        if !(1..=100).contains(&self.sla.warn_percent) {
            bad("sla.warn_percent", "must be from 1 to 100");
        }
        if self.sla.escalate_after_s > self.sla.escalate_s {
            bad("sla.escalate_after_s", "must not be more than sla.escalate_s");
        }
        for (route, alert) in &self.alerts {
            if let Err(why) = check_url(alert.webhook_url.expose_secret()) {
                bad(&format!("alerts.{route}.webhook_url"), why);
            }
        }
        if self.gate.verdict_ttl_s < 0 {
            bad(
                "gate.verdict_ttl_s",
                "must not be negative; 0: verdicts are not shared",
            );
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
