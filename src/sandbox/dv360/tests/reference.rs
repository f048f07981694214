//! Each field of a campaign, an insertion order, a line item and a creative keeps to its description in the reference.

use super::*;

/// <https://developers.google.com/display-video/api/reference/rest/v4/advertisers.campaigns>
#[test]
fn a_campaign_keeps_to_the_reference() {
    for (rule, pointer, value, why) in [
        ("", "/displayName", Value::Null, "displayName is missing"),
        ("", "/displayName", json!("ä".repeat(121)), "240 bytes"),
        ("", "/campaignGoal", Value::Null, "campaignGoal is missing"),
        ("", "/frequencyCap", Value::Null, "frequencyCap is missing"),
        ("", "/displayNam", json!("x"), "Unknown name"),
        ("", "/campaignId", json!("1"), "output only"),
        ("", "/entityStatus", json!("PAUSED"), "EntityStatus"),
        (
            "",
            "/entityStatus",
            json!("ENTITY_STATUS_ARCHIVED"),
            "Invalid entity status",
        ),
        (
            "dv360.campaigns-have-no-drafts",
            "/entityStatus",
            json!("ENTITY_STATUS_DRAFT"),
            "Invalid entity status",
        ),
        (
            "dv360.campaign-goals-of-their-own",
            "/campaignGoal/performanceGoal/performanceGoalType",
            json!("PERFORMANCE_GOAL_TYPE_VCPM"),
            "not an acceptable performance goal",
        ),
        (
            "dv360.a-goal-has-an-amount",
            "/campaignGoal/performanceGoal/performanceGoalAmountMicros",
            json!("0"),
            "greater than 0",
        ),
        (
            "dv360.planned-dates-from-today",
            "/campaignFlight/plannedDates/startDate",
            date(2020),
            "current date or later",
        ),
        (
            "",
            "/campaignFlight/plannedDates/startDate",
            date(2037),
            "before the year 2037",
        ),
        (
            "dv360.dates-exist",
            "/campaignFlight/plannedDates/endDate",
            json!({ "year": 2035, "month": 2, "day": 30 }),
            "Invalid date",
        ),
        (
            "",
            "/campaignFlight/plannedDates/startDate",
            json!({ "year": 2036, "month": 12, "day": 2 }),
            "end date must be the start date or later",
        ),
        (
            "dv360.a-plan-has-a-start",
            "/campaignFlight/plannedDates/startDate",
            Value::Null,
            "start_date is required",
        ),
        // <https://developers.google.com/display-video/api/reference/rest/v4/FrequencyCap>
        ("", "/frequencyCap/timeUnitCount", json!(7), "between 1 and 6"),
        (
            "dv360.a-cap-has-impressions",
            "/frequencyCap/maxImpressions",
            json!(0),
            "greater than 0",
        ),
        (
            "dv360.no-caps-for-a-lifetime",
            "/frequencyCap/timeUnit",
            json!("TIME_UNIT_LIFETIME"),
            "greater than 30 days",
        ),
        (
            "dv360.a-cap-has-a-unit",
            "/frequencyCap/timeUnit",
            Value::Null,
            "time_unit is required",
        ),
        (
            "dv360.views-are-capped-on-youtube-only",
            "/frequencyCap/maxViews",
            json!(1),
            "YouTube",
        ),
        (
            "dv360.a-campaign-budget-has-an-amount",
            "/campaignBudgets",
            json!([budget("x", "0")]),
            "budget_amount_micros must be greater than 0",
        ),
        (
            "dv360.external-budget-ids-are-unique",
            "/campaignBudgets",
            json!([budget("x", "1"), budget("x", "1")]),
            "unique under the campaign",
        ),
    ] {
        let mut world = World::new(7, 0);
        bites(
            rule,
            post(&mut world, "campaigns", with(campaign(), pointer, value)),
            why,
        );
    }
}

fn budget(external: &str, amount: &str) -> Value {
    json!({ "displayName": "b", "budgetUnit": "BUDGET_UNIT_CURRENCY", "budgetAmountMicros": amount,
        "externalBudgetSource": "EXTERNAL_BUDGET_SOURCE_NONE", "externalBudgetId": external,
        "dateRange": { "startDate": date(2035), "endDate": date(2036) } })
}

/// <https://developers.google.com/display-video/api/reference/rest/v4/advertisers.insertionOrders>
#[test]
fn an_insertion_order_keeps_to_the_reference() {
    let range = "/budget/budgetSegments/0/dateRange";
    let today = accounts::today(&World::new(7, 0), "99");
    for (rule, pointer, value, why) in [
        ("", "/campaignId", json!("1"), "was not found"),
        ("", "/kpi", Value::Null, "kpi is missing"),
        (
            "",
            "/entityStatus",
            json!("ENTITY_STATUS_PAUSED"),
            "accepted are DRAFT",
        ),
        (
            "",
            "/entityStatus",
            json!("ENTITY_STATUS_ACTIVE"),
            "accepted are DRAFT",
        ),
        (
            "",
            "/pacing/pacingType",
            json!("PACING_TYPE_ASAP"),
            "not compatible with PACING_PERIOD_FLIGHT",
        ),
        (
            "",
            "/pacing/pacingPeriod",
            Value::Null,
            "pacing.pacingPeriod is missing",
        ),
        (
            "dv360.a-daily-maximum-is-something",
            "/pacing/dailyMaxMicros",
            json!("0"),
            "daily_max_micros must be greater than 0",
        ),
        (
            "dv360.impressions-only-for-impression-budgets",
            "/pacing/dailyMaxImpressions",
            json!("5"),
            "only applicable when the budget is impression based",
        ),
        (
            "dv360.ahead-only-over-a-flight",
            "/pacing",
            json!({ "pacingPeriod": "PACING_PERIOD_DAILY", "pacingType": "PACING_TYPE_AHEAD" }),
            "only applicable to PACING_PERIOD_FLIGHT",
        ),
        (
            "dv360.a-kpi-has-its-amount",
            "/kpi/kpiAmountMicros",
            Value::Null,
            "kpi_amount_micros",
        ),
        (
            "dv360.a-rate-has-its-percentage",
            "/kpi",
            json!({ "kpiType": "KPI_TYPE_CTR" }),
            "kpi_percentage_micros",
        ),
        (
            "",
            "/budget/budgetSegments",
            json!([]),
            "budget.budgetSegments is missing",
        ),
        (
            "dv360.a-segment-has-an-amount",
            "/budget/budgetSegments/0/budgetAmountMicros",
            json!("0"),
            "greater than 0",
        ),
        (
            "",
            "/budget/budgetSegments/0/budgetAmountMicros",
            json!("10.5"),
            "TYPE_INT64",
        ),
        (
            "",
            "/budget/budgetSegments/0/dateRange/startDate",
            date(2020),
            "start date must be in the future",
        ),
        (
            "",
            "/budget/budgetSegments/0/dateRange/startDate",
            budgets::shown(today),
            "start date must be in the future",
        ),
        (
            "dv360.a-segment-has-an-end",
            range,
            json!({ "startDate": date(2035) }),
            "has no endDate",
        ),
        (
            "",
            "/budget/budgetSegments/0/dateRange/endDate",
            date(2037),
            "before the year 2037",
        ),
        (
            "dv360.no-fixed-bid-on-orders",
            "/bidStrategy",
            json!({ "fixedBid": { "bidAmountMicros": "1000000" } }),
            "must be 0 for an insertion order",
        ),
        (
            "dv360.goals-are-bid-for-by-line-items",
            "/bidStrategy",
            json!({ "performanceGoalAutoBid": { "performanceGoalAmountMicros": "1000000",
                "performanceGoalType": "BIDDING_STRATEGY_PERFORMANCE_GOAL_TYPE_CPC" } }),
            "only be used for a line item",
        ),
        (
            "dv360.integration-codes-to-500",
            "/integrationDetails/integrationCode",
            json!("x".repeat(501)),
            "500 characters",
        ),
    ] {
        let mut world = World::new(7, 0);
        let campaign = id(post(&mut world, "campaigns", campaign()), "campaignId");
        let body = with(order(&campaign), pointer, value);
        bites(rule, post(&mut world, "insertionOrders", body), why);
    }
}

/// <https://developers.google.com/display-video/api/reference/rest/v4/advertisers.lineItems>
#[test]
fn a_line_item_keeps_to_the_reference() {
    let goal = |name: &str, kind: &str, amount: &str| {
        json!({ name: { "performanceGoalType": format!("BIDDING_STRATEGY_PERFORMANCE_GOAL_TYPE_{kind}"),
            "performanceGoalAmountMicros": amount } })
    };
    for (rule, pointer, value, why) in [
        ("", "/insertionOrderId", json!("1"), "was not found"),
        (
            "",
            "/entityStatus",
            json!("ENTITY_STATUS_ACTIVE"),
            "accepted are DRAFT",
        ),
        ("", "/frequencyCap", Value::Null, "frequency_cap is required"),
        (
            "",
            "/containsEuPoliticalAds",
            Value::Null,
            "contains_eu_political_ads must be assigned",
        ),
        (
            "dv360.youtube-line-items-are-read-only",
            "/lineItemType",
            json!("LINE_ITEM_TYPE_YOUTUBE_AND_PARTNERS_ACTION"),
            "cannot be created or updated using the API",
        ),
        (
            "dv360.creatives-fit-the-line-item",
            "/lineItemType",
            json!("LINE_ITEM_TYPE_VIDEO_DEFAULT"),
            "does not fit",
        ),
        (
            "dv360.app-installs-name-the-app",
            "/lineItemType",
            json!("LINE_ITEM_TYPE_DISPLAY_MOBILE_APP_INSTALL"),
            "MOBILE_APP_INSTALL",
        ),
        (
            "dv360.apps-only-for-app-installs",
            "/mobileApp",
            json!({ "appId": "a.b" }),
            "MOBILE_APP_INSTALL",
        ),
        (
            "dv360.creatives-exist-and-are-not-archived",
            "/creativeIds",
            json!(["1"]),
            "was not found or is archived",
        ),
        (
            "dv360.a-fixed-budget-has-an-amount",
            "/budget/maxAmount",
            Value::Null,
            "max_amount must be greater than 0",
        ),
        (
            "",
            "/budget/budgetUnit",
            json!("BUDGET_UNIT_CURRENCY"),
            "output only",
        ),
        (
            "dv360.automatic-budgets-need-the-orders-leave",
            "/budget/budgetAllocationType",
            json!("LINE_ITEM_BUDGET_ALLOCATION_TYPE_AUTOMATIC"),
            "not enabled for the parent",
        ),
        (
            "",
            "/bidStrategy/fixedBid/bidAmountMicros",
            json!("1000000001"),
            "too small or too large",
        ),
        (
            "dv360.bids-from-one-unit",
            "/bidStrategy/fixedBid/bidAmountMicros",
            json!("9999"),
            "too small or too large",
        ),
        (
            "dv360.exactly-one-bidding-strategy",
            "/bidStrategy",
            json!({}),
            "Exactly one bidding strategy",
        ),
        (
            "",
            "/bidStrategy",
            json!({ "fixedBid": { "bidAmountMicros": "2000000" }, "maximizeSpendAutoBid": {
                "performanceGoalType": "BIDDING_STRATEGY_PERFORMANCE_GOAL_TYPE_CPC" } }),
            "Exactly one bidding strategy",
        ),
        (
            "dv360.goals-of-a-line-item",
            "/bidStrategy",
            goal("performanceGoalAutoBid", "CIVA", "1000000"),
            "must be one of",
        ),
        (
            "dv360.goal-amounts-have-a-limit",
            "/bidStrategy",
            goal("performanceGoalAutoBid", "CPC", "1000000001"),
            "too small or too large",
        ),
        (
            "dv360.no-viewable-cpm-for-spending-it-all",
            "/bidStrategy",
            json!({ "maximizeSpendAutoBid": { "performanceGoalType": "BIDDING_STRATEGY_PERFORMANCE_GOAL_TYPE_VIEWABLE_CPM" } }),
            "not supported for maximize_spend",
        ),
        (
            "dv360.markup-is-not-negative",
            "/partnerRevenueModel/markupAmount",
            json!("-1"),
            "revenue model cost amount",
        ),
        (
            "dv360.an-inherited-flight-has-no-dates",
            "/flight/dateRange",
            json!({ "startDate": date(2035), "endDate": date(2036) }),
            "output only for an inherited flight",
        ),
        (
            "dv360.a-custom-flight-lies-ahead",
            "/flight",
            json!({ "flightDateType": "LINE_ITEM_FLIGHT_DATE_TYPE_CUSTOM", "dateRange":
                { "startDate": date(2020), "endDate": date(2036) } }),
            "start date must be in the future",
        ),
    ] {
        let b = built();
        let mut world = b.world;
        let body = with(line(&b.order, &b.creative), pointer, value);
        bites(rule, post(&mut world, "lineItems", body), why);
    }
}

/// <https://developers.google.com/display-video/api/reference/rest/v4/advertisers> (`containsEuPoliticalAds`)
#[test]
fn the_advertisers_own_declaration_stands_for_line_items_that_make_none() {
    let mut b = built();
    let none = json!("DOES_NOT_CONTAIN_EU_POLITICAL_ADVERTISING");
    accounts::configure(&mut b.world, "99", "eu_political", &none).unwrap();
    let body = with(
        line(&b.order, &b.creative),
        "/containsEuPoliticalAds",
        Value::Null,
    );
    let (status, made) = post(&mut b.world, "lineItems", body);
    assert_eq!((status, &made["containsEuPoliticalAds"]), (200, &none));
}

/// <https://developers.google.com/display-video/api/reference/rest/v4/advertisers.creatives>
#[test]
fn a_creative_keeps_to_the_reference() {
    for (rule, pointer, value, why) in [
        ("", "/exitEvents", json!([]), "exitEvents is missing"),
        ("", "/assets", Value::Null, "assets is missing"),
        (
            "dv360.hosted-or-by-a-third-party",
            "/hostingSource",
            json!("HOSTING_SOURCE_CM"),
            "cannot be created or updated",
        ),
        (
            "dv360.creative-types-that-can-be-made",
            "/creativeType",
            json!("CREATIVE_TYPE_LIGHTBOX"),
            "cannot be created or updated",
        ),
        (
            "dv360.both-sides-of-a-creative",
            "/dimensions",
            json!({ "widthPixels": 300 }),
            "both required",
        ),
        (
            "",
            "/exitEvents/0/url",
            json!("shop.acme.example"),
            "click through URL",
        ),
        ("", "/exitEvents/0/url", Value::Null, "exitEvents.url is missing"),
        (
            "dv360.image-exits-have-no-name",
            "/exitEvents/0/name",
            json!("clickTag"),
            "image assets only",
        ),
        (
            "dv360.assets-are-uploaded-first",
            "/assets/0/asset",
            json!({ "mediaId": "0" }),
            "asset was not found",
        ),
        (
            "dv360.a-creative-has-a-main-asset",
            "/assets/0/role",
            json!("ASSET_ROLE_BACKUP"),
            "ASSET_ROLE_MAIN",
        ),
        (
            "dv360.trackers-only-for-native",
            "/trackerUrls",
            json!(["https://t.example/"]),
            "trackerUrls is not supported",
        ),
        (
            "dv360.third-party-urls-only-for-audio-and-video",
            "/thirdPartyUrls",
            json!([{ "url": "https://t.example/" }]),
            "thirdPartyUrls is not supported",
        ),
        ("", "/lineItemIds", json!(["1"]), "output only"),
        (
            "dv360.creative-codes-to-10000",
            "/integrationCode",
            json!("x".repeat(10_001)),
            "too long",
        ),
        (
            "dv360.creatives-have-no-drafts",
            "/entityStatus",
            json!("ENTITY_STATUS_DRAFT"),
            "Invalid entity status",
        ),
    ] {
        let mut world = World::new(7, 0);
        bites(
            rule,
            post(&mut world, "creatives", with(creative(), pointer, value)),
            why,
        );
    }
    let video = with(creative(), "/creativeType", json!("CREATIVE_TYPE_VIDEO"));
    let video = with(video, "/dimensions", json!({}));
    let (status, made) = post(&mut World::new(7, 0), "creatives", video);
    assert_eq!(
        (status, &made["dimensions"]),
        (200, &json!({ "widthPixels": 0, "heightPixels": 0 }))
    );
}
