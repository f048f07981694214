//! Never twice: every platform × every kind of fault × every call, and a worker that dies at every step. At the end there is
//! exactly one of each object, and the campaign is scheduled.

use crate::support::app::App;
use crate::support::{particulars, plans};
use campaign_execution::platform;
use serde_json::{Value, json};
use std::time::Duration;

/// The calls that create something, per platform: the test finds out what they are by counting.
fn faults(vendor: &str) -> Vec<(&'static str, Value)> {
    let on = |fault: Value| {
        let mut fault = fault;
        fault["vendor"] = json!(vendor);
        fault["times"] = json!(1);
        fault
    };
    vec![
        ("request lost", on(json!({ "kind": "reset", "effect": "before" }))),
        ("response lost", on(json!({ "kind": "reset", "effect": "after" }))),
        ("answer cut short", on(json!({ "kind": "cut" }))),
        ("500 before", on(json!({ "status": 500, "body": "" }))),
        (
            "500 after",
            on(json!({ "status": 500, "body": "", "effect": "after" })),
        ),
        (
            "503 after",
            on(json!({ "status": 503, "body": "<html>", "effect": "after" })),
        ),
        ("429 without a hint", on(json!({ "status": 429, "body": "" }))),
        (
            "429 with a hint",
            on(json!({ "status": 429, "body": "", "headers": { "retry-after": "2" } })),
        ),
        (
            "200 that is no JSON",
            on(json!({ "status": 200, "body": "<html>hello", "effect": "after" })),
        ),
    ]
}

async fn one_of_each(app: &App, plan: &Value, what: &str) {
    let legs = app.legs(plan).await;
    assert!(legs.values().all(|s| s == "scheduled"), "{what}: {legs:?}");
    app.assert_no_duplicates().await;
    app.assert_audit_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_at_every_write_of_every_platform() {
    let app = App::start().await;
    let mut n = 0;
    for platform in platform::all() {
        let particulars = particulars::of(platform.name());
        for write in particulars.writes {
            for (name, mut fault) in faults(platform.name()) {
                n += 1;
                fault["method"] = json!(write);
                let what = format!("{} {write}: {name}", platform.name());
                for (_, change) in particulars
                    .provoked
                    .iter()
                    .filter(|(provoked, _)| provoked == write)
                {
                    app.world(change.clone()).await;
                    app.sql("DELETE FROM probe_verdict").await;
                }
                app.fault(fault).await;
                let mut plan = plans::only(plans::plan(&format!("fault.{n}")), platform.name());
                plan["plan_id"] = json!(format!("fault-{n}"));
                app.publish(&plan).await;
                app.settle_and_warp(20).await;
                one_of_each(&app, &plan, &what).await;
                let struck = app.control(reqwest::Method::GET, "faults", None).await;
                assert_eq!(
                    struck["faults"][0]["struck"],
                    json!(1),
                    "{what}: the fault never struck: {struck}"
                );
                app.mend().await;
            }
        }
    }
    assert!(n > 50, "only {n} cases");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_shows_late_is_waited_for() {
    let app = App::start().await;
    for platform in platform::all() {
        let name = platform.name();
        app.fault(
            json!({ "vendor": name, "kind": "late_visibility", "late_visibility_ms": 300, "times": 1 }),
        )
        .await;
        app.fault(json!({ "vendor": name, "method": particulars::of(name).writes[0], "kind": "reset", "effect": "after", "times": 1 })).await;
        let mut plan = plans::only(plans::plan(&format!("late.{name}")), name);
        plan["plan_id"] = json!(format!("late-{name}"));
        app.publish(&plan).await;
        app.settle().await;
        // The settle time is longer than the lag; here it is the lag that passes.
        tokio::time::sleep(Duration::from_millis(350)).await;
        app.settle_and_warp(20).await;
        one_of_each(&app, &plan, name).await;
        app.mend().await;
    }
}

/// A worker is cut off after each of its first many awaits; the next one finds what it left.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_dies_at_any_moment_leaves_one_of_each() {
    let app = App::start().await;
    for (n, micros) in (0..40_u64).map(|n| (n, 300 + n * 700)) {
        let mut plan = plans::plan(&format!("crash.{n}"));
        plan["plan_id"] = json!(format!("crash-{n}"));
        app.publish(&plan).await;
        for _ in 0..6 {
            app.wiring.gatekeeper().step().await.unwrap();
            app.pump().await;
            for platform in platform::all() {
                // Dropped in the middle of whatever it was doing.
                let _ = tokio::time::timeout(Duration::from_micros(micros), app.work(platform.name())).await;
            }
            app.warp().await;
        }
        app.settle_and_warp(20).await;
        one_of_each(&app, &plan, &format!("cut off after {micros} µs")).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_message_twice_is_every_message_once() {
    let app = App::start().await;
    let plan = plans::plan("twice.1");
    app.publish(&plan).await;
    app.publish(&plan).await;
    for _ in 0..10 {
        app.wiring.gatekeeper().step().await.unwrap();
        // What was published is published again, as after a relay's crash.
        let queued = app.wiring.store.unpublished(1000).await.unwrap();
        app.pump().await;
        if !queued.is_empty() {
            app.sql("UPDATE outbox SET published_at = NULL WHERE published_at > clock_timestamp() - interval '1 second'").await;
            app.pump().await;
        }
        for platform in platform::all() {
            app.work(platform.name()).await;
        }
    }
    app.settle_and_warp(10).await;
    one_of_each(&app, &plan, "twice").await;
    let ids: std::collections::BTreeSet<String> = app
        .events("campaign.scheduled")
        .into_iter()
        .map(|e| e.id)
        .collect();
    let legs = plan["campaigns"].as_array().expect("campaigns").len();
    assert_eq!(ids.len(), legs, "a consumer can tell repeats by their id");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_workers_with_one_command_only_one_writes() {
    let app = App::start().await;
    for platform in platform::all() {
        let name = platform.name();
        let mut plan = plans::only(plans::plan(&format!("fence.{name}")), name);
        plan["plan_id"] = json!(format!("fence-{name}"));
        app.publish(&plan).await;
        app.wiring.gatekeeper().step().await.unwrap();
        app.pump().await;
        // The answer comes after the lease has ended.
        app.fault(json!({ "vendor": name, "method": particulars::of(name).writes[0], "latency_ms": 600, "times": 1 }))
            .await;
        let slow = app.work(name);
        let thief = async {
            tokio::time::sleep(Duration::from_millis(200)).await;
            // The lease runs out under the slow one; another takes the command.
            app.sql("UPDATE command SET lease_until = clock_timestamp() - interval '1 second'")
                .await;
            app.work(name).await
        };
        let (_, stolen) = tokio::join!(slow, thief);
        assert_eq!(stolen, 1);
        app.settle_and_warp(20).await;
        one_of_each(&app, &plan, &format!("fenced on {name}")).await;
        app.mend().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_token_is_renewed_and_a_revoked_one_fails_only_its_own_leg() {
    let app = App::start().await;
    app.world(json!({ "token_expired": { "google-ads": 1 } })).await;
    let plan = plans::plan("token.1");
    app.publish(&plan).await;
    app.settle_and_warp(10).await;
    one_of_each(&app, &plan, "expired").await;
    let mut plan = plans::plan("token.2");
    plan["plan_id"] = json!("token-2");
    app.fault(json!({ "vendor": "meta", "method": "campaigns.create", "error": "190/460" }))
        .await;
    app.publish(&plan).await;
    app.settle_and_warp(5).await;
    let legs = app.legs(&plan).await;
    assert_eq!(legs["meta/prospecting"], "failed");
    assert_eq!(legs["google-ads/search-brand"], "scheduled");
    let failure = app.events("execution.partial_failure")[0].data.clone();
    let legs = failure["legs"].as_array().expect("legs").clone();
    let meta = legs
        .iter()
        .find(|leg| leg["platform"] == "meta")
        .expect("the leg");
    assert_eq!(meta["error"]["class"], "auth");
}

/// Following it would carry the token to another host, and 307 would send the body again.
#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_never_followed() {
    let app = App::start().await;
    let elsewhere = format!("{}/control/reset", app.url);
    let plan = plans::plan("redirect.1");
    for platform in platform::all() {
        let name = platform.name();
        let first = particulars::of(name).writes[0];
        app.fault(json!({ "vendor": name, "method": first, "status": 307, "body": "", "headers": { "location": elsewhere } }))
            .await;
    }
    app.publish(&plan).await;
    app.settle_and_warp(5).await;
    let legs = app.legs(&plan).await;
    assert!(legs.values().all(|s| s == "failed"), "{legs:?}");
    let faults = app.control(reqwest::Method::GET, "faults", None).await;
    assert_ne!(
        faults["faults"],
        json!([]),
        "somebody followed the redirect and reset the sandbox"
    );
}
