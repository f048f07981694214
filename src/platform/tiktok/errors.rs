//! TikTok's errors → the port's: one table of codes, with sources.
//!
//! Must not look at anything but the answer. An error comes with HTTP 200 and a `code` that is not 0; there is no Retry-After.
//!
//! Codes: `tiktok_business/tiktok_code.py` of the vendor's SDK (tiktok-business-api-sdk-official 1.1.3). What they mean for us is
//! said at each row; where the vendor gives no more than a name, the name is taken at its word.

use crate::domain::error::{ErrorClass, LegError};
use crate::outbound::Answer;
use crate::platform::CallError;
use serde_json::Value;
use std::time::Duration;

/// Our code for "there is no such object, or we cannot see it".
pub(super) const GONE: &str = "tiktok-gone";
/// Our code for "it has these values already".
pub(super) const NO_CHANGE: &str = "tiktok-no-change";
/// Our code for "something bears that name".
pub(super) const TAKEN: &str = "tiktok-name-taken";
/// Our code for "campaigns of this objective are not made by hand any more".
pub(super) const SMART_PLUS: &str = "tiktok-smart-plus";
/// Our code for "it is being transcoded".
pub(super) const TRANSCODING: &str = "tiktok-transcoding";

/// The answer says so itself, object by object.
pub(super) const PARTIAL: i64 = 20_001;

/// The kind of call that an answer belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    /// Changes nothing.
    Read,
    /// Changes something.
    Write,
}

/// What a code means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Means {
    /// Trouble of TikTok's own: it may have had an effect.
    Perhaps,
    /// Nothing was done; come back after so many seconds.
    Later(u64),
    /// Something that we have a code of our own for.
    Known(&'static str),
    /// No, and why.
    No(ErrorClass, &'static str),
    /// The code says next to nothing: see [`WORDS`].
    Words,
}

const RECONNECT: &str = "authorise the app anew and renew the TikTok credential, then `retry`";
const ACCESS: &str = "give the app access to this ad account and what the campaign uses in TikTok's Business Center, then `retry`";
const PLAN: &str = "correct the plan and publish it again";
const VERSION: &str = "this version of the API is gone; update the service";
const CREATIVE: &str = "change the creative, or appeal in TikTok Ads Manager, then `retry`";
const FILE: &str = "mend the file in the asset library, then `retry`";
const BY_HAND: &str = "TikTok wants an upgraded Smart+ campaign for this objective, which this service does not make: plan another objective on \
    TikTok, or make the campaign in TikTok Ads Manager and take it out of the plan";

/// "QPM breach wait about five minutes" (rate limits of the vendor's portal). The code does not say which limit was met:
/// the limit per second is over in one, the one per minute in at most sixty. While TikTok goes on refusing, the app's pace holds
/// all calls, twice as long each time; so the refused one itself need not stay away for long.
const THROTTLE: u64 = 5;

/// The table. A range ends where the next begins to mean something else.
const TABLE: &[(std::ops::RangeInclusive<i64>, Means)] = {
    use ErrorClass::{Account, AssetMissing, Auth, Policy, Validation};
    use Means::{Known, Later, No, Perhaps, Words};
    &[
        // INVALID_PARAMS, PARAM_ERROR: the catch-alls, whose message must be read.
        (40_000..=40_000, Words),
        (40_002..=40_002, Words),
        // PERMISSION_ERROR ("The advertiser … doesn't exist or has been deleted"), FORBIDDEN.
        (40_001..=40_001, No(Account, ACCESS)),
        (40_003..=40_003, No(Account, ACCESS)),
        // VERSION_ERROR, NOT_IMPL, INVALID_API_VERSION, INTERFACE_OFFLINE, FIELDS_OFFLINE, ROUTE_NOT_FOUND.
        (40_006..=40_006, No(Validation, VERSION)),
        (40_008..=40_008, No(Validation, VERSION)),
        (40_051..=40_051, No(Validation, VERSION)),
        (41_001..=41_002, No(Validation, VERSION)),
        (40_400..=40_400, No(Validation, VERSION)),
        // NOT_EXIST.
        (40_007..=40_007, Known(GONE)),
        // NO_UPDATE: an update that would change nothing.
        (40_012..=40_012, Known(NO_CHANGE)),
        // BIZ_FC_ERROR: flow control.
        (40_016..=40_016, Later(THROTTLE)),
        // DUPLICATED_REQUEST: another one like it is being carried out.
        (40_050..=40_050, Perhaps),
        // REQUEST_TOO_FREQUENT, REQUEST_FREQUENCY_LIMITED, TOO_MANY_REQUESTS_BL.
        (40_100..=40_100, Later(THROTTLE)),
        (40_132..=40_132, Later(THROTTLE)),
        (61_000..=61_000, Later(300)),
        // Tokens: expired, empty, invalid, grants, signatures, logged out, scopes.
        (40_102..=40_110, No(Auth, RECONNECT)),
        (40_112..=40_112, No(Auth, RECONNECT)),
        (40_114..=40_116, No(Auth, RECONNECT)),
        (40_119..=40_120, No(Auth, RECONNECT)),
        (40_130..=40_131, No(Auth, RECONNECT)),
        (40_309..=40_309, No(Auth, RECONNECT)),
        // The app or the account is not let in: APP_FORBIDDEN, NOT_IN_WHITELIST, DEVELOPER_REJECTED, ADVERTISER_NOT_EXIST …
        (40_101..=40_101, No(Account, ACCESS)),
        (40_113..=40_113, No(Account, ACCESS)),
        (
            40_117..=40_118,
            No(
                Account,
                "this feature is for accounts that TikTok lets in: ask the TikTok representative, then `retry`",
            ),
        ),
        (40_121..=40_129, No(Account, ACCESS)),
        (40_300..=40_302, No(Account, ACCESS)),
        (70_001..=70_001, No(Account, ACCESS)),
        // TASK errors and WRITE_CONFLICT: somebody else changes the same object.
        (40_200..=40_201, Later(10)),
        (40_202..=40_202, Later(5)),
        // AD_NUMBER_LIMIT.
        (
            40_502..=40_502,
            No(
                Validation,
                "the account has reached TikTok's limit of ads; delete old ones, then `retry`",
            ),
        ),
        // Media: VIDEO_TRANSCODING; fetching a URL took too long; what cannot be had; what must not be shown.
        (40_901..=40_901, Known(TRANSCODING)),
        (40_902..=40_902, Later(30)),
        (40_913..=40_914, Later(30)),
        (40_904..=40_904, No(Policy, CREATIVE)),
        (40_916..=40_916, No(Policy, CREATIVE)),
        (40_911..=40_911, Known(TAKEN)),
        (40_053..=40_053, No(AssetMissing, FILE)),
        (40_900..=40_915, No(AssetMissing, FILE)),
        // BLOCKED.
        (41_000..=41_000, No(Policy, CREATIVE)),
        // SYS_ERROR, SYS_TIMEOUT, RPC, DB, RDS, TOS and serialisation errors: it may have been done.
        (50_000..=53_999, Perhaps),
        // MAINTENANCE.
        (60_001..=60_001, Later(300)),
    ]
};

/// What the catch-all codes say, told by their words, first match; all lower case. The vendor documents no sub-codes ("read message",
/// it says), so this is a reading of the messages that its documents quote. What fits nothing is a field that TikTok refuses.
const WORDS: &[(&[&str], Means)] = &[
    // Third parties report that creation by hand ends with 2026 for some objectives; TikTok's words for it are not known, but they
    // will name what takes its place.
    (&["smart+"], Means::Known(SMART_PLUS)),
    (&["smart plus"], Means::Known(SMART_PLUS)),
    (&["smart_plus"], Means::Known(SMART_PLUS)),
    (&["name", "already exist"], Means::Known(TAKEN)),
    (&["name", "duplicate"], Means::Known(TAKEN)),
    (&["does not exist"], Means::Known(GONE)),
    (&["doesn't exist"], Means::Known(GONE)),
    (&["has been deleted"], Means::Known(GONE)),
    (&["is deleted"], Means::Known(GONE)),
    (&["balance"], Means::No(ErrorClass::Payer, PLAN)),
    (&["payment"], Means::No(ErrorClass::Payer, PLAN)),
    (
        &["budget"],
        Means::No(
            ErrorClass::Budget,
            "bring the budget within TikTok's limits (in the account's currency; a change needs 105 % of what is spent), then publish the plan again",
        ),
    ),
    (&["transcod"], Means::Known(TRANSCODING)),
    (&["special_industries"], Means::No(ErrorClass::Policy, PLAN)),
];

fn meaning(code: i64, message: &str) -> Means {
    let listed = TABLE.iter().find(|(codes, _)| codes.contains(&code));
    match listed.map(|(_, means)| *means) {
        Some(Means::Words) => {
            let said = message.to_lowercase();
            let fits = |words: &&[&str]| words.iter().all(|word| said.contains(word));
            let told = WORDS.iter().find(|(words, _)| fits(words));
            told.map_or(Means::No(ErrorClass::Validation, PLAN), |(_, means)| *means)
        }
        Some(means) => means,
        // A code that nobody listed: a number below 50000 is a refusal in every case that is documented.
        None if (1..50_000).contains(&code) => Means::No(ErrorClass::Validation, PLAN),
        None => Means::Perhaps,
    }
}

/// Whether it says that we call too often: 40016 BIZ_FC_ERROR, 40100, 40132 REQUEST_FREQUENCY_LIMITED, 61000 TOO_MANY_REQUESTS_BL.
pub(super) fn throttled(body: Option<&Value>) -> bool {
    let code = body.and_then(|b| b.get("code")).and_then(Value::as_i64);
    matches!(code, Some(40_016 | 40_100 | 40_132 | 61_000))
}

/// What is wrong with an answer; `None`: nothing, or [`PARTIAL`].
pub(super) fn classify(answer: &Answer, body: Option<&Value>, call: Call) -> Option<CallError> {
    let perhaps = |why: String| match call {
        Call::Write => CallError::Unclear { why },
        Call::Read => CallError::Unavailable { why, after: None },
    };
    let code = body.and_then(|b| b.get("code")).and_then(Value::as_i64);
    match (answer.status, code) {
        (_, Some(code)) if code != 0 && code != PARTIAL => {
            Some(named(body.unwrap_or(&Value::Null), code, call))
        }
        (200..=299, Some(_)) => None,
        // Cut short, or a proxy's page: it may have been done.
        (200..=299, None) => Some(perhaps("TikTok's answer is not in its own form".to_owned())),
        (429, _) => Some(CallError::Unavailable {
            why: "TikTok throttles".to_owned(),
            after: Some(Duration::from_secs(THROTTLE)),
        }),
        // A gateway that gave up waiting (408, 499) does not know either.
        (status @ (408 | 499 | 500..=599), _) => Some(perhaps(format!("TikTok answered {status}"))),
        (status @ (401 | 403), _) => Some(CallError::refused(of_status(status, ErrorClass::Auth, RECONNECT))),
        (status, _) => Some(CallError::refused(of_status(
            status,
            ErrorClass::Validation,
            PLAN,
        ))),
    }
}

fn of_status(status: u16, class: ErrorClass, remedy: &str) -> LegError {
    LegError {
        platform_code: Some(format!("HTTP {status}")),
        ..LegError::new(
            class,
            "tiktok-refused",
            format!("TikTok answered {status}"),
            remedy,
        )
    }
}

fn named(body: &Value, code: i64, call: Call) -> CallError {
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    let message: String = text("message").chars().take(500).collect();
    let why = format!("TikTok {code}: {message} (request_id {})", text("request_id"));
    match (meaning(code, &message), call) {
        (Means::Perhaps, Call::Write) => CallError::Unclear { why },
        (Means::Perhaps, Call::Read) => CallError::Unavailable { why, after: None },
        (Means::Later(seconds), _) => CallError::Unavailable {
            why,
            after: Some(Duration::from_secs(seconds)),
        },
        (Means::Known(own), _) => CallError::refused(LegError {
            code: own.to_owned(),
            ..refusal(
                code,
                &message,
                ErrorClass::Validation,
                if own == SMART_PLUS { BY_HAND } else { PLAN },
            )
        }),
        (Means::No(ErrorClass::Payer, _), _) => CallError::refused(LegError {
            platform_code: Some(code.to_string()),
            platform_message: Some(message.clone()),
            ..LegError::payer("tiktok", format!("TikTok: {message}"))
        }),
        (Means::No(class, remedy), _) => CallError::refused(refusal(code, &message, class, remedy)),
        (Means::Words, _) => CallError::refused(refusal(code, &message, ErrorClass::Validation, PLAN)),
    }
}

/// A refusal in TikTok's words.
pub(super) fn refusal(code: i64, message: &str, class: ErrorClass, remedy: &str) -> LegError {
    LegError {
        field: field(message),
        platform_code: Some(code.to_string()),
        platform_message: Some(message.to_owned()),
        ..LegError::new(
            class,
            "tiktok-refused",
            format!("TikTok refused it: {message}"),
            remedy,
        )
    }
}

/// The parameter that a message begins with or names: `budget: …`, `Invalid value for adgroup_name`.
fn field(message: &str) -> Option<String> {
    const NAMES: &[&str] = &[
        "advertiser_id",
        "campaign_id",
        "campaign_name",
        "objective_type",
        "budget_mode",
        "budget",
        "adgroup_id",
        "adgroup_name",
        "promotion_type",
        "optimization_goal",
        "optimization_event",
        "billing_event",
        "bid_type",
        "conversion_bid_price",
        "bid_price",
        "roas_bid",
        "pacing",
        "placements",
        "location_ids",
        "age_groups",
        "languages",
        "schedule_start_time",
        "schedule_end_time",
        "pixel_id",
        "app_id",
        "catalog_id",
        "identity_id",
        "identity_type",
        "ad_name",
        "ad_format",
        "ad_text",
        "call_to_action",
        "landing_page_url",
        "video_id",
        "image_ids",
        "music_id",
    ];
    let words = message.split(|c: char| !(c.is_ascii_lowercase() || c == '_'));
    words
        .filter(|word| NAMES.contains(word))
        .map(str::to_owned)
        .next()
}

/// There is no token to call with.
pub(super) fn no_credential(why: &str) -> LegError {
    LegError::new(
        ErrorClass::Auth,
        "tiktok-credential",
        why.to_owned(),
        "put the TikTok credential file where credentials.dir points, then `retry`",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn answer(status: u16) -> Answer {
        Answer {
            status,
            headers: reqwest::header::HeaderMap::new(),
            body: Vec::new(),
        }
    }

    fn told(code: i64, message: &str, call: Call) -> CallError {
        let body = json!({ "code": code, "message": message, "request_id": "2026", "data": {} });
        classify(&answer(200), Some(&body), call).expect("an error")
    }

    fn class(code: i64, message: &str) -> (ErrorClass, String) {
        match told(code, message, Call::Write) {
            CallError::Refused(error) => (error.class, error.code),
            other @ (CallError::Unavailable { .. } | CallError::Unclear { .. }) => {
                panic!("{code}: {other:?}")
            }
        }
    }

    #[test]
    fn every_code_of_the_sdk_means_something() {
        use ErrorClass::{Account, AssetMissing, Auth, Policy, Validation};
        for (code, expected) in [
            (40_001, Account),
            (40_102, Auth),
            (40_105, Auth),
            (40_118, Account),
            (40_300, Account),
            (40_904, Policy),
            (40_916, Policy),
            (40_903, AssetMissing),
            (41_000, Policy),
            (40_502, Validation),
            (40_011, Validation),
            (40_006, Validation),
            (40_061, Validation),
            (40_700, Validation),
        ] {
            assert_eq!(class(code, "no").0, expected, "{code}");
        }
        for (code, own) in [
            (40_007, GONE),
            (40_012, NO_CHANGE),
            (40_911, TAKEN),
            (40_901, TRANSCODING),
        ] {
            assert_eq!(class(code, "no").1, own, "{code}");
        }
    }

    #[test]
    fn trouble_of_tiktoks_own_leaves_a_write_unclear_and_a_read_for_later() {
        for code in [50_000, 50_002, 51_010, 51_067, 52_002, 52_103, 40_050, 99_999, -1] {
            assert!(
                matches!(told(code, "no", Call::Write), CallError::Unclear { .. }),
                "{code}"
            );
            assert!(
                matches!(told(code, "no", Call::Read), CallError::Unavailable { .. }),
                "{code}"
            );
        }
        for (status, body) in [
            (200, None),
            (200, Some(json!({}))),
            (200, Some(json!([]))),
            (503, None),
            (408, None),
        ] {
            let told = classify(&answer(status), body.as_ref(), Call::Write);
            assert!(
                matches!(told, Some(CallError::Unclear { .. })),
                "{status} {body:?}"
            );
        }
    }

    #[test]
    fn throttles_say_when_to_come_back() {
        for (code, seconds) in [
            (40_100, 5),
            (40_016, 5),
            (40_132, 5),
            (61_000, 300),
            (60_001, 300),
            (40_202, 5),
        ] {
            for call in [Call::Read, Call::Write] {
                let told = told(code, "no", call);
                assert!(
                    matches!(told, CallError::Unavailable { after: Some(d), .. } if d.as_secs() == seconds),
                    "{code}: {told:?}"
                );
            }
        }
        let told = classify(&answer(429), None, Call::Write);
        assert!(
            matches!(told, Some(CallError::Unavailable { after: Some(_), .. })),
            "{told:?}"
        );
    }

    #[test]
    fn the_catch_all_is_told_by_its_words() {
        assert_eq!(
            class(40_002, "Campaign name already exists. Use another.").1,
            TAKEN
        );
        assert_eq!(class(40_002, "campaign 18 does not exist").1, GONE);
        let (low, _) = class(40_002, "budget: must be at least 50 EUR");
        assert_eq!(low, ErrorClass::Budget);
        let CallError::Refused(payer) = told(40_002, "The account balance is not enough", Call::Write) else {
            panic!("a refusal");
        };
        assert_eq!(payer.alert_code.as_deref(), Some("PRE-TIKTOK-PAYER"));
        let moved =
            "Manual campaigns are no longer supported for LEAD_GENERATION. Use Upgraded Smart+ instead.";
        let CallError::Refused(moved) = told(40_002, moved, Call::Write) else {
            panic!("a refusal");
        };
        assert_eq!(
            (moved.class, moved.code.as_str()),
            (ErrorClass::Validation, SMART_PLUS)
        );
        assert!(
            moved.remedy.contains("plan another objective"),
            "{}",
            moved.remedy
        );
        let CallError::Refused(field) = told(40_002, "location_ids: 1 is not a location", Call::Write) else {
            panic!("a refusal");
        };
        assert_eq!(field.field.as_deref(), Some("location_ids"));
        assert_eq!(field.class, ErrorClass::Validation);
    }

    #[test]
    fn success_is_code_zero_and_nothing_else() {
        assert_eq!(
            classify(&answer(200), Some(&json!({ "code": 0, "data": {} })), Call::Write),
            None
        );
        assert_eq!(
            classify(
                &answer(200),
                Some(&json!({ "code": 20_001, "data": {} })),
                Call::Write
            ),
            None
        );
        assert!(classify(&answer(500), Some(&json!({ "code": 0 })), Call::Write).is_some());
        assert!(classify(&answer(200), Some(&json!({ "code": "0" })), Call::Write).is_some());
    }
}
