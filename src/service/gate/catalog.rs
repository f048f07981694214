//! The product feeds that the plan relies on.
//!
//! Must not judge: `domain::catalog` does.

use crate::domain::gate::{Check, Outcome};
use crate::domain::plan::Plan;

/// The place of the feed checks. Until they exist, a plan that relies on a feed does not pass.
pub(super) fn catalog(plan: &Plan) -> Option<Check> {
    plan.catalog.as_ref().map(|_| {
        Check::not(
            Outcome::Fail,
            "catalog",
            "this version cannot check product feeds",
            "publish the plan without `catalog`, or wait for the version that checks feeds",
        )
    })
}
