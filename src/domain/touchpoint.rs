//! Where a person must act: which failure asks for whom, and what to tell them. A touchpoint is opened once, resolved once, and never
//! deleted.
//!
//! Must not store or publish: `store::touchpoints` does.

use super::error::{ErrorClass, LegError};
use super::gate::{Check, Outcome};
use super::manifest::spelled;
use super::saga::Report;
use serde::{Deserialize, Serialize};

/// What a person is needed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// To allow a launch.
    LaunchApproval,
    /// To bring a creative into the asset library.
    MissingAsset,
    /// To change what the platform's policies refuse, or to ask for an exemption.
    PolicyDisapproval,
    /// To change a budget or a limit.
    BudgetRefused,
    /// To mend a token or an account.
    AccountAccess,
    /// To find out by hand what a call did.
    UnknownOutcome,
    /// To undo by hand what could not be undone.
    Stuck,
    /// To say what becomes of what somebody changed on a platform.
    Drift,
}
spelled!(Kind {
    LaunchApproval = "launch_approval",
    MissingAsset = "missing_asset",
    PolicyDisapproval = "policy_disapproval",
    BudgetRefused = "budget_refused",
    AccountAccess = "account_access",
    UnknownOutcome = "unknown_outcome",
    Stuck = "stuck",
    Drift = "drift",
});

impl Kind {
    /// Who is asked when a leg reports this; none: nobody in particular, or somebody who is told otherwise (a payer's trouble is an
    /// alert to the agency).
    #[must_use]
    pub fn of(report: Report, class: ErrorClass) -> Option<Self> {
        match report {
            Report::UndoFailed => Some(Self::Stuck),
            Report::Failed => match class {
                ErrorClass::Policy => Some(Self::PolicyDisapproval),
                ErrorClass::AssetMissing => Some(Self::MissingAsset),
                ErrorClass::Budget => Some(Self::BudgetRefused),
                ErrorClass::Auth | ErrorClass::Account => Some(Self::AccountAccess),
                ErrorClass::Unknown => Some(Self::UnknownOutcome),
                ErrorClass::Transient | ErrorClass::Validation | ErrorClass::Payer => None,
            },
            Report::Built | Report::Scheduled | Report::Live | Report::Undone | Report::Retired => None,
        }
    }

    /// What a report resolves of its leg, and how that is called: that the build is through ends the search for assets; that
    /// it is on, or gone, ends all. A disapproval is over when the platform was asked and has none, which a leg that is
    /// merely scheduled was not.
    #[must_use]
    pub fn resolved_by(report: Report, finding: bool) -> Vec<(Self, &'static str)> {
        let all = |how: &'static str| Self::ALL.iter().map(move |kind| (*kind, how));
        let of = |kind: Self| kind == Self::PolicyDisapproval;
        match report {
            Report::Built => [
                (Self::MissingAsset, "appeared"),
                (Self::PolicyDisapproval, "got_through"),
            ]
            .into_iter()
            .filter(|(kind, _)| !(finding && of(*kind)))
            .collect(),
            Report::Scheduled => all("got_through").filter(|(kind, _)| !of(*kind)).collect(),
            Report::Live => all("got_through")
                .filter(|(kind, _)| !(finding && of(*kind)))
                .collect(),
            Report::Undone => all("undone").collect(),
            Report::Retired => all("retired").collect(),
            Report::Failed | Report::UndoFailed => Vec::new(),
        }
    }
}

/// What a person is told about a leg's failure: the finding, whether an exemption can be asked for, what to do.
#[must_use]
pub fn what_to_do(kind: Kind, error: &LegError) -> String {
    let mut text = error.message.clone();
    if let Some(words) = &error.platform_message
        && !text.contains(words.as_str())
    {
        text = format!("{text} ({words})");
    }
    if let Some(field) = &error.field {
        text = format!("{text}, at {field}");
    }
    if kind == Kind::PolicyDisapproval {
        let exemption = match error.exemptible {
            Some(true) => "; an exemption can be asked for",
            Some(false) => "; no exemption can be asked for",
            None => "",
        };
        text.push_str(exemption);
    }
    text = format!("{text}. What to do: {}", error.remedy);
    if kind == Kind::Stuck {
        text.push_str(
            "; it may still be on, so look there too, and then `retry` switches it off, or undoes it, again",
        );
    }
    // As the event's schema allows.
    text.chars().filter(|c| !c.is_control()).take(4000).collect()
}

/// How a plan's assets stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Assets {
    /// All of them are there.
    AllThere,
    /// Some are missing, or still being processed: what a person is asked to do.
    Wanting(String),
    /// The library could not be asked.
    NotKnown,
}

/// What the gate's checks of assets amount to. `asset:<id>` fails where the library does not have it; `asset_processing:<id>`
/// is not known yet.
#[must_use]
pub fn assets(checks: &[Check]) -> Assets {
    let mut missing = Vec::new();
    let mut processing = Vec::new();
    let mut unknown = false;
    for check in checks {
        match (check.check.split_once(':'), check.outcome) {
            (Some(("asset", id)), Outcome::Fail | Outcome::Waiting) => missing.push(id),
            (Some(("asset_processing", id)), _) => processing.push(id),
            (Some(("asset", _)), Outcome::Unknown) => unknown = true,
            (_, Outcome::Pass | Outcome::Fail | Outcome::Unknown | Outcome::Waiting) => {}
        }
    }
    let mut asked = Vec::new();
    if !missing.is_empty() {
        asked.push(format!("upload {} to the asset library", shown(&missing)));
    }
    if !processing.is_empty() {
        asked.push(format!(
            "see that the asset library finishes processing {}",
            shown(&processing)
        ));
    }
    match (asked.is_empty(), unknown) {
        (false, _) => Assets::Wanting(format!(
            "{}; the launch goes on by itself then, or at once with `resume`",
            asked.join(", and ")
        )),
        (true, true) => Assets::NotKnown,
        (true, false) => Assets::AllThere,
    }
}

fn shown(ids: &[&str]) -> String {
    const NAMED: usize = 20;
    let named = ids.get(..NAMED).unwrap_or(ids).join(", ");
    match ids.len().checked_sub(NAMED) {
        Some(more @ 1..) => format!("{named} and {more} more"),
        Some(0) | None => named,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disapproval_tells_the_finding_and_whether_an_exemption_can_be_asked_for() {
        let error = |exemptible| LegError {
            platform_message: Some("PROHIBITED_SYMBOLS".to_owned()),
            field: Some("ad/a.headlines".to_owned()),
            exemptible,
            ..LegError::new(
                ErrorClass::Policy,
                "policy",
                "the ad is disapproved",
                "change it, then `retry`",
            )
        };
        let told = |exemptible| what_to_do(Kind::PolicyDisapproval, &error(exemptible));
        assert!(told(Some(true)).contains("; an exemption can be asked for. What to do: change it"));
        assert!(told(Some(false)).contains("no exemption"));
        assert!(!told(None).contains("exemption"));
        assert!(told(None).contains("PROHIBITED_SYMBOLS") && told(None).contains("ad/a.headlines"));
        let long = LegError::new(ErrorClass::Policy, "policy", "x".repeat(9000), "\u{0}");
        assert_eq!(what_to_do(Kind::Stuck, &long).chars().count(), 4000);
    }

    #[test]
    fn assets_that_are_wanting_are_named_and_an_unknown_is_no_verdict() {
        let check = |name: &str, outcome| Check::not(outcome, name, "", "");
        assert_eq!(assets(&[Check::pass("asset:a", "")]), Assets::AllThere);
        assert_eq!(assets(&[check("asset:a", Outcome::Unknown)]), Assets::NotKnown);
        assert_eq!(assets(&[check("tracking", Outcome::Fail)]), Assets::AllThere);
        let all = [
            check("asset:a", Outcome::Fail),
            check("asset_processing:b", Outcome::Unknown),
            check("asset:c", Outcome::Unknown),
        ];
        let Assets::Wanting(text) = assets(&all) else {
            panic!("they are wanting")
        };
        assert!(
            text.contains("upload a to") && text.contains("processing b"),
            "{text}"
        );
    }

    #[test]
    fn every_report_is_answered() {
        for report in Report::ALL {
            for class in ErrorClass::ALL {
                let opens = Kind::of(*report, class).is_some();
                assert!(
                    !opens || Kind::resolved_by(*report, false).is_empty(),
                    "{report:?}"
                );
            }
            let left = Kind::resolved_by(*report, true);
            let goes_on = matches!(report, Report::Built | Report::Scheduled | Report::Live);
            assert!(
                !goes_on || left.iter().all(|(kind, _)| *kind != Kind::PolicyDisapproval),
                "{report:?}"
            );
            {}
        }
    }
}
