//! Making, changing and switching campaigns and ad groups, and the statuses of ads too.
//!
//! Must not know the rules of a kind; `campaigns`, `groups` and `ads` do. What is refused here leaves nothing: the caller takes a
//! refused call back whole.

use super::errors::Fault;
use super::rules::{request_id, stamp};
use super::{Done, Fields, NAME, campaigns, groups, text, texts};
use crate::sandbox::store::{Draft, Handle, Object};
use crate::sandbox::world::World;
use chrono::TimeDelta;
use serde_json::{Value, json};

/// How long a `request_id` is remembered (/campaign/create/).
const REMEMBERED: TimeDelta = TimeDelta::seconds(10);
/// Ids of one status update.
const BATCH: usize = 20;

/// An object of a kind by its id, wherever it belongs.
pub(super) fn find(world: &World, account: &str, kind: &str, id: &str) -> Option<Handle> {
    let handle = world.store.find(NAME, &format!("{kind}/{id}"))?;
    (world.store.get(handle).account == account).then_some(handle)
}

/// The object, refused in the vendor's words where there is none or it is deleted.
fn existing(world: &World, account: &str, kind: &str, id: &str) -> Result<Handle, Fault> {
    let handle = find(world, account, kind, id)
        .ok_or_else(|| Fault::field(&format!("{kind}_id"), &format!("{kind} {id} does not exist.")))?;
    if world.store.get(handle).text("status") == "DELETED" {
        return Err(Fault::field(
            &format!("{kind}_id"),
            &format!("{kind} {id} is deleted: you cannot modify it."),
        ));
    }
    Ok(handle)
}

/// Puts an object into the store, with what the vendor adds to it.
pub(super) fn make(
    world: &mut World,
    account: &str,
    kind: &'static str,
    parent: Option<Handle>,
    mut fields: Fields,
) -> Handle {
    let id = world.ids.tiktok();
    let now = stamp(world.now);
    let name = text(&fields, &format!("{kind}_name")).to_owned();
    let status = fields
        .entry("operation_status")
        // What does not say otherwise is live.
        .or_insert_with(|| "ENABLE".into())
        .clone();
    let request = fields.remove("request_id");
    let mut add = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    add(&format!("{kind}_id"), json!(id));
    add("advertiser_id", json!(account));
    add("create_time", json!(now));
    add("modify_time", json!(now));
    add("status", status.clone());
    add("_name", json!(name));
    add("_index", json!(name));
    add("_request", request.unwrap_or_default());
    world.store.create(Draft {
        vendor: NAME,
        account: account.to_owned(),
        kind,
        key: format!("{kind}/{id}"),
        id,
        parent,
        fields,
        what: format!("created {}", status.as_str().unwrap_or("").to_lowercase()),
    })
}

fn rules(
    world: &World,
    account: &str,
    kind: &str,
    fields: &Fields,
    old: Option<&Object>,
) -> Result<(), Fault> {
    match kind {
        "campaign" => campaigns::check(world, account, fields, old),
        _ => groups::check(world, account, fields, old),
    }
}

/// What the vendor fills in, or overrides.
fn defaults(kind: &str, fields: &mut Fields, shares: bool) {
    if kind == "campaign" {
        fields
            .entry("campaign_type")
            .or_insert_with(|| "REGULAR_CAMPAIGN".into());
        fields.entry("budget_optimize_on").or_insert_with(|| false.into());
        if text(fields, "campaign_product_source") == "CATALOG" {
            fields.insert("catalog_enabled".into(), true.into());
        }
        return;
    }
    fields
        .entry("placement_type")
        .or_insert_with(|| "PLACEMENT_TYPE_NORMAL".into());
    fields
        .entry("gender")
        .or_insert_with(|| "GENDER_UNLIMITED".into());
    if text(fields, "placement_type") == "PLACEMENT_TYPE_AUTOMATIC" {
        fields.insert("placements".into(), json!(["PLACEMENT_TIKTOK"]));
    }
    if shares {
        // "When CBO is on, the ad group's budget and its mode are ignored, and pacing is smooth."
        fields.insert("budget".into(), json!(0.0));
        fields.insert("budget_mode".into(), "BUDGET_MODE_INFINITE".into());
        fields.insert("pacing".into(), "PACING_MODE_SMOOTH".into());
    }
}

/// Makes a campaign or an ad group.
pub(super) fn create(
    world: &mut World,
    account: &str,
    kind: &'static str,
    mut body: Fields,
) -> Result<Done, Fault> {
    request_id(&body)?;
    let parent = match kind {
        "adgroup" => Some(groups::campaign(world, account, text(&body, "campaign_id"))?),
        _ => None,
    };
    rules(world, account, kind, &body, None)?;
    unique(world, account, kind, parent, &body)?;
    let shares = parent.is_some_and(|h| campaigns::shares(&world.store.get(h).fields));
    defaults(kind, &mut body, shares);
    let handle = make(world, account, kind, parent, body);
    Ok(Done::wrote(shown(world.store.get(handle)), true))
}

/// The fields that clients may see.
pub(super) fn shown(object: &Object) -> Value {
    let fields = object
        .fields
        .iter()
        .filter(|(name, _)| !name.starts_with('_') && *name != "status");
    Value::Object(
        fields
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect(),
    )
}

/// A name is unique (a campaign's in its account, an ad group's in its campaign), unless the `request_id`s differ; a
/// repeated `request_id` within ten seconds is a repeated request (/campaign/create/, `request_id`).
fn unique(
    world: &World,
    account: &str,
    kind: &'static str,
    parent: Option<Handle>,
    body: &Fields,
) -> Result<(), Fault> {
    let request = text(body, "request_id");
    let field = format!("{kind}_name");
    let recent = world
        .store
        .all(NAME, account, kind)
        .iter()
        .rev()
        .map(|h| world.store.get(*h));
    let mut recent = recent.take_while(|o| world.now - o.created_at < REMEMBERED);
    if !request.is_empty() && recent.any(|o| o.text("_request") == request) {
        return Err(Fault::new(
            40_050,
            "Duplicated request: the same request_id was used within 10 seconds.",
        ));
    }
    let namesakes = world.store.named(NAME, account, kind, text(body, &field));
    let taken = namesakes
        .iter()
        .map(|h| world.store.get(*h))
        .any(|o| o.text("status") != "DELETED" && (kind == "campaign" || o.parent == parent));
    if taken && request.is_empty() {
        let what = if kind == "campaign" {
            "Campaign"
        } else {
            "Ad group"
        };
        return Err(Fault::field(
            &field,
            &format!("{what} name already exists. Use another name."),
        ));
    }
    Ok(())
}

/// Changes a campaign or an ad group.
pub(super) fn update(
    world: &mut World,
    account: &str,
    kind: &'static str,
    mut body: Fields,
) -> Result<Done, Fault> {
    let id = text(&body, &format!("{kind}_id")).to_owned();
    let handle = existing(world, account, kind, &id)?;
    for identity in ["advertiser_id", &format!("{kind}_id")] {
        body.remove(identity);
    }
    let old = world.store.get(handle).clone();
    let mut after = old.fields.clone();
    after.extend(body);
    rules(world, account, kind, &after, Some(&old))?;
    renamed(world, account, kind, &old, &after)?;
    change(world, handle, after)?;
    Ok(Done::wrote(shown(world.store.get(handle)), true))
}

fn renamed(
    world: &World,
    account: &str,
    kind: &'static str,
    old: &Object,
    after: &Fields,
) -> Result<(), Fault> {
    let field = format!("{kind}_name");
    if old.text(&field) == text(after, &field) {
        return Ok(());
    }
    let mut body = after.clone();
    body.remove("request_id");
    unique(world, account, kind, old.parent, &body)
}

/// Stores what an object holds now; an update that changes nothing is an error (NO_UPDATE).
pub(super) fn change(world: &mut World, handle: Handle, mut after: Fields) -> Result<(), Fault> {
    let old = &world.store.get(handle).fields;
    let changes: Vec<String> = after
        .iter()
        .filter(|(name, value)| old.get(*name) != Some(value))
        .map(|(name, value)| {
            let before = old.get(name).map_or_else(|| "unset".to_owned(), Value::to_string);
            format!("{name} {before} → {value}")
        })
        .collect();
    if changes.is_empty() && after.len() == old.len() {
        return Err(Fault::new(40_012, "No update: the request changes nothing."));
    }
    let kind = world.store.get(handle).kind;
    let name = text(&after, &format!("{kind}_name")).to_owned();
    after.insert("modify_time".into(), stamp(world.now).into());
    after.insert("_name".into(), name.clone().into());
    after.insert("_index".into(), name.into());
    world
        .store
        .change(handle, &changes.join(", "), |object| object.fields = after);
    Ok(())
}

/// Switches up to twenty objects on or off, or deletes them, for good and with everything below.
pub(super) fn status(
    world: &mut World,
    account: &str,
    kind: &'static str,
    body: &Fields,
) -> Result<Done, Fault> {
    super::rules::required(body, "operation_status")?;
    super::rules::one_of(body, "operation_status", &["ENABLE", "DISABLE", "DELETE"])?;
    let (field, wanted) = (format!("{kind}_ids"), text(body, "operation_status"));
    let ids = texts(body, &field);
    if ids.is_empty() || ids.len() > BATCH {
        return Err(Fault::new(
            40_061,
            format!("{field}: the number of ids must be between 1 and {BATCH}."),
        ));
    }
    if wanted == "ENABLE" {
        super::rules::open(world, account)?;
    }
    let partial = body.get("allow_partial_success").and_then(Value::as_bool) == Some(true);
    let (mut done, mut failed, mut effect) = (Vec::new(), Vec::new(), false);
    for id in &ids {
        match existing(world, account, kind, id) {
            Ok(handle) => {
                effect |= switch(world, handle, wanted);
                done.push((*id).to_owned());
            }
            Err(fault) if partial => {
                failed.push(json!({ format!("{kind}_id"): id, "error_message": fault.message }));
            }
            Err(fault) => return Err(fault),
        }
    }
    if done.is_empty() {
        let said = failed
            .first()
            .and_then(|f| f["error_message"].as_str())
            .unwrap_or("");
        return Err(Fault::param(said));
    }
    let data = json!({ field: done, "status": wanted, "error_list": failed });
    Ok(Done {
        code: if failed.is_empty() { 0 } else { 20_001 },
        data,
        effect,
    })
}

fn switch(world: &mut World, handle: Handle, wanted: &str) -> bool {
    let object = world.store.get(handle);
    if object.text("operation_status") == wanted {
        return false;
    }
    let children = object.children.clone();
    let now = stamp(world.now);
    world.store.change(handle, &wanted.to_lowercase(), |object| {
        let status = if wanted == "DELETE" { "DELETED" } else { wanted };
        object.fields.insert("operation_status".into(), wanted.into());
        object.fields.insert("status".into(), status.into());
        object.fields.insert("modify_time".into(), now.into());
    });
    if wanted == "DELETE" {
        for child in children {
            cascade(world, child);
        }
    }
    true
}

/// What hangs on something deleted keeps its own switch, and is gone all the same (`ADGROUP_STATUS_CAMPAIGN_DELETE`).
fn cascade(world: &mut World, handle: Handle) {
    let children = world.store.get(handle).children.clone();
    world.store.change(handle, "deleted with its parent", |object| {
        object.fields.insert("status".into(), "DELETED".into());
    });
    for child in children {
        cascade(world, child);
    }
}
