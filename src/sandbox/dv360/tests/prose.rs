//! Rules of DV360's prose that take more than one field to break. Each names its entry in `tests/conformance/rules.toml`.

use super::*;
use chrono::TimeDelta;

#[test]
fn a_demand_gen_line_item_has_a_budget_and_a_markup_of_its_kind() {
    let mut b = built();
    let demand = with(
        line(&b.order, &b.creative),
        "/lineItemType",
        json!("LINE_ITEM_TYPE_DEMAND_GEN"),
    );
    let demand = with(demand, "/creativeIds", json!([]));
    for (rule, pointer, value, why) in [
        (
            "dv360.demand-gen-has-a-fixed-budget",
            "/budget/budgetAllocationType",
            json!("LINE_ITEM_BUDGET_ALLOCATION_TYPE_UNLIMITED"),
            "need a fixed budget",
        ),
        (
            "dv360.demand-gen-has-a-total-markup",
            "/partnerRevenueModel/markupType",
            json!("PARTNER_REVENUE_MODEL_MARKUP_TYPE_CPM"),
            "total media cost markup",
        ),
    ] {
        let answer = post(&mut b.world, "lineItems", with(demand.clone(), pointer, value));
        bites(rule, answer, why);
    }
}

#[test]
fn what_has_begun_keeps_its_start_and_what_is_archived_takes_nothing_more() {
    let mut b = built();
    let order = format!("insertionOrders/{}", b.order);
    let day = |days: i64| {
        let today = accounts::today(&World::new(7, 0), "99") + TimeDelta::days(days);
        budgets::shown(today)
    };
    let segment = |from: i64, to: i64| {
        json!({ "budget": { "budgetSegments": [{ "budgetAmountMicros": "1000000000",
            "dateRange": { "startDate": day(from), "endDate": day(to) } }] } })
    };
    let mask = "budget.budgetSegments";
    assert_eq!(patch(&mut b.world, &order, mask, segment(2, 20)).0, 200);
    b.world.switches.clock_ahead_s = 5 * 86_400;
    bites(
        "dv360.a-start-that-has-passed-stays",
        patch(&mut b.world, &order, mask, segment(8, 20)),
        "in the past and cannot be changed",
    );
    assert_eq!(
        patch(&mut b.world, &order, mask, segment(2, 30)).0,
        200,
        "its end may move"
    );
    assert_eq!(status(&mut b.world, &order, "ARCHIVED").0, 200);
    let late = line(&b.order, &b.creative);
    bites(
        "dv360.nothing-below-what-is-archived",
        post(&mut b.world, "lineItems", late),
        "parent is archived",
    );
}

#[test]
fn budgets_below_the_advertisers_least_are_refused() {
    let mut b = built();
    accounts::configure(&mut b.world, "99", "minimum_budget", &json!("100.00")).unwrap();
    let small = with(
        order(&b.campaign),
        "/budget/budgetSegments/0/budgetAmountMicros",
        json!("99990000"),
    );
    bites(
        "dv360.order-budget-floor",
        post(&mut b.world, "insertionOrders", small),
        "cannot be too small or too large",
    );
}

#[test]
fn a_creative_keeps_its_host_and_its_texts_are_short() {
    let mut b = built();
    let made = format!("creatives/{}", b.creative);
    bites(
        "dv360.hosting-stays",
        patch(
            &mut b.world,
            &made,
            "hostingSource",
            json!({ "hostingSource": "HOSTING_SOURCE_THIRD_PARTY" }),
        ),
        "cannot be changed",
    );
    let native = with(creative(), "/creativeType", json!("CREATIVE_TYPE_NATIVE"));
    let text =
        |role: &str, length: usize| json!([{ "asset": { "content": "x".repeat(length) }, "role": role }]);
    bites(
        "dv360.native-headlines-to-25",
        post(
            &mut b.world,
            "creatives",
            with(native.clone(), "/assets", text("ASSET_ROLE_HEADLINE", 26)),
        ),
        "longer than 25",
    );
    let exit = json!({ "type": "EXIT_EVENT_TYPE_DEFAULT", "url": "https://shop.acme.example/", "name": "a" });
    bites(
        "dv360.exit-names-are-unique",
        post(
            &mut b.world,
            "creatives",
            with(native, "/exitEvents", json!([exit, exit])),
        ),
        "unique within one creative",
    );
}

#[test]
fn lists_and_bulk_updates_have_their_limits() {
    let mut b = built();
    let long = format!("campaigns?filter=displayName%3D%22{}%22", "x".repeat(500));
    for (rule, query, why) in [
        ("dv360.filters-to-500", long.as_str(), "500 characters"),
        (
            "dv360.pages-to-200",
            "campaigns?pageSize=201",
            "between 1 and 200",
        ),
        (
            "dv360.creatives-are-not-found-by-name",
            "creatives?filter=displayName%3D%22cr1%22",
            "not supported",
        ),
    ] {
        bites(rule, call(&mut b.world, Method::GET, query, &Value::Null), why);
    }
    let bulk = json!({ "lineItemIds": [b.line], "targetLineItem": { "displayName": "x" }, "updateMask": "displayName" });
    bites(
        "dv360.only-two-fields-in-bulk",
        post(&mut b.world, "lineItems:bulkUpdate", bulk),
        "can be updated in bulk",
    );
}

#[test]
fn an_advertiser_has_a_limit_of_campaigns() {
    let mut b = built();
    for n in 1..9_999 {
        let fields = json!({ "entityStatus": "ENTITY_STATUS_PAUSED" });
        b.world.store.create(crate::sandbox::store::Draft {
            vendor: NAME,
            account: "99".to_owned(),
            kind: "campaign",
            key: format!("advertisers/99/campaigns/{n}"),
            id: n.to_string(),
            parent: None,
            fields: fields.as_object().unwrap().clone(),
            what: String::new(),
        });
    }
    bites(
        "dv360.campaigns-to-9999",
        post(&mut b.world, "campaigns", campaign()),
        "too many campaigns",
    );
}
