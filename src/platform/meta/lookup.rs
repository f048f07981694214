//! Looking: what bears the name of something whose outcome is unknown, and what is there of a leg.
//!
//! Must not change anything, nor judge what it finds (`reading` does).
//!
//! Where to look: a campaign by the exact name in its account; ad sets and ads on the campaign's own edges, which hold no
//! one else's; creatives by the label that they share with their campaign, because the account's edge of creatives takes
//! no filter (reference/ad-account/adcreatives: "This endpoint doesn't have any parameters"). Names are compared here.

use super::VERSION;
use super::errors;
use super::mapping::{KINDS, Kind};
use super::mutations;
use super::reading::{self, Rows};
use super::transport::{get, list};
use super::wire;
use crate::domain::manifest::Manifest;
use crate::platform::{CallError, Found, Session};
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};

/// Reads by id at the same time.
const AT_ONCE: usize = 8;

/// Whether the token sees the account at all; if not, what it does not see may well be there.
pub(super) async fn visible(session: &Session) -> Result<bool, CallError> {
    let path = format!("{VERSION}/{}", session.account.account_id);
    match get(session, &path, &[("fields", "id".to_owned())]).await {
        Ok(_) => Ok(true),
        Err(CallError::Refused(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Everything that bears one of the names.
pub(super) async fn find(
    session: &Session,
    manifest: &Manifest,
    keys: &[String],
) -> Result<Vec<Found>, CallError> {
    let mut found = Vec::new();
    for kind in &KINDS {
        let names: Vec<(&str, &str)> = manifest
            .objects
            .iter()
            .filter(|o| o.kind == kind.name && keys.contains(&o.key))
            .filter_map(|o| Some((o.name.as_deref()?, o.key.as_str())))
            .collect();
        if names.is_empty() {
            continue;
        }
        for row in candidates(session, manifest, kind, &names).await? {
            found.extend(reading::found(&row, &names));
        }
    }
    Ok(found)
}

async fn candidates(
    session: &Session,
    manifest: &Manifest,
    kind: &Kind,
    names: &[(&str, &str)],
) -> Result<Vec<Value>, CallError> {
    let account = format!("{VERSION}/{}", session.account.account_id);
    let fields = (
        "fields",
        "id,name,status,effective_status,created_time".to_owned(),
    );
    // Without it an edge leaves archived objects out; asking for deleted ones is an error.
    let statuses = ("effective_status", json!(kind.findable).to_string());
    let campaign = manifest.campaign_id();
    match (kind.name, campaign) {
        ("campaign", _) => {
            let wanted: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
            let filter = json!([{ "field": "name", "operator": "IN", "value": wanted }]);
            let query = [fields, statuses, ("filtering", filter.to_string())];
            list(session, &format!("{account}/{}", kind.edge), &query).await
        }
        // What hangs on a campaign cannot be made before it.
        (_, None) => Ok(Vec::new()),
        ("adcreative", Some(campaign)) => {
            let label = label(session, campaign, mutations::label(manifest)).await?;
            let query = [
                ("fields", "id,name,status".to_owned()),
                ("ad_label_ids", json!([label]).to_string()),
                ("operator", "ALL".to_owned()),
            ];
            list(session, &format!("{account}/adcreativesbylabels"), &query).await
        }
        (_, Some(campaign)) => {
            list(
                session,
                &format!("{VERSION}/{campaign}/{}", kind.edge),
                &[fields, statuses],
            )
            .await
        }
    }
}

/// The id of the label that everything of a leg bears.
async fn label(session: &Session, campaign: &str, name: &str) -> Result<String, CallError> {
    let path = format!("{VERSION}/{campaign}");
    let head = get(session, &path, &[("fields", "adlabels{id,name}".to_owned())]).await?;
    let labels = head.get("adlabels").and_then(Value::as_array);
    let ours = labels
        .into_iter()
        .flatten()
        .find(|label| label.get("name").and_then(Value::as_str) == Some(name));
    ours.and_then(|label| label.get("id").and_then(Value::as_str))
        .map(str::to_owned)
        .ok_or_else(|| CallError::Unavailable {
            why: format!(
                "the campaign does not bear its label {name:?}, so its creatives cannot be looked up; put it back"
            ),
            after: None,
        })
}

/// Everything of a leg that is there. Edges may lag behind what was made; by its id an object can be read at once
/// (graph-api/overview#read-after-write), so what the edges do not show is asked for by id before it counts as gone.
pub(super) async fn rows(session: &Session, manifest: &Manifest) -> Result<Rows, CallError> {
    let mut rows = Rows::default();
    if let Some(campaign) = manifest.campaign_id() {
        let path = format!("{VERSION}/{campaign}");
        let edge = |kind: usize, fields: &str| {
            let statuses = json!(KINDS[kind].findable).to_string();
            let query = vec![("fields", fields.to_owned()), ("effective_status", statuses)];
            (format!("{path}/{}", KINDS[kind].edge), query)
        };
        let (ad_sets, ads) = (edge(1, wire::AD_SET_FIELDS), edge(3, wire::AD_FIELDS));
        let spend = [
            ("fields", "spend".to_owned()),
            ("date_preset", "maximum".to_owned()),
        ];
        let insights = format!("{path}/insights");
        let (head, ad_sets, ads, spend) = futures::join!(
            one(session, campaign, wire::CAMPAIGN_FIELDS),
            list(session, &ad_sets.0, &ad_sets.1),
            list(session, &ads.0, &ads.1),
            list(session, &insights, &spend),
        );
        rows.campaign = head?.filter(reading::alive);
        // The edges of a campaign that is gone are errors, or empty.
        if rows.campaign.is_some() {
            (rows.ad_sets, rows.ads, rows.insights) = (ad_sets?, ads?, spend?);
        }
    }
    completed(session, manifest, rows).await
}

/// Everything of these legs that is there: by the account's edges, filtered by campaign, so that many legs cost what one does.
pub(super) async fn rows_of_all(session: &Session, manifests: &[&Manifest]) -> Result<Vec<Rows>, CallError> {
    let campaigns: Vec<&str> = manifests.iter().filter_map(|m| m.campaign_id()).collect();
    if campaigns.is_empty() {
        return Ok(manifests.iter().map(|_| Rows::default()).collect());
    }
    let account = format!("{VERSION}/{}", session.account.account_id);
    let filter = json!([{ "field": "campaign.id", "operator": "IN", "value": campaigns }]).to_string();
    let edge = |kind: usize, fields: &str| {
        let statuses = json!(KINDS[kind].findable).to_string();
        let query = vec![
            ("fields", fields.to_owned()),
            ("effective_status", statuses),
            ("filtering", filter.clone()),
        ];
        (format!("{account}/{}", KINDS[kind].edge), query)
    };
    let heads = edge(0, wire::CAMPAIGN_FIELDS);
    let (ad_sets, ads) = (edge(1, wire::AD_SET_FIELDS), edge(3, wire::AD_FIELDS));
    let spend = [
        ("level", "campaign".to_owned()),
        ("fields", "campaign_id,spend".to_owned()),
        ("date_preset", "maximum".to_owned()),
        ("filtering", filter.clone()),
    ];
    let insights = format!("{account}/insights");
    let (heads, ad_sets, ads, spend) = futures::join!(
        list(session, &heads.0, &heads.1),
        list(session, &ad_sets.0, &ad_sets.1),
        list(session, &ads.0, &ads.1),
        list(session, &insights, &spend),
    );
    let (heads, ad_sets, ads, spend) = (heads?, ad_sets?, ads?, spend?);
    let of = |rows: &[Value], name: &str, id: &str| -> Vec<Value> {
        let its = rows.iter().filter(|row| reading::text(row, name) == id);
        its.cloned().collect()
    };
    let mut all = Vec::with_capacity(manifests.len());
    for manifest in manifests {
        let mut rows = Rows::default();
        if let Some(id) = manifest.campaign_id() {
            let head = of(&heads, "id", id).pop();
            let head = match head {
                Some(head) => Some(head),
                None => one(session, id, wire::CAMPAIGN_FIELDS).await?,
            };
            rows.campaign = head.filter(reading::alive);
            if rows.campaign.is_some() {
                rows.ad_sets = of(&ad_sets, "campaign_id", id);
                rows.ads = of(&ads, "campaign_id", id);
                rows.insights = of(&spend, "campaign_id", id);
            }
        }
        all.push(completed(session, manifest, rows).await?);
    }
    Ok(all)
}

/// With what the edges did not show.
async fn completed(session: &Session, manifest: &Manifest, mut rows: Rows) -> Result<Rows, CallError> {
    let hidden: Vec<(String, String)> = manifest
        .existing()
        .filter(|o| o.kind != "campaign" && (o.kind == "adcreative" || rows.campaign.is_some()))
        .filter_map(|o| Some((o.kind.clone(), o.remote_id.clone()?)))
        .filter(|(kind, id)| rows.of(kind, id).is_none())
        .collect();
    let found: Vec<(String, Option<Value>)> = stream::iter(hidden)
        .map(|(kind, id)| async move {
            let row = one(session, &id, fields_of(&kind)).await?;
            Ok::<_, CallError>((kind, row))
        })
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    for (kind, row) in found {
        let Some(row) = row else { continue };
        match kind.as_str() {
            "adset" => rows.ad_sets.push(row),
            "ad" => rows.ads.push(row),
            _ => rows.creatives.push(row),
        }
    }
    Ok(rows)
}

fn fields_of(kind: &str) -> &'static str {
    match kind {
        "adset" => wire::AD_SET_FIELDS,
        "ad" => wire::AD_FIELDS,
        _ => wire::CREATIVE_FIELDS,
    }
}

/// One object by its id; none: it is gone for certain.
pub(super) async fn one(session: &Session, id: &str, fields: &str) -> Result<Option<Value>, CallError> {
    let path = format!("{VERSION}/{id}");
    match get(session, &path, &[("fields", fields.to_owned())]).await {
        Ok(row) => Ok(Some(row)),
        Err(CallError::Refused(error)) if error.code == errors::GONE => {
            if visible(session).await? {
                Ok(None)
            } else {
                Err(CallError::Refused(error))
            }
        }
        Err(error) => Err(error),
    }
}
