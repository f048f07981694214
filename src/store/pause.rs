//! The kill switch: a tenant is paused and its pause is lifted, each in one transaction with the commands that follow.
//!
//! Must not send anything, and must not wait for a lock out of turn: see the lock order in `store`.

use super::audit::{Entry, Record};
use super::moves::{self, CommandFact, Compose, ExecutionRow};
use super::outbox::{self, Message};
use super::{Conn, Store, StoreError, audit, commit, parse_text, refused};
use crate::domain::hold::{self, Hold, Pausing};
use crate::domain::saga::{CommandKind, LegState};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::Row;

/// Who pauses or un-pauses which tenant, and why.
#[derive(Debug, Clone)]
pub struct Switch {
    /// The tenant.
    pub tenant_id: String,
    /// Who: `cli:<user>`.
    pub by: String,
    /// Why.
    pub reason: String,
    /// RFC 3339: now.
    pub now: String,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Switched {
    /// It changed something; otherwise the tenant was paused, or not, as asked.
    pub changed: bool,
    /// Legs that are switched off (or on again) by this.
    pub legs: usize,
}

/// A tenant's pause as it stands.
#[derive(Debug, Clone, Serialize)]
pub struct PauseView {
    /// The tenant.
    pub tenant_id: String,
    /// Since when; none: it is lifted, and legs are still being switched on.
    pub since: Option<DateTime<Utc>>,
    /// By whom.
    pub by: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// Legs that are being switched off.
    pub holding: i64,
    /// Legs that are off for it.
    pub held: i64,
    /// Legs that are being switched on again.
    pub releasing: i64,
    /// Why the oldest of those that are being switched could not be yet.
    pub last_error: Option<String>,
}

impl Store {
    /// Pauses a tenant: from its commit on no mutation but switching off is committed for it, and what is on goes off.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was changed.
    pub async fn pause(&self, compose: &dyn Compose, switch: &Switch) -> Result<Switched, StoreError> {
        let mut tx = self.begin().await?;
        alone(&mut tx, &switch.tenant_id).await?;
        let new = sqlx::query(
            "-- pause.begin
             INSERT INTO tenant_pause (tenant_id, paused_by, reason) VALUES ($1, $2, $3)
             ON CONFLICT (tenant_id) WHERE lifted_at IS NULL DO NOTHING",
        )
        .bind(&switch.tenant_id)
        .bind(&switch.by)
        .bind(&switch.reason)
        .execute(&mut *tx)
        .await
        .map_err(refused("pause.begin"))?;
        if new.rows_affected() == 0 {
            return Ok(Switched {
                changed: false,
                legs: 0,
            });
        }
        supersede(&mut tx, &switch.tenant_id, CommandKind::Release).await?;
        let legs = legs(&mut tx, &switch.tenant_id, "pause").await?;
        let (mut send, mut own) = (Vec::new(), Vec::new());
        for leg in legs {
            match hold::on_pause(leg.state) {
                Pausing::Send if leg.made => send.push(leg),
                Pausing::ByItsOwnCommand if leg.made => own.push(leg.id),
                Pausing::Send | Pausing::ByItsOwnCommand | Pausing::Nothing => {}
            }
        }
        let all: Vec<i64> = send.iter().map(|l| l.id).chain(own.iter().copied()).collect();
        set_hold(&mut tx, &all, Some(Hold::Holding)).await?;
        sqlx::query(
            "-- pause.hurry
             UPDATE command SET not_before = clock_timestamp() WHERE id IN (
                 SELECT id FROM command WHERE leg_id = ANY($1) AND kind IN ('build', 'activate') AND state = 'queued'
                   AND not_before > clock_timestamp() FOR UPDATE SKIP LOCKED)",
        )
        .bind(&own)
        .execute(&mut *tx)
        .await
        .map_err(refused("pause.hurry"))?;
        command(&mut tx, compose, &send, CommandKind::Hold).await?;
        let detail = json!({ "reason": switch.reason, "legs_to_switch_off": all.len() });
        self.end(tx, switch, "tenant.paused", detail, all.len()).await
    }

    /// Lifts a pause: what it switched off is switched on again, what waited goes on.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was changed.
    pub async fn unpause(&self, compose: &dyn Compose, switch: &Switch) -> Result<Switched, StoreError> {
        let mut tx = self.begin().await?;
        alone(&mut tx, &switch.tenant_id).await?;
        let lifted = sqlx::query(
            "-- pause.lift
             UPDATE tenant_pause SET lifted_at = clock_timestamp(), lifted_by = $2, lifted_reason = $3
             WHERE tenant_id = $1 AND lifted_at IS NULL",
        )
        .bind(&switch.tenant_id)
        .bind(&switch.by)
        .bind(&switch.reason)
        .execute(&mut *tx)
        .await
        .map_err(refused("pause.lift"))?;
        if lifted.rows_affected() == 0 {
            return Ok(Switched {
                changed: false,
                legs: 0,
            });
        }
        supersede(&mut tx, &switch.tenant_id, CommandKind::Hold).await?;
        let legs = legs(&mut tx, &switch.tenant_id, "unpause").await?;
        // A hold that is being driven may still turn something off: its release comes after it and finds that out.
        let (back, rest): (Vec<Leg>, Vec<Leg>) = legs.into_iter().partition(|l| hold::comes_back(l.state));
        let back_ids: Vec<i64> = back.iter().map(|l| l.id).collect();
        let rest_ids: Vec<i64> = rest.iter().map(|l| l.id).collect();
        set_hold(&mut tx, &back_ids, Some(Hold::Releasing)).await?;
        set_hold(&mut tx, &rest_ids, None).await?;
        sqlx::query(
            "-- pause.go_on
             UPDATE command SET not_before = clock_timestamp() WHERE id IN (
                 SELECT id FROM command WHERE account_key = $1 AND kind = 'undo' AND state = 'queued'
                   AND not_before > clock_timestamp() FOR UPDATE SKIP LOCKED)",
        )
        .bind(&switch.tenant_id)
        .execute(&mut *tx)
        .await
        .map_err(refused("pause.go_on"))?;
        command(&mut tx, compose, &back, CommandKind::Release).await?;
        ask_gates(&mut tx, &switch.tenant_id).await?;
        let detail = json!({ "reason": switch.reason, "legs_to_switch_on": back.len() });
        self.end(tx, switch, "tenant.unpaused", detail, back.len()).await
    }

    async fn end(
        &self,
        mut tx: sqlx::Transaction<'static, sqlx::Postgres>,
        switch: &Switch,
        action: &str,
        detail: Value,
        legs: usize,
    ) -> Result<Switched, StoreError> {
        let record = Record {
            tenant_id: switch.tenant_id.clone(),
            entry: Entry {
                at: switch.now.clone(),
                actor: switch.by.clone(),
                action: action.to_owned(),
                plan_version: None,
                leg: None,
                detail,
            },
        };
        audit::append(&mut tx, &[record]).await?;
        commit(tx, "pause").await?;
        Ok(Switched { changed: true, legs })
    }

    /// Paused tenants, and those whose legs are still being switched on again.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn pauses(&self) -> Result<Vec<PauseView>, StoreError> {
        let rows = sqlx::query(
            "-- pause.views
             WITH switched AS (
                 SELECT tenant_id, count(*) FILTER (WHERE hold = 'holding') AS holding,
                        count(*) FILTER (WHERE hold = 'held') AS held, count(*) FILTER (WHERE hold = 'releasing') AS releasing
                 FROM leg WHERE hold IS NOT NULL GROUP BY tenant_id)
             SELECT tenant_id, p.paused_at, p.paused_by, p.reason, coalesce(s.holding, 0) AS holding,
                    coalesce(s.held, 0) AS held, coalesce(s.releasing, 0) AS releasing,
                    (SELECT c.last_error FROM leg l JOIN command c ON c.leg_id = l.id AND c.state = 'queued'
                     WHERE l.tenant_id = s.tenant_id AND l.hold IN ('holding', 'releasing') AND c.last_error IS NOT NULL
                     ORDER BY c.accepted_at LIMIT 1) AS last_error
             FROM (SELECT * FROM tenant_pause WHERE lifted_at IS NULL) p FULL JOIN switched s USING (tenant_id)
             ORDER BY tenant_id",
        )
        .fetch_all(self.pool())
        .await
        .map_err(refused("pause.views"))?;
        Ok(rows
            .into_iter()
            .map(|row| PauseView {
                tenant_id: row.get("tenant_id"),
                since: row.get("paused_at"),
                by: row.get("paused_by"),
                reason: row.get("reason"),
                holding: row.get("holding"),
                held: row.get("held"),
                releasing: row.get("releasing"),
                last_error: row.get("last_error"),
            })
            .collect())
    }
}

/// What waited at the gate is asked at once: a look that the pause cut short keeps its lease otherwise. That look, if it goes
/// on, is void. (What somebody holds locked is being decided on this moment; waiting for it here would be out of turn.)
async fn ask_gates(conn: &mut Conn, tenant: &str) -> Result<(), StoreError> {
    sqlx::query(
        "-- pause.ask_gates
         UPDATE execution SET gate_at = clock_timestamp(), gate_lease = NULL, gate_token = gate_token + 1 WHERE id IN (
             SELECT id FROM execution WHERE tenant_id = $1 AND gate IN ('pending', 'blocked') FOR UPDATE SKIP LOCKED)",
    )
    .bind(tenant)
    .execute(conn)
    .await
    .map_err(refused("pause.ask_gates"))?;
    Ok(())
}

/// Nobody commits intents for this tenant until this transaction ends: see `tenant_may_send`.
async fn alone(conn: &mut Conn, tenant: &str) -> Result<(), StoreError> {
    sqlx::query(
        "-- pause.alone
         SELECT pg_advisory_xact_lock(hashtextextended('campaign-execution/pause/' || $1, 0))",
    )
    .bind(tenant)
    .execute(conn)
    .await
    .map_err(refused("pause.alone"))?;
    Ok(())
}

/// Commands of the opposite kind that nobody drives are done with. Those that are driven find out by the leg.
async fn supersede(conn: &mut Conn, tenant: &str, kind: CommandKind) -> Result<(), StoreError> {
    sqlx::query(
        "-- pause.supersede
         UPDATE command SET state = 'done', done_at = clock_timestamp(), report = 'superseded' WHERE id IN (
             SELECT id FROM command WHERE account_key = $1 AND kind = $2 AND state = 'queued'
               AND (lease_until IS NULL OR lease_until < clock_timestamp()) FOR UPDATE SKIP LOCKED)",
    )
    .bind(tenant)
    .bind(kind.as_str())
    .execute(conn)
    .await
    .map_err(refused("pause.supersede"))?;
    Ok(())
}

struct Leg {
    id: i64,
    execution_id: i64,
    platform: String,
    logical_campaign_key: String,
    state: LegState,
    /// Something of it exists and may be on.
    made: bool,
}

/// The legs that a pause or its end concerns, their executions and themselves locked, in the plans' order.
async fn legs(conn: &mut Conn, tenant: &str, what: &str) -> Result<Vec<Leg>, StoreError> {
    sqlx::query(
        "-- pause.executions
         SELECT e.id FROM execution e WHERE e.tenant_id = $1 AND e.saga IS NOT NULL AND EXISTS (
             SELECT FROM leg l WHERE l.execution_id = e.id AND CASE $2 WHEN 'pause' THEN l.state NOT IN ('waiting',
                 'undoing', 'undone', 'retiring', 'retired', 'superseded') ELSE l.hold IS NOT NULL END)
         ORDER BY e.id FOR UPDATE",
    )
    .bind(tenant)
    .bind(what)
    .execute(&mut *conn)
    .await
    .map_err(refused("pause.executions"))?;
    let rows = sqlx::query(
        "-- pause.legs
         SELECT l.id, l.execution_id, l.platform, l.logical_campaign_key, l.state,
                EXISTS (SELECT FROM execution_manifest m WHERE m.leg_id = l.id AND CASE
                    WHEN l.state IN ('building', 'built') THEN m.objects @> '[{\"serving\": \"active\"}]'
                        OR EXISTS (SELECT FROM mutation u WHERE u.leg_id = l.id AND u.state IN ('in_flight', 'unknown')
                                   AND u.request #>> '{op,serving}' = 'active')
                    ELSE m.objects <> '[]' END) AS made
         FROM leg l WHERE l.tenant_id = $1 AND CASE $2 WHEN 'pause' THEN l.state NOT IN ('waiting', 'undoing',
             'undone', 'retiring', 'retired', 'superseded') ELSE l.hold IS NOT NULL END
         ORDER BY l.id FOR UPDATE OF l",
    )
    .bind(tenant)
    .bind(what)
    .fetch_all(conn)
    .await
    .map_err(refused("pause.legs"))?;
    rows.into_iter()
        .map(|row| {
            let id: i64 = row.get("id");
            Ok(Leg {
                id,
                execution_id: row.get("execution_id"),
                platform: row.get("platform"),
                logical_campaign_key: row.get("logical_campaign_key"),
                state: parse_text("leg", id, "state", row.get("state"), LegState::parse)?,
                made: row.get("made"),
            })
        })
        .collect()
}

async fn set_hold(conn: &mut Conn, legs: &[i64], to: Option<Hold>) -> Result<(), StoreError> {
    sqlx::query("-- pause.set_hold\nUPDATE leg SET hold = $2 WHERE id = ANY($1)")
        .bind(legs)
        .bind(to.map(Hold::as_str))
        .execute(conn)
        .await
        .map_err(refused("pause.set_hold"))?;
    Ok(())
}

/// One command for each of these legs, which are locked.
async fn command(
    conn: &mut Conn,
    compose: &dyn Compose,
    legs: &[Leg],
    kind: CommandKind,
) -> Result<(), StoreError> {
    if legs.is_empty() {
        return Ok(());
    }
    let ids: Vec<i64> = legs.iter().map(|l| l.id).collect();
    let attempts: std::collections::HashMap<i64, i32> = sqlx::query_as(
        "-- pause.attempts
         UPDATE leg SET attempt = attempt + 1 WHERE id = ANY($1) RETURNING id, attempt",
    )
    .bind(&ids)
    .fetch_all(&mut *conn)
    .await
    .map_err(refused("pause.attempts"))?
    .into_iter()
    .collect();
    let mut executions: Vec<i64> = legs.iter().map(|l| l.execution_id).collect();
    executions.sort_unstable();
    executions.dedup();
    let executions: std::collections::HashMap<i64, ExecutionRow> = moves::lock(conn, &executions)
        .await?
        .into_iter()
        .map(|e| (e.id, e))
        .collect();
    let messages: Vec<Message> = legs
        .iter()
        .filter_map(|leg| {
            let attempt = *attempts.get(&leg.id)?;
            let fact = CommandFact {
                command_id: moves::command_id(leg.id, kind, attempt),
                leg_id: leg.id,
                platform: leg.platform.clone(),
                logical_campaign_key: leg.logical_campaign_key.clone(),
                kind,
                attempt,
            };
            Some(compose.command(executions.get(&leg.execution_id)?, &fact))
        })
        .collect();
    outbox::put(conn, &messages).await
}
