//! What each objective becomes on Meta. Pure.
//!
//! Meta has no channels: where an ad appears is Meta's choice among all placements. Which format fits which objective is
//! `check`'s to say, since one campaign may have several.

use crate::domain::plan::Objective;
use crate::platform::NotOffered;

/// Why a channel is refused.
const NO_CHANNELS: NotOffered = NotOffered {
    why: "Meta has no channels: it chooses among its placements by itself",
    instead: "take the channel out",
};

/// The objective in Meta's words (reference/ad-campaign-group#odax-mapping).
pub(super) fn offer(objective: Objective, channel: Option<&str>) -> Result<&'static str, NotOffered> {
    if channel.is_some() {
        return Err(NO_CHANNELS);
    }
    Ok(match objective {
        Objective::Awareness => "OUTCOME_AWARENESS for REACH, of the page",
        Objective::Traffic => "OUTCOME_TRAFFIC for LINK_CLICKS to the website; catalog ads: of a product set",
        Objective::Engagement => {
            "OUTCOME_ENGAGEMENT for POST_ENGAGEMENT on the post; with settings.pixel_id for OFFSITE_CONVERSIONS on the website"
        }
        Objective::Leads => "OUTCOME_LEADS for OFFSITE_CONVERSIONS (a pixel's LEAD) on the website",
        Objective::Sales => {
            "OUTCOME_SALES for OFFSITE_CONVERSIONS (a pixel's PURCHASE), or VALUE with min_roas, on the website; catalog ads: of a \
             product set"
        }
        Objective::App => "OUTCOME_APP_PROMOTION for APP_INSTALLS, of the app in its store",
    })
}
