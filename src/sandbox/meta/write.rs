//! Making, changing and deleting objects.
//!
//! The rules lie in `rules.rs` and `creatives.rs`; here is what holds for all objects. Must not render lists.

use super::accounts;
use super::creatives;
use super::errors::{Fault, success};
use super::params::{Params, json as json_param, text, typed};
use super::rules::{self, Context};
use super::status::effective;
use super::{NAME, edge_of};
use crate::sandbox::store::{Draft, Handle};
use crate::sandbox::world::World;
use chrono::TimeDelta;
use serde_json::{Value, json};

/// What came of a write: the answer's body, and whether anything changed.
pub(super) type Done = (Value, bool);

/// At most this many labels on an object: <https://developers.facebook.com/docs/marketing-api/reference/ad-label>.
const MOST_LABELS: usize = 50;

/// `execution_options`: validate only, and review at once.
fn options(params: &Params) -> Result<(bool, bool), Fault> {
    let given = json_param(params, "execution_options")?;
    let items: Vec<&str> = given
        .iter()
        .filter_map(Value::as_array)
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    const KNOWN: &[&str] = &[
        "validate_only",
        "include_recommendations",
        "synchronous_ad_review",
    ];
    match items.iter().find(|i| !KNOWN.contains(i)) {
        Some(bad) => Err(Fault::invalid(
            "execution_options",
            &format!("{bad} is not an execution option"),
        )),
        None => Ok((
            items.contains(&"validate_only"),
            items.contains(&"synchronous_ad_review"),
        )),
    }
}

/// Whether an account can be written to at all.
pub(super) fn open(world: &World, account: &str) -> Result<(), Fault> {
    let status = accounts::fields(world, account)
        .and_then(|f| f.get("account_status"))
        .and_then(Value::as_u64);
    match status {
        Some(2 | 7 | 100 | 101) => {
            Err(Fault::new(200, "(#200) The ad account is disabled or closed").sub(1_487_301))
        }
        Some(_) | None => Ok(()),
    }
}

/// The labels that a parameter names, made where they are not known by name.
fn labels(world: &mut World, account: &str, given: &Value) -> Result<Value, Fault> {
    let items = given.as_array().map(Vec::as_slice).unwrap_or_default();
    if items.len() > MOST_LABELS {
        return Err(Fault::invalid("adlabels", "an object has at most 50 labels"));
    }
    let mut out = Vec::new();
    for item in items {
        let (id, name) = (
            item["id"].as_str().unwrap_or(""),
            item["name"].as_str().unwrap_or(""),
        );
        let known = if id.is_empty() {
            world.store.named(NAME, account, "adlabel", name).first().copied()
        } else {
            world
                .store
                .find(NAME, id)
                .filter(|h| world.store.get(*h).kind == "adlabel")
        };
        let handle = match known {
            Some(handle) => handle,
            None if !id.is_empty() => {
                return Err(Fault::invalid("adlabels", &format!("label {id} does not exist")));
            }
            None if name.is_empty() => {
                return Err(Fault::invalid("adlabels", "a label needs a name or an id"));
            }
            None => make_label(world, account, name),
        };
        let label = world.store.get(handle);
        out.push(json!({"id": label.key, "name": label.text("name")}));
    }
    Ok(Value::Array(out))
}

fn make_label(world: &mut World, account: &str, name: &str) -> Handle {
    make(
        world,
        account,
        "adlabel",
        Params::from_iter([("name".to_owned(), name.into())]),
        None,
    )
}

/// Notes on each label which object has it, so that a look-up by label need not look at every object.
fn note_labels(world: &mut World, handle: Handle) {
    let object = world.store.get(handle);
    let key: Value = object.key.clone().into();
    let ids: Vec<String> = object
        .fields
        .get("adlabels")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|l| l["id"].as_str().map(str::to_owned))
        .collect();
    for label in ids
        .iter()
        .filter_map(|id| world.store.find(NAME, id))
        .collect::<Vec<_>>()
    {
        world.store.change(label, "", |object| {
            let known = object.fields.entry("_objects").or_insert_with(|| json!([]));
            if let Value::Array(known) = known
                && !known.contains(&key)
            {
                known.push(key.clone());
            }
        });
    }
}

/// Makes an object, by whatever rules it was found fit.
pub(super) fn make(
    world: &mut World,
    account: &str,
    kind: &'static str,
    mut fields: Params,
    parent: Option<Handle>,
) -> Handle {
    let id = world.ids.meta();
    let now = stamp(world, account);
    fields.insert("id".into(), id.clone().into());
    fields.insert("account_id".into(), account.into());
    fields.insert("created_time".into(), now.clone().into());
    fields.insert("updated_time".into(), now.into());
    let parent = parent.or_else(|| world.store.find(NAME, &format!("act_{account}")));
    let what = format!("created {}", text(&fields, "status").to_lowercase());
    world.store.create(Draft {
        vendor: NAME,
        account: account.to_owned(),
        kind,
        key: id.clone(),
        id,
        parent,
        fields,
        what: what.trim_end().to_owned(),
    })
}

/// Makes an object on an edge of an account.
pub(super) fn create(
    world: &mut World,
    account: &str,
    kind: &'static str,
    params: &Params,
) -> Result<Done, Fault> {
    open(world, account)?;
    let (validate_only, synchronous) = options(params)?;
    let mut fields = typed(params, "create", edge_of(kind), accounts::zone(world, account))?;
    fields.remove("execution_options");
    let mark = world.store.mark();
    let made = create_checked(world, account, kind, &mut fields, synchronous);
    match made {
        Err(fault) => {
            world.store.roll_back(mark);
            world.store.commit();
            Err(fault)
        }
        Ok(_) if validate_only => {
            world.store.roll_back(mark);
            world.store.commit();
            Ok((success(), false))
        }
        Ok(id) => {
            let effect = world.store.mark() > mark;
            world.store.commit();
            Ok((json!({"id": id, "success": true}), effect))
        }
    }
}

fn create_checked(
    world: &mut World,
    account: &str,
    kind: &'static str,
    fields: &mut Params,
    synchronous: bool,
) -> Result<String, Fault> {
    if let Some(given) = fields.remove("adlabels") {
        let labels = labels(world, account, &given)?;
        fields.insert("adlabels".into(), labels);
    }
    if let Some(twin) = twin(world, account, kind, fields) {
        return Ok(twin);
    }
    if matches!(kind, "campaign" | "adset" | "ad") {
        rules::first_status(fields)?;
    }
    let context = Context {
        world,
        account,
        old: None,
    };
    let mut parent = None;
    match kind {
        "campaign" => {
            fields.entry("buying_type").or_insert_with(|| "AUCTION".into());
            rules::campaign(&context, fields)?;
        }
        "adset" => {
            open_ended(fields);
            rules::adset(&context, fields)?;
            parent = world.store.find(NAME, text(fields, "campaign_id"));
            let now = stamp(world, account);
            fields.entry("start_time").or_insert_with(|| now.into());
        }
        "ad" => {
            let creative = creatives::ad(&context, fields, synchronous)?;
            fields.insert(
                "creative".into(),
                json!({"id": creative, "creative_id": creative}),
            );
            parent = world.store.find(NAME, text(fields, "adset_id"));
            let campaign = parent
                .and_then(|h| world.store.get(h).parent)
                .map(|h| world.store.get(h).key.clone());
            fields.insert("campaign_id".into(), campaign.into());
        }
        "adcreative" => {
            creatives::creative(world, fields)?;
            fields.entry("status").or_insert_with(|| "ACTIVE".into());
        }
        _ if text(fields, "name").is_empty() => return Err(Fault::required("name")),
        _ => {}
    }
    let handle = make(world, account, kind, std::mem::take(fields), parent);
    note_labels(world, handle);
    Ok(world.store.get(handle).key.clone())
}

/// What the vendor gives back instead of making it again: a label of that name, and a creative of that story ("if the
/// object_story_id is already used by a creative, the API returns the existing creative_id").
fn twin(world: &World, account: &str, kind: &'static str, fields: &Params) -> Option<String> {
    let handle = match kind {
        "adlabel" => world
            .store
            .named(NAME, account, kind, text(fields, "name"))
            .first()
            .copied(),
        "adcreative" => {
            let story = text(fields, "object_story_id");
            let mut all = world.store.all(NAME, account, kind).iter().copied();
            all.find(|h| !story.is_empty() && world.store.get(*h).text("object_story_id") == story)
        }
        _ => None,
    };
    handle.map(|h| world.store.get(h).key.clone())
}

/// Now, as the account's zone spells it.
fn stamp(world: &World, account: &str) -> String {
    let zone = accounts::zone(world, account);
    world
        .now
        .with_timezone(&zone)
        .format("%Y-%m-%dT%H:%M:%S%z")
        .to_string()
}

/// `end_time=0` means that there is no end.
fn open_ended(fields: &mut Params) {
    if text(fields, "end_time") == "0" {
        fields.remove("end_time");
    }
}

/// Changes an object.
pub(super) fn update(world: &mut World, handle: Handle, params: &Params) -> Result<Done, Fault> {
    let (kind, account) = {
        let object = world.store.get(handle);
        (object.kind, object.account.clone())
    };
    let (validate_only, synchronous) = options(params)?;
    let mut changes = typed(params, "update", edge_of(kind), accounts::zone(world, &account))?;
    changes.remove("execution_options");
    let pausing = changes.len() == 1 && matches!(text(&changes, "status"), "PAUSED" | "ARCHIVED" | "DELETED");
    if !pausing {
        open(world, &account)?;
    }
    let mark = world.store.mark();
    let result = update_checked(world, handle, &account, changes, synchronous);
    if result.is_err() || validate_only {
        world.store.roll_back(mark);
    }
    let effect = world.store.mark() > mark;
    world.store.commit();
    result.map(|()| (success(), effect))
}

fn update_checked(
    world: &mut World,
    handle: Handle,
    account: &str,
    mut changes: Params,
    synchronous: bool,
) -> Result<(), Fault> {
    permitted(world, handle, &changes)?;
    if let Some(given) = changes.remove("adlabels") {
        let labels = labels(world, account, &given)?;
        changes.insert("adlabels".into(), labels);
    }
    let old = world.store.get(handle).clone();
    let mut after = old.fields.clone();
    after.extend(changes);
    let leaving = matches!(text(&after, "status"), "DELETED" | "ARCHIVED");
    let context = Context {
        world,
        account,
        old: Some((handle, &old)),
    };
    match old.kind {
        _ if leaving => {}
        "campaign" => rules::campaign(&context, &after)?,
        "adset" => {
            open_ended(&mut after);
            rules::adset(&context, &after)?;
        }
        "ad" => {
            let creative = creatives::ad(&context, &after, synchronous)?;
            after.insert(
                "creative".into(),
                json!({"id": creative, "creative_id": creative}),
            );
        }
        _ => {}
    }
    let budget = |fields: &Params| {
        (
            text(fields, "daily_budget").to_owned(),
            text(fields, "lifetime_budget").to_owned(),
        )
    };
    if old.kind == "adset" && budget(&old.fields) != budget(&after) {
        count_budget_change(world, &mut after)?;
    }
    let changed = changed(&old.fields, &after);
    if changed.is_empty() && after.len() == old.fields.len() {
        return Ok(());
    }
    let now = stamp(world, account);
    after.insert("updated_time".into(), now.into());
    world
        .store
        .change(handle, &changed, |object| object.fields = after);
    note_labels(world, handle);
    Ok(())
}

/// A line of history for an update; empty if nothing changed.
fn changed(before: &Params, after: &Params) -> String {
    let changes: Vec<String> = after
        .iter()
        .filter(|(key, value)| !key.starts_with('_') && before.get(*key) != Some(value))
        .map(|(key, value)| {
            let show = |v: Option<&Value>| match v {
                Some(Value::Object(_) | Value::Array(_)) => "…".to_owned(),
                Some(value) => value.to_string(),
                None => "unset".to_owned(),
            };
            format!("{key} {} → {}", show(before.get(key)), show(Some(value)))
        })
        .collect();
    changes.join(", ")
}

/// What may still be done with an object that is archived or deleted, and which statuses there are.
fn permitted(world: &World, handle: Handle, changes: &Params) -> Result<(), Fault> {
    let object = world.store.get(handle);
    let status = text(changes, "status");
    if !matches!(status, "" | "ACTIVE" | "PAUSED" | "ARCHIVED" | "DELETED") {
        return Err(Fault::invalid("status", &format!("{status} is not a status")));
    }
    let own = if matches!(object.kind, "campaign" | "adset" | "ad") {
        effective(world, handle)
    } else {
        object.text("status")
    };
    let others = changes.keys().any(|key| key != "name" && key != "status");
    match own {
        "DELETED" if others || !matches!(status, "" | "DELETED") => {
            Err(Fault::new(100, "A deleted object can only be renamed").sub(1_487_566))
        }
        "ARCHIVED" if others || !matches!(status, "" | "ARCHIVED" | "DELETED") => {
            Err(Fault::new(100, "An archived object can only be renamed or deleted").sub(1_885_088))
        }
        _ => Ok(()),
    }
}

/// "Ad set budget: 4 changes an hour" (<https://developers.facebook.com/docs/marketing-api/overview/rate-limiting>).
fn count_budget_change(world: &World, after: &mut Params) -> Result<(), Fault> {
    let since = (world.now - TimeDelta::hours(1)).timestamp();
    let now = world.now.timestamp();
    let changes = after.entry("_budget_changes").or_insert_with(|| json!([]));
    if let Value::Array(changes) = changes {
        changes.retain(|at| at.as_i64().is_some_and(|at| at > since));
        if changes.len() >= 4 {
            return Err(
                Fault::new(613, "The budget of an ad set can be changed four times an hour").sub(1_487_632),
            );
        }
        changes.push(now.into());
    }
    Ok(())
}

/// Deletes an object; again, if need be, without effect.
pub(super) fn delete(world: &mut World, handle: Handle) -> Done {
    if world.store.get(handle).text("status") == "DELETED" {
        return (success(), false);
    }
    world.store.change(handle, "deleted", |object| {
        object.fields.insert("status".into(), "DELETED".into());
    });
    world.store.commit();
    (success(), true)
}
