//! `alerts resend`: an alert that was given up, or had nowhere to go, is sent again.
//!
//! Must not decide to whom: the route does, as the configuration and the tenant's `alerts` are now.

use super::output::Output;
use super::{Failure, alerts, ask, user};
use crate::store::alerts::{AlertView, Which};
use crate::store::resend::{Resend as Again, Word};
use crate::wiring::Wiring;
use clap::Args;
use serde_json::json;
use std::collections::HashMap;

/// Fewer characters of an id than this could be anything.
const SHORTEST: usize = 4;

/// Which, and the word that it is meant.
#[derive(Args)]
pub struct Resend {
    /// The alerts, by the ids that `alerts` lists; their first characters do
    #[arg(value_name = "ALERT", required_unless_present = "all")]
    alerts: Vec<String>,
    /// All that were given up or had nowhere to go
    #[arg(long, conflicts_with = "alerts")]
    all: bool,
    /// With --all: only this tenant's
    #[arg(long, requires = "all")]
    tenant: Option<String>,
    /// With --all: only those of this route
    #[arg(long, requires = "all")]
    route: Option<String>,
    /// Why; recorded in the audit log
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Don't ask
    #[arg(long, short)]
    yes: bool,
}

impl Resend {
    /// Shows, asks, has them sent.
    pub async fn run(self, wiring: &Wiring, output: &Output) -> Result<u8, Failure> {
        let chosen = self.chosen(wiring).await?;
        let (to_send, nowhere) = addressed(wiring, chosen).await?;
        if to_send.is_empty() {
            return match nowhere.first() {
                None => {
                    output.json(&json!({ "resent": [], "nowhere": [] }));
                    output.line("Nothing to send: no alert was given up or had nowhere to go.");
                    Ok(0)
                }
                Some(alert) => Err(no_receiver(alert)),
            };
        }
        let shown: Vec<AlertView> = to_send.iter().map(|(alert, _)| alert.clone()).collect();
        alerts::table(output, &shown);
        output.line("");
        for alert in &nowhere {
            let (id, route) = (alerts::short(&alert.id), &alert.route);
            output.line(format!(
                "{id} has nowhere to go yet: the route {route} has no receiver"
            ));
        }
        for (alert, receiver) in &to_send {
            if alert.receiver.as_deref() != Some(receiver.as_str()) {
                let (id, route) = (alerts::short(&alert.id), &alert.route);
                output.line(format!(
                    "{id} goes to {receiver}, where the route {route} leads now"
                ));
            }
        }
        let question = match to_send.as_slice() {
            [(_, receiver)] => format!("Send it to {receiver} again?"),
            many => format!("Send these {} alerts again?", many.len()),
        };
        ask::confirm(self.yes, &question)?;
        let wanted: Vec<Again> = to_send
            .into_iter()
            .map(|(alert, receiver)| Again {
                id: alert.id,
                receiver,
            })
            .collect();
        let word = Word {
            by: format!("cli:{}", user()),
            reason: self.reason.unwrap_or_default(),
            now: wiring.clock.stamp(),
        };
        let resent = wiring.store.resend(&wanted, &word).await?;
        let nowhere: Vec<&str> = nowhere.iter().map(|a| a.id.as_str()).collect();
        output.json(&json!({ "resent": resent, "nowhere": nowhere }));
        output.line(match (resent.len(), wanted.len() - resent.len()) {
            (0, _) => "Nothing to do: on their way already.".to_owned(),
            (sent, 0) => format!(
                "{} at once; `campaign-execution alerts` shows what comes of it.",
                go(sent)
            ),
            (sent, left) => format!("{} at once; {left} on their way already.", go(sent)),
        });
        Ok(0)
    }

    /// What is meant, as it stands.
    async fn chosen(&self, wiring: &Wiring) -> Result<Vec<AlertView>, Failure> {
        if self.all {
            let which = Which {
                tenant: self.tenant.as_deref(),
                ..Which::default()
            };
            let mut all = wiring.store.alerts(which).await?;
            all.retain(|a| a.state != "waiting" && self.route.as_ref().is_none_or(|r| a.route == *r));
            return Ok(all);
        }
        let mut chosen: Vec<AlertView> = Vec::new();
        for wanted in &self.alerts {
            let alert = named(wiring, wanted).await?;
            if alert.state == "delivered" {
                let (id, to) = (alerts::short(&alert.id), alert.receiver.as_deref().unwrap_or("-"));
                let at = alert.done_at.map(super::status::time).unwrap_or_default();
                return Err(Failure::refused(format!("alert {id} was delivered to {to} {at}"))
                    .hint("a receiver drops what comes twice under one webhook-id"));
            }
            if chosen.iter().all(|a| a.id != alert.id) {
                chosen.push(alert);
            }
        }
        Ok(chosen)
    }
}

fn go(count: usize) -> String {
    if count == 1 {
        "It is sent".to_owned()
    } else {
        format!("{count} are sent")
    }
}

/// The one alert whose id begins so.
async fn named(wiring: &Wiring, wanted: &str) -> Result<AlertView, Failure> {
    if wanted.len() < SHORTEST {
        return Err(Failure::invalid(format!(
            "{wanted} is too short for an alert's id: at least {SHORTEST} characters"
        )));
    }
    let mut found = wiring.store.alerts_named(wanted).await?;
    match found.len() {
        0 => Err(Failure::not_found(format!("there is no alert {wanted}"))
            .hint("`campaign-execution alerts --all` lists those there are")),
        1 => Ok(found.remove(0)),
        _ => Err(Failure::invalid(format!(
            "several alerts begin with {wanted}: {}",
            found.iter().map(|a| a.id.as_str()).collect::<Vec<_>>().join(", ")
        ))),
    }
}

/// Alerts with their receivers as their routes lead now, and those that have none.
async fn addressed(
    wiring: &Wiring,
    chosen: Vec<AlertView>,
) -> Result<(Vec<(AlertView, String)>, Vec<AlertView>), Failure> {
    let receivers = wiring.receivers();
    let mut tenants = HashMap::new();
    let (mut to_send, mut nowhere) = (Vec::new(), Vec::new());
    for alert in chosen {
        if !tenants.contains_key(&alert.tenant_id) {
            let tenant = wiring.store.tenant(&alert.tenant_id).await?;
            tenants.insert(alert.tenant_id.clone(), tenant);
        }
        let tenant = tenants.get(&alert.tenant_id).and_then(Option::as_ref);
        match receivers.of(&alert.route, tenant).map(str::to_owned) {
            Some(receiver) => to_send.push((alert, receiver)),
            None => nowhere.push(alert),
        }
    }
    Ok((to_send, nowhere))
}

fn no_receiver(alert: &AlertView) -> Failure {
    Failure::refused(format!(
        "the route {} of tenant {} has no receiver",
        alert.route, alert.tenant_id
    ))
    .hint(format!(
        "set alerts.{}.webhook_url in the configuration; `campaign-execution doctor` checks it",
        alert.route
    ))
}
