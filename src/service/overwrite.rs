//! What a payload would do to what somebody changed on the platforms: overwrite it, or leave it.
//!
//! An amendment sends the fields that differ from what we last applied, and no others; what the platform holds otherwise it does not
//! even see. So a change by hand is overwritten exactly where the payload changes the same field. Must not change anything.

use super::drift::{Difference, Looked, Told};
use crate::domain::manifest::{Desired, Manifest};
use crate::domain::plan::Plan;
use crate::domain::spec::{LegSpec, leg_specs};
use crate::domain::tenant::{Account, Tenant};
use crate::outbound::Outbound;
use crate::platform::{self, AccountFacts, Platform, Session};
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
        let tenant = tenant.as_ref();
        let policy = tenant.map_or("", |t| t.policy.eu_political_advertising.as_str());
        let specs = leg_specs(plan, policy);
        let legs = self.store.legs(execution_id, 20_000).await?;
        let mut accounts: BTreeMap<&str, Result<Probed, String>> = BTreeMap::new();
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
                Some(spec) => {
                    let name = leg.platform.as_str();
                    if !accounts.contains_key(name) {
                        accounts.insert(
                            name,
                            Probed::ask(&self.outbound, &self.base_urls, name, tenant).await,
                        );
                    }
                    against(
                        accounts.get(name),
                        view.manifest.as_ref(),
                        ("this payload", &as_applied(view, spec)),
                        differences,
                    )
                }
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
}

/// A tenant's account on a platform, as it is: what a payload comes to may depend on that.
pub(super) struct Probed {
    platform: Arc<dyn Platform>,
    account: Account,
    facts: AccountFacts,
}

impl Probed {
    /// Asks the platform about the account.
    ///
    /// # Errors
    /// Why it could not be asked, for a person.
    pub(super) async fn ask(
        outbound: &Outbound,
        base_urls: &BTreeMap<String, Arc<str>>,
        name: &str,
        tenant: Option<&Tenant>,
    ) -> Result<Self, String> {
        let platform =
            platform::by_name(name).ok_or_else(|| format!("this version has no adapter for {name}"))?;
        let account = tenant.and_then(|t| t.accounts.get(name));
        let account = account.ok_or("the tenant has no account there")?.clone();
        let session = Session::of(outbound, base_urls, platform.as_ref(), &account);
        let facts = platform.probe(&session).await.map_err(|e| e.to_string())?;
        Ok(Self {
            platform,
            account,
            facts,
        })
    }
}

/// The payload's spec of a leg as it would be applied to what the leg has.
fn as_applied(view: &LegView, spec: &LegSpec) -> LegSpec {
    let mut wanted = spec.clone();
    wanted.assets.clone_from(&view.spec.assets);
    if view.spec.key.plan_version == spec.key.plan_version {
        // A name once given is kept.
        wanted.campaign_name.clone_from(&view.spec.campaign_name);
    }
    wanted
}

/// What becomes of each difference of a leg when it is made to be as the spec says: a sentence each.
pub(super) fn against(
    account: Option<&Result<Probed, String>>,
    manifest: Option<&Manifest>,
    (whose, wanted): (&str, &LegSpec),
    differences: &[Difference],
) -> Vec<String> {
    let told = match (account, manifest) {
        (Some(Ok(a)), Some(manifest)) => a
            .platform
            .desire(wanted, &a.account, &a.facts)
            .map(|desired| {
                differences
                    .iter()
                    .map(|d| becomes(d, &desired, manifest, whose))
                    .collect()
            })
            .map_err(|error| error.message),
        (Some(Err(why)), _) => Err(why.clone()),
        (_, None) | (None, _) => Err("nothing is known of it".to_owned()),
    };
    told.unwrap_or_else(|why| vec![format!("cannot be told: {why}"); differences.len()])
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

/// What becomes of one difference; `whose` wish that is: `this payload`.
fn becomes(difference: &Difference, desired: &[Desired], manifest: &Manifest, whose: &str) -> String {
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
                return format!("goes with it: {whose} does not have it");
            };
            // An update sends a field whole.
            let whole = field.split('.').next().unwrap_or(field);
            let new = field
                .split('.')
                .try_fold(wanted, |value, name| value.get(name))
                .unwrap_or(&Value::Null);
            if wanted.get(whole) == applied.get(whole) {
                format!("stays as it is there; {whose} does not touch it")
            } else if new == theirs {
                format!("is what {whose} asks for")
            } else {
                format!("is OVERWRITTEN with {new}")
            }
        }
    }
}
