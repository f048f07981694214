//! What people and clocks look at: executions, legs, commands, touchpoints, flights that begin.
//!
//! Must not be used to decide anything that is then written elsewhere: writes check their own preconditions.

use super::clocks::Waited;
use super::moves::{Compose, LegFact, leg_facts};
use super::moves::{LegReport, apply_reports, manifest_of};
use super::{
    Conn, Store, StoreError, audit, commit, lineage, parse_json, parse_text, refused, review, touchpoints,
};
use crate::domain::clock::Step;
use crate::domain::error::LegError;
use crate::domain::lineage::{Going, Turn, Version, place};
use crate::domain::manifest::Manifest;
use crate::domain::plan::Plan;
use crate::domain::saga::{Direction, Saga};
use crate::domain::spec::LegSpec;
use crate::domain::tenant::Tenant;
use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::Row;

/// An execution at a glance.
#[derive(Debug, Clone, Serialize)]
pub struct ExecutionView {
    /// Its row.
    pub id: i64,
    /// The tenant.
    pub tenant_id: String,
    /// The plan.
    pub plan_id: String,
    /// The version.
    pub plan_version: String,
    /// `pending`, `blocked`, `open`, `cancelled`.
    pub gate: String,
    /// When the payload was approved.
    pub approved_at: DateTime<Utc>,
    /// By whom.
    pub approved_by: String,
    /// When it came.
    pub received_at: DateTime<Utc>,
    /// When the gate opened.
    pub gate_opened_at: Option<DateTime<Utc>>,
    /// When it came to rest.
    pub settled_at: Option<DateTime<Utc>>,
    /// How it came to rest; none: it moves, or waits for the gate.
    pub settled: Option<String>,
    /// When it should be live or scheduled; what was waited for so far is added.
    pub deadline_at: DateTime<Utc>,
    /// How that is going.
    pub deadline: Deadline,
    /// What is in trouble; none: nothing is.
    pub trouble: Option<Trouble>,
    /// The legs, counted.
    #[serde(skip)]
    pub saga: Option<Saga>,
}

/// How an execution's deadline is going.
#[derive(Debug, Clone, Serialize)]
pub struct Deadline {
    /// Working time counts from then: its approval, or what started it anew.
    pub since: DateTime<Utc>,
    /// Seconds of working time that it may take.
    pub limit_s: i64,
    /// Seconds of working time that it has taken.
    pub worked_s: i64,
    /// `running`, `warned`, `breached`, `met`; `stopped`: cancelled, failed, rolled back or superseded.
    pub state: &'static str,
    /// It still runs.
    pub running: bool,
    /// It waits now, for a person, a platform's review, or the end of a pause.
    pub waiting: bool,
    /// Time that was not ours.
    pub waited: Waited,
}

/// A failure that is not mended.
#[derive(Debug, Clone, Serialize)]
pub struct Trouble {
    /// Since when.
    pub since: DateTime<Utc>,
    /// When it is escalated; none: it was.
    pub escalates_at: Option<DateTime<Utc>>,
    /// When it was.
    pub escalated_at: Option<DateTime<Utc>>,
}

/// A leg with what was made for it.
#[derive(Debug, Clone, Serialize)]
pub struct LegView {
    /// Its row.
    pub leg_id: i64,
    /// The platform.
    pub platform: String,
    /// The planner's key.
    pub logical_campaign_key: String,
    /// Where it stands.
    pub state: String,
    /// What it should look like.
    #[serde(skip)]
    pub spec: LegSpec,
    /// Why it failed.
    pub error: Option<LegError>,
    /// The key of the leg whose campaign has taken its place (or is to); none: it is the plan's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<String>,
    /// What was made; none: nothing was.
    pub manifest: Option<Manifest>,
    /// `holding`, `held`, `releasing` under the kill switch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold: Option<String>,
    /// Its open command: kind, attempts, seconds until it is due, last error.
    pub waiting: Option<Waiting>,
    /// The platform's review, apart from working time; none: there was none to wait for.
    pub review: Option<Review>,
    /// The assets that its account was given for it, or for others before.
    pub uploads: Vec<Upload>,
}

/// How long a leg has waited for the platform's review.
#[derive(Debug, Clone, Serialize)]
pub struct Review {
    /// It is running since then; none: it is over.
    pub since: Option<DateTime<Utc>>,
    /// All reviews together, seconds.
    pub waited_s: i64,
}

/// An upload that a leg relies on.
#[derive(Debug, Clone, Serialize, serde::Deserialize)]
pub struct Upload {
    /// What the library calls the asset.
    pub asset_id: String,
    /// `intended`, `processing`, `ready`, `failed`.
    pub state: String,
    /// What the platform calls it.
    pub refs: std::collections::BTreeMap<String, String>,
    /// What makes it the same upload for others: `sha256:…`.
    pub content: String,
}

/// A command that is not finished.
#[derive(Debug, Clone, Serialize)]
pub struct Waiting {
    /// `build`, `activate`, `undo`.
    pub command: String,
    /// How often it was leased.
    pub attempts: i32,
    /// Seconds until it is tried (again); 0: it is due or being worked on.
    pub due_in_s: f64,
    /// Why it was given back.
    pub last_error: Option<String>,
    /// `review`, `upload`, `asset`: what it waits for that is not ours to hurry; none: for another attempt.
    pub waiting_for: Option<String>,
    /// Since when.
    pub waiting_since: Option<DateTime<Utc>>,
}

/// What a tenant has going on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TenantCounts {
    /// Live legs.
    pub live: i64,
    /// Scheduled ones.
    pub scheduled: i64,
    /// Those being built or activated.
    pub moving: i64,
    /// Executions that wait for the gate.
    pub waiting: i64,
}

/// A place where a person must act, or has.
#[derive(Debug, Clone, Serialize)]
pub struct TouchpointView {
    /// Its row.
    pub id: i64,
    /// The tenant.
    pub tenant_id: String,
    /// The version.
    pub plan_version: String,
    /// `launch_approval` …
    pub kind: String,
    /// For a person.
    pub what_to_do: String,
    /// Since when.
    pub opened_at: DateTime<Utc>,
    /// Until when.
    pub resolved_at: Option<DateTime<Utc>>,
    /// How.
    pub resolution: Option<String>,
    /// By whom.
    pub resolved_by: Option<String>,
    /// The plan.
    pub plan_id: String,
    /// The leg's platform, if it is about one.
    pub platform: Option<String>,
    /// The leg's key, if it is about one.
    pub logical_campaign_key: Option<String>,
}

/// What is in force of a plan version that was launched.
#[derive(Debug, Clone)]
pub struct InForce {
    /// Its execution's row.
    pub execution_id: i64,
    /// The version.
    pub plan_version: String,
    /// The payload that its legs were made from.
    pub payload: serde_json::Value,
    /// When that was approved.
    pub approved_at: DateTime<Utc>,
    /// Why another payload would change nothing: it goes back, or a newer version has its campaigns.
    pub fenced: Option<&'static str>,
}

/// What a version that is not launched finds among the versions of its plan.
#[derive(Debug, Clone)]
pub enum Before {
    /// Nobody has campaigns that it would take over.
    Nothing,
    /// It takes over from this version, which may not be the one that it names.
    Holder(String),
    /// It waits until this version, which is being undone, has given back what it took over.
    Waits(String),
    /// It is never launched: this newer version of its line is.
    Overtaken(String),
}

/// Whether the leg is still where it was looked at, with no command and no pause since. Its execution is locked, and the one that it took
/// over from (a failure may give back), in the order of all: it stays there until the transaction ends.
pub(crate) async fn as_watched(conn: &mut Conn, watched: &Watched) -> Result<bool, StoreError> {
    sqlx::query(
        "-- views.lock_watched
         SELECT id FROM execution WHERE id IN (SELECT execution_id FROM leg WHERE id = $1 UNION
             SELECT e.supersedes FROM leg l JOIN execution e ON e.id = l.execution_id WHERE l.id = $1)
         ORDER BY id FOR UPDATE",
    )
    .bind(watched.leg_id)
    .execute(&mut *conn)
    .await
    .map_err(refused("views.lock_watched"))?;
    let state = if watched.live { "live" } else { "scheduled" };
    sqlx::query_scalar(
        "-- views.as_watched
         SELECT EXISTS (SELECT FROM leg WHERE id = $1 AND state = $2 AND attempt = $3 AND hold IS NULL)",
    )
    .bind(watched.leg_id)
    .bind(state)
    .bind(watched.attempt)
    .fetch_one(conn)
    .await
    .map_err(refused("views.as_watched"))
}

/// A leg that it is time to look at.
#[derive(Debug, Clone)]
pub struct Watched {
    /// The leg.
    pub leg_id: i64,
    /// What it should look like.
    pub spec: LegSpec,
    /// What was made.
    pub manifest: Manifest,
    /// The client.
    pub tenant: Tenant,
    /// It is live; else its start is waited for, or has come.
    pub live: bool,
    /// Its start has come.
    pub started: bool,
    /// How many commands it had by then: with one more it is no longer the leg that was looked at.
    pub attempt: i32,
}

impl Store {
    /// Executions, the newest first; of one tenant or one version where named.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn executions(
        &self,
        tenant: Option<&str>,
        plan_version: Option<&str>,
        limit: i64,
    ) -> Result<Vec<ExecutionView>, StoreError> {
        let rows = sqlx::query(
            "-- views.executions
             SELECT e.*, l.since, l.limit_s, l.step, l.ended_at IS NULL AS running,
                    l.since + make_interval(secs => l.limit_s + w.total_s) AS due, w.*,
                    extract(epoch FROM coalesce(l.ended_at, clock_timestamp()) - l.since)::float8 - w.total_s AS worked_s,
                    f.since AS failed_at, f.due_at AS escalates_at, f.told_at AS escalated_at
             FROM (SELECT id, tenant_id, plan_id, plan_version, gate, approved_at, approved_by, received_at, gate_opened_at,
                          settled_at, settled, saga
                   FROM execution
                   WHERE ($1::text IS NULL OR tenant_id = $1) AND ($2::text IS NULL OR plan_version = $2)
                   ORDER BY received_at DESC LIMIT $3) e
                  JOIN clock l ON l.execution_id = e.id AND l.kind = 'launch'
                  LEFT JOIN clock f ON f.execution_id = e.id AND f.kind = 'failure' AND f.ended_at IS NULL
                  CROSS JOIN LATERAL execution_waited(e.id, e.tenant_id, l.since, coalesce(l.ended_at, clock_timestamp())) w
             ORDER BY e.received_at DESC",
        )
        .bind(tenant)
        .bind(plan_version)
        .bind(limit)
        .fetch_all(self.pool())
        .await
        .map_err(refused("views.executions"))?;
        rows.iter().map(execution).collect()
    }

    /// What is in force of a plan version; none: it was never launched.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn in_force(&self, tenant: &str, plan_version: &str) -> Result<Option<InForce>, StoreError> {
        let row = sqlx::query(
            "-- views.in_force
             SELECT id, plan_version, applied_payload, applied_approved_at, saga, is_superseded(superseded_by) AS superseded,
                    supersedes IS NOT NULL AS took_over
             FROM execution WHERE tenant_id = $1 AND plan_version = $2 AND saga IS NOT NULL AND applied_payload IS NOT NULL",
        )
        .bind(tenant)
        .bind(plan_version)
        .fetch_optional(self.pool())
        .await
        .map_err(refused("views.in_force"))?;
        let Some(row) = row else { return Ok(None) };
        let id: i64 = row.get("id");
        let saga: Saga = parse_json("execution", id, "saga", row.get("saga"))?;
        let fenced = if row.get("superseded") {
            Some("a newer plan version has taken its campaigns over")
        } else if saga.direction == Direction::Back && !saga.may_start_anew() {
            Some("it was rolled back")
        } else if saga.direction == Direction::Back && row.get("took_over") {
            Some("it failed, and what it had taken over went back to the version before")
        } else {
            None
        };
        Ok(Some(InForce {
            execution_id: id,
            plan_version: row.get("plan_version"),
            payload: row.get("applied_payload"),
            approved_at: row.get("applied_approved_at"),
            fenced,
        }))
    }

    /// What a version that was never launched would find when its gate opens now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn before(&self, plan: &Plan) -> Result<Before, StoreError> {
        let (tenant, plan_id) = (plan.tenant_id.as_str(), plan.plan_id.as_str());
        let versions = lineage::versions(&mut *self.connection().await?, tenant, plan_id).await?;
        let own = Version {
            id: -1,
            name: plan.plan_version.to_string(),
            supersedes: plan.supersedes.as_ref().map(ToString::to_string),
            going: Going::NotLaunched,
            superseded_by: None,
            approved_at: plan.approved_at,
        };
        let name = |id: i64| {
            let version = versions.iter().find(|v| v.id == id);
            version.map(|v| v.name.clone()).unwrap_or_default()
        };
        Ok(match place(&versions, &own).turn {
            Turn::First => Before::Nothing,
            Turn::After(id) => Before::Holder(name(id)),
            Turn::Waits(id) => Before::Waits(name(id)),
            Turn::Overtaken { by, .. } => Before::Overtaken(name(by)),
        })
    }

    /// The legs of an execution, in the plan's order.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn legs(&self, execution_id: i64, limit: i64) -> Result<Vec<LegView>, StoreError> {
        let rows = sqlx::query(
            "-- views.legs
             SELECT l.id, l.platform, l.logical_campaign_key, l.state, l.error, l.spec, l.hold,
                    (SELECT r.logical_campaign_key FROM leg r WHERE r.id = l.replaced_by) AS replaced_by,
                    m.account_id, m.campaign_name, m.revision, m.mutation_count, m.tracking_mode, m.objects,
                    c.kind, c.attempts, c.last_error, c.waiting_for, c.waiting_since, l.review_since,
                    l.review_s + coalesce(extract(epoch FROM clock_timestamp() - l.review_since), 0)::bigint AS review_s,
                    (SELECT coalesce(jsonb_agg(jsonb_build_object('asset_id', u.asset_id, 'state', a.state, 'refs', a.refs,
                                               'content', a.content) ORDER BY u.asset_id), '[]')
                     FROM leg_upload u JOIN platform_asset a ON a.id = u.upload_id WHERE u.leg_id = l.id) AS uploads,
                    greatest(extract(epoch FROM c.not_before - clock_timestamp()), 0)::float8 AS due_in_s
             FROM leg l LEFT JOIN execution_manifest m ON m.leg_id = l.id
                  LEFT JOIN LATERAL (SELECT * FROM command WHERE leg_id = l.id AND state = 'queued'
                                     ORDER BY accepted_at DESC LIMIT 1) c ON true
             WHERE l.execution_id = $1 ORDER BY l.ordinal, l.replaced_by NULLS FIRST, l.id LIMIT $2",
        )
        .bind(execution_id)
        .bind(limit)
        .fetch_all(self.pool())
        .await
        .map_err(refused("views.legs"))?;
        rows.into_iter()
            .map(|row| {
                let id: i64 = row.get("id");
                let spec: LegSpec = parse_json("leg", id, "spec", row.get("spec"))?;
                let error: Option<serde_json::Value> = row.get("error");
                let command: Option<String> = row.get("kind");
                Ok(LegView {
                    leg_id: id,
                    platform: row.get("platform"),
                    logical_campaign_key: row.get("logical_campaign_key"),
                    state: row.get("state"),
                    error: error.map(|e| parse_json("leg", id, "error", e)).transpose()?,
                    replaced_by: row.get("replaced_by"),
                    manifest: manifest_of(&row, id, &spec)?,
                    hold: row.get("hold"),
                    waiting: command.map(|command| Waiting {
                        command,
                        attempts: row.get("attempts"),
                        due_in_s: row.get("due_in_s"),
                        last_error: row.get("last_error"),
                        waiting_for: row.get("waiting_for"),
                        waiting_since: row.get("waiting_since"),
                    }),
                    review: review(&row),
                    uploads: parse_json("leg_upload", id, "uploads", row.get("uploads"))?,
                    spec,
                })
            })
            .collect()
    }

    /// What a tenant has going on; `None`: nobody onboarded it and nothing of it came.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn tenant_counts(&self, tenant: &str) -> Result<Option<TenantCounts>, StoreError> {
        let row = sqlx::query(
            "-- views.tenant_counts
             SELECT count(*) FILTER (WHERE state = 'live'), count(*) FILTER (WHERE state = 'scheduled'),
                    count(*) FILTER (WHERE state IN ('waiting', 'building', 'built', 'activating')),
                    (SELECT count(*) FROM execution WHERE tenant_id = $1 AND gate IN ('pending', 'blocked')),
                    EXISTS (SELECT FROM tenant WHERE tenant_id = $1) OR EXISTS (SELECT FROM execution WHERE tenant_id = $1)
             FROM leg WHERE tenant_id = $1",
        )
        .bind(tenant)
        .fetch_one(self.pool())
        .await
        .map_err(refused("views.tenant_counts"))?;
        Ok(row.get::<bool, _>(4).then(|| TenantCounts {
            live: row.get(0),
            scheduled: row.get(1),
            moving: row.get(2),
            waiting: row.get(3),
        }))
    }

    /// Touchpoints, the oldest first; only open ones unless asked.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn touchpoints(
        &self,
        tenant: Option<&str>,
        also_resolved: bool,
    ) -> Result<Vec<TouchpointView>, StoreError> {
        let rows = sqlx::query(
            "-- views.touchpoints
             SELECT p.id, e.tenant_id, e.plan_version, p.kind, p.what_to_do, p.opened_at, p.resolved_at, p.resolution,
                    p.resolved_by, e.plan_id, l.platform, l.logical_campaign_key
             FROM touchpoint p JOIN execution e ON e.id = p.execution_id LEFT JOIN leg l ON l.id = p.leg_id
             WHERE ($1::text IS NULL OR e.tenant_id = $1) AND ($2 OR p.resolved_at IS NULL)
             ORDER BY p.opened_at LIMIT 1000",
        )
        .bind(tenant)
        .bind(also_resolved)
        .fetch_all(self.pool())
        .await
        .map_err(refused("views.touchpoints"))?;
        Ok(rows
            .into_iter()
            .map(|row| TouchpointView {
                id: row.get("id"),
                tenant_id: row.get("tenant_id"),
                plan_version: row.get("plan_version"),
                kind: row.get("kind"),
                what_to_do: row.get("what_to_do"),
                opened_at: row.get("opened_at"),
                resolved_at: row.get("resolved_at"),
                resolution: row.get("resolution"),
                resolved_by: row.get("resolved_by"),
                plan_id: row.get("plan_id"),
                platform: row.get("platform"),
                logical_campaign_key: row.get("logical_campaign_key"),
            })
            .collect())
    }

    /// How many legs are in each state, and commands queued per platform: for the metrics.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn gauges(&self) -> Result<Vec<(String, String, i64)>, StoreError> {
        sqlx::query_as(
            "-- views.gauges
             SELECT 'commands_queued', platform, count(*) FROM command WHERE state = 'queued' GROUP BY platform
             UNION ALL SELECT 'executions_waiting', gate, count(*) FROM execution WHERE gate IN ('pending', 'blocked') GROUP BY gate
             UNION ALL SELECT 'legs_switched', hold, count(*) FROM leg WHERE hold IS NOT NULL GROUP BY hold
             UNION ALL SELECT 'tenants_paused', '', count(*) FROM tenant_pause WHERE lifted_at IS NULL
             UNION ALL SELECT 'touchpoints_open', kind, count(*) FROM touchpoint WHERE resolved_at IS NULL GROUP BY kind",
        )
        .fetch_all(self.pool())
        .await
        .map_err(refused("views.gauges"))
    }

    /// Transactions of this database so far (reads included), and messages published: for the benchmark.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn activity(&self) -> Result<(u64, u64), StoreError> {
        let (transactions, published): (i64, i64) = sqlx::query_as(
            "-- views.activity
             SELECT (SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()),
                    (SELECT count(*) FROM outbox WHERE published_at IS NOT NULL)",
        )
        .fetch_one(self.pool())
        .await
        .map_err(refused("views.activity"))?;
        Ok((transactions.unsigned_abs(), published.unsigned_abs()))
    }

    /// How often a plan version's messages were taken in.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn times_seen(&self, tenant: &str, plan_version: &str) -> Result<i64, StoreError> {
        sqlx::query_scalar(
            "-- views.times_seen
             SELECT coalesce(sum(seen), 0)::bigint FROM inbox
             WHERE topic = 'plan.approved' AND business_key LIKE $1 || '/' || $2 || '@%'",
        )
        .bind(tenant)
        .bind(plan_version)
        .fetch_one(self.pool())
        .await
        .map_err(refused("views.times_seen"))
    }

    /// Legs as events tell of them.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn leg_facts(&self, execution_id: i64) -> Result<Vec<LegFact>, StoreError> {
        let mut connection = self.connection().await?;
        let facts = leg_facts(&mut connection, &[execution_id], &[]).await?;
        Ok(facts.into_iter().map(|leg| leg.fact).collect())
    }

    /// Legs that it is time to look at: scheduled ones, at their start and at growing intervals before it, and live ones of which
    /// the platform's policies refuse something. Each is looked at again unless it moved, ever less often.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn due_watches(&self, limit: i64) -> Result<Vec<Watched>, StoreError> {
        let rows = sqlx::query(
            "-- views.due_watches
             WITH due AS (SELECT id, clock_timestamp() AS now FROM leg
                          WHERE watch_at <= clock_timestamp() AND state IN ('scheduled', 'live') AND hold IS NULL
                          ORDER BY watch_at LIMIT $1 FOR UPDATE SKIP LOCKED),
                  pushed AS (UPDATE leg SET watch_at = CASE
                                 WHEN state = 'scheduled' AND starts_at <= now THEN now + greatest(
                                     make_interval(secs => least(30 * 2 ^ least(review_looks, 10), 600)),
                                     least(now - greatest(changed_at, starts_at), interval '10 minutes'))
                                 ELSE least(CASE state WHEN 'scheduled' THEN starts_at END,
                                            now + least(greatest(now - changed_at, interval '10 minutes'), interval '1 day'))
                             END FROM due
                             WHERE leg.id = due.id
                             RETURNING leg.id, leg.tenant_id, leg.spec, leg.state, leg.attempt, starts_at <= now AS started)
             SELECT p.id, p.spec, p.state, p.attempt, p.started, t.document, m.account_id, m.campaign_name, m.revision, m.mutation_count, m.tracking_mode,
                    m.objects
             FROM pushed p JOIN tenant t ON t.tenant_id = p.tenant_id JOIN execution_manifest m ON m.leg_id = p.id",
        )
        .bind(limit)
        .fetch_all(self.pool())
        .await
        .map_err(refused("views.due_watches"))?;
        let mut watched = Vec::with_capacity(rows.len());
        for row in rows {
            let leg_id: i64 = row.get("id");
            let spec: LegSpec = parse_json("leg", leg_id, "spec", row.get("spec"))?;
            if let Some(manifest) = manifest_of(&row, leg_id, &spec)? {
                let tenant = parse_json(
                    "tenant",
                    spec.key.tenant_id.as_str(),
                    "document",
                    row.get("document"),
                )?;
                watched.push(Watched {
                    leg_id,
                    live: row.get::<&str, _>("state") == "live",
                    started: row.get("started"),
                    attempt: row.get("attempt"),
                    spec,
                    manifest,
                    tenant,
                });
            }
        }
        Ok(watched)
    }

    /// A clock's report on a leg without a command: its start has passed and the platform serves it, or refused it. Nothing is written of
    /// a leg that has moved on since it was looked at.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn report_leg(
        &self,
        compose: &dyn Compose,
        watched: &Watched,
        report: LegReport,
        now: &str,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        if !as_watched(&mut tx, watched).await? {
            return Ok(());
        }
        let reports = [report];
        let records = apply_reports(&mut tx, compose, &reports, now).await?;
        review::follow(&mut tx, &[reports[0].leg_id], &[]).await?;
        touchpoints::follow(&mut tx, compose, &reports, &[]).await?;
        audit::append(&mut tx, &records).await?;
        commit(tx, "views.report_leg").await
    }
}

fn execution(row: &sqlx::postgres::PgRow) -> Result<ExecutionView, StoreError> {
    let id: i64 = row.get("id");
    let saga: Option<serde_json::Value> = row.get("saga");
    let settled: Option<String> = row.get("settled");
    let failed_at: Option<DateTime<Utc>> = row.get("failed_at");
    Ok(ExecutionView {
        id,
        tenant_id: row.get("tenant_id"),
        plan_id: row.get("plan_id"),
        plan_version: row.get("plan_version"),
        gate: row.get("gate"),
        approved_at: row.get("approved_at"),
        approved_by: row.get("approved_by"),
        received_at: row.get("received_at"),
        gate_opened_at: row.get("gate_opened_at"),
        settled_at: row.get("settled_at"),
        deadline_at: row.get("due"),
        deadline: deadline(row, settled.as_deref() == Some("completed"))?,
        trouble: failed_at.map(|since| Trouble {
            since,
            escalates_at: row.get("escalates_at"),
            escalated_at: row.get("escalated_at"),
        }),
        settled,
        saga: saga.map(|s| parse_json("execution", id, "saga", s)).transpose()?,
    })
}

fn deadline(row: &sqlx::postgres::PgRow, completed: bool) -> Result<Deadline, StoreError> {
    let step = parse_text(
        "clock",
        row.get::<i64, _>("id"),
        "step",
        row.get("step"),
        Step::parse,
    )?;
    let (running, limit_s): (bool, i64) = (row.get("running"), row.get("limit_s"));
    let worked: f64 = row.get("worked_s");
    let state = match step {
        Step::Done => "breached",
        // Its step is due and about to be taken.
        _ if worked >= limit_s as f64 => "breached",
        Step::Breach if running => "warned",
        Step::Warn | Step::Escalate if running => "running",
        Step::Warn | Step::Breach | Step::Escalate if completed => "met",
        Step::Warn | Step::Breach | Step::Escalate => "stopped",
    };
    Ok(Deadline {
        since: row.get("since"),
        limit_s,
        worked_s: worked.max(0.0).round() as i64,
        state,
        running,
        waiting: running && row.get::<bool, _>("waiting"),
        waited: Waited::of(row),
    })
}

fn review(row: &sqlx::postgres::PgRow) -> Option<Review> {
    let (since, waited_s): (Option<DateTime<Utc>>, i64) = (row.get("review_since"), row.get("review_s"));
    (since.is_some() || waited_s > 0).then_some(Review { since, waited_s })
}
