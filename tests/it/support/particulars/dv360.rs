//! Display & Video 360.

use super::Particulars;
use serde_json::json;
use std::time::Duration;

pub fn particulars() -> Particulars {
    Particulars {
        floor: json!({ "accounts": { "dv360/99": { "minimum_budget": "100000.00" } } }),
        before_the_budget: &["campaign"],
        // DV360 names no time, but its quotas are per minute.
        throttle: (json!({ "error": "RESOURCE_EXHAUSTED" }), Duration::from_secs(60)),
        refusal_in_200: json!({ "error": { "code": 400, "status": "INVALID_ARGUMENT", "message": "no" } }),
        writes: &[
            "campaigns.create",
            "insertionOrders.create",
            "creatives.create",
            "lineItems.create",
            "lineItems.bulkEditAssignedTargetingOptions",
            "lineItems.update",
            "campaigns.update",
            "insertionOrders.update",
        ],
        pause: ("campaigns.update", "ENTITY_STATUS_PAUSED"),
        provoked: Vec::new(),
        closed: vec![
            (json!({ "account_status": "PAUSED" }), "PAUSED"),
            (json!({ "account_status": "SCHEDULED_FOR_DELETION" }), "DELETION"),
        ],
        open: json!({ "account_status": "ACTIVE" }),
        told_floor: None,
        short: None,
        catalog: None,
        showing: json!({}),
        other_channel: Some(json!({
            "channel": "video",
            "bidding": { "strategy": "maximize_spend", "bid": null, "kpi": { "type": "cpiavc", "amount": "5.00" } },
            "ad_groups": [{ "key": "premium-news", "ads": [{
                "key": "clip", "format": "single_video", "asset_ids": ["asset-vid-007"],
                "landing_url": "https://shop.acme.example/spring",
            }] }],
        })),
        uploads: &["assets.upload"],
        // There is no method that lists or finds assets.
        uploads_are_found: false,
    }
}
