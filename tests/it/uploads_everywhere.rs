//! Assets that the library has no reference of a platform's for, given to the account by the platform's own calls: the whole way
//! from the plan to the ad that shows them, on every platform.
//!
//! Must not name a platform: what its calls are called and which campaign shows assets stands in `support/particulars`. What the
//! service makes of uploads in general is `uploads`' to test, with a shelf in the platform's place.

use crate::support::app::App;
use crate::support::particulars::{self, Particulars};
use crate::support::plans::{self, merge};
use campaign_execution::platform;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// A service, one platform, and a library that has none of its references, but for ids that begin with `known-`.
struct Bench {
    app: App,
    name: &'static str,
    own: Particulars,
}

impl Bench {
    async fn start(name: &'static str) -> Self {
        let app = App::start().await;
        app.world(json!({ "assets": { "*": { "needs_upload": [name] } } }))
            .await;
        let own = particulars::of(name);
        Self { app, name, own }
    }

    /// A plan with one campaign, whose ads show assets.
    fn plan(&self, version: &str) -> Value {
        let mut plan = plans::only(plans::plan(version), self.name);
        plan["plan_id"] = json!(version.replace('.', "-"));
        merge(&mut plan["campaigns"][0], &self.own.showing);
        plan
    }

    /// The assets of a plan.
    fn assets(plan: &Value) -> BTreeSet<String> {
        let ads = plan["campaigns"].as_array().into_iter().flatten();
        let groups = ads.flat_map(|c| c["ad_groups"].as_array().into_iter().flatten());
        let ads = groups.flat_map(|g| g["ads"].as_array().into_iter().flatten());
        let ids = ads.flat_map(|ad| ad["asset_ids"].as_array().into_iter().flatten());
        ids.filter_map(|id| id.as_str().map(str::to_owned)).collect()
    }

    /// Uploads that the account got, and those of them that left something there.
    async fn uploads(&self) -> (u64, u64) {
        let counts = self.app.control(reqwest::Method::GET, "counts", None).await;
        let of = |what: &str| {
            let each = self.own.uploads.iter().map(|method| {
                let method = format!("{}.{method}", self.name);
                counts["counts"][self.name][method.as_str()][what]
                    .as_u64()
                    .unwrap_or(0)
            });
            each.sum()
        };
        (of("requests"), of("effects"))
    }

    async fn state(&self, plan: &Value, n: usize) -> String {
        let key = plan["campaigns"][n]["logical_campaign_key"]
            .as_str()
            .expect("a key");
        let legs = self.app.legs(plan).await;
        legs[&format!("{}/{key}", self.name)].clone()
    }

    /// What the account is recorded to hold, ready to be used.
    async fn recorded(&self) -> u64 {
        let ready = "SELECT count(*) FROM platform_asset WHERE state = 'ready' AND refs <> '{}'";
        u64::try_from(self.app.number(ready).await).expect("a count")
    }

    fn told(&self, state: &str) -> usize {
        let events = self.app.events("execution.touchpoint");
        let ours =
            |e: &&crate::support::app::Event| e.data["kind"] == "missing_asset" && e.data["state"] == state;
        events.iter().filter(ours).count()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_given_an_asset_once_and_the_next_plan_uses_it() {
    for platform in platform::all() {
        let name = platform.name();
        let bench = Bench::start(name).await;
        let first = bench.plan("first.1");
        let shown = Bench::assets(&first).len() as u64;
        assert!(shown > 0, "{name}: the campaign shows nothing");
        bench.app.publish(&first).await;
        bench.app.settle_and_warp(10).await;
        assert_eq!(bench.state(&first, 0).await, "scheduled", "{name}");
        assert_eq!(bench.uploads().await, (shown, shown), "{name}: each once");
        assert_eq!(bench.recorded().await, shown, "{name}");

        let second = bench.plan("second.1");
        bench.app.publish(&second).await;
        bench.app.settle_and_warp(10).await;
        assert_eq!(bench.state(&second, 0).await, "scheduled", "{name}");
        assert_eq!(
            bench.uploads().await,
            (shown, shown),
            "{name}: what is recorded is used"
        );
        bench.app.assert_no_duplicates().await;
        bench.app.assert_audit_whole().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_whose_answer_is_lost_is_looked_for_and_not_made_again() {
    for platform in platform::all() {
        let name = platform.name();
        let bench = Bench::start(name).await;
        for method in bench.own.uploads {
            bench
                .app
                .fault(json!({ "vendor": name, "method": method, "kind": "reset", "effect": "after", "times": 1 }))
                .await;
        }
        let plan = bench.plan("lost.1");
        let shown = Bench::assets(&plan).len() as u64;
        bench.app.publish(&plan).await;
        bench.app.settle_and_warp(20).await;
        assert_eq!(bench.state(&plan, 0).await, "scheduled", "{name}");
        let (sent, left) = bench.uploads().await;
        // Where nothing can be looked up, the one that got lost lies there, named by no ad and by nothing of ours.
        let lost = if bench.own.uploads_are_found { 0 } else { 1 };
        assert_eq!(left, shown + lost, "{name}: sent {sent} times");
        assert!(
            sent <= shown + bench.own.uploads.len() as u64,
            "{name}: sent {sent} times"
        );
        assert_eq!(bench.recorded().await, shown, "{name}");
        bench.app.assert_audit_whole().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_being_transcoded_is_waited_for_and_holds_nothing_else_up() {
    let mut waited = 0;
    for platform in platform::all() {
        let name = platform.name();
        let bench = Bench::start(name).await;
        bench.app.world(json!({ "transcoding_ms": 3_600_000 })).await;
        // Beside it a leg whose assets the library knows.
        let mut plan = bench.plan("slow.1");
        let mut other = plan["campaigns"][0].to_string();
        let mut known = serde_json::Map::new();
        for id in Bench::assets(&plan) {
            other = other.replace(&format!("\"{id}\""), &format!("\"known-{id}\""));
            known.insert(format!("known-{id}"), json!({ "needs_upload": [] }));
        }
        let mut other: Value = serde_json::from_str(&other).expect("JSON");
        other["logical_campaign_key"] = json!("at-hand");
        plan["campaigns"].as_array_mut().expect("campaigns").push(other);
        bench.app.world(json!({ "assets": known })).await;
        bench.app.publish(&plan).await;
        for _ in 0..3 {
            bench.app.settle().await;
            bench.app.warp().await;
        }
        assert_eq!(
            bench.state(&plan, 1).await,
            "scheduled",
            "{name}: it waits for nobody"
        );
        let waiting =
            "SELECT count(*) FROM command WHERE waiting_for = 'upload' AND state = 'queued' AND attempts = 0";
        if bench.state(&plan, 0).await == "building" {
            assert_eq!(
                bench.app.number(waiting).await,
                1,
                "{name}: it waits, and is no attempt"
            );
            waited += 1;
        }
        bench.app.world(json!({ "transcoding_ms": 0 })).await;
        bench.app.settle_and_warp(10).await;
        assert_eq!(bench.state(&plan, 0).await, "scheduled", "{name}");
        let (sent, left) = bench.uploads().await;
        assert_eq!(sent, left, "{name}: asking is not sending");
        assert_eq!(bench.recorded().await, left, "{name}");
    }
    assert!(waited >= 2, "only {waited} platforms transcode");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_asset_that_is_missing_is_asked_for_and_uploaded_when_it_appears() {
    for platform in platform::all() {
        let name = platform.name();
        let bench = Bench::start(name).await;
        let plan = bench.plan("late.1");
        let shown = Bench::assets(&plan);
        let missing = shown.first().expect("an asset").clone();
        bench
            .app
            .world(json!({ "assets": { missing.as_str(): "missing" } }))
            .await;
        bench.app.publish(&plan).await;
        for _ in 0..2 {
            bench.app.settle().await;
            bench.app.warp().await;
        }
        assert_eq!((bench.told("opened"), bench.told("resolved")), (1, 0), "{name}");
        assert_eq!(bench.uploads().await, (0, 0), "{name}: nothing is begun");
        bench
            .app
            .world(json!({ "assets": { missing.as_str(): { "status": "ready", "needs_upload": [name] } } }))
            .await;
        bench.app.settle_and_warp(10).await;
        assert_eq!(bench.state(&plan, 0).await, "scheduled", "{name}");
        assert_eq!((bench.told("opened"), bench.told("resolved")), (1, 1), "{name}");
        assert_eq!(bench.uploads().await.1, shown.len() as u64, "{name}");
        bench.app.assert_audit_whole().await;
    }
}
