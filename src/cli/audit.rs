//! `audit verify`: whether anything in the audit log was changed, deleted or cut off.

use super::Failure;
use super::output::Output;
use crate::wiring::Wiring;
use clap::Subcommand;

/// What to do with the audit log.
#[derive(Subcommand)]
pub enum Command {
    /// Walk every tenant's chain from its first entry to its head
    Verify {
        /// Only this tenant
        #[arg(long)]
        tenant: Option<String>,
    },
}

impl Command {
    /// Runs it.
    pub async fn run(self, wiring: &Wiring, output: &Output) -> Result<u8, Failure> {
        let Self::Verify { tenant } = self;
        let reports = wiring.store.verify_audit(tenant.as_deref()).await?;
        if reports.is_empty() && tenant.is_some() {
            return Err(Failure::not_found("this tenant has no audit log"));
        }
        output.json(&reports);
        let rows: Vec<Vec<String>> = reports
            .iter()
            .map(|r| {
                let state = if r.broken.is_some() { "broken" } else { "whole" };
                vec![
                    state.to_owned(),
                    r.tenant_id.clone(),
                    r.entries.to_string(),
                    r.head.clone(),
                    r.broken.clone().unwrap_or_default(),
                ]
            })
            .collect();
        output.table(&["CHAIN", "TENANT", "ENTRIES", "HEAD", "WHAT IS WRONG"], &rows);
        let broken = reports.iter().filter(|r| r.broken.is_some()).count();
        if broken > 0 {
            return Err(
                Failure::failed(format!("{broken} chain(s) are broken: the log was tampered with")).hint(
                    "restore it from a backup whose head is known, and find out who had superuser access",
                ),
            );
        }
        Ok(0)
    }
}
