//! The rules bite: what Google Ads refuses is refused, what it accepts is there afterwards.

mod changes;
mod channels;
mod prose;

use super::*;
use axum::http::HeaderMap;

fn post(world: &mut World, path: &str, body: &Value) -> (u16, Value) {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", "Bearer sandbox-token".parse().unwrap());
    let path = format!("/v26/customers/1234567890{path}");
    let body = body.to_string();
    let call = Call {
        method: &Method::POST,
        path: &path,
        query: "",
        headers: &headers,
        body: body.as_bytes(),
    };
    world.tick(chrono::TimeDelta::zero());
    let answer = answer(world, &call);
    (answer.status, serde_json::from_slice(&answer.body).unwrap())
}

fn mutate(world: &mut World, operations: Value) -> (u16, Value) {
    post(
        world,
        "/googleAds:mutate",
        &json!({"mutateOperations": operations}),
    )
}

fn find(world: &mut World, query: &str) -> Vec<Value> {
    let (status, body) = post(world, "/googleAds:search", &json!({"query": query}));
    assert_eq!(status, 200, "{body}");
    body["results"].as_array().cloned().unwrap_or_default()
}

/// `campaignError.DUPLICATE_CAMPAIGN_NAME` of every error in a refusal.
fn codes(body: &Value) -> Vec<String> {
    let errors = body["error"]["details"][0]["errors"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    errors
        .iter()
        .flat_map(|e| e["errorCode"].as_object().cloned().unwrap_or_default())
        .map(|(family, code)| format!("{family}.{}", code.as_str().unwrap_or("")))
        .collect()
}

fn rn(rest: &str) -> String {
    format!("customers/1234567890/{rest}")
}

/// A whole search campaign: budget, campaign, criteria, label, ad group, keywords, ad.
fn tree(name: &str) -> Value {
    json!([
        {"labelOperation": {"create": {"resourceName": rn("labels/-5"), "name": format!("plan:{name}")}}},
        {"campaignBudgetOperation": {"create": {"resourceName": rn("campaignBudgets/-1"), "name": format!("{name} budget"),
            "amountMicros": "50000000", "deliveryMethod": "STANDARD", "explicitlyShared": false}}},
        {"campaignOperation": {"create": {"resourceName": rn("campaigns/-2"), "name": name, "status": "PAUSED",
            "advertisingChannelType": "SEARCH", "campaignBudget": rn("campaignBudgets/-1"), "maximizeConversions": {},
            "networkSettings": {"targetGoogleSearch": true, "targetSearchNetwork": false},
            "containsEuPoliticalAdvertising": "DOES_NOT_CONTAIN_EU_POLITICAL_ADVERTISING",
            "startDateTime": "2035-12-01 00:00:00", "endDateTime": "2035-12-31 23:59:59",
            "finalUrlSuffix": "kcid={_kcid}&kpv={_kpv}",
            "urlCustomParameters": [{"key": "kcid", "value": "SKU-10442"}]}}},
        {"campaignCriterionOperation": {"create": {"campaign": rn("campaigns/-2"),
            "location": {"geoTargetConstant": "geoTargetConstants/2276"}}}},
        {"campaignLabelOperation": {"create": {"campaign": rn("campaigns/-2"), "label": rn("labels/-5")}}},
        {"adGroupOperation": {"create": {"resourceName": rn("adGroups/-3"), "name": "ag", "campaign": rn("campaigns/-2"),
            "cpcBidMicros": "1200000"}}},
        {"adGroupCriterionOperation": {"create": {"adGroup": rn("adGroups/-3"),
            "keyword": {"text": "running shoes", "matchType": "PHRASE"}}}},
        {"adGroupAdOperation": {"create": {"adGroup": rn("adGroups/-3"), "status": "PAUSED", "ad": {
            "finalUrls": ["https://www.example.com/"], "responsiveSearchAd": {
                "headlines": [{"text": "One"}, {"text": "Two"}, {"text": "Three"}],
                "descriptions": [{"text": "First."}, {"text": "Second."}], "path1": "shoes"}}}}},
    ])
}

fn built() -> (World, String) {
    let mut world = World::new(7, 0);
    let (status, body) = mutate(&mut world, tree("kobi_acme_google-ads_sales_v1"));
    assert_eq!(status, 200, "{body}");
    let campaign = body["mutateOperationResponses"][2]["campaignResult"]["resourceName"]
        .as_str()
        .unwrap()
        .to_owned();
    (world, campaign)
}

#[test]
fn one_atomic_call_builds_a_tree_that_gaql_finds() {
    let (mut world, campaign) = built();
    let rows = find(
        &mut world,
        "SELECT campaign.id, campaign.name, campaign.status, campaign_budget.amount_micros, campaign.primary_status, \
         campaign.url_custom_parameters, metrics.cost_micros, customer.auto_tagging_enabled FROM campaign \
         WHERE campaign.name = 'kobi_acme_google-ads_sales_v1' AND campaign.status != 'REMOVED'",
    );
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["campaign"]["resourceName"], campaign.as_str());
    assert_eq!(rows[0]["campaignBudget"]["amountMicros"], "50000000");
    assert_eq!(rows[0]["campaign"]["primaryStatus"], "PAUSED");
    assert_eq!(rows[0]["metrics"]["costMicros"], "0");
    assert_eq!(rows[0]["customer"]["autoTaggingEnabled"], false);
    let labelled = find(
        &mut world,
        "SELECT campaign.name, label.name FROM campaign_label WHERE label.name = 'plan:kobi_acme_google-ads_sales_v1'",
    );
    assert_eq!(labelled[0]["campaign"]["resourceName"], campaign.as_str());
    let id = campaign.rsplit('/').next().unwrap();
    let ads = find(
        &mut world,
        &format!(
            "SELECT ad_group_ad.policy_summary.approval_status, ad_group_ad.ad.final_urls, ad_group.name FROM ad_group_ad WHERE campaign.id = {id}"
        ),
    );
    assert_eq!(ads[0]["adGroupAd"]["policySummary"]["approvalStatus"], "APPROVED");
    assert_eq!(ads[0]["adGroup"]["name"], "ag");
    let keywords = find(
        &mut world,
        &format!(
            "SELECT ad_group_criterion.keyword.text FROM ad_group_criterion WHERE campaign.id IN ({id})"
        ),
    );
    assert_eq!(
        keywords[0]["adGroupCriterion"]["keyword"]["text"],
        "running shoes"
    );
}

#[test]
fn building_it_again_collides_by_name_and_leaves_nothing_behind() {
    let (mut world, _) = built();
    let before = world.store.every().len();
    let (status, body) = mutate(&mut world, tree("kobi_acme_google-ads_sales_v1"));
    assert_eq!(status, 400);
    let codes = codes(&body);
    for expected in [
        "labelError.DUPLICATE_NAME",
        "newResourceCreationError.TEMP_ID_RESOURCE_HAD_ERRORS",
    ] {
        assert!(codes.iter().any(|c| c == expected), "{codes:?}");
    }
    assert_eq!(world.store.every().len(), before);
    let mut operations = tree("kobi_acme_google-ads_sales_v1");
    operations[0]["labelOperation"]["create"]["name"] = "other".into();
    operations[1]["campaignBudgetOperation"]["create"]["name"] = "other".into();
    let (_, body) = mutate(&mut world, operations);
    let first = &body["error"]["details"][0]["errors"][0];
    assert_eq!(first["errorCode"]["campaignError"], "DUPLICATE_CAMPAIGN_NAME");
    assert_eq!(
        first["location"]["fieldPathElements"],
        json!([
            {"fieldName": "mutate_operations", "index": 2}, {"fieldName": "campaign_operation"}, {"fieldName": "create"},
            {"fieldName": "name"},
        ])
    );
    assert_eq!(ads::count(&world, "1234567890"), 1);
}

#[test]
fn a_forgotten_status_makes_a_live_campaign() {
    let mut world = World::new(7, 0);
    let mut operations = tree("c");
    operations[2]["campaignOperation"]["create"]
        .as_object_mut()
        .unwrap()
        .remove("status");
    assert_eq!(mutate(&mut world, operations).0, 200);
    let rows = find(&mut world, "SELECT campaign.status FROM campaign");
    assert_eq!(rows[0]["campaign"]["status"], "ENABLED");
}

#[test]
fn each_rule_of_a_create_bites() {
    for (rule, pointer, value, code) in [
        (
            "",
            "/2/campaignOperation/create/containsEuPoliticalAdvertising",
            Value::Null,
            "fieldError.REQUIRED",
        ),
        (
            "",
            "/2/campaignOperation/create/startDateTime",
            json!("2020-01-01 00:00:00"),
            "campaignError.CANNOT_SET_DATE_TO_PAST",
        ),
        (
            "",
            "/2/campaignOperation/create/endDateTime",
            json!("2035-12-31 12:00:00"),
            "dateError.DATE_RANGE_ERROR_END_TIME_MUST_BE_THE_END_OF_A_DAY",
        ),
        (
            "",
            "/2/campaignOperation/create/endDateTime",
            json!("2035-11-30 23:59:59"),
            "dateRangeError.START_DATE_AFTER_END_DATE",
        ),
        (
            "google-ads.a-campaign-has-a-strategy",
            "/2/campaignOperation/create/maximizeConversions",
            Value::Null,
            "fieldError.REQUIRED",
        ),
        (
            "",
            "/2/campaignOperation/create/campaignBudget",
            json!(rn("campaignBudgets/-9")),
            "mutateError.RESOURCE_NOT_FOUND",
        ),
        (
            "",
            "/2/campaignOperation/create/resourceName",
            json!(rn("campaigns/-1")),
            "newResourceCreationError.DUPLICATE_TEMP_IDS",
        ),
        (
            "",
            "/2/campaignOperation/create/resourceName",
            json!(rn("campaigns/5")),
            "newResourceCreationError.CANNOT_SET_ID_FOR_CREATE",
        ),
        (
            "",
            "/2/campaignOperation/create/finalUrlSuffix",
            json!("?a=b"),
            "urlFieldError.FINAL_URL_SUFFIX_MALFORMED",
        ),
        (
            "",
            "/2/campaignOperation/create/urlCustomParameters/0/key",
            json!("a_b"),
            "urlFieldError.INVALID_CHARACTERS_IN_URL_CUSTOM_PARAMETER_KEY",
        ),
        (
            "",
            "/1/campaignBudgetOperation/create/amountMicros",
            json!("5000001"),
            "campaignBudgetError.NON_MULTIPLE_OF_MINIMUM_CURRENCY_UNIT",
        ),
        (
            "google-ads.budgets-above-nothing",
            "/1/campaignBudgetOperation/create/amountMicros",
            json!("0"),
            "campaignBudgetError.MONEY_AMOUNT_LESS_THAN_CURRENCY_MINIMUM_CPC",
        ),
        (
            "google-ads.no-total-in-a-daily-budget",
            "/1/campaignBudgetOperation/create/totalAmountMicros",
            json!("5000000"),
            "campaignBudgetError.TOTAL_BUDGET_AMOUNT_MUST_BE_UNSET_FOR_BUDGET_PERIOD_DAILY",
        ),
        (
            "google-ads.criteria-have-no-temporary-name",
            "/3/campaignCriterionOperation/create/resourceName",
            json!(rn("campaignCriteria/-7")),
            "mutateError.INCONSISTENT_FIELD_VALUES",
        ),
        (
            "",
            "/6/adGroupCriterionOperation/create/keyword/text",
            json!("a b c d e f g h i j k"),
            "criterionError.KEYWORD_HAS_TOO_MANY_WORDS",
        ),
        (
            "",
            "/6/adGroupCriterionOperation/create/keyword/text",
            json!("x".repeat(81)),
            "criterionError.KEYWORD_TEXT_TOO_LONG",
        ),
        (
            "",
            "/7/adGroupAdOperation/create/ad/responsiveSearchAd/headlines",
            json!([{"text": "One"}]),
            "collectionSizeError.TOO_FEW",
        ),
        (
            "",
            "/7/adGroupAdOperation/create/ad/responsiveSearchAd/headlines/0/text",
            json!("Two"),
            "assetError.DUPLICATE_ASSET",
        ),
        (
            "",
            "/7/adGroupAdOperation/create/ad/responsiveSearchAd/headlines/0/text",
            json!("x".repeat(31)),
            "stringLengthError.TOO_LONG",
        ),
        (
            "",
            "/7/adGroupAdOperation/create/ad/responsiveSearchAd/path1",
            Value::Null,
            "",
        ),
        (
            "",
            "/7/adGroupAdOperation/create/ad/finalUrls",
            Value::Null,
            "fieldError.REQUIRED",
        ),
        (
            "google-ads.final-urls-have-a-protocol",
            "/7/adGroupAdOperation/create/ad/finalUrls/0",
            json!("www.example.com"),
            "urlFieldError.MISSING_PROTOCOL_IN_FINAL_URL",
        ),
    ] {
        let mut world = World::new(7, 0);
        let mut operations = tree("c");
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let slot = operations.pointer_mut(parent).unwrap();
        match (slot.as_object_mut(), &value) {
            (Some(map), Value::Null) => drop(map.remove(key)),
            (Some(map), _) => drop(map.insert(key.into(), value.clone())),
            (None, _) => slot[key.parse::<usize>().unwrap()] = value.clone(),
        }
        let (status, body) = mutate(&mut world, operations);
        if code.is_empty() {
            assert_eq!(status, 200, "{pointer}: {body}");
        } else {
            assert!(
                codes(&body).iter().any(|c| c == code),
                "{rule}: {pointer} = {value}: expected {code}, got {body}"
            );
            assert!(
                find(&mut world, "SELECT campaign.id FROM campaign").is_empty(),
                "all or nothing"
            );
        }
    }
}

#[test]
fn updates_need_a_mask_and_leave_immutable_fields_alone() {
    let (mut world, campaign) = built();
    let update = |mask: &str, fields: Value| {
        let mut fields = fields;
        fields["resourceName"] = campaign.as_str().into();
        let mut operation = json!({"update": fields});
        if !mask.is_empty() {
            operation["updateMask"] = mask.into();
        }
        json!([{"campaignOperation": operation}])
    };
    for (rule, mask, fields, code) in [
        (
            "google-ads.an-update-has-a-mask",
            "",
            json!({"status": "ENABLED"}),
            "fieldMaskError.FIELD_MASK_MISSING",
        ),
        (
            "",
            "stat",
            json!({"status": "ENABLED"}),
            "fieldMaskError.FIELD_NOT_FOUND",
        ),
        (
            "google-ads.masks-name-subfields",
            "networkSettings",
            json!({"networkSettings": {"targetGoogleSearch": true}}),
            "fieldMaskError.FIELD_HAS_SUBFIELDS",
        ),
        (
            "",
            "advertisingChannelType",
            json!({"advertisingChannelType": "DISPLAY"}),
            "fieldError.IMMUTABLE_FIELD",
        ),
        (
            "google-ads.names-cannot-be-cleared",
            "name",
            json!({}),
            "fieldError.FIELD_CANNOT_BE_CLEARED",
        ),
    ] {
        assert_eq!(
            codes(&mutate(&mut world, update(mask, fields)).1),
            [code],
            "{rule}"
        );
    }
    let (status, body) = mutate(
        &mut world,
        update(
            "status,maximizeConversions.targetCpaMicros",
            json!({
                "status": "ENABLED", "maximizeConversions": {"targetCpaMicros": 18_500_000},
            }),
        ),
    );
    assert_eq!(status, 200, "{body}");
    let rows = find(
        &mut world,
        "SELECT campaign.status, campaign.maximize_conversions.target_cpa_micros FROM campaign",
    );
    assert_eq!(
        rows[0]["campaign"]["maximizeConversions"]["targetCpaMicros"],
        "18500000"
    );
    // Rule: google-ads.a-resource-once-in-a-request
    let twice = json!([
        update("status", json!({"status": "PAUSED"}))[0],
        update("status", json!({"status": "PAUSED"}))[0]
    ]);
    assert_eq!(
        codes(&mutate(&mut world, twice).1),
        ["mutateError.ID_EXISTS_IN_MULTIPLE_MUTATES"]
    );
}

#[test]
fn removing_a_campaign_removes_its_own_budget_and_is_final() {
    let (mut world, campaign) = built();
    let budget = find(&mut world, "SELECT campaign_budget.id FROM campaign_budget")[0]["campaignBudget"]["resourceName"].clone();
    let (_, body) = mutate(
        &mut world,
        json!([{"campaignBudgetOperation": {"remove": budget}}]),
    );
    // Rule: google-ads.a-budget-in-use-stays
    assert_eq!(codes(&body), ["campaignBudgetError.CAMPAIGN_BUDGET_IN_USE"]);
    let remove = json!([{"campaignOperation": {"remove": campaign}}]);
    assert_eq!(mutate(&mut world, remove.clone()).0, 200);
    assert_eq!(
        find(&mut world, "SELECT campaign_budget.status FROM campaign_budget")[0]["campaignBudget"]["status"],
        "REMOVED"
    );
    assert_eq!(
        codes(&mutate(&mut world, remove).1),
        ["operationAccessDeniedError.OPERATION_NOT_PERMITTED_FOR_REMOVED_RESOURCE"]
    );
    // A removed campaign's name is free again; so is its budget's.
    let mut operations = tree("kobi_acme_google-ads_sales_v1");
    operations[0]["labelOperation"]["create"]["name"] = "other".into();
    assert_eq!(mutate(&mut world, operations).0, 200);
}

#[test]
fn validate_only_and_partial_failure_do_as_they_say() {
    let mut world = World::new(7, 0);
    let body = json!({"mutateOperations": tree("c"), "validateOnly": true});
    assert_eq!(post(&mut world, "/googleAds:mutate", &body), (200, json!({})));
    assert!(find(&mut world, "SELECT campaign.id FROM campaign").is_empty());
    let labels = |name: &str| json!({"labelOperation": {"create": {"name": name}}});
    let body = json!({"mutateOperations": [labels("a"), labels("a"), labels("b")], "partialFailure": true});
    let (status, body) = post(&mut world, "/googleAds:mutate", &body);
    assert_eq!((status, &body["mutateOperationResponses"][1]), (200, &json!({})));
    assert_eq!(body["partialFailureError"]["code"], 3);
    assert_eq!(
        find(
            &mut world,
            "SELECT label.name FROM label ORDER BY label.name DESC"
        )[0]["label"]["name"],
        "b"
    );
}

#[test]
fn customers_have_a_service_of_their_own_and_a_state() {
    let mut world = World::new(7, 0);
    let update = json!({"operation": {
        "update": {"resourceName": "customers/1234567890", "autoTaggingEnabled": true}, "updateMask": "autoTaggingEnabled",
    }});
    assert_eq!(post(&mut world, ":mutate", &update).0, 200);
    assert_eq!(
        find(&mut world, "SELECT customer.auto_tagging_enabled FROM customer")[0]["customer"]["autoTaggingEnabled"],
        true
    );
    accounts::configure(&mut world, "1234567890", "account_status", &json!("SUSPENDED")).unwrap();
    let (status, body) = mutate(&mut world, tree("c"));
    assert_eq!(
        (status, codes(&body)),
        (
            403,
            // Rule: google-ads.a-suspended-account-changes-nothing
            vec!["authorizationError.ACTION_NOT_PERMITTED_FOR_SUSPENDED_ACCOUNT".to_owned()]
        )
    );
    accounts::configure(&mut world, "1234567890", "account_status", &json!("CANCELED")).unwrap();
    let query = json!({"query": "SELECT customer.id FROM customer"});
    assert_eq!(
        codes(&post(&mut world, "/googleAds:search", &query).1),
        // Rule: google-ads.an-account-is-enabled
        ["authorizationError.CUSTOMER_NOT_ENABLED"]
    );
}

#[test]
fn searches_are_as_strict_as_mutates() {
    let mut world = World::new(7, 0);
    for (query, code) in [
        (
            "SELECT campaign.nme FROM campaign",
            "queryError.UNRECOGNIZED_FIELD",
        ),
        (
            "SELECT ad_group.id FROM campaign",
            "queryError.PROHIBITED_RESOURCE_TYPE_IN_SELECT_CLAUSE",
        ),
        (
            "SELECT campaign.id FROM nothing",
            "queryError.BAD_RESOURCE_TYPE_IN_FROM_CLAUSE",
        ),
        (
            "SELECT campaign.id FROM campaign WHERE campaign.status = 'ACTIVE'",
            "queryError.BAD_ENUM_CONSTANT",
        ),
    ] {
        let (_, body) = post(&mut world, "/googleAds:search", &json!({"query": query}));
        assert_eq!(codes(&body), [code], "{query}");
    }
    let (_, body) = post(
        &mut world,
        "/googleAds:search",
        &json!({"query": "SELECT campaign.id FROM campaign", "pageSize": 5}),
    );
    assert_eq!(codes(&body), ["requestError.PAGE_SIZE_NOT_SUPPORTED"]);
    let (_, body) = post(
        &mut world,
        "/googleAds:searchStream",
        &json!({"query": "SELECT campaign.id FROM x"}),
    );
    assert!(body[0]["error"].is_object());
    let (status, body) = mutate(
        &mut world,
        json!([{"campaignOperation": {"create": {"startDate": "x"}}}]),
    );
    assert_eq!(status, 400);
    let message = body["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("Unknown name \"startDate\" at 'mutate_operations[0].campaign_operation.create'"),
        "{message}"
    );
}

#[test]
fn the_world_can_refuse_an_ad_or_disapprove_it_later_or_hide_what_was_made() {
    let (mut world, _) = built();
    world.switches.disapprove.push("ONE".into());
    let rows = find(
        &mut world,
        "SELECT ad_group_ad.policy_summary.approval_status FROM ad_group_ad",
    );
    assert_eq!(
        rows[0]["adGroupAd"]["policySummary"]["approvalStatus"],
        "DISAPPROVED"
    );
    world.switches.policy_finding.push("two".into());
    let mut operations = tree("c");
    operations[0]["labelOperation"]["create"]["name"] = "l".into();
    let (_, body) = mutate(&mut world, operations.clone());
    assert_eq!(codes(&body), ["policyFindingError.POLICY_FINDING"]);
    world.switches.policy_finding.clear();
    world.switches.late_visibility_ms = 60_000;
    assert_eq!(mutate(&mut world, operations).0, 200);
    assert_eq!(
        find(&mut world, "SELECT campaign.name FROM campaign").len(),
        1,
        "the second is not visible yet"
    );
}
