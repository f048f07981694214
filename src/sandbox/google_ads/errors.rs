//! Google Ads errors in Google Ads' shape: a `GoogleAdsFailure` inside a `google.rpc.Status`.
//!
//! Must not decide when an error is due. Shape and codes: `errors/errors.proto` of
//! <https://github.com/googleapis/googleapis/tree/master/google/ads/googleads/v25/errors>, HTTP statuses:
//! <https://developers.google.com/google-ads/api/docs/best-practices/understand-api-errors>.

use crate::sandbox::google_rpc;
use crate::sandbox::http::Answer;
use crate::sandbox::world::World;
use serde_json::{Value, json};

/// One element of an error's location.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    name: String,
    index: Option<usize>,
}

impl Step {
    pub(super) fn field(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            index: None,
        }
    }

    pub(super) fn item(name: &str, index: usize) -> Self {
        Self {
            name: name.to_owned(),
            index: Some(index),
        }
    }
}

/// One error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// `campaignError`.
    pub(super) family: String,
    /// `DUPLICATE_CAMPAIGN_NAME`.
    pub(super) code: String,
    pub(super) message: String,
    pub(super) path: Vec<Step>,
    pub(super) trigger: Option<Box<str>>,
    pub(super) details: Option<Box<Value>>,
}

impl Fault {
    pub(super) fn new(family: &str, code: &str, message: &str) -> Self {
        Self {
            family: family.to_owned(),
            code: code.to_owned(),
            message: message.to_owned(),
            path: Vec::new(),
            trigger: None,
            details: None,
        }
    }

    /// `fieldError: REQUIRED` at a field.
    pub(super) fn required(field: &str) -> Self {
        Self::new("fieldError", "REQUIRED", "The required field was not present.").at(field)
    }

    /// At a field (`ad.final_urls[0]` is written with [`Fault::item`]).
    pub(super) fn at(mut self, field: &str) -> Self {
        self.path.extend(field.split('.').map(Step::field));
        self
    }

    /// At an element of a repeated field.
    pub(super) fn item(mut self, field: &str, index: usize) -> Self {
        self.path.push(Step::item(field, index));
        self
    }

    /// The value that caused it.
    pub(super) fn because(mut self, trigger: &str) -> Self {
        self.trigger = Some(trigger.into());
        self
    }

    /// Further details, under the vendor's key.
    pub(super) fn with(mut self, details: Value) -> Self {
        self.details = Some(Box::new(details));
        self
    }

    /// Puts the operation's location in front.
    pub(super) fn under(mut self, prefix: &[Step]) -> Self {
        self.path.splice(0..0, prefix.iter().cloned());
        self
    }

    fn render(&self) -> Value {
        let mut error = json!({
            "errorCode": {self.family.as_str(): self.code},
            "message": self.message,
        });
        if let Some(trigger) = &self.trigger {
            error["trigger"] = json!({"stringValue": trigger.as_ref()});
        }
        if !self.path.is_empty() {
            let elements: Vec<Value> = self
                .path
                .iter()
                .map(|step| match step.index {
                    Some(index) => json!({"fieldName": step.name, "index": index}),
                    None => json!({"fieldName": step.name}),
                })
                .collect();
            error["location"] = json!({"fieldPathElements": elements});
        }
        if let Some(details) = &self.details {
            error["details"] = Value::clone(details);
        }
        error
    }
}

fn http_status(fault: &Fault) -> u16 {
    match (fault.family.as_str(), fault.code.as_str()) {
        ("authenticationError", _) => 401,
        ("authorizationError" | "headerError" | "operationAccessDeniedError", _) => 403,
        ("quotaError", _) => 429,
        ("databaseError", "CONCURRENT_MODIFICATION") => 409,
        ("internalError", "TRANSIENT_ERROR") => 503,
        ("internalError", "DEADLINE_EXCEEDED") => 504,
        ("internalError", _) => 500,
        _ => 400,
    }
}

fn message(status: u16) -> &'static str {
    match status {
        400 => "Request contains an invalid argument.",
        401 => {
            "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid \
                authentication credential. See https://developers.google.com/identity/sign-in/web/devconsole-project."
        }
        403 => "The caller does not have permission",
        409 => "The operation was aborted.",
        429 => "Resource has been exhausted (e.g. check quota).",
        503 => "The service is currently unavailable.",
        504 => "Deadline expired before operation could complete.",
        _ => "Internal error encountered.",
    }
}

/// The `GoogleAdsFailure` of some errors.
pub(super) fn failure(faults: &[Fault], request_id: &str) -> Value {
    json!({
        "@type": "type.googleapis.com/google.ads.googleads.v26.errors.GoogleAdsFailure",
        "errors": faults.iter().map(Fault::render).collect::<Vec<_>>(),
        "requestId": request_id,
    })
}

/// The refusal of a request. The HTTP status is that of the first error.
pub(super) fn refuse(world: &mut World, faults: &[Fault]) -> Answer {
    let status = faults.first().map_or(400, http_status);
    with_status(world, status, faults)
}

fn with_status(world: &mut World, status: u16, faults: &[Fault]) -> Answer {
    let request_id = world.ids.opaque(22);
    let details = vec![failure(faults, &request_id)];
    google_rpc::error(status, message(status), details).with_header("request-id", request_id)
}

/// What a fault without a body answers: the error it names (`quotaError.RESOURCE_EXHAUSTED`), or what goes with the status.
pub(super) fn injected(world: &mut World, status: u16, error: Option<&str>) -> Answer {
    let default = match status {
        401 => "authenticationError.OAUTH_TOKEN_EXPIRED",
        403 => "authorizationError.USER_PERMISSION_DENIED",
        409 => "databaseError.CONCURRENT_MODIFICATION",
        429 => "quotaError.RESOURCE_TEMPORARILY_EXHAUSTED",
        503 => "internalError.TRANSIENT_ERROR",
        504 => "internalError.DEADLINE_EXCEEDED",
        400 => "requestError.UNKNOWN",
        _ => "internalError.INTERNAL_ERROR",
    };
    let (family, code) = error
        .unwrap_or(default)
        .split_once('.')
        .unwrap_or(("requestError", "UNKNOWN"));
    let mut fault = Fault::new(family, code, "Told to by a fault.");
    if family == "quotaError" {
        let details = json!({"rateScope": "ACCOUNT", "rateName": "Number of operations", "retryDelay": "5s"});
        fault = fault.with(json!({"quotaErrorDetails": details}));
    }
    let status = if status == 0 { http_status(&fault) } else { status };
    with_status(world, status, &[fault])
}
