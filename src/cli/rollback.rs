//! `rollback`: shows what would be paused, what removed, what comes back and what cannot be undone; asks; orders it.
//!
//! Must not keep anybody waiting who has said --yes: the platforms are asked only for who reads the answer.

use super::decide::Decide;
use super::output::Output;
use super::{Failure, ask, find};
use crate::service::rollback::{LegOutlook, Outlook};
use crate::store::control::Verb;
use crate::store::views::ExecutionView;
use crate::wiring::Wiring;
use clap::Args;
use serde_json::json;
use std::collections::BTreeMap;

/// Legs that are listed one by one.
const LISTED: usize = 40;

/// Undo everything of a plan version.
#[derive(Args)]
pub struct Rollback {
    #[command(flatten)]
    decide: Decide,
    /// Only show what it would do
    #[arg(long)]
    dry_run: bool,
}

impl Rollback {
    /// Shows, asks, orders.
    pub async fn run(self, wiring: &Wiring, output: &Output) -> Result<u8, Failure> {
        let execution = find(wiring, &self.decide.plan_version, self.decide.tenant.as_deref()).await?;
        let look = self.dry_run || !self.decide.yes;
        let outlook = wiring.foresight().look(execution.id, look).await?;
        for line in lines(&execution, &outlook) {
            output.line(output.tint(&line));
        }
        if self.dry_run {
            output.json(&json!({ "plan_version": execution.plan_version, "tenant_id": execution.tenant_id, "outlook": outlook }));
            output.line("Nothing was done.");
            return Ok(0);
        }
        ask::confirm(self.decide.yes, &format!("Roll back {}?", execution.plan_version))?;
        self.decide
            .order(wiring, output, &execution, Verb::Rollback)
            .await
    }
}

/// What is shown before it is asked for.
#[must_use]
pub fn lines(execution: &ExecutionView, outlook: &Outlook) -> Vec<String> {
    let mut lines = vec![format!(
        "{} of tenant {}, {}: {}",
        execution.plan_version,
        execution.tenant_id,
        super::status::state(execution),
        super::status::legs_line(execution)
    )];
    if execution.saga.is_none() {
        lines.push("Nothing of it was launched; it is cancelled.".to_owned());
        return lines;
    }
    lines.push(String::new());
    let listed: Vec<&LegOutlook> = outlook.legs.iter().take(LISTED).collect();
    let cells = |leg: &LegOutlook| {
        [
            format!("{}/{}", leg.platform, leg.logical_campaign_key),
            leg.state.clone(),
            leg.campaign_id.clone().unwrap_or_else(|| "-".to_owned()),
        ]
    };
    let width = |n: usize| {
        let all = listed
            .iter()
            .filter_map(|leg| Some(cells(leg).get(n)?.chars().count()));
        all.max().unwrap_or(0)
    };
    let (places, states, ids) = (width(0), width(1), width(2));
    for leg in listed {
        let [place, state, id] = cells(leg);
        lines.push(format!(
            "  {place:<places$}  {state:<states$}  {id:<ids$}  {}",
            leg.fate.words()
        ));
        lines.extend(changed_there(leg));
    }
    lines.extend(in_short(outlook));
    let stays: Vec<String> = outlook.legs.iter().flat_map(staying).collect();
    section(&mut lines, "What cannot be undone:", &stays);
    let returning: Vec<String> = outlook
        .returning
        .iter()
        .map(|r| format!("{}/{} in {}", r.platform, r.logical_campaign_key, r.plan_version))
        .collect();
    section(&mut lines, "What comes back, as it was before:", &returning);
    lines.push(String::new());
    lines.push(
        "A rolled-back plan version is never launched again; the audit log keeps everything.".to_owned(),
    );
    lines
}

/// Legs that are not listed, by what becomes of them.
fn in_short(outlook: &Outlook) -> Vec<String> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for leg in outlook.legs.iter().skip(LISTED) {
        *counts.entry(leg.fate.words()).or_default() += 1;
    }
    counts
        .into_iter()
        .map(|(words, count)| format!("  and {count} more: {words}"))
        .collect()
}

/// What somebody changed on the platform, and what becomes of it.
fn changed_there(leg: &LegOutlook) -> Vec<String> {
    let each = leg.drift.iter().zip(&leg.drift_becomes);
    each.map(|(drift, becomes)| format!("      changed there by somebody: {}; {becomes}", drift.words()))
        .collect()
}

fn staying(leg: &LegOutlook) -> Vec<String> {
    leg.stays
        .iter()
        .map(|stay| {
            let id = stay
                .platform_id
                .as_deref()
                .map(|id| format!(" ({id})"))
                .unwrap_or_default();
            format!(
                "{}/{}: {}{id}: {}",
                leg.platform, leg.logical_campaign_key, stay.what, stay.why
            )
        })
        .collect()
}

fn section(lines: &mut Vec<String>, heading: &str, items: &[String]) {
    if items.is_empty() {
        return;
    }
    lines.push(String::new());
    lines.push(heading.to_owned());
    lines.extend(items.iter().take(LISTED).map(|item| format!("  {item}")));
    if let Some(more @ 1..) = items.len().checked_sub(LISTED) {
        lines.push(format!("  and {more} more (--json has all of them)"));
    }
}
