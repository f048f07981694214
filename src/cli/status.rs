//! `status` and `touchpoints`: what is going on, and where a person must act.

use super::output::Output;
use super::{Failure, find};
use crate::domain::saga::LegState;
use crate::store::views::{ExecutionView, LegView, Review, Waiting};
use crate::wiring::Wiring;
use chrono::{DateTime, SecondsFormat, Utc};
use clap::Args;
use serde_json::json;

/// What is going on.
#[derive(Args)]
pub struct Status {
    /// One plan version, with its legs
    plan_version: Option<String>,
    /// Only this tenant
    #[arg(long)]
    tenant: Option<String>,
    /// How many executions at the most
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=10_000))]
    limit: i64,
}

/// To the second, UTC.
#[must_use]
pub fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// The legs of an execution, counted: `3 live, 1 failed`.
#[must_use]
pub fn legs_line(execution: &ExecutionView) -> String {
    let Some(saga) = &execution.saga else {
        return "no legs yet".to_owned();
    };
    let counts: Vec<String> = LegState::ALL
        .iter()
        .filter_map(|s| match saga.tally.count(*s) {
            0 => None,
            n => Some(format!("{n} {}", s.as_str())),
        })
        .collect();
    counts.join(", ")
}

/// Where an execution stands, in one word.
#[must_use]
pub fn state(execution: &ExecutionView) -> String {
    match (&execution.settled, execution.gate.as_str()) {
        (Some(settled), _) => settled.clone(),
        (None, "open") => "moving".to_owned(),
        (None, gate) => gate.to_owned(),
    }
}

impl Status {
    /// Prints it.
    pub async fn run(self, wiring: &Wiring, output: &Output) -> Result<u8, Failure> {
        match &self.plan_version {
            None => {
                let all = wiring
                    .store
                    .executions(self.tenant.as_deref(), None, self.limit)
                    .await?;
                output.json(&all);
                if all.is_empty() {
                    output.line("no plan has been taken in yet");
                    return Ok(0);
                }
                let rows: Vec<Vec<String>> = all
                    .iter()
                    .map(|e| {
                        vec![
                            time(e.received_at),
                            e.tenant_id.clone(),
                            e.plan_version.clone(),
                            state(e),
                            super::alerts::deadline(e),
                            legs_line(e),
                        ]
                    })
                    .collect();
                output.table(
                    &["RECEIVED", "TENANT", "PLAN VERSION", "STATE", "DEADLINE", "LEGS"],
                    &rows,
                );
                paused(wiring, output, self.tenant.as_deref()).await?;
                Ok(0)
            }
            Some(version) => {
                let execution = find(wiring, version, self.tenant.as_deref()).await?;
                one(wiring, &execution, output).await
            }
        }
    }
}

/// Pauses that explain why nothing moves.
async fn paused(wiring: &Wiring, output: &Output, tenant: Option<&str>) -> Result<(), Failure> {
    for pause in wiring.store.pauses().await? {
        if tenant.is_none_or(|t| t == pause.tenant_id) {
            output.line(output.bold(&format!("! {}", super::pause::line(&pause))));
        }
    }
    Ok(())
}

async fn one(wiring: &Wiring, execution: &ExecutionView, output: &Output) -> Result<u8, Failure> {
    let legs = wiring.store.legs(execution.id, 10_000).await?;
    let checks = wiring.store.gate_checks(execution.id).await?;
    let alerts = super::alerts::of(wiring, execution).await?;
    output.json(&json!({ "execution": execution, "legs": legs, "gate": checks, "alerts": alerts }));
    let people = wiring.store.people_of(execution.id).await?;
    output.line(format!(
        "{} of tenant {}",
        output.bold(&execution.plan_version),
        execution.tenant_id
    ));
    output.line(format!("  plan      {}", execution.plan_id));
    output.line(format!(
        "  approved  {} by {}",
        time(execution.approved_at),
        execution.approved_by
    ));
    output.line(output.tint(&format!("  state     {}", state(execution))));
    paused(wiring, output, Some(&execution.tenant_id)).await?;
    for (what, text) in super::alerts::lines(execution, &alerts) {
        output.line(format!("  {what:9} {text}"));
    }
    for person in people.iter().filter(|p| p.resolved_at.is_none()) {
        let leg = person
            .leg
            .as_deref()
            .map(|l| format!("{l}, "))
            .unwrap_or_default();
        output.line(format!(
            "  {}    {leg}{}: {}",
            output.bold("person"),
            person.kind,
            person.what_to_do
        ));
    }
    if execution.gate != "open" {
        let rows: Vec<Vec<String>> = checks
            .iter()
            .map(|c| {
                vec![
                    c.outcome.as_str().to_owned(),
                    c.check.clone(),
                    c.reason.clone(),
                    c.remedy.clone(),
                ]
            })
            .collect();
        output.line("");
        output.table(&["GATE", "CHECK", "FOUND", "WHAT TO DO"], &rows);
    }
    if !legs.is_empty() {
        output.line("");
        let rows: Vec<Vec<String>> = legs.iter().map(leg_row).collect();
        output.table(
            &[
                "STATE",
                "PLATFORM",
                "KEY",
                "CAMPAIGN ID",
                "TRACKING",
                "CALLS",
                "NOTE",
            ],
            &rows,
        );
    }
    Ok(0)
}

fn leg_row(leg: &LegView) -> Vec<String> {
    let manifest = leg.manifest.as_ref();
    let note = match (&leg.waiting, &leg.error) {
        _ if leg.hold.as_deref() == Some("held") => "switched off: the tenant is paused".to_owned(),
        (None, _) if leg.replaced_by.is_some() => replaced(leg),
        (Some(w), _) if w.waiting_for.is_some() => waits(leg, w),
        (Some(w), _) if w.last_error.is_some() => format!(
            "{} tried {}×, again in {:.0} s: {}",
            w.command,
            w.attempts,
            w.due_in_s,
            w.last_error.as_deref().unwrap_or_default()
        ),
        (_, Some(error)) if leg.state != "live" && leg.state != "scheduled" => {
            format!("{}; {}", error.message, error.remedy)
        }
        (_, _) => leg.review.as_ref().map_or_else(String::new, reviewed),
    };
    vec![
        leg.state.clone(),
        leg.platform.clone(),
        leg.logical_campaign_key.clone(),
        manifest.and_then(|m| m.campaign_id()).unwrap_or("-").to_owned(),
        manifest
            .and_then(|m| m.tracking_mode)
            .map_or("-", |m| m.as_str())
            .to_owned(),
        manifest.map_or(0, |m| m.mutation_count).to_string(),
        note,
    ]
}

/// The lineage: whose campaign has taken its place, or is to.
fn replaced(leg: &LegView) -> String {
    let by = leg.replaced_by.as_deref().unwrap_or_default();
    match leg.state.as_str() {
        "outgoing" => format!("on until the new campaign of {by} is"),
        _ => format!("was the campaign of {by}, which has a new one"),
    }
}

/// What a leg waits for that is not ours to hurry.
fn waits(leg: &LegView, waiting: &Waiting) -> String {
    let why = waiting.last_error.as_deref().unwrap_or_default();
    let since = waiting
        .waiting_since
        .map(|at| format!(", since {}", time(at)))
        .unwrap_or_default();
    match (waiting.waiting_for.as_deref(), &leg.review) {
        (Some("review"), Some(review)) => format!(
            "{}; looked at again in {:.0} s",
            reviewed(review),
            waiting.due_in_s
        ),
        (Some("asset"), _) => format!("waits for a person{since}: {why}"),
        (_, _) => format!("waits{since}: {why}"),
    }
}

/// The review's own clock.
fn reviewed(review: &Review) -> String {
    let minutes = review.waited_s / 60;
    match review.since {
        Some(since) => format!(
            "in the platform's review for {minutes} min, since {}",
            time(since)
        ),
        None => format!("the platform's review took {minutes} min of the time"),
    }
}
/// Places where a person must act.
#[derive(Args)]
pub struct Touchpoints {
    /// Only this tenant
    #[arg(long)]
    tenant: Option<String>,
    /// Also those that are resolved
    #[arg(long)]
    all: bool,
}

impl Touchpoints {
    /// Prints them.
    pub async fn run(self, wiring: &Wiring, output: &Output) -> Result<u8, Failure> {
        let all = wiring.store.touchpoints(self.tenant.as_deref(), self.all).await?;
        output.json(&all);
        if all.is_empty() {
            output.line("nobody is needed");
            return Ok(0);
        }
        let rows: Vec<Vec<String>> = all
            .iter()
            .map(|t| {
                let state = t.resolution.clone().unwrap_or_else(|| "open".to_owned());
                vec![
                    time(t.opened_at),
                    state,
                    t.tenant_id.clone(),
                    t.plan_version.clone(),
                    t.platform
                        .as_ref()
                        .zip(t.logical_campaign_key.as_ref())
                        .map_or_else(|| "-".to_owned(), |(platform, key)| format!("{platform}/{key}")),
                    t.kind.clone(),
                    t.what_to_do.clone(),
                ]
            })
            .collect();
        output.table(
            &[
                "SINCE",
                "STATE",
                "TENANT",
                "PLAN VERSION",
                "LEG",
                "KIND",
                "WHAT TO DO",
            ],
            &rows,
        );
        Ok(0)
    }
}
