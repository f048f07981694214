//! The outbox: what must be published, in the transaction that made it so.
//!
//! Read by `WHERE published_at IS NULL ORDER BY id`, never by a cursor (ids are dealt at insert and visible at
//! commit). One relay at a time, elected by an advisory lock on a connection of its own: several would reorder a plan's events.

use super::{Conn, Store, StoreError, refused};
use serde_json::Value;
use sqlx::{Postgres, Row, pool::PoolConnection};

/// The advisory lock that makes one relay the relay ("cerelay" in hexadecimal digits of its letters' places).
const RELAY_LOCK: i64 = 0x0063_6572_656c_6179;

/// Something to publish.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Without the configured prefix.
    pub topic: String,
    /// `tenant_id/plan_id`.
    pub key: String,
    /// `ce_id`: deterministic; a second insert of the same one changes nothing.
    pub event_id: String,
    /// The data, or the raw bytes of a dead letter.
    pub body: Body,
    /// Further headers.
    pub headers: Value,
    /// Of the work that made it.
    pub traceparent: Option<String>,
}

/// What a message carries.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// An event or a command.
    Json(Value),
    /// A dead letter, as it came.
    Raw(Vec<u8>),
}

/// A message and its place in the queue.
#[derive(Debug, Clone, PartialEq)]
pub struct Queued {
    /// The outbox row.
    pub id: i64,
    /// When it was written, RFC 3339: `ce_time`.
    pub time: String,
    /// What to publish.
    pub message: Message,
}

/// Writes messages into the outbox, in order.
pub(crate) async fn put(conn: &mut Conn, messages: &[Message]) -> Result<(), StoreError> {
    if messages.is_empty() {
        return Ok(());
    }
    let column = |f: fn(&Message) -> &str| messages.iter().map(f).collect::<Vec<_>>();
    let payloads: Vec<Option<&Value>> = messages
        .iter()
        .map(|m| match &m.body {
            Body::Json(value) => Some(value),
            Body::Raw(_) => None,
        })
        .collect();
    let raws: Vec<Option<&[u8]>> = messages
        .iter()
        .map(|m| match &m.body {
            Body::Json(_) => None,
            Body::Raw(bytes) => Some(bytes.as_slice()),
        })
        .collect();
    let headers: Vec<&Value> = messages.iter().map(|m| &m.headers).collect();
    let traces: Vec<Option<&str>> = messages.iter().map(|m| m.traceparent.as_deref()).collect();
    sqlx::query(
        "-- outbox.put
         INSERT INTO outbox (topic, key, event_id, payload, raw, headers, traceparent)
         SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::jsonb[], $5::bytea[], $6::jsonb[], $7::text[])
         ON CONFLICT (event_id) DO NOTHING",
    )
    .bind(column(|m| &m.topic))
    .bind(column(|m| &m.key))
    .bind(column(|m| &m.event_id))
    .bind(payloads)
    .bind(raws)
    .bind(headers)
    .bind(traces)
    .execute(conn)
    .await
    .map_err(refused("outbox.put"))?;
    Ok(())
}

/// The right to relay, held as long as this lives.
pub struct RelayLock {
    connection: PoolConnection<Postgres>,
}

impl RelayLock {
    /// Whether the lock's connection still lives; without it the lock is lost.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when it does not.
    pub async fn check(&mut self) -> Result<(), StoreError> {
        sqlx::query("-- outbox.lock_check\nSELECT 1")
            .execute(&mut *self.connection)
            .await
            .map_err(refused("outbox.lock_check"))?;
        Ok(())
    }

    /// Gives the lock back.
    pub async fn release(mut self) {
        let released = sqlx::query("-- outbox.unlock\nSELECT pg_advisory_unlock($1)")
            .bind(RELAY_LOCK)
            .execute(&mut *self.connection)
            .await;
        if released.is_err() {
            // The server drops the lock with the connection.
            self.connection.close_on_drop();
        }
    }
}

impl Store {
    /// Tries to become the relay; `None`: another instance is.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn relay_lock(&self) -> Result<Option<RelayLock>, StoreError> {
        let mut connection = self.connection().await?;
        let got: bool = sqlx::query_scalar("-- outbox.lock\nSELECT pg_try_advisory_lock($1)")
            .bind(RELAY_LOCK)
            .fetch_one(&mut *connection)
            .await
            .map_err(refused("outbox.lock"))?;
        if !got {
            return Ok(None);
        }
        // Never handed to anyone else: the pool's next user would hold the lock without knowing.
        connection.close_on_drop();
        Ok(Some(RelayLock { connection }))
    }

    /// The oldest messages that are not published yet.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn unpublished(&self, limit: i64) -> Result<Vec<Queued>, StoreError> {
        let rows = sqlx::query(
            "-- outbox.unpublished
             SELECT id, topic, key, event_id, payload, raw, headers, traceparent,
                    to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')
             FROM outbox WHERE published_at IS NULL ORDER BY id LIMIT $1",
        )
        .bind(limit)
        .fetch_all(self.pool())
        .await
        .map_err(refused("outbox.unpublished"))?;
        Ok(rows
            .into_iter()
            .map(|row| Queued {
                id: row.get(0),
                time: row.get(8),
                message: Message {
                    topic: row.get(1),
                    key: row.get(2),
                    event_id: row.get(3),
                    body: match row.get::<Option<Vec<u8>>, _>(5) {
                        Some(raw) => Body::Raw(raw),
                        None => Body::Json(row.get::<Option<Value>, _>(4).unwrap_or(Value::Null)),
                    },
                    headers: row.get(6),
                    traceparent: row.get(7),
                },
            })
            .collect())
    }

    /// Marks messages whose delivery the broker confirmed.
    ///
    /// # Errors
    /// [`StoreError`]; the messages are then published again, under the same event ids.
    pub async fn published(&self, ids: &[i64]) -> Result<(), StoreError> {
        sqlx::query(
            "-- outbox.published
             UPDATE outbox SET published_at = clock_timestamp() WHERE id = ANY($1) AND published_at IS NULL",
        )
        .bind(ids)
        .execute(self.pool())
        .await
        .map_err(refused("outbox.published"))?;
        Ok(())
    }

    /// How many messages wait, and for how many seconds the oldest has.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn outbox_backlog(&self) -> Result<(i64, f64), StoreError> {
        let row = sqlx::query(
            "-- outbox.backlog
             SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::float8
             FROM outbox WHERE published_at IS NULL",
        )
        .fetch_one(self.pool())
        .await
        .map_err(refused("outbox.backlog"))?;
        Ok((row.get(0), row.get(1)))
    }

    /// Forgets published messages older than this many days; `explain` reads the audit log, not these.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn trim_outbox(&self, days: i32) -> Result<u64, StoreError> {
        let done = sqlx::query(
            "-- outbox.trim
             DELETE FROM outbox WHERE published_at < clock_timestamp() - make_interval(days => $1)",
        )
        .bind(days)
        .execute(self.pool())
        .await
        .map_err(refused("outbox.trim"))?;
        Ok(done.rows_affected())
    }
}
