//! The query of a call to one of Google's newer APIs (GA4, Merchant): which parameters a method knows, and its pages.
//!
//! Must not know what is listed, nor how an API dresses its refusals. Unknown parameters are refused as Google's front end refuses them; the system parameters of
//! every Google API (<https://cloud.google.com/apis/docs/system-parameters>) are let through, since official clients send them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// Why a query is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bad {
    pub(super) message: String,
    /// A stable word for it, where the API gives one.
    pub(super) reason: &'static str,
    pub(super) field: &'static str,
}

fn bad(message: impl Into<String>, reason: &'static str, field: &'static str) -> Bad {
    Bad {
        message: message.into(),
        reason,
        field,
    }
}

const SYSTEM: &[&str] = &[
    "$alt",
    "alt",
    "$.xgafv",
    "$prettyPrint",
    "prettyPrint",
    "$fields",
    "fields",
    "$key",
    "key",
    "quotaUser",
    "callback",
];

/// The parameters of a call, in camel case.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// Parses a query; JSON's names and the proto's are both taken.
    pub(super) fn parse(query: &str) -> Self {
        let pairs = url::form_urlencoded::parse(query.as_bytes())
            .filter(|(name, _)| !SYSTEM.contains(&name.as_ref()))
            .map(|(name, value)| {
                let camel = match name.as_ref() {
                    "page_size" => "pageSize".to_owned(),
                    "page_token" => "pageToken".to_owned(),
                    "language_code" => "languageCode".to_owned(),
                    "time_zone" => "timeZone".to_owned(),
                    other => other.to_owned(),
                };
                (camel, value.into_owned())
            })
            .collect();
        Self(pairs)
    }

    /// Refuses parameters that the method does not have.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), Bad> {
        match self.0.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            None => Ok(()),
            Some((name, _)) => {
                let message = format!(
                    "Invalid JSON payload received. Unknown name \"{name}\": Cannot bind query parameter. Field '{name}' could \
                     not be found in request message."
                );
                Err(bad(message, "", ""))
            }
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(n, _)| n == name);
        found.map(|(_, value)| value.as_str()).filter(|v| !v.is_empty())
    }

    /// Cuts the page that is asked for out of all items. "Values above are coerced"; a token is only good with the parameters
    /// of the call that gave it.
    pub(super) fn page(
        &self,
        key: &str,
        items: Vec<Value>,
        default: usize,
        most: usize,
    ) -> Result<Value, Bad> {
        let size = match self.get("pageSize") {
            None => default,
            Some(text) => match text.parse::<i32>() {
                Ok(n) if n < 0 => {
                    let message = "[pageSize] The page size must not be negative.";
                    return Err(bad(message, "INVALID_VALUE", "pageSize"));
                }
                Ok(0) => default,
                Ok(n) => usize::try_from(n).unwrap_or(most).min(most),
                Err(_) => {
                    let message = format!("Invalid value at 'page_size' (TYPE_INT32), \"{text}\"");
                    return Err(bad(message, "", ""));
                }
            },
        };
        let rest: Vec<String> = self
            .0
            .iter()
            .filter(|(name, _)| name != "pageToken" && name != "pageSize")
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mark = format!("{key}?{}", rest.join("&"));
        let start = match self.get("pageToken") {
            None => 0,
            Some(token) => opened(token, &mark).ok_or_else(|| {
                let message = "[pageToken] The page token is not one of this call's.";
                bad(message, "INVALID_PAGE_TOKEN", "pageToken")
            })?,
        };
        let end = start.saturating_add(size).min(items.len());
        let next = (end < items.len()).then(|| URL_SAFE_NO_PAD.encode(format!("{end} {mark}")));
        let page = items.get(start..end).unwrap_or_default().to_vec();
        Ok(listed(key, page, next))
    }
}

fn opened(token: &str, mark: &str) -> Option<usize> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let (start, rest) = text.split_once(' ')?;
    (rest == mark).then(|| start.parse().ok())?
}

/// A list in proto3 JSON: an empty one is left out.
fn listed(key: &str, items: Vec<Value>, next: Option<String>) -> Value {
    let mut body = json!({});
    if !items.is_empty() {
        body[key] = Value::Array(items);
    }
    if let Some(next) = next {
        body["nextPageToken"] = next.into();
    }
    body
}
