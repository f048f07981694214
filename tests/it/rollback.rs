//! What a rollback says before it is asked for, and what its event says could not be undone.

use crate::support::app::App;
use crate::support::command::run;
use crate::support::{hand, plans};
use campaign_execution::platform;
use serde_json::{Value, json};
use std::collections::BTreeMap;

async fn campaign_of(app: &App, vendor: &str) -> Value {
    let all = app.objects(vendor).await;
    all.into_iter()
        .find(|o| o["kind"] == "campaign")
        .expect("a campaign")
}

fn stays(event: &Value, platform: &str) -> Vec<(String, Option<String>, String)> {
    let text = |v: &Value| v.as_str().map(str::to_owned);
    let all = event["stays"].as_array().cloned().unwrap_or_default();
    all.iter()
        .filter(|s| s["platform"] == platform)
        .map(|s| {
            (
                text(&s["what"]).expect("what"),
                text(&s["platform_id"]),
                text(&s["why"]).expect("why"),
            )
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_undone_is_listed_before_it_is_asked_for_and_in_the_event() {
    // Not every platform tells what a flight has spent before its first day.
    let mut kept_somewhere = 0;
    for spender in platform::all() {
        let spender = spender.name();
        let app = App::start().await;
        app.world(
            json!({ "assets": { "asset-img-001": { "needs_upload": ["meta"] } },
            "accounts": { "google-ads/1234567890": { "auto_tagging": false } } }),
        )
        .await;
        let plan = plans::running_plan("back.1");
        app.publish(&plan).await;
        app.settle_and_warp(8).await;
        assert!(app.legs(&plan).await.values().all(|s| s == "live"), "{spender}");
        let spent = campaign_of(&app, spender).await;
        let id = spent["id"].as_str().expect("an id").to_owned();
        app.world(json!({ "spend": { &id: "12.34" } })).await;
        let quiet = app.effects().await;
        let shown = run(&app, &["rollback", "back.1", "--dry-run"]).ok();
        assert_eq!(app.effects().await, quiet, "only shown");
        let told = run(&app, &["rollback", "back.1", "--dry-run", "--json"])
            .ok()
            .json();
        let mut kept = Vec::new();
        for leg in told["outlook"]["legs"].as_array().expect("legs") {
            let (platform, fate) = (leg["platform"].as_str().expect("a platform"), &leg["fate"]);
            if fate == "kept_spent" {
                kept.push(platform.to_owned());
            } else {
                assert_eq!(fate, "removed", "{spender}: {leg}");
            }
        }
        assert!(kept.is_empty() || kept == [spender], "{spender}: {kept:?}");
        kept_somewhere += kept.len();
        // Without somebody at the keyboard nothing happens.
        assert_eq!(run(&app, &["rollback", "back.1"]).code, Some(2));
        assert_eq!(app.effects().await, quiet);
        run(
            &app,
            &["rollback", "back.1", "--yes", "--reason", "the client withdrew"],
        )
        .ok();
        let again = run(&app, &["rollback", "back.1", "--yes"]);
        assert_eq!(again.code, Some(4), "{again:?}");
        app.settle_and_warp(8).await;
        let events = app.events("execution.rolled_back");
        assert_eq!(events.len(), 1, "twice is once");
        let event = &events[0].data;
        for platform in platform::all() {
            let name = platform.name();
            let left = stays(event, name);
            let campaign = left.iter().find(|s| s.0 == "campaign");
            if kept.iter().any(|k| k == name) {
                let campaign = campaign.unwrap_or_else(|| panic!("{name} stays: {event}"));
                assert_eq!(campaign_of(&app, name).await["id"], json!(id), "it is there");
                assert!(campaign.2.starts_with("paused, with its"), "{campaign:?}");
                assert!(shown.out.contains("paused at once, and kept"), "{shown:?}");
            } else {
                assert!(campaign.is_none(), "{name}: {event}");
                let there = app.objects(name).await;
                assert!(there.iter().all(|o| o["kind"] != "campaign"), "{name}");
            }
            // What was shown is what came of it.
            for (what, ..) in &left {
                let place = format!("{name}/");
                assert!(
                    shown
                        .out
                        .lines()
                        .any(|l| l.contains(&place) && l.contains(what.as_str())),
                    "{name} {what}: {}",
                    shown.out
                );
            }
        }
        let meta = stays(event, "meta");
        assert!(
            meta.iter().any(|s| s.0 == "asset asset-img-001"),
            "{spender}: {meta:?}"
        );
        let google = stays(event, "google-ads");
        assert!(
            google
                .iter()
                .any(|s| s.0.starts_with("account ") && s.2.contains("auto-tagging")),
            "{spender}: {google:?}"
        );
    }
    assert!(kept_somewhere >= 3, "{kept_somewhere}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_changed_there_and_what_comes_back_is_shown_too() {
    let app = App::start().await;
    let plan = plans::only(plans::running_plan("line.1"), "meta");
    app.publish(&plan).await;
    app.settle_and_warp(6).await;
    let mut newer = plan.clone();
    newer["plan_version"] = json!("line.2");
    newer["supersedes"] = json!("line.1");
    app.publish(&newer).await;
    app.settle_and_warp(6).await;
    let id = campaign_of(&app, "meta").await["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    hand::on_meta(&app, &id, "name=Mine").await;
    let shown = run(&app, &["rollback", "line.2", "--dry-run"]).ok().out;
    assert!(shown.contains("then given back to line.1"), "{shown}");
    assert!(
        shown.contains("changed there by somebody") && shown.contains("platform says \"Mine\""),
        "{shown}"
    );
    assert!(shown.contains("meta/prospecting in line.1"), "{shown}");
    let shown = run(&app, &["rollback", "line.1", "--dry-run"]).ok().out;
    assert!(
        shown.contains("a newer plan version has it: not touched"),
        "{shown}"
    );
}

/// The same campaign of each platform so many times.
fn many(version: &str, each: usize) -> Value {
    let mut plan = plans::running_plan(version);
    plan["plan_id"] = json!(format!("plan-{version}"));
    let mut all = Vec::new();
    for platform in platform::all() {
        let one = plans::only(plan.clone(), platform.name())["campaigns"][0].take();
        all.extend((0..each).map(|n| {
            let mut campaign = one.clone();
            campaign["logical_campaign_key"] = json!(format!("c-{n}"));
            campaign
        }));
    }
    plan["campaigns"] = json!(all);
    plan
}

/// Runs a command of two words or more; its JSON, and how many calls each platform got for it.
async fn called(app: &App, args: &[&str]) -> (Value, BTreeMap<String, usize>) {
    let counts = async || {
        let mut counts = BTreeMap::new();
        for platform in platform::all() {
            let path = format!("requests?vendor={}&limit=100000", platform.name());
            let answer = app.control(reqwest::Method::GET, &path, None).await;
            let all = answer["requests"].as_array().expect("requests").len();
            counts.insert(platform.name().to_owned(), all);
        }
        counts
    };
    let before = counts().await;
    let told = run(app, args).json();
    let mut after = counts().await;
    for (name, count) in &mut after {
        *count -= before[name];
    }
    (told, after)
}

fn few_calls(what: &str, alone: &BTreeMap<String, usize>, together: &BTreeMap<String, usize>) {
    for (platform, calls) in together {
        let one = alone[platform];
        assert!(
            (1..=3 * one).contains(calls),
            "{what}, {platform}: {calls} calls, {one} for one campaign"
        );
    }
}

/// Asked about fifty campaigns of each platform at once, a platform gets hardly more calls than about one: a list holds many ids,
/// where its filter is short (DV360: 500 bytes) some lists do. And each leg is told its own.
#[tokio::test(flavor = "multi_thread")]
async fn fifty_campaigns_are_foretold_and_compared_in_hardly_more_calls_than_one() {
    const EACH: usize = 50;
    let app = App::start().await;
    app.world(json!({ "journal_kept": 1_000_000 })).await;
    for plan in [many("few.1", 1), many("many.1", EACH)] {
        app.publish(&plan).await;
        app.settle_and_warp(8).await;
        assert!(app.legs(&plan).await.values().all(|s| s == "live"));
    }
    let meta = campaign_of(&app, "meta").await;
    let spent = meta["id"].as_str().expect("an id").to_owned();
    app.world(json!({ "spend": { &spent: "1.00" } })).await;
    let foretold = |version| ["rollback", version, "--dry-run", "--json"];
    let (few, alone) = called(&app, &foretold("few.1")).await;
    let (told, together) = called(&app, &foretold("many.1")).await;
    few_calls("a rollback's outlook", &alone, &together);
    let legs = |told: &Value| told["outlook"]["legs"].as_array().expect("legs").clone();
    let all = EACH * platform::all().len();
    assert_eq!(legs(&told).len(), all);
    for leg in legs(&few).iter().chain(&legs(&told)) {
        let kept = leg["campaign_id"] == json!(spent);
        let fate = if kept { "kept_spent" } else { "removed" };
        assert_eq!(leg["fate"], fate, "every one is known: {leg}");
    }
    let (_, alone) = called(&app, &["drift", "few.1", "--json"]).await;
    let (told, together) = called(&app, &["drift", "many.1", "--json"]).await;
    few_calls("drift", &alone, &together);
    assert_eq!(told[0]["legs"].as_array().expect("legs").len(), all);
}
