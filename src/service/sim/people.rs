//! What people ask of an execution, and the kill switch. The same rule as in `store.rs`.

use super::mistake::Mistake;
use super::plans::{Queued, drop_amendment, is_driven_on};
use super::store::{Execution, Gate, Intent, Leg, Model};
use crate::domain::hold::{self, Hold, Pausing};
use crate::domain::manifest::Serving;
use crate::domain::saga::{CommandKind, Direction, LegState, Report, Saga};
use crate::store::control::Verb;
use serde_json::Value;
use std::collections::BTreeSet;

impl Model {
    // ---- what people ask -------------------------------------------------------------------------------------------

    /// `Store::control`.
    pub(super) fn control(&mut self, id: i64, verb: Verb) {
        let now = self.now;
        let superseded = self.is_superseded(id);
        let Some(execution) = self.executions.get_mut(&id) else {
            return;
        };
        let (gate, launched) = (execution.gate, execution.launched);
        if verb == Verb::Rollback && launched && superseded {
            return;
        }
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

    pub(super) fn retry(&mut self, id: i64) {
        let effects = self.saga(id).map(Saga::retry).unwrap_or_default();
        let mut due = Vec::new();
        self.note(id, None, &effects, &mut due);
        self.write(due);
    }

    /// `control::turn` of a rollback, `amend::turn_at_once` and `control::bring_back`.
    pub(super) fn turn(&mut self, id: i64) {
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
        let sent = self.forestall(&[id], |_, kind| {
            matches!(kind, CommandKind::Build | CommandKind::Activate)
        });
        for q in queued_all.iter().filter(|q| q.held && is_driven_on(q.kind)) {
            if let Some(command) = self.commands.get_mut(&q.id) {
                command.withdraw = true;
            }
        }
        self.withdraw(&forward);
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
        self.bring_back(id);
    }

    /// `supersede::bring_back`.
    pub(super) fn bring_back(&mut self, id: i64) {
        let Some(older) = self.executions.get(&id).and_then(|e| e.supersedes) else {
            return;
        };
        let adopted = |leg: i64| self.legs.values().any(|l| l.adopted_from == Some(leg));
        let waits = |l: &Leg| {
            l.row.state == LegState::Retired || l.row.state == LegState::Superseded && !adopted(l.row.id)
        };
        let retired: Vec<i64> = self
            .legs
            .values()
            .filter(|l| l.execution == older && l.comes_back_from(id) && waits(l))
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

    /// `supersede::giving_up`: the version for whose sake it is being switched off goes back.
    pub(super) fn comes_back(&self, leg: i64) -> bool {
        let Some(leg) = self.legs.get(&leg) else {
            return false;
        };
        let back = |newer: &Execution| {
            newer.launched && newer.row.saga.direction == Direction::Back && leg.comes_back_from(newer.row.id)
        };
        let newer = leg.gave_up_for.and_then(|id| self.executions.get(&id));
        newer.is_some_and(back) && !self.is(Mistake::StaysOff)
    }

    // ---- the kill switch -------------------------------------------------------------------------------------------

    /// Commands of the opposite kind that nobody drives are done with.
    pub(super) fn switch_supersedes(&mut self, kind: CommandKind) {
        let now = self.now;
        for command in self.commands.values_mut().filter(|c| c.kind == kind) {
            if command.lease_until.is_none_or(|u| u < now) {
                command.queued = false;
            }
        }
    }

    /// A call that nobody heard of again may have switched it on.
    pub(super) fn may_be_on(&self, leg: i64) -> bool {
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

    pub(super) fn switch(&mut self, legs: &[i64], kind: CommandKind) {
        let mut due = Vec::new();
        for leg in legs {
            if let Some(execution) = self.legs.get(leg).map(|l| l.execution) {
                due.extend(self.command(execution, *leg, kind));
            }
        }
        self.write(due);
    }
}
