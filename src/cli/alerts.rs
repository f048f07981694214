//! `alerts`, and how deadlines, waiting, trouble and alerts are told by `status` and `explain`.
//!
//! Must not decide anything, nor show where an alert goes: only the receiver's name.

use super::output::Output;
use super::resend::Resend;
use super::status::time;
use super::{Failure, help};
use crate::store::alerts::{AlertView, Which};
use crate::store::views::ExecutionView;
use crate::wiring::Wiring;
use clap::{Args, Subcommand};

/// Who was told of what, and who could not be.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Alerts {
    #[command(subcommand)]
    command: Option<Command>,
    /// Only this tenant
    #[arg(long)]
    tenant: Option<String>,
    /// Also those that were delivered
    #[arg(long)]
    all: bool,
}

/// What to do about them.
#[derive(Subcommand)]
enum Command {
    /// Send alerts again that were given up, or had nowhere to go
    #[command(after_help = help::ALERTS_RESEND)]
    Resend(Resend),
}

impl Alerts {
    /// Prints them, or does what is asked.
    pub async fn run(self, wiring: &Wiring, output: &Output) -> Result<u8, Failure> {
        if let Some(Command::Resend(resend)) = self.command {
            return resend.run(wiring, output).await;
        }
        let which = Which {
            tenant: self.tenant.as_deref(),
            execution_id: None,
            delivered_too: self.all,
        };
        let all = wiring.store.alerts(which).await?;
        output.json(&all);
        if all.is_empty() {
            output.line(if self.all {
                "nobody had to be told anything"
            } else {
                "no alert waits, was given up, or had nowhere to go"
            });
            return Ok(0);
        }
        table(output, &all);
        if all.iter().any(|a| a.state == "given_up") {
            output.line("");
            output.line("What was given up is sent again by `campaign-execution alerts resend ALERT`.");
        }
        Ok(0)
    }
}

/// As much of an alert's id as tells it from others.
#[must_use]
pub fn short(id: &str) -> &str {
    id.split('-').next().unwrap_or(id)
}

/// Alerts under headings.
pub fn table(output: &Output, alerts: &[AlertView]) {
    let row = |a: &AlertView| {
        vec![
            short(&a.id).to_owned(),
            time(a.created_at),
            a.state.replace('_', " "),
            a.tenant_id.clone(),
            a.plan_version.clone(),
            a.reason.replace('_', " "),
            a.route.clone(),
            a.receiver.clone().unwrap_or_else(|| "-".to_owned()),
            a.attempts.to_string(),
            note(a),
        ]
    };
    let rows: Vec<Vec<String>> = alerts.iter().map(row).collect();
    let headings = [
        "ALERT",
        "SINCE",
        "STATE",
        "TENANT",
        "PLAN VERSION",
        "REASON",
        "ROUTE",
        "RECEIVER",
        "TRIED",
        "NOTE",
    ];
    output.table(&headings, &rows);
}

fn note(alert: &AlertView) -> String {
    let why = alert.last_error.as_deref().unwrap_or_default();
    match (alert.state.as_str(), alert.due_in_s) {
        ("waiting", Some(due)) if why.is_empty() => format!("goes out in {due:.0} s"),
        ("waiting", Some(due)) => format!("again in {due:.0} s: {why}"),
        ("no_webhook", _) => format!(
            "only the event tells of it: no receiver is configured for the route {}",
            alert.route
        ),
        ("given_up", _) => why.to_owned(),
        _ => alert.done_at.map(time).unwrap_or_default(),
    }
}

/// `3 h 50 min`, `12 min`, `40 s`.
fn span(seconds: i64) -> String {
    let (hours, minutes) = (seconds / 3600, seconds % 3600 / 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds} s"),
        (0, m) => format!("{m} min"),
        (h, 0) => format!("{h} h"),
        (h, m) => format!("{h} h {m} min"),
    }
}

/// A deadline in a few words, for a table.
#[must_use]
pub fn deadline(execution: &ExecutionView) -> String {
    let deadline = &execution.deadline;
    let left = deadline.limit_s - deadline.worked_s;
    let waits = if deadline.waiting { ", waits" } else { "" };
    match (deadline.state, deadline.running) {
        ("breached", true) => format!("broken {} ago{waits}", span(-left)),
        ("breached", false) => "broken".to_owned(),
        ("warned", _) => format!("near: in {}{waits}", span(left)),
        ("running", _) => format!("in {}{waits}", span(left)),
        ("met", _) => "met".to_owned(),
        _ => "-".to_owned(),
    }
}

/// Deadline, waiting, trouble and alerts, a line each: what it is about, and how it stands.
#[must_use]
pub fn lines(execution: &ExecutionView, alerts: &[AlertView]) -> Vec<(&'static str, String)> {
    let deadline = &execution.deadline;
    let mut lines = vec![(
        "deadline",
        format!(
            "{} ({}; {} of {} of working time)",
            time(execution.deadline_at),
            match self::deadline(execution).as_str() {
                "-" => "it does not matter any more".to_owned(),
                words => words.to_owned(),
            },
            span(deadline.worked_s),
            span(deadline.limit_s)
        ),
    )];
    let waited = deadline.waited;
    if waited.total_s > 0 {
        let parts: Vec<String> = [
            ("for people", waited.people_s),
            ("for a platform's review", waited.review_s),
            ("under the kill switch", waited.paused_s),
        ]
        .iter()
        .filter(|(_, seconds)| *seconds > 0)
        .map(|(what, seconds)| format!("{} {what}", span(*seconds)))
        .collect();
        lines.push((
            "waited",
            format!("{}, not counted: {}", span(waited.total_s), parts.join(", ")),
        ));
    }
    if let Some(trouble) = &execution.trouble {
        let since = time(trouble.since);
        lines.push((
            "trouble",
            match (trouble.escalated_at, trouble.escalates_at) {
                (Some(at), _) => format!("since {since}, escalated {}", time(at)),
                (None, Some(at)) => {
                    format!("since {since}; escalated {} unless it is mended", time(at))
                }
                (None, None) => format!("since {since}"),
            },
        ));
    }
    for alert in alerts {
        let to = alert.receiver.as_deref().unwrap_or("nobody");
        lines.push((
            "alert",
            format!(
                "{} to {to} ({}), {}: {}",
                alert.reason.replace('_', " "),
                alert.route,
                alert.state.replace('_', " "),
                note(alert)
            ),
        ));
    }
    lines
}

/// The alerts of one execution, the oldest first.
pub async fn of(wiring: &Wiring, execution: &ExecutionView) -> Result<Vec<AlertView>, Failure> {
    let which = Which {
        tenant: None,
        execution_id: Some(execution.id),
        delivered_too: true,
    };
    let mut alerts = wiring.store.alerts(which).await?;
    alerts.reverse();
    Ok(alerts)
}

#[cfg(test)]
mod tests {
    #[test]
    fn spans_are_told_in_the_words_of_people() {
        for (seconds, words) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3599, "59 min"),
            (3600, "1 h"),
            (13_800, "3 h 50 min"),
        ] {
            assert_eq!(super::span(seconds), words);
        }
    }
}
