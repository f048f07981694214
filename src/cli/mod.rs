//! The command line: one file per group of commands. It formats and asks; it decides nothing.
//!
//! Exit codes (contract §2): 0 done · 1 failed · 2 wrong usage or invalid input · 3 not found · 4 refused by a rule ·
//! 5 differences found · 6 a dependency cannot be reached.

mod admin;
mod alerts;
mod ask;
mod audit;
mod bench;
mod decide;
mod demo;
mod dlq;
mod drift;
mod explain;
mod help;
mod mend;
mod offers;
mod output;
mod pause;
mod plan;
mod preview;
mod proposal;
mod replay;
mod resend;
mod rollback;
mod sandbox;
mod serve;
mod status;
mod tenant;

use crate::config::{BadConfig, Config};
use crate::store::StoreError;
use crate::wiring::Wiring;
use clap::{Parser, Subcommand};
use output::Output;
use secrecy::ExposeSecret;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Turns approved media plans into live campaigns: exactly once, tracked, audited, reversible.
#[derive(Parser)]
#[command(name = "campaign-execution", version, max_term_width = 110, after_help = help::EXIT_CODES)]
struct Arguments {
    /// The configuration file [default: campaign-execution.toml, if it is there]
    #[arg(
        long,
        global = true,
        env = "CAMPAIGN_EXECUTION_CONFIG",
        value_name = "FILE",
        help_heading = "Everywhere"
    )]
    config: Option<PathBuf>,
    /// Print JSON instead of text
    #[arg(long, global = true, help_heading = "Everywhere")]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the service: all roles, or some
    #[command(after_help = help::SERVE)]
    Serve(serve::Serve),
    /// Answer as the platforms do, on one address, for demos, staging and tests
    #[command(after_help = help::SANDBOX)]
    Sandbox(sandbox::Sandbox),
    /// See a plan become campaigns, on private servers that are gone afterwards
    #[command(after_help = help::DEMO)]
    Demo(demo::Demo),
    /// Measure launches on the servers that `make bench` starts
    #[command(after_help = help::BENCH)]
    Bench(bench::Bench),
    /// Bring the database's schema up to date
    #[command(after_help = help::MIGRATE)]
    Migrate,
    /// Check everything the service depends on, and say what to do
    #[command(after_help = help::DOCTOR)]
    Doctor,
    /// List the topics the service needs, and create those that are missing
    #[command(after_help = help::TOPICS)]
    Topics(admin::Topics),
    /// Clients of the agency: their account map and policies
    Tenant {
        #[command(subcommand)]
        command: tenant::Command,
    },
    /// Media plans: check and publish
    Plan {
        #[command(subcommand)]
        command: plan::Command,
    },
    /// What is going on: all executions, or one plan version with its legs
    #[command(after_help = help::STATUS)]
    Status(status::Status),
    /// What the platforms hold beside what the manifest says; exit code 5: they differ
    #[command(after_help = help::DRIFT)]
    Drift(drift::Drift),
    /// The whole story of a plan version, oldest first
    #[command(after_help = help::EXPLAIN)]
    Explain(explain::Explain),
    /// Places where a person must act
    #[command(after_help = help::TOUCHPOINTS)]
    Touchpoints(status::Touchpoints),
    /// Who was told of broken deadlines and failures, and who could not be
    #[command(after_help = help::ALERTS)]
    Alerts(alerts::Alerts),
    /// Approve the launch of a plan version
    #[command(after_help = help::APPROVE)]
    Approve(decide::Decide),
    /// Refuse the launch of a plan version
    #[command(after_help = help::REJECT)]
    Reject(decide::Decide),
    /// Undo everything of a plan version: pause at once, then remove what never spent
    #[command(after_help = help::ROLLBACK)]
    Rollback(rollback::Rollback),
    /// Ask the gate of a blocked plan version again now
    #[command(after_help = help::RESUME)]
    Resume(decide::Decide),
    /// Try what failed again
    #[command(after_help = help::RETRY)]
    Retry(decide::Decide),
    /// Give a plan version up before it is launched
    #[command(after_help = help::CANCEL)]
    Cancel(decide::Decide),
    /// The kill switch: stop a tenant's launches and switch off everything of it
    #[command(after_help = help::PAUSE)]
    Pause(pause::Pause),
    /// Lift a pause: switch on again exactly what it switched off
    #[command(after_help = help::UNPAUSE)]
    Unpause(pause::Pause),
    /// Run the message at one place of a topic again
    #[command(after_help = help::REPLAY)]
    Replay(replay::Replay),
    /// Messages that could not be read
    Dlq {
        #[command(subcommand)]
        command: dlq::Command,
    },
    /// The audit log
    Audit {
        #[command(subcommand)]
        command: audit::Command,
    },
}

/// Why a command did not do what was asked.
#[derive(Debug)]
pub struct Failure {
    code: u8,
    message: String,
    hint: Option<String>,
}

impl Failure {
    fn new(code: u8, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            hint: None,
        }
    }

    fn failed(message: impl Into<String>) -> Self {
        Self::new(1, message)
    }

    fn invalid(message: impl Into<String>) -> Self {
        Self::new(2, message)
    }

    fn not_found(message: impl Into<String>) -> Self {
        Self::new(3, message)
    }

    fn refused(message: impl Into<String>) -> Self {
        Self::new(4, message)
    }

    fn unreachable(message: impl Into<String>) -> Self {
        Self::new(6, message)
    }

    /// What is wrong and what to do, on one line.
    fn both(self) -> String {
        match self.hint {
            Some(hint) => format!("{}; {hint}", self.message),
            None => self.message,
        }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// What to look at when the database does not answer.
const DATABASE_HINT: &str = "is PostgreSQL up, and is database.url right?";

/// An error and its sources on one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        // Some say what their source says.
        let words = inner.to_string();
        if !text.ends_with(&words) {
            text = format!("{text}: {words}");
        }
        source = inner.source();
    }
    text
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let text = chain(&error);
        match error {
            StoreError::Unavailable(_) => Self::unreachable(text).hint(DATABASE_HINT),
            StoreError::Schema { .. } | StoreError::Outdated { .. } => {
                Self::refused(text).hint("bring it up to date with `campaign-execution migrate`")
            }
            StoreError::Url(_) => Self::invalid(text),
            StoreError::Refused { .. } | StoreError::BadRow { .. } | StoreError::Migrate(_) => {
                Self::failed(text)
            }
        }
    }
}

impl From<crate::bus::BusError> for Failure {
    fn from(error: crate::bus::BusError) -> Self {
        use crate::bus::BusError;
        let text = chain(&error);
        match error {
            BusError::Unreachable { .. } => {
                Self::unreachable(text).hint("is Kafka up, and is kafka.bootstrap_servers right?")
            }
            BusError::MissingTopics(_) => {
                Self::refused(text).hint("create them with `campaign-execution topics --create`")
            }
            BusError::Config(_) => Self::invalid(text),
            BusError::Refused(_) => Self::failed(text),
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        match error.downcast::<StoreError>() {
            Ok(error) => error.into(),
            Err(error) => Self::failed(format!("{error:#}")),
        }
    }
}

impl From<Vec<BadConfig>> for Failure {
    fn from(problems: Vec<BadConfig>) -> Self {
        let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Self::invalid(format!(
            "the configuration is not valid:\n  {}",
            lines.join("\n  ")
        ))
    }
}

/// Reads the arguments, runs the command, says how it went.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let output = Output::new(arguments.json);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output.failure(&Failure::failed(format!("couldn't start: {error}")));
            return ExitCode::from(1);
        }
    };
    let file = arguments.config.clone();
    let result = runtime.block_on(run(arguments, &output));
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    match result {
        Ok(code) => ExitCode::from(code),
        Err(mut failure) => {
            if failure.hint.as_deref() == Some(DATABASE_HINT) {
                failure.hint = where_the_database_is(file.as_deref()).or(failure.hint);
            }
            output.failure(&failure);
            ExitCode::from(failure.code)
        }
    }
}

/// The hint with the place where the database was looked for, without the password that the URL may hold.
fn where_the_database_is(file: Option<&Path>) -> Option<String> {
    let config = Config::load(file, std::env::vars()).ok()?;
    let url = url::Url::parse(config.database.url.expose_secret()).ok()?;
    let (host, port) = (url.host_str()?, url.port().unwrap_or(5432));
    Some(format!(
        "is PostgreSQL up at {host}:{port}, and is database.url right?"
    ))
}

/// What is wrong with a file that the user named, each with its place in it.
fn faults(file: &Path, problems: &[crate::wire::Invalid]) -> Failure {
    let line = |p: &crate::wire::Invalid| match p.pointer.as_str() {
        "" => format!("{}: {}", file.display(), p.message),
        _ => format!("{}: {p}", file.display()),
    };
    let lines: Vec<String> = problems.iter().map(line).collect();
    Failure::invalid(lines.join("\n       "))
}

async fn run(arguments: Arguments, output: &Output) -> Result<u8, Failure> {
    let file = arguments.config.as_deref();
    match arguments.command {
        Command::Serve(command) => command.run(wiring(file)?).await,
        Command::Sandbox(command) => command.run(output).await,
        Command::Demo(command) => command.run(output).await,
        Command::Bench(command) => command.run(output).await,
        Command::Migrate => admin::migrate(&wiring(file)?, output).await,
        Command::Doctor => admin::doctor(&wiring(file)?, output).await,
        Command::Topics(command) => command.run(&wiring(file)?, output).await,
        Command::Tenant { command } => command.run(&wiring(file)?, output).await,
        Command::Plan { command } => command.run(|| wiring(file), output).await,
        Command::Status(command) => command.run(&wiring(file)?, output).await,
        Command::Drift(command) => command.run(&wiring(file)?, output).await,
        Command::Explain(command) => command.run(&wiring(file)?, output).await,
        Command::Touchpoints(command) => command.run(&wiring(file)?, output).await,
        Command::Alerts(command) => command.run(&wiring(file)?, output).await,
        Command::Approve(command) => command.approval(&wiring(file)?, output, true).await,
        Command::Reject(command) => command.approval(&wiring(file)?, output, false).await,
        Command::Rollback(command) => command.run(&wiring(file)?, output).await,
        Command::Resume(command) => {
            command
                .control(&wiring(file)?, output, decide::Verb::Resume)
                .await
        }
        Command::Retry(command) => command.control(&wiring(file)?, output, decide::Verb::Retry).await,
        Command::Cancel(command) => {
            command
                .control(&wiring(file)?, output, decide::Verb::Cancel)
                .await
        }
        Command::Pause(command) => command.pause(&wiring(file)?, output).await,
        Command::Unpause(command) => command.unpause(&wiring(file)?, output).await,
        Command::Replay(command) => command.run(&wiring(file)?, output).await,
        Command::Dlq { command } => command.run(&wiring(file)?, output).await,
        Command::Audit { command } => command.run(|| wiring(file), output).await,
    }
}

fn wiring(file: Option<&Path>) -> Result<Wiring, Failure> {
    Ok(Wiring::build(Config::load(file, std::env::vars())?)?)
}

/// The one execution that a plan version names.
async fn find(
    wiring: &Wiring,
    plan_version: &str,
    tenant: Option<&str>,
) -> Result<crate::store::views::ExecutionView, Failure> {
    let mut found = wiring.store.executions(tenant, Some(plan_version), 100).await?;
    match found.len() {
        0 => {
            let of = tenant.map(|t| format!(" of tenant {t}")).unwrap_or_default();
            Err(
                Failure::not_found(format!("there is no plan version {plan_version}{of}"))
                    .hint("`campaign-execution status` lists those there are"),
            )
        }
        1 => Ok(found.remove(0)),
        _ => {
            let tenants: Vec<&str> = found.iter().map(|e| e.tenant_id.as_str()).collect();
            Err(Failure::invalid(format!(
                "several tenants have a plan version {plan_version}: {}",
                tenants.join(", ")
            ))
            .hint("say which with --tenant"))
        }
    }
}

/// Reads a file that the user named.
fn read_file(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| Failure::invalid(format!("{}: {error}", path.display())))
}

/// Who is at the keyboard.
fn user() -> String {
    ["SUDO_USER", "USER", "LOGNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok())
        .unwrap_or_else(|| "unknown".to_owned())
}
