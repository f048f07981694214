//! The calls that are ready to be made. Pure.
//!
//! A campaign first; then ad sets and creatives side by side; an ad when both of its own exist. On: ads and ad sets, and
//! when all of them are, the campaign, which is the master switch. Off: the campaign alone, one call.

use super::VERSION;
use super::creatives::ID_PLACE;
use super::mapping::KINDS;
use crate::domain::manifest::{Desired, Manifest, ObjectState, RemoteObject, Serving};
use crate::domain::tenant::Account;
use crate::platform::{Goal, Mutation, Op};
use serde_json::{Map, Value, json};
use std::collections::HashSet;

/// The mutations that are ready now.
pub(super) fn next(goal: Goal, desired: &[Desired], manifest: &Manifest, account: &Account) -> Vec<Mutation> {
    match goal {
        Goal::Built => build(desired, manifest, account),
        Goal::Active => activate(manifest),
        Goal::Paused => pause(manifest),
        Goal::Removed => remove(manifest),
    }
}

/// The campaign's own changes go alone and first: what an ad set may say (a bid, a floor) depends on its strategy.
fn build(desired: &[Desired], manifest: &Manifest, account: &Account) -> Vec<Mutation> {
    let ready = |d: &Desired| match manifest.get(&d.key) {
        Some(object) => match object.state {
            ObjectState::Intended => None,
            ObjectState::Created => change(d, object, manifest),
            ObjectState::Removed => create(d, manifest, account),
        },
        None => create(d, manifest, account),
    };
    let (campaigns, below): (Vec<&Desired>, Vec<&Desired>) =
        desired.iter().partition(|d| d.kind == "campaign");
    for group in [campaigns, below] {
        let mutations: Vec<Mutation> = group.into_iter().filter_map(ready).collect();
        if !mutations.is_empty() {
            return mutations;
        }
    }
    retire(desired, manifest)
}

/// Ads and ad sets that the plan no longer has: archived, which ends their delivery and keeps their reports, ads before
/// their ad sets. They give up their names, so that a look-up never takes them for new ones. A creative without an ad does
/// nothing and stays until the leg is removed.
fn retire(desired: &[Desired], manifest: &Manifest) -> Vec<Mutation> {
    if desired.is_empty() {
        return Vec::new();
    }
    let wanted: HashSet<&str> = desired.iter().map(|d| d.key.as_str()).collect();
    for kind in ["ad", "adset"] {
        let surplus = manifest
            .existing()
            .filter(|o| o.kind == kind && !wanted.contains(o.key.as_str()));
        let mutations: Vec<Mutation> = surplus.filter_map(archive).collect();
        if !mutations.is_empty() {
            return mutations;
        }
    }
    Vec::new()
}

fn archive(object: &RemoteObject) -> Option<Mutation> {
    let id = object.remote_id.as_deref()?;
    let name = format!("{}~{id}", object.name.as_deref().unwrap_or(&object.key));
    Some(Mutation {
        op: Op::Remove,
        objects: vec![object.key.clone()],
        method: "POST".to_owned(),
        path: format!("{VERSION}/{id}"),
        body: json!({ "status": "ARCHIVED", "name": name }),
    })
}

/// The label that everything of a leg bears: the campaign's name when it was made, for the label stays when a later version of the
/// plan renames the campaign.
pub(super) fn label(manifest: &Manifest) -> &str {
    let campaign = manifest
        .get("campaign")
        .filter(|campaign| campaign.state != ObjectState::Removed);
    campaign
        .and_then(|campaign| campaign.name.as_deref())
        .unwrap_or(&manifest.campaign_name)
}

fn create(desired: &Desired, manifest: &Manifest, account: &Account) -> Option<Mutation> {
    let mut body = desired.fields.as_object().cloned().unwrap_or_default();
    let campaign = manifest.id("campaign");
    match desired.kind {
        "campaign" => {}
        "adset" => {
            body.insert("campaign_id".into(), json!(campaign?));
        }
        "adcreative" => inject(&mut body, campaign?),
        _ => {
            body.insert("adset_id".into(), json!(manifest.id(desired.parent.as_deref()?)?));
            body.insert(
                "creative".into(),
                by_id(desired.fields.get("creative")?, manifest)?,
            );
        }
    }
    if desired.switchable {
        body.insert("status".into(), json!("PAUSED"));
    }
    body.insert("adlabels".into(), json!([{ "name": label(manifest) }]));
    let edge = KINDS.iter().find(|k| k.name == desired.kind)?.edge;
    Some(Mutation {
        op: Op::Create,
        objects: vec![desired.key.clone()],
        method: "POST".to_owned(),
        path: format!("{VERSION}/{}/{edge}", account.account_id),
        body: Value::Object(body),
    })
}

/// The campaign's id where it was not known yet.
fn inject(body: &mut Map<String, Value>, campaign: &str) {
    if let Some(Value::String(tags)) = body.get_mut("url_tags") {
        *tags = tags.replace(ID_PLACE, campaign);
    }
}

/// The creative that an ad's field names by its key, as a parameter; none while it is not there.
fn by_id(key: &Value, manifest: &Manifest) -> Option<Value> {
    Some(json!({ "creative_id": manifest.id(key.as_str()?)? }))
}

/// Only what differs is sent. What Meta does not let be changed (an objective, a promoted object) is sent all the same:
/// its refusal names the field, and nothing is changed.
fn change(desired: &Desired, object: &RemoteObject, manifest: &Manifest) -> Option<Mutation> {
    let (wanted, applied) = (desired.fields.as_object()?, object.applied.as_object()?);
    let (mut body, mut after) = (Map::new(), applied.clone());
    for (name, value) in wanted {
        if applied.get(name) == Some(value) {
            continue;
        }
        let sent = match (desired.kind, name.as_str()) {
            ("ad", "creative") => by_id(value, manifest),
            _ => Some(value.clone()),
        };
        if let Some(sent) = sent {
            body.insert(name.clone(), sent);
            after.insert(name.clone(), value.clone());
        }
    }
    for (name, value) in applied.iter().filter(|(name, _)| !wanted.contains_key(*name)) {
        if let Some(empty) = emptied(name, value) {
            body.insert(name.clone(), empty);
            after.remove(name);
        }
    }
    if body.is_empty() {
        return None;
    }
    Some(Mutation {
        op: Op::Update {
            applied: Map::from_iter([(desired.key.clone(), Value::Object(after))]),
        },
        objects: vec![desired.key.clone()],
        method: "POST".to_owned(),
        path: format!("{VERSION}/{}", object.remote_id.as_deref()?),
        body: Value::Object(body),
    })
}

/// How a field is taken back: `end_time=0` is open-ended, `bid_constraints={}` no floor, a budget or bid of 0 none
/// (reference/ad-campaign, bidding/overview/bid-strategy). A start that is over is left as it was.
fn emptied(name: &str, value: &Value) -> Option<Value> {
    match (name, value) {
        ("start_time", _) | (_, Value::Null) => None,
        ("end_time", _) | (_, Value::Number(_)) => Some(json!(0)),
        (_, Value::String(_)) => Some(json!("")),
        (_, Value::Array(_)) => Some(json!([])),
        (_, Value::Object(_)) => Some(json!({})),
        (_, Value::Bool(_)) => Some(json!(false)),
    }
}

fn activate(manifest: &Manifest) -> Vec<Mutation> {
    let off = |o: &&RemoteObject| o.serving == Serving::Paused;
    let below: Vec<Mutation> = manifest
        .existing()
        .filter(off)
        .filter(|o| o.key != "campaign")
        .filter_map(|o| serve(o, Serving::Active))
        .collect();
    if !below.is_empty() {
        return below;
    }
    manifest
        .existing()
        .filter(off)
        .filter_map(|o| serve(o, Serving::Active))
        .collect()
}

fn pause(manifest: &Manifest) -> Vec<Mutation> {
    let campaign = manifest
        .existing()
        .find(|o| o.key == "campaign" && o.serving == Serving::Active);
    campaign
        .and_then(|o| serve(o, Serving::Paused))
        .into_iter()
        .collect()
}

fn serve(object: &RemoteObject, serving: Serving) -> Option<Mutation> {
    let status = match serving {
        Serving::Active => "ACTIVE",
        Serving::Paused | Serving::None => "PAUSED",
    };
    Some(Mutation {
        op: Op::Serve { serving },
        objects: vec![object.key.clone()],
        method: "POST".to_owned(),
        path: format!("{VERSION}/{}", object.remote_id.as_deref()?),
        body: json!({ "status": status }),
    })
}

/// The campaign takes its ad sets and ads along; creatives live in the account and go one by one, after the ads that use them.
fn remove(manifest: &Manifest) -> Vec<Mutation> {
    if let Some(id) = manifest.campaign_id() {
        let tree = manifest
            .existing()
            .filter(|o| o.kind != "adcreative")
            .map(|o| o.key.clone())
            .collect();
        return vec![removal(tree, id)];
    }
    manifest
        .existing()
        .rev()
        .filter_map(|o| Some(removal(vec![o.key.clone()], o.remote_id.as_deref()?)))
        .collect()
}

/// Removes one object by its id.
pub(super) fn removal(objects: Vec<String>, remote_id: &str) -> Mutation {
    Mutation {
        op: Op::Remove,
        objects,
        method: "DELETE".to_owned(),
        path: format!("{VERSION}/{remote_id}"),
        body: json!({}),
    }
}
