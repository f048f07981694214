//! `bench`: plans through a real Kafka and a real PostgreSQL against the sandbox, at several numbers in flight, beside the
//! same calls made with no durability at all. Run it with `make bench`, which starts the servers.
//!
//! Must report what it measured, targets missed included. Service and sandbox are processes of their own, so that memory and
//! time are theirs alone.

mod bare;
mod world;

use super::Failure;
use super::output::Output;
use crate::bus::consumer::Subscription;
use crate::bus::producer::{Outgoing, Publisher};
use crate::domain::plan::Plan;
use crate::wire;
use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::{Duration, Instant};
use world::{Counts, World};

/// How long a level may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// Measure launches.
#[derive(Args)]
pub struct Bench {
    /// Plans in flight, one level after the other
    #[arg(long, value_delimiter = ',', default_value = "1,16,64")]
    in_flight: Vec<usize>,
    /// Plans per level (fewer at the first)
    #[arg(long, default_value_t = 600)]
    plans: usize,
    /// How long each of the sandbox's answers takes, milliseconds
    #[arg(long, default_value_t = 0)]
    latency_ms: u64,
}

/// What a level came to.
#[derive(Debug, Serialize)]
struct Level {
    in_flight: usize,
    plans: usize,
    legs_per_plan: usize,
    seconds: f64,
    launches_per_s: f64,
    p50_ms: f64,
    p99_ms: f64,
    writes_per_s: f64,
    calls_per_s: f64,
    writes_per_launch: f64,
    calls_per_launch: f64,
    transactions_per_launch: f64,
    kafka_messages_per_launch: f64,
    service_peak_mb: f64,
    bare_writes_per_s: f64,
    share_of_bare: f64,
}

impl Bench {
    /// Runs it.
    pub async fn run(self, output: &Output) -> Result<u8, Failure> {
        if cfg!(debug_assertions) {
            output.line("note: this is an unoptimised build; figures are for `make bench` only");
        }
        let world = World::start(self.latency_ms).await?;
        output.line(format!(
            "ready after {:.0} ms",
            world.ready_after.as_secs_f64() * 1000.0
        ));
        let warm = run_level(&world, "warm", 4, 16).await?;
        output.line(format!("warmed up with {} plans", warm.plans));
        let mut levels = Vec::new();
        for in_flight in &self.in_flight {
            let plans = if *in_flight == 1 {
                self.plans / 4
            } else {
                self.plans
            }
            .max(*in_flight);
            let mut level = run_level(&world, &format!("l{in_flight}"), *in_flight, plans).await?;
            level.bare_writes_per_s = bare::rate(&world, *in_flight, plans.min(200)).await?;
            level.share_of_bare = level.writes_per_s / level.bare_writes_per_s;
            levels.push(level);
        }
        let replays = replays(&world, self.in_flight.first().copied().unwrap_or(1), self.plans).await?;
        report(output, &levels, replays);
        world.stop().await;
        Ok(0)
    }
}

async fn run_level(world: &World, name: &str, in_flight: usize, plans: usize) -> Result<Level, Failure> {
    let all: Vec<Plan> = (0..plans)
        .map(|n| world.plan(&plan_name(name, n)))
        .collect::<Result<_, _>>()?;
    let legs = all.first().map_or(0, |p| p.campaigns.len());
    let messages: Vec<Outgoing> = all.iter().map(|p| world.message(p)).collect();
    let before = world.counts().await?;
    let began = Instant::now();
    let latencies = drive(world, messages, in_flight, legs).await?;
    let seconds = began.elapsed().as_secs_f64();
    let after = world.counts().await?;
    Ok(level(in_flight, legs, seconds, latencies, &before, &after))
}

/// A plan of this run: the database may know earlier runs' plans.
fn plan_name(level: &str, n: usize) -> String {
    format!("{level}.{}.{n}", std::process::id())
}

/// Publishes plans, never more than `in_flight` at once; how long each took from its publishing to its last event.
async fn drive(
    world: &World,
    messages: Vec<Outgoing>,
    in_flight: usize,
    legs: usize,
) -> Result<Vec<Duration>, Failure> {
    let publisher = Publisher::new(&world.wiring.bus)?;
    let total = messages.len();
    let mut waiting = messages.into_iter();
    let mut flying: HashMap<String, (Instant, usize)> = HashMap::new();
    let mut latencies = Vec::with_capacity(total);
    let began = Instant::now();
    while latencies.len() < total {
        let room = in_flight - flying.len();
        let next: Vec<Outgoing> = waiting.by_ref().take(room).collect();
        if !next.is_empty() {
            for message in &next {
                flying.insert(message.key.clone(), (Instant::now(), 0));
            }
            if publisher.publish(&next).await.contains(&false) {
                return Err(Failure::unreachable("Kafka did not take a plan"));
            }
        }
        for delivery in world.events.batch(512, Duration::from_millis(500)).await {
            let key = String::from_utf8_lossy(delivery.key.as_deref().unwrap_or_default()).into_owned();
            let Some((since, heard)) = flying.get_mut(&key) else {
                continue;
            };
            *heard += 1;
            if *heard == legs {
                latencies.push(since.elapsed());
                flying.remove(&key);
            }
        }
        if began.elapsed() > PATIENCE {
            return Err(Failure::failed(format!(
                "{} of {total} plans were launched in {PATIENCE:?}",
                latencies.len()
            )));
        }
    }
    Ok(latencies)
}

fn level(
    in_flight: usize,
    legs: usize,
    seconds: f64,
    mut latencies: Vec<Duration>,
    before: &Counts,
    after: &Counts,
) -> Level {
    latencies.sort_unstable();
    let plans = latencies.len();
    let at = |share: f64| {
        let index = ((plans as f64 * share) as usize).min(plans.saturating_sub(1));
        latencies.get(index).map_or(0.0, |d| d.as_secs_f64() * 1000.0)
    };
    let per = |a: u64, b: u64| (a - b) as f64 / plans.max(1) as f64;
    let writes = (after.writes - before.writes) as f64;
    let calls = (after.calls - before.calls) as f64;
    Level {
        in_flight,
        plans,
        legs_per_plan: legs,
        seconds,
        launches_per_s: plans as f64 / seconds,
        p50_ms: at(0.5),
        p99_ms: at(0.99),
        writes_per_s: writes / seconds,
        calls_per_s: calls / seconds,
        writes_per_launch: per(after.writes, before.writes),
        calls_per_launch: per(after.calls, before.calls),
        transactions_per_launch: per(after.transactions, before.transactions),
        kafka_messages_per_launch: 1.0 + per(after.published, before.published),
        service_peak_mb: after.peak_kb as f64 / 1024.0,
        bare_writes_per_s: 0.0,
        share_of_bare: 0.0,
    }
}

/// Plans a second that are published again and change nothing.
async fn replays(world: &World, in_flight: usize, plans: usize) -> Result<f64, Failure> {
    let plan = world.plan(&plan_name(&format!("l{in_flight}"), 0))?;
    let message = world.message(&plan);
    let before = world.seen_again(&plan).await?;
    let publisher = Publisher::new(&world.wiring.bus)?;
    let count = plans as i64;
    let began = Instant::now();
    for chunk in vec![message; plans].chunks(500) {
        publisher.publish(chunk).await;
    }
    while world.seen_again(&plan).await? < before + count {
        tokio::time::sleep(Duration::from_millis(5)).await;
        if began.elapsed() > PATIENCE {
            return Err(Failure::failed("the replays were not all taken in"));
        }
    }
    Ok(plans as f64 / began.elapsed().as_secs_f64())
}

fn report(output: &Output, levels: &[Level], replays: f64) {
    output.json(&json!({ "levels": levels, "replays_per_s": replays }));
    let rows: Vec<Vec<String>> = levels
        .iter()
        .map(|l| {
            vec![
                l.in_flight.to_string(),
                l.plans.to_string(),
                format!("{:.0}", l.launches_per_s),
                format!("{:.1}", l.p50_ms),
                format!("{:.1}", l.p99_ms),
                format!("{:.0}", l.writes_per_s),
                format!("{:.0}", l.calls_per_s),
                format!("{:.0} %", l.share_of_bare * 100.0),
                format!("{:.1}", l.writes_per_launch),
                format!("{:.1}", l.calls_per_launch),
                format!("{:.1}", l.transactions_per_launch),
                format!("{:.1}", l.kafka_messages_per_launch),
                format!("{:.0}", l.service_peak_mb),
            ]
        })
        .collect();
    let headings = [
        "IN FLIGHT",
        "PLANS",
        "LAUNCHES/S",
        "P50 MS",
        "P99 MS",
        "WRITES/S",
        "CALLS/S",
        "OF BARE",
        "WRITES",
        "CALLS",
        "TX",
        "KAFKA",
        "PEAK MB",
    ];
    output.table(&headings, &rows);
    let legs = levels.first().map_or(0, |l| l.legs_per_plan);
    output.line(format!("a launch is a plan of {legs} legs; WRITES, CALLS, TX and KAFKA are per launch; OF BARE compares writes/s"));
    output.line("with the same writes sent through the same adapters with no durability at all");
    let best = levels.iter().map(|l| l.writes_per_s).fold(0.0, f64::max);
    let share = levels.iter().map(|l| l.share_of_bare).fold(0.0, f64::max);
    for (what, found, wanted, met) in [
        (
            "durable platform calls/s, best",
            format!("{best:.0}"),
            "≥ 2200",
            best >= 2200.0,
        ),
        (
            "share of the bare rate, best",
            format!("{:.0} %", share * 100.0),
            "≥ 60 %",
            share >= 0.6,
        ),
        (
            "replays with nothing to do, plans/s",
            format!("{replays:.0}"),
            "≥ 2000",
            replays >= 2000.0,
        ),
    ] {
        output.line(format!(
            "{what}: {found} (target {wanted}: {})",
            if met { "met" } else { "missed" }
        ));
    }
}

/// A plan's key on Kafka.
fn key(plan: &Plan) -> String {
    format!("{}/{}", plan.tenant_id, plan.plan_id)
}

/// A plan's message.
fn message(plan: &Plan, payload: &Value, now: &str) -> Outgoing {
    let key = key(plan);
    Outgoing {
        topic: "plan.approved".to_owned(),
        headers: wire::cloud_event_headers("plan.approved", plan.plan_version.as_str(), &key, now),
        key,
        payload: payload.to_string().into_bytes(),
    }
}

/// Joins the events that end a leg.
fn listen(wiring: &crate::wiring::Wiring) -> Result<Subscription, Failure> {
    let topics = ["campaign.scheduled", "campaign.live"].map(str::to_owned);
    Ok(Subscription::join(&wiring.bus, "bench-reporting", &topics)?)
}
