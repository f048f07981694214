//! What must hold after every step, and before every call: the design's promises, each in its own words.
//!
//! It keeps its own account of what was accepted, turned and told, so that it does not believe what it checks.

use super::store::{Execution, Gate, Leg, Model};
use super::world::World;
use crate::domain::manifest::{ObjectState, Serving};
use crate::domain::saga::{Direction, LegState, Tally};
use crate::platform::{Mutation, Op};
use crate::store::outbox::Body;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Its own account.
#[derive(Default)]
pub(super) struct Watch {
    states: BTreeMap<i64, LegState>,
    heard: usize,
    /// What was told last of each leg, by version, platform and key.
    told: BTreeMap<String, &'static str>,
    rolled_back: BTreeSet<String>,
    /// In which step an execution was turned by a rollback, and the tenant paused.
    turned: BTreeMap<i64, u64>,
    paused: Option<u64>,
    /// In which step a leg was seen stuck last.
    stuck: BTreeMap<i64, u64>,
    /// First launches that are over.
    launched: BTreeSet<i64>,
    /// When the payload in force was approved.
    applied: BTreeMap<i64, i64>,
}

/// Its campaign may be on while a leg is there.
pub(super) fn may_be_on(state: LegState) -> bool {
    match state {
        LegState::Building
        | LegState::Built
        | LegState::Activating
        | LegState::Scheduled
        | LegState::Live
        | LegState::Failed
        | LegState::Undoing
        | LegState::Stuck
        | LegState::Amending
        | LegState::Unamended
        | LegState::Outgoing
        | LegState::Retiring => true,
        LegState::Waiting | LegState::Undone | LegState::Retired | LegState::Superseded => false,
    }
}

/// The barrier of a first launch does not wait for it any more.
fn past_the_barrier(state: LegState) -> bool {
    match state {
        LegState::Built
        | LegState::Activating
        | LegState::Scheduled
        | LegState::Live
        | LegState::Unamended
        | LegState::Retired
        | LegState::Superseded
        | LegState::Outgoing
        | LegState::Stuck => true,
        LegState::Waiting
        | LegState::Building
        | LegState::Failed
        | LegState::Undoing
        | LegState::Undone
        | LegState::Amending
        | LegState::Retiring => false,
    }
}

/// How the world is told of a leg in this state, if it is.
fn topic(state: LegState) -> Option<&'static str> {
    match state {
        LegState::Scheduled => Some("campaign.scheduled"),
        LegState::Live => Some("campaign.live"),
        LegState::Waiting
        | LegState::Building
        | LegState::Built
        | LegState::Activating
        | LegState::Failed
        | LegState::Undoing
        | LegState::Undone
        | LegState::Stuck
        | LegState::Amending
        | LegState::Unamended
        | LegState::Retiring
        | LegState::Retired
        | LegState::Superseded
        | LegState::Outgoing => None,
    }
}

fn name(leg: &Leg) -> String {
    let key = &leg.spec.key;
    format!(
        "{}/{}/{}",
        key.plan_version, key.platform, key.logical_campaign_key
    )
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

impl Watch {
    /// A call is made: its intent is committed, and nothing forbids it since.
    pub(super) fn sent(&mut self, model: &Model, leg: i64, mutation: &Mutation) -> Result<(), String> {
        let request = serde_json::to_value(mutation).unwrap_or_default();
        let intent = model
            .intents
            .iter()
            .find(|i| i.open && i.leg == leg && i.request == request);
        let what = || format!("{:?} {:?} of leg {leg}", mutation.op, mutation.objects);
        let Some(intent) = intent else {
            return Err(format!("sent without a committed intent: {}", what()));
        };
        let made = model.made.get(&leg);
        if mutation.op == Op::Create {
            let intended = |key: &String| {
                made.and_then(|m| m.manifest.get(key))
                    .is_some_and(|o| o.state == ObjectState::Intended)
            };
            if !mutation.objects.iter().all(intended) {
                return Err(format!("the manifest does not say what is made: {}", what()));
            }
        }
        let on = mutation.op
            == Op::Serve {
                serving: Serving::Active,
            };
        let execution = model.legs.get(&leg).map_or(0, |l| l.execution);
        if on
            && self
                .turned
                .get(&execution)
                .is_some_and(|turned| intent.step > *turned)
        {
            return Err(format!("switched on after the rollback was accepted: {}", what()));
        }
        let off = mutation.op
            == Op::Serve {
                serving: Serving::Paused,
            };
        if !off && self.paused.is_some_and(|paused| intent.step > paused) {
            return Err(format!("the tenant is paused, and it is sent: {}", what()));
        }
        Ok(())
    }

    /// A rollback removes nothing while anything of its version is on that could still be switched off. What was given up as stuck
    /// when the worker looked, and is tried again only since, it could not wait for.
    pub(super) fn removes(&self, model: &Model, world: &World, leg: i64, since: u64) -> Result<(), String> {
        let Some(undone) = model.legs.get(&leg).filter(|l| l.row.state == LegState::Undoing) else {
            return Ok(());
        };
        let going_off = |l: &&Leg| {
            l.execution == undone.execution
                && self.stuck.get(&l.row.id).is_none_or(|seen| *seen < since)
                && matches!(
                    l.row.state,
                    LegState::Undoing | LegState::Activating | LegState::Amending | LegState::Retiring
                )
        };
        let mut others = model.legs.values().filter(going_off);
        let on = others.find(|l| world.live().any(|c| c.root == l.root));
        on.map_or(Ok(()), |on| {
            Err(format!(
                "leg {leg} is removed while the campaign of leg {} is on",
                on.row.id
            ))
        })
    }

    /// A step is over.
    pub(super) fn look(&mut self, model: &Model, world: &World) -> Result<(), String> {
        self.paused = match (self.paused, model.paused) {
            (None, true) => Some(model.step),
            (paused, true) => paused,
            (_, false) => None,
        };
        for execution in model.executions.values() {
            self.execution(model, execution)?;
        }
        self.legs(model)?;
        self.outbox(model, world)?;
        for campaign in world.live() {
            let mut theirs = model.legs.values().filter(|l| l.root == campaign.root);
            if !theirs.any(|l| may_be_on(l.row.state)) {
                return Err(format!(
                    "campaign {} (root {}) is on and nobody's",
                    campaign.id, campaign.root
                ));
            }
        }
        self.states = model.legs.values().map(|l| (l.row.id, l.row.state)).collect();
        let stuck = self.states.iter().filter(|(_, state)| **state == LegState::Stuck);
        self.stuck.extend(stuck.map(|(id, _)| (*id, model.step)));
        Ok(())
    }

    fn execution(&mut self, model: &Model, execution: &Execution) -> Result<(), String> {
        let (id, saga) = (execution.row.id, &execution.row.saga);
        let mut counted = Tally::default();
        for leg in model.legs.values().filter(|l| l.execution == id) {
            counted.add(leg.row.position, leg.row.state, 1);
        }
        for state in LegState::ALL {
            if counted.count(*state) != saga.tally.count(*state) {
                return Err(format!("execution {id} miscounts its {state:?} legs"));
            }
        }
        if saga.asked_to_roll_back {
            self.turned.entry(id).or_insert(model.step);
        }
        if self.turned.contains_key(&id) && (saga.direction == Direction::Forward || !saga.asked_to_roll_back)
        {
            return Err(format!("execution {id} was rolled back and goes forward again"));
        }
        if let Some((_, approved_at)) = &execution.applied {
            let before = self.applied.insert(id, *approved_at).unwrap_or(i64::MIN);
            if before > *approved_at {
                return Err(format!("an older payload is in force again in execution {id}"));
            }
        }
        if execution.gate == Gate::Cancelled
            && model.legs.values().any(|l| l.execution == id)
            && !execution.launched
        {
            return Err(format!("execution {id} was cancelled and has legs"));
        }
        Ok(())
    }

    fn legs(&mut self, model: &Model) -> Result<(), String> {
        for leg in model.legs.values() {
            let (id, state) = (leg.row.id, leg.row.state);
            let was = self.states.get(&id).copied().unwrap_or(LegState::Waiting);
            if was == state {
                continue;
            }
            if self.turned.contains_key(&leg.execution)
                && matches!(
                    state,
                    LegState::Activating | LegState::Scheduled | LegState::Live | LegState::Building
                )
            {
                return Err(format!(
                    "leg {id} of a version that was rolled back becomes {state:?}"
                ));
            }
            let execution = &model.executions[&leg.execution];
            let atomic = execution.payload.plan.launch.atomic && execution.applied.is_some();
            if state == LegState::Activating && atomic && !self.launched.contains(&leg.execution) {
                let waits = model
                    .legs
                    .values()
                    .find(|l| l.execution == leg.execution && !past_the_barrier(l.row.state));
                if let Some(waits) = waits {
                    return Err(format!(
                        "atomic: leg {id} is switched on while leg {} is {:?}",
                        waits.row.id, waits.row.state
                    ));
                }
            }
        }
        Ok(())
    }

    /// What was written to the outbox in this step says what happened in it, and is true.
    fn outbox(&mut self, model: &Model, world: &World) -> Result<(), String> {
        let new = model.outbox.get(self.heard..).unwrap_or_default();
        self.heard = model.outbox.len();
        for message in new {
            let Body::Json(body) = &message.body else { continue };
            let version = text(body, "plan_version");
            match message.topic.as_str() {
                topic @ ("campaign.live" | "campaign.scheduled") => {
                    self.announced(body, topic, world)?;
                }
                "execution.completed" => self.completed(model, body)?,
                "execution.rolled_back" => {
                    self.rolled_back.insert(version.to_owned());
                    self.all_are(body, &["undone", "stuck", "superseded", "retired"])?;
                }
                "execution.partial_failure" if body["action"] == "rolled_back" => {
                    self.all_are(body, &["undone", "stuck", "superseded", "retired"])?;
                }
                _ => {}
            }
        }
        for leg in model.legs.values() {
            let Some(topic) = topic(leg.row.state) else {
                continue;
            };
            if self.states.get(&leg.row.id) != Some(&leg.row.state)
                && self.told.get(&name(leg)) != Some(&topic)
            {
                return Err(format!(
                    "leg {} is {:?} and nobody was told",
                    leg.row.id, leg.row.state
                ));
            }
        }
        Ok(())
    }

    fn announced(&mut self, body: &Value, topic: &str, world: &World) -> Result<(), String> {
        let version = text(body, "plan_version");
        let leg = format!(
            "{version}/{}/{}",
            text(body, "platform"),
            text(body, "logical_campaign_key")
        );
        if self.rolled_back.contains(version) {
            return Err(format!("{topic} of {leg} after it was rolled back"));
        }
        let campaign = world.object(text(body, "platform_campaign_id"));
        if campaign.is_none_or(|c| c.serving != Serving::Active && !c.by_hand) {
            return Err(format!("{topic} of {leg}, and it is off: {campaign:?}"));
        }
        let topic = if topic == "campaign.live" {
            "campaign.live"
        } else {
            "campaign.scheduled"
        };
        self.told.insert(leg, topic);
        Ok(())
    }

    /// Every leg was told of before the whole is.
    fn completed(&mut self, model: &Model, body: &Value) -> Result<(), String> {
        let version = text(body, "plan_version");
        let mut scheduled = false;
        for leg in body["legs"].as_array().into_iter().flatten() {
            let state = text(leg, "state");
            scheduled |= state == "scheduled";
            let name = format!(
                "{version}/{}/{}",
                text(leg, "platform"),
                text(leg, "logical_campaign_key")
            );
            let wanted = match state {
                "live" => "campaign.live",
                "scheduled" => "campaign.scheduled",
                "retired" | "superseded" => continue,
                other => {
                    return Err(format!(
                        "execution.completed of {version} with a leg that is {other}"
                    ));
                }
            };
            if self.told.get(&name) != Some(&wanted) {
                return Err(format!(
                    "execution.completed of {version} before {wanted} of {name}"
                ));
            }
        }
        let execution = model.executions.values().find(|e| e.row.plan_version == version);
        if let Some(execution) = execution.filter(|_| !scheduled) {
            self.launched.insert(execution.row.id);
        }
        Ok(())
    }

    fn all_are(&self, body: &Value, allowed: &[&str]) -> Result<(), String> {
        for leg in body["legs"].as_array().into_iter().flatten() {
            if !allowed.contains(&text(leg, "state")) {
                return Err(format!(
                    "told to be undone with a leg that is {}: {body}",
                    text(leg, "state")
                ));
            }
        }
        Ok(())
    }
}
