//! The demo's world: a private PostgreSQL, an embedded broker (or the Kafka that KAFKA_BOOTSTRAP names), the sandbox,
//! credentials and a configuration that points at all of them.
//!
//! Must leave nothing running and nothing on the disk.

use super::postgres::PrivatePostgres;
use crate::bus::admin;
use crate::cli::Failure;
use crate::config::{self, Config};
use crate::sandbox;
use crate::wiring::Wiring;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use serde_json::json;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Everything the demo runs on.
pub struct World {
    /// The service's wiring.
    pub wiring: Wiring,
    /// Where the sandbox answers.
    pub sandbox: SocketAddr,
    /// What carries the messages, for people.
    pub broker: String,
    running: Option<sandbox::Running>,
    _embedded: Option<MockCluster<'static, DefaultProducerContext>>,
    _postgres: PrivatePostgres,
    // Last: fields are dropped in order, and the server must stop before its files go.
    _scratch: Scratch,
}

impl World {
    /// Brings it up.
    pub async fn start() -> Result<Self, Failure> {
        let dir = std::env::temp_dir().join(format!("campaign-execution-demo-{}", std::process::id()));
        std::fs::create_dir_all(&dir).map_err(|e| Failure::failed(format!("{}: {e}", dir.display())))?;
        let scratch = Scratch(dir.clone());
        let parent = dir.clone();
        let postgres = tokio::task::spawn_blocking(move || PrivatePostgres::start(&parent))
            .await
            .map_err(|e| Failure::failed(e.to_string()))??;
        let options = sandbox::Options {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            latency_ms: 20,
            seed: 1,
        };
        let running = sandbox::start(options)
            .await
            .map_err(|e| Failure::failed(format!("the sandbox: {e}")))?;
        let credentials = credentials(&dir)?;
        let (embedded, servers, prefix, broker) = broker()?;
        let base = format!("http://{}", running.addr);
        let variables = [
            ("DATABASE__URL", postgres.url.clone()),
            ("KAFKA__BOOTSTRAP_SERVERS", servers),
            ("KAFKA__TOPIC_PREFIX", prefix),
            ("KAFKA__PROPERTIES__FETCH_WAIT_MAX_MS", "20".to_owned()),
            ("CREDENTIALS__DIR", credentials.display().to_string()),
            ("GOOGLE__OAUTH_TOKEN_URL", format!("{base}/oauth/token")),
            ("GA4__ADMIN_BASE_URL", format!("{base}/ga4-admin")),
            ("GA4__DATA_BASE_URL", format!("{base}/ga4-data")),
            ("MERCHANT__BASE_URL", format!("{base}/merchant")),
            ("ASSET_LIBRARY__BASE_URL", format!("{base}/assets")),
        ];
        let variables = variables.map(|(n, v)| (format!("CAMPAIGN_EXECUTION__{n}"), v));
        let variables = variables.into_iter().chain(config::sandboxed(&base));
        // Embedded defaults: no file of the user's is read.
        let config = Config::load(Some(Path::new("/dev/null")), variables)?;
        let wiring = Wiring::build(config)?;
        wiring.store.migrate().await?;
        if let Some(cluster) = &embedded {
            for topic in Wiring::topics() {
                cluster
                    .create_topic(&wiring.bus.topic(&topic.name), 2, 1)
                    .map_err(|e| Failure::failed(format!("the embedded broker: {e}")))?;
            }
        } else {
            admin::create(&wiring.bus, &Wiring::topics(), 2, 1).await?;
        }
        Ok(Self {
            wiring,
            sandbox: running.addr,
            broker,
            running: Some(running),
            _embedded: embedded,
            _postgres: postgres,
            _scratch: scratch,
        })
    }

    /// Takes it down.
    pub async fn stop(mut self) {
        self.wiring.store.close().await;
        if let Some(running) = self.running.take() {
            running.shutdown().await;
        }
    }
}

/// The demo's directory; removed when dropped, however the demo ends.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

type Broker = (
    Option<MockCluster<'static, DefaultProducerContext>>,
    String,
    String,
    String,
);

fn broker() -> Result<Broker, Failure> {
    if let Ok(servers) = std::env::var("KAFKA_BOOTSTRAP") {
        let prefix = format!("demo-{}.", std::process::id());
        return Ok((None, servers.clone(), prefix, format!("Kafka at {servers}")));
    }
    let cluster = MockCluster::new(1).map_err(|e| Failure::failed(format!("the embedded broker: {e}")))?;
    let servers = cluster.bootstrap_servers();
    Ok((
        Some(cluster),
        servers,
        String::new(),
        "an embedded broker".to_owned(),
    ))
}

fn credentials(dir: &Path) -> Result<PathBuf, Failure> {
    let dir = dir.join("credentials");
    let files = [
        (
            "acme-google",
            json!({ "client_id": "demo", "client_secret": "demo", "refresh_token": "demo" }),
        ),
        ("acme-tiktok", json!({ "access_token": "sandbox-tiktok-token" })),
        (
            "acme-meta",
            json!({ "access_token": "sandbox-meta-token", "app_secret": "sandbox-meta-secret" }),
        ),
        ("asset-library", json!({ "access_token": "demo" })),
    ];
    let write = || -> std::io::Result<()> {
        std::fs::create_dir_all(&dir)?;
        for (name, content) in &files {
            use std::io::Write;
            let path = dir.join(format!("{name}.json"));
            let mut file = std::fs::OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(path)?;
            file.write_all(content.to_string().as_bytes())?;
        }
        Ok(())
    };
    write().map_err(|e| Failure::failed(format!("{}: {e}", dir.display())))?;
    Ok(dir)
}
