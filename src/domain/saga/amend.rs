//! What comes to an execution from outside after its launch began: new payloads, newer versions that take campaigns over and
//! give them back. A second table beside the reports' one, with the same rule: every cell is named.
//!
//! Must not be reached while a worker holds the leg's command; the caller withdraws it first.

use super::{CommandKind, Direction, Effect, LegState, Saga};

/// What a new payload makes of a leg that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Amendment {
    /// It shall look otherwise; or the same, and is tried again because it failed.
    Change,
    /// The plan no longer has it.
    Leave,
}

/// How a leg comes to an execution that was launched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Joins {
    /// Nothing of it exists.
    New,
    /// An older version has made a campaign for it.
    TakenOver {
        /// It is on, or may be.
        on: bool,
    },
}

/// What a cell of the amendments' table says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Amend {
    /// The leg moves, and is sent the command.
    To(LegState, CommandKind),
    /// The leg moves; there is nothing to send.
    Rest(LegState),
    /// It stays as it is.
    Stay,
    /// Not this leg.
    Refused,
}

/// An input from outside that comes too late for a leg: it goes back, or is not this version's any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a leg that is {state:?} cannot be changed")]
pub struct Fenced {
    /// The leg's state.
    pub state: LegState,
}

impl LegState {
    /// The amendments' table: what a new payload makes of a leg whose command, if it had one, was withdrawn.
    #[must_use]
    fn amended(self, what: Amendment) -> Amend {
        use Amend::{Refused, Rest, Stay, To};
        use CommandKind::{Build, Retire};
        match what {
            Amendment::Change => match self {
                Self::Waiting => Stay,
                Self::Building | Self::Built | Self::Failed => To(Self::Building, Build),
                // It may be on: what was reached is built upon, and then activated again.
                Self::Activating => To(Self::Building, Build),
                Self::Scheduled | Self::Live | Self::Unamended | Self::Amending => To(Self::Amending, Build),
                // It comes back, from off.
                Self::Retiring | Self::Retired => To(Self::Building, Build),
                // Outgoing: it is on its way out, whatever it looks like.
                Self::Undoing | Self::Undone | Self::Stuck | Self::Superseded | Self::Outgoing => Refused,
            },
            Amendment::Leave => match self {
                Self::Waiting => Rest(Self::Retired),
                Self::Building
                | Self::Built
                | Self::Failed
                | Self::Activating
                | Self::Scheduled
                | Self::Live
                | Self::Unamended
                | Self::Amending
                | Self::Outgoing => To(Self::Retiring, Retire),
                Self::Retiring | Self::Retired => Stay,
                Self::Undoing | Self::Undone | Self::Stuck | Self::Superseded => Refused,
            },
        }
    }
}

impl Saga {
    /// A new payload makes something of a leg that is in `state`, whose command (if one was out) the caller has withdrawn.
    /// Call [`Saga::amended`] when every leg was gone through.
    ///
    /// # Errors
    /// [`Fenced`]: the execution goes back, or the leg is not its own any more; nothing changes.
    pub fn amend(&mut self, position: u8, state: LegState, what: Amendment) -> Result<Vec<Effect>, Fenced> {
        let fenced = Fenced { state };
        if self.direction == Direction::Back {
            return Err(fenced);
        }
        let (to, command) = match state.amended(what) {
            Amend::To(to, command) => (to, Some(command)),
            Amend::Rest(to) => (to, None),
            Amend::Stay => return Ok(Vec::new()),
            Amend::Refused => return Err(fenced),
        };
        self.move_leg(position, state, to, command).ok_or(fenced)
    }

    /// A leg that the new payload adds: it waits for its turn. Where an older version's campaign was taken over, it is as it
    /// was, on or off, and the caller changes it at once: what waits has nothing to undo or to give back.
    pub fn join(&mut self, position: u8, how: Joins) -> LegState {
        let state = match how {
            Joins::New => LegState::Waiting,
            Joins::TakenOver { on: true } => LegState::Unamended,
            Joins::TakenOver { on: false } => LegState::Retired,
        };
        self.tally.add(position, state, 1);
        self.settled = None;
        state
    }

    /// Every leg was gone through: what follows for the whole.
    #[must_use]
    pub fn amended(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.settled = None;
        self.proceed(&mut effects);
        effects
    }

    /// Whether a new payload may start it anew: it went back because a leg failed, and everything of it was undone.
    #[must_use]
    pub fn may_start_anew(&self) -> bool {
        self.direction == Direction::Back
            && !self.asked_to_roll_back
            && self.tally.all(|s| s == LegState::Undone)
    }

    /// Starts anew with a new payload: the legs wait again. The caller replaces the legs' specs, and lets leave
    /// ([`Amendment::Leave`]) what was outgoing.
    pub fn start_anew(&mut self) {
        for states in self.tally.0.values_mut() {
            if let Some(count) = states.remove(&LegState::Undone) {
                *states.entry(LegState::Waiting).or_default() += count;
            }
        }
        self.direction = Direction::Forward;
        self.settled = None;
    }

    /// A newer version takes this leg's campaign over; its command, if one was out, was withdrawn.
    ///
    /// # Errors
    /// [`Fenced`]: it is being undone, or was, or is taken over already.
    pub fn hand_over(&mut self, position: u8, state: LegState) -> Result<Vec<Effect>, Fenced> {
        let fenced = Fenced { state };
        match state {
            LegState::Undoing | LegState::Undone | LegState::Stuck | LegState::Superseded => {
                return Err(fenced);
            }
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
            | LegState::Retired
            | LegState::Outgoing => {}
        }
        if self.direction == Direction::Back {
            return Err(fenced);
        }
        self.move_leg(position, state, LegState::Superseded, None)
            .ok_or(fenced)
    }

    /// The newer version gives a campaign back, off: it is made as this version has it, and switched on again if it was on. Was this
    /// version rolled back meanwhile, it is undone, and goes on to the one before. A leg that is still being switched off is taken back
    /// in place of its report that it is off: being off for a moment must not pass for a step of its own.
    ///
    /// # Errors
    /// [`Fenced`]: it was not taken over.
    pub fn take_back(&mut self, position: u8, state: LegState, was_on: bool) -> Result<Vec<Effect>, Fenced> {
        let fenced = Fenced { state };
        match (state, self.direction) {
            (LegState::Superseded, Direction::Back) => {
                return self
                    .move_leg(position, state, LegState::Undoing, Some(CommandKind::Undo))
                    .ok_or(fenced);
            }
            (LegState::Superseded | LegState::Retired | LegState::Retiring, Direction::Forward) => {}
            (_, _) => return Err(fenced),
        }
        self.settled = None;
        if was_on {
            return self
                .move_leg(position, state, LegState::Building, Some(CommandKind::Build))
                .ok_or(fenced);
        }
        self.move_leg(position, state, LegState::Retired, None)
            .ok_or(fenced)
    }

    /// Moves one leg by another hand than a report's.
    pub(super) fn move_leg(
        &mut self,
        position: u8,
        from: LegState,
        to: LegState,
        command: Option<CommandKind>,
    ) -> Option<Vec<Effect>> {
        if !self.tally.take(position, from) {
            return None;
        }
        self.settled = None;
        self.tally.add(position, to, 1);
        let mut effects = vec![Effect::Leg(to)];
        effects.extend(command.map(Effect::Command));
        Some(effects)
    }
}
