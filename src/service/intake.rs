//! Topics → database: plans, tenants, approvals, controls, and the commands of each platform. A message is taken in by
//! one transaction, then its offset is stored; what cannot be read becomes a dead letter, and the next message is taken.
//!
//! Must not call HTTP, and must not lose or skip a message: while the database is away it waits.

use super::compose::Composer;
use super::poke::Pokes;
use crate::bus::consumer::{Delivery, Subscription};
use crate::clock::SharedClock;
use crate::domain::clock::Limits;
use crate::domain::plan::Plan;
use crate::domain::tenant::Tenant;
use crate::store::audit::{Entry, Record};
use crate::store::commands::Accepted;
use crate::store::decide::{Decided, Decision};
use crate::store::intake::{NewPlan, Taken};
use crate::store::outbox::{Body, Message};
use crate::store::{Store, StoreError};
use crate::wire::command::LaunchCommand;
use crate::wire::control::{self, Approval, Choice, Control};
use crate::wire::{self, Envelope, Invalid};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// Messages taken at once.
const BATCH: usize = 256;
/// Plans of this size and above are taken in by themselves, bytes.
const LARGE: usize = 256 * 1024;
/// How long a receive waits before it looks whether to stop.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long leaving a group may take.
const LEAVE: Duration = Duration::from_secs(5);

/// Why a message cannot be taken in.
enum NotTaken {
    /// It never can: a dead letter.
    Unreadable(Vec<Invalid>),
    /// The database is away: the same message again.
    Later(StoreError),
}

impl From<StoreError> for NotTaken {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) => Self::Later(error),
            // A message that the database refuses (a NUL in a text, say) must not stop the topic for ever.
            StoreError::Refused { .. } | StoreError::BadRow { .. } => Self::Unreadable(vec![Invalid::at(
                "",
                format!("the database refuses it: {}", chain(&error)),
            )]),
            StoreError::Schema { .. }
            | StoreError::Outdated { .. }
            | StoreError::Migrate(_)
            | StoreError::Url(_) => Self::Later(error),
        }
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}

impl From<Vec<Invalid>> for NotTaken {
    fn from(problems: Vec<Invalid>) -> Self {
        Self::Unreadable(problems)
    }
}

/// Takes in what other systems send.
pub struct Intake {
    /// The truth.
    pub store: Store,
    /// For the audit log.
    pub clock: SharedClock,
    /// Whom it rings.
    pub pokes: Pokes,
    /// The largest plan, bytes unpacked.
    pub max_plan_bytes: usize,
    /// From approval to live, seconds.
    pub limits: Limits,
}

impl Intake {
    /// The topics it reads.
    pub const TOPICS: [&str; 4] = [
        "plan.approved",
        "tenant.onboarded",
        "execution.approval",
        "execution.control",
    ];

    /// Takes messages in until stopped.
    pub async fn run(self, subscription: Subscription, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let deliveries = tokio::select! {
                batch = subscription.batch(BATCH, PATIENCE) => batch,
                () = stop.cancelled() => break,
            };
            let taken = self.plans_together(&deliveries).await;
            subscription.done(deliveries.get(..taken).unwrap_or_default());
            for delivery in deliveries.iter().skip(taken) {
                if !self.take(delivery, &stop).await {
                    break;
                }
                subscription.done(std::slice::from_ref(delivery));
            }
        }
        subscription.leave(LEAVE).await;
    }

    /// Takes in the plans at the head of a batch with one transaction; how many messages that were. 0: one of them is
    /// out of the ordinary, or the database is: each is taken in by itself, in its turn.
    async fn plans_together(&self, deliveries: &[Delivery]) -> usize {
        let plans: Vec<NewPlan> = deliveries
            .iter()
            .take_while(|d| d.topic == "plan.approved")
            .map_while(|d| {
                let payload = d.payload.as_deref();
                let envelope = wire::unwrap(&d.headers, payload, self.max_plan_bytes).ok()?;
                // A large plan has a transaction of its own.
                (payload.map_or(0, <[u8]>::len) < LARGE).then_some(())?;
                let plan = wire::plan::parse(&envelope.data).ok()?;
                Some(self.new_plan(&plan, envelope, d.header("traceparent")))
            })
            .collect();
        if plans.len() < 2 {
            return 0;
        }
        match self.store.take_plans(&Composer, &plans).await {
            Ok(taken) if !taken.iter().any(|t| matches!(t, Taken::OtherPlan { .. })) => {
                tracing::info!(plans = taken.len(), "plans taken in together");
                self.pokes.gate.notify_one();
                taken.len()
            }
            // Taking them again one by one changes nothing twice, and gives each problem its dead letter.
            Ok(_) | Err(_) => 0,
        }
    }

    fn new_plan(&self, plan: &Plan, envelope: Envelope, traceparent: Option<&str>) -> NewPlan {
        NewPlan {
            tenant_id: plan.tenant_id.to_string(),
            plan_id: plan.plan_id.to_string(),
            plan_version: plan.plan_version.to_string(),
            payload_hash: wire::plan::content_hash(&envelope.data),
            payload: envelope.data,
            approved_at: plan.approved_at,
            approved_by: plan.approved_by.clone(),
            event_id: envelope.event_id,
            limits: self.limits,
            traceparent: traceparent.map(str::to_owned).or(envelope.traceparent),
            force: None,
            now: self.clock.stamp(),
        }
    }

    /// Lets a payload win over whatever is in force, because a person says so.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn force(
        &self,
        plan: &Plan,
        envelope: Envelope,
        (by, reason): (&str, &str),
    ) -> Result<Option<Taken>, StoreError> {
        let new = NewPlan {
            approved_by: format!("{} (forced by {by})", plan.approved_by),
            force: Some(reason.to_owned()),
            ..self.new_plan(plan, envelope, None)
        };
        let mut taken = self
            .store
            .take_plans(&Composer, std::slice::from_ref(&new))
            .await?;
        self.pokes.gate.notify_one();
        Ok(taken.pop())
    }

    /// Takes one message in, however long the database is away; `false`: stopped before that.
    async fn take(&self, delivery: &Delivery, stop: &CancellationToken) -> bool {
        let span = tracing::info_span!(
            "take",
            messaging.destination.name = delivery.topic,
            place = delivery.place()
        );
        crate::telemetry::continue_from(&span, delivery.header("traceparent"));
        loop {
            match self.step(delivery).instrument(span.clone()).await {
                Ok(()) => return true,
                Err(error) => {
                    tracing::error!(parent: &span, error = %chain(&error), "couldn't take the message in; waiting for the database");
                    tokio::select! {
                        () = tokio::time::sleep(Duration::from_secs(1)) => {}
                        () = stop.cancelled() => return false,
                    }
                }
            }
        }
    }

    /// Takes one message in, or makes it a dead letter.
    ///
    /// # Errors
    /// [`StoreError`] when the database is away: the same message must be taken again.
    pub async fn step(&self, delivery: &Delivery) -> Result<(), StoreError> {
        let problems = match self.understand(delivery).await {
            Ok(()) => return Ok(()),
            Err(NotTaken::Later(error)) => return Err(error),
            Err(NotTaken::Unreadable(problems)) => problems,
        };
        tracing::warn!(
            place = delivery.place(),
            problems = wire::summary(&problems),
            "dead letter"
        );
        self.store
            .dead_letter(dead_letter(delivery, &problems, &self.clock.stamp()))
            .await?;
        self.pokes.relay.notify_one();
        Ok(())
    }

    async fn understand(&self, delivery: &Delivery) -> Result<(), NotTaken> {
        if delivery.topic == "tenant.onboarded" && delivery.payload.is_none() {
            return Ok(()); // a tombstone of compaction: a tenant's document is never taken back
        }
        let envelope = wire::unwrap(
            &delivery.headers,
            delivery.payload.as_deref(),
            self.max_plan_bytes,
        )?;
        match delivery.topic.as_str() {
            "plan.approved" => self.plan(envelope).await,
            "tenant.onboarded" => self.tenant(&envelope).await,
            "execution.approval" => self.approval(&envelope).await,
            "execution.control" => {
                // A person who has a letter published again means it: it is that place's order, not the one that died.
                let again = delivery.header("dlq_redriven_from").map(|_| delivery.place());
                self.control(&envelope, again).await
            }
            other => Err(vec![Invalid::at("", format!("nobody here reads {other}"))].into()),
        }
    }

    async fn plan(&self, envelope: Envelope) -> Result<(), NotTaken> {
        let plan = wire::plan::parse(&envelope.data)?;
        let trace = crate::telemetry::traceparent();
        let new = self.new_plan(&plan, envelope, trace.as_deref());
        let mut taken = self
            .store
            .take_plans(&Composer, std::slice::from_ref(&new))
            .await?;
        let Some(taken) = taken.pop() else { return Ok(()) };
        tracing::info!(plan_version = %plan.plan_version, tenant = %plan.tenant_id, taken = ?taken, "plan taken in");
        match taken {
            Taken::New | Taken::Again | Taken::Amended => {
                self.pokes.gate.notify_one();
                Ok(())
            }
            Taken::Fenced { .. } | Taken::Older { .. } => Ok(()),
            Taken::OtherPlan { plan_id } => Err(vec![Invalid::at(
                "/plan_version",
                format!(
                    "{} belongs to plan {plan_id} already; a plan_version is unique within its tenant",
                    plan.plan_version
                ),
            )]
            .into()),
        }
    }

    async fn tenant(&self, envelope: &Envelope) -> Result<(), NotTaken> {
        let tenant: Tenant = control::parse("tenant.onboarded", &envelope.data)?;
        if let Some((platform, bad)) = tenant
            .limits
            .iter()
            .find_map(|(p, l)| l.micros().err().map(|bad| (p.clone(), bad)))
        {
            return Err(vec![Invalid::at(
                format!("/limits/{platform}"),
                format!("{bad:?} is no amount"),
            )]
            .into());
        }
        let record = tenant_record(&tenant, "message:onboarding", self.clock.stamp());
        let newer = self.store.apply_tenant(&tenant, record).await?;
        tracing::info!(tenant = %tenant.tenant_id, newer, "tenant taken in");
        self.pokes.gate.notify_one();
        Ok(())
    }

    async fn approval(&self, envelope: &Envelope) -> Result<(), NotTaken> {
        let approval: Approval = control::parse("execution.approval", &envelope.data)?;
        let decision = Decision {
            tenant_id: approval.tenant_id.clone(),
            plan_id: Some(approval.plan_id.clone()),
            plan_version: approval.plan_version.clone(),
            approve: approval.decision == Choice::Approve,
            by: approval.by.clone(),
            reason: approval.reason.clone(),
            shown: approval.payload_hash.clone(),
            decided_at: approval.at.parse().ok(),
            via: "message",
            now: self.clock.stamp(),
            compose: Arc::new(Composer),
        };
        match self.store.decide(&decision).await? {
            Some(Decided::Recorded { .. }) => {
                self.pokes.gate.notify_one();
                self.pokes.relay.notify_one();
                Ok(())
            }
            Some(Decided::Already { why }) => {
                tracing::info!(plan_version = approval.plan_version, why, "a decision changes nothing");
                Ok(())
            }
            // Somebody believes to have decided: it must not go unseen.
            Some(Decided::Refused { why }) => Err(vec![Invalid::at("/decision", why)].into()),
            None => Err(vec![Invalid::at(
                "/plan_version",
                format!(
                    "there is no plan version {} of {} to decide on: a decision is about what was shown; when the plan has come, \
                     redrive this letter or decide anew",
                    approval.plan_version, approval.tenant_id
                ),
            )]
            .into()),
        }
    }

    async fn control(&self, envelope: &Envelope, again: Option<String>) -> Result<(), NotTaken> {
        let control: Control = control::parse("execution.control", &envelope.data)?;
        let done = self
            .store
            .control(&super::control::order(
                &control,
                again.as_deref(),
                self.clock.stamp(),
            ))
            .await;
        super::control::after(done?, &self.pokes)
            .map_err(|why| vec![Invalid::at("/plan_version", why)].into())
    }
}

/// The audit record of a tenant's document.
#[must_use]
pub fn tenant_record(tenant: &Tenant, actor: &str, at: String) -> Record {
    Record {
        tenant_id: tenant.tenant_id.to_string(),
        entry: Entry {
            at,
            actor: actor.to_owned(),
            action: "tenant.applied".to_owned(),
            plan_version: None,
            leg: None,
            detail: json!({ "updated_at": tenant.updated_at.to_rfc3339(), "accounts": tenant.accounts.keys().collect::<Vec<_>>() }),
        },
    }
}

/// Headers that a dead letter keeps, bytes in all; what a stranger adds beyond that is dropped, and said so.
const KEPT_HEADERS: usize = 16 * 1024;

/// The message's own headers as far as they are text, and the note that makes it a dead letter.
fn headers_of_the_dead(delivery: &Delivery, note: &[(&str, String)]) -> serde_json::Value {
    let mut kept = serde_json::Map::new();
    let (mut size, mut dropped) = (0, 0);
    for (name, value) in &delivery.headers {
        // The relay adds the trace itself; a note of an earlier death is out of date, but not where it was redriven from.
        let ours = name == "traceparent" || name.starts_with("dlq_") && name != "dlq_redriven_from";
        if ours {
            continue;
        }
        size += name.len() + value.len();
        match std::str::from_utf8(value) {
            Ok(text) if size <= KEPT_HEADERS && !name.contains('\0') && !text.contains('\0') => {
                kept.entry(name.clone()).or_insert_with(|| text.into());
            }
            Ok(_) | Err(_) => dropped += 1,
        }
    }
    if dropped > 0 {
        kept.insert("dlq_headers_dropped".to_owned(), dropped.to_string().into());
    }
    for (name, value) in note {
        kept.insert((*name).to_owned(), value.as_str().into());
    }
    kept.into()
}

/// The raw bytes and the reason, for `<topic>.dlq`. The id is the message's place and content: a second try makes no second
/// letter, and a re-created topic's new messages are not taken for the old ones.
#[must_use]
pub fn dead_letter(delivery: &Delivery, problems: &[Invalid], at: &str) -> Message {
    let summary: String = wire::summary(problems)
        .chars()
        .filter(|c| !c.is_control())
        .take(4000)
        .collect();
    let key = String::from_utf8_lossy(delivery.key.as_deref().unwrap_or_default()).replace('\0', "");
    let content = {
        use sha2::{Digest, Sha256};
        hex::encode(Sha256::digest(delivery.payload.as_deref().unwrap_or_default()))
    };
    Message {
        topic: format!("{}.dlq", delivery.topic),
        key,
        event_id: wire::event_id(&["dlq", &delivery.place(), &content]),
        body: Body::Raw(delivery.payload.clone().unwrap_or_default()),
        headers: headers_of_the_dead(
            delivery,
            &[
                ("dlq_reason", summary),
                (
                    "dlq_pointer",
                    problems.first().map(|p| p.pointer.clone()).unwrap_or_default(),
                ),
                ("dlq_source", delivery.place()),
                ("dlq_at", at.to_owned()),
            ],
        ),
        traceparent: delivery
            .header("traceparent")
            .filter(|t| wire::is_traceparent(t))
            .map(str::to_owned),
    }
}

/// Accepts one platform's commands into the database.
pub struct Acceptor {
    /// The truth.
    pub store: Store,
    /// For dead letters.
    pub clock: SharedClock,
    /// Whom it rings.
    pub pokes: Pokes,
    /// The platform.
    pub platform: &'static str,
}

impl Acceptor {
    /// Accepts commands until stopped.
    pub async fn run(self, subscription: Subscription, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let deliveries = tokio::select! {
                batch = subscription.batch(BATCH, PATIENCE) => batch,
                () = stop.cancelled() => break,
            };
            while !deliveries.is_empty() && !stop.is_cancelled() {
                match self.step(&deliveries).await {
                    Ok(()) => {
                        subscription.done(&deliveries);
                        break;
                    }
                    Err(error) => {
                        tracing::error!(error = %chain(&error), "couldn't accept commands; waiting for the database");
                        tokio::time::sleep(Duration::from_secs(1)).await;
                    }
                }
            }
        }
        subscription.leave(LEAVE).await;
    }

    /// Accepts a batch in one transaction; what cannot be read becomes a dead letter.
    ///
    /// # Errors
    /// [`StoreError`]: the same batch must come again.
    pub async fn step(&self, deliveries: &[Delivery]) -> Result<(), StoreError> {
        let mut accepted = Vec::with_capacity(deliveries.len());
        for delivery in deliveries {
            match self.read(delivery) {
                Ok(command) => accepted.push(command),
                Err(problems) => {
                    tracing::warn!(
                        place = delivery.place(),
                        problems = wire::summary(&problems),
                        "dead letter"
                    );
                    self.store
                        .dead_letter(dead_letter(delivery, &problems, &self.clock.stamp()))
                        .await?;
                    self.pokes.relay.notify_one();
                }
            }
        }
        if !accepted.is_empty() {
            self.store.accept_commands(&accepted).await?;
            self.pokes.worker(self.platform).notify_one();
        }
        Ok(())
    }

    fn read(&self, delivery: &Delivery) -> Result<Accepted, Vec<Invalid>> {
        let envelope = wire::unwrap(&delivery.headers, delivery.payload.as_deref(), 64 * 1024)?;
        let command: LaunchCommand = control::parse("launch.command", &envelope.data)?;
        if command.platform != self.platform {
            return Err(vec![Invalid::at(
                "/platform",
                format!("{}; expected {}", command.platform, self.platform),
            )]);
        }
        Ok(Accepted {
            command_id: command.command_id,
            leg_id: command.leg_id,
            tenant_id: command.tenant_id,
            platform: command.platform,
            kind: command.kind,
            attempt: command.attempt,
            traceparent: envelope.traceparent,
        })
    }
}
