//! What an ad shows, where it leads, how the click is tracked. Pure.
//!
//! Placement decides the format: TikTok's own feed takes no single image (it is refused with 40002), so there a single image goes as a
//! carousel of one; Pangle takes it as it is (`ad_format`, `image_ids` of /ad/create/: "[1, 35] images" for CAROUSEL_ADS).

use super::settings::Settings;
use super::{CAMPAIGN_MACRO, offers};
use crate::domain::error::{ErrorClass, LegError};
use crate::domain::plan::{Ad, Objective};
use crate::domain::spec::LegSpec;
use crate::domain::tracking::with_parameters;
use serde_json::{Map, Value, json};

/// Stands where the literal campaign id goes once it is known.
pub(super) const ID_PLACE: &str = "@campaign.id@";

/// TikTok's own feed.
pub(super) const FEED: &str = "PLACEMENT_TIKTOK";
/// Every placement that can be chosen ("Enumeration – placement"; TopBuzz and Helo are deprecated).
pub(super) const PLACEMENTS: &[&str] = &[FEED, "PLACEMENT_PANGLE", "PLACEMENT_GLOBAL_APP_BUNDLE"];

/// Buttons that an ad may carry ("Enumeration – call to action"), those that lead to a website or an app.
pub(super) const CALLS_TO_ACTION: &[&str] = &[
    "APPLY_NOW",
    "BOOK_NOW",
    "CALL_NOW",
    "CONTACT_US",
    "DOWNLOAD_NOW",
    "EXPERIENCE_NOW",
    "GET_QUOTE",
    "GET_SHOWTIMES",
    "GET_TICKETS_NOW",
    "INSTALL_NOW",
    "INTERESTED",
    "LEARN_MORE",
    "LISTEN_NOW",
    "ORDER_NOW",
    "PLAY_GAME",
    "PREORDER_NOW",
    "READ_MORE",
    "SEND_MESSAGE",
    "SHOP_NOW",
    "SIGN_UP",
    "SUBSCRIBE",
    "VIEW_NOW",
    "VISIT_STORE",
    "WATCH_NOW",
];

/// Where the ads are shown.
pub(super) fn placements(settings: &Settings) -> Vec<&str> {
    if settings.placements.is_empty() {
        return vec![FEED];
    }
    let mut placements: Vec<&str> = settings.placements.iter().map(String::as_str).collect();
    placements.sort_unstable();
    placements.dedup();
    placements
}

/// Everything of an ad but its ad group.
pub(super) fn creative(
    spec: &LegSpec,
    ad: &Ad,
    name: &str,
    settings: &Settings,
) -> Result<Value, Box<LegError>> {
    let mut fields = Map::new();
    fields.insert("ad_name".into(), json!(name));
    fields.insert("identity_type".into(), json!(settings.identity_type));
    fields.insert("identity_id".into(), json!(settings.identity_id));
    if let Some(center) = &settings.identity_authorized_bc_id {
        fields.insert("identity_authorized_bc_id".into(), json!(center));
    }
    fields.insert(
        "ad_text".into(),
        json!(ad.primary_text.as_deref().unwrap_or_default()),
    );
    let action = ad
        .call_to_action
        .as_deref()
        .unwrap_or("learn_more")
        .to_uppercase();
    fields.insert("call_to_action".into(), json!(action));
    match ad.format.as_str() {
        "single_image" if !placements(settings).contains(&FEED) => {
            fields.insert("ad_format".into(), json!("SINGLE_IMAGE"));
            fields.insert("image_ids".into(), json!(images(spec, ad)?));
        }
        "single_image" | "carousel" => {
            fields.insert("ad_format".into(), json!("CAROUSEL_ADS"));
            fields.insert("image_ids".into(), json!(images(spec, ad)?));
            fields.insert("music_id".into(), json!(settings.music_id));
        }
        "catalog" => products(spec, ad, settings, &mut fields)?,
        _ => video(spec, ad, &mut fields)?,
    }
    link(spec, ad, settings, &mut fields);
    Ok(Value::Object(fields))
}

/// A video and its cover, which must have the video's proportions.
fn video(spec: &LegSpec, ad: &Ad, fields: &mut Map<String, Value>) -> Result<(), Box<LegError>> {
    let of_kind = |kind: &str, fallback: usize| {
        let known = ad
            .asset_ids
            .iter()
            .find(|id| spec.assets.get(*id).is_some_and(|a| a.kind == kind));
        known.or(ad.asset_ids.get(fallback)).map_or("", String::as_str)
    };
    fields.insert("ad_format".into(), json!("SINGLE_VIDEO"));
    fields.insert(
        "video_id".into(),
        json!(asset(spec, of_kind("video", 0), "video_id")?),
    );
    fields.insert(
        "image_ids".into(),
        json!([asset(spec, of_kind("image", 1), "image_id")?]),
    );
    Ok(())
}

fn images(spec: &LegSpec, ad: &Ad) -> Result<Vec<String>, Box<LegError>> {
    ad.asset_ids
        .iter()
        .map(|id| asset(spec, id, "image_id"))
        .collect()
}

/// Products of a catalog: around a video where the plan gives one, else as a carousel of their own pictures.
fn products(
    spec: &LegSpec,
    ad: &Ad,
    settings: &Settings,
    fields: &mut Map<String, Value>,
) -> Result<(), Box<LegError>> {
    let (catalog, _) = settings.catalog(spec);
    fields.insert("catalog_id".into(), json!(catalog));
    match &settings.product_set_id {
        Some(set) => {
            fields.insert("product_specific_type".into(), json!("PRODUCT_SET"));
            fields.insert("product_set_id".into(), json!(set));
        }
        None => {
            fields.insert("product_specific_type".into(), json!("ALL"));
        }
    }
    if ad.asset_ids.is_empty() {
        fields.insert("ad_format".into(), json!("CATALOG_CAROUSEL"));
        fields.insert("music_id".into(), json!(settings.music_id));
    } else {
        video(spec, ad, fields)?;
        fields.insert("vertical_video_strategy".into(), json!("SINGLE_VIDEO"));
    }
    Ok(())
}

fn asset(spec: &LegSpec, id: &str, field: &str) -> Result<String, Box<LegError>> {
    spec.asset_ref(id, field).map(str::to_owned).ok_or_else(|| {
        Box::new(LegError {
            field: Some(field.to_owned()),
            ..LegError::new(
                ErrorClass::AssetMissing,
                "asset-missing",
                format!("the asset library has no TikTok {field} for {id:?}"),
                "upload the creative to TikTok by hand and register it in the asset library, then `retry`",
            )
        })
    })
}

/// Whether TikTok fills its macros in there: on its own feed, for every objective but app installs (the list of objectives under `utm_params`
/// of /ad/create/ leaves APP_PROMOTION out, but for pre-registration). Elsewhere the literal id goes.
fn has_macros(spec: &LegSpec, settings: &Settings) -> bool {
    settings.tracking.as_deref() != Some("injected")
        && spec.campaign.objective != Objective::App
        && placements(settings) == [FEED]
}

/// What a click carries. `utm_campaign` is TikTok's own id of the campaign, by macro or literally. An ad's id is never known before
/// it is made, so `utm_content` is its macro, or the plan's own key of the ad.
fn parameters(spec: &LegSpec, ad: &Ad, settings: &Settings) -> Vec<(&'static str, String)> {
    let (campaign, content) = if has_macros(spec, settings) {
        (CAMPAIGN_MACRO, "__CID__")
    } else {
        (ID_PLACE, ad.key.as_str())
    };
    let mut parameters = vec![
        ("utm_source", "tiktok".to_owned()),
        ("utm_medium", "paid_social".to_owned()),
        ("utm_campaign", campaign.to_owned()),
        ("utm_content", content.to_owned()),
    ];
    for (name, value) in [("kcid", &spec.campaign.crm.kcid), ("kpv", &spec.campaign.crm.kpv)] {
        parameters.extend(value.clone().map(|value| (name, value)));
    }
    parameters
}

/// A catalog's links are TikTok's to put together: parameters are appended to them from `utm_params`
/// (`shopping_ads_fallback_type: SHOPPING_ADS`). Everywhere else that list is for accounts that TikTok lets in, and is not
/// appended: the parameters stand in the landing page's URL itself.
fn link(spec: &LegSpec, ad: &Ad, settings: &Settings, fields: &mut Map<String, Value>) {
    let parameters = parameters(spec, ad, settings);
    if offers::shows_products(spec) {
        let list: Vec<Value> = parameters
            .iter()
            .map(|(name, value)| json!({ "key": name, "value": value }))
            .collect();
        fields.insert("shopping_ads_fallback_type".into(), json!("SHOPPING_ADS"));
        fields.insert("utm_params".into(), Value::Array(list));
        return;
    }
    let url = with_parameters(&ad.landing_url, &parameters);
    fields.insert("landing_page_url".into(), json!(url.as_str()));
}
