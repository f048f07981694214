//! What we publish about executions and campaigns, as the contract spells it.

use crate::domain::clock::Reason;
use crate::domain::error::LegError;
use crate::domain::gate::Check;
use crate::domain::plan::{Period, Schedule};
use crate::domain::saga::LegState;
use crate::domain::tracking::Mode;
use serde::{Deserialize, Serialize};

/// `campaign.live` and `campaign.scheduled`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CampaignEvent {
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
    /// The account it lives in.
    pub account_id: String,
    /// The platform's id.
    pub platform_campaign_id: String,
    /// Its name there.
    pub campaign_name: String,
    /// What it is for.
    pub objective: String,
    /// What it may spend.
    pub budget: BudgetOut,
    /// When it runs.
    pub schedule: Schedule,
    /// How its clicks are tracked.
    pub tracking_mode: Mode,
    /// Counts applied changes.
    pub manifest_revision: i64,
    /// Write calls sent so far.
    pub mutation_count: i64,
    /// The platform's ids of the campaigns whose place it has taken, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replaces: Vec<String>,
}

/// A budget.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BudgetOut {
    /// Decimal.
    pub amount: String,
    /// ISO 4217.
    pub currency: String,
    /// A day, or the flight.
    pub period: Period,
}

/// A leg in an execution's event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LegOut {
    /// The platform.
    pub platform: String,
    /// The planner's key.
    pub logical_campaign_key: String,
    /// Where it stands.
    pub state: LegState,
    /// The platform's id, if it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform_campaign_id: Option<String>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<LegError>,
    /// The key of the leg whose campaign has taken its place, or is to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<String>,
}

/// `execution.completed`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExecutionEvent {
    /// The tenant.
    pub tenant_id: String,
    /// The plan.
    pub plan_id: String,
    /// Its version.
    pub plan_version: String,
    /// All of them, in the plan's order.
    pub legs: Vec<LegOut>,
}

/// `execution.rolled_back`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RolledBack {
    /// The tenant.
    pub tenant_id: String,
    /// The plan.
    pub plan_id: String,
    /// Its version.
    pub plan_version: String,
    /// All of them, in the plan's order.
    pub legs: Vec<LegOut>,
    /// What could not be undone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stays: Vec<StayOut>,
}

/// Something that a rollback leaves behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StayOut {
    /// The platform.
    pub platform: String,
    /// The planner's key.
    pub logical_campaign_key: String,
    /// `campaign`, `label …`, `asset …`, `account …`.
    pub what: String,
    /// What the platform calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform_id: Option<String>,
    /// Why it stays.
    pub why: String,
}

/// `execution.partial_failure`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartialFailure {
    /// The tenant.
    pub tenant_id: String,
    /// The plan.
    pub plan_id: String,
    /// Its version.
    pub plan_version: String,
    /// Whether it was an atomic launch.
    pub atomic: bool,
    /// What was done about it.
    pub action: PartialAction,
    /// All of them, in the plan's order.
    pub legs: Vec<LegOut>,
}

/// What was done about a partial failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartialAction {
    /// Atomic: everything was undone.
    RolledBack,
    /// The rest went on.
    MarkedPartial,
}

/// `execution.blocked`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Blocked {
    /// The tenant.
    pub tenant_id: String,
    /// The plan.
    pub plan_id: String,
    /// Its version.
    pub plan_version: String,
    /// Every check that did not pass.
    pub checks: Vec<CheckOut>,
}

/// A check that did not pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckOut {
    /// Which.
    pub check: String,
    /// `fail`, `unknown`, `waiting`.
    pub outcome: String,
    /// What was found.
    pub reason: String,
    /// What to do.
    pub remedy: String,
    /// What the plan asks for, where it is about money.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_amount: Option<String>,
    /// What the platform allows, in the same currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform_limit: Option<String>,
    /// `PRE-<PLATFORM>-PAYER` for payer trouble.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert_code: Option<String>,
    /// `agency_master` for payer trouble.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
}

impl From<&Check> for CheckOut {
    fn from(check: &Check) -> Self {
        Self {
            check: check.check.clone(),
            outcome: check.outcome.as_str().to_owned(),
            reason: check.reason.clone(),
            remedy: check.remedy.clone(),
            plan_amount: check.plan_amount.clone(),
            platform_limit: check.platform_limit.clone(),
            alert_code: check.alert_code.clone(),
            route: check.route.clone(),
        }
    }
}

/// `execution.touchpoint`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Touchpoint {
    /// The tenant.
    pub tenant_id: String,
    /// The plan.
    pub plan_id: String,
    /// Its version.
    pub plan_version: String,
    /// Stable while it is open.
    pub touchpoint_id: String,
    /// `launch_approval`, `policy_disapproval`, `missing_asset` …
    pub kind: String,
    /// `opened` or `resolved`.
    pub state: String,
    /// For a person.
    pub what_to_do: String,
    /// The leg's platform, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// The leg's key, if it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logical_campaign_key: Option<String>,
    /// Of the payload that it is about: an `execution.approval` that says it counts for no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_hash: Option<String>,
    /// How it was resolved: `approve`, `reject`, `got_through`, `appeared`, `amended`, `cancelled`, `rolled_back` …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution: Option<String>,
    /// By whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved_by: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// `execution.escalated`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Escalated {
    /// The tenant.
    pub tenant_id: String,
    /// The plan.
    pub plan_id: String,
    /// Its version.
    pub plan_version: String,
    /// All of them, in the plan's order; errors only where this route is told of them.
    pub legs: Vec<LegOut>,
    /// RFC 3339: since when.
    pub since: String,
    /// `PRE-<PLATFORM>-PAYER` for payer trouble.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert_code: Option<String>,
    /// Who is told.
    pub route: String,
    /// Why: a deadline, or a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// RFC 3339: when it should have been done, what was waited for added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline_at: Option<String>,
    /// What was waited for since then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waited: Option<WaitedOut>,
    /// While its gate is closed: the checks that do not pass, where this route is told of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<CheckOut>,
}

/// Time that was not ours, seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WaitedOut {
    /// For people.
    pub people_s: i64,
    /// For a platform's review.
    pub review_s: i64,
    /// Under the kill switch.
    pub paused_s: i64,
    /// Together; what overlaps counts once.
    pub total_s: i64,
}
