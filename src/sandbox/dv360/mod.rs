//! Display & Video 360 API v4: advertisers, campaigns, insertion orders, line items, creatives, assigned targeting and asset uploads.
//!
//! Must not be kinder than the vendor: what it would refuse is refused here, in its shape; and in one thing it is stricter,
//! fields that are for output only are refused, not ignored. Reference:
//! <https://developers.google.com/display-video/api/reference/rest/v4>.

mod accounts;
mod assets;
mod budgets;
mod creatives;
mod filter;
mod lists;
mod masks;
mod rules;
mod schema;
mod targeting;
#[cfg(test)]
mod tests;
mod write;

use super::google_rpc::{self, Violation, bad_request};
use super::http::{Answer, Call, Described, Vendor};
use super::store::Handle;
use super::world::World;
use axum::http::Method;
use serde_json::{Map, Value, json};

/// The vendor's name in faults, journal and object list.
const NAME: &str = "dv360";

pub(super) const VENDOR: Vendor = Vendor {
    name: NAME,
    mount: "/dv360",
    describe,
    answer,
    error: injected,
    configure: accounts::configure,
};

/// The version that this sandbox speaks.
const VERSION: &str = "v4";

/// One kind of resource.
#[derive(Debug)]
struct Kind {
    /// As the store calls it.
    name: &'static str,
    /// As paths and lists call it.
    collection: &'static str,
    /// As the schema calls it.
    message: &'static str,
    /// The field that holds its id.
    id: &'static str,
    /// The largest page.
    page: usize,
    /// What lists are sorted by, the default first.
    orders: &'static [&'static str],
    /// What lists are filtered by.
    filters: &'static [&'static str],
}

/// Page sizes, orders and filters as the `list` methods name them, for example
/// <https://developers.google.com/display-video/api/reference/rest/v4/advertisers.creatives/list>.
static KINDS: [Kind; 4] = [
    Kind {
        name: "campaign",
        collection: "campaigns",
        message: "Campaign",
        id: "campaignId",
        page: 200,
        orders: &["displayName", "entityStatus", "updateTime"],
        filters: &["campaignId", "displayName", "entityStatus", "updateTime"],
    },
    Kind {
        name: "insertion_order",
        collection: "insertionOrders",
        message: "InsertionOrder",
        id: "insertionOrderId",
        page: 100,
        orders: &["displayName", "entityStatus", "updateTime"],
        filters: &["campaignId", "displayName", "entityStatus", "updateTime"],
    },
    Kind {
        name: "line_item",
        collection: "lineItems",
        message: "LineItem",
        id: "lineItemId",
        page: 200,
        orders: &["displayName", "entityStatus", "updateTime"],
        filters: &[
            "campaignId",
            "displayName",
            "entityStatus",
            "insertionOrderId",
            "lineItemId",
            "lineItemType",
            "updateTime",
        ],
    },
    Kind {
        name: "creative",
        collection: "creatives",
        message: "Creative",
        id: "creativeId",
        page: 200,
        orders: &["creativeId", "createTime", "mediaDuration", "dimensions"],
        filters: &[
            "approvalStatus",
            "creativeId",
            "creativeType",
            "dimensions",
            "dynamic",
            "entityStatus",
            "exchangeReviewStatus",
            "lineItemIds",
            "maxDuration",
            "minDuration",
            "updateTime",
        ],
    },
];

/// A refusal.
#[derive(Debug, Clone, PartialEq)]
struct Fault {
    status: u16,
    message: String,
}

impl Fault {
    fn new(status: u16, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
        }
    }

    /// A request that breaks a rule.
    fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, message)
    }

    fn missing() -> Self {
        Self::new(404, "Requested entity was not found.")
    }

    /// The canonical code of `google.rpc.Code`, where an error is one of several in an answer.
    fn code(&self) -> u8 {
        match self.status {
            400 => 3,
            404 => 5,
            409 => 10,
            _ => 13,
        }
    }

    fn answer(&self) -> Answer {
        google_rpc::error(self.status, &self.message, Vec::new())
    }
}

impl From<Vec<Violation>> for Fault {
    fn from(violations: Vec<Violation>) -> Self {
        let all: Vec<String> = violations.into_iter().map(|v| v.description).collect();
        Self::invalid(all.join("\n"))
    }
}

/// An error for a fault that names a status or a canonical code (`RESOURCE_EXHAUSTED`) but no body.
fn injected(_: &mut World, status: u16, error: Option<&str>) -> Answer {
    let (code, message) = match error {
        Some("RESOURCE_EXHAUSTED") => (429, QUOTA),
        Some("ABORTED") => (409, write::ABORTED),
        Some("NOT_FOUND") => (404, "Requested entity was not found."),
        Some("PERMISSION_DENIED") => (403, "The caller does not have permission"),
        Some("UNAUTHENTICATED") => (401, "Request had invalid authentication credentials."),
        Some("DEADLINE_EXCEEDED") => (504, "Deadline exceeded."),
        Some("UNAVAILABLE") => (503, "The service is currently unavailable."),
        Some("INTERNAL") => (500, "Internal error encountered."),
        Some(message) => (400, message),
        None => (if status == 0 { 500 } else { status }, "Injected by a fault."),
    };
    google_rpc::error(if status == 0 { code } else { status }, message, Vec::new())
}

/// What is said when a quota is used up.
const QUOTA: &str = "Quota exceeded for quota metric 'Requests' and limit 'Requests per minute per advertiser' of service \
                     'displayvideo.googleapis.com'.";

/// The same where all advertisers of the project used it up together.
const PROJECT_QUOTA: &str = "Quota exceeded for quota metric 'Requests' and limit 'Requests per minute' of service \
                             'displayvideo.googleapis.com'.";

/// Where a path leads: `/v4/advertisers/99/lineItems/1` is `99` and `["lineItems", "1"]`.
fn place(path: &str) -> Option<(&str, Vec<&str>)> {
    let rest = path
        .strip_prefix("/upload")
        .unwrap_or(path)
        .strip_prefix('/')?
        .split_once('/')?
        .1;
    let mut segments = rest.strip_prefix("advertisers/")?.split('/');
    let advertiser = segments.next()?;
    Some((advertiser, segments.collect()))
}

fn describe(_: &World, call: &Call<'_>) -> Described {
    let (advertiser, segments) = place(call.path).unwrap_or(("", Vec::new()));
    let verb = |one: bool| match (call.method.as_str(), one) {
        ("POST", _) => "create",
        ("PATCH", _) => "update",
        ("DELETE", _) => "delete",
        (_, true) => "get",
        (_, false) => "list",
    };
    let method = match segments[..] {
        [] if advertiser.ends_with(":audit") => "dv360.advertisers.audit".to_owned(),
        [] => format!("dv360.advertisers.{}", verb(true)),
        ["assets"] => "dv360.assets.upload".to_owned(),
        [_, _, "targetingTypes", ..] => format!("dv360.targeting.{}", verb(segments.len() > 5)),
        [collection] => match collection.split_once(':') {
            Some((collection, custom)) => format!("dv360.{collection}.{custom}"),
            None => format!("dv360.{collection}.{}", verb(false)),
        },
        [collection, _] => format!("dv360.{collection}.{}", verb(true)),
        _ => "dv360.other".to_owned(),
    };
    Described {
        method,
        account: advertiser.split(':').next().unwrap_or("").to_owned(),
    }
}

fn answer(world: &mut World, call: &Call<'_>) -> Answer {
    if let Err(denied) = world.bearer(NAME, call.headers) {
        return google_rpc::unauthenticated(denied);
    }
    match routed(world, call) {
        Ok(answer) => answer,
        Err(fault) => fault.answer(),
    }
}

/// A query parameter, unescaped.
fn parameter(call: &Call<'_>, name: &str) -> Option<String> {
    let mut pairs = url::form_urlencoded::parse(call.query.as_bytes());
    pairs
        .find(|(n, _)| n == name)
        .map(|(_, value)| value.into_owned())
}

/// All values of a query parameter.
fn parameters(call: &Call<'_>, name: &str) -> Vec<String> {
    url::form_urlencoded::parse(call.query.as_bytes())
        .filter(|(n, _)| n == name)
        .map(|(_, value)| value.into_owned())
        .collect()
}

/// Refuses query parameters that a method does not have; `alt=json`, `prettyPrint` and the like every Google API has.
fn only(call: &Call<'_>, known: &[&str]) -> Result<(), Fault> {
    const COMMON: &[&str] = &["alt", "prettyPrint", "fields", "key", "quotaUser"];
    for (name, _) in url::form_urlencoded::parse(call.query.as_bytes()) {
        if !known.contains(&name.as_ref()) && !COMMON.contains(&name.as_ref()) {
            let violation = Violation {
                field: String::new(),
                description: format!(
                    "Invalid JSON payload received. Unknown name \"{name}\": Cannot bind query parameter."
                ),
            };
            return Err(Fault::from(vec![violation]));
        }
    }
    Ok(())
}

/// The request's body as an object.
fn body(call: &Call<'_>) -> Result<Map<String, Value>, Fault> {
    serde_json::from_slice(call.body)
        .map_err(|error| Fault::invalid(format!("Invalid JSON payload received. {error}")))
}

/// The object of a kind with this id, unless it is deleted.
fn object(world: &World, advertiser: &str, kind: &Kind, id: &str) -> Option<Handle> {
    let key = format!("advertisers/{advertiser}/{}/{id}", kind.collection);
    let handle = world.store.find(NAME, &key)?;
    (world.store.get(handle).text("entityStatus") != write::DELETED).then_some(handle)
}

fn routed(world: &mut World, call: &Call<'_>) -> Result<Answer, Fault> {
    let unknown = || Fault::new(404, "Method not found.");
    let upload = call.path.starts_with("/upload/");
    let version = call.path.split('/').nth(if upload { 2 } else { 1 });
    if version != Some(VERSION) {
        return Err(unknown());
    }
    let (advertiser, segments) = place(call.path).ok_or_else(unknown)?;
    let (advertiser, custom) = advertiser
        .split_once(':')
        .map_or((advertiser, None), |(id, custom)| (id, Some(custom)));
    if advertiser.is_empty() || !advertiser.bytes().all(|b| b.is_ascii_digit()) {
        return Err(Fault::invalid(format!(
            "Invalid value at 'advertiser_id' (TYPE_INT64), \"{advertiser}\""
        )));
    }
    let account = accounts::ensure(world, advertiser).ok_or_else(Fault::missing)?;
    accounts::count(world, account, call.method != Method::GET)?;
    let kind = |collection: &str| KINDS.iter().find(|k| k.collection == collection);
    match (call.method.as_str(), custom, &segments[..]) {
        ("GET", None, []) => {
            only(call, &[])?;
            Ok(Answer::json(200, &accounts::render(world, account)))
        }
        ("GET", Some("audit"), []) => Ok(Answer::json(200, &accounts::audit(world, advertiser))),
        ("POST", None, ["assets"]) if upload => assets::upload(world, call, advertiser),
        ("POST", None, ["lineItems:bulkEditAssignedTargetingOptions"]) => {
            only(call, &[])?;
            targeting::bulk_edit(world, advertiser, body(call)?)
        }
        ("GET", None, ["lineItems:bulkListAssignedTargetingOptions"]) => {
            targeting::bulk_list(world, call, advertiser)
        }
        ("POST", None, ["lineItems:bulkUpdate"]) => write::bulk_update(world, advertiser, body(call)?),
        (
            _,
            None,
            [
                "lineItems",
                id,
                "targetingTypes",
                kind,
                "assignedTargetingOptions",
                rest @ ..,
            ],
        ) => targeting::single(world, call, (advertiser, id), kind, rest),
        ("GET", None, [collection]) => {
            only(call, &["filter", "orderBy", "pageSize", "pageToken"])?;
            let kind = kind(collection).ok_or_else(unknown)?;
            Ok(Answer::json(200, &lists::list(world, call, advertiser, kind)?))
        }
        ("POST", None, [collection]) => {
            only(call, &[])?;
            write::create(
                world,
                advertiser,
                kind(collection).ok_or_else(unknown)?,
                body(call)?,
            )
        }
        (method, None, [collection, id]) => {
            let kind = kind(collection).ok_or_else(unknown)?;
            let handle = object(world, advertiser, kind, id).ok_or_else(Fault::missing)?;
            match method {
                "GET" => {
                    only(call, &[])?;
                    Ok(Answer::json(200, &lists::render(world, kind, handle)))
                }
                "PATCH" => {
                    only(call, &["updateMask"])?;
                    let mask = parameter(call, "updateMask").unwrap_or_default();
                    write::patch(world, kind, handle, &mask, body(call)?)
                }
                "DELETE" => write::delete(world, kind, handle),
                _ => Err(unknown()),
            }
        }
        _ => Err(unknown()),
    }
}

/// The refusal of a body that does not fit its message.
fn unfit(violations: &[Violation]) -> Answer {
    bad_request(violations)
}

/// An empty answer.
fn empty() -> Answer {
    Answer::json(200, &json!({})).with_effect(true)
}
