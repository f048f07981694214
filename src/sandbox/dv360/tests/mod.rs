//! The rules bite: what DV360 refuses is refused, what it accepts is there afterwards.

mod prose;
mod reference;

use super::*;
use axum::http::HeaderMap;

const ADVERTISER: &str = "/v4/advertisers/99";

fn raw(world: &mut World, method: &Method, path: &str, kind: &str, body: &[u8]) -> (u16, Value) {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", "Bearer sandbox-token".parse().unwrap());
    headers.insert("content-type", kind.parse().unwrap());
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let call = Call {
        method,
        path,
        query,
        headers: &headers,
        body,
    };
    world.tick(chrono::TimeDelta::zero());
    let answer = answer(world, &call);
    (answer.status, serde_json::from_slice(&answer.body).unwrap())
}

fn call(world: &mut World, method: Method, below: &str, body: &Value) -> (u16, Value) {
    let path = format!("{ADVERTISER}/{below}");
    raw(
        world,
        &method,
        &path,
        "application/json",
        body.to_string().as_bytes(),
    )
}

fn post(world: &mut World, below: &str, body: Value) -> (u16, Value) {
    call(world, Method::POST, below, &body)
}

fn patch(world: &mut World, below: &str, mask: &str, body: Value) -> (u16, Value) {
    call(world, Method::PATCH, &format!("{below}?updateMask={mask}"), &body)
}

fn status(world: &mut World, below: &str, status: &str) -> (u16, Value) {
    let body = json!({ "entityStatus": format!("ENTITY_STATUS_{status}") });
    patch(world, below, "entityStatus", body)
}

fn get(world: &mut World, below: &str) -> Value {
    let (status, body) = call(world, Method::GET, below, &Value::Null);
    assert_eq!(status, 200, "{body}");
    body
}

fn filtered(world: &mut World, collection: &str, filter: &str) -> Vec<Value> {
    let filter: String = url::form_urlencoded::byte_serialize(filter.as_bytes()).collect();
    let page = get(world, &format!("{collection}?filter={filter}"));
    page[collection].as_array().cloned().unwrap_or_default()
}

fn date(year: i32) -> Value {
    json!({ "year": year, "month": 12, "day": 1 })
}

fn campaign() -> Value {
    json!({
        "displayName": "c1", "entityStatus": "ENTITY_STATUS_PAUSED",
        "campaignGoal": { "campaignGoalType": "CAMPAIGN_GOAL_TYPE_BRAND_AWARENESS", "performanceGoal": {
            "performanceGoalType": "PERFORMANCE_GOAL_TYPE_CPM", "performanceGoalAmountMicros": "5000000" } },
        "campaignFlight": { "plannedDates": { "startDate": date(2035), "endDate": date(2036) } },
        "frequencyCap": { "maxImpressions": 3, "timeUnit": "TIME_UNIT_DAYS", "timeUnitCount": 1 },
    })
}

fn order(campaign: &str) -> Value {
    json!({
        "campaignId": campaign, "displayName": "io1", "entityStatus": "ENTITY_STATUS_DRAFT",
        "optimizationObjective": "NO_OBJECTIVE", "frequencyCap": { "unlimited": true },
        "pacing": { "pacingPeriod": "PACING_PERIOD_FLIGHT", "pacingType": "PACING_TYPE_EVEN" },
        "kpi": { "kpiType": "KPI_TYPE_CPM", "kpiAmountMicros": "5000000" },
        "budget": { "budgetUnit": "BUDGET_UNIT_CURRENCY", "budgetSegments": [{ "budgetAmountMicros": "1000000000",
            "dateRange": { "startDate": date(2035), "endDate": date(2036) } }] },
        "integrationDetails": { "integrationCode": "plan-7/io1" },
    })
}

fn line(order: &str, creative: &str) -> Value {
    json!({
        "insertionOrderId": order, "displayName": "li1", "entityStatus": "ENTITY_STATUS_DRAFT",
        "lineItemType": "LINE_ITEM_TYPE_DISPLAY_DEFAULT",
        "flight": { "flightDateType": "LINE_ITEM_FLIGHT_DATE_TYPE_INHERITED" },
        "budget": { "budgetAllocationType": "LINE_ITEM_BUDGET_ALLOCATION_TYPE_FIXED", "maxAmount": "1000000000" },
        "pacing": { "pacingPeriod": "PACING_PERIOD_FLIGHT", "pacingType": "PACING_TYPE_EVEN" },
        "frequencyCap": { "unlimited": true },
        "partnerRevenueModel": { "markupType": "PARTNER_REVENUE_MODEL_MARKUP_TYPE_TOTAL_MEDIA_COST_MARKUP", "markupAmount": "0" },
        "bidStrategy": { "fixedBid": { "bidAmountMicros": "2000000" } },
        "creativeIds": [creative], "containsEuPoliticalAds": "DOES_NOT_CONTAIN_EU_POLITICAL_ADVERTISING",
    })
}

fn creative() -> Value {
    json!({
        "displayName": "cr1", "entityStatus": "ENTITY_STATUS_ACTIVE", "creativeType": "CREATIVE_TYPE_STANDARD",
        "hostingSource": "HOSTING_SOURCE_HOSTED", "dimensions": { "widthPixels": 300, "heightPixels": 250 },
        "assets": [{ "asset": { "mediaId": "4242" }, "role": "ASSET_ROLE_MAIN" }],
        "exitEvents": [{ "type": "EXIT_EVENT_TYPE_DEFAULT", "url": "https://shop.acme.example/" }],
        "integrationCode": "plan-7/cr1",
    })
}

fn id(answer: (u16, Value), field: &str) -> String {
    assert_eq!(answer.0, 200, "{}", answer.1);
    answer.1[field].as_str().unwrap().to_owned()
}

struct Built {
    world: World,
    campaign: String,
    order: String,
    creative: String,
    line: String,
}

fn built() -> Built {
    let mut world = World::new(7, 0);
    let campaign = id(post(&mut world, "campaigns", campaign()), "campaignId");
    let order = id(
        post(&mut world, "insertionOrders", order(&campaign)),
        "insertionOrderId",
    );
    let creative = id(post(&mut world, "creatives", creative()), "creativeId");
    let line = id(
        post(&mut world, "lineItems", line(&order, &creative)),
        "lineItemId",
    );
    Built {
        world,
        campaign,
        order,
        creative,
        line,
    }
}

/// A refusal for this reason; `rule` is its name in `tests/conformance/rules.toml`, empty where a definition knows it or a planted
/// mistake there shows it.
fn bites(rule: &str, (status, body): (u16, Value), why: &str) {
    assert_eq!(status, 400, "{rule} {why}: {body}");
    assert_eq!(body["error"]["status"], "INVALID_ARGUMENT", "{rule}: {body}");
    let message = body["error"]["message"].as_str().unwrap();
    assert!(
        message.contains(why),
        "{rule}: {message:?} should contain {why:?}"
    );
}

fn refused(answer: (u16, Value), why: &str) {
    bites("", answer, why);
}

/// The body with something else at a pointer; null takes it away.
fn with(mut body: Value, pointer: &str, value: Value) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = body.pointer_mut(parent).unwrap();
    match (value, parent) {
        (Value::Null, Value::Object(map)) => drop(map.remove(name)),
        (value, parent) => parent[name] = value,
    }
    body
}

#[test]
fn what_is_made_is_there_with_what_the_system_adds() {
    let mut b = built();
    let line = get(&mut b.world, &format!("lineItems/{}", b.line));
    assert_eq!(line["campaignId"], b.campaign.as_str());
    assert_eq!(line["advertiserId"], "99");
    assert_eq!(line["name"], format!("advertisers/99/lineItems/{}", b.line));
    assert_eq!(line["budget"]["budgetUnit"], "BUDGET_UNIT_CURRENCY");
    assert_eq!(line["flight"]["dateRange"]["startDate"], date(2035));
    assert_eq!(
        line["warningMessages"],
        json!(["PENDING_FLIGHT", "PARENT_INSERTION_ORDER_PAUSED"])
    );
    let creative = get(&mut b.world, &format!("creatives/{}", b.creative));
    assert_eq!(creative["lineItemIds"], json!([b.line]));
    assert_eq!(
        creative["reviewStatus"]["approvalStatus"],
        "APPROVAL_STATUS_APPROVED_SERVABLE"
    );
    let order = get(&mut b.world, &format!("insertionOrders/{}", b.order));
    assert_eq!(order["bidStrategy"]["fixedBid"]["bidAmountMicros"], "0");
    assert_eq!(order["insertionOrderType"], "RTB");
    let (status, body) = call(&mut b.world, Method::GET, "campaigns/1", &Value::Null);
    assert_eq!((status, &body["error"]["status"]), (404, &json!("NOT_FOUND")));
}

/// `entityStatus` of insertion orders and line items.
#[test]
fn a_draft_is_left_once_and_an_order_is_on_only_below_a_campaign_that_is() {
    let mut b = built();
    let (order, line) = (
        format!("insertionOrders/{}", b.order),
        format!("lineItems/{}", b.line),
    );
    let campaign = format!("campaigns/{}", b.campaign);
    bites(
        "dv360.orders-are-active-below-active-campaigns",
        status(&mut b.world, &order, "ACTIVE"),
        "parent campaign is not active",
    );
    assert_eq!(
        status(&mut b.world, &line, "ACTIVE").0,
        200,
        "it does not spend below a draft"
    );
    refused(status(&mut b.world, &line, "DRAFT"), "Invalid entity status");
    assert_eq!(status(&mut b.world, &campaign, "ACTIVE").0, 200);
    assert_eq!(status(&mut b.world, &order, "ACTIVE").0, 200);
    refused(status(&mut b.world, &order, "DRAFT"), "Invalid entity status");
    assert_eq!(status(&mut b.world, &campaign, "PAUSED").0, 200);
    let shown = get(&mut b.world, &order);
    assert_eq!(
        shown["entityStatus"], "ENTITY_STATUS_ACTIVE",
        "below it stays as it is"
    );
}

/// "The … should be archived first, i.e. set entity_status to ENTITY_STATUS_ARCHIVED, to be able to delete it."
#[test]
fn only_what_is_archived_can_be_deleted_and_then_it_is_gone() {
    let mut b = built();
    for below in [
        format!("lineItems/{}", b.line),
        format!("insertionOrders/{}", b.order),
        format!("campaigns/{}", b.campaign),
        format!("creatives/{}", b.creative),
    ] {
        refused(
            call(&mut b.world, Method::DELETE, &below, &Value::Null),
            "archived before it can be deleted",
        );
        assert_eq!(status(&mut b.world, &below, "ARCHIVED").0, 200);
        let (done, body) = call(&mut b.world, Method::DELETE, &below, &Value::Null);
        assert_eq!((done, body), (200, json!({})), "{below}");
        for method in [Method::GET, Method::DELETE] {
            assert_eq!(call(&mut b.world, method, &below, &Value::Null).0, 404, "{below}");
        }
    }
}

/// <https://developers.google.com/display-video/api/guides/getting-started/patch>
#[test]
fn a_patch_changes_what_its_mask_names_by_the_same_rules() {
    let mut b = built();
    let order = format!("insertionOrders/{}", b.order);
    let body = json!({ "displayName": "io2", "kpi": { "kpiType": "KPI_TYPE_CPC", "kpiAmountMicros": "1" } });
    let (done, shown) = patch(&mut b.world, &order, "displayName", body);
    assert_eq!((done, &shown["displayName"]), (200, &json!("io2")));
    assert_eq!(shown["kpi"]["kpiType"], "KPI_TYPE_CPM");
    let (_, shown) = patch(
        &mut b.world,
        &order,
        "pacing",
        json!({ "pacing": { "pacingPeriod": "PACING_PERIOD_DAILY", "pacingType": "PACING_TYPE_EVEN", "dailyMaxMicros": "10257770" } }),
    );
    assert_eq!(
        shown["pacing"]["dailyMaxMicros"], "10250000",
        "rounded down to what is billed"
    );
    let (_, shown) = patch(
        &mut b.world,
        &order,
        "pacing.dailyMaxMicros",
        json!({ "pacing": { "dailyMaxMicros": "505" } }),
    );
    assert_eq!(shown["pacing"]["dailyMaxMicros"], "10000", "or up to the first");
    for (rule, mask, body, why) in [
        ("", "", json!({ "displayName": "x" }), "update_mask is missing"),
        (
            "dv360.parents-are-immutable",
            "campaignId",
            json!({ "campaignId": "1" }),
            "is immutable",
        ),
        ("", "kpi", json!({}), "kpi is missing"),
        (
            "",
            "kpi",
            json!({ "kpi": { "kpiAmountMicros": "1" } }),
            "kpi.kpiType is missing",
        ),
        (
            "dv360.budget-unit-is-immutable",
            "budget.budgetUnit",
            json!({ "budget": { "budgetUnit": "BUDGET_UNIT_IMPRESSIONS" } }),
            "is immutable",
        ),
        (
            "",
            "budget.budgetSegments",
            json!({ "budget": { "budgetSegments": [{ "budgetAmountMicros": "1",
                "dateRange": { "startDate": date(2020), "endDate": date(2036) } }] } }),
            "in the future",
        ),
    ] {
        bites(rule, patch(&mut b.world, &order, mask, body), why);
    }
    let line = format!("lineItems/{}", b.line);
    bites(
        "dv360.a-line-item-keeps-its-type",
        patch(
            &mut b.world,
            &line,
            "lineItemType",
            json!({ "lineItemType": "LINE_ITEM_TYPE_VIDEO_DEFAULT" }),
        ),
        "is immutable",
    );
}

/// "If a filter by entity_status is not specified, … with ENTITY_STATUS_ARCHIVED will not be included."
#[test]
fn lists_filter_exactly_and_leave_archived_ones_out_unless_asked() {
    let mut b = built();
    let archived = id(post(&mut b.world, "campaigns", campaign()), "campaignId");
    assert_eq!(
        status(&mut b.world, &format!("campaigns/{archived}"), "ARCHIVED").0,
        200
    );
    let named = r#"displayName="c1""#;
    assert_eq!(filtered(&mut b.world, "campaigns", named).len(), 1);
    let all = format!(
        "{named} AND (entityStatus=\"ENTITY_STATUS_PAUSED\" OR entityStatus=\"ENTITY_STATUS_ARCHIVED\")"
    );
    assert_eq!(filtered(&mut b.world, "campaigns", &all).len(), 2);
    for prefix in [
        r#"displayName="c""#,
        r#"displayName="c12""#,
        r#"displayName="C1""#,
    ] {
        assert_eq!(
            filtered(&mut b.world, "campaigns", prefix),
            [] as [Value; 0],
            "{prefix}"
        );
    }
    let below = format!("campaignId=\"{}\"", b.campaign);
    assert_eq!(filtered(&mut b.world, "lineItems", &below).len(), 1);
    let mine = format!("lineItemIds:{}", b.line);
    assert_eq!(filtered(&mut b.world, "creatives", &mine).len(), 1);
    let sized = r#"creativeType="CREATIVE_TYPE_STANDARD" AND dimensions="300x250""#;
    assert_eq!(filtered(&mut b.world, "creatives", sized).len(), 1);
    let other = r#"dimensions="300x251""#;
    assert_eq!(filtered(&mut b.world, "creatives", other).len(), 0);
    let query = "campaigns?filter=displayNam%3D%22x%22";
    refused(
        call(&mut b.world, Method::GET, query, &Value::Null),
        "not supported",
    );
    refused(
        call(&mut b.world, Method::GET, "campaigns?pageSize=201", &Value::Null),
        "between 1 and 200",
    );
    refused(
        call(&mut b.world, Method::GET, "campaigns?page_size=1", &Value::Null),
        "Unknown name",
    );
    refused(
        call(
            &mut b.world,
            Method::GET,
            "creatives?orderBy=displayName",
            &Value::Null,
        ),
        "order_by",
    );
}

#[test]
fn pages_follow_each_other_and_a_token_is_for_its_own_list() {
    let mut world = World::new(7, 0);
    for n in 0..5 {
        let body = with(campaign(), "/displayName", json!(format!("c{n}")));
        post(&mut world, "campaigns", body);
    }
    let mut names = Vec::new();
    let mut token = String::new();
    let mut pages = 0;
    loop {
        let page = get(&mut world, &format!("campaigns?pageSize=2&pageToken={token}"));
        let rows = page["campaigns"].as_array().unwrap();
        names.extend(rows.iter().map(|c| c["displayName"].as_str().unwrap().to_owned()));
        pages += 1;
        match page["nextPageToken"].as_str() {
            Some(next) => token = next.to_owned(),
            None => break,
        }
    }
    assert_eq!((pages, names.join(" ")), (3, "c0 c1 c2 c3 c4".to_owned()));
    let other = format!("campaigns?pageSize=3&pageToken={token}");
    refused(
        call(&mut world, Method::GET, &other, &Value::Null),
        "belongs to another request",
    );
    let empty = get(&mut world, "lineItems");
    assert_eq!(empty, json!({}), "an empty list leaves its field out");
}

/// <https://developers.google.com/display-video/api/reference/rest/v4/advertisers.lineItems/bulkEditAssignedTargetingOptions>
#[test]
fn targeting_is_edited_all_or_nothing_per_line_item() {
    let mut b = built();
    let geo = |id: &str| json!({ "geoRegionDetails": { "targetingOptionId": id } });
    let create = |kind: &str, options: Value| json!({ "targetingType": format!("TARGETING_TYPE_{kind}"), "assignedTargetingOptions": options });
    let edit = |b: &mut Built, creations: Value, deletions: Value| {
        let body =
            json!({ "lineItemIds": [b.line], "createRequests": creations, "deleteRequests": deletions });
        let (status, body) = post(&mut b.world, "lineItems:bulkEditAssignedTargetingOptions", body);
        assert_eq!(status, 200, "{body}");
        body
    };
    let age = |range: &str| json!({ "ageRangeDetails": { "ageRange": format!("AGE_RANGE_{range}") } });
    let done = edit(
        &mut b,
        json!([create("GEO_REGION", json!([geo("2276"), geo("2040")]))]),
        json!([]),
    );
    assert_eq!(done, json!({ "updatedLineItemIds": [b.line] }));
    for (rule, creations, why) in [
        (
            "dv360.an-option-is-assigned-once",
            json!([create("GEO_REGION", json!([geo("2276")]))]),
            "already assigned",
        ),
        (
            "dv360.targeting-options-exist",
            json!([create("GEO_REGION", json!([geo("DE")]))]),
            "was not found",
        ),
        (
            "",
            json!([create("GENDER", json!([geo("1")]))]),
            "genderDetails is required",
        ),
        (
            "dv360.ages-are-continuous",
            json!([create("AGE_RANGE", json!([age("18_24"), age("35_44")]))]),
            "continuous age range",
        ),
        (
            "dv360.fine-ages-only-for-ad-groups",
            json!([create("AGE_RANGE", json!([age("18_20")]))]),
            "only supported for ad groups",
        ),
        (
            "dv360.languages-have-one-sign",
            json!([create(
                "LANGUAGE",
                json!([
                { "languageDetails": { "targetingOptionId": "1000" } },
                { "languageDetails": { "targetingOptionId": "1001", "negative": true } }])
            )]),
            "same value for negative",
        ),
    ] {
        let failed = edit(&mut b, creations, json!([]));
        assert_eq!(failed["failedLineItemIds"], json!([b.line]));
        assert!(
            failed["errors"][0]["message"].as_str().unwrap().contains(why),
            "{rule}: {failed}"
        );
    }
    let query = format!(
        "lineItems:bulkListAssignedTargetingOptions?lineItemIds={}",
        b.line
    );
    let listed = get(&mut b.world, &query);
    let options = listed["lineItemAssignedTargetingOptions"].as_array().unwrap();
    assert_eq!(options.len(), 2, "nothing of what failed is there");
    let first = options[0]["assignedTargetingOption"]["assignedTargetingOptionId"].clone();
    let deletions =
        json!([{ "targetingType": "TARGETING_TYPE_GEO_REGION", "assignedTargetingOptionIds": [first] }]);
    edit(
        &mut b,
        json!([create("AGE_RANGE", json!([age("25_34"), age("18_24")]))]),
        deletions,
    );
    assert_eq!(
        get(&mut b.world, &query)["lineItemAssignedTargetingOptions"]
            .as_array()
            .unwrap()
            .len(),
        3
    );
    let unknown = json!({ "lineItemIds": [b.line], "createRequest": [] });
    refused(
        post(
            &mut b.world,
            "lineItems:bulkEditAssignedTargetingOptions",
            unknown,
        ),
        "Unknown name",
    );
    let nobody = json!({ "createRequests": [] });
    refused(
        post(&mut b.world, "lineItems:bulkEditAssignedTargetingOptions", nobody),
        "lineItemIds is missing",
    );
    let single = format!(
        "lineItems/{}/targetingTypes/TARGETING_TYPE_AGE_RANGE/assignedTargetingOptions",
        b.line
    );
    let by_alias = get(&mut b.world, &format!("{single}/AGE_RANGE_18_24"));
    assert_eq!(by_alias["ageRangeDetails"]["ageRange"], "AGE_RANGE_18_24");
}

/// "Requests to this endpoint cannot be made concurrently with … requests updating the same line item."
#[test]
fn of_two_writes_on_one_line_item_at_once_the_second_is_aborted() {
    let mut b = built();
    b.world.switches.latency_ms = 60_000;
    let line = format!("lineItems/{}", b.line);
    let name = |name: &str| json!({ "displayName": name });
    assert_eq!(patch(&mut b.world, &line, "displayName", name("a")).0, 200);
    let (status, body) = patch(&mut b.world, &line, "displayName", name("b"));
    // Rule: dv360.one-write-per-line-item-at-a-time
    assert_eq!((status, &body["error"]["status"]), (409, &json!("ABORTED")));
    let edit = json!({ "lineItemIds": [b.line], "createRequests": [], "deleteRequests": [] });
    let (status, _) = post(&mut b.world, "lineItems:bulkEditAssignedTargetingOptions", edit);
    assert_eq!(status, 409);
    let order = format!("insertionOrders/{}", b.order);
    assert_eq!(
        patch(&mut b.world, &order, "displayName", name("b")).0,
        200,
        "others are not busy"
    );
    b.world.switches.latency_ms = 0;
    let second = line_of(&b);
    let other = id(post(&mut b.world, "lineItems", second), "lineItemId");
    let other = format!("lineItems/{other}");
    for n in 0..3 {
        assert_eq!(
            patch(&mut b.world, &other, "displayName", name(&n.to_string())).0,
            200,
            "one after another"
        );
    }
}

fn line_of(b: &Built) -> Value {
    line(&b.order, &b.creative)
}

/// <https://developers.google.com/display-video/api/limits>
#[test]
fn a_quota_that_is_used_up_is_a_429_and_comes_back() {
    let mut world = World::new(7, 0);
    let quota = json!({ "requests": 5, "writes": 2, "minute_ms": 3_600_000 });
    accounts::configure(&mut world, "99", "quota", &quota).unwrap();
    assert_eq!(post(&mut world, "campaigns", campaign()).0, 200);
    assert_eq!(post(&mut world, "campaigns", campaign()).0, 200);
    let (status, body) = post(&mut world, "campaigns", campaign());
    assert_eq!(
        (status, &body["error"]["status"]),
        (429, &json!("RESOURCE_EXHAUSTED"))
    );
    assert_eq!(
        call(&mut world, Method::GET, "campaigns", &Value::Null).0,
        200,
        "reads go on"
    );
    assert_eq!(call(&mut world, Method::GET, "campaigns", &Value::Null).0, 200);
    assert_eq!(call(&mut world, Method::GET, "campaigns", &Value::Null).0, 429);
    let other = raw(
        &mut world,
        &Method::GET,
        "/v4/advertisers/98/campaigns",
        "application/json",
        b"",
    );
    assert_eq!(other.0, 200, "each advertiser has its own");
    accounts::configure(&mut world, "99", "quota", &json!({ "minute_ms": 1 })).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(3));
    assert_eq!(post(&mut world, "campaigns", campaign()).0, 200, "a minute later");
}

/// <https://developers.google.com/display-video/api/limits>: 300 requests and 150 writes a minute an advertiser, 1,500 and 700 a
/// project.
#[test]
fn the_vendors_own_quotas_hold_for_an_advertiser_and_for_all_of_a_project() {
    let mut world = World::new(7, 0);
    world.switches.quota_speed = 1;
    let mut write = |advertiser: u32| {
        let path = format!("/v4/advertisers/{advertiser}/campaigns");
        let body = campaign().to_string();
        raw(
            &mut world,
            &Method::POST,
            &path,
            "application/json",
            body.as_bytes(),
        )
    };
    for advertiser in 90..94 {
        for _ in 0..150 {
            assert_eq!(write(advertiser).0, 200);
        }
        let (status, body) = write(advertiser);
        assert_eq!(status, 429);
        assert!(
            body["error"]["message"]
                .as_str()
                .unwrap()
                .contains("per advertiser")
        );
    }
    for _ in 600..700 {
        assert_eq!(write(94).0, 200, "another advertiser has its own");
    }
    let (status, body) = write(95);
    assert_eq!(status, 429, "until the project's are used up");
    assert!(!body["error"]["message"].as_str().unwrap().contains("advertiser"));
}

/// <https://developers.google.com/display-video/api/guides/how-tos/upload#multipart>
#[test]
fn an_asset_is_uploaded_in_one_multipart_request() {
    let mut world = World::new(7, 0);
    let path = "/upload/v4/advertisers/99/assets?uploadType=multipart";
    let multipart = |description: &str| {
        format!(
            "--b\r\nContent-Type: application/json\r\n\r\n{description}\r\n--b\r\nContent-Type: image/png\r\n\r\n\u{1}PNG\r\n--b--\r\n"
        )
    };
    let kind = "multipart/related; boundary=b";
    let mut send =
        |path: &str, kind: &str, body: &str| raw(&mut world, &Method::POST, path, kind, body.as_bytes());
    let (status, body) = send(path, kind, &multipart(r#"{"filename":"a.png"}"#));
    assert_eq!(status, 200, "{body}");
    assert!(body["asset"]["mediaId"].as_str().unwrap().parse::<u64>().is_ok());
    for (description, why) in [
        (r#"{"filename":"a"}"#, "extension"),
        ("{}", "filename is missing"),
        (r#"{"file_name":"a.png"}"#, "Unknown name"),
        ("x", "Malformed"),
    ] {
        refused(send(path, kind, &multipart(description)), why);
    }
    refused(send(path, "image/png", "x"), "Malformed");
    let simple = "/upload/v4/advertisers/99/assets?uploadType=media";
    refused(
        send(simple, kind, &multipart(r#"{"filename":"a.png"}"#)),
        "uploadType=multipart",
    );
}

#[test]
fn bulk_updates_say_what_became_of_each() {
    let mut b = built();
    let body = json!({ "lineItemIds": [b.line, "1"], "updateMask": "entityStatus",
        "targetLineItem": { "entityStatus": "ENTITY_STATUS_PAUSED" } });
    let (status, done) = post(&mut b.world, "lineItems:bulkUpdate", body.clone());
    assert_eq!(status, 200, "{done}");
    assert_eq!(done["updatedLineItemIds"], json!([b.line]));
    assert_eq!(done["failedLineItemIds"], json!(["1"]));
    assert_eq!(done["errors"][0]["code"], 5);
    let (_, again) = post(&mut b.world, "lineItems:bulkUpdate", body.clone());
    assert_eq!(again["skippedLineItemIds"], json!([b.line]));
    let name = with(body, "/updateMask", json!("displayName"));
    refused(
        post(&mut b.world, "lineItems:bulkUpdate", name),
        "can be updated in bulk",
    );
}

#[test]
fn reviews_and_advertisers_are_as_the_world_says() {
    let mut b = built();
    b.world.switches.disapprove = vec!["cr1".into()];
    let creative = format!("creatives/{}", b.creative);
    let shown = get(&mut b.world, &creative);
    assert_eq!(
        shown["reviewStatus"]["approvalStatus"],
        "APPROVAL_STATUS_REJECTED_NOT_SERVABLE"
    );
    let line = get(&mut b.world, &format!("lineItems/{}", b.line));
    assert!(
        line["warningMessages"]
            .as_array()
            .unwrap()
            .contains(&json!("NO_VALID_CREATIVE"))
    );
    accounts::configure(&mut b.world, "99", "payer", &json!("unsettled")).unwrap();
    accounts::configure(&mut b.world, "99", "account_status", &json!("PAUSED")).unwrap();
    let (_, advertiser) = raw(&mut b.world, &Method::GET, ADVERTISER, "application/json", b"");
    assert_eq!(advertiser["billingConfig"], json!({}));
    assert_eq!(advertiser["entityStatus"], "ENTITY_STATUS_PAUSED");
    assert!(
        advertiser
            .as_object()
            .unwrap()
            .keys()
            .all(|k| !k.starts_with('_'))
    );
    let audit = get_at(&mut b.world, "/v4/advertisers/99:audit");
    assert_eq!(audit["usedLineItemsCount"], "1");
    for path in [
        "/v3/advertisers/99",
        "/v4/partners/1",
        "/v4/advertisers/99/channels",
    ] {
        assert_eq!(
            raw(&mut b.world, &Method::GET, path, "application/json", b"").0,
            404,
            "{path}"
        );
    }
}

fn get_at(world: &mut World, path: &str) -> Value {
    raw(world, &Method::GET, path, "application/json", b"").1
}
