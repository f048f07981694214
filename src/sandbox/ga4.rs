//! Google Analytics 4: the Admin API (`/ga4-admin`) and the Data API (`/ga4-data`), as far as a health check asks them.
//!
//! A property is green by default; `POST /control/world` makes it amber (thresholded data), red (trashed and silent), silent
//! (alive, no events) or inaccessible. Must not keep anything: every answer follows from the switches. Sources:
//! <https://developers.google.com/analytics/devguides/config/admin/v1/rest> and
//! <https://developers.google.com/analytics/devguides/reporting/data/v1/rest> (v1beta of both).

use super::google_query::Query;
use super::google_rpc::{Violation, bad_request, error, unauthenticated};
use super::http::{Answer, Call, Described, Vendor, no_accounts};
use super::world::World;
use axum::http::Method;
use serde_json::{Map, Value, json};

pub(super) const ADMIN: Vendor = Vendor {
    name: "ga4-admin",
    mount: "/ga4-admin",
    describe: describe_admin,
    answer: answer_admin,
    error: fault,
    configure: no_accounts,
};

pub(super) const DATA: Vendor = Vendor {
    name: "ga4-data",
    mount: "/ga4-data",
    describe: describe_data,
    answer: answer_data,
    error: fault,
    configure: no_accounts,
};

/// The customer of the contract's example; linked to every property unless the world says otherwise.
const EXAMPLE_CUSTOMER: &str = "1234567890";

fn fault(_: &mut World, status: u16, message: Option<&str>) -> Answer {
    let status = if status == 0 { 503 } else { status };
    error(status, message.unwrap_or("Told to by a fault."), Vec::new())
}

/// A path `/v1beta/properties/{id}{rest}`: the id and the rest.
fn property(path: &str) -> Option<(&str, &str)> {
    let rest = path
        .strip_prefix("/v1beta/properties/")
        .or_else(|| path.strip_prefix("/v1alpha/properties/"))?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    (end > 0).then(|| rest.split_at(end))
}

fn describe_admin(_: &World, call: &Call<'_>) -> Described {
    let (id, rest) = property(call.path).unwrap_or(("", "?"));
    let method = match rest {
        "" => "ga4-admin.properties.get".to_owned(),
        "/dataStreams" | "/keyEvents" | "/googleAdsLinks" | "/conversionEvents" => {
            format!("ga4-admin.{}.list", &rest[1..])
        }
        _ => "ga4-admin.other".to_owned(),
    };
    Described {
        method,
        account: id.to_owned(),
    }
}

fn describe_data(_: &World, call: &Call<'_>) -> Described {
    let (id, rest) = property(call.path).unwrap_or(("", "?"));
    let method = match rest {
        ":runReport" | ":runRealtimeReport" | ":checkCompatibility" => format!("ga4-data.{}", &rest[1..]),
        "/metadata" => "ga4-data.metadata.get".to_owned(),
        _ => "ga4-data.other".to_owned(),
    };
    Described {
        method,
        account: id.to_owned(),
    }
}

/// What the world says about a property.
struct Property<'a>(Option<&'a Map<String, Value>>, Option<&'a Map<String, Value>>);

impl<'a> Property<'a> {
    fn of(world: &'a World, id: &str) -> Self {
        Self(world.switches.ga4.get(id), world.switches.ga4.get("*"))
    }

    fn get(&self, setting: &str) -> Option<&'a Value> {
        self.0
            .and_then(|m| m.get(setting))
            .or_else(|| self.1.and_then(|m| m.get(setting)))
    }

    fn text(&self, setting: &str, default: &'a str) -> &'a str {
        self.get(setting).and_then(Value::as_str).unwrap_or(default)
    }

    fn state(&self) -> &'a str {
        self.text("state", "green")
    }

    fn key_events(&self) -> Vec<String> {
        match self.get("key_events").and_then(Value::as_array) {
            Some(events) => events
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
            None => [
                "purchase",
                "generate_lead",
                "sign_up",
                "add_to_cart",
                "begin_checkout",
            ]
            .map(str::to_owned)
            .to_vec(),
        }
    }

    /// The linked Google Ads customers: those named, none, or (by default) every customer the sandbox knows.
    fn customers(&self, world: &World) -> Vec<String> {
        match self.get("ads_linked") {
            Some(Value::Array(ids)) => ids.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            Some(Value::Bool(false)) => Vec::new(),
            _ => {
                let mut ids = world.store.accounts("google-ads", "customer");
                ids.push(EXAMPLE_CUSTOMER.to_owned());
                ids.sort();
                ids.dedup();
                ids
            }
        }
    }
}

/// What both APIs refuse before anything else.
fn refused(world: &mut World, vendor: &str, call: &Call<'_>) -> Option<Answer> {
    if let Err(denied) = world.bearer(vendor, call.headers) {
        return Some(unauthenticated(denied));
    }
    let Some((id, _)) = property(call.path) else {
        return Some(error(404, "Requested entity was not found.", Vec::new()));
    };
    if Property::of(world, id).state() == "no_access" {
        let message = "User does not have sufficient permissions for this property. To learn more about Property ID, see \
                       https://developers.google.com/analytics/devguides/reporting/data/v1/property-id.";
        return Some(error(403, message, Vec::new()));
    }
    None
}

/// "The maximum number of resources to return … at most 50 … The maximum value is 200 (higher values will be coerced)": all
/// three lists (`analyticsadmin.v1beta`).
fn paged(query: &Query, key: &str, items: Vec<Value>) -> Answer {
    let page = query
        .only(&["pageSize", "pageToken"])
        .and_then(|()| query.page(key, items, 50, 200));
    match page {
        Ok(body) => Answer::json(200, &body),
        Err(bad) => error(400, &bad.message, Vec::new()),
    }
}

fn answer_admin(world: &mut World, call: &Call<'_>) -> Answer {
    if let Some(refusal) = refused(world, "ga4-admin", call) {
        return refusal;
    }
    if call.method != Method::GET {
        return error(404, "Method not found.", Vec::new());
    }
    let (id, rest) = property(call.path).unwrap_or(("", ""));
    let about = Property::of(world, id);
    let name = format!("properties/{id}");
    let created = "2024-01-15T09:00:00Z";
    let query = Query::parse(call.query);
    match rest {
        "" => {
            let mut body = json!({
                "name": name, "displayName": format!("Sandbox {id}"), "parent": "accounts/1", "account": "accounts/1",
                "createTime": created, "updateTime": created, "industryCategory": "SHOPPING",
                "timeZone": about.text("timezone", "Europe/Berlin"), "currencyCode": "EUR",
                "serviceLevel": "GOOGLE_ANALYTICS_STANDARD", "propertyType": "PROPERTY_TYPE_ORDINARY",
            });
            if about.state() == "red" {
                body["deleteTime"] = "2026-01-01T00:00:00Z".into();
                body["expireTime"] = "2026-02-05T00:00:00Z".into();
            }
            match query.only(&[]) {
                Ok(()) => Answer::json(200, &body),
                Err(bad) => error(400, &bad.message, Vec::new()),
            }
        }
        "/dataStreams" => paged(
            &query,
            "dataStreams",
            vec![json!({
                "name": format!("{name}/dataStreams/1"), "type": "WEB_DATA_STREAM", "displayName": "Web",
                "createTime": created, "updateTime": created,
                "webStreamData": {
                    "measurementId": about.get("measurement_id").and_then(Value::as_str)
                        .map_or_else(|| format!("G-SB{id}"), str::to_owned),
                    "defaultUri": about.text("default_uri", "https://shop.acme.example"),
                },
            })],
        ),
        "/keyEvents" | "/conversionEvents" => {
            let key = &rest[1..];
            let events: Vec<Value> = about
                .key_events()
                .iter()
                .enumerate()
                .map(|(n, event)| {
                    json!({
                        "name": format!("{name}/{key}/{}", n + 1), "eventName": event, "createTime": created,
                        "deletable": true, "custom": false, "countingMethod": "ONCE_PER_EVENT",
                    })
                })
                .collect();
            paged(&query, key, events)
        }
        "/googleAdsLinks" => {
            let links: Vec<Value> = about
                .customers(world)
                .iter()
                .enumerate()
                .map(|(n, customer)| {
                    json!({
                        "name": format!("{name}/googleAdsLinks/{}", n + 1), "customerId": customer,
                        "canManageClients": false, "adsPersonalizationEnabled": true, "createTime": created,
                        "updateTime": created,
                    })
                })
                .collect();
            paged(&query, "googleAdsLinks", links)
        }
        _ => error(404, "Method not found.", Vec::new()),
    }
}

const REPORT: &[&str] = &[
    "property",
    "dimensions",
    "metrics",
    "dateRanges",
    "dimensionFilter",
    "metricFilter",
    "offset",
    "limit",
    "metricAggregations",
    "orderBys",
    "currencyCode",
    "cohortSpec",
    "keepEmptyRows",
    "returnPropertyQuota",
    "comparisons",
];
const REALTIME: &[&str] = &[
    "property",
    "dimensions",
    "metrics",
    "dimensionFilter",
    "metricFilter",
    "limit",
    "metricAggregations",
    "orderBys",
    "returnPropertyQuota",
    "minuteRanges",
];

fn answer_data(world: &mut World, call: &Call<'_>) -> Answer {
    if let Some(refusal) = refused(world, "ga4-data", call) {
        return refusal;
    }
    let (id, rest) = property(call.path).unwrap_or(("", ""));
    let realtime = match (call.method.as_str(), rest) {
        ("POST", ":runReport") => false,
        ("POST", ":runRealtimeReport") => true,
        _ => return error(404, "Method not found.", Vec::new()),
    };
    let body: Map<String, Value> = match serde_json::from_slice(call.body) {
        Ok(body) => body,
        Err(e) => return error(400, &format!("Invalid JSON payload received. {e}"), Vec::new()),
    };
    let known = if realtime { REALTIME } else { REPORT };
    let unknown: Vec<Violation> = body
        .keys()
        .filter(|k| !known.contains(&k.as_str()))
        .map(|k| Violation::unknown(k, ""))
        .collect();
    if !unknown.is_empty() {
        return bad_request(&unknown);
    }
    if !realtime
        && body
            .get("dateRanges")
            .and_then(Value::as_array)
            .is_none_or(Vec::is_empty)
    {
        return error(400, "A dateRange is required.", Vec::new());
    }
    match report(&Property::of(world, id), &body, realtime) {
        Ok(value) => Answer::json(200, &value),
        Err(message) => error(400, &message, Vec::new()),
    }
}

fn names(body: &Map<String, Value>, key: &str) -> Vec<String> {
    let items = body.get(key).and_then(Value::as_array);
    items
        .map(|i| {
            i.iter()
                .filter_map(|v| v["name"].as_str())
                .map(str::to_owned)
                .collect()
        })
        .unwrap_or_default()
}

/// The rows of a report over event names; nothing else is modelled, and anything else is refused rather than invented.
fn report(about: &Property<'_>, body: &Map<String, Value>, realtime: bool) -> Result<Value, String> {
    let (dimensions, metrics) = (names(body, "dimensions"), names(body, "metrics"));
    if let Some(bad) = dimensions.iter().find(|d| d.as_str() != "eventName") {
        return Err(format!(
            "Did you mean eventName? Field {bad} is not a valid dimension."
        ));
    }
    const METRICS: &[&str] = &[
        "eventCount",
        "keyEvents",
        "activeUsers",
        "screenPageViews",
        "sessions",
    ];
    if let Some(bad) = metrics.iter().find(|m| !METRICS.contains(&m.as_str())) {
        return Err(format!(
            "Did you mean eventCount? Field {bad} is not a valid metric."
        ));
    }
    if metrics.is_empty() && dimensions.is_empty() {
        return Err("At least one dimension or metric is required.".to_owned());
    }
    let rows = rows(about, body, &dimensions, &metrics)?;
    Ok(rendered(about, body, realtime, &dimensions, &metrics, rows))
}

/// The rows: one for each event that happened, or their sum.
fn rows(
    about: &Property<'_>,
    body: &Map<String, Value>,
    dimensions: &[String],
    metrics: &[String],
) -> Result<Vec<Value>, String> {
    let key_events = about.key_events();
    let mut events = vec![
        ("page_view".to_owned(), 4200u64),
        ("session_start".to_owned(), 1300),
    ];
    events.extend(
        key_events
            .iter()
            .enumerate()
            .map(|(n, event)| (event.clone(), 17 + 5 * n as u64)),
    );
    if let Some(counts) = about.get("events").and_then(Value::as_object) {
        for (event, count) in counts {
            events.retain(|(e, _)| e != event);
            events.push((event.clone(), count.as_u64().unwrap_or(0)));
        }
        // "If a property never logs an event, a query will not have a row" for it.
        events.retain(|(_, count)| *count > 0);
    }
    if matches!(about.state(), "red" | "silent") {
        events.clear();
    }
    if let Some(filter) = body.get("dimensionFilter") {
        let wanted = wanted(filter)?;
        events.retain(|(event, _)| wanted.contains(event));
    }
    let value = |metric: &str, event: &str, count: u64| match metric {
        "keyEvents" if !key_events.iter().any(|k| k == event) => 0,
        "screenPageViews" if event != "page_view" => 0,
        _ => count,
    };
    if dimensions.iter().any(|d| d == "eventName") {
        let row = |(event, count): &(String, u64)| {
            let d: Vec<Value> = dimensions.iter().map(|_| json!({"value": event})).collect();
            let m: Vec<Value> = metrics
                .iter()
                .map(|m| json!({"value": value(m, event, *count).to_string()}))
                .collect();
            json!({"dimensionValues": d, "metricValues": m})
        };
        return Ok(events.iter().map(row).collect());
    }
    if events.is_empty() {
        return Ok(Vec::new());
    }

    let total = |metric: &String| events.iter().map(|(e, c)| value(metric, e, *c)).sum::<u64>();
    let sums: Vec<Value> = metrics
        .iter()
        .map(|m| json!({"value": total(m).to_string()}))
        .collect();
    Ok(vec![json!({"metricValues": sums})])
}

fn rendered(
    about: &Property<'_>,
    body: &Map<String, Value>,
    realtime: bool,
    dimensions: &[String],
    metrics: &[String],
    rows: Vec<Value>,
) -> Value {
    let mut answer = json!({
        "dimensionHeaders": dimensions.iter().map(|d| json!({"name": d})).collect::<Vec<_>>(),
        "metricHeaders": metrics.iter().map(|m| json!({"name": m, "type": "TYPE_INTEGER"})).collect::<Vec<_>>(),
        "kind": if realtime { "analyticsData#runRealtimeReport" } else { "analyticsData#runReport" },
    });
    if !rows.is_empty() {
        answer["rowCount"] = rows.len().into();
        answer["rows"] = Value::Array(rows);
    }
    if !realtime {
        let mut metadata =
            json!({"currencyCode": "EUR", "timeZone": about.text("timezone", "Europe/Berlin")});
        if about.state() == "amber" {
            metadata["subjectToThresholding"] = true.into();
        }
        if about.state() == "sampled" {
            metadata["samplingMetadatas"] =
                json!([{"samplesReadCount": "500000", "samplingSpaceSize": "9000000"}]);
        }
        answer["metadata"] = metadata;
    }
    if body.get("returnPropertyQuota").and_then(Value::as_bool) == Some(true) {
        answer["propertyQuota"] = json!({
            "tokensPerDay": {"consumed": 1, "remaining": 199_999}, "tokensPerHour": {"consumed": 1, "remaining": 39_999},
            "concurrentRequests": {"remaining": 10}, "serverErrorsPerProjectPerHour": {"remaining": 10},
            "potentiallyThresholdedRequestsPerHour": {"remaining": 120},
            "tokensPerProjectPerHour": {"consumed": 1, "remaining": 13_999},
        });
    }
    answer
}

/// The event names that a filter lets through: one exact string or a list.
fn wanted(filter: &Value) -> Result<Vec<String>, String> {
    let filter = &filter["filter"];
    if filter["fieldName"] != "eventName" {
        return Err("Only filters on eventName are supported.".to_owned());
    }
    if let Some(values) = filter["inListFilter"]["values"].as_array() {
        return Ok(values
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect());
    }
    match filter["stringFilter"]["value"].as_str() {
        Some(value) => Ok(vec![value.to_owned()]),
        None => Err("A filter needs an inListFilter or a stringFilter.".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderMap;

    fn ask(world: &mut World, method: Method, path: &str, body: &Value) -> (u16, Value) {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", "Bearer sandbox-token".parse().unwrap());
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let query = "%24alt=json%3Benum-encoding%3Dint";
        let call = Call {
            method: &method,
            path,
            query,
            headers: &headers,
            body: body.as_bytes(),
        };
        let answer = if method == Method::GET {
            answer_admin(world, &call)
        } else {
            answer_data(world, &call)
        };
        (answer.status, serde_json::from_slice(&answer.body).unwrap())
    }

    fn purchases(world: &mut World) -> Value {
        let body = json!({
            "dateRanges": [{"startDate": "yesterday", "endDate": "today"}], "dimensions": [{"name": "eventName"}],
            "metrics": [{"name": "eventCount"}],
            "dimensionFilter": {"filter": {"fieldName": "eventName", "inListFilter": {"values": ["purchase"]}}},
        });
        ask(
            world,
            Method::POST,
            "/v1beta/properties/360012345:runReport",
            &body,
        )
        .1
    }

    #[test]
    fn a_property_is_green_amber_or_red() {
        let mut world = World::new(1, 0);
        assert_eq!(purchases(&mut world)["rows"][0]["metricValues"][0]["value"], "17");
        world
            .switches
            .ga4
            .entry("*".into())
            .or_default()
            .insert("state".into(), "amber".into());
        assert_eq!(purchases(&mut world)["metadata"]["subjectToThresholding"], true);
        world
            .switches
            .ga4
            .entry("360012345".into())
            .or_default()
            .insert("state".into(), "red".into());
        assert!(purchases(&mut world)["rows"].is_null());
        let (_, property) = ask(
            &mut world,
            Method::GET,
            "/v1beta/properties/360012345",
            &Value::Null,
        );
        assert!(property["deleteTime"].is_string());
    }

    #[test]
    fn unknown_fields_and_metrics_are_refused() {
        let mut world = World::new(1, 0);
        let path = "/v1beta/properties/1:runReport";
        assert_eq!(ask(&mut world, Method::POST, path, &json!({"dates": []})).0, 400);
        let mut told = |body: Value| {
            let (status, body) = ask(&mut world, Method::POST, path, &body);
            assert_eq!(status, 400, "{body}");
            body["error"]["message"].as_str().unwrap_or("").to_owned()
        };
        for (rule, body, words) in [
            (
                "ga4.known-metrics",
                json!({"dateRanges": [{}], "metrics": [{"name": "clicks"}]}),
                "not a valid metric",
            ),
            (
                "ga4.known-dimensions",
                json!({"dateRanges": [{}], "dimensions": [{"name": "event"}], "metrics": [{"name": "eventCount"}]}),
                "not a valid dimension",
            ),
            (
                "ga4.a-report-has-a-date-range",
                json!({"metrics": [{"name": "eventCount"}]}),
                "dateRange is required",
            ),
        ] {
            let message = told(body);
            assert!(message.contains(words), "{rule}: {message}");
        }
    }
}
