//! Unknown outcomes: a call may have been made, or not. They leave only by a look-up (design §4).
//!
//! Must not send anything again before the look-ups are done, and must not keep two of what there should be one of.

use super::hold::mark;
use super::{CALLS_AT_ONCE, Drive, Halt, fail, give_back};
use crate::domain::error::{ErrorClass, LegError};
use crate::domain::manifest::{Manifest, ObjectState, RemoteObject, Serving};
use crate::platform::{CallError, Found, Goal, Mutation, Op};
use crate::store::progress::Ended;
use serde::Deserialize;
use serde_json::json;

/// How many look-ups must find nothing before an object counts as not made.
pub(super) const LOOKS: i32 = 2;

/// Nothing is spent for want of it, but something is if it comes twice or too late.
pub(super) fn switches_on(op: &Op) -> bool {
    *op == Op::Serve {
        serving: Serving::Active,
    }
}

impl Drive {
    /// Calls that only set something need no look-up: the same values again change nothing. But what may have been switched on
    /// stays in doubt until a call has switched it one way or the other.
    pub(super) fn end_repeatable_calls(&mut self) {
        for (id, request) in std::mem::take(&mut self.job.open_mutations) {
            let mutation = Mutation::deserialize(&request).ok();
            match mutation.map(|m| (m.op, m.objects)) {
                Some((op, keys)) if switches_on(&op) => self.doubts.push((id, keys)),
                // Ends as the look-up says; until then it stays open.
                Some((Op::Create, _)) | None => self.job.open_mutations.push((id, request)),
                Some((
                    op @ (Op::Update { .. } | Op::Serve { .. } | Op::Remove | Op::Account { .. }),
                    keys,
                )) => {
                    self.not_heard_of(&op, &keys);
                    self.pending.ended.push((id, Ended::Void));
                }
            }
        }
    }

    /// Whether an earlier call may have switched it on: nobody heard what became of that call.
    pub(super) fn may_be_on(&self, key: &str) -> bool {
        self.doubts.iter().any(|(_, keys)| keys.iter().any(|k| k == key))
    }

    /// A call has switched these, or removed them: whatever an earlier one did is over.
    pub(super) fn no_doubt_of(&mut self, mutation: &Mutation) {
        if !matches!(mutation.op, Op::Serve { .. } | Op::Remove) {
            return;
        }
        for (_, keys) in &mut self.doubts {
            keys.retain(|key| !mutation.objects.contains(key));
        }
        let (over, left): (Vec<_>, Vec<_>) = std::mem::take(&mut self.doubts)
            .into_iter()
            .partition(|(_, keys)| keys.is_empty());
        self.doubts = left;
        self.pending
            .ended
            .extend(over.into_iter().map(|(id, _)| (id, Ended::Void)));
    }

    /// It was sent, and it is not known whether it was carried out.
    pub(super) fn not_heard_of(&mut self, op: &Op, keys: &[String]) {
        for object in self.manifest.objects.iter_mut().filter(|o| keys.contains(&o.key)) {
            match op {
                Op::Update { applied } => {
                    let sent = applied.get(&object.key).filter(|sent| **sent != object.applied);
                    let new = sent.filter(|sent| !object.unheard_updates.contains(sent));
                    object.unheard_updates.extend(new.cloned());
                }
                Op::Serve {
                    serving: Serving::Paused,
                } => object.may_be_off = true,
                Op::Create | Op::Serve { .. } | Op::Remove | Op::Account { .. } => continue,
            }
            self.pending.manifest = true;
        }
    }

    /// Whatever earlier calls have switched on is off.
    pub(super) fn nothing_is_in_doubt(&mut self) {
        let over = std::mem::take(&mut self.doubts).into_iter();
        self.pending.ended.extend(over.map(|(id, _)| (id, Ended::Void)));
    }

    /// Switches off what is on by our own account, and what may be.
    pub(super) async fn switch_off_for_certain(&mut self) -> Result<(), Halt> {
        let mut there = self.manifest.clone();
        self.doubt(&mut there);
        loop {
            let account = self.session.account.clone();
            let mut mutations = self.tools.platform.next(Goal::Paused, &[], &there, &account);
            if mutations.is_empty() {
                return Ok(());
            }
            mutations.truncate(CALLS_AT_ONCE);
            mark(&mut there, &mutations, Serving::Paused);
            self.send(mutations).await?;
        }
    }

    /// Takes for on what may be.
    pub(super) fn doubt(&self, there: &mut Manifest) {
        let doubted = |o: &&mut RemoteObject| o.serving == Serving::Paused && self.may_be_on(&o.key);
        for object in there.objects.iter_mut().filter(doubted) {
            object.serving = Serving::Active;
        }
    }

    /// Finds out what every unfinished creation did, before anything else is done.
    pub(super) async fn resolve(&mut self) -> Result<(), Halt> {
        self.end_repeatable_calls();
        let unresolved: Vec<String> = self.manifest.unresolved().map(|o| o.key.clone()).collect();
        if unresolved.is_empty() {
            return Ok(());
        }
        if self.job.unknown_until.is_none() {
            // A crash between intent and outcome: the call may have ended only just now.
            self.pending.manifest = true;
            self.pending.settle = Some(self.settle());
            return Err(give_back(
                self.settle(),
                "an earlier call's outcome is not known; looking it up after the settle time",
            ));
        }
        if !self.job.may_look {
            return Err(give_back(
                self.settle(),
                "an earlier call's outcome is not known; the settle time is not over",
            ));
        }
        let found = self
            .tools
            .platform
            .find(&self.session, &self.manifest, &unresolved)
            .await;
        let found = found.map_err(|error| self.cannot_look(error))?;
        self.adopt(&unresolved, found).await
    }

    fn cannot_look(&self, error: CallError) -> Halt {
        match error {
            CallError::Refused(refusal) => fail(
                self.giving_up(),
                LegError {
                    platform_code: refusal.platform_code.clone(),
                    platform_message: refusal.platform_message.clone(),
                    ..LegError::new(
                        ErrorClass::Unknown,
                        "cannot-tell",
                        format!(
                            "whether an earlier call made something cannot be looked up: {}",
                            refusal.message
                        ),
                        "mend what keeps the look-up from working, then `retry`: nothing is made twice",
                    )
                },
            ),
            CallError::Unavailable { .. } | CallError::Unclear { .. } => self.read_failed(error),
        }
    }

    async fn adopt(&mut self, keys: &[String], found: Vec<Found>) -> Result<(), Halt> {
        let (mut oldest, mut surplus) = (Vec::new(), Vec::new());
        for key in keys {
            let mut candidates: Vec<&Found> = found.iter().filter(|f| f.key == *key).collect();
            candidates.sort_by_key(|f| (f.created_at, f.remote_id.len(), f.remote_id.clone()));
            let kind = self.manifest.get(key).map(|o| o.kind.clone()).unwrap_or_default();
            let mut candidates = candidates.into_iter().cloned();
            oldest.extend(candidates.next());
            surplus.extend(candidates.map(|f| (kind.clone(), f)));
        }
        self.record(
            "outcome.resolved",
            json!({
                "looked_for": keys,
                "found": found.iter().map(|f| json!([f.key, f.remote_id])).collect::<Vec<_>>(),
                "surplus": surplus.iter().map(|(_, f)| &f.remote_id).collect::<Vec<_>>(),
            }),
        );
        // While there are several, none is adopted: which children belong to which of them a look-up cannot tell. What goes takes
        // its own with it, and what is left is found again, whatever comes between.
        if !surplus.is_empty() {
            self.remove_surplus(surplus).await?;
            self.pending.manifest = true;
            self.pending.settle = Some(self.settle());
            return Err(give_back(
                self.settle(),
                "one request had made several; one of each is left, and it is looked up again",
            ));
        }
        for found in oldest {
            if let Some(object) = self.manifest.objects.iter_mut().find(|o| o.key == found.key) {
                object.state = ObjectState::Created;
                object.remote_id = Some(found.remote_id);
                if object.serving != Serving::None {
                    object.serving = found.serving;
                }
            }
        }
        self.manifest.revision += i64::from(!found.is_empty());
        self.pending.manifest = true;
        // What was not found may only not show yet: each object is looked for once more before it counts as not made.
        if self.manifest.unresolved().next().is_some() && self.looks + 1 < LOOKS {
            self.looks += 1;
            self.pending.settle = Some(self.settle() / 2);
            return Err(give_back(
                self.settle() / 2,
                "the look-up did not find everything; looking once more before trying again",
            ));
        }
        self.manifest.objects.retain(|o| o.state != ObjectState::Intended);
        let ended = if found.is_empty() {
            Ended::Void
        } else {
            Ended::Adopted
        };
        for (id, _) in std::mem::take(&mut self.job.open_mutations) {
            self.pending.ended.push((id, ended));
        }
        self.looks = 0;
        Ok(())
    }

    /// Several bear the name: the oldest is kept, the others go, if they are off and never spent.
    async fn remove_surplus(&mut self, surplus: Vec<(String, Found)>) -> Result<(), Halt> {
        for (kind, found) in surplus {
            if found.serving == Serving::Active || found.spent == Some(true) {
                return Err(fail(
                    self.giving_up(),
                    LegError::new(
                        ErrorClass::Unknown,
                        "duplicate-in-use",
                        format!(
                            "{kind} {} bears the same name and is on or has spent",
                            found.remote_id
                        ),
                        "decide by hand which one stays, then `retry`",
                    ),
                ));
            }
            let removal = self
                .tools
                .platform
                .removal(&kind, &found.remote_id, &self.session.account);
            self.send(vec![removal]).await?;
        }
        Ok(())
    }
}
