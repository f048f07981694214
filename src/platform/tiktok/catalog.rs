//! How a catalog in TikTok's Business Center fares: its diagnostics, its review, its feeds, the events that it learns from.
//!
//! Must not judge how many errors are too many. Sources: /diagnostic/catalog/, /diagnostic/catalog/eventsource/issue/,
//! /catalog/overview/, /catalog/feed/log/ of the vendor's documentation.

use super::offers::shows_products;
use super::reading::text;
use super::settings::settings;
use super::transport::get;
use crate::domain::catalog::{CatalogHealth, Finding, Severity};
use crate::domain::error::{ErrorClass, LegError};
use crate::domain::plan::Catalog;
use crate::domain::spec::LegSpec;
use crate::platform::{CallError, Session};
use serde_json::{Value, json};

/// Issues of one page, the most there is.
const PAGE: usize = 20;
/// Pages of issues that are read; what is beyond is as bad as what came before.
const PAGES: usize = 50;

/// The catalog whose products the leg's ads show.
pub(super) fn used(spec: &LegSpec) -> Option<String> {
    let settings = settings(spec).ok().filter(|_| shows_products(spec))?;
    settings.catalog(spec).0.map(str::to_owned)
}

/// How the plan's catalog fares; none: it names none of TikTok's.
pub(super) async fn health(session: &Session, catalog: &Catalog) -> Result<Option<CatalogHealth>, CallError> {
    let Some(id) = &catalog.tiktok_catalog_id else {
        return Ok(None);
    };
    let Some(center) = &catalog.tiktok_bc_id else {
        return Err(CallError::refused(LegError {
            field: Some("/catalog/tiktok_bc_id".to_owned()),
            ..LegError::new(
                ErrorClass::Validation,
                "tiktok-catalog",
                format!("the Business Center that holds the TikTok catalog {id} is not named"),
                "set catalog.tiktok_bc_id and publish the plan again",
            )
        }));
    };
    let asked = Asked { session, center, id };
    let (issues, overview, feeds, events) =
        futures::join!(asked.issues(), asked.overview(), asked.feeds(), asked.events());
    let mut findings = issues?;
    findings.extend(overview?);
    findings.extend(feeds?);
    findings.extend(events?);
    Ok(Some(CatalogHealth {
        catalog_id: id.clone(),
        name: format!("TikTok catalog {id}"),
        findings,
    }))
}

fn whole(severity: Severity, code: &str, title: String) -> Finding {
    Finding {
        severity,
        code: code.to_owned(),
        title,
        affected: None,
        countries: Vec::new(),
        link: None,
    }
}

fn rows(data: &Value, name: &str) -> Vec<Value> {
    data.get(name)
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default()
}

struct Asked<'a> {
    session: &'a Session,
    center: &'a str,
    id: &'a str,
}

impl Asked<'_> {
    async fn get(&self, path: &str, more: &[(&str, Value)]) -> Result<Value, CallError> {
        let mut query = vec![("bc_id", json!(self.center)), ("catalog_id", json!(self.id))];
        query.extend_from_slice(more);
        get(self.session, path, &query).await
    }

    /// What the daily diagnosis found, of all feeds.
    async fn issues(&self) -> Result<Vec<Finding>, CallError> {
        let mut findings = Vec::new();
        for page in 1..=PAGES {
            let more = [
                ("feed_id", json!("ALL")),
                ("page", json!(page)),
                ("page_size", json!(PAGE)),
            ];
            let data = self.get("/diagnostic/catalog/", &more).await?;
            findings.extend(rows(&data, "issues").iter().map(issue));
            let pages = data.pointer("/page_info/total_page").and_then(Value::as_u64);
            if pages.is_none_or(|pages| pages <= page as u64) {
                break;
            }
        }
        Ok(findings)
    }

    /// A catalog of which nothing was approved shows nothing.
    async fn overview(&self) -> Result<Vec<Finding>, CallError> {
        let data = self.get("/catalog/overview/", &[]).await?;
        let count = |name: &str| data.get(name).and_then(Value::as_u64);
        if count("approved").is_none_or(|approved| approved > 0) {
            return Ok(Vec::new());
        }
        let (rejected, processing) = (count("rejected").unwrap_or(0), count("processing").unwrap_or(0));
        let title = format!("no product is approved ({rejected} rejected, {processing} in review)");
        Ok(vec![whole(Severity::Critical, "NO_PRODUCT_APPROVED", title)])
    }

    /// Feeds whose last update failed.
    async fn feeds(&self) -> Result<Vec<Finding>, CallError> {
        let feeds = self.get("/catalog/feed/get/", &[]).await?;
        let mut findings = Vec::new();
        for feed in rows(&feeds, "feed_list").iter().chain(&rows(&feeds, "list")) {
            let feed_id = text(feed, "feed_id");
            let data = self
                .get("/catalog/feed/log/", &[("feed_id", json!(feed_id))])
                .await?;
            let mut logs = rows(&data, "feed_logs");
            logs.sort_by_key(|log| log.pointer("/update_time/start_time").map(Value::to_string));
            let last = logs.last().and_then(|log| log.get("update_status"));
            let status = last.map(|s| text(s, "process_status")).unwrap_or_default();
            let errors = last
                .and_then(|s| s.get("error_count"))
                .and_then(Value::as_u64)
                .unwrap_or(0);
            if status == "FAILED" {
                let title = format!("the last update of feed {} failed", text(feed, "feed_name"));
                findings.push(whole(Severity::Critical, "FEED_FAILED", title));
            } else if errors > 0 {
                findings.push(Finding {
                    affected: Some(errors),
                    ..whole(
                        Severity::Warning,
                        "FEED_ERRORS",
                        format!(
                            "the last update of feed {} left products as they were",
                            text(feed, "feed_name")
                        ),
                    )
                });
            }
        }
        Ok(findings)
    }

    /// What is wrong with the events of the pixels and apps that are bound to the catalog.
    async fn events(&self) -> Result<Vec<Finding>, CallError> {
        let bound = self.get("/catalog/eventsource_bind/get/", &[]).await?;
        let mut findings = Vec::new();
        for source in rows(&bound, "event_sources") {
            let (kind, field) = match text(&source, "event_source_type") {
                "APP" => ("APP", "app_id"),
                _ => ("PIXEL", "pixel_code"),
            };
            let id = text(&source, field);
            let more = [("event_source_type", json!(kind)), (field, json!(id))];
            let data = self.get("/diagnostic/catalog/eventsource/issue/", &more).await?;
            for found in rows(&data, "list") {
                let severity = match text(&found, "level") {
                    "ERROR" => Severity::Critical,
                    "WARNING" => Severity::Warning,
                    _ => continue,
                };
                let title = format!("{kind} {id}: {}", text(&found, "diagnostic_result"));
                findings.push(whole(severity, "EVENT_SOURCE", title));
            }
        }
        Ok(findings)
    }
}

/// An issue of the diagnosis: critical ones need attention at once, the others are advice (`issue_level`).
fn issue(issue: &Value) -> Finding {
    let severity = if text(issue, "issue_level") == "CRITICAL" {
        Severity::Critical
    } else {
        Severity::Warning
    };
    let count = issue.get("affected_product_count").and_then(Value::as_u64);
    Finding {
        severity,
        code: text(issue, "issue_category").to_owned(),
        title: text(issue, "issue_title").to_owned(),
        affected: count.filter(|n| *n > 0),
        countries: Vec::new(),
        link: None,
    }
}
