//! Assets that an account does not hold yet: given to it once, whoever needs them and whatever happens on the way.

use crate::support::app::App;
use crate::support::plans;
use crate::support::shelf::{Fate, Shelf, Shelved};
use campaign_execution::domain::error::{ErrorClass, LegError};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// A service whose Meta takes uploads, and a library that has no reference of Meta's.
struct Bench {
    app: App,
    shelf: Arc<Mutex<Shelf>>,
}

impl Bench {
    async fn start() -> Self {
        let shelf = Arc::new(Mutex::new(Shelf::default()));
        let app = App::start_with(|inner| {
            if inner.name() == "meta" {
                Arc::new(Shelved {
                    inner,
                    shelf: Arc::clone(&shelf),
                })
            } else {
                inner
            }
        })
        .await;
        app.world(json!({ "assets": { "*": { "needs_upload": ["meta"] } } }))
            .await;
        Self { app, shelf }
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().expect("the shelf")
    }

    /// Calls that sent an upload, and uploads that are held.
    fn made(&self) -> (u32, usize) {
        let shelf = self.shelf();
        (shelf.sends, shelf.count())
    }

    /// Calls that sent an upload, and calls that looked for one.
    fn asked(&self) -> (u32, u32) {
        let shelf = self.shelf();
        (shelf.sends, shelf.looks)
    }

    /// Publishes a plan of `legs` campaigns that all show the same asset.
    async fn publish(&self, version: &str, legs: usize, change: impl Fn(&mut Value)) -> Value {
        let mut plan = plans::only(plans::plan(version), "meta");
        plan["plan_id"] = json!(version.replace('.', "-"));
        let first = plan["campaigns"][0].clone();
        let campaigns = plan["campaigns"].as_array_mut().expect("campaigns");
        for n in 1..legs {
            let mut copy = first.clone();
            copy["logical_campaign_key"] = json!(format!("copy-{n}"));
            campaigns.push(copy);
        }
        change(&mut plan);
        self.app.publish(&plan).await;
        plan
    }

    async fn all_are(&self, plan: &Value, state: &str) {
        let legs = self.app.legs(plan).await;
        assert!(legs.values().all(|s| s == state), "{legs:?} are not {state}");
    }

    /// How often the library was asked for contents.
    async fn fetches(&self) -> u64 {
        let counts = self.app.control(reqwest::Method::GET, "counts", None).await;
        counts["counts"]["assets"]["assets.content"]["requests"]
            .as_u64()
            .unwrap_or(0)
    }

    async fn error(&self, plan: &Value) -> Value {
        let partial = self.app.events("execution.partial_failure");
        let of_plan = |e: &&crate::support::app::Event| e.data["plan_version"] == plan["plan_version"];
        let event = partial.iter().rev().find(of_plan).expect("a partial failure");
        event.data["legs"][0]["error"].clone()
    }

    async fn retry(&self, plan: &Value) {
        let control = json!({ "tenant_id": plan["tenant_id"], "plan_id": plan["plan_id"], "plan_version": plan["plan_version"],
            "action": "retry", "by": "ops", "at": plans::moment(), "reason": "mended" });
        self.app
            .deliver("execution.control", control.to_string().into_bytes())
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_many_legs_and_tenants_need_is_uploaded_once() {
    let bench = Bench::start().await;
    let app = &bench.app;
    app.onboard(|tenant| tenant["tenant_id"] = json!("beta")).await;
    app.world(json!({ "assets": { "*": { "needs_upload": ["meta"], "seed": "the same picture" } } }))
        .await;
    bench.shelf().takes = Duration::from_millis(30);
    let ours = bench.publish("once.1", 5, |_| ()).await;
    let theirs = bench
        .publish("once.2", 3, |plan| plan["tenant_id"] = json!("beta"))
        .await;
    app.settle_and_warp(20).await;
    bench.all_are(&ours, "scheduled").await;
    bench.all_are(&theirs, "scheduled").await;
    assert_eq!(bench.made(), (1, 1));
    assert_eq!(bench.fetches().await, 1, "its content is fetched once");
    let held = bench.shelf().held["act_42"][0].clone();
    let known = app.sql("UPDATE platform_asset SET changed_at = changed_at WHERE state = 'ready'");
    assert_eq!(known.await, 1);
    assert_eq!(
        Some(format!("ce_{}", held.sha256.expect("bytes"))),
        Some(held.name)
    );
    // Another leg, later: what is recorded is used, nothing is asked for.
    let later = bench.publish("once.3", 1, |_| ()).await;
    app.settle_and_warp(5).await;
    bench.all_are(&later, "scheduled").await;
    assert_eq!(bench.asked(), (1, 0));
    assert_eq!(app.number("SELECT count(*) FROM leg_upload").await, 9);
    app.assert_no_duplicates().await;
    app.assert_audit_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_content_is_another_upload() {
    let bench = Bench::start().await;
    let plan = bench
        .publish("two.1", 2, |plan| {
            plan["campaigns"][1]["ad_groups"][0]["ads"][0]["asset_ids"] = json!(["asset-img-009"]);
        })
        .await;
    bench.app.settle_and_warp(5).await;
    bench.all_are(&plan, "scheduled").await;
    assert_eq!(bench.made(), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_looked_up_and_a_lost_request_is_sent_again() {
    let lost = [(Fate::AnswerLost, 1), (Fate::RequestLost, 2), (Fate::Busy, 2)];
    for (fate, sends) in lost {
        let bench = Bench::start().await;
        bench.shelf().fates.push_back(fate.clone());
        let plan = bench.publish("lost.1", 3, |_| ()).await;
        bench.app.settle_and_warp(20).await;
        bench.all_are(&plan, "scheduled").await;
        assert_eq!(bench.made(), (sends, 1), "{fate:?}");
        bench.app.assert_audit_whole().await;
        let told = format!(
            "SELECT count(*) FROM audit_log WHERE action = 'mutation' AND entry LIKE '%{}%'",
            r#""op":"upload""#
        );
        let told: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(told))
            .fetch_one(&mut bench.app.connect().await)
            .await
            .expect("the audit log");
        assert_eq!(told, i64::from(sends), "{fate:?}: each call is in the audit log");
    }
}

/// The worker is gone between the intent and the outcome, before or after the platform took the upload.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_dies_over_an_upload_leaves_one() {
    for (fate, sends) in [(Fate::SilentAfter, 1), (Fate::SilentBefore, 2)] {
        let bench = Bench::start().await;
        let app = &bench.app;
        bench.shelf().fates.push_back(fate.clone());
        let plan = bench.publish("dead.1", 2, |_| ()).await;
        app.wiring.gatekeeper().step().await.expect("the gate");
        app.pump().await;
        let cut_off = tokio::time::timeout(Duration::from_millis(700), app.work("meta")).await;
        assert!(cut_off.is_err(), "it was not cut off");
        assert_eq!(bench.shelf().sends, 1);
        // Its claim has not run out: nobody looks, nobody sends.
        app.sql(
            "UPDATE command SET not_before = clock_timestamp(), lease_until = NULL WHERE state = 'queued'",
        )
        .await;
        app.work("meta").await;
        assert_eq!(bench.asked(), (1, 0));
        app.settle_and_warp(20).await;
        bench.all_are(&plan, "scheduled").await;
        assert_eq!(bench.made(), (sends, 1), "{fate:?}");
        assert!(bench.shelf().looks > 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn transcoding_is_waited_for_and_is_no_attempt() {
    let bench = Bench::start().await;
    let app = &bench.app;
    bench.shelf().processing = 12;
    let plan = bench.publish("slow.1", 2, |_| ()).await;
    app.settle().await;
    let waiting =
        "SELECT count(*) FROM command WHERE waiting_for = 'upload' AND state = 'queued' AND attempts = 0";
    assert_eq!(app.number(waiting).await, 2);
    app.settle_and_warp(20).await;
    bench.all_are(&plan, "scheduled").await;
    assert_eq!(bench.made(), (1, 1));
    // Another one takes too long: the leg gives up, and a retry looks first.
    let slow = bench
        .publish("slow.2", 1, |plan| {
            plan["campaigns"][0]["ad_groups"][0]["ads"][0]["asset_ids"] = json!(["asset-img-009"]);
        })
        .await;
    app.settle().await;
    app.sql("UPDATE platform_asset SET processing_since = clock_timestamp() - interval '3 hours' WHERE state = 'processing'")
        .await;
    app.warp().await;
    app.settle().await;
    assert_eq!(bench.error(&slow).await["code"], "asset-processing");
    for held in bench.shelf().held.values_mut().flatten() {
        held.processing = 0;
    }
    bench.retry(&slow).await;
    app.settle_and_warp(5).await;
    bench.all_are(&slow, "scheduled").await;
    assert_eq!(bench.made(), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_content_is_refused_once_and_tried_again_by_a_retry() {
    let bench = Bench::start().await;
    let refusal = LegError::new(
        ErrorClass::Validation,
        "bad-picture",
        "not a picture",
        "send a picture",
    );
    bench.shelf().fates.push_back(Fate::Refused(Box::new(refusal)));
    let plan = bench.publish("bad.1", 4, |_| ()).await;
    bench.app.settle_and_warp(5).await;
    bench.all_are(&plan, "failed").await;
    assert_eq!(bench.shelf().sends, 1, "the other legs take its word");
    assert_eq!(bench.error(&plan).await["code"], "bad-picture");
    bench.retry(&plan).await;
    bench.app.settle_and_warp(5).await;
    bench.all_are(&plan, "scheduled").await;
    assert_eq!(bench.made(), (2, 1));
}

/// What must not be fetched is not; nothing of it reaches the platform.
#[tokio::test(flavor = "multi_thread")]
async fn a_content_that_is_not_what_or_where_it_should_be_is_not_uploaded() {
    let elsewhere = json!({ "vendor": "assets", "method": "assets.content", "status": 302, "body": "",
        "headers": { "location": "http://169.254.169.254/" } });
    for (what, change, fault, code) in [
        (
            "too large",
            json!({ "bytes": 999_999_999_u64 }),
            None,
            "asset-content",
        ),
        (
            "inside",
            json!({ "url": "https://10.0.0.7/x.png" }),
            None,
            "asset-content",
        ),
        (
            "metadata",
            json!({ "url": "http://169.254.169.254/latest" }),
            None,
            "asset-content",
        ),
        (
            "another port",
            json!({ "url": "http://127.0.0.1:1/x.png" }),
            None,
            "asset-content",
        ),
        (
            "not listed",
            json!({ "url": "https://cdn.example/x.png" }),
            None,
            "asset-content",
        ),
        ("redirect", json!({}), Some(elsewhere), "asset-content"),
    ] {
        let bench = Bench::start().await;
        bench
            .app
            .world(json!({ "assets": { "asset-img-001": change } }))
            .await;
        if let Some(fault) = fault {
            bench.app.fault(fault).await;
        }
        let plan = bench.publish("place.1", 1, |_| ()).await;
        bench.app.settle_and_warp(5).await;
        bench.all_are(&plan, "failed").await;
        assert_eq!(bench.error(&plan).await["code"], code, "{what}");
        assert_eq!(bench.shelf().sends, 0, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_library_that_is_away_is_waited_for() {
    let bench = Bench::start().await;
    bench
        .app
        .fault(json!({ "vendor": "assets", "method": "assets.content", "status": 503, "times": 2 }))
        .await;
    bench
        .app
        .fault(json!({ "vendor": "assets", "method": "assets.content", "kind": "cut", "times": 1 }))
        .await;
    let plan = bench.publish("away.1", 2, |_| ()).await;
    bench.app.settle_and_warp(10).await;
    bench.all_are(&plan, "scheduled").await;
    assert_eq!((bench.made().0, bench.fetches().await), (1, 4));
}
