//! `serve` is killed (SIGKILL) at random instants while plans run, and started again each time. At the end: nothing twice,
//! nothing lost, every event out, the audit chain whole; and replaying every topic from its beginning touches nothing.
//!
//! CAMPAIGN_EXECUTION_TEST_KILLS and _PLANS make it longer, _SEED makes it another.

use crate::support::app::App;
use crate::support::plans;
use crate::support::process::{Service, consume, make_topics, publish, rewind, wait_for};
use campaign_execution::platform;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

fn setting(name: &str, default: u64) -> u64 {
    let text = std::env::var(format!("CAMPAIGN_EXECUTION_TEST_{name}"));
    text.ok().and_then(|t| t.parse().ok()).unwrap_or(default)
}

/// Short calls and leases, so that a dead worker's commands are taken up soon.
const SETTINGS: &[(&str, &str)] = &[
    ("WORKER__MAX_CALL_S", "1"),
    ("WORKER__LEASE_S", "1"),
    ("LOG__LEVEL", "warn"),
];

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_random_instants_nothing_is_lost_and_nothing_is_made_twice() {
    let (kills, count, seed) = (setting("KILLS", 8), setting("PLANS", 16), setting("SEED", 1));
    let mut rng = StdRng::seed_from_u64(seed);
    let app = App::start().await;
    make_topics(&app).await;
    app.world(json!({ "latency_ms": 60, "journal_kept": 1_000_000 }))
        .await;
    let all: Vec<Value> = (0..count)
        .map(|n| {
            let mut plan = plans::plan(&format!("kill.{n}"));
            plan["plan_id"] = json!(format!("kill-{n}"));
            plan["launch"]["atomic"] = json!(n % 3 == 0);
            plan
        })
        .collect();
    let began = Instant::now();
    let per_kill = usize::try_from(count.div_ceil(kills.max(1))).unwrap_or(1);
    let mut waiting = all.chunks(per_kill);
    let mut service = Service::start(&app, SETTINGS);
    for _ in 0..kills {
        if let Some(plans) = waiting.next() {
            publish(&app, plans).await;
        }
        tokio::time::sleep(Duration::from_millis(rng.random_range(150..1800))).await;
        service.kill();
        app.assert_no_duplicates().await;
        service = Service::start(&app, SETTINGS);
    }
    for plans in waiting {
        publish(&app, plans).await;
    }
    let killed_for = began.elapsed();
    let plans = i64::try_from(count).unwrap_or(i64::MAX);
    let settled = "SELECT count(*) FROM execution WHERE settled IS NOT NULL";
    wait_for(&app, settled, plans, Duration::from_secs(180)).await;
    wait_for(
        &app,
        "SELECT count(*) FROM outbox WHERE published_at IS NULL",
        0,
        Duration::from_secs(30),
    )
    .await;
    service.kill();

    let legs = plans * i64::try_from(platform::all().len()).unwrap_or(0);
    assert_eq!(
        app.number("SELECT count(*) FROM leg WHERE state = 'scheduled'")
            .await,
        legs,
        "every leg is scheduled"
    );
    app.assert_no_duplicates().await;
    app.assert_audit_whole().await;
    let events = consume(&app, &["campaign.scheduled", "execution.completed"]).await;
    let unique = |topic: &str| -> BTreeSet<String> {
        events
            .iter()
            .filter(|e| e.0 == topic)
            .map(|e| e.1.clone())
            .collect()
    };
    assert_eq!(
        unique("campaign.scheduled").len() as i64,
        legs,
        "every event is out"
    );
    assert_eq!(unique("execution.completed").len() as i64, plans);
    let repeated = events.len() - unique("campaign.scheduled").len() - unique("execution.completed").len();
    let looked_up = app
        .number("SELECT count(*) FROM mutation WHERE state IN ('adopted', 'void')")
        .await;
    println!(
        "{kills} kills in {killed_for:?}, {count} plans, {legs} legs, seed {seed}: 0 duplicates, 0 lost; {looked_up} unknown \
         outcomes looked up, {repeated} events published again under their own ids; at rest after {:?}",
        began.elapsed()
    );
    replay_from_the_beginning(&app, plans).await;
}

/// As ops would: the groups' offsets are set to 0, and the service starts.
async fn replay_from_the_beginning(app: &App, plans: i64) {
    let before = app.effects().await;
    rewind(app, "campaign-execution-intake", "plan.approved");
    for platform in platform::all() {
        rewind(
            app,
            &format!("campaign-execution-{}", platform.name()),
            &format!("launch.{}", platform.name()),
        );
    }
    let service = Service::start(app, SETTINGS);
    let seen_again = "SELECT count(*) FROM inbox WHERE topic = 'plan.approved' AND seen > 1";
    wait_for(app, seen_again, plans, Duration::from_secs(60)).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (took, code) = service.terminate();
    assert_eq!(code, Some(0), "a clean stop");
    assert!(took < Duration::from_secs(15), "a clean stop took {took:?}");
    assert_eq!(
        app.effects().await,
        before,
        "a replay of everything touches nothing"
    );
}
