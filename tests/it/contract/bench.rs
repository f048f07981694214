//! One platform's adapter on a bench: a sandbox of its own, the contract's tenant and plan, and the worker in miniature (intend,
//! send, take in) with nothing written down.
//!
//! Must not know any platform; what differs between them stands in `particulars`.

use crate::support::app::write_credentials;
use crate::support::plans;
use campaign_execution::domain::manifest::{Desired, Manifest, ObjectState, RemoteObject};
use campaign_execution::domain::spec::{LegSpec, leg_specs};
use campaign_execution::domain::tenant::Tenant;
use campaign_execution::health::assets::{self, Lookup};
use campaign_execution::outbound::Outbound;
use campaign_execution::platform::{
    AccountFacts, CallError, Done, Found, Goal, Mutation, Op, Platform, Reading, Session,
};
use campaign_execution::sandbox::{self, Options, Running};
use campaign_execution::wire;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The adapter, its session, and the sandbox behind it.
pub struct Bench {
    sandbox: Running,
    pub platform: Arc<dyn Platform>,
    pub session: Session,
    _credentials: tempfile::TempDir,
}

/// One leg and what has become of it.
pub struct Leg {
    pub spec: LegSpec,
    pub facts: AccountFacts,
    pub desired: Vec<Desired>,
    pub manifest: Manifest,
}

impl Bench {
    /// Without quotas, as the sandbox has none unless a test asks for them.
    pub async fn start(platform: Arc<dyn Platform>) -> Self {
        Self::paced(platform, 1_000_000).await
    }

    /// Taking so much of the platform's quota, in percent.
    pub async fn paced(platform: Arc<dyn Platform>, percent: u32) -> Self {
        let sandbox = sandbox::start(Options {
            listen: ([127, 0, 0, 1], 0).into(),
            latency_ms: 0,
            seed: 7,
        })
        .await
        .expect("the sandbox starts");
        let credentials = tempfile::tempdir().expect("a directory");
        write_credentials(credentials.path());
        let outbound =
            Outbound::new(credentials.path().to_owned(), sandbox.url("oauth/token")).expect("an HTTP client");
        let outbound = outbound.paced(BTreeMap::from([(platform.name().to_owned(), percent)]));
        let tenant: Tenant = serde_json::from_value(plans::tenant()).expect("the contract's tenant");
        let account = tenant.accounts[platform.name()].clone();
        let session = Session {
            outbound,
            base_url: sandbox.url(platform.name()).into(),
            account,
            deadline: Duration::from_secs(5),
        };
        Self {
            sandbox,
            platform,
            session,
            _credentials: credentials,
        }
    }

    // ---- the sandbox -----------------------------------------------------------------------------------------------

    async fn control(&self, method: reqwest::Method, path: &str, body: Option<&Value>) -> Value {
        let url = self.sandbox.url(&format!("control/{path}"));
        let mut request = self.session.outbound.http.request(method, url);
        if let Some(body) = body {
            request = request.json(body);
        }
        let sent = self.session.outbound.send(request, Duration::from_secs(5)).await;
        let answer = sent.expect("the sandbox answers");
        let value = answer.json().unwrap_or_default();
        assert!(answer.status < 300, "the sandbox refused {path}: {value}");
        value
    }

    /// Arms a fault on this platform's next call.
    pub async fn fault(&self, fault: &Value) {
        let mut fault = fault.clone();
        fault["vendor"] = json!(self.platform.name());
        fault["times"] = json!(1);
        self.control(reqwest::Method::POST, "faults", Some(&fault)).await;
    }

    /// Lets every call of a method take so long from now on.
    pub async fn slow(&self, method: &str, ms: u64) {
        let fault = json!({ "vendor": self.platform.name(), "method": method, "latency_ms": ms });
        self.control(reqwest::Method::POST, "faults", Some(&fault)).await;
    }

    pub async fn world(&self, change: &Value) {
        self.control(reqwest::Method::POST, "world", Some(change)).await;
    }

    /// Every request that the platform got, as it came in.
    pub async fn requests(&self) -> Vec<Value> {
        let path = format!("requests?vendor={}&limit=10000", self.platform.name());
        let answer = self.control(reqwest::Method::GET, &path, None).await;
        answer["requests"].as_array().cloned().unwrap_or_default()
    }

    /// Everything that the platform holds.
    pub async fn objects(&self) -> Vec<Value> {
        let path = format!("objects?vendor={}", self.platform.name());
        let answer = self.control(reqwest::Method::GET, &path, None).await;
        answer["objects"].as_array().cloned().unwrap_or_default()
    }

    /// The bodies that came in for one method, oldest first.
    pub async fn bodies(&self, method: &str) -> Vec<Value> {
        let method = format!("{}.{method}", self.platform.name());
        let all = self.requests().await;
        let ours = all.into_iter().filter(|r| r["method"] == method.as_str());
        ours.map(|mut r| r["body"].take()).collect()
    }

    /// A call to the platform by somebody else.
    pub async fn call(&self, method: reqwest::Method, path: &str, body: &Value) {
        let url = format!("{}{path}", self.session.base_url);
        let http = &self.session.outbound.http;
        // Not the service's own request, and it says so: what the service sends is judged (`make conformance`).
        let request = http.request(method, url).bearer_auth("sandbox-token").json(body);
        let request = request.header("user-agent", "somebody-else/1");
        let sent = self.session.outbound.send(request, Duration::from_secs(5)).await;
        let answer = sent.expect("the platform answers");
        assert!(answer.status < 300, "{path}: {:?}", answer.json());
    }

    /// Names that more than one object of a kind bears below one parent.
    pub async fn duplicates(&self) -> Vec<String> {
        let path = format!("objects?vendor={}", self.platform.name());
        let answer = self.control(reqwest::Method::GET, &path, None).await;
        let mut seen: BTreeMap<String, u32> = BTreeMap::new();
        for object in answer["objects"].as_array().into_iter().flatten() {
            let text = |name: &str| object[name].as_str().unwrap_or_default().to_owned();
            if !text("name").is_empty() && !matches!(text("status").as_str(), "REMOVED" | "DELETED") {
                *seen
                    .entry(["kind", "parent", "name"].map(text).join(" "))
                    .or_default() += 1;
            }
        }
        seen.into_iter()
            .filter(|(_, n)| *n > 1)
            .map(|(name, _)| name)
            .collect()
    }

    // ---- legs ------------------------------------------------------------------------------------------------------

    /// The example plan's leg for this platform, under a version of its own.
    pub async fn leg(&self, version: &str) -> Leg {
        self.leg_of(plans::only(plans::plan(version), self.platform.name()))
            .await
    }

    /// The leg of a plan that has only one.
    pub async fn leg_of(&self, plan: Value) -> Leg {
        let mut spec = self.spec(&plan);
        let library = self.sandbox.url("assets");
        for id in spec
            .asset_ids()
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
        {
            let found = assets::fetch(
                &self.session.outbound,
                &library,
                "asset-library",
                &spec.key.tenant_id,
                &id,
            );
            let Lookup::Ready(asset) = found.await.expect("the library answers") else {
                panic!("{id} is not ready");
            };
            spec.assets.insert(id, asset);
        }
        let facts = self.platform.probe(&self.session).await.expect("a probe");
        assert_eq!(facts.problems, [], "the account can launch");
        let account = &self.session.account;
        for mutation in self.platform.account_mutations(account, &facts) {
            let done = self.platform.execute(&self.session, &mutation).await;
            done.expect("the account's own switches");
        }
        self.with(spec, facts)
    }

    fn spec(&self, plan: &Value) -> LegSpec {
        let plan = wire::plan::parse(plan).expect("the plan is valid");
        let spec = leg_specs(&plan, "does_not_contain").remove(0);
        assert_eq!(self.platform.check(&spec), [], "the plan is fine");
        spec
    }

    /// A leg of which nothing is there yet.
    pub fn with(&self, spec: LegSpec, facts: AccountFacts) -> Leg {
        let manifest = Manifest {
            leg: spec.key.clone(),
            account_id: self.session.account.account_id.clone(),
            campaign_name: spec.campaign_name.clone(),
            revision: 0,
            mutation_count: 0,
            tracking_mode: None,
            objects: Vec::new(),
        };
        let mut leg = Leg {
            spec,
            facts,
            desired: Vec::new(),
            manifest,
        };
        self.desire(&mut leg);
        leg
    }

    /// Desires anew, after the spec was changed.
    pub fn desire(&self, leg: &mut Leg) {
        let desired = self.platform.desire(&leg.spec, &self.session.account, &leg.facts);
        leg.desired = desired.expect("the example can be expressed");
    }

    // ---- the worker in miniature -----------------------------------------------------------------------------------

    pub fn next(&self, goal: Goal, leg: &Leg) -> Vec<Mutation> {
        self.platform
            .next(goal, &leg.desired, &leg.manifest, &self.session.account)
    }

    /// Intends, sends, takes in.
    pub async fn send(&self, leg: &mut Leg, mutation: &Mutation) -> Result<Done, CallError> {
        leg.intend(mutation);
        let outcome = self.platform.execute(&self.session, mutation).await;
        leg.take_in(mutation, &outcome);
        outcome
    }

    /// Everything up to the goal; what was sent.
    pub async fn reach(&self, goal: Goal, leg: &mut Leg) -> Result<Vec<Mutation>, CallError> {
        let mut sent = Vec::new();
        loop {
            let ready = self.next(goal, leg);
            if ready.is_empty() {
                return Ok(sent);
            }
            for mutation in ready {
                self.send(leg, &mutation).await?;
                sent.push(mutation);
                assert!(sent.len() < 200, "{goal:?} is never reached");
            }
        }
    }

    /// The same, with everything that is ready sent at the same time, as the worker does.
    pub async fn reach_at_once(&self, goal: Goal, leg: &mut Leg) -> Result<(), CallError> {
        for _ in 0..200 {
            let ready = self.next(goal, leg);
            if ready.is_empty() {
                return Ok(());
            }
            for mutation in &ready {
                leg.intend(mutation);
            }
            let calls = ready.iter().map(|m| self.platform.execute(&self.session, m));
            let outcomes = futures::future::join_all(calls).await;
            for (mutation, outcome) in ready.iter().zip(&outcomes) {
                leg.take_in(mutation, outcome);
            }
            for outcome in outcomes {
                outcome?;
            }
        }
        panic!("{goal:?} is never reached");
    }

    /// Builds, and arms the fault right before the creation with this number. None: there are not so many.
    pub async fn strike(
        &self,
        leg: &mut Leg,
        number: usize,
        faults: &[Value],
    ) -> Option<(Mutation, Result<Done, CallError>)> {
        let mut creations = 0;
        loop {
            let ready = self.next(Goal::Built, leg);
            if ready.is_empty() {
                return None;
            }
            for mutation in ready {
                let struck = mutation.op == Op::Create && creations == number;
                creations += usize::from(mutation.op == Op::Create);
                if struck {
                    for fault in faults {
                        self.fault(fault).await;
                    }
                }
                let outcome = self.send(leg, &mutation).await;
                if struck {
                    return Some((mutation, outcome));
                }
                outcome.expect("nothing is wrong with this one");
            }
        }
    }

    pub async fn find(&self, leg: &Leg, keys: &[String]) -> Vec<Found> {
        let found = self.platform.find(&self.session, &leg.manifest, keys);
        found.await.expect("a look-up")
    }

    pub async fn read(&self, leg: &Leg) -> Reading {
        let reading = self.platform.read(&self.session, &leg.manifest);
        reading.await.expect("a reading")
    }
}

impl Leg {
    fn intend(&mut self, mutation: &Mutation) {
        if mutation.op != Op::Create {
            return;
        }
        for key in &mutation.objects {
            let wanted = self.desired.iter().find(|d| d.key == *key);
            let wanted = wanted.expect("only what is desired is made");
            self.manifest.objects.retain(|o| o.key != *key);
            self.manifest.objects.push(RemoteObject::intended(wanted));
        }
    }

    fn take_in(&mut self, mutation: &Mutation, outcome: &Result<Done, CallError>) {
        let objects = &mut self.manifest.objects;
        let done = match outcome {
            Ok(done) => done,
            Err(CallError::Unclear { .. }) => return,
            Err(CallError::Refused(_) | CallError::Unavailable { .. }) => {
                objects.retain(|o| o.state != ObjectState::Intended || !mutation.objects.contains(&o.key));
                return;
            }
        };
        for object in objects.iter_mut().filter(|o| mutation.objects.contains(&o.key)) {
            match &mutation.op {
                Op::Create => {
                    let id = done.ids.iter().find(|(key, _)| *key == object.key);
                    object.remote_id = Some(id.expect("each object made has an id").1.clone());
                    object.state = ObjectState::Created;
                }
                Op::Update { applied } => object.applied = applied[&object.key].clone(),
                Op::Serve { serving } => object.serving = *serving,
                Op::Remove => object.state = ObjectState::Removed,
                Op::Account { .. } => {}
            }
        }
    }

    /// Adopts what a look-up found, and forgets the rest of what was intended.
    pub fn adopt(&mut self, found: &[Found]) {
        for object in &mut self.manifest.objects {
            if let Some(found) = found.iter().find(|f| f.key == object.key) {
                object.state = ObjectState::Created;
                object.remote_id = Some(found.remote_id.clone());
            }
        }
        self.manifest.objects.retain(|o| o.state != ObjectState::Intended);
    }

    /// Where the reading differs from what is desired.
    pub fn differences(&self, reading: &Reading) -> Vec<String> {
        let mut all = Vec::new();
        for wanted in &self.desired {
            match reading.objects.iter().find(|o| o.key == wanted.key) {
                None => all.push(format!("{} is missing", wanted.key)),
                Some(seen) if !holds(&wanted.fields, &seen.fields) => {
                    all.push(format!("{}: {} ≠ {}", wanted.key, wanted.fields, seen.fields));
                }
                Some(_) => {}
            }
        }
        all
    }
}

/// Whether everything that is wanted is there, as it should be; there may be more.
fn holds(wanted: &Value, found: &Value) -> bool {
    match (wanted, found) {
        (Value::Object(w), Value::Object(f)) => {
            w.iter().all(|(k, v)| holds(v, f.get(k).unwrap_or(&Value::Null)))
        }
        _ => wanted == found,
    }
}
