//! What each channel demands of a campaign, its ad groups and its criteria.
//!
//! Must not know assets. Unless said otherwise a rule's source is the comment of its field or error in `resources/*.proto` and
//! `errors/*.proto` of <https://github.com/googleapis/googleapis/tree/master/google/ads/googleads/v25>; bidding:
//! <https://developers.google.com/google-ads/api/docs/campaigns/bidding/strategy-types> and
//! <https://developers.google.com/google-ads/api/performance-max/create-campaign>.

use super::accounts::merchants;
use super::errors::Fault;
use super::mutate::Tx;
use super::rules::{Fields, default, text};
use crate::sandbox::store::Object;
use serde_json::Value;

/// The strategies that a channel can be created with; empty: whatever there is.
fn strategies(channel: &str) -> &'static [&'static str] {
    match channel {
        "SHOPPING" => &["manualCpc", "targetSpend", "targetRoas", "biddingStrategy"],
        "PERFORMANCE_MAX" => &["maximizeConversions", "maximizeConversionValue"],
        "DEMAND_GEN" => &[
            "maximizeConversions",
            "maximizeConversionValue",
            "targetCpa",
            "targetRoas",
            "targetSpend",
            "targetCpc",
        ],
        _ => &[],
    }
}

/// What holds for a campaign of its channel.
pub(super) fn campaign(tx: &Tx<'_>, fields: &Fields) -> Vec<Fault> {
    let channel = text(fields, "advertisingChannelType");
    let mut faults = Vec::new();
    let allowed = strategies(channel);
    let bids = |field: &&String| super::campaigns::BIDDING.contains(&field.as_str());
    if let Some(strategy) = fields.keys().find(bids)
        && !allowed.is_empty()
        && !allowed.contains(&strategy.as_str())
    {
        let code = "CANNOT_CREATE_CAMPAIGN_WITH_BIDDING_STRATEGY";
        let fault = Fault::new("biddingError", code, "The channel does not take this strategy.");
        faults.push(fault.because(strategy).at("campaign_bidding_strategy"));
    }
    if fields.get("brandGuidelinesEnabled") == Some(&Value::Bool(true)) && channel != "PERFORMANCE_MAX" {
        let code = "BRAND_GUIDELINES_UNSUPPORTED_CHANNEL";
        let message = "Brand Guidelines supports Performance Max campaigns.";
        faults.push(Fault::new("campaignError", code, message).at("brand_guidelines_enabled"));
    }
    faults.extend(products(tx, fields, channel));
    faults
}

fn products(tx: &Tx<'_>, fields: &Fields, channel: &str) -> Vec<Fault> {
    let Some(setting) = fields.get("shoppingSetting") else {
        let missing = || {
            let message = "A ShoppingSetting was not found when creating a shopping campaign.";
            Fault::new("campaignError", "MISSING_SHOPPING_SETTING", message).at("shopping_setting")
        };
        return (channel == "SHOPPING").then(missing).into_iter().collect();
    };
    let mut faults = Vec::new();
    match setting["merchantId"].as_str() {
        None => faults.push(Fault::required("shopping_setting.merchant_id")),
        Some(id)
            if !merchants(tx.world, &tx.customer)
                .iter()
                .any(|linked| linked == id) =>
        {
            let message = "Merchant ID is either not found or not linked to the Google Ads customer.";
            let fault =
                Fault::new("merchantCenterError", "MERCHANT_ID_CANNOT_BE_ACCESSED", message).because(id);
            faults.push(fault.at("shopping_setting.merchant_id"));
        }
        Some(_) => {}
    }
    if channel == "SHOPPING" {
        let at = "shopping_setting.campaign_priority";
        match setting["campaignPriority"].as_i64() {
            None => faults.push(Fault::required(at)),
            Some(n) if n < 0 => faults.push(Fault::new("rangeError", "TOO_LOW", "Too low.").at(at)),
            Some(n) if n > 2 => faults.push(Fault::new("rangeError", "TOO_HIGH", "Too high.").at(at)),
            Some(_) => {}
        }
    }
    let label = setting["feedLabel"].as_str().unwrap_or("");
    let letters = |b: u8| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    if label.len() > 20 || !label.bytes().all(letters) {
        let fault = Fault::new("fieldError", "INVALID_VALUE", "The feed label is not valid.").because(label);
        faults.push(fault.at("shopping_setting.feed_label"));
    }
    faults
}

/// The type of an ad group, which its campaign decides.
pub(super) fn ad_group(fields: &mut Fields, channel: &str) -> Option<Fault> {
    let (usual, start) = match channel {
        "SEARCH" => ("SEARCH_STANDARD", "SEARCH_"),
        "DISPLAY" => ("DISPLAY_STANDARD", "DISPLAY_"),
        "SHOPPING" => ("SHOPPING_PRODUCT_ADS", "SHOPPING_"),
        "PERFORMANCE_MAX" => {
            let message = "Cannot add ad groups for the campaign type.";
            return Some(Fault::new(
                "adGroupError",
                "CANNOT_ADD_AD_GROUP_FOR_CAMPAIGN_TYPE",
                message,
            ));
        }
        // The vendor's own to set: its example gives none.
        "DEMAND_GEN" => ("UNSPECIFIED", "UNSPECIFIED"),
        _ => return None,
    };
    default(fields, "type", usual);
    (!text(fields, "type").starts_with(start)).then(|| {
        let code = "AD_GROUP_TYPE_NOT_VALID_FOR_ADVERTISING_CHANNEL_TYPE";
        Fault::new(
            "adGroupError",
            code,
            "The ad group type does not fit the campaign.",
        )
        .at("type")
    })
}

/// Whether an ad group of this channel takes such a criterion.
pub(super) fn criterion(fields: &Fields, ty: &str, channel: &str) -> Option<Fault> {
    if ty == "LISTING_GROUP" {
        if channel != "SHOPPING" {
            let message = "Listing group type is not allowed for specified ad group criterion type.";
            return Some(
                Fault::new("criterionError", "INVALID_LISTING_GROUP_TYPE", message).at("listing_group"),
            );
        }
        let kind = fields
            .get("listingGroup")
            .and_then(|l| l["type"].as_str())
            .unwrap_or("");
        return match kind {
            "UNIT" => None,
            "SUBDIVISION" => {
                let message = "Subdivided listing groups must have an \"others\" case.";
                let code = "LISTING_GROUP_SUBDIVISION_REQUIRES_OTHERS_CASE";
                Some(Fault::new("criterionError", code, message).at("listing_group.type"))
            }
            _ => Some(Fault::required("listing_group.type")),
        };
    }
    let negative = fields.get("negative").and_then(Value::as_bool).unwrap_or(false);
    (ty == "KEYWORD" && channel == "SHOPPING" && !negative).then(|| {
        let message = "Criteria type cannot be targeted for the ad group.";
        Fault::new("adGroupCriterionError", "CANNOT_ADD_CRITERIA_TYPE", message).at("keyword")
    })
}

/// "When this field is set to true, you can use location and language targeting at the ad group level as opposed to the standard
/// campaign-level targeting. This field defaults to true" (`Campaign.DemandGenCampaignSettings`).
pub(super) fn campaign_criterion(ty: &str, campaign: &Object) -> Option<Fault> {
    let setting = campaign.fields.get("demandGenCampaignSettings");
    let upgraded = setting
        .and_then(|s| s["upgradedTargeting"].as_bool())
        .unwrap_or(true);
    let wrong = campaign.text("advertisingChannelType") == "DEMAND_GEN"
        && upgraded
        && matches!(ty, "LOCATION" | "LANGUAGE");
    wrong.then(|| {
        let message = "The criterion belongs to the ad groups of this campaign.";
        Fault::new("contextError", "OPERATION_NOT_PERMITTED_FOR_CONTEXT", message)
    })
}

/// Of a display or video campaign one person sees so many ads in a day, a week or a month
/// (<https://support.google.com/google-ads/answer/117579>); one cap to a key, of at least one impression.
pub(super) fn frequency_caps(fields: &Fields) -> Vec<Fault> {
    const AT: &str = "frequency_caps";
    let caps = fields.get("frequencyCaps").and_then(Value::as_array);
    let caps = caps.map(Vec::as_slice).unwrap_or_default();
    let mut faults = Vec::new();
    if !caps.is_empty() && !matches!(text(fields, "advertisingChannelType"), "DISPLAY" | "VIDEO") {
        let message = "Frequency caps are not permitted in this campaign.";
        faults.push(Fault::new("contextError", "OPERATION_NOT_PERMITTED_FOR_CONTEXT", message).at(AT));
    }
    for (index, entry) in caps.iter().enumerate() {
        if entry["cap"].as_i64().unwrap_or(0) < 1 {
            let message = "The maximum number of impressions should be an integer greater than 0.";
            let fault = Fault::new("campaignError", "MAX_IMPRESSIONS_NOT_IN_RANGE", message);
            faults.push(fault.item(AT, index).at("cap"));
        }
        if caps[..index].iter().any(|other| other["key"] == entry["key"]) {
            let fault = Fault::new("distinctError", "DUPLICATE_ELEMENT", "The key occurs twice.");
            faults.push(fault.item(AT, index).at("key"));
        }
    }
    faults
}
