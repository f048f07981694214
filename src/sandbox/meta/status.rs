//! What Meta works out instead of storing: effective status and review.
//!
//! Computed when read. Must not store anything. Sources:
//! <https://developers.facebook.com/docs/marketing-api/best-practices/manage-your-ad-object-status>,
//! <https://developers.facebook.com/docs/marketing-api/reference/adgroup>.

use super::accounts;
use crate::sandbox::store::{Handle, Object};
use crate::sandbox::world::{World, mentions};

/// The status that counts: an object's own, overridden by its parents' and by review.
pub(super) fn effective(world: &World, handle: Handle) -> &'static str {
    let object = world.store.get(handle);
    let own = object.text("status");
    let above = object
        .parent
        .map(|parent| (world.store.get(parent).kind, effective(world, parent)));
    match (own, above) {
        ("DELETED", _) | (_, Some((_, "DELETED"))) => return "DELETED",
        ("ARCHIVED", _) | (_, Some((_, "ARCHIVED"))) => return "ARCHIVED",
        _ => {}
    }
    if object.kind == "ad"
        && let Some(verdict) = review(world, object)
    {
        return verdict;
    }
    if own == "PAUSED" {
        return "PAUSED";
    }
    match above {
        Some((_, "CAMPAIGN_PAUSED")) | Some(("campaign", "PAUSED")) => "CAMPAIGN_PAUSED",
        Some((_, "PAUSED")) => "ADSET_PAUSED",
        _ => "ACTIVE",
    }
}

/// What review or billing says about an ad, if it says anything but "go".
fn review(world: &World, ad: &Object) -> Option<&'static str> {
    let mut texts = vec![ad.text("name")];
    let mut up = ad.parent;
    while let Some(parent) = up {
        texts.push(world.store.get(parent).text("name"));
        up = world.store.get(parent).parent;
    }
    if mentions(&world.switches.disapprove, &texts) {
        return Some("DISAPPROVED");
    }
    if mentions(&world.switches.review_pending, &texts) {
        return Some("PENDING_REVIEW");
    }
    let paid = accounts::fields(world, &ad.account).is_some_and(|f| f.contains_key("funding_source"));
    (!paid && ad.text("status") == "ACTIVE").then_some("PENDING_BILLING_INFO")
}
