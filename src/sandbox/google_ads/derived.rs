//! What Google Ads works out instead of storing: serving status, review, reference counts, metrics.
//!
//! Computed when read, from the objects and the switches. Must not store anything.

use super::accounts::today;
use super::{NAME, campaigns};
use crate::sandbox::store::{Handle, Object};
use crate::sandbox::world::{World, mentions};
use serde_json::{Value, json};

/// A metric of an object. All its spending is its own: nothing is summed up from its children.
pub(super) fn metric(object: &Object, name: &str) -> Value {
    match name {
        "costMicros" => object.spend_micros.to_string().into(),
        "clicks" | "impressions" | "interactions" => {
            let n = if object.spend_micros > 0 {
                object.spend_micros / 500_000 + 1
            } else {
                0
            };
            n.to_string().into()
        }
        _ => json!(0),
    }
}

/// A segment; the sandbox knows only today.
pub(super) fn segment(world: &World, object: &Object, name: &str) -> Option<Value> {
    (name == "date").then(|| {
        today(world, &object.account)
            .format("%Y-%m-%d")
            .to_string()
            .into()
    })
}

/// A field that is not stored, or None if it is not one of those.
pub(super) fn field(world: &World, handle: Handle, path: &[String]) -> Option<Value> {
    let object = world.store.get(handle);
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    match (object.kind, &path[..]) {
        ("campaign", ["primaryStatus"]) => Some(primary(world, object).0.into()),
        ("campaign", ["primaryStatusReasons"]) => Some(json!(primary(world, object).1)),
        ("campaign", ["missingEuPoliticalAdvertisingDeclaration"]) => {
            Some((!campaigns::declared(object)).into())
        }
        ("campaign", ["servingStatus"]) => Some(serving(world, object).into()),
        ("campaign" | "ad_group", ["labels"]) => Some(json!(labels(world, object))),
        ("campaign_budget", ["referenceCount"]) => Some(users(world, object).len().to_string().into()),
        ("ad_group_ad" | "asset_group_asset", ["policySummary", what]) => policy(world, handle, what),
        ("asset_group", ["primaryStatus"]) => Some(group(world, handle).0.into()),
        ("asset_group", ["primaryStatusReasons"]) => Some(json!(group(world, handle).1)),
        ("ad_group", ["primaryStatus"]) | ("ad_group_ad", ["primaryStatus"]) => {
            let status = object.text("status");
            Some(if status == "ENABLED" { "ELIGIBLE" } else { status }.into())
        }
        _ => None,
    }
}

fn date(object: &Object, field: &str) -> String {
    object.text(field).chars().take(10).collect()
}

fn serving(world: &World, campaign: &Object) -> &'static str {
    let today = today(world, &campaign.account).format("%Y-%m-%d").to_string();
    let (start, end) = (date(campaign, "startDateTime"), date(campaign, "endDateTime"));
    if !end.is_empty() && end < today {
        "ENDED"
    } else if start > today {
        "PENDING"
    } else {
        "SERVING"
    }
}

fn primary(world: &World, campaign: &Object) -> (&'static str, Vec<&'static str>) {
    match campaign.text("status") {
        "REMOVED" => return ("REMOVED", vec!["CAMPAIGN_REMOVED"]),
        "PAUSED" => return ("PAUSED", vec!["CAMPAIGN_PAUSED"]),
        _ => {}
    }
    match serving(world, campaign) {
        "ENDED" => return ("ENDED", vec!["CAMPAIGN_ENDED"]),
        "PENDING" => return ("PENDING", vec!["CAMPAIGN_PENDING"]),
        _ => {}
    }
    let alive = |kind: &'static str, of: &Object| -> Vec<Handle> {
        of.children
            .iter()
            .copied()
            .filter(|h| {
                let child = world.store.get(*h);
                child.kind == kind && child.text("status") == "ENABLED"
            })
            .collect()
    };
    if campaign.text("advertisingChannelType") == "PERFORMANCE_MAX" {
        let groups = alive("asset_group", campaign);
        let states: Vec<&str> = groups.iter().map(|g| group(world, *g).0).collect();
        return if states.is_empty() {
            ("NOT_ELIGIBLE", vec!["NO_ASSET_GROUPS"])
        } else if states.iter().all(|s| *s == "NOT_ELIGIBLE") {
            ("NOT_ELIGIBLE", vec!["HAS_ASSET_GROUPS_DISAPPROVED"])
        } else if states.iter().all(|s| *s == "PENDING") {
            ("PENDING", vec!["MOST_ASSET_GROUPS_UNDER_REVIEW"])
        } else {
            ("ELIGIBLE", Vec::new())
        };
    }
    let groups = alive("ad_group", campaign);
    if groups.is_empty() {
        return ("NOT_ELIGIBLE", vec!["NO_AD_GROUPS"]);
    }
    let ads: Vec<Handle> = groups
        .iter()
        .flat_map(|g| alive("ad_group_ad", world.store.get(*g)))
        .collect();
    if ads.is_empty() {
        return ("NOT_ELIGIBLE", vec!["NO_AD_GROUP_ADS"]);
    }
    let verdicts: Vec<&str> = ads.iter().map(|ad| verdict(world, *ad)).collect();
    if verdicts.iter().all(|v| *v == "DISAPPROVED") {
        ("NOT_ELIGIBLE", vec!["HAS_ADS_DISAPPROVED"])
    } else if verdicts.iter().all(|v| *v == "PENDING") {
        ("PENDING", vec!["MOST_ADS_UNDER_REVIEW"])
    } else {
        ("ELIGIBLE", Vec::new())
    }
}

/// An asset group's own status, by the review of what is linked to it.
fn group(world: &World, handle: Handle) -> (&'static str, Vec<&'static str>) {
    let object = world.store.get(handle);
    match object.text("status") {
        "REMOVED" => return ("REMOVED", vec!["ASSET_GROUP_REMOVED"]),
        "PAUSED" => return ("PAUSED", vec!["ASSET_GROUP_PAUSED"]),
        _ => {}
    }
    let links = object.children.iter().copied().filter(|h| {
        let link = world.store.get(*h);
        link.kind == "asset_group_asset" && link.text("status") != "REMOVED"
    });
    let verdicts: Vec<&str> = links.map(|h| verdict(world, h)).collect();
    if verdicts.contains(&"PENDING") {
        ("PENDING", vec!["ASSET_GROUP_UNDER_REVIEW"])
    } else if !verdicts.is_empty() && verdicts.iter().all(|v| *v == "DISAPPROVED") {
        ("NOT_ELIGIBLE", vec!["ASSET_GROUP_DISAPPROVED"])
    } else {
        let campaign = object.parent.map(|c| world.store.get(c).text("status"));
        match campaign {
            Some("PAUSED") => ("PAUSED", vec!["CAMPAIGN_PAUSED"]),
            _ => ("ELIGIBLE", Vec::new()),
        }
    }
}

fn labels(world: &World, object: &Object) -> Vec<String> {
    object
        .children
        .iter()
        .map(|h| world.store.get(*h))
        .filter(|child| child.kind.ends_with("_label") && child.text("status") != "REMOVED")
        .map(|child| child.text("label").to_owned())
        .collect()
}

/// The campaigns, not removed, that use a budget.
pub(super) fn users(world: &World, budget: &Object) -> Vec<Handle> {
    let known = budget.fields.get("_users").and_then(Value::as_array);
    let handles = known
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .filter_map(|key| world.store.find(NAME, key));
    handles
        .filter(|h| {
            let campaign = world.store.get(*h);
            campaign.text("status") != "REMOVED" && campaign.text("campaignBudget") == budget.key
        })
        .collect()
}

/// Every text by which a person could mean this ad: its own and its parents' names.
pub(super) fn ad_texts(world: &World, handle: Handle) -> Vec<String> {
    fn strings(value: &Value, out: &mut Vec<String>) {
        match value {
            Value::String(text) => out.push(text.clone()),
            Value::Array(items) => items.iter().for_each(|v| strings(v, out)),
            Value::Object(map) => map.values().for_each(|v| strings(v, out)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    let ad = world.store.get(handle);
    let mut out = Vec::new();
    if let Some(value) = ad.fields.get("ad") {
        strings(value, &mut out);
    }
    // A link shows what its asset says.
    if let Some(text) = world
        .store
        .find(NAME, ad.text("asset"))
        .and_then(|h| world.store.get(h).fields.get("textAsset"))
    {
        strings(text, &mut out);
    }
    let mut up = ad.parent;
    while let Some(parent) = up {
        let object = world.store.get(parent);
        out.push(object.text("name").to_owned());
        up = object.parent;
    }
    out
}

/// What review says about an ad: `APPROVED`, `DISAPPROVED` or `PENDING`.
fn verdict(world: &World, handle: Handle) -> &'static str {
    let switches = &world.switches;
    if switches.disapprove.is_empty() && switches.review_pending.is_empty() {
        return "APPROVED";
    }
    let texts = ad_texts(world, handle);
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    if mentions(&switches.disapprove, &texts) {
        "DISAPPROVED"
    } else if mentions(&switches.review_pending, &texts) {
        "PENDING"
    } else {
        "APPROVED"
    }
}

fn policy(world: &World, handle: Handle, what: &str) -> Option<Value> {
    let verdict = verdict(world, handle);
    match what {
        "approvalStatus" if verdict == "PENDING" => Some("UNKNOWN".into()),
        "approvalStatus" => Some(verdict.into()),
        "reviewStatus" => Some(
            if verdict == "PENDING" {
                "REVIEW_IN_PROGRESS"
            } else {
                "REVIEWED"
            }
            .into(),
        ),
        "policyTopicEntries" if verdict == "DISAPPROVED" => {
            Some(json!([{"topic": "TRADEMARKS_IN_AD_TEXT", "type": "PROHIBITED"}]))
        }
        _ => None,
    }
}
