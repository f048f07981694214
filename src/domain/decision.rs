//! A person's yes or no to a launch: what it is worth where the plan version stands.
//!
//! A decision is bound to the payload that the person was shown: by its hash where the hash was said, otherwise by the time
//! of the decision (what was said before a payload came cannot be about it). The first decision counts, with one exception:
//! a refusal before the launch always counts, also after somebody's approval, because it is the safe one of the two. A decision
//! that changes nothing because it is so already is no error; one that cannot be carried out any more is refused, in a sentence
//! that says what to do instead.
//!
//! Must not read or write anything: `store::decide` does, with the execution's row locked, so that two people at once are one
//! after the other here.

use chrono::{DateTime, SubsecRound, Utc};

/// Where a plan version stands when somebody decides on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// A payload waits at the gate.
    Waiting {
        /// Who approved it already.
        approved_by: Option<String>,
        /// It would amend what is launched.
        amends: bool,
    },
    /// It was launched, and no payload waits.
    Launched {
        /// Who refused the amendment that came last.
        refused_by: Option<String>,
    },
    /// It was rolled back.
    RolledBack,
    /// A newer version has taken its place.
    Superseded {
        /// Which.
        by: String,
    },
    /// A person refused it.
    Refused {
        /// Who.
        by: String,
    },
    /// It was cancelled.
    Cancelled,
}

/// The payload that a decision is about, and the one that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// Hash of the payload that was shown, where it was said.
    pub shown: Option<String>,
    /// When the person decided, where it was said.
    pub decided_at: Option<DateTime<Utc>>,
    /// Hash of the payload that is there.
    pub current: String,
    /// When that one was approved by the planner.
    pub approved_at: DateTime<Utc>,
    /// When it was taken in, if it took the place of an earlier one.
    pub amended_at: Option<DateTime<Utc>>,
}

/// What becomes of a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It counts.
    Counts,
    /// It is so already; nothing changes.
    Already(String),
    /// It cannot be carried out.
    Refused(String),
}

impl Binding {
    /// Why the decision is about another payload; none: it is about the one that is there.
    #[must_use]
    pub fn broken(&self) -> Option<&'static str> {
        if self.shown.as_ref().is_some_and(|shown| *shown != self.current) {
            return Some("the plan version has another payload by now than the one that was decided on");
        }
        let (Some(decided), Some(amended), None) = (self.decided_at, self.amended_at, &self.shown) else {
            return None;
        };
        // Who says only the second may have meant its end.
        let amended = if decided.timestamp_subsec_nanos() == 0 {
            amended.trunc_subsecs(0)
        } else {
            amended
        };
        (decided < amended && decided < self.approved_at)
            .then_some("the plan version was amended after this was decided")
    }
}

/// What a decision is worth.
#[must_use]
pub fn judge(standing: &Standing, binding: &Binding, approve: bool, plan_version: &str) -> Verdict {
    use Verdict::{Already, Counts, Refused};
    match (standing, approve) {
        (Standing::Waiting { .. }, _) if binding.broken().is_some() => Refused(format!(
            "{}: look at it again and decide anew",
            binding.broken().unwrap_or_default()
        )),
        (
            Standing::Waiting {
                approved_by: Some(by),
                ..
            },
            true,
        ) => Already(format!(
            "{by} approved it already; `status {plan_version}` shows what it still waits for"
        )),
        (Standing::Waiting { .. }, _) => Counts,
        (Standing::Launched { refused_by: Some(by) }, true) => Refused(format!(
            "{by} refused the amended payload, and what was launched before stays in force: publish another amendment, or a new \
             plan version"
        )),
        (Standing::Launched { refused_by: Some(by) }, false) => Already(format!(
            "{by} refused the amended payload already; what was launched before stays in force (`rollback {plan_version}` takes \
             that back)"
        )),
        (Standing::Launched { refused_by: None }, true) => Already("it was launched already".to_owned()),
        (Standing::Launched { refused_by: None }, false) => Refused(format!(
            "too late to refuse it: it was launched already; `rollback {plan_version}` takes it back"
        )),
        (Standing::RolledBack, true) => {
            Refused("it was rolled back, for good: publish a new plan version".to_owned())
        }
        (Standing::RolledBack, false) => Already("it was rolled back already".to_owned()),
        (Standing::Superseded { by }, true) => Refused(format!(
            "{by} has taken its place: decide on that one, with `approve {by}` or `reject {by}`"
        )),
        (Standing::Superseded { by }, false) => Refused(format!(
            "{by} has taken its place: `reject {by}` refuses that one, `rollback {by}` takes it back once it is launched"
        )),
        (Standing::Refused { by }, true) => Refused(format!(
            "{by} refused it: publish an amended payload, or a new plan version"
        )),
        (Standing::Refused { by }, false) => Already(format!("{by} refused it already")),
        (Standing::Cancelled, true) => {
            Refused("it was cancelled: publish an amended payload, or a new plan version".to_owned())
        }
        (Standing::Cancelled, false) => Already("it was cancelled already".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::Duration;

    fn at(seconds: i64, millis: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + Duration::seconds(seconds) + Duration::milliseconds(millis)
    }

    fn binding() -> Binding {
        Binding {
            shown: None,
            decided_at: None,
            current: "b".to_owned(),
            approved_at: at(100, 0),
            amended_at: Some(at(110, 500)),
        }
    }

    #[test]
    fn a_decision_is_about_the_payload_that_was_shown() {
        let with = |shown: Option<&str>, decided_at| Binding {
            shown: shown.map(str::to_owned),
            decided_at,
            ..binding()
        };
        assert_eq!(with(None, None).broken(), None, "nothing is known against it");
        assert_eq!(with(Some("b"), None).broken(), None);
        assert!(with(Some("a"), None).broken().is_some());
        assert!(
            with(None, Some(at(99, 0))).broken().is_some(),
            "before it was approved"
        );
        assert_eq!(
            with(None, Some(at(105, 0))).broken(),
            None,
            "approved, on its way"
        );
        assert_eq!(
            with(Some("b"), Some(at(1, 0))).broken(),
            None,
            "the hash says more"
        );
        // A planner whose clock is ahead: what was decided after the payload came is about it.
        let ahead = |decided| Binding {
            approved_at: at(500, 0),
            decided_at: Some(decided),
            ..binding()
        };
        assert_eq!(ahead(at(111, 0)).broken(), None);
        assert_eq!(
            ahead(at(110, 0)).broken(),
            None,
            "within the second that was said"
        );
        assert!(ahead(at(110, 400)).broken().is_some());
        let first = Binding {
            amended_at: None,
            decided_at: Some(at(1, 0)),
            ..binding()
        };
        assert_eq!(first.broken(), None, "there never was another payload");
    }

    #[test]
    fn every_standing_answers_both_decisions_and_only_a_waiting_payload_takes_one() {
        let by = || "ann".to_owned();
        let waiting = |approved_by| Standing::Waiting {
            approved_by,
            amends: false,
        };
        let cases = [
            (waiting(None), "counts", "counts"),
            (waiting(Some(by())), "already", "counts"),
            (Standing::Launched { refused_by: None }, "already", "refused"),
            (
                Standing::Launched {
                    refused_by: Some(by()),
                },
                "refused",
                "already",
            ),
            (Standing::RolledBack, "refused", "already"),
            (
                Standing::Superseded { by: "v.3".to_owned() },
                "refused",
                "refused",
            ),
            (Standing::Refused { by: by() }, "refused", "already"),
            (Standing::Cancelled, "refused", "already"),
        ];
        for (standing, approval, refusal) in cases {
            for (approve, wanted) in [(true, approval), (false, refusal)] {
                let (got, words) = match judge(&standing, &binding(), approve, "v.2") {
                    Verdict::Counts => ("counts", String::new()),
                    Verdict::Already(why) => ("already", why),
                    Verdict::Refused(why) => ("refused", why),
                };
                assert_eq!(got, wanted, "{standing:?} {approve}: {words}");
            }
        }
        let stale = Binding {
            shown: Some("a".to_owned()),
            ..binding()
        };
        for approve in [true, false] {
            assert!(matches!(
                judge(&waiting(None), &stale, approve, "v.2"),
                Verdict::Refused(_)
            ));
        }
    }
}
