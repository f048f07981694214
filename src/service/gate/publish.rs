//! What the world is told while the gate stays closed.
//!
//! Must not publish the same verdict twice: the id of a message follows from what it says.

use crate::domain::gate::{Check, Outcome};
use crate::domain::plan::Plan;
use crate::service::compose::message;
use crate::store::gate::GateJob;
use crate::store::outbox::Message;
use crate::wire;
use crate::wire::events::{Blocked, CheckOut};

pub(super) fn blocked_message(job: &GateJob, plan: &Plan, checks: &[Check]) -> Message {
    let data = Blocked {
        tenant_id: plan.tenant_id.to_string(),
        plan_id: plan.plan_id.to_string(),
        plan_version: plan.plan_version.to_string(),
        checks: checks
            .iter()
            .filter(|c| c.outcome != Outcome::Pass)
            .map(CheckOut::from)
            .collect(),
    };
    // The same verdict is published once per payload, however often the gate is asked.
    let verdict: Vec<String> = data
        .checks
        .iter()
        .map(|c| format!("{}={}:{}", c.check, c.outcome, c.reason))
        .collect();
    let id = wire::event_id(&[
        "execution.blocked",
        &job.tenant_id,
        &job.plan_version,
        &job.payload_hash,
        &verdict.join("|"),
    ]);
    let place = (plan.tenant_id.as_str(), plan.plan_id.as_str());
    message(
        "execution.blocked",
        place,
        id,
        &data,
        crate::telemetry::traceparent(),
    )
}
