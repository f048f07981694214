//! Keeps the layers: which module may use which, which crate has its one home, and what every file looks like.
//!
//! The tables here are the architecture. A failure names file, line and rule; widening a table is a decision to be
//! argued in review, not a way to get green. Must not know anything about what the code does.

mod bites;
mod rules;
mod source;

use source::{Path, Source};
use std::path::PathBuf;

/// Our own modules, outermost last, and what each may import. `*` is everything except `sandbox` and `main`.
const LAYERS: &[(&str, &[&str])] = &[
    ("clock", &[]),
    ("stop", &[]),
    ("retry", &["clock"]),
    ("domain", &[]),
    ("wire", &["domain"]),
    ("telemetry", &["clock"]),
    ("credentials", &["clock"]),
    ("outbound", &["clock", "credentials", "retry"]),
    ("store", &["domain", "clock"]),
    (
        "platform",
        &["domain", "outbound", "credentials", "retry", "clock"],
    ),
    ("health", &["domain", "outbound", "credentials", "retry", "clock"]),
    ("bus", &["wire", "domain", "retry", "clock", "stop"]),
    (
        "service",
        &[
            "domain",
            "wire",
            "store",
            "platform",
            "health",
            "bus",
            "outbound",
            "credentials",
            "retry",
            "clock",
            "stop",
            "telemetry",
        ],
    ),
    ("config", &["domain", "platform", "outbound"]),
    (
        "wiring",
        &[
            "domain",
            "wire",
            "store",
            "platform",
            "health",
            "bus",
            "service",
            "config",
            "outbound",
            "credentials",
            "retry",
            "clock",
            "stop",
            "telemetry",
        ],
    ),
    ("http", &["*"]),
    ("cli", &["*"]),
    ("sandbox", &[]),
    ("lib", &[]),
    ("main", &["cli"]),
];

/// Single files that may import one thing more, with the reason.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("cli/sandbox", "sandbox", "starts it"),
    ("cli/demo", "sandbox", "brings it up beside the service"),
    ("cli/bench", "sandbox", "measures against it"),
    (
        "platform/contract",
        "sandbox",
        "the scenarios that every platform must pass; tests only",
    ),
];

/// One crate, one home: a crate's name (or the start of it, with `*`) and the only places that may name it.
const HOMES: &[(&str, &[&str])] = &[
    ("sqlx", &["store"]),
    ("rdkafka", &["bus", "cli/demo"]),
    (
        "reqwest",
        &["outbound", "platform", "health", "service/alerts", "cli"],
    ),
    (
        "opentelemetry*",
        &["telemetry", "outbound", "bus", "store/outbox"],
    ),
    (
        "tracing_opentelemetry",
        &["telemetry", "outbound", "bus", "store/outbox"],
    ),
    ("backoff", &["retry"]),
    ("axum", &["http", "sandbox", "cli/bench"]),
    ("clap", &["cli", "main"]),
    ("figment", &["config"]),
    ("jsonschema", &["wire"]),
    (
        "anyhow",
        &["service", "cli", "http", "wiring", "telemetry", "sandbox", "main"],
    ),
];

/// How long a file may be, tests included.
const LINES: usize = 700;
/// Files that may be longer, up to where; by the start of their path.
const LONGER: &[(&str, usize)] = &[
    // It answers as six vendors do; a vendor's rules stay together.
    ("sandbox/", 900),
    // One leased command from first look to report, read top to bottom.
    ("service/drive", 900),
];

/// What one file of `src/` does wrong, a line for each.
fn violations(file: &Source) -> Vec<String> {
    let mut found = shape(file, limit(file));
    let Some((_, allowed)) = LAYERS.iter().find(|(name, _)| *name == file.module()) else {
        found.push(format!(
            "{}: `{}` is a new top-level module: add it to the table in tests/it/tidy/mod.rs",
            file.path(),
            file.module()
        ));
        return found;
    };
    for path in file.own_paths(|name| LAYERS.iter().any(|(known, _)| *known == name)) {
        found.extend(layer(file, allowed, &path));
        found.extend(sibling(file, &path));
    }
    for path in file.foreign_paths() {
        found.extend(home(file, &path));
    }
    found
}

fn limit(file: &Source) -> usize {
    LONGER
        .iter()
        .find(|(start, _)| file.path().starts_with(start))
        .map_or(LINES, |(_, lines)| *lines)
}

/// Says what it is for; is not too long; silences no lint without a reason.
fn shape(file: &Source, limit: usize) -> Vec<String> {
    let mut found = Vec::new();
    if !file.text().starts_with("//!") {
        found.push(format!(
            "{}:1: begins without `//!`: say what the file is for and what it must not do",
            file.path()
        ));
    }
    let lines = file.text().lines().count();
    if lines > limit {
        found.push(format!(
            "{}:{lines}: more than {limit} lines: look for the part that has its own name",
            file.path()
        ));
    }
    for line in file.lines_with_allow() {
        found.push(format!(
            "{}:{line}: `allow(…)`: use `#[expect(lint, reason = \"…\")]`",
            file.path()
        ));
    }
    found
}

/// May this file import that module?
fn layer(file: &Source, allowed: &[&str], path: &Path) -> Option<String> {
    let target = path.first();
    // The library's own list of modules is what `lib.rs` is.
    if target == file.module() || allowed.contains(&target) {
        return None;
    }
    if allowed.contains(&"*") && !["sandbox", "main", "lib"].contains(&target) {
        return None;
    }
    if EXCEPTIONS
        .iter()
        .any(|(place, module, _)| *module == target && file.is_in(place))
    {
        return None;
    }
    // An item at the root (a macro) is no module: only what the table knows can break a layer.
    LAYERS.iter().any(|(name, _)| *name == target).then(|| {
        format!(
            "{}:{}: `{}` may not use `crate::{target}`",
            file.path(),
            path.line,
            file.module()
        )
    })
}

/// One platform's folder never sees another's.
fn sibling(file: &Source, path: &Path) -> Option<String> {
    let own = file.folder_below("platform")?;
    let other = path.segments.get(1).filter(|_| path.first() == "platform")?;
    let is_folder = file.all_platform_folders().iter().any(|folder| folder == other);
    (is_folder && other != own).then(|| {
        format!(
            "{}:{}: platform `{own}` may not use platform `{other}`",
            file.path(),
            path.line
        )
    })
}

/// Is this the crate's home?
fn home(file: &Source, path: &Path) -> Option<String> {
    let name = path.first();
    let (_, homes) = HOMES
        .iter()
        .find(|(crate_name, _)| match crate_name.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => name == *crate_name,
        })?;
    (!homes.iter().any(|place| file.is_in(place))).then(|| {
        format!(
            "{}:{}: `{name}` is named outside its home ({})",
            file.path(),
            path.line,
            homes.join(", ")
        )
    })
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_layers_hold() {
    let files = source::read_tree(&root().join("src"));
    assert!(files.len() > 20, "src/ was not found");
    let found: Vec<String> = files.iter().flat_map(violations).collect();
    assert!(
        found.is_empty(),
        "{} violations in src/\n{}",
        found.len(),
        found.join("\n")
    );
}

#[test]
fn tests_look_like_the_rest() {
    let files = source::read_tree(&root().join("tests"));
    let found: Vec<String> = files.iter().flat_map(|file| shape(file, LINES)).collect();
    assert!(
        found.is_empty(),
        "{} violations in tests/\n{}",
        found.len(),
        found.join("\n")
    );
}

#[test]
fn no_cycle_is_allowed_by_the_table() {
    // `*` stands for everything, so those two are leaves by construction: nothing below may import them.
    let leaves = ["cli", "http", "main", "lib"];
    let direct = |name: &str| {
        LAYERS
            .iter()
            .find(|(known, _)| *known == name)
            .map_or(&[] as &[&str], |(_, allowed)| *allowed)
    };
    for (name, _) in LAYERS.iter().filter(|(name, _)| !leaves.contains(name)) {
        let mut reached: Vec<&str> = direct(name).to_vec();
        let mut next = 0;
        while let Some(module) = reached.get(next).copied() {
            assert!(!leaves.contains(&module), "`{name}` reaches `{module}`");
            assert_ne!(module, *name, "`{name}` may reach itself");
            for more in direct(module) {
                if !reached.contains(more) {
                    reached.push(more);
                }
            }
            next += 1;
        }
    }
}
