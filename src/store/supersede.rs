//! A newer version takes the campaigns of an older one over, and gives them back when it is rolled back.
//!
//! In the transaction in which the newer one's gate opened, or in which it is rolled back. Must not decide what a leg becomes
//! (domain::saga does) nor what is different (domain::spec does).

use super::amend::{Came, Existing, Joining, existing, insert, key_of, unchangeable};
use super::gate::GateJob;
use super::moves::{self, Compose, ExecutionRow, Moves};
use super::replace::{self, Fixed, Note, There};
use super::withdraw::{self, Queued};
use super::{Conn, StoreError, lineage, refused, to_json, touchpoints};
use crate::domain::diff::FieldChange;
use crate::domain::saga::{Amendment, CommandKind, Joins, LegState, Old, Saga};
use crate::domain::spec::LegSpec;
use serde_json::Value;
use std::collections::{HashMap, HashSet};

/// Opens the gate of a version that takes the campaigns of an older one over. Both executions' commands and rows are locked.
pub(crate) async fn supersede(
    conn: &mut Conn,
    compose: &dyn Compose,
    (job, older_id): (&GateJob, i64),
    (wanted, fixed): (&Saga, &Fixed),
    (legs, queued): (&[(LegSpec, u8)], &[Queued]),
) -> Result<Came, StoreError> {
    let mut executions = moves::lock(conn, &[older_id]).await?;
    let mut old = existing(conn, older_id).await?;
    let made = manifests(conn, &old).await?;
    let unchangeable = unchangeable(&old, legs, fixed);
    let there = replace::there(conn, &unchangeable.keys().copied().collect::<Vec<_>>()).await?;
    let heirs = heirs(&old, legs, (unchangeable, &there), &made);
    let taken: HashSet<usize> = heirs
        .iter()
        .flat_map(|heir| heir.takes.iter().chain(&heir.outgoing).copied())
        .collect();
    let taken_legs: HashSet<i64> = taken
        .iter()
        .filter_map(|i| old.get(*i).map(|leg| leg.row.id))
        .collect();
    // What is being switched off and not taken over goes on being switched off.
    let old_legs: HashSet<i64> = old.iter().map(|leg| leg.row.id).collect();
    let goes = |leg, kind| kind != CommandKind::Retire || taken_legs.contains(&leg);
    let theirs: Vec<Queued> = queued
        .iter()
        .filter(|q| old_legs.contains(&q.leg_id) && goes(q.leg_id, q.kind))
        .copied()
        .collect();
    let busy = theirs.iter().filter(|q| q.held).count();
    if busy > 0 {
        return Ok(Came::Busy { legs: busy });
    }
    let of_old = |leg, kind| old_legs.contains(&leg) && goes(leg, kind);
    if withdraw::forestall(conn, &[older_id], queued, of_old)
        .await?
        .is_none()
    {
        return Ok(Came::Busy { legs: 1 });
    }
    withdraw::withdraw(conn, &theirs).await?;
    let mut new = new_execution(conn, job, older_id, wanted).await?;
    let mut joining = Vec::with_capacity(legs.len());
    for ((spec, position), (heir, ordinal)) in legs.iter().zip(heirs.iter().zip(0..)) {
        let from = heir
            .takes
            .and_then(|i| old.get(i))
            .filter(|leg| made.contains(&leg.row.id));
        let on = from.is_some_and(|leg| leg.row.state.on()) || !heir.outgoing.is_empty();
        let joins = if on || from.is_some() {
            Joins::TakenOver { on }
        } else {
            Joins::New
        };
        joining.push(Joining {
            spec,
            state: new.saga.join(*position, joins),
            position: *position,
            ordinal,
            adopted_from: from.map(|leg| leg.row.id),
        });
    }
    let apart = outgoing_specs(&old, legs, &heirs);
    for (place, from, spec) in &apart {
        let position = legs.get(*place).map_or(u8::MAX, |(_, p)| *p);
        joining.push(Joining {
            spec,
            state: new.saga.join_outgoing(position),
            position,
            ordinal: i32::try_from(*place).unwrap_or(i32::MAX),
            adopted_from: Some(*from),
        });
    }
    let ids = insert(conn, &new, &joining).await?;
    let olds: Vec<(i64, i64)> = ids
        .iter()
        .skip(legs.len())
        .zip(&apart)
        .filter_map(|(id, (place, ..))| Some((*id, *ids.get(*place)?)))
        .collect();
    replace::belong(conn, &olds).await?;
    adopt(conn, &joining, &ids).await?;
    let replaced = lineage(legs, &apart, &heirs);
    let mut moves = Moves::default();
    for (leg, id) in joining.iter().zip(&ids) {
        if leg.state != LegState::Unamended && leg.state != LegState::Retired {
            continue;
        }
        let mut row = leg.row(*id);
        if let Ok(effects) = new.saga.amend(leg.position, leg.state, Amendment::Change) {
            moves
                .note(conn, compose, (0, &mut new), Some(&mut row), &effects)
                .await?;
        }
    }
    moves.write_legs(conn).await?;
    let effects = new.saga.amended();
    moves.note(conn, compose, (0, &mut new), None, &effects).await?;
    moves.write(conn, compose, std::slice::from_ref(&new)).await?;
    if let Some(older) = executions.first_mut() {
        give_up(conn, compose, older, (&mut old, &taken), job.execution_id).await?;
    }
    touchpoints::superseded(conn, compose, older_id, &new.plan_version).await?;
    Ok(Came::Applied {
        legs: legs.len(),
        replaced,
    })
}

/// What a campaign of the newer version takes of the older one, by place among the older one's legs.
#[derive(Default)]
pub(crate) struct Heir {
    /// The leg whose campaign it goes on with.
    pub(crate) takes: Option<usize>,
    /// Legs whose campaigns are on, and that its own replaces.
    pub(crate) outgoing: Vec<usize>,
    /// Why it cannot go on with the first of them.
    fields: Vec<FieldChange>,
}

/// Who takes what. What cannot be changed and is not on is not taken over: it is switched off like what is gone.
pub(crate) fn heirs(
    old: &[Existing],
    legs: &[(LegSpec, u8)],
    (mut unchangeable, there): (HashMap<i64, Vec<FieldChange>>, &HashMap<i64, There>),
    made: &HashSet<i64>,
) -> Vec<Heir> {
    let by_key: HashMap<(String, String), usize> = old
        .iter()
        .enumerate()
        .filter(|(_, leg)| may_go(leg.row.state) && leg.replaced_by.is_none())
        .map(|(i, leg)| (key_of(&leg.spec), i))
        .collect();
    let mut outgoing: HashMap<i64, Vec<usize>> = HashMap::new();
    for (i, leg) in old.iter().enumerate() {
        if let (LegState::Outgoing, Some(by)) = (leg.row.state, leg.replaced_by) {
            outgoing.entry(by).or_default().push(i);
        }
    }
    let heir = |spec: &LegSpec| {
        let Some((i, leg)) = by_key.get(&key_of(spec)).and_then(|i| Some((*i, old.get(*i)?))) else {
            return Heir::default();
        };
        let mut heir = Heir {
            outgoing: outgoing.remove(&leg.row.id).unwrap_or_default(),
            ..Heir::default()
        };
        let Some(fields) = unchangeable.remove(&leg.row.id) else {
            heir.takes = Some(i);
            return heir;
        };
        let announced = matches!(leg.row.state, LegState::Scheduled | LegState::Live);
        let on = leg.row.state.on() && there.get(&leg.row.id).is_some_and(|t| t.old == Old::On);
        if (announced || on) && made.contains(&leg.row.id) {
            heir.outgoing.insert(0, i);
            heir.fields = fields;
        }
        heir
    };
    legs.iter().map(|(spec, _)| spec).map(heir).collect()
}

/// The newer version's legs for what it replaces: (place of the replacement, the older leg, its spec).
pub(crate) fn outgoing_specs(
    old: &[Existing],
    legs: &[(LegSpec, u8)],
    heirs: &[Heir],
) -> Vec<(usize, i64, LegSpec)> {
    let mut keys: HashSet<(String, String)> = legs.iter().map(|(spec, _)| key_of(spec)).collect();
    let mut specs = Vec::new();
    for (place, ((spec, _), heir)) in legs.iter().zip(heirs).enumerate() {
        for leg in heir.outgoing.iter().filter_map(|i| old.get(*i)) {
            let of = (&spec.key, leg.spec.campaign_name.as_str());
            specs.push((place, leg.row.id, replace::set_apart(&leg.spec, of, &mut keys)));
        }
    }
    specs
}

/// For the audit log.
fn lineage(legs: &[(LegSpec, u8)], apart: &[(usize, i64, LegSpec)], heirs: &[Heir]) -> Vec<Note> {
    apart
        .iter()
        .filter_map(|(place, _, old)| {
            let ((new, _), heir) = legs.get(*place).zip(heirs.get(*place))?;
            let fields = heir.fields.iter().map(replace::field).collect::<Vec<Value>>();
            Some(replace::told(new, (old, None), LegState::Outgoing, fields.into()))
        })
        .collect()
}

/// The older version's side: what was taken over is handed over, what the newer plan no longer has is switched off.
async fn give_up(
    conn: &mut Conn,
    compose: &dyn Compose,
    older: &mut ExecutionRow,
    (legs, taken): (&mut [Existing], &HashSet<usize>),
    newer_id: i64,
) -> Result<(), StoreError> {
    let mut moves = Moves::default();
    let (mut ids, mut on) = (Vec::new(), Vec::new());
    for (i, leg) in legs.iter_mut().enumerate() {
        let was = leg.row.state;
        let moved = if taken.contains(&i) {
            older.saga.hand_over(leg.row.position, was)
        } else {
            older.saga.amend(leg.row.position, was, Amendment::Leave)
        };
        let Ok(effects) = moved else { continue };
        if effects.is_empty() {
            continue;
        }
        ids.push(leg.row.id);
        on.push(was.comes_on());
        moves
            .note(conn, compose, (0, &mut *older), Some(&mut leg.row), &effects)
            .await?;
    }
    sqlx::query(
        "-- amend.gave_up
         UPDATE leg SET gave_up_for = $3, was_on = n.was_on
         FROM unnest($1::bigint[], $2::boolean[]) AS n (id, was_on) WHERE leg.id = n.id",
    )
    .bind(&ids)
    .bind(&on)
    .bind(newer_id)
    .execute(&mut *conn)
    .await
    .map_err(refused("amend.gave_up"))?;
    // What is still being switched off for a version that was rolled back comes back only if this one is rolled back, too.
    sqlx::query(
        "-- amend.gave_up_again
         UPDATE leg SET gave_up_for = $2 WHERE execution_id = $1 AND state = 'retiring' AND gave_up_for <> $2",
    )
    .bind(older.id)
    .bind(newer_id)
    .execute(&mut *conn)
    .await
    .map_err(refused("amend.gave_up_again"))?;
    moves.write_legs(conn).await?;
    let effects = older.saga.amended();
    moves
        .note(conn, compose, (0, &mut *older), None, &effects)
        .await?;
    moves.write(conn, compose, std::slice::from_ref(older)).await?;
    Ok(())
}

/// A version that nobody had told to be an older one of `newer_id` still holds campaigns: they are switched off and kept, as what a
/// newer plan no longer has, and come back when that one is rolled back. Its commands and both executions are locked.
pub(crate) async fn leave(
    conn: &mut Conn,
    compose: &dyn Compose,
    (older_id, newer_id): (i64, i64),
    queued: &[Queued],
) -> Result<Came, StoreError> {
    let mut executions = moves::lock(conn, &[older_id]).await?;
    let mut old = existing(conn, older_id).await?;
    let ids: HashSet<i64> = old.iter().map(|leg| leg.row.id).collect();
    let goes = |leg, kind| ids.contains(&leg) && kind != CommandKind::Retire;
    let theirs: Vec<Queued> = queued
        .iter()
        .filter(|q| goes(q.leg_id, q.kind))
        .copied()
        .collect();
    let busy = theirs.iter().filter(|q| q.held).count();
    if busy > 0 {
        return Ok(Came::Busy { legs: busy });
    }
    if withdraw::forestall(conn, &[older_id], queued, goes)
        .await?
        .is_none()
    {
        return Ok(Came::Busy { legs: 1 });
    }
    withdraw::withdraw(conn, &theirs).await?;
    if let Some(older) = executions.first_mut() {
        give_up(conn, compose, older, (&mut old, &HashSet::new()), newer_id).await?;
    }
    lineage::supersede(conn, &[older_id], newer_id).await?;
    let newer: String = sqlx::query_scalar(
        "-- amend.line
         UPDATE execution SET supersedes = coalesce(supersedes, $2) WHERE id = $1 RETURNING plan_version",
    )
    .bind(newer_id)
    .bind(older_id)
    .fetch_one(&mut *conn)
    .await
    .map_err(refused("amend.line"))?;
    touchpoints::superseded(conn, compose, older_id, &newer).await?;
    Ok(Came::Overtaken)
}

/// A leg of a newer version was undone, off and kept: its campaign goes back to the older version's leg, if that still
/// wants it. The older execution is locked.
pub(crate) async fn give_back(
    conn: &mut Conn,
    compose: &dyn Compose,
    moves: &mut Moves,
    (place, older): (usize, &mut ExecutionRow),
    (newer_leg, older_leg): (i64, i64),
) -> Result<bool, StoreError> {
    let mut rows = moves::leg_rows(conn, &[older_leg]).await?;
    let Some(row) = rows.first_mut() else {
        return Ok(false);
    };
    let was_on = was_on(conn, older_leg).await?;
    let Ok(effects) = older.saga.take_back(row.position, row.state, was_on) else {
        return Ok(false);
    };
    sqlx::query(
        "-- amend.give_back
         UPDATE execution_manifest o SET objects = n.objects, revision = n.revision,
                platform_campaign_id = n.platform_campaign_id, unknown_until = n.unknown_until,
                unresolved_looks = n.unresolved_looks, held = n.held, updated_at = clock_timestamp()
         FROM execution_manifest n WHERE o.leg_id = $2 AND n.leg_id = $1",
    )
    .bind(newer_leg)
    .bind(older_leg)
    .execute(&mut *conn)
    .await
    .map_err(refused("amend.give_back"))?;
    moves
        .note(conn, compose, (place, &mut *older), Some(row), &effects)
        .await?;
    moves.write_legs(conn).await?;
    its_own_again(conn, older.id, Some(older_leg)).await?;
    let effects = older.saga.amended();
    moves.note(conn, compose, (place, older), None, &effects).await?;
    Ok(true)
}

/// The newer version is rolled back: what it no longer had comes back in the older one, and so does what had nothing to hand over yet.
/// The older execution is locked.
pub(crate) async fn bring_back(
    conn: &mut Conn,
    compose: &dyn Compose,
    moves: &mut Moves,
    (place, older): (usize, &mut ExecutionRow),
    newer_id: i64,
) -> Result<(), StoreError> {
    // Those that are still being switched off come back when they are (`giving_up`).
    moves.write_legs(conn).await?;
    let ids: Vec<i64> = sqlx::query_scalar(
        "-- amend.retired
         SELECT id FROM leg WHERE execution_id = $1 AND gave_up_for = $2 AND was_on AND replaced_by IS NULL
           AND (state = 'retired' OR state = 'superseded' AND NOT EXISTS (SELECT FROM leg x WHERE x.adopted_from = leg.id))",
    )
    .bind(older.id)
    .bind(newer_id)
    .fetch_all(&mut *conn)
    .await
    .map_err(refused("amend.retired"))?;
    for mut row in moves::leg_rows(conn, &ids).await? {
        if let Ok(effects) = older.saga.take_back(row.position, row.state, true) {
            moves
                .note(conn, compose, (place, &mut *older), Some(&mut row), &effects)
                .await?;
            its_own_again(conn, older.id, Some(row.id)).await?;
        }
    }
    moves.write_legs(conn).await?;
    let effects = older.saga.amended();
    moves.note(conn, compose, (place, older), None, &effects).await
}

/// A leg that was on and that a newer version does not have.
pub(crate) struct GivingUp {
    pub(crate) leg: i64,
    pub(crate) newer: i64,
    /// The newer version goes back meanwhile: the leg comes back as soon as it is off.
    pub(crate) back: bool,
}

/// Which of these legs are such.
pub(crate) async fn giving_up(conn: &mut Conn, legs: &[i64]) -> Result<Vec<GivingUp>, StoreError> {
    if legs.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<(i64, i64, bool)> = sqlx::query_as(
        "-- amend.giving_up
         SELECT l.id, n.id, n.saga ->> 'direction' = 'back' FROM leg l JOIN execution n ON n.id = l.gave_up_for
         WHERE l.id = ANY($1) AND l.was_on AND l.replaced_by IS NULL AND n.saga IS NOT NULL",
    )
    .bind(legs)
    .fetch_all(conn)
    .await
    .map_err(refused("amend.giving_up"))?;
    Ok(rows
        .into_iter()
        .map(|(leg, newer, back)| GivingUp { leg, newer, back })
        .collect())
}

/// A leg that came back (or every leg of an execution that gets a payload of its own) owes nothing to a newer version any more: what
/// switches it off later is its own, and does not bring it back.
pub(crate) async fn its_own_again(
    conn: &mut Conn,
    execution_id: i64,
    leg: Option<i64>,
) -> Result<(), StoreError> {
    sqlx::query(
        "-- amend.its_own_again
         UPDATE leg SET gave_up_for = NULL, was_on = false
         WHERE execution_id = $1 AND gave_up_for IS NOT NULL AND ($2::bigint IS NULL OR id = $2)",
    )
    .bind(execution_id)
    .bind(leg)
    .execute(conn)
    .await
    .map_err(refused("amend.its_own_again"))?;
    Ok(())
}

/// A leg's campaign can be taken over.
fn may_go(state: LegState) -> bool {
    match state {
        LegState::Waiting
        | LegState::Building
        | LegState::Built
        | LegState::Activating
        | LegState::Scheduled
        | LegState::Live
        | LegState::Failed
        | LegState::Amending
        | LegState::Unamended
        | LegState::Retiring
        | LegState::Outgoing
        | LegState::Retired => true,
        LegState::Undoing | LegState::Undone | LegState::Stuck | LegState::Superseded => false,
    }
}

/// Which of these legs made something.
async fn manifests(conn: &mut Conn, legs: &[Existing]) -> Result<HashSet<i64>, StoreError> {
    let ids: Vec<i64> = legs.iter().map(|leg| leg.row.id).collect();
    let made: Vec<i64> = sqlx::query_scalar(
        "-- amend.manifests\nSELECT leg_id FROM execution_manifest WHERE leg_id = ANY($1)",
    )
    .bind(ids)
    .fetch_all(conn)
    .await
    .map_err(refused("amend.manifests"))?;
    Ok(made.into_iter().collect())
}

async fn was_on(conn: &mut Conn, leg_id: i64) -> Result<bool, StoreError> {
    // What was to be replaced comes back off: the leg that replaces it comes back too, and is switched on.
    sqlx::query_scalar("-- amend.was_on\nSELECT was_on AND replaced_by IS NULL FROM leg WHERE id = $1")
        .bind(leg_id)
        .fetch_one(conn)
        .await
        .map_err(refused("amend.was_on"))
}

/// Copies the manifests of what is taken over, and moves what is still unknown about it.
async fn adopt(conn: &mut Conn, legs: &[Joining<'_>], ids: &[i64]) -> Result<(), StoreError> {
    let (mut news, mut olds, mut names) = (Vec::new(), Vec::new(), Vec::new());
    for (leg, id) in legs.iter().zip(ids) {
        if let Some(old) = leg.adopted_from {
            news.push(*id);
            olds.push(old);
            names.push(leg.spec.campaign_name.as_str());
        }
    }
    sqlx::query(
        "-- amend.adopt
         INSERT INTO execution_manifest (leg_id, tenant_id, plan_version, platform, logical_campaign_key, account_id,
             campaign_name, platform_campaign_id, tracking_mode, spec, revision, mutation_count, objects, unknown_until,
             unresolved_looks, held)
         SELECT n.new, l.tenant_id, l.plan_version, l.platform, l.logical_campaign_key, m.account_id, n.name,
             m.platform_campaign_id, m.tracking_mode, m.spec, m.revision, 0, m.objects, m.unknown_until, m.unresolved_looks, m.held
         FROM unnest($1::bigint[], $2::bigint[], $3::text[]) AS n (new, old, name)
              JOIN execution_manifest m ON m.leg_id = n.old JOIN leg l ON l.id = n.new",
    )
    .bind(&news)
    .bind(&olds)
    .bind(names)
    .execute(&mut *conn)
    .await
    .map_err(refused("amend.adopt"))?;
    sqlx::query(
        "-- amend.adopt_unknown
         UPDATE mutation m SET leg_id = n.new FROM unnest($1::bigint[], $2::bigint[]) AS n (new, old)
         WHERE m.leg_id = n.old AND m.state IN ('in_flight', 'unknown')",
    )
    .bind(news)
    .bind(olds)
    .execute(conn)
    .await
    .map_err(refused("amend.adopt_unknown"))?;
    Ok(())
}

/// The newer version's row, with a saga that has no legs yet.
async fn new_execution(
    conn: &mut Conn,
    job: &GateJob,
    older_id: i64,
    wanted: &Saga,
) -> Result<ExecutionRow, StoreError> {
    let saga = Saga::new(wanted.atomic, wanted.order, []);
    sqlx::query("-- amend.supersedes\nUPDATE execution SET saga = $2, supersedes = $3 WHERE id = $1")
        .bind(job.execution_id)
        .bind(to_json(&saga))
        .bind(older_id)
        .execute(&mut *conn)
        .await
        .map_err(refused("amend.supersedes"))?;
    // An amendment of it that waits is dropped.
    lineage::supersede(conn, &[older_id], job.execution_id).await?;
    let mut rows = moves::lock(conn, &[job.execution_id]).await?;
    rows.pop().ok_or_else(|| StoreError::BadRow {
        table: "execution",
        id: job.execution_id.to_string(),
        what: "it went while its gate was opened".to_owned(),
    })
}
