//! Legs as events tell of them: read in the transaction that publishes, after everything in it was written.
//!
//! Must not decide what is told.

use super::moves::LegFact;
use super::{Conn, StoreError, parse_json, parse_text, refused};
use crate::domain::manifest::Manifest;
use crate::domain::saga::LegState;
use crate::domain::spec::LegSpec;
use serde_json::Value;
use sqlx::Row;

/// A leg as events tell of it, and whose it is.
pub(crate) struct OneLeg {
    /// The leg's row.
    pub(crate) leg_id: i64,
    /// Its execution's.
    pub(crate) execution_id: i64,
    /// What is told.
    pub(crate) fact: LegFact,
}

/// All legs of these executions, and these legs, in the plans' order.
pub(crate) async fn leg_facts(
    conn: &mut Conn,
    executions: &[i64],
    legs: &[i64],
) -> Result<Vec<OneLeg>, StoreError> {
    let rows = sqlx::query(
        "-- moves.leg_facts
         SELECT l.id, l.execution_id, l.spec, l.state, l.error, l.attempt, m.account_id, m.campaign_name, m.revision,
                m.mutation_count, m.tracking_mode, m.objects, r.logical_campaign_key AS replaced_by,
                ARRAY(SELECT o.platform_campaign_id FROM leg x JOIN execution_manifest o ON o.leg_id = x.id
                      WHERE x.replaced_by = l.id AND o.platform_campaign_id IS NOT NULL ORDER BY x.id) AS replaces
         FROM leg l LEFT JOIN execution_manifest m ON m.leg_id = l.id LEFT JOIN leg r ON r.id = l.replaced_by
         WHERE l.execution_id = ANY($1) OR l.id = ANY($2)
         ORDER BY l.execution_id, l.ordinal, l.replaced_by NULLS FIRST, l.id",
    )
    .bind(executions)
    .bind(legs)
    .fetch_all(conn)
    .await
    .map_err(refused("moves.leg_facts"))?;
    rows.into_iter()
        .map(|row| {
            let id: i64 = row.get("id");
            let spec: LegSpec = parse_json("leg", id, "spec", row.get("spec"))?;
            let error: Option<Value> = row.get("error");
            let fact = LegFact {
                state: parse_text("leg", id, "state", row.get("state"), LegState::parse)?,
                error: error.map(|e| parse_json("leg", id, "error", e)).transpose()?,
                manifest: manifest_of(&row, id, &spec)?,
                attempt: row.get("attempt"),
                stays: Vec::new(),
                replaced_by: row.get("replaced_by"),
                replaces: row.get("replaces"),
                spec,
            };
            Ok(OneLeg {
                leg_id: id,
                execution_id: row.get("execution_id"),
                fact,
            })
        })
        .collect()
}

/// The manifest columns of a joined row; `None`: there is no manifest yet.
pub(crate) fn manifest_of(
    row: &sqlx::postgres::PgRow,
    leg_id: i64,
    spec: &LegSpec,
) -> Result<Option<Manifest>, StoreError> {
    let Some(account_id) = row.get::<Option<String>, _>("account_id") else {
        return Ok(None);
    };
    let mode: Option<String> = row.get("tracking_mode");
    Ok(Some(Manifest {
        leg: spec.key.clone(),
        account_id,
        campaign_name: row.get("campaign_name"),
        revision: row.get("revision"),
        mutation_count: row.get("mutation_count"),
        tracking_mode: mode
            .map(|m| {
                parse_text(
                    "execution_manifest",
                    leg_id,
                    "tracking_mode",
                    &m,
                    crate::domain::tracking::Mode::parse,
                )
            })
            .transpose()?,
        objects: parse_json("execution_manifest", leg_id, "objects", row.get("objects"))?,
    }))
}
