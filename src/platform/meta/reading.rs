//! What Meta shows → the normal form in which `mapping` desires. Pure.

use super::mapping::ID_PLACE;
use super::wire::{integer, utc};
use crate::domain::error::{ErrorClass, LegError};
use crate::domain::manifest::{Manifest, Serving};
use crate::domain::money::Currency;
use crate::domain::tracking::Observed;
use crate::platform::{AccountFacts, CallError, Eligibility, Found, Reading, Seen};
use serde_json::{Map, Value, json};

/// The account's facts (reference/ad-account: `account_status`, `disable_reason`).
pub(super) fn facts(account: &Value) -> Result<AccountFacts, CallError> {
    let text = |name: &str| account.get(name).and_then(Value::as_str).unwrap_or_default();
    let unreadable = |what: &str| CallError::Unavailable {
        why: format!("Meta's answer about the account has no usable {what}"),
        after: None,
    };
    let currency = Currency::parse(text("currency")).map_err(|_| unreadable("currency"))?;
    let timezone = text("timezone_name").parse().unwrap_or(chrono_tz::UTC);
    let status = account
        .get("account_status")
        .and_then(integer)
        .ok_or_else(|| unreadable("account_status"))?;
    let mut problems = Vec::new();
    match status {
        // Delivery is possible in 1 (active), 8 (pending settlement) and 9 (in grace period) only.
        1 | 8 | 9 => {}
        3 => problems.push(LegError::payer("meta", "the ad account is unsettled")),
        other => problems.push(LegError {
            platform_code: Some(format!("account_status {other}")),
            ..LegError::new(
                ErrorClass::Account,
                "meta-account",
                format!("the ad account is {}", status_name(other)),
                "mend it in Meta's account quality page, then `resume`",
            )
        }),
    }
    if account.get("disable_reason").and_then(integer) == Some(3) {
        problems.push(LegError::payer(
            "meta",
            "the ad account was disabled for a risky payment",
        ));
    }
    // "it will still be possible to create ads but these ads will get no delivery"
    if account.get("funding_source").is_none_or(Value::is_null) {
        problems.push(LegError::payer("meta", "the ad account has no payment method"));
    }
    Ok(AccountFacts {
        currency,
        timezone,
        auto_tagging: None,
        problems,
    })
}

fn status_name(status: i64) -> &'static str {
    match status {
        2 => "disabled",
        7 => "under risk review",
        100 => "about to be closed",
        101 => "closed",
        _ => "in a state that cannot launch",
    }
}

fn serving(status: &str) -> Serving {
    if status == "ACTIVE" {
        Serving::Active
    } else {
        Serving::Paused
    }
}

fn text<'v>(row: &'v Value, name: &str) -> &'v str {
    row.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A row of a look-up, for the key whose exact name it bears.
pub(super) fn found(row: &Value, names: &[(&str, &str)]) -> Option<Found> {
    let (_, key) = names.iter().find(|(name, _)| *name == text(row, "name"))?;
    let status = text(row, "status");
    if status == "DELETED" {
        return None;
    }
    let created = chrono::DateTime::parse_from_str(text(row, "created_time"), "%Y-%m-%dT%H:%M:%S%z");
    Some(Found {
        key: (*key).to_owned(),
        remote_id: text(row, "id").to_owned(),
        serving: serving(status),
        created_at: created.ok().map(|t| t.with_timezone(&chrono::Utc)),
        spent: None,
    })
}

/// What the leg looks like. `campaign` none: it is gone.
pub(super) fn reading(
    manifest: &Manifest,
    campaign: Option<&Value>,
    ad_sets: &[Value],
    ads: &[Value],
    insights: &[Value],
) -> Reading {
    let mut seen = Vec::new();
    let mut tracking = Vec::new();
    let campaign_id = manifest.campaign_id().unwrap_or_default();
    let creatives: Vec<&Value> = ads.iter().filter_map(|ad| ad.get("creative")).collect();
    for object in manifest.existing() {
        let id = object.remote_id.as_deref().unwrap_or_default();
        let row = match object.kind.as_str() {
            "campaign" => campaign.cloned(),
            "adset" => ad_sets.iter().find(|r| text(r, "id") == id).cloned(),
            "ad" => ads.iter().find(|r| text(r, "id") == id).cloned(),
            _ => creatives
                .iter()
                .find(|r| text(r, "id") == id)
                .map(|r| (*r).clone()),
        };
        let Some(row) = row else { continue };
        if matches!(text(&row, "status"), "DELETED" | "ARCHIVED") {
            continue;
        }
        if object.kind == "adcreative" {
            tracking.extend(observed(&object.key, &row));
        }
        seen.push(Seen {
            key: object.key.clone(),
            remote_id: id.to_owned(),
            serving: if object.kind == "adcreative" {
                Serving::None
            } else {
                serving(text(&row, "status"))
            },
            fields: normal(&object.kind, &row, campaign_id),
        });
    }
    Reading {
        objects: seen,
        tracking,
        auto_tagging: None,
        eligibility: eligibility(campaign, ads),
        // A campaign that never delivered has no row of insights at all.
        spent: campaign.map(|_| {
            insights
                .iter()
                .any(|r| !matches!(text(r, "spend"), "" | "0" | "0.00" | "0.0"))
        }),
    }
}

/// Tracking stands in `url_tags`, and a `utm_` in the link itself would double it.
fn observed(key: &str, creative: &Value) -> Vec<Observed> {
    let mut places = vec![Observed {
        object: key.to_owned(),
        field: "url_tags".to_owned(),
        value: text(creative, "url_tags").to_owned(),
    }];
    let story = creative.get("object_story_spec");
    for pointer in ["/link_data/link", "/video_data/call_to_action/value/link"] {
        let link = story
            .and_then(|s| s.pointer(pointer))
            .and_then(Value::as_str)
            .unwrap_or_default();
        if link.to_ascii_lowercase().contains("utm_") {
            places.push(Observed {
                object: key.to_owned(),
                field: pointer.to_owned(),
                value: link.to_owned(),
            });
        }
    }
    places
}

/// Budgets and bids as integers, times in UTC, the injected id as its place: comparable with what was desired.
fn normal(kind: &str, row: &Value, campaign_id: &str) -> Value {
    let Some(fields) = row.as_object() else {
        return Value::Null;
    };
    let mut normal = Map::new();
    for (name, value) in fields {
        let value = match (kind, name.as_str()) {
            (_, "daily_budget" | "lifetime_budget" | "bid_amount") => {
                integer(value).map_or(value.clone(), |n| json!(n))
            }
            (_, "start_time" | "end_time") => json!(utc(value.as_str().unwrap_or_default())),
            ("adcreative", "url_tags") => {
                let tags = value.as_str().unwrap_or_default();
                json!(tags.replace(
                    &format!("utm_campaign={campaign_id}&"),
                    &format!("utm_campaign={ID_PLACE}&")
                ))
            }
            (_, _) => value.clone(),
        };
        normal.insert(name.clone(), value);
    }
    Value::Object(normal)
}

fn eligibility(campaign: Option<&Value>, ads: &[Value]) -> Eligibility {
    let Some(campaign) = campaign else {
        return Eligibility::Paused;
    };
    let states: Vec<&str> = ads.iter().map(|ad| text(ad, "effective_status")).collect();
    if text(campaign, "status") != "ACTIVE" {
        return Eligibility::Paused;
    }
    if states.contains(&"ACTIVE") {
        return Eligibility::Eligible;
    }
    if let Some(ad) = ads
        .iter()
        .find(|ad| text(ad, "effective_status") == "DISAPPROVED")
    {
        let finding = ad
            .get("ad_review_feedback")
            .map(Value::to_string)
            .unwrap_or_default();
        return Eligibility::Disapproved(Box::new(LegError {
            platform_message: Some(finding.chars().take(1000).collect()),
            ..LegError::new(
                ErrorClass::Policy,
                "meta-disapproved",
                format!("Meta disapproved {}", text(ad, "name")),
                "change the creative, or ask for another review in Meta's account quality page, then `retry`",
            )
        }));
    }
    if states.contains(&"PENDING_BILLING_INFO") {
        let payer = LegError::payer("meta", "Meta waits for billing information");
        return Eligibility::Disapproved(Box::new(payer));
    }
    if states
        .iter()
        .any(|s| matches!(*s, "PENDING_REVIEW" | "IN_PROCESS" | "PREAPPROVED"))
    {
        return Eligibility::InReview;
    }
    Eligibility::Paused
}
