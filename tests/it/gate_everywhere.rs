//! What keeps a plan from starting, on every platform by its own real probe: accounts that are closed or cannot pay, budgets that are
//! too low or not covered, catalogs that are not well.
//!
//! Must not name a platform: its own words stand in `support/particulars`. What the gate does with verdicts is `gate`'s to test.

use crate::support::app::App;
use crate::support::particulars::{self, OwnCatalog, Particulars};
use crate::support::plans;
use campaign_execution::platform;
use serde_json::{Value, json};

/// A service and one platform.
struct Bench {
    app: App,
    name: &'static str,
    own: Particulars,
}

impl Bench {
    async fn each() -> Vec<Self> {
        let mut all = Vec::new();
        for platform in platform::all() {
            let name = platform.name();
            all.push(Self {
                app: App::start().await,
                name,
                own: particulars::of(name),
            });
        }
        all
    }

    fn plan(&self, version: &str) -> Value {
        let mut plan = plans::only(plans::plan(version), self.name);
        plan["plan_id"] = json!(version.replace('.', "-"));
        plan
    }

    async fn account(&self, settings: &Value) {
        let address = format!("{}/*", self.name);
        self.app.world(json!({ "accounts": { address: settings } })).await;
    }

    async fn publish(&self, plan: &Value) {
        self.app.publish(plan).await;
        self.app.settle().await;
    }

    async fn again(&self) {
        self.app.warp().await;
        self.app.settle().await;
    }

    /// The last time that a check did not pass.
    fn check(&self, check: &str) -> Value {
        let events = self.app.events("execution.blocked");
        let all = events
            .iter()
            .rev()
            .flat_map(|e| e.data["checks"].as_array().into_iter().flatten());
        let found = all.clone().find(|c| c["check"] == check);
        found
            .unwrap_or_else(|| panic!("{}: no check {check} in {:?}", self.name, all.collect::<Vec<_>>()))
            .clone()
    }

    fn scheduled(&self) -> usize {
        self.app.events("campaign.scheduled").len()
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_closed_blocks_with_its_own_reason_until_it_is_opened() {
    for bench in Bench::each().await {
        let name = bench.name;
        assert!(!bench.own.closed.is_empty(), "{name} has no way to be closed");
        for (n, (settings, word)) in bench.own.closed.iter().enumerate() {
            bench.app.warp().await;
            bench.account(settings).await;
            let before = bench.app.effects().await;
            let plan = bench.plan(&format!("closed.{n}"));
            bench.publish(&plan).await;
            let refused = bench.check(&format!("account:{name}"));
            assert_eq!(refused["outcome"], "fail", "{name} {settings}");
            assert!(
                text(&refused["reason"]).contains(word),
                "{name} {word}: {refused}"
            );
            assert!(!text(&refused["remedy"]).is_empty(), "{name}: {refused}");
            // It is no payer's trouble, and the agency is not rung for it.
            assert_eq!(refused["alert_code"], Value::Null, "{name}: {refused}");
            assert_eq!(bench.app.effects().await, before, "{name}: nothing was built");
            bench.account(&bench.own.open).await;
            bench.again().await;
            assert_eq!(bench.scheduled(), n + 1, "{name}: it goes on by itself");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_below_the_floor_that_the_probe_tells_is_refused_before_anything_is_built() {
    let mut told = 0;
    for bench in Bench::each().await {
        let name = bench.name;
        let Some((world, amount, limit)) = &bench.own.told_floor else {
            continue;
        };
        bench.app.world(world.clone()).await;
        let mut plan = bench.plan("floor.1");
        plan["campaigns"][0]["budget"] = json!({ "amount": amount, "period": "daily" });
        let key = text(&plan["campaigns"][0]["logical_campaign_key"]);
        bench.publish(&plan).await;
        let refused = bench.check(&format!("budget:{name}/{key}"));
        assert_eq!(refused["plan_amount"], format!("{amount} EUR"), "{refused}");
        assert_eq!(refused["platform_limit"], *limit, "{refused}");
        assert_eq!(bench.app.effects().await, 0, "{name}");
        told += 1;
    }
    assert!(told >= 2, "only {told} platforms tell a floor");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_that_the_account_cannot_cover_stands_beside_what_is_left() {
    let mut told = 0;
    for bench in Bench::each().await {
        let name = bench.name;
        let Some((settings, left)) = &bench.own.short else {
            continue;
        };
        bench.account(settings).await;
        let plan = bench.plan("short.1");
        let key = text(&plan["campaigns"][0]["logical_campaign_key"]);
        bench.publish(&plan).await;
        let refused = bench.check(&format!("budget:{name}/{key}"));
        assert_eq!(refused["platform_limit"], *left, "{refused}");
        assert_eq!(bench.app.effects().await, 0, "{name}");
        told += 1;
    }
    assert!(told >= 3, "only {told} platforms tell what is left");
}

async fn catalog(bench: &Bench, own: &OwnCatalog, settings: Value) {
    bench
        .app
        .world(json!({ "catalogs": { own.address: settings } }))
        .await;
}

fn with_catalog(bench: &Bench, own: &OwnCatalog, version: &str, max_critical: u64) -> Value {
    let mut plan = bench.plan(version);
    plan["catalog"] = own.named.clone();
    plan["catalog"]["countries"] = json!(["DE"]);
    plan["catalog"]["max_critical"] = json!(max_critical);
    plan
}

#[tokio::test(flavor = "multi_thread")]
async fn a_platforms_own_catalog_is_judged_by_its_diagnostics_and_what_the_plan_tolerates() {
    let mut catalogs = 0;
    for bench in Bench::each().await {
        let name = bench.name;
        let Some(own) = &bench.own.catalog else { continue };
        let check = format!("feed:{name}");
        // Warnings are shown and do not block.
        catalog(&bench, own, json!({ "warning": 7 })).await;
        bench.publish(&with_catalog(&bench, own, "well.1", 0)).await;
        assert_eq!(
            bench.scheduled(),
            1,
            "{name}: {:?}",
            bench.app.events("execution.blocked")
        );

        bench.app.warp().await;
        catalog(&bench, own, json!({ "critical": 4 })).await;
        bench.publish(&with_catalog(&bench, own, "critical.3", 3)).await;
        let refused = bench.check(&check);
        assert_eq!(refused["outcome"], "fail", "{name}");
        let reason = text(&refused["reason"]);
        assert!(
            reason.contains("4 critical errors in products (3 tolerated)"),
            "{name}: {reason}"
        );
        assert_eq!(bench.scheduled(), 1, "{name}");
        bench.publish(&with_catalog(&bench, own, "critical.4", 4)).await;
        assert_eq!(bench.scheduled(), 2, "{name}: the other plan tolerates four");
        catalog(&bench, own, json!({})).await;
        bench.again().await;
        assert_eq!(bench.scheduled(), 3, "{name}: mended");

        for (n, broken) in own.broken.iter().enumerate() {
            bench.app.warp().await;
            catalog(&bench, own, broken.clone()).await;
            let plan = with_catalog(&bench, own, &format!("broken.{n}"), 1_000_000);
            bench.publish(&plan).await;
            assert_eq!(bench.check(&check)["outcome"], "fail", "{name} {broken}");
            assert_eq!(
                bench.scheduled(),
                3,
                "{name} {broken}: no number of products makes up for it"
            );
        }
        // Whose it is, and whether anybody may look.
        bench.app.warp().await;
        catalog(&bench, own, json!({ "state": "no_access" })).await;
        bench.publish(&with_catalog(&bench, own, "access.1", 0)).await;
        let refused = bench.check(&check);
        assert!(text(&refused["remedy"]).contains("access"), "{name}: {refused}");
        bench.app.fault(json!({ "vendor": name, "status": 503 })).await;
        bench.again().await;
        assert_eq!(bench.scheduled(), 3, "{name}: not being able to ask is no pass");
        catalogs += 1;
    }
    assert!(catalogs >= 2, "only {catalogs} platforms have catalogs");
}
