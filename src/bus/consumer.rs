//! Receives: one plain loop per consumer group. The offset is stored by consuming the delivery, after the transaction.
//!
//! Must not commit synchronously (it has no time-out) and must not exit on an error that librdkafka mends by itself.

use super::{BusConfig, BusError};
use futures::FutureExt;
use rdkafka::consumer::{CommitMode, Consumer, StreamConsumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{Headers, Message};
use rdkafka::types::RDKafkaErrorCode;
use std::sync::Arc;
use std::time::Duration;

/// A message, copied out of librdkafka.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Without the configured prefix.
    pub topic: String,
    /// Its partition.
    pub partition: i32,
    /// Its place there.
    pub offset: i64,
    /// Its key.
    pub key: Option<Vec<u8>>,
    /// Its headers, in order; a null header is empty.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Its bytes; a tombstone has none.
    pub payload: Option<Vec<u8>>,
    full_topic: String,
}

impl Delivery {
    /// A header's value as text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(n, _)| n == name)?;
        std::str::from_utf8(value).ok()
    }

    /// Where it stands, for logs: `topic[partition]@offset`.
    #[must_use]
    pub fn place(&self) -> String {
        format!("{}[{}]@{}", self.full_topic, self.partition, self.offset)
    }
}

/// A member of a consumer group.
pub struct Subscription {
    consumer: Arc<StreamConsumer>,
    prefix: String,
}

impl Subscription {
    /// Joins the group and subscribes.
    ///
    /// # Errors
    /// [`BusError::Config`].
    pub fn join(config: &BusConfig, group: &str, topics: &[String]) -> Result<Self, BusError> {
        let max = config.max_message_bytes.to_string();
        let client = config.client(&[
            ("group.id", &config.topic(group)),
            ("enable.auto.commit", "true"),
            ("auto.commit.interval.ms", "1000"),
            ("enable.auto.offset.store", "false"),
            ("auto.offset.reset", "earliest"),
            ("partition.assignment.strategy", "cooperative-sticky"),
            ("queued.max.messages.kbytes", "16384"),
            ("queued.min.messages", "1000"),
            ("fetch.message.max.bytes", &max),
            ("check.crcs", "true"),
        ]);
        let consumer: StreamConsumer = client.create().map_err(|e| BusError::Config(e.to_string()))?;
        let names: Vec<String> = topics.iter().map(|t| config.topic(t)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        consumer
            .subscribe(&names)
            .map_err(|e| BusError::Config(e.to_string()))?;
        Ok(Self {
            consumer: Arc::new(consumer),
            prefix: config.topic_prefix.clone(),
        })
    }

    /// Waits up to `patience` for a message, then takes what else is already there, up to `most`. Empty: none came.
    pub async fn batch(&self, most: usize, patience: Duration) -> Vec<Delivery> {
        let mut batch = Vec::new();
        if let Ok(first) = tokio::time::timeout(patience, self.one()).await {
            batch.extend(first);
        }
        while !batch.is_empty() && batch.len() < most {
            match self.one().now_or_never() {
                Some(Some(delivery)) => batch.push(delivery),
                Some(None) | None => break,
            }
        }
        batch
    }

    async fn one(&self) -> Option<Delivery> {
        match self.consumer.recv().await {
            Ok(message) => Some(self.copy(&message)),
            Err(error) => {
                // librdkafka reconnects and rejoins by itself; a broken message shows again after a seek.
                tracing::warn!(error = %error, "Kafka consumer");
                tokio::time::sleep(Duration::from_millis(100)).await;
                None
            }
        }
    }

    fn copy(&self, message: &impl Message) -> Delivery {
        let full_topic = message.topic().to_owned();
        let headers = message.headers().map_or_else(Vec::new, |headers| {
            headers
                .iter()
                .map(|h| (h.key.to_owned(), h.value.unwrap_or_default().to_vec()))
                .collect()
        });
        Delivery {
            topic: full_topic
                .strip_prefix(&self.prefix)
                .unwrap_or(&full_topic)
                .to_owned(),
            partition: message.partition(),
            offset: message.offset(),
            key: message.key().map(<[u8]>::to_vec),
            headers,
            payload: message.payload().map(<[u8]>::to_vec),
            full_topic,
        }
    }

    /// Stores the offsets of what was taken in, so that they are not delivered to this group again. The next automatic
    /// commit carries them; a crash before that costs a deduplication hit.
    pub fn done(&self, deliveries: &[Delivery]) {
        for delivery in deliveries {
            // `store_offset` of librdkafka adds the one itself.
            let stored =
                self.consumer
                    .store_offset(&delivery.full_topic, delivery.partition, delivery.offset);
            match stored {
                Ok(()) => {}
                Err(KafkaError::StoreOffset(RDKafkaErrorCode::State)) => {
                    tracing::debug!(
                        place = delivery.place(),
                        "the partition went to another member; it will see this again"
                    );
                }
                Err(error) => {
                    tracing::warn!(error = %error, place = delivery.place(), "couldn't store an offset")
                }
            }
        }
    }

    /// Leaves the group. Closing can block for as long as a broker hangs, so it has a thread of its own and is not waited for
    /// longer than `patience`.
    pub async fn leave(self, patience: Duration) {
        let (done, closed) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            if let Err(error) = self.consumer.commit_consumer_state(CommitMode::Async) {
                tracing::debug!(error = %error, "nothing to commit on leaving");
            }
            drop(self);
            let _ = done.send(());
        });
        if tokio::time::timeout(patience, closed).await.is_err() {
            tracing::warn!("the consumer did not close in time; its session will time out at the broker");
        }
    }
}
