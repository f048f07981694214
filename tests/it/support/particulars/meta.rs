//! Meta.

use super::{OwnCatalog, Particulars};
use serde_json::json;
use std::time::Duration;

pub fn particulars() -> Particulars {
    Particulars {
        floor: json!({ "accounts": { "meta/42": { "minimum_daily_budget": 900_000 } } }),
        before_the_budget: &[],
        throttle: (
            json!({ "error": "80004/2446079", "status": 400, "headers": { "x-business-use-case-usage":
                r#"{"1":[{"type":"ads_management","estimated_time_to_regain_access":5}]}"# } }),
            Duration::from_secs(300),
        ),
        refusal_in_200: json!({ "error": { "code": 100, "message": "Invalid parameter", "type": "OAuthException" } }),
        writes: &[
            "campaigns.create",
            "adsets.create",
            "adcreatives.create",
            "ads.create",
            "campaigns.update",
            "ads.update",
        ],
        pause: ("campaigns.update", "PAUSED"),
        provoked: Vec::new(),
        closed: vec![
            (json!({ "account_status": 2, "disable_reason": 1 }), "disabled"),
            (json!({ "account_status": 101 }), "closed"),
            (json!({ "account_status": 100 }), "closed"),
        ],
        open: json!({ "account_status": 1, "disable_reason": 0 }),
        told_floor: Some((
            json!({ "accounts": { "meta/*": { "minimum_daily_budget": 900_000 } } }),
            "120.00",
            "9000.00 EUR",
        )),
        short: Some((
            json!({ "spend_cap": 20_000, "amount_spent": 19_000 }),
            "10.00 EUR",
        )),
        catalog: Some(OwnCatalog {
            named: json!({ "meta_catalog_id": "900001" }),
            address: "meta/900001",
            broken: vec![
                json!({ "feed": "failed" }),
                json!({ "feed": "empty", "products": 0 }),
            ],
        }),
        showing: json!({ "ad_groups": [{ "key": "g", "ads": [{
            "key": "clip", "format": "single_video", "asset_ids": ["asset-vid-007", "asset-img-002"], "headlines": ["Run"],
            "landing_url": "https://shop.acme.example/spring", "primary_text": "Light as air.",
        }] }] }),
        other_channel: None,
        uploads: &["adimages.create", "advideos.create"],
        uploads_are_found: true,
    }
}
