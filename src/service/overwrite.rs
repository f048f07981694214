//! What a payload would do to what somebody changed on the platforms: overwrite it, or leave it.
//!
//! An amendment sends the fields that differ from what we last applied, and no others; what the platform holds otherwise it does not
//! even see. So a change by hand is overwritten exactly where the payload changes the same field. Must not change anything.

use super::drift::{Difference, Looked, Told};
use crate::domain::manifest::{Desired, Manifest};
use crate::domain::plan::Plan;
use crate::domain::spec::{LegSpec, leg_specs};
use crate::outbound::Outbound;
use crate::platform::{self, Session};
use crate::store::views::LegView;
use crate::store::{Store, StoreError};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Tells what an amendment would do to what somebody changed.
pub struct Overwriting {
    /// The manifests.
    pub store: Store,
    /// HTTP and credentials.
    pub outbound: Outbound,
    /// By platform id: where its API lives.
    pub base_urls: BTreeMap<String, Arc<str>>,
}

impl Overwriting {
    /// One sentence per difference that was found.
    ///
    /// # Errors
    /// [`StoreError`]; a platform that does not answer is a sentence.
    pub async fn look(
        &self,
        execution_id: i64,
        plan: &Plan,
        looked: &[Looked],
    ) -> Result<Vec<String>, StoreError> {
        if !looked.iter().any(|leg| matches!(leg.told, Told::Differs { .. })) {
            return Ok(Vec::new());
        }
        let tenant = self.store.tenant(plan.tenant_id.as_str()).await?;
        let policy = tenant.map(|t| t.policy.eu_political_advertising);
        let specs = leg_specs(plan, policy.as_ref().map_or("", |p| p.as_str()));
        let legs = self.store.legs(execution_id, 20_000).await?;
        let mut sentences = Vec::new();
        for leg in looked {
            let Told::Differs { differences } = &leg.told else {
                continue;
            };
            let place = format!("{}/{}", leg.platform, leg.logical_campaign_key);
            let Some(view) = legs.iter().find(|l| l.leg_id == leg.leg_id) else {
                continue;
            };
            let wanted = specs.iter().find(|s| {
                s.key.platform.as_str() == leg.platform
                    && s.key.logical_campaign_key.as_str() == leg.logical_campaign_key
            });
            let words = match wanted {
                None => differences.iter().map(|_| GOES_OFF.to_owned()).collect(),
                Some(spec) => self.against(view, spec, differences).await?,
            };
            sentences.extend(
                differences
                    .iter()
                    .zip(words)
                    .map(|(difference, words)| format!("{place}: {}: {words}", about(difference))),
            );
        }
        Ok(sentences)
    }

    async fn against(
        &self,
        view: &LegView,
        spec: &LegSpec,
        differences: &[Difference],
    ) -> Result<Vec<String>, StoreError> {
        let cannot = |why: String| Ok(vec![format!("cannot be told: {why}"); differences.len()]);
        let (Some(platform), Some(manifest)) = (platform::by_name(&view.platform), &view.manifest) else {
            return cannot("nothing is known of it".to_owned());
        };
        let tenant = self.store.tenant(spec.key.tenant_id.as_str()).await?;
        let Some(account) = tenant.and_then(|t| t.accounts.get(platform.name()).cloned()) else {
            return cannot("the tenant has no account there".to_owned());
        };
        let session = Session::of(&self.outbound, &self.base_urls, platform.as_ref(), &account);
        let facts = match platform.probe(&session).await {
            Ok(facts) => facts,
            Err(error) => return cannot(error.to_string()),
        };
        let same_version = view.spec.key.plan_version == spec.key.plan_version;
        let mut spec = spec.clone();
        spec.assets.clone_from(&view.spec.assets);
        if same_version {
            // A name once given is kept.
            spec.campaign_name.clone_from(&view.spec.campaign_name);
        }
        match platform.desire(&spec, &session.account, &facts) {
            Ok(desired) => Ok(differences
                .iter()
                .map(|d| becomes(d, &desired, manifest))
                .collect()),
            Err(error) => cannot(error.message),
        }
    }
}

const GOES_OFF: &str = "stays as it is there; the campaign is switched off and kept";

fn about(difference: &Difference) -> String {
    match difference {
        Difference::Gone { object, .. } => format!("{object}, removed there"),
        Difference::Field {
            object,
            field,
            theirs,
            ..
        } => format!("{object}.{field}, {theirs} there"),
        Difference::Serving { object, theirs, .. } => format!("{object}, {theirs} there"),
    }
}

/// What becomes of one difference.
fn becomes(difference: &Difference, desired: &[Desired], manifest: &Manifest) -> String {
    match difference {
        Difference::Gone { .. } => {
            "is not made again by this; `drift --mend` does that, and comes first".to_owned()
        }
        Difference::Serving { .. } => "stays as it is there".to_owned(),
        Difference::Field {
            object,
            field,
            theirs,
            ..
        } => {
            let wanted = desired.iter().find(|d| d.key == *object).map(|d| &d.fields);
            let applied = manifest.get(object).map(|o| &o.applied);
            let (Some(wanted), Some(applied)) = (wanted, applied) else {
                return "goes with it: this payload no longer has it".to_owned();
            };
            // An update sends a field whole.
            let whole = field.split('.').next().unwrap_or(field);
            let new = field
                .split('.')
                .try_fold(wanted, |value, name| value.get(name))
                .unwrap_or(&Value::Null);
            if wanted.get(whole) == applied.get(whole) {
                "stays as it is there; this payload does not touch it".to_owned()
            } else if new == theirs {
                "is what this payload asks for".to_owned()
            } else {
                format!("is OVERWRITTEN with {new}")
            }
        }
    }
}
