//! Lists: edges, `*bylabels`, `filtering`, statuses, cursors; and insights.
//!
//! Must not change anything. Sources: <https://developers.facebook.com/docs/marketing-api/reference/ad-account/campaigns>,
//! <https://developers.facebook.com/docs/graph-api/results> (paging: 25 a page by default), and
//! <https://developers.facebook.com/docs/marketing-api/reference/ad-label>.

use super::errors::Fault;
use super::params::{Params, json as json_param, only, text};
use super::render;
use super::status::effective;
use super::{NAME, edge_of};
use crate::sandbox::control::money;
use crate::sandbox::store::{Handle, Object};
use crate::sandbox::world::World;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

/// Where a list's objects come from.
pub(super) enum Scope {
    /// All of a kind in the account.
    Account,
    /// Those below an object.
    Below(Handle),
    /// Those with labels.
    Labelled,
}

const KNOWN: &[&str] = &[
    "limit",
    "after",
    "before",
    "filtering",
    "effective_status",
    "summary",
    "date_preset",
    "time_range",
    "is_completed",
    "updated_since",
    "ad_label_ids",
    "operator",
];

struct Filter {
    field: String,
    operator: String,
    values: Vec<String>,
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

fn plains(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().map(plain).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            vec![plain(value)]
        }
    }
}

/// The `filtering` parameter, with field names as the listed object has them.
fn filters(params: &Params, kind: &str) -> Result<Vec<Filter>, Fault> {
    let Some(value) = json_param(params, "filtering")? else {
        return Ok(Vec::new());
    };
    let items = value
        .as_array()
        .ok_or_else(|| Fault::invalid("filtering", "filtering must be an array"))?;
    items
        .iter()
        .map(|item| {
            let named = item["field"].as_str().unwrap_or("");
            let field = named
                .strip_prefix(kind)
                .and_then(|f| f.strip_prefix('.'))
                .unwrap_or(named)
                .to_owned();
            let operator = item["operator"].as_str().unwrap_or("").to_owned();
            const FIELDS: &[&str] = &[
                "id",
                "name",
                "status",
                "effective_status",
                "campaign.id",
                "campaign.name",
                "adset.id",
                "adset.name",
                "created_time",
                "updated_time",
                "objective",
            ];
            const OPERATORS: &[&str] = &[
                "EQUAL",
                "NOT_EQUAL",
                "IN",
                "NOT_IN",
                "CONTAIN",
                "NOT_CONTAIN",
                "STARTS_WITH",
                "GREATER_THAN",
                "LESS_THAN",
            ];
            if !FIELDS.contains(&field.as_str()) || !OPERATORS.contains(&operator.as_str()) {
                let message =
                    format!("(#100) Filtering field '{named}' with operation '{operator}' is not supported");
                return Err(Fault::new(100, message).blaming("filtering"));
            }
            Ok(Filter {
                field,
                operator,
                values: plains(&item["value"]),
            })
        })
        .collect()
}

fn filtered_value(world: &World, handle: Handle, field: &str) -> String {
    let object = world.store.get(handle);
    let above = |kind: &str, what: fn(&Object) -> &str| {
        let mut up = object.parent;
        while let Some(parent) = up {
            let parent_object = world.store.get(parent);
            if parent_object.kind == kind {
                return what(parent_object).to_owned();
            }
            up = parent_object.parent;
        }
        String::new()
    };
    match field {
        "id" => object.key.clone(),
        "effective_status" => effective(world, handle).to_owned(),
        "campaign.id" => above("campaign", |o| &o.key),
        "campaign.name" => above("campaign", |o| o.text("name")),
        "adset.id" => above("adset", |o| &o.key),
        "adset.name" => above("adset", |o| o.text("name")),
        "created_time" => object.created_at.timestamp().to_string(),
        "updated_time" => object.updated_at.timestamp().to_string(),
        _ => object.text(field).to_owned(),
    }
}

fn passes(world: &World, handle: Handle, filter: &Filter) -> bool {
    let have = filtered_value(world, handle, &filter.field);
    let any = |test: &dyn Fn(&String) -> bool| filter.values.iter().any(test);
    let number = |text: &str| text.parse::<i64>().unwrap_or(0);
    match filter.operator.as_str() {
        "EQUAL" | "IN" => any(&|v| *v == have),
        "NOT_EQUAL" | "NOT_IN" => !any(&|v| *v == have),
        "CONTAIN" => any(&|v| have.to_lowercase().contains(&v.to_lowercase())),
        "NOT_CONTAIN" => !any(&|v| have.to_lowercase().contains(&v.to_lowercase())),
        "STARTS_WITH" => any(&|v| have.starts_with(v.as_str())),
        "GREATER_THAN" => any(&|v| number(&have) > number(v)),
        _ => any(&|v| number(&have) < number(v)),
    }
}

/// The objects of a scope, before filters: as few as an exact name allows, newest first.
fn candidates(
    world: &World,
    account: &str,
    kind: &'static str,
    scope: &Scope,
    params: &Params,
    filters: &[Filter],
) -> Result<Vec<Handle>, Fault> {
    let mut handles: Vec<Handle> = match scope {
        Scope::Account => {
            let name = filters
                .iter()
                .find(|f| f.field == "name" && matches!(f.operator.as_str(), "EQUAL" | "IN"));
            match name {
                Some(f) => f
                    .values
                    .iter()
                    .flat_map(|v| world.store.named(NAME, account, kind, v))
                    .copied()
                    .collect(),
                None => world.store.all(NAME, account, kind).to_vec(),
            }
        }
        Scope::Below(handle) => {
            let mut out = Vec::new();
            below(world, *handle, kind, &mut out);
            out
        }
        Scope::Labelled => labelled(world, account, kind, params)?,
    };
    handles.sort_unstable();
    handles.dedup();
    handles.reverse();
    Ok(handles)
}

fn below(world: &World, handle: Handle, kind: &str, out: &mut Vec<Handle>) {
    let object = world.store.get(handle);
    if object.kind == "ad" && kind == "adcreative" {
        let id = object
            .fields
            .get("creative")
            .and_then(|c| c["id"].as_str())
            .unwrap_or("");
        out.extend(world.store.find(NAME, id));
    }
    for child in &object.children {
        if world.store.get(*child).kind == kind {
            out.push(*child);
        }
        below(world, *child, kind, out);
    }
}

/// `campaignsbylabels?ad_label_ids=[…]&operator=ALL|ANY`.
fn labelled(world: &World, account: &str, kind: &str, params: &Params) -> Result<Vec<Handle>, Fault> {
    let ids = json_param(params, "ad_label_ids")?.ok_or_else(|| Fault::required("ad_label_ids"))?;
    let all = match text(params, "operator") {
        "ALL" => true,
        "" | "ANY" => false,
        _ => return Err(Fault::invalid("operator", "operator must be one of ALL, ANY")),
    };
    let mut sets: Vec<Vec<Handle>> = Vec::new();
    for id in plains(&ids) {
        let label = world.store.find(NAME, &id).map(|h| world.store.get(h));
        let Some(label) = label.filter(|l| l.kind == "adlabel" && l.account == account) else {
            return Err(Fault::invalid(
                "ad_label_ids",
                &format!("label {id} does not exist"),
            ));
        };
        let known = label.fields.get("_objects").and_then(Value::as_array);
        let handles = known
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .filter_map(|id| world.store.find(NAME, id));
        let has = |h: &Handle| {
            let object = world.store.get(*h);
            let labels = object.fields.get("adlabels").and_then(Value::as_array);
            object.kind == kind && labels.is_some_and(|l| l.iter().any(|l| l["id"] == label.key.as_str()))
        };
        sets.push(handles.filter(has).collect());
    }
    let mut found: Vec<Handle> = sets.iter().flatten().copied().collect();
    if all {
        found.retain(|h| sets.iter().all(|set| set.contains(h)));
    }
    Ok(found)
}

/// The statuses that are asked for, if any are.
fn statuses(params: &Params, filters: &[Filter]) -> Result<Option<Vec<String>>, Fault> {
    let wanted = match json_param(params, "effective_status")? {
        Some(value) => Some(plains(&value)),
        None => filters
            .iter()
            .find(|f| f.field == "effective_status" && matches!(f.operator.as_str(), "EQUAL" | "IN"))
            .map(|f| f.values.clone()),
    };
    const KNOWN: &[&str] = &[
        "ACTIVE",
        "PAUSED",
        "ARCHIVED",
        "IN_PROCESS",
        "WITH_ISSUES",
        "CAMPAIGN_PAUSED",
        "ADSET_PAUSED",
        "DISAPPROVED",
        "PENDING_BILLING_INFO",
        "PENDING_REVIEW",
        "PREAPPROVED",
    ];
    if let Some(bad) = wanted.iter().flatten().find(|s| !KNOWN.contains(&s.as_str())) {
        let why = if bad == "DELETED" {
            "deleted objects cannot be listed"
        } else {
            "not an effective status"
        };
        return Err(Fault::invalid("effective_status", &format!("{bad}: {why}")).sub(1_815_001));
    }
    Ok(wanted)
}

/// Lists objects; `here` is the URL without its query, for the link to the next page.
pub(super) fn list(
    world: &World,
    account: &str,
    kind: &'static str,
    scope: &Scope,
    params: &Params,
    here: &str,
) -> Result<Value, Fault> {
    only(params, KNOWN)?;
    let filters = filters(params, kind)?;
    let wanted = statuses(params, &filters)?;
    let asked = render::parse(text(params, "fields"))?;
    let shown = |handle: &Handle| {
        let status = if matches!(kind, "campaign" | "adset" | "ad") {
            effective(world, *handle)
        } else if world.store.get(*handle).text("status") == "DELETED" {
            "DELETED"
        } else {
            ""
        };
        match &wanted {
            Some(wanted) => wanted.iter().any(|w| w == status),
            None => !matches!(status, "DELETED" | "ARCHIVED"),
        }
    };
    let found: Vec<Handle> = candidates(world, account, kind, scope, params, &filters)?
        .into_iter()
        .filter(|h| world.store.visible(*h) && shown(h) && filters.iter().all(|f| passes(world, *h, f)))
        .collect();
    page(world, &found, &asked, params, here, edge_of(kind))
}

fn page(
    world: &World,
    found: &[Handle],
    asked: &[render::Asked],
    params: &Params,
    here: &str,
    edge: &str,
) -> Result<Value, Fault> {
    let limit = match params.get("limit").map(plain) {
        None => 25,
        Some(text) => match text.parse::<usize>() {
            Ok(n) if n > 0 => n.min(5000),
            _ => return Err(Fault::invalid("limit", "limit must be a positive integer")),
        },
    };
    let position = |name: &str| -> Result<Option<usize>, Fault> {
        let cursor = text(params, name);
        if cursor.is_empty() {
            return Ok(None);
        }
        let id = URL_SAFE_NO_PAD
            .decode(cursor)
            .ok()
            .and_then(|b| String::from_utf8(b).ok());
        let at = id.and_then(|id| found.iter().position(|h| world.store.get(*h).key == id));
        at.map(Some)
            .ok_or_else(|| Fault::new(100, format!("(#100) Invalid cursor for {edge}")).blaming(name))
    };
    let start = match (position("after")?, position("before")?) {
        (Some(at), _) => at + 1,
        (None, Some(at)) => at.saturating_sub(limit),
        (None, None) => 0,
    };
    let end = (start + limit).min(found.len());
    let shown = found.get(start..end).unwrap_or_default();
    let data = shown
        .iter()
        .map(|h| render::object(world, *h, asked))
        .collect::<Result<Vec<_>, _>>()?;
    let mut answer = json!({"data": data});
    if let (Some(first), Some(last)) = (shown.first(), shown.last()) {
        let cursor = |h: &Handle| URL_SAFE_NO_PAD.encode(&world.store.get(*h).key);
        answer["paging"] = json!({"cursors": {"before": cursor(first), "after": cursor(last)}});
        if end < found.len() {
            answer["paging"]["next"] = format!("{here}?limit={limit}&after={}", cursor(last)).into();
        }
    }
    if params.contains_key("summary") {
        answer["summary"] = json!({"total_count": found.len()});
    }
    Ok(answer)
}

/// What objects have spent: `GET /{id}/insights`, `GET /act_X/insights?level=campaign`. What never spent has no row.
pub(super) fn insights(world: &World, handle: Handle, params: &Params) -> Result<Value, Fault> {
    const KNOWN: &[&str] = &[
        "level",
        "filtering",
        "date_preset",
        "time_range",
        "time_increment",
        "limit",
        "after",
        "before",
        "breakdowns",
    ];
    only(params, KNOWN)?;
    let object = world.store.get(handle);
    let level = text(params, "level");
    let rows: Vec<Handle> = match (object.kind, level) {
        ("account", "campaign" | "adset" | "ad") => {
            let kind = if level == "campaign" {
                "campaign"
            } else if level == "adset" {
                "adset"
            } else {
                "ad"
            };
            let filters = filters(params, kind)?;
            let all = world.store.all(NAME, &object.account, kind).iter().copied();
            all.filter(|h| filters.iter().all(|f| passes(world, *h, f)))
                .collect()
        }
        ("account", _) => Vec::new(),
        _ => vec![handle],
    };
    let fields: Vec<&str> = text(params, "fields")
        .split(',')
        .map(str::trim)
        .filter(|f| !f.is_empty())
        .collect();
    let day = world.now.format("%Y-%m-%d").to_string();
    let row = |h: &Handle| {
        let object = world.store.get(*h);
        let mut row = Map::new();
        for field in &fields {
            let value = match *field {
                "spend" => money(object.spend_micros),
                "impressions" | "clicks" | "reach" => (object.spend_micros / 500_000 + 1).to_string(),
                "account_id" => object.account.clone(),
                _ if *field == format!("{}_id", object.kind) => object.key.clone(),
                _ if *field == format!("{}_name", object.kind) => object.text("name").to_owned(),
                _ => continue,
            };
            row.insert((*field).to_owned(), value.into());
        }
        row.insert("date_start".into(), day.clone().into());
        row.insert("date_stop".into(), day.clone().into());
        Value::Object(row)
    };
    let data: Vec<Value> = rows
        .iter()
        .filter(|h| world.store.get(**h).spend_micros > 0)
        .map(row)
        .collect();
    Ok(json!({"data": data}))
}
