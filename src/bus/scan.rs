//! Reading topics through, from what is still there to what is there now, outside of any consumer group.
//!
//! Must not join a group or store an offset: looking changes nothing. Gaps (retention, compaction, transaction marks) are ordinary.

use super::{BusConfig, BusError};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Headers, Message};
use rdkafka::{Offset, TopicPartitionList};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// How long a question to the brokers may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long nothing may come before the brokers count as gone.
const SILENCE: Duration = Duration::from_secs(20);

/// A message as it lies in its topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Without the configured prefix.
    pub topic: String,
    /// Its partition.
    pub partition: i32,
    /// Its place there.
    pub offset: i64,
    /// When it was published, milliseconds since 1970.
    pub timestamp_ms: Option<i64>,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its headers, in order; a null header is empty.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Its bytes; a tombstone has none.
    pub payload: Option<Vec<u8>>,
}

impl Record {
    /// A header's value as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(n, _)| n == name)?;
        std::str::from_utf8(value).ok()
    }

    /// Where it stands: `topic[partition]@offset`.
    #[must_use]
    pub fn place(&self) -> String {
        format!("{}[{}]@{}", self.topic, self.partition, self.offset)
    }
}

/// What part of the topics is read.
#[derive(Debug, Clone, Default)]
pub struct Range {
    /// Only this partition.
    pub partition: Option<i32>,
    /// From this offset on.
    pub from: Option<i64>,
    /// Only this one offset.
    pub only: Option<i64>,
}

/// Reads the topics (without the prefix) through, in each partition's order. Dropping the receiver ends it.
#[must_use]
pub fn read(config: &BusConfig, topics: &[String], range: Range) -> mpsc::Receiver<Result<Record, BusError>> {
    let (into, records) = mpsc::channel(64);
    let (config, topics) = (config.clone(), topics.to_vec());
    tokio::task::spawn_blocking(move || {
        if let Err(error) = through(&config, &topics, &range, &into) {
            let _ = into.blocking_send(Err(error));
        }
    });
    records
}

fn through(
    config: &BusConfig,
    topics: &[String],
    range: &Range,
    into: &mpsc::Sender<Result<Record, BusError>>,
) -> Result<(), BusError> {
    let unreachable = |why: String| BusError::Unreachable {
        servers: config.bootstrap_servers.clone(),
        why,
    };
    let max = config.max_message_bytes.to_string();
    let client: BaseConsumer = config
        .client(&[
            ("group.id", "campaign-execution-look"),
            ("enable.auto.commit", "false"),
            ("enable.partition.eof", "true"),
            ("auto.offset.reset", "earliest"),
            ("queued.max.messages.kbytes", "16384"),
            ("fetch.message.max.bytes", &max),
        ])
        .create()
        .map_err(|e| BusError::Config(e.to_string()))?;
    for topic in topics {
        let name = config.topic(topic);
        let metadata = client
            .fetch_metadata(Some(&name), PATIENCE)
            .map_err(|e| unreachable(e.to_string()))?;
        for partition in metadata.topics().iter().flat_map(|t| t.partitions()) {
            if range.partition.is_some_and(|only| only != partition.id()) {
                continue;
            }
            let (low, high) = ends(&client, &name, partition.id()).map_err(|e| unreachable(e.to_string()))?;
            let from = range.only.or(range.from).unwrap_or(low).max(low);
            let until = range.only.map_or(high, |only| high.min(only + 1));
            // Where retention has taken what was asked for, there is nothing: not the next message instead.
            if from < until && range.only.is_none_or(|only| only >= low) {
                let place = (name.as_str(), partition.id());
                one_partition(config, &client, place, from..until, into)?;
            }
            if into.is_closed() {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Where a partition begins and ends. A partition that is being led by another broker from now on answers a moment later.
fn ends(client: &BaseConsumer, name: &str, partition: i32) -> Result<(i64, i64), KafkaError> {
    let mut tries = 0;
    loop {
        match client.fetch_watermarks(name, partition, PATIENCE) {
            Err(error) if tries < 10 && passes(&error) => {
                tries += 1;
                std::thread::sleep(Duration::from_millis(300));
            }
            ended => return ended,
        }
    }
}

fn passes(error: &KafkaError) -> bool {
    error.rdkafka_error_code().is_some_and(|code| {
        code == RDKafkaErrorCode::NotLeaderForPartition || code == RDKafkaErrorCode::LeaderNotAvailable
    })
}

/// One partition at a time: the note that its end is reached does not name the topic.
fn one_partition(
    config: &BusConfig,
    client: &BaseConsumer,
    (name, partition): (&str, i32),
    offsets: std::ops::Range<i64>,
    into: &mpsc::Sender<Result<Record, BusError>>,
) -> Result<(), BusError> {
    let refused = |e: KafkaError| BusError::Refused(e.to_string());
    let mut list = TopicPartitionList::new();
    list.add_partition_offset(name, partition, Offset::Offset(offsets.start))
        .map_err(refused)?;
    client.assign(&list).map_err(refused)?;
    let mut heard = Instant::now();
    while heard.elapsed() < SILENCE {
        match client.poll(Duration::from_millis(200)) {
            Some(Ok(message)) => {
                heard = Instant::now();
                let offset = message.offset();
                if offset >= offsets.end {
                    return Ok(());
                }
                // A closed receiver has seen enough.
                let enough = into.blocking_send(Ok(copy(config, &message))).is_err();
                if enough || offset + 1 == offsets.end {
                    return Ok(());
                }
            }
            // Behind the last message there may be nothing but gaps and marks.
            Some(Err(KafkaError::PartitionEOF(_))) => return Ok(()),
            Some(Err(error)) => tracing::warn!(error = %error, "Kafka, while reading a topic through"),
            None => {}
        }
    }
    Err(BusError::Unreachable {
        servers: config.bootstrap_servers.clone(),
        why: format!("nothing of {name}[{partition}] came in time"),
    })
}

fn copy(config: &BusConfig, message: &impl Message) -> Record {
    Record {
        topic: message
            .topic()
            .strip_prefix(&config.topic_prefix)
            .unwrap_or(message.topic())
            .to_owned(),
        partition: message.partition(),
        offset: message.offset(),
        timestamp_ms: message.timestamp().to_millis(),
        key: message.key().map(<[u8]>::to_vec),
        headers: message.headers().map_or_else(Vec::new, |headers| {
            headers
                .iter()
                .map(|h| (h.key.to_owned(), h.value.unwrap_or_default().to_vec()))
                .collect()
        }),
        payload: message.payload().map(<[u8]>::to_vec),
    }
}
