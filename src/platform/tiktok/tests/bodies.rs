//! The bodies of every objective and every format, as TikTok gets them: golden texts, compared as a whole.
//!
//! Must not share a line with the mapping. What they rest on: `required` fields and enumerations of the vendor's client library
//! (tiktok-business-api-sdk-official 1.1.3: `CampaignCreateBody`, `AdgroupCreateBody`, `AdcreateCreatives`), pages named at each.

use super::*;

/// A campaign with its ad group: what all objectives share, and what this one has beside or instead (null: not).
fn bodies(objective: &str, campaign: Value, group: Value) -> [Value; 2] {
    let name = NAME.replace("traffic", objective);
    let mut all = [
        json!({ "advertiser_id": "7001", "operation_status": "DISABLE", "campaign_name": name, "budget_mode": "BUDGET_MODE_DAY",
            "budget": "80.05", "budget_optimize_on": true }),
        json!({ "advertiser_id": "7001", "operation_status": "DISABLE", "campaign_id": "100", "adgroup_name": format!("{name}/runners"),
            "placement_type": "PLACEMENT_TYPE_NORMAL", "placements": ["PLACEMENT_TIKTOK"], "pacing": "PACING_MODE_SMOOTH",
            "location_ids": ["2921044"], "languages": ["de"], "age_groups": ["AGE_18_24", "AGE_25_34"], "gender": "GENDER_UNLIMITED",
            "schedule_type": "SCHEDULE_START_END", "schedule_start_time": "2027-02-28 23:00:00",
            "schedule_end_time": "2027-03-31 21:59:59", "bid_type": "BID_TYPE_NO_BID", "budget_mode": "BUDGET_MODE_DAY",
            "budget": "80.05" }),
    ];
    for (body, own) in all.iter_mut().zip([campaign, group]) {
        for (field, value) in own.as_object().unwrap() {
            let body = body.as_object_mut().unwrap();
            if value.is_null() {
                body.remove(field);
            } else {
                body.insert(field.clone(), value.clone());
            }
        }
    }
    all
}

/// What is sent for a campaign of this objective, after the change.
fn sent(objective: &str, change: impl Fn(&mut Value)) -> Vec<Value> {
    let spec = spec_with(|campaign| {
        campaign["objective"] = json!(objective);
        change(campaign);
    });
    assert_eq!(TikTok.check(&spec), [], "{objective}");
    creations(&spec).into_iter().map(|m| m.body).collect()
}

fn settings(more: Value) -> impl Fn(&mut Value) {
    move |campaign| {
        for (name, value) in more.as_object().unwrap() {
            campaign["settings"][name] = value.clone();
        }
    }
}

#[test]
fn reach_traffic_and_views() {
    let capped =
        |campaign: &mut Value| campaign["frequency_cap"] = json!({ "impressions": 3, "per": "week" });
    let expected = bodies(
        "awareness",
        json!({ "objective_type": "REACH" }),
        json!({ "optimization_goal": "REACH", "billing_event": "CPM", "frequency": 3, "frequency_schedule": 7 }),
    );
    assert_eq!(sent("awareness", capped)[..2], expected);

    let goal = json!({ "optimization_goal": "CLICK", "billing_event": "CPC", "promotion_type": "WEBSITE" });
    let expected = bodies("traffic", json!({ "objective_type": "TRAFFIC" }), goal.clone());
    assert_eq!(sent("traffic", |_| ())[..2], expected);
    // A cost to keep to; a budget for the whole flight.
    let capped = |campaign: &mut Value| {
        campaign["bidding"] = json!({ "strategy": "cost_cap", "bid": Money::parse("1.35", eur()).unwrap() });
        campaign["budget"]["period"] = json!("lifetime");
    };
    let mut group = goal;
    group["bid_type"] = json!("BID_TYPE_CUSTOM");
    group["bid_price"] = json!("1.35");
    group["budget_mode"] = json!("BUDGET_MODE_TOTAL");
    let campaign = json!({ "objective_type": "TRAFFIC", "budget_mode": "BUDGET_MODE_TOTAL" });
    assert_eq!(sent("traffic", capped)[..2], bodies("traffic", campaign, group));

    let expected = bodies(
        "engagement",
        json!({ "objective_type": "VIDEO_VIEWS" }),
        json!({ "optimization_goal": "ENGAGED_VIEW", "billing_event": "CPV", "bid_display_mode": "CPV" }),
    );
    assert_eq!(sent("engagement", |_| ())[..2], expected);
}

#[test]
fn leads_sales_and_what_they_bring() {
    let pixel = json!({ "pixel_id": "1001" });
    let expected = bodies(
        "leads",
        json!({ "objective_type": "LEAD_GENERATION" }),
        json!({ "optimization_goal": "CONVERT", "billing_event": "OCPM", "promotion_type": "LEAD_GENERATION",
            "promotion_target_type": "EXTERNAL_WEBSITE", "pixel_id": "1001", "optimization_event": "FORM" }),
    );
    assert_eq!(sent("leads", settings(pixel.clone()))[..2], expected);

    let sale = json!({ "objective_type": "WEB_CONVERSIONS", "virtual_objective_type": "SALES", "sales_destination": "WEBSITE" });
    let counts = json!({ "optimization_goal": "CONVERT", "billing_event": "OCPM", "promotion_type": "WEBSITE", "pixel_id": "1001",
        "optimization_event": "SHOPPING" });
    let expected = bodies("sales", sale.clone(), counts.clone());
    assert_eq!(sent("sales", settings(pixel.clone()))[..2], expected);
    // The value of purchases, and a least return.
    let returns = |campaign: &mut Value| {
        settings(json!({ "pixel_id": "1001", "optimization_event": "INITIATE_ORDER" }))(campaign);
        campaign["bidding"] = json!({ "strategy": "min_roas", "target_roas_micros": 2_500_000 });
    };
    let mut group = counts;
    for (field, value) in [
        ("optimization_goal", "VALUE"),
        ("optimization_event", "INITIATE_ORDER"),
        ("bid_type", "BID_TYPE_CUSTOM"),
        ("deep_bid_type", "VO_MIN_ROAS"),
        ("roas_bid", "2.5"),
    ] {
        group[field] = json!(value);
    }
    assert_eq!(sent("sales", returns)[..2], bodies("sales", sale, group));
}

#[test]
fn apps_of_both_stores() {
    let android = sent("app", settings(json!({ "app_id": "7123", "app_os": "android" })));
    let group = json!({ "optimization_goal": "INSTALL", "billing_event": "OCPM", "promotion_type": "APP_ANDROID", "app_id": "7123",
        "operating_systems": ["ANDROID"] });
    let campaign = json!({ "objective_type": "APP_PROMOTION", "app_promotion_type": "APP_INSTALL" });
    assert_eq!(android[..2], bodies("app", campaign, group));
    // "injected": no macro is filled in there (`utm_params` of /ad/create/ leaves the objective out).
    let url = android[2]["creatives"][0]["landing_page_url"].as_str().unwrap();
    assert!(url.contains("utm_campaign=100&"), "{url}");

    let ios = sent("app", settings(json!({ "app_id": "7124", "app_os": "ios" })));
    let group = json!({ "optimization_goal": "INSTALL", "billing_event": "OCPM", "promotion_type": "APP_IOS", "app_id": "7124",
        "operating_systems": ["IOS"], "ios14_targeting": "IOS14_PLUS", "min_ios_version": "14.5" });
    let campaign = json!({ "objective_type": "APP_PROMOTION", "app_promotion_type": "APP_INSTALL",
        "campaign_type": "IOS14_CAMPAIGN", "app_id": "7124" });
    assert_eq!(ios[..2], bodies("app", campaign, group));
}

/// The only ad of what is sent.
fn creative(objective: &str, change: impl Fn(&mut Value)) -> Value {
    let all = sent(objective, change);
    assert_eq!(all.len(), 3);
    assert_eq!(
        (&all[2]["adgroup_id"], &all[2]["advertiser_id"]),
        (&json!("101"), &json!("7001"))
    );
    all[2]["creatives"][0].clone()
}

fn one(format: &'static str, assets: Value, more: Value) -> impl Fn(&mut Value) {
    move |campaign| {
        settings(more.clone())(campaign);
        campaign["ad_groups"][0]["ads"][0]["format"] = json!(format);
        campaign["ad_groups"][0]["ads"][0]["asset_ids"] = assets.clone();
    }
}

/// What every ad has, and what this one has beside it.
fn ad(objective: &str, own: Value) -> Value {
    let mut body = json!({ "ad_name": format!("{}/runners/clip-15s", NAME.replace("traffic", objective)),
        "identity_type": "TT_USER", "identity_id": "7087654321000000001", "ad_text": "Run into spring",
        "call_to_action": "LEARN_MORE", "operation_status": "DISABLE" });
    for (field, value) in own.as_object().unwrap() {
        body[field] = value.clone();
    }
    body
}

const LINK: &str = "https://shop.acme.example/spring?utm_source=tiktok&utm_medium=paid_social&utm_campaign=__CAMPAIGN_ID__&utm_content=__CID__&kcid=SKU+1%2F2";

#[test]
fn videos_and_pictures() {
    let expected = ad(
        "traffic",
        json!({ "ad_format": "SINGLE_VIDEO", "video_id": VIDEO, "image_ids": ["ad-site/2"], "landing_page_url": LINK }),
    );
    assert_eq!(creative("traffic", |_| ()), expected);
    // In the feed a single picture is a carousel of one, with music; elsewhere it goes as it is, and no macro is filled in.
    let music = json!({ "music_id": "698" });
    let expected = ad(
        "traffic",
        json!({ "ad_format": "CAROUSEL_ADS", "image_ids": ["ad-site/1"], "music_id": "698", "landing_page_url": LINK }),
    );
    let picture = one("single_image", json!(["asset-img-001"]), music.clone());
    assert_eq!(creative("traffic", picture), expected);
    let pangle = json!({ "placements": ["PLACEMENT_PANGLE"] });
    let literal = LINK
        .replace("__CAMPAIGN_ID__", "100")
        .replace("__CID__", "clip-15s");
    let expected = ad(
        "traffic",
        json!({ "ad_format": "SINGLE_IMAGE", "image_ids": ["ad-site/1"], "landing_page_url": literal }),
    );
    let picture = one("single_image", json!(["asset-img-001"]), pangle);
    assert_eq!(creative("traffic", picture), expected);
    let expected = ad(
        "traffic",
        json!({ "ad_format": "CAROUSEL_ADS", "image_ids": ["ad-site/1", "ad-site/2"], "music_id": "698", "landing_page_url": LINK }),
    );
    let carousel = one("carousel", json!(["asset-img-001", "asset-img-002"]), music);
    assert_eq!(creative("traffic", carousel), expected);
}

#[test]
fn products() {
    let utm = |content: &str| {
        json!([{ "key": "utm_source", "value": "tiktok" }, { "key": "utm_medium", "value": "paid_social" },
            { "key": "utm_campaign", "value": "__CAMPAIGN_ID__" }, { "key": "utm_content", "value": content },
            { "key": "kcid", "value": "SKU 1/2" }])
    };
    let own = one(
        "catalog",
        json!([]),
        json!({ "pixel_id": "1001", "music_id": "698" }),
    );
    let expected = ad(
        "sales",
        json!({ "ad_format": "CATALOG_CAROUSEL", "music_id": "698", "catalog_id": "77001", "product_specific_type": "ALL",
            "shopping_ads_fallback_type": "SHOPPING_ADS", "utm_params": utm("__CID__") }),
    );
    assert_eq!(creative("sales", &own), expected);
    let all = sent("sales", own);
    // Catalog ads share no budget out: the campaign's is the ceiling, and each ad group may use all of it.
    let campaign = json!({ "objective_type": "PRODUCT_SALES", "virtual_objective_type": "SALES", "sales_destination": "WEBSITE",
        "campaign_product_source": "CATALOG", "budget_optimize_on": null });
    let group = json!({ "optimization_goal": "CONVERT", "billing_event": "OCPM", "promotion_type": "WEBSITE", "pixel_id": "1001",
        "optimization_event": "SHOPPING", "shopping_ads_type": "VIDEO", "product_source": "CATALOG", "catalog_id": "77001",
        "catalog_authorized_bc_id": "88001", "shopping_ads_retargeting_type": "OFF" });
    assert_eq!(all[..2], bodies("sales", campaign, group));

    let around = one(
        "catalog",
        json!(["asset-vid-007", "asset-img-002"]),
        json!({ "pixel_id": "1001", "product_set_id": "5511" }),
    );
    let expected = ad(
        "sales",
        json!({ "ad_format": "SINGLE_VIDEO", "video_id": VIDEO, "image_ids": ["ad-site/2"], "vertical_video_strategy": "SINGLE_VIDEO",
            "catalog_id": "77001", "product_specific_type": "PRODUCT_SET", "product_set_id": "5511",
            "shopping_ads_fallback_type": "SHOPPING_ADS", "utm_params": utm("__CID__") }),
    );
    assert_eq!(creative("sales", around), expected);
}

#[test]
fn what_cannot_be_expressed_is_refused_with_its_place() {
    for (change, pointer) in [
        (json!({ "channel": "search" }), "/channel"),
        (json!({ "objective": "sales" }), "/settings/pixel_id"),
        (
            json!({ "bidding": { "strategy": "bid_cap" } }),
            "/bidding/strategy",
        ),
        (
            json!({ "frequency_cap": { "impressions": 3, "per": "day" } }),
            "/frequency_cap",
        ),
        (
            json!({ "settings": { "identity_id": "" } }),
            "/settings/identity_id",
        ),
    ] {
        let spec = spec_with(|campaign| {
            for (field, value) in change.as_object().unwrap() {
                campaign[field] = value.clone();
            }
        });
        let problems = TikTok.check(&spec);
        assert!(
            problems.iter().any(|p| p.pointer == pointer),
            "{change}: {problems:?}"
        );
        assert!(problems.iter().all(|p| !p.remedy.is_empty()), "{problems:?}");
    }
}
