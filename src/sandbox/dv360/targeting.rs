//! Targeting assigned to line items: edited and listed in bulk, and one by one.
//!
//! Must not know what a targeting option means beyond the rules written here. Source:
//! <https://developers.google.com/display-video/api/reference/rest/v4/advertisers.lineItems/bulkEditAssignedTargetingOptions>
//! and `…/TargetingType`.

use super::lists::page;
use super::schema::{Schema, missing, read};
use super::{
    Fault, KINDS, NAME, body as parse_body, empty, filter, object, only, parameter, parameters, unfit, write,
};
use crate::sandbox::http::{Answer, Call};
use crate::sandbox::store::Handle;
use crate::sandbox::world::World;
use serde_json::{Map, Value, json};

/// The targeting types that this sandbox keeps, the field that holds their details, and the field in it that tells one option
/// from another.
const TYPES: &[(&str, &str, &str)] = &[
    (
        "TARGETING_TYPE_GEO_REGION",
        "geoRegionDetails",
        "targetingOptionId",
    ),
    ("TARGETING_TYPE_LANGUAGE", "languageDetails", "targetingOptionId"),
    ("TARGETING_TYPE_AGE_RANGE", "ageRangeDetails", "ageRange"),
    ("TARGETING_TYPE_GENDER", "genderDetails", "gender"),
    ("TARGETING_TYPE_DEVICE_TYPE", "deviceTypeDetails", "deviceType"),
    ("TARGETING_TYPE_ENVIRONMENT", "environmentDetails", "environment"),
    ("TARGETING_TYPE_VIEWABILITY", "viewabilityDetails", "viewability"),
    (
        "TARGETING_TYPE_PARENTAL_STATUS",
        "parentalStatusDetails",
        "parentalStatus",
    ),
    (
        "TARGETING_TYPE_HOUSEHOLD_INCOME",
        "householdIncomeDetails",
        "householdIncome",
    ),
    ("TARGETING_TYPE_CATEGORY", "categoryDetails", "targetingOptionId"),
    ("TARGETING_TYPE_BROWSER", "browserDetails", "targetingOptionId"),
    (
        "TARGETING_TYPE_OPERATING_SYSTEM",
        "operatingSystemDetails",
        "targetingOptionId",
    ),
    ("TARGETING_TYPE_KEYWORD", "keywordDetails", "keyword"),
    ("TARGETING_TYPE_URL", "urlDetails", "url"),
];

/// Age ranges of line items in order; finer ones are "only supported for the AdGroup of YouTube Programmatic Reservation line
/// item".
const AGES: &[&str] = &[
    "AGE_RANGE_18_24",
    "AGE_RANGE_25_34",
    "AGE_RANGE_35_44",
    "AGE_RANGE_45_54",
    "AGE_RANGE_55_64",
    "AGE_RANGE_65_PLUS",
];

fn known(kind: &str) -> Result<(&'static str, &'static str, &'static str), Fault> {
    let found = TYPES.iter().find(|(name, ..)| *name == kind).copied();
    found.ok_or_else(|| Fault::invalid(format!("Targeting type {kind} is not supported.")))
}

fn assigned(world: &World, line: Handle) -> Vec<Value> {
    let kept = world
        .store
        .get(line)
        .fields
        .get("_targeting")
        .and_then(Value::as_array);
    kept.cloned().unwrap_or_default()
}

/// Whether an assigned option has this id, or this alias.
fn is(option: &Value, kind: &str, id: &str) -> bool {
    option["targetingType"] == kind
        && (option["assignedTargetingOptionId"] == id || option["assignedTargetingOptionIdAlias"] == id)
}

/// One more option among those there are.
fn add(world: &mut World, options: &mut Vec<Value>, kind: &str, given: &Value) -> Result<(), Fault> {
    let (kind, field, key) = known(kind)?;
    let details = given
        .get(field)
        .ok_or_else(|| Fault::invalid(format!("{field} is required for {kind}.")))?;
    if given.as_object().is_some_and(|all| all.len() > 1) {
        return Err(Fault::invalid(format!("Only {field} may be set for {kind}.")));
    }
    let value = details.get(key).and_then(Value::as_str).unwrap_or("");
    if value.is_empty() || value.ends_with("_UNSPECIFIED") {
        return Err(Fault::invalid(format!("{key} is required.")));
    }
    let numeric = key == "targetingOptionId";
    if numeric && !value.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Fault::invalid(format!("Targeting option {value} was not found.")));
    }
    if options
        .iter()
        .any(|o| o["targetingType"] == kind && o[field][key] == value)
    {
        return Err(Fault::new(
            409,
            format!("Targeting option {value} is already assigned."),
        ));
    }
    let mut option = json!({
        "targetingType": kind, "assignedTargetingOptionId": world.ids.google(), "inheritance": "NOT_INHERITED",
    });
    if !numeric {
        option["assignedTargetingOptionIdAlias"] = value.into();
    }
    option[field] = details.clone();
    options.push(option);
    Ok(())
}

/// What must hold of all options of a line item together.
fn together(options: &[Value]) -> Result<(), Fault> {
    let of = |kind: &str| -> Vec<Value> {
        let all = options.iter().filter(|o| o["targetingType"] == kind);
        all.cloned().collect()
    };
    let mut ages = Vec::new();
    for option in of("TARGETING_TYPE_AGE_RANGE") {
        let range = option["ageRangeDetails"]["ageRange"].as_str().unwrap_or("");
        match AGES.iter().position(|a| *a == range) {
            Some(at) => ages.push(at),
            None if range == "AGE_RANGE_UNKNOWN" => {}
            None => {
                return Err(Fault::invalid(format!(
                    "{range} is only supported for ad groups of YouTube line items."
                )));
            }
        }
    }
    ages.sort_unstable();
    if ages.windows(2).any(|pair| pair[1] != pair[0] + 1) {
        return Err(Fault::invalid("Only a continuous age range can be targeted."));
    }
    let languages = of("TARGETING_TYPE_LANGUAGE");
    let negative = |o: &Value| o["languageDetails"]["negative"] == true;
    if languages.iter().any(negative) && !languages.iter().all(negative) {
        return Err(Fault::invalid(
            "All language targeting options must have the same value for negative.",
        ));
    }
    Ok(())
}

/// The edits of one line item: deletions first, all or none.
fn edit(world: &mut World, line: Handle, body: &Map<String, Value>) -> Result<bool, Fault> {
    write::occupy(world, line)?;
    let before = assigned(world, line);
    let mut options = before.clone();
    let list = |name: &str| {
        body.get(name)
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default()
    };
    for request in list("deleteRequests") {
        let kind = request["targetingType"].as_str().unwrap_or("");
        for id in request["assignedTargetingOptionIds"]
            .as_array()
            .into_iter()
            .flatten()
        {
            let id = id.as_str().unwrap_or("");
            let at = options
                .iter()
                .position(|o| is(o, kind, id))
                .ok_or_else(Fault::missing)?;
            options.remove(at);
        }
    }
    for request in list("createRequests") {
        let kind = request["targetingType"].as_str().unwrap_or("").to_owned();
        for given in request["assignedTargetingOptions"]
            .as_array()
            .into_iter()
            .flatten()
        {
            add(world, &mut options, &kind, given)?;
        }
    }
    together(&options)?;
    if options == before {
        return Ok(false);
    }
    world.store.change(line, "targeting changed", |o| {
        o.fields.insert("_targeting".into(), options.into());
    });
    Ok(true)
}

/// `lineItems:bulkEditAssignedTargetingOptions`.
pub(super) fn bulk_edit(
    world: &mut World,
    advertiser: &str,
    body: Map<String, Value>,
) -> Result<Answer, Fault> {
    let message = Schema::get().message("BulkEditAssignedTargetingOptionsRequest");
    let body = match read(message, body) {
        Ok(body) => body,
        Err(violations) => return Ok(unfit(&violations)),
    };
    let lacking = missing(message, &body, "");
    if !lacking.is_empty() {
        return Ok(unfit(&lacking));
    }
    let ids = body
        .get("lineItemIds")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    let (mut updated, mut failed, mut errors, mut effect) = (Vec::new(), Vec::new(), Vec::new(), false);
    let mut aborted = 0;
    for id in ids {
        let line = object(world, advertiser, &KINDS[2], id.as_str().unwrap_or(""));
        let done = line
            .ok_or_else(Fault::missing)
            .and_then(|line| edit(world, line, &body));
        match done {
            Ok(changed) => {
                effect |= changed;
                updated.push(id);
            }
            Err(fault) => {
                aborted += usize::from(fault.message == write::ABORTED);
                failed.push(id);
                errors.push(json!({ "code": fault.code(), "message": fault.message }));
            }
        }
    }
    world.store.commit();
    if updated.is_empty() && aborted == failed.len() {
        return Err(Fault::new(409, write::ABORTED));
    }
    let mut shown = Map::new();
    for (name, list) in [
        ("updatedLineItemIds", updated),
        ("failedLineItemIds", failed),
        ("errors", errors),
    ] {
        if !list.is_empty() {
            shown.insert(name.into(), list.into());
        }
    }
    Ok(Answer::json(200, &Value::Object(shown)).with_effect(effect))
}

/// An assigned option as the API shows it.
fn shown(world: &World, line: Handle, option: &Value) -> Value {
    let mut shown = option.clone();
    let text = |name: &str| option[name].as_str().unwrap_or("");
    shown["name"] = format!(
        "{}/targetingTypes/{}/assignedTargetingOptions/{}",
        world.store.get(line).key,
        text("targetingType"),
        text("assignedTargetingOptionId")
    )
    .into();
    shown
}

/// `lineItems:bulkListAssignedTargetingOptions`.
pub(super) fn bulk_list(world: &World, call: &Call<'_>, advertiser: &str) -> Result<Answer, Fault> {
    only(
        call,
        &["lineItemIds", "filter", "orderBy", "pageSize", "pageToken"],
    )?;
    let ids = parameters(call, "lineItemIds");
    if ids.is_empty() {
        return Err(Fault::invalid("The required field lineItemIds is missing."));
    }
    let filter = match parameter(call, "filter").filter(|f| !f.is_empty()) {
        Some(text) => Some(filter::parsed(&text)?),
        None => None,
    };
    let mut rows = Vec::new();
    for id in &ids {
        let line = object(world, advertiser, &KINDS[2], id).ok_or_else(Fault::missing)?;
        for option in assigned(world, line) {
            let fits = filter.as_ref().is_none_or(|f| {
                f.passes(&|field, _, value| {
                    matches!(field, "targetingType" | "inheritance") && option[field] == value
                })
            });
            if fits {
                rows.push(
                    json!({ "lineItemId": id, "assignedTargetingOption": shown(world, line, &option) }),
                );
            }
        }
    }
    let (rows, next) = page(rows, call, 5000, 5000)?;
    let mut answer = Map::new();
    if !rows.is_empty() {
        answer.insert("lineItemAssignedTargetingOptions".into(), rows.into());
    }
    if let Some(next) = next {
        answer.insert("nextPageToken".into(), next.into());
    }
    Ok(Answer::json(200, &Value::Object(answer)))
}

/// `lineItems.targetingTypes.assignedTargetingOptions`: create, list, get, delete.
pub(super) fn single(
    world: &mut World,
    call: &Call<'_>,
    (advertiser, line): (&str, &str),
    kind: &str,
    rest: &[&str],
) -> Result<Answer, Fault> {
    let line = object(world, advertiser, &KINDS[2], line).ok_or_else(Fault::missing)?;
    known(kind)?;
    let of_kind = |world: &World| -> Vec<Value> {
        let all = assigned(world, line).into_iter();
        all.filter(|o| o["targetingType"] == kind).collect()
    };
    match (call.method.as_str(), rest) {
        ("GET", []) => {
            let rows = of_kind(world).iter().map(|o| shown(world, line, o)).collect();
            let (rows, next) = page(rows, call, 5000, 5000)?;
            Ok(Answer::json(
                200,
                &json!({ "assignedTargetingOptions": rows, "nextPageToken": next }),
            ))
        }
        ("GET", [id]) => {
            let found = of_kind(world).into_iter().find(|o| is(o, kind, id));
            let found = found.ok_or_else(Fault::missing)?;
            Ok(Answer::json(200, &shown(world, line, &found)))
        }
        ("POST", []) => {
            let given = match read(
                Schema::get().message("AssignedTargetingOption"),
                parse_body(call)?,
            ) {
                Ok(given) => given,
                Err(violations) => return Ok(unfit(&violations)),
            };
            let body =
                json!({ "createRequests": [{ "targetingType": kind, "assignedTargetingOptions": [given] }] });
            edit(world, line, body.as_object().unwrap_or(&Map::new()))?;
            world.store.commit();
            let made = assigned(world, line).pop().unwrap_or_default();
            Ok(Answer::json(200, &shown(world, line, &made)).with_effect(true))
        }
        ("DELETE", [id]) => {
            let body =
                json!({ "deleteRequests": [{ "targetingType": kind, "assignedTargetingOptionIds": [id] }] });
            edit(world, line, body.as_object().unwrap_or(&Map::new()))?;
            world.store.commit();
            Ok(empty())
        }
        _ => Err(Fault::new(404, format!("Method not found on {NAME} targeting."))),
    }
}
