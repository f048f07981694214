//! The service under test: production wiring, a database of its own, the sandbox on a port of its own, and steps instead of
//! loops. Kafka's place is taken by a pump that hands outbox rows to the acceptors; tests of the bus use a real broker.
//!
//! Must not sleep: what waits for a time is made due (`warp`), what waits for a step is stepped (`settle`).

use campaign_execution::bus::consumer::Delivery;
use campaign_execution::config::{self, Config};
use campaign_execution::platform::{self, Platform};
use campaign_execution::sandbox::{self, Options, Running};
use campaign_execution::service::compose::Composer;
use campaign_execution::service::worker::Worker;
use campaign_execution::store::decide::Decision;
use campaign_execution::store::outbox::{Body, Queued};
use campaign_execution::store::views::{ExecutionView, LegView};
use campaign_execution::wire::{self, schema};
use campaign_execution::wiring::Wiring;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::time::Duration;

/// Where the stack's PostgreSQL is.
pub fn database_url() -> String {
    std::env::var("CAMPAIGN_EXECUTION_TEST_DATABASE_URL")
        .expect("run me with `make test`: it starts the servers")
}

static NEXT: AtomicU32 = AtomicU32::new(0);

/// A name that no other test of this run has.
pub fn unique(what: &str) -> String {
    format!(
        "{what}_{}_{}",
        std::process::id(),
        NEXT.fetch_add(1, Ordering::Relaxed)
    )
}

/// An event that the service published.
#[derive(Debug, Clone)]
pub struct Event {
    pub topic: String,
    pub id: String,
    pub data: Value,
}

/// The service under test.
pub struct App {
    pub wiring: Wiring,
    _sandbox: Running,
    pub url: String,
    pub variables: Vec<(String, String)>,
    /// The database, as its owner.
    owner: String,
    workers: Vec<Worker>,
    offset: AtomicI64,
    events: std::sync::Mutex<Vec<Event>>,
    dir: tempfile::TempDir,
}

impl App {
    /// A service with nothing in it but its schema and the contract's tenant, whose launches need no approval.
    pub async fn start() -> Self {
        let app = Self::bare().await;
        app.onboard(|_| ()).await;
        app
    }

    /// The same with adapters that a test has changed.
    pub async fn start_with(change: impl Fn(Arc<dyn Platform>) -> Arc<dyn Platform>) -> Self {
        let app = Self::bare_with(change).await;
        app.onboard(|_| ()).await;
        app
    }

    /// The same without a tenant.
    pub async fn bare() -> Self {
        Self::bare_with(|platform| platform).await
    }

    /// The same as the role that the service runs as in production: the schema's owner is another.
    pub async fn start_as_role(change: impl Fn(Arc<dyn Platform>) -> Arc<dyn Platform>) -> Self {
        let owners = create_database().await;
        create_role().await;
        let owner = campaign_execution::store::Store::open(&owners, 4).expect("a URL");
        owner.migrate().await.expect("migrations");
        owner.close().await;
        let (scheme, rest) = owners.split_once("://").expect("a URL");
        let place = rest.split_once('@').map_or(rest, |(_, place)| place);
        let database = format!("{scheme}://campaign_execution_app@{place}");
        let mut app = Self::over(database, change).await;
        app.owner = owners;
        app.onboard(|_| ()).await;
        app
    }

    async fn bare_with(change: impl Fn(Arc<dyn Platform>) -> Arc<dyn Platform>) -> Self {
        let database = create_database().await;
        Self::over(database, change).await
    }

    async fn over(database: String, change: impl Fn(Arc<dyn Platform>) -> Arc<dyn Platform>) -> Self {
        let running = sandbox::start(Options {
            listen: ([127, 0, 0, 1], 0).into(),
            latency_ms: 0,
            seed: 7,
        })
        .await
        .expect("the sandbox starts");
        let dir = tempfile::tempdir().expect("a directory");
        write_credentials(dir.path());
        let variables = variables(&database, &running.url(""), dir.path());
        let config = Config::load(Some(std::path::Path::new("/dev/null")), variables.clone())
            .expect("a configuration");
        let wiring = Wiring::build(config).expect("wiring");
        if wiring.store.check_schema().await.is_err() {
            wiring.store.migrate().await.expect("migrations");
        }
        let workers = platform::all()
            .into_iter()
            .map(|p| wiring.worker_of(change(p)).0)
            .collect();
        Self {
            owner: database,
            url: format!("http://{}", running.addr),
            wiring,
            _sandbox: running,
            variables,
            workers,
            offset: AtomicI64::new(0),
            events: std::sync::Mutex::default(),
            dir,
        }
    }

    /// Where a process of its own logs to.
    pub fn log(&self) -> std::path::PathBuf {
        self.dir.path().join("serve.log")
    }

    /// Onboards the contract's tenant, changed as the test likes.
    pub async fn onboard(&self, change: impl Fn(&mut Value)) {
        let mut tenant = super::plans::tenant();
        tenant["policy"]["launch_approval"] = json!("never");
        change(&mut tenant);
        self.deliver("tenant.onboarded", tenant.to_string().into_bytes())
            .await;
    }

    /// Takes a message in as intake would.
    pub async fn deliver(&self, topic: &str, payload: Vec<u8>) {
        let offset = self.offset.fetch_add(1, Ordering::Relaxed);
        let delivery = Delivery::again(topic, 0, offset, b"k".to_vec(), Vec::new(), payload);
        self.wiring
            .intake()
            .step(&delivery)
            .await
            .expect("the message is taken in");
    }

    /// Takes a plan in.
    pub async fn publish(&self, plan: &Value) {
        self.deliver("plan.approved", plan.to_string().into_bytes()).await;
    }

    /// Approves a launch.
    pub async fn approve(&self, plan: &Value) {
        let text = |name: &str| plan[name].as_str().expect("a text").to_owned();
        let decision = Decision {
            tenant_id: text("tenant_id"),
            plan_id: None,
            plan_version: text("plan_version"),
            approve: true,
            by: "tester".to_owned(),
            reason: None,
            shown: None,
            decided_at: None,
            via: "cli",
            now: self.wiring.clock.stamp(),
            compose: Arc::new(Composer),
        };
        self.wiring
            .store
            .decide(&decision)
            .await
            .expect("a decision")
            .expect("an execution");
    }

    /// Steps everything until nothing is left that is due. Where a platform has moved a start that was over to another day (DV360 begins
    /// nothing today), that day comes.
    pub async fn settle(&self) {
        self.settle_today().await;
        let waiting = "UPDATE leg SET watch_at = clock_timestamp() WHERE state = 'scheduled' AND starts_at <= clock_timestamp()
            AND review_since IS NULL AND hold IS NULL";
        if self.sql(waiting).await > 0 {
            self.world(json!({ "clock_ahead_s": 26 * 3600 })).await;
            self.wiring.clocks().step().await.expect("the clocks tick");
            self.world(json!({ "clock_ahead_s": 0 })).await;
            self.settle_today().await;
        }
    }

    /// Steps everything until nothing is left that is due, on this very day.
    pub async fn settle_today(&self) {
        let gatekeeper = self.wiring.gatekeeper();
        for _ in 0..1000 {
            let mut done = gatekeeper.step().await.expect("the gate is asked");
            done += self.pump().await;
            for worker in &self.workers {
                done += worker.step().await.expect("commands are leased");
            }
            if done == 0 {
                return;
            }
        }
        panic!("the service never came to rest");
    }

    /// Settles, and makes due what waits for a time, until every execution is at rest (or `rounds` are over).
    pub async fn settle_and_warp(&self, rounds: usize) {
        for _ in 0..rounds {
            self.settle().await;
            if self.at_rest().await {
                return;
            }
            self.warp().await;
        }
    }

    /// One platform's worker takes one step.
    pub async fn work(&self, platform: &str) -> usize {
        let worker = self
            .workers
            .iter()
            .find(|w| w.tools.platform.name() == platform)
            .expect("a worker");
        worker.step().await.expect("commands are leased")
    }

    /// Outbox → acceptors and events, as relay and Kafka would.
    pub async fn pump(&self) -> usize {
        let queued = self.wiring.store.unpublished(1000).await.expect("the outbox");
        let mut by_platform: BTreeMap<String, Vec<Delivery>> = BTreeMap::new();
        for row in &queued {
            let topic = &row.message.topic;
            if let Some(platform) = topic.strip_prefix("launch.").filter(|t| !t.ends_with(".dlq")) {
                by_platform
                    .entry(platform.to_owned())
                    .or_default()
                    .push(delivery(row));
            }
            self.hear(row);
        }
        for platform in platform::all() {
            if let Some(deliveries) = by_platform.get(platform.name()) {
                self.wiring
                    .acceptor(platform.name())
                    .step(deliveries)
                    .await
                    .expect("commands are accepted");
            }
        }
        let ids: Vec<i64> = queued.iter().map(|q| q.id).collect();
        self.wiring.store.published(&ids).await.expect("marked");
        ids.len()
    }

    /// Every event is checked against its schema as it goes out.
    fn hear(&self, row: &Queued) {
        let Body::Json(data) = &row.message.body else {
            let event = Event {
                topic: row.message.topic.clone(),
                id: row.message.event_id.clone(),
                data: row.message.headers.clone(),
            };
            self.events.lock().expect("events").push(event);
            return;
        };
        let name = if row.message.topic.starts_with("launch.") {
            "launch.command"
        } else {
            &row.message.topic
        };
        assert_eq!(
            schema::validate(name, data),
            [],
            "{} does not keep to its schema: {data}",
            row.message.topic
        );
        let event = Event {
            topic: row.message.topic.clone(),
            id: row.message.event_id.clone(),
            data: data.clone(),
        };
        self.events.lock().expect("events").push(event);
    }

    /// What was published on a topic.
    pub fn events(&self, topic: &str) -> Vec<Event> {
        let events = self.events.lock().expect("events");
        events.iter().filter(|e| e.topic == topic).cloned().collect()
    }

    /// What was published, in order.
    pub fn all_events(&self) -> Vec<Event> {
        self.events.lock().expect("events").clone()
    }

    /// Makes due what waits for a time: retries, settle times, dead workers' leases, gates.
    pub async fn warp(&self) {
        for statement in [
            "UPDATE command SET not_before = clock_timestamp(), lease_until = NULL WHERE state = 'queued'",
            "UPDATE execution_manifest SET unknown_until = clock_timestamp() WHERE unknown_until IS NOT NULL",
            "UPDATE execution SET gate_at = clock_timestamp(), gate_lease = NULL",
            "UPDATE platform_asset SET lease_until = NULL, unknown_until = clock_timestamp() WHERE state <> 'ready'",
            "UPDATE leg SET watch_at = clock_timestamp() WHERE watch_at IS NOT NULL",
            "DELETE FROM probe_verdict",
            "DELETE FROM ga4_budget",
        ] {
            self.sql(statement).await;
        }
    }

    /// Runs a statement behind the service's back.
    pub async fn sql(&self, statement: &'static str) -> u64 {
        let mut connection = PgConnection::connect(&self.owner).await.expect("a connection");
        let done = sqlx::query(statement)
            .execute(&mut connection)
            .await
            .expect(statement);
        done.rows_affected()
    }

    /// Reads one number behind the service's back.
    pub async fn number(&self, query: &'static str) -> i64 {
        let mut connection = self.connect().await;
        sqlx::query_scalar(query)
            .fetch_one(&mut connection)
            .await
            .expect(query)
    }

    pub async fn connect(&self) -> PgConnection {
        let (_, url) = self
            .variables
            .iter()
            .find(|(n, _)| n.ends_with("DATABASE__URL"))
            .expect("a URL");
        PgConnection::connect(url).await.expect("a connection")
    }

    /// Every execution has come to rest.
    pub async fn at_rest(&self) -> bool {
        let moving = "SELECT count(*) FROM execution
            WHERE gate = 'open' AND settled IS NULL OR gate = 'pending' AND saga IS NOT NULL";
        self.number(moving).await == 0
            && self
                .number("SELECT count(*) FROM outbox WHERE published_at IS NULL")
                .await
                == 0
    }

    /// The execution of a plan version.
    pub async fn execution(&self, plan: &Value) -> ExecutionView {
        let (tenant, version) = (plan["tenant_id"].as_str(), plan["plan_version"].as_str());
        let found = self.wiring.store.executions(tenant, version, 1).await;
        found.expect("executions").pop().expect("the execution")
    }

    /// The legs of a plan version, in its order.
    pub async fn leg_views(&self, plan: &Value) -> Vec<LegView> {
        let execution = self.execution(plan).await;
        let legs = self.wiring.store.legs(execution.id, 20_000).await;
        legs.expect("legs")
    }

    /// The legs of a plan version: `platform/key` → state.
    pub async fn legs(&self, plan: &Value) -> BTreeMap<String, String> {
        let legs = self.leg_views(plan).await;
        legs.into_iter()
            .map(|l| (format!("{}/{}", l.platform, l.logical_campaign_key), l.state))
            .collect()
    }

    // ---- the sandbox -----------------------------------------------------------------------------------------------

    pub async fn control(&self, method: reqwest::Method, path: &str, body: Option<&Value>) -> Value {
        let mut request = self
            .wiring
            .outbound
            .http
            .request(method, format!("{}/control/{path}", self.url));
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = self
            .wiring
            .outbound
            .send(request, Duration::from_secs(10))
            .await
            .expect("the sandbox answers");
        let value = answer.json().unwrap_or_default();
        assert!(answer.status < 300, "the sandbox refused {path}: {value}");
        value
    }

    /// Arms a fault.
    pub async fn fault(&self, fault: Value) {
        self.control(reqwest::Method::POST, "faults", Some(&fault)).await;
    }

    /// Disarms every fault.
    pub async fn mend(&self) {
        self.control(reqwest::Method::DELETE, "faults", None).await;
    }

    /// Changes the world.
    pub async fn world(&self, change: Value) {
        self.control(reqwest::Method::POST, "world", Some(&change)).await;
    }

    /// What exists on the platforms and is not removed.
    pub async fn objects(&self, vendor: &str) -> Vec<Value> {
        let answer = self
            .control(reqwest::Method::GET, &format!("objects?vendor={vendor}"), None)
            .await;
        let list = answer
            .as_array()
            .or_else(|| answer["objects"].as_array())
            .cloned()
            .unwrap_or_default();
        let gone = |o: &&Value| !matches!(o["status"].as_str(), Some("REMOVED" | "DELETED"));
        list.iter().filter(gone).cloned().collect()
    }

    /// How many calls changed something on the platforms.
    pub async fn effects(&self) -> u64 {
        let answer = self
            .control(reqwest::Method::GET, "requests?mutations=true&limit=100000", None)
            .await;
        let list = answer
            .as_array()
            .or_else(|| answer["requests"].as_array())
            .cloned()
            .unwrap_or_default();
        let platforms = platform::all();
        let of_ours = |r: &&Value| platforms.iter().any(|p| r["vendor"] == p.name());
        list.iter().filter(of_ours).count() as u64
    }

    /// Nothing was made twice: one object per name, kind and parent.
    pub async fn assert_no_duplicates(&self) {
        let mut seen: BTreeMap<[String; 4], u32> = BTreeMap::new();
        for platform in platform::all() {
            for object in self.objects(platform.name()).await {
                let text = |name: &str| object[name].as_str().unwrap_or_default().to_owned();
                if !text("name").is_empty() {
                    *seen
                        .entry(["vendor", "kind", "parent", "name"].map(text))
                        .or_default() += 1;
                }
            }
        }
        let twice: Vec<_> = seen.iter().filter(|(_, n)| **n > 1).collect();
        assert!(twice.is_empty(), "made twice: {twice:?}");
    }

    /// The audit chain is whole.
    pub async fn assert_audit_whole(&self) {
        for chain in self
            .wiring
            .store
            .verify_audit(None)
            .await
            .expect("the chain is read")
        {
            assert_eq!(chain.broken, None, "tenant {}", chain.tenant_id);
        }
    }
}

fn delivery(row: &Queued) -> Delivery {
    let payload = match &row.message.body {
        Body::Json(value) => value.to_string().into_bytes(),
        Body::Raw(bytes) => bytes.clone(),
    };
    let headers = wire::cloud_event_headers(
        &row.message.topic,
        &row.message.event_id,
        &row.message.key,
        &row.time,
    );
    let headers = headers.into_iter().map(|(n, v)| (n, v.into_bytes())).collect();
    Delivery::again(
        &row.message.topic,
        0,
        row.id,
        row.message.key.clone().into_bytes(),
        headers,
        payload,
    )
}

/// The service's own role. It belongs to the whole server, and is never dropped: other tests' databases grant to it.
async fn create_role() {
    let mut connection = PgConnection::connect(&database_url())
        .await
        .expect("PostgreSQL answers");
    let made = sqlx::raw_sql("CREATE ROLE campaign_execution_app LOGIN")
        .execute(&mut connection)
        .await;
    if let Err(error) = made {
        let there = error.as_database_error().and_then(|e| e.code());
        assert!(matches!(there.as_deref(), Some("42710" | "23505")), "{error}");
    }
}

/// A database of its own, with nothing in it.
pub async fn create_database() -> String {
    let server = database_url();
    let name = unique("ce_test");
    let mut connection = PgConnection::connect(&server).await.expect("PostgreSQL answers");
    let statement = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
    sqlx::raw_sql(statement)
        .execute(&mut connection)
        .await
        .expect("a database");
    let (base, _) = server.rsplit_once('/').expect("a URL");
    format!("{base}/{name}")
}

pub fn write_credentials(dir: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    let files = [
        (
            "acme-google",
            json!({ "client_id": "test", "client_secret": "canary-client-secret", "refresh_token": "canary-refresh" }),
        ),
        (
            "acme-meta",
            json!({ "access_token": "sandbox-meta-token", "app_secret": "sandbox-meta-secret" }),
        ),
        ("acme-tiktok", json!({ "access_token": "sandbox-tiktok-token" })),
        ("asset-library", json!({ "access_token": "canary-asset-token" })),
    ];
    for (name, content) in files {
        let path = dir.join(format!("{name}.json"));
        std::fs::write(&path, content.to_string()).expect("a file");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("permissions");
    }
}

/// The configuration as environment variables, for in-process wiring and for the real binary alike.
pub fn variables(database: &str, sandbox: &str, credentials: &std::path::Path) -> Vec<(String, String)> {
    let base = sandbox.trim_end_matches('/');
    let kafka = std::env::var("CAMPAIGN_EXECUTION_TEST_KAFKA").unwrap_or_else(|_| "127.0.0.1:9".to_owned());
    [
        ("DATABASE__URL", database.to_owned()),
        ("DATABASE__MAX_CONNECTIONS", "8".to_owned()),
        ("KAFKA__BOOTSTRAP_SERVERS", kafka),
        (
            "KAFKA__TOPIC_PREFIX",
            format!("{}.", unique("t").replace('_', "-")),
        ),
        ("KAFKA__PROPERTIES__SESSION_TIMEOUT_MS", "6000".to_owned()),
        ("CREDENTIALS__DIR", credentials.display().to_string()),
        ("GOOGLE__OAUTH_TOKEN_URL", format!("{base}/oauth/token")),
        ("GA4__ADMIN_BASE_URL", format!("{base}/ga4-admin")),
        ("GA4__DATA_BASE_URL", format!("{base}/ga4-data")),
        ("MERCHANT__BASE_URL", format!("{base}/merchant")),
        ("ASSET_LIBRARY__BASE_URL", format!("{base}/assets")),
        ("HTTP__LISTEN", "127.0.0.1:0".to_owned()),
    ]
    .map(|(n, v)| (format!("CAMPAIGN_EXECUTION__{n}"), v))
    .into_iter()
    .chain(config::sandboxed(base))
    .collect()
}
