//! Outbox → topics, in order. One relay at a time, elected by a lock in the database; the others stand by.
//!
//! Must not mark a message published before the broker confirmed it, nor publish a message before an earlier one of
//! the same key was confirmed or is in the same batch.

use super::poke::{Pokes, wait};
use crate::bus::producer::{Outgoing, Publisher};
use crate::store::outbox::{Body, Queued, RelayLock};
use crate::store::{Store, StoreError};
use crate::wire;
use serde_json::Value;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The largest batch.
const BATCH: i64 = 500;
/// The longest sleep when nothing is to be published.
const IDLE: Duration = Duration::from_millis(500);
/// How often a stand-by tries to become the relay.
const STAND_BY: Duration = Duration::from_secs(1);

/// The relay.
pub struct Relay {
    /// The truth.
    pub store: Store,
    /// The way out.
    pub publisher: Publisher,
    /// Who rings.
    pub pokes: Pokes,
}

impl Relay {
    /// Relays until stopped.
    pub async fn run(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            match self.store.relay_lock().await {
                Ok(Some(lock)) => self.as_the_relay(lock, &stop).await,
                Ok(None) => {}
                Err(error) => tracing::warn!(error = %error, "couldn't ask for the relay's lock"),
            }
            tokio::select! {
                () = tokio::time::sleep(STAND_BY) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    async fn as_the_relay(&self, mut lock: RelayLock, stop: &CancellationToken) {
        tracing::debug!("this instance is the relay");
        let mut checked = tokio::time::Instant::now();
        loop {
            if checked.elapsed() > Duration::from_secs(1) {
                if let Err(error) = lock.check().await {
                    tracing::warn!(error = %error, "the relay's lock is lost");
                    return;
                }
                checked = tokio::time::Instant::now();
            }
            match self.step().await {
                Ok(0) => {
                    if !wait(&self.pokes.relay, IDLE, stop).await {
                        break;
                    }
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(error = %error, "couldn't relay; trying again");
                    tokio::time::sleep(STAND_BY).await;
                }
            }
            if stop.is_cancelled() {
                break;
            }
        }
        lock.release().await;
    }

    /// Publishes one batch; how many were confirmed.
    ///
    /// # Errors
    /// [`StoreError`]: what was confirmed may be published again, under the same event ids.
    pub async fn step(&self) -> Result<usize, StoreError> {
        let queued = self.store.unpublished(BATCH).await?;
        if queued.is_empty() {
            return Ok(0);
        }
        let outgoing: Vec<Outgoing> = queued.iter().map(outgoing).collect();
        let confirmed = self.publisher.publish(&outgoing).await;
        let ids: Vec<i64> = queued
            .iter()
            .zip(&confirmed)
            .filter(|(_, ok)| **ok)
            .map(|(q, _)| q.id)
            .collect();
        if !ids.is_empty() {
            self.store.published(&ids).await?;
        }
        if ids.len() < queued.len() {
            tracing::warn!(
                unconfirmed = queued.len() - ids.len(),
                "the broker did not confirm all; they stay in the outbox"
            );
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Ok(ids.len())
    }
}

fn outgoing(queued: &Queued) -> Outgoing {
    let message = &queued.message;
    let mut headers = match &message.body {
        Body::Json(_) => {
            wire::cloud_event_headers(&message.topic, &message.event_id, &message.key, &queued.time)
        }
        // A dead letter keeps its bytes and its own headers.
        Body::Raw(_) => Vec::new(),
    };
    if let Some(extra) = message.headers.as_object() {
        headers.extend(
            extra
                .iter()
                .map(|(n, v)| (n.clone(), v.as_str().unwrap_or_default().to_owned())),
        );
    }
    if let Some(trace) = &message.traceparent {
        headers.push(("traceparent".to_owned(), trace.clone()));
    }
    Outgoing {
        topic: message.topic.clone(),
        key: message.key.clone(),
        headers,
        payload: match &message.body {
            Body::Json(value) => {
                serde_json::to_vec(value).unwrap_or_else(|_| Value::Null.to_string().into_bytes())
            }
            Body::Raw(bytes) => bytes.clone(),
        },
    }
}
