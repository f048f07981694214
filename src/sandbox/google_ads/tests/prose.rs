//! Rules of Google Ads' prose that take more than one field to break. Each names its entry in `tests/conformance/rules.toml`.

use super::*;

fn create(kind: &str, fields: Value) -> Value {
    json!({ format!("{kind}Operation"): { "create": fields } })
}

/// A campaign of its own with a budget that is there, as a create; its name is its budget's too.
fn campaign(budget: &str, more: &Value) -> Value {
    let mut fields = json!({ "name": "other", "status": "PAUSED", "advertisingChannelType": "SEARCH", "campaignBudget": budget,
        "manualCpc": {}, "containsEuPoliticalAdvertising": "DOES_NOT_CONTAIN_EU_POLITICAL_ADVERTISING" });
    for (name, value) in more.as_object().unwrap() {
        if value.is_null() {
            fields.as_object_mut().unwrap().remove(name);
        } else {
            fields[name] = value.clone();
        }
    }
    create("campaign", fields)
}

/// The first name in an answer.
fn made(world: &mut World, operation: Value) -> String {
    let (status, body) = mutate(world, json!([operation]));
    assert_eq!(status, 200, "{body}");
    let result = body["mutateOperationResponses"][0]
        .as_object()
        .unwrap()
        .values()
        .next()
        .unwrap();
    result["resourceName"].as_str().unwrap().to_owned()
}

fn bites(rule: &str, world: &mut World, operations: Value, code: &str) {
    let (_, body) = mutate(world, operations);
    assert!(
        codes(&body).iter().any(|c| c == code),
        "{rule}: expected {code}, got {body}"
    );
}

#[test]
fn budgets_have_owners_periods_and_floors() {
    let (mut world, _) = built();
    let shared = made(
        &mut world,
        create(
            "campaignBudget",
            json!({ "name": "shared", "amountMicros": "50000000" }),
        ),
    );
    let total = json!({ "name": "total", "period": "CUSTOM_PERIOD", "totalAmountMicros": "50000000", "explicitlyShared": false });
    let total = made(&mut world, create("campaignBudget", total));
    let taken =
        find(&mut world, "SELECT campaign.campaign_budget FROM campaign")[0]["campaign"]["campaignBudget"]
            .as_str()
            .unwrap()
            .to_owned();
    let gone = made(
        &mut world,
        create(
            "campaignBudget",
            json!({ "name": "gone", "amountMicros": "50000000" }),
        ),
    );
    assert_eq!(
        mutate(
            &mut world,
            json!([{ "campaignBudgetOperation": { "remove": gone } }])
        )
        .0,
        200
    );
    let none = json!({});
    for (rule, operation, code) in [
        (
            "google-ads.a-budget-of-ones-own-has-one-campaign",
            campaign(&taken, &none),
            "campaignBudgetError.CANNOT_USE_IMPLICITLY_SHARED_CAMPAIGN_BUDGET_WITH_MULTIPLE_CAMPAIGNS",
        ),
        (
            "google-ads.conversions-need-a-budget-of-their-own",
            campaign(&shared, &json!({ "manualCpc": null, "maximizeConversions": {} })),
            "biddingError.BIDDING_STRATEGY_TYPE_INCOMPATIBLE_WITH_SHARED_BUDGET",
        ),
        (
            "google-ads.a-total-needs-an-end",
            campaign(&total, &none),
            "campaignError.END_DATE_TIME_REQUIRED_FOR_TOTAL_BUDGET",
        ),
        (
            "google-ads.references-are-not-removed",
            campaign(&gone, &none),
            "operationAccessDeniedError.OPERATION_NOT_PERMITTED_FOR_REMOVED_RESOURCE",
        ),
        (
            "google-ads.no-daily-amount-in-a-total",
            create(
                "campaignBudget",
                json!({ "name": "b", "period": "CUSTOM_PERIOD", "amountMicros": "50000000" }),
            ),
            "campaignBudgetError.BUDGET_AMOUNT_MUST_BE_UNSET_FOR_CUSTOM_BUDGET_PERIOD",
        ),
        (
            "google-ads.budgets-are-not-negative",
            create(
                "campaignBudget",
                json!({ "name": "b", "amountMicros": "-1000000" }),
            ),
            "campaignBudgetError.NEGATIVE_MONEY_AMOUNT",
        ),
        (
            "google-ads.budgets-have-a-ceiling",
            create(
                "campaignBudget",
                json!({ "name": "b", "amountMicros": "1000000000010000" }),
            ),
            "campaignBudgetError.MONEY_AMOUNT_TOO_LARGE",
        ),
        (
            "google-ads.a-shared-budget-has-a-name",
            create("campaignBudget", json!({ "amountMicros": "50000000" })),
            "fieldError.REQUIRED",
        ),
        (
            "google-ads.budget-names-to-255",
            create(
                "campaignBudget",
                json!({ "name": "ü".repeat(128), "amountMicros": "50000000" }),
            ),
            "stringLengthError.TOO_LONG",
        ),
    ] {
        bites(rule, &mut world, json!([operation]), code);
    }
    let unshare = json!({ "update": { "resourceName": shared, "explicitlyShared": false }, "updateMask": "explicitlyShared" });
    bites(
        "google-ads.a-shared-budget-stays-shared",
        &mut world,
        json!([{ "campaignBudgetOperation": unshare }]),
        "campaignBudgetError.CANNOT_UPDATE_CAMPAIGN_BUDGET_TO_IMPLICITLY_SHARED",
    );
    accounts::configure(&mut world, "1234567890", "minimum_daily_budget", &json!("60.00")).unwrap();
    bites(
        "google-ads.budget-floor",
        &mut world,
        json!([create(
            "campaignBudget",
            json!({ "name": "b", "amountMicros": "50000000" })
        )]),
        "campaignBudgetError.BUDGET_BELOW_PER_DAY_MINIMUM",
    );
}

#[test]
fn labels() {
    let (mut world, campaign) = built();
    bites(
        "google-ads.label-names-to-80",
        &mut world,
        json!([create("label", json!({ "name": "x".repeat(81) }))]),
        "labelError.INVALID_LABEL_NAME",
    );
    let label = find(&mut world, "SELECT label.resource_name FROM label")[0]["label"]["resourceName"].clone();
    let link = |label: &Value| create("campaignLabel", json!({ "campaign": campaign, "label": label }));
    bites(
        "google-ads.a-label-once",
        &mut world,
        json!([link(&label)]),
        "campaignError.CAMPAIGN_LABEL_ALREADY_EXISTS",
    );
    for n in 0..50 {
        let label = made(&mut world, create("label", json!({ "name": format!("l{n}") })));
        let (status, body) = mutate(&mut world, json!([link(&label.clone().into())]));
        if n < 49 {
            assert_eq!(status, 200, "{body}");
            continue;
        }
        // Rule: google-ads.labels-to-fifty
        assert_eq!(codes(&body), ["resourceCountLimitExceededError.RESOURCE_LIMIT"]);
    }
}

#[test]
fn criteria() {
    let (mut world, campaign) = built();
    let group =
        find(&mut world, "SELECT ad_group.resource_name FROM ad_group")[0]["adGroup"]["resourceName"].clone();
    let germany = json!({ "geoTargetConstant": "geoTargetConstants/2276" });
    let word = |text: &str| json!({ "text": text, "matchType": "PHRASE" });
    for (rule, operation, code) in [
        (
            "google-ads.keywords-without-symbols",
            create(
                "adGroupCriterion",
                json!({ "adGroup": group, "keyword": word("shoes!") }),
            ),
            "criterionError.KEYWORD_HAS_INVALID_CHARS",
        ),
        (
            "google-ads.a-keyword-keeps-its-sign",
            create(
                "adGroupCriterion",
                json!({ "adGroup": group, "negative": true, "keyword": word("running shoes") }),
            ),
            "fieldError.IMMUTABLE_FIELD",
        ),
        (
            "google-ads.campaigns-only-exclude-keywords",
            create(
                "campaignCriterion",
                json!({ "campaign": campaign, "keyword": word("shoes") }),
            ),
            "criterionError.CANNOT_ADD_CRITERIA_TYPE",
        ),
        (
            "google-ads.a-place-once",
            create(
                "campaignCriterion",
                json!({ "campaign": campaign, "location": germany }),
            ),
            "campaignCriterionError.CANNOT_ADD_EXISTING_FIELD",
        ),
        (
            "google-ads.no-place-in-and-out",
            create(
                "campaignCriterion",
                json!({ "campaign": campaign, "negative": true, "location": germany }),
            ),
            "campaignCriterionError.CANNOT_TARGET_AND_EXCLUDE",
        ),
        (
            "google-ads.a-criterion-is-of-a-type",
            create("campaignCriterion", json!({ "campaign": campaign })),
            "criterionError.CONCRETE_TYPE_REQUIRED",
        ),
    ] {
        bites(rule, &mut world, json!([operation]), code);
    }
}

#[test]
fn people_and_how_often_they_see_it() {
    let (mut world, _) = built();
    let group =
        find(&mut world, "SELECT ad_group.resource_name FROM ad_group")[0]["adGroup"]["resourceName"].clone();
    let without = |kind: &str, name: &str| {
        create(
            "adGroupCriterion",
            json!({ "adGroup": group, "negative": true, kind: { "type": name } }),
        )
    };
    for (rule, genders, code) in [
        (
            "google-ads.not-everybody-is-excluded",
            ["UNDETERMINED", "MALE", "FEMALE"].as_slice(),
            "criterionError.CANNOT_EXCLUDE_ALL_TARGETS",
        ),
        (
            "google-ads.not-only-the-unknown-are-addressed",
            ["MALE", "FEMALE"].as_slice(),
            "criterionError.CANNOT_TARGET_ONLY_UNDETERMINED",
        ),
    ] {
        let all: Vec<Value> = genders.iter().map(|name| without("gender", name)).collect();
        bites(rule, &mut world, all.into(), code);
    }
    let (status, body) = mutate(
        &mut world,
        json!([without("ageRange", "AGE_RANGE_18_24"), without("gender", "MALE")]),
    );
    assert_eq!(status, 200, "{body}");
    let id = &body["mutateOperationResponses"][0]["adGroupCriterionResult"]["resourceName"];
    assert!(id.as_str().unwrap().ends_with("~503001"), "{body}");

    let shared = made(
        &mut world,
        create(
            "campaignBudget",
            json!({ "name": "shared", "amountMicros": "50000000" }),
        ),
    );
    let cap = |n: i32| json!({ "cap": n, "key": { "level": "CAMPAIGN", "eventType": "IMPRESSION", "timeUnit": "WEEK", "timeLength": 1 } });
    let display = |caps: Value| {
        let more = json!({ "advertisingChannelType": "DISPLAY", "frequencyCaps": caps });
        json!([campaign(&shared, &more)])
    };
    for (rule, operations, code) in [
        (
            "google-ads-channels.frequency-caps-only-on-display",
            json!([campaign(&shared, &json!({ "frequencyCaps": [cap(3)] }))]),
            "contextError.OPERATION_NOT_PERMITTED_FOR_CONTEXT",
        ),
        (
            "google-ads-channels.a-cap-allows-something",
            display(json!([cap(0)])),
            "campaignError.MAX_IMPRESSIONS_NOT_IN_RANGE",
        ),
        (
            "google-ads-channels.a-cap-once",
            display(json!([cap(3), cap(4)])),
            "distinctError.DUPLICATE_ELEMENT",
        ),
    ] {
        bites(rule, &mut world, operations, code);
    }
    let (status, body) = mutate(&mut world, display(json!([cap(3)])));
    assert_eq!(status, 200, "{body}");
}

#[test]
fn urls_and_their_parameters() {
    let (mut world, _) = built();
    let shared = made(
        &mut world,
        create(
            "campaignBudget",
            json!({ "name": "shared", "amountMicros": "50000000" }),
        ),
    );
    let parameters = |list: Value| json!({ "urlCustomParameters": list });
    let many: Vec<Value> = (0..9)
        .map(|n| json!({ "key": format!("k{n}"), "value": "v" }))
        .collect();
    for (rule, more, code) in [
        (
            "google-ads.no-landing-page-in-a-suffix",
            json!({ "finalUrlSuffix": "a={lpurl}" }),
            "urlFieldError.INVALID_TAG_IN_FINAL_URL_SUFFIX",
        ),
        (
            "google-ads.a-template-has-the-landing-page",
            json!({ "trackingUrlTemplate": "https://track.example/" }),
            "urlFieldError.MISSING_TRACKING_URL_TEMPLATE_TAG",
        ),
        (
            "google-ads.parameters-to-eight",
            parameters(json!(many)),
            "urlFieldError.URL_CUSTOM_PARAMETERS_COUNT_EXCEEDS_LIMIT",
        ),
        (
            "google-ads.a-parameter-once",
            parameters(json!([{ "key": "a", "value": "1" }, { "key": "a", "value": "2" }])),
            "distinctError.DUPLICATE_ELEMENT",
        ),
        (
            "google-ads.a-parameter-has-a-value",
            parameters(json!([{ "key": "a" }])),
            "urlFieldError.NULL_CUSTOM_PARAMETER_VALUE",
        ),
        (
            "google-ads.parameter-values-without-spaces",
            parameters(json!([{ "key": "a", "value": "1 2" }])),
            "urlFieldError.INVALID_CHARACTERS_IN_URL_CUSTOM_PARAMETER_VALUE",
        ),
        (
            "google-ads.no-partners-without-google-search",
            json!({ "networkSettings": { "targetSearchNetwork": true, "targetGoogleSearch": false } }),
            "campaignError.CANNOT_TARGET_SEARCH_NETWORK_WITHOUT_GOOGLE_SEARCH",
        ),
        (
            "google-ads.dates-in-their-own-format",
            json!({ "startDateTime": "2035-12-01T00:00:00Z" }),
            "dateError.INVALID_STRING_DATE_TIME_SECONDS",
        ),
        (
            "google-ads.nothing-begins-removed",
            json!({ "status": "REMOVED" }),
            "operationAccessDeniedError.CREATE_AS_REMOVED_NOT_PERMITTED",
        ),
    ] {
        bites(rule, &mut world, json!([campaign(&shared, &more)]), code);
    }
}

#[test]
fn ads_and_ad_groups() {
    let (mut world, campaign) = built();
    let group =
        find(&mut world, "SELECT ad_group.resource_name FROM ad_group")[0]["adGroup"]["resourceName"].clone();
    let ad = |n: usize, path1: &str| {
        let texts = |count: usize| {
            (0..count)
                .map(|at| json!({ "text": format!("Text {n} {at}") }))
                .collect::<Vec<_>>()
        };
        create(
            "adGroupAd",
            json!({ "adGroup": group, "status": "ENABLED", "ad": { "finalUrls": ["https://www.example.com/"],
            "responsiveSearchAd": { "headlines": texts(3), "descriptions": texts(2), "path1": path1 } } }),
        )
    };
    bites(
        "google-ads.rsa-paths-to-fifteen",
        &mut world,
        json!([ad(0, &"x".repeat(16))]),
        "stringLengthError.TOO_LONG",
    );
    bites(
        "google-ads.three-enabled-rsa-in-an-ad-group",
        &mut world,
        json!([ad(1, ""), ad(2, ""), ad(3, ""), ad(4, "")]),
        "resourceCountLimitExceededError.RESOURCE_LIMIT",
    );
    bites(
        "google-ads.ad-group-names-to-254",
        &mut world,
        json!([create(
            "adGroup",
            json!({ "campaign": campaign, "name": "x".repeat(255) })
        )]),
        "adGroupError.INVALID_ADGROUP_NAME",
    );
}

#[test]
fn a_flight_that_has_begun_keeps_its_start() {
    let (mut world, _) = built();
    let shared = made(
        &mut world,
        create(
            "campaignBudget",
            json!({ "name": "shared", "amountMicros": "50000000" }),
        ),
    );
    let begun = made(&mut world, campaign(&shared, &json!({})));
    let later = json!({ "update": { "resourceName": begun, "startDateTime": "2035-12-01 00:00:00" }, "updateMask": "startDateTime" });
    bites(
        "google-ads.a-start-that-has-passed-stays",
        &mut world,
        json!([{ "campaignOperation": later }]),
        "campaignError.CANNOT_MODIFY_START_DATE_IF_ALREADY_STARTED",
    );
}

#[test]
fn requests_have_limits() {
    let mut world = World::new(7, 0);
    let many: Vec<Value> = (0..10_001)
        .map(|n| create("label", json!({ "name": format!("l{n}") })))
        .collect();
    bites(
        "google-ads.operations-to-ten-thousand",
        &mut world,
        many.into(),
        "requestError.TOO_MANY_MUTATE_OPERATIONS",
    );
    let query = json!({ "query": "SELECT campaign.id FROM campaign", "pageSize": 5 });
    let (_, body) = post(&mut world, "/googleAds:search", &query);
    // Rule: google-ads.no-page-sizes
    assert_eq!(codes(&body), ["requestError.PAGE_SIZE_NOT_SUPPORTED"]);
}

/// One undeclared campaign closes the account; declaring it opens it again.
#[test]
fn an_undeclared_campaign_closes_its_account() {
    let (mut world, _) = built();
    accounts::configure(&mut world, "1234567890", "undeclared_campaign", &json!("old")).unwrap();
    bites(
        "google-ads.every-campaign-is-declared",
        &mut world,
        tree("c"),
        "mutateError.EU_POLITICAL_ADVERTISING_DECLARATION_REQUIRED",
    );
    let missing = "SELECT campaign.resource_name FROM campaign WHERE campaign.missing_eu_political_advertising_declaration = TRUE";
    let rows = find(&mut world, missing);
    assert_eq!(rows.len(), 1, "only the old one");
    let declare = json!({ "update": { "resourceName": rows[0]["campaign"]["resourceName"],
        "containsEuPoliticalAdvertising": "DOES_NOT_CONTAIN_EU_POLITICAL_ADVERTISING" },
        "updateMask": "containsEuPoliticalAdvertising" });
    let (status, body) = mutate(&mut world, json!([{ "campaignOperation": declare }]));
    assert_eq!(status, 200, "{body}");
    assert!(find(&mut world, missing).is_empty());
    let mut operations = tree("c");
    operations[0]["labelOperation"]["create"]["name"] = "other".into();
    assert_eq!(mutate(&mut world, operations).0, 200);
}
