//! Ads made of assets: responsive display ads, demand gen's multi-asset and video ads. Their normal form, to Google and back.
//!
//! Must not choose assets (`images`), nor check texts (the channel's file).
//! Sources: v26/common/ad_type_infos.proto; developers.google.com/google-ads/api/docs/ads/mutable-ads (these can be changed).

use super::ad_forms::short_hash;
use super::forms::filled;
use super::images::Cast;
use super::wire::{
    Ad, AdAsset, AdGroupAd, AdTextAsset, DemandGenMultiAssetAd, DemandGenVideoResponsiveAd,
    ResponsiveDisplayAd,
};
use serde::{Deserialize, Serialize};

/// Which of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Format {
    ResponsiveDisplay,
    MultiAsset,
    VideoResponsive,
}

/// The normal form. Assets are Google's names of them; what a format doesn't have is empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct CreativeForm {
    pub format: Format,
    pub final_url: String,
    pub headlines: Vec<String>,
    pub long_headlines: Vec<String>,
    pub descriptions: Vec<String>,
    pub business_name: Option<String>,
    pub call_to_action: Option<String>,
    pub landscape: Vec<String>,
    pub square: Vec<String>,
    pub portrait: Vec<String>,
    pub tall_portrait: Vec<String>,
    pub logos: Vec<String>,
    pub wide_logos: Vec<String>,
    pub videos: Vec<String>,
}

fn texts(list: &[String]) -> Option<Vec<AdTextAsset>> {
    let asset = |text: &String| AdTextAsset {
        text: Some(text.clone()),
    };
    (!list.is_empty()).then(|| list.iter().map(asset).collect())
}

fn assets(list: &[String]) -> Option<Vec<AdAsset>> {
    let asset = |name: &String| AdAsset {
        asset: Some(name.clone()),
    };
    (!list.is_empty()).then(|| list.iter().map(asset).collect())
}

fn told(list: Option<Vec<AdTextAsset>>) -> Vec<String> {
    let all = list.unwrap_or_default().into_iter();
    all.map(|asset| asset.text.unwrap_or_default()).collect()
}

fn named(list: Option<Vec<AdAsset>>) -> Vec<String> {
    let all = list.unwrap_or_default().into_iter();
    all.map(|asset| asset.asset.unwrap_or_default()).collect()
}

impl CreativeForm {
    /// Takes in what plays which part.
    pub fn with(mut self, cast: Cast) -> Self {
        self.landscape = cast.landscape;
        self.square = cast.square;
        self.portrait = cast.portrait;
        self.tall_portrait = cast.tall_portrait;
        self.logos = cast.logos;
        self.wide_logos = cast.wide_logos;
        self.videos = cast.videos;
        self
    }

    pub fn wire_ad(&self) -> Ad {
        let mut ad = Ad {
            final_urls: Some(vec![self.final_url.clone()]),
            ..Default::default()
        };
        let one = |text: &String| AdTextAsset {
            text: Some(text.clone()),
        };
        match self.format {
            Format::ResponsiveDisplay => {
                ad.responsive_display_ad = Some(ResponsiveDisplayAd {
                    marketing_images: assets(&self.landscape),
                    square_marketing_images: assets(&self.square),
                    logo_images: assets(&self.wide_logos),
                    square_logo_images: assets(&self.logos),
                    headlines: texts(&self.headlines),
                    long_headline: self.long_headlines.first().map(one),
                    descriptions: texts(&self.descriptions),
                    youtube_videos: assets(&self.videos),
                    business_name: self.business_name.clone(),
                    call_to_action_text: self.call_to_action.clone(),
                });
            }
            Format::MultiAsset => {
                ad.demand_gen_multi_asset_ad = Some(DemandGenMultiAssetAd {
                    marketing_images: assets(&self.landscape),
                    square_marketing_images: assets(&self.square),
                    portrait_marketing_images: assets(&self.portrait),
                    tall_portrait_marketing_images: assets(&self.tall_portrait),
                    logo_images: assets(&self.logos),
                    headlines: texts(&self.headlines),
                    descriptions: texts(&self.descriptions),
                    business_name: self.business_name.clone(),
                    call_to_action_text: self.call_to_action.clone(),
                });
            }
            Format::VideoResponsive => {
                ad.demand_gen_video_responsive_ad = Some(DemandGenVideoResponsiveAd {
                    headlines: texts(&self.headlines),
                    long_headlines: texts(&self.long_headlines),
                    descriptions: texts(&self.descriptions),
                    videos: assets(&self.videos),
                    logo_images: assets(&self.logos),
                    business_name: self.business_name.as_ref().map(one),
                });
            }
        }
        ad
    }

    /// None for an ad of another kind.
    pub fn seen(link: &AdGroupAd) -> Option<Self> {
        let ad = link.ad.clone()?;
        let url = ad.final_urls.unwrap_or_default().into_iter().next();
        let base = |format| Self {
            format,
            final_url: url.clone().unwrap_or_default(),
            headlines: Vec::new(),
            long_headlines: Vec::new(),
            descriptions: Vec::new(),
            business_name: None,
            call_to_action: None,
            landscape: Vec::new(),
            square: Vec::new(),
            portrait: Vec::new(),
            tall_portrait: Vec::new(),
            logos: Vec::new(),
            wide_logos: Vec::new(),
            videos: Vec::new(),
        };
        if let Some(ad) = ad.responsive_display_ad {
            return Some(Self {
                headlines: told(ad.headlines),
                long_headlines: ad.long_headline.and_then(|text| text.text).into_iter().collect(),
                descriptions: told(ad.descriptions),
                business_name: filled(ad.business_name.as_ref()),
                call_to_action: filled(ad.call_to_action_text.as_ref()),
                landscape: named(ad.marketing_images),
                square: named(ad.square_marketing_images),
                logos: named(ad.square_logo_images),
                wide_logos: named(ad.logo_images),
                videos: named(ad.youtube_videos),
                ..base(Format::ResponsiveDisplay)
            });
        }
        if let Some(ad) = ad.demand_gen_multi_asset_ad {
            return Some(Self {
                headlines: told(ad.headlines),
                descriptions: told(ad.descriptions),
                business_name: filled(ad.business_name.as_ref()),
                call_to_action: filled(ad.call_to_action_text.as_ref()),
                landscape: named(ad.marketing_images),
                square: named(ad.square_marketing_images),
                portrait: named(ad.portrait_marketing_images),
                tall_portrait: named(ad.tall_portrait_marketing_images),
                logos: named(ad.logo_images),
                ..base(Format::MultiAsset)
            });
        }
        let ad = ad.demand_gen_video_responsive_ad?;
        Some(Self {
            headlines: told(ad.headlines),
            long_headlines: told(ad.long_headlines),
            descriptions: told(ad.descriptions),
            business_name: ad.business_name.and_then(|name| name.text),
            videos: named(ad.videos),
            logos: named(ad.logo_images),
            ..base(Format::VideoResponsive)
        })
    }

    /// Google has no unique names for these ads, and would take the same one twice: what an ad says and shows stands for its name.
    pub fn fingerprint(&self) -> String {
        let lists = [
            &self.headlines,
            &self.long_headlines,
            &self.descriptions,
            &self.landscape,
            &self.square,
            &self.portrait,
            &self.tall_portrait,
            &self.logos,
            &self.wide_logos,
            &self.videos,
        ];
        let mut parts: Vec<&str> = vec![&self.final_url];
        for list in lists {
            parts.extend(list.iter().map(String::as_str));
            parts.push("\u{0}");
        }
        parts.push(self.business_name.as_deref().unwrap_or_default());
        parts.push(self.call_to_action.as_deref().unwrap_or_default());
        short_hash(&parts, 8)
    }

    /// What `updateMask` of the *ad* must name for a field of this form to change.
    pub fn mask(&self, field: &str) -> Option<&'static str> {
        let of = |display, multi, video| match self.format {
            Format::ResponsiveDisplay => display,
            Format::MultiAsset => multi,
            Format::VideoResponsive => video,
        };
        match field {
            "final_url" => Some("finalUrls"),
            "headlines" => of(
                Some("responsiveDisplayAd.headlines"),
                Some("demandGenMultiAssetAd.headlines"),
                Some("demandGenVideoResponsiveAd.headlines"),
            ),
            "long_headlines" => of(
                Some("responsiveDisplayAd.longHeadline.text"),
                None,
                Some("demandGenVideoResponsiveAd.longHeadlines"),
            ),
            "descriptions" => of(
                Some("responsiveDisplayAd.descriptions"),
                Some("demandGenMultiAssetAd.descriptions"),
                Some("demandGenVideoResponsiveAd.descriptions"),
            ),
            "business_name" => of(
                Some("responsiveDisplayAd.businessName"),
                Some("demandGenMultiAssetAd.businessName"),
                Some("demandGenVideoResponsiveAd.businessName.text"),
            ),
            "call_to_action" => of(
                Some("responsiveDisplayAd.callToActionText"),
                Some("demandGenMultiAssetAd.callToActionText"),
                None,
            ),
            "landscape" => of(
                Some("responsiveDisplayAd.marketingImages"),
                Some("demandGenMultiAssetAd.marketingImages"),
                None,
            ),
            "square" => of(
                Some("responsiveDisplayAd.squareMarketingImages"),
                Some("demandGenMultiAssetAd.squareMarketingImages"),
                None,
            ),
            "portrait" => of(None, Some("demandGenMultiAssetAd.portraitMarketingImages"), None),
            "tall_portrait" => of(
                None,
                Some("demandGenMultiAssetAd.tallPortraitMarketingImages"),
                None,
            ),
            "logos" => of(
                Some("responsiveDisplayAd.squareLogoImages"),
                Some("demandGenMultiAssetAd.logoImages"),
                Some("demandGenVideoResponsiveAd.logoImages"),
            ),
            "wide_logos" => of(Some("responsiveDisplayAd.logoImages"), None, None),
            "videos" => of(
                Some("responsiveDisplayAd.youtubeVideos"),
                None,
                Some("demandGenVideoResponsiveAd.videos"),
            ),
            _ => None,
        }
    }
}
