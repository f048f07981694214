//! What is missing, as the one request that creates all of it. Pure.
//!
//! Must not create what may be there already: an object whose outcome is unknown, and what hangs beneath it, waits.

use super::channel::Channel;
use super::kinds::Kind;
use super::links::text_key;
use super::mapping::resource;
use super::mutations::{mutate, removal_of};
use super::people::EXCLUDES;
use crate::domain::manifest::{Desired, Manifest, RemoteObject};
use crate::domain::tenant::Account;
use crate::platform::{Mutation, Op};
use serde_json::Value;
use std::collections::{HashMap, HashSet};

/// Texts that are to be linked, before anything links to them: "repeated assets such as headlines and descriptions must be
/// created before the campaign" (the example `add_performance_max_campaign` of googleads/google-ads-python). An account holds a text
/// once, however often it is created.
pub(super) fn texts(
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
pub(super) fn create(
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

/// A link that goes makes way for a new one of the same part within one request, and an exclusion for another of its ad group: at no
/// moment may all be excluded (`criterionError: CANNOT_EXCLUDE_ALL_TARGETS`). The manifest notes that it is gone when it is removed
/// once more, which then is no error.
fn takes_the_place_of(new: &Desired, old: &RemoteObject) -> bool {
    if new.key.starts_with(EXCLUDES) {
        return old.key.starts_with(EXCLUDES) && old.parent == new.parent;
    }
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
