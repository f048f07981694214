//! What people see: text in columns, colours only on a terminal, or JSON.
//!
//! Must not print what a terminal would obey: control characters in texts from outside are shown, not sent.

use super::Failure;
use serde::Serialize;
use std::io::{IsTerminal, Write};

/// Where and how a command prints.
pub struct Output {
    json: bool,
    colour: bool,
}

impl Output {
    /// Colours only on a terminal, and not where NO_COLOR asks for none.
    #[must_use]
    pub fn new(json: bool) -> Self {
        let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Self {
            json,
            colour: colour && !json,
        }
    }

    /// Whether JSON was asked for.
    #[must_use]
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// A line, unless JSON was asked for.
    pub fn line(&self, text: impl AsRef<str>) {
        if !self.json {
            print(&visible(text.as_ref()));
        }
    }

    /// A value as JSON, if that was asked for.
    pub fn json<T: Serialize>(&self, value: &T) {
        if self.json {
            print(&serde_json::to_string_pretty(value).unwrap_or_default());
        }
    }

    /// Rows under headings, in columns as wide as they need to be.
    pub fn table(&self, headings: &[&str], rows: &[Vec<String>]) {
        if self.json {
            return;
        }
        let mut widths: Vec<usize> = headings.iter().map(|h| h.chars().count()).collect();
        for row in rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        let line = |cells: Vec<String>| {
            let padded: Vec<String> = cells
                .iter()
                .zip(&widths)
                .map(|(c, w)| format!("{c}{}", " ".repeat(w.saturating_sub(c.chars().count()))))
                .collect();
            padded.join("  ").trim_end().to_owned()
        };
        print(&self.dim(&line(headings.iter().map(|h| (*h).to_owned()).collect())));
        for row in rows {
            print(&self.tint(&visible(&line(row.clone()))));
        }
    }

    /// Quiet text.
    #[must_use]
    pub fn dim(&self, text: &str) -> String {
        self.paint("2", text)
    }

    /// Text that stands out.
    #[must_use]
    pub fn bold(&self, text: &str) -> String {
        self.paint("1", text)
    }

    /// States in their colours, wherever they stand as a word.
    #[must_use]
    pub fn tint(&self, text: &str) -> String {
        if !self.colour {
            return text.to_owned();
        }
        let mut out = String::with_capacity(text.len());
        for word in text.split_inclusive(' ') {
            let colour = match word.trim() {
                "live" | "scheduled" | "completed" | "pass" | "ok" | "open" | "whole" => Some("32"),
                "failed" | "stuck" | "fail" | "blocked" | "broken" | "bad" => Some("31"),
                "building" | "activating" | "undoing" | "waiting" | "unknown" | "pending"
                | "marked_partial" => Some("33"),
                _ => None,
            };
            match colour {
                Some(code) => out.push_str(&self.paint(code, word)),
                None => out.push_str(word),
            }
        }
        out
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }

    /// Why it did not work, on standard error; as JSON too, if that was asked for.
    pub fn failure(&self, failure: &Failure) {
        let mut err = std::io::stderr().lock();
        if self.json {
            let value = serde_json::json!({ "error": failure.message, "hint": failure.hint, "exit_code": failure.code });
            let _ = writeln!(err, "{value}");
            return;
        }
        let _ = writeln!(err, "error: {}", visible(&failure.message));
        if let Some(hint) = &failure.hint {
            let _ = writeln!(err, "  {hint}");
        }
    }
}

/// `1 leg`, `3 legs`.
#[must_use]
pub fn count(number: impl std::fmt::Display, one: &str) -> String {
    let number = number.to_string();
    let plural = if number == "1" { "" } else { "s" };
    format!("{number} {one}{plural}")
}

/// Control characters and those that turn the direction of text made visible. Line ends are kept, and colours: of all that
/// follows an escape, a terminal is sent nothing else.
fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        let turns = matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        let colour = c == '\u{1b}' && text.get(at..).is_some_and(is_colour);
        let hidden = turns || c.is_control() && c != '\n' && !colour;
        out.push(if hidden { '\u{fffd}' } else { c });
    }
    out
}

/// `ESC [ 31 m`, the only thing that we paint with.
fn is_colour(text: &str) -> bool {
    text.strip_prefix("\u{1b}[").is_some_and(|rest| {
        let digits = rest.chars().take_while(char::is_ascii_digit).count();
        (1..=2).contains(&digits) && rest.get(digits..).is_some_and(|end| end.starts_with('m'))
    })
}

/// A closed pipe (`| head`) ends the output, not the program with a panic.
fn print(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_one_and_the_rest_are_many() {
        assert_eq!(
            [0, 1, 2, 11].map(|n| count(n, "leg")),
            ["0 legs", "1 leg", "2 legs", "11 legs"]
        );
    }

    #[test]
    fn a_text_from_outside_cannot_command_the_terminal() {
        assert_eq!(visible("a\u{1b}]0;title\u{7}b"), "a\u{fffd}]0;title\u{fffd}b");
        assert_eq!(visible("\u{1b}[2J\u{1b}[1;1H"), "\u{fffd}[2J\u{fffd}[1;1H");
        assert_eq!(visible("\u{202e}evil"), "\u{fffd}evil");
        assert_eq!(
            visible("\u{1b}[31mred\u{1b}[0m\nnext"),
            "\u{1b}[31mred\u{1b}[0m\nnext"
        );
    }
}
