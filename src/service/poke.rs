//! Who commits work pokes whoever does it: no polling delay on the happy path. Polling stays as the safety net.
//!
//! Bells ring within one process. Work that another process committed is found by polling, after half a second at the most
//! (NOTIFY takes a lock on the whole database at every commit, which costs more than it gives here).
//!
//! Must not carry data: a lost poke costs time, never work.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// One bell per kind of task.
#[derive(Clone, Default)]
pub struct Pokes {
    /// Executions whose gate is due.
    pub gate: Arc<Notify>,
    /// Outbox rows.
    pub relay: Arc<Notify>,
    /// Alerts to be sent.
    pub alerts: Arc<Notify>,
    workers: Arc<HashMap<&'static str, Arc<Notify>>>,
}

impl Pokes {
    /// A bell for each of these platforms' workers.
    #[must_use]
    pub fn new(platforms: impl IntoIterator<Item = &'static str>) -> Self {
        let workers = platforms
            .into_iter()
            .map(|name| (name, Arc::new(Notify::new())))
            .collect();
        Self {
            workers: Arc::new(workers),
            ..Self::default()
        }
    }

    /// The worker of this platform.
    #[must_use]
    pub fn worker(&self, platform: &str) -> Arc<Notify> {
        self.workers.get(platform).cloned().unwrap_or_default()
    }
}

/// Waits until the bell rings or the time is over; `false`: it is time to stop.
pub async fn wait(bell: &Notify, at_most: Duration, stop: &CancellationToken) -> bool {
    tokio::select! {
        () = bell.notified() => true,
        () = tokio::time::sleep(at_most) => true,
        () = stop.cancelled() => false,
    }
}
