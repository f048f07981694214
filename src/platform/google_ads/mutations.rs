//! Which calls lead from what the manifest says to what is desired. Pure.
//!
//! Must not name an object whose outcome is unknown, and never more than one call at a time for one campaign: Google
//! refuses two at once with `databaseError: CONCURRENT_MODIFICATION`.

use super::creating::{create, texts};
use super::forms::{CampaignForm, IMMUTABLE};
use super::kinds::{Kind, VERSION, digits};
use super::mapping::form as as_json;
use super::updating::{masked, update};
use crate::domain::manifest::{Desired, Manifest, RemoteObject, Serving};
use crate::domain::tenant::Account;
use crate::platform::{AccountFacts, Goal, Mutation, Op};
use serde_json::{Map, Value, json};
use std::collections::{HashMap, HashSet};

/// See [`crate::platform::Platform::next`]; at most one mutation.
pub(super) fn next(goal: Goal, desired: &[Desired], manifest: &Manifest, account: &Account) -> Vec<Mutation> {
    let one = match goal {
        Goal::Built => built(desired, manifest, account),
        Goal::Active => serve(manifest, account, Serving::Active),
        Goal::Paused => serve(manifest, account, Serving::Paused),
        Goal::Removed => removed(manifest, account),
    };
    one.into_iter().collect()
}

/// Creates before it removes, so that a campaign never stands without targeting; except a keyword that stands in the
/// way of its own opposite: Google takes both for one criterion (googleads/google-ads-java#808).
/// What can never be changed comes first of all, to be refused before anything is made beneath it.
fn built(desired: &[Desired], manifest: &Manifest, account: &Account) -> Option<Mutation> {
    let wanted: HashSet<&str> = desired.iter().map(|object| object.key.as_str()).collect();
    let existing: HashMap<&str, &RemoteObject> = manifest.existing().map(|o| (o.key.as_str(), o)).collect();
    let surplus: Vec<&RemoteObject> = manifest
        .existing()
        .filter(|object| !wanted.contains(object.key.as_str()))
        .collect();
    let in_the_way: Vec<&RemoteObject> = surplus
        .iter()
        .copied()
        .filter(|object| {
            opposite(&object.key)
                .is_some_and(|twin| wanted.contains(twin.as_str()) && !existing.contains_key(twin.as_str()))
        })
        .collect();
    never(desired, &existing, account)
        .or_else(|| remove(&in_the_way, account))
        .or_else(|| texts(desired, manifest, &existing, account))
        .or_else(|| create(desired, manifest, &existing, &surplus, account))
        .or_else(|| update(desired, &existing, account))
        .or_else(|| remove(&surplus, account))
}

/// `keyword/a/exact/h` ↔ `negative/a/exact/h`.
fn opposite(key: &str) -> Option<String> {
    if let Some(rest) = key.strip_prefix("keyword/") {
        return Some(format!("negative/{rest}"));
    }
    key.strip_prefix("negative/")
        .map(|rest| format!("keyword/{rest}"))
}

/// A change that no campaign can undergo (another channel, another Merchant Center account): sent by itself, to get Google's
/// own refusal. The plan means another campaign, and says so by another `logical_campaign_key`.
fn never(
    desired: &[Desired],
    existing: &HashMap<&str, &RemoteObject>,
    account: &Account,
) -> Option<Mutation> {
    let wanted = desired
        .iter()
        .find(|object| object.kind == Kind::Campaign.as_str())?;
    let present = existing.get(wanted.key.as_str())?;
    let form: CampaignForm = serde_json::from_value(wanted.fields.clone()).ok()?;
    let differs = |field: &&str| {
        present
            .applied
            .get(*field)
            .is_some_and(|now| wanted.fields.get(*field) != Some(now))
    };
    let masks: Vec<&'static str> = IMMUTABLE
        .into_iter()
        .filter(differs)
        .filter_map(|field| form.mask(field))
        .collect();
    let name = Kind::Campaign.resource_name(account, present.remote_id.as_deref()?);
    let operation = masked(Kind::Campaign, &as_json(&form.wire()), &name, &masks)?;
    let applied = Map::from_iter([(wanted.key.clone(), wanted.fields.clone())]);
    let objects = vec![wanted.key.clone()];
    Some(mutate(account, Op::Update { applied }, objects, vec![operation]))
}

/// On: everything that is off, in one request that does all of it or nothing. Off: the campaign, under which nothing serves.
fn serve(manifest: &Manifest, account: &Account, serving: Serving) -> Option<Mutation> {
    let (status, from) = match serving {
        Serving::Active => ("ENABLED", Serving::Paused),
        Serving::Paused | Serving::None => ("PAUSED", Serving::Active),
    };
    let all_of_it = serving == Serving::Active;
    let mut turned: Vec<(Kind, &RemoteObject, &str)> = manifest
        .existing()
        .filter(|object| object.serving == from)
        .filter_map(|object| Some((Kind::parse(&object.kind)?, object, object.remote_id.as_deref()?)))
        .filter(|(kind, ..)| all_of_it || *kind == Kind::Campaign)
        .collect();
    // Grouped by type, as Google wants it.
    turned.sort_by_key(|(kind, ..)| *kind as u8);
    let operation = |(kind, _, id): &(Kind, &RemoteObject, &str)| {
        let name = kind.resource_name(account, id);
        kind.update(json!({"resourceName": name, "status": status}), &["status"])
    };
    let operations: Vec<Value> = turned.iter().map(operation).collect();
    let keys = turned.iter().map(|(_, object, _)| object.key.clone()).collect();
    (!operations.is_empty()).then(|| mutate(account, Op::Serve { serving }, keys, operations))
}

/// Everything, by removing what nothing else stands above: the campaign takes its own budget and all children with it
/// (v26/resources/campaign_budget.proto: a budget that is not shared follows its campaign), the label goes by itself.
fn removed(manifest: &Manifest, account: &Account) -> Option<Mutation> {
    let mut all: Vec<&RemoteObject> = manifest.existing().collect();
    // Newest first, as with every undo.
    all.reverse();
    remove(&all, account)
}

fn remove(objects: &[&RemoteObject], account: &Account) -> Option<Mutation> {
    if objects.is_empty() {
        return None;
    }
    let going: HashSet<&str> = objects.iter().map(|object| object.key.as_str()).collect();
    let goes_with_another = |object: &RemoteObject| {
        object
            .parent
            .as_deref()
            .is_some_and(|parent| going.contains(parent))
            || object.kind == Kind::Budget.as_str() && going.contains("campaign")
    };
    let mut operations: Vec<(Kind, Value)> = objects
        .iter()
        .filter(|object| !goes_with_another(object))
        .filter_map(|object| removal_of(object, account))
        .collect();
    operations.sort_by_key(|(kind, _)| std::cmp::Reverse(*kind as u8));
    let keys = objects.iter().map(|object| object.key.clone()).collect();
    let operations = operations.into_iter().map(|(_, operation)| operation).collect();
    Some(mutate(account, Op::Remove, keys, operations))
}

/// None for a text: an account keeps its assets, which cost nothing, and Google has no call that removes one. The leg lets go
/// of it. Source: v26/services/asset_service.proto (`AssetOperation`: create, update).
pub(super) fn removal_of(object: &RemoteObject, account: &Account) -> Option<(Kind, Value)> {
    let kind = Kind::parse(&object.kind).filter(|kind| *kind != Kind::Asset)?;
    let id = object.remote_id.as_deref()?;
    Some((kind, kind.remove(&kind.resource_name(account, id))))
}

/// See [`crate::platform::Platform::removal`].
pub(super) fn removal(kind: &str, remote_id: &str, account: &Account) -> Mutation {
    let kind = Kind::parse(kind).filter(|kind| *kind != Kind::Asset);
    let operation = kind.map(|kind| kind.remove(&kind.resource_name(account, remote_id)));
    mutate(account, Op::Remove, Vec::new(), operation.into_iter().collect())
}

/// See [`crate::platform::Platform::account_mutations`].
/// Source: v26/resources/customer.proto, `auto_tagging_enabled`; v26/services/customer_service.proto (`operation`, single).
pub(super) fn account_mutations(account: &Account, facts: &AccountFacts) -> Vec<Mutation> {
    if facts.auto_tagging != Some(false) {
        return Vec::new();
    }
    let customer = format!("customers/{}", digits(&account.account_id));
    let update = json!({ "resourceName": customer, "autoTaggingEnabled": true });
    vec![Mutation {
        op: Op::Account {
            what: "turn auto-tagging on".to_owned(),
        },
        objects: Vec::new(),
        method: "POST".to_owned(),
        path: format!("/{VERSION}/{customer}:mutate"),
        body: json!({ "operation": { "update": update, "updateMask": "autoTaggingEnabled" } }),
    }]
}

/// All or nothing; except removals, where each stands for itself: one that is gone already must not keep the others.
pub(super) fn mutate(account: &Account, op: Op, objects: Vec<String>, operations: Vec<Value>) -> Mutation {
    let partial = match op {
        Op::Remove => true,
        Op::Create | Op::Update { .. } | Op::Serve { .. } | Op::Account { .. } => false,
    };
    Mutation {
        op,
        objects,
        method: "POST".to_owned(),
        path: format!(
            "/{VERSION}/customers/{}/googleAds:mutate",
            digits(&account.account_id)
        ),
        body: json!({
            "mutateOperations": operations,
            "partialFailure": partial,
            "validateOnly": false,
            "responseContentType": "RESOURCE_NAME_ONLY",
        }),
    }
}
