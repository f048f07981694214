//! The JSON Schemas of `schemas/`, compiled in, and validation against them.
//!
//! Must not reach for a schema outside the program.

use super::Invalid;
use jsonschema::Validator;
use serde_json::Value;
use std::collections::HashMap;
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

static VALIDATORS: LazyLock<HashMap<&'static str, Result<Validator, String>>> = LazyLock::new(|| {
    ALL.iter()
        .map(|(name, text)| {
            let schema: Result<Value, _> = serde_json::from_str(text);
            let validator = schema.map_err(|e| e.to_string()).and_then(|s| {
                jsonschema::draft202012::options()
                    .should_validate_formats(true)
                    .build(&s)
                    .map_err(|e| e.to_string())
            });
            (*name, validator)
        })
        .collect()
});

/// The most problems that are listed.
const MOST: usize = 100;

/// What is wrong with the data by the schema of this name; empty: nothing.
#[must_use]
pub fn validate(name: &str, data: &Value) -> Vec<Invalid> {
    match VALIDATORS.get(name) {
        Some(Ok(validator)) => validator
            .iter_errors(data)
            .take(MOST)
            .map(|error| {
                let text = error.to_string();
                // The offending value can be the whole plan: the rule at its end says what was expected.
                let message = if text.len() > 400 {
                    let tail: String = text
                        .chars()
                        .rev()
                        .take(300)
                        .collect::<Vec<_>>()
                        .into_iter()
                        .rev()
                        .collect();
                    format!("… {tail}")
                } else {
                    text
                };
                Invalid::at(error.instance_path().to_string(), message)
            })
            .collect(),
        Some(Err(error)) => vec![Invalid::at("", format!("schema {name} is broken: {error}"))],
        None => vec![Invalid::at("", format!("there is no schema {name}"))],
    }
}
