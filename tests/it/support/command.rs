//! The real binary as an operator uses it: one command, what it prints, and how it ends.

use super::app::App;
use serde_json::Value;
use std::process::{Command, Stdio};

/// What a command came to.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// What it printed, as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// It did what was asked.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        self
    }
}

/// Runs it with the app's configuration; nobody is at the keyboard.
pub fn run(app: &App, args: &[&str]) -> Ran {
    run_with(&app.variables, args)
}

/// The same with these variables and no others (but a name for whoever is at the keyboard).
pub fn run_with(variables: &[(String, String)], args: &[&str]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_campaign-execution"))
        .args(args)
        .env_clear()
        .envs(variables.iter().cloned())
        .env("USER", "tester")
        .stdin(Stdio::null())
        .output()
        .expect("the binary starts");
    Ran {
        code: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
