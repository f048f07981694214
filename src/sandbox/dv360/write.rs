//! Making, changing and deleting resources, and line items in bulk.
//!
//! What holds for all of them; rules lie in `rules.rs` and `creatives.rs`. Must not render lists.

use super::lists::render;
use super::rules::{self, Subject};
use super::schema::{Schema, missing, read};
use super::{Fault, KINDS, Kind, NAME, empty, masks, object, unfit};
use crate::sandbox::http::Answer;
use crate::sandbox::store::{Draft, Handle};
use crate::sandbox::world::World;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// The status of what is put away.
pub(super) const ARCHIVED: &str = "ENTITY_STATUS_ARCHIVED";
/// The sandbox's own mark of what is gone for good.
pub(super) const DELETED: &str = "DELETED";
/// What is said to the second of two writes on one line item
/// (<https://developers.google.com/display-video/api/guides/concepts/general/errors-warnings>).
pub(super) const ABORTED: &str =
    "The entity is currently being modified by another request. Wait a few seconds and retry.";

/// At most this many of each in an advertiser (9,999 active ones of each):
/// <https://support.google.com/displayvideo/answer/2891313>.
const MOST: usize = 9_999;

fn parent_of(
    world: &World,
    advertiser: &str,
    kind: &Kind,
    body: &Map<String, Value>,
) -> Result<Option<Handle>, Fault> {
    let (of, field) = match kind.name {
        "insertion_order" => (&KINDS[0], "campaignId"),
        "line_item" => (&KINDS[1], "insertionOrderId"),
        _ => return Ok(None),
    };
    let id = rules::text(body, field);
    match object(world, advertiser, of, id) {
        Some(parent) => Ok(Some(parent)),
        None => Err(Fault::invalid(format!("{field} {id} was not found."))),
    }
}

/// POST.
pub(super) fn create(
    world: &mut World,
    advertiser: &str,
    kind: &Kind,
    body: Map<String, Value>,
) -> Result<Answer, Fault> {
    let message = Schema::get().message(kind.message);
    let mut fields = match read(message, body) {
        Ok(fields) => fields,
        Err(violations) => return Ok(unfit(&violations)),
    };
    let lacking = missing(message, &fields, "");
    if !lacking.is_empty() {
        return Ok(unfit(&lacking));
    }
    let parent = parent_of(world, advertiser, kind, &fields)?;
    let alive = |h: &&Handle| !matches!(world.store.get(**h).text("entityStatus"), DELETED | ARCHIVED);
    if world
        .store
        .all(NAME, advertiser, kind.name)
        .iter()
        .filter(alive)
        .count()
        >= MOST
    {
        return Err(Fault::invalid(format!(
            "The advertiser has too many {}.",
            kind.collection
        )));
    }
    let subject = Subject {
        world,
        advertiser,
        before: None,
        parent,
    };
    rules::check(kind.name, &subject, &mut fields)?;
    let id = world.ids.google();
    identify_budgets(world, &mut fields);
    named(&mut fields);
    let handle = world.store.create(Draft {
        vendor: NAME,
        account: advertiser.to_owned(),
        kind: kind.name,
        key: format!("advertisers/{advertiser}/{}/{id}", kind.collection),
        id,
        parent,
        fields,
        what: "created".to_owned(),
    });
    world.store.commit();
    Ok(Answer::json(200, &render(world, kind, handle)).with_effect(true))
}

/// What people and look-ups find it by: in DV360 `name` is the resource's address.
fn named(fields: &mut Map<String, Value>) {
    let name = rules::text(fields, "displayName").to_owned();
    fields.insert("_name".into(), name.clone().into());
    fields.insert("_index".into(), name.into());
}

/// "Do not set for new budgets": the system gives a campaign's budgets their ids.
fn identify_budgets(world: &mut World, fields: &mut Map<String, Value>) {
    let budgets = fields.get_mut("campaignBudgets").and_then(Value::as_array_mut);
    for budget in budgets.into_iter().flatten() {
        if budget.get("budgetId").is_none() {
            budget["budgetId"] = world.ids.google().into();
        }
    }
}

/// Two writes on one line item must not overlap, whether they change it
/// (<https://developers.google.com/display-video/api/reference/rest/v4/advertisers.lineItems/patch>) or its targeting
/// (<https://developers.google.com/display-video/api/reference/rest/v4/advertisers.lineItems/bulkEditAssignedTargetingOptions>): a
/// line item is being modified until its answer is out, which takes as long as the world's latency and the fault that struck say.
pub(super) fn occupy(world: &mut World, line: Handle) -> Result<(), Fault> {
    let busy = world
        .store
        .get(line)
        .fields
        .get("_busyUntil")
        .and_then(Value::as_i64);
    let now = world.now.timestamp_micros();
    if busy.is_some_and(|until| until > now) {
        return Err(Fault::new(409, ABORTED));
    }
    let takes = Duration::from_millis(world.switches.latency_ms) + world.slower_by;
    let until = now.saturating_add(i64::try_from(takes.as_micros()).unwrap_or(i64::MAX));
    world.store.change(line, "", |o| {
        o.fields.insert("_busyUntil".into(), until.into());
    });
    Ok(())
}

/// PATCH.
pub(super) fn patch(
    world: &mut World,
    kind: &Kind,
    handle: Handle,
    mask: &str,
    body: Map<String, Value>,
) -> Result<Answer, Fault> {
    let message = Schema::get().message(kind.message);
    let body = match read(message, body) {
        Ok(body) => body,
        Err(violations) => return Ok(unfit(&violations)),
    };
    if kind.name == "line_item" {
        occupy(world, handle)?;
    }
    let before = world.store.get(handle).fields.clone();
    let mut after = masks::merged(message, mask, &before, &body)?;
    let lacking = missing(message, &after, "");
    if !lacking.is_empty() {
        return Ok(unfit(&lacking));
    }
    let object = world.store.get(handle);
    let subject = Subject {
        world,
        advertiser: &object.account,
        before: Some(&before),
        parent: object.parent,
    };
    rules::check(kind.name, &subject, &mut after)?;
    identify_budgets(world, &mut after);
    named(&mut after);
    let changed = after != before;
    if changed {
        let what = format!("changed {mask}");
        world.store.change(handle, &what, |o| o.fields = after);
    }
    world.store.commit();
    Ok(Answer::json(200, &render(world, kind, handle)).with_effect(changed))
}

/// DELETE: "The … should be archived first".
pub(super) fn delete(world: &mut World, kind: &Kind, handle: Handle) -> Result<Answer, Fault> {
    if world.store.get(handle).text("entityStatus") != ARCHIVED {
        return Err(Fault::invalid(format!(
            "The {} must be archived before it can be deleted.",
            kind.message
        )));
    }
    erase(world, handle);
    world.store.commit();
    Ok(empty())
}

/// Takes what hangs on it along.
fn erase(world: &mut World, handle: Handle) {
    for child in world.store.get(handle).children.clone() {
        erase(world, child);
    }
    world.store.change(handle, "deleted", |o| {
        o.fields.insert("entityStatus".into(), DELETED.into());
        o.fields.insert("_index".into(), "".into());
    });
}

/// `lineItems:bulkUpdate`: a status or the EU declaration for many line items
/// (<https://developers.google.com/display-video/api/reference/rest/v4/advertisers.lineItems/bulkUpdate>).
pub(super) fn bulk_update(
    world: &mut World,
    advertiser: &str,
    body: Map<String, Value>,
) -> Result<Answer, Fault> {
    let mut body = body;
    // The target holds only what is to be changed; `patch` reads it.
    let Some(Value::Object(target)) = body.remove("targetLineItem") else {
        return Err(Fault::invalid("The required field targetLineItem is missing."));
    };
    let message = Schema::get().message("BulkUpdateLineItemsRequest");
    let body = match read(message, body) {
        Ok(body) => body,
        Err(violations) => return Ok(unfit(&violations)),
    };
    let mask = rules::text(&body, "updateMask").to_owned();
    let mask_ok = |m: &str| matches!(m.trim(), "entityStatus" | "containsEuPoliticalAds");
    if !mask.split(',').all(mask_ok) {
        return Err(Fault::invalid(
            "Only entityStatus and containsEuPoliticalAds can be updated in bulk.",
        ));
    }
    let (mut updated, mut skipped) = (Vec::new(), Vec::new());
    let (mut failed, mut errors) = (Vec::new(), Vec::new());
    let ids = body.get("lineItemIds").and_then(Value::as_array).cloned();
    for id in ids.unwrap_or_default() {
        let line = object(world, advertiser, &KINDS[2], id.as_str().unwrap_or(""));
        let done = match line {
            Some(line) => patch(world, &KINDS[2], line, &mask, target.clone()),
            None => Err(Fault::missing()),
        };
        match done {
            Ok(answer) if answer.status == 200 && answer.effect => updated.push(id),
            Ok(answer) if answer.status == 200 => skipped.push(id),
            Ok(_) => return Err(Fault::invalid("The target line item is not valid.")),
            Err(fault) => {
                failed.push(id);
                errors.push(json!({ "code": fault.code(), "message": fault.message }));
            }
        }
    }
    let effect = !updated.is_empty();
    let shown = json!({ "updatedLineItemIds": updated, "skippedLineItemIds": skipped, "failedLineItemIds": failed,
        "errors": errors });
    Ok(Answer::json(200, &shown).with_effect(effect))
}
