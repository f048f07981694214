//! Google Ads over REST, v26: search, display, shopping, Performance Max and demand gen campaigns, one atomic `googleAds:mutate`
//! per step.
//!
//! Must not decide whether a mutation may be sent, and must not send one twice. Here stands only what talks; what is said
//! is in `mapping` and `mutations` (pure), what the answers mean in `lookup` and `errors` (pure).
//!
//! What Google gives us to work with (developers.google.com/google-ads/api/rest): one request is all or nothing; there is
//! no idempotency key; names of campaigns, budgets, ad groups and labels are unique while they live, so a repeated create
//! is refused and the look-up finds what the first one made.

mod account;
mod ad_forms;
mod bidding;
mod changes;
mod channel;
mod check;
mod creating;
mod creatives;
mod demand_gen;
mod error_table;
mod errors;
mod forms;
mod images;
mod kinds;
mod links;
mod lookup;
mod mapping;
mod mutations;
mod people;
mod performance_max;
mod queries;
mod reading;
mod search;
mod shopping;
mod starts;
#[cfg(test)]
pub(super) mod tests;
mod updating;
mod uploads;
mod wire;

use super::google_geo as geo;
use super::{
    AccountFacts, CallError, Change, Done, Found, Goal, Mutation, NotOffered, Op, Platform, Problem, Reading,
    Session, Traits, Upload, Uploaded,
};
use crate::clock::{Clock as _, SystemClock};
use crate::domain::error::LegError;
use crate::domain::manifest::{Desired, Manifest};
use crate::domain::plan::Objective;
use crate::domain::spec::{Asset, LegSpec};
use crate::domain::tenant::Account;
use crate::domain::tracking;
use crate::outbound::google_oauth::{Rejected, SCOPE_ADWORDS};
use crate::outbound::{Answer, NoAnswer};
use async_trait::async_trait;
use channel::Channel;
use chrono::{DateTime, Utc};
use errors::{Call, Trouble};
use futures::future::try_join_all;
use kinds::{Kind, VERSION, digits, id_of};
use queries::Part;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::ops::Range;
use std::time::Duration;
use wire::{MutateResponse, Row, SearchResponse};

/// The platform's id.
const NAME: &str = "google-ads";
/// Google "sometimes takes many seconds to complete a mutation" (Opteo/google-ads-api#349).
const DEADLINE: Duration = Duration::from_secs(60);
/// A page has 10,000 rows; a leg has at most as many objects.
const PAGES: usize = 50;
/// How many texts one query asks for.
const TEXTS: usize = 200;
/// How many ids an audit record keeps.
const ESSENCE: usize = 60;

/// The adapter. Holds nothing: everything comes with the session.
pub struct GoogleAds;

#[async_trait]
impl Platform for GoogleAds {
    fn name(&self) -> &'static str {
        NAME
    }

    fn traits(&self) -> Traits {
        Traits {
            display_name: "Google Ads",
            position: 0,
            base_url: "https://googleads.googleapis.com",
            tracking: tracking::Rule::AutoTagging,
            // Google documents nothing about reading one's own writes. Looking too early is harmless here: a create that
            // follows is refused by the campaign's name and looked up again.
            settle: Duration::from_secs(5),
            deadline: DEADLINE,
        }
    }

    fn channels(&self) -> &'static [&'static str] {
        &channel::CHANNELS
    }

    fn offer(&self, objective: Objective, channel: Option<&str>) -> Result<&'static str, NotOffered> {
        channel::offer(objective, channel)
    }

    fn check(&self, spec: &LegSpec) -> Vec<Problem> {
        check::check(spec)
    }

    fn desire(
        &self,
        spec: &LegSpec,
        account: &Account,
        facts: &AccountFacts,
    ) -> Result<Vec<Desired>, Box<LegError>> {
        mapping::desire(spec, account, facts)
    }

    fn next(&self, goal: Goal, desired: &[Desired], manifest: &Manifest, account: &Account) -> Vec<Mutation> {
        mutations::next(goal, desired, manifest, account)
    }

    fn removal(&self, kind: &str, remote_id: &str, account: &Account) -> Mutation {
        mutations::removal(kind, remote_id, account)
    }

    async fn probe(&self, session: &Session) -> Result<AccountFacts, CallError> {
        let queries = [
            queries::CUSTOMER,
            queries::BILLING,
            queries::ACCOUNT_BUDGET,
            queries::UNDECLARED,
            queries::MERCHANTS,
        ];
        let answers = try_join_all(queries.map(|query| search(session, query.to_owned()))).await?;
        let [customer, billing, budgets, undeclared, merchants] = answers.as_slice() else {
            return Err(CallError::Unavailable {
                why: "the probe is not complete".to_owned(),
                after: None,
            });
        };
        let facts = account::facts(customer, billing, budgets, undeclared)?;
        Ok(AccountFacts {
            catalogs: account::merchants(merchants),
            ..facts
        })
    }

    fn account_mutations(&self, account: &Account, facts: &AccountFacts) -> Vec<Mutation> {
        mutations::account_mutations(account, facts)
    }

    fn upload(&self, spec: &LegSpec, asset: &Asset) -> Result<Option<Upload>, Box<LegError>> {
        images::upload(spec, asset)
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

    async fn execute(&self, session: &Session, mutation: &Mutation) -> Result<Done, CallError> {
        let call = match mutation.op {
            Op::Create => Call::Create,
            Op::Update { .. } | Op::Serve { .. } | Op::Account { .. } => Call::Change,
            Op::Remove => Call::Remove,
        };
        if mutation.body["mutateOperations"]
            .as_array()
            .is_some_and(Vec::is_empty)
        {
            // Only texts, which an account keeps: nothing to send, and Google refuses a request of nothing.
            let essence = json!({ "kept": mutation.objects.len() });
            return Ok(Done {
                essence,
                ..Done::default()
            });
        }
        let body = timely(session, &mutation.body).await?;
        let answer = match call_google(session, &mutation.path, &body, call, &mutation.objects).await? {
            Some(answer) => answer,
            None => return Ok(Done::default()),
        };
        done(&answer, mutation, call)
    }

    async fn find(
        &self,
        session: &Session,
        manifest: &Manifest,
        keys: &[String],
    ) -> Result<Vec<Found>, CallError> {
        let named = |key: &str| {
            let object = manifest
                .get(key)
                .filter(|_| keys.iter().any(|wanted| wanted == key))?;
            object.name.clone()
        };
        // A campaign whose own outcome is unknown is known by its name, another by its id.
        let heads = match (named("campaign"), manifest.campaign_id()) {
            (Some(name), _) => search(session, queries::campaigns_named(&[&name])).await?,
            (None, Some(id)) => search(session, Part::Campaign.of(&[id])).await?,
            (None, None) => Vec::new(),
        };
        let names: Vec<String> = heads
            .iter()
            .filter_map(|row| row.campaign.as_ref()?.resource_name.clone())
            .collect();
        let ids: Vec<&str> = names.iter().filter_map(|name| id_of(name)).collect();
        // Texts are the account's, whatever became of the campaign.
        let texts: Vec<&str> = keys
            .iter()
            .filter_map(|key| manifest.get(key))
            .filter(|object| object.kind == Kind::Asset.as_str())
            .filter_map(|object| object.name.as_deref())
            .collect();
        // A label and an orphaned budget keep their names without any campaign, and then stand in its way.
        let mut queries: Vec<String> = named("label")
            .map(|name| queries::label_named(&name))
            .into_iter()
            .collect();
        queries.extend(texts.chunks(TEXTS).map(queries::texts));
        if ids.is_empty() {
            // A request is all or nothing: without its campaign nothing else of it is there.
            queries.extend(named("budget").map(|name| queries::budget_named(&name)));
        } else {
            queries.extend(parts(manifest, keys).into_iter().map(|part| part.of(&ids)));
        }
        let mut rows = heads;
        let answers = try_join_all(queries.into_iter().map(|query| search(session, query))).await?;
        rows.extend(answers.into_iter().flatten());
        Ok(lookup::found(manifest, keys, rows))
    }

    async fn read(&self, session: &Session, manifest: &Manifest) -> Result<Reading, CallError> {
        let rows = rows_of(session, &[manifest]).await?;
        Ok(reading::reading(
            manifest,
            &about(&rows, manifest),
            SystemClock.now(),
        ))
    }

    async fn read_all(&self, session: &Session, manifests: &[&Manifest]) -> Result<Vec<Reading>, CallError> {
        let rows = rows_of(session, manifests).await?;
        let now = SystemClock.now();
        let one = |m: &&Manifest| reading::reading(m, &about(&rows, m), now);
        Ok(manifests.iter().map(one).collect())
    }

    async fn changes(
        &self,
        session: &Session,
        manifests: &[&Manifest],
        within: Range<DateTime<Utc>>,
    ) -> Result<Vec<Vec<Change>>, CallError> {
        let customer = search(session, queries::CUSTOMER.to_owned()).await?;
        let zone = customer
            .first()
            .and_then(|row| row.customer.as_ref()?.time_zone.clone());
        let zone = zone.and_then(|zone| zone.parse().ok()).unwrap_or(chrono_tz::UTC);
        let rows = search(session, changes::query(zone, &within)).await?;
        let one = |m: &&Manifest| changes::about(m, &rows, zone);
        Ok(manifests.iter().map(one).collect())
    }
}

/// The body as it is sent now: a campaign whose first day has come in the account's zone begins at once.
async fn timely<'b>(session: &Session, body: &'b Value) -> Result<Cow<'b, Value>, CallError> {
    let now = SystemClock.now();
    let Some(start) = starts::named(body).filter(|start| starts::has_come_somewhere(*start, now)) else {
        return Ok(Cow::Borrowed(body));
    };
    let customer = search(session, queries::CUSTOMER.to_owned()).await?;
    let zone = customer
        .first()
        .and_then(|row| row.customer.as_ref()?.time_zone.as_ref()?.parse().ok());
    let Some(zone) = zone else {
        return Err(CallError::Unavailable {
            why: "Google does not tell the account's time zone".to_owned(),
            after: None,
        });
    };
    let today = starts::today(now, zone);
    Ok(if start <= today {
        Cow::Owned(starts::at_once(body, today))
    } else {
        Cow::Borrowed(body)
    })
}

/// What there is of these campaigns, part by part: as many queries for one as for many of the same kind.
async fn rows_of(session: &Session, manifests: &[&Manifest]) -> Result<Vec<Row>, CallError> {
    let mut asked: Vec<(Part, Vec<&str>)> = Vec::new();
    for manifest in manifests {
        let Some(id) = manifest.campaign_id() else {
            continue;
        };
        for part in Part::reading(channel_of(manifest)) {
            match asked.iter_mut().find(|(known, _)| known == part) {
                Some((_, ids)) => ids.push(id),
                None => asked.push((*part, vec![id])),
            }
        }
    }
    let queries = asked.iter().map(|(part, ids)| search(session, part.of(ids)));
    let mut answers = try_join_all(queries).await?;
    // Ad groups come with their ads. Those that have none left are asked for by themselves.
    let seen: HashSet<&str> = answers
        .iter()
        .flatten()
        .filter(|row| row.ad_group_ad.is_some())
        .filter_map(|row| id_of(row.ad_group.as_ref()?.resource_name.as_deref()?))
        .collect();
    let hidden = |manifest: &&&Manifest| {
        let mut groups = manifest
            .existing()
            .filter(|object| object.kind == Kind::AdGroup.as_str());
        groups.any(|group| group.remote_id.as_deref().is_none_or(|id| !seen.contains(id)))
    };
    let ids: Vec<&str> = manifests
        .iter()
        .filter(hidden)
        .filter_map(|manifest| manifest.campaign_id())
        .collect();
    if !ids.is_empty() {
        // Before the keywords' rows, which name their ad group and no more.
        answers.insert(1, search(session, Part::AdGroups.of(&ids)).await?);
    }
    Ok(answers.into_iter().flatten().collect())
}

/// Those that are about the manifest's campaign, in their order.
fn about(rows: &[Row], manifest: &Manifest) -> Vec<Row> {
    let campaign = manifest.campaign_id();
    let ours = rows
        .iter()
        .filter(|row| campaign.is_some() && lookup::campaign_of(row) == campaign);
    ours.cloned().collect()
}

/// Which parts of existing campaigns must be asked for, to find these keys.
fn parts(manifest: &Manifest, keys: &[String]) -> Vec<Part> {
    let wanted = |kind: Kind| {
        let mut objects = keys.iter().filter_map(|key| manifest.get(key));
        objects.any(|object| object.kind == kind.as_str())
    };
    let mut parts = Vec::new();
    if wanted(Kind::CampaignCriterion) {
        parts.push(Part::Criteria);
    }
    if wanted(Kind::CampaignLabel) {
        parts.push(Part::Labels);
    }
    if wanted(Kind::AdGroup) {
        parts.push(Part::AdGroups);
    }
    if wanted(Kind::AdGroupAd) {
        parts.push(Part::Ads);
    }
    if wanted(Kind::AdGroupCriterion) {
        parts.push(Part::Keywords);
    }
    if wanted(Kind::CampaignAsset) {
        parts.push(Part::Brand);
    }
    if wanted(Kind::AssetGroup) {
        parts.push(Part::AssetGroups);
    }
    if wanted(Kind::ListingGroupFilter) {
        parts.push(Part::Products);
    }
    if wanted(Kind::AssetGroupAsset) {
        parts.push(Part::AssetLinks);
    }
    parts
}

/// The channel that the manifest's campaign runs on.
fn channel_of(manifest: &Manifest) -> Channel {
    let campaign = manifest.get("campaign");
    let named = campaign.and_then(|campaign| campaign.applied.get("channel")?.as_str());
    named.and_then(Channel::parse).unwrap_or_default()
}

/// What an accepted mutation came to.
fn done(answer: &Answer, mutation: &Mutation, call: Call) -> Result<Done, CallError> {
    let request_id = answer.header("request-id").map(str::to_owned);
    if let Op::Account { .. } = mutation.op {
        let essence = json!({ "path": mutation.path });
        return Ok(Done {
            ids: Vec::new(),
            request_id,
            essence,
        });
    }
    let senseless = |what: &str| CallError::Unclear {
        why: format!("an answer that makes no sense: {what}"),
    };
    let response: MutateResponse =
        serde_json::from_slice(&answer.body).map_err(|_| senseless("it is not what a mutate answers"))?;
    if let Some(partial) = &response.partial_failure_error {
        match errors::failures(partial, call, &[], None) {
            Some(Trouble::Gone) | None => {}
            Some(Trouble::Call(error)) => return Err(error),
            Some(Trouble::Token(why)) => return Err(CallError::Unavailable { why, after: None }),
        }
    }
    let names: Vec<&str> = response
        .mutate_operation_responses
        .iter()
        .map(|result| {
            result
                .values()
                .next()
                .map_or("", |result| result.resource_name.as_str())
        })
        .collect();
    let ids = match call {
        Call::Create => {
            // A new link may come with the removal of the one whose place it takes.
            let operations = mutation.body["mutateOperations"].as_array();
            let creates = |operation: &Value| {
                let mut inner = operation.as_object().into_iter().flat_map(|map| map.values());
                inner.any(|inner| inner.get("create").is_some())
            };
            let made: Vec<bool> = operations.into_iter().flatten().map(creates).collect();
            let new = names.iter().zip(&made).filter(|(_, made)| **made);
            let ids: Vec<(String, String)> = mutation
                .objects
                .iter()
                .zip(new)
                .filter_map(|(key, (name, _))| Some((key.clone(), id_of(name)?.to_owned())))
                .collect();
            if ids.len() != mutation.objects.len() || names.len() != made.len() {
                return Err(senseless("it doesn't name every object"));
            }
            ids
        }
        Call::Change | Call::Remove | Call::Read => Vec::new(),
    };
    let short: Vec<&str> = names
        .iter()
        .filter_map(|name| name.split_once('/')?.1.split_once('/'))
        .map(|(_, n)| n)
        .take(ESSENCE)
        .collect();
    let essence = json!({ "results": names.len(), "names": short });
    Ok(Done {
        ids,
        request_id,
        essence,
    })
}

/// All rows of a query, whatever the number of pages. No `pageSize`: v26 refuses it (`PAGE_SIZE_NOT_SUPPORTED`).
async fn search(session: &Session, query: String) -> Result<Vec<Row>, CallError> {
    let path = format!(
        "/{VERSION}/customers/{}/googleAds:search",
        digits(&session.account.account_id)
    );
    let odd = |what: &str| CallError::Unavailable {
        why: format!("a look-up's answer makes no sense: {what}"),
        after: None,
    };
    let mut body = json!({ "query": query });
    let mut rows = Vec::new();
    for _ in 0..PAGES {
        let answer = call_google(session, &path, &body, Call::Read, &[]).await?;
        let answer = answer.ok_or_else(|| odd("it says that something is gone"))?;
        let page: SearchResponse =
            serde_json::from_slice(&answer.body).map_err(|error| odd(&error.to_string()))?;
        rows.extend(page.results);
        match page.next_page_token.filter(|token| !token.is_empty()) {
            Some(token) => body["pageToken"] = Value::String(token),
            None => return Ok(rows),
        }
    }
    Err(odd("it has no end"))
}

/// One call, sent once. `None`: everything that was to be removed is gone already.
async fn call_google(
    session: &Session,
    path: &str,
    body: &Value,
    call: Call,
    objects: &[String],
) -> Result<Option<Answer>, CallError> {
    let outbound = &session.outbound;
    let credential = session.account.credential.as_str();
    let token = outbound
        .google
        .token(outbound, credential, SCOPE_ADWORDS)
        .await
        .map_err(|e| errors::no_token(&e))?;
    let mut bearer = reqwest::header::HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()))
        .map_err(|_| CallError::refused(errors::no_access("the token is not one that a header can carry")))?;
    bearer.set_sensitive(true);
    let mut request = outbound
        .http
        .post(format!("{}{path}", session.base_url))
        .header(reqwest::header::AUTHORIZATION, bearer)
        .json(body);
    // Only when acting through a manager. Developer tokens are neither needed nor read since 2026-09-09
    // (developers.google.com/google-ads/api/docs/api-policy/developer-token).
    if let Some(manager) = &session.account.login_account_id {
        request = request.header("login-customer-id", digits(manager));
    }
    let answer = match outbound.send(request, session.deadline).await {
        Ok(answer) => answer,
        Err(error @ (NoAnswer::NotSent(_) | NoAnswer::Lost(_))) => {
            return Err(errors::no_answer(error, call));
        }
    };
    if answer.status == 200 {
        return Ok(Some(answer));
    }
    match errors::classify(&answer, call, objects) {
        Trouble::Gone => Ok(None),
        Trouble::Call(error) => Err(error),
        // Refused before anything was done: the same call may go out again, with a new token.
        Trouble::Token(why) => match outbound.google.forget(credential, SCOPE_ADWORDS, &token).await {
            Rejected::TryAgain => Err(CallError::Unavailable {
                why,
                after: Some(Duration::ZERO),
            }),
            Rejected::Hopeless => Err(CallError::refused(errors::no_access(&why))),
        },
    }
}
