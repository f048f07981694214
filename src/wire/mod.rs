//! Our topics' JSON and the domain's types: one file per message, one schema per file in `schemas/`.
//!
//! Must not decide anything about a launch; must not let anything through that the contract doesn't allow. Errors say
//! where (a JSON pointer) and what was expected.

#[cfg(test)]
mod agree;
pub mod command;
pub mod control;
pub mod events;
#[cfg(test)]
mod hostile;
mod local_time;
pub mod plan;
pub mod schema;
mod strict;

use serde_json::Value;
use sha2::{Digest, Sha256};

/// What is wrong with a message, and where.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Invalid {
    /// JSON pointer into the data; empty: the whole message.
    pub pointer: String,
    /// What was expected, or what is wrong.
    pub message: String,
}

impl Invalid {
    /// At this place, this is wrong. Characters that would hide something from a reader, or that a row cannot hold, are spelled
    /// out: both texts may contain what a stranger wrote.
    #[must_use]
    pub fn at(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            pointer: shown(pointer.into()),
            message: shown(message.into()),
        }
    }
}

/// The most problems that are listed for one message.
pub const MOST: usize = 100;

/// At most [`MOST`] problems; where there are more, the last one says how many, `uncounted` included.
fn capped(mut problems: Vec<Invalid>, uncounted: usize) -> Vec<Invalid> {
    let all = problems.len() + uncounted;
    if all > MOST {
        problems.truncate(MOST - 1);
        let more = all - problems.len();
        problems.push(Invalid::at("", format!("and {more} more problems")));
    }
    problems
}

/// One name within a JSON pointer (RFC 6901).
fn pointer_token(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// Characters that hide what a person reads: control characters, line separators, and those with which Unicode turns the
/// direction of text (property `Bidi_Control`, <https://www.unicode.org/reports/tr9/>).
fn hides(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The longest pointer or message, characters: both travel in headers.
const LONGEST: usize = 1000;

fn shown(text: String) -> String {
    if text.len() <= LONGEST && !text.contains(hides) {
        return text;
    }
    let spell = |c: char| {
        if hides(c) {
            c.escape_unicode().to_string()
        } else {
            c.to_string()
        }
    };
    let mut short: String = text.chars().take(LONGEST).map(spell).collect();
    if text.chars().nth(LONGEST).is_some() {
        short.push('…');
    }
    short
}

impl std::fmt::Display for Invalid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let place = if self.pointer.is_empty() {
            "(the message)"
        } else {
            &self.pointer
        };
        write!(f, "{place}: {}", self.message)
    }
}

/// One line for all problems, for a header or a log.
#[must_use]
pub fn summary(problems: &[Invalid]) -> String {
    let shown: Vec<String> = problems.iter().take(10).map(ToString::to_string).collect();
    let more = problems.len().saturating_sub(10);
    if more == 0 {
        shown.join("; ")
    } else {
        let least = if problems.len() < MOST { "" } else { "at least " };
        format!("{}; and {least}{more} more", shown.join("; "))
    }
}

/// An incoming message, whichever way it was wrapped.
#[derive(Debug, Clone, PartialEq)]
pub struct Envelope {
    /// CloudEvents `id`, if it came as one.
    pub event_id: Option<String>,
    /// W3C trace context, if it came with one.
    pub traceparent: Option<String>,
    /// The data.
    pub data: Value,
}

/// Unwraps plain JSON and CloudEvents 1.0 in binary and structured mode
/// (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md).
///
/// # Errors
/// What is wrong with the wrapping, the encoding or the JSON.
pub fn unwrap(
    headers: &[(String, Vec<u8>)],
    payload: Option<&[u8]>,
    limit: usize,
) -> Result<Envelope, Vec<Invalid>> {
    let whole = |message: String| vec![Invalid::at("", message)];
    let header = |name: &str| {
        headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| String::from_utf8_lossy(v).into_owned())
    };
    let Some(bytes) = payload else {
        return Err(whole("the message has no value; expected a JSON object".into()));
    };
    if bytes.len() > limit {
        return Err(whole(format!(
            "the message has {} bytes; at most {limit} are taken",
            bytes.len()
        )));
    }
    let text = std::str::from_utf8(bytes).map_err(|e| {
        whole(format!(
            "not UTF-8: the byte at {} is not valid; expected UTF-8 JSON",
            e.valid_up_to()
        ))
    })?;
    let content_type = header("content-type").unwrap_or_default();
    let traceparent = header("traceparent")
        .or_else(|| header("ce_traceparent"))
        .filter(|t| is_traceparent(t));
    if content_type.starts_with("application/cloudevents") {
        let value = strict::parse(text).map_err(|problem| vec![within_data(problem)])?;
        return structured(value, traceparent);
    }
    let value = strict::parse(text).map_err(|problem| vec![problem])?;
    if let Some(version) = header("ce_specversion")
        && version != "1.0"
    {
        return Err(whole(format!("ce_specversion is {version:?}; expected \"1.0\"")));
    }
    let event_id = header("ce_id");
    if event_id.as_ref().is_some_and(|id| id.contains(hides)) {
        return Err(whole(
            "ce_id holds a control character; expected a plain text".into(),
        ));
    }
    Ok(Envelope {
        event_id,
        traceparent,
        data: value,
    })
}

/// Pointers count from the data, whichever way it was wrapped.
fn within_data(problem: Invalid) -> Invalid {
    match problem.pointer.strip_prefix("/data") {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => Invalid::at(rest, problem.message),
        Some(_) | None => problem,
    }
}

/// Whether the text is a W3C trace context (<https://www.w3.org/TR/trace-context/#traceparent-header>). One that is not is left
/// out: tracing must not stop a message.
#[must_use]
pub fn is_traceparent(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let hex = |part: &str, len: usize| {
        part.len() == len
            && part
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let not_zero = |part: &str| part.bytes().any(|b| b != b'0');
    match parts.as_slice() {
        [version, trace, parent, flags] => {
            hex(version, 2)
                && *version != "ff"
                && hex(trace, 32)
                && not_zero(trace)
                && hex(parent, 16)
                && not_zero(parent)
                && hex(flags, 2)
        }
        [..] => false,
    }
}

fn structured(mut value: Value, traceparent: Option<String>) -> Result<Envelope, Vec<Invalid>> {
    let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    match text("specversion").as_deref() {
        Some("1.0") => {}
        other => {
            return Err(vec![Invalid::at(
                "/specversion",
                format!("{other:?}; expected \"1.0\""),
            )]);
        }
    }
    let event_id = text("id");
    if event_id.as_ref().is_some_and(|id| id.contains(hides)) {
        return Err(vec![Invalid::at(
            "/id",
            "holds a control character; expected a plain text",
        )]);
    }
    let traceparent = text("traceparent").filter(|t| is_traceparent(t)).or(traceparent);
    let data = if let Some(encoded) = text("data_base64") {
        use base64::Engine;
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(encoded)
            .map_err(|e| vec![Invalid::at("/data_base64", format!("not base64: {e}"))])?;
        let text = std::str::from_utf8(&bytes)
            .map_err(|e| vec![Invalid::at("/data_base64", format!("not UTF-8: {e}"))])?;
        strict::parse(text).map_err(|problem| vec![problem])?
    } else {
        match value.get_mut("data") {
            Some(data) => data.take(),
            None => {
                return Err(vec![Invalid::at(
                    "/data",
                    "is missing; expected the message's data",
                )]);
            }
        }
    };
    Ok(Envelope {
        event_id,
        traceparent,
        data,
    })
}

/// The headers of what we publish: CloudEvents 1.0, binary mode.
#[must_use]
pub fn cloud_event_headers(topic: &str, event_id: &str, key: &str, time: &str) -> Vec<(String, String)> {
    let pairs = [
        ("ce_specversion", "1.0"),
        ("ce_id", event_id),
        ("ce_type", &format!("{topic}.v1")),
        ("ce_source", "/campaign-execution"),
        ("ce_subject", key),
        ("ce_time", time),
        ("content-type", "application/json"),
    ];
    pairs
        .into_iter()
        .map(|(n, v)| (n.to_owned(), v.to_owned()))
        .collect()
}

/// SHA-256, hex, of the value with every object's keys in order: the same content gives the same hash however it was
/// written.
#[must_use]
pub fn canonical_hash(value: &Value) -> String {
    // serde_json keeps objects as sorted maps (its `preserve_order` feature is off), so its own text is canonical.
    hex::encode(Sha256::digest(value.to_string().as_bytes()))
}

/// A deterministic event id.
#[must_use]
pub fn event_id(parts: &[&str]) -> String {
    let name = format!("campaign-execution/event/{}", parts.join("\u{1f}"));
    uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, name.as_bytes()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn headers(pairs: &[(&str, &str)]) -> Vec<(String, Vec<u8>)> {
        pairs
            .iter()
            .map(|(n, v)| ((*n).to_owned(), v.as_bytes().to_vec()))
            .collect()
    }

    const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn three_wrappings_one_content() {
        let plain = unwrap(&[], Some(br#"{"a":1}"#), 100).unwrap();
        assert_eq!(
            plain,
            Envelope {
                event_id: None,
                traceparent: None,
                data: json!({"a":1})
            }
        );
        let binary = headers(&[("ce_specversion", "1.0"), ("ce_id", "7"), ("traceparent", TRACE)]);
        let binary = unwrap(&binary, Some(br#"{"a":1}"#), 100).unwrap();
        assert_eq!(
            (binary.event_id.as_deref(), binary.traceparent.as_deref()),
            (Some("7"), Some(TRACE))
        );
        let head = headers(&[("content-type", "application/cloudevents+json; charset=utf-8")]);
        for body in [
            r#"{"specversion":"1.0","id":"8","data":{"a":1}}"#,
            r#"{"specversion":"1.0","id":"8","data_base64":"eyJhIjoxfQ=="}"#,
        ] {
            let structured = unwrap(&head, Some(body.as_bytes()), 100).unwrap();
            assert_eq!(
                (structured.event_id.as_deref(), structured.data),
                (Some("8"), json!({"a":1}))
            );
        }
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let deep = "[".repeat(200);
        for (bytes, word) in [
            (&b"\xff{}"[..], "UTF-8"),
            (b"{\"a\":", "JSON"),
            (deep.as_bytes(), "JSON"),
            (&[b' '; 300][..], "bytes"),
        ] {
            let problems = unwrap(&[], Some(bytes), 250).unwrap_err();
            assert!(problems[0].message.contains(word), "{problems:?}");
        }
        assert!(unwrap(&[], None, 250).is_err());
        assert!(unwrap(&headers(&[("ce_specversion", "0.3")]), Some(b"{}"), 250).is_err());
    }

    #[test]
    fn the_order_of_keys_does_not_matter() {
        let a: Value = serde_json::from_str(r#"{"b":1,"a":{"y":2,"x":[1,2]}}"#).unwrap();
        let b: Value = serde_json::from_str(r#"{ "a":{"x":[1,2],"y":2}, "b":1 }"#).unwrap();
        assert_eq!(canonical_hash(&a), canonical_hash(&b));
        assert_ne!(
            canonical_hash(&a),
            canonical_hash(&json!({"b":1,"a":{"y":2,"x":[2,1]}}))
        );
    }
}
