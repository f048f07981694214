//! `tenant apply` and `tenant list`.

use super::output::Output;
use super::status::time;
use super::{Failure, faults, read_file, user};
use crate::domain::tenant::Tenant;
use crate::service::intake::tenant_record;
use crate::wire::{self, control};
use crate::wiring::Wiring;
use clap::Subcommand;
use serde_json::json;
use std::path::PathBuf;

/// What to do with tenants.
#[derive(Subcommand)]
pub enum Command {
    /// Take in a tenant's document (tenant.onboarded), as onboarding sends it
    #[command(after_help = super::help::TENANT_APPLY)]
    Apply {
        /// JSON
        file: PathBuf,
    },
    /// List the tenants
    #[command(after_help = super::help::TENANT_LIST)]
    List,
}

impl Command {
    /// Runs it.
    pub async fn run(self, wiring: &Wiring, output: &Output) -> Result<u8, Failure> {
        match self {
            Self::Apply { file } => {
                let bytes = read_file(&file)?;
                let bad = |problems: Vec<wire::Invalid>| faults(&file, &problems);
                let envelope = wire::unwrap(&[], Some(&bytes), 1 << 20).map_err(bad)?;
                let tenant: Tenant = control::parse("tenant.onboarded", &envelope.data).map_err(bad)?;
                let record = tenant_record(&tenant, &format!("cli:{}", user()), wiring.clock.stamp());
                let newer = wiring.store.apply_tenant(&tenant, record).await?;
                output.json(&json!({ "tenant_id": tenant.tenant_id, "applied": newer }));
                output.line(if newer {
                    format!(
                        "tenant {} applied, as of {}",
                        tenant.tenant_id,
                        time(tenant.updated_at)
                    )
                } else {
                    format!(
                        "tenant {} is as new as this or newer already; nothing changed",
                        tenant.tenant_id
                    )
                });
                Ok(0)
            }
            Self::List => {
                let tenants = wiring.store.tenants().await?;
                output.json(&tenants);
                if tenants.is_empty() {
                    output.line("no tenant has been onboarded yet: `campaign-execution tenant apply FILE`");
                    return Ok(0);
                }
                let rows: Vec<Vec<String>> = tenants
                    .iter()
                    .map(|t| {
                        let accounts: Vec<String> = t
                            .accounts
                            .iter()
                            .map(|(n, a)| format!("{n} {}", a.account_id))
                            .collect();
                        vec![
                            t.tenant_id.to_string(),
                            t.display_name.clone(),
                            time(t.updated_at),
                            accounts.join(", "),
                        ]
                    })
                    .collect();
                output.table(&["TENANT", "NAME", "AS OF", "ACCOUNTS"], &rows);
                Ok(0)
            }
        }
    }
}
