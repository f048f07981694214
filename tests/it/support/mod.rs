//! What the integration tests share: the service's own wiring over a database of the test's own, the sandbox, and ways to
//! drive both step by step.

pub mod app;
pub mod command;
pub mod hand;
pub mod particulars;
pub mod plans;
pub mod process;
pub mod receiver;
pub mod shelf;
pub mod terminal;
pub mod time;
