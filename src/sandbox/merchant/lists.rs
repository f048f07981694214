//! What an account's lists hold, made from its settings.
//!
//! Must not keep anything. Counts are int64 and therefore strings. Sources are named at each rule.

use super::world::{Settings, Source};
use super::{bad, refuse};
use crate::sandbox::google_query::Query;
use crate::sandbox::http::Answer;
use serde_json::{Value, json};

/// `ReportingContextEnum`, as `merchantapi.issueresolution_v1` lists it.
pub(super) const CONTEXTS: &[&str] = &[
    "SHOPPING_ADS",
    "DISCOVERY_ADS",
    "DEMAND_GEN_ADS",
    "DEMAND_GEN_ADS_DISCOVER_SURFACE",
    "VIDEO_ADS",
    "DISPLAY_ADS",
    "LOCAL_INVENTORY_ADS",
    "VEHICLE_INVENTORY_ADS",
    "FREE_LISTINGS",
    "FREE_LISTINGS_UCP_CHECKOUT",
    "FREE_LOCAL_LISTINGS",
    "FREE_LOCAL_VEHICLE_LISTINGS",
    "YOUTUBE_AFFILIATE",
    "YOUTUBE_SHOPPING",
    "CLOUD_RETAIL",
    "LOCAL_CLOUD_RETAIL",
    "PRODUCT_REVIEWS",
    "MERCHANT_REVIEWS",
    "YOUTUBE_CHECKOUT",
    "RENTAL_ADS",
];
/// Where every account's products are listed.
const LISTED_IN: &[&str] = &["SHOPPING_ADS", "FREE_LISTINGS"];
const HELP: &str = "https://support.google.com/merchants/answer/";

/// `accounts.issues.list`: 50 a page, 100 at most.
pub(super) fn issues(about: &Settings, account: &str, query: &Query) -> Result<Value, Answer> {
    query
        .only(&["languageCode", "timeZone", "pageSize", "pageToken"])
        .map_err(bad)?;
    let items = about
        .account_issues
        .iter()
        .map(|issue| {
            let regions: Vec<&str> = if issue.countries.is_empty() {
                about.countries.iter().map(String::as_str).collect()
            } else {
                issue.countries.iter().map(String::as_str).collect()
            };
            let destinations: Vec<Value> = issue
                .contexts
                .iter()
                .map(|context| {
                    let impacts: Vec<Value> = regions
                        .iter()
                        .map(|region| json!({"regionCode": region, "severity": issue.severity}))
                        .collect();
                    json!({"reportingContext": context, "impacts": impacts})
                })
                .collect();
            json!({
                "name": format!("accounts/{account}/issues/{}", issue.id),
                "title": issue.title.as_deref().unwrap_or(&issue.id), "severity": issue.severity,
                "impactedDestinations": destinations, "detail": "", "documentationUri": format!("{HELP}6150127"),
            })
        })
        .collect();
    query.page("accountIssues", items, 50, 100).map_err(bad)
}

/// `accounts.aggregateProductStatuses.list`: 25 a page, 250 at most.
pub(super) fn aggregates(about: &Settings, account: &str, query: &Query) -> Result<Value, Answer> {
    query.only(&["filter", "pageSize", "pageToken"]).map_err(bad)?;
    let wanted = Filter::parse(query.get("filter").unwrap_or(""))?;
    let mut items = Vec::new();
    for context in LISTED_IN {
        for country in &about.countries {
            if wanted.lets_through(context, country) {
                items.push(aggregate(about, account, context, country));
            }
        }
    }
    query
        .page("aggregateProductStatuses", items, 25, 250)
        .map_err(bad)
}

fn aggregate(about: &Settings, account: &str, context: &str, country: &str) -> Value {
    let here: Vec<_> = about
        .item_issues
        .iter()
        .filter(|i| i.context == context && i.country.as_deref().is_none_or(|c| c == country))
        .collect();
    let stopped = |resolution: &str| -> u64 {
        let of = here
            .iter()
            .filter(|i| i.severity == "DISAPPROVED" && i.resolution == resolution);
        of.map(|i| i.count).sum()
    };
    let issues: Vec<Value> = here
        .iter()
        .map(|i| {
            json!({
                "code": i.code, "severity": i.severity, "resolution": i.resolution, "attribute": i.attribute,
                "description": i.code.replace('_', " "), "detail": "", "documentationUri": format!("{HELP}6098289"),
                "productCount": i.count.to_string(),
            })
        })
        .collect();
    let mut status = json!({
        "name": format!("accounts/{account}/aggregateProductStatuses/{}~{country}", context.to_lowercase()),
        "reportingContext": context, "country": country,
        "stats": {
            "activeCount": about.active.to_string(), "pendingCount": stopped("PENDING_PROCESSING").to_string(),
            "disapprovedCount": stopped("MERCHANT_ACTION").to_string(), "expiringCount": "0",
        },
    });
    if !issues.is_empty() {
        status["itemLevelIssues"] = Value::Array(issues);
    }
    status
}

/// "Filtering is only supported by the `reporting_context` and `country` field", terms joined by `AND`
/// (<https://developers.google.com/merchant/api/reference/rest/issueresolution_v1/accounts.aggregateProductStatuses/list>).
#[derive(Default)]
struct Filter {
    context: Option<String>,
    country: Option<String>,
}

impl Filter {
    fn parse(text: &str) -> Result<Self, Answer> {
        let bad = |what: &str| {
            let message = format!("[filter] The filter is invalid: {what}");
            refuse(400, &message, "INVALID_FILTER", &[("FIELD_LOCATION", "filter")])
        };
        let mut filter = Self::default();
        if text.trim().is_empty() {
            return Ok(filter);
        }
        for term in text.split(" AND ") {
            let (field, value) = term
                .split_once('=')
                .ok_or_else(|| bad("a term is field = value"))?;
            let value = value.trim();
            let value = match value.strip_prefix('"') {
                Some(rest) => rest
                    .strip_suffix('"')
                    .ok_or_else(|| bad("an open quotation mark"))?,
                None => value,
            };
            if value.is_empty() || !value.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
                return Err(bad("a value is one name"));
            }
            let place = match field.trim() {
                "reporting_context" | "reportingContext" => {
                    if !CONTEXTS.contains(&value) {
                        return Err(bad("no such reporting context"));
                    }
                    &mut filter.context
                }
                "country" => &mut filter.country,
                _ => return Err(bad("only reporting_context and country can be filtered by")),
            };
            if place.replace(value.to_owned()).is_some() {
                return Err(bad("a field stands there twice"));
            }
        }
        Ok(filter)
    }

    fn lets_through(&self, context: &str, country: &str) -> bool {
        self.context.as_deref().is_none_or(|c| c == context)
            && self.country.as_deref().is_none_or(|c| c == country)
    }
}

/// `accounts.dataSources.list`: as many as there are, 1000 at most.
pub(super) fn sources(about: &Settings, account: &str, query: &Query) -> Result<Value, Answer> {
    query.only(&["pageSize", "pageToken"]).map_err(bad)?;
    let items = about.data_sources.iter().map(|s| rendered(s, account)).collect();
    query.page("dataSources", items, 1000, 1000).map_err(bad)
}

/// `accounts.dataSources.get`.
pub(super) fn source(about: &Settings, account: &str, id: &str) -> Option<Value> {
    let source = about.data_sources.iter().find(|s| s.id == id)?;
    Some(rendered(source, account))
}

fn rendered(source: &Source, account: &str) -> Value {
    let mut body = json!({
        "name": format!("accounts/{account}/dataSources/{}", source.id), "dataSourceId": source.id,
        "displayName": source.name.as_deref().unwrap_or("Feed"), "input": source.input,
    });
    match source.kind.as_str() {
        "supplemental" => body["supplementalProductDataSource"] = json!({}),
        "promotion" => {
            body["promotionDataSource"] = json!({"targetCountry": "DE", "contentLanguage": "de"});
        }
        _ => {
            body["primaryProductDataSource"] = json!({"feedLabel": "DE", "contentLanguage": "de"});
            if !source.countries.is_empty() {
                body["primaryProductDataSource"]["countries"] = json!(source.countries);
            }
        }
    }
    if source.input == "FILE" {
        body["fileInput"] = json!({"fileInputType": "UPLOAD", "fileName": "feed.xml"});
    }
    body
}

/// <https://developers.google.com/merchant/api/reference/rest/datasources_v1/accounts.dataSources.fileUploads/get>: "Only the `latest` alias is accepted" (`fileuploads.proto`), and only file sources
/// have one.
pub(super) fn upload(about: &Settings, account: &str, source: &str, upload: &str) -> Result<Value, Answer> {
    if upload != "latest" {
        let message = "[name] Only the `latest` alias is accepted for a file upload.";
        return Err(refuse(
            400,
            message,
            "INVALID_NAME",
            &[("FIELD_LOCATION", "name")],
        ));
    }
    let name = format!("accounts/{account}/dataSources/{source}/fileUploads/latest");
    let found = about
        .data_sources
        .iter()
        .find(|s| s.id == source && s.input == "FILE");
    let Some((source, state)) = found.and_then(|s| Some((s, s.state.as_deref()?))) else {
        return Err(refuse(
            404,
            &format!("Requested entity was not found: {name}"),
            "NOT_FOUND",
            &[],
        ));
    };
    let issues: Vec<Value> = source
        .issues
        .iter()
        .map(|i| {
            json!({
                "title": i.code, "description": i.code, "code": i.code, "count": i.count.to_string(),
                "severity": i.severity, "documentationUri": format!("{HELP}7439058"),
            })
        })
        .collect();
    let total = if state == "FAILED" { 0 } else { about.active };
    let mut body = json!({
        "name": name, "dataSourceId": source.id, "processingState": state, "uploadTime": "2026-11-01T03:00:00Z",
        "itemsTotal": total.to_string(), "itemsCreated": "0", "itemsUpdated": total.to_string(),
    });
    if !issues.is_empty() {
        body["issues"] = Value::Array(issues);
    }
    Ok(body)
}

/// Products shown one by one, at most.
const SHOWN: u64 = 60;

/// `accounts.products.list`: 25 a page, 1000 at most. The first products have the issues.
pub(super) fn products(about: &Settings, account: &str, query: &Query) -> Result<Value, Answer> {
    query.only(&["pageSize", "pageToken"]).map_err(bad)?;
    let items = (1..=about.active.min(SHOWN))
        .map(|n| made(about, account, n))
        .collect();
    query.page("products", items, 25, 1000).map_err(bad)
}

/// `accounts.products.get`: `en~DE~sku-1`.
pub(super) fn product(about: &Settings, account: &str, id: &str) -> Option<Value> {
    // Official clients send the `~` encoded.
    let decoded = id.replace("%7E", "~").replace("%7e", "~");
    let n: u64 = decoded.strip_prefix("en~DE~sku-")?.parse().ok()?;
    (1..=about.active.min(SHOWN))
        .contains(&n)
        .then(|| made(about, account, n))
}

fn made(about: &Settings, account: &str, n: u64) -> Value {
    let mine: Vec<_> = about.item_issues.iter().filter(|i| n <= i.count).collect();
    let stopped = |country: &str| {
        let here = mine
            .iter()
            .filter(|i| i.severity == "DISAPPROVED" && i.context == "SHOPPING_ADS");
        here.into_iter()
            .any(|i| i.country.as_deref().is_none_or(|c| c == country))
    };
    let (bad, good): (Vec<&str>, Vec<&str>) = about
        .countries
        .iter()
        .map(String::as_str)
        .partition(|c| stopped(c));
    let issues: Vec<Value> = mine
        .iter()
        .map(|i| {
            json!({
                "code": i.code, "severity": i.severity, "resolution": i.resolution.to_lowercase(),
                "attribute": i.attribute, "reportingContext": i.context, "description": i.code.replace('_', " "),
                "applicableCountries": i.country.as_ref().map_or_else(|| about.countries.clone(), |c| vec![c.clone()]),
            })
        })
        .collect();
    json!({
        "name": format!("accounts/{account}/products/en~DE~sku-{n}"), "offerId": format!("sku-{n}"),
        "contentLanguage": "en", "feedLabel": "DE",
        "dataSource": format!("accounts/{account}/dataSources/10001"),
        "productAttributes": {"title": format!("Product {n}")},
        "productStatus": {
            "destinationStatuses": [{
                "reportingContext": "SHOPPING_ADS", "approvedCountries": good, "disapprovedCountries": bad,
            }],
            "itemLevelIssues": issues,
        },
    })
}
