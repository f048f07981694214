//! `updateMask`: which fields a PATCH changes, and the object that comes of it.
//!
//! Must not know any rule but those of masks: a path must exist, must not be for output only nor immutable, and must not
//! lead through a list. What a mask names and the body does not hold is cleared
//! (<https://developers.google.com/display-video/api/guides/getting-started/patch>).

use super::Fault;
use super::schema::{Message, Schema};
use serde_json::{Map, Value};

/// The object after the update.
pub(super) fn merged(
    message: &Message,
    mask: &str,
    before: &Map<String, Value>,
    body: &Map<String, Value>,
) -> Result<Map<String, Value>, Fault> {
    if mask.trim().is_empty() {
        return Err(Fault::invalid("The required field update_mask is missing."));
    }
    let mut after = before.clone();
    for path in mask.split(',').map(str::trim) {
        let names: Vec<&str> = path.split('.').collect();
        allowed(message, path, &names)?;
        let value = names.iter().try_fold(None::<&Value>, |at, name| {
            let inner = match at {
                None => body.get(*name),
                Some(value) => value.get(name),
            };
            inner.map(Some)
        });
        put(&mut after, &names, value.flatten());
    }
    Ok(after)
}

fn allowed(message: &Message, path: &str, names: &[&str]) -> Result<(), Fault> {
    let wrong = |why: &str| Fault::invalid(format!("Invalid value at 'update_mask': {path} {why}"));
    let mut at = message;
    for (i, name) in names.iter().enumerate() {
        let field = at.field(name).ok_or_else(|| wrong("is not a field"))?;
        if field.output_only {
            return Err(wrong("is output only"));
        }
        if field.immutable {
            return Err(wrong("is immutable"));
        }
        if i + 1 < names.len() {
            if field.repeated {
                return Err(wrong("leads through a list"));
            }
            at = Schema::get()
                .inside(field)
                .ok_or_else(|| wrong("is not a field"))?;
        }
    }
    Ok(())
}

fn put(into: &mut Map<String, Value>, names: &[&str], value: Option<&Value>) {
    match (names, value) {
        ([], _) => {}
        ([name], Some(value)) => {
            into.insert((*name).to_owned(), value.clone());
        }
        ([name], None) => {
            into.remove(*name);
        }
        ([name, rest @ ..], value) => {
            let inner = into
                .entry((*name).to_owned())
                .or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(map) = inner {
                put(map, rest, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn merge(mask: &str, body: Value) -> Result<Value, String> {
        let before = json!({ "displayName": "a", "pacing": { "pacingPeriod": "X", "dailyMaxMicros": "1" } });
        let merged = merged(
            Schema::get().message("InsertionOrder"),
            mask,
            before.as_object().unwrap(),
            body.as_object().unwrap(),
        );
        merged.map(Value::Object).map_err(|f| f.message)
    }

    #[test]
    fn a_mask_changes_what_it_names_and_nothing_else() {
        let after = merge("displayName", json!({ "displayName": "b", "pacing": {} })).unwrap();
        assert_eq!(after["displayName"], "b");
        assert_eq!(after["pacing"]["pacingPeriod"], "X");
        let after = merge(
            "pacing.dailyMaxMicros",
            json!({ "pacing": { "dailyMaxMicros": "2" } }),
        )
        .unwrap();
        assert_eq!(
            after["pacing"],
            json!({ "pacingPeriod": "X", "dailyMaxMicros": "2" })
        );
        let after = merge("pacing.dailyMaxMicros", json!({})).unwrap();
        assert_eq!(after["pacing"], json!({ "pacingPeriod": "X" }));
        for (mask, why) in [
            ("", "update_mask is missing"),
            ("display_name", "is not a field"),
            ("campaignId", "is immutable"),
            ("updateTime", "is output only"),
            ("partnerCosts.costType", "leads through a list"),
            ("displayName.x", "is not a field"),
        ] {
            assert!(merge(mask, json!({})).unwrap_err().contains(why), "{mask}");
        }
    }
}
