//! The rules of ads made of assets: responsive display ads, demand gen's multi-asset and video ads; and of which ad fits which
//! campaign.
//!
//! Must not know how an ad is stored. Source: comments of `common/ad_type_infos.proto` of
//! <https://github.com/googleapis/googleapis/tree/master/google/ads/googleads/v25/common>.

use super::errors::{Fault, Step};
use super::mutate::Tx;
use super::parts::{self, LANDSCAPE, LOGO, PORTRAIT, Part, SQUARE, TALL, WIDE_LOGO, fault};
use super::rules::Fields;
use serde_json::Value;

/// A list of assets within an ad: field, in errors, part, least and most.
type List = (&'static str, &'static str, Part, usize, usize);
/// A list of texts within an ad: field, least and most, most characters.
type Texts = (&'static str, usize, usize, usize);

/// What one kind of ad is made of.
struct Made {
    /// The field of `Ad`, and of error paths.
    field: (&'static str, &'static str),
    ty: &'static str,
    channel: &'static str,
    texts: &'static [Texts],
    lists: &'static [List],
    /// At most so many of these lists together, and at least.
    together: &'static [(&'static [&'static str], usize, usize)],
    /// Messages with one text that must be there.
    single: &'static [(&'static str, usize)],
    /// The name of the business is a plain text.
    plain_name: bool,
}

const MADE: &[Made] = &[
    Made {
        field: ("responsiveDisplayAd", "responsive_display_ad"),
        ty: "RESPONSIVE_DISPLAY_AD",
        channel: "DISPLAY",
        texts: &[("headlines", 1, 5, 30), ("descriptions", 1, 5, 90)],
        lists: &[
            ("marketingImages", "marketing_images", LANDSCAPE, 1, 15),
            ("squareMarketingImages", "square_marketing_images", SQUARE, 1, 15),
            ("logoImages", "logo_images", WIDE_LOGO, 0, 5),
            ("squareLogoImages", "square_logo_images", LOGO, 0, 5),
            ("youtubeVideos", "youtube_videos", Part::Video, 0, 5),
        ],
        together: &[
            (&["marketingImages", "squareMarketingImages"], 2, 15),
            (&["logoImages", "squareLogoImages"], 0, 5),
        ],
        single: &[("longHeadline", 90)],
        plain_name: true,
    },
    Made {
        field: ("demandGenMultiAssetAd", "demand_gen_multi_asset_ad"),
        ty: "DEMAND_GEN_MULTI_ASSET_AD",
        channel: "DEMAND_GEN",
        texts: &[("headlines", 1, 5, 30), ("descriptions", 1, 5, 90)],
        lists: &[
            ("marketingImages", "marketing_images", LANDSCAPE, 0, 20),
            ("squareMarketingImages", "square_marketing_images", SQUARE, 0, 20),
            (
                "portraitMarketingImages",
                "portrait_marketing_images",
                PORTRAIT,
                0,
                20,
            ),
            (
                "tallPortraitMarketingImages",
                "tall_portrait_marketing_images",
                TALL,
                0,
                20,
            ),
            ("logoImages", "logo_images", LOGO, 1, 5),
        ],
        together: &[
            (&["marketingImages", "squareMarketingImages"], 1, 20),
            (
                &[
                    "marketingImages",
                    "squareMarketingImages",
                    "portraitMarketingImages",
                    "tallPortraitMarketingImages",
                ],
                1,
                20,
            ),
        ],
        single: &[],
        plain_name: true,
    },
    Made {
        field: ("demandGenVideoResponsiveAd", "demand_gen_video_responsive_ad"),
        ty: "DEMAND_GEN_VIDEO_RESPONSIVE_AD",
        channel: "DEMAND_GEN",
        texts: &[
            ("headlines", 1, 5, 30),
            ("longHeadlines", 1, 5, 90),
            ("descriptions", 1, 5, 90),
        ],
        lists: &[
            ("videos", "videos", Part::Video, 1, 5),
            ("logoImages", "logo_images", LOGO, 1, 5),
        ],
        together: &[],
        single: &[("businessName", 25)],
        plain_name: false,
    },
];

/// `AdType`, and the channel that such ads belong to.
pub(super) fn kind(ad: &Fields) -> Option<(&'static str, &'static str)> {
    if ad.contains_key("responsiveSearchAd") {
        return Some(("RESPONSIVE_SEARCH_AD", "SEARCH"));
    }
    if ad.contains_key("shoppingProductAd") {
        return Some(("SHOPPING_PRODUCT_AD", "SHOPPING"));
    }
    let made = MADE.iter().find(|made| ad.contains_key(made.field.0))?;
    Some((made.ty, made.channel))
}

/// Puts the real names of assets in, and says what is wrong with the ad.
pub(super) fn faults(tx: &Tx<'_>, ad: &mut Fields) -> Vec<Fault> {
    let Some(made) = MADE.iter().find(|made| ad.contains_key(made.field.0)) else {
        return Vec::new();
    };
    let Some(Value::Object(inner)) = ad.get_mut(made.field.0) else {
        return Vec::new();
    };
    let mut faults = Vec::new();
    for (field, least, most, longest) in made.texts {
        faults.extend(texts(inner, field, *least, *most, *longest));
    }
    for (field, longest) in made.single {
        faults.extend(single(inner, field, *longest));
    }
    if made.plain_name {
        let name = inner.get("businessName").and_then(Value::as_str).unwrap_or("");
        if name.is_empty() {
            faults.push(Fault::required("business_name"));
        } else if name.chars().count() > 25 {
            faults.push(
                Fault::new("stringLengthError", "TOO_LONG", "Too long.")
                    .at("business_name")
                    .because(name),
            );
        }
    }
    if let Some(words) = inner.get("callToActionText").and_then(Value::as_str)
        && !CALLS.iter().any(|known| known.eq_ignore_ascii_case(words))
    {
        let message = "Invalid call to action text.";
        let fault = Fault::new("adError", "INVALID_CALL_TO_ACTION_TEXT", message).because(words);
        faults.push(fault.at("call_to_action_text"));
    }
    for list in made.lists {
        faults.extend(assets(tx, inner, list));
    }
    for (fields, least, most) in made.together {
        let count = |field: &&str| inner.get(*field).and_then(Value::as_array).map_or(0, Vec::len);
        let all: usize = fields.iter().map(count).sum();
        faults.extend(size(all, *least, *most).map(|fault| fault.at(&super::mutate::snake(fields[0]))));
    }
    let at = [Step::field(made.field.1)];
    faults.into_iter().map(|fault| fault.under(&at)).collect()
}

/// What may stand on a button. Source: `enums/call_to_action_type.proto` of
/// <https://github.com/googleapis/googleapis/tree/master/google/ads/googleads/v25/enums>.
const CALLS: &[&str] = &[
    "Learn more",
    "Get quote",
    "Apply now",
    "Sign up",
    "Contact us",
    "Subscribe",
    "Download",
    "Book now",
    "Shop now",
    "Buy now",
    "Donate now",
    "Order now",
    "Play now",
    "See more",
    "Start now",
    "Visit site",
    "Watch now",
];

fn size(count: usize, least: usize, most: usize) -> Option<Fault> {
    if count < least {
        Some(Fault::new("collectionSizeError", "TOO_FEW", "Too few."))
    } else if count > most {
        Some(Fault::new("collectionSizeError", "TOO_MANY", "Too many."))
    } else {
        None
    }
}

fn texts(inner: &Fields, field: &str, least: usize, most: usize, longest: usize) -> Vec<Fault> {
    let items = inner
        .get(field)
        .and_then(Value::as_array)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let at = super::mutate::snake(field);
    let mut faults: Vec<Fault> = size(items.len(), least, most)
        .map(|fault| fault.at(&at))
        .into_iter()
        .collect();
    let mut seen: Vec<&str> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let said = item["text"].as_str().unwrap_or("");
        let here = |fault: Fault| fault.item(&at, index).at("text").because(said);
        if said.trim().is_empty() {
            faults.push(here(Fault::new(
                "fieldError",
                "REQUIRED",
                "The required field was not present.",
            )));
        }
        if said.chars().count() > longest {
            faults.push(here(Fault::new("stringLengthError", "TOO_LONG", "Too long.")));
        }
        if seen.contains(&said) {
            faults.push(here(Fault::new(
                "assetError",
                "DUPLICATE_ASSET",
                "Duplicate asset.",
            )));
        }
        seen.push(said);
    }
    faults
}

fn single(inner: &Fields, field: &str, longest: usize) -> Option<Fault> {
    let said = inner
        .get(field)
        .and_then(|message| message["text"].as_str())
        .unwrap_or("");
    let at = format!("{}.text", super::mutate::snake(field));
    if said.is_empty() {
        return Some(Fault::required(&at));
    }
    let long = said.chars().count() > longest;
    long.then(|| {
        Fault::new("stringLengthError", "TOO_LONG", "Too long.")
            .at(&at)
            .because(said)
    })
}

fn assets(tx: &Tx<'_>, inner: &mut Fields, list: &List) -> Vec<Fault> {
    let (field, at, part, least, most) = *list;
    let Some(Value::Array(items)) = inner.get_mut(field) else {
        return size(0, least, most)
            .map(|fault| fault.at(at))
            .into_iter()
            .collect();
    };
    let mut faults: Vec<Fault> = size(items.len(), least, most)
        .map(|fault| fault.at(at))
        .into_iter()
        .collect();
    let mut seen: Vec<String> = Vec::new();
    for (index, item) in items.iter_mut().enumerate() {
        let name = item["asset"].as_str().unwrap_or("").to_owned();
        let here = |mut fault: Fault| {
            fault.path.clear();
            fault.item(at, index).at("asset").because(&name)
        };
        match tx.resolve(&name, "asset", "asset") {
            Err(fault) => faults.push(here(fault)),
            Ok(handle) => {
                let asset = tx.world.store.get(handle);
                faults.extend(fault(part, asset).map(here));
                if seen.contains(&asset.key) {
                    faults.push(here(Fault::new(
                        "assetError",
                        "DUPLICATE_ASSET",
                        "Duplicate asset.",
                    )));
                }
                seen.push(asset.key.clone());
                item["asset"] = asset.key.clone().into();
            }
        }
    }
    faults
}

/// An ad belongs to campaigns of one channel.
pub(super) fn misplaced(ad: &Fields, channel: &str) -> Option<Fault> {
    let (_, wanted) = kind(ad)?;
    (wanted != channel).then(|| {
        let message = "The ad type is not permitted in this campaign.";
        Fault::new("contextError", "OPERATION_NOT_PERMITTED_FOR_CONTEXT", message)
    })
}

/// The part that a link's field type stands for, or why the sandbox cannot say.
pub(super) fn part_of(field_type: &str) -> Result<Part, Fault> {
    if field_type.is_empty() || field_type == "UNSPECIFIED" {
        return Err(Fault::required("field_type"));
    }
    parts::of(field_type).ok_or_else(|| {
        let message = "The given field type is not supported to be added directly through asset links.";
        Fault::new("assetLinkError", "UNSUPPORTED_FIELD_TYPE", message).at("field_type")
    })
}
