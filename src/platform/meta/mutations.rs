//! The calls that are ready to be made. Pure.
//!
//! A campaign first; then ad sets and creatives side by side; an ad when both of its own exist. On: ads and ad sets, and
//! when all of them are, the campaign, which is the master switch. Off: the campaign alone, one call.

use super::VERSION;
use super::mapping::{ID_PLACE, KINDS};
use crate::domain::manifest::{Desired, Manifest, ObjectState, RemoteObject, Serving};
use crate::domain::tenant::Account;
use crate::platform::{Goal, Mutation, Op};
use serde_json::{Map, Value, json};

/// The mutations that are ready now.
pub(super) fn next(goal: Goal, desired: &[Desired], manifest: &Manifest, account: &Account) -> Vec<Mutation> {
    match goal {
        Goal::Built => desired
            .iter()
            .filter_map(|d| build(d, manifest, account))
            .collect(),
        Goal::Active => activate(manifest),
        Goal::Paused => pause(manifest),
        Goal::Removed => remove(manifest),
    }
}

fn build(desired: &Desired, manifest: &Manifest, account: &Account) -> Option<Mutation> {
    match manifest.get(&desired.key) {
        Some(object) => match object.state {
            ObjectState::Intended => None,
            ObjectState::Created => change(desired, object),
            ObjectState::Removed => create(desired, manifest, account),
        },
        None => create(desired, manifest, account),
    }
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
            let creative = desired.key.replacen("ad/", "creative/", 1);
            body.insert("adset_id".into(), json!(manifest.id(desired.parent.as_deref()?)?));
            body.insert(
                "creative".into(),
                json!({ "creative_id": manifest.id(&creative)? }),
            );
        }
    }
    if desired.switchable {
        body.insert("status".into(), json!("PAUSED"));
    }
    body.insert("adlabels".into(), json!([{ "name": manifest.campaign_name }]));
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

/// Only what differs is sent. A creative cannot be changed but for its name: a plan that wants another one is built
/// anew under another key, and until then the read-back tells of the difference.
fn change(desired: &Desired, object: &RemoteObject) -> Option<Mutation> {
    let (wanted, applied) = (desired.fields.as_object()?, object.applied.as_object()?);
    let body: Map<String, Value> = wanted
        .iter()
        .filter(|(name, value)| applied.get(*name) != Some(*value))
        .filter(|(name, _)| desired.kind != "adcreative" || name.as_str() == "name")
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    if body.is_empty() {
        return None;
    }
    let mut after = applied.clone();
    after.extend(body.clone());
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
