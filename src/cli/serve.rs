//! `serve`: the roles of the service, as tasks of one process; any number of processes share the work out.
//!
//! Must not leave a dead task behind a living process: a role that ends by itself ends the process.

use super::Failure;
use crate::telemetry::{self, LogFormat};
use crate::wiring::{Wiring, roles};
use clap::Args;
use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::time::Duration;
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
        let roles = chosen(&self.only)?;
        let telemetry = start_telemetry(&wiring)?;
        wiring.store.check_schema().await?;
        crate::bus::admin::check(&wiring.bus, &Wiring::topics()).await?;
        let listener = tokio::net::TcpListener::bind(wiring.config.http.listen)
            .await
            .map_err(|e| Failure::failed(format!("http.listen {}: {e}", wiring.config.http.listen)))?;
        let stop = CancellationToken::new();
        let mut tasks = roles::spawn(&wiring, &roles, &stop)?;
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

/// The roles to run.
fn chosen(only: &[String]) -> Result<BTreeSet<String>, Failure> {
    let all = roles::all();
    if only.is_empty() {
        return Ok(all);
    }
    let mut chosen = BTreeSet::new();
    for role in only {
        if role == "worker" {
            chosen.extend(roles::workers());
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

/// SIGTERM or Ctrl-C.
pub async fn signal() {
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
