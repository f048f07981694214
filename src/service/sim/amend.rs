//! What changes after a launch began: commands taken back, amendments, versions that take over and give back. The same rule as in
//! `store.rs`.

use super::mistake::Mistake;
use super::plans::{Came, Queued, fixed};
use super::store::{Command, Due, Leg, Model};
use crate::domain::hold::Hold;
use crate::domain::saga::{Amendment, CommandKind, Direction, Effect, Joins, LegState, Saga};
use crate::domain::spec::LegSpec;
use crate::store::amend::{self, Existing};
use crate::store::moves::{self};
use crate::store::replace::{self, There};
use crate::store::supersede;
use std::collections::{BTreeSet, HashMap, HashSet};

impl Model {
    // ---- withdraw --------------------------------------------------------------------------------------------------

    pub(super) fn queued(&self, executions: &[i64]) -> Vec<Queued> {
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

    pub(super) fn withdraw(&mut self, queued: &[Queued]) {
        for q in queued.iter().filter(|q| !q.held) {
            if let Some(command) = self.commands.get_mut(&q.id) {
                command.queued = false;
                command.lease_until = None;
            }
        }
    }

    /// `withdraw::forestall`. Nothing comes between two transactions here, so none is missed; a command is where it was sent to or not.
    pub(super) fn forestall(
        &mut self,
        executions: &[i64],
        wanted: impl Fn(i64, CommandKind) -> bool,
    ) -> Vec<i64> {
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

    pub(super) fn existing(&self, execution: i64) -> Vec<Existing> {
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
    pub(super) fn there(&self, legs: impl Iterator<Item = i64>) -> HashMap<i64, There> {
        let there = legs.filter_map(|leg| {
            let manifest = &self.made.get(&leg)?.manifest;
            let names = (
                manifest.campaign_name.clone(),
                manifest.campaign_id().map(str::to_owned),
            );
            let off = self
                .made
                .get(&leg)?
                .held
                .as_ref()
                .is_some_and(|held| !held.is_empty());
            let held = self.legs.get(&leg)?.hold.is_some() || off;
            Some((leg, There::of(&manifest.objects, names, held)))
        });
        there.collect()
    }

    /// `replace::replace` and `replace::split`: the leg is built anew, its campaign is a leg of its own.
    pub(super) fn replace(
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
            apart.hold = resumed.then_some(Hold::Releasing);
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
    pub(super) fn amend(
        &mut self,
        id: i64,
        launch: crate::domain::plan::Launch,
        legs: &[(LegSpec, u8)],
    ) -> Came {
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
        self.its_own_again(id, None);
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

    pub(super) fn amend_leg(
        &mut self,
        execution: i64,
        leg: i64,
        what: Amendment,
        due: &mut Vec<Due>,
    ) -> bool {
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
    pub(super) fn supersede(
        &mut self,
        id: i64,
        older: i64,
        launch: crate::domain::plan::Launch,
        legs: &[(LegSpec, u8)],
    ) -> Came {
        let old = self.existing(older);
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
        self.give_up(older, &old, &taken, id);
        Came::Applied
    }

    /// `amend::new_execution`.
    pub(super) fn begin_over(&mut self, id: i64, older: i64, launch: crate::domain::plan::Launch) {
        let atomic = launch.atomic && !self.is(Mistake::NoBarrier);
        if let Some(new) = self.executions.get_mut(&id) {
            new.row.saga = Saga::new(atomic, launch.order, []);
            new.launched = true;
            new.supersedes = Some(older);
        }
        self.mark_superseded(&[older], id);
    }

    /// `amend::adopt`.
    pub(super) fn adopt(&mut self, leg: i64, from: i64) {
        let (Some(old), Some(new)) = (self.made.get(&from), self.legs.get(&leg)) else {
            return;
        };
        let mut made = old.clone();
        made.manifest.leg = new.spec.key.clone();
        made.manifest.campaign_name.clone_from(&new.spec.campaign_name);
        made.manifest.mutation_count = 0;
        self.made.insert(leg, made);
        for intent in self.intents.iter_mut().filter(|i| i.leg == from && i.open) {
            intent.leg = leg;
        }
    }

    /// `amend::give_up`.
    pub(super) fn give_up(&mut self, older: i64, old: &[Existing], taken: &BTreeSet<usize>, newer: i64) {
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
                row.was_on = was.comes_on();
            }
        }
        for leg in self.legs.values_mut().filter(|l| l.execution == older) {
            if leg.row.state == LegState::Retiring && leg.gave_up_for.is_some() {
                leg.gave_up_for = Some(newer);
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
                (old.unknown_until, old.looks, old.held) = (new.unknown_until, new.looks, new.held);
            }
        }) {
            return;
        }
        let effects = self.saga(execution).map(Saga::amended).unwrap_or_default();
        self.note(execution, None, &effects, due);
    }

    /// `supersede::its_own_again`.
    fn its_own_again(&mut self, execution: i64, leg: Option<i64>) {
        let theirs = |l: &&mut Leg| l.execution == execution && leg.is_none_or(|id| id == l.row.id);
        for leg in self.legs.values_mut().filter(theirs) {
            (leg.gave_up_for, leg.was_on) = (None, false);
        }
    }

    pub(super) fn take_back(
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
        self.its_own_again(execution, Some(leg));
        first(self);
        self.note(execution, Some(leg), &effects, due);
        true
    }
}
