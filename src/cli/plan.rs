//! `plan check` (offline) and `plan publish`.
//!
//! Must not publish what the service would not take in.

use super::output::Output;
use super::{Failure, faults, read_file};
use crate::bus::admin::{self, TopicSpec};
use crate::bus::producer::{Outgoing, Publisher};
use crate::domain::plan::Plan;
use crate::domain::spec::leg_specs;
use crate::platform;
use crate::wire::{self, Invalid};
use crate::wiring::Wiring;
use clap::Subcommand;
use serde_json::json;
use std::path::{Path, PathBuf};

/// What to do with plans.
#[derive(Subcommand)]
pub enum Command {
    /// Check a plan offline: its shape, the rules, and what each platform would refuse
    #[command(after_help = super::help::PLAN_CHECK)]
    Check {
        /// JSON, as plan.approved
        file: PathBuf,
    },
    /// What a plan would change, per campaign and field; writes nothing; exit code 5: something would
    #[command(after_help = super::help::PLAN_PREVIEW)]
    Preview {
        /// JSON, as plan.approved
        file: PathBuf,
        /// Compare what is launched with the platforms too
        #[arg(long)]
        live: bool,
    },
    /// What each objective on each channel becomes on each platform, or what to use instead
    #[command(after_help = super::help::PLAN_OFFERS)]
    Offers(super::offers::Offers),
    /// Check a plan and publish it as plan.approved
    #[command(after_help = super::help::PLAN_PUBLISH)]
    Publish {
        /// JSON, as plan.approved
        file: PathBuf,
    },
}

/// The largest file that is read as a plan.
pub(super) const LARGEST: usize = 64 << 20;

impl Command {
    /// Runs it.
    pub async fn run(
        self,
        wiring: impl Fn() -> Result<Wiring, Failure>,
        output: &Output,
    ) -> Result<u8, Failure> {
        match self {
            Self::Check { file } => {
                let (plan, _) = load(&file)?;
                report(&file, &plan, output)
            }
            Self::Preview { file, live } => super::preview::run(&wiring()?, &file, live, output).await,
            Self::Offers(offers) => {
                offers.run(output);
                Ok(0)
            }
            Self::Publish { file } => {
                let (plan, bytes) = load(&file)?;
                publish(&wiring()?, &plan, bytes).await?;
                output.json(&json!({ "published": true, "plan_version": plan.plan_version, "tenant_id": plan.tenant_id }));
                output.line(format!(
                    "published {} of tenant {} to plan.approved",
                    plan.plan_version, plan.tenant_id
                ));
                output.line(format!(
                    "  follow it with `campaign-execution status {} --tenant {}`",
                    plan.plan_version, plan.tenant_id
                ));
                Ok(0)
            }
        }
    }
}

/// Reads a plan from a file; every problem with its place.
pub fn load(file: &Path) -> Result<(Plan, Vec<u8>), Failure> {
    let bytes = read_file(file)?;
    let bad = |problems: Vec<Invalid>| faults(file, &problems);
    let envelope = wire::unwrap(&[], Some(&bytes), LARGEST).map_err(bad)?;
    let plan = wire::plan::parse(&envelope.data).map_err(bad)?;
    Ok((plan, bytes))
}

fn report(file: &Path, plan: &Plan, output: &Output) -> Result<u8, Failure> {
    let mut problems = Vec::new();
    let mut rows = Vec::new();
    for (i, spec) in leg_specs(plan, "does_not_contain").iter().enumerate() {
        let found: Vec<Invalid> = match platform::by_name(spec.key.platform.as_str()) {
            Some(platform) => platform::problems(platform.as_ref(), spec)
                .into_iter()
                .map(|p| {
                    Invalid::at(
                        format!("/campaigns/{i}{}", p.pointer),
                        format!("{}; {}", p.what, p.remedy),
                    )
                })
                .collect(),
            None => vec![Invalid::at(
                format!("/campaigns/{i}/platform"),
                format!(
                    "this version has no adapter for {}; take the platform out of the plan",
                    spec.key.platform
                ),
            )],
        };
        let budget = &spec.campaign.budget;
        rows.push(vec![
            if found.is_empty() { "ok" } else { "bad" }.to_owned(),
            spec.key.platform.to_string(),
            spec.key.logical_campaign_key.to_string(),
            spec.campaign_name.clone(),
            format!(
                "{} {}",
                budget.amount,
                if budget.period == crate::domain::plan::Period::Daily {
                    "daily"
                } else {
                    "lifetime"
                }
            ),
        ]);
        problems.extend(found);
    }
    output.json(
        &json!({ "plan_version": plan.plan_version, "valid": problems.is_empty(), "problems": problems }),
    );
    output.table(&["", "PLATFORM", "KEY", "CAMPAIGN", "BUDGET"], &rows);
    if problems.is_empty() {
        output.line(format!(
            "{} is valid; the gate will check accounts, tracking, assets and approval",
            plan.plan_version
        ));
        return Ok(0);
    }
    let lines: Vec<String> = problems
        .iter()
        .map(|p| format!("{}: {p}", file.display()))
        .collect();
    if output.is_json() {
        Ok(2)
    } else {
        Err(Failure::invalid(lines.join("\n       ")))
    }
}

/// Publishes a plan as the planning system would.
pub async fn publish(wiring: &Wiring, plan: &Plan, bytes: Vec<u8>) -> Result<(), Failure> {
    let key = format!("{}/{}", plan.tenant_id, plan.plan_id);
    let id = wire::event_id(&[
        "published",
        plan.tenant_id.as_str(),
        plan.plan_version.as_str(),
        &plan.approved_at.to_rfc3339(),
    ]);
    let message = Outgoing {
        topic: "plan.approved".to_owned(),
        headers: wire::cloud_event_headers("plan.approved", &id, &key, &wiring.clock.stamp()),
        key,
        payload: bytes,
    };
    // Answers in seconds, and says what is wrong; a producer waits for a broker that comes back.
    let topic = TopicSpec {
        name: message.topic.clone(),
        compacted: false,
    };
    admin::check(&wiring.bus, &[topic]).await?;
    let confirmed = Publisher::new(&wiring.bus)?.publish(&[message]).await;
    if confirmed == [true] {
        Ok(())
    } else {
        Err(Failure::unreachable("Kafka did not confirm the message")
            .hint("is kafka.bootstrap_servers right, and does plan.approved exist?"))
    }
}
