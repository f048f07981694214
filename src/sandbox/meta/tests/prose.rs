//! Rules of Meta's prose, each broken once. Each names its entry in `tests/conformance/rules.toml`.

use super::*;

/// The parameters with others; null takes one away.
fn changed(mut params: Value, changes: &Value) -> Value {
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            params.as_object_mut().unwrap().remove(name);
        } else {
            params[name] = value.clone();
        }
    }
    params
}

/// A refusal with this subcode, and these words.
fn bites(rule: &str, (status, body): &(u16, Value), subcode: i64, words: &str) {
    assert_eq!((*status, code(body)), (400, (100, subcode)), "{rule}: {body}");
    assert!(
        body.to_string().contains(words),
        "{rule}: {body} should contain {words:?}"
    );
}

#[test]
fn budgets_and_bids() {
    let (mut world, [campaign_id, ..]) = built();
    for (rule, changes, subcode, words) in [
        (
            "meta.a-special-category-names-its-countries",
            json!({ "special_ad_categories": ["HOUSING"] }),
            0,
            "special_ad_category_country",
        ),
        (
            "meta.sharing-needs-a-strategy",
            json!({ "is_adset_budget_sharing_enabled": true }),
            4_834_005,
            "bid strategy",
        ),
        (
            "meta.a-strategy-needs-a-budget",
            json!({ "bid_strategy": "COST_CAP" }),
            0,
            "needs a budget on the campaign",
        ),
    ] {
        let answer = post(&mut world, "act_42/campaigns", changed(campaign(), &changes));
        bites(rule, &answer, subcode, words);
    }
    for (rule, changes, subcode, words) in [
        (
            "meta.an-ad-set-has-a-budget",
            json!({ "daily_budget": null }),
            0,
            "daily_budget",
        ),
        (
            "meta.a-daily-budget-runs-for-a-day",
            json!({ "end_time": "2035-12-01T23:59:59+0100" }),
            0,
            "more than 24 hours",
        ),
        (
            "meta.a-lifetime-budget-has-an-end",
            json!({ "daily_budget": null, "lifetime_budget": 100_000, "end_time": null }),
            0,
            "end_time",
        ),
        (
            "meta.a-lifetime-budget-has-a-floor-for-each-day",
            json!({ "daily_budget": null, "lifetime_budget": 3_099 }),
            1_885_272,
            "3100",
        ),
        (
            "meta.a-least-return-is-said",
            json!({ "bid_strategy": "LOWEST_COST_WITH_MIN_ROAS" }),
            0,
            "bid_constraints",
        ),
        (
            "meta.no-bid-without-a-cap",
            json!({ "bid_amount": 500 }),
            0,
            "without a cap",
        ),
        (
            "meta.conversions-say-what-is-promoted",
            json!({ "optimization_goal": "OFFSITE_CONVERSIONS" }),
            0,
            "promoted_object",
        ),
        (
            "meta.age-min-up-to-age-max",
            json!({ "targeting": { "geo_locations": { "countries": ["DE"] }, "age_min": 40, "age_max": 30 } }),
            0,
            "age_min is above age_max",
        ),
    ] {
        let answer = post(
            &mut world,
            "act_42/adsets",
            changed(adset(&campaign_id), &changes),
        );
        bites(rule, &answer, subcode, words);
    }
}

#[test]
fn of_a_campaign_that_runs_sharing_is_not_touched() {
    let mut world = World::new(7, 0);
    let runs = id(post(
        &mut world,
        "act_42/campaigns",
        changed(campaign(), &json!({ "status": "ACTIVE" })),
    ));
    let share = json!({ "is_adset_budget_sharing_enabled": true, "bid_strategy": "COST_CAP" });
    bites(
        "meta.sharing-is-not-turned-on-while-running",
        &post(&mut world, &runs, share.clone()),
        3_858_418,
        "running campaign",
    );
    let shares = id(post(
        &mut world,
        "act_42/campaigns",
        changed(campaign(), &changed(share, &json!({ "status": "ACTIVE" }))),
    ));
    bites(
        "meta.a-strategy-stays-while-budgets-are-shared",
        &post(
            &mut world,
            &shares,
            json!({ "bid_strategy": "LOWEST_COST_WITHOUT_CAP" }),
        ),
        4_834_006,
        "bid strategy",
    );
}

#[test]
fn what_an_ad_set_with_ads_promotes_stays() {
    let (mut world, [_, adset_id, ..]) = built();
    let promotes = |set: &str| json!({ "promoted_object": { "product_set_id": set } });
    assert_eq!(post(&mut world, &adset_id, promotes("55")).0, 200);
    bites(
        "meta.a-promoted-object-stays",
        &post(&mut world, &adset_id, promotes("56")),
        3_260_011,
        "promoted object",
    );
}

#[test]
fn ads_and_labels() {
    let (mut world, [campaign_id, adset_id, creative_id, _]) = built();
    let ad = json!({ "name": "ad2", "adset_id": adset_id, "creative": { "creative_id": creative_id }, "status": "PAUSED" });
    for (rule, changes, subcode, words) in [
        (
            "meta.an-ads-creative-exists",
            json!({ "creative": { "creative_id": "1" } }),
            1_487_015,
            "does not exist",
        ),
        (
            "meta.an-ads-ad-set-exists",
            json!({ "adset_id": "1" }),
            0,
            "does not exist",
        ),
    ] {
        bites(
            rule,
            &post(&mut world, "act_42/ads", changed(ad.clone(), &changes)),
            subcode,
            words,
        );
    }
    let labels: Vec<Value> = (0..51).map(|n| json!({ "name": format!("l{n}") })).collect();
    bites(
        "meta.labels-to-fifty",
        &post(
            &mut world,
            "act_42/campaigns",
            changed(campaign(), &json!({ "adlabels": labels })),
        ),
        0,
        "at most 50",
    );
    assert_eq!(
        post(&mut world, &campaign_id, json!({ "status": "ARCHIVED" })).0,
        200
    );
    bites(
        "meta.nothing-below-what-is-archived",
        &post(&mut world, "act_42/adsets", adset(&campaign_id)),
        0,
        "deleted or archived",
    );
}

#[test]
fn batches() {
    let (mut world, [campaign_id, ..]) = built();
    let form = |params: &Value| {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        for (key, value) in params.as_object().unwrap() {
            form.append_pair(
                key,
                &value.as_str().map_or_else(|| value.to_string(), str::to_owned),
            );
        }
        form.finish()
    };
    let send = |world: &mut World, operations: Vec<Value>| post(world, "", json!({ "batch": operations }));
    let read = json!({ "method": "GET", "relative_url": "act_42" });
    bites(
        "meta.batches-to-fifty",
        &send(&mut world, vec![read; 51]),
        0,
        "Maximum batch size is 50",
    );
    let ad = json!({ "method": "POST", "relative_url": "act_42/ads", "body": "name=a" });
    bites(
        "meta.ten-ads-in-a-batch",
        &send(&mut world, vec![ad; 11]),
        0,
        "at most 10 ads",
    );
    let set = |name: &str| {
        let params = changed(adset(&campaign_id), &json!({ "name": name }));
        json!({ "method": "POST", "relative_url": "act_42/adsets", "body": form(&params) })
    };
    let (status, answers) = send(&mut world, vec![set("as2"), set("as3")]);
    assert_eq!((status, &answers[0]["code"]), (200, &json!(200)), "{answers}");
    // Rule: meta.one-ad-set-of-a-campaign-in-a-batch
    assert_eq!(answers[1]["code"], 400, "{answers}");
    assert!(
        answers[1]["body"]
            .as_str()
            .unwrap()
            .contains("under the same campaign")
    );
}
