//! Resources as the API shows them, one or many: ids, derived fields, filters, orders, pages.
//!
//! Must not change anything. Derived are the ids of parents, a line item's flight and warnings, a creative's line items and its
//! review (<https://developers.google.com/display-video/api/reference/rest/v4/advertisers.lineItems>).

use super::filter::{self, Filter, Operator};
use super::{Fault, KINDS, Kind, NAME, accounts, budgets, creatives, parameter, write};
use crate::sandbox::http::Call;
use crate::sandbox::store::{Handle, Object};
use crate::sandbox::world::World;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

/// How many there are on a page unless the request says.
const PAGE: usize = 100;

/// A time as Google's APIs spell it.
pub(super) fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// The object's parent, grandparent …
fn ancestors<'w>(world: &'w World, object: &'w Object) -> impl Iterator<Item = &'w Object> {
    std::iter::successors(object.parent.map(|p| world.store.get(p)), |o| {
        o.parent.map(|p| world.store.get(p))
    })
}

/// One resource.
pub(super) fn render(world: &World, kind: &Kind, handle: Handle) -> Value {
    let object = world.store.get(handle);
    let mut shown: Map<String, Value> = object
        .fields
        .iter()
        .filter(|(name, _)| !name.starts_with('_'))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    shown.insert("name".into(), object.key.clone().into());
    shown.insert("advertiserId".into(), object.account.clone().into());
    shown.insert(kind.id.into(), object.id.clone().into());
    shown.insert("updateTime".into(), stamp(object.updated_at).into());
    for ancestor in ancestors(world, object) {
        if let Some(kind) = KINDS.iter().find(|k| k.name == ancestor.kind) {
            shown.insert(kind.id.into(), ancestor.id.clone().into());
        }
    }
    match kind.name {
        "insertion_order" => {
            shown.insert("reservationType".into(), "RESERVATION_TYPE_NOT_GUARANTEED".into());
        }
        "line_item" => {
            shown.insert("reservationType".into(), "RESERVATION_TYPE_NOT_GUARANTEED".into());
            if let Some((from, to)) = flight(world, object) {
                shown.insert(
                    "flight".into(),
                    json!({ "flightDateType": object.fields["flight"]["flightDateType"],
                        "dateRange": { "startDate": budgets::shown(from), "endDate": budgets::shown(to) } }),
                );
            }
            let warnings = warnings(world, object);
            if !warnings.is_empty() {
                shown.insert("warningMessages".into(), warnings.into());
            }
        }
        "creative" => {
            shown.insert("createTime".into(), stamp(object.created_at).into());
            shown.insert("dynamic".into(), false.into());
            let users = creatives::users(world, object);
            if !users.is_empty() {
                let ids: Vec<&str> = users.iter().map(|h| world.store.get(*h).id.as_str()).collect();
                shown.insert("lineItemIds".into(), json!(ids));
            }
            shown.insert("reviewStatus".into(), creatives::review(world, object));
        }
        _ => {}
    }
    Value::Object(shown)
}

/// A line item's first and last day: its own, or its insertion order's.
fn flight(world: &World, line: &Object) -> Option<(NaiveDate, NaiveDate)> {
    let own = line.fields.get("flight")?;
    if own["flightDateType"] == "LINE_ITEM_FLIGHT_DATE_TYPE_CUSTOM" {
        return budgets::range(own.get("dateRange")?).ok();
    }
    let order = ancestors(world, line).next()?;
    let segments = order.fields.get("budget")?.get("budgetSegments")?.as_array()?;
    let ranges: Vec<(NaiveDate, NaiveDate)> = segments
        .iter()
        .filter_map(|s| budgets::range(s.get("dateRange")?).ok())
        .collect();
    Some((
        ranges.iter().map(|r| r.0).min()?,
        ranges.iter().map(|r| r.1).max()?,
    ))
}

/// `LineItem.warningMessages`, those that can be told here.
fn warnings(world: &World, line: &Object) -> Vec<Value> {
    let today = accounts::today(world, &line.account);
    let mut warnings: Vec<&str> = Vec::new();
    if let Some((from, to)) = flight(world, line) {
        if from > today {
            warnings.push("PENDING_FLIGHT");
        }
        if to < today {
            warnings.push("EXPIRED");
        }
    }
    let ids = line.fields.get("creativeIds").and_then(Value::as_array);
    let servable = ids.into_iter().flatten().filter_map(Value::as_str).any(|id| {
        let creative = super::object(world, &line.account, &KINDS[3], id).map(|h| world.store.get(h));
        creative.is_some_and(|c| creatives::servable(world, c))
    });
    if !servable {
        warnings.push("NO_VALID_CREATIVE");
    }
    let order = ancestors(world, line).next();
    if order.is_some_and(|o| o.text("entityStatus") != "ENTITY_STATUS_ACTIVE") {
        warnings.push("PARENT_INSERTION_ORDER_PAUSED");
    }
    warnings.into_iter().map(Value::from).collect()
}

/// All of a kind in an advertiser that a filter lets through, a page at a time.
pub(super) fn list(world: &World, call: &Call<'_>, advertiser: &str, kind: &Kind) -> Result<Value, Fault> {
    let filter = match parameter(call, "filter").filter(|f| !f.trim().is_empty()) {
        Some(text) => Some(filter::parse(&text, kind)?),
        None => None,
    };
    let handles: Vec<Handle> = candidates(world, advertiser, kind, filter.as_ref())
        .into_iter()
        .filter(|h| world.store.visible(*h))
        .collect();
    let mut rows: Vec<Value> = handles
        .into_iter()
        .map(|h| render(world, kind, h))
        .filter(|row| passes(filter.as_ref(), row))
        .collect();
    sort(
        &mut rows,
        kind,
        parameter(call, "orderBy").as_deref().unwrap_or(""),
    )?;
    let (rows, next) = page(rows, call, kind.page, PAGE)?;
    let mut answer = Map::new();
    if !rows.is_empty() {
        answer.insert(kind.collection.into(), rows.into());
    }
    if let Some(next) = next {
        answer.insert("nextPageToken".into(), next.into());
    }
    Ok(Value::Object(answer))
}

/// What can pass at all: by the one name or parent that a filter demands, or everything.
fn candidates(world: &World, advertiser: &str, kind: &Kind, filter: Option<&Filter>) -> Vec<Handle> {
    let demanded = |name: &str| {
        let parts = match filter? {
            Filter::All(parts) => parts.as_slice(),
            one @ Filter::Is(..) => std::slice::from_ref(one),
            Filter::Any(_) => return None,
        };
        parts.iter().find_map(|part| match part {
            Filter::Is(field, Operator::Equals, value) if field == name => Some(value.as_str()),
            Filter::Is(..) | Filter::All(_) | Filter::Any(_) => None,
        })
    };
    if let Some(ids) = filter.and_then(|f| ids(f, kind)) {
        return ids
            .into_iter()
            .filter_map(|id| super::object(world, advertiser, kind, id))
            .collect();
    }
    if let Some(name) = demanded("displayName") {
        return world.store.named(NAME, advertiser, kind.name, name).to_vec();
    }
    if let Some(campaign) = demanded("campaignId").filter(|_| kind.name != "campaign") {
        let Some(campaign) = super::object(world, advertiser, &KINDS[0], campaign) else {
            return Vec::new();
        };
        let orders = world.store.get(campaign).children.clone();
        if kind.name == "insertion_order" {
            return orders;
        }
        return orders
            .iter()
            .flat_map(|o| world.store.get(*o).children.clone())
            .collect();
    }
    world.store.all(NAME, advertiser, kind.name).to_vec()
}

/// The ids that a filter asks for, if it asks for nothing else.
fn ids<'f>(filter: &'f Filter, kind: &Kind) -> Option<Vec<&'f str>> {
    let parts = match filter {
        Filter::Any(parts) => parts.as_slice(),
        one @ Filter::Is(..) => std::slice::from_ref(one),
        Filter::All(_) => return None,
    };
    let id = |part: &'f Filter| match part {
        Filter::Is(field, Operator::Equals, value) if field == kind.id => Some(value.as_str()),
        Filter::Is(..) | Filter::All(_) | Filter::Any(_) => None,
    };
    let mut ids: Vec<&str> = parts.iter().map(id).collect::<Option<_>>()?;
    ids.sort_unstable_by_key(|id| (id.len(), *id));
    ids.dedup();
    Some(ids)
}

/// Archived ones are shown only when the filter asks for a status.
fn passes(filter: Option<&Filter>, row: &Value) -> bool {
    let status = row["entityStatus"].as_str().unwrap_or("");
    if status == write::DELETED {
        return false;
    }
    let Some(filter) = filter else {
        return status != write::ARCHIVED;
    };
    if filter.times("entityStatus") == 0 && status == write::ARCHIVED {
        return false;
    }
    filter.passes(&|field, operator, value| compare(row, field, operator, value))
}

fn compare(row: &Value, field: &str, operator: Operator, value: &str) -> bool {
    let text = |pointer: &str| row.pointer(pointer).and_then(Value::as_str).unwrap_or("");
    match (field, operator) {
        ("updateTime", Operator::AtLeast) => time(text("/updateTime")) >= time(value),
        ("updateTime", _) => time(text("/updateTime")) <= time(value),
        ("lineItemIds", _) => {
            let ids = row["lineItemIds"].as_array();
            ids.into_iter().flatten().any(|id| id == value)
        }
        ("dimensions", _) => {
            let side = |name: &str| row["dimensions"][name].as_i64().unwrap_or(0);
            value == format!("{}x{}", side("widthPixels"), side("heightPixels"))
        }
        ("approvalStatus", _) => text("/reviewStatus/approvalStatus") == value,
        ("exchangeReviewStatus", _) => {
            let (exchange, status) = value.split_once('-').unwrap_or((value, ""));
            let reviews = row["reviewStatus"]["exchangeReviewStatuses"].as_array();
            reviews
                .into_iter()
                .flatten()
                .any(|r| r["exchange"] == exchange && r["status"] == status)
        }
        ("dynamic", _) => row["dynamic"] == (value == "true"),
        // Hosted here are images and videos whose length nobody tells.
        ("minDuration" | "maxDuration", _) => false,
        (other, _) => row[other] == value,
    }
}

fn time(text: &str) -> Option<DateTime<Utc>> {
    text.parse().ok()
}

fn sort(rows: &mut [Value], kind: &Kind, order: &str) -> Result<(), Fault> {
    let (field, descending) = match order.trim().split_once(' ') {
        Some((field, "desc")) => (field, true),
        Some(_) => return Err(Fault::invalid(format!("Invalid value at 'order_by': {order}"))),
        None => (order.trim(), false),
    };
    let field = if field.is_empty() { kind.orders[0] } else { field };
    if !kind.orders.contains(&field) {
        return Err(Fault::invalid(format!("Invalid value at 'order_by': {order}")));
    }
    rows.sort_by_cached_key(|row| match field {
        "dimensions" => {
            let side = |name: &str| row["dimensions"][name].as_i64().unwrap_or(0);
            format!("{:08}x{:08}", side("widthPixels"), side("heightPixels"))
        }
        "creativeId" => format!("{:>20}", row[field].as_str().unwrap_or("")),
        _ => row[field].as_str().unwrap_or("").to_owned(),
    });
    if descending {
        rows.reverse();
    }
    Ok(())
}

/// One page, and the token of the next. A token is bound to its request.
pub(super) fn page(
    mut rows: Vec<Value>,
    call: &Call<'_>,
    most: usize,
    default: usize,
) -> Result<(Vec<Value>, Option<String>), Fault> {
    let size = match parameter(call, "pageSize") {
        None => default,
        Some(text) => text
            .parse::<usize>()
            .ok()
            .filter(|n| (1..=most).contains(n))
            .ok_or_else(|| Fault::invalid(format!("Page size must be between 1 and {most}.")))?,
    };
    let bound: String = url::form_urlencoded::parse(call.query.as_bytes())
        .filter(|(name, _)| name != "pageToken")
        .map(|(name, value)| format!("{name}={value}&"))
        .collect();
    let start = match parameter(call, "pageToken").filter(|t| !t.is_empty()) {
        None => 0,
        Some(token) => {
            let text = URL_SAFE_NO_PAD
                .decode(&token)
                .ok()
                .and_then(|b| String::from_utf8(b).ok());
            let (at, rest) = text
                .as_deref()
                .and_then(|t| t.split_once(' '))
                .ok_or_else(|| Fault::invalid("Invalid page token."))?;
            let at = at.parse().map_err(|_| Fault::invalid("Invalid page token."))?;
            if rest != bound {
                return Err(Fault::invalid("The page token belongs to another request."));
            }
            at
        }
    };
    rows.drain(..usize::min(start, rows.len()));
    let more = rows.len() > size;
    rows.truncate(size);
    let next = more.then(|| URL_SAFE_NO_PAD.encode(format!("{} {bound}", start + size)));
    Ok((rows, next))
}
