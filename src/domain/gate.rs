//! The preconditions of a launch: each check's verdict, and what they amount to together.
//!
//! Must not reach anything: `service::gate` asks, this module judges. Unknown is never taken for a pass.

use super::error::LegError;
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
    /// What the plan asks for, where it is about money: decimal with currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_amount: Option<String>,
    /// What the platform allows, in the same currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform_limit: Option<String>,
    /// `PRE-<PLATFORM>-PAYER` for payer trouble.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert_code: Option<String>,
    /// `agency_master` for payer trouble.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// When asking again makes sense, seconds; 0: soon. Not kept.
    #[serde(skip)]
    pub again_s: u64,
}

impl Check {
    /// A pass.
    #[must_use]
    pub fn pass(check: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            check: short(check.into(), NAME),
            outcome: Outcome::Pass,
            reason: short(reason.into(), TEXT),
            remedy: String::new(),
            age_s: 0,
            plan_amount: None,
            platform_limit: None,
            alert_code: None,
            route: None,
            again_s: 0,
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
            outcome,
            remedy: short(remedy.into(), TEXT),
            ..Self::pass(check, reason)
        }
    }

    /// Could not be asked: the gate asks again by itself, after this long if that is known.
    #[must_use]
    pub fn unknown(
        check: impl Into<String>,
        reason: impl Into<String>,
        again_in: Option<std::time::Duration>,
    ) -> Self {
        Self {
            again_s: again_in.map_or(0, |wait| wait.as_secs()),
            ..Self::not(
                Outcome::Unknown,
                check,
                reason,
                "none needed: the gate asks again by itself",
            )
        }
    }

    /// A refusal by a platform, or of ours in its terms.
    #[must_use]
    pub fn refused(check: impl Into<String>, error: &LegError) -> Self {
        let code = error
            .alert_code
            .as_ref()
            .map(|c| format!("{c}: "))
            .unwrap_or_default();
        Self {
            plan_amount: error.plan_amount.clone(),
            platform_limit: error.platform_limit.clone(),
            alert_code: error.alert_code.clone(),
            route: error.route.clone(),
            ..Self::not(
                Outcome::Fail,
                check,
                format!("{code}{}", error.message),
                error.remedy.clone(),
            )
        }
    }
}

/// The longest name of a check, in characters.
const NAME: usize = 200;
/// The longest reason or remedy.
const TEXT: usize = 2000;

/// Others wrote a part of it (a vendor's words, a file's name): no control characters, and an end.
fn short(text: String, longest: usize) -> String {
    if text.len() <= longest && !text.contains(char::is_control) {
        return text;
    }
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let mut kept: String = text.chars().take(longest).map(plain).collect();
    if kept.len() < text.len() {
        kept.push('…');
    }
    kept
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
    fn what_others_wrote_stays_short_and_plain() {
        let check = Check::pass("a\u{7}b\nc", "é".repeat(5000));
        assert_eq!(check.check, "a b c");
        assert_eq!(check.reason.chars().count(), TEXT + 1);
        assert_eq!(Check::pass("x", "as it is").reason, "as it is");
    }

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
