//! Calls to the Graph API: signed, sent once, read whole, page after page.
//!
//! Must not know what is asked; must not put a token into a URL, nor a secret into an error.

use super::NAME;
use super::errors::{self, Call};
use super::pace::{self, QUOTA};
use crate::outbound::credentials::Credential;
use crate::outbound::pace::Hint;
use crate::outbound::{Answer, NoAnswer};
use crate::platform::{CallError, Session};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use sha2::Sha256;

/// Rows of one page; Meta's default is 25.
const PAGE: usize = 200;
/// Pages of one list.
const PAGES: usize = 100;

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

/// Sends one call, once.
pub(super) async fn send(
    session: &Session,
    method: reqwest::Method,
    path: &str,
    fields: &[(String, String)],
    call: Call,
) -> Result<(Answer, Value), CallError> {
    let (token, proof) = signature(session)?;
    let pace = session.pace(NAME, &QUOTA);
    let patience = session.deadline / 2;
    let waited = pace.go(pace::cost(call != Call::Read), patience).await;
    let waited = waited.map_err(|full| CallError::Unavailable {
        why: full.to_string(),
        after: Some(full.after),
    })?;
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
        .send(request, session.deadline.saturating_sub(waited))
        .await
        .map_err(|error| match (error, call) {
            (NoAnswer::Lost(why), Call::Create | Call::Change | Call::Remove) => CallError::Unclear { why },
            (NoAnswer::Lost(why), Call::Read) | (NoAnswer::NotSent(why), _) => {
                CallError::Unavailable { why, after: None }
            }
        })?;
    let body = answer.json();
    for hint in pace::hints(&answer) {
        pace.observe(hint);
    }
    pace.observe(match errors::throttled(&answer, body.as_ref()) {
        Some(after) => Hint::Throttled { after },
        None => Hint::Served,
    });
    match errors::classify(&answer, body.as_ref(), call) {
        Some(error) => Err(error),
        None => Ok((answer, body.unwrap_or(Value::Null))),
    }
}

/// One read.
pub(super) async fn get(session: &Session, path: &str, query: &[(&str, String)]) -> Result<Value, CallError> {
    let fields: Vec<(String, String)> = query.iter().map(|(n, v)| ((*n).to_owned(), v.clone())).collect();
    Ok(send(session, reqwest::Method::GET, path, &fields, Call::Read)
        .await?
        .1)
}

/// All pages of an edge.
pub(super) async fn list(
    session: &Session,
    path: &str,
    query: &[(&str, String)],
) -> Result<Vec<Value>, CallError> {
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
        after = next(path, &page)?;
        if after.is_none() {
            return Ok(rows);
        }
    }
    Err(CallError::Unavailable {
        why: format!("{path} has more than {PAGES} pages"),
        after: None,
    })
}

/// The cursor of the page after this one; none: this is the last. Half a list is none: what is not in it would count as not there.
fn next(path: &str, page: &Value) -> Result<Option<String>, CallError> {
    if page.pointer("/paging/next").is_none() {
        return Ok(None);
    }
    let cursor = page.pointer("/paging/cursors/after").and_then(Value::as_str);
    match cursor.filter(|cursor| !cursor.is_empty()) {
        Some(cursor) => Ok(Some(cursor.to_owned())),
        None => Err(CallError::Unavailable {
            why: format!("{path} has more pages and no cursor that leads to them"),
            after: None,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_list_ends_where_meta_says_so_and_is_never_cut_short() {
        let page = |paging: Value| next("campaigns", &json!({ "data": [], "paging": paging }));
        assert_eq!(page(json!({ "cursors": { "after": "a" } })), Ok(None));
        let more = json!({ "cursors": { "after": "a" }, "next": "https://graph" });
        assert_eq!(page(more), Ok(Some("a".to_owned())));
        for cursors in [json!(null), json!({}), json!({ "after": "" })] {
            let lost = page(json!({ "cursors": cursors, "next": "https://graph" }));
            assert!(matches!(lost, Err(CallError::Unavailable { .. })), "{lost:?}");
        }
    }
}
