//! The surroundings fail while the service runs, or are looked at from outside: a database that goes away and comes back, a
//! collector of spans, the README's own commands, health as a person asks for it.

use crate::support::app::App;
use crate::support::plans;
use crate::support::process::{Service, make_topics, publish, wait_for};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const SETTLED: &str = "SELECT count(*) FROM execution WHERE settled IS NOT NULL";

/// A proxy that can be cut: connections die, new ones are closed at once.
async fn proxy(to: String) -> (String, Arc<AtomicBool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let at = listener.local_addr().expect("an address").to_string();
    let open = Arc::new(AtomicBool::new(true));
    let switch = Arc::clone(&open);
    tokio::spawn(async move {
        while let Ok((mut near, _)) = listener.accept().await {
            let (to, open) = (to.clone(), Arc::clone(&switch));
            tokio::spawn(async move {
                if !open.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(mut far) = TcpStream::connect(to).await else {
                    return;
                };
                let cut = async {
                    while open.load(Ordering::SeqCst) {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                };
                tokio::select! {
                    _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                    () = cut => {}
                }
            });
        }
    });
    (at, open)
}

fn host_of(url: &str) -> String {
    let after = url.rsplit_once('@').map_or(url, |(_, rest)| rest);
    after.split('/').next().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_goes_away_in_the_middle_costs_time_and_nothing_else() {
    let app = App::start().await;
    make_topics(&app).await;
    let (_, url) = app
        .variables
        .iter()
        .find(|(n, _)| n.ends_with("DATABASE__URL"))
        .expect("a URL")
        .clone();
    let host = host_of(&url);
    let (near, open) = proxy(host.clone()).await;
    let through = url.replace(&host, &near);
    let settings = [
        ("DATABASE__URL", through.as_str()),
        ("WORKER__MAX_CALL_S", "1"),
        ("WORKER__LEASE_S", "1"),
    ];
    let service = Service::start(&app, &settings);
    app.world(serde_json::json!({ "latency_ms": 40 })).await;
    let all: Vec<_> = (0..12)
        .map(|n| {
            let mut plan = plans::plan(&format!("away.{n}"));
            plan["plan_id"] = serde_json::json!(format!("away-{n}"));
            plan
        })
        .collect();
    for chunk in all.chunks(4) {
        publish(&app, chunk).await;
        tokio::time::sleep(Duration::from_millis(1200)).await;
        open.store(false, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(1500)).await;
        open.store(true, Ordering::SeqCst);
    }
    wait_for(&app, SETTLED, 12, Duration::from_secs(150)).await;
    let legs: usize = all.iter().map(plans::legs).sum();
    wait_for(
        &app,
        "SELECT count(*) FROM leg WHERE state = 'scheduled'",
        i64::try_from(legs).expect("a number"),
        Duration::from_secs(10),
    )
    .await;
    let (_, code) = service.terminate();
    assert_eq!(code, Some(0));
    app.assert_no_duplicates().await;
    app.assert_audit_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_reach_a_collector_when_one_is_named() {
    let app = App::start().await;
    make_topics(&app).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    let heard = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&heard);
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let count = Arc::clone(&count);
            tokio::spawn(async move {
                let mut request = vec![0; 64 * 1024];
                let read = socket.read(&mut request).await.unwrap_or(0);
                if request[..read].starts_with(b"POST /v1/traces") {
                    count.fetch_add(1, Ordering::SeqCst);
                }
                let _ = socket
                    .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                    .await;
            });
        }
    });
    let service = Service::start(&app, &[("OTEL__ENDPOINT", endpoint.as_str())]);
    publish(&app, &[plans::plan("otel.1")]).await;
    wait_for(&app, SETTLED, 1, Duration::from_secs(60)).await;
    service.terminate();
    assert!(heard.load(Ordering::SeqCst) > 0, "no span was exported");
}

/// The commands of the README's section on real platforms, one after the other, on a database and a broker that know nothing.
#[tokio::test(flavor = "multi_thread")]
async fn the_readmes_commands_do_what_it_says() {
    let app = App::bare().await;
    let readme =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).expect("README.md");
    let section = readme
        .split("## Against real platforms")
        .nth(1)
        .expect("the section");
    let block = section.split("```").nth(1).expect("its commands");
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("tenant.json"), plans::tenant().to_string()).expect("a file");
    std::fs::write(dir.path().join("plan.json"), plans::plan("readme.1").to_string()).expect("a file");
    let run = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_campaign-execution"));
        command
            .args(args)
            .env_clear()
            .envs(app.variables.iter().cloned())
            .current_dir(dir.path());
        command.output().expect("the binary starts")
    };
    let mut ran = 0;
    for line in block
        .lines()
        .filter_map(|l| l.strip_prefix("campaign-execution "))
    {
        let args: Vec<&str> = line.split_whitespace().collect();
        if args == ["serve"] {
            continue;
        }
        let output = run(&args);
        let said = String::from_utf8_lossy(&output.stderr);
        // The example tenant also has accounts whose credentials are not here: `doctor` must say so, nothing else may fail.
        let fine = output.status.success() || args == ["doctor"] && output.status.code() == Some(1);
        assert!(fine, "{line}: {said}");
        ran += 1;
    }
    assert_eq!(
        ran, 5,
        "the README's commands have changed: look at this test too"
    );
    let service = Service::start(&app, &[]);
    let published = run(&["plan", "publish", "plan.json"]);
    assert!(
        published.status.success(),
        "{}",
        String::from_utf8_lossy(&published.stderr)
    );
    wait_for(
        &app,
        "SELECT count(*) FROM execution WHERE gate = 'blocked'",
        1,
        Duration::from_secs(60),
    )
    .await;
    assert!(run(&["approve", "readme.1", "--yes"]).status.success());
    wait_for(&app, SETTLED, 1, Duration::from_secs(60)).await;
    service.terminate();
    for args in [
        &["status", "readme.1"][..],
        &["explain", "readme.1"],
        &["audit", "verify"],
    ] {
        let output = run(args);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success() && text.len() > 50, "{args:?}: {text}");
    }
}

/// The broker is librdkafka's own mock here: a real one cannot be taken down under the other tests.
#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_goes_away_in_the_middle_costs_time_and_nothing_else() {
    use campaign_execution::bus::producer::{Outgoing, Publisher};
    use campaign_execution::wiring::Wiring;
    use rdkafka::mocking::MockCluster;
    let app = App::start().await;
    let cluster = MockCluster::new(1).expect("a mock broker");
    for topic in Wiring::topics() {
        cluster
            .create_topic(&app.wiring.bus.topic(&topic.name), 2, 1)
            .expect("a topic");
    }
    let servers = cluster.bootstrap_servers();
    let mut bus = app.wiring.bus.clone();
    bus.bootstrap_servers.clone_from(&servers);
    let service = Service::start(&app, &[("KAFKA__BOOTSTRAP_SERVERS", servers.as_str())]);
    let publisher = Publisher::new(&bus).expect("a producer");
    let message = |n: usize| {
        let mut plan = plans::plan(&format!("broker.{n}"));
        plan["plan_id"] = serde_json::json!(format!("broker-{n}"));
        Outgoing {
            topic: "plan.approved".to_owned(),
            key: format!("acme/broker-{n}"),
            headers: Vec::new(),
            payload: plan.to_string().into_bytes(),
        }
    };
    assert_eq!(publisher.publish(&[message(0), message(1)]).await, [true, true]);
    wait_for(&app, "SELECT count(*) FROM execution", 2, Duration::from_secs(60)).await;
    cluster.broker_down(1).expect("down");
    tokio::time::sleep(Duration::from_secs(3)).await;
    cluster.broker_up(1).expect("up");
    assert_eq!(publisher.publish(&[message(2)]).await, [true]);
    wait_for(&app, SETTLED, 3, Duration::from_secs(90)).await;
    wait_for(
        &app,
        "SELECT count(*) FROM outbox WHERE published_at IS NULL",
        0,
        Duration::from_secs(60),
    )
    .await;
    let (_, code) = service.terminate();
    assert_eq!(code, Some(0));
    app.assert_no_duplicates().await;
}
