//! Ages and genders on Google Ads: who is not meant is excluded from each ad group.
//!
//! Must not widen what the plan says: whose age or gender Google cannot tell is excluded too, and an age within one of Google's ranges
//! is refused, not rounded. Excluding is what narrows there: everybody is addressed by default, and what is added to that only
//! carries a bid (`settingError: TARGETING_SETTING_DEMOGRAPHIC_CRITERION_TYPE_GROUPS_MUST_BE_SET_TO_TARGET_ALL`). Sources:
//! developers.google.com/google-ads/api/samples/add-demographic-targeting-criteria (a negative criterion for an age range);
//! v26/enums/{age_range_type,gender_type}.proto.

use super::channel::Channel;
use super::kinds::Kind;
use super::mapping::{form, object};
use super::wire::{AdGroupCriterion, AgeRangeInfo, GenderInfo};
use crate::domain::manifest::Desired;
use crate::domain::plan::{Audience, Campaign};
use crate::domain::spec::LegSpec;
use crate::platform::Check;
use serde::{Deserialize, Serialize};

/// Google's age ranges: first and last year.
const AGES: [(u8, u8, &str); 6] = [
    (18, 24, "AGE_RANGE_18_24"),
    (25, 34, "AGE_RANGE_25_34"),
    (35, 44, "AGE_RANGE_35_44"),
    (45, 54, "AGE_RANGE_45_54"),
    (55, 64, "AGE_RANGE_55_64"),
    (65, u8::MAX, "AGE_RANGE_65_UP"),
];
/// Whose age Google cannot tell.
const UNKNOWN_AGE: &str = "AGE_RANGE_UNDETERMINED";
/// The plan's words and Google's.
const GENDERS: [(&str, &str); 2] = [("female", "FEMALE"), ("male", "MALE")];
/// Whose gender Google cannot tell.
const UNKNOWN_GENDER: &str = "UNDETERMINED";

/// Whether a channel's ad groups exclude ages and genders: shopping and demand gen take other means, performance max has no ad
/// groups.
fn excludes(channel: Channel) -> bool {
    match channel {
        Channel::Search | Channel::Display => true,
        Channel::Shopping | Channel::DemandGen | Channel::PerformanceMax => false,
    }
}

/// The normal form of what excludes an age range or a gender.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ExclusionForm {
    /// `age_range` or `gender`.
    pub excluded: String,
    /// `AGE_RANGE_18_24`, `MALE`.
    pub value: String,
}

impl ExclusionForm {
    fn new(excluded: &str, value: &str) -> Self {
        Self {
            excluded: excluded.to_owned(),
            value: value.to_owned(),
        }
    }

    /// None for a criterion of another kind, and for one that does not exclude.
    pub fn seen(criterion: &AdGroupCriterion) -> Option<Self> {
        if criterion.negative != Some(true) {
            return None;
        }
        let age = criterion.age_range.as_ref().and_then(|age| age.kind.as_deref());
        let gender = criterion
            .gender
            .as_ref()
            .and_then(|gender| gender.kind.as_deref());
        match (age, gender) {
            (Some(age), _) => Some(Self::new("age_range", age)),
            (None, Some(gender)) => Some(Self::new("gender", gender)),
            (None, None) => None,
        }
    }

    pub fn wire(&self) -> AdGroupCriterion {
        let age = self.excluded == "age_range";
        AdGroupCriterion {
            negative: Some(true),
            age_range: age.then(|| AgeRangeInfo {
                kind: Some(self.value.clone()),
            }),
            gender: (!age).then(|| GenderInfo {
                kind: Some(self.value.clone()),
            }),
            ..Default::default()
        }
    }

    /// The manifest's key: what is excluded is what it is.
    pub fn key(&self, ad_group: &str) -> String {
        format!(
            "{EXCLUDES}{ad_group}/{}/{}",
            self.excluded,
            self.value.to_ascii_lowercase()
        )
    }
}

/// How the keys of exclusions begin.
pub(super) const EXCLUDES: &str = "excludes/";

/// The age ranges outside of these years; none: the years are not on the edges of ranges.
fn other_ages(audience: &Audience) -> Option<Vec<&'static str>> {
    let (from, to) = match (audience.age_min, audience.age_max) {
        (None, None) => return Some(Vec::new()),
        (from, to) => (from.unwrap_or(18), to.filter(|age| *age < 65).unwrap_or(u8::MAX)),
    };
    let first = AGES.iter().position(|(low, ..)| *low == from)?;
    let last = AGES
        .iter()
        .position(|(_, high, _)| *high == to)
        .filter(|last| first <= *last)?;
    let outside = AGES
        .iter()
        .enumerate()
        .filter(|(at, _)| !(first..=last).contains(at));
    let mut names: Vec<&str> = outside.map(|(_, (.., name))| *name).collect();
    names.push(UNKNOWN_AGE);
    Some(names)
}

/// The genders that are not meant; both, or none said, is everybody.
fn other_genders(audience: &Audience) -> Vec<&'static str> {
    let meant = |name: &str| audience.genders.iter().any(|gender| gender == name);
    let mut others: Vec<&str> = GENDERS
        .iter()
        .filter(|(name, _)| !meant(name))
        .map(|(_, value)| *value)
        .collect();
    if others.len() != 1 {
        return Vec::new();
    }
    others.push(UNKNOWN_GENDER);
    others
}

/// How many operations an ad group needs for it.
pub(super) fn count(campaign: &Campaign) -> usize {
    other_ages(&campaign.audience).map_or(0, |ages| ages.len()) + other_genders(&campaign.audience).len()
}

/// What is excluded from every ad group.
pub(super) fn exclusions(spec: &LegSpec) -> Vec<Desired> {
    let audience = &spec.campaign.audience;
    let ages = other_ages(audience).unwrap_or_default();
    let ages = ages.into_iter().map(|age| ExclusionForm::new("age_range", age));
    let genders = other_genders(audience).into_iter();
    let all: Vec<ExclusionForm> = ages
        .chain(genders.map(|gender| ExclusionForm::new("gender", gender)))
        .collect();
    let of_group = |group: &crate::domain::plan::AdGroup| {
        let parent = format!("ad_group/{}", group.key);
        let each = all.iter().map(|fields| {
            let key = fields.key(group.key.as_str());
            object(&key, Kind::AdGroupCriterion, Some(&parent), None, form(fields))
        });
        each.collect::<Vec<Desired>>()
    };
    spec.campaign.ad_groups.iter().flat_map(of_group).collect()
}

/// What cannot be said of whom a campaign addresses.
pub(super) fn check(campaign: &Campaign, channel: Channel, problems: &mut Check) {
    let audience = &campaign.audience;
    if !excludes(channel) {
        let person = [
            ("age_min", audience.age_min.is_some()),
            ("age_max", audience.age_max.is_some()),
            ("genders", !audience.genders.is_empty()),
        ];
        for (field, _) in person.iter().filter(|(_, there)| *there) {
            let what = format!("{} campaigns do not address {field} here", channel.as_str());
            problems.no(
                format!("/audience/{field}"),
                what,
                "leave it out, or use channel search or display",
            );
        }
        return;
    }
    if other_ages(audience).is_none() {
        let alone = |min, max| {
            other_ages(&Audience {
                age_min: min,
                age_max: max,
                ..audience.clone()
            })
        };
        // Whichever is not on an edge; turned round, both.
        let pointer = match (alone(audience.age_min, None), alone(None, audience.age_max)) {
            (None, Some(_)) => "/audience/age_min",
            (Some(_), None) => "/audience/age_max",
            (None, None) | (Some(_), Some(_)) => "/audience",
        };
        problems.no(
            pointer,
            "Google Ads tells adults in the ranges 18-24, 25-34, 35-44, 45-54, 55-64 and 65 or more",
            "let age_min be 18, 25, 35, 45, 55 or 65 and age_max 24, 34, 44, 54 or 64 (or leave it out)",
        );
    }
    for (at, gender) in audience.genders.iter().enumerate() {
        if !GENDERS.iter().any(|(name, _)| name == gender) {
            problems.no(
                format!("/audience/genders/{at}"),
                format!("Google Ads cannot tell {gender:?}"),
                "use female, male, or none for everybody",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn audience(min: Option<u8>, max: Option<u8>, genders: &[&str]) -> Audience {
        Audience {
            countries: Vec::new(),
            languages: Vec::new(),
            age_min: min,
            age_max: max,
            genders: genders.iter().map(|gender| (*gender).to_owned()).collect(),
        }
    }

    #[test]
    fn everybody_else_is_excluded_also_the_unknown() {
        let ages = |min, max| other_ages(&audience(min, max, &[]));
        assert_eq!(ages(None, None), Some(Vec::new()));
        assert_eq!(
            ages(Some(25), Some(54)),
            Some(vec![
                "AGE_RANGE_18_24",
                "AGE_RANGE_55_64",
                "AGE_RANGE_65_UP",
                UNKNOWN_AGE
            ])
        );
        assert_eq!(
            ages(Some(18), None),
            Some(vec![UNKNOWN_AGE]),
            "adults whose age is known"
        );
        assert_eq!(ages(Some(18), Some(65)), Some(vec![UNKNOWN_AGE]));
        for (min, max) in [
            (Some(20), None),
            (None, Some(30)),
            (Some(13), None),
            (Some(45), Some(24)),
        ] {
            assert_eq!(ages(min, max), None, "{min:?} {max:?}");
        }
        let genders = |names: &[&str]| other_genders(&audience(None, None, names));
        assert_eq!(genders(&["female"]), ["MALE", UNKNOWN_GENDER]);
        assert_eq!(genders(&["female", "male"]), [] as [&str; 0]);
        assert_eq!(genders(&[]), [] as [&str; 0]);
    }

    #[test]
    fn what_is_sent_is_what_is_seen() {
        for form in [
            ExclusionForm::new("age_range", UNKNOWN_AGE),
            ExclusionForm::new("gender", "MALE"),
        ] {
            assert_eq!(ExclusionForm::seen(&form.wire()), Some(form.clone()));
            let positive = AdGroupCriterion {
                negative: None,
                ..form.wire()
            };
            assert_eq!(ExclusionForm::seen(&positive), None, "it excludes nobody");
        }
    }
}
