//! What a search campaign consists of on Google Ads, in our normal form, and the resources to create for it.
//!
//! Must not send anything, nor compare: `mutations` does. What is built here from the plan must equal what `forms` and
//! `ad_forms` build from Google's answers.

use super::ad_forms::{AdForm, AdGroupForm, KeywordForm, keyword_text, short_hash};
use super::forms::{Bidding, BudgetForm, CampaignForm, GeoTarget, filled};
use super::geo;
use super::kinds::Kind;
use super::wire::{AdGroupAd, CampaignCriterion, Label, LanguageInfo, LocationInfo};
use crate::domain::error::{ErrorClass, LegError};
use crate::domain::manifest::Desired;
use crate::domain::plan::{self, MatchType};
use crate::domain::spec::LegSpec;
use crate::domain::tracking::without_utm;
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

/// `settings` of a Google Ads campaign in the plan.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Settings {
    /// Also on the sites of Google's search partners.
    pub search_partners: bool,
    /// Also on the display network, with what search leaves over.
    pub display_network: bool,
    /// Who is in a country: who is there, or also who is interested in it.
    pub geo_target: GeoTarget,
}

/// The keys of [`Settings`].
pub(super) const SETTINGS: [&str; 3] = ["search_partners", "display_network", "geo_target"];

/// A name within Google's limit; a longer one is cut and gets a hash of the whole, so that it stays unique.
fn fit(name: &str, max: usize) -> String {
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
        unfit(
            format!("settings: {error}"),
            &format!("known keys: {}", SETTINGS.join(", ")),
        )
    })
}

/// The strategies that a plan can name.
pub(super) const STRATEGIES: [&str; 4] = [
    "maximize_conversions",
    "maximize_conversion_value",
    "maximize_clicks",
    "manual_cpc",
];

/// What a tenant declares about political advertising in the EU. Google wants it for every new campaign.
/// Source: developers.google.com/google-ads/api/docs/api-policy/eu-par.
pub(super) const DECLARATIONS: [&str; 2] = ["does_not_contain", "contains"];

/// None for a strategy that a plan cannot name here.
fn bidding(bidding: &plan::Bidding) -> Option<Bidding> {
    let bid = bidding.bid.map(|bid| bid.micros);
    match bidding.strategy.as_str() {
        "maximize_conversions" => {
            let target_cpa_micros = bidding.target_cpa.map(|target| target.micros);
            Some(Bidding::MaximizeConversions { target_cpa_micros })
        }
        "maximize_conversion_value" => {
            let target_roas_micros = bidding.target_roas_micros;
            Some(Bidding::MaximizeConversionValue { target_roas_micros })
        }
        "maximize_clicks" => Some(Bidding::MaximizeClicks { ceiling_micros: bid }),
        "manual_cpc" => Some(Bidding::ManualCpc),
        _ => None,
    }
}

fn campaign(spec: &LegSpec, facts: &AccountFacts) -> Result<CampaignForm, Box<LegError>> {
    let plan = &spec.campaign;
    let settings = settings(plan)?;
    let bidding = bidding(&plan.bidding).ok_or_else(|| {
        let what = format!(
            "Google search campaigns have no strategy {:?}",
            plan.bidding.strategy
        );
        unfit(what, &format!("use one of {}", STRATEGIES.join(", ")))
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
    Ok(CampaignForm {
        name: spec.campaign_name.clone(),
        start,
        end,
        bidding,
        search_partners: settings.search_partners,
        display_network: settings.display_network,
        geo_target: settings.geo_target,
        eu_political_advertising: spec.eu_political_advertising.clone(),
        final_url_suffix: (!suffix.is_empty()).then(|| suffix.join("&")),
        custom_parameters,
    })
}

fn keyword(keyword: &plan::Keyword, negative: bool) -> KeywordForm {
    let match_type = match keyword.match_type {
        MatchType::Exact => "EXACT",
        MatchType::Phrase => "PHRASE",
        MatchType::Broad => "BROAD",
    };
    KeywordForm {
        text: keyword_text(&keyword.text),
        match_type: match_type.to_owned(),
        negative,
        status: (!negative).then(|| "ENABLED".to_owned()),
    }
}

/// Without the spaces around them, which Google takes off.
fn trimmed(texts: &[String]) -> Vec<String> {
    texts.iter().map(|text| text.trim().to_owned()).collect()
}

fn ad_form(ad: &plan::Ad) -> AdForm {
    AdForm {
        final_url: without_utm(&ad.landing_url).0.to_string(),
        headlines: trimmed(&ad.headlines),
        descriptions: trimmed(&ad.descriptions),
        path1: filled(ad.path1.as_ref()),
        path2: filled(ad.path2.as_ref()),
        status: "ENABLED".to_owned(),
    }
}

/// Everything that should exist for a leg, grouped by type, parents before children.
///
/// Only the campaign is switchable: while it is paused nothing beneath it can serve, so ad groups, keywords and ads are
/// created enabled and one mutation of one object turns all of it on.
pub(super) fn desire(spec: &LegSpec, facts: &AccountFacts) -> Result<Vec<Desired>, Box<LegError>> {
    let plan = &spec.campaign;
    let campaign = campaign(spec, facts)?;
    let budget = BudgetForm {
        period: plan.budget.period,
        amount_micros: plan.budget.amount.micros,
    };
    let label = label_name(&spec.campaign_name);
    let bid = match campaign.bidding {
        Bidding::ManualCpc => plan.bidding.bid.map(|bid| bid.micros),
        Bidding::MaximizeConversions { .. }
        | Bidding::MaximizeConversionValue { .. }
        | Bidding::MaximizeClicks { .. }
        | Bidding::Other { .. } => None,
    };
    let budget_name = fit(&format!("{}/budget", spec.campaign_name), BUDGET_MAX);
    let mut all = vec![
        object("budget", Kind::Budget, None, Some(budget_name), form(&budget)),
        object(
            "label",
            Kind::Label,
            None,
            Some(label.clone()),
            json!({"name": label}),
        ),
        Desired {
            switchable: true,
            ..object(
                "campaign",
                Kind::Campaign,
                None,
                Some(spec.campaign_name.clone()),
                form(&campaign),
            )
        },
    ];
    for country in &plan.audience.countries {
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
    for language in &plan.audience.languages {
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
    all.push(object(
        "campaign_label",
        Kind::CampaignLabel,
        Some("campaign"),
        None,
        json!({}),
    ));
    for group in &plan.ad_groups {
        let name = fit(&format!("{}/{}", spec.campaign_name, group.key), AD_GROUP_MAX);
        let fields = AdGroupForm {
            name: name.clone(),
            status: "ENABLED".to_owned(),
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
    all.extend(plan.ad_groups.iter().flat_map(keywords));
    all.extend(
        plan.ad_groups
            .iter()
            .flat_map(|group| ads(group, &spec.campaign_name)),
    );
    Ok(all)
}

fn keywords(group: &plan::AdGroup) -> impl Iterator<Item = Desired> + '_ {
    let parent = format!("ad_group/{}", group.key);
    let positive = group.keywords.iter().map(|k| keyword(k, false));
    let negative = group.negative_keywords.iter().map(|k| keyword(k, true));
    positive.chain(negative).map(move |fields| {
        let key = fields.key(group.key.as_str());
        object(&key, Kind::AdGroupCriterion, Some(&parent), None, form(&fields))
    })
}

fn ads<'a>(group: &'a plan::AdGroup, campaign_name: &'a str) -> impl Iterator<Item = Desired> + 'a {
    group.ads.iter().map(move |ad| {
        let fields = ad_form(ad);
        let name = format!(
            "{campaign_name}/{}/{}#{}",
            group.key,
            ad.key,
            fields.fingerprint()
        );
        let key = format!("ad/{}/{}", group.key, ad.key);
        let parent = format!("ad_group/{}", group.key);
        object(&key, Kind::AdGroupAd, Some(&parent), Some(name), form(&fields))
    })
}

fn object(key: &str, kind: Kind, parent: Option<&str>, name: Option<String>, fields: Value) -> Desired {
    Desired {
        key: key.to_owned(),
        kind: kind.as_str(),
        parent: parent.map(str::to_owned),
        name,
        fields,
        switchable: false,
    }
}

/// A normal form as the manifest holds it.
pub(super) fn form<T: Serialize>(fields: &T) -> Value {
    // These structs hold nothing that JSON cannot: no maps with odd keys, no failing serializers.
    serde_json::to_value(fields).unwrap_or_default()
}

/// The resource to create for an object, without its own and its parents' names.
pub(super) fn resource(kind: Kind, fields: &Value) -> Option<Value> {
    let read = |fields: &Value| fields.clone();
    match kind {
        Kind::Budget => Some(form(
            &serde_json::from_value::<BudgetForm>(read(fields)).ok()?.wire(),
        )),
        Kind::Campaign => Some(form(
            &serde_json::from_value::<CampaignForm>(read(fields)).ok()?.wire(),
        )),
        Kind::Label => {
            let name = fields.get("name")?.as_str()?.to_owned();
            Some(form(&Label {
                name: Some(name),
                ..Default::default()
            }))
        }
        Kind::CampaignLabel => Some(json!({})),
        Kind::CampaignCriterion => {
            let text = |key: &str| fields.get(key).and_then(Value::as_str).map(str::to_owned);
            Some(form(&CampaignCriterion {
                location: text("geo_target").map(|t| LocationInfo {
                    geo_target_constant: Some(t),
                }),
                language: text("language").map(|t| LanguageInfo {
                    language_constant: Some(t),
                }),
                ..Default::default()
            }))
        }
        Kind::AdGroup => Some(form(
            &serde_json::from_value::<AdGroupForm>(read(fields)).ok()?.wire(),
        )),
        Kind::AdGroupCriterion => Some(form(
            &serde_json::from_value::<KeywordForm>(read(fields)).ok()?.wire(),
        )),
        Kind::AdGroupAd => {
            let fields = serde_json::from_value::<AdForm>(read(fields)).ok()?;
            Some(form(&AdGroupAd {
                status: Some(fields.status.clone()),
                ad: Some(fields.wire_ad()),
                ..Default::default()
            }))
        }
    }
}
