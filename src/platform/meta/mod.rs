//! Meta Marketing API v26.0: campaign → ad set → creative → ad, one POST per object.
//!
//! Must not decide whether a mutation may be sent, and must not send one twice. Here stands only what talks; what is said
//! is in `mapping` and `mutations` (pure), what answers mean in `reading` and `errors` (pure).
//!
//! What Meta gives us to work with (developers.facebook.com/docs/marketing-apis): no idempotency key, names are not unique, so
//! an unknown outcome is looked up by exact name, archived objects included, and of several the oldest is kept. The token
//! travels in the `Authorization` header, never in a URL; `appsecret_proof` signs each call.

mod check;
mod errors;
mod mapping;
mod mutations;
mod reading;
#[cfg(test)]
mod tests;
mod wire;

use super::{
    AccountFacts, CallError, Done, Found, Goal, Mutation, Op, Platform, Problem, Reading, Session, Traits,
};
use crate::domain::error::LegError;
use crate::domain::manifest::{Desired, Manifest};
use crate::domain::spec::LegSpec;
use crate::domain::tenant::Account;
use crate::domain::tracking;
use crate::outbound::credentials::Credential;
use crate::outbound::{Answer, NoAnswer};
use async_trait::async_trait;
use errors::Call;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use sha2::Sha256;
use std::time::Duration;

/// The platform's id.
const NAME: &str = "meta";
/// 29 July 2026 (developers.facebook.com/docs/graph-api/changelog).
const VERSION: &str = "/v26.0";
/// The macro for the campaign's id. Name macros keep what the name was at the first publishing, so ids only
/// (developers.facebook.com/documentation/ads-commerce/instagram/ads-api/guides/url-tags-for-tracking).
const CAMPAIGN_MACRO: &str = "{{campaign.id}}";
/// How long one call may take.
const DEADLINE: Duration = Duration::from_secs(45);
/// Rows of one page; Meta's default is 25.
const PAGE: usize = 200;
/// Pages of one list.
const PAGES: usize = 100;

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
        let fields = "account_status,disable_reason,currency,timezone_name,funding_source,balance,spend_cap,amount_spent";
        let answer = get(session, &path, &[("fields", fields.to_owned())]).await?;
        reading::facts(&answer)
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
        let (answer, body) = match send(session, method, &mutation.path, &form, call).await {
            Ok(sent) => sent,
            // Removed by someone else already: what was asked for is so.
            Err(CallError::Refused(error)) if call == Call::Remove && error.code == errors::GONE => {
                return Ok(Done::default());
            }
            Err(error) => return Err(error),
        };
        let request_id = answer
            .header("x-fb-trace-id")
            .or(answer.header("x-fb-request-id"))
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
        let mut found = Vec::new();
        for kind in mapping::KINDS {
            let names: Vec<(&str, &str)> = manifest
                .objects
                .iter()
                .filter(|o| o.kind == kind.name && keys.contains(&o.key))
                .filter_map(|o| Some((o.name.as_deref()?, o.key.as_str())))
                .collect();
            if names.is_empty() {
                continue;
            }
            let wanted: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
            let mut query = vec![
                (
                    "fields",
                    "id,name,status,effective_status,created_time".to_owned(),
                ),
                (
                    "filtering",
                    json!([{ "field": "name", "operator": "IN", "value": wanted }]).to_string(),
                ),
            ];
            if kind.has_status {
                // Without it an edge leaves archived objects out; asking for deleted ones is an error.
                query.push(("effective_status", json!(kind.findable).to_string()));
            } else {
                query[0].1 = "id,name,status".to_owned();
            }
            let path = format!("{VERSION}/{}/{}", session.account.account_id, kind.edge);
            for row in list(session, &path, &query).await? {
                found.extend(reading::found(&row, &names));
            }
        }
        Ok(found)
    }

    async fn read(&self, session: &Session, manifest: &Manifest) -> Result<Reading, CallError> {
        let Some(campaign) = manifest.campaign_id() else {
            return Ok(reading::reading(manifest, None, &[], &[], &[]));
        };
        let fields = |names: &str| vec![("fields", names.to_owned())];
        let campaign_path = format!("{VERSION}/{campaign}");
        let ad_sets = format!("{campaign_path}/adsets");
        let ads = format!("{campaign_path}/ads");
        let insights = format!("{campaign_path}/insights");
        let statuses = |mut query: Vec<(&'static str, String)>, all: &[&str]| {
            query.push(("effective_status", json!(all).to_string()));
            query
        };
        let spend = vec![
            ("fields", "spend".to_owned()),
            ("date_preset", "maximum".to_owned()),
        ];
        let (head, ad_sets, ads, spend) = futures::join!(
            get_maybe(session, &campaign_path, fields(wire::CAMPAIGN_FIELDS)),
            list_maybe(
                session,
                &ad_sets,
                statuses(fields(wire::AD_SET_FIELDS), mapping::KINDS[1].findable)
            ),
            list_maybe(
                session,
                &ads,
                statuses(fields(wire::AD_FIELDS), mapping::KINDS[3].findable)
            ),
            list_maybe(session, &insights, spend),
        );
        let Some(head) = head? else {
            return Ok(reading::reading(manifest, None, &[], &[], &[]));
        };
        Ok(reading::reading(manifest, Some(&head), &ad_sets?, &ads?, &spend?))
    }
}

/// The token and the proof that it is ours to use.
fn signature(session: &Session) -> Result<(SecretString, Option<String>), CallError> {
    let refuse = |why: String| CallError::refused(errors::no_credential(&why));
    match session.outbound.credentials.get(&session.account.credential) {
        Ok(Credential::Token {
            access_token,
            app_secret,
        }) => {
            let proof = app_secret.and_then(|secret| proof(&secret, &access_token));
            Ok((access_token, proof))
        }
        Ok(Credential::AuthorizedUser { .. } | Credential::ServiceAccount { .. }) => Err(refuse(format!(
            "credential {} holds no access_token",
            session.account.credential
        ))),
        Err(error) => Err(refuse(error.to_string())),
    }
}

/// `hex(hmac_sha256(app_secret, access_token))` (facebook_business `session.py`).
fn proof(app_secret: &SecretString, token: &SecretString) -> Option<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(app_secret.expose_secret().as_bytes()).ok()?;
    mac.update(token.expose_secret().as_bytes());
    Some(hex::encode(mac.finalize().into_bytes()))
}

async fn send(
    session: &Session,
    method: reqwest::Method,
    path: &str,
    fields: &[(String, String)],
    call: Call,
) -> Result<(Answer, Value), CallError> {
    let (token, proof) = signature(session)?;
    let url = format!("{}{path}", session.base_url);
    let mut fields = fields.to_vec();
    fields.extend(proof.map(|p| ("appsecret_proof".to_owned(), p)));
    let request = session
        .outbound
        .http
        .request(method.clone(), url)
        .bearer_auth(token.expose_secret());
    let request = if method == reqwest::Method::POST {
        request.form(&fields)
    } else {
        request.query(&fields)
    };
    let answer = session
        .outbound
        .send(request, session.deadline)
        .await
        .map_err(|error| match (error, call) {
            (NoAnswer::Lost(why), Call::Create | Call::Change | Call::Remove) => CallError::Unclear { why },
            (NoAnswer::Lost(why), Call::Read) | (NoAnswer::NotSent(why), _) => {
                CallError::Unavailable { why, after: None }
            }
        })?;
    let body = answer.json();
    match errors::classify(&answer, body.as_ref(), call) {
        Some(error) => Err(error),
        None => Ok((answer, body.unwrap_or(Value::Null))),
    }
}

async fn get(session: &Session, path: &str, query: &[(&str, String)]) -> Result<Value, CallError> {
    let fields: Vec<(String, String)> = query.iter().map(|(n, v)| ((*n).to_owned(), v.clone())).collect();
    Ok(send(session, reqwest::Method::GET, path, &fields, Call::Read)
        .await?
        .1)
}

/// A read of something that may be gone.
async fn get_maybe(
    session: &Session,
    path: &str,
    query: Vec<(&'static str, String)>,
) -> Result<Option<Value>, CallError> {
    match get(session, path, &query).await {
        Ok(value) => Ok(Some(value)),
        Err(CallError::Refused(error)) if error.code == errors::GONE => Ok(None),
        Err(error) => Err(error),
    }
}

async fn list_maybe(
    session: &Session,
    path: &str,
    query: Vec<(&'static str, String)>,
) -> Result<Vec<Value>, CallError> {
    match list(session, path, &query).await {
        Err(CallError::Refused(error)) if error.code == errors::GONE => Ok(Vec::new()),
        other => other,
    }
}

/// All pages of an edge.
async fn list(session: &Session, path: &str, query: &[(&str, String)]) -> Result<Vec<Value>, CallError> {
    let mut rows = Vec::new();
    let mut after: Option<String> = None;
    for _ in 0..PAGES {
        let mut query = query.to_vec();
        query.push(("limit", PAGE.to_string()));
        query.extend(after.take().map(|cursor| ("after", cursor)));
        let page = get(session, path, &query).await?;
        rows.extend(
            page.get("data")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .cloned(),
        );
        let more = page.pointer("/paging/next").is_some();
        after = page
            .pointer("/paging/cursors/after")
            .and_then(Value::as_str)
            .map(str::to_owned);
        if !more || after.is_none() {
            return Ok(rows);
        }
    }
    Err(CallError::Unavailable {
        why: format!("{path} has more than {PAGES} pages"),
        after: None,
    })
}
