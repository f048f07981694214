//! The whole way over a real Kafka: ordinary messages in, CloudEvents out, several processes side by side, a clean stop.

use crate::support::app::App;
use crate::support::plans;
use crate::support::process::{Service, consume, make_topics, publish, wait_for};
use campaign_execution::bus::producer::{Outgoing, Publisher};
use campaign_execution::platform;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
const SETTLED: &str = "SELECT count(*) FROM execution WHERE settled IS NOT NULL";

fn many(prefix: &str, count: usize) -> Vec<Value> {
    (0..count)
        .map(|n| {
            let mut plan = plans::plan(&format!("{prefix}.{n}"));
            plan["plan_id"] = json!(format!("{prefix}-{n}"));
            plan
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_share_the_work_and_events_of_a_plan_stay_in_order() {
    let app = App::start().await;
    make_topics(&app).await;
    let first = Service::start(&app, &[]);
    let second = Service::start(&app, &[]);
    let plans = many("share", 20);
    publish(&app, &plans).await;
    wait_for(&app, SETTLED, 20, PATIENCE).await;
    wait_for(
        &app,
        "SELECT count(*) FROM outbox WHERE published_at IS NULL",
        0,
        PATIENCE,
    )
    .await;
    for service in [first, second] {
        let (took, code) = service.terminate();
        assert_eq!(code, Some(0));
        assert!(took < Duration::from_secs(15), "a clean stop took {took:?}");
    }
    app.assert_no_duplicates().await;
    app.assert_audit_whole().await;
    let events = consume(&app, &["campaign.scheduled", "execution.completed"]).await;
    let legs = plans::legs(&plans[0]);
    let expected = plans.len() * (legs + 1);
    assert_eq!(
        events.len(),
        expected,
        "every campaign and one end per plan, each once"
    );
    let mut by_plan: BTreeMap<String, usize> = BTreeMap::new();
    for (topic, _, data) in &events {
        *by_plan
            .entry(format!("{topic} {}", data["plan_version"]))
            .or_default() += 1;
    }
    assert!(by_plan.values().all(|n| *n <= legs), "{by_plan:?}");
}

/// What Kafka refuses for itself stays, with what comes after it under its key; everything else goes.
#[tokio::test(flavor = "multi_thread")]
async fn one_message_that_is_too_large_holds_up_its_own_key_alone() {
    let app = App::start().await;
    make_topics(&app).await;
    app.sql(
        "INSERT INTO outbox (topic, key, event_id, raw) VALUES
            ('plan.approved.dlq', 'large', 'large-1', decode(repeat('00', 40000000), 'hex')),
            ('plan.approved.dlq', 'large', 'large-2', 'after it'),
            ('plan.approved.dlq', 'other', 'other-1', 'not held up')",
    )
    .await;
    let service = Service::start(&app, &[]);
    wait_for(
        &app,
        "SELECT count(*) FROM outbox WHERE published_at IS NOT NULL",
        1,
        Duration::from_secs(60),
    )
    .await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let sent = "SELECT count(*) FROM outbox WHERE published_at IS NOT NULL AND key = 'other'";
    assert_eq!(app.number(sent).await, 1);
    let kept = "SELECT count(*) FROM outbox WHERE published_at IS NULL AND key = 'large'";
    assert_eq!(
        app.number(kept).await,
        2,
        "nothing is lost, and nothing overtakes"
    );
    service.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn intake_and_workers_may_be_processes_of_their_own() {
    let app = App::start().await;
    make_topics(&app).await;
    let start = |roles: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_campaign-execution"));
        command
            .args(["serve", "--only", roles])
            .env_clear()
            .envs(app.variables.iter().cloned());
        command
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null());
        command.spawn().expect("the binary starts")
    };
    let mut parts = vec![start("intake,gate,relay"), start("clocks")];
    for platform in platform::all() {
        parts.push(start(&format!("worker:{}", platform.name())));
    }
    publish(&app, &many("parts", 3)).await;
    wait_for(&app, SETTLED, 3, PATIENCE).await;
    for part in &mut parts {
        part.kill().expect("killed");
        part.wait().expect("reaped");
    }
    app.assert_no_duplicates().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_binary_and_structured_messages_are_all_taken_and_bytes_of_the_others_kept() {
    let app = App::start().await;
    make_topics(&app).await;
    let service = Service::start(&app, &[]);
    let plans = many("wrap", 3);
    let structured = json!({ "specversion": "1.0", "id": "s-1", "source": "/planning", "type": "plan.approved.v1",
        "time": plans::stamp(chrono::Duration::zero()), "data": plans[1] });
    let message = |payload: Vec<u8>, headers: &[(&str, &str)]| Outgoing {
        topic: "plan.approved".to_owned(),
        key: "acme/wrap".to_owned(),
        headers: headers
            .iter()
            .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
            .collect(),
        payload,
    };
    let broken = b"{\"tenant_id\": \"acme\", \xff".to_vec();
    let messages = [
        message(plans[0].to_string().into_bytes(), &[]),
        message(
            structured.to_string().into_bytes(),
            &[("content-type", "application/cloudevents+json")],
        ),
        message(
            broken.clone(),
            &[(
                "traceparent",
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            )],
        ),
        message(
            plans[2].to_string().into_bytes(),
            &[("ce_specversion", "1.0"), ("ce_id", "b-1")],
        ),
    ];
    assert_eq!(
        Publisher::new(&app.wiring.bus)
            .expect("a producer")
            .publish(&messages)
            .await,
        [true; 4]
    );
    wait_for(&app, SETTLED, 3, PATIENCE).await;
    wait_for(
        &app,
        "SELECT count(*) FROM outbox WHERE published_at IS NULL",
        0,
        PATIENCE,
    )
    .await;
    service.terminate();
    let letters =
        campaign_execution::bus::admin::message_at(&app.wiring.bus, "plan.approved.dlq", 0, 0).await;
    let mut letter = letters.expect("Kafka answers");
    for partition in 1..4 {
        if letter.is_none() {
            letter = campaign_execution::bus::admin::message_at(
                &app.wiring.bus,
                "plan.approved.dlq",
                partition,
                0,
            )
            .await
            .expect("Kafka answers");
        }
    }
    let letter = letter.expect("a dead letter");
    assert_eq!(letter.payload, broken, "the bytes as they came");
    let reason = letter
        .headers
        .iter()
        .find(|(n, _)| n == "dlq_reason")
        .map(|(_, v)| v.clone())
        .unwrap_or_default();
    assert!(reason.contains("UTF-8"), "{reason}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_runs_from_the_plan_to_the_event() {
    let app = App::start().await;
    make_topics(&app).await;
    let service = Service::start(&app, &[]);
    let plan = plans::plan("trace.1");
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let message = Outgoing {
        topic: "plan.approved".to_owned(),
        key: "acme/trace".to_owned(),
        headers: vec![(
            "traceparent".to_owned(),
            format!("00-{trace}-00f067aa0ba902b7-01"),
        )],
        payload: plan.to_string().into_bytes(),
    };
    assert_eq!(
        Publisher::new(&app.wiring.bus)
            .expect("a producer")
            .publish(&[message])
            .await,
        [true]
    );
    wait_for(&app, SETTLED, 1, PATIENCE).await;
    service.terminate();
    let outside = "SELECT count(*) FROM outbox WHERE traceparent NOT LIKE '00-4bf92f3577b34da6a3ce929d0e0e4736-%' OR traceparent IS NULL";
    assert_eq!(
        app.number(outside).await,
        0,
        "every message is part of the plan's trace"
    );
    assert!(app.number("SELECT count(*) FROM outbox").await > 5);
}
