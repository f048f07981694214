//! The audit log: append-only, hash-chained per tenant, written in the transaction of what it tells of.
//!
//! Must not be called before other locks of the transaction are taken: the tenant's head stays locked until commit.

use super::{Conn, Store, StoreError, refused};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

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

/// An entry with its place in the chain: what an export holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// Its place, from 1 on.
    pub seq: i64,
    /// The hash of the entry before it.
    pub prev_hash: String,
    /// SHA-256 of `prev_hash` (as text), `seq` (eight bytes, big end first) and `entry`; hex.
    pub hash: String,
    /// The entry as it was hashed, byte for byte.
    pub entry: String,
}

/// The end of a tenant's chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// The tenant.
    pub tenant_id: String,
    /// How many entries there are.
    pub seq: i64,
    /// The hash of the last one: kept elsewhere, it proves later that nothing was cut off or rewritten.
    pub hash: String,
}

/// Walks a chain link by link; memory is one hash, however long the chain is.
#[derive(Debug, Clone)]
pub struct Walk {
    seq: i64,
    hash: String,
    /// Places at which entries were left out on purpose.
    pub gaps: u64,
}

impl Default for Walk {
    fn default() -> Self {
        Self {
            seq: 0,
            hash: GENESIS.to_owned(),
            gaps: 0,
        }
    }
}

impl Walk {
    /// Begins after an entry that is not looked at.
    #[must_use]
    pub fn after(seq: i64, hash: String) -> Self {
        Self { seq, hash, gaps: 0 }
    }

    /// The last entry that was looked at.
    #[must_use]
    pub fn seq(&self) -> i64 {
        self.seq
    }

    /// Takes the next link in.
    ///
    /// # Errors
    /// What is wrong with it, for a person.
    pub fn step(&mut self, link: &Link, gaps_are_allowed: bool) -> Result<(), String> {
        let expected = self.seq + 1;
        if link.seq != expected {
            let skips = link.seq > expected && gaps_are_allowed;
            if !skips {
                return Err(if link.seq > expected {
                    format!("entry {expected} is gone")
                } else {
                    format!("entry {} stands where {expected} should", link.seq)
                });
            }
            self.gaps += 1;
        } else if link.prev_hash != self.hash {
            return Err(format!("entry {} does not follow the one before it", link.seq));
        }
        if self::link(&link.prev_hash, link.seq, &link.entry) != link.hash {
            return Err(format!("entry {} was changed", link.seq));
        }
        self.seq = link.seq;
        self.hash.clone_from(&link.hash);
        Ok(())
    }

    /// Whether the chain ends where the head says.
    ///
    /// # Errors
    /// What is wrong, for a person.
    pub fn end(&self, head: &Head) -> Result<(), String> {
        if self.seq < head.seq {
            Err(format!("entries {} to {} are gone", self.seq + 1, head.seq))
        } else if self.seq != head.seq || self.hash != head.hash {
            Err(format!("the head is not that of entry {}", self.seq))
        } else {
            Ok(())
        }
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

/// Rows read at once.
const PAGE: i64 = 2000;

impl Store {
    /// Walks each tenant's chain (or one tenant's) from its first entry to its head; and compares it with heads that were
    /// kept elsewhere, which shows what a superuser cut off together with its head.
    ///
    /// # Errors
    /// [`StoreError`]; a broken chain is a finding, not an error.
    pub async fn verify_audit_against(
        &self,
        tenant: Option<&str>,
        kept: &[Head],
    ) -> Result<Vec<ChainReport>, StoreError> {
        let heads = self.audit_heads(tenant).await?;
        let mut reports = Vec::with_capacity(heads.len());
        for head in &heads {
            let broken = self.verify_chain(head, kept).await?;
            reports.push(ChainReport {
                tenant_id: head.tenant_id.clone(),
                entries: head.seq,
                head: head.hash.clone(),
                broken,
            });
        }
        for lost in kept {
            let wanted = tenant.is_none_or(|t| t == lost.tenant_id);
            if wanted && lost.seq > 0 && !heads.iter().any(|h| h.tenant_id == lost.tenant_id) {
                reports.push(ChainReport {
                    tenant_id: lost.tenant_id.clone(),
                    entries: 0,
                    head: GENESIS.to_owned(),
                    broken: Some(format!("all {} entries of the kept head are gone", lost.seq)),
                });
            }
        }
        Ok(reports)
    }

    /// The same without heads from elsewhere.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn verify_audit(&self, tenant: Option<&str>) -> Result<Vec<ChainReport>, StoreError> {
        self.verify_audit_against(tenant, &[]).await
    }

    async fn verify_chain(&self, head: &Head, kept: &[Head]) -> Result<Option<String>, StoreError> {
        let mut walk = Walk::default();
        loop {
            // Not beyond the head: what is appended while we look is of another day.
            let page = self
                .audit_page(&head.tenant_id, walk.seq(), head.seq, PAGE)
                .await?;
            for link in &page {
                if let Err(broken) = walk.step(link, false) {
                    return Ok(Some(broken));
                }
                let elsewhere = kept
                    .iter()
                    .find(|k| k.tenant_id == head.tenant_id && k.seq == link.seq);
                if elsewhere.is_some_and(|k| k.hash != link.hash) {
                    return Ok(Some(format!(
                        "entry {} is not the one of the kept head: the chain was rewritten",
                        link.seq
                    )));
                }
            }
            if page.is_empty() {
                break;
            }
        }
        if let Err(broken) = walk.end(head) {
            return Ok(Some(broken));
        }
        let cut = kept
            .iter()
            .filter(|k| k.tenant_id == head.tenant_id && k.seq > head.seq)
            .map(|k| k.seq)
            .max();
        if let Some(seq) = cut {
            return Ok(Some(format!(
                "entries {} to {seq} of the kept head were cut off",
                head.seq + 1
            )));
        }
        let beyond: bool = sqlx::query_scalar(
            "-- audit.beyond
             SELECT EXISTS (SELECT FROM audit_log l JOIN audit_head h USING (tenant_id)
                            WHERE tenant_id = $1 AND l.seq > h.seq)",
        )
        .bind(&head.tenant_id)
        .fetch_one(self.pool())
        .await
        .map_err(refused("audit.beyond"))?;
        Ok(beyond.then(|| "there are entries behind the head".to_owned()))
    }

    /// The heads of the chains, by tenant; a chain that has lost its head has one that fits nothing.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn audit_heads(&self, tenant: Option<&str>) -> Result<Vec<Head>, StoreError> {
        let rows: Vec<(String, i64, String)> = sqlx::query_as(
            "-- audit.heads
             WITH RECURSIVE chains AS (
                 (SELECT tenant_id FROM audit_log ORDER BY tenant_id LIMIT 1)
                 UNION ALL
                 SELECT (SELECT l.tenant_id FROM audit_log l WHERE l.tenant_id > c.tenant_id ORDER BY l.tenant_id LIMIT 1)
                 FROM chains c WHERE c.tenant_id IS NOT NULL)
             SELECT tenant_id, coalesce(h.seq, 0), coalesce(h.hash, 'lost')
             FROM (SELECT tenant_id FROM chains WHERE tenant_id IS NOT NULL) c FULL JOIN audit_head h USING (tenant_id)
             WHERE $1::text IS NULL OR tenant_id = $1 ORDER BY tenant_id",
        )
        .bind(tenant)
        .fetch_all(self.pool())
        .await
        .map_err(refused("audit.heads"))?;
        Ok(rows
            .into_iter()
            .map(|(tenant_id, seq, hash)| Head { tenant_id, seq, hash })
            .collect())
    }

    /// Links of a chain after one and up to another, at most so many.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn audit_page(
        &self,
        tenant: &str,
        after: i64,
        until: i64,
        limit: i64,
    ) -> Result<Vec<Link>, StoreError> {
        let rows: Vec<(i64, String, String, String)> = sqlx::query_as(
            "-- audit.page
             SELECT seq, prev_hash, hash, entry FROM audit_log
             WHERE tenant_id = $1 AND seq > $2 AND seq <= $3 ORDER BY seq LIMIT $4",
        )
        .bind(tenant)
        .bind(after)
        .bind(until)
        .bind(limit)
        .fetch_all(self.pool())
        .await
        .map_err(refused("audit.page"))?;
        Ok(rows.into_iter().map(as_link).collect())
    }

    /// The same, only those about a plan version.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn audit_page_of(
        &self,
        (tenant, plan_version): (&str, &str),
        after: i64,
        until: i64,
        limit: i64,
    ) -> Result<Vec<Link>, StoreError> {
        let rows: Vec<(i64, String, String, String)> = sqlx::query_as(
            "-- audit.page_of
             SELECT seq, prev_hash, hash, entry FROM audit_log
             WHERE tenant_id = $1 AND plan_version = $2 AND seq > $3 AND seq <= $4 ORDER BY seq LIMIT $5",
        )
        .bind(tenant)
        .bind(plan_version)
        .bind(after)
        .bind(until)
        .bind(limit)
        .fetch_all(self.pool())
        .await
        .map_err(refused("audit.page_of"))?;
        Ok(rows.into_iter().map(as_link).collect())
    }

    /// The first entry of a chain that is as old as this or younger; none: all are older.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn audit_since(&self, tenant: &str, since: DateTime<Utc>) -> Result<Option<i64>, StoreError> {
        sqlx::query_scalar(
            "-- audit.since
             SELECT seq FROM audit_log WHERE tenant_id = $1 AND (entry::jsonb ->> 'at')::timestamptz >= $2 ORDER BY seq LIMIT 1",
        )
        .bind(tenant)
        .bind(since)
        .fetch_optional(self.pool())
        .await
        .map_err(refused("audit.since"))
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

fn as_link((seq, prev_hash, hash, entry): (i64, String, String, String)) -> Link {
    Link {
        seq,
        prev_hash,
        hash,
        entry,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(entries: &[&str]) -> (Vec<Link>, Head) {
        let mut prev = GENESIS.to_owned();
        let links: Vec<Link> = (1..)
            .zip(entries)
            .map(|(seq, entry)| {
                let hash = link(&prev, seq, entry);
                Link {
                    seq,
                    prev_hash: std::mem::replace(&mut prev, hash.clone()),
                    hash,
                    entry: (*entry).to_owned(),
                }
            })
            .collect();
        let head = Head {
            tenant_id: "acme".to_owned(),
            seq: i64::try_from(links.len()).unwrap(),
            hash: prev,
        };
        (links, head)
    }

    fn walk(links: &[Link], head: &Head) -> Result<(), String> {
        let mut walk = Walk::default();
        links.iter().try_for_each(|l| walk.step(l, false))?;
        walk.end(head)
    }

    #[test]
    fn a_chain_shows_what_was_done_to_it() {
        let (links, head) = chain(&["a", "b", "c", "d"]);
        assert_eq!(walk(&links, &head), Ok(()));
        let mut changed = links.clone();
        changed[1].entry = "B".to_owned();
        assert_eq!(walk(&changed, &head), Err("entry 2 was changed".to_owned()));
        let mut rehashed = changed.clone();
        rehashed[1].hash = link(&rehashed[1].prev_hash, 2, "B");
        assert_eq!(
            walk(&rehashed, &head),
            Err("entry 3 does not follow the one before it".to_owned())
        );
        let mut gone = links.clone();
        gone.remove(2);
        assert_eq!(walk(&gone, &head), Err("entry 3 is gone".to_owned()));
        let mut swapped = links.clone();
        swapped.swap(1, 2);
        assert_eq!(walk(&swapped, &head), Err("entry 2 is gone".to_owned()));
        assert_eq!(
            walk(&links[..2], &head),
            Err("entries 3 to 4 are gone".to_owned())
        );
    }

    #[test]
    fn a_part_of_a_chain_is_checked_as_far_as_it_goes() {
        let (links, head) = chain(&["a", "b", "c", "d"]);
        let mut part = Walk::after(2, links[1].hash.clone());
        assert_eq!(part.step(&links[2], false), Ok(()));
        let mut sparse = Walk::default();
        assert_eq!(sparse.step(&links[0], true), Ok(()));
        assert_eq!(sparse.step(&links[3], true), Ok(()));
        assert_eq!((sparse.gaps, sparse.end(&head)), (1, Ok(())));
    }
}
