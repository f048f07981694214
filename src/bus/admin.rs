//! Topics: which must exist, which do, and making those that are missing.
//!
//! Must not make a topic unasked: a misspelt prefix would make a second set of them.

use super::{BusConfig, BusError};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::{Message, Offset, TopicPartitionList};
use std::time::Duration;

/// How long a question to the brokers may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A topic that the service needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSpec {
    /// Without the configured prefix.
    pub name: String,
    /// Kept by key instead of by age.
    pub compacted: bool,
}

/// The names of all topics that there are.
///
/// # Errors
/// [`BusError::Unreachable`].
pub async fn existing(config: &BusConfig) -> Result<Vec<(String, usize)>, BusError> {
    let unreachable = |why: String| BusError::Unreachable {
        servers: config.bootstrap_servers.clone(),
        why,
    };
    let client: BaseConsumer = config
        .client(&[])
        .create()
        .map_err(|e| BusError::Config(e.to_string()))?;
    let asked = tokio::task::spawn_blocking(move || client.fetch_metadata(None, PATIENCE));
    let metadata = asked
        .await
        .map_err(|e| unreachable(e.to_string()))?
        .map_err(|e| unreachable(e.to_string()))?;
    Ok(metadata
        .topics()
        .iter()
        .map(|t| (t.name().to_owned(), t.partitions().len()))
        .collect())
}

/// Refuses when any of these is missing.
///
/// # Errors
/// [`BusError::MissingTopics`], [`BusError::Unreachable`].
pub async fn check(config: &BusConfig, wanted: &[TopicSpec]) -> Result<(), BusError> {
    let there = existing(config).await?;
    let missing: Vec<String> = wanted
        .iter()
        .map(|t| config.topic(&t.name))
        .filter(|name| !there.iter().any(|(n, _)| n == name))
        .collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(BusError::MissingTopics(missing))
    }
}

/// Makes those that are missing; the names of the new ones.
///
/// # Errors
/// [`BusError`].
pub async fn create(
    config: &BusConfig,
    wanted: &[TopicSpec],
    partitions: i32,
    replication: i32,
) -> Result<Vec<String>, BusError> {
    let there = existing(config).await?;
    let names: Vec<(String, bool)> = wanted
        .iter()
        .map(|t| (config.topic(&t.name), t.compacted))
        .filter(|(name, _)| !there.iter().any(|(n, _)| n == name))
        .collect();
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let admin: AdminClient<DefaultClientContext> = config
        .client(&[])
        .create()
        .map_err(|e| BusError::Config(e.to_string()))?;
    let max = config.max_message_bytes.to_string();
    let topics: Vec<NewTopic> = names
        .iter()
        .map(|(name, compacted)| {
            let topic = NewTopic::new(name, partitions, TopicReplication::Fixed(replication))
                .set("max.message.bytes", &max);
            if *compacted {
                topic.set("cleanup.policy", "compact")
            } else {
                topic
            }
        })
        .collect();
    let results = admin
        .create_topics(&topics, &AdminOptions::new().operation_timeout(Some(PATIENCE)))
        .await
        .map_err(|e| BusError::Refused(e.to_string()))?;
    for result in results {
        match result {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((name, code)) => return Err(BusError::Refused(format!("topic {name}: {code}"))),
        }
    }
    let names: Vec<String> = names.into_iter().map(|(name, _)| name).collect();
    wait_until_shown(config, &names).await?;
    Ok(names)
}

/// A broker answers "created" before every broker shows the topic; whoever starts next must find it.
async fn wait_until_shown(config: &BusConfig, names: &[String]) -> Result<(), BusError> {
    let began = tokio::time::Instant::now();
    loop {
        let there = existing(config).await?;
        if names
            .iter()
            .all(|name| there.iter().any(|(n, partitions)| n == name && *partitions > 0))
        {
            return Ok(());
        }
        if began.elapsed() > PATIENCE {
            return Err(BusError::Refused("the new topics do not show in time".to_owned()));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// One message at a place in a topic, as it was published; `None`: there is none (any more).
///
/// # Errors
/// [`BusError`].
pub async fn message_at(
    config: &BusConfig,
    topic: &str,
    partition: i32,
    offset: i64,
) -> Result<Option<super::producer::Outgoing>, BusError> {
    let name = config.topic(topic);
    let plain = topic.to_owned();
    let client: BaseConsumer = config
        .client(&[
            ("group.id", "campaign-execution-replay"),
            ("enable.auto.commit", "false"),
        ])
        .create()
        .map_err(|e| BusError::Config(e.to_string()))?;
    let servers = config.bootstrap_servers.clone();
    let task = tokio::task::spawn_blocking(move || {
        let unreachable = |why: String| BusError::Unreachable {
            servers: servers.clone(),
            why,
        };
        let (low, high) = client
            .fetch_watermarks(&name, partition, PATIENCE)
            .map_err(|e| unreachable(e.to_string()))?;
        if offset < low || offset >= high {
            return Ok(None);
        }
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&name, partition, Offset::Offset(offset))
            .map_err(|e| BusError::Refused(e.to_string()))?;
        client
            .assign(&list)
            .map_err(|e| BusError::Refused(e.to_string()))?;
        match client.poll(PATIENCE) {
            Some(Ok(message)) if message.offset() == offset => {
                let message = message.detach();
                let headers = rdkafka::message::Message::headers(&message).map_or_else(Vec::new, |headers| {
                    use rdkafka::message::Headers;
                    headers
                        .iter()
                        .map(|h| {
                            (
                                h.key.to_owned(),
                                String::from_utf8_lossy(h.value.unwrap_or_default()).into_owned(),
                            )
                        })
                        .collect()
                });
                Ok(Some(super::producer::Outgoing {
                    topic: plain,
                    key: String::from_utf8_lossy(message.key().unwrap_or_default()).into_owned(),
                    headers,
                    payload: message.payload().unwrap_or_default().to_vec(),
                }))
            }
            Some(Ok(_)) => Ok(None),
            Some(Err(error)) => Err(BusError::Refused(error.to_string())),
            None => Err(unreachable("no message came in time".to_owned())),
        }
    });
    task.await.map_err(|e| BusError::Refused(e.to_string()))?
}
