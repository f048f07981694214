//! Calls to the Business API: the token in its own header, sent once, read whole, page after page.
//!
//! Must not know what is asked; must not put a token into a URL, nor a secret into an error.

use super::errors::{self, Call};
use super::{NAME, VERSION, wire};
use crate::outbound::NoAnswer;
use crate::outbound::credentials::Credential;
use crate::outbound::pace::{Allowance, Hint, Pace, Quota};
use crate::platform::{CallError, Session};
use reqwest::header::HeaderValue;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// Rows of one page; the most that TikTok gives.
const PAGE: usize = 1000;
/// Pages of one list.
const PAGES: usize = 50;

const SECOND: &str = "requests a second";
const MINUTE: &str = "requests a minute";
const ADS_SECOND: &str = "ads created a second";
const ADS_MINUTE: &str = "ads created a minute";

/// What the Basic level allows a developer app (portal, "API rate limits"): 10 requests a second and 600 a minute, of which 5 and
/// 150 may create ads. A higher level only makes us slower than need be.
pub(super) const QUOTA: Quota = Quota {
    allowances: &[
        per(ADS_SECOND, 5, 1),
        per(ADS_MINUTE, 150, 60),
        per(SECOND, 10, 1),
        per(MINUTE, 600, 60),
    ],
    legs_at_once: 12,
};

const fn per(name: &'static str, amount: u32, seconds: u64) -> Allowance {
    Allowance {
        name,
        amount,
        per: Duration::from_secs(seconds),
    }
}

/// The limits are the app's, whatever the account: those who share a credential share its pace.
pub(super) fn pace(session: &Session) -> Arc<Pace> {
    session
        .outbound
        .paces
        .of(NAME, &session.account.credential, &QUOTA)
}

/// What a call costs.
fn cost(path: &str) -> &'static [(&'static str, u32)] {
    if path.ends_with("/ad/create/") {
        &[(ADS_SECOND, 1), (ADS_MINUTE, 1), (SECOND, 1), (MINUTE, 1)]
    } else {
        &[(SECOND, 1), (MINUTE, 1)]
    }
}

/// The token, as a header that no log shows.
fn token(session: &Session) -> Result<HeaderValue, CallError> {
    let refuse = |why: String| CallError::refused(errors::no_credential(&why));
    let credential = &session.account.credential;
    match session.outbound.credentials.get(credential) {
        Ok(Credential::Token { access_token, .. }) => {
            let mut value = HeaderValue::from_str(access_token.expose_secret()).map_err(|_| {
                refuse(format!(
                    "credential {credential} holds a token that no header can carry"
                ))
            })?;
            value.set_sensitive(true);
            Ok(value)
        }
        Ok(Credential::AuthorizedUser { .. } | Credential::ServiceAccount { .. }) => {
            Err(refuse(format!("credential {credential} holds no access_token")))
        }
        Err(error) => Err(refuse(error.to_string())),
    }
}

/// Sends a request, once; the whole envelope that came back, its numbers exact.
async fn send(
    session: &Session,
    path: &str,
    request: reqwest::RequestBuilder,
    call: Call,
) -> Result<Value, CallError> {
    let pace = pace(session);
    let waited = pace.go(cost(path), session.deadline / 2).await;
    let waited = waited.map_err(|full| CallError::Unavailable {
        why: full.to_string(),
        after: Some(full.after),
    })?;
    let request = request.header("Access-Token", token(session)?);
    let answer = session
        .outbound
        .send(request, session.deadline.saturating_sub(waited))
        .await
        .map_err(|error| match (error, call) {
            (NoAnswer::Lost(why), Call::Write) => CallError::Unclear { why },
            (NoAnswer::Lost(why), Call::Read) | (NoAnswer::NotSent(why), _) => {
                CallError::Unavailable { why, after: None }
            }
        })?;
    let body = wire::exact(&answer.body);
    pace.observe(if errors::throttled(body.as_ref()) {
        // TikTok names no time.
        Hint::Throttled { after: None }
    } else {
        Hint::Served
    });
    match errors::classify(&answer, body.as_ref(), call) {
        Some(error) => Err(error),
        None => Ok(body.unwrap_or(Value::Null)),
    }
}

/// One write; the envelope.
pub(super) async fn post(session: &Session, path: &str, body: &Value) -> Result<Value, CallError> {
    let url = format!("{}{path}", session.base_url);
    let request = session
        .outbound
        .http
        .post(url)
        .header("Content-Type", "application/json")
        .body(wire::text(body));
    send(session, path, request, Call::Write).await
}

/// One read; its `data`. Values that are no texts go as JSON.
pub(super) async fn get(session: &Session, path: &str, query: &[(&str, Value)]) -> Result<Value, CallError> {
    let url = format!("{}{VERSION}{path}", session.base_url);
    let query: Vec<(&str, String)> = query
        .iter()
        .map(|(name, value)| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            (*name, text)
        })
        .collect();
    let request = session.outbound.http.get(url).query(&query);
    let mut envelope = send(session, path, request, Call::Read).await?;
    Ok(envelope.get_mut("data").map(Value::take).unwrap_or_default())
}

/// Every row of a list, page after page.
pub(super) async fn list(
    session: &Session,
    path: &str,
    query: &[(&str, Value)],
) -> Result<Vec<Value>, CallError> {
    let mut rows = Vec::new();
    for page in 1..=PAGES {
        let mut query = query.to_vec();
        query.push(("page", json!(page)));
        query.push(("page_size", json!(PAGE)));
        let data = get(session, path, &query).await?;
        rows.extend(
            data.get("list")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .cloned(),
        );
        let pages = data.pointer("/page_info/total_page").and_then(Value::as_u64);
        if pages.is_none_or(|pages| pages <= page as u64) {
            return Ok(rows);
        }
    }
    Err(CallError::Unavailable {
        why: format!("{path} has more than {PAGES} pages"),
        after: None,
    })
}
