//! The normal form of budgets and campaigns: from Google's resources and to them.
//!
//! Must not compare or send anything. A normal form is a flat JSON object with always the same keys (a campaign's start
//! apart); what is not set is null; amounts are integers in micros; dates are days in the account's zone. Building it from
//! the plan (`mapping`) and from what Google answers (here) must give the same, or every replay would find a change.

use super::bidding::Bidding;
use super::channel::Channel;
use super::wire::{
    AssetAutomationSetting, Campaign, CampaignBudget, CustomParameter, DemandGenCampaignSettings,
    FrequencyCapEntry, FrequencyCapKey, GeoTargetTypeSetting, Int64, NetworkSettings, ShoppingSetting,
};
use crate::domain::plan::{FrequencyCap, Period};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Who counts as being in a targeted country. Google's own default is the wider one; ours is the narrower, since a plan
/// that addresses a country has budgeted for the people in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum GeoTarget {
    /// Who is or regularly is there.
    #[default]
    Presence,
    /// Who is there or shows interest.
    PresenceOrInterest,
}

impl GeoTarget {
    fn wire(self) -> &'static str {
        match self {
            Self::Presence => "PRESENCE",
            Self::PresenceOrInterest => "PRESENCE_OR_INTEREST",
        }
    }
}

/// The normal form of a budget.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct BudgetForm {
    pub period: Period,
    pub amount_micros: i64,
}

impl BudgetForm {
    pub fn wire(&self) -> CampaignBudget {
        let amount = Some(Int64(self.amount_micros));
        let (amount_micros, total_amount_micros, period) = match self.period {
            Period::Daily => (amount, None, "DAILY"),
            Period::Lifetime => (None, amount, "CUSTOM_PERIOD"),
        };
        CampaignBudget {
            amount_micros,
            total_amount_micros,
            period: Some(period.to_owned()),
            ..Default::default()
        }
    }

    pub fn seen(budget: &CampaignBudget) -> Self {
        let (period, amount) = match (budget.period.as_deref(), budget.total_amount_micros) {
            (Some("CUSTOM_PERIOD"), total) => (Period::Lifetime, total),
            (Some(_), _) | (None, None) => (Period::Daily, budget.amount_micros),
            (None, total @ Some(_)) => (Period::Lifetime, total),
        };
        Self {
            period,
            amount_micros: amount.map_or(0, |a| a.0),
        }
    }

    /// What `updateMask` must name for a field of this form to change. Google refuses a change of period, and says so.
    pub fn mask(&self, field: &str) -> Option<&'static str> {
        match (field, self.period) {
            ("amount_micros", Period::Daily) => Some("amountMicros"),
            ("amount_micros", Period::Lifetime) => Some("totalAmountMicros"),
            ("period", Period::Daily | Period::Lifetime) => Some("period"),
            (_, Period::Daily | Period::Lifetime) => None,
        }
    }
}

/// The normal form of a campaign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CampaignForm {
    /// For good: see [`IMMUTABLE`].
    #[serde(default)]
    pub channel: Channel,
    pub name: String,
    /// First day; left out: whatever day it is turned on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<NaiveDate>,
    /// Last day; null: until stopped.
    pub end: Option<NaiveDate>,
    pub bidding: Bidding,
    /// Search and shopping only.
    pub search_partners: Option<bool>,
    /// Search only.
    pub display_network: Option<bool>,
    pub geo_target: GeoTarget,
    pub eu_political_advertising: String,
    pub final_url_suffix: Option<String>,
    pub custom_parameters: BTreeMap<String, String>,
    /// Where its products come from: shopping, and performance max with products. For good.
    #[serde(default)]
    pub merchant_id: Option<String>,
    /// Which of the Merchant Center account's feeds.
    #[serde(default)]
    pub feed_label: Option<String>,
    /// Shopping only: 0 to 2.
    #[serde(default)]
    pub priority: Option<i32>,
    /// Shopping only: also what is sold in shops nearby.
    #[serde(default)]
    pub local_products: Option<bool>,
    /// Performance max only: name and logo belong to the campaign, not to each asset group. For good.
    #[serde(default)]
    pub brand_guidelines: Option<bool>,
    /// Performance max only: whether Google may write texts and choose landing pages that nobody approved.
    #[serde(default)]
    pub generated_content: Option<bool>,
    /// Display only: how often one person may see it.
    #[serde(default)]
    pub frequency_cap: Option<CapForm>,
}

/// The normal form of a frequency cap. Source: v26/common/frequency_cap.proto.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CapForm {
    pub impressions: i32,
    /// `day`, `week`, `month`; what else Google may hold, in its own words.
    pub per: String,
}

impl CapForm {
    pub fn of(cap: &FrequencyCap) -> Self {
        Self {
            impressions: i32::try_from(cap.impressions).unwrap_or(i32::MAX),
            per: cap.per.clone(),
        }
    }

    /// Of all impressions of the campaign, within one unit of time.
    fn wire(&self) -> FrequencyCapEntry {
        FrequencyCapEntry {
            key: Some(FrequencyCapKey {
                level: Some("CAMPAIGN".to_owned()),
                event_type: Some("IMPRESSION".to_owned()),
                time_unit: Some(self.per.to_ascii_uppercase()),
                time_length: Some(1),
            }),
            cap: Some(self.impressions),
        }
    }

    fn seen(caps: Option<&[FrequencyCapEntry]>) -> Option<Self> {
        let caps = caps.unwrap_or_default();
        let first = caps.first()?;
        let own = Self {
            impressions: first.cap.unwrap_or(0),
            per: first.key.as_ref()?.time_unit.as_deref()?.to_ascii_lowercase(),
        };
        if caps == [own.wire()] {
            return Some(own);
        }
        // Somebody's other caps: never what a plan says.
        let all: Vec<String> = caps.iter().map(|cap| format!("{cap:?}")).collect();
        Some(Self {
            per: all.join("; "),
            ..own
        })
    }
}

/// What nobody can change once the campaign exists. Sending it all the same gets Google's own refusal, which is what a plan that
/// wants it must come to: another channel or feed is another campaign.
pub(super) const IMMUTABLE: [&str; 3] = ["channel", "merchant_id", "brand_guidelines"];

/// On by default for performance max. Source: v26/enums/asset_automation_type.proto.
const AUTOMATIONS: [&str; 2] = [
    "TEXT_ASSET_AUTOMATION",
    "FINAL_URL_EXPANSION_TEXT_ASSET_AUTOMATION",
];

impl CampaignForm {
    /// Everything but names of other resources and the status.
    pub fn wire(&self) -> Campaign {
        let mut campaign = Campaign {
            name: Some(self.name.clone()),
            advertising_channel_type: Some(self.channel.wire().to_owned()),
            network_settings: self.networks(),
            geo_target_type_setting: Some(GeoTargetTypeSetting {
                positive_geo_target_type: Some(self.geo_target.wire().to_owned()),
                negative_geo_target_type: None,
            }),
            contains_eu_political_advertising: Some(eu_wire(&self.eu_political_advertising).to_owned()),
            start_date_time: self.start.map(|day| format!("{day} 00:00:00")),
            end_date_time: self.end.map(|day| format!("{day} 23:59:59")),
            final_url_suffix: self.final_url_suffix.clone(),
            url_custom_parameters: (!self.custom_parameters.is_empty())
                .then(|| parameters(&self.custom_parameters)),
            shopping_setting: self.merchant_id.as_ref().map(|id| ShoppingSetting {
                merchant_id: id.parse().ok().map(Int64),
                feed_label: self.feed_label.clone(),
                campaign_priority: self.priority,
                enable_local: self.local_products,
            }),
            brand_guidelines_enabled: self.brand_guidelines,
            asset_automation_settings: self.generated_content.map(automations),
            frequency_caps: self.frequency_cap.as_ref().map(|cap| vec![cap.wire()]),
            // Else countries and languages would be each ad group's. Only at creation; true by default.
            // Source: v26/resources/campaign.proto, DemandGenCampaignSettings.
            demand_gen_campaign_settings: (self.channel == Channel::DemandGen).then_some(
                DemandGenCampaignSettings {
                    upgraded_targeting: Some(false),
                },
            ),
            ..Default::default()
        };
        self.bidding.put(self.channel, &mut campaign);
        campaign
    }

    /// Performance max and demand gen choose their networks themselves.
    fn networks(&self) -> Option<NetworkSettings> {
        let (google, partners, content) = match self.channel {
            Channel::Search => (true, self.search_partners, self.display_network),
            Channel::Shopping => (true, self.search_partners, Some(false)),
            Channel::Display => (false, Some(false), Some(true)),
            Channel::PerformanceMax | Channel::DemandGen => return None,
        };
        Some(NetworkSettings {
            target_google_search: Some(google),
            target_search_network: partners,
            target_content_network: content,
            // "Only available to select advertisers" (v26/resources/campaign.proto).
            target_partner_search_network: Some(false),
        })
    }

    pub fn seen(campaign: &Campaign) -> Self {
        let network = campaign.network_settings.clone().unwrap_or_default();
        let geo = campaign.geo_target_type_setting.clone().unwrap_or_default();
        let eu = match campaign.contains_eu_political_advertising.as_deref() {
            Some("CONTAINS_EU_POLITICAL_ADVERTISING") => "contains",
            Some("DOES_NOT_CONTAIN_EU_POLITICAL_ADVERTISING") => "does_not_contain",
            Some(_) | None => "undeclared",
        };
        let channel = Channel::seen(campaign.advertising_channel_type.as_deref());
        let shopping = campaign.shopping_setting.clone().unwrap_or_default();
        let only = |channels: &[Channel], value: bool| channels.contains(&channel).then_some(value);
        let (search, sold) = (&[Channel::Search][..], &[Channel::Shopping][..]);
        Self {
            channel,
            name: campaign.name.clone().unwrap_or_default(),
            start: campaign.start_date_time.as_deref().and_then(date),
            // "Until stopped" is read back as a day far away.
            end: campaign
                .end_date_time
                .as_deref()
                .and_then(date)
                .filter(|day| Some(*day) < NaiveDate::from_ymd_opt(2037, 12, 30)),
            bidding: Bidding::seen(campaign),
            search_partners: only(
                &[Channel::Search, Channel::Shopping],
                network.target_search_network.unwrap_or(false),
            ),
            display_network: only(search, network.target_content_network.unwrap_or(false)),
            geo_target: match geo.positive_geo_target_type.as_deref() {
                Some("PRESENCE") => GeoTarget::Presence,
                Some(_) | None => GeoTarget::PresenceOrInterest,
            },
            eu_political_advertising: eu.to_owned(),
            final_url_suffix: filled(campaign.final_url_suffix.as_ref()),
            custom_parameters: parameter_map(campaign.url_custom_parameters.as_deref()),
            merchant_id: shopping
                .merchant_id
                .map(|id| id.0.to_string())
                .filter(|id| id != "0"),
            feed_label: filled(shopping.feed_label.as_ref()),
            priority: shopping
                .campaign_priority
                .or(Some(0))
                .filter(|_| channel == Channel::Shopping),
            local_products: only(sold, shopping.enable_local.unwrap_or(false)),
            brand_guidelines: only(
                &[Channel::PerformanceMax],
                campaign.brand_guidelines_enabled.unwrap_or(false),
            ),
            generated_content: only(
                &[Channel::PerformanceMax],
                generates(campaign.asset_automation_settings.as_deref()),
            ),
            frequency_cap: CapForm::seen(campaign.frequency_caps.as_deref()),
        }
    }

    /// What `updateMask` must name for a field of this form to change.
    pub fn mask(&self, field: &str) -> Option<&'static str> {
        match field {
            "name" => Some("name"),
            "start" => Some("startDateTime"),
            "end" => Some("endDateTime"),
            "bidding" => self.bidding.mask(self.channel),
            "search_partners" => Some("networkSettings.targetSearchNetwork"),
            "display_network" => Some("networkSettings.targetContentNetwork"),
            "geo_target" => Some("geoTargetTypeSetting.positiveGeoTargetType"),
            "eu_political_advertising" => Some("containsEuPoliticalAdvertising"),
            "final_url_suffix" => Some("finalUrlSuffix"),
            "custom_parameters" => Some("urlCustomParameters"),
            "channel" => Some("advertisingChannelType"),
            "merchant_id" => Some("shoppingSetting.merchantId"),
            "feed_label" => Some("shoppingSetting.feedLabel"),
            "priority" => Some("shoppingSetting.campaignPriority"),
            "local_products" => Some("shoppingSetting.enableLocal"),
            "brand_guidelines" => Some("brandGuidelinesEnabled"),
            "generated_content" => Some("assetAutomationSettings"),
            "frequency_cap" => Some("frequencyCaps"),
            _ => None,
        }
    }
}

fn automations(on: bool) -> Vec<AssetAutomationSetting> {
    let status = if on { "OPTED_IN" } else { "OPTED_OUT" };
    let setting = |kind: &str| AssetAutomationSetting {
        asset_automation_type: Some(kind.to_owned()),
        asset_automation_status: Some(status.to_owned()),
    };
    AUTOMATIONS.into_iter().map(setting).collect()
}

/// Unless each of them is off: what isn't said is on.
fn generates(settings: Option<&[AssetAutomationSetting]>) -> bool {
    let off = |kind: &str| {
        settings.unwrap_or_default().iter().any(|setting| {
            setting.asset_automation_type.as_deref() == Some(kind)
                && setting.asset_automation_status.as_deref() == Some("OPTED_OUT")
        })
    };
    !AUTOMATIONS.into_iter().all(off)
}

fn eu_wire(declaration: &str) -> &'static str {
    match declaration {
        "contains" => "CONTAINS_EU_POLITICAL_ADVERTISING",
        _ => "DOES_NOT_CONTAIN_EU_POLITICAL_ADVERTISING",
    }
}

/// The day of `yyyy-MM-dd HH:mm:ss`; Google's examples also write `yyyyMMdd HH:mm:ss`.
fn date(text: &str) -> Option<NaiveDate> {
    let day = text.split(' ').next().unwrap_or(text);
    NaiveDate::parse_from_str(day, "%Y-%m-%d")
        .or_else(|_| NaiveDate::parse_from_str(day, "%Y%m%d"))
        .ok()
}

fn parameters(map: &BTreeMap<String, String>) -> Vec<CustomParameter> {
    map.iter()
        .map(|(key, value)| CustomParameter {
            key: Some(key.clone()),
            value: Some(value.clone()),
        })
        .collect()
}

/// Custom parameters by their keys, whatever order Google gives them in.
pub(super) fn parameter_map(list: Option<&[CustomParameter]>) -> BTreeMap<String, String> {
    list.unwrap_or_default()
        .iter()
        .filter_map(|p| Some((p.key.clone()?, p.value.clone().unwrap_or_default())))
        .collect()
}

/// A text that is there: Google gives an unset one as nothing or as "".
pub(super) fn filled(text: Option<&String>) -> Option<String> {
    text.filter(|text| !text.is_empty()).cloned()
}
