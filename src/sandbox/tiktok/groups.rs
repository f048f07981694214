//! The rules of ad groups, at create and at update alike.
//!
//! Must not store anything. Source: /adgroup/create/ (<https://business-api.tiktok.com/portal/docs?id=1739499616346114>) and
//! /adgroup/update/; goals and billing events: "Enumeration – optimization goal".

use super::errors::Fault;
use super::rules::{above_spend, all_of, amount, instant, named, one_of, required};
use super::{Fields, NAME, accounts, campaigns, text, texts};
use crate::sandbox::store::{Handle, Object};
use crate::sandbox::world::World;
use serde_json::Value;

/// What goal may be pursued by which objective, and what is paid for then.
const GOALS: &[(&str, &str, &[&str])] = &[
    (
        "CLICK",
        "CPC",
        &[
            "TRAFFIC",
            "APP_PROMOTION",
            "WEB_CONVERSIONS",
            "LEAD_GENERATION",
            "PRODUCT_SALES",
        ],
    ),
    ("PAGE_VISIT", "CPC", &["ENGAGEMENT"]),
    ("FOLLOWERS", "OCPM", &["ENGAGEMENT"]),
    ("REACH", "CPM", &["REACH"]),
    ("ENGAGED_VIEW", "CPV", &["VIDEO_VIEWS"]),
    (
        "CONVERT",
        "OCPM",
        &["WEB_CONVERSIONS", "PRODUCT_SALES", "LEAD_GENERATION"],
    ),
    (
        "VALUE",
        "OCPM",
        &["WEB_CONVERSIONS", "PRODUCT_SALES", "APP_PROMOTION"],
    ),
    ("TRAFFIC_LANDING_PAGE_VIEW", "OCPM", &["TRAFFIC"]),
    ("LEAD_GENERATION", "OCPM", &["LEAD_GENERATION"]),
    ("INSTALL", "OCPM", &["APP_PROMOTION"]),
    ("IN_APP_EVENT", "OCPM", &["APP_PROMOTION"]),
];
const PROMOTIONS: &[&str] = &[
    "WEBSITE",
    "APP_ANDROID",
    "APP_IOS",
    "LEAD_GENERATION",
    "WEBSITE_OR_DISPLAY",
    "TIKTOK_SHOP",
    "VIDEO_SHOPPING",
    "LIVE_SHOPPING",
    "PSA_PRODUCT",
];
const PLACEMENTS: &[&str] = &[
    "PLACEMENT_TIKTOK",
    "PLACEMENT_PANGLE",
    "PLACEMENT_GLOBAL_APP_BUNDLE",
];
const AGES: &[&str] = &[
    "AGE_13_17",
    "AGE_18_24",
    "AGE_25_34",
    "AGE_35_44",
    "AGE_45_54",
    "AGE_55_100",
];
/// Some of the places where minors may not be addressed: AT BE CA CH DE DK ES FI FR GB IE IT NL NO PL PT SE US.
const NO_MINORS: &[&str] = &[
    "2782113", "2802361", "6251999", "2658434", "2921044", "2623032", "2510769", "660013", "3017382",
    "2635167", "2963597", "3175395", "2750405", "3144096", "798544", "2264397", "2661886", "6252001",
];

/// The campaign that an ad group names, if it is there.
pub(super) fn campaign(world: &World, account: &str, id: &str) -> Result<Handle, Fault> {
    let handle = world.store.find(NAME, &format!("campaign/{id}"));
    let there = handle.filter(|h| {
        let campaign = world.store.get(*h);
        campaign.account == account && campaign.text("status") != "DELETED"
    });
    there.ok_or_else(|| {
        Fault::field(
            "campaign_id",
            &format!("Campaign {id} does not exist or has been deleted."),
        )
    })
}

/// The rules of an ad group; `old` is what it was.
pub(super) fn check(
    world: &World,
    account: &str,
    fields: &Fields,
    old: Option<&Object>,
) -> Result<(), Fault> {
    named(fields, "adgroup_name", 512)?;
    one_of(fields, "operation_status", &["ENABLE", "DISABLE"])?;
    let handle = campaign(world, account, text(fields, "campaign_id"))?;
    let campaign = world.store.get(handle);
    goal(fields, campaign)?;
    places(fields)?;
    people(fields)?;
    schedule(world, fields, campaign, old)?;
    budget(world, account, fields, campaign, old)?;
    bid(fields, campaign)?;
    promoted(fields, campaign)?;
    shopping(fields, campaign)?;
    frequency(fields, campaign)?;
    attribution(fields)?;
    same_as_first(world, fields, handle, old)
}

fn goal(fields: &Fields, campaign: &Object) -> Result<(), Fault> {
    let (goal, objective) = (text(fields, "optimization_goal"), campaign.text("objective_type"));
    let Some((_, billing, objectives)) = GOALS.iter().find(|(name, _, _)| *name == goal) else {
        return Err(Fault::field(
            "optimization_goal",
            &format!("{goal} is not supported."),
        ));
    };
    if !objectives.contains(&objective) {
        return Err(Fault::field(
            "optimization_goal",
            &format!("{goal} is not supported by {objective}."),
        ));
    }
    if text(fields, "billing_event") != *billing {
        return Err(Fault::field(
            "billing_event",
            &format!("{goal} is billed by {billing}."),
        ));
    }
    one_of(fields, "promotion_type", PROMOTIONS)?;
    if !matches!(objective, "REACH" | "VIDEO_VIEWS" | "ENGAGEMENT") {
        required(fields, "promotion_type")?;
    }
    // "bid_display_mode is required and must be CPV when the objective is VIDEO_VIEWS."
    if objective == "VIDEO_VIEWS" && text(fields, "bid_display_mode") != "CPV" {
        return Err(Fault::field("bid_display_mode", "must be CPV for VIDEO_VIEWS."));
    }
    one_of(fields, "pacing", &["PACING_MODE_SMOOTH", "PACING_MODE_FAST"])?;
    // "A 48 x 7 character string of 0 and 1": each half hour of a week.
    let hours = text(fields, "dayparting");
    if !hours.is_empty() && (hours.len() != 336 || !hours.bytes().all(|b| matches!(b, b'0' | b'1'))) {
        return Err(Fault::field("dayparting", "must be 336 characters of 0 and 1."));
    }
    Ok(())
}

/// Placements by hand must be named; `location_ids` or `zipcode_ids` must be there, digits, none twice.
fn places(fields: &Fields) -> Result<(), Fault> {
    one_of(
        fields,
        "placement_type",
        &["PLACEMENT_TYPE_AUTOMATIC", "PLACEMENT_TYPE_NORMAL"],
    )?;
    all_of(fields, "placements", PLACEMENTS)?;
    if text(fields, "placement_type") == "PLACEMENT_TYPE_NORMAL" {
        required(fields, "placements")?;
    }
    let locations = texts(fields, "location_ids");
    if locations.is_empty() && texts(fields, "zipcode_ids").is_empty() {
        return Err(Fault::field(
            "location_ids",
            "location_ids or zipcode_ids is required.",
        ));
    }
    let wrong = |(n, id): (usize, &&str)| {
        let digits = !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit());
        (!digits || locations[..n].contains(id)).then(|| (*id).to_owned())
    };
    match locations.iter().enumerate().find_map(wrong) {
        Some(id) => Err(Fault::field(
            "location_ids",
            &format!("{id} is not a location, or is there twice."),
        )),
        None => Ok(()),
    }
}

fn people(fields: &Fields) -> Result<(), Fault> {
    all_of(fields, "age_groups", AGES)?;
    one_of(
        fields,
        "gender",
        &["GENDER_FEMALE", "GENDER_MALE", "GENDER_UNLIMITED"],
    )?;
    let minors = texts(fields, "age_groups").contains(&"AGE_13_17");
    let barred = texts(fields, "location_ids")
        .into_iter()
        .find(|id| NO_MINORS.contains(id));
    match barred.filter(|_| minors) {
        Some(place) => Err(Fault::field(
            "age_groups",
            &format!("AGE_13_17 is not allowed in {place}."),
        )),
        None => Ok(()),
    }
}

/// An end after the start, and in the future when it is set. "A start in the past starts now": it is no error.
fn schedule(world: &World, fields: &Fields, campaign: &Object, old: Option<&Object>) -> Result<(), Fault> {
    one_of(
        fields,
        "schedule_type",
        &["SCHEDULE_FROM_NOW", "SCHEDULE_START_END"],
    )?;
    let start = instant(fields, "schedule_start_time")?;
    let end = instant(fields, "schedule_end_time")?;
    if text(fields, "schedule_type") == "SCHEDULE_FROM_NOW" {
        let total = text(fields, "budget_mode") == "BUDGET_MODE_TOTAL";
        if total && !campaigns::shares(&campaign.fields) {
            return Err(Fault::field(
                "budget_mode",
                "SCHEDULE_FROM_NOW needs a daily budget.",
            ));
        }
        return Ok(());
    }
    let Some(end) = end else {
        return Err(Fault::field(
            "schedule_end_time",
            "Missing data for required field.",
        ));
    };
    let unchanged = old.is_some_and(|o| o.text("schedule_end_time") == text(fields, "schedule_end_time"));
    if start.is_some_and(|start| end <= start) || end <= world.now && !unchanged {
        return Err(Fault::field(
            "schedule_end_time",
            "must be after schedule_start_time and in the future.",
        ));
    }
    Ok(())
}

/// Ignored where the campaign shares its budget out; else the ad group's floor, times the days of a total.
fn budget(
    world: &World,
    account: &str,
    fields: &Fields,
    campaign: &Object,
    old: Option<&Object>,
) -> Result<(), Fault> {
    if campaigns::shares(&campaign.fields) {
        return Ok(());
    }
    one_of(
        fields,
        "budget_mode",
        &[
            "BUDGET_MODE_DAY",
            "BUDGET_MODE_TOTAL",
            "BUDGET_MODE_DYNAMIC_DAILY_BUDGET",
        ],
    )?;
    let total = text(fields, "budget_mode") == "BUDGET_MODE_TOTAL";
    if total && campaign.text("budget_mode") == "BUDGET_MODE_DAY" {
        return Err(Fault::field(
            "budget_mode",
            "A campaign with a daily budget takes no ad group with a total.",
        ));
    }
    let (mut least, limit) = accounts::adgroup_range(world, account);
    if let (true, Some(start), Some(end)) = (
        total,
        instant(fields, "schedule_start_time")?,
        instant(fields, "schedule_end_time")?,
    ) {
        least *= ((end - start).num_hours() + 23) / 24;
    }
    let value = fields.get("budget").unwrap_or(&Value::Null);
    let micros = amount(world, account, "budget", value, (least, limit))?;
    match old {
        Some(old) if old.fields.get("budget") != Some(value) => {
            above_spend("budget", micros, old.spend_micros)
        }
        Some(_) | None => Ok(()),
    }
}

fn bid(fields: &Fields, campaign: &Object) -> Result<(), Fault> {
    one_of(fields, "bid_type", &["BID_TYPE_NO_BID", "BID_TYPE_CUSTOM"])?;
    one_of(
        fields,
        "deep_bid_type",
        &[
            "VO_MIN_ROAS",
            "VO_HIGHEST_VALUE",
            "AEO",
            "MIN",
            "PACING",
            "DEFAULT",
        ],
    )?;
    let shares = campaigns::shares(&campaign.fields);
    if shares {
        required(fields, "bid_type")?;
    }
    let value = text(fields, "optimization_goal") == "VALUE";
    if value && shares {
        required(fields, "deep_bid_type")?;
    }
    if text(fields, "deep_bid_type") == "VO_MIN_ROAS" {
        required(fields, "roas_bid")?;
        let least = fields.get("roas_bid").and_then(accounts::number_micros);
        return match least {
            Some(10_000..=1_000_000_000) => Ok(()),
            Some(_) | None => Err(Fault::field("roas_bid", "must be between 0.01 and 1000.")),
        };
    }
    if text(fields, "bid_type") != "BID_TYPE_CUSTOM" {
        return Ok(());
    }
    let field = if text(fields, "billing_event") == "OCPM" {
        "conversion_bid_price"
    } else {
        "bid_price"
    };
    required(fields, field)?;
    let of = |fields: &Fields, name: &str| fields.get(name).and_then(accounts::number_micros);
    let bid = of(fields, field).unwrap_or(0);
    let ceilings = [
        of(&campaign.fields, "budget"),
        of(fields, "budget").filter(|_| !shares),
    ];
    if bid <= 0 || ceilings.into_iter().flatten().any(|ceiling| bid >= ceiling) {
        return Err(Fault::field(
            field,
            "must be more than 0 and less than the bid's budget.",
        ));
    }
    Ok(())
}

/// The event of a pixel, or an app.
fn promoted(fields: &Fields, campaign: &Object) -> Result<(), Fault> {
    let objective = campaign.text("objective_type");
    let counts = matches!(objective, "WEB_CONVERSIONS" | "PRODUCT_SALES" | "LEAD_GENERATION");
    let pixel = !text(fields, "pixel_id").is_empty();
    if pixel && !counts {
        return Err(Fault::field(
            "pixel_id",
            &format!("is not supported by {objective}: use tracking_pixel_id in the ad."),
        ));
    }
    if counts && matches!(text(fields, "optimization_goal"), "CONVERT" | "VALUE") && !pixel {
        return Err(Fault::field("pixel_id", "Missing data for required field."));
    }
    if pixel {
        required(fields, "optimization_event")?;
    }
    one_of(
        fields,
        "promotion_target_type",
        &["INSTANT_PAGE", "EXTERNAL_WEBSITE"],
    )?;
    if !text(fields, "promotion_target_type").is_empty() && objective != "LEAD_GENERATION" {
        return Err(Fault::field(
            "promotion_target_type",
            "is for LEAD_GENERATION only.",
        ));
    }
    if objective != "APP_PROMOTION" {
        return Ok(());
    }
    required(fields, "app_id")?;
    all_of(fields, "operating_systems", &["ANDROID", "IOS"])?;
    if texts(fields, "operating_systems").len() != 1 {
        return Err(Fault::field("operating_systems", "needs exactly one system."));
    }
    let dedicated = campaign.text("campaign_type") == "IOS14_CAMPAIGN";
    if dedicated != (text(fields, "ios14_targeting") == "IOS14_PLUS") {
        return Err(Fault::field(
            "ios14_targeting",
            "must be IOS14_PLUS in a dedicated campaign, and only there.",
        ));
    }
    if dedicated {
        required(fields, "min_ios_version")?;
    }
    Ok(())
}

/// Product sales say what kind of shopping ads; those from a catalog name it.
fn shopping(fields: &Fields, campaign: &Object) -> Result<(), Fault> {
    if campaign.text("objective_type") != "PRODUCT_SALES" {
        return match ["shopping_ads_type", "product_source", "catalog_id"]
            .iter()
            .find(|n| !text(fields, n).is_empty())
        {
            Some(name) => Err(Fault::field(name, "is for PRODUCT_SALES only.")),
            None => Ok(()),
        };
    }
    required(fields, "shopping_ads_type")?;
    one_of(
        fields,
        "shopping_ads_type",
        &["VIDEO", "LIVE", "PRODUCT_SHOPPING_ADS"],
    )?;
    if text(fields, "shopping_ads_type") != "VIDEO" {
        return Ok(());
    }
    required(fields, "product_source")?;
    if text(fields, "product_source") != campaign.text("campaign_product_source") {
        return Err(Fault::field(
            "product_source",
            "must be the campaign's product source.",
        ));
    }
    for name in [
        "catalog_id",
        "catalog_authorized_bc_id",
        "shopping_ads_retargeting_type",
    ] {
        required(fields, name)?;
    }
    one_of(
        fields,
        "shopping_ads_retargeting_type",
        &["LAB1", "LAB2", "LAB3", "OFF"],
    )
}

/// Only for reach: 1 to 1000 impressions in 1 to 30 days.
fn frequency(fields: &Fields, campaign: &Object) -> Result<(), Fault> {
    for (name, most) in [("frequency", 1000.0), ("frequency_schedule", 30.0)] {
        let Some(value) = fields.get(name).and_then(Value::as_f64) else {
            continue;
        };
        if campaign.text("objective_type") != "REACH" {
            return Err(Fault::field(name, "is for REACH only."));
        }
        if !(1.0..=most).contains(&value) {
            return Err(Fault::field(name, &format!("must be between 1 and {most}.")));
        }
    }
    Ok(())
}

/// The windows for clicks and for views go together.
fn attribution(fields: &Fields) -> Result<(), Fault> {
    let given = |name: &str| !text(fields, name).is_empty();
    let (click, view) = (
        given("click_attribution_window"),
        given("view_attribution_window"),
    );
    if click != view || given("engaged_view_attribution_window") && !click {
        return Err(Fault::field(
            "click_attribution_window",
            "click_attribution_window and view_attribution_window must be passed together.",
        ));
    }
    Ok(())
}

/// In a campaign that shares its budget out, all ad groups have the goal and the type of bid of the first.
fn same_as_first(
    world: &World,
    fields: &Fields,
    campaign: Handle,
    old: Option<&Object>,
) -> Result<(), Fault> {
    let parent = world.store.get(campaign);
    let live = |h: &&Handle| world.store.get(**h).text("status") != "DELETED";
    let first = parent.children.iter().find(live).map(|h| world.store.get(*h));
    let Some(first) = first.filter(|_| campaigns::shares(&parent.fields)) else {
        return Ok(());
    };
    if old.is_some_and(|old| old.id == first.id) {
        return Ok(());
    }
    for name in ["optimization_goal", "bid_type", "optimization_event"] {
        if text(fields, name) != first.text(name) {
            return Err(Fault::field(
                name,
                "must be that of the campaign's first ad group.",
            ));
        }
    }
    Ok(())
}
