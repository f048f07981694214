//! What was done for an execution's legs besides their own objects, and where their campaigns come from and go to: what a rollback
//! tells.
//!
//! Must not change anything.

use super::moves::LegFact;
use super::{Conn, Store, StoreError, parse_json, refused};
use crate::domain::leftover::{Back, Beside, stays};
use sqlx::Row;
use std::collections::{BTreeMap, HashMap};

/// Of one leg.
#[derive(Debug, Clone, Default)]
pub struct Around {
    /// The version that its campaign was taken over from.
    pub taken_from: Option<String>,
    /// What was done besides.
    pub beside: Vec<Beside>,
}

/// A leg of an older version that comes back when the newer one goes.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Returning {
    /// The older version.
    pub plan_version: String,
    /// Where.
    pub platform: String,
    /// The planner's key.
    pub logical_campaign_key: String,
}

impl Store {
    /// What is around the legs of an execution, by leg.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn around(&self, execution_id: i64) -> Result<HashMap<i64, Around>, StoreError> {
        let mut connection = self.pool().acquire().await.map_err(refused("leftovers.around"))?;
        around(&mut connection, execution_id).await
    }

    /// What a rollback of this execution brings back in the older version.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn returning(&self, execution_id: i64) -> Result<Vec<Returning>, StoreError> {
        let rows: Vec<(String, String, String)> = sqlx::query_as(
            "-- leftovers.returning
             SELECT e.plan_version, l.platform, l.logical_campaign_key FROM leg l JOIN execution e ON e.id = l.execution_id
             WHERE e.id = (SELECT supersedes FROM execution WHERE id = $1) AND l.gave_up_for = $1 AND l.was_on
               AND e.saga ->> 'direction' = 'forward' ORDER BY l.ordinal",
        )
        .bind(execution_id)
        .fetch_all(self.pool())
        .await
        .map_err(refused("leftovers.returning"))?;
        Ok(rows
            .into_iter()
            .map(|(plan_version, platform, logical_campaign_key)| Returning {
                plan_version,
                platform,
                logical_campaign_key,
            })
            .collect())
    }
}

async fn around(conn: &mut Conn, execution_id: i64) -> Result<HashMap<i64, Around>, StoreError> {
    let rows = sqlx::query(
        "-- leftovers.around
         SELECT l.id, (SELECT e.plan_version FROM leg o JOIN execution e ON e.id = o.execution_id WHERE o.id = l.adopted_from)
                          AS taken_from,
                coalesce((SELECT jsonb_agg(jsonb_build_object('asset_id', u.asset_id, 'refs', a.refs) ORDER BY u.asset_id)
                 FROM leg_upload u JOIN platform_asset a ON a.id = u.upload_id
                 WHERE u.leg_id = l.id AND a.state IN ('processing', 'ready')), '[]') AS uploads,
                ARRAY(SELECT DISTINCT m.request -> 'op' ->> 'what' FROM mutation m
                      WHERE m.leg_id = l.id AND m.request -> 'op' ->> 'op' = 'account' AND m.state IN ('done', 'adopted'))
                          AS account
         FROM leg l WHERE l.execution_id = $1",
    )
    .bind(execution_id)
    .fetch_all(conn)
    .await
    .map_err(refused("leftovers.around"))?;
    rows.into_iter()
        .map(|row| {
            let id: i64 = row.get("id");
            let uploads: Vec<Upload> = parse_json("leg_upload", id, "refs", row.get("uploads"))?;
            let account: Vec<String> = row.get("account");
            let uploaded = uploads.into_iter().map(|upload| Beside::Upload {
                asset_id: upload.asset_id,
                platform_id: upload.refs.into_values().next(),
            });
            let beside = uploaded.chain(account.into_iter().map(|what| Beside::Account { what }));
            let around = Around {
                taken_from: row.get("taken_from"),
                beside: beside.collect(),
            };
            Ok((id, around))
        })
        .collect()
}

#[derive(serde::Deserialize)]
struct Upload {
    asset_id: String,
    refs: BTreeMap<String, String>,
}

/// Fills in what stays of the legs of an execution that was rolled back.
pub(crate) async fn fill(
    conn: &mut Conn,
    execution_id: i64,
    legs: &mut [(i64, LegFact)],
) -> Result<(), StoreError> {
    let around = around(conn, execution_id).await?;
    let nothing = Around::default();
    for (id, leg) in legs {
        let around = around.get(id).unwrap_or(&nothing);
        leg.stays = stays(&Back {
            state: leg.state,
            taken_from: around.taken_from.as_deref(),
            manifest: leg.manifest.as_ref(),
            beside: &around.beside,
        });
    }
    Ok(())
}
