//! What DV360 offers beside the example's banner for awareness: each objective on each channel with a format of that channel, every
//! way of bidding, and what each of them is called in DV360's own fields.
//!
//! The words expected here are DV360's (reference/rest/v4/advertisers.campaigns, advertisers.lineItems, BiddingStrategy), written out by
//! hand: must not take them from the adapter, which is what they judge.

use super::super::bench::Bench;
use super::super::channels::Sample;
use campaign_execution::domain::plan::Objective;
use campaign_execution::platform::{self, Goal};
use serde_json::{Value, json};

/// A form, and what must stand in the bodies that make it.
struct Form {
    sample: Sample,
    campaign: Value,
    order: Value,
    line: Value,
    creative: Value,
}

fn banner() -> Value {
    json!([{ "key": "premium-news", "ads": [{ "key": "banner", "format": "display_image", "asset_ids": ["asset-img-003"],
        "width": 300, "height": 250, "landing_url": "https://shop.acme.example/spring?size=42&utm_source=old" }] }])
}

fn film() -> Value {
    json!([{ "key": "premium-news", "ads": [{ "key": "film", "format": "single_video", "asset_ids": ["asset-vid-007"],
        "landing_url": "https://shop.acme.example/spring?size=42&utm_source=old" }] }])
}

/// A way of bidding in the plan's words, and what becomes of it: the campaign's goal, the insertion order's, the line item's bid.
struct Bid {
    plan: Value,
    goal: Value,
    kpi: Value,
    strategy: Value,
}

fn goal(kind: &str, micros: &str) -> (Value, Value) {
    (
        json!({ "performanceGoalType": format!("PERFORMANCE_GOAL_TYPE_{kind}"), "performanceGoalAmountMicros": micros }),
        json!({ "kpiType": format!("KPI_TYPE_{kind}"), "kpiAmountMicros": micros }),
    )
}

fn fixed() -> Bid {
    let (goal, kpi) = goal("CPM", "5000000");
    Bid {
        plan: json!({ "strategy": "fixed", "bid": "2.40", "kpi": { "type": "cpm", "amount": "5.00" } }),
        goal,
        kpi,
        strategy: json!({ "fixedBid": { "bidAmountMicros": "2400000" } }),
    }
}

/// Of viewable impressions a campaign has no goal of its own: it is said in words.
fn viewable() -> Bid {
    Bid {
        plan: json!({ "strategy": "performance_goal", "kpi": { "type": "vcpm", "amount": "6.50" } }),
        goal: json!({ "performanceGoalType": "PERFORMANCE_GOAL_TYPE_OTHER" }),
        kpi: json!({ "kpiType": "KPI_TYPE_VCPM", "kpiAmountMicros": "6500000" }),
        strategy: json!({ "performanceGoalAutoBid": {
            "performanceGoalType": "BIDDING_STRATEGY_PERFORMANCE_GOAL_TYPE_VIEWABLE_CPM",
            "performanceGoalAmountMicros": "6500000" } }),
    }
}

fn clicks_at_a_price() -> Bid {
    let (goal, kpi) = goal("CPC", "450000");
    Bid {
        plan: json!({ "strategy": "performance_goal", "bid": "9.00", "kpi": { "type": "cpc", "amount": "0.45" } }),
        goal,
        kpi,
        strategy: json!({ "performanceGoalAutoBid": {
            "performanceGoalType": "BIDDING_STRATEGY_PERFORMANCE_GOAL_TYPE_CPC",
            "performanceGoalAmountMicros": "450000", "maxAverageCpmBidAmountMicros": "9000000" } }),
    }
}

fn conversions_at_a_price() -> Bid {
    let (goal, kpi) = goal("CPA", "12500000");
    Bid {
        plan: json!({ "strategy": "performance_goal", "target_cpa": "12.50" }),
        goal,
        kpi,
        strategy: json!({ "performanceGoalAutoBid": {
            "performanceGoalType": "BIDDING_STRATEGY_PERFORMANCE_GOAL_TYPE_CPA",
            "performanceGoalAmountMicros": "12500000" } }),
    }
}

/// All that the budget buys: `as_bid` is what the bidding calls what the goal calls `kind`.
fn most(kind: &str, as_bid: &str) -> Bid {
    let (of_campaign, kpi) = goal(kind, "800000");
    Bid {
        plan: json!({ "strategy": "maximize_spend", "kpi": { "type": kind.to_lowercase(), "amount": "0.80" } }),
        goal: of_campaign,
        kpi,
        strategy: json!({ "maximizeSpendAutoBid": {
            "performanceGoalType": format!("BIDDING_STRATEGY_PERFORMANCE_GOAL_TYPE_{as_bid}") } }),
    }
}

const AWARENESS: &str = "BRAND_AWARENESS";
const ONLINE: &str = "ONLINE_ACTION";
const INSTALL: &str = "APP_INSTALL";
const DEFAULT: &str = "DEFAULT";
const APP: &str = "MOBILE_APP_INSTALL";

/// A form on a channel; what else makes it stands in `settings`, and what becomes of these in the line item in `more`.
fn form(
    (channel, objective, name): (&'static str, &'static str, &'static str),
    (goal, line): (&str, &str),
    bid: Bid,
    settings: Value,
    more: Value,
) -> Form {
    let video = channel == "video";
    let kind = format!("LINE_ITEM_TYPE_{}_{line}", channel.to_uppercase());
    let mut line = json!({ "lineItemType": kind, "bidStrategy": bid.strategy });
    crate::support::plans::merge(&mut line, &more);
    Form {
        sample: Sample {
            name,
            channel,
            objective,
            campaign: json!({ "bidding": bid.plan, "settings": settings, "ad_groups": if video { film() } else { banner() } }),
            catalog: Value::Null,
            shared: "",
        },
        campaign: json!({ "campaignGoal": {
            "campaignGoalType": format!("CAMPAIGN_GOAL_TYPE_{goal}"), "performanceGoal": bid.goal } }),
        order: json!({ "kpi": bid.kpi }),
        line,
        creative: if video {
            json!({ "creativeType": "CREATIVE_TYPE_VIDEO" })
        } else {
            json!({ "creativeType": "CREATIVE_TYPE_STANDARD", "dimensions": { "widthPixels": 300, "heightPixels": 250 } })
        },
    }
}

/// Every objective on every channel that has it.
fn forms() -> Vec<Form> {
    let nothing = || json!({});
    let conversions = || json!({ "floodlight_activity_ids": ["4711", "815"] });
    let counted = || {
        let activity = |id: &str| json!({ "floodlightActivityId": id, "postClickLookbackWindowDays": 30, "postViewLookbackWindowDays": 30 });
        json!({ "conversionCounting": { "floodlightActivityConfigs": [activity("4711"), activity("815")],
            "postViewCountPercentageMillis": "100000" } })
    };
    let app = || json!({ "app_id": "com.acme.shop" });
    let installed = || json!({ "mobileApp": { "appId": "com.acme.shop" } });
    let share = || json!({ "markup_percent": "12.5" });
    let marked_up = || json!({ "partnerRevenueModel": { "markupAmount": "12500" } });
    vec![
        form(
            ("display", "awareness", "display for awareness"),
            (AWARENESS, DEFAULT),
            viewable(),
            share(),
            marked_up(),
        ),
        form(
            ("display", "traffic", "display for traffic"),
            (ONLINE, DEFAULT),
            clicks_at_a_price(),
            nothing(),
            nothing(),
        ),
        form(
            ("display", "leads", "display for leads"),
            (ONLINE, DEFAULT),
            conversions_at_a_price(),
            conversions(),
            counted(),
        ),
        form(
            ("display", "sales", "display for sales"),
            (ONLINE, DEFAULT),
            most("CPA", "CPA"),
            conversions(),
            counted(),
        ),
        form(
            ("display", "app", "display for app"),
            (INSTALL, APP),
            fixed(),
            app(),
            installed(),
        ),
        form(
            ("video", "awareness", "video for awareness"),
            (AWARENESS, DEFAULT),
            fixed(),
            nothing(),
            nothing(),
        ),
        form(
            ("video", "traffic", "video for traffic"),
            (ONLINE, DEFAULT),
            most("CPC", "CPC"),
            nothing(),
            nothing(),
        ),
        form(
            ("video", "engagement", "video for engagement"),
            (AWARENESS, DEFAULT),
            most("CPIAVC", "CIVA"),
            nothing(),
            nothing(),
        ),
        form(
            ("video", "leads", "video for leads"),
            (ONLINE, DEFAULT),
            most("CPA", "CPA"),
            conversions(),
            counted(),
        ),
        form(
            ("video", "sales", "video for sales"),
            (ONLINE, DEFAULT),
            conversions_at_a_price(),
            conversions(),
            counted(),
        ),
        form(
            ("video", "app", "video for app"),
            (INSTALL, APP),
            clicks_at_a_price(),
            app(),
            installed(),
        ),
    ]
}

/// See `channels::samples`.
pub fn samples() -> Vec<Sample> {
    forms().into_iter().map(|form| form.sample).collect()
}

/// See `formats::formats`.
pub fn formats() -> Vec<(&'static str, Value, Value)> {
    let merged = |mut one: Value, more: Value| {
        crate::support::plans::merge(&mut one, &more);
        one
    };
    let video = || json!({ "channel": "video", "ad_groups": film() });
    let mut news = banner()[0].take();
    let mut second = news["ads"][0].clone();
    second["key"] = json!("leaderboard");
    (second["width"], second["height"]) = (json!(728), json!(90));
    news["ads"].as_array_mut().expect("ads").push(second);
    let mut sports = news.clone();
    sports["key"] = json!("sports");
    let two = json!([news, sports]);
    let mut as_it_is = banner();
    for side in ["width", "height"] {
        as_it_is[0]["ads"][0].as_object_mut().expect("an ad").remove(side);
    }
    let daily = |pacing: &str| json!({ "budget": { "amount": "200.00", "period": "daily" }, "settings": { "pacing": pacing } });
    vec![
        (
            "display_image, of the asset's own size",
            json!({ "ad_groups": as_it_is }),
            json!({}),
        ),
        (
            "display_image, two sizes in two line items",
            json!({ "ad_groups": two }),
            json!({}),
        ),
        ("display_image, a budget for each day", daily("asap"), json!({})),
        (
            "display_image, to a language",
            json!({ "audience": { "languages": ["de"], "age_min": 25, "genders": ["female"] } }),
            json!({}),
        ),
        ("single_video", video(), json!({})),
        (
            "single_video, a budget for each day",
            merged(video(), daily("even")),
            json!({}),
        ),
        (
            "single_video, ahead of its time and seldom",
            merged(
                video(),
                json!({ "settings": { "pacing": "ahead" }, "frequency_cap": { "impressions": 2, "per": "week" } }),
            ),
            json!({}),
        ),
    ]
}

/// Whether everything that is wanted is there, as it should be; there may be more.
fn has(there: &Value, wanted: &Value) -> bool {
    match wanted.as_object() {
        Some(fields) => fields.iter().all(|(name, value)| has(&there[name], value)),
        None => there == wanted,
    }
}

#[test]
fn each_objective_on_each_channel_that_has_it_is_a_form_here() {
    let dv360 = platform::by_name("dv360").expect("the adapter");
    let shown: Vec<(String, String)> = samples()
        .iter()
        .map(|s| (s.channel.to_owned(), s.objective.to_owned()))
        .collect();
    let mut offered = Vec::new();
    for channel in dv360.channels() {
        let has = |o: &&Objective| dv360.offer(**o, Some(channel)).is_ok();
        offered.extend(
            Objective::ALL
                .iter()
                .filter(has)
                .map(|o| ((*channel).to_owned(), o.as_str().to_owned())),
        );
    }
    assert_eq!(shown, offered);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_form_is_sent_in_dv360s_own_words() {
    for form in forms() {
        let sample = &form.sample;
        let what = sample.name;
        let bench = Bench::start(platform::by_name("dv360").expect("the adapter")).await;
        let mut leg = bench.leg_of(sample.plan("dv360", "words.1")).await;
        bench.reach(Goal::Built, &mut leg).await.expect(what);
        for (collection, wanted, status) in [
            ("campaigns", &form.campaign, "PAUSED"),
            ("insertionOrders", &form.order, "DRAFT"),
            ("lineItems", &form.line, "DRAFT"),
            ("creatives", &form.creative, "ACTIVE"),
        ] {
            let sent = bench.bodies(&format!("{collection}.create")).await;
            assert_eq!(sent.len(), 1, "{what}: {collection}");
            assert!(
                has(&sent[0], wanted),
                "{what}: {collection}: {} is not {wanted}",
                sent[0]
            );
            assert_eq!(
                sent[0]["entityStatus"],
                format!("ENTITY_STATUS_{status}"),
                "{what}: {collection}"
            );
        }
        let lines = bench.bodies("lineItems.create").await;
        let creatives = bench.bodies("creatives.create").await;
        assert_eq!(
            lines[0]["containsEuPoliticalAds"], "DOES_NOT_CONTAIN_EU_POLITICAL_ADVERTISING",
            "{what}"
        );
        assert_eq!(
            lines[0]["creativeIds"].as_array().map(Vec::len),
            Some(1),
            "{what}"
        );
        let exit = &creatives[0]["exitEvents"][0]["url"];
        assert_eq!(exit, "https://shop.acme.example/spring?size=42", "{what}");
        let only_there = |field: &str| lines[0].get(field).is_some() == form.line.get(field).is_some();
        assert!(
            only_there("mobileApp") && only_there("conversionCounting"),
            "{what}: {}",
            lines[0]
        );
    }
}
