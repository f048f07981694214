//! Looking: what bears the name of something whose outcome is unknown, and what is there of a leg.
//!
//! Must not change anything, nor judge what it finds (`reading` does).
//!
//! Where to look: a campaign by its exact name; insertion orders and line items below the campaign; all of them whatever their
//! status, for a list leaves archived ones out unless it is asked for a status. Creatives have no filter for names: those of the
//! same type and size are listed, first what is not archived, then what is (at most one restriction of the status), and their
//! names are compared here. Targeting has no name: it is there if the line item has any. Names and our own keys are compared
//! exactly, here.

use super::mapping::{KINDS, Kind, kind};
use super::reading::{self, Rows};
use super::transport::{get, list, pages};
use super::{FILTER, VERSION};
use crate::domain::manifest::{Manifest, RemoteObject};
use crate::platform::{CallError, Found, Session};
use futures::future::try_join_all;
use serde_json::Value;
use std::collections::BTreeSet;

/// Every status that an object can be found in.
const ANY_STATUS: &str = "(entityStatus=\"ENTITY_STATUS_ACTIVE\" OR entityStatus=\"ENTITY_STATUS_PAUSED\" OR \
                          entityStatus=\"ENTITY_STATUS_DRAFT\" OR entityStatus=\"ENTITY_STATUS_ARCHIVED\")";

/// Everything that bears one of the names.
pub(super) async fn find(
    session: &Session,
    manifest: &Manifest,
    keys: &[String],
) -> Result<Vec<Found>, CallError> {
    let wanted = |name: &str| -> Vec<&RemoteObject> {
        let all = manifest.objects.iter();
        all.filter(|o| o.kind == name && keys.contains(&o.key)).collect()
    };
    let mut found = Vec::new();
    for kind in &KINDS {
        let objects = wanted(kind.name);
        if objects.is_empty() {
            continue;
        }
        let rows = candidates(session, manifest, kind, &objects).await?;
        found.extend(rows.iter().flat_map(|row| reading::found(row, kind, &objects)));
    }
    for object in wanted("targeting") {
        let line = object.parent.as_deref().and_then(|parent| manifest.id(parent));
        let Some(line) = line else { continue };
        let options = assigned(session, &[line.to_owned()]).await?;
        found.extend(reading::found_targeting(object, line, &options));
    }
    Ok(found)
}

async fn candidates(
    session: &Session,
    manifest: &Manifest,
    kind: &Kind,
    objects: &[&RemoteObject],
) -> Result<Vec<Value>, CallError> {
    let mut filters = BTreeSet::new();
    match (kind.name, manifest.campaign_id()) {
        ("campaign", _) => {
            for name in objects.iter().filter_map(|o| o.name.as_deref()) {
                filters.insert(format!("displayName=\"{name}\" AND {ANY_STATUS}"));
            }
        }
        // What hangs on a campaign cannot be made before it.
        (_, None) => {}
        ("creative", Some(_)) => {
            for object in objects {
                let side = |name: &str| object.applied["dimensions"][name].as_u64().unwrap_or(0);
                let (width, height) = (side("widthPixels"), side("heightPixels"));
                let mut filter = format!(
                    "creativeType=\"{}\"",
                    object.applied["creativeType"].as_str().unwrap_or("")
                );
                if width > 0 {
                    filter.push_str(&format!(" AND dimensions=\"{width}x{height}\""));
                }
                filters.insert(format!("{filter} AND entityStatus=\"ENTITY_STATUS_ARCHIVED\""));
                filters.insert(filter);
            }
        }
        (_, Some(campaign)) => {
            filters.insert(format!("campaignId=\"{campaign}\" AND {ANY_STATUS}"));
        }
    }
    let lists = filters.iter().map(|filter| list(session, kind, filter));
    Ok(try_join_all(lists).await?.into_iter().flatten().collect())
}

/// The targeting of line items, with what they inherit.
async fn assigned(session: &Session, lines: &[String]) -> Result<Vec<Value>, CallError> {
    if lines.is_empty() {
        return Ok(Vec::new());
    }
    let query: Vec<(&str, &str)> = lines.iter().map(|id| ("lineItemIds", id.as_str())).collect();
    pages(
        session,
        "lineItems:bulkListAssignedTargetingOptions",
        "lineItemAssignedTargetingOptions",
        &query,
    )
    .await
}

/// The options assigned to one line item.
pub(super) async fn targeting_of(session: &Session, line: &str) -> Result<Vec<Value>, CallError> {
    let rows = assigned(session, &[line.to_owned()]).await?;
    Ok(rows
        .into_iter()
        .filter_map(|mut row| row.get_mut("assignedTargetingOption").map(Value::take))
        .collect())
}

/// Everything of a leg that is there. Lists leave out what is archived, which is as good as gone.
pub(super) async fn rows(session: &Session, manifest: &Manifest) -> Result<Rows, CallError> {
    let Some(campaign) = manifest.campaign_id() else {
        return Ok(Rows::default());
    };
    let path = format!(
        "{VERSION}/advertisers/{}/campaigns/{campaign}",
        session.account.account_id
    );
    let below = format!("campaignId=\"{campaign}\"");
    let (head, orders, lines) = futures::join!(
        get(session, &path),
        list(session, &KINDS[1], &below),
        list(session, &KINDS[2], &below),
    );
    let head = head?.filter(|row| row["entityStatus"] != "ENTITY_STATUS_ARCHIVED");
    let (orders, lines) = match &head {
        Some(_) => (orders?, lines?),
        // What hung on it goes with it.
        None => (Vec::new(), Vec::new()),
    };
    let ids = |row: &Value, name: &str| row[name].as_str().unwrap_or("").to_owned();
    let line_ids: Vec<String> = lines.iter().map(|row| ids(row, "lineItemId")).collect();
    // Also those that somebody else put beside ours: their clicks are ours to track.
    let shown = lines
        .iter()
        .flat_map(|row| row["creativeIds"].as_array().into_iter().flatten());
    let known = manifest.existing().filter(|o| o.kind == "creative");
    let creatives: BTreeSet<String> = shown
        .filter_map(|id| Some(id.as_str()?.to_owned()))
        .chain(known.filter_map(|o| o.remote_id.clone()))
        .collect();
    let creatives = Vec::from_iter(creatives);
    let (creatives, targeting) = futures::join!(by_id(session, &creatives), assigned(session, &line_ids));
    Ok(Rows {
        campaign: head,
        orders,
        lines,
        creatives: creatives?,
        targeting: targeting?,
    })
}

/// Creatives by their ids, as many at once as a filter holds.
async fn by_id(session: &Session, ids: &[String]) -> Result<Vec<Value>, CallError> {
    let Some(kind) = kind("creative") else {
        return Ok(Vec::new());
    };
    let mut filters: Vec<String> = Vec::new();
    for id in ids {
        let one = format!("creativeId=\"{id}\"");
        match filters.last_mut() {
            Some(last) if last.len() + one.len() + 4 <= FILTER => {
                last.push_str(" OR ");
                last.push_str(&one);
            }
            Some(_) | None => filters.push(one),
        }
    }
    let lists = filters.iter().map(|filter| list(session, kind, filter));
    Ok(try_join_all(lists).await?.into_iter().flatten().collect())
}
