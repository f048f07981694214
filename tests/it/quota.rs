//! A plan of many campaigns on one account, while the platform's quotas hold: it takes no longer than what the quota allows, and
//! the platform has to throttle next to nothing. The sandbox's clock for quotas runs fast, and the service is told so
//! (`quota_percent`).
//!
//! By default few legs show the same as many. The full size, where the bounds stand alone, with nothing added for the beginning and the
//! end:
//!
//! ```text
//! make up && source .cache/stack/env
//! CAMPAIGN_EXECUTION_TEST_LEGS=1000 cargo test --test it quota:: -- --nocapture --test-threads 1
//! ```
//!
//! It takes an hour and a half: DV360's and Meta's clocks run five times as fast, TikTok's ten calls a second stay ten.
//! `CAMPAIGN_EXECUTION_TEST_PLATFORM` picks one platform, `CAMPAIGN_EXECUTION_TEST_SPEED` another pace. Google Ads is not among them: Google
//! publishes no number of calls, and says that it varies with its load (docs/api/productionize/rate-limits); its answers slow us down.
//!
//! Must not match on a platform: what a call costs follows from the name of the allowance.

use crate::support::app::App;
use crate::support::{particulars, plans};
use campaign_execution::outbound::pace::Quota;
use campaign_execution::platform::{self, Platform};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// From so many legs on a bound needs no allowance for the beginning and the end.
const MANY: usize = 1000;

/// What the quota allows at the fastest, for what was called.
fn allowed(quota: &Quota, requests: &[Value], speed: u32) -> Duration {
    let count = |wanted: fn(&Value) -> bool| requests.iter().filter(|r| wanted(r)).count() as f64;
    let reads = count(|r| r["http_method"] == "GET");
    let writes = count(|r| r["http_method"] != "GET");
    let times = quota.allowances.iter().map(|allowance| {
        let cost = match allowance.name {
            "requests" | "calls" => reads + writes,
            "writes" | "changes" => writes,
            "requests a second" | "requests a minute" => reads + writes,
            "ads created a second" | "ads created a minute" => {
                count(|r| r["method"].as_str().is_some_and(|m| m.ends_with("ad.create")))
            }
            "points" => reads + 3.0 * writes,
            other => panic!("what does a call cost of {other}?"),
        };
        cost / f64::from(allowance.amount) * allowance.per.as_secs_f64() / f64::from(speed)
    });
    Duration::from_secs_f64(times.fold(0.0, f64::max))
}

/// Refused because of the quota: HTTP 429, or the platform's own way of saying so.
fn throttled(request: &Value) -> bool {
    let codes = [json!(17), json!(613), json!(80_004), json!(40_100)];
    let code = |at: &str| request.pointer(at).is_some_and(|code| codes.contains(code));
    request["status"] == 429 || code("/response/error/code") || code("/response/code")
}

/// The same campaign so many times.
fn plan(platform: &str, legs: usize) -> Value {
    let mut plan = plans::only(plans::plan(&format!("quota.{platform}")), platform);
    plan["plan_id"] = json!(format!("quota-{platform}"));
    let one = plan["campaigns"][0].clone();
    let campaigns = (0..legs).map(|n| {
        let mut campaign = one.clone();
        campaign["logical_campaign_key"] = json!(format!("c-{n}"));
        campaign
    });
    plan["campaigns"] = campaigns.collect();
    plan
}

/// Runs the worker as the service does, and everything before it in steps, until all is done; how long that took.
async fn working(app: &App, platform: Arc<dyn Platform>, done: impl AsyncFn() -> bool) -> Duration {
    let stop = CancellationToken::new();
    let (worker, committing) = app.wiring.worker_of(platform);
    let working = tokio::spawn(Arc::new(worker).run(stop.clone()));
    let gatekeeper = app.wiring.gatekeeper();
    let began = Instant::now();
    while !done().await {
        gatekeeper.step().await.expect("the gate is asked");
        app.pump().await;
        assert!(began.elapsed() < Duration::from_secs(1800), "it never ends");
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    let took = began.elapsed();
    stop.cancel();
    working.await.expect("the worker stops");
    committing.abort();
    took
}

/// Whether every leg has come to this state. Asked often, so in one cheap query.
async fn all_are(app: &App, wanted: &'static str, legs: usize) -> bool {
    let lost = "SELECT count(*) FROM leg WHERE state IN ('failed', 'stuck')";
    assert_eq!(app.number(lost).await, 0, "legs failed");
    let wanted = match wanted {
        "scheduled" => "SELECT count(*) FROM leg WHERE state = 'scheduled'",
        // Where a flight cannot begin today, what is switched on is `scheduled`.
        "live" => "SELECT count(*) FROM leg WHERE state IN ('live', 'scheduled')",
        _ => "SELECT count(*) FROM leg WHERE state = 'undone'",
    };
    app.number(wanted).await == i64::try_from(legs).expect("few")
}

/// How much faster than their own clocks the quotas run, and how many legs then take some seconds. A quota of a few calls a second
/// has no room for a burst: its clock cannot run much faster than the network is uneven. `CAMPAIGN_EXECUTION_TEST_SPEED` for slow
/// machines.
fn size(quota: &Quota) -> (u32, usize) {
    let set = |name| {
        std::env::var(name)
            .ok()
            .map(|n| n.parse::<u32>().expect("a number"))
    };
    let fine = quota.allowances.iter().any(|a| a.amount < 20);
    let (speed, legs) = if fine { (1, 12) } else { (5, 24) };
    (
        set("CAMPAIGN_EXECUTION_TEST_SPEED").unwrap_or(speed),
        set("CAMPAIGN_EXECUTION_TEST_LEGS").map_or(legs, |n| n as usize),
    )
}

/// What the gate and the last steps take is no matter of the quota, and of few legs it is much; half the pace would be too slow all
/// the same. Of many it is nothing.
fn around(legs: usize, seconds: u64) -> Duration {
    Duration::from_secs(if legs < MANY { seconds } else { 0 })
}

/// All platforms with quotas; `CAMPAIGN_EXECUTION_TEST_PLATFORM=meta`: one.
fn with_quotas() -> Vec<Arc<dyn Platform>> {
    let only = std::env::var("CAMPAIGN_EXECUTION_TEST_PLATFORM").ok();
    let mut all = platform::all();
    all.retain(|p| !p.quota().allowances.is_empty() && only.as_ref().is_none_or(|only| only == p.name()));
    assert!(!all.is_empty());
    all
}

/// A service that keeps to a platform's quotas, and a sandbox that holds them, on a fast clock.
async fn with_quotas_on(platform: &dyn Platform, speed: u32) -> App {
    let mut app = App::start().await;
    let percent = BTreeMap::from([(platform.name().to_owned(), speed * 100)]);
    app.wiring.outbound = app.wiring.outbound.clone().paced(percent);
    app.world(json!({ "journal_kept": 1_000_000, "quota_speed": speed }))
        .await;
    app
}

fn number(request: &Value) -> u64 {
    request["n"].as_u64().expect("a number")
}

/// What a platform was asked after that request, oldest first.
async fn asked(app: &App, platform: &str, since: u64) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    loop {
        let last = all.last().map_or(since, number);
        let path = format!("requests?vendor={platform}&since={last}&limit=1000");
        let answer = app.control(reqwest::Method::GET, &path, None).await;
        let page = answer["requests"].as_array().expect("requests").clone();
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_plan_takes_what_the_quota_allows_and_hardly_a_throttle() {
    for platform in with_quotas() {
        let name = platform.name();
        let (speed, legs) = size(platform.quota());
        let app = with_quotas_on(platform.as_ref(), speed).await;
        let plan = plan(name, legs);
        app.publish(&plan).await;
        let took = working(&app, platform.clone(), async || {
            all_are(&app, "scheduled", legs).await
        })
        .await;
        let requests = asked(&app, name, 0).await;
        let refused = requests.iter().filter(|r| throttled(r)).count();
        let allowed = allowed(platform.quota(), &requests, speed);
        println!(
            "{name}: {legs} legs, {} calls ({refused} throttled), {took:?} of {allowed:?} that the quota takes at {speed} times \
             its pace: {:.3}",
            requests.len(),
            took.as_secs_f64() / allowed.as_secs_f64()
        );
        assert!(refused * 100 <= requests.len(), "{name}: {refused} throttled");
        let most = allowed.mul_f64(1.1) + around(legs, 10);
        assert!(took <= most, "{name}: {took:?}, allowed {allowed:?}");
        app.assert_no_duplicates().await;
    }
}

/// The fewest calls are one for each campaign; nothing is removed while one is on.
#[tokio::test(flavor = "multi_thread")]
async fn a_large_rollback_is_all_paused_as_soon_as_the_quota_allows() {
    for platform in with_quotas() {
        let name = platform.name();
        let (speed, legs) = size(platform.quota());
        let (speed, legs) = (speed.min(4), legs.max(24));
        let mut app = App::start().await;
        app.world(json!({ "journal_kept": 1_000_000 })).await;
        let unpaced = app.wiring.outbound.clone();
        let mut plan = plan(name, legs);
        for campaign in plan["campaigns"].as_array_mut().expect("campaigns") {
            campaign["schedule"]["start"] = json!(plans::stamp(chrono::Duration::hours(-1)));
        }
        app.publish(&plan).await;
        working(&app, platform.clone(), async || all_are(&app, "live", legs).await).await;
        let before = asked(&app, name, 0).await.last().map_or(0, number);

        let percent = BTreeMap::from([(name.to_owned(), speed * 100)]);
        app.wiring.outbound = unpaced.clone().paced(percent);
        app.world(json!({ "quota_speed": speed })).await;
        let control = json!({ "tenant_id": "acme", "plan_id": plan["plan_id"], "plan_version": plan["plan_version"],
            "action": "rollback", "by": "ops", "at": plans::moment(), "reason": "the client withdrew" });
        app.deliver("execution.control", control.to_string().into_bytes())
            .await;
        let pauses = |r: &&Value| r["effect"] == true && particulars::of(name).pauses(r);
        let took = working(&app, platform.clone(), async || {
            let off = "SELECT count(*) FROM command WHERE kind = 'undo' AND off_at IS NOT NULL";
            app.number(off).await == i64::try_from(legs).expect("few")
        })
        .await;
        let requests = asked(&app, name, before).await;
        let last = requests.iter().rposition(|r| pauses(&r)).expect("pauses");
        let removed = requests[..last]
            .iter()
            .filter(|r| r["effect"] == true && !pauses(r));
        assert_eq!(removed.count(), 0, "{name}: removed while others were on");
        let refused = requests[..last].iter().filter(|r| throttled(r)).count();
        let paused: Vec<Value> = requests.iter().filter(pauses).cloned().collect();
        assert_eq!(paused.len(), legs, "{name}: one call each");
        let allowed = allowed(platform.quota(), &paused, speed);
        println!(
            "{name}: {legs} campaigns paused in {took:?} of {allowed:?} that the quota takes at {speed} times its pace: {:.3}; \
             {} calls until then, {refused} throttled",
            took.as_secs_f64() / allowed.as_secs_f64(),
            last + 1,
        );
        assert!(refused * 100 <= legs, "{name}: {refused} throttled");
        let most = allowed.mul_f64(1.2) + around(legs, 5);
        assert!(took <= most, "{name}: {took:?}, allowed {allowed:?}");

        app.wiring.outbound = unpaced;
        app.world(json!({ "quota_speed": 0 })).await;
        working(&app, platform.clone(), async || {
            all_are(&app, "undone", legs).await
        })
        .await;
        let left = app.objects(name).await;
        assert!(left.iter().all(|o| o["kind"] != "campaign"), "{name}: {left:?}");
    }
}
