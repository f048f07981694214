//! The audit log: append-only, hash-chained per tenant, written in the transaction of what it tells of.
//!
//! Must not be called before other locks of the transaction are taken: the tenant's head stays locked until commit.

use super::{Conn, Store, StoreError, refused};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::Row;
use std::collections::BTreeMap;

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
    let mut by_tenant: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
    for record in records {
        by_tenant
            .entry(&record.tenant_id)
            .or_default()
            .push(&record.entry);
    }
    let tenants: Vec<&str> = by_tenant.keys().copied().collect();
    sqlx::query(
        "-- audit.heads_made
         INSERT INTO audit_head (tenant_id, seq, hash) SELECT t, 0, $2 FROM unnest($1::text[]) t
         ON CONFLICT DO NOTHING",
    )
    .bind(&tenants)
    .bind(GENESIS)
    .execute(&mut *conn)
    .await
    .map_err(refused("audit.heads_made"))?;
    let heads = sqlx::query(
        "-- audit.heads
         SELECT tenant_id, seq, hash FROM audit_head WHERE tenant_id = ANY($1) ORDER BY tenant_id FOR UPDATE",
    )
    .bind(&tenants)
    .fetch_all(&mut *conn)
    .await
    .map_err(refused("audit.heads"))?;
    let mut rows = Rows::default();
    let mut new_heads: (Vec<String>, Vec<i64>, Vec<String>) = Default::default();
    for head in heads {
        let tenant: String = head.get(0);
        let (mut seq, mut hash): (i64, String) = (head.get(1), head.get(2));
        for entry in by_tenant.get(tenant.as_str()).into_iter().flatten() {
            seq += 1;
            let text = serde_json::to_string(entry).unwrap_or_default();
            let next = link(&hash, seq, &text);
            rows.push(
                &tenant,
                seq,
                text,
                std::mem::replace(&mut hash, next.clone()),
                next,
            );
        }
        new_heads.0.push(tenant);
        new_heads.1.push(seq);
        new_heads.2.push(hash);
    }
    sqlx::query(
        "-- audit.append
         INSERT INTO audit_log (tenant_id, seq, entry, prev_hash, hash)
         SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[])",
    )
    .bind(&rows.tenant)
    .bind(&rows.seq)
    .bind(&rows.entry)
    .bind(&rows.prev)
    .bind(&rows.hash)
    .execute(&mut *conn)
    .await
    .map_err(refused("audit.append"))?;
    sqlx::query(
        "-- audit.heads_moved
         UPDATE audit_head h SET seq = n.seq, hash = n.hash
         FROM unnest($1::text[], $2::bigint[], $3::text[]) AS n (tenant_id, seq, hash)
         WHERE h.tenant_id = n.tenant_id",
    )
    .bind(&new_heads.0)
    .bind(&new_heads.1)
    .bind(&new_heads.2)
    .execute(&mut *conn)
    .await
    .map_err(refused("audit.heads_moved"))?;
    Ok(())
}

#[derive(Default)]
struct Rows {
    tenant: Vec<String>,
    seq: Vec<i64>,
    entry: Vec<String>,
    prev: Vec<String>,
    hash: Vec<String>,
}

impl Rows {
    fn push(&mut self, tenant: &str, seq: i64, entry: String, prev: String, hash: String) {
        self.tenant.push(tenant.to_owned());
        self.seq.push(seq);
        self.entry.push(entry);
        self.prev.push(prev);
        self.hash.push(hash);
    }
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
