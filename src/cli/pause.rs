//! `pause` and `unpause`: the kill switch of a tenant.
//!
//! Must not do anything that was not shown and confirmed.

use super::output::{Output, count};
use super::{Failure, ask, user};
use crate::service::compose::Composer;
use crate::store::pause::{PauseView, Switch};
use crate::wiring::Wiring;
use clap::Args;
use serde_json::json;
use std::time::Duration;

/// A tenant, and the word that it is meant.
#[derive(Args)]
pub struct Pause {
    /// The tenant
    #[arg(long, value_name = "TENANT")]
    tenant: String,
    /// Why; recorded in the audit log
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Don't ask
    #[arg(long, short)]
    yes: bool,
    /// Wait until every campaign is switched, and say how far it has come
    #[arg(long)]
    wait: bool,
}

impl Pause {
    /// Switches everything of the tenant off, and keeps it off.
    pub async fn pause(self, wiring: &Wiring, output: &Output) -> Result<u8, Failure> {
        let counts = self.counts(wiring).await?;
        output.line(format!(
            "tenant {}: {} live, {} scheduled, {} being built or activated, {} waiting for the gate",
            output.bold(&self.tenant),
            counts.live,
            counts.scheduled,
            counts.moving,
            counts.waiting
        ));
        output.line("Everything that is on is switched off on its platform and remembered; nothing new is launched or");
        output.line("changed until `unpause`. Campaigns that somebody has paused by hand stay as they are.");
        ask::confirm(self.yes, &format!("Pause tenant {}?", self.tenant))?;
        let switched = wiring.store.pause(&Composer, &self.switch(wiring)).await?;
        let now = self.now(wiring).await?;
        if switched.changed {
            output.line(format!(
                "tenant {} is paused; being switched off: {}",
                self.tenant,
                count(switched.legs, "campaign")
            ));
        } else {
            output.line(format!(
                "tenant {} is paused already{}",
                self.tenant,
                since(now.as_ref())
            ));
        }
        self.follow(wiring, output).await?;
        let now = self.now(wiring).await?;
        output.json(&json!({ "tenant_id": self.tenant, "paused": true, "changed": switched.changed, "legs": switched.legs, "now": now }));
        if !self.wait && switched.legs > 0 {
            output.line("  `campaign-execution status` shows when they are off");
        }
        Ok(0)
    }

    /// Switches on again what the pause switched off.
    pub async fn unpause(self, wiring: &Wiring, output: &Output) -> Result<u8, Failure> {
        self.counts(wiring).await?;
        let now = self.now(wiring).await?;
        if let Some(pause) = now.as_ref().filter(|p| p.since.is_some()) {
            output.line(format!(
                "tenant {} is paused{}; off for it: {}",
                output.bold(&self.tenant),
                since(now.as_ref()),
                count(pause.held + pause.holding, "campaign")
            ));
            output.line("Exactly those are switched on again. What was rolled back, ended, or paused by somebody else stays off.");
            ask::confirm(self.yes, &format!("Lift the pause of tenant {}?", self.tenant))?;
        }
        let switched = wiring.store.unpause(&Composer, &self.switch(wiring)).await?;
        output.line(if switched.changed {
            format!(
                "the pause of tenant {} is lifted; being switched on again: {}",
                self.tenant,
                count(switched.legs, "campaign")
            )
        } else {
            format!("tenant {} is not paused", self.tenant)
        });
        self.follow(wiring, output).await?;
        let now = self.now(wiring).await?;
        output.json(&json!({ "tenant_id": self.tenant, "paused": false, "changed": switched.changed, "legs": switched.legs, "now": now }));
        Ok(0)
    }

    fn switch(&self, wiring: &Wiring) -> Switch {
        Switch {
            tenant_id: self.tenant.clone(),
            by: format!("cli:{}", user()),
            reason: self.reason.clone().unwrap_or_default(),
            now: wiring.clock.stamp(),
        }
    }

    async fn counts(&self, wiring: &Wiring) -> Result<crate::store::views::TenantCounts, Failure> {
        wiring.store.tenant_counts(&self.tenant).await?.ok_or_else(|| {
            Failure::not_found(format!("there is no tenant {}", self.tenant))
                .hint("`campaign-execution tenant list` lists those there are")
        })
    }

    async fn now(&self, wiring: &Wiring) -> Result<Option<PauseView>, Failure> {
        let all = wiring.store.pauses().await?;
        Ok(all.into_iter().find(|p| p.tenant_id == self.tenant))
    }

    /// Says how far it has come, until nothing is left to be switched.
    async fn follow(&self, wiring: &Wiring, output: &Output) -> Result<(), Failure> {
        if !self.wait {
            return Ok(());
        }
        let mut said = None;
        loop {
            let left = self.now(wiring).await?.map_or(0, |p| p.holding + p.releasing);
            if left == 0 {
                output.line("all of them are switched");
                return Ok(());
            }
            if said != Some(left) {
                output.line(format!("  {left} to go"));
                said = Some(left);
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
}

fn since(pause: Option<&PauseView>) -> String {
    let Some(PauseView {
        since: Some(since),
        by: Some(by),
        reason,
        ..
    }) = pause
    else {
        return String::new();
    };
    let why = reason
        .as_deref()
        .filter(|r| !r.is_empty())
        .map(|r| format!(": {r}"));
    format!(
        " since {} by {by}{}",
        super::status::time(*since),
        why.unwrap_or_default()
    )
}

/// A pause in one line, for `status` and `doctor`.
#[must_use]
pub fn line(pause: &PauseView) -> String {
    let moving = match (pause.holding, pause.releasing) {
        (0, 0) => String::new(),
        (holding, 0) => format!(", {holding} still being switched off"),
        (_, releasing) => format!(", {releasing} still being switched on"),
    };
    let why = pause
        .last_error
        .as_ref()
        .map(|e| format!(" ({e})"))
        .unwrap_or_default();
    if pause.since.is_some() {
        format!(
            "tenant {} is paused{}; off: {}{moving}{why}",
            pause.tenant_id,
            since(Some(pause)),
            count(pause.held, "campaign")
        )
    } else {
        format!("the pause of tenant {} is lifted{moving}{why}", pause.tenant_id)
    }
}
