//! Every ad format that a platform offers goes the whole way: built, read back as it was desired, tracked, switched on, removed.
//!
//! Must not match on a platform outside `formats`.

use super::bench::Bench;
use crate::support::plans::{self, merge};
use campaign_execution::domain::manifest::Serving;
use campaign_execution::domain::tracking;
use campaign_execution::platform::{self, Goal};
use serde_json::{Value, json};

/// What a platform offers beside the example plan's own format: what the format is called, and how the example plan becomes one
/// with such an ad (a merge patch of its only campaign, and one of the plan).
fn formats(platform: &str) -> Vec<(&'static str, Value, Value)> {
    let ad = |patch: Value| {
        let mut ad = json!({ "key": "one", "landing_url": "https://shop.acme.example/spring", "primary_text": "Light as air." });
        merge(&mut ad, &patch);
        json!({ "ad_groups": [{ "key": "g", "ads": [ad] }] })
    };
    let with = |mut patch: Value, more: Value| {
        merge(&mut patch, &more);
        patch
    };
    match platform {
        "meta" => vec![
            (
                "single_video",
                ad(
                    json!({ "format": "single_video", "asset_ids": ["asset-vid-007", "asset-img-002"], "headlines": ["Run"] }),
                ),
                json!({}),
            ),
            (
                "carousel",
                ad(
                    json!({ "format": "carousel", "asset_ids": ["asset-img-001", "asset-vid-007", "asset-img-002", "asset-img-003"],
                    "headlines": ["One", "Two", "Three"], "descriptions": ["For all."], "call_to_action": "shop_now" }),
                ),
                json!({}),
            ),
            (
                "catalog, for sales",
                with(
                    ad(
                        json!({ "format": "catalog", "headlines": ["{{product.name}}"], "call_to_action": "shop_now" }),
                    ),
                    json!({ "objective": "sales", "settings": { "product_set_id": "5511" } }),
                ),
                json!({ "catalog": { "meta_catalog_id": "900001" } }),
            ),
            (
                "catalog, for traffic",
                with(
                    ad(json!({ "format": "catalog" })),
                    json!({ "settings": { "product_set_id": "5511" } }),
                ),
                json!({ "catalog": { "meta_catalog_id": "900001" } }),
            ),
        ],
        "tiktok" => super::tiktok::formats(),
        "dv360" => super::dv360::formats(),
        _ => Vec::new(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_format_goes_the_whole_way() {
    let mut walked = 0;
    for platform in platform::all() {
        let name = platform.name();
        for (n, (format, campaign, of_plan)) in formats(name).into_iter().enumerate() {
            let what = format!("{name}, {format}");
            let bench = Bench::start(platform.clone()).await;
            let mut plan = plans::only(plans::plan(&format!("format.{n}")), name);
            merge(&mut plan["campaigns"][0], &campaign);
            merge(&mut plan, &of_plan);
            let mut leg = bench.leg_of(plan).await;
            bench.reach(Goal::Built, &mut leg).await.expect(&what);
            let built = bench.read(&leg).await;
            assert_eq!(leg.differences(&built), [] as [String; 0], "{what}");
            assert!(
                built.objects.iter().all(|o| o.serving != Serving::Active),
                "{what}: everything is made paused"
            );
            let id = leg.manifest.campaign_id().expect("the campaign's id").to_owned();
            let rule = bench.platform.traits().tracking;
            let mode = tracking::check(rule, built.auto_tagging, &id, &built.tracking);
            assert!(mode.is_ok(), "{what}: {mode:?}");
            // Another text is another content, in place or anew; nothing is made twice.
            leg.spec.campaign.ad_groups[0].ads[0].primary_text = Some("Lighter still.".to_owned());
            bench.desire(&mut leg);
            bench.reach(Goal::Built, &mut leg).await.expect(&what);
            let changed = bench.read(&leg).await;
            assert_eq!(leg.differences(&changed), [] as [String; 0], "{what}, changed");
            bench.reach(Goal::Active, &mut leg).await.expect(&what);
            assert_eq!(
                leg.differences(&bench.read(&leg).await),
                [] as [String; 0],
                "{what}, on"
            );
            bench.reach(Goal::Paused, &mut leg).await.expect(&what);
            bench.reach(Goal::Removed, &mut leg).await.expect(&what);
            assert_eq!(bench.read(&leg).await.objects, [], "{what}: nothing is left");
            assert_eq!(bench.duplicates().await, [] as [String; 0], "{what}");
            walked += 1;
        }
    }
    assert!(walked > 23, "only {walked} formats");
}
