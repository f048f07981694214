//! How an execution came to rest.
//!
//! Must not be asked before all legs are at rest.

use super::super::manifest::spelled;
use super::{Direction, LegState, Saga};
use serde::{Deserialize, Serialize};

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
    /// A newer version has taken over all that was on.
    Superseded,
}
spelled!(Outcome {
    Completed = "completed",
    MarkedPartial = "marked_partial",
    FailedBack = "failed_back",
    RolledBack = "rolled_back",
    Superseded = "superseded",
});

impl Saga {
    fn all_superseded(&self) -> bool {
        self.tally.count(LegState::Superseded) > 0
            && self
                .tally
                .all(|s| s == LegState::Superseded || s == LegState::Retired)
    }

    pub(super) fn outcome(&self) -> Outcome {
        match self.direction {
            Direction::Back if self.asked_to_roll_back => Outcome::RolledBack,
            Direction::Back => Outcome::FailedBack,
            Direction::Forward
                if [LegState::Failed, LegState::Unamended, LegState::Stuck]
                    .iter()
                    .any(|s| self.tally.count(*s) > 0) =>
            {
                Outcome::MarkedPartial
            }
            Direction::Forward if self.all_superseded() => Outcome::Superseded,
            Direction::Forward => Outcome::Completed,
        }
    }
}
