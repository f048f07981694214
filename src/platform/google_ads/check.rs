//! Every rule of Google's search campaigns that can be checked offline.
//!
//! Must not stop at the first problem, nor repeat what the plan's own schema says (ids, money, https).
//! Limits: google/ads/googleads/v26/resources and common (comments);
//! developers.google.com/google-ads/api/docs/responsive-search-ads/create-responsive-search-ads;
//! developers.google.com/google-ads/api/docs/best-practices/system-limits.

use super::ad_forms::keyword_text;
use super::geo;
use super::mapping::{DECLARATIONS, SETTINGS, STRATEGIES, settings};
use crate::domain::plan::{Ad, AdGroup, Campaign, Keyword, Period};
use crate::domain::spec::LegSpec;
use crate::platform::Problem;
use std::collections::HashSet;

/// Characters in a headline.
const HEADLINE: usize = 30;
/// Characters in a description.
const DESCRIPTION: usize = 90;
/// Characters in a part of the display path.
const PATH: usize = 15;
/// Characters and words in a keyword.
const KEYWORD: (usize, usize) = (80, 10);
/// Bytes in a custom parameter's value.
const PARAMETER: usize = 200;
/// Characters that no keyword may hold (`criterionError: KEYWORD_HAS_INVALID_CHARS`).
const NOT_IN_KEYWORDS: &str = "!@%^*()={};~`<>?\\|,";
/// Operations in one request (`requestError: TOO_MANY_MUTATE_OPERATIONS`).
/// Source: developers.google.com/google-ads/api/docs/best-practices/quotas.
const OPERATIONS: usize = 10_000;

struct Problems(Vec<Problem>);

impl Problems {
    fn add(&mut self, pointer: impl Into<String>, what: impl Into<String>, remedy: impl Into<String>) {
        self.0.push(Problem {
            pointer: pointer.into(),
            what: what.into(),
            remedy: remedy.into(),
        });
    }
}

/// See [`crate::platform::Platform::check`].
pub(super) fn check(spec: &LegSpec) -> Vec<Problem> {
    let mut problems = Problems(Vec::new());
    let campaign = &spec.campaign;
    match campaign.channel.as_deref() {
        Some("search") => {}
        Some(other) => {
            let what = format!("channel {other:?} is not supported yet");
            problems.add("/channel", what, "use search");
            return problems.0;
        }
        None => {
            problems.add("/channel", "a Google Ads campaign needs a channel", "use search");
            return problems.0;
        }
    }
    if !DECLARATIONS.contains(&spec.eu_political_advertising.as_str()) {
        let remedy = format!(
            "the tenant's policy.eu_political_advertising is one of {}",
            DECLARATIONS.join(", ")
        );
        problems.add(
            "",
            "the declaration about political advertising in the EU is missing",
            remedy,
        );
    }
    budget_and_bids(campaign, &mut problems);
    audience(campaign, &mut problems);
    parameters(campaign, &mut problems);
    known_settings(campaign, &mut problems);
    for (at, group) in campaign.ad_groups.iter().enumerate() {
        ad_group(group, &format!("/ad_groups/{at}"), &mut problems);
    }
    let count = |group: &AdGroup| 1 + group.keywords.len() + group.negative_keywords.len() + group.ads.len();
    let operations: usize = campaign.ad_groups.iter().map(count).sum();
    if operations + campaign.audience.countries.len() + campaign.audience.languages.len() + 4 > OPERATIONS {
        let what = format!("more than {OPERATIONS} objects, which is all that one request may create");
        problems.add("/ad_groups", what, "split the campaign");
    }
    problems.0
}

fn budget_and_bids(campaign: &Campaign, problems: &mut Problems) {
    if campaign.budget.amount.micros == 0 {
        problems.add(
            "/budget/amount",
            "a budget of nothing",
            "give an amount above zero",
        );
    }
    if campaign.budget.period == Period::Lifetime && campaign.schedule.end.is_none() {
        let what = "a lifetime budget needs an end (campaignError: END_DATE_TIME_REQUIRED_FOR_TOTAL_BUDGET)";
        problems.add(
            "/schedule/end",
            what,
            "give schedule.end, or make the budget daily",
        );
    }
    let bidding = &campaign.bidding;
    let strategy = bidding.strategy.as_str();
    if !STRATEGIES.contains(&strategy) {
        let what = format!(
            "search campaigns have no strategy {strategy:?}{}",
            nearest(strategy, &STRATEGIES)
        );
        problems.add(
            "/bidding/strategy",
            what,
            format!("use one of {}", STRATEGIES.join(", ")),
        );
        return;
    }
    let given = [
        (
            "target_cpa",
            bidding.target_cpa.is_some(),
            strategy == "maximize_conversions",
        ),
        (
            "target_roas",
            bidding.target_roas_micros.is_some(),
            strategy == "maximize_conversion_value",
        ),
        (
            "bid",
            bidding.bid.is_some(),
            matches!(strategy, "maximize_clicks" | "manual_cpc"),
        ),
        ("kpi", bidding.kpi.is_some(), false),
    ];
    for (field, there, allowed) in given {
        if there && !allowed {
            problems.add(
                format!("/bidding/{field}"),
                format!("{strategy} takes no {field}"),
                "leave it out",
            );
        }
    }
    if strategy == "manual_cpc" && bidding.bid.is_none_or(|bid| bid.micros == 0) {
        problems.add(
            "/bidding/bid",
            "manual_cpc needs a bid",
            "give bidding.bid, the most a click may cost",
        );
    }
    if campaign.frequency_cap.is_some() {
        problems.add(
            "/frequency_cap",
            "search campaigns have no frequency cap",
            "leave it out",
        );
    }
}

fn audience(campaign: &Campaign, problems: &mut Problems) {
    let audience = &campaign.audience;
    for (at, country) in audience.countries.iter().enumerate() {
        if geo::geo_target(country).is_none() {
            let what = format!("{country:?} is no country of ISO 3166-1");
            problems.add(
                format!("/audience/countries/{at}"),
                what,
                "use alpha-2 codes: DE, AT",
            );
        }
    }
    let mut constants = HashSet::new();
    for (at, language) in audience.languages.iter().enumerate() {
        let pointer = format!("/audience/languages/{at}");
        match geo::language_constant(language) {
            None => {
                let remedy = format!("Google Ads knows {}", geo::languages());
                problems.add(
                    pointer,
                    format!("Google Ads has no language {language:?}"),
                    remedy,
                );
            }
            Some(constant) => {
                if !constants.insert(constant) {
                    problems.add(pointer, format!("{language:?} is named twice"), "leave it out");
                }
            }
        }
    }
    let mut seen = HashSet::new();
    for (at, country) in audience.countries.iter().enumerate() {
        if !seen.insert(country) {
            problems.add(
                format!("/audience/countries/{at}"),
                format!("{country:?} is named twice"),
                "leave it out",
            );
        }
    }
    let person = [
        ("age_min", audience.age_min.is_some()),
        ("age_max", audience.age_max.is_some()),
        ("genders", !audience.genders.is_empty()),
    ];
    for (field, _) in person.iter().filter(|(_, there)| *there) {
        let what = format!("{field} is not supported for search campaigns yet");
        problems.add(format!("/audience/{field}"), what, "leave it out");
    }
}

/// Source of the limits: AdWords API `CustomParameter`; support.google.com/searchads/answer/6367605 (no spaces).
fn parameters(campaign: &Campaign, problems: &mut Problems) {
    for (field, value) in [("kcid", &campaign.crm.kcid), ("kpv", &campaign.crm.kpv)] {
        let Some(value) = value else { continue };
        let pointer = format!("/crm/{field}");
        if value.is_empty() || value.len() > PARAMETER {
            let what = format!("{field} must have 1 to {PARAMETER} bytes");
            problems.add(pointer.clone(), what, "shorten it, or leave it out");
        }
        if value.chars().any(|c| c.is_whitespace() || c.is_control()) {
            problems.add(
                pointer.clone(),
                format!("{field} must not hold spaces"),
                "use - or _ instead",
            );
        }
        if value.to_ascii_lowercase().contains("utm_") {
            problems.add(
                pointer,
                format!("{field} must not hold utm_"),
                "Google Ads is tracked by auto-tagging",
            );
        }
    }
}

fn known_settings(campaign: &Campaign, problems: &mut Problems) {
    let mut unknown = false;
    for key in campaign
        .settings
        .keys()
        .filter(|key| !SETTINGS.contains(&key.as_str()))
    {
        unknown = true;
        let what = format!("unknown setting {key:?}{}", nearest(key, &SETTINGS));
        problems.add(
            format!("/settings/{key}"),
            what,
            format!("known: {}", SETTINGS.join(", ")),
        );
    }
    if !unknown && let Err(error) = settings(campaign) {
        problems.add("/settings", error.message, error.remedy);
    }
}

fn ad_group(group: &AdGroup, pointer: &str, problems: &mut Problems) {
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
                problems.add(pointer, what, "leave it out");
            }
        }
    }
    if group.keywords.is_empty() {
        let what = "an ad group without keywords never serves on search";
        problems.add(format!("{pointer}/keywords"), what, "give at least one keyword");
    }
    if group.ads.len() > 3 {
        // RESPONSIVE_SEARCH_ADS_PER_AD_GROUP; developers.google.com/google-ads/api/docs/best-practices/system-limits.
        let what = format!(
            "{} responsive search ads, and Google allows 3 enabled in an ad group",
            group.ads.len()
        );
        problems.add(
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
            problems.add(
                pointer,
                "this ad says the same as another one of its ad group",
                "leave it out",
            );
        }
    }
}

fn check_keyword(keyword: &Keyword, pointer: &str, problems: &mut Problems) {
    let text = keyword_text(&keyword.text);
    let (characters, words) = KEYWORD;
    if text.is_empty() || text.chars().count() > characters || text.split(' ').count() > words {
        let what = format!(
            "{:?} must have 1 to {characters} characters and at most {words} words",
            keyword.text
        );
        problems.add(pointer, what, "shorten the keyword");
    }
    if let Some(bad) = text.chars().find(|c| NOT_IN_KEYWORDS.contains(*c)) {
        problems.add(
            pointer,
            format!("{:?} holds {bad:?}, which no keyword may", keyword.text),
            "leave it out",
        );
    }
}

fn check_ad(ad: &Ad, pointer: &str, problems: &mut Problems) {
    if ad.format != "responsive_search" {
        let what = format!("search campaigns have no ads of format {:?}", ad.format);
        problems.add(format!("{pointer}/format"), what, "use responsive_search");
        return;
    }
    let lists = [
        ("headlines", &ad.headlines, 3..=15, HEADLINE),
        ("descriptions", &ad.descriptions, 2..=4, DESCRIPTION),
    ];
    for (name, list, count, longest) in lists {
        if !count.contains(&list.len()) {
            let what = format!(
                "{} {name}, but {} to {} are wanted",
                list.len(),
                count.start(),
                count.end()
            );
            problems.add(format!("{pointer}/{name}"), what, "add or remove some");
        }
        let mut seen = HashSet::new();
        for (at, text) in list.iter().enumerate() {
            let width = width(text);
            let pointer = format!("{pointer}/{name}/{at}");
            if width == 0 || width > longest {
                let what = format!(
                    "{text:?} has {width} characters; 1 to {longest} are allowed (wide ones count twice)"
                );
                problems.add(pointer.clone(), what, "shorten it");
            }
            if !seen.insert(text.trim()) {
                problems.add(
                    pointer,
                    format!("{text:?} stands there twice"),
                    "every one must be different",
                );
            }
        }
    }
    for (name, path) in [("path1", &ad.path1), ("path2", &ad.path2)] {
        let Some(path) = path else { continue };
        if width(path) > PATH || path.contains('/') {
            let what = format!("{name} has at most {PATH} characters and no '/'");
            problems.add(format!("{pointer}/{name}"), what, "shorten it");
        }
    }
    if ad.path2.is_some() && ad.path1.is_none() {
        problems.add(
            format!("{pointer}/path2"),
            "path2 needs path1",
            "move it to path1",
        );
    }
    let foreign = [
        ("asset_ids", !ad.asset_ids.is_empty()),
        ("primary_text", ad.primary_text.is_some()),
        ("call_to_action", ad.call_to_action.is_some()),
        ("width", ad.width.is_some()),
        ("height", ad.height.is_some()),
    ];
    for (field, _) in foreign.iter().filter(|(_, there)| *there) {
        let what = format!("responsive search ads have no {field}");
        problems.add(format!("{pointer}/{field}"), what, "leave it out");
    }
}

/// As Google counts: characters of East Asian scripts and other wide ones count twice.
/// Source: support.google.com/google-ads/answer/1704389 ("double-width characters").
fn width(text: &str) -> usize {
    let wide = |c: char| {
        matches!(u32::from(c),
            0x1100..=0x115F | 0x2E80..=0x303E | 0x3041..=0xA4CF | 0xAC00..=0xD7A3 | 0xF900..=0xFAFF
            | 0xFE30..=0xFE6F | 0xFF00..=0xFF60 | 0xFFE0..=0xFFE6 | 0x1F300..=0x1FAFF | 0x20000..=0x3FFFD)
    };
    text.trim().chars().map(|c| if wide(c) { 2 } else { 1 }).sum()
}

/// `; did you mean …?` where a known word is near.
fn nearest(word: &str, known: &[&str]) -> String {
    known
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .min()
        .filter(|(distance, candidate)| *distance <= candidate.len() / 2)
        .map_or_else(String::new, |(_, candidate)| {
            format!("; did you mean {candidate:?}?")
        })
}
