//! Touchpoints: opened and resolved in the transaction of what asks for them, each told to the world once.
//!
//! Must not decide who is asked for what (`domain::touchpoint` does), nor delete anything. Comes after legs and outbox rows of the
//! same transaction, before its audit entries.

use super::moves::{Compose, LegReport};
use super::outbox::{self, Message};
use super::views::{Watched, as_watched};
use super::{Conn, Store, StoreError, commit, refused, review};
use crate::domain::error::LegError;
use crate::domain::gate::Check;
use crate::domain::saga::Report;
use crate::domain::touchpoint::{self, Assets, Kind};
use sqlx::Row;

/// A touchpoint as events tell of it.
#[derive(Debug, Clone)]
pub struct TouchpointFact {
    /// Its row.
    pub id: i64,
    /// The tenant.
    pub tenant_id: String,
    /// The plan.
    pub plan_id: String,
    /// The version.
    pub plan_version: String,
    /// Of the message that started the execution.
    pub traceparent: Option<String>,
    /// What a person is needed for.
    pub kind: String,
    /// For a person.
    pub what_to_do: String,
    /// It is resolved; else it is open.
    pub resolved: bool,
    /// The leg it is about, if it is about one: platform and key.
    pub leg: Option<(String, String)>,
    /// What it is about: a decision can name it.
    pub payload_hash: String,
    /// How it was resolved, by whom, and why.
    pub resolution: Option<(String, Option<String>, Option<String>)>,
}

/// Which of an execution's open touchpoints are resolved by what happened to the whole of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The question whether it may be launched.
    Approval,
    /// What was asked about a payload at the gate.
    Payload,
    /// All of it but what a person must undo by hand: it goes back.
    AllButStuck,
    /// All of it: nothing was launched, and nothing will be.
    All,
    /// What was asked about the whole of an execution: another version has its place.
    Whole,
    /// That the platforms hold something else.
    Drift,
    /// What was asked about legs that are gone or another version's by now.
    GoneLegs,
}

/// Open touchpoints that something makes pointless, or answers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settling<'a> {
    /// Whose.
    pub(crate) executions: &'a [i64],
    /// Which.
    pub(crate) scope: Scope,
    /// `approve`, `reject`, `amended`, `cancelled`, `rolled_back`, `superseded`, `not_needed`.
    pub(crate) how: &'a str,
    /// Who.
    pub(crate) by: &'a str,
    /// Why.
    pub(crate) reason: Option<&'a str>,
}

/// A person is asked to do something.
#[derive(Debug, Clone)]
pub(crate) struct Opening {
    /// The execution; none: the leg's own.
    pub(crate) execution_id: Option<i64>,
    /// The leg, if it is about one.
    pub(crate) leg_id: Option<i64>,
    /// What for.
    pub(crate) kind: Kind,
    /// For a person.
    pub(crate) what_to_do: String,
}

/// What legs reported, and what they wait for: touchpoints follow.
pub(crate) async fn follow(
    conn: &mut Conn,
    compose: &dyn Compose,
    reports: &[LegReport],
    waiting_for_assets: &[(i64, &str)],
) -> Result<(), StoreError> {
    let mut openings: Vec<Opening> = waiting_for_assets
        .iter()
        .map(|(leg_id, why)| Opening {
            execution_id: None,
            leg_id: Some(*leg_id),
            kind: Kind::MissingAsset,
            what_to_do: (*why).to_owned(),
        })
        .collect();
    openings.extend(
        reports
            .iter()
            .filter_map(|report| match (&report.error, &report.finding) {
                (Some(error), _) => Some(of_leg(report.leg_id, Kind::of(report.what, error.class)?, error)),
                (None, Some(finding)) => Some(of_leg(report.leg_id, Kind::PolicyDisapproval, finding)),
                (None, None) => None,
            }),
    );
    let mut messages = resolve_by(conn, compose, reports).await?;
    for opening in &openings {
        messages.extend(open(conn, compose, opening).await?);
    }
    let refused = |r: &&LegReport| r.what == Report::Live && r.finding.is_some();
    let refused: Vec<i64> = reports.iter().filter(refused).map(|r| r.leg_id).collect();
    watch(conn, &refused).await?;
    outbox::put(conn, &messages).await
}

fn of_leg(leg_id: i64, kind: Kind, error: &LegError) -> Opening {
    Opening {
        execution_id: None,
        leg_id: Some(leg_id),
        kind,
        what_to_do: touchpoint::what_to_do(kind, error),
    }
}

/// Live legs of which something is refused are looked at until it no longer is.
async fn watch(conn: &mut Conn, legs: &[i64]) -> Result<(), StoreError> {
    if legs.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "-- touchpoints.watch
         UPDATE leg SET watch_at = clock_timestamp() + interval '10 minutes' WHERE id = ANY($1) AND state = 'live'",
    )
    .bind(legs)
    .execute(conn)
    .await
    .map_err(refused("touchpoints.watch"))?;
    Ok(())
}

impl Store {
    /// What a look at a leg found that the platform's policies refuse of it, while the leg stays as it is; none: nothing any more.
    /// Its review is over.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn follow_finding(
        &self,
        compose: &dyn Compose,
        watched: &Watched,
        finding: Option<&LegError>,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        if !as_watched(&mut tx, watched).await? {
            return Ok(());
        }
        let leg_id = watched.leg_id;
        review::follow(&mut tx, &[leg_id], &[]).await?;
        let messages: Vec<Message> = match finding {
            Some(finding) => {
                let opening = of_leg(leg_id, Kind::PolicyDisapproval, finding);
                open(&mut tx, compose, &opening).await?.into_iter().collect()
            }
            None => {
                sqlx::query(
                    "-- touchpoints.unwatch
                     UPDATE leg SET watch_at = NULL WHERE id = $1 AND state = 'live'",
                )
                .bind(leg_id)
                .execute(&mut *tx)
                .await
                .map_err(refused("touchpoints.unwatch"))?;
                resolve(
                    &mut tx,
                    compose,
                    &[(leg_id, Kind::PolicyDisapproval, "got_through")],
                )
                .await?
            }
        };
        outbox::put(&mut tx, &messages).await?;
        commit(tx, "touchpoints.finding").await
    }
}

/// The assets that the gate found wanting, or not.
pub(crate) async fn follow_gate(
    conn: &mut Conn,
    compose: &dyn Compose,
    execution_id: i64,
    checks: &[Check],
) -> Result<(), StoreError> {
    let messages = match touchpoint::assets(checks) {
        Assets::NotKnown => return Ok(()),
        Assets::Wanting(what_to_do) => {
            let opening = Opening {
                execution_id: Some(execution_id),
                leg_id: None,
                kind: Kind::MissingAsset,
                what_to_do,
            };
            open(conn, compose, &opening).await?.into_iter().collect()
        }
        Assets::AllThere => appeared(conn, compose, execution_id).await?,
    };
    outbox::put(conn, &messages).await
}

/// A person is asked to allow the launch, once.
pub(crate) async fn ask_for_approval(
    conn: &mut Conn,
    compose: &dyn Compose,
    execution_id: i64,
    what_to_do: String,
) -> Result<(), StoreError> {
    let opening = Opening {
        execution_id: Some(execution_id),
        leg_id: None,
        kind: Kind::LaunchApproval,
        what_to_do,
    };
    let message = open(conn, compose, &opening).await?;
    outbox::put(conn, message.as_slice()).await
}

/// A person is told that the platforms hold something else; whether that is news.
pub(crate) async fn ask_about_drift(
    conn: &mut Conn,
    compose: &dyn Compose,
    execution_id: i64,
    what_to_do: String,
) -> Result<bool, StoreError> {
    let before: Option<String> = sqlx::query_scalar(
        "-- touchpoints.drift
         SELECT what_to_do FROM touchpoint WHERE execution_id = $1 AND kind = 'drift' AND resolved_at IS NULL",
    )
    .bind(execution_id)
    .fetch_optional(&mut *conn)
    .await
    .map_err(refused("touchpoints.drift"))?;
    if before.as_ref() == Some(&what_to_do) {
        return Ok(false);
    }
    let opening = Opening {
        execution_id: Some(execution_id),
        leg_id: None,
        kind: Kind::Drift,
        what_to_do,
    };
    let message = open(conn, compose, &opening).await?;
    outbox::put(conn, message.as_slice()).await?;
    Ok(true)
}

/// Resolves what is open of these executions in this scope, and tells it; how many there were.
pub(crate) async fn settle(
    conn: &mut Conn,
    compose: &dyn Compose,
    settling: &Settling<'_>,
) -> Result<usize, StoreError> {
    let kinds: Vec<&str> = match settling.scope {
        Scope::Approval => vec![Kind::LaunchApproval.as_str()],
        Scope::Payload => vec![Kind::LaunchApproval.as_str(), Kind::MissingAsset.as_str()],
        Scope::Whole => [Kind::LaunchApproval, Kind::MissingAsset, Kind::Drift]
            .iter()
            .map(|k| k.as_str())
            .collect(),
        Scope::Drift => vec![Kind::Drift.as_str()],
        Scope::AllButStuck => {
            let stuck = |k: &&Kind| **k != Kind::Stuck;
            Kind::ALL.iter().filter(stuck).map(|k| k.as_str()).collect()
        }
        Scope::All | Scope::GoneLegs => Kind::ALL.iter().map(|k| k.as_str()).collect(),
    };
    let place = match settling.scope {
        Scope::Approval | Scope::Payload | Scope::Whole | Scope::Drift => "gate",
        Scope::AllButStuck | Scope::All => "all",
        Scope::GoneLegs => "gone",
    };
    let rows = sqlx::query(
        "-- touchpoints.settle
         WITH settled AS (
             UPDATE touchpoint t SET resolved_at = clock_timestamp(), resolution = $4, resolved_by = $5, reason = $6
             WHERE t.execution_id = ANY($1) AND t.kind = ANY($2) AND t.resolved_at IS NULL AND CASE $3
                 WHEN 'gate' THEN t.leg_id IS NULL
                 WHEN 'gone' THEN EXISTS (SELECT FROM leg l WHERE l.id = t.leg_id
                                          AND l.state IN ('undone', 'retired', 'superseded'))
                 ELSE true END
             RETURNING t.*)
         SELECT s.id AS touchpoint, s.kind, s.what_to_do, s.payload_hash, s.resolution, s.resolved_by, s.reason,
                e.tenant_id, e.plan_id, e.plan_version, e.traceparent, l.platform, l.logical_campaign_key
         FROM settled s JOIN execution e ON e.id = s.execution_id LEFT JOIN leg l ON l.id = s.leg_id ORDER BY s.id",
    )
    .bind(settling.executions)
    .bind(kinds)
    .bind(place)
    .bind(settling.how)
    .bind(settling.by)
    .bind(settling.reason.filter(|reason| !reason.is_empty()))
    .fetch_all(&mut *conn)
    .await
    .map_err(refused("touchpoints.settle"))?;
    let messages: Vec<Message> = rows
        .iter()
        .map(|row| compose.touchpoint(&resolved(row)))
        .collect();
    outbox::put(conn, &messages).await?;
    Ok(messages.len())
}

/// What people were asked about an older version is asked no more; its legs that are still being switched off report by
/// themselves.
pub(crate) async fn superseded(
    conn: &mut Conn,
    compose: &dyn Compose,
    older_id: i64,
    newer: &str,
) -> Result<(), StoreError> {
    let why = format!("{newer} has taken its place");
    for scope in [Scope::Whole, Scope::GoneLegs] {
        let settling = Settling {
            executions: &[older_id],
            scope,
            how: "superseded",
            by: "service",
            reason: Some(&why),
        };
        settle(conn, compose, &settling).await?;
    }
    Ok(())
}

/// Nor about legs that an amended plan no longer has.
pub(crate) async fn left(
    conn: &mut Conn,
    compose: &dyn Compose,
    execution_id: i64,
) -> Result<(), StoreError> {
    let settling = Settling {
        executions: &[execution_id],
        scope: Scope::GoneLegs,
        how: "retired",
        by: "service",
        reason: Some("the amended plan no longer has it"),
    };
    settle(conn, compose, &settling).await.map(drop)
}

/// Opens a touchpoint; if it is open already, only what is asked is brought up to date. The message, if it is new.
async fn open(
    conn: &mut Conn,
    compose: &dyn Compose,
    opening: &Opening,
) -> Result<Option<Message>, StoreError> {
    let row = sqlx::query(
        "-- touchpoints.open
         WITH place AS (SELECT e.id, e.tenant_id, e.plan_id, e.plan_version, e.payload_hash, e.traceparent, l.platform,
                               l.logical_campaign_key
                        FROM execution e LEFT JOIN leg l ON l.id = $2
                        WHERE e.id = coalesce($1, l.execution_id)),
              opened AS (
                  INSERT INTO touchpoint (execution_id, leg_id, kind, payload_hash, what_to_do)
                  SELECT id, $2, $3, payload_hash, $4 FROM place
                  ON CONFLICT (execution_id, kind, coalesce(leg_id, 0)) WHERE resolved_at IS NULL
                  DO UPDATE SET what_to_do = excluded.what_to_do
                  RETURNING id, (xmax = 0) AS new)
         SELECT o.id AS touchpoint, o.new, p.* FROM opened o, place p",
    )
    .bind(opening.execution_id)
    .bind(opening.leg_id)
    .bind(opening.kind.as_str())
    .bind(&opening.what_to_do)
    .fetch_optional(conn)
    .await
    .map_err(refused("touchpoints.open"))?;
    Ok(row.filter(|row| row.get("new")).map(|row| {
        compose.touchpoint(&TouchpointFact {
            kind: opening.kind.as_str().to_owned(),
            what_to_do: opening.what_to_do.clone(),
            resolved: false,
            ..fact(&row)
        })
    }))
}

/// Resolves what the reports settle. Most legs have none: the index of open touchpoints answers that.
async fn resolve_by(
    conn: &mut Conn,
    compose: &dyn Compose,
    reports: &[LegReport],
) -> Result<Vec<Message>, StoreError> {
    let settled = reports.iter().flat_map(|report| {
        let all = Kind::resolved_by(report.what, report.finding.is_some()).into_iter();
        all.map(|(kind, how)| (report.leg_id, kind, how))
    });
    resolve(conn, compose, &settled.collect::<Vec<_>>()).await
}

async fn resolve(
    conn: &mut Conn,
    compose: &dyn Compose,
    settled: &[(i64, Kind, &'static str)],
) -> Result<Vec<Message>, StoreError> {
    if settled.is_empty() {
        return Ok(Vec::new());
    }
    let legs: Vec<i64> = settled.iter().map(|(leg, ..)| *leg).collect();
    let kinds: Vec<&str> = settled.iter().map(|(_, kind, _)| kind.as_str()).collect();
    let hows: Vec<&str> = settled.iter().map(|(.., how)| *how).collect();
    let rows = sqlx::query(
        "-- touchpoints.resolve
         WITH settled AS (
             UPDATE touchpoint t SET resolved_at = clock_timestamp(), resolution = n.how, resolved_by = 'service'
             FROM unnest($1::bigint[], $2::text[], $3::text[]) AS n (leg_id, kind, how)
             WHERE t.leg_id = n.leg_id AND t.kind = n.kind AND t.resolved_at IS NULL
             RETURNING t.*)
         SELECT s.id AS touchpoint, s.kind, s.what_to_do, s.payload_hash, s.resolution, s.resolved_by, s.reason,
                e.tenant_id, e.plan_id, e.plan_version, e.traceparent, l.platform, l.logical_campaign_key
         FROM settled s JOIN execution e ON e.id = s.execution_id LEFT JOIN leg l ON l.id = s.leg_id ORDER BY s.id",
    )
    .bind(legs)
    .bind(kinds)
    .bind(hows)
    .fetch_all(conn)
    .await
    .map_err(refused("touchpoints.resolve"))?;
    Ok(rows
        .iter()
        .map(|row| compose.touchpoint(&resolved(row)))
        .collect())
}

/// Every asset of the plan is there.
async fn appeared(
    conn: &mut Conn,
    compose: &dyn Compose,
    execution_id: i64,
) -> Result<Vec<Message>, StoreError> {
    let rows = sqlx::query(
        "-- touchpoints.appeared
         WITH settled AS (
             UPDATE touchpoint SET resolved_at = clock_timestamp(), resolution = 'appeared', resolved_by = 'service'
             WHERE execution_id = $1 AND kind = 'missing_asset' AND leg_id IS NULL AND resolved_at IS NULL
             RETURNING *)
         SELECT s.id AS touchpoint, s.kind, s.what_to_do, s.payload_hash, s.resolution, s.resolved_by, s.reason,
                e.tenant_id, e.plan_id, e.plan_version, e.traceparent,
                NULL::text AS platform, NULL::text AS logical_campaign_key
         FROM settled s, execution e WHERE e.id = $1",
    )
    .bind(execution_id)
    .fetch_all(conn)
    .await
    .map_err(refused("touchpoints.appeared"))?;
    Ok(rows
        .iter()
        .map(|row| compose.touchpoint(&resolved(row)))
        .collect())
}

/// The legs of an execution that wait for an asset look at once whether it is there; how many.
pub(crate) async fn wake(conn: &mut Conn, execution_id: i64) -> Result<u64, StoreError> {
    // Skipping what is locked: a worker has it, and it will look by itself.
    let woken = sqlx::query(
        "-- touchpoints.wake
         WITH waiting AS (
             SELECT c.id FROM leg l JOIN command c ON c.leg_id = l.id
             WHERE l.execution_id = $1 AND c.state = 'queued' AND c.waiting_for = 'asset' AND c.lease_until IS NULL
             ORDER BY c.id FOR UPDATE OF c SKIP LOCKED)
         UPDATE command SET not_before = clock_timestamp() FROM waiting WHERE command.id = waiting.id",
    )
    .bind(execution_id)
    .execute(conn)
    .await
    .map_err(refused("touchpoints.wake"))?;
    Ok(woken.rows_affected())
}

fn resolved(row: &sqlx::postgres::PgRow) -> TouchpointFact {
    TouchpointFact {
        kind: row.get("kind"),
        what_to_do: row.get("what_to_do"),
        resolved: true,
        resolution: row
            .get::<Option<String>, _>("resolution")
            .map(|how| (how, row.get("resolved_by"), row.get("reason"))),
        ..fact(row)
    }
}

fn fact(row: &sqlx::postgres::PgRow) -> TouchpointFact {
    let leg: (Option<String>, Option<String>) = (row.get("platform"), row.get("logical_campaign_key"));
    TouchpointFact {
        id: row.get("touchpoint"),
        tenant_id: row.get("tenant_id"),
        plan_id: row.get("plan_id"),
        plan_version: row.get("plan_version"),
        traceparent: row.get("traceparent"),
        kind: String::new(),
        what_to_do: String::new(),
        resolved: false,
        leg: leg.0.zip(leg.1),
        payload_hash: row.get("payload_hash"),
        resolution: None,
    }
}
