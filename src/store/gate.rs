//! Executions that wait for the gate: leased one by one, their verdicts kept, their legs made when it opens.
//!
//! Must not judge (domain::gate does) nor ask anybody (service::gate does).

use super::amend::{self, Came};
use super::audit::{Entry, Record};
use super::moves::{Compose, ExecutionRow, Moves};
use super::outbox::{self, Message};
use super::replace::Fixed;
use super::touchpoints::{Scope, Settling};
use super::withdraw::{self, Queued};
use super::{
    Conn, Store, StoreError, audit, clocks, commit, lineage, parse_text, refused, supersede, to_json,
    touchpoints,
};
use crate::domain::gate::{Check, Outcome};
use crate::domain::lineage::{Place, Turn};
use crate::domain::saga::Saga;
use crate::domain::spec::LegSpec;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::Row;
use std::time::Duration;

/// An execution whose gate is to be asked, leased.
#[derive(Debug, Clone)]
pub struct GateJob {
    /// Its id.
    pub execution_id: i64,
    /// Fences the lease.
    pub token: i64,
    /// The tenant.
    pub tenant_id: String,
    /// The plan version.
    pub plan_version: String,
    /// The plan as it came.
    pub payload: Value,
    /// What an approval is bound to.
    pub payload_hash: String,
    /// Of the message.
    pub traceparent: Option<String>,
    /// Whether the tenant ever launched anything.
    pub launched_before: bool,
    /// Who approved this payload, if anyone.
    pub approved_by: Option<String>,
    /// The payload in force that this one amends or supersedes; none: nothing of it is launched.
    pub in_force: Option<Value>,
    /// `platform/key` of the legs that were campaigns of others: no campaign of a payload can bear such a key.
    pub replaced: Vec<String>,
}

/// What a look at the gate ends in.
pub enum GateResult {
    /// Not yet: ask again after this long; `blocked` is published when it changed.
    Closed {
        /// Nobody but a change outside can open it.
        blocked: bool,
        /// When to ask again.
        again_in: Duration,
        /// `execution.blocked`.
        messages: Vec<Message>,
        /// A launch approval is needed: what a person is asked to do.
        ask: Option<String>,
    },
    /// Go: the legs, in the plan's order, with their platforms' positions.
    Open {
        /// The saga over them, not started.
        saga: Saga,
        /// One per leg.
        legs: Vec<(LegSpec, u8)>,
        /// What of the plan's tracking the platforms will not be given.
        stripped: Vec<Stripped>,
        /// What of a campaign cannot be changed: another one is made then.
        fixed: Fixed,
    },
}

/// `utm_*` of a leg's landing URLs that its platform must not be given; `tracking.stripped` in the audit.
#[derive(Debug, Clone, PartialEq)]
pub struct Stripped {
    /// `platform/logical_campaign_key`.
    pub leg: String,
    /// Which parameters of which ads.
    pub detail: Value,
}

impl Store {
    /// Leases executions whose gate is due, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn lease_gates(&self, limit: i64, lease: Duration) -> Result<Vec<GateJob>, StoreError> {
        let rows = sqlx::query(
            "-- gate.lease
             WITH due AS (
                 SELECT id FROM execution
                 WHERE gate IN ('pending', 'blocked') AND gate_at <= clock_timestamp()
                   AND (gate_lease IS NULL OR gate_lease < clock_timestamp())
                   AND NOT EXISTS (SELECT FROM tenant_pause p
                                   WHERE p.tenant_id = execution.tenant_id AND p.lifted_at IS NULL)
                 ORDER BY gate_at LIMIT $1 FOR UPDATE SKIP LOCKED)
             UPDATE execution e
             SET gate_lease = clock_timestamp() + make_interval(secs => $2), gate_token = gate_token + 1
             FROM due WHERE e.id = due.id
             RETURNING e.id, e.gate_token, e.tenant_id, e.plan_version, e.payload, e.payload_hash, e.traceparent,
                 EXISTS (SELECT FROM tenant t WHERE t.tenant_id = e.tenant_id AND t.first_launch_at IS NOT NULL) AS launched,
                 (SELECT CASE p.resolution WHEN 'approve' THEN coalesce(p.resolved_by, '') END FROM touchpoint p
                  WHERE p.execution_id = e.id AND p.kind = 'launch_approval' AND p.payload_hash = e.payload_hash
                    AND p.resolution IN ('approve', 'reject')
                  ORDER BY p.resolved_at DESC, p.id DESC LIMIT 1) AS approved_by,
                 CASE WHEN e.saga IS NOT NULL THEN e.applied_payload END AS in_force,
                 e.saga IS NULL AND e.takes_over IS NOT NULL AS takes_over,
                 ARRAY(SELECT l.platform || '/' || l.logical_campaign_key FROM leg l
                       WHERE l.execution_id = e.id AND l.replaced_by IS NOT NULL) AS replaced",
        )
        .bind(limit)
        .bind(lease.as_secs_f64())
        .fetch_all(self.pool())
        .await
        .map_err(refused("gate.lease"))?;
        let mut jobs = Vec::with_capacity(rows.len());
        for row in rows {
            let mut in_force = row.get("in_force");
            let execution_id = row.get("id");
            if row.get("takes_over") {
                in_force = of_the_holder(&mut *self.connection().await?, execution_id).await?;
            }
            jobs.push(GateJob {
                execution_id,
                token: row.get("gate_token"),
                tenant_id: row.get("tenant_id"),
                plan_version: row.get("plan_version"),
                payload: row.get("payload"),
                payload_hash: row.get("payload_hash"),
                traceparent: row.get("traceparent"),
                launched_before: row.get("launched"),
                approved_by: row.get("approved_by"),
                in_force,
                replaced: row.get("replaced"),
            });
        }
        Ok(jobs)
    }

    /// Writes down what the gate said. `false`: the lease was lost, nothing was written.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn record_gate(
        &self,
        compose: &dyn Compose,
        job: &GateJob,
        checks: &[Check],
        result: GateResult,
        now: &str,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        if matches!(result, GateResult::Open { .. }) && !may_open(&mut tx, &job.tenant_id).await? {
            return Ok(false);
        }
        // Commands come before executions in the lock order, and opening may change what is launched already.
        let reach = match &result {
            GateResult::Open { .. } => reach(&mut tx, job).await?,
            GateResult::Closed { .. } => Reach::default(),
        };
        let (gate, again_in) = match &result {
            GateResult::Closed {
                blocked, again_in, ..
            } => (
                if *blocked { "blocked" } else { "pending" },
                again_in.as_secs_f64(),
            ),
            GateResult::Open { .. } => ("open", 0.0),
        };
        let held = sqlx::query(
            "-- gate.record
             UPDATE execution SET gate = $3, gate_lease = NULL, gate_at = clock_timestamp() + make_interval(secs => $4),
                    gate_opened_at = CASE WHEN $3 = 'open' THEN clock_timestamp() ELSE gate_opened_at END
             WHERE id = $1 AND gate_token = $2 AND gate IN ('pending', 'blocked')",
        )
        .bind(job.execution_id)
        .bind(job.token)
        .bind(gate)
        .bind(again_in)
        .execute(&mut *tx)
        .await
        .map_err(refused("gate.record"))?;
        if held.rows_affected() != 1 {
            return Ok(false);
        }
        let changed = record_checks(&mut tx, job.execution_id, checks).await?;
        touchpoints::follow_gate(&mut tx, compose, job.execution_id, checks).await?;
        let opened = matches!(result, GateResult::Open { .. });
        let mut came = Came::Applied {
            legs: 0,
            replaced: Vec::new(),
        };
        let mut notes = Vec::new();
        match result {
            GateResult::Closed { messages, ask, .. } => {
                match ask {
                    Some(ask) => {
                        touchpoints::ask_for_approval(&mut tx, compose, job.execution_id, ask).await?;
                    }
                    None => not_needed(&mut tx, compose, job).await?,
                }
                outbox::put(&mut tx, &messages).await?;
                clocks::follow_gate(&mut tx, job.execution_id, checks).await?;
            }
            GateResult::Open {
                saga,
                legs,
                stripped,
                fixed,
            } => {
                notes = stripped;
                came = enter(&mut tx, compose, (job, &reach), (saga, &fixed), &legs).await?;
                settle_gate(&mut tx, job, &came).await?;
                not_needed(&mut tx, compose, job).await?;
            }
        }
        let gate = match came {
            Came::Applied { .. } => gate,
            Came::Busy { .. } | Came::Undoing => "pending",
            Came::Fenced => "fenced",
            Came::Overtaken => "superseded",
        };
        // Asked again and again, it would fill the log.
        let waits = matches!(came, Came::Busy { .. } | Came::Undoing);
        if changed || opened && !waits {
            let record = |action: String, leg: Option<String>, detail: Value| Record {
                tenant_id: job.tenant_id.clone(),
                entry: Entry {
                    at: now.to_owned(),
                    actor: "service".to_owned(),
                    action,
                    plan_version: Some(job.plan_version.clone()),
                    leg,
                    detail,
                },
            };
            let verdict = json!({ "checks": checks, "came_to": came.words() });
            let mut records = vec![record(format!("gate.{gate}"), None, verdict)];
            if let Came::Applied { replaced, .. } = came {
                let lineage = |(leg, detail)| record("leg.replaced".to_owned(), Some(leg), detail);
                records.extend(replaced.into_iter().map(lineage));
                let note = |n: Stripped| record("tracking.stripped".to_owned(), Some(n.leg), n.detail);
                records.extend(notes.into_iter().map(note));
            }
            audit::append(&mut tx, &records).await?;
        }
        commit(tx, "gate.record").await?;
        Ok(true)
    }

    /// The verdicts kept for an execution.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn gate_checks(&self, execution_id: i64) -> Result<Vec<Check>, StoreError> {
        checks_of(&mut *self.connection().await?, execution_id).await
    }
}

/// Nobody has to approve it (any more): another launch of the tenant came first, or the policy is another.
async fn not_needed(conn: &mut Conn, compose: &dyn Compose, job: &GateJob) -> Result<(), StoreError> {
    let settling = Settling {
        executions: &[job.execution_id],
        scope: Scope::Approval,
        how: "not_needed",
        by: "service",
        reason: Some("the tenant's policy does not ask for it now"),
    };
    touchpoints::settle(conn, compose, &settling).await.map(drop)
}

/// The verdicts kept for an execution.
pub(crate) async fn checks_of(conn: &mut Conn, execution_id: i64) -> Result<Vec<Check>, StoreError> {
    let rows = sqlx::query(
        "-- gate.checks
         SELECT check_name, outcome, reason, remedy, age_s, plan_amount, platform_limit, alert_code, route
         FROM gate_check WHERE execution_id = $1 ORDER BY check_name",
    )
    .bind(execution_id)
    .fetch_all(conn)
    .await
    .map_err(refused("gate.checks"))?;
    rows.into_iter()
        .map(|row| {
            let outcome = row.get("outcome");
            Ok(Check {
                outcome: parse_text("gate_check", execution_id, "outcome", outcome, Outcome::parse)?,
                check: row.get("check_name"),
                reason: row.get("reason"),
                remedy: row.get("remedy"),
                age_s: row.get("age_s"),
                plan_amount: row.get("plan_amount"),
                platform_limit: row.get("platform_limit"),
                alert_code: row.get("alert_code"),
                route: row.get("route"),
                again_s: 0,
            })
        })
        .collect()
}

/// No gate opens for a tenant that was paused while it was asked: it is asked again when the pause is over.
async fn may_open(conn: &mut Conn, tenant: &str) -> Result<bool, StoreError> {
    sqlx::query_scalar("-- gate.may_open\nSELECT tenant_may_send($1)")
        .bind(tenant)
        .fetch_one(conn)
        .await
        .map_err(refused("gate.may_open"))
}

/// Keeps the latest verdicts; whether any outcome or reason changed.
async fn record_checks(conn: &mut Conn, execution_id: i64, checks: &[Check]) -> Result<bool, StoreError> {
    let column = |f: fn(&Check) -> &str| checks.iter().map(f).collect::<Vec<_>>();
    let optional =
        |f: fn(&Check) -> &Option<String>| checks.iter().map(|c| f(c).as_deref()).collect::<Vec<_>>();
    let ages: Vec<i64> = checks.iter().map(|c| c.age_s).collect();
    let gone = sqlx::query(
        "-- gate.checks_gone
         DELETE FROM gate_check WHERE execution_id = $1 AND NOT (check_name = ANY($2))",
    )
    .bind(execution_id)
    .bind(column(|c| &c.check))
    .execute(&mut *conn)
    .await
    .map_err(refused("gate.checks_gone"))?;
    let changed: i64 = sqlx::query_scalar(
        "-- gate.checks_kept
         WITH new AS (SELECT * FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[],
                          $8::text[], $9::text[], $10::text[])
                          AS n (check_name, outcome, reason, remedy, age_s, plan_amount, platform_limit, alert_code, route)),
              old AS (SELECT check_name, outcome, reason FROM gate_check WHERE execution_id = $1),
              kept AS (
                  INSERT INTO gate_check (execution_id, check_name, outcome, reason, remedy, age_s, plan_amount,
                      platform_limit, alert_code, route)
                  SELECT $1, * FROM new
                  ON CONFLICT (execution_id, check_name) DO UPDATE SET outcome = excluded.outcome,
                      reason = excluded.reason, remedy = excluded.remedy, age_s = excluded.age_s,
                      plan_amount = excluded.plan_amount, platform_limit = excluded.platform_limit,
                      alert_code = excluded.alert_code, route = excluded.route, checked_at = clock_timestamp())
         SELECT count(*) FROM new LEFT JOIN old USING (check_name)
         WHERE old.outcome IS DISTINCT FROM new.outcome OR old.reason IS DISTINCT FROM new.reason",
    )
    .bind(execution_id)
    .bind(column(|c| &c.check))
    .bind(column(|c| c.outcome.as_str()))
    .bind(column(|c| &c.reason))
    .bind(column(|c| &c.remedy))
    .bind(ages)
    .bind(optional(|c| &c.plan_amount))
    .bind(optional(|c| &c.platform_limit))
    .bind(optional(|c| &c.alert_code))
    .bind(optional(|c| &c.route))
    .fetch_one(conn)
    .await
    .map_err(refused("gate.checks_kept"))?;
    Ok(changed > 0 || gone.rows_affected() > 0)
}

/// What an opening gate may change besides its own execution, all of it locked.
#[derive(Default)]
struct Reach {
    /// Its place among the versions of its plan.
    place: Option<Place>,
    /// The place was another when the locks were had: to be asked again.
    moved: bool,
    /// Unfinished commands.
    queued: Vec<Queued>,
}

/// Locks the commands of what an opening gate may change: its own execution, launched before, and the version whose campaigns
/// it takes over or whose it shows to be another's.
async fn reach(conn: &mut Conn, job: &GateJob) -> Result<Reach, StoreError> {
    let place = lineage::place(conn, job.execution_id).await?;
    let (holder, by) = match place.turn {
        Turn::After(holder) => (Some(holder), None),
        Turn::Overtaken { by, holds } => (holds, Some(by)),
        Turn::First | Turn::Waits(_) => (None, None),
    };
    let whose: Vec<i64> = holder.into_iter().chain([job.execution_id]).collect();
    let queued = withdraw::lock(conn, &whose).await?;
    let mut ids: Vec<i64> = whose
        .into_iter()
        .chain(by)
        .chain(place.passed.iter().copied())
        .collect();
    ids.sort_unstable();
    sqlx::query("-- gate.reach\nSELECT id FROM execution WHERE id = ANY($1) ORDER BY id FOR UPDATE")
        .bind(ids)
        .execute(&mut *conn)
        .await
        .map_err(refused("gate.reach"))?;
    let now = lineage::place(conn, job.execution_id).await?;
    Ok(Reach {
        moved: now != place,
        place: Some(place),
        queued,
    })
}

/// The payload in force of the version that this one will take over from.
async fn of_the_holder(conn: &mut Conn, execution_id: i64) -> Result<Option<Value>, StoreError> {
    let Turn::After(holder) = lineage::place(conn, execution_id).await?.turn else {
        return Ok(None);
    };
    sqlx::query_scalar("-- gate.in_force\nSELECT applied_payload FROM execution WHERE id = $1")
        .bind(holder)
        .fetch_one(conn)
        .await
        .map_err(refused("gate.in_force"))
}

/// The gate is open: for a launch, for a launch that takes an older version's campaigns over, or for another payload of what
/// is launched already.
async fn enter(
    conn: &mut Conn,
    compose: &dyn Compose,
    (job, reach): (&GateJob, &Reach),
    (saga, fixed): (Saga, &Fixed),
    legs: &[(LegSpec, u8)],
) -> Result<Came, StoreError> {
    let Some(place) = reach.place.as_ref().filter(|_| !reach.moved) else {
        return Ok(Came::Busy { legs: 0 });
    };
    let standing = standing(conn, job.execution_id).await?;
    let queued = reach.queued.as_slice();
    if standing.launched {
        // Launched anew it would make campaigns beside those of a version that has come in the meantime.
        let another_holds = matches!(place.turn, Turn::After(_) | Turn::Overtaken { .. });
        return match (standing.anew, standing.undoing) {
            // What it had taken over is not its own any more: a newer version takes it from who has it now.
            (true, _) if standing.took_over || another_holds => Ok(Came::Fenced),
            (true, _) if matches!(place.turn, Turn::Waits(_)) => Ok(Came::Undoing),
            (false, true) => Ok(Came::Undoing),
            (true, _) | (false, false) => {
                amend::amend(conn, compose, job, (&saga, fixed), (legs, queued)).await
            }
        };
    }
    match place.turn {
        Turn::Waits(_) => Ok(Came::Undoing),
        Turn::Overtaken { by, holds } => {
            if let Some(holds) = holds {
                let came = supersede::leave(conn, compose, (holds, by), queued).await?;
                if !matches!(came, Came::Overtaken) {
                    return Ok(came);
                }
            }
            lineage::supersede(conn, &[job.execution_id], by).await?;
            let newer = lineage::name(conn, by).await?;
            touchpoints::superseded(conn, compose, job.execution_id, &newer).await?;
            Ok(Came::Overtaken)
        }
        Turn::After(older) => {
            let came =
                supersede::supersede(conn, compose, (job, older), (&saga, fixed), (legs, queued)).await?;
            if matches!(came, Came::Applied { .. }) {
                pass(conn, compose, place, job).await?;
            }
            Ok(came)
        }
        Turn::First => {
            open(conn, compose, job, saga, legs).await?;
            pass(conn, compose, place, job).await?;
            Ok(Came::Applied {
                legs: legs.len(),
                replaced: Vec::new(),
            })
        }
    }
}

/// How an execution stands whose gate opens.
#[derive(Default)]
struct Standing {
    launched: bool,
    /// It failed, and may be launched anew.
    anew: bool,
    /// It took an older version's campaigns over (and gave them back, if it failed).
    took_over: bool,
    /// A newer version that took its campaigns over is being undone.
    undoing: bool,
}

async fn standing(conn: &mut Conn, execution_id: i64) -> Result<Standing, StoreError> {
    let row = sqlx::query(concat!(
        "-- gate.standing
         SELECT e.saga, e.supersedes, ",
        lineage::undoing!("n"),
        " AS undoing
         FROM execution e LEFT JOIN execution n ON n.id = e.superseded_by WHERE e.id = $1"
    ))
    .bind(execution_id)
    .fetch_one(conn)
    .await
    .map_err(refused("gate.standing"))?;
    let undoing: Option<bool> = row.get("undoing");
    let Some(saga) = row.get::<Option<Value>, _>("saga") else {
        return Ok(Standing::default());
    };
    let saga: Saga = super::parse_json("execution", execution_id, "saga", saga)?;
    Ok(Standing {
        launched: true,
        anew: saga.may_start_anew(),
        took_over: row.get::<Option<i64>, _>("supersedes").is_some(),
        undoing: undoing == Some(true),
    })
}

/// Versions between this one and the one that it took over from: they hold nothing, and are never launched (again).
async fn pass(
    conn: &mut Conn,
    compose: &dyn Compose,
    place: &Place,
    job: &GateJob,
) -> Result<(), StoreError> {
    if place.passed.is_empty() {
        return Ok(());
    }
    lineage::supersede(conn, &place.passed, job.execution_id).await?;
    for passed in &place.passed {
        clocks::stop(conn, *passed).await?;
        touchpoints::superseded(conn, compose, *passed, &job.plan_version).await?;
    }
    Ok(())
}

/// What the opened gate came to: the payload is in force, or asked again when the workers are done, or refused for good.
async fn settle_gate(conn: &mut Conn, job: &GateJob, came: &Came) -> Result<(), StoreError> {
    let query = match came {
        Came::Applied { .. } => {
            "-- gate.applied
             UPDATE execution SET applied_payload = payload, applied_hash = payload_hash,
                    applied_approved_at = approved_at, applied_approved_by = approved_by WHERE id = $1"
        }
        Came::Busy { .. } => {
            "-- gate.busy
             UPDATE execution SET gate = 'pending', gate_at = clock_timestamp() + interval '250 milliseconds' WHERE id = $1"
        }
        Came::Undoing => {
            "-- gate.undoing
             UPDATE execution SET gate = 'pending', gate_at = clock_timestamp() + interval '10 seconds' WHERE id = $1"
        }
        Came::Fenced => {
            "-- gate.fenced
             UPDATE execution SET payload = coalesce(applied_payload, payload), payload_hash = coalesce(applied_hash,
                    payload_hash), approved_at = coalesce(applied_approved_at, approved_at),
                    approved_by = coalesce(applied_approved_by, approved_by) WHERE id = $1"
        }
        Came::Overtaken => return clocks::stop(conn, job.execution_id).await,
    };
    sqlx::query(query)
        .bind(job.execution_id)
        .execute(&mut *conn)
        .await
        .map_err(refused("gate.settle"))?;
    if matches!(came, Came::Fenced) {
        clocks::stop(conn, job.execution_id).await?;
    }
    Ok(())
}

/// Makes the legs and starts the saga.
async fn open(
    conn: &mut Conn,
    compose: &dyn Compose,
    job: &GateJob,
    mut saga: Saga,
    legs: &[(LegSpec, u8)],
) -> Result<(), StoreError> {
    let effects = saga.start();
    let row = sqlx::query(
        "-- gate.open
         UPDATE execution SET saga = $2 WHERE id = $1
         RETURNING plan_id, revision, traceparent,
             to_char(approved_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') AS approved_at",
    )
    .bind(job.execution_id)
    .bind(to_json(&saga))
    .fetch_one(&mut *conn)
    .await
    .map_err(refused("gate.open"))?;
    let mut execution = ExecutionRow {
        id: job.execution_id,
        tenant_id: job.tenant_id.clone(),
        plan_id: row.get("plan_id"),
        plan_version: job.plan_version.clone(),
        approved_at: row.get("approved_at"),
        traceparent: row.get("traceparent"),
        revision: row.get("revision"),
        saga,
    };
    insert_legs(conn, &execution, legs).await?;
    let mut moves = Moves::default();
    moves
        .note(conn, compose, (0, &mut execution), None, &effects)
        .await?;
    moves
        .write(conn, compose, std::slice::from_ref(&execution))
        .await?;
    sqlx::query(
        "-- gate.first_launch
         UPDATE tenant SET first_launch_at = clock_timestamp() WHERE tenant_id = $1 AND first_launch_at IS NULL",
    )
    .bind(&job.tenant_id)
    .execute(conn)
    .await
    .map_err(refused("gate.first_launch"))?;
    Ok(())
}

async fn insert_legs(
    conn: &mut Conn,
    execution: &ExecutionRow,
    legs: &[(LegSpec, u8)],
) -> Result<(), StoreError> {
    let platforms: Vec<&str> = legs.iter().map(|(s, _)| s.key.platform.as_str()).collect();
    let keys: Vec<&str> = legs
        .iter()
        .map(|(s, _)| s.key.logical_campaign_key.as_str())
        .collect();
    let positions: Vec<i16> = legs.iter().map(|(_, p)| i16::from(*p)).collect();
    let ordinals: Vec<i32> = (0..).take(legs.len()).collect();
    let specs: Vec<Value> = legs.iter().map(|(s, _)| to_json(s)).collect();
    let starts: Vec<DateTime<Utc>> = legs.iter().map(|(s, _)| s.campaign.schedule.start).collect();
    sqlx::query(
        "-- gate.legs
         INSERT INTO leg (execution_id, tenant_id, plan_version, platform, logical_campaign_key, position, ordinal, spec,
                          starts_at)
         SELECT $1, $2, $3, * FROM unnest($4::text[], $5::text[], $6::smallint[], $7::int[], $8::jsonb[], $9::timestamptz[])",
    )
    .bind(execution.id)
    .bind(&execution.tenant_id)
    .bind(&execution.plan_version)
    .bind(platforms)
    .bind(keys)
    .bind(positions)
    .bind(ordinals)
    .bind(specs)
    .bind(starts)
    .execute(conn)
    .await
    .map_err(refused("gate.legs"))?;
    Ok(())
}
