//! One leased command, from its first look at the manifest to its report.
//!
//! The order is the safety: what is unknown is looked up first; what is about to be made is committed before the call;
//! what a call came to is committed before anything follows from it (together with the next intent, so that a step costs
//! one commit). Must not send a mutation that was not committed, nor anything after a save was refused.

mod assets;
mod hold;
mod undo;
mod unknown;
mod uploads;
mod verify;

use crate::clock::SharedClock;
use crate::domain::error::{ErrorClass, LegError};
use crate::domain::hold::Hold;
use crate::domain::manifest::{Desired, Manifest, ObjectState, RemoteObject, Serving};
use crate::domain::saga::{CommandKind, Report};
use crate::health::assets::Library;
use crate::outbound::pace::Pace;
use crate::platform::{
    AccountFacts, CallError, Done, Eligibility, Goal, Mutation, Op, Platform, Reading, Session,
};
use crate::service::backoff;
use crate::service::committer::{Committer, NotSaved, Onward};
use crate::store::audit::{Entry, Record};
use crate::store::commands::Job;
use crate::store::progress::{Ended, ManifestSave, Save, Then, Wait};
use crate::store::{Store, StoreError};
use async_trait::async_trait;
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

/// How many calls one leg makes at the same time.
const CALLS_AT_ONCE: usize = 8;
/// How long a lease must outlive a call's deadline.
pub const MARGIN: Duration = Duration::from_secs(2);
/// How soon a leg in the platform's review is looked at again at first, and in the end.
const REVIEW_FIRST: Duration = Duration::from_secs(30);
const REVIEW_LAST: Duration = Duration::from_secs(600);
/// Why nothing more is sent.
const TURNED: &str = "the execution was turned round; nothing more is sent";
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
    /// Where uploads are claimed.
    pub store: Store,
    /// Where the assets to upload are.
    pub library: Library,
    /// What an undo has to know besides its own leg.
    pub undoes: Arc<dyn Undoes>,
}

/// What an undo asks of those of the other legs, and of those before it.
#[async_trait]
pub trait Undoes: Send + Sync {
    /// Whether the leg's version has other legs that are on, or may be.
    async fn others_may_be_on(&self, leg_id: i64) -> Result<bool, StoreError>;
    /// Whether an undo of the leg has sent a removal.
    async fn removal_has_begun(&self, leg_id: i64) -> Result<bool, StoreError>;
}

#[async_trait]
impl Undoes for Store {
    async fn others_may_be_on(&self, leg_id: i64) -> Result<bool, StoreError> {
        Self::others_may_be_on(self, leg_id).await
    }

    async fn removal_has_begun(&self, leg_id: i64) -> Result<bool, StoreError> {
        Self::removal_has_begun(self, leg_id).await
    }
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
        wait: None,
    })
}

fn wait_for(wait: Wait, after: Duration, why: impl Into<String>) -> Halt {
    Halt::With(Then::GiveBack {
        after,
        why: why.into(),
        wait: Some(wait),
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
    hold: Option<(Hold, Option<Hold>)>,
    /// What of the campaign the platform's policies refuse, while the leg goes on.
    finding: Option<Box<LegError>>,
}

/// A command being driven.
pub struct Drive {
    tools: Tools,
    session: Session,
    job: Job,
    manifest: Manifest,
    looks: i32,
    held: Option<Vec<String>>,
    /// Calls that may have switched these objects on: nobody heard what became of them.
    doubts: Vec<(Uuid, Vec<String>)>,
    yields: bool,
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
            held: job.held.clone(),
            doubts: Vec::new(),
            yields: false,
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
            Err(halt) => self.never_give_up(halt),
        };
        let then = match halt {
            Halt::With(then) => then,
            Halt::NotOurs(error) => return Err(error),
        };
        match self.save(Vec::new(), Duration::ZERO, then.clone()).await {
            // The pause came while it was driven: it is not reported, but goes on from here when the pause is over.
            Err(NotSaved::Paused) => match self.paused() {
                Halt::With(then) => {
                    self.save(Vec::new(), Duration::ZERO, then.clone()).await?;
                    Ok(then)
                }
                Halt::NotOurs(error) => Err(error),
            },
            saved => saved.map(|_| then),
        }
    }

    async fn go(&mut self) -> Result<Then, Halt> {
        if let Some(then) = self.belated() {
            return Ok(then);
        }
        let there = |o: &RemoteObject| o.state != ObjectState::Removed;
        if !self.manifest.objects.iter().any(there) && self.job.open_mutations.is_empty() {
            // Nothing of it is anywhere, so it may as well be begun elsewhere.
            self.manifest
                .account_id
                .clone_from(&self.session.account.account_id);
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
        if let Some(result) = self.under_the_switch().await {
            return result;
        }
        let switched_off = self.off_first().await?;
        let went = self.forward(switched_off).await;
        self.on_as_before(&went).await?;
        went
    }

    async fn forward(&mut self, switched_off: bool) -> Result<Then, Halt> {
        self.resolve().await?;
        match self.job.kind {
            CommandKind::Activate => self.activate().await,
            CommandKind::Undo => self.undo(switched_off).await,
            CommandKind::Retire => self.retire().await,
            CommandKind::Build | CommandKind::Hold | CommandKind::Release => self.build().await,
        }
    }

    /// A command for a leg that has moved on (the command came twice, its first copy did the work).
    fn belated(&self) -> Option<Then> {
        if matches!(self.job.kind, CommandKind::Hold | CommandKind::Release) {
            return None;
        }
        let expected = self.job.current && self.job.leg_state.in_flight() == Some(self.job.kind);
        (!expected).then_some(Then::Forget)
    }

    /// Waits for its turn on the account: no more legs at once than the platform's quota feeds, so that no call waits in a
    /// queue past its lease. The lease is renewed meanwhile. An undo never waits: it stops what spends.
    async fn turn(&mut self) -> Result<Option<OwnedSemaphorePermit>, Halt> {
        if matches!(self.job.kind, CommandKind::Undo | CommandKind::Retire) {
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
                Err(_) => {
                    self.save(Vec::new(), Duration::ZERO, Then::Continue).await?;
                }
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
        self.tools.platform.pace(&self.session)
    }

    fn giving_up(&self) -> Report {
        match self.job.kind {
            CommandKind::Build | CommandKind::Activate => Report::Failed,
            CommandKind::Undo | CommandKind::Retire => Report::UndoFailed,
            // Never reported: `never_give_up` tries again.
            CommandKind::Hold | CommandKind::Release => Report::Failed,
        }
    }

    async fn facts(&self) -> Result<AccountFacts, Halt> {
        if let Some(facts) = self
            .job
            .facts
            .clone()
            .and_then(|v| serde_json::from_value::<AccountFacts>(v).ok())
            // What was wrong with it may be mended by now.
            .filter(|facts| facts.problems.is_empty())
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

    /// The platform said no, and will say no again. A missing asset is waited for: a person is asked for it.
    fn refused(&self, error: LegError) -> Halt {
        if error.class == ErrorClass::AssetMissing && self.job.kind == CommandKind::Build {
            return self.wait_for_asset(&error);
        }
        fail(self.giving_up(), error)
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
        self.look_for_assets().await?;
        self.upload_what_is_missing().await?;
        let desired = self
            .tools
            .platform
            .desire(&self.job.spec, &account, &facts)
            .map_err(|error| self.refused(*error))?;
        self.reach(Goal::Built, &desired).await?;
        self.verify(&desired).await
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
        let reading = self.read().await?;
        self.pending.finding = reading.finding.clone();
        match reading.eligibility {
            Eligibility::Eligible => Ok(Then::Finish {
                report: Report::Live,
                error: None,
            }),
            Eligibility::NotBegun => Ok(Then::Finish {
                report: Report::Scheduled,
                error: None,
            }),
            Eligibility::InReview => Err(wait_for(
                Wait::Review,
                backoff::poll(self.polls(Wait::Review), REVIEW_FIRST, REVIEW_LAST),
                "the platform's review is still running",
            )),
            Eligibility::Paused => {
                self.not_on_yet(&reading);
                Err(give_back(
                    self.settle(),
                    "the platform does not show it switched on yet",
                ))
            }
            Eligibility::Disapproved(finding) => Err(fail(Report::Failed, *finding)),
        }
    }

    /// What we take for on and the platform shows off (a pause's call that nobody heard of again) is switched on next time.
    fn not_on_yet(&mut self, reading: &Reading) {
        for object in &mut self.manifest.objects {
            let seen = reading.objects.iter().find(|s| s.key == object.key);
            if object.serving == Serving::Active && seen.is_some_and(|s| s.serving == Serving::Paused) {
                object.serving = Serving::Paused;
                self.pending.manifest = true;
            }
        }
    }

    // ---- retire ----------------------------------------------------------------------------------------------------

    /// The plan no longer has this campaign: off at once, and kept with its reports.
    async fn retire(&mut self) -> Result<Then, Halt> {
        self.switch_off_for_certain().await?;
        Ok(Then::Finish {
            report: Report::Retired,
            error: None,
        })
    }

    // ---- towards a goal --------------------------------------------------------------------------------------------

    async fn reach(&mut self, goal: Goal, desired: &[Desired]) -> Result<(), Halt> {
        loop {
            let account = self.session.account.clone();
            let there = match goal {
                Goal::Active => self.manifest.with_doubts_off(),
                Goal::Built => self.manifest.with_updates_in_doubt(desired),
                Goal::Paused | Goal::Removed => Cow::Borrowed(&self.manifest),
            };
            let mut mutations = self.tools.platform.next(goal, desired, &there, &account);
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
            self.manifest.objects.push(RemoteObject::intended(wanted));
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
        match self.save(rows, needs, Then::Continue).await {
            Ok(Onward::Go) => {}
            Ok(Onward::Stop) => return self.turned_round(intents),
            Err(NotSaved::Paused) => {
                let mutations: Vec<Mutation> = intents.into_iter().map(|(_, m)| m).collect();
                return Err(self.unsent(&mutations));
            }
            Err(error) => return Err(error.into()),
        }
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

    /// The execution was turned round while these were written down: none is sent, and what was made so far is undone.
    fn turned_round(&mut self, intents: Vec<(Uuid, Mutation)>) -> Result<(), Halt> {
        let why = || CallError::Unavailable {
            why: TURNED.to_owned(),
            after: None,
        };
        self.manifest.mutation_count -= i64::try_from(intents.len()).unwrap_or_default();
        let outcomes = intents
            .into_iter()
            .map(|(id, mutation)| (id, mutation, Err(why())));
        self.take_in(outcomes.collect())
    }

    /// What the calls came to. An unknown outcome outweighs a refusal, which outweighs "later".
    fn take_in(&mut self, outcomes: Vec<(Uuid, Mutation, Result<Done, CallError>)>) -> Result<(), Halt> {
        let (mut unclear, mut refused, mut later) = (None, None, None);
        for (id, mutation, outcome) in outcomes {
            let (ended, detail) = match outcome {
                Ok(done) => {
                    self.done(&mutation, &done);
                    self.no_doubt_of(&mutation);
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
                    self.not_heard_of(&mutation.op, &mutation.objects);
                    // A repeatable call needs no look-up: the same values again change nothing. But what is on spends.
                    (
                        if mutation.op == Op::Create || unknown::switches_on(&mutation.op) {
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
            // One that comes again and again is asked ever less often.
            let after = self.settle().max(backoff::delay(self.job.attempts, None));
            return Err(give_back(after, why));
        }
        if let Some(error) = refused {
            return Err(self.refused(error));
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
                        object.unheard_updates.clear();
                        object.applied = fields.clone();
                    }
                }
                Op::Serve { serving } => {
                    object.serving = *serving;
                    object.may_be_off = false;
                }
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

    // ---- small things ----------------------------------------------------------------------------------------------

    /// How often it has been looked at since this wait began.
    fn polls(&self, wait: Wait) -> i32 {
        self.job
            .waiting
            .filter(|waiting| waiting.wait == wait)
            .map_or(0, |waiting| waiting.polls + 1)
    }

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
        let record = self.record_of(action, detail);
        self.pending.records.push(record);
    }

    fn record_of(&self, action: &str, detail: Value) -> Record {
        let key = &self.job.spec.key;
        Record {
            tenant_id: key.tenant_id.to_string(),
            entry: Entry {
                at: self.tools.clock.stamp(),
                actor: "service".to_owned(),
                action: action.to_owned(),
                plan_version: Some(key.plan_version.to_string()),
                leg: Some(format!("{}/{}", key.platform, key.logical_campaign_key)),
                detail,
            },
        }
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
    ) -> Result<Onward, NotSaved> {
        let pending = std::mem::take(&mut self.pending);
        let kept_back = hold::kept_back(&pending);
        // What a pause catches up with neither reports nor waits for a review: it switches off what is on first.
        let onwards = matches!(self.job.kind, CommandKind::Build | CommandKind::Activate);
        let ends = onwards && !matches!(then, Then::Continue);
        let unresolved = self.manifest.unresolved().next().is_some();
        let manifest = (pending.manifest || pending.spec_applied).then(|| ManifestSave {
            manifest: self.manifest.clone(),
            spec: pending
                .spec_applied
                .then(|| serde_json::to_value(&self.job.spec).unwrap_or(Value::Null)),
            settle: pending.settle.filter(|_| unresolved),
            looks: self.looks,
            held: self.held.clone(),
        });
        let saved = self
            .tools
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
                hold: pending.hold,
                finding: pending.finding,
                barred_by_pause: ends && !self.job.paused && !self.yields,
                then,
            })
            .await;
        if matches!(saved, Err(NotSaved::Paused)) {
            self.pending = kept_back;
        }
        saved
    }
}
