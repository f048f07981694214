//! Taking commands back: what no worker holds is withdrawn at once, who holds one is told to stop before its next write call, and
//! what was sent and has not come yet never will.
//!
//! Commands come first in the lock order, so whoever changes an execution from outside locks its commands before its row.
//! Must not withdraw a command that is leased: its call may be on the wire.

use super::{Conn, StoreError, moves, parse_text, refused};
use crate::domain::saga::{CommandKind, LegState};
use sqlx::{Connection as _, Row};
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

/// Commands that are between the outbox and the table that workers lease from: their rows are put there as done, so that they
/// are nobody's when they come; whose legs they are. None: a command has come since these were locked, and nothing was put
/// there; ask again. The executions are locked, and nothing was withdrawn yet.
///
/// Without this, one that comes between the locking of the commands and the caller's commit would be driven beside what the
/// caller decided.
pub(crate) async fn forestall(
    conn: &mut Conn,
    executions: &[i64],
    queued: &[Queued],
    wanted: impl Fn(i64, CommandKind) -> bool,
) -> Result<Option<Vec<i64>>, StoreError> {
    let sent: Vec<(i64, String, i32)> = sqlx::query_as(
        "-- withdraw.sent
         SELECT l.id, l.state, l.attempt FROM leg l
         WHERE l.execution_id = ANY($1) AND l.state IN ('building', 'amending', 'activating', 'undoing', 'retiring')
         ORDER BY l.id",
    )
    .bind(executions)
    .fetch_all(&mut *conn)
    .await
    .map_err(refused("withdraw.sent"))?;
    let known: Vec<Uuid> = queued.iter().map(|q| q.id).collect();
    let (mut ids, mut legs, mut kinds) = (Vec::new(), Vec::new(), Vec::new());
    for (leg, state, attempt) in sent {
        let state = parse_text("leg", leg, "state", &state, LegState::parse)?;
        let Some(kind) = state.in_flight().filter(|kind| wanted(leg, *kind)) else {
            continue;
        };
        let id = moves::command_id(leg, kind, attempt);
        if !known.contains(&id) {
            ids.push(id);
            legs.push(leg);
            kinds.push(kind.as_str());
        }
    }
    // All or none: a leg whose command was put there as done and that the caller then leaves alone would wait for ever.
    let mut attempt = conn.begin().await.map_err(refused("withdraw.attempt"))?;
    if !ids.is_empty() {
        sqlx::query(
            "-- withdraw.forestall
             INSERT INTO command (id, leg_id, platform, account_key, kind, state, report, done_at)
             SELECT n.id, l.id, l.platform, l.tenant_id, n.kind, 'done', 'withdrawn', clock_timestamp()
             FROM unnest($1::uuid[], $2::bigint[], $3::text[]) AS n (id, leg_id, kind) JOIN leg l ON l.id = n.leg_id
             ON CONFLICT (id) DO NOTHING",
        )
        .bind(ids)
        .bind(&legs)
        .bind(kinds)
        .execute(&mut *attempt)
        .await
        .map_err(refused("withdraw.forestall"))?;
    }
    // Whatever came between is in neither list, of whichever kind it is: a worker may have it by now.
    let come: bool = sqlx::query_scalar(
        "-- withdraw.come
         SELECT EXISTS (SELECT FROM command c JOIN leg l ON l.id = c.leg_id
                        WHERE l.execution_id = ANY($1) AND c.state = 'queued' AND c.id <> ALL($2))",
    )
    .bind(executions)
    .bind(known)
    .fetch_one(&mut *attempt)
    .await
    .map_err(refused("withdraw.come"))?;
    if come {
        attempt.rollback().await.map_err(refused("withdraw.again"))?;
        return Ok(None);
    }
    attempt.commit().await.map_err(refused("withdraw.kept"))?;
    Ok(Some(legs))
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
