//! What we ask Google about campaigns and accounts, as GAQL.
//!
//! Must not say what the rows mean (`lookup`, `reading` and `account` do), nor call: the adapter sends the queries. Fields are named as
//! in developers.google.com/google-ads/api/fields/v26/overview.

use super::channel::Channel;

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
    campaign.shopping_setting.enable_local, campaign.brand_guidelines_enabled, campaign.asset_automation_settings, campaign.frequency_caps, \
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
    ad_group_criterion.keyword.match_type, ad_group_criterion.listing_group.type, \
    ad_group_criterion.age_range.type, ad_group_criterion.gender.type, ad_group_criterion.final_urls, ad_group_criterion.final_mobile_urls, \
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
