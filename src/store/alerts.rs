//! Alerts: webhooks that wait to be sent, leased like commands; and the counters of what clocks and alerts did.
//!
//! Must not send anything. An alert is written once per step and route, by its key; its delivery is at least once, under one id.

use super::audit::{Entry, Record};
use super::clocks::Escalation;
use super::{Conn, Store, StoreError, audit, commit, refused};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::json;
use sqlx::Row;
use std::time::Duration;

/// A webhook to be sent.
#[derive(Debug, Clone)]
pub struct NewAlert {
    /// The same as its event's `ce_id`.
    pub id: String,
    /// `client`, `agency_master`.
    pub route: String,
    /// `[alerts.<receiver>]`; none: the route has no webhook, and only the event tells of it.
    pub receiver: Option<String>,
    /// What is sent, byte for byte.
    pub body: String,
}

/// An alert that this instance sends now.
#[derive(Debug, Clone)]
pub struct LeasedAlert {
    /// `webhook-id`.
    pub id: String,
    /// Fences the lease.
    pub token: i64,
    /// Whose webhook.
    pub receiver: String,
    /// What is sent.
    pub body: String,
    /// How often it was tried, this time included.
    pub attempts: i32,
    /// Seconds since it was made, or since a person had it sent again.
    pub age_s: f64,
}

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// The receiver took it.
    Delivered,
    /// It did not: again after this long.
    Again {
        /// How long.
        after: Duration,
        /// Why it did not.
        why: String,
    },
    /// It will not be tried again.
    GivenUp {
        /// Why the last attempt failed.
        why: String,
    },
}

/// An alert as people see it.
#[derive(Debug, Clone, Serialize)]
pub struct AlertView {
    /// `webhook-id`, and the event's `ce_id`.
    pub id: String,
    /// The tenant.
    pub tenant_id: String,
    /// The version.
    pub plan_version: String,
    /// `deadline_breached`, `failure`.
    pub reason: String,
    /// `client`, `agency_master`.
    pub route: String,
    /// `[alerts.<receiver>]`; none: the route has no webhook.
    pub receiver: Option<String>,
    /// `waiting`, `delivered`, `given_up`, `no_webhook`.
    pub state: String,
    /// How often it was sent.
    pub attempts: i32,
    /// Seconds until it is sent (again).
    pub due_in_s: Option<f64>,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was delivered, or given up.
    pub done_at: Option<DateTime<Utc>>,
    /// When a person had it sent again, last.
    pub resent_at: Option<DateTime<Utc>>,
}

/// Which alerts.
#[derive(Debug, Clone, Copy, Default)]
pub struct Which<'a> {
    /// Of this tenant.
    pub tenant: Option<&'a str>,
    /// Of this execution.
    pub execution_id: Option<i64>,
    /// Also those that were delivered.
    pub delivered_too: bool,
}

/// Writes alerts down; a second one of the same id changes nothing.
pub(crate) async fn insert(
    conn: &mut Conn,
    what: &Escalation,
    alerts: &[&NewAlert],
    late_in_s: f64,
) -> Result<(), StoreError> {
    let column = |f: fn(&NewAlert) -> &str| alerts.iter().map(|a| f(a)).collect::<Vec<_>>();
    let receivers: Vec<Option<&str>> = alerts.iter().map(|a| a.receiver.as_deref()).collect();
    sqlx::query(
        "-- alerts.insert
         INSERT INTO alert (execution_id, tenant_id, plan_version, reason, promised_at, id, route, receiver, body, state)
         SELECT $1, $2, $3, $4, clock_timestamp() + make_interval(secs => $5), n.*,
                CASE WHEN n.receiver IS NULL THEN 'no_webhook' ELSE 'waiting' END
         FROM unnest($6::text[], $7::text[], $8::text[], $9::text[]) AS n (id, route, receiver, body)
         ON CONFLICT (id) DO NOTHING",
    )
    .bind(what.execution_id)
    .bind(&what.tenant_id)
    .bind(&what.plan_version)
    .bind(what.reason.as_str())
    .bind(late_in_s)
    .bind(column(|a| &a.id))
    .bind(column(|a| &a.route))
    .bind(receivers)
    .bind(column(|a| &a.body))
    .execute(conn)
    .await
    .map_err(refused("alerts.insert"))?;
    Ok(())
}

/// Adds to counters. Comes just before the audit entries of its transaction.
pub(crate) async fn count(conn: &mut Conn, counts: &[(&str, &str, i64)]) -> Result<(), StoreError> {
    // In one order, so that two transactions cannot wait for each other.
    let mut counts = counts.to_vec();
    counts.sort_unstable();
    let names: Vec<&str> = counts.iter().map(|c| c.0).collect();
    let labels: Vec<&str> = counts.iter().map(|c| c.1).collect();
    let by: Vec<i64> = counts.iter().map(|c| c.2).collect();
    sqlx::query(
        "-- alerts.count
         INSERT INTO counter AS c (name, label, count) SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[])
         ON CONFLICT (name, label) DO UPDATE SET count = c.count + excluded.count",
    )
    .bind(names)
    .bind(labels)
    .bind(by)
    .execute(conn)
    .await
    .map_err(refused("alerts.count"))?;
    Ok(())
}

impl Store {
    /// Takes alerts that are due, the longest due first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn lease_alerts(&self, limit: i64, lease: Duration) -> Result<Vec<LeasedAlert>, StoreError> {
        let rows = sqlx::query(
            "-- alerts.lease
             WITH due AS (
                 SELECT id FROM alert WHERE state = 'waiting' AND not_before <= statement_timestamp()
                   AND (lease_until IS NULL OR lease_until < clock_timestamp())
                 ORDER BY not_before LIMIT $1 FOR UPDATE SKIP LOCKED)
             UPDATE alert a SET lease_until = clock_timestamp() + make_interval(secs => $2), lease_token = lease_token + 1,
                    attempts = attempts + 1
             FROM due WHERE a.id = due.id
             RETURNING a.id, a.lease_token, a.receiver, a.body, a.attempts,
                       extract(epoch FROM clock_timestamp() - coalesce(a.resent_at, a.created_at))::float8 AS age_s",
        )
        .bind(limit)
        .bind(lease.as_secs_f64())
        .fetch_all(self.pool())
        .await
        .map_err(refused("alerts.lease"))?;
        Ok(rows
            .into_iter()
            .map(|row| LeasedAlert {
                id: row.get("id"),
                token: row.get("lease_token"),
                receiver: row.get::<Option<String>, _>("receiver").unwrap_or_default(),
                body: row.get("body"),
                attempts: row.get("attempts"),
                age_s: row.get("age_s"),
            })
            .collect())
    }

    /// Writes down what came of an attempt. `false`: the lease was lost; whoever has it now decides.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn settle_alert(
        &self,
        alert: &LeasedAlert,
        sent: &Sent,
        now: &str,
    ) -> Result<bool, StoreError> {
        let (state, after, why) = match sent {
            Sent::Delivered => ("delivered", 0.0, None),
            Sent::Again { after, why } => ("waiting", after.as_secs_f64(), Some(why)),
            Sent::GivenUp { why } => ("given_up", 0.0, Some(why)),
        };
        let mut tx = self.begin().await?;
        let row = sqlx::query(
            "-- alerts.settle
             UPDATE alert SET state = $3, lease_until = NULL, not_before = clock_timestamp() + make_interval(secs => $4),
                    last_error = coalesce($5, last_error), done_at = CASE WHEN $3 <> 'waiting' THEN clock_timestamp() END
             WHERE id = $1 AND lease_token = $2 AND state = 'waiting'
             RETURNING tenant_id, plan_version, route, receiver, reason, attempts,
                       clock_timestamp() > promised_at AS late,
                       extract(epoch FROM clock_timestamp() - created_at)::bigint AS age_s",
        )
        .bind(&alert.id)
        .bind(alert.token)
        .bind(state)
        .bind(after)
        .bind(why)
        .fetch_optional(&mut *tx)
        .await
        .map_err(refused("alerts.settle"))?;
        let Some(row) = row else { return Ok(false) };
        let route: String = row.get("route");
        let mut counts = Vec::new();
        match sent {
            Sent::Delivered => {
                counts.push(("alerts_delivered_total", route.as_str(), 1));
                counts.push(("alert_delivery_seconds_total", "", row.get("age_s")));
                if row.get("late") {
                    counts.push(("alerts_late_total", route.as_str(), 1));
                }
            }
            Sent::Again { .. } => counts.push(("alert_attempts_failed_total", "", 1)),
            Sent::GivenUp { .. } => {
                counts.push(("alert_attempts_failed_total", "", 1));
                counts.push(("alerts_given_up_total", route.as_str(), 1));
            }
        }
        count(&mut tx, &counts).await?;
        if state != "waiting" {
            let record = Record {
                tenant_id: row.get("tenant_id"),
                entry: Entry {
                    at: now.to_owned(),
                    actor: "service".to_owned(),
                    action: format!("alert.{state}"),
                    plan_version: row.get("plan_version"),
                    leg: None,
                    detail: json!({
                        "alert": alert.id, "route": route, "receiver": row.get::<Option<String>, _>("receiver"),
                        "of": row.get::<String, _>("reason"), "attempts": row.get::<i32, _>("attempts"), "error": why,
                    }),
                },
            };
            audit::append(&mut tx, &[record]).await?;
        }
        commit(tx, "alerts.settle").await?;
        Ok(true)
    }

    /// Alerts, the newest first; at most 1,000.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn alerts(&self, which: Which<'_>) -> Result<Vec<AlertView>, StoreError> {
        let rows = sqlx::query(
            "-- alerts.views
             SELECT id, tenant_id, plan_version, reason, route, receiver, state, attempts, last_error, created_at, done_at, resent_at,
                    CASE WHEN state = 'waiting'
                         THEN greatest(extract(epoch FROM not_before - clock_timestamp()), 0)::float8 END AS due_in_s
             FROM alert
             WHERE ($1::text IS NULL OR tenant_id = $1) AND ($2::bigint IS NULL OR execution_id = $2)
               AND ($3 OR state <> 'delivered')
             ORDER BY created_at DESC LIMIT 1000",
        )
        .bind(which.tenant)
        .bind(which.execution_id)
        .bind(which.delivered_too)
        .fetch_all(self.pool())
        .await
        .map_err(refused("alerts.views"))?;
        Ok(rows.iter().map(view).collect())
    }

    /// Alerts whose ids begin so, at most ten.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn alerts_named(&self, beginning: &str) -> Result<Vec<AlertView>, StoreError> {
        let rows = sqlx::query(
            "-- alerts.named
             SELECT id, tenant_id, plan_version, reason, route, receiver, state, attempts, last_error, created_at, done_at, resent_at,
                    CASE WHEN state = 'waiting'
                         THEN greatest(extract(epoch FROM not_before - clock_timestamp()), 0)::float8 END AS due_in_s
             FROM alert WHERE starts_with(id, $1) ORDER BY created_at DESC LIMIT 10",
        )
        .bind(beginning)
        .fetch_all(self.pool())
        .await
        .map_err(refused("alerts.named"))?;
        Ok(rows.iter().map(view).collect())
    }

    /// What clocks and alerts did so far, and what runs and waits now: for the metrics.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn clock_gauges(&self) -> Result<Vec<(String, String, i64)>, StoreError> {
        sqlx::query_as(
            "-- alerts.gauges
             SELECT name, label, count FROM counter
             UNION ALL SELECT 'deadlines_running', step, count(*) FROM clock
                       WHERE due_at IS NOT NULL AND kind = 'launch' AND ended_at IS NULL GROUP BY step
             UNION ALL SELECT 'escalations_due', '', count(*) FROM clock WHERE due_at IS NOT NULL AND kind = 'failure'
             UNION ALL SELECT 'alerts_waiting', route, count(*) FROM alert WHERE state = 'waiting' GROUP BY route
             UNION ALL SELECT 'alert_oldest_seconds', '', coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::bigint
                       FROM alert WHERE state = 'waiting'",
        )
        .fetch_all(self.pool())
        .await
        .map_err(refused("alerts.gauges"))
    }
}

fn view(row: &sqlx::postgres::PgRow) -> AlertView {
    AlertView {
        id: row.get("id"),
        tenant_id: row.get("tenant_id"),
        plan_version: row.get("plan_version"),
        reason: row.get("reason"),
        route: row.get("route"),
        receiver: row.get("receiver"),
        state: row.get("state"),
        attempts: row.get("attempts"),
        due_in_s: row.get("due_in_s"),
        last_error: row.get("last_error"),
        created_at: row.get("created_at"),
        done_at: row.get("done_at"),
        resent_at: row.get("resent_at"),
    }
}
