//! `drift`: what the platforms hold beside what the manifest says, leg by leg.
//!
//! Must not change anything, and prints what it can: a platform that does not answer is one line, not the end.

use super::output::{Output, count};
use super::{Failure, find, mend};
use crate::platform::Change;
use crate::service::drift::{Looked, Told};
use crate::wiring::Wiring;
use clap::Args;
use serde_json::json;

/// How many changes by others are shown of a leg.
const SHOWN: usize = 10;

/// Compare the manifest with the platforms.
#[derive(Args)]
pub struct Drift {
    /// The plan version; without it, every launched one
    plan_version: Option<String>,
    /// The tenant, where several have this version
    #[arg(long)]
    tenant: Option<String>,
    /// Make again what somebody removed, after asking
    #[arg(long, requires = "plan_version")]
    mend: bool,
    /// Don't ask
    #[arg(long, short, requires = "mend")]
    yes: bool,
    /// Why; recorded in the audit log
    #[arg(long, requires = "mend")]
    reason: Option<String>,
}

impl Drift {
    /// Compares; 5 when something differs.
    pub async fn run(self, wiring: &Wiring, output: &Output) -> Result<u8, Failure> {
        let executions = match &self.plan_version {
            Some(version) => vec![find(wiring, version, self.tenant.as_deref()).await?],
            None => {
                let all = wiring
                    .store
                    .executions(self.tenant.as_deref(), None, 10_000)
                    .await?;
                all.into_iter().filter(|e| e.saga.is_some()).collect()
            }
        };
        let (mut differences, mut all) = (0, Vec::new());
        if executions.is_empty() {
            output.line("nothing has been launched yet");
        }
        for execution in &executions {
            if executions.len() > 1 {
                output.line(format!(
                    "{} of tenant {}",
                    execution.plan_version, execution.tenant_id
                ));
            }
            let (looked, found) = compare(wiring, execution.id, output).await?;
            differences += found;
            if self.mend {
                let word = (self.yes, self.reason.as_deref());
                let mended = mend::mend(wiring, output, execution.id, &looked, word).await?;
                if !looked.iter().any(|leg| mend::gone(leg).is_some()) {
                    output.line("Nothing is made again: nothing was removed.");
                }
                output.json(&json!({ "plan_version": execution.plan_version, "legs_mended": mended }));
                return Ok(0);
            }
            all.push(json!({ "tenant_id": execution.tenant_id, "plan_version": execution.plan_version, "legs": looked }));
        }
        output.json(&all);
        Ok(if differences > 0 { 5 } else { 0 })
    }
}

/// Compares one execution's legs and tells of it; what was seen, and how many differences there are.
pub async fn compare(
    wiring: &Wiring,
    execution_id: i64,
    output: &Output,
) -> Result<(Vec<Looked>, usize), Failure> {
    let looked = wiring.drift().look(execution_id).await?;
    let (mut differences, mut silent) = (0, 0);
    for leg in &looked {
        let place = format!("{}/{}", leg.platform, leg.logical_campaign_key);
        match &leg.told {
            Told::Same => output.line(output.tint(&format!("  ok       {place}"))),
            Told::NotMade => output.line(format!("  –        {place}  nothing of it is there")),
            Told::Silent { why } => {
                silent += 1;
                output.line(output.tint(&format!("  unknown  {place}  {why}")));
            }
            Told::Differs { differences: found } => {
                differences += found.len();
                output.line(format!(
                    "  differs  {place}  {}",
                    leg.campaign_id.as_deref().unwrap_or("")
                ));
                for difference in found {
                    output.line(format!("             {}", difference.words()));
                }
                for change in leg.changes.iter().take(SHOWN) {
                    output.line(format!("             changed by {}", who(change)));
                }
                if let Some(more @ 1..) = leg.changes.len().checked_sub(SHOWN) {
                    output.line(format!(
                        "             … and {more} more by others; --json shows them all"
                    ));
                }
            }
        }
    }
    output.line("");
    output.line(summary(&looked, differences, silent));
    if differences == 0 && silent > 0 {
        return Err(Failure::unreachable(format!(
            "{} could not be looked at",
            count(silent, "leg")
        )));
    }
    Ok((looked, differences))
}

/// `jo@example.com, 2026-11-23 10:00:00 UTC, GOOGLE_ADS_WEB_CLIENT: update campaign 12 (name, status)`
fn who(change: &Change) -> String {
    let fields = match change.fields.as_slice() {
        [] => String::new(),
        fields => format!(" ({})", fields.join(", ")),
    };
    format!(
        "{}, {}, {}: {} {}{fields}",
        change.by.as_deref().unwrap_or("somebody"),
        change.at.format("%Y-%m-%d %H:%M:%S UTC"),
        change.through,
        change.operation,
        change.object
    )
}

fn summary(looked: &[Looked], differences: usize, silent: usize) -> String {
    let legs = looked.len();
    if differences == 0 && silent == 0 {
        return format!("No drift in {}.", count(legs, "leg"));
    }
    let silent = match silent {
        0 => String::new(),
        n => format!("; {} could not be looked at", count(n, "leg")),
    };
    format!(
        "{} in {}{silent}.",
        count(differences, "difference"),
        count(legs, "leg")
    )
}
