//! What happens to a launch afterwards: other content for the same version, a newer version, a rollback at any moment.
//! Counted on the platforms' side: what did not change is not touched.

use crate::support::app::App;
use crate::support::{hand, plans};
use campaign_execution::platform;
use chrono::Duration;
use serde_json::{Value, json};

/// The same version, approved later, with other content.
pub fn amended(plan: &Value, minutes: i64, change: impl Fn(&mut Value)) -> Value {
    let mut plan = plan.clone();
    plan["approved_at"] = json!(plans::stamp(Duration::minutes(minutes)));
    change(&mut plan);
    plan
}

/// A newer version that supersedes the plan's.
pub fn newer(plan: &Value, version: &str, change: impl Fn(&mut Value)) -> Value {
    let mut newer = amended(plan, 1, change);
    newer["supersedes"] = plan["plan_version"].clone();
    newer["plan_version"] = json!(version);
    newer
}

pub fn raise(plan: &mut Value, campaign: usize, by: i64) {
    let amount: f64 = plan["campaigns"][campaign]["budget"]["amount"]
        .as_str()
        .expect("an amount")
        .parse()
        .expect("a number");
    plan["campaigns"][campaign]["budget"]["amount"] = json!(format!("{}.00", amount as i64 + by));
}

pub async fn order(app: &App, plan: &Value, action: &str) {
    let control = json!({ "tenant_id": plan["tenant_id"], "plan_id": plan["plan_id"],
        "plan_version": plan["plan_version"], "action": action, "by": "ops", "at": plans::moment(),
        "reason": "a test" });
    app.deliver("execution.control", control.to_string().into_bytes())
        .await;
}

/// The campaigns of a platform that are there: id → (name, on).
pub async fn campaigns(app: &App, vendor: &str) -> Vec<(String, String, String)> {
    let text = |o: &Value, n: &str| o[n].as_str().unwrap_or_default().to_owned();
    let mut all: Vec<_> = app
        .objects(vendor)
        .await
        .iter()
        .filter(|o| o["kind"] == "campaign")
        .map(|o| (text(o, "id"), text(o, "name"), text(o, "status")))
        .collect();
    all.sort();
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn one_changed_budget_is_one_mutation_on_each_platform_and_nothing_changed_is_none() {
    let app = App::start().await;
    let plan = plans::running_plan("amend.1");
    app.publish(&plan).await;
    app.settle_and_warp(6).await;
    let count = plan["campaigns"].as_array().expect("campaigns").len();
    let mut latest = plan.clone();
    for campaign in 0..count {
        let before = app.effects().await;
        let live = app.events("campaign.live").len();
        latest = amended(&latest, 1 + campaign as i64, |p| raise(p, campaign, 10));
        app.publish(&latest).await;
        app.settle_and_warp(6).await;
        let platform = &latest["campaigns"][campaign]["platform"];
        assert_eq!(
            app.effects().await,
            before + 1,
            "{platform}: exactly one mutation"
        );
        let legs = app.legs(&plan).await;
        assert!(legs.values().all(|s| s == "live"), "{platform}: {legs:?}");
        let told = app.events("campaign.live");
        assert_eq!(
            told.len(),
            live + 1,
            "{platform}: reporting hears of the change, once"
        );
        let last = &told.last().expect("an event").data;
        assert_eq!(&last["platform"], platform);
        assert_eq!(
            last["budget"]["amount"],
            latest["campaigns"][campaign]["budget"]["amount"]
        );
    }
    // Approved again and again, and older content late: nothing.
    let before = app.effects().await;
    app.publish(&amended(&latest, 60, |_| ())).await;
    app.publish(&plan).await;
    app.settle_and_warp(3).await;
    assert_eq!(app.effects().await, before, "nothing changed, nothing sent");
    app.assert_no_duplicates().await;
    app.assert_audit_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_can_grow_and_shrink() {
    let app = App::start().await;
    let plan = plans::running_plan("grow.1");
    app.publish(&plan).await;
    app.settle_and_warp(6).await;
    let legs = plan["campaigns"].as_array().expect("campaigns").len();
    for platform in platform::all() {
        let name = platform.name();
        let first = campaigns(&app, name).await;
        assert_eq!(first.len(), 1, "{name}");
        // One more campaign there.
        let more = amended(&plan, 1, |p| {
            let mut twin = p["campaigns"]
                .as_array()
                .and_then(|all| all.iter().find(|c| c["platform"] == name))
                .expect("its campaign")
                .clone();
            twin["logical_campaign_key"] = json!(format!("twin-{name}"));
            p["campaigns"].as_array_mut().expect("campaigns").insert(0, twin);
        });
        app.publish(&more).await;
        app.settle_and_warp(8).await;
        let now = app.legs(&plan).await;
        assert_eq!(
            now.values().filter(|s| *s == "live").count(),
            legs + 1,
            "{name}: {now:?}"
        );
        let two = campaigns(&app, name).await;
        assert_eq!(two.len(), 2, "{name}: {two:?}");
        let kept = two.iter().find(|c| c.0 == first[0].0).expect("the first one");
        assert_eq!(kept.1, first[0].1, "{name}: a name once given is kept");
        // And without it again: off, and kept.
        let before = app.effects().await;
        app.publish(&amended(&plan, 2, |_| ())).await;
        app.settle_and_warp(6).await;
        let now = app.legs(&plan).await;
        assert_eq!(now[&format!("{name}/twin-{name}")], "retired", "{now:?}");
        let three = campaigns(&app, name).await;
        let twin = three.iter().find(|c| c.0 != first[0].0).expect("it is kept");
        assert!(
            twin.2.contains("PAUSED") || twin.2 == "DISABLE",
            "{name}: {twin:?}"
        );
        assert!(app.effects().await > before, "{name}");
        // For the next platform the plan begins from here.
        app.sql("UPDATE execution SET approved_at = approved_at - interval '10 minutes'")
            .await;
    }
    app.assert_no_duplicates().await;
    app.assert_audit_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_change_leaves_what_is_on_as_it_was() {
    let app = App::start().await;
    let plan = plans::only(plans::running_plan("refused.1"), "meta");
    app.publish(&plan).await;
    app.settle_and_warp(6).await;
    app.fault(json!({ "vendor": "meta", "method": "campaigns.update", "error": "100/1885272" }))
        .await;
    app.publish(&amended(&plan, 1, |p| raise(p, 0, 5))).await;
    app.settle_and_warp(4).await;
    assert_eq!(app.legs(&plan).await["meta/prospecting"], "unamended");
    let on = campaigns(&app, "meta").await;
    assert_eq!(on[0].2, "ACTIVE", "{on:?}");
    let told = app.events("execution.partial_failure");
    let leg = &told.last().expect("an event").data["legs"][0];
    assert_eq!(
        (&leg["state"], &leg["error"]["class"]),
        (&json!("unamended"), &json!("budget"))
    );
    app.mend().await;
    let before = app.effects().await;
    order(&app, &plan, "retry").await;
    app.settle_and_warp(4).await;
    assert_eq!(app.legs(&plan).await["meta/prospecting"], "live");
    assert_eq!(app.effects().await, before + 1, "only what was missing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_version_takes_over_and_gives_back() {
    let app = App::start().await;
    let plan = plans::running_plan("old.1");
    app.publish(&plan).await;
    app.settle_and_warp(6).await;
    let vendors: Vec<&str> = platform::all().iter().map(|p| p.name()).collect();
    let mut before = Vec::new();
    for vendor in &vendors {
        before.push(campaigns(&app, vendor).await);
    }
    // The newer one changes the first campaign, drops the last, and has a new one.
    let last = plan["campaigns"].as_array().expect("campaigns").len() - 1;
    let dropped = plan["campaigns"][last]["platform"]
        .as_str()
        .expect("a platform")
        .to_owned();
    let new = newer(&plan, "new.2", |p| {
        raise(p, 0, 7);
        let mut twin = p["campaigns"][0].clone();
        twin["logical_campaign_key"] = json!("twin");
        let all = p["campaigns"].as_array_mut().expect("campaigns");
        all.pop();
        all.push(twin);
    });
    app.publish(&new).await;
    app.settle_and_warp(8).await;
    let legs = app.legs(&new).await;
    assert!(legs.values().all(|s| s == "live"), "{legs:?}");
    for (vendor, before) in vendors.iter().zip(&before) {
        let now = campaigns(&app, vendor).await;
        let same = now
            .iter()
            .find(|c| c.0 == before[0].0)
            .expect("the same campaign");
        if *vendor == dropped {
            assert_eq!(same.1, before[0].1, "{vendor}");
            assert_ne!(same.2, before[0].2, "{vendor}: off");
        } else {
            assert!(same.1.ends_with("_new.2"), "{vendor}: renamed: {same:?}");
            assert_eq!(same.2, before[0].2, "{vendor}: on all the while");
        }
    }
    let old = app.legs(&plan).await;
    assert_eq!(
        old.values().filter(|s| *s == "superseded").count(),
        last,
        "{old:?}"
    );
    assert_eq!(old.values().filter(|s| *s == "retired").count(), 1, "{old:?}");
    // Older content never comes back by itself.
    let quiet = app.effects().await;
    app.publish(&plan).await;
    app.publish(&amended(&plan, 30, |p| raise(p, 0, 99))).await;
    app.settle_and_warp(3).await;
    assert_eq!(app.effects().await, quiet);

    order(&app, &new, "rollback").await;
    app.settle_and_warp(10).await;
    let legs = app.legs(&new).await;
    assert!(legs.values().all(|s| s == "undone"), "{legs:?}");
    let old = app.legs(&plan).await;
    assert!(old.values().all(|s| s == "live"), "{old:?}");
    for (vendor, before) in vendors.iter().zip(&before) {
        assert_eq!(&campaigns(&app, vendor).await, before, "{vendor}: as it was");
    }
    app.assert_no_duplicates().await;
    app.assert_audit_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_does_not_wait_for_what_waits() {
    let app = App::start().await;
    let plan = plans::plan("turn.1");
    // Every platform says "come back in an hour" in the middle of the build.
    app.fault(json!({ "vendor": "meta", "method": "ads.create", "status": 503, "body": "" }))
        .await;
    app.publish(&plan).await;
    app.settle().await;
    assert_eq!(app.legs(&plan).await["meta/prospecting"], "building");
    order(&app, &plan, "rollback").await;
    app.settle().await;
    assert_eq!(
        app.legs(&plan).await["meta/prospecting"],
        "undoing",
        "turned round at once"
    );
    app.mend().await;
    app.settle_and_warp(10).await;
    let legs = app.legs(&plan).await;
    assert!(legs.values().all(|s| s == "undone"), "{legs:?}");
    for platform in platform::all() {
        assert_eq!(campaigns(&app, platform.name()).await, [], "{}", platform.name());
    }
    // Fenced: other content for it changes nothing.
    let quiet = app.effects().await;
    app.publish(&amended(&plan, 5, |p| raise(p, 0, 1))).await;
    order(&app, &plan, "rollback").await;
    app.settle_and_warp(3).await;
    assert_eq!(app.effects().await, quiet);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_stops_a_worker_between_two_calls() {
    let app = App::start().await;
    let plan = plans::only(plans::plan("between.1"), "meta");
    app.fault(json!({ "vendor": "meta", "method": "adsets.create", "kind": "latency", "latency_ms": 1500, "effect": "before" }))
        .await;
    app.publish(&plan).await;
    app.wiring.gatekeeper().step().await.expect("the gate opens");
    app.pump().await;
    let on_the_wire =
        "SELECT count(*) FROM mutation WHERE state = 'in_flight' AND request ->> 'path' LIKE '%/adsets'";
    let rolled_back = async {
        while app.number(on_the_wire).await == 0 {
            tokio::task::yield_now().await;
        }
        order(&app, &plan, "rollback").await;
    };
    tokio::join!(app.work("meta"), rolled_back);
    assert_eq!(app.legs(&plan).await["meta/prospecting"], "undoing");
    app.mend().await;
    let sent = app
        .control(
            reqwest::Method::GET,
            "requests?vendor=meta&method=ads.create",
            None,
        )
        .await;
    assert_eq!(sent["requests"], json!([]), "no call after the one on the wire");
    app.settle_and_warp(10).await;
    assert_eq!(app.legs(&plan).await["meta/prospecting"], "undone");
    assert_eq!(campaigns(&app, "meta").await, []);
    app.assert_audit_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_atomic_launch_can_be_approved_again_with_other_content() {
    let app = App::start().await;
    let mut plan = plans::plan("anew.1");
    plan["launch"]["atomic"] = json!(true);
    app.fault(json!({ "vendor": "meta", "method": "adsets.create", "error": "100/1885272", "times": 1 }))
        .await;
    app.publish(&plan).await;
    app.settle_and_warp(10).await;
    assert!(app.legs(&plan).await.values().all(|s| s == "undone"));
    app.publish(&amended(&plan, 5, |p| raise(p, 1, 20))).await;
    app.settle_and_warp(10).await;
    let legs = app.legs(&plan).await;
    assert!(legs.values().all(|s| s == "scheduled"), "{legs:?}");
    app.assert_no_duplicates().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_amendment_waits_for_whoever_works_on_the_leg() {
    let app = App::start().await;
    let plan = plans::only(plans::plan("busy.1"), "meta");
    app.publish(&plan).await;
    let gate = app.wiring.gatekeeper();
    gate.step().await.expect("the gate opens");
    app.pump().await;
    // A worker holds the command.
    app.sql("UPDATE command SET lease_until = clock_timestamp() + interval '1 hour', lease_token = 5")
        .await;
    app.publish(&amended(&plan, 1, |p| raise(p, 0, 3))).await;
    gate.step().await.expect("the gate is asked");
    assert_eq!(
        app.number("SELECT count(*) FROM execution WHERE gate = 'pending'")
            .await,
        1
    );
    app.sql("UPDATE command SET lease_until = NULL").await;
    app.settle_and_warp(10).await;
    assert_eq!(app.legs(&plan).await["meta/prospecting"], "scheduled");
    let told = app.events("campaign.scheduled");
    assert_eq!(told.last().expect("an event").data["budget"]["amount"], "123.00");
    app.assert_no_duplicates().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_amendment_leaves_the_launch_alone() {
    let app = App::bare().await;
    app.onboard(|t| t["policy"]["launch_approval"] = json!("always"))
        .await;
    let plan = plans::running_plan("ask.1");
    app.publish(&plan).await;
    app.settle().await;
    app.approve(&plan).await;
    app.settle_and_warp(6).await;
    let quiet = app.effects().await;
    let other = amended(&plan, 1, |p| raise(p, 0, 3));
    app.publish(&other).await;
    app.settle().await;
    assert_eq!(app.effects().await, quiet, "asked first");
    let reject = json!({ "tenant_id": "acme", "plan_id": plan["plan_id"], "plan_version": "ask.1", "decision": "reject",
        "by": "ops", "at": plans::stamp(Duration::zero()), "reason": "too much" });
    app.deliver("execution.approval", reject.to_string().into_bytes())
        .await;
    app.publish(&other).await;
    app.settle_and_warp(3).await;
    assert_eq!(app.effects().await, quiet);
    assert!(app.legs(&plan).await.values().all(|s| s == "live"));
    // A further one can be approved.
    app.publish(&amended(&plan, 2, |p| raise(p, 0, 4))).await;
    app.settle().await;
    app.approve(&plan).await;
    app.settle_and_warp(6).await;
    assert_eq!(app.effects().await, quiet + 1);
}

/// Runs the real binary with the app's configuration; its exit code and what it printed.
pub async fn command(app: &App, arguments: &[&str]) -> (i32, String) {
    let done = tokio::process::Command::new(env!("CARGO_BIN_EXE_campaign-execution"))
        .args(arguments)
        .envs(app.variables.clone())
        .env("CAMPAIGN_EXECUTION_CONFIG", "/dev/null")
        .env("USER", "tester")
        .output()
        .await
        .expect("the binary runs");
    let text = String::from_utf8_lossy(&done.stdout).into_owned() + &String::from_utf8_lossy(&done.stderr);
    (done.status.code().unwrap_or(-1), text)
}

pub async fn preview(app: &App, plan: &Value) -> (i32, String) {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("plan.json");
    std::fs::write(&file, plan.to_string()).expect("a file");
    command(app, &["plan", "preview", file.to_str().expect("a path")]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_says_what_would_change_and_the_gate_refuses_what_cannot() {
    let app = App::start().await;
    let plan = plans::running_plan("preview.1");
    let (code, text) = preview(&app, &plan).await;
    assert_eq!(code, 5, "{text}");
    assert!(text.contains("is not launched; everything is new"), "{text}");
    app.publish(&plan).await;
    app.settle_and_warp(6).await;
    let (code, text) = preview(&app, &plan).await;
    assert_eq!(code, 0, "{text}");
    let quiet = app.effects().await;
    let other = amended(&plan, 1, |p| {
        raise(p, 0, 10);
        p["campaigns"].as_array_mut().expect("campaigns").pop();
    });
    let (code, text) = preview(&app, &other).await;
    assert_eq!(code, 5, "{text}");
    assert!(text.contains("250.00 → 260.00 EUR"), "{text}");
    assert!(text.contains("1 to change, 1 to switch off"), "{text}");
    let (code, text) = preview(&app, &newer(&plan, "preview.2", |p| raise(p, 0, 10))).await;
    assert_eq!(code, 5);
    assert!(text.contains("takes over from preview.1"), "{text}");
    // What cannot be changed is said, and refused by the gate with the same remedy.
    let fixed = amended(&plan, 1, |p| p["campaigns"][0]["objective"] = json!("leads"));
    let (_, text) = preview(&app, &fixed).await;
    assert!(
        text.contains("cannot be changed: give the campaign another logical_campaign_key"),
        "{text}"
    );
    app.publish(&fixed).await;
    app.settle_and_warp(3).await;
    assert_eq!(app.effects().await, quiet);
    let blocked = app.events("execution.blocked");
    let reasons = blocked.last().expect("an event").data["checks"].to_string();
    assert!(
        reasons.contains("amendment:google-ads/search-brand:objective"),
        "{reasons}"
    );
    assert!(
        app.legs(&plan).await.values().all(|s| s == "live"),
        "what is launched goes on"
    );
    // Giving it up leaves what is in force.
    order(&app, &plan, "cancel").await;
    let (code, text) = preview(&app, &plan).await;
    assert_eq!(code, 0, "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn drift_is_seen_and_what_was_removed_by_hand_is_made_again_when_asked() {
    let app = App::start().await;
    let plan = plans::only(plans::running_plan("drift.1"), "meta");
    app.publish(&plan).await;
    app.settle_and_warp(6).await;
    let (code, text) = command(&app, &["drift", "drift.1"]).await;
    assert_eq!(code, 0, "{text}");
    let id = campaigns(&app, "meta").await[0].0.clone();
    hand::on_meta(&app, &id, "name=Mine&status=PAUSED").await;
    let (code, text) = command(&app, &["drift", "drift.1"]).await;
    assert_eq!(code, 5, "{text}");
    assert!(text.contains("platform says \"Mine\""), "{text}");
    assert!(
        text.contains("manifest says active, platform says paused"),
        "{text}"
    );
    hand::on_meta(&app, &id, "status=DELETED").await;
    let (code, text) = command(&app, &["drift", "drift.1", "--json"]).await;
    assert_eq!(code, 5, "{text}");
    let seen: Value = serde_json::from_str(&text).expect("JSON");
    let differences = seen[0]["legs"][0]["differences"].as_array().expect("differences");
    assert!(
        differences
            .iter()
            .any(|d| d["kind"] == "gone" && d["object"] == "campaign"),
        "{text}"
    );
    // As `replay` does after asking.
    let looked = app.wiring.drift().look(1).await.expect("a look");
    assert_eq!(looked.len(), 1);
    let keys = differences.iter().filter(|d| d["kind"] == "gone").map(|d| {
        let text = |name: &str| d[name].as_str().expect("a text").to_owned();
        (text("object"), text("remote_id"))
    });
    let gone = campaign_execution::store::mend::Gone {
        leg_id: looked[0].leg_id,
        objects: keys.collect(),
    };
    let asked = campaign_execution::store::mend::Asked {
        by: "cli:tester".to_owned(),
        reason: "a mistake".to_owned(),
        now: app.wiring.clock.stamp(),
    };
    let composer = campaign_execution::service::compose::Composer;
    let mended = app
        .wiring
        .store
        .mend(&composer, 1, std::slice::from_ref(&gone), &asked)
        .await
        .expect("mended");
    assert_eq!(mended, 1);
    app.settle_and_warp(6).await;
    assert_eq!(app.legs(&plan).await["meta/prospecting"], "live");
    // Somebody else looked before it was made again, and agrees only now.
    let again = app.wiring.store.mend(&composer, 1, &[gone], &asked).await;
    assert_eq!(again.expect("nothing to mend"), 0);
    app.settle_and_warp(3).await;
    let now = campaigns(&app, "meta").await;
    assert_eq!(now.len(), 1);
    assert_ne!(now[0].0, id);
    let (code, text) = command(&app, &["drift", "drift.1"]).await;
    assert_eq!(code, 0, "{text}");
    app.assert_audit_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn drift_tells_who_did_it_where_the_platform_keeps_a_log() {
    let app = App::start().await;
    let plan = plans::only(plans::running_plan("who.1"), "google-ads");
    app.publish(&plan).await;
    app.settle_and_warp(6).await;
    let id = campaigns(&app, "google-ads").await[0].0.clone();
    let name = format!("customers/1234567890/campaigns/{id}");
    let body = json!({ "mutateOperations": [{ "campaignOperation": {
        "update": { "resourceName": name, "status": "PAUSED" }, "updateMask": "status",
    } }] });
    let request = app
        .wiring
        .outbound
        .http
        .post(format!(
            "{}/google-ads/v26/customers/1234567890/googleAds:mutate",
            app.url
        ))
        .bearer_auth("sandbox-token")
        .header("user-agent", "somebody-else/1")
        .json(&body);
    let sent = app
        .wiring
        .outbound
        .send(request, std::time::Duration::from_secs(5))
        .await;
    assert_eq!(sent.expect("an answer").status, 200);
    let (code, text) = command(&app, &["drift", "who.1"]).await;
    assert_eq!(code, 5, "{text}");
    let by: Vec<&str> = text.lines().filter(|line| line.contains("changed by")).collect();
    assert_eq!(by.len(), 1, "our own changes are not told: {text}");
    for said in [
        "someone@sandbox.example",
        "GOOGLE_ADS_WEB_CLIENT",
        "update campaign",
        "(status)",
    ] {
        assert!(by[0].contains(said), "{said} in {text}");
    }
    let (_, text) = command(&app, &["drift", "who.1", "--json"]).await;
    let seen: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(seen[0]["legs"][0]["changes"][0]["by"], "someone@sandbox.example");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_of_a_thousand_campaigns_takes_no_time() {
    let app = App::start().await;
    let one = plans::only(plans::plan("many.1"), "meta");
    let mut plan = one.clone();
    plan["campaigns"] = json!(
        (0..1000)
            .map(|i| {
                let mut campaign = one["campaigns"][0].clone();
                campaign["logical_campaign_key"] = json!(format!("c{i}"));
                campaign
            })
            .collect::<Vec<_>>()
    );
    app.publish(&plan).await;
    app.wiring.gatekeeper().step().await.expect("the gate opens");
    let mut other = plan.clone();
    for i in 0..1000 {
        raise(&mut other, i, 1);
    }
    let in_force = app
        .wiring
        .store
        .in_force("acme", "many.1")
        .await
        .expect("a look")
        .expect("launched");
    let began = std::time::Instant::now();
    let found = campaign_execution::domain::diff::campaigns(&in_force.payload, &other);
    let took = began.elapsed();
    assert_eq!(found.len(), 1000);
    assert!(took < std::time::Duration::from_secs(2), "{took:?}, unoptimised");
    println!("1,000 campaigns compared in {took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_payload_wins_only_when_a_person_forces_it_and_then_stays() {
    let app = App::start().await;
    let plan = plans::running_plan("force.1");
    app.publish(&plan).await;
    app.settle_and_warp(6).await;
    let other = amended(&plan, 5, |p| raise(p, 0, 10));
    app.publish(&other).await;
    app.settle_and_warp(6).await;
    let before = app.effects().await;
    let bytes = plan.to_string().into_bytes();
    let envelope = campaign_execution::wire::unwrap(&[], Some(&bytes), 1 << 20).expect("a message");
    let older = campaign_execution::wire::plan::parse(&envelope.data).expect("a plan");
    let taken = app
        .wiring
        .intake()
        .force(&older, envelope, ("tester", "the raise was a mistake"))
        .await
        .expect("taken");
    assert_eq!(taken, Some(campaign_execution::store::intake::Taken::Amended));
    app.settle_and_warp(6).await;
    assert_eq!(app.effects().await, before + 1, "one budget, back again");
    let told = app.events("campaign.live");
    let last = &told.last().expect("an event").data;
    assert_eq!(last["budget"]["amount"], plan["campaigns"][0]["budget"]["amount"]);
    // The newer one, come again, does not undo what a person forced.
    app.publish(&other).await;
    app.settle_and_warp(3).await;
    assert_eq!(app.effects().await, before + 1);
    app.assert_audit_whole().await;
}
