//! What each objective becomes on each channel. Pure.
//!
//! Must not check a plan; `check` refuses with these words what is not offered here. Sources: reference/rest/v4/advertisers.campaigns
//! (`CampaignGoalType`), reference/rest/v4/advertisers.lineItems (`LineItemType`).

use crate::domain::plan::Objective;
use crate::platform::NotOffered;

/// The channels there are.
pub(super) const CHANNELS: &[&str] = &["display", "video"];

/// Formats that DV360 has and a plan cannot say (`Creative.assets`, `AssetRole`: an icon, the advertiser's name, a short and a long
/// headline and body).
pub(super) const FORMATS_NOT_OFFERED: &[(&str, NotOffered)] = &[
    ("display_native", NATIVE),
    ("native", NATIVE),
    (
        "native_video",
        NotOffered {
            why: "a native video is put together by each publisher from a brand's name and short and long texts, which an ad of the plan does not tell apart",
            instead: "single_video on channel video",
        },
    ),
    (
        "audio",
        NotOffered {
            why: "audio is bought by line items of its own, which are none of the channels of a plan",
            instead: "single_video on channel video",
        },
    ),
];
const NATIVE: NotOffered = NotOffered {
    why: "a native creative is put together by each publisher from an icon, a brand's name and short and long texts, which an ad of the plan does not tell apart",
    instead: "display_image on channel display, one ad for each size",
};

/// An objective on a channel.
pub(super) struct Offer {
    /// For people, in DV360's words.
    pub(super) words: &'static str,
    /// `CampaignGoalType`.
    pub(super) goal: &'static str,
    /// `LineItemType`.
    pub(super) line_item: &'static str,
}

const AWARENESS: &str = "CAMPAIGN_GOAL_TYPE_BRAND_AWARENESS";
const ONLINE: &str = "CAMPAIGN_GOAL_TYPE_ONLINE_ACTION";
const INSTALL: &str = "CAMPAIGN_GOAL_TYPE_APP_INSTALL";

/// What there is.
pub(super) fn offer(objective: Objective, channel: Option<&str>) -> Result<Offer, NotOffered> {
    let video = match channel {
        Some("display") => false,
        Some("video") => true,
        Some(_) | None => {
            return Err(NotOffered {
                why: "a DV360 campaign is for one kind of line item, which its channel names",
                instead: "channel display or video",
            });
        }
    };
    let plain = if video {
        "LINE_ITEM_TYPE_VIDEO_DEFAULT"
    } else {
        "LINE_ITEM_TYPE_DISPLAY_DEFAULT"
    };
    let (words, goal, line_item) = match (objective, video) {
        (Objective::Awareness, false) => ("brand awareness goal, display line items", AWARENESS, plain),
        (Objective::Awareness, true) => ("brand awareness goal, video line items", AWARENESS, plain),
        (Objective::Traffic, false) => ("online action or visits goal, display line items", ONLINE, plain),
        (Objective::Traffic, true) => ("online action or visits goal, video line items", ONLINE, plain),
        (Objective::Engagement, true) => (
            "brand awareness goal, video line items, measured by what bidding.kpi says (cpiavc: completed views)",
            AWARENESS,
            plain,
        ),
        (Objective::Engagement, false) => {
            return Err(NotOffered {
                why: "DV360's display line items are bought for impressions, clicks or conversions, not for engagement",
                instead: "channel video, or objective awareness or traffic",
            });
        }
        (Objective::Leads | Objective::Sales, false) => (
            "online action or visits goal with Floodlight conversions, display line items",
            ONLINE,
            plain,
        ),
        (Objective::Leads | Objective::Sales, true) => (
            "online action or visits goal with Floodlight conversions, video line items",
            ONLINE,
            plain,
        ),
        (Objective::App, false) => (
            "app install goal, display line items for app installs",
            INSTALL,
            "LINE_ITEM_TYPE_DISPLAY_MOBILE_APP_INSTALL",
        ),
        (Objective::App, true) => (
            "app install goal, video line items for app installs",
            INSTALL,
            "LINE_ITEM_TYPE_VIDEO_MOBILE_APP_INSTALL",
        ),
    };
    Ok(Offer {
        words,
        goal,
        line_item,
    })
}
