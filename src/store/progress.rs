//! A worker's progress: intents before calls, outcomes after them, finished commands; many legs in one transaction.
//!
//! Each save names its lease token. Where the lease was lost, nothing of that save is written but its audit records and the
//! ends of its own calls: what a call came to is never thrown away. Must not await anything but the database.

use super::audit::Record;
use super::moves::{self, Compose, LegReport};
use super::{Conn, Store, StoreError, audit, commit, refused, review, to_json, touchpoints};
use crate::domain::error::LegError;
use crate::domain::hold::Hold;
use crate::domain::manifest::{Manifest, spelled};
use crate::domain::saga::Report;
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::time::Duration;
use uuid::Uuid;

/// How a write call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The platform accepted it.
    Done,
    /// The platform said no.
    Refused,
    /// It had no effect for certain.
    NotSent,
    /// It may have had one.
    Unknown,
    /// A look-up found what it made.
    Adopted,
    /// A look-up found that it made nothing.
    Void,
}

impl Ended {
    /// Whether it is true by itself. The others are only together with the manifest that says what they did, or may have done:
    /// where that is not written the call stays open, to be found out.
    #[must_use]
    pub(crate) fn stands_alone(self) -> bool {
        match self {
            Self::Refused | Self::NotSent | Self::Unknown => true,
            Self::Done | Self::Adopted | Self::Void => false,
        }
    }
}
spelled!(Ended {
    Done = "done",
    Refused = "refused",
    NotSent = "not_sent",
    Unknown = "unknown",
    Adopted = "adopted",
    Void = "void",
});

/// What a command waits for that is not ours to hurry. Such a wait is no attempt, and has its own back-off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// The platform reviews the ads.
    Review,
    /// The account is being given an asset: by another leg, or the platform is transcoding it.
    Upload,
    /// An asset that the library does not have: a person must act.
    Asset,
    /// It is off, and other legs of a version that is rolled back may be on.
    Pauses,
    /// What was made does not show yet.
    ReadBack,
}
spelled!(Wait {
    Review = "review",
    Upload = "upload",
    Asset = "asset",
    Pauses = "pauses",
    ReadBack = "read_back",
});

/// What happens to the command after a save.
#[derive(Debug, Clone)]
pub enum Then {
    /// The worker goes on with it; the lease is renewed.
    Continue,
    /// Given back for later.
    GiveBack {
        /// How much later.
        after: Duration,
        /// For a person.
        why: String,
        /// What it waits for, if not for another attempt.
        wait: Option<Wait>,
    },
    /// Finished, and nobody hears of it: the leg has moved on without it.
    Forget,
    /// Finished.
    Finish {
        /// What the saga hears.
        report: Report,
        /// Why, if it failed.
        error: Option<Box<LegError>>,
    },
    /// Finished, and the saga hears nothing of it: a hold or a release.
    Close {
        /// `held`, `released`, or why there was nothing to do.
        report: &'static str,
    },
}

/// The manifest as it shall be.
#[derive(Debug, Clone)]
pub struct ManifestSave {
    /// All of it.
    pub manifest: Manifest,
    /// The spec is applied in full: it becomes the spec last applied.
    pub spec: Option<Value>,
    /// An outcome is unknown: not to be looked up before this has passed.
    pub settle: Option<Duration>,
    /// Look-ups that found nothing so far.
    pub looks: i32,
    /// The keys of the objects that the kill switch turned off; none: it did not.
    pub held: Option<Vec<String>>,
}

/// One step of one command.
#[derive(Debug, Clone)]
pub struct Save {
    /// The command.
    pub command_id: Uuid,
    /// Fences it.
    pub token: i64,
    /// Its leg.
    pub leg_id: i64,
    /// The lease must live this much longer, or nothing is written: longer than the calls that follow may take.
    pub needs: Duration,
    /// The manifest, if it changed.
    pub manifest: Option<ManifestSave>,
    /// Calls that ended.
    pub ended: Vec<(Uuid, Ended)>,
    /// Calls that are about to be made.
    pub intents: Vec<(Uuid, Value)>,
    /// For the audit log.
    pub records: Vec<Record>,
    /// The account's facts changed by our own hand: (tenant, platform, facts), for the plans to come.
    pub facts: Option<(String, String, Value)>,
    /// The leg's place under the kill switch moves on: from, to.
    pub hold: Option<(Hold, Option<Hold>)>,
    /// What of the campaign the platform's policies refuse: a person is asked when the command is finished.
    pub finding: Option<Box<LegError>>,
    /// Nothing of it but records and ends is written while the tenant is paused, besides what its intents say.
    pub barred_by_pause: bool,
    /// And then?
    pub then: Then,
}

impl Save {
    /// Whether a pause of the tenant forbids it: it commits an intent that does anything but switch off.
    pub(crate) fn is_barred_by_pause(&self) -> bool {
        self.barred_by_pause || !self.intents.iter().all(|(_, request)| switches_off(request))
    }
}

/// A mutation that only switches off is always allowed.
fn switches_off(request: &Value) -> bool {
    let text = |pointer| request.pointer(pointer).and_then(Value::as_str);
    text("/op/op") == Some("serve") && text("/op/serving") == Some("paused")
}

/// Whether a save was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Saved {
    /// It was.
    Yes,
    /// It was, and the execution was turned round meanwhile: make no further write call, give the command back.
    Withdrawn,
    /// Another worker has the command, or the lease is about to end: stop, touch nothing.
    LeaseLost,
    /// The tenant is paused: no intent of it was committed, so nothing may be sent. The lease is still held.
    Paused,
}

impl Store {
    /// Writes many steps in one transaction; one answer per save, in order.
    ///
    /// # Errors
    /// [`StoreError`]; none was written.
    pub async fn save_progress(
        &self,
        compose: &dyn Compose,
        saves: &[Save],
        lease: Duration,
        now: &str,
    ) -> Result<Vec<Saved>, StoreError> {
        let mut tx = self.begin().await?;
        let held = hold(&mut tx, saves, lease).await?;
        let kept: Vec<&Save> = saves
            .iter()
            .filter(|s| held.contains_key(&(s.command_id, s.token)))
            .collect();
        save_manifests(&mut tx, &kept).await?;
        end_mutations(&mut tx, saves, &held).await?;
        intend_mutations(&mut tx, &kept).await?;
        keep_facts(&mut tx, &kept).await?;
        let reports: Vec<LegReport> = kept
            .iter()
            .filter_map(|save| match &save.then {
                Then::Finish { report, error } => Some(LegReport {
                    leg_id: save.leg_id,
                    what: *report,
                    error: error.as_deref().cloned(),
                    finding: save.finding.as_deref().cloned(),
                }),
                // What waits no longer waits: it is undone.
                Then::GiveBack { .. } if held.get(&(save.command_id, save.token)) == Some(&true) => {
                    Some(LegReport {
                        leg_id: save.leg_id,
                        what: Report::Failed,
                        error: None,
                        finding: None,
                    })
                }
                Then::Continue | Then::GiveBack { .. } | Then::Forget | Then::Close { .. } => None,
            })
            .collect();
        let moved = moves::apply_reports(&mut tx, compose, &reports, now).await?;
        move_holds(&mut tx, &kept).await?;
        follow(&mut tx, compose, &kept, &reports).await?;
        let paused = barred(&mut tx, saves, &held).await?;
        let mut records: Vec<Record> = saves.iter().flat_map(|s| s.records.iter().cloned()).collect();
        records.extend(moved);
        audit::append(&mut tx, &records).await?;
        commit(tx, "progress.save").await?;
        self.go_on(&kept).await;
        Ok(saves
            .iter()
            .map(|s| {
                let key = (s.command_id, s.token);
                match held.get(&key) {
                    Some(false) => Saved::Yes,
                    Some(true) => Saved::Withdrawn,
                    None if paused.contains(&key) => Saved::Paused,
                    None => Saved::LeaseLost,
                }
            })
            .collect())
    }
}

impl Store {
    /// Legs of a version that goes back are off, or given up: the others may have waited for just that.
    async fn go_on(&self, saves: &[&Save]) {
        let is_off = |save: &&&Save| match &save.then {
            Then::GiveBack { wait, .. } => *wait == Some(Wait::Pauses),
            Then::Finish { report, .. } => matches!(report, Report::Undone | Report::UndoFailed),
            Then::Continue | Then::Forget | Then::Close { .. } => false,
        };
        let legs: Vec<i64> = saves.iter().filter(is_off).map(|s| s.leg_id).collect();
        if legs.is_empty() {
            return;
        }
        // What was saved is saved: those who wait look again by themselves.
        if let Err(error) = self.go_on_if_all_are_off(&legs).await {
            tracing::warn!(error = %error, "couldn't tell the legs that wait for the others of their version to be off");
        }
    }
}

/// What follows from the reports and the waits besides the sagas' moves: the review's clock, and who is needed.
async fn follow(
    conn: &mut Conn,
    compose: &dyn Compose,
    saves: &[&Save],
    reports: &[LegReport],
) -> Result<(), StoreError> {
    let (mut in_review, mut without_asset) = (Vec::new(), Vec::new());
    let reported: HashSet<i64> = reports.iter().map(|r| r.leg_id).collect();
    for save in saves.iter().filter(|s| !reported.contains(&s.leg_id)) {
        if let Then::GiveBack { why, wait, .. } = &save.then {
            match wait {
                Some(Wait::Review) => in_review.push(save.leg_id),
                Some(Wait::Asset) => without_asset.push((save.leg_id, why.as_str())),
                Some(Wait::Upload | Wait::Pauses | Wait::ReadBack) | None => {}
            }
        }
    }
    let over: Vec<i64> = reports.iter().map(|r| r.leg_id).collect();
    review::follow(conn, &over, &in_review).await?;
    touchpoints::follow(conn, compose, reports, &without_asset).await
}

/// Renews, gives back or finishes the leases that are still held; which they were, and whether their commands are withdrawn.
async fn hold(
    conn: &mut Conn,
    saves: &[Save],
    lease: Duration,
) -> Result<HashMap<(Uuid, i64), bool>, StoreError> {
    let mut order: Vec<&Save> = saves.iter().collect();
    order.sort_by_key(|s| s.command_id);
    let ids: Vec<Uuid> = order.iter().map(|s| s.command_id).collect();
    let tokens: Vec<i64> = order.iter().map(|s| s.token).collect();
    let needs: Vec<f64> = order.iter().map(|s| s.needs.as_secs_f64()).collect();
    let bars: Vec<bool> = order.iter().map(|s| s.is_barred_by_pause()).collect();
    let (mut whats, mut afters, mut whys, mut reports, mut waits) = (vec![], vec![], vec![], vec![], vec![]);
    for save in &order {
        let (what, after, why, report, wait) = match &save.then {
            Then::Continue => ("continue", None, None, None, None),
            Then::GiveBack { after, why, wait } => (
                "back",
                Some(after.as_secs_f64()),
                Some(why.as_str()),
                None,
                wait.map(Wait::as_str),
            ),
            Then::Finish { report, .. } => ("done", None, None, Some(report.as_str()), None),
            Then::Forget => ("done", None, None, Some("forgotten"), None),
            Then::Close { report } => ("done", None, None, Some(*report), None),
        };
        whats.push(what);
        afters.push(after);
        whys.push(why);
        reports.push(report);
        waits.push(wait);
    }
    let rows: Vec<(Uuid, i64, bool)> = sqlx::query_as(
        "-- progress.hold
         UPDATE command c SET
             state = CASE WHEN n.what = 'done' OR n.what = 'back' AND c.withdraw THEN 'done' ELSE c.state END,
             done_at = CASE WHEN n.what = 'done' OR n.what = 'back' AND c.withdraw THEN clock_timestamp() END,
             lease_until = CASE n.what WHEN 'continue' THEN clock_timestamp() + make_interval(secs => $8) END,
             not_before = CASE n.what WHEN 'back' THEN clock_timestamp() + make_interval(secs => n.after) ELSE c.not_before END,
             last_error = coalesce(n.why, c.last_error),
             report = n.report,
             off_at = CASE WHEN n.wait = 'pauses' THEN coalesce(c.off_at, clock_timestamp()) ELSE c.off_at END,
             waiting_for = CASE n.what WHEN 'continue' THEN c.waiting_for ELSE n.wait END,
             waiting_since = CASE WHEN n.what = 'continue' OR n.wait = c.waiting_for THEN c.waiting_since
                                  WHEN n.wait IS NOT NULL THEN clock_timestamp() END,
             polls = CASE WHEN n.what = 'continue' THEN c.polls WHEN n.wait = c.waiting_for THEN c.polls + 1 ELSE 0 END,
             attempts = c.attempts - (n.wait IS NOT NULL)::int
         FROM unnest($1::uuid[], $2::bigint[], $3::float8[], $4::text[], $5::float8[], $6::text[], $7::text[], $9::text[],
                     $10::bool[])
             AS n (id, token, needs, what, after, why, report, wait, barred)
         WHERE c.id = n.id AND c.lease_token = n.token AND c.state = 'queued' AND c.lease_until IS NOT NULL
           AND c.lease_until > clock_timestamp() + make_interval(secs => n.needs)
           AND (NOT n.barred OR tenant_may_send(c.account_key))
         RETURNING c.id, c.lease_token, c.withdraw",
    )
    .bind(ids)
    .bind(tokens)
    .bind(needs)
    .bind(whats)
    .bind(afters)
    .bind(whys)
    .bind(reports)
    .bind(lease.as_secs_f64())
    .bind(waits)
    .bind(bars)
    .fetch_all(conn)
    .await
    .map_err(refused("progress.hold"))?;
    Ok(rows
        .into_iter()
        .map(|(id, token, withdrawn)| ((id, token), withdrawn))
        .collect())
}

/// Which of the saves that were not held were so for a pause alone: their leases still are.
async fn barred(
    conn: &mut Conn,
    saves: &[Save],
    held: &HashMap<(Uuid, i64), bool>,
) -> Result<HashSet<(Uuid, i64)>, StoreError> {
    let (ids, tokens): (Vec<Uuid>, Vec<i64>) = saves
        .iter()
        .filter(|s| s.is_barred_by_pause() && !held.contains_key(&(s.command_id, s.token)))
        .map(|s| (s.command_id, s.token))
        .unzip();
    if ids.is_empty() {
        return Ok(HashSet::new());
    }
    let rows: Vec<(Uuid, i64)> = sqlx::query_as(
        "-- progress.barred
         SELECT c.id, c.lease_token FROM command c JOIN unnest($1::uuid[], $2::bigint[]) AS n (id, token)
              ON c.id = n.id AND c.lease_token = n.token
         WHERE c.state = 'queued' AND c.lease_until > clock_timestamp() AND NOT tenant_may_send(c.account_key)",
    )
    .bind(ids)
    .bind(tokens)
    .fetch_all(conn)
    .await
    .map_err(refused("progress.barred"))?;
    Ok(rows.into_iter().collect())
}

/// Moves the legs on that a hold or release has done with; one that was told otherwise meanwhile stays as it was told.
async fn move_holds(conn: &mut Conn, saves: &[&Save]) -> Result<(), StoreError> {
    let moves: Vec<(i64, &str, Option<&str>)> = saves
        .iter()
        .filter_map(|s| {
            s.hold
                .map(|(from, to)| (s.leg_id, from.as_str(), to.map(Hold::as_str)))
        })
        .collect();
    if moves.is_empty() {
        return Ok(());
    }
    let legs: Vec<i64> = moves.iter().map(|m| m.0).collect();
    let froms: Vec<&str> = moves.iter().map(|m| m.1).collect();
    let tos: Vec<Option<&str>> = moves.iter().map(|m| m.2).collect();
    sqlx::query(
        "-- progress.holds
         UPDATE leg SET hold = n.till FROM unnest($1::bigint[], $2::text[], $3::text[]) AS n (leg_id, was, till)
         WHERE leg.id = n.leg_id AND leg.hold = n.was",
    )
    .bind(legs)
    .bind(froms)
    .bind(tos)
    .execute(conn)
    .await
    .map_err(refused("progress.holds"))?;
    Ok(())
}

async fn save_manifests(conn: &mut Conn, saves: &[&Save]) -> Result<(), StoreError> {
    let mut rows: Vec<(&Save, &ManifestSave)> = saves
        .iter()
        .filter_map(|s| s.manifest.as_ref().map(|m| (*s, m)))
        .collect();
    if rows.is_empty() {
        return Ok(());
    }
    rows.sort_by_key(|(save, _)| save.leg_id);
    let text = |f: fn(&Manifest) -> &str| rows.iter().map(|(_, m)| f(&m.manifest)).collect::<Vec<_>>();
    let legs: Vec<i64> = rows.iter().map(|(s, _)| s.leg_id).collect();
    let campaign_ids: Vec<Option<&str>> = rows.iter().map(|(_, m)| m.manifest.campaign_id()).collect();
    let modes: Vec<Option<&str>> = rows
        .iter()
        .map(|(_, m)| m.manifest.tracking_mode.map(|t| t.as_str()))
        .collect();
    let specs: Vec<Option<&Value>> = rows.iter().map(|(_, m)| m.spec.as_ref()).collect();
    let revisions: Vec<i64> = rows.iter().map(|(_, m)| m.manifest.revision).collect();
    let counts: Vec<i64> = rows.iter().map(|(_, m)| m.manifest.mutation_count).collect();
    let objects: Vec<Value> = rows.iter().map(|(_, m)| to_json(&m.manifest.objects)).collect();
    let settles: Vec<Option<f64>> = rows
        .iter()
        .map(|(_, m)| m.settle.map(|d| d.as_secs_f64()))
        .collect();
    let looks: Vec<i32> = rows.iter().map(|(_, m)| m.looks).collect();
    let helds: Vec<Option<Value>> = rows.iter().map(|(_, m)| m.held.as_ref().map(to_json)).collect();
    sqlx::query(
        "-- progress.manifests
         INSERT INTO execution_manifest (leg_id, tenant_id, plan_version, platform, logical_campaign_key, account_id,
             campaign_name, platform_campaign_id, tracking_mode, spec, revision, mutation_count, objects, unknown_until,
             unresolved_looks, held)
         SELECT n.leg_id, n.tenant, n.version, n.platform, n.key, n.account, n.name, n.campaign, n.mode, n.spec, n.revision,
                n.mutations, n.objects, clock_timestamp() + make_interval(secs => n.settle), n.looks, n.held
         FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                     $9::text[], $10::jsonb[], $11::bigint[], $12::bigint[], $13::jsonb[], $14::float8[], $15::int[],
                     $16::jsonb[])
             AS n (leg_id, tenant, version, platform, key, account, name, campaign, mode, spec, revision, mutations,
                   objects, settle, looks, held)
         ON CONFLICT (leg_id) DO UPDATE SET account_id = excluded.account_id,
             platform_campaign_id = coalesce(excluded.platform_campaign_id, execution_manifest.platform_campaign_id),
             tracking_mode = coalesce(excluded.tracking_mode, execution_manifest.tracking_mode),
             spec = coalesce(excluded.spec, execution_manifest.spec), revision = excluded.revision,
             mutation_count = excluded.mutation_count, objects = excluded.objects,
             unknown_until = excluded.unknown_until, unresolved_looks = excluded.unresolved_looks, held = excluded.held,
             updated_at = clock_timestamp()",
    )
    .bind(legs)
    .bind(text(|m| m.leg.tenant_id.as_str()))
    .bind(text(|m| m.leg.plan_version.as_str()))
    .bind(text(|m| m.leg.platform.as_str()))
    .bind(text(|m| m.leg.logical_campaign_key.as_str()))
    .bind(text(|m| &m.account_id))
    .bind(text(|m| &m.campaign_name))
    .bind(campaign_ids)
    .bind(modes)
    .bind(specs)
    .bind(revisions)
    .bind(counts)
    .bind(objects)
    .bind(settles)
    .bind(looks)
    .bind(helds)
    .execute(conn)
    .await
    .map_err(refused("progress.manifests"))?;
    Ok(())
}

async fn end_mutations(
    conn: &mut Conn,
    saves: &[Save],
    held: &HashMap<(Uuid, i64), bool>,
) -> Result<(), StoreError> {
    let ended: Vec<(Uuid, &str)> = saves
        .iter()
        .map(|s| (s, held.contains_key(&(s.command_id, s.token))))
        .flat_map(|(s, kept)| s.ended.iter().filter(move |(_, e)| kept || e.stands_alone()))
        .map(|(id, e)| (*id, e.as_str()))
        .collect();
    if ended.is_empty() {
        return Ok(());
    }
    let (ids, states): (Vec<Uuid>, Vec<&str>) = ended.into_iter().unzip();
    sqlx::query(
        "-- progress.ended
         UPDATE mutation m SET state = n.state, ended_at = clock_timestamp()
         FROM unnest($1::uuid[], $2::text[]) AS n (id, state)
         WHERE m.id = n.id AND m.state IN ('in_flight', 'unknown')",
    )
    .bind(ids)
    .bind(states)
    .execute(conn)
    .await
    .map_err(refused("progress.ended"))?;
    Ok(())
}

async fn intend_mutations(conn: &mut Conn, saves: &[&Save]) -> Result<(), StoreError> {
    let (mut ids, mut legs, mut commands, mut tokens, mut requests) =
        (vec![], vec![], vec![], vec![], vec![]);
    for save in saves {
        for (id, request) in &save.intents {
            ids.push(*id);
            legs.push(save.leg_id);
            commands.push(save.command_id);
            tokens.push(save.token);
            requests.push(request);
        }
    }
    if ids.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "-- progress.intents
         INSERT INTO mutation (id, leg_id, command_id, lease_token, request)
         SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::bigint[], $5::jsonb[])
         ON CONFLICT (id) DO NOTHING",
    )
    .bind(ids)
    .bind(legs)
    .bind(commands)
    .bind(tokens)
    .bind(requests)
    .execute(conn)
    .await
    .map_err(refused("progress.intents"))?;
    Ok(())
}

/// An account that was changed (auto-tagging turned on) need not be changed again by the next leg.
async fn keep_facts(conn: &mut Conn, saves: &[&Save]) -> Result<(), StoreError> {
    let mut facts: Vec<&(String, String, Value)> = saves.iter().filter_map(|s| s.facts.as_ref()).collect();
    facts.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
    for (tenant, platform, verdict) in facts {
        sqlx::query(
            "-- progress.facts
             UPDATE probe_verdict SET verdict = $3 WHERE tenant_id = $1 AND probe = 'account:' || $2",
        )
        .bind(tenant)
        .bind(platform)
        .bind(verdict)
        .execute(&mut *conn)
        .await
        .map_err(refused("progress.facts"))?;
    }
    Ok(())
}
