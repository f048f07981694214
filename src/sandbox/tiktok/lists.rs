//! Lists: `filtering`, statuses, pages; the account's own row; and the report.
//!
//! Must not change anything. Sources: /campaign/get/, /adgroup/get/, /ad/get/ (`filtering`, `page_size` 1 to 1000, 10 by default),
//! /advertiser/info/, /report/integrated/get/ of <https://business-api.tiktok.com/portal/docs>.

use super::errors::Fault;
use super::rules::{instant, one_of, required};
use super::{Fields, NAME, accounts, review, text, texts, write};
use crate::sandbox::control::money;
use crate::sandbox::store::{Handle, Object};
use crate::sandbox::world::World;
use serde_json::{Map, Value, json};

/// Ids of one filter.
const IDS: usize = 100;
const STATUSES: &[&str] = &[
    "STATUS_ALL",
    "STATUS_NOT_DELETE",
    "STATUS_DELETE",
    "STATUS_DISABLE",
    "STATUS_DELIVERY_OK",
    "STATUS_NOT_DELIVERY",
    "STATUS_TIME_DONE",
];

/// The accounts asked for.
pub(super) fn advertisers(world: &mut World, query: &Fields) -> Result<Value, Fault> {
    let ids = texts(query, "advertiser_ids");
    if ids.is_empty() || ids.len() > IDS {
        return Err(Fault::field(
            "advertiser_ids",
            "the number of ids must be between 1 and 100.",
        ));
    }
    let mut rows = Vec::new();
    for id in ids {
        let handle = accounts::ensure(world, id).ok_or_else(|| Fault::advertiser(id))?;
        let mut row = write::shown(world.store.get(handle));
        // The account's own status is called `status` too.
        row["status"] = world.store.get(handle).text("status").into();
        rows.push(narrowed(row, &texts(query, "fields")));
    }
    Ok(json!({ "list": rows }))
}

fn narrowed(mut row: Value, fields: &[&str]) -> Value {
    if let Some(map) = row.as_object_mut().filter(|_| !fields.is_empty()) {
        map.retain(|name, _| fields.contains(&name.as_str()));
    }
    row
}

/// The page that is asked for, of rows in order.
pub(super) fn paged(
    query: &Fields,
    rows: Vec<Value>,
    default: u64,
    most: u64,
) -> Result<(Vec<Value>, Value), Fault> {
    let of = |name: &str, default: u64| match query.get(name) {
        None => Ok(default),
        Some(value) => value
            .as_u64()
            .ok_or_else(|| Fault::field(name, "Not a valid integer.")),
    };
    let (page, size) = (of("page", 1)?, of("page_size", default)?);
    if page == 0 {
        return Err(Fault::field("page", "must be greater than or equal to 1."));
    }
    if size == 0 || size > most {
        return Err(Fault::field(
            "page_size",
            &format!("must be between 1 and {most}."),
        ));
    }
    let total = rows.len() as u64;
    let info =
        json!({ "page": page, "page_size": size, "total_number": total, "total_page": total.div_ceil(size) });
    let skip = usize::try_from((page - 1).saturating_mul(size)).unwrap_or(usize::MAX);
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    Ok((rows.into_iter().skip(skip).take(size).collect(), info))
}

/// Campaigns, ad groups or ads, newest first.
pub(super) fn list(world: &World, account: &str, kind: &'static str, query: &Fields) -> Result<Value, Fault> {
    let none = Map::new();
    let filter = query.get("filtering").and_then(Value::as_object).unwrap_or(&none);
    one_of(filter, "primary_status", STATUSES)?;
    for name in ["campaign_ids", "adgroup_ids", "ad_ids"] {
        if texts(filter, name).len() > IDS {
            return Err(Fault::field(name, "Longer than maximum length 100."));
        }
    }
    let (after, before) = (
        instant(filter, "creation_filter_start_time")?,
        instant(filter, "creation_filter_end_time")?,
    );
    let handles = world.store.all(NAME, account, kind);
    let rows: Vec<Value> = handles
        .iter()
        .rev()
        .filter(|h| world.store.visible(**h))
        .filter(|h| {
            let created = world.store.get(**h).created_at;
            after.is_none_or(|a| created >= a) && before.is_none_or(|b| created <= b)
        })
        .filter(|h| passes(world, **h, kind, filter))
        .map(|h| row(world, *h, query))
        .collect();
    let (rows, info) = paged(query, rows, 10, 1000)?;
    Ok(json!({ "list": rows, "page_info": info }))
}

fn passes(world: &World, handle: Handle, kind: &str, filter: &Fields) -> bool {
    let object = world.store.get(handle);
    let among = |name: &str, field: &str| {
        let ids = texts(filter, name);
        ids.is_empty() || ids.contains(&object.text(field))
    };
    // Names are looked for anywhere in a name, whatever the case: the filter is fuzzy.
    let fuzzy = |name: &str| {
        let wanted = text(filter, name).to_lowercase();
        wanted.is_empty() || object.text(name).to_lowercase().contains(&wanted)
    };
    let same = |name: &str| text(filter, name).is_empty() || text(filter, name) == object.text(name);
    among("campaign_ids", "campaign_id")
        && (kind == "campaign" || among("adgroup_ids", "adgroup_id"))
        && (kind != "ad" || among("ad_ids", "ad_id"))
        && fuzzy(&format!("{kind}_name"))
        && same("objective_type")
        && same("optimization_goal")
        && in_status(object, filter)
}

fn in_status(object: &Object, filter: &Fields) -> bool {
    let deleted = object.text("status") == "DELETED";
    match text(filter, "primary_status") {
        "STATUS_ALL" => true,
        "STATUS_DELETE" => deleted,
        "STATUS_DISABLE" => !deleted && object.text("operation_status") == "DISABLE",
        "STATUS_DELIVERY_OK" => !deleted && object.text("operation_status") == "ENABLE",
        _ => !deleted,
    }
}

fn row(world: &World, handle: Handle, query: &Fields) -> Value {
    let object = world.store.get(handle);
    let mut row = write::shown(object);
    row["secondary_status"] = review::secondary(world, handle).into();
    let parent = object.parent.map(|h| world.store.get(h));
    if let Some(parent) = parent {
        row["campaign_name"] = parent.text("campaign_name").into();
        if object.kind == "ad" {
            row["adgroup_name"] = parent.text("adgroup_name").into();
        }
    }
    narrowed(row, &texts(query, "fields"))
}

/// What campaigns spent. One that never delivered has no row.
pub(super) fn report(world: &World, account: &str, query: &Fields) -> Result<Value, Fault> {
    one_of(
        query,
        "report_type",
        &["BASIC", "AUDIENCE", "PLAYABLE_MATERIAL", "CATALOG"],
    )?;
    required(query, "dimensions")?;
    if text(query, "report_type") == "BASIC" {
        required(query, "data_level")?;
    }
    one_of(
        query,
        "data_level",
        &[
            "AUCTION_ADVERTISER",
            "AUCTION_CAMPAIGN",
            "AUCTION_ADGROUP",
            "AUCTION_AD",
        ],
    )?;
    let lifetime = query.get("query_lifetime").and_then(Value::as_bool) == Some(true);
    if !lifetime {
        for name in ["start_date", "end_date"] {
            required(query, name)?;
        }
    }
    let mut wanted: Vec<String> = Vec::new();
    for filter in query
        .get("filtering")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        if filter["field_name"] != "campaign_ids" || filter["filter_type"] != "IN" {
            return Err(Fault::field(
                "filtering",
                "only campaign_ids IN is supported here.",
            ));
        }
        let value = filter["filter_value"].as_str().unwrap_or("");
        let ids: Vec<String> =
            serde_json::from_str(value).map_err(|_| Fault::field("filter_value", "is not valid JSON"))?;
        wanted.extend(ids);
    }
    let rows = world
        .store
        .all(NAME, account, "campaign")
        .iter()
        .map(|h| world.store.get(*h));
    let rows = rows
        .filter(|o| o.spend_micros > 0 && (wanted.is_empty() || wanted.contains(&o.id)))
        .map(|o| json!({ "dimensions": { "campaign_id": o.id }, "metrics": { "spend": money(o.spend_micros) } }))
        .collect();
    let (rows, info) = paged(query, rows, 10, 1000)?;
    Ok(json!({ "list": rows, "page_info": info }))
}
