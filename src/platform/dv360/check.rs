//! What DV360 would refuse, found before anything is sent. Sources stand at each rule, or where it is applied.

use super::creatives::{FORMATS, format};
use super::offers::{CHANNELS, FORMATS_NOT_OFFERED, offer};
use super::settings::{Settings, settings};
use super::{bidding, dates, mapping, targeting};
use crate::domain::plan::{Ad, Audience, Objective, Period};
use crate::domain::spec::LegSpec;
use crate::platform::{Check, Problem};
use chrono::Datelike;

/// Everything that is wrong with the campaign.
pub(super) fn check(spec: &LegSpec) -> Vec<Problem> {
    let mut check = Check::default();
    let campaign = &spec.campaign;
    if let Err(no) = offer(campaign.objective, campaign.channel.as_deref()) {
        let known = campaign.channel.as_deref().is_some_and(|c| CHANNELS.contains(&c));
        check.no(if known { "/objective" } else { "/channel" }, no.why, no.instead);
    }
    match settings(spec) {
        Ok(settings) => needs(spec, &settings, &mut check),
        Err(problem) => check.problems.push(problem),
    }
    money(spec, &mut check);
    bids(spec, &mut check);
    audience(spec, &mut check);
    if mapping::frequency_cap(campaign.frequency_cap.as_ref()).is_none() {
        check.no(
            "/frequency_cap",
            "DV360 caps impressions per day, week or month, and no longer for a lifetime",
            "use per month, or take the cap out",
        );
    }
    for (g, group) in campaign.ad_groups.iter().enumerate() {
        check.no_keywords(group, g, "keywords are not offered on DV360");
        for (a, one) in group.ads.iter().enumerate() {
            ad(
                one,
                campaign.channel.as_deref(),
                &format!("/ad_groups/{g}/ads/{a}"),
                &mut check,
            );
        }
    }
    check.problems
}

/// A budget of an insertion order is above nothing and for a range of days before 2037
/// (`InsertionOrderBudgetSegment`).
fn money(spec: &LegSpec, check: &mut Check) {
    let campaign = &spec.campaign;
    if campaign.budget.amount.micros <= 0 {
        check.no(
            "/budget/amount",
            "a budget of nothing",
            "use an amount above zero",
        );
    }
    let Some(end) = campaign.schedule.end else {
        check.no(
            "/schedule/end",
            "a DV360 budget is for a flight that ends",
            "say when the flight ends",
        );
        return;
    };
    let (first, last) = dates::days(campaign.schedule.start, end, spec.timezone);
    if last.year() > dates::LAST_YEAR {
        check.no(
            "/schedule/end",
            "DV360 knows no days after 2036",
            "end the flight earlier",
        );
    }
    let days = (last - first).num_days() + 1;
    if campaign.budget.period == Period::Daily && campaign.budget.amount.micros.checked_mul(days).is_none() {
        check.no(
            "/budget/amount",
            "the budget of the whole flight is too large to count",
            "use a smaller budget or a shorter flight",
        );
    }
}

fn bids(spec: &LegSpec, check: &mut Check) {
    let goal = bidding::goal(&spec.campaign.bidding);
    let strategy = bidding::strategy(spec);
    if spec.campaign.bidding.kpi.is_some() && spec.campaign.bidding.target_cpa.is_some() {
        check.no(
            "/bidding/target_cpa",
            "a campaign has one goal, and there is bidding.kpi too",
            "say it as bidding.kpi: {type: cpa, amount}, or take the kpi out",
        );
    }
    for problem in [goal.err(), strategy.err()].into_iter().flatten() {
        if !check.problems.contains(&problem) {
            check.problems.push(problem);
        }
    }
}

fn audience(spec: &LegSpec, check: &mut Check) {
    let audience = &spec.campaign.audience;
    for (i, country) in audience.countries.iter().enumerate() {
        if targeting::geo(country).is_none() {
            check.no(
                format!("/audience/countries/{i}"),
                format!("{country:?} is no country that DV360 knows"),
                "use its ISO 3166-1 code",
            );
        }
    }
    let own = spec.campaign.settings.contains_key("language_ids");
    for (i, language) in audience.languages.iter().enumerate() {
        if !own && targeting::language(language).is_none() {
            check.no(
                format!("/audience/languages/{i}"),
                format!("no DV360 targeting option is known for {language:?}"),
                "give DV360's own ids as settings.language_ids",
            );
        }
    }
    if targeting::ages(audience).is_none() {
        // Whichever is not on an edge; turned round, both.
        let (low, high) = (audience.age_min, audience.age_max);
        let alone = |min, max| {
            targeting::ages(&Audience {
                age_min: min,
                age_max: max,
                ..audience.clone()
            })
        };
        let pointer = match (alone(low, None), alone(None, high)) {
            (None, Some(_)) => "/audience/age_min",
            (Some(_), None) => "/audience/age_max",
            (None, None) | (Some(_), Some(_)) => "/audience",
        };
        check.no(
            pointer,
            "DV360 addresses adults in the ranges 18-24, 25-34, 35-44, 45-54, 55-64 and 65 or more",
            "let age_min be 18, 25, 35, 45, 55 or 65 and age_max 24, 34, 44, 54 or 64 (or leave it out)",
        );
    }
    for (i, gender) in audience.genders.iter().enumerate() {
        if !matches!(gender.as_str(), "female" | "male") {
            check.no(
                format!("/audience/genders/{i}"),
                format!("DV360 cannot target {gender:?}"),
                "use female, male, or none for everybody",
            );
        }
    }
}

/// What an objective or a pacing cannot do without.
fn needs(spec: &LegSpec, settings: &Settings, check: &mut Check) {
    let campaign = &spec.campaign;
    let counts = bidding::goal(&campaign.bidding).is_ok_and(|goal| goal.counts_conversions());
    let converts = matches!(campaign.objective, Objective::Leads | Objective::Sales) || counts;
    if converts && settings.floodlight_activity_ids.is_empty() {
        check.no(
            "/settings/floodlight_activity_ids",
            "conversions are counted by Floodlight activities",
            "set settings.floodlight_activity_ids",
        );
    }
    let app = campaign.objective == Objective::App;
    match (app, &settings.app_id) {
        (true, None) => check.no(
            "/settings/app_id",
            "objective app needs the app",
            "set settings.app_id to its id in the store",
        ),
        (false, Some(_)) => check.no(
            "/settings/app_id",
            "an app is installed with objective app only",
            "use objective app, or take app_id out",
        ),
        (true, Some(_)) | (false, None) => {}
    }
    // Reference/rest/v4/Pacing: AHEAD is for flights, and ASAP is not for the flight of an insertion order.
    let wrong = match campaign.budget.period {
        Period::Lifetime => "asap",
        Period::Daily => "ahead",
    };
    if settings.pacing.as_deref() == Some(wrong) {
        check.no(
            "/settings/pacing",
            format!(
                "a {} budget cannot be paced {wrong}",
                match campaign.budget.period {
                    Period::Lifetime => "lifetime",
                    Period::Daily => "daily",
                }
            ),
            "use even, or ahead with a lifetime budget and asap with a daily one",
        );
    }
}

fn ad(ad: &Ad, channel: Option<&str>, at: &str, check: &mut Check) {
    // A channel that there is not is told of once.
    let channel = channel.filter(|c| CHANNELS.contains(c));
    if let Some((_, not)) = FORMATS_NOT_OFFERED.iter().find(|(name, _)| *name == ad.format) {
        check.no(format!("{at}/format"), not.why, not.instead);
        return;
    }
    let fits = format(ad).filter(|f| channel.is_none_or(|c| c == f.channel));
    if fits.is_none() {
        let offered: Vec<&str> = FORMATS
            .iter()
            .filter(|f| channel.is_none_or(|c| c == f.channel))
            .map(|f| f.name)
            .collect();
        check.no(
            format!("{at}/format"),
            format!("{:?} is not offered on DV360 for this channel", ad.format),
            format!("use {}", offered.join(" or ")),
        );
        return;
    }
    if ad.asset_ids.len() != 1 {
        check.no(
            format!("{at}/asset_ids"),
            format!("{} shows one asset", ad.format),
            "name one asset",
        );
    }
    let texts = [
        ("headlines", !ad.headlines.is_empty()),
        ("descriptions", !ad.descriptions.is_empty()),
        ("primary_text", ad.primary_text.is_some()),
        ("call_to_action", ad.call_to_action.is_some()),
        ("long_headlines", !ad.long_headlines.is_empty()),
        ("path1", ad.path1.is_some()),
        ("path2", ad.path2.is_some()),
    ];
    for (name, _) in texts.into_iter().filter(|(_, given)| *given) {
        check.no(
            format!("{at}/{name}"),
            format!("{} shows no texts beside its asset", ad.format),
            "put the words into the asset, and take them out here",
        );
    }
    let sized = fits.is_some_and(|f| f.sized);
    for (name, given) in [("width", ad.width.is_some()), ("height", ad.height.is_some())] {
        if given && !sized {
            check.no(
                format!("{at}/{name}"),
                format!("{} has its asset's own size", ad.format),
                "take it out",
            );
        }
    }
}
