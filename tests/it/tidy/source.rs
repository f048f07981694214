//! Reads Rust text just well enough for the tidy rules: which paths it names, on which lines.
//!
//! A lexer of identifiers, `::`, braces and whatever else; comments and literals are gone. Must not decide any rule.

use std::path::Path as File;

/// A path as it stands in the text, from its root on: `crate::store::outbox` is `["store", "outbox"]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    pub line: usize,
    pub segments: Vec<String>,
}

impl Path {
    pub fn first(&self) -> &str {
        self.segments.first().map_or("", String::as_str)
    }
}

/// One source file.
#[derive(Debug)]
pub struct Source {
    /// Below its tree, with `/`, for example `store/outbox.rs`.
    path: String,
    text: String,
    tokens: Vec<Token>,
    platform_folders: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Token {
    line: usize,
    text: String,
}

impl Source {
    pub fn new(path: &str, text: &str) -> Self {
        let tokens = tokens(text);
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
            tokens,
            platform_folders: Vec::new(),
        }
    }

    pub fn with_platforms(mut self, folders: &[String]) -> Self {
        self.platform_folders = folders.to_vec();
        self
    }

    pub fn path(&self) -> &str {
        &self.path
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// The top-level module that this file belongs to.
    pub fn module(&self) -> &str {
        let first = self.path.split('/').next().unwrap_or_default();
        first.strip_suffix(".rs").unwrap_or(first)
    }

    /// Is this `place.rs`, or below the folder `place`?
    pub fn is_in(&self, place: &str) -> bool {
        self.path
            .strip_prefix(place)
            .is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
    }

    /// The folder directly below `parent` that this file is in.
    pub fn folder_below(&self, parent: &str) -> Option<&str> {
        let rest = self.path.strip_prefix(parent)?.strip_prefix('/')?;
        rest.split_once('/').map(|(folder, _)| folder)
    }

    pub fn all_platform_folders(&self) -> &[String] {
        &self.platform_folders
    }

    /// Lines with an `allow` attribute.
    pub fn lines_with_allow(&self) -> Vec<usize> {
        let attribute = |window: &[Token]| {
            matches!(window[0].text.as_str(), "[" | ",") && window[1].text == "allow" && window[2].text == "("
        };
        self.tokens
            .windows(3)
            .filter(|window| attribute(window))
            .map(|window| window[1].line)
            .collect()
    }

    /// The module path of the file, for resolving `super`.
    fn home(&self) -> Vec<String> {
        let stem = self.path.strip_suffix(".rs").unwrap_or(&self.path);
        let mut segments: Vec<String> = stem.split('/').map(str::to_owned).collect();
        if segments
            .last()
            .is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str()))
        {
            segments.pop();
        }
        segments
    }

    /// Every path into this crate: `crate::…`, `campaign_execution::…`, and `super::…` resolved by the file's place.
    ///
    /// A `super` inside an inline module counts one too few levels, so a chain that leaves the tree says something
    /// only where it ends in a module that is `known` at the top.
    pub fn own_paths(&self, known: impl Fn(&str) -> bool) -> Vec<Path> {
        let mut found = Vec::new();
        for at in 0..self.tokens.len() {
            if at > 0 && self.tokens[at - 1].text == "::" {
                continue;
            }
            match self.tokens[at].text.as_str() {
                "crate" | "campaign_execution" => self.expand(at + 1, &[], &mut found),
                "super" => {
                    let mut next = at + 1;
                    let mut levels = 1;
                    while self.text_at(next) == "::" && self.text_at(next + 1) == "super" {
                        levels += 1;
                        next += 2;
                    }
                    let mut base = self.home();
                    if levels > base.len() {
                        continue;
                    }
                    base.truncate(base.len() - levels);
                    let mut paths = Vec::new();
                    self.expand(next, &base, &mut paths);
                    found.extend(paths.into_iter().filter(|path| known(path.first())));
                }
                _ => {}
            }
        }
        found
    }

    /// Every path that starts with a name which this file did not bring in or declare itself: crates, mostly.
    pub fn foreign_paths(&self) -> Vec<Path> {
        let mut found = Vec::new();
        for at in 0..self.tokens.len() {
            let name = self.text_at(at);
            let before = if at == 0 { "" } else { self.text_at(at - 1) };
            let leading = before == "::" && (at < 2 || !is_name(self.text_at(at - 2)));
            let first = before != "::" || leading;
            let path = self.text_at(at + 1) == "::";
            let whole_use = before == "use" && [";", "as"].contains(&self.text_at(at + 1));
            if is_name(name) && first && (path || whole_use) && (leading || !self.declares(name)) {
                found.push(Path {
                    line: self.tokens[at].line,
                    segments: vec![name.to_owned()],
                });
            }
        }
        found
    }

    /// Does this file have a module of that name in scope (`use …::name`, `mod name`)?
    fn declares(&self, name: &str) -> bool {
        let imported = self
            .own_paths(|_| true)
            .iter()
            .any(|path| path.segments.last().is_some_and(|last| last == name));
        imported
            || self
                .tokens
                .windows(2)
                .any(|pair| pair[0].text == "mod" && pair[1].text == name)
    }

    fn text_at(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| token.text.as_str())
    }

    /// Reads `::a::{b, c::d}` from `at` on, every leaf a path.
    fn expand(&self, mut at: usize, base: &[String], found: &mut Vec<Path>) {
        let mut segments = base.to_vec();
        let line = self.tokens.get(at).map_or(0, |token| token.line);
        while self.text_at(at) == "::" {
            let next = self.text_at(at + 1);
            if next == "{" {
                self.expand_group(at + 2, &segments, found);
                return;
            }
            segments.push(next.to_owned());
            at += 2;
        }
        if segments.len() > base.len() {
            found.push(Path { line, segments });
        }
    }

    fn expand_group(&self, mut at: usize, base: &[String], found: &mut Vec<Path>) {
        let mut depth = 1;
        let mut starts = true;
        while depth > 0 && at < self.tokens.len() {
            let text = self.text_at(at);
            if starts && depth == 1 && is_name(text) {
                let mut with_name = base.to_vec();
                with_name.push(text.to_owned());
                if self.text_at(at + 1) == "::" {
                    self.expand(at + 1, &with_name, found);
                } else {
                    found.push(Path {
                        line: self.tokens[at].line,
                        segments: with_name,
                    });
                }
            }
            match text {
                "{" => depth += 1,
                "}" => depth -= 1,
                _ => {}
            }
            starts = text == "," && depth == 1;
            at += 1;
        }
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Names, `::`, and single other characters; no comments, no literals.
fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let mut found = Vec::new();
    let mut at = 0;
    let mut line = 1;
    while at < chars.len() {
        let start = at;
        let here = chars[at];
        let next = chars.get(at + 1).copied().unwrap_or(' ');
        if here == '/' && next == '/' {
            at = end_of_line(&chars, at);
        } else if here == '/' && next == '*' {
            at = end_of_block(&chars, at);
        } else if here == '"' {
            at = end_of_string(&chars, at);
        } else if let Some(end) = end_of_raw_string(&chars, at) {
            at = end;
        } else if here == '\'' {
            at = end_of_char(&chars, at);
        } else if here.is_alphanumeric() || here == '_' {
            while at < chars.len() && (chars[at].is_alphanumeric() || chars[at] == '_') {
                at += 1;
            }
            found.push(Token {
                line,
                text: chars[start..at].iter().collect(),
            });
        } else if here == ':' && next == ':' {
            at += 2;
            found.push(Token {
                line,
                text: "::".to_owned(),
            });
        } else {
            at += 1;
            if !here.is_whitespace() {
                found.push(Token {
                    line,
                    text: here.to_string(),
                });
            }
        }
        line += chars[start..at.min(chars.len())]
            .iter()
            .filter(|c| **c == '\n')
            .count();
    }
    found
}

fn end_of_line(chars: &[char], mut at: usize) -> usize {
    while at < chars.len() && chars[at] != '\n' {
        at += 1;
    }
    at
}

fn end_of_block(chars: &[char], mut at: usize) -> usize {
    let mut depth = 0;
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => {
                depth += 1;
                at += 2;
            }
            ('*', Some('/')) => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    at
}

fn end_of_string(chars: &[char], mut at: usize) -> usize {
    at += 1;
    while at < chars.len() {
        match chars[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    at
}

/// `r"…"`, `r#"…"#`, `br"…"`: the end, if one starts here.
fn end_of_raw_string(chars: &[char], at: usize) -> Option<usize> {
    let mut here = at;
    if at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_') {
        return None;
    }
    if matches!(chars[here], 'b' | 'c') {
        here += 1;
    }
    if chars.get(here) != Some(&'r') {
        return None;
    }
    here += 1;
    let hashes = chars[here..].iter().take_while(|c| **c == '#').count();
    here += hashes;
    if chars.get(here) != Some(&'"') {
        return None;
    }
    here += 1;
    while here < chars.len() {
        if chars[here] == '"'
            && chars[here + 1..]
                .iter()
                .take(hashes)
                .filter(|c| **c == '#')
                .count()
                == hashes
        {
            return Some(here + 1 + hashes);
        }
        here += 1;
    }
    Some(here)
}

/// A character literal, or the tick of a lifetime.
fn end_of_char(chars: &[char], at: usize) -> usize {
    if chars.get(at + 1) == Some(&'\\') {
        let mut end = at + 3;
        while end < chars.len() && chars[end] != '\'' {
            end += 1;
        }
        return end + 1;
    }
    if chars.get(at + 2) == Some(&'\'') {
        at + 3
    } else {
        at + 1
    }
}

/// Every Rust file below `root`, in order.
pub fn read_tree(root: &File) -> Vec<Source> {
    let mut folders = vec![root.to_path_buf()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder of sources") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    let below = |path: &File| {
        path.strip_prefix(root)
            .expect("below")
            .to_string_lossy()
            .replace('\\', "/")
    };
    let platforms: Vec<String> = files
        .iter()
        .filter_map(|path| {
            Some(
                below(path)
                    .strip_prefix("platform/")?
                    .split_once('/')?
                    .0
                    .to_owned(),
            )
        })
        .collect();
    let read = |path: &std::path::PathBuf| {
        let text = std::fs::read_to_string(path).expect("UTF-8 text");
        Source::new(&below(path), &text).with_platforms(&platforms)
    };
    files.iter().map(read).collect()
}
