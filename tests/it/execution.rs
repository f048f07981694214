//! A plan from approval to campaigns, and what goes wrong on the way.

use crate::support::app::App;
use crate::support::plans;
use campaign_execution::platform;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn an_approved_plan_becomes_scheduled_campaigns_exactly_once() {
    let app = App::start().await;
    let plan = plans::plan("happy.1");
    app.publish(&plan).await;
    app.settle().await;
    let legs = app.legs(&plan).await;
    assert_eq!(legs.len(), plans::legs(&plan));
    assert!(legs.values().all(|s| s == "scheduled"), "{legs:?}");
    let scheduled = app.events("campaign.scheduled");
    assert_eq!(scheduled.len(), plans::legs(&plan));
    for event in &scheduled {
        let platform = event.data["platform"].as_str().unwrap();
        let objects = app.objects(platform).await;
        let id = event.data["platform_campaign_id"].as_str().unwrap();
        assert!(
            objects
                .iter()
                .any(|o| o["kind"] == "campaign" && ends_with(&o["id"], id)),
            "{id} is not on {platform}"
        );
        assert_eq!(
            event.data["campaign_name"].as_str().unwrap().split('_').next(),
            Some("kobi")
        );
    }
    let modes: Vec<&str> = scheduled
        .iter()
        .map(|e| e.data["tracking_mode"].as_str().unwrap())
        .collect();
    let wanted = |p: &Value| match p.as_str() {
        Some("meta" | "tiktok") => "utm_macro",
        _ => "auto_tagging",
    };
    let wanted: Vec<&str> = scheduled.iter().map(|e| wanted(&e.data["platform"])).collect();
    assert_eq!(modes, wanted);
    assert_eq!(app.events("execution.completed").len(), 1);
    app.assert_no_duplicates().await;
    app.assert_audit_whole().await;

    let before = app.effects().await;
    app.publish(&plan).await;
    let mut again = plan.clone();
    again["approved_at"] = json!(plans::stamp(chrono::Duration::hours(1)));
    app.publish(&again).await;
    app.settle().await;
    assert_eq!(app.effects().await, before, "the same content again is no work");
    assert_eq!(app.events("campaign.scheduled").len(), plans::legs(&plan));
}

fn ends_with(id: &Value, end: &str) -> bool {
    id.as_str()
        .is_some_and(|id| id == end || id.ends_with(&format!("/{end}")))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flight_that_has_begun_is_live() {
    let app = App::start().await;
    let plan = plans::running_plan("live.1");
    app.publish(&plan).await;
    app.settle_and_warp(5).await;
    assert_eq!(
        app.events("campaign.live").len(),
        plans::legs(&plan),
        "{:?}",
        app.legs(&plan).await
    );
    // Where a start that is over is moved to another day, it is scheduled first, as it is.
    let scheduled = app.events("campaign.scheduled");
    assert!(scheduled.len() <= 1, "{scheduled:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_launch_waits_for_a_person() {
    let app = App::bare().await;
    app.onboard(|t| t["policy"]["launch_approval"] = json!("first_launch"))
        .await;
    let first = plans::plan("first.1");
    app.publish(&first).await;
    app.settle().await;
    assert_eq!(app.events("execution.touchpoint").len(), 1);
    let blocked = app.events("execution.blocked");
    assert_eq!(blocked.len(), 1);
    assert_eq!(blocked[0].data["checks"][0]["check"], "approval");
    assert_eq!(app.effects().await, 0, "nothing is touched before the approval");
    app.approve(&first).await;
    app.settle().await;
    assert_eq!(app.events("campaign.scheduled").len(), plans::legs(&first));
    let mut second = plans::plan("first.2");
    second["plan_id"] = json!("another");
    app.publish(&second).await;
    app.settle().await;
    assert_eq!(
        app.events("campaign.scheduled").len(),
        2 * plans::legs(&first),
        "the second launch needs nobody"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_is_for_the_payload_that_was_shown() {
    let app = App::bare().await;
    app.onboard(|t| t["policy"]["launch_approval"] = json!("always"))
        .await;
    let plan = plans::plan("shown.1");
    app.publish(&plan).await;
    app.settle().await;
    app.approve(&plan).await;
    let mut amended = plan.clone();
    amended["approved_at"] = json!(plans::stamp(chrono::Duration::minutes(5)));
    amended["campaigns"][0]["budget"]["amount"] = json!("260.00");
    app.publish(&amended).await;
    app.settle().await;
    assert_eq!(app.effects().await, 0, "the approval was for the other payload");
    app.approve(&amended).await;
    app.settle().await;
    assert_eq!(app.events("campaign.scheduled").len(), plans::legs(&plan));
    assert_eq!(
        app.events("campaign.scheduled")[0].data["budget"]["amount"],
        "260.00"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_atomic_launch_with_a_failing_leg_leaves_nothing() {
    let app = App::start().await;
    let mut plan = plans::plan("atomic.1");
    plan["launch"]["atomic"] = json!(true);
    app.fault(json!({ "vendor": "meta", "method": "adsets.create", "error": "100/1885272" }))
        .await;
    app.publish(&plan).await;
    app.settle_and_warp(10).await;
    let legs = app.legs(&plan).await;
    assert!(legs.values().all(|s| s == "undone"), "{legs:?}");
    let partial = app.events("execution.partial_failure");
    assert_eq!(partial.len(), 1);
    assert_eq!(partial[0].data["action"], "rolled_back");
    assert_eq!(
        app.events("campaign.scheduled").len(),
        0,
        "nothing was switched on"
    );
    for platform in platform::all() {
        let vendor = platform.name();
        let left: Vec<Value> = app
            .objects(vendor)
            .await
            .into_iter()
            .filter(|o| o["kind"] == "campaign")
            .collect();
        assert!(left.is_empty(), "{vendor}: {left:?}");
    }
    app.assert_audit_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_atomic_the_rest_goes_on_and_a_retry_mends() {
    let app = App::start().await;
    let plan = plans::plan("partial.1");
    app.fault(json!({ "vendor": "meta", "method": "adsets.create", "error": "100/1885272" }))
        .await;
    app.publish(&plan).await;
    app.settle_and_warp(5).await;
    let partial = app.events("execution.partial_failure");
    assert_eq!(partial.len(), 1);
    assert_eq!(partial[0].data["action"], "marked_partial");
    let all = partial[0].data["legs"].as_array().expect("legs").clone();
    let failed = all.iter().find(|leg| leg["platform"] == "meta").expect("the leg");
    assert_eq!(failed["state"], "failed");
    assert_eq!(failed["error"]["class"], "budget");
    assert_eq!(app.events("campaign.scheduled").len(), plans::legs(&plan) - 1);
    app.mend().await;
    let control = json!({ "tenant_id": "acme", "plan_id": plan["plan_id"], "plan_version": "partial.1", "action": "retry",
        "by": "ops", "at": plans::moment(), "reason": "the minimum was lowered" });
    app.deliver("execution.control", control.to_string().into_bytes())
        .await;
    app.settle_and_warp(5).await;
    assert_eq!(
        app.events("campaign.scheduled").len(),
        plans::legs(&plan),
        "{:?}",
        app.legs(&plan).await
    );
    assert_eq!(app.events("execution.completed").len(), 1);
    app.assert_no_duplicates().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_pauses_and_removes_what_never_spent() {
    let app = App::start().await;
    let plan = plans::running_plan("back.1");
    app.publish(&plan).await;
    app.settle_and_warp(5).await;
    let control = json!({ "tenant_id": "acme", "plan_id": plan["plan_id"], "plan_version": "back.1", "action": "rollback",
        "by": "ops", "at": plans::moment(), "reason": "the client withdrew" });
    app.deliver("execution.control", control.to_string().into_bytes())
        .await;
    app.settle_and_warp(5).await;
    let legs = app.legs(&plan).await;
    assert!(legs.values().all(|s| s == "undone"), "{legs:?}");
    assert_eq!(app.events("execution.rolled_back").len(), 1);
    for platform in platform::all() {
        let vendor = platform.name();
        assert!(
            app.objects(vendor).await.iter().all(|o| o["kind"] != "campaign"),
            "{vendor}"
        );
    }
    let before = app.effects().await;
    app.publish(&plan).await;
    app.settle_and_warp(3).await;
    assert_eq!(
        app.effects().await,
        before,
        "a rolled-back version does not come back by itself"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn red_tracking_blocks_the_launch_and_green_opens_it() {
    let app = App::start().await;
    app.world(json!({ "ga4": "red" })).await;
    let plan = plans::plan("red.1");
    app.publish(&plan).await;
    app.settle().await;
    let blocked = app.events("execution.blocked");
    assert_eq!(blocked.len(), 1);
    assert!(
        blocked[0].data["checks"]
            .as_array()
            .unwrap()
            .iter()
            .all(|c| c["remedy"] != "")
    );
    assert_eq!(app.effects().await, 0);
    app.world(json!({ "ga4": "green" })).await;
    app.warp().await;
    app.settle().await;
    assert_eq!(app.events("campaign.scheduled").len(), plans::legs(&plan));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payer_in_trouble_is_the_agencys_matter() {
    let app = App::start().await;
    app.world(json!({ "accounts": { "meta/42": { "payer": "unsettled" } } }))
        .await;
    let plan = plans::plan("payer.1");
    app.publish(&plan).await;
    app.settle().await;
    let blocked = app.events("execution.blocked");
    let text = blocked[0].data.to_string();
    assert!(text.contains("PRE-META-PAYER"), "{text}");
    assert_eq!(app.effects().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_onboarded_waits_for_onboarding() {
    let app = App::bare().await;
    let plan = plans::plan("nobody.1");
    app.publish(&plan).await;
    app.settle().await;
    assert_eq!(
        app.events("execution.blocked")[0].data["checks"][0]["check"],
        "tenant"
    );
    app.onboard(|_| ()).await;
    app.settle().await;
    assert_eq!(app.events("campaign.scheduled").len(), plans::legs(&plan));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_becomes_a_dead_letter_and_the_next_is_taken() {
    let app = App::start().await;
    let mut unknown = plans::plan("dead.1");
    unknown["campaigns"][0]["platform"] = json!("bing");
    for bytes in [
        b"\xff\xfe".to_vec(),
        b"{".to_vec(),
        "[".repeat(10_000).into_bytes(),
        unknown.to_string().into_bytes(),
    ] {
        app.deliver("plan.approved", bytes).await;
    }
    app.publish(&plans::plan("dead.2")).await;
    app.settle().await;
    let dead = app.events("plan.approved.dlq");
    assert_eq!(dead.len(), 4);
    assert_eq!(dead[3].data["dlq_pointer"], "/campaigns/0/platform");
    assert_eq!(
        app.events("campaign.scheduled").len(),
        plans::legs(&plans::plan("any"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_belongs_to_one_plan_and_an_older_payload_changes_nothing() {
    let app = App::start().await;
    let plan = plans::plan("own.1");
    app.publish(&plan).await;
    app.settle().await;
    let before = app.effects().await;
    let mut stolen = plan.clone();
    stolen["plan_id"] = json!("another-plan");
    app.publish(&stolen).await;
    let mut older = plan.clone();
    older["approved_at"] = json!("2020-01-01T00:00:00Z");
    older["campaigns"][0]["budget"]["amount"] = json!("1.00");
    app.publish(&older).await;
    app.settle().await;
    assert_eq!(app.events("plan.approved.dlq").len(), 1);
    assert_eq!(app.effects().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_tracked_as_it_must_be_is_never_switched_on() {
    let app = App::start().await;
    app.publish(&plans::only(plans::plan("tracked.1"), "google-ads"))
        .await;
    app.settle().await;
    assert_eq!(app.events("campaign.scheduled").len(), 1);
    // Somebody turns auto-tagging off by hand after it was checked.
    app.world(json!({ "accounts": { "google-ads/1234567890": { "auto_tagging": false } } }))
        .await;
    let mut plan = plans::only(plans::plan("tracked.2"), "google-ads");
    plan["plan_id"] = json!("tracked-2");
    app.publish(&plan).await;
    app.settle().await;
    assert_eq!(app.legs(&plan).await["google-ads/search-brand"], "failed");
    let error = &app.events("execution.partial_failure")[0].data["legs"][0]["error"];
    assert_eq!(error["code"], "tracking-qc", "{error}");
    let name = "kobi_acme_google-ads_sales_tracked.2";
    let objects = app.objects("google-ads").await;
    let campaign = objects
        .iter()
        .find(|o| o["kind"] == "campaign" && o["name"] == name)
        .expect("it was built");
    assert_eq!(campaign["status"], "PAUSED");
}
