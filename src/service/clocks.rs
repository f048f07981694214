//! What happens because time passes: a scheduled flight begins and the platform serves it.
//!
//! Must not send a mutation.

use super::compose::Composer;
use super::poke::Pokes;
use crate::clock::SharedClock;
use crate::domain::saga::Report;
use crate::outbound::Outbound;
use crate::platform::{self, Eligibility, Session};
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

    /// Looks at the flights that begin; how many there were.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn step(&self) -> Result<usize, StoreError> {
        let due = self.store.due_watches(BATCH).await?;
        for watched in &due {
            if let Some((report, error)) = self.look(watched).await {
                let stamp = self.clock.stamp();
                self.store
                    .report_leg(&Composer, watched.leg_id, report, error, &stamp)
                    .await?;
                self.pokes.relay.notify_one();
            }
        }
        Ok(due.len())
    }

    async fn look(&self, watched: &Watched) -> Option<(Report, Option<crate::domain::error::LegError>)> {
        let name = watched.spec.key.platform.as_str();
        let platform = platform::by_name(name)?;
        let session = Session {
            outbound: self.outbound.clone(),
            base_url: self
                .base_urls
                .get(name)
                .cloned()
                .unwrap_or_else(|| platform.traits().base_url.into()),
            account: watched.tenant.accounts.get(name)?.clone(),
            deadline: platform.traits().deadline,
        };
        match platform.read(&session, &watched.manifest).await {
            Ok(reading) => match reading.eligibility {
                Eligibility::Eligible => Some((Report::Live, None)),
                Eligibility::Disapproved(finding) => Some((Report::Failed, Some(*finding))),
                Eligibility::InReview => {
                    if let Err(error) = self.store.still_in_review(watched.leg_id).await {
                        tracing::warn!(leg.key = %watched.spec.key, error = %error, "the review's clock was not written");
                    }
                    None
                }
                Eligibility::Paused => None,
            },
            Err(error) => {
                tracing::info!(leg.key = %watched.spec.key, error = %error, "couldn't see whether the flight began");
                None
            }
        }
    }
}
