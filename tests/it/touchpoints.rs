//! Where a person must act, and what merely takes its time: missing assets, disapprovals, reviews, starts that lie ahead.

use crate::support::app::{App, Event};
use crate::support::plans;
use crate::support::shelf::{Shelf, Shelved};
use campaign_execution::clock::{Clock, SystemClock};
use campaign_execution::platform;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// `opened` and `resolved` events of a kind about a plan, oldest first.
fn told(app: &App, plan: &Value, kind: &str) -> Vec<Event> {
    let about = |e: &Event| e.data["plan_version"] == plan["plan_version"] && e.data["kind"] == kind;
    let events = app.events("execution.touchpoint");
    events.into_iter().filter(about).collect()
}

fn states(events: &[Event]) -> Vec<&str> {
    events.iter().filter_map(|e| e.data["state"].as_str()).collect()
}

async fn control(app: &App, plan: &Value, action: &str) {
    let control = json!({ "tenant_id": plan["tenant_id"], "plan_id": plan["plan_id"], "plan_version": plan["plan_version"],
        "action": action, "by": "ops", "at": plans::moment(), "reason": "a test" });
    app.deliver("execution.control", control.to_string().into_bytes())
        .await;
}

/// The touchpoints that people see: kind and resolution.
async fn seen(app: &App) -> Vec<(String, Option<String>)> {
    let all = app
        .wiring
        .store
        .touchpoints(None, true)
        .await
        .expect("touchpoints");
    all.into_iter().map(|t| (t.kind, t.resolution)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_asset_that_the_library_lacks_is_asked_for_once_and_the_launch_goes_on_when_it_appears() {
    let app = App::start().await;
    for (n, state) in ["missing", "processing"].iter().enumerate() {
        app.world(json!({ "assets": { "asset-img-001": state } })).await;
        let mut plan = plans::only(plans::plan(&format!("want.{n}")), "meta");
        plan["plan_id"] = json!(format!("want-{n}"));
        app.publish(&plan).await;
        for _ in 0..3 {
            app.settle().await;
            app.warp().await;
        }
        let events = told(&app, &plan, "missing_asset");
        assert_eq!(
            states(&events),
            ["opened"],
            "{state}: once, however often the gate is asked"
        );
        assert!(
            events[0].data["what_to_do"]
                .as_str()
                .expect("a text")
                .contains("asset-img-001")
        );
        app.world(json!({ "assets": { "asset-img-001": "ready" } })).await;
        app.settle_and_warp(3).await;
        assert_eq!(app.legs(&plan).await["meta/prospecting"], "scheduled", "{state}");
        let events = told(&app, &plan, "missing_asset");
        assert_eq!(states(&events), ["opened", "resolved"]);
        assert_eq!(events[0].data["touchpoint_id"], events[1].data["touchpoint_id"]);
        let appeared = ("missing_asset".to_owned(), Some("appeared".to_owned()));
        assert_eq!(seen(&app).await, vec![appeared; n + 1]);
    }
    // A library that cannot be asked says nothing about the asset.
    app.fault(json!({ "vendor": "assets", "status": 503 })).await;
    let mut plan = plans::only(plans::plan("want.9"), "meta");
    plan["plan_id"] = json!("want-9");
    app.publish(&plan).await;
    app.settle().await;
    assert_eq!(told(&app, &plan, "missing_asset").len(), 0);
}

/// The asset goes, or turns out to be another, between the gate and the build.
#[tokio::test(flavor = "multi_thread")]
async fn a_leg_that_finds_its_asset_gone_waits_for_it_and_does_not_fail() {
    let gone = json!("missing");
    let wrong = json!({ "needs_upload": ["meta"], "wrong_hash": true });
    let processing = json!({ "needs_upload": ["meta"], "status": "processing" });
    for (what, after_the_gate, before_it) in [
        ("gone", gone, json!({ "needs_upload": ["meta"] })),
        ("not what it was", wrong.clone(), wrong),
        (
            "in the works again",
            processing,
            json!({ "needs_upload": ["meta"] }),
        ),
    ] {
        let shelf = Arc::new(Mutex::new(Shelf::default()));
        let app = App::start_with(|inner| match inner.name() {
            "meta" => Arc::new(Shelved {
                inner,
                shelf: Arc::clone(&shelf),
            }),
            _ => inner,
        })
        .await;
        app.world(json!({ "assets": { "asset-img-001": before_it } }))
            .await;
        let plan = plans::only(plans::plan("gone.1"), "meta");
        app.publish(&plan).await;
        app.wiring.gatekeeper().step().await.expect("the gate");
        app.world(json!({ "assets": { "asset-img-001": after_the_gate } }))
            .await;
        for _ in 0..3 {
            app.settle().await;
            app.warp().await;
        }
        control(&app, &plan, "resume").await;
        app.settle().await;
        let leg = &app.leg_views(&plan).await[0];
        assert_eq!(leg.state, "building", "{what}");
        let waiting = leg.waiting.as_ref().expect("a command");
        assert_eq!(
            (waiting.waiting_for.as_deref(), waiting.attempts),
            (Some("asset"), 0),
            "{what}"
        );
        let events = told(&app, &plan, "missing_asset");
        assert_eq!(states(&events), ["opened"], "{what}");
        assert_eq!(events[0].data["logical_campaign_key"], "prospecting");
        assert_eq!(app.events("execution.partial_failure").len(), 0);
        assert_eq!(shelf.lock().expect("the shelf").sends, 0, "{what}");
        // A person uploads another picture under the same id; somebody says so.
        app.world(json!({ "assets": { "asset-img-001": { "needs_upload": ["meta"], "seed": "new" } } }))
            .await;
        control(&app, &plan, "resume").await;
        app.settle().await;
        assert_eq!(app.legs(&plan).await["meta/prospecting"], "scheduled", "{what}");
        assert_eq!(
            states(&told(&app, &plan, "missing_asset")),
            ["opened", "resolved"]
        );
        assert_eq!(seen(&app).await[0].1.as_deref(), Some("appeared"));
        let uploads = &app.leg_views(&plan).await[0].uploads;
        assert_eq!((uploads.len(), uploads[0].state.as_str()), (1, "ready"));
        assert_eq!(shelf.lock().expect("the shelf").count(), 1);
        app.assert_audit_whole().await;
    }
}

/// Neither an asset nor a review keeps a launch from being taken back.
#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_rolled_back_at_once() {
    let app = App::start().await;
    app.world(json!({ "review_pending": ["*"] })).await;
    let reviewed = plans::only(plans::running_plan("back.1"), "meta");
    app.publish(&reviewed).await;
    app.settle().await;
    assert_eq!(app.legs(&reviewed).await["meta/prospecting"], "activating");
    let mut without = plans::only(plans::plan("back.2"), "meta");
    without["plan_id"] = json!("back-2");
    app.publish(&without).await;
    app.wiring.gatekeeper().step().await.expect("the gate");
    // The platform does not know what the library called it, and the library has lost it.
    app.sql("UPDATE leg SET spec = jsonb_set(spec, '{assets,asset-img-001,platform_refs}', '{}') WHERE plan_version = 'back.2'")
        .await;
    app.world(json!({ "assets": { "asset-img-001": "missing" } }))
        .await;
    app.settle().await;
    assert_eq!(app.legs(&without).await["meta/prospecting"], "building");
    assert_eq!(states(&told(&app, &without, "missing_asset")), ["opened"]);
    for plan in [&reviewed, &without] {
        control(&app, plan, "rollback").await;
        app.settle().await;
        assert_eq!(app.legs(plan).await["meta/prospecting"], "undone");
    }
    assert_eq!(app.events("execution.rolled_back").len(), 2);
    assert_eq!(
        states(&told(&app, &without, "missing_asset")),
        ["opened", "resolved"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disapproval_asks_a_person_and_a_retry_that_gets_through_resolves_it() {
    for platform in platform::all() {
        let name = platform.name();
        let app = App::start().await;
        app.world(json!({ "disapprove": ["*"] })).await;
        let mut plan = plans::only(plans::running_plan("policy.1"), name);
        plan["plan_id"] = json!("policy-1");
        app.publish(&plan).await;
        app.settle_and_warp(8).await;
        let leg = app.leg_views(&plan).await.remove(0);
        assert_eq!(leg.state, "failed", "{name}");
        let error = leg.error.expect("an error");
        assert_eq!(error.class.as_str(), "policy", "{name}: {error:?}");
        let events = told(&app, &plan, "policy_disapproval");
        assert_eq!(states(&events), ["opened"], "{name}");
        let asked = events[0].data["what_to_do"].as_str().expect("a text");
        assert!(asked.contains(&error.message), "{name}: {asked}");
        assert_eq!(app.events("campaign.live").len(), 0, "{name}");
        assert_eq!(app.events("execution.partial_failure").len(), 1, "{name}");
        // Tried again without a change: still one touchpoint.
        control(&app, &plan, "retry").await;
        app.settle_and_warp(8).await;
        assert_eq!(
            states(&told(&app, &plan, "policy_disapproval")),
            ["opened"],
            "{name}"
        );
        app.world(json!({ "disapprove": [] })).await;
        control(&app, &plan, "resume").await;
        app.settle_and_warp(8).await;
        let events = told(&app, &plan, "policy_disapproval");
        assert_eq!(states(&events), ["opened", "resolved"], "{name}");
        assert_eq!(app.events("campaign.live").len(), 1, "{name}");
        assert_eq!(seen(&app).await[0].1.as_deref(), Some("got_through"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_review_is_waited_for_on_a_clock_of_its_own() {
    for platform in platform::all() {
        let name = platform.name();
        let app = App::start().await;
        app.world(json!({ "review_pending": ["*"] })).await;
        let mut plan = plans::only(plans::running_plan("review.1"), name);
        plan["plan_id"] = json!("review-1");
        app.publish(&plan).await;
        for _ in 0..5 {
            app.settle().await;
            app.warp().await;
        }
        app.settle().await;
        let leg = app.leg_views(&plan).await.remove(0);
        assert_eq!(leg.state, "activating", "{name}");
        let waiting = leg.waiting.expect("a command");
        assert_eq!(waiting.waiting_for.as_deref(), Some("review"), "{name}");
        assert!(
            waiting.attempts <= 1 && waiting.due_in_s > 60.0,
            "{name}: {waiting:?}"
        );
        assert!(leg.review.expect("a review").since.is_some(), "{name}");
        assert_eq!(
            app.events("campaign.live").len(),
            0,
            "{name}: it cannot serve yet"
        );
        app.sql("UPDATE leg SET review_since = review_since - interval '2 hours'")
            .await;
        app.world(json!({ "review_pending": [] })).await;
        app.settle_and_warp(5).await;
        assert_eq!(app.events("campaign.live").len(), 1, "{name}");
        let review = app.leg_views(&plan).await.remove(0).review.expect("a review");
        assert_eq!((review.since, review.waited_s / 60), (None, 120), "{name}");
    }
}

/// A real start, a few seconds ahead: the platforms look at their own clocks.
#[tokio::test(flavor = "multi_thread")]
async fn a_flight_goes_live_when_its_start_passes_and_the_platform_says_it_can_serve() {
    let app = App::start().await;
    let clocks = app.wiring.clocks();
    let start = SystemClock.now() + chrono::Duration::seconds(15);
    let mut published = Vec::new();
    for version in ["start.good", "start.bad"] {
        let mut plan = plans::plan(version);
        plan["plan_id"] = json!(version.replace('.', "-"));
        for campaign in plan["campaigns"].as_array_mut().expect("campaigns") {
            campaign["schedule"]["start"] = json!(start.to_rfc3339());
        }
        app.publish(&plan).await;
        published.push(plan);
    }
    app.settle_and_warp(10).await;
    let each = platform::all().len();
    assert!(
        SystemClock.now() < start,
        "this machine is too slow for this test"
    );
    assert_eq!(app.events("campaign.scheduled").len(), 2 * each);
    assert_eq!(app.events("campaign.live").len(), 0);
    app.world(json!({ "review_pending": ["*"] })).await;
    app.sql("UPDATE leg SET watch_at = starts_at").await;
    assert_eq!(clocks.step().await.expect("a look"), 0, "their start lies ahead");
    let left = (start - SystemClock.now()).to_std().unwrap_or_default();
    tokio::time::sleep(left + Duration::from_millis(1500)).await;

    assert_eq!(
        clocks.step().await.expect("a look"),
        2 * each,
        "their start has come"
    );
    app.settle().await;
    for plan in &published {
        for leg in app.leg_views(plan).await {
            assert_eq!(leg.state, "scheduled", "{}: still in review", leg.platform);
            assert!(leg.review.expect("a review").since.is_some(), "{}", leg.platform);
        }
    }
    assert_eq!(clocks.step().await.expect("a look"), 0, "not again at once");

    app.world(json!({ "review_pending": [], "disapprove": ["start.bad"] }))
        .await;
    app.warp().await;
    clocks.step().await.expect("a look");
    app.settle().await;
    for (plan, state) in published.iter().zip(["live", "failed"]) {
        for leg in app.leg_views(plan).await {
            assert_eq!(leg.state, state, "{}", leg.platform);
            assert!(leg.review.is_none_or(|r| r.since.is_none()), "the review is over");
        }
    }
    assert_eq!(app.events("campaign.live").len(), each);
    let asked = told(&app, &published[1], "policy_disapproval");
    assert_eq!(states(&asked), vec!["opened"; each]);
    let failure = app.events("execution.partial_failure").pop().expect("it is told");
    assert_eq!(failure.data["plan_version"], "start.bad");
    app.assert_audit_whole().await;
}

/// One ad of two is refused: a person is asked, once, and the campaign serves with the other; what is mended is seen.
#[tokio::test(flavor = "multi_thread")]
async fn one_disapproved_ad_asks_a_person_and_keeps_the_campaign_from_nothing() {
    for platform in platform::all() {
        let name = platform.name();
        let app = App::start().await;
        let clocks = app.wiring.clocks();
        let mut plan = plans::only(plans::running_plan("partly.1"), name);
        let ads = plan["campaigns"][0]["ad_groups"][0]["ads"]
            .as_array_mut()
            .expect("ads");
        let mut second = ads[0].clone();
        second["key"] = json!("another");
        for field in ["/headlines/0", "/descriptions/0"] {
            if let Some(text) = second.pointer_mut(field) {
                *text = json!("Only the second ad's");
            }
        }
        ads.push(second);
        app.world(json!({ "disapprove": ["/another", "Only the second"] }))
            .await;
        app.publish(&plan).await;
        app.settle_and_warp(8).await;
        assert_eq!(app.leg_views(&plan).await.remove(0).state, "live", "{name}");
        let events = told(&app, &plan, "policy_disapproval");
        assert_eq!(states(&events), ["opened"], "{name}: once");
        assert_eq!(app.events("campaign.live").len(), 1, "{name}");
        assert_eq!(app.events("execution.partial_failure").len(), 0, "{name}");
        // Looked at again, and still so: nothing is told twice.
        app.warp().await;
        assert_eq!(clocks.step().await.expect("a look"), 1, "{name}");
        app.settle().await;
        assert_eq!(
            states(&told(&app, &plan, "policy_disapproval")),
            ["opened"],
            "{name}"
        );
        app.world(json!({ "disapprove": [] })).await;
        app.warp().await;
        clocks.step().await.expect("a look");
        app.settle().await;
        let events = told(&app, &plan, "policy_disapproval");
        assert_eq!(states(&events), ["opened", "resolved"], "{name}");
        assert_eq!(seen(&app).await[0].1.as_deref(), Some("got_through"));
        app.warp().await;
        assert_eq!(clocks.step().await.expect("a look"), 0, "{name}: it is over");
        app.assert_audit_whole().await;
    }
}

/// A disapproval that comes between the launch and the start is told before the start.
#[tokio::test(flavor = "multi_thread")]
async fn a_disapproval_is_found_before_the_start() {
    for platform in platform::all() {
        let name = platform.name();
        let app = App::start().await;
        let clocks = app.wiring.clocks();
        let plan = plans::only(plans::plan("early.1"), name);
        app.publish(&plan).await;
        app.settle().await;
        assert_eq!(app.leg_views(&plan).await.remove(0).state, "scheduled", "{name}");
        // Nothing is wrong: it stays as it is, and is asked again later and later, never after the start.
        app.warp().await;
        assert_eq!(clocks.step().await.expect("a look"), 1, "{name}");
        assert_eq!(
            clocks.step().await.expect("a look"),
            0,
            "{name}: not again at once"
        );
        assert_eq!(app.leg_views(&plan).await.remove(0).state, "scheduled", "{name}");
        assert_eq!(
            app.events("campaign.live").len(),
            0,
            "{name}: its start has not come"
        );
        let ahead = "SELECT count(*) FROM leg WHERE watch_at > clock_timestamp() + interval '9 minutes' AND watch_at <= starts_at";
        assert_eq!(app.number(ahead).await, 1, "{name}");
        app.world(json!({ "disapprove": ["*"] })).await;
        app.warp().await;
        clocks.step().await.expect("a look");
        app.settle().await;
        assert_eq!(app.leg_views(&plan).await.remove(0).state, "failed", "{name}");
        assert_eq!(
            states(&told(&app, &plan, "policy_disapproval")),
            ["opened"],
            "{name}"
        );
    }
}
