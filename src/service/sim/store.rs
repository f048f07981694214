//! The database as the service uses it, in memory: what is a transaction there is one method here, and its conditions are the
//! statements' conditions. What decides is the service's own: the saga, the commands' ids, the composer.
//!
//! Must not decide what a statement does not decide. It knows no locks and no isolation: transactions come one after the
//! other, so what two of them do to each other at the same time is for the tests with a real database.

use super::mistake::Mistake;
use crate::domain::error::LegError;
use crate::domain::hold::Hold;
use crate::domain::manifest::Manifest;
use crate::domain::plan::Plan;
use crate::domain::saga::{CommandKind, LegState, Outcome, Report};
use crate::domain::spec::LegSpec;
use crate::domain::tenant::Tenant;
use crate::store::commands::{Accepted, Job, Waiting};
use crate::store::moves::{self, ExecutionRow, LegRow};
use crate::store::outbox::Message;
use crate::store::progress::{Ended, Save, Saved, Then, Wait};
use chrono::DateTime;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use uuid::Uuid;

/// An approved payload.
#[derive(Debug)]
pub(super) struct Payload {
    pub plan: Plan,
    /// Of its content.
    pub hash: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gate {
    Pending,
    Open,
    Cancelled,
}

/// A row of `execution`.
#[derive(Debug, Clone)]
pub(super) struct Execution {
    /// Its saga is empty until it is launched.
    pub row: ExecutionRow,
    pub launched: bool,
    pub payload: Arc<Payload>,
    pub approved_at: i64,
    pub gate: Gate,
    pub gate_at: i64,
    pub gate_token: i64,
    pub gate_lease: Option<i64>,
    pub applied: Option<(Arc<Payload>, i64)>,
    pub supersedes: Option<i64>,
    pub superseded_by: Option<i64>,
    /// Payloads that a person approved, or refused.
    pub approved: BTreeSet<u64>,
    pub rejected: BTreeSet<u64>,
}

/// A row of `leg`.
#[derive(Debug, Clone)]
pub(super) struct Leg {
    pub execution: i64,
    pub row: LegRow,
    pub ordinal: i32,
    pub spec: LegSpec,
    pub error: Option<LegError>,
    pub adopted_from: Option<i64>,
    pub gave_up_for: Option<i64>,
    pub was_on: bool,
    pub watch_at: Option<i64>,
    pub hold: Option<Hold>,
    /// The leg whose campaign has taken the place of its own.
    pub replaced_by: Option<i64>,
    /// The first leg of those that took the campaign over from each other.
    pub root: i64,
}

impl Leg {
    /// It was on, and a newer version did not have it.
    pub(super) fn comes_back_from(&self, newer: i64) -> bool {
        self.gave_up_for == Some(newer) && self.was_on && self.replaced_by.is_none()
    }
}

/// A row of `execution_manifest`.
#[derive(Debug, Clone)]
pub(super) struct Made {
    pub manifest: Manifest,
    pub unknown_until: Option<i64>,
    pub looks: i32,
    pub held: Option<Vec<String>>,
}

/// A row of `command`.
#[derive(Debug, Clone)]
pub(super) struct Command {
    pub id: Uuid,
    pub leg: i64,
    pub kind: CommandKind,
    /// `accepted_at`.
    pub place: u64,
    pub not_before: i64,
    pub token: i64,
    pub lease_until: Option<i64>,
    pub attempts: i32,
    pub queued: bool,
    pub withdraw: bool,
    /// `off_at` is there.
    pub off: bool,
    pub waiting: Option<Waiting>,
}

/// A row of `mutation`.
#[derive(Debug, Clone)]
pub(super) struct Intent {
    pub id: Uuid,
    pub leg: i64,
    /// The command's.
    pub kind: CommandKind,
    pub request: Value,
    pub open: bool,
    /// The step in which it was committed.
    pub step: u64,
}

pub(super) enum Due {
    Ready(Message),
    Announce {
        execution: i64,
        leg: i64,
        state: LegState,
    },
    Settle {
        execution: i64,
        outcome: Outcome,
        revision: i64,
    },
}

/// The cells of the tables that were visited.
#[derive(Debug, Clone, Default)]
pub(super) struct Visited {
    pub reports: BTreeSet<(LegState, &'static str)>,
    pub hands: BTreeSet<(LegState, &'static str)>,
    pub leases: BTreeSet<(&'static str, LegState)>,
    pub holds: BTreeSet<(Option<&'static str>, LegState)>,
}

/// All rows.
pub(super) struct Model {
    pub now: i64,
    pub step: u64,
    pub tenant: Tenant,
    /// What the accounts' probes told, by platform.
    pub facts: BTreeMap<String, Value>,
    pub executions: BTreeMap<i64, Execution>,
    pub legs: BTreeMap<i64, Leg>,
    pub made: BTreeMap<i64, Made>,
    pub commands: BTreeMap<Uuid, Command>,
    pub intents: Vec<Intent>,
    pub outbox: Vec<Message>,
    pub event_ids: BTreeSet<String>,
    pub published: usize,
    pub paused: bool,
    pub needs_approval: bool,
    pub mistake: Option<Mistake>,
    pub visited: Visited,
    places: u64,
}

pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl Model {
    pub(super) fn new(tenant: Tenant, now: i64) -> Self {
        Self {
            now,
            step: 0,
            tenant,
            facts: BTreeMap::new(),
            executions: BTreeMap::new(),
            legs: BTreeMap::new(),
            made: BTreeMap::new(),
            commands: BTreeMap::new(),
            intents: Vec::new(),
            outbox: Vec::new(),
            event_ids: BTreeSet::new(),
            published: 0,
            paused: false,
            needs_approval: false,
            mistake: None,
            visited: Visited::default(),
            places: 0,
        }
    }

    pub(super) fn is(&self, mistake: Mistake) -> bool {
        self.mistake == Some(mistake)
    }

    // ---- outbox ----------------------------------------------------------------------------------------------------

    /// `outbox.put`.
    pub(super) fn put(&mut self, mut messages: Vec<Message>) {
        if self.is(Mistake::ForgetEvent) {
            messages.retain(|m| m.topic != "campaign.live");
        }
        if self.is(Mistake::SwapEvents) {
            messages.reverse();
        }
        for message in messages {
            if self.event_ids.insert(message.event_id.clone()) {
                self.outbox.push(message);
            }
        }
    }

    // ---- commands --------------------------------------------------------------------------------------------------

    /// `commands.accept` and `commands.void_holds`.
    pub(super) fn accept(&mut self, accepted: &Accepted) {
        let current = self
            .legs
            .get(&accepted.leg_id)
            .is_some_and(|leg| leg.row.attempt == accepted.attempt);
        if current && !self.commands.contains_key(&accepted.command_id) {
            self.places += 1;
            self.commands.insert(
                accepted.command_id,
                Command {
                    id: accepted.command_id,
                    leg: accepted.leg_id,
                    kind: accepted.kind,
                    place: self.places,
                    not_before: self.now,
                    token: 0,
                    lease_until: None,
                    attempts: 0,
                    queued: true,
                    withdraw: false,
                    off: false,
                    waiting: None,
                },
            );
        }
        if accepted.kind == CommandKind::Undo {
            let now = self.now;
            for command in self.commands.values_mut().filter(|c| c.leg == accepted.leg_id) {
                let free = command.lease_until.is_none_or(|until| until < now);
                if command.queued && free && matches!(command.kind, CommandKind::Hold | CommandKind::Release)
                {
                    command.queued = false;
                }
            }
            if let Some(leg) = self.legs.get_mut(&accepted.leg_id) {
                leg.hold = None;
            }
        }
    }

    /// A command that is done before it comes.
    pub(super) fn put_done(&mut self, id: Uuid, leg: i64, kind: CommandKind) {
        self.places += 1;
        let command = Command {
            id,
            leg,
            kind,
            place: self.places,
            not_before: self.now,
            token: 0,
            lease_until: None,
            attempts: 0,
            queued: false,
            withdraw: false,
            off: false,
            waiting: None,
        };
        self.commands.entry(id).or_insert(command);
    }

    /// A root that nobody had.
    pub(super) fn new_root(&mut self) -> i64 {
        self.places += 1;
        1_000_000 + i64::try_from(self.places).unwrap_or_default()
    }

    /// `command_ready`: commands whose turn it is, but for `not_before` and leases.
    pub(super) fn whose_turn_it_is(&self) -> Vec<&Command> {
        let switch = |kind| matches!(kind, CommandKind::Hold | CommandKind::Release);
        let queued: Vec<&Command> = self.commands.values().filter(|c| c.queued).collect();
        let waits = |c: &Command| {
            let before = |o: &&&Command| o.leg == c.leg && o.place < c.place;
            queued
                .iter()
                .filter(before)
                .any(|o| switch(o.kind) || switch(c.kind))
        };
        let allowed = |c: &Command| {
            !self.paused
                || !matches!(c.kind, CommandKind::Build | CommandKind::Activate)
                || self
                    .legs
                    .get(&c.leg)
                    .is_some_and(|l| l.hold == Some(Hold::Holding))
        };
        queued
            .iter()
            .filter(|c| allowed(c) && !waits(c))
            .copied()
            .collect()
    }

    /// Of those, the ones that are due and not leased.
    pub(super) fn ready(&self) -> Vec<Uuid> {
        let free =
            |c: &&Command| c.not_before <= self.now && c.lease_until.is_none_or(|until| until < self.now);
        let turn = self.whose_turn_it_is();
        turn.into_iter().filter(free).map(|c| c.id).collect()
    }

    /// `commands.lease` and `commands.jobs`.
    pub(super) fn lease(&mut self, id: Uuid, lease: i64) -> Option<Job> {
        let now = self.now;
        let command = self.commands.get_mut(&id)?;
        let leg = self.legs.get(&command.leg)?;
        command.token += 1;
        command.attempts += 1;
        command.lease_until = Some(now + lease);
        let command = command.clone();
        self.visited.leases.insert((command.kind.as_str(), leg.row.state));
        let made = self.made.get(&command.leg);
        let at = |ms: i64| DateTime::from_timestamp_millis(ms);
        let blind = self.is(Mistake::NoSettleTime);
        Some(Job {
            command_id: id,
            token: command.token,
            kind: command.kind,
            attempts: command.attempts,
            traceparent: None,
            leg_id: command.leg,
            leg_state: leg.row.state,
            current: id == moves::command_id(command.leg, command.kind, leg.row.attempt),
            adopted: leg.adopted_from.is_some(),
            off: command.off,
            started: leg.spec.campaign.schedule.start.timestamp_millis() <= now,
            spec: leg.spec.clone(),
            manifest: made.map(|m| m.manifest.clone()),
            unknown_until: match made.and_then(|m| m.unknown_until) {
                None if blind => at(now),
                until => until.and_then(at),
            },
            may_look: blind
                || made
                    .and_then(|m| m.unknown_until)
                    .is_none_or(|until| until <= now),
            looks: if blind { 9 } else { made.map_or(0, |m| m.looks) },
            open_mutations: self
                .intents
                .iter()
                .filter(|i| i.leg == command.leg && i.open)
                .map(|i| (i.id, i.request.clone()))
                .collect(),
            tenant: self.tenant.clone(),
            facts: self.facts.get(&leg.row.platform).cloned(),
            waiting: command.waiting,
            paused: self.paused,
            hold: leg.hold,
            held: made.and_then(|m| m.held.clone()),
        })
    }

    // ---- progress --------------------------------------------------------------------------------------------------

    /// `progress.save` of one step. `again_in` stands for what a step that is given back asks to wait: its length has a
    /// jitter of its own, which a reproducible run cannot have.
    pub(super) fn save(&mut self, save: &Save, lease: i64, again_in: i64) -> Saved {
        let barred = save.is_barred_by_pause() && self.paused && !self.is(Mistake::PauseLetsThrough);
        let Some((token, queued, until)) = self
            .commands
            .get(&save.command_id)
            .map(|c| (c.token, c.queued, c.lease_until))
        else {
            return Saved::LeaseLost;
        };
        let ours = token == save.token && queued || self.is(Mistake::NoFence);
        let lives = until.is_some_and(|u| u > self.now + millis(save.needs)) || self.is(Mistake::NoFence);
        let kept = ours && lives && !barred;
        self.end_intents(save, kept);
        if !(ours && lives) {
            return Saved::LeaseLost;
        }
        if barred {
            return Saved::Paused;
        }
        let withdrawn = self.follow(save, lease, again_in);
        if self.is(Mistake::SkipIntent) && matches!(save.then, Then::Continue) {
            return Saved::Yes;
        }
        self.keep_manifest(save);
        let kind = self.commands.get(&save.command_id).map(|c| c.kind);
        self.intents
            .extend(save.intents.iter().map(|(id, request)| Intent {
                id: *id,
                leg: save.leg_id,
                kind: kind.unwrap_or(CommandKind::Build),
                request: request.clone(),
                open: true,
                step: self.step,
            }));
        match &save.then {
            Then::Finish { report, error } => self.report(save.leg_id, *report, error.as_deref().cloned()),
            Then::GiveBack { .. } if withdrawn => self.report(save.leg_id, Report::Failed, None),
            Then::Continue | Then::GiveBack { .. } | Then::Forget | Then::Close { .. } => {}
        }
        if let Some((from, to)) = save.hold
            && let Some(leg) = self.legs.get_mut(&save.leg_id)
            && leg.hold == Some(from)
        {
            leg.hold = to;
        }
        self.go_on_if_all_are_off(save);
        if withdrawn && !self.is(Mistake::NotTold) {
            Saved::Withdrawn
        } else {
            Saved::Yes
        }
    }

    /// `progress.hold`: the lease is renewed, given back or done with; whether the command was taken back.
    pub(super) fn follow(&mut self, save: &Save, lease: i64, again_in: i64) -> bool {
        let now = self.now;
        let Some(command) = self.commands.get_mut(&save.command_id) else {
            return false;
        };
        command.lease_until = matches!(save.then, Then::Continue).then_some(now + lease);
        match &save.then {
            Then::Continue => {}
            Then::GiveBack { wait, .. } => {
                command.queued = !command.withdraw;
                command.not_before = now + again_in;
                let polls = command
                    .waiting
                    .filter(|w| Some(w.wait) == *wait)
                    .map_or(0, |w| w.polls + 1);
                command.waiting = wait.map(|wait| Waiting { wait, polls });
                command.off |= *wait == Some(Wait::Pauses);
                command.attempts -= i32::from(wait.is_some());
            }
            Then::Forget | Then::Finish { .. } | Then::Close { .. } => command.queued = false,
        }
        command.withdraw
    }

    pub(super) fn end_intents(&mut self, save: &Save, kept: bool) {
        for (id, ended) in save.ended.iter().filter(|(_, e)| kept || e.stands_alone()) {
            let open = *ended == Ended::Unknown;
            for intent in self.intents.iter_mut().filter(|i| i.id == *id) {
                intent.open = intent.open && open;
            }
        }
    }

    /// `progress.manifests`.
    pub(super) fn keep_manifest(&mut self, save: &Save) {
        let Some(new) = &save.manifest else { return };
        let mut manifest = new.manifest.clone();
        if manifest.tracking_mode.is_none() {
            manifest.tracking_mode = self.made.get(&save.leg_id).and_then(|m| m.manifest.tracking_mode);
        }
        self.made.insert(
            save.leg_id,
            Made {
                manifest,
                unknown_until: new.settle.map(|d| self.now + millis(d)),
                looks: new.looks,
                held: new.held.clone(),
            },
        );
    }

    // ---- a rollback's two halves -----------------------------------------------------------------------------------

    /// `pauses::may_be_on`.
    pub(super) fn may_be_on_yet(&self, leg: &Leg) -> bool {
        let off = |c: &Command| c.leg == leg.row.id && c.kind == CommandKind::Undo && c.queued && c.off;
        match leg.row.state {
            LegState::Activating | LegState::Amending | LegState::Retiring => true,
            LegState::Undoing => !self.commands.values().any(off),
            LegState::Waiting
            | LegState::Building
            | LegState::Built
            | LegState::Scheduled
            | LegState::Live
            | LegState::Failed
            | LegState::Undone
            | LegState::Stuck
            | LegState::Unamended
            | LegState::Retired
            | LegState::Superseded
            | LegState::Outgoing => false,
        }
    }

    /// `pauses.others`.
    pub(super) fn others_may_be_on(&self, leg_id: i64) -> bool {
        let execution = self.legs.get(&leg_id).map(|l| l.execution);
        !self.is(Mistake::RemoveBeforePauses)
            && self
                .legs
                .values()
                .any(|l| l.row.id != leg_id && Some(l.execution) == execution && self.may_be_on_yet(l))
    }

    /// `pauses.removal`.
    pub(super) fn removal_has_begun(&self, leg_id: i64) -> bool {
        let remove = |i: &Intent| {
            i.request.pointer("/op/op").and_then(Value::as_str) == Some("remove")
                && i.request["objects"].as_array().is_some_and(|o| !o.is_empty())
        };
        self.intents
            .iter()
            .any(|i| i.leg == leg_id && i.kind == CommandKind::Undo && remove(i))
    }

    /// `progress::go_on` and `pauses.go_on`.
    pub(super) fn go_on_if_all_are_off(&mut self, save: &Save) {
        let is_off = match &save.then {
            Then::GiveBack { wait, .. } => *wait == Some(Wait::Pauses),
            Then::Finish { report, .. } => matches!(report, Report::Undone | Report::UndoFailed),
            Then::Continue | Then::Forget | Then::Close { .. } => false,
        };
        let Some(execution) = self.legs.get(&save.leg_id).map(|l| l.execution) else {
            return;
        };
        let theirs = |l: &&Leg| l.execution == execution;
        if !is_off || self.legs.values().filter(theirs).any(|l| self.may_be_on_yet(l)) {
            return;
        }
        let legs: BTreeSet<i64> = self.legs.values().filter(theirs).map(|l| l.row.id).collect();
        let now = self.now;
        for command in self
            .commands
            .values_mut()
            .filter(|c| c.queued && legs.contains(&c.leg))
        {
            if command.waiting.is_some_and(|w| w.wait == Wait::Pauses) {
                command.not_before = command.not_before.min(now);
            }
        }
    }
}
