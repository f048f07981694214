//! Tenants: the account map and the policies, as onboarding last sent them.

use super::{Store, StoreError, audit, commit, parse_json, refused, to_json};
use crate::domain::tenant::Tenant;
use sqlx::types::Json;

impl Store {
    /// Takes a document in; `false`: an equal or later one is already there, and nothing changed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn apply_tenant(&self, tenant: &Tenant, record: audit::Record) -> Result<bool, StoreError> {
        let mut tx = self.begin().await?;
        let done = sqlx::query(
            "-- tenants.apply
             INSERT INTO tenant (tenant_id, updated_at, document) VALUES ($1, $2, $3)
             ON CONFLICT (tenant_id) DO UPDATE SET updated_at = excluded.updated_at, document = excluded.document
             WHERE tenant.updated_at < excluded.updated_at",
        )
        .bind(tenant.tenant_id.as_str())
        .bind(tenant.updated_at)
        .bind(Json(tenant))
        .execute(&mut *tx)
        .await
        .map_err(refused("tenants.apply"))?;
        if done.rows_affected() == 0 {
            return Ok(false);
        }
        sqlx::query("-- tenants.forget_verdicts\nDELETE FROM probe_verdict WHERE tenant_id = $1")
            .bind(tenant.tenant_id.as_str())
            .execute(&mut *tx)
            .await
            .map_err(refused("tenants.forget_verdicts"))?;
        sqlx::query(
            // A look that is under way knows the former document: it is void.
            "-- tenants.wake_blocked
             UPDATE execution SET gate_at = clock_timestamp(), gate_lease = NULL, gate_token = gate_token + 1 WHERE tenant_id = $1 AND gate IN ('pending', 'blocked')",
        )
        .bind(tenant.tenant_id.as_str())
        .execute(&mut *tx)
        .await
        .map_err(refused("tenants.wake_blocked"))?;
        audit::append(&mut tx, &[record]).await?;
        commit(tx, "tenants.apply").await?;
        Ok(true)
    }

    /// The tenant's document.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn tenant(&self, tenant_id: &str) -> Result<Option<Tenant>, StoreError> {
        let row: Option<serde_json::Value> =
            sqlx::query_scalar("-- tenants.get\nSELECT document FROM tenant WHERE tenant_id = $1")
                .bind(tenant_id)
                .fetch_optional(self.pool())
                .await
                .map_err(refused("tenants.get"))?;
        row.map(|document| parse_json("tenant", tenant_id, "document", document))
            .transpose()
    }

    /// Every tenant's document, by id.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn tenants(&self) -> Result<Vec<Tenant>, StoreError> {
        let rows: Vec<(String, serde_json::Value)> =
            sqlx::query_as("-- tenants.list\nSELECT tenant_id, document FROM tenant ORDER BY tenant_id")
                .fetch_all(self.pool())
                .await
                .map_err(refused("tenants.list"))?;
        rows.into_iter()
            .map(|(id, document)| parse_json("tenant", id, "document", document))
            .collect()
    }

    /// A probe's verdict that plans share, if it is younger than `max_age_s`; and its age in seconds.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn verdict(
        &self,
        tenant_id: &str,
        probe: &str,
        max_age_s: i64,
    ) -> Result<Option<(serde_json::Value, i64)>, StoreError> {
        sqlx::query_as(
            "-- tenants.verdict
             SELECT verdict, extract(epoch FROM clock_timestamp() - probed_at)::bigint FROM probe_verdict
             WHERE tenant_id = $1 AND probe = $2 AND probed_at > clock_timestamp() - make_interval(secs => $3)",
        )
        .bind(tenant_id)
        .bind(probe)
        .bind(max_age_s as f64)
        .fetch_optional(self.pool())
        .await
        .map_err(refused("tenants.verdict"))
    }

    /// Keeps a probe's verdict for the plans to come.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn keep_verdict<T: serde::Serialize>(
        &self,
        tenant_id: &str,
        probe: &str,
        verdict: &T,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "-- tenants.keep_verdict
             INSERT INTO probe_verdict (tenant_id, probe, verdict) VALUES ($1, $2, $3)
             ON CONFLICT (tenant_id, probe) DO UPDATE SET verdict = excluded.verdict, probed_at = clock_timestamp()",
        )
        .bind(tenant_id)
        .bind(probe)
        .bind(to_json(verdict))
        .execute(self.pool())
        .await
        .map_err(refused("tenants.keep_verdict"))?;
        Ok(())
    }
}
