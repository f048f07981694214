//! The preconditions of a launch: each check's verdict, and what they amount to together.
//!
//! Must not reach anything: `service::gate` asks, this module judges. Unknown is never taken for a pass.

use super::manifest::spelled;
use serde::{Deserialize, Serialize};

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Fine.
    Pass,
    /// Not fine; the launch is blocked.
    Fail,
    /// The checker could not be reached; asked again, never taken for a pass.
    Unknown,
    /// A person must decide first.
    Waiting,
}
spelled!(Outcome { Pass = "pass", Fail = "fail", Unknown = "unknown", Waiting = "waiting" });

/// One check's verdict, as stored, shown and published in `execution.blocked`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// `plan_status`, `tracking`, `account:meta`, `asset:asset-1`, `budget:google-ads/brand`, `approval` …
    pub check: String,
    /// The verdict.
    pub outcome: Outcome,
    /// What was found, for a person.
    pub reason: String,
    /// What to do; empty when it passed.
    pub remedy: String,
    /// Seconds since the verdict was reached; 0: for this execution.
    #[serde(default)]
    pub age_s: i64,
}

impl Check {
    /// A pass.
    #[must_use]
    pub fn pass(check: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            check: check.into(),
            outcome: Outcome::Pass,
            reason: reason.into(),
            remedy: String::new(),
            age_s: 0,
        }
    }

    /// Anything else.
    #[must_use]
    pub fn not(
        outcome: Outcome,
        check: impl Into<String>,
        reason: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            check: check.into(),
            outcome,
            reason: reason.into(),
            remedy: remedy.into(),
            age_s: 0,
        }
    }
}

/// What all verdicts amount to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Go.
    Open,
    /// Something must change first, or a person must decide.
    Blocked,
    /// Nothing failed, but something could not be asked: ask again soon.
    AskAgain,
}

/// All checks together. A failure outweighs an unknown: it needs a person either way.
#[must_use]
pub fn judge(checks: &[Check]) -> Verdict {
    let any = |outcome| checks.iter().any(|c| c.outcome == outcome);
    if any(Outcome::Fail) || any(Outcome::Waiting) && !any(Outcome::Unknown) {
        Verdict::Blocked
    } else if any(Outcome::Unknown) || checks.is_empty() {
        Verdict::AskAgain
    } else {
        Verdict::Open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_is_never_a_pass() {
        let check = |o| Check::not(o, "x", "", "");
        let pass = Check::pass("p", "");
        assert_eq!(judge(std::slice::from_ref(&pass)), Verdict::Open);
        assert_eq!(judge(&[]), Verdict::AskAgain);
        for (outcomes, verdict) in [
            (vec![Outcome::Unknown], Verdict::AskAgain),
            (vec![Outcome::Fail], Verdict::Blocked),
            (vec![Outcome::Waiting], Verdict::Blocked),
            (vec![Outcome::Fail, Outcome::Unknown], Verdict::Blocked),
            (vec![Outcome::Waiting, Outcome::Unknown], Verdict::AskAgain),
        ] {
            let mut checks: Vec<Check> = outcomes.iter().map(|o| check(*o)).collect();
            checks.push(pass.clone());
            assert_eq!(judge(&checks), verdict, "{outcomes:?}");
        }
    }
}
