//! Spec → what should exist on Meta. Pure.
//!
//! The plan's budget is per campaign, so it always stands on the campaign (Advantage campaign budget), never on ad sets: both at
//! once is an error (1885621), and so is asking for ad set budget sharing then (4834002).

use super::settings::{Settings, settings};
use super::wire::stamp;
use super::{audience, creatives, formats};
use crate::domain::error::{ErrorClass, LegError};
use crate::domain::manifest::Desired;
use crate::domain::money::Currency;
use crate::domain::plan::{Ad, AdGroup, Objective, Period};
use crate::domain::spec::LegSpec;
use serde_json::{Map, Value, json};

/// A kind of object.
pub(super) struct Kind {
    /// As the manifest spells it.
    pub(super) name: &'static str,
    /// The account's edge.
    pub(super) edge: &'static str,
    /// Every state by which it can be listed: every one but DELETED, which an edge refuses to list (best-practices/manage-your-ad-object-status).
    pub(super) findable: &'static [&'static str],
}

/// Parents before children.
pub(super) const KINDS: [Kind; 4] = [
    Kind {
        name: "campaign",
        edge: "campaigns",
        findable: &["ACTIVE", "PAUSED", "ARCHIVED", "IN_PROCESS", "WITH_ISSUES"],
    },
    Kind {
        name: "adset",
        edge: "adsets",
        findable: &[
            "ACTIVE",
            "PAUSED",
            "ARCHIVED",
            "IN_PROCESS",
            "WITH_ISSUES",
            "CAMPAIGN_PAUSED",
        ],
    },
    Kind {
        name: "adcreative",
        edge: "adcreatives",
        findable: &[],
    },
    Kind {
        name: "ad",
        edge: "ads",
        findable: &[
            "ACTIVE",
            "PAUSED",
            "ARCHIVED",
            "IN_PROCESS",
            "WITH_ISSUES",
            "CAMPAIGN_PAUSED",
            "ADSET_PAUSED",
            "DISAPPROVED",
            "PENDING_BILLING_INFO",
            "PENDING_REVIEW",
            "PREAPPROVED",
        ],
    },
];

/// Buttons that an ad may carry (facebook_business `AdCreative.CallToActionType`), those that lead to a website or an app.
pub(super) const CALLS_TO_ACTION: &[&str] = &[
    "SHOP_NOW",
    "LEARN_MORE",
    "SIGN_UP",
    "SUBSCRIBE",
    "DOWNLOAD",
    "BOOK_NOW",
    "GET_OFFER",
    "GET_QUOTE",
    "CONTACT_US",
    "APPLY_NOW",
    "ORDER_NOW",
    "BUY_NOW",
    "SEE_MORE",
    "WATCH_MORE",
    "INSTALL_APP",
    "USE_APP",
    "PLAY_GAME",
    "DONATE_NOW",
    "REQUEST_TIME",
    "GET_SHOWTIMES",
    "LISTEN_NOW",
    "BOOK_TRAVEL",
    "VIEW_PRODUCT",
];

/// Currencies that Meta counts in whole units, although ISO 4217 gives some of them decimals
/// (developers.facebook.com/docs/marketing-api/currencies, offset 1).
const OFFSET_1: &[&str] = &[
    "CLP", "COP", "CRC", "HUF", "ISK", "IDR", "JPY", "KRW", "PYG", "TWD", "VND",
];

/// The strategy that wants a least return on ad spend.
pub(super) const MIN_ROAS: &str = "min_roas";

/// How many decimals Meta's minor unit has.
pub(super) fn decimals(currency: Currency) -> u32 {
    if OFFSET_1.contains(&currency.code()) { 0 } else { 2 }
}

/// Days of a frequency cap's window (`interval_days`).
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
                "meta-settings",
                problem.what,
                problem.remedy,
            )
        })
    })?;
    let mut desired = vec![campaign(spec, &settings)];
    for group in &spec.campaign.ad_groups {
        desired.push(ad_set(spec, group, &settings));
        for ad in &group.ads {
            let creative = creatives::creative(spec, group, ad, &settings)?;
            let name = ad_name(spec, group, ad);
            // The creative's key stands for its id, which is not known here; `mutations` puts it in, `reading` takes it out.
            let fields = json!({ "name": name, "creative": creative.key });
            desired.push(creative);
            desired.push(Desired {
                key: format!("ad/{}/{}", group.key, ad.key),
                kind: "ad",
                parent: Some(format!("ad_set/{}", group.key)),
                name: Some(name),
                fields,
                switchable: true,
            });
        }
    }
    Ok(desired)
}

/// An ad's name.
pub(super) fn ad_name(spec: &LegSpec, group: &AdGroup, ad: &Ad) -> String {
    format!("{}/{}/{}", spec.campaign_name, group.key, ad.key)
}

fn objective(objective: Objective) -> &'static str {
    match objective {
        Objective::Awareness => "OUTCOME_AWARENESS",
        Objective::Traffic => "OUTCOME_TRAFFIC",
        Objective::Engagement => "OUTCOME_ENGAGEMENT",
        Objective::Leads => "OUTCOME_LEADS",
        Objective::Sales => "OUTCOME_SALES",
        Objective::App => "OUTCOME_APP_PROMOTION",
    }
}

fn campaign(spec: &LegSpec, settings: &Settings) -> Desired {
    let budget = &spec.campaign.budget;
    let amount = budget
        .amount
        .in_units(decimals(spec.currency))
        .unwrap_or_default();
    let mut fields = Map::new();
    fields.insert("name".into(), json!(spec.campaign_name));
    fields.insert("objective".into(), json!(objective(spec.campaign.objective)));
    // `NONE` and an empty list say the same; the list is what Meta shows.
    let mut categories: Vec<&String> = settings
        .special_ad_categories
        .iter()
        .filter(|c| *c != "NONE")
        .collect();
    categories.sort_unstable();
    fields.insert("special_ad_categories".into(), json!(categories));
    if !categories.is_empty() {
        let mut countries = if settings.special_ad_category_country.is_empty() {
            spec.campaign.audience.countries.clone()
        } else {
            settings.special_ad_category_country.clone()
        };
        countries.sort_unstable();
        countries.dedup();
        fields.insert("special_ad_category_country".into(), json!(countries));
    }
    let field = match budget.period {
        Period::Daily => "daily_budget",
        Period::Lifetime => "lifetime_budget",
    };
    fields.insert(field.into(), json!(amount));
    let strategy = match spec.campaign.bidding.strategy.as_str() {
        "cost_cap" => "COST_CAP",
        "bid_cap" => "LOWEST_COST_WITH_BID_CAP",
        MIN_ROAS => "LOWEST_COST_WITH_MIN_ROAS",
        _ => "LOWEST_COST_WITHOUT_CAP",
    };
    // Sales from a catalog promote it as a whole; which of its products, the ad sets say (#odax-mapping).
    if shows_products(spec)
        && spec.campaign.objective == Objective::Sales
        && let Some(catalog) = catalog_id(spec)
    {
        let promoted = json!({ "product_catalog_id": catalog });
        fields.insert("promoted_object".into(), promoted);
    }
    fields.insert("bid_strategy".into(), json!(strategy));
    Desired {
        key: "campaign".to_owned(),
        kind: "campaign",
        parent: None,
        name: Some(spec.campaign_name.clone()),
        fields: Value::Object(fields),
        switchable: true,
    }
}

fn ad_set(spec: &LegSpec, group: &AdGroup, settings: &Settings) -> Desired {
    let campaign = &spec.campaign;
    let name = format!("{}/{}", spec.campaign_name, group.key);
    let mut fields = Map::new();
    fields.insert("name".into(), json!(name));
    let (goal, destination) = goal(spec, settings);
    fields.insert("billing_event".into(), json!("IMPRESSIONS"));
    fields.insert("optimization_goal".into(), json!(goal));
    if let Some(destination) = destination {
        fields.insert("destination_type".into(), json!(destination));
    }
    fields.insert("targeting".into(), audience::targeting(spec, settings));
    // A start that was over when the plan was approved means "at once".
    if campaign.schedule.start > spec.approved_at {
        fields.insert("start_time".into(), json!(stamp(campaign.schedule.start)));
    }
    if let Some(end) = campaign.schedule.end {
        fields.insert("end_time".into(), json!(stamp(end)));
    }
    bid(spec, &mut fields);
    for (field, value) in [
        ("dsa_beneficiary", &settings.dsa_beneficiary),
        ("dsa_payor", &settings.dsa_payor),
    ] {
        if let Some(value) = value {
            fields.insert(field.into(), json!(value));
        }
    }
    if let Some(promoted) = promoted_object(spec, settings) {
        fields.insert("promoted_object".into(), promoted);
    }
    if let Some(cap) = &campaign.frequency_cap
        && let Some(days) = cap_days(&cap.per)
    {
        let cap =
            json!([{ "event": "IMPRESSIONS", "interval_days": days, "max_frequency": cap.impressions }]);
        fields.insert("frequency_control_specs".into(), cap);
    }
    Desired {
        key: format!("ad_set/{}", group.key),
        kind: "adset",
        parent: Some("campaign".to_owned()),
        name: Some(name),
        fields: Value::Object(fields),
        switchable: true,
    }
}

/// Whether the campaign's ads show the products of a catalog.
pub(super) fn shows_products(spec: &LegSpec) -> bool {
    let mut ads = spec.campaign.ad_groups.iter().flat_map(|group| &group.ads);
    ads.any(|ad| ad.format == formats::CATALOG)
}

/// The catalog that the plan relies on.
pub(super) fn catalog_id(spec: &LegSpec) -> Option<&str> {
    spec.catalog.as_ref()?.meta_catalog_id.as_deref()
}

/// What is optimised for, and where a click leads (reference/ad-campaign-group#odax-mapping).
fn goal(spec: &LegSpec, settings: &Settings) -> (&'static str, Option<&'static str>) {
    match spec.campaign.objective {
        Objective::Awareness => ("REACH", None),
        Objective::Traffic => ("LINK_CLICKS", Some("WEBSITE")),
        Objective::Engagement if settings.pixel_id.is_none() => ("POST_ENGAGEMENT", Some("ON_POST")),
        Objective::Sales if spec.campaign.bidding.strategy == MIN_ROAS => ("VALUE", Some("WEBSITE")),
        Objective::Engagement | Objective::Leads | Objective::Sales => {
            ("OFFSITE_CONVERSIONS", Some("WEBSITE"))
        }
        Objective::App => ("APP_INSTALLS", None),
    }
}

/// A cap, or the least return; never both (bidding/overview/bid-strategy).
fn bid(spec: &LegSpec, fields: &mut Map<String, Value>) {
    let bidding = &spec.campaign.bidding;
    match bidding.strategy.as_str() {
        "cost_cap" | "bid_cap" => {
            if let Some(cap) = bidding.bid.or(bidding.target_cpa) {
                let amount = cap.in_units(decimals(spec.currency)).unwrap_or_default();
                fields.insert("bid_amount".into(), json!(amount));
            }
        }
        MIN_ROAS => {
            if let Some(floor) = bidding.target_roas_micros.and_then(roas_floor) {
                let floor = json!({ "roas_average_floor": floor });
                fields.insert("bid_constraints".into(), floor);
            }
        }
        _ => {}
    }
}

/// Return on ad spend as Meta takes it: ten-thousandths, 100 to 10,000,000 (bidding/overview/bid-strategy#min-roas-bidding).
pub(super) fn roas_floor(micros: i64) -> Option<i64> {
    let floor = micros / 100;
    (micros % 100 == 0 && (100..=10_000_000).contains(&floor)).then_some(floor)
}

/// Of a catalog's products, their set, and for sales the event that counts (advantage-catalog-ads/get-started); a pixel only
/// where the plan names one, since a catalog has its own.
fn promoted_products(spec: &LegSpec, settings: &Settings) -> Option<Value> {
    let mut promoted = json!({ "product_set_id": settings.product_set_id.as_ref()? });
    if spec.campaign.objective == Objective::Sales {
        let event = settings.custom_event_type.as_deref().unwrap_or("PURCHASE");
        promoted["custom_event_type"] = json!(event);
        if let Some(pixel) = &settings.pixel_id {
            promoted["pixel_id"] = json!(pixel);
        }
    }
    Some(promoted)
}

fn promoted_object(spec: &LegSpec, settings: &Settings) -> Option<Value> {
    if shows_products(spec) {
        return promoted_products(spec, settings);
    }
    let event = |default: &str| {
        let event = settings.custom_event_type.as_deref().unwrap_or(default);
        Some(json!({ "pixel_id": settings.pixel_id.as_ref()?, "custom_event_type": event }))
    };
    match spec.campaign.objective {
        Objective::Leads => event("LEAD"),
        Objective::Sales => event("PURCHASE"),
        Objective::Engagement => event("CONTENT_VIEW"),
        Objective::App => Some(json!({
            "application_id": settings.application_id.as_ref()?,
            "object_store_url": settings.object_store_url.as_ref()?,
        })),
        Objective::Awareness => Some(json!({ "page_id": settings.page_id })),
        Objective::Traffic => None,
    }
}
