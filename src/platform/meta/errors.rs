//! Meta's errors → the port's: one table of (code, subcode), with sources. "Error handling should be done using only the
//! Error Codes" (error-reference).
//!
//! Must not look at anything but the answer. Throttles come as HTTP 400 with a code and no Retry-After: the hint is in the
//! usage headers.

use crate::domain::error::{ErrorClass, LegError};
use crate::outbound::Answer;
use crate::platform::CallError;
use serde::Deserialize;
use serde_json::Value;
use std::time::Duration;

/// Our code for "there is no such object (any more), or we cannot see it".
pub(super) const GONE: &str = "meta-gone";
/// Our code for "it is deleted or archived, and takes no change".
pub(super) const FROZEN: &str = "meta-frozen";

/// The kind of call that an answer belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    /// Changes nothing.
    Read,
    /// Not repeatable.
    Create,
    /// Repeatable.
    Change,
    /// Repeatable, and "already gone" is success.
    Remove,
}

#[derive(Deserialize)]
struct GraphError {
    #[serde(default)]
    message: String,
    #[serde(default)]
    code: i64,
    #[serde(default)]
    error_subcode: i64,
    #[serde(default)]
    is_transient: bool,
    error_user_title: Option<String>,
    error_user_msg: Option<String>,
    error_data: Option<Value>,
    fbtrace_id: Option<String>,
}

/// What a code means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Means {
    /// Trouble of Meta's own: it may have had an effect.
    Perhaps,
    /// Too much at once: nothing was done.
    Throttled,
    /// The object is not there, or not for us.
    Gone,
    /// The object is deleted or archived.
    Frozen,
    /// No, and why.
    No(ErrorClass, &'static str),
}

const RECONNECT: &str = "renew the Meta credential, then `retry`";
const ACCESS: &str = "give the system user access to this ad account and page, then `retry`";
const PLAN: &str = "correct the plan and publish it again";
const LATER: &str = "Meta limits how often this may be changed; try again tomorrow";
const TERMS: &str = "accept Meta's terms for this in Business settings, then `retry`";
const CREATIVE: &str = "change the creative, or ask for another review, then `retry`";

const FILE: &str = "register a file that Meta takes in the asset library; it is uploaded then";
const FETCH: &str = "make the asset's URL one that Meta can fetch, then `retry`";

/// Any subcode.
const ANY: i64 = -1;

/// The table; the first row that fits decides. A row for any code is one of a number that Meta gives as a subcode, or as the code
/// itself: its reference lists those in the column of error codes. Sources: fbdocs error-reference, rate-limiting, the reference pages of the objects
/// (developers.facebook.com, error reference).
const TABLE: &[(i64, i64, Means)] = {
    use ErrorClass::{Account, AssetMissing, Auth, Budget, Policy, Validation};
    use Means::{Frozen, Gone, No, Perhaps, Throttled};
    &[
        // Caps on edits: waiting an hour doesn't help (ad-set budget 4 an hour, account spend cap 10 a day).
        (613, 1_487_632, No(Budget, LATER)),
        (17, 1_885_172, No(Budget, LATER)),
        (
            613,
            1_487_225,
            No(
                Budget,
                "the account's daily spend limit allows no more ads; raise it, then `retry`",
            ),
        ),
        // Rate limits (overview/rate-limiting).
        (4, ANY, Throttled),
        (17, ANY, Throttled),
        (32, ANY, Throttled),
        (341, ANY, Throttled),
        (613, ANY, Throttled),
        // Unknown and service trouble (error-reference): 5000 "Unknown error code", 3910001 "trouble … try again later".
        (1, ANY, Perhaps),
        (2, ANY, Perhaps),
        (5000, ANY, Perhaps),
        (3_910_001, ANY, Perhaps),
        // Tokens.
        (190, ANY, No(Auth, RECONNECT)),
        (102, ANY, No(Auth, RECONNECT)),
        (
            104,
            ANY,
            No(
                Auth,
                "the app secret does not fit the token: correct app_secret in the credential file",
            ),
        ),
        // Access.
        (100, 33, Gone),
        (10, ANY, No(Account, ACCESS)),
        (294, ANY, No(Account, ACCESS)),
        (270, ANY, No(Account, ACCESS)),
        (2654, ANY, No(Account, ACCESS)),
        (
            368,
            ANY,
            No(
                Account,
                "Meta has blocked the account for a while; see its account quality page",
            ),
        ),
        (
            2635,
            ANY,
            No(
                Validation,
                "this version of the Marketing API is gone; update the service",
            ),
        ),
        // Subcodes under 100 and others: budgets (reference/ad-account/campaigns, bidding/overview/budgets).
        (
            ANY,
            1_885_272,
            No(
                Budget,
                "raise the budget to Meta's minimum, then publish the plan again",
            ),
        ),
        (
            ANY,
            1_487_901,
            No(
                Budget,
                "raise the budget to Meta's minimum, then publish the plan again",
            ),
        ),
        (
            ANY,
            1_885_650,
            No(
                Budget,
                "raise the budget to Meta's minimum, then publish the plan again",
            ),
        ),
        (
            ANY,
            2_238_055,
            No(
                Budget,
                "raise the budget to Meta's minimum, then publish the plan again",
            ),
        ),
        (
            ANY,
            2_446_307,
            No(Budget, "raise the spend cap to Meta's minimum"),
        ),
        (ANY, 1_885_621, No(Budget, PLAN)),
        (ANY, 1_885_204, No(Budget, PLAN)),
        // Terms and declarations.
        (ANY, 1_870_034, No(Account, TERMS)),
        (ANY, 1_870_090, No(Account, TERMS)),
        (ANY, 1_870_092, No(Account, TERMS)),
        (
            ANY,
            2_708_008,
            No(Account, "the page needs Meta's authorisation for political ads"),
        ),
        (
            ANY,
            3_858_152,
            No(Validation, "set settings.dsa_beneficiary and settings.dsa_payor"),
        ),
        // Seen by others: github.com/pipeboard-co/meta-ads-mcp/issues/144.
        (
            ANY,
            3_260_011,
            No(
                Validation,
                "what a published ad set promotes cannot be changed: give the ad group another key, which makes it anew",
            ),
        ),
        // Accounts (error-reference).
        (
            ANY,
            1_404_078,
            No(
                Account,
                "Meta has blocked the account; see its account quality page",
            ),
        ),
        (
            ANY,
            1_404_163,
            No(
                Account,
                "Meta has blocked the account; see its account quality page",
            ),
        ),
        (
            ANY,
            2_859_015,
            No(
                Account,
                "Meta has blocked the account; see its account quality page",
            ),
        ),
        (ANY, 1_815_694, No(Account, ACCESS)),
        (ANY, 1_815_199, No(Account, ACCESS)),
        // Policies.
        (ANY, 2_490_427, No(Policy, CREATIVE)),
        (ANY, 2_490_468, No(Policy, CREATIVE)),
        (500, ANY, No(Policy, CREATIVE)),
        // Uploads (reference/ad-account/advideos, adimages).
        (389, ANY, No(AssetMissing, FETCH)),
        (351, ANY, No(AssetMissing, FILE)),
        (352, ANY, No(AssetMissing, FILE)),
        (382, ANY, No(AssetMissing, FILE)),
        (6000, ANY, No(AssetMissing, FILE)),
        (ANY, 1_487_411, No(AssetMissing, FILE)),
        (6001, ANY, Perhaps),
        // Frozen: a deleted object takes only a name, an archived one only its deletion.
        (ANY, 1_487_566, Frozen),
        (ANY, 1_487_056, Frozen),
        (ANY, 1_885_088, Frozen),
    ]
};

fn meaning(error: &GraphError) -> Means {
    let fits = |(code, subcode, _): &&(i64, i64, Means)| {
        if *code == ANY {
            return *subcode == error.error_subcode || *subcode == error.code;
        }
        *code == error.code && (*subcode == ANY || *subcode == error.error_subcode)
    };
    if let Some((_, _, means)) = TABLE.iter().find(fits) {
        return *means;
    }
    match error.code {
        // Ads management, catalog and the like: one rule for the whole range (overview/rate-limiting).
        80_000..=80_014 => Means::Throttled,
        200..=299 => Means::No(ErrorClass::Account, ACCESS),
        code if code < 0 || error.is_transient => Means::Perhaps,
        _ => Means::No(ErrorClass::Validation, PLAN),
    }
}

/// What is wrong with an answer; `None`: nothing.
pub(super) fn classify(answer: &Answer, body: Option<&Value>, call: Call) -> Option<CallError> {
    let told = body.and_then(|b| b.get("error")).map(GraphError::deserialize);
    let changing = call != Call::Read;
    let perhaps = |why: String| {
        if changing {
            CallError::Unclear { why }
        } else {
            CallError::Unavailable { why, after: None }
        }
    };
    match told {
        Some(Ok(error)) => Some(named(answer, &error, call)),
        Some(Err(_)) => Some(perhaps(format!(
            "Meta answered {} with an error that cannot be read",
            answer.status
        ))),
        None => match answer.status {
            200..=299 if body.is_some() => None,
            // Cut short, or a proxy's page: it may have been done.
            200..=299 => Some(perhaps("Meta's answer is no JSON".to_owned())),
            429 => Some(CallError::Unavailable {
                why: "Meta throttles".to_owned(),
                after: hint(answer),
            }),
            // A gateway that gave up waiting (408, 499) does not know either.
            408 | 499 | 500..=599 => Some(perhaps(format!("Meta answered {}", answer.status))),
            401 | 403 => Some(CallError::refused(refusal_of_status(
                answer.status,
                ErrorClass::Auth,
                RECONNECT,
            ))),
            status => Some(CallError::refused(refusal_of_status(
                status,
                ErrorClass::Validation,
                PLAN,
            ))),
        },
    }
}

/// Whether Meta throttles, and for how long, if it tells.
pub(super) fn throttled(answer: &Answer, body: Option<&Value>) -> Option<Option<Duration>> {
    let told = body
        .and_then(|b| b.get("error"))
        .and_then(|e| GraphError::deserialize(e).ok());
    let throttled = match told {
        Some(error) => meaning(&error) == Means::Throttled,
        None => answer.status == 429,
    };
    throttled.then(|| hint(answer))
}

fn refusal_of_status(status: u16, class: ErrorClass, remedy: &str) -> LegError {
    LegError {
        platform_code: Some(format!("HTTP {status}")),
        ..LegError::new(class, "meta-refused", format!("Meta answered {status}"), remedy)
    }
}

fn named(answer: &Answer, error: &GraphError, call: Call) -> CallError {
    let trace = error
        .fbtrace_id
        .as_ref()
        .map(|id| format!(" (fbtrace_id {id})"))
        .unwrap_or_default();
    let why = format!(
        "Meta {}/{}: {}{trace}",
        error.code, error.error_subcode, error.message
    );
    match meaning(error) {
        Means::Perhaps if call == Call::Read => CallError::Unavailable {
            why,
            after: hint(answer),
        },
        // That Meta calls it transient says that it may pass, not that nothing was done.
        Means::Perhaps => CallError::Unclear { why },
        Means::Throttled => CallError::Unavailable {
            why,
            after: Some(hint(answer).unwrap_or(Duration::from_secs(60))),
        },
        Means::Gone => CallError::refused(LegError {
            code: GONE.to_owned(),
            ..refusal(error, ErrorClass::Validation, PLAN)
        }),
        Means::Frozen => CallError::refused(LegError {
            code: FROZEN.to_owned(),
            ..refusal(
                error,
                ErrorClass::Validation,
                "somebody deleted or archived it; `retry` after it was restored, or publish another plan version",
            )
        }),
        Means::No(class, remedy) => CallError::refused(refusal(error, class, remedy)),
    }
}

fn refusal(error: &GraphError, class: ErrorClass, remedy: &str) -> LegError {
    let said = error
        .error_user_msg
        .as_deref()
        .or(error.error_user_title.as_deref())
        .unwrap_or(&error.message);
    LegError {
        field: blamed(error.error_data.as_ref()),
        platform_code: Some(format!("{}/{}", error.code, error.error_subcode)),
        platform_message: Some(match &error.fbtrace_id {
            Some(id) => format!("{} (fbtrace_id {id})", error.message),
            None => error.message.clone(),
        }),
        ..LegError::new(class, "meta-refused", said, remedy)
    }
}

/// `error_data` is an object or the text of one (facebook_business `exceptions.py`); `blame_field_specs` is a list of paths.
fn blamed(data: Option<&Value>) -> Option<String> {
    let given = data?;
    let parsed = given
        .as_str()
        .and_then(|text| serde_json::from_str::<Value>(text).ok());
    let data = parsed.as_ref().unwrap_or(given);
    let path = data.pointer("/blame_field_specs/0")?.as_array()?;
    let parts: Vec<String> = path
        .iter()
        .map(|p| p.as_str().map_or_else(|| p.to_string(), str::to_owned))
        .collect();
    Some(parts.join("."))
}

/// When Meta lets us back in, by its usage headers: minutes in one, seconds in the other (overview/rate-limiting).
fn hint(answer: &Answer) -> Option<Duration> {
    let header = |name: &str| {
        answer
            .header(name)
            .and_then(|text| serde_json::from_str::<Value>(text).ok())
    };
    let business = header("x-business-use-case-usage").and_then(|usage| {
        let cases: Vec<u64> = usage
            .as_object()?
            .values()
            .filter_map(Value::as_array)
            .flatten()
            .filter_map(|case| case.get("estimated_time_to_regain_access")?.as_u64())
            .collect();
        cases
            .into_iter()
            .max()
            .filter(|minutes| *minutes > 0)
            .map(|minutes| Duration::from_secs(minutes * 60))
    });
    let account = header("x-ad-account-usage").and_then(|usage| {
        let full = usage.get("acc_id_util_pct")?.as_f64()? >= 100.0;
        let seconds = usage.get("reset_time_duration")?.as_u64()?;
        full.then(|| Duration::from_secs(seconds))
    });
    // Meta sends none; a gateway before it may.
    let gateway = answer
        .header("retry-after")
        .and_then(|text| text.parse().ok())
        .map(Duration::from_secs);
    let hints = business.into_iter().chain(account).chain(gateway);
    hints.max().filter(|hint| !hint.is_zero())
}

/// The credential file is not what it should be.
pub(super) fn no_credential(why: &str) -> LegError {
    LegError::new(
        ErrorClass::Auth,
        "credential",
        why,
        "put the credential file in place, then `retry`",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn answer(status: u16, headers: &[(&'static str, &str)]) -> Answer {
        let mut map = reqwest::header::HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        Answer {
            status,
            headers: map,
            body: Vec::new(),
        }
    }

    fn error(code: i64, subcode: i64) -> Value {
        json!({ "error": { "message": "m", "type": "OAuthException", "code": code, "error_subcode": subcode,
            "error_data": "{\"blame_field_specs\":[[\"daily_budget\"]]}", "fbtrace_id": "T" } })
    }

    fn told(status: u16, body: &Value, call: Call) -> CallError {
        classify(&answer(status, &[]), Some(body), call).expect("an error")
    }

    fn class(code: i64, subcode: i64) -> Option<ErrorClass> {
        match told(400, &error(code, subcode), Call::Create) {
            CallError::Refused(error) => Some(error.class),
            CallError::Unavailable { .. } | CallError::Unclear { .. } => None,
        }
    }

    #[test]
    fn refusals_by_class() {
        assert_eq!(class(100, 1_885_272), Some(ErrorClass::Budget));
        assert_eq!(class(190, 460), Some(ErrorClass::Auth));
        assert_eq!(class(200, 0), Some(ErrorClass::Account));
        assert_eq!(class(100, 0), Some(ErrorClass::Validation));
        assert_eq!(class(100, 2_490_427), Some(ErrorClass::Policy));
        assert_eq!(
            class(613, 1_487_632),
            Some(ErrorClass::Budget),
            "waiting does not help there"
        );
        assert_eq!(class(613, 0), None);
    }

    #[test]
    fn a_long_number_means_the_same_as_code_and_as_subcode() {
        for (number, wanted) in [
            (1_885_272, ErrorClass::Budget),
            (1_487_901, ErrorClass::Budget),
            (1_404_078, ErrorClass::Account),
            (2_490_427, ErrorClass::Policy),
            (1_487_411, ErrorClass::AssetMissing),
        ] {
            assert_eq!(class(100, number), Some(wanted), "subcode {number}");
            assert_eq!(class(number, 0), Some(wanted), "code {number}");
        }
        let CallError::Refused(frozen) = told(400, &error(1_487_566, 0), Call::Change) else {
            panic!("a refusal");
        };
        assert_eq!(frozen.code, FROZEN);
    }

    #[test]
    fn a_refusal_names_field_code_and_trace() {
        let CallError::Refused(refusal) = told(400, &error(100, 1_885_272), Call::Create) else {
            panic!("a refusal");
        };
        assert_eq!(refusal.field.as_deref(), Some("daily_budget"));
        assert_eq!(refusal.platform_code.as_deref(), Some("100/1885272"));
        assert!(
            refusal
                .platform_message
                .is_some_and(|m| m.contains("fbtrace_id T"))
        );
    }

    #[test]
    fn transient_is_not_undone() {
        for code in [5000, 3_910_001] {
            assert!(
                matches!(
                    told(400, &error(code, 0), Call::Create),
                    CallError::Unclear { .. }
                ),
                "{code}"
            );
        }
        for code in [1, 2, 99_999, -1] {
            let mut body = error(code, 0);
            body["error"]["is_transient"] = json!(true);
            assert!(
                matches!(told(400, &body, Call::Create), CallError::Unclear { .. }),
                "{code}"
            );
        }
        assert!(matches!(
            classify(&answer(408, &[]), None, Call::Create),
            Some(CallError::Unclear { .. })
        ));
    }

    #[test]
    fn error_data_may_be_an_object_or_its_text() {
        for data in [
            json!({ "blame_field_specs": [["targeting", "age_min"]] }),
            json!("{\"blame_field_specs\":[[\"targeting\",\"age_min\"]]}"),
        ] {
            assert_eq!(blamed(Some(&data)).as_deref(), Some("targeting.age_min"));
        }
        assert_eq!(blamed(Some(&json!("no JSON"))), None);
    }

    #[test]
    fn gone_and_frozen_are_told_apart() {
        let code = |subcode| match told(400, &error(100, subcode), Call::Change) {
            CallError::Refused(error) => error.code,
            CallError::Unavailable { .. } | CallError::Unclear { .. } => String::new(),
        };
        assert_eq!(code(33), GONE);
        assert_eq!(code(1_487_566), FROZEN);
    }

    #[test]
    fn what_may_have_happened_is_unclear_for_writes_only() {
        for status in [200, 400, 500] {
            assert!(
                matches!(
                    told(status, &error(1, 0), Call::Create),
                    CallError::Unclear { .. }
                ),
                "{status}"
            );
            assert!(
                matches!(
                    told(status, &error(1, 0), Call::Read),
                    CallError::Unavailable { .. }
                ),
                "{status}"
            );
        }
        assert!(matches!(
            classify(&answer(500, &[]), None, Call::Create),
            Some(CallError::Unclear { .. })
        ));
        assert!(matches!(
            classify(&answer(200, &[]), None, Call::Create),
            Some(CallError::Unclear { .. })
        ));
        assert!(classify(&answer(200, &[]), Some(&json!({ "id": "1" })), Call::Create).is_none());
    }

    #[test]
    fn a_throttle_waits_as_long_as_the_headers_say() {
        let usage = r#"{"1":[{"type":"ads_management","estimated_time_to_regain_access":3}]}"#;
        let told = classify(
            &answer(400, &[("x-business-use-case-usage", usage)]),
            Some(&error(80_004, 0)),
            Call::Create,
        );
        assert!(
            matches!(told, Some(CallError::Unavailable { after: Some(d), .. }) if d.as_secs() == 180),
            "{told:?}"
        );
        let usage = r#"{"acc_id_util_pct":100.0,"reset_time_duration":42}"#;
        let told = classify(
            &answer(400, &[("x-ad-account-usage", usage)]),
            Some(&error(17, 0)),
            Call::Create,
        );
        assert!(
            matches!(told, Some(CallError::Unavailable { after: Some(d), .. }) if d.as_secs() == 42),
            "{told:?}"
        );
    }
}
