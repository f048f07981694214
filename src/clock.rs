//! The wall clock, injected: what is written down carries its time. Leases and deadlines use the database's clock instead.
//!
//! Must not be bypassed: nothing else in the service asks the system for the time of day.

use chrono::{DateTime, SecondsFormat, Utc};
use std::sync::Arc;

/// Tells the time.
pub trait Clock: Send + Sync + 'static {
    /// Now.
    fn now(&self) -> DateTime<Utc>;

    /// Now, RFC 3339 with microseconds, UTC: as the audit log spells it.
    fn stamp(&self) -> String {
        self.now().to_rfc3339_opts(SecondsFormat::Micros, true)
    }
}

/// The system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that asks the system"
    )]
    fn now(&self) -> DateTime<Utc> {
        DateTime::from(std::time::SystemTime::now())
    }
}

/// A clock that everybody shares.
pub type SharedClock = Arc<dyn Clock>;
