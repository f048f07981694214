//! Bad input and faults of the surroundings: each has a decided outcome and a message that says what to do.

use crate::support::app::App;
use crate::support::plans;
use crate::support::process::{Service, make_topics, wait_for};
use campaign_execution::bus::producer::{Outgoing, Publisher};
use serde_json::json;
use std::process::{Command, Output};
use std::time::Duration;

/// The real binary with this app's configuration, changed as the test likes.
fn run(app: &App, changes: &[(&str, &str)], args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_campaign-execution"));
    command.args(args).env_clear().envs(app.variables.iter().cloned());
    for (name, value) in changes {
        command.env(format!("CAMPAIGN_EXECUTION__{name}"), value);
    }
    command.output().expect("the binary starts")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_campaigns_pass_the_gate_in_one_transaction() {
    let app = App::start().await;
    let mut plan = plans::only(plans::plan("huge.1"), "google-ads");
    let one = plan["campaigns"][0].clone();
    let all: Vec<_> = (0..10_000)
        .map(|n| {
            let mut campaign = one.clone();
            campaign["logical_campaign_key"] = json!(format!("c{n}"));
            campaign
        })
        .collect();
    plan["campaigns"] = json!(all);
    app.publish(&plan).await;
    app.wiring.gatekeeper().step().await.expect("the gate is asked");
    assert_eq!(
        app.number("SELECT count(*) FROM leg WHERE state = 'building'")
            .await,
        10_000
    );
    assert_eq!(
        app.number("SELECT count(*) FROM outbox WHERE topic = 'launch.google-ads'")
            .await,
        10_000
    );
    plan["campaigns"].as_array_mut().expect("campaigns").push(one);
    plan["plan_version"] = json!("huge.2");
    app.publish(&plan).await;
    assert_eq!(
        app.number("SELECT count(*) FROM outbox WHERE topic = 'plan.approved.dlq'")
            .await,
        1,
        "one too many"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_megabytes_of_nonsense_become_a_dead_letter_and_the_next_plan_is_taken() {
    let app = App::start().await;
    make_topics(&app).await;
    let service = Service::start(&app, &[]);
    let message = |payload: Vec<u8>| Outgoing {
        topic: "plan.approved".to_owned(),
        key: "acme/large".to_owned(),
        headers: Vec::new(),
        payload,
    };
    let mut nonsense = b"{\"tenant_id\": \"".to_vec();
    nonsense.resize(20 << 20, b'x');
    let messages = [
        message(nonsense),
        message(plans::plan("large.1").to_string().into_bytes()),
    ];
    assert_eq!(
        Publisher::new(&app.wiring.bus)
            .expect("a producer")
            .publish(&messages)
            .await,
        [true, true]
    );
    wait_for(
        &app,
        "SELECT count(*) FROM execution WHERE settled IS NOT NULL",
        1,
        Duration::from_secs(60),
    )
    .await;
    let kept = "SELECT coalesce(max(length(raw)), 0)::bigint FROM outbox WHERE topic = 'plan.approved.dlq' AND published_at IS NOT NULL";
    wait_for(&app, kept, 20 << 20, Duration::from_secs(30)).await;
    service.terminate();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_down_at_the_start_is_named_and_the_exit_code_says_so() {
    let app = App::start().await;
    let database = run(
        &app,
        &[("DATABASE__URL", "postgres://u:hush-hush@127.0.0.1:9/x")],
        &["serve"],
    );
    assert_eq!(database.status.code(), Some(6), "{}", said(&database));
    assert!(
        said(&database).contains("PostgreSQL") && !said(&database).contains("hush-hush"),
        "{}",
        said(&database)
    );
    let broker = run(&app, &[("KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:9")], &["serve"]);
    assert_eq!(broker.status.code(), Some(6), "{}", said(&broker));
    assert!(
        said(&broker).contains("kafka.bootstrap_servers"),
        "{}",
        said(&broker)
    );
    let topics = run(&app, &[], &["serve"]);
    assert_eq!(topics.status.code(), Some(4), "{}", said(&topics));
    assert!(said(&topics).contains("topics --create"), "{}", said(&topics));
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_usage_has_its_own_exit_codes() {
    let app = App::start().await;
    for (args, code, word) in [
        (
            &["plan", "check", "/nonexistent.json"][..],
            2,
            "/nonexistent.json",
        ),
        (&["status", "no-such-version"], 3, "no-such-version"),
        (&["rollback", "no-such-version", "--yes"], 3, "no-such-version"),
        (&["serve", "--only", "cook"], 2, "cook"),
        (
            &[
                "replay",
                "--topic",
                "campaign.live",
                "--partition",
                "0",
                "--offset",
                "0",
            ],
            2,
            "campaign.live",
        ),
        (&["frobnicate"], 2, "frobnicate"),
    ] {
        let output = run(&app, &[], args);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", said(&output));
        assert!(said(&output).contains(word), "{args:?}: {}", said(&output));
    }
    let unknown = run(&app, &[("KAFKA__TOPIC_PREFX", "x")], &["status"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(
        said(&unknown).contains("kafka.topic_prefix"),
        "{}",
        said(&unknown)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_that_is_missing_or_open_to_all_blocks_only_its_own_tenant() {
    use std::os::unix::fs::PermissionsExt;
    let app = App::start().await;
    app.onboard(|t| {
        t["tenant_id"] = json!("other");
        t["accounts"]["meta"]["credential"] = json!("nobody-has-it");
    })
    .await;
    let open = app.wiring.outbound.credentials.dir().join("open-to-all.json");
    std::fs::write(&open, r#"{"access_token":"sandbox-meta-token-canary"}"#).expect("a file");
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o644)).expect("permissions");
    app.onboard(|t| {
        t["tenant_id"] = json!("careless");
        t["accounts"]["meta"]["credential"] = json!("open-to-all");
    })
    .await;
    for tenant in ["other", "careless", "acme"] {
        let mut plan = plans::plan(&format!("credential.{tenant}"));
        plan["tenant_id"] = json!(tenant);
        app.publish(&plan).await;
    }
    app.settle().await;
    let blocked: String = app
        .events("execution.blocked")
        .iter()
        .map(|e| e.data.to_string())
        .collect();
    assert!(
        blocked.contains("nobody-has-it.json") && blocked.contains("chmod"),
        "{blocked}"
    );
    assert!(!blocked.contains("canary"), "a secret was published");
    assert_eq!(
        app.events("campaign.scheduled").len(),
        plans::legs(&plans::plan("any")),
        "the tenant whose files are right is not held up"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_log_cannot_be_changed_and_tampering_by_a_superuser_shows() {
    let app = App::start().await;
    app.publish(&plans::plan("tamper.1")).await;
    app.settle().await;
    app.assert_audit_whole().await;
    let mut connection = app.connect().await;
    for statement in [
        "UPDATE audit_log SET entry = entry",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log",
        "UPDATE audit_head SET seq = 0",
    ] {
        let refused = sqlx::query(statement).execute(&mut connection).await;
        assert!(refused.is_err(), "{statement} was allowed");
    }
    for tampering in [
        "UPDATE audit_log SET entry = replace(entry, 'acme', 'evil') WHERE seq = 2",
        "UPDATE audit_log SET seq = 1000 - seq WHERE seq IN (3, 4)",
        "DELETE FROM audit_log WHERE seq = (SELECT max(seq) FROM audit_log)",
    ] {
        sqlx::query("BEGIN")
            .execute(&mut connection)
            .await
            .expect("begin");
        sqlx::query("ALTER TABLE audit_log DISABLE TRIGGER ALL")
            .execute(&mut connection)
            .await
            .expect("a superuser");
        sqlx::query(tampering)
            .execute(&mut connection)
            .await
            .expect(tampering);
        sqlx::query("ALTER TABLE audit_log ENABLE TRIGGER ALL")
            .execute(&mut connection)
            .await
            .expect("a superuser");
        sqlx::query("COMMIT")
            .execute(&mut connection)
            .await
            .expect("commit");
        let chains = app
            .wiring
            .store
            .verify_audit(Some("acme"))
            .await
            .expect("the chain is read");
        assert!(chains[0].broken.is_some(), "{tampering} went unseen");
        let output = run(&app, &[], &["audit", "verify"]);
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flight_that_is_over_and_a_currency_that_is_not_the_accounts_are_blocked_with_a_remedy() {
    let app = App::start().await;
    let mut over = plans::plan("over.1");
    for campaign in over["campaigns"].as_array_mut().expect("campaigns") {
        let (start, end) = (
            plans::stamp(chrono::Duration::days(-9)),
            plans::stamp(chrono::Duration::days(-2)),
        );
        campaign["schedule"] = json!({ "start": start, "end": end });
    }
    app.publish(&over).await;
    let mut dollars = plans::plan("dollars.1");
    dollars["plan_id"] = json!("dollars");
    dollars["currency"] = json!("USD");
    app.publish(&dollars).await;
    app.settle().await;
    let blocked: String = app
        .events("execution.blocked")
        .iter()
        .map(|e| e.data.to_string())
        .collect();
    assert!(
        blocked.contains("already over") && blocked.contains("the plan is in USD"),
        "{blocked}"
    );
    assert_eq!(app.effects().await, 0);
}
