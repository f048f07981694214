//! How TikTok wants things on the wire: money as JSON numbers, times in UTC without a zone; and how we read them back.
//!
//! Money never becomes a float. In a mutation's body an amount is the text of a decimal (`"budget": "80.05"`), which is what the
//! intent and the audit log hold; [`text`] writes exactly these digits as a JSON number. Answers are read the other way
//! round: [`exact`] keeps each number with a fraction as its text. Must not know what is asked.

use crate::domain::money::{Currency, Money};
use chrono::{DateTime, NaiveDateTime, Utc};
use serde_json::Value;

/// Fields that TikTok counts in the account's currency, and the return on ad spend, as numbers with a fraction
/// (`tiktok-business-api-sdk-official` models: `float`).
const NUMBERS: &[&str] = &["budget", "bid_price", "conversion_bid_price", "roas_bid"];

/// How TikTok writes an instant.
const TIME: &str = "%Y-%m-%d %H:%M:%S";

/// The body as it is sent: JSON, the decimals among [`NUMBERS`] as numbers, digit for digit.
pub(super) fn text(body: &Value) -> String {
    let mut out = String::new();
    write(body, None, &mut out);
    out
}

fn write(value: &Value, field: Option<&str>, out: &mut String) {
    match value {
        Value::Object(map) => {
            out.push('{');
            for (n, (name, value)) in map.iter().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                out.push_str(&Value::from(name.as_str()).to_string());
                out.push(':');
                write(value, Some(name), out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (n, item) in items.iter().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                write(item, field, out);
            }
            out.push(']');
        }
        Value::String(digits) if field.is_some_and(|f| NUMBERS.contains(&f)) && is_decimal(digits) => {
            out.push_str(digits);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            out.push_str(&value.to_string());
        }
    }
}

/// A JSON number without sign or exponent: `80`, `80.05`, never `080` or `80.`.
fn is_decimal(text: &str) -> bool {
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    digits(whole) && digits(fraction) && (whole == "0" || !whole.starts_with('0'))
}

/// An answer's JSON with each number that has a fraction or an exponent as a text of its digits. None: it is no JSON.
pub(super) fn exact(bytes: &[u8]) -> Option<Value> {
    let mut quoted = Vec::with_capacity(bytes.len() + 64);
    let mut rest = bytes;
    while let Some((&byte, after)) = rest.split_first() {
        let length = match byte {
            b'"' => string_length(rest),
            b'-' | b'0'..=b'9' => number_length(rest),
            _ => {
                quoted.push(byte);
                rest = after;
                continue;
            }
        };
        let (token, after) = rest.split_at(length);
        let fraction = byte != b'"' && token.iter().any(|b| matches!(b, b'.' | b'e' | b'E'));
        if fraction {
            quoted.push(b'"');
        }
        quoted.extend_from_slice(token);
        if fraction {
            quoted.push(b'"');
        }
        rest = after;
    }
    serde_json::from_slice(&quoted).ok()
}

fn string_length(text: &[u8]) -> usize {
    let mut escaped = false;
    for (n, byte) in text.iter().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return n + 1,
            _ => {}
        }
    }
    text.len()
}

fn number_length(text: &[u8]) -> usize {
    let within = |b: &u8| matches!(b, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
    text.iter().take_while(|b| within(b)).count()
}

/// A number in millionths, read from its digits; none: it is no number, or has more than six decimals.
pub(super) fn micros(value: &Value) -> Option<i64> {
    let text = match value {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text.as_str(), 0),
    };
    let (negative, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, mantissa),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    // The value is `digits` × 10^power millionths.
    let power = 6 + exponent - i32::try_from(fraction.len()).ok()?;
    let number = digits.trim_start_matches('0').parse::<i128>().unwrap_or(0);
    let number = if number == 0 {
        0
    } else if digits.len() > 30 || power.abs() > 30 {
        return None;
    } else if power >= 0 {
        number.checked_mul(10_i128.checked_pow(power.unsigned_abs())?)?
    } else {
        let divisor = 10_i128.checked_pow(power.unsigned_abs())?;
        (number % divisor == 0).then_some(number / divisor)?
    };
    i64::try_from(if negative { -number } else { number }).ok()
}

/// An amount as TikTok showed it.
pub(super) fn money(value: &Value, currency: Currency) -> Option<Money> {
    Some(Money::from_micros(micros(value)?, currency))
}

/// Millionths as the shortest decimal: `80050000` is `80.05`, `80000000` is `80`.
pub(super) fn decimal(micros: i64) -> String {
    let sign = if micros < 0 { "-" } else { "" };
    let (whole, fraction) = (
        micros.unsigned_abs() / 1_000_000,
        micros.unsigned_abs() % 1_000_000,
    );
    let fraction = format!("{fraction:06}");
    match fraction.trim_end_matches('0') {
        "" => format!("{sign}{whole}"),
        kept => format!("{sign}{whole}.{kept}"),
    }
}

/// A number as we compare it: its shortest decimal. Anything else as it is.
pub(super) fn comparable(value: &Value) -> Value {
    micros(value).map_or_else(|| value.clone(), |n| Value::from(decimal(n)))
}

/// An instant as TikTok takes it, UTC.
pub(super) fn stamp(at: DateTime<Utc>) -> String {
    at.format(TIME).to_string()
}

/// An instant as TikTok shows it.
pub(super) fn instant(text: &str) -> Option<DateTime<Utc>> {
    NaiveDateTime::parse_from_str(text, TIME)
        .ok()
        .map(|t| t.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn only_money_loses_its_quotes() {
        let body = json!({ "campaign_name": "80.05", "budget": "80.05", "ids": ["1.5"], "nested": [{ "roas_bid": "2.5" }] });
        let sent = text(&body);
        assert!(sent.contains(r#""budget":80.05"#), "{sent}");
        assert!(sent.contains(r#""campaign_name":"80.05""#), "{sent}");
        assert!(sent.contains(r#""ids":["1.5"]"#), "{sent}");
        assert!(sent.contains(r#""roas_bid":2.5"#), "{sent}");
        for not_a_number in ["", "1e3", "NaN", "-1", "1.", ".5", "01", "1,5", "1\u{0660}"] {
            let sent = text(&json!({ "budget": not_a_number }));
            assert!(
                serde_json::from_str::<Value>(&sent).expect("JSON")["budget"].is_string(),
                "{sent}"
            );
        }
    }

    #[test]
    fn an_answer_keeps_its_digits() {
        let answer = br#"{"budget":100.10,"list":[{"n":7,"x":-0.5e1,"s":"a\"1.5"}],"t":true}"#;
        let read = exact(answer).expect("JSON");
        assert_eq!(read["budget"], "100.10");
        assert_eq!(read["list"][0], json!({ "n": 7, "x": "-0.5e1", "s": "a\"1.5" }));
        for bad in [
            &b"{\"a\":1.5"[..],
            b"",
            b"<html>",
            b"{\"a\":\"x",
            b"1.5.",
            b"\"\\",
        ] {
            let _ = exact(bad);
        }
        assert_eq!(exact(b"{\"a\":1.5"), None);
    }

    #[test]
    fn numbers_are_read_exactly_or_not_at_all() {
        for (shown, read) in [
            (json!(50), Some(50_000_000)),
            (json!("80.05"), Some(80_050_000)),
            (json!("1e7"), Some(10_000_000_000_000)),
            (json!("1.0E+2"), Some(100_000_000)),
            (json!("2500e-2"), Some(25_000_000)),
            (json!("-3.5"), Some(-3_500_000)),
            (json!("0.00"), Some(0)),
            (json!("0.1000000"), Some(100_000)),
            (json!("0.0000001"), None),
            (json!("1e300"), None),
            (json!("abc"), None),
            (json!(""), None),
            (Value::Null, None),
        ] {
            assert_eq!(micros(&shown), read, "{shown}");
        }
    }

    proptest! {
        /// Whatever amount a plan names: the digits in the intent are the digits sent, and reading them back gives the amount.
        #[test]
        fn money_goes_out_and_comes_back_unharmed(amount in 0..i64::MAX / 4) {
            let digits = decimal(amount);
            let sent = text(&json!({ "advertiser_id": "1", "budget": digits }));
            let expected = format!("\"budget\":{digits}}}");
            prop_assert!(sent.ends_with(&expected) || sent.contains(&format!("\"budget\":{digits},")), "{sent}");
            let back = exact(sent.as_bytes()).expect("JSON");
            prop_assert_eq!(micros(&back["budget"]), Some(amount));
        }

        #[test]
        fn no_answer_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in ".{0,40}") {
            let _ = exact(&bytes);
            let _ = micros(&Value::from(text.clone()));
            let _ = instant(&text);
        }
    }
}
