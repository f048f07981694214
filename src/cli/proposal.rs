//! What `approve` and `reject` show before they ask: the payload as it is now, and what the gate still waits for besides.
//!
//! Must not show another payload than the one whose hash the decision names.

use crate::domain::money::Money;
use crate::domain::plan::{Campaign, Period, Plan};
use crate::store::decide::Proposal;
use crate::store::views::ExecutionView;
use crate::wire;
use std::collections::BTreeMap;

/// The lines of it.
#[must_use]
pub fn lines(execution: &ExecutionView, proposal: &Proposal) -> Vec<String> {
    let mut lines = vec![
        format!("{} of tenant {}", execution.plan_version, execution.tenant_id),
        format!("  plan        {}", execution.plan_id),
        format!(
            "  approved    {} by {}",
            super::status::time(execution.approved_at),
            execution.approved_by
        ),
    ];
    if execution.saga.is_some() {
        lines.push(format!(
            "  launched    {}; `plan preview FILE` shows what this payload changes",
            super::status::legs_line(execution)
        ));
    }
    // It was valid when it was taken in.
    if let Ok(plan) = wire::plan::parse(&proposal.payload) {
        lines.extend(campaigns(&plan));
    }
    let short = proposal.payload_hash.get(..12).unwrap_or_default();
    lines.push(format!(
        "  payload     {short}… (the decision is for exactly this one)"
    ));
    lines
}

/// Per platform: how many campaigns, and what they may spend.
fn campaigns(plan: &Plan) -> Vec<String> {
    let mut by_platform: BTreeMap<&str, Vec<&Campaign>> = BTreeMap::new();
    for campaign in &plan.campaigns {
        by_platform
            .entry(campaign.platform.as_str())
            .or_default()
            .push(campaign);
    }
    by_platform
        .into_iter()
        .map(|(platform, campaigns)| {
            let spend: Vec<String> = [(Period::Daily, "a day"), (Period::Lifetime, "in all")]
                .iter()
                .filter_map(|(period, words)| Some(format!("{} {words}", sum(&campaigns, *period)?)))
                .collect();
            let first = campaigns.iter().map(|c| c.schedule.start).min();
            let from = first
                .map(|at| format!(", from {}", super::status::time(at)))
                .unwrap_or_default();
            format!(
                "  {platform:<10}  {} campaign{}, {}{from}",
                campaigns.len(),
                if campaigns.len() == 1 { "" } else { "s" },
                spend.join(" and ")
            )
        })
        .collect()
}

fn sum(campaigns: &[&Campaign], period: Period) -> Option<Money> {
    let mut of_period = campaigns.iter().filter(|c| c.budget.period == period);
    let first = of_period.next()?.budget.amount;
    let micros = of_period.try_fold(first.micros, |sum, c| sum.checked_add(c.budget.amount.micros))?;
    Some(Money::from_micros(micros, first.currency))
}
