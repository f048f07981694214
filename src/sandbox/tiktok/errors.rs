//! Business API errors in the vendor's shape: HTTP 200 and a code.
//!
//! Must not decide when an error is due. Codes: `tiktok_business/tiktok_code.py` of the vendor's client library; messages in the
//! manner of those that its documentation quotes.

use crate::sandbox::http::Answer;
use crate::sandbox::world::World;
use serde_json::{Value, json};

/// What a call was refused with, or what went wrong in part.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fault {
    pub(super) code: i64,
    pub(super) message: String,
}

impl Fault {
    pub(super) fn new(code: i64, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    /// PARAM_ERROR, which says everything in its message.
    pub(super) fn param(message: impl Into<String>) -> Self {
        Self::new(40_002, message)
    }

    /// PARAM_ERROR about one field.
    pub(super) fn field(name: &str, what: &str) -> Self {
        Self::param(format!("{name}: {what}"))
    }

    /// NOT_IN_WHITELIST: what only some accounts may do.
    pub(super) fn whitelist(what: &str) -> Self {
        Self::new(
            40_118,
            format!("{what} is available to allowlisted advertisers only."),
        )
    }

    /// PERMISSION_ERROR for an advertiser that is not there.
    pub(super) fn advertiser(id: &str) -> Self {
        Self::new(
            40_001,
            format!("The advertiser {id} doesn't exist or has been deleted."),
        )
    }

    pub(super) fn answer(&self, world: &mut World) -> Answer {
        envelope(world, self.code, &self.message, json!({}))
    }
}

/// What every answer comes in.
pub(super) fn envelope(world: &mut World, code: i64, message: &str, data: Value) -> Answer {
    let log = format!(
        "{}{}",
        world.now.format("%Y%m%d%H%M%S"),
        world.ids.opaque(16).to_uppercase()
    );
    let body = json!({"code": code, "message": message, "request_id": log, "data": data});
    Answer::json(200, &body)
}

/// What a fault without a body answers: the error it names (`40100`), or what goes with the status.
pub(super) fn injected(world: &mut World, status: u16, error: Option<&str>) -> Answer {
    let default = match status {
        401 | 403 => 40_105,
        429 => 40_100,
        400 => 40_002,
        _ => 50_000,
    };
    let code = error.and_then(|e| e.parse().ok()).unwrap_or(default);
    let message = match code {
        40_100 => "Too many requests. Please retry in some time.",
        40_105 => "Access token is incorrect or has been revoked.",
        50_000 => "System error.",
        _ => "Told to by a fault.",
    };
    let mut answer = envelope(world, code, message, json!({}));
    if status != 0 {
        answer.status = status;
    }
    answer
}
