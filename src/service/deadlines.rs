//! Deadlines that are due: warned of, broken, failures escalated; each step once, whichever instance takes it.
//!
//! A look each half second reads one page of an index while nothing is due, however many deadlines there are. Must not call
//! anybody: an alert is a row that `alerts` sends.

use super::alerts::Receivers;
use super::compose::{leg_out, message};
use super::poke::Pokes;
use crate::clock::SharedClock;
use crate::domain::clock::{self, Limits, Reason};
use crate::domain::saga::LegState;
use crate::store::alerts::NewAlert;
use crate::store::clocks::{Escalate, Escalation, Fired, Told};
use crate::store::{Store, StoreError};
use crate::wire::event_id;
use crate::wire::events::{CheckOut, Escalated, LegOut, WaitedOut};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::json;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often it looks.
const TICK: Duration = Duration::from_millis(500);
/// Steps carried out before it looks whether to stop.
const BATCH: i64 = 64;
/// How long a clock that cannot be read is left alone, seconds.
const PUT_OFF_S: i64 = 300;
/// A webhook names so many legs at the most; the event has all of them.
const LEGS: usize = 100;
const TOPIC: &str = "execution.escalated";

/// The deadlines.
pub struct Deadlines {
    /// The truth.
    pub store: Store,
    /// For the audit log.
    pub clock: SharedClock,
    /// Whom it rings.
    pub pokes: Pokes,
    /// Whom it tells.
    pub teller: Teller,
    /// What was promised.
    pub limits: Limits,
}

impl Deadlines {
    /// Looks until stopped.
    pub async fn run(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            match self.step().await {
                Ok(steps) if steps > 0 => continue,
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(error = %error, "couldn't look at the deadlines; trying again");
                }
            }
            tokio::select! {
                () = tokio::time::sleep(TICK) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Carries out what is due; how many steps that were.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] and the like, when nothing can be done at all.
    pub async fn step(&self) -> Result<usize, StoreError> {
        let mut steps = 0;
        for due in self.store.due_clocks(BATCH).await? {
            let stamp = self.clock.stamp();
            match self.store.fire(&self.teller, due, self.limits, &stamp).await {
                Ok(Fired::NotOurs) => {}
                Ok(fired) => {
                    steps += 1;
                    self.say(&fired);
                }
                Err(error @ StoreError::Unavailable(_)) => return Err(error),
                Err(error) => {
                    tracing::error!(execution.id = due.execution_id, error = %error, "couldn't carry out a deadline's step; later again");
                    self.store.put_off_clock(due, PUT_OFF_S).await?;
                }
            }
        }
        Ok(steps)
    }

    fn say(&self, fired: &Fired) {
        match fired {
            Fired::NotOurs | Fired::Moved | Fired::Over => {}
            Fired::Warned(place) => tracing::warn!(
                tenant = place.tenant_id,
                plan_version = place.plan_version,
                "the deadline is near: {} s of {} are gone",
                self.limits.warn_s,
                self.limits.launch_s
            ),
            Fired::Escalated(place, reason, routes) => {
                let what = match reason {
                    Reason::DeadlineBreached => "the deadline is broken",
                    Reason::Failure => "a failure is escalated",
                };
                tracing::error!(
                    tenant = place.tenant_id,
                    plan_version = place.plan_version,
                    routes = routes.join(","),
                    "{what}"
                );
                self.pokes.relay.notify_one();
                self.pokes.alerts.notify_one();
            }
        }
    }
}

/// Spells what is told: one event and one webhook for each route.
#[derive(Clone)]
pub struct Teller {
    /// Who can be told.
    pub receivers: Receivers,
}

impl Escalate for Teller {
    fn escalate(&self, what: &Escalation) -> Vec<Told> {
        let errors = what.legs.iter().filter_map(|l| {
            let told = leg_out(l).error.is_some();
            l.error.as_ref().filter(|_| told)
        });
        clock::routes(errors, &what.checks)
            .into_iter()
            .map(|(route, alert_code)| self.tell(what, route, alert_code))
            .collect()
    }
}

impl Teller {
    fn tell(&self, what: &Escalation, route: String, alert_code: Option<String>) -> Told {
        let id = event_id(&[
            TOPIC,
            &what.tenant_id,
            &what.plan_version,
            what.reason.as_str(),
            &what.round.to_string(),
            &route,
        ]);
        let data = event(what, route, alert_code);
        let receiver = self
            .receivers
            .of(&data.route, what.tenant.as_ref())
            .map(str::to_owned);
        let trace = crate::telemetry::traceparent().or_else(|| what.traceparent.clone());
        Told {
            message: message(TOPIC, (&what.tenant_id, &what.plan_id), id.clone(), &data, trace),
            alert: NewAlert {
                body: body(&data),
                route: data.route,
                receiver,
                id,
            },
        }
    }
}

/// What one route is told: of failures, its own alone.
fn event(what: &Escalation, route: String, alert_code: Option<String>) -> Escalated {
    let legs: Vec<LegOut> = what
        .legs
        .iter()
        .map(|leg| {
            let mut leg = leg_out(leg);
            leg.error = leg.error.filter(|e| clock::route_of(e) == route);
            leg
        })
        .collect();
    Escalated {
        tenant_id: what.tenant_id.clone(),
        plan_id: what.plan_id.clone(),
        plan_version: what.plan_version.clone(),
        legs,
        since: stamp(what.since),
        alert_code,
        reason: Some(what.reason),
        deadline_at: (what.reason == Reason::DeadlineBreached).then(|| stamp(what.deadline_at)),
        waited: Some(WaitedOut {
            people_s: what.waited.people_s,
            review_s: what.waited.review_s,
            paused_s: what.waited.paused_s,
            total_s: what.waited.total_s,
        }),
        checks: what
            .checks
            .iter()
            .filter(|c| clock::route_of_check(c) == route)
            .map(CheckOut::from)
            .collect(),
        route,
    }
}

/// A webhook's payload as the specification recommends it: `type`, `timestamp`, `data`. Its legs are those that are not where they
/// should be, the first hundred of them.
fn body(event: &Escalated) -> String {
    let amiss = |leg: &&LegOut| {
        let done = matches!(
            leg.state,
            LegState::Scheduled
                | LegState::Live
                | LegState::Outgoing
                | LegState::Retired
                | LegState::Superseded
        );
        !done || leg.error.is_some()
    };
    let short = Escalated {
        legs: event.legs.iter().filter(amiss).take(LEGS).cloned().collect(),
        ..event.clone()
    };
    json!({ "type": format!("{TOPIC}.v1"), "timestamp": event.since, "data": short }).to_string()
}

fn stamp(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}
