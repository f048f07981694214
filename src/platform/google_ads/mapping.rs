//! What a campaign consists of on Google Ads, in our normal form, and the resources to create for it.
//!
//! Must not send anything, nor compare: `mutations` does. What is built here from the plan must equal what `forms`,
//! `ad_forms`, `creatives` and `links` build from Google's answers. What only one channel has is in its own file.

use super::ad_forms::{AdGroupForm, AnyAd, KeywordForm, short_hash};
use super::bidding::Bidding;
use super::channel::Channel;
use super::forms::{BudgetForm, CampaignForm, CapForm, GeoTarget};
use super::kinds::{Kind, digits};
use super::links::{self, AssetGroupForm, LinkForm};
use super::people::{self, ExclusionForm};
use super::wire::{
    AdGroupAd, AdGroupCriterion, AssetGroupAsset, CampaignAsset, CampaignCriterion, Label, LanguageInfo,
    ListingGroupInfo, LocationInfo,
};
use super::{demand_gen, geo, performance_max, search, shopping};
use crate::domain::error::{ErrorClass, LegError};
use crate::domain::manifest::Desired;
use crate::domain::plan;
use crate::domain::spec::LegSpec;
use crate::domain::tenant::Account;
use crate::platform::AccountFacts;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// `Label.name`: 1 to 80 characters. Source: google/ads/googleads/v26/resources/label.proto, `LabelError`.
const LABEL_MAX: usize = 80;
/// `AdGroup.name`: fewer than 255 UTF-8 bytes. Source: v26/resources/ad_group.proto.
const AD_GROUP_MAX: usize = 254;
/// `CampaignBudget.name`: 1 to 255 UTF-8 bytes. Source: v26/resources/campaign_budget.proto.
const BUDGET_MAX: usize = 255;
/// The asset library's word for Google's name of an asset (contract §5).
pub(super) const NAME_OF_REF: &str = "resource_name";

/// `settings` of a Google Ads campaign in the plan. Which of them mean something where: [`Channel::settings`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Settings {
    /// Also on the sites of Google's search partners.
    pub search_partners: bool,
    /// Also on the display network, with what search leaves over.
    pub display_network: bool,
    /// Who is in a country: who is there, or also who is interested in it.
    pub geo_target: GeoTarget,
    /// The name of the business, for ads that show one.
    pub business_name: Option<String>,
    /// Which of the ads' assets are logos.
    pub logos: Vec<String>,
    /// Which of the Merchant Center account's feeds: all of them if left out.
    pub feed_label: Option<String>,
    /// Of several shopping campaigns with the same product, the highest of 0 to 2 decides.
    pub priority: Option<u8>,
    /// Also what is sold in shops nearby.
    pub local_products: bool,
    /// Performance max: with the products of the plan's catalog; if left out, where it names a Merchant Center account.
    pub products: Option<bool>,
    /// Performance max: name and logo are the campaign's (the default), or each asset group's.
    pub brand_guidelines: Option<bool>,
    /// Performance max: Google may write texts and choose landing pages that nobody approved.
    pub generated_content: bool,
}

/// A name within Google's limit; a longer one is cut and gets a hash of the whole, so that it stays unique.
pub(super) fn fit(name: &str, max: usize) -> String {
    if name.len() <= max {
        return name.to_owned();
    }
    let mut cut = max - 9;
    while !name.is_char_boundary(cut) {
        cut -= 1;
    }
    format!(
        "{}~{}",
        name.get(..cut).unwrap_or_default(),
        short_hash(&[name], 4)
    )
}

pub(super) fn label_name(campaign_name: &str) -> String {
    fit(campaign_name, LABEL_MAX)
}

/// A plan that this platform cannot carry out.
pub(super) fn unfit(what: impl Into<String>, remedy: &str) -> Box<LegError> {
    Box::new(LegError::new(
        ErrorClass::Validation,
        "google-ads-plan",
        what,
        remedy,
    ))
}

/// The plan's settings, if every key is known and of the right type.
pub(super) fn settings(campaign: &plan::Campaign) -> Result<Settings, Box<LegError>> {
    serde_json::from_value(Value::Object(campaign.settings.clone())).map_err(|error| {
        let channel = campaign.channel.as_deref().and_then(Channel::parse);
        let known = channel.unwrap_or_default().settings().join(", ");
        unfit(format!("settings: {error}"), &format!("known keys: {known}"))
    })
}

/// What a tenant declares about political advertising in the EU. Google wants it for every new campaign.
/// Source: developers.google.com/google-ads/api/docs/api-policy/eu-par.
pub(super) const DECLARATIONS: [&str; 2] = ["does_not_contain", "contains"];

fn campaign(
    spec: &LegSpec,
    channel: Channel,
    settings: &Settings,
    facts: &AccountFacts,
) -> Result<CampaignForm, Box<LegError>> {
    let plan = &spec.campaign;
    let bidding = Bidding::of(&plan.bidding, channel).ok_or_else(|| {
        let what = format!(
            "{} campaigns have no strategy {:?}",
            channel.as_str(),
            plan.bidding.strategy
        );
        unfit(what, &format!("use one of {}", channel.strategies().join(", ")))
    })?;
    let declaration = spec.eu_political_advertising.as_str();
    if !DECLARATIONS.contains(&declaration) {
        let what = format!("{declaration:?} is no declaration about political advertising in the EU");
        return Err(unfit(
            what,
            &format!("the tenant's policy says one of {}", DECLARATIONS.join(", ")),
        ));
    }
    let day = |at: DateTime<Utc>| at.with_timezone(&facts.timezone).date_naive();
    // Google starts a campaign on whole days of the account's zone, at the earliest today. A start that had come
    // when the plan was approved means "at once", and Google's word for that is to name none.
    let start = Some(day(plan.schedule.start)).filter(|start| *start > day(spec.approved_at));
    // An end at midnight means the end of the day before.
    let end = plan.schedule.end.map(|end| day(end - TimeDelta::seconds(1)));
    let pairs = [("kcid", &plan.crm.kcid), ("kpv", &plan.crm.kpv)];
    let custom_parameters: BTreeMap<String, String> = pairs
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), value.clone()?)))
        .collect();
    let suffix: Vec<String> = custom_parameters
        .keys()
        .map(|key| format!("{key}={{_{key}}}"))
        .collect();
    let shopping = channel == Channel::Shopping;
    let max = channel == Channel::PerformanceMax;
    let feed = shopping || max && performance_max::has_products(spec, settings);
    Ok(CampaignForm {
        channel,
        name: spec.campaign_name.clone(),
        start,
        end,
        bidding,
        search_partners: matches!(channel, Channel::Search | Channel::Shopping)
            .then_some(settings.search_partners),
        display_network: (channel == Channel::Search).then_some(settings.display_network),
        geo_target: settings.geo_target,
        eu_political_advertising: spec.eu_political_advertising.clone(),
        final_url_suffix: (!suffix.is_empty()).then(|| suffix.join("&")),
        custom_parameters,
        merchant_id: if feed {
            Some(shopping::linked_merchant(spec, facts)?)
        } else {
            None
        },
        feed_label: settings.feed_label.clone().filter(|_| feed),
        priority: shopping.then(|| settings.priority.map_or(0, i32::from)),
        local_products: shopping.then_some(settings.local_products),
        brand_guidelines: max.then(|| settings.brand_guidelines.unwrap_or(true)),
        generated_content: max.then_some(settings.generated_content),
        frequency_cap: plan.frequency_cap.as_ref().map(CapForm::of),
    })
}

/// Without the spaces around them, which Google takes off.
pub(super) fn trimmed(texts: &[String]) -> Vec<String> {
    texts.iter().map(|text| text.trim().to_owned()).collect()
}

/// Everything that should exist for a leg, grouped by type, parents before children.
///
/// Campaign, ad groups, ads and asset groups are switchable: each is made paused, also beneath a campaign that is on, and one
/// mutation turns all of them on. Keywords and what else targets have no say of their own while what they target is paused; added to an
/// ad group that is on, they count at once, like any other change of it.
pub(super) fn desire(
    spec: &LegSpec,
    account: &Account,
    facts: &AccountFacts,
) -> Result<Vec<Desired>, Box<LegError>> {
    let plan = &spec.campaign;
    let named = plan.channel.as_deref().and_then(Channel::parse);
    let channel = named.ok_or_else(|| {
        let what = format!(
            "{:?} is no channel of Google Ads",
            plan.channel.as_deref().unwrap_or("nothing")
        );
        unfit(
            what,
            &format!("use one of {}", super::channel::CHANNELS.join(", ")),
        )
    })?;
    let settings = settings(plan)?;
    let campaign = campaign(spec, channel, &settings, facts)?;
    let bid = match campaign.bidding {
        Bidding::ManualCpc => plan.bidding.bid.map(|bid| bid.micros),
        Bidding::MaximizeConversions { .. }
        | Bidding::MaximizeConversionValue { .. }
        | Bidding::MaximizeClicks { .. }
        | Bidding::Other { .. } => None,
    };
    let mut all = head(spec, &campaign);
    if channel == Channel::PerformanceMax {
        // Before the campaign, in the order in which Google wants types.
        let at = all.len() - 1;
        all.splice(at..at, performance_max::text_objects(spec, &settings));
    }
    targeting(spec, &mut all)?;
    all.push(object(
        "campaign_label",
        Kind::CampaignLabel,
        Some("campaign"),
        None,
        json!({}),
    ));
    let account = digits(&account.account_id);
    match channel {
        Channel::Search => {
            ad_groups(spec, bid, &mut all);
            all.extend(search::criteria(spec));
            all.extend(people::exclusions(spec));
            all.extend(search::ads(spec));
        }
        Channel::Display | Channel::DemandGen => {
            ad_groups(spec, bid, &mut all);
            if channel == Channel::Display {
                all.extend(people::exclusions(spec));
            }
            all.extend(demand_gen::ads(spec, &settings, &account)?);
        }
        Channel::Shopping => {
            ad_groups(spec, bid, &mut all);
            all.extend(shopping::criteria(spec));
            all.extend(shopping::ads(spec));
        }
        Channel::PerformanceMax => all.extend(performance_max::objects(spec, &settings, &account)?),
    }
    Ok(all)
}

/// Budget, label, campaign.
fn head(spec: &LegSpec, campaign: &CampaignForm) -> Vec<Desired> {
    let budget = BudgetForm {
        period: spec.campaign.budget.period,
        amount_micros: spec.campaign.budget.amount.micros,
    };
    let budget_name = fit(&format!("{}/budget", spec.campaign_name), BUDGET_MAX);
    let label = label_name(&spec.campaign_name);
    vec![
        object("budget", Kind::Budget, None, Some(budget_name), form(&budget)),
        object(
            "label",
            Kind::Label,
            None,
            Some(label.clone()),
            json!({"name": label}),
        ),
        object(
            "campaign",
            Kind::Campaign,
            None,
            Some(spec.campaign_name.clone()),
            form(campaign),
        ),
    ]
}

/// Countries and languages.
fn targeting(spec: &LegSpec, all: &mut Vec<Desired>) -> Result<(), Box<LegError>> {
    let audience = &spec.campaign.audience;
    for country in &audience.countries {
        let target = geo::geo_target(country).ok_or_else(|| {
            unfit(
                format!("{country:?} is no country of ISO 3166-1"),
                "use alpha-2 codes: DE, AT",
            )
        })?;
        let key = format!("location/{country}");
        all.push(object(
            &key,
            Kind::CampaignCriterion,
            Some("campaign"),
            None,
            json!({"geo_target": target}),
        ));
    }
    for language in &audience.languages {
        let constant = geo::language_constant(language).ok_or_else(|| {
            let remedy = format!("Google Ads knows {}", geo::languages());
            unfit(format!("Google Ads has no language {language:?}"), &remedy)
        })?;
        let key = format!("language/{language}");
        all.push(object(
            &key,
            Kind::CampaignCriterion,
            Some("campaign"),
            None,
            json!({"language": constant}),
        ));
    }
    Ok(())
}

fn ad_groups(spec: &LegSpec, bid: Option<i64>, all: &mut Vec<Desired>) {
    for group in &spec.campaign.ad_groups {
        let name = fit(&format!("{}/{}", spec.campaign_name, group.key), AD_GROUP_MAX);
        let fields = AdGroupForm {
            name: name.clone(),
            cpc_bid_micros: bid,
        };
        let key = format!("ad_group/{}", group.key);
        all.push(object(
            &key,
            Kind::AdGroup,
            Some("campaign"),
            Some(name),
            form(&fields),
        ));
    }
}

pub(super) fn object(
    key: &str,
    kind: Kind,
    parent: Option<&str>,
    name: Option<String>,
    fields: Value,
) -> Desired {
    Desired {
        key: key.to_owned(),
        kind: kind.as_str(),
        parent: parent.map(str::to_owned),
        name,
        fields,
        switchable: kind.is_switchable(),
    }
}

/// A normal form as the manifest holds it.
pub(super) fn form<T: Serialize>(fields: &T) -> Value {
    // These structs hold nothing that JSON cannot: no maps with odd keys, no failing serializers.
    serde_json::to_value(fields).unwrap_or_default()
}

/// The normal form that a manifest holds, read again.
fn read<T: serde::de::DeserializeOwned>(fields: &Value) -> Option<T> {
    serde_json::from_value(fields.clone()).ok()
}

/// The resource to create for an object, without its own and its parents' names.
pub(super) fn resource(kind: Kind, fields: &Value) -> Option<Value> {
    let text = |key: &str| fields.get(key).and_then(Value::as_str).map(str::to_owned);
    match kind {
        Kind::Budget => Some(form(&read::<BudgetForm>(fields)?.wire())),
        Kind::Campaign => Some(form(&read::<CampaignForm>(fields)?.wire())),
        Kind::Label => Some(form(&Label {
            name: Some(text("name")?),
            ..Default::default()
        })),
        Kind::Asset => Some(form(&links::text_asset(&text("text")?))),
        Kind::CampaignLabel => Some(json!({})),
        Kind::CampaignCriterion => Some(form(&CampaignCriterion {
            location: text("geo_target").map(|t| LocationInfo {
                geo_target_constant: Some(t),
            }),
            language: text("language").map(|t| LanguageInfo {
                language_constant: Some(t),
            }),
            ..Default::default()
        })),
        Kind::CampaignAsset => {
            let link = read::<LinkForm>(fields)?;
            Some(form(&CampaignAsset {
                field_type: Some(link.part),
                asset: link.asset,
                ..Default::default()
            }))
        }
        Kind::AdGroup => Some(form(&read::<AdGroupForm>(fields)?.wire())),
        Kind::AdGroupCriterion if fields.get("excluded").is_some() => {
            Some(form(&read::<ExclusionForm>(fields)?.wire()))
        }
        Kind::AdGroupCriterion => match text("listing_group") {
            Some(unit) => Some(form(&AdGroupCriterion {
                status: text("status"),
                listing_group: Some(ListingGroupInfo {
                    kind: Some(unit),
                    ..Default::default()
                }),
                ..Default::default()
            })),
            None => Some(form(&read::<KeywordForm>(fields)?.wire())),
        },
        Kind::AdGroupAd => {
            let ad = AnyAd::of(fields)?;
            Some(form(&AdGroupAd {
                ad: Some(ad.wire_ad()),
                ..Default::default()
            }))
        }
        Kind::AssetGroup => Some(form(&read::<AssetGroupForm>(fields)?.wire())),
        Kind::ListingGroupFilter => Some(form(&links::all_products())),
        Kind::AssetGroupAsset => {
            let link = read::<LinkForm>(fields)?;
            Some(form(&AssetGroupAsset {
                field_type: Some(link.part),
                asset: link.asset,
                ..Default::default()
            }))
        }
    }
}
