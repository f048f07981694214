//! `approve`, `reject`, `rollback`, `resume`, `retry`, `cancel`: shows what it will do, asks, records who and why.
//!
//! Must not do anything that was not shown and confirmed.

use super::output::Output;
use super::{Failure, ask, find, proposal, user};
use crate::service::compose::Composer;
pub use crate::store::control::Verb;
use crate::store::control::{Ordered, Request};
use crate::store::decide::{Decided, Decision};
use crate::store::views::ExecutionView;
use crate::wiring::Wiring;
use clap::Args;
use serde_json::json;
use std::sync::Arc;

/// A plan version, and the word that it is meant.
#[derive(Args)]
pub struct Decide {
    /// The plan version
    pub(super) plan_version: String,
    /// The tenant, where several have this version
    #[arg(long)]
    pub(super) tenant: Option<String>,
    /// Don't ask
    #[arg(long, short)]
    pub(super) yes: bool,
    /// Why; recorded in the audit log
    #[arg(long)]
    reason: Option<String>,
}

impl Decide {
    /// Approves or refuses a launch: exactly the payload that is shown.
    pub async fn approval(self, wiring: &Wiring, output: &Output, approve: bool) -> Result<u8, Failure> {
        let execution = find(wiring, &self.plan_version, self.tenant.as_deref()).await?;
        let (version, tenant) = (&execution.plan_version, &execution.tenant_id);
        let gone = || Failure::not_found(format!("there is no plan version {version}"));
        let proposal = wiring.store.proposal(execution.id).await?.ok_or_else(gone)?;
        for line in proposal::lines(&execution, &proposal) {
            output.line(line);
        }
        let what = match (approve, execution.saga.is_some()) {
            (true, false) => "approve this launch of",
            (true, true) => "approve this amendment of",
            (false, false) => "refuse this launch, which cancels it:",
            (false, true) => "refuse this amendment (what is launched stays as it is) of",
        };
        ask::confirm(self.yes, &format!("{what} {version}?"))?;
        let decision = Decision {
            tenant_id: tenant.clone(),
            plan_id: None,
            plan_version: version.clone(),
            approve,
            by: user(),
            reason: self.reason,
            shown: Some(proposal.payload_hash),
            decided_at: None,
            via: "cli",
            now: wiring.clock.stamp(),
            compose: Arc::new(Composer),
        };
        let decided = wiring.store.decide(&decision).await?.ok_or_else(gone)?;
        let (amends, why) = match decided {
            Decided::Refused { why } => return Err(Failure::refused(format!("{version}: {why}"))),
            Decided::Already { why } => (false, Some(why)),
            Decided::Recorded { amends } => (amends, None),
        };
        output.json(
            &json!({ "plan_version": version, "approved": approve, "changed": why.is_none(), "why": why }),
        );
        output.line(match (why, approve, amends) {
            (Some(why), _, _) => format!("nothing to do: {why}"),
            (None, true, _) => format!("approved; the gate of {version} is asked again"),
            (None, false, true) => {
                format!("refused: the amendment of {version} is dropped, what is launched stays as it is")
            }
            (None, false, false) => format!("refused: {version} is cancelled"),
        });
        Ok(0)
    }

    /// Asks something of an execution.
    pub async fn control(self, wiring: &Wiring, output: &Output, verb: Verb) -> Result<u8, Failure> {
        let execution = find(wiring, &self.plan_version, self.tenant.as_deref()).await?;
        let what = match verb {
            Verb::Rollback => "roll back",
            Verb::Resume => "ask the gate again of",
            Verb::Retry => "try the failed legs again of",
            Verb::Cancel => "cancel",
        };
        self.confirm(output, &execution, what)?;
        self.order(wiring, output, &execution, verb).await
    }

    /// Asks it, confirmed as it is.
    pub(super) async fn order(
        self,
        wiring: &Wiring,
        output: &Output,
        execution: &ExecutionView,
        verb: Verb,
    ) -> Result<u8, Failure> {
        let ordered = wiring
            .store
            .control(&Request {
                tenant_id: execution.tenant_id.clone(),
                plan_id: None,
                plan_version: execution.plan_version.clone(),
                verb,
                by: format!("cli:{}", user()),
                reason: self.reason.unwrap_or_default(),
                now: wiring.clock.stamp(),
                message: None,
                compose: Arc::new(Composer),
            })
            .await?;
        match ordered {
            Ordered::Done { messages } => {
                output.json(&json!({ "plan_version": execution.plan_version, "done": verb.as_str(), "messages": messages }));
                let follow = format!(
                    "`campaign-execution status {}` shows how far it is",
                    execution.plan_version
                );
                output.line(match verb {
                    Verb::Rollback if execution.saga.is_some() => format!("rolling back; {follow}"),
                    Verb::Rollback | Verb::Cancel if execution.saga.is_none() => {
                        format!("{} is cancelled", execution.plan_version)
                    }
                    Verb::Cancel => format!("the amendment of {} is dropped", execution.plan_version),
                    Verb::Retry => format!("trying again; {follow}"),
                    Verb::Resume | Verb::Rollback => format!("asking again; {follow}"),
                });
                Ok(0)
            }
            Ordered::Nothing { why } => Err(Failure::refused(format!("{}: {why}", execution.plan_version))),
            Ordered::Unknown => Err(Failure::not_found(format!(
                "there is no plan version {}",
                execution.plan_version
            ))),
        }
    }

    fn confirm(&self, output: &Output, execution: &ExecutionView, what: &str) -> Result<(), Failure> {
        output.line(format!(
            "{} of tenant {}: gate {}, {}",
            execution.plan_version,
            execution.tenant_id,
            execution.gate,
            super::status::legs_line(execution)
        ));
        ask::confirm(self.yes, &format!("{what} {}?", execution.plan_version))
    }
}
