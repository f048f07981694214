//! Carries out what the saga decided: legs move, commands and events go into the outbox, all in the caller's transaction.
//!
//! Must not decide anything: `domain::saga` does. The execution's row must be locked by the caller.

pub(crate) use super::facts::{leg_facts, manifest_of};
use super::outbox::{self, Message};
use super::touchpoints::TouchpointFact;
use super::{
    Conn, StoreError, audit, clocks, leftovers, parse_json, parse_text, refused, supersede, to_json,
};
use crate::domain::error::LegError;
use crate::domain::leftover::Stay;
use crate::domain::manifest::Manifest;
use crate::domain::saga::{CommandKind, Direction, Effect, LegState, Outcome, Report, Saga};
use crate::domain::spec::LegSpec;
use serde_json::Value;
use sqlx::Row;
use std::collections::HashSet;
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
    /// What a rollback leaves of it; filled in for its event alone.
    pub stays: Vec<Stay>,
    /// The key of the leg whose campaign has taken its place; none: it is the plan's own.
    pub replaced_by: Option<String>,
    /// The platform's ids of the campaigns whose place its own has taken.
    pub replaces: Vec<String>,
}

/// Turns facts into messages; the service's, because it knows the wire.
pub trait Compose: Send + Sync {
    /// A launch command.
    fn command(&self, execution: &ExecutionRow, fact: &CommandFact) -> Message;
    /// `campaign.live` or `campaign.scheduled`.
    fn announce(&self, execution: &ExecutionRow, leg: &LegFact) -> Message;
    /// `execution.touchpoint`.
    fn touchpoint(&self, fact: &TouchpointFact) -> Message;
    /// How the execution came to rest.
    /// None: nothing is told.
    fn settle(&self, execution: &ExecutionRow, outcome: Outcome, legs: &[LegFact]) -> Option<Message>;
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
    /// How many outgoing legs it replaces.
    pub outgoing: u32,
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

/// What one transaction's steps come to: legs that moved, and messages in order, some of which can only be composed when the
/// legs are written.
#[derive(Default)]
pub(crate) struct Moves {
    moved: Vec<LegRow>,
    messages: Vec<Due>,
    swept: bool,
}

enum Due {
    /// Composed.
    Ready(Message),
    /// `campaign.live` or `.scheduled` of this leg, of the execution at this place.
    Announce {
        execution: usize,
        leg_id: i64,
        state: LegState,
    },
    /// How the execution at this place came to rest, at this revision.
    Settle {
        execution: usize,
        outcome: Outcome,
        revision: i64,
    },
}

impl Moves {
    /// Notes the effects of one step of the saga; `leg` is the one that reported, if one did. Sweeps are carried out at once.
    pub(crate) async fn note(
        &mut self,
        conn: &mut Conn,
        compose: &dyn Compose,
        (place, execution): (usize, &mut ExecutionRow),
        mut leg: Option<&mut LegRow>,
        effects: &[Effect],
    ) -> Result<(), StoreError> {
        for effect in effects {
            match *effect {
                Effect::Leg(state) => {
                    if let Some(leg) = leg.as_deref_mut() {
                        leg.state = state;
                    }
                }
                Effect::Command(kind) => {
                    if let Some(leg) = leg.as_deref_mut() {
                        leg.attempt += 1;
                        self.messages
                            .push(Due::Ready(compose.command(execution, &leg.command(kind))));
                    }
                }
                Effect::Sweep {
                    position,
                    from,
                    to,
                    command,
                } => {
                    // The sweep must see this leg where it is now.
                    self.moved.extend(leg.as_deref().cloned());
                    self.write_legs(conn).await?;
                    self.swept = true;
                    let cut = (position, None);
                    let swept = sweep(conn, compose, execution, (cut, from, to), command).await?;
                    if let Some(leg) = leg.as_deref_mut()
                        && leg.state == from
                        && position.is_none_or(|p| p == leg.position)
                    {
                        leg.state = to;
                        leg.attempt += i32::from(command.is_some());
                    }
                    self.messages.extend(swept.into_iter().map(Due::Ready));
                }
                Effect::Relieve => {
                    self.moved.extend(leg.as_deref().cloned());
                    self.write_legs(conn).await?;
                    self.swept = true;
                    let cut = (None, leg.as_deref().map(|l| l.id));
                    let (from, to) = (LegState::Outgoing, LegState::Retiring);
                    let retire = Some(CommandKind::Retire);
                    let swept = sweep(conn, compose, execution, (cut, from, to), retire).await?;
                    self.messages.extend(swept.into_iter().map(Due::Ready));
                }
                Effect::Announce(state) => {
                    if let Some(leg) = leg.as_deref() {
                        self.messages.push(Due::Announce {
                            execution: place,
                            leg_id: leg.id,
                            state,
                        });
                    }
                }
                Effect::Settle(outcome) => {
                    execution.revision += 1;
                    let revision = execution.revision;
                    self.messages.push(Due::Settle {
                        execution: place,
                        outcome,
                        revision,
                    });
                }
            }
        }
        self.moved.extend(leg.as_deref().cloned());
        Ok(())
    }

    /// Whether a sweep was carried out since the last time this was asked. What moved is written then.
    fn swept_something(&mut self) -> bool {
        std::mem::take(&mut self.swept)
    }

    /// Writes the legs that moved, the last state of each.
    pub(crate) async fn write_legs(&mut self, conn: &mut Conn) -> Result<(), StoreError> {
        let mut last: std::collections::BTreeMap<i64, LegRow> = std::collections::BTreeMap::new();
        for leg in self.moved.drain(..) {
            last.insert(leg.id, leg);
        }
        if last.is_empty() {
            return Ok(());
        }
        let ids: Vec<i64> = last.keys().copied().collect();
        let states: Vec<&str> = last.values().map(|l| l.state.as_str()).collect();
        let attempts: Vec<i32> = last.values().map(|l| l.attempt).collect();
        // A command of its own takes the place of a release that no worker has yet: it switches on again what the pause left off.
        sqlx::query(
            "-- moves.legs
             UPDATE leg SET state = n.state, attempt = n.attempt, changed_at = clock_timestamp(),
                    hold = CASE WHEN hold = 'releasing' AND n.attempt > leg.attempt AND n.state <> 'outgoing' THEN NULL ELSE hold END,
                    watch_at = CASE WHEN n.state = 'scheduled' THEN least(starts_at, clock_timestamp() + interval '10 minutes') END
             FROM unnest($1::bigint[], $2::text[], $3::int[]) AS n (id, state, attempt) WHERE leg.id = n.id",
        )
        .bind(ids)
        .bind(states)
        .bind(attempts)
        .execute(conn)
        .await
        .map_err(refused("moves.legs"))?;
        Ok(())
    }

    /// Writes what is left: legs, sagas, messages.
    pub(crate) async fn write(
        mut self,
        conn: &mut Conn,
        compose: &dyn Compose,
        executions: &[ExecutionRow],
    ) -> Result<usize, StoreError> {
        self.write_legs(conn).await?;
        clocks::save(conn, executions).await?;
        let announced: Vec<i64> = self
            .messages
            .iter()
            .filter_map(|due| match due {
                Due::Announce { leg_id, .. } => Some(*leg_id),
                Due::Ready(_) | Due::Settle { .. } => None,
            })
            .collect();
        let settled: Vec<i64> = self
            .messages
            .iter()
            .filter_map(|due| match due {
                Due::Settle { execution, .. } => executions.get(*execution).map(|e| e.id),
                Due::Ready(_) | Due::Announce { .. } => None,
            })
            .collect();
        let facts = if announced.is_empty() && settled.is_empty() {
            Vec::new()
        } else {
            leg_facts(conn, &settled, &announced).await?
        };
        let mut messages = Vec::with_capacity(self.messages.len());
        for due in self.messages {
            match due {
                Due::Ready(message) => messages.push(message),
                Due::Announce {
                    execution,
                    leg_id,
                    state,
                } => {
                    let fact = facts.iter().find(|f| f.leg_id == leg_id).map(|f| &f.fact);
                    if let (Some(execution), Some(fact)) = (executions.get(execution), fact) {
                        // A sweep may have moved it on since; what is told is what it was.
                        messages.push(compose.announce(
                            execution,
                            &LegFact {
                                state,
                                ..fact.clone()
                            },
                        ));
                    }
                }
                Due::Settle {
                    execution,
                    outcome,
                    revision,
                } => {
                    if let Some(execution) = executions.get(execution) {
                        let then = ExecutionRow {
                            revision,
                            ..execution.clone()
                        };
                        let of_it = facts.iter().filter(|f| f.execution_id == execution.id);
                        let mut legs: Vec<(i64, LegFact)> =
                            of_it.map(|f| (f.leg_id, f.fact.clone())).collect();
                        if outcome == Outcome::RolledBack {
                            leftovers::fill(conn, execution.id, &mut legs).await?;
                        }
                        let legs: Vec<LegFact> = legs.into_iter().map(|(_, fact)| fact).collect();
                        messages.extend(compose.settle(&then, outcome, &legs));
                    }
                }
            }
        }
        outbox::put(conn, &messages).await?;
        Ok(messages.len())
    }
}

impl LegRow {
    fn command(&self, kind: CommandKind) -> CommandFact {
        CommandFact {
            command_id: command_id(self.id, kind, self.attempt),
            leg_id: self.id,
            platform: self.platform.clone(),
            logical_campaign_key: self.logical_campaign_key.clone(),
            kind,
            attempt: self.attempt,
        }
    }
}

/// All legs in a state move: of one platform or all, and of those that one leg replaces or all.
async fn sweep(
    conn: &mut Conn,
    compose: &dyn Compose,
    execution: &ExecutionRow,
    ((position, replaced_by), from, to): ((Option<u8>, Option<i64>), LegState, LegState),
    command: Option<CommandKind>,
) -> Result<Vec<Message>, StoreError> {
    let mut rows: Vec<(i64, String, String, i32, i32)> = sqlx::query_as(
        "-- moves.sweep
         UPDATE leg SET state = $3, attempt = attempt + $5, changed_at = clock_timestamp(), watch_at = NULL,
                hold = CASE WHEN hold = 'releasing' AND $5 > 0 THEN NULL ELSE hold END
         WHERE execution_id = $1 AND state = $2 AND ($4::smallint IS NULL OR position = $4)
           AND ($6::bigint IS NULL OR replaced_by = $6)
         RETURNING id, platform, logical_campaign_key, attempt, ordinal",
    )
    .bind(execution.id)
    .bind(from.as_str())
    .bind(to.as_str())
    .bind(position.map(i16::from))
    .bind(i32::from(command.is_some()))
    .bind(replaced_by)
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

/// A report on one leg.
#[derive(Debug, Clone)]
pub struct LegReport {
    /// The leg.
    pub leg_id: i64,
    /// What happened.
    pub what: Report,
    /// Why, if it failed.
    pub error: Option<LegError>,
    /// What of the campaign the platform's policies refuse, while the rest goes on.
    pub finding: Option<LegError>,
}

/// Whose a leg is.
struct Owner {
    leg: i64,
    execution: i64,
    /// The older version's leg and execution that its campaign was taken over from.
    from: Option<(i64, i64)>,
    /// The execution that its own supersedes.
    older: Option<i64>,
}

async fn owners(conn: &mut Conn, legs: &[i64]) -> Result<Vec<Owner>, StoreError> {
    let rows = sqlx::query(
        "-- moves.owners
         SELECT l.id, l.execution_id, o.id AS from_leg, o.execution_id AS from_execution, e.supersedes
         FROM leg l JOIN execution e ON e.id = l.execution_id LEFT JOIN leg o ON o.id = l.adopted_from
         WHERE l.id = ANY($1)",
    )
    .bind(legs)
    .fetch_all(conn)
    .await
    .map_err(refused("moves.owners"))?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let from: Option<i64> = row.get("from_leg");
            Owner {
                leg: row.get("id"),
                execution: row.get("execution_id"),
                from: from.zip(row.get("from_execution")),
                older: row.get("supersedes"),
            }
        })
        .collect())
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
    let owners = owners(conn, &leg_ids).await?;
    let told = |leg: i64, what| reports.iter().any(|r| r.leg_id == leg && r.what == what);
    let mut execution_ids: Vec<i64> = owners.iter().map(|o| o.execution).collect();
    // What is undone may go back to the version it was taken over from.
    execution_ids.extend(
        owners
            .iter()
            .filter(|o| told(o.leg, Report::Undone))
            .filter_map(|o| o.from.map(|(_, e)| e)),
    );
    // And a failure may turn the whole version, which gives back what it no longer has.
    let failed = owners.iter().filter(|o| told(o.leg, Report::Failed));
    execution_ids.extend(failed.filter_map(|o| o.older));
    execution_ids.sort_unstable();
    execution_ids.dedup();
    let mut executions = lock(conn, &execution_ids).await?;
    let mut legs = leg_rows(conn, &leg_ids).await?;
    let retired: Vec<i64> = reports
        .iter()
        .filter(|r| r.what == Report::Retired)
        .map(|r| r.leg_id)
        .collect();
    let giving_up = supersede::giving_up(conn, &retired).await?;
    let mut coming_back: HashSet<i64> = giving_up.iter().filter(|g| g.back).map(|g| g.leg).collect();
    set_errors(conn, reports).await?;
    let mut records = Vec::new();
    let mut moves = Moves::default();
    for report in reports {
        let Some(owner) = owners.iter().find(|o| o.leg == report.leg_id) else {
            continue;
        };
        let Some(place) = executions.iter().position(|e| e.id == owner.execution) else {
            continue;
        };
        let Some(execution) = executions.get_mut(place) else {
            continue;
        };
        let Some(leg) = legs.iter_mut().find(|l| l.id == report.leg_id) else {
            continue;
        };
        let (before, went) = (leg.state, execution.saga.direction);
        let comes_back = report.what == Report::Retired
            && before == LegState::Retiring
            && went == Direction::Forward
            && coming_back.contains(&leg.id);
        let saga = &mut execution.saga;
        let heard = if comes_back {
            let back = saga.take_back(leg.position, before, true);
            back.map_err(|fenced| fenced.to_string())
        } else {
            let heard = saga.report_of_replacement(leg.position, before, report.what, leg.outgoing);
            heard.map_err(|illegal| illegal.to_string())
        };
        let detail = match heard {
            Ok(effects) => {
                moves
                    .note(conn, compose, (place, execution), Some(leg), &effects)
                    .await?;
                serde_json::json!({ "from": before, "report": report.what, "to": leg.state, "error": report.error })
            }
            Err(refused) => serde_json::json!({ "refused": refused }),
        };
        if comes_back {
            supersede::its_own_again(conn, execution.id, Some(leg.id)).await?;
        }
        let turned = went == Direction::Forward && execution.saga.direction == Direction::Back;
        let (leg, swept, tenant_id, plan_version) = (
            leg.clone(),
            execution.id,
            execution.tenant_id.clone(),
            execution.plan_version.clone(),
        );
        if leg.state == LegState::Undone
            && before != LegState::Undone
            && let Some((from, older)) = owner.from
            && let Some(place) = executions.iter().position(|e| e.id == older)
            && let Some(older) = executions.get_mut(place)
        {
            supersede::give_back(conn, compose, &mut moves, (place, older), (leg.id, from)).await?;
        }
        if turned
            && let Some(place) = executions.iter().position(|e| Some(e.id) == owner.older)
            && let Some(older) = executions.get_mut(place)
        {
            supersede::bring_back(conn, compose, &mut moves, (place, older), swept).await?;
            coming_back.extend(giving_up.iter().filter(|g| g.newer == swept).map(|g| g.leg));
        }
        if moves.swept_something() {
            // Other legs of the execution have moved too, perhaps some that report in this very batch.
            refresh(conn, &mut legs, swept, &owners).await?;
        }
        records.push(audit::Record {
            tenant_id,
            entry: audit::Entry {
                at: at.to_owned(),
                actor: "service".to_owned(),
                action: "leg.moved".to_owned(),
                plan_version: Some(plan_version),
                leg: Some(format!("{}/{}", leg.platform, leg.logical_campaign_key)),
                detail,
            },
        });
    }
    moves.write(conn, compose, &executions).await?;
    Ok(records)
}

/// These legs, locked.
pub(crate) async fn leg_rows(conn: &mut Conn, ids: &[i64]) -> Result<Vec<LegRow>, StoreError> {
    let rows = sqlx::query(
        "-- moves.leg_rows
         SELECT id, platform, logical_campaign_key, position, state, attempt,
                (SELECT count(*) FROM leg o WHERE o.replaced_by = leg.id AND o.state = 'outgoing') AS outgoing
         FROM leg WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE",
    )
    .bind(ids)
    .fetch_all(conn)
    .await
    .map_err(refused("moves.leg_rows"))?;
    rows.into_iter()
        .map(|row| {
            let id: i64 = row.get("id");
            Ok(LegRow {
                id,
                platform: row.get("platform"),
                logical_campaign_key: row.get("logical_campaign_key"),
                position: u8::try_from(row.get::<i16, _>("position")).unwrap_or(u8::MAX),
                state: parse_text("leg", id, "state", row.get("state"), LegState::parse)?,
                attempt: row.get("attempt"),
                outgoing: u32::try_from(row.get::<i64, _>("outgoing")).unwrap_or_default(),
            })
        })
        .collect()
}

/// Reads again the legs of one execution that a sweep may have moved.
async fn refresh(
    conn: &mut Conn,
    legs: &mut [LegRow],
    execution: i64,
    owners: &[Owner],
) -> Result<(), StoreError> {
    let ids: Vec<i64> = owners
        .iter()
        .filter(|o| o.execution == execution)
        .map(|o| o.leg)
        .collect();
    for fresh in leg_rows(conn, &ids).await? {
        if let Some(leg) = legs.iter_mut().find(|l| l.id == fresh.id) {
            *leg = fresh;
        }
    }
    Ok(())
}

async fn set_errors(conn: &mut Conn, reports: &[LegReport]) -> Result<(), StoreError> {
    let failed: Vec<(i64, Value)> = reports
        .iter()
        .filter_map(|r| Some((r.leg_id, to_json(r.error.as_ref()?))))
        .collect();
    if failed.is_empty() {
        return Ok(());
    }
    let (ids, errors): (Vec<i64>, Vec<Value>) = failed.into_iter().unzip();
    sqlx::query(
        "-- moves.errors
         UPDATE leg SET error = n.error FROM unnest($1::bigint[], $2::jsonb[]) AS n (id, error) WHERE leg.id = n.id",
    )
    .bind(ids)
    .bind(errors)
    .execute(conn)
    .await
    .map_err(refused("moves.errors"))?;
    Ok(())
}
