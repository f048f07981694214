//! An undo that keeps failing: people are told of it, by event and by the webhook of its route, and the verb that they are told
//! ends it.

use crate::support::app::App;
use crate::support::command::run_with;
use crate::support::plans;
use crate::support::receiver::Receiver;
use crate::support::time::{control, pass, start, tick};
use campaign_execution::platform;
use serde_json::{Value, json};

/// The tenant as it is known, but for one account that is another one by now; none: all as they were.
async fn accounts(app: &App, moved: Option<&str>, seconds: i64) {
    app.onboard(|t| {
        t["alerts"] = json!({ "client": "ops", "agency_master": "billing" });
        t["updated_at"] = json!(plans::stamp(chrono::Duration::seconds(seconds)));
        if let Some(platform) = moved {
            t["accounts"][platform]["account_id"] = json!("1111111111");
        }
    })
    .await;
}

async fn open(app: &App) -> Vec<Value> {
    let all = app
        .wiring
        .store
        .touchpoints(None, false)
        .await
        .expect("touchpoints");
    all.iter().map(|t| json!(t)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_undone_is_escalated_and_retry_ends_it() {
    for platform in platform::all() {
        let name = platform.name();
        let receiver = Receiver::start().await;
        let (app, wiring, variables) = start(&receiver).await;
        let plan = plans::running_plan("stuck.1");
        app.publish(&plan).await;
        app.settle_and_warp(8).await;
        let legs = app.legs(&plan).await;
        assert!(legs.values().all(|s| s == "live"), "{name}: {legs:?}");
        accounts(&app, Some(name), -10).await;
        control(&app, &plan, "rollback").await;
        app.settle_and_warp(10).await;
        let legs = app.legs(&plan).await;
        let (place, _) = legs
            .iter()
            .find(|(_, state)| *state == "stuck")
            .unwrap_or_else(|| panic!("{name}: {legs:?}"));
        let place = place.clone();
        assert!(place.starts_with(name), "{place}");
        assert_eq!(legs.values().filter(|s| *s == "undone").count(), legs.len() - 1);
        let asked = open(&app).await;
        assert_eq!(asked.len(), 1, "{name}: {asked:?}");
        assert_eq!(asked[0]["kind"], "stuck");
        let remedy = asked[0]["what_to_do"].as_str().expect("a remedy");
        assert!(remedy.contains("retry"), "it names the verb: {remedy}");

        pass(&app, 14).await;
        assert_eq!(tick(&wiring).await, 0, "{name}: somebody may mend it first");
        pass(&app, 2).await;
        assert_eq!((tick(&wiring).await, tick(&wiring).await), (1, 0), "{name}: once");
        app.pump().await;
        let told = app.events("execution.escalated");
        assert_eq!(told.len(), 1, "{name}");
        let data = &told[0].data;
        assert_eq!(
            (&data["reason"], &data["route"]),
            (&json!("failure"), &json!("client"))
        );
        let told_legs = data["legs"].as_array().expect("legs");
        let stuck: Vec<&Value> = told_legs.iter().filter(|l| l["state"] == "stuck").collect();
        assert_eq!(stuck.len(), 1, "{name}: {data}");
        assert_eq!(stuck[0]["platform"], name);
        assert_eq!(stuck[0]["error"]["class"], "account", "{name}: and why: {data}");
        assert_eq!(wiring.alerts().step().await.expect("sent"), 1);
        let calls = receiver.calls("ops");
        assert_eq!((calls.len(), &calls[0].id), (1, &told[0].id), "{name}");
        assert_eq!(receiver.calls("billing").len(), 0, "{name}: of its route alone");

        // The verb alone does not help while the account is another; then it does, and nothing more is said.
        let retry = ["retry", "stuck.1", "--yes", "--reason", "the account is back"];
        run_with(&variables, &retry).ok();
        app.settle_and_warp(10).await;
        assert_eq!(app.legs(&plan).await[&place], "stuck", "{name}");
        accounts(&app, None, 0).await;
        run_with(&variables, &retry).ok();
        app.settle_and_warp(10).await;
        let legs = app.legs(&plan).await;
        assert!(legs.values().all(|s| s == "undone"), "{name}: {legs:?}");
        let left = app.objects(name).await;
        assert!(left.iter().all(|o| o["kind"] != "campaign"), "{name}: {left:?}");
        assert_eq!(open(&app).await, [] as [Value; 0], "{name}");
        assert!(app.execution(&plan).await.trouble.is_none(), "{name}");
        pass(&app, 600).await;
        assert_eq!(tick(&wiring).await, 0, "{name}");
        let text = run_with(&variables, &["explain", "stuck.1"]).ok().out;
        for words in ["stuck", "told: ops (client)", "retry"] {
            assert!(text.contains(words), "{name}: {words:?} is not in\n{text}");
        }
        app.assert_audit_whole().await;
    }
}
