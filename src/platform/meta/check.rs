//! What Meta would refuse, found before anything is sent. Sources stand at each rule.

use super::audience::locales;
use super::settings::{Settings, settings};
use super::{formats, mapping, offers};
use crate::domain::money::Money;
use crate::domain::plan::{Objective, Period};
use crate::domain::spec::LegSpec;
use crate::platform::{Check, Problem};

/// Countries whose targeting needs a beneficiary and a payor: the EU (regulation 2022/2065, error 3858152).
const EU: &[&str] = &[
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU", "IE", "IT", "LT",
    "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
];

/// Special ad categories (reference/ad-account/campaigns).
const CATEGORIES: &[&str] = &[
    "NONE",
    "EMPLOYMENT",
    "HOUSING",
    "CREDIT",
    "ISSUES_ELECTIONS_POLITICS",
    "ONLINE_GAMBLING_AND_GAMING",
    "FINANCIAL_PRODUCTS_SERVICES",
];

/// Everything that is wrong with the campaign.
pub(super) fn check(spec: &LegSpec) -> Vec<Problem> {
    let mut check = Check::default();
    let settings = match settings(spec) {
        Ok(settings) => settings,
        Err(problem) => return vec![problem],
    };
    shape(spec, &mut check);
    money(spec, &mut check);
    bidding(spec, &mut check);
    audience(spec, &settings, &mut check);
    people(spec, &settings, &mut check);
    needs(spec, &settings, &mut check);
    for (g, group) in spec.campaign.ad_groups.iter().enumerate() {
        check.no_keywords(group, g, "Meta has no keywords");
        for (a, one) in group.ads.iter().enumerate() {
            formats::ad(spec, one, &format!("/ad_groups/{g}/ads/{a}"), &mut check);
        }
    }
    check.problems
}

/// Ad sets in one campaign (reference/ad-campaign-group, limits).
const AD_SETS: usize = 200;

fn shape(spec: &LegSpec, check: &mut Check) {
    if let Err(not) = offers::offer(spec.campaign.objective, spec.campaign.channel.as_deref()) {
        check.no("/channel", not.why, not.instead);
    }
    if spec.campaign.ad_groups.len() > AD_SETS {
        check.no(
            "/ad_groups",
            format!("Meta allows {AD_SETS} ad sets in a campaign"),
            "split the campaign",
        );
    }
}

/// An amount in Meta's own minor unit: more than none, and a whole number of them.
fn amount(money: Money, pointer: &str, check: &mut Check) {
    let decimals = mapping::decimals(money.currency);
    match money.in_units(decimals) {
        Some(units) if units > 0 => {}
        Some(_) => check.no(
            pointer,
            format!("{money} buys nothing"),
            "use an amount above zero",
        ),
        None => check.no(
            pointer,
            format!("Meta counts {} with {decimals} decimals", money.currency),
            format!("use no more decimals than that instead of {money}"),
        ),
    }
}

fn money(spec: &LegSpec, check: &mut Check) {
    let budget = &spec.campaign.budget;
    amount(budget.amount, "/budget/amount", check);
    if budget.period == Period::Lifetime && spec.campaign.schedule.end.is_none() {
        check.no(
            "/schedule/end",
            "a lifetime budget needs an end",
            "say when the flight ends, or use a daily budget",
        );
    }
    let schedule = &spec.campaign.schedule;
    let short = schedule
        .end
        .is_some_and(|end| end - schedule.start <= chrono::Duration::hours(24));
    if budget.period == Period::Daily && short {
        check.no(
            "/schedule/end",
            "a daily budget needs a flight of more than 24 hours",
            "use a lifetime budget",
        );
    }
}

fn bidding(spec: &LegSpec, check: &mut Check) {
    let bidding = &spec.campaign.bidding;
    let strategy = bidding.strategy.as_str();
    let caps = [
        (bidding.bid, "/bidding/bid"),
        (bidding.target_cpa, "/bidding/target_cpa"),
    ];
    match strategy {
        "cost_cap" | "bid_cap" => match caps.iter().find_map(|(cap, at)| Some(((*cap)?, at))) {
            None => check.no(
                "/bidding/bid",
                format!("{strategy} needs a bid"),
                "say the cap as bidding.bid",
            ),
            Some((cap, at)) => amount(cap, at, check),
        },
        "lowest_cost" | mapping::MIN_ROAS => {
            for (_, at) in caps.iter().filter(|(cap, _)| cap.is_some()) {
                check.no(
                    *at,
                    format!("{strategy} takes no bid"),
                    "use bid_cap or cost_cap, or take the bid out",
                );
            }
        }
        other => check.no(
            "/bidding/strategy",
            format!("Meta does not know {other:?}"),
            "use lowest_cost, cost_cap, bid_cap or min_roas",
        ),
    }
    if bidding.bid.is_some() && bidding.target_cpa.is_some() {
        check.no(
            "/bidding/target_cpa",
            "a cap is said once, and there is bidding.bid too",
            "keep one of the two",
        );
    }
    if bidding.kpi.is_some() {
        check.no(
            "/bidding/kpi",
            "Meta measures a campaign by its objective, not by a goal of its own",
            "take the kpi out; a cost to keep to is strategy cost_cap with bidding.bid",
        );
    }
    if strategy == "cost_cap" && spec.campaign.objective == Objective::Awareness {
        check.no(
            "/bidding/strategy",
            "Meta has no cost cap for reach",
            "use lowest_cost or bid_cap",
        );
    }
    returns(spec, check);
}

/// A least return is for value optimisation: sales only (bidding/overview/bid-strategy#min-roas-bidding).
fn returns(spec: &LegSpec, check: &mut Check) {
    let bidding = &spec.campaign.bidding;
    if bidding.strategy != mapping::MIN_ROAS {
        if bidding.target_roas_micros.is_some() {
            check.no(
                "/bidding/target_roas",
                format!("{} takes no return on ad spend", bidding.strategy),
                "use min_roas, or take it out",
            );
        }
        return;
    }
    if bidding.target_roas_micros.and_then(mapping::roas_floor).is_none() {
        check.no(
            "/bidding/target_roas",
            "min_roas needs a return between 0.01 and 1000, with at most four decimals",
            "say it as bidding.target_roas",
        );
    }
    if spec.campaign.objective != Objective::Sales {
        check.no(
            "/bidding/strategy",
            "a least return is for objective sales only",
            "use lowest_cost, cost_cap or bid_cap",
        );
    }
}

fn audience(spec: &LegSpec, settings: &Settings, check: &mut Check) {
    let audience = &spec.campaign.audience;
    let in_eu: Vec<&str> = audience
        .countries
        .iter()
        .map(String::as_str)
        .filter(|c| EU.contains(c))
        .collect();
    for (said, key) in [
        (settings.dsa_beneficiary.is_some(), "dsa_beneficiary"),
        (settings.dsa_payor.is_some(), "dsa_payor"),
    ] {
        if !in_eu.is_empty() && !said {
            check.no(
                format!("/settings/{key}"),
                format!(
                    "ads in the EU ({}) must name who benefits and who pays",
                    in_eu.join(", ")
                ),
                "set settings.dsa_beneficiary and settings.dsa_payor",
            );
        }
    }
    for (i, language) in audience.languages.iter().enumerate() {
        if settings.locales.is_empty() && locales(language).is_none() {
            check.no(
                format!("/audience/languages/{i}"),
                format!("no Meta locale is known for {language:?}"),
                "give Meta's own ids as settings.locales",
            );
        }
    }
    for (i, category) in settings.special_ad_categories.iter().enumerate() {
        if !CATEGORIES.contains(&category.as_str()) {
            check.no(
                format!("/settings/special_ad_categories/{i}"),
                format!("{category:?} is no special ad category"),
                format!("use one of {}", CATEGORIES.join(", ")),
            );
        }
    }
    if let Some(cap) = &spec.campaign.frequency_cap {
        if spec.campaign.objective != Objective::Awareness {
            check.no(
                "/frequency_cap",
                "Meta caps frequency only for reach",
                "use objective awareness, or take the cap out",
            );
        } else if mapping::cap_days(&cap.per).is_none() {
            check.no(
                "/frequency_cap/per",
                format!("Meta cannot cap per {}", cap.per),
                "use day, week or month",
            );
        }
    }
}

/// Ages and genders: 13 to 65, where 65 is everybody older too (reference/ad-account/adsets, targeting). For housing, jobs and
/// credit nobody may be left out by either (audiences/special-ad-category).
fn people(spec: &LegSpec, settings: &Settings, check: &mut Check) {
    let audience = &spec.campaign.audience;
    for (age, at) in [
        (audience.age_min, "/audience/age_min"),
        (audience.age_max, "/audience/age_max"),
    ] {
        if age.is_some_and(|age| !(13..=65).contains(&age)) {
            check.no(
                at,
                "Meta takes ages from 13 to 65",
                "65 stands for everybody older too",
            );
        }
    }
    if let (Some(min), Some(max)) = (audience.age_min, audience.age_max)
        && min > max
    {
        check.no("/audience", "age_min is above age_max", "turn them round");
    }
    for (i, gender) in audience.genders.iter().enumerate() {
        if !matches!(gender.as_str(), "female" | "male") {
            check.no(
                format!("/audience/genders/{i}"),
                format!("Meta cannot target {gender:?}"),
                "use female, male, or none for everybody",
            );
        }
    }
    let special = ["HOUSING", "EMPLOYMENT", "CREDIT", "FINANCIAL_PRODUCTS_SERVICES"];
    let category = settings
        .special_ad_categories
        .iter()
        .find(|c| special.contains(&c.as_str()));
    let narrow = audience.age_min.is_some_and(|age| age > 18)
        || audience.age_max.is_some_and(|age| age < 65)
        || audience.genders.len() == 1;
    if let Some(category) = category.filter(|_| narrow) {
        check.no(
            "/audience",
            format!("ads for {category} may not leave out ages or a gender"),
            "take age_min, age_max and genders out",
        );
    }
}

/// What an objective cannot do without.
fn needs(spec: &LegSpec, settings: &Settings, check: &mut Check) {
    let products = mapping::shows_products(spec);
    match spec.campaign.objective {
        Objective::Leads | Objective::Sales => {
            if settings.pixel_id.is_none() && !products {
                check.no(
                    "/settings/pixel_id",
                    format!(
                        "objective {} optimises for a pixel's event",
                        spec.campaign.objective.as_str()
                    ),
                    "set settings.pixel_id (and settings.custom_event_type)",
                );
            }
        }
        Objective::App => app(spec, settings, check),
        Objective::Awareness | Objective::Traffic | Objective::Engagement => {}
    }
    unused(spec, settings, products, check);
    catalog(spec, settings, products, check);
    let event = settings.custom_event_type.is_some();
    if event
        && !matches!(
            spec.campaign.objective,
            Objective::Leads | Objective::Sales | Objective::Engagement
        )
    {
        check.no(
            "/settings/custom_event_type",
            format!(
                "objective {} optimises for no event",
                spec.campaign.objective.as_str()
            ),
            "take it out, or use leads or sales",
        );
    }
}

/// Settings that mean nothing here.
fn unused(spec: &LegSpec, settings: &Settings, products: bool, check: &mut Check) {
    let objective = spec.campaign.objective;
    let counts = matches!(
        objective,
        Objective::Leads | Objective::Sales | Objective::Engagement
    );
    let app = objective == Objective::App;
    let special = settings.special_ad_categories.iter().any(|c| c != "NONE");
    for (given, key, what, remedy) in [
        (
            settings.pixel_id.is_some() && (!counts || products),
            "pixel_id",
            "nothing is counted by a pixel here",
            "take it out, or use leads, sales or engagement without catalog ads",
        ),
        (
            settings.application_id.is_some() && !app,
            "application_id",
            "an app is promoted by objective app only",
            "take it out, or use objective app",
        ),
        (
            settings.object_store_url.is_some() && !app,
            "object_store_url",
            "an app is promoted by objective app only",
            "take it out, or use objective app",
        ),
        (
            !settings.special_ad_category_country.is_empty() && !special,
            "special_ad_category_country",
            "there is no special ad category whose countries these could be",
            "take it out, or name special_ad_categories",
        ),
    ] {
        if given {
            check.no(format!("/settings/{key}"), what, remedy);
        }
    }
}

/// An app's ads lead to its store page (guides/mobile-app-ads: "the link must be the object_store_url").
fn app(spec: &LegSpec, settings: &Settings, check: &mut Check) {
    let (Some(_), Some(store)) = (&settings.application_id, &settings.object_store_url) else {
        check.no(
            "/settings/application_id",
            "objective app needs the app and its store page",
            "set settings.application_id and settings.object_store_url",
        );
        return;
    };
    for (g, group) in spec.campaign.ad_groups.iter().enumerate() {
        for (a, ad) in group.ads.iter().enumerate() {
            let same = url::Url::parse(store).is_ok_and(|store| store == ad.landing_url);
            if !same {
                check.no(
                    format!("/ad_groups/{g}/ads/{a}/landing_url"),
                    "an ad for an app leads to the app's store page",
                    "use settings.object_store_url as its landing_url",
                );
            }
        }
    }
}

/// Ads of products: all of a campaign's or none, from a set of the catalog that the plan names (advantage-catalog-ads/get-started).
fn catalog(spec: &LegSpec, settings: &Settings, products: bool, check: &mut Check) {
    if !products {
        if settings.product_set_id.is_some() {
            check.no(
                "/settings/product_set_id",
                "no ad of this campaign shows products",
                "use format catalog, or take it out",
            );
        }
        return;
    }
    if settings.product_set_id.is_none() {
        check.no(
            "/settings/product_set_id",
            "a catalog ad shows a set of products",
            "set settings.product_set_id",
        );
    }
    let named = spec.catalog.as_ref().and_then(|c| c.meta_catalog_id.as_ref());
    if named.is_none() {
        check.no(
            "/settings/product_set_id",
            "the plan names no Meta catalog",
            "set catalog.meta_catalog_id, so that its health can be checked before the launch",
        );
    }
    if !matches!(spec.campaign.objective, Objective::Sales | Objective::Traffic) {
        check.no(
            "/objective",
            format!(
                "Meta shows products for sales and traffic, not for {}",
                spec.campaign.objective.as_str()
            ),
            "use objective sales or traffic, or another ad format",
        );
    }
    let ads = spec.campaign.ad_groups.iter().flat_map(|group| &group.ads);
    if ads.clone().any(|ad| ad.format != formats::CATALOG) {
        check.no(
            "/ad_groups",
            "a campaign that promotes a catalog has catalog ads only",
            "give the other ads a campaign of their own",
        );
    }
}
