//! What every episode stands on: the contract's example plan and tenant, and what a worker needs besides them.
//!
//! Must not reach anything outside the process: the pool is never connected, the client never used.

use super::rng::Luck;
use super::store::Payload;
use crate::clock::Clock;
use crate::domain::ids::{LogicalKey, PlanVersion};
use crate::domain::money::Currency;
use crate::domain::plan::{Campaign, Objective, Order, Plan};
use crate::domain::tenant::Tenant;
use crate::health::assets::Library;
use crate::outbound::Outbound;
use crate::platform::{self, AccountFacts};
use crate::store::Store;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tokio::sync::Semaphore;

const PLAN: &str = include_str!("../../../schemas/examples/plan.approved.json");
const TENANT: &str = include_str!("../../../schemas/examples/tenant.onboarded.json");

/// A clock that stands where the episode put it.
#[derive(Debug, Default)]
pub(super) struct Hands(pub AtomicI64);

impl Clock for Hands {
    fn now(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.0.load(Ordering::Relaxed)).unwrap_or_default()
    }
}

/// Made once.
pub(super) struct Ground {
    pub plan: Plan,
    pub tenant: Tenant,
    pub outbound: Outbound,
    pub store: Store,
    pub library: Library,
    pub facts: BTreeMap<String, Value>,
    /// Of each campaign of the example, another objective that its platform takes: nowhere can an objective be changed.
    others: Vec<Option<Objective>>,
    runtime: tokio::runtime::Runtime,
}

impl Ground {
    pub(super) fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime");
        let entered = runtime.enter();
        let plan: Value = serde_json::from_str(PLAN).expect("the example");
        let plan = crate::wire::plan::parse(&plan).expect("a plan");
        let tenant: Tenant = serde_json::from_str(TENANT).expect("the example");
        let outbound =
            Outbound::new("/nonexistent".into(), "http://127.0.0.1:9/".to_owned()).expect("a client");
        let facts = AccountFacts {
            currency: Currency::parse("EUR").expect("EUR"),
            timezone: chrono_tz::Europe::Berlin,
            auto_tagging: Some(true),
            minimum_daily: None,
            spendable: None,
            catalogs: Vec::new(),
            problems: Vec::new(),
        };
        let facts_told = serde_json::to_value(&facts).expect("facts");
        Self {
            others: others(&plan, &tenant, &facts),
            facts: tenant
                .accounts
                .keys()
                .map(|p| (p.clone(), facts_told.clone()))
                .collect(),
            plan,
            tenant,
            library: Library {
                outbound: outbound.clone(),
                base_url: "http://127.0.0.1:9".to_owned(),
                credential: "none".to_owned(),
                content_hosts: Vec::new(),
                max_content_bytes: 0,
                room: Arc::new(Semaphore::new(1)),
            },
            outbound,
            store: Store::open("postgres://nobody@127.0.0.1:9/none", 1).expect("a URL"),
            runtime: {
                drop(entered);
                runtime
            },
        }
    }

    pub(super) fn enter(&self) -> tokio::runtime::EnterGuard<'_> {
        self.runtime.enter()
    }

    /// The first moment of every flight.
    pub(super) fn start(&self) -> i64 {
        self.plan
            .campaigns
            .first()
            .map_or(0, |c| c.schedule.start.timestamp_millis())
    }

    /// What a planner publishes in an episode: versions, each taking the one before over, each approved up to three times.
    pub(super) fn payloads(&self, luck: &mut Luck) -> Vec<Arc<Payload>> {
        let mut plan = self.plan.clone();
        plan.launch.atomic = luck.chance(50);
        plan.launch.order = if luck.chance(30) {
            Order::Recommended
        } else {
            Order::Parallel
        };
        let mut approved = self.plan.approved_at;
        let mut payloads = Vec::new();
        let mut older = None;
        for version in 1..=1 + luck.below(3) {
            let version = PlanVersion::parse(format!("v{version}")).expect("a version");
            plan.plan_version = version.clone();
            plan.supersedes = older.replace(version).filter(|_| luck.chance(90));
            for _ in 0..=luck.below(3) {
                approved += TimeDelta::minutes(1);
                plan.approved_at = approved;
                plan.campaigns = self.campaigns(luck);
                let content = serde_json::to_string(&plan.campaigns).expect("JSON");
                let hash = content
                    .bytes()
                    .fold(7_u64, |h, b| h.wrapping_mul(0x0100_0000_01b3) ^ u64::from(b));
                payloads.push(Arc::new(Payload {
                    plan: plan.clone(),
                    hash,
                }));
            }
        }
        payloads
    }

    /// One to four of the example's campaigns, with budgets and ad groups that differ from time to time.
    fn campaigns(&self, luck: &mut Luck) -> Vec<Campaign> {
        let mut campaigns = Vec::new();
        for (campaign, other) in self.plan.campaigns.iter().zip(&self.others) {
            if !luck.chance(60) {
                continue;
            }
            campaigns.push(Self::varied(campaign, *other, luck));
            if luck.chance(15) {
                let mut twin = Self::varied(campaign, *other, luck);
                twin.logical_campaign_key =
                    LogicalKey::parse(format!("{}-b", twin.logical_campaign_key)).expect("a key");
                campaigns.push(twin);
            }
        }
        campaigns.truncate(4);
        if campaigns.is_empty() {
            campaigns.extend(self.plan.campaigns.first().cloned());
        }
        campaigns
    }

    fn varied(campaign: &Campaign, other: Option<Objective>, luck: &mut Luck) -> Campaign {
        let mut campaign = campaign.clone();
        if let Some(other) = other.filter(|_| luck.chance(20)) {
            campaign.objective = other;
        }
        if luck.chance(40) {
            campaign.budget.amount.micros += 10_000_000;
        }
        if luck.chance(25)
            && let Some(mut group) = campaign.ad_groups.first().cloned()
        {
            group.key = LogicalKey::parse(format!("{}-b", group.key)).expect("a key");
            campaign.ad_groups.push(group);
        }
        campaign
    }
}

/// For each campaign an objective that it could have instead, if there is one.
fn others(plan: &Plan, tenant: &Tenant, facts: &AccountFacts) -> Vec<Option<Objective>> {
    let other = |place: usize| {
        Objective::ALL.into_iter().find(|objective| {
            let mut plan = plan.clone();
            let campaign = &mut plan.campaigns[place];
            if campaign.objective == *objective {
                return false;
            }
            campaign.objective = *objective;
            let payload = Payload { plan, hash: 0 };
            let specs = super::plans::legs(&payload);
            let spec = &specs[place].0;
            let name = spec.key.platform.as_str();
            let adapter = platform::by_name(name).expect("an adapter");
            adapter.check(spec).is_empty() && adapter.desire(spec, &tenant.accounts[name], facts).is_ok()
        })
    };
    (0..plan.campaigns.len()).map(other).collect()
}
