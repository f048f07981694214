//! What a rollback would do, leg by leg, before anybody asks for it.
//!
//! Reads the platforms for what only they know (whether a campaign has spent, what somebody changed there), many legs in one go
//! (`reading`) and within a bound: a rollback is urgent, and a platform that does not answer is said to be unknown. Must not
//! change anything.

use super::drift::{Difference, Told, compare};
use super::reading::{self, Reader};
use crate::domain::leftover::{Back, Stay, stays};
use crate::domain::manifest::{Manifest, ObjectState};
use crate::domain::saga::LegState;
use crate::outbound::Outbound;
use crate::platform::{self, Goal, Reading};
use crate::store::leftovers::{Around, Returning};
use crate::store::views::LegView;
use crate::store::{Store, StoreError};
use futures::{StreamExt, stream};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long all of them may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Tells what a rollback would do.
pub struct Foresight {
    /// The manifests.
    pub store: Store,
    /// HTTP and credentials.
    pub outbound: Outbound,
    /// By platform id: where its API lives.
    pub base_urls: BTreeMap<String, Arc<str>>,
}

/// What would become of an execution.
#[derive(Debug, Clone, Serialize)]
pub struct Outlook {
    /// Its legs, in the plan's order.
    pub legs: Vec<LegOutlook>,
    /// What comes back in the older version.
    pub returning: Vec<Returning>,
}

/// What would become of a leg.
#[derive(Debug, Clone, Serialize)]
pub struct LegOutlook {
    /// The platform.
    pub platform: String,
    /// The planner's key.
    pub logical_campaign_key: String,
    /// Where it stands.
    pub state: String,
    /// The campaign's id.
    pub campaign_id: Option<String>,
    /// In one word.
    pub fate: Fate,
    /// What cannot be undone.
    pub stays: Vec<Stay>,
    /// What somebody changed on the platform, and what becomes of it with the campaign.
    pub drift: Vec<Difference>,
}

/// What becomes of a campaign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// There is nothing of it.
    NothingMade,
    /// It was undone, or is being.
    UndoneAlready,
    /// A newer version has it.
    NotOurs,
    /// Paused at once, then removed: it never spent.
    Removed,
    /// Paused at once, and kept: it has spent.
    KeptSpent,
    /// Paused at once, and kept: the platform does not tell whether it has spent.
    KeptUntold,
    /// Paused at once; removed if it never spent.
    RemovedIfUnspent,
    /// Paused at once, then given back to this version.
    GivenBack(String),
}

impl Fate {
    /// For a person.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::NothingMade => "nothing of it is there".to_owned(),
            Self::UndoneAlready => "undone already, or on its way".to_owned(),
            Self::NotOurs => "a newer plan version has it: not touched".to_owned(),
            Self::Removed => "paused at once, then removed (never spent)".to_owned(),
            Self::KeptSpent => "paused at once, and kept (has spent)".to_owned(),
            Self::KeptUntold => {
                "paused at once, and kept (the platform does not tell whether it has spent)".to_owned()
            }
            Self::RemovedIfUnspent => "paused at once, then removed if it never spent".to_owned(),
            Self::GivenBack(version) => format!("paused at once, then given back to {version}"),
        }
    }
}

impl Foresight {
    /// What a rollback would do; `ask`: the platforms are asked too.
    ///
    /// # Errors
    /// [`StoreError`]; a platform that does not answer is no error.
    pub async fn look(&self, execution_id: i64, ask: bool) -> Result<Outlook, StoreError> {
        let legs = self.store.legs(execution_id, 20_000).await?;
        let around = self.store.around(execution_id).await?;
        let tenant = match legs.first() {
            Some(leg) => self.store.tenant(leg.spec.key.tenant_id.as_str()).await?,
            None => None,
        };
        let reader = Reader {
            outbound: &self.outbound,
            base_urls: &self.base_urls,
            tenant: tenant.as_ref(),
        };
        let readings = if ask {
            read(&reader, &legs).await
        } else {
            HashMap::new()
        };
        let nothing = Around::default();
        let legs = legs.into_iter().enumerate().map(|(place, leg)| {
            let around = around.get(&leg.leg_id).unwrap_or(&nothing);
            outlook(&reader, leg, around, readings.get(&place))
        });
        Ok(Outlook {
            legs: legs.collect(),
            returning: self.store.returning(execution_id).await?,
        })
    }
}

/// What the platforms tell of the legs that a rollback would touch, by their places; what they do not tell in time is missing.
async fn read(reader: &Reader<'_>, legs: &[LegView]) -> HashMap<usize, Reading> {
    let touched = legs.iter().enumerate().filter_map(|(place, leg)| {
        let ours = settled(state(leg), leg.manifest.as_ref()).is_none();
        let made = leg.manifest.as_ref().filter(|m| m.existing().next().is_some());
        made.filter(|_| ours).map(|manifest| (place, manifest))
    });
    let until = Instant::now() + PATIENCE;
    let batches = reading::batches(touched);
    let mut asking = Vec::new();
    for batch in &batches {
        asking.push(async move { (batch, tokio::time::timeout_at(until, reader.read(batch)).await) });
    }
    let answers: Vec<_> = stream::iter(asking)
        .buffer_unordered(reading::AT_ONCE)
        .collect()
        .await;
    let mut readings = HashMap::new();
    for (batch, answer) in answers {
        if let Ok(Ok(answer)) = answer {
            readings.extend(batch.iter().map(|(place, _)| *place).zip(answer.readings));
        }
    }
    readings
}

fn state(leg: &LegView) -> LegState {
    LegState::parse(&leg.state).unwrap_or(LegState::Stuck)
}

fn outlook(reader: &Reader<'_>, leg: LegView, around: &Around, reading: Option<&Reading>) -> LegOutlook {
    let state = state(&leg);
    let manifest = leg.manifest.as_ref();
    let fate = settled(state, manifest)
        .unwrap_or_else(|| undoing(around.taken_from.as_deref(), reading.map(|r| r.spent)));
    let drift = match manifest.zip(reading).map(|(m, reading)| compare(m, reading)) {
        Some(Told::Differs { differences }) => differences,
        Some(Told::Same | Told::NotMade | Told::Silent { .. }) | None => Vec::new(),
    };
    let after = match (&fate, manifest) {
        (Fate::Removed | Fate::RemovedIfUnspent, Some(manifest)) => removed(reader, manifest),
        (_, manifest) => manifest.cloned(),
    };
    let stays = match fate {
        // Told when it was undone.
        Fate::UndoneAlready => Vec::new(),
        Fate::NothingMade
        | Fate::NotOurs
        | Fate::Removed
        | Fate::KeptSpent
        | Fate::KeptUntold
        | Fate::RemovedIfUnspent
        | Fate::GivenBack(_) => stays(&Back {
            state,
            taken_from: around.taken_from.as_deref(),
            manifest: after.as_ref(),
            beside: &around.beside,
        }),
    };
    LegOutlook {
        campaign_id: manifest.and_then(|m| m.campaign_id().map(str::to_owned)),
        platform: leg.platform,
        logical_campaign_key: leg.logical_campaign_key,
        state: leg.state,
        fate,
        stays,
        drift,
    }
}

/// What is sure without asking anybody; none: there is something to undo.
fn settled(state: LegState, manifest: Option<&Manifest>) -> Option<Fate> {
    match state {
        LegState::Undoing | LegState::Undone => return Some(Fate::UndoneAlready),
        LegState::Superseded => return Some(Fate::NotOurs),
        LegState::Waiting
        | LegState::Building
        | LegState::Built
        | LegState::Activating
        | LegState::Scheduled
        | LegState::Live
        | LegState::Failed
        | LegState::Stuck
        | LegState::Amending
        | LegState::Unamended
        | LegState::Retiring
        | LegState::Retired
        | LegState::Outgoing => {}
    }
    let left = |m: &Manifest| m.objects.iter().any(|o| o.state != ObjectState::Removed);
    (!manifest.is_some_and(left)).then_some(Fate::NothingMade)
}

/// What becomes of what there is. `spent` is what the platform told, if it was asked and answered.
fn undoing(taken_from: Option<&str>, spent: Option<Option<bool>>) -> Fate {
    match (taken_from, spent) {
        (Some(older), _) => Fate::GivenBack(older.to_owned()),
        (None, Some(Some(false))) => Fate::Removed,
        (None, Some(Some(true))) => Fate::KeptSpent,
        (None, Some(None)) => Fate::KeptUntold,
        (None, None) => Fate::RemovedIfUnspent,
    }
}

/// The manifest as it would be when everything that the adapter removes is removed.
fn removed(reader: &Reader<'_>, manifest: &Manifest) -> Option<Manifest> {
    let mut after = manifest.clone();
    let platform = platform::by_name(manifest.leg.platform.as_str())?;
    let Ok(account) = reader.account(manifest) else {
        return Some(after);
    };
    // Each round removes something, or it is over.
    for _ in 0..=manifest.objects.len() {
        let mutations = platform.next(Goal::Removed, &[], &after, account);
        let keys: Vec<&String> = mutations.iter().flat_map(|m| &m.objects).collect();
        let mut changed = false;
        for object in &mut after.objects {
            if object.state == ObjectState::Created && keys.contains(&&object.key) {
                object.state = ObjectState::Removed;
                changed = true;
            }
        }
        if !changed {
            break;
        }
    }
    Some(after)
}
