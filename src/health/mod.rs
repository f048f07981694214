//! What the gate asks besides the platforms: tracking health, Google's product feeds and the asset library.
//!
//! Must not decide: a check gives facts, `domain::gate` judges. Must not retry on its own; the gate asks again.

pub mod assets;
pub mod content;
pub mod ga4;
mod google;
pub mod merchant;

use std::time::Duration;

/// The checker could not be reached, or its answer could not be read: never a pass.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Unknown {
    /// For a person.
    pub why: String,
    /// When asking again makes sense, where that is known.
    pub again_in: Option<Duration>,
}

impl Unknown {
    pub(crate) fn new(why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            again_in: None,
        }
    }
}

/// Why there are no facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotAsked {
    /// The account, the access or the credential is not as it should be; asking again does not help.
    Refused {
        /// What was found.
        reason: String,
        /// What to do.
        remedy: String,
    },
    /// It could not be asked.
    Unknown(Unknown),
}
