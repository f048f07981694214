//! Taking messages in: the inbox row, the execution and the audit entry in one transaction, before the offset is stored.
//!
//! Must not validate (wire did) and must not drop anything: what cannot be read becomes a dead letter.

use super::audit::{Entry, Record};
use super::moves::Compose;
use super::outbox::{self, Message};
use super::touchpoints::{Scope, Settling};
use super::{Conn, Store, StoreError, audit, clocks, commit, parse_json, refused, touchpoints};
use crate::domain::clock::Limits;
use crate::domain::saga::{Direction, Saga};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::Row;

/// A plan as intake hands it over.
#[derive(Debug, Clone)]
pub struct NewPlan {
    /// The tenant.
    pub tenant_id: String,
    /// The plan.
    pub plan_id: String,
    /// The version.
    pub plan_version: String,
    /// The whole message.
    pub payload: Value,
    /// Of its content without `approved_at` and `approved_by`: approving the same content again is no amendment.
    pub payload_hash: String,
    /// When it was approved.
    pub approved_at: DateTime<Utc>,
    /// By whom.
    pub approved_by: String,
    /// The producer's id of the message.
    pub event_id: Option<String>,
    /// How long it may take.
    pub limits: Limits,
    /// Of the message.
    pub traceparent: Option<String>,
    /// Why an older payload shall win over what is in force; none: it must not.
    pub force: Option<String>,
    /// RFC 3339: now.
    pub now: String,
}

/// What became of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// A new execution.
    New,
    /// The same content as before: a closed gate is asked again; what is launched is compared with the platforms soon
    /// (`store::checks`).
    Again,
    /// Other content, approved later: it replaces the earlier one when it has passed the gate.
    Amended,
    /// Other content, approved later, of a version that was rolled back, or whose campaigns a newer version has.
    Fenced {
        /// Why it changes nothing.
        why: &'static str,
    },
    /// Other content, approved earlier than what we have: it must not revert it.
    Older {
        /// When ours was approved.
        ours: DateTime<Utc>,
    },
    /// The version belongs to another plan.
    OtherPlan {
        /// That plan.
        plan_id: String,
    },
}

impl Taken {
    /// As the audit log spells it.
    fn action(&self) -> &'static str {
        match self {
            Self::New => "plan.accepted",
            Self::Again => "plan.seen_again",
            Self::Amended => "plan.amended",
            Self::Fenced { .. } => "plan.amendment_refused",
            Self::Older { .. } => "plan.older_refused",
            Self::OtherPlan { .. } => "plan.other_plan_refused",
        }
    }
}

impl Store {
    /// Takes plans in, all in one transaction; what became of each, in order.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was changed, and the messages must come again (one by one, if one of them is refused).
    pub async fn take_plans(
        &self,
        compose: &dyn Compose,
        plans: &[NewPlan],
    ) -> Result<Vec<Taken>, StoreError> {
        let mut tx = self.begin().await?;
        // In one order, so that two instances cannot wait for each other's rows.
        let mut order: Vec<usize> = (0..plans.len()).collect();
        order.sort_by_key(|i| plans.get(*i).map(|p| (&p.tenant_id, &p.plan_version, *i)));
        let mut taken: Vec<Option<Taken>> = vec![None; plans.len()];
        let mut records = Vec::with_capacity(plans.len());
        for i in order {
            let (Some(plan), Some(place)) = (plans.get(i), taken.get_mut(i)) else {
                continue;
            };
            let (outcome, record) = take(&mut tx, compose, plan).await?;
            *place = Some(outcome);
            records.push(record);
        }
        audit::append(&mut tx, &records).await?;
        commit(tx, "intake.take_plans").await?;
        Ok(taken.into_iter().flatten().collect())
    }

    /// Keeps what could not be read: the raw bytes and the reason go to the dead-letter topic.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn dead_letter(&self, message: Message) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        outbox::put(&mut tx, &[message]).await?;
        commit(tx, "intake.dead_letter").await
    }
}

/// Forgets a payload that was not applied: the one in force is in force. What was asked about it is the caller's to resolve.
pub(crate) async fn drop_amendment(conn: &mut Conn, execution_id: i64) -> Result<(), StoreError> {
    sqlx::query(
        "-- intake.drop_amendment
         UPDATE execution SET gate = 'open', gate_lease = NULL, gate_token = gate_token + 1,
                payload = coalesce(applied_payload, payload), payload_hash = coalesce(applied_hash, payload_hash),
                approved_at = coalesce(applied_approved_at, approved_at),
                approved_by = coalesce(applied_approved_by, approved_by)
         WHERE id = $1 AND saga IS NOT NULL",
    )
    .bind(execution_id)
    .execute(&mut *conn)
    .await
    .map_err(refused("intake.drop_amendment"))?;
    clocks::stop(conn, execution_id).await
}

async fn take(conn: &mut Conn, compose: &dyn Compose, plan: &NewPlan) -> Result<(Taken, Record), StoreError> {
    let key = format!(
        "{}/{}@{}#{}",
        plan.tenant_id,
        plan.plan_version,
        plan.approved_at.to_rfc3339(),
        plan.payload_hash
    );
    let seen = inbox(conn, "plan.approved", &key, plan.event_id.as_deref()).await?;
    let existing = sqlx::query(
        "-- intake.existing
         SELECT id, plan_id, payload_hash, approved_at, gate, saga, is_superseded(superseded_by) AS superseded,
                supersedes IS NOT NULL AS took_over FROM execution
         WHERE tenant_id = $1 AND plan_version = $2 FOR UPDATE",
    )
    .bind(&plan.tenant_id)
    .bind(&plan.plan_version)
    .fetch_optional(&mut *conn)
    .await
    .map_err(refused("intake.existing"))?;
    let taken = match existing {
        None => insert(conn, plan).await?,
        Some(row) => meet(conn, compose, plan, &row).await?,
    };
    let record = Record {
        tenant_id: plan.tenant_id.clone(),
        entry: Entry {
            at: plan.now.clone(),
            actor: format!("message:{}", plan.approved_by),
            action: taken.action().to_owned(),
            plan_version: Some(plan.plan_version.clone()),
            leg: None,
            detail: json!({
                "plan_id": plan.plan_id, "payload_hash": plan.payload_hash, "event_id": plan.event_id,
                "approved_at": plan.approved_at.to_rfc3339(), "seen": seen, "forced": plan.force,
            }),
        },
    };
    Ok((taken, record))
}

/// Notes that a message came; how many times it has by now.
pub(crate) async fn inbox(
    conn: &mut Conn,
    topic: &str,
    key: &str,
    event_id: Option<&str>,
) -> Result<i64, StoreError> {
    sqlx::query_scalar(
        "-- intake.inbox
         INSERT INTO inbox (topic, business_key, event_id) VALUES ($1, $2, $3)
         ON CONFLICT (topic, business_key) DO UPDATE SET seen = inbox.seen + 1 RETURNING seen",
    )
    .bind(topic)
    .bind(key)
    .bind(event_id)
    .fetch_one(conn)
    .await
    .map_err(refused("intake.inbox"))
}

async fn insert(conn: &mut Conn, plan: &NewPlan) -> Result<Taken, StoreError> {
    sqlx::query(
        "-- intake.insert
         WITH start AS (SELECT clock_start($6) AS at),
              made AS (
                  INSERT INTO execution (tenant_id, plan_id, plan_version, payload, payload_hash, approved_at, approved_by,
                                         deadline_at, traceparent)
                  SELECT $1, $2, $3, $4, $5, $6, $7, at + make_interval(secs => $8), $9 FROM start RETURNING id)
         INSERT INTO clock (execution_id, kind, since, limit_s, warn_s, grace_s, step, due_at)
         SELECT id, 'launch', at, $8, $10, $11, 'warn', at + make_interval(secs => $10) FROM made, start",
    )
    .bind(&plan.tenant_id)
    .bind(&plan.plan_id)
    .bind(&plan.plan_version)
    .bind(&plan.payload)
    .bind(&plan.payload_hash)
    .bind(plan.approved_at)
    .bind(&plan.approved_by)
    .bind(plan.limits.launch_s)
    .bind(&plan.traceparent)
    .bind(plan.limits.warn_s)
    .bind(plan.limits.grace_s)
    .execute(conn)
    .await
    .map_err(refused("intake.insert"))?;
    Ok(Taken::New)
}

/// The version is known already.
async fn meet(
    conn: &mut Conn,
    compose: &dyn Compose,
    plan: &NewPlan,
    row: &sqlx::postgres::PgRow,
) -> Result<Taken, StoreError> {
    let id: i64 = row.get("id");
    let plan_id: String = row.get("plan_id");
    let ours: DateTime<Utc> = row.get("approved_at");
    let hash: String = row.get("payload_hash");
    if plan_id != plan.plan_id {
        return Ok(Taken::OtherPlan { plan_id });
    }
    if hash == plan.payload_hash {
        sqlx::query(
            "-- intake.again
             UPDATE execution SET gate_at = CASE WHEN gate IN ('pending', 'blocked') THEN clock_timestamp() ELSE gate_at END,
                    check_at = CASE WHEN gate = 'open' AND NOT is_superseded(superseded_by) AND saga ->> 'direction' = 'forward'
                        THEN least(check_at, greatest(clock_timestamp(), checked_at + interval '10 minutes'))
                        ELSE check_at END
             WHERE id = $1",
        )
        .bind(id)
        .execute(conn)
        .await
        .map_err(refused("intake.again"))?;
        return Ok(Taken::Again);
    }
    if plan.approved_at <= ours && plan.force.is_none() {
        return Ok(Taken::Older { ours });
    }
    let why = fenced(row)?;
    let why = match plan.force {
        // A person who forces it knows that it was refused before.
        Some(_) => why,
        None => why.or(rejected(conn, id, &plan.payload_hash).await?),
    };
    if let Some(why) = why {
        return Ok(Taken::Fenced { why });
    }
    sqlx::query(
        "-- intake.amend
         UPDATE execution SET payload = $2, payload_hash = $3, approved_at = $4, approved_by = $5, gate = 'pending',
                gate_at = clock_timestamp(), gate_token = gate_token + 1, gate_lease = NULL, amended_at = clock_timestamp()
         WHERE id = $1",
    )
    .bind(id)
    .bind(&plan.payload)
    .bind(&plan.payload_hash)
    // A forced payload keeps the later time: the newer one, come again, must not undo what a person forced.
    .bind(plan.approved_at.max(ours))
    .bind(&plan.approved_by)
    .execute(&mut *conn)
    .await
    .map_err(refused("intake.amend"))?;
    let approved = plan.force.is_none().then_some(plan.approved_at);
    clocks::restart(conn, id, approved, plan.limits).await?;
    let settling = Settling {
        executions: &[id],
        scope: Scope::Payload,
        how: "amended",
        by: &plan.approved_by,
        reason: Some("another payload was approved"),
    };
    touchpoints::settle(conn, compose, &settling).await?;
    Ok(Taken::Amended)
}

/// A person refused exactly this content: its message, come again, does not ask again.
async fn rejected(
    conn: &mut Conn,
    execution_id: i64,
    hash: &str,
) -> Result<Option<&'static str>, StoreError> {
    let rejected: bool = sqlx::query_scalar(
        "-- intake.rejected
         SELECT EXISTS (SELECT FROM touchpoint WHERE execution_id = $1 AND kind = 'launch_approval' AND payload_hash = $2
                        AND resolution = 'reject')",
    )
    .bind(execution_id)
    .bind(hash)
    .fetch_one(conn)
    .await
    .map_err(refused("intake.rejected"))?;
    Ok(rejected.then_some("a person refused this payload"))
}

/// Why a payload approved later changes nothing any more; none: it may.
fn fenced(row: &sqlx::postgres::PgRow) -> Result<Option<&'static str>, StoreError> {
    if row.get::<bool, _>("superseded") {
        return Ok(Some("a newer plan version has taken its campaigns over"));
    }
    let Some(saga) = row.get::<Option<Value>, _>("saga") else {
        return Ok(None);
    };
    let id: i64 = row.get("id");
    let saga: Saga = parse_json("execution", id, "saga", saga)?;
    Ok(match saga.direction {
        Direction::Forward => None,
        Direction::Back if !saga.may_start_anew() => Some("it was rolled back: publish a new plan version"),
        Direction::Back if row.get("took_over") => Some(
            "it failed, and what it had taken over went back to the version before: publish a new plan version",
        ),
        Direction::Back => None,
    })
}
