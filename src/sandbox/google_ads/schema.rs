//! The shape of Google Ads messages: which fields there are, of what type, and in which oneof.
//!
//! Read once from `schema.txt` (the vendor's own descriptors). [`read`] checks a JSON body against a message as strictly as
//! the vendor does, and stricter in one thing: keys must be lowerCamelCase. Must not know business rules; a message that
//! fits may still be nonsense.

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
    Mask,
    /// An index into the enums.
    Enum(usize),
    /// An index into the messages.
    Message(usize),
}

/// One field.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) snake: String,
    pub(super) camel: String,
    pub(super) ty: Type,
    pub(super) repeated: bool,
    pub(super) oneof: Option<String>,
}

/// One message.
#[derive(Debug, Default)]
pub(super) struct Message {
    pub(super) fields: Vec<Field>,
    by_camel: HashMap<String, usize>,
    by_snake: HashMap<String, usize>,
}

impl Message {
    /// A field by its JSON name.
    pub(super) fn camel(&self, name: &str) -> Option<&Field> {
        self.by_camel.get(name).map(|i| &self.fields[*i])
    }

    /// A field by its name in GAQL.
    pub(super) fn snake(&self, name: &str) -> Option<&Field> {
        self.by_snake.get(name).map(|i| &self.fields[*i])
    }
}

/// One enum.
#[derive(Debug)]
pub(super) struct Enumeration {
    pub(super) name: String,
    pub(super) values: Vec<String>,
}

/// Everything.
#[derive(Debug)]
pub(super) struct Schema {
    messages: Vec<Message>,
    message_names: HashMap<String, usize>,
    enums: Vec<Enumeration>,
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

    /// Whether the message at an index has this name.
    pub(super) fn is(&self, index: usize, name: &str) -> bool {
        self.message_names.get(name) == Some(&index)
    }

    /// The message at an index.
    pub(super) fn at(&self, index: usize) -> &Message {
        &self.messages[index]
    }

    /// The enum at an index.
    pub(super) fn enumeration(&self, index: usize) -> &Enumeration {
        &self.enums[index]
    }

    fn parse(text: &str) -> Self {
        let lines: Vec<Vec<&str>> = text
            .lines()
            .filter(|l| !l.starts_with('#'))
            .map(|l| l.split(' ').collect())
            .collect();
        let mut message_names = HashMap::new();
        let mut enum_names = HashMap::new();
        let mut enums = Vec::new();
        for line in &lines {
            match line[..] {
                ["message", name, ..] => {
                    message_names.insert(name.to_owned(), message_names.len());
                }
                ["enum", name, ..] => {
                    enum_names.insert(name, enums.len());
                    let values = line[2..].iter().map(|v| (*v).to_owned()).collect();
                    enums.push(Enumeration {
                        name: name.to_owned(),
                        values,
                    });
                }
                _ => {}
            }
        }
        let mut messages = Vec::new();
        for line in lines.iter().filter(|l| l.first() == Some(&"message")) {
            let mut message = Message::default();
            for spec in line[2..].iter().filter(|s| !s.is_empty()) {
                let Some((snake, ty)) = spec.split_once(':') else {
                    continue;
                };
                let (ty, oneof) = ty
                    .split_once('|')
                    .map_or((ty, None), |(t, o)| (t, Some(o.to_owned())));
                let repeated = ty.starts_with("[]");
                let ty = match ty.trim_start_matches("[]") {
                    "bool" => Type::Bool,
                    "double" => Type::Double,
                    "int32" => Type::Int32,
                    "int64" => Type::Int64,
                    "mask" => Type::Mask,
                    other => match (other.strip_prefix('@'), other.strip_prefix('&')) {
                        (Some(name), _) => enum_names.get(name).map_or(Type::Text, |i| Type::Enum(*i)),
                        (_, Some(name)) => message_names.get(name).map_or(Type::Text, |i| Type::Message(*i)),
                        (None, None) => Type::Text,
                    },
                };
                let camel = camel(snake);
                message.by_camel.insert(camel.clone(), message.fields.len());
                message.by_snake.insert(snake.to_owned(), message.fields.len());
                message.fields.push(Field {
                    snake: snake.to_owned(),
                    camel,
                    ty,
                    repeated,
                    oneof,
                });
            }
            messages.push(message);
        }
        Self {
            messages,
            message_names,
            enums,
        }
    }
}

/// `amount_micros` as proto3 JSON spells it.
pub(super) fn camel(snake: &str) -> String {
    let mut out = String::with_capacity(snake.len());
    let mut up = false;
    for c in snake.chars() {
        if c == '_' {
            up = true;
        } else if up {
            out.extend(c.to_uppercase());
            up = false;
        } else {
            out.push(c);
        }
    }
    out
}

/// Where in a body one is, for error messages; built only when there is one.
struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    name: &'a str,
    index: Option<usize>,
}

impl Path<'_> {
    fn render(&self) -> String {
        let mut text = match self.parent {
            Some(parent) => parent.render(),
            None => String::new(),
        };
        if !self.name.is_empty() {
            if !text.is_empty() {
                text.push('.');
            }
            text.push_str(self.name);
        }
        if let Some(index) = self.index {
            text.push_str(&format!("[{index}]"));
        }
        text
    }
}

/// Checks a JSON object against a message and normalises it: 64-bit integers become strings, nulls go. `at` is where the
/// object stands, in the vendor's spelling (`mutate_operations[0].campaign_operation`), or nothing.
pub(super) fn read(
    message: &Message,
    body: Map<String, Value>,
    at: &str,
) -> Result<Map<String, Value>, Vec<Violation>> {
    let mut violations = Vec::new();
    let root = Path {
        parent: None,
        name: at,
        index: None,
    };
    let map = read_message(message, body, &root, &mut violations);
    if violations.is_empty() {
        Ok(map)
    } else {
        Err(violations)
    }
}

fn read_message(
    message: &Message,
    body: Map<String, Value>,
    path: &Path<'_>,
    violations: &mut Vec<Violation>,
) -> Map<String, Value> {
    let mut out = Map::new();
    let mut oneofs: HashMap<&str, &str> = HashMap::new();
    for (key, value) in body {
        let Some(field) = message.camel(&key) else {
            violations.push(Violation::unknown(&key, &path.render()));
            continue;
        };
        if value.is_null() {
            continue;
        }
        if let Some(oneof) = &field.oneof
            && let Some(other) = oneofs.insert(oneof, &field.camel)
        {
            let description = format!(
                "Invalid value at '{}' (oneof), oneof field '{oneof}' is already set. Cannot set '{}', '{other}' is set",
                path.render(),
                field.camel
            );
            violations.push(Violation {
                field: path.render(),
                description,
            });
        }
        let here = Path {
            parent: Some(path),
            name: &field.snake,
            index: None,
        };
        let value = match (field.repeated, value) {
            (true, Value::Array(items)) => Value::Array(
                items
                    .into_iter()
                    .enumerate()
                    .map(|(i, item)| {
                        let here = Path {
                            parent: Some(path),
                            name: &field.snake,
                            index: Some(i),
                        };
                        read_value(field, item, &here, violations)
                    })
                    .collect(),
            ),
            (true, other) => {
                violations.push(Violation::invalid(&here.render(), "repeated", &other));
                continue;
            }
            (false, value) => read_value(field, value, &here, violations),
        };
        out.insert(key, value);
    }
    out
}

fn read_value(field: &Field, value: Value, path: &Path<'_>, violations: &mut Vec<Violation>) -> Value {
    let schema = Schema::get();
    let expected = match (&field.ty, value) {
        (Type::Text | Type::Mask, value @ Value::String(_)) | (Type::Bool, value @ Value::Bool(_)) => {
            return value;
        }
        (Type::Double, value @ Value::Number(_)) => return value,
        (Type::Int32, Value::Number(n)) if n.as_i64().is_some_and(|n| i32::try_from(n).is_ok()) => {
            return n.into();
        }
        (Type::Int64, Value::Number(n)) if n.is_i64() => return Value::String(n.to_string()),
        (Type::Int64, Value::String(text)) if text.parse::<i64>().is_ok() => return Value::String(text),
        (Type::Enum(index), Value::String(text)) if schema.enumeration(*index).values.contains(&text) => {
            return Value::String(text);
        }
        (Type::Message(index), Value::Object(map)) => {
            return Value::Object(read_message(schema.at(*index), map, path, violations));
        }
        (ty, value) => {
            let expected = match ty {
                Type::Text | Type::Mask => "TYPE_STRING".to_owned(),
                Type::Bool => "TYPE_BOOL".to_owned(),
                Type::Double => "TYPE_DOUBLE".to_owned(),
                Type::Int32 => "TYPE_INT32".to_owned(),
                Type::Int64 => "TYPE_INT64".to_owned(),
                Type::Message(_) => "TYPE_MESSAGE".to_owned(),
                Type::Enum(index) => {
                    let name = &schema.enumeration(*index).name;
                    format!("type.googleapis.com/google.ads.googleads.v26.enums.{name}Enum.{name}")
                }
            };
            Violation::invalid(&path.render(), &expected, &value)
        }
    };
    violations.push(expected);
    Value::Null
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(body: Value) -> Result<Map<String, Value>, String> {
        let Value::Object(map) = body else {
            panic!("an object")
        };
        read(Schema::get().message("Campaign"), map, "create").map_err(|v| v[0].description.clone())
    }

    #[test]
    fn a_body_must_fit_its_message_at_every_depth() {
        let ok = check(
            json!({"name": "n", "id": 5, "manualCpc": {}, "networkSettings": {"targetGoogleSearch": true}}),
        );
        assert_eq!(ok.unwrap()["id"], "5");
        for (body, why) in [
            (
                json!({"startDate": "2026-01-01"}),
                "Unknown name \"startDate\" at 'create'",
            ),
            (
                json!({"start_date_time": "x"}),
                "Unknown name \"start_date_time\"",
            ),
            (
                json!({"networkSettings": {"x": 1}}),
                "Unknown name \"x\" at 'create.network_settings'",
            ),
            (
                json!({"status": "ACTIVE"}),
                "CampaignStatusEnum.CampaignStatus), \"ACTIVE\"",
            ),
            (json!({"id": 12.5}), "TYPE_INT64), 12.5"),
            (json!({"manualCpc": {}, "targetCpa": {}}), "is already set"),
            (json!({"urlCustomParameters": {}}), "repeated"),
            (
                json!({"urlCustomParameters": [{"k": 1}]}),
                "at 'create.url_custom_parameters[0]'",
            ),
        ] {
            let error = check(body).unwrap_err();
            assert!(error.contains(why), "{error} should contain {why}");
        }
    }
}
