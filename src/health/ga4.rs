//! Tracking health: does the tenant's GA4 property receive what the plan's campaigns will send?
//!
//! Green when the property is alive, has a web stream for a landing host, knows the plan's key events, is linked to the
//! Google Ads customer, and has lately received page views and each key event; and when its figures are whole.
//!
//! Must not ask again by itself: a property answers only ten server errors an hour and project before it shuts everybody
//! out (`PropertyQuota.serverErrorsPerProjectPerHour`), so whoever asks keeps the verdict for a while.
//!
//! Sources: developers.google.com/analytics/devguides/config/admin/v1/rest (properties, dataStreams, keyEvents,
//! googleAdsLinks), developers.google.com/analytics/devguides/reporting/data/v1/rest (runReport); v1beta of both.

use super::{Finding, Health, Level, Unknown};
use crate::outbound::google_oauth::{Rejected, SCOPE_ANALYTICS, TokenError};
use crate::outbound::{Answer, Outbound};
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::time::Duration;

/// How long one call may take.
const DEADLINE: Duration = Duration::from_secs(20);
/// The largest page that the Admin API gives.
const PAGE_SIZE: &str = "200";
/// More pages than any property has.
const PAGES: usize = 20;
/// The event that every tagged page sends.
const PAGE_VIEW: &str = "page_view";

/// What is asked about a property.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// `ga4.admin_base_url`: `https://analyticsadmin.googleapis.com`.
    pub admin_base: &'a str,
    /// `ga4.data_base_url`: `https://analyticsdata.googleapis.com`.
    pub data_base: &'a str,
    /// The credential of the tenant's `ga4` account.
    pub credential: &'a str,
    /// `properties/<digits>`.
    pub property: &'a str,
    /// Where the plan's ads lead; any of them may be the stream's.
    pub landing_hosts: &'a [String],
    /// What must be key events of the property; empty: none.
    pub key_events: &'a [String],
    /// The plan's Google Ads customer, if it has one: it must be linked.
    pub ads_customer_id: Option<&'a str>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Property {
    display_name: String,
    delete_time: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct DataStreams {
    data_streams: Vec<DataStream>,
    next_page_token: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct DataStream {
    r#type: String,
    web_stream_data: WebStreamData,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct WebStreamData {
    default_uri: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct KeyEvents {
    key_events: Vec<KeyEvent>,
    next_page_token: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct KeyEvent {
    event_name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct GoogleAdsLinks {
    google_ads_links: Vec<GoogleAdsLink>,
    next_page_token: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct GoogleAdsLink {
    customer_id: String,
    can_manage_clients: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Report {
    rows: Vec<ReportRow>,
    metadata: ReportMetadata,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ReportRow {
    dimension_values: Vec<Cell>,
    metric_values: Vec<Cell>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Cell {
    value: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ReportMetadata {
    subject_to_thresholding: bool,
    sampling_metadatas: Vec<Value>,
    data_loss_from_other_row: bool,
}

impl Report {
    /// How often an event came. An event that never did has no row at all.
    fn count(&self, event: &str) -> u64 {
        let row = self.rows.iter().find(|row| {
            row.dimension_values
                .first()
                .is_some_and(|cell| cell.value == event)
        });
        row.and_then(|row| row.metric_values.first()?.value.parse().ok())
            .unwrap_or(0)
    }
}

/// Why an answer is missing.
enum Trouble {
    /// That is a finding.
    Found(Finding),
    /// That is not.
    Unknown(Unknown),
}

fn unknown(why: impl Into<String>) -> Trouble {
    Trouble::Unknown(Unknown {
        why: why.into(),
        after: None,
    })
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
        ..red(reason, remedy)
    }
}

/// Asks, and says all that is not as it should be.
///
/// # Errors
/// [`Unknown`] when Google could not be asked: never to be taken for green.
pub async fn check(outbound: &Outbound, question: &Question<'_>) -> Result<Health, Unknown> {
    let one = |finding| {
        Ok(Health {
            findings: vec![finding],
        })
    };
    // First alone: where there is no access, or no property, the rest would only repeat it.
    let property: Property = match get(outbound, question, "", None).await {
        Ok(property) => property,
        Err(Trouble::Found(finding)) => return one(finding),
        Err(Trouble::Unknown(unknown)) => return Err(unknown),
    };
    if property.delete_time.is_some() {
        let reason = format!("the GA4 property {:?} is in the trash", property.display_name);
        return one(red(
            reason,
            "restore it in GA4, or name another property in the plan",
        ));
    }
    let asked = futures::try_join!(
        streams(outbound, question),
        key_events(outbound, question),
        links(outbound, question),
        report(outbound, question),
    );
    match asked {
        Ok((streams, events, links, report)) => Ok(Health {
            findings: judge(question, &streams, &events, &links, &report),
        }),
        Err(Trouble::Found(finding)) => one(finding),
        Err(Trouble::Unknown(unknown)) => Err(unknown),
    }
}

fn judge(
    question: &Question<'_>,
    streams: &[DataStream],
    key_events: &[KeyEvent],
    links: &[GoogleAdsLink],
    report: &Report,
) -> Vec<Finding> {
    let property = question.property;
    let mut findings = Vec::new();
    let hosts: Vec<String> = streams
        .iter()
        .filter(|stream| stream.r#type == "WEB_DATA_STREAM")
        .filter_map(|stream| host(&stream.web_stream_data.default_uri))
        .collect();
    if !hosts.iter().any(|host| serves(host, question.landing_hosts)) {
        findings.push(red(
            format!(
                "no web stream of {property} is for {} (there are: {})",
                question.landing_hosts.join(", "),
                if hosts.is_empty() {
                    "none".to_owned()
                } else {
                    hosts.join(", ")
                }
            ),
            "add a web data stream for the landing host in GA4, or correct the plan's property",
        ));
    }
    if report.count(PAGE_VIEW) == 0 {
        findings.push(red(
            format!("{property} received no {PAGE_VIEW} since yesterday"),
            "see that the tag is on the landing pages and that consent mode does not block it",
        ));
    }
    for event in question.key_events {
        if !key_events.iter().any(|known| known.event_name == *event) {
            let remedy = format!("mark {event:?} as a key event in GA4, or correct the plan");
            findings.push(red(format!("{event:?} is no key event of {property}"), remedy));
        } else if report.count(event) == 0 {
            let remedy = format!("see that {event:?} is still sent");
            findings.push(amber(
                format!("{property} received no {event:?} since yesterday"),
                remedy,
            ));
        }
    }
    if let Some(customer) = question.ads_customer_id {
        let digits: String = customer.chars().filter(char::is_ascii_digit).collect();
        // A manager account's link covers the accounts beneath it.
        let covers = |link: &GoogleAdsLink| link.customer_id == digits || link.can_manage_clients;
        if !links.iter().any(covers) {
            findings.push(red(
                format!("{property} is not linked to Google Ads customer {digits}"),
                "link them in GA4 (Admin, Product links, Google Ads links)",
            ));
        }
    }
    let partial = [
        (report.metadata.subject_to_thresholding, "thresholded"),
        (!report.metadata.sampling_metadatas.is_empty(), "sampled"),
        (
            report.metadata.data_loss_from_other_row,
            "cut to its largest rows",
        ),
    ];
    for (_, how) in partial.iter().filter(|(there, _)| *there) {
        findings.push(amber(
            format!("the report of {property} is {how}: its counts are not whole"),
            "turn Google signals or reporting identity down in GA4, or allow amber in the tenant's policy",
        ));
    }
    findings
}

fn host(uri: &str) -> Option<String> {
    let url = url::Url::parse(uri)
        .or_else(|_| url::Url::parse(&format!("https://{uri}")))
        .ok()?;
    url.host_str().map(str::to_owned)
}

/// Whether a stream for `stream` measures one of the hosts: the same one, or one above or beneath it (`www.`).
fn serves(stream: &str, landing: &[String]) -> bool {
    landing.iter().any(|host| {
        host == stream || host.ends_with(&format!(".{stream}")) || stream.ends_with(&format!(".{host}"))
    })
}

async fn streams(outbound: &Outbound, question: &Question<'_>) -> Result<Vec<DataStream>, Trouble> {
    pages(outbound, question, "/dataStreams", |page: DataStreams| {
        (page.data_streams, page.next_page_token)
    })
    .await
}

async fn key_events(outbound: &Outbound, question: &Question<'_>) -> Result<Vec<KeyEvent>, Trouble> {
    if question.key_events.is_empty() {
        return Ok(Vec::new());
    }
    pages(outbound, question, "/keyEvents", |page: KeyEvents| {
        (page.key_events, page.next_page_token)
    })
    .await
}

async fn links(outbound: &Outbound, question: &Question<'_>) -> Result<Vec<GoogleAdsLink>, Trouble> {
    if question.ads_customer_id.is_none() {
        return Ok(Vec::new());
    }
    pages(outbound, question, "/googleAdsLinks", |page: GoogleAdsLinks| {
        (page.google_ads_links, page.next_page_token)
    })
    .await
}

/// How often each event came since yesterday.
async fn report(outbound: &Outbound, question: &Question<'_>) -> Result<Report, Trouble> {
    let mut events: Vec<&str> = question.key_events.iter().map(String::as_str).collect();
    events.push(PAGE_VIEW);
    let body = json!({
        "dateRanges": [{"startDate": "yesterday", "endDate": "today"}],
        "dimensions": [{"name": "eventName"}],
        "metrics": [{"name": "eventCount"}],
        "dimensionFilter": {"filter": {"fieldName": "eventName", "inListFilter": {"values": events}}},
    });
    let url = format!("{}/v1beta/{}:runReport", question.data_base, question.property);
    let request = outbound.http.post(url).json(&body);
    parse(&call(outbound, question, request).await?)
}

async fn get<T: DeserializeOwned>(
    outbound: &Outbound,
    question: &Question<'_>,
    path: &str,
    token: Option<&str>,
) -> Result<T, Trouble> {
    let url = format!("{}/v1beta/{}{path}", question.admin_base, question.property);
    let mut request = outbound.http.get(url);
    if !path.is_empty() {
        request = request.query(&[("pageSize", PAGE_SIZE)]);
    }
    if let Some(token) = token {
        request = request.query(&[("pageToken", token)]);
    }
    parse(&call(outbound, question, request).await?)
}

/// All items of a list.
async fn pages<P: DeserializeOwned, T>(
    outbound: &Outbound,
    question: &Question<'_>,
    path: &str,
    split: impl Fn(P) -> (Vec<T>, String),
) -> Result<Vec<T>, Trouble> {
    let mut all = Vec::new();
    let mut token = String::new();
    for _ in 0..PAGES {
        let after = (!token.is_empty()).then_some(token.as_str());
        let (items, next) = split(get(outbound, question, path, after).await?);
        all.extend(items);
        if next.is_empty() {
            return Ok(all);
        }
        token = next;
    }
    Err(unknown(format!("{path} has no end")))
}

fn parse<T: DeserializeOwned>(answer: &Answer) -> Result<T, Trouble> {
    serde_json::from_slice(&answer.body)
        .map_err(|error| unknown(format!("GA4's answer makes no sense: {error}")))
}

/// One call, sent once; only 200 comes back.
async fn call(
    outbound: &Outbound,
    question: &Question<'_>,
    request: reqwest::RequestBuilder,
) -> Result<Answer, Trouble> {
    let credential = question.credential;
    let token = match outbound.google.token(outbound, credential, SCOPE_ANALYTICS).await {
        Ok(token) => token,
        Err(error @ TokenError::NotAvailable { .. }) => return Err(unknown(error.to_string())),
        Err(error @ (TokenError::Refused { .. } | TokenError::BadCredential(_))) => {
            return Err(Trouble::Found(no_access(&error.to_string())));
        }
    };
    let request = request.bearer_auth(token.expose_secret());
    let answer = outbound
        .send(request, DEADLINE)
        .await
        .map_err(|error| unknown(error.to_string()))?;
    if answer.status == 401 {
        let why = said(&answer);
        return Err(
            match outbound.google.forget(credential, SCOPE_ANALYTICS, &token).await {
                Rejected::TryAgain => Trouble::Unknown(Unknown {
                    why,
                    after: Some(Duration::ZERO),
                }),
                Rejected::Hopeless => Trouble::Found(no_access(&why)),
            },
        );
    }
    interpret(answer, question.property)
}

fn no_access(why: &str) -> Finding {
    red(
        format!("GA4 cannot be asked: {why}"),
        "put a working Google credential into the credential file of the tenant's ga4 account",
    )
}

/// The error's message, for a person.
fn said(answer: &Answer) -> String {
    let message = answer
        .json()
        .and_then(|body| Some(body.get("error")?.get("message")?.as_str()?.to_owned()));
    let text = format!("HTTP {} {}", answer.status, message.unwrap_or_default());
    text.trim_end().chars().take(300).collect()
}

/// What a refusal amounts to. Errors are plain `google.rpc.Status`.
fn interpret(answer: Answer, property: &str) -> Result<Answer, Trouble> {
    let why = said(&answer);
    let after = answer.header("retry-after").and_then(|text| text.parse().ok());
    match answer.status {
        200 => Ok(answer),
        403 => Err(Trouble::Found(red(
            format!("no access to {property}: {why}"),
            "give the credential's user Viewer access to the property, and turn on both Analytics APIs in its project",
        ))),
        404 => Err(Trouble::Found(red(
            format!("{property} does not exist: {why}"),
            "correct the plan's tracking.ga4_property",
        ))),
        400 => Err(Trouble::Found(red(
            format!("GA4 refuses the question about {property}: {why}"),
            "correct the plan's tracking.ga4_property and key_events",
        ))),
        // Exhausted quotas shut everybody out until the hour turns.
        429 => Err(Trouble::Unknown(Unknown {
            why,
            after: Some(after.map_or(Duration::from_secs(900), Duration::from_secs)),
        })),
        _ => Err(Trouble::Unknown(Unknown {
            why,
            after: after.map(Duration::from_secs),
        })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question<'a>(hosts: &'a [String], events: &'a [String]) -> Question<'a> {
        Question {
            admin_base: "http://admin.example",
            data_base: "http://data.example",
            credential: "acme-google",
            property: "properties/1",
            landing_hosts: hosts,
            key_events: events,
            ads_customer_id: Some("123-456-7890"),
        }
    }

    fn streams(uri: &str) -> Vec<DataStream> {
        let page = json!({"dataStreams": [{"type": "WEB_DATA_STREAM", "webStreamData": {"measurementId": "G-1", "defaultUri": uri}}]});
        serde_json::from_value::<DataStreams>(page).unwrap().data_streams
    }

    fn report(rows: &[(&str, &str)], metadata: Value) -> Report {
        let rows: Vec<Value> = rows
            .iter()
            .map(|(event, count)| json!({"dimensionValues": [{"value": event}], "metricValues": [{"value": count}]}))
            .collect();
        serde_json::from_value(json!({"rows": rows, "metadata": metadata})).unwrap()
    }

    fn link(id: &str) -> Vec<GoogleAdsLink> {
        vec![GoogleAdsLink {
            customer_id: id.into(),
            can_manage_clients: false,
        }]
    }

    fn key_event(name: &str) -> Vec<KeyEvent> {
        vec![KeyEvent {
            event_name: name.into(),
        }]
    }

    #[test]
    fn green_has_no_findings_and_each_fault_has_one() {
        let (hosts, events) = (["shop.acme.example".to_owned()], ["purchase".to_owned()]);
        let asked = question(&hosts, &events);
        let stream = streams("https://shop.acme.example");
        let both = [("page_view", "4200"), ("purchase", "17")];
        let judged =
            |streams: &[DataStream], events: &[KeyEvent], links: &[GoogleAdsLink], report: &Report| {
                let findings = judge(&asked, streams, events, links, report);
                assert!(findings.len() < 2, "{findings:?}");
                Health { findings }.level()
            };
        let (ours, bought) = (link("1234567890"), key_event("purchase"));
        let fine = report(&both, json!({}));
        assert_eq!(judged(&stream, &bought, &ours, &fine), Level::Green);
        assert_eq!(
            judged(&streams("https://else.example"), &bought, &ours, &fine),
            Level::Red
        );
        assert_eq!(judged(&[], &bought, &ours, &fine), Level::Red);
        assert_eq!(judged(&stream, &[], &ours, &fine), Level::Red);
        assert_eq!(judged(&stream, &bought, &link("1"), &fine), Level::Red);
        let silent = report(&both[1..], json!({}));
        assert_eq!(judged(&stream, &bought, &ours, &silent), Level::Red);
        let no_sale = report(&both[..1], json!({}));
        assert_eq!(judged(&stream, &bought, &ours, &no_sale), Level::Amber);
        let cut = report(&both, json!({"subjectToThresholding": true}));
        assert_eq!(judged(&stream, &bought, &ours, &cut), Level::Amber);
    }

    #[test]
    fn a_stream_serves_its_host_and_those_around_it() {
        let hosts = ["shop.acme.example".to_owned()];
        for stream in ["shop.acme.example", "acme.example", "www.shop.acme.example"] {
            assert!(serves(stream, &hosts), "{stream}");
        }
        assert!(!serves("other.example", &hosts));
        assert!(!serves("me.example", &hosts));
        assert_eq!(host("shop.acme.example/x").as_deref(), Some("shop.acme.example"));
    }

    #[test]
    fn refusals_are_findings_and_the_rest_is_unknown() {
        let with = |status: u16| {
            let body = br#"{"error":{"message":"m"}}"#.to_vec();
            let headers = reqwest::header::HeaderMap::new();
            interpret(
                Answer {
                    status,
                    headers,
                    body,
                },
                "properties/1",
            )
        };
        for status in [400, 403, 404] {
            assert!(matches!(with(status), Err(Trouble::Found(_))), "{status}");
        }
        for status in [429, 500, 503] {
            assert!(matches!(with(status), Err(Trouble::Unknown(_))), "{status}");
        }
        assert!(with(200).is_ok());
    }
}
