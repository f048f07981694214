//! `settings` of a DV360 campaign: what only DV360 understands, read with every key known.
//!
//! Must not judge what the settings mean together with the rest of the plan; `check` does.

use crate::domain::money::parse_micros;
use crate::domain::spec::LegSpec;
use crate::platform::Problem;
use serde::Deserialize;
use serde_json::Value;

/// `settings` of a DV360 campaign.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Settings {
    /// The agency's share of the total media cost, per cent: `"12.5"`. None: nothing is added.
    pub(super) markup_percent: Option<String>,
    /// The Floodlight activities whose conversions count.
    pub(super) floodlight_activity_ids: Vec<String>,
    /// The app to be installed, as its store calls it.
    pub(super) app_id: Option<String>,
    /// `even` (default) or `ahead`, over the flight; `even` or `asap`, within a day.
    pub(super) pacing: Option<String>,
    /// DV360's own targeting options of languages.
    pub(super) language_ids: Vec<String>,
}

pub(super) const KNOWN: &[&str] = &[
    "markup_percent",
    "floodlight_activity_ids",
    "app_id",
    "pacing",
    "language_ids",
];

/// How far back a click and a view count as the cause of a conversion, in days. "Must be between 0 and 90 inclusive"; 30 is
/// what the user interface offers.
pub(super) const LOOKBACK_DAYS: u32 = 30;

impl Settings {
    /// The markup in thousandths of a per cent; none: it is no such number.
    pub(super) fn markup_millis(&self) -> Option<i64> {
        let Some(text) = &self.markup_percent else {
            return Some(0);
        };
        let micros = parse_micros(text)?.ok()?;
        (micros % 1000 == 0).then_some(micros / 1000)
    }
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// Reads `settings`; a key that nobody reads is refused with the nearest one.
pub(super) fn settings(spec: &LegSpec) -> Result<Settings, Problem> {
    let given = &spec.campaign.settings;
    if let Some(unknown) = given.keys().find(|k| !KNOWN.contains(&k.as_str())) {
        let nearest = KNOWN
            .iter()
            .min_by_key(|k| strsim::damerau_levenshtein(k, unknown))
            .unwrap_or(&"pacing");
        return Err(Problem {
            pointer: format!("/settings/{unknown}"),
            what: format!("DV360 has no setting {unknown}"),
            remedy: format!("did you mean {nearest}? settings: {}", KNOWN.join(", ")),
        });
    }
    let read = Settings::deserialize(Value::Object(given.clone())).map_err(|error| Problem {
        pointer: "/settings".to_owned(),
        what: error.to_string(),
        remedy: "ids and shares are texts, floodlight_activity_ids and language_ids are lists".to_owned(),
    })?;
    let wrong = |key: &str, what: &str, remedy: &str| {
        Err(Problem {
            pointer: format!("/settings/{key}"),
            what: what.to_owned(),
            remedy: remedy.to_owned(),
        })
    };
    if read.markup_millis().is_none_or(|m| m > 1_000_000) {
        return wrong(
            "markup_percent",
            "a share of the media cost is a decimal with at most three decimals",
            "say it as \"12.5\"",
        );
    }
    if !read.floodlight_activity_ids.iter().all(|id| digits(id)) {
        return wrong(
            "floodlight_activity_ids",
            "a Floodlight activity's id is digits",
            "copy it from Campaign Manager 360",
        );
    }
    if !read.language_ids.iter().all(|id| digits(id)) {
        return wrong(
            "language_ids",
            "a targeting option of a language is digits",
            "list them with targetingOptions.list",
        );
    }
    if !matches!(read.pacing.as_deref(), None | Some("even" | "ahead" | "asap")) {
        return wrong(
            "pacing",
            "pacing is even, ahead or asap",
            "take it out to spend evenly",
        );
    }
    Ok(read)
}
