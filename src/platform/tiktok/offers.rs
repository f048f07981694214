//! What an objective of a plan becomes on TikTok: objective, goal, billing, promotion. Pure.
//!
//! Must not look at a spec beyond what decides this. A goal fixes its billing event: TikTok refuses any other pairing (enumeration "optimisation
//! goal").

use super::settings::Settings;
use crate::domain::plan::Objective;
use crate::domain::spec::LegSpec;
use crate::platform::NotOffered;

/// The strategy that wants a least return on ad spend.
pub(super) const MIN_ROAS: &str = "min_roas";

/// What an objective becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Offer {
    /// `objective_type` of the campaign.
    pub(super) objective: &'static str,
    /// `optimization_goal` of the ad groups.
    pub(super) goal: &'static str,
    /// `billing_event`, as the goal fixes it.
    pub(super) billing: &'static str,
    /// `promotion_type`; none where the objective has none.
    pub(super) promotion: Option<&'static str>,
    /// The event that counts, where the plan names none.
    pub(super) event: Option<&'static str>,
}

impl Offer {
    /// The field in which a bid for this goal stands.
    pub(super) fn bid_field(&self) -> &'static str {
        if self.billing == "OCPM" {
            "conversion_bid_price"
        } else {
            "bid_price"
        }
    }
}

/// Whether the campaign's ads show products of a catalog.
pub(super) fn shows_products(spec: &LegSpec) -> bool {
    let mut ads = spec.campaign.ad_groups.iter().flat_map(|group| &group.ads);
    ads.any(|ad| ad.format == "catalog")
}

/// What the campaign becomes.
pub(super) fn of(spec: &LegSpec, settings: &Settings) -> Offer {
    let offer = |objective, goal, billing, promotion, event| Offer {
        objective,
        goal,
        billing,
        promotion,
        event,
    };
    match spec.campaign.objective {
        Objective::Awareness => offer("REACH", "REACH", "CPM", None, None),
        Objective::Traffic => offer("TRAFFIC", "CLICK", "CPC", Some("WEBSITE"), None),
        // Community interaction leads to a profile on TikTok, where no click can be tracked; watching is an interaction
        // too, and a video's link is tracked.
        Objective::Engagement => offer("VIDEO_VIEWS", "ENGAGED_VIEW", "CPV", None, None),
        Objective::Leads => offer(
            "LEAD_GENERATION",
            "CONVERT",
            "OCPM",
            Some("LEAD_GENERATION"),
            Some("FORM"),
        ),
        Objective::Sales => {
            let objective = if shows_products(spec) {
                "PRODUCT_SALES"
            } else {
                "WEB_CONVERSIONS"
            };
            let goal = if spec.campaign.bidding.strategy == MIN_ROAS {
                "VALUE"
            } else {
                "CONVERT"
            };
            offer(objective, goal, "OCPM", Some("WEBSITE"), Some("SHOPPING"))
        }
        Objective::App => {
            let store = if settings.app_os.as_deref() == Some("ios") {
                "APP_IOS"
            } else {
                "APP_ANDROID"
            };
            offer("APP_PROMOTION", "INSTALL", "OCPM", Some(store), None)
        }
    }
}

/// What an objective becomes, for a person.
pub(super) fn told(objective: Objective, channel: Option<&str>) -> Result<&'static str, NotOffered> {
    if channel.is_some() {
        return Err(NotOffered {
            why: "TikTok has no channels",
            instead: "take the channel out",
        });
    }
    Ok(match objective {
        Objective::Awareness => "REACH, optimised for REACH, billed by CPM",
        Objective::Traffic => "TRAFFIC to a website, optimised for CLICK, billed by CPC",
        Objective::Engagement => {
            "VIDEO_VIEWS, optimised for ENGAGED_VIEW, billed by CPV (community interaction has no link that could be tracked)"
        }
        Objective::Leads => {
            "LEAD_GENERATION on the client's website, optimised for a pixel's event (CONVERT), billed by OCPM; by hand, which TikTok is reported to end with 2026"
        }
        Objective::Sales => {
            "WEB_CONVERSIONS, or PRODUCT_SALES with catalog ads (each leading to its product's own page); optimised for a pixel's event (CONVERT) or its VALUE, billed by OCPM; by hand, which TikTok is reported to end with 2026"
        }
        Objective::App => {
            "APP_PROMOTION, optimised for INSTALL, billed by OCPM; by hand, which TikTok is reported to end with 2026"
        }
    })
}
