//! Clocks: started and stopped in the transaction of what they wait for, and what is due.
//!
//! Must not decide what a clock does (`domain::clock` does) nor sleep. A clock's row comes after its execution's in the lock order;
//! a step that is due takes both or neither, without waiting.

use super::alerts::{self, NewAlert};
use super::audit::{Entry, Record};
use super::moves::{ExecutionRow, LegFact, leg_facts};
use super::outbox::{self, Message};
use super::{Conn, Store, StoreError, audit, commit, parse_json, parse_text, refused, to_json};
use crate::domain::clock::{self, Kind, Limits, Look, Reading, Reason, Step};
use crate::domain::gate::Check;
use crate::domain::saga::{Outcome, Saga};
use crate::domain::tenant::Tenant;
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::Row;

/// Time that was not ours, seconds: each kind by itself, and together (what overlaps counts once).
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Waited {
    /// For people: open touchpoints.
    pub people_s: i64,
    /// For a platform's review.
    pub review_s: i64,
    /// Under the kill switch.
    pub paused_s: i64,
    /// Together: what is taken off the clock.
    pub total_s: i64,
}

impl Waited {
    /// From the columns of `execution_waited`.
    pub(crate) fn of(row: &sqlx::postgres::PgRow) -> Self {
        let seconds = |name: &str| row.get::<f64, _>(name).round() as i64;
        Self {
            people_s: seconds("people_s"),
            review_s: seconds("review_s"),
            paused_s: seconds("paused_s"),
            total_s: seconds("total_s"),
        }
    }
}

/// What people are told of, as it stands.
#[derive(Debug, Clone)]
pub struct Escalation {
    /// The execution's row.
    pub execution_id: i64,
    /// The tenant.
    pub tenant_id: String,
    /// The plan.
    pub plan_id: String,
    /// The version.
    pub plan_version: String,
    /// Of the message that started it.
    pub traceparent: Option<String>,
    /// Why.
    pub reason: Reason,
    /// Counts the clock's starts.
    pub round: i32,
    /// Since when: the approval, or the failure.
    pub since: DateTime<Utc>,
    /// When it should have been done, what was waited for added.
    pub deadline_at: DateTime<Utc>,
    /// What was waited for since then.
    pub waited: Waited,
    /// The legs, in the plan's order.
    pub legs: Vec<LegFact>,
    /// The gate's checks that do not pass, while it is closed.
    pub checks: Vec<Check>,
    /// The client; none: nobody onboarded it.
    pub tenant: Option<Tenant>,
}

/// One route is told.
#[derive(Debug, Clone)]
pub struct Told {
    /// `execution.escalated`.
    pub message: Message,
    /// Its webhook.
    pub alert: NewAlert,
}

/// Turns what is to be told into messages, one for each route; the service's, because it knows the wire and the receivers.
pub trait Escalate: Send + Sync {
    /// At least one.
    fn escalate(&self, what: &Escalation) -> Vec<Told>;
}

/// A clock whose step may be due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// Whose it is.
    pub execution_id: i64,
    /// Which of its clocks.
    pub kind: Kind,
}

/// What became of a clock that was due.
#[derive(Debug, Clone, PartialEq)]
pub enum Fired {
    /// Another instance has it, or it is not due any more.
    NotOurs,
    /// Its time has not come: what was waited for is taken off.
    Moved,
    /// It ended in time.
    Over,
    /// It is warned of.
    Warned(Place),
    /// People are told.
    Escalated(Place, Reason, Vec<String>),
}

/// What a log line names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The tenant.
    pub tenant_id: String,
    /// The version.
    pub plan_version: String,
}

/// Writes the sagas back, and the clocks that this starts or stops. Their rows are locked.
pub(crate) async fn save(conn: &mut Conn, executions: &[ExecutionRow]) -> Result<(), StoreError> {
    let ids: Vec<i64> = executions.iter().map(|e| e.id).collect();
    let sagas: Vec<Value> = executions.iter().map(|e| to_json(&e.saga)).collect();
    let revisions: Vec<i64> = executions.iter().map(|e| e.revision).collect();
    let settled: Vec<Option<&str>> = executions
        .iter()
        .map(|e| e.saga.settled.map(Outcome::as_str))
        .collect();
    let over: Vec<bool> = executions
        .iter()
        .map(|e| clock::launch_is_over(&e.saga))
        .collect();
    let trouble: Vec<i32> = executions.iter().map(|e| trouble(&e.saga)).collect();
    // A launch that ends after its step was due keeps that: whether it was in time is found out when the step is looked at. While
    // an amendment waits at the gate the launch clock is the amendment's. More trouble than was escalated is escalated again.
    sqlx::query(
        "-- clocks.save
         WITH n AS (SELECT * FROM unnest($1::bigint[], $2::jsonb[], $3::bigint[], $4::text[], $5::bool[], $6::int[])
                             AS n (id, saga, revision, settled, over, trouble)),
              saved AS (
                  UPDATE execution e SET saga = n.saga, revision = n.revision, settled = n.settled,
                         settled_at = CASE WHEN n.settled IS NOT NULL THEN coalesce(e.settled_at, clock_timestamp()) END
                  FROM n WHERE e.id = n.id RETURNING e.id, e.gate, n.over, n.trouble),
              step AS (
                  SELECT c.execution_id, c.kind, s.trouble,
                         CASE c.kind WHEN 'launch' THEN c.ended_at IS NOT NULL AND NOT s.over
                              ELSE s.trouble > 0 AND (c.ended_at IS NOT NULL OR c.due_at IS NULL AND s.trouble > c.legs)
                              END AS starts,
                         CASE c.kind WHEN 'launch' THEN c.ended_at IS NULL AND s.over AND s.gate = 'open'
                              ELSE c.ended_at IS NULL AND s.trouble = 0 END AS ends,
                         c.kind = 'failure' AND c.legs <> s.trouble AS counts
                  FROM saved s JOIN clock c ON c.execution_id = s.id)
         UPDATE clock c SET
             round = c.round + n.starts::int,
             since = CASE WHEN n.starts THEN clock_timestamp() ELSE c.since END,
             step = CASE WHEN NOT n.starts THEN c.step WHEN c.kind = 'launch' THEN 'warn' ELSE 'escalate' END,
             told_at = CASE WHEN NOT n.starts THEN c.told_at END,
             due_at = CASE WHEN n.starts THEN clock_timestamp()
                                + make_interval(secs => CASE c.kind WHEN 'launch' THEN c.warn_s ELSE c.limit_s END)
                           WHEN NOT n.ends OR c.kind = 'launch' AND c.due_at <= clock_timestamp() THEN c.due_at END,
             ended_at = CASE WHEN n.ends THEN clock_timestamp() WHEN NOT n.starts THEN c.ended_at END,
             legs = CASE c.kind WHEN 'failure' THEN n.trouble ELSE 0 END
         FROM step n
         WHERE c.execution_id = n.execution_id AND c.kind = n.kind AND (n.starts OR n.ends OR n.counts)",
    )
    .bind(&ids)
    .bind(sagas)
    .bind(revisions)
    .bind(settled)
    .bind(over)
    .bind(&trouble)
    .execute(&mut *conn)
    .await
    .map_err(refused("clocks.save"))?;
    let troubled: Vec<(i64, i32)> = ids.into_iter().zip(trouble).filter(|(_, n)| *n > 0).collect();
    failed(conn, &troubled).await
}

fn trouble(saga: &Saga) -> i32 {
    i32::try_from(clock::in_trouble(saga)).unwrap_or(i32::MAX)
}

/// The first failure of these executions: their failure clock starts.
async fn failed(conn: &mut Conn, troubled: &[(i64, i32)]) -> Result<(), StoreError> {
    if troubled.is_empty() {
        return Ok(());
    }
    let (ids, legs): (Vec<i64>, Vec<i32>) = troubled.iter().copied().unzip();
    sqlx::query(
        "-- clocks.failed
         INSERT INTO clock (execution_id, kind, since, limit_s, step, due_at, legs)
         SELECT n.id, 'failure', clock_timestamp(), l.grace_s, 'escalate',
                clock_timestamp() + make_interval(secs => l.grace_s), n.legs
         FROM unnest($1::bigint[], $2::int[]) AS n (id, legs) JOIN clock l ON l.execution_id = n.id AND l.kind = 'launch'
         ON CONFLICT (execution_id, kind) DO NOTHING",
    )
    .bind(ids)
    .bind(legs)
    .execute(conn)
    .await
    .map_err(refused("clocks.failed"))?;
    Ok(())
}

/// The gate stays closed: a payer's trouble is escalated as a failure is; when it is gone that is over.
pub(crate) async fn follow_gate(
    conn: &mut Conn,
    execution_id: i64,
    checks: &[Check],
) -> Result<(), StoreError> {
    let query = if checks.iter().any(clock::is_alarming) {
        "-- clocks.gate_alarms
         INSERT INTO clock AS c (execution_id, kind, since, limit_s, step, due_at)
         SELECT $1, 'failure', clock_timestamp(), l.grace_s, 'escalate', clock_timestamp() + make_interval(secs => l.grace_s)
         FROM clock l WHERE l.execution_id = $1 AND l.kind = 'launch'
         ON CONFLICT (execution_id, kind) DO UPDATE SET round = c.round + 1, since = excluded.since, limit_s = excluded.limit_s,
             step = 'escalate', due_at = excluded.due_at, ended_at = NULL, told_at = NULL
         WHERE c.ended_at IS NOT NULL"
    } else {
        "-- clocks.gate_is_calm
         UPDATE clock c SET ended_at = clock_timestamp(), due_at = NULL
         FROM execution e WHERE e.id = $1 AND e.saga IS NULL AND c.execution_id = e.id AND c.kind = 'failure'
           AND c.ended_at IS NULL"
    };
    sqlx::query(query)
        .bind(execution_id)
        .execute(conn)
        .await
        .map_err(refused("clocks.follow_gate"))?;
    Ok(())
}

/// Another payload was approved: the launch clock counts from that approval; from now, if a person forced an older one.
pub(crate) async fn restart(
    conn: &mut Conn,
    execution_id: i64,
    approved_at: Option<DateTime<Utc>>,
    limits: Limits,
) -> Result<(), StoreError> {
    sqlx::query(
        "-- clocks.restart
         WITH start AS (SELECT clock_start(coalesce($2, clock_timestamp())) AS at)
         UPDATE clock c SET round = round + 1, since = start.at, limit_s = $3, warn_s = $4, grace_s = $5, step = 'warn',
                due_at = start.at + make_interval(secs => $4), ended_at = NULL, told_at = NULL
         FROM start WHERE c.execution_id = $1 AND c.kind = 'launch'",
    )
    .bind(execution_id)
    .bind(approved_at)
    .bind(limits.launch_s)
    .bind(limits.warn_s)
    .bind(limits.grace_s)
    .execute(conn)
    .await
    .map_err(refused("clocks.restart"))?;
    Ok(())
}

/// Nothing is to be launched (any more): it was cancelled or refused, or an amendment was dropped. What is still moving for an
/// earlier payload keeps its clock.
pub(crate) async fn stop(conn: &mut Conn, execution_id: i64) -> Result<(), StoreError> {
    sqlx::query(
        "-- clocks.stop
         UPDATE clock c SET ended_at = clock_timestamp(), due_at = NULL
         FROM execution e WHERE e.id = $1 AND c.execution_id = e.id AND c.ended_at IS NULL
           AND (e.gate = 'cancelled' AND e.saga IS NULL OR c.kind = 'launch' AND e.settled IS NOT NULL)",
    )
    .bind(execution_id)
    .execute(conn)
    .await
    .map_err(refused("clocks.stop"))?;
    Ok(())
}

impl Store {
    /// Clocks whose step is due, the oldest first. One page of an index when there are none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn due_clocks(&self, limit: i64) -> Result<Vec<Due>, StoreError> {
        let rows = sqlx::query(
            "-- clocks.due
             SELECT execution_id, kind FROM clock WHERE due_at <= statement_timestamp() ORDER BY due_at LIMIT $1",
        )
        .bind(limit)
        .fetch_all(self.pool())
        .await
        .map_err(refused("clocks.due"))?;
        rows.into_iter()
            .map(|row| {
                let execution_id: i64 = row.get("execution_id");
                Ok(Due {
                    execution_id,
                    kind: parse_text("clock", execution_id, "kind", row.get("kind"), Kind::parse)?,
                })
            })
            .collect()
    }

    /// Carries a clock's step out, in one transaction with its events, alerts and audit entry; or moves it, if it waited.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was changed.
    pub async fn fire(
        &self,
        escalate: &dyn Escalate,
        due: Due,
        limits: Limits,
        now: &str,
    ) -> Result<Fired, StoreError> {
        let mut tx = self.begin().await?;
        let Some(held) = hold(&mut tx, due).await? else {
            return Ok(Fired::NotOurs);
        };
        let place = Place {
            tenant_id: held.escalation.tenant_id.clone(),
            plan_version: held.escalation.plan_version.clone(),
        };
        let fired = match held.reading.look() {
            Look::Later(seconds) => {
                next(&mut tx, due, held.reading.step, Some(seconds)).await?;
                Fired::Moved
            }
            Look::Over => {
                next(&mut tx, due, held.reading.step, None).await?;
                Fired::Over
            }
            Look::Warn(seconds) => {
                next(&mut tx, due, Step::Breach, Some(seconds)).await?;
                alerts::count(&mut tx, &[("deadline_warnings_total", "", 1)]).await?;
                audit::append(&mut tx, &[record(&held.escalation, "clock.warned", &[], now)]).await?;
                Fired::Warned(place)
            }
            Look::Breach => {
                next(&mut tx, due, Step::Done, None).await?;
                tell(&mut tx, escalate, held, (limits, now), place).await?
            }
            Look::Escalate => {
                next(&mut tx, due, Step::Escalate, None).await?;
                tell(&mut tx, escalate, held, (limits, now), place).await?
            }
        };
        commit(tx, "clocks.fire").await?;
        Ok(fired)
    }

    /// A clock that cannot be read is left alone for a while, so that it holds up no other.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_off_clock(&self, due: Due, seconds: i64) -> Result<(), StoreError> {
        sqlx::query(
            "-- clocks.put_off
             UPDATE clock SET due_at = clock_timestamp() + make_interval(secs => $3)
             WHERE execution_id = $1 AND kind = $2 AND due_at <= clock_timestamp()",
        )
        .bind(due.execution_id)
        .bind(due.kind.as_str())
        .bind(seconds)
        .execute(self.pool())
        .await
        .map_err(refused("clocks.put_off"))?;
        Ok(())
    }
}

/// A clock that is due and its execution, locked.
struct Held {
    reading: Reading,
    escalation: Escalation,
    /// The gate's checks do not matter any more.
    gate_open: bool,
}

async fn hold(conn: &mut Conn, due: Due) -> Result<Option<Held>, StoreError> {
    let row = sqlx::query(
        "-- clocks.hold
         SELECT c.round, c.since, c.limit_s, c.warn_s, c.step, c.ended_at IS NOT NULL AS ended, e.tenant_id, e.plan_id,
                e.plan_version, e.traceparent, e.gate
         FROM execution e JOIN clock c ON c.execution_id = e.id
         WHERE e.id = $1 AND c.kind = $2 AND c.due_at <= clock_timestamp() FOR UPDATE OF e, c SKIP LOCKED",
    )
    .bind(due.execution_id)
    .bind(due.kind.as_str())
    .fetch_optional(&mut *conn)
    .await
    .map_err(refused("clocks.hold"))?;
    let Some(row) = row else { return Ok(None) };
    let time = sqlx::query(
        "-- clocks.waited
         SELECT w.*, extract(epoch FROM t.at - c.since)::float8 AS elapsed_s,
                c.since + make_interval(secs => c.limit_s + w.total_s) AS deadline_at
         FROM clock c JOIN execution e ON e.id = c.execution_id,
              LATERAL (SELECT coalesce(c.ended_at, clock_timestamp()) AS at) t,
              LATERAL execution_waited(e.id, e.tenant_id, c.since, t.at) w
         WHERE c.execution_id = $1 AND c.kind = $2",
    )
    .bind(due.execution_id)
    .bind(due.kind.as_str())
    .fetch_one(&mut *conn)
    .await
    .map_err(refused("clocks.waited"))?;
    let id = due.execution_id;
    let reading = Reading {
        step: parse_text("clock", id, "step", row.get("step"), Step::parse)?,
        limit_s: row.get::<i64, _>("limit_s") as f64,
        warn_s: row.get::<i64, _>("warn_s") as f64,
        elapsed_s: time.get("elapsed_s"),
        waited_s: time.get("total_s"),
        waiting: time.get("waiting"),
        ended: row.get("ended"),
    };
    let tenant_id: String = row.get("tenant_id");
    Ok(Some(Held {
        reading,
        gate_open: row.get::<String, _>("gate") == "open",
        escalation: Escalation {
            execution_id: id,
            plan_id: row.get("plan_id"),
            plan_version: row.get("plan_version"),
            traceparent: row.get("traceparent"),
            reason: match due.kind {
                Kind::Launch => Reason::DeadlineBreached,
                Kind::Failure => Reason::Failure,
            },
            round: row.get("round"),
            since: row.get("since"),
            deadline_at: time.get("deadline_at"),
            waited: Waited::of(&time),
            legs: Vec::new(),
            checks: Vec::new(),
            tenant: None,
            tenant_id,
        },
    }))
}

/// The clock's next step, and when it is due; none: nothing is.
async fn next(conn: &mut Conn, due: Due, step: Step, in_s: Option<f64>) -> Result<(), StoreError> {
    sqlx::query(
        "-- clocks.next
         UPDATE clock SET step = $3, due_at = clock_timestamp() + make_interval(secs => $4)
         WHERE execution_id = $1 AND kind = $2",
    )
    .bind(due.execution_id)
    .bind(due.kind.as_str())
    .bind(step.as_str())
    .bind(in_s)
    .execute(conn)
    .await
    .map_err(refused("clocks.next"))?;
    Ok(())
}

/// Events, alerts, counts, audit.
async fn tell(
    conn: &mut Conn,
    escalate: &dyn Escalate,
    held: Held,
    (limits, now): (Limits, &str),
    place: Place,
) -> Result<Fired, StoreError> {
    let mut what = held.escalation;
    what.legs = leg_facts(conn, &[what.execution_id], &[])
        .await?
        .into_iter()
        .map(|leg| leg.fact)
        .collect();
    if !held.gate_open {
        what.checks = super::gate::checks_of(&mut *conn, what.execution_id).await?;
        what.checks
            .retain(|c| c.outcome != crate::domain::gate::Outcome::Pass);
    }
    what.tenant = tenant(conn, &what.tenant_id).await?;
    let kind = match what.reason {
        Reason::DeadlineBreached => Kind::Launch,
        Reason::Failure => Kind::Failure,
    };
    let after: f64 = sqlx::query_scalar(
        "-- clocks.told
         UPDATE clock SET told_at = clock_timestamp() WHERE execution_id = $1 AND kind = $2
         RETURNING extract(epoch FROM told_at - since)::float8",
    )
    .bind(what.execution_id)
    .bind(kind.as_str())
    .fetch_one(&mut *conn)
    .await
    .map_err(refused("clocks.told"))?;
    let told = escalate.escalate(&what);
    let messages: Vec<Message> = told.iter().map(|t| t.message.clone()).collect();
    outbox::put(conn, &messages).await?;
    let late_in_s = match what.reason {
        Reason::DeadlineBreached => limits.promise_s as f64,
        Reason::Failure => limits.promise_s as f64 - after,
    };
    let new: Vec<&NewAlert> = told.iter().map(|t| &t.alert).collect();
    alerts::insert(conn, &what, &new, late_in_s).await?;
    let routes: Vec<String> = new.iter().map(|a| a.route.clone()).collect();
    let mut counts: Vec<(&str, &str, i64)> = match what.reason {
        Reason::DeadlineBreached => vec![("deadline_breaches_total", "", 1)],
        Reason::Failure => vec![("escalation_seconds_total", "", after.round() as i64)],
    };
    if what.reason == Reason::Failure {
        counts.extend(routes.iter().map(|r| ("escalations_total", r.as_str(), 1)));
    }
    alerts::count(conn, &counts).await?;
    let action = match what.reason {
        Reason::DeadlineBreached => "clock.breached",
        Reason::Failure => "clock.escalated",
    };
    audit::append(conn, &[record(&what, action, &new, now)]).await?;
    Ok(Fired::Escalated(place, what.reason, routes))
}

async fn tenant(conn: &mut Conn, tenant_id: &str) -> Result<Option<Tenant>, StoreError> {
    let document: Option<Value> =
        sqlx::query_scalar("-- clocks.tenant\nSELECT document FROM tenant WHERE tenant_id = $1")
            .bind(tenant_id)
            .fetch_optional(conn)
            .await
            .map_err(refused("clocks.tenant"))?;
    document
        .map(|d| parse_json("tenant", tenant_id, "document", d))
        .transpose()
}

fn record(what: &Escalation, action: &str, told: &[&NewAlert], now: &str) -> Record {
    let told: Vec<Value> = told
        .iter()
        .map(|a| json!({ "alert": a.id, "route": a.route, "receiver": a.receiver }))
        .collect();
    Record {
        tenant_id: what.tenant_id.clone(),
        entry: Entry {
            at: now.to_owned(),
            actor: "service".to_owned(),
            action: action.to_owned(),
            plan_version: Some(what.plan_version.clone()),
            leg: None,
            detail: json!({ "since": what.since, "deadline_at": what.deadline_at, "waited": what.waited, "told": told }),
        },
    }
}
