//! An ad's creative: what it shows, where it leads, how the click is tracked. Pure.
//!
//! Meta lets nothing of a creative be changed but its name, status and labels (facebook-business-sdk-codegen `AdCreative.json`).
//! So key and name carry a digest of what the creative holds: another content is another creative, which the ad is
//! then pointed to, and two contents never bear one name.

use super::settings::Settings;
use super::{AD_MACRO, CAMPAIGN_MACRO, formats, mapping};
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
    let tags = url_tags(spec, group, ad, settings);
    let mut content = format!("{}\n{tags}", canonical(&story));
    let products = settings
        .product_set_id
        .as_ref()
        .filter(|_| ad.format == formats::CATALOG);
    if let Some(set) = products {
        content.push_str(&format!("\n{set}"));
    }
    let digest = digest(&content);
    let name = name(&mapping::ad_name(spec, group, ad), &digest);
    let mut fields = json!({ "name": name, "object_story_spec": story, "url_tags": tags });
    if let Some(set) = products {
        fields["product_set_id"] = json!(set);
    }
    Ok(Desired {
        key: format!("creative/{}/{}/{digest}", group.key, ad.key),
        kind: "adcreative",
        parent: Some("campaign".to_owned()),
        name: Some(name),
        fields,
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
    let (field, data) = match ad.format.as_str() {
        formats::VIDEO => ("video_data", video_data(spec, ad)?),
        formats::CAROUSEL => ("link_data", carousel(spec, ad)?),
        formats::CATALOG => ("template_data", template(spec, ad)),
        _ => ("link_data", link_data(spec, ad)?),
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
    data.insert("link".into(), json!(link(spec, ad)));
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

/// The plan's order of cards is kept: without the switch Meta sorts them by what it expects of them.
fn carousel(spec: &LegSpec, ad: &Ad) -> Result<Map<String, Value>, Box<LegError>> {
    let link = link(spec, ad);
    let of = |texts: &[String], n: usize| texts.get(n).or(texts.first()).cloned();
    let cards = formats::cards(spec, ad);
    let texts = [ad.headlines.len(), ad.descriptions.len()];
    if !formats::CARDS.contains(&cards.len()) || !texts.iter().all(|n| formats::texts_fit(cards.len(), *n)) {
        return Err(Box::new(LegError::new(
            ErrorClass::Validation,
            "meta-carousel",
            format!(
                "{}: a carousel has two to ten cards, each with a text or all with one; here are {} cards with {texts:?}",
                ad.key,
                cards.len()
            ),
            "correct the plan and publish it again",
        )));
    }
    let mut children = Vec::new();
    for (n, card) in cards.iter().enumerate() {
        let mut child = Map::new();
        child.insert("link".into(), json!(link));
        let still = match card.still {
            Some(still) => {
                child.insert("video_id".into(), json!(asset(spec, card.shown, "video_id")?));
                still
            }
            None => card.shown,
        };
        child.insert("image_hash".into(), json!(asset(spec, still, "image_hash")?));
        for (field, texts) in [("name", &ad.headlines), ("description", &ad.descriptions)] {
            if let Some(text) = of(texts, n) {
                child.insert(field.into(), json!(text));
            }
        }
        if let Some(kind) = action(ad) {
            child.insert("call_to_action".into(), json!({ "type": kind }));
        }
        children.push(Value::Object(child));
    }
    let mut data = Map::new();
    if let Some(text) = &ad.primary_text {
        data.insert("message".into(), json!(text));
    }
    data.insert("link".into(), json!(link));
    data.insert("multi_share_optimized".into(), json!(false));
    data.insert("child_attachments".into(), Value::Array(children));
    Ok(data)
}

/// What Meta fills with each product (`{{product.name}}` in the texts). The link is only the end card's: products lead where
/// their feed says; a button has no `value` here (advantage-catalog-ads/get-started).
fn template(spec: &LegSpec, ad: &Ad) -> Map<String, Value> {
    let mut data = texts(ad, "name", "description");
    data.insert("link".into(), json!(link(spec, ad)));
    if let Some(kind) = action(ad) {
        data.insert("call_to_action".into(), json!({ "type": kind }));
    }
    data
}

/// A video needs a thumbnail (100/1443226), and its button is its only link.
fn video_data(spec: &LegSpec, ad: &Ad) -> Result<Map<String, Value>, Box<LegError>> {
    let of_kind = |kind: &str, fallback: usize| {
        let is = |id: &&String| formats::kind(spec, id) == Some(kind);
        let known = ad.asset_ids.iter().find(is);
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
    let kind = action(ad).unwrap_or_else(|| "LEARN_MORE".to_owned());
    data.insert(
        "call_to_action".into(),
        json!({ "type": kind, "value": { "link": link(spec, ad) } }),
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
                format!("neither the asset library nor the ad account has a Meta {field} for {id:?}"),
                "upload the creative to Meta by hand and register it in the asset library, then `retry`",
            )
        })
    })
}

/// The landing URL without what `url_tags` will add to it: Meta appends them, so that a parameter in both would stand there
/// twice.
fn link(spec: &LegSpec, ad: &Ad) -> String {
    let mut url = without_utm(&ad.landing_url).0;
    let ours = |pair: &str| {
        let name = url::form_urlencoded::parse(pair.as_bytes()).next();
        name.is_some_and(|(name, _)| crm(spec).iter().any(|(ours, _)| *ours == name))
    };
    if let Some(query) = url.query() {
        let kept: Vec<&str> = query.split('&').filter(|pair| !ours(pair)).collect();
        if kept.len() < query.split('&').count() {
            let kept = kept.join("&");
            url.set_query((!kept.is_empty()).then_some(kept.as_str()));
        }
    }
    url.to_string()
}

/// The client's own ids, those that the plan gives.
fn crm(spec: &LegSpec) -> Vec<(&'static str, &str)> {
    let crm = &spec.campaign.crm;
    [("kcid", &crm.kcid), ("kpv", &crm.kpv)]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.as_deref()?)))
        .collect()
}

/// What Meta appends to every click of the creative, its cards' alike.
///
/// | format | `utm_campaign` | `utm_content` | why |
/// |---|---|---|---|
/// | `single_image`, `single_video`, `carousel` | `{{campaign.id}}` | `{{ad.id}}` | a page post's links are put together when the ad is shown, on every placement |
/// | `catalog` | the literal id | the ad's own key | a product's link comes from its feed, and the template's braces are the products' own (`{{product.name}}`) |
/// | any, with `settings.tracking: injected` | the literal id | the ad's own key | the plan asks for it |
///
/// Where the campaign's id is literal there is no macro at all: what is not resolved in one place is not in the other. The
/// campaign exists before its creatives, an ad does not, so its key stands for it.
fn url_tags(spec: &LegSpec, group: &AdGroup, ad: &Ad, settings: &Settings) -> String {
    let literal = settings.tracking.as_deref() == Some("injected") || ad.format == formats::CATALOG;
    let (campaign, content) = if literal {
        (ID_PLACE, format!("{}_{}", group.key, ad.key))
    } else {
        (CAMPAIGN_MACRO, AD_MACRO.to_owned())
    };
    let mut tags =
        format!("utm_source=facebook&utm_medium=paid_social&utm_campaign={campaign}&utm_content={content}");
    for (name, value) in crm(spec) {
        let encoded: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
        tags.push_str(&format!("&{name}={encoded}"));
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
