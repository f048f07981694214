//! The rules of ad creatives and ads.
//!
//! Must not store anything. Sources: <https://developers.facebook.com/docs/marketing-api/reference/ad-account/adcreatives>,
//! <https://developers.facebook.com/docs/marketing-api/reference/ad-account/ads>.

use super::NAME;
use super::api::Api;
use super::errors::Fault;
use super::media;
use super::params::{Params, text};
use super::rules::Context;
use crate::sandbox::store::Object;
use crate::sandbox::world::{World, mentions};
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

/// A story is told in one way.
const STORIES: &[&str] = &[
    "link_data",
    "photo_data",
    "text_data",
    "template_data",
    "video_data",
];

/// The rules of a creative.
pub(super) fn creative(world: &World, fields: &Params) -> Result<(), Fault> {
    if !SOURCES.iter().any(|s| fields.contains_key(*s)) {
        return Err(Fault::required("object_story_spec"));
    }
    let tags = text(fields, "url_tags");
    if tags.starts_with(['?', '&']) || tags.contains(char::is_whitespace) {
        return Err(Fault::invalid("url_tags", "url_tags must be a query string"));
    }
    let Some(spec) = fields.get("object_story_spec").and_then(Value::as_object) else {
        return Ok(());
    };
    let template = spec.contains_key("template_data");
    let set = text(fields, "product_set_id");
    if template && (set.is_empty() || !set.bytes().all(|b| b.is_ascii_digit())) {
        // <https://developers.facebook.com/docs/marketing-api/advantage-catalog-ads/get-started>
        return Err(Fault::required("product_set_id"));
    }
    if !template && !set.is_empty() {
        return Err(Fault::invalid("product_set_id", "only with template_data"));
    }
    story(world, spec)
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

fn filled(map: &Map<String, Value>, name: &str) -> bool {
    map.get(name)
        .and_then(Value::as_str)
        .is_some_and(|v| !v.is_empty())
}

fn wrong(why: &str) -> Fault {
    Fault::invalid("object_story_spec", why)
}

fn story(world: &World, spec: &Map<String, Value>) -> Result<(), Fault> {
    known("object_story_spec", spec)?;
    if !filled(spec, "page_id") {
        return Err(wrong("page_id is required"));
    }
    if STORIES.iter().filter(|s| spec.contains_key(**s)).count() != 1 {
        return Err(wrong(
            "exactly one of link_data, video_data, template_data … is required",
        ));
    }
    if let Some(link) = spec.get("link_data").and_then(Value::as_object) {
        known("link_data", link)?;
        if !filled(link, "link") {
            return Err(wrong("link_data needs a link"));
        }
        image(link)?;
        call_to_action(link)?;
        if let Some(children) = link.get("child_attachments") {
            cards(world, children)?;
        }
    }
    if let Some(video) = spec.get("video_data").and_then(Value::as_object) {
        known("video_data", video)?;
        if !filled(video, "video_id") {
            return Err(wrong("video_data needs a video_id"));
        }
        media::usable(world, video["video_id"].as_str().unwrap_or(""))?;
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
    match spec.get("template_data").and_then(Value::as_object) {
        Some(template) => self::template(template),
        None => Ok(()),
    }
}

/// Two to ten cards, each with a link and something to show; a video with its still:
/// <https://developers.facebook.com/docs/marketing-api/reference/ad-creative-link-data/>.
fn cards(world: &World, children: &Value) -> Result<(), Fault> {
    let cards = children.as_array().map(Vec::as_slice).unwrap_or_default();
    if !(2..=10).contains(&cards.len()) {
        return Err(wrong("child_attachments must have 2 to 10 elements"));
    }
    for card in cards {
        let card = card
            .as_object()
            .ok_or_else(|| wrong("a child attachment is an object"))?;
        known("child_attachment", card)?;
        if !filled(card, "link") {
            return Err(wrong("each child attachment needs a link"));
        }
        if !filled(card, "image_hash") && !filled(card, "picture") {
            return Err(wrong("each child attachment needs an image_hash or a picture"));
        }
        if card.contains_key("video_id") {
            media::usable(world, card["video_id"].as_str().unwrap_or(""))?;
        }
        image(card)?;
        call_to_action(card)?;
    }
    Ok(())
}

/// A template shows the catalog's own images, its button has no `value`, and its link is none of Facebook's:
/// <https://developers.facebook.com/docs/marketing-api/advantage-catalog-ads/get-started>.
fn template(template: &Map<String, Value>) -> Result<(), Fault> {
    known("template_data", template)?;
    if !filled(template, "link") {
        return Err(wrong("template_data needs a link"));
    }
    let own = ["facebook.com", "fb.com"];
    let host = template["link"].as_str().and_then(|l| url::Url::parse(l).ok());
    let host = host.as_ref().and_then(|u| u.host_str()).unwrap_or("");
    if own.iter().any(|o| host == *o || host.ends_with(&format!(".{o}"))) {
        return Err(wrong("the link of a template cannot be a Facebook URL"));
    }
    if template
        .get("call_to_action")
        .is_some_and(|a| a.get("value").is_some())
    {
        return Err(wrong("the value of a template's call_to_action must be omitted"));
    }
    call_to_action(template)
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
    if let Some(action) = action.as_object() {
        known("call_to_action", action)?;
    }
    if let Some(value) = action.get("value").and_then(Value::as_object) {
        known("call_to_action_value", value)?;
    }
    match action["type"].as_str() {
        Some(ty) if Api::get().has("enum", "call_to_action_type", ty) => Ok(()),
        _ => Err(Fault::invalid(
            "call_to_action",
            "type must be one of the call to action types",
        )),
    }
}

/// A catalog's template needs an ad set that promotes the same products: "you must specify the product_set_id in promoted_object for
/// your ad set" (<https://developers.facebook.com/docs/marketing-api/advantage-catalog-ads/get-started>).
fn promoted(creative: &Object, adset: &Object) -> Result<(), Fault> {
    let shown = creative.text("product_set_id");
    let set = adset
        .fields
        .get("promoted_object")
        .and_then(|p| p["product_set_id"].as_str());
    if !shown.is_empty() && set != Some(shown) {
        return Err(Fault::invalid(
            "creative",
            "the ad set's promoted_object must have the product_set_id of the creative",
        ));
    }
    Ok(())
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
    if let Some(creative) = creative {
        promoted(creative, adset)?;
    }
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
