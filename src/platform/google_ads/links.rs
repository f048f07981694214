//! Asset groups, their listing filter, and the links between assets and what shows them: normal forms, to Google and back.
//!
//! Must not choose what is linked: `performance_max` does.
//! Source: v26/resources/{asset_group,asset_group_asset,campaign_asset,asset_group_listing_group_filter}.proto.

use super::ad_forms::short_hash;
use super::forms::filled;
use super::wire::{Asset, AssetGroup, AssetGroupListingGroupFilter, TextAsset};
use serde::{Deserialize, Serialize};

/// The normal form of an asset group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct AssetGroupForm {
    pub name: String,
    pub final_url: String,
    pub path1: Option<String>,
    pub path2: Option<String>,
}

impl AssetGroupForm {
    pub fn wire(&self) -> AssetGroup {
        AssetGroup {
            name: Some(self.name.clone()),
            final_urls: Some(vec![self.final_url.clone()]),
            path1: self.path1.clone(),
            path2: self.path2.clone(),
            ..Default::default()
        }
    }

    pub fn seen(group: &AssetGroup) -> Self {
        let url = group.final_urls.as_ref().and_then(|urls| urls.first());
        Self {
            name: group.name.clone().unwrap_or_default(),
            final_url: url.cloned().unwrap_or_default(),
            path1: filled(group.path1.as_ref()),
            path2: filled(group.path2.as_ref()),
        }
    }

    /// What `updateMask` must name for a field of this form to change.
    pub fn mask(field: &str) -> Option<&'static str> {
        match field {
            "name" => Some("name"),
            "final_url" => Some("finalUrls"),
            "path1" => Some("path1"),
            "path2" => Some("path2"),
            _ => None,
        }
    }
}

/// The normal form of a link: what is shown, in which part. A text's asset is one of our own objects, any other is an upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LinkForm {
    /// `HEADLINE`, `MARKETING_IMAGE` …
    pub part: String,
    pub text: Option<String>,
    /// Google's name of the asset, where it is no text.
    pub asset: Option<String>,
}

impl LinkForm {
    pub fn seen(part: &str, asset: &Asset) -> Self {
        let text = asset.text_asset.as_ref().and_then(|text| text.text.clone());
        Self {
            part: part.to_owned(),
            asset: asset.resource_name.clone().filter(|_| text.is_none()),
            text,
        }
    }

    /// What it says is what it is: another text in the same part is another link.
    pub fn fingerprint(&self) -> String {
        let content = self.text.as_deref().or(self.asset.as_deref()).unwrap_or_default();
        short_hash(&[&self.part, content], 6)
    }

    /// The end of its key: `headline/3f2a…`.
    pub fn key(&self) -> String {
        format!("{}/{}", self.part.to_ascii_lowercase(), self.fingerprint())
    }
}

/// The key of a text that an account is given once, whatever shows it.
pub(super) fn text_key(text: &str) -> String {
    format!("text/{}", short_hash(&[text], 8))
}

/// The asset of a text.
pub(super) fn text_asset(text: &str) -> Asset {
    Asset {
        text_asset: Some(TextAsset {
            text: Some(text.to_owned()),
        }),
        ..Default::default()
    }
}

/// All products of the feed.
/// Source: developers.google.com/google-ads/api/performance-max/listing-groups.
pub(super) fn all_products() -> AssetGroupListingGroupFilter {
    AssetGroupListingGroupFilter {
        kind: Some("UNIT_INCLUDED".to_owned()),
        listing_source: Some("SHOPPING".to_owned()),
        ..Default::default()
    }
}
