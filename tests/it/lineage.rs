//! The versions of one plan on the real database: whoever comes next takes over from who holds the campaigns, in whatever order and
//! after whatever happened to those between.
//!
//! Must not depend on which platform it is: what is on is counted on all of them.

use crate::amend::raise;
use crate::chaos::{on, order};
use crate::support::app::App;
use crate::support::plans;
use chrono::Duration;
use serde_json::{Value, json};

fn version(name: &str, supersedes: Option<&str>, age: i64) -> Value {
    let mut plan = plans::running_plan(name);
    plan["supersedes"] = json!(supersedes);
    plan["approved_at"] = json!(plans::stamp(-Duration::minutes(age)));
    plan
}

async fn launch(app: &App, plan: &Value) {
    app.publish(plan).await;
    app.settle_and_warp(8).await;
}

async fn all_are(app: &App, plan: &Value, wanted: &[&str]) {
    let legs = app.legs(plan).await;
    assert!(!legs.is_empty());
    assert!(
        legs.values().all(|state| wanted.contains(&state.as_str())),
        "{legs:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_was_never_launched_does_not_hide_the_one_before() {
    let app = App::start().await;
    let (one, two) = (version("v.1", None, 9), version("v.2", Some("v.1"), 8));
    launch(&app, &one).await;
    let before = on(&app).await;
    app.publish(&two).await;
    order(&app, &two, "cancel").await;
    launch(&app, &version("v.3", Some("v.2"), 7)).await;
    assert_eq!(
        on(&app).await,
        before,
        "others than the campaigns of the first version are on"
    );
    all_are(&app, &one, &["superseded"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_rollback_the_next_version_takes_what_came_back() {
    let app = App::start().await;
    let (one, two) = (version("v.1", None, 9), version("v.2", Some("v.1"), 8));
    launch(&app, &one).await;
    let before = on(&app).await;
    launch(&app, &two).await;
    all_are(&app, &one, &["superseded"]).await;
    order(&app, &two, "rollback").await;
    app.settle_and_warp(8).await;
    all_are(&app, &one, &["live", "scheduled"]).await;
    // It names the version that was rolled back; the next one the version that came back.
    launch(&app, &version("v.3", Some("v.2"), 7)).await;
    assert_eq!(on(&app).await, before);
    all_are(&app, &one, &["superseded"]).await;
    order(&app, &version("v.3", None, 7), "rollback").await;
    app.settle_and_warp(8).await;
    launch(&app, &version("v.4", Some("v.1"), 6)).await;
    assert_eq!(on(&app).await, before);
    all_are(&app, &one, &["superseded"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_newer_version_has_is_not_rolled_back_before_it() {
    let app = App::start().await;
    let (one, two) = (version("v.1", None, 9), version("v.2", Some("v.1"), 8));
    launch(&app, &one).await;
    launch(&app, &two).await;
    let before = on(&app).await;
    order(&app, &one, "rollback").await;
    app.settle_and_warp(8).await;
    assert_eq!(on(&app).await, before);
    let said = "SELECT count(*) FROM audit_log WHERE action = 'control.rollback'
        AND entry::jsonb #>> '{detail,came_to}' LIKE '%roll v.2 back first%'";
    assert_eq!(app.number(said).await, 1);
    all_are(&app, &one, &["superseded"]).await;
    all_are(&app, &two, &["live", "scheduled"]).await;
}

/// The third was launched before anybody knew that it stands in the first one's line.
#[tokio::test(flavor = "multi_thread")]
async fn a_late_version_between_two_shows_which_of_them_goes_off() {
    let app = App::start().await;
    let (one, two, three) = (
        version("v.1", None, 9),
        version("v.2", Some("v.1"), 8),
        version("v.3", Some("v.2"), 7),
    );
    launch(&app, &three).await;
    let newest = on(&app).await;
    launch(&app, &one).await;
    assert!(on(&app).await.len() > newest.len());
    launch(&app, &two).await;
    assert_eq!(on(&app).await, newest);
    all_are(&app, &one, &["retired"]).await;
    assert!(app.legs(&two).await.is_empty());
    order(&app, &three, "rollback").await;
    app.settle_and_warp(8).await;
    all_are(&app, &one, &["live", "scheduled"]).await;
    assert_eq!(on(&app).await.len(), plans::legs(&one));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_versions_that_supersede_the_same_the_later_approval_holds() {
    let app = App::start().await;
    let one = version("v.1", None, 9);
    launch(&app, &one).await;
    let campaigns = on(&app).await;
    let later = version("v.3", Some("v.1"), 6);
    launch(&app, &later).await;
    let earlier = version("v.2", Some("v.1"), 8);
    launch(&app, &earlier).await;
    assert!(app.legs(&earlier).await.is_empty());
    all_are(&app, &later, &["live", "scheduled"]).await;
    let latest = version("v.4", Some("v.1"), 5);
    launch(&app, &latest).await;
    all_are(&app, &later, &["superseded"]).await;
    all_are(&app, &latest, &["live", "scheduled"]).await;
    assert_eq!(on(&app).await, campaigns);
}

/// The newer version lacks a campaign, and is rolled back before the older one's is off.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_still_being_switched_off_for_a_version_that_is_rolled_back_comes_back() {
    let app = App::start().await;
    let one = version("v.1", None, 9);
    launch(&app, &one).await;
    let campaigns = on(&app).await;
    let mut two = version("v.2", Some("v.1"), 8);
    two["campaigns"].as_array_mut().expect("campaigns").truncate(1);
    app.publish(&two).await;
    app.wiring.gatekeeper().step().await.expect("the gate is asked");
    app.pump().await;
    order(&app, &two, "rollback").await;
    app.settle_and_warp(8).await;
    all_are(&app, &one, &["live", "scheduled"]).await;
    assert_eq!(on(&app).await, campaigns);
}

/// What both name was never launched: they are rivals all the same.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_versions_that_supersede_one_never_launched_the_later_approval_holds() {
    let app = App::start().await;
    let one = version("v.1", None, 9);
    app.publish(&one).await;
    order(&app, &one, "cancel").await;
    let later = version("v.3", Some("v.1"), 6);
    launch(&app, &later).await;
    let campaigns = on(&app).await;
    let earlier = version("v.2", Some("v.1"), 8);
    launch(&app, &earlier).await;
    assert!(app.legs(&earlier).await.is_empty());
    let latest = version("v.4", Some("v.1"), 5);
    launch(&app, &latest).await;
    all_are(&app, &later, &["superseded"]).await;
    assert_eq!(on(&app).await, campaigns);
}

/// What cannot be undone may be on, and what it had taken over is not back yet: a third version waits until a person has ended it.
#[tokio::test(flavor = "multi_thread")]
async fn a_third_version_waits_for_what_is_stuck() {
    let app = App::start().await;
    let moved = |account: &'static str, seconds: i64| {
        app.onboard(move |t| {
            t["updated_at"] = json!(plans::stamp(Duration::seconds(seconds)));
            t["accounts"]["meta"]["account_id"] = json!(account);
        })
    };
    let (one, two) = (version("v.1", None, 9), version("v.2", Some("v.1"), 8));
    launch(&app, &one).await;
    let before = on(&app).await;
    launch(&app, &two).await;
    moved("act_43", -20).await;
    order(&app, &two, "rollback").await;
    app.settle_and_warp(8).await;
    assert_eq!(app.legs(&two).await["meta/prospecting"], "stuck");
    moved("act_42", -10).await;
    let three = version("v.3", Some("v.2"), 7);
    launch(&app, &three).await;
    assert!(app.legs(&three).await.is_empty(), "{:?}", app.legs(&three).await);
    order(&app, &two, "retry").await;
    app.settle_and_warp(8).await;
    launch(&app, &three).await;
    all_are(&app, &three, &["live", "scheduled"]).await;
    all_are(&app, &one, &["superseded"]).await;
    assert_eq!(
        on(&app).await,
        before,
        "one campaign for each key, and the same ones"
    );
}

/// A consumer group is set back: an order that was carried out is no new one.
#[tokio::test(flavor = "multi_thread")]
async fn an_old_rollback_that_comes_again_takes_back_nothing() {
    let app = App::start().await;
    let plan = version("v.1", None, 9);
    app.publish(&plan).await;
    let old = json!({ "tenant_id": "acme", "plan_id": plan["plan_id"], "plan_version": "v.1", "action": "rollback",
        "by": "ops", "at": plans::moment(), "reason": "not yet" });
    app.deliver("execution.control", old.to_string().into_bytes())
        .await;
    let mut other = version("v.1", None, 5);
    raise(&mut other, 0, 5);
    launch(&app, &other).await;
    all_are(&app, &plan, &["live", "scheduled"]).await;
    let before = on(&app).await;
    app.deliver("execution.control", old.to_string().into_bytes())
        .await;
    app.settle_and_warp(8).await;
    assert_eq!(on(&app).await, before);
    order(&app, &plan, "rollback").await;
    app.settle_and_warp(8).await;
    assert!(on(&app).await.is_empty(), "a new order is one");
}

/// A campaign that was still on its way when a newer version took over comes on when that one is rolled back.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_on_yet_comes_on_when_the_newer_version_is_rolled_back() {
    for method in ["campaigns.create", "ads.create"] {
        let app = App::start().await;
        app.fault(json!({ "vendor": "meta", "method": method, "error": "4/1504022", "times": 1000 }))
            .await;
        let (one, two) = (version("v.1", None, 9), version("v.2", Some("v.1"), 8));
        app.publish(&one).await;
        app.settle().await;
        assert_eq!(app.legs(&one).await["meta/prospecting"], "building", "{method}");
        launch(&app, &two).await;
        all_are(&app, &one, &["superseded", "retired"]).await;
        order(&app, &two, "rollback").await;
        app.mend().await;
        app.settle_and_warp(10).await;
        all_are(&app, &one, &["live", "scheduled"]).await;
        app.assert_no_duplicates().await;
    }
}
