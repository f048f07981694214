//! Which part an asset of the library plays in an ad: by its kind and its proportions.
//!
//! Must not look at the content, nor guess: what fits nowhere is an error that says which sizes there are.
//! Sources: v26/common/ad_type_infos.proto (comments of ResponsiveDisplayAdInfo and DemandGenMultiAssetAdInfo: sizes, ratios within
//! 1 %); developers.google.com/google-ads/api/performance-max/asset-requirements (the same sizes, 5,120 kB).

use super::mapping::{NAME_OF_REF, unfit};
use crate::domain::error::{ErrorClass, LegError};
use crate::domain::plan::Ad;
use crate::domain::spec::{Asset, LegSpec};
use crate::platform::Upload;

/// The most that an image may have.
pub(super) const LARGEST: u64 = 5_120 * 1024;
/// What Google takes. Source: v26/enums/mime_type.proto and the comments on images.
pub(super) const TYPES: [&str; 3] = ["image/jpeg", "image/png", "image/gif"];
/// The library's reference of a video: where it is on YouTube.
pub(super) const YOUTUBE: &str = "youtube_video_id";

/// A part that an image can play.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Landscape,
    Square,
    Portrait,
    TallPortrait,
    Logo,
    WideLogo,
}

/// Role, ratio (width : height), smallest size.
type Rule = (Role, (u64, u64), (u32, u32));

const ROLES: [Rule; 6] = [
    (Role::Landscape, (191, 100), (600, 314)),
    (Role::Square, (1, 1), (300, 300)),
    (Role::Portrait, (4, 5), (480, 600)),
    (Role::TallPortrait, (9, 16), (600, 1067)),
    (Role::Logo, (1, 1), (128, 128)),
    (Role::WideLogo, (4, 1), (512, 128)),
];

/// What a person must be told when an image fits nowhere.
const SIZES: &str = "give an image of 1.91:1 (at least 600 × 314), 1:1 (300 × 300; a logo 128 × 128), 4:5 (480 × 600), 9:16 \
                     (600 × 1067) or, a logo, 4:1 (512 × 128)";

/// The part that an image of this size plays. A square may be a picture or a logo: which, the plan says in
/// `settings.logos`; one that is too small for a picture can only be a logo.
pub(super) fn role(width: u32, height: u32, logo: bool) -> Option<Role> {
    let fits = |(role, (w, h), (least_w, least_h)): &Rule| {
        // |width / height − w / h| ≤ 1 % of w / h.
        let (is, should) = (u64::from(width) * h, u64::from(height) * w);
        let near = is.abs_diff(should) * 100 <= should;
        let logo_role = matches!(role, Role::Logo | Role::WideLogo);
        near && width >= *least_w && height >= *least_h && (!logo || logo_role)
    };
    ROLES.iter().find(|row| fits(row)).map(|(role, _, _)| *role)
}

/// The assets of one ad by the part they play; each is Google's name of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Cast {
    pub landscape: Vec<String>,
    pub square: Vec<String>,
    pub portrait: Vec<String>,
    pub tall_portrait: Vec<String>,
    pub logos: Vec<String>,
    pub wide_logos: Vec<String>,
    pub videos: Vec<String>,
}

/// Sorts an ad's assets. `account`: digits; an asset of another account cannot be used.
pub(super) fn cast(spec: &LegSpec, ad: &Ad, logos: &[String], account: &str) -> Result<Cast, Box<LegError>> {
    let mut cast = Cast::default();
    for id in &ad.asset_ids {
        let asset = spec.assets.get(id).ok_or_else(|| not_there(id))?;
        let name = spec.asset_ref(id, NAME_OF_REF).ok_or_else(|| not_there(id))?;
        if !name.starts_with(&format!("customers/{account}/assets/")) {
            let what = format!("asset {id:?} is {name:?} in the library, which is not of account {account}");
            return Err(unfit(
                what,
                "correct the library's google-ads reference, or take it out: the asset is then uploaded",
            ));
        }
        if asset.kind == "video" {
            cast.videos.push(name.to_owned());
            continue;
        }
        let logo = logos.contains(id);
        let (width, height) = asset.width.zip(asset.height).unwrap_or_default();
        let list = match role(width, height, logo) {
            Some(Role::Landscape) => &mut cast.landscape,
            Some(Role::Square) => &mut cast.square,
            Some(Role::Portrait) => &mut cast.portrait,
            Some(Role::TallPortrait) => &mut cast.tall_portrait,
            Some(Role::Logo) => &mut cast.logos,
            Some(Role::WideLogo) => &mut cast.wide_logos,
            None => {
                let part = if logo { "logo" } else { "part of an ad" };
                let what = format!("image {id:?} of {width} × {height} fits no {part} on Google Ads");
                return Err(unfit(what, SIZES));
            }
        };
        list.push(name.to_owned());
    }
    Ok(cast)
}

/// What an ad lacks or has too many of.
pub(super) fn counted(
    ad: &Ad,
    what: &str,
    list: &[String],
    least: usize,
    most: usize,
) -> Result<(), Box<LegError>> {
    if (least..=most).contains(&list.len()) {
        return Ok(());
    }
    let text = format!(
        "ad {} has {} of {what}, and {least} to {most} are wanted",
        ad.key,
        list.len()
    );
    Err(unfit(
        text,
        "change asset_ids (and settings.logos: the ids among them that are logos) in a new approval of the plan",
    ))
}

fn not_there(id: &str) -> Box<LegError> {
    Box::new(LegError {
        field: Some(format!("asset {id}")),
        ..LegError::new(
            ErrorClass::AssetMissing,
            "google-ads-asset",
            format!("asset {id:?} is not in the Google Ads account"),
            "nothing if it is being uploaded; else put it into the asset library",
        )
    })
}

/// See [`crate::platform::Platform::upload`]. The account's name of an asset tells its content too: another content under the
/// same library id is another asset there.
pub(super) fn upload(spec: &LegSpec, asset: &Asset) -> Result<Option<Upload>, Box<LegError>> {
    let id = asset.asset_id.as_str();
    let known = |field: &str| {
        let refs = asset.platform_refs.get(spec.key.platform.as_str())?;
        refs.get(field).filter(|value| !value.is_empty())
    };
    if known(NAME_OF_REF).is_some() {
        return Ok(None);
    }
    let mark: String = match asset.kind.as_str() {
        "video" => known(YOUTUBE).cloned().ok_or_else(|| {
            Box::new(LegError {
                field: Some(format!("asset {id}")),
                ..LegError::new(
                    ErrorClass::AssetMissing,
                    "google-ads-video",
                    format!("video {id:?} is on no YouTube channel: Google Ads takes videos by their YouTube id alone"),
                    "upload it to YouTube and put its id into the asset library as google-ads.youtube_video_id",
                )
            })
        })?,
        _ => {
            let of = asset.mime_type.as_deref().unwrap_or("image/jpeg");
            if !TYPES.contains(&of) {
                let what = format!("image {id:?} is {of}");
                return Err(unfit(what, "Google Ads takes JPEG, PNG and GIF"));
            }
            if let Some(bytes) = asset.bytes.filter(|bytes| *bytes > LARGEST) {
                let what = format!("image {id:?} has {bytes} bytes; Google Ads takes {LARGEST}");
                return Err(unfit(what, "give a smaller one"));
            }
            let hash = asset.sha256.as_deref().unwrap_or("unknown");
            hash.chars().take(16).collect()
        }
    };
    Ok(Some(Upload {
        asset: asset.clone(),
        name: format!("kobi/{id}/{mark}"),
        needs_content: asset.kind != "video",
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proportions_decide_and_squares_are_logos_where_the_plan_says_so() {
        for (width, height, logo, wanted) in [
            (1200, 628, false, Some(Role::Landscape)),
            (600, 314, false, Some(Role::Landscape)),
            (599, 314, false, None),
            (1200, 640, false, None),
            (1200, 1200, false, Some(Role::Square)),
            (1200, 1200, true, Some(Role::Logo)),
            (128, 128, false, Some(Role::Logo)),
            (127, 127, true, None),
            (960, 1200, false, Some(Role::Portrait)),
            (1080, 1920, false, Some(Role::TallPortrait)),
            (1200, 300, false, Some(Role::WideLogo)),
            (1200, 628, true, None),
            (0, 0, false, None),
        ] {
            assert_eq!(role(width, height, logo), wanted, "{width} × {height} {logo}");
        }
    }
}
