//! Every request as it came in, and what became of it.
//!
//! Kept raw and rendered only when asked for, so that recording costs next to nothing; bounded, with running counts that
//! outlive the entries. Credentials are never rendered: that they were sent is shown, their value is not.

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, VecDeque};

/// How much of an answer is kept.
const ESSENCE: usize = 4096;
/// How many requests are kept unless the world says otherwise.
pub(super) const KEPT: usize = 50_000;

/// One request.
pub(super) struct Entry {
    pub(super) n: u64,
    pub(super) at: DateTime<Utc>,
    pub(super) vendor: &'static str,
    /// The logical method: `google-ads.mutate`.
    pub(super) method: String,
    pub(super) account: String,
    pub(super) http_method: Method,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// None: the client never got one.
    pub(super) status: Option<u16>,
    pub(super) answer: Bytes,
    /// Whether anything changed on the vendor's side.
    pub(super) effect: bool,
    pub(super) faults: Vec<String>,
}

#[derive(Default, Clone, Copy)]
struct Count {
    requests: u64,
    effects: u64,
    errors: u64,
    faults: u64,
}

/// What to show.
#[derive(Default)]
pub(super) struct Filter {
    pub(super) vendor: Option<String>,
    pub(super) method: Option<String>,
    /// Only entries after this number.
    pub(super) since: u64,
    /// Only entries that changed something.
    pub(super) mutations: bool,
    pub(super) limit: usize,
}

/// The journal.
pub(super) struct Journal {
    next: u64,
    kept: usize,
    entries: VecDeque<Entry>,
    counts: BTreeMap<&'static str, BTreeMap<String, Count>>,
}

impl Default for Journal {
    fn default() -> Self {
        Self {
            next: 0,
            kept: KEPT,
            entries: VecDeque::new(),
            counts: BTreeMap::new(),
        }
    }
}

impl Journal {
    /// Sets how many entries are kept.
    pub(super) fn keep(&mut self, kept: usize) {
        self.kept = kept;
        while self.entries.len() > kept {
            self.entries.pop_front();
        }
    }

    /// Adds an entry and numbers it.
    pub(super) fn add(&mut self, mut entry: Entry) {
        self.next += 1;
        entry.n = self.next;
        let methods = self.counts.entry(entry.vendor).or_default();
        if !methods.contains_key(&entry.method) {
            methods.insert(entry.method.clone(), Count::default());
        }
        if let Some(count) = methods.get_mut(&entry.method) {
            count.requests += 1;
            count.effects += u64::from(entry.effect);
            count.errors += u64::from(entry.status.is_none_or(|s| s >= 400));
            count.faults += u64::from(!entry.faults.is_empty());
        }
        if self.kept == 0 {
            return;
        }
        if self.entries.len() >= self.kept {
            self.entries.pop_front();
        }
        self.entries.push_back(entry);
    }

    /// Requests, effects, errors and faults per vendor and method.
    pub(super) fn counts(&self) -> Value {
        let mut all = Map::new();
        for (vendor, methods) in &self.counts {
            let methods: Map<String, Value> = methods
                .iter()
                .map(|(method, c)| {
                    let value = json!({
                        "requests": c.requests, "effects": c.effects, "errors": c.errors, "faults": c.faults,
                    });
                    (method.clone(), value)
                })
                .collect();
            all.insert((*vendor).to_owned(), Value::Object(methods));
        }
        json!({"last": self.next, "counts": all})
    }

    /// The entries that the filter lets through, oldest first.
    pub(super) fn list(&self, filter: &Filter) -> Vec<Value> {
        let wanted = |entry: &&Entry| {
            entry.n > filter.since
                && (!filter.mutations || entry.effect)
                && filter.vendor.as_deref().is_none_or(|v| v == entry.vendor)
                && filter.method.as_deref().is_none_or(|m| m == entry.method)
        };
        self.entries
            .iter()
            .filter(wanted)
            .take(filter.limit)
            .map(render)
            .collect()
    }
}

fn render(entry: &Entry) -> Value {
    json!({
        "n": entry.n,
        "at": entry.at.to_rfc3339_opts(SecondsFormat::Micros, true),
        "vendor": entry.vendor,
        "method": entry.method,
        "account": entry.account,
        "http_method": entry.http_method.as_str(),
        "path": entry.path,
        "query": form(entry.query.as_bytes()),
        "headers": shown_headers(&entry.headers),
        "body": body(entry),
        "status": entry.status,
        "response": essence(&entry.answer),
        "effect": entry.effect,
        "faults": entry.faults,
    })
}

/// The headers; that a credential was sent is shown, its value is not.
pub(super) fn shown_headers(headers: &HeaderMap) -> Map<String, Value> {
    let shown = |(name, value): (&HeaderName, &HeaderValue)| {
        let secret = matches!(
            name.as_str(),
            "authorization" | "access-token" | "developer-token" | "cookie"
        );
        let shown = if secret {
            "<redacted>"
        } else {
            value.to_str().unwrap_or("<binary>")
        };
        (name.as_str().to_owned(), shown.into())
    };
    headers.iter().map(shown).collect()
}

fn body(entry: &Entry) -> Value {
    if entry.body.is_empty() {
        return Value::Null;
    }
    if let Ok(value) = serde_json::from_slice::<Value>(&entry.body) {
        return redacted(value);
    }
    let kind = entry
        .headers
        .get("content-type")
        .and_then(|v| v.to_str().ok())
        .unwrap_or("");
    if kind.starts_with("application/x-www-form-urlencoded") {
        return form(&entry.body);
    }
    String::from_utf8_lossy(&entry.body).into()
}

/// A form or query string as an object; values that hold JSON are shown as JSON.
fn form(bytes: &[u8]) -> Value {
    let mut map = Map::new();
    for (key, value) in url::form_urlencoded::parse(bytes) {
        let value = match value.as_bytes().first() {
            Some(b'{' | b'[') => serde_json::from_str(&value).unwrap_or_else(|_| value.as_ref().into()),
            _ => Value::String(value.into_owned()),
        };
        map.insert(key.into_owned(), value);
    }
    redacted(Value::Object(map))
}

/// Names whose values are credentials.
pub(super) const SECRETS: &[&str] = &[
    "access_token",
    "appsecret_proof",
    "client_secret",
    "refresh_token",
    "assertion",
    "app_secret",
    "private_key",
    "id_token",
];

/// Replaces the values of credentials at any depth.
pub(super) fn redacted(mut value: Value) -> Value {
    fn walk(value: &mut Value) {
        match value {
            Value::Object(map) => {
                for (key, inner) in map {
                    if SECRETS.contains(&key.as_str()) {
                        *inner = "<redacted>".into();
                    } else {
                        walk(inner);
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(walk),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    walk(&mut value);
    value
}

fn essence(answer: &Bytes) -> Value {
    if answer.is_empty() {
        return Value::Null;
    }
    if answer.len() <= ESSENCE {
        return match serde_json::from_slice(answer) {
            Ok(value) => redacted(value),
            Err(_) => String::from_utf8_lossy(answer).into(),
        };
    }
    json!({"bytes": answer.len(), "begins": String::from_utf8_lossy(&answer[..256])})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_shown_as_present_but_never_by_value() {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", "Bearer very-secret".parse().unwrap());
        headers.insert(
            "content-type",
            "application/x-www-form-urlencoded".parse().unwrap(),
        );
        let mut journal = Journal::default();
        journal.add(Entry {
            n: 0,
            at: Utc::now(),
            vendor: "meta",
            method: "meta.campaigns.create".into(),
            account: "42".into(),
            http_method: Method::POST,
            path: "/v26.0/act_42/campaigns".into(),
            query: "access_token=very-secret&appsecret_proof=very-secret".into(),
            headers,
            body: Bytes::from_static(b"access_token=very-secret&targeting=%7B%22a%22%3A1%7D"),
            status: Some(200),
            answer: Bytes::from_static(b"{\"access_token\":\"very-secret\"}"),
            effect: true,
            faults: Vec::new(),
        });
        let filter = Filter {
            mutations: true,
            limit: 10,
            ..Filter::default()
        };
        let shown = serde_json::to_string(&journal.list(&filter)).unwrap();
        assert!(!shown.contains("very-secret"), "{shown}");
        assert!(shown.contains("\"a\":1"), "nested JSON is parsed: {shown}");
        assert_eq!(
            journal.counts()["counts"]["meta"]["meta.campaigns.create"]["effects"],
            1
        );
    }
}
