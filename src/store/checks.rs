//! Executions to be compared with the platforms because their message came again: when that is due, and what came of it.
//!
//! Marking costs a redelivery nothing: it is part of the update that it makes anyway, and however many come, one comparison
//! follows. Must not compare (`service::checks` does) and must not send anything to a platform.

use super::audit::{Entry, Record};
use super::moves::Compose;
use super::touchpoints::{self, Scope, Settling};
use super::{Conn, Store, StoreError, audit, commit, refused};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::Row;
use std::time::Duration;

/// An execution to be compared, leased.
#[derive(Debug, Clone)]
pub struct CheckJob {
    /// Its row.
    pub execution_id: i64,
    /// The tenant.
    pub tenant_id: String,
    /// The version.
    pub plan_version: String,
    /// Fences the lease.
    pub lease: DateTime<Utc>,
    /// What was published about it when the look began: if that has changed, the look is out of date.
    pub revision: i64,
    /// Looks so far that did not end it.
    pub tries: i32,
}

/// What a look found.
#[derive(Debug, Clone)]
pub struct CheckFound {
    /// What a person is asked to do about the differences; none: there are none.
    pub ask: Option<String>,
    /// For the audit log.
    pub detail: Value,
    /// When to look again; none: it is done.
    pub again_in: Option<Duration>,
    /// Every leg was seen. Else nothing is resolved by it.
    pub complete: bool,
}

impl Store {
    /// Leases executions that are due, are at rest, and are not under a pause.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn lease_checks(&self, limit: i64, lease: Duration) -> Result<Vec<CheckJob>, StoreError> {
        let rows = sqlx::query(
            "-- checks.lease
             WITH due AS (
                 SELECT e.id FROM execution e
                 WHERE e.check_at <= clock_timestamp() AND (e.check_lease IS NULL OR e.check_lease < clock_timestamp())
                   AND e.settled IS NOT NULL AND e.gate = 'open' AND NOT is_superseded(e.superseded_by)
                   AND e.saga ->> 'direction' = 'forward'
                   AND NOT EXISTS (SELECT FROM tenant_pause p WHERE p.tenant_id = e.tenant_id AND p.lifted_at IS NULL)
                   AND NOT EXISTS (SELECT FROM leg l WHERE l.execution_id = e.id AND l.hold IS NOT NULL)
                 ORDER BY e.check_at LIMIT $1 FOR UPDATE OF e SKIP LOCKED)
             UPDATE execution e SET check_lease = clock_timestamp() + make_interval(secs => $2)
             FROM due WHERE e.id = due.id
             RETURNING e.id, e.tenant_id, e.plan_version, e.check_lease, e.revision, e.check_tries",
        )
        .bind(limit)
        .bind(lease.as_secs_f64())
        .fetch_all(self.pool())
        .await
        .map_err(refused("checks.lease"))?;
        Ok(rows
            .into_iter()
            .map(|row| CheckJob {
                execution_id: row.get("id"),
                tenant_id: row.get("tenant_id"),
                plan_version: row.get("plan_version"),
                lease: row.get("check_lease"),
                revision: row.get("revision"),
                tries: row.get("check_tries"),
            })
            .collect())
    }

    /// Writes down what a look found: a touchpoint is opened, brought up to date, or resolved. `false`: the execution has moved
    /// since, or somebody else looks; nothing was written.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn record_check(
        &self,
        compose: &dyn Compose,
        job: &CheckJob,
        found: &CheckFound,
        now: &str,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let held = sqlx::query(
            "-- checks.record
             UPDATE execution SET check_lease = NULL, checked_at = clock_timestamp(),
                    check_at = clock_timestamp() + make_interval(secs => $4),
                    check_tries = CASE WHEN $4 IS NULL THEN 0 ELSE check_tries + 1 END
             WHERE id = $1 AND check_lease = $2 AND revision = $3 AND settled IS NOT NULL AND gate = 'open'
               AND NOT is_superseded(superseded_by)",
        )
        .bind(job.execution_id)
        .bind(job.lease)
        .bind(job.revision)
        .bind(found.again_in.map(|again| again.as_secs_f64()))
        .execute(&mut *tx)
        .await
        .map_err(refused("checks.record"))?;
        if held.rows_affected() != 1 {
            sqlx::query(
                "-- checks.out_of_date\nUPDATE execution SET check_lease = NULL WHERE id = $1 AND check_lease = $2",
            )
            .bind(job.execution_id)
            .bind(job.lease)
            .execute(&mut *tx)
            .await
            .map_err(refused("checks.out_of_date"))?;
            commit(tx, "checks.record").await?;
            return Ok(false);
        }
        let changed = tell(&mut tx, compose, job.execution_id, found).await?;
        // The first look after a message is told in any case; those that follow by themselves, when something has changed.
        if changed || job.tries == 0 {
            let record = Record {
                tenant_id: job.tenant_id.clone(),
                entry: Entry {
                    at: now.to_owned(),
                    actor: "service".to_owned(),
                    action: "drift.checked".to_owned(),
                    plan_version: Some(job.plan_version.clone()),
                    leg: None,
                    detail: found.detail.clone(),
                },
            };
            audit::append(&mut tx, &[record]).await?;
        }
        commit(tx, "checks.record").await?;
        Ok(true)
    }
}

/// Opens, brings up to date or resolves; whether that changed what a person is asked.
async fn tell(
    conn: &mut Conn,
    compose: &dyn Compose,
    execution_id: i64,
    found: &CheckFound,
) -> Result<bool, StoreError> {
    if let Some(ask) = &found.ask {
        return touchpoints::ask_about_drift(conn, compose, execution_id, ask.clone()).await;
    }
    if !found.complete {
        return Ok(false);
    }
    let settling = Settling {
        executions: &[execution_id],
        scope: Scope::Drift,
        how: "mended",
        by: "service",
        reason: Some("the platforms hold what the manifest says"),
    };
    Ok(touchpoints::settle(conn, compose, &settling).await? > 0)
}

/// An execution is compared as soon as it is at rest: somebody has just mended it.
pub(crate) async fn ask(conn: &mut Conn, execution_id: i64) -> Result<(), StoreError> {
    sqlx::query(
        "-- checks.ask\nUPDATE execution SET check_at = clock_timestamp(), check_tries = 0 WHERE id = $1",
    )
    .bind(execution_id)
    .execute(conn)
    .await
    .map_err(refused("checks.ask"))?;
    Ok(())
}

/// For the audit log: what was seen.
#[must_use]
pub fn detail(legs: usize, differing: &[String], silent: &[String]) -> Value {
    json!({ "legs": legs, "differences": differing, "not_seen": silent })
}
