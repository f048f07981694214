//! What a rollback would do, leg by leg, before anybody asks for it.
//!
//! Reads the platforms for what only they know (whether a campaign has spent, what somebody changed there), many legs in one go
//! (`reading`) and within a bound: a rollback is urgent, and a platform that does not answer is said to be unknown. Must not
//! change anything.

use super::drift::{Difference, Told, compare};
use super::overwrite::{Probed, against};
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
    /// What somebody changed on the platform.
    pub drift: Vec<Difference>,
    /// What becomes of each of these.
    pub drift_becomes: Vec<String>,
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
        let mut told = Vec::with_capacity(legs.len());
        let mut older = Older::default();
        for (place, leg) in legs.iter().enumerate() {
            let around = around.get(&leg.leg_id).unwrap_or(&nothing);
            let mut one = outlook(&reader, leg, around, readings.get(&place));
            let given_back = match &one.fate {
                Fate::GivenBack(version) if !one.drift.is_empty() => Some(version.clone()),
                Fate::GivenBack(_)
                | Fate::NothingMade
                | Fate::UndoneAlready
                | Fate::NotOurs
                | Fate::Removed
                | Fate::KeptSpent
                | Fate::KeptUntold
                | Fate::RemovedIfUnspent => None,
            };
            one.drift_becomes = if let Some(version) = given_back {
                older.ask(self, &reader, leg, &version).await?;
                older.becomes(leg, &version, &one.drift)
            } else {
                let each = one.drift.iter();
                each.map(|d| with_the_campaign(&one.fate, d).to_owned()).collect()
            };
            told.push(one);
        }
        Ok(Outlook {
            legs: told,
            returning: self.store.returning(execution_id).await?,
        })
    }
}

/// What is asked for only where somebody changed what goes back to an older version: that version's legs, and the accounts.
#[derive(Default)]
struct Older {
    legs: HashMap<String, Vec<LegView>>,
    accounts: HashMap<String, Result<Probed, String>>,
}

impl Older {
    async fn ask(
        &mut self,
        foresight: &Foresight,
        reader: &Reader<'_>,
        leg: &LegView,
        version: &str,
    ) -> Result<(), StoreError> {
        if !self.legs.contains_key(version) {
            let tenant = leg.spec.key.tenant_id.as_str();
            let found = foresight.store.executions(Some(tenant), Some(version), 1).await?;
            let legs = match found.first() {
                Some(execution) => foresight.store.legs(execution.id, 20_000).await?,
                None => Vec::new(),
            };
            self.legs.insert(version.to_owned(), legs);
        }
        if !self.accounts.contains_key(&leg.platform) {
            let account = Probed::ask(reader.outbound, reader.base_urls, &leg.platform, reader.tenant).await;
            self.accounts.insert(leg.platform.clone(), account);
        }
        Ok(())
    }

    /// What the older version's spec makes of each difference.
    fn becomes(&self, leg: &LegView, version: &str, differences: &[Difference]) -> Vec<String> {
        let same = |other: &&LegView| {
            (&other.platform, &other.logical_campaign_key) == (&leg.platform, &leg.logical_campaign_key)
        };
        let spec = self.legs.get(version).and_then(|legs| legs.iter().find(same));
        let spec = &spec.unwrap_or(leg).spec;
        let told = against(
            self.accounts.get(&leg.platform),
            leg.manifest.as_ref(),
            (version, spec),
            differences,
        );
        let each = differences.iter().zip(told);
        each.map(|(difference, words)| match difference {
            Difference::Serving { object, .. } if object == "campaign" => {
                format!("goes off at once, then it is as {version} had it")
            }
            // What is given back is switched by its campaign; what hangs on it is left as it is.
            Difference::Serving { theirs: "paused", .. } => {
                "stays off until somebody switches it on there".to_owned()
            }
            Difference::Serving { .. } => "stays as it is there".to_owned(),
            Difference::Gone { .. } | Difference::Field { .. } => words,
        })
        .collect()
    }
}

/// What becomes of a change by hand of what is not given back.
fn with_the_campaign(fate: &Fate, difference: &Difference) -> &'static str {
    match (fate, difference) {
        (Fate::Removed, _) => "goes with the campaign",
        (Fate::RemovedIfUnspent, _) => "goes with the campaign if that never spent",
        (_, Difference::Serving { .. }) => "is off afterwards",
        (_, Difference::Gone { .. } | Difference::Field { .. }) => "stays as it is there",
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

fn outlook(reader: &Reader<'_>, leg: &LegView, around: &Around, reading: Option<&Reading>) -> LegOutlook {
    let state = state(leg);
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
        platform: leg.platform.clone(),
        logical_campaign_key: leg.logical_campaign_key.clone(),
        state: leg.state.clone(),
        fate,
        stays,
        drift,
        drift_becomes: Vec::new(),
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
