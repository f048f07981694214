//! What Meta allows one ad account to call, and what its answers say of that. Pure.
//!
//! A read costs one point and a write three; the points of five minutes may be 9,000, of an app with limited access 60. Beside
//! that stand the business use case's calls an hour, and a hundred changes a second
//! (developers.facebook.com/docs/marketing-api/overview/rate-limiting). The headers come with every answer, so that we slow
//! down before Meta says no.

use crate::outbound::Answer;
use crate::outbound::pace::{Allowance, Hint, Quota};
use serde_json::Value;
use std::time::Duration;

const CHANGES: &str = "changes";
const POINTS: &str = "points";
const CALLS: &str = "calls";

/// With full access; the headers tell when it is less.
pub(super) const QUOTA: Quota = Quota {
    allowances: &[
        Allowance {
            name: CHANGES,
            amount: 100,
            per: Duration::from_secs(1),
        },
        Allowance {
            name: POINTS,
            amount: FULL.0,
            per: Duration::from_secs(300),
        },
        Allowance {
            name: CALLS,
            amount: FULL.1,
            per: Duration::from_secs(3600),
        },
    ],
    legs_at_once: 16,
};

/// Points and calls with full and with limited access. Live ads add to the calls; that is left as a reserve.
const FULL: (u32, u32) = (9_000, 100_000);
const LIMITED: (u32, u32) = (60, 300);

/// What a call costs.
pub(super) fn cost(changes: bool) -> &'static [(&'static str, u32)] {
    if changes {
        &[(POINTS, 3), (CALLS, 1), (CHANGES, 1)]
    } else {
        &[(POINTS, 1), (CALLS, 1)]
    }
}

/// What an answer's usage headers say, beside an error.
pub(super) fn hints(answer: &Answer) -> Vec<Hint> {
    let header = |name: &str| {
        let text = answer.header(name)?;
        serde_json::from_str::<Value>(text).ok()
    };
    let mut hints = Vec::new();
    let account = header("x-ad-account-usage");
    if let Some(usage) = &account {
        hints.extend(
            usage
                .get("ads_api_access_tier")
                .and_then(tier)
                .into_iter()
                .flatten(),
        );
        hints.extend(
            usage
                .get("acc_id_util_pct")
                .and_then(Value::as_f64)
                .map(used(POINTS)),
        );
    }
    if let Some(usage) = header("x-business-use-case-usage") {
        let cases = usage.as_object().into_iter().flat_map(|m| m.values());
        for case in cases.filter_map(Value::as_array).flatten() {
            if case.get("type").and_then(Value::as_str) != Some("ads_management") {
                continue;
            }
            let shares = ["call_count", "total_cputime", "total_time"];
            let most = shares.iter().filter_map(|name| case.get(name)?.as_f64());
            hints.extend(most.reduce(f64::max).map(used(CALLS)));
        }
    }
    hints
}

fn used(name: &'static str) -> impl Fn(f64) -> Hint {
    move |percent| Hint::Used { name, percent }
}

fn tier(tier: &Value) -> Option<[Hint; 2]> {
    let (points, calls) = match tier.as_str()? {
        "standard_access" => FULL,
        "development_access" => LIMITED,
        _ => return None,
    };
    let allows = |name, amount| Hint::Allows { name, amount };
    Some([allows(POINTS, points), allows(CALLS, calls)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_headers_of_any_answer_are_read() {
        let mut headers = reqwest::header::HeaderMap::new();
        let account = r#"{"acc_id_util_pct":96.5,"reset_time_duration":100,"ads_api_access_tier":"development_access"}"#;
        let business = r#"{"9":[{"type":"ads_management","call_count":28,"total_cputime":97,"total_time":25},
            {"type":"custom_audience","call_count":100}]}"#;
        headers.insert("x-ad-account-usage", account.parse().expect("a header"));
        let business = business.replace('\n', " ");
        headers.insert("x-business-use-case-usage", business.parse().expect("a header"));
        let answer = |headers| Answer {
            status: 200,
            headers,
            body: Vec::new(),
        };
        let used = |name, percent| Hint::Used { name, percent };
        let allows = |name, amount| Hint::Allows { name, amount };
        assert_eq!(
            hints(&answer(headers)),
            [
                allows(POINTS, 60),
                allows(CALLS, 300),
                used(POINTS, 96.5),
                used(CALLS, 97.0)
            ]
        );
        let mut odd = reqwest::header::HeaderMap::new();
        odd.insert(
            "x-ad-account-usage",
            "none of your business".parse().expect("a header"),
        );
        odd.insert("x-business-use-case-usage", "[1]".parse().expect("a header"));
        assert_eq!(hints(&answer(odd)), []);
    }
}
