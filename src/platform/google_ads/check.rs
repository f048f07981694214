//! What can be checked offline whatever the channel: objective, budget, bids, audience, custom parameters, settings. The channel's
//! file has the rest.
//!
//! Must not stop at the first problem, nor repeat what the plan's own schema says (ids, money, https).
//! Limits: google/ads/googleads/v26/resources and common (comments);
//! developers.google.com/google-ads/api/docs/best-practices/system-limits.

use super::channel::{Channel, offer};
use super::mapping::{DECLARATIONS, Settings, settings};
use super::{demand_gen, geo, people, performance_max, search, shopping};
use crate::domain::plan::{Ad, AdGroup, Campaign, Period};
use crate::domain::spec::LegSpec;
use crate::platform::{Check, Problem};
use std::collections::HashSet;

/// Bytes in a custom parameter's value.
const PARAMETER: usize = 200;
/// Characters in the name of the business. Source: v26/common/ad_type_infos.proto, `business_name`.
const BUSINESS: usize = 25;
/// Operations in one request (`requestError: TOO_MANY_MUTATE_OPERATIONS`).
/// Source: developers.google.com/google-ads/api/docs/best-practices/quotas.
const OPERATIONS: usize = 10_000;

/// How many texts of a kind an ad takes, and how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Texts {
    name: &'static str,
    least: usize,
    most: usize,
    longest: usize,
}

impl Texts {
    pub const fn new(name: &'static str, least: usize, most: usize, longest: usize) -> Self {
        Self {
            name,
            least,
            most,
            longest,
        }
    }

    fn of<'a>(&self, ad: &'a Ad) -> &'a [String] {
        match self.name {
            "headlines" => &ad.headlines,
            "long_headlines" => &ad.long_headlines,
            _ => &ad.descriptions,
        }
    }
}

/// See [`crate::platform::Platform::check`].
pub(super) fn check(spec: &LegSpec) -> Vec<Problem> {
    let mut problems = Check::default();
    let campaign = &spec.campaign;
    if let Err(not) = offer(campaign.objective, campaign.channel.as_deref()) {
        problems.no("/channel", not.why, format!("use {}", not.instead));
        return problems.problems;
    }
    let channel = campaign
        .channel
        .as_deref()
        .and_then(Channel::parse)
        .unwrap_or_default();
    if !DECLARATIONS.contains(&spec.eu_political_advertising.as_str()) {
        let remedy = format!(
            "the tenant's policy.eu_political_advertising is one of {}",
            DECLARATIONS.join(", ")
        );
        problems.no(
            "",
            "the declaration about political advertising in the EU is missing",
            remedy,
        );
    }
    budget_and_bids(campaign, channel, &mut problems);
    audience(campaign, channel, &mut problems);
    parameters(campaign, &mut problems);
    let known = known_settings(campaign, channel, &mut problems);
    formats(campaign, channel, &mut problems);
    match channel {
        Channel::Search => search::check(spec, &mut problems),
        Channel::Display | Channel::DemandGen => demand_gen::check(spec, channel, &known, &mut problems),
        Channel::Shopping => shopping::check(spec, &known, &mut problems),
        Channel::PerformanceMax => performance_max::check(spec, &known, &mut problems),
    }
    size(campaign, &mut problems);
    problems.problems
}

/// All of a campaign is made in one request.
fn size(campaign: &Campaign, problems: &mut Check) {
    let assets = |ad: &Ad| {
        1 + ad.asset_ids.len() + ad.headlines.len() + ad.long_headlines.len() + ad.descriptions.len()
    };
    let count = |group: &AdGroup| {
        let ads: usize = group.ads.iter().map(assets).sum();
        1 + group.keywords.len() + group.negative_keywords.len() + ads
    };
    let search = campaign.channel.as_deref() == Some(Channel::Search.as_str());
    let lean = |group: &AdGroup| 1 + group.keywords.len() + group.negative_keywords.len() + group.ads.len();
    let operations: usize = campaign
        .ad_groups
        .iter()
        .map(|group| people::count(campaign) + if search { lean(group) } else { count(group) })
        .sum();
    if operations + campaign.audience.countries.len() + campaign.audience.languages.len() + 4 > OPERATIONS {
        let what = format!("more than {OPERATIONS} objects, which is all that one request may create");
        problems.no("/ad_groups", what, "split the campaign");
    }
}

/// Each ad has a format of the channel, and only search has keywords.
fn formats(campaign: &Campaign, channel: Channel, problems: &mut Check) {
    for (at, group) in campaign.ad_groups.iter().enumerate() {
        for (n, ad) in group.ads.iter().enumerate() {
            if !channel.formats().contains(&ad.format.as_str()) {
                let what = format!(
                    "{} campaigns have no ads of format {:?}",
                    channel.as_str(),
                    ad.format
                );
                let remedy = format!("use {}", channel.formats().join(" or "));
                problems.no(format!("/ad_groups/{at}/ads/{n}/format"), what, remedy);
            }
        }
        let lists = [
            ("keywords", group.keywords.is_empty()),
            ("negative_keywords", group.negative_keywords.is_empty()),
        ];
        for (name, _) in lists
            .iter()
            .filter(|(_, empty)| channel != Channel::Search && !empty)
        {
            let what = format!("ad groups of {} campaigns have no {name} here", channel.as_str());
            problems.no(
                format!("/ad_groups/{at}/{name}"),
                what,
                "leave them out, or use channel search",
            );
        }
    }
}

/// Count and length of one kind of text of an ad.
pub(super) fn texts(ad: &Ad, pointer: &str, rule: &Texts, problems: &mut Check) {
    let (list, name) = (rule.of(ad), rule.name);
    if !(rule.least..=rule.most).contains(&list.len()) {
        let wanted = if rule.most == 0 {
            "none are".to_owned()
        } else {
            format!("{} to {} are", rule.least, rule.most)
        };
        let what = format!("{} {name}, but {wanted} wanted", list.len());
        problems.no(format!("{pointer}/{name}"), what, "add or remove some");
    }
    let mut seen = HashSet::new();
    for (at, text) in list.iter().enumerate() {
        let (width, longest) = (width(text), rule.longest);
        let pointer = format!("{pointer}/{name}/{at}");
        if width == 0 || width > longest {
            let what = format!(
                "{text:?} has {width} characters; 1 to {longest} are allowed (wide ones count twice)"
            );
            problems.no(pointer.clone(), what, "shorten it");
        }
        if !seen.insert(text.trim()) {
            problems.no(
                pointer,
                format!("{text:?} stands there twice"),
                "every one must be different",
            );
        }
    }
}

/// Fields of an ad that its format has no place for.
pub(super) fn foreign(ad: &Ad, pointer: &str, fields: &[&str], problems: &mut Check) {
    let there = |field: &str| match field {
        "asset_ids" => !ad.asset_ids.is_empty(),
        "headlines" => !ad.headlines.is_empty(),
        "long_headlines" => !ad.long_headlines.is_empty(),
        "descriptions" => !ad.descriptions.is_empty(),
        "primary_text" => ad.primary_text.is_some(),
        "call_to_action" => ad.call_to_action.is_some(),
        "path1" => ad.path1.is_some(),
        "path2" => ad.path2.is_some(),
        "width" => ad.width.is_some(),
        "height" => ad.height.is_some(),
        _ => false,
    };
    for field in fields.iter().filter(|field| there(field)) {
        let what = format!("{} ads have no {field}", ad.format);
        problems.no(format!("{pointer}/{field}"), what, "leave it out");
    }
}

fn budget_and_bids(campaign: &Campaign, channel: Channel, problems: &mut Check) {
    if campaign.budget.amount.micros == 0 {
        problems.no(
            "/budget/amount",
            "a budget of nothing",
            "give an amount above zero",
        );
    }
    if campaign.budget.period == Period::Lifetime && campaign.schedule.end.is_none() {
        let what = "a lifetime budget needs an end (campaignError: END_DATE_TIME_REQUIRED_FOR_TOTAL_BUDGET)";
        problems.no(
            "/schedule/end",
            what,
            "give schedule.end, or make the budget daily",
        );
    }
    let bidding = &campaign.bidding;
    let strategy = bidding.strategy.as_str();
    let known = channel.strategies();
    if !known.contains(&strategy) {
        let what = format!(
            "{} campaigns have no strategy {strategy:?}{}",
            channel.as_str(),
            nearest(strategy, known)
        );
        problems.no(
            "/bidding/strategy",
            what,
            format!("use one of {}", known.join(", ")),
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
            problems.no(
                format!("/bidding/{field}"),
                format!("{strategy} takes no {field}"),
                "leave it out",
            );
        }
    }
    if strategy == "manual_cpc" && bidding.bid.is_none_or(|bid| bid.micros == 0) {
        problems.no(
            "/bidding/bid",
            "manual_cpc needs a bid",
            "give bidding.bid, the most a click may cost",
        );
    }
    if channel == Channel::Shopping
        && strategy == "maximize_conversion_value"
        && bidding.target_roas_micros.is_none()
    {
        problems.no(
            "/bidding/target_roas",
            "a shopping campaign bids for conversion value only towards a target",
            "give bidding.target_roas",
        );
    }
    frequency_cap(campaign, channel, problems);
}

/// Display campaigns cap what one person sees of them in a day, a week or a month: support.google.com/google-ads/answer/117579.
fn frequency_cap(campaign: &Campaign, channel: Channel, problems: &mut Check) {
    let Some(cap) = &campaign.frequency_cap else {
        return;
    };
    if channel != Channel::Display {
        let what = format!("{} campaigns have no frequency cap", channel.as_str());
        problems.no("/frequency_cap", what, "leave it out, or use channel display");
        return;
    }
    if !matches!(cap.per.as_str(), "day" | "week" | "month") {
        let what = format!("Google Ads cannot cap per {}", cap.per);
        problems.no("/frequency_cap/per", what, "use day, week or month");
    }
    if !(1..=i32::MAX.unsigned_abs()).contains(&cap.impressions) {
        problems.no(
            "/frequency_cap/impressions",
            "a cap of no impression at all (campaignError: MAX_IMPRESSIONS_NOT_IN_RANGE)",
            "allow at least one",
        );
    }
}

fn audience(campaign: &Campaign, channel: Channel, problems: &mut Check) {
    let audience = &campaign.audience;
    for (at, country) in audience.countries.iter().enumerate() {
        if geo::geo_target(country).is_none() {
            let what = format!("{country:?} is no country of ISO 3166-1");
            problems.no(
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
                problems.no(
                    pointer,
                    format!("Google Ads has no language {language:?}"),
                    remedy,
                );
            }
            Some(constant) => {
                if !constants.insert(constant) {
                    problems.no(pointer, format!("{language:?} is named twice"), "leave it out");
                }
            }
        }
    }
    let mut seen = HashSet::new();
    for (at, country) in audience.countries.iter().enumerate() {
        if !seen.insert(country) {
            problems.no(
                format!("/audience/countries/{at}"),
                format!("{country:?} is named twice"),
                "leave it out",
            );
        }
    }
    people::check(campaign, channel, problems);
}

/// Source of the limits: AdWords API `CustomParameter`; support.google.com/searchads/answer/6367605 (no spaces).
fn parameters(campaign: &Campaign, problems: &mut Check) {
    for (field, value) in [("kcid", &campaign.crm.kcid), ("kpv", &campaign.crm.kpv)] {
        let Some(value) = value else { continue };
        let pointer = format!("/crm/{field}");
        if value.is_empty() || value.len() > PARAMETER {
            let what = format!("{field} must have 1 to {PARAMETER} bytes");
            problems.no(pointer.clone(), what, "shorten it, or leave it out");
        }
        if value.chars().any(|c| c.is_whitespace() || c.is_control()) {
            problems.no(
                pointer.clone(),
                format!("{field} must not hold spaces"),
                "use - or _ instead",
            );
        }
        if value.to_ascii_lowercase().contains("utm_") {
            problems.no(
                pointer,
                format!("{field} must not hold utm_"),
                "Google Ads is tracked by auto-tagging",
            );
        }
    }
}

/// The settings, as far as they can be read.
fn known_settings(campaign: &Campaign, channel: Channel, problems: &mut Check) -> Settings {
    let known = channel.settings();
    let mut unknown = false;
    for key in campaign
        .settings
        .keys()
        .filter(|key| !known.contains(&key.as_str()))
    {
        unknown = true;
        let what = format!(
            "unknown setting {key:?} on channel {}{}",
            channel.as_str(),
            nearest(key, known)
        );
        problems.no(
            format!("/settings/{key}"),
            what,
            format!("known: {}", known.join(", ")),
        );
    }
    let read = match settings(campaign) {
        Ok(read) => read,
        // What is unknown has been named; the rest cannot be read beside it.
        Err(_) if unknown => return Settings::default(),
        Err(error) => {
            problems.no("/settings", error.message, error.remedy);
            return Settings::default();
        }
    };
    if let Some(name) = &read.business_name
        && !(1..=BUSINESS).contains(&width(name))
    {
        let what = format!("{name:?} must have 1 to {BUSINESS} characters (wide ones count twice)");
        problems.no("/settings/business_name", what, "shorten it");
    }
    let ads = || campaign.ad_groups.iter().flat_map(|group| &group.ads);
    for (at, logo) in read.logos.iter().enumerate() {
        if !ads().any(|ad| ad.asset_ids.contains(logo)) {
            problems.no(
                format!("/settings/logos/{at}"),
                format!("{logo:?} is in no ad's asset_ids"),
                "settings.logos says which of the ads' assets are logos: name it there too",
            );
        }
    }
    read
}

/// As Google counts: characters of East Asian scripts and other wide ones count twice.
/// Source: support.google.com/google-ads/answer/1704389 ("double-width characters").
pub(super) fn width(text: &str) -> usize {
    let wide = |c: char| {
        matches!(u32::from(c),
            0x1100..=0x115F | 0x2E80..=0x303E | 0x3041..=0xA4CF | 0xAC00..=0xD7A3 | 0xF900..=0xFAFF
            | 0xFE30..=0xFE6F | 0xFF00..=0xFF60 | 0xFFE0..=0xFFE6 | 0x1F300..=0x1FAFF | 0x20000..=0x3FFFD)
    };
    text.trim().chars().map(|c| if wide(c) { 2 } else { 1 }).sum()
}

/// `; did you mean …?` where a known word is near.
pub(super) fn nearest(word: &str, known: &[&str]) -> String {
    known
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .min()
        .filter(|(distance, candidate)| *distance <= candidate.len() / 2)
        .map_or_else(String::new, |(_, candidate)| {
            format!("; did you mean {candidate:?}?")
        })
}
