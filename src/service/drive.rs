//! One leased command, from its first look at the manifest to its report.
//!
//! The order is the safety: what is unknown is looked up first; what is about to be made is committed before the call;
//! what a call came to is committed before anything follows from it (together with the next intent, so that a step costs
//! one commit). Must not send a mutation that was not committed, nor anything after a save was refused.

use crate::clock::SharedClock;
use crate::domain::error::{ErrorClass, LegError};
use crate::domain::manifest::{Desired, Manifest, ObjectState, RemoteObject, Serving};
use crate::domain::saga::{CommandKind, Report};
use crate::domain::tracking;
use crate::outbound::pace::Pace;
use crate::platform::{
    AccountFacts, CallError, Done, Eligibility, Found, Goal, Mutation, Op, Platform, Reading, Session,
};
use crate::service::backoff;
use crate::service::committer::{Committer, NotSaved};
use crate::store::audit::{Entry, Record};
use crate::store::commands::Job;
use crate::store::progress::{Ended, ManifestSave, Save, Then};
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

/// How many calls one leg makes at the same time.
const CALLS_AT_ONCE: usize = 8;
/// How many look-ups must find nothing before an object counts as not made.
const LOOKS: i32 = 2;
/// How long a lease must outlive a call's deadline.
pub const MARGIN: Duration = Duration::from_secs(2);
/// How often a built leg is read again before what is missing there counts as missing.
const READ_BACK_TRIES: i32 = 8;
/// How soon a leg in the platform's review is looked at again.
const REVIEW_POLL: Duration = Duration::from_secs(30);
/// Bodies up to this size are kept in the audit log as they were sent; of larger ones, size and hash.
const AUDITED_BODY: usize = 8 * 1024;

/// What driving needs besides the command.
#[derive(Clone)]
pub struct Tools {
    /// The platform.
    pub platform: Arc<dyn Platform>,
    /// Commits steps.
    pub committer: Committer,
    /// For the audit log.
    pub clock: SharedClock,
}

/// Why driving ends early: not an error of the leg.
enum Halt {
    /// This is what becomes of the command.
    With(Then),
    /// The step was not saved: another worker has the command, or the database is away. Touch nothing more.
    NotOurs(NotSaved),
}

impl From<NotSaved> for Halt {
    fn from(error: NotSaved) -> Self {
        Self::NotOurs(error)
    }
}

fn give_back(after: Duration, why: impl Into<String>) -> Halt {
    Halt::With(Then::GiveBack {
        after,
        why: why.into(),
    })
}

fn fail(report: Report, error: LegError) -> Halt {
    Halt::With(Then::Finish {
        report,
        error: Some(Box::new(error)),
    })
}

/// What is not committed yet.
#[derive(Default)]
struct Pending {
    ended: Vec<(Uuid, Ended)>,
    records: Vec<Record>,
    manifest: bool,
    settle: Option<Duration>,
    spec_applied: bool,
    facts: Option<AccountFacts>,
}

/// A command being driven.
pub struct Drive {
    tools: Tools,
    session: Session,
    job: Job,
    manifest: Manifest,
    looks: i32,
    pending: Pending,
}

impl Drive {
    /// Takes the command on. Nothing happens before [`Drive::run`].
    #[must_use]
    pub fn new(tools: Tools, session: Session, job: Job) -> Self {
        let manifest = job.manifest.clone().unwrap_or_else(|| Manifest {
            leg: job.spec.key.clone(),
            account_id: session.account.account_id.clone(),
            campaign_name: job.spec.campaign_name.clone(),
            revision: 0,
            mutation_count: 0,
            tracking_mode: None,
            objects: Vec::new(),
        });
        Self {
            tools,
            session,
            looks: job.looks,
            job,
            manifest,
            pending: Pending::default(),
        }
    }

    /// Drives the command until it is finished, given back, or lost.
    ///
    /// # Errors
    /// [`NotSaved`] when the lease was lost or the database went away: whoever leases the command next goes on from what is
    /// committed.
    pub async fn run(mut self) -> Result<Then, NotSaved> {
        let halt = match self.go().await {
            Ok(then) => Halt::With(then),
            Err(halt) => halt,
        };
        match halt {
            Halt::With(then) => {
                self.save(Vec::new(), Duration::ZERO, then.clone()).await?;
                Ok(then)
            }
            Halt::NotOurs(error) => Err(error),
        }
    }

    async fn go(&mut self) -> Result<Then, Halt> {
        if let Some(then) = self.belated() {
            return Ok(then);
        }
        if self.manifest.account_id != self.session.account.account_id {
            return Err(fail(
                self.giving_up(),
                LegError::new(
                    ErrorClass::Account,
                    "account-changed",
                    format!(
                        "the leg was begun in account {}, the tenant's account is now {}",
                        self.manifest.account_id, self.session.account.account_id
                    ),
                    "onboard the tenant with the former account, or roll this plan version back there by hand",
                ),
            ));
        }
        let _turn = self.turn().await?;
        self.resolve().await?;
        match self.job.kind {
            CommandKind::Build => self.build().await,
            CommandKind::Activate => self.activate().await,
            CommandKind::Undo => self.undo().await,
            CommandKind::Retire => self.retire().await,
        }
    }

    /// A command for a leg that has moved on (the command came twice, its first copy did the work).
    fn belated(&self) -> Option<Then> {
        let expected = self.job.leg_state.in_flight() == Some(self.job.kind);
        (!expected).then_some(Then::Finish {
            report: match self.job.kind {
                CommandKind::Build => Report::Built,
                CommandKind::Activate => Report::Scheduled,
                CommandKind::Undo => Report::Undone,
                CommandKind::Retire => Report::Retired,
            },
            error: None,
        })
    }

    /// Waits for its turn on the account: no more legs at once than the platform's quota feeds, so that no call waits in a
    /// queue past its lease. The lease is renewed meanwhile. An undo never waits: it stops what spends.
    async fn turn(&mut self) -> Result<Option<OwnedSemaphorePermit>, Halt> {
        if self.job.kind == CommandKind::Undo {
            return Ok(None);
        }
        let pace = self.pace();
        loop {
            Self::not_held(&pace)?;
            match tokio::time::timeout(self.session.deadline, pace.turn()).await {
                Ok(turn) => {
                    Self::not_held(&pace)?;
                    return Ok(turn);
                }
                Err(_) => self.save(Vec::new(), Duration::ZERO, Then::Continue).await?,
            }
        }
    }

    /// While the platform's own word holds the account, nothing is begun.
    fn not_held(pace: &Pace) -> Result<(), Halt> {
        match pace.held() {
            Some(held) if held > MARGIN => Err(give_back(held, "the platform has asked for a pause")),
            Some(_) | None => Ok(()),
        }
    }

    fn pace(&self) -> Arc<Pace> {
        let platform = &self.tools.platform;
        self.session.pace(platform.name(), platform.quota())
    }

    fn giving_up(&self) -> Report {
        match self.job.kind {
            CommandKind::Build | CommandKind::Activate => Report::Failed,
            CommandKind::Undo | CommandKind::Retire => Report::UndoFailed,
        }
    }

    async fn facts(&self) -> Result<AccountFacts, Halt> {
        if let Some(facts) = self
            .job
            .facts
            .clone()
            .and_then(|v| serde_json::from_value(v).ok())
        {
            return Ok(facts);
        }
        self.tools
            .platform
            .probe(&self.session)
            .await
            .map_err(|error| self.read_failed(error))
    }

    /// A read or look-up did not work: later, or never.
    fn read_failed(&self, error: CallError) -> Halt {
        match error {
            CallError::Refused(refusal) => fail(self.giving_up(), *refusal),
            CallError::Unavailable { why, after } => give_back(backoff::delay(self.job.attempts, after), why),
            CallError::Unclear { why } => give_back(backoff::delay(self.job.attempts, None), why),
        }
    }

    // ---- build -----------------------------------------------------------------------------------------------------

    async fn build(&mut self) -> Result<Then, Halt> {
        let facts = self.facts().await?;
        if let Some(problem) = facts.problems.first() {
            return Err(fail(Report::Failed, problem.clone()));
        }
        let account = self.session.account.clone();
        for mutation in self.tools.platform.account_mutations(&account, &facts) {
            self.send(vec![mutation]).await?;
            // What we have just set need not be set again by the next leg.
            let now = AccountFacts {
                auto_tagging: facts.auto_tagging.map(|_| true),
                ..facts.clone()
            };
            self.pending.facts = Some(now);
        }
        let desired = self
            .tools
            .platform
            .desire(&self.job.spec, &account, &facts)
            .map_err(|error| fail(Report::Failed, *error))?;
        self.reach(Goal::Built, &desired).await?;
        self.verify(&desired).await
    }

    /// Reads back what the platform really holds and checks that.
    async fn verify(&mut self, desired: &[Desired]) -> Result<Then, Halt> {
        let reading = self.read().await?;
        for wanted in desired {
            let Some(seen) = reading.objects.iter().find(|o| o.key == wanted.key) else {
                let what = format!("the platform does not show {} yet", wanted.key);
                if self.job.attempts < READ_BACK_TRIES {
                    return Err(give_back(self.settle() / 2, what));
                }
                return Err(fail(
                    Report::Failed,
                    LegError::new(
                        ErrorClass::Validation,
                        "read-back-missing",
                        what,
                        "see the platform's own screens whether it is there; `retry` builds what is missing",
                    ),
                ));
            };
            if wanted.switchable && seen.serving == Serving::Active {
                return self.born_active(&wanted.key).await;
            }
            if let Some((field, wanted, found)) = first_difference(&wanted.fields, &seen.fields) {
                return Err(fail(
                    Report::Failed,
                    LegError {
                        field: Some(format!("{}.{field}", seen.key)),
                        ..LegError::new(
                            ErrorClass::Validation,
                            "read-back-differs",
                            format!(
                                "{}.{field} should be {wanted} and the platform holds {found}",
                                seen.key
                            ),
                            "correct the plan so that the platform keeps it as it is, then `retry`",
                        )
                    },
                ));
            }
        }
        self.check_tracking(&reading)?;
        if let Eligibility::Disapproved(finding) = reading.eligibility {
            return Err(fail(Report::Failed, *finding));
        }
        self.pending.spec_applied = true;
        Ok(Then::Finish {
            report: Report::Built,
            error: None,
        })
    }

    fn check_tracking(&mut self, reading: &Reading) -> Result<(), Halt> {
        let rule = self.tools.platform.traits().tracking;
        let campaign = self.manifest.campaign_id().unwrap_or_default().to_owned();
        match tracking::check(rule, reading.auto_tagging, &campaign, &reading.tracking) {
            Ok(mode) => {
                self.manifest.tracking_mode = Some(mode);
                self.pending.manifest = true;
                self.record(
                    "tracking.verified",
                    json!({ "tracking_mode": mode, "places": reading.tracking.len() }),
                );
                Ok(())
            }
            Err(violations) => {
                let all: Vec<String> = violations
                    .iter()
                    .map(|v| format!("{} {}: {}", v.object, v.field, v.what))
                    .collect();
                self.record("tracking.refused", json!({ "violations": all }));
                Err(fail(
                    Report::Failed,
                    LegError {
                        field: violations.first().map(|v| format!("{}.{}", v.object, v.field)),
                        ..LegError::new(
                            ErrorClass::Validation,
                            "tracking-qc",
                            all.join("; "),
                            "nothing was switched on; correct the tracking and `retry`",
                        )
                    },
                ))
            }
        }
    }

    /// Something that was made paused is on: off with it at once, then a person must look.
    async fn born_active(&mut self, key: &str) -> Result<Then, Halt> {
        for object in &mut self.manifest.objects {
            if object.serving == Serving::Paused {
                object.serving = Serving::Active;
            }
        }
        self.pending.manifest = true;
        self.reach(Goal::Paused, &[]).await?;
        Err(fail(
            Report::Failed,
            LegError::new(
                ErrorClass::Validation,
                "not-paused",
                format!("{key} was on although it was made paused; it was paused at once"),
                "find out who switched it on, then `retry`",
            ),
        ))
    }

    // ---- activate --------------------------------------------------------------------------------------------------

    async fn activate(&mut self) -> Result<Then, Halt> {
        self.reach(Goal::Active, &[]).await?;
        if !self.job.started {
            return Ok(Then::Finish {
                report: Report::Scheduled,
                error: None,
            });
        }
        match self.read().await?.eligibility {
            Eligibility::Eligible => Ok(Then::Finish {
                report: Report::Live,
                error: None,
            }),
            Eligibility::InReview => Err(give_back(REVIEW_POLL, "the platform's review is still running")),
            Eligibility::Paused => Err(give_back(
                self.settle(),
                "the platform does not show it switched on yet",
            )),
            Eligibility::Disapproved(finding) => Err(fail(Report::Failed, *finding)),
        }
    }

    // ---- undo ------------------------------------------------------------------------------------------------------

    async fn undo(&mut self) -> Result<Then, Halt> {
        if self.manifest.existing().next().is_none() {
            return Ok(Then::Finish {
                report: Report::Undone,
                error: None,
            });
        }
        self.reach(Goal::Paused, &[]).await?;
        let spent = self.read().await?.spent;
        if spent == Some(false) {
            self.reach(Goal::Removed, &[]).await?;
        } else {
            self.record(
                "undo.kept_paused",
                json!({ "spent": spent, "why": "only what never spent is removed" }),
            );
        }
        Ok(Then::Finish {
            report: Report::Undone,
            error: None,
        })
    }

    // ---- retire ----------------------------------------------------------------------------------------------------

    /// The plan no longer has this campaign: off at once, and kept with its reports.
    async fn retire(&mut self) -> Result<Then, Halt> {
        self.reach(Goal::Paused, &[]).await?;
        Ok(Then::Finish {
            report: Report::Retired,
            error: None,
        })
    }

    // ---- towards a goal --------------------------------------------------------------------------------------------

    async fn reach(&mut self, goal: Goal, desired: &[Desired]) -> Result<(), Halt> {
        loop {
            let account = self.session.account.clone();
            let mut mutations = self.tools.platform.next(goal, desired, &self.manifest, &account);
            if mutations.is_empty() {
                return Ok(());
            }
            // What is committed is sent at once, or its lease could be over before it is.
            mutations.truncate(CALLS_AT_ONCE);
            self.intend(desired, &mutations);
            self.send(mutations).await?;
        }
    }

    /// Writes what is about to be made into the manifest (in memory; `send` commits it).
    fn intend(&mut self, desired: &[Desired], mutations: &[Mutation]) {
        for key in mutations
            .iter()
            .filter(|m| m.op == Op::Create)
            .flat_map(|m| &m.objects)
        {
            let Some(wanted) = desired.iter().find(|d| d.key == *key) else {
                continue;
            };
            self.manifest.objects.retain(|o| o.key != *key);
            self.manifest.objects.push(RemoteObject {
                key: wanted.key.clone(),
                kind: wanted.kind.to_owned(),
                parent: wanted.parent.clone(),
                name: wanted.name.clone(),
                state: ObjectState::Intended,
                remote_id: None,
                serving: if wanted.switchable {
                    Serving::Paused
                } else {
                    Serving::None
                },
                applied: wanted.fields.clone(),
            });
        }
    }

    /// Commits the intents, makes the calls at the same time, takes in what they came to.
    async fn send(&mut self, mutations: Vec<Mutation>) -> Result<(), Halt> {
        let intents: Vec<(Uuid, Mutation)> = mutations.into_iter().map(|m| (Uuid::new_v4(), m)).collect();
        self.manifest.mutation_count += i64::try_from(intents.len()).unwrap_or(i64::MAX);
        self.pending.manifest = true;
        let needs = self.session.deadline + MARGIN;
        let rows = intents
            .iter()
            .map(|(id, m)| (*id, serde_json::to_value(m).unwrap_or(Value::Null)))
            .collect();
        self.save(rows, needs, Then::Continue).await?;
        let (platform, session) = (&self.tools.platform, &self.session);
        let outcomes: Vec<(Uuid, Mutation, Result<Done, CallError>)> = stream::iter(intents)
            .map(|(id, mutation)| async move {
                let outcome = platform.execute(session, &mutation).await;
                (id, mutation, outcome)
            })
            .buffer_unordered(CALLS_AT_ONCE)
            .collect()
            .await;
        self.take_in(outcomes)
    }

    /// What the calls came to. An unknown outcome outweighs a refusal, which outweighs "later".
    fn take_in(&mut self, outcomes: Vec<(Uuid, Mutation, Result<Done, CallError>)>) -> Result<(), Halt> {
        let (mut unclear, mut refused, mut later) = (None, None, None);
        for (id, mutation, outcome) in outcomes {
            let (ended, detail) = match outcome {
                Ok(done) => {
                    self.done(&mutation, &done);
                    (
                        Ended::Done,
                        json!({ "request_id": done.request_id, "answer": done.essence, "ids": done.ids }),
                    )
                }
                Err(CallError::Refused(error)) => {
                    self.forget_intents(&mutation);
                    let detail = json!({ "error": error });
                    refused = Some(*error);
                    (Ended::Refused, detail)
                }
                Err(CallError::Unavailable { why, after }) => {
                    self.forget_intents(&mutation);
                    let detail = json!({ "why": why, "after_s": after.map(|d| d.as_secs()) });
                    later = Some((backoff::delay(self.job.attempts, after), why));
                    (Ended::NotSent, detail)
                }
                Err(CallError::Unclear { why }) => {
                    let detail = json!({ "why": why });
                    unclear = Some(why);
                    // A repeatable call needs no look-up: the same values again change nothing.
                    (
                        if mutation.op == Op::Create {
                            Ended::Unknown
                        } else {
                            Ended::Void
                        },
                        detail,
                    )
                }
            };
            self.pending.ended.push((id, ended));
            self.record_mutation(id, &mutation, ended, detail);
        }
        self.pending.manifest = true;
        if let Some(why) = unclear {
            self.looks = 0;
            self.pending.settle = Some(self.settle());
            return Err(give_back(self.settle(), why));
        }
        if let Some(error) = refused {
            return Err(fail(self.giving_up(), error));
        }
        later.map_or(Ok(()), |(after, why)| Err(give_back(after, why)))
    }

    /// The platform accepted a mutation: the manifest shows it.
    fn done(&mut self, mutation: &Mutation, done: &Done) {
        self.manifest.revision += 1;
        for object in self
            .manifest
            .objects
            .iter_mut()
            .filter(|o| mutation.objects.contains(&o.key))
        {
            match &mutation.op {
                Op::Create => {
                    if let Some((_, id)) = done.ids.iter().find(|(key, _)| *key == object.key) {
                        object.state = ObjectState::Created;
                        object.remote_id = Some(id.clone());
                    }
                }
                Op::Update { applied } => {
                    if let Some(fields) = applied.get(&object.key) {
                        object.applied = fields.clone();
                    }
                }
                Op::Serve { serving } => object.serving = *serving,
                Op::Remove => {
                    object.state = ObjectState::Removed;
                    object.serving = Serving::None;
                }
                Op::Account { .. } => {}
            }
        }
    }

    /// A creation that certainly did not happen leaves nothing to look for.
    fn forget_intents(&mut self, mutation: &Mutation) {
        if mutation.op == Op::Create {
            self.manifest
                .objects
                .retain(|o| !(o.state == ObjectState::Intended && mutation.objects.contains(&o.key)));
        }
    }

    // ---- unknown outcomes ------------------------------------------------------------------------------------------

    /// Finds out what every unfinished creation did, before anything else is done.
    async fn resolve(&mut self) -> Result<(), Halt> {
        for (id, request) in std::mem::take(&mut self.job.open_mutations) {
            let repeatable = request.pointer("/op/op").and_then(Value::as_str) != Some("create");
            if repeatable {
                self.pending.ended.push((id, Ended::Void));
            } else {
                // Ends as the look-up says; until then it stays open.
                self.job.open_mutations.push((id, request));
            }
        }
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

    // ---- small things ----------------------------------------------------------------------------------------------

    fn settle(&self) -> Duration {
        self.tools.platform.traits().settle
    }

    async fn read(&self) -> Result<Reading, Halt> {
        self.tools
            .platform
            .read(&self.session, &self.manifest)
            .await
            .map_err(|error| self.read_failed(error))
    }

    fn record(&mut self, action: &str, detail: Value) {
        let key = &self.job.spec.key;
        self.pending.records.push(Record {
            tenant_id: key.tenant_id.to_string(),
            entry: Entry {
                at: self.tools.clock.stamp(),
                actor: "service".to_owned(),
                action: action.to_owned(),
                plan_version: Some(key.plan_version.to_string()),
                leg: Some(format!("{}/{}", key.platform, key.logical_campaign_key)),
                detail,
            },
        });
    }

    fn record_mutation(&mut self, id: Uuid, mutation: &Mutation, ended: Ended, came_to: Value) {
        let text = mutation.body.to_string();
        let body = if text.len() <= AUDITED_BODY {
            mutation.body.clone()
        } else {
            use sha2::{Digest, Sha256};
            json!({ "bytes": text.len(), "sha256": hex::encode(Sha256::digest(text.as_bytes())) })
        };
        let detail = json!({
            "mutation_id": id, "op": mutation.op, "method": mutation.method, "path": mutation.path,
            "objects": mutation.objects, "body": body, "outcome": ended.as_str(), "came_to": came_to,
            "account_id": self.manifest.account_id,
        });
        self.record("mutation", detail);
    }

    async fn save(
        &mut self,
        intents: Vec<(Uuid, Value)>,
        needs: Duration,
        then: Then,
    ) -> Result<(), NotSaved> {
        let pending = std::mem::take(&mut self.pending);
        let unresolved = self.manifest.unresolved().next().is_some();
        let manifest = (pending.manifest || pending.spec_applied).then(|| ManifestSave {
            manifest: self.manifest.clone(),
            spec: pending
                .spec_applied
                .then(|| serde_json::to_value(&self.job.spec).unwrap_or(Value::Null)),
            settle: pending.settle.filter(|_| unresolved),
            looks: self.looks,
        });
        self.tools
            .committer
            .save(Save {
                command_id: self.job.command_id,
                token: self.job.token,
                leg_id: self.job.leg_id,
                needs,
                manifest,
                ended: pending.ended,
                intents,
                records: pending.records,
                facts: pending.facts.map(|f| {
                    let key = &self.job.spec.key;
                    let value = serde_json::to_value(f).unwrap_or(Value::Null);
                    (key.tenant_id.to_string(), key.platform.to_string(), value)
                }),
                then,
            })
            .await
    }
}

/// The first field of `wanted` that `found` holds otherwise: its path and both values.
fn first_difference(wanted: &Value, found: &Value) -> Option<(String, Value, Value)> {
    let (Value::Object(w), Value::Object(f)) = (wanted, found) else {
        return (wanted != found).then(|| (String::new(), wanted.clone(), found.clone()));
    };
    w.iter().find_map(|(name, value)| {
        let other = f.get(name).unwrap_or(&Value::Null);
        let (path, a, b) = first_difference(value, other)?;
        Some((
            if path.is_empty() {
                name.clone()
            } else {
                format!("{name}.{path}")
            },
            a,
            b,
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_named_by_its_path() {
        let wanted = json!({ "a": 1, "b": { "c": [1, 2] } });
        assert_eq!(
            first_difference(&wanted, &json!({ "a": 1, "b": { "c": [1, 2], "d": 0 }, "e": 1 })),
            None
        );
        let (path, ..) = first_difference(&wanted, &json!({ "a": 1, "b": { "c": [2, 1] } })).unwrap();
        assert_eq!(path, "b.c");
        assert_eq!(
            first_difference(&wanted, &json!({ "b": wanted["b"] })).unwrap().0,
            "a"
        );
    }
}
