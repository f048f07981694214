//! Google's errors, in one table: what each means for a call.
//!
//! Must not look at anything but the answer: the same answer to the same kind of call always means the same.
//!
//! Sources: google/ads/googleads/v26/errors/*.proto (names, comments);
//! developers.google.com/google-ads/api/docs/best-practices/understand-api-errors (HTTP codes);
//! developers.google.com/google-ads/api/docs/common-errors. By `errorCode` first: HTTP is only a coarse hint.

use super::wire::{BudgetMinimumDetails, ErrorBody, Failure, GoogleAdsError, Int64, Status};
use crate::domain::error::{ErrorClass, LegError};
use crate::domain::money::{Currency, Money};
use crate::outbound::google_oauth::TokenError;
use crate::outbound::{Answer, NoAnswer};
use crate::platform::CallError;
use std::time::Duration;

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

/// What an error code means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Means {
    /// Not done; soon it may work.
    Again,
    /// Not done; it may work after so many seconds, unless Google names its own delay.
    Later(u64),
    /// Done or not.
    Perhaps,
    /// The access token is not accepted (any more); nothing was done.
    Token,
    /// A thing of that name, or that very link, is there already.
    Exists,
    /// The object is not there any more.
    Gone,
    /// Only repeats what is wrong with a parent.
    Echo,
    /// No, and no again.
    No(ErrorClass, &'static str),
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

use ErrorClass::{Account, Auth, Budget, Payer, Policy, Validation};
use Means::{Again, Echo, Exists, Gone, Later, No, Perhaps, Token};

const RECONNECT: &str =
    "reconnect the Google account: put a new credential into the credential file; then `retry`";
const ACCESS: &str =
    "give the credential's user access to this Google Ads account (or correct `login_account_id`)";
const ACCOUNT: &str = "the account must be enabled in Google Ads; then `retry`";
const PROJECT: &str = "the Google Cloud project of the OAuth client needs API access to production accounts";
const EU: &str =
    "declare in Google Ads for every campaign of the account whether it contains political advertising";
const CREATIVE: &str = "change the text in a new approval of the plan, or ask Google for a review";
const AMOUNT: &str = "change the budget in a new approval of the plan";
const PERIOD: &str =
    "Google cannot change a budget's period: plan the campaign anew under another logical_campaign_key";
const FULL: &str =
    "the account holds as many of these as Google allows: remove old ones or ask Google for more";
const PLAN: &str = "correct the plan and approve it again";
const NAME: &str = "another object of the account bears this name: rename or remove that one; then `retry`";
const REBUILD: &str = "somebody removed it in Google Ads: `replay` or `retry` builds what is missing";

/// Family (`errorCode`'s key), name (`*`: all others of the family), meaning.
const TABLE: &[(&str, &str, Means)] = &[
    // internal_error.proto
    ("internalError", "*", Perhaps),
    // database_error.proto: "Retry the request."; a violation is "usually replaced with a more specific error".
    ("databaseError", "CONCURRENT_MODIFICATION", Again),
    ("databaseError", "DATA_CONSTRAINT_VIOLATION", Again),
    // quota_error.proto; how long: developers.google.com/google-ads/api/docs/best-practices/quotas.
    ("quotaError", "RESOURCE_TEMPORARILY_EXHAUSTED", Again),
    (
        "quotaError",
        "EXCESSIVE_SHORT_TERM_QUERY_RESOURCE_CONSUMPTION",
        Later(60),
    ),
    ("quotaError", "RESOURCE_EXHAUSTED", Later(900)),
    (
        "quotaError",
        "EXCESSIVE_LONG_TERM_QUERY_RESOURCE_CONSUMPTION",
        Later(3600),
    ),
    (
        "quotaError",
        "PAYMENTS_PROFILE_ACTIVATION_RATE_LIMIT_EXCEEDED",
        No(Payer, ACCOUNT),
    ),
    ("quotaError", "ACCESS_PROHIBITED", No(Auth, PROJECT)),
    // authentication_error.proto
    ("authenticationError", "OAUTH_TOKEN_EXPIRED", Token),
    ("authenticationError", "OAUTH_TOKEN_INVALID", Token),
    ("authenticationError", "AUTHENTICATION_ERROR", Token),
    ("authenticationError", "CUSTOMER_NOT_FOUND", No(Account, ACCESS)),
    (
        "authenticationError",
        "CLIENT_CUSTOMER_ID_INVALID",
        No(Account, ACCESS),
    ),
    ("authenticationError", "*", No(Auth, RECONNECT)),
    // authorization_error.proto
    ("authorizationError", "CUSTOMER_NOT_ENABLED", No(Account, ACCOUNT)),
    ("authorizationError", "INCOMPLETE_SIGNUP", No(Account, ACCOUNT)),
    (
        "authorizationError",
        "ACTION_NOT_PERMITTED_FOR_SUSPENDED_ACCOUNT",
        No(Account, ACCOUNT),
    ),
    (
        "authorizationError",
        "ACCESS_DENIED_FOR_ACCOUNT_TYPE",
        No(Account, ACCESS),
    ),
    (
        "authorizationError",
        "CLOUD_PROJECT_NOT_APPROVED_FOR_PRODUCTION",
        No(Auth, PROJECT),
    ),
    ("authorizationError", "PROJECT_DISABLED", No(Auth, PROJECT)),
    ("authorizationError", "MISSING_TOS", No(Auth, PROJECT)),
    ("authorizationError", "*", No(Auth, ACCESS)),
    ("headerError", "*", No(Auth, ACCESS)),
    // operation_access_denied_error.proto
    (
        "operationAccessDeniedError",
        "OPERATION_NOT_PERMITTED_FOR_REMOVED_RESOURCE",
        Gone,
    ),
    ("operationAccessDeniedError", "*", No(Auth, ACCESS)),
    ("resourceAccessDeniedError", "*", No(Auth, ACCESS)),
    ("notAllowlistedError", "*", No(Auth, ACCESS)),
    // Compliance gates: mutate_error.proto, criterion_error.proto, campaign_error.proto.
    (
        "mutateError",
        "EU_POLITICAL_ADVERTISING_DECLARATION_REQUIRED",
        No(Account, EU),
    ),
    (
        "criterionError",
        "MISSING_EU_POLITICAL_ADVERTISING_SELF_DECLARATION",
        No(Account, EU),
    ),
    ("campaignError", "HEC_AGREEMENT_REQUIRED", No(Account, ACCOUNT)),
    // policy_finding_error.proto (ads), policy_violation_error.proto (keywords)
    ("policyFindingError", "*", No(Policy, CREATIVE)),
    ("policyViolationError", "*", No(Policy, CREATIVE)),
    ("policyValidationParameterError", "*", No(Policy, CREATIVE)),
    // Billing: these come from other services, and payer trouble wherever they show up.
    ("billingSetupError", "*", No(Payer, ACCOUNT)),
    ("accountBudgetProposalError", "*", No(Payer, ACCOUNT)),
    ("paymentsAccountError", "*", No(Payer, ACCOUNT)),
    (
        "biddingError",
        "NOT_COMPATIBLE_WITH_PAYMENT_MODE",
        No(Payer, ACCOUNT),
    ),
    // Duplicates. On a create: look it up, it may be ours.
    ("campaignError", "DUPLICATE_CAMPAIGN_NAME", Exists),
    ("campaignError", "CAMPAIGN_LABEL_ALREADY_EXISTS", Exists),
    ("campaignBudgetError", "DUPLICATE_NAME", Exists),
    ("adGroupError", "DUPLICATE_ADGROUP_NAME", Exists),
    ("labelError", "DUPLICATE_NAME", Exists),
    ("mutateError", "RESOURCE_ALREADY_EXISTS", Exists),
    ("campaignCriterionError", "CANNOT_ADD_EXISTING_FIELD", Exists),
    // campaign_budget_error.proto, campaign_error.proto, bidding_error.proto
    ("campaignBudgetError", "CAMPAIGN_BUDGET_REMOVED", Gone),
    (
        "campaignBudgetError",
        "CAMPAIGN_BUDGET_IN_USE",
        No(Validation, PLAN),
    ),
    ("campaignBudgetError", "*", No(Budget, AMOUNT)),
    ("campaignError", "CANNOT_CHANGE_BUDGET_PERIOD", No(Budget, PERIOD)),
    ("campaignError", "INCOMPATIBLE_BUDGET_TYPE", No(Budget, AMOUNT)),
    (
        "campaignError",
        "NOT_COMPATIBLE_WITH_BUDGET_TYPE",
        No(Budget, AMOUNT),
    ),
    (
        "campaignError",
        "DURATION_TOO_LONG_FOR_TOTAL_BUDGET",
        No(Budget, AMOUNT),
    ),
    (
        "campaignError",
        "END_DATE_TIME_REQUIRED_FOR_TOTAL_BUDGET",
        No(Budget, AMOUNT),
    ),
    (
        "biddingError",
        "BIDDING_STRATEGY_TYPE_INCOMPATIBLE_WITH_SHARED_BUDGET",
        No(Budget, AMOUNT),
    ),
    // mutate_error.proto, new_resource_creation_error.proto
    ("mutateError", "RESOURCE_NOT_FOUND", Gone),
    ("newResourceCreationError", "TEMP_ID_RESOURCE_HAD_ERRORS", Echo),
    // resource_count_limit_exceeded_error.proto
    ("resourceCountLimitExceededError", "*", No(Validation, FULL)),
];

fn meaning(family: &str, name: &str) -> Means {
    let row = |wanted: &str| TABLE.iter().find(|(f, n, _)| *f == family && *n == wanted);
    row(name)
        .or_else(|| row("*"))
        .map_or(No(Validation, PLAN), |(_, _, means)| *means)
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
    }
}

/// Google's id of the request, from the body of a failure.
fn request_id(status: &Status) -> Option<&str> {
    status
        .details
        .iter()
        .find_map(|failure: &Failure| failure.request_id.as_deref())
}
