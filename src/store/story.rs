//! What `explain` tells besides the audit log: messages, people, pauses.
//!
//! Must not be used to decide anything.

use super::{Store, StoreError, refused};
use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::Row;

/// A command or an event about a plan version.
#[derive(Debug, Clone)]
pub struct Message {
    /// Without the configured prefix.
    pub topic: String,
    /// Its data.
    pub data: Value,
    /// When it was written.
    pub at: DateTime<Utc>,
    /// It is on Kafka.
    pub published: bool,
}

/// A place where a person must act, or had to.
#[derive(Debug, Clone)]
pub struct Person {
    /// `launch_approval` …
    pub kind: String,
    /// `platform/key`, if it is about one leg.
    pub leg: Option<String>,
    /// For a person; empty: a decision that nobody had asked for yet.
    pub what_to_do: String,
    /// Since when.
    pub opened_at: DateTime<Utc>,
    /// Until when.
    pub resolved_at: Option<DateTime<Utc>>,
    /// How.
    pub resolution: Option<String>,
    /// By whom.
    pub resolved_by: Option<String>,
}

/// A pause of the tenant.
#[derive(Debug, Clone)]
pub struct Pause {
    /// Since when.
    pub at: DateTime<Utc>,
    /// By whom.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Until when.
    pub lifted_at: Option<DateTime<Utc>>,
    /// By whom.
    pub lifted_by: Option<String>,
    /// Why.
    pub lifted_reason: Option<String>,
}

impl Store {
    /// Messages about a plan version that are not forgotten yet, oldest first; at most 10,000.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn messages_of(&self, key: &str, plan_version: &str) -> Result<Vec<Message>, StoreError> {
        let rows = sqlx::query(
            "-- story.messages
             SELECT topic, payload, created_at, published_at IS NOT NULL AS published FROM outbox
             WHERE key = $1 AND payload ->> 'plan_version' = $2 ORDER BY id LIMIT 10000",
        )
        .bind(key)
        .bind(plan_version)
        .fetch_all(self.pool())
        .await
        .map_err(refused("story.messages"))?;
        Ok(rows
            .into_iter()
            .map(|row| Message {
                topic: row.get("topic"),
                data: row.get("payload"),
                at: row.get("created_at"),
                published: row.get("published"),
            })
            .collect())
    }

    /// Where people had to act on an execution, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn people_of(&self, execution_id: i64) -> Result<Vec<Person>, StoreError> {
        let rows = sqlx::query(
            "-- story.people
             SELECT p.kind, l.platform || '/' || l.logical_campaign_key AS leg, p.what_to_do, p.opened_at, p.resolved_at,
                    p.resolution, p.resolved_by
             FROM touchpoint p LEFT JOIN leg l ON l.id = p.leg_id WHERE p.execution_id = $1 ORDER BY p.opened_at, p.id",
        )
        .bind(execution_id)
        .fetch_all(self.pool())
        .await
        .map_err(refused("story.people"))?;
        Ok(rows
            .into_iter()
            .map(|row| Person {
                kind: row.get("kind"),
                leg: row.get("leg"),
                what_to_do: row.get("what_to_do"),
                opened_at: row.get("opened_at"),
                resolved_at: row.get("resolved_at"),
                resolution: row.get("resolution"),
                resolved_by: row.get("resolved_by"),
            })
            .collect())
    }

    /// Pauses of a tenant that reached into the time since then, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn pauses_since(&self, tenant: &str, since: DateTime<Utc>) -> Result<Vec<Pause>, StoreError> {
        let rows = sqlx::query(
            "-- story.pauses
             SELECT paused_at, paused_by, reason, lifted_at, lifted_by, lifted_reason FROM tenant_pause
             WHERE tenant_id = $1 AND coalesce(lifted_at, 'infinity') >= $2 ORDER BY paused_at",
        )
        .bind(tenant)
        .bind(since)
        .fetch_all(self.pool())
        .await
        .map_err(refused("story.pauses"))?;
        Ok(rows
            .into_iter()
            .map(|row| Pause {
                at: row.get("paused_at"),
                by: row.get("paused_by"),
                reason: row.get("reason"),
                lifted_at: row.get("lifted_at"),
                lifted_by: row.get("lifted_by"),
                lifted_reason: row.get("lifted_reason"),
            })
            .collect())
    }
}
