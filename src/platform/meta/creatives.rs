//! An ad's creative: what it shows, where it leads, how the click is tracked. Pure.
//!
//! Meta lets nothing of a creative be changed but its name, status and labels (facebook-business-sdk-codegen `AdCreative.json`).
//! So key and name carry a digest of what the creative holds: another content is another creative, which the ad is
//! then pointed to, and two contents never bear one name.

use super::settings::Settings;
use super::{CAMPAIGN_MACRO, mapping};
use crate::domain::error::{ErrorClass, LegError};
use crate::domain::manifest::Desired;
use crate::domain::plan::{Ad, AdGroup};
use crate::domain::spec::LegSpec;
use crate::domain::tracking::without_utm;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// Stands in `url_tags` where the literal campaign id goes once it is known.
pub(super) const ID_PLACE: &str = "@campaign.id@";

/// Longest name of a creative; reference pages before v20 gave this limit, later ones are silent.
const NAME_MAX: usize = 100;
/// Hexadecimal digits of a digest in a name.
const DIGEST: usize = 10;

/// The creative of an ad.
pub(super) fn creative(
    spec: &LegSpec,
    group: &AdGroup,
    ad: &Ad,
    settings: &Settings,
) -> Result<Desired, Box<LegError>> {
    let story = story(spec, ad, settings)?;
    let tags = url_tags(spec, settings);
    let digest = digest(&format!("{}\n{tags}", canonical(&story)));
    let name = name(&mapping::ad_name(spec, group, ad), &digest);
    Ok(Desired {
        key: format!("creative/{}/{}/{digest}", group.key, ad.key),
        kind: "adcreative",
        parent: Some("campaign".to_owned()),
        name: Some(name.clone()),
        fields: json!({ "name": name, "object_story_spec": story, "url_tags": tags }),
        switchable: false,
    })
}

fn digest(text: &str) -> String {
    let mut hex = hex::encode(Sha256::digest(text.as_bytes()));
    hex.truncate(DIGEST);
    hex
}

/// `{ad}/creative-{digest}`; where that is too long, cut, with a digest of what was cut.
fn name(ad: &str, content: &str) -> String {
    let full = format!("{ad}/creative-{content}");
    if full.chars().count() <= NAME_MAX {
        return full;
    }
    let kept: String = ad.chars().take(NAME_MAX - 2 * DIGEST - 2).collect();
    format!("{kept}~{}-{content}", digest(ad))
}

/// The value with its keys in order, whatever order the map keeps.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let mut pairs: Vec<(&String, &Value)> = map.iter().collect();
            pairs.sort_by(|one, other| one.0.cmp(other.0));
            let parts: Vec<String> = pairs
                .iter()
                .map(|(k, v)| format!("{}:{}", json!(k), canonical(v)))
                .collect();
            format!("{{{}}}", parts.join(","))
        }
        Value::Array(items) => {
            let parts: Vec<String> = items.iter().map(canonical).collect();
            format!("[{}]", parts.join(","))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
    }
}

fn story(spec: &LegSpec, ad: &Ad, settings: &Settings) -> Result<Value, Box<LegError>> {
    let mut story = Map::new();
    story.insert("page_id".into(), json!(settings.page_id));
    if let Some(instagram) = &settings.instagram_user_id {
        story.insert("instagram_user_id".into(), json!(instagram));
    }
    let (field, data) = if ad.format == "single_video" {
        ("video_data", video_data(spec, ad)?)
    } else {
        ("link_data", link_data(spec, ad)?)
    };
    story.insert(field.into(), Value::Object(data));
    Ok(Value::Object(story))
}

fn action(ad: &Ad) -> Option<String> {
    ad.call_to_action.as_ref().map(|a| a.to_uppercase())
}

fn texts(ad: &Ad, title: &str, description: &str) -> Map<String, Value> {
    let given = [
        ("message", ad.primary_text.as_ref()),
        (title, ad.headlines.first()),
        (description, ad.descriptions.first()),
    ];
    given
        .into_iter()
        .filter_map(|(field, text)| Some((field.to_owned(), json!(text?))))
        .collect()
}

fn link_data(spec: &LegSpec, ad: &Ad) -> Result<Map<String, Value>, Box<LegError>> {
    let mut data = texts(ad, "name", "description");
    data.insert("link".into(), json!(without_utm(&ad.landing_url).0.as_str()));
    let image = asset(
        spec,
        ad.asset_ids.first().map_or("", String::as_str),
        "image_hash",
    )?;
    data.insert("image_hash".into(), json!(image));
    if let Some(kind) = action(ad) {
        data.insert("call_to_action".into(), json!({ "type": kind }));
    }
    Ok(data)
}

/// A video needs a thumbnail (100/1443226), and its button is its only link.
fn video_data(spec: &LegSpec, ad: &Ad) -> Result<Map<String, Value>, Box<LegError>> {
    let of_kind = |kind: &str, fallback: usize| {
        let known = ad
            .asset_ids
            .iter()
            .find(|id| spec.assets.get(*id).is_some_and(|a| a.kind == kind));
        known.or(ad.asset_ids.get(fallback)).map_or("", String::as_str)
    };
    let mut data = texts(ad, "title", "link_description");
    data.insert(
        "video_id".into(),
        json!(asset(spec, of_kind("video", 0), "video_id")?),
    );
    data.insert(
        "image_hash".into(),
        json!(asset(spec, of_kind("image", 1), "image_hash")?),
    );
    let link = without_utm(&ad.landing_url).0;
    let kind = action(ad).unwrap_or_else(|| "LEARN_MORE".to_owned());
    data.insert(
        "call_to_action".into(),
        json!({ "type": kind, "value": { "link": link.as_str() } }),
    );
    Ok(data)
}

fn asset(spec: &LegSpec, id: &str, field: &str) -> Result<String, Box<LegError>> {
    spec.asset_ref(id, field).map(str::to_owned).ok_or_else(|| {
        Box::new(LegError {
            field: Some(field.to_owned()),
            ..LegError::new(
                ErrorClass::AssetMissing,
                "asset-missing",
                format!("the asset library has no Meta {field} for {id:?}"),
                "upload the creative to Meta by hand and register it in the asset library, then `retry`",
            )
        })
    })
}

/// What Meta appends to every click. `utm_campaign` is the platform's own id: by macro, which works in link and video
/// ads on every placement, or literally where the plan asks for it. An ad's id is never known before its creative, so
/// `utm_content` stays a macro either way.
fn url_tags(spec: &LegSpec, settings: &Settings) -> String {
    let campaign = if settings.tracking.as_deref() == Some("injected") {
        ID_PLACE
    } else {
        CAMPAIGN_MACRO
    };
    let mut tags = format!(
        "utm_source=facebook&utm_medium=paid_social&utm_campaign={campaign}&utm_content={{{{ad.id}}}}"
    );
    for (name, value) in [("kcid", &spec.campaign.crm.kcid), ("kpv", &spec.campaign.crm.kpv)] {
        if let Some(value) = value {
            let encoded: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
            tags.push_str(&format!("&{name}={encoded}"));
        }
    }
    tags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_is_cut_and_stays_its_own() {
        let short = name("kobi_a/g/ad", "0123456789");
        assert_eq!(short, "kobi_a/g/ad/creative-0123456789");
        let (one, other) = (
            name(&format!("{}1", "x".repeat(300)), "0123456789"),
            name(&format!("{}2", "x".repeat(300)), "0123456789"),
        );
        assert_eq!(one.chars().count(), NAME_MAX);
        assert_ne!(one, other);
    }

    #[test]
    fn the_order_of_keys_makes_no_other_creative() {
        let one: Value = serde_json::from_str(r#"{"b":[1,{"d":2,"c":3}],"a":"x"}"#).expect("JSON");
        let other: Value = serde_json::from_str(r#"{"a":"x","b":[1,{"c":3,"d":2}]}"#).expect("JSON");
        assert_eq!(canonical(&one), canonical(&other));
        assert_eq!(canonical(&one), r#"{"a":"x","b":[1,{"c":3,"d":2}]}"#);
    }
}
