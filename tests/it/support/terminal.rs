//! What a person sees of a command, kept in `tests/golden/outputs`.
//!
//! Must not check what a command does: other tests do. What differs from run to run (times, ids, addresses) is kept as `0`s of the
//! same width, so that columns stay where they are.

use super::app::App;
use super::command::run;
use crate::golden;
use serde_json::Value;

/// Commands against one app, and the files that they read.
pub struct Terminal<'a> {
    app: &'a App,
    folder: tempfile::TempDir,
    wrong: Vec<String>,
}

impl<'a> Terminal<'a> {
    pub fn new(app: &'a App) -> Self {
        Self {
            app,
            folder: tempfile::tempdir().expect("a folder"),
            wrong: Vec::new(),
        }
    }

    /// A file that commands can be given.
    pub fn file(&self, name: &str, value: &Value) {
        let text = serde_json::to_string_pretty(value).expect("JSON");
        std::fs::write(self.folder.path().join(name), text).expect("a file");
    }

    /// Runs it and keeps what is seen; words that end in `.json` are files of ours.
    pub fn shows(&mut self, name: &str, line: &str) {
        let words = shell(line);
        let paths: Vec<String> = words
            .iter()
            .map(|w| match w.strip_suffix(".json") {
                Some(_) => self.folder.path().join(w).to_str().expect("a path").to_owned(),
                None => w.clone(),
            })
            .collect();
        let args: Vec<&str> = paths.iter().map(String::as_str).collect();
        let ran = run(self.app, &args);
        let code = ran.code.expect("it ends by itself");
        let folder = format!("{}/", self.folder.path().display());
        let seen = format!("{}{}", ran.out, ran.err).replace(&folder, "");
        let seen = plain(&seen.replace(self.app.wiring.bus.topic_prefix.as_str(), ""))
            .replace("(in 4 h,", "(in 3 h 0 min,");
        let text = format!("$ campaign-execution {line}\n{seen}exit code {code}\n");
        golden::same(&format!("outputs/{name}.txt"), &text, &mut self.wrong);
    }

    /// Everything looked as it was looked at.
    #[track_caller]
    pub fn done(self) {
        let wrong = self.wrong.join("\n");
        assert!(wrong.is_empty(), "{wrong}\nUPDATE_GOLDEN=1 writes it anew");
    }
}

/// Words, of which one in double quotes is one.
fn shell(line: &str) -> Vec<String> {
    let parts = line.split('"').enumerate();
    parts
        .flat_map(|(n, part)| match n % 2 {
            1 => vec![part.to_owned()],
            _ => part.split_whitespace().map(str::to_owned).collect(),
        })
        .collect()
}

/// With `0` for every digit of what differs from run to run.
fn plain(text: &str) -> String {
    let words: Vec<&str> = text.split_inclusive([' ', '\n']).collect();
    let mut plain = String::with_capacity(text.len());
    for (n, word) in words.iter().enumerate() {
        let next = words.get(n + 1).map_or("", |w| bare(w));
        if differs(word) || words.get(n.wrapping_sub(1)).is_some_and(|w| bare(w) == "payload") {
            let hash = bare(word).chars().all(|c| c.is_ascii_hexdigit());
            let digit = |c: char| c.is_ascii_digit() || hash && c.is_ascii_hexdigit();
            plain.extend(word.chars().map(|c| if digit(c) { '0' } else { c }));
        } else if bare(word).bytes().all(|b| b.is_ascii_digit()) && matches!(next, "s" | "ms" | "min") {
            plain.push_str("0 ");
        } else {
            plain.push_str(word);
        }
    }
    plain
}

fn bare(word: &str) -> &str {
    word.trim_matches(|c: char| !c.is_ascii_alphanumeric())
}

/// Times, ids and hashes.
fn differs(word: &str) -> bool {
    let bare = bare(word);
    let digits = bare.bytes().filter(u8::is_ascii_digit).count();
    let time = bare.matches(['-', ':']).count() >= 2 && digits >= 6;
    time || digits >= 6 && bare.len() >= 8
}
