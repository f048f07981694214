//! What ad accounts were given of the asset library: claimed by one leg at a time, an intent before each call, its outcome
//! after it, shared by all legs and tenants that need the same content in the same account.
//!
//! Must not wait: a leg that cannot have a claim is told when to come back. Nothing is written without the claim's token,
//! except the audit log: what a call came to is never thrown away.

use super::audit::Record;
use super::{Conn, Store, StoreError, audit, commit, parse_json, refused};
use crate::domain::error::LegError;
use crate::domain::spec::Asset;
use serde_json::Value;
use sqlx::Row;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use uuid::Uuid;

/// An upload that a leg relies on.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// What makes it the same upload: `sha256:…`, or `library:<tenant>/<asset_id>`.
    pub content: String,
    /// What the tenant's library calls it.
    pub asset_id: String,
    /// How it would be sent.
    pub upload: Value,
}

/// Who asks for uploads.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'a> {
    /// The platform.
    pub platform: &'a str,
    /// The account on it.
    pub account_id: &'a str,
    /// The tenant.
    pub tenant_id: &'a str,
    /// The leg.
    pub leg_id: i64,
    /// The command: a refusal that is older than it is not its own, and is tried again.
    pub command_id: Uuid,
}

/// How far an upload is that was claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// No call's outcome is open: it may be sent.
    Unsent,
    /// A call may have been made: look first.
    Unknown,
    /// It is there, and was not usable when last looked at.
    Processing,
}

/// The right to deal with one upload, for as long as its lease lasts.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// Its row.
    pub id: i64,
    /// Fences it.
    pub token: i64,
    /// How far it is.
    pub stage: Stage,
    /// How it was last sent, or is to be sent.
    pub upload: Value,
    /// What the platform calls it, as far as is known.
    pub refs: BTreeMap<String, String>,
    /// Look-ups that did not settle it.
    pub looks: i32,
    /// Calls sent so far.
    pub sends: i32,
    /// How long the platform has been processing it.
    pub processing_for: Duration,
}

/// How an upload stands for the one who asks.
#[derive(Debug, Clone, PartialEq)]
pub enum Standing {
    /// The account has it.
    Ready(BTreeMap<String, String>),
    /// The platform will not have it.
    Failed(Box<LegError>),
    /// Another leg deals with it, or it is not yet to be looked at: come back then.
    Later(Duration),
    /// It is the asker's to deal with.
    Claimed(Box<Claim>),
}

/// What became of a claim.
#[derive(Debug, Clone)]
pub struct Settled {
    /// `intended`, `processing`, `ready`, `failed`.
    pub state: &'static str,
    /// What the platform calls it; none: as before.
    pub refs: Option<BTreeMap<String, String>>,
    /// Why it was refused.
    pub error: Option<LegError>,
    /// A call may have been made whose outcome is not known.
    pub unknown: bool,
    /// Not to be looked at before this has passed.
    pub after: Option<Duration>,
    /// Look-ups that did not settle it.
    pub looks: i32,
}

impl Store {
    /// How the uploads stand, by content; what nobody deals with is claimed for the asker. With `recheck` also those that were
    /// ready when last looked at.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was claimed.
    pub async fn claim_uploads(
        &self,
        asking: Asking<'_>,
        wanted: &[Wanted],
        lease: Duration,
        recheck: bool,
    ) -> Result<BTreeMap<String, Standing>, StoreError> {
        let contents: BTreeSet<&str> = wanted.iter().map(|w| w.content.as_str()).collect();
        let mut tx = self.begin().await?;
        let mut standings = if recheck {
            BTreeMap::new()
        } else {
            ready(&mut tx, asking, &contents).await?
        };
        let missing: Vec<&Wanted> = wanted
            .iter()
            .filter(|w| !standings.contains_key(&w.content))
            .collect();
        if !missing.is_empty() {
            insert(&mut tx, asking, &missing).await?;
            standings.extend(claim(&mut tx, asking, &missing, (lease, recheck)).await?);
        }
        link(&mut tx, asking, wanted).await?;
        commit(tx, "uploads.claim").await?;
        Ok(standings)
    }

    /// The library tells otherwise of a leg's assets than it told the gate: the leg is built from what it tells now. Nothing
    /// changes if the command is another's by now.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn keep_assets(
        &self,
        leg_id: i64,
        command_id: Uuid,
        token: i64,
        assets: &BTreeMap<String, Asset>,
    ) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        sqlx::query(
            "-- uploads.keep_assets
             UPDATE leg SET spec = jsonb_set(spec, '{assets}', $4)
             WHERE id = $1 AND EXISTS (SELECT FROM command c WHERE c.id = $2 AND c.lease_token = $3 AND c.state = 'queued')",
        )
        .bind(leg_id)
        .bind(command_id)
        .bind(token)
        .bind(super::to_json(assets))
        .execute(&mut *tx)
        .await
        .map_err(refused("uploads.keep_assets"))?;
        commit(tx, "uploads.keep_assets").await
    }

    /// Commits that a call is about to be made, which may take as long as `hold`. `false`: the claim was lost, or the tenant is
    /// paused.
    ///
    /// # Errors
    /// [`StoreError`]: no call may be made.
    pub async fn begin_upload(
        &self,
        claim: &Claim,
        upload: &Value,
        (hold, settle): (Duration, Duration),
        tenant: &str,
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let done = sqlx::query(
            "-- uploads.begin
             UPDATE platform_asset SET state = 'intended', refs = '{}', error = NULL, upload = $3, sent_at = clock_timestamp(),
                    sends = sends + 1, looks = 0, processing_since = NULL, changed_at = clock_timestamp(),
                    lease_until = clock_timestamp() + make_interval(secs => $4),
                    unknown_until = clock_timestamp() + make_interval(secs => $4 + $5)
             WHERE id = $1 AND lease_token = $2 AND lease_until > clock_timestamp() AND tenant_may_send($6)",
        )
        .bind(claim.id)
        .bind(claim.token)
        .bind(upload)
        .bind(hold.as_secs_f64())
        .bind(settle.as_secs_f64())
        .bind(tenant)
        .execute(&mut *tx)
        .await
        .map_err(refused("uploads.begin"))?;
        commit(tx, "uploads.begin").await?;
        Ok(done.rows_affected() == 1)
    }

    /// Writes down what became of a claim, and gives it back. `false`: it was lost, only the audit log tells of it.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was written.
    pub async fn settle_upload(
        &self,
        claim: &Claim,
        settled: &Settled,
        records: &[Record],
    ) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let done = sqlx::query(
            "-- uploads.settle
             UPDATE platform_asset SET state = $3, refs = coalesce($4, refs), error = $5,
                    sent_at = CASE WHEN $6 THEN coalesce(sent_at, clock_timestamp()) END,
                    unknown_until = clock_timestamp() + make_interval(secs => $7), looks = $8, lease_until = NULL,
                    processing_since = CASE WHEN $3 = 'processing' THEN coalesce(processing_since, clock_timestamp()) END,
                    changed_at = CASE WHEN state = $3 THEN changed_at ELSE clock_timestamp() END
             WHERE id = $1 AND lease_token = $2",
        )
        .bind(claim.id)
        .bind(claim.token)
        .bind(settled.state)
        .bind(settled.refs.as_ref().map(super::to_json))
        .bind(settled.error.as_ref().map(super::to_json))
        .bind(settled.unknown)
        .bind(settled.after.map(|d| d.as_secs_f64()))
        .bind(settled.looks)
        .execute(&mut *tx)
        .await
        .map_err(refused("uploads.settle"))?;
        let held = done.rows_affected() == 1;
        if held && matches!(settled.state, "ready" | "failed") {
            wake(&mut tx, claim.id).await?;
        }
        audit::append(&mut tx, records).await?;
        commit(tx, "uploads.settle").await?;
        Ok(held)
    }
}

/// Those that the account has: no lock, since such a row hardly ever changes.
async fn ready(
    conn: &mut Conn,
    asking: Asking<'_>,
    contents: &BTreeSet<&str>,
) -> Result<BTreeMap<String, Standing>, StoreError> {
    let contents: Vec<&str> = contents.iter().copied().collect();
    let rows: Vec<(i64, String, Value)> = sqlx::query_as(
        "-- uploads.ready
         SELECT id, content, refs FROM platform_asset
         WHERE platform = $1 AND account_id = $2 AND content = ANY($3) AND state = 'ready'",
    )
    .bind(asking.platform)
    .bind(asking.account_id)
    .bind(contents)
    .fetch_all(conn)
    .await
    .map_err(refused("uploads.ready"))?;
    rows.into_iter()
        .map(|(id, content, refs)| {
            let refs = parse_json("platform_asset", id, "refs", refs)?;
            Ok((content, Standing::Ready(refs)))
        })
        .collect()
}

/// A row for each; the first one who asks makes it.
async fn insert(conn: &mut Conn, asking: Asking<'_>, missing: &[&Wanted]) -> Result<(), StoreError> {
    // In one order, so that two legs cannot wait for each other's rows.
    let by_content: BTreeMap<&str, &Wanted> = missing.iter().map(|w| (w.content.as_str(), *w)).collect();
    let contents: Vec<&str> = by_content.keys().copied().collect();
    let assets: Vec<&str> = by_content.values().map(|w| w.asset_id.as_str()).collect();
    let uploads: Vec<&Value> = by_content.values().map(|w| &w.upload).collect();
    sqlx::query(
        "-- uploads.insert
         INSERT INTO platform_asset (platform, account_id, tenant_id, content, asset_id, upload)
         SELECT $1, $2, $3, n.content, n.asset_id, n.upload
         FROM unnest($4::text[], $5::text[], $6::jsonb[]) AS n (content, asset_id, upload)
         ON CONFLICT (platform, account_id, content) DO NOTHING",
    )
    .bind(asking.platform)
    .bind(asking.account_id)
    .bind(asking.tenant_id)
    .bind(contents)
    .bind(assets)
    .bind(uploads)
    .execute(conn)
    .await
    .map_err(refused("uploads.insert"))?;
    Ok(())
}

/// Claims what may be claimed, and says of the rest how it stands.
async fn claim(
    conn: &mut Conn,
    asking: Asking<'_>,
    missing: &[&Wanted],
    (lease, recheck): (Duration, bool),
) -> Result<BTreeMap<String, Standing>, StoreError> {
    let contents: BTreeSet<&str> = missing.iter().map(|w| w.content.as_str()).collect();
    let contents: Vec<&str> = contents.into_iter().collect();
    let rows = sqlx::query(
        "-- uploads.claim
         WITH held AS (
             SELECT a.*, a.state = 'failed' AND a.changed_at >= c.accepted_at AND NOT $6 AS refused_now,
                    greatest(a.lease_until, a.unknown_until) > clock_timestamp() AS busy,
                    extract(epoch FROM greatest(a.lease_until, a.unknown_until) - clock_timestamp())::float8 AS wait_s
             FROM platform_asset a JOIN command c ON c.id = $5
             WHERE a.platform = $1 AND a.account_id = $2 AND a.content = ANY($3) ORDER BY a.content FOR UPDATE OF a),
         claimed AS (
             UPDATE platform_asset a SET lease_token = a.lease_token + 1,
                    lease_until = clock_timestamp() + make_interval(secs => $4)
             FROM held h WHERE a.id = h.id AND (h.state <> 'ready' OR $6) AND NOT h.refused_now AND h.busy IS NOT TRUE
             RETURNING a.id, a.lease_token)
         SELECT h.id, h.content, h.state, h.refs, h.error, h.upload, h.looks, h.sends, h.sent_at IS NOT NULL AS sent,
                h.refused_now, h.wait_s, k.lease_token AS token,
                coalesce(extract(epoch FROM clock_timestamp() - h.processing_since), 0)::float8 AS processing_s
         FROM held h LEFT JOIN claimed k ON k.id = h.id",
    )
    .bind(asking.platform)
    .bind(asking.account_id)
    .bind(contents)
    .bind(lease.as_secs_f64())
    .bind(asking.command_id)
    .bind(recheck)
    .fetch_all(conn)
    .await
    .map_err(refused("uploads.claim"))?;
    rows.iter()
        .map(|row| Ok((row.get("content"), standing(row)?)))
        .collect()
}

fn standing(row: &sqlx::postgres::PgRow) -> Result<Standing, StoreError> {
    let id: i64 = row.get("id");
    let refs = parse_json("platform_asset", id, "refs", row.get("refs"))?;
    let (state, token): (String, Option<i64>) = (row.get("state"), row.get("token"));
    let seconds = |column: &str| {
        let seconds: Option<f64> = row.get(column);
        Duration::try_from_secs_f64(seconds.unwrap_or_default().max(0.0)).unwrap_or_default()
    };
    let Some(token) = token else {
        let refused: bool = row.get("refused_now");
        return Ok(match (state.as_str(), row.get::<Option<Value>, _>("error")) {
            ("ready", _) => Standing::Ready(refs),
            (_, Some(error)) if refused => {
                Standing::Failed(Box::new(parse_json("platform_asset", id, "error", error)?))
            }
            (_, _) => Standing::Later(seconds("wait_s")),
        });
    };
    let stage = match (state.as_str(), row.get::<bool, _>("sent")) {
        ("processing" | "ready", _) => Stage::Processing,
        (_, true) => Stage::Unknown,
        (_, false) => Stage::Unsent,
    };
    Ok(Standing::Claimed(Box::new(Claim {
        id,
        token,
        stage,
        upload: row.get("upload"),
        refs,
        looks: row.get("looks"),
        sends: row.get("sends"),
        processing_for: seconds("processing_s"),
    })))
}

/// Which uploads a leg relies on.
async fn link(conn: &mut Conn, asking: Asking<'_>, wanted: &[Wanted]) -> Result<(), StoreError> {
    let contents: Vec<&str> = wanted.iter().map(|w| w.content.as_str()).collect();
    let assets: Vec<&str> = wanted.iter().map(|w| w.asset_id.as_str()).collect();
    sqlx::query(
        "-- uploads.link
         INSERT INTO leg_upload (leg_id, asset_id, upload_id)
         SELECT $1, n.asset_id, a.id FROM unnest($4::text[], $5::text[]) AS n (content, asset_id)
         JOIN platform_asset a ON a.platform = $2 AND a.account_id = $3 AND a.content = n.content
         ON CONFLICT (leg_id, asset_id) DO UPDATE SET upload_id = excluded.upload_id
         WHERE leg_upload.upload_id <> excluded.upload_id",
    )
    .bind(asking.leg_id)
    .bind(asking.platform)
    .bind(asking.account_id)
    .bind(contents)
    .bind(assets)
    .execute(conn)
    .await
    .map_err(refused("uploads.link"))?;
    Ok(())
}

/// The legs that wait for an upload look again at once.
async fn wake(conn: &mut Conn, upload_id: i64) -> Result<(), StoreError> {
    sqlx::query(
        "-- uploads.wake
         WITH waiting AS (
             SELECT c.id FROM leg_upload u JOIN command c ON c.leg_id = u.leg_id
             WHERE u.upload_id = $1 AND c.state = 'queued' AND c.waiting_for = 'upload' AND c.lease_until IS NULL
             ORDER BY c.id FOR UPDATE OF c SKIP LOCKED)
         UPDATE command SET not_before = clock_timestamp() FROM waiting WHERE command.id = waiting.id",
    )
    .bind(upload_id)
    .execute(conn)
    .await
    .map_err(refused("uploads.wake"))?;
    Ok(())
}
