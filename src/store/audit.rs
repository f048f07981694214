//! The audit log: append-only, hash-chained per tenant, written in the transaction of what it tells of.
//!
//! Must not be called before other locks of the transaction are taken: the tenant's head stays locked until commit.

use super::{Conn, Store, StoreError, refused};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::Row;

/// The first link of every chain.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// One thing that was done, and by whom.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// RFC 3339, UTC.
    pub at: String,
    /// `service`, `cli:<user>`, `message:<by>`.
    pub actor: String,
    /// `plan.accepted`, `mutation.sent`, `mutation.done` …
    pub action: String,
    /// The plan version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_version: Option<String>,
    /// `platform/logical_campaign_key`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leg: Option<String>,
    /// What and what came of it; no secrets.
    pub detail: Value,
}

/// An entry and the tenant whose chain it belongs to.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// The tenant.
    pub tenant_id: String,
    /// What was done.
    pub entry: Entry,
}

fn link(prev: &str, seq: i64, entry: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(prev.as_bytes());
    hash.update(seq.to_be_bytes());
    hash.update(entry.as_bytes());
    hex::encode(hash.finalize())
}

/// Appends the records to their tenants' chains, in order. Call it last in a transaction.
pub(crate) async fn append(conn: &mut Conn, records: &[Record]) -> Result<(), StoreError> {
    if records.is_empty() {
        return Ok(());
    }
    let tenants: Vec<&str> = records.iter().map(|r| r.tenant_id.as_str()).collect();
    let entries: Vec<String> = records
        .iter()
        .map(|r| serde_json::to_string(&r.entry).unwrap_or_default())
        .collect();
    sqlx::query("-- audit.append\nSELECT audit_append($1, $2)")
        .bind(tenants)
        .bind(entries)
        .execute(conn)
        .await
        .map_err(refused("audit.append"))?;
    Ok(())
}

/// What a look at a tenant's chain found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChainReport {
    /// The tenant.
    pub tenant_id: String,
    /// How many entries there are.
    pub entries: i64,
    /// The hash of the last one: published elsewhere, it proves that nothing was cut off.
    pub head: String,
    /// What is wrong; none: the chain is whole.
    pub broken: Option<String>,
}

impl Store {
    /// Walks each tenant's chain (or one tenant's) from its first entry to its head.
    ///
    /// # Errors
    /// [`StoreError`]; a broken chain is a finding, not an error.
    pub async fn verify_audit(&self, tenant: Option<&str>) -> Result<Vec<ChainReport>, StoreError> {
        let heads = sqlx::query(
            "-- audit.verify_heads
             SELECT tenant_id, seq, hash FROM audit_head WHERE $1::text IS NULL OR tenant_id = $1 ORDER BY tenant_id",
        )
        .bind(tenant)
        .fetch_all(self.pool())
        .await
        .map_err(refused("audit.verify_heads"))?;
        let mut reports = Vec::with_capacity(heads.len());
        for head in heads {
            reports.push(self.verify_chain(head.get(0), head.get(1), head.get(2)).await?);
        }
        Ok(reports)
    }

    async fn verify_chain(
        &self,
        tenant_id: String,
        last: i64,
        head: String,
    ) -> Result<ChainReport, StoreError> {
        let (mut seq, mut hash) = (0_i64, GENESIS.to_owned());
        let mut broken = None;
        while broken.is_none() && seq < last {
            let rows = sqlx::query(
                "-- audit.verify_page
                 SELECT seq, entry, prev_hash, hash FROM audit_log
                 WHERE tenant_id = $1 AND seq > $2 ORDER BY seq LIMIT 5000",
            )
            .bind(&tenant_id)
            .bind(seq)
            .fetch_all(self.pool())
            .await
            .map_err(refused("audit.verify_page"))?;
            if rows.is_empty() {
                broken = Some(format!("entries {} to {last} are gone", seq + 1));
            }
            for row in rows {
                let (found, entry): (i64, String) = (row.get(0), row.get(1));
                let (prev, own): (String, String) = (row.get(2), row.get(3));
                if found != seq + 1 {
                    broken = Some(format!("entry {} is gone", seq + 1));
                } else if prev != hash {
                    broken = Some(format!("entry {found} does not follow the one before it"));
                } else if link(&prev, found, &entry) != own {
                    broken = Some(format!("entry {found} was changed"));
                }
                if broken.is_some() {
                    break;
                }
                (seq, hash) = (found, own);
            }
        }
        if broken.is_none() && hash != head {
            broken = Some("the last entry is not the head".to_owned());
        }
        Ok(ChainReport {
            tenant_id,
            entries: last,
            head,
            broken,
        })
    }

    /// The entries about a plan version, oldest first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn audit_of(&self, tenant: &str, plan_version: &str) -> Result<Vec<Entry>, StoreError> {
        let rows: Vec<(i64, String)> = sqlx::query_as(
            "-- audit.of_plan
             SELECT seq, entry FROM audit_log WHERE tenant_id = $1 AND plan_version = $2 ORDER BY seq",
        )
        .bind(tenant)
        .bind(plan_version)
        .fetch_all(self.pool())
        .await
        .map_err(refused("audit.of_plan"))?;
        rows.into_iter()
            .map(|(seq, text)| {
                serde_json::from_str(&text).map_err(|error| StoreError::BadRow {
                    table: "audit_log",
                    id: format!("{tenant}/{seq}"),
                    what: format!("entry: {error}"),
                })
            })
            .collect()
    }
}
