//! GA4 tracking health: the plan's property is the tenant's, and green.
//!
//! Must not ask more often than GA4 allows: verdicts are shared between plans.

use super::{Gatekeeper, landing_urls};
use crate::domain::gate::{Check, Outcome};
use crate::domain::plan::Plan;
use crate::domain::tenant::{Account, Tenant, TrackingAmber};
use crate::health::Unknown;
use crate::health::ga4::budget::{self, Standing};
use crate::health::ga4::{self, Health, Level};
use crate::store::StoreError;
use crate::store::ga4::Ga4Turn;
use crate::wire;
use std::collections::BTreeSet;
use std::time::Duration;

/// How often, and how soon, a turn that another instance has is asked for again.
const TURNS: usize = 20;
const TURN_PAUSE: Duration = Duration::from_millis(250);

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
            Err(unknown) => return vec![Check::unknown("tracking", unknown.why, unknown.again_in)],
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
        let unknown = |error: StoreError| Unknown::new(error.to_string());
        let question = ga4::Question {
            admin_base: &self.config.ga4_admin,
            data_base: &self.config.ga4_data,
            account,
            property: &plan.tracking.ga4_property,
            landing_hosts: &hosts,
            key_events: &plan.tracking.key_events,
            ads_customer_id: ads_customer_id.as_deref(),
        };
        let flight = || async {
            let kept = self
                .store
                .verdict(tenant.tenant_id.as_str(), &probe, self.config.verdict_ttl_s)
                .await;
            if let Some((verdict, age)) = kept.map_err(unknown)?
                && let Ok(health) = serde_json::from_value::<Health>(verdict)
            {
                return Ok((health, age));
            }
            let health = self.within_budget(question).await?;
            if health.level() == Level::Green {
                let kept = self
                    .store
                    .keep_verdict(tenant.tenant_id.as_str(), &probe, &health)
                    .await;
                kept.map_err(unknown)?;
            }
            Ok((health, 0))
        };
        let key = format!("{} {probe}", tenant.tenant_id);
        self.flights.tracking.share(&key, flight).await
    }

    /// Asks GA4 as far as the property's budget of server errors allows, one look at a time over all instances.
    async fn within_budget(&self, question: ga4::Question<'_>) -> Result<Health, Unknown> {
        let unknown = |error: StoreError| Unknown::new(error.to_string());
        let turn = self.turn(question.property).await?;
        let standing = Standing {
            now: turn.now,
            server_errors: turn.server_errors,
            not_before: turn.not_before,
        };
        if let Some((until, why)) = budget::wait(&standing) {
            self.store
                .ga4_end(question.property, 0, None)
                .await
                .map_err(unknown)?;
            return Err(Unknown {
                why,
                again_in: (until - standing.now).to_std().ok(),
            });
        }
        let asked = ga4::check(&self.outbound, question).await;
        self.store
            .ga4_end(question.property, asked.server_errors, asked.wait)
            .await
            .map_err(unknown)?;
        asked.health
    }

    /// Waits a little for another instance that is asking the same property.
    async fn turn(&self, property: &str) -> Result<Ga4Turn, Unknown> {
        for _ in 0..TURNS {
            let turn = self.store.ga4_begin(property).await;
            if let Some(turn) = turn.map_err(|e| Unknown::new(e.to_string()))? {
                return Ok(turn);
            }
            tokio::time::sleep(TURN_PAUSE).await;
        }
        Err(Unknown {
            why: format!("GA4 {property} is being asked by another instance"),
            again_in: Some(Duration::from_secs(2)),
        })
    }
}
