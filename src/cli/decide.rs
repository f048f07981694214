//! `approve`, `reject`, `rollback`, `resume`, `retry`, `cancel`: shows what it will do, asks, records who and why.
//!
//! Must not do anything that was not shown and confirmed.

use super::output::Output;
use super::{Failure, ask, find, user};
use crate::service::compose::Composer;
pub use crate::store::control::Verb;
use crate::store::control::{Ordered, Request};
use crate::store::intake::{Decided, Decision};
use crate::store::views::ExecutionView;
use crate::wiring::Wiring;
use clap::Args;
use serde_json::json;
use std::sync::Arc;

/// A plan version, and the word that it is meant.
#[derive(Args)]
pub struct Decide {
    /// The plan version
    plan_version: String,
    /// The tenant, where several have this version
    #[arg(long)]
    tenant: Option<String>,
    /// Don't ask
    #[arg(long, short)]
    yes: bool,
    /// Why; recorded in the audit log
    #[arg(long)]
    reason: Option<String>,
}

impl Decide {
    /// Approves or refuses a launch.
    pub async fn approval(self, wiring: &Wiring, output: &Output, approve: bool) -> Result<u8, Failure> {
        let execution = find(wiring, &self.plan_version, self.tenant.as_deref()).await?;
        let what = if approve {
            "approve the launch"
        } else {
            "refuse the launch, which cancels it,"
        };
        self.confirm(output, &execution, what)?;
        let decided = wiring
            .store
            .decide(&Decision {
                tenant_id: execution.tenant_id.clone(),
                plan_id: None,
                plan_version: execution.plan_version.clone(),
                approve,
                by: user(),
                reason: self.reason,
                via: "cli",
                now: wiring.clock.stamp(),
            })
            .await?;
        match decided {
            Some(Decided::Recorded) => {
                output.json(&json!({ "plan_version": execution.plan_version, "approved": approve }));
                output.line(if approve {
                    format!("approved; the gate of {} is asked again", execution.plan_version)
                } else {
                    format!("refused; {} is cancelled", execution.plan_version)
                });
                Ok(0)
            }
            Some(Decided::TooLate { gate }) => Err(Failure::refused(format!(
                "too late: the gate of {} is {gate}",
                execution.plan_version
            ))),
            None => Err(Failure::not_found(format!(
                "there is no plan version {}",
                execution.plan_version
            ))),
        }
    }

    /// Asks something of an execution.
    pub async fn control(self, wiring: &Wiring, output: &Output, verb: Verb) -> Result<u8, Failure> {
        let execution = find(wiring, &self.plan_version, self.tenant.as_deref()).await?;
        let what = match verb {
            Verb::Rollback => {
                "roll back (pause at once, then remove what never spent; what has spent stays paused)"
            }
            Verb::Resume => "ask the gate again of",
            Verb::Retry => "try the failed legs again of",
            Verb::Cancel => "cancel",
        };
        self.confirm(output, &execution, what)?;
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
                compose: Arc::new(Composer),
            })
            .await?;
        match ordered {
            Ordered::Done { messages } => {
                output.json(&json!({ "plan_version": execution.plan_version, "done": verb.as_str(), "messages": messages }));
                output.line(format!(
                    "{} of {} is on its way ({messages} message(s))",
                    verb.as_str(),
                    execution.plan_version
                ));
                Ok(0)
            }
            Ordered::Nothing { why } => Err(Failure::refused(why)),
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
