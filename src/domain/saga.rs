//! THE PAGE: how an execution moves. State + input → new state + effects; no I/O, no clock.
//!
//! ```text
//!            start            report Built              all built (atomic) or at once
//!  Waiting ───────► Building ─────────────► Built ─────────────────────────► Activating
//!     │                │ Failed               │                                │  │  │ Failed
//!     │                ▼                      │                      Scheduled ◄  ▼  ▼
//!     │             Failed ◄──────────────────┼─────────────────────────┼───────Live Failed
//!     │ turned         │ turned               │ turned                  │ turned │
//!     ▼                ▼                      ▼                         ▼        ▼
//!  Undone ◄───────── Undoing ◄────────────────┴─────────────────────────┴────────┘
//!                      │ UndoFailed
//!                      ▼
//!                    Stuck   (a person must look; `retry` sends the undo again)
//!
//!  What is on and is changed by an amendment, or taken over from an older version (`amend`):
//!
//!  Scheduled, Live, Unamended ──changed──► Amending ── Built ──► Built ──► Activating …
//!                                             │ Failed
//!                                             ▼
//!                                         Unamended   (on as it was; `retry` sends the change again)
//!
//!  What the plan no longer has:   any but Undone … ──gone──► Retiring ── Retired ──► Retired   (off, kept)
//!  What a newer version took over: any at rest ──► Superseded ──given back──► Amending or Waiting
//!
//!  What cannot be changed where it stands is replaced (`replace`): the leg is built anew, and its campaign, on as it was,
//!  is a leg of its own from then on:
//!
//!  the leg   ──► Amending ── Built ──► Built ──► Activating ──► Scheduled, Live     (refused: Unamended)
//!  the old       Outgoing ─────────────────────────────────────────┴──► Retiring ── Retired ──► Retired
//! ```
//!
//! Rules that hold in every state, each checked on every edge by the walk below:
//! 1. atomic, at its first launch: no leg is `Activating` or beyond until all legs were `Built`;
//! 2. one failure (atomic, first launch) or a rollback turns the execution round, for good; only after a failure may a new
//!    payload start it anew;
//! 3. not atomic: a failed leg stops no other;
//! 4. an undo is never sent while that leg's own command is in flight;
//! 5. a report delivered twice changes nothing;
//! 6. nothing `Failed` or `Undone` comes back, except by an explicit retry, a new payload, or what a newer version gives back;
//! 7. every state can come to rest;
//! 8. nothing that was on is `Failed` for a change that was refused: it is `Unamended`, and on (itself, or the campaign that it
//!    was to replace);
//! 9. what is `Outgoing` goes off only when its replacement is on, or with it: by a rollback, or with a plan that has neither.
//!
//! An amendment changes a leg only while no worker holds its command: the store withdraws the command first
//! (`store::amend`), so that rule 4 holds for amendments too.
//!
//! Legs are counted, not listed: a plan of 10,000 campaigns moves one leg without reading the other 9,999. Effects on "all legs
//! in a state" are one statement in the store.
//!
//! Must not use a wildcard: every (state, report) cell says what happens, so a new state or report does not compile until
//! each of its cells has been thought about.

mod amend;
mod outcome;
mod replace;
mod tally;

pub use amend::{Amendment, Fenced, Joins};
pub use outcome::Outcome;
pub use replace::{Old, Replaced};
pub use tally::Tally;

use super::manifest::spelled;
use super::plan::Order;
use serde::{Deserialize, Serialize};

/// Where one leg stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LegState {
    /// For the gate, or for its platform's turn.
    Waiting,
    /// A build command is out.
    Building,
    /// All of it exists, paused, read back, tracking verified.
    Built,
    /// An activate command is out.
    Activating,
    /// Switched on; its start lies in the future.
    Scheduled,
    /// Switched on, and the platform says it can serve.
    Live,
    /// Gave up; the manifest knows what was made.
    Failed,
    /// An undo command is out.
    Undoing,
    /// Nothing of it can spend any more.
    Undone,
    /// The undo (or the switching off) did not work; a person must look.
    Stuck,
    /// A build command is out for a campaign that is on: it is changed where it stands, or another is made in its place.
    Amending,
    /// On as it was before: the change (or the campaign that was to replace it) was refused.
    Unamended,
    /// A retire command is out: the plan no longer has it.
    Retiring,
    /// Off and kept: the plan no longer has it.
    Retired,
    /// A newer plan version has taken its campaign over.
    Superseded,
    /// On as it was, until the campaign that replaces it is on.
    Outgoing,
}
spelled!(LegState {
    Waiting = "waiting",
    Building = "building",
    Built = "built",
    Activating = "activating",
    Scheduled = "scheduled",
    Live = "live",
    Failed = "failed",
    Undoing = "undoing",
    Undone = "undone",
    Stuck = "stuck",
    Amending = "amending",
    Unamended = "unamended",
    Retiring = "retiring",
    Retired = "retired",
    Superseded = "superseded",
    Outgoing = "outgoing",
});

/// What a worker tells of a leg's command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Report {
    /// Everything exists, paused, read back, tracking verified.
    Built,
    /// On; starts later.
    Scheduled,
    /// On, and able to serve.
    Live,
    /// Gave up.
    Failed,
    /// Reversed.
    Undone,
    /// Could not be reversed (or switched off).
    UndoFailed,
    /// Switched off, and kept.
    Retired,
}
spelled!(Report {
    Built = "built",
    Scheduled = "scheduled",
    Live = "live",
    Failed = "failed",
    Undone = "undone",
    UndoFailed = "undo_failed",
    Retired = "retired",
});

/// An instruction to a platform's adapter about one leg. The saga sends all but the last two: hold and release move no state and
/// come from the kill switch (`domain::hold` says why they are no cells of the table).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommandKind {
    /// Make everything, paused, and verify it.
    Build,
    /// Switch it on.
    Activate,
    /// Reverse it from the manifest.
    Undo,
    /// Switch it off and keep it.
    Retire,
    /// Switch it off: its tenant is paused.
    Hold,
    /// Switch on again what a hold switched off.
    Release,
}
spelled!(CommandKind {
    Build = "build",
    Activate = "activate",
    Undo = "undo",
    Retire = "retire",
    Hold = "hold",
    Release = "release",
});

/// What a cell of the table says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The leg moves.
    To(LegState),
    /// Heard before; nothing changes.
    Repeat,
    /// Cannot be: the report belongs to a command that this state never sends.
    Illegal,
}

impl LegState {
    /// The table: what a report makes of a leg, the execution's own rules apart.
    #[must_use]
    pub fn next(self, report: Report) -> Step {
        use Report as R;
        use Step::{Illegal, Repeat, To};
        match self {
            Self::Waiting => match report {
                R::Built | R::Scheduled | R::Live | R::Failed | R::Undone | R::UndoFailed | R::Retired => {
                    Illegal
                }
            },
            Self::Building => match report {
                R::Built => To(Self::Built),
                R::Failed => To(Self::Failed),
                R::Scheduled | R::Live | R::Undone | R::UndoFailed | R::Retired => Illegal,
            },
            Self::Built => match report {
                R::Built => Repeat,
                R::Scheduled | R::Live | R::Failed | R::Undone | R::UndoFailed | R::Retired => Illegal,
            },
            Self::Activating => match report {
                R::Scheduled => To(Self::Scheduled),
                R::Live => To(Self::Live),
                R::Failed => To(Self::Failed),
                R::Built => Repeat,
                R::Undone | R::UndoFailed | R::Retired => Illegal,
            },
            Self::Scheduled => match report {
                // Its start has passed and the platform serves it.
                R::Live => To(Self::Live),
                // After activation the platform refused it (a review that ended badly).
                R::Failed => To(Self::Failed),
                R::Scheduled | R::Built => Repeat,
                R::Undone | R::UndoFailed | R::Retired => Illegal,
            },
            Self::Live => match report {
                R::Live | R::Scheduled | R::Built => Repeat,
                R::Failed | R::Undone | R::UndoFailed | R::Retired => Illegal,
            },
            Self::Failed => match report {
                R::Failed => Repeat,
                R::Built | R::Scheduled | R::Live | R::Undone | R::UndoFailed | R::Retired => Illegal,
            },
            Self::Undoing => match report {
                R::Undone => To(Self::Undone),
                R::UndoFailed => To(Self::Stuck),
                // The last words of the command that the undo waited for.
                R::Built | R::Scheduled | R::Live | R::Failed | R::Retired => Repeat,
            },
            Self::Undone => match report {
                R::Undone => Repeat,
                R::Built | R::Scheduled | R::Live | R::Failed | R::UndoFailed | R::Retired => Illegal,
            },
            Self::Stuck => match report {
                R::UndoFailed => Repeat,
                R::Built | R::Scheduled | R::Live | R::Failed | R::Undone | R::Retired => Illegal,
            },
            Self::Amending => match report {
                R::Built => To(Self::Built),
                R::Failed => To(Self::Unamended),
                R::Scheduled | R::Live | R::Undone | R::UndoFailed | R::Retired => Illegal,
            },
            Self::Unamended => match report {
                R::Failed => Repeat,
                R::Built | R::Scheduled | R::Live | R::Undone | R::UndoFailed | R::Retired => Illegal,
            },
            Self::Retiring => match report {
                R::Retired => To(Self::Retired),
                R::UndoFailed => To(Self::Stuck),
                R::Built | R::Scheduled | R::Live | R::Failed | R::Undone => Illegal,
            },
            Self::Retired => match report {
                R::Retired => Repeat,
                R::Built | R::Scheduled | R::Live | R::Failed | R::Undone | R::UndoFailed => Illegal,
            },
            // Outgoing: no command is out for it.
            Self::Superseded | Self::Outgoing => match report {
                R::Built | R::Scheduled | R::Live | R::Failed | R::Undone | R::UndoFailed | R::Retired => {
                    Illegal
                }
            },
        }
    }

    /// Its campaign is on, or may be.
    #[must_use]
    pub fn on(self) -> bool {
        match self {
            Self::Activating
            | Self::Scheduled
            | Self::Live
            | Self::Amending
            | Self::Unamended
            | Self::Outgoing => true,
            Self::Waiting
            | Self::Building
            | Self::Built
            | Self::Failed
            | Self::Undoing
            | Self::Undone
            | Self::Stuck
            | Self::Retiring
            | Self::Retired
            | Self::Superseded => false,
        }
    }

    /// Its campaign is on, or was about to be: what takes it away for a while owes it that.
    #[must_use]
    pub fn comes_on(self) -> bool {
        self.on() || matches!(self, Self::Waiting | Self::Building | Self::Built)
    }

    /// No command is out for it and none will be without a new input.
    #[must_use]
    pub fn at_rest(self) -> bool {
        match self {
            Self::Scheduled
            | Self::Live
            | Self::Failed
            | Self::Undone
            | Self::Stuck
            | Self::Unamended
            | Self::Retired
            | Self::Superseded
            | Self::Outgoing => true,
            Self::Waiting
            | Self::Building
            | Self::Built
            | Self::Activating
            | Self::Undoing
            | Self::Amending
            | Self::Retiring => false,
        }
    }

    /// A command of this kind is out.
    #[must_use]
    pub fn in_flight(self) -> Option<CommandKind> {
        match self {
            Self::Building | Self::Amending => Some(CommandKind::Build),
            Self::Retiring => Some(CommandKind::Retire),
            Self::Activating => Some(CommandKind::Activate),
            Self::Undoing => Some(CommandKind::Undo),
            Self::Waiting
            | Self::Built
            | Self::Scheduled
            | Self::Live
            | Self::Failed
            | Self::Undone
            | Self::Stuck
            | Self::Unamended
            | Self::Retired
            | Self::Superseded
            | Self::Outgoing => None,
        }
    }

    /// The barrier of an atomic launch does not wait for it.
    fn built_or_apart(self) -> bool {
        match self {
            // Stuck, on the way forward: what the plan no longer has could not be switched off.
            Self::Built
            | Self::Unamended
            | Self::Retired
            | Self::Superseded
            | Self::Outgoing
            | Self::Scheduled
            | Self::Live
            | Self::Stuck => true,
            Self::Waiting
            | Self::Building
            | Self::Activating
            | Self::Failed
            | Self::Undoing
            | Self::Undone
            | Self::Amending
            | Self::Retiring => false,
        }
    }

    /// It has not finished building: later platforms of a recommended order wait for it.
    fn holds_up_the_next(self) -> bool {
        match self {
            Self::Waiting | Self::Building => true,
            Self::Built
            | Self::Activating
            | Self::Scheduled
            | Self::Live
            | Self::Failed
            | Self::Undoing
            | Self::Undone
            | Self::Stuck
            | Self::Amending
            | Self::Unamended
            | Self::Retiring
            | Self::Retired
            | Self::Superseded
            | Self::Outgoing => false,
        }
    }
}

/// Which way an execution goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Towards live.
    Forward,
    /// Being undone, for good.
    Back,
}
spelled!(Direction { Forward = "forward", Back = "back" });

/// Something the service must write down in the same transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// This leg is now in this state.
    Leg(LegState),
    /// Send this command about this leg.
    Command(CommandKind),
    /// All legs in `from` (of the platform at this position, or of all) move to `to`, and each is sent the command.
    Sweep {
        /// The platform's position; none: every platform.
        position: Option<u8>,
        /// From this state.
        from: LegState,
        /// To that one.
        to: LegState,
        /// With this command.
        command: Option<CommandKind>,
    },
    /// Tell the world: this leg is live or scheduled.
    Announce(LegState),
    /// All outgoing legs that this leg replaces move to `Retiring`, and each is sent that command.
    Relieve,
    /// Tell the world how the execution ended.
    Settle(Outcome),
}

/// One execution, as its row holds it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Saga {
    /// Nothing activates before all is built.
    pub atomic: bool,
    /// When each platform starts.
    pub order: Order,
    /// Which way it goes.
    pub direction: Direction,
    /// The turn came from a rollback, not from a failed leg.
    pub asked_to_roll_back: bool,
    /// The legs.
    pub tally: Tally,
    /// How it came to rest last; none while it moves.
    pub settled: Option<Outcome>,
    /// Its first launch is over, all of it live: what comes later is a change of what is on, and nothing waits for it.
    #[serde(default)]
    pub launched: bool,
}

/// An input that the state cannot have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a leg that is {state:?} cannot hear {report:?}")]
pub struct Illegal {
    /// The leg's state.
    pub state: LegState,
    /// What came.
    pub report: Report,
}

impl Saga {
    /// All legs wait.
    #[must_use]
    pub fn new(atomic: bool, order: Order, legs: impl IntoIterator<Item = u8>) -> Self {
        let mut tally = Tally::default();
        for position in legs {
            tally.add(position, LegState::Waiting, 1);
        }
        Self {
            atomic,
            order,
            direction: Direction::Forward,
            asked_to_roll_back: false,
            tally,
            settled: None,
            launched: false,
        }
    }

    /// The gate is open: the legs whose turn it is are built.
    #[must_use]
    pub fn start(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.proceed(&mut effects);
        effects
    }

    /// A worker reports on one leg of the platform at `position`, which is in `state`. An empty answer: heard before.
    ///
    /// # Errors
    /// [`Illegal`] when the report cannot belong to that state; nothing changes.
    pub fn report(&mut self, position: u8, state: LegState, report: Report) -> Result<Vec<Effect>, Illegal> {
        self.report_of_replacement(position, state, report, 0)
    }

    /// As [`Saga::report`], on a leg that replaces so many outgoing ones (of its own platform): once it is on they are
    /// switched off, and if it fails they stay on, so that it is not called failed.
    ///
    /// # Errors
    /// [`Illegal`], as there, or when there are not so many; nothing changes.
    pub fn report_of_replacement(
        &mut self,
        position: u8,
        state: LegState,
        report: Report,
        outgoing: u32,
    ) -> Result<Vec<Effect>, Illegal> {
        let illegal = Illegal { state, report };
        let to = match state.next(report) {
            Step::To(LegState::Failed) if outgoing > 0 => LegState::Unamended,
            Step::To(to) => to,
            Step::Repeat => return Ok(Vec::new()),
            Step::Illegal => return Err(illegal),
        };
        if self.tally.at(position, LegState::Outgoing) < outgoing || !self.tally.take(position, state) {
            return Err(illegal);
        }
        self.settled = None;
        let mut effects = Vec::new();
        self.land(position, to, &mut effects);
        if outgoing > 0 && effects.iter().any(|e| matches!(e, Effect::Announce(_))) {
            self.relieve(position, outgoing, &mut effects);
        }
        if to == LegState::Failed && self.barrier() && self.direction == Direction::Forward {
            self.turn(&mut effects);
        }
        self.proceed(&mut effects);
        Ok(effects)
    }

    /// Turns the execution round for good. Legs with a command in flight follow when it reports.
    #[must_use]
    pub fn roll_back(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        // Also of one that went back by itself: now no new payload starts it again.
        self.asked_to_roll_back = true;
        if self.direction == Direction::Forward {
            self.settled = None;
            self.turn(&mut effects);
            self.proceed(&mut effects);
        }
        effects
    }

    /// Whether legs wait for each other before they are switched on.
    fn barrier(&self) -> bool {
        self.atomic && !self.launched
    }

    /// Starts a new attempt of what failed: the failed, unamended and stuck legs of an execution that goes forward, the
    /// stuck ones of one that goes back. Empty: there is nothing to retry.
    #[must_use]
    pub fn retry(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        match self.direction {
            Direction::Forward => {
                for (from, to, command) in [
                    (LegState::Failed, LegState::Building, CommandKind::Build),
                    (LegState::Unamended, LegState::Amending, CommandKind::Build),
                    (LegState::Stuck, LegState::Retiring, CommandKind::Retire),
                ] {
                    self.sweep(None, from, to, Some(command), &mut effects);
                }
            }
            Direction::Back => {
                self.sweep(
                    None,
                    LegState::Stuck,
                    LegState::Undoing,
                    Some(CommandKind::Undo),
                    &mut effects,
                );
            }
        }
        if !effects.is_empty() {
            self.settled = None;
        }
        effects
    }

    /// Whether all legs are at rest.
    #[must_use]
    pub fn at_rest(&self) -> bool {
        self.tally.all(LegState::at_rest)
    }

    /// A leg arrives in a state: what follows for this leg alone.
    fn land(&mut self, position: u8, to: LegState, effects: &mut Vec<Effect>) {
        let (state, command) = match (self.direction, to) {
            (
                Direction::Back,
                LegState::Built
                | LegState::Scheduled
                | LegState::Live
                | LegState::Failed
                | LegState::Unamended
                | LegState::Retired
                | LegState::Outgoing,
            ) => (LegState::Undoing, Some(CommandKind::Undo)),
            (Direction::Forward, LegState::Built) if !self.barrier() => {
                (LegState::Activating, Some(CommandKind::Activate))
            }
            (Direction::Forward | Direction::Back, to) => (to, None),
        };
        self.tally.add(position, state, 1);
        effects.push(Effect::Leg(state));
        effects.extend(command.map(Effect::Command));
        if state == LegState::Live || state == LegState::Scheduled {
            effects.push(Effect::Announce(state));
        }
    }

    fn turn(&mut self, effects: &mut Vec<Effect>) {
        self.direction = Direction::Back;
        self.sweep(None, LegState::Waiting, LegState::Undone, None, effects);
        for from in [
            LegState::Built,
            LegState::Scheduled,
            LegState::Live,
            LegState::Failed,
            LegState::Unamended,
            LegState::Retired,
            LegState::Outgoing,
        ] {
            self.sweep(None, from, LegState::Undoing, Some(CommandKind::Undo), effects);
        }
    }

    /// What follows for the whole: the next platform's turn, the barrier of an atomic launch, the end.
    fn proceed(&mut self, effects: &mut Vec<Effect>) {
        if self.direction == Direction::Forward {
            self.start_those_whose_turn_it_is(effects);
            if self.barrier()
                && self.tally.count(LegState::Built) > 0
                && self.tally.all(LegState::built_or_apart)
            {
                self.sweep(
                    None,
                    LegState::Built,
                    LegState::Activating,
                    Some(CommandKind::Activate),
                    effects,
                );
            }
        }
        if self.settled.is_none() && self.at_rest() {
            let outcome = self.outcome();
            self.launched |= outcome == Outcome::Completed && self.tally.count(LegState::Scheduled) == 0;
            self.settled = Some(outcome);
            effects.push(Effect::Settle(outcome));
        }
    }

    fn start_those_whose_turn_it_is(&mut self, effects: &mut Vec<Effect>) {
        let (from, to) = (LegState::Waiting, LegState::Building);
        let build = Some(CommandKind::Build);
        match self.order {
            Order::Parallel => self.sweep(None, from, to, build, effects),
            Order::Recommended => {
                let first_unfinished = self
                    .tally
                    .0
                    .iter()
                    .find(|(_, states)| states.keys().any(|s| s.holds_up_the_next()))
                    .map(|(position, _)| *position);
                if let Some(position) = first_unfinished {
                    self.sweep(Some(position), from, to, build, effects);
                }
            }
        }
    }

    fn sweep(
        &mut self,
        position: Option<u8>,
        from: LegState,
        to: LegState,
        command: Option<CommandKind>,
        effects: &mut Vec<Effect>,
    ) {
        if self.tally.sweep(position, from, to) > 0 {
            effects.push(Effect::Sweep {
                position,
                from,
                to,
                command,
            });
        }
    }
}

#[cfg(test)]
#[path = "saga_walk.rs"]
mod walk;
