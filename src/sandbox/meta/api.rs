//! The tables of the Marketing API: which parameters and fields each object has, and the values of its enums.
//!
//! Read once from `api.txt` (the vendor's own client library). Must not know business rules.

use std::collections::{BTreeMap, HashMap};
use std::sync::OnceLock;

/// The tables, by their name in `api.txt`.
#[derive(Debug, Default)]
pub(super) struct Api {
    /// `create campaigns` → parameter → type.
    params: HashMap<String, BTreeMap<String, String>>,
    /// `fields campaigns`, `nested targeting`, `enum billing_event` → names.
    names: HashMap<String, Vec<String>>,
}

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
            let key = format!("{table} {name}");
            if matches!(table, "create" | "update") {
                let params = words
                    .filter_map(|w| w.split_once(':'))
                    .map(|(p, t)| (p.to_owned(), t.to_owned()));
                api.params.insert(key, params.collect());
            } else {
                api.names.insert(key, words.map(str::to_owned).collect());
            }
        }
        api
    }

    /// The parameters of an operation: `create`, `campaigns`.
    pub(super) fn params(&self, operation: &str, edge: &str) -> Option<&BTreeMap<String, String>> {
        self.params.get(&format!("{operation} {edge}"))
    }

    /// Whether a table has a name; a table that is not known has every name.
    pub(super) fn has(&self, table: &str, name: &str, value: &str) -> bool {
        self.names
            .get(&format!("{table} {name}"))
            .is_none_or(|names| names.iter().any(|n| n == value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_read() {
        let api = Api::get();
        assert_eq!(
            api.params("create", "campaigns")
                .and_then(|p| p.get("daily_budget"))
                .map(String::as_str),
            Some("uint")
        );
        assert!(api.has("fields", "adcreatives", "url_tags"));
        assert!(!api.has("fields", "campaigns", "url_tags"));
        assert!(api.has("enum", "billing_event", "IMPRESSIONS"));
    }
}
