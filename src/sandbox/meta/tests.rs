//! The rules bite: what Meta refuses is refused, what it accepts is there afterwards.

mod creatives;
mod prose;

use super::*;
use axum::http::HeaderMap;

/// Calls with a form body (or a query, for GET), as the vendor's clients do.
fn call(world: &mut World, method: Method, path: &str, params: &Value) -> (u16, Value) {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    for (key, value) in params.as_object().unwrap() {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        form.append_pair(key, &value);
    }
    let form = form.finish();
    let mut headers = HeaderMap::new();
    headers.insert("authorization", format!("Bearer {TOKEN}").parse().unwrap());
    headers.insert(
        "content-type",
        "application/x-www-form-urlencoded".parse().unwrap(),
    );
    let path = format!("/v26.0/{path}");
    let (query, body) = if method == Method::GET {
        (form.as_str(), "")
    } else {
        ("", form.as_str())
    };
    let call = Call {
        method: &method,
        path: &path,
        query,
        headers: &headers,
        body: body.as_bytes(),
    };
    world.tick(chrono::TimeDelta::zero());
    let answer = answer(world, &call);
    (answer.status, serde_json::from_slice(&answer.body).unwrap())
}

fn post(world: &mut World, path: &str, params: Value) -> (u16, Value) {
    call(world, Method::POST, path, &params)
}

fn get(world: &mut World, path: &str, params: Value) -> Value {
    let (status, body) = call(world, Method::GET, path, &params);
    assert_eq!(status, 200, "{body}");
    body
}

fn code(body: &Value) -> (i64, i64) {
    (
        body["error"]["code"].as_i64().unwrap_or(0),
        body["error"]["error_subcode"].as_i64().unwrap_or(0),
    )
}

fn campaign() -> Value {
    json!({
        "name": "c1", "objective": "OUTCOME_TRAFFIC", "status": "PAUSED", "special_ad_categories": "[]",
        "is_adset_budget_sharing_enabled": "false", "adlabels": [{"name": "exec:c1"}],
    })
}

fn adset(campaign: &str) -> Value {
    json!({
        "name": "as1", "campaign_id": campaign, "daily_budget": 2000, "billing_event": "IMPRESSIONS",
        "optimization_goal": "LINK_CLICKS", "bid_strategy": "LOWEST_COST_WITHOUT_CAP",
        "targeting": {"geo_locations": {"countries": ["DE"]}}, "start_time": "2035-12-01T00:00:00+0100",
        "end_time": "2035-12-31T23:59:59+0100", "status": "PAUSED", "dsa_beneficiary": "ACME", "dsa_payor": "ACME",
    })
}

fn creative() -> Value {
    json!({
        "name": "cr1", "url_tags": "utm_source=facebook&utm_campaign={{campaign.id}}",
        "object_story_spec": {"page_id": "1", "link_data": {"link": "https://shop.acme.example/", "message": "m",
            "image_hash": "0123456789abcdef0123456789abcdef", "call_to_action": {"type": "SHOP_NOW"}}},
    })
}

fn id(answer: (u16, Value)) -> String {
    assert_eq!(answer.0, 200, "{}", answer.1);
    answer.1["id"].as_str().unwrap().to_owned()
}

/// Campaign, ad set, creative and ad.
fn built() -> (World, [String; 4]) {
    let mut world = World::new(7, 0);
    let campaign = id(post(&mut world, "act_42/campaigns", campaign()));
    let adset = id(post(&mut world, "act_42/adsets", adset(&campaign)));
    let creative = id(post(&mut world, "act_42/adcreatives", creative()));
    let params =
        json!({"name": "ad1", "adset_id": adset, "creative": {"creative_id": creative}, "status": "PAUSED"});
    let ad = id(post(&mut world, "act_42/ads", params));
    (world, [campaign, adset, creative, ad])
}

#[test]
fn a_leg_is_built_and_read_back() {
    let (mut world, [campaign, adset, creative, ad]) = built();
    let fields =
        "id,name,status,effective_status,creative{id,url_tags,object_story_spec},campaign{id,name},adset_id";
    let read = get(&mut world, &ad, json!({"fields": fields}));
    assert_eq!(read["effective_status"], "PAUSED");
    assert_eq!(read["creative"]["id"], creative.as_str());
    assert_eq!(
        read["creative"]["url_tags"],
        "utm_source=facebook&utm_campaign={{campaign.id}}"
    );
    assert_eq!(read["campaign"]["id"], campaign.as_str());
    let read = get(
        &mut world,
        &adset,
        json!({"fields": "daily_budget,start_time,targeting"}),
    );
    assert_eq!(read["daily_budget"], "2000", "budgets come back as text");
    assert_eq!(read["start_time"], "2035-12-01T00:00:00+0100");
    let filtering = json!([{"field": "name", "operator": "EQUAL", "value": "c1"}]);
    let list = get(
        &mut world,
        "act_42/campaigns",
        json!({"fields": "id,adlabels", "filtering": filtering}),
    );
    assert_eq!(list["data"][0]["id"], campaign.as_str());
    let label = list["data"][0]["adlabels"][0]["id"].clone();
    let by_label = json!({"ad_label_ids": [label], "operator": "ALL", "fields": "name"});
    assert_eq!(
        get(&mut world, "act_42/campaignsbylabels", by_label)["data"][0]["name"],
        "c1"
    );
    assert_eq!(
        get(&mut world, &format!("{campaign}/ads"), json!({}))["data"][0]["id"],
        ad.as_str()
    );
    assert_eq!(
        get(
            &mut world,
            &format!("{campaign}/insights"),
            json!({"fields": "spend"})
        )["data"],
        json!([])
    );
}

#[test]
fn each_rule_of_a_campaign_bites() {
    for (name, value, expected) in [
        ("special_ad_categories", Value::Null, (100, 0)),
        ("is_adset_budget_sharing_enabled", Value::Null, (100, 4_834_011)),
        ("objective", json!("LINK_CLICKS"), (100, 0)),
        ("status", json!("ARCHIVED"), (100, 0)),
        ("daily_budget", json!("20.00"), (100, 0)),
        ("daily_budget", json!(50), (100, 1_885_272)),
        ("budget", json!(50), (100, 0)),
        ("spend_cap", json!(50), (100, 2_446_307)),
    ] {
        let mut params = campaign();
        if value.is_null() {
            params.as_object_mut().unwrap().remove(name);
        } else {
            params[name] = value.clone();
        }
        let mut world = World::new(7, 0);
        let (status, body) = post(&mut world, "act_42/campaigns", params);
        assert_eq!((status, code(&body)), (400, expected), "{name} = {value}: {body}");
        assert_eq!(get(&mut world, "act_42/campaigns", json!({}))["data"], json!([]));
    }
}

#[test]
fn each_rule_of_an_ad_set_bites() {
    let (mut world, [campaign, ..]) = built();
    for (name, value, expected) in [
        ("daily_budget", json!(99), (100, 1_885_272)),
        ("daily_budget", Value::Null, (100, 0)),
        ("lifetime_budget", json!(100_000), (100, 0)),
        ("end_time", json!("2020-01-01T00:00:00+0100"), (100, 1_487_033)),
        ("dsa_payor", Value::Null, (100, 3_858_152)),
        ("bid_strategy", json!("COST_CAP"), (100, 0)),
        ("targeting", json!({"age_min": 18}), (100, 1_885_364)),
        ("targeting", json!({"geo_location": {}}), (100, 0)),
        ("campaign_id", json!("1"), (100, 0)),
        ("billing_event", json!("LOOKS"), (100, 0)),
    ] {
        let mut params = adset(&campaign);
        if value.is_null() {
            params.as_object_mut().unwrap().remove(name);
        } else {
            params[name] = value.clone();
        }
        let (status, body) = post(&mut world, "act_42/adsets", params);
        assert_eq!((status, code(&body)), (400, expected), "{name} = {value}: {body}");
    }
    let mut with_budget = campaign_with_budget();
    with_budget["name"] = "c2".into();
    let other = id(post(&mut world, "act_42/campaigns", with_budget));
    assert_eq!(
        code(&post(&mut world, "act_42/adsets", adset(&other)).1),
        (100, 1_885_621)
    );
}

fn campaign_with_budget() -> Value {
    let mut params = campaign();
    params
        .as_object_mut()
        .unwrap()
        .remove("is_adset_budget_sharing_enabled");
    params["daily_budget"] = 5000.into();
    params
}

#[test]
fn a_forgotten_status_makes_a_live_campaign_and_names_are_not_unique() {
    let mut world = World::new(7, 0);
    let mut params = campaign();
    params.as_object_mut().unwrap().remove("status");
    let first = id(post(&mut world, "act_42/campaigns", params.clone()));
    let second = id(post(&mut world, "act_42/campaigns", params));
    assert_ne!(first, second);
    assert_eq!(
        get(&mut world, &first, json!({"fields": "effective_status"}))["effective_status"],
        "ACTIVE"
    );
}

#[test]
fn creatives_are_immutable_and_labels_are_made_on_the_fly() {
    let (mut world, [_, _, creative_id, _]) = built();
    let (_, body) = post(&mut world, &creative_id, json!({"url_tags": "a=b"}));
    assert_eq!(code(&body), (100, 0));
    assert_eq!(
        post(
            &mut world,
            &creative_id,
            json!({"name": "n", "adlabels": [{"name": "new"}]})
        )
        .0,
        200
    );
    assert_eq!(
        get(&mut world, "act_42/adlabels", json!({"fields": "name"}))["data"][0]["name"],
        "new"
    );
    let mut params = creative();
    params["object_story_spec"]["link_data"]["image_hash"] = "nope".into();
    assert_eq!(
        code(&post(&mut world, "act_42/adcreatives", params).1),
        (100, 1_487_389)
    );
}

#[test]
fn archived_and_deleted_objects_are_nearly_untouchable_and_unlisted() {
    let (mut world, [campaign, adset, _, ad]) = built();
    assert_eq!(post(&mut world, &campaign, json!({"status": "ARCHIVED"})).0, 200);
    assert_eq!(get(&mut world, "act_42/campaigns", json!({}))["data"], json!([]));
    let archived = json!({"effective_status": ["ACTIVE", "PAUSED", "ARCHIVED"]});
    assert_eq!(
        get(&mut world, "act_42/campaigns", archived)["data"][0]["id"],
        campaign.as_str()
    );
    assert_eq!(
        code(&post(&mut world, &campaign, json!({"status": "ACTIVE"})).1),
        (100, 1_885_088)
    );
    assert_eq!(call(&mut world, Method::DELETE, &campaign, &json!({})).0, 200);
    assert_eq!(
        code(&post(&mut world, &campaign, json!({"status": "PAUSED"})).1),
        (100, 1_487_566)
    );
    let (_, body) = call(
        &mut world,
        Method::GET,
        "act_42/campaigns",
        &json!({"effective_status": ["DELETED"]}),
    );
    assert_eq!(code(&body), (100, 1_815_001));
    for child in [adset, ad] {
        let read = get(&mut world, &child, json!({"fields": "effective_status"}));
        assert_eq!(read["effective_status"], "DELETED", "by id it can always be read");
    }
}

#[test]
fn lists_have_pages_of_twenty_five() {
    let mut world = World::new(7, 0);
    for n in 0..30 {
        let mut params = campaign();
        params["name"] = format!("c{n}").into();
        id(post(&mut world, "act_42/campaigns", params));
    }
    let first = get(&mut world, "act_42/campaigns", json!({"fields": "name"}));
    assert_eq!(first["data"].as_array().unwrap().len(), 25);
    assert_eq!(first["data"][0]["name"], "c29");
    let after = first["paging"]["cursors"]["after"].clone();
    let second = get(
        &mut world,
        "act_42/campaigns",
        json!({"fields": "name", "after": after}),
    );
    assert_eq!(second["data"].as_array().unwrap().len(), 5);
    assert!(second["paging"]["next"].is_null());
}

#[test]
fn a_batch_refers_to_earlier_results_and_loses_answers_as_null() {
    let mut world = World::new(7, 0);
    let campaign_body = "name=b&objective=OUTCOME_TRAFFIC&status=PAUSED&special_ad_categories=[]&is_adset_budget_sharing_enabled=false";
    let batch = json!([
        {"method": "POST", "relative_url": "act_42/campaigns", "body": campaign_body, "name": "c"},
        {"method": "POST", "relative_url": "v26.0/{result=c:$.id}", "body": "name=renamed"},
        {"method": "GET", "relative_url": "{result=c:$.id}?fields=name"},
    ]);
    let (status, body) = post(&mut world, "", json!({"batch": batch}));
    assert_eq!(status, 200, "{body}");
    assert!(body[2]["body"].as_str().unwrap().contains("renamed"), "{body}");
    let fault = json!({"vendor": "meta", "method": "campaigns.create", "kind": "silence_after", "times": 1});
    world.faults.arm(serde_json::from_value(fault).unwrap()).unwrap();
    let (_, body) = post(&mut world, "", json!({"batch": [batch[0].clone()]}));
    assert_eq!(body, json!([null]));
    assert_eq!(
        get(&mut world, "act_42/campaigns", json!({}))["data"]
            .as_array()
            .unwrap()
            .len(),
        2,
        "it was made all the same"
    );
    let many: Vec<Value> = (0..51).map(|_| batch[2].clone()).collect();
    assert_eq!(post(&mut world, "", json!({"batch": many})).0, 400);
}

#[test]
fn tokens_proofs_accounts_and_review_follow_the_world() {
    let (mut world, [_, adset_id, _, ad]) = built();
    let good = proof(TOKEN);
    assert_eq!(
        get(
            &mut world,
            "act_42",
            json!({"fields": "account_status", "appsecret_proof": good})
        )["account_status"],
        1
    );
    let (_, body) = call(
        &mut world,
        Method::GET,
        "act_42",
        &json!({"appsecret_proof": "bad"}),
    );
    // Rule: meta.proofs-are-right
    assert_eq!(code(&body), (104, 0));
    world.switches.token_expired.insert("meta".into(), 1);
    let (status, body) = call(&mut world, Method::GET, "act_42", &json!({}));
    assert_eq!((status, code(&body)), (401, (190, 463)));
    world.switches.disapprove.push("AD1".into());
    assert_eq!(
        get(&mut world, &ad, json!({"fields": "effective_status"}))["effective_status"],
        "DISAPPROVED"
    );
    accounts::configure(&mut world, "42", "funding_source", &json!(false)).unwrap();
    assert!(get(&mut world, "act_42", json!({"fields": "funding_source"}))["funding_source"].is_null());
    accounts::configure(&mut world, "42", "account_status", &json!(2)).unwrap();
    // Rule: meta.a-disabled-account-changes-nothing
    assert_eq!(
        code(&post(&mut world, &adset_id, json!({"daily_budget": 3000})).1).0,
        200
    );
    assert_eq!(
        post(&mut world, &adset_id, json!({"status": "DELETED"})).0,
        200,
        "one can always stop"
    );
    accounts::configure(&mut world, "42", "usage_percent", &json!(100)).unwrap();
    let (status, body) = call(&mut world, Method::GET, "act_42", &json!({}));
    assert_eq!((status, code(&body)), (400, (80_004, 2_446_079)));
}

#[test]
fn validate_only_makes_nothing_and_budget_edits_are_counted() {
    let (mut world, [_, adset_id, ..]) = built();
    let mut params = campaign();
    params["execution_options"] = json!(["validate_only"]);
    assert_eq!(
        post(&mut world, "act_42/campaigns", params),
        (200, json!({"success": true}))
    );
    assert_eq!(
        get(&mut world, "act_42/campaigns", json!({}))["data"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    for n in 0..4 {
        assert_eq!(
            post(&mut world, &adset_id, json!({"daily_budget": 3000 + n})).0,
            200
        );
    }
    // Rule: meta.four-budget-changes-an-hour
    assert_eq!(
        code(&post(&mut world, &adset_id, json!({"daily_budget": 9000})).1),
        (613, 1_487_632)
    );
}

/// <https://developers.facebook.com/docs/marketing-api/overview/rate-limiting>
#[test]
fn points_are_counted_told_and_end_in_a_block() {
    let mut world = World::new(7, 0);
    world.switches.quota_speed = 1;
    accounts::configure(&mut world, "42", "tier", &json!("development_access")).unwrap();
    for n in 0..20 {
        let mut params = campaign();
        params["name"] = format!("c{n}").into();
        id(post(&mut world, "act_42/campaigns", params));
    }
    let fields = accounts::fields(&world, "42").unwrap();
    assert_eq!(fields["_points"], json!(100.0), "twenty writes are sixty points");
    for _ in 0..2 {
        let (status, body) = call(&mut world, Method::GET, "act_42", &json!({}));
        assert_eq!((status, code(&body)), (400, (17, 2_446_079)));
    }
    world.switches.quota_speed = 0;
    get(&mut world, "act_42", json!({}));
}
