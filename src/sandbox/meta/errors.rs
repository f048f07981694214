//! Marketing API errors in the Graph API's shape.
//!
//! Must not decide when an error is due. Shape and codes:
//! <https://developers.facebook.com/docs/marketing-api/error-reference> and
//! <https://developers.facebook.com/docs/graph-api/guides/error-handling>.

use crate::sandbox::http::Answer;
use crate::sandbox::world::World;
use serde_json::{Value, json};

/// One error; the Graph API reports only the first it meets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) code: i64,
    pub(super) subcode: Option<i64>,
    pub(super) message: String,
    /// The parameter to blame, if one is.
    pub(super) blame: Option<String>,
}

impl Fault {
    pub(super) fn new(code: i64, message: impl Into<String>) -> Self {
        Self {
            code,
            subcode: None,
            message: message.into(),
            blame: None,
        }
    }

    /// `(#100) Invalid parameter`, with the parameter to blame.
    pub(super) fn invalid(param: &str, why: &str) -> Self {
        Self::new(100, format!("Invalid parameter: {why}")).blaming(param)
    }

    /// A parameter that must be there.
    pub(super) fn required(param: &str) -> Self {
        Self::new(100, format!("(#100) The parameter {param} is required")).blaming(param)
    }

    /// An object that is not there, or that the token may not see: the vendor does not tell which.
    pub(super) fn missing(id: &str, verb: &str) -> Self {
        let message = format!(
            "Unsupported {verb} request. Object with ID '{id}' does not exist, cannot be loaded due to missing \
             permissions, or does not support this operation"
        );
        Self::new(100, message).sub(33)
    }

    pub(super) fn sub(mut self, subcode: i64) -> Self {
        self.subcode = Some(subcode);
        self
    }

    pub(super) fn blaming(mut self, param: &str) -> Self {
        self.blame = Some(param.to_owned());
        self
    }

    /// Codes that pass by themselves: 1 and 2, and the throttles.
    fn transient(&self) -> bool {
        matches!(self.code, 1 | 2 | 4 | 17 | 32) || (80_000..=80_014).contains(&self.code)
    }

    fn http_status(&self) -> u16 {
        match self.code {
            190 | 102 => 401,
            1 | 2 => 500,
            10 | 200..=299 => 403,
            // Throttles normally come as 400 with a code, and without a Retry-After.
            _ => 400,
        }
    }

    /// The refusal.
    pub(super) fn answer(&self, world: &mut World) -> Answer {
        let trace = format!("A{}", world.ids.opaque(22));
        let kind = if self.code == 100 && self.subcode == Some(33) {
            "GraphMethodException"
        } else {
            "OAuthException"
        };
        let mut error = json!({
            "message": self.message, "type": kind, "code": self.code, "is_transient": self.transient(),
            "fbtrace_id": trace,
        });
        if let Some(subcode) = self.subcode {
            error["error_subcode"] = subcode.into();
            error["error_user_title"] = "Request refused".into();
            error["error_user_msg"] = self.message.as_str().into();
        }
        if let Some(blame) = &self.blame {
            error["error_data"] = json!({"blame_field_specs": [[blame]]});
        }
        Answer::json(self.http_status(), &json!({"error": error})).with_header("x-fb-trace-id", trace)
    }
}

/// What a fault without a body answers: the error it names (`80004/2446079`, `190/463`, `2`), or what goes with the status.
pub(super) fn injected(world: &mut World, status: u16, error: Option<&str>) -> Answer {
    let default = match status {
        401 => "190/463",
        403 => "200",
        429 => "80004/2446079",
        400 => "100",
        503 => "2",
        _ => "1",
    };
    let (code, subcode) = match error.unwrap_or(default).split_once('/') {
        Some((code, subcode)) => (code, subcode.parse().ok()),
        None => (error.unwrap_or(default), None),
    };
    let mut fault = Fault::new(code.parse().unwrap_or(1), "Told to by a fault.");
    fault.subcode = subcode;
    let mut answer = fault.answer(world);
    if status != 0 {
        answer.status = status;
    }
    answer
}

/// The body of an answer that says only that it went well.
pub(super) fn success() -> Value {
    json!({"success": true})
}
