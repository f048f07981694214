//! Batch requests: up to fifty operations in one call, each carried out, faulted and journaled as a request of its own.
//!
//! An operation whose answer is lost is `null` in the batch's answer, as with the vendor. Must not know what an operation
//! does. Source: <https://developers.facebook.com/docs/graph-api/batch-requests>.

use super::errors::Fault;
use super::params::{Params, json as json_param, text};
use super::{VENDOR, describe};
use crate::sandbox::http::{Answer, Call, Incoming, Vendor, conduct};
use crate::sandbox::world::World;
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, Method};
use serde_json::{Map, Value, json};
use std::collections::{HashMap, HashSet};

/// The vendor's limits.
const MOST_OPERATIONS: usize = 50;
const MOST_ADS: usize = 10;

struct Operation {
    method: Method,
    url: String,
    body: String,
    name: String,
}

fn operations(params: &Params) -> Result<Vec<Operation>, Fault> {
    let given = json_param(params, "batch")?.ok_or_else(|| Fault::required("batch"))?;
    let items = given
        .as_array()
        .ok_or_else(|| Fault::invalid("batch", "batch must be an array"))?;
    if items.is_empty() {
        return Err(Fault::invalid("batch", "batch must not be empty"));
    }
    if items.len() > MOST_OPERATIONS {
        let message = format!("Too many requests in batch message. Maximum batch size is {MOST_OPERATIONS}");
        return Err(Fault::new(100, message).blaming("batch"));
    }
    let read = |item: &Value| {
        let field = |name: &str| item[name].as_str().unwrap_or("").to_owned();
        let method = field("method").to_uppercase().parse::<Method>();
        let method = method.map_err(|_| Fault::invalid("batch", "a method is not known"))?;
        let url = field("relative_url").trim_start_matches('/').to_owned();
        Ok(Operation {
            method,
            url,
            body: field("body"),
            name: field("name"),
        })
    };
    let operations = items.iter().map(read).collect::<Result<Vec<_>, Fault>>()?;
    let ads = operations
        .iter()
        .filter(|o| o.method == Method::POST && o.url.split('?').next().is_some_and(|p| p.ends_with("/ads")));
    if ads.count() > MOST_ADS {
        return Err(Fault::new(100, format!("A batch can create at most {MOST_ADS} ads")).blaming("batch"));
    }
    Ok(operations)
}

/// A batch in progress.
struct Batch<'a> {
    call: &'a Call<'a>,
    version: &'a str,
    token: String,
    proof: &'a str,
    results: HashMap<String, Value>,
    /// The campaigns that an ad set has been made in.
    campaigns: HashSet<String>,
}

impl Batch<'_> {
    /// An operation as a request of its own, or why the batch cannot have it.
    fn request(&mut self, world: &World, operation: &Operation) -> Result<Incoming, Fault> {
        let url = substituted(&operation.url, &self.results);
        let body = substituted(&operation.body, &self.results);
        let (path, query) = url.split_once('?').unwrap_or((&url, ""));
        let path = path
            .strip_prefix(self.version)
            .map_or(path, |p| p.trim_start_matches('/'));
        // "Batch requests cannot include multiple ad sets under the same campaign."
        if operation.method == Method::POST && path.ends_with("/adsets") {
            let mut form = url::form_urlencoded::parse(body.as_bytes());
            let campaign = form
                .find(|(key, _)| key == "campaign_id")
                .map(|(_, value)| value.into_owned());
            if campaign.is_some_and(|campaign| !self.campaigns.insert(campaign)) {
                return Err(Fault::new(
                    100,
                    "A batch cannot include multiple ad sets under the same campaign",
                ));
            }
        }
        let mut headers = HeaderMap::new();
        headers.insert(
            "content-type",
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
        if let Ok(value) = HeaderValue::from_str(&format!("Bearer {}", self.token)) {
            headers.insert("authorization", value);
        }
        for name in ["host", "user-agent"] {
            if let Some(value) = self.call.headers.get(name) {
                headers.insert(name, value.clone());
            }
        }
        let query = match (self.proof, query) {
            ("", query) => query.to_owned(),
            (proof, "") => format!("appsecret_proof={proof}"),
            (proof, query) => format!("{query}&appsecret_proof={proof}"),
        };
        let path = format!("/{}/{path}", self.version);
        let (method, body) = (operation.method.clone(), Bytes::from(body));
        let described = describe(
            world,
            &Call {
                method: &method,
                path: &path,
                query: &query,
                headers: &headers,
                body: &body,
            },
        );
        const ITSELF: &Vendor = &VENDOR;
        Ok(Incoming {
            vendor: ITSELF,
            described,
            method,
            path,
            query,
            headers,
            body,
        })
    }
}

/// Answers `POST /v26.0/`.
pub(super) fn answer(world: &mut World, call: &Call<'_>, params: &Params) -> Result<Answer, Fault> {
    let operations = operations(params)?;
    let with_headers = text(params, "include_headers") != "false";
    let mut batch = Batch {
        call,
        version: call.path.split('/').nth(1).unwrap_or(""),
        token: super::token(call, params),
        proof: text(params, "appsecret_proof"),
        results: HashMap::new(),
        campaigns: HashSet::new(),
    };
    let mut answers = Vec::new();
    for operation in operations {
        let incoming = match batch.request(world, &operation) {
            Ok(incoming) => incoming,
            Err(fault) => {
                answers.push(rendered(&fault.answer(world), with_headers));
                continue;
            }
        };
        let hidden_for = world.store.hidden_for;
        let plan = incoming.plan(world);
        let outcome = conduct(world, incoming, &plan);
        world.store.hidden_for = hidden_for;
        if !outcome.delivered() {
            answers.push(Value::Null);
            continue;
        }
        if !operation.name.is_empty()
            && let Ok(value) = serde_json::from_slice(&outcome.answer.body)
        {
            batch.results.insert(operation.name, value);
        }
        answers.push(rendered(&outcome.answer, with_headers));
    }
    Ok(Answer::json(200, &Value::Array(answers)))
}

fn rendered(answer: &Answer, with_headers: bool) -> Value {
    let mut out = Map::new();
    out.insert("code".into(), answer.status.into());
    if with_headers {
        let headers: Vec<Value> = answer
            .headers
            .iter()
            .map(|(n, v)| json!({"name": n, "value": v}))
            .collect();
        out.insert("headers".into(), headers.into());
    }
    out.insert("body".into(), String::from_utf8_lossy(&answer.body).into());
    Value::Object(out)
}

/// Replaces `{result=name:$.path}` by what the named operation answered there.
fn substituted(text: &str, results: &HashMap<String, Value>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("{result=") {
        let Some(end) = rest[start..].find('}') else { break };
        out.push_str(&rest[..start]);
        let reference = &rest[start + "{result=".len()..start + end];
        let (name, path) = reference.split_once(':').unwrap_or((reference, "$"));
        let mut value = results.get(name);
        for part in path.trim_start_matches('$').split('.').filter(|p| !p.is_empty()) {
            value = value.and_then(|v| v.get(part));
        }
        match value {
            Some(Value::String(found)) => out.push_str(found),
            Some(found) => out.push_str(&found.to_string()),
            None => {}
        }
        rest = &rest[start + end + 1..];
    }
    out.push_str(rest);
    out
}
