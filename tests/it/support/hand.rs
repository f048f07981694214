//! Somebody at a platform's own screens, who changes what is ours. Must not go through the service.

use super::app::App;
use std::time::Duration;

/// Changes one of Meta's objects, by its id: `name=Mine&status=PAUSED`.
pub async fn on_meta(app: &App, id: &str, form: &str) {
    let outbound = &app.wiring.outbound;
    let request = outbound
        .http
        .post(format!("{}/meta/v26.0/{id}", app.url))
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("{form}&access_token=sandbox-meta-token"));
    let answer = outbound.send(request, Duration::from_secs(5)).await;
    assert_eq!(answer.expect("an answer").status, 200, "{form}");
}
