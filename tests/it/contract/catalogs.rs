//! A plan's catalog is asked about on the platform that has it, and nowhere else.
//!
//! Must not know which platform has catalogs: those that answer for the id that the plan names are they.

use super::bench::Bench;
use campaign_execution::domain::plan::Catalog;
use campaign_execution::platform;
use serde_json::json;

fn catalog(named: &[(&str, &str)]) -> Catalog {
    let mut all = json!({ "merchant_account": null, "meta_catalog_id": null, "tiktok_catalog_id": null, "tiktok_bc_id": null,
        "countries": ["DE"], "max_critical": 0 });
    for (name, id) in named {
        all[*name] = json!(id);
    }
    serde_json::from_value(all).expect("a catalog")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthy_catalog_has_no_finding_and_a_platform_without_one_says_nothing() {
    let every = [
        ("meta_catalog_id", "900001"),
        ("tiktok_catalog_id", "7001002003"),
        ("tiktok_bc_id", "7001"),
    ];
    for platform in platform::all() {
        let name = platform.name();
        let bench = Bench::start(platform).await;
        let health = |catalog: Catalog| {
            let bench = &bench;
            async move { bench.platform.catalog_health(&bench.session, &catalog).await }
        };
        let none = health(catalog(&[])).await.expect("no catalog, no question");
        assert_eq!(none, None, "{name}");
        assert_eq!(bench.requests().await.len(), 0, "{name}: nothing was asked");
        let Some(found) = health(catalog(&every)).await.expect("it answers") else {
            continue;
        };
        assert_eq!(found.findings, [], "{name}");
        assert!(
            every.iter().any(|(_, id)| *id == found.catalog_id),
            "{name}: {found:?}"
        );
        assert!(!bench.requests().await.is_empty(), "{name}: it was asked");
    }
}
