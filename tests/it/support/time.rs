//! Deadlines and alerts under test: receivers in the configuration, and time that passes by moving rows into the past.
//!
//! Must not sleep.

use super::app::App;
use super::plans;
use super::receiver::{self, Receiver};
use campaign_execution::config::Config;
use campaign_execution::store::Store;
use campaign_execution::store::alerts::Which;
use campaign_execution::wiring::Wiring;
use serde_json::{Value, json};
use sqlx::Connection;
use std::sync::Arc;

/// The same service with receivers in its configuration: name and address.
pub fn with_receivers(app: &App, receivers: &[(&str, String)]) -> (Wiring, Vec<(String, String)>) {
    use std::os::unix::fs::PermissionsExt;
    let mut variables = app.variables.clone();
    let dir = variables
        .iter()
        .find(|(n, _)| n.ends_with("CREDENTIALS__DIR"))
        .expect("a directory")
        .1
        .clone();
    for (name, url) in receivers {
        let path = std::path::Path::new(&dir).join(format!("alert-{name}.json"));
        std::fs::write(&path, receiver::credential()).expect("a file");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("permissions");
        let variable = name.to_uppercase().replace('-', "_");
        variables.push((
            format!("CAMPAIGN_EXECUTION__ALERTS__{variable}__WEBHOOK_URL"),
            url.clone(),
        ));
    }
    let config =
        Config::load(Some(std::path::Path::new("/dev/null")), variables.clone()).expect("a configuration");
    let mut wiring = app.wiring.clone();
    wiring.config = Arc::new(config);
    (wiring, variables)
}

/// A service whose tenant's routes lead to `ops` and `billing`.
pub async fn start(receiver: &Receiver) -> (App, Wiring, Vec<(String, String)>) {
    let app = App::bare().await;
    app.onboard(|t| t["alerts"] = json!({ "client": "ops", "agency_master": "billing" }))
        .await;
    let (wiring, variables) = with_receivers(
        &app,
        &[("ops", receiver.url("ops")), ("billing", receiver.url("billing"))],
    );
    (app, wiring, variables)
}

/// So much time passes for clocks and waits.
pub async fn pass(app: &App, minutes: i32) {
    let mut connection = app.connect().await;
    for statement in [
        "UPDATE clock SET since = since - make_interval(mins => $1), due_at = due_at - make_interval(mins => $1),
                ended_at = ended_at - make_interval(mins => $1)",
        "UPDATE touchpoint SET opened_at = opened_at - make_interval(mins => $1),
                resolved_at = resolved_at - make_interval(mins => $1)",
        "UPDATE tenant_pause SET paused_at = paused_at - make_interval(mins => $1),
                lifted_at = lifted_at - make_interval(mins => $1)",
        "UPDATE leg SET review_since = review_since - make_interval(mins => $1)",
        "UPDATE leg_review SET began_at = began_at - make_interval(mins => $1),
                ended_at = ended_at - make_interval(mins => $1)",
        "UPDATE alert SET created_at = created_at - make_interval(mins => $1),
                not_before = not_before - make_interval(mins => $1), resent_at = resent_at - make_interval(mins => $1)",
    ] {
        sqlx::query(statement)
            .bind(minutes)
            .execute(&mut connection)
            .await
            .expect(statement);
    }
    connection.close().await.expect("closed");
}

pub async fn tick(wiring: &Wiring) -> usize {
    wiring
        .deadlines()
        .step()
        .await
        .expect("the deadlines are looked at")
}

pub async fn states(store: &Store) -> Vec<(String, String, i32)> {
    let which = Which {
        delivered_too: true,
        ..Which::default()
    };
    let mut all: Vec<_> = store
        .alerts(which)
        .await
        .expect("alerts")
        .into_iter()
        .map(|a| (a.route, a.state, a.attempts))
        .collect();
    all.sort();
    all
}

pub async fn control(app: &App, plan: &Value, action: &str) {
    let control = json!({ "tenant_id": plan["tenant_id"], "plan_id": plan["plan_id"], "plan_version": plan["plan_version"],
        "action": action, "by": "ops", "at": plans::moment(), "reason": "a test" });
    app.deliver("execution.control", control.to_string().into_bytes())
        .await;
}

pub async fn counter(wiring: &Wiring, name: &str) -> i64 {
    let all = wiring.store.clock_gauges().await.expect("gauges");
    all.iter().filter(|g| g.0 == name).map(|g| g.2).sum()
}

/// A launch of one Meta campaign that the platform refuses: its ad set's budget is too small.
pub async fn refused(app: &App, version: &str) -> Value {
    let plan = plans::only(plans::plan(version), "meta");
    app.fault(json!({ "vendor": "meta", "method": "adsets.create", "error": "100/1885272" }))
        .await;
    app.publish(&plan).await;
    app.settle_and_warp(5).await;
    plan
}
