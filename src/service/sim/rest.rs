//! The end of an episode: no more trouble, and everything must come to rest, each promise kept: plan, manifest and platform agree;
//! what a pause switched off is on again; what is rolled back is off; every message once more changes nothing.
//!
//! Must not help: it does what the service's loops do, in the order in which things fall due.

use super::step::{Kind, Step};
use super::store::{Execution, Gate, Leg};
use super::town::Town;
use super::worker::Worker;
use super::world::{Object, World, locked};
use crate::domain::manifest::{ObjectState, Serving};
use crate::domain::saga::{Direction, LegState};
use crate::platform;
use crate::store::control::Verb;
use std::collections::BTreeSet;

/// So many rounds are enough for anything.
const ROUNDS: usize = 600;

impl Town<'_> {
    /// Brings the episode to its end.
    ///
    /// # Errors
    /// What must never be, and is.
    pub(super) fn end(&mut self) -> Result<(), String> {
        locked(&self.world).calm = true;
        if self.model.paused {
            self.tell(|_| "calm; paused".to_owned());
            self.come_to_rest(ROUNDS)?;
            // Where the platform refused to switch it off a person was told, who has a verb for it.
            let stuck = |root| {
                let mut theirs = self.model.legs.values().filter(|l| l.root == root);
                theirs.any(|l| l.row.state == LegState::Stuck)
            };
            if let Some(on) = locked(&self.world).live().find(|c| !stuck(c.root)) {
                return Err(format!("the tenant is paused and campaign {} is on", on.id));
            }
            self.step(Kind::Unpause, 0)?;
        }
        self.tell(|_| "calm".to_owned());
        self.rests("left alone")?;
        self.agree()?;
        for id in self.waiting() {
            self.model.decide(id, true);
        }
        self.mend_the_world();
        for id in self.ids() {
            self.model.control(id, Verb::Retry);
        }
        self.tell(|_| "everything is tried again".to_owned());
        self.rests("tried again")?;
        self.agree()?;
        self.complete()?;
        self.tell(|_| "every message once".to_owned());
        self.told_all()?;
        let (calls, events) = (locked(&self.world).calls, self.model.outbox.len());
        self.tell(|_| "every message again".to_owned());
        self.told_all()?;
        if locked(&self.world).calls != calls || self.model.outbox.len() != events {
            return Err("every message again, and something was sent".to_owned());
        }
        self.roll_all_back()
    }

    /// Every message that the planner ever published, once more, each launch approved.
    fn told_all(&mut self) -> Result<(), String> {
        self.publish_all();
        for id in self.waiting() {
            self.model.decide(id, true);
        }
        self.rests("told again")?;
        self.agree()
    }

    /// Those that nobody has taken over from first: what they had taken over comes back, and goes with the next.
    fn roll_all_back(&mut self) -> Result<(), String> {
        for id in self.waiting() {
            self.model.control(id, Verb::Cancel);
        }
        let next = |town: &Self| {
            let forward = |id: &i64| {
                let execution = &town.model.executions[id];
                execution.launched && execution.row.saga.direction == Direction::Forward
            };
            town.ids()
                .into_iter()
                .rev()
                .find(|id| forward(id) && !town.model.is_superseded(*id))
        };
        for execution in self.model.executions.values() {
            if execution.launched && execution.row.saga.direction == Direction::Back {
                self.came_back(execution.row.id)?;
            }
        }
        while let Some(id) = next(self) {
            self.tell(|_| format!("calm: roll back {id}"));
            self.model.control(id, Verb::Rollback);
            self.rests("rolled back")?;
            self.agree()?;
            self.came_back(id)?;
        }
        for leg in self.model.legs.values() {
            let execution = &self.model.executions[&leg.execution].row;
            if execution.saga.direction == Direction::Forward {
                return Err(format!("execution {} cannot be rolled back", execution.id));
            }
            if !matches!(leg.row.state, LegState::Undone | LegState::Superseded) {
                return Err(format!(
                    "rolled back, and leg {} is {:?}",
                    leg.row.id, leg.row.state
                ));
            }
        }
        let world = locked(&self.world);
        if let Some(on) = world.live().next() {
            return Err(format!("all was rolled back and campaign {} is on", on.id));
        }
        self.publish_nothing_comes_back(&world)
    }

    fn publish_nothing_comes_back(&self, world: &World) -> Result<(), String> {
        for object in world
            .objects
            .iter()
            .filter(|o| !o.gone && o.key == "campaign" && !o.spent)
        {
            let mut theirs = self.model.legs.values().filter(|l| l.root == object.root);
            if theirs.all(|l| l.row.state == LegState::Undone) && !made_twice(world, object) {
                return Err(format!(
                    "campaign {} never spent, is undone and still there",
                    object.id
                ));
            }
        }
        Ok(())
    }

    fn ids(&self) -> Vec<i64> {
        self.model.executions.keys().copied().collect()
    }

    /// The platform keeps everything as it was asked to, and finds nothing wrong any more.
    fn mend_the_world(&mut self) {
        let mut world = locked(&self.world);
        let now = world.now;
        for object in &mut world.objects {
            object.altered = false;
            object.disapproved_from = None;
            object.review_until = now;
        }
    }

    fn step(&mut self, kind: Kind, pick: u32) -> Result<(), String> {
        self.happen(Step { kind, pick, luck: 0 })
    }

    fn rests(&mut self, when: &str) -> Result<(), String> {
        if self.come_to_rest(ROUNDS)? {
            return Ok(());
        }
        let open: Vec<String> = self
            .model
            .commands
            .values()
            .filter(|c| c.queued)
            .map(|c| format!("{} of leg {}", c.kind.as_str(), c.leg))
            .collect();
        Err(format!(
            "{when}, and it never comes to rest: {open:?}, {} workers",
            self.workers.len()
        ))
    }

    /// Does what is due until nothing is, or the rounds are over; whether nothing is.
    fn come_to_rest(&mut self, rounds: usize) -> Result<bool, String> {
        for _ in 0..rounds {
            let mut done = false;
            while !self.model.gates().is_empty() && self.due_gate() {
                self.step(Kind::AskGate, 0)?;
                self.step(Kind::OpenGate, 0)?;
                done = true;
            }
            self.step(Kind::OpenGate, 0)?;
            self.step(Kind::Relay, 0)?;
            while self.accept(0) {
                done = true;
            }
            while !self.model.ready().is_empty() {
                self.step(Kind::Lease, 0)?;
                done = true;
            }
            while self.work()? {
                done = true;
            }
            while !self.beginning().is_empty() {
                self.step(Kind::Begin, 0)?;
                done = true;
            }
            if done || self.model.published < self.model.outbox.len() {
                continue;
            }
            match self.next_due() {
                Some(at) => self.pass(at - self.model.now + 1)?,
                None => return Ok(self.workers.is_empty()),
            }
        }
        Ok(false)
    }

    /// A gate is due that would not only ask for an approval again.
    fn due_gate(&self) -> bool {
        self.model.gates().iter().any(|id| self.would_open(*id))
    }

    fn would_open(&self, id: i64) -> bool {
        let execution = &self.model.executions[&id];
        !self.model.needs_approval || execution.approved.contains(&execution.payload.hash)
    }

    fn work(&mut self) -> Result<bool, String> {
        if self.workers.iter().any(Worker::asks) {
            self.step(Kind::Commit, 0)?;
            return Ok(true);
        }
        let calls = !locked(&self.world).wire.is_empty();
        if calls {
            self.step(Kind::Answer, 0)?;
        }
        Ok(calls)
    }

    /// The next moment at which something falls due that can go on.
    fn next_due(&self) -> Option<i64> {
        let now = self.model.now;
        let paused = self.model.paused;
        let commands = self.model.whose_turn_it_is().into_iter();
        let commands = commands.map(|c| c.not_before.max(c.lease_until.unwrap_or(0)));
        let gates = self
            .model
            .executions
            .values()
            .filter(|e| e.gate == Gate::Pending && !paused && self.would_open(e.row.id));
        let gates = gates.map(|e| e.gate_at.max(e.gate_lease.unwrap_or(0)));
        let watched = self
            .model
            .legs
            .values()
            .filter(|l| l.row.state == LegState::Scheduled && l.hold.is_none());
        let watched = watched.filter_map(|l| l.watch_at);
        commands.chain(gates).chain(watched).min().map(|at| at.max(now))
    }

    // ---- what must agree -------------------------------------------------------------------------------------------

    /// Manifest, spec and platform say the same.
    fn agree(&self) -> Result<(), String> {
        let world = locked(&self.world);
        self.one_version_is_on()?;
        for leg in self.model.legs.values() {
            if !leg.row.state.at_rest() {
                let launched = &self.model.executions[&leg.execution].row.saga;
                return Err(format!(
                    "leg {} rests as {:?} ({launched:?})",
                    leg.row.id, leg.row.state
                ));
            }
            if matches!(leg.row.state, LegState::Live | LegState::Scheduled) {
                self.as_planned(leg, &world)?;
            }
            let held = self.model.made.get(&leg.row.id).and_then(|m| m.held.as_ref());
            let may_be_on = leg.row.state.on() || matches!(leg.row.state, LegState::Built | LegState::Failed);
            let off = held.filter(|held| may_be_on && !held.is_empty());
            if let Some(off) = off {
                return Err(format!(
                    "nobody pauses leg {}, {:?}, and {off:?} was not switched on again",
                    leg.row.id, leg.row.state
                ));
            }
            if let Some(hold) = leg.hold {
                return Err(format!(
                    "nobody pauses leg {}, {:?}, and it is {hold:?}",
                    leg.row.id, leg.row.state
                ));
            }
        }
        for object in world.objects.iter().filter(|o| !o.gone) {
            let known = self
                .model
                .legs
                .values()
                .filter(|l| l.root == object.root)
                .any(|l| {
                    self.model.made.get(&l.row.id).is_some_and(|m| {
                        m.manifest.objects.iter().any(|o| {
                            o.remote_id.as_ref() == Some(&object.id) && o.state == ObjectState::Created
                                || o.key == object.key && o.state == ObjectState::Intended
                        })
                    })
                });
            let off_and_twice = object.serving != Serving::Active && made_twice(&world, object);
            if !(known || off_and_twice) {
                return Err(format!(
                    "{} {} (root {}) is in no manifest",
                    object.kind, object.id, object.root
                ));
            }
        }
        Ok(())
    }

    /// Of a version and those before it, however many lie between, only one has a campaign on for the same key.
    fn one_version_is_on(&self) -> Result<(), String> {
        let on = |execution: i64| {
            let theirs = self.model.legs.values().filter(move |l| l.execution == execution);
            theirs.filter(|l| matches!(l.row.state, LegState::Live | LegState::Scheduled))
        };
        for newer in self.model.executions.values() {
            for older in self.before(newer) {
                for leg in on(newer.row.id) {
                    let key = |l: &&Leg| {
                        l.row.platform == leg.row.platform
                            && l.row.logical_campaign_key == leg.row.logical_campaign_key
                    };
                    if let Some(twin) = on(older).find(key) {
                        return Err(format!(
                            "legs {} and {} of two versions are both on",
                            leg.row.id, twin.row.id
                        ));
                    }
                }
            }
        }
        Ok(())
    }

    /// The versions before this one that were heard of. What a person had cancelled before its gate was asked never told anybody what
    /// it supersedes.
    fn before(&self, newer: &Execution) -> BTreeSet<i64> {
        let mut found = BTreeSet::new();
        let named = |e: &Execution| {
            let applied = e.applied.as_ref().map_or(&e.payload, |(payload, _)| payload);
            let name = applied.plan.supersedes.as_ref()?.to_string();
            let heard = |e: &&Execution| e.launched || e.superseded_by.is_some();
            let mut known = self.model.executions.values().filter(heard);
            known.find(|e| e.row.plan_version == name)
        };
        let mut next = named(newer);
        while let Some(older) = next.filter(|e| found.insert(e.row.id)) {
            next = named(older);
        }
        found
    }

    /// What a version that was rolled back had switched off in the one before is on again there.
    fn came_back(&self, newer: i64) -> Result<(), String> {
        for leg in self.model.legs.values().filter(|l| l.comes_back_from(newer)) {
            let execution = &self.model.executions[&leg.execution];
            let forward = execution.row.saga.direction == Direction::Forward;
            // An amendment that came later may no longer have it.
            let planned = execution.applied.as_ref().is_some_and(|(payload, _)| {
                let key = &leg.spec.key.logical_campaign_key;
                payload
                    .plan
                    .campaigns
                    .iter()
                    .any(|c| c.logical_campaign_key == *key)
            });
            if forward
                && planned
                && !matches!(
                    leg.row.state,
                    LegState::Live | LegState::Scheduled | LegState::Superseded
                )
            {
                return Err(format!(
                    "leg {} was on before a version that was rolled back, and is {:?}",
                    leg.row.id, leg.row.state
                ));
            }
        }
        Ok(())
    }

    /// What is live or scheduled is exactly what its spec says, and on.
    fn as_planned(&self, leg: &Leg, world: &World) -> Result<(), String> {
        let id = leg.row.id;
        let adapter = platform::by_name(&leg.row.platform).expect("an adapter");
        let account = &self.model.tenant.accounts[&leg.row.platform];
        let facts = serde_json::from_value(self.model.facts[&leg.row.platform].clone()).expect("facts");
        let desired = adapter
            .desire(&leg.spec, account, &facts)
            .map_err(|e| e.message)?;
        let made = self
            .model
            .made
            .get(&id)
            .ok_or(format!("leg {id} has no manifest"))?;
        for wanted in &desired {
            let held = made
                .manifest
                .get(&wanted.key)
                .and_then(|o| o.remote_id.as_deref());
            let Some(object) = held.and_then(|id| world.object(id)) else {
                return Err(format!("leg {id}: {} is not there", wanted.key));
            };
            if object.fields != wanted.fields || object.altered {
                return Err(format!(
                    "leg {id}: {} is {} and not {}",
                    wanted.key, object.fields, wanted.fields
                ));
            }
            if wanted.switchable && object.serving != Serving::Active {
                return Err(format!(
                    "leg {id} is {:?} and {} is off",
                    leg.row.state, wanted.key
                ));
            }
            if wanted.switchable && made.manifest.get(&wanted.key).map(|o| o.serving) != Some(object.serving)
            {
                return Err(format!(
                    "leg {id}: the manifest does not know that {} is on",
                    wanted.key
                ));
            }
        }
        Ok(())
    }

    /// With nothing in the way, what goes forward is on.
    fn complete(&self) -> Result<(), String> {
        for leg in self.model.legs.values() {
            let saga = &self.model.executions[&leg.execution].row.saga;
            let good = matches!(
                leg.row.state,
                LegState::Live | LegState::Scheduled | LegState::Retired | LegState::Superseded
            );
            if saga.direction == Direction::Forward && !good {
                return Err(format!(
                    "nothing is in its way, and leg {} is {:?}: {:?}",
                    leg.row.id, leg.row.state, leg.error
                ));
            }
        }
        Ok(())
    }
}

/// Of two that one request made, a look-up may have seen one alone: the other stays, off and in no manifest.
fn made_twice(world: &World, object: &Object) -> bool {
    let twin = |o: &Object| o.extra && o.root == object.root && o.key == object.key;
    world.objects.iter().any(twin)
}
