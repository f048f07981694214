//! Whom an ad set addresses: plan → Meta's targeting, and what Meta shows of it → the same normal form. Pure.
//!
//! Must not widen what the plan says: Meta's own widening (Advantage audience) is switched off by name, since an ad set
//! that leaves the switch out is refused (100/1870227, since v23).

use super::settings::Settings;
use crate::domain::spec::LegSpec;
use serde_json::{Map, Value, json};

/// Languages by ISO 639-1 and Meta's ids of them ("locales"), as `GET /search?type=adlocale` names them
/// (developers.facebook.com/docs/marketing-api/audiences/reference/targeting-search). Where Meta has several variants of a
/// language, all of them: its own groups ([`GROUPS`]) are shown as their members when read back.
const LANGUAGES: &[(&str, &[u32])] = &[
    ("af", &[36]),
    ("ar", &[28]),
    ("az", &[53]),
    ("be", &[54]),
    ("bg", &[37]),
    ("bn", &[45]),
    ("bs", &[55]),
    ("ca", &[1]),
    ("cs", &[2]),
    ("cy", &[3]),
    ("da", &[4]),
    ("de", &[5]),
    ("el", &[39]),
    ("en", &[6, 24]),
    ("es", &[7, 23]),
    ("et", &[58]),
    ("eu", &[59]),
    ("fa", &[60]),
    ("fi", &[8]),
    ("fo", &[62]),
    ("fr", &[9, 44]),
    ("fy", &[63]),
    ("ga", &[64]),
    ("gl", &[65]),
    ("gn", &[66]),
    ("gu", &[67]),
    ("he", &[29]),
    ("hi", &[46]),
    ("hr", &[38]),
    ("hu", &[30]),
    ("hy", &[68]),
    ("id", &[25]),
    ("is", &[69]),
    ("it", &[10]),
    ("ja", &[11]),
    ("jv", &[71]),
    ("ka", &[72]),
    ("kk", &[73]),
    ("km", &[74]),
    ("kn", &[75]),
    ("ko", &[12]),
    ("lt", &[40]),
    ("lv", &[78]),
    ("mk", &[79]),
    ("ml", &[50]),
    ("mn", &[80]),
    ("mr", &[81]),
    ("ms", &[41]),
    ("nb", &[13]),
    ("ne", &[82]),
    ("nl", &[14]),
    ("nn", &[84]),
    ("no", &[13, 84]),
    ("pa", &[47]),
    ("pl", &[15]),
    ("ps", &[85]),
    ("pt", &[16, 31]),
    ("ro", &[32]),
    ("ru", &[17]),
    ("si", &[86]),
    ("sk", &[33]),
    ("sl", &[34]),
    ("sq", &[87]),
    ("sr", &[42]),
    ("sv", &[18]),
    ("sw", &[88]),
    ("ta", &[48]),
    ("te", &[49]),
    ("tg", &[89]),
    ("th", &[35]),
    ("tl", &[26]),
    ("tr", &[19]),
    ("uk", &[52]),
    ("ur", &[90]),
    ("uz", &[91]),
    ("vi", &[27]),
    ("zh", &[20, 21, 22]),
];

/// Meta's "All" of a language.
const GROUPS: &[(u32, &str)] = &[
    (1001, "en"),
    (1002, "es"),
    (1003, "fr"),
    (1004, "zh"),
    (1005, "pt"),
];

/// Meta's ids of a language; none: not known.
pub(super) fn locales(language: &str) -> Option<&'static [u32]> {
    let (_, ids) = LANGUAGES.iter().find(|(code, _)| *code == language)?;
    Some(ids)
}

/// Groups as their members, ascending, each once.
fn members(ids: impl IntoIterator<Item = u32>) -> Vec<u32> {
    let mut all: Vec<u32> = ids
        .into_iter()
        .flat_map(|id| {
            let group = GROUPS.iter().find(|(group, _)| *group == id);
            match group.and_then(|(_, language)| locales(language)) {
                Some(members) => members.to_vec(),
                None => vec![id],
            }
        })
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// The plan's audience as Meta's targeting, in normal form.
pub(super) fn targeting(spec: &LegSpec, settings: &Settings) -> Value {
    let audience = &spec.campaign.audience;
    let mut countries = audience.countries.clone();
    countries.sort_unstable();
    countries.dedup();
    let mut targeting = Map::new();
    targeting.insert("geo_locations".into(), json!({ "countries": countries }));
    let ids = if settings.locales.is_empty() {
        members(
            audience
                .languages
                .iter()
                .filter_map(|l| locales(l))
                .flatten()
                .copied(),
        )
    } else {
        members(settings.locales.iter().copied())
    };
    if !ids.is_empty() {
        targeting.insert("locales".into(), json!(ids));
    }
    if let Some(age) = audience.age_min {
        targeting.insert("age_min".into(), json!(age));
    }
    if let Some(age) = audience.age_max {
        targeting.insert("age_max".into(), json!(age));
    }
    let genders: Vec<u8> = [("male", 1), ("female", 2)]
        .into_iter()
        .filter(|(name, _)| audience.genders.iter().any(|g| g == name))
        .map(|(_, id)| id)
        .collect();
    // Both is everybody, which Meta spells by leaving the field out.
    if genders.len() == 1 {
        targeting.insert("genders".into(), json!(genders));
    }
    targeting.insert("targeting_automation".into(), json!({ "advantage_audience": 0 }));
    Value::Object(targeting)
}

/// What Meta shows, in the same form: lists in ascending order, language groups as their members. What Meta fills in by
/// itself (location types, age ranges) stays; a comparison looks only at what was desired.
pub(super) fn normal(shown: &Value) -> Value {
    let mut normal = shown.clone();
    if let Some(Value::Array(countries)) = normal.pointer_mut("/geo_locations/countries") {
        countries.sort_by_key(|c| c.as_str().unwrap_or_default().to_owned());
    }
    if let Some(ids) = shown.get("locales").and_then(Value::as_array) {
        let ids = ids
            .iter()
            .filter_map(Value::as_u64)
            .filter_map(|id| u32::try_from(id).ok());
        normal["locales"] = json!(members(ids));
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_their_members() {
        assert_eq!(members([1001, 5, 24]), [5, 6, 24]);
        let shown = json!({ "geo_locations": { "countries": ["DE", "AT"], "location_types": ["home"] }, "locales": [24, 6] });
        let normal = normal(&shown);
        assert_eq!(normal["geo_locations"]["countries"], json!(["AT", "DE"]));
        assert_eq!(normal["locales"], json!([6, 24]));
        for (group, language) in GROUPS {
            assert!(locales(language).is_some(), "{group}");
        }
        assert!(
            LANGUAGES.is_sorted_by_key(|(code, _)| *code),
            "one place per language"
        );
    }
}
