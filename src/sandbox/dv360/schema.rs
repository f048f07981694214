//! The shape of Display & Video 360 messages: which fields there are, of what type, and which are required, immutable or for
//! output only.
//!
//! Read once from `schema.txt` (facts of the vendor's own discovery document). [`read`] checks a JSON body against a message
//! as strictly as the vendor does, and stricter in one thing: what is for output only is refused, not ignored. Must not know
//! rules that stand in prose; `rules.rs` does.

use crate::sandbox::google_rpc::Violation;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::OnceLock;

/// The type of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Type {
    Text,
    Bool,
    Double,
    Int32,
    Int64,
    Datetime,
    /// Seconds with an `s`.
    Duration,
    Any,
    /// An index into the enums.
    Enum(usize),
    /// An index into the messages.
    Message(usize),
}

/// One field.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) ty: Type,
    pub(super) repeated: bool,
    pub(super) required: bool,
    pub(super) output_only: bool,
    pub(super) immutable: bool,
}

/// One message.
#[derive(Debug, Default)]
pub(super) struct Message {
    pub(super) fields: Vec<Field>,
    by_name: HashMap<String, usize>,
}

impl Message {
    /// A field by its name.
    pub(super) fn field(&self, name: &str) -> Option<&Field> {
        self.by_name.get(name).map(|i| &self.fields[*i])
    }
}

/// Everything.
#[derive(Debug)]
pub(super) struct Schema {
    messages: Vec<Message>,
    message_names: HashMap<String, usize>,
    enums: Vec<(String, Vec<String>)>,
}

impl Schema {
    /// The schema of the API's version.
    pub(super) fn get() -> &'static Self {
        static SCHEMA: OnceLock<Schema> = OnceLock::new();
        SCHEMA.get_or_init(|| Self::parse(include_str!("schema.txt")))
    }

    /// A message by name; an empty one if there is none (which then accepts nothing).
    pub(super) fn message(&self, name: &str) -> &Message {
        static EMPTY: OnceLock<Message> = OnceLock::new();
        match self.message_names.get(name) {
            Some(index) => &self.messages[*index],
            None => EMPTY.get_or_init(Message::default),
        }
    }

    /// The message that a field holds; none: it holds no message.
    pub(super) fn inside(&self, field: &Field) -> Option<&Message> {
        match field.ty {
            Type::Message(index) => Some(&self.messages[index]),
            Type::Text
            | Type::Bool
            | Type::Double
            | Type::Int32
            | Type::Int64
            | Type::Datetime
            | Type::Duration
            | Type::Any
            | Type::Enum(_) => None,
        }
    }

    /// Whether an enum has this value.
    pub(super) fn has_value(&self, name: &str, value: &str) -> bool {
        let found = self.enums.iter().find(|(n, _)| n == name);
        found.is_some_and(|(_, values)| values.iter().any(|v| v == value))
    }

    fn parse(text: &str) -> Self {
        let lines: Vec<Vec<&str>> = text
            .lines()
            .filter(|l| !l.starts_with('#'))
            .map(|l| l.split(' ').collect())
            .collect();
        let mut message_names = HashMap::new();
        let mut enums = Vec::new();
        for line in &lines {
            match line[..] {
                ["message", name, ..] => {
                    message_names.insert(name.to_owned(), message_names.len());
                }
                ["enum", name, ref values @ ..] => {
                    enums.push((name.to_owned(), values.iter().map(|v| (*v).to_owned()).collect()));
                }
                _ => {}
            }
        }
        let mut schema = Self {
            messages: Vec::new(),
            message_names,
            enums,
        };
        for line in lines.iter().filter(|l| l.first() == Some(&"message")) {
            let mut message = Message::default();
            for field in line[2..].iter().filter_map(|spec| schema.field(spec)) {
                message.by_name.insert(field.name.clone(), message.fields.len());
                message.fields.push(field);
            }
            schema.messages.push(message);
        }
        schema
    }

    /// `name:[]&Message!=` as a field.
    fn field(&self, spec: &str) -> Option<Field> {
        let (name, rest) = spec.split_once(':')?;
        let ty = rest.trim_end_matches(['!', '~', '=']);
        let flags = &rest[ty.len()..];
        let repeated = ty.starts_with("[]");
        let ty = match ty.trim_start_matches("[]") {
            "bool" => Type::Bool,
            "double" => Type::Double,
            "int32" => Type::Int32,
            "int64" => Type::Int64,
            "datetime" => Type::Datetime,
            "duration" => Type::Duration,
            "any" => Type::Any,
            other => match (other.strip_prefix('@'), other.strip_prefix('&')) {
                (Some(name), _) => Type::Enum(self.enums.iter().position(|(n, _)| n == name)?),
                (_, Some(name)) => Type::Message(*self.message_names.get(name)?),
                (None, None) => Type::Text,
            },
        };
        Some(Field {
            name: name.to_owned(),
            ty,
            repeated,
            required: flags.contains('!'),
            output_only: flags.contains('~'),
            immutable: flags.contains('='),
        })
    }
}

/// Checks a JSON object against a message and normalises it: 64-bit integers become strings, nulls go. What is missing is
/// [`missing`]'s to find, for an update need not be whole.
pub(super) fn read(
    message: &Message,
    body: Map<String, Value>,
) -> Result<Map<String, Value>, Vec<Violation>> {
    let mut violations = Vec::new();
    let map = read_message(message, body, "", &mut violations);
    if violations.is_empty() {
        Ok(map)
    } else {
        Err(violations)
    }
}

/// The required fields that an object lacks, at every depth.
pub(super) fn missing(message: &Message, body: &Map<String, Value>, at: &str) -> Vec<Violation> {
    let mut lacking = Vec::new();
    for field in &message.fields {
        let here = join(at, &field.name);
        let value = body.get(&field.name);
        let empty = value.is_none_or(|v| v.as_array().is_some_and(Vec::is_empty) || v == "");
        if field.required && !field.output_only && empty {
            lacking.push(Violation {
                description: format!("The required field {here} is missing."),
                field: here,
            });
            continue;
        }
        let Some(inner) = Schema::get().inside(field) else {
            continue;
        };
        let items = match value {
            Some(Value::Array(items)) => items.as_slice(),
            Some(one) => std::slice::from_ref(one),
            None => &[],
        };
        for item in items.iter().filter_map(Value::as_object) {
            lacking.extend(missing(inner, item, &here));
        }
    }
    lacking
}

fn join(at: &str, name: &str) -> String {
    if at.is_empty() {
        name.to_owned()
    } else {
        format!("{at}.{name}")
    }
}

fn read_message(
    message: &Message,
    body: Map<String, Value>,
    at: &str,
    violations: &mut Vec<Violation>,
) -> Map<String, Value> {
    let mut out = Map::new();
    for (key, value) in body {
        let Some(field) = message.field(&key) else {
            violations.push(Violation::unknown(&key, at));
            continue;
        };
        if value.is_null() {
            continue;
        }
        let here = join(at, &key);
        if field.output_only {
            violations.push(Violation {
                description: format!("The field {here} is output only."),
                field: here,
            });
            continue;
        }
        let value = match (field.repeated, value) {
            (true, Value::Array(items)) => Value::Array(
                items
                    .into_iter()
                    .enumerate()
                    .map(|(i, item)| read_value(field, item, &format!("{here}[{i}]"), violations))
                    .collect(),
            ),
            (true, other) => {
                violations.push(Violation::invalid(&here, "repeated", &other));
                continue;
            }
            (false, value) => read_value(field, value, &here, violations),
        };
        out.insert(key, value);
    }
    out
}

fn read_value(field: &Field, value: Value, at: &str, violations: &mut Vec<Violation>) -> Value {
    let schema = Schema::get();
    let expected = match (&field.ty, value) {
        (Type::Any, value) => return value,
        (Type::Text, value @ Value::String(_)) | (Type::Bool, value @ Value::Bool(_)) => return value,
        (Type::Double, value @ Value::Number(_)) => return value,
        (Type::Int32, Value::Number(n)) if n.as_i64().is_some_and(|n| i32::try_from(n).is_ok()) => {
            return n.into();
        }
        (Type::Int64, Value::Number(n)) if n.is_i64() => return Value::String(n.to_string()),
        (Type::Int64, Value::String(text)) if plain_integer(&text) => return Value::String(text),
        (Type::Datetime, Value::String(text)) if chrono::DateTime::parse_from_rfc3339(&text).is_ok() => {
            return Value::String(text);
        }
        (Type::Duration, Value::String(text)) if seconds(&text) => return Value::String(text),
        (Type::Enum(index), Value::String(text)) if schema.enums[*index].1.contains(&text) => {
            return Value::String(text);
        }
        (Type::Message(index), Value::Object(map)) => {
            return Value::Object(read_message(&schema.messages[*index], map, at, violations));
        }
        (ty, value) => {
            let expected = match ty {
                Type::Text | Type::Any => "TYPE_STRING".to_owned(),
                Type::Bool => "TYPE_BOOL".to_owned(),
                Type::Double => "TYPE_DOUBLE".to_owned(),
                Type::Int32 => "TYPE_INT32".to_owned(),
                Type::Int64 => "TYPE_INT64".to_owned(),
                Type::Datetime => "type.googleapis.com/google.protobuf.Timestamp".to_owned(),
                Type::Duration => "type.googleapis.com/google.protobuf.Duration".to_owned(),
                Type::Message(_) => "TYPE_MESSAGE".to_owned(),
                Type::Enum(index) => {
                    format!(
                        "type.googleapis.com/google.ads.displayvideo.v4.{}",
                        schema.enums[*index].0
                    )
                }
            };
            Violation::invalid(at, &expected, &value)
        }
    };
    violations.push(expected);
    Value::Null
}

fn plain_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) && text.parse::<i64>().is_ok()
}

fn seconds(text: &str) -> bool {
    text.strip_suffix('s').is_some_and(|number| {
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        [whole, fraction]
            .iter()
            .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(message: &str, body: Value) -> Result<Map<String, Value>, String> {
        let Value::Object(map) = body else {
            panic!("an object")
        };
        let message = Schema::get().message(message);
        let words = |v: Vec<Violation>| v[0].description.clone();
        let read = read(message, map).map_err(words)?;
        // Only below the first level: these bodies are pieces.
        let mut lacking = missing(message, &read, "");
        lacking.retain(|v| v.field.contains('.'));
        if lacking.is_empty() {
            Ok(read)
        } else {
            Err(words(lacking))
        }
    }

    #[test]
    fn a_body_must_fit_its_message_at_every_depth() {
        let ok = check(
            "LineItem",
            json!({ "insertionOrderId": 5, "pacing": { "pacingPeriod": "PACING_PERIOD_DAILY",
                "pacingType": "PACING_TYPE_EVEN", "dailyMaxMicros": "10257770" } }),
        );
        assert_eq!(ok.unwrap()["insertionOrderId"], "5");
        for (message, body, why) in [
            (
                "Campaign",
                json!({ "displayNam": "x" }),
                "Unknown name \"displayNam\"",
            ),
            (
                "Campaign",
                json!({ "display_name": "x" }),
                "Unknown name \"display_name\"",
            ),
            (
                "Campaign",
                json!({ "campaignId": "1" }),
                "campaignId is output only",
            ),
            (
                "Campaign",
                json!({ "entityStatus": "PAUSED" }),
                "EntityStatus), \"PAUSED\"",
            ),
            (
                "Campaign",
                json!({ "campaignFlight": { "plannedSpendAmountMicros": "10.5", "plannedDates": {} } }),
                "TYPE_INT64), \"10.5\"",
            ),
            (
                "Campaign",
                json!({ "campaignFlight": { "plannedSpendAmountMicros": 10.5, "plannedDates": {} } }),
                "TYPE_INT64), 10.5",
            ),
            (
                "Campaign",
                json!({ "campaignFlight": {} }),
                "campaignFlight.plannedDates is missing",
            ),
            ("Campaign", json!({ "campaignBudgets": {} }), "repeated"),
            (
                "Campaign",
                json!({ "frequencyCap": { "maxImpressions": "3" } }),
                "TYPE_INT32), \"3\"",
            ),
            (
                "Creative",
                json!({ "skipOffset": { "seconds": "x" } }),
                "TYPE_INT64",
            ),
        ] {
            let error = check(message, body).unwrap_err();
            assert!(error.contains(why), "{error} should contain {why}");
        }
    }

    #[test]
    fn every_line_of_the_schema_is_understood() {
        let text = include_str!("schema.txt");
        for line in text.lines().filter(|l| l.starts_with("message ")) {
            let parts: Vec<&str> = line.split(' ').collect();
            let message = Schema::get().message(parts[1]);
            assert_eq!(
                message.fields.len(),
                parts[2..].iter().filter(|p| !p.is_empty()).count(),
                "{line}"
            );
        }
        assert!(Schema::get().has_value("EntityStatus", "ENTITY_STATUS_DRAFT"));
    }
}
