//! What is read, what wins, what is refused, and that nothing secret is printed.

use super::*;

fn env(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
        .collect()
}

fn file(text: &str) -> tempfile::NamedTempFile {
    use std::io::Write;
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

#[test]
fn the_defaults_are_a_configuration() {
    let config = Config::load(None, []).unwrap();
    assert_eq!(config.kafka.max_message_bytes, 32 << 20);
    assert_eq!(config.platforms.len(), 4);
}

#[test]
fn the_environment_overrides_the_file_which_overrides_the_defaults() {
    let f = file(
        "[kafka]\ntopic_prefix = \"a.\"\nbootstrap_servers = \"k:1\"\n[kafka.properties]\n\"x.y\" = \"z\"\n[alerts.agency_master]\nwebhook_url = \"https://x.example\"",
    );
    let vars = env(&[
        ("CAMPAIGN_EXECUTION__KAFKA__TOPIC_PREFIX", "b."),
        (
            "CAMPAIGN_EXECUTION__PLATFORMS__GOOGLE_ADS__BASE_URL",
            "http://127.0.0.1:1/google-ads",
        ),
        ("CAMPAIGN_EXECUTION__KAFKA__PROPERTIES__SASL_PASSWORD", "hush"),
        ("CAMPAIGN_EXECUTION__WORKER__CONCURRENCY", "3"),
        ("PATH", "/bin"),
    ]);
    let config = Config::load(Some(f.path()), vars).unwrap();
    assert_eq!(config.kafka.topic_prefix, "b.");
    assert_eq!(config.kafka.bootstrap_servers, "k:1");
    assert_eq!(
        config.platforms["google-ads"].base_url,
        "http://127.0.0.1:1/google-ads"
    );
    assert_eq!(config.worker.concurrency, 3);
    assert!(
        config.kafka.properties.contains_key("sasl.password") && config.kafka.properties.contains_key("x.y")
    );
    assert!(config.alerts.contains_key("agency_master"));
    assert!(!format!("{config:?}").contains("hush"), "a secret was printed");
}

#[test]
fn unknown_keys_are_refused_with_the_nearest_name() {
    let f = file("[kafka]\nbootstrap_server = \"k:1\"");
    let problems =
        Config::load(Some(f.path()), env(&[("CAMPAIGN_EXECUTION__DATABASE__URI", "x")])).unwrap_err();
    let text: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert!(
        text[0].ends_with("unknown key kafka.bootstrap_server; did you mean kafka.bootstrap_servers?"),
        "{text:?}"
    );
    assert!(
        text[1].contains("CAMPAIGN_EXECUTION__DATABASE__URI") && text[1].contains("database.url"),
        "{text:?}"
    );
}

#[test]
fn bad_values_say_which_key() {
    for (text, word) in [
        ("[http]\nlisten = \"0.0.0.0:80\"", "tokens_file"),
        ("[http]\nlisten = \"nowhere\"", "listen"),
        (
            "[platforms.meta]\nbase_url = \"ftp://x\"",
            "platforms.meta.base_url",
        ),
        ("[worker]\nconcurrency = 0", "worker.concurrency"),
        ("[platforms.meta]\nquota_percent = 0", "quota_percent"),
        ("[worker]\nconcurrency = \"many\"", "concurrency"),
        ("[worker", "expected"),
    ] {
        let f = file(text);
        let problems = Config::load(Some(f.path()), []).unwrap_err();
        assert!(
            problems.iter().any(|p| p.to_string().contains(word)),
            "{text}: {problems:?}"
        );
    }
    assert!(Config::load(Some(Path::new("/nonexistent/x.toml")), []).is_err());
}

#[test]
fn below_an_alert_route_only_its_address_and_credential_are_known() {
    let f = file("[alerts.client]\nwebhook_url = \"https://x.example\"\nwebhok_url = \"https://y.example\"");
    let variables = env(&[("CAMPAIGN_EXECUTION__ALERTS__CLIENT__URL", "https://z.example")]);
    let problems = Config::load(Some(f.path()), variables).unwrap_err();
    let text: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(text.len(), 2, "{text:?}");
    assert!(
        text[0].ends_with("unknown key alerts.client.webhok_url; did you mean alerts.client.webhook_url?"),
        "{text:?}"
    );
    assert!(
        text[1].contains("CAMPAIGN_EXECUTION__ALERTS__CLIENT__URL"),
        "{text:?}"
    );
}

#[test]
fn the_environment_overrides_a_route_with_a_dash_in_its_name() {
    let f = file("[alerts.agency-master]\nwebhook_url = \"https://file.example\"\ncredential = \"billing\"");
    let variables = env(&[
        (
            "CAMPAIGN_EXECUTION__ALERTS__AGENCY_MASTER__WEBHOOK_URL",
            "https://env.example",
        ),
        (
            "CAMPAIGN_EXECUTION__ALERTS__CLIENT__WEBHOOK_URL",
            "https://c.example",
        ),
    ]);
    let config = Config::load(Some(f.path()), variables).unwrap();
    let routes: Vec<&str> = config.alerts.keys().map(String::as_str).collect();
    assert_eq!(routes, ["agency-master", "client"]);
    assert_eq!(config.alerts["agency-master"].credential, "billing");
    assert_eq!(
        secrecy::ExposeSecret::expose_secret(&config.alerts["agency-master"].webhook_url),
        "https://env.example"
    );
}

#[test]
fn librdkafkas_keys_may_be_written_as_toml_writes_them() {
    let f = file(
        "[kafka.properties]\nsecurity.protocol = \"SASL_SSL\"\nsocket.keepalive.enable = true\n\"session.timeout.ms\" = 6000",
    );
    let variables = env(&[("CAMPAIGN_EXECUTION__KAFKA__PROPERTIES__SECURITY_PROTOCOL", "SSL")]);
    let config = Config::load(Some(f.path()), variables).unwrap();
    let shown: Vec<(&str, &str)> = config
        .kafka
        .properties
        .iter()
        .map(|(name, value)| (name.as_str(), secrecy::ExposeSecret::expose_secret(value)))
        .collect();
    assert_eq!(
        shown,
        [
            ("security.protocol", "SSL"),
            ("session.timeout.ms", "6000"),
            ("socket.keepalive.enable", "true")
        ]
    );
}

#[test]
fn no_message_holds_a_secret_and_a_broken_file_says_its_line() {
    for (text, word) in [
        (
            "[database]\nurl = \"postgres://u:hush@h/d\nmax_connections = 8",
            "line 2",
        ),
        (
            "[kafka.properties]\n\"sasl.password\" = [\"hush\"]",
            "kafka.properties.sasl.password",
        ),
        ("[database]\nurl = [\"hush\"]", "database.url"),
        ("[gate]\nverdict_ttl_s = -1", "gate.verdict_ttl_s"),
        ("[sla]\nexecution_s = 0", "sla.execution_s"),
        ("[sla]\nescalate_s = 0", "sla.escalate_s"),
        ("[sla]\nescalate_after_s = 3601", "sla.escalate_after_s"),
        ("[sla]\nwarn_percent = 101", "sla.warn_percent"),
        ("[sla]\nalert_give_up_s = 0", "sla.alert_give_up_s"),
        (
            "[alerts.client]\nwebhook_url = \"http://hush.example\"",
            "alerts.client.webhook_url: must be https",
        ),
        (
            "[alerts.client]\nwebhook_url = \"hush\"",
            "alerts.client.webhook_url",
        ),
        ("[kafka]\nmax_message_bytes = 0", "kafka.max_message_bytes"),
        ("[intake]\nmax_plan_bytes = 0", "intake.max_plan_bytes"),
        ("[kafka]\nproperties = 3", "kafka.properties"),
        ("[alerts]\nclient = \"https://hush.example\"", "alerts.client"),
        ("database = \"postgres://u:hush@h/d\"", "database: "),
    ] {
        let f = file(text);
        let problems = Config::load(Some(f.path()), []).unwrap_err();
        let shown = format!("{problems:?} {}", problems[0]);
        assert!(shown.contains(word), "{text}: {shown}");
        assert!(!shown.contains("hush"), "{shown}");
    }
    let f = file(
        "[database]\nurl = \"postgres://u:hush@h/d\"\n[alerts.client]\nwebhook_url = \"https://x.example/hush\"",
    );
    let config = Config::load(Some(f.path()), []).unwrap();
    assert!(!format!("{config:?} {config:#?}").contains("hush"));
}
