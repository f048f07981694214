//! A slow platform, and a leg with much to send: what goes out at the same time never meets on one object, so that nothing is
//! refused for being changed by two requests at once.
//!
//! Must not name a platform: the sandbox knows which of them mind.

use crate::amend::{amended, order};
use crate::support::app::App;
use crate::support::{particulars, plans};
use campaign_execution::platform;
use serde_json::{Value, json};

/// How long the platform takes for a write; reads are quick, so that what is read first is sent while others are still on their way.
const SLOW_MS: i64 = 60;

/// A campaign with so many ad groups alike.
fn wide(platform: &str, version: &str, groups: usize) -> Value {
    let mut plan = plans::only(plans::running_plan(version), platform);
    let all = &mut plan["campaigns"][0]["ad_groups"];
    let one = all[0].clone();
    let group = |n| {
        let mut group = one.clone();
        group["key"] = json!(format!("group-{n}"));
        group
    };
    *all = (0..groups).map(group).collect();
    plan
}

/// What the platform refused because another request was changing the same thing: its method and its body.
fn clashes(requests: &[Value]) -> Vec<String> {
    let said = |r: &&Value| {
        let answer = r["response"].to_string();
        r["status"] == 409 || answer.contains("ABORTED") || answer.contains("CONCURRENT_MODIFICATION")
    };
    let refused = requests.iter().filter(said);
    refused
        .map(|r| format!("{} {}", r["method"], r["body"]))
        .collect()
}

/// How many writes came in before the one before them could be answered.
fn overlaps(requests: &[Value]) -> usize {
    let at = |r: &&Value| {
        let text = r["at"].as_str().expect("a time");
        chrono::DateTime::parse_from_rfc3339(text)
            .expect("a time")
            .timestamp_millis()
    };
    let writes: Vec<i64> = requests
        .iter()
        .filter(|r| r["effect"] == true)
        .map(|r| at(&r))
        .collect();
    writes
        .windows(2)
        .filter(|pair| pair[1] - pair[0] < SLOW_MS)
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_out_at_the_same_time_never_meets() {
    for platform in platform::all() {
        let name = platform.name();
        let app = App::start().await;
        let plan = wide(name, "wide.1", 3);
        for write in particulars::of(name).writes {
            app.fault(json!({ "vendor": name, "method": write, "latency_ms": SLOW_MS }))
                .await;
        }
        app.publish(&plan).await;
        app.settle_and_warp(8).await;
        // Each ad group in itself and in what it addresses, and one more.
        let mut latest = amended(&plan, 1, |plan| {
            let campaign = &mut plan["campaigns"][0];
            campaign["audience"]["countries"] = json!(["DE", "AT", "FR"]);
            if campaign["bidding"]["bid"].is_string() {
                campaign["bidding"]["bid"] = json!("3.10");
            }
            campaign["ad_groups"] = wide(name, "wide.1", 4)["campaigns"][0]["ad_groups"].clone();
        });
        app.publish(&latest).await;
        app.settle_and_warp(8).await;
        latest = amended(&latest, 2, |plan| {
            plan["campaigns"][0]["ad_groups"]
                .as_array_mut()
                .expect("groups")
                .truncate(2);
            for group in plan["campaigns"][0]["ad_groups"].as_array_mut().expect("groups") {
                group["ads"][0]["landing_url"] = json!("https://shop.acme.example/summer");
            }
        });
        app.publish(&latest).await;
        app.settle_and_warp(8).await;
        let legs = app.legs(&plan).await;
        assert!(
            legs.values().all(|s| s == "live" || s == "scheduled"),
            "{name}: {legs:?}"
        );
        order(&app, &latest, "rollback").await;
        app.settle_and_warp(8).await;
        let legs = app.legs(&plan).await;
        assert!(legs.values().all(|s| s == "undone"), "{name}: {legs:?}");
        let path = format!("requests?vendor={name}&limit=10000");
        let answer = app.control(reqwest::Method::GET, &path, None).await;
        let requests = answer["requests"].as_array().expect("requests");
        assert_eq!(clashes(requests), [] as [String; 0], "{name}");
        // A platform with one atomic call for all sends nothing beside it.
        let alone = particulars::of(name)
            .writes
            .iter()
            .all(|write| write.contains("mutate"));
        assert!(
            alone || overlaps(requests) > 5,
            "{name}: it was not busy enough to see anything"
        );
    }
}
