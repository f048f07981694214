//! Reading parameters: from the query, a form or a JSON body; checked against the API's tables; normalised.
//!
//! Unknown parameters are refused, which is stricter than the vendor is everywhere: a misspelt parameter that the vendor
//! ignored would be a setting that silently does not hold. Must not know business rules.

use super::api::Api;
use super::errors::Fault;
use crate::sandbox::http::Call;
use chrono::{DateTime, NaiveDateTime, TimeZone, Utc};
use chrono_tz::Tz;
use serde_json::{Map, Value};

/// Parameters by name.
pub(super) type Params = Map<String, Value>;

/// What any call may carry.
const COMMON: &[&str] = &[
    "access_token",
    "appsecret_proof",
    "fields",
    "locale",
    "method",
    "format",
    "suppress_http_code",
];

/// All parameters of a call, wherever they stand.
pub(super) fn read(call: &Call<'_>) -> Result<Params, Fault> {
    let mut params = Params::new();
    let mut form = |bytes: &[u8]| {
        for (key, value) in url::form_urlencoded::parse(bytes) {
            params.insert(key.into_owned(), Value::String(value.into_owned()));
        }
    };
    form(call.query.as_bytes());
    let kind = call
        .headers
        .get("content-type")
        .and_then(|v| v.to_str().ok())
        .unwrap_or("");
    if call.body.is_empty() {
        return Ok(params);
    }
    if kind.starts_with("application/json") {
        let body: Params = serde_json::from_slice(call.body)
            .map_err(|e| Fault::new(100, format!("(#100) Invalid JSON body: {e}")))?;
        params.extend(body);
        return Ok(params);
    }
    if kind.is_empty() || kind.starts_with("application/x-www-form-urlencoded") {
        form(call.body);
        return Ok(params);
    }
    Err(Fault::new(100, format!("(#100) Unsupported content type {kind}")))
}

/// A text parameter, or nothing.
pub(super) fn text<'a>(params: &'a Params, name: &str) -> &'a str {
    params.get(name).and_then(Value::as_str).unwrap_or("")
}

/// A parameter that holds JSON, parsed if it came as text.
pub(super) fn json(params: &Params, name: &str) -> Result<Option<Value>, Fault> {
    match params.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => serde_json::from_str(text)
            .map(Some)
            .map_err(|_| Fault::invalid(name, &format!("{name} must be valid JSON"))),
        Some(value) => Ok(Some(value.clone())),
    }
}

/// Refuses parameters that are neither common nor in the list.
pub(super) fn only(params: &Params, known: &[&str]) -> Result<(), Fault> {
    match params
        .keys()
        .find(|key| !COMMON.contains(&key.as_str()) && !known.contains(&key.as_str()))
    {
        Some(unknown) => {
            Err(Fault::new(100, format!("(#100) Unknown parameter: {unknown}")).blaming(unknown))
        }
        None => Ok(()),
    }
}

/// The parameters of a create or update, checked and normalised; the common ones are left out.
pub(super) fn typed(params: &Params, operation: &str, edge: &str, zone: Tz) -> Result<Params, Fault> {
    let Some(known) = Api::get().params(operation, edge) else {
        return Err(Fault::new(
            100,
            format!("(#100) {edge} does not support this operation"),
        ));
    };
    let names: Vec<&str> = known.keys().map(String::as_str).collect();
    only(params, &names)?;
    let mut out = Params::new();
    for (name, value) in params {
        if COMMON.contains(&name.as_str()) && !known.contains_key(name) {
            continue;
        }
        if value.is_null() {
            continue;
        }
        let ty = known.get(name).map_or("string", String::as_str);
        out.insert(name.clone(), one(name, value, ty, zone)?);
    }
    Ok(out)
}

fn one(name: &str, value: &Value, ty: &str, zone: Tz) -> Result<Value, Fault> {
    let plain = match value {
        Value::String(text) => text.clone(),
        Value::Number(n) => n.to_string(),
        Value::Bool(b) => b.to_string(),
        Value::Null | Value::Array(_) | Value::Object(_) => String::new(),
    };
    let wrong =
        |what: &str| Err(Fault::new(100, format!("(#100) Param {name} must be {what}")).blaming(name));
    match ty {
        "uint" => match plain.parse::<u64>() {
            Ok(n) => Ok(n.to_string().into()),
            Err(_) => wrong("an integer greater than or equal to 0"),
        },
        "int" => match plain.parse::<i64>() {
            Ok(n) => Ok(n.to_string().into()),
            Err(_) => wrong("an integer"),
        },
        "bool" => match plain.as_str() {
            "true" | "1" => Ok(true.into()),
            "false" | "0" => Ok(false.into()),
            _ => wrong("a boolean"),
        },
        "datetime" => match datetime(&plain, zone) {
            Some(at) => Ok(at.into()),
            None => wrong("a date and time"),
        },
        "string" if plain.is_empty() && !value.is_string() => wrong("a string"),
        "string" => Ok(plain.into()),
        _ if ty.ends_with("_enum") => {
            let table = ty.trim_end_matches("_enum");
            if Api::get().has("enum", table, &plain) {
                Ok(plain.into())
            } else {
                wrong("one of the values of its enum")
            }
        }
        _ => {
            let value = match value {
                Value::String(text) => serde_json::from_str(text).unwrap_or(Value::Null),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                    value.clone()
                }
            };
            let list = ty.starts_with("list<");
            match (&value, list) {
                (Value::Array(_), true) | (Value::Object(_), false) => Ok(value),
                (_, true) => wrong("an array"),
                (_, false) => wrong("an object"),
            }
        }
    }
}

/// A point in time as the account's zone spells it (`2026-12-01T00:00:00+0100`); `0` stays `0`.
fn datetime(text: &str, zone: Tz) -> Option<String> {
    if text == "0" {
        return Some("0".to_owned());
    }
    let at = instant(text, zone)?;
    Some(at.with_timezone(&zone).format("%Y-%m-%dT%H:%M:%S%z").to_string())
}

/// Reads ISO 8601 with or without an offset, or seconds since 1970.
pub(super) fn instant(text: &str, zone: Tz) -> Option<DateTime<Utc>> {
    if let Ok(seconds) = text.parse::<i64>() {
        return Utc.timestamp_opt(seconds, 0).single();
    }
    for format in [
        "%Y-%m-%dT%H:%M:%S%z",
        "%Y-%m-%d %H:%M:%S %z",
        "%Y-%m-%d %H:%M:%S%z",
    ] {
        if let Ok(at) = DateTime::parse_from_str(text, format) {
            return Some(at.with_timezone(&Utc));
        }
    }
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Some(at.with_timezone(&Utc));
    }
    let naive = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())?;
    Some(zone.from_local_datetime(&naive).earliest()?.with_timezone(&Utc))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_spelled_in_the_accounts_zone() {
        let zone = chrono_tz::Europe::Berlin;
        for text in [
            "2026-12-01T00:00:00+0100",
            "2026-11-30T23:00:00Z",
            "1796079600",
            "2026-12-01T00:00:00",
        ] {
            assert_eq!(
                datetime(text, zone).as_deref(),
                Some("2026-12-01T00:00:00+0100"),
                "{text}"
            );
        }
        assert_eq!(datetime("soon", zone), None);
    }

    #[test]
    fn wrong_types_and_unknown_names_are_refused() {
        let zone = chrono_tz::UTC;
        let check = |name: &str, value: Value| {
            let params = Params::from_iter([(name.to_owned(), value)]);
            typed(&params, "create", "campaigns", zone)
        };
        assert_eq!(
            check("daily_budget", "2000".into()).unwrap()["daily_budget"],
            "2000"
        );
        for (name, value) in [
            ("daily_budget", Value::from("20.00")),
            ("daily_budgets", "2000".into()),
            ("special_ad_categories", "NONE".into()),
            ("bid_strategy", "CHEAPEST".into()),
            ("is_adset_budget_sharing_enabled", "maybe".into()),
        ] {
            assert_eq!(check(name, value).unwrap_err().blame.as_deref(), Some(name));
        }
    }
}
