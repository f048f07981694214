//! Every form of campaign that a platform offers, from the approved plan to the scheduled campaign: through the gate, the saga and the
//! worker, all at once.
//!
//! Must not name a platform, nor look at what is sent: `contract` does.

use crate::contract::forms;
use crate::support::app::App;
use crate::support::plans;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn every_form_is_launched() {
    let app = App::start().await;
    let mut launched = Vec::new();
    for (n, (platform, sample)) in forms().into_iter().enumerate() {
        let mut plan = sample.plan(platform.name(), &format!("form.{n}"));
        plan["plan_id"] = json!(format!("form-{n}"));
        app.publish(&plan).await;
        launched.push((format!("{}, {}", platform.name(), sample.name), plan));
    }
    assert!(launched.len() > 18, "only {} forms", launched.len());
    app.settle().await;
    for (what, plan) in &launched {
        let legs = app.legs(plan).await;
        assert_eq!(legs.len(), plans::legs(plan), "{what}");
        assert!(
            legs.values().all(|state| state == "scheduled"),
            "{what}: {legs:?}"
        );
    }
    assert_eq!(app.events("campaign.scheduled").len(), launched.len());
    app.assert_no_duplicates().await;

    let before = app.effects().await;
    for (_, plan) in &launched {
        app.publish(plan).await;
    }
    app.settle().await;
    assert_eq!(app.effects().await, before, "the same again is no work");
}
