//! What only Meta has: a "no such object" that may mean "not for you", parents that are not known at once, creatives that
//! cannot be changed, two ways of tracking, a signature on each call.

use super::bench::{Bench, Leg};
use campaign_execution::domain::catalog::Severity;
use campaign_execution::domain::error::ErrorClass;
use campaign_execution::domain::manifest::Serving;
use campaign_execution::domain::plan::Catalog;
use campaign_execution::domain::spec::Asset;
use campaign_execution::domain::{ids::LogicalKey, tracking};
use campaign_execution::platform::{self, CallError, Goal, Uploaded};
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

/// Edges may lag behind what was made; by its id an object can be read at once.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_edges_do_not_show_yet_is_read_by_its_id() {
    let bench = bench().await;
    bench.world(&json!({ "late_visibility_ms": 600_000 })).await;
    let leg = built(&bench).await;
    let alone = bench.read(&leg).await;
    assert_eq!(leg.differences(&alone), [] as [String; 0]);
    let read = bench.platform.read_all(&bench.session, &[&leg.manifest]).await;
    let together = read.expect("read").remove(0);
    assert_eq!(leg.differences(&together), [] as [String; 0]);
    for kind in ["adsets", "ads"] {
        let asked = bench.bodies(&format!("{kind}.get")).await;
        assert_eq!(asked.len(), 2, "{kind}: alone and together");
    }
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

/// A later version renames the campaign, and its label stays: a creative made since then is found by it.
#[tokio::test(flavor = "multi_thread")]
async fn a_creative_made_after_the_campaign_was_renamed_is_found() {
    let bench = bench().await;
    let mut leg = built(&bench).await;
    let mut second = leg.spec.campaign.ad_groups[0].clone();
    second.key = LogicalKey::parse("second").expect("a key");
    leg.spec.campaign.ad_groups.push(second);
    leg.spec.campaign_name.push_str("_later");
    leg.manifest.campaign_name.clone_from(&leg.spec.campaign_name);
    bench.desire(&mut leg);
    let lost = json!({ "method": "adcreatives.create", "kind": "reset", "effect": "after" });
    bench.fault(&lost).await;
    let built = bench.reach(Goal::Built, &mut leg).await;
    assert!(matches!(built, Err(CallError::Unclear { .. })), "{built:?}");
    let unknown: Vec<String> = leg.manifest.unresolved().map(|o| o.key.clone()).collect();
    let found = bench.find(&leg, &unknown).await;
    assert_eq!(found.len(), 1, "{unknown:?}");
    leg.adopt(&found);
    bench.reach(Goal::Built, &mut leg).await.expect("built");
    assert_eq!(leg.differences(&bench.read(&leg).await), [] as [String; 0]);
    assert_eq!(bench.duplicates().await, [] as [String; 0]);
}

/// A budget below the floor is refused with what the plan asks for beside what Meta allows.
#[tokio::test(flavor = "multi_thread")]
async fn a_budget_that_is_too_low_is_told_beside_the_limit() {
    let bench = bench().await;
    let mut leg = bench.leg("meta.1").await;
    bench
        .world(&json!({ "accounts": { "meta/42": { "minimum_daily_budget": 900_000 } } }))
        .await;
    let Err(CallError::Refused(error)) = bench.reach(Goal::Built, &mut leg).await else {
        panic!("a refusal");
    };
    assert_eq!(error.plan_amount.as_deref(), Some("120.00 EUR"));
    assert_eq!(error.platform_limit.as_deref(), Some("9000.00 EUR"));
    let facts = bench.platform.probe(&bench.session).await.expect("a probe");
    assert_eq!(
        facts.minimum_daily.map(|m| m.to_string()).as_deref(),
        Some("9000.00 EUR")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_catalog_is_asked_about_and_what_is_critical_is_told() {
    let bench = bench().await;
    let catalog: Catalog =
        serde_json::from_value(json!({ "merchant_account": null, "meta_catalog_id": "900001",
        "tiktok_catalog_id": null, "tiktok_bc_id": null, "countries": [], "max_critical": 0 }))
        .expect("a catalog");
    let health = async || {
        let health = bench.platform.catalog_health(&bench.session, &catalog).await;
        health.map(|h| h.expect("the plan names one"))
    };
    assert_eq!(health().await.expect("well").findings, []);
    for (state, products, whole) in [
        (json!({ "critical": 3, "warning": 2 }), 3, 0),
        (json!({ "feed": "failed" }), 0, 1),
        (json!({ "feed": "empty" }), 0, 1),
        (json!({ "feed": "old" }), 0, 1),
        (json!({ "products": 0, "feed": "none" }), 0, 1),
        (
            json!({ "diagnostics": [{ "type": "POLICY_VIOLATION", "severity": "MUST_FIX", "title": "Policy",
                "affected_entity": "product_item", "number_of_affected_items": 4, "affected_channels": ["da"] }] }),
            4,
            0,
        ),
    ] {
        bench
            .world(&json!({ "catalogs": { "meta/900001": state } }))
            .await;
        let health = health().await.expect("told");
        assert_eq!(
            (
                health.products(Severity::Critical),
                health.whole(Severity::Critical)
            ),
            (products, whole),
            "{state}: {health:?}"
        );
    }
    bench
        .world(&json!({ "catalogs": { "meta/900001": { "state": "no_access" } } }))
        .await;
    assert!(matches!(health().await, Err(CallError::Refused(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_video_that_cannot_be_made_ready_is_a_missing_asset() {
    let bench = bench().await;
    let leg = bench.leg("meta.1").await;
    let asset: Asset = serde_json::from_value(
        json!({ "asset_id": "clip-broken", "kind": "video", "mime_type": "video/mp4",
        "sha256": "ab", "url": "https://assets.example/clip", "platform_refs": {} }),
    )
    .expect("an asset");
    let upload = bench
        .platform
        .upload(&leg.spec, &asset)
        .expect("fine")
        .expect("an upload");
    let sent = bench.platform.send_upload(&bench.session, &upload, None).await;
    assert!(matches!(sent, Ok(Uploaded::Processing { .. })), "{sent:?}");
    bench.world(&json!({ "policy_finding": ["clip-broken"] })).await;
    let found = bench.platform.find_upload(&bench.session, &upload, None).await;
    assert!(
        matches!(&found, Err(CallError::Refused(e)) if e.class == ErrorClass::AssetMissing),
        "{found:?}"
    );
}

/// With the quota on, legs are built one after the other without Meta having to throttle once.
#[tokio::test(flavor = "multi_thread")]
async fn the_pace_keeps_within_the_points_of_an_app_with_limited_access() {
    let bench = Bench::paced(platform::by_name("meta").expect("the adapter"), 6000).await;
    bench
        .world(&json!({ "quota_speed": 60, "accounts": { "meta/42": { "tier": "development_access" } } }))
        .await;
    let began = std::time::Instant::now();
    for n in 0..3 {
        let mut leg = bench.leg(&format!("meta.{n}")).await;
        loop {
            match bench.reach(Goal::Built, &mut leg).await {
                Ok(_) => break,
                Err(CallError::Unavailable { after, .. }) => tokio::time::sleep(after.expect("a hint")).await,
                Err(error) => panic!("{error:?}"),
            }
        }
    }
    let requests = bench.requests().await;
    let throttled = requests.iter().filter(|r| r["status"] == 400).count();
    assert_eq!(throttled, 0, "of {} calls", requests.len());
    // Sixty points in five minutes: in five seconds here.
    assert!(
        began.elapsed() > Duration::from_secs(1),
        "it was never slowed down"
    );
}
