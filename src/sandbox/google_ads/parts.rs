//! Which parts assets can play: what each demands of a text, an image or a video. Shared by ads made of assets, asset groups and
//! campaigns.
//!
//! Must not know counts; who has the parts does. Sources: comments of `common/ad_type_infos.proto` of
//! <https://github.com/googleapis/googleapis/tree/master/google/ads/googleads/v25/common> (sizes, ratios within 1 %),
//! <https://developers.google.com/google-ads/api/performance-max/asset-requirements> (`ASPECT_RATIO_NOT_ALLOWED` at linking).

use super::errors::Fault;
use crate::sandbox::store::Object;

/// A part: ratio and least size of an image, or the most characters of a text, or a video.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Image { ratio: (u64, u64), least: (u64, u64) },
    Text { most: usize },
    Video,
}

pub(super) const LANDSCAPE: Part = Part::Image {
    ratio: (191, 100),
    least: (600, 314),
};
pub(super) const SQUARE: Part = Part::Image {
    ratio: (1, 1),
    least: (300, 300),
};
pub(super) const PORTRAIT: Part = Part::Image {
    ratio: (4, 5),
    least: (480, 600),
};
pub(super) const TALL: Part = Part::Image {
    ratio: (9, 16),
    least: (600, 1067),
};
pub(super) const LOGO: Part = Part::Image {
    ratio: (1, 1),
    least: (128, 128),
};
pub(super) const WIDE_LOGO: Part = Part::Image {
    ratio: (4, 1),
    least: (512, 128),
};

/// What an `AssetFieldType` demands; None for those that the sandbox doesn't know.
pub(super) fn of(field_type: &str) -> Option<Part> {
    Some(match field_type {
        "HEADLINE" => Part::Text { most: 30 },
        "LONG_HEADLINE" | "DESCRIPTION" => Part::Text { most: 90 },
        "BUSINESS_NAME" => Part::Text { most: 25 },
        "MARKETING_IMAGE" => LANDSCAPE,
        "SQUARE_MARKETING_IMAGE" => SQUARE,
        "PORTRAIT_MARKETING_IMAGE" => PORTRAIT,
        "TALL_PORTRAIT_MARKETING_IMAGE" => TALL,
        "LOGO" => LOGO,
        "LANDSCAPE_LOGO" => WIDE_LOGO,
        "YOUTUBE_VIDEO" => Part::Video,
        _ => return None,
    })
}

/// Whether an asset can play a part.
pub(super) fn fault(part: Part, asset: &Object) -> Option<Fault> {
    let wrong = || {
        let code = "FIELD_TYPE_INCOMPATIBLE_WITH_ASSET_TYPE";
        let message = "The asset's type and the field type are incompatible.";
        Some(Fault::new("assetLinkError", code, message))
    };
    match part {
        Part::Text { most } => {
            let Some(said) = asset.fields.get("textAsset").and_then(|t| t["text"].as_str()) else {
                return wrong();
            };
            (said.chars().count() > most)
                .then(|| Fault::new("stringLengthError", "TOO_LONG", "Too long.").because(said))
        }
        Part::Video => match asset.text("type") {
            "YOUTUBE_VIDEO" => None,
            _ => wrong(),
        },
        Part::Image { ratio, least } => {
            let Some(image) = asset.fields.get("imageAsset") else {
                return wrong();
            };
            let size = |field: &str| -> u64 {
                let text = image["fullSize"][field].as_str().unwrap_or("0");
                text.parse().unwrap_or(0)
            };
            let (width, height) = (size("widthPixels"), size("heightPixels"));
            let (is, should) = (width * ratio.1, height * ratio.0);
            if is.abs_diff(should) * 100 > should {
                let message = "The aspect ratio of the image is not allowed.";
                return Some(Fault::new("imageError", "ASPECT_RATIO_NOT_ALLOWED", message));
            }
            (width < least.0 || height < least.1).then(|| {
                let code = "IMAGE_NOT_WITHIN_SPECIFIED_DIMENSION_RANGE";
                Fault::new("assetLinkError", code, "The image is too small for the field.")
            })
        }
    }
}
