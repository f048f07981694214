//! `/metrics` as a Prometheus server reads it: the whole page, held against the text format's own rules
//! (https://prometheus.io/docs/instrumenting/exposition_formats/, https://prometheus.io/docs/practices/naming/) by a reader that
//! knows nothing of how it is written.

use crate::deploy::read;
use crate::golden;
use crate::support::plans;
use crate::support::receiver::Receiver;
use crate::support::time::{pass, refused, start, tick};
use campaign_execution::domain::touchpoint::Kind;
use campaign_execution::http;
use campaign_execution::wiring::Wiring;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

const PREFIX: &str = "campaign_execution_";

/// A family as it is on the page.
#[derive(Debug, Default)]
struct Family {
    help: String,
    kind: String,
    /// Labels as they are written → value.
    samples: BTreeMap<String, f64>,
}

/// Reads the page; every fault of it panics.
fn parse(page: &str) -> BTreeMap<String, Family> {
    assert!(page.ends_with('\n'), "the last line ends too");
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut now = String::new();
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').expect("a name and a help");
            assert!(!families.contains_key(name), "{name} comes twice");
            name.clone_into(&mut now);
            families.entry(now.clone()).or_default().help = help.to_owned();
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a name and a type");
            assert_eq!(name, now, "HELP and TYPE go together");
            kind.clone_into(&mut families.get_mut(name).expect("its HELP").kind);
        } else {
            let (series, value) = line.rsplit_once(' ').expect("a series and a value");
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            assert_eq!(
                name, now,
                "a family's lines are together, under its own HELP: {line}"
            );
            let family = families.get_mut(name).expect("its HELP");
            assert!(!family.kind.is_empty(), "TYPE comes before the first sample");
            let value: f64 = value.parse().expect("a number");
            assert!(value >= 0.0, "{line}");
            let twice = family.samples.insert(labels.to_owned(), value);
            assert_eq!(twice, None, "twice: {series}");
        }
    }
    families
}

/// `platform="meta"` of `{platform="meta"}`: one label at the most, and never an id.
fn label(labels: &str) -> Option<(&str, &str)> {
    let inner = labels.strip_suffix('}')?;
    let (name, value) = inner.split_once('=')?;
    let value = value.strip_prefix('"')?.strip_suffix('"')?;
    assert!(!value.contains(['"', '\\', '\n']), "one label: {labels}");
    Some((name, value))
}

async fn page(wiring: &Wiring) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let url = format!("http://{}/metrics", listener.local_addr().expect("an address"));
    let stop = CancellationToken::new();
    let serving = tokio::spawn(http::serve(listener, wiring.clone(), stop.clone()));
    let request = wiring.outbound.http.get(url);
    let answer = wiring.outbound.send(request, Duration::from_secs(5)).await;
    let answer = answer.expect("an answer");
    assert_eq!(answer.status, 200);
    let kind = answer.header("content-type").expect("a type").to_owned();
    assert!(kind.starts_with("text/plain; version=0.0.4"), "{kind}");
    stop.cancel();
    let _ = serving.await;
    String::from_utf8(answer.body).expect("UTF-8")
}

/// Of a service that has something to tell in every family.
async fn busy() -> BTreeMap<String, Family> {
    let receiver = Receiver::start().await;
    let (app, wiring, _) = start(&receiver).await;
    let quiet = parse(&page(&wiring).await);
    refused(&app, "metric.1").await;
    app.mend().await;
    pass(&app, 16).await;
    assert_eq!(tick(&wiring).await, 1);
    let mut waiting = plans::plan("metric.2");
    waiting["plan_id"] = json!("metric-2");
    app.world(json!({ "ga4": "red" })).await;
    app.warp().await;
    app.publish(&waiting).await;
    app.wiring.gatekeeper().step().await.expect("the gate is asked");
    let busy = parse(&page(&wiring).await);
    // What a family is must not depend on what there is to count: alerts on a series that is not there never fire.
    assert_eq!(series(&quiet), series(&busy));
    assert!(
        quiet.values().flat_map(|f| f.samples.values()).all(|v| *v == 0.0),
        "{quiet:?}"
    );
    busy
}

fn series(families: &BTreeMap<String, Family>) -> BTreeSet<String> {
    let of = |(name, family): (&String, &Family)| {
        let all = family.samples.keys().map(|labels| {
            label(labels).map_or_else(|| name.clone(), |(l, v)| format!("{name}{{{l}=\"{v}\"}}"))
        });
        all.collect::<Vec<_>>()
    };
    families.iter().flat_map(of).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_says_what_it_is_in_what_unit_and_the_readme_knows_it() {
    let families = busy().await;
    let mut page = String::new();
    let readme = read("README.md");
    for (name, family) in &families {
        let bare = name
            .strip_prefix(PREFIX)
            .unwrap_or_else(|| panic!("{name} is not ours"));
        assert!(bare.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{name}");
        assert!(
            family.help.len() > 15 && family.help.ends_with('.'),
            "{name}: {}",
            family.help
        );
        let counts = bare.ends_with("_total");
        assert_eq!(family.kind, if counts { "counter" } else { "gauge" }, "{name}");
        // Base units, in full, at the end.
        let unit = bare.trim_end_matches("_total");
        for wrong in [
            "_s", "_ms", "_sec", "_millis", "_minutes", "_hours", "_count", "_age",
        ] {
            assert!(!unit.ends_with(wrong), "{name}: seconds, or nothing");
        }
        let speaks_of_time = ["second", "How long", "how long"]
            .iter()
            .any(|w| family.help.contains(w));
        assert_eq!(
            unit.ends_with("_seconds"),
            speaks_of_time || family.help.starts_with("Seconds"),
            "{name}"
        );
        assert!(!family.samples.is_empty(), "{name}: nothing is told");
        let labelled = family.samples.keys().next().and_then(|labels| label(labels));
        let written = labelled.map_or_else(|| bare.to_owned(), |(label, _)| format!("{bare}{{{label}}}"));
        assert!(
            readme.contains(&format!("`{written}`")),
            "the README does not name {written}"
        );
        page.push_str(&format!("{name} {}: {}\n", family.kind, family.help));
    }
    for one in series(&families) {
        page.push_str(&format!("  {one}\n"));
    }
    for kind in Kind::ALL {
        let labels = format!("kind=\"{}\"}}", kind.as_str());
        let open = &families[&format!("{PREFIX}touchpoints_open")];
        assert!(open.samples.contains_key(&labels), "{labels}: {open:?}");
    }
    let value = |name: &str, labels: &str| families[&format!("{PREFIX}{name}")].samples[labels];
    assert_eq!(value("escalations_total", "route=\"client\"}"), 1.0);
    assert_eq!(value("alerts_waiting", "route=\"client\"}"), 1.0);
    assert_eq!(value("executions_waiting", "gate=\"blocked\"}"), 1.0);
    assert!(value("outbox_unpublished", "") >= 1.0);
    assert!(value("escalation_seconds_total", "") >= 900.0);
    golden::keep("stories/metrics.txt", &page);
}
