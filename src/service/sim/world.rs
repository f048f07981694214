//! The platforms as they really are: objects, and the calls that are on the wire. Knows nothing of legs and commands; what a
//! call does is decided when it arrives, and who made it may be dead by then.
//!
//! Must not be kinder than a platform: it makes what it is asked to make as often as it is asked.

use super::rng::Luck;
use crate::domain::error::{ErrorClass, LegError};
use crate::domain::manifest::Serving;
use crate::platform::{CallError, Done, Mutation, Op};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// How an episode's world is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Climate {
    /// Of a hundred calls so many go wrong.
    pub trouble: u64,
    /// Of a hundred objects so many are kept otherwise than they were asked for.
    pub altered: u64,
    /// Of a hundred campaigns so many are disapproved.
    pub disapproved: u64,
}

/// Something on a platform.
#[derive(Debug, Clone)]
pub(super) struct Object {
    pub id: String,
    pub account: String,
    /// The leg that made it first: what a newer version takes over keeps its root.
    pub root: i64,
    pub key: String,
    pub kind: String,
    pub name: Option<String>,
    pub parent: Option<String>,
    pub fields: Value,
    pub serving: Serving,
    pub gone: bool,
    /// A look-up sees it from here on.
    pub seen_from: i64,
    pub born: i64,
    pub spent: bool,
    /// The platform keeps it otherwise than it was asked to.
    pub altered: bool,
    /// Its request was carried out twice on its way: nobody asked for it.
    pub extra: bool,
    /// A person has turned it off there.
    pub by_hand: bool,
    /// The platform's policies refuse it from then on.
    pub disapproved_from: Option<i64>,
    pub review_until: i64,
}

/// What a mutation says of one object, in the world's own words; it travels as the mutation's body.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Item {
    pub key: String,
    pub kind: String,
    pub name: Option<String>,
    /// The parent's key, and its id where it exists already.
    pub parent: Option<String>,
    pub parent_id: Option<String>,
    pub switchable: bool,
    pub fields: Value,
    pub id: Option<String>,
}

/// A write call under way.
pub(super) struct Call {
    pub number: u64,
    pub drive: u64,
    pub root: i64,
    pub account: String,
    pub mutation: Mutation,
    /// What it makes is seen by look-ups within this time, in milliseconds: before the second of them.
    pub seen_within: i64,
    /// The client gives up then; what has not arrived by then never does.
    pub until: i64,
    pub came: Option<Result<Done, CallError>>,
    pub reply: Option<oneshot::Sender<Result<Done, CallError>>>,
}

/// All platforms.
pub(super) struct World {
    pub now: i64,
    pub luck: Luck,
    pub climate: Climate,
    pub objects: Vec<Object>,
    pub wire: Vec<Call>,
    /// Calls that were made since somebody asked.
    pub sent: Vec<u64>,
    /// How many calls there were.
    pub calls: u64,
    /// What must not have happened, and did.
    pub broken: Vec<String>,
    /// No more trouble of any kind.
    pub calm: bool,
}

pub(super) type Shared = Arc<Mutex<World>>;

pub(super) fn locked(world: &Shared) -> MutexGuard<'_, World> {
    world.lock().unwrap_or_else(PoisonError::into_inner)
}

fn refused(code: &str, class: ErrorClass) -> CallError {
    CallError::refused(LegError::new(class, code, "the platform said no", "ask it"))
}

/// What has none cannot be kept otherwise.
fn has_fields(fields: &Value) -> bool {
    fields.as_object().is_some_and(|f| !f.is_empty())
}

impl World {
    pub(super) fn new(climate: Climate, now: i64) -> Self {
        Self {
            now,
            luck: Luck::new(0),
            climate,
            objects: Vec::new(),
            wire: Vec::new(),
            sent: Vec::new(),
            calls: 0,
            broken: Vec::new(),
            calm: false,
        }
    }

    /// Whether something with this chance in a hundred happens now.
    pub(super) fn chance(&mut self, percent: u64) -> bool {
        !self.calm && self.luck.chance(percent)
    }

    pub(super) fn object(&self, id: &str) -> Option<&Object> {
        self.objects.iter().find(|o| o.id == id && !o.gone)
    }

    /// A campaign spends, or could.
    pub(super) fn live(&self) -> impl Iterator<Item = &Object> {
        let on = |o: &&Object| o.key == "campaign" && !o.gone && o.serving == Serving::Active;
        self.objects.iter().filter(on)
    }

    /// A request arrives and is carried out, or not; the answer waits to be sent back.
    pub(super) fn arrive(&mut self, number: u64) {
        let Some(at) = self
            .wire
            .iter()
            .position(|c| c.number == number && c.came.is_none())
        else {
            return;
        };
        let (mutation, root, account, settle) = {
            let call = &self.wire[at];
            (
                call.mutation.clone(),
                call.root,
                call.account.clone(),
                call.seen_within,
            )
        };
        let trouble = self.climate.trouble;
        // A change is what a platform says no to more often than to anything else.
        let refusals = match mutation.op {
            Op::Update { .. } => trouble,
            Op::Create | Op::Serve { .. } | Op::Remove | Op::Account { .. } => trouble / 4,
        };
        let came = if self.chance(refusals) {
            Err(refused("refused", ErrorClass::Validation))
        } else if self.chance(trouble / 2) {
            Err(CallError::Unavailable {
                why: "busy".to_owned(),
                after: None,
            })
        } else {
            self.carry_out(&mutation, root, &account, settle, false)
        };
        if let Some(call) = self.wire.get_mut(at) {
            call.came = Some(came);
        }
    }

    /// The same request once more, as an impatient proxy sends it.
    pub(super) fn again(&mut self, number: u64) {
        let Some(call) = self.wire.iter().find(|c| c.number == number) else {
            return;
        };
        if !matches!(call.came, Some(Ok(_))) || call.mutation.op != Op::Create {
            return;
        }
        let (mutation, root, account) = (call.mutation.clone(), call.root, call.account.clone());
        let settle = call.seen_within;
        let _ = self.carry_out(&mutation, root, &account, settle, true);
    }

    fn carry_out(
        &mut self,
        mutation: &Mutation,
        root: i64,
        account: &str,
        settle: i64,
        extra: bool,
    ) -> Result<Done, CallError> {
        let items: Vec<Item> = serde_json::from_value(mutation.body["items"].clone()).expect("items");
        let ids = match &mutation.op {
            Op::Create => self.create(&items, (root, account), settle, extra)?,
            Op::Update { .. } => {
                for item in &items {
                    let altered = self.chance(self.climate.altered);
                    let object = self.existing(item)?;
                    object.fields = item.fields.clone();
                    object.name.clone_from(&item.name);
                    object.altered = altered && has_fields(&item.fields);
                }
                Vec::new()
            }
            Op::Serve { serving } => {
                for item in &items {
                    self.existing(item)?;
                }
                for item in &items {
                    let object = self.existing(item)?;
                    object.serving = *serving;
                    object.by_hand = false;
                }
                Vec::new()
            }
            Op::Remove => {
                for item in &items {
                    self.remove(item.id.as_deref());
                }
                Vec::new()
            }
            Op::Account { .. } => Vec::new(),
        };
        Ok(Done {
            ids,
            request_id: None,
            essence: json!({}),
        })
    }

    fn existing(&mut self, item: &Item) -> Result<&mut Object, CallError> {
        self.objects
            .iter_mut()
            .find(|o| Some(&o.id) == item.id.as_ref() && !o.gone)
            .ok_or_else(|| refused("gone", ErrorClass::Validation))
    }

    fn remove(&mut self, id: Option<&str>) {
        let mut gone: Vec<String> = id.map(str::to_owned).into_iter().collect();
        while let Some(id) = gone.pop() {
            for object in &mut self.objects {
                if object.id == id {
                    object.gone = true;
                }
                if object.parent.as_ref() == Some(&id) && !object.gone {
                    gone.push(object.id.clone());
                }
            }
        }
    }

    /// All of them, or none.
    fn create(
        &mut self,
        items: &[Item],
        (root, account): (i64, &str),
        settle: i64,
        extra: bool,
    ) -> Result<Vec<(String, String)>, CallError> {
        let lost = |o: &Item| o.parent_id.as_ref().is_some_and(|id| self.object(id).is_none());
        if items.iter().any(lost) {
            return Err(refused("no-parent", ErrorClass::Validation));
        }
        let mut made: Vec<(String, String)> = Vec::new();
        for item in items {
            let parent = item.parent_id.clone().or_else(|| {
                let key = item.parent.as_ref()?;
                made.iter().find(|(k, _)| k == key).map(|(_, id)| id.clone())
            });
            let twin = |o: &&Object| o.root == root && o.key == item.key && !o.gone && !o.extra;
            if let Some(twin) = self.objects.iter().find(twin).filter(|_| !extra) {
                let twin = twin.id.clone();
                self.broken.push(format!(
                    "{} of root {root} was made twice: it is there as {twin}",
                    item.key
                ));
            }
            let id = format!("{}", 1_000 + self.objects.len());
            let late = if self.calm {
                0
            } else {
                self.luck.below(settle.unsigned_abs())
            };
            let altered = self.chance(self.climate.altered) && has_fields(&item.fields);
            let disapproved = item.key == "campaign" && self.chance(self.climate.disapproved);
            let later = i64::try_from(self.luck.below(2_400_000)).unwrap_or_default();
            let review = if self.chance(30) {
                self.luck.below(200_000)
            } else {
                0
            };
            self.objects.push(Object {
                id: id.clone(),
                account: account.to_owned(),
                root,
                key: item.key.clone(),
                kind: item.kind.clone(),
                name: item.name.clone(),
                parent,
                fields: item.fields.clone(),
                serving: if item.switchable {
                    Serving::Paused
                } else {
                    Serving::None
                },
                gone: false,
                seen_from: self.now + i64::try_from(late).unwrap_or_default(),
                born: self.now,
                spent: false,
                altered,
                extra,
                by_hand: false,
                disapproved_from: disapproved.then_some(self.now + later),
                review_until: self.now + i64::try_from(review).unwrap_or_default(),
            });
            made.push((item.key.clone(), id));
        }
        Ok(made)
    }
}
