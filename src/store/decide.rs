//! A person's decision on a launch, in one transaction: the touchpoint resolved and told, the gate asked again or closed, the audit
//! entry. The execution's row is locked first, so that of two people at once one is the second.
//!
//! Must not judge what a decision is worth: `domain::decision` does.

use super::audit::{Entry, Record};
use super::intake::{drop_amendment, inbox};
use super::moves::Compose;
use super::touchpoints::{self, Scope, Settling};
use super::{Conn, Store, StoreError, audit, clocks, commit, parse_json, refused};
use crate::domain::decision::{Binding, Standing, Verdict, judge};
use crate::domain::saga::{Direction, Saga};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::Row;
use std::sync::Arc;

/// A person's decision on a launch.
#[derive(Clone)]
pub struct Decision {
    /// The tenant.
    pub tenant_id: String,
    /// The plan, where it is named.
    pub plan_id: Option<String>,
    /// The version.
    pub plan_version: String,
    /// Yes or no.
    pub approve: bool,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: Option<String>,
    /// Hash of the payload that was shown, where it is known.
    pub shown: Option<String>,
    /// When the person decided, where the decision travelled; none: now.
    pub decided_at: Option<DateTime<Utc>>,
    /// How it came: `cli` or `message`.
    pub via: &'static str,
    /// RFC 3339: now.
    pub now: String,
    /// Spells what is published.
    pub compose: Arc<dyn Compose>,
}

/// What became of a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decided {
    /// Written down; the gate is asked again, or closed.
    Recorded {
        /// It was about an amendment of what is launched.
        amends: bool,
    },
    /// It is so already; nothing changed.
    Already {
        /// A sentence.
        why: String,
    },
    /// It cannot be carried out.
    Refused {
        /// A sentence that says what to do instead.
        why: String,
    },
}

/// A payload that somebody may decide on.
#[derive(Debug, Clone)]
pub struct Proposal {
    /// What a decision is bound to.
    pub payload_hash: String,
    /// The plan.
    pub payload: Value,
}

impl Store {
    /// The payload of an execution as it is now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn proposal(&self, execution_id: i64) -> Result<Option<Proposal>, StoreError> {
        let row: Option<(String, Value)> =
            sqlx::query_as("-- decide.proposal\nSELECT payload_hash, payload FROM execution WHERE id = $1")
                .bind(execution_id)
                .fetch_optional(self.pool())
                .await
                .map_err(refused("decide.proposal"))?;
        Ok(row.map(|(payload_hash, payload)| Proposal {
            payload_hash,
            payload,
        }))
    }

    /// Takes a decision. `None`: there is no such execution.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was changed.
    pub async fn decide(&self, decision: &Decision) -> Result<Option<Decided>, StoreError> {
        let mut tx = self.begin().await?;
        let Some((id, standing, binding)) = look(&mut tx, decision).await? else {
            return Ok(None);
        };
        if heard(&mut tx, decision).await? {
            return Ok(Some(Decided::Already {
                why: "this very decision was taken in before".to_owned(),
            }));
        }
        let decided = match judge(&standing, &binding, decision.approve, &decision.plan_version) {
            Verdict::Counts => {
                let amends = matches!(standing, Standing::Waiting { amends: true, .. });
                record(&mut tx, decision, (id, &binding.current), amends).await?;
                Decided::Recorded { amends }
            }
            Verdict::Already(why) => Decided::Already { why },
            Verdict::Refused(why) => Decided::Refused { why },
        };
        audit::append(&mut tx, &[decision.entry(&binding, &decided)]).await?;
        commit(tx, "decide").await?;
        Ok(Some(decided))
    }
}

impl Decision {
    fn word(&self) -> &'static str {
        if self.approve { "approve" } else { "reject" }
    }

    fn entry(&self, binding: &Binding, decided: &Decided) -> Record {
        let word = self.word();
        let (action, void) = match decided {
            Decided::Recorded { .. } => (format!("launch.{word}"), None),
            Decided::Already { why } | Decided::Refused { why } => (format!("launch.{word}_void"), Some(why)),
        };
        let shown = self.shown.as_ref().unwrap_or(&binding.current);
        let mut detail = json!({ "reason": self.reason, "payload_hash": shown });
        if let (Some(why), Some(detail)) = (void, detail.as_object_mut()) {
            detail.insert("because".to_owned(), why.as_str().into());
        }
        Record {
            tenant_id: self.tenant_id.clone(),
            entry: Entry {
                at: self.now.clone(),
                actor: format!("{}:{}", self.via, self.by),
                action,
                plan_version: Some(self.plan_version.clone()),
                leg: None,
                detail,
            },
        }
    }
}

/// Locks the execution; where it stands, and what a decision on it is bound to.
async fn look(conn: &mut Conn, decision: &Decision) -> Result<Option<(i64, Standing, Binding)>, StoreError> {
    let row = sqlx::query(
        "-- decide.find
         SELECT e.id, e.payload_hash, e.gate, e.saga, e.approved_at, e.amended_at,
                (SELECT n.plan_version FROM execution n WHERE n.id = e.superseded_by AND is_superseded(n.id)) AS newer
         FROM execution e
         WHERE e.tenant_id = $1 AND e.plan_version = $2 AND ($3::text IS NULL OR e.plan_id = $3) FOR UPDATE OF e",
    )
    .bind(&decision.tenant_id)
    .bind(&decision.plan_version)
    .bind(&decision.plan_id)
    .fetch_optional(&mut *conn)
    .await
    .map_err(refused("decide.find"))?;
    let Some(row) = row else { return Ok(None) };
    let id: i64 = row.get("id");
    let binding = Binding {
        shown: decision.shown.clone(),
        decided_at: decision.decided_at,
        current: row.get("payload_hash"),
        approved_at: row.get("approved_at"),
        amended_at: row.get("amended_at"),
    };
    let standing = standing(conn, &row, &binding.current).await?;
    Ok(Some((id, standing, binding)))
}

async fn standing(
    conn: &mut Conn,
    row: &sqlx::postgres::PgRow,
    current: &str,
) -> Result<Standing, StoreError> {
    let (id, gate): (i64, String) = (row.get("id"), row.get("gate"));
    let saga: Option<Value> = row.get("saga");
    let saga: Option<Saga> = saga.map(|s| parse_json("execution", id, "saga", s)).transpose()?;
    if let Some(by) = row.get::<Option<String>, _>("newer") {
        return Ok(Standing::Superseded { by });
    }
    let past: Vec<(String, Option<String>, String)> = sqlx::query_as(
        "-- decide.past
         SELECT resolution, resolved_by, payload_hash FROM touchpoint
         WHERE execution_id = $1 AND kind = 'launch_approval' AND resolution IN ('approve', 'reject')
         ORDER BY resolved_at DESC, id DESC",
    )
    .bind(id)
    .fetch_all(conn)
    .await
    .map_err(refused("decide.past"))?;
    let who = |by: &Option<String>| by.clone().unwrap_or_else(|| "somebody".to_owned());
    let refused_last = past
        .first()
        .filter(|(how, ..)| how == "reject")
        .map(|(_, by, _)| who(by));
    if matches!(gate.as_str(), "pending" | "blocked") {
        let of_this = past.iter().find(|(_, _, hash)| hash == current);
        return Ok(Standing::Waiting {
            approved_by: of_this
                .filter(|(how, ..)| how == "approve")
                .map(|(_, by, _)| who(by)),
            amends: saga.is_some(),
        });
    }
    Ok(match saga {
        Some(saga) if saga.direction == Direction::Back && saga.asked_to_roll_back => Standing::RolledBack,
        Some(_) => Standing::Launched {
            refused_by: refused_last,
        },
        None => refused_last.map_or(Standing::Cancelled, |by| Standing::Refused { by }),
    })
}

/// A message that counted is not heard a second time: set back, its topic must not decide on a later payload. What counts is
/// noted by [`record`].
async fn heard(conn: &mut Conn, decision: &Decision) -> Result<bool, StoreError> {
    let Some(key) = decision.key() else {
        return Ok(false);
    };
    sqlx::query_scalar(
        "-- decide.heard
         SELECT EXISTS (SELECT FROM inbox WHERE topic = 'execution.approval' AND business_key = $1)",
    )
    .bind(key)
    .fetch_one(conn)
    .await
    .map_err(refused("decide.heard"))
}

impl Decision {
    /// What makes it the same message; none: it did not come as one.
    fn key(&self) -> Option<String> {
        let at = self.decided_at?;
        Some(format!(
            "{}/{}@{}#{}#{}",
            self.tenant_id,
            self.plan_version,
            at.to_rfc3339(),
            self.word(),
            self.by
        ))
    }
}

/// Writes a decision down that counts. The execution is locked.
async fn record(
    conn: &mut Conn,
    decision: &Decision,
    (id, payload_hash): (i64, &str),
    amends: bool,
) -> Result<(), StoreError> {
    // A look at the gate that is under way does not know of it yet: it is void, and the gate is asked again at once.
    sqlx::query(
        "-- decide.gate
         UPDATE execution SET gate_at = clock_timestamp(), gate_lease = NULL, gate_token = gate_token + 1,
                gate = CASE WHEN $2 THEN gate ELSE 'cancelled' END WHERE id = $1",
    )
    .bind(id)
    .bind(decision.approve)
    .execute(&mut *conn)
    .await
    .map_err(refused("decide.gate"))?;
    if !decision.approve && amends {
        // What is launched stays as it is; only the amendment is refused.
        drop_amendment(conn, id).await?;
    } else if !decision.approve {
        clocks::stop(conn, id).await?;
    }
    let compose = decision.compose.as_ref();
    let mut settling = Settling {
        executions: &[id],
        scope: Scope::Approval,
        how: decision.word(),
        by: &decision.by,
        reason: decision.reason.as_deref(),
    };
    if touchpoints::settle(conn, compose, &settling).await? == 0 {
        unasked(conn, decision, (id, payload_hash)).await?;
    }
    if !decision.approve {
        settling.scope = if amends { Scope::Payload } else { Scope::All };
        touchpoints::settle(conn, compose, &settling).await?;
    }
    if let Some(key) = decision.key() {
        inbox(conn, "execution.approval", &key, None).await?;
    }
    Ok(())
}

/// Nobody had asked (yet, or any more): the decision is kept beside those that were asked for.
async fn unasked(
    conn: &mut Conn,
    decision: &Decision,
    (id, payload_hash): (i64, &str),
) -> Result<(), StoreError> {
    sqlx::query(
        "-- decide.unasked
         INSERT INTO touchpoint (execution_id, kind, payload_hash, what_to_do, resolved_at, resolution, resolved_by, reason)
         VALUES ($1, 'launch_approval', $2, '', clock_timestamp(), $3, $4, $5)",
    )
    .bind(id)
    .bind(payload_hash)
    .bind(decision.word())
    .bind(&decision.by)
    .bind(&decision.reason)
    .execute(conn)
    .await
    .map_err(refused("decide.unasked"))?;
    Ok(())
}
