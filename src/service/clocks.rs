//! What happens because time passes: a scheduled flight begins and the platform serves it, or refuses it before that.
//!
//! Must not send a mutation.

use super::compose::Composer;
use super::poke::Pokes;
use crate::clock::SharedClock;
use crate::domain::error::ErrorClass;
use crate::domain::saga::Report;
use crate::outbound::Outbound;
use crate::platform::{self, Eligibility, Reading, Session};
use crate::store::moves::LegReport;
use crate::store::views::Watched;
use crate::store::{Store, StoreError};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often the clock looks.
const TICK: Duration = Duration::from_secs(1);
/// Legs looked at together.
const BATCH: i64 = 64;

/// The clocks.
pub struct Clocks {
    /// The truth.
    pub store: Store,
    /// HTTP and credentials.
    pub outbound: Outbound,
    /// For the audit log.
    pub clock: SharedClock,
    /// Whom it rings.
    pub pokes: Pokes,
    /// By platform id: where its API lives.
    pub base_urls: BTreeMap<String, Arc<str>>,
}

impl Clocks {
    /// Ticks until stopped.
    pub async fn run(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            if let Err(error) = self.step().await {
                tracing::warn!(error = %error, "the clock could not look; trying again");
            }
            tokio::select! {
                () = tokio::time::sleep(TICK) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Looks at the flights that begin, and ever less often at those that will; how many there were.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn step(&self) -> Result<usize, StoreError> {
        let due = self.store.due_watches(BATCH).await?;
        for watched in &due {
            let Some(reading) = self.look(watched).await else {
                continue;
            };
            self.take_in(watched, reading).await?;
            self.pokes.relay.notify_one();
        }
        Ok(due.len())
    }

    async fn look(&self, watched: &Watched) -> Option<Reading> {
        let name = watched.spec.key.platform.as_str();
        let platform = platform::by_name(name)?;
        let account = watched.tenant.accounts.get(name)?;
        let session = Session::of(&self.outbound, &self.base_urls, platform.as_ref(), account);
        match platform.read(&session, &watched.manifest).await {
            Ok(reading) => Some(reading),
            Err(error) => {
                tracing::info!(leg.key = %watched.spec.key, error = %error, "couldn't see whether the flight began");
                None
            }
        }
    }

    /// A leg whose start has come begins when the platform says so; one that is refused as a whole is told at once, so that a person
    /// has until the start. Of a live one nothing but what is refused is of interest.
    async fn take_in(&self, watched: &Watched, reading: Reading) -> Result<(), StoreError> {
        let finding = reading.finding.map(|finding| *finding);
        let report = |what, error| LegReport {
            leg_id: watched.leg_id,
            what,
            error,
            finding: finding.clone(),
        };
        let waits = !watched.live && watched.started;
        let report = match reading.eligibility {
            Eligibility::Eligible if waits => report(Report::Live, None),
            // What else keeps it from serving may be over by its start.
            Eligibility::Disapproved(error)
                if waits || !watched.live && error.class == ErrorClass::Policy =>
            {
                report(Report::Failed, Some(*error))
            }
            // Before the start nobody waits for a review; after it a clock of its own runs.
            Eligibility::InReview if waits => return self.store.still_in_review(watched).await,
            Eligibility::InReview | Eligibility::Paused if finding.is_none() && !watched.live => {
                return Ok(());
            }
            Eligibility::Eligible
            | Eligibility::NotBegun
            | Eligibility::Paused
            | Eligibility::InReview
            | Eligibility::Disapproved(_) => {
                let finding = finding.as_ref();
                return self.store.follow_finding(&Composer, watched, finding).await;
            }
        };
        self.store
            .report_leg(&Composer, watched, report, &self.clock.stamp())
            .await
    }
}
