//! TikTok's formats and objectives, as patches of the example plan (`formats` walks them); and what only TikTok does: names that are
//! taken, successes in part, updates that change nothing, videos that are not ready.

use super::bench::{Bench, Leg};
use crate::support::plans;
use campaign_execution::domain::error::ErrorClass;
use campaign_execution::domain::manifest::Serving;
use campaign_execution::domain::money::Money;
use campaign_execution::platform::{self, CallError, Goal, Op, Uploaded};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// See `formats::formats`.
pub fn formats() -> Vec<(&'static str, Value, Value)> {
    let nothing = || json!({});
    let catalog = || json!({ "catalog": { "tiktok_catalog_id": "77001", "tiktok_bc_id": "88001" } });
    let settings = |objective: &str, settings: Value| json!({ "objective": objective, "settings": settings });
    let ads = |mut campaign: Value, format: &str, assets: &[&str]| {
        campaign["ad_groups"] = json!([{ "key": "g", "ads": [{ "key": "one", "format": format, "asset_ids": assets,
            "landing_url": "https://shop.acme.example/spring?size=42&utm_source=old", "primary_text": "Light as air.",
            "call_to_action": "shop_now" }] }]);
        campaign
    };
    let music = json!({ "music_id": "6980000000000000001" });
    let pixel = json!({ "pixel_id": "1001", "music_id": "6980000000000000001" });
    let pangle = json!({ "placements": ["PLACEMENT_PANGLE"] });
    let mut returns = settings("sales", json!({ "pixel_id": "1001" }));
    returns["bidding"] = json!({ "strategy": "min_roas", "target_roas": "2.5" });
    let mut capped = settings("traffic", json!({}));
    capped["bidding"] = json!({ "strategy": "cost_cap", "bid": "1.35" });
    vec![
        (
            "single_image, in the feed",
            ads(
                settings("traffic", music.clone()),
                "single_image",
                &["asset-img-001"],
            ),
            nothing(),
        ),
        (
            "single_image, elsewhere",
            ads(settings("traffic", pangle), "single_image", &["asset-img-001"]),
            nothing(),
        ),
        (
            "carousel",
            ads(
                settings("traffic", music),
                "carousel",
                &["asset-img-001", "asset-img-002"],
            ),
            nothing(),
        ),
        (
            "catalog, its own pictures",
            ads(settings("sales", pixel), "catalog", &[]),
            catalog(),
        ),
        (
            "catalog, around a video",
            ads(
                settings("sales", json!({ "pixel_id": "1001", "product_set_id": "5511" })),
                "catalog",
                &VIDEO,
            ),
            catalog(),
        ),
        ("awareness", settings("awareness", json!({})), nothing()),
        ("engagement", settings("engagement", json!({})), nothing()),
        (
            "leads",
            settings(
                "leads",
                json!({ "pixel_id": "1001", "optimization_event": "FORM" }),
            ),
            nothing(),
        ),
        (
            "sales",
            settings("sales", json!({ "pixel_id": "1001" })),
            nothing(),
        ),
        ("sales, for a least return", returns, nothing()),
        ("a cost cap", capped, nothing()),
        (
            "app",
            settings("app", json!({ "app_id": "7123", "app_os": "android" })),
            nothing(),
        ),
        (
            "injected tracking",
            settings("traffic", json!({ "tracking": "injected" })),
            nothing(),
        ),
    ]
}

const VIDEO: [&str; 2] = ["asset-vid-007", "asset-img-002"];

async fn bench() -> Bench {
    Bench::start(platform::by_name("tiktok").expect("the adapter")).await
}

/// A leg with two ad groups of one ad each, everything made and off.
async fn two_groups(bench: &Bench, version: &str) -> Leg {
    let mut plan = plans::only(plans::plan(version), "tiktok");
    let mut second = plan["campaigns"][0]["ad_groups"][0].clone();
    second["key"] = json!("walkers");
    let groups = plan["campaigns"][0]["ad_groups"].as_array_mut();
    groups.expect("ad groups").push(second);
    let mut leg = bench.leg_of(plan).await;
    bench.reach(Goal::Built, &mut leg).await.expect("built");
    leg
}

/// Somebody deletes an object in TikTok's own screens.
async fn deleted(bench: &Bench, leg: &Leg, key: &str) -> String {
    let object = leg.manifest.get(key).expect("it");
    let id = object.remote_id.clone().expect("an id");
    let gone = bench.platform.removal(&object.kind, &id, &bench.session.account);
    bench
        .platform
        .execute(&bench.session, &gone)
        .await
        .expect("deleted");
    id
}

fn refusal<T: std::fmt::Debug>(outcome: Result<T, CallError>) -> campaign_execution::domain::error::LegError {
    match outcome {
        Err(CallError::Refused(error)) => *error,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_taken_may_be_our_own_and_is_looked_up() {
    let bench = bench().await;
    let mut first = bench.leg("taken.1").await;
    bench.reach(Goal::Built, &mut first).await.expect("built");
    // The answer of an earlier attempt was never taken in: the same again is no refusal for good.
    for creation in 0..2 {
        let mut again = bench.leg("taken.1").await;
        for _ in 0..creation {
            let mutation = bench.next(Goal::Built, &again).remove(0);
            let _ = bench.send(&mut again, &mutation).await;
            let keys = mutation.objects.clone();
            again.adopt(&bench.find(&again, &keys).await);
        }
        let mutation = bench.next(Goal::Built, &again).remove(0);
        let outcome = bench.send(&mut again, &mutation).await;
        assert!(
            matches!(outcome, Err(CallError::Unclear { .. })),
            "{creation}: {outcome:?}"
        );
        let found = bench.find(&again, &mutation.objects).await;
        let ids: Vec<&str> = found.iter().map(|f| f.remote_id.as_str()).collect();
        assert_eq!(ids, [first.manifest.id(&mutation.objects[0]).expect("an id")]);
    }
    assert_eq!(bench.duplicates().await, [] as [String; 0]);
    // A deleted campaign's name is free.
    bench.reach(Goal::Removed, &mut first).await.expect("removed");
    let mut anew = bench.leg("taken.1").await;
    bench.reach(Goal::Built, &mut anew).await.expect("built");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_success_in_part_is_taken_apart() {
    let bench = bench().await;
    let mut leg = two_groups(&bench, "part.1").await;
    let id = deleted(&bench, &leg, "ad_group/walkers").await;
    // On: one goes, the other cannot, and the refusal names it. What serves is for the campaign to say, which stays off.
    let error = refusal(bench.reach(Goal::Active, &mut leg).await);
    assert_eq!(error.platform_code.as_deref(), Some("20001"));
    assert!(error.message.contains(&id), "{error:?}");
    let on = |reading: &campaign_execution::platform::Reading, key: &str| {
        let seen = reading.objects.iter().find(|o| o.key == key);
        seen.map(|o| o.serving)
    };
    let reading = bench.read(&leg).await;
    assert_eq!(on(&reading, "ad_group/runners"), Some(Serving::Active));
    assert_eq!(on(&reading, "ad_group/walkers"), None, "it is gone");
    assert_eq!(on(&reading, "campaign"), Some(Serving::Paused));
    // Away: what is gone already is no failure.
    let mut keys = ["ad_group/runners", "ad_group/walkers"]
        .map(str::to_owned)
        .to_vec();
    let ids: Vec<&str> = keys.iter().filter_map(|key| leg.manifest.id(key)).collect();
    let mut both = bench.platform.removal("adgroup", "0", &bench.session.account);
    both.body["adgroup_ids"] = json!(ids);
    both.objects.append(&mut keys);
    let done = bench.platform.execute(&bench.session, &both).await;
    assert!(done.is_ok(), "{done:?}");
    let journal = bench.requests().await;
    let codes = journal.iter().filter(|r| r["response"]["code"] == 20_001);
    assert_eq!(codes.count(), 2, "both were successes in part");
}

/// One creative of a call is not made: its answer names an id less, so the call is looked up, and only what is missing is sent again.
#[tokio::test(flavor = "multi_thread")]
async fn ads_made_in_part_are_looked_up_and_only_the_rest_is_sent_again() {
    let bench = bench().await;
    let mut plan = plans::only(plans::plan("part.2"), "tiktok");
    let mut second = plan["campaigns"][0]["ad_groups"][0]["ads"][0].clone();
    second["key"] = json!("clip-30s");
    let ads = plan["campaigns"][0]["ad_groups"][0]["ads"].as_array_mut();
    ads.expect("ads").push(second);
    let mut leg = bench.leg_of(plan).await;
    for _ in 0..2 {
        let mutation = bench.next(Goal::Built, &leg).remove(0);
        bench.send(&mut leg, &mutation).await.expect("made");
    }
    let whole = bench.next(Goal::Built, &leg).remove(0);
    let mut half = whole.clone();
    half.objects.truncate(1);
    half.body["creatives"]
        .as_array_mut()
        .expect("creatives")
        .truncate(1);
    bench.platform.execute(&bench.session, &half).await.expect("made");
    // What TikTok answers when it took one of two.
    let row = json!({ "ad_id": "1", "ad_name": half.body["creatives"][0]["ad_name"] });
    let body = json!({ "code": 20_001, "message": "Partial success", "request_id": "1", "data": { "ad_ids": ["1"], "creatives": [row] } });
    bench
        .fault(&json!({ "method": "ad.create", "status": 200, "body": body, "effect": "before" }))
        .await;
    let outcome = bench.send(&mut leg, &whole).await;
    assert!(matches!(outcome, Err(CallError::Unclear { .. })), "{outcome:?}");
    let found = bench.find(&leg, &whole.objects).await;
    assert_eq!(found.len(), 1);
    leg.adopt(&found);
    let rest = bench.reach(Goal::Built, &mut leg).await.expect("built");
    let made: Vec<&String> = rest.iter().flat_map(|m| &m.objects).collect();
    assert_eq!(made, ["ad/runners/clip-30s"]);
    assert_eq!(leg.differences(&bench.read(&leg).await), [] as [String; 0]);
    assert_eq!(bench.duplicates().await, [] as [String; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_that_changes_nothing_is_a_success() {
    let bench = bench().await;
    let mut leg = bench.leg("same.1").await;
    bench.reach(Goal::Built, &mut leg).await.expect("built");
    let budget = &mut leg.spec.campaign.budget.amount;
    *budget = Money::from_micros(budget.micros + 5_000_000, budget.currency);
    bench.desire(&mut leg);
    let sent = bench.reach(Goal::Built, &mut leg).await.expect("changed");
    assert!(matches!(sent[0].op, Op::Update { .. }), "{sent:?}");
    let again = bench.platform.execute(&bench.session, &sent[0]).await;
    assert!(again.is_ok(), "{again:?}");
    let codes = bench.requests().await;
    assert!(
        codes.iter().any(|r| r["response"]["code"] == 40_012),
        "TikTok calls it an error"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ad_waits_for_its_video() {
    let bench = bench().await;
    let mut leg = bench.leg("slow.1").await;
    let video = leg.spec.assets.get_mut("asset-vid-007").expect("it");
    video.platform_refs.clear();
    let video = video.clone();
    let upload = bench.platform.upload(&leg.spec, &video).expect("fits");
    let upload = upload.expect("to be uploaded");
    bench.world(&json!({ "transcoding_ms": 3_600_000 })).await;
    let sent = bench.platform.send_upload(&bench.session, &upload, None).await;
    let Ok(Uploaded::Processing { refs }) = sent else {
        panic!("{sent:?}")
    };
    let asset = leg.spec.assets.get_mut("asset-vid-007").expect("it");
    asset.platform_refs = BTreeMap::from([("tiktok".to_owned(), refs)]);
    bench.desire(&mut leg);
    let outcome = bench.reach(Goal::Built, &mut leg).await;
    let Err(CallError::Unavailable { after, .. }) = outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!(after, Some(Duration::from_secs(30)));
    bench.world(&json!({ "transcoding_ms": 0 })).await;
    let rest = bench.reach(Goal::Built, &mut leg).await.expect("built");
    assert_eq!(rest.len(), 1, "only the ad was left: {rest:?}");
}

/// Should TikTok stop taking campaigns made by hand for an objective.
#[tokio::test(flavor = "multi_thread")]
async fn an_end_of_campaigns_by_hand_is_said_as_such() {
    let bench = bench().await;
    let mut leg = bench.leg("hand.1").await;
    let body = json!({ "code": 40_002, "request_id": "1", "data": {},
        "message": "Manual campaigns are no longer supported for this objective. Please use Upgraded Smart+ instead." });
    let fault = json!({ "status": 200, "body": body, "effect": "before" });
    let (_, outcome) = bench.strike(&mut leg, 0, &[fault]).await.expect("a call");
    let error = refusal(outcome);
    assert_eq!(
        (error.class, error.code.as_str()),
        (ErrorClass::Validation, "tiktok-smart-plus")
    );
    assert!(error.remedy.contains("another objective"), "{error:?}");
    assert_eq!(leg.manifest.objects, []);
}
