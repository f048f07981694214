//! A leg under its tenant's pause: switched off, and on again exactly as it was.
//!
//! Which objects are turned off is committed with the intent that does it, so that a crash in between does not make our own
//! pause look like somebody else's. Must not turn anything on that a hold has not turned off.

use super::{Drive, Halt, Pending, give_back};
use crate::domain::hold::{self, Hold};
use crate::domain::manifest::{Manifest, ObjectState, Serving};
use crate::domain::saga::{CommandKind, LegState};
use crate::platform::{Goal, Mutation, Reading};
use crate::service::backoff;
use crate::store::progress::Then;
use serde_json::json;
use std::time::Duration;

/// How soon an undo that a pause keeps from removing is tried again.
const REMOVE_AGAIN: Duration = Duration::from_secs(30);

impl Drive {
    /// Hold and release, and what a pause has caught up with; none: the command goes its usual way.
    pub(super) async fn under_the_switch(&mut self) -> Option<Result<Then, Halt>> {
        match self.job.kind {
            CommandKind::Hold => Some(self.hold().await),
            CommandKind::Release => Some(self.release().await),
            CommandKind::Build | CommandKind::Activate if self.job.paused => Some(self.hold_back().await),
            // What a change finds off for a pause stays written down until it is on again.
            CommandKind::Build if self.amends() => None,
            CommandKind::Build | CommandKind::Activate | CommandKind::Undo | CommandKind::Retire => {
                // Its own way is its own account of what is on.
                self.pending.manifest |= self.held.take().is_some_and(|held| !held.is_empty());
                None
            }
        }
    }

    async fn hold(&mut self) -> Result<Then, Halt> {
        if self.job.hold != Some(Hold::Holding) {
            return Ok(Then::Close { report: "superseded" });
        }
        self.switch_off().await?;
        self.pending.hold = Some((Hold::Holding, Some(Hold::Held)));
        Ok(Then::Close { report: "held" })
    }

    /// A build or activation of a paused tenant: what is on goes off, and it waits for the end of the pause.
    async fn hold_back(&mut self) -> Result<Then, Halt> {
        self.switch_off().await?;
        self.pending.hold = Some((Hold::Holding, Some(Hold::Held)));
        Err(self.paused())
    }

    /// Turns off what is on. What somebody else has turned off before is left out, and so stays off for good.
    async fn switch_off(&mut self) -> Result<(), Halt> {
        self.end_repeatable_calls();
        if self.manifest.existing().next().is_none() {
            return Ok(());
        }
        let mut there = self.manifest.clone();
        self.doubt(&mut there);
        let looked = self
            .tools
            .platform
            .read(&self.session, &self.manifest)
            .await
            .map(|reading| self.see(&mut there, &reading));
        loop {
            let account = self.session.account.clone();
            let mutations = self.tools.platform.next(Goal::Paused, &[], &there, &account);
            if mutations.is_empty() {
                break;
            }
            self.remember(&mutations);
            mark(&mut there, &mutations, Serving::Paused);
            self.send(mutations).await?;
        }
        // The platform cannot be asked: money comes first, and what is on by our own account goes off unseen.
        let unseen = looked.err().map(|error| error.to_string());
        let detail = json!({ "objects": self.held, "not_seen_first": unseen });
        self.pending.manifest = true;
        self.record("leg.held", detail);
        Ok(())
    }

    /// Takes over from the platform what is on and what is off. What we turned off in an earlier try is ours.
    fn see(&mut self, there: &mut Manifest, reading: &Reading) {
        for object in &mut there.objects {
            let Some(seen) = reading.objects.iter().find(|s| s.key == object.key) else {
                continue;
            };
            // What may have been switched on may show so only later.
            if self.may_be_on(&object.key) {
                continue;
            }
            if object.serving != Serving::None && seen.serving != Serving::None {
                object.serving = seen.serving;
            }
            let ours = self.held.as_ref().is_some_and(|held| held.contains(&object.key));
            if ours && seen.serving == Serving::Paused {
                set(&mut self.manifest, &object.key, Serving::Paused);
            }
        }
    }

    fn remember(&mut self, mutations: &[Mutation]) {
        let held = self.held.get_or_insert_default();
        for key in mutations.iter().flat_map(|m| &m.objects) {
            if !held.contains(key) {
                held.push(key.clone());
            }
        }
    }

    async fn release(&mut self) -> Result<Then, Halt> {
        if self.job.hold != Some(Hold::Releasing) {
            return Ok(Then::Close { report: "superseded" });
        }
        self.end_repeatable_calls();
        let held = self.held.clone().unwrap_or_default();
        let state = self.job.leg_state;
        let stays_off = if !hold::comes_back(state) {
            Some(format!("it is {} by now", state.as_str()))
        } else if held.is_empty() {
            Some("it was off before the pause".to_owned())
        } else if self.over() {
            Some("its flight is over".to_owned())
        } else {
            None
        };
        let mut restored = Vec::new();
        if stays_off.is_none() {
            restored = self.switch_on(&held).await?;
        }
        self.held = None;
        self.pending.manifest = self.job.manifest.is_some();
        self.pending.hold = Some((Hold::Releasing, None));
        self.record(
            "leg.released",
            json!({ "objects": restored, "stays_off": stays_off }),
        );
        Ok(Then::Close { report: "released" })
    }

    /// A change of what was off for a pause that is over: first the change, or nothing would be gained by making it in the pause; then,
    /// whatever came of that (refused, or it waits for something), on again as it was.
    pub(super) async fn on_as_before(&mut self, went: &Result<Then, Halt>) -> Result<(), Halt> {
        let lost = matches!(went, Err(Halt::NotOurs(_))) || self.yields;
        let Some(held) = self
            .held
            .clone()
            .filter(|_| self.amends() && !lost && !self.job.paused)
        else {
            return Ok(());
        };
        let restored = match self.over() {
            true => Ok(Vec::new()),
            false => self.switch_on(&held).await,
        };
        // As a release does, it goes on until the platform lets it.
        let restored = restored.map_err(|halt| self.again(halt))?;
        self.held = None;
        self.pending.manifest = true;
        self.record("leg.released", json!({ "objects": restored, "stays_off": null }));
        Ok(())
    }

    /// It changes a campaign that is there.
    fn amends(&self) -> bool {
        self.job.kind == CommandKind::Build && self.job.leg_state == LegState::Amending
    }

    /// Its flight has ended.
    fn over(&self) -> bool {
        let end = self.job.spec.campaign.schedule.end;
        end.is_some_and(|end| end <= self.tools.clock.now())
    }

    /// Turns on again what the hold turned off and what is still there and off; which objects those were.
    async fn switch_on(&mut self, held: &[String]) -> Result<Vec<String>, Halt> {
        let reading = self.read().await?;
        let mut there = self.manifest.clone();
        for object in &mut there.objects {
            let seen = reading.objects.iter().find(|s| s.key == object.key);
            match seen {
                Some(_) if object.serving == Serving::None => {}
                // Our own switching off may show only later.
                Some(_) if held.contains(&object.key) && object.may_be_off => {
                    object.serving = Serving::Paused
                }
                Some(seen) if held.contains(&object.key) => object.serving = seen.serving,
                // Not ours to turn on: as if it were.
                Some(_) => object.serving = Serving::Active,
                None if object.state == ObjectState::Created => object.state = ObjectState::Removed,
                None => {}
            }
        }
        for key in held {
            if there.get(key).is_some_and(|o| o.serving == Serving::Active) {
                set(&mut self.manifest, key, Serving::Active);
            }
        }
        let mut restored = Vec::new();
        loop {
            let account = self.session.account.clone();
            let mutations = self.tools.platform.next(Goal::Active, &[], &there, &account);
            if mutations.is_empty() {
                return Ok(restored);
            }
            restored.extend(mutations.iter().flat_map(|m| m.objects.iter().cloned()));
            mark(&mut there, &mutations, Serving::Active);
            self.send(mutations).await?;
        }
    }

    /// The tenant is paused, and nothing more may be sent: the command waits, and what was about to be made was not.
    pub(super) fn paused(&mut self) -> Halt {
        self.yields = true;
        let after = match self.job.kind {
            CommandKind::Undo | CommandKind::Retire => REMOVE_AGAIN,
            CommandKind::Build | CommandKind::Activate | CommandKind::Hold | CommandKind::Release => {
                Duration::ZERO
            }
        };
        give_back(after, "the tenant is paused; it goes on when the pause is lifted")
    }

    /// Intents that were not committed for a pause.
    pub(super) fn unsent(&mut self, mutations: &[Mutation]) -> Halt {
        self.manifest.mutation_count -= i64::try_from(mutations.len()).unwrap_or(i64::MAX);
        for mutation in mutations {
            self.forget_intents(mutation);
        }
        self.paused()
    }

    /// A hold or release never gives up, nor does what a pause has caught up with: a refusal is tried again for as long as the
    /// pause (or its end) stands.
    pub(super) fn never_give_up(&self, halt: Halt) -> Halt {
        let by_the_switch = match self.job.kind {
            CommandKind::Hold | CommandKind::Release => true,
            CommandKind::Build | CommandKind::Activate => self.job.paused,
            CommandKind::Undo | CommandKind::Retire => false,
        };
        if by_the_switch { self.again(halt) } else { halt }
    }

    /// A refusal is no end: later once more.
    fn again(&self, halt: Halt) -> Halt {
        match halt {
            Halt::With(Then::Finish {
                error: Some(error), ..
            }) => give_back(
                backoff::delay(self.job.attempts, None),
                format!("{}; {}", error.message, error.remedy),
            ),
            halt @ (Halt::With(_) | Halt::NotOurs(_)) => halt,
        }
    }
}

/// What a save that a pause barred had still to say: everything but what is written in any case.
pub(super) fn kept_back(pending: &Pending) -> Pending {
    Pending {
        // Not written where it means something only together with the manifest.
        ended: pending.ended.clone(),
        records: Vec::new(),
        manifest: true,
        settle: pending.settle,
        spec_applied: pending.spec_applied,
        facts: pending.facts.clone(),
        hold: pending.hold,
        finding: None,
    }
}

fn set(manifest: &mut Manifest, key: &str, serving: Serving) {
    for object in manifest.objects.iter_mut().filter(|o| o.key == key) {
        object.serving = serving;
    }
}

pub(super) fn mark(manifest: &mut Manifest, mutations: &[Mutation], serving: Serving) {
    for key in mutations.iter().flat_map(|m| &m.objects) {
        set(manifest, key, serving);
    }
}
