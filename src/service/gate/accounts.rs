//! Every platform account of the plan: in the tenant's map, active, alive, able to pay, in the plan's currency.
//!
//! Must not judge what is wrong with an account: its adapter's probe says that.

use super::{Gatekeeper, PATIENCE, later, passes};
use crate::domain::gate::{Check, Outcome};
use crate::domain::plan::Plan;
use crate::domain::tenant::{Account, Tenant};
use crate::platform::{self, AccountFacts, CallError, Platform};
use crate::retry;
use futures::future::join_all;
use std::collections::BTreeSet;

impl Gatekeeper {
    pub(super) async fn accounts(&self, plan: &Plan, tenant: &Tenant) -> Vec<Check> {
        let names: BTreeSet<&str> = plan.campaigns.iter().map(|c| c.platform.as_str()).collect();
        join_all(names.into_iter().map(|name| self.account(plan, tenant, name))).await
    }

    async fn account(&self, plan: &Plan, tenant: &Tenant, name: &str) -> Check {
        let check = format!("account:{name}");
        let fail = |reason: String, remedy: &str| Check::not(Outcome::Fail, check.clone(), reason, remedy);
        let Some(platform) = platform::by_name(name) else {
            return fail(
                format!("this version has no adapter for {name}"),
                "take the platform out of the plan",
            );
        };
        let Some(account) = tenant.accounts.get(name) else {
            return fail(
                format!("tenant {} has no {name} account", tenant.tenant_id),
                "onboard the tenant with an account there; the gate asks again by itself",
            );
        };
        if account.status != "active" {
            return fail(
                format!("the {name} account {} is {}", account.account_id, account.status),
                "activate it and onboard the tenant again",
            );
        }
        let (facts, age_s) = match self.facts(tenant, platform.as_ref(), account).await {
            Ok(known) => known,
            Err(CallError::Refused(error)) => return Check::refused(check, &error),
            Err(CallError::Unavailable { why, after }) => return Check::unknown(check, why, after),
            Err(CallError::Unclear { why }) => return Check::unknown(check, why, None),
        };
        if let Some(problem) = facts.problems.first() {
            return Check {
                age_s,
                ..Check::refused(check, problem)
            };
        }
        if facts.currency != plan.currency {
            return Check {
                age_s,
                ..fail(
                    format!(
                        "the plan is in {}, the {name} account {} in {}",
                        plan.currency, account.account_id, facts.currency
                    ),
                    "publish the plan in the account's currency",
                )
            };
        }
        Check {
            age_s,
            ..Check::pass(
                check,
                format!("{} answers, {}", account.account_id, facts.currency),
            )
        }
    }

    /// The account's facts, shared between plans for a while; and their age, seconds.
    async fn facts(
        &self,
        tenant: &Tenant,
        platform: &dyn Platform,
        account: &Account,
    ) -> Result<(AccountFacts, i64), CallError> {
        let (id, probe) = (tenant.tenant_id.as_str(), format!("account:{}", platform.name()));
        let kept = self.store.verdict(id, &probe, self.config.verdict_ttl_s).await;
        if let Some((verdict, age)) = kept.map_err(later)?
            && let Ok(facts) = serde_json::from_value::<AccountFacts>(verdict)
            && facts.problems.is_empty()
        {
            return Ok((facts, age));
        }
        let session = self.session(platform, account);
        let flight = || async {
            let facts = retry::look(PATIENCE, passes, || platform.probe(&session)).await?;
            self.store.keep_verdict(id, &probe, &facts).await.map_err(later)?;
            Ok((facts, 0))
        };
        self.flights
            .accounts
            .share(&format!("{id} {probe}"), flight)
            .await
    }
}
