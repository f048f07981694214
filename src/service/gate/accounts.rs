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
use std::collections::{BTreeMap, BTreeSet};

/// What was found about one platform's account.
pub(super) struct AccountFound {
    pub(super) checks: Vec<Check>,
    /// What the platform said of it, if it is the plan's currency that it is in.
    pub(super) facts: Option<AccountFacts>,
}

impl From<Check> for AccountFound {
    fn from(check: Check) -> Self {
        Self {
            checks: vec![check],
            facts: None,
        }
    }
}

impl Gatekeeper {
    /// By platform id, for every platform of the plan.
    pub(super) async fn accounts(&self, plan: &Plan, tenant: &Tenant) -> BTreeMap<String, AccountFound> {
        let names: BTreeSet<&str> = plan.campaigns.iter().map(|c| c.platform.as_str()).collect();
        let asked = names
            .into_iter()
            .map(|name| async move { (name.to_owned(), self.account(plan, tenant, name).await) });
        join_all(asked).await.into_iter().collect()
    }

    async fn account(&self, plan: &Plan, tenant: &Tenant, name: &str) -> AccountFound {
        let check = format!("account:{name}");
        let fail = |reason: String, remedy: &str| Check::not(Outcome::Fail, check.clone(), reason, remedy);
        let Some(platform) = platform::by_name(name) else {
            return fail(
                format!("this version has no adapter for {name}"),
                "take the platform out of the plan",
            )
            .into();
        };
        let Some(account) = tenant.accounts.get(name) else {
            return fail(
                format!("tenant {} has no {name} account", tenant.tenant_id),
                "onboard the tenant with an account there; the gate asks again by itself",
            )
            .into();
        };
        if account.status != "active" {
            return fail(
                format!("the {name} account {} is {}", account.account_id, account.status),
                "activate it and onboard the tenant again",
            )
            .into();
        }
        let (facts, age_s) = match self.facts(tenant, platform.as_ref(), account).await {
            Ok(known) => known,
            Err(CallError::Refused(error)) => return Check::refused(check, &error).into(),
            Err(CallError::Unavailable { why, after }) => return Check::unknown(check, why, after).into(),
            Err(CallError::Unclear { why }) => return Check::unknown(check, why, None).into(),
        };
        let mut checks: Vec<Check> = Vec::new();
        for (n, problem) in facts.problems.iter().enumerate() {
            // Every reason, not only the first; names are unique.
            let name = if n == 0 {
                check.clone()
            } else {
                format!("{check}/{}", n + 1)
            };
            checks.push(Check::refused(name, problem));
        }
        let ours = facts.currency == plan.currency;
        if !ours {
            checks.push(fail(
                format!(
                    "the plan is in {}, the {name} account {} in {}",
                    plan.currency, account.account_id, facts.currency
                ),
                "publish the plan in the account's currency",
            ));
            if let Some(last) = checks.last_mut().filter(|_| !facts.problems.is_empty()) {
                last.check = format!("{check}/currency");
            }
        }
        if checks.is_empty() {
            let answers = format!("{} answers, {}", account.account_id, facts.currency);
            checks.push(Check::pass(check, answers));
        }
        for check in &mut checks {
            check.age_s = age_s;
        }
        AccountFound {
            checks,
            facts: ours.then_some(facts),
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
        let session = self.session(platform, account);
        let flight = || async {
            let kept = self.store.verdict(id, &probe, self.config.verdict_ttl_s).await;
            if let Some((verdict, age)) = kept.map_err(later)?
                && let Ok(facts) = serde_json::from_value::<AccountFacts>(verdict)
                && facts.problems.is_empty()
            {
                return Ok((facts, age));
            }
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
