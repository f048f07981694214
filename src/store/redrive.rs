//! Dead letters that are published once more: the message, the note that it was, and the audit entry in one transaction.
//!
//! Must not publish (the relay does) and must not let one letter through twice unasked.

use super::audit::{Entry, Record};
use super::outbox::{self, Message};
use super::{Store, StoreError, audit, commit, refused};
use chrono::{DateTime, Utc};
use serde_json::json;
use sqlx::Row;
use std::collections::HashMap;

/// Where a dead letter lies, and what it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Letter {
    /// Its topic, without the prefix.
    pub topic: String,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// SHA-256 of its bytes, hex.
    pub content: String,
}

/// A dead letter to be published again.
#[derive(Debug, Clone)]
pub struct Redrive {
    /// Which.
    pub letter: Letter,
    /// What goes to its source topic; its event id is completed with how often that was.
    pub message: Message,
    /// Whose audit chain it belongs to.
    pub tenant_id: String,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Although it was before.
    pub force: bool,
    /// RFC 3339: now.
    pub now: String,
}

/// When a letter was last redriven, and how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redriven {
    /// Last.
    pub at: DateTime<Utc>,
    /// By whom.
    pub by: String,
    /// How often.
    pub times: i32,
}

impl Store {
    /// Puts letters on their way again; which of them had been before and were left alone.
    ///
    /// # Errors
    /// [`StoreError`]; none was.
    pub async fn redrive(&self, letters: &[Redrive]) -> Result<Vec<Letter>, StoreError> {
        let mut tx = self.begin().await?;
        let (mut messages, mut records, mut left) = (Vec::new(), Vec::new(), Vec::new());
        for redrive in letters {
            let letter = &redrive.letter;
            let times: Option<i32> = sqlx::query_scalar(
                "-- redrive.note
                 INSERT INTO redrive AS r (topic, partition, \"offset\", content, redriven_by, reason)
                 VALUES ($1, $2, $3, $4, $5, $6)
                 ON CONFLICT (topic, partition, \"offset\", content) DO UPDATE SET times = r.times + 1,
                     redriven_at = clock_timestamp(), redriven_by = excluded.redriven_by, reason = excluded.reason WHERE $7
                 RETURNING times",
            )
            .bind(&letter.topic)
            .bind(letter.partition)
            .bind(letter.offset)
            .bind(&letter.content)
            .bind(&redrive.by)
            .bind(&redrive.reason)
            .bind(redrive.force)
            .fetch_optional(&mut *tx)
            .await
            .map_err(refused("redrive.note"))?;
            let Some(times) = times else {
                left.push(letter.clone());
                continue;
            };
            let mut message = redrive.message.clone();
            message.event_id = format!("{}-{times}", message.event_id);
            records.push(Record {
                tenant_id: redrive.tenant_id.clone(),
                entry: Entry {
                    at: redrive.now.clone(),
                    actor: redrive.by.clone(),
                    action: "dlq.redriven".to_owned(),
                    plan_version: None,
                    leg: None,
                    detail: json!({
                        "from": format!("{}[{}]@{}", letter.topic, letter.partition, letter.offset), "to": message.topic,
                        "times": times, "sha256": letter.content, "reason": redrive.reason,
                    }),
                },
            });
            messages.push(message);
        }
        outbox::put(&mut tx, &messages).await?;
        audit::append(&mut tx, &records).await?;
        commit(tx, "redrive").await?;
        Ok(left)
    }

    /// Which of these letters were redriven already.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn redriven(&self, letters: &[Letter]) -> Result<HashMap<Letter, Redriven>, StoreError> {
        let topics: Vec<&str> = letters.iter().map(|l| l.topic.as_str()).collect();
        let partitions: Vec<i32> = letters.iter().map(|l| l.partition).collect();
        let offsets: Vec<i64> = letters.iter().map(|l| l.offset).collect();
        let contents: Vec<&str> = letters.iter().map(|l| l.content.as_str()).collect();
        let rows = sqlx::query(
            "-- redrive.known
             SELECT r.topic, r.partition, r.\"offset\", r.content, r.redriven_at, r.redriven_by, r.times
             FROM redrive r JOIN unnest($1::text[], $2::int[], $3::bigint[], $4::text[]) AS n (topic, partition, place, content)
                  ON r.topic = n.topic AND r.partition = n.partition AND r.\"offset\" = n.place AND r.content = n.content",
        )
        .bind(topics)
        .bind(partitions)
        .bind(offsets)
        .bind(contents)
        .fetch_all(self.pool())
        .await
        .map_err(refused("redrive.known"))?;
        Ok(rows
            .into_iter()
            .map(|row| {
                let letter = Letter {
                    topic: row.get(0),
                    partition: row.get(1),
                    offset: row.get(2),
                    content: row.get(3),
                };
                let redriven = Redriven {
                    at: row.get(4),
                    by: row.get(5),
                    times: row.get(6),
                };
                (letter, redriven)
            })
            .collect())
    }
}
