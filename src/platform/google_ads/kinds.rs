//! The kinds of objects that make up a campaign, and how Google names each: collection, operation, result.
//!
//! Must not build or read a resource: `mapping` and `lookup` do.

use crate::domain::tenant::Account;
use serde_json::{Value, json};

/// The path's first segment. A major version lives about twelve months; v26 is the newest of November 2026.
/// Source: developers.google.com/google-ads/api/docs/sunset-dates.
pub(super) const VERSION: &str = "v26";

/// A kind of object. In the order in which Google wants the operations of one request: grouped by type, so that each
/// type is one call of its back end, and parents first.
/// Source: developers.google.com/google-ads/api/docs/mutating/best-practices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Budget,
    Label,
    /// A text; images and videos are uploads.
    Asset,
    Campaign,
    CampaignCriterion,
    CampaignLabel,
    CampaignAsset,
    AdGroup,
    AdGroupCriterion,
    AdGroupAd,
    AssetGroup,
    ListingGroupFilter,
    AssetGroupAsset,
}

impl Kind {
    /// All, in that order.
    pub const ALL: [Self; 13] = [
        Self::Budget,
        Self::Label,
        Self::Asset,
        Self::Campaign,
        Self::CampaignCriterion,
        Self::CampaignLabel,
        Self::CampaignAsset,
        Self::AdGroup,
        Self::AdGroupCriterion,
        Self::AdGroupAd,
        Self::AssetGroup,
        Self::ListingGroupFilter,
        Self::AssetGroupAsset,
    ];

    /// As the manifest spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Budget => "campaign_budget",
            Self::Label => "label",
            Self::Campaign => "campaign",
            Self::CampaignCriterion => "campaign_criterion",
            Self::CampaignLabel => "campaign_label",
            Self::AdGroup => "ad_group",
            Self::AdGroupCriterion => "ad_group_criterion",
            Self::AdGroupAd => "ad_group_ad",
            Self::Asset => "asset",
            Self::CampaignAsset => "campaign_asset",
            Self::AssetGroup => "asset_group",
            Self::ListingGroupFilter => "asset_group_listing_group_filter",
            Self::AssetGroupAsset => "asset_group_asset",
        }
    }

    /// The kind that the manifest spells so.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// The part of a resource name between the customer's and the object's id.
    pub fn collection(self) -> &'static str {
        match self {
            Self::Budget => "campaignBudgets",
            Self::Label => "labels",
            Self::Campaign => "campaigns",
            Self::CampaignCriterion => "campaignCriteria",
            Self::CampaignLabel => "campaignLabels",
            Self::AdGroup => "adGroups",
            Self::AdGroupCriterion => "adGroupCriteria",
            Self::AdGroupAd => "adGroupAds",
            Self::Asset => "assets",
            Self::CampaignAsset => "campaignAssets",
            Self::AssetGroup => "assetGroups",
            Self::ListingGroupFilter => "assetGroupListingGroupFilters",
            Self::AssetGroupAsset => "assetGroupAssets",
        }
    }

    /// The field of `MutateOperation` that carries an operation on it.
    fn operation(self) -> &'static str {
        match self {
            Self::Budget => "campaignBudgetOperation",
            Self::Label => "labelOperation",
            Self::Campaign => "campaignOperation",
            Self::CampaignCriterion => "campaignCriterionOperation",
            Self::CampaignLabel => "campaignLabelOperation",
            Self::AdGroup => "adGroupOperation",
            Self::AdGroupCriterion => "adGroupCriterionOperation",
            Self::AdGroupAd => "adGroupAdOperation",
            Self::Asset => "assetOperation",
            Self::CampaignAsset => "campaignAssetOperation",
            Self::AssetGroup => "assetGroupOperation",
            Self::ListingGroupFilter => "assetGroupListingGroupFilterOperation",
            Self::AssetGroupAsset => "assetGroupAssetOperation",
        }
    }

    /// Whether it has a switch that we turn. Keywords have one too, which is on from the first: what they belong to has its own.
    pub fn is_switchable(self) -> bool {
        match self {
            Self::Campaign | Self::AdGroup | Self::AdGroupAd | Self::AssetGroup => true,
            Self::Budget
            | Self::Label
            | Self::Asset
            | Self::CampaignCriterion
            | Self::CampaignLabel
            | Self::CampaignAsset
            | Self::AdGroupCriterion
            | Self::ListingGroupFilter
            | Self::AssetGroupAsset => false,
        }
    }

    /// Whether it joins an asset to something: what such a group must have at the least and may have at the most is counted
    /// after each request, so one takes another's place within one request.
    pub fn is_link(self) -> bool {
        match self {
            Self::CampaignAsset | Self::AssetGroupAsset => true,
            Self::Budget
            | Self::Label
            | Self::Asset
            | Self::Campaign
            | Self::CampaignCriterion
            | Self::CampaignLabel
            | Self::AdGroup
            | Self::AdGroupCriterion
            | Self::AdGroupAd
            | Self::AssetGroup
            | Self::ListingGroupFilter => false,
        }
    }

    /// `{"campaignOperation": {"create": …}}`.
    pub fn create(self, resource: Value) -> Value {
        json!({ self.operation(): { "create": resource } })
    }

    /// `{"campaignOperation": {"update": …, "updateMask": "…"}}`.
    pub fn update(self, resource: Value, mask: &[&str]) -> Value {
        json!({ self.operation(): { "update": resource, "updateMask": mask.join(",") } })
    }

    /// `{"campaignOperation": {"remove": "…"}}`.
    pub fn remove(self, resource_name: &str) -> Value {
        json!({ self.operation(): { "remove": resource_name } })
    }

    /// Google's full name of an object.
    pub fn resource_name(self, account: &Account, id: &str) -> String {
        format!(
            "customers/{}/{}/{id}",
            digits(&account.account_id),
            self.collection()
        )
    }
}

/// The id in a resource name, which is what the manifest keeps: `2`, `3~4`.
pub(super) fn id_of(resource_name: &str) -> Option<&str> {
    let (_, id) = resource_name.rsplit_once('/')?;
    (!id.is_empty()).then_some(id)
}

/// A customer id as the API wants it: `123-456-7890` → `1234567890`.
pub(super) fn digits(account_id: &str) -> String {
    account_id.chars().filter(char::is_ascii_digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_round_trip() {
        for kind in Kind::ALL {
            assert_eq!(Kind::parse(kind.as_str()), Some(kind));
        }
        assert_eq!(id_of("customers/1/adGroupAds/3~4"), Some("3~4"));
        assert_eq!(id_of("customers/1/adGroupAds/"), None);
        assert_eq!(digits("123-456-7890"), "1234567890");
    }
}
