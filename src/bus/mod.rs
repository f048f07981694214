//! Kafka: the only rdkafka besides the demo's embedded broker. At-least-once; who consumes deduplicates on a business key.
//!
//! Must not see `store` or `platform`, and must not store an offset by itself: whoever took a message in does, after its
//! transaction.

pub mod admin;
pub mod consumer;
pub mod producer;
pub mod scan;

use rdkafka::ClientConfig;
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeMap;

/// What every client needs.
#[derive(Clone)]
pub struct BusConfig {
    /// `host:port,…`
    pub bootstrap_servers: String,
    /// Before every topic and consumer group.
    pub topic_prefix: String,
    /// Passed on to librdkafka.
    pub properties: BTreeMap<String, SecretString>,
    /// The largest message, bytes.
    pub max_message_bytes: usize,
}

/// What can go wrong with the bus.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// A property that librdkafka doesn't know, or a client that cannot be made.
    #[error("the Kafka client cannot be made: {0}")]
    Config(String),
    /// The brokers do not answer.
    #[error("Kafka at {servers} does not answer: {why}")]
    Unreachable {
        /// Which.
        servers: String,
        /// Why.
        why: String,
    },
    /// Topics that must exist and don't.
    #[error("{}", missing(.0))]
    MissingTopics(Vec<String>),
    /// The broker refused something.
    #[error("Kafka refused: {0}")]
    Refused(String),
}

/// Which topics are missing: a few by name.
fn missing(topics: &[String]) -> String {
    let named = topics
        .iter()
        .take(3)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    match topics.len() {
        1 => format!("the topic {named} is missing"),
        n @ 2..=3 => format!("{n} topics are missing: {named}"),
        n => format!("{n} topics are missing: {named} and {} more", n - 3),
    }
}

impl BusConfig {
    /// A topic's full name.
    #[must_use]
    pub fn topic(&self, name: &str) -> String {
        format!("{}{name}", self.topic_prefix)
    }

    /// The common part of every client's configuration; `kafka.properties` wins over ours.
    pub(crate) fn client(&self, ours: &[(&str, &str)]) -> ClientConfig {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &self.bootstrap_servers)
            .set("client.id", "campaign-execution")
            .set("socket.keepalive.enable", "true")
            .set("log_level", "4");
        for (key, value) in ours {
            config.set(*key, *value);
        }
        for (key, value) in &self.properties {
            config.set(key, value.expose_secret());
        }
        config
    }
}
