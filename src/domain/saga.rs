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
//! ```
//!
//! Rules that hold in every state, each checked on every edge by the walk below:
//! 1. atomic: no leg is `Activating` or beyond until all legs were `Built`;
//! 2. one failure (atomic) or a rollback turns the execution round, for good;
//! 3. not atomic: a failed leg stops no other;
//! 4. an undo is never sent while that leg's own command is in flight;
//! 5. a report delivered twice changes nothing;
//! 6. nothing `Failed` or `Undone` comes back, except by an explicit retry;
//! 7. every state can come to rest.
//!
//! Legs are counted, not listed: a plan of 10,000 campaigns moves one leg without reading the other 9,999. Effects on "all legs
//! in a state" are one statement in the store.
//!
//! Must not use a wildcard: every (state, report) cell says what happens, so a new state or report does not compile until
//! each of its cells has been thought about.

use super::manifest::spelled;
use super::plan::Order;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

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
    /// The undo did not work; a person must look.
    Stuck,
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
    /// Could not be reversed.
    UndoFailed,
}
spelled!(Report {
    Built = "built",
    Scheduled = "scheduled",
    Live = "live",
    Failed = "failed",
    Undone = "undone",
    UndoFailed = "undo_failed",
});

/// An instruction to a platform's adapter about one leg.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommandKind {
    /// Make everything, paused, and verify it.
    Build,
    /// Switch it on.
    Activate,
    /// Reverse it from the manifest.
    Undo,
}
spelled!(CommandKind { Build = "build", Activate = "activate", Undo = "undo" });

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
                R::Built | R::Scheduled | R::Live | R::Failed | R::Undone | R::UndoFailed => Illegal,
            },
            Self::Building => match report {
                R::Built => To(Self::Built),
                R::Failed => To(Self::Failed),
                R::Scheduled | R::Live | R::Undone | R::UndoFailed => Illegal,
            },
            Self::Built => match report {
                R::Built => Repeat,
                R::Scheduled | R::Live | R::Failed | R::Undone | R::UndoFailed => Illegal,
            },
            Self::Activating => match report {
                R::Scheduled => To(Self::Scheduled),
                R::Live => To(Self::Live),
                R::Failed => To(Self::Failed),
                R::Built => Repeat,
                R::Undone | R::UndoFailed => Illegal,
            },
            Self::Scheduled => match report {
                // Its start has passed and the platform serves it.
                R::Live => To(Self::Live),
                // After activation the platform refused it (a review that ended badly).
                R::Failed => To(Self::Failed),
                R::Scheduled | R::Built => Repeat,
                R::Undone | R::UndoFailed => Illegal,
            },
            Self::Live => match report {
                R::Live | R::Scheduled | R::Built => Repeat,
                R::Failed | R::Undone | R::UndoFailed => Illegal,
            },
            Self::Failed => match report {
                R::Failed => Repeat,
                R::Built | R::Scheduled | R::Live | R::Undone | R::UndoFailed => Illegal,
            },
            Self::Undoing => match report {
                R::Undone => To(Self::Undone),
                R::UndoFailed => To(Self::Stuck),
                // The last words of the command that the undo waited for.
                R::Built | R::Scheduled | R::Live | R::Failed => Repeat,
            },
            Self::Undone => match report {
                R::Undone => Repeat,
                R::Built | R::Scheduled | R::Live | R::Failed | R::UndoFailed => Illegal,
            },
            Self::Stuck => match report {
                R::UndoFailed => Repeat,
                R::Built | R::Scheduled | R::Live | R::Failed | R::Undone => Illegal,
            },
        }
    }

    /// No command is out for it and none will be without a new input.
    #[must_use]
    pub fn at_rest(self) -> bool {
        match self {
            Self::Scheduled | Self::Live | Self::Failed | Self::Undone | Self::Stuck => true,
            Self::Waiting | Self::Building | Self::Built | Self::Activating | Self::Undoing => false,
        }
    }

    /// A command of this kind is out.
    #[must_use]
    pub fn in_flight(self) -> Option<CommandKind> {
        match self {
            Self::Building => Some(CommandKind::Build),
            Self::Activating => Some(CommandKind::Activate),
            Self::Undoing => Some(CommandKind::Undo),
            Self::Waiting
            | Self::Built
            | Self::Scheduled
            | Self::Live
            | Self::Failed
            | Self::Undone
            | Self::Stuck => None,
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
            | Self::Stuck => false,
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

/// How many legs are in each state, by the platform's position in the recommended order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Tally(BTreeMap<u8, BTreeMap<LegState, u32>>);

impl Tally {
    /// Adds legs.
    pub fn add(&mut self, position: u8, state: LegState, legs: u32) {
        *self.0.entry(position).or_default().entry(state).or_default() += legs;
    }

    /// Takes a leg out; `false` if none was there.
    #[must_use]
    fn take(&mut self, position: u8, state: LegState) -> bool {
        let Some(states) = self.0.get_mut(&position) else {
            return false;
        };
        match states.get_mut(&state) {
            Some(count) if *count > 0 => {
                *count -= 1;
                if *count == 0 {
                    states.remove(&state);
                }
                true
            }
            Some(_) | None => false,
        }
    }

    /// Moves all legs in a state (of one platform or of all); how many.
    fn sweep(&mut self, position: Option<u8>, from: LegState, to: LegState) -> u32 {
        let mut moved = 0;
        for (p, states) in &mut self.0 {
            if position.is_none_or(|wanted| wanted == *p)
                && let Some(count) = states.remove(&from)
            {
                *states.entry(to).or_default() += count;
                moved += count;
            }
        }
        moved
    }

    /// How many legs are in this state.
    #[must_use]
    pub fn count(&self, state: LegState) -> u32 {
        self.0.values().filter_map(|states| states.get(&state)).sum()
    }

    /// How many legs there are.
    #[must_use]
    pub fn total(&self) -> u32 {
        self.0.values().flat_map(BTreeMap::values).sum()
    }

    fn all(&self, test: impl Fn(LegState) -> bool) -> bool {
        self.0.values().all(|states| states.keys().all(|s| test(*s)))
    }
}

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
    /// Tell the world how the execution ended.
    Settle(Outcome),
}

/// How an execution came to rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// All legs live or scheduled.
    Completed,
    /// Not atomic: some legs failed, the others are live or scheduled.
    MarkedPartial,
    /// Atomic: one leg failed, all were undone.
    FailedBack,
    /// A person or another system rolled it back.
    RolledBack,
}
spelled!(Outcome {
    Completed = "completed",
    MarkedPartial = "marked_partial",
    FailedBack = "failed_back",
    RolledBack = "rolled_back",
});

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
        let illegal = Illegal { state, report };
        let to = match state.next(report) {
            Step::To(to) => to,
            Step::Repeat => return Ok(Vec::new()),
            Step::Illegal => return Err(illegal),
        };
        if !self.tally.take(position, state) {
            return Err(illegal);
        }
        self.settled = None;
        let mut effects = Vec::new();
        self.land(position, to, &mut effects);
        if to == LegState::Failed && self.atomic && self.direction == Direction::Forward {
            self.turn(&mut effects);
        }
        self.proceed(&mut effects);
        Ok(effects)
    }

    /// Turns the execution round for good. Legs with a command in flight follow when it reports.
    #[must_use]
    pub fn roll_back(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        if self.direction == Direction::Forward {
            self.asked_to_roll_back = true;
            self.settled = None;
            self.turn(&mut effects);
            self.proceed(&mut effects);
        }
        effects
    }

    /// Starts a new attempt of what failed: the failed legs of an execution that goes forward, the stuck ones of one
    /// that goes back. Empty: there is nothing to retry.
    #[must_use]
    pub fn retry(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        match self.direction {
            Direction::Forward => {
                self.sweep(
                    None,
                    LegState::Failed,
                    LegState::Building,
                    Some(CommandKind::Build),
                    &mut effects,
                );
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
            (Direction::Back, LegState::Built | LegState::Scheduled | LegState::Live | LegState::Failed) => {
                (LegState::Undoing, Some(CommandKind::Undo))
            }
            (Direction::Forward, LegState::Built) if !self.atomic => {
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
        ] {
            self.sweep(None, from, LegState::Undoing, Some(CommandKind::Undo), effects);
        }
    }

    /// What follows for the whole: the next platform's turn, the barrier of an atomic launch, the end.
    fn proceed(&mut self, effects: &mut Vec<Effect>) {
        if self.direction == Direction::Forward {
            self.start_those_whose_turn_it_is(effects);
            if self.atomic && self.tally.total() > 0 && self.tally.all(|s| s == LegState::Built) {
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

    fn outcome(&self) -> Outcome {
        match self.direction {
            Direction::Back if self.asked_to_roll_back => Outcome::RolledBack,
            Direction::Back => Outcome::FailedBack,
            Direction::Forward if self.tally.count(LegState::Failed) > 0 => Outcome::MarkedPartial,
            Direction::Forward => Outcome::Completed,
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
