//! `/control/*`: look at the sandbox's truth, arm faults, change the world, start afresh.
//!
//! Must not answer for a vendor, and is never struck by a fault. Wrong input is refused with a sentence that says what
//! would be right.

use super::faults::Rule;
use super::http::{Answer, Shared};
use super::journal::{Filter, KEPT};
use super::store::Object;
use super::switches;
use super::world::World;
use axum::http::Method;
use chrono::SecondsFormat;
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// Answers `/control/{what}`.
pub(super) fn answer(shared: &Shared, method: &Method, what: &str, query: &str, body: &[u8]) -> Answer {
    let query: HashMap<String, String> = url::form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect();
    let mut world = shared.world();
    match (method.as_str(), what) {
        ("GET", "objects") => Answer::json(200, &objects(&world, &query)),
        ("GET", "requests") => requests(&world, &query),
        ("GET", "counts") => Answer::json(200, &world.journal.counts()),
        ("GET", "faults") => Answer::json(200, &json!({"faults": world.faults.list()})),
        ("POST", "faults") => arm(&mut world, body),
        ("DELETE", "faults") => {
            let id = query.get("id").and_then(|id| id.parse().ok());
            Answer::json(200, &json!({"disarmed": world.faults.disarm(id)}))
        }
        ("POST", "world") => match serde_json::from_slice::<Map<String, Value>>(body) {
            Ok(map) => match switches::apply(&mut world, shared.vendors, &map) {
                Ok(()) => Answer::json(200, &json!({"ok": true})),
                Err(what) => refuse(400, &what),
            },
            Err(error) => refuse(400, &format!("the body must be a JSON object: {error}")),
        },
        ("POST", "reset") => {
            world.reset();
            Answer::json(200, &json!({"ok": true}))
        }
        _ => refuse(
            404,
            "GET objects, GET requests, GET counts, GET|POST|DELETE faults, POST world, POST reset",
        ),
    }
}

fn refuse(status: u16, what: &str) -> Answer {
    Answer::json(status, &json!({"error": what}))
}

fn arm(world: &mut World, body: &[u8]) -> Answer {
    let parsed = serde_json::from_slice::<Value>(body).and_then(|value| match value {
        Value::Array(_) => serde_json::from_value::<Vec<Rule>>(value),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            serde_json::from_value::<Rule>(value).map(|rule| vec![rule])
        }
    });
    let rules = match parsed {
        Ok(rules) => rules,
        Err(error) => return refuse(400, &format!("not a fault: {error}")),
    };
    let mut ids = Vec::new();
    for rule in rules {
        match world.faults.arm(rule) {
            Ok(id) => ids.push(id),
            Err(what) => return refuse(400, &what),
        }
    }
    Answer::json(200, &json!({"id": ids.first(), "ids": ids}))
}

fn requests(world: &World, query: &HashMap<String, String>) -> Answer {
    let filter = Filter {
        vendor: query.get("vendor").cloned(),
        method: query.get("method").cloned(),
        since: query.get("since").and_then(|s| s.parse().ok()).unwrap_or(0),
        mutations: query.get("mutations").is_some_and(|m| m == "true"),
        limit: query.get("limit").and_then(|l| l.parse().ok()).unwrap_or(KEPT),
    };
    Answer::json(200, &json!({"requests": world.journal.list(&filter)}))
}

fn objects(world: &World, query: &HashMap<String, String>) -> Value {
    let is = |key: &str, value: &str| query.get(key).is_none_or(|wanted| wanted == value);
    let full = query.get("full").is_some_and(|f| f == "true");
    let objects: Vec<Value> = world
        .store
        .every()
        .iter()
        .filter(|o| {
            is("vendor", o.vendor) && is("kind", o.kind) && is("account", &o.account) && is("name", name(o))
        })
        .map(|o| object(world, o, full))
        .collect();
    json!({"objects": objects})
}

/// What a person would call it.
fn name(object: &Object) -> &str {
    let name = object.text("name");
    if name.is_empty() {
        object.text("_name")
    } else {
        name
    }
}

fn object(world: &World, object: &Object, full: bool) -> Value {
    let history: Vec<Value> = object
        .history
        .iter()
        .map(|line| {
            let at = line.at.to_rfc3339_opts(SecondsFormat::Micros, true);
            json!({"at": at, "what": line.what, "by_hand": line.by_hand})
        })
        .collect();
    let status = ["status", "account_status", "entityStatus"]
        .iter()
        .find_map(|key| object.fields.get(*key));
    let mut value = json!({
        "vendor": object.vendor,
        "account": object.account,
        "kind": object.kind,
        "id": object.id,
        "key": object.key,
        "name": name(object),
        "status": status,
        "parent": object.parent.map(|p| world.store.get(p).key.clone()),
        "spend": money(object.spend_micros),
        "created_at": object.created_at.to_rfc3339_opts(SecondsFormat::Micros, true),
        "visible_at": object.visible_at.to_rfc3339_opts(SecondsFormat::Micros, true),
        "history": history,
    });
    if full {
        let fields: Map<String, Value> = object
            .fields
            .iter()
            .filter(|(k, _)| !k.starts_with('_'))
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect();
        value["fields"] = Value::Object(fields);
    }
    value
}

/// Micros as a decimal: `12340000` is `12.34`.
pub(super) fn money(micros: i64) -> String {
    let fraction = format!("{:06}", micros.unsigned_abs() % 1_000_000);
    let trimmed = fraction.trim_end_matches('0');
    let sign = if micros < 0 { "-" } else { "" };
    format!("{sign}{}.{trimmed:0<2}", micros.unsigned_abs() / 1_000_000)
}

/// A decimal as micros, exactly.
pub(super) fn micros(decimal: &str) -> Option<i64> {
    let (whole, fraction) = decimal.split_once('.').unwrap_or((decimal, ""));
    if fraction.len() > 6 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let fraction: i64 = format!("{fraction:0<6}").parse().ok()?;
    whole
        .parse::<i64>()
        .ok()?
        .checked_mul(1_000_000)?
        .checked_add(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_goes_both_ways_exactly() {
        for (text, value) in [("12.34", 12_340_000), ("0.00", 0), ("7.000001", 7_000_001)] {
            assert_eq!(micros(text), Some(value));
            assert_eq!(money(value), text);
        }
        assert_eq!(micros("5"), Some(5_000_000));
        assert_eq!(micros("1.2345678"), None);
    }
}
