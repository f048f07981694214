//! Field masks: which fields an update sets, and what changed by it.
//!
//! Must not know a single resource's fields. Source:
//! <https://developers.google.com/google-ads/api/docs/client-libs/python/field-masks> and `errors/field_mask_error.proto` of
//! <https://github.com/googleapis/googleapis/tree/master/google/ads/googleads/v25/errors>.

use super::errors::Fault;
use super::mutate::{Kind, snake};
use super::schema::{Field, Message, Schema, Type};
use serde_json::{Map, Value};

/// Sets, or clears, what one path of the mask names.
pub(super) fn apply_mask(
    kind: &Kind,
    after: &mut Map<String, Value>,
    sent: &Map<String, Value>,
    path: &str,
) -> Result<(), Fault> {
    let schema = Schema::get();
    let spelled: Vec<String> = path.split('.').map(snake).collect();
    let at = spelled.join(".");
    let unknown = || {
        let message = format!("The field mask contains an invalid field: '{path}'.");
        Fault::new("fieldMaskError", "FIELD_NOT_FOUND", &message).because(path)
    };
    let top = path.split('.').next().unwrap_or("");
    if kind.output_only.contains(&top)
        || kind.immutable.contains(&top)
        || kind.immutable.contains(&path)
        || top == "resourceName"
    {
        let message = "The field cannot be changed.";
        return Err(Fault::new("fieldError", "IMMUTABLE_FIELD", message).at(&at));
    }
    let parts: Vec<&str> = path.split('.').collect();
    let mut message: &Message = schema.message(kind.message);
    let mut here = after;
    let mut value = Some(sent);
    for (depth, part) in parts.iter().enumerate() {
        let field: &Field = message.camel(part).ok_or_else(unknown)?;
        if let Some(oneof) = &field.oneof {
            // Setting one member of a oneof unsets the others.
            for other in message
                .fields
                .iter()
                .filter(|f| f.oneof.as_ref() == Some(oneof) && f.camel != field.camel)
            {
                here.remove(&other.camel);
            }
        }
        let sent = value.and_then(|v| v.get(*part));
        if depth + 1 == parts.len() {
            let full = sent.and_then(Value::as_object).is_some_and(|map| !map.is_empty());
            if matches!(field.ty, Type::Message(_)) && !field.repeated && full {
                let message = "The field mask must name the subfields of a message that is set.";
                return Err(Fault::new("fieldMaskError", "FIELD_HAS_SUBFIELDS", message).because(path));
            }
            match sent {
                Some(value) => here.insert((*part).to_owned(), value.clone()),
                None => here.remove(*part),
            };
            return Ok(());
        }
        let Type::Message(index) = &field.ty else {
            return Err(unknown());
        };
        if field.repeated {
            return Err(unknown());
        }
        message = schema.at(*index);
        value = sent.and_then(Value::as_object);
        let slot = here.entry(*part).or_insert_with(|| Value::Object(Map::new()));
        match slot {
            Value::Object(map) => here = map,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                return Err(unknown());
            }
        }
    }
    Ok(())
}

/// A line of history for an update; empty if nothing changed.
pub(super) fn changes(before: &Map<String, Value>, after: &Map<String, Value>) -> String {
    let keys: std::collections::BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let changed: Vec<String> = keys
        .into_iter()
        .filter(|key| !key.starts_with('_') && before.get(*key) != after.get(*key))
        .map(|key| {
            let show = |map: &Map<String, Value>| match map.get(key) {
                Some(Value::Object(_) | Value::Array(_)) => "…".to_owned(),
                Some(value) => value.to_string(),
                None => "unset".to_owned(),
            };
            format!("{key} {} → {}", show(before), show(after))
        })
        .collect();
    changed.join(", ")
}
