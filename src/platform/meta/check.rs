//! What Meta would refuse, found before anything is sent. Sources stand at each rule.

use super::mapping::{self, Settings};
use crate::domain::plan::{Ad, Objective, Period};
use crate::domain::spec::LegSpec;
use crate::platform::Problem;

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

struct Check {
    problems: Vec<Problem>,
}

impl Check {
    fn no(&mut self, pointer: impl Into<String>, what: impl Into<String>, remedy: impl Into<String>) {
        self.problems.push(Problem {
            pointer: pointer.into(),
            what: what.into(),
            remedy: remedy.into(),
        });
    }
}

/// Everything that is wrong with the campaign.
pub(super) fn check(spec: &LegSpec) -> Vec<Problem> {
    let mut check = Check { problems: Vec::new() };
    let settings = match mapping::settings(spec) {
        Ok(settings) => settings,
        Err(problem) => return vec![problem],
    };
    money(spec, &mut check);
    bidding(spec, &mut check);
    audience(spec, &settings, &mut check);
    needs(spec, &settings, &mut check);
    for (g, group) in spec.campaign.ad_groups.iter().enumerate() {
        if !group.keywords.is_empty() || !group.negative_keywords.is_empty() {
            check.no(
                format!("/ad_groups/{g}/keywords"),
                "Meta has no keywords",
                "take the keywords out",
            );
        }
        for (a, one) in group.ads.iter().enumerate() {
            ad(one, &format!("/ad_groups/{g}/ads/{a}"), &mut check);
        }
    }
    check.problems
}

fn money(spec: &LegSpec, check: &mut Check) {
    let budget = &spec.campaign.budget;
    if budget.amount.in_units(mapping::decimals(spec.currency)).is_none() {
        check.no(
            "/budget/amount",
            format!("Meta counts {} in whole units", spec.currency),
            format!("use an amount without decimals instead of {}", budget.amount),
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
    match bidding.strategy.as_str() {
        "lowest_cost" => {
            if bidding.bid.is_some() {
                check.no(
                    "/bidding/bid",
                    "lowest_cost takes no bid",
                    "use bid_cap or cost_cap, or take the bid out",
                );
            }
        }
        "cost_cap" | "bid_cap" => {
            if bidding.bid.or(bidding.target_cpa).is_none() {
                check.no(
                    "/bidding/bid",
                    format!("{} needs a bid", bidding.strategy),
                    "say the cap as bidding.bid",
                );
            }
        }
        other => check.no(
            "/bidding/strategy",
            format!("Meta does not know {other:?}"),
            "use lowest_cost, cost_cap or bid_cap",
        ),
    }
    if bidding.target_roas_micros.is_some() {
        check.no(
            "/bidding/target_roas",
            "minimum ROAS bidding is not offered",
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
    if !in_eu.is_empty() && (settings.dsa_beneficiary.is_none() || settings.dsa_payor.is_none()) {
        check.no(
            "/settings/dsa_beneficiary",
            format!(
                "ads in the EU ({}) must name who benefits and who pays",
                in_eu.join(", ")
            ),
            "set settings.dsa_beneficiary and settings.dsa_payor",
        );
    }
    for (i, language) in audience.languages.iter().enumerate() {
        if settings.locales.is_empty() && mapping::locale(language).is_none() {
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

/// What an objective cannot do without.
fn needs(spec: &LegSpec, settings: &Settings, check: &mut Check) {
    match spec.campaign.objective {
        Objective::Leads | Objective::Sales => {
            if settings.pixel_id.is_none() {
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
        Objective::App => {
            if settings.application_id.is_none() || settings.object_store_url.is_none() {
                check.no(
                    "/settings/application_id",
                    "objective app needs the app and its store page",
                    "set settings.application_id and settings.object_store_url",
                );
            }
        }
        Objective::Awareness | Objective::Traffic | Objective::Engagement => {}
    }
}

fn ad(ad: &Ad, at: &str, check: &mut Check) {
    let (wanted, what) = match ad.format.as_str() {
        "single_image" => (1, "one image"),
        "single_video" => (2, "one video and one image as its thumbnail"),
        other => {
            check.no(
                format!("{at}/format"),
                format!("{other:?} is not offered on Meta"),
                "use single_image or single_video",
            );
            return;
        }
    };
    if ad.asset_ids.len() != wanted {
        check.no(
            format!("{at}/asset_ids"),
            format!("{} needs {what}", ad.format),
            format!("name {wanted} asset(s)"),
        );
    }
    if let Some(action) = &ad.call_to_action
        && !mapping::CALLS_TO_ACTION.contains(&action.to_uppercase().as_str())
    {
        check.no(
            format!("{at}/call_to_action"),
            format!("Meta does not offer {action:?}"),
            "use shop_now, learn_more, sign_up …",
        );
    }
    if ad.headlines.len() > 1 {
        check.no(
            format!("{at}/headlines"),
            "an ad has one headline here",
            "keep the first",
        );
    }
}
