//! What differs, as the one request that changes all of it: field masks and what they name. Pure.
//!
//! Must not touch what can never be changed (`mutations` has that refused by itself).

use super::ad_forms::{AdGroupForm, AnyAd, KeywordForm};
use super::forms::{BudgetForm, CampaignForm, IMMUTABLE};
use super::kinds::{Kind, digits, id_of};
use super::links::AssetGroupForm;
use super::mapping::form as as_json;
use super::mutations::mutate;
use crate::domain::manifest::{Desired, RemoteObject};
use crate::domain::tenant::Account;
use crate::platform::{Mutation, Op};
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// One atomic request for every field that differs.
pub(super) fn update(
    desired: &[Desired],
    existing: &HashMap<&str, &RemoteObject>,
    account: &Account,
) -> Option<Mutation> {
    let (mut objects, mut operations, mut applied) = (Vec::new(), Vec::new(), Map::new());
    for object in desired {
        let Some(present) = existing.get(object.key.as_str()) else {
            continue;
        };
        let Some(change) = change(object, present, account) else {
            continue;
        };
        operations.push(change.operation);
        applied.insert(object.key.clone(), change.applied);
        objects.push(object.key.clone());
    }
    (!objects.is_empty()).then(|| mutate(account, Op::Update { applied }, objects, operations))
}

struct Change {
    operation: Value,
    applied: Value,
}

fn change(object: &Desired, present: &RemoteObject, account: &Account) -> Option<Change> {
    let kind = Kind::parse(object.kind)?;
    let mut fields = object.fields.clone();
    // No start means "at once": a campaign that was given one keeps it, for Google lets nobody change a start that has come.
    if kind == Kind::Campaign
        && fields.get("start").is_none()
        && let Some(start) = present.applied.get("start")
    {
        fields["start"] = start.clone();
    }
    let differing: Vec<&str> = fields
        .as_object()?
        .iter()
        .filter(|(key, value)| present.applied.get(key.as_str()).unwrap_or(&Value::Null) != *value)
        // What can never change has been dealt with.
        .filter(|(key, _)| kind != Kind::Campaign || !IMMUTABLE.contains(&key.as_str()))
        .map(|(key, _)| key.as_str())
        .collect();
    let name = kind.resource_name(account, present.remote_id.as_deref()?);
    let change = match kind {
        Kind::Budget => {
            let form: BudgetForm = serde_json::from_value(fields.clone()).ok()?;
            let masks = pick(&differing, |field| form.mask(field));
            masked(kind, &as_json(&form.wire()), &name, &masks)
        }
        Kind::Campaign => {
            let form: CampaignForm = serde_json::from_value(fields.clone()).ok()?;
            let masks = pick(&differing, |field| form.mask(field));
            masked(kind, &as_json(&form.wire()), &name, &masks)
        }
        Kind::Label => masked(
            kind,
            &fields,
            &name,
            &pick(&differing, |f| (f == "name").then_some("name")),
        ),
        Kind::AdGroup => {
            let form: AdGroupForm = serde_json::from_value(fields.clone()).ok()?;
            masked(
                kind,
                &as_json(&form.wire()),
                &name,
                &pick(&differing, AdGroupForm::mask),
            )
        }
        Kind::AssetGroup => {
            let form: AssetGroupForm = serde_json::from_value(fields.clone()).ok()?;
            let masks = pick(&differing, AssetGroupForm::mask);
            masked(kind, &as_json(&form.wire()), &name, &masks)
        }
        // Another exclusion is another object.
        Kind::AdGroupCriterion if fields.get("excluded").is_some() => None,
        Kind::AdGroupCriterion if fields.get("listing_group").is_some() => {
            let masks = pick(&differing, |f| (f == "status").then_some("status"));
            masked(kind, &fields, &name, &masks)
        }
        Kind::AdGroupCriterion => {
            let form: KeywordForm = serde_json::from_value(fields.clone()).ok()?;
            let masks = pick(&differing, |f| {
                (f == "status" && !form.negative).then_some("status")
            });
            masked(kind, &as_json(&form.wire()), &name, &masks)
        }
        Kind::AdGroupAd => return ad_change(&fields, &differing, &name, account),
        // What such a thing says is what it is: another one is another object.
        Kind::CampaignCriterion
        | Kind::CampaignLabel
        | Kind::Asset
        | Kind::CampaignAsset
        | Kind::ListingGroupFilter
        | Kind::AssetGroupAsset => None,
    };
    change.map(|operation| Change {
        operation,
        applied: fields,
    })
}

/// The text of an ad is changed on the ad, not on the link between ad and ad group.
fn ad_change(fields: &Value, differing: &[&str], name: &str, account: &Account) -> Option<Change> {
    let ad = AnyAd::of(fields)?;
    let masks = pick(differing, |field| ad.mask(field));
    let (_, ad_id) = id_of(name)?.split_once('~')?;
    let ad_name = format!("customers/{}/ads/{ad_id}", digits(&account.account_id));
    let resource = only(&as_json(&ad.wire_ad()), &ad_name, &masks)?;
    Some(Change {
        operation: json!({"adOperation": {"update": resource, "updateMask": masks.join(",")}}),
        applied: fields.clone(),
    })
}

fn pick(differing: &[&str], mask: impl Fn(&str) -> Option<&'static str>) -> Vec<&'static str> {
    let mut masks: Vec<&'static str> = differing.iter().filter_map(|field| mask(field)).collect();
    masks.dedup();
    masks
}

pub(super) fn masked(kind: Kind, resource: &Value, name: &str, masks: &[&'static str]) -> Option<Value> {
    Some(kind.update(only(resource, name, masks)?, masks))
}

/// Of the resource only what the mask names. What is masked and not there is thereby cleared.
fn only(resource: &Value, name: &str, masks: &[&'static str]) -> Option<Value> {
    if masks.is_empty() {
        return None;
    }
    let mut kept = json!({ "resourceName": name });
    for mask in masks {
        let (mut from, mut into) = (Some(resource), &mut kept);
        let mut parts = mask.split('.').peekable();
        while let Some(part) = parts.next() {
            from = from.and_then(|from| from.get(part));
            match (from, parts.peek()) {
                (Some(value), None) => into[part] = value.clone(),
                // An empty message still chooses itself among its alternatives.
                (Some(_), Some(_)) if into.get(part).is_none() => into[part] = json!({}),
                (Some(_), Some(_)) => {}
                (None, _) => break,
            }
            into = &mut into[part];
        }
    }
    Some(kept)
}
