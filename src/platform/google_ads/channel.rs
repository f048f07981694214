//! The channels of a Google Ads campaign, and what each objective becomes on each.
//!
//! Must not build or check anything: the channel's own file does.

use crate::domain::plan::Objective;
use crate::platform::NotOffered;
use serde::{Deserialize, Serialize};

/// Where a campaign runs: `campaign.advertising_channel_type`, which nobody can change later.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Channel {
    #[default]
    Search,
    Display,
    Shopping,
    PerformanceMax,
    DemandGen,
}

/// As a plan names them.
pub(super) const CHANNELS: [&str; 5] = ["search", "display", "shopping", "performance_max", "demand_gen"];

impl Channel {
    pub const ALL: [Self; 5] = [
        Self::Search,
        Self::Display,
        Self::Shopping,
        Self::PerformanceMax,
        Self::DemandGen,
    ];

    /// As a plan names it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Search => "search",
            Self::Display => "display",
            Self::Shopping => "shopping",
            Self::PerformanceMax => "performance_max",
            Self::DemandGen => "demand_gen",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.as_str() == text)
    }

    /// Source: v26/enums/advertising_channel_type.proto.
    pub fn wire(self) -> &'static str {
        match self {
            Self::Search => "SEARCH",
            Self::Display => "DISPLAY",
            Self::Shopping => "SHOPPING",
            Self::PerformanceMax => "PERFORMANCE_MAX",
            Self::DemandGen => "DEMAND_GEN",
        }
    }

    pub fn seen(wire: Option<&str>) -> Self {
        let named = Self::ALL.into_iter().find(|channel| Some(channel.wire()) == wire);
        named.unwrap_or_default()
    }

    /// `ad_group.type`, which nobody can change later; demand gen's is Google's to set, and performance max has no ad groups.
    /// Source: v26/enums/ad_group_type.proto; the example `add_demand_gen_campaign` of googleads/google-ads-python.
    pub fn ad_group_type(self) -> Option<&'static str> {
        match self {
            Self::Search => Some("SEARCH_STANDARD"),
            Self::Display => Some("DISPLAY_STANDARD"),
            Self::Shopping => Some("SHOPPING_PRODUCT_ADS"),
            Self::PerformanceMax | Self::DemandGen => None,
        }
    }

    /// The strategies that a plan can name.
    /// Sources: developers.google.com/google-ads/api/docs/campaigns/bidding/strategy-types;
    /// developers.google.com/google-ads/api/performance-max/create-campaign (conversions only);
    /// support.google.com/google-ads/answer/6309029 (standard shopping: manual, clicks, target ROAS).
    pub fn strategies(self) -> &'static [&'static str] {
        match self {
            Self::Search | Self::Display => &[
                "maximize_conversions",
                "maximize_conversion_value",
                "maximize_clicks",
                "manual_cpc",
            ],
            Self::Shopping => &["maximize_conversion_value", "maximize_clicks", "manual_cpc"],
            Self::PerformanceMax => &["maximize_conversions", "maximize_conversion_value"],
            Self::DemandGen => &[
                "maximize_conversions",
                "maximize_conversion_value",
                "maximize_clicks",
            ],
        }
    }

    /// The settings that mean something there.
    pub fn settings(self) -> &'static [&'static str] {
        match self {
            Self::Search => &["search_partners", "display_network", "geo_target"],
            Self::Display => &["geo_target", "business_name", "logos"],
            Self::Shopping => &[
                "search_partners",
                "geo_target",
                "feed_label",
                "priority",
                "local_products",
            ],
            Self::PerformanceMax => &[
                "geo_target",
                "business_name",
                "logos",
                "brand_guidelines",
                "generated_content",
                "products",
                "feed_label",
            ],
            Self::DemandGen => &["geo_target", "business_name", "logos"],
        }
    }

    /// The formats of its ads.
    pub fn formats(self) -> &'static [&'static str] {
        match self {
            Self::Search => &["responsive_search"],
            Self::Display => &["responsive_display"],
            Self::Shopping => &["shopping_product"],
            Self::PerformanceMax => &["asset_group"],
            Self::DemandGen => &["multi_asset", "video_responsive"],
        }
    }
}

const APP: NotOffered = NotOffered {
    why: "installs take a Google App campaign, which is none of the channels of a plan",
    instead: "objective traffic with a landing page, or an App campaign made in Google Ads by hand",
};

/// See [`crate::platform::Platform::offer`].
/// Source: support.google.com/google-ads/answer/7450050 (which campaign types each goal has).
pub(super) fn offer(objective: Objective, channel: Option<&str>) -> Result<&'static str, NotOffered> {
    let no = |why, instead| Err(NotOffered { why, instead });
    let Some(channel) = channel.and_then(Channel::parse) else {
        return no(
            "a Google Ads campaign runs on one of its channels",
            "channel search, display, shopping, performance_max or demand_gen",
        );
    };
    match (objective, channel) {
        (Objective::App, _) => Err(APP),
        (Objective::Traffic | Objective::Leads | Objective::Sales, Channel::Search) => {
            Ok("Search campaign, responsive search ads")
        }
        (Objective::Awareness | Objective::Engagement, Channel::Search) => no(
            "search answers people who already ask, it makes nobody aware of anything",
            "channel demand_gen or display",
        ),
        (
            Objective::Awareness | Objective::Traffic | Objective::Leads | Objective::Sales,
            Channel::Display,
        ) => Ok("Display campaign, responsive display ads"),
        (Objective::Engagement, Channel::Display) => no(
            "display ads are looked at and clicked, nothing on them can be engaged with",
            "channel demand_gen",
        ),
        (Objective::Traffic | Objective::Sales, Channel::Shopping) => Ok(
            "Standard Shopping campaign, product ads from the Merchant Center account, each leading to its product's own page",
        ),
        (Objective::Awareness | Objective::Engagement | Objective::Leads, Channel::Shopping) => no(
            "product ads lead to products for sale",
            "channel performance_max for leads, demand_gen for the others",
        ),
        (Objective::Leads | Objective::Sales, Channel::PerformanceMax) => {
            Ok("Performance Max campaign, one asset group for each ad group")
        }
        (Objective::Awareness | Objective::Traffic | Objective::Engagement, Channel::PerformanceMax) => no(
            "performance max bids for conversions and for nothing else",
            "channel demand_gen, or objective leads or sales",
        ),
        (
            Objective::Awareness
            | Objective::Traffic
            | Objective::Engagement
            | Objective::Leads
            | Objective::Sales,
            Channel::DemandGen,
        ) => Ok("Demand Gen campaign, multi-asset or video ads"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_round_trip_and_every_pair_is_decided() {
        assert_eq!(Channel::ALL.map(Channel::as_str), CHANNELS);
        let mut offered = 0;
        for channel in Channel::ALL {
            assert_eq!(Channel::parse(channel.as_str()), Some(channel));
            assert_eq!(Channel::seen(Some(channel.wire())), channel);
            for objective in Objective::ALL {
                match offer(objective, Some(channel.as_str())) {
                    Ok(words) => offered += usize::from(!words.is_empty()),
                    Err(not) => assert!(!not.why.is_empty() && !not.instead.is_empty()),
                }
            }
        }
        assert_eq!(offered, 3 + 4 + 2 + 2 + 5);
        assert!(offer(Objective::Sales, None).is_err() && offer(Objective::Sales, Some("video")).is_err());
    }
}
