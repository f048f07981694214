//! Where values come from: defaults, file, environment; merged as tables, key by key, before anything is read as a type.
//!
//! Must not put a value into a message: it may be secret.

use super::{BadConfig, DEFAULT_FILE, DEFAULTS};
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// The table whose keys are librdkafka's to know.
const PROPERTIES: &str = "kafka.properties";

pub(super) fn defaults() -> Table {
    // The compiled-in text is parsed by a test; were it broken, every key would be unknown.
    DEFAULTS.parse().unwrap_or_default()
}

pub(super) fn read(file: Option<&Path>) -> Result<Option<(PathBuf, String)>, BadConfig> {
    let path = file.unwrap_or(Path::new(DEFAULT_FILE)).to_owned();
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Some((path, text))),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && file.is_none() => Ok(None),
        Err(error) => Err(BadConfig::File {
            path,
            why: error.to_string(),
        }),
    }
}

/// Every path of a table: `kafka.topic_prefix` …
pub(super) fn keys(table: &Table, path: &str, into: &mut Vec<String>) {
    for (name, value) in table {
        let path = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        if let Value::Table(inner) = value {
            keys(inner, &path, into);
        }
        into.push(path);
    }
}

fn nearest(key: &str, known: &[String]) -> Option<String> {
    let of_route = key
        .strip_prefix("alerts.")
        .and_then(|rest| rest.split('.').next());
    let of_route: Vec<String> = of_route
        .into_iter()
        .flat_map(|route| ["webhook_url", "credential"].map(|key| format!("alerts.{route}.{key}")))
        .collect();
    known
        .iter()
        .chain(&of_route)
        .map(|k| (strsim::damerau_levenshtein(k, key), k))
        .min()
        .filter(|(distance, _)| *distance <= key.len() / 3 + 1)
        .map(|(_, k)| k.clone())
}

fn is_known(key: &str, known: &[String]) -> bool {
    let parts: Vec<&str> = key.split('.').collect();
    known.iter().any(|k| k == key)
        || key
            .strip_prefix(PROPERTIES)
            .is_some_and(|rest| rest.starts_with('.'))
        || matches!(
            parts.as_slice(),
            ["alerts", _] | ["alerts", _, "webhook_url" | "credential"]
        )
}

/// What a value is, for a message that must not hold the value itself.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::String(_) => "a text",
        Value::Integer(_) => "a whole number",
        Value::Float(_) => "a number with a point",
        Value::Boolean(_) => "true or false",
        Value::Datetime(_) => "a date",
        Value::Array(_) => "a list",
        Value::Table(_) => "a table",
    }
}

pub(super) fn merge(
    into: &mut Table,
    given: Table,
    path: &str,
    origin: &str,
    known: &[String],
    problems: &mut Vec<BadConfig>,
) {
    for (name, value) in given {
        let key = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        if !is_known(&key, known) {
            problems.push(BadConfig::UnknownKey {
                origin: origin.to_owned(),
                nearest: nearest(&key, known),
                key,
            });
            continue;
        }
        if path.starts_with(PROPERTIES) {
            into.insert(name, value);
            continue;
        }
        let expected = match into.get(&name) {
            Some(default) => kind(default),
            None if path == "alerts" => "a table",
            None => "a text",
        };
        if kind(&value) != expected {
            let why = format!("{origin}: expected {expected}, found {}", kind(&value));
            problems.push(BadConfig::Value { key, why });
            continue;
        }
        if let Value::Table(given) = value {
            let inner = into.entry(name).or_insert_with(|| Value::Table(Table::new()));
            if let Value::Table(inner) = inner {
                merge(inner, given, &key, origin, known, problems);
            }
        } else {
            into.insert(name, value);
        }
    }
}

/// librdkafka's names contain dots, which TOML takes for levels unless they are quoted, and all its values are texts.
pub(super) fn librdkafka_names(table: &mut Table, problems: &mut Vec<BadConfig>) {
    fn flatten(given: Table, path: &str, into: &mut Table, problems: &mut Vec<BadConfig>) {
        for (name, value) in given {
            let name = if path.is_empty() {
                name
            } else {
                format!("{path}.{name}")
            };
            match value {
                Value::Table(inner) => flatten(inner, &name, into, problems),
                Value::String(text) => {
                    into.insert(name, Value::String(text));
                }
                Value::Integer(number) => {
                    into.insert(name, Value::String(number.to_string()));
                }
                Value::Boolean(yes) => {
                    into.insert(name, Value::String(yes.to_string()));
                }
                other @ (Value::Float(_) | Value::Datetime(_) | Value::Array(_)) => {
                    problems.push(BadConfig::Value {
                        key: format!("{PROPERTIES}.{name}"),
                        why: format!("expected a text, found {}", kind(&other)),
                    });
                }
            }
        }
    }
    if let Some(Value::Table(kafka)) = table.get_mut("kafka")
        && let Some(Value::Table(properties)) = kafka.get_mut("properties")
    {
        let given = std::mem::take(properties);
        flatten(given, "", properties, problems);
    }
}

/// `KAFKA__TOPIC_PREFIX` → kafka.topic_prefix; `_` stands for `-` too. Below an open table the rest is one key, `_` meaning `.`
/// in librdkafka's names.
pub(super) fn set_from_environment(
    table: &mut Table,
    variable: &str,
    rest: &str,
    value: &str,
    known: &[String],
    problems: &mut Vec<BadConfig>,
) {
    let wanted = rest.to_lowercase().replace("__", ".");
    let same = |k: &&String| k.replace('-', "_") == wanted.replace('-', "_");
    let key = match known.iter().find(same) {
        Some(key) => key.clone(),
        None if wanted.starts_with("kafka.properties.") => {
            let name = wanted.trim_start_matches("kafka.properties.").replace('_', ".");
            return insert(
                table,
                &["kafka", "properties", &name],
                Value::String(value.to_owned()),
            );
        }
        None if is_known(&wanted, known) => wanted,
        None => {
            let key = wanted;
            let nearest = nearest(&key, known);
            problems.push(BadConfig::UnknownKey {
                origin: format!("environment variable {variable}"),
                key,
                nearest,
            });
            return;
        }
    };
    let path: Vec<&str> = key.split('.').collect();
    let typed = match lookup(table, &path) {
        Some(Value::Integer(_)) => match value.parse() {
            Ok(number) => Value::Integer(number),
            Err(_) => {
                problems.push(BadConfig::Value {
                    key,
                    why: format!("{variable} is not a whole number"),
                });
                return;
            }
        },
        // A list of texts: `a.example,b.example`.
        Some(Value::Array(_)) => Value::Array(
            value
                .split(',')
                .map(str::trim)
                .filter(|text| !text.is_empty())
                .map(|text| Value::String(text.to_owned()))
                .collect(),
        ),
        Some(_) | None => Value::String(value.to_owned()),
    };
    insert(table, &path, typed);
}

fn lookup<'t>(table: &'t Table, path: &[&str]) -> Option<&'t Value> {
    let (last, before) = path.split_last()?;
    let mut here = table;
    for name in before {
        here = here.get(*name)?.as_table()?;
    }
    here.get(*last)
}

fn insert(table: &mut Table, path: &[&str], value: Value) {
    let Some((last, before)) = path.split_last() else {
        return;
    };
    let mut here = table;
    for name in before {
        let next = here
            .entry((*name).to_owned())
            .or_insert_with(|| Value::Table(Table::new()));
        match next.as_table_mut() {
            Some(inner) => here = inner,
            None => return,
        }
    }
    here.insert((*last).to_owned(), value);
}
