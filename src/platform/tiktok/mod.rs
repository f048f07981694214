//! TikTok Business API v1.3: campaign → ad group → ad.
//!
//! Must not decide whether a mutation may be sent, and must not send one twice. Here stands only what talks; what is said
//! is in `mapping`, `creatives` and `mutations` (pure), what answers mean in `reading`, `review` and `errors` (pure).
//!
//! What TikTok gives us to work with (business-api.tiktok.com/portal/docs): answers come with HTTP 200 whatever they say, success is
//! `code: 0`; everything is made live unless it is told otherwise; names of campaigns and ad groups are unique unless a
//! `request_id` says otherwise (see `mutations`); names of ads are not. An unknown outcome is looked up by exact name. The token
//! travels in a header of its own, never in a URL.
//!
//! Campaigns are made by hand (`/campaign/create/` …), which is what the vendor's library documents and lets us state every field of.
//! Third parties report that TikTok ends that with 2026 for website conversions, product sales, leads and apps, in favour of its "upgraded
//! Smart+" endpoints, which choose audience and placements by themselves and take fewer budgets (`/smart_plus/…`); it was not seen at the vendor.
//! Should it come so, the refusal says so in a code of its own (`errors::SMART_PLUS`), with what to do; nothing is made
//! another way than was approved.

mod amounts;
mod audience;
mod catalog;
mod check;
mod creatives;
mod errors;
mod geo;
mod kinds;
mod lookup;
mod mapping;
mod mutations;
mod offers;
mod reading;
mod review;
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
use crate::outbound::pace::{Pace, Quota};
use async_trait::async_trait;
use kinds::Kind;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The platform's id.
const NAME: &str = "tiktok";
/// Before every path.
const VERSION: &str = "/open_api/v1.3";
/// The macro for the campaign's id ("URL parameters").
const CAMPAIGN_MACRO: &str = "__CAMPAIGN_ID__";
/// How long one call may take. TikTok blocks a caller whose requests time out again and again, so none is given
/// up early.
const DEADLINE: Duration = Duration::from_secs(45);

/// How soon to try again when a video is not ready.
const TRANSCODING: Duration = Duration::from_secs(30);

/// The adapter. Holds nothing: everything comes with the session.
pub struct TikTok;

#[async_trait]
impl Platform for TikTok {
    fn name(&self) -> &'static str {
        NAME
    }

    fn traits(&self) -> Traits {
        Traits {
            display_name: "TikTok",
            position: 2,
            base_url: "https://business-api.tiktok.com",
            tracking: tracking::Rule::Utm {
                campaign_macro: CAMPAIGN_MACRO,
            },
            // The vendor says nothing about lists that lag; ten seconds is how long it remembers a request itself.
            settle: Duration::from_secs(10),
            deadline: DEADLINE,
        }
    }

    fn quota(&self) -> &'static Quota {
        &transport::QUOTA
    }

    fn pace(&self, session: &Session) -> Arc<Pace> {
        transport::pace(session)
    }

    fn offer(&self, objective: Objective, channel: Option<&str>) -> Result<&'static str, NotOffered> {
        offers::told(objective, channel)
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

    fn removal(&self, kind: &str, remote_id: &str, account: &Account) -> Mutation {
        mutations::removal(kind, remote_id, account)
    }

    async fn probe(&self, session: &Session) -> Result<AccountFacts, CallError> {
        let account = &session.account.account_id;
        let fields = [
            "advertiser_id",
            "status",
            "rejection_reason",
            "currency",
            "timezone",
            "balance",
        ];
        let query = [("advertiser_ids", json!([account])), ("fields", json!(fields))];
        let data = transport::get(session, "/advertiser/info/", &query).await?;
        reading::facts(&data, account)
    }

    async fn catalog_health(
        &self,
        session: &Session,
        catalog: &Catalog,
    ) -> Result<Option<CatalogHealth>, CallError> {
        catalog::health(session, catalog).await
    }

    fn catalog_used(&self, spec: &LegSpec) -> Option<String> {
        catalog::used(spec)
    }

    fn account_mutations(&self, _account: &Account, _facts: &AccountFacts) -> Vec<Mutation> {
        Vec::new()
    }

    fn upload(&self, spec: &LegSpec, asset: &Asset) -> Result<Option<Upload>, Box<LegError>> {
        uploads::upload(spec, asset)
    }

    async fn send_upload(
        &self,
        session: &Session,
        upload: &Upload,
        _content: Option<Vec<u8>>,
    ) -> Result<Uploaded, CallError> {
        uploads::send(session, upload).await
    }

    async fn find_upload(
        &self,
        session: &Session,
        upload: &Upload,
        refs: Option<&BTreeMap<String, String>>,
    ) -> Result<Uploaded, CallError> {
        uploads::find(session, upload, refs).await
    }

    async fn execute(&self, session: &Session, mutation: &Mutation) -> Result<Done, CallError> {
        let answer = match transport::post(session, &mutation.path, &mutation.body).await {
            Ok(answer) => answer,
            Err(error) => return excused(session, mutation, error).await,
        };
        let data = answer.get("data").cloned().unwrap_or_default();
        let request_id = answer
            .get("request_id")
            .and_then(Value::as_str)
            .map(str::to_owned);
        let partial = answer.get("code").and_then(Value::as_i64) == Some(errors::PARTIAL);
        if mutation.op == Op::Create {
            return created(mutation, &data, request_id);
        }
        if partial
            || data
                .get("error_list")
                .and_then(Value::as_array)
                .is_some_and(|l| !l.is_empty())
        {
            parts(session, mutation, &data).await?;
        }
        Ok(Done {
            ids: Vec::new(),
            request_id,
            essence: json!({ "code": answer.get("code") }),
        })
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
        let rows = lookup::rows(session, &[manifest]).await?;
        let rows = rows.into_iter().next().unwrap_or_default();
        Ok(reading::reading(manifest, &rows))
    }

    async fn read_all(&self, session: &Session, manifests: &[&Manifest]) -> Result<Vec<Reading>, CallError> {
        let rows = lookup::rows(session, manifests).await?;
        let each = manifests.iter().zip(&rows);
        Ok(each
            .map(|(manifest, rows)| reading::reading(manifest, rows))
            .collect())
    }
}

/// The kind of object that a mutation is about.
fn kind_of(mutation: &Mutation) -> Option<&'static Kind> {
    let path = mutation.path.strip_prefix(VERSION)?;
    let name = path.split('/').nth(1)?;
    kinds::kind(name)
}

/// The ids that TikTok gave, each to its own object. Any that is missing leaves the whole call unclear: a look-up tells.
fn created(mutation: &Mutation, data: &Value, request_id: Option<String>) -> Result<Done, CallError> {
    let unclear = || CallError::Unclear {
        why: "TikTok accepted the call and did not name an id for each object".to_owned(),
    };
    let kind = kind_of(mutation).ok_or_else(unclear)?;
    let mut ids = Vec::new();
    if kind.name == "ad" {
        let made = data.get("creatives").and_then(Value::as_array);
        let asked = mutation
            .body
            .get("creatives")
            .and_then(Value::as_array)
            .ok_or_else(unclear)?;
        for (key, asked) in mutation.objects.iter().zip(asked) {
            let name = reading::text(asked, kind.named);
            let row = made
                .into_iter()
                .flatten()
                .find(|row| reading::text(row, kind.named) == name);
            let id = row.map(|row| reading::text(row, kind.id)).unwrap_or_default();
            ids.push((key.clone(), id.to_owned()));
        }
    } else {
        let id = reading::text(data, kind.id);
        ids.extend(mutation.objects.iter().map(|key| (key.clone(), id.to_owned())));
    }
    if ids.len() != mutation.objects.len() || ids.iter().any(|(_, id)| id.is_empty()) {
        return Err(unclear());
    }
    let essence = json!({ "ids": ids.iter().map(|(_, id)| id).collect::<Vec<_>>() });
    Ok(Done {
        ids,
        request_id,
        essence,
    })
}

/// A success in part: what failed is looked at by itself. The call is repeatable, so that one object's failure fails the call does
/// no harm to those that went well.
async fn parts(session: &Session, mutation: &Mutation, data: &Value) -> Result<(), CallError> {
    let unclear = |why: &str| CallError::Unclear { why: why.to_owned() };
    let kind = kind_of(mutation).ok_or_else(|| unclear("a success in part, of nobody knows what"))?;
    let failed = data
        .get("error_list")
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default();
    if failed.is_empty() {
        return Err(unclear(
            "TikTok calls it a success in part and does not say which",
        ));
    }
    let ids: Vec<&str> = failed.iter().map(|f| reading::text(f, kind.id)).collect();
    if mutation.op == Op::Remove && lookup::all_gone(session, kind, &ids).await? {
        return Ok(());
    }
    let said: Vec<String> = failed
        .iter()
        .map(|f| {
            format!(
                "{} {}: {}",
                kind.name,
                reading::text(f, kind.id),
                reading::text(f, "error_message")
            )
        })
        .collect();
    Err(CallError::refused(errors::refusal(
        errors::PARTIAL,
        &said.join("; "),
        ErrorClass::Validation,
        "mend what TikTok names, then `retry`",
    )))
}

/// A refusal that is none: what was asked for is so already. And one that is not for good: a name that is taken may be our own
/// object's, whose answer we never got.
async fn excused(session: &Session, mutation: &Mutation, error: CallError) -> Result<Done, CallError> {
    let CallError::Refused(refusal) = &error else {
        return Err(error);
    };
    let Some(kind) = kind_of(mutation) else {
        return Err(error);
    };
    match (&mutation.op, refusal.code.as_str()) {
        (Op::Update { .. } | Op::Serve { .. } | Op::Remove, errors::NO_CHANGE) => Ok(Done::default()),
        // A deleted object takes no status any more, whatever words TikTok has for that.
        (
            Op::Remove
            | Op::Serve {
                serving: Serving::Paused,
            },
            _,
        ) if refusal.class == ErrorClass::Validation => {
            let ids = mutation.body.get(kind.ids).and_then(Value::as_array);
            let ids: Vec<&str> = ids.into_iter().flatten().filter_map(Value::as_str).collect();
            if lookup::all_gone(session, kind, &ids).await? {
                Ok(Done::default())
            } else {
                Err(error)
            }
        }
        (Op::Create | Op::Update { .. }, errors::TRANSCODING) => Err(CallError::Unavailable {
            why: refusal.message.clone(),
            after: Some(TRANSCODING),
        }),
        (Op::Create, errors::TAKEN) if lookup::is_there(session, kind, &mutation.body).await? => {
            Err(CallError::Unclear {
                why: format!("{}; looking up whether it is ours", refusal.message),
            })
        }
        _ => Err(error),
    }
}
