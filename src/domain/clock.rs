//! Deadlines: how long an execution may take, when it is warned of, when it is broken, and when a failure is escalated.
//!
//! The launch clock counts working time: what was spent waiting for people, for a platform's review or under the kill switch is
//! taken off. The failure clock counts every second: a failure does not get better by waiting for somebody.
//!
//! Must not know the time: it is told what has passed.

use super::error::LegError;
use super::gate::{Check, Outcome as Verdict};
use super::manifest::spelled;
use super::saga::{Direction, LegState, Saga};
use super::tenant::Tenant;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Who is told what is nobody's in particular: the tenant's own receiver.
pub const CLIENT: &str = "client";
/// Who is told of a payer's trouble: the agency's billing, never the client's own.
pub const AGENCY_MASTER: &str = "agency_master";

/// How long things may take, seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From approval to live or scheduled.
    pub launch_s: i64,
    /// From approval to the warning.
    pub warn_s: i64,
    /// From a failure to its escalation.
    pub grace_s: i64,
    /// From a failure until somebody has heard of it: what was promised. The rest is for a receiver that does not answer at once.
    pub promise_s: i64,
}

/// What a clock waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// All of it is live or scheduled.
    Launch,
    /// A failure is mended.
    Failure,
}
spelled!(Kind {
    Launch = "launch",
    Failure = "failure",
});

/// What a clock does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Warn that the deadline is near.
    Warn,
    /// Say that the deadline is broken.
    Breach,
    /// Escalate a failure.
    Escalate,
    /// Nothing: it has said all it had to.
    Done,
}
spelled!(Step {
    Warn = "warn",
    Breach = "breach",
    Escalate = "escalate",
    Done = "done",
});

/// Why people are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It was not live or scheduled in time.
    DeadlineBreached,
    /// A failure that nobody mended.
    Failure,
}
spelled!(Reason {
    DeadlineBreached = "deadline_breached",
    Failure = "failure",
});

/// A clock whose next step may be due.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// Its next step.
    pub step: Step,
    /// Seconds from its start to the breach, or the escalation.
    pub limit_s: f64,
    /// Seconds from its start to the warning.
    pub warn_s: f64,
    /// Seconds since its start, or from its start to its end.
    pub elapsed_s: f64,
    /// Of these, seconds spent waiting.
    pub waited_s: f64,
    /// It waits now.
    pub waiting: bool,
    /// What it waited for has happened.
    pub ended: bool,
}

/// What is to be done about a clock.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Look {
    /// Nothing yet: look again after so many seconds.
    Later(f64),
    /// It ended in time.
    Over,
    /// Warn; the breach is due after so many seconds.
    Warn(f64),
    /// The deadline is broken.
    Breach,
    /// Escalate.
    Escalate,
}

/// The longest that a deadline may be overlooked after a wait has ended: while something is waited for, a clock that would be due at
/// once is looked at so often.
const WHILE_WAITING_S: f64 = 60.0;

impl Reading {
    /// What is to be done.
    #[must_use]
    pub fn look(self) -> Look {
        let worked = (self.elapsed_s - self.waited_s).max(0.0);
        let later = |threshold: f64| {
            let left = (threshold - worked).max(0.001);
            let rest = WHILE_WAITING_S.min(self.limit_s / 100.0);
            if self.waiting { left.max(rest) } else { left }
        };
        match self.step {
            Step::Escalate if self.ended => Look::Over,
            Step::Escalate => Look::Escalate,
            Step::Done => Look::Over,
            Step::Warn | Step::Breach if worked >= self.limit_s => Look::Breach,
            Step::Warn | Step::Breach if self.ended => Look::Over,
            Step::Warn if worked >= self.warn_s => Look::Warn(later(self.limit_s)),
            Step::Warn => Look::Later(later(self.warn_s)),
            Step::Breach => Look::Later(later(self.limit_s)),
        }
    }
}

/// The launch clock has nothing to wait for: it came to rest, or it is being undone.
#[must_use]
pub fn launch_is_over(saga: &Saga) -> bool {
    saga.settled.is_some() || saga.direction == Direction::Back
}

/// How much of it is in trouble that somebody must hear of: failed legs, and an atomic launch that goes back by itself. What a
/// person rolled back is no failure, except for what cannot be undone.
#[must_use]
pub fn in_trouble(saga: &Saga) -> u32 {
    let count = |state| saga.tally.count(state);
    let stuck = count(LegState::Stuck);
    match saga.direction {
        Direction::Back if saga.asked_to_roll_back => stuck,
        Direction::Back => 1 + stuck,
        Direction::Forward => count(LegState::Failed) + count(LegState::Unamended) + stuck,
    }
}

/// Who is told of a leg's failure.
#[must_use]
pub fn route_of(error: &LegError) -> &str {
    error.route.as_deref().unwrap_or(CLIENT)
}

/// Who is told of a check that did not pass.
#[must_use]
pub fn route_of_check(check: &Check) -> &str {
    check.route.as_deref().unwrap_or(CLIENT)
}

/// A check that people on its route are told of without waiting for the deadline: a payer's trouble.
#[must_use]
pub fn is_alarming(check: &Check) -> bool {
    check.outcome == Verdict::Fail && check.route.is_some()
}

/// Every route that is told of these findings, with the first alert code of each. What has no findings is the client's.
#[must_use]
pub fn routes<'a>(
    errors: impl IntoIterator<Item = &'a LegError>,
    checks: impl IntoIterator<Item = &'a Check>,
) -> BTreeMap<String, Option<String>> {
    let mut routes: BTreeMap<String, Option<String>> = BTreeMap::new();
    let of_legs = errors.into_iter().map(|e| (route_of(e), &e.alert_code));
    let of_checks = checks.into_iter().map(|c| (route_of_check(c), &c.alert_code));
    for (route, code) in of_legs.chain(of_checks) {
        let known = routes.entry(route.to_owned()).or_default();
        if known.is_none() {
            known.clone_from(code);
        }
    }
    if routes.is_empty() {
        routes.insert(CLIENT.to_owned(), None);
    }
    routes
}

/// The receivers to be tried for a route, in order: the one that the tenant's `alerts` name, then the one that is called as the
/// route is. What is not the client's is never sent to a receiver that the client's route has.
#[must_use]
pub fn receivers<'a>(route: &'a str, tenant: Option<&'a Tenant>) -> Vec<&'a str> {
    let named = |route: &str| tenant.and_then(|t| t.alerts.get(route)).map(String::as_str);
    let mut receivers: Vec<&str> = named(route).into_iter().chain([route]).collect();
    if route != CLIENT {
        receivers.retain(|r| *r != CLIENT && Some(*r) != named(CLIENT));
    }
    receivers.dedup();
    receivers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::error::ErrorClass;
    use crate::domain::plan::Order;
    use crate::domain::saga::Report;

    const HOUR: f64 = 3600.0;

    fn reading(step: Step, elapsed_h: f64, waited_h: f64) -> Reading {
        Reading {
            step,
            limit_s: 4.0 * HOUR,
            warn_s: 3.0 * HOUR,
            elapsed_s: elapsed_h * HOUR,
            waited_s: waited_h * HOUR,
            waiting: false,
            ended: false,
        }
    }

    #[test]
    fn warned_at_three_quarters_and_broken_at_the_limit() {
        let look = |step, elapsed, waited| reading(step, elapsed, waited).look();
        assert_eq!(look(Step::Warn, 2.0, 0.0), Look::Later(HOUR));
        assert_eq!(look(Step::Warn, 3.0, 0.0), Look::Warn(HOUR));
        assert_eq!(look(Step::Breach, 3.5, 0.0), Look::Later(HOUR / 2.0));
        assert_eq!(look(Step::Breach, 4.0, 0.0), Look::Breach);
        assert_eq!(
            look(Step::Warn, 9.0, 0.0),
            Look::Breach,
            "nobody looked in between"
        );
        assert_eq!(look(Step::Done, 9.0, 0.0), Look::Over);
    }

    #[test]
    fn waiting_moves_the_deadline_and_an_end_stops_it() {
        assert_eq!(reading(Step::Warn, 5.0, 3.0).look(), Look::Later(HOUR));
        assert_eq!(reading(Step::Breach, 6.5, 3.0).look(), Look::Later(HOUR / 2.0));
        let waiting = Reading {
            waiting: true,
            ..reading(Step::Warn, 5.0, 2.0001)
        };
        assert_eq!(
            waiting.look(),
            Look::Later(60.0),
            "not at every moment of a long wait"
        );
        let ended = |elapsed| Reading {
            ended: true,
            ..reading(Step::Warn, elapsed, 0.0)
        };
        assert_eq!(ended(3.5).look(), Look::Over, "no warning of what is done");
        assert_eq!(ended(4.5).look(), Look::Breach, "done, and too late");
    }

    #[test]
    fn what_is_in_trouble() {
        let mut saga = Saga::new(false, Order::Parallel, [0, 1]);
        let _ = saga.start();
        assert_eq!((in_trouble(&saga), launch_is_over(&saga)), (0, false));
        saga.report(0, LegState::Building, Report::Failed)
            .expect("it failed");
        assert_eq!((in_trouble(&saga), launch_is_over(&saga)), (1, false));
        let mut back = saga.clone();
        let _ = back.roll_back();
        assert_eq!(
            (in_trouble(&back), launch_is_over(&back)),
            (0, true),
            "a person rolled it back"
        );
        let _ = saga.retry();
        assert_eq!(in_trouble(&saga), 0, "it is tried again");
        let mut atomic = Saga::new(true, Order::Parallel, [0, 1]);
        let _ = atomic.start();
        atomic
            .report(0, LegState::Building, Report::Failed)
            .expect("it failed");
        assert_eq!((in_trouble(&atomic), launch_is_over(&atomic)), (1, true));
    }

    #[test]
    fn a_payers_trouble_goes_to_its_own_route_and_never_to_the_clients_receiver() {
        let payer = LegError::payer("meta", "unsettled");
        let field = LegError::new(ErrorClass::Validation, "bad", "a field", "mend it");
        let told = routes([&field, &payer], []);
        assert_eq!(told.len(), 2);
        assert_eq!(told["agency_master"].as_deref(), Some("PRE-META-PAYER"));
        assert_eq!(told[CLIENT], None);
        assert_eq!(routes([], []).keys().collect::<Vec<_>>(), [CLIENT]);

        let mut tenant: Tenant = serde_json::from_value(serde_json::json!({
            "tenant_id": "acme", "updated_at": "2026-11-01T08:00:00Z", "display_name": "", "accounts": {},
            "alerts": { "client": "ops-acme", "agency_master": "agency-master" } }))
        .expect("a tenant");
        assert_eq!(receivers(CLIENT, Some(&tenant)), ["ops-acme", CLIENT]);
        assert_eq!(
            receivers("agency_master", Some(&tenant)),
            ["agency-master", "agency_master"]
        );
        tenant.alerts.insert("agency_master".into(), "ops-acme".into());
        assert_eq!(receivers("agency_master", Some(&tenant)), ["agency_master"]);
        assert_eq!(receivers("agency_master", None), ["agency_master"]);
    }
}
