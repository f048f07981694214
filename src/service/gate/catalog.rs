//! The product feeds that the plan relies on: each catalog that it names is looked at where it lives, and each that its
//! campaigns show products of is one that it names.
//!
//! Must not judge (`domain::catalog` does), and must not let a catalog pass that nobody looked at.

use super::{Gatekeeper, PATIENCE};
use crate::domain::catalog::{CatalogHealth, judge};
use crate::domain::error::{ErrorClass, LegError};
use crate::domain::gate::{Check, Outcome};
use crate::domain::plan::{Catalog, Plan};
use crate::domain::spec::LegSpec;
use crate::domain::tenant::{Account, Tenant};
use crate::health::{NotAsked, merchant};
use crate::platform::{self, CallError, Platform};
use crate::retry;
use crate::wire;
use futures::future::join_all;
use std::collections::{BTreeMap, BTreeSet};

/// The account of a tenant's map that holds Google's feeds, and the platform that shows their products.
const MERCHANT: (&str, &str) = ("merchant", "google-ads");

/// A catalog's health with its age, seconds; none: the plan names none there.
pub(super) type Looked = Result<Option<(CatalogHealth, i64)>, CallError>;

impl Gatekeeper {
    /// Every feed check of the plan; none: it shows no products.
    pub(super) async fn catalog(&self, plan: &Plan, tenant: &Tenant, specs: &[LegSpec]) -> Vec<Check> {
        let mut checks = unnamed(plan.catalog.as_ref(), specs);
        let Some(catalog) = &plan.catalog else {
            return checks;
        };
        let elsewhere = join_all(platform::all().into_iter().filter_map(|platform| {
            let account = tenant.accounts.get(platform.name())?;
            Some(async move {
                let looked = self.feed(tenant, platform.as_ref(), account, catalog).await;
                (format!("feed:{}", platform.name()), looked)
            })
        }));
        let (elsewhere, google) = tokio::join!(elsewhere, self.merchant(tenant, catalog));
        let mut seen = BTreeSet::new();
        let mut all_answered = true;
        for (check, looked) in elsewhere.into_iter().chain(google) {
            match looked {
                Ok(None) => {}
                Ok(Some((health, age_s))) => {
                    let verdict = judge(&check, &health, catalog.max_critical);
                    seen.insert(health.catalog_id);
                    checks.push(Check { age_s, ..verdict });
                }
                Err(error) => {
                    all_answered = false;
                    checks.push(not_known(check, error));
                }
            }
        }
        // Who did not answer may be the one whose catalog it is; that is said already.
        for (field, id) in catalog.named() {
            if all_answered && !seen.contains(id) {
                checks.push(Check::not(
                    Outcome::Fail,
                    format!("feed:{field}"),
                    format!(
                        "nobody could be asked about {field} {id}: tenant {} has no account that holds it",
                        tenant.tenant_id
                    ),
                    "correct the plan's catalog, or onboard the tenant with the account",
                ));
            }
        }
        checks
    }

    /// The Merchant Center account, which must be the tenant's own.
    async fn merchant(&self, tenant: &Tenant, catalog: &Catalog) -> Option<(String, Looked)> {
        let named = catalog.merchant_account.as_deref()?;
        let (account_name, platform) = MERCHANT;
        let check = format!("feed:{platform}");
        let refuse = |what: String| {
            let remedy = "correct catalog.merchant_account, or onboard the tenant with `merchant`";
            let error = LegError::new(ErrorClass::Account, "merchant-account", what, remedy);
            Err(CallError::refused(error))
        };
        let looked = match tenant.accounts.get(account_name) {
            None => refuse(format!(
                "tenant {} has no Merchant Center account",
                tenant.tenant_id
            )),
            Some(account) if account.account_id != named => refuse(format!(
                "the plan names Merchant Center {named}, the tenant's is {}",
                account.account_id
            )),
            Some(account) if account.status != "active" => refuse(format!(
                "Merchant Center {} is {}",
                account.account_id, account.status
            )),
            Some(account) => {
                let question = merchant::Question {
                    base: &self.config.merchant,
                    account,
                    countries: &catalog.countries,
                };
                let ask = || async {
                    let answer = merchant::check(&self.outbound, question).await;
                    answer.map(Some).map_err(|not_asked| match not_asked {
                        NotAsked::Refused { reason, remedy } => {
                            CallError::refused(LegError::new(ErrorClass::Account, "merchant", reason, remedy))
                        }
                        NotAsked::Unknown(unknown) => CallError::Unavailable {
                            why: unknown.why,
                            after: unknown.again_in,
                        },
                    })
                };
                self.looked(tenant, &probe(account_name, catalog), ask).await
            }
        };
        Some((check, looked))
    }

    /// A platform's own catalog.
    async fn feed(
        &self,
        tenant: &Tenant,
        platform: &dyn Platform,
        account: &Account,
        catalog: &Catalog,
    ) -> Looked {
        let session = self.session(platform, account);
        let ask = || platform.catalog_health(&session, catalog);
        self.looked(tenant, &probe(platform.name(), catalog), ask).await
    }

    /// A health that plans share for a while, asked anew when there is none or it is not well.
    async fn looked<F>(&self, tenant: &Tenant, probe: &str, ask: impl Fn() -> F) -> Looked
    where
        F: Future<Output = Result<Option<CatalogHealth>, CallError>>,
    {
        let id = tenant.tenant_id.as_str();
        let later = super::later;
        let flight = || async {
            let kept = self.store.verdict(id, probe, self.config.verdict_ttl_s).await;
            if let Some((verdict, age)) = kept.map_err(later)?
                && let Ok(health) = serde_json::from_value::<CatalogHealth>(verdict)
            {
                return Ok(Some((health, age)));
            }
            let found = retry::look(PATIENCE, super::passes, &ask).await?;
            // A feed in trouble is asked again each time: it may have been mended.
            if let Some(health) = found
                .as_ref()
                .filter(|h| judge("", h, 0).outcome == Outcome::Pass)
            {
                self.store.keep_verdict(id, probe, health).await.map_err(later)?;
            }
            Ok(found.map(|health| (health, 0)))
        };
        self.flights.feeds.share(&format!("{id} {probe}"), flight).await
    }
}

/// What the verdict answers: the same catalog in other countries is another question.
fn probe(who: &str, catalog: &Catalog) -> String {
    let asked = format!("{:?} {:?}", catalog.named(), catalog.countries);
    format!("feed:{who}:{}", wire::event_id(&[&asked]))
}

fn not_known(check: String, error: CallError) -> Check {
    match error {
        CallError::Refused(error) => Check::refused(check, &error),
        CallError::Unavailable { why, after } => Check::unknown(check, why, after),
        CallError::Unclear { why } => Check::unknown(check, why, None),
    }
}

/// Legs whose ads show products of a catalog that the plan does not name, by platform.
fn unnamed(catalog: Option<&Catalog>, specs: &[LegSpec]) -> Vec<Check> {
    let named: BTreeSet<&str> = catalog
        .into_iter()
        .flat_map(|c| c.named())
        .map(|(_, id)| id)
        .collect();
    let mut found: BTreeMap<(String, String), Vec<&str>> = BTreeMap::new();
    for spec in specs {
        let name = spec.key.platform.as_str();
        let used = platform::by_name(name).and_then(|p| p.catalog_used(spec));
        if let Some(id) = used.filter(|id| !named.contains(id.as_str())) {
            let legs = found.entry((name.to_owned(), id)).or_default();
            legs.push(spec.key.logical_campaign_key.as_str());
        }
    }
    found
        .into_iter()
        .map(|((platform, id), legs)| {
            Check::not(
                Outcome::Fail,
                format!("feed:{platform}/{id}"),
                format!(
                    "{} shows products of catalog {id}, which the plan's `catalog` does not name",
                    legs.join(", ")
                ),
                "name it in the plan's `catalog`, so that its feed is checked",
            )
        })
        .collect()
}
