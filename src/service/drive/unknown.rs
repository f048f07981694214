//! Unknown outcomes: a call may have been made, or not. They leave only by a look-up (design §4).
//!
//! Must not send anything again before the look-ups are done, and must not keep two of what there should be one of.

use super::{Drive, Halt, fail, give_back};
use crate::domain::error::{ErrorClass, LegError};
use crate::domain::manifest::{ObjectState, Serving};
use crate::platform::{CallError, Found};
use crate::store::progress::Ended;
use serde_json::{Value, json};

/// How many look-ups must find nothing before an object counts as not made.
pub(super) const LOOKS: i32 = 2;

impl Drive {
    /// Calls that only set something need no look-up: the same values again change nothing.
    pub(super) fn end_repeatable_calls(&mut self) {
        for (id, request) in std::mem::take(&mut self.job.open_mutations) {
            let repeatable = request.pointer("/op/op").and_then(Value::as_str) != Some("create");
            if repeatable {
                self.pending.ended.push((id, Ended::Void));
            } else {
                // Ends as the look-up says; until then it stays open.
                self.job.open_mutations.push((id, request));
            }
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
        let mut surplus = Vec::new();
        for key in keys {
            let mut candidates: Vec<&Found> = found.iter().filter(|f| f.key == *key).collect();
            candidates.sort_by_key(|f| (f.created_at, f.remote_id.len(), f.remote_id.clone()));
            let Some((oldest, others)) = candidates.split_first() else {
                continue;
            };
            if let Some(object) = self.manifest.objects.iter_mut().find(|o| o.key == *key) {
                object.state = ObjectState::Created;
                object.remote_id = Some(oldest.remote_id.clone());
                if object.serving != Serving::None {
                    object.serving = oldest.serving;
                }
                surplus.extend(others.iter().map(|f| (object.kind.clone(), (*f).clone())));
            }
        }
        self.record(
            "outcome.resolved",
            json!({
                "looked_for": keys,
                "found": found.iter().map(|f| json!([f.key, f.remote_id])).collect::<Vec<_>>(),
                "surplus": surplus.iter().map(|(_, f)| &f.remote_id).collect::<Vec<_>>(),
            }),
        );
        self.manifest.revision += i64::from(!found.is_empty());
        self.pending.manifest = true;
        // What was not found may only not show yet: each object is looked for once more before it counts as not made.
        if self.manifest.unresolved().next().is_some() && self.looks + 1 < LOOKS {
            self.looks += 1;
            self.pending.settle = Some(self.settle() / 2);
            self.remove_surplus(surplus).await?;
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
        self.remove_surplus(surplus).await
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
