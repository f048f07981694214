//! `settings` of a Meta campaign: what only Meta understands, read with every key known.
//!
//! Must not judge what the settings mean together with the rest of the plan; `check` does.

use crate::domain::spec::LegSpec;
use crate::platform::Problem;
use serde::Deserialize;
use serde_json::Value;

/// `settings` of a Meta campaign.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Settings {
    /// The Facebook page the ads speak for.
    pub(super) page_id: String,
    /// The Instagram account they speak for.
    pub(super) instagram_user_id: Option<String>,
    /// Who benefits (EU).
    pub(super) dsa_beneficiary: Option<String>,
    /// Who pays (EU).
    pub(super) dsa_payor: Option<String>,
    /// `[]` or some of Meta's.
    pub(super) special_ad_categories: Vec<String>,
    /// Where they apply; empty: where the campaign runs.
    pub(super) special_ad_category_country: Vec<String>,
    /// The pixel whose event counts.
    pub(super) pixel_id: Option<String>,
    /// `PURCHASE`, `LEAD` …
    pub(super) custom_event_type: Option<String>,
    /// The app.
    pub(super) application_id: Option<String>,
    /// Its store page.
    pub(super) object_store_url: Option<String>,
    /// The products that catalog ads show.
    pub(super) product_set_id: Option<String>,
    /// Meta's own language ids.
    pub(super) locales: Vec<u32>,
    /// `macro` (default) or `injected`: the literal campaign id in `utm_campaign`.
    pub(super) tracking: Option<String>,
}

pub(super) const KNOWN: &[&str] = &[
    "page_id",
    "instagram_user_id",
    "dsa_beneficiary",
    "dsa_payor",
    "special_ad_categories",
    "special_ad_category_country",
    "pixel_id",
    "custom_event_type",
    "application_id",
    "object_store_url",
    "product_set_id",
    "locales",
    "tracking",
];

/// Reads `settings`; a key that nobody reads is refused with the nearest one.
pub(super) fn settings(spec: &LegSpec) -> Result<Settings, Problem> {
    let given = &spec.campaign.settings;
    if let Some(unknown) = given.keys().find(|k| !KNOWN.contains(&k.as_str())) {
        let nearest = KNOWN
            .iter()
            .min_by_key(|k| strsim::damerau_levenshtein(k, unknown))
            .unwrap_or(&"page_id");
        return Err(Problem {
            pointer: format!("/settings/{unknown}"),
            what: format!("Meta has no setting {unknown}"),
            remedy: format!("did you mean {nearest}? settings: {}", KNOWN.join(", ")),
        });
    }
    let read = Settings::deserialize(Value::Object(given.clone())).map_err(|error| Problem {
        pointer: "/settings".to_owned(),
        what: error.to_string(),
        remedy: "ids and names are texts, categories and locales are lists".to_owned(),
    })?;
    if read.page_id.is_empty() {
        return Err(Problem {
            pointer: "/settings/page_id".to_owned(),
            what: "an ad speaks for a Facebook page".to_owned(),
            remedy: "set settings.page_id".to_owned(),
        });
    }
    if !matches!(read.tracking.as_deref(), None | Some("macro" | "injected")) {
        return Err(Problem {
            pointer: "/settings/tracking".to_owned(),
            what: "tracking is \"macro\" or \"injected\"".to_owned(),
            remedy: "take it out to use macros".to_owned(),
        });
    }
    Ok(read)
}
