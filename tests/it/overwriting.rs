//! Changes by hand beside an amendment, a superseding version and a rollback: what people are told will become of each is what then
//! becomes of it.

use crate::amend::{amended, campaigns, newer, order};
use crate::support::app::App;
use crate::support::command::{Ran, run};
use crate::support::{hand, plans};
use campaign_execution::service::drift::{Difference, Told};
use serde_json::{Value, json};

/// What a command prints about a plan's file.
fn live_preview(app: &App, plan: &Value) -> Ran {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("plan.json");
    std::fs::write(&file, plan.to_string()).expect("a file");
    run(
        app,
        &["plan", "preview", file.to_str().expect("a path"), "--live"],
    )
}

async fn there(app: &App, kind: &str) -> Value {
    let all = app.objects("meta").await;
    let found = all.iter().find(|o| o["kind"] == kind);
    found.unwrap_or_else(|| panic!("no {kind} in {all:?}")).clone()
}

async fn id(app: &App, kind: &str) -> String {
    there(app, kind).await["id"].as_str().expect("an id").to_owned()
}

/// The line about a change by hand, and that there is but one.
#[track_caller]
fn line<'t>(text: &'t str, about: &str) -> &'t str {
    let found: Vec<&str> = text.lines().filter(|l| l.contains(about)).collect();
    assert_eq!(found.len(), 1, "{about:?} in\n{text}");
    found[0]
}

/// Fields that are otherwise there than the manifest says, with what is there; what is removed there is `gone`.
async fn otherwise(app: &App, plan: &Value) -> Vec<(String, Value)> {
    let execution = app.execution(plan).await;
    let looked = app.wiring.drift().look(execution.id).await.expect("a look");
    let mut found = Vec::new();
    for leg in looked {
        let Told::Differs { differences } = leg.told else {
            continue;
        };
        found.extend(differences.into_iter().map(|d| match d {
            Difference::Gone { object, .. } => (object, json!("gone")),
            Difference::Field {
                object,
                field,
                theirs,
                ..
            } => (format!("{object}.{field}"), theirs),
            Difference::Serving { object, theirs, .. } => (object, json!(theirs)),
        }));
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

fn with_budget(plan: &Value, minutes: i64, amount: &str) -> Value {
    amended(plan, minutes, |p| {
        p["campaigns"][0]["budget"]["amount"] = json!(amount)
    })
}

async fn apply(app: &App, plan: &Value) {
    app.publish(plan).await;
    app.settle_and_warp(8).await;
}

/// One campaign of Meta, on air.
async fn launched(app: &App, version: &str) -> Value {
    let plan = plans::only(plans::running_plan(version), "meta");
    apply(app, &plan).await;
    assert!(app.legs(&plan).await.values().all(|s| s == "live"));
    plan
}

const ALLOWED: &str = "stays as it is there; this payload does not touch it";

#[tokio::test(flavor = "multi_thread")]
async fn what_a_preview_says_of_changes_by_hand_is_what_then_happens() {
    let app = App::start().await;
    let plan = launched(&app, "hand.1").await;
    let campaign = id(&app, "campaign").await;
    hand::on_meta(&app, &campaign, "name=Mine&daily_budget=50000").await;
    hand::on_meta(&app, &id(&app, "adset").await, "status=PAUSED").await;
    let raised = with_budget(&plan, 1, "150.00");
    let quiet = app.effects().await;
    let told = live_preview(&app, &raised);
    assert_eq!(told.code, Some(5), "{told:?}");
    assert_eq!(app.effects().await, quiet, "only shown");
    let text = told
        .out
        .rsplit_once("What this payload does")
        .expect("a part of its own")
        .1;
    assert!(line(text, "campaign.name, \"Mine\"").ends_with(ALLOWED), "{text}");
    let budget = line(text, "campaign.daily_budget, 50000");
    assert!(budget.ends_with("is OVERWRITTEN with 15000"), "{text}");
    assert!(
        line(text, "ad_set/lookalike-de, paused").ends_with("stays as it is there"),
        "{text}"
    );
    apply(&app, &raised).await;
    let left = [
        ("ad_set/lookalike-de".to_owned(), json!("paused")),
        ("campaign.name".to_owned(), json!("Mine")),
    ];
    assert_eq!(
        otherwise(&app, &plan).await,
        left,
        "what was said to stay, and that alone"
    );

    // Somebody was first: the payload asks for what is there.
    hand::on_meta(&app, &campaign, "daily_budget=20000").await;
    let again = with_budget(&plan, 2, "200.00");
    let text = live_preview(&app, &again).out;
    assert!(
        line(&text, "campaign.daily_budget, 20000").ends_with("is what this payload asks for"),
        "{text}"
    );
    apply(&app, &again).await;
    assert_eq!(otherwise(&app, &plan).await, left);

    // What was removed is not made again by the way.
    hand::on_meta(&app, &id(&app, "ad").await, "status=DELETED").await;
    let more = with_budget(&plan, 3, "210.00");
    let text = live_preview(&app, &more).out;
    let gone = line(&text, "ad/lookalike-de/carousel-hero, removed there");
    assert!(
        gone.contains("is not made again by this") && gone.contains("drift --mend"),
        "{text}"
    );
    apply(&app, &more).await;
    let now = otherwise(&app, &plan).await;
    assert!(
        now.contains(&("ad/lookalike-de/carousel-hero".to_owned(), json!("gone"))),
        "{now:?}"
    );
}

/// A campaign that the payload no longer has, and one that a newer version takes over and renames.
#[tokio::test(flavor = "multi_thread")]
async fn a_preview_says_what_becomes_of_changes_by_hand_on_what_goes_or_is_taken_over() {
    let app = App::start().await;
    let plan = launched(&app, "take.1").await;
    let campaign = id(&app, "campaign").await;
    hand::on_meta(&app, &campaign, "name=Mine&daily_budget=50000").await;
    let other = amended(&plan, 1, |p| {
        p["campaigns"][0]["logical_campaign_key"] = json!("another")
    });
    let text = live_preview(&app, &other).out;
    for about in ["campaign.name, \"Mine\"", "campaign.daily_budget, 50000"] {
        assert!(
            line(&text, about).ends_with("the campaign is switched off and kept"),
            "{text}"
        );
    }
    let next = newer(&plan, "take.2", |_| ());
    let text = live_preview(&app, &next).out;
    let named = line(&text, "campaign.name, \"Mine\"");
    assert!(
        named.ends_with("is OVERWRITTEN with \"kobi_acme_meta_traffic_take.2\""),
        "{text}"
    );
    assert!(
        line(&text, "campaign.daily_budget, 50000").ends_with(ALLOWED),
        "{text}"
    );
    apply(&app, &next).await;
    assert_eq!(
        campaigns(&app, "meta").await[0].1,
        "kobi_acme_meta_traffic_take.2"
    );
    let left = [("campaign.daily_budget".to_owned(), json!(50_000))];
    assert_eq!(otherwise(&app, &next).await, left);
}

/// What goes back to an older version, what is removed, and what is kept because it has spent.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_rollback_says_of_changes_by_hand_is_what_then_happens() {
    let app = App::start().await;
    let older = launched(&app, "line.1").await;
    let next = newer(&older, "line.2", |p| {
        p["campaigns"][0]["budget"]["amount"] = json!("150.00")
    });
    apply(&app, &next).await;
    hand::on_meta(&app, &id(&app, "campaign").await, "name=Mine&daily_budget=50000").await;
    let set = id(&app, "adset").await;
    hand::on_meta(&app, &set, "name=Theirs&status=PAUSED").await;
    let shown = run(&app, &["rollback", "line.2", "--dry-run"]).ok().out;
    for (about, becomes) in [
        (
            "campaign.name:",
            "is OVERWRITTEN with \"kobi_acme_meta_traffic_line.1\"",
        ),
        ("campaign.daily_budget:", "is OVERWRITTEN with 12000"),
        (
            "ad_set/lookalike-de.name:",
            "is OVERWRITTEN with \"kobi_acme_meta_traffic_line.1/lookalike-de\"",
        ),
        (
            "ad_set/lookalike-de: manifest",
            "stays off until somebody switches it on there",
        ),
    ] {
        let line = line(&shown, about);
        assert!(line.contains("changed there by somebody"), "{line}");
        assert!(line.ends_with(becomes), "{becomes}: {line}");
    }
    hand::on_meta(&app, &set, "status=ACTIVE").await;
    order(&app, &next, "rollback").await;
    app.settle_and_warp(10).await;
    assert_eq!(app.legs(&older).await["meta/prospecting"], "live");
    assert_eq!(otherwise(&app, &older).await, [], "all of it was overwritten");

    for (spend, becomes) in [
        ("0.00", "goes with the campaign"),
        ("3.00", "stays as it is there"),
    ] {
        let plan = launched(&app, &format!("alone.{}", spend.len() + becomes.len())).await;
        let all = campaigns(&app, "meta").await;
        let version = plan["plan_version"].as_str().expect("a version");
        let (id, ..) = all.iter().find(|c| c.1.ends_with(version)).expect("its campaign");
        app.world(json!({ "spend": { id: spend } })).await;
        hand::on_meta(&app, id, "name=Mine").await;
        let shown = run(&app, &["rollback", version, "--dry-run"]).ok().out;
        assert!(line(&shown, "campaign.name:").ends_with(becomes), "{shown}");
        order(&app, &plan, "rollback").await;
        app.settle_and_warp(10).await;
        let left = campaigns(&app, "meta").await;
        let left = left.iter().find(|c| c.0 == *id).map(|c| c.1.as_str());
        let kept = (becomes == "stays as it is there").then_some("Mine");
        assert_eq!(left, kept, "{becomes}");
    }
}
