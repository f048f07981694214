//! `replay`: the message at one place of a topic runs again.
//!
//! Must not change anything in mode `verify`.

use super::output::Output;
use super::{Failure, ask, drift, mend, preview, user};
use crate::bus::admin;
use crate::bus::consumer::Delivery;
use crate::domain::plan::Plan;
use crate::service::intake::Intake;
use crate::store::intake::Taken;
use crate::wire;
use crate::wiring::Wiring;
use clap::{Args, ValueEnum};
use serde_json::json;

/// What a replay may do.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// Take the message in again: what is missing is done, also what somebody removed on a platform, after asking
    Reconcile,
    /// Only compare: the message with what is recorded, and that with the platforms
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
    /// Don't ask
    #[arg(long, short)]
    yes: bool,
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
        if self.mode == Mode::Force && self.reason.is_none() {
            return Err(Failure::invalid("--mode force needs a --reason")
                .hint("it is recorded beside who let an older payload win"));
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
        match self.mode {
            Mode::Verify => return self.verify(wiring, output, &headers, &message.payload).await,
            Mode::Force => return self.force(wiring, output, &headers, &message.payload).await,
            Mode::Reconcile => {}
        }
        let payload = message.payload.clone();
        let delivery = Delivery::again(
            &self.topic,
            self.partition,
            self.offset,
            message.key.into_bytes(),
            headers.clone(),
            message.payload,
        );
        wiring.intake().step(&delivery).await?;
        let mended = if self.topic == "plan.approved" {
            self.mend(wiring, output, &headers, &payload).await?
        } else {
            0
        };
        output.json(&json!({ "replayed": delivery.place(), "by": user(), "reason": self.reason, "legs_mended": mended }));
        output.line(format!(
            "{} was taken in again; `campaign-execution status` shows what came of it",
            delivery.place()
        ));
        Ok(0)
    }

    /// What somebody removed on a platform is made again, if that is wanted.
    async fn mend(
        &self,
        wiring: &Wiring,
        output: &Output,
        headers: &[(String, Vec<u8>)],
        payload: &[u8],
    ) -> Result<usize, Failure> {
        let (_, plan) = self.read(wiring, headers, payload)?;
        let in_force = wiring
            .store
            .in_force(plan.tenant_id.as_str(), plan.plan_version.as_str())
            .await?;
        let Some(launched) = in_force.filter(|f| f.fenced.is_none()) else {
            return Ok(0);
        };
        let looked = wiring.drift().look(launched.execution_id).await?;
        let word = (self.yes, self.reason.as_deref());
        mend::mend(wiring, output, launched.execution_id, &looked, word).await
    }

    /// An older payload wins over what is in force, after showing what that changes.
    async fn force(
        &self,
        wiring: &Wiring,
        output: &Output,
        headers: &[(String, Vec<u8>)],
        payload: &[u8],
    ) -> Result<u8, Failure> {
        if self.topic != "plan.approved" {
            return Err(Failure::invalid("only plan.approved can be forced"));
        }
        let (envelope, plan) = self.read(wiring, headers, payload)?;
        let shown = preview::show(wiring, (&plan, &envelope.data), true, output).await?;
        output.json(&shown.json);
        if !shown.differs {
            output.line("Nothing of it differs from what is in force.");
            return Ok(0);
        }
        ask::confirm(
            self.yes,
            &format!("let this payload of {} win?", plan.plan_version),
        )?;
        let (by, reason) = (user(), self.reason.clone().unwrap_or_default());
        let taken = wiring.intake().force(&plan, envelope, (&by, &reason)).await?;
        match taken {
            Some(Taken::Fenced { why }) => Err(Failure::refused(format!("{}: {why}", plan.plan_version))),
            Some(Taken::OtherPlan { plan_id }) => Err(Failure::refused(format!(
                "{} belongs to plan {plan_id}",
                plan.plan_version
            ))),
            Some(Taken::New | Taken::Again | Taken::Amended | Taken::Older { .. }) | None => {
                output.line(format!(
                    "the gate of {} is asked with this payload; `campaign-execution status {}` shows what comes of it",
                    plan.plan_version, plan.plan_version
                ));
                Ok(0)
            }
        }
    }

    /// The message's plan.
    fn read(
        &self,
        wiring: &Wiring,
        headers: &[(String, Vec<u8>)],
        payload: &[u8],
    ) -> Result<(wire::Envelope, Plan), Failure> {
        let bad = |p: Vec<wire::Invalid>| {
            Failure::invalid(format!("the message cannot be read: {}", wire::summary(&p)))
        };
        let envelope =
            wire::unwrap(headers, Some(payload), wiring.config.intake.max_plan_bytes).map_err(bad)?;
        let plan = wire::plan::parse(&envelope.data).map_err(bad)?;
        Ok((envelope, plan))
    }

    async fn verify(
        &self,
        wiring: &Wiring,
        output: &Output,
        headers: &[(String, Vec<u8>)],
        payload: &[u8],
    ) -> Result<u8, Failure> {
        if self.topic != "plan.approved" {
            return Err(Failure::invalid("only plan.approved can be verified"));
        }
        let (_, plan) = self.read(wiring, headers, payload)?;
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
                // What was replaced is part of its replacement's story.
                .filter(|f| f.replaced_by.is_none() && !specs.iter().any(|s| s.key == f.spec.key))
                .map(|f| format!("{}: not in this payload", f.spec.key)),
        );
        for difference in &differences {
            output.line(difference);
        }
        if differences.is_empty() {
            output.line(format!("{} is recorded as this message says", plan.plan_version));
        }
        let (looked, drifted) = drift::compare(wiring, execution.id, output).await?;
        output
            .json(&json!({ "plan_version": plan.plan_version, "differences": differences, "drift": looked }));
        Ok(if differences.is_empty() && drifted == 0 {
            0
        } else {
            5
        })
    }
}
