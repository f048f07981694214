//! Google Ads.

use super::Particulars;
use serde_json::{Value, json};
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
        pause: ("mutate", "PAUSED"),
        provoked: vec![(
            "customers.mutate",
            json!({ "accounts": { "google-ads/1234567890": { "auto_tagging": false } } }),
        )],
        closed: vec![
            (json!({ "account_status": "SUSPENDED" }), "SUSPENDED"),
            // Such an account answers nothing any more.
            (json!({ "account_status": "CANCELED" }), "deactivated"),
            (json!({ "account_status": "CLOSED" }), "deactivated"),
        ],
        open: json!({ "account_status": "ENABLED" }),
        told_floor: None,
        short: Some((
            json!({ "spending_limit": "1000.00", "amount_served": "900.00" }),
            "100.00 EUR",
        )),
        catalog: None,
        showing: display(),
        other_channel: Some(display()),
        uploads: &["assets.mutate"],
        uploads_are_found: true,
    }
}

/// The example's campaign on the Display Network.
fn display() -> Value {
    json!({
        "channel": "display", "bidding": { "strategy": "maximize_conversions" },
        "settings": { "business_name": "Acme Shoes", "logos": ["logo-512x512"] },
        "ad_groups": [{ "key": "all", "ads": [{
            "key": "rd", "format": "responsive_display", "landing_url": "https://shop.acme.example/spring",
            "headlines": ["Acme Shoes"], "long_headlines": ["Light as air: the new spring colours are here"],
            "descriptions": ["New spring colours, light as air."],
            "asset_ids": ["hero-1200x628", "square-1200x1200", "logo-512x512"],
        }] }],
    })
}
