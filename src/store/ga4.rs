//! What asking a GA4 property has cost: its server errors of the last hour, and who is asking it now.
//!
//! Must not judge whether it may be asked (`health::ga4::budget` does).

use super::{Store, StoreError, refused};
use chrono::{DateTime, Utc};
use sqlx::Row;
use std::time::Duration;

/// How long a look at a property may take before another instance may take its turn.
const TURN: Duration = Duration::from_secs(90);

/// What is kept of a property; times are the database's.
#[derive(Debug, Clone)]
pub struct Ga4Turn {
    /// Now.
    pub now: DateTime<Utc>,
    /// The server errors of the last hour.
    pub server_errors: Vec<DateTime<Utc>>,
    /// GA4 said to wait until then.
    pub not_before: Option<DateTime<Utc>>,
}

impl Store {
    /// Takes the turn to ask a property; none: another instance has it.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn ga4_begin(&self, property: &str) -> Result<Option<Ga4Turn>, StoreError> {
        let row = sqlx::query(
            "-- ga4.begin
             INSERT INTO ga4_budget (property, asking_until) VALUES ($1, clock_timestamp() + make_interval(secs => $2))
             ON CONFLICT (property) DO UPDATE SET asking_until = excluded.asking_until,
                 server_errors = ARRAY(SELECT at FROM unnest(ga4_budget.server_errors) at
                                       WHERE at > clock_timestamp() - interval '1 hour' ORDER BY at)
             WHERE ga4_budget.asking_until IS NULL OR ga4_budget.asking_until < clock_timestamp()
             RETURNING server_errors, not_before, clock_timestamp() AS now",
        )
        .bind(property)
        .bind(TURN.as_secs_f64())
        .fetch_optional(self.pool())
        .await
        .map_err(refused("ga4.begin"))?;
        Ok(row.map(|row| Ga4Turn {
            now: row.get("now"),
            server_errors: row.get("server_errors"),
            not_before: row.get("not_before"),
        }))
    }

    /// Gives the turn back, with what it cost.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn ga4_end(
        &self,
        property: &str,
        server_errors: u32,
        wait: Option<Duration>,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "-- ga4.end
             UPDATE ga4_budget SET asking_until = NULL,
                 server_errors = server_errors || array_fill(clock_timestamp(), ARRAY[$2::int]),
                 not_before = coalesce(clock_timestamp() + make_interval(secs => $3), not_before)
             WHERE property = $1",
        )
        .bind(property)
        .bind(i32::try_from(server_errors).unwrap_or(i32::MAX))
        .bind(wait.map(|w| w.as_secs_f64()))
        .execute(self.pool())
        .await
        .map_err(refused("ga4.end"))?;
        Ok(())
    }
}
