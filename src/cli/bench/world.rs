//! The bench's world: the servers that `make bench` started, the sandbox and `serve` as processes of their own.

use super::{listen, message};
use crate::bus::admin;
use crate::bus::consumer::Subscription;
use crate::bus::producer::Outgoing;
use crate::cli::Failure;
use crate::config::{self, Config};
use crate::domain::plan::Plan;
use crate::domain::tenant::Tenant;
use crate::platform;
use crate::service::intake::tenant_record;
use crate::wire;
use crate::wiring::Wiring;
use chrono::{Duration as Span, SecondsFormat};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PLAN: &str = include_str!("../../../schemas/examples/plan.approved.json");
const TENANT: &str = include_str!("../../../schemas/examples/tenant.onboarded.json");

/// What has been done so far.
pub struct Counts {
    /// Calls that changed something on a platform.
    pub writes: u64,
    /// All calls to the platforms.
    pub calls: u64,
    /// Transactions of the database, reads included.
    pub transactions: u64,
    /// Messages the service published.
    pub published: u64,
    /// The service's peak memory, kB.
    pub peak_kb: u64,
}

/// Everything the bench runs on.
pub struct World {
    /// The bench's own view of the service's parts.
    pub wiring: Wiring,
    /// Where the sandbox answers.
    pub sandbox: String,
    /// The tenant.
    pub tenant: Tenant,
    /// What the service publishes.
    pub events: Subscription,
    /// From the service's start until it was ready.
    pub ready_after: Duration,
    template: Value,
    service: Process,
    _sandbox: Process,
    _scratch: Scratch,
}

struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn failed(what: &str) -> impl Fn(std::io::Error) -> Failure {
    move |error| Failure::failed(format!("{what}: {error}"))
}

fn server(name: &str) -> Result<String, Failure> {
    let variable = format!("CAMPAIGN_EXECUTION_TEST_{name}");
    std::env::var(&variable).map_err(|_| {
        Failure::invalid(format!("{variable} is not set")).hint("run `make bench`: it starts the servers")
    })
}

impl World {
    /// Starts the processes and waits until the service is ready.
    pub async fn start(latency_ms: u64) -> Result<Self, Failure> {
        let (database, kafka) = (server("DATABASE_URL")?, server("KAFKA")?);
        let dir = std::env::temp_dir().join(format!("campaign-execution-bench-{}", std::process::id()));
        std::fs::create_dir_all(&dir).map_err(failed("a directory"))?;
        let scratch = Scratch(dir.clone());
        credentials(&dir).map_err(failed("credentials"))?;
        let program = std::env::current_exe().map_err(failed("our own program"))?;
        let (sandbox_port, http_port) = (free_port()?, free_port()?);
        let sandbox_at = format!("127.0.0.1:{sandbox_port}");
        let mut command = Command::new(&program);
        command.args([
            "sandbox",
            "--listen",
            &sandbox_at,
            "--latency-ms",
            &latency_ms.to_string(),
        ]);
        let sandbox_process = Process(
            command
                .stdout(Stdio::null())
                .spawn()
                .map_err(failed("the sandbox"))?,
        );
        let sandbox = format!("http://{sandbox_at}");
        let variables = variables(&database, &kafka, &sandbox, &dir, http_port);
        let wiring = Wiring::build(Config::load(Some(Path::new("/dev/null")), variables.clone())?)?;
        wiring.store.migrate().await?;
        admin::create(&wiring.bus, &Wiring::topics(), 4, 1).await?;
        let mut tenant: Tenant = serde_json::from_str(TENANT).map_err(|e| Failure::failed(e.to_string()))?;
        tenant.policy.launch_approval = crate::domain::tenant::LaunchApproval::Never;
        tenant.updated_at = wiring.clock.now();
        let record = tenant_record(&tenant, "cli:bench", wiring.clock.stamp());
        wiring.store.apply_tenant(&tenant, record).await?;
        let events = listen(&wiring)?;
        let began = Instant::now();
        let log = std::fs::File::create(dir.join("serve.log")).map_err(failed("a log"))?;
        let mut command = Command::new(&program);
        command.arg("serve").env_clear().envs(variables).stderr(log);
        let service = Process(command.spawn().map_err(failed("serve"))?);
        let mut world = Self {
            wiring,
            sandbox,
            tenant,
            events,
            ready_after: Duration::ZERO,
            template: Value::Null,
            service,
            _sandbox: sandbox_process,
            _scratch: scratch,
        };
        world.wait_until_ready(http_port, began).await?;
        world.template = world.template();
        Ok(world)
    }

    async fn wait_until_ready(&mut self, port: u16, began: Instant) -> Result<(), Failure> {
        let http = &self.wiring.outbound;
        loop {
            let request = http.http.get(format!("http://127.0.0.1:{port}/readyz"));
            if http
                .send(request, Duration::from_secs(2))
                .await
                .is_ok_and(|a| a.status == 200)
            {
                self.ready_after = began.elapsed();
                break;
            }
            if began.elapsed() > Duration::from_secs(20) {
                return Err(Failure::failed("the service did not become ready"));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        // Keep the journal short: the bench counts, it does not read.
        let request = http
            .http
            .post(format!("{}/control/world", self.sandbox))
            .json(&json!({ "journal_kept": 100 }));
        let _ = http.send(request, Duration::from_secs(2)).await;
        Ok(())
    }

    fn template(&self) -> Value {
        let mut plan: Value = serde_json::from_str(PLAN).unwrap_or_default();
        let known: HashSet<&str> = platform::all().iter().map(|p| p.name()).collect();
        let now = self.wiring.clock.now();
        let stamp = |days: i64| json!((now + Span::days(days)).to_rfc3339_opts(SecondsFormat::Secs, true));
        plan["approved_at"] = stamp(0);
        if let Some(campaigns) = plan["campaigns"].as_array_mut() {
            campaigns.retain(|c| c["platform"].as_str().is_some_and(|p| known.contains(p)));
            for campaign in campaigns {
                campaign["schedule"] = json!({ "start": stamp(30), "end": stamp(60) });
            }
        }
        plan
    }

    fn payload(&self, name: &str) -> Value {
        let mut plan = self.template.clone();
        plan["plan_id"] = json!(name);
        plan["plan_version"] = json!(format!("{name}.v1"));
        plan
    }

    /// A plan of its own.
    pub fn plan(&self, name: &str) -> Result<Plan, Failure> {
        wire::plan::parse(&self.payload(name)).map_err(|p| Failure::failed(wire::summary(&p)))
    }

    /// Its message.
    pub fn message(&self, plan: &Plan) -> Outgoing {
        message(
            plan,
            &self.payload(plan.plan_id.as_str()),
            &self.wiring.clock.stamp(),
        )
    }

    /// What has been done so far.
    pub async fn counts(&self) -> Result<Counts, Failure> {
        let http = &self.wiring.outbound;
        let request = http.http.get(format!("{}/control/counts", self.sandbox));
        let answer = http.send(request, Duration::from_secs(5)).await;
        let counts = answer
            .map_err(|e| Failure::failed(e.to_string()))?
            .json()
            .unwrap_or_default();
        let (mut writes, mut calls) = (0, 0);
        for platform in platform::all() {
            let (w, c) = sum(&counts, platform.name());
            writes += w;
            calls += c;
        }
        let (transactions, published) = self.wiring.store.activity().await?;
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.service.0.id())).unwrap_or_default();
        let peak_kb = status
            .lines()
            .find_map(|l| l.strip_prefix("VmHWM:"))
            .and_then(|l| l.trim().trim_end_matches(" kB").trim().parse().ok())
            .unwrap_or(0);
        Ok(Counts {
            writes,
            calls,
            transactions,
            published,
            peak_kb,
        })
    }

    /// How often a plan was taken in.
    pub async fn seen_again(&self, plan: &Plan) -> Result<i64, Failure> {
        Ok(self
            .wiring
            .store
            .times_seen(plan.tenant_id.as_str(), plan.plan_version.as_str())
            .await?)
    }

    /// Stops the processes.
    pub async fn stop(self) {
        self.events.leave(Duration::from_secs(2)).await;
    }
}

/// Effects and requests of one vendor, wherever the counts' tree holds them.
fn sum(counts: &Value, vendor: &str) -> (u64, u64) {
    let number = |v: &Value, name: &str| v.get(name).and_then(Value::as_u64).unwrap_or(0);
    let prefix = format!("{vendor}.");
    match counts {
        Value::Object(map) => map.iter().fold((0, 0), |(w, c), (name, value)| {
            if name.starts_with(&prefix) {
                (w + number(value, "effects"), c + number(value, "requests"))
            } else {
                let (iw, ic) = sum(value, vendor);
                (w + iw, c + ic)
            }
        }),
        Value::Array(list) => list.iter().fold((0, 0), |(w, c), value| {
            let named = value
                .get("method")
                .and_then(Value::as_str)
                .is_some_and(|m| m.starts_with(&prefix));
            let ours = named || value.get("vendor").and_then(Value::as_str) == Some(vendor);
            if ours {
                (w + number(value, "effects"), c + number(value, "requests"))
            } else {
                (w, c)
            }
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => (0, 0),
    }
}

fn free_port() -> Result<u16, Failure> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr());
    listener.map(|a| a.port()).map_err(failed("no free port"))
}

fn credentials(dir: &Path) -> std::io::Result<()> {
    let files = [
        (
            "acme-google",
            json!({ "client_id": "bench", "client_secret": "bench", "refresh_token": "bench" }),
        ),
        ("acme-tiktok", json!({ "access_token": "sandbox-tiktok-token" })),
        (
            "acme-meta",
            json!({ "access_token": "sandbox-meta-token", "app_secret": "sandbox-meta-secret" }),
        ),
        ("asset-library", json!({ "access_token": "bench" })),
    ];
    for (name, content) in files {
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
}

fn variables(database: &str, kafka: &str, sandbox: &str, dir: &Path, port: u16) -> Vec<(String, String)> {
    [
        ("DATABASE__URL", database.to_owned()),
        ("KAFKA__BOOTSTRAP_SERVERS", kafka.to_owned()),
        ("KAFKA__TOPIC_PREFIX", format!("bench-{}.", std::process::id())),
        ("CREDENTIALS__DIR", dir.display().to_string()),
        ("GOOGLE__OAUTH_TOKEN_URL", format!("{sandbox}/oauth/token")),
        ("GA4__ADMIN_BASE_URL", format!("{sandbox}/ga4-admin")),
        ("GA4__DATA_BASE_URL", format!("{sandbox}/ga4-data")),
        ("ASSET_LIBRARY__BASE_URL", format!("{sandbox}/assets")),
        ("HTTP__LISTEN", format!("127.0.0.1:{port}")),
        ("LOG__LEVEL", "warn".to_owned()),
    ]
    .map(|(n, v)| (format!("CAMPAIGN_EXECUTION__{n}"), v))
    .into_iter()
    .chain(config::sandboxed(sandbox))
    .collect()
}
