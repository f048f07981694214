//! `/metrics`: Prometheus text (https://prometheus.io/docs/instrumenting/exposition_formats/), read from the database when asked.
//!
//! Must not put an id into a label: tenants and plans are in `status`, not here.

use super::{Refused, Shared};
use crate::domain::clock::{AGENCY_MASTER, CLIENT};
use crate::domain::hold::Hold;
use crate::domain::touchpoint::Kind;
use crate::platform;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use std::fmt::Write;

/// A family with one label: its name, kind, help, label, and the values that are shown even when there are none.
struct Family {
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    label: Option<&'static str>,
    known: Vec<String>,
}

fn family(
    name: &'static str,
    help: &'static str,
    label: Option<&'static str>,
    known: impl IntoIterator<Item = impl ToString>,
) -> Family {
    Family {
        name,
        kind: if name.ends_with("_total") {
            "counter"
        } else {
            "gauge"
        },
        help,
        label,
        known: known.into_iter().map(|k| k.to_string()).collect(),
    }
}

/// What the store counts, and how it is shown.
fn families() -> Vec<Family> {
    vec![
        family(
            "commands_queued",
            "Commands that are not finished.",
            Some("platform"),
            platform::all().iter().map(|p| p.name()),
        ),
        family(
            "executions_waiting",
            "Executions whose gate is not open.",
            Some("gate"),
            ["pending", "blocked"],
        ),
        family(
            "touchpoints_open",
            "Places where a person must act.",
            Some("kind"),
            Kind::ALL.iter().map(|k| k.as_str()),
        ),
        family("tenants_paused", "Tenants under the kill switch.", None, [""]),
        family(
            "legs_switched",
            "Legs under the kill switch.",
            Some("hold"),
            Hold::ALL.iter().map(|h| h.as_str()),
        ),
    ]
    .into_iter()
    .chain(clocks())
    .collect()
}

/// What the store counts of deadlines and alerts.
fn clocks() -> Vec<Family> {
    let routes = || [CLIENT, AGENCY_MASTER];
    vec![
        family(
            "deadlines_running",
            "Executions that are not live or scheduled yet, by what their deadline does next.",
            Some("next"),
            ["warn", "breach"],
        ),
        family(
            "deadline_warnings_total",
            "Executions that came near their deadline.",
            None,
            [""],
        ),
        family(
            "deadline_breaches_total",
            "Executions that were not live or scheduled in time.",
            None,
            [""],
        ),
        family(
            "escalations_due",
            "Failures that are escalated soon unless they are mended.",
            None,
            [""],
        ),
        family(
            "escalations_total",
            "Failures that were escalated.",
            Some("route"),
            routes(),
        ),
        family(
            "escalation_seconds_total",
            "Seconds from failures to their escalations, summed.",
            None,
            [""],
        ),
        family(
            "alerts_waiting",
            "Alerts that were not delivered yet.",
            Some("route"),
            routes(),
        ),
        family(
            "alert_oldest_seconds",
            "How long the oldest of them has waited.",
            None,
            [""],
        ),
        family(
            "alerts_delivered_total",
            "Alerts that a receiver took.",
            Some("route"),
            routes(),
        ),
        family(
            "alerts_late_total",
            "Of these, those that came later than promised.",
            Some("route"),
            routes(),
        ),
        family(
            "alerts_given_up_total",
            "Alerts that no receiver took in days.",
            Some("route"),
            routes(),
        ),
        family(
            "alert_delivery_seconds_total",
            "Seconds from alerts to their delivery, summed.",
            None,
            [""],
        ),
        family(
            "alert_attempts_failed_total",
            "Attempts to deliver an alert that failed.",
            None,
            [""],
        ),
    ]
}

/// Answers.
pub(super) async fn answer(State(shared): State<Shared>) -> Result<Response, Refused> {
    let store = &shared.wiring.store;
    let (backlog, age) = store.outbox_backlog().await?;
    let mut counted = store.gauges().await?;
    counted.extend(store.clock_gauges().await?);
    let mut text = String::new();
    head(
        &mut text,
        "outbox_unpublished",
        "gauge",
        "Messages that wait to be published.",
    );
    let _ = writeln!(text, "campaign_execution_outbox_unpublished {backlog}");
    head(
        &mut text,
        "outbox_oldest_seconds",
        "gauge",
        "How long the oldest of them has waited.",
    );
    let _ = writeln!(text, "campaign_execution_outbox_oldest_seconds {age:.3}");
    for family in families() {
        head(&mut text, family.name, family.kind, family.help);
        let mut values = family.known;
        values.extend(counted.iter().filter(|c| c.0 == family.name).map(|c| c.1.clone()));
        values.sort();
        values.dedup();
        for value in values {
            let count = counted
                .iter()
                .find(|c| c.0 == family.name && c.1 == value)
                .map_or(0, |c| c.2);
            let labels = family
                .label
                .map(|label| format!("{{{label}=\"{}\"}}", escaped(&value)))
                .unwrap_or_default();
            let _ = writeln!(text, "campaign_execution_{}{labels} {count}", family.name);
        }
    }
    Ok((
        [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        text,
    )
        .into_response())
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(
        text,
        "# HELP campaign_execution_{name} {help}\n# TYPE campaign_execution_{name} {kind}"
    );
}

fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_says_what_it_is_and_none_comes_twice() {
        let mut names: Vec<&str> = families().iter().map(|f| f.name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(families().iter().all(|f| f.help.ends_with('.')));
    }

    #[test]
    fn a_label_cannot_end_its_own_quotes() {
        assert_eq!(escaped("a\"b\\c\nd"), "a\\\"b\\\\c\\nd");
    }
}
