//! JSON text → `Value`, stricter than JSON itself: a key that occurs twice in one object is refused (parsers disagree about
//! which one counts, and one of them may be the approver's), and so is U+0000 (PostgreSQL cannot hold it, so that the message
//! would come again for ever).
//!
//! Must not know what the text means.

use super::Invalid;
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use std::cell::RefCell;
use std::fmt;

/// Parses one JSON text of at most 128 levels (`serde_json`'s own limit).
pub(super) fn parse(text: &str) -> Result<Value, Invalid> {
    let found = RefCell::new(None);
    let mut reader = serde_json::Deserializer::from_str(text);
    let parsed = Strict { found: &found }
        .deserialize(&mut reader)
        .and_then(|value| reader.end().map(|()| value));
    parsed.map_err(|error| match found.into_inner() {
        Some(Found { mut path, what }) => {
            path.reverse();
            Invalid::at(path.concat(), what)
        }
        None => Invalid::at(
            "",
            format!("not JSON: {error}; expected one JSON object of at most 128 levels"),
        ),
    })
}

/// What was refused; its place is put together on the way out, so that a good text costs nothing.
struct Found {
    /// `/name` or `/0`, innermost first.
    path: Vec<String>,
    what: &'static str,
}

const TWICE: &str = "the key occurs twice in this object; expected each key once";
const NUL: &str = "holds the character U+0000, which cannot be stored";

#[derive(Clone, Copy)]
struct Strict<'f> {
    found: &'f RefCell<Option<Found>>,
}

impl Strict<'_> {
    fn refuse<E: Error>(self, path: Vec<String>, what: &'static str) -> E {
        *self.found.borrow_mut() = Some(Found { path, what });
        E::custom(what)
    }

    fn outward(self, step: impl FnOnce() -> String) {
        if let Some(found) = self.found.borrow_mut().as_mut() {
            found.path.push(step());
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    // The only float here: whether a number with a point may stand somewhere is for the message's reader to say.
    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        self.visit_string(text.to_owned())
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Value, E> {
        if text.contains('\0') {
            return Err(self.refuse(Vec::new(), NUL));
        }
        Ok(Value::String(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        loop {
            match items.next_element_seed(self) {
                Ok(Some(item)) => list.push(item),
                Ok(None) => return Ok(Value::Array(list)),
                Err(error) => {
                    self.outward(|| format!("/{}", list.len()));
                    return Err(error);
                }
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let step = || format!("/{}", super::pointer_token(&key));
            if key.contains('\0') {
                return Err(self.refuse(vec![step()], NUL));
            }
            if map.contains_key(&key) {
                return Err(self.refuse(vec![step()], TWICE));
            }
            let value = entries
                .next_value_seed(self)
                .inspect_err(|_| self.outward(step))?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn it_reads_what_the_plain_parser_reads() {
        for text in [
            "null",
            "[true,false,-1,18446744073709551615,1.5,1e300,\"\\ud83d\\ude00\\n\"]",
            "{\"$serde_json::private::RawValue\":\"1\",\"a\":{\"b\":[]},\"\":{}}",
            " \n{ }\t",
        ] {
            let plain = if text.contains("private") {
                None
            } else {
                serde_json::from_str::<Value>(text).ok()
            };
            let strict = parse(text).expect(text);
            assert!(plain.is_none_or(|plain| plain == strict), "{text}");
        }
        for text in ["", "{", "{}x", "[1,]", "1e999", "\"\\ud800\"", &"[".repeat(200)] {
            assert!(parse(text).is_err_and(|p| p.pointer.is_empty()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_is_read_is_the_same(text in "[\\[\\]{}\",:a0\\\\u.e-]{0,40}") {
            if let Ok(strict) = parse(&text) {
                prop_assert_eq!(serde_json::from_str::<Value>(&text).expect("JSON"), strict);
            }
        }
    }
}
