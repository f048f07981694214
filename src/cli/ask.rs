//! Asking before something is changed, the same way everywhere.

use super::Failure;
use std::io::{BufRead, IsTerminal, Write};

/// Goes on if `--yes` was said or the person at the keyboard says so.
///
/// # Errors
/// [`Failure`]: nobody is there, or the answer is no.
pub fn confirm(yes: bool, question: &str) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        return Err(Failure::invalid("nobody is there to ask").hint("say --yes to do it without asking"));
    }
    // On standard error, so that what is printed can be piped on.
    let _ = write!(std::io::stderr(), "{question} [y/N] ");
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    let _ = std::io::stdin().lock().read_line(&mut answer);
    if matches!(answer.trim(), "y" | "Y" | "yes" | "Yes") {
        Ok(())
    } else {
        Err(Failure::refused("nothing was done"))
    }
}
