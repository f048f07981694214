//! Google's errors → the port's. By `errorCode` first (`error_table`), for HTTP is only a coarse hint.
//!
//! Must not look at anything but the answer: the same answer to the same kind of call always means the same.
//!
//! Sources: google/ads/googleads/v26/errors/errors.proto (shape);
//! developers.google.com/google-ads/api/docs/best-practices/understand-api-errors (HTTP codes).

use super::error_table::{ACCESS, Means, NAME, PLAN, REBUILD, RECONNECT, meaning};
use super::wire::{BudgetMinimumDetails, ErrorBody, Failure, GoogleAdsError, Int64, Status};
use crate::domain::error::{ErrorClass, LegError};
use crate::domain::money::{Currency, Money};
use crate::outbound::google_oauth::TokenError;
use crate::outbound::{Answer, NoAnswer};
use crate::platform::CallError;
use std::time::Duration;

use ErrorClass::{Account, Auth, Budget, Payer, Policy, Validation};
use Means::{Again, Echo, Exists, Gone, Later, No, Perhaps, Token};

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
    /// As the port has it.
    Call(CallError),
    /// All that was to be removed is gone already.
    Gone,
}

/// Of several errors the one that decides. What may exist must be looked up before anything else is believed; then what a
/// person must change, the widest trouble first; then what passes by itself.
fn weight(means: Means, call: Call) -> u8 {
    match means {
        Exists if call == Call::Create => 0,
        Token => 1,
        No(class, _) => match class {
            Auth | Account => 2,
            Payer => 3,
            Policy => 4,
            Budget => 5,
            Validation | ErrorClass::Transient | ErrorClass::Unknown | ErrorClass::AssetMissing => 6,
        },
        Exists => 6,
        Gone if call == Call::Remove => 12,
        Gone => 7,
        Perhaps => 8,
        Later(_) => 9,
        Again => 10,
        Echo => 11,
    }
}

/// An answer that is no success. `objects`: which object each operation was about.
pub(super) fn classify(answer: &Answer, call: Call, objects: &[String]) -> Trouble {
    let body = serde_json::from_slice::<ErrorBody>(&answer.body).ok();
    let status = body.map(|body| body.error).unwrap_or_default();
    failures(&status, call, objects, hint(answer)).unwrap_or_else(|| by_http(answer, call, &status))
}

/// Google's own errors, if there are any. `None`: the status holds none.
pub(super) fn failures(
    status: &Status,
    call: Call,
    objects: &[String],
    hint: Option<Duration>,
) -> Option<Trouble> {
    let errors: Vec<&GoogleAdsError> = status
        .details
        .iter()
        .flat_map(|failure| &failure.errors)
        .collect();
    let means = |error: &GoogleAdsError| {
        let (family, name) = error.code();
        meaning(family, name)
    };
    let worst = errors.iter().min_by_key(|error| weight(means(error), call))?;
    let request = request_id(status)
        .map(|id| format!(" (request-id {id})"))
        .unwrap_or_default();
    let said = format!("{}{request}", said(worst, objects));
    let refusal = |class, remedy| {
        let mut refusal = refusal(worst, class, remedy, objects);
        // Google's support asks for it first.
        refusal.platform_message = refusal
            .platform_message
            .map(|message| format!("{message}{request}"));
        CallError::refused(refusal)
    };
    let delay = errors.iter().filter_map(|error| delay(error)).max().or(hint);
    let call_error = match means(worst) {
        Token => return Some(Trouble::Token(said)),
        Gone if call == Call::Remove => return Some(Trouble::Gone),
        Exists if call == Call::Create => CallError::Unclear {
            why: format!("a thing of that name exists, look it up and adopt it: {said}"),
        },
        Perhaps if call != Call::Read => CallError::Unclear { why: said },
        Again | Perhaps => CallError::Unavailable {
            why: said,
            after: delay,
        },
        Later(seconds) => {
            let after = Some(delay.unwrap_or(Duration::from_secs(seconds)));
            CallError::Unavailable { why: said, after }
        }
        Exists => refusal(Validation, NAME),
        Gone => refusal(Validation, REBUILD),
        Echo => refusal(Validation, PLAN),
        No(class, remedy) => refusal(class, remedy),
    };
    Some(Trouble::Call(call_error))
}

/// No answer at all.
pub(super) fn no_answer(error: NoAnswer, call: Call) -> CallError {
    let why = error.to_string();
    match (error, call) {
        (NoAnswer::Lost(_), Call::Create | Call::Change | Call::Remove) => CallError::Unclear { why },
        (NoAnswer::Lost(_), Call::Read) | (NoAnswer::NotSent(_), _) => {
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
        TokenError::Refused { .. } | TokenError::BadCredential(_) => {
            CallError::refused(no_access(&error.to_string()))
        }
    }
}

/// The credential is of no use.
pub(super) fn no_access(why: &str) -> LegError {
    LegError::new(Auth, "google-ads-auth", why, RECONNECT)
}

/// Answers without Google's own errors: a proxy's page, a plain 401, an empty body.
fn by_http(answer: &Answer, call: Call, status: &Status) -> Trouble {
    let said = format!("HTTP {} {} {}", answer.status, status.status, status.message);
    let said: String = said.trim_end().chars().take(300).collect();
    let no = |class, remedy: &str| {
        CallError::refused(LegError {
            platform_code: Some(format!("HTTP {}", answer.status)),
            platform_message: (!status.message.is_empty()).then(|| status.message.clone()),
            ..LegError::new(class, "google-ads-refused", said.clone(), remedy)
        })
    };
    let later = || CallError::Unavailable {
        why: said.clone(),
        after: hint(answer),
    };
    Trouble::Call(match answer.status {
        401 => return Trouble::Token(said),
        403 => no(Auth, ACCESS),
        429 => later(),
        // Nobody says what a proxy did with it.
        408 | 409 | 499 | 500..=599 if call != Call::Read => CallError::Unclear { why: said },
        408 | 409 | 499 | 500..=599 => later(),
        404 => no(
            Validation,
            "check `platforms.google-ads.base_url` and that the API version is still alive",
        ),
        300..=399 => no(
            Validation,
            "`platforms.google-ads.base_url` redirects, which is not followed: correct it",
        ),
        // An answer 2xx that makes no sense: see the caller.
        200..=299 if call == Call::Read => later(),
        200..=299 => CallError::Unclear {
            why: format!("an answer that makes no sense: {said}"),
        },
        _ => no(Validation, PLAN),
    })
}

/// `Retry-After`, in seconds.
fn hint(answer: &Answer) -> Option<Duration> {
    answer
        .header("retry-after")?
        .trim()
        .parse()
        .ok()
        .map(Duration::from_secs)
}

/// `retryDelay`: `30s`, `1.500s`, rounded up.
fn delay(error: &GoogleAdsError) -> Option<Duration> {
    let text = error
        .details
        .quota_error_details
        .as_ref()?
        .retry_delay
        .as_deref()?;
    let (whole, rest) = text
        .strip_suffix('s')?
        .split_once('.')
        .unwrap_or((text.strip_suffix('s')?, ""));
    let up = u64::from(rest.bytes().any(|digit| digit != b'0'));
    whole
        .parse::<u64>()
        .ok()
        .map(|seconds| Duration::from_secs(seconds + up))
}

fn said(error: &GoogleAdsError, objects: &[String]) -> String {
    let (family, name) = error.code();
    let place = place(error, objects)
        .map(|place| format!(" at {place}"))
        .unwrap_or_default();
    let message: String = error.message.chars().take(300).collect();
    format!("{family}.{name}{place}: {message}")
}

/// Where: the object, by the operation's index, and the path within it, without Google's wrapping.
fn place(error: &GoogleAdsError, objects: &[String]) -> Option<String> {
    let path = &error.location.field_path_elements;
    let mut object = None;
    let mut parts: Vec<String> = Vec::new();
    for element in path {
        let name = element.field_name.as_str();
        if name == "mutate_operations" || name == "operations" {
            object = element.index.and_then(|index| objects.get(index));
        } else if !(name.ends_with("_operation") || matches!(name, "create" | "update" | "remove")) {
            parts.push(
                element
                    .index
                    .map_or_else(|| name.to_owned(), |index| format!("{name}[{index}]")),
            );
        }
    }
    match (object, parts.is_empty()) {
        (None, true) => None,
        (None, false) => Some(parts.join(".")),
        (Some(object), true) => Some(object.clone()),
        (Some(object), false) => Some(format!("{object}: {}", parts.join("."))),
    }
}

fn refusal(error: &GoogleAdsError, class: ErrorClass, remedy: &str, objects: &[String]) -> LegError {
    let (family, name) = error.code();
    let mut code = format!("{family}.{name}");
    if let Some(unpublished) = &error.details.unpublished_error_code {
        code = format!("{code} ({unpublished})");
    }
    let base = match class {
        Payer => LegError::payer(super::NAME, format!("Google Ads refuses: {}", error.message)),
        Validation
        | Budget
        | Policy
        | Auth
        | Account
        | ErrorClass::Transient
        | ErrorClass::Unknown
        | ErrorClass::AssetMissing => {
            let message = format!("Google Ads refuses: {}", error.message);
            LegError::new(class, "google-ads-refused", message, remedy)
        }
    };
    let mut leg_error = LegError {
        field: place(error, objects),
        platform_code: Some(code),
        platform_message: Some(error.message.clone()),
        ..base
    };
    if let Some(details) = &error.details.budget_per_day_minimum_error_details {
        (leg_error.plan_amount, leg_error.platform_limit) = budget_limit(details);
    }
    if let Some(details) = &error.details.resource_count_details
        && let Some(limit) = details.limit
    {
        leg_error.platform_limit = Some(format!(
            "{limit} (there are {})",
            details.existing_count.unwrap_or(limit)
        ));
    }
    policy(error, &mut leg_error);
    leg_error
}

/// What the plan wants and what Google allows.
fn budget_limit(details: &BudgetMinimumDetails) -> (Option<String>, Option<String>) {
    let show = |micros: Option<Int64>| {
        let currency = Currency::parse(&details.currency_code).ok()?;
        Some(Money::from_micros(micros?.0, currency).to_string())
    };
    let failed = details
        .failed_budget_amount_micros
        .or(details.failed_budget_total_amount_micros);
    let minimum = details
        .minimum_budget_amount_micros
        .or(details.minimum_budget_total_amount_micros);
    (
        show(failed),
        show(minimum).map(|minimum| format!("at least {minimum}")),
    )
}

fn policy(error: &GoogleAdsError, leg_error: &mut LegError) {
    if let Some(details) = &error.details.policy_finding_details {
        let topics = details.policy_topic_entries.iter().map(|entry| {
            let topic = entry.topic.as_deref().unwrap_or("?");
            entry
                .kind
                .as_ref()
                .map_or_else(|| topic.to_owned(), |kind| format!("{topic} ({kind})"))
        });
        let topics = topics.collect::<Vec<_>>().join(", ");
        leg_error.message = format!("{} Findings: {topics}", leg_error.message);
    }
    if let Some(details) = &error.details.policy_violation_details {
        let exemption = if details.is_exemptible {
            "an exemption can be asked for"
        } else {
            "no exemption is possible"
        };
        leg_error.message = format!(
            "{} Policy: {}; {exemption}",
            leg_error.message, details.external_policy_name
        );
        leg_error.exemptible = Some(details.is_exemptible);
    }
}

/// Google's id of the request, from the body of a failure.
fn request_id(status: &Status) -> Option<&str> {
    status
        .details
        .iter()
        .find_map(|failure: &Failure| failure.request_id.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn answer(status: u16, body: &Value) -> Answer {
        Answer {
            status,
            headers: reqwest::header::HeaderMap::new(),
            body: body.to_string().into_bytes(),
        }
    }

    /// A failure as Google sends it.
    fn failure(status: u16, errors: &[(&str, &str, Value)]) -> Answer {
        let errors: Vec<Value> = errors
            .iter()
            .map(|(family, name, details)| {
                json!({
                    "errorCode": { *family: name },
                    "message": "no",
                    "location": {"fieldPathElements": [
                        {"fieldName": "mutate_operations", "index": 1}, {"fieldName": "campaign_operation"},
                        {"fieldName": "create"}, {"fieldName": "name"}
                    ]},
                    "details": details,
                })
            })
            .collect();
        let kind = "type.googleapis.com/google.ads.googleads.v26.errors.GoogleAdsFailure";
        let details = json!([{"@type": kind, "errors": errors, "requestId": "y5q"}]);
        answer(
            status,
            &json!({"error": {"code": status, "message": "m", "status": "S", "details": details}}),
        )
    }

    fn objects() -> Vec<String> {
        vec!["budget".into(), "campaign".into()]
    }

    fn of(answer: &Answer, call: Call) -> CallError {
        match classify(answer, call, &objects()) {
            Trouble::Call(error) => error,
            other @ (Trouble::Token(_) | Trouble::Gone) => panic!("{other:?}"),
        }
    }

    fn refused(error: CallError) -> LegError {
        match error {
            CallError::Refused(error) => *error,
            other @ (CallError::Unavailable { .. } | CallError::Unclear { .. }) => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_refusal_says_where_and_what() {
        let error = refused(of(
            &failure(400, &[("stringLengthError", "TOO_LONG", json!({}))]),
            Call::Create,
        ));
        assert_eq!(error.class, Validation);
        assert_eq!(error.field.as_deref(), Some("campaign: name"));
        assert_eq!(error.platform_code.as_deref(), Some("stringLengthError.TOO_LONG"));
        assert_eq!(error.platform_message.as_deref(), Some("no (request-id y5q)"));
    }

    #[test]
    fn every_class_is_met() {
        for (family, name, class) in [
            ("authenticationError", "OAUTH_TOKEN_REVOKED", Auth),
            ("authorizationError", "USER_PERMISSION_DENIED", Auth),
            ("authorizationError", "CUSTOMER_NOT_ENABLED", Account),
            (
                "mutateError",
                "EU_POLITICAL_ADVERTISING_DECLARATION_REQUIRED",
                Account,
            ),
            ("policyFindingError", "POLICY_FINDING", Policy),
            ("billingSetupError", "PAYMENTS_ACCOUNT_NOT_FOUND", Payer),
            ("campaignBudgetError", "MONEY_AMOUNT_TOO_LARGE", Budget),
            ("neverHeardOf", "ANYTHING", Validation),
        ] {
            let error = refused(of(&failure(400, &[(family, name, json!({}))]), Call::Create));
            assert_eq!(error.class, class, "{family}.{name}");
            assert_eq!(
                error.alert_code.as_deref(),
                (class == Payer).then_some("PRE-GOOGLE-ADS-PAYER")
            );
        }
    }

    #[test]
    fn a_name_that_exists_is_looked_up_only_when_we_were_creating() {
        let echo = (
            "newResourceCreationError",
            "TEMP_ID_RESOURCE_HAD_ERRORS",
            json!({}),
        );
        let twice = ("campaignError", "DUPLICATE_CAMPAIGN_NAME", json!({}));
        let answer = failure(400, &[echo.clone(), twice]);
        assert!(matches!(of(&answer, Call::Create), CallError::Unclear { .. }));
        assert_eq!(refused(of(&answer, Call::Change)).class, Validation);
        // Alone an echo is still a refusal.
        assert_eq!(
            refused(of(&failure(400, &[echo]), Call::Create)).class,
            Validation
        );
    }

    #[test]
    fn the_worst_of_several_decides() {
        let again = ("databaseError", "CONCURRENT_MODIFICATION", json!({}));
        let policy = ("policyFindingError", "POLICY_FINDING", json!({}));
        let answer = failure(409, &[again.clone(), policy]);
        assert_eq!(refused(of(&answer, Call::Create)).class, Policy);
        let error = of(&failure(500, &[again]), Call::Create);
        assert!(matches!(error, CallError::Unavailable { .. }), "{error:?}");
    }

    #[test]
    fn quota_waits_as_long_as_google_says() {
        let details =
            |delay: &str| json!({"quotaErrorDetails": {"rateScope": "ACCOUNT", "retryDelay": delay}});
        for (name, details, wanted) in [
            ("RESOURCE_TEMPORARILY_EXHAUSTED", details("30s"), Some(30)),
            ("RESOURCE_TEMPORARILY_EXHAUSTED", details("1.5s"), Some(2)),
            ("RESOURCE_TEMPORARILY_EXHAUSTED", json!({}), None),
            ("RESOURCE_EXHAUSTED", json!({}), Some(900)),
        ] {
            match of(&failure(429, &[("quotaError", name, details)]), Call::Create) {
                CallError::Unavailable { after, .. } => assert_eq!(after, wanted.map(Duration::from_secs)),
                other @ (CallError::Refused(_) | CallError::Unclear { .. }) => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_budget_stands_beside_its_limit() {
        let details = json!({"budgetPerDayMinimumErrorDetails": {
            "currencyCode": "EUR", "minimumBudgetAmountMicros": "1500000", "failedBudgetAmountMicros": "1000000"}});
        let answer = failure(
            400,
            &[("campaignBudgetError", "BUDGET_BELOW_PER_DAY_MINIMUM", details)],
        );
        let error = refused(of(&answer, Call::Create));
        assert_eq!(error.class, Budget);
        assert_eq!(error.plan_amount.as_deref(), Some("1.00 EUR"));
        assert_eq!(error.platform_limit.as_deref(), Some("at least 1.50 EUR"));
    }

    #[test]
    fn a_policy_finding_names_its_topics() {
        let details = json!({"policyFindingDetails": {"policyTopicEntries": [{"topic": "TRADEMARKS", "type": "PROHIBITED"}]}});
        let error = refused(of(
            &failure(400, &[("policyFindingError", "POLICY_FINDING", details)]),
            Call::Create,
        ));
        assert!(
            error.message.contains("TRADEMARKS (PROHIBITED)"),
            "{}",
            error.message
        );
        // A finding can be overridden, and then never serves: Google doesn't call that an exemption.
        assert_eq!(error.exemptible, None);
        let details =
            json!({"policyViolationDetails": {"externalPolicyName": "Symbols", "isExemptible": true}});
        let error = refused(of(
            &failure(400, &[("policyViolationError", "POLICY_ERROR", details)]),
            Call::Create,
        ));
        assert!(
            error.message.contains("an exemption can be asked for"),
            "{}",
            error.message
        );
        assert_eq!(error.exemptible, Some(true));
    }

    #[test]
    fn what_may_have_happened_is_unclear_only_for_writes() {
        let internal = failure(500, &[("internalError", "TRANSIENT_ERROR", json!({}))]);
        let proxy = answer(502, &json!("<html>"));
        for answer in [&internal, &proxy] {
            for call in [Call::Create, Call::Change, Call::Remove] {
                assert!(matches!(of(answer, call), CallError::Unclear { .. }));
            }
            assert!(matches!(of(answer, Call::Read), CallError::Unavailable { .. }));
        }
        // What a later version of the API will name is a refusal, and no trouble that passes.
        let unnamed = failure(400, &[("internalError", "ERROR_CODE_NOT_PUBLISHED", json!({}))]);
        assert_eq!(refused(of(&unnamed, Call::Create)).class, Validation);
        let lost = |call| no_answer(NoAnswer::Lost("reset".into()), call);
        assert!(matches!(lost(Call::Create), CallError::Unclear { .. }));
        assert!(matches!(lost(Call::Read), CallError::Unavailable { .. }));
        assert!(matches!(
            no_answer(NoAnswer::NotSent("refused".into()), Call::Create),
            CallError::Unavailable { .. }
        ));
    }

    #[test]
    fn without_googles_own_errors_http_decides() {
        let empty = json!({});
        assert!(matches!(
            of(&answer(429, &empty), Call::Create),
            CallError::Unavailable { .. }
        ));
        assert_eq!(refused(of(&answer(403, &empty), Call::Read)).class, Auth);
        assert_eq!(refused(of(&answer(307, &empty), Call::Create)).class, Validation);
        assert!(matches!(
            classify(&answer(401, &empty), Call::Create, &[]),
            Trouble::Token(_)
        ));
        let expired = failure(401, &[("authenticationError", "OAUTH_TOKEN_EXPIRED", json!({}))]);
        assert!(matches!(classify(&expired, Call::Create, &[]), Trouble::Token(_)));
    }

    #[test]
    fn removing_what_is_gone_is_success_unless_something_else_is_wrong() {
        let gone = (
            "operationAccessDeniedError",
            "OPERATION_NOT_PERMITTED_FOR_REMOVED_RESOURCE",
            json!({}),
        );
        let missing = ("mutateError", "RESOURCE_NOT_FOUND", json!({}));
        let both = failure(400, &[gone.clone(), missing.clone()]);
        assert_eq!(classify(&both, Call::Remove, &[]), Trouble::Gone);
        let again = ("databaseError", "CONCURRENT_MODIFICATION", json!({}));
        assert!(matches!(
            of(&failure(400, &[gone.clone(), again]), Call::Remove),
            CallError::Unavailable { .. }
        ));
        assert_eq!(
            refused(of(&failure(400, &[missing]), Call::Change)).class,
            Validation
        );
    }
}
