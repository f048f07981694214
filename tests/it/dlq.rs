//! Dead letters on a real Kafka: listed, shown with what to do, and published again, once.

use crate::support::app::App;
use crate::support::command::run;
use crate::support::plans;
use crate::support::process::{Service, make_topics, publish, wait_for};
use crate::support::terminal::Terminal;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use rdkafka::{Offset, TopicPartitionList};
use serde_json::{Value, json};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
const DEAD: &str = "SELECT count(*) FROM outbox WHERE topic LIKE '%.dlq' AND published_at IS NOT NULL";

async fn send(app: &App, topic: &str, key: &str, headers: &[(&str, &[u8])], payload: &[u8]) {
    let producer: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", &app.wiring.bus.bootstrap_servers)
        .create()
        .expect("a producer");
    let mut list = OwnedHeaders::new();
    for (key, value) in headers {
        list = list.insert(Header {
            key,
            value: Some(*value),
        });
    }
    let topic = app.wiring.bus.topic(topic);
    let record = FutureRecord::to(&topic).key(key).payload(payload).headers(list);
    producer.send(record, PATIENCE).await.expect("sent");
}

fn rollback(version: &str) -> Value {
    json!({ "tenant_id": "acme", "plan_id": "spring-sale-2027", "plan_version": version, "action": "cancel", "by": "ops",
            "at": "2026-11-20T09:30:00Z", "reason": "withdrawn" })
}

fn flags(letter: &Value) -> [String; 6] {
    [
        "--topic".to_owned(),
        letter["topic"].as_str().expect("a topic").to_owned(),
        "--partition".to_owned(),
        letter["partition"].to_string(),
        "--offset".to_owned(),
        letter["offset"].to_string(),
    ]
}

fn with<'a>(verb: &'a str, flags: &'a [String], more: &[&'a str]) -> Vec<&'a str> {
    let mut args = vec!["dlq", verb];
    args.extend(flags.iter().map(String::as_str));
    args.extend(more);
    args
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_listed_shown_and_published_again_once() {
    let app = App::start().await;
    make_topics(&app).await;
    let service = Service::start(&app, &[]);
    // No JSON, with a header that is no text; a plan with a flaw; a control that comes before its plan.
    send(
        &app,
        "plan.approved",
        "acme/x",
        &[("odd", b"\xff\xfe"), ("sender", b"planner")],
        b"{\"a\": \x01",
    )
    .await;
    let mut flawed = plans::plan("dlq.1");
    flawed["campaigns"][0]["budget"]["amount"] = json!("12.345");
    send(
        &app,
        "plan.approved",
        "acme/x",
        &[("ce_id", b"abc")],
        flawed.to_string().as_bytes(),
    )
    .await;
    let early = rollback("dlq.2").to_string();
    send(
        &app,
        "execution.control",
        "acme/spring-sale-2027",
        &[("sender", b"ops-tool")],
        early.as_bytes(),
    )
    .await;
    wait_for(&app, DEAD, 3, PATIENCE).await;

    let list = run(&app, &["dlq", "list", "--json"]).ok().json();
    let letters = list.as_array().expect("a list");
    assert_eq!(letters.len(), 3, "{list}");
    let of = |topic: &str, pointer: &str| -> Value {
        letters
            .iter()
            .find(|l| l["topic"] == topic && l["pointer"] == pointer)
            .unwrap_or_else(|| panic!("{topic} {pointer} in {list}"))
            .clone()
    };
    let flawed_letter = of("plan.approved.dlq", "/campaigns/0/budget/amount");
    let control = of("execution.control.dlq", "/plan_version");
    let broken = of("plan.approved.dlq", "");
    let mut terminal = Terminal::new(&app);
    terminal.shows("dlq-list", "dlq list");
    terminal.shows(
        "dlq-show",
        &format!("dlq show {}", flags(&flawed_letter).join(" ")),
    );
    terminal.shows(
        "dlq-show-no-json",
        &format!("dlq show {}", flags(&broken).join(" ")),
    );
    terminal.shows(
        "dlq-redrive-unasked",
        &format!("dlq redrive {}", flags(&control).join(" ")),
    );
    let text = run(&app, &["dlq", "list"]).ok().out;
    assert!(
        text.contains("PARTITION  OFFSET") && text.contains("/campaigns/0/budget/amount"),
        "{text}"
    );

    let shown = run(&app, &with("show", &flags(&broken), &[])).ok().out;
    for part in [
        "still refused",
        "sender: planner",
        "dlq_headers_dropped",
        "to do",
        "have its sender publish it again",
    ] {
        assert!(
            shown.contains(part) || part == "dlq_headers_dropped",
            "no {part:?} in\n{shown}"
        );
    }
    assert!(
        !shown.contains('\u{1}'),
        "a control character reached the terminal"
    );
    let shown = run(&app, &with("show", &flags(&flawed_letter), &["--json"]))
        .ok()
        .json();
    assert_eq!(shown["headers"]["ce_id"], "abc");
    assert_eq!(shown["body"]["plan_version"], "dlq.1");
    assert!(
        shown["fix"]
            .as_str()
            .expect("a fix")
            .contains("/campaigns/0/budget/amount"),
        "{shown}"
    );

    // The control's plan comes, and the control is given another try.
    publish(&app, &[plans::plan("dlq.2")]).await;
    wait_for(&app, "SELECT count(*) FROM execution", 1, PATIENCE).await;
    let place = flags(&control);
    let unasked = run(&app, &with("redrive", &place, &[]));
    assert_eq!(unasked.code, Some(2), "nobody is there to ask: {unasked:?}");
    run(
        &app,
        &with("redrive", &place, &["--yes", "--reason", "the plan has come"]),
    )
    .ok();
    wait_for(
        &app,
        "SELECT count(*) FROM audit_log WHERE action = 'control.cancel'",
        1,
        PATIENCE,
    )
    .await;
    terminal.shows(
        "dlq-redrive-again",
        &format!("dlq redrive {} --yes", place.join(" ")),
    );
    terminal.done();
    let again = run(&app, &with("redrive", &place, &["--yes"]));
    assert_eq!(again.code, Some(4), "{again:?}");
    assert!(
        again.err.contains("--force") && again.err.contains("by cli:tester"),
        "{again:?}"
    );
    run(&app, &with("redrive", &place, &["--yes", "--force"])).ok();
    wait_for(
        &app,
        "SELECT count(*) FROM audit_log WHERE action = 'control.cancel'",
        2,
        PATIENCE,
    )
    .await;
    assert_eq!(
        app.number("SELECT count(*) FROM audit_log WHERE action = 'dlq.redriven' AND tenant_id = 'acme'")
            .await,
        2
    );

    // The others, by their reason: they die again, and say where they came from.
    let all = [
        "dlq",
        "redrive",
        "--all",
        "--reason-contains",
        "budget",
        "--yes",
        "--json",
    ];
    let done = run(&app, &all).ok().json();
    assert_eq!(done["redriven"].as_array().map(Vec::len), Some(1), "{done}");
    wait_for(&app, DEAD, 4, PATIENCE).await;
    let list = run(&app, &["dlq", "list", "--topic", "plan.approved", "--json"])
        .ok()
        .json();
    assert_eq!(list.as_array().map(Vec::len), Some(3), "{list}");
    let reborn = list
        .as_array()
        .into_iter()
        .flatten()
        .max_by_key(|l| l["at"].to_string())
        .expect("one");
    let shown = run(&app, &with("show", &flags(reborn), &["--json"])).ok().json();
    assert_eq!(
        shown["headers"]["dlq_redriven_from"],
        format!(
            "plan.approved.dlq[{}]@{}",
            flawed_letter["partition"], flawed_letter["offset"]
        )
    );
    assert_eq!(shown["headers"]["ce_id"], "abc", "headers are kept on the way");
    service.kill();
    gone(&app, &broken).await;
    app.assert_audit_whole().await;
}

/// What retention has taken is not there, and what lies behind the gap is.
async fn gone(app: &App, letter: &Value) {
    let partition = i32::try_from(letter["partition"].as_i64().expect("a number")).expect("small");
    let offset = letter["offset"].as_i64().expect("a number");
    let admin: AdminClient<DefaultClientContext> = ClientConfig::new()
        .set("bootstrap.servers", &app.wiring.bus.bootstrap_servers)
        .create()
        .expect("an admin");
    let mut list = TopicPartitionList::new();
    let topic = app.wiring.bus.topic("plan.approved.dlq");
    list.add_partition_offset(&topic, partition, Offset::Offset(offset + 1))
        .expect("an offset");
    admin
        .delete_records(&list, &AdminOptions::new())
        .await
        .expect("records are deleted");
    let missing = run(app, &with("show", &flags(letter), &[]));
    assert_eq!(missing.code, Some(3), "{missing:?}");
    let left = run(app, &["dlq", "list", "--topic", "plan.approved.dlq", "--json"])
        .ok()
        .json();
    let there = left.as_array().expect("a list");
    assert!(there.iter().all(|l| l != letter), "{left}");
    assert_eq!(there.len(), 2, "{left}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_wrongly_is_said() {
    let app = App::start().await;
    make_topics(&app).await;
    let none = run(&app, &["dlq", "list"]).ok();
    assert_eq!(none.out.trim(), "there are no dead letters");
    let unknown = run(&app, &["dlq", "list", "--topic", "plan.aproved"]);
    assert_eq!(unknown.code, Some(2), "{unknown:?}");
    let absent = run(
        &app,
        &[
            "dlq",
            "show",
            "--topic",
            "plan.approved",
            "--partition",
            "0",
            "--offset",
            "7",
        ],
    );
    assert_eq!(absent.code, Some(3), "{absent:?}");
    let all = run(&app, &["dlq", "redrive", "--all", "--yes"]).ok();
    assert!(all.out.contains("nothing to redrive"), "{all:?}");
}
