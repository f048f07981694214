//! Catalogs of a Business Center, as far as their health goes. Every catalog is well, unless the world says otherwise.
//!
//! `{"catalogs": {"tiktok/900001": {"critical": 3, "warning": 1, "approved": 120, "rejected": 2, "processing": 0,
//! "feed_status": "FAILED", "event_level": "ERROR"}}}`, `tiktok/*` for all. Sources: /diagnostic/catalog/,
//! /diagnostic/catalog/eventsource/issue/, /catalog/overview/, /catalog/feed/get/, /catalog/feed/log/,
//! /catalog/eventsource_bind/get/ of <https://business-api.tiktok.com/portal/docs>.

use super::errors::Fault;
use super::rules::{one_of, required, stamp};
use super::{Fields, lists, text};
use crate::sandbox::world::World;
use serde_json::{Map, Value, json};

/// The settings of a catalog, spelled as the world spells them.
struct Catalog<'a>(Option<&'a Map<String, Value>>);

impl Catalog<'_> {
    fn count(&self, name: &str, default: u64) -> u64 {
        self.0
            .and_then(|c| c.get(name))
            .and_then(Value::as_u64)
            .unwrap_or(default)
    }

    fn word(&self, name: &str, default: &str) -> String {
        let word = self.0.and_then(|c| c.get(name)).and_then(Value::as_str);
        word.unwrap_or(default).to_owned()
    }
}

/// Answers everything about a catalog.
pub(super) fn get(world: &World, path: &str, query: &Fields) -> Result<Value, Fault> {
    let (center, id) = (text(query, "bc_id"), text(query, "catalog_id"));
    for (name, value) in [("bc_id", center), ("catalog_id", id)] {
        if value.is_empty() || !value.bytes().all(|b| b.is_ascii_digit()) {
            return Err(Fault::field(name, &format!("{value} does not exist.")));
        }
    }
    let own = world.switches.catalogs.get(&format!("tiktok/{id}"));
    let catalog = Catalog(own.or_else(|| world.switches.catalogs.get("tiktok/*")));
    if catalog.word("state", "") == "no_access" {
        return Err(Fault::new(
            40_001,
            format!("No permission to operate catalog {id}."),
        ));
    }
    match path {
        "diagnostic/catalog" => diagnosis(world, &catalog, query),
        "diagnostic/catalog/eventsource/issue" => events(&catalog, query),
        "catalog/overview" => Ok(json!({
            "approved": catalog.count("approved", 120), "rejected": catalog.count("rejected", 0),
            "processing": catalog.count("processing", 0), "organic_approved": 0, "organic_rejected": 0, "organic_processing": 0,
        })),
        "catalog/feed/get" => Ok(json!({ "feed_list": [{
            "feed_id": "1", "feed_name": "Main feed", "status": "ON", "number_of_products": catalog.count("approved", 120),
        }] })),
        "catalog/feed/log" => Ok(feed_log(world, &catalog)),
        _ => {
            Ok(json!({ "event_sources": [{ "event_source_type": "PIXEL", "pixel_code": "C1SANDBOXPIXEL" }] }))
        }
    }
}

/// The daily diagnosis: pages of up to twenty issues.
fn diagnosis(world: &World, catalog: &Catalog<'_>, query: &Fields) -> Result<Value, Fault> {
    let none = Map::new();
    let filter = query.get("filtering").and_then(Value::as_object).unwrap_or(&none);
    one_of(filter, "issue_level", &["CRITICAL", "WARNING"])?;
    let mut issues = Vec::new();
    for (setting, level, title, category) in [
        ("critical", "CRITICAL", "Missing image link", "PRODUCT_ATTRIBUTES"),
        ("warning", "WARNING", "Low resolution image", "PRODUCT_ATTRIBUTES"),
    ] {
        let affected = catalog.count(setting, 0);
        let wanted = text(filter, "issue_level");
        if affected > 0 && (wanted.is_empty() || wanted == level) {
            issues.push(json!({
                "issue_id": format!("{setting}-1"), "issue_title": title, "issue_level": level, "issue_category": category,
                "reason_and_suggestion": "Mend the attribute in the feed.", "issue_product_field": "image_link",
                "affected_product_count": affected, "affected_product_percentage": 2.5, "example_affected_products": [],
            }));
        }
    }
    let (issues, info) = lists::paged(query, issues, 10, 20)?;
    Ok(json!({
        // Spelled so by the vendor.
        "diagnositic_date": world.now.format("%Y-%m-%d").to_string(), "issues": issues, "page_info": info,
    }))
}

fn events(catalog: &Catalog<'_>, query: &Fields) -> Result<Value, Fault> {
    one_of(query, "event_source_type", &["APP", "PIXEL"])?;
    match text(query, "event_source_type") {
        "APP" => required(query, "app_id")?,
        _ => required(query, "pixel_code")?,
    }
    let level = catalog.word("event_level", "INFO");
    let found = if level == "INFO" {
        "No Issues Found"
    } else {
        "You have fewer View Content events than Add to Cart events."
    };
    Ok(json!({ "list": [{ "diagnostic_result": found, "level": level, "diagnostic_solution": "" }] }))
}

fn feed_log(world: &World, catalog: &Catalog<'_>) -> Value {
    let status = catalog.word("feed_status", "SUCCESS");
    let errors = catalog.count("feed_errors", 0);
    json!({ "feed_logs": [{
        "update_status": { "process_status": status, "add_count": 0, "update_count": 120, "remove_count": 0,
            "error_count": errors, "warn_count": 0 },
        "update_time": { "start_time": stamp(world.now), "end_time": stamp(world.now) },
    }] })
}
