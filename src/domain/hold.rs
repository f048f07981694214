//! The kill switch as one leg meets it: switched off with its tenant, and on again exactly as it was.
//!
//! ```text
//!             pause                hold done
//!   (none) ──────────► Holding ───────────────► Held
//!     ▲                  ▲  │                     │
//!     │     pause again  │  └──────┐  unpause     │ unpause
//!     │ release done     │         ▼              │
//!     └───────────────── Releasing ◄──────────────┘
//! ```
//!
//! It stands beside the leg's state and is no part of the saga, for three reasons. A pause is about a tenant, not about a plan:
//! it must not turn, settle or re-open an execution, nor announce `campaign.live` a second time when it ends. It can meet a
//! leg in any state, and the state it returns to must be the one it left, or a rollback that came meanwhile would be forgotten.
//! And a state more would multiply the saga's cells without one of them deciding anything new: what a leg does next is
//! the same, only later. So `hold` and `release` travel as the saga's commands do (outbox, topic, lease, intent, audit),
//! and what they come to is written here.
//!
//! Must not decide whether anything is sent: `store::progress` does, in the statement that commits the intent.

use super::manifest::spelled;
use super::saga::LegState;

/// Where a leg stands under its tenant's pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hold {
    /// It is to be switched off.
    Holding,
    /// Nothing of it is on.
    Held,
    /// What the switch turned off is to be turned on again.
    Releasing,
}
spelled!(Hold { Holding = "holding", Held = "held", Releasing = "releasing" });

/// What a pause means for a leg in this state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pausing {
    /// Something of it may be on and no command is out for it: a hold is sent.
    Send,
    /// Something of it may be on, and whoever drives its command switches that off instead of going on.
    ByItsOwnCommand,
    /// Nothing of it is on, or its command switches it off anyway.
    Nothing,
}

/// What the pause of a tenant means for one of its legs.
#[must_use]
pub fn on_pause(state: LegState) -> Pausing {
    match state {
        // Built: an amended leg waits at the barrier, on. Failed, stuck: what was activated before may still be on.
        LegState::Built
        | LegState::Scheduled
        | LegState::Live
        | LegState::Unamended
        | LegState::Outgoing
        | LegState::Failed
        | LegState::Stuck => Pausing::Send,
        LegState::Building | LegState::Activating | LegState::Amending => Pausing::ByItsOwnCommand,
        LegState::Waiting
        | LegState::Undoing
        | LegState::Undone
        | LegState::Retiring
        | LegState::Retired
        | LegState::Superseded => Pausing::Nothing,
    }
}

/// Whether a leg that was switched off is switched on again when the pause ends: only if it still stands where it may be
/// on and no command of its own goes on with it. What was rolled back meanwhile stays off, and so does what was to be switched
/// off and could not be (`Stuck`): the pause has done what its undo did not.
#[must_use]
pub fn comes_back(state: LegState) -> bool {
    on_pause(state) == Pausing::Send && state != LegState::Stuck
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_round_trip() {
        for hold in Hold::ALL {
            assert_eq!(Hold::parse(hold.as_str()), Some(*hold));
        }
        assert_eq!(Hold::parse("paused"), None);
    }

    /// A hold is a command of its own only where the saga has none out: two commands never drive one leg.
    #[test]
    fn a_hold_is_never_sent_beside_the_legs_own_command() {
        for state in LegState::ALL {
            let alone = state.in_flight().is_none();
            match on_pause(*state) {
                Pausing::Send => assert!(alone, "{state:?}"),
                Pausing::ByItsOwnCommand => assert!(!alone, "{state:?}"),
                Pausing::Nothing => {}
            }
        }
    }

    /// Nothing that may be on is left out. (An undo or a retirement switches off as its first step, paused or not.)
    #[test]
    fn every_state_in_which_something_may_be_on_is_reached() {
        for state in LegState::ALL.iter().filter(|s| s.on()) {
            assert_ne!(on_pause(*state), Pausing::Nothing, "{state:?}");
        }
        for state in LegState::ALL.iter().filter(|s| comes_back(**s)) {
            assert_ne!(*state, LegState::Undone);
            assert_ne!(*state, LegState::Retired);
            assert_ne!(*state, LegState::Superseded);
            assert_ne!(*state, LegState::Stuck);
        }
    }
}
