//! `demo`: the main job, visibly, on private servers that are gone afterwards: an approved plan becomes campaigns on
//! the platforms, and the same plan published again changes nothing.
//!
//! Must show what really happens: every line is read from the audit log, from Kafka or from the sandbox's journal.

mod postgres;
mod world;

use super::output::Output;
use super::{Failure, explain, plan};
use crate::bus::consumer::{Delivery, Subscription};
use crate::domain::saga::LegState;
use crate::domain::tenant::Tenant;
use crate::outbound::Outbound;
use crate::platform;
use crate::service::compose::Composer;
use crate::service::intake::tenant_record;
use crate::store::audit::Entry;
use crate::store::decide::Decision;
use crate::wiring::{Wiring, roles};
use chrono::{DateTime, Duration as Days, SecondsFormat, Utc};
use clap::Args;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use world::World;

/// What the demo's plan is made of: the contract's own example, with dates around today.
const EXAMPLE: &str = include_str!("../../../schemas/examples/plan.approved.json");
const TENANT: &str = include_str!("../../../schemas/examples/tenant.onboarded.json");
/// How long any one part may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A plan from approval to live campaigns, in half a minute.
#[derive(Args)]
pub struct Demo {
    /// Also show the service's own log
    #[arg(long)]
    log: bool,
}

struct Show<'o> {
    output: &'o Output,
    began: Instant,
}

impl Show<'_> {
    fn heading(&self, text: &str) {
        self.output.line("");
        self.output.line(self.output.bold(text));
    }

    fn at(&self, text: &str) {
        let seconds = self.began.elapsed().as_secs_f64();
        self.output.line(format!(
            "{} {}",
            self.output.dim(&format!("{seconds:6.2}s")),
            self.output.tint(text)
        ));
    }
}

impl Demo {
    /// Runs it.
    pub async fn run(self, output: &Output) -> Result<u8, Failure> {
        let show = Show {
            output,
            began: Instant::now(),
        };
        if self.log {
            let _ = crate::telemetry::install("info", crate::telemetry::LogFormat::Text, None)?;
        }
        show.heading("1. A private world");
        let world = World::start().await?;
        show.at(&format!(
            "PostgreSQL, {} and the sandbox are up (http://{})",
            world.broker, world.sandbox
        ));
        let stop = CancellationToken::new();
        let all = roles::all();
        let mut tasks = roles::spawn(&world.wiring, &all, &stop)?;
        show.at(&format!(
            "the service runs: {}",
            all.iter().cloned().collect::<Vec<_>>().join(", ")
        ));
        let told = tell(&show, &world).await;
        stop.cancel();
        let _ = tokio::time::timeout(Duration::from_secs(10), async {
            while tasks.join_next().await.is_some() {}
        })
        .await;
        world.stop().await;
        told?;
        show.heading("Done");
        show.at("everything was stopped and removed");
        Ok(0)
    }
}

async fn tell(show: &Show<'_>, world: &World) -> Result<(), Failure> {
    let wiring = &world.wiring;
    let tenant: Tenant = serde_json::from_str(TENANT).map_err(|e| Failure::failed(e.to_string()))?;
    let record = tenant_record(&tenant, "cli:demo", wiring.clock.stamp());
    wiring.store.apply_tenant(&tenant, record).await?;
    show.at(&format!(
        "tenant {} is onboarded; its first launch needs a person's approval",
        tenant.tenant_id
    ));

    show.heading("2. The planning system approves a plan: two campaigns, Google Ads and Meta");
    let payload = the_plan(wiring.clock.now());
    let plan = crate::wire::plan::parse(&payload).map_err(|p| Failure::failed(crate::wire::summary(&p)))?;
    let (tenant_id, version) = (plan.tenant_id.to_string(), plan.plan_version.to_string());
    let events = Events::listen(wiring)?;
    plan::publish(wiring, &plan, payload.to_string().into_bytes()).await?;
    show.at(&format!("plan.approved {version} is on Kafka"));
    let mut story = Story {
        wiring,
        tenant_id: tenant_id.clone(),
        version: version.clone(),
        told: 0,
    };
    story.until(show, |e| e.action == "gate.blocked").await?;

    show.heading("3. A person approves the launch");
    let decision = Decision {
        tenant_id: tenant_id.clone(),
        plan_id: None,
        plan_version: version.clone(),
        approve: true,
        by: "demo".to_owned(),
        reason: Some("looks good".to_owned()),
        shown: None,
        decided_at: None,
        via: "cli",
        now: wiring.clock.stamp(),
        compose: Arc::new(Composer),
    };
    wiring.store.decide(&decision).await?;
    wiring.pokes.gate.notify_one();
    let wanted = plan.campaigns.len();
    let mut rested = 0;
    story
        .until(show, |entry| {
            let to = entry
                .detail
                .get("to")
                .and_then(Value::as_str)
                .and_then(LegState::parse);
            rested += usize::from(entry.action == "leg.moved" && to.is_some_and(LegState::at_rest));
            rested == wanted
        })
        .await?;

    show.heading("4. What reporting hears on Kafka");
    events.show(show, wanted + 1).await?;

    show.heading("5. What was made, and what it cost");
    manifest(show, wiring, &tenant_id, &version).await?;
    let before = calls(&wiring.outbound, world).await?;
    show.at(&format!(
        "calls to the platforms: {} writes, {} reads",
        before.0, before.1
    ));

    show.heading("6. The same plan is published again");
    plan::publish(wiring, &plan, payload.to_string().into_bytes()).await?;
    story.until(show, |e| e.action == "plan.seen_again").await?;
    // Long enough for a gate, a relay and a worker to have done something, had there been anything to do.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let after = calls(&wiring.outbound, world).await?;
    show.at(&format!(
        "writes since then: {}; campaigns: still {wanted}",
        after.0 - before.0
    ));
    if after.0 != before.0 {
        return Err(Failure::failed(
            "publishing a plan twice changed something on a platform",
        ));
    }

    show.heading("7. The audit log");
    for chain in wiring.store.verify_audit(None).await? {
        let state = chain.broken.clone().unwrap_or_else(|| "whole".to_owned());
        show.at(&format!(
            "tenant {}: {} entries, the chain is {state}",
            chain.tenant_id, chain.entries
        ));
    }
    Ok(())
}

/// The contract's example, only with platforms that have an adapter; the first flight starts in a month, the second has begun.
fn the_plan(now: DateTime<Utc>) -> Value {
    let mut plan: Value = serde_json::from_str(EXAMPLE).unwrap_or_default();
    let known: BTreeSet<&str> = platform::all().iter().map(|p| p.name()).collect();
    let stamp = |at: DateTime<Utc>| json!(at.to_rfc3339_opts(SecondsFormat::Secs, true));
    plan["approved_at"] = stamp(now);
    if let Some(campaigns) = plan["campaigns"].as_array_mut() {
        campaigns.retain(|c| c["platform"].as_str().is_some_and(|p| known.contains(p)));
        for (i, campaign) in campaigns.iter_mut().enumerate() {
            let start = if i == 0 {
                now + Days::days(30)
            } else {
                now - Days::hours(1)
            };
            campaign["schedule"] = json!({ "start": stamp(start), "end": stamp(now + Days::days(60)) });
        }
    }
    plan
}

/// Tells the audit log as it grows.
struct Story<'w> {
    wiring: &'w Wiring,
    tenant_id: String,
    version: String,
    told: usize,
}

impl Story<'_> {
    async fn until(&mut self, show: &Show<'_>, mut last: impl FnMut(&Entry) -> bool) -> Result<(), Failure> {
        let began = Instant::now();
        while began.elapsed() < PATIENCE {
            let entries = self.wiring.store.audit_of(&self.tenant_id, &self.version).await?;
            for entry in entries.iter().skip(self.told) {
                self.told += 1;
                let leg = entry.leg.as_deref().map(|l| format!("{l}: ")).unwrap_or_default();
                show.at(&format!("{leg}{}", explain::sentence(entry)));
                if last(entry) {
                    return Ok(());
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Err(Failure::failed(
            "the demo waited in vain; run it with --log to see why",
        ))
    }
}

/// Reads what the service publishes, as reporting would.
struct Events(Subscription);

impl Events {
    fn listen(wiring: &Wiring) -> Result<Self, Failure> {
        let topics = ["campaign.live", "campaign.scheduled", "execution.completed"].map(str::to_owned);
        Ok(Self(Subscription::join(&wiring.bus, "demo-reporting", &topics)?))
    }

    async fn show(self, show: &Show<'_>, expected: usize) -> Result<(), Failure> {
        let began = Instant::now();
        let mut seen = 0;
        while seen < expected && began.elapsed() < PATIENCE {
            for delivery in self.0.batch(16, Duration::from_millis(200)).await {
                show.at(&event_line(&delivery));
                seen += 1;
            }
        }
        self.0.leave(Duration::from_secs(2)).await;
        if seen < expected {
            Err(Failure::failed(format!("{seen} of {expected} events came")))
        } else {
            Ok(())
        }
    }
}

fn event_line(delivery: &Delivery) -> String {
    let data: Value =
        serde_json::from_slice(delivery.payload.as_deref().unwrap_or_default()).unwrap_or_default();
    match data.get("campaign_name").and_then(Value::as_str) {
        Some(name) => format!(
            "{} {name} = {} {} ({})",
            delivery.topic,
            data["platform"].as_str().unwrap_or_default(),
            data["platform_campaign_id"].as_str().unwrap_or_default(),
            data["tracking_mode"].as_str().unwrap_or_default()
        ),
        None => format!(
            "{} with {} legs",
            delivery.topic,
            data["legs"].as_array().map_or(0, Vec::len)
        ),
    }
}

async fn manifest(show: &Show<'_>, wiring: &Wiring, tenant: &str, version: &str) -> Result<(), Failure> {
    for execution in wiring.store.executions(Some(tenant), Some(version), 1).await? {
        for leg in wiring.store.legs(execution.id, 100).await? {
            let Some(manifest) = leg.manifest else { continue };
            show.at(&format!(
                "{} {}: {}",
                leg.state, leg.platform, manifest.campaign_name
            ));
            for object in manifest.existing() {
                let id = object.remote_id.as_deref().unwrap_or_default();
                show.output.line(format!("          {:<44} {id}", object.key));
            }
        }
    }
    Ok(())
}

/// Writes and reads that the sandbox's platforms have received.
async fn calls(outbound: &Outbound, world: &World) -> Result<(u64, u64), Failure> {
    let url = format!("http://{}/control/requests", world.sandbox);
    let answer = outbound
        .send(outbound.http.get(url), Duration::from_secs(5))
        .await
        .map_err(|e| Failure::failed(format!("the sandbox's journal: {e}")))?;
    let journal = answer.json().unwrap_or_default();
    let requests = journal
        .as_array()
        .or_else(|| journal.get("requests").and_then(Value::as_array));
    let (mut writes, mut reads) = (0, 0);
    for request in requests.into_iter().flatten() {
        let vendor = request["vendor"].as_str();
        if vendor.and_then(platform::by_name).is_none() {
            continue;
        }
        if request["effect"] == json!(true) {
            writes += 1
        } else {
            reads += 1
        }
    }
    Ok((writes, reads))
}
