//! What the gate asks besides the platforms: tracking health and the asset library (product feeds come here too).
//!
//! Must not decide: a check gives facts, `domain::gate` judges. Must not retry on its own; the gate asks again.

pub mod assets;
pub mod content;
pub mod ga4;

/// The checker could not be reached, or its answer could not be read: never a pass.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct Unknown {
    /// For a person.
    pub why: String,
}

impl Unknown {
    pub(crate) fn new(why: impl Into<String>) -> Self {
        Self { why: why.into() }
    }
}
