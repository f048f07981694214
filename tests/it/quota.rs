//! A plan of many campaigns on one account, while the platform's quotas hold: it takes no longer than what the quota allows, and
//! the platform has to throttle next to nothing. The sandbox's clock for quotas runs fast, and the service is told so
//! (`quota_percent`).
//!
//! `CAMPAIGN_EXECUTION_TEST_LEGS=1000` is the full size; by default few legs show the same. Must not match on a platform outside
//! `quotas_on`.

use crate::support::app::App;
use crate::support::plans;
use campaign_execution::outbound::pace::Quota;
use campaign_execution::platform::{self, Platform};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// How a platform's quotas are switched on in the sandbox, on a clock that runs so much faster; none: it has none there.
fn quotas_on(platform: &str, speed: u32) -> Option<Value> {
    match platform {
        "meta" => Some(json!({ "quota_speed": speed })),
        _ => None,
    }
}

/// What the quota allows at the fastest, for what was called.
fn allowed(quota: &Quota, requests: &[Value], speed: u32) -> Duration {
    let count = |wanted: fn(&Value) -> bool| requests.iter().filter(|r| wanted(r)).count() as f64;
    let reads = count(|r| r["http_method"] == "GET");
    let writes = count(|r| r["http_method"] != "GET");
    let times = quota.allowances.iter().map(|allowance| {
        let cost = match allowance.name {
            "requests" | "calls" => reads + writes,
            "writes" | "changes" => writes,
            "points" => reads + 3.0 * writes,
            _ => 0.0,
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

/// Runs the worker as the service does, and everything before it in steps, until every leg is scheduled.
async fn carried_out(app: &App, platform: Arc<dyn Platform>, plan: &Value, legs: usize) -> Duration {
    let stop = CancellationToken::new();
    let (worker, committing) = app.wiring.worker_of(platform);
    let working = tokio::spawn(Arc::new(worker).run(stop.clone()));
    let gatekeeper = app.wiring.gatekeeper();
    let began = Instant::now();
    app.publish(plan).await;
    loop {
        gatekeeper.step().await.expect("the gate is asked");
        app.pump().await;
        let states = app.legs(plan).await;
        let done = states.values().filter(|s| *s == "scheduled").count();
        let failed: Vec<&String> = states.values().filter(|s| *s == "failed").collect();
        assert_eq!(failed, [] as [&String; 0], "after {:?}", began.elapsed());
        if done == legs {
            break;
        }
        assert!(
            began.elapsed() < Duration::from_secs(1800),
            "only {done} of {legs} legs"
        );
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    let took = began.elapsed();
    stop.cancel();
    working.await.expect("the worker stops");
    committing.abort();
    took
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_plan_takes_what_the_quota_allows_and_hardly_a_throttle() {
    let set = std::env::var("CAMPAIGN_EXECUTION_TEST_LEGS").ok();
    let legs: usize = set.map_or(24, |n| n.parse().expect("a number"));
    for platform in platform::all() {
        let name = platform.name();
        // So fast that the quota still is what limits a few legs, and a slow machine keeps up with it.
        let speed: u32 = if legs > 100 { 8 } else { 10 };
        let Some(quotas) = quotas_on(name, speed) else {
            continue;
        };
        let mut app = App::start().await;
        let percent = BTreeMap::from([(name.to_owned(), speed * 100)]);
        app.wiring.outbound = app.wiring.outbound.clone().paced(percent);
        app.world(json!({ "journal_kept": 1_000_000 })).await;
        app.world(quotas).await;
        let took = carried_out(&app, platform.clone(), &plan(name, legs), legs).await;
        let path = format!("requests?vendor={name}&limit=1000000");
        let answer = app.control(reqwest::Method::GET, &path, None).await;
        let requests = answer["requests"].as_array().expect("requests").clone();
        let refused = requests.iter().filter(|r| throttled(r)).count();
        let allowed = allowed(platform.quota(), &requests, speed);
        println!(
            "{name}: {legs} legs, {} calls ({refused} throttled), {took:?} of {allowed:?} that the quota takes at {speed} times its pace",
            requests.len()
        );
        assert!(refused * 100 <= requests.len(), "{name}: {refused} throttled");
        // What the gate and the last steps take is no matter of the quota.
        let most = allowed.mul_f64(1.1) + Duration::from_secs(10);
        assert!(took <= most, "{name}: {took:?}, allowed {allowed:?}");
        app.assert_no_duplicates().await;
    }
}
