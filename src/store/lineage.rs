//! The versions of a plan as `domain::lineage` asks for them, and what follows for those that hold nothing.
//!
//! Must not decide which version takes over from which.

use super::{Conn, StoreError, refused};
use crate::domain::lineage::{self, Going, Place, Version};
use chrono::{DateTime, Utc};
use sqlx::Row;

/// Whether an execution is being undone. What could not be undone may be on, and what it had taken over comes back only when it can:
/// with something stuck it still is.
macro_rules! undoing {
    ($execution:literal) => {
        concat!(
            "(",
            $execution,
            ".saga ->> 'direction' = 'back' AND (",
            $execution,
            ".saga ->> 'settled' IS NULL OR EXISTS (SELECT FROM leg l WHERE l.execution_id = ",
            $execution,
            ".id AND l.state = 'stuck')))"
        )
    };
}
pub(super) use undoing;

/// A version's place among all of its plan, as they are at this moment.
pub(crate) async fn place(conn: &mut Conn, execution_id: i64) -> Result<Place, StoreError> {
    let (tenant, plan): (String, String) =
        sqlx::query_as("-- lineage.plan\nSELECT tenant_id, plan_id FROM execution WHERE id = $1")
            .bind(execution_id)
            .fetch_one(&mut *conn)
            .await
            .map_err(refused("lineage.plan"))?;
    let versions = versions(conn, &tenant, &plan).await?;
    let own = versions.iter().find(|v| v.id == execution_id);
    own.map(|own| lineage::place(&versions, own))
        .ok_or_else(|| StoreError::BadRow {
            table: "execution",
            id: execution_id.to_string(),
            what: "it is not among the versions of its plan".to_owned(),
        })
}

/// All versions of a plan, oldest first.
pub(crate) async fn versions(conn: &mut Conn, tenant: &str, plan: &str) -> Result<Vec<Version>, StoreError> {
    let rows = sqlx::query(concat!(
        "-- lineage.versions
         SELECT v.id, v.plan_version, v.takes_over, v.superseded_by, coalesce(v.applied_approved_at, v.approved_at) AS approved_at,
                v.saga ->> 'direction' AS direction, ",
        undoing!("v"),
        " AS undoing
         FROM execution v WHERE v.tenant_id = $1 AND v.plan_id = $2 ORDER BY v.id"
    ))
    .bind(tenant)
    .bind(plan)
    .fetch_all(conn)
    .await
    .map_err(refused("lineage.versions"))?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let direction: Option<String> = row.get("direction");
            Version {
                id: row.get("id"),
                name: row.get("plan_version"),
                supersedes: row.get("takes_over"),
                going: match (direction.as_deref(), row.get::<Option<bool>, _>("undoing")) {
                    (None, _) => Going::NotLaunched,
                    (Some(_), Some(true)) => Going::Undoing,
                    (Some("back"), _) => Going::Undone,
                    (Some(_), _) => Going::Forward,
                },
                superseded_by: row.get("superseded_by"),
                approved_at: row.get::<DateTime<Utc>, _>("approved_at"),
            }
        })
        .collect())
}

/// A version's name.
pub(crate) async fn name(conn: &mut Conn, execution_id: i64) -> Result<String, StoreError> {
    sqlx::query_scalar("-- lineage.name\nSELECT plan_version FROM execution WHERE id = $1")
        .bind(execution_id)
        .fetch_one(conn)
        .await
        .map_err(refused("lineage.name"))
}

/// Versions whose place a newer one has taken: they are never launched (again), and a payload that waits is dropped.
pub(crate) async fn supersede(conn: &mut Conn, olds: &[i64], newer_id: i64) -> Result<(), StoreError> {
    sqlx::query(
        "-- lineage.superseded
         UPDATE execution SET superseded_by = $2, gate_token = gate_token + 1, gate_lease = NULL,
                gate = CASE WHEN saga IS NULL THEN 'cancelled' ELSE 'open' END,
                payload = coalesce(applied_payload, payload), payload_hash = coalesce(applied_hash, payload_hash),
                approved_at = coalesce(applied_approved_at, approved_at),
                approved_by = coalesce(applied_approved_by, approved_by)
         WHERE id = ANY($1)",
    )
    .bind(olds)
    .bind(newer_id)
    .execute(conn)
    .await
    .map_err(refused("lineage.superseded"))?;
    Ok(())
}
