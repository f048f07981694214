//! A change that a platform does not let be made: another campaign takes the place of the one there is.
//!
//! The leg keeps its key and is built anew; its campaign becomes a leg of its own. That makes two legs of what the plan has as
//! one for a while, and nothing else is new about either: the old one is held by a pause, undone by a rollback, looked at for
//! drift and shown as any leg is, and the new one is built, verified and switched on as any leg is. (A leg with two
//! campaigns would need a second manifest, and every command would have to say which of them it is about.)
//!
//! Which leg replaces which, the caller knows: legs are counted here. Must not be reached while a worker holds the leg's
//! command; the caller withdraws it first.

use super::{CommandKind, Direction, Effect, Fenced, LegState, Saga};

/// What there is of a campaign that is to be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Old {
    /// Nothing, and no call is out that might have made something.
    Nothing,
    /// Something, or it cannot be told; none of it was switched on.
    Off,
    /// Something, and it may be on.
    On,
}

/// What becomes of a leg that is replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaced {
    /// For the leg itself: it is built anew.
    pub effects: Vec<Effect>,
    /// The state of the leg that its campaign is from now on.
    pub old: LegState,
    /// The command that one is sent.
    pub command: Option<CommandKind>,
}

/// What a cell of the replacements' table says: the leg, and its old campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Apart {
    /// It is on logically: built anew beside what is on, or goes on trying to be.
    Amending(LegState),
    /// Nothing of it is on: built anew.
    Building(LegState),
    /// It goes on waiting for its turn.
    Waiting(LegState),
    /// Not this leg.
    Refused,
}

impl LegState {
    /// The replacements' table: what becomes of a leg whose command, if it had one, was withdrawn, and of what there is of it.
    #[must_use]
    fn set_apart(self, old: Old) -> Apart {
        use Apart::{Amending, Building, Refused, Waiting};
        match old {
            Old::On => match self {
                Self::Building
                | Self::Built
                | Self::Activating
                | Self::Scheduled
                | Self::Live
                | Self::Failed
                | Self::Amending
                | Self::Unamended => Amending(Self::Outgoing),
                // It was to go off anyway.
                Self::Retiring | Self::Retired => Building(Self::Retiring),
                Self::Waiting => Waiting(Self::Retiring),
                Self::Undoing | Self::Undone | Self::Stuck | Self::Superseded | Self::Outgoing => Refused,
            },
            Old::Off => match self {
                // On by what was announced, whatever the manifest says of its switches.
                Self::Scheduled | Self::Live => Amending(Self::Outgoing),
                // What is on is an earlier one, outgoing already.
                Self::Amending | Self::Unamended => Amending(Self::Retiring),
                Self::Building | Self::Built | Self::Activating | Self::Failed | Self::Retiring => {
                    Building(Self::Retiring)
                }
                Self::Retired => Building(Self::Retired),
                Self::Waiting => Waiting(Self::Retiring),
                Self::Undoing | Self::Undone | Self::Stuck | Self::Superseded | Self::Outgoing => Refused,
            },
            Old::Nothing => match self {
                Self::Scheduled | Self::Live | Self::Amending | Self::Unamended => Amending(Self::Retired),
                Self::Building
                | Self::Built
                | Self::Activating
                | Self::Failed
                | Self::Retiring
                | Self::Retired => Building(Self::Retired),
                Self::Waiting => Waiting(Self::Retired),
                Self::Undoing | Self::Undone | Self::Stuck | Self::Superseded | Self::Outgoing => Refused,
            },
        }
    }
}

impl Saga {
    /// A leg in `state`, whose command (if one was out) the caller has withdrawn, is built anew; its campaign is a further leg
    /// of the same platform. Call [`Saga::amended`] when every leg was gone through.
    ///
    /// # Errors
    /// [`Fenced`]: the execution goes back, or the leg is not its own any more; nothing changes.
    pub fn replace(&mut self, position: u8, state: LegState, old: Old) -> Result<Replaced, Fenced> {
        let fenced = Fenced { state };
        if self.direction == Direction::Back {
            return Err(fenced);
        }
        let build = Some(CommandKind::Build);
        let (to, command, old) = match state.set_apart(old) {
            Apart::Amending(old) => (LegState::Amending, build, old),
            Apart::Building(old) => (LegState::Building, build, old),
            Apart::Waiting(old) => (LegState::Waiting, None, old),
            Apart::Refused => return Err(fenced),
        };
        let effects = self.move_leg(position, state, to, command).ok_or(fenced)?;
        self.tally.add(position, old, 1);
        Ok(Replaced {
            effects,
            old,
            command: (old == LegState::Retiring).then_some(CommandKind::Retire),
        })
    }

    /// A campaign that an older version has on and that this one replaces: it was taken over, and stays on until then. The
    /// leg that replaces it joins by [`Saga::join`], as one that is on.
    pub fn join_outgoing(&mut self, position: u8) -> LegState {
        self.tally.add(position, LegState::Outgoing, 1);
        self.settled = None;
        LegState::Outgoing
    }

    /// The replacement is on: so many outgoing legs go off.
    pub(super) fn relieve(&mut self, position: u8, outgoing: u32, effects: &mut Vec<Effect>) {
        if self
            .tally
            .shift(position, LegState::Outgoing, LegState::Retiring, outgoing)
        {
            effects.push(Effect::Relieve);
        }
    }
}
