//! Group commit: the steps of many legs in one transaction. While one commit is on its way the next group gathers, so the
//! group's size follows the load by itself and a single leg never waits for company.
//!
//! Must not reorder the steps of one leg: a worker waits for each before it makes the next.

use crate::clock::SharedClock;
use crate::service::poke::Pokes;
use crate::store::moves::Compose;
use crate::store::progress::{Save, Saved, Then};
use crate::store::{Store, StoreError};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// The largest group.
const GROUP: usize = 128;
/// How often a group is tried when the database is not there.
const TRIES: u32 = 5;

/// What a save came to for the one who asked.
#[derive(Debug, thiserror::Error)]
pub enum NotSaved {
    /// Another worker has the command now, or the lease was about to end.
    #[error("the lease was lost")]
    LeaseLost,
    /// The tenant is paused: the intents were not committed and nothing may be sent. The lease is still held.
    #[error("the tenant is paused")]
    Paused,
    /// The database could not be reached, or refused: whether it was written is not known.
    #[error("the step could not be saved: {0}")]
    Failed(Arc<StoreError>),
    /// The committer has stopped.
    #[error("stopping")]
    Stopping,
}

/// What the saver may do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Onward {
    /// Go on.
    Go,
    /// The execution was turned round: no further write call.
    Stop,
}

/// A step to be saved, and who waits for it.
pub(crate) type Ask = (Save, oneshot::Sender<Result<Onward, NotSaved>>);

/// Hands steps to the committing task.
#[derive(Clone)]
pub struct Committer {
    asks: mpsc::Sender<Ask>,
    commits: Arc<AtomicU64>,
}

impl Committer {
    /// Starts the committing task; it ends when the last handle is dropped.
    #[must_use]
    pub fn spawn(
        store: Store,
        compose: Arc<dyn Compose>,
        clock: SharedClock,
        pokes: Pokes,
        lease: Duration,
    ) -> (Self, tokio::task::JoinHandle<()>) {
        let (asks, inbox) = mpsc::channel(1024);
        let commits = Arc::new(AtomicU64::new(0));
        let task = Task {
            store,
            compose,
            clock,
            pokes,
            lease,
            commits: Arc::clone(&commits),
        };
        (Self { asks, commits }, tokio::spawn(task.run(inbox)))
    }

    /// Hands every step to this channel; whoever holds its end commits them.
    #[cfg(test)]
    pub(crate) fn handing_to(asks: mpsc::Sender<Ask>) -> Self {
        Self {
            asks,
            commits: Arc::default(),
        }
    }

    /// Waits until the step is committed; whether the worker may go on.
    ///
    /// # Errors
    /// [`NotSaved`]: the caller must stop working on the command at once.
    pub async fn save(&self, save: Save) -> Result<Onward, NotSaved> {
        let (answer, wait) = oneshot::channel();
        self.asks
            .send((save, answer))
            .await
            .map_err(|_| NotSaved::Stopping)?;
        wait.await.map_err(|_| NotSaved::Stopping)?
    }

    /// How many transactions it has committed.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }
}

struct Task {
    store: Store,
    compose: Arc<dyn Compose>,
    clock: SharedClock,
    pokes: Pokes,
    lease: Duration,
    commits: Arc<AtomicU64>,
}

impl Task {
    async fn run(self, mut inbox: mpsc::Receiver<Ask>) {
        let mut group: Vec<Ask> = Vec::with_capacity(GROUP);
        while inbox.recv_many(&mut group, GROUP).await > 0 {
            let (saves, answers): (Vec<Save>, Vec<_>) = group.drain(..).unzip();
            match self.commit(&saves).await {
                Ok(saved) => answer_each(answers, saved),
                Err(error) if saves.len() == 1 || matches!(error, StoreError::Unavailable(_)) => {
                    fail_all(answers, error);
                }
                // One bad step must not take the others with it.
                Err(_) => self.one_by_one(saves, answers).await,
            }
        }
    }

    async fn one_by_one(&self, saves: Vec<Save>, answers: Vec<oneshot::Sender<Result<Onward, NotSaved>>>) {
        for (save, answer) in saves.into_iter().zip(answers) {
            match self.commit(std::slice::from_ref(&save)).await {
                Ok(saved) => answer_each(vec![answer], saved),
                Err(error) => fail_all(vec![answer], error),
            }
        }
    }

    /// Commits, trying again while the database is away: what a call came to must not be lost for a restart's sake.
    async fn commit(&self, saves: &[Save]) -> Result<Vec<Saved>, StoreError> {
        let mut tries = 0;
        loop {
            let stamp = self.clock.stamp();
            match self
                .store
                .save_progress(self.compose.as_ref(), saves, self.lease, &stamp)
                .await
            {
                Ok(saved) => {
                    self.commits.fetch_add(1, Ordering::Relaxed);
                    if saves.iter().any(|s| matches!(s.then, Then::Finish { .. })) {
                        self.pokes.relay.notify_one();
                    }
                    return Ok(saved);
                }
                Err(error @ StoreError::Unavailable(_)) => {
                    tries += 1;
                    if tries == TRIES {
                        return Err(error);
                    }
                    tracing::warn!(error = %error, tries, "the database does not answer; trying the group again");
                    tokio::time::sleep(Duration::from_millis(100 << tries)).await;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

fn answer_each(answers: Vec<oneshot::Sender<Result<Onward, NotSaved>>>, saved: Vec<Saved>) {
    for (answer, saved) in answers.into_iter().zip(saved) {
        // The asker may have been cancelled; what was saved stays saved.
        let _ = answer.send(match saved {
            Saved::Yes => Ok(Onward::Go),
            Saved::Withdrawn => Ok(Onward::Stop),
            Saved::LeaseLost => Err(NotSaved::LeaseLost),
            Saved::Paused => Err(NotSaved::Paused),
        });
    }
}

fn fail_all(answers: Vec<oneshot::Sender<Result<Onward, NotSaved>>>, error: StoreError) {
    let error = Arc::new(error);
    for answer in answers {
        let _ = answer.send(Err(NotSaved::Failed(Arc::clone(&error))));
    }
}
