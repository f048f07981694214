//! A platform's worker: leases commands in batches and drives each to its end, as many at once as configured.
//!
//! Must not hold a lease without driving it, nor wait for one leg before it takes up another.

use super::committer::NotSaved;
use super::drive::{Drive, MARGIN, Tools};
use super::poke::Pokes;
use crate::domain::error::{ErrorClass, LegError};
use crate::domain::saga::{CommandKind, Report};
use crate::outbound::Outbound;
use crate::platform::{Platform, Session};
use crate::store::commands::Job;
use crate::store::progress::{Save, Then};
use crate::store::{Store, StoreError};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// How a worker works.
#[derive(Debug, Clone)]
pub struct WorkerConfig {
    /// Commands driven at the same time.
    pub concurrency: usize,
    /// How long a lease lasts; renewed with every step.
    pub lease: Duration,
    /// The longest sleep when nothing is due.
    pub poll: Duration,
    /// The longest that one call may take, whatever the platform would allow.
    pub max_call: Duration,
}

impl WorkerConfig {
    /// A lease must outlive a call, or an intent could never be committed.
    #[must_use]
    pub fn lease_for(&self, platform: &dyn Platform) -> Duration {
        self.lease.max(self.deadline(platform) * 2 + MARGIN)
    }

    /// How long one call to the platform may take.
    #[must_use]
    pub fn deadline(&self, platform: &dyn Platform) -> Duration {
        self.max_call.min(platform.traits().deadline)
    }
}

/// One platform's worker.
pub struct Worker {
    /// What driving needs.
    pub tools: Tools,
    /// The truth.
    pub store: Store,
    /// HTTP and credentials.
    pub outbound: Outbound,
    /// `platforms.<name>.base_url`.
    pub base_url: Arc<str>,
    /// How it works.
    pub config: WorkerConfig,
    /// Who rings, and whom it rings.
    pub pokes: Pokes,
}

impl Worker {
    /// Works until stopped; then finishes what is in flight.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let bell: Arc<Notify> = self.pokes.worker(self.tools.platform.name());
        let mut running = JoinSet::new();
        // Looking for work costs the database two statements: only when somebody rang, a slot came free while more was
        // waiting, or something falls due.
        let (mut look, mut next_look) = (true, Instant::now());
        while !stop.is_cancelled() {
            let free = self.config.concurrency.saturating_sub(running.len());
            if free > 0 && (look || Instant::now() >= next_look) {
                match self.lease(free).await {
                    Ok(jobs) => {
                        look = jobs.len() == free;
                        for job in jobs {
                            let worker = Arc::clone(&self);
                            running.spawn(async move { worker.drive(job).await });
                        }
                    }
                    Err(error) => {
                        look = false;
                        tracing::warn!(
                            platform.name = self.tools.platform.name(),
                            error = %error,
                            "couldn't lease commands"
                        );
                    }
                }
                next_look = Instant::now() + self.nap().await;
            }
            let full = running.len() >= self.config.concurrency;
            tokio::select! {
                () = bell.notified(), if !look => look = true,
                Some(ended) = running.join_next() => report_panic(ended),
                () = tokio::time::sleep_until(next_look), if !full => {}
                () = stop.cancelled() => {}
            }
            while let Some(ended) = running.try_join_next() {
                report_panic(ended);
            }
        }
        while let Some(ended) = running.join_next().await {
            report_panic(ended);
        }
    }

    /// Leases what is due and drives it to its end; how many commands that were. For tests and for `run-one`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn step(&self) -> Result<usize, StoreError> {
        let jobs = self.lease(self.config.concurrency).await?;
        let count = jobs.len();
        futures::future::join_all(jobs.into_iter().map(|job| self.drive(job))).await;
        Ok(count)
    }

    async fn lease(&self, limit: usize) -> Result<Vec<Job>, StoreError> {
        let lease = self.config.lease_for(self.tools.platform.as_ref());
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.store
            .lease_commands(self.tools.platform.name(), limit, lease)
            .await
    }

    /// Until the next command falls due, at most the poll interval.
    async fn nap(&self) -> Duration {
        match self.store.next_due(self.tools.platform.name()).await {
            Ok(Some(due)) => due.clamp(Duration::from_millis(5), self.config.poll),
            Ok(None) | Err(_) => self.config.poll,
        }
    }

    async fn drive(&self, job: Job) {
        let key = job.spec.key.clone();
        let span = tracing::info_span!(
            "command",
            command.id = %job.command_id,
            command.kind = job.kind.as_str(),
            platform.name = %key.platform,
            leg.key = %key,
            attempt = job.attempts,
        );
        crate::telemetry::link(&span, job.traceparent.as_deref());
        async {
            let result = match job.tenant.accounts.get(key.platform.as_str()) {
                Some(account) => {
                    let session = Session {
                        outbound: self.outbound.clone(),
                        base_url: Arc::clone(&self.base_url),
                        account: account.clone(),
                        deadline: self.config.deadline(self.tools.platform.as_ref()),
                    };
                    Drive::new(self.tools.clone(), session, job).run().await
                }
                None => self.no_account(job).await,
            };
            match result {
                Ok(Then::GiveBack { after, why, .. }) => {
                    tracing::info!(after_ms = after.as_millis(), why, "given back");
                }
                Ok(Then::Finish { report, error }) => {
                    tracing::info!(
                        report = report.as_str(),
                        error = error.map(|e| e.message),
                        "finished"
                    );
                }
                Ok(Then::Close { report }) => tracing::info!(report, "finished"),
                Ok(Then::Continue | Then::Forget) => {}
                Err(NotSaved::LeaseLost) => tracing::warn!("the lease was lost; its next holder goes on"),
                Err(error) => {
                    tracing::error!(error = %error, "stopped half-way; the lease's next holder goes on")
                }
            }
        }
        .instrument(span)
        .await;
    }

    /// The tenant has lost its account on this platform since the gate opened.
    async fn no_account(&self, job: Job) -> Result<Then, NotSaved> {
        let error = LegError::new(
            ErrorClass::Account,
            "no-account",
            format!(
                "tenant {} has no account on {}",
                job.spec.key.tenant_id, job.spec.key.platform
            ),
            "onboard the tenant with an account there, then `retry`",
        );
        let finish = |report| Then::Finish {
            report,
            error: Some(Box::new(error.clone())),
        };
        let then = match job.kind {
            CommandKind::Build | CommandKind::Activate => finish(Report::Failed),
            CommandKind::Undo | CommandKind::Retire => finish(Report::UndoFailed),
            CommandKind::Hold | CommandKind::Release => Then::GiveBack {
                after: super::backoff::delay(job.attempts, None),
                why: format!("{}; {}", error.message, error.remedy),
                wait: None,
            },
        };
        self.tools
            .committer
            .save(Save {
                command_id: job.command_id,
                token: job.token,
                leg_id: job.leg_id,
                needs: Duration::ZERO,
                manifest: None,
                ended: Vec::new(),
                intents: Vec::new(),
                records: Vec::new(),
                facts: None,
                hold: None,
                finding: None,
                barred_by_pause: false,
                then: then.clone(),
            })
            .await?;
        Ok(then)
    }
}

fn report_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(error = %error, "a command's task ended by itself; its lease will run out and another takes it up");
    }
}
