//! The creatives that the plan's ads name: in the asset library, ready.
//!
//! Must not fetch an asset's content.

use super::{Findings, Gatekeeper, PATIENCE};
use crate::domain::gate::{Check, Outcome};
use crate::domain::plan::Plan;
use crate::domain::spec::LegSpec;
use crate::health::Unknown;
use crate::health::assets::Lookup;
use crate::retry;
use futures::{StreamExt, stream};
use std::collections::BTreeSet;

/// Asset look-ups at the same time, per execution.
const LOOKUPS: usize = 16;

impl Gatekeeper {
    pub(super) async fn assets(&self, plan: &Plan, specs: &[LegSpec]) -> Findings {
        let ids: BTreeSet<String> = specs
            .iter()
            .flat_map(LegSpec::asset_ids)
            .map(str::to_owned)
            .collect();
        let tenant = &plan.tenant_id;
        let looked: Vec<(String, Result<Lookup, Unknown>)> = stream::iter(ids)
            .map(|id| async move {
                let lookup = || self.library.lookup(tenant, &id);
                let found = retry::look(PATIENCE, |_| true, lookup).await;
                (id, found)
            })
            .buffer_unordered(LOOKUPS)
            .collect()
            .await;
        let mut findings = Findings::default();
        for (id, found) in looked {
            let check = format!("asset:{id}");
            match found {
                Ok(Lookup::Ready(asset)) => {
                    findings.checks.push(Check::pass(check, "in the library"));
                    findings.assets.insert(id, asset);
                }
                Ok(Lookup::Processing) => findings.checks.push(Check::not(
                    Outcome::Unknown,
                    format!("asset_processing:{id}"),
                    format!("{id} is still being processed"),
                    "none needed: the gate asks again by itself",
                )),
                Ok(Lookup::Missing) => findings.checks.push(Check::not(
                    Outcome::Fail,
                    check,
                    format!("{id} is not in the asset library"),
                    "upload the creative by hand; the gate asks again by itself",
                )),
                Err(unknown) => findings.checks.push(Check::not(
                    Outcome::Unknown,
                    check,
                    unknown.why,
                    "none needed: the gate asks again by itself",
                )),
            }
        }
        findings
    }
}
