//! Looking: what bears the name of something whose outcome is unknown, and what is there of a leg.
//!
//! Must not change anything, nor judge what it finds (`reading` does).
//!
//! Where to look: a campaign by its exact name; insertion orders and line items below the campaign; all of them whatever their
//! status, for a list leaves archived ones out unless it is asked for a status. Creatives have no filter for names: those of the
//! same type and size are listed, first what is not archived, then what is (at most one restriction of the status), and their
//! names are compared here. Targeting has no name: it is there if the line item has any. Names and our own keys are compared
//! exactly, here.

use super::mapping::{KINDS, Kind};
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

/// Line items whose targeting is asked for in one call: their ids stand in its URL.
const LINES: usize = 100;

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
    let mut rows = Vec::new();
    for batch in lines.chunks(LINES) {
        let query: Vec<(&str, &str)> = batch.iter().map(|id| ("lineItemIds", id.as_str())).collect();
        let answer = pages(
            session,
            "lineItems:bulkListAssignedTargetingOptions",
            "lineItemAssignedTargetingOptions",
            &query,
        );
        rows.extend(answer.await?);
    }
    Ok(rows)
}

/// The options assigned to one line item.
pub(super) async fn targeting_of(session: &Session, line: &str) -> Result<Vec<Value>, CallError> {
    let rows = assigned(session, &[line.to_owned()]).await?;
    Ok(rows
        .into_iter()
        .filter_map(|mut row| row.get_mut("assignedTargetingOption").map(Value::take))
        .collect())
}

/// Everything of these legs that is there. Lists leave out what is archived, which is as good as gone.
pub(super) async fn rows(session: &Session, manifests: &[&Manifest]) -> Result<Vec<Rows>, CallError> {
    let campaigns: Vec<&str> = manifests.iter().filter_map(|m| m.campaign_id()).collect();
    let (heads, orders, lines) = futures::join!(
        heads(session, &campaigns),
        any_of(session, &KINDS[1], "campaignId", &campaigns),
        any_of(session, &KINDS[2], "campaignId", &campaigns),
    );
    let heads = heads?;
    let (orders, lines) = if heads.is_empty() {
        // What hung on them goes with them.
        (Vec::new(), Vec::new())
    } else {
        (orders?, lines?)
    };
    let alive = |id: Option<&str>| heads.iter().any(|head| id == head["campaignId"].as_str());
    let lines: Vec<Value> = lines
        .into_iter()
        .filter(|line| alive(line["campaignId"].as_str()))
        .collect();
    let line_ids: Vec<String> = lines.iter().map(|row| id(row, "lineItemId").to_owned()).collect();
    let creatives: BTreeSet<&str> = manifests
        .iter()
        .flat_map(|m| creatives_of(m, lines.iter()))
        .collect();
    let creatives = Vec::from_iter(creatives);
    let (creatives, targeting) = futures::join!(
        any_of(session, &KINDS[3], "creativeId", &creatives),
        assigned(session, &line_ids)
    );
    let (creatives, targeting) = (creatives?, targeting?);
    let of = |rows: &[Value], name: &str, wanted: &[&str]| -> Vec<Value> {
        let its = rows.iter().filter(|row| wanted.contains(&id(row, name)));
        its.cloned().collect()
    };
    let one = |manifest: &&Manifest| {
        let Some(campaign) = manifest.campaign_id() else {
            return Rows::default();
        };
        let lines = of(&lines, "campaignId", &[campaign]);
        let line_ids: Vec<&str> = lines.iter().map(|row| id(row, "lineItemId")).collect();
        Rows {
            campaign: of(&heads, "campaignId", &[campaign]).pop(),
            orders: if alive(Some(campaign)) {
                of(&orders, "campaignId", &[campaign])
            } else {
                Vec::new()
            },
            creatives: of(&creatives, "creativeId", &creatives_of(manifest, lines.iter())),
            targeting: of(&targeting, "lineItemId", &line_ids),
            lines,
        }
    };
    Ok(manifests.iter().map(one).collect())
}

fn id<'r>(row: &'r Value, name: &str) -> &'r str {
    row[name].as_str().unwrap_or("")
}

/// The creatives to look at for a leg: its own, and those that somebody else put beside them on its line items, whose clicks are
/// ours to track.
fn creatives_of<'r>(manifest: &'r Manifest, lines: impl Iterator<Item = &'r Value>) -> Vec<&'r str> {
    let campaign = manifest.campaign_id();
    let lines = lines.filter(|line| campaign == line["campaignId"].as_str());
    let shown = lines.flat_map(|line| line["creativeIds"].as_array().into_iter().flatten());
    let known = manifest.existing().filter(|o| o.kind == "creative");
    shown
        .filter_map(Value::as_str)
        .chain(known.filter_map(|o| o.remote_id.as_deref()))
        .collect()
}

/// The campaigns that are there, archived ones left out. One is asked for by its id, which needs no list.
async fn heads(session: &Session, campaigns: &[&str]) -> Result<Vec<Value>, CallError> {
    let [campaign] = campaigns else {
        return any_of(session, &KINDS[0], "campaignId", campaigns).await;
    };
    let advertiser = &session.account.account_id;
    let path = format!("{VERSION}/advertisers/{advertiser}/campaigns/{campaign}");
    let head = get(session, &path).await?;
    Ok(head
        .filter(|row| row["entityStatus"] != "ENTITY_STATUS_ARCHIVED")
        .into_iter()
        .collect())
}

/// What has one of these ids, as many at once as a filter holds.
async fn any_of(session: &Session, kind: &Kind, field: &str, ids: &[&str]) -> Result<Vec<Value>, CallError> {
    let mut filters: Vec<String> = Vec::new();
    for id in ids {
        let one = format!("{field}=\"{id}\"");
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
