//! `settings` of a TikTok campaign: what only TikTok understands, read with every key known.
//!
//! Must not judge what the settings mean together with the rest of the plan; `check` does.

use crate::domain::spec::LegSpec;
use crate::platform::Problem;
use serde::Deserialize;
use serde_json::Value;

/// Who an ad speaks for (`identity_type` of the vendor's SDK).
pub(super) const IDENTITIES: &[&str] = &["CUSTOMIZED_USER", "AUTH_CODE", "TT_USER", "BC_AUTH_TT"];

/// `settings` of a TikTok campaign.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Settings {
    /// One of [`IDENTITIES`].
    pub(super) identity_type: String,
    /// The identity.
    pub(super) identity_id: String,
    /// The Business Center that lent it (`BC_AUTH_TT`).
    pub(super) identity_authorized_bc_id: Option<String>,
    /// The pixel whose event counts.
    pub(super) pixel_id: Option<String>,
    /// `SHOPPING`, `FORM`, `ON_WEB_REGISTER` …
    pub(super) optimization_event: Option<String>,
    /// The app.
    pub(super) app_id: Option<String>,
    /// `android` or `ios`.
    pub(super) app_os: Option<String>,
    /// The catalog whose products the ads show; otherwise the plan's.
    pub(super) catalog_id: Option<String>,
    /// The Business Center that holds it; otherwise the plan's.
    pub(super) catalog_authorized_bc_id: Option<String>,
    /// Only the products of this set.
    pub(super) product_set_id: Option<String>,
    /// What plays under carousels.
    pub(super) music_id: Option<String>,
    /// Where the ads are shown; none: on TikTok only.
    pub(super) placements: Vec<String>,
    /// `HOUSING`, `EMPLOYMENT`, `CREDIT`.
    pub(super) special_industries: Vec<String>,
    /// `fixed` (default): never more than the budget in a day; `dynamic`: on average over a week, at most 125 % in a day.
    pub(super) daily_budget: Option<String>,
    /// `macro` (default) or `injected`: the literal campaign id in `utm_campaign`.
    pub(super) tracking: Option<String>,
}

pub(super) const KNOWN: &[&str] = &[
    "identity_type",
    "identity_id",
    "identity_authorized_bc_id",
    "pixel_id",
    "optimization_event",
    "app_id",
    "app_os",
    "catalog_id",
    "catalog_authorized_bc_id",
    "product_set_id",
    "music_id",
    "placements",
    "special_industries",
    "daily_budget",
    "tracking",
];

fn problem(key: &str, what: impl Into<String>, remedy: impl Into<String>) -> Problem {
    Problem {
        pointer: format!("/settings/{key}"),
        what: what.into(),
        remedy: remedy.into(),
    }
}

/// Reads `settings`; a key that nobody reads is refused with the nearest one.
pub(super) fn settings(spec: &LegSpec) -> Result<Settings, Problem> {
    let given = &spec.campaign.settings;
    if let Some(unknown) = given.keys().find(|k| !KNOWN.contains(&k.as_str())) {
        let nearest = KNOWN
            .iter()
            .min_by_key(|k| strsim::damerau_levenshtein(k, unknown))
            .unwrap_or(&"identity_id");
        return Err(problem(
            unknown,
            format!("TikTok has no setting {unknown}"),
            format!("did you mean {nearest}? settings: {}", KNOWN.join(", ")),
        ));
    }
    let read = Settings::deserialize(Value::Object(given.clone())).map_err(|error| Problem {
        pointer: "/settings".to_owned(),
        what: error.to_string(),
        remedy: "ids are texts, placements and special_industries are lists".to_owned(),
    })?;
    if read.identity_id.is_empty() {
        return Err(problem(
            "identity_id",
            "an ad speaks for an identity",
            "set settings.identity_type and settings.identity_id",
        ));
    }
    if !IDENTITIES.contains(&read.identity_type.as_str()) {
        return Err(problem(
            "identity_type",
            format!("{:?} is no type of identity", read.identity_type),
            format!("use one of {}", IDENTITIES.join(", ")),
        ));
    }
    if read.identity_type == "BC_AUTH_TT" && read.identity_authorized_bc_id.is_none() {
        return Err(problem(
            "identity_authorized_bc_id",
            "an identity of type BC_AUTH_TT is lent by a Business Center",
            "set settings.identity_authorized_bc_id",
        ));
    }
    for (key, value, known) in [
        ("tracking", &read.tracking, ["macro", "injected"]),
        ("daily_budget", &read.daily_budget, ["fixed", "dynamic"]),
        ("app_os", &read.app_os, ["android", "ios"]),
    ] {
        if let Some(value) = value
            && !known.contains(&value.as_str())
        {
            let [one, other] = known;
            return Err(problem(
                key,
                format!("{key} is {one:?} or {other:?}, not {value:?}"),
                format!("use {one:?} or {other:?}, or take it out"),
            ));
        }
    }
    Ok(read)
}

impl Settings {
    /// The catalog and the Business Center that holds it: the campaign's own, else the plan's.
    pub(super) fn catalog<'s>(&'s self, spec: &'s LegSpec) -> (Option<&'s str>, Option<&'s str>) {
        let plan = spec.catalog.as_ref();
        let id = self.catalog_id.as_deref();
        let center = self.catalog_authorized_bc_id.as_deref();
        (
            id.or_else(|| plan.and_then(|c| c.tiktok_catalog_id.as_deref())),
            center.or_else(|| plan.and_then(|c| c.tiktok_bc_id.as_deref())),
        )
    }
}
