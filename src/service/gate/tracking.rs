//! GA4 tracking health: the plan's property is the tenant's, and green.
//!
//! Must not ask more often than GA4 allows: verdicts are shared between plans.

use super::{Gatekeeper, landing_urls};
use crate::domain::gate::{Check, Outcome};
use crate::domain::plan::Plan;
use crate::domain::tenant::{Account, Tenant, TrackingAmber};
use crate::health::Unknown;
use crate::health::ga4::{self, Health, Level};
use crate::store::StoreError;
use crate::wire;
use std::collections::BTreeSet;

/// GA4 links to this platform's accounts by the product's own design.
const GOOGLE_LINK: &str = "google-ads";

impl Gatekeeper {
    pub(super) async fn tracking(&self, plan: &Plan, tenant: &Tenant) -> Vec<Check> {
        let fail = |reason: String, remedy: &str| vec![Check::not(Outcome::Fail, "tracking", reason, remedy)];
        let Some(account) = tenant.accounts.get("ga4") else {
            return fail(
                format!("tenant {} has no GA4 property", tenant.tenant_id),
                "onboard the tenant with `ga4`",
            );
        };
        if account.account_id != plan.tracking.ga4_property {
            return fail(
                format!(
                    "the plan names {}, the tenant's property is {}",
                    plan.tracking.ga4_property, account.account_id
                ),
                "correct tracking.ga4_property, or onboard the tenant again",
            );
        }
        let (health, age_s) = match self.ga4(plan, tenant, account).await {
            Ok(known) => known,
            Err(unknown) => {
                let remedy = "none needed: the gate asks again by itself";
                return vec![Check::not(Outcome::Unknown, "tracking", unknown.why, remedy)];
            }
        };
        if health.level() == Level::Green {
            return vec![Check {
                age_s,
                ..Check::pass("tracking", format!("{} is green", account.account_id))
            }];
        }
        health
            .findings
            .iter()
            .map(|finding| {
                let allowed =
                    finding.level == Level::Amber && tenant.policy.tracking_amber == TrackingAmber::Allow;
                let outcome = if allowed { Outcome::Pass } else { Outcome::Fail };
                let name = if health.findings.len() == 1 {
                    "tracking".to_owned()
                } else {
                    format!("tracking:{}", finding.reason)
                };
                Check {
                    age_s,
                    ..Check::not(outcome, name, finding.reason.clone(), finding.remedy.clone())
                }
            })
            .collect()
    }

    async fn ga4(&self, plan: &Plan, tenant: &Tenant, account: &Account) -> Result<(Health, i64), Unknown> {
        let hosts: BTreeSet<String> = landing_urls(plan)
            .filter_map(|url| url.host_str().map(str::to_owned))
            .collect();
        let hosts: Vec<String> = hosts.into_iter().collect();
        let ads_account = plan
            .campaigns
            .iter()
            .any(|c| c.platform.as_str() == GOOGLE_LINK)
            .then(|| tenant.accounts.get(GOOGLE_LINK));
        let ads_customer_id = ads_account.flatten().map(|a| a.account_id.replace('-', ""));
        let asked = format!("{hosts:?}{:?}{ads_customer_id:?}", plan.tracking.key_events);
        let probe = format!("ga4:{}:{}", account.account_id, wire::event_id(&[&asked]));
        let unknown = |error: StoreError| Unknown {
            why: error.to_string(),
        };
        let kept = self
            .store
            .verdict(tenant.tenant_id.as_str(), &probe, self.config.verdict_ttl_s)
            .await;
        if let Some((verdict, age)) = kept.map_err(unknown)?
            && let Ok(health) = serde_json::from_value::<Health>(verdict)
        {
            return Ok((health, age));
        }
        let question = ga4::Question {
            admin_base: &self.config.ga4_admin,
            data_base: &self.config.ga4_data,
            account,
            property: &plan.tracking.ga4_property,
            landing_hosts: &hosts,
            key_events: &plan.tracking.key_events,
            ads_customer_id: ads_customer_id.as_deref(),
        };
        let health = ga4::check(&self.outbound, question).await?;
        if health.level() == Level::Green {
            self.store
                .keep_verdict(tenant.tenant_id.as_str(), &probe, &health)
                .await
                .map_err(unknown)?;
        }
        Ok((health, 0))
    }
}
