//! Which calls lead from what the manifest says to what is desired. Pure.
//!
//! Must not name an object whose outcome is unknown, and never more than one call at a time for one campaign: Google
//! refuses two at once with `databaseError: CONCURRENT_MODIFICATION`.

use super::ad_forms::{AdForm, AdGroupForm, KeywordForm};
use super::forms::{BudgetForm, CampaignForm};
use super::kinds::{Kind, VERSION, digits, id_of};
use super::mapping::{form as as_json, resource};
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
    remove(&in_the_way, account)
        .or_else(|| create(desired, manifest, &existing, account))
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

/// One atomic request for everything that is missing. Temporary ids are negative, unique within the request, and given
/// only to what others refer to; on criteria they are refused (woocommerce/google-listings-and-ads#1327).
fn create(
    desired: &[Desired],
    manifest: &Manifest,
    existing: &HashMap<&str, &RemoteObject>,
    account: &Account,
) -> Option<Mutation> {
    let unknown: HashSet<&str> = manifest.unresolved().map(|object| object.key.as_str()).collect();
    let mut names = Names {
        account,
        existing,
        temporary: HashMap::new(),
    };
    let (mut objects, mut operations) = (Vec::new(), Vec::new());
    for object in desired {
        let key = object.key.as_str();
        if existing.contains_key(key) || unknown.contains(key) {
            continue;
        }
        // Without its parents' names (their outcome is unknown) an object has to wait.
        let Some(operation) = creation(object, &mut names) else {
            continue;
        };
        operations.push(operation);
        objects.push(object.key.clone());
    }
    (!objects.is_empty()).then(|| mutate(account, Op::Create, objects, operations))
}

/// The names by which objects of one request refer to each other.
struct Names<'a> {
    account: &'a Account,
    existing: &'a HashMap<&'a str, &'a RemoteObject>,
    temporary: HashMap<String, String>,
}

impl Names<'_> {
    fn of(&self, kind: Kind, key: &str) -> Option<String> {
        if let Some(name) = self.temporary.get(key) {
            return Some(name.clone());
        }
        let id = self.existing.get(key)?.remote_id.as_deref()?;
        Some(kind.resource_name(self.account, id))
    }

    fn make(&mut self, kind: Kind, key: &str) -> String {
        let id = format!("-{}", self.temporary.len() + 1);
        let name = kind.resource_name(self.account, &id);
        self.temporary.insert(key.to_owned(), name.clone());
        name
    }
}

fn creation(object: &Desired, names: &mut Names<'_>) -> Option<Value> {
    let kind = Kind::parse(object.kind)?;
    let mut new = resource(kind, &object.fields)?;
    let parent = object.parent.as_deref().unwrap_or_default();
    match kind {
        Kind::Budget => {
            new["resourceName"] = names.make(kind, &object.key).into();
            new["name"] = object.name.clone().into();
            new["deliveryMethod"] = "STANDARD".into();
            // The default is true, and a shared budget outlives its campaign.
            new["explicitlyShared"] = false.into();
        }
        Kind::Label => new["resourceName"] = names.make(kind, &object.key).into(),
        Kind::Campaign => {
            new["campaignBudget"] = names.of(Kind::Budget, "budget")?.into();
            new["advertisingChannelType"] = "SEARCH".into();
            // The default is ENABLED.
            new["status"] = "PAUSED".into();
            new["resourceName"] = names.make(kind, &object.key).into();
        }
        Kind::CampaignCriterion => new["campaign"] = names.of(Kind::Campaign, parent)?.into(),
        Kind::CampaignLabel => {
            new["campaign"] = names.of(Kind::Campaign, parent)?.into();
            new["label"] = names.of(Kind::Label, "label")?.into();
        }
        Kind::AdGroup => {
            new["campaign"] = names.of(Kind::Campaign, parent)?.into();
            new["type"] = "SEARCH_STANDARD".into();
            new["resourceName"] = names.make(kind, &object.key).into();
        }
        Kind::AdGroupCriterion | Kind::AdGroupAd => {
            new["adGroup"] = names.of(Kind::AdGroup, parent)?.into();
        }
    }
    Some(kind.create(new))
}

/// One atomic request for every field that differs.
fn update(
    desired: &[Desired],
    existing: &HashMap<&str, &RemoteObject>,
    account: &Account,
) -> Option<Mutation> {
    let (mut objects, mut operations, mut applied) = (Vec::new(), Vec::new(), Map::new());
    // Grouped by type: an ad's text and its status are operations on two types.
    let mut later = Vec::new();
    for object in desired {
        let Some(present) = existing.get(object.key.as_str()) else {
            continue;
        };
        let Some(change) = change(object, present, account) else {
            continue;
        };
        operations.extend(change.operation);
        later.extend(change.ad_operation);
        applied.insert(object.key.clone(), change.applied);
        objects.push(object.key.clone());
    }
    operations.extend(later);
    (!objects.is_empty()).then(|| mutate(account, Op::Update { applied }, objects, operations))
}

#[derive(Default)]
struct Change {
    operation: Option<Value>,
    ad_operation: Option<Value>,
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
        .filter(|(key, value)| present.applied.get(key.as_str()) != Some(value))
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
        Kind::AdGroupCriterion => {
            let form: KeywordForm = serde_json::from_value(fields.clone()).ok()?;
            let masks = pick(&differing, |f| {
                (f == "status" && !form.negative).then_some("status")
            });
            masked(kind, &as_json(&form.wire()), &name, &masks)
        }
        Kind::AdGroupAd => return ad_change(&fields, &differing, &name, account),
        // What such a thing says is what it is: another one is another object.
        Kind::CampaignCriterion | Kind::CampaignLabel => None,
    };
    change.map(|operation| Change {
        operation: Some(operation),
        ad_operation: None,
        applied: fields,
    })
}

/// The text of an ad is changed on the ad, its status on the link between ad and ad group.
fn ad_change(fields: &Value, differing: &[&str], name: &str, account: &Account) -> Option<Change> {
    let ad: AdForm = serde_json::from_value(fields.clone()).ok()?;
    let masks = pick(differing, AdForm::mask);
    let (_, ad_id) = id_of(name)?.split_once('~')?;
    let ad_name = format!("customers/{}/ads/{ad_id}", digits(&account.account_id));
    let ad_operation = only(&as_json(&ad.wire_ad()), &ad_name, &masks)
        .map(|resource| json!({"adOperation": {"update": resource, "updateMask": masks.join(",")}}));
    let status = pick(differing, |field| (field == "status").then_some("status"));
    let operation = masked(Kind::AdGroupAd, &json!({"status": ad.status}), name, &status);
    (operation.is_some() || ad_operation.is_some()).then(|| Change {
        operation,
        ad_operation,
        applied: fields.clone(),
    })
}

fn pick(differing: &[&str], mask: impl Fn(&str) -> Option<&'static str>) -> Vec<&'static str> {
    let mut masks: Vec<&'static str> = differing.iter().filter_map(|field| mask(field)).collect();
    masks.dedup();
    masks
}

fn masked(kind: Kind, resource: &Value, name: &str, masks: &[&'static str]) -> Option<Value> {
    Some(kind.update(only(resource, name, masks)?, masks))
}

/// Of the resource only what the mask names. What is masked and not there is thereby cleared.
fn only(resource: &Value, name: &str, masks: &[&'static str]) -> Option<Value> {
    if masks.is_empty() {
        return None;
    }
    let mut kept = json!({ "resourceName": name });
    for mask in masks {
        let (head, tail) = mask
            .split_once('.')
            .map_or((*mask, None), |(head, tail)| (head, Some(tail)));
        match (resource.get(head), tail) {
            (Some(value), None) => kept[head] = value.clone(),
            (Some(message), Some(tail)) => match message.get(tail) {
                Some(value) => kept[head][tail] = value.clone(),
                // An empty message still chooses itself among its alternatives.
                None if kept.get(head).is_none() => kept[head] = json!({}),
                None => {}
            },
            (None, _) => {}
        }
    }
    Some(kept)
}

fn serve(manifest: &Manifest, account: &Account, serving: Serving) -> Option<Mutation> {
    let campaign = manifest
        .existing()
        .find(|object| object.kind == Kind::Campaign.as_str())?;
    if campaign.serving == serving {
        return None;
    }
    let status = match serving {
        Serving::Active => "ENABLED",
        Serving::Paused | Serving::None => "PAUSED",
    };
    let name = Kind::Campaign.resource_name(account, campaign.remote_id.as_deref()?);
    let operation = Kind::Campaign.update(json!({"resourceName": name, "status": status}), &["status"]);
    Some(mutate(
        account,
        Op::Serve { serving },
        vec![campaign.key.clone()],
        vec![operation],
    ))
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
        .filter_map(|object| {
            let kind = Kind::parse(&object.kind)?;
            let id = object.remote_id.as_deref()?;
            Some((kind, kind.remove(&kind.resource_name(account, id))))
        })
        .collect();
    operations.sort_by_key(|(kind, _)| std::cmp::Reverse(*kind as u8));
    let keys = objects.iter().map(|object| object.key.clone()).collect();
    let operations = operations.into_iter().map(|(_, operation)| operation).collect();
    Some(mutate(account, Op::Remove, keys, operations))
}

/// See [`crate::platform::Platform::removal`].
pub(super) fn removal(kind: &str, remote_id: &str, account: &Account) -> Mutation {
    let operation = Kind::parse(kind).map(|kind| kind.remove(&kind.resource_name(account, remote_id)));
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
fn mutate(account: &Account, op: Op, objects: Vec<String>, operations: Vec<Value>) -> Mutation {
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
