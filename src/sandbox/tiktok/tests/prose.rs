//! Rules of TikTok's prose that take more than one field to break. Each names its entry in `tests/conformance/rules.toml`.

use super::*;

/// The body with other fields; null takes one away.
fn changed(mut body: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            body.as_object_mut().unwrap().remove(name);
        } else {
            body[name] = value.clone();
        }
    }
    body
}

#[test]
fn campaigns() {
    for (rule, changes, code, field) in [
        (
            "tiktok.dynamic-budgets-are-shared",
            json!({ "budget_optimize_on": null, "budget_mode": "BUDGET_MODE_DYNAMIC_DAILY_BUDGET" }),
            40_002,
            "budget_mode",
        ),
        (
            "tiktok.web-and-app-by-allowlist",
            json!({ "objective_type": "WEB_CONVERSIONS", "virtual_objective_type": "SALES", "sales_destination": "WEB_AND_APP" }),
            40_118,
            "",
        ),
        (
            "tiktok.dedicated-campaigns-name-the-app",
            json!({ "objective_type": "APP_PROMOTION", "app_promotion_type": "APP_INSTALL", "campaign_type": "IOS14_CAMPAIGN" }),
            40_002,
            "app_id",
        ),
    ] {
        let answer = post(
            &mut World::new(7, 0),
            "campaign/create",
            changed(campaign(), &changes),
        );
        let (told, at) = refused(&answer);
        assert_eq!((told, at.as_str()), (code, field), "{rule}: {answer}");
    }
}

/// An ad group in a campaign, both with other fields: the sound one is taken, and the spoilt one refused for this field.
fn bites(rule: &str, above: &Value, sound: &Value, spoilt: &Value, field: &str) {
    let mut world = World::new(7, 0);
    let campaign = id(
        &post(&mut world, "campaign/create", changed(campaign(), above)),
        "campaign_id",
    );
    let body = changed(group(&campaign), sound);
    let answer = post(&mut world, "adgroup/create", changed(body.clone(), spoilt));
    let (code, at) = refused(&answer);
    assert_eq!((code, at.as_str()), (40_002, field), "{rule}: {answer}");
    let answer = post(&mut world, "adgroup/create", body);
    assert_eq!(answer["code"], 0, "{rule}, unspoilt: {answer}");
}

#[test]
fn budgets_and_bids_of_ad_groups() {
    let own = json!({ "budget_optimize_on": null });
    let counts = json!({ "objective_type": "WEB_CONVERSIONS" });
    let pixel = json!({ "optimization_goal": "CONVERT", "billing_event": "OCPM", "pixel_id": "5", "optimization_event": "SHOPPING" });
    let value = changed(
        pixel.clone(),
        &json!({ "optimization_goal": "VALUE", "deep_bid_type": "VO_MIN_ROAS", "roas_bid": 2.5 }),
    );
    for (rule, above, sound, spoilt, field) in [
        (
            "tiktok.from-now-on-needs-a-daily-budget",
            &json!({ "budget_optimize_on": null, "budget_mode": "BUDGET_MODE_INFINITE", "budget": null }),
            json!({ "schedule_type": "SCHEDULE_FROM_NOW", "schedule_end_time": null }),
            json!({ "budget_mode": "BUDGET_MODE_TOTAL", "budget": 9000 }),
            "budget_mode",
        ),
        (
            "tiktok.a-total-has-a-floor-for-each-day",
            &json!({ "budget_optimize_on": null, "budget_mode": "BUDGET_MODE_INFINITE", "budget": null }),
            json!({ "budget_mode": "BUDGET_MODE_TOTAL", "budget": 620 }),
            json!({ "budget": 619 }),
            "budget",
        ),
        (
            "tiktok.a-bid-stays-below-its-budget",
            &own,
            json!({ "bid_type": "BID_TYPE_CUSTOM", "bid_price": 1.5 }),
            json!({ "bid_price": 80.5 }),
            "bid_price",
        ),
        (
            "tiktok.a-bid-for-conversions-is-their-price",
            &counts,
            changed(
                pixel.clone(),
                &json!({ "bid_type": "BID_TYPE_CUSTOM", "conversion_bid_price": 5 }),
            ),
            json!({ "conversion_bid_price": null }),
            "conversion_bid_price",
        ),
        (
            "tiktok.value-with-a-shared-budget-says-how-deep",
            &counts,
            value.clone(),
            json!({ "deep_bid_type": null }),
            "deep_bid_type",
        ),
        (
            "tiktok.a-least-return-is-said",
            &counts,
            value.clone(),
            json!({ "roas_bid": null }),
            "roas_bid",
        ),
        (
            "tiktok.returns-from-a-hundredth-to-a-thousand",
            &counts,
            value,
            json!({ "roas_bid": 1000.5 }),
            "roas_bid",
        ),
        (
            "tiktok.conversions-have-a-pixel",
            &counts,
            pixel.clone(),
            json!({ "pixel_id": null, "optimization_event": null }),
            "pixel_id",
        ),
        (
            "tiktok.a-pixel-has-an-event",
            &counts,
            pixel,
            json!({ "optimization_event": null }),
            "optimization_event",
        ),
        (
            "tiktok.views-are-bid-for-by-view",
            &json!({ "objective_type": "VIDEO_VIEWS" }),
            json!({ "optimization_goal": "ENGAGED_VIEW", "billing_event": "CPV", "bid_display_mode": "CPV", "promotion_type": null }),
            json!({ "bid_display_mode": null }),
            "bid_display_mode",
        ),
        (
            "tiktok.frequency-caps-to-thirty-days",
            &json!({ "objective_type": "REACH" }),
            json!({ "optimization_goal": "REACH", "billing_event": "CPM", "frequency": 3, "frequency_schedule": 7 }),
            json!({ "frequency_schedule": 31 }),
            "frequency_schedule",
        ),
    ] {
        bites(rule, above, &sound, &spoilt, field);
    }
}

#[test]
fn what_ad_groups_promote() {
    let installs = json!({ "objective_type": "APP_PROMOTION", "app_promotion_type": "APP_INSTALL" });
    let app = json!({ "optimization_goal": "INSTALL", "billing_event": "OCPM", "promotion_type": "APP_IOS", "app_id": "9",
        "operating_systems": ["IOS"] });
    let mut dedicated = installs.clone();
    dedicated["campaign_type"] = json!("IOS14_CAMPAIGN");
    dedicated["app_id"] = json!("9");
    let on_14 = changed(
        app.clone(),
        &json!({ "ios14_targeting": "IOS14_PLUS", "min_ios_version": "14.5" }),
    );
    let sells = json!({ "objective_type": "PRODUCT_SALES", "campaign_product_source": "CATALOG", "budget_optimize_on": null,
        "virtual_objective_type": "SALES", "sales_destination": "WEBSITE" });
    let shows = json!({ "optimization_goal": "CONVERT", "billing_event": "OCPM", "pixel_id": "5", "optimization_event": "SHOPPING",
        "shopping_ads_type": "VIDEO", "product_source": "CATALOG", "catalog_id": "900001", "catalog_authorized_bc_id": "1",
        "shopping_ads_retargeting_type": "OFF" });
    for (rule, above, sound, spoilt, field) in [
        (
            "tiktok.installs-name-the-app",
            &installs,
            &app,
            json!({ "app_id": null }),
            "app_id",
        ),
        (
            "tiktok.one-operating-system",
            &installs,
            &app,
            json!({ "operating_systems": ["IOS", "ANDROID"] }),
            "operating_systems",
        ),
        (
            "tiktok.dedicated-campaigns-need-the-system",
            &dedicated,
            &on_14,
            json!({ "ios14_targeting": null }),
            "ios14_targeting",
        ),
        (
            "tiktok.dedicated-campaigns-say-from-which-version",
            &dedicated,
            &on_14,
            json!({ "min_ios_version": null }),
            "min_ios_version",
        ),
        (
            "tiktok.product-sales-say-what-ads",
            &sells,
            &shows,
            json!({ "shopping_ads_type": null }),
            "shopping_ads_type",
        ),
        (
            "tiktok.an-ad-group-has-its-campaigns-source",
            &sells,
            &shows,
            json!({ "product_source": "STORE" }),
            "product_source",
        ),
        (
            "tiktok.catalog-ads-name-the-catalog",
            &sells,
            &shows,
            json!({ "catalog_id": null }),
            "catalog_id",
        ),
    ] {
        bites(rule, above, sound, &spoilt, field);
    }
}

#[test]
fn a_shared_budget_keeps_its_ad_groups_alike() {
    let (mut world, [campaign, ..]) = built();
    let mut other = group(&campaign);
    other["adgroup_name"] = json!("g2");
    other["bid_type"] = json!("BID_TYPE_CUSTOM");
    other["bid_price"] = json!(1.5);
    let (code, at) = refused(&post(&mut world, "adgroup/create", other));
    // Rule: tiktok.ad-groups-of-a-shared-budget-are-alike
    assert_eq!((code, at.as_str()), (40_002, "bid_type"));
}

#[test]
fn carousels() {
    let (mut world, [_, group, _]) = built();
    let carousel = |images: usize| {
        let mut body = ad(&group);
        let creative = &mut body["creatives"][0];
        creative["ad_format"] = json!("CAROUSEL_ADS");
        creative["music_id"] = json!("m1");
        creative["image_ids"] = (0..images).map(|n| json!(format!("i{n}"))).collect();
        creative.as_object_mut().unwrap().remove("video_id");
        body
    };
    let (code, at) = refused(&post(&mut world, "ad/create", carousel(36)));
    // Rule: tiktok.carousels-to-35-images
    assert_eq!((code, at.as_str()), (40_002, "image_ids"));
    let mut catalog = carousel(2);
    catalog["creatives"][0]["ad_format"] = json!("CATALOG_CAROUSEL");
    let (code, at) = refused(&post(&mut world, "ad/create", catalog));
    // Rule: tiktok.catalog-carousels-show-products
    assert_eq!((code, at.as_str()), (40_002, "ad_format"));
    let made = post(&mut world, "ad/create", carousel(35));
    assert_eq!(made["code"], 0, "{made}");
    let ad_id = made["data"]["ad_ids"][0].as_str().unwrap();
    let mut whole = ad(&group);
    whole["creatives"][0]["ad_id"] = json!(ad_id);
    whole["creatives"][0]
        .as_object_mut()
        .unwrap()
        .remove("operation_status");
    let (code, at) = refused(&post(&mut world, "ad/update", whole));
    // Rule: tiktok.a-carousel-stays-one
    assert_eq!((code, at.as_str()), (40_002, "ad_format"));
}

#[test]
fn an_account_that_is_not_approved_makes_nothing() {
    let mut world = World::new(7, 0);
    accounts::configure(&mut world, "7001", "status", &json!("STATUS_LIMIT")).unwrap();
    let (code, _) = refused(&post(&mut world, "campaign/create", campaign()));
    // Rule: tiktok.an-advertiser-is-approved
    assert_eq!(code, 40_001);
}

#[test]
fn ads_of_products() {
    let mut world = World::new(7, 0);
    let sells = json!({ "objective_type": "PRODUCT_SALES", "campaign_product_source": "CATALOG", "budget_optimize_on": null,
        "virtual_objective_type": "SALES", "sales_destination": "WEBSITE" });
    let campaign = id(
        &post(&mut world, "campaign/create", changed(campaign(), &sells)),
        "campaign_id",
    );
    let shows = json!({ "optimization_goal": "CONVERT", "billing_event": "OCPM", "pixel_id": "5", "optimization_event": "SHOPPING",
        "shopping_ads_type": "VIDEO", "product_source": "CATALOG", "catalog_id": "900001", "catalog_authorized_bc_id": "1",
        "shopping_ads_retargeting_type": "OFF" });
    let group = id(
        &post(&mut world, "adgroup/create", changed(group(&campaign), &shows)),
        "adgroup_id",
    );
    let body = |changes: &Value| {
        let mut body = ad(&group);
        let products = json!({ "catalog_id": "900001", "product_specific_type": "ALL" });
        body["creatives"][0] = changed(changed(body["creatives"][0].take(), &products), changes);
        body
    };
    let parameters = |count: usize| {
        let all: Vec<Value> = (0..count)
            .map(|n| json!({ "key": format!("k{n}"), "value": "v" }))
            .collect();
        json!(all)
    };
    for (rule, changes, field) in [
        (
            "tiktok.an-ad-shows-its-ad-groups-catalog",
            json!({ "catalog_id": "900002" }),
            "catalog_id",
        ),
        (
            "tiktok.ads-of-a-set-name-it",
            json!({ "product_specific_type": "PRODUCT_SET" }),
            "product_set_id",
        ),
        (
            "tiktok.ads-of-chosen-products-name-them",
            json!({ "product_specific_type": "CUSTOMIZED_PRODUCTS" }),
            "sku_ids",
        ),
        (
            "tiktok.utm-params-to-fourteen",
            json!({ "landing_page_url": null, "shopping_ads_fallback_type": "SHOPPING_ADS", "utm_params": parameters(15) }),
            "utm_params",
        ),
        (
            "tiktok.utm-params-are-those-of-the-link",
            json!({ "utm_params": parameters(1) }),
            "utm_params",
        ),
    ] {
        let answer = post(&mut world, "ad/create", body(&changes));
        let (code, at) = refused(&answer);
        assert_eq!((code, at.as_str()), (40_002, field), "{rule}: {answer}");
    }
    let answer = post(&mut world, "ad/create", body(&json!({})));
    assert_eq!(answer["code"], 0, "{answer}");
}
