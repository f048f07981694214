//! One way to ask Google's JSON APIs that the gate reads (GA4, Merchant): a token, a call, its pages, and what a refusal means
//! before anybody interprets it.
//!
//! Must not retry, but for one fresh token after a 401; must not decide what an answer means for a launch.

use crate::outbound::Outbound;
use crate::outbound::google_oauth::{Rejected, TokenError};
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::time::Duration;

/// How long one call may take.
const DEADLINE: Duration = Duration::from_secs(15);
/// No list that the gate reads has more pages; one that seems to goes round in circles.
const PAGES: usize = 200;
/// The longest text of Google's that a reason repeats.
const WORDS: usize = 300;

/// One API as one credential may use it.
#[derive(Clone, Copy)]
pub(super) struct Api<'a> {
    pub(super) outbound: &'a Outbound,
    /// The name of the credential file.
    pub(super) credential: &'a str,
    pub(super) scope: &'static str,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Google says no, and will say no again.
    Refused {
        status: u16,
        /// `REASON` of the `ErrorInfo`, where there is one.
        reason: String,
        /// Google's words, cut.
        message: String,
    },
    /// The credential is refused or no credential.
    Credential(String),
    /// 429: too many calls.
    Throttled { after: Option<Duration> },
    /// 5xx.
    Server { status: u16 },
    /// No answer, or none that can be read.
    Unreachable(String),
}

impl Trouble {
    /// For a person.
    pub(super) fn told(&self, api: &str) -> String {
        match self {
            Self::Refused {
                status,
                message,
                reason,
            } if reason.is_empty() => format!("{api} answered {status}: {message}"),
            Self::Refused {
                status,
                message,
                reason,
            } => format!("{api} answered {status} ({reason}): {message}"),
            Self::Credential(why) => format!("{api} cannot be asked: {why}"),
            Self::Throttled { .. } => format!("{api} answered 429: too many requests"),
            Self::Server { status } => format!("{api} answered {status}"),
            Self::Unreachable(why) => format!("{api}: {why}"),
        }
    }
}

impl Api<'_> {
    /// Reads one thing.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        url: &str,
        query: &[(&str, &str)],
    ) -> Result<T, Trouble> {
        read(self.call(|http| http.get(url).query(query)).await?)
    }

    /// Asks by a body; for reports, which change nothing.
    pub(super) async fn ask(&self, url: &str, body: &Value) -> Result<Value, Trouble> {
        self.call(|http| http.post(url).json(body)).await
    }

    /// Reads a whole list, all pages. `query` holds the page size and whatever else each page must repeat.
    pub(super) async fn list<T: DeserializeOwned>(
        &self,
        url: &str,
        query: &[(&str, &str)],
        field: &str,
    ) -> Result<Vec<T>, Trouble> {
        let mut all = Vec::new();
        let mut token = String::new();
        for _ in 0..PAGES {
            let mut used = query.to_vec();
            if !token.is_empty() {
                used.push(("pageToken", &token));
            }
            let mut page: Value = self.get(url, &used).await?;
            match page.get_mut(field).map(Value::take) {
                None | Some(Value::Null) => {}
                Some(items) => all.extend(read::<Vec<T>>(items)?),
            }
            match page.get("nextPageToken").and_then(Value::as_str) {
                None | Some("") => return Ok(all),
                Some(next) => token = next.to_owned(),
            }
        }
        Err(Trouble::Unreachable(format!("the list of {field} has no end")))
    }

    async fn call(
        &self,
        request: impl Fn(&reqwest::Client) -> reqwest::RequestBuilder,
    ) -> Result<Value, Trouble> {
        let mut again = true;
        loop {
            let token = match self
                .outbound
                .google
                .token(self.outbound, self.credential, self.scope)
                .await
            {
                Ok(token) => token,
                Err(error @ TokenError::NotAvailable { .. }) => {
                    return Err(Trouble::Unreachable(error.to_string()));
                }
                Err(error @ (TokenError::Refused { .. } | TokenError::BadCredential(_))) => {
                    return Err(Trouble::Credential(error.to_string()));
                }
            };
            let request = request(&self.outbound.http).bearer_auth(token.expose_secret());
            let sent = self.outbound.send(request, DEADLINE).await;
            let answer = sent.map_err(|e| Trouble::Unreachable(e.to_string()))?;
            match answer.status {
                200 => {
                    let unreadable = || Trouble::Unreachable("the answer is no JSON".to_owned());
                    return answer.json().ok_or_else(unreadable);
                }
                429 => {
                    let hint = answer.header("retry-after").and_then(|s| s.parse().ok());
                    return Err(Trouble::Throttled {
                        after: hint.map(Duration::from_secs),
                    });
                }
                status if status >= 500 => return Err(Trouble::Server { status }),
                status => {
                    let refused = refused(status, answer.json());
                    // A reason of the API's own is about the account, not about the token.
                    let ours = matches!(&refused, Trouble::Refused { reason, .. } if about_the_token(reason));
                    if status != 401 || !again || !ours {
                        return Err(refused);
                    }
                    let google = &self.outbound.google;
                    match google.forget(self.credential, self.scope, &token).await {
                        Rejected::TryAgain => again = false,
                        Rejected::Hopeless => return Err(refused),
                    }
                }
            }
        }
    }
}

fn about_the_token(reason: &str) -> bool {
    matches!(
        reason,
        "" | "ACCESS_TOKEN_EXPIRED" | "CREDENTIALS_MISSING" | "ACCESS_TOKEN_TYPE_UNSUPPORTED"
    )
}

fn refused(status: u16, body: Option<Value>) -> Trouble {
    let error = body.as_ref().and_then(|b| b.get("error"));
    let text = |v: Option<&Value>| v.and_then(Value::as_str).unwrap_or_default().to_owned();
    let info = error
        .and_then(|e| e.get("details")?.as_array())
        .into_iter()
        .flatten()
        .find(|d| d.get("@type").and_then(Value::as_str) == Some("type.googleapis.com/google.rpc.ErrorInfo"));
    // Merchant API keeps the stable reason in the metadata; others in the field of that name.
    let reason = info.and_then(|i| i.pointer("/metadata/REASON").or_else(|| i.get("reason")));
    let message = text(error.and_then(|e| e.get("message")));
    Trouble::Refused {
        status,
        reason: text(reason).chars().take(WORDS).collect(),
        message: message.chars().take(WORDS).collect(),
    }
}

fn read<T: DeserializeOwned>(value: Value) -> Result<T, Trouble> {
    serde_json::from_value(value).map_err(|e| Trouble::Unreachable(format!("the answer cannot be read: {e}")))
}
