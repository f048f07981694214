//! Making again what somebody removed on a platform: shown and asked, for `drift --mend` and `replay --mode reconcile`.
//!
//! Must not make anything again unasked: whoever removed it may have meant it.

use super::output::{Output, count};
use super::{Failure, ask, user};
use crate::domain::saga::LegState;
use crate::service::compose::Composer;
use crate::service::drift::{Difference, Looked, Told};
use crate::store::mend::{Asked, Gone};
use crate::wiring::Wiring;

/// What is gone of a leg that should be there.
#[must_use]
pub fn gone(leg: &Looked) -> Option<Gone> {
    // What is off for good, or about to be, is not made again.
    LegState::parse(&leg.state).filter(|state| {
        !matches!(
            state,
            LegState::Retiring
                | LegState::Retired
                | LegState::Outgoing
                | LegState::Undoing
                | LegState::Undone
        )
    })?;
    let Told::Differs { differences } = &leg.told else {
        return None;
    };
    let objects: Vec<(String, String)> = differences
        .iter()
        .filter_map(|d| match d {
            Difference::Gone { object, remote_id } => Some((object.clone(), remote_id.clone())),
            Difference::Field { .. } | Difference::Serving { .. } => None,
        })
        .collect();
    (!objects.is_empty()).then_some(Gone {
        leg_id: leg.leg_id,
        objects,
    })
}

/// Shows what is gone, asks, and has it built again; how many legs that are.
pub async fn mend(
    wiring: &Wiring,
    output: &Output,
    execution_id: i64,
    looked: &[Looked],
    (yes, reason): (bool, Option<&str>),
) -> Result<usize, Failure> {
    let mut all = Vec::new();
    for leg in looked {
        let Some(gone) = gone(leg) else { continue };
        let names: Vec<&str> = gone.objects.iter().map(|(key, _)| key.as_str()).collect();
        output.line(format!(
            "{}/{}: gone on the platform: {}",
            leg.platform,
            leg.logical_campaign_key,
            names.join(", ")
        ));
        all.push(gone);
    }
    if all.is_empty() {
        return Ok(0);
    }
    ask::confirm(
        yes,
        &format!("Make what is gone of {} again?", count(all.len(), "leg")),
    )?;
    let asked = Asked {
        by: format!("cli:{}", user()),
        reason: reason.unwrap_or_default().to_owned(),
        now: wiring.clock.stamp(),
    };
    let mended = wiring.store.mend(&Composer, execution_id, &all, &asked).await?;
    output.line(match (mended, all.len() - mended) {
        (0, _) => "nothing is built again: a worker holds these legs, they go back, or it was done meanwhile"
            .to_owned(),
        (_, 0) => format!(
            "built again: {}, paused, verified and switched on as at first",
            count(mended, "leg")
        ),
        (_, left) => {
            format!(
                "built again: {}; {left} more held by a worker or on the way back, and left as they are",
                count(mended, "leg")
            )
        }
    });
    Ok(mended)
}
