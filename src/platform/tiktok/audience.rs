//! Whom an ad group addresses: plan → TikTok's targeting. Pure.
//!
//! Must not widen what the plan says: an age that lies within one of TikTok's age groups is refused, not rounded.

use super::geo;
use crate::domain::spec::LegSpec;
use serde_json::{Map, Value, json};

/// TikTok's age groups, first and last year ("Enumeration – audience age").
pub(super) const AGES: &[(u8, u8, &str)] = &[
    (13, 17, "AGE_13_17"),
    (18, 24, "AGE_18_24"),
    (25, 34, "AGE_25_34"),
    (35, 44, "AGE_35_44"),
    (45, 54, "AGE_45_54"),
    (55, 100, "AGE_55_100"),
];

/// Languages that TikTok targets, by the codes that it shares with ISO 639-1 (`GET /tool/language/`; "Enumeration – audience
/// language"). An account may be offered fewer.
pub(super) const LANGUAGES: &[&str] = &[
    "ar", "bn", "cs", "de", "el", "en", "es", "fi", "fr", "he", "hi", "hu", "id", "it", "ja", "km", "ko",
    "ms", "my", "nl", "pl", "pt", "ro", "ru", "sv", "sw", "th", "tl", "tr", "uk", "ur", "vi", "zh",
];

/// Where nobody under 18 may be addressed: the European Economic Area, the United Kingdom, Switzerland, the United States, Canada
/// and Latin America (`age_groups` of /adgroup/create/, "new age targeting restrictions").
pub(super) const NO_MINORS: &[&str] = &[
    "AR", "AT", "BE", "BG", "BO", "BR", "CA", "CH", "CL", "CO", "CR", "CU", "CY", "CZ", "DE", "DK", "DO",
    "EC", "EE", "ES", "FI", "FR", "GB", "GR", "GT", "HN", "HR", "HU", "IE", "IS", "IT", "LI", "LT", "LU",
    "LV", "MT", "MX", "NI", "NL", "NO", "PA", "PE", "PL", "PT", "PY", "RO", "SE", "SI", "SK", "SV", "US",
    "UY", "VE",
];

/// TikTok's groups for an age from and to; none: everybody. An error says which years would do.
pub(super) fn age_groups(
    min: Option<u8>,
    max: Option<u8>,
) -> Result<Option<Vec<&'static str>>, (&'static str, String)> {
    if min.is_none() && max.is_none() {
        return Ok(None);
    }
    let first = match min {
        None => 0,
        Some(min) => AGES.iter().position(|(from, _, _)| *from == min).ok_or_else(|| {
            let starts: Vec<String> = AGES.iter().map(|(from, _, _)| from.to_string()).collect();
            ("age_min", format!("use one of {}", starts.join(", ")))
        })?,
    };
    let last = match max {
        None => AGES.len() - 1,
        Some(max) => AGES.iter().position(|(_, to, _)| *to == max).ok_or_else(|| {
            let ends: Vec<String> = AGES.iter().map(|(_, to, _)| to.to_string()).collect();
            (
                "age_max",
                format!(
                    "use one of {}; 100, or no age_max, is everybody older too",
                    ends.join(", ")
                ),
            )
        })?,
    };
    if first > last {
        return Err(("", "turn age_min and age_max round".to_owned()));
    }
    Ok(Some(
        AGES[first..=last].iter().map(|(_, _, name)| *name).collect(),
    ))
}

/// Adds the plan's audience to an ad group, lists in ascending order.
pub(super) fn target(spec: &LegSpec, fields: &mut Map<String, Value>) {
    let audience = &spec.campaign.audience;
    let mut places: Vec<String> = audience
        .countries
        .iter()
        .filter_map(|c| geo::location(c))
        .map(|id| id.to_string())
        .collect();
    places.sort_unstable();
    places.dedup();
    fields.insert("location_ids".into(), json!(places));
    let mut languages: Vec<&String> = audience.languages.iter().collect();
    languages.sort_unstable();
    languages.dedup();
    if !languages.is_empty() {
        fields.insert("languages".into(), json!(languages));
    }
    if let Ok(Some(groups)) = age_groups(audience.age_min, audience.age_max) {
        fields.insert("age_groups".into(), json!(groups));
    }
    let only = |gender: &str| audience.genders.iter().all(|g| g == gender) && !audience.genders.is_empty();
    let gender = if only("female") {
        "GENDER_FEMALE"
    } else if only("male") {
        "GENDER_MALE"
    } else {
        "GENDER_UNLIMITED"
    };
    fields.insert("gender".into(), json!(gender));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_fall_on_the_edges_of_groups_or_are_refused() {
        let groups = |min, max| age_groups(min, max);
        assert_eq!(groups(None, None), Ok(None));
        assert_eq!(
            groups(Some(18), Some(34)),
            Ok(Some(vec!["AGE_18_24", "AGE_25_34"]))
        );
        assert_eq!(groups(Some(55), None), Ok(Some(vec!["AGE_55_100"])));
        assert_eq!(groups(None, Some(17)), Ok(Some(vec!["AGE_13_17"])));
        for (min, max, at) in [
            (Some(20), None, "age_min"),
            (None, Some(30), "age_max"),
            (Some(18), Some(65), "age_max"),
            (Some(35), Some(24), ""),
        ] {
            assert_eq!(groups(min, max).map_err(|(at, _)| at), Err(at), "{min:?} {max:?}");
        }
        for (from, to, name) in AGES {
            assert_eq!(*name, format!("AGE_{from}_{to}"));
        }
        assert!(NO_MINORS.is_sorted() && LANGUAGES.is_sorted());
        assert!(NO_MINORS.iter().all(|c| geo::location(c).is_some()));
    }
}
