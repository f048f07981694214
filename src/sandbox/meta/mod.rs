//! Meta Marketing API v26.0: ad accounts, campaigns, ad sets, creatives, ads, labels, insights and batches.
//!
//! Must not be kinder than the vendor: what it would refuse is refused here, in its shape; and in one thing it is stricter,
//! it refuses parameters that it does not know. Reference: <https://developers.facebook.com/docs/marketing-api/reference/v26.0>.

mod accounts;
mod api;
mod batch;
mod catalogs;
mod creatives;
mod errors;
mod lists;
mod media;
mod params;
mod render;
mod rules;
mod status;
#[cfg(test)]
mod tests;
mod usage;
mod write;

use super::http::{Answer, Call, Described, Vendor};
use super::store::Handle;
use super::world::World;
use axum::http::Method;
use errors::Fault;
use hmac::{Hmac, KeyInit, Mac};
use lists::Scope;
use params::{Params, text};
use serde_json::{Value, json};
use sha2::Sha256;

/// The vendor's name in faults, journal and object list.
const NAME: &str = "meta";

pub(super) const VENDOR: Vendor = Vendor {
    name: NAME,
    mount: "/meta",
    describe,
    answer,
    error: errors::injected,
    configure: accounts::configure,
};

/// The version that this sandbox speaks; any other is refused as dead.
const VERSION: &str = "v26.0";
/// A token that begins like this is valid.
const TOKEN: &str = "sandbox-meta-token";
/// The app secret behind every token.
const SECRET: &str = "sandbox-meta-secret";

/// The edges, and what they hold.
const EDGES: &[(&str, &str)] = &[
    ("campaigns", "campaign"),
    ("adsets", "adset"),
    ("adcreatives", "adcreative"),
    ("ads", "ad"),
    ("adlabels", "adlabel"),
    ("adimages", "adimage"),
    ("advideos", "advideo"),
];

/// The edge that a kind lives on; for an account, its own name.
fn edge_of(kind: &'static str) -> &'static str {
    EDGES
        .iter()
        .find(|(_, k)| *k == kind)
        .map_or(kind, |(edge, _)| edge)
}

/// What an edge holds.
fn kind_of(edge: &str) -> Option<&'static str> {
    EDGES.iter().find(|(e, _)| *e == edge).map(|(_, kind)| *kind)
}

fn segments<'a>(call: &Call<'a>) -> Vec<&'a str> {
    call.path.split('/').filter(|s| !s.is_empty()).skip(1).collect()
}

fn describe(world: &World, call: &Call<'_>) -> Described {
    let verb = |read: &'static str, write: &'static str| match call.method.as_str() {
        "GET" => read,
        "DELETE" => "delete",
        _ => write,
    };
    let known = |id: &str| world.store.find(NAME, id).map(|h| world.store.get(h));
    let (method, account) = match segments(call)[..] {
        [] if call.method == Method::POST => ("meta.batch".to_owned(), String::new()),
        [node] | [node, ""] if node.starts_with("act_") => (
            format!("meta.account.{}", verb("get", "update")),
            node[4..].to_owned(),
        ),
        [node, edge] => {
            let account = match node.strip_prefix("act_") {
                Some(account) => account.to_owned(),
                None => known(node).map_or_else(String::new, |o| o.account.clone()),
            };
            let read = if edge == "minimum_budgets" { "get" } else { "list" };
            (format!("meta.{edge}.{}", verb(read, "create")), account)
        }
        [node] => match known(node) {
            Some(object) => (
                format!("meta.{}.{}", edge_of(object.kind), verb("get", "update")),
                object.account.clone(),
            ),
            None => (format!("meta.unknown.{}", verb("get", "update")), String::new()),
        },
        _ => ("meta.other".to_owned(), String::new()),
    };
    Described { method, account }
}

/// The token of a call, wherever it stands.
fn token(call: &Call<'_>, params: &Params) -> String {
    let header = call
        .headers
        .get("authorization")
        .and_then(|v| v.to_str().ok())
        .unwrap_or("");
    match text(params, "access_token") {
        "" => header
            .strip_prefix("Bearer ")
            .or_else(|| header.strip_prefix("OAuth "))
            .unwrap_or("")
            .to_owned(),
        token => token.to_owned(),
    }
}

/// `appsecret_proof` = HMAC-SHA256 of the token under the app secret, in hexadecimal:
/// <https://developers.facebook.com/docs/graph-api/guides/secure-requests>.
fn proof(token: &str) -> String {
    match Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()) {
        Ok(mut mac) => {
            mac.update(token.as_bytes());
            hex::encode(mac.finalize().into_bytes())
        }
        // A key of any length is a valid HMAC key.
        Err(_) => String::new(),
    }
}

fn authenticated(world: &mut World, call: &Call<'_>, params: &Params) -> Result<(), Fault> {
    let token = token(call, params);
    if token.is_empty() {
        let message = "An access token is required to request this resource.";
        return Err(Fault::new(104, message));
    }
    if world.expire_now(NAME) || world.switches.revoked.iter().any(|r| r == "*" || *r == token) {
        let message =
            "Error validating access token: Session has expired on Tuesday, 24-Nov-26 00:00:00 PST.";
        return Err(Fault::new(190, message).sub(463));
    }
    if !token.starts_with(TOKEN) {
        return Err(Fault::new(
            190,
            "Invalid OAuth access token - Cannot parse access token",
        ));
    }
    match text(params, "appsecret_proof") {
        "" if world.switches.require_appsecret_proof => Err(Fault::new(
            104,
            "API calls from the server require an appsecret_proof argument",
        )),
        "" => Ok(()),
        sent if sent == proof(&token) => Ok(()),
        _ => Err(Fault::new(
            104,
            "Invalid appsecret_proof provided in the API argument",
        )),
    }
}

fn answer(world: &mut World, call: &Call<'_>) -> Answer {
    let done = routed(world, call);
    let answer = match done {
        Ok(answer) => answer,
        Err(fault) => {
            let denied = fault.code == 190;
            let answer = fault.answer(world);
            if denied {
                answer.with_header(
                    "www-authenticate",
                    "OAuth \"Facebook Platform\" \"invalid_token\"".into(),
                )
            } else {
                answer
            }
        }
    };
    let account = describe(world, call).account;
    usage::with_headers(world, &account, answer).with_header("facebook-api-version", VERSION.into())
}

fn routed(world: &mut World, call: &Call<'_>) -> Result<Answer, Fault> {
    let version = call.path.split('/').nth(1).unwrap_or("");
    if version != VERSION {
        let message = format!("(#2635) You are calling a deprecated version of the Ads API: {version}");
        return Err(Fault::new(2635, message));
    }
    let params = params::read(call)?;
    authenticated(world, call, &params)?;
    let method = match (
        call.method.as_str(),
        text(&params, "method").to_lowercase().as_str(),
    ) {
        ("POST", "delete") => "DELETE",
        ("POST", "get") => "GET",
        (method, _) => method,
    };
    let segments = segments(call);
    match (method, &segments[..]) {
        ("POST", []) => batch::answer(world, call, &params),
        (_, [node, rest @ ..]) if node.starts_with("act_") => {
            on_account(world, call, method, &node[4..], rest, &params)
        }
        (_, [node, rest @ ..]) => on_object(world, call, method, node, rest, &params),
        _ => Err(Fault::new(2500, "Unknown path components")),
    }
}

/// The URL of this call without its query, for links to the next page.
fn here(call: &Call<'_>) -> String {
    let host = call
        .headers
        .get("host")
        .and_then(|v| v.to_str().ok())
        .unwrap_or("localhost");
    format!("http://{host}/meta{}", call.path)
}

fn on_account(
    world: &mut World,
    call: &Call<'_>,
    method: &str,
    account: &str,
    rest: &[&str],
    params: &Params,
) -> Result<Answer, Fault> {
    let verb = method.to_lowercase();
    let missing = || Fault::missing(&format!("act_{account}"), &verb);
    if account.is_empty() || !account.bytes().all(|b| b.is_ascii_digit()) {
        return Err(missing());
    }
    let handle = accounts::ensure(world, account).ok_or_else(missing)?;
    usage::charge(world, account, method != "GET")?;
    let ok = |value: Value| Ok(Answer::json(200, &value));
    match (method, rest) {
        ("GET", []) => {
            params::only(params, &[])?;
            ok(render::object(
                world,
                handle,
                &render::parse(text(params, "fields"))?,
            )?)
        }
        ("GET", ["minimum_budgets"]) => {
            let minimum = accounts::minimum_daily(world, account);
            let currency = accounts::fields(world, account)
                .and_then(|f| f.get("currency"))
                .cloned();
            ok(json!({"data": [{
                "currency": currency, "min_daily_budget_imp": minimum, "min_daily_budget_high_freq": minimum * 5,
                "min_daily_budget_low_freq": minimum * 40, "min_daily_budget_video_views": minimum,
            }]}))
        }
        ("GET", ["insights"]) => ok(lists::insights(world, handle, params)?),
        ("GET", ["adimages"]) => ok(media::list(world, account, "adimage", params)?),
        ("GET", ["advideos"]) => ok(media::list(world, account, "advideo", params)?),
        ("GET", [edge]) => {
            let (edge, scope) = match edge.strip_suffix("bylabels") {
                Some(edge) => (edge, Scope::Labelled),
                None => (*edge, Scope::Account),
            };
            let kind = kind_of(edge).ok_or_else(missing)?;
            ok(lists::list(world, account, kind, &scope, params, &here(call))?)
        }
        ("POST", [edge @ ("adimages" | "advideos")]) => {
            let add = if *edge == "adimages" {
                media::add_image
            } else {
                media::add_video
            };
            let (value, effect) = add(world, account, params)?;
            Ok(Answer::json(200, &value).with_effect(effect))
        }
        ("POST", [edge]) => {
            let kind = kind_of(edge).ok_or_else(missing)?;
            let (value, effect) = write::create(world, account, kind, params)?;
            Ok(Answer::json(200, &value).with_effect(effect))
        }
        _ => Err(missing()),
    }
}

fn on_object(
    world: &mut World,
    call: &Call<'_>,
    method: &str,
    node: &str,
    rest: &[&str],
    params: &Params,
) -> Result<Answer, Fault> {
    let verb = method.to_lowercase();
    let missing = || Fault::missing(node, &verb);
    if method == "GET"
        && world.store.find(NAME, node).is_none()
        && let Some(answer) = catalogs::answer(world, node, rest, params)
    {
        return Ok(Answer::json(200, &answer?));
    }
    let handle: Handle = world.store.find(NAME, node).ok_or_else(missing)?;
    let (kind, account) = (
        world.store.get(handle).kind,
        world.store.get(handle).account.clone(),
    );
    usage::charge(world, &account, method != "GET")?;
    match (method, rest) {
        // By id an object can be read at once: lists may lag, ids do not.
        ("GET", []) => {
            params::only(params, &["review_feedback_breakdown"])?;
            let value = render::object(world, handle, &render::parse(text(params, "fields"))?)?;
            Ok(Answer::json(200, &value))
        }
        ("POST", []) => {
            let (value, effect) = write::update(world, handle, params)?;
            Ok(Answer::json(200, &value).with_effect(effect))
        }
        ("DELETE", []) => {
            params::only(params, &[])?;
            let (value, effect) = write::delete(world, handle);
            Ok(Answer::json(200, &value).with_effect(effect))
        }
        ("GET", ["insights"]) => Ok(Answer::json(200, &lists::insights(world, handle, params)?)),
        ("GET", [edge]) => {
            let below: &[&str] = match kind {
                "campaign" => &["adsets", "ads"],
                "adset" => &["ads", "adcreatives"],
                "ad" => &["adcreatives"],
                _ => &[],
            };
            let inner = kind_of(edge)
                .filter(|_| below.contains(edge))
                .ok_or_else(missing)?;
            let value = lists::list(world, &account, inner, &Scope::Below(handle), params, &here(call))?;
            Ok(Answer::json(200, &value))
        }
        _ => Err(missing()),
    }
}
