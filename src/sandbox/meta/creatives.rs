//! The rules of ad creatives and ads.
//!
//! Must not store anything. Sources: <https://developers.facebook.com/docs/marketing-api/reference/ad-account/adcreatives>,
//! <https://developers.facebook.com/docs/marketing-api/reference/ad-account/ads>.

use super::NAME;
use super::api::Api;
use super::errors::Fault;
use super::params::{Params, text};
use super::rules::Context;
use crate::sandbox::world::mentions;
use serde_json::{Map, Value};

/// What makes a creative: one of these.
const SOURCES: &[&str] = &[
    "object_story_spec",
    "object_story_id",
    "asset_feed_spec",
    "object_id",
    "source_instagram_media_id",
    "instagram_permalink_url",
];

/// The rules of a creative.
pub(super) fn creative(fields: &Params) -> Result<(), Fault> {
    if !SOURCES.iter().any(|s| fields.contains_key(*s)) {
        return Err(Fault::required("object_story_spec"));
    }
    let tags = text(fields, "url_tags");
    if tags.starts_with(['?', '&']) || tags.contains(char::is_whitespace) {
        return Err(Fault::invalid("url_tags", "url_tags must be a query string"));
    }
    match fields.get("object_story_spec").and_then(Value::as_object) {
        Some(spec) => story(spec),
        None => Ok(()),
    }
}

fn known(table: &str, map: &Map<String, Value>) -> Result<(), Fault> {
    match map.keys().find(|k| !Api::get().has("nested", table, k)) {
        Some(unknown) => Err(Fault::invalid(
            "object_story_spec",
            &format!("unknown field {unknown} in {table}"),
        )),
        None => Ok(()),
    }
}

fn story(spec: &Map<String, Value>) -> Result<(), Fault> {
    known("object_story_spec", spec)?;
    let filled = |map: &Map<String, Value>, name: &str| {
        map.get(name)
            .and_then(Value::as_str)
            .is_some_and(|v| !v.is_empty())
    };
    if !filled(spec, "page_id") {
        return Err(Fault::invalid("object_story_spec", "page_id is required"));
    }
    if let Some(link) = spec.get("link_data").and_then(Value::as_object) {
        known("link_data", link)?;
        if !filled(link, "link") {
            return Err(Fault::invalid("object_story_spec", "link_data needs a link"));
        }
        image(link)?;
        call_to_action(link)?;
        for child in link
            .get("child_attachments")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            if let Some(child) = child.as_object() {
                image(child)?;
                call_to_action(child)?;
            }
        }
    }
    if let Some(video) = spec.get("video_data").and_then(Value::as_object) {
        known("video_data", video)?;
        if !filled(video, "video_id") {
            return Err(Fault::invalid("object_story_spec", "video_data needs a video_id"));
        }
        if !filled(video, "image_hash") && !filled(video, "image_url") {
            let message =
                "Please specify one of image_hash or image_url in the video_data field of object_story_spec";
            return Err(Fault::new(100, message)
                .sub(1_443_226)
                .blaming("object_story_spec"));
        }
        image(video)?;
        call_to_action(video)?;
    }
    Ok(())
}

/// An image hash that could be one: the asset library hands out 32 hexadecimal digits.
fn image(map: &Map<String, Value>) -> Result<(), Fault> {
    match map.get("image_hash").and_then(Value::as_str) {
        Some(hash) if hash.len() != 32 || !hash.bytes().all(|b| b.is_ascii_hexdigit()) => {
            Err(Fault::new(100, format!("The image hash {hash} does not exist"))
                .sub(1_487_389)
                .blaming("image_hash"))
        }
        Some(_) | None => Ok(()),
    }
}

fn call_to_action(map: &Map<String, Value>) -> Result<(), Fault> {
    let Some(action) = map.get("call_to_action") else {
        return Ok(());
    };
    match action["type"].as_str() {
        Some(ty) if Api::get().has("enum", "call_to_action_type", ty) => Ok(()),
        _ => Err(Fault::invalid(
            "call_to_action",
            "type must be one of the call to action types",
        )),
    }
}

/// The rules of an ad; gives the creative's id.
pub(super) fn ad(context: &Context<'_>, fields: &Params, synchronous_review: bool) -> Result<String, Fault> {
    let world = context.world;
    for required in ["name", "adset_id"] {
        if text(fields, required).is_empty() {
            return Err(Fault::required(required));
        }
    }
    let adset_id = text(fields, "adset_id");
    let adset = world.store.find(NAME, adset_id).map(|h| world.store.get(h));
    let Some(adset) = adset.filter(|a| a.kind == "adset" && a.account == context.account) else {
        return Err(Fault::invalid(
            "adset_id",
            &format!("ad set {adset_id} does not exist"),
        ));
    };
    if context.old.is_none() && matches!(adset.text("status"), "DELETED" | "ARCHIVED") {
        return Err(Fault::invalid("adset_id", "the ad set is deleted or archived"));
    }
    let given = fields
        .get("creative")
        .ok_or_else(|| Fault::required("creative"))?;
    let id = given.get("creative_id").or_else(|| given.get("id"));
    let id = match id {
        Some(Value::String(id)) => id.clone(),
        Some(Value::Number(id)) => id.to_string(),
        _ => return Err(Fault::invalid("creative", "creative_id is required")),
    };
    let creative = world.store.find(NAME, &id).map(|h| world.store.get(h));
    if !creative.is_some_and(|c| {
        c.kind == "adcreative" && c.account == context.account && c.text("status") != "DELETED"
    }) {
        return Err(Fault::invalid("creative", &format!("creative {id} does not exist")).sub(1_487_015));
    }
    let campaign = adset.parent.map_or("", |h| world.store.get(h).text("name"));
    let texts = [text(fields, "name"), adset.text("name"), campaign];
    let found = mentions(&world.switches.policy_finding, &texts)
        || (synchronous_review && mentions(&world.switches.disapprove, &texts));
    if found {
        let message = "The ad was rejected because it does not follow the advertising policies";
        return Err(Fault::new(100, message).sub(2_490_468));
    }
    Ok(id)
}
