//! Looking: what bears the name of something whose outcome is unknown, and what is there of a leg.
//!
//! Must not change anything, nor judge what it finds (`reading` does).
//!
//! Where to look: a campaign by its name in the account, where TikTok's filter is fuzzy (`campaign_name` of /campaign/get/); ad
//! groups and ads by their campaign. Names are compared here, exactly. What is deleted is no match: it comes back under no name.

use super::kinds::{KINDS, Kind};
use super::reading::{self, Rows, text};
use super::transport::{get, list};
use crate::domain::manifest::Manifest;
use crate::platform::{CallError, Found, Session};
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};

/// Ids of one filter (`campaign_ids`, `ad_ids`: at most 100).
const IDS: usize = 100;
/// Reads at the same time.
const AT_ONCE: usize = 4;

fn rows_of<'a>(session: &'a Session, kind: &Kind, filter: Value) -> (String, Vec<(&'a str, Value)>) {
    let query = vec![
        ("advertiser_id", json!(session.account.account_id)),
        ("filtering", Value::String(filter.to_string())),
    ];
    (format!("/{}/get/", kind.name), query)
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
        for filter in filters(kind, manifest, &names) {
            let (path, query) = rows_of(session, kind, filter);
            let rows = list(session, &path, &query).await?;
            found.extend(rows.iter().filter_map(|row| reading::found(kind, row, &names)));
        }
    }
    Ok(found)
}

/// Where things of these names would be. What hangs on a campaign cannot be made before it.
fn filters(kind: &Kind, manifest: &Manifest, names: &[(&str, &str)]) -> Vec<Value> {
    let shown = "STATUS_NOT_DELETE";
    if kind.name == "campaign" {
        let by_name = |(name, _): &(&str, &str)| json!({ "campaign_name": name, "primary_status": shown });
        return names.iter().map(by_name).collect();
    }
    let campaign = manifest.campaign_id();
    campaign
        .map(|id| json!({ "campaign_ids": [id], "primary_status": shown }))
        .into_iter()
        .collect()
}

/// Everything of these legs that is there, what review says of their ads, and what they spent: the same calls for one leg as for
/// as many as a filter holds.
pub(super) async fn rows(session: &Session, manifests: &[&Manifest]) -> Result<Vec<Rows>, CallError> {
    let campaigns: Vec<&str> = manifests.iter().filter_map(|m| m.campaign_id()).collect();
    let mut all = Vec::new();
    for batch in campaigns.chunks(IDS) {
        all.push(batch_of(session, batch).await?);
    }
    let of = |rows: &[Value], campaign: &str| -> Vec<Value> {
        let its = rows.iter().filter(|row| text(row, "campaign_id") == campaign);
        its.cloned().collect()
    };
    let one = |campaign: &str| {
        let mut rows = Rows::default();
        for batch in &all {
            let is = |row: &&Value| text(row, "campaign_id") == campaign && reading::alive(row);
            rows.campaign = rows.campaign.or_else(|| batch.campaigns.iter().find(is).cloned());
            rows.ad_groups.extend(of(&batch.ad_groups, campaign));
            rows.ads.extend(of(&batch.ads, campaign));
            let spend = batch.spend.iter();
            rows.spend.extend(
                spend
                    .filter(|row| text(&row["dimensions"], "campaign_id") == campaign)
                    .cloned(),
            );
        }
        for ad in &rows.ads {
            let id = text(ad, "ad_id");
            let review = all.iter().find_map(|batch| batch.reviews.get(id));
            rows.reviews
                .extend(review.map(|review| (id.to_owned(), review.clone())));
        }
        rows
    };
    Ok(manifests
        .iter()
        .map(|manifest| manifest.campaign_id().map(one).unwrap_or_default())
        .collect())
}

/// What was listed about several campaigns.
struct Batch {
    campaigns: Vec<Value>,
    ad_groups: Vec<Value>,
    ads: Vec<Value>,
    reviews: serde_json::Map<String, Value>,
    spend: Vec<Value>,
}

async fn batch_of(session: &Session, campaigns: &[&str]) -> Result<Batch, CallError> {
    let filter = json!({ "campaign_ids": campaigns, "primary_status": "STATUS_ALL" });
    let [heads, groups, ads] = KINDS
        .each_ref()
        .map(|kind| rows_of(session, kind, filter.clone()));
    let (heads, groups, ads, spend) = futures::join!(
        list(session, &heads.0, &heads.1),
        list(session, &groups.0, &groups.1),
        list(session, &ads.0, &ads.1),
        spend(session, campaigns),
    );
    let ads = ads?;
    let alive = ads.iter().filter(|ad| reading::alive(ad));
    let ids: Vec<String> = alive.map(|ad| text(ad, "ad_id").to_owned()).collect();
    Ok(Batch {
        campaigns: heads?,
        ad_groups: groups?,
        reviews: reviews(session, &ids).await?,
        ads,
        spend: spend?,
    })
}

/// What review says, by ad. The status of an ad that is off hides it, so both are asked.
async fn reviews(session: &Session, ads: &[String]) -> Result<serde_json::Map<String, Value>, CallError> {
    let answers: Vec<Value> = stream::iter(ads.chunks(IDS).map(<[String]>::to_vec))
        .map(|batch| async move {
            let query = [
                ("advertiser_id", json!(session.account.account_id)),
                ("ad_ids", json!(batch)),
                ("lang", json!("en")),
            ];
            get(session, "/ad/review_info/", &query).await
        })
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    let maps = answers
        .into_iter()
        .filter_map(|data| data.get("ad_review_map").and_then(Value::as_object).cloned());
    Ok(maps.flatten().collect())
}

/// What the campaigns ever spent, as the report tells: rows are hours late (the vendor promises no time).
async fn spend(session: &Session, campaigns: &[&str]) -> Result<Vec<Value>, CallError> {
    let filter = json!([{ "field_name": "campaign_ids", "filter_type": "IN", "filter_value": json!(campaigns).to_string() }]);
    let query = [
        ("advertiser_id", json!(session.account.account_id)),
        ("report_type", json!("BASIC")),
        ("data_level", json!("AUCTION_CAMPAIGN")),
        ("dimensions", json!(["campaign_id"])),
        ("metrics", json!(["spend"])),
        ("query_lifetime", json!(true)),
        ("filtering", Value::String(filter.to_string())),
    ];
    list(session, "/report/integrated/get/", &query).await
}

/// Whether none of these objects is there any more.
pub(super) async fn all_gone(session: &Session, kind: &Kind, ids: &[&str]) -> Result<bool, CallError> {
    for batch in ids.chunks(IDS) {
        let mut filter = json!({ "primary_status": "STATUS_ALL" });
        filter[kind.ids] = json!(batch);
        let (path, query) = rows_of(session, kind, filter);
        let rows = list(session, &path, &query).await?;
        let left = |row: &Value| batch.contains(&text(row, kind.id)) && reading::alive(row);
        if rows.iter().any(left) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether something that is there bears the name of an object that this creation was to make.
pub(super) async fn is_there(session: &Session, kind: &Kind, body: &Value) -> Result<bool, CallError> {
    let Some(name) = body.get(kind.named).and_then(Value::as_str) else {
        return Ok(false);
    };
    let filter = match body.get("campaign_id").and_then(Value::as_str) {
        Some(campaign) => json!({ "campaign_ids": [campaign], "primary_status": "STATUS_NOT_DELETE" }),
        None => json!({ "campaign_name": name, "primary_status": "STATUS_NOT_DELETE" }),
    };
    let (path, query) = rows_of(session, kind, filter);
    let rows = list(session, &path, &query).await?;
    Ok(rows
        .iter()
        .any(|row| text(row, kind.named) == name && reading::alive(row)))
}
