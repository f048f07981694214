//! The normal form of ad groups, keywords and ads: from Google's resources and to them.
//!
//! Must not compare or send anything. A normal form is a flat JSON object with always the same keys; what is not set is
//! null; amounts are integers in micros; dates are days in the account's zone. Building it from the plan (`mapping`) and
//! from what Google answers (here) must give the same, or every replay would find a change.

use super::creatives::CreativeForm;
use super::forms::filled;
use super::mapping::form;
use super::wire::{
    Ad, AdGroup, AdGroupAd, AdGroupCriterion, AdTextAsset, Empty, Int64, KeywordInfo, ResponsiveSearchAd,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// The normal form of an ad group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct AdGroupForm {
    pub name: String,
    /// With `manual_cpc` only.
    pub cpc_bid_micros: Option<i64>,
}

impl AdGroupForm {
    pub fn wire(&self) -> AdGroup {
        AdGroup {
            name: Some(self.name.clone()),
            cpc_bid_micros: self.cpc_bid_micros.map(Int64),
            ..Default::default()
        }
    }

    /// What `updateMask` must name for a field of this form to change.
    pub fn mask(field: &str) -> Option<&'static str> {
        match field {
            "name" => Some("name"),
            "cpc_bid_micros" => Some("cpcBidMicros"),
            _ => None,
        }
    }

    /// `manual`: whether the bid is ours. Google gives every ad group some bid, which other strategies don't use.
    pub fn seen(group: &AdGroup, manual: bool) -> Self {
        Self {
            name: group.name.clone().unwrap_or_default(),
            cpc_bid_micros: group.cpc_bid_micros.filter(|_| manual).map(|bid| bid.0),
        }
    }
}

/// The normal form of a keyword; for a negative one without status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct KeywordForm {
    pub text: String,
    #[serde(rename = "match")]
    pub match_type: String,
    pub negative: bool,
    /// Null for a negative one: it has none.
    pub status: Option<String>,
}

impl KeywordForm {
    /// None for a criterion of another kind.
    pub fn seen(criterion: &AdGroupCriterion) -> Option<Self> {
        let keyword = criterion.keyword.as_ref()?;
        let negative = criterion.negative.unwrap_or(false);
        Some(Self {
            text: keyword_text(keyword.text.as_deref()?),
            match_type: keyword.match_type.clone()?,
            negative,
            status: criterion.status.clone().filter(|_| !negative),
        })
    }

    pub fn wire(&self) -> AdGroupCriterion {
        AdGroupCriterion {
            status: self.status.clone(),
            negative: self.negative.then_some(true),
            keyword: Some(KeywordInfo {
                text: Some(self.text.clone()),
                match_type: Some(self.match_type.clone()),
            }),
            ..Default::default()
        }
    }

    /// The manifest's key: what the keyword says is what it is.
    pub fn key(&self, ad_group: &str) -> String {
        let sign = if self.negative { "negative" } else { "keyword" };
        let match_type = self.match_type.to_ascii_lowercase();
        format!("{sign}/{ad_group}/{match_type}/{}", short_hash(&[&self.text], 6))
    }
}

/// Keywords are case-insensitive, and one space is as good as two: one form for both.
pub(super) fn keyword_text(text: &str) -> String {
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .to_lowercase()
}

/// The normal form of a responsive search ad.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct AdForm {
    pub final_url: String,
    pub headlines: Vec<String>,
    pub descriptions: Vec<String>,
    pub path1: Option<String>,
    pub path2: Option<String>,
}

impl AdForm {
    pub fn wire_ad(&self) -> Ad {
        let texts = |list: &[String]| {
            let asset = |text: &String| AdTextAsset {
                text: Some(text.clone()),
            };
            Some(list.iter().map(asset).collect())
        };
        Ad {
            final_urls: Some(vec![self.final_url.clone()]),
            responsive_search_ad: Some(ResponsiveSearchAd {
                headlines: texts(&self.headlines),
                descriptions: texts(&self.descriptions),
                path1: self.path1.clone(),
                path2: self.path2.clone(),
            }),
            ..Default::default()
        }
    }

    pub fn seen(ad: &AdGroupAd) -> Self {
        let inner = ad.ad.clone().unwrap_or_default();
        let rsa = inner.responsive_search_ad.unwrap_or_default();
        let texts = |list: Option<Vec<AdTextAsset>>| {
            list.unwrap_or_default()
                .into_iter()
                .map(|asset| asset.text.unwrap_or_default())
                .collect()
        };
        Self {
            final_url: inner
                .final_urls
                .unwrap_or_default()
                .into_iter()
                .next()
                .unwrap_or_default(),
            headlines: texts(rsa.headlines),
            descriptions: texts(rsa.descriptions),
            path1: filled(rsa.path1.as_ref()),
            path2: filled(rsa.path2.as_ref()),
        }
    }

    /// Google has no names for these ads, and would take the same one twice: what an ad says stands for its name.
    pub fn fingerprint(&self) -> String {
        let mut parts: Vec<&str> = vec![&self.final_url];
        parts.extend(self.headlines.iter().map(String::as_str));
        parts.push("\u{0}");
        parts.extend(self.descriptions.iter().map(String::as_str));
        parts.push(self.path1.as_deref().unwrap_or_default());
        parts.push(self.path2.as_deref().unwrap_or_default());
        short_hash(&parts, 8)
    }

    /// What `updateMask` of the *ad* must name for a field of this form to change.
    pub fn mask(field: &str) -> Option<&'static str> {
        match field {
            "final_url" => Some("finalUrls"),
            "headlines" => Some("responsiveSearchAd.headlines"),
            "descriptions" => Some("responsiveSearchAd.descriptions"),
            "path1" => Some("responsiveSearchAd.path1"),
            "path2" => Some("responsiveSearchAd.path2"),
            _ => None,
        }
    }
}

/// The first `bytes` bytes of a SHA-256 over the parts, hex.
pub(super) fn short_hash(parts: &[&str], bytes: usize) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_be_bytes());
        hash.update(part.as_bytes());
    }
    hex::encode(hash.finalize().get(..bytes).unwrap_or_default())
}

/// The normal form of a product ad: what it shows comes from the feed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ProductForm {
    /// Always `shopping_product`.
    pub format: String,
}

/// An ad of whatever kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum AnyAd {
    Search(AdForm),
    Creative(CreativeForm),
    Product(ProductForm),
}

impl AnyAd {
    /// From a normal form; a search ad's is the one that names no format.
    pub fn of(fields: &Value) -> Option<Self> {
        let fields = fields.clone();
        match fields.get("format").and_then(Value::as_str) {
            None => serde_json::from_value(fields).ok().map(Self::Search),
            Some("shopping_product") => serde_json::from_value(fields).ok().map(Self::Product),
            Some(_) => serde_json::from_value(fields).ok().map(Self::Creative),
        }
    }

    pub fn seen(ad: &AdGroupAd) -> Self {
        if let Some(creative) = CreativeForm::seen(ad) {
            return Self::Creative(creative);
        }
        // The ad itself is an empty message, which no query can ask for.
        let kind = ad.ad.as_ref().and_then(|ad| ad.kind.as_deref());
        let product = kind == Some("SHOPPING_PRODUCT_AD");
        if product {
            return Self::Product(ProductForm {
                format: "shopping_product".to_owned(),
            });
        }
        Self::Search(AdForm::seen(ad))
    }

    pub fn form(&self) -> Value {
        match self {
            Self::Search(ad) => form(ad),
            Self::Creative(ad) => form(ad),
            Self::Product(ad) => form(ad),
        }
    }

    /// What it says stands for its name.
    pub fn fingerprint(&self) -> String {
        match self {
            Self::Search(ad) => ad.fingerprint(),
            Self::Creative(ad) => ad.fingerprint(),
            Self::Product(_) => "products".to_owned(),
        }
    }

    pub fn wire_ad(&self) -> Ad {
        match self {
            Self::Search(ad) => ad.wire_ad(),
            Self::Creative(ad) => ad.wire_ad(),
            Self::Product(_) => Ad {
                shopping_product_ad: Some(Empty {}),
                ..Default::default()
            },
        }
    }

    /// What `updateMask` of the *ad* must name for a field of this form to change.
    pub fn mask(&self, field: &str) -> Option<&'static str> {
        match self {
            Self::Search(_) => AdForm::mask(field),
            Self::Creative(ad) => ad.mask(field),
            Self::Product(_) => None,
        }
    }
}
