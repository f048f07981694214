//! The rest of the store's transactions: plans taken in, gates, amendments, versions that take over and give back, what people
//! ask, the kill switch. The same rule as in `store.rs`.

use super::mistake::Mistake;
use super::store::{Command, Due, Execution, Gate, Intent, Leg, Made, Model, Payload};
use crate::domain::hold::{self, Hold, Pausing};
use crate::domain::manifest::Serving;
use crate::domain::saga::{Amendment, CommandKind, Direction, Effect, Joins, LegState, Report, Saga};
use crate::domain::spec::{Asset, LegSpec, leg_specs};
use crate::platform;
use crate::store::amend::{self, Existing};
use crate::store::control::Verb;
use crate::store::moves::{self, ExecutionRow, LegRow};
use crate::store::replace::{self, Fixed, There};
use crate::store::supersede;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// A command that is not finished: `withdraw::Queued`.
#[derive(Clone, Copy)]
struct Queued {
    id: uuid::Uuid,
    leg: i64,
    kind: CommandKind,
    held: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Came {
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
fn fixed() -> Fixed {
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
        let back = execution.launched && saga.direction == Direction::Back && !saga.may_start_anew();
        if execution.superseded_by.is_some() || execution.rejected.contains(&payload.hash) || back && !revive
        {
            return;
        }
        execution.payload = Arc::clone(payload);
        execution.approved_at = approved_at;
        execution.gate = Gate::Pending;
        execution.gate_at = now;
        execution.gate_token += 1;
        execution.gate_lease = None;
    }

    fn insert(&mut self, payload: &Arc<Payload>, approved_at: i64) {
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
        let launched = execution.launched;
        let plan = &payload.plan;
        let legs = legs(&payload);
        let older = plan
            .supersedes
            .as_ref()
            .filter(|_| !launched)
            .and_then(|version| {
                let old = |e: &&Execution| {
                    e.row.plan_version == version.as_str() && e.row.id != id && e.superseded_by.is_none()
                };
                self.executions.values().find(old).map(|e| e.row.id)
            });
        let came = match (launched, older) {
            (true, _) => self.amend(id, plan.launch, &legs),
            (false, _) if self.overtaken(id) => Came::Overtaken,
            (false, Some(older)) => self.supersede(id, older, plan.launch, &legs),
            (false, None) => self.open(id, plan.launch, &legs),
        };
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

    /// `gate.overtaken`.
    fn overtaken(&mut self, id: i64) -> bool {
        let Some(version) = self.executions.get(&id).map(|e| e.row.plan_version.clone()) else {
            return false;
        };
        let newer = self.executions.values().find(|n| {
            let takes_over = n.applied.as_ref().and_then(|(p, _)| p.plan.supersedes.as_ref());
            takes_over.is_some_and(|v| v.as_str() == version) && n.row.saga.direction == Direction::Forward
        });
        let newer = newer.map(|n| n.row.id);
        if let Some(execution) = self.executions.get_mut(&id).filter(|_| newer.is_some()) {
            execution.gate = Gate::Cancelled;
            execution.superseded_by = newer;
        }
        newer.is_some()
    }

    fn open(&mut self, id: i64, launch: crate::domain::plan::Launch, legs: &[(LegSpec, u8)]) -> Came {
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
    fn join(
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

    // ---- withdraw --------------------------------------------------------------------------------------------------

    fn queued(&self, executions: &[i64]) -> Vec<Queued> {
        let theirs = |leg: i64| {
            self.legs
                .get(&leg)
                .is_some_and(|l| executions.contains(&l.execution))
        };
        self.commands
            .values()
            .filter(|c| c.queued && theirs(c.leg))
            .map(|c| Queued {
                id: c.id,
                leg: c.leg,
                kind: c.kind,
                held: !self.is(Mistake::WithdrawHeld)
                    && (c.lease_until.is_some_and(|u| u > self.now)
                        || matches!(c.kind, CommandKind::Hold | CommandKind::Release)),
            })
            .collect()
    }

    fn withdraw(&mut self, queued: &[Queued]) {
        for q in queued.iter().filter(|q| !q.held) {
            if let Some(command) = self.commands.get_mut(&q.id) {
                command.queued = false;
                command.lease_until = None;
            }
        }
    }

    /// `withdraw::forestall`. Nothing comes between two transactions here, so none is missed; a command is where it was sent to or not.
    fn forestall(&mut self, executions: &[i64], wanted: impl Fn(i64, CommandKind) -> bool) -> Vec<i64> {
        if self.is(Mistake::NotForestalled) {
            return Vec::new();
        }
        let switch = |c: &&Command| matches!(c.kind, CommandKind::Hold | CommandKind::Release);
        let queued: BTreeSet<i64> = self
            .commands
            .values()
            .filter(|c| c.queued && !switch(c))
            .map(|c| c.leg)
            .collect();
        let sent: Vec<(i64, CommandKind, i32)> = self
            .legs
            .values()
            .filter(|l| executions.contains(&l.execution) && !queued.contains(&l.row.id))
            .filter_map(|l| Some((l.row.id, l.row.state.in_flight()?, l.row.attempt)))
            .filter(|(leg, kind, _)| wanted(*leg, *kind))
            .collect();
        for (leg, kind, attempt) in &sent {
            self.put_done(moves::command_id(*leg, *kind, *attempt), *leg, *kind);
        }
        sent.into_iter().map(|(leg, ..)| leg).collect()
    }

    // ---- amendments ------------------------------------------------------------------------------------------------

    fn existing(&self, execution: i64) -> Vec<Existing> {
        let theirs = self.legs.values().filter(|l| l.execution == execution);
        theirs
            .map(|l| Existing {
                row: l.row.clone(),
                spec: l.spec.clone(),
                replaced_by: l.replaced_by,
            })
            .collect()
    }

    /// `replace::there`.
    fn there(&self, legs: impl Iterator<Item = i64>) -> HashMap<i64, There> {
        let there = legs.filter_map(|leg| {
            let manifest = &self.made.get(&leg)?.manifest;
            let names = (
                manifest.campaign_name.clone(),
                manifest.campaign_id().map(str::to_owned),
            );
            let held = self.legs.get(&leg)?.hold.is_some();
            Some((leg, There::of(&manifest.objects, names, held)))
        });
        there.collect()
    }

    /// `replace::replace` and `replace::split`: the leg is built anew, its campaign is a leg of its own.
    fn replace(
        &mut self,
        execution: i64,
        old: &Existing,
        (there, keys): (&There, &mut HashSet<(String, String)>),
        due: &mut Vec<Due>,
    ) {
        let (leg, state, position) = (old.row.id, old.row.state, old.row.position);
        self.visited.hands.insert((state, "replace"));
        let Some(replaced) = self
            .saga(execution)
            .and_then(|s| s.replace(position, state, there.old).ok())
        else {
            return;
        };
        let spec = replace::set_apart(&old.spec, (&old.spec.key, &there.name), keys);
        let Some(was) = self.legs.get(&leg).cloned() else {
            return;
        };
        let id = self.join(execution, &spec, (position, was.ordinal), replaced.old, None);
        let resumed = there.held && replaced.old == LegState::Outgoing;
        if let Some(apart) = self.legs.get_mut(&id) {
            (apart.adopted_from, apart.replaced_by, apart.root) = (was.adopted_from, Some(leg), was.root);
            apart.hold =
                (replaced.old == LegState::Outgoing && was.hold.is_some()).then_some(Hold::Releasing);
        }
        if let Some(mut made) = self.made.remove(&leg) {
            made.manifest.leg = spec.key.clone();
            self.made.insert(id, made);
        }
        for intent in self.intents.iter_mut().filter(|i| i.leg == leg && i.open) {
            intent.leg = id;
        }
        let root = self.new_root();
        if let Some(anew) = self.legs.get_mut(&leg) {
            (anew.adopted_from, anew.gave_up_for, anew.was_on, anew.hold) = (None, None, false, None);
            anew.root = root;
        }
        self.note(execution, Some(leg), &replaced.effects, due);
        let command = replaced.command.or(resumed.then_some(CommandKind::Release));
        let effects: Vec<Effect> = command.map(Effect::Command).into_iter().collect();
        self.note(execution, Some(id), &effects, due);
    }

    /// `amend::amend`.
    fn amend(&mut self, id: i64, launch: crate::domain::plan::Launch, legs: &[(LegSpec, u8)]) -> Came {
        let revive = self.is(Mistake::ReviveRolledBack);
        let queued = self.queued(&[id]);
        let Some(saga) = self.saga(id) else {
            return Came::Fenced;
        };
        if revive && saga.direction == Direction::Back {
            saga.direction = Direction::Forward;
        }
        let anew = saga.may_start_anew();
        if saga.direction == Direction::Back && !anew {
            return Came::Fenced;
        }
        let mut existing = self.existing(id);
        let unchangeable = amend::unchangeable(&existing, legs, &fixed());
        let there = self.there(unchangeable.keys().copied());
        let changes = amend::changes(&existing, legs, anew, (unchangeable, &there));
        let touched = changes.touched(&existing);
        let theirs: Vec<Queued> = queued.into_iter().filter(|q| touched.contains(&q.leg)).collect();
        if theirs.iter().any(|q| q.held) {
            return Came::Busy;
        }
        self.forestall(&[id], |leg, _| touched.contains(&leg));
        self.withdraw(&theirs);
        let atomic = launch.atomic && !self.is(Mistake::NoBarrier);
        let Some(saga) = self.saga(id) else {
            return Came::Fenced;
        };
        (saga.atomic, saga.order) = (atomic, launch.order);
        if anew {
            saga.start_anew();
            for leg in self.legs.values_mut().filter(|l| l.execution == id) {
                leg.row.state = LegState::Waiting;
                leg.error = None;
            }
            for leg in &mut existing {
                leg.row.state = LegState::Waiting;
            }
        }
        let replaced = changes.replace.iter().map(|(place, spec, _)| (place, spec));
        for (place, spec) in changes.change.iter().map(|(p, s)| (p, s)).chain(replaced) {
            if let Some(leg) = existing.get(*place).and_then(|e| self.legs.get_mut(&e.row.id)) {
                leg.spec = spec.clone();
                leg.error = None;
            }
        }
        for (leg, ordinal) in &changes.ordinals {
            if let Some(leg) = self.legs.get_mut(leg) {
                leg.ordinal = *ordinal;
            }
        }
        for leg in &changes.rename {
            if let (Some(made), Some(leg)) = (self.made.get_mut(leg), self.legs.get(leg)) {
                made.manifest.campaign_name.clone_from(&leg.spec.campaign_name);
            }
        }
        let mut keys: HashSet<(String, String)> = existing
            .iter()
            .map(|e| &e.spec)
            .chain(legs.iter().map(|(s, _)| s))
            .map(amend::key_of)
            .collect();
        let mut due = Vec::new();
        for (place, ..) in &changes.replace {
            if let Some((old, there)) = existing
                .get(*place)
                .and_then(|e| Some((e, there.get(&e.row.id)?)))
            {
                self.replace(id, old, (there, &mut keys), &mut due);
            }
        }
        let changing = changes
            .change
            .iter()
            .map(|(place, _)| (*place, Amendment::Change));
        let leaving = changes.leave.iter().map(|place| (*place, Amendment::Leave));
        for (place, what) in changing.chain(leaving) {
            if let Some(leg) = existing.get(place).map(|e| e.row.id) {
                self.amend_leg(id, leg, what, &mut due);
            }
        }
        for (spec, position) in &changes.join {
            let ordinal = legs
                .iter()
                .position(|(s, _)| s.key == spec.key)
                .unwrap_or_default();
            if let Some(state) = self.saga(id).map(|s| s.join(*position, Joins::New)) {
                self.join(
                    id,
                    spec,
                    (*position, i32::try_from(ordinal).unwrap_or_default()),
                    state,
                    None,
                );
            }
        }
        let effects = self.saga(id).map(Saga::amended).unwrap_or_default();
        self.note(id, None, &effects, &mut due);
        self.write(due);
        Came::Applied
    }

    fn amend_leg(&mut self, execution: i64, leg: i64, what: Amendment, due: &mut Vec<Due>) -> bool {
        let Some((position, state)) = self.legs.get(&leg).map(|l| (l.row.position, l.row.state)) else {
            return false;
        };
        let cell = match what {
            Amendment::Change => "change",
            Amendment::Leave => "leave",
        };
        self.visited.hands.insert((state, cell));
        let effects = self
            .saga(execution)
            .and_then(|s| s.amend(position, state, what).ok());
        let effects = effects.unwrap_or_default();
        self.note(execution, Some(leg), &effects, due);
        !effects.is_empty()
    }

    /// `amend::supersede`.
    fn supersede(
        &mut self,
        id: i64,
        older: i64,
        launch: crate::domain::plan::Launch,
        legs: &[(LegSpec, u8)],
    ) -> Came {
        let forward = self
            .executions
            .get(&older)
            .is_some_and(|e| e.launched && e.row.saga.direction == Direction::Forward);
        let old = if forward { self.existing(older) } else { Vec::new() };
        let made: HashSet<i64> = self.made.keys().copied().collect();
        let unchangeable = amend::unchangeable(&old, legs, &fixed());
        let there = self.there(unchangeable.keys().copied());
        let heirs = supersede::heirs(&old, legs, (unchangeable, &there), &made);
        let taken: BTreeSet<usize> = heirs
            .iter()
            .flat_map(|heir| heir.takes.iter().chain(&heir.outgoing).copied())
            .collect();
        let taken_legs: BTreeSet<i64> = taken
            .iter()
            .filter_map(|i| old.get(*i))
            .map(|e| e.row.id)
            .collect();
        let goes = |leg: i64, kind| kind != CommandKind::Retire || taken_legs.contains(&leg);
        let theirs: Vec<Queued> = self
            .queued(&[older, id])
            .into_iter()
            .filter(|q| old.iter().any(|e| e.row.id == q.leg) && goes(q.leg, q.kind))
            .collect();
        if theirs.iter().any(|q| q.held) {
            return Came::Busy;
        }
        self.forestall(&[older], |leg, kind| {
            old.iter().any(|e| e.row.id == leg) && goes(leg, kind)
        });
        self.withdraw(&theirs);
        self.begin_over(id, older, launch);
        let mut due = Vec::new();
        let mut joined = Vec::with_capacity(legs.len());
        for ((spec, position), (heir, ordinal)) in legs.iter().zip(heirs.iter().zip(0..)) {
            let from = heir
                .takes
                .and_then(|i| old.get(i))
                .filter(|e| made.contains(&e.row.id));
            let on = from.is_some_and(|e| e.row.state.on()) || !heir.outgoing.is_empty();
            let joins = if on || from.is_some() {
                Joins::TakenOver { on }
            } else {
                Joins::New
            };
            let from = from.map(|e| e.row.id);
            let Some(state) = self.saga(id).map(|s| s.join(*position, joins)) else {
                continue;
            };
            joined.push((
                self.join(id, spec, (*position, ordinal), state, from),
                from,
                joins,
            ));
        }
        for (place, from, spec) in supersede::outgoing_specs(&old, legs, &heirs) {
            let (Some((by, ..)), Some((_, position))) = (joined.get(place), legs.get(place)) else {
                continue;
            };
            let (by, position) = (*by, *position);
            let Some(state) = self.saga(id).map(|s| s.join_outgoing(position)) else {
                continue;
            };
            let ordinal = i32::try_from(place).unwrap_or(i32::MAX);
            let leg = self.join(id, &spec, (position, ordinal), state, Some(from));
            if let Some(leg) = self.legs.get_mut(&leg) {
                leg.replaced_by = Some(by);
            }
            self.adopt(leg, from);
        }
        for (leg, from, joins) in joined {
            if let Some(from) = from {
                self.adopt(leg, from);
            }
            if joins != Joins::New {
                self.amend_leg(id, leg, Amendment::Change, &mut due);
            }
        }
        let effects = self.saga(id).map(Saga::amended).unwrap_or_default();
        self.note(id, None, &effects, &mut due);
        self.write(due);
        if forward {
            self.give_up(older, &old, &taken, id);
        }
        Came::Applied
    }

    /// `amend::new_execution`.
    fn begin_over(&mut self, id: i64, older: i64, launch: crate::domain::plan::Launch) {
        let atomic = launch.atomic && !self.is(Mistake::NoBarrier);
        if let Some(new) = self.executions.get_mut(&id) {
            new.row.saga = Saga::new(atomic, launch.order, []);
            new.launched = true;
            new.supersedes = Some(older);
        }
        if let Some(old) = self.executions.get_mut(&older) {
            old.superseded_by = Some(id);
            old.gate_token += 1;
            old.gate_lease = None;
            old.gate = if old.launched { Gate::Open } else { Gate::Cancelled };
            back_to_the_applied(old);
        }
    }

    /// `amend::adopt`.
    fn adopt(&mut self, leg: i64, from: i64) {
        let (Some(old), Some(new)) = (self.made.get(&from), self.legs.get(&leg)) else {
            return;
        };
        let mut made = Made {
            held: None,
            ..old.clone()
        };
        made.manifest.leg = new.spec.key.clone();
        made.manifest.campaign_name.clone_from(&new.spec.campaign_name);
        made.manifest.mutation_count = 0;
        self.made.insert(leg, made);
        for intent in self.intents.iter_mut().filter(|i| i.leg == from && i.open) {
            intent.leg = leg;
        }
    }

    /// `amend::give_up`.
    fn give_up(&mut self, older: i64, old: &[Existing], taken: &BTreeSet<usize>, newer: i64) {
        let mut due = Vec::new();
        for (i, e) in old.iter().enumerate() {
            let (leg, was, position) = (e.row.id, e.row.state, e.row.position);
            let moved = if taken.contains(&i) {
                self.visited.hands.insert((was, "hand_over"));
                let effects = self.saga(older).and_then(|s| s.hand_over(position, was).ok());
                let effects = effects.unwrap_or_default();
                self.note(older, Some(leg), &effects, &mut due);
                !effects.is_empty()
            } else {
                self.amend_leg(older, leg, Amendment::Leave, &mut due)
            };
            if moved && let Some(row) = self.legs.get_mut(&leg) {
                row.gave_up_for = Some(newer);
                row.was_on = was.on();
            }
        }
        let effects = self.saga(older).map(Saga::amended).unwrap_or_default();
        self.note(older, None, &effects, &mut due);
        self.write(due);
    }

    /// `amend::give_back`.
    pub(super) fn give_back(&mut self, newer_leg: i64, older_leg: i64, due: &mut Vec<Due>) {
        let back_on = |l: &Leg| l.was_on && l.replaced_by.is_none();
        let Some((execution, was_on)) = self.legs.get(&older_leg).map(|l| (l.execution, back_on(l))) else {
            return;
        };
        if !self.take_back(execution, older_leg, was_on, due, |model| {
            if model.is(Mistake::GiveBackBlind) {
                return;
            }
            if let Some(new) = model.made.get(&newer_leg).cloned()
                && let Some(old) = model.made.get_mut(&older_leg)
            {
                old.manifest.objects = new.manifest.objects;
                old.manifest.revision = new.manifest.revision;
                (old.unknown_until, old.looks) = (new.unknown_until, new.looks);
            }
        }) {
            return;
        }
        let effects = self.saga(execution).map(Saga::amended).unwrap_or_default();
        self.note(execution, None, &effects, due);
    }

    fn take_back(
        &mut self,
        execution: i64,
        leg: i64,
        was_on: bool,
        due: &mut Vec<Due>,
        first: impl Fn(&mut Self),
    ) -> bool {
        let Some((position, state)) = self.legs.get(&leg).map(|l| (l.row.position, l.row.state)) else {
            return false;
        };
        self.visited.hands.insert((state, "take_back"));
        let Some(effects) = self
            .saga(execution)
            .and_then(|s| s.take_back(position, state, was_on).ok())
        else {
            return false;
        };
        first(self);
        self.note(execution, Some(leg), &effects, due);
        true
    }

    // ---- what people ask -------------------------------------------------------------------------------------------

    /// `Store::control`.
    pub(super) fn control(&mut self, id: i64, verb: Verb) {
        let now = self.now;
        let Some(execution) = self.executions.get_mut(&id) else {
            return;
        };
        let (gate, launched) = (execution.gate, execution.launched);
        let waits = launched && gate == Gate::Pending;
        match (verb, gate) {
            (Verb::Rollback, _) if launched => {
                drop_amendment(execution);
                self.turn(id);
            }
            (Verb::Cancel, _) if waits => drop_amendment(execution),
            (Verb::Retry, _) if waits => self.retry(id),
            (Verb::Resume, Gate::Pending) => {
                (execution.gate_at, execution.gate_lease) = (now, None);
                execution.gate_token += 1;
            }
            (Verb::Cancel | Verb::Rollback, Gate::Pending) => {
                execution.gate = Gate::Cancelled;
                execution.gate_token += 1;
            }
            (Verb::Rollback, Gate::Open) => self.turn(id),
            (Verb::Retry | Verb::Resume, Gate::Open) => self.retry(id),
            (Verb::Cancel, Gate::Open)
            | (Verb::Retry, Gate::Pending)
            | (Verb::Rollback | Verb::Retry | Verb::Resume | Verb::Cancel, Gate::Cancelled) => {}
        }
    }

    fn retry(&mut self, id: i64) {
        let effects = self.saga(id).map(Saga::retry).unwrap_or_default();
        let mut due = Vec::new();
        self.note(id, None, &effects, &mut due);
        self.write(due);
    }

    /// `control::turn` of a rollback, `amend::turn_at_once` and `control::bring_back`.
    fn turn(&mut self, id: i64) {
        let queued_all = self.queued(&[id]);
        let Some(saga) = self.saga(id) else { return };
        let before = saga.clone();
        let effects = saga.roll_back();
        if effects.is_empty() && *saga == before {
            return;
        }
        let mut due = Vec::new();
        self.note(id, None, &effects, &mut due);
        let forward: Vec<Queued> = queued_all
            .iter()
            .copied()
            .filter(|q| match q.kind {
                CommandKind::Build | CommandKind::Activate => true,
                CommandKind::Undo | CommandKind::Retire | CommandKind::Hold | CommandKind::Release => false,
            })
            .collect();
        for q in queued_all.iter().filter(|q| q.held && is_driven_on(q.kind)) {
            if let Some(command) = self.commands.get_mut(&q.id) {
                command.withdraw = true;
            }
        }
        self.withdraw(&forward);
        let sent = self.forestall(&[id], |_, kind| {
            matches!(kind, CommandKind::Build | CommandKind::Activate)
        });
        let free = forward.iter().filter(|q| !q.held).map(|q| q.leg);
        for leg in free.chain(sent).collect::<BTreeSet<i64>>() {
            let Some((position, state)) = self.legs.get(&leg).map(|l| (l.row.position, l.row.state)) else {
                continue;
            };
            self.visited.reports.insert((state, Report::Failed.as_str()));
            if let Some(effects) = self
                .saga(id)
                .and_then(|s| s.report(position, state, Report::Failed).ok())
            {
                self.note(id, Some(leg), &effects, &mut due);
            }
        }
        self.write(due);
        let Some(older) = self.executions.get(&id).and_then(|e| e.supersedes) else {
            return;
        };
        let retired: Vec<i64> = self
            .legs
            .values()
            .filter(|l| l.execution == older && l.gave_up_for == Some(id))
            .filter(|l| l.row.state == LegState::Retired && l.was_on && l.replaced_by.is_none())
            .map(|l| l.row.id)
            .collect();
        let mut due = Vec::new();
        for leg in retired {
            self.take_back(older, leg, true, &mut due, |_| ());
        }
        let effects = self.saga(older).map(Saga::amended).unwrap_or_default();
        self.note(older, None, &effects, &mut due);
        self.write(due);
    }

    // ---- the kill switch -------------------------------------------------------------------------------------------

    /// Commands of the opposite kind that nobody drives are done with.
    fn switch_supersedes(&mut self, kind: CommandKind) {
        let now = self.now;
        for command in self.commands.values_mut().filter(|c| c.kind == kind) {
            if command.lease_until.is_none_or(|u| u < now) {
                command.queued = false;
            }
        }
    }

    /// A call that nobody heard of again may have switched it on.
    fn may_be_on(&self, leg: i64) -> bool {
        let on = |i: &Intent| i.request.pointer("/op/serving").and_then(Value::as_str) == Some("active");
        self.intents.iter().any(|i| i.leg == leg && i.open && on(i))
    }

    /// `Store::pause`.
    pub(super) fn pause(&mut self) {
        if std::mem::replace(&mut self.paused, true) {
            return;
        }
        self.switch_supersedes(CommandKind::Release);
        let (mut send, mut own) = (Vec::new(), Vec::new());
        for leg in self.legs.values() {
            self.visited
                .holds
                .insert((leg.hold.map(Hold::as_str), leg.row.state));
            let objects = self.made.get(&leg.row.id).map(|m| &m.manifest.objects);
            let made = objects.is_some_and(|objects| match leg.row.state {
                LegState::Building | LegState::Built => {
                    objects.iter().any(|o| o.serving == Serving::Active) || self.may_be_on(leg.row.id)
                }
                LegState::Waiting
                | LegState::Activating
                | LegState::Scheduled
                | LegState::Live
                | LegState::Failed
                | LegState::Undoing
                | LegState::Undone
                | LegState::Stuck
                | LegState::Amending
                | LegState::Unamended
                | LegState::Retiring
                | LegState::Retired
                | LegState::Outgoing
                | LegState::Superseded => !objects.is_empty(),
            });
            match hold::on_pause(leg.row.state) {
                Pausing::Send if made => send.push(leg.row.id),
                Pausing::ByItsOwnCommand if made => own.push(leg.row.id),
                Pausing::Send | Pausing::ByItsOwnCommand | Pausing::Nothing => {}
            }
        }
        let now = self.now;
        for command in self.commands.values_mut().filter(|c| own.contains(&c.leg)) {
            if matches!(command.kind, CommandKind::Build | CommandKind::Activate) {
                command.not_before = command.not_before.min(now);
            }
        }
        for leg in send.iter().chain(&own) {
            if let Some(leg) = self.legs.get_mut(leg) {
                leg.hold = Some(Hold::Holding);
            }
        }
        self.switch(&send, CommandKind::Hold);
    }

    /// `Store::unpause`.
    pub(super) fn unpause(&mut self) {
        if !std::mem::replace(&mut self.paused, false) {
            return;
        }
        self.switch_supersedes(CommandKind::Hold);
        let forgets = self.is(Mistake::UnpauseForgets);
        let mut back = Vec::new();
        for leg in self.legs.values_mut().filter(|l| l.hold.is_some()) {
            self.visited
                .holds
                .insert((leg.hold.map(Hold::as_str), leg.row.state));
            leg.hold = hold::comes_back(leg.row.state).then_some(Hold::Releasing);
            if leg.hold.is_some() {
                back.push(leg.row.id);
            }
        }
        let now = self.now;
        for command in self.commands.values_mut().filter(|c| c.kind == CommandKind::Undo) {
            command.not_before = command.not_before.min(now);
        }
        if !forgets {
            self.switch(&back, CommandKind::Release);
        }
    }

    fn switch(&mut self, legs: &[i64], kind: CommandKind) {
        let mut due = Vec::new();
        for leg in legs {
            if let Some(execution) = self.legs.get(leg).map(|l| l.execution) {
                due.extend(self.command(execution, *leg, kind));
            }
        }
        self.write(due);
    }
}

/// Whether a rollback stops whoever drives it: see `amend::turn_at_once`.
fn is_driven_on(kind: CommandKind) -> bool {
    match kind {
        CommandKind::Build | CommandKind::Activate | CommandKind::Release => true,
        CommandKind::Undo | CommandKind::Retire | CommandKind::Hold => false,
    }
}

/// `intake::drop_amendment`.
fn drop_amendment(execution: &mut Execution) {
    if !execution.launched {
        return;
    }
    execution.gate = Gate::Open;
    execution.gate_lease = None;
    execution.gate_token += 1;
    back_to_the_applied(execution);
}

fn back_to_the_applied(execution: &mut Execution) {
    if let Some((payload, approved_at)) = execution.applied.clone() {
        (execution.payload, execution.approved_at) = (payload, approved_at);
    }
}
