//! `launch.<platform>`: an instruction to a platform's adapter. Small: what the leg should look like stays in the database.

use crate::domain::saga::CommandKind;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The data of a launch command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaunchCommand {
    /// Deterministic: a command that comes twice is accepted once.
    pub command_id: Uuid,
    /// The tenant.
    pub tenant_id: String,
    /// The plan.
    pub plan_id: String,
    /// Its version.
    pub plan_version: String,
    /// The platform.
    pub platform: String,
    /// The planner's key.
    pub logical_campaign_key: String,
    /// Our row of the leg.
    pub leg_id: i64,
    /// What to do.
    pub kind: CommandKind,
    /// Counts the leg's commands.
    pub attempt: i32,
    /// RFC 3339: when the payload was approved.
    pub approved_at: String,
}
