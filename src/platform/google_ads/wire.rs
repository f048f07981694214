//! Google Ads REST v26 as Google spells it: resources, rows, answers, failures.
//!
//! Must not interpret: `mapping` and `lookup` do. One struct per resource serves both ways, so every field is optional;
//! what is not set is not sent. Source: google/ads/googleads/v26/{resources,services,errors}, canonical proto3 JSON
//! (developers.google.com/google-ads/api/rest/design/json-mappings).

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

/// An int64: sent as a string, accepted as a string or a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Int64(pub i64);

impl Serialize for Int64 {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Int64 {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Text(String),
            Number(i64),
        }
        match Either::deserialize(from)? {
            Either::Number(number) => Ok(Self(number)),
            Either::Text(text) => text.parse().map(Self).map_err(serde::de::Error::custom),
        }
    }
}

macro_rules! resource {
    ($(#[$doc:meta])* $name:ident { $($(#[$attr:meta])* $field:ident : $t:ty),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase", default)]
        pub(super) struct $name {
            $($(#[$attr])* #[serde(skip_serializing_if = "Option::is_none")] pub $field: Option<$t>),*
        }
    };
}

resource! {
    /// `resources/campaign_budget.proto`.
    CampaignBudget {
        resource_name: String, name: String, status: String, amount_micros: Int64, total_amount_micros: Int64,
        period: String, delivery_method: String, explicitly_shared: bool,
    }
}
resource! {
    /// `resources/campaign.proto`.
    Campaign {
        resource_name: String, name: String, status: String, advertising_channel_type: String,
        campaign_budget: String, network_settings: NetworkSettings, geo_target_type_setting: GeoTargetTypeSetting,
        contains_eu_political_advertising: String, start_date_time: String, end_date_time: String,
        bidding_strategy_type: String, maximize_conversions: MaximizeConversions,
        maximize_conversion_value: MaximizeConversionValue, target_spend: TargetSpend, manual_cpc: ManualCpc,
        final_url_suffix: String, tracking_url_template: String, url_custom_parameters: Vec<CustomParameter>,
        primary_status: String, primary_status_reasons: Vec<String>, target_cpa: TargetCpa, target_roas: TargetRoas,
        target_cpc: TargetCpc, shopping_setting: ShoppingSetting, brand_guidelines_enabled: bool,
        asset_automation_settings: Vec<AssetAutomationSetting>, frequency_caps: Vec<FrequencyCapEntry>,
        demand_gen_campaign_settings: DemandGenCampaignSettings,
    }
}
resource! {
    /// `Campaign.ShoppingSetting`.
    ShoppingSetting { merchant_id: Int64, feed_label: String, campaign_priority: i32, enable_local: bool }
}
resource! {
    /// `Campaign.AssetAutomationSetting`.
    AssetAutomationSetting { asset_automation_type: String, asset_automation_status: String }
}
resource! {
    /// `common/frequency_cap.proto`.
    FrequencyCapEntry { key: FrequencyCapKey, cap: i32 }
}
resource! {
    /// `common/frequency_cap.proto`.
    FrequencyCapKey { level: String, event_type: String, time_unit: String, time_length: i32 }
}
resource! {
    /// `Campaign.DemandGenCampaignSettings`.
    DemandGenCampaignSettings { upgraded_targeting: bool }
}
resource! {
    /// `Campaign.NetworkSettings`.
    NetworkSettings {
        target_google_search: bool, target_search_network: bool, target_content_network: bool,
        target_partner_search_network: bool,
    }
}
resource! {
    /// `Campaign.GeoTargetTypeSetting`.
    GeoTargetTypeSetting { positive_geo_target_type: String, negative_geo_target_type: String }
}
resource! {
    /// `common/bidding.proto`.
    MaximizeConversions { target_cpa_micros: Int64 }
}
resource! {
    /// `common/bidding.proto`. The target is a ratio, 3.5 for 350 %: a number, and no money.
    MaximizeConversionValue { target_roas: serde_json::Number }
}
resource! {
    /// `common/bidding.proto`: as many clicks as the budget buys.
    TargetSpend { cpc_bid_ceiling_micros: Int64 }
}
resource! {
    /// `common/bidding.proto`.
    ManualCpc { enhanced_cpc_enabled: bool }
}
resource! {
    /// `common/bidding.proto`.
    TargetCpa { target_cpa_micros: Int64 }
}
resource! {
    /// `common/bidding.proto`. A ratio.
    TargetRoas { target_roas: serde_json::Number }
}
resource! {
    /// `common/bidding.proto`: as many clicks as possible at this price.
    TargetCpc { target_cpc_micros: Int64 }
}
resource! {
    /// `common/custom_parameter.proto`.
    CustomParameter { key: String, value: String }
}
resource! {
    /// `resources/label.proto`.
    Label { resource_name: String, name: String, status: String }
}
resource! {
    /// `resources/campaign_label.proto`.
    CampaignLabel { resource_name: String, campaign: String, label: String }
}
resource! {
    /// `resources/campaign_criterion.proto`.
    CampaignCriterion {
        resource_name: String, campaign: String, negative: bool, location: LocationInfo, language: LanguageInfo,
    }
}
resource! {
    /// `common/criteria.proto`.
    LocationInfo { geo_target_constant: String }
}
resource! {
    /// `common/criteria.proto`.
    LanguageInfo { language_constant: String }
}
resource! {
    /// `resources/ad_group.proto`.
    AdGroup {
        resource_name: String, name: String, status: String, campaign: String,
        #[serde(rename = "type")] kind: String, cpc_bid_micros: Int64, final_url_suffix: String,
        tracking_url_template: String, url_custom_parameters: Vec<CustomParameter>,
    }
}
resource! {
    /// `resources/ad_group_criterion.proto`.
    AdGroupCriterion {
        resource_name: String, ad_group: String, status: String, negative: bool, keyword: KeywordInfo,
        listing_group: ListingGroupInfo, age_range: AgeRangeInfo, gender: GenderInfo, final_urls: Vec<String>, final_mobile_urls: Vec<String>, final_url_suffix: String,
        tracking_url_template: String, url_custom_parameters: Vec<CustomParameter>,
    }
}
resource! {
    /// `common/criteria.proto`.
    KeywordInfo { text: String, match_type: String }
}
resource! {
    /// `common/criteria.proto`.
    AgeRangeInfo { #[serde(rename = "type")] kind: String }
}
resource! {
    /// `common/criteria.proto`.
    GenderInfo { #[serde(rename = "type")] kind: String }
}
resource! {
    /// `common/criteria.proto`.
    ListingGroupInfo { #[serde(rename = "type")] kind: String, parent_ad_group_criterion: String }
}
resource! {
    /// `resources/asset.proto`.
    Asset {
        resource_name: String, name: String, #[serde(rename = "type")] kind: String, text_asset: TextAsset,
        image_asset: ImageAsset, youtube_video_asset: YoutubeVideoAsset, final_urls: Vec<String>,
        final_mobile_urls: Vec<String>, final_url_suffix: String, tracking_url_template: String,
        url_custom_parameters: Vec<CustomParameter>,
    }
}
resource! {
    /// `common/asset_types.proto`.
    TextAsset { text: String }
}
resource! {
    /// `common/asset_types.proto`. `data` is base64, and never read back.
    ImageAsset { data: String }
}
resource! {
    /// `common/asset_types.proto`.
    YoutubeVideoAsset { youtube_video_id: String }
}
resource! {
    /// `resources/asset_group.proto`.
    AssetGroup {
        resource_name: String, name: String, status: String, campaign: String, final_urls: Vec<String>,
        final_mobile_urls: Vec<String>, path1: String, path2: String, final_url_suffix: String,
        tracking_url_template: String, url_custom_parameters: Vec<CustomParameter>, primary_status: String,
        primary_status_reasons: Vec<String>,
    }
}
resource! {
    /// `resources/asset_group_asset.proto`.
    AssetGroupAsset {
        resource_name: String, asset_group: String, asset: String, field_type: String, status: String,
        policy_summary: PolicySummary,
    }
}
resource! {
    /// `resources/campaign_asset.proto`.
    CampaignAsset { resource_name: String, campaign: String, asset: String, field_type: String, status: String }
}
resource! {
    /// `resources/asset_group_listing_group_filter.proto`.
    AssetGroupListingGroupFilter {
        resource_name: String, asset_group: String, #[serde(rename = "type")] kind: String, listing_source: String,
        parent_listing_group_filter: String,
    }
}
resource! {
    /// `resources/product_link.proto`.
    ProductLink { merchant_center: MerchantCenterIdentifier }
}
resource! {
    /// `resources/product_link.proto`.
    MerchantCenterIdentifier { merchant_center_id: Int64 }
}
resource! {
    /// `resources/ad_group_ad.proto`.
    AdGroupAd { resource_name: String, ad_group: String, status: String, ad: Ad, policy_summary: PolicySummary }
}
resource! {
    /// `resources/ad.proto`.
    Ad {
        resource_name: String, final_urls: Vec<String>, final_mobile_urls: Vec<String>, final_url_suffix: String,
        tracking_url_template: String, url_custom_parameters: Vec<CustomParameter>, #[serde(rename = "type")] kind: String,
        responsive_search_ad: ResponsiveSearchAd, responsive_display_ad: ResponsiveDisplayAd,
        demand_gen_multi_asset_ad: DemandGenMultiAssetAd,
        demand_gen_video_responsive_ad: DemandGenVideoResponsiveAd, shopping_product_ad: Empty,
    }
}
resource! {
    /// `common/ad_type_infos.proto`.
    ResponsiveSearchAd {
        headlines: Vec<AdTextAsset>, descriptions: Vec<AdTextAsset>, path1: String, path2: String,
    }
}
resource! {
    /// `common/ad_asset.proto`.
    AdTextAsset { text: String }
}
resource! {
    /// `common/ad_asset.proto`: `AdImageAsset`, `AdVideoAsset`.
    AdAsset { asset: String }
}
resource! {
    /// A message without fields.
    Empty {}
}
resource! {
    /// `common/ad_type_infos.proto`.
    ResponsiveDisplayAd {
        marketing_images: Vec<AdAsset>, square_marketing_images: Vec<AdAsset>, logo_images: Vec<AdAsset>,
        square_logo_images: Vec<AdAsset>, headlines: Vec<AdTextAsset>, long_headline: AdTextAsset,
        descriptions: Vec<AdTextAsset>, youtube_videos: Vec<AdAsset>, business_name: String,
        call_to_action_text: String,
    }
}
resource! {
    /// `common/ad_type_infos.proto`.
    DemandGenMultiAssetAd {
        marketing_images: Vec<AdAsset>, square_marketing_images: Vec<AdAsset>,
        portrait_marketing_images: Vec<AdAsset>, tall_portrait_marketing_images: Vec<AdAsset>,
        logo_images: Vec<AdAsset>, headlines: Vec<AdTextAsset>, descriptions: Vec<AdTextAsset>,
        business_name: String, call_to_action_text: String,
    }
}
resource! {
    /// `common/ad_type_infos.proto`.
    DemandGenVideoResponsiveAd {
        headlines: Vec<AdTextAsset>, long_headlines: Vec<AdTextAsset>, descriptions: Vec<AdTextAsset>,
        videos: Vec<AdAsset>, logo_images: Vec<AdAsset>, business_name: AdTextAsset,
    }
}
resource! {
    /// `AdGroupAdPolicySummary`.
    PolicySummary { approval_status: String, review_status: String, policy_topic_entries: Vec<PolicyTopicEntry> }
}
resource! {
    /// `common/policy.proto`.
    PolicyTopicEntry { topic: String, #[serde(rename = "type")] kind: String }
}
resource! {
    /// `resources/customer.proto`.
    Customer {
        resource_name: String, status: String, currency_code: String, time_zone: String,
        auto_tagging_enabled: bool, test_account: bool, final_url_suffix: String, tracking_url_template: String,
    }
}
resource! {
    /// `resources/billing_setup.proto`.
    BillingSetup { status: String }
}
resource! {
    /// `resources/account_budget.proto`.
    AccountBudget {
        status: String, adjusted_spending_limit_micros: Int64, adjusted_spending_limit_type: String,
        amount_served_micros: Int64,
    }
}
resource! {
    /// `resources/change_event.proto`; the mask of changed fields is text, joined by commas.
    ChangeEvent {
        change_date_time: String, change_resource_type: String, change_resource_name: String, client_type: String,
        user_email: String, resource_change_operation: String, changed_fields: String, campaign: String,
    }
}
resource! {
    /// `common/metrics.proto`.
    Metrics { cost_micros: Int64 }
}
resource! {
    /// `services/google_ads_service.proto`: one row of an answer to a query.
    Row {
        customer: Customer, billing_setup: BillingSetup, account_budget: AccountBudget, campaign: Campaign,
        campaign_budget: CampaignBudget, label: Label, campaign_label: CampaignLabel,
        campaign_criterion: CampaignCriterion, ad_group: AdGroup, ad_group_criterion: AdGroupCriterion,
        ad_group_ad: AdGroupAd, asset: Asset, asset_group: AssetGroup, asset_group_asset: AssetGroupAsset,
        campaign_asset: CampaignAsset, asset_group_listing_group_filter: AssetGroupListingGroupFilter,
        product_link: ProductLink, metrics: Metrics, change_event: ChangeEvent,
    }
}

/// `SearchGoogleAdsResponse`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct SearchResponse {
    pub results: Vec<Row>,
    pub next_page_token: Option<String>,
}

/// `MutateGoogleAdsResponse`. Each result is an object with one key, `campaignResult` …; empty where its operation failed
/// under `partialFailure`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct MutateResponse {
    pub mutate_operation_responses: Vec<std::collections::HashMap<String, OperationResult>>,
    pub partial_failure_error: Option<Status>,
}

/// `MutateAssetsResponse` and its likes: one service's own mutate.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ServiceResponse {
    pub results: Vec<OperationResult>,
}

/// `MutateCampaignResult` and its likes.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct OperationResult {
    pub resource_name: String,
}

/// `google.rpc.Status`, as the body of every error and as `partialFailureError`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Status {
    pub message: String,
    pub status: String,
    pub details: Vec<Failure>,
}

/// The body of an error.
#[derive(Debug, Deserialize)]
pub(super) struct ErrorBody {
    pub error: Status,
}

/// `errors/errors.proto`: `GoogleAdsFailure`; other details parse to one without errors.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Failure {
    pub errors: Vec<GoogleAdsError>,
    pub request_id: Option<String>,
}

/// `GoogleAdsError`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct GoogleAdsError {
    /// One key: the family, `campaignError`; its value the name, `DUPLICATE_CAMPAIGN_NAME`.
    pub error_code: std::collections::HashMap<String, Value>,
    pub message: String,
    pub location: Location,
    pub details: ErrorDetails,
}

impl GoogleAdsError {
    /// Family and name; empty where there is none.
    pub fn code(&self) -> (&str, &str) {
        self.error_code.iter().next().map_or(("", ""), |(family, name)| {
            (family.as_str(), name.as_str().unwrap_or_default())
        })
    }
}

/// `ErrorLocation`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Location {
    pub field_path_elements: Vec<PathElement>,
}

/// `ErrorLocation.FieldPathElement`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PathElement {
    pub field_name: String,
    pub index: Option<usize>,
}

/// `ErrorDetails`: what we make use of.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ErrorDetails {
    pub quota_error_details: Option<QuotaDetails>,
    pub policy_finding_details: Option<PolicyFindingDetails>,
    pub policy_violation_details: Option<PolicyViolationDetails>,
    pub budget_per_day_minimum_error_details: Option<BudgetMinimumDetails>,
    pub resource_count_details: Option<ResourceCountDetails>,
    pub unpublished_error_code: Option<String>,
}

/// `QuotaErrorDetails`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct QuotaDetails {
    /// `30s`.
    pub retry_delay: Option<String>,
}

/// `PolicyFindingDetails`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PolicyFindingDetails {
    pub policy_topic_entries: Vec<PolicyTopicEntry>,
}

/// `PolicyViolationDetails`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PolicyViolationDetails {
    pub external_policy_name: String,
    pub is_exemptible: bool,
}

/// `BudgetPerDayMinimumErrorDetails`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct BudgetMinimumDetails {
    pub currency_code: String,
    pub minimum_budget_amount_micros: Option<Int64>,
    pub minimum_budget_total_amount_micros: Option<Int64>,
    pub failed_budget_amount_micros: Option<Int64>,
    pub failed_budget_total_amount_micros: Option<Int64>,
}

/// `ResourceCountDetails`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ResourceCountDetails {
    pub limit: Option<i64>,
    pub existing_count: Option<i64>,
}
