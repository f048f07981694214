//! Checks what is in `deploy/` as far as that goes without an engine: it parses, it names only what exists.
//!
//! Must not start anything but our own `--help`, `systemd-analyze` and a YAML reader.

use campaign_execution::config::{BadConfig, Config};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What `campaign-execution ARGS --help` prints; nothing while the binary has no command line.
pub fn help(args: &[&str]) -> Option<String> {
    let output = Command::new(env!("CARGO_BIN_EXE_campaign-execution"))
        .args(args)
        .arg("--help")
        .output()
        .expect("our own binary starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let silent = output.status.success() && text.trim().is_empty();
    assert!(
        output.status.success(),
        "`campaign-execution {} --help` failed",
        args.join(" ")
    );
    (!silent).then_some(text)
}

/// Does our command line know this command and its flags?
#[track_caller]
pub fn assert_command(args: &[&str]) {
    let words: Vec<&str> = args
        .iter()
        .take_while(|arg| !arg.starts_with('-'))
        .copied()
        .collect();
    // A second word is a command of its own (`audit verify`) or an argument, beside which `--help` helps all the same.
    let command = &words[..words.len().min(2)];
    let Some(help) = help(command) else { return };
    for flag in args.iter().filter(|arg| arg.starts_with("--")) {
        let flag = flag.split('=').next().unwrap_or(flag);
        let known = help
            .split(|c: char| c.is_whitespace() || "=,[]<>".contains(c))
            .any(|word| word == flag);
        assert!(
            known,
            "`campaign-execution {}` has no {flag}:\n{help}",
            command.join(" ")
        );
    }
}

fn compose() -> Value {
    let path = root().join("deploy/compose.yaml");
    let program = "import json, sys, yaml; json.dump(yaml.safe_load(open(sys.argv[1])), sys.stdout)";
    let output = Command::new("python3")
        .args(["-c", program])
        .arg(path)
        .output()
        .expect("python3: run tests/install.sh");
    assert!(
        output.status.success(),
        "{} (a YAML reader missing? run tests/install.sh)",
        errors(&output)
    );
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn strings(value: &Value) -> Vec<&str> {
    value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

/// `Key=value` lines of the unit, in order.
fn unit() -> Vec<(String, String)> {
    read("deploy/campaign-execution.service")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

#[test]
fn compose_names_only_what_exists() {
    let compose = compose();
    let services = compose["services"].as_object().expect("services");
    assert_eq!(
        services.keys().map(String::as_str).collect::<Vec<_>>(),
        ["kafka", "migrate", "postgres", "sandbox", "serve", "topics"]
    );
    for (name, service) in services {
        let image = service["image"]
            .as_str()
            .unwrap_or_else(|| panic!("{name} has no image"));
        assert!(
            image == "campaign-execution" || image.contains(':'),
            "{name}: {image} is not pinned"
        );
        assert!(!image.ends_with(":latest"), "{name}: {image} is not pinned");
        for (needed, how) in service["depends_on"].as_object().into_iter().flatten() {
            let needed_service = services
                .get(needed)
                .unwrap_or_else(|| panic!("{name} needs {needed}: no such service"));
            if how["condition"] == "service_healthy" {
                assert!(
                    needed_service["healthcheck"].is_object(),
                    "{name} waits for the health of {needed}, which has no check"
                );
            }
        }
        if image == "campaign-execution" {
            assert_command(&strings(&service["command"]));
            let environment = service["environment"].as_object().into_iter().flatten();
            let variables = environment.map(|(variable, value)| {
                (
                    variable.clone(),
                    value
                        .as_str()
                        .unwrap_or_else(|| panic!("{name}: {variable} is no text"))
                        .to_owned(),
                )
            });
            load(variables).unwrap_or_else(|errors| panic!("{name}: {}", lines(&errors)));
        }
    }
    for volume in services.values().flat_map(|service| strings(&service["volumes"])) {
        let source = volume.split(':').next().unwrap_or_default();
        let named = compose["volumes"].get(source).is_some();
        assert!(
            named || source.starts_with(['.', '$', '/']),
            "volume {source} is not declared"
        );
    }
    let kafka = read("tests/stack/pom.xml");
    let version = kafka
        .split("<kafka.version>")
        .nth(1)
        .and_then(|rest| rest.split('<').next())
        .expect("a version");
    assert_eq!(
        compose["services"]["kafka"]["image"],
        format!("docker.io/apache/kafka:{version}")
    );
}

#[test]
fn the_sample_configuration_is_accepted() {
    let sample = root().join("deploy/campaign-execution.toml");
    let config = Config::load(Some(&sample), []).unwrap_or_else(|errors| panic!("{}", lines(&errors)));
    assert!(
        config.http.listen.ip().is_loopback(),
        "elsewhere it needs tokens, which the sample has not"
    );
    assert!(
        config.alerts.contains_key("agency_master"),
        "a payer's problem needs its route"
    );
    for (platform, endpoint) in &config.platforms {
        let url = &endpoint.base_url;
        assert!(url.is_empty() || url.starts_with("https://"), "{platform}: {url}");
    }
}

#[test]
fn a_wrong_key_in_a_deployment_would_show() {
    let wrong = (
        "CAMPAIGN_EXECUTION__DATABASE_URL".to_owned(),
        "postgres:///x".to_owned(),
    );
    assert!(load([wrong]).is_err());
}

/// The defaults and these variables; never a configuration that lies about in the working copy.
fn load(variables: impl IntoIterator<Item = (String, String)>) -> Result<Config, Vec<BadConfig>> {
    Config::load(Some(&root().join("src/config.default.toml")), variables)
}

fn lines(errors: &[BadConfig]) -> String {
    errors
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn the_unit_starts_what_exists_and_stops_cleanly() {
    let unit = unit();
    let value = |key: &str| {
        unit.iter()
            .find(|(k, _)| k == key)
            .map(|(_, v)| v.as_str())
            .unwrap_or_default()
    };
    let words: Vec<&str> = value("ExecStart").split_whitespace().collect();
    assert_eq!(words.first(), Some(&"/usr/local/bin/campaign-execution"));
    assert_command(&words[1..]);
    assert_eq!(value("KillSignal"), "SIGTERM");
    let patience: u32 = value("TimeoutStopSec").parse().expect("seconds");
    let config = load([]).unwrap_or_else(|errors| panic!("{}", lines(&errors)));
    assert!(
        u64::from(patience) > config.shutdown.deadline_s,
        "it would be killed before its own deadline"
    );
    let grace = compose()["services"]["serve"]["stop_grace_period"]
        .as_str()
        .map(str::to_owned);
    assert_eq!(
        grace,
        Some(format!("{patience}s")),
        "the compose file waits as long as the unit"
    );
}

#[test]
fn systemd_accepts_the_unit_and_calls_it_safe() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        eprintln!("no systemd-analyze here: the unit is not verified");
        return;
    }
    // It insists that the program is there, so the copy names the one that was built.
    let dir = tempfile::tempdir().expect("a directory");
    let copy = dir.path().join("campaign-execution.service");
    let text = read("deploy/campaign-execution.service").replace(
        "/usr/local/bin/campaign-execution",
        env!("CARGO_BIN_EXE_campaign-execution"),
    );
    std::fs::write(&copy, text).expect("written");
    let verified = systemd_analyze(&["verify", "--man=no"], &copy);
    let complaints: Vec<String> = errors(&verified)
        .lines()
        .filter(|line| line.contains("campaign-execution"))
        .map(str::to_owned)
        .collect();
    assert!(
        verified.status.success() && complaints.is_empty(),
        "{}",
        errors(&verified)
    );
    // Exposure from 0 (none) to 100; a unit without any of it has 96.
    let exposed = systemd_analyze(
        &["security", "--offline=yes", "--no-pager", "--threshold=20"],
        &copy,
    );
    assert!(
        exposed.status.success(),
        "{}",
        String::from_utf8_lossy(&exposed.stdout)
    );
}

fn systemd_analyze(args: &[&str], file: &Path) -> Output {
    Command::new("systemd-analyze")
        .args(args)
        .arg(file)
        .output()
        .expect("systemd-analyze runs")
}

#[test]
fn the_image_runs_as_nobody_special_and_is_watched() {
    let text = read("deploy/Containerfile");
    let last = text.rfind("\nFROM ").expect("two stages");
    let (build, run) = text.split_at(last);
    assert!(
        build.contains("--locked"),
        "the image must be built from Cargo.lock"
    );
    for wanted in [
        "\nUSER 10001",
        "\nHEALTHCHECK ",
        "/healthz",
        "ca-certificates",
        "\nENTRYPOINT [\"campaign-execution\"]",
    ] {
        assert!(run.contains(wanted), "the runtime stage lacks {}", wanted.trim());
    }
    let minimum = text
        .lines()
        .find(|line| line.contains("rust:"))
        .expect("a Rust image");
    let manifest: toml::Value = toml::from_str(&read("Cargo.toml")).expect("TOML");
    let wanted = manifest["package"]["rust-version"]
        .as_str()
        .expect("rust-version")
        .to_owned();
    let minor = |version: &str| {
        version
            .split('.')
            .nth(1)
            .and_then(|minor| minor.parse::<u32>().ok())
    };
    let image = minimum
        .split("rust:")
        .nth(1)
        .and_then(|tag| tag.split('-').next())
        .expect("a tag");
    assert!(
        minor(image) >= minor(&wanted),
        "{image} is older than rust-version {wanted}"
    );
    for wanted in [
        "Cargo.toml",
        "Cargo.lock",
        "src",
        "schemas",
        "migrations",
        "tests",
    ] {
        assert!(
            read(".dockerignore")
                .lines()
                .any(|line| line == format!("!{wanted}")),
            ".dockerignore hides {wanted}"
        );
    }
}
