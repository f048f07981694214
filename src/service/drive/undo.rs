//! Undoing a leg, in two halves: off, and when all of its version are, removed if it never spent.
//!
//! A platform's quota is spent on switching off first: between the halves the command is given back, so that no removal goes before
//! another leg's pause. What the manifest says is off is looked at: an activation whose outcome nobody knows, or a stranger's hand,
//! may have switched it on. Must not remove what may have spent, nor anything while a leg of the version may be on.

use super::{Drive, Halt, give_back, wait_for};
use crate::domain::manifest::Serving;
use crate::domain::saga::{CommandKind, Report};
use crate::platform::{Goal, Reading};
use crate::service::backoff;
use crate::store::StoreError;
use crate::store::progress::{Then, Wait};
use serde_json::json;
use std::time::Duration;

/// How soon a leg that is off looks whether the others are, if nobody tells it.
const LOOK_FIRST: Duration = Duration::from_secs(60);
const LOOK_LAST: Duration = Duration::from_secs(600);

impl Drive {
    /// What is on by our own account and has to go off goes off before anything else is asked; whether there was any.
    pub(super) async fn off_first(&mut self) -> Result<bool, Halt> {
        if !matches!(self.job.kind, CommandKind::Undo | CommandKind::Retire) {
            return Ok(false);
        }
        self.end_repeatable_calls();
        if self.job.off {
            // It was seen off, for certain: what an earlier call may have done is over. Asked again of a campaign that is removed
            // meanwhile, the platform would refuse it, each time.
            self.nothing_is_in_doubt();
        }
        let sent = self.manifest.mutation_count;
        self.switch_off_for_certain().await?;
        Ok(self.manifest.mutation_count > sent)
    }

    pub(super) async fn undo(&mut self, switched_off: bool) -> Result<Then, Halt> {
        if self.manifest.existing().next().is_none() {
            return Ok(UNDONE);
        }
        if !self.job.off {
            if !switched_off {
                self.off_if_found_on().await?;
            }
            return Err(self.wait_for_the_others());
        }
        let others = self.tools.undoes.others_may_be_on(self.job.leg_id).await;
        if others.map_err(|error| self.not_told(&error))? {
            return Err(self.wait_for_the_others());
        }
        if self.job.adopted {
            // Off, and given back as it is to the version it was taken over from.
            return Ok(UNDONE);
        }
        let reading = self.off_if_found_on().await?;
        if reading.spent == Some(false) || self.half_removed().await? {
            self.reach(Goal::Removed, &[]).await?;
        } else {
            self.record(
                "undo.kept_paused",
                json!({ "spent": reading.spent, "why": "only what never spent is removed" }),
            );
        }
        Ok(UNDONE)
    }

    /// A removal that was cut short goes on: what is left of a campaign may no longer tell whether it spent.
    async fn half_removed(&self) -> Result<bool, Halt> {
        let begun = self.tools.undoes.removal_has_begun(self.job.leg_id).await;
        begun.map_err(|error| self.not_told(&error))
    }

    fn not_told(&self, error: &StoreError) -> Halt {
        give_back(backoff::delay(self.job.attempts, None), error.to_string())
    }

    /// Switches off what the platform shows switched on.
    async fn off_if_found_on(&mut self) -> Result<Reading, Halt> {
        let reading = self.read().await?;
        if self.found_on(&reading) {
            self.reach(Goal::Paused, &[]).await?;
        }
        Ok(reading)
    }

    /// Takes over what the platform shows switched on and the manifest does not; whether there was any.
    fn found_on(&mut self, reading: &Reading) -> bool {
        let on: Vec<&str> = reading
            .objects
            .iter()
            .filter(|seen| seen.serving == Serving::Active)
            .map(|seen| seen.key.as_str())
            .collect();
        let mut found = Vec::new();
        for object in self
            .manifest
            .objects
            .iter_mut()
            .filter(|o| o.serving == Serving::Paused && on.contains(&o.key.as_str()))
        {
            object.serving = Serving::Active;
            found.push(object.key.clone());
        }
        if found.is_empty() {
            return false;
        }
        self.pending.manifest = true;
        self.record("undo.found_on", json!({ "objects": found }));
        true
    }

    fn wait_for_the_others(&self) -> Halt {
        wait_for(
            Wait::Pauses,
            backoff::poll(self.polls(Wait::Pauses), LOOK_FIRST, LOOK_LAST),
            "it is off; nothing is removed before all of this version is",
        )
    }
}

const UNDONE: Then = Then::Finish {
    report: Report::Undone,
    error: None,
};
