//! The kill switch: what is on goes off, nothing new is sent, and the end of the pause restores exactly what it found.

use crate::amend::{amended, raise};
use crate::support::app::App;
use crate::support::{hand, particulars, plans};
use campaign_execution::platform;
use campaign_execution::service::compose::Composer;
use campaign_execution::store::pause::{Switch, Switched};
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn switch(app: &App, reason: &str) -> Switch {
    Switch {
        tenant_id: "acme".to_owned(),
        by: "cli:tester".to_owned(),
        reason: reason.to_owned(),
        now: app.wiring.clock.stamp(),
    }
}

async fn pause(app: &App) -> Switched {
    let switch = switch(app, "the client asked for it");
    app.wiring.store.pause(&Composer, &switch).await.expect("paused")
}

async fn unpause(app: &App) -> Switched {
    let switch = switch(app, "sorted out");
    app.wiring
        .store
        .unpause(&Composer, &switch)
        .await
        .expect("un-paused")
}

/// Campaigns by platform and name → their status there.
async fn campaigns(app: &App) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for platform in platform::all() {
        let vendor = platform.name();
        for object in app.objects(vendor).await {
            if object["kind"] == "campaign" {
                let name = format!("{vendor} {}", object["name"].as_str().expect("a name"));
                all.insert(name, object["status"].as_str().expect("a status").to_owned());
            }
        }
    }
    all
}

fn on(status: &str) -> bool {
    matches!(status, "ENABLED" | "ACTIVE" | "ENABLE" | "ENTITY_STATUS_ACTIVE")
}

/// The example plan has one campaign on each platform.
fn every() -> usize {
    platform::all().len()
}

async fn count_on(app: &App) -> usize {
    campaigns(app).await.values().filter(|s| on(s)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_on_goes_off_and_exactly_that_comes_back() {
    let app = App::start().await;
    let plan = plans::running_plan("switch.1");
    app.publish(&plan).await;
    app.settle_and_warp(5).await;
    assert_eq!(count_on(&app).await, every(), "{:?}", campaigns(&app).await);
    let live = app.events("campaign.live").len();

    assert_eq!(
        pause(&app).await,
        Switched {
            changed: true,
            legs: every()
        }
    );
    app.settle().await;
    assert_eq!(count_on(&app).await, 0, "{:?}", campaigns(&app).await);
    let states = app.legs(&plan).await;
    assert!(
        states.values().all(|s| s == "live"),
        "a pause moves no state: {states:?}"
    );
    let held = &app.wiring.store.pauses().await.unwrap()[0];
    assert_eq!(
        (held.held, held.holding, held.releasing),
        (i64::try_from(every()).unwrap(), 0, 0)
    );
    assert_eq!(held.reason.as_deref(), Some("the client asked for it"));

    let before = app.effects().await;
    assert_eq!(
        pause(&app).await,
        Switched {
            changed: false,
            legs: 0
        },
        "again is nothing"
    );
    app.settle().await;
    assert_eq!(app.effects().await, before);

    assert_eq!(
        unpause(&app).await,
        Switched {
            changed: true,
            legs: every()
        }
    );
    app.settle().await;
    assert_eq!(count_on(&app).await, every(), "{:?}", campaigns(&app).await);
    assert!(app.wiring.store.pauses().await.unwrap().is_empty());
    assert_eq!(
        unpause(&app).await,
        Switched {
            changed: false,
            legs: 0
        }
    );
    assert_eq!(
        app.events("campaign.live").len(),
        live,
        "nobody is told twice that it is live"
    );
    assert_eq!(
        app.number("SELECT count(*) FROM execution_manifest WHERE held IS NOT NULL")
            .await,
        0
    );
    app.assert_audit_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_paused_by_hand_stays_paused() {
    let app = App::start().await;
    let plan = plans::running_plan("hand.1");
    app.publish(&plan).await;
    app.settle_and_warp(5).await;
    let meta = app.objects("meta").await;
    let campaign = meta.iter().find(|o| o["kind"] == "campaign").expect("a campaign");
    let id = campaign["id"].as_str().expect("an id");
    hand::on_meta(&app, id, "status=PAUSED").await;
    assert_eq!(count_on(&app).await, every() - 1);
    pause(&app).await;
    app.settle().await;
    assert_eq!(count_on(&app).await, 0);
    unpause(&app).await;
    app.settle().await;
    let now = campaigns(&app).await;
    assert!(
        now.iter().any(|(n, s)| n.starts_with("google-ads") && on(s)),
        "{now:?}"
    );
    assert!(
        now.iter().any(|(n, s)| n.starts_with("meta") && s == "PAUSED"),
        "{now:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_rolled_back_meanwhile_stays_off() {
    let app = App::start().await;
    let plan = plans::running_plan("gone.1");
    app.publish(&plan).await;
    app.settle_and_warp(5).await;
    pause(&app).await;
    app.settle().await;
    let control = json!({ "tenant_id": "acme", "plan_id": plan["plan_id"], "plan_version": "gone.1", "action": "rollback",
        "by": "ops", "at": plans::moment(), "reason": "withdrawn" });
    app.deliver("execution.control", control.to_string().into_bytes())
        .await;
    app.settle().await;
    assert_eq!(count_on(&app).await, 0);
    let removed = campaigns(&app).await;
    assert_eq!(
        removed.len(),
        every(),
        "a paused tenant's campaigns are not removed yet: {removed:?}"
    );
    assert_eq!(unpause(&app).await.legs, 0);
    app.settle_and_warp(5).await;
    let legs = app.legs(&plan).await;
    assert!(legs.values().all(|s| s == "undone"), "{legs:?}");
    assert!(campaigns(&app).await.is_empty(), "{:?}", campaigns(&app).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn new_plans_and_half_built_ones_wait() {
    let app = App::start().await;
    let half = plans::running_plan("half.1");
    app.publish(&half).await;
    app.wiring.gatekeeper().step().await.expect("the gate opens");
    app.pump().await;
    pause(&app).await;
    let mut new = plans::running_plan("half.2");
    new["plan_id"] = json!("another");
    app.publish(&new).await;
    app.settle().await;
    assert_eq!(app.effects().await, 0, "nothing is sent for a paused tenant");
    assert_eq!(
        app.number("SELECT count(*) FROM execution WHERE gate = 'pending'")
            .await,
        1
    );
    unpause(&app).await;
    app.settle_and_warp(5).await;
    assert_eq!(count_on(&app).await, 2 * every(), "{:?}", campaigns(&app).await);
    app.assert_no_duplicates().await;
}

/// A pause at any point of a launch: each intent is committed before it, or never. Whatever was on its way, in the end
/// nothing is on; and after the pause all of it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_pause_in_the_middle_of_a_launch_leaves_nothing_on() {
    for step in 0..6 {
        let app = App::start().await;
        let plan = plans::running_plan("middle.1");
        app.publish(&plan).await;
        app.wiring.gatekeeper().step().await.expect("the gate opens");
        app.pump().await;
        // Each call takes 30 ms, and the pause comes somewhere between the first and the last.
        app.world(json!({ "latency_ms": 30 })).await;
        let driving = async {
            app.settle().await;
        };
        let pausing = async {
            tokio::time::sleep(std::time::Duration::from_millis(40 + step * 70)).await;
            pause(&app).await;
        };
        tokio::join!(driving, pausing);
        app.world(json!({ "latency_ms": 0 })).await;
        app.settle().await;
        assert_eq!(
            count_on(&app).await,
            0,
            "step {step}: {:?}",
            campaigns(&app).await
        );
        let legs = app.legs(&plan).await;
        let still = app
            .number("SELECT count(*) FROM leg WHERE hold = 'holding'")
            .await;
        assert_eq!(still, 0, "step {step}: {legs:?}");
        let slipped = "SELECT count(*) FROM mutation WHERE intended_at > (SELECT paused_at FROM tenant_pause)
                       AND request #>> '{op,serving}' IS DISTINCT FROM 'paused'";
        assert_eq!(
            app.number(slipped).await,
            0,
            "step {step}: an intent slipped through"
        );
        unpause(&app).await;
        app.settle_and_warp(8).await;
        assert_eq!(
            count_on(&app).await,
            every(),
            "step {step}: {:?} {:?}",
            campaigns(&app).await,
            app.legs(&plan).await
        );
        app.assert_no_duplicates().await;
        app.assert_audit_whole().await;
    }
}

/// The pause meets a change between its build and its activation, and switches off; nobody hears of that. What is announced when the
/// pause is over is on all the same.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_pause_switched_off_unheard_comes_on_again() {
    for platform in platform::all() {
        let name = platform.name();
        let app = App::start().await;
        // Scheduled: what is live would be read before it is announced.
        let plan = plans::only(plans::plan("unheard.1"), name);
        app.publish(&plan).await;
        app.settle_and_warp(6).await;
        assert_eq!(count_on(&app).await, 1, "{name}: {:?}", app.legs(&plan).await);
        app.publish(&amended(&plan, 1, |p| raise(p, 0, 5))).await;
        app.wiring.gatekeeper().step().await.expect("the gate opens");
        app.pump().await;
        app.work(name).await;
        let states: Vec<String> = app.legs(&plan).await.into_values().collect();
        assert_eq!(states, ["activating"], "{name}");
        pause(&app).await;
        for method in particulars::of(name).writes {
            app.fault(
                json!({ "vendor": name, "method": method, "kind": "reset", "effect": "after", "times": 1 }),
            )
            .await;
        }
        app.fault(json!({ "vendor": name, "method": particulars::of(name).pause.0, "kind": "reset", "effect": "after", "times": 1 }))
            .await;
        app.pump().await;
        app.work(name).await;
        assert_eq!(count_on(&app).await, 0, "{name}: switched off");
        app.mend().await;
        unpause(&app).await;
        app.settle_and_warp(6).await;
        let states: Vec<String> = app.legs(&plan).await.into_values().collect();
        assert_eq!(states, ["scheduled"], "{name}");
        assert_eq!(count_on(&app).await, 1, "{name}: {:?}", campaigns(&app).await);
        app.assert_no_duplicates().await;
        app.assert_audit_whole().await;
    }
}

/// A live campaign whose tenant is paused, with a change that waits for the end of that.
async fn changed_under_a_pause(version: &str) -> (App, Value) {
    let app = App::start().await;
    let plan = plans::only(plans::running_plan(version), "meta");
    app.publish(&plan).await;
    app.settle_and_warp(6).await;
    pause(&app).await;
    app.settle_and_warp(3).await;
    assert_eq!(count_on(&app).await, 0);
    app.publish(&amended(&plan, 1, |p| raise(p, 0, 5))).await;
    app.settle_and_warp(3).await;
    assert_eq!(count_on(&app).await, 0, "paused");
    (app, plan)
}

/// A change that is refused leaves the campaign as it was before the pause, not as the pause left it.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_after_a_pause_is_on_as_before() {
    let (app, plan) = changed_under_a_pause("refused.1").await;
    app.fault(json!({ "vendor": "meta", "method": "campaigns.update", "error": "100/1885272", "times": 1 }))
        .await;
    unpause(&app).await;
    app.settle_and_warp(6).await;
    assert_eq!(app.legs(&plan).await["meta/prospecting"], "unamended");
    assert_eq!(count_on(&app).await, 1, "{:?}", campaigns(&app).await);
    assert_eq!(
        app.number("SELECT count(*) FROM execution_manifest WHERE jsonb_array_length(held) > 0")
            .await,
        0
    );
}

/// A change that waits (the platform is busy) does not keep the campaign off after the pause.
#[tokio::test(flavor = "multi_thread")]
async fn what_waits_with_its_change_after_a_pause_is_on_as_before() {
    let (app, plan) = changed_under_a_pause("waits.1").await;
    app.fault(json!({ "vendor": "meta", "method": "campaigns.update", "status": 503, "times": 1 }))
        .await;
    unpause(&app).await;
    app.settle().await;
    assert_eq!(app.legs(&plan).await["meta/prospecting"], "amending");
    assert_eq!(count_on(&app).await, 1, "{:?}", campaigns(&app).await);
    app.settle_and_warp(6).await;
    assert_eq!(app.legs(&plan).await["meta/prospecting"], "live");
    assert_eq!(count_on(&app).await, 1);
}

/// A campaign that a pause found in the middle of a change, and that is replaced after it, is on until its replacement is.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_replaced_after_a_pause_is_on_until_then() {
    let app = App::bare().await;
    app.onboard(|t| t["policy"]["immutable_change"] = json!("replace"))
        .await;
    let plan = plans::only(plans::running_plan("turn.1"), "meta");
    app.publish(&plan).await;
    app.settle_and_warp(6).await;
    // The pause meets the change while it is driven.
    app.fault(json!({ "vendor": "meta", "method": "campaigns.update", "status": 503, "times": 2 }))
        .await;
    app.publish(&amended(&plan, 1, |p| raise(p, 0, 5))).await;
    app.settle().await;
    assert_eq!(app.legs(&plan).await["meta/prospecting"], "amending");
    app.mend().await;
    pause(&app).await;
    app.settle_and_warp(2).await;
    assert_eq!(count_on(&app).await, 0);
    unpause(&app).await;
    let other = amended(&plan, 2, |p| p["campaigns"][0]["objective"] = json!("awareness"));
    app.publish(&other).await;
    // Its gate opens before a worker has gone on with the change.
    app.wiring.gatekeeper().step().await.expect("the gate opens");
    let legs = app.legs(&plan).await;
    assert_eq!(legs["meta/prospecting.replaced-1"], "outgoing", "{legs:?}");
    app.fault(json!({ "vendor": "meta", "method": "campaigns.create", "error": "100/1885272", "times": 1 }))
        .await;
    app.settle_and_warp(6).await;
    assert_eq!(
        count_on(&app).await,
        1,
        "{:?} {:?}",
        campaigns(&app).await,
        app.legs(&plan).await
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_platform_that_refuses_to_switch_off_is_tried_until_it_does_and_is_shown() {
    let app = App::start().await;
    let plan = plans::only(plans::running_plan("deaf.1"), "google-ads");
    app.publish(&plan).await;
    app.settle_and_warp(5).await;
    app.fault(json!({ "vendor": "google-ads", "status": 503, "times": 1000 }))
        .await;
    pause(&app).await;
    app.settle().await;
    let view = app.wiring.store.pauses().await.unwrap().remove(0);
    assert_eq!((view.holding, view.held), (1, 0));
    assert!(view.last_error.is_some(), "{view:?}");
    app.mend().await;
    app.warp().await;
    app.settle().await;
    assert_eq!(count_on(&app).await, 0);
    assert_eq!(app.wiring.store.pauses().await.unwrap()[0].held, 1);
}
