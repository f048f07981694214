//! The sandbox's Merchant API, asked as the service and the official clients ask it, and what it refuses.
//!
//! Must not use the adapter: what both got wrong would pass.

use super::answer;
use crate::sandbox::http::Call;
use crate::sandbox::world::World;
use axum::http::{HeaderMap, Method};
use serde_json::{Value, json};

fn ask(world: &mut World, path: &str, query: &str) -> (u16, Value) {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", "Bearer sandbox-token".parse().unwrap());
    let call = Call {
        method: &Method::GET,
        path,
        query,
        headers: &headers,
        body: b"",
    };
    let answer = answer(world, &call);
    (answer.status, serde_json::from_slice(&answer.body).unwrap())
}

fn world(merchant: Value) -> World {
    let mut world = World::new(1, 0);
    super::set(&mut world, &merchant).unwrap();
    world
}

fn filter(text: &str) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .append_pair("filter", text)
        .finish()
}

const AGGREGATES: &str = "/issueresolution/v1/accounts/5/aggregateProductStatuses";

#[test]
fn aggregates_are_filtered_by_context_and_country() {
    let mut world = world(json!("red"));
    let query = filter("reporting_context = \"SHOPPING_ADS\" AND country = \"DE\"");
    let (status, body) = ask(&mut world, AGGREGATES, &query);
    assert_eq!(status, 200);
    let found = body["aggregateProductStatuses"].as_array().unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["country"], "DE");
    assert_eq!(found[0]["stats"]["disapprovedCount"], "10");
    assert_eq!(found[0]["itemLevelIssues"][0]["productCount"], "10");
    for bad in [
        "severity = \"DISAPPROVED\"",
        "country = \"DE\" OR country = \"AT\"",
        "country : \"DE\"",
        "reporting_context = \"SHOPPING\"",
        "country = \"DE\" AND country = \"AT\"",
        "country = \"DE",
    ] {
        let (status, body) = ask(&mut world, AGGREGATES, &filter(bad));
        assert_eq!(status, 400, "{bad}");
        let info = &body["error"]["details"][0];
        assert_eq!(info["@type"], "type.googleapis.com/google.rpc.ErrorInfo");
        // Rule: merchant.filters-of-two-fields
        assert_eq!(info["metadata"]["REASON"], "INVALID_FILTER", "{bad}");
    }
}

#[test]
fn pages_are_25_unless_asked_otherwise_and_250_at_most() {
    let countries: Vec<String> = (0..300).map(|n| format!("C{n}")).collect();
    let mut world = world(json!({"5": {"countries": countries}}));
    let context = filter("reporting_context = \"SHOPPING_ADS\"");
    let mut page = |query: &str| {
        let (status, body) = ask(&mut world, AGGREGATES, query);
        let count = body["aggregateProductStatuses"].as_array().map_or(0, Vec::len);
        let next = body["nextPageToken"].as_str().map(str::to_owned);
        (status, count, next)
    };
    assert_eq!(page(&context).1, 25);
    let (_, count, next) = page(&format!("{context}&pageSize=1000"));
    assert_eq!(count, 250);
    let next = next.unwrap();
    assert_eq!(
        page(&format!("{context}&pageSize=1000&pageToken={next}")),
        (200, 50, None)
    );
    // "All other parameters must match the call that provided the page token."
    let other = filter("reporting_context = \"FREE_LISTINGS\"");
    // Rule: merchant.a-page-token-is-for-its-own-list
    assert_eq!(page(&format!("{other}&pageToken={next}")).0, 400);
    // Rule: merchant.page-sizes-are-counts
    assert_eq!(page("pageSize=-1").0, 400);
    assert_eq!(page("pageSize=many").0, 400);
}

#[test]
fn what_official_clients_add_is_let_through_and_the_rest_is_not() {
    let mut world = world(json!("green"));
    assert_eq!(
        ask(&mut world, AGGREGATES, "%24alt=json%3Benum-encoding%3Dint").0,
        200
    );
    assert_eq!(ask(&mut world, AGGREGATES, "page_size=3&prettyPrint=true").0, 200);
    let (status, body) = ask(&mut world, AGGREGATES, "pagesize=3");
    assert_eq!(status, 400);
    assert!(
        body["error"]["message"]
            .as_str()
            .unwrap()
            .contains("Cannot bind query parameter")
    );
    assert_eq!(ask(&mut world, "/content/v2.1/5/productstatuses", "").0, 404);
}

#[test]
fn an_account_is_named_by_its_number_and_seen_by_who_may() {
    let mut world = world(json!({"6": "no_access", "7": "not_registered", "8": "advanced"}));
    let reason = |(status, body): (u16, Value)| {
        let reason = body["error"]["details"][0]["metadata"]["REASON"].as_str();
        (status, reason.map(str::to_owned))
    };
    let mut of = |path: &str| reason(ask(&mut world, path, ""));
    assert_eq!(of("/accounts/v1/accounts/5/issues"), (200, None));
    assert_eq!(
        of("/accounts/v1/accounts/five/issues"),
        // Rule: merchant.accounts-are-numbers
        (400, Some("INVALID_NAME_PART_NOT_NUMBER".into()))
    );
    assert_eq!(
        of("/products/v1/accounts/6/products"),
        // Rule: merchant.accounts-are-seen-by-their-users
        (401, Some("PERMISSION_DENIED_ACCOUNTS".into()))
    );
    assert_eq!(
        of("/accounts/v1/accounts/7"),
        // Rule: merchant.projects-are-registered
        (401, Some("GCP_NOT_REGISTERED".into()))
    );
    let aggregates = "/issueresolution/v1/accounts/8/aggregateProductStatuses";
    // Rule: merchant.advanced-accounts-have-no-aggregates
    assert_eq!(of(aggregates), (400, Some("INVALID_ARGUMENT".into())));
    assert_eq!(of("/accounts/v1/accounts/8/issues"), (200, None));
}

#[test]
fn only_the_latest_upload_of_a_file_can_be_asked_for() {
    let mut world = world(json!({"5": {"data_sources": [
        {"id": "7", "state": "FAILED", "issues": [{"code": "encoding", "severity": "ERROR", "count": 3}]},
        {"id": "8", "input": "API"}, {"id": "9"},
    ]}}));
    let base = "/datasources/v1/accounts/5/dataSources";
    let (_, sources) = ask(&mut world, base, "");
    assert_eq!(sources["dataSources"].as_array().unwrap().len(), 3);
    let (status, upload) = ask(&mut world, &format!("{base}/7/fileUploads/latest"), "");
    assert_eq!(
        (status, upload["processingState"].as_str()),
        (200, Some("FAILED"))
    );
    assert_eq!(upload["issues"][0]["count"], "3");
    // Rule: merchant.only-the-latest-upload
    assert_eq!(ask(&mut world, &format!("{base}/7/fileUploads/1"), "").0, 400);
    // Rule: merchant.uploads-only-of-files
    assert_eq!(
        ask(&mut world, &format!("{base}/8/fileUploads/latest"), "").0,
        404
    );
    assert_eq!(
        ask(&mut world, &format!("{base}/9/fileUploads/latest"), "").0,
        404
    );
}

#[test]
fn products_carry_their_issues() {
    let mut world = world(json!({"5": {"active": 3, "item_issues": [
        {"code": "missing_gtin", "severity": "DISAPPROVED", "country": "DE", "count": 1}]}}));
    let (_, body) = ask(&mut world, "/products/v1/accounts/5/products", "pageSize=2");
    assert_eq!(body["products"].as_array().unwrap().len(), 2);
    assert!(body["nextPageToken"].is_string());
    let (status, first) = ask(&mut world, "/products/v1/accounts/5/products/en~DE~sku-1", "");
    assert_eq!(status, 200);
    let destination = &first["productStatus"]["destinationStatuses"][0];
    assert_eq!(destination["disapprovedCountries"], json!(["DE"]));
    assert_eq!(
        ask(&mut world, "/products/v1/accounts/5/products/en~DE~sku-4", "").0,
        404
    );
}

#[test]
fn a_wrong_switch_is_refused() {
    for bad in [
        json!("pink"),
        json!({"5": {"item_issues": [{"code": "x", "severity": "CRITICAL", "count": 1}]}}),
        json!({"5": {"colour": 1}}),
        json!({"5": 3}),
    ] {
        assert!(super::set(&mut World::new(1, 0), &bad).is_err(), "{bad}");
    }
}
