//! TikTok Business API v1.3: advertisers, campaigns, ad groups, ads, files, review, reports, catalog diagnostics.
//!
//! Must not be kinder than the vendor: what it would refuse is refused here, in its shape; and in one thing it is stricter,
//! it refuses fields that it does not know. Reference: <https://business-api.tiktok.com/portal/docs>; the pages were read by way of the
//! vendor's client library (tiktok-business-api-sdk-official 1.1.3), of the Go models of <https://github.com/bububa/tiktok-business>, whose
//! comments are the vendor's own text, and of digests.

mod accounts;
mod ads;
mod api;
mod campaigns;
mod catalogs;
mod errors;
mod files;
mod groups;
mod lists;
mod quota;
mod review;
mod rules;
#[cfg(test)]
mod tests;
mod write;

use super::http::{Answer, Call, Described, Vendor};
use super::world::World;
use api::Api;
use axum::http::Method;
use errors::{Fault, envelope};
use serde_json::{Map, Value};

/// The vendor's name in faults, journal and object list.
const NAME: &str = "tiktok";

pub(super) const VENDOR: Vendor = Vendor {
    name: NAME,
    mount: "/tiktok",
    describe,
    answer,
    error: errors::injected,
    configure: accounts::configure,
};

/// Before every path.
const VERSION: &str = "/open_api/v1.3/";
/// A token that begins like this is valid.
const TOKEN: &str = "sandbox-tiktok-token";

/// The fields of a body, of a query, of an object.
type Fields = Map<String, Value>;

/// A text field, or nothing.
fn text<'v>(fields: &'v Fields, name: &str) -> &'v str {
    fields.get(name).and_then(Value::as_str).unwrap_or("")
}

/// A list of texts, or nothing.
fn texts<'v>(fields: &'v Fields, name: &str) -> Vec<&'v str> {
    let list = fields.get(name).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).collect()
}

/// `campaign/create` of `/open_api/v1.3/campaign/create/`.
fn route<'a>(call: &Call<'a>) -> Option<&'a str> {
    let path = call.path.strip_prefix(VERSION)?;
    path.strip_suffix('/')
}

fn pairs(call: &Call<'_>) -> Vec<(String, String)> {
    url::form_urlencoded::parse(call.query.as_bytes())
        .into_owned()
        .collect()
}

fn describe(_: &World, call: &Call<'_>) -> Described {
    let method = route(call).map_or_else(|| "other".to_owned(), |route| route.replace('/', "."));
    let account = if call.method == Method::GET {
        let pairs = pairs(call);
        let of = |name: &str| pairs.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
        of("advertiser_id").or_else(|| {
            let ids: Vec<String> = serde_json::from_str(&of("advertiser_ids")?).ok()?;
            ids.into_iter().next()
        })
    } else {
        let body = serde_json::from_slice::<Value>(call.body).unwrap_or_default();
        body.get("advertiser_id")
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    Described {
        method: format!("{NAME}.{method}"),
        account: account.unwrap_or_default(),
    }
}

/// The token travels in a header of its own.
fn authenticated(world: &mut World, call: &Call<'_>) -> Result<(), Fault> {
    let token = call
        .headers
        .get("access-token")
        .and_then(|v| v.to_str().ok())
        .unwrap_or("");
    if token.is_empty() {
        return Err(Fault::new(40_104, "Access token is empty."));
    }
    if world.expire_now(NAME) {
        return Err(Fault::new(40_102, "Access token is expired."));
    }
    let revoked = world.switches.revoked.iter().any(|r| r == "*" || r == token);
    if revoked || !token.starts_with(TOKEN) {
        return Err(Fault::new(
            40_105,
            "Access token is incorrect or has been revoked.",
        ));
    }
    Ok(())
}

fn answer(world: &mut World, call: &Call<'_>) -> Answer {
    match routed(world, call) {
        Ok(done) => envelope(world, done.code, done.message(), done.data).with_effect(done.effect),
        Err(fault) => fault.answer(world),
    }
}

/// What a call that was not refused came to.
struct Done {
    code: i64,
    data: Value,
    effect: bool,
}

impl Done {
    /// A read.
    fn read(data: Value) -> Self {
        Self {
            code: 0,
            data,
            effect: false,
        }
    }

    /// A write.
    fn wrote(data: Value, effect: bool) -> Self {
        Self {
            code: 0,
            data,
            effect,
        }
    }

    fn message(&self) -> &'static str {
        if self.code == 0 { "OK" } else { "Partial success." }
    }
}

fn routed(world: &mut World, call: &Call<'_>) -> Result<Done, Fault> {
    let Some(path) = route(call) else {
        return Err(Fault::new(40_051, "Invalid API version or path."));
    };
    let method = call.method.as_str().to_lowercase();
    if !Api::get().knows(&method, path) {
        return Err(Fault::new(40_400, format!("There is no {} {path}.", call.method)));
    }
    authenticated(world, call)?;
    quota::count(world, path)?;
    if call.method == Method::GET {
        let query = Api::get().query(path, &pairs(call))?;
        return get(world, path, &query);
    }
    let body = files::body(call)?;
    Api::get().check(&method, path, &body)?;
    let mark = world.store.mark();
    let done = post(world, path, body);
    if done.is_err() {
        world.store.roll_back(mark);
    }
    world.store.commit();
    done
}

fn get(world: &mut World, path: &str, query: &Fields) -> Result<Done, Fault> {
    if path.starts_with("diagnostic/") || path.starts_with("catalog/") {
        return catalogs::get(world, path, query).map(Done::read);
    }
    if path == "advertiser/info" {
        return lists::advertisers(world, query).map(Done::read);
    }
    let account = text(query, "advertiser_id").to_owned();
    accounts::ensure(world, &account).ok_or_else(|| Fault::advertiser(&account))?;
    let data = match path {
        "campaign/get" => lists::list(world, &account, "campaign", query),
        "adgroup/get" => lists::list(world, &account, "adgroup", query),
        "ad/get" => lists::list(world, &account, "ad", query),
        "ad/review_info" => review::info(world, &account, query),
        "report/integrated/get" => lists::report(world, &account, query),
        _ => files::get(world, &account, path, query),
    };
    data.map(Done::read)
}

fn post(world: &mut World, path: &str, body: Fields) -> Result<Done, Fault> {
    let account = text(&body, "advertiser_id").to_owned();
    accounts::ensure(world, &account).ok_or_else(|| Fault::advertiser(&account))?;
    let (kind, action) = path.split_once('/').unwrap_or((path, ""));
    match (kind, action) {
        (_, "create" | "update") => {
            rules::open(world, &account)?;
            match (kind, action) {
                ("campaign", "create") => write::create(world, &account, "campaign", body),
                ("campaign", _) => write::update(world, &account, "campaign", body),
                ("adgroup", "create") => write::create(world, &account, "adgroup", body),
                ("adgroup", _) => write::update(world, &account, "adgroup", body),
                (_, "create") => ads::create(world, &account, &body),
                _ => ads::update(world, &account, &body),
            }
        }
        ("campaign", _) => write::status(world, &account, "campaign", &body),
        ("adgroup", _) => write::status(world, &account, "adgroup", &body),
        ("ad", _) => write::status(world, &account, "ad", &body),
        _ => files::upload(world, &account, path, &body),
    }
}
