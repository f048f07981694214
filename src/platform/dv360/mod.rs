//! Display & Video 360 API v4: campaign → insertion order → line items, and creatives beside them.
//!
//! Must not decide whether a mutation may be sent, and must not send one twice. Here stands only what talks; what is said is in
//! `mapping`, `targeting`, `creatives` and `mutations` (pure), what answers mean in `reading` and `errors` (pure); `sending` fills
//! in what only the moment of sending decides.
//!
//! What DV360 gives us to work with (developers.google.com/display-video/api): no idempotency key, and names are not unique, so an
//! unknown outcome is looked up by exact name, archived objects included, and of several the oldest is kept. Every call is about
//! one object. A request is worked on for up to 180 seconds, whether or not its client waits; so ours waits longer, and a call that
//! timed out has ended.
//!
//! Nothing spends before the last call of an activation, and one call stops all of it: see `mutations`.

mod bidding;
mod check;
mod creatives;
mod dates;
mod errors;
mod lookup;
mod mapping;
mod mutations;
mod offers;
mod reading;
mod sending;
mod settings;
mod targeting;
#[cfg(test)]
pub(super) mod tests;
mod transport;
mod upload;

use super::{
    AccountFacts, CallError, Done, Found, Goal, Mutation, NotOffered, Op, Platform, Problem, Reading,
    Session, Traits, Upload, Uploaded,
};
use crate::domain::error::LegError;
use crate::domain::manifest::{Desired, Manifest};
use crate::domain::plan::Objective;
use crate::domain::spec::{Asset, LegSpec};
use crate::domain::tenant::Account;
use crate::domain::tracking;
use crate::outbound::Answer;
use crate::outbound::pace::Quota;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use errors::{Call, Trouble};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// The platform's id.
const NAME: &str = "dv360";
/// Since 27 March 2025 (developers.google.com/display-video/api/deprecations).
const VERSION: &str = "/v4";
/// What a token must be for.
const SCOPE: &str = "https://www.googleapis.com/auth/display-video";
/// "API server limit 180 s, then 408 or 504" (guides/best-practices/timeouts).
const DEADLINE: Duration = Duration::from_secs(190);
/// Rows of one page, at most; insertion orders have the smallest maximum.
const PAGE: &str = "100";
/// Pages of one list.
const PAGES: usize = 200;
/// How long a filter may be.
const FILTER: usize = 500;
/// Under this key a body carries the advertiser's time zone to the sender; it never leaves.
const ZONE: &str = "_zone";

/// The adapter. Holds nothing: everything comes with the session.
pub struct Dv360;

#[async_trait]
impl Platform for Dv360 {
    fn name(&self) -> &'static str {
        NAME
    }

    fn traits(&self) -> Traits {
        Traits {
            display_name: "Display & Video 360",
            position: 3,
            base_url: "https://displayvideo.googleapis.com",
            tracking: tracking::Rule::TaggedByPlatform,
            // Nothing is documented about reading one's own writes; duplicates are possible here, so the wait is longer than
            // for Google Ads.
            settle: Duration::from_secs(10),
            deadline: DEADLINE,
        }
    }

    fn quota(&self) -> &'static Quota {
        &transport::QUOTA
    }

    fn channels(&self) -> &'static [&'static str] {
        offers::CHANNELS
    }

    fn formats_not_offered(&self) -> &'static [(&'static str, NotOffered)] {
        offers::FORMATS_NOT_OFFERED
    }

    fn offer(&self, objective: Objective, channel: Option<&str>) -> Result<&'static str, NotOffered> {
        offers::offer(objective, channel).map(|offer| offer.words)
    }

    fn check(&self, spec: &LegSpec) -> Vec<Problem> {
        check::check(spec)
    }

    fn desire(
        &self,
        spec: &LegSpec,
        _account: &Account,
        facts: &AccountFacts,
    ) -> Result<Vec<Desired>, Box<LegError>> {
        mapping::desire(spec, facts)
    }

    fn begins(&self, start: DateTime<Utc>, now: DateTime<Utc>, zone: Tz) -> DateTime<Utc> {
        dates::begins(start, now, zone)
    }

    fn next(&self, goal: Goal, desired: &[Desired], manifest: &Manifest, account: &Account) -> Vec<Mutation> {
        mutations::next(goal, desired, manifest, account)
    }

    fn removal(&self, kind: &str, remote_id: &str, account: &Account) -> Mutation {
        mutations::removal(Vec::new(), kind, remote_id, account)
    }

    async fn probe(&self, session: &Session) -> Result<AccountFacts, CallError> {
        let id = &session.account.account_id;
        match transport::get(session, &format!("{VERSION}/advertisers/{id}")).await? {
            Some(advertiser) => reading::facts(&advertiser),
            None => Err(CallError::refused(reading::no_account(id))),
        }
    }

    fn account_mutations(&self, _account: &Account, _facts: &AccountFacts) -> Vec<Mutation> {
        Vec::new()
    }

    fn upload(&self, spec: &LegSpec, asset: &Asset) -> Result<Option<Upload>, Box<LegError>> {
        upload::upload(spec, asset)
    }

    async fn send_upload(
        &self,
        session: &Session,
        upload: &Upload,
        content: Option<Vec<u8>>,
    ) -> Result<Uploaded, CallError> {
        upload::send_upload(session, upload, content).await
    }

    async fn find_upload(
        &self,
        _session: &Session,
        _upload: &Upload,
        refs: Option<&BTreeMap<String, String>>,
    ) -> Result<Uploaded, CallError> {
        Ok(upload::found(refs))
    }

    async fn execute(&self, session: &Session, mutation: &Mutation) -> Result<Done, CallError> {
        let call = match mutation.op {
            Op::Create => Call::Create,
            Op::Update { .. } | Op::Serve { .. } | Op::Account { .. } => Call::Change,
            Op::Remove => Call::Remove,
        };
        match sending::sent(session, mutation, call).await? {
            Some((answer, body)) => done(&answer, &body, mutation, call),
            None => Ok(Done::default()),
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

/// What an accepted mutation came to.
fn done(answer: &Answer, body: &Value, mutation: &Mutation, call: Call) -> Result<Done, CallError> {
    let request_id = answer.header("x-request-id").map(str::to_owned);
    let unclear = |why: &str| CallError::Unclear { why: why.to_owned() };
    let kind = mutations::kind_of(&mutation.path);
    let id = match kind {
        Some(kind) => body.get(kind.id).and_then(Value::as_str),
        None => {
            edited(body, call)?;
            body.pointer("/updatedLineItemIds/0").and_then(Value::as_str)
        }
    };
    let id = id.filter(|id| !id.is_empty());
    let essence = json!({ "id": id, "entityStatus": body.get("entityStatus"), "name": body.get("name") });
    match (call, id, mutation.objects.as_slice()) {
        (Call::Create, Some(id), [key]) => Ok(Done {
            ids: vec![(key.clone(), id.to_owned())],
            request_id,
            essence,
        }),
        (Call::Create, ..) => Err(unclear("DV360 accepted the call and named no id")),
        (Call::Change, None, _) => Err(unclear("DV360 accepted the change and does not show what of")),
        (Call::Change | Call::Remove | Call::Read, ..) => Ok(Done {
            ids: Vec::new(),
            request_id,
            essence,
        }),
    }
}

/// A bulk edit answers 200 and names the line items that failed, with an error each.
fn edited(body: &Value, call: Call) -> Result<(), CallError> {
    let failed = body.get("failedLineItemIds").and_then(Value::as_array);
    if failed.is_none_or(Vec::is_empty) {
        return Ok(());
    }
    let error = body.pointer("/errors/0").cloned().unwrap_or_default();
    let code = errors::code_name(error["code"].as_i64().unwrap_or(2));
    let message = error["message"].as_str().unwrap_or("no reason given");
    match errors::trouble(code, message, Some("targeting"), None, call) {
        Trouble::Call(error) => Err(error),
        Trouble::Gone if call == Call::Remove => Ok(()),
        Trouble::Gone => Err(CallError::refused(errors::gone("line_item"))),
        Trouble::Token(why) => Err(CallError::Unavailable { why, after: None }),
    }
}
