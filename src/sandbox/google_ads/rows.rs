//! GAQL: evaluating a query against the store.
//!
//! Knows which resources may be selected from which, joins them, filters, sorts and renders rows. Must not change anything.
//! Resources and their attributed resources: <https://developers.google.com/google-ads/api/fields/v25/overview>.

use super::derived;
use super::errors::Fault;
use super::query::{Condition, Operator, Query};
use super::schema::{Field, Schema, Type};
use super::{NAME, resource_name};
use crate::sandbox::store::{Handle, Object};
use crate::sandbox::world::World;
use serde_json::{Map, Value};
use std::cmp::Ordering;

/// What can be selected from what: the resource itself first.
const FROM: &[(&str, &[&str])] = &[
    (
        "campaign",
        &["campaign", "campaign_budget", "customer", "metrics", "segments"],
    ),
    ("campaign_budget", &["campaign_budget", "customer", "metrics"]),
    (
        "ad_group",
        &["ad_group", "campaign", "customer", "metrics", "segments"],
    ),
    (
        "ad_group_ad",
        &[
            "ad_group_ad",
            "ad_group",
            "campaign",
            "customer",
            "metrics",
            "segments",
        ],
    ),
    (
        "ad_group_criterion",
        &["ad_group_criterion", "ad_group", "campaign", "customer"],
    ),
    (
        "campaign_criterion",
        &["campaign_criterion", "campaign", "customer"],
    ),
    (
        "campaign_label",
        &["campaign_label", "campaign", "label", "customer"],
    ),
    (
        "ad_group_label",
        &["ad_group_label", "ad_group", "campaign", "label", "customer"],
    ),
    ("label", &["label", "customer"]),
    ("customer", &["customer", "metrics", "segments"]),
    ("asset", &["asset", "customer"]),
    ("asset_group", &["asset_group", "campaign", "customer", "metrics"]),
    (
        "asset_group_asset",
        &[
            "asset_group_asset",
            "asset_group",
            "asset",
            "campaign",
            "customer",
        ],
    ),
    (
        "asset_group_listing_group_filter",
        &[
            "asset_group_listing_group_filter",
            "asset_group",
            "campaign",
            "customer",
        ],
    ),
    (
        "campaign_asset",
        &["campaign_asset", "campaign", "asset", "customer"],
    ),
    ("product_link", &["product_link", "customer"]),
    ("billing_setup", &["billing_setup", "customer"]),
    ("account_budget", &["account_budget", "billing_setup", "customer"]),
];

/// A field of a query, resolved.
pub(super) struct Resolved {
    pub(super) resource: &'static str,
    /// The JSON names below the resource.
    pub(super) path: Vec<String>,
    ty: Type,
    repeated: bool,
}

/// The handles that make up one row, by resource.
struct Row(Vec<(&'static str, Handle)>);

impl Row {
    fn get(&self, resource: &str) -> Option<Handle> {
        self.0
            .iter()
            .find(|(name, _)| *name == resource)
            .map(|(_, handle)| *handle)
    }
}

/// What a query gives: rendered rows and the field mask.
pub(super) struct Found {
    pub(super) rows: Vec<Value>,
    pub(super) mask: String,
}

/// Evaluates a query for a customer.
pub(super) fn run(world: &World, customer: &str, query: &Query) -> Result<Found, Fault> {
    let Some((from, allowed)) = FROM.iter().find(|(name, _)| *name == query.from) else {
        let message = format!("'{}' is not a resource that can be selected from.", query.from);
        return Err(Fault::new(
            "queryError",
            "BAD_RESOURCE_TYPE_IN_FROM_CLAUSE",
            &message,
        ));
    };
    let select = query
        .select
        .iter()
        .map(|f| resolve(f, allowed, "SELECT"))
        .collect::<Result<Vec<_>, _>>()?;
    let conditions = query
        .conditions
        .iter()
        .map(|c| Ok((check(resolve(&c.field, allowed, "WHERE")?, c)?, c)))
        .collect::<Result<Vec<_>, Fault>>()?;
    let order = query
        .order
        .iter()
        .map(|(f, descending)| Ok((resolve(f, allowed, "WHERE")?, *descending)))
        .collect::<Result<Vec<_>, Fault>>()?;
    let mut rows: Vec<Row> = candidates(world, customer, from, &query.conditions)
        .into_iter()
        .filter(|handle| world.store.visible(*handle))
        .map(|handle| join(world, customer, from, handle))
        .filter(|row| conditions.iter().all(|(field, c)| holds(world, row, field, c)))
        .collect();
    if !order.is_empty() {
        rows.sort_by(|a, b| {
            order
                .iter()
                .map(|(field, descending)| {
                    let ordering = compare(
                        value(world, a, field).as_ref(),
                        value(world, b, field).as_ref(),
                        &field.ty,
                    );
                    if *descending { ordering.reverse() } else { ordering }
                })
                .find(|o| *o != Ordering::Equal)
                .unwrap_or(Ordering::Equal)
        });
    }
    rows.truncate(query.limit.unwrap_or(usize::MAX));
    let rows = rows.iter().map(|row| render(world, row, from, &select)).collect();
    let mask: Vec<String> = select
        .iter()
        .map(|f| format!("{}.{}", super::schema::camel(f.resource), f.path.join(".")))
        .collect();
    Ok(Found {
        rows,
        mask: mask.join(","),
    })
}

/// Finds a field in the schema and checks that it may stand in this query.
pub(super) fn resolve(field: &str, allowed: &[&'static str], clause: &str) -> Result<Resolved, Fault> {
    let unknown = || {
        let message = format!("Unrecognized field in the query: '{field}'.");
        Fault::new("queryError", "UNRECOGNIZED_FIELD", &message).because(field)
    };
    let schema = Schema::get();
    let mut parts = field.split('.');
    let resource = parts.next().unwrap_or("");
    let mut found: &Field = schema
        .message("GoogleAdsRow")
        .snake(resource)
        .ok_or_else(unknown)?;
    let mut path = Vec::new();
    let mut repeated = false;
    for part in parts {
        let Type::Message(index) = &found.ty else {
            return Err(unknown());
        };
        found = schema.at(*index).snake(part).ok_or_else(unknown)?;
        repeated |= found.repeated;
        path.push(found.camel.clone());
    }
    // A whole message cannot be selected, only a field of it; a list of messages can, and a text within an ad
    // (https://developers.google.com/google-ads/api/fields/v25/ad_group_ad).
    let whole = matches!(&found.ty, Type::Message(index) if !schema.is(*index, "AdTextAsset"));
    if path.is_empty() || (whole && !found.repeated) {
        return Err(unknown());
    }
    match allowed.iter().find(|r| **r == resource) {
        Some(resource) => Ok(Resolved {
            resource,
            path,
            ty: found.ty.clone(),
            repeated,
        }),
        None => {
            let code = format!("PROHIBITED_RESOURCE_TYPE_IN_{clause}_CLAUSE");
            let message = format!("Cannot use '{field}' with the resource in the FROM clause.");
            Err(Fault::new("queryError", &code, &message).because(field))
        }
    }
}

/// Checks a condition's values against its field.
fn check(field: Resolved, condition: &Condition) -> Result<Resolved, Fault> {
    if let Type::Enum(index) = &field.ty {
        let values = &Schema::get().enumeration(*index).values;
        if let Some(bad) = condition.values.iter().find(|v| !values.contains(v)) {
            let message = format!("Enum value '{bad}' is not valid for '{}'.", condition.field);
            return Err(Fault::new("queryError", "BAD_ENUM_CONSTANT", &message).because(bad));
        }
    }
    if matches!(field.ty, Type::Int64 | Type::Int32)
        && let Some(bad) = condition.values.iter().find(|v| v.parse::<i64>().is_err())
    {
        let message = format!("'{bad}' is not a number.");
        return Err(Fault::new("queryError", "BAD_NUMBER", &message).because(bad));
    }
    let lists = matches!(
        condition.operator,
        Operator::ContainsAny | Operator::ContainsAll | Operator::ContainsNone
    );
    if lists != field.repeated {
        let message = format!("The operator cannot be used with '{}'.", condition.field);
        return Err(Fault::new("queryError", "OPERATOR_FIELD_MISMATCH", &message));
    }
    Ok(field)
}

/// The values of an equality or a list on a field.
fn exact<'a>(conditions: &'a [Condition], field: &str) -> Option<&'a [String]> {
    conditions
        .iter()
        .find(|c| c.field == field && matches!(c.operator, Operator::Equal | Operator::In))
        .map(|c| c.values.as_slice())
}

/// The objects that can match, as few as the conditions allow without looking at each.
fn candidates(world: &World, customer: &str, from: &'static str, conditions: &[Condition]) -> Vec<Handle> {
    let mut found = if let Some(own) = addressed(world, customer, from, conditions) {
        own
    } else if let (Some(labels), "campaign_label" | "ad_group_label") =
        (labels(world, customer, conditions), from)
    {
        labels
            .iter()
            .flat_map(|label| world.store.named(NAME, customer, from, label))
            .copied()
            .collect()
    } else if let (Some(campaigns), true) = (
        addressed(world, customer, "campaign", conditions),
        ["ad_group", "asset_group", "campaign_"]
            .iter()
            .any(|start| from.starts_with(start)),
    ) {
        if from == "campaign_budget" {
            world.store.all(NAME, customer, from).to_vec()
        } else {
            campaigns
                .iter()
                .flat_map(|campaign| below(world, *campaign, from))
                .collect()
        }
    } else {
        world.store.all(NAME, customer, from).to_vec()
    };
    found.sort_unstable();
    found.dedup();
    found
}

fn addressed(
    world: &World,
    customer: &str,
    resource: &'static str,
    conditions: &[Condition],
) -> Option<Vec<Handle>> {
    if let Some(names) = exact(conditions, &format!("{resource}.name")) {
        return Some(
            names
                .iter()
                .flat_map(|n| world.store.named(NAME, customer, resource, n))
                .copied()
                .collect(),
        );
    }
    let keys: Vec<String> = match exact(conditions, &format!("{resource}.resource_name")) {
        Some(keys) => keys.to_vec(),
        None => {
            let ids = exact(conditions, &format!("{resource}.id"))?;
            ids.iter()
                .map(|id| resource_name(customer, resource, id))
                .collect()
        }
    };
    let own = |h: &Handle| {
        let object = world.store.get(*h);
        object.kind == resource && object.account == customer
    };
    Some(
        keys.iter()
            .filter_map(|key| world.store.find(NAME, key))
            .filter(own)
            .collect(),
    )
}

fn labels(world: &World, customer: &str, conditions: &[Condition]) -> Option<Vec<String>> {
    let handles = addressed(world, customer, "label", conditions)?;
    Some(handles.iter().map(|h| world.store.get(*h).key.clone()).collect())
}

fn below(world: &World, handle: Handle, kind: &str) -> Vec<Handle> {
    let mut out = Vec::new();
    for child in &world.store.get(handle).children {
        if world.store.get(*child).kind == kind {
            out.push(*child);
        }
        out.extend(below(world, *child, kind));
    }
    out
}

/// The row of an object: itself and what it belongs to.
fn join(world: &World, customer: &str, from: &'static str, handle: Handle) -> Row {
    let mut row = vec![(from, handle)];
    let mut up = world.store.get(handle).parent;
    while let Some(parent) = up {
        let object = world.store.get(parent);
        if !row.iter().any(|(kind, _)| *kind == object.kind) {
            row.push((object.kind, parent));
        }
        up = object.parent;
    }
    for (resource, field) in [
        ("campaign_budget", "campaignBudget"),
        ("label", "label"),
        ("asset", "asset"),
        ("billing_setup", "billingSetup"),
    ] {
        let object = world.store.get(handle);
        if let Some(other) = world.store.find(NAME, object.text(field)) {
            row.push((resource, other));
        }
    }
    if from != "customer"
        && let Some(other) = world.store.find(NAME, &format!("customers/{customer}"))
    {
        row.push(("customer", other));
    }
    Row(row)
}

/// The value of a field in a row; None where it is not set.
fn value(world: &World, row: &Row, field: &Resolved) -> Option<Value> {
    let primary = row.0.first().map(|(_, handle)| *handle)?;
    match field.resource {
        "metrics" => return Some(derived::metric(world.store.get(primary), &field.path[0])),
        "segments" => return derived::segment(world, world.store.get(primary), &field.path[0]),
        _ => {}
    }
    let handle = row.get(field.resource)?;
    let object: &Object = world.store.get(handle);
    if let Some(value) = derived::field(world, handle, &field.path) {
        return Some(value);
    }
    let mut value = object.fields.get(&field.path[0])?;
    for part in &field.path[1..] {
        value = value.get(part)?;
    }
    Some(value.clone())
}

fn text(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    }
}

fn number(value: Option<&Value>) -> Option<i64> {
    match value? {
        Value::String(text) => text.parse().ok(),
        Value::Number(n) => n.as_i64(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn compare(a: Option<&Value>, b: Option<&Value>, ty: &Type) -> Ordering {
    match ty {
        Type::Int32 | Type::Int64 => number(a).cmp(&number(b)),
        Type::Double => {
            let double = |v: Option<&Value>| v.and_then(Value::as_f64).unwrap_or(0.0);
            double(a).total_cmp(&double(b))
        }
        Type::Text | Type::Mask | Type::Bool | Type::Enum(_) | Type::Message(_) => text(a).cmp(&text(b)),
    }
}

/// Whether a condition holds. Strings compare with case, `LIKE` without:
/// <https://developers.google.com/google-ads/api/docs/query/case-sensitivity>.
fn holds(world: &World, row: &Row, field: &Resolved, condition: &Condition) -> bool {
    let mut have = value(world, row, field);
    // Unset booleans and enums read as their zero value.
    if have.is_none() {
        have = match &field.ty {
            Type::Bool => Some(false.into()),
            Type::Enum(_) => Some("UNSPECIFIED".into()),
            Type::Text | Type::Double | Type::Int32 | Type::Int64 | Type::Mask | Type::Message(_) => None,
        };
    }
    let spelled = |text: &String| -> Value {
        match field.ty {
            Type::Bool => text.eq_ignore_ascii_case("true").into(),
            Type::Text
            | Type::Double
            | Type::Int32
            | Type::Int64
            | Type::Mask
            | Type::Enum(_)
            | Type::Message(_) => text.as_str().into(),
        }
    };
    let against = |wanted: &String| compare(have.as_ref(), Some(&spelled(wanted)), &field.ty);
    let equals = |wanted: &String| have.is_some() && against(wanted) == Ordering::Equal;
    let first = condition.values.first();
    let items = || -> Vec<String> {
        let list = have.as_ref().and_then(Value::as_array);
        list.map(|l| l.iter().map(|v| text(Some(v))).collect())
            .unwrap_or_default()
    };
    match condition.operator {
        Operator::Equal | Operator::In => condition.values.iter().any(equals),
        Operator::NotEqual | Operator::NotIn => !condition.values.iter().any(equals),
        Operator::Less => first.is_some_and(|w| have.is_some() && against(w).is_lt()),
        Operator::LessOrEqual => first.is_some_and(|w| have.is_some() && against(w).is_le()),
        Operator::Greater => first.is_some_and(|w| have.is_some() && against(w).is_gt()),
        Operator::GreaterOrEqual => first.is_some_and(|w| have.is_some() && against(w).is_ge()),
        Operator::Like => first.is_some_and(|w| like(&text(have.as_ref()), w)),
        Operator::NotLike => first.is_some_and(|w| !like(&text(have.as_ref()), w)),
        Operator::ContainsAny => condition.values.iter().any(|w| items().contains(w)),
        Operator::ContainsAll => condition.values.iter().all(|w| items().contains(w)),
        Operator::ContainsNone => !condition.values.iter().any(|w| items().contains(w)),
        Operator::IsNull => have.is_none(),
        Operator::IsNotNull => have.is_some(),
        Operator::Between => {
            let high = condition.values.get(1);
            first.is_some_and(|w| against(w).is_ge()) && high.is_some_and(|w| against(w).is_le())
        }
        // Everything the sandbox has spent, it has spent today.
        Operator::During => first.is_none_or(|w| !w.eq_ignore_ascii_case("yesterday")),
    }
}

/// `LIKE`: `%` is any text, `_` one character, `[x]` the character itself; case does not matter.
fn like(text: &str, pattern: &str) -> bool {
    fn matches(text: &[char], pattern: &[char]) -> bool {
        match pattern {
            [] => text.is_empty(),
            ['%', rest @ ..] => (0..=text.len()).any(|skip| matches(&text[skip..], rest)),
            ['_', rest @ ..] => !text.is_empty() && matches(&text[1..], rest),
            ['[', c, ']', rest @ ..] | [c, rest @ ..] => text.first() == Some(c) && matches(&text[1..], rest),
        }
    }
    let chars = |s: &str| s.to_lowercase().chars().collect::<Vec<_>>();
    matches(&chars(text), &chars(pattern))
}

/// A row as JSON: what was selected, and the resource names that the vendor adds.
fn render(world: &World, row: &Row, from: &'static str, select: &[Resolved]) -> Value {
    let mut out = Map::new();
    let named = |resource: &str| row.get(resource).map(|h| world.store.get(h).key.clone());
    if let Some(name) = named(from) {
        put(
            &mut out,
            &super::schema::camel(from),
            &["resourceName".to_owned()],
            name.into(),
        );
    }
    for field in select {
        let resource = super::schema::camel(field.resource);
        if let Some(name) = named(field.resource) {
            put(&mut out, &resource, &["resourceName".to_owned()], name.into());
        }
        if let Some(value) = value(world, row, field) {
            put(&mut out, &resource, &field.path, value);
        }
    }
    Value::Object(out)
}

fn put(out: &mut Map<String, Value>, resource: &str, path: &[String], value: Value) {
    let mut slot = out.entry(resource).or_insert_with(|| Value::Object(Map::new()));
    for part in path {
        if !slot.is_object() {
            *slot = Value::Object(Map::new());
        }
        let Value::Object(map) = slot else { return };
        slot = map.entry(part.as_str()).or_insert(Value::Null);
    }
    *slot = value;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn like_knows_its_wildcards_and_no_case() {
        for (text, pattern, yes) in [
            ("Kobi_acme", "kobi%", true),
            ("kobi", "k_bi", true),
            ("kobi", "k%z", false),
            ("100%", "100[%]", true),
            ("1000", "100[%]", false),
        ] {
            assert_eq!(like(text, pattern), yes, "{text} LIKE {pattern}");
        }
    }
}
