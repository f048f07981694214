//! What we ask Google about a campaign (GAQL), and what the rows mean.
//!
//! Must not call: the adapter sends the queries and hands the rows in. Fields are named as in
//! developers.google.com/google-ads/api/fields/v26/overview.

use super::ad_forms::{AdGroupForm, AnyAd, KeywordForm};
use super::bidding::Bidding;
use super::channel::Channel;
use super::forms::{BudgetForm, CampaignForm};
use super::geo;
use super::kinds::{Kind, id_of};
use super::links::{AssetGroupForm, LinkForm};
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
    /// Keywords and listing groups.
    Keywords,
    /// Asset groups, also those without any link.
    AssetGroups,
    /// Links of assets, each with its asset group and its asset.
    AssetLinks,
    /// Links of assets to the campaign itself, each with its asset.
    Brand,
    Products,
}

impl Part {
    /// What a reading asks; ad groups come with their ads.
    pub fn reading(channel: Channel) -> &'static [Self] {
        match channel {
            Channel::PerformanceMax => &[
                Self::Campaign,
                Self::Criteria,
                Self::Labels,
                Self::Brand,
                Self::AssetGroups,
                Self::Products,
                Self::AssetLinks,
            ],
            Channel::Search | Channel::Display | Channel::Shopping | Channel::DemandGen => &[
                Self::Campaign,
                Self::Criteria,
                Self::Labels,
                Self::Ads,
                Self::Keywords,
            ],
        }
    }

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
            Self::AssetGroups => ASSET_GROUPS,
            Self::AssetLinks => ASSET_LINKS,
            Self::Brand => BRAND,
            Self::Products => PRODUCTS,
        }
    }

    fn alive(self) -> &'static str {
        match self {
            Self::Campaign | Self::Labels => "",
            Self::Criteria => " AND campaign_criterion.status != 'REMOVED'",
            Self::Ads => " AND ad_group.status != 'REMOVED' AND ad_group_ad.status != 'REMOVED'",
            Self::AdGroups => " AND ad_group.status != 'REMOVED'",
            Self::Keywords => " AND ad_group.status != 'REMOVED' AND ad_group_criterion.status != 'REMOVED'",
            Self::AssetGroups | Self::Products => " AND asset_group.status != 'REMOVED'",
            Self::AssetLinks => {
                " AND asset_group.status != 'REMOVED' AND asset_group_asset.status != 'REMOVED'"
            }
            Self::Brand => " AND campaign_asset.status != 'REMOVED'",
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
    campaign.advertising_channel_type, campaign.shopping_setting.merchant_id, \
    campaign.shopping_setting.feed_label, campaign.shopping_setting.campaign_priority, \
    campaign.shopping_setting.enable_local, campaign.brand_guidelines_enabled, campaign.asset_automation_settings, \
    campaign.target_cpa.target_cpa_micros, campaign.target_roas.target_roas, campaign.target_cpc.target_cpc_micros, \
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
const ADS: &str = "SELECT ad_group.resource_name, ad_group.campaign, ad_group.name, ad_group.status, ad_group.cpc_bid_micros, \
    ad_group.final_url_suffix, ad_group.tracking_url_template, ad_group.url_custom_parameters, \
    ad_group_ad.resource_name, ad_group_ad.status, ad_group_ad.ad.final_urls, ad_group_ad.ad.final_mobile_urls, \
    ad_group_ad.ad.final_url_suffix, ad_group_ad.ad.tracking_url_template, ad_group_ad.ad.url_custom_parameters, \
    ad_group_ad.ad.responsive_search_ad.headlines, ad_group_ad.ad.responsive_search_ad.descriptions, \
    ad_group_ad.ad.responsive_search_ad.path1, ad_group_ad.ad.responsive_search_ad.path2, ad_group_ad.ad.type, \
    ad_group_ad.ad.responsive_display_ad.headlines, ad_group_ad.ad.responsive_display_ad.long_headline, \
    ad_group_ad.ad.responsive_display_ad.descriptions, ad_group_ad.ad.responsive_display_ad.business_name, \
    ad_group_ad.ad.responsive_display_ad.call_to_action_text, \
    ad_group_ad.ad.responsive_display_ad.marketing_images, \
    ad_group_ad.ad.responsive_display_ad.square_marketing_images, \
    ad_group_ad.ad.responsive_display_ad.logo_images, ad_group_ad.ad.responsive_display_ad.square_logo_images, \
    ad_group_ad.ad.responsive_display_ad.youtube_videos, ad_group_ad.ad.demand_gen_multi_asset_ad.headlines, \
    ad_group_ad.ad.demand_gen_multi_asset_ad.descriptions, \
    ad_group_ad.ad.demand_gen_multi_asset_ad.business_name, \
    ad_group_ad.ad.demand_gen_multi_asset_ad.call_to_action_text, \
    ad_group_ad.ad.demand_gen_multi_asset_ad.marketing_images, \
    ad_group_ad.ad.demand_gen_multi_asset_ad.square_marketing_images, \
    ad_group_ad.ad.demand_gen_multi_asset_ad.portrait_marketing_images, \
    ad_group_ad.ad.demand_gen_multi_asset_ad.tall_portrait_marketing_images, \
    ad_group_ad.ad.demand_gen_multi_asset_ad.logo_images, \
    ad_group_ad.ad.demand_gen_video_responsive_ad.headlines, \
    ad_group_ad.ad.demand_gen_video_responsive_ad.long_headlines, \
    ad_group_ad.ad.demand_gen_video_responsive_ad.descriptions, \
    ad_group_ad.ad.demand_gen_video_responsive_ad.videos, \
    ad_group_ad.ad.demand_gen_video_responsive_ad.logo_images, \
    ad_group_ad.ad.demand_gen_video_responsive_ad.business_name, \
    ad_group_ad.policy_summary.approval_status, ad_group_ad.policy_summary.review_status, \
    ad_group_ad.policy_summary.policy_topic_entries FROM ad_group_ad";
const AD_GROUPS: &str = "SELECT ad_group.resource_name, ad_group.campaign, ad_group.name, ad_group.status, ad_group.cpc_bid_micros, \
    ad_group.final_url_suffix, ad_group.tracking_url_template, ad_group.url_custom_parameters FROM ad_group";
const KEYWORDS: &str = "SELECT ad_group.resource_name, ad_group.campaign, ad_group.name, ad_group_criterion.resource_name, \
    ad_group_criterion.status, ad_group_criterion.negative, ad_group_criterion.keyword.text, \
    ad_group_criterion.keyword.match_type, ad_group_criterion.listing_group.type, ad_group_criterion.final_urls, ad_group_criterion.final_mobile_urls, \
    ad_group_criterion.final_url_suffix, ad_group_criterion.tracking_url_template, \
    ad_group_criterion.url_custom_parameters FROM ad_group_criterion";

const ASSET_GROUPS: &str = "SELECT asset_group.resource_name, asset_group.campaign, asset_group.name, asset_group.status, \
    asset_group.final_urls, asset_group.final_mobile_urls, asset_group.path1, asset_group.path2, \
    asset_group.final_url_suffix, asset_group.tracking_url_template, asset_group.url_custom_parameters, \
    asset_group.primary_status, asset_group.primary_status_reasons FROM asset_group";
const ASSET_LINKS: &str = "SELECT asset_group.resource_name, asset_group.campaign, asset_group.name, asset_group_asset.resource_name, \
    asset_group_asset.field_type, asset_group_asset.status, asset_group_asset.policy_summary.approval_status, \
    asset_group_asset.policy_summary.review_status, asset_group_asset.policy_summary.policy_topic_entries, \
    asset.resource_name, asset.type, asset.text_asset.text FROM asset_group_asset";
const BRAND: &str = "SELECT campaign_asset.resource_name, campaign_asset.field_type, campaign_asset.status, \
    asset.resource_name, asset.type, asset.text_asset.text, asset.final_urls, asset.final_mobile_urls, \
    asset.final_url_suffix, asset.tracking_url_template, asset.url_custom_parameters FROM campaign_asset";
const PRODUCTS: &str = "SELECT asset_group.resource_name, asset_group.campaign, asset_group.name, \
    asset_group_listing_group_filter.resource_name, asset_group_listing_group_filter.type, \
    asset_group_listing_group_filter.listing_source, \
    asset_group_listing_group_filter.parent_listing_group_filter FROM asset_group_listing_group_filter";

/// The account, for the probe.
pub(super) const CUSTOMER: &str = "SELECT customer.status, customer.currency_code, customer.time_zone, \
    customer.auto_tagging_enabled, customer.test_account FROM customer";
/// Whether it can pay.
pub(super) const BILLING: &str = "SELECT billing_setup.status FROM billing_setup";
/// How much of an invoiced account's budget is left.
pub(super) const ACCOUNT_BUDGET: &str = "SELECT account_budget.status, \
    account_budget.adjusted_spending_limit_micros, account_budget.adjusted_spending_limit_type, \
    account_budget.amount_served_micros FROM account_budget";
/// Which Merchant Center accounts it may advertise from.
pub(super) const MERCHANTS: &str = "SELECT product_link.merchant_center.merchant_center_id FROM product_link \
    WHERE product_link.type = 'MERCHANT_CENTER'";
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

/// Texts among the account's assets: each is there once.
pub(super) fn texts(texts: &[&str]) -> String {
    let list: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
    format!(
        "SELECT asset.resource_name, asset.type, asset.text_asset.text FROM asset \
         WHERE asset.type = 'TEXT' AND asset.text_asset.text IN ({})",
        list.join(", ")
    )
}

/// An uploaded asset, by its name there or by our name for it.
pub(super) fn uploaded(resource_name: Option<&str>, name: &str) -> String {
    let which = match resource_name {
        Some(resource_name) => format!("asset.resource_name = {}", quoted(resource_name)),
        None => format!("asset.name = {}", quoted(name)),
    };
    format!("SELECT asset.resource_name, asset.name, asset.type FROM asset WHERE {which}")
}

/// A budget of this name: only an orphan keeps the name that it was created with.
pub(super) fn budget_named(name: &str) -> String {
    let name = quoted(name);
    format!(
        "SELECT campaign_budget.resource_name, campaign_budget.name FROM campaign_budget \
         WHERE campaign_budget.name = {name} AND campaign_budget.status != 'REMOVED'"
    )
}

/// The id of the campaign that a row is about. What hangs directly on a campaign begins with its id: `…/1~2`.
pub(super) fn campaign_of(row: &Row) -> Option<&str> {
    let named = [
        row.campaign.as_ref().and_then(|r| r.resource_name.as_deref()),
        row.ad_group.as_ref().and_then(|r| r.campaign.as_deref()),
        row.asset_group.as_ref().and_then(|r| r.campaign.as_deref()),
        row.campaign_criterion
            .as_ref()
            .and_then(|r| r.resource_name.as_deref()),
        row.campaign_label
            .as_ref()
            .and_then(|r| r.resource_name.as_deref()),
        row.campaign_asset
            .as_ref()
            .and_then(|r| r.resource_name.as_deref()),
    ];
    let id = id_of(named.into_iter().flatten().next()?)?;
    Some(id.split_once('~').map_or(id, |(campaign, _)| campaign))
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
                serving: serving(row, kind),
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
        && let Some(listing) = &criterion.listing_group
        && listing.parent_ad_group_criterion.is_none()
    {
        let unit = listing.kind.clone().unwrap_or_default();
        let status = criterion.status.clone().unwrap_or_default();
        let fields = json!({"listing_group": unit, "status": status});
        let mark = format!("{group}#products");
        push(
            Kind::AdGroupCriterion,
            criterion.resource_name.as_ref(),
            mark,
            fields,
        );
    }
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
        let seen = AnyAd::seen(ad);
        let mark = format!("{group}#{}", seen.fingerprint());
        push(Kind::AdGroupAd, ad.resource_name.as_ref(), mark, seen.form());
    }
    of_assets(row, &mut push);
    if let Some(campaign) = &row.campaign {
        let name = campaign.name.clone().unwrap_or_default();
        push(
            Kind::Campaign,
            campaign.resource_name.as_ref(),
            name,
            form(&CampaignForm::seen(campaign)),
        );
        if let Some(last) = all.last_mut().filter(|last| last.kind == Kind::Campaign) {
            last.spent = spent(row);
        }
    }
    all
}

/// How the row's object of this kind is switched.
fn serving(row: &Row, kind: Kind) -> Serving {
    let status = match kind {
        Kind::Campaign => row.campaign.as_ref().and_then(|c| c.status.as_deref()),
        Kind::AdGroup => row.ad_group.as_ref().and_then(|g| g.status.as_deref()),
        Kind::AdGroupAd => row.ad_group_ad.as_ref().and_then(|a| a.status.as_deref()),
        Kind::AssetGroup => row.asset_group.as_ref().and_then(|g| g.status.as_deref()),
        Kind::Budget
        | Kind::Label
        | Kind::Asset
        | Kind::CampaignCriterion
        | Kind::CampaignLabel
        | Kind::CampaignAsset
        | Kind::AdGroupCriterion
        | Kind::ListingGroupFilter
        | Kind::AssetGroupAsset => return Serving::None,
    };
    if status == Some("ENABLED") {
        Serving::Active
    } else {
        Serving::Paused
    }
}

/// Asset groups, links, texts.
fn of_assets(row: &Row, push: &mut impl FnMut(Kind, Option<&String>, String, Value)) {
    let group = row.asset_group.as_ref();
    let group_name = group.and_then(|group| group.name.clone()).unwrap_or_default();
    // Beside a link the group shows no more than its name.
    if let Some(group) = group.filter(|group| group.status.is_some()) {
        let fields = form(&AssetGroupForm::seen(group));
        push(
            Kind::AssetGroup,
            group.resource_name.as_ref(),
            group_name.clone(),
            fields,
        );
    }
    if let Some(filter) = &row.asset_group_listing_group_filter
        && filter.parent_listing_group_filter.is_none()
    {
        let all = filter.kind.as_deref() == Some("UNIT_INCLUDED");
        let fields = json!({"products": if all { "all" } else { "some" }});
        let mark = format!("{group_name}#products");
        push(
            Kind::ListingGroupFilter,
            filter.resource_name.as_ref(),
            mark,
            fields,
        );
    }
    let Some(asset) = &row.asset else { return };
    if let Some(text) = asset.text_asset.as_ref().and_then(|text| text.text.as_ref()) {
        let fields = json!({ "text": text });
        push(Kind::Asset, asset.resource_name.as_ref(), text.clone(), fields);
    }
    if let Some(link) = &row.asset_group_asset {
        let seen = LinkForm::seen(link.field_type.as_deref().unwrap_or_default(), asset);
        let mark = format!("{group_name}#{}", seen.key());
        push(
            Kind::AssetGroupAsset,
            link.resource_name.as_ref(),
            mark,
            form(&seen),
        );
    }
    if let Some(link) = &row.campaign_asset {
        let seen = LinkForm::seen(link.field_type.as_deref().unwrap_or_default(), asset);
        push(
            Kind::CampaignAsset,
            link.resource_name.as_ref(),
            seen.key(),
            form(&seen),
        );
    }
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
                    | Kind::AdGroupAd
                    | Kind::Asset
                    | Kind::CampaignAsset
                    | Kind::AssetGroup
                    | Kind::ListingGroupFilter
                    | Kind::AssetGroupAsset => None,
                }
            })?;
            // A row repeats what stands above it: each ad shows its ad group again. Of a text that an account holds twice
            // either will do, for neither can be removed.
            let again = if shown.kind == Kind::Asset {
                object.key.clone()
            } else {
                shown.id.clone()
            };
            once.insert((shown.kind, again)).then(|| Found {
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
        Kind::Budget | Kind::Label | Kind::Campaign | Kind::AdGroup | Kind::Asset | Kind::AssetGroup => {
            object.name.clone()
        }
        Kind::CampaignLabel => manifest.get("label")?.name.clone(),
        Kind::CampaignCriterion => match object.key.strip_prefix("language/") {
            Some(language) => geo::language_constant(language),
            None => Some(object.key.clone()),
        },
        Kind::AdGroupCriterion | Kind::ListingGroupFilter if object.key.starts_with("products/") => {
            let parent = manifest.get(object.parent.as_deref()?)?;
            Some(format!("{}#products", parent.name.as_deref()?))
        }
        Kind::ListingGroupFilter => None,
        // `brand/logo/3f2a…`, `show/<group>/headline/3f2a…`
        Kind::CampaignAsset => object.key.strip_prefix("brand/").map(str::to_owned),
        Kind::AssetGroupAsset => {
            let parent = manifest.get(object.parent.as_deref()?)?;
            let (_, link) = object.key.strip_prefix("show/")?.split_once('/')?;
            Some(format!("{}#{link}", parent.name.as_deref()?))
        }
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
