//! Standard Shopping: ad groups that advertise every product of a Merchant Center feed.
//!
//! Must not build requests. What an ad shows and where it leads is the feed's: an ad of the plan stands for "this ad group
//! advertises". Sources: v26/resources/campaign.proto (ShoppingSetting); the example `add_shopping_product_ad` of
//! googleads/google-ads-python (ad group, listing group and ad).

use super::ad_forms::{AnyAd, ProductForm};
use super::check::foreign;
use super::demand_gen::ad_object;
use super::kinds::Kind;
use super::mapping::{Settings, object, unfit};
use crate::domain::error::{ErrorClass, LegError};
use crate::domain::manifest::Desired;
use crate::domain::spec::LegSpec;
use crate::platform::{AccountFacts, Check};
use serde_json::json;

/// The Merchant Center account that the plan relies on.
pub(super) fn merchant(spec: &LegSpec) -> Option<&str> {
    spec.catalog.as_ref()?.merchant_account.as_deref()
}

/// The same, if the Google Ads account may advertise from it.
pub(super) fn linked_merchant(spec: &LegSpec, facts: &AccountFacts) -> Result<String, Box<LegError>> {
    let merchant = merchant(spec).ok_or_else(|| {
        unfit(
            "products come from a Merchant Center account, and the plan names none",
            "give the plan's catalog.merchant_account",
        )
    })?;
    if facts.catalogs.iter().any(|linked| linked == merchant) {
        return Ok(merchant.to_owned());
    }
    let there = if facts.catalogs.is_empty() {
        "none".to_owned()
    } else {
        facts.catalogs.join(", ")
    };
    Err(Box::new(LegError {
        field: Some("catalog.merchant_account".to_owned()),
        ..LegError::new(
            ErrorClass::Account,
            "google-ads-merchant",
            format!(
                "Merchant Center account {merchant} is not linked to the Google Ads account (linked: {there})"
            ),
            "link the two in Merchant Center and accept it in Google Ads; then `retry`",
        )
    }))
}

/// The listing group of each ad group: all products, in one unit.
pub(super) fn criteria(spec: &LegSpec) -> Vec<Desired> {
    let all = spec.campaign.ad_groups.iter().map(|group| {
        let parent = format!("ad_group/{}", group.key);
        let fields = json!({"listing_group": "UNIT", "status": "ENABLED"});
        let key = format!("products/{}", group.key);
        object(&key, Kind::AdGroupCriterion, Some(&parent), None, fields)
    });
    all.collect()
}

/// The product ad of each ad group.
pub(super) fn ads(spec: &LegSpec) -> Vec<Desired> {
    let form = AnyAd::Product(ProductForm {
        format: "shopping_product".to_owned(),
    });
    let each = spec
        .campaign
        .ad_groups
        .iter()
        .flat_map(|group| group.ads.iter().map(move |ad| (group, ad)));
    each.map(|(group, ad)| ad_object(spec, group, ad, &form))
        .collect()
}

/// The channel's own rules.
pub(super) fn check(spec: &LegSpec, settings: &Settings, problems: &mut Check) {
    if merchant(spec).is_none() {
        problems.no(
            "/channel",
            "products come from a Merchant Center account, and the plan names none",
            "give the plan's catalog.merchant_account",
        );
    }
    if settings.priority.is_some_and(|priority| priority > 2) {
        problems.no("/settings/priority", "the priority is 0, 1 or 2", "correct it");
    }
    if !spec.campaign.audience.languages.is_empty() {
        problems.no(
            "/audience/languages",
            "a shopping campaign speaks the language of its feed",
            "leave it out",
        );
    }
    for (at, group) in spec.campaign.ad_groups.iter().enumerate() {
        if group.ads.len() > 1 {
            problems.no(
                format!("/ad_groups/{at}/ads/1"),
                "an ad group of products has one ad: all of them would be the same",
                "leave it out",
            );
        }
        for (n, ad) in group.ads.iter().enumerate() {
            let pointer = format!("/ad_groups/{at}/ads/{n}");
            let fields = [
                "asset_ids",
                "headlines",
                "long_headlines",
                "descriptions",
                "primary_text",
                "call_to_action",
                "path1",
                "path2",
                "width",
                "height",
            ];
            foreign(ad, &pointer, &fields, problems);
        }
    }
}
