//! Which calls lead from what the manifest says to what is desired. Pure.
//!
//! Must not name an object whose outcome is unknown, and never more than one call at a time for one campaign: Google
//! refuses two at once with `databaseError: CONCURRENT_MODIFICATION`.

use super::ad_forms::{AdGroupForm, AnyAd, KeywordForm};
use super::channel::Channel;
use super::forms::{BudgetForm, CampaignForm, IMMUTABLE};
use super::kinds::{Kind, VERSION, digits, id_of};
use super::links::{AssetGroupForm, text_key};
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

/// Texts that are to be linked, before anything links to them: "repeated assets such as headlines and descriptions must be
/// created before the campaign" (the example `add_performance_max_campaign` of googleads/google-ads-python). An account holds a text
/// once, however often it is created.
fn texts(
    desired: &[Desired],
    manifest: &Manifest,
    existing: &HashMap<&str, &RemoteObject>,
    account: &Account,
) -> Option<Mutation> {
    let unknown: HashSet<&str> = manifest.unresolved().map(|object| object.key.as_str()).collect();
    let missing = desired.iter().filter(|object| {
        let key = object.key.as_str();
        object.kind == Kind::Asset.as_str() && !existing.contains_key(key) && !unknown.contains(key)
    });
    let (mut objects, mut operations) = (Vec::new(), Vec::new());
    for object in missing {
        operations.push(Kind::Asset.create(resource(Kind::Asset, &object.fields)?));
        objects.push(object.key.clone());
    }
    (!objects.is_empty()).then(|| mutate(account, Op::Create, objects, operations))
}

/// One atomic request for everything that is missing. Temporary ids are negative, unique within the request, and given
/// only to what others refer to; on criteria they are refused (woocommerce/google-listings-and-ads#1327).
fn create(
    desired: &[Desired],
    manifest: &Manifest,
    existing: &HashMap<&str, &RemoteObject>,
    surplus: &[&RemoteObject],
    account: &Account,
) -> Option<Mutation> {
    let unknown: HashSet<&str> = manifest.unresolved().map(|object| object.key.as_str()).collect();
    let text = |object: &&Desired| object.kind == Kind::Asset.as_str();
    if desired
        .iter()
        .filter(text)
        .any(|object| unknown.contains(object.key.as_str()))
    {
        // An asset group is made with all its links or not at all.
        return None;
    }
    let mut names = Names {
        account,
        channel: channel(desired),
        existing,
        temporary: HashMap::new(),
    };
    let (mut objects, mut operations) = (Vec::new(), Vec::new());
    let mut making_way = HashSet::new();
    for object in desired {
        let key = object.key.as_str();
        if existing.contains_key(key) || unknown.contains(key) {
            continue;
        }
        // Without its parents' names (their outcome is unknown) an object has to wait.
        let Some(operation) = creation(object, &mut names) else {
            continue;
        };
        for old in surplus.iter().filter(|old| takes_the_place_of(object, old)) {
            if making_way.insert(old.key.as_str()) {
                operations.extend(removal_of(old, account).map(|(_, operation)| operation));
            }
        }
        operations.push(operation);
        objects.push(object.key.clone());
    }
    (!objects.is_empty()).then(|| mutate(account, Op::Create, objects, operations))
}

/// A link that goes makes way for a new one of the same part within one request. The manifest notes that it is gone when it is
/// removed once more, which then is no error.
fn takes_the_place_of(new: &Desired, old: &RemoteObject) -> bool {
    let part = |fields: &Value| fields.get("part").cloned();
    Kind::parse(new.kind).is_some_and(Kind::is_link)
        && old.kind == new.kind
        && old.parent == new.parent
        && part(&old.applied) == part(&new.fields)
}

/// The names by which objects of one request refer to each other.
struct Names<'a> {
    account: &'a Account,
    channel: Channel,
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

    /// Names the asset of a link, if it is a text.
    fn link(&self, new: &mut Value, fields: &Value) -> Option<()> {
        if let Some(text) = fields.get("text").and_then(Value::as_str) {
            new["asset"] = self.of(Kind::Asset, &text_key(text))?.into();
        }
        Some(())
    }

    fn make(&mut self, kind: Kind, key: &str) -> String {
        let id = format!("-{}", self.temporary.len() + 1);
        let name = kind.resource_name(self.account, &id);
        self.temporary.insert(key.to_owned(), name.clone());
        name
    }
}

/// The channel that the campaign says it runs on.
fn channel(desired: &[Desired]) -> Channel {
    let campaign = desired
        .iter()
        .find(|object| object.kind == Kind::Campaign.as_str());
    let named = campaign.and_then(|campaign| campaign.fields.get("channel")?.as_str());
    named.and_then(Channel::parse).unwrap_or_default()
}

fn creation(object: &Desired, names: &mut Names<'_>) -> Option<Value> {
    let kind = Kind::parse(object.kind)?;
    let mut new = resource(kind, &object.fields)?;
    if kind.is_switchable() {
        // The default is ENABLED. What is made beneath a campaign that is on must not serve before it was looked at.
        new["status"] = "PAUSED".into();
    }
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
            new["resourceName"] = names.make(kind, &object.key).into();
        }
        Kind::CampaignCriterion => new["campaign"] = names.of(Kind::Campaign, parent)?.into(),
        Kind::CampaignLabel => {
            new["campaign"] = names.of(Kind::Campaign, parent)?.into();
            new["label"] = names.of(Kind::Label, "label")?.into();
        }
        Kind::AdGroup => {
            new["campaign"] = names.of(Kind::Campaign, parent)?.into();
            if let Some(kind) = names.channel.ad_group_type() {
                new["type"] = kind.into();
            }
            new["resourceName"] = names.make(kind, &object.key).into();
        }
        // Made by `texts`, before everything else.
        Kind::Asset => return None,
        Kind::AssetGroup => {
            new["campaign"] = names.of(Kind::Campaign, parent)?.into();
            new["resourceName"] = names.make(kind, &object.key).into();
        }
        Kind::ListingGroupFilter => new["assetGroup"] = names.of(Kind::AssetGroup, parent)?.into(),
        Kind::CampaignAsset => {
            new["campaign"] = names.of(Kind::Campaign, parent)?.into();
            names.link(&mut new, &object.fields)?;
        }
        Kind::AssetGroupAsset => {
            new["assetGroup"] = names.of(Kind::AssetGroup, parent)?.into();
            names.link(&mut new, &object.fields)?;
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
fn removal_of(object: &RemoteObject, account: &Account) -> Option<(Kind, Value)> {
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
