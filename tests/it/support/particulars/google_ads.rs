//! Google Ads.

use super::Particulars;
use serde_json::json;
use std::time::Duration;

pub fn particulars() -> Particulars {
    Particulars {
        floor: json!({ "accounts": { "google-ads/1234567890": { "minimum_daily_budget": "9000.00" } } }),
        before_the_budget: &[],
        throttle: (
            json!({ "error": "quotaError.RESOURCE_TEMPORARILY_EXHAUSTED" }),
            Duration::from_secs(5),
        ),
        refusal_in_200: json!({ "error": { "code": 400, "status": "INVALID_ARGUMENT", "message": "no" } }),
        writes: &["mutate", "customers.mutate"],
        provoked: vec![(
            "customers.mutate",
            json!({ "accounts": { "google-ads/1234567890": { "auto_tagging": false } } }),
        )],
    }
}
