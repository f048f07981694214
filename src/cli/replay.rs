//! `replay`: the message at one place of a topic runs again.
//!
//! Must not change anything in mode `verify`.

use super::output::Output;
use super::{Failure, user};
use crate::bus::admin;
use crate::bus::consumer::Delivery;
use crate::service::intake::Intake;
use crate::wire;
use crate::wiring::Wiring;
use clap::{Args, ValueEnum};
use serde_json::json;

/// What a replay may do.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// Take the message in again: what is missing is done, the rest stays as it is
    Reconcile,
    /// Only compare with what is recorded
    Verify,
    /// Let an older payload win over a newer amendment
    Force,
}

/// Run a message again.
#[derive(Args)]
pub struct Replay {
    /// The topic, without the prefix
    #[arg(long)]
    topic: String,
    /// Its partition
    #[arg(long)]
    partition: i32,
    /// The message's offset there
    #[arg(long)]
    offset: i64,
    /// What it may do
    #[arg(long, value_enum, default_value = "reconcile")]
    mode: Mode,
    /// Why; recorded in the audit log
    #[arg(long)]
    reason: Option<String>,
}

impl Replay {
    /// Runs it.
    pub async fn run(self, wiring: &Wiring, output: &Output) -> Result<u8, Failure> {
        if !Intake::TOPICS.contains(&self.topic.as_str()) {
            return Err(Failure::invalid(format!("{} cannot be replayed", self.topic))
                .hint(format!("topics that can: {}", Intake::TOPICS.join(", "))));
        }
        if self.mode == Mode::Force {
            return Err(Failure::refused("this version cannot let an older payload win")
                .hint("publish the wanted payload again with a later approved_at"));
        }
        let found = admin::message_at(&wiring.bus, &self.topic, self.partition, self.offset).await?;
        let Some(message) = found else {
            return Err(Failure::not_found(format!(
                "there is no message at {}[{}]@{}",
                self.topic, self.partition, self.offset
            )));
        };
        let headers: Vec<(String, Vec<u8>)> = message
            .headers
            .iter()
            .map(|(n, v)| (n.clone(), v.clone().into_bytes()))
            .collect();
        if self.mode == Mode::Verify {
            return self.verify(wiring, output, &headers, &message.payload).await;
        }
        let delivery = Delivery::again(
            &self.topic,
            self.partition,
            self.offset,
            message.key.into_bytes(),
            headers,
            message.payload,
        );
        wiring.intake().step(&delivery).await?;
        output.json(&json!({ "replayed": delivery.place(), "by": user(), "reason": self.reason }));
        output.line(format!(
            "{} was taken in again; `campaign-execution status` shows what came of it",
            delivery.place()
        ));
        Ok(0)
    }

    async fn verify(
        &self,
        wiring: &Wiring,
        output: &Output,
        headers: &[(String, Vec<u8>)],
        payload: &[u8],
    ) -> Result<u8, Failure> {
        let bad = |p: Vec<wire::Invalid>| {
            Failure::invalid(format!("the message cannot be read: {}", wire::summary(&p)))
        };
        let envelope =
            wire::unwrap(headers, Some(payload), wiring.config.intake.max_plan_bytes).map_err(bad)?;
        if self.topic != "plan.approved" {
            return Err(Failure::invalid("only plan.approved can be verified"));
        }
        let plan = wire::plan::parse(&envelope.data).map_err(bad)?;
        let execution =
            super::find(wiring, plan.plan_version.as_str(), Some(plan.tenant_id.as_str())).await?;
        let specs = crate::domain::spec::leg_specs(&plan, "");
        let facts = wiring.store.leg_facts(execution.id).await?;
        let mut differences = Vec::new();
        for spec in &specs {
            match facts.iter().find(|f| f.spec.key == spec.key) {
                None => differences.push(format!("{}: not launched", spec.key)),
                Some(fact) if fact.spec.campaign != spec.campaign => {
                    differences.push(format!("{}: launched otherwise", spec.key))
                }
                Some(fact)
                    if !fact.state.at_rest() || fact.error.is_some() && fact.state.as_str() == "failed" =>
                {
                    differences.push(format!("{}: {}", spec.key, fact.state.as_str()));
                }
                Some(_) => {}
            }
        }
        differences.extend(
            facts
                .iter()
                .filter(|f| !specs.iter().any(|s| s.key == f.spec.key))
                .map(|f| format!("{}: not in this payload", f.spec.key)),
        );
        output.json(&json!({ "plan_version": plan.plan_version, "differences": differences }));
        for difference in &differences {
            output.line(difference);
        }
        if differences.is_empty() {
            output.line(format!("{} is recorded as this message says", plan.plan_version));
            return Ok(0);
        }
        Ok(5)
    }
}
