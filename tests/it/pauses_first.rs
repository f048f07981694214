//! Rolling back: everything of the version is off, on all platforms, before anything else; and what is on goes off whatever the
//! manifest says.

use crate::support::app::App;
use crate::support::{particulars, plans};
use campaign_execution::platform;
use serde_json::{Value, json};

async fn roll_back(app: &App, plan: &Value) {
    let control = json!({ "tenant_id": "acme", "plan_id": plan["plan_id"], "plan_version": plan["plan_version"],
        "action": "rollback", "by": "ops", "at": plans::moment(), "reason": "the client withdrew" });
    app.deliver("execution.control", control.to_string().into_bytes())
        .await;
}

/// What changed something on the platforms, oldest first.
async fn effects(app: &App) -> Vec<Value> {
    let path = "requests?mutations=true&limit=100000";
    let answer = app.control(reqwest::Method::GET, path, None).await;
    let mut all = answer["requests"].as_array().expect("requests").clone();
    all.retain(|r| platform::all().iter().any(|p| r["vendor"] == p.name()));
    all
}

fn pauses(request: &Value) -> bool {
    particulars::of(request["vendor"].as_str().expect("a vendor")).pauses(request)
}

fn on(object: &&Value) -> bool {
    object["kind"] == "campaign"
        && matches!(
            object["status"].as_str(),
            Some("ENABLED" | "ACTIVE" | "ENABLE" | "ENTITY_STATUS_ACTIVE")
        )
}

async fn count_on(app: &App) -> usize {
    let mut count = 0;
    for platform in platform::all() {
        count += app.objects(platform.name()).await.iter().filter(on).count();
    }
    count
}

/// Each campaign of the example twice, on air.
async fn launched(app: &App, version: &str) -> Value {
    let mut plan = plans::running_plan(version);
    let campaigns = plan["campaigns"].as_array_mut().expect("campaigns");
    let again: Vec<Value> = campaigns
        .iter()
        .map(|campaign| {
            let mut campaign = campaign.clone();
            let key = campaign["logical_campaign_key"].as_str().expect("a key");
            campaign["logical_campaign_key"] = json!(format!("{key}-2"));
            campaign
        })
        .collect();
    campaigns.extend(again);
    app.publish(&plan).await;
    app.settle_and_warp(5).await;
    let legs = app.legs(&plan).await;
    assert!(legs.values().all(|s| s == "live"), "{legs:?}");
    plan
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_removed_anywhere_while_a_campaign_of_the_version_is_on() {
    for troubled in platform::all() {
        let name = troubled.name();
        let app = App::start().await;
        let plan = launched(&app, "first.1").await;
        let (every, before) = (plans::legs(&plan), effects(&app).await.len());
        let (method, _) = particulars::of(name).pause;
        app.fault(json!({ "vendor": name, "method": method, "status": 503, "effect": "before" }))
            .await;
        roll_back(&app, &plan).await;
        app.settle_and_warp(4).await;
        assert_eq!(
            count_on(&app).await,
            2,
            "{name}: its own are on yet, the others off"
        );
        let did = effects(&app).await.split_off(before);
        assert!(
            did.iter().all(pauses),
            "{name}: something went before its turn: {did:?}"
        );
        assert_eq!(did.len(), every - 2, "{name}");

        app.mend().await;
        app.settle_and_warp(10).await;
        let legs = app.legs(&plan).await;
        assert!(legs.values().all(|s| s == "undone"), "{name}: {legs:?}");
        let did = effects(&app).await.split_off(before);
        let paused = did.iter().take_while(|r| pauses(r)).count();
        assert_eq!(paused, every, "{name}: all off, then the rest");
        assert!(did.len() > every, "{name}: and then removed");
        assert_eq!(app.events("execution.rolled_back").len(), 1, "{name}");
        app.assert_audit_whole().await;
    }
}

/// A leg that nobody can switch off is a person's matter, and holds up nobody.
#[tokio::test(flavor = "multi_thread")]
async fn a_leg_that_is_stuck_holds_nobody_up() {
    let app = App::start().await;
    let plan = launched(&app, "stuck.1").await;
    let stuck = platform::all()[0].name();
    app.onboard(|t| {
        t["updated_at"] = json!(plans::stamp(chrono::Duration::zero()));
        t["accounts"][stuck]["account_id"] = json!("1111111111");
    })
    .await;
    roll_back(&app, &plan).await;
    app.settle_and_warp(10).await;
    let legs = app.legs(&plan).await;
    let of = |state: &str| legs.values().filter(|s| *s == state).count();
    assert_eq!(of("stuck"), 2, "its account is another now: {legs:?}");
    assert_eq!(of("undone"), plans::legs(&plan) - 2, "{legs:?}");
}

/// An activation whose outcome was lost, or a stranger's hand: the manifest says off, the platform says on.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_on_without_the_manifest_knowing_goes_off_too() {
    for platform in platform::all() {
        let name = platform.name();
        let app = App::start().await;
        let plan = plans::only(plans::running_plan("unseen.1"), name);
        app.publish(&plan).await;
        app.settle_and_warp(5).await;
        assert_eq!(count_on(&app).await, 1, "{name}");
        let there = app.objects(name).await;
        let campaign = there.iter().find(on).expect("a campaign");
        let id = campaign["id"].as_str().expect("an id");
        app.world(json!({ "spend": { id: "1.00" } })).await;
        app.sql(
            "UPDATE execution_manifest SET objects = replace(objects::text, '\"active\"', '\"paused\"')::jsonb",
        )
        .await;
        roll_back(&app, &plan).await;
        app.settle_and_warp(5).await;
        let legs = app.legs(&plan).await;
        assert!(legs.values().all(|s| s == "undone"), "{name}: {legs:?}");
        // Where the platform tells that it spent, it is kept.
        assert_eq!(count_on(&app).await, 0, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_switches_off_goes_before_all_other_work() {
    for platform in platform::all() {
        let name = platform.name();
        let app = App::start().await;
        let on_air = plans::only(plans::running_plan("before.1"), name);
        app.publish(&on_air).await;
        app.settle_and_warp(5).await;
        let before = effects(&app).await.len();
        let mut work = plans::only(plans::plan("before.2"), name);
        work["plan_id"] = json!("much-work");
        app.publish(&work).await;
        app.wiring.gatekeeper().step().await.expect("the gate opens");
        app.pump().await;
        roll_back(&app, &on_air).await;
        app.pump().await;
        let (mut worker, _committing) = app.wiring.worker_of(platform);
        worker.config.concurrency = 1;
        assert_eq!(worker.step().await.expect("a command"), 1);
        let did = effects(&app).await.split_off(before);
        assert_eq!(did.len(), 1, "{name}");
        assert!(pauses(&did[0]), "{name}: {did:?}");
    }
}

/// A call of a rollback is refused for now, each in turn: in the end nothing is left.
#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_that_is_cut_short_anywhere_leaves_nothing() {
    // Mostly waiting: side by side.
    futures::future::join_all(platform::all().iter().map(|p| cut_short(p.name()))).await;
}

async fn cut_short(name: &'static str) {
    let app = App::start().await;
    for n in 0.. {
        let mut plan = plans::only(plans::running_plan(&format!("cut.{n}")), name);
        plan["plan_id"] = json!(format!("cut-{n}"));
        app.publish(&plan).await;
        app.settle_and_warp(5).await;
        app.fault(json!({ "vendor": name, "method": "*", "status": 429, "body": "", "skip": n, "times": 1 }))
            .await;
        roll_back(&app, &plan).await;
        app.settle_and_warp(1).await;
        let answer = app.control(reqwest::Method::GET, "faults", None).await;
        let struck = answer["faults"][0]["struck"] == json!(1);
        app.mend().await;
        // The platform's own word holds the account for a moment.
        tokio::time::sleep(std::time::Duration::from_millis(if struck { 1_100 } else { 0 })).await;
        app.settle_and_warp(10).await;
        let legs = app.legs(&plan).await;
        assert!(legs.values().all(|s| s == "undone"), "{name}, call {n}: {legs:?}");
        let left = app.objects(name).await;
        assert!(
            left.iter().all(|o| o["kind"] != "campaign"),
            "{name}, call {n}: {left:?}"
        );
        if !struck {
            assert!(n > 2, "{name}: {n} calls");
            return;
        }
    }
}
