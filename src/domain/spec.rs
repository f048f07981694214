//! What a leg should look like: the desired state, normalised from the plan, stored with the leg and diffed
//! against the manifest. One leg is one campaign on one platform.
//!
//! Must not contain anything that only one platform understands, except in `settings`.

use super::ids::{LegKey, PlanId, campaign_name};
use super::money::Currency;
use super::plan::{Campaign, Catalog, Plan};
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};

/// The desired state of one leg.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LegSpec {
    /// The idempotency key.
    pub key: LegKey,
    /// The plan.
    pub plan_id: PlanId,
    /// The name on the platform. Given once, kept in the manifest.
    pub campaign_name: String,
    /// The currency of every amount.
    pub currency: Currency,
    /// The plan's zone.
    pub timezone: Tz,
    /// When the payload that this spec comes from was approved.
    pub approved_at: DateTime<Utc>,
    /// What the plan says.
    pub campaign: Campaign,
    /// The tenant's declaration that every new campaign in the EU needs: `does_not_contain` or `contains`.
    pub eu_political_advertising: String,
    /// The product feeds that the plan relies on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catalog: Option<Catalog>,
    /// The assets that the ads name, as the library resolved them. Empty until the gate has looked.
    pub assets: BTreeMap<String, Asset>,
}

/// A creative asset as the library knows it (contract §5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asset {
    /// Its id in the library.
    pub asset_id: String,
    /// `image` or `video`.
    pub kind: String,
    /// Pixels.
    pub width: Option<u32>,
    /// Pixels.
    pub height: Option<u32>,
    /// Of the bytes, hex.
    pub sha256: Option<String>,
    /// `image/jpeg`, `video/mp4` …
    #[serde(default)]
    pub mime_type: Option<String>,
    /// How large it is.
    #[serde(default)]
    pub bytes: Option<u64>,
    /// Where its content can be had, when a platform must be given it.
    #[serde(default)]
    pub url: Option<String>,
    /// What each platform calls it, by platform id: `{"meta": {"image_hash": "…"}}`.
    pub platform_refs: BTreeMap<String, BTreeMap<String, String>>,
}

impl LegSpec {
    /// What the platform's own reference of an asset is, if the library has one: `spec.asset_ref("asset-1", "image_hash")`.
    #[must_use]
    pub fn asset_ref(&self, asset_id: &str, field: &str) -> Option<&str> {
        let refs = self
            .assets
            .get(asset_id)?
            .platform_refs
            .get(self.key.platform.as_str())?;
        refs.get(field).map(String::as_str)
    }

    /// Whether the campaign shall look the same. When it was approved and what it is called make no difference: a name
    /// once given is kept.
    #[must_use]
    pub fn looks_like(&self, other: &Self) -> bool {
        let renamed = Self {
            campaign_name: self.campaign_name.clone(),
            approved_at: self.approved_at,
            ..other.clone()
        };
        *self == renamed
    }

    /// Every asset that an ad names, each once, in the plan's order.
    #[must_use]
    pub fn asset_ids(&self) -> Vec<&str> {
        let mut seen = HashSet::new();
        let ads = self.campaign.ad_groups.iter().flat_map(|group| &group.ads);
        ads.flat_map(|ad| &ad.asset_ids)
            .map(String::as_str)
            .filter(|id| seen.insert(*id))
            .collect()
    }
}

/// The specs of all legs of a plan, in the plan's order.
#[must_use]
pub fn leg_specs(plan: &Plan, eu_political_advertising: &str) -> Vec<LegSpec> {
    let mut kinds = HashSet::new();
    plan.campaigns
        .iter()
        .map(|campaign| {
            let key = LegKey {
                tenant_id: plan.tenant_id.clone(),
                plan_version: plan.plan_version.clone(),
                platform: campaign.platform.clone(),
                logical_campaign_key: campaign.logical_campaign_key.clone(),
            };
            let first = kinds.insert((campaign.platform.clone(), campaign.objective));
            LegSpec {
                campaign_name: campaign_name(&key, campaign.objective.as_str(), first),
                key,
                plan_id: plan.plan_id.clone(),
                currency: plan.currency,
                timezone: plan.timezone,
                approved_at: plan.approved_at,
                campaign: campaign.clone(),
                eu_political_advertising: eu_political_advertising.to_owned(),
                catalog: plan.catalog.clone(),
                assets: BTreeMap::new(),
            }
        })
        .collect()
}
