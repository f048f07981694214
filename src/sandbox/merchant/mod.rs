//! Merchant API v1 (`/merchant`), as far as a feed check asks it: account issues, aggregate product statuses, data sources
//! with their latest file upload, and products.
//!
//! Every account of digits is there and healthy by default; `POST /control/world` says otherwise (`world.rs` of this folder).
//! Must not keep anything: every answer follows from the switches. Sources: the discovery documents
//! `merchantapi.accounts_v1`, `.issueresolution_v1`, `.datasources_v1` and `.products_v1`, and
//! <https://developers.google.com/merchant/api/guides/error-handling>.

mod lists;
#[cfg(test)]
mod tests;
mod world;

use super::google_query::{Bad, Query};
use super::google_rpc::{error, unauthenticated};
use super::http::{Answer, Call, Described, Vendor, no_accounts};
use super::world::World;
use axum::http::Method;
use serde_json::json;
pub(super) use world::{Settings, set};

pub(super) const VENDOR: Vendor = Vendor {
    name: "merchant",
    mount: "/merchant",
    describe,
    answer,
    error: fault,
    configure: no_accounts,
};

fn fault(_: &mut World, status: u16, message: Option<&str>) -> Answer {
    let status = if status == 0 { 503 } else { status };
    error(status, message.unwrap_or("Told to by a fault."), Vec::new())
}

/// An error as the guide on error handling shows it: the stable reason is in the metadata of an `ErrorInfo`.
fn refuse(status: u16, message: &str, reason: &str, more: &[(&str, &str)]) -> Answer {
    let mut metadata = json!({"REASON": reason});
    for (key, value) in more {
        metadata[*key] = (*value).into();
    }
    let detail = json!({
        "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason.to_lowercase(),
        "domain": "merchantapi.googleapis.com", "metadata": metadata,
    });
    error(status, message, vec![detail])
}

/// A query that is refused: by Google's front end, or by the API.
fn bad(bad: Bad) -> Answer {
    if bad.reason.is_empty() {
        return error(400, &bad.message, Vec::new());
    }
    refuse(400, &bad.message, bad.reason, &[("FIELD_LOCATION", bad.field)])
}

/// What a path asks for. `account` is whatever stands in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked<'a> {
    Account,
    Issues,
    Aggregates,
    Sources,
    Source(&'a str),
    Upload { source: &'a str, upload: &'a str },
    Products,
    Product(&'a str),
}

impl Asked<'_> {
    fn method(self) -> &'static str {
        match self {
            Self::Account => "merchant.accounts.get",
            Self::Issues => "merchant.issues.list",
            Self::Aggregates => "merchant.aggregateProductStatuses.list",
            Self::Sources => "merchant.dataSources.list",
            Self::Source(_) => "merchant.dataSources.get",
            Self::Upload { .. } => "merchant.fileUploads.get",
            Self::Products => "merchant.products.list",
            Self::Product(_) => "merchant.products.get",
        }
    }
}

/// The account and what is asked of it; `None`: no such method.
fn asked(path: &str) -> Option<(&str, Asked<'_>)> {
    let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    match segments.as_slice() {
        ["accounts", "v1", "accounts", account] => Some((account, Asked::Account)),
        ["accounts", "v1", "accounts", account, "issues"] => Some((account, Asked::Issues)),
        [
            "issueresolution",
            "v1",
            "accounts",
            account,
            "aggregateProductStatuses",
        ] => Some((account, Asked::Aggregates)),
        ["datasources", "v1", "accounts", account, "dataSources"] => Some((account, Asked::Sources)),
        ["datasources", "v1", "accounts", account, "dataSources", source] => {
            Some((account, Asked::Source(source)))
        }
        [
            "datasources",
            "v1",
            "accounts",
            account,
            "dataSources",
            source,
            "fileUploads",
            upload,
        ] => Some((account, Asked::Upload { source, upload })),
        ["products", "v1", "accounts", account, "products"] => Some((account, Asked::Products)),
        ["products", "v1", "accounts", account, "products", product] => {
            Some((account, Asked::Product(product)))
        }
        _ => None,
    }
}

fn describe(_: &World, call: &Call<'_>) -> Described {
    let (account, method) = match asked(call.path) {
        Some((account, asked)) => (account, asked.method()),
        None => ("", "merchant.other"),
    };
    Described {
        method: method.to_owned(),
        account: account.to_owned(),
    }
}

fn answer(world: &mut World, call: &Call<'_>) -> Answer {
    if let Err(denied) = world.bearer("merchant", call.headers) {
        return unauthenticated(denied);
    }
    let Some((account, asked)) = asked(call.path) else {
        return error(404, "Method not found.", Vec::new());
    };
    if call.method != Method::GET {
        return error(404, "Method not found.", Vec::new());
    }
    if account.is_empty() || !account.bytes().all(|b| b.is_ascii_digit()) {
        let message = format!("[name] The name part `account` is not a number: {account}");
        let more = [("FIELD_LOCATION", "name"), ("FIELD_VALUE", account)];
        return refuse(400, &message, "INVALID_NAME_PART_NOT_NUMBER", &more);
    }
    let about = Settings::of(world, account);
    if let Some(refusal) = about.refusal(account, asked == Asked::Aggregates) {
        return refusal;
    }
    let query = Query::parse(call.query);
    let none = || query.only(&[]).map_err(bad);
    let found = match asked {
        Asked::Account => none().map(|()| {
            json!({
                "name": format!("accounts/{account}"), "accountId": account, "accountName": "Sandbox",
                "timeZone": {"id": "Europe/Berlin"}, "languageCode": "en-GB",
            })
        }),
        Asked::Issues => lists::issues(&about, account, &query),
        Asked::Aggregates => lists::aggregates(&about, account, &query),
        Asked::Sources => lists::sources(&about, account, &query),
        Asked::Source(id) => {
            none().and_then(|()| lists::source(&about, account, id).ok_or_else(|| missing(call.path)))
        }
        Asked::Upload { source, upload } => {
            none().and_then(|()| lists::upload(&about, account, source, upload))
        }
        Asked::Products => lists::products(&about, account, &query),
        Asked::Product(id) => {
            none().and_then(|()| lists::product(&about, account, id).ok_or_else(|| missing(call.path)))
        }
    };
    match found {
        Ok(body) => Answer::json(200, &body),
        Err(refusal) => refusal,
    }
}

fn missing(path: &str) -> Answer {
    let name = path.split_once("/v1/").map_or(path, |(_, name)| name);
    refuse(
        404,
        &format!("Requested entity was not found: {name}"),
        "NOT_FOUND",
        &[],
    )
}
