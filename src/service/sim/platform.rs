//! A real adapter's planning (`desire`, `next`, `removal`, its traits and its tracking rule) over the simulated world.
//!
//! What a mutation is about is the adapter's; only its body is put into the world's words. Must not plan anything itself.

use super::mistake::Mistake;
use super::world::{Call, Item, Object, Shared, World, locked};
use crate::domain::error::{ErrorClass, LegError};
use crate::domain::manifest::{Desired, Manifest, RemoteObject, Serving};
use crate::domain::plan::Objective;
use crate::domain::spec::LegSpec;
use crate::domain::tenant::Account;
use crate::domain::tracking::{Observed, Rule};
use crate::platform::{
    AccountFacts, CallError, Done, Eligibility, Found, Goal, Mutation, NotOffered, Op, Platform, Problem,
    Reading, Seen, Session, Traits,
};
use async_trait::async_trait;
use chrono::DateTime;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::oneshot;

/// One worker's view of a platform while it drives one leg.
pub(super) struct SimPlatform {
    pub inner: Arc<dyn Platform>,
    pub world: Shared,
    pub drive: u64,
    /// The leg's root: see [`Object::root`].
    pub root: i64,
    pub mistake: Option<Mistake>,
}

fn item(key: &str, desired: &[Desired], manifest: &Manifest, mutation: &Mutation) -> Item {
    let wanted = desired.iter().find(|d| d.key == key);
    let held = manifest.get(key);
    let parent = wanted
        .map(|d| d.parent.clone())
        .unwrap_or_else(|| held.and_then(|o| o.parent.clone()));
    let fields = match &mutation.op {
        Op::Update { applied } => applied.get(key).cloned(),
        Op::Create => wanted.map(|d| d.fields.clone()),
        Op::Serve { .. } | Op::Remove | Op::Account { .. } => None,
    };
    Item {
        key: key.to_owned(),
        kind: wanted.map_or_else(
            || held.map(|o| o.kind.clone()).unwrap_or_default(),
            |d| d.kind.to_owned(),
        ),
        name: wanted
            .map(|d| d.name.clone())
            .unwrap_or_else(|| held.and_then(|o| o.name.clone())),
        parent_id: parent.as_deref().and_then(|p| manifest.id(p)).map(str::to_owned),
        parent,
        switchable: wanted.is_some_and(|d| d.switchable),
        fields: fields.unwrap_or(Value::Null),
        id: manifest.id(key).map(str::to_owned),
    }
}

impl SimPlatform {
    /// A read may fail, and nothing is learnt then.
    fn trouble(world: &mut World) -> Result<(), CallError> {
        let percent = world.climate.trouble / 3;
        if !world.chance(percent) {
            return Ok(());
        }
        Err(if world.chance(50) {
            CallError::Unclear {
                why: "no answer".to_owned(),
            }
        } else {
            CallError::Unavailable {
                why: "busy".to_owned(),
                after: None,
            }
        })
    }
}

fn bears_the_name(object: &Object, wanted: &RemoteObject, manifest: &Manifest, found: &[Found]) -> bool {
    if object.gone || object.kind != wanted.kind || object.account != manifest.account_id {
        return false;
    }
    match &wanted.name {
        Some(name) => object.name.as_ref() == Some(name),
        None => {
            let parent = wanted.parent.as_deref();
            let just_found = || {
                found
                    .iter()
                    .find(|f| Some(f.key.as_str()) == parent)
                    .map(|f| f.remote_id.as_str())
            };
            let parent = parent.and_then(|p| manifest.id(p)).or_else(just_found);
            object.parent.as_deref() == parent && object.fields == wanted.applied
        }
    }
}

#[async_trait]
impl Platform for SimPlatform {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn traits(&self) -> Traits {
        self.inner.traits()
    }

    fn offer(&self, objective: Objective, channel: Option<&str>) -> Result<&'static str, NotOffered> {
        self.inner.offer(objective, channel)
    }

    fn check(&self, spec: &LegSpec) -> Vec<Problem> {
        self.inner.check(spec)
    }

    fn desire(
        &self,
        spec: &LegSpec,
        account: &Account,
        facts: &AccountFacts,
    ) -> Result<Vec<Desired>, Box<LegError>> {
        self.inner.desire(spec, account, facts)
    }

    fn next(&self, goal: Goal, desired: &[Desired], manifest: &Manifest, account: &Account) -> Vec<Mutation> {
        let mut mutations = self.inner.next(goal, desired, manifest, account);
        for mutation in &mut mutations {
            let items: Vec<Item> = mutation
                .objects
                .iter()
                .map(|key| item(key, desired, manifest, mutation))
                .collect();
            mutation.body = json!({ "items": items });
        }
        mutations
    }

    fn removal(&self, kind: &str, remote_id: &str, account: &Account) -> Mutation {
        let mut mutation = self.inner.removal(kind, remote_id, account);
        let item = Item {
            key: String::new(),
            kind: kind.to_owned(),
            name: None,
            parent: None,
            parent_id: None,
            switchable: false,
            fields: Value::Null,
            id: Some(remote_id.to_owned()),
        };
        mutation.body = json!({ "items": [item] });
        mutation
    }

    async fn probe(&self, _session: &Session) -> Result<AccountFacts, CallError> {
        Err(CallError::Unclear {
            why: "the facts come with the job".to_owned(),
        })
    }

    fn account_mutations(&self, _account: &Account, _facts: &AccountFacts) -> Vec<Mutation> {
        Vec::new()
    }

    async fn execute(&self, session: &Session, mutation: &Mutation) -> Result<Done, CallError> {
        let (reply, answer) = oneshot::channel();
        {
            let mut world = locked(&self.world);
            world.calls += 1;
            let number = world.calls;
            let until = world.now + i64::try_from(session.deadline.as_millis()).unwrap_or(i64::MAX);
            world.wire.push(Call {
                number,
                drive: self.drive,
                root: self.root,
                account: session.account.account_id.clone(),
                mutation: mutation.clone(),
                until,
                seen_within: super::store::millis(self.inner.traits().settle) * 7 / 5,
                came: None,
                reply: Some(reply),
            });
            world.sent.push(number);
        }
        answer.await.unwrap_or_else(|_| {
            Err(CallError::Unclear {
                why: "no answer".to_owned(),
            })
        })
    }

    async fn find(
        &self,
        _session: &Session,
        manifest: &Manifest,
        keys: &[String],
    ) -> Result<Vec<Found>, CallError> {
        let mut world = locked(&self.world);
        Self::trouble(&mut world)?;
        if self.mistake == Some(Mistake::BlindLookUp) {
            return Ok(Vec::new());
        }
        let now = world.now;
        let mut found = Vec::new();
        for wanted in keys.iter().filter_map(|key| manifest.get(key)) {
            let matching: Vec<Found> = world
                .objects
                .iter()
                .filter(|o| o.seen_from <= now && bears_the_name(o, wanted, manifest, &found))
                .map(|o| Found {
                    key: wanted.key.clone(),
                    remote_id: o.id.clone(),
                    serving: o.serving,
                    created_at: DateTime::from_timestamp_millis(o.born),
                    spent: Some(o.spent),
                })
                .collect();
            found.extend(matching);
        }
        Ok(found)
    }

    async fn read(&self, _session: &Session, manifest: &Manifest) -> Result<Reading, CallError> {
        let mut world = locked(&self.world);
        Self::trouble(&mut world)?;
        Ok(read(&world, manifest, self.inner.traits().tracking))
    }
}

/// What the world holds of a leg.
pub(super) fn read(world: &World, manifest: &Manifest, rule: Rule) -> Reading {
    let there: Vec<(&str, &Object)> = manifest
        .existing()
        .filter_map(|o| Some((o.key.as_str(), world.object(o.remote_id.as_deref()?)?)))
        .collect();
    let objects = there
        .iter()
        .map(|(key, object)| Seen {
            key: (*key).to_owned(),
            remote_id: object.id.clone(),
            serving: object.serving,
            fields: object.fields.clone(),
        })
        .collect();
    let campaign = there.iter().find(|(key, _)| *key == "campaign").map(|(_, o)| *o);
    let id = campaign.map(|c| c.id.clone()).unwrap_or_default();
    let altered = there.iter().any(|(_, o)| o.altered);
    let value = if altered {
        "https://shop.acme.example/?utm_source=its-own".to_owned()
    } else if rule.forbids_utm() {
        "https://shop.acme.example/".to_owned()
    } else {
        format!("utm_source=s&utm_medium=m&utm_campaign={id}&utm_content=c")
    };
    Reading {
        objects,
        finding: None,
        tracking: vec![Observed {
            object: "campaign".to_owned(),
            field: "url".to_owned(),
            value,
        }],
        auto_tagging: Some(true),
        eligibility: match campaign {
            Some(c) if c.disapproved_from.is_some_and(|from| from <= world.now) => {
                Eligibility::Disapproved(Box::new(LegError::new(
                    ErrorClass::Policy,
                    "disapproved",
                    "not allowed there",
                    "say something else",
                )))
            }
            Some(c) if c.serving != Serving::Active => Eligibility::Paused,
            Some(c) if c.review_until > world.now => Eligibility::InReview,
            Some(_) => Eligibility::Eligible,
            None => Eligibility::Paused,
        },
        spent: Some(campaign.is_some_and(|c| c.spent)),
    }
}
