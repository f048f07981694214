//! TikTok.

use super::Particulars;
use serde_json::json;
use std::time::Duration;

pub fn particulars() -> Particulars {
    Particulars {
        floor: json!({ "accounts": { "tiktok/7001": { "minimum_daily_budget": "9000.00" } } }),
        before_the_budget: &[],
        throttle: (json!({ "error": "40100" }), Duration::from_secs(60)),
        refusal_in_200: json!({ "code": 40002, "message": "Invalid parameter", "request_id": "1", "data": {} }),
        writes: &[
            "campaign.create",
            "adgroup.create",
            "ad.create",
            "adgroup.status.update",
            "ad.status.update",
            "campaign.status.update",
        ],
        provoked: Vec::new(),
        showing: json!({}),
        uploads: &["file.image.ad.upload", "file.video.ad.upload"],
        uploads_are_found: true,
    }
}
