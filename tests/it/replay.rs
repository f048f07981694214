//! A message comes again: what the platforms hold is compared with the record, a person is told of what differs, and what was
//! removed by hand is made again by a person's word alone.

use crate::support::app::App;
use crate::support::command::run;
use crate::support::process::{Service, make_topics, publish, rewind, wait_for};
use crate::support::terminal::Terminal;
use crate::support::{hand, plans};
use serde_json::{Value, json};
use std::time::Duration;

async fn campaigns(app: &App) -> Vec<String> {
    let all = app.objects("meta").await.into_iter();
    let campaigns = all.filter(|o| o["kind"] == "campaign");
    campaigns
        .map(|o| o["id"].as_str().expect("an id").to_owned())
        .collect()
}

fn touchpoints(app: &App) -> Vec<(String, String)> {
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    app.events("execution.touchpoint")
        .into_iter()
        .filter(|e| e.data["kind"] == "drift")
        .map(|e| (text(&e.data["state"]), text(&e.data["what_to_do"])))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_comes_again_has_the_platforms_looked_at_once_and_changes_nothing() {
    let app = App::start().await;
    let plan = plans::only(plans::running_plan("again.1"), "meta");
    app.publish(&plan).await;
    app.settle_and_warp(6).await;
    let checks = app.wiring.checks();
    assert_eq!(checks.step().await.expect("a look"), 0, "nobody asked");
    let quiet = app.effects().await;
    for _ in 0..50 {
        app.publish(&plan).await;
    }
    assert_eq!(checks.step().await.expect("a look"), 1, "once for fifty messages");
    app.publish(&plan).await;
    assert_eq!(
        checks.step().await.expect("a look"),
        0,
        "not again for ten minutes"
    );
    assert_eq!(touchpoints(&app), []);
    let soon = "UPDATE execution SET check_at = clock_timestamp() WHERE check_at IS NOT NULL";
    assert_eq!(app.sql(soon).await, 1, "but then");
    // Somebody renames it; a platform that does not answer says nothing about it.
    let id = campaigns(&app).await.remove(0);
    hand::on_meta(&app, &id, "name=Mine").await;
    app.fault(json!({ "vendor": "meta", "status": 503, "body": "" }))
        .await;
    assert_eq!(checks.step().await.expect("a look"), 1);
    app.settle().await;
    assert_eq!(touchpoints(&app), []);
    app.mend().await;
    app.sql(soon).await;
    checks.step().await.expect("a look");
    app.settle().await;
    let told = touchpoints(&app);
    assert_eq!(told.len(), 1);
    assert!(
        told[0].1.contains("platform says \"Mine\"") && !told[0].1.contains("--mend"),
        "{told:?}"
    );
    // Looked at again by itself: still one touchpoint, until it is changed back.
    app.sql(soon).await;
    assert_eq!(checks.step().await.expect("a look"), 1);
    app.settle().await;
    assert_eq!(touchpoints(&app).len(), 1);
    let name =
        run(&app, &["status", "again.1", "--json"]).json()["legs"][0]["manifest"]["campaign_name"].clone();
    hand::on_meta(&app, &id, &format!("name={}", name.as_str().expect("a name"))).await;
    app.sql(soon).await;
    checks.step().await.expect("a look");
    app.settle().await;
    let states: Vec<String> = touchpoints(&app).into_iter().map(|t| t.0).collect();
    assert_eq!(states, ["opened", "resolved"]);
    assert_eq!(app.sql(soon).await, 0, "it is over");
    assert_eq!(app.effects().await, quiet + 2, "the two by hand");
    // What goes back is not looked at.
    run(&app, &["rollback", "again.1", "--yes"]).ok();
    app.settle_and_warp(5).await;
    app.publish(&plan).await;
    assert_eq!(app.sql(soon).await, 0);
    app.assert_audit_whole().await;
}

/// Real Kafka, the real binary: the group's offsets are set back after somebody has removed a campaign.
#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_group_set_back_finds_what_was_removed_and_a_person_has_it_made_again() {
    let app = App::start().await;
    make_topics(&app).await;
    let plans: Vec<Value> = (0..3)
        .map(|n| {
            let mut plan = plans::only(plans::running_plan(&format!("back.{n}")), "meta");
            plan["plan_id"] = json!(format!("back-{n}"));
            plan
        })
        .collect();
    let patience = Duration::from_secs(90);
    let service = Service::start(&app, &[("LOG__LEVEL", "warn")]);
    publish(&app, &plans).await;
    let live = "SELECT count(*) FROM leg WHERE state = 'live'";
    wait_for(&app, live, 3, patience).await;
    service.terminate();
    let before = campaigns(&app).await;
    let deleted = run(&app, &["status", "back.1", "--json"]).json()["legs"][0]["manifest"].clone();
    let objects = deleted["objects"].as_array().expect("objects");
    let campaign = objects
        .iter()
        .find(|o| o["key"] == "campaign")
        .expect("a campaign");
    let id = campaign["remote_id"].as_str().expect("an id");
    hand::on_meta(&app, id, "status=DELETED").await;
    let quiet = app.effects().await;

    rewind(&app, "campaign-execution-intake", "plan.approved");
    let service = Service::start(&app, &[("LOG__LEVEL", "warn")]);
    let open = "SELECT count(*) FROM touchpoint WHERE kind = 'drift' AND resolved_at IS NULL";
    wait_for(&app, open, 1, patience).await;
    let compared = "SELECT count(*) FROM audit_log WHERE action = 'drift.checked'";
    wait_for(&app, compared, 3, patience).await;
    assert_eq!(app.effects().await, quiet, "nothing is made unasked");
    let mut terminal = Terminal::new(&app);
    terminal.shows("touchpoints-drift", "touchpoints");
    terminal.shows("drift-removed", "drift back.1");
    terminal.shows("drift-mend-unasked", "drift back.1 --mend");
    let asked = run(&app, &["touchpoints"]).ok().out;
    assert!(
        asked.contains("back.1") && asked.contains("drift back.1 --tenant acme --mend"),
        "{asked}"
    );
    let told = run(&app, &["explain", "back.1"]).ok().out;
    assert!(told.contains("somebody changed something there"), "{told}");
    assert!(
        run(&app, &["explain", "back.0"])
            .ok()
            .out
            .contains("they hold what was made"),
        "compared, and whole"
    );
    let unasked = run(&app, &["drift", "back.1", "--mend"]);
    assert_eq!(unasked.code, Some(2), "nobody is there to ask: {unasked:?}");
    assert_eq!(app.effects().await, quiet);
    let mended = run(
        &app,
        &["drift", "back.1", "--mend", "--yes", "--reason", "a mistake"],
    )
    .ok();
    assert!(mended.out.contains("built again: 1 leg"), "{mended:?}");
    let resolved = "SELECT count(*) FROM touchpoint WHERE kind = 'drift' AND resolution = 'mended'";
    wait_for(&app, resolved, 1, patience).await;
    wait_for(&app, live, 3, patience).await;
    let after = campaigns(&app).await;
    assert_eq!(after.len(), 3, "exactly one is made again");
    assert_eq!(after.iter().filter(|id| before.contains(id)).count(), 2);
    assert!(!after.iter().any(|c| c == id));
    assert_eq!(run(&app, &["drift"]).code, Some(0));

    // The same through the message at its place, with the real command.
    let place = offset_of(&app, "back.2").await;
    hand::on_meta(&app, &before_of(&app, "back.2"), "status=DELETED").await;
    let quiet = app.effects().await;
    let at = [
        "--topic",
        "plan.approved",
        "--partition",
        &place.0,
        "--offset",
        &place.1,
    ];
    let place = at.join(" ");
    terminal.shows("replay-verify-differs", &format!("replay {place} --mode verify"));
    terminal.shows("replay-unasked", &format!("replay {place}"));
    terminal.shows(
        "replay-force-without-reason",
        &format!("replay {place} --mode force --yes"),
    );
    let seen = run(
        &app,
        &[&["replay"], at.as_slice(), &["--mode", "verify"]].concat(),
    );
    assert_eq!(seen.code, Some(5), "{seen:?}");
    assert_eq!(app.effects().await, quiet, "verify changes nothing");
    let unasked = run(&app, &[&["replay"], at.as_slice()].concat());
    assert_eq!(unasked.code, Some(2), "{unasked:?}");
    let done = run(
        &app,
        &[&["replay"], at.as_slice(), &["--yes", "--reason", "restored"]].concat(),
    )
    .ok();
    assert!(
        done.out
            .contains("meta/prospecting: gone on the platform: campaign"),
        "{done:?}"
    );
    let whole =
        "SELECT count(*) FROM leg l JOIN execution_manifest m ON m.leg_id = l.id WHERE l.state = 'live'
        AND EXISTS (SELECT FROM audit_log WHERE action = 'drift.mended' AND plan_version = 'back.2')";
    wait_for(&app, whole, 3, patience).await;
    assert_eq!(campaigns(&app).await.len(), 3);
    let seen = run(
        &app,
        &[&["replay"], at.as_slice(), &["--mode", "verify"]].concat(),
    );
    assert_eq!(seen.code, Some(0), "{seen:?}");
    terminal.shows("replay-verify", &format!("replay {place} --mode verify"));
    terminal.shows("replay", &format!("replay {place} --yes --reason \"to be sure\""));
    terminal.done();
    let (_, code) = service.terminate();
    assert_eq!(code, Some(0));
    app.assert_no_duplicates().await;
    app.assert_audit_whole().await;
}

fn before_of(app: &App, version: &str) -> String {
    let legs = run(app, &["status", version, "--json"]).json()["legs"].clone();
    let objects = legs[0]["manifest"]["objects"]
        .as_array()
        .expect("objects")
        .clone();
    let campaign = objects
        .iter()
        .find(|o| o["key"] == "campaign")
        .expect("a campaign");
    campaign["remote_id"].as_str().expect("an id").to_owned()
}

/// Where a version's message lies.
async fn offset_of(app: &App, version: &str) -> (String, String) {
    for partition in 0..4 {
        for offset in 0..8 {
            let found = campaign_execution::bus::admin::message_at(
                &app.wiring.bus,
                "plan.approved",
                partition,
                offset,
            )
            .await;
            let Ok(Some(message)) = found else { break };
            let body: Value = serde_json::from_slice(&message.payload).expect("JSON");
            if body["plan_version"] == version {
                return (partition.to_string(), offset.to_string());
            }
        }
    }
    panic!("{version} is nowhere");
}
