//! Spec → what should exist on TikTok. Pure.
//!
//! The plan's budget is per campaign, so it stands on the campaign, which shares it out among its ad groups (campaign budget
//! optimisation). Catalog ads have that only for accounts that TikTok lets in: there the campaign's budget is the ceiling, and
//! each ad group may use all of it.

use super::creatives::{self, placements};
use super::offers::{self, MIN_ROAS, Offer};
use super::settings::{Settings, settings};
use super::{amounts, audience, wire};
use crate::domain::error::{ErrorClass, LegError};
use crate::domain::manifest::Desired;
use crate::domain::plan::{AdGroup, Objective, Period};
use crate::domain::spec::LegSpec;
use serde_json::{Map, Value, json};

/// Days of a frequency cap's window (`frequency_schedule`, 1 to 30).
pub(super) fn cap_days(per: &str) -> Option<u32> {
    match per {
        "day" => Some(1),
        "week" => Some(7),
        "month" => Some(30),
        _ => None,
    }
}

/// What should exist for the leg, parents before children.
pub(super) fn desire(spec: &LegSpec) -> Result<Vec<Desired>, Box<LegError>> {
    let settings = settings(spec).map_err(|problem| {
        Box::new(LegError {
            field: Some(problem.pointer),
            ..LegError::new(
                ErrorClass::Validation,
                "tiktok-settings",
                problem.what,
                problem.remedy,
            )
        })
    })?;
    let offer = offers::of(spec, &settings);
    let mut desired = vec![campaign(spec, &settings, &offer)?];
    for group in &spec.campaign.ad_groups {
        desired.push(ad_group(spec, group, &settings, &offer)?);
        for ad in &group.ads {
            let name = format!("{}/{}/{}", spec.campaign_name, group.key, ad.key);
            desired.push(Desired {
                key: format!("ad/{}/{}", group.key, ad.key),
                kind: "ad",
                parent: Some(group_key(group)),
                fields: creatives::creative(spec, ad, &name, &settings)?,
                name: Some(name),
                switchable: true,
            });
        }
    }
    Ok(desired)
}

fn group_key(group: &AdGroup) -> String {
    format!("ad_group/{}", group.key)
}

/// An amount in TikTok's digits; `check` has refused what has none.
fn digits(spec: &LegSpec, money: crate::domain::money::Money, field: &str) -> Result<Value, Box<LegError>> {
    let digits = amounts::digits(money).ok_or_else(|| {
        Box::new(LegError {
            field: Some(field.to_owned()),
            plan_amount: Some(money.to_string()),
            ..LegError::new(
                ErrorClass::Budget,
                "tiktok-amount",
                format!(
                    "TikTok counts {} with {} decimals",
                    spec.currency,
                    amounts::decimals(spec.currency)
                ),
                "use no more decimals than that and publish the plan again",
            )
        })
    })?;
    Ok(json!(digits))
}

fn budget_mode(spec: &LegSpec, settings: &Settings) -> &'static str {
    match spec.campaign.budget.period {
        Period::Lifetime => "BUDGET_MODE_TOTAL",
        Period::Daily if settings.daily_budget.as_deref() == Some("dynamic") => {
            "BUDGET_MODE_DYNAMIC_DAILY_BUDGET"
        }
        Period::Daily => "BUDGET_MODE_DAY",
    }
}

fn campaign(spec: &LegSpec, settings: &Settings, offer: &Offer) -> Result<Desired, Box<LegError>> {
    let mut fields = Map::new();
    fields.insert("campaign_name".into(), json!(spec.campaign_name));
    fields.insert("objective_type".into(), json!(offer.objective));
    fields.insert("budget_mode".into(), json!(budget_mode(spec, settings)));
    fields.insert(
        "budget".into(),
        digits(spec, spec.campaign.budget.amount, "/budget/amount")?,
    );
    if offer.objective == "PRODUCT_SALES" {
        fields.insert("campaign_product_source".into(), json!("CATALOG"));
    } else {
        fields.insert("budget_optimize_on".into(), json!(true));
    }
    // Website conversions and product sales are one product, told apart by these (`virtual_objective_type`).
    if spec.campaign.objective == Objective::Sales {
        fields.insert("virtual_objective_type".into(), json!("SALES"));
        fields.insert("sales_destination".into(), json!("WEBSITE"));
    }
    if spec.campaign.objective == Objective::App {
        fields.insert("app_promotion_type".into(), json!("APP_INSTALL"));
        // A regular campaign reaches iOS 14.4 and older only (`ios14_targeting`).
        if offer.promotion == Some("APP_IOS") {
            fields.insert("campaign_type".into(), json!("IOS14_CAMPAIGN"));
            fields.insert("app_id".into(), json!(settings.app_id));
        }
    }
    let mut industries: Vec<&String> = settings.special_industries.iter().collect();
    industries.sort_unstable();
    if !industries.is_empty() {
        fields.insert("special_industries".into(), json!(industries));
    }
    Ok(Desired {
        key: "campaign".to_owned(),
        kind: "campaign",
        parent: None,
        name: Some(spec.campaign_name.clone()),
        fields: Value::Object(fields),
        switchable: true,
    })
}

fn ad_group(
    spec: &LegSpec,
    group: &AdGroup,
    settings: &Settings,
    offer: &Offer,
) -> Result<Desired, Box<LegError>> {
    let name = format!("{}/{}", spec.campaign_name, group.key);
    let mut fields = Map::new();
    fields.insert("adgroup_name".into(), json!(name));
    fields.insert("placement_type".into(), json!("PLACEMENT_TYPE_NORMAL"));
    fields.insert("placements".into(), json!(placements(settings)));
    fields.insert("optimization_goal".into(), json!(offer.goal));
    fields.insert("billing_event".into(), json!(offer.billing));
    fields.insert("pacing".into(), json!("PACING_MODE_SMOOTH"));
    if let Some(promotion) = offer.promotion {
        fields.insert("promotion_type".into(), json!(promotion));
    }
    audience::target(spec, &mut fields);
    schedule(spec, &mut fields);
    bid(spec, offer, &mut fields)?;
    promoted(spec, settings, offer, &mut fields);
    if let Some(cap) = &spec.campaign.frequency_cap
        && let Some(days) = cap_days(&cap.per)
    {
        fields.insert("frequency".into(), json!(cap.impressions));
        fields.insert("frequency_schedule".into(), json!(days));
    }
    if offer.objective == "PRODUCT_SALES" {
        fields.insert("budget_mode".into(), json!(budget_mode(spec, settings)));
        fields.insert(
            "budget".into(),
            digits(spec, spec.campaign.budget.amount, "/budget/amount")?,
        );
    }
    Ok(Desired {
        key: group_key(group),
        kind: "adgroup",
        parent: Some("campaign".to_owned()),
        name: Some(name),
        fields: Value::Object(fields),
        switchable: true,
    })
}

/// UTC. A start that is over means "at once", which is what TikTok makes of it.
fn schedule(spec: &LegSpec, fields: &mut Map<String, Value>) {
    let schedule = &spec.campaign.schedule;
    let kind = if schedule.end.is_some() {
        "SCHEDULE_START_END"
    } else {
        "SCHEDULE_FROM_NOW"
    };
    fields.insert("schedule_type".into(), json!(kind));
    fields.insert("schedule_start_time".into(), json!(wire::stamp(schedule.start)));
    if let Some(end) = schedule.end {
        fields.insert("schedule_end_time".into(), json!(wire::stamp(end)));
    }
}

/// TikTok knows two: as much as the budget gives, or a cost to keep to; and for the value of purchases, a least return.
fn bid(spec: &LegSpec, offer: &Offer, fields: &mut Map<String, Value>) -> Result<(), Box<LegError>> {
    let bidding = &spec.campaign.bidding;
    let custom = matches!(bidding.strategy.as_str(), "cost_cap" | MIN_ROAS);
    let kind = if custom {
        "BID_TYPE_CUSTOM"
    } else {
        "BID_TYPE_NO_BID"
    };
    fields.insert("bid_type".into(), json!(kind));
    if bidding.strategy == MIN_ROAS {
        fields.insert("deep_bid_type".into(), json!("VO_MIN_ROAS"));
        let least = bidding.target_roas_micros.unwrap_or_default();
        fields.insert("roas_bid".into(), json!(wire::decimal(least)));
    } else if let Some(cap) = bidding.bid.or(bidding.target_cpa).filter(|_| custom) {
        fields.insert(offer.bid_field().into(), digits(spec, cap, "/bidding/bid")?);
    }
    if offer.billing == "CPV" {
        fields.insert("bid_display_mode".into(), json!("CPV"));
    }
    Ok(())
}

/// What the ad group promotes: the event that counts, the app, the catalog.
fn promoted(spec: &LegSpec, settings: &Settings, offer: &Offer, fields: &mut Map<String, Value>) {
    if let Some(default) = offer.event {
        let event = settings.optimization_event.as_deref().unwrap_or(default);
        fields.insert("pixel_id".into(), json!(settings.pixel_id));
        fields.insert("optimization_event".into(), json!(event));
    }
    if offer.promotion == Some("LEAD_GENERATION") {
        fields.insert("promotion_target_type".into(), json!("EXTERNAL_WEBSITE"));
    }
    if spec.campaign.objective == Objective::App {
        fields.insert("app_id".into(), json!(settings.app_id));
        if offer.promotion == Some("APP_IOS") {
            fields.insert("operating_systems".into(), json!(["IOS"]));
            fields.insert("ios14_targeting".into(), json!("IOS14_PLUS"));
            fields.insert("min_ios_version".into(), json!("14.5"));
        } else {
            fields.insert("operating_systems".into(), json!(["ANDROID"]));
        }
    }
    if offer.objective == "PRODUCT_SALES" {
        let (catalog, center) = settings.catalog(spec);
        fields.insert("shopping_ads_type".into(), json!("VIDEO"));
        fields.insert("product_source".into(), json!("CATALOG"));
        fields.insert("catalog_id".into(), json!(catalog));
        fields.insert("catalog_authorized_bc_id".into(), json!(center));
        fields.insert("shopping_ads_retargeting_type".into(), json!("OFF"));
    }
}
