//! A payload that amends or supersedes what is launched: what of it the platforms do not let be changed.
//!
//! Must not call anybody. A change that needs another campaign is refused here, unless the tenant's policy asks for that one to
//! be built, before anything of the payload is applied: half an amendment is worse than none.

use crate::domain::diff::{self, CampaignChange};
use crate::domain::gate::{Check, Outcome};
use crate::domain::plan::Plan;
use crate::domain::tenant::ImmutableChange;
use crate::platform;
use crate::store::replace::Fixed;
use serde_json::Value;

const REMEDY: &str = "give the campaign another logical_campaign_key: a new one is built, and the old one is switched off; or \
     have the tenant's policy ask for just that (policy.immutable_change: replace)";

/// What each platform of a plan does not let be changed.
pub(super) fn fixed(plan: &Plan) -> Fixed {
    plan.campaigns
        .iter()
        .filter_map(|c| {
            let platform = platform::by_name(c.platform.as_str())?;
            Some((c.platform.to_string(), platform.immutable()))
        })
        .collect()
}

/// One check per campaign whose key is that of a campaign that was replaced.
pub(super) fn reserved(replaced: &[String], plan: &Plan) -> Vec<Check> {
    plan.campaigns
        .iter()
        .map(|c| format!("{}/{}", c.platform, c.logical_campaign_key))
        .filter(|leg| replaced.contains(leg))
        .map(|leg| {
            Check::not(
                Outcome::Fail,
                format!("amendment:{leg}"),
                format!("{leg} is a campaign of this plan version that was replaced by another"),
                "give the campaign another logical_campaign_key",
            )
        })
        .collect()
}

/// One check per campaign and field that cannot be changed.
pub(super) fn immutable(in_force: Option<&Value>, payload: &Value, policy: ImmutableChange) -> Vec<Check> {
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
            let name = format!(
                "amendment:{}/{}:{}",
                campaign.platform, campaign.logical_campaign_key, fixed.field
            );
            let what = format!(
                "{} would become {} where it is {}, and {} does not let that be changed",
                fixed.field,
                diff::shown(fixed.new.as_ref()),
                diff::shown(fixed.old.as_ref()),
                platform.traits().display_name
            );
            checks.push(match policy {
                ImmutableChange::Replace => Check::pass(
                    name,
                    format!(
                        "{what}: a new campaign is built, and the old one is switched off when that is on"
                    ),
                ),
                ImmutableChange::Refuse => Check::not(Outcome::Fail, name, what, REMEDY),
            });
        }
    }
    checks
}
