//! The gate: all checks of a waiting execution at the same time, their verdicts kept, its legs made when it opens.
//!
//! Must not judge (`domain::gate` does) and must not take "could not be asked" for a pass.

use super::compose::{Composer, message};
use super::poke::{Pokes, wait};
use crate::clock::SharedClock;
use crate::domain::gate::{self, Check, Outcome, Verdict};
use crate::domain::plan::{Period, Plan};
use crate::domain::saga::Saga;
use crate::domain::spec::{Asset, LegSpec, leg_specs};
use crate::domain::tenant::{Account, LaunchApproval, Tenant, TrackingAmber};
use crate::health::assets::Lookup;
use crate::health::ga4::{self, Health, Level};
use crate::health::{Unknown, assets};
use crate::outbound::Outbound;
use crate::platform::{self, AccountFacts, CallError, Platform, Session};
use crate::retry;
use crate::store::gate::{GateJob, GateResult};
use crate::store::outbox::Message;
use crate::store::{Store, StoreError};
use crate::wire;
use crate::wire::events::{Blocked, CheckOut, Touchpoint};
use futures::future::join_all;
use futures::{StreamExt, stream};
use std::collections::{BTreeMap, BTreeSet};
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
/// Asset look-ups at the same time, per execution.
const LOOKUPS: usize = 16;

/// Where the gate asks.
#[derive(Debug, Clone)]
pub struct GateConfig {
    /// By platform id: where its API lives.
    pub base_urls: BTreeMap<String, Arc<str>>,
    /// GA4 Admin API.
    pub ga4_admin: String,
    /// GA4 Data API.
    pub ga4_data: String,
    /// The asset library.
    pub asset_library: String,
    /// Its credential.
    pub asset_credential: String,
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
        let (accounts, tracking, creative) = tokio::join!(
            self.accounts(plan, &tenant),
            self.tracking(plan, &tenant),
            self.assets(plan, &specs),
        );
        let mut findings = Findings {
            checks: vec![status(plan)],
            assets: creative.assets,
        };
        findings.checks.extend(accounts);
        findings.checks.extend(tracking);
        findings.checks.extend(creative.checks);
        findings.checks.extend(catalog(plan));
        findings.checks.extend(self.offline(plan, &tenant, &specs));
        let approval = approval(job, &tenant);
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
        Ok((findings.checks, GateResult::Open { saga, legs }))
    }

    /// The gate stays closed: what is published, and when it is asked again.
    fn closed(&self, job: &GateJob, plan: &Plan, checks: &[Check], ask: Option<String>) -> GateResult {
        let blocked = gate::judge(checks) == Verdict::Blocked;
        let mut messages = Vec::new();
        if blocked {
            messages.push(blocked_message(job, plan, checks));
        }
        if let Some(what_to_do) = &ask {
            messages.push(approval_message(job, plan, what_to_do));
        }
        let again_in = if blocked { self.config.recheck } else { ASK_AGAIN };
        GateResult::Closed {
            blocked,
            again_in,
            messages,
            ask,
        }
    }

    // ---- accounts --------------------------------------------------------------------------------------------------

    async fn accounts(&self, plan: &Plan, tenant: &Tenant) -> Vec<Check> {
        let names: BTreeSet<&str> = plan.campaigns.iter().map(|c| c.platform.as_str()).collect();
        join_all(names.into_iter().map(|name| self.account(plan, tenant, name))).await
    }

    async fn account(&self, plan: &Plan, tenant: &Tenant, name: &str) -> Check {
        let check = format!("account:{name}");
        let fail = |reason: String, remedy: &str| Check::not(Outcome::Fail, check.clone(), reason, remedy);
        let Some(platform) = platform::by_name(name) else {
            return fail(
                format!("this version has no adapter for {name}"),
                "take the platform out of the plan",
            );
        };
        let Some(account) = tenant.accounts.get(name) else {
            return fail(
                format!("tenant {} has no {name} account", tenant.tenant_id),
                "onboard the tenant with an account there; the gate asks again by itself",
            );
        };
        if account.status != "active" {
            return fail(
                format!("the {name} account {} is {}", account.account_id, account.status),
                "activate it and onboard the tenant again",
            );
        }
        let (facts, age_s) = match self.facts(tenant, platform.as_ref(), account).await {
            Ok(known) => known,
            Err(CallError::Refused(error)) => return fail(error.message.clone(), &error.remedy),
            Err(CallError::Unavailable { why, .. } | CallError::Unclear { why }) => {
                return Check::not(
                    Outcome::Unknown,
                    check,
                    why,
                    "none needed: the gate asks again by itself",
                );
            }
        };
        if let Some(problem) = facts.problems.first() {
            let alert = problem
                .alert_code
                .as_ref()
                .map(|c| format!("{c}: "))
                .unwrap_or_default();
            return Check {
                age_s,
                ..fail(format!("{alert}{}", problem.message), &problem.remedy)
            };
        }
        if facts.currency != plan.currency {
            return Check {
                age_s,
                ..fail(
                    format!(
                        "the plan is in {}, the {name} account {} in {}",
                        plan.currency, account.account_id, facts.currency
                    ),
                    "publish the plan in the account's currency",
                )
            };
        }
        Check {
            age_s,
            ..Check::pass(
                check,
                format!("{} answers, {}", account.account_id, facts.currency),
            )
        }
    }

    /// The account's facts, shared between plans for a while; and their age, seconds.
    async fn facts(
        &self,
        tenant: &Tenant,
        platform: &dyn Platform,
        account: &Account,
    ) -> Result<(AccountFacts, i64), CallError> {
        let later = |error: StoreError| CallError::Unavailable {
            why: error.to_string(),
            after: None,
        };
        let (id, probe) = (tenant.tenant_id.as_str(), format!("account:{}", platform.name()));
        if let Some((verdict, age)) = self
            .store
            .verdict(id, &probe, self.config.verdict_ttl_s)
            .await
            .map_err(later)?
            && let Ok(facts) = serde_json::from_value::<AccountFacts>(verdict)
            && facts.problems.is_empty()
        {
            return Ok((facts, age));
        }
        let base_url = self.config.base_urls.get(platform.name()).cloned();
        let session = Session {
            outbound: self.outbound.clone(),
            base_url: base_url.unwrap_or_else(|| platform.traits().base_url.into()),
            account: account.clone(),
            deadline: platform.traits().deadline,
        };
        let passes = |error: &CallError| match error {
            // Told to wait: the gate is asked again later.
            CallError::Unavailable { after, .. } => after.is_none(),
            CallError::Unclear { .. } => true,
            CallError::Refused(_) => false,
        };
        let facts = retry::look(PATIENCE, passes, || platform.probe(&session)).await?;
        self.store.keep_verdict(id, &probe, &facts).await.map_err(later)?;
        Ok((facts, 0))
    }

    // ---- tracking --------------------------------------------------------------------------------------------------

    async fn tracking(&self, plan: &Plan, tenant: &Tenant) -> Vec<Check> {
        let fail = |reason: String, remedy: &str| vec![Check::not(Outcome::Fail, "tracking", reason, remedy)];
        let Some(account) = tenant.accounts.get("ga4") else {
            return fail(
                format!("tenant {} has no GA4 property", tenant.tenant_id),
                "onboard the tenant with `ga4`",
            );
        };
        if account.account_id != plan.tracking.ga4_property {
            return fail(
                format!(
                    "the plan names {}, the tenant's property is {}",
                    plan.tracking.ga4_property, account.account_id
                ),
                "correct tracking.ga4_property, or onboard the tenant again",
            );
        }
        let (health, age_s) = match self.ga4(plan, tenant, account).await {
            Ok(known) => known,
            Err(unknown) => {
                let remedy = "none needed: the gate asks again by itself";
                return vec![Check::not(Outcome::Unknown, "tracking", unknown.why, remedy)];
            }
        };
        if health.level() == Level::Green {
            return vec![Check {
                age_s,
                ..Check::pass("tracking", format!("{} is green", account.account_id))
            }];
        }
        health
            .findings
            .iter()
            .map(|finding| {
                let allowed =
                    finding.level == Level::Amber && tenant.policy.tracking_amber == TrackingAmber::Allow;
                let outcome = if allowed { Outcome::Pass } else { Outcome::Fail };
                let name = if health.findings.len() == 1 {
                    "tracking".to_owned()
                } else {
                    format!("tracking:{}", finding.reason)
                };
                Check {
                    age_s,
                    ..Check::not(outcome, name, finding.reason.clone(), finding.remedy.clone())
                }
            })
            .collect()
    }

    async fn ga4(&self, plan: &Plan, tenant: &Tenant, account: &Account) -> Result<(Health, i64), Unknown> {
        let hosts: BTreeSet<String> = ads(plan)
            .filter_map(|url| url.host_str().map(str::to_owned))
            .collect();
        let hosts: Vec<String> = hosts.into_iter().collect();
        let ads_account = plan
            .campaigns
            .iter()
            .any(|c| c.platform.as_str() == GOOGLE_LINK)
            .then(|| tenant.accounts.get(GOOGLE_LINK));
        let ads_customer_id = ads_account.flatten().map(|a| a.account_id.replace('-', ""));
        let asked = format!("{hosts:?}{:?}{ads_customer_id:?}", plan.tracking.key_events);
        let probe = format!("ga4:{}:{}", account.account_id, wire::event_id(&[&asked]));
        let unknown = |error: StoreError| Unknown {
            why: error.to_string(),
        };
        let kept = self
            .store
            .verdict(tenant.tenant_id.as_str(), &probe, self.config.verdict_ttl_s)
            .await;
        if let Some((verdict, age)) = kept.map_err(unknown)?
            && let Ok(health) = serde_json::from_value::<Health>(verdict)
        {
            return Ok((health, age));
        }
        let question = ga4::Question {
            admin_base: &self.config.ga4_admin,
            data_base: &self.config.ga4_data,
            account,
            property: &plan.tracking.ga4_property,
            landing_hosts: &hosts,
            key_events: &plan.tracking.key_events,
            ads_customer_id: ads_customer_id.as_deref(),
        };
        let health = ga4::check(&self.outbound, question).await?;
        if health.level() == Level::Green {
            self.store
                .keep_verdict(tenant.tenant_id.as_str(), &probe, &health)
                .await
                .map_err(unknown)?;
        }
        Ok((health, 0))
    }

    // ---- assets ----------------------------------------------------------------------------------------------------

    async fn assets(&self, plan: &Plan, specs: &[LegSpec]) -> Findings {
        let ids: BTreeSet<String> = specs
            .iter()
            .flat_map(LegSpec::asset_ids)
            .map(str::to_owned)
            .collect();
        let tenant = &plan.tenant_id;
        let (url, credential) = (&self.config.asset_library, &self.config.asset_credential);
        let looked: Vec<(String, Result<Lookup, Unknown>)> = stream::iter(ids)
            .map(|id| async move {
                let fetch = || assets::fetch(&self.outbound, url, credential, tenant, &id);
                let found = retry::look(PATIENCE, |_| true, fetch).await;
                (id, found)
            })
            .buffer_unordered(LOOKUPS)
            .collect()
            .await;
        let mut findings = Findings::default();
        for (id, found) in looked {
            let check = format!("asset:{id}");
            match found {
                Ok(Lookup::Ready(asset)) => {
                    findings.checks.push(Check::pass(check, "in the library"));
                    findings.assets.insert(id, asset);
                }
                Ok(Lookup::Processing) => findings.checks.push(Check::not(
                    Outcome::Unknown,
                    check,
                    format!("{id} is still being processed"),
                    "none needed: the gate asks again by itself",
                )),
                Ok(Lookup::Missing) => findings.checks.push(Check::not(
                    Outcome::Fail,
                    check,
                    format!("{id} is not in the asset library"),
                    "upload the creative by hand; the gate asks again by itself",
                )),
                Err(unknown) => findings.checks.push(Check::not(
                    Outcome::Unknown,
                    check,
                    unknown.why,
                    "none needed: the gate asks again by itself",
                )),
            }
        }
        findings
    }

    // ---- what needs nobody's answer --------------------------------------------------------------------------------

    fn offline(&self, plan: &Plan, tenant: &Tenant, specs: &[LegSpec]) -> Vec<Check> {
        let mut checks = Vec::new();
        let now = self.clock.now();
        for spec in specs {
            let leg = format!("{}/{}", spec.key.platform, spec.key.logical_campaign_key);
            if spec.campaign.schedule.end.is_some_and(|end| end <= now) {
                checks.push(Check::not(
                    Outcome::Fail,
                    format!("schedule:{leg}"),
                    "its flight is already over",
                    "publish a plan version with an end in the future",
                ));
            }
            if let Some(platform) = platform::by_name(spec.key.platform.as_str()) {
                checks.extend(platform.check(spec).into_iter().map(|p| {
                    Check::not(
                        Outcome::Fail,
                        format!("spec:{leg}{}", p.pointer),
                        p.what,
                        p.remedy,
                    )
                }));
            }
            checks.extend(ceiling(spec, tenant, &leg));
        }
        let hosts: BTreeSet<&str> = ads(plan).filter_map(url::Url::host_str).collect();
        for host in hosts {
            if !tenant.allows_host(host) {
                checks.push(Check::not(
                    Outcome::Fail,
                    format!("landing_host:{host}"),
                    format!("ads of tenant {} may not lead to {host}", tenant.tenant_id),
                    "correct the landing URL, or onboard the tenant with this host",
                ));
            }
        }
        if checks.is_empty() {
            checks.push(Check::pass(
                "plan",
                "dates, limits, hosts and every platform's own rules",
            ));
        }
        checks
    }
}

/// GA4 links to this platform's accounts by the product's own design.
const GOOGLE_LINK: &str = "google-ads";

fn ads(plan: &Plan) -> impl Iterator<Item = &url::Url> {
    plan.campaigns
        .iter()
        .flat_map(|c| &c.ad_groups)
        .flat_map(|g| &g.ads)
        .map(|ad| &ad.landing_url)
}

fn status(plan: &Plan) -> Check {
    if plan.status == "approved" {
        Check::pass("plan_status", format!("approved by {}", plan.approved_by))
    } else {
        let reason = format!("the plan's status is {:?}, not \"approved\"", plan.status);
        Check::not(
            Outcome::Fail,
            "plan_status",
            reason,
            "approve the plan and publish it again",
        )
    }
}

/// The place of the feed checks. Until they exist, a plan that relies on a feed does not pass.
fn catalog(plan: &Plan) -> Option<Check> {
    plan.catalog.as_ref().map(|_| {
        Check::not(
            Outcome::Fail,
            "catalog",
            "this version cannot check product feeds",
            "publish the plan without `catalog`, or wait for the version that checks feeds",
        )
    })
}

fn ceiling(spec: &LegSpec, tenant: &Tenant, leg: &str) -> Option<Check> {
    let budget = &spec.campaign.budget;
    let (daily, lifetime) = tenant.limits.get(spec.key.platform.as_str())?.micros().ok()?;
    let limit = match budget.period {
        Period::Daily => daily,
        Period::Lifetime => lifetime,
    }?;
    (budget.amount.micros > limit).then(|| {
        let allowed = crate::domain::money::Money::from_micros(limit, budget.amount.currency);
        Check::not(
            Outcome::Fail,
            format!("budget:{leg}"),
            format!(
                "the plan asks for {}, the tenant's limit there is {allowed}",
                budget.amount
            ),
            "lower the budget, or raise the tenant's limit by onboarding",
        )
    })
}

fn approval(job: &GateJob, tenant: &Tenant) -> Option<Check> {
    let (needed, what) = match tenant.policy.launch_approval {
        LaunchApproval::Never => (false, ""),
        LaunchApproval::FirstLaunch => (!job.launched_before, "the tenant's first launch"),
        LaunchApproval::Always => (true, "each launch of this tenant"),
    };
    if !needed {
        return None;
    }
    Some(match &job.approved_by {
        Some(by) => Check::pass("approval", format!("approved by {by}")),
        None => Check::not(
            Outcome::Waiting,
            "approval",
            format!("{what} needs a person's approval"),
            format!(
                "`campaign-execution approve {} --tenant {}` (or `reject`), or publish execution.approval",
                job.plan_version, job.tenant_id
            ),
        ),
    })
}

fn blocked_message(job: &GateJob, plan: &Plan, checks: &[Check]) -> Message {
    let data = Blocked {
        tenant_id: plan.tenant_id.to_string(),
        plan_id: plan.plan_id.to_string(),
        plan_version: plan.plan_version.to_string(),
        checks: checks
            .iter()
            .filter(|c| c.outcome != Outcome::Pass)
            .map(CheckOut::from)
            .collect(),
    };
    // The same verdict is published once per payload, however often the gate is asked.
    let verdict: Vec<String> = data
        .checks
        .iter()
        .map(|c| format!("{}={}:{}", c.check, c.outcome, c.reason))
        .collect();
    let id = wire::event_id(&[
        "execution.blocked",
        &job.tenant_id,
        &job.plan_version,
        &job.payload_hash,
        &verdict.join("|"),
    ]);
    let place = (plan.tenant_id.as_str(), plan.plan_id.as_str());
    message(
        "execution.blocked",
        place,
        id,
        &data,
        crate::telemetry::traceparent(),
    )
}

fn approval_message(job: &GateJob, plan: &Plan, what_to_do: &str) -> Message {
    let id = wire::event_id(&[
        "execution.touchpoint",
        &job.tenant_id,
        &job.plan_version,
        &job.payload_hash,
        "launch_approval",
    ]);
    let data = Touchpoint {
        tenant_id: plan.tenant_id.to_string(),
        plan_id: plan.plan_id.to_string(),
        plan_version: plan.plan_version.to_string(),
        touchpoint_id: id.clone(),
        kind: "launch_approval".to_owned(),
        state: "opened".to_owned(),
        what_to_do: what_to_do.to_owned(),
        platform: None,
        logical_campaign_key: None,
    };
    let place = (plan.tenant_id.as_str(), plan.plan_id.as_str());
    message(
        "execution.touchpoint",
        place,
        id,
        &data,
        crate::telemetry::traceparent(),
    )
}
