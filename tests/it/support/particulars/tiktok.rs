//! TikTok.

use super::{OwnCatalog, Particulars};
use serde_json::json;
use std::time::Duration;

pub fn particulars() -> Particulars {
    Particulars {
        floor: json!({ "accounts": { "tiktok/7001": { "minimum_daily_budget": "9000.00" } } }),
        before_the_budget: &[],
        throttle: (json!({ "error": "40100" }), Duration::from_secs(5)),
        refusal_in_200: json!({ "code": 40002, "message": "Invalid parameter", "request_id": "1", "data": {} }),
        writes: &[
            "campaign.create",
            "adgroup.create",
            "ad.create",
            "adgroup.status.update",
            "ad.status.update",
            "campaign.status.update",
        ],
        pause: ("campaign.status.update", "DISABLE"),
        provoked: Vec::new(),
        closed: vec![
            (json!({ "status": "STATUS_DISABLE" }), "closed"),
            (json!({ "status": "STATUS_LIMIT" }), "punished"),
            (json!({ "status": "STATUS_CONFIRM_FAIL" }), "rejected"),
            (json!({ "status": "STATUS_PENDING_CONFIRM" }), "not approved"),
        ],
        open: json!({ "status": "STATUS_ENABLE" }),
        // The floors are the vendor's, per currency ("Budget"); the account tells only the currency.
        told_floor: Some((json!({}), "49.00", "50.00 EUR")),
        short: Some((json!({ "balance": "12.50" }), "12.50 EUR")),
        catalog: Some(OwnCatalog {
            named: json!({ "tiktok_catalog_id": "900001", "tiktok_bc_id": "8001" }),
            address: "tiktok/900001",
            broken: vec![json!({ "feed_status": "FAILED" }), json!({ "approved": 0 })],
        }),
        showing: json!({}),
        other_channel: None,
        uploads: &["file.image.ad.upload", "file.video.ad.upload"],
        uploads_are_found: true,
    }
}
