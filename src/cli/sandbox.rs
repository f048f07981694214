//! `sandbox`: the platforms as seen from outside, for demos, staging and tests.

use super::Failure;
use super::output::Output;
use clap::Args;
use std::net::SocketAddr;

/// Answer as the platforms do.
#[derive(Args)]
pub struct Sandbox {
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:8090", value_name = "ADDR")]
    listen: SocketAddr,
    /// How long every answer takes, milliseconds
    #[arg(long, default_value_t = 0, value_name = "N")]
    latency_ms: u64,
    /// Where ids and chances start
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
}

impl Sandbox {
    /// Serves until Ctrl-C or SIGTERM.
    pub async fn run(self, output: &Output) -> Result<u8, Failure> {
        let options = crate::sandbox::Options {
            listen: self.listen,
            latency_ms: self.latency_ms,
            seed: self.seed,
        };
        let running = crate::sandbox::start(options)
            .await
            .map_err(|e| Failure::failed(format!("couldn't listen on {}: {e}", self.listen)))?;
        output.line(format!(
            "sandbox: http://{}/google-ads /meta /ga4-admin /ga4-data /oauth/token /assets",
            running.addr
        ));
        output.line(format!(
            "         http://{}/control/objects /control/requests /control/faults /control/world",
            running.addr
        ));
        super::serve::signal().await;
        running.shutdown().await;
        Ok(0)
    }
}
