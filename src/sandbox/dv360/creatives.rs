//! Creatives: what they may be, who uses them, and what review says of them.
//!
//! Must not change the store. Source of every rule:
//! <https://developers.google.com/display-video/api/reference/rest/v4/advertisers.creatives>.

use super::rules::{Subject, text};
use super::{Fault, NAME, write};
use crate::sandbox::store::{Handle, Object};
use crate::sandbox::world::{World, mentions};
use serde_json::{Map, Value, json};
use std::collections::HashSet;

/// The types that may be created when hosted by Campaign Manager 360, and those when hosted by a third party.
const HOSTED: &[&str] = &[
    "CREATIVE_TYPE_AUDIO",
    "CREATIVE_TYPE_NATIVE",
    "CREATIVE_TYPE_NATIVE_SITE_SQUARE",
    "CREATIVE_TYPE_NATIVE_VIDEO",
    "CREATIVE_TYPE_STANDARD",
    "CREATIVE_TYPE_VIDEO",
];
const THIRD_PARTY: &[&str] = &[
    "CREATIVE_TYPE_AUDIO",
    "CREATIVE_TYPE_EXPANDABLE",
    "CREATIVE_TYPE_STANDARD",
    "CREATIVE_TYPE_VIDEO",
];

/// Fields that only some types have.
const ONLY_FOR: &[(&str, &[&str])] = &[
    (
        "trackerUrls",
        &[
            "CREATIVE_TYPE_NATIVE",
            "CREATIVE_TYPE_NATIVE_SITE_SQUARE",
            "CREATIVE_TYPE_NATIVE_VIDEO",
        ],
    ),
    (
        "jsTrackerUrl",
        &[
            "CREATIVE_TYPE_NATIVE",
            "CREATIVE_TYPE_NATIVE_SITE_SQUARE",
            "CREATIVE_TYPE_NATIVE_VIDEO",
        ],
    ),
    (
        "thirdPartyUrls",
        &[
            "CREATIVE_TYPE_AUDIO",
            "CREATIVE_TYPE_VIDEO",
            "CREATIVE_TYPE_NATIVE_VIDEO",
        ],
    ),
    (
        "companionCreativeIds",
        &["CREATIVE_TYPE_AUDIO", "CREATIVE_TYPE_VIDEO"],
    ),
    ("skippable", &["CREATIVE_TYPE_VIDEO"]),
    ("obaIcon", &["CREATIVE_TYPE_VIDEO"]),
    ("universalAdId", &["CREATIVE_TYPE_VIDEO"]),
];

/// Checks a creative.
pub(super) fn check(subject: &Subject<'_>, after: &mut Map<String, Value>) -> Result<(), Fault> {
    let (kind, host) = (
        text(after, "creativeType").to_owned(),
        text(after, "hostingSource").to_owned(),
    );
    let writable = match host.as_str() {
        "HOSTING_SOURCE_HOSTED" => HOSTED.contains(&kind.as_str()),
        "HOSTING_SOURCE_THIRD_PARTY" => THIRD_PARTY.contains(&kind.as_str()),
        _ => false,
    };
    if !writable {
        return Err(Fault::invalid(format!(
            "Creatives of type {kind} and hosting source {host} cannot be created or updated."
        )));
    }
    if subject.before.is_some_and(|b| text(b, "hostingSource") != host) {
        return Err(Fault::invalid("hosting_source cannot be changed."));
    }
    for (field, kinds) in ONLY_FOR {
        if after.contains_key(*field) && !kinds.contains(&kind.as_str()) {
            return Err(Fault::invalid(format!("{field} is not supported for {kind}.")));
        }
    }
    dimensions(&kind, after)?;
    if host == "HOSTING_SOURCE_HOSTED" {
        assets(&kind, after)?;
    }
    exits(&kind, after)?;
    let length = |name: &str| text(after, name).chars().count();
    if length("integrationCode") > 10_000 || length("notes") > 20_000 {
        return Err(Fault::invalid("integration_code or notes is too long."));
    }
    Ok(())
}

/// Videos, audio and native videos have none of their own; others need both sides.
fn dimensions(kind: &str, after: &mut Map<String, Value>) -> Result<(), Fault> {
    let sizeless = matches!(
        kind,
        "CREATIVE_TYPE_VIDEO" | "CREATIVE_TYPE_AUDIO" | "CREATIVE_TYPE_NATIVE_VIDEO"
    );
    let Some(Value::Object(sides)) = after.get_mut("dimensions") else {
        return Ok(());
    };
    for name in ["widthPixels", "heightPixels"] {
        let side = sides.get(name).and_then(Value::as_i64).unwrap_or(0);
        if side < 0 || side == 0 && !sizeless {
            return Err(Fault::invalid(
                "width_pixels and height_pixels are both required.",
            ));
        }
        sides.insert(name.to_owned(), side.into());
    }
    Ok(())
}

/// Every asset is one that was uploaded, or a text where its role takes one; a hosted creative has a main asset.
fn assets(kind: &str, after: &Map<String, Value>) -> Result<(), Fault> {
    let list = after.get("assets").and_then(Value::as_array);
    let mut main = kind.starts_with("CREATIVE_TYPE_NATIVE");
    for association in list.into_iter().flatten() {
        let asset = association.get("asset").unwrap_or(&Value::Null);
        let role = association["role"].as_str().unwrap_or("");
        main |= role == "ASSET_ROLE_MAIN";
        let media = asset.get("mediaId").and_then(Value::as_str).unwrap_or("");
        let content = asset.get("content").and_then(Value::as_str).unwrap_or("");
        if matches!(media, "" | "0") && content.is_empty() {
            return Err(Fault::invalid("Requested asset was not found."));
        }
        let longest = match role {
            "ASSET_ROLE_HEADLINE" | "ASSET_ROLE_ADVERTISER_NAME" => 25,
            "ASSET_ROLE_LONG_HEADLINE" => 50,
            "ASSET_ROLE_BODY" => 90,
            "ASSET_ROLE_LONG_BODY" => 150,
            "ASSET_ROLE_CAPTION_URL" => 30,
            "ASSET_ROLE_CALL_TO_ACTION" => 15,
            _ => usize::MAX,
        };
        if content.chars().count() > longest {
            return Err(Fault::invalid(format!(
                "The content of {role} must not be longer than {longest} characters."
            )));
        }
    }
    if main {
        Ok(())
    } else {
        Err(Fault::invalid(
            "A hosted creative needs an asset with ASSET_ROLE_MAIN.",
        ))
    }
}

/// "Every creative must include at least one exit"; names are for creatives that hold more than images.
fn exits(kind: &str, after: &Map<String, Value>) -> Result<(), Fault> {
    let list = after.get("exitEvents").and_then(Value::as_array);
    let mut names = HashSet::new();
    for exit in list.into_iter().flatten() {
        let url = exit["url"].as_str().unwrap_or("");
        let host = url::Url::parse(url).ok();
        if host.is_none_or(|u| !matches!(u.scheme(), "http" | "https")) {
            return Err(Fault::invalid(
                "The click through URL of an exit event is invalid.",
            ));
        }
        let name = exit.get("name").and_then(Value::as_str).unwrap_or("");
        if !names.insert(name) {
            return Err(Fault::invalid(
                "The name of an exit event must be unique within one creative.",
            ));
        }
        let image_only = kind == "CREATIVE_TYPE_STANDARD" && !after.contains_key("thirdPartyTag");
        if image_only && !name.is_empty() {
            return Err(Fault::invalid(
                "The name of an exit event must be empty for creatives containing image assets only.",
            ));
        }
    }
    Ok(())
}

/// The line items that use a creative.
pub(super) fn users(world: &World, creative: &Object) -> Vec<Handle> {
    let uses = |h: &Handle| {
        let line = world.store.get(*h);
        let ids = line.fields.get("creativeIds").and_then(Value::as_array);
        line.text("entityStatus") != write::DELETED
            && ids.into_iter().flatten().any(|id| id == creative.id.as_str())
    };
    let all = world.store.all(NAME, &creative.account, "line_item");
    all.iter().copied().filter(uses).collect()
}

/// `ReviewStatusInfo`: approved at once, unless the world says otherwise.
pub(super) fn review(world: &World, creative: &Object) -> Value {
    let urls = creative.fields.get("exitEvents").map(Value::to_string);
    let texts = [creative.text("displayName"), urls.as_deref().unwrap_or("")];
    let (approval, page, policy) = if mentions(&world.switches.disapprove, &texts) {
        ("REJECTED_NOT_SERVABLE", "APPROVED", "REJECTED")
    } else if mentions(&world.switches.review_pending, &texts) {
        ("PENDING_NOT_SERVABLE", "PENDING", "PENDING")
    } else {
        ("APPROVED_SERVABLE", "APPROVED", "APPROVED")
    };
    json!({
        "approvalStatus": format!("APPROVAL_STATUS_{approval}"),
        "creativeAndLandingPageReviewStatus": format!("REVIEW_STATUS_{page}"),
        "contentAndPolicyReviewStatus": format!("REVIEW_STATUS_{policy}"),
        "exchangeReviewStatuses": [
            { "exchange": "EXCHANGE_GOOGLE_AD_MANAGER", "status": format!("REVIEW_STATUS_{policy}") },
        ],
    })
}

/// Whether a creative can serve.
pub(super) fn servable(world: &World, creative: &Object) -> bool {
    let review = review(world, creative);
    let approval = review["approvalStatus"].as_str().unwrap_or("");
    creative.text("entityStatus") == "ENTITY_STATUS_ACTIVE" && !approval.ends_with("_NOT_SERVABLE")
}
