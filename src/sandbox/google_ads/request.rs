//! Reading a mutate request: its form, its operations, and whether its JSON fits.
//!
//! Must not carry anything out. Source: `services/google_ads_service.proto` of
//! <https://github.com/googleapis/googleapis/tree/master/google/ads/googleads/v25/services>.

use super::KINDS;
use super::errors::Step;
use super::mutate::{Kind, snake};
use super::schema::{Schema, read};
use crate::sandbox::google_rpc::Violation;
use serde_json::{Map, Value};

/// One operation, read.
pub(super) struct Operation {
    pub(super) kind: &'static Kind,
    pub(super) body: Map<String, Value>,
    pub(super) prefix: Vec<Step>,
}

/// Whether operations come in `mutateOperations`, in `operations` of one service, or as the one `operation`.
pub(super) enum Form {
    Mixed,
    Service(&'static Kind),
    Single(&'static Kind),
}

/// Reads the operations of a request, or says how its JSON does not fit.
pub(super) fn operations(
    form: &Form,
    body: &mut Map<String, Value>,
) -> Result<Vec<Operation>, Vec<Violation>> {
    let key = match form {
        Form::Mixed => "mutateOperations",
        Form::Service(_) => "operations",
        Form::Single(_) => "operation",
    };
    let known = ["partialFailure", "validateOnly", "responseContentType", key];
    let mut violations: Vec<Violation> = body
        .keys()
        .filter(|k| !known.contains(&k.as_str()))
        .map(|k| Violation::unknown(k, ""))
        .collect();
    for (flag, value) in body
        .iter()
        .filter(|(k, _)| matches!(k.as_str(), "partialFailure" | "validateOnly"))
    {
        if !value.is_boolean() {
            violations.push(Violation::invalid(&snake(flag), "TYPE_BOOL", value));
        }
    }
    let items = match (form, body.remove(key)) {
        (Form::Single(_), Some(value)) => vec![value],
        (Form::Mixed | Form::Service(_), Some(Value::Array(items))) => items,
        (_, Some(other)) => {
            violations.push(Violation::invalid(&snake(key), "repeated", &other));
            Vec::new()
        }
        (_, None) => Vec::new(),
    };
    let schema = Schema::get();
    let mut operations = Vec::new();
    for (index, item) in items.into_iter().enumerate() {
        let at = match form {
            Form::Single(_) => "operation".to_owned(),
            Form::Mixed | Form::Service(_) => format!("{}[{index}]", snake(key)),
        };
        let Value::Object(map) = item else {
            violations.push(Violation::invalid(&at, "TYPE_MESSAGE", &item));
            continue;
        };
        let step = match form {
            Form::Single(_) => Step::field("operation"),
            Form::Mixed | Form::Service(_) => Step::item(&snake(key), index),
        };
        match form {
            Form::Mixed => match read(schema.message("MutateOperation"), map, &at) {
                Ok(map) => operations.extend(mixed(map, step)),
                Err(found) => violations.extend(found),
            },
            Form::Service(kind) | Form::Single(kind) => {
                let message = schema.message(&format!("{}Operation", kind.message));
                match read(message, map, &at) {
                    Ok(body) => operations.push(Operation {
                        kind,
                        body,
                        prefix: vec![step],
                    }),
                    Err(found) => violations.extend(found),
                }
            }
        }
    }
    if violations.is_empty() {
        Ok(operations)
    } else {
        Err(violations)
    }
}

fn mixed(map: Map<String, Value>, step: Step) -> Option<Operation> {
    let (key, body) = map.into_iter().next()?;
    let Value::Object(body) = body else { return None };
    let name = snake(&key);
    let resource = name.strip_suffix("_operation")?;
    let kind = KINDS.iter().find(|k| k.resource == resource)?;
    Some(Operation {
        kind,
        body,
        prefix: vec![step, Step::field(&name)],
    })
}
