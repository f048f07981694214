//! Calls to the DV360 API: signed, sent once, read whole, page after page.
//!
//! Must not know what is asked; must not put a token into a URL, nor a secret into an error.

use super::errors::{self, Call, Trouble};
use super::mapping::Kind;
use super::{NAME, PAGE, PAGES, SCOPE, VERSION};
use crate::outbound::Answer;
use crate::outbound::credentials::Credential;
use crate::outbound::google_oauth::Rejected;
use crate::outbound::pace::{self, Allowance, Hint, Pace, Quota};
use crate::platform::{CallError, Session};
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use secrecy::ExposeSecret as _;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

const REQUESTS: &str = "requests";
const WRITES: &str = "writes";

/// Per advertiser and project (developers.google.com/display-video/api/limits).
pub(super) const QUOTA: Quota = Quota {
    allowances: &[per_minute(WRITES, 150), per_minute(REQUESTS, 300)],
    legs_at_once: 6,
};
/// Per project, for all its advertisers together (the same page).
const PROJECT: Quota = Quota {
    allowances: &[per_minute(WRITES, 700), per_minute(REQUESTS, 1_500)],
    legs_at_once: Quota::NONE.legs_at_once,
};

const fn per_minute(name: &'static str, amount: u32) -> Allowance {
    Allowance {
        name,
        amount,
        per: Duration::from_secs(60),
    }
}

/// The advertiser's pace, and its project's.
fn paces(session: &Session) -> [Arc<Pace>; 2] {
    let outbound = &session.outbound;
    let name = &session.account.credential;
    let credential = outbound.credentials.get(name).ok();
    let project = credential.as_ref().and_then(Credential::google_project);
    let project = format!("project {}", project.unwrap_or(name));
    [
        session.pace(NAME, &QUOTA),
        outbound.paces.of(NAME, &project, &PROJECT),
    ]
}

/// Whose quota an answer says is used up: the advertiser's, where it names advertisers; else it may be the project's.
fn hints(answer: &Answer, body: Option<&Value>) -> [Hint; 2] {
    let Some(after) = errors::throttled(answer, body) else {
        return [Hint::Served; 2];
    };
    let text = body.and_then(|b| b.pointer("/error/message")?.as_str());
    let own = text.is_some_and(|text| text.to_ascii_lowercase().contains("advertiser"));
    let throttled = Hint::Throttled { after };
    [throttled, if own { Hint::Served } else { throttled }]
}
/// How long DV360 may work on a request; a call gets that much, whatever it waited for its turn.
const LIMIT: Duration = Duration::from_secs(180);

/// How long a call may wait for its turn.
fn patience(deadline: Duration) -> Duration {
    match deadline.checked_sub(LIMIT) {
        Some(spare) if !spare.is_zero() => spare,
        Some(_) | None => deadline / 2,
    }
}

/// What is sent along.
pub(super) enum Payload<'a> {
    None,
    Json(&'a Value),
    /// Any bytes, with their type.
    Bytes(String, Vec<u8>),
}

/// Sends one call, once. `Err(None)`: what was to be changed or removed is not there.
pub(super) async fn send(
    session: &Session,
    method: Method,
    path: &str,
    payload: Payload<'_>,
    call: Call,
) -> Result<(Answer, Value), Option<CallError>> {
    let [own, project] = paces(session);
    let cost: &[(&str, u32)] = if call == Call::Read {
        &[(REQUESTS, 1)]
    } else {
        &[(WRITES, 1), (REQUESTS, 1)]
    };
    let waited = pace::go(&[&own, &project], cost, patience(session.deadline)).await;
    let waited = waited.map_err(|full| CallError::Unavailable {
        why: full.to_string(),
        after: Some(full.after),
    })?;
    let outbound = &session.outbound;
    let credential = session.account.credential.as_str();
    let token = outbound
        .google
        .token(outbound, credential, SCOPE)
        .await
        .map_err(|e| errors::no_token(&e))?;
    let mut bearer = HeaderValue::from_str(&format!("Bearer {}", token.expose_secret()))
        .map_err(|_| errors::no_access("the token is not one that a header can carry"))?;
    bearer.set_sensitive(true);
    let request = outbound
        .http
        .request(method, format!("{}{path}", session.base_url))
        .header(AUTHORIZATION, bearer);
    let request = match payload {
        Payload::None => request,
        Payload::Json(body) => request.json(body),
        Payload::Bytes(kind, bytes) => request.header(CONTENT_TYPE, kind).body(bytes),
    };
    let answer = outbound
        .send(request, session.deadline.saturating_sub(waited))
        .await
        .map_err(|error| errors::no_answer(error, call))?;
    let body = answer.json();
    let [of_own, of_project] = hints(&answer, body.as_ref());
    own.observe(of_own);
    project.observe(of_project);
    match errors::classify(&answer, body.as_ref(), call) {
        None => Ok((answer, body.unwrap_or(Value::Null))),
        Some(Trouble::Gone) => Err(None),
        Some(Trouble::Call(error)) => Err(Some(error)),
        // Refused before anything was done: the same call may go out again, with a new token.
        Some(Trouble::Token(why)) => match outbound.google.forget(credential, SCOPE, &token).await {
            Rejected::TryAgain => Err(Some(CallError::Unavailable {
                why,
                after: Some(Duration::ZERO),
            })),
            Rejected::Hopeless => Err(Some(errors::no_access(&why))),
        },
    }
}

/// One read by address; none: it is not there.
pub(super) async fn get(session: &Session, path: &str) -> Result<Option<Value>, CallError> {
    match send(session, Method::GET, path, Payload::None, Call::Read).await {
        Ok((_, body)) => Ok(Some(body)),
        Err(None) => Ok(None),
        Err(Some(error)) => Err(error),
    }
}

/// All pages of a list at an address below the advertiser.
pub(super) async fn pages(
    session: &Session,
    below: &str,
    rows: &str,
    query: &[(&str, &str)],
) -> Result<Vec<Value>, CallError> {
    let odd = |what: &str| CallError::Unavailable {
        why: format!("DV360's list of {rows} makes no sense: {what}"),
        after: None,
    };
    let mut all = Vec::new();
    let mut token: Option<String> = None;
    for _ in 0..PAGES {
        let path = format!(
            "{VERSION}/advertisers/{}/{below}?{}",
            session.account.account_id,
            encoded(query, token.take())
        );
        let mut page = get(session, &path).await?.ok_or_else(|| odd("it is not there"))?;
        match page.get_mut(rows).map(Value::take) {
            Some(Value::Array(rows)) => all.extend(rows),
            // An empty list leaves the field out.
            None => {}
            Some(_) => return Err(odd("it is no list")),
        }
        match page
            .get("nextPageToken")
            .and_then(Value::as_str)
            .filter(|t| !t.is_empty())
        {
            Some(next) => token = Some(next.to_owned()),
            None => return Ok(all),
        }
    }
    Err(odd("it has no end"))
}

fn encoded(query: &[(&str, &str)], token: Option<String>) -> String {
    let mut pairs = url::form_urlencoded::Serializer::new(String::new());
    pairs.extend_pairs(query);
    if let Some(token) = token {
        pairs.append_pair("pageToken", &token);
    }
    pairs.finish()
}

/// All of a kind that a filter lets through.
pub(super) async fn list(session: &Session, kind: &Kind, filter: &str) -> Result<Vec<Value>, CallError> {
    pages(
        session,
        kind.collection,
        kind.collection,
        &[("filter", filter), ("pageSize", PAGE)],
    )
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_quota_of_the_project_slows_all_its_advertisers_and_an_advertisers_own_only_that() {
        let answer = |status| Answer {
            status,
            headers: reqwest::header::HeaderMap::new(),
            body: Vec::new(),
        };
        let says = |limit: &str| {
            let message =
                format!("Quota exceeded for quota metric 'Requests' and limit '{limit}' of service 'x'.");
            json!({ "error": { "code": 429, "status": "RESOURCE_EXHAUSTED", "message": message } })
        };
        let throttled = |hints: [Hint; 2]| hints.map(|hint| hint != Hint::Served);
        let own = hints(&answer(429), Some(&says("Requests per minute per advertiser")));
        assert_eq!(throttled(own), [true, false]);
        let all = hints(&answer(429), Some(&says("Requests per minute")));
        assert_eq!(throttled(all), [true, true]);
        assert_eq!(
            throttled(hints(&answer(429), None)),
            [true, true],
            "nobody knows whose"
        );
        assert_eq!(throttled(hints(&answer(200), None)), [false, false]);
    }
}
