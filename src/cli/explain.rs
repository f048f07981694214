//! `explain`: the whole story of a plan version, from the audit log, the messages, the touchpoints and the pauses.
//!
//! Must be readable by someone who knows nothing of the code, and must not tell what was not written down.

use super::output::Output;
use super::{Failure, find};
use crate::store::audit::Entry;
use crate::store::story::{Message, Pause, Person};
use crate::wiring::Wiring;
use chrono::{DateTime, Utc};
use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};

/// The whole story.
#[derive(Args)]
pub struct Explain {
    /// The plan version
    plan_version: String,
    /// The tenant, where several have this version
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,
}

/// Something that happened.
#[derive(Debug, Clone, Serialize)]
struct Line {
    at: DateTime<Utc>,
    who: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    leg: Option<String>,
    what: String,
    /// The audit entry, where it comes from one.
    #[serde(skip_serializing_if = "Option::is_none")]
    entry: Option<Entry>,
}

impl Explain {
    /// Tells it, oldest first.
    pub async fn run(self, wiring: &Wiring, output: &Output) -> Result<u8, Failure> {
        let execution = find(wiring, &self.plan_version, self.tenant.as_deref()).await?;
        let (store, tenant) = (&wiring.store, execution.tenant_id.as_str());
        let entries = store.audit_of(tenant, &execution.plan_version).await?;
        let messages = store
            .messages_of(
                &format!("{tenant}/{}", execution.plan_id),
                &execution.plan_version,
            )
            .await?;
        let people = store.people_of(execution.id).await?;
        let pauses = store.pauses_since(tenant, execution.received_at).await?;
        let mut lines: Vec<Line> = entries.into_iter().map(of_entry).collect();
        lines.extend(messages.iter().map(of_message));
        lines.extend(people.iter().flat_map(of_person));
        lines.extend(pauses.iter().flat_map(of_pause));
        lines.sort_by_key(|line| line.at);
        output.json(&json!({ "execution": execution, "story": lines }));
        output.line(format!(
            "{} of tenant {tenant}, plan {}, approved {} by {}",
            output.bold(&execution.plan_version),
            execution.plan_id,
            super::status::time(execution.approved_at),
            execution.approved_by
        ));
        output.line("");
        for line in &lines {
            let leg = line.leg.as_deref().map(|l| format!("{l}: ")).unwrap_or_default();
            output.line(format!(
                "{}  {leg}{}  {}",
                output.dim(&line.at.format("%Y-%m-%d %H:%M:%S%.3f").to_string()),
                line.what,
                output.dim(&format!("({})", line.who))
            ));
        }
        output.line("");
        output.line(format!(
            "now: {}, {}",
            super::status::state(&execution),
            super::status::legs_line(&execution)
        ));
        let alerts = super::alerts::of(wiring, &execution).await?;
        for (what, text) in super::alerts::lines(&execution, &alerts) {
            output.line(format!("{what}: {text}"));
        }
        for person in people.iter().filter(|p| p.resolved_at.is_none()) {
            output.line(format!(
                "waits for a person ({}): {}",
                person.kind, person.what_to_do
            ));
        }
        for leg in store.legs(execution.id, 10_000).await? {
            if let Some(waiting) = leg.waiting {
                let why = waiting
                    .last_error
                    .map(|e| format!(", because {e}"))
                    .unwrap_or_default();
                output.line(format!(
                    "waits: {}/{} for {} (again in {:.0} s{why})",
                    leg.platform, leg.logical_campaign_key, waiting.command, waiting.due_in_s
                ));
            }
        }
        Ok(0)
    }
}

fn of_entry(entry: Entry) -> Line {
    Line {
        at: entry.at.parse().unwrap_or_default(),
        who: entry.actor.clone(),
        leg: entry.leg.clone(),
        what: sentence(&entry),
        entry: Some(entry),
    }
}

fn of_message(message: &Message) -> Line {
    let text = |name: &str| message.data[name].as_str().unwrap_or_default();
    let leg = (!text("logical_campaign_key").is_empty())
        .then(|| format!("{}/{}", text("platform"), text("logical_campaign_key")));
    let what = match message.topic.strip_prefix("launch.") {
        Some(_) => format!(
            "asked the platform's worker: {} (command {})",
            text("kind"),
            message.data["attempt"]
        ),
        None => {
            let more = match message.topic.as_str() {
                "campaign.live" | "campaign.scheduled" => {
                    format!(", campaign {}", text("platform_campaign_id"))
                }
                "execution.touchpoint" => format!(", {} {}", text("kind"), text("state")),
                _ => String::new(),
            };
            format!("published {}{more}", message.topic)
        }
    };
    let late = if message.published {
        ""
    } else {
        ", not yet on Kafka"
    };
    Line {
        at: message.at,
        who: "service".to_owned(),
        leg,
        what: format!("{what}{late}"),
        entry: None,
    }
}

fn of_person(person: &Person) -> Vec<Line> {
    let line = |at, who: &str, what| Line {
        at,
        who: who.to_owned(),
        leg: person.leg.clone(),
        what,
        entry: None,
    };
    let mut lines = Vec::new();
    if !person.what_to_do.is_empty() {
        lines.push(line(
            person.opened_at,
            "service",
            format!("a person is needed ({}): {}", person.kind, person.what_to_do),
        ));
        if let Some(at) = person.resolved_at {
            let who = person.resolved_by.as_deref().unwrap_or("service");
            let how = person.resolution.as_deref().unwrap_or("done");
            lines.push(line(
                at,
                who,
                format!("nobody is needed any more ({}): {how}", person.kind),
            ));
        }
    }
    lines
}

fn of_pause(pause: &Pause) -> Vec<Line> {
    let line = |at, who: &str, what| Line {
        at,
        who: who.to_owned(),
        leg: None,
        what,
        entry: None,
    };
    let mut lines = vec![line(
        pause.at,
        &pause.by,
        format!("the tenant was paused: {}", pause.reason),
    )];
    if let (Some(at), Some(by)) = (pause.lifted_at, &pause.lifted_by) {
        let why = pause.lifted_reason.as_deref().unwrap_or_default();
        lines.push(line(at, by, format!("the pause of the tenant was lifted: {why}")));
    }
    lines
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
        "plan.seen_again" => "the same plan came again; nothing to do, as far as it is recorded".to_owned(),
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
        "outcome.resolved" => format!(
            "the unknown outcome was looked up: {} of {} found{}",
            entry.detail["found"].as_array().map_or(0, Vec::len),
            entry.detail["looked_for"].as_array().map_or(0, Vec::len),
            match entry.detail["surplus"].as_array().map_or(0, Vec::len) {
                0 => ", so nothing is made twice".to_owned(),
                n => format!(", {n} too many, which are removed"),
            }
        ),
        "leg.moved" => match entry.detail.get("refused") {
            Some(why) => format!("a report was refused: {why}"),
            None => format!("{} → {}{}", text("/from"), text("/to"), because(entry)),
        },
        "leg.replaced" => format!(
            "what would change cannot be changed where it stands: {} is built in place of {}, {}",
            text("/new_campaign"),
            text("/old_campaign"),
            if text("/old_state") == "outgoing" {
                format!("which stays on until then (as {})", text("/old_leg"))
            } else {
                format!("of which nothing is on (kept as {})", text("/old_leg"))
            }
        ),
        "leg.held" => match list(entry, "/objects").as_str() {
            "" => "the tenant is paused: nothing of it was on".to_owned(),
            objects => format!("the tenant is paused: switched {objects} off"),
        },
        "leg.released" => match (text("/stays_off"), list(entry, "/objects").as_str()) {
            (why, _) if !why.is_empty() => format!("the pause is over, and it stays as it is: {why}"),
            (_, "") => "the pause is over; it was on again already".to_owned(),
            (_, objects) => format!("the pause is over: switched {objects} on again"),
        },
        "clock.warned" => "the deadline is near".to_owned(),
        "clock.breached" => format!("the deadline is broken; told: {}", told(entry)),
        "clock.escalated" => format!("the failure is escalated; told: {}", told(entry)),
        "alert.delivered" => format!("{} has the alert ({})", text("/receiver"), text("/route")),
        "alert.given_up" => format!(
            "the alert to {} is given up: {}",
            text("/receiver"),
            text("/error")
        ),
        "alert.resent" => format!(
            "the alert ({}) is sent again, to {}{}",
            text("/route"),
            text("/receiver"),
            reason(entry)
        ),
        "launch.approve" => format!("a person approved the launch{}", reason(entry)),
        "launch.reject" => format!("a person refused the launch{}", reason(entry)),
        "drift.checked" => checked(entry),
        "drift.mended" => format!("a person had made again what was gone{}", reason(entry)),
        "launch.approve_void" => format!("an approval changed nothing: {}", text("/because")),
        "launch.reject_void" => format!("a refusal changed nothing: {}", text("/because")),
        action if action.starts_with("control.") => {
            let verb = action.trim_start_matches("control.");
            format!("{verb} was asked for{}", reason(entry))
        }
        "undo.kept_paused" => "it stays paused: only what never spent is removed".to_owned(),
        action => format!("{}{}", action.replace(['.', '_'], " "), reason(entry)),
    }
}

/// Whom a step of a clock told.
fn told(entry: &Entry) -> String {
    let all = entry.detail["told"].as_array();
    let one = |told: &Value| {
        let route = told["route"].as_str().unwrap_or_default();
        match told["receiver"].as_str() {
            Some(receiver) => format!("{receiver} ({route})"),
            None => format!("{route}, by event alone"),
        }
    };
    let told: Vec<String> = all.into_iter().flatten().map(one).collect();
    told.join(", ")
}

/// What a comparison with the platforms found.
fn checked(entry: &Entry) -> String {
    let (differing, silent) = (list(entry, "/differences"), list(entry, "/not_seen"));
    match (differing.as_str(), silent.as_str()) {
        ("", "") => "compared with the platforms: they hold what was made".to_owned(),
        ("", silent) => format!("could not be compared with the platforms: {silent}"),
        (differing, _) => {
            format!("compared with the platforms, and somebody changed something there: {differing}")
        }
    }
}

fn reason(entry: &Entry) -> String {
    match entry.detail.get("reason").and_then(Value::as_str) {
        None | Some("") => String::new(),
        Some(reason) => format!(": {reason}"),
    }
}

fn list(entry: &Entry, pointer: &str) -> String {
    let objects = entry.detail.pointer(pointer).and_then(Value::as_array);
    let names: Vec<&str> = objects.into_iter().flatten().filter_map(Value::as_str).collect();
    names.join(", ")
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
        _ => op["what"].as_str().unwrap_or("changed the account").to_owned(),
    };
    let request = match entry
        .detail
        .pointer("/came_to/request_id")
        .and_then(Value::as_str)
    {
        None | Some("") => String::new(),
        Some(id) => format!(" [the platform's request {id}]"),
    };
    match entry.detail["outcome"].as_str().unwrap_or_default() {
        "done" => format!("{what}{request}"),
        // `void`: the same values are simply sent again.
        "unknown" | "void" => format!(
            "no answer came, so it may have been done or not ({what}): {}",
            entry
                .detail
                .pointer("/came_to/why")
                .and_then(Value::as_str)
                .unwrap_or_default()
        ),
        "not_sent" => format!(
            "not now ({what}): {}",
            entry
                .detail
                .pointer("/came_to/why")
                .and_then(Value::as_str)
                .unwrap_or_default()
        ),
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
