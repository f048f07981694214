//! A message that came again and finds nothing to do in the record: what the platforms hold is compared with it, and a person
//! is told of what differs.
//!
//! Once for however many messages, not more often than every ten minutes per execution, and again by itself, ever more seldom, as
//! long as something differs or a platform does not answer. Must not send a mutation: whoever removed something may have
//! meant it, so what is missing is made again only by a person's word (`drift --mend`, `replay --mode reconcile`).

use super::compose::Composer;
use super::drift::{Difference, Drift, Looked, Told};
use super::poke::Pokes;
use crate::clock::SharedClock;
use crate::store::checks::{CheckFound, CheckJob, detail};
use crate::store::{Store, StoreError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often it looks whether anything is due.
const TICK: Duration = Duration::from_secs(1);
/// Executions compared in one step, one after the other: launches come first.
const BATCH: i64 = 4;
/// How long one comparison may take before another instance takes it up.
const LEASE: Duration = Duration::from_secs(300);
/// The first look after one that did not end it.
const FIRST: Duration = Duration::from_secs(600);
/// And the most that is waited.
const LAST: Duration = Duration::from_secs(6 * 3600);
/// Differences that a touchpoint names.
const NAMED: usize = 2;

/// Compares what was asked about again.
pub struct Checks {
    /// The truth.
    pub store: Store,
    /// Who reads the platforms.
    pub drift: Drift,
    /// For the audit log.
    pub clock: SharedClock,
    /// Whom it rings.
    pub pokes: Pokes,
}

impl Checks {
    /// Compares until stopped.
    pub async fn run(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let done = tokio::select! {
                done = self.step() => done,
                () = stop.cancelled() => return,
            };
            if let Err(error) = &done {
                tracing::warn!(error = %error, "couldn't compare with the platforms; trying again");
            }
            if done.is_ok_and(|done| done > 0) {
                continue;
            }
            tokio::select! {
                () = tokio::time::sleep(TICK) => {}
                () = stop.cancelled() => {}
            }
        }
    }

    /// Compares what is due; how many executions that were.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn step(&self) -> Result<usize, StoreError> {
        let jobs = self.store.lease_checks(BATCH, LEASE).await?;
        for job in &jobs {
            let looked = self.drift.look(job.execution_id).await?;
            let found = judge(job, &looked);
            let stamp = self.clock.stamp();
            if self.store.record_check(&Composer, job, &found, &stamp).await? {
                tracing::info!(
                    plan_version = job.plan_version,
                    tenant = job.tenant_id,
                    differs = found.ask.is_some(),
                    "compared with the platforms"
                );
                self.pokes.relay.notify_one();
            }
        }
        Ok(jobs.len())
    }
}

/// What a look amounts to.
fn judge(job: &CheckJob, looked: &[Looked]) -> CheckFound {
    let (mut differing, mut silent, mut gone) = (Vec::new(), Vec::new(), false);
    for leg in looked {
        let place = format!("{}/{}", leg.platform, leg.logical_campaign_key);
        match &leg.told {
            Told::Same | Told::NotMade => {}
            Told::Silent { why } => silent.push(format!("{place}: {why}")),
            Told::Differs { differences } => {
                gone |= differences.iter().any(|d| matches!(d, Difference::Gone { .. }));
                differing.extend(differences.iter().map(|d| format!("{place}: {}", d.words())));
                // The newest is first; older ones are in `drift`.
                differing.extend(leg.changes.first().map(|change| {
                    let by = change.by.as_deref().unwrap_or("somebody");
                    format!(
                        "{place}: last changed by {by}, {}",
                        change.at.format("%Y-%m-%d %H:%M UTC")
                    )
                }));
            }
        }
    }
    let ask = (!differing.is_empty()).then(|| ask(job, &differing, gone));
    let unfinished = ask.is_some() || !silent.is_empty();
    CheckFound {
        ask,
        detail: detail(looked.len(), &differing, &silent),
        again_in: unfinished.then(|| super::backoff::poll(job.tries, FIRST, LAST)),
        complete: silent.is_empty(),
    }
}

/// What a person is told.
fn ask(job: &CheckJob, differing: &[String], gone: bool) -> String {
    let named = differing.get(..NAMED).unwrap_or(differing).join("; ");
    let more = match differing.len().checked_sub(NAMED) {
        Some(more @ 1..) => format!("; and {more} more"),
        Some(0) | None => String::new(),
    };
    let (version, tenant) = (&job.plan_version, &job.tenant_id);
    let mend = if gone {
        format!("; `drift {version} --tenant {tenant} --mend` makes again what was removed, after asking")
    } else {
        String::new()
    };
    let text = format!(
        "somebody changed on the platform what we made: {named}{more}. `campaign-execution drift {version} --tenant {tenant}` shows \
         all of it{mend}; what was changed by hand stays until it is changed back there, amended or rolled back"
    );
    text.chars().filter(|c| !c.is_control()).take(4000).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn looked(told: Told) -> Looked {
        Looked {
            leg_id: 1,
            platform: "meta".to_owned(),
            logical_campaign_key: "k".to_owned(),
            state: "live".to_owned(),
            campaign_id: None,
            told,
            changes: Vec::new(),
        }
    }

    #[test]
    fn what_differs_is_asked_about_and_what_was_not_seen_resolves_nothing() {
        let job = CheckJob {
            execution_id: 1,
            tenant_id: "acme".to_owned(),
            plan_version: "v.1".to_owned(),
            lease: chrono::DateTime::UNIX_EPOCH,
            revision: 1,
            tries: 0,
        };
        let same = judge(&job, &[looked(Told::Same), looked(Told::NotMade)]);
        assert!(same.ask.is_none() && same.again_in.is_none() && same.complete);
        let silent = judge(
            &job,
            &[
                looked(Told::Same),
                looked(Told::Silent {
                    why: "503".to_owned(),
                }),
            ],
        );
        assert!(silent.ask.is_none() && silent.again_in.is_some() && !silent.complete);
        let field = Difference::Field {
            object: "campaign".to_owned(),
            field: "name".to_owned(),
            ours: json!("a"),
            theirs: json!("b"),
        };
        let gone = Difference::Gone {
            object: "campaign".to_owned(),
            remote_id: "7".to_owned(),
        };
        let asked = |differences| {
            judge(&job, &[looked(Told::Differs { differences })])
                .ask
                .expect("a text")
        };
        let changed = asked(vec![field.clone()]);
        assert!(
            changed.contains("meta/k: campaign.name") && !changed.contains("--mend"),
            "{changed}"
        );
        assert!(asked(vec![field, gone.clone()]).contains("drift v.1 --tenant acme --mend"));
        assert!(asked(vec![gone; 20]).contains("and 18 more"));
    }
}
