//! The saga's moves, carried out: legs, commands, messages. The same rule as in `store.rs`.

use super::mistake::Mistake;
use super::store::{Due, Leg, Model};
use crate::domain::error::LegError;
use crate::domain::hold::Hold;
use crate::domain::saga::{CommandKind, Direction, Effect, LegState, Report, Saga};
use crate::service::compose::Composer;
use crate::store::moves::{self, CommandFact, Compose, ExecutionRow, LegFact};

impl Model {
    // ---- the saga's moves ------------------------------------------------------------------------------------------

    /// `moves::apply_reports` of one report.
    pub(super) fn report(&mut self, leg_id: i64, what: Report, error: Option<LegError>) {
        if self.is(Mistake::DropReport) && what == Report::Undone {
            return;
        }
        let Some(leg) = self.legs.get_mut(&leg_id) else {
            return;
        };
        if error.is_some() {
            leg.error = error;
        }
        let (before, position, from, execution) =
            (leg.row.state, leg.row.position, leg.adopted_from, leg.execution);
        self.visited.reports.insert((before, what.as_str()));
        let went = self.saga(execution).map(|s| s.direction);
        let outgoing = self.outgoing(leg_id);
        let mut due = Vec::new();
        let forward = went == Some(Direction::Forward);
        if what == Report::Retired && before == LegState::Retiring && forward && self.comes_back(leg_id) {
            self.take_back(execution, leg_id, true, &mut due, |_| ());
            self.write(due);
            return;
        }
        let Some(effects) = self.executions.get_mut(&execution).and_then(|e| {
            e.row
                .saga
                .report_of_replacement(position, before, what, outgoing)
                .ok()
        }) else {
            return;
        };
        self.note(execution, Some(leg_id), &effects, &mut due);
        let undone = self
            .legs
            .get(&leg_id)
            .is_some_and(|l| l.row.state == LegState::Undone);
        if undone
            && before != LegState::Undone
            && let Some(from) = from
        {
            self.give_back(leg_id, from, &mut due);
        }
        self.write(due);
        let goes = self.saga(execution).map(|s| s.direction);
        if (went, goes) == (Some(Direction::Forward), Some(Direction::Back)) {
            self.bring_back(execution);
        }
    }

    /// How many outgoing legs it replaces.
    pub(super) fn outgoing(&self, leg: i64) -> u32 {
        let theirs = |l: &&Leg| l.replaced_by == Some(leg) && l.row.state == LegState::Outgoing;
        u32::try_from(self.legs.values().filter(theirs).count()).unwrap_or(u32::MAX)
    }

    /// `Moves::note`.
    pub(super) fn note(&mut self, execution: i64, leg: Option<i64>, effects: &[Effect], due: &mut Vec<Due>) {
        for effect in effects {
            match *effect {
                Effect::Leg(state) => {
                    if let Some(id) = leg {
                        self.place(id, state);
                    }
                }
                Effect::Command(kind) => {
                    if let Some(id) = leg {
                        due.extend(self.command(execution, id, kind));
                    }
                }
                Effect::Sweep {
                    position,
                    from,
                    to,
                    command,
                } => self.sweep(execution, (position, None, from, to), command, due),
                Effect::Relieve => {
                    self.visited.hands.insert((LegState::Outgoing, "relieve"));
                    let (from, to) = (LegState::Outgoing, LegState::Retiring);
                    if !self.is(Mistake::BothStayOn) {
                        self.sweep(execution, (None, leg, from, to), Some(CommandKind::Retire), due);
                    }
                }
                Effect::Announce(state) => due.extend(leg.map(|leg| Due::Announce {
                    execution,
                    leg,
                    state,
                })),
                Effect::Settle(outcome) => {
                    if let Some(row) = self.executions.get_mut(&execution).map(|e| &mut e.row) {
                        row.revision += 1;
                        due.push(Due::Settle {
                            execution,
                            outcome,
                            revision: row.revision,
                        });
                    }
                }
            }
        }
    }

    pub(super) fn place(&mut self, id: i64, state: LegState) {
        let soon = self.now + 600_000;
        if let Some(leg) = self.legs.get_mut(&id) {
            leg.row.state = state;
            leg.watch_at = (state == LegState::Scheduled)
                .then(|| leg.spec.campaign.schedule.start.timestamp_millis().min(soon));
        }
    }

    /// Counts the leg's commands on and composes the next one.
    pub(super) fn command(&mut self, execution: i64, id: i64, kind: CommandKind) -> Option<Due> {
        let pends = self.is(Mistake::ReleasePends);
        let leg = self.legs.get_mut(&id)?;
        leg.row.attempt += 1;
        // Its own command takes the place of a release that no worker has yet.
        if leg.hold == Some(Hold::Releasing) && kind != CommandKind::Release && !pends {
            leg.hold = None;
        }
        let fact = CommandFact {
            command_id: moves::command_id(id, kind, leg.row.attempt),
            leg_id: id,
            platform: leg.row.platform.clone(),
            logical_campaign_key: leg.row.logical_campaign_key.clone(),
            kind,
            attempt: leg.row.attempt,
        };
        let execution = &self.executions.get(&execution)?.row;
        Some(Due::Ready(Composer.command(execution, &fact)))
    }

    pub(super) fn sweep(
        &mut self,
        execution: i64,
        (position, replaced_by, from, to): (Option<u8>, Option<i64>, LegState, LegState),
        command: Option<CommandKind>,
        due: &mut Vec<Due>,
    ) {
        let mut swept: Vec<(i32, i64)> = self
            .legs
            .values()
            .filter(|l| l.execution == execution && l.row.state == from)
            .filter(|l| position.is_none_or(|p| p == l.row.position))
            .filter(|l| replaced_by.is_none_or(|by| l.replaced_by == Some(by)))
            .map(|l| (l.ordinal, l.row.id))
            .collect();
        swept.sort_unstable();
        for (_, id) in swept {
            if let Some(leg) = self.legs.get_mut(&id) {
                leg.row.state = to;
                leg.watch_at = None;
            }
            if let Some(kind) = command {
                due.extend(self.command(execution, id, kind));
            }
        }
    }

    /// `moves.leg_facts` of one leg.
    pub(super) fn fact(&self, leg: &Leg) -> LegFact {
        LegFact {
            spec: leg.spec.clone(),
            state: leg.row.state,
            error: leg.error.clone(),
            manifest: self.made.get(&leg.row.id).map(|m| m.manifest.clone()),
            attempt: leg.row.attempt,
            stays: Vec::new(),
            replaced_by: leg
                .replaced_by
                .and_then(|by| self.legs.get(&by))
                .map(|by| by.row.logical_campaign_key.clone()),
            replaces: self
                .legs
                .values()
                .filter(|l| l.replaced_by == Some(leg.row.id))
                .filter_map(|l| {
                    self.made
                        .get(&l.row.id)?
                        .manifest
                        .campaign_id()
                        .map(str::to_owned)
                })
                .collect(),
        }
    }

    /// `Moves::write`: composes what could not be before.
    pub(super) fn write(&mut self, due: Vec<Due>) {
        let mut messages = Vec::with_capacity(due.len());
        for due in due {
            match due {
                Due::Ready(message) => messages.push(message),
                Due::Announce {
                    execution,
                    leg,
                    state,
                } => {
                    if let (Some(execution), Some(leg)) =
                        (self.executions.get(&execution), self.legs.get(&leg))
                    {
                        let fact = LegFact {
                            state,
                            ..self.fact(leg)
                        };
                        messages.push(Composer.announce(&execution.row, &fact));
                    }
                }
                Due::Settle {
                    execution,
                    outcome,
                    revision,
                } => {
                    if let Some(e) = self.executions.get(&execution) {
                        let row = ExecutionRow {
                            revision,
                            ..e.row.clone()
                        };
                        let mut legs: Vec<&Leg> =
                            self.legs.values().filter(|l| l.execution == execution).collect();
                        legs.sort_by_key(|l| (l.ordinal, l.replaced_by, l.row.id));
                        let facts: Vec<LegFact> = legs.into_iter().map(|l| self.fact(l)).collect();
                        messages.extend(Composer.settle(&row, outcome, &facts));
                    }
                }
            }
        }
        self.put(messages);
    }

    pub(super) fn saga(&mut self, execution: i64) -> Option<&mut Saga> {
        self.executions.get_mut(&execution).map(|e| &mut e.row.saga)
    }
}
