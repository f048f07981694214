//! Meta Marketing API v26.0: campaign → ad set → creative → ad, one POST per object.
//!
//! Must not decide whether a mutation may be sent, and must not send one twice. Here stands only what talks; what is said
//! is in `mapping` and `mutations` (pure), what answers mean in `reading` and `errors` (pure).
//!
//! What Meta gives us to work with (developers.facebook.com/docs/marketing-apis): no idempotency key, names are not unique, so
//! an unknown outcome is looked up by exact name, archived objects included, and of several the oldest is kept. The token
//! travels in the `Authorization` header, never in a URL; `appsecret_proof` signs each call.
//!
//! "No such object" (100/33) is also what a token hears that may not see it. So nothing counts as gone before the account
//! itself has been seen with the same token.

mod audience;
mod budgets;
mod catalog;
mod check;
mod creatives;
mod errors;
mod formats;
mod links;
mod lookup;
mod mapping;
mod mutations;
mod offers;
mod pace;
mod reading;
mod settings;
#[cfg(test)]
pub(super) mod tests;
mod transport;
mod uploads;
mod wire;

use super::{
    AccountFacts, CallError, Done, Found, Goal, Mutation, NotOffered, Op, Platform, Problem, Reading,
    Session, Traits, Upload, Uploaded,
};
use crate::domain::catalog::CatalogHealth;
use crate::domain::error::{ErrorClass, LegError};
use crate::domain::manifest::{Desired, Manifest, Serving};
use crate::domain::plan::{Catalog, Objective};
use crate::domain::spec::{Asset, LegSpec};
use crate::domain::tenant::Account;
use crate::domain::tracking;
use crate::outbound::pace::Quota;
use async_trait::async_trait;
use errors::Call;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// The platform's id.
const NAME: &str = "meta";
/// 29 July 2026 (developers.facebook.com/docs/graph-api/changelog).
const VERSION: &str = "/v26.0";
/// The macro for the campaign's id. Name macros keep what the name was at the first publishing, so ids only
/// (developers.facebook.com/documentation/ads-commerce/instagram/ads-api/guides/url-tags-for-tracking).
const CAMPAIGN_MACRO: &str = "{{campaign.id}}";
/// The same for the ad's own.
const AD_MACRO: &str = "{{ad.id}}";
/// How long one call may take.
const DEADLINE: Duration = Duration::from_secs(45);
/// How soon to try again when Meta does not know a parent that it has just made.
const LAG: Duration = Duration::from_secs(10);

/// The adapter. Holds nothing: everything comes with the session.
pub struct Meta;

#[async_trait]
impl Platform for Meta {
    fn name(&self) -> &'static str {
        NAME
    }

    fn traits(&self) -> Traits {
        Traits {
            display_name: "Meta",
            position: 1,
            base_url: "https://graph.facebook.com",
            tracking: tracking::Rule::Utm {
                campaign_macro: CAMPAIGN_MACRO,
            },
            // Reading one's own write by id is supported at once; what an edge shows may lag.
            settle: Duration::from_secs(10),
            deadline: DEADLINE,
        }
    }

    fn quota(&self) -> &'static Quota {
        &pace::QUOTA
    }

    fn offer(&self, objective: Objective, channel: Option<&str>) -> Result<&'static str, NotOffered> {
        offers::offer(objective, channel)
    }

    fn check(&self, spec: &LegSpec) -> Vec<Problem> {
        check::check(spec)
    }

    fn desire(
        &self,
        spec: &LegSpec,
        _account: &Account,
        _facts: &AccountFacts,
    ) -> Result<Vec<Desired>, Box<LegError>> {
        mapping::desire(spec)
    }

    fn next(&self, goal: Goal, desired: &[Desired], manifest: &Manifest, account: &Account) -> Vec<Mutation> {
        mutations::next(goal, desired, manifest, account)
    }

    fn removal(&self, _kind: &str, remote_id: &str, _account: &Account) -> Mutation {
        mutations::removal(Vec::new(), remote_id)
    }

    async fn probe(&self, session: &Session) -> Result<AccountFacts, CallError> {
        let path = format!("{VERSION}/{}", session.account.account_id);
        let fields = [("fields", wire::ACCOUNT_FIELDS.to_owned())];
        let (account, floors) =
            futures::join!(transport::get(session, &path, &fields), budgets::floors(session),);
        reading::facts(&account?, floors?.as_ref())
    }

    async fn catalog_health(
        &self,
        session: &Session,
        catalog: &Catalog,
    ) -> Result<Option<CatalogHealth>, CallError> {
        match &catalog.meta_catalog_id {
            Some(id) => catalog::health(session, id).await.map(Some),
            None => Ok(None),
        }
    }

    fn catalog_used(&self, spec: &LegSpec) -> Option<String> {
        let used = mapping::shows_products(spec);
        mapping::catalog_id(spec).filter(|_| used).map(str::to_owned)
    }

    fn upload(&self, spec: &LegSpec, asset: &Asset) -> Result<Option<Upload>, Box<LegError>> {
        uploads::upload(spec, asset)
    }

    async fn send_upload(
        &self,
        session: &Session,
        upload: &Upload,
        content: Option<Vec<u8>>,
    ) -> Result<Uploaded, CallError> {
        uploads::send(session, upload, content).await
    }

    async fn find_upload(
        &self,
        session: &Session,
        upload: &Upload,
        refs: Option<&BTreeMap<String, String>>,
    ) -> Result<Uploaded, CallError> {
        uploads::find(session, upload, refs).await
    }

    fn account_mutations(&self, _account: &Account, _facts: &AccountFacts) -> Vec<Mutation> {
        Vec::new()
    }

    async fn execute(&self, session: &Session, mutation: &Mutation) -> Result<Done, CallError> {
        let call = match mutation.op {
            Op::Create => Call::Create,
            Op::Update { .. } | Op::Serve { .. } | Op::Account { .. } => Call::Change,
            Op::Remove => Call::Remove,
        };
        let form = wire::form(&mutation.body);
        let method = if mutation.method == "DELETE" {
            reqwest::Method::DELETE
        } else {
            reqwest::Method::POST
        };
        let sent = transport::send(session, method, &mutation.path, &form, call).await;
        let (answer, body) = match sent {
            Ok(sent) => sent,
            Err(error) => return excused(session, mutation, error).await,
        };
        let request_id = answer
            .header("x-fb-trace-id")
            .or_else(|| answer.header("x-fb-request-id"))
            .map(str::to_owned);
        if call != Call::Create {
            return Ok(Done {
                ids: Vec::new(),
                request_id,
                essence: body,
            });
        }
        let id = body.get("id").and_then(Value::as_str).filter(|id| !id.is_empty());
        match (id, mutation.objects.as_slice()) {
            (Some(id), [key]) => Ok(Done {
                ids: vec![(key.clone(), id.to_owned())],
                request_id,
                essence: json!({ "id": id }),
            }),
            (Some(_) | None, _) => Err(CallError::Unclear {
                why: "Meta accepted the call and named no id".to_owned(),
            }),
        }
    }

    async fn find(
        &self,
        session: &Session,
        manifest: &Manifest,
        keys: &[String],
    ) -> Result<Vec<Found>, CallError> {
        lookup::find(session, manifest, keys).await
    }

    async fn read(&self, session: &Session, manifest: &Manifest) -> Result<Reading, CallError> {
        let rows = lookup::rows(session, manifest).await?;
        Ok(reading::reading(manifest, &rows))
    }

    async fn read_all(&self, session: &Session, manifests: &[&Manifest]) -> Result<Vec<Reading>, CallError> {
        let rows = lookup::rows_of_all(session, manifests).await?;
        let each = manifests.iter().zip(&rows);
        Ok(each
            .map(|(manifest, rows)| reading::reading(manifest, rows))
            .collect())
    }
}

/// A refusal that is none: what was asked for is so already. And one that is not for good: Meta may not know a parent for a
/// moment after it was made (facebook-nodejs-business-sdk#5).
async fn excused(session: &Session, mutation: &Mutation, error: CallError) -> Result<Done, CallError> {
    let CallError::Refused(refusal) = error else {
        return Err(error);
    };
    let off = matches!(
        mutation.op,
        Op::Remove
            | Op::Serve {
                serving: Serving::Paused
            }
    );
    match refusal.code.as_str() {
        // Archived or deleted by someone else: it serves no more.
        errors::FROZEN if off => Ok(Done::default()),
        errors::GONE if mutation.op == Op::Remove && lookup::visible(session).await? => Ok(Done::default()),
        errors::GONE if mutation.op == Op::Create && has_parent(mutation) => Err(CallError::Unavailable {
            why: format!("Meta does not know the parent yet: {}", refusal.message),
            after: Some(LAG),
        }),
        // What the platform's limit is stands in no error of its.
        _ if refusal.class == ErrorClass::Budget => Err(CallError::Refused(
            budgets::explained(session, mutation, refusal).await,
        )),
        _ => Err(CallError::Refused(refusal)),
    }
}

fn has_parent(mutation: &Mutation) -> bool {
    ["campaign_id", "adset_id"]
        .iter()
        .any(|parent| mutation.body.get(parent).is_some())
}
