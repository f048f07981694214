//! Our topics' JSON and the domain's types: one file per message, one schema per file in `schemas/`.
//!
//! Must not decide anything about a launch; must not let anything through that the contract doesn't allow. Errors say
//! where (a JSON pointer) and what was expected.

pub mod command;
pub mod control;
pub mod events;
pub mod plan;
pub mod schema;

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
    /// At this place, this is wrong.
    #[must_use]
    pub fn at(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            pointer: pointer.into(),
            message: message.into(),
        }
    }
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
        format!("{}; and {more} more", shown.join("; "))
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
    let value: Value = serde_json::from_str(text).map_err(|e| {
        whole(format!(
            "not JSON: {e}; expected one JSON object of at most 128 levels"
        ))
    })?;
    let content_type = header("content-type").unwrap_or_default();
    let traceparent = header("traceparent");
    if content_type.starts_with("application/cloudevents") {
        return structured(value, traceparent);
    }
    if let Some(version) = header("ce_specversion")
        && version != "1.0"
    {
        return Err(whole(format!("ce_specversion is {version:?}; expected \"1.0\"")));
    }
    Ok(Envelope {
        event_id: header("ce_id"),
        traceparent,
        data: value,
    })
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
    let traceparent = text("traceparent").or(traceparent);
    let data = if let Some(encoded) = text("data_base64") {
        use base64::Engine;
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(encoded)
            .map_err(|e| vec![Invalid::at("/data_base64", format!("not base64: {e}"))])?;
        serde_json::from_slice(&bytes)
            .map_err(|e| vec![Invalid::at("/data_base64", format!("not JSON: {e}"))])?
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
        let binary = headers(&[("ce_specversion", "1.0"), ("ce_id", "7"), ("traceparent", "t")]);
        let binary = unwrap(&binary, Some(br#"{"a":1}"#), 100).unwrap();
        assert_eq!(
            (binary.event_id.as_deref(), binary.traceparent.as_deref()),
            (Some("7"), Some("t"))
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
