//! What TikTok works out instead of storing: secondary statuses and reviews.
//!
//! Computed when read. Must not store anything. Sources: "Enumeration – secondary status" and /ad/review_info/ of
//! <https://business-api.tiktok.com/portal/docs>.

use super::errors::Fault;
use super::rules::instant;
use super::{Fields, accounts, text, texts, write};
use crate::sandbox::store::{Handle, Object};
use crate::sandbox::world::{World, mentions};
use serde_json::{Map, Value, json};

/// What review says.
enum Verdict {
    Passed,
    Pending,
    Denied,
}

fn verdict(world: &World, ad: &Object) -> Verdict {
    let mut words = vec![ad.text("ad_name"), ad.text("ad_text")];
    let mut up = ad.parent;
    while let Some(parent) = up {
        let parent = world.store.get(parent);
        words.push(parent.text("_name"));
        up = parent.parent;
    }
    if mentions(&world.switches.disapprove, &words) {
        Verdict::Denied
    } else if mentions(&world.switches.review_pending, &words) {
        Verdict::Pending
    } else {
        Verdict::Passed
    }
}

/// The nearest reason why something is not shown, or that it is.
pub(super) fn secondary(world: &World, handle: Handle) -> String {
    let object = world.store.get(handle);
    let (prefix, above): (&str, Vec<(&str, &Object)>) = match object.kind {
        "campaign" => ("CAMPAIGN_STATUS", Vec::new()),
        "adgroup" => ("ADGROUP_STATUS", parents(world, object)),
        _ => ("AD_STATUS", parents(world, object)),
    };
    let off = |status: &str| {
        let own = (object.text("operation_status") == status).then(|| format!("{prefix}_{status}"));
        let parent = above
            .iter()
            .find(|(_, parent)| parent.text("operation_status") == status);
        parent
            .map(|(name, _)| format!("{prefix}_{name}_{status}"))
            .or(own)
    };
    if let Some(status) = off("DELETE").or_else(|| off("DISABLE")) {
        return status;
    }
    if object.kind == "campaign" {
        return "CAMPAIGN_STATUS_ENABLE".to_owned();
    }
    if !accounts::paid(world, &object.account) {
        return format!("{prefix}_BALANCE_EXCEED");
    }
    let group = if object.kind == "ad" {
        above.first().map(|(_, o)| *o)
    } else {
        Some(object)
    };
    if object.kind == "ad" {
        match verdict(world, object) {
            Verdict::Denied => return "AD_STATUS_AUDIT_DENY".to_owned(),
            Verdict::Pending => return "AD_STATUS_AUDIT".to_owned(),
            Verdict::Passed => {}
        }
    }
    let at = |name: &str| group.and_then(|g| instant(&g.fields, name).ok().flatten());
    if at("schedule_start_time").is_some_and(|start| start > world.now) {
        return format!("{prefix}_NOT_START");
    }
    if at("schedule_end_time").is_some_and(|end| end <= world.now) {
        let over = if object.kind == "ad" { "DONE" } else { "TIME_DONE" };
        return format!("{prefix}_{over}");
    }
    format!("{prefix}_DELIVERY_OK")
}

/// The objects above, nearest first, as statuses call them.
fn parents<'a>(world: &'a World, object: &Object) -> Vec<(&'static str, &'a Object)> {
    let mut found = Vec::new();
    let mut up = object.parent;
    while let Some(parent) = up {
        let parent = world.store.get(parent);
        let name = if parent.kind == "campaign" {
            "CAMPAIGN"
        } else {
            "ADGROUP"
        };
        found.push((name, parent));
        up = parent.parent;
    }
    found.reverse();
    if found.len() == 2 {
        found.reverse();
    }
    found
}

/// What review found about up to a hundred ads.
pub(super) fn info(world: &World, account: &str, query: &Fields) -> Result<Value, Fault> {
    let ids = texts(query, "ad_ids");
    if ids.is_empty() || ids.len() > 100 {
        return Err(Fault::field(
            "ad_ids",
            "the number of ids must be between 1 and 100.",
        ));
    }
    let mut map = Map::new();
    for id in ids {
        let handle = write::find(world, account, "ad", id);
        let ad = handle
            .map(|h| world.store.get(h))
            .filter(|ad| text(&ad.fields, "status") != "DELETED");
        let Some(ad) = ad else { continue };
        let review = match verdict(world, ad) {
            Verdict::Passed => json!({ "id": id, "is_approved": true, "review_status": "ALL_AVAILABLE",
                "appeal_status": "NOT_APPEALED", "reject_info": [] }),
            Verdict::Pending => json!({ "id": id, "is_approved": false, "review_status": "UNAVAILABLE",
                "appeal_status": "NOT_APPEALED", "reject_info": [] }),
            Verdict::Denied => json!({ "id": id, "is_approved": false, "review_status": "UNAVAILABLE",
                "appeal_status": "NOT_APPEALED", "reject_info": [{
                    "reasons": ["Exaggerated or misleading claims"],
                    "suggestion": "Remove the claim from the video or its text.",
                    "forbidden_placements": ["PLACEMENT_TIKTOK"], "forbidden_locations": [], "forbidden_ages": [],
                    "content_info": { "content_type": "TEXT", "text_content": text(&ad.fields, "ad_text") },
                }] }),
        };
        map.insert(id.to_owned(), review);
    }
    Ok(json!({ "ad_review_map": map, "ad_group_review_map": {} }))
}
