//! What the platforms hold beside what the manifest says.
//!
//! Legs of one account are read together (`reading`), several accounts at the same time; nothing is changed. Must not
//! guess whose change it was: the manifest holds what we applied, so whatever differs was not done by us; who did it is told where
//! the platform keeps a log of that, without what our own audit log says was us.

use super::reading::{self, Answer, Reader};
use crate::clock::SharedClock;
use crate::domain::manifest::{Manifest, ObjectState, Serving};
use crate::outbound::Outbound;
use crate::platform::{Change, Platform, Reading, Session};
use crate::store::views::LegView;
use crate::store::{Store, StoreError};
use chrono::{DateTime, TimeDelta, Utc};
use futures::{StreamExt, TryStreamExt, stream};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How far a platform's clock may be from ours, and its log's time from our audit entry's: a call's deadline is the most.
const MOMENTS: TimeDelta = TimeDelta::seconds(60);

/// A leg's place, what the platform told of it, and who else changed it.
type Placed = (usize, Told, Vec<Change>);

/// Looks at what is there.
pub struct Drift {
    /// The manifests.
    pub store: Store,
    /// HTTP and credentials.
    pub outbound: Outbound,
    /// By platform id: where its API lives.
    pub base_urls: BTreeMap<String, Arc<str>>,
    /// Until when logs are read.
    pub clock: SharedClock,
}

/// One leg, looked at.
#[derive(Debug, Clone, Serialize)]
pub struct Looked {
    /// The leg's row.
    pub leg_id: i64,
    /// The platform.
    pub platform: String,
    /// The planner's key.
    pub logical_campaign_key: String,
    /// Where the leg stands.
    pub state: String,
    /// The campaign's id there.
    pub campaign_id: Option<String>,
    /// What the platform told.
    #[serde(flatten)]
    pub told: Told,
    /// Who else changed it, newest first, as far as the platform's own log says; looked up only for what differs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
}

/// What the platform told of a leg.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum Told {
    /// It holds what the manifest says.
    Same,
    /// There is nothing to look for.
    NotMade,
    /// It could not be asked.
    Silent {
        /// Why.
        why: String,
    },
    /// It holds something else.
    Differs {
        /// What.
        differences: Vec<Difference>,
    },
}

/// One thing that is otherwise.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Difference {
    /// It was removed.
    Gone {
        /// Its key in the manifest.
        object: String,
        /// The platform's id.
        remote_id: String,
    },
    /// A field has another value.
    Field {
        /// The object's key in the manifest.
        object: String,
        /// The field's path in the adapter's normal form.
        field: String,
        /// What we applied.
        ours: Value,
        /// What is there.
        theirs: Value,
    },
    /// It is on where it should be off, or the other way round.
    Serving {
        /// The object's key in the manifest.
        object: String,
        /// `active` or `paused`.
        ours: &'static str,
        /// `active` or `paused`.
        theirs: &'static str,
    },
}

impl Difference {
    /// For a person: what differs, and who says what.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Gone { object, remote_id } => {
                format!("{object} ({remote_id}) is not there any more; the manifest says it is")
            }
            Self::Field {
                object,
                field,
                ours,
                theirs,
            } => format!("{object}.{field}: manifest says {ours}, platform says {theirs}"),
            Self::Serving { object, ours, theirs } => {
                format!("{object}: manifest says {ours}, platform says {theirs}")
            }
        }
    }
}

impl Drift {
    /// Looks at every leg of an execution, in the plan's order.
    ///
    /// # Errors
    /// [`StoreError`]; a platform that does not answer is no error.
    pub async fn look(&self, execution_id: i64) -> Result<Vec<Looked>, StoreError> {
        let legs = self.store.legs(execution_id, 20_000).await?;
        let tenant = match legs.first() {
            Some(leg) => self.store.tenant(leg.spec.key.tenant_id.as_str()).await?,
            None => None,
        };
        let reader = Reader {
            outbound: &self.outbound,
            base_urls: &self.base_urls,
            tenant: tenant.as_ref(),
        };
        let mut told: Vec<(Told, Vec<Change>)> = legs.iter().map(|_| (Told::NotMade, Vec::new())).collect();
        let made = legs.iter().enumerate().filter_map(|(place, leg)| {
            let made = leg.manifest.as_ref().filter(|m| m.existing().next().is_some());
            // What a newer version has is that version's to compare.
            made.filter(|_| leg.state != "superseded").map(|m| (place, m))
        });
        let batches = reading::batches(made);
        // Named futures in a list: what a closure borrows would keep this from running as a task.
        let mut asking = Vec::new();
        for batch in &batches {
            asking.push(self.ask(&reader, batch));
        }
        let answers: Vec<Vec<Placed>> = stream::iter(asking)
            .buffer_unordered(reading::AT_ONCE)
            .try_collect()
            .await?;
        for (place, answer, changes) in answers.into_iter().flatten() {
            if let Some(told) = told.get_mut(place) {
                *told = (answer, changes);
            }
        }
        let one = |(leg, (told, changes)): (LegView, (Told, Vec<Change>))| Looked {
            leg_id: leg.leg_id,
            campaign_id: leg
                .manifest
                .and_then(|m| Some(m.existing().next().and(m.campaign_id())?.to_owned())),
            platform: leg.platform,
            logical_campaign_key: leg.logical_campaign_key,
            state: leg.state,
            told,
            changes,
        };
        drop(batches);
        Ok(legs.into_iter().zip(told).map(one).collect())
    }

    /// What the platform tells of legs of one account.
    async fn ask(
        &self,
        reader: &Reader<'_>,
        batch: &[(usize, &Manifest)],
    ) -> Result<Vec<Placed>, StoreError> {
        let Answer {
            platform,
            session,
            readings,
        } = match reader.read(batch).await {
            Ok(answer) => answer,
            Err(why) => {
                let silent =
                    |(place, _): &(usize, &Manifest)| (*place, Told::Silent { why: why.clone() }, Vec::new());
                return Ok(batch.iter().map(silent).collect());
            }
        };
        let mut answers: Vec<Placed> = batch
            .iter()
            .zip(&readings)
            .map(|((place, manifest), reading)| (*place, compare(manifest, reading), Vec::new()))
            .collect();
        let differing: Vec<(usize, &Manifest)> = answers
            .iter()
            .zip(batch)
            .enumerate()
            .filter(|(_, ((_, told, _), _))| matches!(told, Told::Differs { .. }))
            .map(|(n, (_, (_, manifest)))| (n, *manifest))
            .collect();
        if !differing.is_empty() {
            let asked: Vec<&Manifest> = differing.iter().map(|(_, manifest)| *manifest).collect();
            let changes = self.others(platform.as_ref(), &session, &asked).await?;
            for ((n, _), changes) in differing.iter().zip(changes) {
                if let Some(answer) = answers.get_mut(*n) {
                    answer.2 = changes;
                }
            }
        }
        Ok(answers)
    }

    /// What others did to these legs since we first touched them. What was done by a program within moments of one of our own
    /// mutations, as the audit log has them, was us.
    async fn others(
        &self,
        platform: &dyn Platform,
        session: &Session,
        legs: &[&Manifest],
    ) -> Result<Vec<Vec<Change>>, StoreError> {
        let mut ours: BTreeMap<String, Vec<DateTime<Utc>>> = BTreeMap::new();
        let Some(first) = legs.first() else {
            return Ok(Vec::new());
        };
        let (tenant, version) = (first.leg.tenant_id.as_str(), first.leg.plan_version.as_str());
        for entry in self.store.audit_of(tenant, version).await? {
            if let (Some(leg), "mutation", Ok(at)) = (entry.leg, entry.action.as_str(), entry.at.parse()) {
                ours.entry(leg).or_default().push(at);
            }
        }
        let Some(since) = ours.values().flatten().min().copied() else {
            return Ok(Vec::new());
        };
        // A clock of theirs that is ahead hides nothing.
        let within = since - MOMENTS..self.clock.now() + TimeDelta::days(1);
        let mut changes = match platform.changes(session, legs, within).await {
            Ok(changes) => changes,
            Err(error) => {
                tracing::info!(platform = platform.name(), error = %error, "who changed it could not be asked");
                return Ok(Vec::new());
            }
        };
        for (manifest, changes) in legs.iter().zip(&mut changes) {
            let key = &manifest.leg;
            let mine = ours.get(&format!("{}/{}", key.platform, key.logical_campaign_key));
            let by_us = |change: &Change| {
                let near = |at: &DateTime<Utc>| (change.at - *at).abs() <= MOMENTS;
                change.program && mine.is_some_and(|mine| mine.iter().any(near))
            };
            changes.retain(|change| !by_us(change));
        }
        Ok(changes)
    }
}

/// The manifest beside a reading.
#[must_use]
pub fn compare(manifest: &Manifest, reading: &Reading) -> Told {
    let mut differences = Vec::new();
    for object in manifest
        .objects
        .iter()
        .filter(|o| o.state == ObjectState::Created)
    {
        let Some(seen) = reading.objects.iter().find(|s| s.key == object.key) else {
            differences.push(Difference::Gone {
                object: object.key.clone(),
                remote_id: object.remote_id.clone().unwrap_or_default(),
            });
            continue;
        };
        fields(&object.key, "", &object.applied, &seen.fields, &mut differences);
        let switches = object.serving != Serving::None && seen.serving != Serving::None;
        if switches && object.serving != seen.serving {
            differences.push(Difference::Serving {
                object: object.key.clone(),
                ours: object.serving.as_str(),
                theirs: seen.serving.as_str(),
            });
        }
    }
    if differences.is_empty() {
        Told::Same
    } else {
        Told::Differs { differences }
    }
}

/// Every field that we applied and that is otherwise; what the platform holds beside that is its own.
fn fields(object: &str, path: &str, ours: &Value, theirs: &Value, out: &mut Vec<Difference>) {
    let (Value::Object(o), Value::Object(t)) = (ours, theirs) else {
        if ours != theirs {
            out.push(Difference::Field {
                object: object.to_owned(),
                field: path.to_owned(),
                ours: ours.clone(),
                theirs: theirs.clone(),
            });
        }
        return;
    };
    for (name, value) in o {
        let inner = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        fields(object, &inner, value, t.get(name).unwrap_or(&Value::Null), out);
    }
}
