//! The rest of the store's transactions: plans taken in, gates, amendments, versions that take over and give back, what people
//! ask, the kill switch. The same rule as in `store.rs`.

use super::mistake::Mistake;
use super::store::{Execution, Gate, Leg, Model, Payload};
use crate::domain::lineage::{self, Going, Place, Turn, Version};
use crate::domain::saga::{CommandKind, Direction, LegState, Saga};
use crate::domain::spec::{Asset, LegSpec, leg_specs};
use crate::platform;
use crate::store::moves::{ExecutionRow, LegRow};
use crate::store::replace::Fixed;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A command that is not finished: `withdraw::Queued`.
#[derive(Clone, Copy)]
pub(super) struct Queued {
    pub id: uuid::Uuid,
    pub leg: i64,
    pub kind: CommandKind,
    pub held: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Came {
    Applied,
    Busy,
    Fenced,
    Overtaken,
}

/// The legs of a payload and their platforms' positions, as the gate makes them.
pub(super) fn legs(payload: &Payload) -> Vec<(LegSpec, u8)> {
    let specs = leg_specs(&payload.plan, "does_not_contain");
    let with_assets = specs.into_iter().map(|mut spec| {
        let ids: Vec<String> = spec.asset_ids().into_iter().map(str::to_owned).collect();
        let platform = spec.key.platform.to_string();
        spec.assets = ids
            .into_iter()
            .map(|id| (id.clone(), asset(id, &platform)))
            .collect();
        let position = platform::by_name(&platform).map_or(u8::MAX, |p| p.traits().position);
        (spec, position)
    });
    with_assets.collect()
}

/// What of a campaign cannot be changed, as the gate tells it.
pub(super) fn fixed() -> Fixed {
    platform::all()
        .into_iter()
        .map(|p| (p.name().to_owned(), p.immutable()))
        .collect()
}

/// An asset that every platform has been given already.
fn asset(id: String, platform: &str) -> Asset {
    let video = id.contains("vid");
    let refs = ["image_hash", "image_id", "video_id", "media_id", "asset"];
    Asset {
        kind: if video { "video" } else { "image" }.to_owned(),
        width: Some(if video { 1080 } else { 300 }),
        height: Some(if video { 1920 } else { 250 }),
        sha256: None,
        mime_type: None,
        bytes: None,
        url: None,
        platform_refs: BTreeMap::from([(
            platform.to_owned(),
            refs.iter()
                .map(|r| ((*r).to_owned(), "4711".to_owned()))
                .collect(),
        )]),
        asset_id: id,
    }
}

impl Model {
    // ---- intake ----------------------------------------------------------------------------------------------------

    /// `intake::take`.
    pub(super) fn take(&mut self, payload: &Arc<Payload>) {
        let approved_at = payload.plan.approved_at.timestamp_millis();
        let version = payload.plan.plan_version.as_str();
        let known = self
            .executions
            .values()
            .find(|e| e.row.plan_version == version)
            .map(|e| e.row.id);
        let now = self.now;
        let Some(id) = known else {
            self.insert(payload, approved_at);
            return;
        };
        let older_wins = self.is(Mistake::OlderWins);
        let revive = self.is(Mistake::ReviveRolledBack);
        let superseded = self.is_superseded(id);
        let Some(execution) = self.executions.get_mut(&id) else {
            return;
        };
        if execution.payload.hash == payload.hash {
            if execution.gate == Gate::Pending {
                execution.gate_at = now;
            }
            return;
        }
        if approved_at <= execution.approved_at && !older_wins {
            return;
        }
        let saga = &execution.row.saga;
        let anew = saga.may_start_anew() && execution.supersedes.is_none();
        let back = execution.launched && saga.direction == Direction::Back && !anew;
        if superseded || execution.rejected.contains(&payload.hash) || back && !revive {
            return;
        }
        execution.payload = Arc::clone(payload);
        execution.approved_at = approved_at;
        execution.gate = Gate::Pending;
        execution.gate_at = now;
        execution.gate_token += 1;
        execution.gate_lease = None;
    }

    /// `is_superseded`.
    pub(super) fn is_superseded(&self, id: i64) -> bool {
        let newer = self.executions.get(&id).and_then(|e| e.superseded_by);
        let goes_back = |e: &Execution| e.launched && e.row.saga.direction == Direction::Back;
        newer
            .and_then(|id| self.executions.get(&id))
            .is_some_and(|e| !goes_back(e))
    }

    pub(super) fn insert(&mut self, payload: &Arc<Payload>, approved_at: i64) {
        let id = i64::try_from(self.executions.len()).unwrap_or_default() + 1;
        let plan = &payload.plan;
        let row = ExecutionRow {
            id,
            tenant_id: plan.tenant_id.to_string(),
            plan_id: plan.plan_id.to_string(),
            plan_version: plan.plan_version.to_string(),
            approved_at: plan.approved_at.to_rfc3339(),
            traceparent: None,
            revision: 0,
            saga: Saga::new(plan.launch.atomic, plan.launch.order, []),
        };
        self.executions.insert(
            id,
            Execution {
                row,
                launched: false,
                payload: Arc::clone(payload),
                approved_at,
                gate: Gate::Pending,
                gate_at: self.now,
                gate_token: 0,
                gate_lease: None,
                applied: None,
                supersedes: None,
                superseded_by: None,
                approved: BTreeSet::new(),
                rejected: BTreeSet::new(),
            },
        );
    }

    /// `intake::decide`.
    pub(super) fn decide(&mut self, id: i64, approve: bool) {
        let now = self.now;
        let Some(execution) = self.executions.get_mut(&id) else {
            return;
        };
        if execution.gate != Gate::Pending {
            return;
        }
        execution.gate_at = now;
        if approve {
            execution.approved.insert(execution.payload.hash);
            return;
        }
        execution.rejected.insert(execution.payload.hash);
        execution.gate = Gate::Cancelled;
        if execution.launched {
            drop_amendment(execution);
        }
    }

    // ---- the gate --------------------------------------------------------------------------------------------------

    /// `gate.lease`: the executions whose gate is due.
    pub(super) fn gates(&self) -> Vec<i64> {
        let due = |e: &&Execution| {
            e.gate == Gate::Pending
                && e.gate_at <= self.now
                && e.gate_lease.is_none_or(|l| l < self.now)
                && !self.paused
        };
        self.executions.values().filter(due).map(|e| e.row.id).collect()
    }

    pub(super) fn lease_gate(&mut self, id: i64) -> Option<(i64, i64, Arc<Payload>, bool)> {
        let (now, ask) = (self.now, self.needs_approval);
        let execution = self.executions.get_mut(&id)?;
        execution.gate_lease = Some(now + 120_000);
        execution.gate_token += 1;
        let open = !ask || execution.approved.contains(&execution.payload.hash);
        Some((id, execution.gate_token, Arc::clone(&execution.payload), open))
    }

    /// `gate.record`.
    pub(super) fn record_gate(&mut self, (id, token, payload, open): (i64, i64, Arc<Payload>, bool)) {
        if open && self.paused {
            return;
        }
        let now = self.now;
        let Some(execution) = self.executions.get_mut(&id) else {
            return;
        };
        if execution.gate_token != token || execution.gate != Gate::Pending {
            return;
        }
        execution.gate_lease = None;
        execution.gate_at = now + if open { 0 } else { 600_000 };
        if !open {
            return;
        }
        execution.gate = Gate::Open;
        let plan = &payload.plan;
        let legs = legs(&payload);
        let came = self.enter(id, plan.launch, &legs);
        let Some(execution) = self.executions.get_mut(&id) else {
            return;
        };
        match came {
            Came::Applied => {
                execution.applied = Some((Arc::clone(&execution.payload), execution.approved_at))
            }
            Came::Busy => {
                execution.gate = Gate::Pending;
                // (250 ms there; nothing is decided sooner than a lease ends.)
                execution.gate_at = now + 10_000;
            }
            Came::Fenced => back_to_the_applied(execution),
            Came::Overtaken => {}
        }
    }

    /// `gate::enter`.
    pub(super) fn enter(
        &mut self,
        id: i64,
        launch: crate::domain::plan::Launch,
        legs: &[(LegSpec, u8)],
    ) -> Came {
        let place = self.place_among(id);
        let Some(execution) = self.executions.get(&id) else {
            return Came::Fenced;
        };
        if execution.launched {
            let saga = &execution.row.saga;
            let another_holds = matches!(place.turn, Turn::After(_) | Turn::Overtaken { .. });
            let going = |newer| self.executions.get(&newer).map(going);
            let undoing = execution.superseded_by.and_then(going) == Some(Going::Undoing);
            return match (saga.may_start_anew(), undoing) {
                (true, _) if execution.supersedes.is_some() || another_holds => Came::Fenced,
                (true, _) if matches!(place.turn, Turn::Waits(_)) => Came::Busy,
                (false, true) => Came::Busy,
                (true, _) | (false, false) => self.amend(id, launch, legs),
            };
        }
        let came = match place.turn {
            Turn::Waits(_) => Came::Busy,
            Turn::Overtaken { by, holds } => match holds.map(|holds| self.leave(holds, by)) {
                Some(Came::Busy) => Came::Busy,
                Some(Came::Applied | Came::Fenced | Came::Overtaken) | None => {
                    self.mark_superseded(&[id], by);
                    Came::Overtaken
                }
            },
            Turn::After(older) => self.supersede(id, older, launch, legs),
            Turn::First => self.open(id, launch, legs),
        };
        if came == Came::Applied {
            self.mark_superseded(&place.passed, id);
        }
        came
    }

    /// `lineage::place`.
    pub(super) fn place_among(&self, id: i64) -> Place {
        let version = |e: &Execution| {
            let applied = e.applied.as_ref().map_or(&e.payload, |(payload, _)| payload);
            Version {
                id: e.row.id,
                name: e.row.plan_version.clone(),
                supersedes: applied.plan.supersedes.as_ref().map(ToString::to_string),
                going: going(e),
                superseded_by: e.superseded_by,
                approved_at: applied.plan.approved_at,
            }
        };
        let versions: Vec<Version> = self.executions.values().map(version).collect();
        match versions.iter().find(|v| v.id == id) {
            Some(_) if self.is(Mistake::OnlyTheNamedOne) => self.place_by_name(&versions, id),
            Some(own) => lineage::place(&versions, own),
            None => Place {
                turn: Turn::First,
                passed: Vec::new(),
            },
        }
    }

    /// A mistake: the version that is named, whatever became of it.
    pub(super) fn place_by_name(&self, versions: &[Version], id: i64) -> Place {
        let named = versions
            .iter()
            .find(|v| v.id == id)
            .and_then(|v| v.supersedes.clone());
        let older = versions.iter().find(|v| Some(&v.name) == named.as_ref());
        let holds = |v: &&Version| v.going == Going::Forward && v.superseded_by.is_none();
        Place {
            turn: older.filter(holds).map_or(Turn::First, |v| Turn::After(v.id)),
            passed: Vec::new(),
        }
    }

    /// `lineage::supersede`.
    pub(super) fn mark_superseded(&mut self, olds: &[i64], newer: i64) {
        for old in olds {
            if let Some(old) = self.executions.get_mut(old) {
                old.superseded_by = Some(newer);
                old.gate_token += 1;
                old.gate_lease = None;
                old.gate = if old.launched { Gate::Open } else { Gate::Cancelled };
                back_to_the_applied(old);
            }
        }
    }

    /// `supersede::leave`.
    pub(super) fn leave(&mut self, older: i64, newer: i64) -> Came {
        let old = self.existing(older);
        let goes = |kind| kind != CommandKind::Retire;
        let theirs: Vec<Queued> = self
            .queued(&[older])
            .into_iter()
            .filter(|q| goes(q.kind))
            .collect();
        if theirs.iter().any(|q| q.held) {
            return Came::Busy;
        }
        self.forestall(&[older], |_, kind| goes(kind));
        self.withdraw(&theirs);
        self.give_up(older, &old, &BTreeSet::new(), newer);
        self.mark_superseded(&[older], newer);
        if let Some(newer) = self.executions.get_mut(&newer) {
            newer.supersedes = newer.supersedes.or(Some(older));
        }
        Came::Overtaken
    }

    pub(super) fn open(
        &mut self,
        id: i64,
        launch: crate::domain::plan::Launch,
        legs: &[(LegSpec, u8)],
    ) -> Came {
        let barrier = launch.atomic && !self.is(Mistake::NoBarrier);
        let mut saga = Saga::new(barrier, launch.order, legs.iter().map(|(_, p)| *p));
        let effects = saga.start();
        if let Some(execution) = self.executions.get_mut(&id) {
            execution.row.saga = saga;
            execution.launched = true;
        }
        for ((spec, position), ordinal) in legs.iter().zip(0..) {
            self.join(id, spec, (*position, ordinal), LegState::Waiting, None);
        }
        let mut due = Vec::new();
        self.note(id, None, &effects, &mut due);
        self.write(due);
        Came::Applied
    }

    /// Inserts a leg.
    pub(super) fn join(
        &mut self,
        execution: i64,
        spec: &LegSpec,
        (position, ordinal): (u8, i32),
        state: LegState,
        adopted_from: Option<i64>,
    ) -> i64 {
        let id = i64::try_from(self.legs.len()).unwrap_or_default() + 1;
        let root = adopted_from
            .and_then(|from| self.legs.get(&from))
            .map_or(id, |leg| leg.root);
        self.legs.insert(
            id,
            Leg {
                execution,
                row: LegRow {
                    id,
                    platform: spec.key.platform.to_string(),
                    logical_campaign_key: spec.key.logical_campaign_key.to_string(),
                    position,
                    state,
                    attempt: 0,
                    outgoing: 0,
                },
                ordinal,
                spec: spec.clone(),
                error: None,
                adopted_from,
                gave_up_for: None,
                was_on: false,
                watch_at: None,
                hold: None,
                replaced_by: None,
                root,
            },
        );
        id
    }
}

/// `Version::going`.
pub(super) fn going(execution: &Execution) -> Going {
    let saga = &execution.row.saga;
    match (execution.launched, saga.direction, saga.settled.is_some()) {
        (false, ..) => Going::NotLaunched,
        (true, Direction::Back, true) => Going::Undone,
        (true, Direction::Back, false) => Going::Undoing,
        (true, Direction::Forward, _) => Going::Forward,
    }
}

/// Whether a rollback stops whoever drives it: see `amend::turn_at_once`.
pub(super) fn is_driven_on(kind: CommandKind) -> bool {
    match kind {
        CommandKind::Build | CommandKind::Activate | CommandKind::Release => true,
        CommandKind::Undo | CommandKind::Retire | CommandKind::Hold => false,
    }
}

/// `intake::drop_amendment`.
pub(super) fn drop_amendment(execution: &mut Execution) {
    if !execution.launched {
        return;
    }
    execution.gate = Gate::Open;
    execution.gate_lease = None;
    execution.gate_token += 1;
    back_to_the_applied(execution);
}

pub(super) fn back_to_the_applied(execution: &mut Execution) {
    if let Some((payload, approved_at)) = execution.applied.clone() {
        (execution.payload, execution.approved_at) = (payload, approved_at);
    }
}
