//! Spec → what should exist on Meta. Pure.
//!
//! The plan's budget is per campaign, so it always stands on the campaign (Advantage campaign budget), never on ad sets: both at
//! once is an error (1885621), and so is asking for ad set budget sharing then (4834002).

use super::CAMPAIGN_MACRO;
use super::wire::stamp;
use crate::domain::error::{ErrorClass, LegError};
use crate::domain::manifest::Desired;
use crate::domain::money::Currency;
use crate::domain::plan::{Ad, AdGroup, Objective, Period};
use crate::domain::spec::LegSpec;
use crate::domain::tracking::without_utm;
use crate::platform::Problem;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// A kind of object.
pub(super) struct Kind {
    /// As the manifest spells it.
    pub(super) name: &'static str,
    /// The account's edge.
    pub(super) edge: &'static str,
    /// It has an on/off switch and a list that can be asked by `effective_status`.
    pub(super) has_status: bool,
    /// Every state but DELETED, which an edge refuses to list (best-practices/manage-your-ad-object-status).
    pub(super) findable: &'static [&'static str],
}

/// Parents before children.
pub(super) const KINDS: [Kind; 4] = [
    Kind {
        name: "campaign",
        edge: "campaigns",
        has_status: true,
        findable: &["ACTIVE", "PAUSED", "ARCHIVED", "IN_PROCESS", "WITH_ISSUES"],
    },
    Kind {
        name: "adset",
        edge: "adsets",
        has_status: true,
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
        has_status: false,
        findable: &[],
    },
    Kind {
        name: "ad",
        edge: "ads",
        has_status: true,
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

/// Stands in `url_tags` where the literal campaign id goes once it is known.
pub(super) const ID_PLACE: &str = "@campaign.id@";

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

/// How many decimals Meta's minor unit has.
pub(super) fn decimals(currency: Currency) -> u32 {
    if OFFSET_1.contains(&currency.code()) { 0 } else { 2 }
}

/// Meta's ids of languages ("locales"), as `GET /search?type=adlocale` names them; `settings.locales` overrides them. Where
/// Meta has "All" of a language, that one.
const LOCALES: &[(&str, u32)] = &[
    ("da", 4),
    ("de", 5),
    ("en", 1001),
    ("es", 1002),
    ("fi", 8),
    ("fr", 1003),
    ("it", 10),
    ("ja", 11),
    ("ko", 12),
    ("nl", 14),
    ("pl", 15),
    ("ru", 17),
    ("sv", 18),
    ("tr", 19),
];

/// Meta's id of a language.
pub(super) fn locale(language: &str) -> Option<u32> {
    LOCALES
        .iter()
        .find(|(code, _)| *code == language)
        .map(|(_, id)| *id)
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

/// `settings` of a Meta campaign.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Settings {
    /// The Facebook page the ads speak for.
    pub(super) page_id: String,
    /// The Instagram account they speak for.
    pub(super) instagram_user_id: Option<String>,
    /// Who benefits (EU).
    pub(super) dsa_beneficiary: Option<String>,
    /// Who pays (EU).
    pub(super) dsa_payor: Option<String>,
    /// `[]` or some of Meta's.
    pub(super) special_ad_categories: Vec<String>,
    /// Where they apply.
    pub(super) special_ad_category_country: Vec<String>,
    /// The pixel whose event counts.
    pub(super) pixel_id: Option<String>,
    /// `PURCHASE`, `LEAD` …
    pub(super) custom_event_type: Option<String>,
    /// The app.
    pub(super) application_id: Option<String>,
    /// Its store page.
    pub(super) object_store_url: Option<String>,
    /// Meta's own language ids.
    pub(super) locales: Vec<u32>,
    /// `macro` (default) or `injected`: the literal campaign id in `utm_campaign`.
    pub(super) tracking: Option<String>,
}

const KNOWN: &[&str] = &[
    "page_id",
    "instagram_user_id",
    "dsa_beneficiary",
    "dsa_payor",
    "special_ad_categories",
    "special_ad_category_country",
    "pixel_id",
    "custom_event_type",
    "application_id",
    "object_store_url",
    "locales",
    "tracking",
];

/// Reads `settings`; a key that nobody reads is refused with the nearest one.
pub(super) fn settings(spec: &LegSpec) -> Result<Settings, Problem> {
    let given = &spec.campaign.settings;
    if let Some(unknown) = given.keys().find(|k| !KNOWN.contains(&k.as_str())) {
        let nearest = KNOWN
            .iter()
            .min_by_key(|k| strsim::damerau_levenshtein(k, unknown))
            .unwrap_or(&"page_id");
        return Err(Problem {
            pointer: format!("/settings/{unknown}"),
            what: format!("Meta has no setting {unknown}"),
            remedy: format!("did you mean {nearest}? settings: {}", KNOWN.join(", ")),
        });
    }
    let read = Settings::deserialize(Value::Object(given.clone())).map_err(|error| Problem {
        pointer: "/settings".to_owned(),
        what: error.to_string(),
        remedy: "ids and names are texts, categories and locales are lists".to_owned(),
    })?;
    if read.page_id.is_empty() {
        return Err(Problem {
            pointer: "/settings/page_id".to_owned(),
            what: "an ad speaks for a Facebook page".to_owned(),
            remedy: "set settings.page_id".to_owned(),
        });
    }
    if !matches!(read.tracking.as_deref(), None | Some("macro" | "injected")) {
        return Err(Problem {
            pointer: "/settings/tracking".to_owned(),
            what: "tracking is \"macro\" or \"injected\"".to_owned(),
            remedy: "take it out to use macros".to_owned(),
        });
    }
    Ok(read)
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
            desired.push(creative(spec, group, ad, &settings)?);
            desired.push(Desired {
                key: format!("ad/{}/{}", group.key, ad.key),
                kind: "ad",
                parent: Some(format!("ad_set/{}", group.key)),
                name: Some(ad_name(spec, group, ad)),
                fields: json!({ "name": ad_name(spec, group, ad) }),
                switchable: true,
            });
        }
    }
    Ok(desired)
}

fn ad_name(spec: &LegSpec, group: &AdGroup, ad: &Ad) -> String {
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
    fields.insert(
        "special_ad_categories".into(),
        json!(settings.special_ad_categories),
    );
    if !settings.special_ad_category_country.is_empty() {
        fields.insert(
            "special_ad_category_country".into(),
            json!(settings.special_ad_category_country),
        );
    }
    let field = match budget.period {
        Period::Daily => "daily_budget",
        Period::Lifetime => "lifetime_budget",
    };
    fields.insert(field.into(), json!(amount));
    let strategy = match spec.campaign.bidding.strategy.as_str() {
        "cost_cap" => "COST_CAP",
        "bid_cap" => "LOWEST_COST_WITH_BID_CAP",
        _ => "LOWEST_COST_WITHOUT_CAP",
    };
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
    let (goal, destination) = match campaign.objective {
        Objective::Awareness => ("REACH", None),
        Objective::Traffic | Objective::Engagement => ("LINK_CLICKS", Some("WEBSITE")),
        Objective::Leads | Objective::Sales => ("OFFSITE_CONVERSIONS", Some("WEBSITE")),
        Objective::App => ("APP_INSTALLS", None),
    };
    fields.insert("billing_event".into(), json!("IMPRESSIONS"));
    fields.insert("optimization_goal".into(), json!(goal));
    if let Some(destination) = destination {
        fields.insert("destination_type".into(), json!(destination));
    }
    fields.insert("targeting".into(), targeting(spec, settings));
    // A start that was over when the plan was approved means "at once".
    if campaign.schedule.start > spec.approved_at {
        fields.insert("start_time".into(), json!(stamp(campaign.schedule.start)));
    }
    if let Some(end) = campaign.schedule.end {
        fields.insert("end_time".into(), json!(stamp(end)));
    }
    let cap = campaign.bidding.bid.or(campaign.bidding.target_cpa);
    if let Some(bid) = cap.filter(|_| campaign.bidding.strategy != "lowest_cost") {
        fields.insert(
            "bid_amount".into(),
            json!(bid.in_units(decimals(spec.currency)).unwrap_or_default()),
        );
    }
    for (field, value) in [
        ("dsa_beneficiary", &settings.dsa_beneficiary),
        ("dsa_payor", &settings.dsa_payor),
    ] {
        if let Some(value) = value {
            fields.insert(field.into(), json!(value));
        }
    }
    if let Some(promoted) = promoted_object(campaign.objective, settings) {
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

fn promoted_object(objective: Objective, settings: &Settings) -> Option<Value> {
    match objective {
        Objective::Leads | Objective::Sales => {
            let default = if objective == Objective::Leads {
                "LEAD"
            } else {
                "PURCHASE"
            };
            let event = settings
                .custom_event_type
                .clone()
                .unwrap_or_else(|| default.to_owned());
            Some(json!({ "pixel_id": settings.pixel_id.clone()?, "custom_event_type": event }))
        }
        Objective::App => Some(json!({
            "application_id": settings.application_id.clone()?,
            "object_store_url": settings.object_store_url.clone()?,
        })),
        Objective::Awareness | Objective::Traffic | Objective::Engagement => None,
    }
}

fn targeting(spec: &LegSpec, settings: &Settings) -> Value {
    let audience = &spec.campaign.audience;
    let mut targeting = Map::new();
    targeting.insert("geo_locations".into(), json!({ "countries": audience.countries }));
    let locales: Vec<u32> = if settings.locales.is_empty() {
        audience.languages.iter().filter_map(|l| locale(l)).collect()
    } else {
        settings.locales.clone()
    };
    if !locales.is_empty() {
        targeting.insert("locales".into(), json!(locales));
    }
    if let Some(age) = audience.age_min {
        targeting.insert("age_min".into(), json!(age));
    }
    if let Some(age) = audience.age_max {
        targeting.insert("age_max".into(), json!(age));
    }
    let mut genders: Vec<u8> = audience
        .genders
        .iter()
        .map(|g| if g == "male" { 1 } else { 2 })
        .collect();
    genders.sort_unstable();
    genders.dedup();
    if genders.len() == 1 {
        targeting.insert("genders".into(), json!(genders));
    }
    Value::Object(targeting)
}

fn creative(spec: &LegSpec, group: &AdGroup, ad: &Ad, settings: &Settings) -> Result<Desired, Box<LegError>> {
    let name = format!("{}/creative", ad_name(spec, group, ad));
    let link = without_utm(&ad.landing_url).0;
    let action = ad.call_to_action.as_ref().map(|a| a.to_uppercase());
    let mut story = Map::new();
    story.insert("page_id".into(), json!(settings.page_id));
    if let Some(instagram) = &settings.instagram_user_id {
        story.insert("instagram_user_id".into(), json!(instagram));
    }
    let mut data = Map::new();
    if let Some(text) = &ad.primary_text {
        data.insert("message".into(), json!(text));
    }
    let image = |id: &str| asset(spec, id, "image_hash");
    if ad.format == "single_video" {
        let (video, thumbnail) = video_and_thumbnail(spec, ad)?;
        data.insert("video_id".into(), json!(video));
        data.insert("image_hash".into(), json!(thumbnail));
        if let Some(title) = ad.headlines.first() {
            data.insert("title".into(), json!(title));
        }
        if let Some(text) = ad.descriptions.first() {
            data.insert("link_description".into(), json!(text));
        }
        let kind = action.unwrap_or_else(|| "LEARN_MORE".to_owned());
        data.insert(
            "call_to_action".into(),
            json!({ "type": kind, "value": { "link": link.as_str() } }),
        );
        story.insert("video_data".into(), Value::Object(data));
    } else {
        data.insert("link".into(), json!(link.as_str()));
        data.insert(
            "image_hash".into(),
            json!(image(ad.asset_ids.first().map_or("", String::as_str))?),
        );
        if let Some(title) = ad.headlines.first() {
            data.insert("name".into(), json!(title));
        }
        if let Some(text) = ad.descriptions.first() {
            data.insert("description".into(), json!(text));
        }
        if let Some(kind) = action {
            data.insert("call_to_action".into(), json!({ "type": kind }));
        }
        story.insert("link_data".into(), Value::Object(data));
    }
    Ok(Desired {
        key: format!("creative/{}/{}", group.key, ad.key),
        kind: "adcreative",
        parent: Some("campaign".to_owned()),
        name: Some(name.clone()),
        fields: json!({ "name": name, "object_story_spec": story, "url_tags": url_tags(spec, settings) }),
        switchable: false,
    })
}

fn video_and_thumbnail(spec: &LegSpec, ad: &Ad) -> Result<(String, String), Box<LegError>> {
    let of_kind = |kind: &str| {
        ad.asset_ids
            .iter()
            .find(|id| spec.assets.get(*id).is_some_and(|a| a.kind == kind))
            .map_or("", String::as_str)
    };
    Ok((
        asset(spec, of_kind("video"), "video_id")?,
        asset(spec, of_kind("image"), "image_hash")?,
    ))
}

fn asset(spec: &LegSpec, id: &str, field: &str) -> Result<String, Box<LegError>> {
    spec.asset_ref(id, field).map(str::to_owned).ok_or_else(|| {
        Box::new(LegError {
            field: Some(field.to_owned()),
            ..LegError::new(
                ErrorClass::AssetMissing,
                "asset-missing",
                format!("the asset library has no Meta {field} for {id:?}"),
                "upload the creative to Meta by hand and register it in the asset library, then `retry`",
            )
        })
    })
}

/// What Meta appends to every click. `utm_campaign` is the platform's own id: by macro, which works in link and video
/// ads on every placement, or literally where the plan asks for it.
fn url_tags(spec: &LegSpec, settings: &Settings) -> String {
    let campaign = if settings.tracking.as_deref() == Some("injected") {
        ID_PLACE
    } else {
        CAMPAIGN_MACRO
    };
    let mut tags = format!(
        "utm_source=facebook&utm_medium=paid_social&utm_campaign={campaign}&utm_content={{{{ad.id}}}}"
    );
    for (name, value) in [("kcid", &spec.campaign.crm.kcid), ("kpv", &spec.campaign.crm.kpv)] {
        if let Some(value) = value {
            let encoded: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
            tags.push_str(&format!("&{name}={encoded}"));
        }
    }
    tags
}
