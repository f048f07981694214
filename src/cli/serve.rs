//! `serve`: the roles of the service, as tasks of one process; any number of processes share the work out.
//!
//! Must not leave a dead task behind a living process: a role that ends by itself ends the process.

use super::Failure;
use crate::bus::consumer::Subscription;
use crate::bus::producer::Publisher;
use crate::platform::{self, Platform};
use crate::service::clocks::Clocks;
use crate::service::committer::Committer;
use crate::service::compose::Composer;
use crate::service::drive::Tools;
use crate::service::gatekeeper::Gatekeeper;
use crate::service::intake::{Acceptor, Intake};
use crate::service::relay::Relay;
use crate::service::worker::Worker;
use crate::telemetry::{self, LogFormat};
use crate::wiring::Wiring;
use clap::Args;
use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Run the service.
#[derive(Args)]
pub struct Serve {
    /// Only these roles: intake, gate, relay, clocks, worker, worker:<platform>
    #[arg(long, value_name = "ROLE,…", value_delimiter = ',')]
    only: Vec<String>,
}

impl Serve {
    /// Serves until a signal, then stops cleanly.
    pub async fn run(self, wiring: Wiring) -> Result<u8, Failure> {
        let roles = roles(&self.only)?;
        let telemetry = start_telemetry(&wiring)?;
        wiring.store.check_schema().await?;
        crate::bus::admin::check(&wiring.bus, &Wiring::topics()).await?;
        let listener = tokio::net::TcpListener::bind(wiring.config.http.listen)
            .await
            .map_err(|e| Failure::failed(format!("http.listen {}: {e}", wiring.config.http.listen)))?;
        let stop = CancellationToken::new();
        let mut tasks = spawn(&wiring, &roles, &stop)?;
        let http = tokio::spawn(crate::http::serve(listener, wiring.clone(), stop.clone()));
        tracing::info!(
            roles = roles.iter().cloned().collect::<Vec<_>>().join(","),
            listen = %wiring.config.http.listen,
            "ready"
        );
        let code = tokio::select! {
            () = signal() => 0,
            Some(ended) = tasks.join_next() => {
                tracing::error!(ended = ?ended.map(|role: String| role), "a role ended by itself; stopping");
                1
            }
        };
        stop.cancel();
        let deadline = Duration::from_secs(wiring.config.shutdown.deadline_s);
        let finish = async { while tasks.join_next().await.is_some() {} };
        tokio::select! {
            () = finish => tracing::info!("stopped cleanly"),
            () = tokio::time::sleep(deadline) => tracing::warn!("the deadline for stopping has passed; leaving what is in flight to the next process"),
            () = signal() => tracing::warn!("a second signal; leaving at once"),
        }
        http.abort();
        let _ = tokio::time::timeout(
            Duration::from_secs(3),
            tokio::task::spawn_blocking(|| telemetry.shutdown()),
        )
        .await;
        Ok(code)
    }
}

fn start_telemetry(wiring: &Wiring) -> Result<telemetry::Telemetry, Failure> {
    let log = &wiring.config.log;
    let text = log.format == "text" || log.format == "auto" && std::io::stderr().is_terminal();
    let format = if text { LogFormat::Text } else { LogFormat::Json };
    let endpoint = Some(wiring.config.otel.endpoint.as_str()).filter(|e| !e.is_empty());
    Ok(telemetry::install(&log.level, format, endpoint)?)
}

fn workers() -> BTreeSet<String> {
    platform::all()
        .iter()
        .map(|p| format!("worker:{}", p.name()))
        .collect()
}

/// Every role.
#[must_use]
pub fn all_roles() -> BTreeSet<String> {
    let mut all: BTreeSet<String> = ["intake", "gate", "relay", "clocks"].map(str::to_owned).into();
    all.extend(workers());
    all
}

/// The roles to run.
fn roles(only: &[String]) -> Result<BTreeSet<String>, Failure> {
    let all = all_roles();
    if only.is_empty() {
        return Ok(all);
    }
    let mut chosen = BTreeSet::new();
    for role in only {
        if role == "worker" {
            chosen.extend(workers());
        } else if all.contains(role) {
            chosen.insert(role.clone());
        } else {
            let known: Vec<&str> = all.iter().map(String::as_str).collect();
            return Err(Failure::invalid(format!("there is no role {role:?}"))
                .hint(format!("roles: worker, {}", known.join(", "))));
        }
    }
    Ok(chosen)
}

/// Starts the roles; each task tells its name when it ends.
pub fn spawn(
    wiring: &Wiring,
    roles: &BTreeSet<String>,
    stop: &CancellationToken,
) -> Result<JoinSet<String>, Failure> {
    let mut tasks = JoinSet::new();
    if roles.contains("intake") {
        let intake = Intake {
            store: wiring.store.clone(),
            clock: wiring.clock.clone(),
            pokes: wiring.pokes.clone(),
            max_plan_bytes: wiring.config.intake.max_plan_bytes,
            sla_s: wiring.config.sla.execution_s,
        };
        let topics = Intake::TOPICS.map(str::to_owned);
        let subscription = Subscription::join(&wiring.bus, "campaign-execution-intake", &topics)?;
        let stop = stop.clone();
        tasks.spawn(async move {
            intake.run(subscription, stop).await;
            "intake".to_owned()
        });
    }
    if roles.contains("gate") {
        let gatekeeper = Arc::new(Gatekeeper {
            store: wiring.store.clone(),
            outbound: wiring.outbound.clone(),
            clock: wiring.clock.clone(),
            pokes: wiring.pokes.clone(),
            config: wiring.gate(),
        });
        let stop = stop.clone();
        tasks.spawn(async move {
            gatekeeper.run(stop).await;
            "gate".to_owned()
        });
    }
    if roles.contains("relay") {
        let relay = Relay {
            store: wiring.store.clone(),
            publisher: Publisher::new(&wiring.bus)?,
            pokes: wiring.pokes.clone(),
        };
        let stop = stop.clone();
        tasks.spawn(async move {
            relay.run(stop).await;
            "relay".to_owned()
        });
    }
    if roles.contains("clocks") {
        let clocks = Clocks {
            store: wiring.store.clone(),
            outbound: wiring.outbound.clone(),
            clock: wiring.clock.clone(),
            pokes: wiring.pokes.clone(),
            base_urls: wiring.base_urls(),
        };
        let stop = stop.clone();
        tasks.spawn(async move {
            clocks.run(stop).await;
            "clocks".to_owned()
        });
    }
    for platform in platform::all() {
        if roles.contains(&format!("worker:{}", platform.name())) {
            spawn_worker(wiring, platform, stop, &mut tasks)?;
        }
    }
    Ok(tasks)
}

/// One platform's acceptor and worker, with a consumer group and a committer of their own.
fn spawn_worker(
    wiring: &Wiring,
    platform: Arc<dyn Platform>,
    stop: &CancellationToken,
    tasks: &mut JoinSet<String>,
) -> Result<(), Failure> {
    let name = platform.name();
    let acceptor = Acceptor {
        store: wiring.store.clone(),
        clock: wiring.clock.clone(),
        pokes: wiring.pokes.clone(),
        platform: name,
    };
    let group = format!("campaign-execution-{name}");
    let subscription = Subscription::join(&wiring.bus, &group, &[format!("launch.{name}")])?;
    let stopping = stop.clone();
    tasks.spawn(async move {
        acceptor.run(subscription, stopping).await;
        format!("acceptor:{name}")
    });
    let config = wiring.worker();
    let lease = config.lease_for(platform.traits().deadline);
    let (committer, committing) = Committer::spawn(
        wiring.store.clone(),
        Arc::new(Composer),
        wiring.clock.clone(),
        wiring.pokes.clone(),
        lease,
    );
    let worker = Arc::new(Worker {
        tools: Tools {
            platform: Arc::clone(&platform),
            committer,
            clock: wiring.clock.clone(),
        },
        store: wiring.store.clone(),
        outbound: wiring.outbound.clone(),
        base_url: wiring.base_url(platform.as_ref()),
        config,
        pokes: wiring.pokes.clone(),
    });
    let stopping = stop.clone();
    tasks.spawn(async move {
        worker.run(stopping).await;
        // The last handle is gone with the worker: the committer ends when it has committed everything.
        let _ = committing.await;
        format!("worker:{name}")
    });
    Ok(())
}

/// SIGTERM or Ctrl-C.
async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
        }
        Err(_) => {
            let _ = tokio::signal::ctrl_c().await;
        }
    }
}
