//! TikTok's formats and objectives, as patches of the example plan.
//!
//! Must not test by itself: `formats` walks what stands here.

use serde_json::{Value, json};

/// See `formats::formats`.
pub fn formats() -> Vec<(&'static str, Value, Value)> {
    let nothing = || json!({});
    let catalog = || json!({ "catalog": { "tiktok_catalog_id": "77001", "tiktok_bc_id": "88001" } });
    let settings = |objective: &str, settings: Value| json!({ "objective": objective, "settings": settings });
    let ads = |mut campaign: Value, format: &str, assets: &[&str]| {
        campaign["ad_groups"] = json!([{ "key": "g", "ads": [{ "key": "one", "format": format, "asset_ids": assets,
            "landing_url": "https://shop.acme.example/spring?size=42&utm_source=old", "primary_text": "Light as air.",
            "call_to_action": "shop_now" }] }]);
        campaign
    };
    let music = json!({ "music_id": "6980000000000000001" });
    let pixel = json!({ "pixel_id": "1001", "music_id": "6980000000000000001" });
    let pangle = json!({ "placements": ["PLACEMENT_PANGLE"] });
    let mut returns = settings("sales", json!({ "pixel_id": "1001" }));
    returns["bidding"] = json!({ "strategy": "min_roas", "target_roas": "2.5" });
    let mut capped = settings("traffic", json!({}));
    capped["bidding"] = json!({ "strategy": "cost_cap", "bid": "1.35" });
    vec![
        (
            "single_image, in the feed",
            ads(
                settings("traffic", music.clone()),
                "single_image",
                &["asset-img-001"],
            ),
            nothing(),
        ),
        (
            "single_image, elsewhere",
            ads(settings("traffic", pangle), "single_image", &["asset-img-001"]),
            nothing(),
        ),
        (
            "carousel",
            ads(
                settings("traffic", music),
                "carousel",
                &["asset-img-001", "asset-img-002"],
            ),
            nothing(),
        ),
        (
            "catalog, its own pictures",
            ads(settings("sales", pixel), "catalog", &[]),
            catalog(),
        ),
        (
            "catalog, around a video",
            ads(
                settings("sales", json!({ "pixel_id": "1001", "product_set_id": "5511" })),
                "catalog",
                &VIDEO,
            ),
            catalog(),
        ),
        ("awareness", settings("awareness", json!({})), nothing()),
        ("engagement", settings("engagement", json!({})), nothing()),
        (
            "leads",
            settings(
                "leads",
                json!({ "pixel_id": "1001", "optimization_event": "FORM" }),
            ),
            nothing(),
        ),
        (
            "sales",
            settings("sales", json!({ "pixel_id": "1001" })),
            nothing(),
        ),
        ("sales, for a least return", returns, nothing()),
        ("a cost cap", capped, nothing()),
        (
            "app",
            settings("app", json!({ "app_id": "7123", "app_os": "android" })),
            nothing(),
        ),
        (
            "injected tracking",
            settings("traffic", json!({ "tracking": "injected" })),
            nothing(),
        ),
    ]
}

const VIDEO: [&str; 2] = ["asset-vid-007", "asset-img-002"];
