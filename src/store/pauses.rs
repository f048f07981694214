//! A rollback's two halves: everything of the version is switched off, on all platforms, before anything is removed.
//!
//! A leg that is off waits (`command.off_at`, `waiting_for = 'pauses'`) until no other leg of its version is on or may be. One whose
//! undo gave up (`stuck`) is a person's matter and holds nobody up. Must not decide what is off; the driver of each leg does.

use super::{Store, StoreError, refused};

/// Whether a leg `l` of a version that goes back is on, or may be: its undo has not seen it off yet, or its own command is
/// still at work.
macro_rules! may_be_on {
    () => {
        "(l.state IN ('activating', 'amending', 'retiring')
          OR l.state = 'undoing' AND NOT EXISTS (
              SELECT FROM command o WHERE o.leg_id = l.id AND o.kind = 'undo' AND o.state = 'queued' AND o.off_at IS NOT NULL))"
    };
}

impl Store {
    /// Whether a leg's version has legs that are on, or may be.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn others_may_be_on(&self, leg_id: i64) -> Result<bool, StoreError> {
        sqlx::query_scalar(concat!(
            "-- pauses.others
             SELECT EXISTS (SELECT FROM leg l WHERE l.id <> $1
                            AND l.execution_id = (SELECT execution_id FROM leg WHERE id = $1) AND ",
            may_be_on!(),
            ")"
        ))
        .bind(leg_id)
        .fetch_one(self.pool())
        .await
        .map_err(refused("pauses.others"))
    }

    /// Whether an undo of the leg has sent a removal: what never spent was known then, and has been off since.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn removal_has_begun(&self, leg_id: i64) -> Result<bool, StoreError> {
        sqlx::query_scalar(
            "-- pauses.removal
             SELECT EXISTS (SELECT FROM mutation m JOIN command c ON c.id = m.command_id
                            WHERE m.leg_id = $1 AND c.kind = 'undo' AND m.request #>> '{op,op}' = 'remove'
                              AND m.request -> 'objects' <> '[]')",
        )
        .bind(leg_id)
        .fetch_one(self.pool())
        .await
        .map_err(refused("pauses.removal"))
    }

    /// Some legs are off, or given up: where they were the last of their version, those that wait go on. Call it after the commit
    /// that says so: of two that come last at the same time, one sees the other.
    ///
    /// # Errors
    /// [`StoreError`]: they go on by themselves, later.
    pub(crate) async fn go_on_if_all_are_off(&self, legs: &[i64]) -> Result<(), StoreError> {
        sqlx::query(concat!(
            "-- pauses.go_on
             WITH off AS (
                 SELECT e.id FROM (SELECT DISTINCT execution_id AS id FROM leg WHERE id = ANY($1)) e
                 WHERE NOT EXISTS (SELECT FROM leg l WHERE l.execution_id = e.id AND ",
            may_be_on!(),
            ")),
             waiting AS (
                 SELECT c.id FROM command c JOIN leg ON leg.id = c.leg_id JOIN off ON off.id = leg.execution_id
                 WHERE c.state = 'queued' AND c.waiting_for = 'pauses' AND c.not_before > clock_timestamp()
                 FOR UPDATE OF c SKIP LOCKED)
             UPDATE command SET not_before = clock_timestamp() FROM waiting WHERE command.id = waiting.id"
        ))
        .bind(legs)
        .execute(self.pool())
        .await
        .map_err(refused("pauses.go_on"))?;
        Ok(())
    }
}
