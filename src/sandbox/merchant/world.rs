//! What `POST /control/world` can say about a Merchant Center account:
//! ```json
//! {"merchant": "red"}
//! {"merchant": {"555666": "suspended", "*": {"state": "green", "countries": ["DE", "AT"], "active": 990}}}
//! {"merchant": {"555666": {"item_issues": [{"code": "image_link_broken", "severity": "DISAPPROVED",
//!                "resolution": "MERCHANT_ACTION", "country": "DE", "context": "SHOPPING_ADS", "count": 10}],
//!              "account_issues": [{"id": "misrepresentation", "severity": "CRITICAL", "countries": ["DE"],
//!                "contexts": ["SHOPPING_ADS"]}],
//!              "data_sources": [{"id": "7", "name": "Main feed", "state": "FAILED", "countries": ["DE"]}]}}}
//! ```
//! States: `green` · `amber` (an issue in processing, an account issue that is no more than an error) · `red` (ten products
//! disapproved in each country) · `suspended` (an account issue that stops serving) · `feed_failed` · `no_access` ·
//! `not_registered` (the Cloud project) · `advanced` (an account of accounts, which has no products of its own).
//!
//! Must not answer a request.

use super::refuse;
use crate::sandbox::http::Answer;
use crate::sandbox::world::World;
use serde::Deserialize;
use serde_json::{Map, Value};

/// Where an account's products are shown unless the world says otherwise.
const COUNTRIES: &[&str] = &["AT", "CH", "DE", "FR", "GB", "US"];
const STATES: &[&str] = &[
    "green",
    "amber",
    "red",
    "suspended",
    "feed_failed",
    "no_access",
    "not_registered",
    "advanced",
];

fn everywhere() -> Vec<String> {
    COUNTRIES.iter().map(|c| (*c).to_owned()).collect()
}

fn shopping() -> String {
    "SHOPPING_ADS".to_owned()
}

fn shopping_only() -> Vec<String> {
    vec![shopping()]
}

/// One issue of products in a country; none: in each.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ItemIssue {
    pub(super) code: String,
    pub(super) severity: String,
    #[serde(default = "merchant_action")]
    pub(super) resolution: String,
    pub(super) country: Option<String>,
    #[serde(default = "shopping")]
    pub(super) context: String,
    pub(super) count: u64,
    #[serde(default)]
    pub(super) attribute: String,
}

fn merchant_action() -> String {
    "MERCHANT_ACTION".to_owned()
}

/// One issue of the account; without countries: in every region.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AccountIssue {
    pub(super) id: String,
    pub(super) severity: String,
    #[serde(default)]
    pub(super) title: Option<String>,
    #[serde(default)]
    pub(super) countries: Vec<String>,
    #[serde(default = "shopping_only")]
    pub(super) contexts: Vec<String>,
}

/// One data source.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Source {
    pub(super) id: String,
    #[serde(default)]
    pub(super) name: Option<String>,
    /// `API`, `FILE`, `UI`, `AUTOFEED`.
    #[serde(default = "file")]
    pub(super) input: String,
    /// `primary`, `supplemental`, `promotion`.
    #[serde(default = "primary")]
    pub(super) kind: String,
    /// Of the latest file upload; none: there never was one.
    #[serde(default)]
    pub(super) state: Option<String>,
    #[serde(default)]
    pub(super) countries: Vec<String>,
    /// `{"code", "severity", "count"}` of the latest file upload.
    #[serde(default)]
    pub(super) issues: Vec<UploadIssue>,
}

/// One issue of a file upload.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UploadIssue {
    pub(super) code: String,
    pub(super) severity: String,
    pub(super) count: u64,
}

fn file() -> String {
    "FILE".to_owned()
}

fn primary() -> String {
    "primary".to_owned()
}

/// What the world says about an account, its state spelled out.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::sandbox) struct Settings {
    #[serde(default)]
    state: String,
    #[serde(default = "everywhere")]
    pub(super) countries: Vec<String>,
    /// Active products in each country.
    #[serde(default = "thousand")]
    pub(super) active: u64,
    #[serde(default)]
    pub(super) item_issues: Vec<ItemIssue>,
    #[serde(default)]
    pub(super) account_issues: Vec<AccountIssue>,
    #[serde(default = "one_feed")]
    pub(super) data_sources: Vec<Source>,
}

fn thousand() -> u64 {
    1000
}

fn one_feed() -> Vec<Source> {
    vec![feed("SUCCEEDED")]
}

fn feed(state: &str) -> Source {
    Source {
        id: "10001".to_owned(),
        name: Some("Main feed".to_owned()),
        input: file(),
        kind: primary(),
        state: Some(state.to_owned()),
        countries: Vec::new(),
        issues: Vec::new(),
    }
}

fn item(code: &str, severity: &str, resolution: &str, count: u64) -> ItemIssue {
    ItemIssue {
        code: code.to_owned(),
        severity: severity.to_owned(),
        resolution: resolution.to_owned(),
        country: None,
        context: shopping(),
        count,
        attribute: "image link".to_owned(),
    }
}

fn issue(id: &str, severity: &str, title: &str) -> AccountIssue {
    AccountIssue {
        id: id.to_owned(),
        severity: severity.to_owned(),
        title: Some(title.to_owned()),
        countries: Vec::new(),
        contexts: shopping_only(),
    }
}

impl Settings {
    /// What holds for an account: what is said about it, over what is said about all.
    pub(super) fn of(world: &World, account: &str) -> Self {
        let mut map = Map::new();
        for key in ["*", account] {
            map.extend(world.switches.merchant.get(key).cloned().unwrap_or_default());
        }
        // What `set` let in parses; an empty map is the default.
        let mut settings = parse(&map).unwrap_or_else(|_| Self {
            state: "no_access".to_owned(),
            countries: everywhere(),
            active: 0,
            item_issues: Vec::new(),
            account_issues: Vec::new(),
            data_sources: Vec::new(),
        });
        match settings.state.as_str() {
            "amber" => {
                settings.item_issues.push(item(
                    "pending_initial_review",
                    "DISAPPROVED",
                    "PENDING_PROCESSING",
                    3,
                ));
                let title = "Website claim will expire soon";
                settings
                    .account_issues
                    .push(issue("home_page_issue", "ERROR", title));
            }
            "red" => {
                settings
                    .item_issues
                    .push(item("image_link_broken", "DISAPPROVED", "MERCHANT_ACTION", 10))
            }
            "suspended" => settings.account_issues.push(issue(
                "misrepresentation-of-self-or-products-unacceptable-business-practice-policy",
                "CRITICAL",
                "Account suspended for policy violation: Misrepresentation",
            )),
            "feed_failed" => settings.data_sources = vec![feed("FAILED")],
            _ => {}
        }
        settings
    }

    /// What the account refuses to everybody.
    pub(super) fn refusal(&self, account: &str, aggregates: bool) -> Option<Answer> {
        match self.state.as_str() {
            // Seen in the wild: these two are 401, though the token is good.
            "no_access" => {
                let message = format!("The caller does not have access to the accounts: [{account}]");
                Some(refuse(401, &message, "PERMISSION_DENIED_ACCOUNTS", &[]))
            }
            "not_registered" => {
                let message =
                    "GCP project with id sandbox and number 1 is not registered with the merchant account.";
                Some(refuse(
                    401,
                    message,
                    "GCP_NOT_REGISTERED",
                    &[("GCP_ID", "sandbox")],
                ))
            }
            // "Can only be sub-accounts and standalone accounts", says the field `parent`.
            "advanced" if aggregates => {
                let message = format!("The account {account} is an advanced account, which has no products.");
                Some(refuse(
                    400,
                    &message,
                    "INVALID_ARGUMENT",
                    &[("FIELD_LOCATION", "parent")],
                ))
            }
            _ => None,
        }
    }
}

fn parse(map: &Map<String, Value>) -> Result<Settings, String> {
    let settings: Settings =
        serde_json::from_value(Value::Object(map.clone())).map_err(|e| format!("merchant: {e}"))?;
    if !settings.state.is_empty() && !STATES.contains(&settings.state.as_str()) {
        return Err(format!("{} is not one of {}", settings.state, STATES.join(", ")));
    }
    let one_of = |what: &str, value: &str, known: &[&str]| {
        if known.contains(&value) {
            Ok(())
        } else {
            Err(format!("{what} {value:?} is not one of {}", known.join(", ")))
        }
    };
    for issue in &settings.item_issues {
        one_of(
            "severity",
            &issue.severity,
            &["NOT_IMPACTED", "DEMOTED", "DISAPPROVED"],
        )?;
        one_of(
            "resolution",
            &issue.resolution,
            &["MERCHANT_ACTION", "PENDING_PROCESSING"],
        )?;
        one_of("context", &issue.context, super::lists::CONTEXTS)?;
    }
    for issue in &settings.account_issues {
        one_of("severity", &issue.severity, &["CRITICAL", "ERROR", "SUGGESTION"])?;
        for context in &issue.contexts {
            one_of("context", context, super::lists::CONTEXTS)?;
        }
    }
    for source in &settings.data_sources {
        one_of("input", &source.input, &["API", "FILE", "UI", "AUTOFEED"])?;
        one_of("kind", &source.kind, &["primary", "supplemental", "promotion"])?;
        if let Some(state) = &source.state {
            one_of("state", state, &["FAILED", "IN_PROGRESS", "SUCCEEDED"])?;
        }
        for issue in &source.issues {
            one_of("severity", &issue.severity, &["WARNING", "ERROR"])?;
        }
    }
    Ok(settings)
}

/// Takes a switch in: a state for every account, or states and settings by account id, `*` for those not named.
pub(in crate::sandbox) fn set(world: &mut World, value: &Value) -> Result<(), String> {
    let mut one = |account: &str, value: &Value| {
        let map = match value {
            Value::String(state) => Map::from_iter([("state".to_owned(), state.as_str().into())]),
            Value::Object(map) => map.clone(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
                return Err("a Merchant Center account is set to a state or an object".to_owned());
            }
        };
        parse(&map)?;
        let about = world.switches.merchant.entry(account.to_owned()).or_default();
        about.extend(map);
        Ok(())
    };
    match value {
        Value::Object(map) => map.iter().try_for_each(|(account, value)| one(account, value)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            one("*", value)
        }
    }
}
