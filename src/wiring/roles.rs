//! The roles of the service as tasks: what each is made of. Any number of processes share the work out.
//!
//! Must not decide which roles run (`serve` and the tests do).

use super::Wiring;
use crate::bus::BusError;
use crate::bus::consumer::Subscription;
use crate::bus::producer::Publisher;
use crate::platform::{self, Platform};
use crate::service::alerts::Alerts;
use crate::service::checks::Checks;
use crate::service::clocks::Clocks;
use crate::service::committer::Committer;
use crate::service::compose::Composer;
use crate::service::deadlines::{Deadlines, Teller};
use crate::service::drift::Drift;
use crate::service::drive::Tools;
use crate::service::gate::{Gatekeeper, Questions};
use crate::service::intake::{Acceptor, Intake};
use crate::service::overwrite::Overwriting;
use crate::service::relay::Relay;
use crate::service::rollback::Foresight;
use crate::service::worker::Worker;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

/// Every platform's worker.
#[must_use]
pub fn workers() -> BTreeSet<String> {
    platform::all()
        .iter()
        .map(|p| format!("worker:{}", p.name()))
        .collect()
}

/// Every role.
#[must_use]
pub fn all() -> BTreeSet<String> {
    let mut all: BTreeSet<String> = ["intake", "gate", "relay", "clocks"].map(str::to_owned).into();
    all.extend(workers());
    all
}

impl Wiring {
    /// Takes messages in.
    #[must_use]
    pub fn intake(&self) -> Intake {
        Intake {
            store: self.store.clone(),
            clock: self.clock.clone(),
            pokes: self.pokes.clone(),
            max_plan_bytes: self.config.intake.max_plan_bytes,
            limits: self.limits(),
        }
    }

    /// Keeps the gate.
    #[must_use]
    pub fn gatekeeper(&self) -> Gatekeeper {
        Gatekeeper {
            store: self.store.clone(),
            outbound: self.outbound.clone(),
            clock: self.clock.clone(),
            pokes: self.pokes.clone(),
            config: self.gate(),
            library: self.library.clone(),
            flights: Questions::default(),
        }
    }

    /// Looks at what the platforms hold.
    #[must_use]
    pub fn drift(&self) -> Drift {
        Drift {
            store: self.store.clone(),
            outbound: self.outbound.clone(),
            base_urls: self.base_urls(),
            clock: self.clock.clone(),
        }
    }

    /// Compares with the platforms what was asked about again.
    #[must_use]
    pub fn checks(&self) -> Checks {
        Checks {
            store: self.store.clone(),
            drift: self.drift(),
            clock: self.clock.clone(),
            pokes: self.pokes.clone(),
        }
    }

    /// Tells what an amendment would do to what somebody changed.
    #[must_use]
    pub fn overwriting(&self) -> Overwriting {
        Overwriting {
            store: self.store.clone(),
            outbound: self.outbound.clone(),
            base_urls: self.base_urls(),
        }
    }

    /// Tells what a rollback would do.
    #[must_use]
    pub fn foresight(&self) -> Foresight {
        Foresight {
            store: self.store.clone(),
            outbound: self.outbound.clone(),
            base_urls: self.base_urls(),
        }
    }

    /// Watches the time.
    #[must_use]
    pub fn clocks(&self) -> Clocks {
        Clocks {
            store: self.store.clone(),
            outbound: self.outbound.clone(),
            clock: self.clock.clone(),
            pokes: self.pokes.clone(),
            base_urls: self.base_urls(),
        }
    }

    /// Keeps the deadlines.
    #[must_use]
    pub fn deadlines(&self) -> Deadlines {
        Deadlines {
            store: self.store.clone(),
            clock: self.clock.clone(),
            pokes: self.pokes.clone(),
            teller: Teller {
                receivers: self.receivers(),
            },
            limits: self.limits(),
        }
    }

    /// Tells people.
    #[must_use]
    pub fn alerts(&self) -> Alerts {
        let give_up = u64::try_from(self.config.sla.alert_give_up_s).unwrap_or(0);
        Alerts {
            store: self.store.clone(),
            outbound: self.outbound.clone(),
            clock: self.clock.clone(),
            pokes: self.pokes.clone(),
            receivers: self.receivers(),
            give_up: Duration::from_secs(give_up),
        }
    }

    /// Accepts a platform's commands.
    #[must_use]
    pub fn acceptor(&self, platform: &'static str) -> Acceptor {
        Acceptor {
            store: self.store.clone(),
            clock: self.clock.clone(),
            pokes: self.pokes.clone(),
            platform,
        }
    }

    /// Carries a platform's commands out; and the task that commits for it, which ends with it.
    #[must_use]
    pub fn worker_of(&self, platform: Arc<dyn Platform>) -> (Worker, JoinHandle<()>) {
        let config = self.worker();
        let lease = config.lease_for(platform.as_ref());
        let (committer, committing) = Committer::spawn(
            self.store.clone(),
            Arc::new(Composer),
            self.clock.clone(),
            self.pokes.clone(),
            lease,
        );
        let worker = Worker {
            base_url: self.base_url(platform.as_ref()),
            tools: Tools {
                platform,
                committer,
                clock: self.clock.clone(),
                store: self.store.clone(),
                library: self.library.clone(),
                undoes: Arc::new(self.store.clone()),
            },
            store: self.store.clone(),
            outbound: self.outbound.clone(),
            config,
            pokes: self.pokes.clone(),
        };
        (worker, committing)
    }
}

/// Starts the roles; each task tells its name when it ends.
///
/// # Errors
/// [`BusError`] when a Kafka client cannot be made.
pub fn spawn(
    wiring: &Wiring,
    roles: &BTreeSet<String>,
    stop: &CancellationToken,
) -> Result<JoinSet<String>, BusError> {
    let mut tasks = JoinSet::new();
    if roles.contains("intake") {
        let topics = Intake::TOPICS.map(str::to_owned);
        let subscription = Subscription::join(&wiring.bus, "campaign-execution-intake", &topics)?;
        let (intake, stop) = (wiring.intake(), stop.clone());
        tasks.spawn(async move {
            intake.run(subscription, stop).await;
            "intake".to_owned()
        });
    }
    if roles.contains("gate") {
        let (gatekeeper, stop) = (Arc::new(wiring.gatekeeper()), stop.clone());
        tasks.spawn(async move {
            gatekeeper.run(stop).await;
            "gate".to_owned()
        });
    }
    if roles.contains("relay") {
        let publisher = Publisher::new(&wiring.bus)?;
        let relay = Relay {
            store: wiring.store.clone(),
            publisher,
            pokes: wiring.pokes.clone(),
        };
        let stop = stop.clone();
        tasks.spawn(async move {
            relay.run(stop).await;
            "relay".to_owned()
        });
    }
    if roles.contains("clocks") {
        spawn_clocks(wiring, stop, &mut tasks);
        let (checks, stop) = (wiring.checks(), stop.clone());
        tasks.spawn(async move {
            checks.run(stop).await;
            "checks".to_owned()
        });
    }
    for platform in platform::all() {
        if roles.contains(&format!("worker:{}", platform.name())) {
            spawn_worker(wiring, platform, stop, &mut tasks)?;
        }
    }
    Ok(tasks)
}

/// What time does: flights that begin, deadlines, and the alerts that follow. Each by itself, so that none waits for a platform or a
/// receiver that another one asks.
fn spawn_clocks(wiring: &Wiring, stop: &CancellationToken, tasks: &mut JoinSet<String>) {
    let (clocks, stopping) = (wiring.clocks(), stop.clone());
    tasks.spawn(async move {
        clocks.run(stopping).await;
        "clocks".to_owned()
    });
    let (deadlines, stopping) = (wiring.deadlines(), stop.clone());
    tasks.spawn(async move {
        deadlines.run(stopping).await;
        "deadlines".to_owned()
    });
    let (alerts, stopping) = (wiring.alerts(), stop.clone());
    tasks.spawn(async move {
        alerts.run(stopping).await;
        "alerts".to_owned()
    });
}

/// One platform's acceptor and worker, with a consumer group and a committer of their own.
fn spawn_worker(
    wiring: &Wiring,
    platform: Arc<dyn Platform>,
    stop: &CancellationToken,
    tasks: &mut JoinSet<String>,
) -> Result<(), BusError> {
    let name = platform.name();
    let acceptor = wiring.acceptor(name);
    let group = format!("campaign-execution-{name}");
    let subscription = Subscription::join(&wiring.bus, &group, &[format!("launch.{name}")])?;
    let stopping = stop.clone();
    tasks.spawn(async move {
        acceptor.run(subscription, stopping).await;
        format!("acceptor:{name}")
    });
    let (worker, committing) = wiring.worker_of(platform);
    let (worker, stopping) = (Arc::new(worker), stop.clone());
    tasks.spawn(async move {
        worker.run(stopping).await;
        // The last handle is gone with the worker: the committer ends when it has committed everything.
        let _ = committing.await;
        format!("worker:{name}")
    });
    Ok(())
}
