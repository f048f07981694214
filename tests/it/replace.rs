//! What a platform does not let be changed: another campaign is built, verified and switched on, and only then the old one is
//! switched off and kept. Counted and ordered on the platforms' side.

use crate::amend::{amended, campaigns, newer, order, preview, raise};
use crate::support::app::App;
use crate::support::{particulars, plans};
use campaign_execution::clock::{Clock, SystemClock};
use campaign_execution::domain::plan::Objective;
use campaign_execution::domain::spec::leg_specs;
use campaign_execution::platform::{self, Platform};
use campaign_execution::service::compose::Composer;
use campaign_execution::service::drift::Told;
use campaign_execution::store::pause::Switch;
use campaign_execution::store::views::LegView;
use campaign_execution::wire;
use serde_json::{Value, json};
use std::time::Duration;

/// A service whose tenant wants campaigns replaced.
async fn start() -> App {
    let app = App::bare().await;
    app.onboard(|t| t["policy"]["immutable_change"] = json!("replace"))
        .await;
    app
}

fn on(status: &str) -> bool {
    matches!(status, "ENABLED" | "ACTIVE" | "ENABLE" | "ENTITY_STATUS_ACTIVE")
}

async fn how_many_on(app: &App, vendor: &str) -> usize {
    let all = campaigns(app, vendor).await;
    all.iter().filter(|c| on(&c.2)).count()
}

/// The platform's own rules have nothing against the plan's first campaign.
fn allowed(platform: &dyn Platform, plan: &Value) -> bool {
    let parsed = wire::plan::parse(plan).expect("a plan");
    let spec = leg_specs(&parsed, "does_not_contain").remove(0);
    platform.check(&spec).is_empty()
}

/// Other objectives that the platform takes for the plan's only campaign as it is.
fn other_objectives(platform: &dyn Platform, plan: &Value) -> Vec<&'static str> {
    let with = |objective: &str| {
        let mut plan = plan.clone();
        plan["campaigns"][0]["objective"] = json!(objective);
        plan
    };
    let now = plan["campaigns"][0]["objective"].clone();
    let others: Vec<&'static str> = Objective::ALL
        .iter()
        .map(|o| o.as_str())
        .filter(|o| now != *o && allowed(platform, &with(o)))
        .collect();
    assert!(!others.is_empty(), "{}: no other objective", platform.name());
    others
}

/// The last of the writes that a launch makes there.
fn last_write(platform: &str) -> &'static str {
    let particulars = particulars::of(platform);
    let provoked = |write: &&&str| particulars.provoked.iter().any(|(p, _)| p == *write);
    let mut writes = particulars.writes.iter().filter(|w| !provoked(w));
    writes.next_back().expect("a write")
}

/// A plan with one campaign, on that platform, and its leg's key.
fn one(platform: &dyn Platform, what: &str) -> (Value, String) {
    let name = platform.name();
    let mut plan = plans::only(plans::running_plan(&format!("{what}.{name}")), name);
    plan["plan_id"] = json!(format!("{what}-{name}"));
    let key = plan["campaigns"][0]["logical_campaign_key"]
        .as_str()
        .expect("a key");
    let leg = format!("{name}/{key}");
    (plan, leg)
}

/// Whether what is built now begins there later than at once.
fn later(platform: &dyn Platform) -> bool {
    let now = SystemClock.now();
    platform.begins(now - chrono::TimeDelta::hours(1), now, chrono_tz::Europe::Berlin) > now
}

fn with_objective(plan: &Value, minutes: i64, objective: &str) -> Value {
    amended(plan, minutes, |p| {
        p["campaigns"][0]["objective"] = json!(objective)
    })
}

/// Every id that the platform gave to what a leg is made of, the last part of a resource name.
fn ids(leg: &LegView) -> Vec<String> {
    let manifest = leg.manifest.as_ref().expect("a manifest");
    let ids = manifest.objects.iter().filter(|o| o.serving.as_str() != "none");
    ids.filter_map(|o| o.remote_id.as_deref())
        .filter_map(|id| id.rsplit(['/', '~']).next())
        .map(str::to_owned)
        .collect()
}

/// The calls that changed something since this one and name one of these ids: their numbers.
async fn calls_about(app: &App, since: u64, ids: &[String]) -> Vec<u64> {
    let path = format!("requests?mutations=true&limit=100000&since={since}");
    let answer = app.control(reqwest::Method::GET, &path, None).await;
    let names = |text: &str, id: &str| {
        text.split(|c: char| !c.is_ascii_alphanumeric())
            .any(|word| word == id)
    };
    answer["requests"]
        .as_array()
        .expect("requests")
        .iter()
        .filter(|r| {
            let sent = format!("{} {} {}", r["path"], r["query"], r["body"]);
            ids.iter().any(|id| names(&sent, id))
        })
        .map(|r| r["n"].as_u64().expect("a number"))
        .collect()
}

async fn last_call(app: &App) -> u64 {
    let answer = app
        .control(reqwest::Method::GET, "requests?limit=100000", None)
        .await;
    let all = answer["requests"].as_array().expect("requests");
    all.last().map_or(0, |r| r["n"].as_u64().expect("a number"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_objective_is_a_new_campaign_and_the_old_one_goes_off_after_it() {
    let app = start().await;
    for platform in platform::all() {
        let name = platform.name();
        let (plan, leg) = one(&*platform, "swap");
        app.publish(&plan).await;
        app.settle_and_warp(8).await;
        let first = campaigns(&app, name).await;
        assert_eq!((first.len(), on(&first[0].2)), (1, true), "{name}: {first:?}");
        let objective = other_objectives(&*platform, &plan)[0];
        let other = with_objective(&plan, 1, objective);
        let (code, text) = preview(&app, &other).await;
        assert_eq!(code, 5, "{text}");
        let by = format!(
            "{} is replaced by kobi_acme_{name}_{objective}_swap.{name}",
            first[0].1
        );
        assert!(text.contains(&by) && text.contains("1 to replace"), "{text}");
        assert!(text.contains(&first[0].0), "{text}");
        // Where the platform begins the new one later, there is a time with nothing on.
        let words = ["both are on", "NEITHER is on"];
        let told = words.map(|w| text.contains(w));
        assert_eq!(
            told,
            if later(&*platform) {
                [false, true]
            } else {
                [true, false]
            },
            "{text}"
        );

        let (before, since) = (app.effects().await, last_call(&app).await);
        let (live, calls) = (
            app.events("campaign.live").len(),
            made(&app.leg_views(&plan).await),
        );
        app.publish(&other).await;
        app.settle_and_warp(8).await;
        let now = app.legs(&plan).await;
        assert_eq!(now[&leg], "live", "{name}: {now:?}");
        assert_eq!(now[&format!("{leg}.replaced-1")], "retired", "{name}: {now:?}");
        assert_eq!(
            app.execution(&plan).await.settled.as_deref(),
            Some("completed"),
            "{name}"
        );

        let two = campaigns(&app, name).await;
        assert_eq!(two.len(), 2, "{name}: {two:?}");
        let old = two.iter().find(|c| c.0 == first[0].0).expect("the old one");
        let new = two.iter().find(|c| c.0 != first[0].0).expect("the new one");
        assert_eq!(
            (&old.1, on(&old.2)),
            (&first[0].1, false),
            "{name}: off, and kept"
        );
        assert_eq!(new.1, format!("kobi_acme_{name}_{objective}_swap.{name}"));
        assert!(on(&new.2), "{name}: {new:?}");

        // Each call is one of the two legs', and the old one's come after the last of the new one's.
        let views = app.leg_views(&plan).await;
        assert_eq!(views.len(), 2);
        assert_eq!(app.effects().await - before, made(&views) - calls, "{name}");
        assert_eq!(views[1].replaced_by.as_deref(), leg.split('/').nth(1));
        let about_new = calls_about(&app, since, &ids(&views[0])).await;
        let about_old = calls_about(&app, since, &ids(&views[1])).await;
        assert!(!about_new.is_empty() && !about_old.is_empty(), "{name}");
        assert!(
            about_new.iter().max() < about_old.iter().min(),
            "{name}: switched on at {about_new:?}, the old one off at {about_old:?}"
        );

        let told = app.events("campaign.live");
        assert_eq!(told.len(), live + 1, "{name}: told once");
        let last = &told.last().expect("an event").data;
        assert_eq!(last["platform_campaign_id"], json!(new.0.clone()), "{name}");
        assert_eq!(
            (&last["objective"], &last["replaces"]),
            (&json!(objective), &json!([old.0]))
        );
        let completed = app.events("execution.completed");
        let told_legs = &completed.last().expect("an event").data["legs"];
        assert_eq!(told_legs[1]["replaced_by"].as_str(), leg.split('/').nth(1));

        nothing_more(&app, &plan, &other).await;
        rolled_back(&app, &plan, name).await;
    }
    app.assert_no_duplicates().await;
    app.assert_audit_whole().await;
}

/// Mutations that the manifests count.
fn made(legs: &[LegView]) -> u64 {
    let counts = legs.iter().filter_map(|l| l.manifest.as_ref());
    counts.map(|m| m.mutation_count.unsigned_abs()).sum()
}

/// Come again, both payloads change nothing; and a campaign that is off is no drift.
async fn nothing_more(app: &App, plan: &Value, other: &Value) {
    let quiet = app.effects().await;
    app.publish(other).await;
    app.publish(plan).await;
    app.publish(&amended(other, 9, |_| ())).await;
    app.settle_and_warp(4).await;
    assert_eq!(app.effects().await, quiet, "{}", plan["plan_version"]);
    let execution = app.execution(plan).await;
    let looked = app.wiring.drift().look(execution.id).await.expect("a look");
    assert_eq!(looked.len(), 2);
    assert!(looked.iter().all(|l| l.told == Told::Same), "{looked:?}");
    let (code, text) = preview(app, other).await;
    assert_eq!(code, 0, "{text}");
}

async fn rolled_back(app: &App, plan: &Value, vendor: &str) {
    order(app, plan, "rollback").await;
    app.settle_and_warp(10).await;
    let legs = app.legs(plan).await;
    assert!(legs.values().all(|s| s == "undone"), "{vendor}: {legs:?}");
    assert_eq!(how_many_on(app, vendor).await, 0, "{vendor}: nothing stays on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replacement_that_is_refused_leaves_the_old_one_on_and_retry_goes_on() {
    let app = start().await;
    for platform in platform::all() {
        let name = platform.name();
        let (plan, leg) = one(&*platform, "refused");
        app.publish(&plan).await;
        app.settle_and_warp(8).await;
        let first = campaigns(&app, name).await;
        let objective = other_objectives(&*platform, &plan)[0];
        let particulars = particulars::of(name);
        // As it refuses: with a status of its own, or within a success.
        let refusal = particulars.refusal_in_200;
        let status = if refusal["error"].is_object() { 400 } else { 200 };
        let refusal =
            json!({ "vendor": name, "method": particulars.writes[0], "status": status, "body": refusal });
        app.fault(refusal).await;
        app.publish(&with_objective(&plan, 1, objective)).await;
        app.settle_and_warp(6).await;
        let now = app.legs(&plan).await;
        assert_eq!(now[&leg], "unamended", "{name}: {now:?}");
        assert_eq!(now[&format!("{leg}.replaced-1")], "outgoing", "{name}");
        assert_eq!(
            app.execution(&plan).await.settled.as_deref(),
            Some("marked_partial"),
            "{name}"
        );
        assert_eq!(
            campaigns(&app, name).await,
            first,
            "{name}: on as it was, and alone"
        );
        app.mend().await;
        order(&app, &plan, "retry").await;
        app.settle_and_warp(8).await;
        let now = app.legs(&plan).await;
        assert_eq!(now[&leg], "live", "{name}: {now:?}");
        assert_eq!(now[&format!("{leg}.replaced-1")], "retired", "{name}");
        assert_eq!(how_many_on(&app, name).await, 1, "{name}");
        assert_eq!(
            app.execution(&plan).await.settled.as_deref(),
            Some("completed"),
            "{name}"
        );
        rolled_back(&app, &plan, name).await;
    }
    app.assert_no_duplicates().await;
    app.assert_audit_whole().await;
}

/// Workers are cut off in the middle of whatever they do; in the end there is one campaign on per leg, and it is the new one.
#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_dies_at_any_moment_leaves_one_on() {
    let app = start().await;
    for (n, micros) in (0..12_u64).map(|n| (n, 300 + n * 2300)) {
        let mut plan = plans::running_plan(&format!("cut.{n}"));
        plan["plan_id"] = json!(format!("cut-{n}"));
        app.publish(&plan).await;
        app.settle_and_warp(8).await;
        let other = amended(&plan, 1, |p| {
            for platform in platform::all() {
                let alone = plans::only(p.clone(), platform.name());
                let objective = other_objectives(&*platform, &alone)[0];
                let all = p["campaigns"].as_array_mut().expect("campaigns");
                let campaign = all.iter_mut().find(|c| c["platform"] == platform.name());
                campaign.expect("its campaign")["objective"] = json!(objective);
            }
        });
        app.publish(&other).await;
        for _ in 0..6 {
            app.wiring.gatekeeper().step().await.unwrap();
            app.pump().await;
            for platform in platform::all() {
                let _ = tokio::time::timeout(Duration::from_micros(micros), app.work(platform.name())).await;
                // Whoever has died: never less than one is on, and never the new one before the old one is known to stay.
                assert!(
                    how_many_on(&app, platform.name()).await > n as usize,
                    "{} {n}",
                    platform.name()
                );
            }
            app.warp().await;
        }
        app.settle_and_warp(25).await;
        let legs = app.legs(&plan).await;
        let live = legs.values().filter(|s| *s == "live").count();
        assert_eq!(
            (live, legs.len()),
            (plans::legs(&plan), 2 * plans::legs(&plan)),
            "{n}: {legs:?}"
        );
        for platform in platform::all() {
            let all = campaigns(&app, platform.name()).await;
            let ours: Vec<_> = all
                .iter()
                .filter(|c| c.1.ends_with(&format!("_cut.{n}")))
                .collect();
            assert_eq!(ours.len(), 2, "{}: {ours:?}", platform.name());
            assert_eq!(
                ours.iter().filter(|c| on(&c.2)).count(),
                1,
                "{}: {ours:?}",
                platform.name()
            );
        }
        app.assert_no_duplicates().await;
    }
    app.assert_audit_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_version_replaces_and_its_rollback_restores_the_older_ones() {
    let app = start().await;
    let plan = plans::running_plan("was.1");
    app.publish(&plan).await;
    app.settle_and_warp(8).await;
    let vendors: Vec<&str> = platform::all().iter().map(|p| p.name()).collect();
    let mut before = Vec::new();
    for vendor in &vendors {
        before.push(campaigns(&app, vendor).await);
    }
    let new = newer(&plan, "is.2", |p| {
        for platform in platform::all() {
            let alone = plans::only(p.clone(), platform.name());
            let objective = other_objectives(&*platform, &alone)[0];
            let all = p["campaigns"].as_array_mut().expect("campaigns");
            let campaign = all.iter_mut().find(|c| c["platform"] == platform.name());
            campaign.expect("its campaign")["objective"] = json!(objective);
        }
    });
    let (code, text) = preview(&app, &new).await;
    assert_eq!(code, 5);
    assert!(text.contains(&format!("{} to replace", vendors.len())), "{text}");
    app.publish(&new).await;
    app.settle_and_warp(10).await;
    let now = app.legs(&new).await;
    assert_eq!(
        now.values().filter(|s| *s == "live").count(),
        vendors.len(),
        "{now:?}"
    );
    assert_eq!(
        now.values().filter(|s| *s == "retired").count(),
        vendors.len(),
        "{now:?}"
    );
    let old = app.legs(&plan).await;
    assert!(old.values().all(|s| s == "superseded"), "{old:?}");
    for (vendor, before) in vendors.iter().zip(&before) {
        let all = campaigns(&app, vendor).await;
        let same = all
            .iter()
            .find(|c| c.0 == before[0].0)
            .expect("the same campaign");
        assert_eq!(
            (&same.1, on(&same.2)),
            (&before[0].1, false),
            "{vendor}: off, named as it was"
        );
        assert_eq!(all.iter().filter(|c| on(&c.2)).count(), 1, "{vendor}: {all:?}");
    }
    let quiet = app.effects().await;
    app.publish(&new).await;
    app.publish(&plan).await;
    app.settle_and_warp(3).await;
    assert_eq!(app.effects().await, quiet);

    order(&app, &new, "rollback").await;
    app.settle_and_warp(12).await;
    let now = app.legs(&new).await;
    assert!(now.values().all(|s| s == "undone"), "{now:?}");
    let old = app.legs(&plan).await;
    assert!(old.values().all(|s| s == "live"), "{old:?}");
    for (vendor, before) in vendors.iter().zip(&before) {
        let on_now: Vec<_> = campaigns(&app, vendor)
            .await
            .into_iter()
            .filter(|c| on(&c.2))
            .collect();
        assert_eq!(&on_now, before, "{vendor}: the older version's own, on");
    }
    app.assert_no_duplicates().await;
    app.assert_audit_whole().await;
}

/// A version that is superseded while its replacement is not on yet: its successor replaces what is on.
#[tokio::test(flavor = "multi_thread")]
async fn an_unfinished_replacement_is_taken_over_with_what_it_replaces() {
    let app = start().await;
    for platform in platform::all() {
        let name = platform.name();
        let (plan, leg) = one(&*platform, "mid");
        app.publish(&plan).await;
        app.settle_and_warp(8).await;
        let first = campaigns(&app, name).await.len();
        let objective = other_objectives(&*platform, &plan)[0];
        let last = last_write(name);
        app.fault(json!({ "vendor": name, "method": last, "status": 503, "body": "" }))
            .await;
        let other = with_objective(&plan, 1, objective);
        app.publish(&other).await;
        app.settle().await;
        let now = app.legs(&plan).await;
        assert_eq!(now[&format!("{leg}.replaced-1")], "outgoing", "{name}: {now:?}");
        app.mend().await;
        let mut next = newer(&other, &format!("after.{name}"), |p| raise(p, 0, 10));
        next["approved_at"] = json!(plans::stamp(chrono::Duration::minutes(2)));
        app.publish(&next).await;
        app.settle_and_warp(12).await;
        let now = app.legs(&next).await;
        assert_eq!(now[&leg], "live", "{name}: {now:?}");
        assert_eq!(now[&format!("{leg}.replaced-1")], "retired", "{name}: {now:?}");
        assert_eq!(how_many_on(&app, name).await, 1, "{name}");
        // Rolled back, the version before has one on again: its own.
        order(&app, &next, "rollback").await;
        app.settle_and_warp(12).await;
        let now = app.legs(&plan).await;
        assert_eq!(now[&leg], "live", "{name}: {now:?}");
        assert_eq!(how_many_on(&app, name).await, 1, "{name}: {first} at first");
        rolled_back(&app, &plan, name).await;
    }
    app.assert_no_duplicates().await;
    app.assert_audit_whole().await;
}

fn switch(app: &App) -> Switch {
    Switch {
        tenant_id: "acme".to_owned(),
        by: "cli:tester".to_owned(),
        reason: "a test".to_owned(),
        now: app.wiring.clock.stamp(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_in_between_reaches_both_and_its_end_restores_them() {
    let app = start().await;
    for platform in platform::all() {
        let name = platform.name();
        let (plan, leg) = one(&*platform, "pause");
        app.publish(&plan).await;
        app.settle_and_warp(8).await;
        let objective = other_objectives(&*platform, &plan)[0];
        app.fault(
            json!({ "vendor": name, "method": particulars::of(name).writes[0], "status": 503, "body": "" }),
        )
        .await;
        app.publish(&with_objective(&plan, 1, objective)).await;
        app.settle().await;
        app.mend().await;
        let store = &app.wiring.store;
        store.pause(&Composer, &switch(&app)).await.expect("paused");
        app.settle().await;
        app.warp().await;
        app.settle().await;
        assert_eq!(how_many_on(&app, name).await, 0, "{name}");
        let now = app.legs(&plan).await;
        assert_eq!(now[&format!("{leg}.replaced-1")], "outgoing", "{name}: {now:?}");
        store.unpause(&Composer, &switch(&app)).await.expect("un-paused");
        // First of all the old one is on again.
        for _ in 0..3 {
            app.pump().await;
            app.work(name).await;
        }
        app.settle_and_warp(10).await;
        let now = app.legs(&plan).await;
        assert_eq!(now[&leg], "live", "{name}: {now:?}");
        assert_eq!(now[&format!("{leg}.replaced-1")], "retired", "{name}: {now:?}");
        assert_eq!(how_many_on(&app, name).await, 1, "{name}");
        rolled_back(&app, &plan, name).await;
    }
    app.assert_audit_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_can_change_its_mind_and_leave_in_the_middle() {
    let app = start().await;
    for platform in platform::all() {
        let name = platform.name();
        let (plan, leg) = one(&*platform, "mind");
        app.publish(&plan).await;
        app.settle_and_warp(8).await;
        let first = campaigns(&app, name).await;
        let objective = other_objectives(&*platform, &plan)[0];
        let last = last_write(name);
        app.fault(json!({ "vendor": name, "method": last, "status": 503, "body": "" }))
            .await;
        app.publish(&with_objective(&plan, 1, objective)).await;
        app.settle().await;
        let now = app.legs(&plan).await;
        assert_eq!(now[&format!("{leg}.replaced-1")], "outgoing", "{name}: {now:?}");
        app.mend().await;
        // Back to what it was: a third one, because what is on its way out stays on its way.
        app.publish(&amended(&plan, 2, |_| ())).await;
        app.settle_and_warp(10).await;
        let now = app.legs(&plan).await;
        assert_eq!(now[&leg], "live", "{name}: {now:?}");
        assert!(
            now.iter()
                .filter(|(l, _)| **l != leg)
                .all(|(_, s)| s == "retired"),
            "{now:?}"
        );
        let all = campaigns(&app, name).await;
        let live: Vec<_> = all.iter().filter(|c| on(&c.2)).collect();
        assert_eq!(live.len(), 1, "{name}: {all:?}");
        assert_eq!(
            live[0].1,
            format!("{}_{}", first[0].1, leg.split('/').nth(1).expect("a key"))
        );
        // Another objective again, and the plan no longer has it before that one is on: all go off.
        app.fault(json!({ "vendor": name, "method": last, "status": 503, "body": "" }))
            .await;
        app.publish(&with_objective(&plan, 3, objective)).await;
        app.settle().await;
        app.mend().await;
        let gone = amended(&plan, 4, |p| {
            p["campaigns"][0]["logical_campaign_key"] = json!("other")
        });
        app.publish(&gone).await;
        app.settle_and_warp(10).await;
        let now = app.legs(&plan).await;
        assert_eq!(now[&format!("{name}/other")], "live", "{name}: {now:?}");
        let others = now.iter().filter(|(l, _)| !l.ends_with("/other"));
        assert!(others.clone().all(|(_, s)| s == "retired"), "{name}: {now:?}");
        assert_eq!(how_many_on(&app, name).await, 1, "{name}");
        // The key of what was replaced is not a planner's to use.
        let reserved = amended(&gone, 5, |p| {
            p["campaigns"][0]["logical_campaign_key"] =
                json!(format!("{}.replaced-1", leg.split('/').nth(1).expect("a key")));
        });
        let quiet = app.effects().await;
        app.publish(&reserved).await;
        app.settle_and_warp(2).await;
        assert_eq!(app.effects().await, quiet, "{name}");
        let blocked = app.events("execution.blocked");
        let checks = blocked.last().expect("an event").data["checks"].to_string();
        assert!(checks.contains("was replaced by another"), "{checks}");
        order(&app, &plan, "cancel").await;
        rolled_back(&app, &plan, name).await;
    }
    app.assert_no_duplicates().await;
    app.assert_audit_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_for_the_flight_instead_of_the_day_is_another_campaign_with_another_name() {
    let app = start().await;
    let mut met = 0;
    for platform in platform::all() {
        let name = platform.name();
        let (plan, leg) = one(&*platform, "period");
        let turned = |p: &mut Value| {
            let budget = &mut p["campaigns"][0]["budget"];
            let daily = budget["period"] == "daily";
            *budget = if daily {
                json!({ "amount": "9000.00", "period": "lifetime" })
            } else {
                json!({ "amount": "300.00", "period": "daily" })
            };
        };
        let other = amended(&plan, 1, turned);
        if !allowed(&*platform, &other) {
            continue;
        }
        met += 1;
        app.publish(&plan).await;
        app.settle_and_warp(8).await;
        let first = campaigns(&app, name).await;
        let (_, text) = preview(&app, &other).await;
        if other["campaigns"][0]["budget"]["period"] == "lifetime" {
            assert!(
                text.contains("is not taken off the 9000.00 EUR lifetime"),
                "{text}"
            );
        }
        app.publish(&other).await;
        app.settle_and_warp(10).await;
        let now = app.legs(&plan).await;
        assert_eq!(now[&leg], "live", "{name}: {now:?}");
        let all = campaigns(&app, name).await;
        let new = all.iter().find(|c| on(&c.2)).expect("one that is on");
        assert_eq!(
            new.1,
            format!("{}_{}", first[0].1, leg.split('/').nth(1).expect("a key"))
        );
        assert_eq!(how_many_on(&app, name).await, 1, "{name}");
        rolled_back(&app, &plan, name).await;
    }
    assert!(met > 0);
    app.assert_no_duplicates().await;
}
