//! The gate: all checks of a waiting execution at the same time, their verdicts kept, its legs made when it opens.
//!
//! Must not judge (`domain::gate` does) and must not take "could not be asked" for a pass.

mod accounts;
mod amendment;
mod assets;
mod budgets;
mod catalog;
mod flights;
mod offline;
mod publish;
mod tracking;

use super::compose::Composer;
use super::poke::{Pokes, wait};
use crate::clock::SharedClock;
use crate::domain::gate::{self, Check, Outcome, Verdict};
use crate::domain::plan::Plan;
use crate::domain::saga::Saga;
use crate::domain::spec::{Asset, LegSpec, leg_specs};
use crate::domain::tenant::Account;
use crate::domain::tracking::without_utm;
use crate::health::Unknown;
use crate::health::assets::Library;
use crate::health::ga4::Health;
use crate::outbound::Outbound;
use crate::platform::{self, AccountFacts, CallError, Platform, Session};
use crate::store::gate::{GateJob, GateResult, Stripped};
use crate::store::{Store, StoreError};
use crate::wire;
use flights::Flights;
use futures::future::join_all;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// How long one look at a gate may take before another instance takes it up.
const LEASE: Duration = Duration::from_secs(120);
/// Executions looked at together.
const BATCH: i64 = 32;
/// How soon a gate is asked again when something could not be asked.
const ASK_AGAIN: Duration = Duration::from_secs(10);
/// How long a passing trouble of a probe or a look-up is sat out before the gate is asked again later.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where the gate asks.
#[derive(Debug, Clone)]
pub struct GateConfig {
    /// By platform id: where its API lives.
    pub base_urls: BTreeMap<String, Arc<str>>,
    /// GA4 Admin API.
    pub ga4_admin: String,
    /// GA4 Data API.
    pub ga4_data: String,
    /// Merchant API.
    pub merchant: String,
    /// How long verdicts are shared, seconds.
    pub verdict_ttl_s: i64,
    /// How often a blocked execution is looked at unasked.
    pub recheck: Duration,
}

/// The gatekeeper.
pub struct Gatekeeper {
    /// The truth.
    pub store: Store,
    /// HTTP and credentials.
    pub outbound: Outbound,
    /// For dates and the audit log.
    pub clock: SharedClock,
    /// Who rings, and whom it rings.
    pub pokes: Pokes,
    /// Where it asks.
    pub config: GateConfig,
    /// Where assets are.
    pub library: Library,
    /// What it is asking.
    pub flights: Questions,
}

/// Questions under way, shared by the executions that ask them.
#[derive(Default)]
pub struct Questions {
    accounts: Flights<Result<(AccountFacts, i64), CallError>>,
    feeds: Flights<catalog::Looked>,
    tracking: Flights<Result<(Health, i64), Unknown>>,
}

/// What the checks found besides their verdicts.
#[derive(Default)]
struct Findings {
    checks: Vec<Check>,
    assets: BTreeMap<String, Asset>,
}

impl Gatekeeper {
    /// Keeps the gate until stopped.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        loop {
            match self.step().await {
                Ok(0) => {
                    if !wait(&self.pokes.gate, Duration::from_secs(1), &stop).await {
                        return;
                    }
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(error = %error, "the gate could not be asked; trying again");
                    if !wait(&tokio::sync::Notify::new(), Duration::from_secs(1), &stop).await {
                        return;
                    }
                }
            }
            if stop.is_cancelled() {
                return;
            }
        }
    }

    /// Asks the gates that are due; how many there were.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn step(&self) -> Result<usize, StoreError> {
        let jobs = self.store.lease_gates(BATCH, LEASE).await?;
        let results = join_all(jobs.iter().map(|job| {
            let span = tracing::info_span!("gate", plan_version = job.plan_version, tenant = job.tenant_id);
            crate::telemetry::continue_from(&span, job.traceparent.as_deref());
            self.ask(job).instrument(span)
        }))
        .await;
        for result in results {
            result?;
        }
        Ok(jobs.len())
    }

    async fn ask(&self, job: &GateJob) -> Result<(), StoreError> {
        let (checks, result) = match wire::plan::parse(&job.payload) {
            Ok(plan) => self.decide(job, &plan).await?,
            Err(problems) => {
                // It was valid when it was taken in: the rules have become stricter since.
                let remedy = "publish a corrected plan version";
                let check = Check::not(Outcome::Fail, "schema", wire::summary(&problems), remedy);
                let closed = GateResult::Closed {
                    blocked: true,
                    again_in: self.config.recheck,
                    messages: vec![],
                    ask: None,
                };
                (vec![check], closed)
            }
        };
        let opened = matches!(result, GateResult::Open { .. });
        let stamp = self.clock.stamp();
        if self
            .store
            .record_gate(&Composer, job, &checks, result, &stamp)
            .await?
        {
            tracing::info!(
                opened,
                failed = checks.iter().filter(|c| c.outcome != Outcome::Pass).count(),
                "gate asked"
            );
            self.pokes.relay.notify_one();
        }
        Ok(())
    }

    async fn decide(&self, job: &GateJob, plan: &Plan) -> Result<(Vec<Check>, GateResult), StoreError> {
        let tenant = self.store.tenant(plan.tenant_id.as_str()).await?;
        let Some(tenant) = tenant else {
            let check = Check::not(
                Outcome::Fail,
                "tenant",
                format!("nobody has onboarded tenant {}", plan.tenant_id),
                "publish tenant.onboarded, or `campaign-execution tenant apply FILE`; the gate asks again by itself",
            );
            return Ok((vec![check.clone()], self.closed(job, plan, &[check], None)));
        };
        let mut specs = leg_specs(plan, &tenant.policy.eu_political_advertising);
        let (accounts, tracking, creative, feeds) = tokio::join!(
            self.accounts(plan, &tenant),
            self.tracking(plan, &tenant),
            self.assets(plan, &specs),
            self.catalog(plan, &tenant, &specs),
        );
        let mut findings = Findings {
            checks: vec![offline::status(plan)],
            assets: creative.assets,
        };
        findings.checks.extend(budgets::budgets(plan, &tenant, &accounts));
        findings
            .checks
            .extend(accounts.into_values().flat_map(|found| found.checks));
        findings.checks.extend(tracking);
        findings.checks.extend(creative.checks);
        findings.checks.extend(feeds);
        findings.checks.extend(self.offline(plan, &tenant, &specs));
        findings.checks.extend(amendment::immutable(
            job.in_force.as_ref(),
            &job.payload,
            tenant.policy.immutable_change,
        ));
        findings.checks.extend(amendment::reserved(&job.replaced, plan));
        let approval = offline::approval(job, &tenant);
        let ask = approval
            .as_ref()
            .filter(|c| c.outcome == Outcome::Waiting)
            .map(|c| c.remedy.clone());
        findings.checks.extend(approval);
        if gate::judge(&findings.checks) != Verdict::Open {
            let closed = self.closed(job, plan, &findings.checks, ask);
            return Ok((findings.checks, closed));
        }
        for spec in &mut specs {
            let ids: Vec<String> = spec.asset_ids().into_iter().map(str::to_owned).collect();
            spec.assets = ids
                .into_iter()
                .filter_map(|id| findings.assets.get_key_value(&id))
                .map(|(k, v)| (k.clone(), v.clone()))
                .collect();
        }
        let stripped = specs.iter().filter_map(stripped).collect();
        let legs: Vec<(LegSpec, u8)> = specs
            .into_iter()
            .map(|spec| {
                let position =
                    platform::by_name(spec.key.platform.as_str()).map_or(u8::MAX, |p| p.traits().position);
                (spec, position)
            })
            .collect();
        let saga = Saga::new(
            plan.launch.atomic,
            plan.launch.order,
            legs.iter().map(|(_, p)| *p),
        );
        let fixed = amendment::fixed(plan);
        let open = GateResult::Open {
            saga,
            legs,
            stripped,
            fixed,
        };
        Ok((findings.checks, open))
    }

    /// The gate stays closed: what is published, and when it is asked again.
    fn closed(&self, job: &GateJob, plan: &Plan, checks: &[Check], ask: Option<String>) -> GateResult {
        let blocked = gate::judge(checks) == Verdict::Blocked;
        let mut messages = Vec::new();
        if blocked {
            messages.push(publish::blocked_message(job, plan, checks));
        }
        let again_in = if blocked {
            self.config.recheck
        } else {
            soonest(checks).min(self.config.recheck)
        };
        GateResult::Closed {
            blocked,
            again_in,
            messages,
            ask,
        }
    }

    /// The means to call an account of the tenant.
    fn session(&self, platform: &dyn Platform, account: &Account) -> Session {
        Session::of(&self.outbound, &self.config.base_urls, platform, account)
    }
}

/// For the audit: the `utm_*` that the plan's landing URLs carry and the platform must not be given.
fn stripped(spec: &LegSpec) -> Option<Stripped> {
    let platform = platform::by_name(spec.key.platform.as_str())?;
    if !platform.traits().tracking.forbids_utm() {
        return None;
    }
    let mut ads = serde_json::Map::new();
    for group in &spec.campaign.ad_groups {
        for ad in &group.ads {
            let (_, removed) = without_utm(&ad.landing_url);
            if !removed.is_empty() {
                ads.insert(format!("{}/{}", group.key, ad.key), removed.into());
            }
        }
    }
    let leg = format!("{}/{}", spec.key.platform, spec.key.logical_campaign_key);
    (!ads.is_empty()).then(|| Stripped {
        leg,
        detail: serde_json::json!({ "ads": ads }),
    })
}

/// When what could not be asked is asked again: as soon as the first of it makes sense.
fn soonest(checks: &[Check]) -> Duration {
    let unknown = checks.iter().filter(|c| c.outcome == Outcome::Unknown);
    let waits = unknown.map(|c| match c.again_s {
        0 => ASK_AGAIN,
        seconds => Duration::from_secs(seconds),
    });
    waits.min().unwrap_or(ASK_AGAIN)
}

/// The database was away: later.
fn later(error: StoreError) -> CallError {
    CallError::Unavailable {
        why: error.to_string(),
        after: None,
    }
}

/// Whether a look is sat out at once. Who was told to wait gives the work back: the gate is asked again later.
fn passes(error: &CallError) -> bool {
    match error {
        CallError::Unavailable { after, .. } => after.is_none(),
        CallError::Unclear { .. } => true,
        CallError::Refused(_) => false,
    }
}

/// Where the plan's ads lead.
fn landing_urls(plan: &Plan) -> impl Iterator<Item = &url::Url> {
    plan.campaigns
        .iter()
        .flat_map(|c| &c.ad_groups)
        .flat_map(|g| &g.ads)
        .map(|ad| &ad.landing_url)
}
