//! Configuration → clock, store, bus, HTTP, bells: built once, used by every role and every command.
//!
//! Must not start anything by itself.

pub mod roles;

use crate::bus::BusConfig;
use crate::bus::admin::TopicSpec;
use crate::clock::{SharedClock, SystemClock};
use crate::config::Config;
use crate::domain::clock::Limits;
use crate::health::assets::Library;
use crate::health::content;
use crate::outbound::Outbound;
use crate::outbound::webhook::Receiver;
use crate::platform::{self, Platform};
use crate::service::alerts::Receivers;
use crate::service::gate::GateConfig;
use crate::service::poke::Pokes;
use crate::service::worker::WorkerConfig;
use crate::store::Store;
use anyhow::Context;
use secrecy::ExposeSecret;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// What the rest is made of.
#[derive(Clone)]
pub struct Wiring {
    /// The configuration it was built from.
    pub config: Arc<Config>,
    /// The time of day.
    pub clock: SharedClock,
    /// PostgreSQL.
    pub store: Store,
    /// Kafka.
    pub bus: BusConfig,
    /// HTTP and credentials.
    pub outbound: Outbound,
    /// Who rings whom.
    pub pokes: Pokes,
    /// Where assets and their content are.
    pub library: Library,
}

impl Wiring {
    /// Builds it; connects to nothing yet.
    ///
    /// # Errors
    /// When a URL cannot be understood or the TLS roots cannot be loaded.
    pub fn build(config: Config) -> anyhow::Result<Self> {
        let store = Store::open(
            config.database.url.expose_secret(),
            config.database.max_connections,
        )?;
        let outbound = Outbound::new(
            config.credentials.dir.clone(),
            config.google.oauth_token_url.clone(),
        )
        .context("couldn't build the HTTP client")?
        .paced(
            config
                .platforms
                .iter()
                .map(|(name, platform)| (name.clone(), platform.quota_percent))
                .collect(),
        );
        let bus = BusConfig {
            bootstrap_servers: config.kafka.bootstrap_servers.clone(),
            topic_prefix: config.kafka.topic_prefix.clone(),
            properties: config.kafka.properties.clone(),
            max_message_bytes: config.kafka.max_message_bytes,
        };
        let pokes = Pokes::new(platform::all().iter().map(|p| p.name()));
        let library = library(&config, outbound.clone());
        Ok(Self {
            config: Arc::new(config),
            clock: Arc::new(SystemClock),
            store,
            bus,
            outbound,
            pokes,
            library,
        })
    }

    /// Where a platform's API lives.
    #[must_use]
    pub fn base_url(&self, platform: &dyn Platform) -> Arc<str> {
        let configured = self
            .config
            .platforms
            .get(platform.name())
            .map(|p| p.base_url.as_str())
            .unwrap_or_default();
        let url = if configured.is_empty() {
            platform.traits().base_url
        } else {
            configured
        };
        url.trim_end_matches('/').into()
    }

    /// The same for every platform, by id.
    #[must_use]
    pub fn base_urls(&self) -> BTreeMap<String, Arc<str>> {
        platform::all()
            .iter()
            .map(|p| (p.name().to_owned(), self.base_url(p.as_ref())))
            .collect()
    }

    /// The gate's own configuration.
    #[must_use]
    pub fn gate(&self) -> GateConfig {
        let trim = |url: &str| url.trim_end_matches('/').to_owned();
        GateConfig {
            base_urls: self.base_urls(),
            ga4_admin: trim(&self.config.ga4.admin_base_url),
            ga4_data: trim(&self.config.ga4.data_base_url),
            merchant: trim(&self.config.merchant.base_url),
            verdict_ttl_s: self.config.gate.verdict_ttl_s,
            recheck: Duration::from_secs(self.config.gate.recheck_s),
        }
    }

    /// The workers' own configuration.
    #[must_use]
    pub fn worker(&self) -> WorkerConfig {
        WorkerConfig {
            concurrency: self.config.worker.concurrency,
            lease: Duration::from_secs(self.config.worker.lease_s),
            poll: Duration::from_millis(500),
            max_call: Duration::from_secs(self.config.worker.max_call_s),
        }
    }

    /// How long things may take.
    #[must_use]
    pub fn limits(&self) -> Limits {
        let sla = &self.config.sla;
        Limits {
            launch_s: sla.execution_s,
            warn_s: sla.execution_s.saturating_mul(sla.warn_percent) / 100,
            grace_s: sla.escalate_after_s,
            promise_s: sla.escalate_s,
        }
    }

    /// Who can be told by webhook.
    #[must_use]
    pub fn receivers(&self) -> Receivers {
        let all = self.config.alerts.iter().map(|(name, alert)| {
            let credential = match alert.credential.as_str() {
                "" => format!("alert-{name}"),
                named => named.to_owned(),
            };
            let url = alert.webhook_url.clone();
            (name.clone(), Receiver { url, credential })
        });
        Receivers::new(all.collect())
    }

    /// Every topic that the service reads or writes, without the prefix.
    #[must_use]
    pub fn topics() -> Vec<TopicSpec> {
        let plain = |name: String| TopicSpec {
            name,
            compacted: false,
        };
        let mut topics: Vec<TopicSpec> = crate::service::intake::Intake::TOPICS
            .iter()
            .map(|name| TopicSpec {
                name: (*name).to_owned(),
                compacted: *name == "tenant.onboarded",
            })
            .collect();
        topics.extend(
            platform::all()
                .iter()
                .map(|p| plain(format!("launch.{}", p.name()))),
        );
        let dead: Vec<TopicSpec> = topics.iter().map(|t| plain(format!("{}.dlq", t.name))).collect();
        topics.extend(dead);
        topics.extend(
            [
                "campaign.live",
                "campaign.scheduled",
                "execution.blocked",
                "execution.touchpoint",
                "execution.partial_failure",
                "execution.completed",
                "execution.rolled_back",
                "execution.escalated",
            ]
            .map(|name| plain(name.to_owned())),
        );
        topics
    }
}

/// The asset library; what is fetched from it may take up twice the largest content in memory.
fn library(config: &Config, outbound: Outbound) -> Library {
    let settings = &config.asset_library;
    let units = content::units(settings.max_content_bytes).saturating_mul(2);
    Library {
        outbound,
        base_url: settings.base_url.trim_end_matches('/').to_owned(),
        credential: settings.credential.clone(),
        content_hosts: settings.content_hosts.clone(),
        max_content_bytes: settings.max_content_bytes,
        room: Arc::new(Semaphore::new(units as usize)),
    }
}
