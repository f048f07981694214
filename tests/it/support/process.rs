//! The real binary as a process of its own, on a real Kafka: started, killed, started again.

use super::app::App;
use campaign_execution::bus::admin;
use campaign_execution::bus::consumer::Subscription;
use campaign_execution::bus::producer::{Outgoing, Publisher};
use campaign_execution::wire;
use campaign_execution::wiring::Wiring;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use serde_json::Value;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Makes the topics of this test's prefix.
pub async fn make_topics(app: &App) {
    admin::create(&app.wiring.bus, &Wiring::topics(), 4, 1)
        .await
        .expect("topics are made");
}

/// `serve` as a child; killed when dropped.
pub struct Service {
    child: Child,
}

impl Service {
    /// Starts it with the app's own configuration and these settings besides.
    pub fn start(app: &App, settings: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_campaign-execution"));
        command.arg("serve").stdin(Stdio::null()).stdout(Stdio::null());
        command.env_clear().envs(app.variables.iter().cloned());
        for (name, value) in settings {
            command.env(format!("CAMPAIGN_EXECUTION__{name}"), value);
        }
        command.stderr(
            std::fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(app.log())
                .expect("a log"),
        );
        Self {
            child: command.spawn().expect("the binary starts"),
        }
    }

    /// SIGKILL: no chance to tidy up.
    pub fn kill(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("reaped");
    }

    /// SIGTERM: how long it took, and its exit code.
    pub fn terminate(mut self) -> (Duration, Option<i32>) {
        let began = Instant::now();
        let pid = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status().expect("kill");
        let status = self.child.wait().expect("reaped");
        (began.elapsed(), status.code())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Publishes plans as the planning system would.
pub async fn publish(app: &App, plans: &[Value]) {
    let publisher = Publisher::new(&app.wiring.bus).expect("a producer");
    let messages: Vec<Outgoing> = plans
        .iter()
        .map(|plan| {
            let text = |name: &str| plan[name].as_str().expect("a text").to_owned();
            let key = format!("{}/{}", text("tenant_id"), text("plan_id"));
            Outgoing {
                topic: "plan.approved".to_owned(),
                headers: wire::cloud_event_headers(
                    "plan.approved",
                    &text("plan_version"),
                    &key,
                    &text("approved_at"),
                ),
                key,
                payload: plan.to_string().into_bytes(),
            }
        })
        .collect();
    let confirmed = publisher.publish(&messages).await;
    assert!(confirmed.iter().all(|c| *c), "Kafka took every plan");
}

/// Everything on these topics so far: (topic, event id, data), until nothing has come for a while.
pub async fn consume(app: &App, topics: &[&str]) -> Vec<(String, String, Value)> {
    let topics: Vec<String> = topics.iter().map(|t| (*t).to_owned()).collect();
    let subscription =
        Subscription::join(&app.wiring.bus, &super::app::unique("reader"), &topics).expect("a consumer");
    let mut all = Vec::new();
    let mut quiet = 0;
    while quiet < 4 {
        let batch = subscription.batch(500, Duration::from_millis(750)).await;
        quiet = if batch.is_empty() { quiet + 1 } else { 0 };
        for delivery in batch {
            let data =
                serde_json::from_slice(delivery.payload.as_deref().unwrap_or_default()).unwrap_or_default();
            let id = delivery.header("ce_id").unwrap_or_default().to_owned();
            all.push((delivery.topic, id, data));
        }
    }
    subscription.leave(Duration::from_secs(2)).await;
    all
}

/// Waits for a number in the database to reach a value; the log's end tells why it did not.
pub async fn wait_for(app: &App, query: &'static str, value: i64, patience: Duration) {
    let began = Instant::now();
    let mut last = 0;
    while began.elapsed() < patience {
        last = app.number(query).await;
        if last == value {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let log = std::fs::read_to_string(app.log()).unwrap_or_default();
    let tail: Vec<&str> = log.lines().rev().take(15).collect();
    panic!(
        "{query} is {last}, not {value}, after {patience:?}; the log ends:\n{}",
        tail.join("\n")
    );
}

/// Sets a group's offsets back to the beginning of a topic, as ops would while the service is down.
pub fn rewind(app: &App, group: &str, topic: &str) {
    let servers = &app.wiring.bus.bootstrap_servers;
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", servers)
        .set("group.id", app.wiring.bus.topic(group))
        .set("enable.auto.commit", "false")
        .create()
        .expect("a consumer");
    let mut offsets = TopicPartitionList::new();
    for partition in 0..4 {
        offsets
            .add_partition_offset(&app.wiring.bus.topic(topic), partition, Offset::Offset(0))
            .expect("an offset");
    }
    // The dead process's membership must time out first.
    let began = Instant::now();
    while let Err(error) = consumer.commit(&offsets, CommitMode::Sync) {
        assert!(
            began.elapsed() < Duration::from_secs(30),
            "the offsets cannot be set back: {error}"
        );
        std::thread::sleep(Duration::from_millis(500));
    }
}
