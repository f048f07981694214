//! The rules bite: what TikTok refuses is refused, what it accepts is there afterwards.

mod fields;
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
