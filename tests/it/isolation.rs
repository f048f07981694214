//! One platform's trouble is no other's: three of the four misbehave at once, and the fourth is as fast as ever; and what one
//! platform comes to holds up those behind it in a recommended order, and only those.

use crate::support::app::App;
use crate::support::{particulars, plans};
use campaign_execution::platform::{self, Platform};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

const TENANTS: [&str; 2] = ["acme", "globex"];
const PLANS: usize = 2;

/// A second client, in accounts of its own.
async fn onboard_another(app: &App) {
    app.onboard(|t| {
        t["tenant_id"] = json!(TENANTS[1]);
        for (name, account) in t["accounts"].as_object_mut().expect("accounts") {
            let id = account["account_id"].as_str().expect("an id");
            if platform::all().iter().any(|p| p.name() == name) {
                account["account_id"] = json!(format!("{id}1"));
            }
        }
    })
    .await;
}

/// Every way of failing, on every write of a platform, at random.
async fn break_down(app: &App, platform: &str) {
    let ways = [
        json!({ "status": 500, "effect": "after", "body": "" }),
        json!({ "status": 500, "effect": "before", "body": "" }),
        json!({ "status": 429, "body": "", "headers": { "retry-after": "3600" } }),
        json!({ "kind": "silence_before", "latency_ms": 5_000 }),
        json!({ "kind": "silence_after", "latency_ms": 5_000 }),
        json!({ "kind": "cut" }),
        json!({ "kind": "reset", "effect": "after" }),
        // What the others let through.
        json!({ "status": 503, "effect": "before", "body": "<html>" }),
    ];
    let last = ways.len() - 1;
    for write in particulars::of(platform).writes {
        for (n, way) in ways.iter().enumerate() {
            let mut fault = way.clone();
            fault["vendor"] = json!(platform);
            fault["method"] = json!(write);
            fault["probability"] = json!(if n == last { 1.0 } else { 0.2 });
            app.fault(fault).await;
        }
    }
}

/// Several plans of two clients, each with a campaign on every platform.
fn several(round: &str) -> Vec<Value> {
    let of = |tenant: &str, n: usize| {
        let mut plan = plans::running_plan(&format!("{round}.{n}"));
        plan["tenant_id"] = json!(tenant);
        plan["plan_id"] = json!(format!("{tenant}-{round}-{n}"));
        plan
    };
    let each = |tenant| (0..PLANS).map(move |n| of(tenant, n));
    TENANTS.into_iter().flat_map(each).collect()
}

/// Every platform's worker, as the service runs them.
struct Workers {
    stop: CancellationToken,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Workers {
    fn start(app: &App) -> Self {
        let stop = CancellationToken::new();
        let run = |platform: Arc<dyn Platform>| {
            let (worker, _) = app.wiring.worker_of(platform);
            tokio::spawn(Arc::new(worker).run(stop.clone()))
        };
        let tasks = platform::all().into_iter().map(run).collect();
        Self { stop, tasks }
    }

    async fn stop(self) {
        self.stop.cancel();
        for task in self.tasks {
            task.await.expect("a worker stops");
        }
    }
}

/// Which campaigns were said to be live, by platform.
fn live(app: &App, plans: &[Value]) -> BTreeMap<String, usize> {
    let mut count = BTreeMap::new();
    let ours = |e: &Value| plans.iter().any(|p| p["plan_id"] == e["plan_id"]);
    // A platform whose flights cannot begin today says `scheduled` of its campaigns.
    let said = ["campaign.live", "campaign.scheduled"].map(|topic| app.events(topic));
    for event in said.iter().flatten().filter(|e| ours(&e.data)) {
        let platform = event.data["platform"].as_str().expect("a platform").to_owned();
        *count.entry(platform).or_default() += 1;
    }
    count
}

/// One round of what the service's other roles do.
async fn turn(app: &App) {
    app.wiring.gatekeeper().step().await.expect("the gate is asked");
    app.pump().await;
    tokio::time::sleep(Duration::from_millis(10)).await;
}

/// Makes due what waits for a time. Unlike `App::warp` it leaves alone what a worker holds.
async fn hurry(app: &App) {
    for statement in [
        "UPDATE command SET not_before = clock_timestamp() WHERE state = 'queued' AND not_before > clock_timestamp()
           AND coalesce(lease_until < clock_timestamp(), true)",
        "UPDATE execution_manifest SET unknown_until = clock_timestamp() WHERE unknown_until > clock_timestamp()",
    ] {
        app.sql(statement).await;
    }
}

/// Publishes plans; how long until all campaigns of one platform are said to be live.
async fn until_live(app: &App, plans: &[Value], platform: &str) -> Duration {
    let began = Instant::now();
    for plan in plans {
        app.publish(plan).await;
    }
    while live(app, plans).get(platform).copied().unwrap_or_default() < plans.len() {
        turn(app).await;
        assert!(
            began.elapsed() < Duration::from_secs(120),
            "{platform} never gets there"
        );
    }
    began.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn three_of_four_break_down_and_the_fourth_is_not_slowed() {
    for healthy in platform::all() {
        let name = healthy.name();
        let app = App::start().await;
        onboard_another(&app).await;
        let workers = Workers::start(&app);
        // The first round opens connections and fetches tokens.
        until_live(&app, &several("warm"), name).await;
        let usual = until_live(&app, &several("usual"), name).await;
        for other in platform::all().iter().filter(|p| p.name() != name) {
            break_down(&app, other.name()).await;
        }
        let plans = several("broken");
        let took = until_live(&app, &plans, name).await;
        println!("{name}: {took:?} while the others break down, {usual:?} as usual");
        assert!(
            took <= usual.mul_f64(1.5) + Duration::from_secs(1),
            "{name}: {took:?} instead of {usual:?}"
        );
        let others = live(&app, &plans);
        assert_eq!(others.len(), 1, "the others are broken: {others:?}");

        app.mend().await;
        let mended = Instant::now();
        let all = |n: usize| platform::all().iter().map(|p| (p.name().to_owned(), n)).collect();
        let wanted: BTreeMap<String, usize> = all(plans.len());
        while live(&app, &plans) != wanted {
            hurry(&app).await;
            for _ in 0..20 {
                turn(&app).await;
            }
            let waited = mended.elapsed();
            assert!(
                waited < Duration::from_secs(120),
                "{name}: {:?}",
                live(&app, &plans)
            );
        }
        workers.stop().await;
        let mut ids: Vec<String> = app.events("campaign.live").into_iter().map(|e| e.id).collect();
        let said = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), said, "{name}: an event is out twice");
        app.assert_no_duplicates().await;
        app.assert_audit_whole().await;
    }
}

/// Two campaigns on each platform, one platform after the other.
fn in_order(version: &str) -> Value {
    let mut plan = plans::plan(version);
    plan["launch"]["order"] = json!("recommended");
    let campaigns = plan["campaigns"].as_array_mut().expect("campaigns");
    for mut campaign in campaigns.clone() {
        let key = campaign["logical_campaign_key"].as_str().expect("a key");
        campaign["logical_campaign_key"] = json!(format!("{key}-2"));
        campaigns.push(campaign);
    }
    // The order is not the plan's.
    campaigns.reverse();
    plan
}

/// The platforms in the recommended order.
fn recommended() -> Vec<&'static str> {
    let mut all = platform::all();
    all.sort_by_key(|p| p.traits().position);
    all.iter().map(|p| p.name()).collect()
}

/// When a platform's first campaign was made, and the last of everything.
async fn made(app: &App, platform: &str) -> Option<(String, String)> {
    let objects = app.objects(platform).await;
    let at = |o: &Value| o["created_at"].as_str().expect("a time").to_owned();
    let campaigns = objects.iter().filter(|o| o["kind"] == "campaign").map(at);
    Some((campaigns.min()?, objects.iter().map(at).max()?))
}

async fn assert_order(app: &App, what: &str) {
    let mut before: Option<(String, String)> = None;
    for name in recommended() {
        let these = made(app, name)
            .await
            .unwrap_or_else(|| panic!("{what}: {name} has nothing"));
        if let Some(before) = &before {
            assert!(before.1 < these.0, "{what}: {name} began too early");
        }
        before = Some(these);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_the_recommended_order_a_platform_that_is_slow_or_fails_holds_up_exactly_those_behind_it() {
    assert_eq!(
        recommended(),
        ["google-ads", "meta", "tiktok", "dv360"],
        "the owner's order"
    );
    for (place, name) in recommended().into_iter().enumerate() {
        let particulars = particulars::of(name);
        let app = App::start().await;
        // One of its two campaigns has to be tried again.
        app.fault(json!({ "vendor": name, "method": particulars.writes[0], "status": 503, "effect": "before", "times": 1 }))
            .await;
        app.publish(&in_order("slow.1")).await;
        app.settle().await;
        for (n, other) in recommended().into_iter().enumerate() {
            let there = made(&app, other).await.is_some();
            assert_eq!(
                there,
                n <= place,
                "{name} is slow: {other} (one of its own is there)"
            );
        }
        app.settle_and_warp(20).await;
        assert_order(&app, &format!("{name} is slow")).await;
        assert_eq!(
            app.events("campaign.scheduled").len(),
            plans::legs(&in_order("any"))
        );

        // Its account takes no such budget any more by the time that it is built.
        let app = App::start().await;
        let plan = in_order("fails.1");
        app.publish(&plan).await;
        app.wiring.gatekeeper().step().await.expect("the gate opens");
        app.world(particulars.floor.clone()).await;
        app.settle_and_warp(5).await;
        for (leg, state) in app.legs(&plan).await {
            let failed = leg.starts_with(&format!("{name}/"));
            assert_eq!(
                state,
                if failed { "failed" } else { "scheduled" },
                "{name} fails: {leg}"
            );
        }
        assert_eq!(app.events("execution.partial_failure").len(), 1, "{name} fails");
    }
}
