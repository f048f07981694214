//! Publishes: in order, idempotent, acknowledged by all replicas. A message counts as published when the broker said so.
//!
//! Must not retry by itself out of order (`FutureProducer::send` would): what was not confirmed stays in the outbox.

use super::{BusConfig, BusError};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord, Producer as _};
use std::collections::HashSet;
use std::time::Duration;

/// A message ready for the wire.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// Without the configured prefix.
    pub topic: String,
    /// Its key: all of one key stay in order.
    pub key: String,
    /// Header names and values.
    pub headers: Vec<(String, String)>,
    /// Its bytes.
    pub payload: Vec<u8>,
}

/// Bytes that what we publish may have beyond the largest message that we take in.
const NOTE: usize = 1 << 20;

/// A producer. Cheap to clone.
#[derive(Clone)]
pub struct Publisher {
    producer: FutureProducer,
    config: BusConfig,
}

impl Publisher {
    /// Makes the client; connects when first used.
    ///
    /// # Errors
    /// [`BusError::Config`].
    pub fn new(config: &BusConfig) -> Result<Self, BusError> {
        // A dead letter is the message as it came, and a note of why.
        let max = config.max_message_bytes.saturating_add(NOTE).to_string();
        let client = config.client(&[
            ("enable.idempotence", "true"),
            ("acks", "all"),
            ("compression.type", "zstd"),
            ("linger.ms", "0"),
            ("message.timeout.ms", "60000"),
            ("queue.buffering.max.kbytes", "65536"),
            ("message.max.bytes", &max),
            // Java's, so that a key goes to the same partition whoever produces it.
            ("partitioner", "murmur2_random"),
        ]);
        let producer = client.create().map_err(|e| BusError::Config(e.to_string()))?;
        Ok(Self {
            producer,
            config: config.clone(),
        })
    }

    /// Publishes in order; which of them the broker confirmed. Stops handing over at the first that doesn't fit into the queue. One that
    /// Kafka refuses for itself (it is too large) keeps only those of its own key from going.
    pub async fn publish(&self, messages: &[Outgoing]) -> Vec<bool> {
        let mut reports = Vec::with_capacity(messages.len());
        let mut held_up: HashSet<&str> = HashSet::new();
        for (place, message) in messages.iter().enumerate() {
            if held_up.contains(message.key.as_str()) {
                continue;
            }
            let topic = self.config.topic(&message.topic);
            let mut headers = OwnedHeaders::new_with_capacity(message.headers.len());
            for (key, value) in &message.headers {
                headers = headers.insert(Header {
                    key,
                    value: Some(value),
                });
            }
            let record = FutureRecord::to(&topic)
                .key(&message.key)
                .payload(&message.payload)
                .headers(headers);
            match self.producer.send_result(record) {
                Ok(report) => reports.push((place, report)),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), _)) => break,
                Err((error, _)) => {
                    tracing::error!(error = %error, topic, key = message.key, bytes = message.payload.len(),
                        "Kafka refuses the message; what comes after it under its key waits");
                    held_up.insert(&message.key);
                }
            }
        }
        let mut confirmed = vec![false; messages.len()];
        for (place, report) in reports {
            match report.await {
                Ok(Ok(_)) => confirmed[place] = true,
                Ok(Err((error, _))) => {
                    tracing::warn!(error = %error, "not confirmed; it stays in the outbox")
                }
                Err(_) => {}
            }
        }
        confirmed
    }

    /// Waits for what is in flight. Blocks: at most `patience`.
    ///
    /// # Errors
    /// [`BusError::Refused`] when something is still in flight then.
    pub fn flush(&self, patience: Duration) -> Result<(), BusError> {
        self.producer
            .flush(patience)
            .map_err(|e| BusError::Refused(e.to_string()))
    }
}
