//! Search: ad groups with keywords and responsive search ads.
//!
//! Must not build requests. Limits: google/ads/googleads/v26/resources and common (comments);
//! developers.google.com/google-ads/api/docs/responsive-search-ads/create-responsive-search-ads;
//! developers.google.com/google-ads/api/docs/best-practices/system-limits.

use super::ad_forms::{AdForm, AnyAd, KeywordForm, keyword_text};
use super::check::{Texts, foreign, texts, width};
use super::demand_gen::ad_object;
use super::forms::filled;
use super::kinds::Kind;
use super::mapping::{form, object, trimmed};
use crate::domain::manifest::Desired;
use crate::domain::plan::{self, Ad, AdGroup, Keyword, MatchType};
use crate::domain::spec::LegSpec;
use crate::domain::tracking::without_utm;
use crate::platform::Check;
use std::collections::HashSet;

const HEADLINES: Texts = Texts::new("headlines", 3, 15, 30);
const DESCRIPTIONS: Texts = Texts::new("descriptions", 2, 4, 90);
/// Characters in a part of the display path.
const PATH: usize = 15;
/// Characters and words in a keyword.
const KEYWORD: (usize, usize) = (80, 10);
/// Characters that no keyword may hold (`criterionError: KEYWORD_HAS_INVALID_CHARS`).
const NOT_IN_KEYWORDS: &str = "!@%^*()={};~`<>?\\|,";

/// The keywords of all ad groups.
pub(super) fn criteria(spec: &LegSpec) -> Vec<Desired> {
    spec.campaign.ad_groups.iter().flat_map(keywords).collect()
}

/// The ads of all ad groups.
pub(super) fn ads(spec: &LegSpec) -> Vec<Desired> {
    let each = spec
        .campaign
        .ad_groups
        .iter()
        .flat_map(|group| group.ads.iter().map(move |ad| (group, ad)));
    each.map(|(group, ad)| ad_object(spec, group, ad, &AnyAd::Search(ad_form(ad))))
        .collect()
}

fn keyword(keyword: &plan::Keyword, negative: bool) -> KeywordForm {
    let match_type = match keyword.match_type {
        MatchType::Exact => "EXACT",
        MatchType::Phrase => "PHRASE",
        MatchType::Broad => "BROAD",
    };
    KeywordForm {
        text: keyword_text(&keyword.text),
        match_type: match_type.to_owned(),
        negative,
        status: (!negative).then(|| "ENABLED".to_owned()),
    }
}

fn ad_form(ad: &plan::Ad) -> AdForm {
    AdForm {
        final_url: without_utm(&ad.landing_url).0.to_string(),
        headlines: trimmed(&ad.headlines),
        descriptions: trimmed(&ad.descriptions),
        path1: filled(ad.path1.as_ref()),
        path2: filled(ad.path2.as_ref()),
    }
}

fn keywords(group: &plan::AdGroup) -> impl Iterator<Item = Desired> + '_ {
    let parent = format!("ad_group/{}", group.key);
    let positive = group.keywords.iter().map(|k| keyword(k, false));
    let negative = group.negative_keywords.iter().map(|k| keyword(k, true));
    positive.chain(negative).map(move |fields| {
        let key = fields.key(group.key.as_str());
        object(&key, Kind::AdGroupCriterion, Some(&parent), None, form(&fields))
    })
}

/// The channel's own rules.
pub(super) fn check(spec: &LegSpec, problems: &mut Check) {
    for (at, group) in spec.campaign.ad_groups.iter().enumerate() {
        ad_group(group, &format!("/ad_groups/{at}"), problems);
    }
}

fn ad_group(group: &AdGroup, pointer: &str, problems: &mut Check) {
    let mut seen = HashSet::new();
    let lists = [
        ("keywords", &group.keywords),
        ("negative_keywords", &group.negative_keywords),
    ];
    for (name, list) in lists {
        for (at, keyword) in list.iter().enumerate() {
            let pointer = format!("{pointer}/{name}/{at}");
            check_keyword(keyword, &pointer, problems);
            if !seen.insert((keyword_text(&keyword.text), keyword.match_type as u8)) {
                let what = format!(
                    "{:?} stands in this ad group twice with the same match",
                    keyword.text
                );
                problems.no(pointer, what, "leave it out");
            }
        }
    }
    if group.keywords.is_empty() {
        let what = "an ad group without keywords never serves on search";
        problems.no(format!("{pointer}/keywords"), what, "give at least one keyword");
    }
    if group.ads.len() > 3 {
        // RESPONSIVE_SEARCH_ADS_PER_AD_GROUP; developers.google.com/google-ads/api/docs/best-practices/system-limits.
        let what = format!(
            "{} responsive search ads, and Google allows 3 enabled in an ad group",
            group.ads.len()
        );
        problems.no(
            format!("{pointer}/ads"),
            what,
            "spread them over several ad groups",
        );
    }
    let mut contents = HashSet::new();
    for (at, ad) in group.ads.iter().enumerate() {
        let pointer = format!("{pointer}/ads/{at}");
        check_ad(ad, &pointer, problems);
        if !contents.insert((
            ad.landing_url.as_str(),
            &ad.headlines,
            &ad.descriptions,
            &ad.path1,
            &ad.path2,
        )) {
            problems.no(
                pointer,
                "this ad says the same as another one of its ad group",
                "leave it out",
            );
        }
    }
}

fn check_keyword(keyword: &Keyword, pointer: &str, problems: &mut Check) {
    let text = keyword_text(&keyword.text);
    let (characters, words) = KEYWORD;
    if text.is_empty() || text.chars().count() > characters || text.split(' ').count() > words {
        let what = format!(
            "{:?} must have 1 to {characters} characters and at most {words} words",
            keyword.text
        );
        problems.no(pointer, what, "shorten the keyword");
    }
    if let Some(bad) = text.chars().find(|c| NOT_IN_KEYWORDS.contains(*c)) {
        problems.no(
            pointer,
            format!("{:?} holds {bad:?}, which no keyword may", keyword.text),
            "leave it out",
        );
    }
}

fn check_ad(ad: &Ad, pointer: &str, problems: &mut Check) {
    for rule in [HEADLINES, DESCRIPTIONS] {
        texts(ad, pointer, &rule, problems);
    }
    for (name, path) in [("path1", &ad.path1), ("path2", &ad.path2)] {
        let Some(path) = path else { continue };
        if width(path) > PATH || path.contains('/') {
            let what = format!("{name} has at most {PATH} characters and no '/'");
            problems.no(format!("{pointer}/{name}"), what, "shorten it");
        }
    }
    if ad.path2.is_some() && ad.path1.is_none() {
        problems.no(
            format!("{pointer}/path2"),
            "path2 needs path1",
            "move it to path1",
        );
    }
    let fields = [
        "asset_ids",
        "long_headlines",
        "primary_text",
        "call_to_action",
        "width",
        "height",
    ];
    foreign(ad, pointer, &fields, problems);
}
