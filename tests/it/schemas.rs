//! `schemas/`, the AsyncAPI document, the examples and the code's own list of topics agree.
//!
//! Types against schemas is tested beside the types (`src/wire`), outgoing events against schemas wherever the integration tests
//! hear one.

use campaign_execution::wire::{self, schema};
use campaign_execution::wiring::Wiring;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("schemas")
}

fn asyncapi() -> Value {
    let program = "import json, sys, yaml; json.dump(yaml.safe_load(open(sys.argv[1])), sys.stdout)";
    let output = Command::new("python3")
        .args(["-c", program])
        .arg(folder().join("asyncapi.yaml"))
        .output();
    let output = output.expect("python3 with PyYAML (tests/install.sh check)");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn asyncapi_names_the_topics_that_the_code_has_and_its_references_resolve() {
    let document = asyncapi();
    let channels = document["channels"].as_object().expect("channels");
    let addresses: BTreeSet<String> = channels
        .values()
        .map(|c| c["address"].as_str().expect("an address").to_owned())
        .collect();
    let topics: BTreeSet<String> = Wiring::topics().into_iter().map(|t| t.name).collect();
    assert_eq!(
        addresses, topics,
        "schemas/asyncapi.yaml and Wiring::topics disagree"
    );
    let mut references = Vec::new();
    collect(&document, &mut references);
    assert!(references.len() > 40);
    for reference in references {
        match reference.strip_prefix('#') {
            Some(pointer) => assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere"),
            None => assert!(folder().join(&reference).exists(), "{reference} is no file"),
        }
    }
}

fn collect(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (name, inner) in map {
                match inner.as_str() {
                    Some(text) if name == "$ref" => into.push(text.to_owned()),
                    Some(_) | None => collect(inner, into),
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|inner| collect(inner, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn every_schema_file_is_compiled_in_and_every_example_validates() {
    let names: BTreeSet<String> = schema::ALL.iter().map(|(n, _)| format!("{n}.v1.json")).collect();
    let files: BTreeSet<String> = std::fs::read_dir(folder())
        .expect("schemas/")
        .flatten()
        .filter_map(|e| e.file_name().into_string().ok())
        .filter(|n| n.ends_with(".json"))
        .collect();
    assert_eq!(names, files);
    let mut examples = 0;
    for entry in std::fs::read_dir(folder().join("examples"))
        .expect("examples")
        .flatten()
        .filter(|e| e.path().is_file())
    {
        let name = entry.file_name().into_string().expect("a name");
        let (schema_name, _) = schema::ALL
            .iter()
            .find(|(n, _)| name.starts_with(n))
            .expect("an example of a schema");
        let value: Value =
            serde_json::from_slice(&std::fs::read(entry.path()).expect("a file")).expect("JSON");
        assert_eq!(schema::validate(schema_name, &value), [], "{name}");
        examples += 1;
    }
    assert!(examples >= schema::ALL.len());
}

/// What is wrong is refused at the place that has to change.
#[test]
fn every_invalid_example_is_refused_where_it_says() {
    let mut refused = 0;
    for entry in std::fs::read_dir(folder().join("examples/invalid"))
        .expect("invalid")
        .flatten()
    {
        let text = std::fs::read(entry.path()).expect("a file");
        let cases: Vec<Value> = serde_json::from_slice(&text).expect("a list");
        for case in cases {
            let (name, why, pointer) = (
                case["schema"].as_str().expect("schema"),
                case["why"].as_str().expect("why"),
                case["pointer"].as_str().expect("pointer"),
            );
            let problems = if name == "plan.approved" {
                wire::plan::parse(&case["message"]).expect_err(why)
            } else {
                schema::validate(name, &case["message"])
            };
            let pointers: BTreeSet<&str> = problems.iter().map(|p| p.pointer.as_str()).collect();
            assert_eq!(pointers, BTreeSet::from([pointer]), "{name}, {why}: {problems:?}");
            refused += 1;
        }
    }
    assert!(refused >= 50, "{refused}");
}

/// Every place in the example plan.
fn places(value: &Value, at: &str, into: &mut Vec<String>) {
    into.push(at.to_owned());
    match value {
        Value::Object(map) => map
            .iter()
            .for_each(|(n, v)| places(v, &format!("{at}/{n}"), into)),
        Value::Array(list) => list
            .iter()
            .enumerate()
            .for_each(|(i, v)| places(v, &format!("{at}/{i}"), into)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn example() -> Value {
    serde_json::from_str(include_str!("../../schemas/examples/plan.approved.json")).expect("the example")
}

fn odd_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        Just(json!(-1)),
        Just(json!(1e300)),
        Just(json!("")),
        Just(json!("\u{0}\u{202e}")),
        Just(json!([])),
        Just(json!({ "a": { "b": [] } })),
        "\\PC{0,40}".prop_map(Value::String),
        any::<i64>().prop_map(|n| json!(n)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever is done to a plan, reading it neither panics nor lets through what the schema refuses.
    #[test]
    fn no_change_to_a_plan_panics(changes in prop::collection::vec((any::<prop::sample::Index>(), odd_value()), 1..4)) {
        let mut plan = example();
        for (index, value) in changes {
            let mut all = Vec::new();
            places(&plan, "", &mut all);
            let place = all[index.index(all.len())].clone();
            if let Some(slot) = plan.pointer_mut(&place) {
                *slot = value;
            }
        }
        match wire::plan::parse(&plan) {
            Ok(_) => prop_assert_eq!(schema::validate("plan.approved", &plan), vec![]),
            Err(problems) => prop_assert!(!problems.is_empty() && problems.len() <= 100),
        }
    }

    /// Nor do any bytes at all.
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = wire::unwrap(&[], Some(&bytes), 1000);
        let headers = vec![("content-type".to_owned(), b"application/cloudevents+json".to_vec())];
        let _ = wire::unwrap(&headers, Some(&bytes), 1000);
    }
}
