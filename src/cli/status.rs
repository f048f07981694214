//! `status`, `explain`, `touchpoints`: what is going on, and the whole story.

use super::output::Output;
use super::{Failure, find};
use crate::domain::saga::LegState;
use crate::store::audit::Entry;
use crate::store::views::{ExecutionView, LegView, Review, Waiting};
use crate::wiring::Wiring;
use chrono::{DateTime, SecondsFormat, Utc};
use clap::Args;
use serde_json::{Value, json};

/// What is going on.
#[derive(Args)]
pub struct Status {
    /// One plan version, with its legs
    plan_version: Option<String>,
    /// Only this tenant
    #[arg(long)]
    tenant: Option<String>,
    /// How many executions at the most
    #[arg(long, default_value_t = 50)]
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

fn state(execution: &ExecutionView) -> String {
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
                            legs_line(e),
                        ]
                    })
                    .collect();
                output.table(&["RECEIVED", "TENANT", "PLAN VERSION", "STATE", "LEGS"], &rows);
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
    output.json(&json!({ "execution": execution, "legs": legs, "gate": checks }));
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
    output.line(output.tint(&format!("  state     {} ", state(execution))));
    paused(wiring, output, Some(&execution.tenant_id)).await?;
    if execution.settled.is_none() {
        output.line(format!("  deadline  {}", time(execution.deadline_at)));
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

/// The whole story.
#[derive(Args)]
pub struct Explain {
    /// The plan version
    plan_version: String,
    /// The tenant, where several have this version
    #[arg(long)]
    tenant: Option<String>,
}

impl Explain {
    /// Tells it, oldest first.
    pub async fn run(self, wiring: &Wiring, output: &Output) -> Result<u8, Failure> {
        let execution = find(wiring, &self.plan_version, self.tenant.as_deref()).await?;
        let entries = wiring
            .store
            .audit_of(&execution.tenant_id, &execution.plan_version)
            .await?;
        output.json(&entries);
        for entry in &entries {
            let at = entry.at.get(..23).unwrap_or(&entry.at).replace('T', " ");
            let leg = entry.leg.as_deref().map(|l| format!("{l}: ")).unwrap_or_default();
            output.line(format!(
                "{}  {leg}{}  {}",
                output.dim(&at),
                sentence(entry),
                output.dim(&format!("({})", entry.actor))
            ));
        }
        output.line(format!("now: {}, {}", state(&execution), legs_line(&execution)));
        Ok(0)
    }
}

/// An audit entry as a person would say it.
#[must_use]
pub fn sentence(entry: &Entry) -> String {
    let text = |pointer: &str| {
        entry
            .detail
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    match entry.action.as_str() {
        "plan.accepted" => format!("the approved plan {} came in", text("/plan_id")),
        "plan.seen_again" => "the same plan came again; nothing to do".to_owned(),
        "plan.amended" => {
            "an amended payload came; it replaces the earlier one when it has passed the gate".to_owned()
        }
        "plan.amendment_refused" => {
            "an amended payload came and changes nothing: rolled back, superseded, or refused by a person"
                .to_owned()
        }
        "plan.older_refused" => "an older payload came; it must not revert the newer one".to_owned(),
        "gate.open" => format!(
            "the gate opened: {} checks passed",
            entry.detail["checks"].as_array().map_or(0, Vec::len)
        ),
        "gate.blocked" | "gate.pending" => {
            let failed: Vec<String> = entry.detail["checks"]
                .as_array()
                .into_iter()
                .flatten()
                .filter(|c| c["outcome"] != "pass")
                .map(|c| c["reason"].as_str().unwrap_or_default().to_owned())
                .collect();
            format!("the gate stays closed: {}", failed.join("; "))
        }
        "mutation" => mutation(entry),
        "tracking.verified" => format!(
            "tracking verified on what the platform holds ({})",
            text("/tracking_mode")
        ),
        "tracking.refused" => "tracking is not as it must be; nothing is switched on".to_owned(),
        "assets.at_hand" => format!(
            "its assets are in the account: {}",
            assets(&entry.detail["assets"])
        ),
        "assets.looked_up" => "the asset library was asked again; what it says now is used".to_owned(),
        "asset.not_fetched" => format!("an asset's content was not fetched: {}", text("/why")),
        "asset.refused" => format!(
            "the platform refused {}: {}",
            text("/asset"),
            text("/error/message")
        ),
        "outcome.resolved" => format!(
            "an unknown outcome was looked up: {} found",
            entry.detail["found"].as_array().map_or(0, Vec::len)
        ),
        "leg.moved" => match entry.detail.get("refused") {
            Some(why) => format!("a report was refused: {why}"),
            None => format!("{} → {}{}", text("/from"), text("/to"), because(entry)),
        },
        "undo.kept_paused" => "it stays paused: only what never spent is removed".to_owned(),
        action => {
            let reason = text("/reason");
            let because = if reason.is_empty() {
                String::new()
            } else {
                format!(": {reason}")
            };
            format!("{}{because}", action.replace(['.', '_'], " "))
        }
    }
}

/// `asset-1 is image_hash 0123…, asset-2 is …`.
fn assets(told: &Value) -> String {
    let one = |(id, refs): (&String, &Value)| {
        let refs: Vec<String> = refs
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, value)| format!("{name} {}", value.as_str().unwrap_or_default()))
            .collect();
        format!("{id} is {}", refs.join(" and "))
    };
    let all: Vec<String> = told.as_object().into_iter().flatten().map(one).collect();
    all.join(", ")
}

fn because(entry: &Entry) -> String {
    let message = entry.detail.pointer("/error/message").and_then(Value::as_str);
    message.map(|m| format!(", because {m}")).unwrap_or_default()
}

fn mutation(entry: &Entry) -> String {
    let op = &entry.detail["op"];
    let objects = entry.detail["objects"].as_array().map_or(0, Vec::len);
    let first = entry
        .detail
        .pointer("/objects/0")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let things = match objects {
        0 => "the account".to_owned(),
        1 => first.to_owned(),
        n => format!("{first} and {} more", n - 1),
    };
    let what = match op["op"].as_str().unwrap_or_default() {
        "create" => format!("created {things}, paused"),
        "update" => format!("changed {things}"),
        "serve" => format!(
            "switched {things} {}",
            if op["serving"] == "active" { "on" } else { "off" }
        ),
        "remove" => format!("removed {things}"),
        "upload" => format!(
            "uploaded {things} ({} bytes)",
            entry.detail.pointer("/body/bytes").unwrap_or(&Value::Null)
        ),
        _ => op["what"].as_str().unwrap_or("changed the account").to_owned(),
    };
    match entry.detail["outcome"].as_str().unwrap_or_default() {
        "done" => what,
        "refused" => format!(
            "the platform refused ({what}): {}",
            entry
                .detail
                .pointer("/came_to/error/message")
                .and_then(Value::as_str)
                .unwrap_or_default()
        ),
        other => format!(
            "{other} ({what}): {}",
            entry
                .detail
                .pointer("/came_to/why")
                .and_then(Value::as_str)
                .unwrap_or_default()
        ),
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
