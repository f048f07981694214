//! What the gate asks of the outside before a launch, beyond the platforms themselves.
//!
//! Must not see `store`, `platform` or `bus`, and must not decide whether a launch is blocked: a checker says what it
//! found, or that it could not find out; the gate judges and caches.

pub mod ga4;

use std::time::Duration;

/// How well something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Fine.
    Green,
    /// It works, but not as it should; the tenant's policy says what that means.
    Amber,
    /// It does not work.
    Red,
}

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad: never green.
    pub level: Level,
    /// What was found, for a person.
    pub reason: String,
    /// What to do.
    pub remedy: String,
}

/// What a checker found. No findings: green.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// All of them, not only the first.
    pub findings: Vec<Finding>,
}

impl Health {
    /// As bad as the worst finding.
    #[must_use]
    pub fn level(&self) -> Level {
        self.findings
            .iter()
            .map(|finding| finding.level)
            .max()
            .unwrap_or(Level::Green)
    }
}

/// The checker could not be reached: neither well nor ill.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("could not be asked: {why}")]
pub struct Unknown {
    /// For a person.
    pub why: String,
    /// The other side's own hint when to ask again.
    pub after: Option<Duration>,
}
