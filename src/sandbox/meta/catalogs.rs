//! Product catalogs, as far as their health goes: every catalog is well, unless the world says otherwise.
//!
//! `{"catalogs": {"meta/900001": {"products": 120, "critical": 3, "warning": 1, "feed": "failed"}}}`, `meta/*` for all. `critical`
//! and `warning` are products that upload errors affect; `feed` is `fine`, `failed` (never ended), `empty`, `old` or `none`;
//! `diagnostics` is a list of diagnosis groups, as the vendor shows them; `state` is `no_access` where the token may not see it.
//!
//! A catalog's feed is its id with `01` behind it, the feed's last upload that with another `1`. Sources:
//! <https://developers.facebook.com/docs/marketing-api/reference/product-catalog/diagnostics>,
//! <https://developers.facebook.com/docs/marketing-api/reference/product-feed-upload>.

use super::errors::Fault;
use super::params::{Params, json as json_param, only, text};
use super::render;
use crate::sandbox::world::World;
use chrono::{SecondsFormat, TimeDelta};
use serde_json::{Map, Value, json};

/// What can be asked of a catalog, a feed, an upload.
const EDGES: &[(&str, &str)] = &[
    ("product_feeds", ""),
    ("diagnostics", ""),
    ("uploads", "01"),
    ("errors", "011"),
];

fn settings<'a>(world: &'a World, catalog: &str) -> Option<&'a Map<String, Value>> {
    let own = world.switches.catalogs.get(&format!("meta/{catalog}"));
    own.or_else(|| world.switches.catalogs.get("meta/*"))
}

fn count(world: &World, catalog: &str, name: &str, default: u64) -> u64 {
    let set = settings(world, catalog).and_then(|s| s.get(name));
    set.and_then(Value::as_u64).unwrap_or(default)
}

fn word<'a>(world: &'a World, catalog: &str, name: &str) -> &'a str {
    let set = settings(world, catalog).and_then(|s| s.get(name));
    set.and_then(Value::as_str).unwrap_or("")
}

/// Whether the request is for a catalog or one of its parts; then the answer.
pub(super) fn answer(
    world: &World,
    node: &str,
    rest: &[&str],
    params: &Params,
) -> Option<Result<Value, Fault>> {
    if node.is_empty() || !node.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let edge = match rest {
        [] if text(params, "fields").contains("product_count") => None,
        [edge] => Some(EDGES.iter().find(|(name, _)| name == edge)?),
        _ => return None,
    };
    let catalog = match edge {
        None => node,
        Some((_, suffix)) => node.strip_suffix(suffix).unwrap_or(""),
    };
    if catalog.is_empty() || word(world, catalog, "state") == "no_access" {
        return Some(Err(Fault::missing(node, "get")));
    }
    Some(match edge {
        None => head(world, catalog, params),
        Some(("product_feeds", _)) => feeds(world, catalog, params),
        Some(("diagnostics", _)) => diagnostics(world, catalog, params),
        Some(("uploads", _)) => uploads(world, catalog, params),
        Some(_) => errors(world, catalog, params),
    })
}

fn picked(table: &str, value: Value, params: &Params) -> Result<Value, Fault> {
    let asked = render::parse(text(params, "fields"))?;
    let map = value.as_object().cloned().unwrap_or_default();
    render::picked(table, &map, &asked)
}

fn rows(table: &str, values: Vec<Value>, params: &Params) -> Result<Value, Fault> {
    let rows = values.into_iter().map(|v| picked(table, v, params));
    Ok(json!({"data": rows.collect::<Result<Vec<_>, _>>()?}))
}

const PAGING: &[&str] = &["limit", "after", "before", "summary"];

fn known(params: &Params, more: &[&str]) -> Result<(), Fault> {
    only(params, &[PAGING, more].concat())
}

fn head(world: &World, catalog: &str, params: &Params) -> Result<Value, Fault> {
    known(params, &[])?;
    let products = count(world, catalog, "products", 120);
    let head = json!({"id": catalog, "name": format!("Catalog {catalog}"), "product_count": products});
    picked("product_catalog", head, params)
}

fn feeds(world: &World, catalog: &str, params: &Params) -> Result<Value, Fault> {
    known(params, &[])?;
    let feed = json!({"id": format!("{catalog}01"), "name": "Main feed", "schedule": {"interval": "DAILY", "hour": 6}});
    let feeds = if word(world, catalog, "feed") == "none" {
        Vec::new()
    } else {
        vec![feed]
    };
    rows("product_feeds", feeds, params)
}

fn uploads(world: &World, catalog: &str, params: &Params) -> Result<Value, Fault> {
    known(params, &[])?;
    let (age, ended, items) = match word(world, catalog, "feed") {
        "failed" => (TimeDelta::days(2), false, 0),
        "empty" => (TimeDelta::hours(1), true, 0),
        "old" => (TimeDelta::days(30), true, 120),
        _ => (TimeDelta::hours(1), true, count(world, catalog, "products", 120)),
    };
    let stamp = |at: chrono::DateTime<chrono::Utc>| {
        at.to_rfc3339_opts(SecondsFormat::Secs, true)
            .replace('Z', "+0000")
    };
    let started = world.now - age;
    let mut upload = json!({
        "id": format!("{catalog}011"), "start_time": stamp(started), "input_method": "Server Fetch",
        "error_count": count(world, catalog, "critical", 0), "warning_count": count(world, catalog, "warning", 0),
        "num_detected_items": items, "num_persisted_items": items, "num_invalid_items": 0,
    });
    if ended {
        upload["end_time"] = stamp(started + TimeDelta::minutes(10)).into();
    }
    rows("uploads", vec![upload], params)
}

fn errors(world: &World, catalog: &str, params: &Params) -> Result<Value, Fault> {
    known(params, &["error_priority"])?;
    one_of(params, "error_priority", "error_priority")?;
    let error = |n: u64, severity: &str, kind: &str, summary: &str| {
        json!({
            "id": format!("{catalog}0119{n}"), "severity": severity, "error_type": kind, "summary": summary,
            "description": summary, "total_count": n, "affected_surfaces": ["Dynamic Ads"],
        })
    };
    let fatal = count(world, catalog, "critical", 0);
    let warnings = count(world, catalog, "warning", 0);
    let mut all = Vec::new();
    if fatal > 0 {
        all.push(error(
            fatal,
            "fatal",
            "MISSING_REQUIRED_PRICE",
            "A required field is missing: price",
        ));
    }
    if warnings > 0 {
        all.push(error(
            warnings,
            "warning",
            "TITLE_TOO_LONG",
            "The title is too long",
        ));
    }
    rows("errors", all, params)
}

/// One of an enum's values.
fn one_of(params: &Params, name: &str, table: &str) -> Result<(), Fault> {
    match text(params, name) {
        "" => Ok(()),
        value if super::api::Api::get().has("enum", table, value) => Ok(()),
        value => Err(Fault::invalid(name, &format!("{value} is not one of its values"))),
    }
}

fn diagnostics(world: &World, catalog: &str, params: &Params) -> Result<Value, Fault> {
    let lists = [
        ("types", "diagnostic_type"),
        ("severities", "diagnostic_severity"),
        ("affected_channels", "diagnostic_channel"),
    ];
    known(
        params,
        &[
            "types",
            "severities",
            "affected_channels",
            "affected_entities",
            "affected_features",
        ],
    )?;
    for (name, table) in lists {
        let values = json_param(params, name)?;
        let wrong = |v: &&Value| {
            !v.as_str()
                .is_some_and(|v| super::api::Api::get().has("enum", table, v))
        };
        if values
            .iter()
            .filter_map(Value::as_array)
            .flatten()
            .any(|v| wrong(&v))
        {
            return Err(Fault::invalid(name, "not one of its values"));
        }
    }
    let set = settings(world, catalog).and_then(|s| s.get("diagnostics"));
    let wanted = |name: &str| -> Result<Option<Vec<Value>>, Fault> {
        Ok(json_param(params, name)?.and_then(|v| v.as_array().cloned()))
    };
    let (types, severities) = (wanted("types")?, wanted("severities")?);
    let fits = |group: &&Value| {
        let one = |wanted: &Option<Vec<Value>>, field: &str| {
            wanted.as_ref().is_none_or(|w| w.contains(&group[field]))
        };
        one(&types, "type") && one(&severities, "severity")
    };
    let groups = set.and_then(Value::as_array).into_iter().flatten();
    rows("diagnostics", groups.filter(fits).cloned().collect(), params)
}
