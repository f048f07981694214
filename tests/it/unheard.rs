//! Updates of which nobody heard what became: what the plan in force wants is there in the end.

use crate::amend::{amended, raise};
use crate::support::app::App;
use crate::support::command::run;
use crate::support::plans;
use campaign_execution::platform;
use serde_json::{Value, json};

/// The update was carried out, its answer never came, and by then the worker had lost its lease: nobody says what became of it. The
/// plan that wants the old value back gets it.
#[tokio::test(flavor = "multi_thread")]
async fn an_update_that_nobody_heard_of_is_taken_back() {
    for platform in platform::all() {
        let name = platform.name();
        let app = App::start().await;
        let plan = plans::only(plans::running_plan("unheard.1"), name);
        app.publish(&plan).await;
        app.settle_and_warp(6).await;
        app.publish(&amended(&plan, 1, |p| raise(p, 0, 5))).await;
        app.wiring.gatekeeper().step().await.expect("the gate opens");
        app.pump().await;
        app.world(json!({ "latency_ms": 200 })).await;
        let open = "SELECT count(*) FROM mutation WHERE state = 'in_flight'";
        let losing = async {
            while app.number(open).await == 0 {
                tokio::task::yield_now().await;
            }
            app.fault(json!({ "vendor": name, "kind": "reset", "effect": "after" }))
                .await;
            app.sql("UPDATE command SET lease_until = clock_timestamp(), lease_token = lease_token + 1 WHERE state = 'queued'")
                .await
        };
        let (_, lost) = tokio::join!(app.work(name), losing);
        assert_eq!(lost, 1, "{name}");
        app.world(json!({ "latency_ms": 0 })).await;
        app.mend().await;
        assert_eq!(
            app.number(open).await,
            1,
            "{name}: what it did is to be found out"
        );
        app.publish(&amended(&plan, 2, |_| ())).await;
        app.settle_and_warp(6).await;
        let states: Vec<String> = app.legs(&plan).await.into_values().collect();
        assert_eq!(states, ["live"], "{name}: {:?}", app.leg_views(&plan).await);
        let drift = run(&app, &["drift", "unheard.1"]);
        assert_eq!(drift.code, Some(0), "{name}: {drift:?}");
    }
}

async fn targeting_on_meta(app: &App) -> Value {
    let all = app
        .control(
            reqwest::Method::GET,
            "objects?vendor=meta&kind=adset&full=true",
            None,
        )
        .await;
    let all = all["objects"].as_array().expect("objects").clone();
    assert_eq!(all.len(), 1, "{all:?}");
    let targeting = &all[0]["fields"]["targeting"];
    assert!(targeting.is_object(), "{all:?}");
    targeting.clone()
}

/// What an update of which nobody heard took out, or put in, is as the plan in force says in the end: also where only a part of a field
/// came or went, which a read-back that tolerates more than was sent does not see.
#[tokio::test(flavor = "multi_thread")]
async fn what_an_unheard_update_took_out_or_put_in_is_as_the_plan_says() {
    let women = |p: &mut Value| p["campaigns"][0]["audience"]["genders"] = json!(["female"]);
    let everybody = |_: &mut Value| ();
    let launched = |version: &'static str, change: fn(&mut Value)| async move {
        let app = App::start().await;
        let mut plan = plans::only(plans::running_plan(version), "meta");
        change(&mut plan);
        app.publish(&plan).await;
        app.settle_and_warp(6).await;
        (app, plans::only(plans::running_plan(version), "meta"))
    };
    let (app, _) = launched("want.1", everybody).await;
    let wanted = targeting_on_meta(&app).await;
    let reset = |effect: &str| json!({ "vendor": "meta", "method": "adsets.update", "kind": "reset", "effect": effect, "times": 1 });

    // Taken out, and lost on its way.
    let (app, plan) = launched("out.1", women).await;
    assert_ne!(targeting_on_meta(&app).await, wanted);
    app.fault(reset("before")).await;
    app.publish(&amended(&plan, 1, everybody)).await;
    app.settle_and_warp(6).await;
    assert_eq!(
        targeting_on_meta(&app).await,
        wanted,
        "{:?}",
        app.legs(&plan).await
    );

    // Put in, its answer lost, and before anybody looks the plan wants what was.
    let (app, plan) = launched("in.1", everybody).await;
    app.fault(reset("after")).await;
    app.publish(&amended(&plan, 1, women)).await;
    app.wiring.gatekeeper().step().await.expect("the gate opens");
    app.pump().await;
    app.work("meta").await;
    assert_ne!(targeting_on_meta(&app).await, wanted);
    app.publish(&amended(&plan, 2, everybody)).await;
    app.settle_and_warp(6).await;
    assert_eq!(
        targeting_on_meta(&app).await,
        wanted,
        "{:?}",
        app.legs(&plan).await
    );
}
