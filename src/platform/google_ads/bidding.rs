//! How a campaign bids: from the plan, to Google's field for it, and back.
//!
//! Must not know the rest of a campaign. The same strategy has other fields on other channels: a target that is a sub-field of
//! "maximise" on search is a strategy of its own on shopping and demand gen.
//! Sources: v26/common/bidding.proto; developers.google.com/google-ads/api/docs/campaigns/bidding/strategy-types; the examples
//! `add_demand_gen_campaign` and `add_performance_max_campaign` of googleads/google-ads-python.

use super::channel::Channel;
use super::wire::{
    Campaign, Int64, ManualCpc, MaximizeConversionValue, MaximizeConversions, TargetCpa, TargetCpc,
    TargetRoas, TargetSpend,
};
use crate::domain::money::parse_micros;
use crate::domain::plan;
use serde::{Deserialize, Serialize};

/// How a campaign bids, as the plan spells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "strategy")]
pub(super) enum Bidding {
    /// `maximizeConversions` or `targetCpa`.
    MaximizeConversions { target_cpa_micros: Option<i64> },
    /// `maximizeConversionValue` or `targetRoas`; the target in millionths.
    MaximizeConversionValue { target_roas_micros: Option<i64> },
    /// `targetSpend` or `targetCpc`.
    MaximizeClicks { ceiling_micros: Option<i64> },
    /// `manualCpc`; the bid itself is the ad group's.
    ManualCpc,
    /// A strategy that we never set: what somebody else chose.
    Other { name: String },
}

impl Bidding {
    /// None for a strategy that a plan cannot name on this channel.
    pub fn of(bidding: &plan::Bidding, channel: Channel) -> Option<Self> {
        let strategy = bidding.strategy.as_str();
        if !channel.strategies().contains(&strategy) {
            return None;
        }
        match strategy {
            "maximize_conversions" => Some(Self::MaximizeConversions {
                target_cpa_micros: bidding.target_cpa.map(|target| target.micros),
            }),
            "maximize_conversion_value" => Some(Self::MaximizeConversionValue {
                target_roas_micros: bidding.target_roas_micros,
            }),
            "maximize_clicks" => Some(Self::MaximizeClicks {
                ceiling_micros: bidding.bid.map(|bid| bid.micros),
            }),
            "manual_cpc" => Some(Self::ManualCpc),
            _ => None,
        }
    }

    /// Sets Google's field for it.
    pub fn put(&self, channel: Channel, campaign: &mut Campaign) {
        let apart = matches!(channel, Channel::Shopping | Channel::DemandGen);
        match self {
            Self::MaximizeConversions {
                target_cpa_micros: Some(target),
            } if apart => {
                let target_cpa_micros = Some(Int64(*target));
                campaign.target_cpa = Some(TargetCpa { target_cpa_micros });
            }
            Self::MaximizeConversions { target_cpa_micros } => {
                let target_cpa_micros = target_cpa_micros.map(Int64);
                campaign.maximize_conversions = Some(MaximizeConversions { target_cpa_micros });
            }
            Self::MaximizeConversionValue {
                target_roas_micros: Some(target),
            } if apart => {
                let target_roas = ratio(*target);
                campaign.target_roas = Some(TargetRoas { target_roas });
            }
            Self::MaximizeConversionValue { target_roas_micros } => {
                let target_roas = target_roas_micros.and_then(ratio);
                campaign.maximize_conversion_value = Some(MaximizeConversionValue { target_roas });
            }
            Self::MaximizeClicks {
                ceiling_micros: Some(target),
            } if channel == Channel::DemandGen => {
                let target_cpc_micros = Some(Int64(*target));
                campaign.target_cpc = Some(TargetCpc { target_cpc_micros });
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
    pub fn mask(&self, channel: Channel) -> Option<&'static str> {
        let apart = matches!(channel, Channel::Shopping | Channel::DemandGen);
        match self {
            Self::MaximizeConversions {
                target_cpa_micros: Some(_),
            } if apart => Some("targetCpa.targetCpaMicros"),
            Self::MaximizeConversions { .. } => Some("maximizeConversions.targetCpaMicros"),
            Self::MaximizeConversionValue {
                target_roas_micros: Some(_),
            } if apart => Some("targetRoas.targetRoas"),
            Self::MaximizeConversionValue { .. } => Some("maximizeConversionValue.targetRoas"),
            Self::MaximizeClicks {
                ceiling_micros: Some(_),
            } if channel == Channel::DemandGen => Some("targetCpc.targetCpcMicros"),
            Self::MaximizeClicks { .. } => Some("targetSpend.cpcBidCeilingMicros"),
            Self::ManualCpc => Some("manualCpc.enhancedCpcEnabled"),
            Self::Other { .. } => None,
        }
    }

    /// From the type that Google names, or else from the field that is set.
    pub fn seen(campaign: &Campaign) -> Self {
        let set = |value: Option<Int64>| value.map(|v| v.0).filter(|v| *v != 0);
        let roas = |value: Option<serde_json::Number>| value.and_then(|n| millionths(&n)).filter(|m| *m != 0);
        let named = campaign.bidding_strategy_type.as_deref();
        let is = |name: &str, there: bool| named == Some(name) || named.is_none() && there;
        if is("MAXIMIZE_CONVERSIONS", campaign.maximize_conversions.is_some()) {
            let inner = campaign.maximize_conversions.clone().unwrap_or_default();
            return Self::MaximizeConversions {
                target_cpa_micros: set(inner.target_cpa_micros),
            };
        }
        if is("TARGET_CPA", campaign.target_cpa.is_some()) {
            let inner = campaign.target_cpa.clone().unwrap_or_default();
            return Self::MaximizeConversions {
                target_cpa_micros: set(inner.target_cpa_micros),
            };
        }
        if is(
            "MAXIMIZE_CONVERSION_VALUE",
            campaign.maximize_conversion_value.is_some(),
        ) {
            let inner = campaign.maximize_conversion_value.clone().unwrap_or_default();
            return Self::MaximizeConversionValue {
                target_roas_micros: roas(inner.target_roas),
            };
        }
        if is("TARGET_ROAS", campaign.target_roas.is_some()) {
            let inner = campaign.target_roas.clone().unwrap_or_default();
            return Self::MaximizeConversionValue {
                target_roas_micros: roas(inner.target_roas),
            };
        }
        if is("TARGET_SPEND", campaign.target_spend.is_some()) {
            let inner = campaign.target_spend.clone().unwrap_or_default();
            return Self::MaximizeClicks {
                ceiling_micros: set(inner.cpc_bid_ceiling_micros),
            };
        }
        if is("TARGET_CPC", campaign.target_cpc.is_some()) {
            let inner = campaign.target_cpc.clone().unwrap_or_default();
            return Self::MaximizeClicks {
                ceiling_micros: set(inner.target_cpc_micros),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_is_seen_again_on_every_channel_and_has_a_mask() {
        let all = [
            Bidding::MaximizeConversions {
                target_cpa_micros: Some(18_500_000),
            },
            Bidding::MaximizeConversions {
                target_cpa_micros: None,
            },
            Bidding::MaximizeConversionValue {
                target_roas_micros: Some(3_500_001),
            },
            Bidding::MaximizeConversionValue {
                target_roas_micros: None,
            },
            Bidding::MaximizeClicks {
                ceiling_micros: Some(1_200_000),
            },
            Bidding::MaximizeClicks { ceiling_micros: None },
            Bidding::ManualCpc,
        ];
        for channel in Channel::ALL {
            for bidding in &all {
                let mut campaign = Campaign::default();
                bidding.put(channel, &mut campaign);
                assert_eq!(Bidding::seen(&campaign), *bidding, "{channel:?}");
                let wire = serde_json::to_value(&campaign).unwrap();
                let (field, _) = bidding.mask(channel).unwrap().split_once('.').unwrap();
                assert!(
                    wire.get(field).is_some() && wire.as_object().unwrap().len() == 1,
                    "{wire}"
                );
            }
        }
        // A return on ad spend is exact, however odd.
        assert_eq!(ratio(3_500_001).unwrap().to_string(), "3.500001");
        assert_eq!(ratio(4_000_000).unwrap().to_string(), "4");
    }
}
