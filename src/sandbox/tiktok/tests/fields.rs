//! Rules of campaigns, ad groups and ads, each broken in one field. Each row names its entry in `tests/conformance/rules.toml`; without
//! a name a definition knows it, or a planted mistake there shows it.

use super::*;

#[test]
fn each_rule_of_a_campaign_bites() {
    for (rule, field, value, expected) in [
        ("", "campaign_name", json!(""), (40_002, "campaign_name")),
        (
            "",
            "campaign_name",
            json!("x".repeat(513)),
            (40_002, "campaign_name"),
        ),
        (
            "",
            "campaign_name",
            json!("sale \u{1f600}"),
            (40_002, "campaign_name"),
        ),
        (
            "",
            "objective_type",
            json!("CONVERSIONS"),
            (40_002, "objective_type"),
        ),
        (
            "tiktok.reach-and-frequency-by-allowlist",
            "objective_type",
            json!("RF_REACH"),
            (40_118, ""),
        ),
        (
            "tiktok.app-campaigns-say-what-for",
            "objective_type",
            json!("APP_PROMOTION"),
            (40_002, "app_promotion_type"),
        ),
        (
            "tiktok.product-sales-say-from-where",
            "objective_type",
            json!("PRODUCT_SALES"),
            (40_002, "campaign_product_source"),
        ),
        (
            "tiktok.a-campaign-has-a-budget-mode",
            "budget_mode",
            Value::Null,
            (40_002, "budget_mode"),
        ),
        (
            "tiktok.no-infinite-budget-to-share",
            "budget_mode",
            json!("BUDGET_MODE_INFINITE"),
            (40_002, "budget_mode"),
        ),
        ("", "budget", Value::Null, (40_002, "budget")),
        ("", "budget", json!(49.99), (40_002, "budget")),
        (
            "tiktok.campaign-budget-ceiling",
            "budget",
            json!(10_000_000),
            (40_002, "budget"),
        ),
        ("", "budget", json!(80.555), (40_002, "budget")),
        ("", "budget", json!("80.5"), (40_002, "budget")),
        (
            "tiktok.sales-is-for-conversions-and-products",
            "virtual_objective_type",
            json!("SALES"),
            (40_002, "virtual_objective_type"),
        ),
        (
            "tiktok.a-destination-belongs-to-sales",
            "sales_destination",
            json!("WEBSITE"),
            (40_002, "sales_destination"),
        ),
        (
            "tiktok.no-shared-budget-for-catalogs",
            "campaign_product_source",
            json!("CATALOG"),
            (40_118, ""),
        ),
        (
            "tiktok.dedicated-campaigns-for-app-installs",
            "campaign_type",
            json!("IOS14_CAMPAIGN"),
            (40_002, "campaign_type"),
        ),
        (
            "tiktok.known-special-industries",
            "special_industries",
            json!(["GAMBLING"]),
            (40_002, "special_industries"),
        ),
        (
            "",
            "operation_status",
            json!("FROZEN"),
            (40_002, "operation_status"),
        ),
        ("", "request_id", json!("abc"), (40_002, "request_id")),
        (
            "",
            "budget_optimize_switch",
            json!(1),
            (40_002, "budget_optimize_switch"),
        ),
        ("", "advertiser_id", json!("x"), (40_001, "")),
    ] {
        let mut world = World::new(7, 0);
        let (code, at) = with(&mut world, "campaign/create", campaign(), field, &value);
        assert_eq!((code, at.as_str()), expected, "{rule}: {field} = {value}");
        assert_eq!(
            all(&mut world, "campaign/get"),
            0,
            "{rule} {field}: nothing was made"
        );
    }
}

#[test]
fn each_rule_of_an_ad_group_bites() {
    let (mut world, [campaign, ..]) = built();
    let mut body = group(&campaign);
    body["adgroup_name"] = json!("g2");
    for (rule, field, value, expected) in [
        ("", "campaign_id", json!("1"), "campaign_id"),
        (
            "tiktok.what-is-promoted-is-said",
            "promotion_type",
            Value::Null,
            "promotion_type",
        ),
        (
            "tiktok.goals-fit-the-objective",
            "optimization_goal",
            json!("REACH"),
            "optimization_goal",
        ),
        ("", "optimization_goal", json!("GMV"), "optimization_goal"),
        ("", "billing_event", json!("OCPM"), "billing_event"),
        ("", "pacing", json!("FAST"), "pacing"),
        (
            "tiktok.dayparting-by-half-hours",
            "dayparting",
            json!("1".repeat(335)),
            "dayparting",
        ),
        (
            "tiktok.a-shared-budget-needs-a-bid-type",
            "bid_type",
            Value::Null,
            "bid_type",
        ),
        (
            "tiktok.a-bid-of-ones-own-has-a-price",
            "bid_type",
            json!("BID_TYPE_CUSTOM"),
            "bid_price",
        ),
        ("", "location_ids", json!([]), "location_ids"),
        (
            "tiktok.locations-are-numbers",
            "location_ids",
            json!(["DE"]),
            "location_ids",
        ),
        (
            "tiktok.a-location-once",
            "location_ids",
            json!(["2921044", "2921044"]),
            "location_ids",
        ),
        (
            "tiktok.placements-by-hand-are-named",
            "placements",
            Value::Null,
            "placements",
        ),
        (
            "tiktok.known-placements",
            "placements",
            json!(["PLACEMENT_TOPBUZZ"]),
            "placements",
        ),
        (
            "tiktok.no-minors-in-the-eu",
            "age_groups",
            json!(["AGE_13_17"]),
            "age_groups",
        ),
        (
            "tiktok.known-age-groups",
            "age_groups",
            json!(["AGE_20_30"]),
            "age_groups",
        ),
        ("tiktok.known-genders", "gender", json!("ALL"), "gender"),
        (
            "tiktok.a-flight-has-an-end",
            "schedule_end_time",
            Value::Null,
            "schedule_end_time",
        ),
        (
            "",
            "schedule_end_time",
            json!("2035-11-30 00:00:00"),
            "schedule_end_time",
        ),
        (
            "",
            "schedule_end_time",
            json!("2035-12-31T23:59:59Z"),
            "schedule_end_time",
        ),
        (
            "",
            "schedule_start_time",
            json!("2035-12-01T00:00:00"),
            "schedule_start_time",
        ),
        (
            "tiktok.frequency-caps-only-for-reach",
            "frequency",
            json!(3),
            "frequency",
        ),
        (
            "tiktok.pixels-only-for-conversions",
            "pixel_id",
            json!("5"),
            "pixel_id",
        ),
        (
            "tiktok.attribution-windows-go-together",
            "click_attribution_window",
            json!("ONE_DAY"),
            "click_attribution_window",
        ),
        (
            "tiktok.shopping-ads-only-for-product-sales",
            "shopping_ads_type",
            json!("VIDEO"),
            "shopping_ads_type",
        ),
        (
            "tiktok.target-types-only-for-leads",
            "promotion_target_type",
            json!("EXTERNAL_WEBSITE"),
            "promotion_target_type",
        ),
        ("", "budget", Value::Null, "budget"),
        (
            "tiktok.ad-group-names-are-unique",
            "adgroup_name",
            json!("g1"),
            "adgroup_name",
        ),
    ] {
        let (code, at) = with(&mut world, "adgroup/create", body.clone(), field, &value);
        assert_eq!(
            (code, at.as_str()),
            (40_002, expected),
            "{rule}: {field} = {value}"
        );
    }
    assert_eq!(all(&mut world, "adgroup/get"), 1, "nothing was made");
}

#[test]
fn without_shared_budgets_each_ad_group_has_a_floor_of_its_own() {
    let mut world = World::new(7, 0);
    let mut own = campaign();
    own.as_object_mut().unwrap().remove("budget_optimize_on");
    let own = id(&post(&mut world, "campaign/create", own), "campaign_id");
    let body = group(&own);
    for (rule, field, value, expected) in [
        ("tiktok.ad-group-budget-floor", "budget", json!(19.99), "budget"),
        (
            "tiktok.no-total-below-a-daily-budget",
            "budget_mode",
            json!("BUDGET_MODE_TOTAL"),
            "budget_mode",
        ),
    ] {
        let (_, at) = with(&mut world, "adgroup/create", body.clone(), field, &value);
        assert_eq!(at, expected, "{rule}: {field} = {value}");
    }
    assert_eq!(post(&mut world, "adgroup/create", body)["code"], 0);
}

#[test]
fn each_rule_of_an_ad_bites() {
    let (mut world, [_, group, _]) = built();
    let body = ad(&group);
    for (rule, field, value, expected) in [
        ("", "creatives", json!([]), (40_061, "creatives")),
        ("", "adgroup_id", json!("x"), (40_002, "adgroup_id")),
        (
            "tiktok.an-ad-has-a-format",
            "ad_format",
            Value::Null,
            (40_002, "ad_format"),
        ),
        (
            "tiktok.known-ad-formats",
            "ad_format",
            json!("CAROUSEL"),
            (40_002, "ad_format"),
        ),
        (
            "tiktok.no-single-image-in-the-feed",
            "ad_format",
            json!("SINGLE_IMAGE"),
            (40_002, "ad_format"),
        ),
        (
            "tiktok.a-carousel-has-music",
            "ad_format",
            json!("CAROUSEL_ADS"),
            (40_002, "music_id"),
        ),
        (
            "tiktok.live-only-for-shopping",
            "ad_format",
            json!("LIVE_CONTENT"),
            (40_002, "ad_format"),
        ),
        (
            "tiktok.an-ad-has-an-identity",
            "identity_id",
            Value::Null,
            (40_002, "identity_id"),
        ),
        (
            "tiktok.known-identities",
            "identity_type",
            json!("PAGE"),
            (40_002, "identity_type"),
        ),
        (
            "tiktok.an-authorised-identity-names-its-business-centre",
            "identity_type",
            json!("BC_AUTH_TT"),
            (40_002, "identity_authorized_bc_id"),
        ),
        (
            "tiktok.a-video-ad-has-a-video",
            "video_id",
            Value::Null,
            (40_002, "video_id"),
        ),
        (
            "tiktok.a-video-has-one-cover",
            "image_ids",
            json!([]),
            (40_002, "image_ids"),
        ),
        ("", "ad_text", json!(""), (40_002, "ad_text")),
        (
            "tiktok.ad-texts-to-100",
            "ad_text",
            json!("x".repeat(101)),
            (40_002, "ad_text"),
        ),
        (
            "tiktok.ad-texts-without-emoji",
            "ad_text",
            json!("Run \u{1f3c3}"),
            (40_002, "ad_text"),
        ),
        (
            "tiktok.an-ad-has-a-button",
            "call_to_action",
            Value::Null,
            (40_002, "call_to_action_id"),
        ),
        (
            "tiktok.known-calls-to-action",
            "call_to_action",
            json!("BUY"),
            (40_002, "call_to_action"),
        ),
        ("", "landing_page_url", Value::Null, (40_002, "landing_page_url")),
        (
            "tiktok.landing-pages-are-addresses",
            "landing_page_url",
            json!("shop"),
            (40_002, "landing_page_url"),
        ),
        (
            "tiktok.utm-params-by-allowlist",
            "utm_params",
            json!([{ "key": "a", "value": "b" }]),
            (40_118, ""),
        ),
        ("", "request_id", json!("1"), (40_002, "request_id")),
    ] {
        if field == "adgroup_id" {
            let mut body = body.clone();
            body["adgroup_id"] = value;
            assert_eq!(
                refused(&post(&mut world, "ad/create", body)).1,
                expected.1,
                "{rule}"
            );
            continue;
        }
        let (code, at) = with(&mut world, "ad/create", body.clone(), field, &value);
        assert_eq!((code, at.as_str()), expected, "{rule}: {field} = {value}");
    }
    world.switches.policy_finding = vec!["forbidden".into()];
    let (code, _) = with(
        &mut world,
        "ad/create",
        body,
        "ad_text",
        &json!("a forbidden claim"),
    );
    assert_eq!(code, 41_000);
    assert_eq!(all(&mut world, "ad/get"), 1, "nothing was made");
}
