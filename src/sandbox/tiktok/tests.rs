//! The rules bite: what TikTok refuses is refused, what it accepts is there afterwards.

mod prose;

use super::*;
use axum::http::HeaderMap;
use serde_json::json;

fn call(world: &mut World, method: Method, path: &str, given: &Value) -> Value {
    let mut headers = HeaderMap::new();
    headers.insert("access-token", TOKEN.parse().unwrap());
    headers.insert("content-type", "application/json".parse().unwrap());
    let path = format!("{VERSION}{path}/");
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    if method == Method::GET {
        for (name, value) in given.as_object().unwrap() {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            query.append_pair(name, &text);
        }
    }
    let (query, body) = (query.finish(), given.to_string());
    let call = Call {
        method: &method,
        path: &path,
        query: &query,
        headers: &headers,
        body: if method == Method::GET {
            b""
        } else {
            body.as_bytes()
        },
    };
    world.tick(chrono::TimeDelta::zero());
    let answer = answer(world, &call);
    assert_eq!(answer.status, 200, "errors come with 200 too");
    serde_json::from_slice(&answer.body).unwrap()
}

fn post(world: &mut World, path: &str, body: Value) -> Value {
    call(world, Method::POST, path, &body)
}

fn get(world: &mut World, path: &str, query: Value) -> Value {
    call(world, Method::GET, path, &query)
}

/// The code, and the field that its message begins with.
fn refused(answer: &Value) -> (i64, String) {
    let message = answer["message"].as_str().unwrap_or("");
    let field = message.split_once(": ").map_or("", |(field, _)| field);
    (answer["code"].as_i64().unwrap(), field.to_owned())
}

fn campaign() -> Value {
    json!({ "advertiser_id": "7001", "campaign_name": "c1", "objective_type": "TRAFFIC", "budget_mode": "BUDGET_MODE_DAY",
        "budget": 80.5, "budget_optimize_on": true, "operation_status": "DISABLE" })
}

fn group(campaign: &str) -> Value {
    json!({ "advertiser_id": "7001", "campaign_id": campaign, "adgroup_name": "g1", "promotion_type": "WEBSITE",
        "placement_type": "PLACEMENT_TYPE_NORMAL", "placements": ["PLACEMENT_TIKTOK"], "location_ids": ["2921044"],
        "optimization_goal": "CLICK", "billing_event": "CPC", "bid_type": "BID_TYPE_NO_BID", "pacing": "PACING_MODE_SMOOTH",
        "budget_mode": "BUDGET_MODE_DAY", "budget": 80.5, "schedule_type": "SCHEDULE_START_END",
        "schedule_start_time": "2035-12-01 00:00:00", "schedule_end_time": "2035-12-31 23:59:59", "operation_status": "DISABLE" })
}

fn ad(group: &str) -> Value {
    json!({ "advertiser_id": "7001", "adgroup_id": group, "creatives": [{ "ad_name": "a1", "ad_format": "SINGLE_VIDEO",
        "identity_type": "TT_USER", "identity_id": "1", "video_id": "v1", "image_ids": ["i1"], "ad_text": "Run",
        "call_to_action": "LEARN_MORE", "landing_page_url": "https://shop.acme.example/?utm_source=tiktok",
        "operation_status": "DISABLE" }] })
}

fn id(answer: &Value, name: &str) -> String {
    assert_eq!(answer["code"], 0, "{answer}");
    answer["data"][name].as_str().unwrap().to_owned()
}

/// Campaign, ad group and ad.
fn built() -> (World, [String; 3]) {
    let mut world = World::new(7, 0);
    let campaign = id(&post(&mut world, "campaign/create", campaign()), "campaign_id");
    let group = id(
        &post(&mut world, "adgroup/create", group(&campaign)),
        "adgroup_id",
    );
    let made = post(&mut world, "ad/create", ad(&group));
    assert_eq!(made["code"], 0, "{made}");
    let ad = made["data"]["ad_ids"][0].as_str().unwrap().to_owned();
    (world, [campaign, group, ad])
}

/// Sets a field (or takes it out) and gives the refusal.
fn with(world: &mut World, path: &str, mut body: Value, field: &str, value: &Value) -> (i64, String) {
    let at = match body.get_mut("creatives") {
        Some(creatives) if field != "creatives" => &mut creatives[0],
        _ => &mut body,
    };
    if value.is_null() {
        at.as_object_mut().unwrap().remove(field);
    } else {
        at[field] = value.clone();
    }
    refused(&post(world, path, body))
}

fn all(world: &mut World, path: &str) -> u64 {
    let found = get(world, path, json!({ "advertiser_id": "7001" }));
    found["data"]["page_info"]["total_number"].as_u64().unwrap()
}

#[test]
fn a_leg_is_built_and_read_back() {
    let (mut world, [campaign, group, ad]) = built();
    let filter = json!({ "campaign_ids": [campaign], "primary_status": "STATUS_ALL" }).to_string();
    let ask = json!({ "advertiser_id": "7001", "filtering": filter });
    let read = get(&mut world, "campaign/get", ask.clone());
    let row = &read["data"]["list"][0];
    assert_eq!(
        (row["budget"].as_f64(), row["operation_status"].as_str()),
        (Some(80.5), Some("DISABLE"))
    );
    assert_eq!(row["secondary_status"], "CAMPAIGN_STATUS_DISABLE");
    let read = get(&mut world, "adgroup/get", ask.clone());
    assert_eq!(read["data"]["list"][0]["adgroup_id"], group.as_str());
    assert_eq!(
        read["data"]["list"][0]["budget"], 0.0,
        "ignored where the campaign shares its budget out"
    );
    let read = get(&mut world, "ad/get", ask);
    assert_eq!(read["data"]["list"][0]["ad_id"], ad.as_str());
    assert_eq!(
        read["data"]["list"][0]["secondary_status"],
        "AD_STATUS_ADGROUP_DISABLE"
    );
    assert!(
        read["data"]["list"][0].get("status").is_none(),
        "the sandbox's own fields stay inside"
    );
}

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
fn what_does_not_say_otherwise_is_live() {
    let mut world = World::new(7, 0);
    let mut body = campaign();
    body.as_object_mut().unwrap().remove("operation_status");
    let made = post(&mut world, "campaign/create", body);
    assert_eq!(made["data"]["operation_status"], "ENABLE");
}

#[test]
fn a_currency_without_decimals_takes_none_and_has_its_own_floor() {
    let mut world = World::new(7, 0);
    accounts::configure(&mut world, "7001", "currency", &json!("JPY")).unwrap();
    // Rule: tiktok.currencies-without-decimals
    for (budget, code) in [
        (json!(4_999), 40_002),
        (json!(5_000.5), 40_002),
        (json!(5_000), 0),
    ] {
        let mut body = campaign();
        body["budget"] = budget.clone();
        assert_eq!(
            post(&mut world, "campaign/create", body)["code"],
            code,
            "{budget}"
        );
    }
}

#[test]
fn names_are_unique_unless_request_ids_differ_and_a_repeated_one_is_refused_for_ten_seconds() {
    let mut world = World::new(7, 0);
    id(&post(&mut world, "campaign/create", campaign()), "campaign_id");
    assert_eq!(
        refused(&post(&mut world, "campaign/create", campaign())),
        (40_002, "campaign_name".to_owned())
    );
    let mut named = campaign();
    named["request_id"] = json!("4611686018427387904");
    id(&post(&mut world, "campaign/create", named.clone()), "campaign_id");
    // Rule: tiktok.a-repeated-request-id-is-refused
    assert_eq!(
        post(&mut world, "campaign/create", named.clone())["code"],
        40_050,
        "within ten seconds"
    );
    let first = world.store.all(NAME, "7001", "campaign")[1];
    world.store.change(first, "", |object| {
        object.created_at -= chrono::TimeDelta::seconds(11)
    });
    id(&post(&mut world, "campaign/create", named), "campaign_id");
    assert_eq!(
        all(&mut world, "campaign/get"),
        3,
        "a late repetition makes another of the same name"
    );
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

#[test]
fn an_update_keeps_to_what_may_change_and_to_what_was_spent() {
    let (mut world, [campaign, group, _]) = built();
    let update = |more: Value| {
        let mut body = json!({ "advertiser_id": "7001", "campaign_id": campaign });
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        body
    };
    for (rule, more, expected) in [
        (
            "tiktok.objective-is-immutable",
            json!({ "objective_type": "REACH" }),
            (40_002, "objective_type"),
        ),
        (
            "tiktok.budget-mode-is-immutable",
            json!({ "budget_mode": "BUDGET_MODE_TOTAL" }),
            (40_002, "budget_mode"),
        ),
        (
            "tiktok.an-update-updates-something",
            json!({ "budget": 80.5 }),
            (40_012, "No update"),
        ),
        (
            "tiktok.special-industries-only-removed",
            json!({ "special_industries": ["CREDIT"] }),
            (40_002, "special_industries"),
        ),
        ("", json!({ "budget": 1 }), (40_002, "budget")),
    ] {
        let (code, at) = refused(&post(&mut world, "campaign/update", update(more.clone())));
        assert_eq!((code, at.as_str()), expected, "{rule}: {more}");
    }
    // Rule: tiktok.placements-are-immutable
    let placement =
        json!({ "advertiser_id": "7001", "adgroup_id": group, "placements": ["PLACEMENT_PANGLE"] });
    assert_eq!(
        refused(&post(&mut world, "adgroup/update", placement)).1,
        "placements",
        "cannot be changed"
    );
    let handle = write::find(&world, "7001", "campaign", &campaign).unwrap();
    world
        .store
        .change(handle, "", |object| object.spend_micros = 100_000_000);
    assert_eq!(
        refused(&post(
            &mut world,
            "campaign/update",
            update(json!({ "budget": 104.99 }))
        ))
        .1,
        "budget"
    );
    assert_eq!(
        post(&mut world, "campaign/update", update(json!({ "budget": 105 })))["code"],
        0
    );
}

#[test]
fn an_ad_is_updated_whole_and_what_is_left_out_is_gone() {
    let (mut world, [_, group, ad_id]) = built();
    let creative = json!({ "ad_id": ad_id, "ad_text": "Run faster" });
    let patch = json!({ "advertiser_id": "7001", "adgroup_id": group, "patch_update": true, "creatives": [creative] });
    assert_eq!(post(&mut world, "ad/update", patch.clone())["code"], 0);
    assert_eq!(post(&mut world, "ad/update", patch.clone())["code"], 40_012);
    let mut whole = patch.clone();
    whole["patch_update"] = json!(false);
    assert_eq!(
        post(&mut world, "ad/update", whole)["code"],
        40_002,
        "the rest is missing"
    );
    // Rule: tiktok.a-patch-changes-only-some-fields
    let mut link = patch;
    link["creatives"][0]["landing_page_url"] = json!("https://a.example/");
    assert_eq!(
        refused(&post(&mut world, "ad/update", link)).1,
        "landing_page_url",
        "not in a patch"
    );
}

#[test]
fn statuses_go_in_batches_and_a_deletion_is_final_and_takes_all_along() {
    let (mut world, [campaign, group, ad]) = built();
    let status = |kind: &str, ids: Value, to: &str| {
        let mut body = json!({ "advertiser_id": "7001", "operation_status": to });
        body[format!("{kind}_ids")] = ids;
        body
    };
    // Rule: tiktok.twenty-ids-at-most
    let many: Vec<String> = (0..21).map(|n| n.to_string()).collect();
    assert_eq!(
        post(
            &mut world,
            "ad/status/update",
            status("ad", json!(many), "ENABLE")
        )["code"],
        40_061
    );
    assert_eq!(
        post(
            &mut world,
            "ad/status/update",
            status("ad", json!([ad]), "PAUSED")
        )["code"],
        40_002
    );
    let mut partly = status("adgroup", json!([group, "1"]), "ENABLE");
    assert_eq!(
        post(&mut world, "adgroup/status/update", partly.clone())["code"],
        40_002,
        "all or nothing"
    );
    partly["allow_partial_success"] = json!(true);
    let done = post(&mut world, "adgroup/status/update", partly);
    assert_eq!(
        (
            done["code"].as_i64(),
            &done["data"]["error_list"][0]["adgroup_id"]
        ),
        (Some(20_001), &json!("1"))
    );
    assert_eq!(
        post(
            &mut world,
            "campaign/status/update",
            status("campaign", json!([campaign]), "DELETE")
        )["code"],
        0
    );
    let again = post(
        &mut world,
        "campaign/status/update",
        status("campaign", json!([campaign]), "ENABLE"),
    );
    assert_eq!(again["code"], 40_002, "for good");
    assert_eq!(
        (all(&mut world, "adgroup/get"), all(&mut world, "ad/get")),
        (0, 0)
    );
    let filter = json!({ "campaign_ids": [campaign], "primary_status": "STATUS_ALL" }).to_string();
    let rows = get(
        &mut world,
        "ad/get",
        json!({ "advertiser_id": "7001", "filtering": filter }),
    );
    assert_eq!(
        rows["data"]["list"][0]["secondary_status"],
        "AD_STATUS_CAMPAIGN_DELETE"
    );
    assert_eq!(
        post(&mut world, "campaign/create", super::tests::campaign())["code"],
        0,
        "its name is free again"
    );
}

#[test]
fn lists_are_fuzzy_paged_and_strict() {
    let (mut world, _) = built();
    for n in 10..13 {
        let mut body = campaign();
        body["campaign_name"] = json!(format!("c{n}"));
        id(&post(&mut world, "campaign/create", body), "campaign_id");
    }
    let ask = |filter: Value, more: Value| {
        let mut query = json!({ "advertiser_id": "7001", "filtering": filter.to_string() });
        query
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        query
    };
    let found = get(
        &mut world,
        "campaign/get",
        ask(json!({ "campaign_name": "C1" }), json!({})),
    );
    assert_eq!(
        found["data"]["page_info"]["total_number"], 4,
        "c1 is found in c10 too"
    );
    let page = get(
        &mut world,
        "campaign/get",
        ask(json!({}), json!({ "page": 2, "page_size": 3 })),
    );
    assert_eq!(page["data"]["list"].as_array().unwrap().len(), 1);
    for (rule, query, field) in [
        (
            "tiktok.pages-to-1000",
            ask(json!({}), json!({ "page_size": 1001 })),
            "page_size",
        ),
        ("", ask(json!({}), json!({ "page": 0 })), "page"),
        (
            "tiktok.filters-to-100-ids",
            ask(json!({ "campaign_ids": vec!["1"; 101] }), json!({})),
            "campaign_ids",
        ),
        ("", ask(json!({ "name": "x" }), json!({})), "name"),
        (
            "tiktok.known-primary-statuses",
            ask(json!({ "primary_status": "ALL" }), json!({})),
            "primary_status",
        ),
    ] {
        assert_eq!(
            refused(&get(&mut world, "campaign/get", query)).1,
            field,
            "{rule}"
        );
    }
}

#[test]
fn review_shows_where_the_status_of_something_off_hides_it() {
    let (mut world, [campaign, group, ad]) = built();
    world.switches.disapprove = vec!["a1".into()];
    let ask = json!({ "advertiser_id": "7001", "ad_ids": [ad] });
    let info = get(&mut world, "ad/review_info", ask.clone());
    assert_eq!(info["data"]["ad_review_map"][&ad]["review_status"], "UNAVAILABLE");
    for (kind, id) in [("ad", &ad), ("adgroup", &group), ("campaign", &campaign)] {
        let mut body = json!({ "advertiser_id": "7001", "operation_status": "ENABLE" });
        body[format!("{kind}_ids")] = json!([id]);
        assert_eq!(
            post(&mut world, &format!("{kind}/status/update"), body)["code"],
            0
        );
    }
    let status = |world: &mut World| {
        let rows = get(world, "ad/get", json!({ "advertiser_id": "7001" }));
        rows["data"]["list"][0]["secondary_status"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(status(&mut world), "AD_STATUS_AUDIT_DENY");
    world.switches.disapprove.clear();
    world.switches.review_pending = vec!["*".into()];
    assert_eq!(status(&mut world), "AD_STATUS_AUDIT");
    world.switches.review_pending.clear();
    assert_eq!(status(&mut world), "AD_STATUS_NOT_START");
    accounts::configure(&mut world, "7001", "payer", &json!("unsettled")).unwrap();
    assert_eq!(status(&mut world), "AD_STATUS_BALANCE_EXCEED");
}

#[test]
fn a_file_has_a_name_of_its_own_and_a_video_takes_its_time() {
    let (mut world, [_, group, _]) = built();
    world.switches.transcoding_ms = 60_000;
    let upload = json!({ "advertiser_id": "7001", "upload_type": "UPLOAD_BY_URL", "file_name": "v.mp4",
        "video_url": "https://assets.example/v.mp4" });
    let made = post(&mut world, "file/video/ad/upload", upload.clone());
    let video = made["data"][0]["video_id"].as_str().unwrap().to_owned();
    assert_eq!(made["data"][0]["displayable"], false);
    // Rule: tiktok.a-file-name-once
    assert_eq!(
        post(&mut world, "file/video/ad/upload", upload.clone())["code"],
        40_911
    );
    let (code, _) = with(&mut world, "ad/create", ad(&group), "video_id", &json!(video));
    // Rule: tiktok.a-video-in-transcoding-cannot-be-shown
    assert_eq!(code, 40_901);
    world.switches.transcoding_ms = 0;
    assert_eq!(
        with(&mut world, "ad/create", ad(&group), "video_id", &json!(video)).0,
        0
    );
    for (field, value, code) in [
        // Rule: tiktok.files-can-be-fetched
        ("video_url", json!("ftp://x"), 40_903),
        ("upload_type", json!("UPLOAD_BY_FILE"), 40_002),
        ("file_name", json!("x".repeat(101)), 40_002),
    ] {
        assert_eq!(
            with(&mut world, "file/video/ad/upload", upload.clone(), field, &value).0,
            code,
            "{field}"
        );
    }
}

#[test]
fn tokens_paths_and_quotas() {
    let (mut world, _) = built();
    assert_eq!(post(&mut world, "campaign/invent", campaign())["code"], 40_400);
    world.switches.token_expired.insert(NAME.to_owned(), 1);
    assert_eq!(post(&mut world, "campaign/create", campaign())["code"], 40_102);
    world.switches.revoked.push("*".into());
    assert_eq!(post(&mut world, "campaign/create", campaign())["code"], 40_105);
    world.switches.revoked.clear();
    world.switches.quota_speed = 1;
    let codes: Vec<i64> = (0..11)
        .map(|_| {
            get(&mut world, "campaign/get", json!({ "advertiser_id": "7001" }))["code"]
                .as_i64()
                .unwrap()
        })
        .collect();
    assert_eq!((codes[9], codes[10]), (0, 40_100));
}

#[test]
fn a_catalog_is_well_until_the_world_says_otherwise() {
    let mut world = World::new(7, 0);
    let ask = json!({ "bc_id": "1", "catalog_id": "900001" });
    assert_eq!(
        get(&mut world, "diagnostic/catalog", ask.clone())["data"]["issues"],
        json!([])
    );
    let bad = json!({ "critical": 3, "feed_status": "FAILED", "event_level": "ERROR", "approved": 0 });
    world
        .switches
        .catalogs
        .insert("tiktok/900001".into(), bad.as_object().unwrap().clone());
    assert_eq!(
        get(&mut world, "diagnostic/catalog", ask.clone())["data"]["issues"][0]["issue_level"],
        "CRITICAL"
    );
    assert_eq!(get(&mut world, "catalog/overview", ask)["data"]["approved"], 0);
    let wide = json!({ "bc_id": "1", "catalog_id": "900001", "page_size": 21 });
    assert_eq!(
        refused(&get(&mut world, "diagnostic/catalog", wide)).1,
        "page_size"
    );
}
