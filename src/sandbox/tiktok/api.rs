//! The tables of the Business API: which fields each call takes, of what type, and which must be there.
//!
//! Read once from `api.txt` (the vendor's own client library). Must not know business rules.

use super::errors::Fault;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::OnceLock;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Type {
    Text,
    Number,
    Whole,
    Truth,
    Anything,
    List(Box<Type>),
    Model(String),
}

impl Type {
    fn parse(text: &str) -> Self {
        if let Some(inner) = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
            return Self::List(Box::new(Self::parse(inner)));
        }
        match text {
            "str" => Self::Text,
            "float" => Self::Number,
            "int" => Self::Whole,
            "bool" => Self::Truth,
            "object" => Self::Anything,
            model => Self::Model(model.to_owned()),
        }
    }
}

#[derive(Debug)]
struct Field {
    name: String,
    kind: Type,
    required: bool,
}

/// The tables, by method and path, or by model.
#[derive(Debug, Default)]
pub(super) struct Api(HashMap<String, Vec<Field>>);

impl Api {
    /// The tables of the API's version.
    pub(super) fn get() -> &'static Self {
        static API: OnceLock<Api> = OnceLock::new();
        API.get_or_init(|| Self::parse(include_str!("api.txt")))
    }

    fn parse(text: &str) -> Self {
        let mut api = Self::default();
        for line in text.lines().filter(|l| !l.starts_with('#')) {
            let mut words = line.split(' ');
            let (Some(table), Some(name)) = (words.next(), words.next()) else {
                continue;
            };
            let fields = words
                .filter_map(|word| word.split_once(':'))
                .map(|(name, kind)| Field {
                    name: name.trim_end_matches('!').to_owned(),
                    kind: Type::parse(kind),
                    required: name.ends_with('!'),
                });
            api.0.insert(format!("{table} {name}"), fields.collect());
        }
        api
    }

    /// Whether there is such a call.
    pub(super) fn knows(&self, method: &str, path: &str) -> bool {
        self.0.contains_key(&format!("{method} {path}"))
    }

    /// The arguments of a GET as values: texts as they are, everything else as JSON.
    pub(super) fn query(&self, path: &str, pairs: &[(String, String)]) -> Result<Map<String, Value>, Fault> {
        let table = self.0.get(&format!("get {path}"));
        let mut map = Map::new();
        for (name, text) in pairs {
            let field = table.into_iter().flatten().find(|f| f.name == *name);
            let value = match field.map(|f| &f.kind) {
                Some(Type::Text) | None => Value::from(text.as_str()),
                // The vendor's own client for Python spells a truth as Python does.
                Some(Type::Truth) if matches!(text.as_str(), "True" | "False") => (text == "True").into(),
                Some(_) => serde_json::from_str(text).map_err(|_| Fault::field(name, "is not valid JSON"))?,
            };
            map.insert(name.clone(), value);
        }
        self.check("get", path, &map)?;
        Ok(map)
    }

    /// Whether a body or a query is of the form that the call takes.
    pub(super) fn check(&self, method: &str, path: &str, given: &Map<String, Value>) -> Result<(), Fault> {
        self.fields(&format!("{method} {path}"), given)
    }

    fn fields(&self, table: &str, given: &Map<String, Value>) -> Result<(), Fault> {
        let Some(fields) = self.0.get(table) else {
            return Ok(());
        };
        for field in fields.iter().filter(|f| f.required) {
            if given.get(&field.name).is_none_or(Value::is_null) {
                return Err(Fault::field(&field.name, "Missing data for required field."));
            }
        }
        for (name, value) in given.iter().filter(|(_, v)| !v.is_null()) {
            let Some(field) = fields.iter().find(|f| f.name == *name) else {
                return Err(Fault::field(name, "Unknown field."));
            };
            self.fits(name, &field.kind, value)?;
        }
        Ok(())
    }

    fn fits(&self, name: &str, kind: &Type, value: &Value) -> Result<(), Fault> {
        let fits = match kind {
            Type::Text => value.is_string(),
            Type::Number => value.is_number(),
            Type::Whole => value.is_i64() || value.is_u64(),
            Type::Truth => value.is_boolean(),
            Type::Anything => true,
            Type::List(inner) => {
                let Some(items) = value.as_array() else {
                    return Err(Fault::field(name, "Not a valid list."));
                };
                return items.iter().try_for_each(|item| self.fits(name, inner, item));
            }
            Type::Model(model) => {
                let Some(map) = value.as_object() else {
                    return Err(Fault::field(name, "Not a valid object."));
                };
                return self.fields(&format!("model {model}"), map);
            }
        };
        let wanted = match kind {
            Type::Text => "Not a valid string.",
            Type::Number => "Not a valid number.",
            Type::Whole => "Not a valid integer.",
            Type::Truth => "Not a valid boolean.",
            Type::Anything | Type::List(_) | Type::Model(_) => "Not valid.",
        };
        if fits {
            Ok(())
        } else {
            Err(Fault::field(name, wanted))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn forms_are_checked_all_the_way_down() {
        let check = |path: &str, body: Value| Api::get().check("post", path, body.as_object().unwrap());
        let campaign = json!({"advertiser_id": "7001", "campaign_name": "c", "objective_type": "TRAFFIC", "budget": 50.5});
        assert_eq!(check("campaign/create", campaign.clone()), Ok(()));
        for (field, value, said) in [
            ("budget", json!("50.5"), "budget: Not a valid number."),
            ("advertiser_id", json!(7001), "advertiser_id: Not a valid string."),
            (
                "campaign_name",
                Value::Null,
                "campaign_name: Missing data for required field.",
            ),
            (
                "budget_optimize_switch",
                json!(1),
                "budget_optimize_switch: Unknown field.",
            ),
            (
                "special_industries",
                json!("CREDIT"),
                "special_industries: Not a valid list.",
            ),
        ] {
            let mut body = campaign.clone();
            body[field] = value;
            assert_eq!(check("campaign/create", body).unwrap_err().message, said);
        }
        let ad = json!({"advertiser_id": "1", "adgroup_id": "2", "creatives": [{"ad_nam": "x"}]});
        assert_eq!(
            check("ad/create", ad).unwrap_err().message,
            "ad_nam: Unknown field."
        );
        // Ads are told apart by nothing: the call has no request_id.
        let ad = json!({"advertiser_id": "1", "adgroup_id": "2", "creatives": [], "request_id": "1"});
        assert_eq!(
            check("ad/create", ad).unwrap_err().message,
            "request_id: Unknown field."
        );
    }
}
