//! The JSON Schemas of `schemas/`, compiled in, and validation against them.
//!
//! Must not reach for a schema outside the program; must not copy a large value into an error.

use super::{Invalid, MOST, capped, pointer_token};
use jsonschema::error::ValidationErrorKind as Kind;
use jsonschema::{ValidationError, Validator};
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

macro_rules! schemas {
    ($($name:literal),+ $(,)?) => {
        /// Every schema: the message's name and the schema's text.
        pub const ALL: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../schemas/", $name, ".v1.json")))),+];
    };
}

schemas! {
    "plan.approved", "tenant.onboarded", "execution.approval", "execution.control", "launch.command",
    "campaign.live", "campaign.scheduled", "execution.blocked", "execution.touchpoint",
    "execution.partial_failure", "execution.completed", "execution.rolled_back", "execution.escalated",
}

struct Compiled {
    validator: Validator,
    /// Every property's name, for "did you mean".
    names: BTreeSet<String>,
}

static COMPILED: LazyLock<HashMap<&'static str, Result<Compiled, String>>> =
    LazyLock::new(|| ALL.iter().map(|(name, text)| (*name, compile(text))).collect());

fn compile(text: &str) -> Result<Compiled, String> {
    let schema: Value = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let validator = jsonschema::draft202012::options()
        .should_validate_formats(true)
        .build(&schema)
        .map_err(|e| e.to_string())?;
    let mut names = BTreeSet::new();
    property_names(&schema, &mut names);
    Ok(Compiled { validator, names })
}

fn property_names(schema: &Value, into: &mut BTreeSet<String>) {
    match schema {
        Value::Object(map) => {
            for (keyword, inner) in map {
                if keyword == "properties"
                    && let Some(properties) = inner.as_object()
                {
                    into.extend(properties.keys().cloned());
                }
                if keyword != "examples" {
                    property_names(inner, into);
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|inner| property_names(inner, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Problems beyond the listed ones are counted up to here: a plan of 10,000 bad campaigns is no reason to be slow.
const MOST_COUNTED: usize = 10_000;

/// What is wrong with the data by the schema of this name; empty: nothing. At most [`MOST`], the last one then saying how many
/// more there are.
#[must_use]
pub fn validate(name: &str, data: &Value) -> Vec<Invalid> {
    let compiled = match COMPILED.get(name) {
        Some(Ok(compiled)) => compiled,
        Some(Err(error)) => return vec![Invalid::at("", format!("schema {name} is broken: {error}"))],
        None => return vec![Invalid::at("", format!("there is no schema {name}"))],
    };
    let mut problems = Vec::new();
    let mut more = 0;
    for error in compiled.validator.iter_errors(data).take(MOST_COUNTED) {
        if problems.len() < MOST {
            explain(&error, &compiled.names, &mut problems);
        } else {
            more += 1;
        }
    }
    capped(problems, more)
}

/// The error in a person's words, at the place that has to change.
fn explain(error: &ValidationError<'_>, names: &BTreeSet<String>, into: &mut Vec<Invalid>) {
    let at = error.instance_path().to_string();
    if let Kind::AdditionalProperties { unexpected } = error.kind() {
        into.extend(unexpected.iter().map(|name| {
            let hint = nearest(name, names).map_or(String::new(), |n| format!("; did you mean {n}?"));
            let shown: String = name.chars().take(100).collect();
            Invalid::at(
                format!("{at}/{}", pointer_token(name)),
                format!("unknown field {shown}{hint}"),
            )
        }));
    } else if let Kind::AnyOf { context } | Kind::OneOfNotValid { context } = error.kind() {
        alternatives(context, &at, names, into);
    } else if matches!(error.kind(), Kind::FalseSchema) {
        let field = at.rsplit('/').next().unwrap_or_default();
        into.push(Invalid::at(
            at.as_str(),
            format!("{field} does not belong here; leave it out"),
        ));
    } else {
        into.push(Invalid::at(at, message(error)));
    }
}

/// Of several forms, the one that was meant is the one whose type fits: `null | object` given an object is about the object.
fn alternatives(
    context: &[Vec<ValidationError<'static>>],
    at: &str,
    names: &BTreeSet<String>,
    into: &mut Vec<Invalid>,
) {
    let other_type = |errors: &&Vec<ValidationError<'static>>| {
        !matches!(errors.as_slice(), [only] if only.instance_path().as_str() == at
            && matches!(only.kind(), Kind::Type { .. }))
    };
    let meant: Vec<&Vec<ValidationError<'static>>> = context.iter().filter(other_type).collect();
    if let [errors] = meant.as_slice() {
        errors.iter().for_each(|error| explain(error, names, into));
        return;
    }
    let each: Vec<String> = context.iter().flatten().map(message).collect();
    into.push(Invalid::at(at, each.join(", or ")));
}

/// What the patterns of the messages that people write mean.
const PATTERNS: &[(&str, &str)] = &[
    (r"^(0|[1-9]\d{0,12})(\.\d{1,4})?$", "a decimal such as \"250.00\""),
    (r"^\d{1,6}(\.\d{1,6})?$", "a ratio such as \"4.5\""),
    (
        r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})?$",
        "a time such as \"2027-03-01T09:00:00Z\", or without the Z in the plan's timezone",
    ),
    (r"^[A-Z]{3}$", "a currency such as \"EUR\" (ISO 4217)"),
    (r"^[A-Z]{2}$", "a country such as \"DE\" (ISO 3166-1)"),
    (
        r"^[a-z]{2}(-[A-Z]{2})?$",
        "a language such as \"de\" or \"pt-BR\"",
    ),
    (r"^https://", "an address that begins with https://"),
    (
        r"^properties/\d{1,20}$",
        "a GA4 property such as \"properties/300200100\"",
    ),
    (r"^\d{1,20}$", "a number of at most 20 digits, as text"),
    (r"^[0-9a-f]{64}$", "64 hexadecimal digits in lower case"),
    (
        r"^[a-z0-9][a-z0-9-]{0,39}$",
        "lower-case letters, digits and hyphens, at most 40 and no hyphen first",
    ),
    (
        r"^[A-Za-z0-9][A-Za-z0-9.-]{0,63}$",
        "letters, digits, dots and hyphens, at most 64 and a letter or digit first",
    ),
    (
        r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$",
        "letters, digits, dots, underscores and hyphens, at most 128 and a letter or digit first",
    ),
    (
        r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$",
        "letters, digits, dots, underscores and hyphens, at most 100 and a letter or digit first",
    ),
    (
        r"^[A-Za-z0-9_/-]{1,100}$",
        "letters, digits, underscores, slashes and hyphens, at most 100",
    ),
    (
        r"^[a-z0-9.-]{1,253}$",
        "a host in lower case such as \"shop.example.com\"",
    ),
    (
        r"^[a-z_]{1,60}$",
        "lower-case letters and underscores, at most 60",
    ),
    (
        r"^[a-z_]{1,40}$",
        "lower-case letters and underscores, at most 40",
    ),
];

/// The validator's own words, without the offending value where that is large, and without a pattern that only a programmer reads.
fn message(error: &ValidationError<'_>) -> String {
    if let Kind::Pattern { pattern } = error.kind()
        && let Some((_, words)) = PATTERNS.iter().find(|(known, _)| known == pattern)
    {
        let shown = error.instance().to_string();
        return match shown.len() {
            0..=200 => format!("{shown} should be {words}"),
            _ => format!("the value should be {words}"),
        };
    }
    let large = match error.instance().as_ref() {
        Value::Object(_) | Value::Array(_) => true,
        Value::String(text) => text.len() > 200,
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    };
    if large {
        error.masked_with("the value").to_string()
    } else {
        error.to_string()
    }
}

fn nearest<'n>(name: &str, names: &'n BTreeSet<String>) -> Option<&'n String> {
    if name.len() > 100 {
        return None;
    }
    names
        .iter()
        // A field of this name that belongs elsewhere is no help.
        .filter(|known| known.as_str() != name)
        .map(|known| (strsim::damerau_levenshtein(known, name), known))
        .min()
        .filter(|(distance, _)| *distance <= name.len() / 3)
        .map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(schema: &Value, into: &mut BTreeSet<String>) {
        match schema {
            Value::Object(map) => {
                into.extend(map.get("pattern").and_then(Value::as_str).map(str::to_owned));
                map.values().for_each(|inner| patterns(inner, into));
            }
            Value::Array(list) => list.iter().for_each(|inner| patterns(inner, into)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    #[test]
    fn every_pattern_has_words_for_a_person() {
        let mut used = BTreeSet::new();
        for (_, text) in ALL {
            patterns(&serde_json::from_str(text).unwrap(), &mut used);
        }
        let known: BTreeSet<String> = PATTERNS.iter().map(|(p, _)| (*p).to_owned()).collect();
        assert_eq!(known, used);
    }
}
