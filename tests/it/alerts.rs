//! Alerts: webhooks that are sent until they are taken, to whom they belong, signed; and routes that have none.

use crate::support::app::App;
use crate::support::command::run_with;
use crate::support::receiver::Receiver;
use crate::support::time::{counter, pass, refused, start, states, tick, with_receivers};
use serde_json::Value;
use sqlx::Connection;

/// Alerts for these receivers, as a broken deadline would write them.
async fn alerts_for(app: &App, receivers: &[&str]) {
    let mut connection = app.connect().await;
    for receiver in receivers {
        sqlx::query(
            "INSERT INTO alert (id, execution_id, tenant_id, plan_version, reason, route, receiver, body, state, promised_at)
             VALUES ('id-' || $1, 1, 'acme', 'hook.1', 'failure', 'client', $1, '{}', 'waiting', clock_timestamp())",
        )
        .bind(receiver)
        .execute(&mut connection)
        .await
        .expect("an alert");
    }
    connection.close().await.expect("closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_down_is_sent_the_same_alert_until_it_takes_it() {
    let gone = Receiver::start().await;
    let address = gone.address;
    let (app, wiring, variables) = start(&gone).await;
    drop(gone);
    refused(&app, "down.1").await;
    pass(&app, 16).await;
    assert_eq!(tick(&wiring).await, 1);
    app.pump().await;
    for attempt in 1..=3 {
        assert_eq!(wiring.alerts().step().await.expect("tried"), 1);
        assert_eq!(wiring.alerts().step().await.expect("tried"), 0, "not at once");
        let waiting = [("client".to_owned(), "waiting".to_owned(), attempt)];
        assert_eq!(states(&wiring.store).await, waiting);
        pass(&app, 1).await;
    }
    let text = run_with(&variables, &["alerts"]).ok().out;
    assert!(text.contains("not sent"), "{text}");
    assert_eq!(counter(&wiring, "alerts_waiting").await, 1);
    pass(&app, 60).await;
    // The receiver is back, and the service is another process.
    let back = Receiver::at(address).await;
    let (again, _) = with_receivers(&app, &[("ops", back.url("ops"))]);
    assert_eq!(again.alerts().step().await.expect("sent"), 1);
    let calls = back.calls("ops");
    assert_eq!(calls.len(), 1);
    assert_eq!(calls[0].id, app.events("execution.escalated")[0].id);
    assert_eq!(again.alerts().step().await.expect("sent"), 0);
    assert_eq!(counter(&wiring, "alert_attempts_failed_total").await, 3);
    assert_eq!(counter(&wiring, "alerts_delivered_total").await, 1);
    let log = app
        .number("SELECT count(*) FROM audit_log WHERE action = 'alert.delivered'")
        .await;
    assert_eq!(log, 1);
    app.assert_audit_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_receiver_answers_but_yes_is_tried_again_and_nothing_is_followed() {
    let receiver = Receiver::start().await;
    let app = App::start().await;
    let names = ["404", "500", "302", "410", "redirect", "slow", "fine"];
    let receivers: Vec<(&str, String)> = names.iter().map(|n| (*n, receiver.url(n))).collect();
    let (wiring, variables) = with_receivers(&app, &receivers);
    alerts_for(&app, &names).await;
    alerts_for(&app, &["nobody"]).await;
    let leased = wiring.alerts().step().await.expect("sent");
    assert_eq!(leased, names.len() + 1);
    for name in names {
        assert_eq!(receiver.calls(name).len(), 1, "{name}");
    }
    assert_eq!(receiver.calls("elsewhere").len(), 0, "redirects are not followed");
    let seen = run_with(&variables, &["alerts", "--all", "--json"]).ok().json();
    let of = |name: &str| {
        let all = seen.as_array().expect("alerts");
        let one = all.iter().find(|a| a["receiver"] == name).expect(name);
        (
            one["state"].as_str().expect("a state").to_owned(),
            one["last_error"].to_string(),
        )
    };
    assert_eq!(of("fine").0, "delivered");
    assert_eq!(of("410").0, "given_up", "it said that it wants no more");
    for name in ["404", "500", "302", "redirect", "slow", "nobody"] {
        assert_eq!(of(name).0, "waiting", "{name}");
    }
    assert!(
        of("500").1.contains("500") && of("slow").1.contains("no answer"),
        "{seen}"
    );
    assert!(of("nobody").1.contains("alerts.nobody"), "{seen}");
    let text = seen.to_string();
    let address = receiver.address.to_string();
    assert!(!text.contains(&address), "an address may hold a token: {text}");

    // After three days it is given up, and says so.
    pass(&app, 3 * 24 * 60 + 1).await;
    app.sql("UPDATE alert SET state = 'delivered' WHERE receiver NOT IN ('500', '410')")
        .await;
    assert_eq!(wiring.alerts().step().await.expect("sent"), 1);
    assert_eq!(counter(&wiring, "alerts_given_up_total").await, 2);
    assert_eq!(counter(&wiring, "alerts_waiting").await, 0);
    pass(&app, 600).await;
    assert_eq!(wiring.alerts().step().await.expect("sent"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_webhook_the_event_tells_and_doctor_says_so() {
    let app = App::start().await;
    let wiring = &app.wiring;
    refused(&app, "mute.1").await;
    pass(&app, 16).await;
    assert_eq!(tick(wiring).await, 1);
    app.pump().await;
    assert_eq!(app.events("execution.escalated").len(), 1);
    assert_eq!(wiring.alerts().step().await.expect("nothing to send"), 0);
    assert_eq!(
        states(&wiring.store).await,
        [("client".into(), "no_webhook".into(), 0)]
    );
    let text = run_with(&app.variables, &["alerts"]).ok().out;
    assert!(
        text.contains("no receiver is configured for the route client"),
        "{text}"
    );
    let text = run_with(&app.variables, &["explain", "mute.1"]).ok().out;
    assert!(text.contains("told: client, by event alone"), "{text}");

    let doctor = |variables: &[(String, String)]| {
        let ran = run_with(variables, &["doctor", "--json"]);
        assert!(!format!("{ran:?}").contains("canary"), "no secret is shown");
        ran.json()
    };
    let line = |lines: &Value, check: &str| {
        let lines = lines.as_array().expect("lines");
        let line = lines.iter().find(|l| l["check"] == check).expect(check);
        (
            line["state"].as_str().expect("a state").to_owned(),
            line["detail"].to_string(),
        )
    };
    let found = line(&doctor(&app.variables), "tenant acme alerts");
    assert!(found.1.contains("agency_master: no webhook"), "{found:?}");

    let (_, variables) = with_receivers(
        &app,
        &[("client", "http://127.0.0.1:9/x?token=canary".to_owned())],
    );
    let lines = doctor(&variables);
    assert_eq!(line(&lines, "alerts client").0, "ok");
    assert!(line(&lines, "tenant acme alerts").1.contains("client → client"));
    let dir = variables
        .iter()
        .find(|(n, _)| n.ends_with("CREDENTIALS__DIR"))
        .expect("a directory");
    let file = std::path::Path::new(&dir.1).join("alert-client.json");
    for (content, why) in [
        (r#"{"webhook_secret": "whsec_canary!"}"#, "base64"),
        (r#"{"webhook_secret": "whsec_Y2FuYXJ5"}"#, "24 to 64 bytes"),
        (r#"{"access_token": "canary"}"#, "webhook_secret"),
        ("canary", "line 1"),
    ] {
        std::fs::write(&file, content).expect("a file");
        let found = line(&doctor(&variables), "alerts client");
        assert_eq!(found.0, "bad", "{content}");
        assert!(found.1.contains(why), "{content}: {found:?}");
    }
}

/// The first characters of the only alert's id, and its state.
fn only(variables: &[(String, String)]) -> (String, String) {
    let all = run_with(variables, &["alerts", "--all", "--json"]).ok().json();
    assert_eq!(all.as_array().expect("alerts").len(), 1, "{all}");
    let text = |name: &str| all[0][name].as_str().expect(name).to_owned();
    (text("id")[..8].to_owned(), text("state"))
}

async fn resent(app: &App) -> i64 {
    app.number("SELECT count(*) FROM audit_log WHERE action = 'alert.resent'")
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_given_up_is_sent_again_by_command_once_and_for_another_three_days() {
    let receiver = Receiver::start().await;
    let (app, wiring, _) = start(&receiver).await;
    refused(&app, "again.1").await;
    pass(&app, 16).await;
    let (gone, variables) = with_receivers(&app, &[("ops", receiver.url("410"))]);
    assert_eq!(tick(&gone).await, 1);
    app.pump().await;
    let event = app.events("execution.escalated")[0].id.clone();
    assert_eq!(gone.alerts().step().await.expect("tried"), 1);
    let (id, state) = only(&variables);
    assert_eq!((state.as_str(), event.starts_with(&id)), ("given_up", true));
    let listed = run_with(&variables, &["alerts"]).ok().out;
    assert!(
        listed.contains(&id) && listed.contains("alerts resend"),
        "{listed}"
    );

    let resend = |variables: &[(String, String)], more: &[&str]| {
        let mut args = vec!["alerts", "resend"];
        args.extend(more);
        run_with(variables, &args)
    };
    assert_eq!(resend(&variables, &[]).code, Some(2), "which?");
    assert_eq!(resend(&variables, &["abc", "--yes"]).code, Some(2), "too short");
    assert_eq!(resend(&variables, &["ffffffff", "--yes"]).code, Some(3));
    assert_eq!(resend(&variables, &[&id]).code, Some(2), "nobody said yes");
    assert_eq!(resent(&app).await, 0);

    // A week later, the receiver is another one, and not up yet: it is tried for days from then on.
    pass(&app, 7 * 24 * 60).await;
    let (down, variables) = with_receivers(&app, &[("ops", receiver.url("503"))]);
    let said = resend(&variables, &[&id, "--yes", "--reason", "another receiver"]).ok();
    assert!(
        said.out.contains("again.1") && said.out.contains("It is sent at once"),
        "{said:?}"
    );
    let twice = resend(&variables, &[&id, "--yes"]).ok();
    assert!(twice.out.contains("on their way already"), "{twice:?}");
    assert_eq!(resent(&app).await, 1, "said twice, done once");
    assert_eq!(down.alerts().step().await.expect("tried"), 1);
    assert_eq!(only(&variables).1, "waiting", "not given up at the first attempt");
    // It waits for its next attempt: the word makes that due.
    assert_eq!(down.alerts().step().await.expect("not yet"), 0);
    let (_, variables) = with_receivers(&app, &[("ops", receiver.url("ops"))]);
    resend(&variables, &[&id, "--yes", "--reason", "now it is up"]).ok();
    assert_eq!(wiring.alerts().step().await.expect("sent"), 1);
    let calls = receiver.calls("ops");
    assert_eq!((calls.len(), &calls[0].id), (1, &event), "under its own id");
    assert_eq!(only(&variables).1, "delivered");
    let delivered = resend(&variables, &[&id, "--yes"]);
    assert_eq!(delivered.code, Some(4), "{delivered:?}");
    let none = resend(&variables, &["--all", "--yes"]).ok();
    assert!(none.out.contains("Nothing to send"), "{none:?}");
    assert_eq!(wiring.alerts().step().await.expect("nothing"), 0);
    assert_eq!(resent(&app).await, 2);
    let text = run_with(&variables, &["explain", "again.1"]).ok().out;
    for words in [
        "is given up: the receiver answered 410",
        "the alert (client) is sent again, to ops: another receiver  (cli:tester)",
        "ops has the alert (client)",
    ] {
        assert!(text.contains(words), "{words:?} is not in\n{text}");
    }
    app.assert_audit_whole().await;

    // Three days after the word it is given up again.
    app.sql("UPDATE alert SET state = 'waiting', resent_at = clock_timestamp() - interval '73 hours'")
        .await;
    assert_eq!(down.alerts().step().await.expect("tried"), 1);
    assert_eq!(only(&variables).1, "given_up");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_had_nowhere_to_go_is_sent_when_its_route_leads_somewhere_and_never_to_another_route() {
    let receiver = Receiver::start().await;
    let app = App::start().await;
    refused(&app, "mute.1").await;
    pass(&app, 16).await;
    assert_eq!(tick(&app.wiring).await, 1);
    app.sql("UPDATE alert SET route = 'agency_master'").await;
    let (id, state) = only(&app.variables);
    assert_eq!(state, "no_webhook");
    let args = ["alerts", "resend", &id, "--yes"];
    let nowhere = run_with(&app.variables, &args);
    assert_eq!(nowhere.code, Some(4), "{nowhere:?}");
    assert!(
        nowhere.err.contains("set alerts.agency_master.webhook_url"),
        "{nowhere:?}"
    );
    // The client's own receiver is not the agency's.
    let (_, variables) = with_receivers(&app, &[("client", receiver.url("client"))]);
    assert_eq!(run_with(&variables, &args).code, Some(4));
    let both = [
        ("client", receiver.url("client")),
        ("agency_master", receiver.url("agency")),
    ];
    let (wiring, variables) = with_receivers(&app, &both);
    let other = ["alerts", "resend", "--all", "--route", "client", "--yes"];
    assert!(run_with(&variables, &other).ok().out.contains("Nothing to send"));
    let all = ["alerts", "resend", "--all", "--tenant", "acme", "--yes", "--json"];
    let done = run_with(&variables, &all).ok().json();
    assert!(
        done["resent"][0].as_str().is_some_and(|i| i.starts_with(&id)),
        "{done}"
    );
    assert_eq!(wiring.alerts().step().await.expect("sent"), 1);
    assert_eq!(
        (receiver.calls("agency").len(), receiver.calls("client").len()),
        (1, 0)
    );
}
