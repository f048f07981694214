//! Google Ads API v26 over REST: `googleAds:mutate`, `:search`, `:searchStream`, the services' own mutates, and
//! `customers:listAccessibleCustomers`.
//!
//! Keeps campaigns, budgets, ad groups, ads, criteria, labels, assets and asset groups as resources, so that GAQL can answer look-ups with what is
//! really there. Must not be kinder than the vendor: what it would refuse is refused here, in its shape. Paths and
//! semantics: `services/*.proto` of <https://github.com/googleapis/googleapis/tree/master/google/ads/googleads/v25>.

mod accounts;
mod ads;
mod asset_groups;
pub(super) mod assets;
mod budgets;
mod campaigns;
mod change_events;
mod channels;
mod creatives;
mod criteria;
mod derived;
mod errors;
mod images;
mod labels;
mod masks;
mod mutate;
mod parts;
mod query;
mod request;
mod rows;
mod rules;
mod schema;
#[cfg(test)]
mod tests;
mod urls;

use super::google_rpc::{self, Violation, bad_request};
use super::http::{Answer, Call, Described, Vendor};
use super::world::{Denied, World};
use axum::http::Method;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use errors::{Fault, refuse};
use mutate::Kind;
use request::Form;
use serde_json::{Map, Value, json};

/// The vendor's name in faults, journal and object list.
pub(super) const NAME: &str = "google-ads";

pub(super) const VENDOR: Vendor = Vendor {
    name: NAME,
    mount: "/google-ads",
    describe,
    answer,
    error: errors::injected,
    configure: accounts::configure,
};

/// The version that this sandbox speaks; any other is refused.
const VERSION: &str = "v26";

/// "Fixed pages of 10,000": <https://developers.google.com/google-ads/api/docs/reporting/paging>.
const PAGE: usize = 10_000;

/// The resources that can be mutated.
const KINDS: &[Kind] = &[
    rules::CUSTOMER,
    budgets::BUDGET,
    campaigns::CAMPAIGN,
    criteria::CAMPAIGN_CRITERION,
    labels::LABEL,
    labels::CAMPAIGN_LABEL,
    ads::AD_GROUP,
    criteria::AD_GROUP_CRITERION,
    ads::AD_GROUP_AD,
    ads::AD,
    labels::AD_GROUP_LABEL,
    assets::ASSET,
    asset_groups::CAMPAIGN_ASSET,
    asset_groups::ASSET_GROUP,
    asset_groups::LISTING_GROUP_FILTER,
    asset_groups::ASSET_GROUP_ASSET,
];

/// `customers/1/campaigns/2`; a customer is named by itself.
fn resource_name(customer: &str, resource: &str, id: &str) -> String {
    match KINDS.iter().find(|k| k.resource == resource) {
        Some(kind) if kind.resource == "customer" => format!("customers/{id}"),
        Some(kind) => format!("customers/{customer}/{}/{id}", kind.collection),
        None => format!("customers/{customer}/{}s/{id}", schema::camel(resource)),
    }
}

/// A path `/v26/customers/{id}{rest}`: the id and the rest.
fn customer_path(path: &str) -> Option<(&str, &str)> {
    let rest = path
        .strip_prefix('/')?
        .split_once('/')?
        .1
        .strip_prefix("customers/")?;
    let end = rest.find(['/', ':']).unwrap_or(rest.len());
    Some(rest.split_at(end))
}

fn describe(_: &World, call: &Call<'_>) -> Described {
    let (customer, rest) = customer_path(call.path).unwrap_or(("", ""));
    let method = match rest {
        "/googleAds:mutate" => "google-ads.mutate".to_owned(),
        "/googleAds:search" => "google-ads.search".to_owned(),
        "/googleAds:searchStream" => "google-ads.searchStream".to_owned(),
        ":mutate" => "google-ads.customers.mutate".to_owned(),
        _ => match rest.strip_prefix('/').and_then(|r| r.strip_suffix(":mutate")) {
            Some(service) => format!("google-ads.{service}.mutate"),
            None if call.path.ends_with("/customers:listAccessibleCustomers") => {
                "google-ads.listAccessibleCustomers".to_owned()
            }
            None => "google-ads.other".to_owned(),
        },
    };
    Described {
        method,
        account: customer.to_owned(),
    }
}

fn answer(world: &mut World, call: &Call<'_>) -> Answer {
    if let Err(denied) = world.bearer(NAME, call.headers) {
        return unauthenticated(world, denied);
    }
    let version = call.path.split('/').nth(1).unwrap_or("");
    if version != VERSION {
        let message = "Version is not supported.";
        return refuse(
            world,
            &[Fault::new("requestError", "UNSUPPORTED_VERSION", message).because(version)],
        );
    }
    if call.method == Method::GET && call.path.ends_with("/customers:listAccessibleCustomers") {
        let names: Vec<String> = world
            .store
            .accounts(NAME, "customer")
            .iter()
            .map(|id| format!("customers/{id}"))
            .collect();
        let body = if names.is_empty() {
            json!({})
        } else {
            json!({"resourceNames": names})
        };
        return Answer::json(200, &body);
    }
    let Some((customer, rest)) = customer_path(call.path) else {
        return google_rpc::error(404, "Method not found.", Vec::new());
    };
    if call.method != Method::POST {
        return google_rpc::error(404, "Method not found.", Vec::new());
    }
    let form = match rest {
        "/googleAds:search" | "/googleAds:searchStream" => None,
        "/googleAds:mutate" => Some(Form::Mixed),
        ":mutate" => Some(Form::Single(&rules::CUSTOMER)),
        _ => {
            let service = rest.strip_prefix('/').and_then(|r| r.strip_suffix(":mutate"));
            match KINDS.iter().find(|k| Some(k.collection) == service) {
                Some(kind) => Some(Form::Service(kind)),
                None => return google_rpc::error(404, "Method not found.", Vec::new()),
            }
        }
    };
    if let Some(fault) = not_allowed(world, call, customer, form.is_some()) {
        return refuse(world, &[fault]);
    }
    let body: Map<String, Value> = match serde_json::from_slice(call.body) {
        Ok(body) => body,
        Err(error) => {
            let message = format!("Invalid JSON payload received. {error}");
            return google_rpc::error(400, &message, Vec::new());
        }
    };
    match form {
        Some(form) => mutate::answer(world, customer, &form, body),
        None => search(world, customer, &body, rest.ends_with("Stream")),
    }
}

/// The refusal of a token: `authenticationError`, in a `GoogleAdsFailure`.
fn unauthenticated(world: &mut World, denied: Denied) -> Answer {
    let (code, message) = match denied {
        Denied::Missing => (
            "OAUTH_TOKEN_HEADER_INVALID",
            "The HTTP authorization header is missing or malformed.",
        ),
        Denied::Invalid => (
            "OAUTH_TOKEN_INVALID",
            "OAuth access token in the header is not valid.",
        ),
        Denied::Expired => (
            "OAUTH_TOKEN_EXPIRED",
            "OAuth access token in the header has expired.",
        ),
    };
    refuse(world, &[Fault::new("authenticationError", code, message)])
}

/// Why a customer cannot be used, if it cannot. A suspended account can be read, a closed one cannot even that.
fn not_allowed(world: &mut World, call: &Call<'_>, customer: &str, mutating: bool) -> Option<Fault> {
    if customer.is_empty() || !customer.bytes().all(|b| b.is_ascii_digit()) {
        let message = "Invalid customer id: digits only.";
        return Some(Fault::new("requestError", "INVALID_CUSTOMER_ID", message).because(customer));
    }
    let denied = |code: &str, message: &str| Some(Fault::new("authorizationError", code, message));
    let Some(handle) = accounts::ensure(world, customer) else {
        let message = "User doesn't have permission to access customer.";
        return denied("USER_PERMISSION_DENIED", message);
    };
    let account = world.store.get(handle);
    let login = call
        .headers
        .get("login-customer-id")
        .and_then(|v| v.to_str().ok())
        .unwrap_or("");
    if !login.bytes().all(|b| b.is_ascii_digit()) {
        let message = "The login customer ID is not valid: digits only.";
        return Some(Fault::new("headerError", "INVALID_LOGIN_CUSTOMER_ID", message).because(login));
    }
    let manager = account.text("_login");
    if !manager.is_empty() && manager != login {
        let message = "User doesn't have permission to access customer. Note: If you're accessing a client customer, the \
                       manager's customer id must be set in the 'login-customer-id' header.";
        return denied("USER_PERMISSION_DENIED", message);
    }
    match account.text("status") {
        "ENABLED" => None,
        "SUSPENDED" if !mutating => None,
        "SUSPENDED" => {
            let message = "The action is not permitted because the account is suspended.";
            denied("ACTION_NOT_PERMITTED_FOR_SUSPENDED_ACCOUNT", message)
        }
        _ => {
            let message = "The customer account can't be accessed because it is not yet enabled or has been deactivated.";
            denied("CUSTOMER_NOT_ENABLED", message)
        }
    }
}

fn search(world: &mut World, customer: &str, body: &Map<String, Value>, stream: bool) -> Answer {
    const KNOWN: &[&str] = &[
        "query",
        "pageToken",
        "pageSize",
        "validateOnly",
        "searchSettings",
        "summaryRowSetting",
    ];
    let unknown: Vec<Violation> = body
        .keys()
        .filter(|k| !KNOWN.contains(&k.as_str()))
        .map(|k| Violation::unknown(k, ""))
        .collect();
    if !unknown.is_empty() {
        return bad_request(&unknown);
    }
    if body.contains_key("pageSize") {
        let message = "Setting the page size is not supported. Search Response will have fixed page size of '10000' rows.";
        return wrap(
            refuse(
                world,
                &[Fault::new("requestError", "PAGE_SIZE_NOT_SUPPORTED", message)],
            ),
            stream,
        );
    }
    let text = body.get("query").and_then(Value::as_str).unwrap_or("");
    let found = query::parse(text).and_then(|query| match query.from.as_str() {
        change_events::RESOURCE => change_events::run(world, customer, &query),
        _ => rows::run(world, customer, &query),
    });
    let mut found = match found {
        Ok(found) => found,
        Err(fault) => return wrap(refuse(world, &[fault]), stream),
    };
    let total = found.rows.len();
    let mut next = None;
    if !stream {
        let token = body.get("pageToken").and_then(Value::as_str).unwrap_or("");
        let start = if token.is_empty() {
            Some(0)
        } else {
            page_start(token)
        };
        let Some(start) = start else {
            let fault = Fault::new("requestError", "INVALID_PAGE_TOKEN", "Page token is invalid.");
            return refuse(world, &[fault]);
        };
        found.rows.drain(..start.min(total));
        if found.rows.len() > PAGE {
            found.rows.truncate(PAGE);
            next = Some(URL_SAFE_NO_PAD.encode((start + PAGE).to_string()));
        }
    }
    let request_id = world.ids.opaque(22);
    let mut answer = Map::new();
    if !found.rows.is_empty() {
        answer.insert("results".into(), found.rows.into());
    }
    if let Some(next) = next {
        answer.insert("nextPageToken".into(), next.into());
    }
    let settings = body.get("searchSettings");
    if settings.is_some_and(|s| s["returnTotalResultsCount"] == true) {
        answer.insert("totalResultsCount".into(), total.to_string().into());
    }
    answer.insert("fieldMask".into(), found.mask.into());
    let answer = if stream {
        answer.insert("requestId".into(), request_id.clone().into());
        json!([answer])
    } else {
        Value::Object(answer)
    };
    Answer::json(200, &answer).with_header("request-id", request_id)
}

fn page_start(token: &str) -> Option<usize> {
    String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?)
        .ok()?
        .parse()
        .ok()
}

/// `searchStream` wraps its errors in an array:
/// <https://developers.google.com/google-ads/api/rest/design/json-mappings>.
fn wrap(mut answer: Answer, stream: bool) -> Answer {
    if stream {
        let mut body = Vec::with_capacity(answer.body.len() + 2);
        body.push(b'[');
        body.extend_from_slice(&answer.body);
        body.push(b']');
        answer.body = body.into();
    }
    answer
}
