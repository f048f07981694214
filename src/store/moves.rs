//! Carries out what the saga decided: legs move, commands and events go into the outbox, all in the caller's transaction.
//!
//! Must not decide anything: `domain::saga` does. The execution's row must be locked by the caller.

use super::outbox::{self, Message};
use super::{Conn, StoreError, audit, parse_json, parse_text, refused, to_json};
use crate::domain::error::LegError;
use crate::domain::manifest::Manifest;
use crate::domain::saga::{CommandKind, Effect, LegState, Outcome, Report, Saga};
use crate::domain::spec::LegSpec;
use serde_json::Value;
use sqlx::Row;
use uuid::Uuid;

/// An execution's row, locked.
#[derive(Debug, Clone)]
pub struct ExecutionRow {
    /// Its id.
    pub id: i64,
    /// The tenant.
    pub tenant_id: String,
    /// The plan.
    pub plan_id: String,
    /// The plan version.
    pub plan_version: String,
    /// RFC 3339: when the payload was approved.
    pub approved_at: String,
    /// Of the message that started it.
    pub traceparent: Option<String>,
    /// Counts what was published about it.
    pub revision: i64,
    /// The saga.
    pub saga: Saga,
}

/// A command about one leg, to be composed into a message.
#[derive(Debug, Clone)]
pub struct CommandFact {
    /// Deterministic: leg, kind and attempt.
    pub command_id: Uuid,
    /// The leg.
    pub leg_id: i64,
    /// Its platform.
    pub platform: String,
    /// Its key.
    pub logical_campaign_key: String,
    /// What to do.
    pub kind: CommandKind,
    /// Counts the leg's commands.
    pub attempt: i32,
}

/// A leg as events tell of it.
#[derive(Debug, Clone)]
pub struct LegFact {
    /// What it should look like.
    pub spec: LegSpec,
    /// Where it stands.
    pub state: LegState,
    /// Why it failed.
    pub error: Option<LegError>,
    /// What was made; none: nothing was.
    pub manifest: Option<Manifest>,
    /// Counts the leg's commands.
    pub attempt: i32,
}

/// Turns facts into messages; the service's, because it knows the wire.
pub trait Compose: Send + Sync {
    /// A launch command.
    fn command(&self, execution: &ExecutionRow, fact: &CommandFact) -> Message;
    /// `campaign.live` or `campaign.scheduled`.
    fn announce(&self, execution: &ExecutionRow, leg: &LegFact) -> Message;
    /// How the execution came to rest.
    fn settle(&self, execution: &ExecutionRow, outcome: Outcome, legs: &[LegFact]) -> Message;
}

/// The leg that a report is about.
#[derive(Debug, Clone)]
pub struct LegRow {
    /// Its id.
    pub id: i64,
    /// Its platform.
    pub platform: String,
    /// Its key.
    pub logical_campaign_key: String,
    /// The platform's place in the recommended order.
    pub position: u8,
    /// Where it stands.
    pub state: LegState,
    /// Counts its commands.
    pub attempt: i32,
}

/// A command's id: the same leg, kind and attempt always give the same one.
#[must_use]
pub fn command_id(leg_id: i64, kind: CommandKind, attempt: i32) -> Uuid {
    let name = format!("campaign-execution/command/{leg_id}/{}/{attempt}", kind.as_str());
    Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes())
}

/// Locks executions, by id.
pub(crate) async fn lock(conn: &mut Conn, ids: &[i64]) -> Result<Vec<ExecutionRow>, StoreError> {
    let rows = sqlx::query(
        "-- moves.lock
         SELECT id, tenant_id, plan_id, plan_version,
                to_char(approved_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') AS approved_at,
                traceparent, revision, saga
         FROM execution WHERE id = ANY($1) AND saga IS NOT NULL ORDER BY id FOR UPDATE",
    )
    .bind(ids)
    .fetch_all(conn)
    .await
    .map_err(refused("moves.lock"))?;
    rows.into_iter()
        .map(|row| {
            let id: i64 = row.get("id");
            Ok(ExecutionRow {
                id,
                tenant_id: row.get("tenant_id"),
                plan_id: row.get("plan_id"),
                plan_version: row.get("plan_version"),
                approved_at: row.get("approved_at"),
                traceparent: row.get("traceparent"),
                revision: row.get("revision"),
                saga: parse_json("execution", id, "saga", row.get("saga"))?,
            })
        })
        .collect()
}

/// Writes the effects of one step of the saga; `leg` is the one that reported, if one did.
pub(crate) async fn carry_out(
    conn: &mut Conn,
    compose: &dyn Compose,
    execution: &mut ExecutionRow,
    leg: Option<&mut LegRow>,
    effects: &[Effect],
) -> Result<Vec<Message>, StoreError> {
    let mut messages = Vec::new();
    let mut leg = leg;
    for effect in effects {
        match *effect {
            Effect::Leg(state) => {
                if let Some(leg) = leg.as_deref_mut() {
                    set_state(conn, leg, state).await?;
                }
            }
            Effect::Command(kind) => {
                if let Some(leg) = leg.as_deref_mut() {
                    messages.push(send_one(conn, compose, execution, leg, kind).await?);
                }
            }
            Effect::Sweep {
                position,
                from,
                to,
                command,
            } => {
                messages.extend(sweep(conn, compose, execution, (position, from, to), command).await?);
            }
            Effect::Announce(_) => {
                if let Some(leg) = leg.as_deref() {
                    let facts = leg_facts(conn, execution.id, Some(leg.id)).await?;
                    messages.extend(facts.iter().map(|fact| compose.announce(execution, fact)));
                }
            }
            Effect::Settle(outcome) => {
                execution.revision += 1;
                let facts = leg_facts(conn, execution.id, None).await?;
                messages.push(compose.settle(execution, outcome, &facts));
            }
        }
    }
    Ok(messages)
}

/// Writes the saga back.
pub(crate) async fn save_execution(conn: &mut Conn, execution: &ExecutionRow) -> Result<(), StoreError> {
    sqlx::query(
        "-- moves.save_execution
         UPDATE execution SET saga = $2, revision = $3, settled = $4,
                settled_at = CASE WHEN $4::text IS NULL THEN NULL ELSE coalesce(settled_at, clock_timestamp()) END
         WHERE id = $1",
    )
    .bind(execution.id)
    .bind(to_json(&execution.saga))
    .bind(execution.revision)
    .bind(execution.saga.settled.map(Outcome::as_str))
    .execute(conn)
    .await
    .map_err(refused("moves.save_execution"))?;
    Ok(())
}

async fn set_state(conn: &mut Conn, leg: &mut LegRow, state: LegState) -> Result<(), StoreError> {
    let done = sqlx::query(
        "-- moves.leg
         UPDATE leg SET state = $2, changed_at = clock_timestamp(),
                watch_at = CASE WHEN $2 = 'scheduled' THEN starts_at END
         WHERE id = $1 AND state = $3",
    )
    .bind(leg.id)
    .bind(state.as_str())
    .bind(leg.state.as_str())
    .execute(conn)
    .await
    .map_err(refused("moves.leg"))?;
    if done.rows_affected() != 1 {
        return Err(StoreError::BadRow {
            table: "leg",
            id: leg.id.to_string(),
            what: format!("state: expected {}", leg.state.as_str()),
        });
    }
    leg.state = state;
    Ok(())
}

async fn send_one(
    conn: &mut Conn,
    compose: &dyn Compose,
    execution: &ExecutionRow,
    leg: &mut LegRow,
    kind: CommandKind,
) -> Result<Message, StoreError> {
    let attempt: i32 = sqlx::query_scalar(
        "-- moves.attempt\nUPDATE leg SET attempt = attempt + 1 WHERE id = $1 RETURNING attempt",
    )
    .bind(leg.id)
    .fetch_one(conn)
    .await
    .map_err(refused("moves.attempt"))?;
    leg.attempt = attempt;
    let fact = CommandFact {
        command_id: command_id(leg.id, kind, attempt),
        leg_id: leg.id,
        platform: leg.platform.clone(),
        logical_campaign_key: leg.logical_campaign_key.clone(),
        kind,
        attempt,
    };
    Ok(compose.command(execution, &fact))
}

async fn sweep(
    conn: &mut Conn,
    compose: &dyn Compose,
    execution: &ExecutionRow,
    (position, from, to): (Option<u8>, LegState, LegState),
    command: Option<CommandKind>,
) -> Result<Vec<Message>, StoreError> {
    let mut rows: Vec<(i64, String, String, i32, i32)> = sqlx::query_as(
        "-- moves.sweep
         UPDATE leg SET state = $3, attempt = attempt + $5, changed_at = clock_timestamp(), watch_at = NULL
         WHERE execution_id = $1 AND state = $2 AND ($4::smallint IS NULL OR position = $4)
         RETURNING id, platform, logical_campaign_key, attempt, ordinal",
    )
    .bind(execution.id)
    .bind(from.as_str())
    .bind(to.as_str())
    .bind(position.map(i16::from))
    .bind(i32::from(command.is_some()))
    .fetch_all(conn)
    .await
    .map_err(refused("moves.sweep"))?;
    rows.sort_by_key(|row| row.4);
    let Some(kind) = command else {
        return Ok(Vec::new());
    };
    Ok(rows
        .into_iter()
        .map(|(leg_id, platform, logical_campaign_key, attempt, _)| {
            let command_id = command_id(leg_id, kind, attempt);
            compose.command(
                execution,
                &CommandFact {
                    command_id,
                    leg_id,
                    platform,
                    logical_campaign_key,
                    kind,
                    attempt,
                },
            )
        })
        .collect())
}

/// The legs of an execution (or one of them) as events tell of them, in the plan's order.
pub(crate) async fn leg_facts(
    conn: &mut Conn,
    execution_id: i64,
    only: Option<i64>,
) -> Result<Vec<LegFact>, StoreError> {
    let rows = sqlx::query(
        "-- moves.leg_facts
         SELECT l.id, l.spec, l.state, l.error, l.attempt, m.account_id, m.campaign_name, m.revision, m.mutation_count,
                m.tracking_mode, m.objects
         FROM leg l LEFT JOIN execution_manifest m ON m.leg_id = l.id
         WHERE l.execution_id = $1 AND ($2::bigint IS NULL OR l.id = $2) ORDER BY l.ordinal",
    )
    .bind(execution_id)
    .bind(only)
    .fetch_all(conn)
    .await
    .map_err(refused("moves.leg_facts"))?;
    rows.into_iter()
        .map(|row| {
            let id: i64 = row.get("id");
            let spec: LegSpec = parse_json("leg", id, "spec", row.get("spec"))?;
            let error: Option<Value> = row.get("error");
            Ok(LegFact {
                state: parse_text("leg", id, "state", row.get("state"), LegState::parse)?,
                error: error.map(|e| parse_json("leg", id, "error", e)).transpose()?,
                manifest: manifest_of(&row, id, &spec)?,
                attempt: row.get("attempt"),
                spec,
            })
        })
        .collect()
}

/// The manifest columns of a joined row; `None`: there is no manifest yet.
pub(crate) fn manifest_of(
    row: &sqlx::postgres::PgRow,
    leg_id: i64,
    spec: &LegSpec,
) -> Result<Option<Manifest>, StoreError> {
    let Some(account_id) = row.get::<Option<String>, _>("account_id") else {
        return Ok(None);
    };
    let mode: Option<String> = row.get("tracking_mode");
    Ok(Some(Manifest {
        leg: spec.key.clone(),
        account_id,
        campaign_name: row.get("campaign_name"),
        revision: row.get("revision"),
        mutation_count: row.get("mutation_count"),
        tracking_mode: mode
            .map(|m| {
                parse_text(
                    "execution_manifest",
                    leg_id,
                    "tracking_mode",
                    &m,
                    crate::domain::tracking::Mode::parse,
                )
            })
            .transpose()?,
        objects: parse_json("execution_manifest", leg_id, "objects", row.get("objects"))?,
    }))
}

/// A report on one leg.
#[derive(Debug, Clone)]
pub struct LegReport {
    /// The leg.
    pub leg_id: i64,
    /// What happened.
    pub what: Report,
    /// Why, if it failed.
    pub error: Option<LegError>,
}

/// Applies reports to their sagas and writes what follows. Returns the audit records of it. Call it after every
/// other lock but the audit's is taken.
pub(crate) async fn apply_reports(
    conn: &mut Conn,
    compose: &dyn Compose,
    reports: &[LegReport],
    at: &str,
) -> Result<Vec<audit::Record>, StoreError> {
    if reports.is_empty() {
        return Ok(Vec::new());
    }
    let leg_ids: Vec<i64> = reports.iter().map(|r| r.leg_id).collect();
    let owners: Vec<(i64, i64)> =
        sqlx::query_as("-- moves.owners\nSELECT id, execution_id FROM leg WHERE id = ANY($1)")
            .bind(&leg_ids)
            .fetch_all(&mut *conn)
            .await
            .map_err(refused("moves.owners"))?;
    let mut execution_ids: Vec<i64> = owners.iter().map(|(_, execution)| *execution).collect();
    execution_ids.sort_unstable();
    execution_ids.dedup();
    let mut executions = lock(conn, &execution_ids).await?;
    let mut records = Vec::new();
    let mut messages = Vec::new();
    for report in reports {
        let owner = owners
            .iter()
            .find(|(leg, _)| *leg == report.leg_id)
            .map(|(_, execution)| *execution);
        let Some(execution) = executions.iter_mut().find(|e| Some(e.id) == owner) else {
            continue;
        };
        let mut leg = leg_row(conn, report.leg_id).await?;
        let before = leg.state;
        if let Some(error) = &report.error {
            set_error(conn, report.leg_id, error).await?;
        }
        let outcome = execution.saga.report(leg.position, leg.state, report.what);
        let detail = match &outcome {
            Ok(effects) => {
                messages.extend(carry_out(conn, compose, execution, Some(&mut leg), effects).await?);
                serde_json::json!({ "from": before, "report": report.what, "to": leg.state, "error": report.error })
            }
            Err(illegal) => serde_json::json!({ "refused": illegal.to_string() }),
        };
        records.push(audit::Record {
            tenant_id: execution.tenant_id.clone(),
            entry: audit::Entry {
                at: at.to_owned(),
                actor: "service".to_owned(),
                action: "leg.moved".to_owned(),
                plan_version: Some(execution.plan_version.clone()),
                leg: Some(format!("{}/{}", leg.platform, leg.logical_campaign_key)),
                detail,
            },
        });
    }
    for execution in &executions {
        save_execution(conn, execution).await?;
    }
    outbox::put(conn, &messages).await?;
    Ok(records)
}

async fn leg_row(conn: &mut Conn, id: i64) -> Result<LegRow, StoreError> {
    let row = sqlx::query(
        "-- moves.leg_row
         SELECT id, platform, logical_campaign_key, position, state, attempt FROM leg WHERE id = $1 FOR UPDATE",
    )
    .bind(id)
    .fetch_one(conn)
    .await
    .map_err(refused("moves.leg_row"))?;
    Ok(LegRow {
        id,
        platform: row.get("platform"),
        logical_campaign_key: row.get("logical_campaign_key"),
        position: u8::try_from(row.get::<i16, _>("position")).unwrap_or(u8::MAX),
        state: parse_text("leg", id, "state", row.get("state"), LegState::parse)?,
        attempt: row.get("attempt"),
    })
}

async fn set_error(conn: &mut Conn, leg_id: i64, error: &LegError) -> Result<(), StoreError> {
    sqlx::query("-- moves.error\nUPDATE leg SET error = $2 WHERE id = $1")
        .bind(leg_id)
        .bind(to_json(error))
        .execute(conn)
        .await
        .map_err(refused("moves.error"))?;
    Ok(())
}
