//! Every platform account of the plan: in the tenant's map, active, alive, able to pay, in the plan's currency.
//!
//! Must not judge what is wrong with an account: its adapter's probe says that.

use super::{Gatekeeper, PATIENCE};
use crate::domain::gate::{Check, Outcome};
use crate::domain::plan::Plan;
use crate::domain::tenant::{Account, Tenant};
use crate::platform::{self, AccountFacts, CallError, Platform};
use crate::retry;
use crate::store::StoreError;
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
            Err(CallError::Refused(error)) => return fail(error.message.clone(), &error.remedy),
            Err(CallError::Unavailable { why, .. } | CallError::Unclear { why }) => {
                return Check::not(
                    Outcome::Unknown,
                    check,
                    why,
                    "none needed: the gate asks again by itself",
                );
            }
        };
        if let Some(problem) = facts.problems.first() {
            let alert = problem
                .alert_code
                .as_ref()
                .map(|c| format!("{c}: "))
                .unwrap_or_default();
            return Check {
                age_s,
                ..fail(format!("{alert}{}", problem.message), &problem.remedy)
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
        let later = |error: StoreError| CallError::Unavailable {
            why: error.to_string(),
            after: None,
        };
        let (id, probe) = (tenant.tenant_id.as_str(), format!("account:{}", platform.name()));
        if let Some((verdict, age)) = self
            .store
            .verdict(id, &probe, self.config.verdict_ttl_s)
            .await
            .map_err(later)?
            && let Ok(facts) = serde_json::from_value::<AccountFacts>(verdict)
            && facts.problems.is_empty()
        {
            return Ok((facts, age));
        }
        let session = self.session(platform, account);
        let passes = |error: &CallError| match error {
            // Told to wait: the gate is asked again later.
            CallError::Unavailable { after, .. } => after.is_none(),
            CallError::Unclear { .. } => true,
            CallError::Refused(_) => false,
        };
        let facts = retry::look(PATIENCE, passes, || platform.probe(&session)).await?;
        self.store.keep_verdict(id, &probe, &facts).await.map_err(later)?;
        Ok((facts, 0))
    }
}
