//! Ads: up to twenty in a call, each with its creative.
//!
//! Must not know how files come to be. Source: /ad/create/ (<https://business-api.tiktok.com/portal/docs?id=1739953377508354>) and /ad/update/.

use super::errors::Fault;
use super::rules::{named, one_of, required};
use super::{Done, Fields, files, text, texts, write};
use crate::sandbox::store::{Handle, Object};
use crate::sandbox::world::{World, mentions};
use serde_json::{Value, json};

/// Ads of one call.
const BATCH: usize = 20;
/// Fields that an update keeps when it says nothing about them: identity of the ad, not content.
const KEPT: &[&str] = &[
    "ad_id",
    "adgroup_id",
    "campaign_id",
    "advertiser_id",
    "operation_status",
    "status",
    "create_time",
    "modify_time",
    "catalog_id",
    "_name",
    "_index",
    "_request",
];
/// What `patch_update` may change (/ad/update/).
const PATCHABLE: &[&str] = &[
    "ad_id",
    "ad_name",
    "identity_type",
    "identity_id",
    "identity_authorized_bc_id",
    "video_id",
    "image_ids",
    "music_id",
    "tiktok_item_id",
    "ad_text",
];
const FORMATS: &[&str] = &[
    "SINGLE_VIDEO",
    "SINGLE_IMAGE",
    "CAROUSEL_ADS",
    "CATALOG_CAROUSEL",
    "LIVE_CONTENT",
];
const CALLS_TO_ACTION: &[&str] = &[
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
    "VIEW_PROFILE",
    "VISIT_STORE",
    "WATCH_LIVE",
    "WATCH_NOW",
];

/// Where an ad stands.
struct Place<'a> {
    world: &'a World,
    account: &'a str,
    group: &'a Object,
    campaign: &'a Object,
}

impl Place<'_> {
    /// Whether products of a catalog are shown.
    fn sells_products(&self) -> bool {
        self.campaign.text("objective_type") == "PRODUCT_SALES"
            && self.group.text("product_source") == "CATALOG"
    }
}

fn creatives(body: &Fields) -> Result<Vec<Fields>, Fault> {
    let list = body
        .get("creatives")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    if list.is_empty() || list.len() > BATCH {
        return Err(Fault::new(
            40_061,
            format!("creatives: the number must be between 1 and {BATCH}."),
        ));
    }
    Ok(list.into_iter().filter_map(|c| c.as_object().cloned()).collect())
}

fn group(world: &World, account: &str, body: &Fields) -> Result<Handle, Fault> {
    let id = text(body, "adgroup_id");
    let handle = write::find(world, account, "adgroup", id);
    let there = handle.filter(|h| world.store.get(*h).text("status") != "DELETED");
    there.ok_or_else(|| {
        Fault::field(
            "adgroup_id",
            &format!("Ad group {id} does not exist or has been deleted."),
        )
    })
}

fn place<'a>(world: &'a World, account: &'a str, handle: Handle) -> Result<Place<'a>, Fault> {
    let group = world.store.get(handle);
    let campaign = group.parent.map(|h| world.store.get(h));
    Ok(Place {
        world,
        account,
        group,
        campaign: campaign.ok_or_else(|| Fault::field("adgroup_id", "has no campaign."))?,
    })
}

/// Makes ads. There is no `request_id`, and no name is unique.
pub(super) fn create(world: &mut World, account: &str, body: &Fields) -> Result<Done, Fault> {
    let handle = group(world, account, body)?;
    let creatives = creatives(body)?;
    for creative in &creatives {
        check(&place(world, account, handle)?, creative)?;
    }
    let (campaign, group_id) = {
        let place = place(world, account, handle)?;
        (place.campaign.id.clone(), place.group.id.clone())
    };
    let mut made = Vec::new();
    for mut creative in creatives {
        creative.insert("adgroup_id".into(), group_id.clone().into());
        creative.insert("campaign_id".into(), campaign.clone().into());
        let ad = write::make(world, account, "ad", Some(handle), creative);
        made.push(write::shown(world.store.get(ad)));
    }
    let ids: Vec<Value> = made.iter().map(|ad| ad["ad_id"].clone()).collect();
    let data = json!({ "ad_ids": ids, "creatives": made, "need_audit": true });
    Ok(Done::wrote(data, true))
}

/// Changes ads. What a complete creative leaves out is gone; `patch_update` changes some fields and keeps the rest.
pub(super) fn update(world: &mut World, account: &str, body: &Fields) -> Result<Done, Fault> {
    let handle = group(world, account, body)?;
    let patch = body.get("patch_update").and_then(Value::as_bool) == Some(true);
    let (mut ids, mut unchanged) = (Vec::new(), 0);
    for creative in creatives(body)? {
        let id = text(&creative, "ad_id").to_owned();
        let ad = write::find(world, account, "ad", &id).filter(|h| {
            let ad = world.store.get(*h);
            ad.parent == Some(handle) && ad.text("status") != "DELETED"
        });
        let ad =
            ad.ok_or_else(|| Fault::field("ad_id", &format!("Ad {id} does not exist or has been deleted.")))?;
        if let Some(name) = creative
            .keys()
            .find(|n| patch && !PATCHABLE.contains(&n.as_str()))
        {
            return Err(Fault::field(name, "is not supported by patch_update."));
        }
        let old = world.store.get(ad).fields.clone();
        let format = text(&old, "ad_format");
        let carousel = matches!(format, "CAROUSEL_ADS" | "CATALOG_CAROUSEL");
        if carousel && !patch && text(&creative, "ad_format") != format {
            return Err(Fault::field("ad_format", "of a carousel cannot be updated."));
        }
        let kept = |name: &String| patch || KEPT.contains(&name.as_str());
        let mut after: Fields = old
            .iter()
            .filter(|(n, _)| kept(n))
            .map(|(n, v)| (n.clone(), v.clone()))
            .collect();
        after.extend(creative);
        check(&place(world, account, handle)?, &after)?;
        match write::change(world, ad, after) {
            Ok(()) => ids.push(id),
            Err(fault) if fault.code == 40_012 => unchanged += 1,
            Err(fault) => return Err(fault),
        }
    }
    if ids.is_empty() && unchanged > 0 {
        return Err(Fault::new(40_012, "No update: the request changes nothing."));
    }
    Ok(Done::wrote(json!({ "ad_ids": ids, "need_audit": true }), true))
}

fn check(place: &Place<'_>, ad: &Fields) -> Result<(), Fault> {
    named(ad, "ad_name", 512)?;
    required(ad, "ad_format")?;
    one_of(ad, "ad_format", FORMATS)?;
    one_of(ad, "operation_status", &["ENABLE", "DISABLE"])?;
    identity(ad)?;
    text_of(ad)?;
    format(place, ad)?;
    products(place, ad)?;
    link(place, ad)?;
    let words = [
        text(ad, "ad_name"),
        text(ad, "ad_text"),
        text(ad, "landing_page_url"),
    ];
    if mentions(&place.world.switches.policy_finding, &words) {
        return Err(Fault::new(
            41_000,
            "The ad is blocked: it does not follow the advertising policies.",
        ));
    }
    Ok(())
}

fn identity(ad: &Fields) -> Result<(), Fault> {
    for name in ["identity_type", "identity_id"] {
        required(ad, name)?;
    }
    one_of(
        ad,
        "identity_type",
        &["CUSTOMIZED_USER", "AUTH_CODE", "TT_USER", "BC_AUTH_TT"],
    )?;
    if text(ad, "identity_type") == "BC_AUTH_TT" {
        return required(ad, "identity_authorized_bc_id");
    }
    Ok(())
}

/// A text of 1 to 100 characters, and a button or a set of buttons.
fn text_of(ad: &Fields) -> Result<(), Fault> {
    named(ad, "ad_text", 100)?;
    one_of(ad, "call_to_action", CALLS_TO_ACTION)?;
    if text(ad, "call_to_action").is_empty() {
        return required(ad, "call_to_action_id");
    }
    Ok(())
}

/// What each format needs, and where it is shown.
fn format(place: &Place<'_>, ad: &Fields) -> Result<(), Fault> {
    let placements = texts(&place.group.fields, "placements");
    let feed = placements.contains(&"PLACEMENT_TIKTOK");
    let images = texts(ad, "image_ids").len();
    match text(ad, "ad_format") {
        "SINGLE_VIDEO" => {
            required(ad, "video_id")?;
            // The cover; its proportions are the video's.
            if images != 1 {
                return Err(Fault::field(
                    "image_ids",
                    "SINGLE_VIDEO needs exactly one image as its cover.",
                ));
            }
            files::usable(place.world, place.account, text(ad, "video_id"))
        }
        // "TikTok does not support one static image as an in-feed ad."
        "SINGLE_IMAGE" if feed => Err(Fault::field(
            "ad_format",
            "SINGLE_IMAGE is not supported by PLACEMENT_TIKTOK.",
        )),
        "SINGLE_IMAGE" if images != 1 => {
            Err(Fault::field("image_ids", "SINGLE_IMAGE needs exactly one image."))
        }
        "CAROUSEL_ADS" | "CATALOG_CAROUSEL" if placements != ["PLACEMENT_TIKTOK"] => Err(Fault::field(
            "ad_format",
            "Carousels are supported by PLACEMENT_TIKTOK only.",
        )),
        "CAROUSEL_ADS" => {
            required(ad, "music_id")?;
            if !(1..=35).contains(&images) || !text(ad, "video_id").is_empty() {
                return Err(Fault::field(
                    "image_ids",
                    "CAROUSEL_ADS needs 1 to 35 images and no video.",
                ));
            }
            Ok(())
        }
        "CATALOG_CAROUSEL" => {
            required(ad, "music_id")?;
            if place.sells_products() {
                return Ok(());
            }
            Err(Fault::field(
                "ad_format",
                "CATALOG_CAROUSEL is for catalog ads only.",
            ))
        }
        "LIVE_CONTENT" => Err(Fault::field(
            "ad_format",
            "LIVE_CONTENT is for live shopping ads only.",
        )),
        _ => Ok(()),
    }
}

fn products(place: &Place<'_>, ad: &Fields) -> Result<(), Fault> {
    if !place.sells_products() {
        return Ok(());
    }
    for name in ["catalog_id", "product_specific_type"] {
        required(ad, name)?;
    }
    if text(ad, "catalog_id") != place.group.text("catalog_id") {
        return Err(Fault::field("catalog_id", "must be the ad group's catalog."));
    }
    one_of(
        ad,
        "product_specific_type",
        &["ALL", "PRODUCT_SET", "CUSTOMIZED_PRODUCTS"],
    )?;
    one_of(
        ad,
        "shopping_ads_fallback_type",
        &["DEFAULT", "CUSTOM", "SHOPPING_ADS"],
    )?;
    match text(ad, "product_specific_type") {
        "PRODUCT_SET" if texts(ad, "item_group_ids").is_empty() => required(ad, "product_set_id"),
        "CUSTOMIZED_PRODUCTS" => required(ad, "sku_ids"),
        _ => Ok(()),
    }
}

/// A link where a website is promoted. `utm_params` are for catalog ads, and elsewhere for some accounts only; beside a link of
/// one's own they must be what its query says.
fn link(place: &Place<'_>, ad: &Fields) -> Result<(), Fault> {
    let url = text(ad, "landing_page_url");
    if !url.is_empty() && !url::Url::parse(url).is_ok_and(|u| matches!(u.scheme(), "http" | "https")) {
        return Err(Fault::field("landing_page_url", "Not a valid URL."));
    }
    let website = matches!(place.group.text("promotion_type"), "WEBSITE" | "LEAD_GENERATION");
    let products = place.sells_products() && text(ad, "shopping_ads_fallback_type") == "SHOPPING_ADS";
    if website && !products && ad.get("page_id").is_none() {
        required(ad, "landing_page_url")?;
    }
    let parameters = ad
        .get("utm_params")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    if parameters.is_empty() {
        return Ok(());
    }
    if !place.sells_products() {
        return Err(Fault::whitelist("utm_params"));
    }
    let pair = |p: &Value| {
        let of = |name: &str| p[name].as_str().unwrap_or("").to_owned();
        (of("key"), of("value"))
    };
    let pairs: Vec<(String, String)> = parameters.iter().map(pair).collect();
    let fits = |(key, value): &(String, String)| (1..=100).contains(&key.len()) && value.len() <= 600;
    if pairs.len() > 14 || !pairs.iter().all(fits) {
        return Err(Fault::field(
            "utm_params",
            "at most 14, keys up to 100 and values up to 600 characters.",
        ));
    }
    if url.is_empty() {
        return Ok(());
    }
    let query: Vec<(String, String)> = url::Url::parse(url)
        .map(|u| u.query_pairs().into_owned().collect())
        .unwrap_or_default();
    if pairs.iter().all(|p| query.contains(p)) {
        return Ok(());
    }
    Err(Fault::field(
        "utm_params",
        "must match the parameters of landing_page_url.",
    ))
}
