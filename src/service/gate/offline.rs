//! What needs nobody's answer: the plan's status, its dates, every platform's own rules, the tenant's limits and hosts, and
//! whether a person must approve.
//!
//! Must not call anybody.

use super::{Gatekeeper, landing_urls};
use crate::domain::gate::{Check, Outcome};
use crate::domain::plan::Plan;
use crate::domain::spec::LegSpec;
use crate::domain::tenant::{LaunchApproval, Tenant};
use crate::platform;
use crate::store::gate::GateJob;
use std::collections::BTreeSet;

impl Gatekeeper {
    pub(super) fn offline(&self, plan: &Plan, tenant: &Tenant, specs: &[LegSpec]) -> Vec<Check> {
        let mut checks = Vec::new();
        let now = self.clock.now();
        for spec in specs {
            let leg = format!("{}/{}", spec.key.platform, spec.key.logical_campaign_key);
            if spec.campaign.schedule.end.is_some_and(|end| end <= now) {
                checks.push(Check::not(
                    Outcome::Fail,
                    format!("schedule:{leg}"),
                    "its flight is already over",
                    "publish a plan version with an end in the future",
                ));
            }
            if let Some(platform) = platform::by_name(spec.key.platform.as_str()) {
                checks.extend(platform::problems(platform.as_ref(), spec).into_iter().map(|p| {
                    Check::not(
                        Outcome::Fail,
                        format!("spec:{leg}{}", p.pointer),
                        p.what,
                        p.remedy,
                    )
                }));
            }
        }
        let hosts: BTreeSet<&str> = landing_urls(plan).filter_map(url::Url::host_str).collect();
        for host in hosts {
            if !tenant.allows_host(host) {
                checks.push(Check::not(
                    Outcome::Fail,
                    format!("landing_host:{host}"),
                    format!("ads of tenant {} may not lead to {host}", tenant.tenant_id),
                    "correct the landing URL, or onboard the tenant with this host",
                ));
            }
        }
        if checks.is_empty() {
            checks.push(Check::pass(
                "plan",
                "dates, limits, hosts and every platform's own rules",
            ));
        }
        checks
    }
}

pub(super) fn status(plan: &Plan) -> Check {
    if plan.status == "approved" {
        Check::pass("plan_status", format!("approved by {}", plan.approved_by))
    } else {
        let reason = format!("the plan's status is {:?}, not \"approved\"", plan.status);
        Check::not(
            Outcome::Fail,
            "plan_status",
            reason,
            "approve the plan and publish it again",
        )
    }
}

pub(super) fn approval(job: &GateJob, tenant: &Tenant) -> Option<Check> {
    let (needed, what) = match tenant.policy.launch_approval {
        LaunchApproval::Never => (false, ""),
        LaunchApproval::FirstLaunch => (!job.launched_before, "the tenant's first launch"),
        LaunchApproval::Always => (true, "each launch of this tenant"),
    };
    if !needed {
        return None;
    }
    Some(match &job.approved_by {
        Some(by) => Check::pass("approval", format!("approved by {by}")),
        None => Check::not(
            Outcome::Waiting,
            "approval",
            format!("{what} needs a person's approval"),
            format!(
                "`campaign-execution approve {} --tenant {}` (or `reject`), or publish execution.approval",
                job.plan_version, job.tenant_id
            ),
        ),
    })
}
