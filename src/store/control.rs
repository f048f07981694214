//! What people ask of an execution: roll back, resume, retry, cancel. Each is one transaction with its audit entry.

use super::amend;
use super::audit::{Entry, Record};
use super::intake::{drop_amendment, inbox};
use super::moves::{self, Compose, Moves};
use super::touchpoints::{Scope, Settling};
use super::withdraw::{self, Queued};
use super::{Store, StoreError, audit, clocks, commit, refused, supersede, touchpoints};
use serde_json::json;
use sqlx::Row;
use std::sync::Arc;

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Undo everything of the version.
    Rollback,
    /// Look at the gate again now.
    Resume,
    /// Try what failed again.
    Retry,
    /// Give up before anything was launched.
    Cancel,
}

impl Verb {
    /// As the audit log spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rollback => "rollback",
            Self::Resume => "resume",
            Self::Retry => "retry",
            Self::Cancel => "cancel",
        }
    }
}

/// Who asks what of which execution.
#[derive(Clone)]
pub struct Request {
    /// The tenant.
    pub tenant_id: String,
    /// The plan, where it is named: it must be the version's own.
    pub plan_id: Option<String>,
    /// The version.
    pub plan_version: String,
    /// What.
    pub verb: Verb,
    /// Who: `cli:<user>`, `message:<by>`.
    pub by: String,
    /// Why.
    pub reason: String,
    /// RFC 3339: now.
    pub now: String,
    /// What tells a message from any other: the same one again (redelivered, a consumer group set back) is no new order. None: a person
    /// at the command line.
    pub message: Option<String>,
    /// Spells what is published.
    pub compose: Arc<dyn Compose>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ordered {
    /// Written down; this many legs move at once.
    Done {
        /// How many messages it made.
        messages: usize,
    },
    /// It changes nothing.
    Nothing {
        /// Why.
        why: String,
    },
    /// There is no such execution.
    Unknown,
}

impl Store {
    /// Carries a request out.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn control(&self, request: &Request) -> Result<Ordered, StoreError> {
        // Each try finds commands in their places that the one before did not; there are no more of them than legs.
        loop {
            if let Some(ordered) = self.control_once(request).await? {
                return Ok(ordered);
            }
        }
    }

    /// None: a command came to its place meanwhile, and nothing was written.
    async fn control_once(&self, request: &Request) -> Result<Option<Ordered>, StoreError> {
        let mut tx = self.begin().await?;
        // Commands come before executions in the lock order, and a rollback takes them back.
        let reach = reach(&mut tx, request).await?;
        let row = sqlx::query(
            "-- control.find
             SELECT id, gate, saga IS NOT NULL AS launched,
                    (SELECT n.plan_version FROM execution n WHERE n.id = execution.superseded_by AND is_superseded(n.id)) AS newer
             FROM execution WHERE tenant_id = $1 AND plan_version = $2 AND ($3::text IS NULL OR plan_id = $3) FOR UPDATE",
        )
        .bind(&request.tenant_id)
        .bind(&request.plan_version)
        .bind(&request.plan_id)
        .fetch_optional(&mut *tx)
        .await
        .map_err(refused("control.find"))?;
        let Some(row) = row else {
            return Ok(Some(Ordered::Unknown));
        };
        if let Some(message) = &request.message
            && inbox(&mut tx, "execution.control", message, None).await? > 1
        {
            // What it was about may be launched anew since: an old rollback must not take that back.
            commit(tx, "control.again").await?;
            return Ok(Some(Ordered::Nothing {
                why: "this very order was carried out before".to_owned(),
            }));
        }
        let (id, gate): (i64, String) = (row.get("id"), row.get("gate"));
        let launched: bool = row.get("launched");
        let newer: Option<String> = row.get("newer");
        let amendment_waits = launched && matches!(gate.as_str(), "pending" | "blocked");
        let ordered = match (request.verb, gate.as_str()) {
            // Nothing of it is on. What it had taken over itself would come back beside what the newer one has.
            (Verb::Rollback, _) if launched && newer.is_some() => Ordered::Nothing {
                why: format!(
                    "{0} has taken its campaigns over: roll {0} back first",
                    newer.unwrap_or_default()
                ),
            },
            (Verb::Rollback, _) if launched => {
                // A payload that waits for the gate is never applied.
                drop_amendment(&mut tx, id).await?;
                let Some(turned) = self::turn(&mut tx, id, request, &reach).await? else {
                    return Ok(None);
                };
                if amendment_waits && matches!(turned, Ordered::Nothing { .. }) {
                    Ordered::Done { messages: 0 }
                } else {
                    turned
                }
            }
            (Verb::Cancel, _) if amendment_waits => {
                drop_amendment(&mut tx, id).await?;
                Ordered::Done { messages: 0 }
            }
            (Verb::Retry, _) if amendment_waits => match self::turn(&mut tx, id, request, &reach).await? {
                Some(turned) => turned,
                None => return Ok(None),
            },
            (Verb::Resume, "pending" | "blocked") => {
                set_gate(&mut tx, id, None).await?;
                Ordered::Done { messages: 0 }
            }
            (Verb::Cancel | Verb::Rollback, "pending" | "blocked") => {
                set_gate(&mut tx, id, Some("cancelled")).await?;
                Ordered::Done { messages: 0 }
            }
            (Verb::Rollback | Verb::Retry | Verb::Resume, "open") => {
                match self::turn(&mut tx, id, request, &reach).await? {
                    Some(turned) => turned,
                    None => return Ok(None),
                }
            }
            (Verb::Cancel, "open") => Ordered::Nothing {
                why: "it was launched already; use rollback".to_owned(),
            },
            (Verb::Retry, "pending" | "blocked") => Ordered::Nothing {
                why: "nothing was launched yet; use resume to ask the gate again".to_owned(),
            },
            (_, gate) => Ordered::Nothing {
                why: format!("the execution is {gate}"),
            },
        };
        let ordered = match (request.verb, ordered) {
            (Verb::Resume | Verb::Retry, Ordered::Nothing { .. })
                if touchpoints::wake(&mut tx, id).await? > 0 =>
            {
                Ordered::Done { messages: 0 }
            }
            (_, ordered) => ordered,
        };
        if let Ordered::Done { .. } = ordered {
            let mut ids = vec![id];
            // What a launched version gives up, the older one gets back.
            ids.extend(reach.older.filter(|_| launched));
            pointless(&mut tx, request, (&ids, launched)).await?;
        }
        let record = Record {
            tenant_id: request.tenant_id.clone(),
            entry: Entry {
                at: request.now.clone(),
                actor: request.by.clone(),
                action: format!("control.{}", request.verb.as_str()),
                plan_version: Some(request.plan_version.clone()),
                leg: None,
                detail: json!({ "reason": request.reason, "came_to": format!("{ordered:?}") }),
            },
        };
        audit::append(&mut tx, &[record]).await?;
        commit(tx, "control").await?;
        Ok(Some(ordered))
    }
}

/// What nobody has to do any more after this.
async fn pointless(
    conn: &mut super::Conn,
    request: &Request,
    (ids, launched): (&[i64], bool),
) -> Result<(), StoreError> {
    let (scope, how) = match (request.verb, launched) {
        (Verb::Resume | Verb::Retry, _) => return Ok(()),
        (Verb::Rollback, true) => (Scope::AllButStuck, "rolled_back"),
        (Verb::Rollback, false) => (Scope::All, "rolled_back"),
        (Verb::Cancel, true) => (Scope::Payload, "cancelled"),
        (Verb::Cancel, false) => (Scope::All, "cancelled"),
    };
    let mut settling = Settling {
        executions: ids.get(..1).unwrap_or_default(),
        scope,
        how,
        by: &request.by,
        reason: Some(&request.reason),
    };
    let compose = request.compose.as_ref();
    touchpoints::settle(conn, compose, &settling).await?;
    settling.executions = ids;
    settling.scope = Scope::GoneLegs;
    touchpoints::settle(conn, compose, &settling).await.map(drop)
}

async fn set_gate(conn: &mut super::Conn, id: i64, to: Option<&str>) -> Result<(), StoreError> {
    sqlx::query(
        "-- control.gate
         UPDATE execution SET gate = coalesce($2, gate), gate_at = clock_timestamp(), gate_lease = NULL,
                gate_token = gate_token + 1 WHERE id = $1",
    )
    .bind(id)
    .bind(to)
    .execute(&mut *conn)
    .await
    .map_err(refused("control.gate"))?;
    if to.is_some() {
        clocks::stop(conn, id).await?;
    }
    Ok(())
}

/// What a request may change besides its execution's row: the commands, and the older version that gets its campaigns back.
#[derive(Default)]
struct Reach {
    queued: Vec<Queued>,
    older: Option<i64>,
}

async fn reach(conn: &mut super::Conn, request: &Request) -> Result<Reach, StoreError> {
    if request.verb != Verb::Rollback {
        return Ok(Reach::default());
    }
    let ids: Option<(i64, Option<i64>)> = sqlx::query_as(
        "-- control.reach
         SELECT id, supersedes FROM execution
         WHERE tenant_id = $1 AND plan_version = $2 AND ($3::text IS NULL OR plan_id = $3)",
    )
    .bind(&request.tenant_id)
    .bind(&request.plan_version)
    .bind(&request.plan_id)
    .fetch_optional(&mut *conn)
    .await
    .map_err(refused("control.reach"))?;
    let Some((id, older)) = ids else {
        return Ok(Reach::default());
    };
    let queued = withdraw::lock(conn, &[id]).await?;
    // The older version's row has the smaller id or the larger one: both are locked in the one order.
    let mut both: Vec<i64> = older.into_iter().chain([id]).collect();
    both.sort_unstable();
    moves::lock(conn, &both).await?;
    Ok(Reach { queued, older })
}

async fn turn(
    conn: &mut super::Conn,
    id: i64,
    request: &Request,
    reach: &Reach,
) -> Result<Option<Ordered>, StoreError> {
    let mut executions = moves::lock(conn, &[id]).await?;
    let Some(execution) = executions.first_mut() else {
        return Ok(Some(Ordered::Nothing {
            why: "it has no legs".to_owned(),
        }));
    };
    let before = execution.saga.clone();
    let effects = match request.verb {
        Verb::Rollback => execution.saga.roll_back(),
        Verb::Retry | Verb::Resume => execution.saga.retry(),
        Verb::Cancel => Vec::new(),
    };
    if effects.is_empty() && execution.saga == before {
        return Ok(Some(Ordered::Nothing {
            why: match request.verb {
                Verb::Rollback => "it is rolled back already, or on its way",
                Verb::Retry => "nothing of it failed or is stuck: there is nothing to try again",
                Verb::Resume => {
                    "its gate is open, and nothing of it failed or waits: there is nothing to ask again"
                }
                Verb::Cancel => "it was launched already; use rollback",
            }
            .to_owned(),
        }));
    }
    let compose = request.compose.as_ref();
    let mut moves = Moves::default();
    moves
        .note(conn, compose, (0, &mut *execution), None, &effects)
        .await?;
    if request.verb == Verb::Rollback
        && !amend::turn_at_once(conn, compose, &mut moves, (0, &mut *execution), &reach.queued).await?
    {
        return Ok(None);
    }
    let mut messages = moves.write(conn, compose, &executions).await?;
    if let (Verb::Rollback, Some(older)) = (request.verb, reach.older) {
        messages += bring_back(conn, compose, older, id).await?;
    }
    Ok(Some(Ordered::Done { messages }))
}

/// What the rolled-back version no longer had comes back in the older one.
async fn bring_back(
    conn: &mut super::Conn,
    compose: &dyn Compose,
    older: i64,
    newer: i64,
) -> Result<usize, StoreError> {
    let mut executions = moves::lock(conn, &[older]).await?;
    let mut moves = Moves::default();
    if let Some(execution) = executions.first_mut() {
        supersede::bring_back(conn, compose, &mut moves, (0, execution), newer).await?;
    }
    moves.write(conn, compose, &executions).await
}
