//! Whom a line item addresses: plan → DV360's targeting options, what is assigned → the same normal form, and the edit that
//! leads from one to the other. Pure.
//!
//! Must not touch targeting of other types, nor what a line item inherits.

use super::super::google_geo;
use super::settings::Settings;
use crate::domain::plan::Audience;
use crate::domain::spec::LegSpec;
use serde_json::{Map, Value, json};

/// A type of targeting: its name in the normal form, DV360's, the field of its details, and the one in it that tells options apart.
pub(super) struct Kind {
    /// As the normal form calls it.
    pub(super) name: &'static str,
    /// `TargetingType`.
    pub(super) vendor: &'static str,
    /// The member of `AssignedTargetingOption`.
    details: &'static str,
    /// The field in it.
    value: &'static str,
}

/// What a plan's audience is made of.
pub(super) const KINDS: [Kind; 4] = [
    Kind {
        name: "geo",
        vendor: "TARGETING_TYPE_GEO_REGION",
        details: "geoRegionDetails",
        value: "targetingOptionId",
    },
    Kind {
        name: "language",
        vendor: "TARGETING_TYPE_LANGUAGE",
        details: "languageDetails",
        value: "targetingOptionId",
    },
    Kind {
        name: "age",
        vendor: "TARGETING_TYPE_AGE_RANGE",
        details: "ageRangeDetails",
        value: "ageRange",
    },
    Kind {
        name: "gender",
        vendor: "TARGETING_TYPE_GENDER",
        details: "genderDetails",
        value: "gender",
    },
];

/// The age ranges of line items. Finer ones are for YouTube's ad groups only (reference/rest/v4/AgeRange); below 18 nobody is
/// addressed.
const AGES: [(u8, u8, &str); 6] = [
    (18, 24, "AGE_RANGE_18_24"),
    (25, 34, "AGE_RANGE_25_34"),
    (35, 44, "AGE_RANGE_35_44"),
    (45, 54, "AGE_RANGE_45_54"),
    (55, 64, "AGE_RANGE_55_64"),
    (65, u8::MAX, "AGE_RANGE_65_PLUS"),
];

/// A country's targeting option: DV360 shares the geo targets of Google Ads (DE is 2276; developers.google.com/display-video
/// guides, "geoRegionDetails").
pub(super) fn geo(country: &str) -> Option<String> {
    let name = google_geo::geo_target(country)?;
    name.strip_prefix("geoTargetConstants/").map(str::to_owned)
}

/// A language's targeting option. DV360 publishes no list but `targetingOptions.list`; the ids of Google Ads are taken, which
/// Google's platforms share. `settings.language_ids` overrides them.
pub(super) fn language(language: &str) -> Option<String> {
    let name = google_geo::language_constant(language)?;
    name.strip_prefix("languageConstants/").map(str::to_owned)
}

/// The age ranges that are exactly these years; none: there are no such.
pub(super) fn ages(audience: &Audience) -> Option<Vec<&'static str>> {
    let (from, to) = match (audience.age_min, audience.age_max) {
        (None, None) => return Some(Vec::new()),
        (from, to) => (from.unwrap_or(18), to.filter(|age| *age < 65).unwrap_or(u8::MAX)),
    };
    let first = AGES.iter().position(|(low, ..)| *low == from)?;
    let last = AGES.iter().position(|(_, high, _)| *high == to)?;
    let ranges = AGES.get(first..=last)?;
    Some(ranges.iter().map(|(.., name)| *name).collect())
}

/// The plan's audience in normal form.
pub(super) fn wanted(spec: &LegSpec, settings: &Settings) -> Value {
    let audience = &spec.campaign.audience;
    let mut languages: Vec<String> = if settings.language_ids.is_empty() {
        audience.languages.iter().filter_map(|l| language(l)).collect()
    } else {
        settings.language_ids.clone()
    };
    languages.sort_unstable();
    languages.dedup();
    let mut countries: Vec<String> = audience.countries.iter().filter_map(|c| geo(c)).collect();
    countries.sort_unstable();
    countries.dedup();
    let has = |name: &str| audience.genders.iter().any(|g| g == name);
    // Both is everybody, which is no targeting at all.
    let gender = match (has("female"), has("male")) {
        (true, false) => vec!["GENDER_FEMALE"],
        (false, true) => vec!["GENDER_MALE"],
        (true, true) | (false, false) => Vec::new(),
    };
    json!({ "geo": countries, "language": languages, "age": ages(audience).unwrap_or_default(), "gender": gender })
}

/// One assigned option: its kind, its value (`-` before what is excluded), its id.
fn assigned(option: &Value) -> Option<(&'static Kind, String, &str)> {
    let kind = KINDS.iter().find(|k| option["targetingType"] == k.vendor)?;
    if option["inheritance"]
        .as_str()
        .is_some_and(|i| i != "NOT_INHERITED")
    {
        return None;
    }
    let details = option.get(kind.details)?;
    let value = details.get(kind.value)?.as_str()?;
    let sign = if details["negative"] == true { "-" } else { "" };
    let id = option.get("assignedTargetingOptionId")?.as_str()?;
    Some((kind, format!("{sign}{value}"), id))
}

/// What is assigned, in normal form. None: nothing of ours is.
pub(super) fn normal(options: &[&Value]) -> Option<Value> {
    let mut normal = Map::new();
    for kind in &KINDS {
        let mut values: Vec<String> = options
            .iter()
            .filter_map(|o| assigned(o))
            .filter(|(k, ..)| k.name == kind.name)
            .map(|(_, value, _)| value)
            .collect();
        // As the plan's are: ages ascend by name too.
        values.sort_unstable();
        normal.insert(kind.name.to_owned(), json!(values));
    }
    let any = normal
        .values()
        .any(|v| v.as_array().is_some_and(|v| !v.is_empty()));
    any.then_some(Value::Object(normal))
}

fn option(kind: &Kind, value: &str) -> Value {
    let mut details = json!({ kind.value: value });
    if kind.value == "targetingOptionId" {
        details["negative"] = json!(false);
    }
    json!({ kind.details: details })
}

/// The edit of a line item from what is assigned (nothing, for a new one) to what is wanted: deletions of what is not wanted,
/// creations of what is missing. None: it is as it should be.
pub(super) fn edit(line_item: &str, wanted: &Value, options: &[&Value]) -> Option<Value> {
    let (mut creations, mut deletions) = (Vec::new(), Vec::new());
    for kind in &KINDS {
        let wanted: Vec<&str> = wanted[kind.name]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let there: Vec<(String, &str)> = options
            .iter()
            .filter_map(|o| assigned(o))
            .filter(|(k, ..)| k.name == kind.name)
            .map(|(_, value, id)| (value, id))
            .collect();
        let surplus: Vec<&str> = there
            .iter()
            .filter(|(value, _)| !wanted.contains(&value.as_str()))
            .map(|(_, id)| *id)
            .collect();
        let missing: Vec<Value> = wanted
            .iter()
            .filter(|w| !there.iter().any(|(value, _)| value == *w))
            .map(|w| option(kind, w))
            .collect();
        if !surplus.is_empty() {
            deletions.push(json!({ "targetingType": kind.vendor, "assignedTargetingOptionIds": surplus }));
        }
        if !missing.is_empty() {
            creations.push(json!({ "targetingType": kind.vendor, "assignedTargetingOptions": missing }));
        }
    }
    if creations.is_empty() && deletions.is_empty() {
        return None;
    }
    Some(json!({ "lineItemIds": [line_item], "createRequests": creations, "deleteRequests": deletions }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn audience(min: Option<u8>, max: Option<u8>) -> Audience {
        Audience {
            countries: vec!["DE".into()],
            languages: Vec::new(),
            age_min: min,
            age_max: max,
            genders: Vec::new(),
        }
    }

    #[test]
    fn ages_are_met_exactly_or_not_at_all() {
        let of = |min, max| ages(&audience(min, max));
        assert_eq!(of(None, None), Some(Vec::new()));
        assert_eq!(
            of(Some(25), Some(44)),
            Some(vec!["AGE_RANGE_25_34", "AGE_RANGE_35_44"])
        );
        assert_eq!(of(Some(65), None), Some(vec!["AGE_RANGE_65_PLUS"]));
        assert_eq!(of(Some(18), Some(90)).map(|a| a.len()), Some(6));
        assert_eq!(of(None, Some(24)), Some(vec!["AGE_RANGE_18_24"]));
        for (min, max) in [
            (Some(20), None),
            (Some(25), Some(30)),
            (Some(13), Some(24)),
            (Some(45), Some(24)),
        ] {
            assert_eq!(of(min, max), None, "{min:?} {max:?}");
        }
    }

    #[test]
    fn an_edit_takes_away_what_is_not_wanted_and_adds_what_is_missing() {
        let here = json!({ "targetingType": "TARGETING_TYPE_GEO_REGION", "assignedTargetingOptionId": "5",
            "inheritance": "NOT_INHERITED", "geoRegionDetails": { "targetingOptionId": "2276" } });
        let above = json!({ "targetingType": "TARGETING_TYPE_GEO_REGION", "assignedTargetingOptionId": "6",
            "inheritance": "INHERITED_FROM_ADVERTISER", "geoRegionDetails": { "targetingOptionId": "2840" } });
        let other = json!({ "targetingType": "TARGETING_TYPE_CHANNEL", "assignedTargetingOptionId": "7",
            "inheritance": "NOT_INHERITED", "channelDetails": { "channelId": "1" } });
        let there = [&here, &above, &other];
        let wanted = json!({ "geo": ["2040"], "language": [], "age": [], "gender": ["GENDER_MALE"] });
        let edit = edit("9", &wanted, &there).unwrap();
        assert_eq!(edit["lineItemIds"], json!(["9"]));
        assert_eq!(
            edit["deleteRequests"],
            json!([{ "targetingType": "TARGETING_TYPE_GEO_REGION", "assignedTargetingOptionIds": ["5"] }])
        );
        assert_eq!(edit["createRequests"].as_array().unwrap().len(), 2);
        let same = json!({ "geo": ["2276"], "language": [], "age": [], "gender": [] });
        assert_eq!(normal(&there), Some(same.clone()));
        assert_eq!(super::edit("9", &same, &there), None);
        assert_eq!(normal(&[&other, &above]), None);
    }

    #[test]
    fn what_is_excluded_is_not_what_is_addressed() {
        let excluded = json!({ "targetingType": "TARGETING_TYPE_GEO_REGION", "assignedTargetingOptionId": "5",
            "geoRegionDetails": { "targetingOptionId": "2276", "negative": true } });
        assert_eq!(normal(&[&excluded]).unwrap()["geo"], json!(["-2276"]));
    }
}
