//! What somebody removed on a platform by hand is made again: the manifest forgets what is gone, and the leg is built anew.
//!
//! Must not be called before a person agreed: whoever removed it may have meant it.

use super::audit::{Entry, Record};
use super::moves::{self, Compose, Moves};
use super::{Store, StoreError, audit, checks, commit, parse_json, refused, to_json, withdraw};
use crate::domain::manifest::{ObjectState, RemoteObject, Serving};
use crate::domain::saga::{Amendment, CommandKind, Direction, LegState};
use serde_json::{Value, json};
use std::collections::HashSet;

/// What is gone of a leg.
#[derive(Debug, Clone)]
pub struct Gone {
    /// The leg's row.
    pub leg_id: i64,
    /// Keys of its manifest, and what the platform called them: what bears a key by now may be another one.
    pub objects: Vec<(String, String)>,
}

/// Who asks for it, and why.
#[derive(Debug, Clone)]
pub struct Asked {
    /// `cli:<user>`.
    pub by: String,
    /// Why.
    pub reason: String,
    /// RFC 3339: now.
    pub now: String,
}

impl Store {
    /// Marks what is gone as removed and sends the legs to be built; how many legs that are. Legs that a worker holds, or
    /// that go back, stay as they are.
    ///
    /// # Errors
    /// [`StoreError`]; nothing was changed.
    pub async fn mend(
        &self,
        compose: &dyn Compose,
        execution_id: i64,
        gone: &[Gone],
        asked: &Asked,
    ) -> Result<usize, StoreError> {
        let mut tx = self.begin().await?;
        let queued = withdraw::lock(&mut tx, &[execution_id]).await?;
        let anew = |kind| matches!(kind, CommandKind::Build | CommandKind::Activate);
        let held: HashSet<i64> = queued.iter().filter(|q| q.held).map(|q| q.leg_id).collect();
        let mut executions = moves::lock(&mut tx, &[execution_id]).await?;
        let Some(execution) = executions.first_mut() else {
            return Ok(0);
        };
        if execution.saga.direction == Direction::Back {
            return Ok(0);
        }
        let named = |leg| gone.iter().any(|g| g.leg_id == leg);
        let wanted = |leg, kind| named(leg) && anew(kind) && !held.contains(&leg);
        if withdraw::forestall(&mut tx, &[execution_id], &queued, wanted)
            .await?
            .is_none()
        {
            // The next try finds in its place what has come meanwhile.
            drop(tx);
            return Box::pin(self.mend(compose, execution_id, gone, asked)).await;
        }
        let ids: Vec<i64> = gone
            .iter()
            .map(|g| g.leg_id)
            .filter(|id| !held.contains(id))
            .collect();
        let theirs: Vec<_> = queued
            .iter()
            .filter(|q| ids.contains(&q.leg_id) && anew(q.kind))
            .copied()
            .collect();
        withdraw::withdraw(&mut tx, &theirs).await?;
        let mut moves = Moves::default();
        let mut mended = Vec::new();
        for mut leg in moves::leg_rows(&mut tx, &ids).await? {
            let Some(missing) = gone.iter().find(|g| g.leg_id == leg.id) else {
                continue;
            };
            // What is off for good, or about to be, is not made again.
            if matches!(
                leg.state,
                LegState::Retiring | LegState::Retired | LegState::Outgoing
            ) {
                continue;
            }
            let objects = of_manifest(&mut tx, leg.id).await?;
            let is_it = |o: &&RemoteObject| {
                let named = |(key, id): &(String, String)| *key == o.key && Some(id) == o.remote_id.as_ref();
                o.state == ObjectState::Created && missing.objects.iter().any(named)
            };
            let keys: Vec<String> = objects.iter().filter(is_it).map(|o| o.key.clone()).collect();
            // Somebody else has had it made again meanwhile.
            if keys.is_empty() {
                continue;
            }
            let Ok(effects) = execution.saga.amend(leg.position, leg.state, Amendment::Change) else {
                continue;
            };
            forget(&mut tx, leg.id, (objects, &keys)).await?;
            moves
                .note(&mut tx, compose, (0, &mut *execution), Some(&mut leg), &effects)
                .await?;
            mended.push(
                json!({ "leg": format!("{}/{}", leg.platform, leg.logical_campaign_key), "objects": keys }),
            );
        }
        moves.write_legs(&mut tx).await?;
        let effects = execution.saga.amended();
        moves
            .note(&mut tx, compose, (0, &mut *execution), None, &effects)
            .await?;
        let record = Record {
            tenant_id: execution.tenant_id.clone(),
            entry: Entry {
                at: asked.now.clone(),
                actor: asked.by.clone(),
                action: "drift.mended".to_owned(),
                plan_version: Some(execution.plan_version.clone()),
                leg: None,
                detail: json!({ "reason": asked.reason, "legs": mended }),
            },
        };
        moves.write(&mut tx, compose, &executions).await?;
        checks::ask(&mut tx, execution_id).await?;
        audit::append(&mut tx, &[record]).await?;
        commit(tx, "mend").await?;
        Ok(mended.len())
    }
}

async fn of_manifest(conn: &mut super::Conn, leg_id: i64) -> Result<Vec<RemoteObject>, StoreError> {
    let objects: Value = sqlx::query_scalar(
        "-- mend.objects
         SELECT objects FROM execution_manifest WHERE leg_id = $1 FOR UPDATE",
    )
    .bind(leg_id)
    .fetch_one(&mut *conn)
    .await
    .map_err(refused("mend.objects"))?;
    parse_json("execution_manifest", leg_id, "objects", objects)
}

/// The manifest learns that these are not there any more.
async fn forget(
    conn: &mut super::Conn,
    leg_id: i64,
    (mut objects, keys): (Vec<RemoteObject>, &[String]),
) -> Result<(), StoreError> {
    for object in objects.iter_mut().filter(|o| keys.contains(&o.key)) {
        object.state = ObjectState::Removed;
        object.serving = Serving::None;
    }
    sqlx::query(
        "-- mend.forget
         UPDATE execution_manifest SET objects = $2, revision = revision + 1, updated_at = clock_timestamp() WHERE leg_id = $1",
    )
    .bind(leg_id)
    .bind(to_json(&objects))
    .execute(conn)
    .await
    .map_err(refused("mend.forget"))?;
    Ok(())
}
