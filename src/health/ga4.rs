//! GA4 tracking health: green, amber or red, from the Admin and the Data API.
//!
//! Green: the property lives; a web stream measures the landing host; the plan's key events are key events there; the Ads
//! account is linked; `page_view` was received since yesterday. Amber: it works, but figures are thresholded or sampled, or no
//! host could be matched. Anything missing is red. Facts: `analyticsadmin.v1beta`, `analyticsdata.v1beta` discovery documents.
//!
//! Must not retry: a property allows ten server errors an hour and project. The gate shares the verdict between plans.

use super::Unknown;
use crate::domain::tenant::Account;
use crate::outbound::Outbound;
use crate::outbound::google_oauth::{Rejected, SCOPE_ANALYTICS, TokenError};
use futures::future::try_join4;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;

/// How long one call may take.
const DEADLINE: Duration = Duration::from_secs(15);
/// Pages of a list are this large; a property has at most a few hundred streams, key events and links.
const PAGE: u32 = 200;

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

/// Asks GA4.
///
/// # Errors
/// [`Unknown`] when GA4 can't be asked.
pub async fn check(outbound: &Outbound, question: Question<'_>) -> Result<Health, Unknown> {
    let admin = |path: &str| format!("{}/v1beta/{}{path}", question.admin_base, question.property);
    let property = get(outbound, question.account, admin(""));
    let streams = list(outbound, question.account, admin("/dataStreams"), "dataStreams");
    let key_events = list(outbound, question.account, admin("/keyEvents"), "keyEvents");
    let links = list(
        outbound,
        question.account,
        admin("/googleAdsLinks"),
        "googleAdsLinks",
    );
    let (property, streams, key_events, links) = match try_join4(property, streams, key_events, links).await {
        Ok(answers) => answers,
        Err(Trouble::Red(finding)) => {
            return Ok(Health {
                findings: vec![finding],
            });
        }
        Err(Trouble::Unknown(unknown)) => return Err(unknown),
    };
    let mut findings = Vec::new();
    judge_property(&property, question, &mut findings);
    judge_streams(&streams, question, &mut findings);
    judge_key_events(&key_events, question, &mut findings);
    judge_links(&links, question, &mut findings);
    match events(outbound, question).await {
        Ok(report) => judge_events(&report, question, &mut findings),
        Err(Trouble::Red(finding)) => findings.push(finding),
        Err(Trouble::Unknown(unknown)) => return Err(unknown),
    }
    Ok(Health { findings })
}

/// Why an answer is missing.
enum Trouble {
    /// Because something is wrong with the property or our access to it.
    Red(Finding),
    /// Because it could not be asked.
    Unknown(Unknown),
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
        .any(|id| id == wanted);
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
    for event in std::iter::once("page_view").chain(q.key_events.iter().map(String::as_str)) {
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

async fn events(outbound: &Outbound, q: Question<'_>) -> Result<Value, Trouble> {
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
    call(outbound, q.account, |http| http.post(&url).json(&body)).await
}

async fn get(outbound: &Outbound, account: &Account, url: String) -> Result<Value, Trouble> {
    call(outbound, account, |http| http.get(&url)).await
}

async fn list(
    outbound: &Outbound,
    account: &Account,
    url: String,
    field: &str,
) -> Result<Vec<Value>, Trouble> {
    let mut all = Vec::new();
    let mut page_token = String::new();
    loop {
        let query = [("pageSize", PAGE.to_string()), ("pageToken", page_token.clone())];
        let used = if page_token.is_empty() {
            &query[..1]
        } else {
            &query[..]
        };
        let page = call(outbound, account, |http| http.get(&url).query(used)).await?;
        all.extend(
            page.get(field)
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .cloned(),
        );
        match page.get("nextPageToken").and_then(Value::as_str) {
            Some(next) if !next.is_empty() && next != page_token => page_token = next.to_owned(),
            Some(_) | None => return Ok(all),
        }
    }
}

async fn call(
    outbound: &Outbound,
    account: &Account,
    request: impl Fn(&reqwest::Client) -> reqwest::RequestBuilder,
) -> Result<Value, Trouble> {
    let unknown = |why: String| Trouble::Unknown(Unknown::new(why));
    for last in [false, true] {
        let token = match outbound
            .google
            .token(outbound, &account.credential, SCOPE_ANALYTICS)
            .await
        {
            Ok(token) => token,
            Err(error @ TokenError::NotAvailable { .. }) => return Err(unknown(error.to_string())),
            Err(error @ (TokenError::Refused { .. } | TokenError::BadCredential(_))) => {
                return Err(Trouble::Red(red(
                    format!("GA4 cannot be asked: {error}"),
                    format!("renew the credential {}", account.credential),
                )));
            }
        };
        let answer = outbound
            .send(
                request(&outbound.http).bearer_auth(token.expose_secret()),
                DEADLINE,
            )
            .await
            .map_err(|e| unknown(format!("GA4: {e}")))?;
        match answer.status {
            200 => {
                return answer
                    .json()
                    .ok_or_else(|| unknown("GA4's answer is no JSON".to_owned()));
            }
            401 if !last => {
                match outbound
                    .google
                    .forget(&account.credential, SCOPE_ANALYTICS, &token)
                    .await
                {
                    Rejected::TryAgain | Rejected::Hopeless => {}
                }
            }
            401 | 403 => {
                return Err(Trouble::Red(red(
                    format!(
                        "no access to GA4 {} with {}",
                        account.account_id, account.credential
                    ),
                    "give the credential's owner Viewer access to the property",
                )));
            }
            404 => {
                return Err(Trouble::Red(red(
                    format!("there is no GA4 {}", account.account_id),
                    "correct tracking.ga4_property or onboard the tenant again",
                )));
            }
            status => return Err(unknown(format!("GA4 answered {status}"))),
        }
    }
    Err(unknown("GA4 refuses every token".to_owned()))
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
