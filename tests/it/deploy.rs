//! Checks what is in `deploy/` as far as that goes without an engine: it parses, it names only what exists.
//!
//! Must not start anything but our own `--help`, `systemd-analyze` and a YAML reader.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The configuration keys that are promised to stay; `*` stands for a name that the installation chooses.
const KEYS: &[&str] = &[
    "database.url",
    "kafka.bootstrap_servers",
    "kafka.topic_prefix",
    "kafka.properties.*",
    "http.listen",
    "credentials.dir",
    "platforms.google-ads.base_url",
    "platforms.meta.base_url",
    "platforms.tiktok.base_url",
    "platforms.dv360.base_url",
    "google.oauth_token_url",
    "ga4.admin_base_url",
    "ga4.data_base_url",
    "merchant.base_url",
    "asset_library.base_url",
    "alerts.*.webhook_url",
    "otel.endpoint",
];

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
    let command = &words[..words.len().min(1)];
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

fn is_known_key(key: &str) -> bool {
    let parts: Vec<&str> = key.split('.').collect();
    KEYS.iter().any(|known| {
        let pattern: Vec<&str> = known.split('.').collect();
        let open = pattern.last() == Some(&"*") && parts.len() >= pattern.len();
        (open || parts.len() == pattern.len()) && pattern.iter().zip(&parts).all(|(p, k)| *p == "*" || p == k)
    })
}

/// Is this variable one of the fixed keys, spelled for the environment?
fn is_known_variable(name: &str) -> bool {
    let Some(path) = name.strip_prefix("CAMPAIGN_EXECUTION__") else {
        return false;
    };
    KEYS.iter()
        .any(|key| key.to_uppercase().replace('.', "__").replace('-', "_") == path)
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
            for variable in service["environment"]
                .as_object()
                .into_iter()
                .flatten()
                .map(|(variable, _)| variable)
            {
                assert!(
                    is_known_variable(variable),
                    "{name}: {variable} is no configuration key"
                );
            }
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
fn the_sample_configuration_has_only_promised_keys() {
    fn walk(prefix: &str, value: &toml::Value, found: &mut Vec<String>) {
        match value.as_table() {
            Some(table) => {
                for (key, below) in table {
                    let path = if prefix.is_empty() {
                        key.clone()
                    } else {
                        format!("{prefix}.{key}")
                    };
                    walk(&path, below, found);
                }
            }
            None => found.push(prefix.to_owned()),
        }
    }
    let sample: toml::Value = toml::from_str(&read("deploy/campaign-execution.toml")).expect("TOML");
    let mut keys = Vec::new();
    walk("", &sample, &mut keys);
    assert!(keys.len() > 10, "{keys:?}");
    for key in keys {
        assert!(is_known_key(&key), "{key} is no configuration key");
    }
}

#[test]
fn key_patterns_bite() {
    assert!(is_known_key("kafka.properties.ssl.ca.location"));
    assert!(is_known_key("alerts.agency_master.webhook_url"));
    assert!(!is_known_key("alerts.agency_master.url"));
    assert!(!is_known_key("database"));
    assert!(is_known_variable(
        "CAMPAIGN_EXECUTION__PLATFORMS__GOOGLE_ADS__BASE_URL"
    ));
    assert!(!is_known_variable("CAMPAIGN_EXECUTION__DATABASE_URL"));
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
    assert!(patience > 30, "a clean stop takes up to 30 s");
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
