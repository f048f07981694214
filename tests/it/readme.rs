//! Checks what the documents say against what is there: commands, make targets, paths, configuration keys.
//!
//! Must not judge the prose.

use crate::deploy::{assert_command, read, root};

const DOCUMENTS: &[&str] = &["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "deploy/README.md"];

/// What stands between back-ticks, and each line of the fenced blocks.
fn code(document: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut prose = String::new();
    let mut fenced = false;
    for line in document.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if fenced {
            found.push(line.split(" #").next().unwrap_or_default().trim().to_owned());
        } else {
            prose.push_str(line);
            prose.push(' ');
        }
    }
    assert!(!fenced, "a code block is not closed");
    found.extend(prose.split('`').skip(1).step_by(2).map(str::to_owned));
    found
}

#[test]
fn commands_in_the_documents_exist() {
    let mut seen = 0;
    for document in DOCUMENTS {
        for line in code(&read(document)) {
            let Some(at) = line
                .find("campaign-execution ")
                .filter(|at| *at == 0 || line[..*at].ends_with(' '))
            else {
                continue;
            };
            let words: Vec<&str> = line[at..].split_whitespace().skip(1).collect();
            let is_command = words
                .first()
                .is_some_and(|word| word.chars().all(|c| c.is_ascii_lowercase()));
            if is_command
                && !line.contains("useradd")
                && !line.contains("install ")
                && !line.contains("systemctl")
            {
                assert_command(&words);
                seen += 1;
            }
        }
    }
    assert!(seen >= 8, "only {seen} commands were found in the documents");
}

#[test]
fn make_targets_in_the_documents_exist() {
    let makefile = read("Makefile");
    let mut seen = 0;
    for document in DOCUMENTS {
        for line in code(&read(document)) {
            if let Some(target) = line
                .strip_prefix("make ")
                .and_then(|rest| rest.split_whitespace().next())
            {
                assert!(
                    makefile.contains(&format!("\n{target}:")),
                    "{document}: make has no target {target}"
                );
                seen += 1;
            }
        }
    }
    assert!(seen >= 4, "only {seen} make targets were found in the documents");
}

#[test]
fn every_make_target_says_what_it_does() {
    let makefile = read("Makefile");
    let phony = makefile
        .lines()
        .find_map(|line| line.strip_prefix(".PHONY:"))
        .expect(".PHONY");
    for target in phony.split_whitespace() {
        let documented = makefile
            .lines()
            .any(|line| line.starts_with(&format!("{target}:")) && line.contains(" ## "));
        assert!(
            documented,
            "`{target}` has no `## ` comment, so `make help` does not show it"
        );
    }
}

#[test]
fn paths_in_the_documents_exist() {
    let tops = ["src/", "schemas/", "migrations/", "tests/", "deploy/"];
    let mut seen = 0;
    for document in DOCUMENTS {
        let text = read(document);
        let folder = root().join(document).parent().expect("a folder").to_path_buf();
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.contains("://") && !link.starts_with('#')) {
            assert!(
                folder.join(link).exists(),
                "{document} links to {link}, which is not there"
            );
            seen += 1;
        }
        for word in code(&text).iter().flat_map(|line| line.split_whitespace()) {
            if tops.iter().any(|top| word.starts_with(top)) {
                assert!(
                    root().join(word).exists(),
                    "{document} names {word}, which is not there"
                );
                seen += 1;
            }
        }
    }
    assert!(seen >= 10, "only {seen} paths were found in the documents");
}
