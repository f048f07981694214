//! What a rollback would do, leg by leg, before anybody asks for it.
//!
//! Reads the platforms for what only they know (whether a campaign has spent, what somebody changed there), within a bound: a
//! rollback is urgent, and a platform that does not answer is said to be unknown. Must not change anything.

use super::drift::{Difference, Told, compare};
use crate::domain::leftover::{Back, Stay, stays};
use crate::domain::manifest::{Manifest, ObjectState};
use crate::domain::saga::LegState;
use crate::outbound::Outbound;
use crate::platform::{self, Goal, Platform, Session};
use crate::store::leftovers::{Around, Returning};
use crate::store::views::LegView;
use crate::store::{Store, StoreError};
use futures::{StreamExt, stream};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Legs looked at at the same time.
const AT_ONCE: usize = 16;
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
            Self::NothingMade => "nothing was made".to_owned(),
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
        let until = Instant::now() + PATIENCE;
        let nothing = Around::default();
        let mut looked: Vec<(usize, LegOutlook)> = stream::iter(legs.into_iter().enumerate())
            .map(|(place, leg)| {
                let around = around.get(&leg.leg_id).unwrap_or(&nothing);
                async move { (place, self.one(leg, around, ask.then_some(until)).await) }
            })
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        looked.sort_by_key(|(place, _)| *place);
        Ok(Outlook {
            legs: looked.into_iter().map(|(_, leg)| leg).collect(),
            returning: self.store.returning(execution_id).await?,
        })
    }

    async fn one(&self, leg: LegView, around: &Around, ask: Option<Instant>) -> LegOutlook {
        let state = LegState::parse(&leg.state).unwrap_or(LegState::Stuck);
        let (fate, drift) = self.fate(&leg, state, around, ask).await;
        let after = match (&fate, &leg.manifest) {
            (Fate::Removed | Fate::RemovedIfUnspent, Some(manifest)) => {
                removed(&leg.platform, manifest, self).await
            }
            (_, manifest) => manifest.clone(),
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
            campaign_id: leg
                .manifest
                .as_ref()
                .and_then(|m| m.campaign_id().map(str::to_owned)),
            platform: leg.platform,
            logical_campaign_key: leg.logical_campaign_key,
            state: leg.state,
            fate,
            stays,
            drift,
        }
    }

    async fn fate(
        &self,
        leg: &LegView,
        state: LegState,
        around: &Around,
        ask: Option<Instant>,
    ) -> (Fate, Vec<Difference>) {
        match state {
            LegState::Undoing | LegState::Undone => return (Fate::UndoneAlready, Vec::new()),
            LegState::Superseded => return (Fate::NotOurs, Vec::new()),
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
        let Some(manifest) = leg.manifest.as_ref().filter(|m| !m.objects.is_empty()) else {
            return (Fate::NothingMade, Vec::new());
        };
        let seen = match ask {
            Some(until) => self.read(&leg.platform, manifest, until).await,
            None => None,
        };
        let drift = match seen.as_ref().map(|reading| compare(manifest, reading)) {
            Some(Told::Differs { differences }) => differences,
            Some(Told::Same | Told::NotMade | Told::Silent { .. }) | None => Vec::new(),
        };
        let fate = match (&around.taken_from, seen.map(|reading| reading.spent)) {
            (Some(older), _) => Fate::GivenBack(older.clone()),
            (None, Some(Some(false))) => Fate::Removed,
            (None, Some(Some(true))) => Fate::KeptSpent,
            (None, Some(None)) => Fate::KeptUntold,
            (None, None) => Fate::RemovedIfUnspent,
        };
        (fate, drift)
    }

    async fn read(&self, name: &str, manifest: &Manifest, until: Instant) -> Option<platform::Reading> {
        let platform = platform::by_name(name)?;
        let session = self.session(platform.as_ref(), manifest).await?;
        let reading = tokio::time::timeout_at(until, platform.read(&session, manifest)).await;
        reading.ok()?.ok()
    }

    async fn session(&self, platform: &dyn Platform, manifest: &Manifest) -> Option<Session> {
        let tenant = self.store.tenant(manifest.leg.tenant_id.as_str()).await.ok()??;
        let account = tenant.accounts.get(platform.name())?;
        (account.account_id == manifest.account_id)
            .then(|| Session::of(&self.outbound, &self.base_urls, platform, account))
    }
}

/// The manifest as it would be when everything that the adapter removes is removed.
async fn removed(name: &str, manifest: &Manifest, foresight: &Foresight) -> Option<Manifest> {
    let mut after = manifest.clone();
    let platform = platform::by_name(name)?;
    let Some(session) = foresight.session(platform.as_ref(), manifest).await else {
        return Some(after);
    };
    // Each round removes something, or it is over.
    for _ in 0..=manifest.objects.len() {
        let mutations = platform.next(Goal::Removed, &[], &after, &session.account);
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
