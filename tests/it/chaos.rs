//! Chance: seeded random lives of plans on the real database against the sandbox (payloads early, late and again, faults, crashes,
//! roll backs, retries, pauses), and by name the orders of events that such lives, or those of `service::sim`, have found wrong.
//!
//! `CAMPAIGN_EXECUTION_CHAOS_SEED` and `CAMPAIGN_EXECUTION_CHAOS_STEPS` choose others. What happens is the seed's; how far a worker
//! gets before it is killed is the machine's, so a failure is likely, not certain, to come again.
//!
//! Must not let a lease run out under a worker that is still at work: no service could promise anything then.

use crate::support::app::App;
use crate::support::plans;
use campaign_execution::platform;
use campaign_execution::service::compose::Composer;
use campaign_execution::store::pause::Switch;
use chrono::Duration;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable)
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(otherwise)
}

pub async fn order(app: &App, plan: &Value, action: &str) {
    let control = json!({ "tenant_id": plan["tenant_id"], "plan_id": plan["plan_id"],
        "plan_version": plan["plan_version"], "action": action, "by": "ops", "at": plans::moment(),
        "reason": "a test" });
    app.deliver("execution.control", control.to_string().into_bytes())
        .await;
}

/// Ids of the campaigns that are on, by platform.
pub async fn on(app: &App) -> BTreeSet<(String, String)> {
    let mut on = BTreeSet::new();
    for platform in platform::all() {
        for object in app.objects(platform.name()).await {
            let status = object["status"].as_str().unwrap_or_default();
            let active = matches!(status, "ENABLED" | "ACTIVE" | "ENABLE" | "ENTITY_STATUS_ACTIVE");
            if object["kind"] == "campaign" && active {
                on.insert((
                    platform.name().to_owned(),
                    object["id"].as_str().expect("an id").to_owned(),
                ));
            }
        }
    }
    on
}

/// (version, platform, state, the campaign's id), of a plan.
async fn legs(app: &App, plan_id: &str) -> Vec<(String, String, String, Option<String>)> {
    let mut connection = app.connect().await;
    sqlx::query_as(
        "SELECT l.plan_version, l.platform, l.state, m.platform_campaign_id FROM execution e
         JOIN leg l ON l.execution_id = e.id LEFT JOIN execution_manifest m ON m.leg_id = l.id
         WHERE e.plan_id = $1 ORDER BY l.id",
    )
    .bind(plan_id)
    .fetch_all(&mut connection)
    .await
    .expect("legs")
}

/// A plan's life.
struct Life<'a> {
    app: &'a App,
    luck: StdRng,
    plan_id: String,
    /// What its planner publishes, in order.
    payloads: Vec<Value>,
    published: usize,
    story: Vec<String>,
}

impl<'a> Life<'a> {
    fn new(app: &'a App, seed: u64) -> Self {
        let mut luck = StdRng::seed_from_u64(seed);
        let plan_id = format!("chaos-{seed}");
        let mut payloads = Vec::new();
        let (atomic, running) = (luck.random_bool(0.5), luck.random_bool(0.7));
        let mut older = Value::Null;
        for v in 1..=luck.random_range(1..=3) {
            let version = format!("{plan_id}.{v}");
            for _ in 0..luck.random_range(1..=2) {
                let mut plan = if running {
                    plans::running_plan(&version)
                } else {
                    plans::plan(&version)
                };
                plan["plan_id"] = json!(plan_id);
                plan["supersedes"] = older.clone();
                plan["launch"]["atomic"] = json!(atomic);
                let minutes = i64::try_from(payloads.len()).expect("few");
                plan["approved_at"] = json!(plans::stamp(Duration::minutes(minutes - 30)));
                let campaigns = plan["campaigns"].as_array_mut().expect("campaigns");
                let spared = luck.random_range(0..campaigns.len());
                let spared = campaigns[spared]["platform"].clone();
                campaigns.retain(|c| c["platform"] == spared || luck.random_bool(0.6));
                for campaign in campaigns {
                    if luck.random_bool(0.4) {
                        let amount = campaign["budget"]["amount"].as_str().expect("an amount");
                        campaign["budget"]["amount"] = json!(format!("1{amount}"));
                    }
                }
                payloads.push(plan);
            }
            older = json!(version);
        }
        Self {
            app,
            luck,
            plan_id,
            payloads,
            published: 0,
            story: Vec::new(),
        }
    }

    fn any(&mut self) -> Value {
        let most = self.published.clamp(1, self.payloads.len());
        self.payloads[self.luck.random_range(0..most)].clone()
    }

    async fn step(&mut self) {
        let app = self.app;
        let what = self.luck.random_range(0..100);
        match what {
            0..12 => {
                if let Some(plan) = self.payloads.get(self.published).cloned() {
                    self.published += 1;
                    self.told(format!("publish {}", plan["plan_version"]));
                    app.publish(&plan).await;
                }
            }
            12..16 => {
                let plan = self.any();
                self.told(format!("again {}", plan["plan_version"]));
                app.publish(&plan).await;
            }
            16..28 => {
                app.wiring.gatekeeper().step().await.expect("the gate is asked");
            }
            28..46 => {
                app.pump().await;
            }
            46..66 => {
                let name = self.platform();
                app.work(name).await;
            }
            66..74 => self.crash().await,
            74..84 => self.fault().await,
            84..91 => app.warp().await,
            91..93 => self.ask("rollback").await,
            93..95 => self.ask("retry").await,
            95..96 => self.ask("resume").await,
            96..98 => self.switch(true).await,
            _ => self.switch(false).await,
        }
    }

    fn told(&mut self, what: String) {
        self.story.push(what);
    }

    fn platform(&mut self) -> &'static str {
        let all = platform::all();
        all[self.luck.random_range(0..all.len())].name()
    }

    /// A worker dies wherever it is; what it has sent arrives.
    async fn crash(&mut self) {
        let name = self.platform();
        let after = std::time::Duration::from_micros(self.luck.random_range(500..20_000));
        let killed = tokio::time::timeout(after, self.app.work(name)).await.is_err();
        self.told(format!("{name} works for {after:?}; killed: {killed}"));
        tokio::time::sleep(std::time::Duration::from_millis(60)).await;
    }

    async fn fault(&mut self) {
        let kinds = [
            json!({ "kind": "reset", "effect": "before" }),
            json!({ "kind": "reset", "effect": "after" }),
            json!({ "kind": "cut" }),
            json!({ "status": 503 }),
        ];
        let mut fault = kinds[self.luck.random_range(0..kinds.len())].clone();
        fault["vendor"] = json!(self.platform());
        fault["times"] = json!(1);
        self.told(format!("fault {fault}"));
        self.app.fault(fault).await;
    }

    async fn ask(&mut self, action: &str) {
        if self.published > 0 {
            let plan = self.any();
            self.told(format!("{action} {}", plan["plan_version"]));
            order(self.app, &plan, action).await;
        }
    }

    async fn switch(&mut self, off: bool) {
        let switch = Switch {
            tenant_id: "acme".to_owned(),
            by: "cli:tester".to_owned(),
            reason: "chance".to_owned(),
            now: self.app.wiring.clock.stamp(),
        };
        let store = &self.app.wiring.store;
        let switched = if off {
            store.pause(&Composer, &switch).await
        } else {
            store.unpause(&Composer, &switch).await
        };
        if switched.expect("switched").changed {
            self.told(if off { "pause" } else { "unpause" }.to_owned());
        }
    }

    /// No more trouble: it comes to rest, and what is said is so. Then everything is rolled back.
    async fn end(&mut self) {
        self.app.mend().await;
        if self.luck.random_bool(0.5) {
            self.switch(true).await;
            for _ in 0..6 {
                self.app.settle().await;
                self.app.warp().await;
            }
            assert_eq!(
                on(self.app).await,
                BTreeSet::new(),
                "paused, and on: {}",
                self.whole()
            );
        }
        self.switch(false).await;
        self.rests("left alone").await;
        self.agrees().await;
        for plan in self.payloads.clone().iter().rev() {
            order(self.app, plan, "rollback").await;
            self.rests("rolled back").await;
            self.agrees().await;
        }
        let undone = |s: &str| matches!(s, "undone" | "superseded");
        let legs = legs(self.app, &self.plan_id).await;
        assert!(legs.iter().all(|l| undone(&l.2)), "{legs:?}\n{}", self.whole());
        self.events_are_in_order();
    }

    fn whole(&self) -> String {
        format!("{}\n  {}", self.plan_id, self.story.join("\n  "))
    }

    async fn rests(&self, when: &str) {
        self.app.settle_and_warp(40).await;
        self.app.settle().await;
        let legs = legs(self.app, &self.plan_id).await;
        assert!(
            self.app.at_rest().await,
            "{when}, never at rest: {legs:?}\n{}",
            self.whole()
        );
    }

    /// What is called live or scheduled is on, and nothing else of the plan is.
    async fn agrees(&self) {
        let on = on(self.app).await;
        let legs = legs(self.app, &self.plan_id).await;
        let mut wanted = BTreeSet::new();
        let mut free = BTreeSet::new();
        for (_, platform, state, id) in &legs {
            let Some(id) = id else { continue };
            let place = (platform.clone(), id.clone());
            match state.as_str() {
                "live" | "scheduled" => {
                    assert!(
                        on.contains(&place),
                        "{state}, and off: {place:?} {legs:?}\n{}",
                        self.whole()
                    );
                    wanted.insert(place);
                }
                // On as it was, or as far as it came.
                "unamended" | "failed" | "stuck" => {
                    free.insert(place);
                }
                _ => {}
            }
        }
        let ours: BTreeSet<_> = legs
            .iter()
            .filter_map(|(_, p, _, id)| Some((p.clone(), id.clone()?)))
            .collect();
        let surplus: Vec<_> = ours
            .iter()
            .filter(|place| on.contains(place) && !wanted.contains(place) && !free.contains(place))
            .collect();
        assert!(
            surplus.is_empty(),
            "on, and nobody's: {surplus:?} {legs:?}\n{}",
            self.whole()
        );
        self.app.assert_no_duplicates().await;
    }

    /// Nothing is announced of a version after it was told to be rolled back.
    fn events_are_in_order(&self) {
        let mut rolled_back = BTreeSet::new();
        for event in self.app.all_events() {
            if event.data["plan_id"] != json!(self.plan_id) {
                continue;
            }
            let version = event.data["plan_version"].as_str().unwrap_or_default().to_owned();
            match event.topic.as_str() {
                "execution.rolled_back" => {
                    rolled_back.insert(version);
                }
                "campaign.live" | "campaign.scheduled" => {
                    assert!(!rolled_back.contains(&version), "{event:?}\n{}", self.whole());
                }
                _ => {}
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn chance_breaks_no_promise_on_the_real_database() {
    let (first, steps) = (
        number("CAMPAIGN_EXECUTION_CHAOS_SEED", 1),
        number("CAMPAIGN_EXECUTION_CHAOS_STEPS", 800),
    );
    let app = App::start().await;
    let mut done = 0;
    for seed in first.. {
        let mut life = Life::new(&app, seed);
        for _ in 0..80 {
            life.step().await;
            done += 1;
        }
        life.end().await;
        if done >= steps {
            break;
        }
    }
    app.assert_audit_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_rolled_back_version_undoes_is_undone_when_the_next_one_opens() {
    let app = App::start().await;
    let old = plans::running_plan("chaos.1");
    app.publish(&old).await;
    app.settle().await;
    assert_eq!(on(&app).await.len(), plans::legs(&old));
    order(&app, &old, "rollback").await;
    // The undo is queued, and nobody has taken it up yet.
    app.pump().await;
    let mut new = plans::running_plan("chaos.2");
    new["supersedes"] = old["plan_version"].clone();
    app.publish(&new).await;
    app.wiring.gatekeeper().step().await.expect("the gate is asked");
    app.settle_and_warp(5).await;
    // It waited for the undo; its gate is asked again.
    app.warp().await;
    app.settle_and_warp(5).await;
    let of_old = app.legs(&old).await;
    assert!(of_old.values().all(|state| state == "undone"), "{of_old:?}");
    assert_eq!(on(&app).await.len(), plans::legs(&new));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_version_that_comes_late_is_not_launched_beside_the_newer_one() {
    let app = App::start().await;
    let old = plans::running_plan("chaos.1");
    let mut new = plans::running_plan("chaos.2");
    new["supersedes"] = old["plan_version"].clone();
    app.publish(&new).await;
    app.settle().await;
    let before = on(&app).await;
    app.publish(&old).await;
    app.settle_and_warp(3).await;
    assert_eq!(on(&app).await, before);
    let cancelled = "SELECT count(*) FROM execution WHERE plan_version = 'chaos.1' AND gate = 'cancelled'
        AND superseded_by IS NOT NULL AND saga IS NULL";
    assert_eq!(app.number(cancelled).await, 1);
}

/// A plan for one platform, built and not yet switched on; its next command is in the outbox.
async fn built(app: &App, platform: &str) -> Value {
    let plan = plans::only(plans::running_plan("chaos.1"), platform);
    app.publish(&plan).await;
    app.wiring.gatekeeper().step().await.expect("the gate is asked");
    app.pump().await;
    app.work(platform).await;
    plan
}

/// An answer to a switching on is lost, and then the version is rolled back: the manifest has never heard that it is on.
#[tokio::test(flavor = "multi_thread")]
async fn what_may_have_been_switched_on_is_switched_off() {
    let app = App::start().await;
    let name = "google-ads";
    let plan = built(&app, name).await;
    app.pump().await;
    app.fault(json!({ "vendor": name, "method": "mutate", "kind": "reset", "effect": "after", "times": 1 }))
        .await;
    app.work(name).await;
    let switched_on = on(&app).await;
    assert_eq!(switched_on.len(), 1, "the request has arrived");
    for (_, id) in &switched_on {
        app.world(json!({ "spend": { id: "1.00" } })).await;
    }
    order(&app, &plan, "rollback").await;
    app.settle_and_warp(5).await;
    assert_eq!(on(&app).await, BTreeSet::new());
    assert!(app.legs(&plan).await.values().all(|state| state == "undone"));
}

/// The rollback comes while the command to switch on is between the outbox and the worker.
#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_was_on_its_way_when_it_was_rolled_back_switches_nothing_on() {
    let app = App::start().await;
    let name = "google-ads";
    let plan = built(&app, name).await;
    let before = app.effects().await;
    order(&app, &plan, "rollback").await;
    app.pump().await;
    app.work(name).await;
    assert_eq!(
        app.effects().await,
        before,
        "something was sent after the rollback"
    );
    app.settle_and_warp(5).await;
    assert!(app.events("campaign.live").is_empty());
    assert!(app.legs(&plan).await.values().all(|state| state == "undone"));
}
