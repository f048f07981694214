//! `change_event`: who changed what, when, and through which client, from the objects' own history.
//!
//! As the vendor has it: a finite range of at most 30 days back and a limit of at most 10,000 rows are demanded, labels and links to
//! them have no events, times are the account's. Kinder in one thing: an event is there at once (the vendor may take three
//! minutes), and `old_resource` and `new_resource` cannot be asked for. Must not change anything. Sources:
//! <https://developers.google.com/google-ads/api/fields/v26/change_event>,
//! <https://developers.google.com/google-ads/api/docs/change-event>.

use super::NAME;
use super::errors::Fault;
use super::query::{Condition, Operator, Query};
use super::rows::{Found, Resolved, resolve};
use crate::sandbox::store::{Handle, Line, Object};
use crate::sandbox::world::World;
use chrono::{Duration, NaiveDate, NaiveDateTime};
use chrono_tz::Tz;
use serde_json::{Map, Value, json};

/// What stands in `FROM`.
pub(super) const RESOURCE: &str = "change_event";
const AT: &str = "change_event.change_date_time";
/// Kinds that have events, by the vendor's word (`ChangeEventResourceType`).
const KINDS: &[(&str, &str)] = &[
    ("campaign", "CAMPAIGN"),
    ("campaign_budget", "CAMPAIGN_BUDGET"),
    ("campaign_criterion", "CAMPAIGN_CRITERION"),
    ("campaign_asset", "CAMPAIGN_ASSET"),
    ("ad_group", "AD_GROUP"),
    ("ad_group_ad", "AD_GROUP_AD"),
    ("ad_group_criterion", "AD_GROUP_CRITERION"),
    ("asset", "ASSET"),
];
const MOST_ROWS: usize = 10_000;
const OLDEST_DAYS: i64 = 30;
/// How the vendor writes a time, in the account's zone.
const TIME: &str = "%Y-%m-%d %H:%M:%S%.6f";

fn bad(code: &str, message: &str) -> Fault {
    Fault::new("changeEventError", code, message)
}

/// Evaluates a query for a customer.
pub(super) fn run(world: &World, customer: &str, query: &Query) -> Result<Found, Fault> {
    let allowed = &[RESOURCE, "customer"];
    let select = fields(&query.select, allowed, "SELECT")?;
    let wheres: Vec<String> = query.conditions.iter().map(|c| c.field.clone()).collect();
    let wheres = fields(&wheres, allowed, "WHERE")?;
    let zone = zone(world, customer);
    demand_a_range(world, zone, &query.conditions)?;
    match query.limit {
        None => return Err(bad("LIMIT_NOT_SPECIFIED", "The LIMIT clause must be specified.")),
        Some(limit) if limit > MOST_ROWS => {
            return Err(bad("INVALID_LIMIT_CLAUSE", "The LIMIT must be at most 10000."));
        }
        Some(_) => {}
    }
    let owner = world.store.find(NAME, &format!("customers/{customer}"));
    let owner = owner.map(|handle| Value::Object(world.store.get(handle).fields.clone()));
    let mut all = Vec::new();
    for (kind, word) in KINDS {
        for handle in world.store.all(NAME, customer, kind) {
            let object = world.store.get(*handle);
            for (place, line) in object.history.iter().enumerate() {
                let event = event(world, *handle, word, (place, line), zone);
                let row = json!({ "changeEvent": event, "customer": owner });
                let mut conditions = wheres.iter().zip(&query.conditions);
                if conditions.all(|(field, condition)| holds(&at(&row, field), condition)) {
                    all.push(row);
                }
            }
        }
    }
    for (field, descending) in query.order.iter().rev() {
        let field = resolve(field, allowed, "WHERE")?;
        all.sort_by(|a, b| {
            let ordering = at(a, &field).cmp(&at(b, &field));
            if *descending { ordering.reverse() } else { ordering }
        });
    }
    all.truncate(query.limit.unwrap_or(MOST_ROWS));
    let mask: Vec<String> = select.iter().map(path).collect();
    let rows = all.iter().map(|row| render(row, &select)).collect();
    Ok(Found {
        rows,
        mask: mask.join(","),
    })
}

fn fields(names: &[String], allowed: &[&'static str], clause: &str) -> Result<Vec<Resolved>, Fault> {
    names.iter().map(|name| resolve(name, allowed, clause)).collect()
}

fn path(field: &Resolved) -> String {
    format!(
        "{}.{}",
        super::schema::camel(field.resource),
        field.path.join(".")
    )
}

/// The text at a field of a row.
fn at(row: &Value, field: &Resolved) -> String {
    let mut value = &row[super::schema::camel(field.resource)];
    for part in &field.path {
        value = &value[part];
    }
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

fn render(row: &Value, select: &[Resolved]) -> Value {
    let mut out = Map::new();
    for field in select {
        let resource = super::schema::camel(field.resource);
        let [name] = field.path.as_slice() else { continue };
        if let Some(value) = row[&resource].get(name) {
            let inner = out.entry(resource).or_insert_with(|| json!({}));
            inner[name] = value.clone();
        }
    }
    Value::Object(out)
}

fn zone(world: &World, customer: &str) -> Tz {
    let owner = world.store.find(NAME, &format!("customers/{customer}"));
    owner
        .and_then(|handle| world.store.get(handle).text("timeZone").parse().ok())
        .unwrap_or(Tz::UTC)
}

fn time(text: &str) -> Option<NaiveDateTime> {
    let whole = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").ok();
    whole.or_else(|| {
        NaiveDate::parse_from_str(text, "%Y-%m-%d")
            .ok()?
            .and_hms_opt(0, 0, 0)
    })
}

/// "The date range must be finite, and start at most 30 days ago."
fn demand_a_range(world: &World, zone: Tz, conditions: &[Condition]) -> Result<(), Fault> {
    let (mut first, mut last) = (None, None);
    for condition in conditions.iter().filter(|c| c.field == AT) {
        let mut values = condition.values.iter().map(|v| time(v));
        match condition.operator {
            Operator::Greater | Operator::GreaterOrEqual => first = values.next().flatten(),
            Operator::Less | Operator::LessOrEqual => last = values.next().flatten(),
            Operator::Between => (first, last) = (values.next().flatten(), values.next().flatten()),
            Operator::Equal
            | Operator::NotEqual
            | Operator::In
            | Operator::NotIn
            | Operator::Like
            | Operator::NotLike
            | Operator::ContainsAny
            | Operator::ContainsAll
            | Operator::ContainsNone
            | Operator::IsNull
            | Operator::IsNotNull
            | Operator::During => {}
        }
    }
    let (Some(first), Some(last)) = (first, last) else {
        let message =
            "The change event search request must specify a finite range filter on change_date_time.";
        return Err(bad("CHANGE_DATE_RANGE_INFINITE", message));
    };
    let now = world.now.with_timezone(&zone).naive_local();
    if first < now - Duration::days(OLDEST_DAYS) {
        let message = "The requested start date is too old. It cannot be older than 30 days.";
        return Err(bad("START_DATE_TOO_OLD", message));
    }
    if last < first {
        let message = "The change event search request contains an invalid range.";
        return Err(bad("CHANGE_DATE_RANGE_NEGATIVE", message));
    }
    Ok(())
}

fn event(world: &World, handle: Handle, word: &str, (place, line): (usize, &Line), zone: Tz) -> Value {
    let object = world.store.get(handle);
    let mut above = Some(handle);
    let (mut campaign, mut ad_group) = (None, None);
    while let Some(at) = above {
        let object: &Object = world.store.get(at);
        match object.kind {
            "campaign" => campaign = Some(object.key.clone()),
            "ad_group" => ad_group = Some(object.key.clone()),
            _ => {}
        }
        above = object.parent;
    }
    let inner: Vec<&str> = line.fields.iter().filter_map(|f| f.strip_prefix("ad.")).collect();
    let (word, name, changed) = if inner.is_empty() {
        let outer = line.fields.iter().map(String::as_str).collect();
        (word, object.key.as_str(), outer)
    } else {
        let ad = object.fields["ad"]["resourceName"].as_str();
        ("AD", ad.unwrap_or_default(), inner)
    };
    // A removal is the last thing that can happen to an object.
    let removed = object.text("status") == "REMOVED" && place + 1 == object.history.len();
    let operation = match place {
        0 => "CREATE",
        _ if removed => "REMOVE",
        _ => "UPDATE",
    };
    let (client, email) = if line.by_hand {
        ("GOOGLE_ADS_WEB_CLIENT", "someone@sandbox.example")
    } else {
        ("GOOGLE_ADS_API", "service@sandbox.example")
    };
    let mut event = json!({
        "changeDateTime": line.at.with_timezone(&zone).format(TIME).to_string(),
        "changeResourceType": word,
        "changeResourceName": name,
        "clientType": client,
        "userEmail": email,
        "resourceChangeOperation": operation,
        "changedFields": changed.join(","),
    });
    for (field, value) in [("campaign", campaign), ("adGroup", ad_group)] {
        if let Some(value) = value {
            event[field] = value.into();
        }
    }
    event
}

/// Times and names compare as texts do; a date is its midnight.
fn holds(have: &str, condition: &Condition) -> bool {
    let wanted = |place: usize| -> &str { condition.values.get(place).map_or("", String::as_str) };
    match condition.operator {
        Operator::Equal => have == wanted(0),
        Operator::NotEqual => have != wanted(0),
        Operator::Less => have < wanted(0),
        Operator::LessOrEqual => have <= wanted(0),
        Operator::Greater => have > wanted(0),
        Operator::GreaterOrEqual => have >= wanted(0),
        Operator::In => condition.values.iter().any(|v| v == have),
        Operator::NotIn => condition.values.iter().all(|v| v != have),
        Operator::Between => wanted(0) <= have && have <= wanted(1),
        Operator::IsNull => have.is_empty(),
        Operator::IsNotNull => !have.is_empty(),
        // Nothing of a change event can be compared so.
        Operator::Like
        | Operator::NotLike
        | Operator::ContainsAny
        | Operator::ContainsAll
        | Operator::ContainsNone
        | Operator::During => false,
    }
}
