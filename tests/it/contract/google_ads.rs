//! What only Google Ads has: forms of campaigns on five channels, assets that an account holds once, an asset group that is made whole
//! or not at all.

use super::bench::{Bench, Leg};
use super::channels::Sample;
use campaign_execution::clock::{Clock as _, SystemClock};
use campaign_execution::domain::error::ErrorClass;
use campaign_execution::domain::ids::LogicalKey;
use campaign_execution::domain::manifest::Serving;
use campaign_execution::platform::{self, CallError, Eligibility, Goal, Upload, Uploaded};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Drift tells who did it: the log's own words, without anything of other campaigns.
#[tokio::test(flavor = "multi_thread")]
async fn the_accounts_log_tells_who_changed_a_campaign() {
    let platform = platform::by_name("google-ads").expect("the adapter");
    let bench = Bench::start(platform).await;
    let mut legs = [bench.leg("log.1").await, bench.leg("log.2").await];
    for leg in &mut legs {
        bench.reach(Goal::Built, leg).await.expect("built");
    }
    let began = SystemClock.now();
    let by_hand = |name: String, fields: Value, mask: &'static str, operation: &'static str| {
        let mut update = fields;
        update["resourceName"] = json!(name);
        json!({ "mutateOperations": [{ operation: { "update": update, "updateMask": mask } }] })
    };
    let id = |kind: &str, key: &str| {
        let id = legs[0].manifest.id(key).expect("an id");
        format!("customers/1234567890/{kind}/{id}")
    };
    let changes = [
        by_hand(
            id("campaigns", "campaign"),
            json!({ "status": "ENABLED" }),
            "status",
            "campaignOperation",
        ),
        by_hand(
            id("campaignBudgets", "budget"),
            json!({ "amountMicros": "77000000" }),
            "amountMicros",
            "campaignBudgetOperation",
        ),
    ];
    for change in &changes {
        bench
            .call(
                reqwest::Method::POST,
                "/v26/customers/1234567890/googleAds:mutate",
                change,
            )
            .await;
    }
    let manifests = [&legs[0].manifest, &legs[1].manifest];
    let minutes = chrono::TimeDelta::minutes(5);
    let told = bench
        .platform
        .changes(&bench.session, &manifests, began - minutes..began + minutes)
        .await
        .expect("the log");
    assert_eq!(told.len(), 2);
    let by_hand: Vec<_> = told[0].iter().filter(|change| !change.program).collect();
    assert_eq!(by_hand.len(), 2, "{told:?}");
    assert_eq!(
        by_hand[0].fields,
        ["amountMicros"],
        "newest first, and a budget's too"
    );
    assert_eq!(by_hand[1].fields, ["status"]);
    assert_eq!(by_hand[1].operation, "update");
    assert!(by_hand[1].object.starts_with("campaign "), "{by_hand:?}");
    assert_eq!(by_hand[1].by.as_deref(), Some("someone@sandbox.example"));
    let apart = (by_hand[1].at - began).abs();
    assert!(
        apart < chrono::TimeDelta::seconds(30),
        "in the account's zone: {apart}"
    );
    assert!(
        told[1].iter().all(|change| change.program),
        "the other leg is ours alone"
    );
    assert!(!told[1].is_empty(), "what we made stands in the log too");
}

/// A build may wait for days: what the plan said would begin then begins at once, and that is no difference.
#[tokio::test(flavor = "multi_thread")]
async fn a_first_day_that_is_over_when_the_campaign_is_made_is_left_out() {
    let bench = Bench::start(platform::by_name("google-ads").expect("the adapter")).await;
    let mut leg = bench.leg("late.1").await;
    let now = SystemClock.now();
    let days = chrono::TimeDelta::days;
    leg.spec.approved_at = now - days(9);
    leg.spec.campaign.schedule.start = now - days(3);
    leg.spec.campaign.schedule.end = Some(now + days(30));
    bench.desire(&mut leg);
    bench.reach(Goal::Built, &mut leg).await.expect("built");
    assert_eq!(leg.differences(&bench.read(&leg).await), [] as [String; 0]);
    assert!(
        bench.next(Goal::Built, &leg).is_empty(),
        "nothing is left to change"
    );
    let sent = bench.bodies("mutate").await;
    assert!(!sent.is_empty(), "it was sent");
    assert!(
        sent.iter()
            .all(|body| !body.to_string().contains("startDateTime"))
    );
    // The next version is approved after it began, and the plan's start is the same.
    leg.spec.approved_at = now;
    bench.desire(&mut leg);
    assert!(bench.next(Goal::Built, &leg).is_empty());
}

/// Somebody moved the first day into the future, and the plan's is over by now: mended, the campaign begins today.
#[tokio::test(flavor = "multi_thread")]
async fn a_first_day_that_is_over_when_it_is_mended_is_today() {
    let bench = Bench::start(platform::by_name("google-ads").expect("the adapter")).await;
    let mut leg = bench.leg("mended.1").await;
    let now = SystemClock.now();
    let days = chrono::TimeDelta::days;
    leg.spec.approved_at = now - days(9);
    leg.spec.campaign.schedule.start = now + days(9);
    leg.spec.campaign.schedule.end = Some(now + days(30));
    bench.desire(&mut leg);
    bench.reach(Goal::Built, &mut leg).await.expect("built");
    leg.spec.campaign.schedule.start = now - days(3);
    bench.desire(&mut leg);
    assert_ne!(leg.differences(&bench.read(&leg).await), [] as [String; 0]);
    let sent = bench.reach(Goal::Built, &mut leg).await.expect("mended");
    assert_eq!(sent.len(), 1);
    assert_eq!(leg.differences(&bench.read(&leg).await), [] as [String; 0]);
}

/// A later version renames the ad groups; what is made in them since then is found by their ids.
#[tokio::test(flavor = "multi_thread")]
async fn an_ad_made_after_its_ad_group_was_renamed_is_found() {
    let bench = Bench::start(platform::by_name("google-ads").expect("the adapter")).await;
    let mut leg = bench.leg("renamed.1").await;
    bench.reach(Goal::Built, &mut leg).await.expect("built");
    leg.spec.campaign_name.push_str("_later");
    leg.manifest.campaign_name.clone_from(&leg.spec.campaign_name);
    bench.desire(&mut leg);
    bench.reach(Goal::Built, &mut leg).await.expect("renamed");
    let mut ad = leg.spec.campaign.ad_groups[0].ads[0].clone();
    ad.key = LogicalKey::parse("another").expect("a key");
    ad.landing_url.query_pairs_mut().append_pair("another", "1");
    leg.spec.campaign.ad_groups[0].ads.push(ad);
    bench.desire(&mut leg);
    bench
        .fault(&json!({ "method": "mutate", "kind": "reset", "effect": "after" }))
        .await;
    let built = bench.reach(Goal::Built, &mut leg).await;
    assert!(matches!(built, Err(CallError::Unclear { .. })), "{built:?}");
    let unknown: Vec<String> = leg.manifest.unresolved().map(|o| o.key.clone()).collect();
    assert!(!unknown.is_empty());
    let found = bench.find(&leg, &unknown).await;
    assert_eq!(found.len(), unknown.len(), "{unknown:?}");
}

fn ad(format: &str, fields: &Value) -> Value {
    let mut ad =
        json!({ "key": "ad-1", "format": format, "landing_url": "https://shop.acme.example/spring?ref=x" });
    for (field, value) in fields.as_object().expect("fields") {
        ad[field] = value.clone();
    }
    json!([{ "key": "all", "ads": [ad] }])
}

/// Every channel, and each in its forms.
pub fn samples() -> Vec<Sample> {
    let pictures = json!(["hero-1200x628", "square-1200x1200", "logo-512x512"]);
    let brand = json!({ "business_name": "Acme Shoes", "logos": ["logo-512x512"] });
    let texts = |ids: &Value| {
        json!({
            "headlines": ["Acme Shoes", "Spring Sale: 20 % Off", "Free Returns"],
            "long_headlines": ["Light as air: the new spring colours are here"],
            "descriptions": ["Order by 6 pm, run tomorrow.", "New spring colours, light as air."],
            "asset_ids": ids,
        })
    };
    let multi = json!({
        "headlines": ["Acme Shoes"], "descriptions": ["Order by 6 pm, run tomorrow."], "call_to_action": "shop_now",
        "asset_ids": ["hero-1200x628", "square-1200x1200", "tall-1080x1920", "portrait-960x1200", "logo-512x512"],
    });
    let catalog = json!({ "merchant_account": "555666", "countries": ["DE"] });
    let max = json!({ "strategy": "maximize_conversion_value", "target_roas": "3.5" });
    let form = |name, channel, campaign, catalog: &Value| Sample {
        name,
        channel,
        objective: "sales",
        campaign,
        catalog: catalog.clone(),
        shared: "text/",
    };
    let with = |settings: &Value, more: Value| {
        let mut settings = settings.clone();
        for (field, value) in more.as_object().expect("fields") {
            settings[field] = value.clone();
        }
        settings
    };
    vec![
        form(
            "display",
            "display",
            json!({ "settings": brand, "ad_groups": ad("responsive_display", &texts(&pictures)) }),
            &Value::Null,
        ),
        form(
            "display, some people, now and then",
            "display",
            json!({
                "settings": brand, "ad_groups": ad("responsive_display", &texts(&pictures)),
                "audience": { "countries": ["DE"], "age_min": 25, "age_max": 54, "genders": ["female"] },
                "frequency_cap": { "impressions": 3, "per": "week" },
            }),
            &Value::Null,
        ),
        form(
            "demand gen, pictures",
            "demand_gen",
            json!({ "settings": brand, "ad_groups": ad("multi_asset", &multi) }),
            &Value::Null,
        ),
        form(
            "demand gen, video",
            "demand_gen",
            json!({
                "settings": brand, "bidding": { "strategy": "maximize_clicks", "bid": "0.80" },
                "ad_groups": ad("video_responsive", &texts(&json!(["clip-vid-15s", "logo-512x512"]))),
            }),
            &Value::Null,
        ),
        form(
            "shopping",
            "shopping",
            json!({
                "settings": { "priority": 1 }, "bidding": { "strategy": "manual_cpc", "bid": "0.40" },
                "audience": { "countries": ["DE"] }, "ad_groups": ad("shopping_product", &json!({})),
            }),
            &catalog,
        ),
        form(
            "performance max",
            "performance_max",
            json!({ "settings": brand, "bidding": max, "ad_groups": ad("asset_group", &texts(&pictures)) }),
            &Value::Null,
        ),
        form(
            "performance max, without brand guidelines",
            "performance_max",
            json!({
                "settings": with(&brand, json!({ "brand_guidelines": false, "generated_content": true })),
                "bidding": max, "ad_groups": ad("asset_group", &texts(&pictures)),
            }),
            &Value::Null,
        ),
        form(
            "performance max, products alone",
            "performance_max",
            json!({ "bidding": max, "ad_groups": ad("asset_group", &json!({})) }),
            &catalog,
        ),
        form(
            "performance max, products and pictures",
            "performance_max",
            json!({
                "settings": with(&brand, json!({ "feed_label": "DE" })), "bidding": max,
                "ad_groups": ad("asset_group", &texts(&pictures)),
            }),
            &catalog,
        ),
    ]
}

async fn bench() -> Bench {
    Bench::start(platform::by_name("google-ads").expect("the adapter")).await
}

/// A PNG file as far as its header: type and size.
fn png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    bytes.extend(width.to_be_bytes());
    bytes.extend(height.to_be_bytes());
    bytes.extend([8, 2, 0, 0, 0]);
    bytes
}

/// The plan of one form, by its name.
fn plan(form: &str, version: &str) -> Value {
    let samples = samples();
    let sample = samples.iter().find(|sample| sample.name == form).expect("a form");
    sample.plan("google-ads", version)
}

fn reference(uploaded: &Uploaded) -> Option<&str> {
    match uploaded {
        Uploaded::Ready { refs } => refs.get("resource_name").map(String::as_str),
        Uploaded::Processing { .. } | Uploaded::Absent => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_is_given_to_the_account_once_whatever_call_is_lost() {
    let bench = bench().await;
    let leg = bench.leg_of(plan("display", "upload.1")).await;
    let mut asset = leg.spec.assets["hero-1200x628"].clone();
    asset.platform_refs.clear();
    let upload: Upload = bench
        .platform
        .upload(&leg.spec, &asset)
        .expect("fits")
        .expect("to be uploaded");
    let look = async |refs: Option<&BTreeMap<String, String>>| {
        let found = bench.platform.find_upload(&bench.session, &upload, refs).await;
        found.expect("a look-up")
    };
    assert_eq!(look(None).await, Uploaded::Absent);
    // Lost, and it had its effect.
    bench.fault(&json!({ "kind": "reset", "effect": "after" })).await;
    let send = async || {
        let sent = bench
            .platform
            .send_upload(&bench.session, &upload, Some(png(1200, 628)));
        sent.await
    };
    let lost = send().await;
    assert!(matches!(lost, Err(CallError::Unclear { .. })), "{lost:?}");
    let found = look(None).await;
    let name = reference(&found).expect("by its name").to_owned();
    let Uploaded::Ready { refs } = &found else {
        panic!("{found:?}")
    };
    assert_eq!(look(Some(refs)).await, found);
    // Sent again all the same: the account holds it once.
    assert_eq!(reference(&send().await.expect("taken")), Some(name.as_str()));
    assert_eq!(bench.duplicates().await, [] as [String; 0]);

    let refused = bench
        .platform
        .send_upload(&bench.session, &upload, Some(b"<html>".to_vec()))
        .await;
    let Err(CallError::Refused(error)) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(error.class, ErrorClass::Validation);
    assert!(error.remedy.contains("JPEG"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_uploaded_is_what_the_ad_shows() {
    let bench = bench().await;
    let mut leg = bench.leg_of(plan("display", "upload.2")).await;
    let asset = leg.spec.assets.get_mut("hero-1200x628").expect("it");
    asset.platform_refs.clear();
    let asset = asset.clone();
    let upload = bench
        .platform
        .upload(&leg.spec, &asset)
        .expect("fits")
        .expect("to be uploaded");
    let sent = bench
        .platform
        .send_upload(&bench.session, &upload, Some(png(1200, 628)))
        .await;
    let Ok(Uploaded::Ready { refs }) = sent else {
        panic!("{sent:?}")
    };
    let asset = leg.spec.assets.get_mut("hero-1200x628").expect("it");
    asset.platform_refs.insert("google-ads".to_owned(), refs);
    bench.desire(&mut leg);
    bench.reach(Goal::Built, &mut leg).await.expect("built");
    let reading = bench.read(&leg).await;
    assert_eq!(leg.differences(&reading), [] as [String; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_video_is_known_by_its_youtube_id_alone() {
    let bench = bench().await;
    let leg = bench.leg_of(plan("demand gen, video", "upload.3")).await;
    let mut video = leg.spec.assets["clip-vid-15s"].clone();
    video.platform_refs.clear();
    let error = bench.platform.upload(&leg.spec, &video).expect_err("no id");
    assert_eq!(error.class, ErrorClass::AssetMissing);
    let refs = BTreeMap::from([("youtube_video_id".to_owned(), "dQw4w9WgXcQ".to_owned())]);
    video.platform_refs.insert("google-ads".to_owned(), refs);
    let upload = bench
        .platform
        .upload(&leg.spec, &video)
        .expect("fits")
        .expect("to be registered");
    let sent = bench
        .platform
        .send_upload(&bench.session, &upload, None)
        .await
        .expect("taken");
    assert!(reference(&sent).is_some(), "{sent:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn review_of_an_asset_group_is_seen_before_and_after_it_is_switched_on() {
    let bench = bench().await;
    let mut leg = bench.leg_of(plan("performance max", "review.1")).await;
    bench.reach(Goal::Built, &mut leg).await.expect("built");
    assert_eq!(bench.read(&leg).await.eligibility, Eligibility::Paused);
    bench.reach(Goal::Active, &mut leg).await.expect("on");
    assert_eq!(bench.read(&leg).await.eligibility, Eligibility::NotBegun);
    bench.world(&json!({ "review_pending": ["Free Returns"] })).await;
    // It starts in a month: nothing is live before, whatever the review says; a disapproval is seen at once.
    bench.world(&json!({ "disapprove": ["Free Returns"] })).await;
    let reading = bench.read(&leg).await;
    // Two headlines more are there to be shown.
    assert_eq!(reading.eligibility, Eligibility::NotBegun);
    assert_eq!(reading.finding.expect("the finding").class, ErrorClass::Policy);
    bench.world(&json!({ "disapprove": ["*"] })).await;
    let reading = bench.read(&leg).await;
    let Eligibility::Disapproved(error) = reading.eligibility else {
        panic!("{:?}", reading.eligibility)
    };
    assert_eq!(error.class, ErrorClass::Policy);
    let campaign = reading.objects.iter().find(|o| o.key == "campaign").expect("it");
    assert_eq!(campaign.serving, Serving::Active);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_feed_under_the_same_key_is_refused_and_makes_nothing() {
    let bench = bench().await;
    let mut leg = bench.leg_of(plan("shopping", "feed.1")).await;
    bench.reach(Goal::Built, &mut leg).await.expect("built");
    leg.facts.catalogs.push("777888".to_owned());
    leg.spec.catalog.as_mut().expect("it").merchant_account = Some("777888".to_owned());
    bench.desire(&mut leg);
    let before = bench.requests().await.len();
    let refused = bench.reach(Goal::Built, &mut leg).await;
    let Err(CallError::Refused(error)) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(error.platform_code.as_deref(), Some("fieldError.IMMUTABLE_FIELD"));
    assert!(error.remedy.contains("logical_campaign_key"), "{}", error.remedy);
    assert_eq!(
        bench.requests().await.len(),
        before + 1,
        "one call, which was refused"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_probe_tells_the_feeds_and_what_is_left_to_spend() {
    let bench = bench().await;
    let facts = bench.platform.probe(&bench.session).await.expect("a probe");
    assert_eq!(
        (facts.catalogs, facts.spendable),
        (vec!["555666".to_owned()], None)
    );
    let account = json!({ "spending_limit": "1000.00", "amount_served": "250.50", "merchant": "42" });
    bench
        .world(&json!({ "accounts": { "google-ads/1234567890": account } }))
        .await;
    let facts = bench.platform.probe(&bench.session).await.expect("a probe");
    assert_eq!(facts.catalogs, ["42"]);
    assert_eq!(
        facts.spendable.map(|left| left.to_string()).as_deref(),
        Some("749.50 EUR")
    );
    assert_eq!(facts.problems, []);
    let account = json!({ "amount_served": "1000.00" });
    bench
        .world(&json!({ "accounts": { "google-ads/1234567890": account } }))
        .await;
    let facts = bench.platform.probe(&bench.session).await.expect("a probe");
    assert_eq!(
        facts.problems[0].alert_code.as_deref(),
        Some("PRE-GOOGLE-ADS-PAYER")
    );
}

/// Women of 25 to 54 become men of any age: what was excluded makes way for what is, at no moment is everybody excluded, and the
/// cap goes.
#[tokio::test(flavor = "multi_thread")]
async fn other_people_are_addressed_in_place_of_those_before() {
    let bench = bench().await;
    let mut leg = bench
        .leg_of(plan("display, some people, now and then", "people.1"))
        .await;
    bench.reach(Goal::Built, &mut leg).await.expect("built");
    let excluded = |leg: &Leg| {
        let kinds = leg.manifest.existing().filter(|o| o.key.starts_with("excludes/"));
        kinds.count()
    };
    assert_eq!(
        excluded(&leg),
        6,
        "three ages, one gender, and two of whom nothing is known"
    );
    let campaign = &mut leg.spec.campaign;
    campaign.audience.age_min = None;
    campaign.audience.age_max = None;
    campaign.audience.genders = vec!["male".to_owned()];
    campaign.frequency_cap = None;
    bench.desire(&mut leg);
    bench.reach(Goal::Built, &mut leg).await.expect("changed");
    assert_eq!(bench.next(Goal::Built, &leg), []);
    assert_eq!(excluded(&leg), 2);
    let reading = bench.read(&leg).await;
    assert_eq!(leg.differences(&reading), [] as [String; 0]);
    let shown = reading.objects.iter().find(|o| o.key == "campaign").expect("it");
    assert_eq!(
        shown.fields["frequency_cap"],
        Value::Null,
        "the cap is gone there too"
    );
}
