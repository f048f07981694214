//! What we ask Google about a campaign (GAQL), and what the rows mean.
//!
//! Must not call: the adapter sends the queries and hands the rows in. Fields are named as in
//! developers.google.com/google-ads/api/fields/v26/overview.

use super::ad_forms::{AdForm, AdGroupForm, KeywordForm};
use super::forms::{Bidding, BudgetForm, CampaignForm};
use super::geo;
use super::kinds::{Kind, id_of};
use super::mapping::form;
use super::wire::{CampaignCriterion, Row};
use crate::domain::manifest::{Manifest, RemoteObject, Serving};
use crate::platform::Found;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};

/// A text within a GAQL string literal.
/// Source: developers.google.com/google-ads/api/docs/query/grammar (strings in single quotes, `\` escapes).
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// What is asked about a campaign: each of these is one query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// The campaign, its budget, its account.
    Campaign,
    Criteria,
    Labels,
    /// Ads, each with its ad group.
    Ads,
    /// Ad groups, also those without any ad.
    AdGroups,
    Keywords,
}

impl Part {
    /// What a reading asks; ad groups come with their ads.
    pub const READING: [Self; 5] = [
        Self::Campaign,
        Self::Criteria,
        Self::Labels,
        Self::Ads,
        Self::Keywords,
    ];

    fn select(self) -> &'static str {
        match self {
            Self::Campaign => CAMPAIGN,
            Self::Criteria => CRITERIA,
            Self::Labels => {
                "SELECT campaign_label.resource_name, label.resource_name, label.name FROM campaign_label"
            }
            Self::Ads => ADS,
            Self::AdGroups => AD_GROUPS,
            Self::Keywords => KEYWORDS,
        }
    }

    fn alive(self) -> &'static str {
        match self {
            Self::Campaign | Self::Labels => "",
            Self::Criteria => " AND campaign_criterion.status != 'REMOVED'",
            Self::Ads => " AND ad_group.status != 'REMOVED' AND ad_group_ad.status != 'REMOVED'",
            Self::AdGroups => " AND ad_group.status != 'REMOVED'",
            Self::Keywords => " AND ad_group.status != 'REMOVED' AND ad_group_criterion.status != 'REMOVED'",
        }
    }

    /// About these campaigns, by id.
    pub fn of(self, campaigns: &[&str]) -> String {
        let which = match campaigns {
            [one] => format!("campaign.id = {one}"),
            several => format!("campaign.id IN ({})", several.join(", ")),
        };
        // What hangs beneath a removed campaign keeps its own status, and is gone all the same.
        format!(
            "{} WHERE {which} AND campaign.status != 'REMOVED'{}",
            self.select(),
            self.alive()
        )
    }
}

const CAMPAIGN: &str = "SELECT campaign.resource_name, campaign.name, campaign.status, \
    campaign.start_date_time, campaign.end_date_time, campaign.bidding_strategy_type, \
    campaign.maximize_conversions.target_cpa_micros, campaign.maximize_conversion_value.target_roas, \
    campaign.target_spend.cpc_bid_ceiling_micros, campaign.network_settings.target_search_network, \
    campaign.network_settings.target_content_network, campaign.geo_target_type_setting.positive_geo_target_type, \
    campaign.contains_eu_political_advertising, campaign.final_url_suffix, campaign.tracking_url_template, \
    campaign.url_custom_parameters, campaign.primary_status, campaign.primary_status_reasons, \
    campaign_budget.resource_name, campaign_budget.amount_micros, campaign_budget.total_amount_micros, \
    campaign_budget.period, customer.auto_tagging_enabled, customer.final_url_suffix, \
    customer.tracking_url_template, metrics.cost_micros FROM campaign";
const CRITERIA: &str = "SELECT campaign_criterion.resource_name, campaign_criterion.negative, \
    campaign_criterion.location.geo_target_constant, campaign_criterion.language.language_constant \
    FROM campaign_criterion";
const ADS: &str = "SELECT ad_group.resource_name, ad_group.name, ad_group.status, ad_group.cpc_bid_micros, \
    ad_group.final_url_suffix, ad_group.tracking_url_template, ad_group.url_custom_parameters, \
    ad_group_ad.resource_name, ad_group_ad.status, ad_group_ad.ad.final_urls, ad_group_ad.ad.final_mobile_urls, \
    ad_group_ad.ad.final_url_suffix, ad_group_ad.ad.tracking_url_template, ad_group_ad.ad.url_custom_parameters, \
    ad_group_ad.ad.responsive_search_ad.headlines, ad_group_ad.ad.responsive_search_ad.descriptions, \
    ad_group_ad.ad.responsive_search_ad.path1, ad_group_ad.ad.responsive_search_ad.path2, \
    ad_group_ad.policy_summary.approval_status, ad_group_ad.policy_summary.review_status, \
    ad_group_ad.policy_summary.policy_topic_entries FROM ad_group_ad";
const AD_GROUPS: &str = "SELECT ad_group.resource_name, ad_group.name, ad_group.status, ad_group.cpc_bid_micros, \
    ad_group.final_url_suffix, ad_group.tracking_url_template, ad_group.url_custom_parameters FROM ad_group";
const KEYWORDS: &str = "SELECT ad_group.resource_name, ad_group.name, ad_group_criterion.resource_name, \
    ad_group_criterion.status, ad_group_criterion.negative, ad_group_criterion.keyword.text, \
    ad_group_criterion.keyword.match_type, ad_group_criterion.final_urls, ad_group_criterion.final_mobile_urls, \
    ad_group_criterion.final_url_suffix, ad_group_criterion.tracking_url_template, \
    ad_group_criterion.url_custom_parameters FROM ad_group_criterion";

/// The account, for the probe.
pub(super) const CUSTOMER: &str = "SELECT customer.status, customer.currency_code, customer.time_zone, \
    customer.auto_tagging_enabled, customer.test_account FROM customer";
/// Whether it can pay.
pub(super) const BILLING: &str = "SELECT billing_setup.status FROM billing_setup";
/// How much of an invoiced account's budget is left.
pub(super) const ACCOUNT_BUDGET: &str = "SELECT account_budget.status, \
    account_budget.adjusted_spending_limit_micros, account_budget.adjusted_spending_limit_type, \
    account_budget.amount_served_micros FROM account_budget";
/// One undeclared campaign blocks every change in the account since 2026-04-01.
/// Source: developers.google.com/google-ads/api/docs/api-policy/eu-par.
pub(super) const UNDECLARED: &str = "SELECT campaign.resource_name, campaign.name FROM campaign \
    WHERE campaign.missing_eu_political_advertising_declaration = TRUE AND campaign.status != 'REMOVED' LIMIT 1";

/// Campaigns that bear one of these names.
pub(super) fn campaigns_named(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| quoted(name)).collect();
    let list = names.join(", ");
    format!("{CAMPAIGN} WHERE campaign.name IN ({list}) AND campaign.status != 'REMOVED'")
}

/// The label of this name.
pub(super) fn label_named(name: &str) -> String {
    let name = quoted(name);
    format!(
        "SELECT label.resource_name, label.name FROM label WHERE label.name = {name} AND label.status = 'ENABLED'"
    )
}

/// A budget of this name: only an orphan keeps the name that it was created with.
pub(super) fn budget_named(name: &str) -> String {
    let name = quoted(name);
    format!(
        "SELECT campaign_budget.resource_name, campaign_budget.name FROM campaign_budget \
         WHERE campaign_budget.name = {name} AND campaign_budget.status != 'REMOVED'"
    )
}

/// One object as a row shows it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Shown {
    pub kind: Kind,
    pub id: String,
    /// By what it says: a criterion's key is made of its content, an ad is known by its fingerprint.
    pub mark: String,
    pub serving: Serving,
    pub fields: Value,
    pub spent: Option<bool>,
}

/// Every object in a row. `manual`: the campaign bids by hand, so that ad groups' bids are ours.
pub(super) fn shown(row: &Row, manual: bool) -> Vec<Shown> {
    let mut all = Vec::new();
    let mut push = |kind: Kind, name: Option<&String>, mark: String, fields: Value| {
        if let Some(id) = name.and_then(|name| id_of(name)) {
            all.push(Shown {
                kind,
                id: id.to_owned(),
                mark,
                serving: Serving::None,
                fields,
                spent: None,
            });
        }
    };
    if let Some(budget) = &row.campaign_budget {
        let mark = budget.name.clone().unwrap_or_default();
        push(
            Kind::Budget,
            budget.resource_name.as_ref(),
            mark,
            form(&BudgetForm::seen(budget)),
        );
    }
    if let Some(label) = &row.label {
        let name = label.name.clone().unwrap_or_default();
        push(
            Kind::Label,
            label.resource_name.as_ref(),
            name.clone(),
            json!({"name": name}),
        );
    }
    if let Some(link) = &row.campaign_label {
        let label = row
            .label
            .as_ref()
            .and_then(|label| label.name.clone())
            .unwrap_or_default();
        push(Kind::CampaignLabel, link.resource_name.as_ref(), label, json!({}));
    }
    if let Some(criterion) = &row.campaign_criterion
        && let Some((mark, fields)) = targeting(criterion)
    {
        push(
            Kind::CampaignCriterion,
            criterion.resource_name.as_ref(),
            mark,
            fields,
        );
    }
    if let Some(group) = &row.ad_group {
        let name = group.name.clone().unwrap_or_default();
        push(
            Kind::AdGroup,
            group.resource_name.as_ref(),
            name,
            form(&AdGroupForm::seen(group, manual)),
        );
    }
    let group = row
        .ad_group
        .as_ref()
        .and_then(|group| group.name.clone())
        .unwrap_or_default();
    if let Some(criterion) = &row.ad_group_criterion
        && let Some(keyword) = KeywordForm::seen(criterion)
    {
        push(
            Kind::AdGroupCriterion,
            criterion.resource_name.as_ref(),
            keyword.key(&group),
            form(&keyword),
        );
    }
    if let Some(ad) = &row.ad_group_ad {
        let fields = AdForm::seen(ad);
        let mark = format!("{group}#{}", fields.fingerprint());
        push(Kind::AdGroupAd, ad.resource_name.as_ref(), mark, form(&fields));
    }
    if let Some(campaign) = &row.campaign {
        let name = campaign.name.clone().unwrap_or_default();
        push(
            Kind::Campaign,
            campaign.resource_name.as_ref(),
            name,
            form(&CampaignForm::seen(campaign)),
        );
        if let Some(last) = all.last_mut().filter(|last| last.kind == Kind::Campaign) {
            let on = campaign.status.as_deref() == Some("ENABLED");
            last.serving = if on { Serving::Active } else { Serving::Paused };
            last.spent = spent(row);
        }
    }
    all
}

pub(super) fn spent(row: &Row) -> Option<bool> {
    Some(row.metrics.as_ref()?.cost_micros?.0 > 0)
}

fn targeting(criterion: &CampaignCriterion) -> Option<(String, Value)> {
    if criterion.negative == Some(true) {
        return None;
    }
    if let Some(target) = criterion
        .location
        .as_ref()
        .and_then(|l| l.geo_target_constant.clone())
    {
        let mark = geo::country(&target).map_or(target.clone(), |country| format!("location/{country}"));
        return Some((mark, json!({"geo_target": target})));
    }
    let language = criterion
        .language
        .as_ref()
        .and_then(|l| l.language_constant.clone())?;
    Some((language.clone(), json!({"language": language})))
}

/// Whether the campaign in these rows bids by hand.
pub(super) fn bids_by_hand(rows: &[Row]) -> bool {
    rows.iter()
        .filter_map(|row| row.campaign.as_ref())
        .any(|c| CampaignForm::seen(c).bidding == Bidding::ManualCpc)
}

/// Which of the objects shown are those that the keys stand for.
pub(super) fn matched(manifest: &Manifest, keys: &[String], shown: Vec<Shown>) -> Vec<Found> {
    let wanted: HashSet<&str> = keys.iter().map(String::as_str).collect();
    let by_mark: HashMap<(Kind, String), &RemoteObject> = manifest
        .objects
        .iter()
        .filter(|object| wanted.contains(object.key.as_str()))
        .filter_map(|object| Some(((Kind::parse(&object.kind)?, mark(object, manifest)?), object)))
        .collect();
    let mut once = HashSet::new();
    shown
        .into_iter()
        .filter_map(|shown| {
            let by_mark = by_mark.get(&(shown.kind, shown.mark)).copied();
            // There is one budget and one label to a campaign that is ours, whatever they are called.
            let object = by_mark.or_else(|| {
                let of_kind =
                    |o: &&RemoteObject| o.kind == shown.kind.as_str() && wanted.contains(o.key.as_str());
                match shown.kind {
                    Kind::Budget => manifest.objects.iter().find(of_kind),
                    Kind::Label
                    | Kind::Campaign
                    | Kind::CampaignCriterion
                    | Kind::CampaignLabel
                    | Kind::AdGroup
                    | Kind::AdGroupCriterion
                    | Kind::AdGroupAd => None,
                }
            })?;
            // A row repeats what stands above it: each ad shows its ad group again.
            once.insert((shown.kind, shown.id.clone())).then(|| Found {
                key: object.key.clone(),
                remote_id: shown.id,
                serving: shown.serving,
                created_at: None,
                spent: shown.spent,
            })
        })
        .collect()
}

/// By what an object of the manifest would be known in a row; see [`Shown::mark`].
fn mark(object: &RemoteObject, manifest: &Manifest) -> Option<String> {
    let group = |key: &str| {
        let parent = manifest.get(&format!("ad_group/{key}"))?;
        parent.name.clone()
    };
    match Kind::parse(&object.kind)? {
        Kind::Budget | Kind::Label | Kind::Campaign | Kind::AdGroup => object.name.clone(),
        Kind::CampaignLabel => manifest.get("label")?.name.clone(),
        Kind::CampaignCriterion => match object.key.strip_prefix("language/") {
            Some(language) => geo::language_constant(language),
            None => Some(object.key.clone()),
        },
        Kind::AdGroupCriterion => {
            let (sign, rest) = object.key.split_once('/')?;
            let (key, rest) = rest.split_once('/')?;
            Some(format!("{sign}/{}/{rest}", group(key)?))
        }
        Kind::AdGroupAd => {
            let key = object.key.split('/').nth(1)?;
            let (_, fingerprint) = object.name.as_deref()?.rsplit_once('#')?;
            Some(format!("{}#{fingerprint}", group(key)?))
        }
    }
}
