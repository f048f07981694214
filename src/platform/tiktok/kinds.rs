//! The three kinds of objects, and what of each cannot be changed once it is there.
//!
//! Must not decide anything; the table is the vendor's (models `*UpdateBody` of tiktok-business-api-sdk-official 1.1.3).

/// A kind of object.
pub(super) struct Kind {
    /// As the manifest and the paths spell it.
    pub(super) name: &'static str,
    /// The field of its id.
    pub(super) id: &'static str,
    /// The field of many ids.
    pub(super) ids: &'static str,
    /// The field of its name.
    pub(super) named: &'static str,
    /// What an update does not take.
    pub(super) fixed: &'static [&'static str],
}

/// Parents before children.
pub(super) const KINDS: [Kind; 3] = [
    Kind {
        name: "campaign",
        id: "campaign_id",
        ids: "campaign_ids",
        named: "campaign_name",
        fixed: &[
            "objective_type",
            "budget_mode",
            "budget_optimize_on",
            "virtual_objective_type",
            "sales_destination",
            "app_promotion_type",
            "campaign_type",
            "campaign_product_source",
            "app_id",
        ],
    },
    Kind {
        name: "adgroup",
        id: "adgroup_id",
        ids: "adgroup_ids",
        named: "adgroup_name",
        fixed: &[
            "placement_type",
            "placements",
            "promotion_type",
            "promotion_target_type",
            "optimization_goal",
            "optimization_event",
            "billing_event",
            "bid_display_mode",
            "budget_mode",
            "pixel_id",
            "app_id",
            "shopping_ads_type",
            "product_source",
            "catalog_id",
        ],
    },
    Kind {
        name: "ad",
        id: "ad_id",
        ids: "ad_ids",
        named: "ad_name",
        fixed: &["catalog_id"],
    },
];

/// The kind of this name.
pub(super) fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|k| k.name == name)
}
