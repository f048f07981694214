//! Taking commands back: what no worker holds is withdrawn at once, who holds one is told to stop before its next write call.
//!
//! Commands come first in the lock order, so whoever changes an execution from outside locks its commands before its row.
//! Must not withdraw a command that is leased: its call may be on the wire.

use super::{Conn, StoreError, parse_text, refused};
use crate::domain::saga::CommandKind;
use sqlx::Row;
use uuid::Uuid;

/// A command that is not finished.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Queued {
    pub(crate) id: Uuid,
    pub(crate) leg_id: i64,
    pub(crate) kind: CommandKind,
    /// A worker holds it now; or it belongs to the kill switch, and is not to be taken back but waited for.
    pub(crate) held: bool,
}

/// Locks the unfinished commands of these executions.
pub(crate) async fn lock(conn: &mut Conn, executions: &[i64]) -> Result<Vec<Queued>, StoreError> {
    let rows = sqlx::query(
        "-- withdraw.lock
         SELECT c.id, c.leg_id, c.kind,
                coalesce(c.lease_until > clock_timestamp(), false) OR c.kind IN ('hold', 'release') AS held
         FROM command c WHERE c.state = 'queued' AND c.leg_id IN (SELECT id FROM leg WHERE execution_id = ANY($1))
         ORDER BY c.id FOR UPDATE OF c",
    )
    .bind(executions)
    .fetch_all(conn)
    .await
    .map_err(refused("withdraw.lock"))?;
    rows.into_iter()
        .map(|row| {
            let id: Uuid = row.get("id");
            Ok(Queued {
                id,
                leg_id: row.get("leg_id"),
                kind: parse_text("command", id, "kind", row.get("kind"), CommandKind::parse)?,
                held: row.get("held"),
            })
        })
        .collect()
}

/// Ends commands that nobody holds, locked before.
pub(crate) async fn withdraw(conn: &mut Conn, commands: &[Queued]) -> Result<(), StoreError> {
    let ids: Vec<Uuid> = commands.iter().filter(|c| !c.held).map(|c| c.id).collect();
    if ids.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "-- withdraw.end
         UPDATE command SET state = 'done', report = 'withdrawn', done_at = clock_timestamp(), lease_until = NULL
         WHERE id = ANY($1) AND state = 'queued'",
    )
    .bind(ids)
    .execute(conn)
    .await
    .map_err(refused("withdraw.end"))?;
    Ok(())
}

/// Tells those who hold these commands to stop before their next write call.
pub(crate) async fn tell(conn: &mut Conn, commands: &[Queued]) -> Result<(), StoreError> {
    let ids: Vec<Uuid> = commands.iter().filter(|c| c.held).map(|c| c.id).collect();
    if ids.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "-- withdraw.tell\nUPDATE command SET withdraw = true WHERE id = ANY($1) AND state = 'queued'",
    )
    .bind(ids)
    .execute(conn)
    .await
    .map_err(refused("withdraw.tell"))?;
    Ok(())
}
