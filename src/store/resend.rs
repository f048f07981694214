//! Alerts that are sent again by a person's word: the row, and the audit entry, in one transaction.
//!
//! Must not send anything (`service::alerts` does), and must not send again what a receiver took.

use super::audit::{Entry, Record};
use super::{Store, StoreError, audit, commit, refused};
use serde_json::json;
use sqlx::Row;

/// One alert, and to whom.
#[derive(Debug, Clone)]
pub struct Resend {
    /// Its id.
    pub id: String,
    /// `[alerts.<receiver>]`: whom its route leads to now.
    pub receiver: String,
}

/// Whose word it is.
#[derive(Debug, Clone)]
pub struct Word {
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// RFC 3339: now.
    pub now: String,
}

impl Store {
    /// Has alerts sent at once that were given up, had nowhere to go, or wait for their next attempt; which of them. What was
    /// delivered, or is being sent at this moment, is left alone.
    ///
    /// # Errors
    /// [`StoreError`]; none is sent.
    pub async fn resend(&self, alerts: &[Resend], word: &Word) -> Result<Vec<String>, StoreError> {
        let ids: Vec<&str> = alerts.iter().map(|a| a.id.as_str()).collect();
        let receivers: Vec<&str> = alerts.iter().map(|a| a.receiver.as_str()).collect();
        let mut tx = self.begin().await?;
        let rows = sqlx::query(
            "-- resend.alerts
             WITH n AS (
                 SELECT a.id, n.receiver, a.state AS was FROM unnest($1::text[], $2::text[]) AS n (id, receiver)
                 JOIN alert a ON a.id = n.id
                 WHERE a.state IN ('given_up', 'no_webhook')
                    OR a.state = 'waiting' AND a.not_before > clock_timestamp()
                       AND (a.lease_until IS NULL OR a.lease_until < clock_timestamp())
                 ORDER BY a.id FOR UPDATE OF a)
             UPDATE alert a SET state = 'waiting', receiver = n.receiver, not_before = clock_timestamp(), lease_until = NULL,
                    done_at = NULL, resent_at = clock_timestamp()
             FROM n WHERE a.id = n.id
             RETURNING a.id, a.tenant_id, a.plan_version, a.route, a.receiver, a.reason, a.attempts, n.was",
        )
        .bind(ids)
        .bind(receivers)
        .fetch_all(&mut *tx)
        .await
        .map_err(refused("resend.alerts"))?;
        let records: Vec<Record> = rows
            .iter()
            .map(|row| Record {
                tenant_id: row.get("tenant_id"),
                entry: Entry {
                    at: word.now.clone(),
                    actor: word.by.clone(),
                    action: "alert.resent".to_owned(),
                    plan_version: row.get("plan_version"),
                    leg: None,
                    detail: json!({
                        "alert": row.get::<String, _>("id"), "route": row.get::<String, _>("route"),
                        "receiver": row.get::<String, _>("receiver"), "of": row.get::<String, _>("reason"),
                        "was": row.get::<String, _>("was"), "attempts": row.get::<i32, _>("attempts"),
                        "reason": word.reason,
                    }),
                },
            })
            .collect();
        audit::append(&mut tx, &records).await?;
        commit(tx, "resend").await?;
        Ok(rows.iter().map(|row| row.get("id")).collect())
    }
}
