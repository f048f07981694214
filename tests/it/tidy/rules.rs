//! Keeps the list of the vendors' prose rules whole: `tests/conformance/rules.toml` names each with its source and with the one
//! negative test that breaks it, and what is tested is listed.
//!
//! Must not judge whether a rule is right, nor run the tests it names: `cargo test` and `make conformance` do.

use std::collections::BTreeMap;
use std::path::Path;

/// What the check looks at: file names (below `src/sandbox/` or `tests/conformance/plants/`) and contents.
struct Looked<'a> {
    /// `rules.toml`.
    list: &'a str,
    /// The planted mistakes.
    plants: Vec<(String, String)>,
    /// The sandbox's tests, and its code without them.
    tests: Vec<(String, String)>,
    code: Vec<(String, String)>,
}

/// Where a rule is broken on purpose.
#[derive(Debug)]
struct Shown {
    file: String,
    planted: bool,
}

/// What is wrong with the list, a line for each.
fn problems(looked: &Looked<'_>) -> Vec<String> {
    let list: toml::Table = match toml::from_str(looked.list) {
        Ok(list) => list,
        Err(error) => return vec![format!("rules.toml cannot be read: {error}")],
    };
    let tables: Vec<&str> = list.keys().map(String::as_str).collect();
    let mut shown = shown(looked, &tables);
    let mut found = Vec::new();
    for (table, rules) in &list {
        let code = code_of(table, &looked.code);
        for (name, rule) in rules.as_table().into_iter().flatten() {
            let id = format!("{table}.{name}");
            let why = entry(rule, &code, &shown.remove(&id).unwrap_or_default());
            found.extend(why.into_iter().map(|why| format!("{id}: {why}")));
        }
    }
    let unlisted = shown.into_iter();
    found.extend(unlisted.map(|(id, places)| format!("{id}: shown in {}, and not listed", places[0].file)));
    found
}

/// What is wrong with one rule.
fn entry(rule: &toml::Value, code: &str, shown: &[Shown]) -> Vec<String> {
    let text = |key: &str| rule.get(key).and_then(toml::Value::as_str).unwrap_or("");
    let mut found = Vec::new();
    if text("says").is_empty() {
        found.push("says nothing".to_owned());
    }
    let source = text("source");
    if !source.starts_with("https://") {
        found.push("has no source".to_owned());
    } else if !names(code, source) {
        found.push(format!("the sandbox does not name its source {source}"));
    }
    match (shown, text("test")) {
        ([], _) => found.push("no test and no planted mistake breaks it".to_owned()),
        ([_, _, ..], _) => found.push(format!("broken more than once: {shown:?}")),
        ([one], "") if !one.planted => found.push(format!("test = \"{}\" is missing", one.file)),
        ([one], test) if !test.is_empty() && (one.planted || one.file != test) => {
            found.push(format!("is broken in {}, not in {test}", one.file));
        }
        ([_], _) => {}
    }
    found
}

/// Whether a text holds this address and not only a longer one.
fn names(code: &str, source: &str) -> bool {
    code.match_indices(source).any(|(at, _)| {
        let next = code[at + source.len()..].chars().next();
        next.is_none_or(|c| matches!(c, '>' | ')' | '`' | '"' | ',' | ';' | '.') || c.is_whitespace())
    })
}

/// The sandbox's code of a table's vendor: that of the folder (or file) whose name the table's begins with.
fn code_of(table: &str, code: &[(String, String)]) -> String {
    let table = table.replace('-', "_");
    let of = |file: &str| {
        let vendor = file.split(['/', '.']).next().unwrap_or("");
        !vendor.is_empty() && table.starts_with(vendor)
    };
    code.iter()
        .filter(|(file, _)| of(file))
        .map(|(_, text)| text.as_str())
        .collect()
}

/// Every rule that a test or a planted mistake names.
fn shown(looked: &Looked<'_>, tables: &[&str]) -> BTreeMap<String, Vec<Shown>> {
    let mut found: BTreeMap<String, Vec<Shown>> = BTreeMap::new();
    let mut note = |id: String, file: &str, planted: bool| {
        found.entry(id).or_default().push(Shown {
            file: file.to_owned(),
            planted,
        });
    };
    for (file, text) in &looked.plants {
        // The helper of a file puts its table before a rule's name: f"meta.{rule}".
        let own = tables
            .iter()
            .find(|table| text.contains(&format!("f\"{table}.{{rule")));
        for name in quoted_after(text, "_rule(").chain(quoted_after(text, " rule=")) {
            match (name.split_once('.'), own) {
                (Some(_), _) => note(name.to_owned(), file, true),
                (None, Some(own)) => note(format!("{own}.{name}"), file, true),
                (None, None) => note(name.to_owned(), file, true),
            }
        }
    }
    for (file, text) in &looked.tests {
        for table in tables {
            for lead in ["\"", "// Rule: ", "\n"] {
                for (at, start) in text.match_indices(&format!("{lead}{table}.")) {
                    let rest = &text[at + start.len()..];
                    let name: &str = rest
                        .split(|c: char| !c.is_ascii_alphanumeric() && c != '-')
                        .next()
                        .unwrap_or("");
                    // A method has no dash: "meta.campaigns".
                    if name.contains('-') {
                        note(format!("{table}.{name}"), file, false);
                    }
                }
            }
        }
    }
    found
}

/// The texts in quotes that follow a marker at once.
fn quoted_after<'t>(text: &'t str, marker: &'t str) -> impl Iterator<Item = &'t str> {
    text.match_indices(marker).filter_map(move |(at, _)| {
        text[at + marker.len()..]
            .trim_start()
            .strip_prefix('"')?
            .split('"')
            .next()
    })
}

/// The files of a folder with an ending, by their paths below it.
fn files(root: &Path, folder: &Path, ending: &str, into: &mut Vec<(String, String)>) {
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            files(root, &path, ending, into);
        } else if path.extension().is_some_and(|e| e == ending) {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            into.push((name, std::fs::read_to_string(&path).unwrap()));
        }
    }
}

#[test]
fn every_prose_rule_has_a_source_and_one_test() {
    let root = super::root();
    let conformance = root.join("tests/conformance");
    let list = std::fs::read_to_string(conformance.join("rules.toml")).unwrap();
    let (mut plants, mut all) = (Vec::new(), Vec::new());
    files(
        &conformance.join("plants"),
        &conformance.join("plants"),
        "py",
        &mut plants,
    );
    files(
        &root.join("src/sandbox"),
        &root.join("src/sandbox"),
        "rs",
        &mut all,
    );
    let (mut tests, mut code) = (Vec::new(), Vec::new());
    for (file, text) in all {
        if file.contains("/tests") {
            tests.push((file, text));
        } else {
            let (own, tested) = text.split_once("\nmod tests {").unwrap_or((text.as_str(), ""));
            tests.push((file.clone(), tested.to_owned()));
            code.push((file, own.to_owned()));
        }
    }
    let looked = Looked {
        list: &list,
        plants,
        tests,
        code,
    };
    let rules = shown(&looked, &["google-ads", "meta", "tiktok", "dv360", "merchant"]).len();
    assert!(
        rules > 300,
        "only {rules} rules are shown: the tests were not found"
    );
    let found = problems(&looked);
    assert!(
        found.is_empty(),
        "{} problems in tests/conformance/rules.toml\n{}",
        found.len(),
        found.join("\n")
    );
}

#[test]
fn the_check_bites() {
    let pair = |name: &str, text: &str| vec![(name.to_owned(), text.to_owned())];
    let check = |list: &str, plant: &str, test: &str, code: &str| {
        problems(&Looked {
            list,
            plants: pair("meta.py", plant),
            tests: pair("meta/tests.rs", test),
            code: pair("meta/rules.rs", code),
        })
    };
    let planted = "[meta]\na-rule = { says = \"x\", source = \"https://a.example/b\" }\n";
    let tested =
        "[meta]\na-rule = { says = \"x\", source = \"https://a.example/b\", test = \"meta/tests.rs\" }\n";
    let helper = "rule=f\"meta.{rule}\"\n";
    let (plant, code) = (
        &format!("{helper}_rule(\n  \"a-rule\", …)"),
        "/// <https://a.example/b>",
    );
    assert_eq!(check(planted, plant, "", code), [] as [String; 0]);
    for test in [
        "(\"meta.a-rule\", …)",
        "    // Rule: meta.a-rule\n",
        "\nmeta.a-rule  x\n",
    ] {
        assert_eq!(check(tested, helper, test, code), [] as [String; 0], "{test}");
    }
    for (list, plant, test, code, why) in [
        (planted, helper, "", code, "no test"),
        (tested, helper, "(\"meta.a-rule-more\", …)", code, "no test"),
        (planted, plant, "(\"meta.a-rule\", …)", code, "more than once"),
        (planted, helper, "(\"meta.a-rule\", …)", code, "is missing"),
        (tested, plant, "", code, "not in meta/tests.rs"),
        (
            planted,
            plant,
            "",
            "/// <https://a.example/bc>",
            "does not name its source",
        ),
        (planted, plant, "// Rule: meta.an-other", code, "not listed"),
        (
            "[meta]\na-rule = { says = \"x\" }",
            plant,
            "",
            code,
            "has no source",
        ),
        (
            "[meta]\na-rule = { source = \"https://a.example/b\" }",
            plant,
            "",
            code,
            "says nothing",
        ),
        ("[meta", plant, "", code, "cannot be read"),
    ] {
        let found = check(list, plant, test, code);
        assert!(found.iter().any(|f| f.contains(why)), "{why}: {found:?}");
    }
}
