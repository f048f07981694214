//! What people read stays as it was looked at: `--help` of every command, and typical errors, are kept in `tests/golden`.
//!
//! `UPDATE_GOLDEN=1 cargo test --test it golden` writes them anew; read the difference before it is committed. A file that
//! no test refers to fails.

use crate::support::command::run_with;
use std::collections::BTreeSet;
use std::path::PathBuf;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// A text that another test makes; the files of `stories` are named there.
#[track_caller]
pub fn keep(name: &str, text: &str) {
    let mut wrong = Vec::new();
    same(name, text, &mut wrong);
    assert!(
        wrong.is_empty(),
        "{}\nUPDATE_GOLDEN=1 writes it anew",
        wrong.join("\n")
    );
}

/// Compares with the file of this name, or writes it; what differs is added to `wrong`.
pub fn same(name: &str, text: &str, wrong: &mut Vec<String>) {
    let path = folder().join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, text).expect("a file");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    if kept != text {
        wrong.push(format!(
            "{name} is not as it was:\n--- kept\n{kept}\n--- now\n{text}"
        ));
    }
}

/// The commands below this one, as its own help lists them.
fn below(help: &str) -> Vec<String> {
    help.lines()
        .skip_while(|l| *l != "Commands:")
        .skip(1)
        .take_while(|l| !l.trim().is_empty())
        .filter(|l| l.starts_with("  ") && !l.starts_with("   "))
        .filter_map(|l| l.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

fn help(path: &[String]) -> String {
    let mut args: Vec<&str> = path.iter().map(String::as_str).collect();
    args.push("--help");
    let ran = run_with(&[], &args);
    assert_eq!(ran.code, Some(0), "{path:?}: {ran:?}");
    ran.out
}

#[test]
fn help_of_every_command_reads_as_it_was_looked_at() {
    let (mut wrong, mut names) = (Vec::new(), BTreeSet::new());
    let mut open: Vec<Vec<String>> = vec![Vec::new()];
    while let Some(path) = open.pop() {
        let text = help(&path);
        for name in below(&text) {
            open.push(path.iter().cloned().chain([name]).collect());
        }
        let name = if path.is_empty() {
            "campaign-execution".to_owned()
        } else {
            path.join("-")
        };
        same(&format!("help/{name}.txt"), &text, &mut wrong);
        names.insert(format!("{name}.txt"));
    }
    assert!(names.len() > 25, "{names:?}");
    let there: BTreeSet<String> = std::fs::read_dir(folder().join("help"))
        .expect("tests/golden/help")
        .flatten()
        .filter_map(|e| e.file_name().into_string().ok())
        .collect();
    assert_eq!(there, names, "files of commands that there are not");
    assert!(
        wrong.is_empty(),
        "{}\nUPDATE_GOLDEN=1 writes them anew",
        wrong.join("\n")
    );
}

/// What goes wrong most often, and needs no server to go wrong.
const ERRORS: &[(&str, &[&str])] = &[
    ("no-such-command", &["lanch"]),
    ("no-tenant", &["pause"]),
    ("no-such-file", &["plan", "check", "no-such-plan.json"]),
    ("not-an-export", &["audit", "verify", "--file", "Cargo.toml"]),
    ("dlq-half-a-place", &["dlq", "show", "--topic", "plan.approved"]),
    (
        "replay-unknown-topic",
        &[
            "replay",
            "--topic",
            "campaign.live",
            "--partition",
            "0",
            "--offset",
            "1",
        ],
    ),
    ("bad-since", &["audit", "export", "--since", "yesterday"]),
];

#[test]
fn typical_errors_say_what_to_do() {
    let mut wrong = Vec::new();
    let mut names = BTreeSet::new();
    for (name, args) in ERRORS {
        let ran = run_with(&[], args);
        assert_eq!(ran.code, Some(2), "{name}: {ran:?}");
        let text = format!(
            "$ campaign-execution {}\n{}{}exit code 2\n",
            args.join(" "),
            ran.out,
            ran.err
        );
        same(&format!("errors/{name}.txt"), &text, &mut wrong);
        names.insert(format!("{name}.txt"));
    }
    let there: BTreeSet<String> = std::fs::read_dir(folder().join("errors"))
        .expect("tests/golden/errors")
        .flatten()
        .filter_map(|e| e.file_name().into_string().ok())
        .collect();
    assert_eq!(there, names, "files that no test refers to");
    assert!(
        wrong.is_empty(),
        "{}\nUPDATE_GOLDEN=1 writes them anew",
        wrong.join("\n")
    );
}

/// The outputs that a test keeps; a file that no test writes fails here.
#[test]
fn no_output_is_kept_for_nothing() {
    let tests =
        std::fs::read_dir(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it")).expect("tests/it");
    let sources: String = tests
        .flatten()
        .filter_map(|entry| std::fs::read_to_string(entry.path()).ok())
        .collect();
    let kept = std::fs::read_dir(folder().join("outputs")).expect("tests/golden/outputs");
    let names = kept.flatten().filter_map(|e| e.file_name().into_string().ok());
    let unused: Vec<String> = names
        .filter(|name| !sources.contains(&format!("\"{}\",", name.trim_end_matches(".txt"))))
        .collect();
    assert!(unused.is_empty(), "files that no test refers to: {unused:?}");
}
