//! Deadlines and escalations: what fires, what does not, once, and who is told. `alerts` has what becomes of the webhooks.
//!
//! Time passes by moving rows into the past (`pass`); nothing sleeps.

use crate::support::app::App;
use crate::support::command::run_with;
use crate::support::plans;
use crate::support::receiver::Receiver;
use crate::support::time::{control, counter, pass, refused, start, states, tick, with_receivers};
use campaign_execution::service::compose::Composer;
use campaign_execution::store::pause::Switch;
use serde_json::{Value, json};
use sqlx::Connection;

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_is_warned_of_at_three_quarters_and_broken_once_at_the_limit() {
    let receiver = Receiver::start().await;
    let (app, wiring, variables) = start(&receiver).await;
    app.world(json!({ "ga4": "red" })).await;
    app.warp().await;
    let plan = plans::plan("late.1");
    app.publish(&plan).await;
    app.settle().await;
    assert_eq!(tick(&wiring).await, 0);
    pass(&app, 179).await;
    assert_eq!(tick(&wiring).await, 0, "not yet");
    pass(&app, 2).await;
    assert_eq!(tick(&wiring).await, 1);
    assert_eq!(tick(&wiring).await, 0, "warned once");
    assert_eq!(app.execution(&plan).await.deadline.state, "warned");
    assert_eq!(counter(&wiring, "deadline_warnings_total").await, 1);
    app.pump().await;
    assert_eq!(
        app.events("execution.escalated").len(),
        0,
        "a warning is no event"
    );
    assert!(states(&wiring.store).await.is_empty(), "and no alert");

    // Another process, built anew from the configuration, goes on where this one was; three look at the same moment.
    pass(&app, 60).await;
    let (other, _) = with_receivers(&app, &[("ops", receiver.url("ops"))]);
    let (a, b, c) = tokio::join!(tick(&wiring), tick(&other), tick(&wiring));
    assert_eq!(a + b + c, 1, "one of them took the step");
    app.pump().await;
    let told = app.events("execution.escalated");
    assert_eq!(told.len(), 1);
    let data = &told[0].data;
    assert_eq!(
        (&data["reason"], &data["route"]),
        (&json!("deadline_breached"), &json!("client"))
    );
    assert!(
        data["checks"].to_string().contains("tracking"),
        "what holds it up: {data}"
    );
    assert_eq!(counter(&wiring, "deadline_breaches_total").await, 1);
    assert_eq!(app.execution(&plan).await.deadline.state, "breached");

    let (a, b) = (wiring.alerts(), other.alerts());
    let (a, b) = tokio::join!(a.step(), b.step());
    assert_eq!(a.expect("sent") + b.expect("sent"), 1, "one of them sent it");
    let calls = receiver.calls("ops");
    assert_eq!(calls.len(), 1);
    assert_eq!(
        calls[0].id, told[0].id,
        "the same id on Kafka and at the receiver"
    );
    assert_eq!(calls[0].body["type"], "execution.escalated.v1");
    assert_eq!(calls[0].body["data"]["plan_version"], "late.1");
    assert_eq!(receiver.calls("billing").len(), 0);
    assert_eq!(
        states(&wiring.store).await,
        [("client".into(), "delivered".into(), 1)]
    );

    // It is launched after all: nothing more is said, and the story has all of it.
    app.world(json!({ "ga4": "green" })).await;
    app.warp().await;
    app.settle_and_warp(5).await;
    pass(&app, 600).await;
    assert_eq!(tick(&wiring).await, 0);
    assert_eq!(app.events("execution.completed").len(), 1);
    let text = run_with(&variables, &["explain", "late.1"]).ok().out;
    for words in [
        "the deadline is near",
        "the deadline is broken; told: ops (client)",
        "ops has the alert (client)",
        "(broken; ",
    ] {
        assert!(text.contains(words), "{words:?} is not in\n{text}");
    }
    let listed = run_with(&variables, &["alerts", "--all", "--json"]).ok().json();
    assert_eq!(listed[0]["state"], "delivered");
    app.assert_audit_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_in_time_fires_nothing_and_what_ends_late_is_told() {
    let receiver = Receiver::start().await;
    let (app, wiring, _) = start(&receiver).await;
    let plan = plans::plan("time.1");
    app.publish(&plan).await;
    app.settle_and_warp(5).await;
    let running = "SELECT count(*) FROM clock WHERE due_at IS NOT NULL";
    assert_eq!(app.number(running).await, 0, "nothing runs on");
    pass(&app, 6000).await;
    assert_eq!(tick(&wiring).await, 0);
    assert_eq!(app.execution(&plan).await.deadline.state, "met");

    // Nobody looked while it was late: its end does not hide that.
    let mut late = plans::plan("time.2");
    late["plan_id"] = json!("time-2");
    app.world(json!({ "ga4": "red" })).await;
    app.warp().await;
    app.publish(&late).await;
    app.settle().await;
    pass(&app, 241).await;
    app.world(json!({ "ga4": "green" })).await;
    app.warp().await;
    app.settle_and_warp(5).await;
    assert_eq!(app.execution(&late).await.settled.as_deref(), Some("completed"));
    assert_eq!(tick(&wiring).await, 1);
    app.pump().await;
    assert_eq!(app.events("execution.escalated").len(), 1);
    assert_eq!(tick(&wiring).await, 0);

    // Between warning and limit, and nobody looked: in time is in time.
    let mut near = plans::plan("time.3");
    near["plan_id"] = json!("time-3");
    app.world(json!({ "ga4": "red" })).await;
    app.warp().await;
    app.publish(&near).await;
    app.settle().await;
    pass(&app, 200).await;
    app.world(json!({ "ga4": "green" })).await;
    app.warp().await;
    app.settle_and_warp(5).await;
    tick(&wiring).await;
    app.pump().await;
    assert_eq!(app.events("execution.escalated").len(), 1);
    assert_eq!(counter(&wiring, "deadline_warnings_total").await, 0);
    assert_eq!(app.number(running).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_counts_from_when_it_was_given_unless_it_is_a_day_old() {
    let app = App::start().await;
    app.world(json!({ "ga4": "red" })).await;
    app.warp().await;
    for (version, hours, worked) in [("since.1", -2, 2), ("since.2", 2, 0), ("since.3", -60, 0)] {
        let mut plan = plans::plan(version);
        plan["plan_id"] = json!(version);
        plan["approved_at"] = json!(plans::stamp(chrono::Duration::hours(hours)));
        app.publish(&plan).await;
        let seen = app.execution(&plan).await.deadline;
        assert_eq!(seen.worked_s / 3600, worked, "{version}");
    }
    // An amendment is another approval.
    let mut amended = plans::plan("since.1");
    amended["plan_id"] = json!("since.1");
    amended["approved_at"] = json!(plans::stamp(chrono::Duration::minutes(-30)));
    amended["campaigns"][0]["budget"]["amount"] = json!("260.00");
    app.publish(&amended).await;
    assert_eq!(app.execution(&amended).await.deadline.worked_s / 60, 30);
    for action in ["resume", "cancel"] {
        control(&app, &amended, action).await;
    }
    pass(&app, 600).await;
    assert_eq!(app.execution(&amended).await.deadline.state, "stopped");
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_for_people_a_review_or_the_end_of_a_pause_moves_the_deadline() {
    let receiver = Receiver::start().await;
    let (app, wiring, variables) = start(&receiver).await;
    app.onboard(|t| {
        t["policy"]["launch_approval"] = json!("always");
        t["updated_at"] = json!("2026-11-02T08:00:00Z");
        t["alerts"] = json!({ "client": "ops", "agency_master": "billing" });
    })
    .await;
    let plan = plans::plan("wait.1");
    app.publish(&plan).await;
    app.settle().await;
    pass(&app, 500).await;
    assert_eq!(tick(&wiring).await, 1);
    let seen = app.execution(&plan).await.deadline;
    assert_eq!((seen.state, seen.waiting), ("running", true));
    assert_eq!((seen.waited.people_s / 60, seen.worked_s / 60), (500, 0));
    let left = app
        .number("SELECT extract(epoch FROM due_at - clock_timestamp())::bigint FROM clock")
        .await;
    assert!(
        (10_790..=10_800).contains(&left),
        "three hours from now on: {left}"
    );
    let listed = run_with(&variables, &["status", "--json"]).ok().json();
    assert_eq!(
        listed[0]["deadline"]["waited"]["people_s"]
            .as_i64()
            .map(|s| s / 60),
        Some(500)
    );
    let text = run_with(&variables, &["status", "wait.1"]).ok().out;
    assert!(
        text.contains("8 h 20 min, not counted: 8 h 20 min for people"),
        "{text}"
    );

    // The tenant is paused while the question is open: what overlaps counts once.
    let switch = |reason: &str| Switch {
        tenant_id: "acme".to_owned(),
        by: "cli:tester".to_owned(),
        reason: reason.to_owned(),
        now: app.wiring.clock.stamp(),
    };
    app.wiring
        .store
        .pause(&Composer, &switch("a test"))
        .await
        .expect("paused");
    pass(&app, 100).await;
    app.wiring
        .store
        .unpause(&Composer, &switch("over"))
        .await
        .expect("lifted");
    let waited = app.execution(&plan).await.deadline.waited;
    assert_eq!(
        [waited.people_s / 60, waited.paused_s / 60, waited.total_s / 60],
        [600, 100, 600]
    );
    app.approve(&plan).await;
    app.world(json!({ "review_pending": ["*"] })).await;
    pass(&app, 200).await;
    assert_eq!(tick(&wiring).await, 1);
    assert_eq!(
        app.execution(&plan).await.deadline.state,
        "warned",
        "now it is our time"
    );
    app.settle_and_warp(5).await;
    app.world(json!({ "review_pending": [] })).await;
    app.settle_and_warp(8).await;
    let seen = app.execution(&plan).await;
    assert_eq!(seen.deadline.state, "met", "{seen:?}");
    app.pump().await;
    assert_eq!(app.events("execution.escalated").len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_platforms_review_is_taken_off_while_it_runs_and_when_it_is_over() {
    let receiver = Receiver::start().await;
    let (app, wiring, _) = start(&receiver).await;
    app.world(json!({ "review_pending": ["*"] })).await;
    let plan = plans::only(plans::running_plan("look.1"), "meta");
    app.publish(&plan).await;
    for _ in 0..5 {
        app.settle().await;
        app.warp().await;
    }
    assert_eq!(app.legs(&plan).await["meta/prospecting"], "activating");
    pass(&app, 300).await;
    assert_eq!(tick(&wiring).await, 1);
    let seen = app.execution(&plan).await.deadline;
    assert_eq!((seen.state, seen.waited.review_s / 60), ("running", 300));
    app.world(json!({ "review_pending": [] })).await;
    app.settle_and_warp(5).await;
    let seen = app.execution(&plan).await.deadline;
    assert_eq!(
        (seen.state, seen.waited.review_s / 60, seen.waiting),
        ("met", 300, false)
    );
    assert_eq!(app.number("SELECT count(*) FROM leg_review").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_is_escalated_within_the_hour_and_a_later_one_again() {
    let receiver = Receiver::start().await;
    let (app, wiring, variables) = start(&receiver).await;
    let plan = refused(&app, "fail.1").await;
    assert_eq!(app.events("execution.partial_failure").len(), 1);
    pass(&app, 14).await;
    assert_eq!(tick(&wiring).await, 0, "somebody may mend it first");
    let text = run_with(&variables, &["status", "fail.1"]).ok().out;
    assert!(text.contains("unless it is mended"), "{text}");
    pass(&app, 2).await;
    assert_eq!((tick(&wiring).await, tick(&wiring).await), (1, 0));
    app.pump().await;
    wiring.alerts().step().await.expect("sent");
    let told = app.events("execution.escalated");
    assert_eq!(told.len(), 1);
    let data = &told[0].data;
    assert_eq!(
        (&data["reason"], &data["route"]),
        (&json!("failure"), &json!("client"))
    );
    assert_eq!(data["legs"][0]["error"]["class"], "budget");
    assert_eq!(receiver.calls("ops").len(), 1);
    assert_eq!(receiver.calls("billing").len(), 0);
    let seconds = counter(&wiring, "escalation_seconds_total").await;
    assert!((900..3600).contains(&seconds), "{seconds}");
    assert_eq!(counter(&wiring, "alerts_late_total").await, 0);

    // A retry that fails again is another failure; one that works ends it.
    control(&app, &plan, "retry").await;
    assert!(app.execution(&plan).await.trouble.is_none(), "it is being tried");
    app.settle_and_warp(5).await;
    pass(&app, 16).await;
    assert_eq!(tick(&wiring).await, 1);
    app.pump().await;
    let told = app.events("execution.escalated");
    assert_eq!(told.len(), 2);
    assert_ne!(told[0].id, told[1].id);
    app.mend().await;
    control(&app, &plan, "retry").await;
    app.settle_and_warp(5).await;
    assert_eq!(app.legs(&plan).await["meta/prospecting"], "scheduled");
    pass(&app, 600).await;
    assert_eq!(tick(&wiring).await, 0);
    let seen = app.execution(&plan).await;
    assert!(seen.trouble.is_none());
    assert_eq!(seen.deadline.state, "met");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_mended_or_rolled_back_in_time_is_not_escalated() {
    let receiver = Receiver::start().await;
    let (app, wiring, _) = start(&receiver).await;
    let plan = refused(&app, "back.1").await;
    assert!(app.execution(&plan).await.trouble.is_some());
    control(&app, &plan, "rollback").await;
    app.settle_and_warp(5).await;
    assert_eq!(app.events("execution.rolled_back").len(), 1);
    pass(&app, 600).await;
    assert_eq!(tick(&wiring).await, 0);
    app.pump().await;
    assert_eq!(app.events("execution.escalated").len(), 0);
    assert_eq!(app.execution(&plan).await.deadline.state, "stopped");
    assert_eq!(
        app.number("SELECT count(*) FROM clock WHERE due_at IS NOT NULL")
            .await,
        0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_atomic_launch_that_went_back_is_escalated() {
    let receiver = Receiver::start().await;
    let (app, wiring, _) = start(&receiver).await;
    let mut plan = plans::plan("atomic.1");
    plan["launch"]["atomic"] = json!(true);
    app.fault(json!({ "vendor": "meta", "method": "adsets.create", "error": "100/1885272" }))
        .await;
    app.publish(&plan).await;
    app.settle_and_warp(10).await;
    assert_eq!(app.execution(&plan).await.settled.as_deref(), Some("failed_back"));
    pass(&app, 16).await;
    assert_eq!(tick(&wiring).await, 1);
    app.pump().await;
    let told = app.events("execution.escalated");
    assert_eq!(told.len(), 1);
    let legs = told[0].data["legs"].as_array().expect("legs");
    assert_eq!(legs.len(), plans::legs(&plan));
    assert_eq!(legs.iter().filter(|l| l["error"]["class"] == "budget").count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payers_trouble_goes_to_the_agency_and_to_nobody_else() {
    let receiver = Receiver::start().await;
    let (app, wiring, _) = start(&receiver).await;
    // Found by the gate, before anything is launched.
    app.world(json!({ "accounts": { "meta/42": { "payer": "unsettled" } } }))
        .await;
    let gated = plans::plan("payer.1");
    app.publish(&gated).await;
    app.settle().await;
    pass(&app, 16).await;
    assert_eq!(tick(&wiring).await, 1);
    app.pump().await;
    wiring.alerts().step().await.expect("sent");
    let told = app.events("execution.escalated");
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].data["alert_code"], "PRE-META-PAYER");
    assert_eq!(told[0].data["route"], "agency_master");
    assert_eq!(receiver.calls("billing").len(), 1);
    assert_eq!(receiver.calls("ops").len(), 0);
    assert_eq!(
        receiver.calls("billing")[0].body["data"]["alert_code"],
        "PRE-META-PAYER"
    );
    app.world(json!({ "accounts": { "meta/42": { "payer": "settled" } } }))
        .await;
    app.warp().await;
    app.settle_and_warp(5).await;
    assert_eq!(app.execution(&gated).await.settled.as_deref(), Some("completed"));
    assert!(app.execution(&gated).await.trouble.is_none());

    // Found while it is built, beside another leg's failure: each route hears of its own alone.
    let mut plan = plans::plan("two.1");
    plan["plan_id"] = json!("two-1");
    plan["campaigns"]
        .as_array_mut()
        .expect("campaigns")
        .retain(|c| c["platform"] == "meta" || c["platform"] == "google-ads");
    app.fault(json!({ "vendor": "meta", "method": "adsets.create", "error": "100/1885272" }))
        .await;
    app.fault(json!({ "vendor": "google-ads", "method": "mutate", "error": "billingSetupError.PAYMENTS_ACCOUNT_NOT_FOUND" }))
        .await;
    app.publish(&plan).await;
    app.settle_and_warp(8).await;
    pass(&app, 16).await;
    assert_eq!(tick(&wiring).await, 1);
    app.pump().await;
    while wiring.alerts().step().await.expect("sent") > 0 {}
    let told: Vec<Value> = app
        .events("execution.escalated")
        .into_iter()
        .filter(|e| e.data["plan_version"] == "two.1")
        .map(|e| e.data)
        .collect();
    assert_eq!(told.len(), 2, "{told:?}");
    let of = |route: &str| {
        told.iter()
            .find(|t| t["route"] == route)
            .expect(route)
            .to_string()
    };
    assert!(of("agency_master").contains("PRE-GOOGLE-ADS-PAYER"));
    assert!(!of("agency_master").contains("1885272"));
    assert!(of("client").contains("1885272"));
    assert!(!of("client").to_lowercase().contains("payer"), "{}", of("client"));
}

/// What one look at the deadlines reads of the database.
async fn buffers(app: &App) -> (i64, i64) {
    let mut connection = app.connect().await;
    let plan: Value = sqlx::query_scalar(
        "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON)
         SELECT execution_id, kind FROM clock WHERE due_at <= statement_timestamp() ORDER BY due_at LIMIT 64",
    )
    .fetch_one(&mut connection)
    .await
    .expect("a plan");
    connection.close().await.expect("closed");
    let top = &plan[0]["Plan"];
    let blocks = ["Shared Hit Blocks", "Shared Read Blocks"].map(|b| top[b].as_i64().unwrap_or(0));
    (
        blocks.iter().sum(),
        top["Actual Rows"].as_f64().unwrap_or(-1.0) as i64,
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_idle_deadlines_cost_a_page_or_two_a_look() {
    let app = App::start().await;
    app.world(json!({ "ga4": "red" })).await;
    app.warp().await;
    app.publish(&plans::plan("idle.1")).await;
    app.settle().await;
    app.sql(
        "INSERT INTO execution (tenant_id, plan_id, plan_version, payload, payload_hash, approved_at, approved_by, gate, gate_at,
                                deadline_at)
         SELECT tenant_id, plan_id, 'idle.' || n, payload, payload_hash, approved_at, approved_by, gate, 'infinity', deadline_at
         FROM execution, generate_series(2, 11000) n",
    )
    .await;
    // A thousand wait; ten thousand are done.
    app.sql(
        "INSERT INTO clock (execution_id, kind, since, limit_s, warn_s, grace_s, step, due_at, ended_at)
         SELECT e.id, 'launch', c.since, c.limit_s, c.warn_s, c.grace_s, 'warn',
                CASE WHEN e.id % 11 = 0 THEN c.due_at END, CASE WHEN e.id % 11 > 0 THEN c.since END
         FROM execution e, clock c WHERE NOT EXISTS (SELECT FROM clock o WHERE o.execution_id = e.id)",
    )
    .await;
    app.sql("ANALYZE clock").await;
    assert!(
        app.number("SELECT count(*) FROM clock WHERE due_at IS NOT NULL")
            .await
            >= 1000
    );
    let (blocks, rows) = buffers(&app).await;
    assert_eq!(rows, 0);
    assert!(blocks <= 4, "{blocks} pages for a look at what is not due");
    assert_eq!(tick(&app.wiring).await, 0);
    assert_eq!(app.wiring.alerts().step().await.expect("nothing"), 0);
}
