//! The platform's review of a leg: how long it takes, apart from working time.
//!
//! Must not decide whether a review is over; a report does that.

use super::views::{Watched, as_watched};
use super::{Conn, Store, StoreError, commit, refused};

/// The review of `waiting` legs is running; that of those that are `over` is not.
pub(crate) async fn follow(conn: &mut Conn, over: &[i64], waiting: &[i64]) -> Result<(), StoreError> {
    if over.is_empty() && waiting.is_empty() {
        return Ok(());
    }
    let mut rows: Vec<(i64, bool)> = over.iter().map(|leg| (*leg, false)).collect();
    rows.extend(waiting.iter().map(|leg| (*leg, true)));
    rows.sort_unstable();
    let (legs, running): (Vec<i64>, Vec<bool>) = rows.into_iter().unzip();
    sqlx::query(
        "-- review.follow
         WITH n AS (
                  SELECT l.id, l.execution_id, l.review_since, n.running
                  FROM unnest($1::bigint[], $2::bool[]) AS n (leg_id, running) JOIN leg l ON l.id = n.leg_id
                  WHERE n.running OR l.review_since IS NOT NULL),
              over AS (
                  INSERT INTO leg_review (execution_id, leg_id, began_at)
                  SELECT execution_id, id, review_since FROM n WHERE NOT running)
         UPDATE leg l SET
             review_s = l.review_s + CASE WHEN n.running OR l.review_since IS NULL THEN 0
                        ELSE extract(epoch FROM clock_timestamp() - l.review_since)::bigint END,
             review_since = CASE WHEN n.running THEN coalesce(l.review_since, clock_timestamp()) END,
             review_looks = CASE WHEN n.running THEN l.review_looks + 1 ELSE 0 END
         FROM n WHERE l.id = n.id",
    )
    .bind(legs)
    .bind(running)
    .execute(conn)
    .await
    .map_err(refused("review.follow"))?;
    Ok(())
}

impl Store {
    /// A scheduled leg's start has come, and its review is still running: looked at again later, ever less often.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn still_in_review(&self, watched: &Watched) -> Result<(), StoreError> {
        let mut tx = self.begin().await?;
        if !as_watched(&mut tx, watched).await? {
            return Ok(());
        }
        follow(&mut tx, &[], &[watched.leg_id]).await?;
        commit(tx, "review.still").await
    }
}
