//! The plan's budgets against each account's floors and what it may still spend, and against the tenant's ceilings.
//!
//! Must not judge: `domain::budget` does.

use super::accounts::AccountFound;
use crate::domain::budget::{Asked, Limits, check};
use crate::domain::gate::Check;
use crate::domain::money::Money;
use crate::domain::plan::Plan;
use crate::domain::tenant::Tenant;
use crate::platform;
use std::collections::BTreeMap;

/// Every budget that cannot be. What the account did not tell is not checked: it is not known to be wrong, and an account
/// that did not answer at all keeps the gate shut by itself.
pub(super) fn budgets(plan: &Plan, tenant: &Tenant, accounts: &BTreeMap<String, AccountFound>) -> Vec<Check> {
    let mut checks = Vec::new();
    for (name, found) in accounts {
        let legs: Vec<(String, _)> = plan
            .campaigns
            .iter()
            .filter(|c| c.platform.as_str() == name)
            .map(|c| (format!("{name}/{}", c.logical_campaign_key), c.budget))
            .collect();
        let asked: Vec<Asked<'_>> = legs
            .iter()
            .map(|(leg, budget)| Asked { leg, budget: *budget })
            .collect();
        let facts = found.facts.as_ref();
        let ceilings = tenant.limits.get(name).and_then(|l| l.micros().ok());
        let ceiling = |micros: Option<i64>| micros.map(|m| Money::from_micros(m, plan.currency));
        let limits = Limits {
            platform: name,
            account: described(name, tenant),
            minimum_daily: facts.and_then(|f| f.minimum_daily),
            spendable: facts.and_then(|f| f.spendable),
            daily_max: ceiling(ceilings.and_then(|(daily, _)| daily)),
            lifetime_max: ceiling(ceilings.and_then(|(_, lifetime)| lifetime)),
        };
        checks.extend(check(&limits, &asked));
    }
    checks
}

/// `Meta account act_42`.
fn described(name: &str, tenant: &Tenant) -> String {
    let platform = platform::by_name(name).map_or("the", |p| p.traits().display_name);
    let account = tenant.accounts.get(name).map_or("", |a| a.account_id.as_str());
    format!("{platform} account {account}")
}
