//! What only Meta has: a "no such object" that may mean "not for you", parents that are not known at once, creatives that
//! cannot be changed, two ways of tracking, a signature on each call.

use super::bench::{Bench, Leg};
use campaign_execution::domain::manifest::Serving;
use campaign_execution::domain::{ids::LogicalKey, tracking};
use campaign_execution::platform::{self, CallError, Goal};
use serde_json::json;
use std::time::Duration;

async fn bench() -> Bench {
    Bench::start(platform::by_name("meta").expect("the adapter")).await
}

async fn built(bench: &Bench) -> Leg {
    let mut leg = bench.leg("meta.1").await;
    bench.reach(Goal::Built, &mut leg).await.expect("built");
    leg
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_token_cannot_see_is_not_gone() {
    let bench = bench().await;
    let leg = built(&bench).await;
    let blind = json!({ "method": "account.get", "error": "100/33" });
    let missing = |method: &str| json!({ "method": method, "error": "100/33" });
    let removal = bench.next(Goal::Removed, &leg).remove(0);

    bench.fault(&missing("campaigns.delete")).await;
    bench.fault(&blind).await;
    let removed = bench.platform.execute(&bench.session, &removal).await;
    assert!(matches!(removed, Err(CallError::Refused(_))), "{removed:?}");
    bench.fault(&missing("campaigns.get")).await;
    bench.fault(&blind).await;
    let read = bench.platform.read(&bench.session, &leg.manifest).await;
    assert!(matches!(read, Err(CallError::Refused(_))), "{read:?}");

    bench.fault(&missing("campaigns.get")).await;
    assert_eq!(
        bench.read(&leg).await.spent,
        None,
        "gone: whether it spent is not known"
    );
    bench.fault(&missing("campaigns.delete")).await;
    let removed = bench.platform.execute(&bench.session, &removal).await;
    assert!(
        removed.is_ok(),
        "the account is seen, the campaign is not: {removed:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parent_that_is_not_known_yet_is_waited_for() {
    let bench = bench().await;
    for method in ["adsets.create", "ads.create"] {
        let mut leg = bench.leg(&format!("meta.{}", method.len())).await;
        bench.fault(&json!({ "method": method, "error": "100/33" })).await;
        let waiting = bench.reach(Goal::Built, &mut leg).await;
        let after = Some(Duration::from_secs(10));
        assert!(
            matches!(&waiting, Err(CallError::Unavailable { after: a, .. }) if *a == after),
            "{method}: {waiting:?}"
        );
        bench.reach(Goal::Built, &mut leg).await.expect("built");
    }
    assert_eq!(bench.duplicates().await, [] as [String; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_literal_id_passes_the_tracking_check_and_is_no_difference() {
    let bench = bench().await;
    let mut leg = bench.leg("meta.1").await;
    leg.spec
        .campaign
        .settings
        .insert("tracking".to_owned(), json!("injected"));
    bench.desire(&mut leg);
    bench.reach(Goal::Built, &mut leg).await.expect("built");
    let reading = bench.read(&leg).await;
    assert_eq!(leg.differences(&reading), [] as [String; 0]);
    let campaign = leg.manifest.campaign_id().expect("an id");
    let rule = bench.platform.traits().tracking;
    let mode = tracking::check(rule, None, campaign, &reading.tracking);
    assert_eq!(mode, Ok(tracking::Mode::UtmInjected));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_is_signed() {
    let bench = bench().await;
    bench.world(&json!({ "require_appsecret_proof": true })).await;
    let mut leg = built(&bench).await;
    bench.read(&leg).await;
    bench.reach(Goal::Removed, &mut leg).await.expect("removed");
}

/// An ad group that the plan no longer has goes off for good while the campaign runs on, and can come back as a new one.
#[tokio::test(flavor = "multi_thread")]
async fn an_ad_group_that_is_gone_from_the_plan_stops_and_may_come_back() {
    let bench = bench().await;
    let mut leg = bench.leg("meta.1").await;
    let mut second = leg.spec.campaign.ad_groups[0].clone();
    second.key = LogicalKey::parse("second").expect("a key");
    leg.spec.campaign.ad_groups.push(second.clone());
    bench.desire(&mut leg);
    bench.reach(Goal::Built, &mut leg).await.expect("built");
    bench.reach(Goal::Active, &mut leg).await.expect("on");
    let first_id = leg.manifest.id("ad_set/second").expect("an id").to_owned();

    leg.spec.campaign.ad_groups.truncate(1);
    bench.desire(&mut leg);
    bench.reach(Goal::Built, &mut leg).await.expect("taken back");
    let reading = bench.read(&leg).await;
    assert_eq!(leg.differences(&reading), [] as [String; 0]);
    assert!(
        reading
            .objects
            .iter()
            .all(|o| !o.key.ends_with("/second") && !o.key.starts_with("ad/second/"))
    );
    let campaign = reading.objects.iter().find(|o| o.key == "campaign").expect("it");
    assert_eq!(campaign.serving, Serving::Active, "the campaign runs on");

    leg.spec.campaign.ad_groups.push(second);
    bench.desire(&mut leg);
    let lost = [json!({ "kind": "reset", "effect": "after" })];
    let (mutation, outcome) = bench.strike(&mut leg, 0, &lost).await.expect("the ad set again");
    assert_eq!(mutation.objects, ["ad_set/second"]);
    assert!(matches!(outcome, Err(CallError::Unclear { .. })), "{outcome:?}");
    let found = bench.find(&leg, &mutation.objects).await;
    assert_eq!(found.len(), 1, "the archived one gave up its name: {found:?}");
    assert_ne!(found[0].remote_id, first_id);
}
