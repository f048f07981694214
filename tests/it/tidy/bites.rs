//! Shows that the tidy rules bite: each is given a text that breaks it, and its nearest neighbour that does not.
//!
//! Must not read the real sources; those are the rules' own tests.

use super::source::Source;
use super::{LINES, violations};

fn check(path: &str, body: &str) -> Vec<String> {
    let folders = ["google_ads".to_owned(), "meta".to_owned()];
    violations(&Source::new(path, &format!("//! For a test.\n{body}")).with_platforms(&folders))
}

#[track_caller]
fn refused(path: &str, body: &str, why: &str) {
    let found = check(path, body);
    assert!(
        found.iter().any(|line| line.contains(why)),
        "{path} with `{body}` gave {found:?}, expected: {why}"
    );
}

#[track_caller]
fn fine(path: &str, body: &str) {
    let found = check(path, body);
    assert!(found.is_empty(), "{path} with `{body}` gave {found:?}");
}

#[test]
fn domain_imports_nothing_of_ours() {
    refused(
        "domain/plan.rs",
        "use crate::store::Store;",
        "domain/plan.rs:2: `domain` may not use `crate::store`",
    );
    refused(
        "domain/plan.rs",
        "fn f() { crate::clock::now() }",
        "may not use `crate::clock`",
    );
    fine(
        "domain/plan.rs",
        "use crate::domain::money::Money; use super::ids; use serde::Deserialize;",
    );
}

#[test]
fn layers_never_see_their_neighbours() {
    refused(
        "store/outbox.rs",
        "use crate::wire::Envelope;",
        "`store` may not use `crate::wire`",
    );
    refused(
        "platform/mod.rs",
        "use crate::store::Store;",
        "`platform` may not use `crate::store`",
    );
    refused(
        "bus/mod.rs",
        "use crate::store::Store;",
        "`bus` may not use `crate::store`",
    );
    refused(
        "service/worker.rs",
        "use crate::config::Config;",
        "`service` may not use `crate::config`",
    );
    refused(
        "service/worker.rs",
        "use crate::cli::output;",
        "`service` may not use `crate::cli`",
    );
    refused(
        "main.rs",
        "use campaign_execution::store::Store;",
        "`main` may not use `crate::store`",
    );
    fine(
        "service/worker.rs",
        "use crate::store::Store; use crate::{bus, domain::saga};",
    );
    fine("main.rs", "fn main() { campaign_execution::cli::run() }");
}

#[test]
fn groups_and_relative_paths_are_seen_through() {
    refused(
        "domain/plan.rs",
        "use crate::{domain::ids, store::Store};",
        "may not use `crate::store`",
    );
    refused(
        "domain/plan.rs",
        "use crate::{\n  domain::{ids, money},\n  bus,\n};",
        "domain/plan.rs:4: `domain` may not",
    );
    refused(
        "domain/plan.rs",
        "use super::super::store::Store;",
        "may not use `crate::store`",
    );
    refused(
        "domain/mod.rs",
        "use super::store::Store;",
        "may not use `crate::store`",
    );
    fine("domain/plan.rs", "use super::tenant::store;");
    fine("clock.rs", "mod tests { use super::SystemClock; }");
}

#[test]
fn comments_and_literals_are_not_imports() {
    fine(
        "domain/plan.rs",
        "// crate::store::Store\n/// [`crate::store`]\nconst A: &str = \"crate::store::x sqlx::query\";",
    );
    fine(
        "domain/plan.rs",
        "/* crate::bus::x /* nested */ sqlx::x */ const A: &str = r#\"crate::bus::x \" y\"#;",
    );
    fine(
        "domain/plan.rs",
        "const Q: char = '\"'; fn f<'a>(a: &'a str) {} const R: char = '\\'';",
    );
    refused(
        "domain/plan.rs",
        "const Q: char = '\"'; use crate::bus; const R: char = '\"';",
        "`crate::bus`",
    );
}

#[test]
fn the_sandbox_is_apart() {
    refused(
        "sandbox/meta.rs",
        "use crate::domain::money::Money;",
        "`sandbox` may not use `crate::domain`",
    );
    refused(
        "service/worker.rs",
        "use crate::sandbox::Sandbox;",
        "`service` may not use `crate::sandbox`",
    );
    refused(
        "cli/serve.rs",
        "use crate::sandbox::Sandbox;",
        "`cli` may not use `crate::sandbox`",
    );
    refused(
        "http/mod.rs",
        "use crate::sandbox::Sandbox;",
        "`http` may not use `crate::sandbox`",
    );
    fine("cli/sandbox.rs", "use crate::sandbox::Sandbox;");
    fine("cli/demo/mod.rs", "use crate::sandbox::Sandbox;");
}

#[test]
fn platforms_never_see_each_other() {
    refused(
        "platform/meta/mod.rs",
        "use crate::platform::google_ads::GoogleAds;",
        "platform `meta` may not use platform",
    );
    refused(
        "platform/meta/mod.rs",
        "use super::google_ads::GoogleAds;",
        "platform `meta` may not use platform",
    );
    fine(
        "platform/meta/mod.rs",
        "use crate::platform::{CallError, meta::wire}; use super::Op;",
    );
}

#[test]
fn a_crate_has_one_home() {
    refused(
        "service/relay.rs",
        "use sqlx::PgPool;",
        "service/relay.rs:2: `sqlx` is named outside its home (store)",
    );
    refused(
        "domain/plan.rs",
        "fn f() -> anyhow::Result<()> { Ok(()) }",
        "`anyhow` is named outside its home",
    );
    refused(
        "domain/plan.rs",
        "fn f() -> ::anyhow::Result<()> { Ok(()) }",
        "`anyhow` is named outside its home",
    );
    refused(
        "cli/serve.rs",
        "use rdkafka as kafka;",
        "`rdkafka` is named outside its home",
    );
    refused(
        "store/mod.rs",
        "use opentelemetry_sdk::trace::Tracer;",
        "`opentelemetry_sdk` is named outside its home",
    );
    refused(
        "platform/meta/mod.rs",
        "use backoff::ExponentialBackoff;",
        "`backoff` is named outside its home (retry)",
    );
    fine("store/mod.rs", "use sqlx::PgPool;");
    fine("store/outbox.rs", "use opentelemetry::Context;");
    fine("cli/demo.rs", "use rdkafka::mocking::MockCluster;");
    // A module of our own may be called what a crate is called.
    fine(
        "service/drive.rs",
        "use crate::service::backoff;\nfn f() { backoff::delay() }",
    );
    fine("service/mod.rs", "mod backoff;\nfn f() { backoff::delay() }");
}

#[test]
fn a_new_module_must_be_placed() {
    refused(
        "helpers.rs",
        "",
        "`helpers` is a new top-level module: add it to the table",
    );
    refused("helpers/text.rs", "", "`helpers` is a new top-level module");
}

#[test]
fn every_file_says_what_it_is_for_and_stays_short() {
    let silent = violations(&Source::new("domain/plan.rs", "use std::fmt;\n"));
    assert!(
        silent.iter().any(|line| line.contains("begins without `//!`")),
        "{silent:?}"
    );
    fine("domain/plan.rs", &"\n".repeat(LINES - 1));
    refused("domain/plan.rs", &"\n".repeat(LINES), "more than 700 lines");
    fine("sandbox/meta.rs", &"\n".repeat(LINES));
    refused("sandbox/meta.rs", &"\n".repeat(900), "more than 900 lines");
}

#[test]
fn lints_are_expected_not_allowed() {
    refused(
        "domain/plan.rs",
        "#[allow(dead_code)]\nfn f() {}",
        "domain/plan.rs:2: `allow(…)`",
    );
    refused("domain/plan.rs", "#![allow(dead_code)]", "`allow(…)`");
    refused(
        "domain/plan.rs",
        "#[cfg_attr(test, allow(dead_code))]",
        "`allow(…)`",
    );
    fine(
        "domain/plan.rs",
        "#[expect(dead_code, reason = \"…\")]\nfn f() { gate.allow(plan); }",
    );
}
