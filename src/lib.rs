//! campaign-execution: turns an approved media plan into campaigns, exactly once, tracked, audited, reversible.

pub mod domain;
pub mod outbound;
pub mod platform;
pub mod sandbox;
pub mod store;
