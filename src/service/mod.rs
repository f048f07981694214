//! The long-running tasks. Each is a struct with one `step`; only here do the store, the platforms, the health checks and
//! the bus meet.
//!
//! **Invariants.** No transaction spans a call. Nothing but `worker` sends a mutation. A consumer never calls HTTP
//! between receiving a message and storing its offset. A mutation's intent is committed before it is sent.

pub mod alerts;
pub mod backoff;
pub mod checks;
pub mod clocks;
pub mod committer;
pub mod compose;
pub mod control;
pub mod deadlines;
pub mod drift;
pub mod drive;
pub mod gate;
pub mod intake;
pub mod overwrite;
pub mod poke;
pub mod reading;
pub mod relay;
pub mod rollback;
#[cfg(test)]
mod sim;
pub mod worker;
