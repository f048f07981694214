//! A launched execution gets another payload (`store::supersede`: a newer version takes its campaigns over).
//!
//! Everything here happens in the transaction in which the gate opened for the new payload, or in which the execution is
//! rolled back. A leg is changed only while no worker holds its command; where one does, nothing is changed and the gate
//! is asked again. Must not decide what a leg becomes (domain::saga does) nor what is different (domain::spec does).

use super::gate::GateJob;
use super::moves::{self, Compose, ExecutionRow, LegRow, Moves};
use super::replace::{self, Fixed, Note, Replacing, There};
use super::withdraw::{self, Queued};
use super::{Conn, StoreError, parse_json, parse_text, refused, supersede, to_json, touchpoints};
use crate::domain::diff::FieldChange;
use crate::domain::saga::{Amendment, CommandKind, Direction, Joins, LegState, Saga};
use crate::domain::spec::LegSpec;
use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::Row;
use std::collections::{HashMap, HashSet};

/// What became of a new payload.
pub(crate) enum Came {
    /// Its changes are on their way.
    Applied {
        /// Legs that change, join, leave or were taken over.
        legs: usize,
        /// Campaigns that give their place to others.
        replaced: Vec<Note>,
    },
    /// Workers hold commands of so many legs that would change; nothing was changed.
    Busy {
        /// How many.
        legs: usize,
    },
    /// The execution was rolled back: its payload cannot be changed any more.
    Fenced,
    /// A version whose campaigns it goes on with is being undone, and has not given them back: asked again.
    Undoing,
    /// It comes late: a newer version that supersedes it is launched already.
    Overtaken,
}

impl Came {
    /// For the audit log.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Applied { legs, .. } => format!("{legs} legs changed"),
            Self::Busy { legs } => format!("workers hold the commands of {legs} legs: asked again"),
            Self::Fenced => "the execution was rolled back: its payload stays as it was".to_owned(),
            Self::Undoing => {
                "a version that took these campaigns over is being undone and has not given them back: asked again".to_owned()
            }
            Self::Overtaken => {
                "a newer version that supersedes it is launched already: nothing is launched".to_owned()
            }
        }
    }
}

/// A leg as it is.
pub(crate) struct Existing {
    pub(crate) row: LegRow,
    pub(crate) spec: LegSpec,
    /// It was this leg's campaign, and no payload names it.
    pub(crate) replaced_by: Option<i64>,
}

/// What a new payload means for the legs there are.
#[derive(Default)]
pub(crate) struct Changes {
    /// (place among the existing, its new spec)
    pub(crate) change: Vec<(usize, LegSpec)>,
    /// What cannot be changed: (place, its new spec, why).
    pub(crate) replace: Vec<(usize, LegSpec, Vec<FieldChange>)>,
    /// Legs that change what cannot be changed, of which nothing was ever made: another name will do.
    pub(crate) rename: Vec<i64>,
    /// Places among the existing.
    pub(crate) leave: Vec<usize>,
    pub(crate) join: Vec<(LegSpec, u8)>,
    /// Every existing leg's place in the new plan, where it has one.
    pub(crate) ordinals: Vec<(i64, i32)>,
}

/// Applies a new payload to an execution that was launched. Its commands and its row are locked.
pub(crate) async fn amend(
    conn: &mut Conn,
    compose: &dyn Compose,
    job: &GateJob,
    (wanted, fixed): (&Saga, &Fixed),
    (legs, queued): (&[(LegSpec, u8)], &[Queued]),
) -> Result<Came, StoreError> {
    let mut executions = moves::lock(conn, &[job.execution_id]).await?;
    let Some(execution) = executions.first_mut() else {
        return Ok(Came::Fenced);
    };
    let anew = execution.saga.may_start_anew();
    if execution.saga.direction == Direction::Back && !anew {
        return Ok(Came::Fenced);
    }
    let mut existing = existing(conn, job.execution_id).await?;
    let unchangeable = unchangeable(&existing, legs, fixed);
    let there = replace::there(conn, &unchangeable.keys().copied().collect::<Vec<_>>()).await?;
    let changes = changes(&existing, legs, anew, (unchangeable, &there));
    let touched: HashSet<i64> = changes.touched(&existing);
    let theirs: Vec<Queued> = queued
        .iter()
        .filter(|q| touched.contains(&q.leg_id))
        .copied()
        .collect();
    let busy = theirs.iter().filter(|q| q.held).count();
    if busy > 0 {
        return Ok(Came::Busy { legs: busy });
    }
    let of_touched = |leg, _| touched.contains(&leg);
    if withdraw::forestall(conn, &[job.execution_id], queued, of_touched)
        .await?
        .is_none()
    {
        return Ok(Came::Busy { legs: 1 });
    }
    withdraw::withdraw(conn, &theirs).await?;
    (execution.saga.atomic, execution.saga.order) = (wanted.atomic, wanted.order);
    if anew {
        start_anew(conn, execution, &mut existing).await?;
    }
    supersede::its_own_again(conn, job.execution_id, None).await?;
    rewrite(conn, &existing, &changes).await?;
    let mut moves = Moves::default();
    let mut keys: HashSet<(String, String)> = existing.iter().map(|leg| key_of(&leg.spec)).collect();
    keys.extend(legs.iter().map(|(spec, _)| key_of(spec)));
    let replacing = replacing(&mut existing, &changes, &there);
    let replaced = replace::replace(conn, compose, &mut moves, execution, (replacing, &mut keys)).await?;
    let changing = changes
        .change
        .iter()
        .map(|(place, _)| (*place, Amendment::Change));
    let leaving = changes.leave.iter().map(|place| (*place, Amendment::Leave));
    for (place, what) in changing.chain(leaving) {
        let Some(leg) = existing.get_mut(place) else {
            continue;
        };
        if let Ok(effects) = execution.saga.amend(leg.row.position, leg.row.state, what) {
            moves
                .note(conn, compose, (0, &mut *execution), Some(&mut leg.row), &effects)
                .await?;
        }
    }
    let joining: Vec<Joining> = changes
        .join
        .iter()
        .map(|(spec, position)| Joining {
            spec,
            state: execution.saga.join(*position, Joins::New),
            position: *position,
            ordinal: place_of(legs, spec),
            adopted_from: None,
        })
        .collect();
    insert(conn, execution, &joining).await?;
    // What moved must be written before the sweeps that follow look for it.
    moves.write_legs(conn).await?;
    let effects = execution.saga.amended();
    moves.note(conn, compose, (0, execution), None, &effects).await?;
    moves.write(conn, compose, &executions).await?;
    touchpoints::left(conn, compose, job.execution_id).await?;
    Ok(Came::Applied {
        legs: changes.change.len() + changes.replace.len() + changes.leave.len() + changes.join.len(),
        replaced,
    })
}

pub(crate) fn key_of(spec: &LegSpec) -> (String, String) {
    (
        spec.key.platform.to_string(),
        spec.key.logical_campaign_key.to_string(),
    )
}

fn place_of(legs: &[(LegSpec, u8)], spec: &LegSpec) -> i32 {
    let place = legs
        .iter()
        .position(|(s, _)| s.key == spec.key)
        .unwrap_or_default();
    i32::try_from(place).unwrap_or(i32::MAX)
}

impl Changes {
    pub(crate) fn touched(&self, existing: &[Existing]) -> HashSet<i64> {
        let changing = self.change.iter().map(|(place, _)| *place);
        let replaced = self.replace.iter().map(|(place, ..)| *place);
        changing
            .chain(replaced)
            .chain(self.leave.iter().copied())
            .filter_map(|place| existing.get(place).map(|leg| leg.row.id))
            .collect()
    }
}

/// Which legs would change what their platform does not let be changed, and what of it.
pub(crate) fn unchangeable(
    existing: &[Existing],
    legs: &[(LegSpec, u8)],
    fixed: &Fixed,
) -> HashMap<i64, Vec<FieldChange>> {
    let wanted: HashMap<(String, String), &LegSpec> = legs.iter().map(|(s, _)| (key_of(s), s)).collect();
    existing
        .iter()
        .filter(|leg| leg.replaced_by.is_none())
        .filter_map(|leg| {
            let new = wanted.get(&key_of(&leg.spec))?;
            let fields = replace::unchangeable(&leg.spec, new, fixed);
            (!fields.is_empty()).then_some((leg.row.id, fields))
        })
        .collect()
}

/// The legs that are built anew, with what there is of them.
fn replacing<'a>(
    existing: &'a mut [Existing],
    changes: &'a Changes,
    there: &'a HashMap<i64, There>,
) -> Vec<Replacing<'a>> {
    let mut legs: HashMap<usize, &'a mut Existing> = existing.iter_mut().enumerate().collect();
    let replacing = changes.replace.iter().filter_map(|(place, spec, fields)| {
        let leg = legs.remove(place)?;
        Some(Replacing {
            there: there.get(&leg.row.id)?,
            was: &leg.spec,
            leg: &mut leg.row,
            spec,
            fields,
        })
    });
    replacing.collect()
}

/// Compares the legs there are with those of the new payload. What failed is tried again even if it stays the same.
pub(crate) fn changes(
    existing: &[Existing],
    legs: &[(LegSpec, u8)],
    anew: bool,
    (mut unchangeable, there): (HashMap<i64, Vec<FieldChange>>, &HashMap<i64, There>),
) -> Changes {
    let mut changes = Changes::default();
    let mut left: HashMap<(String, String), usize> = existing
        .iter()
        .enumerate()
        .filter(|(_, leg)| leg.replaced_by.is_none())
        .map(|(i, leg)| (key_of(&leg.spec), i))
        .collect();
    let mut taken: HashSet<String> = existing
        .iter()
        .map(|leg| leg.spec.campaign_name.clone())
        .collect();
    for ((spec, position), ordinal) in legs.iter().zip(0..) {
        let Some(place) = left.remove(&key_of(spec)) else {
            let mut spec = spec.clone();
            // A name once given is kept: the newcomer takes the longer one.
            spec.campaign_name = replace::free_name(&spec, &mut taken);
            changes.join.push((spec, *position));
            continue;
        };
        let Some(leg) = existing.get(place) else { continue };
        changes.ordinals.push((leg.row.id, ordinal));
        if let Some(fields) = unchangeable.remove(&leg.row.id) {
            let ever = there.get(&leg.row.id).is_some_and(|t| t.ever);
            if !ever {
                taken.remove(&leg.spec.campaign_name);
            }
            let spec = LegSpec {
                campaign_name: replace::free_name(spec, &mut taken),
                ..spec.clone()
            };
            if ever {
                changes.replace.push((place, spec, fields));
            } else {
                changes.rename.push(leg.row.id);
                changes.change.push((place, spec));
            }
            continue;
        }
        let failed = matches!(leg.row.state, LegState::Failed | LegState::Unamended);
        let gone = matches!(leg.row.state, LegState::Retiring | LegState::Retired);
        if anew || failed || gone || !leg.spec.looks_like(spec) {
            let spec = LegSpec {
                campaign_name: leg.spec.campaign_name.clone(),
                ..spec.clone()
            };
            changes.change.push((place, spec));
        }
    }
    changes.leave = left.into_values().collect();
    what_was_replaced(existing, &mut changes, anew);
    // What is off, or being switched off, goes on with that.
    changes.leave.retain(|place| {
        let state = existing.get(*place).map(|leg| leg.row.state);
        !matches!(state, Some(LegState::Retiring | LegState::Retired))
    });
    changes.leave.sort_unstable();
    changes
}

/// It stays and goes with the leg that replaced it; after a failed launch it is no part of the plan any more.
fn what_was_replaced(existing: &[Existing], changes: &mut Changes, anew: bool) {
    let ordinals: HashMap<i64, i32> = changes.ordinals.iter().copied().collect();
    for (place, leg) in existing.iter().enumerate() {
        match leg.replaced_by.map(|by| ordinals.get(&by)) {
            Some(Some(ordinal)) if !anew => changes.ordinals.push((leg.row.id, *ordinal)),
            Some(_) => changes.leave.push(place),
            None => {}
        }
    }
}

/// The legs of an execution, locked, by id.
pub(super) async fn existing(conn: &mut Conn, execution_id: i64) -> Result<Vec<Existing>, StoreError> {
    let rows = sqlx::query(
        "-- amend.existing
         SELECT id, platform, logical_campaign_key, position, state, attempt, spec, replaced_by FROM leg
         WHERE execution_id = $1 ORDER BY id FOR NO KEY UPDATE",
    )
    .bind(execution_id)
    .fetch_all(conn)
    .await
    .map_err(refused("amend.existing"))?;
    rows.into_iter()
        .map(|row| {
            let id: i64 = row.get("id");
            Ok(Existing {
                row: LegRow {
                    id,
                    platform: row.get("platform"),
                    logical_campaign_key: row.get("logical_campaign_key"),
                    position: u8::try_from(row.get::<i16, _>("position")).unwrap_or(u8::MAX),
                    state: parse_text("leg", id, "state", row.get("state"), LegState::parse)?,
                    attempt: row.get("attempt"),
                    outgoing: 0,
                },
                spec: parse_json("leg", id, "spec", row.get("spec"))?,
                replaced_by: row.get("replaced_by"),
            })
        })
        .collect()
}

/// After a failed atomic launch: everything waits again, for the new payload.
async fn start_anew(
    conn: &mut Conn,
    execution: &mut ExecutionRow,
    legs: &mut [Existing],
) -> Result<(), StoreError> {
    execution.saga.start_anew();
    for leg in legs.iter_mut() {
        leg.row.state = LegState::Waiting;
    }
    sqlx::query(
        "-- amend.start_anew
         UPDATE leg SET state = 'waiting', error = NULL, changed_at = clock_timestamp() WHERE execution_id = $1",
    )
    .bind(execution.id)
    .execute(conn)
    .await
    .map_err(refused("amend.start_anew"))?;
    Ok(())
}

/// Writes the legs' new specs and places.
async fn rewrite(conn: &mut Conn, existing: &[Existing], changes: &Changes) -> Result<(), StoreError> {
    let (mut ids, mut specs, mut starts) = (Vec::new(), Vec::new(), Vec::<DateTime<Utc>>::new());
    let changed = changes.change.iter().map(|(place, spec)| (place, spec));
    let replaced = changes.replace.iter().map(|(place, spec, _)| (place, spec));
    for (place, spec) in changed.chain(replaced) {
        let Some(leg) = existing.get(*place) else { continue };
        ids.push(leg.row.id);
        specs.push(to_json(spec));
        starts.push(spec.campaign.schedule.start);
    }
    sqlx::query(
        "-- amend.specs
         UPDATE leg SET spec = n.spec, starts_at = n.starts_at, error = NULL
         FROM unnest($1::bigint[], $2::jsonb[], $3::timestamptz[]) AS n (id, spec, starts_at) WHERE leg.id = n.id",
    )
    .bind(ids)
    .bind(specs)
    .bind(starts)
    .execute(&mut *conn)
    .await
    .map_err(refused("amend.specs"))?;
    replace::rename(conn, &changes.rename).await?;
    let (ids, ordinals): (Vec<i64>, Vec<i32>) = changes.ordinals.iter().copied().unzip();
    sqlx::query(
        "-- amend.ordinals
         UPDATE leg SET ordinal = n.ordinal FROM unnest($1::bigint[], $2::int[]) AS n (id, ordinal)
         WHERE leg.id = n.id AND leg.ordinal <> n.ordinal",
    )
    .bind(ids)
    .bind(ordinals)
    .execute(conn)
    .await
    .map_err(refused("amend.ordinals"))?;
    Ok(())
}

/// A leg that is new to its execution.
pub(super) struct Joining<'a> {
    pub(super) spec: &'a LegSpec,
    pub(super) state: LegState,
    pub(super) position: u8,
    pub(super) ordinal: i32,
    pub(super) adopted_from: Option<i64>,
}

impl Joining<'_> {
    pub(super) fn row(&self, id: i64) -> LegRow {
        LegRow {
            id,
            platform: self.spec.key.platform.to_string(),
            logical_campaign_key: self.spec.key.logical_campaign_key.to_string(),
            position: self.position,
            state: self.state,
            attempt: 0,
            outgoing: 0,
        }
    }
}

/// Inserts legs; their ids, in order.
pub(super) async fn insert(
    conn: &mut Conn,
    execution: &ExecutionRow,
    legs: &[Joining<'_>],
) -> Result<Vec<i64>, StoreError> {
    let column = |f: fn(&LegSpec) -> String| legs.iter().map(|l| f(l.spec)).collect::<Vec<_>>();
    let specs: Vec<Value> = legs.iter().map(|l| to_json(l.spec)).collect();
    let positions: Vec<i16> = legs.iter().map(|l| i16::from(l.position)).collect();
    let ordinals: Vec<i32> = legs.iter().map(|l| l.ordinal).collect();
    let states: Vec<&str> = legs.iter().map(|l| l.state.as_str()).collect();
    let starts: Vec<DateTime<Utc>> = legs.iter().map(|l| l.spec.campaign.schedule.start).collect();
    let adopted: Vec<Option<i64>> = legs.iter().map(|l| l.adopted_from).collect();
    let rows: Vec<(i64, String, String)> = sqlx::query_as(
        "-- amend.insert
         INSERT INTO leg (execution_id, tenant_id, plan_version, platform, logical_campaign_key, position, ordinal, spec,
                          state, starts_at, adopted_from)
         SELECT $1, $2, $3, * FROM unnest($4::text[], $5::text[], $6::smallint[], $7::int[], $8::jsonb[], $9::text[],
                                          $10::timestamptz[], $11::bigint[])
         RETURNING id, platform, logical_campaign_key",
    )
    .bind(execution.id)
    .bind(&execution.tenant_id)
    .bind(&execution.plan_version)
    .bind(column(|s| s.key.platform.to_string()))
    .bind(column(|s| s.key.logical_campaign_key.to_string()))
    .bind(positions)
    .bind(ordinals)
    .bind(specs)
    .bind(states)
    .bind(starts)
    .bind(adopted)
    .fetch_all(conn)
    .await
    .map_err(refused("amend.insert"))?;
    let ids: HashMap<(String, String), i64> = rows.into_iter().map(|(id, p, k)| ((p, k), id)).collect();
    Ok(legs
        .iter()
        .filter_map(|l| ids.get(&key_of(l.spec)).copied())
        .collect())
}

/// The rollback of an execution: what waits in the queue, or is on its way there, is turned round at once, who works is told to
/// stop. `false`: a command has come meanwhile, and the whole must be begun again.
pub(crate) async fn turn_at_once(
    conn: &mut Conn,
    compose: &dyn Compose,
    moves: &mut Moves,
    (place, execution): (usize, &mut ExecutionRow),
    queued: &[Queued],
) -> Result<bool, StoreError> {
    let forward: Vec<Queued> = queued.iter().filter(|q| is_forward(q.kind)).copied().collect();
    let Some(sent) = withdraw::forestall(conn, &[execution.id], queued, |_, kind| is_forward(kind)).await?
    else {
        return Ok(false);
    };
    withdraw::tell(conn, &forward).await?;
    // One that nobody drives yet finds out by itself that its leg goes back.
    let releases: Vec<Queued> = queued
        .iter()
        .filter(|q| q.kind == CommandKind::Release)
        .copied()
        .collect();
    withdraw::tell(conn, &releases).await?;
    withdraw::withdraw(conn, &forward).await?;
    let free = forward.iter().filter(|q| !q.held).map(|q| q.leg_id);
    let ids: Vec<i64> = free.chain(sent).collect();
    for mut row in moves::leg_rows(conn, &ids).await? {
        if let Ok(effects) =
            execution
                .saga
                .report(row.position, row.state, crate::domain::saga::Report::Failed)
        {
            moves
                .note(conn, compose, (place, &mut *execution), Some(&mut row), &effects)
                .await?;
        }
    }
    Ok(true)
}

/// Whether a rollback takes such a command back.
fn is_forward(kind: CommandKind) -> bool {
    match kind {
        CommandKind::Build | CommandKind::Activate => true,
        // They end by themselves, and are what a rollback wants.
        CommandKind::Undo | CommandKind::Retire => false,
        // The undo that follows makes them void.
        CommandKind::Hold | CommandKind::Release => false,
    }
}
