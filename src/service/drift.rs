//! What the platforms hold beside what the manifest says.
//!
//! One `read` per leg, several at the same time; nothing is changed. Must not judge whose change it was: the manifest holds
//! what we applied, so whatever differs was not done by us.

use crate::domain::manifest::{Manifest, ObjectState, Serving};
use crate::outbound::Outbound;
use crate::platform::{self, CallError, Reading, Session};
use crate::store::views::LegView;
use crate::store::{Store, StoreError};
use futures::{StreamExt, stream};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Legs looked at at the same time.
const AT_ONCE: usize = 16;

/// Looks at what is there.
pub struct Drift {
    /// The manifests.
    pub store: Store,
    /// HTTP and credentials.
    pub outbound: Outbound,
    /// By platform id: where its API lives.
    pub base_urls: BTreeMap<String, Arc<str>>,
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

impl Drift {
    /// Looks at every leg of an execution, in the plan's order.
    ///
    /// # Errors
    /// [`StoreError`]; a platform that does not answer is no error.
    pub async fn look(&self, execution_id: i64) -> Result<Vec<Looked>, StoreError> {
        let legs = self.store.legs(execution_id, 20_000).await?;
        let mut looked: Vec<(usize, Looked)> = stream::iter(legs.into_iter().enumerate())
            .map(|(place, leg)| async move { Ok((place, self.one(leg).await?)) })
            .buffer_unordered(AT_ONCE)
            .collect::<Vec<Result<_, StoreError>>>()
            .await
            .into_iter()
            .collect::<Result<_, _>>()?;
        looked.sort_by_key(|(place, _)| *place);
        Ok(looked.into_iter().map(|(_, leg)| leg).collect())
    }

    async fn one(&self, leg: LegView) -> Result<Looked, StoreError> {
        let made = leg.manifest.filter(|m| m.existing().next().is_some());
        let told = match &made {
            // What a newer version has is that version's to compare.
            Some(_) if leg.state == "superseded" => Told::NotMade,
            Some(manifest) => self.ask(&leg.platform, manifest).await?,
            None => Told::NotMade,
        };
        Ok(Looked {
            leg_id: leg.leg_id,
            platform: leg.platform,
            logical_campaign_key: leg.logical_campaign_key,
            state: leg.state,
            campaign_id: made.as_ref().and_then(|m| m.campaign_id().map(str::to_owned)),
            told,
        })
    }

    async fn ask(&self, name: &str, manifest: &Manifest) -> Result<Told, StoreError> {
        let silent = |why: String| Ok(Told::Silent { why });
        let Some(platform) = platform::by_name(name) else {
            return silent(format!("this version has no adapter for {name}"));
        };
        let tenant = self.store.tenant(manifest.leg.tenant_id.as_str()).await?;
        let Some(account) = tenant.and_then(|t| t.accounts.get(name).cloned()) else {
            return silent(format!("the tenant has no {name} account any more"));
        };
        if account.account_id != manifest.account_id {
            return silent(format!(
                "it lives in account {}, the tenant's account is now {}",
                manifest.account_id, account.account_id
            ));
        }
        let base_url = self.base_urls.get(name).cloned();
        let session = Session {
            outbound: self.outbound.clone(),
            base_url: base_url.unwrap_or_else(|| platform.traits().base_url.into()),
            account,
            deadline: platform.traits().deadline,
        };
        match platform.read(&session, manifest).await {
            Ok(reading) => Ok(compare(manifest, &reading)),
            Err(CallError::Refused(error)) => silent(error.message),
            Err(CallError::Unavailable { why, .. } | CallError::Unclear { why }) => silent(why),
        }
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
