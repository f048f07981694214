//! A payload that amends or supersedes what is launched: what of it the platforms do not let be changed.
//!
//! Must not call anybody. A change that would need another campaign is refused here, before anything of the payload is
//! applied: half an amendment is worse than none.

use crate::domain::diff::{self, CampaignChange};
use crate::domain::gate::{Check, Outcome};
use crate::platform;
use serde_json::Value;

/// One check per campaign and field that cannot be changed.
pub(super) fn immutable(in_force: Option<&Value>, payload: &Value) -> Vec<Check> {
    let Some(in_force) = in_force else {
        return Vec::new();
    };
    let mut checks = Vec::new();
    for campaign in diff::campaigns(in_force, payload) {
        let (CampaignChange::Changed(fields), Some(platform)) =
            (&campaign.change, platform::by_name(&campaign.platform))
        else {
            continue;
        };
        for fixed in fields.iter().filter(|f| f.is_within(platform.immutable())) {
            checks.push(Check::not(
                Outcome::Fail,
                format!("amendment:{}/{}:{}", campaign.platform, campaign.logical_campaign_key, fixed.field),
                format!(
                    "{} would become {} where it is {}, and {} does not let that be changed",
                    fixed.field,
                    diff::shown(fixed.new.as_ref()),
                    diff::shown(fixed.old.as_ref()),
                    platform.traits().display_name
                ),
                "give the campaign another logical_campaign_key: a new one is built, and the old one is switched off",
            ));
        }
    }
    checks
}
