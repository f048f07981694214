//! `execution.approval` and `execution.control`: what people and other systems say about an execution.

use super::{Invalid, schema};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

/// A person approves or refuses a launch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// The tenant.
    pub tenant_id: String,
    /// The plan.
    pub plan_id: String,
    /// Its version.
    pub plan_version: String,
    /// Yes or no.
    pub decision: Choice,
    /// Who.
    pub by: String,
    /// RFC 3339: when.
    pub at: String,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Of the payload that the person was shown (`execution.touchpoint` names it): it counts for no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_hash: Option<String>,
}

/// A decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Choice {
    /// Go.
    Approve,
    /// Don't.
    Reject,
}

/// What the command line does, for other systems.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Control {
    /// The tenant.
    pub tenant_id: String,
    /// The plan.
    pub plan_id: String,
    /// Its version.
    pub plan_version: String,
    /// What to do.
    pub action: Action,
    /// Who.
    pub by: String,
    /// RFC 3339: when.
    pub at: String,
    /// Why.
    pub reason: String,
}

/// What another system can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Undo everything of the version.
    Rollback,
    /// Look at the gate again now.
    Resume,
    /// Try what failed again.
    Retry,
    /// Give up before anything was launched.
    Cancel,
}

/// Validates against the schema and reads.
///
/// # Errors
/// Every problem, with its place.
pub fn parse<T: DeserializeOwned>(name: &str, data: &Value) -> Result<T, Vec<Invalid>> {
    let problems = schema::validate(name, data);
    if !problems.is_empty() {
        return Err(problems);
    }
    T::deserialize(data).map_err(|e| vec![Invalid::at("", e.to_string())])
}
