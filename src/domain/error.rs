//! What can go wrong with a call to a platform, in the classes of the design (§8), and the shape in which events and
//! rows carry it.
//!
//! Must not know any vendor's codes: each platform folder has one table that maps them to these.

use serde::{Deserialize, Serialize};

/// The class of a failure: it alone decides what happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// Later, by the platform's hint.
    Transient,
    /// The outcome is not known: look it up.
    Unknown,
    /// A field the platform does not accept.
    Validation,
    /// Too low, above a limit, wrong unit.
    Budget,
    /// The payer is in trouble; routed to the agency.
    Payer,
    /// Disapproved.
    Policy,
    /// The token or the account is in trouble.
    Auth,
    /// The account is closed, suspended or not provisioned.
    Account,
    /// An asset is not there.
    AssetMissing,
}

impl ErrorClass {
    /// Every class.
    pub const ALL: [Self; 9] = [
        Self::Transient,
        Self::Unknown,
        Self::Validation,
        Self::Budget,
        Self::Payer,
        Self::Policy,
        Self::Auth,
        Self::Account,
        Self::AssetMissing,
    ];

    /// As messages, rows and metric labels spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::Unknown => "unknown",
            Self::Validation => "validation",
            Self::Budget => "budget",
            Self::Payer => "payer",
            Self::Policy => "policy",
            Self::Auth => "auth",
            Self::Account => "account",
            Self::AssetMissing => "asset_missing",
        }
    }
}

/// The `error` of an event (contract §1): what failed, where, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LegError {
    /// Decides what happens next.
    pub class: ErrorClass,
    /// Ours, stable, kebab-case: `google-ads-refused`, `tracking-qc` …
    pub code: String,
    /// For a person.
    pub message: String,
    /// The platform's field, or a JSON pointer into the plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The platform's own code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform_code: Option<String>,
    /// The platform's own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform_message: Option<String>,
    /// What the plan asks for, decimal with currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_amount: Option<String>,
    /// What the platform allows, decimal with currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform_limit: Option<String>,
    /// `PRE-<PLATFORM>-PAYER` for payer trouble.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert_code: Option<String>,
    /// `agency_master` for payer trouble.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// Policy only: whether the platform takes a request for an exemption from this finding; none: it doesn't say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exemptible: Option<bool>,
    /// What to do.
    pub remedy: String,
}

impl LegError {
    /// The least an error says; fill in more with struct update.
    #[must_use]
    pub fn new(class: ErrorClass, code: &str, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            class,
            code: code.to_owned(),
            message: message.into(),
            field: None,
            platform_code: None,
            platform_message: None,
            plan_amount: None,
            platform_limit: None,
            alert_code: None,
            route: None,
            exemptible: None,
            remedy: remedy.into(),
        }
    }

    /// Payer trouble: alert code and route as the owner's spec wants them, never the client's own billing.
    #[must_use]
    pub fn payer(platform: &str, message: impl Into<String>) -> Self {
        Self {
            alert_code: Some(format!("PRE-{}-PAYER", platform.to_uppercase())),
            route: Some(super::clock::AGENCY_MASTER.to_owned()),
            ..Self::new(
                ErrorClass::Payer,
                "payer",
                message,
                "the agency's billing team settles the payer; then `retry` this plan version",
            )
        }
    }
}
