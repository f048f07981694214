//! The calls that are ready to be made. Pure.
//!
//! **Building.** The campaign, paused; then its insertion order and creatives side by side; a line item when the insertion order and
//! its creatives exist; its targeting when the line item does. Insertion order and line items are drafts, as DV360 demands.
//!
//! **On.** Line items first: under an insertion order that is not active they do not spend. Then the campaign, because an insertion
//! order cannot be active under one that is not; with only drafts below it, it does not spend either. Last the insertion order:
//! nothing spends before that one call. **Off.** The campaign alone, one call, under which nothing may spend; so on again is one
//! call too.
//!
//! **Never two writes on one line item at once** (409 ABORTED; reference/rest/v4/advertisers.lineItems/patch): whatever is
//! returned together names each line item once.

use super::mapping::{self, KINDS, ORDER, kind, named, place, put, vendor_value};
use super::{VERSION, ZONE, creatives, targeting};
use crate::domain::manifest::{Desired, Manifest, ObjectState, RemoteObject, Serving};
use crate::domain::tenant::Account;
use crate::platform::{Goal, Mutation, Op};
use serde_json::{Map, Value, json};
use std::collections::HashSet;

/// The mutations that are ready now.
pub(super) fn next(goal: Goal, desired: &[Desired], manifest: &Manifest, account: &Account) -> Vec<Mutation> {
    match goal {
        Goal::Built => build(desired, manifest, account),
        Goal::Active => activate(manifest, account),
        Goal::Paused => pause(manifest, account),
        Goal::Removed => remove(manifest, account),
    }
}

fn address(account: &Account, kind: &str, id: &str) -> Option<String> {
    let collection = mapping::kind(kind)?.collection;
    Some(format!(
        "{VERSION}/advertisers/{}/{collection}/{id}",
        account.account_id
    ))
}

/// The line item that an object is or belongs to.
fn line_of(desired: &Desired) -> Option<&str> {
    match desired.kind {
        "line_item" => Some(&desired.key),
        "targeting" => desired.parent.as_deref(),
        _ => None,
    }
}

fn build(desired: &[Desired], manifest: &Manifest, account: &Account) -> Vec<Mutation> {
    let mut touched: HashSet<&str> = HashSet::new();
    let mut ready = Vec::new();
    for wanted in desired {
        // Line items come before their targeting: what waits for one waits for the next round.
        if line_of(wanted).is_some_and(|line| touched.contains(line)) {
            continue;
        }
        let mutation = match manifest.get(&wanted.key) {
            Some(object) => match object.state {
                ObjectState::Intended => None,
                ObjectState::Created => change(wanted, object, manifest, account),
                ObjectState::Removed => create(wanted, manifest, account),
            },
            None => create(wanted, manifest, account),
        };
        if let Some(mutation) = mutation {
            touched.extend(line_of(wanted));
            ready.push(mutation);
        }
    }
    if ready.is_empty() {
        return retire(desired, manifest, account);
    }
    ready
}

fn create(wanted: &Desired, manifest: &Manifest, account: &Account) -> Option<Mutation> {
    let campaign = manifest.id("campaign");
    let mutation = |path: String, body: Value| Mutation {
        op: Op::Create,
        objects: vec![wanted.key.clone()],
        method: "POST".to_owned(),
        path,
        body,
    };
    if wanted.kind == "targeting" {
        let line = manifest.id(wanted.parent.as_deref()?)?;
        let edit = targeting::edit(line, &wanted.fields, &[])?;
        return Some(mutation(bulk_edit(account), edit));
    }
    let mut body = match wanted.kind {
        "campaign" => json!({ "entityStatus": "ENTITY_STATUS_PAUSED" }),
        "insertion_order" => json!({ "entityStatus": "ENTITY_STATUS_DRAFT", "campaignId": campaign?,
            "budget": { "budgetUnit": "BUDGET_UNIT_CURRENCY" } }),
        "line_item" => {
            json!({ "entityStatus": "ENTITY_STATUS_DRAFT", "insertionOrderId": manifest.id(ORDER)? })
        }
        // Nothing is made for a campaign that was refused.
        _ => {
            campaign?;
            creatives::body(&wanted.fields)
        }
    };
    if wanted.kind != "creative" {
        let fields = wanted.fields.as_object()?;
        for field in fields.keys() {
            if let Some(at) = place(wanted.kind, field) {
                put(&mut body, at, sent(wanted.kind, field, fields, manifest)?);
            }
        }
        if let Some(zone) = fields.get("zone") {
            body[ZONE] = zone.clone();
        }
    }
    let collection = kind(wanted.kind)?.collection;
    let path = format!("{VERSION}/advertisers/{}/{collection}", account.account_id);
    Some(mutation(path, body))
}

fn sent(kind: &str, field: &str, fields: &Map<String, Value>, manifest: &Manifest) -> Option<Value> {
    vendor_value(kind, field, fields, &|key| manifest.id(key).map(str::to_owned))
}

fn bulk_edit(account: &Account) -> String {
    format!(
        "{VERSION}/advertisers/{}/lineItems:bulkEditAssignedTargetingOptions",
        account.account_id
    )
}

/// Only what differs is sent. What DV360 does not let be changed (a line item's type) is sent all the same: its refusal names
/// the field, and nothing is changed.
fn change(
    wanted: &Desired,
    object: &RemoteObject,
    manifest: &Manifest,
    account: &Account,
) -> Option<Mutation> {
    let (fields, applied) = (wanted.fields.as_object()?, object.applied.as_object()?);
    let differs = |name: &&String| applied.get(*name) != fields.get(*name);
    let gone = applied.keys().filter(|name| !fields.contains_key(*name));
    let changed: Vec<&String> = fields.keys().filter(differs).chain(gone).collect();
    let id = object.remote_id.as_deref()?;
    let update = |method: &str, path: String, body: Value| Mutation {
        op: Op::Update {
            applied: Map::from_iter([(wanted.key.clone(), wanted.fields.clone())]),
        },
        objects: vec![wanted.key.clone()],
        method: method.to_owned(),
        path,
        body,
    };
    if changed.is_empty() {
        return None;
    }
    if wanted.kind == "targeting" {
        let line = manifest.id(wanted.parent.as_deref()?)?;
        // The ids of what is to go are known only to DV360: they are read when this is sent.
        let body = json!({ "lineItemIds": [line], WANTED: wanted.fields });
        return Some(update("POST", bulk_edit(account), body));
    }
    let (mut body, mut mask): (Value, Vec<&str>) = (json!({}), Vec::new());
    for field in changed {
        let Some(at) = place(wanted.kind, field) else {
            continue;
        };
        if mask.contains(&at) {
            continue;
        }
        // What the plan no longer has is named by the mask and missing in the body, which clears it.
        if fields.contains_key(field) {
            put(&mut body, at, sent(wanted.kind, field, fields, manifest)?);
        }
        mask.push(at);
    }
    if mask.is_empty() {
        return None;
    }
    if mask.contains(&"budget.budgetSegments") {
        // Immutable and not in the mask; a budget without it is not whole.
        body["budget"]["budgetUnit"] = json!("BUDGET_UNIT_CURRENCY");
    }
    if let Some(zone) = fields.get("zone") {
        body[ZONE] = zone.clone();
    }
    let path = format!(
        "{}?updateMask={}",
        address(account, wanted.kind, id)?,
        mask.join(",")
    );
    Some(update("PATCH", path, body))
}

/// The key under which an edit of targeting says what is wanted; it never leaves.
pub(super) const WANTED: &str = "_wanted";

/// Line items that the plan no longer has: archived, which ends their delivery and keeps their reports. They give up their
/// names, so that a look-up never takes them for new ones. A creative without a line item does nothing and stays until the leg is
/// removed.
fn retire(desired: &[Desired], manifest: &Manifest, account: &Account) -> Vec<Mutation> {
    if desired.is_empty() {
        return Vec::new();
    }
    let wanted: HashSet<&str> = desired.iter().map(|d| d.key.as_str()).collect();
    manifest
        .existing()
        .filter(|o| o.kind == "line_item" && !wanted.contains(o.key.as_str()))
        .filter_map(|object| {
            let id = object.remote_id.as_deref()?;
            let name = named(&format!(
                "~{id}~{}",
                object.name.as_deref().unwrap_or(&object.key)
            ));
            Some(Mutation {
                op: Op::Remove,
                objects: with_targeting(object, manifest),
                method: "PATCH".to_owned(),
                path: format!(
                    "{}?updateMask=entityStatus,displayName",
                    address(account, "line_item", id)?
                ),
                body: json!({ "entityStatus": "ENTITY_STATUS_ARCHIVED", "displayName": name }),
            })
        })
        .collect()
}

/// The object, and the targeting that goes with it.
fn with_targeting(object: &RemoteObject, manifest: &Manifest) -> Vec<String> {
    let below = manifest
        .existing()
        .filter(|o| o.kind == "targeting" && o.parent.as_deref() == Some(&object.key));
    std::iter::once(object.key.clone())
        .chain(below.map(|o| o.key.clone()))
        .collect()
}

fn activate(manifest: &Manifest, account: &Account) -> Vec<Mutation> {
    for kind in ["line_item", "campaign", "insertion_order"] {
        let off: Vec<Mutation> = manifest
            .existing()
            .filter(|o| o.kind == kind && o.serving == Serving::Paused)
            .filter_map(|o| serve(o, Serving::Active, account))
            .collect();
        if !off.is_empty() {
            return off;
        }
    }
    Vec::new()
}

fn pause(manifest: &Manifest, account: &Account) -> Vec<Mutation> {
    let campaign = manifest
        .existing()
        .find(|o| o.kind == "campaign" && o.serving == Serving::Active);
    campaign
        .and_then(|o| serve(o, Serving::Paused, account))
        .into_iter()
        .collect()
}

fn serve(object: &RemoteObject, serving: Serving, account: &Account) -> Option<Mutation> {
    let status = match serving {
        Serving::Active => "ENTITY_STATUS_ACTIVE",
        Serving::Paused | Serving::None => "ENTITY_STATUS_PAUSED",
    };
    let address = address(account, &object.kind, object.remote_id.as_deref()?)?;
    Some(Mutation {
        op: Op::Serve { serving },
        objects: vec![object.key.clone()],
        method: "PATCH".to_owned(),
        path: format!("{address}?updateMask=entityStatus"),
        body: json!({ "entityStatus": status }),
    })
}

/// Line items, then the insertion order, the campaign, and the creatives that nobody uses any more.
fn remove(manifest: &Manifest, account: &Account) -> Vec<Mutation> {
    for kind in ["line_item", "insertion_order", "campaign", "creative"] {
        let ready: Vec<Mutation> = manifest
            .existing()
            .filter(|o| o.kind == kind)
            .filter_map(|o| {
                let objects = with_targeting(o, manifest);
                Some(removal(objects, kind, o.remote_id.as_deref()?, account))
            })
            .collect();
        if !ready.is_empty() {
            return ready;
        }
    }
    Vec::new()
}

/// Removes one object by its id: archived first, for "an entity can be deleted after archived".
pub(super) fn removal(objects: Vec<String>, kind: &str, remote_id: &str, account: &Account) -> Mutation {
    let (method, path, body) = match address(account, kind, remote_id) {
        Some(path) => ("DELETE", path, json!({})),
        // A line item's targeting, taken off it.
        None => (
            "POST",
            bulk_edit(account),
            json!({ "lineItemIds": [remote_id], WANTED: {} }),
        ),
    };
    Mutation {
        op: Op::Remove,
        objects,
        method: method.to_owned(),
        path,
        body,
    }
}

/// The kind whose address a path is.
pub(super) fn kind_of(path: &str) -> Option<&'static mapping::Kind> {
    let collection = path.split('?').next()?.split('/').nth(4)?;
    KINDS.iter().find(|k| k.collection == collection)
}
