//! Arguments in, exit code out. Nothing else lives here.

use std::process::ExitCode;

fn main() -> ExitCode {
    campaign_execution::cli::main()
}
