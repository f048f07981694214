//! Google's common error shape (`google.rpc.Status` as JSON), which all its APIs share.
//!
//! Must not know any one API. Source: <https://cloud.google.com/apis/design/errors>.

use super::http::Answer;
use super::world::Denied;
use serde_json::{Value, json};

/// The canonical name that goes with an HTTP status.
pub(super) fn canonical(status: u16) -> &'static str {
    match status {
        400 => "INVALID_ARGUMENT",
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        409 => "ABORTED",
        410 => "FAILED_PRECONDITION",
        429 => "RESOURCE_EXHAUSTED",
        499 => "CANCELLED",
        500 => "INTERNAL",
        501 => "UNIMPLEMENTED",
        503 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        _ => "UNKNOWN",
    }
}

/// An error with these details.
pub(super) fn error(status: u16, message: &str, details: Vec<Value>) -> Answer {
    let mut error = json!({"code": status, "message": message, "status": canonical(status)});
    if !details.is_empty() {
        error["details"] = Value::Array(details);
    }
    Answer::json(status, &json!({"error": error}))
}

/// One offence against the request's schema: where, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Violation {
    /// `mutate_operations[2].campaign_operation.create`; empty for the root.
    pub(super) field: String,
    pub(super) description: String,
}

impl Violation {
    /// A key that the message does not have.
    pub(super) fn unknown(name: &str, at: &str) -> Self {
        let place = if at.is_empty() {
            String::new()
        } else {
            format!(" at '{at}'")
        };
        let description =
            format!("Invalid JSON payload received. Unknown name \"{name}\"{place}: Cannot find field.");
        Self {
            field: at.to_owned(),
            description,
        }
    }

    /// A value of the wrong type.
    pub(super) fn invalid(at: &str, expected: &str, value: &Value) -> Self {
        let description = format!("Invalid value at '{at}' ({expected}), {value}");
        Self {
            field: at.to_owned(),
            description,
        }
    }
}

/// The refusal of a request that does not fit its schema.
pub(super) fn bad_request(violations: &[Violation]) -> Answer {
    let message: Vec<&str> = violations.iter().map(|v| v.description.as_str()).collect();
    let fields: Vec<Value> = violations
        .iter()
        .map(|v| json!({"field": v.field, "description": v.description}))
        .collect();
    let detail = json!({"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": fields});
    error(400, &message.join("\n"), vec![detail])
}

/// The refusal of a token, for APIs without an error family of their own.
pub(super) fn unauthenticated(denied: Denied) -> Answer {
    let reason = match denied {
        Denied::Missing => "CREDENTIALS_MISSING",
        Denied::Invalid | Denied::Expired => "ACCESS_TOKEN_EXPIRED",
    };
    let message = "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other \
                   valid authentication credential.";
    let detail = json!({
        "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason, "domain": "googleapis.com",
    });
    error(401, message, vec![detail])
}
