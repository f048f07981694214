//! The normal form of budgets and campaigns: from Google's resources and to them.
//!
//! Must not compare or send anything. A normal form is a flat JSON object with always the same keys (a campaign's start
//! apart); what is not set is null; amounts are integers in micros; dates are days in the account's zone. Building it from
//! the plan (`mapping`) and from what Google answers (here) must give the same, or every replay would find a change.

use super::wire::{
    Campaign, CampaignBudget, CustomParameter, GeoTargetTypeSetting, Int64, ManualCpc,
    MaximizeConversionValue, MaximizeConversions, NetworkSettings, TargetSpend,
};
use crate::domain::money::parse_micros;
use crate::domain::plan::Period;
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

/// How a search campaign bids, as the plan spells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "strategy")]
pub(super) enum Bidding {
    /// `maximizeConversions`.
    MaximizeConversions { target_cpa_micros: Option<i64> },
    /// `maximizeConversionValue`; the target in millionths.
    MaximizeConversionValue { target_roas_micros: Option<i64> },
    /// `targetSpend`.
    MaximizeClicks { ceiling_micros: Option<i64> },
    /// `manualCpc`; the bid itself is the ad group's.
    ManualCpc,
    /// A strategy that we never set: what somebody else chose.
    Other { name: String },
}

impl Bidding {
    /// Sets Google's field for it.
    fn put(&self, campaign: &mut Campaign) {
        match self {
            Self::MaximizeConversions { target_cpa_micros } => {
                let target_cpa_micros = target_cpa_micros.map(Int64);
                campaign.maximize_conversions = Some(MaximizeConversions { target_cpa_micros });
            }
            Self::MaximizeConversionValue { target_roas_micros } => {
                let target_roas = target_roas_micros.and_then(ratio);
                campaign.maximize_conversion_value = Some(MaximizeConversionValue { target_roas });
            }
            Self::MaximizeClicks { ceiling_micros } => {
                let cpc_bid_ceiling_micros = ceiling_micros.map(Int64);
                campaign.target_spend = Some(TargetSpend {
                    cpc_bid_ceiling_micros,
                });
            }
            Self::ManualCpc => {
                let enhanced_cpc_enabled = Some(false);
                campaign.manual_cpc = Some(ManualCpc { enhanced_cpc_enabled });
            }
            Self::Other { .. } => {}
        }
    }

    /// A message is masked by its sub-field (`fieldMaskError: FIELD_HAS_SUBFIELDS`), also where that is to be cleared.
    fn mask(&self) -> Option<&'static str> {
        match self {
            Self::MaximizeConversions { .. } => Some("maximizeConversions.targetCpaMicros"),
            Self::MaximizeConversionValue { .. } => Some("maximizeConversionValue.targetRoas"),
            Self::MaximizeClicks { .. } => Some("targetSpend.cpcBidCeilingMicros"),
            Self::ManualCpc => Some("manualCpc.enhancedCpcEnabled"),
            Self::Other { .. } => None,
        }
    }

    /// From the type that Google names, or else from the field that is set.
    fn seen(campaign: &Campaign) -> Self {
        let set = |value: Option<Int64>| value.map(|v| v.0).filter(|v| *v != 0);
        let named = campaign.bidding_strategy_type.as_deref();
        let is = |name: &str, there: bool| named == Some(name) || named.is_none() && there;
        if is("MAXIMIZE_CONVERSIONS", campaign.maximize_conversions.is_some()) {
            let inner = campaign.maximize_conversions.clone().unwrap_or_default();
            return Self::MaximizeConversions {
                target_cpa_micros: set(inner.target_cpa_micros),
            };
        }
        if is(
            "MAXIMIZE_CONVERSION_VALUE",
            campaign.maximize_conversion_value.is_some(),
        ) {
            let inner = campaign.maximize_conversion_value.clone().unwrap_or_default();
            let target_roas_micros = inner.target_roas.and_then(|n| millionths(&n)).filter(|m| *m != 0);
            return Self::MaximizeConversionValue { target_roas_micros };
        }
        if is("TARGET_SPEND", campaign.target_spend.is_some()) {
            let inner = campaign.target_spend.clone().unwrap_or_default();
            return Self::MaximizeClicks {
                ceiling_micros: set(inner.cpc_bid_ceiling_micros),
            };
        }
        if is("MANUAL_CPC", campaign.manual_cpc.is_some()) {
            return Self::ManualCpc;
        }
        Self::Other {
            name: named.unwrap_or("UNKNOWN").to_owned(),
        }
    }
}

/// Millionths as the JSON number that says exactly that: 3500000 → 3.5.
fn ratio(millionths: i64) -> Option<serde_json::Number> {
    let text = format!("{}.{:06}", millionths / 1_000_000, millionths % 1_000_000);
    serde_json::from_str(text.trim_end_matches('0').trim_end_matches('.')).ok()
}

/// The way back; none for what has no exact form in millionths.
fn millionths(number: &serde_json::Number) -> Option<i64> {
    parse_micros(&number.to_string())?.ok()
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
    pub name: String,
    /// First day; left out: whatever day it is turned on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<NaiveDate>,
    /// Last day; null: until stopped.
    pub end: Option<NaiveDate>,
    pub bidding: Bidding,
    pub search_partners: bool,
    pub display_network: bool,
    pub geo_target: GeoTarget,
    pub eu_political_advertising: String,
    pub final_url_suffix: Option<String>,
    pub custom_parameters: BTreeMap<String, String>,
}

impl CampaignForm {
    /// Everything but names of other resources and the status.
    pub fn wire(&self) -> Campaign {
        let mut campaign = Campaign {
            name: Some(self.name.clone()),
            network_settings: Some(NetworkSettings {
                target_google_search: Some(true),
                target_search_network: Some(self.search_partners),
                target_content_network: Some(self.display_network),
                // "Only available to select advertisers" (v26/resources/campaign.proto).
                target_partner_search_network: Some(false),
            }),
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
            ..Default::default()
        };
        self.bidding.put(&mut campaign);
        campaign
    }

    pub fn seen(campaign: &Campaign) -> Self {
        let network = campaign.network_settings.clone().unwrap_or_default();
        let geo = campaign.geo_target_type_setting.clone().unwrap_or_default();
        let eu = match campaign.contains_eu_political_advertising.as_deref() {
            Some("CONTAINS_EU_POLITICAL_ADVERTISING") => "contains",
            Some("DOES_NOT_CONTAIN_EU_POLITICAL_ADVERTISING") => "does_not_contain",
            Some(_) | None => "undeclared",
        };
        Self {
            name: campaign.name.clone().unwrap_or_default(),
            start: campaign.start_date_time.as_deref().and_then(date),
            // "Until stopped" is read back as a day far away.
            end: campaign
                .end_date_time
                .as_deref()
                .and_then(date)
                .filter(|day| Some(*day) < NaiveDate::from_ymd_opt(2037, 12, 30)),
            bidding: Bidding::seen(campaign),
            search_partners: network.target_search_network.unwrap_or(false),
            display_network: network.target_content_network.unwrap_or(false),
            geo_target: match geo.positive_geo_target_type.as_deref() {
                Some("PRESENCE") => GeoTarget::Presence,
                Some(_) | None => GeoTarget::PresenceOrInterest,
            },
            eu_political_advertising: eu.to_owned(),
            final_url_suffix: filled(campaign.final_url_suffix.as_ref()),
            custom_parameters: parameter_map(campaign.url_custom_parameters.as_deref()),
        }
    }

    /// What `updateMask` must name for a field of this form to change.
    pub fn mask(&self, field: &str) -> Option<&'static str> {
        match field {
            "name" => Some("name"),
            "start" => Some("startDateTime"),
            "end" => Some("endDateTime"),
            "bidding" => self.bidding.mask(),
            "search_partners" => Some("networkSettings.targetSearchNetwork"),
            "display_network" => Some("networkSettings.targetContentNetwork"),
            "geo_target" => Some("geoTargetTypeSetting.positiveGeoTargetType"),
            "eu_political_advertising" => Some("containsEuPoliticalAdvertising"),
            "final_url_suffix" => Some("finalUrlSuffix"),
            "custom_parameters" => Some("urlCustomParameters"),
            _ => None,
        }
    }
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
