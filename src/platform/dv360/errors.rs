//! DV360's errors → the port's: one table, with sources.
//!
//! Must not look at anything but the answer. DV360 has no sub-codes: HTTP status and canonical code say the kind, and of a
//! refusal only the message tells what it is about (guides/concepts/general/errors-warnings). So the message is read, and
//! what it does not tell is a validation error with DV360's own words in it.

use crate::domain::error::{ErrorClass, LegError};
use crate::outbound::google_oauth::TokenError;
use crate::outbound::{Answer, NoAnswer};
use crate::platform::CallError;
use serde_json::Value;
use std::time::Duration;

use ErrorClass::{AssetMissing, Auth, Budget, Payer, Policy, Validation};
use Means::{Exists, Gone, Later, No, Perhaps, Token};

/// Our code for a refusal.
pub(super) const REFUSED: &str = "dv360-refused";

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

/// What went wrong with an answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Trouble {
    /// A new token is needed; nothing was done.
    Token(String),
    /// What was asked for, or was to be changed or removed, is not there.
    Gone,
    /// As the port has it.
    Call(CallError),
}

/// What an error means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Means {
    /// The token is not taken.
    Token,
    /// Nothing was done; the same again in so many seconds.
    Later(u64),
    /// It may have been done.
    Perhaps,
    /// It is not there.
    Gone,
    /// It is there already.
    Exists,
    /// No, and why.
    No(ErrorClass, &'static str),
}

const RECONNECT: &str = "renew the Google credential, then `retry`";
const ACCESS: &str =
    "give the service's user a role on this advertiser in DV360 (\"Standard\" or more), then `retry`";
const PLAN: &str = "correct the plan and publish it again";
const DATES: &str = "the flight must lie in the future, whole days in the advertiser's zone, before 2037; publish a plan whose does";
const AMOUNT: &str =
    "change the budget, bid or goal to an amount that DV360 takes, then publish the plan again";
const DECLARE: &str =
    "declare eu_political_advertising in the tenant's policy, or in DV360 for the whole advertiser";
const BILLING: &str = "the agency's billing team gives the advertiser a billing profile; then `retry`";

/// By canonical code. Sources: guides/concepts/general/errors-warnings ("ABORTED: … being modified elsewhere. Wait a few seconds
/// and try again"), guides/best-practices/timeouts (408, 504: the server's limit is 180 s), limits (429; quotas are per
/// minute), google.rpc.Code for the rest.
const CODES: &[(&str, Means)] = &[
    ("UNAUTHENTICATED", Token),
    ("PERMISSION_DENIED", No(Auth, ACCESS)),
    ("NOT_FOUND", Gone),
    ("ABORTED", Later(5)),
    ("ALREADY_EXISTS", Exists),
    ("RESOURCE_EXHAUSTED", Later(60)),
    ("UNAVAILABLE", Perhaps),
    ("DEADLINE_EXCEEDED", Perhaps),
    ("CANCELLED", Perhaps),
    ("INTERNAL", Perhaps),
    ("UNKNOWN", Perhaps),
    ("DATA_LOSS", Perhaps),
];

/// What a refusal is about, by words of its message in lower case; the first that fits decides. Sources: the field descriptions
/// of the v4 reference, whose words the messages use; googleads/googleads-displayvideo-examples#2 ("The revenue model cost amount
/// cannot be too small or too large.").
const WORDS: &[(&[&str], ErrorClass, &str)] = &[
    (&["billing"], Payer, BILLING),
    (&["political"], Validation, DECLARE),
    (
        &["policy"],
        Policy,
        "change the creative, then publish the plan again",
    ),
    (
        &["asset", "not found"],
        AssetMissing,
        "upload the asset to the advertiser, then `retry`",
    ),
    (
        &["media", "not found"],
        AssetMissing,
        "upload the asset to the advertiser, then `retry`",
    ),
    (&["too small or too large"], Budget, AMOUNT),
    (&["budget", "must be greater"], Budget, AMOUNT),
    (&["amount"], Budget, AMOUNT),
    (&["micros"], Budget, AMOUNT),
    (&["date"], Validation, DATES),
];

/// The canonical code of an HTTP status, where the body names none.
fn canonical(status: u16) -> &'static str {
    match status {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        429 => "RESOURCE_EXHAUSTED",
        // Nobody says what a proxy did with it.
        408 | 409 | 499 | 500..=599 => "UNAVAILABLE",
        _ => "INVALID_ARGUMENT",
    }
}

/// The name of a code of `google.rpc.Code`.
pub(super) fn code_name(code: i64) -> &'static str {
    match code {
        1 => "CANCELLED",
        4 => "DEADLINE_EXCEEDED",
        5 => "NOT_FOUND",
        6 => "ALREADY_EXISTS",
        7 => "PERMISSION_DENIED",
        8 => "RESOURCE_EXHAUSTED",
        10 => "ABORTED",
        13 => "INTERNAL",
        14 => "UNAVAILABLE",
        15 => "DATA_LOSS",
        16 => "UNAUTHENTICATED",
        2 => "UNKNOWN",
        _ => "INVALID_ARGUMENT",
    }
}

/// An answer that is no success; none: it is one.
pub(super) fn classify(answer: &Answer, body: Option<&Value>, call: Call) -> Option<Trouble> {
    let error = body.and_then(|b| b.get("error"));
    let well = (200..300).contains(&answer.status);
    if well && error.is_none() && body.is_some_and(Value::is_object) {
        return None;
    }
    let said = |name: &str| {
        error
            .and_then(|e| e.get(name))
            .and_then(Value::as_str)
            .unwrap_or("")
    };
    let message = said("message");
    if (300..400).contains(&answer.status) {
        return Some(Trouble::Call(CallError::refused(refusal(
            "REDIRECT",
            &format!("HTTP {}: redirects are not followed", answer.status),
            None,
            Validation,
            "correct `platforms.dv360.base_url`",
        ))));
    }
    if well && error.is_none() {
        let why = format!("HTTP {} without an answer that makes sense", answer.status);
        return Some(Trouble::Call(match call {
            Call::Read => CallError::Unavailable { why, after: None },
            Call::Create | Call::Change | Call::Remove => CallError::Unclear { why },
        }));
    }
    // A page that no Google API wrote: an address that leads elsewhere, and no object that is gone.
    let foreign = answer.status == 404 && error.is_none();
    let code = match said("status") {
        "" => canonical(answer.status),
        named => named,
    };
    let field = error
        .and_then(|e| e.pointer("/details/0/fieldViolations/0/field"))
        .and_then(Value::as_str);
    let message = match (message, foreign) {
        (_, true) => "the address is not known there; check `platforms.dv360.base_url`".to_owned(),
        ("", false) => format!("HTTP {}", answer.status),
        (words, false) => words.to_owned(),
    };
    Some(trouble(code, &message, field, hint(answer, error), call))
}

/// Whether an answer says that a quota is used up, and for how long if it tells.
pub(super) fn throttled(answer: &Answer, body: Option<&Value>) -> Option<Option<Duration>> {
    let error = body.and_then(|b| b.get("error"));
    let exhausted = error.is_some_and(|e| e.get("status").is_some_and(|s| s == "RESOURCE_EXHAUSTED"));
    (answer.status == 429 || exhausted).then(|| hint(answer, error))
}

/// One error, wherever it stood.
pub(super) fn trouble(
    code: &str,
    message: &str,
    field: Option<&str>,
    hint: Option<Duration>,
    call: Call,
) -> Trouble {
    let means = CODES
        .iter()
        .find(|(name, _)| *name == code)
        .map_or_else(|| by_words(message), |(_, means)| *means);
    let why: String = format!("{code}: {message}").chars().take(300).collect();
    Trouble::Call(match means {
        Token => return Trouble::Token(why),
        Gone => return Trouble::Gone,
        Exists if call == Call::Create => CallError::Unclear { why },
        Exists => CallError::refused(refusal(code, message, field, Validation, PLAN)),
        Perhaps if call != Call::Read => CallError::Unclear { why },
        Perhaps => CallError::Unavailable { why, after: hint },
        Later(seconds) => CallError::Unavailable {
            why,
            after: Some(hint.unwrap_or(Duration::from_secs(seconds))),
        },
        No(class, remedy) => CallError::refused(refusal(code, message, field, class, remedy)),
    })
}

fn by_words(message: &str) -> Means {
    let message = message.to_lowercase();
    let fits = |words: &[&str]| words.iter().all(|word| message.contains(word));
    WORDS
        .iter()
        .find(|(words, ..)| fits(words))
        .map_or(No(Validation, PLAN), |(_, class, remedy)| No(*class, remedy))
}

fn refusal(code: &str, message: &str, field: Option<&str>, class: ErrorClass, remedy: &str) -> LegError {
    let said: String = message.chars().take(1000).collect();
    let base = if class == Payer {
        LegError::payer(super::NAME, format!("DV360 refused it: {said}"))
    } else {
        LegError::new(class, REFUSED, format!("DV360 refused it: {said}"), remedy)
    };
    LegError {
        field: field.map(str::to_owned),
        platform_code: Some(code.to_owned()),
        platform_message: Some(said),
        ..base
    }
}

/// What was to be changed is not there.
pub(super) fn gone(what: &str) -> LegError {
    LegError {
        platform_code: Some("NOT_FOUND".to_owned()),
        ..LegError::new(
            Validation,
            "dv360-gone",
            format!("DV360 has no {what} (any more)"),
            "somebody removed it there; `retry` builds anew what is missing",
        )
    }
}

/// `Retry-After` in seconds, or `google.rpc.RetryInfo`.
fn hint(answer: &Answer, error: Option<&Value>) -> Option<Duration> {
    let header = answer
        .header("retry-after")
        .and_then(|h| h.trim().parse().ok())
        .map(Duration::from_secs);
    header.or_else(|| {
        let details = error?.get("details")?.as_array()?;
        let delay = details.iter().find_map(|d| d.get("retryDelay")?.as_str())?;
        let seconds: u64 = delay.strip_suffix('s')?.split('.').next()?.parse().ok()?;
        // What is left of a second counts as one.
        Some(Duration::from_secs(seconds + u64::from(delay.contains('.'))))
    })
}

/// No answer at all.
pub(super) fn no_answer(error: NoAnswer, call: Call) -> CallError {
    match (error, call) {
        (NoAnswer::Lost(why), Call::Create | Call::Change | Call::Remove) => CallError::Unclear { why },
        (NoAnswer::Lost(why), Call::Read) | (NoAnswer::NotSent(why), _) => {
            CallError::Unavailable { why, after: None }
        }
    }
}

/// No token: nothing was sent.
pub(super) fn no_token(error: &TokenError) -> CallError {
    match error {
        TokenError::NotAvailable { after, .. } => CallError::Unavailable {
            why: error.to_string(),
            after: *after,
        },
        TokenError::Refused { .. } | TokenError::BadCredential(_) => no_access(&error.to_string()),
    }
}

/// The credential is of no use.
pub(super) fn no_access(why: &str) -> CallError {
    CallError::refused(LegError::new(Auth, "dv360-auth", why, RECONNECT))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn answer(status: u16, body: &Value, retry_after: Option<&str>) -> (Answer, Value) {
        let mut headers = reqwest::header::HeaderMap::new();
        if let Some(seconds) = retry_after {
            headers.insert("retry-after", seconds.parse().unwrap());
        }
        let answer = Answer {
            status,
            headers,
            body: body.to_string().into_bytes(),
        };
        (answer, body.clone())
    }

    fn error(status: u16, code: &str, message: &str) -> Value {
        json!({ "error": { "code": status, "status": code, "message": message } })
    }

    fn of(status: u16, body: Value, call: Call) -> Option<Trouble> {
        let (answer, body) = answer(status, &body, None);
        classify(&answer, Some(&body), call)
    }

    #[test]
    fn what_was_not_done_comes_again_and_what_may_have_been_is_looked_up() {
        let later = |t: Option<Trouble>| match t {
            Some(Trouble::Call(CallError::Unavailable { after, .. })) => after.map(|a| a.as_secs()),
            other => panic!("{other:?}"),
        };
        assert_eq!(
            later(of(429, error(429, "RESOURCE_EXHAUSTED", "q"), Call::Create)),
            Some(60)
        );
        assert_eq!(
            later(of(409, error(409, "ABORTED", "busy"), Call::Create)),
            Some(5)
        );
        let (quick, body) = answer(429, &error(429, "RESOURCE_EXHAUSTED", "q"), Some("7"));
        assert_eq!(later(classify(&quick, Some(&body), Call::Change)), Some(7));
        let info = json!({ "error": { "code": 429, "status": "RESOURCE_EXHAUSTED", "message": "q", "details": [
            { "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "2.5s" }] } });
        assert_eq!(later(of(429, info, Call::Change)), Some(3));
        for (status, code) in [
            (500, "INTERNAL"),
            (503, "UNAVAILABLE"),
            (504, "DEADLINE_EXCEEDED"),
        ] {
            for call in [Call::Create, Call::Change, Call::Remove] {
                let trouble = of(status, error(status, code, ""), call);
                assert!(
                    matches!(trouble, Some(Trouble::Call(CallError::Unclear { .. }))),
                    "{code}: {trouble:?}"
                );
            }
            assert_eq!(later(of(status, error(status, code, ""), Call::Read)), None);
        }
        // A 409 that no Google API wrote.
        assert!(matches!(
            of(409, json!("<html>"), Call::Create),
            Some(Trouble::Call(CallError::Unclear { .. }))
        ));
    }

    #[test]
    fn a_refusal_is_told_by_its_words() {
        for (message, class) in [
            (
                "The revenue model cost amount cannot be too small or too large.",
                Budget,
            ),
            ("budget_amount_micros must be greater than 0.", Budget),
            ("The start date must be in the future.", Validation),
            (
                "contains_eu_political_ads must be assigned when creating a new line item.",
                Validation,
            ),
            ("The advertiser has no active billing profile.", Payer),
            ("Requested asset was not found.", AssetMissing),
            ("Something nobody foresaw.", Validation),
        ] {
            let trouble = of(400, error(400, "INVALID_ARGUMENT", message), Call::Create);
            let Some(Trouble::Call(CallError::Refused(refusal))) = trouble else {
                panic!("{message}: {trouble:?}");
            };
            assert_eq!(refusal.class, class, "{message}");
            assert_eq!(refusal.platform_message.as_deref(), Some(message));
            assert_eq!(refusal.platform_code.as_deref(), Some("INVALID_ARGUMENT"));
            if class == Payer {
                assert_eq!(refusal.alert_code.as_deref(), Some("PRE-DV360-PAYER"));
            }
        }
        assert!(matches!(
            of(401, error(401, "UNAUTHENTICATED", ""), Call::Read),
            Some(Trouble::Token(_))
        ));
        let denied = of(403, error(403, "PERMISSION_DENIED", "no"), Call::Read);
        assert!(matches!(denied, Some(Trouble::Call(CallError::Refused(e))) if e.class == Auth));
    }

    #[test]
    fn only_googles_own_404_means_that_it_is_gone() {
        assert_eq!(
            of(404, error(404, "NOT_FOUND", "x"), Call::Remove),
            Some(Trouble::Gone)
        );
        assert!(matches!(
            of(404, json!("<html>"), Call::Remove),
            Some(Trouble::Call(CallError::Refused(_)))
        ));
    }

    #[test]
    fn success_is_an_object_without_an_error_in_it() {
        assert_eq!(of(200, json!({}), Call::Create), None);
        for body in [json!("<html>"), json!([]), json!(null)] {
            let trouble = of(200, body, Call::Create);
            assert!(
                matches!(trouble, Some(Trouble::Call(CallError::Unclear { .. }))),
                "{trouble:?}"
            );
        }
        let inside = of(200, error(400, "INVALID_ARGUMENT", "no"), Call::Create);
        assert!(
            matches!(inside, Some(Trouble::Call(CallError::Refused(_)))),
            "{inside:?}"
        );
    }
}
