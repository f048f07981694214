//! What TikTok would refuse, found before anything is sent. Sources stand at each rule.

use super::creatives::{CALLS_TO_ACTION, FEED, PLACEMENTS, placements};
use super::offers::{self, MIN_ROAS};
use super::settings::{Settings, settings};
use super::{amounts, audience, geo, mapping, offers::shows_products};
use crate::domain::money::Money;
use crate::domain::plan::{Ad, AdGroup, Objective, Period};
use crate::domain::spec::LegSpec;
use crate::platform::{Check, Problem};

/// Longest text of an ad; a Chinese, Japanese or Korean character counts twice (`ad_text` of /ad/create/).
const AD_TEXT: usize = 100;
/// Pictures of a carousel (`image_ids` of /ad/create/).
const CAROUSEL: std::ops::RangeInclusive<usize> = 2..=35;
/// Impressions of a frequency cap (`frequency` of /adgroup/create/).
const CAP: std::ops::RangeInclusive<u32> = 1..=1000;

/// Everything that is wrong with the campaign.
pub(super) fn check(spec: &LegSpec) -> Vec<Problem> {
    let mut check = Check::default();
    let settings = match settings(spec) {
        Ok(settings) => settings,
        Err(problem) => return vec![problem],
    };
    if let Err(not) = offers::told(spec.campaign.objective, spec.campaign.channel.as_deref()) {
        check.no("/channel", not.why, not.instead);
    }
    money(spec, &mut check);
    bidding(spec, &settings, &mut check);
    people(spec, &mut check);
    places(spec, &settings, &mut check);
    needs(spec, &settings, &mut check);
    for (g, group) in spec.campaign.ad_groups.iter().enumerate() {
        ad_group(group, g, &mut check);
        for (a, one) in group.ads.iter().enumerate() {
            ad(
                spec,
                one,
                &settings,
                &format!("/ad_groups/{g}/ads/{a}"),
                &mut check,
            );
        }
    }
    check.problems
}

fn ad_group(group: &AdGroup, g: usize, check: &mut Check) {
    check.no_keywords(group, g, "TikTok's feed has no keywords");
}

/// An amount as TikTok counts: more than none, and no more decimals than it takes.
fn amount(money: Money, pointer: &str, check: &mut Check) {
    if money.micros <= 0 {
        check.no(
            pointer,
            format!("{money} buys nothing"),
            "use an amount above zero",
        );
    } else if amounts::digits(money).is_none() {
        check.no(
            pointer,
            format!(
                "TikTok counts {} with {} decimals",
                money.currency,
                amounts::decimals(money.currency)
            ),
            format!("use no more decimals than that instead of {money}"),
        );
    }
}

/// Floors and ceilings (see `amounts`). A lifetime budget's floor on a campaign is that of one day.
fn money(spec: &LegSpec, check: &mut Check) {
    let budget = &spec.campaign.budget;
    amount(budget.amount, "/budget/amount", check);
    let (Some(least), Some(limit)) = (
        amounts::least_campaign(spec.currency),
        amounts::campaign_limit(spec.currency),
    ) else {
        check.no(
            "/budget/amount",
            format!("TikTok has no ad accounts in {}", spec.currency),
            "plan in the account's own currency",
        );
        return;
    };
    if budget.amount.micros > 0 && budget.amount.micros < least.micros {
        check.no(
            "/budget/amount",
            format!(
                "{} is less than TikTok's least campaign budget of {least}",
                budget.amount
            ),
            format!("use at least {least}"),
        );
    }
    if budget.amount.micros >= limit.micros {
        check.no(
            "/budget/amount",
            format!("{} is not below TikTok's limit of {limit}", budget.amount),
            "split the campaign",
        );
    }
    if budget.period == Period::Lifetime && spec.campaign.schedule.end.is_none() {
        check.no(
            "/schedule/end",
            "a lifetime budget needs an end",
            "say when the flight ends, or use a daily budget",
        );
    }
    products_budget(spec, check);
}

/// Catalog ads have budgets on their ad groups, whose floor for a flight is that of a day, times its days ("Budget").
fn products_budget(spec: &LegSpec, check: &mut Check) {
    let (budget, schedule) = (&spec.campaign.budget, &spec.campaign.schedule);
    let (Some(least), Some(end)) = (amounts::least_ad_group(spec.currency), schedule.end) else {
        return;
    };
    let days = ((end - schedule.start).num_hours().max(0) + 23) / 24;
    let least = Money::from_micros(least.micros.saturating_mul(days.max(1)), least.currency);
    if shows_products(spec) && budget.period == Period::Lifetime && budget.amount.micros < least.micros {
        check.no(
            "/budget/amount",
            format!(
                "{} is less than TikTok's least of {least} for {days} days",
                budget.amount
            ),
            format!("use at least {least}, or a shorter flight"),
        );
    }
}

/// `bid_type` knows no bid, and a cost cap; a bid must stay below the budget (`bid_price` of /adgroup/create/).
fn bidding(spec: &LegSpec, settings: &Settings, check: &mut Check) {
    let bidding = &spec.campaign.bidding;
    let caps = [
        (bidding.bid, "/bidding/bid"),
        (bidding.target_cpa, "/bidding/target_cpa"),
    ];
    let cap = caps.iter().find_map(|(cap, at)| Some(((*cap)?, *at)));
    match (bidding.strategy.as_str(), cap) {
        ("cost_cap", None) => check.no(
            "/bidding/bid",
            "cost_cap needs a bid",
            "say the cap as bidding.bid",
        ),
        ("cost_cap", Some((cap, at))) => {
            amount(cap, at, check);
            if cap.micros >= spec.campaign.budget.amount.micros {
                check.no(
                    at,
                    format!("a cap of {cap} is not below the budget"),
                    "lower the cap, or raise the budget",
                );
            }
        }
        ("lowest_cost" | MIN_ROAS, Some((_, at))) => check.no(
            at,
            format!("{} takes no bid", bidding.strategy),
            "use cost_cap, or take the bid out",
        ),
        ("lowest_cost" | MIN_ROAS, None) => {}
        ("bid_cap", _) => check.no(
            "/bidding/strategy",
            "TikTok has no bid cap",
            "use cost_cap: the average cost is kept to it",
        ),
        (other, _) => check.no(
            "/bidding/strategy",
            format!("TikTok does not know {other:?}"),
            "use lowest_cost, cost_cap or min_roas",
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
            "TikTok measures a campaign by its objective, not by a goal of its own",
            "take the kpi out; a cost to keep to is strategy cost_cap with bidding.bid",
        );
    }
    returns(spec, settings, check);
}

/// A least return is for the value of purchases: sales only, 0.01 to 1000 (`roas_bid` of /adgroup/create/).
fn returns(spec: &LegSpec, _settings: &Settings, check: &mut Check) {
    let bidding = &spec.campaign.bidding;
    let least = bidding.target_roas_micros;
    if bidding.strategy != MIN_ROAS {
        if least.is_some() {
            check.no(
                "/bidding/target_roas",
                format!("{} takes no return on ad spend", bidding.strategy),
                "use min_roas, or take it out",
            );
        }
        return;
    }
    if !least.is_some_and(|least| (10_000..=1_000_000_000).contains(&least) && least % 10_000 == 0) {
        check.no(
            "/bidding/target_roas",
            "min_roas needs a return between 0.01 and 1000, with at most two decimals",
            "say it as bidding.target_roas",
        );
    }
    if spec.campaign.objective != Objective::Sales {
        check.no(
            "/bidding/strategy",
            "a least return is for objective sales only",
            "use lowest_cost or cost_cap",
        );
    }
}

fn people(spec: &LegSpec, check: &mut Check) {
    let audience = &spec.campaign.audience;
    match audience::age_groups(audience.age_min, audience.age_max) {
        Err((field, remedy)) => check.no(
            format!("/audience/{field}").trim_end_matches('/'),
            "TikTok addresses ages in the groups 13-17, 18-24, 25-34, 35-44, 45-54 and 55 and older",
            remedy,
        ),
        Ok(groups) => {
            let minors = groups.is_some_and(|groups| groups.contains(&"AGE_13_17"));
            let barred = audience
                .countries
                .iter()
                .find(|c| audience::NO_MINORS.contains(&c.as_str()));
            if let Some(country) = barred.filter(|_| minors) {
                check.no(
                    "/audience/age_min",
                    format!("nobody under 18 may be addressed in {country}"),
                    "set age_min to 18",
                );
            }
        }
    }
    for (i, country) in audience.countries.iter().enumerate() {
        if geo::location(country).is_none() {
            check.no(
                format!("/audience/countries/{i}"),
                format!("TikTok has no location {country:?}"),
                "use an ISO 3166-1 code",
            );
        }
    }
    for (i, language) in audience.languages.iter().enumerate() {
        if !audience::LANGUAGES.contains(&language.as_str()) {
            check.no(
                format!("/audience/languages/{i}"),
                format!("TikTok does not target {language:?}"),
                format!(
                    "use one of {}, or none for everybody",
                    audience::LANGUAGES.join(" ")
                ),
            );
        }
    }
    for (i, gender) in audience.genders.iter().enumerate() {
        if !matches!(gender.as_str(), "female" | "male") {
            check.no(
                format!("/audience/genders/{i}"),
                format!("TikTok cannot target {gender:?}"),
                "use female, male, or none for everybody",
            );
        }
    }
    if let Some(cap) = &spec.campaign.frequency_cap {
        if spec.campaign.objective != Objective::Awareness {
            check.no(
                "/frequency_cap",
                "TikTok caps frequency only for reach",
                "use objective awareness, or take the cap out",
            );
        } else if mapping::cap_days(&cap.per).is_none() || !CAP.contains(&cap.impressions) {
            check.no(
                "/frequency_cap",
                format!("TikTok cannot cap {} per {}", cap.impressions, cap.per),
                "use 1 to 1000 impressions per day, week or month",
            );
        }
    }
}

fn places(spec: &LegSpec, settings: &Settings, check: &mut Check) {
    for (i, placement) in settings.placements.iter().enumerate() {
        if !PLACEMENTS.contains(&placement.as_str()) {
            check.no(
                format!("/settings/placements/{i}"),
                format!("{placement:?} is no placement"),
                format!("use some of {}", PLACEMENTS.join(", ")),
            );
        }
    }
    for (i, industry) in settings.special_industries.iter().enumerate() {
        if !matches!(industry.as_str(), "HOUSING" | "EMPLOYMENT" | "CREDIT") {
            check.no(
                format!("/settings/special_industries/{i}"),
                format!("{industry:?} is no special ad category"),
                "use HOUSING, EMPLOYMENT or CREDIT",
            );
        }
    }
    let audience = &spec.campaign.audience;
    let narrow = audience.genders.len() == 1 || audience.age_min.is_some() || audience.age_max.is_some();
    if !settings.special_industries.is_empty() && narrow {
        check.no(
            "/audience",
            "ads for housing, employment or credit may not leave out ages or a gender",
            "take age_min, age_max and genders out",
        );
    }
    if shows_products(spec) && placements(settings) != [FEED] {
        check.no(
            "/settings/placements",
            "catalog ads are shown on TikTok only",
            "take placements out",
        );
    }
}

/// What an objective cannot do without.
fn needs(spec: &LegSpec, settings: &Settings, check: &mut Check) {
    let objective = spec.campaign.objective;
    let pixel = matches!(objective, Objective::Leads | Objective::Sales);
    if pixel && settings.pixel_id.is_none() {
        check.no(
            "/settings/pixel_id",
            format!("objective {} optimises for a pixel's event", objective.as_str()),
            "set settings.pixel_id (and settings.optimization_event)",
        );
    }
    // Elsewhere an ad group's pixel is refused (`pixel_id` of /adgroup/create/).
    for (given, key) in [
        (settings.pixel_id.is_some(), "pixel_id"),
        (settings.optimization_event.is_some(), "optimization_event"),
    ] {
        if given && !pixel {
            check.no(
                format!("/settings/{key}"),
                format!("objective {} counts no pixel's event", objective.as_str()),
                "take pixel_id and optimization_event out",
            );
        }
    }
    if objective == Objective::App && (settings.app_id.is_none() || settings.app_os.is_none()) {
        check.no(
            "/settings/app_id",
            "objective app needs the app and its system",
            "set settings.app_id and settings.app_os (android or ios)",
        );
    }
    unused(spec, settings, check);
    if !shows_products(spec) {
        return;
    }
    if objective != Objective::Sales {
        check.no(
            "/objective",
            "catalog ads are for objective sales",
            "use objective sales, or another format",
        );
    }
    let mut ads = spec.campaign.ad_groups.iter().flat_map(|group| &group.ads);
    if ads.any(|ad| ad.format != "catalog") {
        check.no(
            "/ad_groups",
            "a campaign of catalog ads has no other ads",
            "plan the other formats as a campaign of their own",
        );
    }
    let (catalog, center) = settings.catalog(spec);
    if catalog.is_none() || center.is_none() {
        check.no(
            "/settings/catalog_id",
            "catalog ads need the catalog and the Business Center that holds it",
            "set catalog.tiktok_catalog_id and catalog.tiktok_bc_id in the plan, or settings.catalog_id and settings.catalog_authorized_bc_id",
        );
    }
}

/// Settings that mean nothing here.
fn unused(spec: &LegSpec, settings: &Settings, check: &mut Check) {
    let (app, products) = (spec.campaign.objective == Objective::App, shows_products(spec));
    let ads = || spec.campaign.ad_groups.iter().flat_map(|group| &group.ads);
    let plays = ads().any(|ad| match ad.format.as_str() {
        "single_image" | "carousel" => placements(settings) == [FEED],
        "catalog" => ad.asset_ids.is_empty(),
        _ => false,
    });
    let lent = settings.identity_type == "BC_AUTH_TT";
    let lifetime = spec.campaign.budget.period == Period::Lifetime;
    let only_app = (
        "an app is promoted by objective app only",
        "take it out, or use objective app",
    );
    let only_products = ("no ad here shows products", "take it out, or use format catalog");
    for (given, key, (what, remedy)) in [
        (settings.app_id.is_some() && !app, "app_id", only_app),
        (settings.app_os.is_some() && !app, "app_os", only_app),
        (
            settings.catalog_id.is_some() && !products,
            "catalog_id",
            only_products,
        ),
        (
            settings.catalog_authorized_bc_id.is_some() && !products,
            "catalog_authorized_bc_id",
            only_products,
        ),
        (
            settings.product_set_id.is_some() && !products,
            "product_set_id",
            only_products,
        ),
        (
            settings.music_id.is_some() && !plays,
            "music_id",
            (
                "no ad here plays music",
                "take it out: it is for pictures on TikTok",
            ),
        ),
        (
            settings.identity_authorized_bc_id.is_some() && !lent,
            "identity_authorized_bc_id",
            (
                "only an identity of type BC_AUTH_TT is lent",
                "take it out, or use identity_type BC_AUTH_TT",
            ),
        ),
        (
            settings.daily_budget.is_some() && lifetime,
            "daily_budget",
            (
                "the budget is for the whole flight",
                "take it out, or use a daily budget",
            ),
        ),
    ] {
        if given {
            check.no(format!("/settings/{key}"), what, remedy);
        }
    }
}

fn ad(spec: &LegSpec, ad: &Ad, settings: &Settings, at: &str, check: &mut Check) {
    assets(spec, ad, settings, at, check);
    texts(ad, at, check);
    if let Some(action) = &ad.call_to_action
        && !CALLS_TO_ACTION.contains(&action.to_uppercase().as_str())
    {
        check.no(
            format!("{at}/call_to_action"),
            format!("TikTok does not offer {action:?}"),
            "use learn_more, shop_now, sign_up, download_now …",
        );
    }
}

/// Formats, their assets, and the placements that take them (see `creatives`).
fn assets(spec: &LegSpec, ad: &Ad, settings: &Settings, at: &str, check: &mut Check) {
    let placements = placements(settings);
    let (feed, only_feed) = (placements.contains(&FEED), placements == [FEED]);
    let named = ad.asset_ids.len();
    let fits = match ad.format.as_str() {
        "single_video" => named == 2,
        "single_image" => named == 1,
        "carousel" => CAROUSEL.contains(&named),
        "catalog" => named == 0 || named == 2,
        other => {
            check.no(
                format!("{at}/format"),
                format!("{other:?} is not offered on TikTok"),
                "use single_video, single_image, carousel or catalog",
            );
            return;
        }
    };
    // What an asset is shows once the library was asked.
    let kind = |id: &String| spec.assets.get(id).map(|asset| asset.kind.as_str());
    let videos = ad.asset_ids.iter().filter(|id| kind(id) == Some("video")).count();
    let images = ad.asset_ids.iter().filter(|id| kind(id) == Some("image")).count();
    let film = ad.format == "single_video" || ad.format == "catalog";
    let kinds = if film {
        videos <= 1 && images <= 1
    } else {
        videos == 0
    };
    if !fits || !kinds {
        check.no(
            format!("{at}/asset_ids"),
            match ad.format.as_str() {
                "single_video" => "single_video needs one video and one image as its cover",
                "single_image" => "single_image needs one image",
                "carousel" => "carousel needs 2 to 35 images",
                _ => "catalog needs one video and one image as its cover, or nothing",
            },
            "name them as asset_ids",
        );
    }
    if ad.format == "single_image" && feed && !only_feed {
        check.no(
            format!("{at}/format"),
            "TikTok's own feed takes no single image, and other placements no carousel of one",
            "plan TikTok and the other placements as campaigns of their own",
        );
    }
    if ad.format == "carousel" && !only_feed {
        check.no(
            format!("{at}/format"),
            "carousels are shown on TikTok only",
            "take settings.placements out",
        );
    }
    let pictures = only_feed && matches!(ad.format.as_str(), "single_image" | "carousel");
    let music = pictures || ad.format == "catalog" && named == 0;
    if music && settings.music_id.is_none() {
        check.no(
            "/settings/music_id",
            "pictures on TikTok play to music",
            "set settings.music_id (on TikTok a single image is a carousel of one)",
        );
    }
    if matches!(spec.campaign.objective, Objective::Engagement) && ad.format != "single_video" {
        check.no(
            format!("{at}/format"),
            "objective engagement is optimised for views of a video",
            "use single_video",
        );
    }
}

fn texts(ad: &Ad, at: &str, check: &mut Check) {
    let text = ad.primary_text.as_deref().unwrap_or_default();
    let length: usize = text.chars().map(|c| if wide(c) { 2 } else { 1 }).sum();
    if text.is_empty() || length > AD_TEXT {
        check.no(
            format!("{at}/primary_text"),
            format!("TikTok shows a text of 1 to {AD_TEXT} characters, this one has {length}"),
            "write it as primary_text; Chinese, Japanese and Korean characters count twice",
        );
    }
    if text.chars().any(emoji) {
        check.no(
            format!("{at}/primary_text"),
            "TikTok takes no emoji in an ad's text",
            "take them out",
        );
    }
    for (given, name) in [
        (!ad.headlines.is_empty(), "headlines"),
        (!ad.descriptions.is_empty(), "descriptions"),
        (!ad.long_headlines.is_empty(), "long_headlines"),
        (ad.path1.is_some(), "path1"),
        (ad.path2.is_some(), "path2"),
    ] {
        if given {
            check.no(
                format!("{at}/{name}"),
                format!("TikTok shows no {name}"),
                "say it in primary_text",
            );
        }
    }
    for (given, name) in [(ad.width.is_some(), "width"), (ad.height.is_some(), "height")] {
        if given {
            check.no(
                format!("{at}/{name}"),
                "TikTok takes an asset's own size",
                "take it out",
            );
        }
    }
}

/// Characters that TikTok counts twice: the East Asian scripts.
fn wide(c: char) -> bool {
    matches!(c, '\u{1100}'..='\u{11ff}' | '\u{2e80}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{f900}'..='\u{faff}'
        | '\u{ff00}'..='\u{ffef}' | '\u{20000}'..='\u{3ffff}')
}

fn emoji(c: char) -> bool {
    matches!(c, '\u{2600}'..='\u{27bf}' | '\u{1f000}'..='\u{1faff}' | '\u{fe0f}' | '\u{200d}')
}
