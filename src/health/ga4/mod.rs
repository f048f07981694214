//! GA4 tracking health: green, amber or red, from the Admin and the Data API.
//!
//! The rule, each clause red when it does not hold: the property exists, lets us read it and is not in the trash; a web stream
//! measures each landing host (the stream's own host, without `www.`, a parent or a child of it); each of the plan's key events
//! is a key event there; the tenant's Google Ads account is linked, if the plan has legs on it; `page_view` and each key event
//! were received yesterday or today. Amber: all that holds, but the figures are thresholded, sampled or rolled up. Facts:
//! `analyticsadmin.v1beta`, `analyticsdata.v1beta` discovery documents.
//!
//! Must not retry: a property allows ten server errors an hour and project ([`budget`]). The gate shares the verdict between
//! plans and keeps the count.

pub mod budget;

use super::Unknown;
use super::google::{Api, Trouble};
use crate::domain::tenant::Account;
use crate::outbound::Outbound;
use crate::outbound::google_oauth::SCOPE_ANALYTICS;
use futures::future;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;

/// Pages of a list are as large as the API allows.
const PAGE: &str = "200";

/// How tracking is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Fine.
    Green,
    /// It works, with a reservation.
    Amber,
    /// It doesn't.
    Red,
}

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How bad.
    pub level: Level,
    /// What was found.
    pub reason: String,
    /// What to do.
    pub remedy: String,
}

/// A property's health. No findings: green.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// What is not as it should be.
    pub findings: Vec<Finding>,
}

impl Health {
    /// The worst finding's level.
    #[must_use]
    pub fn level(&self) -> Level {
        let any = |level| self.findings.iter().any(|f| f.level == level);
        if any(Level::Red) {
            Level::Red
        } else if any(Level::Amber) {
            Level::Amber
        } else {
            Level::Green
        }
    }
}

/// What is asked of a property.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// `ga4.admin_base_url`.
    pub admin_base: &'a str,
    /// `ga4.data_base_url`.
    pub data_base: &'a str,
    /// The tenant's GA4 account: which credential to use.
    pub account: &'a Account,
    /// `properties/<digits>`.
    pub property: &'a str,
    /// Where the plan's ads lead.
    pub landing_hosts: &'a [String],
    /// Events that must be key events.
    pub key_events: &'a [String],
    /// The Google Ads account that must be linked, digits; none: the plan uses none.
    pub ads_customer_id: Option<&'a str>,
}

/// What came of asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The health, or why it is not known.
    pub health: Result<Health, Unknown>,
    /// How many calls GA4 answered with a server error: the property's budget of them is small.
    pub server_errors: u32,
    /// GA4 said that there were too many calls; until then none may be made.
    pub wait: Option<Duration>,
}

/// How long nothing is asked after a 429 without a hint: tokens come back by the hour, concurrent requests at once.
const THROTTLED: Duration = Duration::from_secs(300);

/// Asks GA4. The property first, and the rest only when it answers, so that an outage costs one server error.
pub async fn check(outbound: &Outbound, question: Question<'_>) -> Asked {
    let mut tally = Tally::default();
    let health = ask(outbound, question, &mut tally).await;
    Asked {
        health,
        server_errors: tally.server_errors,
        wait: tally.wait,
    }
}

/// What the answers cost.
#[derive(Default)]
struct Tally {
    server_errors: u32,
    wait: Option<Duration>,
}

impl Tally {
    /// Counts a trouble, and says what it means.
    fn meant(&mut self, trouble: &Trouble, question: Question<'_>) -> Meant {
        match trouble {
            Trouble::Server { .. } => self.server_errors += 1,
            Trouble::Throttled { after } => {
                let wait = after.unwrap_or(THROTTLED);
                self.wait = Some(self.wait.map_or(wait, |w| w.max(wait)));
            }
            Trouble::Refused { .. } | Trouble::Credential(_) | Trouble::Unreachable(_) => {}
        }
        meant(trouble, question)
    }
}

/// What a missing answer means.
enum Meant {
    /// Something is wrong with the property or our access to it.
    Red(Finding),
    /// It could not be asked.
    Unknown(Unknown),
}

fn meant(trouble: &Trouble, q: Question<'_>) -> Meant {
    let told = trouble.told("GA4");
    match trouble {
        Trouble::Credential(_) => Meant::Red(red(
            told,
            format!("renew the credential {}", q.account.credential),
        )),
        Trouble::Refused { status: 404, .. } => Meant::Red(red(
            format!("there is no GA4 {}", q.property),
            "correct tracking.ga4_property or onboard the tenant again",
        )),
        Trouble::Refused {
            status: 401 | 403, ..
        } => Meant::Red(red(
            format!(
                "no access to GA4 {} with {}: {told}",
                q.property, q.account.credential
            ),
            "give the credential's owner Viewer access to the property, and enable the Analytics APIs in its project",
        )),
        Trouble::Throttled { after } => Meant::Unknown(Unknown {
            why: told,
            again_in: *after,
        }),
        // A 400 is a mistake of ours, not of the property's: it is not known to be red.
        Trouble::Refused { .. } | Trouble::Server { .. } | Trouble::Unreachable(_) => {
            Meant::Unknown(Unknown::new(told))
        }
    }
}

async fn ask(outbound: &Outbound, q: Question<'_>, tally: &mut Tally) -> Result<Health, Unknown> {
    let api = Api {
        outbound,
        credential: &q.account.credential,
        scope: SCOPE_ANALYTICS,
    };
    let admin = |path: &str| format!("{}/v1beta/{}{path}", q.admin_base, q.property);
    let mut findings = Vec::new();
    match api.get::<Value>(&admin(""), &[]).await {
        Ok(property) => judge_property(&property, q, &mut findings),
        Err(trouble) => match tally.meant(&trouble, q) {
            Meant::Red(finding) => {
                return Ok(Health {
                    findings: vec![finding],
                });
            }
            Meant::Unknown(unknown) => return Err(unknown),
        },
    }
    let list = |path: &'static str, wanted: bool| async move {
        if !wanted {
            return Ok(Vec::new());
        }
        let url = format!("{}/v1beta/{}/{path}", q.admin_base, q.property);
        api.list::<Value>(&url, &[("pageSize", PAGE)], path).await
    };
    let (streams, key_events, links, report) = future::join4(
        list("dataStreams", true),
        list("keyEvents", !q.key_events.is_empty()),
        list("googleAdsLinks", q.ads_customer_id.is_some()),
        events(&api, q),
    )
    .await;
    let mut unknown = None;
    type Judge = fn(&[Value], Question<'_>, &mut Vec<Finding>);
    let lists = [
        (streams, judge_streams as Judge),
        (key_events, judge_key_events),
        (links, judge_links),
    ];
    for (answer, judge) in lists {
        match answer {
            Ok(items) => judge(&items, q, &mut findings),
            Err(trouble) => match tally.meant(&trouble, q) {
                Meant::Red(finding) => findings.push(finding),
                Meant::Unknown(why) => unknown = unknown.or(Some(why)),
            },
        }
    }
    match report {
        Ok(report) => judge_events(&report, q, &mut findings),
        Err(trouble) => match tally.meant(&trouble, q) {
            Meant::Red(finding) => findings.push(finding),
            Meant::Unknown(why) => unknown = unknown.or(Some(why)),
        },
    }
    // What is red is red, whatever else could not be asked; what is not red is not green before all was asked.
    let health = Health { findings };
    match unknown {
        Some(why) if health.level() != Level::Red => Err(why),
        Some(_) | None => Ok(health),
    }
}

fn red(reason: impl Into<String>, remedy: impl Into<String>) -> Finding {
    Finding {
        level: Level::Red,
        reason: reason.into(),
        remedy: remedy.into(),
    }
}

fn amber(reason: impl Into<String>, remedy: impl Into<String>) -> Finding {
    Finding {
        level: Level::Amber,
        reason: reason.into(),
        remedy: remedy.into(),
    }
}

fn judge_property(property: &Value, q: Question<'_>, findings: &mut Vec<Finding>) {
    if property.get("deleteTime").is_some_and(|t| !t.is_null()) {
        findings.push(red(
            format!("GA4 {} is in the trash", q.property),
            "restore the property, or name the right one in the plan",
        ));
    }
}

fn judge_streams(streams: &[Value], q: Question<'_>, findings: &mut Vec<Finding>) {
    let hosts: Vec<String> = streams
        .iter()
        .filter(|s| s.get("type").and_then(Value::as_str) == Some("WEB_DATA_STREAM"))
        .filter_map(|s| s.pointer("/webStreamData/defaultUri").and_then(Value::as_str))
        .filter_map(|uri| url::Url::parse(uri).ok()?.host_str().map(str::to_owned))
        .map(|host| host.strip_prefix("www.").map(str::to_owned).unwrap_or(host))
        .collect();
    for host in q.landing_hosts {
        // `defaultUri` is where the tag was set up; the same stream usually measures the domain's other hosts too.
        let covers =
            |h: &String| h == host || host.ends_with(&format!(".{h}")) || h.ends_with(&format!(".{host}"));
        if !hosts.iter().any(covers) {
            findings.push(red(
                format!("no web stream of GA4 {} measures {host}", q.property),
                format!("add a web data stream for https://{host}, or correct the landing URL"),
            ));
        }
    }
}

fn judge_key_events(key_events: &[Value], q: Question<'_>, findings: &mut Vec<Finding>) {
    let names: Vec<&str> = key_events
        .iter()
        .filter_map(|k| k.get("eventName").and_then(Value::as_str))
        .collect();
    for wanted in q.key_events {
        if !names.contains(&wanted.as_str()) {
            findings.push(red(
                format!("{wanted} is no key event of GA4 {}", q.property),
                format!("mark {wanted} as a key event, or take it out of tracking.key_events"),
            ));
        }
    }
}

fn judge_links(links: &[Value], q: Question<'_>, findings: &mut Vec<Finding>) {
    let Some(wanted) = q.ads_customer_id else { return };
    let linked = links
        .iter()
        .filter_map(|l| l.get("customerId").and_then(Value::as_str))
        .any(|id| id.replace('-', "") == wanted);
    if !linked {
        findings.push(red(
            format!("GA4 {} is not linked to Google Ads {wanted}", q.property),
            "link the two under Admin, Product links",
        ));
    }
}

/// Absence of a row is zero: the Data API never invents one.
fn judge_events(report: &Value, q: Question<'_>, findings: &mut Vec<Finding>) {
    let rows = report
        .get("rows")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    let count = |event: &str| {
        rows.iter()
            .filter(|r| r.pointer("/dimensionValues/0/value").and_then(Value::as_str) == Some(event))
            .filter_map(|r| {
                r.pointer("/metricValues/0/value")
                    .and_then(Value::as_str)?
                    .parse::<u64>()
                    .ok()
            })
            .sum::<u64>()
    };
    let named = q
        .key_events
        .iter()
        .map(String::as_str)
        .filter(|e| *e != "page_view");
    for event in std::iter::once("page_view").chain(named) {
        if count(event) == 0 {
            findings.push(red(
                format!("GA4 {} received no {event} since yesterday", q.property),
                "mend the tag on the landing pages; the gate asks again by itself",
            ));
        }
    }
    let metadata = report.get("metadata");
    let flag = |name: &str| metadata.and_then(|m| m.get(name)).and_then(Value::as_bool) == Some(true);
    if flag("subjectToThresholding") {
        findings.push(amber(
            format!("GA4 {} withholds small figures (thresholding)", q.property),
            "check the events by hand, or set the tenant's policy tracking_amber to allow",
        ));
    }
    if flag("dataLossFromOtherRow") {
        findings.push(amber(
            format!("GA4 {} rolls events up into \"(other)\"", q.property),
            "check the events by hand, or set the tenant's policy tracking_amber to allow",
        ));
    }
    let sampled = metadata
        .and_then(|m| m.get("samplingMetadatas"))
        .and_then(Value::as_array);
    if sampled.is_some_and(|s| !s.is_empty()) {
        findings.push(amber(
            format!("GA4 {} answers from a sample", q.property),
            "check the events by hand, or set the tenant's policy tracking_amber to allow",
        ));
    }
}

async fn events(api: &Api<'_>, q: Question<'_>) -> Result<Value, Trouble> {
    let mut names = vec!["page_view".to_owned()];
    names.extend(q.key_events.iter().cloned());
    let body = json!({
        "dateRanges": [{ "startDate": "yesterday", "endDate": "today" }],
        "dimensions": [{ "name": "eventName" }],
        "metrics": [{ "name": "eventCount" }],
        "dimensionFilter": { "filter": { "fieldName": "eventName", "inListFilter": { "values": names } } },
        "returnPropertyQuota": true,
    });
    let url = format!("{}/v1beta/{}:runReport", q.data_base, q.property);
    api.ask(&url, &body).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account() -> Account {
        serde_json::from_value(json!({ "account_id": "properties/1", "status": "active", "credential": "c" }))
            .unwrap()
    }

    fn level(judge: impl Fn(Question<'_>, &mut Vec<Finding>)) -> Level {
        let (account, hosts, events) = (
            account(),
            ["shop.acme.example".to_owned()],
            ["purchase".to_owned()],
        );
        let question = Question {
            admin_base: "",
            data_base: "",
            account: &account,
            property: "properties/1",
            landing_hosts: &hosts,
            key_events: &events,
            ads_customer_id: Some("123"),
        };
        let mut findings = Vec::new();
        judge(question, &mut findings);
        Health { findings }.level()
    }

    #[test]
    fn each_part_can_turn_red() {
        let web = |uri: &str| json!({ "type": "WEB_DATA_STREAM", "webStreamData": { "defaultUri": uri } });
        let streams = |s: Vec<Value>| level(|q, f| judge_streams(&s, q, f));
        assert_eq!(streams(vec![web("https://shop.acme.example")]), Level::Green);
        assert_eq!(streams(vec![web("https://acme.example/x")]), Level::Green);
        assert_eq!(streams(vec![web("https://notacme.example")]), Level::Red);
        assert_eq!(
            streams(vec![json!({ "type": "ANDROID_APP_DATA_STREAM" })]),
            Level::Red
        );
        let trash = json!({ "deleteTime": "2026-01-01T00:00:00Z" });
        assert_eq!(level(|q, f| judge_property(&trash, q, f)), Level::Red);
        assert_eq!(
            level(|q, f| judge_key_events(&[json!({ "eventName": "purchase" })], q, f)),
            Level::Green
        );
        assert_eq!(level(|q, f| judge_key_events(&[], q, f)), Level::Red);
        assert_eq!(
            level(|q, f| judge_links(&[json!({ "customerId": "123" })], q, f)),
            Level::Green
        );
        assert_eq!(
            level(|q, f| judge_links(&[json!({ "customerId": "124" })], q, f)),
            Level::Red
        );
    }

    #[test]
    fn a_missing_row_is_zero_and_thresholding_is_amber() {
        let row = |e: &str, n: &str| json!({ "dimensionValues": [{ "value": e }], "metricValues": [{ "value": n }] });
        let both = vec![row("page_view", "9"), row("purchase", "1")];
        let of = |report: Value| level(|q, f| judge_events(&report, q, f));
        assert_eq!(of(json!({ "rows": both })), Level::Green);
        assert_eq!(of(json!({ "rows": [row("page_view", "9")] })), Level::Red);
        assert_eq!(
            of(json!({ "rows": [row("page_view", "0"), row("purchase", "1")] })),
            Level::Red
        );
        assert_eq!(of(json!({})), Level::Red);
        assert_eq!(
            of(json!({ "rows": both, "metadata": { "subjectToThresholding": true } })),
            Level::Amber
        );
    }
}
