//! One episode: the service's workers, the model of its store, the platforms, and everybody who does something to them.
//!
//! What happens is a list of [`Step`]s. A step says what kind of thing happens and, by a number, to which of those it can happen
//! to; what cannot happen then does nothing. So any part of a list is a list again, and a failing one can be made shorter.

use super::ground::{Ground, Hands};
use super::mistake::Mistake;
use super::platform::{SimPlatform, read};
use super::rng::Luck;
use super::step::{Kind, Step};
use super::store::{Gate, Model, Payload, millis};
use super::watch::Watch;
use super::worker::{Glance, Worker, ended, told};
use super::world::{Climate, Shared, World, locked};
use crate::domain::manifest::Serving;
use crate::domain::saga::{LegState, Report};
use crate::platform::{self, CallError, Eligibility, Op, Session};
use crate::service::committer::{Committer, NotSaved, Onward};
use crate::service::drive::{Drive, MARGIN, Tools, Undoes};
use crate::store::StoreError;
use crate::store::commands::Accepted;
use crate::store::control::Verb;
use crate::store::outbox::Body;
use crate::store::progress::{Saved, Then};
use crate::wire::command::LaunchCommand;
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use tokio::sync::mpsc;

/// All of it.
pub(super) struct Town<'a> {
    pub ground: &'a Ground,
    pub model: Model,
    pub world: Shared,
    pub watch: Watch,
    pub workers: Vec<Worker>,
    /// Told step by step, when a person is to read it.
    pub story: Option<Vec<String>>,
    payloads: Vec<Arc<Payload>>,
    published: usize,
    gates: Vec<(i64, i64, Arc<Payload>, bool)>,
    launches: BTreeMap<String, Vec<Accepted>>,
    taken: BTreeMap<String, usize>,
    hands: Arc<Hands>,
    glance: Arc<Glance>,
    drives: u64,
    pub luck: Luck,
}

impl<'a> Town<'a> {
    pub(super) fn new(ground: &'a Ground, seed: u64, mistake: Option<Mistake>) -> Self {
        let mut luck = Luck::new(seed);
        let climate = Climate {
            trouble: [0, 6, 30][pick(&mut luck, 3)],
            altered: [0, 0, 2][pick(&mut luck, 3)],
            disapproved: [0, 0, 8][pick(&mut luck, 3)],
        };
        let before = if luck.chance(40) {
            20 * 60_000
        } else {
            -20 * 60_000
        };
        let now = ground.start() - before;
        let mut model = Model::new(ground.tenant.clone(), now);
        model.facts.clone_from(&ground.facts);
        model.needs_approval = luck.chance(25);
        model.mistake = mistake;
        let payloads = ground.payloads(&mut luck);
        let hands = Arc::new(Hands::default());
        hands.0.store(now, Ordering::Relaxed);
        Self {
            ground,
            model,
            world: Arc::new(Mutex::new(World::new(climate, now))),
            watch: Watch::default(),
            workers: Vec::new(),
            story: None,
            payloads,
            published: 0,
            gates: Vec::new(),
            launches: BTreeMap::new(),
            taken: BTreeMap::new(),
            hands,
            glance: Arc::default(),
            drives: 0,
            luck,
        }
    }

    /// What happens next.
    pub(super) fn draw(&mut self) -> Step {
        let total: u64 = Kind::ALL.iter().map(|(_, weight)| weight).sum();
        let mut left = self.luck.below(total);
        let mut kind = Kind::Tick;
        for (candidate, weight) in Kind::ALL {
            if left < weight {
                kind = candidate;
                break;
            }
            left -= weight;
        }
        Step {
            kind,
            pick: u32::try_from(self.luck.below(1 << 20)).unwrap_or_default(),
            luck: self.luck.next(),
        }
    }

    pub(super) fn tell(&mut self, words: impl FnOnce(&Self) -> String) {
        if self.story.is_some() {
            let words: String = words(self).chars().take(300).collect();
            let line = format!("{:>9} {words}", self.model.now - self.ground.start());
            if let Some(story) = &mut self.story {
                story.push(line);
            }
        }
    }

    /// Something happens.
    ///
    /// # Errors
    /// What must never be, and is.
    pub(super) fn happen(&mut self, step: Step) -> Result<(), String> {
        self.model.step += 1;
        locked(&self.world).luck = Luck::new(step.luck);
        match step.kind {
            Kind::Publish => self.publish(None),
            Kind::Replay => self.publish(Some(step.pick)),
            Kind::AskGate => {
                let due = self.model.gates();
                if let Some(id) = chosen(&due, step.pick) {
                    self.gates.extend(self.model.lease_gate(*id));
                }
            }
            Kind::OpenGate => self.open_gate(step.pick),
            Kind::Approve | Kind::Reject => self.decide(step),
            Kind::Relay => self.relay(),
            Kind::Accept => {
                self.accept(step.pick);
            }
            Kind::AcceptAgain => self.accept_again(step),
            Kind::Lease => self.lease(step.pick)?,
            Kind::Commit | Kind::CommitUnheard | Kind::CommitFails => self.commit(step)?,
            Kind::Answer | Kind::Arrive | Kind::LoseRequest | Kind::LoseAnswer | Kind::Doubled => {
                self.call(step)?;
            }
            Kind::Crash => {
                if !self.workers.is_empty() {
                    let worker = self.workers.remove(step.pick as usize % self.workers.len());
                    self.tell(|_| format!("crash of {}", worker.what));
                }
            }
            Kind::Tick => self.pass(500 + i64::from(step.pick % 9_000))?,
            Kind::Later => self.pass(60_000 + i64::from(step.pick % 240_000))?,
            Kind::Begin => self.begin(step.pick),
            Kind::RollBack => self.control(step, Verb::Rollback),
            Kind::Retry => self.control(step, Verb::Retry),
            Kind::Resume => self.control(step, Verb::Resume),
            Kind::Cancel => self.control(step, Verb::Cancel),
            Kind::Pause => {
                self.tell(|_| "pause".to_owned());
                self.model.pause();
            }
            Kind::Unpause => {
                self.tell(|_| "unpause".to_owned());
                self.model.unpause();
            }
        }
        self.check()
    }

    fn publish(&mut self, which: Option<u32>) {
        let payload = match which {
            None => {
                self.published += 1;
                self.payloads.get(self.published - 1).cloned()
            }
            Some(pick) => chosen(&self.payloads, pick).cloned(),
        };
        let Some(payload) = payload else { return };
        self.tell(|_| {
            let plan = &payload.plan;
            let keys: Vec<&str> = plan
                .campaigns
                .iter()
                .map(|c| c.logical_campaign_key.as_str())
                .collect();
            format!(
                "plan.approved {} of {} (supersedes {:?}, atomic {}): {keys:?}",
                plan.plan_version,
                plan.approved_at.format("%H:%M"),
                plan.supersedes.as_ref().map(ToString::to_string),
                plan.launch.atomic
            )
        });
        self.model.take(&payload);
    }

    /// Every message that the planner ever published, once more.
    pub(super) fn publish_all(&mut self) {
        for payload in self.payloads.clone() {
            self.model.take(&payload);
        }
    }

    pub(super) fn open_gate(&mut self, pick: u32) {
        if self.gates.is_empty() {
            return;
        }
        let job = self.gates.remove(pick as usize % self.gates.len());
        self.tell(|_| {
            format!(
                "the gate of execution {} says {}",
                job.0,
                if job.3 { "go" } else { "ask" }
            )
        });
        self.model.record_gate(job);
    }

    fn decide(&mut self, step: Step) {
        let waiting: Vec<i64> = self.waiting();
        if let Some(id) = chosen(&waiting, step.pick) {
            self.tell(|_| format!("{:?} execution {id}", step.kind));
            self.model.decide(*id, step.kind == Kind::Approve);
        }
    }

    /// Executions whose gate is not open yet.
    pub(super) fn waiting(&self) -> Vec<i64> {
        let pending = self.model.executions.values().filter(|e| e.gate == Gate::Pending);
        pending.map(|e| e.row.id).collect()
    }

    pub(super) fn relay(&mut self) {
        while let Some(message) = self.model.outbox.get(self.model.published) {
            self.model.published += 1;
            let Some(platform) = message.topic.strip_prefix("launch.") else {
                continue;
            };
            let Body::Json(body) = &message.body else { continue };
            let command: LaunchCommand = serde_json::from_value(body.clone()).expect("a command");
            self.launches
                .entry(platform.to_owned())
                .or_default()
                .push(Accepted {
                    command_id: command.command_id,
                    leg_id: command.leg_id,
                    tenant_id: command.tenant_id,
                    platform: command.platform,
                    kind: command.kind,
                    attempt: command.attempt,
                    traceparent: None,
                });
        }
    }

    /// Kafka's next command for one of the platforms; whether there was one.
    pub(super) fn accept(&mut self, pick: u32) -> bool {
        let open: Vec<String> = self
            .launches
            .iter()
            .filter(|(p, list)| self.taken.get(*p).copied().unwrap_or_default() < list.len())
            .map(|(p, _)| p.clone())
            .collect();
        let Some(platform) = chosen(&open, pick) else {
            return false;
        };
        let place = self.taken.entry(platform.clone()).or_default();
        let next = self.launches.get(platform).and_then(|list| list.get(*place));
        *place += 1;
        if let Some(accepted) = next.cloned() {
            self.tell(|_| {
                format!(
                    "{} of leg {} is accepted",
                    accepted.kind.as_str(),
                    accepted.leg_id
                )
            });
            self.model.accept(&accepted);
        }
        true
    }

    fn accept_again(&mut self, step: Step) {
        let taken: Vec<&Accepted> = self
            .launches
            .iter()
            .flat_map(|(p, list)| list.iter().take(self.taken.get(p).copied().unwrap_or_default()))
            .collect();
        if let Some(accepted) = chosen(&taken, step.pick).map(|a| (*a).clone()) {
            self.model.accept(&accepted);
        }
    }

    fn lease(&mut self, pick: u32) -> Result<(), String> {
        let ready = self.model.ready();
        let Some(id) = chosen(&ready, pick).copied() else {
            return Ok(());
        };
        let Some((leg, name)) = self.model.commands.get(&id).and_then(|c| {
            let leg = self.model.legs.get(&c.leg)?;
            Some((c.leg, leg.row.platform.clone()))
        }) else {
            return Ok(());
        };
        let Some(inner) = platform::by_name(&name) else {
            return Ok(());
        };
        let deadline = inner.traits().deadline;
        let lease = millis(deadline * 2 + MARGIN).max(60_000);
        let root = self.model.legs.get(&leg).map_or(0, |l| l.root);
        let Some(job) = self.model.lease(id, lease) else {
            return Ok(());
        };
        self.drives += 1;
        let (asks, inbox) = mpsc::channel(4);
        let what = format!(
            "{} of leg {leg} ({name}), worker {}",
            job.kind.as_str(),
            self.drives
        );
        self.tell(|_| format!("lease: {what}, attempt {}", job.attempts));
        let session = Session {
            outbound: self.ground.outbound.clone(),
            base_url: "".into(),
            account: self
                .ground
                .tenant
                .accounts
                .get(&name)
                .cloned()
                .expect("an account"),
            deadline,
        };
        let tools = Tools {
            platform: Arc::new(SimPlatform {
                inner,
                world: Arc::clone(&self.world),
                drive: self.drives,
                root,
                mistake: self.model.mistake,
            }),
            committer: Committer::handing_to(asks),
            clock: Arc::clone(&self.hands) as crate::clock::SharedClock,
            store: self.ground.store.clone(),
            library: self.ground.library.clone(),
            undoes: Arc::clone(&self.glance) as Arc<dyn Undoes>,
        };
        self.workers.push(Worker {
            number: self.drives,
            leg,
            what,
            driving: Box::pin(Drive::new(tools, session, job).run()),
            asks: inbox,
            ask: None,
            lease,
            since: self.model.step,
        });
        self.poll(self.drives)
    }

    /// A worker goes on until it must wait again, or has done.
    fn poll(&mut self, number: u64) -> Result<(), String> {
        let Some(place) = self.workers.iter().position(|w| w.number == number) else {
            return Ok(());
        };
        let worker = &mut self.workers[place];
        let seen = (
            self.model.others_may_be_on(worker.leg),
            self.model.removal_has_begun(worker.leg),
        );
        let mut glance = self.glance.0.lock().unwrap_or_else(PoisonError::into_inner);
        glance.insert(worker.leg, seen);
        drop(glance);
        let done = worker
            .driving
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        if worker.ask.is_none() {
            worker.ask = worker.asks.try_recv().ok();
        }
        if let Poll::Ready(result) = done {
            let worker = self.workers.remove(place);
            self.tell(|_| format!("{}: {}", worker.what, ended(&result)));
        }
        self.sent()
    }

    fn commit(&mut self, step: Step) -> Result<(), String> {
        let waiting: Vec<u64> = self
            .workers
            .iter()
            .filter(|w| w.ask.is_some())
            .map(|w| w.number)
            .collect();
        let Some(number) = chosen(&waiting, step.pick).copied() else {
            return Ok(());
        };
        let Some(worker) = self.workers.iter_mut().find(|w| w.number == number) else {
            return Ok(());
        };
        let Some((save, answer)) = worker.ask.take() else {
            return Ok(());
        };
        let failed = || {
            Err(NotSaved::Failed(Arc::new(StoreError::Schema {
                found: None,
                wanted: 0,
            })))
        };
        let (lease, what) = (worker.lease, worker.what.clone());
        let again_in = match save.then {
            Then::GiveBack { after, .. } if after.is_zero() => 0,
            Then::GiveBack { .. } if locked(&self.world).calm => 20_000,
            Then::GiveBack { .. } if step.luck.is_multiple_of(3) => 300,
            Then::GiveBack { .. }
            | Then::Continue
            | Then::Forget
            | Then::Finish { .. }
            | Then::Close { .. } => i64::try_from(step.luck % 30_000).unwrap_or_default(),
        };
        let result = if step.kind == Kind::CommitFails {
            failed()
        } else {
            let saved = self.model.save(&save, lease, again_in);
            self.tell(|_| format!("{what}: {} → {saved:?}", told(&save)));
            match saved {
                _ if step.kind == Kind::CommitUnheard => failed(),
                Saved::Yes => Ok(Onward::Go),
                Saved::Withdrawn => Ok(Onward::Stop),
                Saved::LeaseLost => Err(NotSaved::LeaseLost),
                Saved::Paused => Err(NotSaved::Paused),
            }
        };
        let _ = answer.send(result);
        self.poll(number)
    }

    fn call(&mut self, step: Step) -> Result<(), String> {
        let calls: Vec<(u64, u64)> = {
            let world = locked(&self.world);
            let open = world
                .wire
                .iter()
                .filter(|c| step.kind != Kind::Arrive || c.came.is_none());
            open.map(|c| (c.number, c.drive)).collect()
        };
        let Some((number, drive)) = chosen(&calls, step.pick).copied() else {
            return Ok(());
        };
        self.tell(|town| {
            let world = locked(&town.world);
            let call = world.wire.iter().find(|c| c.number == number);
            let of = call.map(|c| format!("{:?} {:?} of root {}", c.mutation.op, c.mutation.objects, c.root));
            format!(
                "{:?}: call {number} of worker {drive}: {}",
                step.kind,
                of.unwrap_or_default()
            )
        });
        self.end_call(step.kind, number);
        self.poll(drive)
    }

    /// What becomes of a call.
    pub(super) fn end_call(&mut self, kind: Kind, number: u64) {
        let mut world = locked(&self.world);
        if kind != Kind::LoseRequest {
            world.arrive(number);
        }
        if kind == Kind::Doubled {
            world.again(number);
        }
        if kind == Kind::Arrive {
            return;
        }
        let Some(place) = world.wire.iter().position(|c| c.number == number) else {
            return;
        };
        let mut call = world.wire.remove(place);
        drop(world);
        let unclear = || {
            Err(CallError::Unclear {
                why: "no answer".to_owned(),
            })
        };
        let answer = match (kind, call.came) {
            (Kind::Answer, Some(came)) => came,
            (_, _) => unclear(),
        };
        if let Some(reply) = call.reply.take() {
            let _ = reply.send(answer);
        }
    }

    /// Time passes. Calls that are still out by their deadlines are given up by whoever made them.
    pub(super) fn pass(&mut self, by: i64) -> Result<(), String> {
        let until = self.model.now + by;
        loop {
            let next = {
                let world = locked(&self.world);
                let due = world.wire.iter().filter(|c| c.until <= until);
                due.min_by_key(|c| (c.until, c.number))
                    .map(|c| (c.until, c.number, c.drive))
            };
            let Some((at, number, drive)) = next else { break };
            self.set_clock(at - 1);
            let late = locked(&self.world).luck.chance(50);
            self.tell(|_| format!("call {number} of worker {drive} takes too long; carried out: {late}"));
            self.end_call(if late { Kind::LoseAnswer } else { Kind::LoseRequest }, number);
            self.set_clock(at);
            self.poll(drive)?;
        }
        self.set_clock(until);
        let mut world = locked(&self.world);
        if until > self.ground.start() {
            let mut luck = world.luck.clone();
            for object in world
                .objects
                .iter_mut()
                .filter(|o| o.key == "campaign" && !o.gone)
            {
                object.spent |= object.serving == Serving::Active && luck.chance(50);
            }
            world.luck = luck;
        }
        Ok(())
    }

    fn set_clock(&mut self, now: i64) {
        self.model.now = now;
        locked(&self.world).now = now;
        self.hands.0.store(now, Ordering::Relaxed);
    }

    /// Scheduled legs whose flight begins.
    pub(super) fn beginning(&self) -> Vec<i64> {
        let due = self.model.legs.values().filter(|l| {
            l.row.state == LegState::Scheduled
                && l.hold.is_none()
                && l.watch_at.is_some_and(|at| at <= self.model.now)
        });
        due.map(|l| l.row.id).collect()
    }

    /// `clocks::Clocks::look` at one of them.
    pub(super) fn begin(&mut self, pick: u32) {
        let due = self.beginning();
        let Some(id) = chosen(&due, pick).copied() else {
            return;
        };
        let Some(made) = self.model.made.get(&id) else {
            return;
        };
        let Some(rule) = self
            .model
            .legs
            .get(&id)
            .and_then(|l| platform::by_name(&l.row.platform))
            .map(|p| p.traits().tracking)
        else {
            return;
        };
        let eligibility = read(&locked(&self.world), &made.manifest, rule).eligibility;
        self.tell(|_| format!("the flight of leg {id} begins: {eligibility:?}"));
        match eligibility {
            Eligibility::Eligible => self.model.report(id, Report::Live, None),
            Eligibility::Disapproved(finding) => self.model.report(id, Report::Failed, Some(*finding)),
            Eligibility::InReview | Eligibility::Paused | Eligibility::NotBegun => {
                let again = self.model.now + 30_000;
                if let Some(leg) = self.model.legs.get_mut(&id) {
                    leg.watch_at = Some(again);
                }
            }
        }
    }

    fn control(&mut self, step: Step, verb: Verb) {
        let ids: Vec<i64> = self.model.executions.keys().copied().collect();
        let Some(id) = chosen(&ids, step.pick).copied() else {
            return;
        };
        self.tell(|_| format!("{} execution {id}", verb.as_str()));
        self.model.control(id, verb);
    }

    /// What was sent in the last poll was allowed to be.
    fn sent(&mut self) -> Result<(), String> {
        let sent = std::mem::take(&mut locked(&self.world).sent);
        for number in sent {
            let (drive, root, mutation, others) = {
                let world = locked(&self.world);
                let Some(call) = world.wire.iter().find(|c| c.number == number) else {
                    continue;
                };
                let others = world
                    .wire
                    .iter()
                    .any(|c| c.root == call.root && c.drive != call.drive && c.came.is_none());
                (call.drive, call.root, call.mutation.clone(), others)
            };
            let worker = self.workers.iter().find(|w| w.number == drive);
            let (leg, since) = worker.map_or((0, 0), |w| (w.leg, w.since));
            if others {
                return Err(format!(
                    "two workers write to the campaign of root {root} at the same time"
                ));
            }
            self.watch.sent(&self.model, leg, &mutation)?;
            if mutation.op == Op::Remove && !mutation.objects.is_empty() {
                self.watch
                    .removes(&self.model, &locked(&self.world), leg, since)?;
            }
            debug_assert!(
                mutation.op
                    != Op::Serve {
                        serving: Serving::None
                    }
            );
        }
        Ok(())
    }

    fn check(&mut self) -> Result<(), String> {
        let world = locked(&self.world);
        if let Some(broken) = world.broken.first() {
            return Err(broken.clone());
        }
        self.watch.look(&self.model, &world)
    }
}

pub(super) fn chosen<T>(list: &[T], pick: u32) -> Option<&T> {
    if list.is_empty() {
        return None;
    }
    list.get(pick as usize % list.len())
}

fn pick(luck: &mut Luck, n: u64) -> usize {
    usize::try_from(luck.below(n)).unwrap_or_default()
}
