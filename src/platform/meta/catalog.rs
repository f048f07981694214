//! How a product catalog fares: its feeds' last uploads with their errors, and Meta's own diagnostics.
//!
//! Must not judge how much is too much (`domain::catalog` does); here is said what is critical: an upload error of severity
//! `fatal` (its products are not there), a feed that brought nothing, never finished or stands still, and a diagnosis that
//! must be fixed and keeps ads of products (`da`) from being shown (reference/product-feed-upload,
//! reference/product-catalog/diagnostics, catalog/guides/diagnostics-api).

use super::transport::{get, list};
use super::wire::integer;
use super::{VERSION, errors};
use crate::clock::{Clock, SystemClock};
use crate::domain::catalog::{CatalogHealth, Finding, Severity};
use crate::domain::error::{ErrorClass, LegError};
use crate::platform::{CallError, Session};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

/// Where a person mends it.
const LINK: &str = "https://business.facebook.com/commerce";
/// An upload that has not ended by then never will.
const ENDLESS: TimeDelta = TimeDelta::hours(24);
/// A schedule's fetches that may fail before the feed counts as standing still.
const MISSED: i32 = 3;

/// Asks Meta about a catalog.
pub(super) async fn health(session: &Session, catalog: &str) -> Result<CatalogHealth, CallError> {
    let path = format!("{VERSION}/{catalog}");
    let fields = [("fields", "id,name,product_count".to_owned())];
    let head = get(session, &path, &fields)
        .await
        .map_err(|error| unseen(catalog, error))?;
    let feeds_path = format!("{path}/product_feeds");
    let feed_fields = [("fields", "id,name,schedule{interval}".to_owned())];
    let diagnostics_path = format!("{path}/diagnostics");
    let asked = [("fields", DIAGNOSTIC_FIELDS.to_owned())];
    let (feeds, diagnostics) = futures::join!(
        list(session, &feeds_path, &feed_fields),
        list(session, &diagnostics_path, &asked),
    );
    let mut seen = Vec::new();
    for feed in feeds? {
        let upload = last_upload(session, &feed).await?;
        let errors = match upload.as_ref().and_then(|u| u.get("id")).and_then(Value::as_str) {
            Some(id) => {
                let query = [
                    ("error_priority", "HIGH".to_owned()),
                    ("fields", ERROR_FIELDS.to_owned()),
                ];
                list(session, &format!("{VERSION}/{id}/errors"), &query).await?
            }
            None => Vec::new(),
        };
        seen.push(Feed { feed, upload, errors });
    }
    Ok(told(catalog, &head, &seen, &diagnostics?, SystemClock.now()))
}

/// Meta says the same of what is not there and of what the token may not see (100/33, reference: error codes).
fn unseen(catalog: &str, error: CallError) -> CallError {
    match error {
        CallError::Refused(refusal) if refusal.code == errors::GONE => CallError::refused(LegError {
            platform_code: refusal.platform_code.clone(),
            platform_message: refusal.platform_message.clone(),
            ..LegError::new(
                ErrorClass::Account,
                "meta-catalog",
                format!("catalog {catalog} cannot be seen: {}", refusal.message),
                "correct the plan's catalog.meta_catalog_id, or give the app's system user access to it in Meta's business settings",
            )
        }),
        other @ (CallError::Refused(_) | CallError::Unavailable { .. } | CallError::Unclear { .. }) => other,
    }
}

const UPLOAD_FIELDS: &str = "id,start_time,end_time,error_count,warning_count,num_detected_items,num_persisted_items,\
    num_invalid_items,input_method";
const ERROR_FIELDS: &str = "id,summary,description,severity,total_count,error_type,affected_surfaces";
const DIAGNOSTIC_FIELDS: &str = "type,severity,title,subtitle,error_code,affected_entity,number_of_affected_items,\
    number_of_affected_entities,affected_channels,diagnostics";

/// The newest upload of a feed, by its start.
async fn last_upload(session: &Session, feed: &Value) -> Result<Option<Value>, CallError> {
    let id = text(feed, "id");
    let query = [("fields", UPLOAD_FIELDS.to_owned())];
    let uploads = list(session, &format!("{VERSION}/{id}/uploads"), &query).await?;
    Ok(uploads.into_iter().max_by_key(|u| at(u, "start_time")))
}

/// A feed with its last upload and that one's errors.
struct Feed {
    feed: Value,
    upload: Option<Value>,
    errors: Vec<Value>,
}

fn text<'v>(row: &'v Value, name: &str) -> &'v str {
    row.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn count(row: &Value, name: &str) -> Option<u64> {
    row.get(name)
        .and_then(integer)
        .and_then(|n| u64::try_from(n).ok())
}

fn at(row: &Value, name: &str) -> Option<DateTime<Utc>> {
    let parsed = DateTime::parse_from_str(text(row, name), "%Y-%m-%dT%H:%M:%S%z");
    Some(parsed.ok()?.with_timezone(&Utc))
}

fn finding(severity: Severity, code: &str, title: String, affected: Option<u64>) -> Finding {
    Finding {
        severity,
        code: code.to_owned(),
        title: title.chars().take(200).collect(),
        affected,
        countries: Vec::new(),
        link: Some(LINK.to_owned()),
    }
}

fn told(
    catalog: &str,
    head: &Value,
    feeds: &[Feed],
    diagnostics: &[Value],
    now: DateTime<Utc>,
) -> CatalogHealth {
    let mut findings = Vec::new();
    if count(head, "product_count") == Some(0) {
        let title = "The catalog has no products".to_owned();
        findings.push(finding(Severity::Critical, "NO_PRODUCTS", title, None));
    }
    for feed in feeds {
        findings.extend(standing(feed, now));
        findings.extend(feed.errors.iter().filter_map(upload_error));
    }
    findings.extend(diagnostics.iter().map(diagnosis));
    CatalogHealth {
        catalog_id: catalog.to_owned(),
        name: format!("Meta catalog {catalog}"),
        findings,
    }
}

/// What the last upload as a whole says: nothing came of it, it never ended, or it is too long ago for its schedule.
fn standing(feed: &Feed, now: DateTime<Utc>) -> Option<Finding> {
    let name = match text(&feed.feed, "name") {
        "" => text(&feed.feed, "id"),
        name => name,
    };
    let critical = |code, title| Some(finding(Severity::Critical, code, title, None));
    let Some(upload) = &feed.upload else {
        let title = format!("Feed {name} was never uploaded");
        return Some(finding(Severity::Warning, "NEVER_UPLOADED", title, None));
    };
    let started = at(upload, "start_time")?;
    if upload.get("end_time").is_none_or(Value::is_null) {
        return if now - started > ENDLESS {
            critical(
                "UPLOAD_FAILED",
                format!("The last upload of feed {name} never ended"),
            )
        } else {
            None
        };
    }
    if count(upload, "num_persisted_items") == Some(0) {
        return critical(
            "NOTHING_UPLOADED",
            format!("The last upload of feed {name} brought no products"),
        );
    }
    let interval = match feed.feed.pointer("/schedule/interval").and_then(Value::as_str)? {
        "HOURLY" | "DAILY" => TimeDelta::days(1),
        "WEEKLY" => TimeDelta::days(7),
        "MONTHLY" => TimeDelta::days(31),
        _ => return None,
    };
    if now - started > interval * MISSED {
        return critical(
            "FEED_STANDS_STILL",
            format!("Feed {name} was last uploaded {}", started.date_naive()),
        );
    }
    None
}

/// Errors of an upload: `fatal` ones cost their products.
fn upload_error(error: &Value) -> Option<Finding> {
    let severity = match text(error, "severity") {
        "fatal" => Severity::Critical,
        "warning" => Severity::Warning,
        _ => return None,
    };
    let code = match text(error, "error_type") {
        "" => text(error, "id"),
        code => code,
    };
    let affected = Some(count(error, "total_count").unwrap_or(1));
    Some(finding(
        severity,
        code,
        text(error, "summary").to_owned(),
        affected,
    ))
}

/// Diagnoses of single items count as many as they affect; one of the catalog as a whole (no event source, say) is whole.
fn diagnosis(group: &Value) -> Finding {
    let must = text(group, "severity") == "MUST_FIX";
    let channels = group.get("affected_channels").and_then(Value::as_array);
    // Without a channel it is about all of them.
    let ads = channels.is_none_or(|c| c.is_empty() || c.contains(&json!("da")));
    let severity = if must && ads {
        Severity::Critical
    } else {
        Severity::Warning
    };
    let inner = group.get("diagnostics").and_then(Value::as_array);
    let unconnected = inner.into_iter().flatten().any(|d| {
        matches!(
            text(d, "type"),
            "CATALOG_NOT_CONNECTED_TO_EVENT_SOURCE" | "APP_HAS_NO_AEM_SETUP"
        )
    });
    let whole = unconnected || text(group, "affected_entity") == "product_catalog";
    let items = ["number_of_affected_items", "number_of_affected_entities"];
    let affected = items
        .iter()
        .find_map(|name| count(group, name).filter(|n| *n > 0));
    let mut title = text(group, "title").to_owned();
    if let Some(code) = count(group, "error_code") {
        title.push_str(&format!(" [{code}]"));
    }
    finding(severity, text(group, "type"), title, affected.filter(|_| !whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        "2026-11-20T00:00:00Z".parse().expect("a time")
    }

    fn codes(health: &CatalogHealth, severity: Severity) -> Vec<(&str, Option<u64>)> {
        let of = health.findings.iter().filter(|f| f.severity == severity);
        of.map(|f| (f.code.as_str(), f.affected)).collect()
    }

    fn feed(schedule: &str, upload: Value, errors: Value) -> Feed {
        Feed {
            feed: json!({ "id": "7", "name": "Shop", "schedule": { "interval": schedule } }),
            upload: Some(upload).filter(|u| !u.is_null()),
            errors: errors.as_array().expect("a list").clone(),
        }
    }

    #[test]
    fn an_upload_that_failed_or_stands_still_stops_the_whole_catalog() {
        let day = |d: u32| format!("2026-11-{d:02}T06:00:00+0000");
        let done = |start: u32, items: u64| json!({ "id": "8", "start_time": day(start), "end_time": day(start), "num_persisted_items": items });
        let critical = |feed: Feed| {
            let health = told("5", &json!({ "product_count": 3 }), &[feed], &[], now());
            codes(&health, Severity::Critical)
                .first()
                .map(|(code, affected)| ((*code).to_owned(), *affected))
        };
        let whole = |code: &str| Some((code.to_owned(), None));
        assert_eq!(critical(feed("DAILY", done(19, 5), json!([]))), None);
        assert_eq!(
            critical(feed("DAILY", done(19, 0), json!([]))),
            whole("NOTHING_UPLOADED")
        );
        assert_eq!(
            critical(feed("DAILY", done(10, 5), json!([]))),
            whole("FEED_STANDS_STILL")
        );
        assert_eq!(critical(feed("WEEKLY", done(10, 5), json!([]))), None);
        assert_eq!(
            critical(feed("", done(1, 5), json!([]))),
            None,
            "by hand, whenever"
        );
        let endless = |start| json!({ "id": "8", "start_time": day(start) });
        assert_eq!(
            critical(feed("DAILY", endless(17), json!([]))),
            whole("UPLOAD_FAILED")
        );
        assert_eq!(
            critical(feed("DAILY", endless(19), json!([]))),
            None,
            "still running"
        );
        assert_eq!(critical(feed("DAILY", Value::Null, json!([]))), None);
        let empty = told("5", &json!({ "product_count": 0 }), &[], &[], now());
        assert_eq!(codes(&empty, Severity::Critical), [("NO_PRODUCTS", None)]);
    }

    #[test]
    fn fatal_errors_count_by_product_and_warnings_are_only_told() {
        let errors = json!([
            { "id": "1", "severity": "fatal", "error_type": "MISSING_PRICE", "summary": "No price", "total_count": 4 },
            { "id": "2", "severity": "warning", "error_type": "LONG_TITLE", "summary": "Long", "total_count": "2" },
            { "id": "3", "severity": "odd" },
        ]);
        let upload = json!({ "id": "8", "start_time": "2026-11-19T06:00:00+0000", "end_time": "2026-11-19T06:10:00+0000",
            "num_persisted_items": 9 });
        let health = told("5", &json!({}), &[feed("DAILY", upload, errors)], &[], now());
        assert_eq!(codes(&health, Severity::Critical), [("MISSING_PRICE", Some(4))]);
        assert_eq!(codes(&health, Severity::Warning), [("LONG_TITLE", Some(2))]);
        assert_eq!(
            (health.catalog_id.as_str(), health.name.as_str()),
            ("5", "Meta catalog 5")
        );
    }

    #[test]
    fn only_what_must_be_fixed_for_ads_is_critical() {
        let group = |severity: &str, channels: Value, extra: Value| {
            let mut group = json!({ "type": "DA_VISIBILITY_ISSUES", "severity": severity, "title": "Hidden",
                "affected_entity": "product_item", "number_of_affected_items": 15, "affected_channels": channels });
            for (name, value) in extra.as_object().expect("fields") {
                group[name] = value.clone();
            }
            let finding = diagnosis(&group);
            (finding.severity, finding.affected)
        };
        let none = || json!({});
        assert_eq!(
            group("MUST_FIX", json!(["da", "shops"]), none()),
            (Severity::Critical, Some(15))
        );
        assert_eq!(
            group("MUST_FIX", json!(["shops"]), none()),
            (Severity::Warning, Some(15))
        );
        assert_eq!(
            group("OPPORTUNITY", json!(["da"]), none()),
            (Severity::Warning, Some(15))
        );
        assert_eq!(group("WARNING", json!(["da"]), none()).0, Severity::Warning);
        assert_eq!(
            group("MUST_FIX", json!([]), none()).0,
            Severity::Critical,
            "no channel: all"
        );
        let unconnected = json!({ "diagnostics": [{ "type": "CATALOG_NOT_CONNECTED_TO_EVENT_SOURCE" }] });
        assert_eq!(
            group("MUST_FIX", json!(["da"]), unconnected),
            (Severity::Critical, None)
        );
        let whole = json!({ "affected_entity": "product_catalog" });
        assert_eq!(
            group("MUST_FIX", json!(["da"]), whole),
            (Severity::Critical, None)
        );
    }
}
