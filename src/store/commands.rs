//! Commands: accepted from Kafka once, then leased to workers with a fencing token.
//!
//! Must not send anything. A command waits here, where ops can see it, with `not_before`, attempts and the last error.

use super::moves::{self, manifest_of};
use super::progress::Wait;
use super::{Conn, Store, StoreError, commit, parse_json, parse_text, refused};
use crate::domain::hold::Hold;
use crate::domain::manifest::Manifest;
use crate::domain::saga::{CommandKind, LegState};
use crate::domain::spec::LegSpec;
use crate::domain::tenant::Tenant;
use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::Row;
use std::time::Duration;
use uuid::Uuid;

/// A command as it came from `launch.<platform>`.
#[derive(Debug, Clone)]
pub struct Accepted {
    /// Its id.
    pub command_id: Uuid,
    /// The leg.
    pub leg_id: i64,
    /// The tenant, whose fair queue it stands in.
    pub tenant_id: String,
    /// The platform.
    pub platform: String,
    /// What to do.
    pub kind: CommandKind,
    /// Which of the leg's commands it is: an older one is not taken up any more.
    pub attempt: i32,
    /// Of the message.
    pub traceparent: Option<String>,
}

/// A leased command with everything its worker needs.
#[derive(Debug, Clone)]
pub struct Job {
    /// The command.
    pub command_id: Uuid,
    /// Fences the lease; each write names it.
    pub token: i64,
    /// What to do.
    pub kind: CommandKind,
    /// How often it was leased, this time included.
    pub attempts: i32,
    /// Of the message.
    pub traceparent: Option<String>,
    /// The leg.
    pub leg_id: i64,
    /// Where the leg stands.
    pub leg_state: LegState,
    /// It is the leg's last command: an older one has nothing to do any more.
    pub current: bool,
    /// Its campaign was taken over from an older version, which gets it back when this one is undone.
    pub adopted: bool,
    /// The flight has begun, by the database's clock.
    pub started: bool,
    /// What it should look like.
    pub spec: LegSpec,
    /// What was made; none: nothing was even intended.
    pub manifest: Option<Manifest>,
    /// An outcome is unknown, and the settle time is over only then; none: nothing is unknown.
    pub unknown_until: Option<DateTime<Utc>>,
    /// Whether that moment has passed, by the database's clock.
    pub may_look: bool,
    /// Look-ups that found nothing since then.
    pub looks: i32,
    /// Write calls whose outcome was never written: (id, request).
    pub open_mutations: Vec<(Uuid, Value)>,
    /// The client.
    pub tenant: Tenant,
    /// The account's probe verdict, if one is kept.
    pub facts: Option<Value>,
    /// An undo: its leg was seen off.
    pub off: bool,
    /// What it was given back to wait for.
    pub waiting: Option<Waiting>,
    /// The tenant is paused.
    pub paused: bool,
    /// The leg's place under the kill switch.
    pub hold: Option<Hold>,
    /// The objects that the switch turned off.
    pub held: Option<Vec<String>>,
}

/// What a command waits for, and for how long it has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Waiting {
    /// What for.
    pub wait: Wait,
    /// Looks since then.
    pub polls: i32,
}

impl Store {
    /// Accepts commands, each once, in one transaction. How many were new.
    ///
    /// # Errors
    /// [`StoreError`]; none was accepted, and all must come again.
    pub async fn accept_commands(&self, commands: &[Accepted]) -> Result<u64, StoreError> {
        let mut tx = self.begin().await?;
        let ids: Vec<Uuid> = commands.iter().map(|c| c.command_id).collect();
        let legs: Vec<i64> = commands.iter().map(|c| c.leg_id).collect();
        let column = |f: fn(&Accepted) -> &str| commands.iter().map(f).collect::<Vec<_>>();
        let traces: Vec<Option<&str>> = commands.iter().map(|c| c.traceparent.as_deref()).collect();
        let done = sqlx::query(
            "-- commands.accept
             INSERT INTO command (id, leg_id, platform, account_key, kind, traceparent)
             SELECT n.id, n.leg_id, n.platform, n.account_key, n.kind, n.traceparent
             FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::int[])
                 AS n (id, leg_id, platform, account_key, kind, traceparent, attempt)
             WHERE EXISTS (SELECT FROM leg WHERE leg.id = n.leg_id AND leg.tenant_id = n.account_key
                           AND leg.platform = n.platform AND leg.attempt = n.attempt)
             ON CONFLICT (id) DO NOTHING",
        )
        .bind(ids)
        .bind(legs)
        .bind(column(|c| &c.platform))
        .bind(column(|c| &c.tenant_id))
        .bind(column(|c| c.kind.as_str()))
        .bind(traces)
        .bind(commands.iter().map(|c| c.attempt).collect::<Vec<_>>())
        .execute(&mut *tx)
        .await
        .map_err(refused("commands.accept"))?;
        undo_makes_holds_void(&mut tx, commands).await?;
        commit(tx, "commands.accept").await?;
        Ok(done.rows_affected())
    }

    /// Leases commands that are due, taking turns between tenants so that one huge plan doesn't starve another; of each tenant's
    /// first what only switches off.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn lease_commands(
        &self,
        platform: &str,
        limit: i64,
        lease: Duration,
    ) -> Result<Vec<Job>, StoreError> {
        let mut tx = self.begin().await?;
        let leased = sqlx::query(
            "-- commands.lease
             WITH RECURSIVE tenants AS (
                 (SELECT account_key FROM command WHERE platform = $1 AND state = 'queued' ORDER BY account_key LIMIT 1)
                 UNION ALL
                 SELECT (SELECT c.account_key FROM command c WHERE c.platform = $1 AND c.state = 'queued'
                         AND c.account_key > t.account_key ORDER BY c.account_key LIMIT 1)
                 FROM tenants t WHERE t.account_key IS NOT NULL),
             due AS (
                 SELECT pick.id FROM tenants t CROSS JOIN LATERAL (
                     SELECT c.id, row_number() OVER (ORDER BY c.urgent DESC, c.not_before) AS turn FROM (
                         (SELECT id, not_before, true AS urgent FROM command_ready
                          WHERE platform = $1 AND account_key = t.account_key AND urgent
                            AND not_before <= clock_timestamp()
                            AND (lease_until IS NULL OR lease_until < clock_timestamp())
                          ORDER BY not_before LIMIT $2)
                         UNION ALL
                         (SELECT id, not_before, false AS urgent FROM command_ready
                          WHERE platform = $1 AND account_key = t.account_key AND NOT urgent
                            AND not_before <= clock_timestamp()
                            AND (lease_until IS NULL OR lease_until < clock_timestamp())
                          ORDER BY not_before LIMIT $2)) c) pick
                 WHERE t.account_key IS NOT NULL ORDER BY pick.turn LIMIT $2),
             locked AS (
                 SELECT id FROM command WHERE id IN (SELECT id FROM due) AND state = 'queued'
                   AND (lease_until IS NULL OR lease_until < clock_timestamp())
                 FOR UPDATE SKIP LOCKED)
             UPDATE command c SET lease_token = lease_token + 1, attempts = attempts + 1,
                    lease_until = clock_timestamp() + make_interval(secs => $3),
                    -- What still waits when an atomic launch fails stops before its first write. (A rollback takes it back itself.)
                    withdraw = c.withdraw OR c.kind IN ('build', 'activate') AND EXISTS (
                        SELECT FROM leg l JOIN execution e ON e.id = l.execution_id
                        WHERE l.id = c.leg_id AND e.saga ->> 'direction' = 'back')
             FROM locked WHERE c.id = locked.id
             RETURNING c.id",
        )
        .bind(platform)
        .bind(limit)
        .bind(lease.as_secs_f64())
        .fetch_all(&mut *tx)
        .await
        .map_err(refused("commands.lease"))?;
        let ids: Vec<Uuid> = leased.iter().map(|row| row.get(0)).collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let rows = sqlx::query(
            "-- commands.jobs
             SELECT c.id, c.lease_token, c.kind, c.attempts, c.traceparent, c.leg_id, l.state, l.spec, l.attempt,
                    l.adopted_from IS NOT NULL AS adopted,
                    l.starts_at <= clock_timestamp() AS started,
                    m.account_id, m.campaign_name, m.revision, m.mutation_count, m.tracking_mode, m.objects,
                    l.hold, m.held, EXISTS (SELECT FROM tenant_pause p WHERE p.tenant_id = l.tenant_id AND p.lifted_at IS NULL)
                        AS paused,
                    m.unknown_until, coalesce(m.unknown_until <= clock_timestamp(), true) AS may_look,
                    coalesce(m.unresolved_looks, 0) AS looks, t.document, v.verdict, c.waiting_for, c.polls,
                    c.off_at IS NOT NULL AS off,
                    (SELECT coalesce(jsonb_agg(jsonb_build_array(u.id, u.request) ORDER BY u.intended_at), '[]')
                     FROM mutation u WHERE u.leg_id = l.id AND u.state IN ('in_flight', 'unknown')) AS open_mutations
             FROM command c JOIN leg l ON l.id = c.leg_id JOIN tenant t ON t.tenant_id = l.tenant_id
                  LEFT JOIN execution_manifest m ON m.leg_id = l.id
                  LEFT JOIN probe_verdict v ON v.tenant_id = l.tenant_id AND v.probe = 'account:' || l.platform
                       AND v.probed_at > clock_timestamp() - interval '1 hour'
             WHERE c.id = ANY($1)",
        )
        .bind(&ids)
        .fetch_all(&mut *tx)
        .await
        .map_err(refused("commands.jobs"))?;
        commit(tx, "commands.lease").await?;
        rows.iter().map(job).collect()
    }

    /// When the next queued command of a platform falls due; `None`: none waits.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn next_due(&self, platform: &str) -> Result<Option<Duration>, StoreError> {
        let seconds: Option<f64> = sqlx::query_scalar(
            "-- commands.next_due
             SELECT extract(epoch FROM min(greatest(not_before, coalesce(lease_until, not_before)))
                            - clock_timestamp())::float8
             FROM command_ready WHERE platform = $1",
        )
        .bind(platform)
        .fetch_one(self.pool())
        .await
        .map_err(refused("commands.next_due"))?;
        Ok(seconds.map(|s| Duration::try_from_secs_f64(s.max(0.0)).unwrap_or_default()))
    }
}

/// An undo switches off by itself: what a pause or its end asked of the leg is void. An old one that comes again voids nothing.
async fn undo_makes_holds_void(conn: &mut Conn, commands: &[Accepted]) -> Result<(), StoreError> {
    let undos = commands.iter().filter(|c| c.kind == CommandKind::Undo);
    let (legs, attempts): (Vec<i64>, Vec<i32>) = undos.map(|c| (c.leg_id, c.attempt)).unzip();
    if legs.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "-- commands.void_holds
         WITH undone AS (SELECT l.id FROM leg l JOIN unnest($1::bigint[], $2::int[]) AS n (id, attempt)
                                 ON n.id = l.id AND n.attempt = l.attempt WHERE l.state = 'undoing'),
              void AS (SELECT id FROM command WHERE leg_id IN (SELECT id FROM undone) AND kind IN ('hold', 'release')
                         AND state = 'queued' AND (lease_until IS NULL OR lease_until < clock_timestamp()) FOR UPDATE SKIP LOCKED),
              done AS (UPDATE command c SET state = 'done', done_at = clock_timestamp(), report = 'superseded'
                       FROM void WHERE c.id = void.id)
         UPDATE leg SET hold = NULL WHERE id IN (SELECT id FROM undone) AND hold IS NOT NULL",
    )
    .bind(legs)
    .bind(attempts)
    .execute(conn)
    .await
    .map_err(refused("commands.void_holds"))?;
    Ok(())
}

fn job(row: &sqlx::postgres::PgRow) -> Result<Job, StoreError> {
    let command_id: Uuid = row.get("id");
    let leg_id: i64 = row.get("leg_id");
    let spec: LegSpec = parse_json("leg", leg_id, "spec", row.get("spec"))?;
    let waiting: Option<String> = row.get("waiting_for");
    let waiting = waiting
        .map(|text| parse_text("command", command_id, "waiting_for", &text, Wait::parse))
        .transpose()?;
    let kind = parse_text("command", command_id, "kind", row.get("kind"), CommandKind::parse)?;
    Ok(Job {
        command_id,
        token: row.get("lease_token"),
        kind,
        current: command_id == moves::command_id(leg_id, kind, row.get("attempt")),
        adopted: row.get("adopted"),
        attempts: row.get("attempts"),
        traceparent: row.get("traceparent"),
        leg_id,
        leg_state: parse_text("leg", leg_id, "state", row.get("state"), LegState::parse)?,
        started: row.get("started"),
        manifest: manifest_of(row, leg_id, &spec)?,
        unknown_until: row.get("unknown_until"),
        may_look: row.get("may_look"),
        looks: row.get("looks"),
        open_mutations: parse_json("mutation", leg_id, "id, request", row.get("open_mutations"))?,
        tenant: parse_json(
            "tenant",
            spec.key.tenant_id.as_str(),
            "document",
            row.get("document"),
        )?,
        facts: row.get("verdict"),
        off: row.get("off"),
        waiting: waiting.map(|wait| Waiting {
            wait,
            polls: row.get("polls"),
        }),
        paused: row.get("paused"),
        hold: row
            .get::<Option<String>, _>("hold")
            .map(|h| parse_text("leg", leg_id, "hold", &h, Hold::parse))
            .transpose()?,
        held: row
            .get::<Option<Value>, _>("held")
            .map(|h| parse_json("execution_manifest", leg_id, "held", h))
            .transpose()?,
        spec,
    })
}
