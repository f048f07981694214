//! Two people at once, a decision twice, too late, for another payload: each is decided, told in a sentence, and leaves no
//! touchpoint open that nobody has to act on.

use crate::support::app::{App, unique};
use crate::support::command::run;
use crate::support::plans;
use crate::support::process::{Service, make_topics, publish, wait_for};
use campaign_execution::bus::consumer::Delivery;
use campaign_execution::bus::producer::{Outgoing, Publisher};
use campaign_execution::service::compose::Composer;
use campaign_execution::store::decide::{Decided, Decision};
use campaign_execution::store::gate::GateResult;
use campaign_execution::wire;
use chrono::Duration;
use serde_json::{Value, json};
use std::sync::Arc;

/// A service whose every launch needs a person.
async fn careful() -> App {
    let app = App::bare().await;
    app.onboard(|t| t["policy"]["launch_approval"] = json!("always"))
        .await;
    app
}

fn plan(version: &str) -> Value {
    let mut plan = plans::only(plans::plan(version), "meta");
    plan["plan_id"] = json!(version.replace('.', "-"));
    plan
}

/// The same version, approved later by the planner, with another budget.
fn amended(plan: &Value, minutes: i64) -> Value {
    let mut other = plan.clone();
    other["approved_at"] = json!(plans::stamp(Duration::minutes(minutes)));
    other["campaigns"][0]["budget"]["amount"] = json!(format!("{}.00", 200 + minutes));
    other
}

fn message(plan: &Value, decision: &str, by: &str) -> Value {
    json!({ "tenant_id": "acme", "plan_id": plan["plan_id"], "plan_version": plan["plan_version"], "decision": decision,
        "by": by, "at": plans::stamp(Duration::zero()) })
}

async fn say(app: &App, message: &Value) {
    app.deliver("execution.approval", message.to_string().into_bytes())
        .await;
}

/// At the keyboard, without a keyboard.
fn at_the_keyboard(app: &App, plan: &Value, approve: bool, by: &str) -> Decision {
    Decision {
        tenant_id: "acme".to_owned(),
        plan_id: None,
        plan_version: plan["plan_version"].as_str().expect("a version").to_owned(),
        approve,
        by: by.to_owned(),
        reason: None,
        shown: None,
        decided_at: None,
        via: "cli",
        now: app.wiring.clock.stamp(),
        compose: Arc::new(Composer),
    }
}

async fn decide(app: &App, decision: &Decision) -> Decided {
    app.wiring
        .store
        .decide(decision)
        .await
        .expect("a decision")
        .expect("an execution")
}

fn refused(decided: Decided) -> String {
    match decided {
        Decided::Refused { why } => why,
        other @ (Decided::Recorded { .. } | Decided::Already { .. }) => {
            panic!("it is refused, not {other:?}")
        }
    }
}

fn already(decided: Decided) -> String {
    match decided {
        Decided::Already { why } => why,
        other @ (Decided::Recorded { .. } | Decided::Refused { .. }) => {
            panic!("it is so already, not {other:?}")
        }
    }
}

/// What was published about launch approvals of a version: state, resolution, by whom.
fn approvals(app: &App, plan: &Value) -> Vec<(String, String, String)> {
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let about = |d: &Value| d["plan_version"] == plan["plan_version"] && d["kind"] == "launch_approval";
    app.events("execution.touchpoint")
        .into_iter()
        .filter(|e| about(&e.data))
        .map(|e| {
            (
                text(&e.data["state"]),
                text(&e.data["resolution"]),
                text(&e.data["resolved_by"]),
            )
        })
        .collect()
}

fn said(list: &[(&str, &str, &str)]) -> Vec<(String, String, String)> {
    list.iter()
        .map(|(a, b, c)| ((*a).to_owned(), (*b).to_owned(), (*c).to_owned()))
        .collect()
}

async fn open(app: &App) -> usize {
    app.settle().await;
    let all = app.wiring.store.touchpoints(None, false).await;
    all.expect("touchpoints").len()
}

fn reason_of_the_letter(app: &App) -> String {
    let letter = app.events("execution.approval.dlq").pop().expect("a dead letter");
    letter.data["dlq_reason"].as_str().expect("a reason").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_is_asked_for_once_answered_once_and_both_are_told() {
    let app = careful().await;
    let plan = plan("ask.1");
    app.publish(&plan).await;
    for _ in 0..3 {
        app.settle().await;
        app.warp().await;
    }
    assert_eq!(approvals(&app, &plan), said(&[("opened", "", "")]));
    let mut ann = at_the_keyboard(&app, &plan, true, "ann");
    ann.reason = Some("seen with the client".to_owned());
    assert_eq!(decide(&app, &ann).await, Decided::Recorded { amends: false });
    app.settle().await;
    let events = app.events("execution.touchpoint");
    let [opened, resolved] = events.as_slice() else {
        panic!("{events:?}")
    };
    for name in ["touchpoint_id", "kind", "what_to_do", "payload_hash"] {
        assert_eq!(opened.data[name], resolved.data[name], "{name}");
    }
    assert_ne!(opened.id, resolved.id);
    assert_eq!(resolved.data["reason"], "seen with the client");
    assert_eq!(
        approvals(&app, &plan)[1],
        said(&[("resolved", "approve", "ann")])[0]
    );
    assert_eq!(app.legs(&plan).await["meta/prospecting"], "scheduled");
    // Again, by the same person and by another: nothing happens, and it is said.
    for by in ["ann", "bob"] {
        let why = already(decide(&app, &at_the_keyboard(&app, &plan, true, by)).await);
        assert!(why.contains("launched already"), "{why}");
    }
    // A refusal after the launch says what to do instead.
    let why = refused(decide(&app, &at_the_keyboard(&app, &plan, false, "bob")).await);
    assert!(why.contains("`rollback ask.1`"), "{why}");
    say(&app, &message(&plan, "reject", "bob")).await;
    app.settle().await;
    assert!(
        reason_of_the_letter(&app).contains("rollback ask.1"),
        "nobody's refusal goes unseen"
    );
    assert_eq!(app.legs(&plan).await["meta/prospecting"], "scheduled");
    assert_eq!(open(&app).await, 0);
    app.assert_audit_whole().await;
}

/// Real transactions at the same time, again and again: exactly one is the first.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_people_at_once_one_is_the_second() {
    let app = careful().await;
    for round in 0..12 {
        let plan = plan(&format!("two.{round}"));
        app.publish(&plan).await;
        app.settle().await;
        let with_a_refusal = round % 2 == 1;
        let keyboard = at_the_keyboard(&app, &plan, true, "ann");
        let word = if with_a_refusal { "reject" } else { "approve" };
        let body = message(&plan, word, "bob").to_string().into_bytes();
        let delivery = Delivery::again("execution.approval", 9, round, b"k".to_vec(), Vec::new(), body);
        let (intake, store) = (app.wiring.intake(), app.wiring.store.clone());
        let (one, other, gatekeeper) = (
            tokio::spawn(async move { store.decide(&keyboard).await }),
            tokio::spawn(async move { intake.step(&delivery).await }),
            app.wiring.gatekeeper(),
        );
        // And the gate looks at the same time.
        let (one, other, looked) = tokio::join!(one, other, gatekeeper.step());
        let ann = one.expect("a task").expect("a decision").expect("an execution");
        other.expect("a task").expect("taken in");
        looked.expect("the gate is asked");
        app.settle_and_warp(3).await;
        let told = approvals(&app, &plan);
        assert_eq!(
            told.iter().filter(|t| t.0 == "resolved").count(),
            1,
            "{round}: {told:?}"
        );
        assert_eq!(told.len(), 2, "{round}: {told:?}");
        let launched = app
            .events("campaign.scheduled")
            .iter()
            .any(|e| e.data["plan_version"] == plan["plan_version"]);
        match (&ann, with_a_refusal) {
            // A refusal counts after an approval too, until the gate is open.
            (Decided::Recorded { .. }, true) => {
                let gate = app.execution(&plan).await.gate;
                assert_eq!(launched, gate == "open", "{round}: {gate}");
                assert!(gate == "open" || gate == "cancelled", "{round}: {gate}");
            }
            (Decided::Refused { why }, true) => {
                assert!(why.contains("bob refused it"), "{why}");
                assert!(!launched);
            }
            (Decided::Recorded { .. } | Decided::Already { .. }, false) => assert!(launched, "{round}"),
            (other, _) => panic!("{round}: {other:?}"),
        }
        assert_eq!(open(&app).await, 0, "{round}");
    }
    app.assert_no_duplicates().await;
    app.assert_audit_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_before_the_launch_wins_and_is_final_for_that_payload() {
    let app = careful().await;
    app.world(json!({ "assets": { "asset-img-001": "missing" } }))
        .await;
    let plan = plan("no.1");
    app.publish(&plan).await;
    app.settle().await;
    assert_eq!(open(&app).await, 2, "an approval and an asset");
    decide(&app, &at_the_keyboard(&app, &plan, true, "ann")).await;
    let why = already(decide(&app, &at_the_keyboard(&app, &plan, true, "cyd")).await);
    assert!(
        why.contains("ann approved it already") && why.contains("status no.1"),
        "{why}"
    );
    assert_eq!(
        decide(&app, &at_the_keyboard(&app, &plan, false, "bob")).await,
        Decided::Recorded { amends: false }
    );
    assert_eq!(open(&app).await, 0, "the asset is nobody's concern any more");
    let of = |kind: &str| {
        let events = app.events("execution.touchpoint").into_iter();
        events
            .filter(|e| e.data["kind"] == kind)
            .map(|e| e.data["state"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(of("missing_asset"), ["opened", "resolved"]);
    let why = refused(decide(&app, &at_the_keyboard(&app, &plan, true, "ann")).await);
    assert!(why.contains("bob refused it") && why.contains("publish"), "{why}");
    assert!(
        already(decide(&app, &at_the_keyboard(&app, &plan, false, "ann")).await)
            .contains("bob refused it already")
    );
    app.world(json!({ "assets": { "asset-img-001": "ready" } })).await;
    app.publish(&plan).await;
    app.settle_and_warp(2).await;
    assert_eq!(
        app.effects().await,
        0,
        "its message, come again, does not revive it"
    );
    let events = app.events("execution.touchpoint").len();
    // Another payload asks anew.
    let other = amended(&plan, 1);
    app.publish(&other).await;
    app.settle().await;
    assert_eq!(app.events("execution.touchpoint").len(), events + 1);
    decide(&app, &at_the_keyboard(&app, &plan, true, "ann")).await;
    app.settle().await;
    assert_eq!(app.legs(&plan).await["meta/prospecting"], "scheduled");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_about_an_older_payload_does_not_count_for_the_newer_one() {
    let app = careful().await;
    let plan = plan("old.1");
    app.publish(&plan).await;
    app.settle().await;
    let shown = app.events("execution.touchpoint")[0].data["payload_hash"].clone();
    let mut early = message(&plan, "approve", "ann");
    early["at"] = json!(plans::stamp(Duration::seconds(-30)));
    // The planner amends while the person's word is on its way.
    let other = amended(&plan, 1);
    app.publish(&other).await;
    app.settle().await;
    assert_eq!(
        approvals(&app, &plan),
        said(&[
            ("opened", "", ""),
            ("resolved", "amended", "planner@acme.example"),
            ("opened", "", "")
        ])
    );
    say(&app, &early).await;
    app.settle().await;
    assert!(reason_of_the_letter(&app).contains("amended after this was decided"));
    // At the keyboard the hash of what was shown says it.
    let mut keyboard = at_the_keyboard(&app, &plan, true, "ann");
    keyboard.shown = shown.as_str().map(str::to_owned);
    assert!(refused(decide(&app, &keyboard).await).contains("another payload by now"));
    let mut hashed = message(&plan, "approve", "ann");
    hashed["payload_hash"] = shown;
    say(&app, &hashed).await;
    app.settle().await;
    assert_eq!(app.events("execution.approval.dlq").len(), 2);
    assert_eq!(app.effects().await, 0);
    // The hash of the payload that is there counts, also from somebody whose clock is ahead.
    hashed["at"] = json!(plans::stamp(Duration::seconds(90)));
    let event = app.events("execution.touchpoint").pop().expect("an event");
    hashed["payload_hash"] = event.data["payload_hash"].clone();
    say(&app, &hashed).await;
    app.settle().await;
    assert_eq!(app.legs(&plan).await["meta/prospecting"], "scheduled");
    // The topic is set back, and meanwhile a third payload waits: a word that counted once does not count for it.
    app.publish(&amended(&plan, 2)).await;
    app.settle().await;
    let quiet = app.effects().await;
    for body in [&early, &hashed] {
        let mut body = body.clone();
        body.as_object_mut().expect("an object").remove("payload_hash");
        say(&app, &body).await;
    }
    app.settle_and_warp(2).await;
    assert_eq!(app.effects().await, quiet);
    assert_eq!(open(&app).await, 1, "the third payload still waits for a person");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_cancelled_rolled_back_or_superseded_asks_nobody_and_takes_no_approval() {
    let app = careful().await;
    let control = |plan: &Value, action: &str| {
        json!({ "tenant_id": "acme", "plan_id": plan["plan_id"], "plan_version": plan["plan_version"], "action": action,
            "by": "ops", "at": plans::moment(), "reason": "a test" })
        .to_string()
        .into_bytes()
    };
    for (action, how) in [("cancel", "cancelled"), ("rollback", "rolled_back")] {
        let plan = plan(&format!("gone.{action}"));
        app.publish(&plan).await;
        app.settle().await;
        app.deliver("execution.control", control(&plan, action)).await;
        app.settle().await;
        assert_eq!(
            approvals(&app, &plan),
            said(&[("opened", "", ""), ("resolved", how, "message:ops")])
        );
        let why = refused(decide(&app, &at_the_keyboard(&app, &plan, true, "ann")).await);
        assert!(why.contains("cancelled") && why.contains("publish"), "{why}");
        let refusal = decide(&app, &at_the_keyboard(&app, &plan, false, "ann")).await;
        assert!(already(refusal).contains("cancelled"));
    }
    // Launched, then rolled back while an amendment waits.
    let back = plan("gone.back");
    app.publish(&back).await;
    app.settle().await;
    decide(&app, &at_the_keyboard(&app, &back, true, "ann")).await;
    app.settle().await;
    app.publish(&amended(&back, 1)).await;
    app.settle().await;
    app.deliver("execution.control", control(&back, "rollback")).await;
    app.settle_and_warp(3).await;
    assert_eq!(
        approvals(&app, &back).last(),
        said(&[("resolved", "rolled_back", "message:ops")]).last()
    );
    let why = refused(decide(&app, &at_the_keyboard(&app, &back, true, "ann")).await);
    assert!(why.contains("rolled back, for good"), "{why}");
    // A newer version takes the place of one that still waits.
    let older = plan("line.1");
    app.publish(&older).await;
    app.settle().await;
    let mut newer = older.clone();
    newer["plan_version"] = json!("line.2");
    newer["supersedes"] = json!("line.1");
    app.publish(&newer).await;
    app.settle().await;
    decide(&app, &at_the_keyboard(&app, &newer, true, "ann")).await;
    app.settle().await;
    assert_eq!(
        approvals(&app, &older).last(),
        said(&[("resolved", "superseded", "service")]).last()
    );
    for approve in [true, false] {
        let why = refused(decide(&app, &at_the_keyboard(&app, &older, approve, "bob")).await);
        assert!(why.contains("line.2 has taken its place"), "{why}");
    }
    assert_eq!(open(&app).await, 0);
    app.assert_audit_whole().await;
}

/// A leg's own touchpoint outlives an amendment that does not mend it, and ends with the rollback.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_about_a_leg_ends_when_the_leg_does() {
    let app = App::start().await;
    app.world(json!({ "disapprove": ["*"] })).await;
    let mut running = plans::only(plans::running_plan("leg.1"), "meta");
    running["plan_id"] = json!("leg-1");
    app.publish(&running).await;
    app.settle_and_warp(8).await;
    assert_eq!(open(&app).await, 1);
    app.publish(&amended(&running, 1)).await;
    assert_eq!(
        open(&app).await,
        1,
        "an amendment that is on its way mends nothing yet"
    );
    app.settle_and_warp(8).await;
    let told: Vec<Value> = app
        .events("execution.touchpoint")
        .iter()
        .map(|e| e.data["state"].clone())
        .collect();
    assert_eq!(told, ["opened"]);
    run(&app, &["rollback", "leg.1", "--yes", "--reason", "enough"]).ok();
    app.settle_and_warp(5).await;
    let last = app.events("execution.touchpoint").pop().expect("an event").data;
    assert_eq!(
        (&last["state"], &last["resolution"]),
        (&json!("resolved"), &json!("rolled_back"))
    );
    assert_eq!(
        (&last["resolved_by"], &last["reason"]),
        (&json!("cli:tester"), &json!("enough"))
    );
    assert_eq!(open(&app).await, 0);
}

/// Another launch of the tenant came first: nobody needs to approve a second "first" launch.
#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_the_policy_no_longer_asks_is_taken_back() {
    let app = App::bare().await;
    app.onboard(|t| t["policy"]["launch_approval"] = json!("first_launch"))
        .await;
    let (one, two) = (plan("first.1"), plan("first.2"));
    for plan in [&one, &two] {
        app.publish(plan).await;
    }
    app.settle().await;
    assert_eq!(open(&app).await, 2);
    decide(&app, &at_the_keyboard(&app, &one, true, "ann")).await;
    app.settle().await;
    app.warp().await;
    app.settle().await;
    assert_eq!(
        approvals(&app, &two),
        said(&[("opened", "", ""), ("resolved", "not_needed", "service")])
    );
    assert_eq!(app.legs(&two).await["meta/prospecting"], "scheduled");
    assert_eq!(open(&app).await, 0);
}

/// The gate was being asked when the word came: what it finds does not know of it, and is void.
#[tokio::test(flavor = "multi_thread")]
async fn a_look_at_the_gate_that_began_before_the_decision_is_void() {
    let app = careful().await;
    let plan = plan("late.1");
    app.publish(&plan).await;
    app.settle().await;
    app.warp().await;
    let lease = std::time::Duration::from_secs(120);
    let leased = app.wiring.store.lease_gates(10, lease).await.expect("leased");
    decide(&app, &at_the_keyboard(&app, &plan, true, "ann")).await;
    let still_waits = GateResult::Closed {
        blocked: false,
        again_in: lease,
        messages: vec![],
        ask: Some("approve it".to_owned()),
    };
    let now = app.wiring.clock.stamp();
    let store = &app.wiring.store;
    let recorded = store
        .record_gate(&Composer, &leased[0], &[], still_waits, &now)
        .await;
    assert!(!recorded.expect("a look"), "void");
    app.settle().await;
    assert_eq!(
        app.legs(&plan).await["meta/prospecting"],
        "scheduled",
        "asked again at once"
    );
    assert_eq!(open(&app).await, 0);
}

/// A gate that is being looked at when the pause begins is asked at once when it ends, not two minutes later.
#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_pause_frees_what_waits_at_the_gate() {
    let app = App::start().await;
    let plan = plan("freed.1");
    app.publish(&plan).await;
    let lease = std::time::Duration::from_secs(120);
    let leased = app.wiring.store.lease_gates(10, lease).await.expect("leased");
    assert_eq!(leased.len(), 1, "somebody looks, and never comes back");
    run(&app, &["pause", "--tenant", "acme", "--yes"]).ok();
    app.settle().await;
    run(&app, &["unpause", "--tenant", "acme", "--yes"]).ok();
    app.settle().await;
    assert_eq!(app.legs(&plan).await["meta/prospecting"], "scheduled");
}

/// The real binary, the real broker: one approves at the keyboard while another's word is on the topic.
#[tokio::test(flavor = "multi_thread")]
async fn two_people_over_the_command_line_and_kafka() {
    let app = careful().await;
    make_topics(&app).await;
    let early = plan("real.0");
    let plan = plan("real.1");
    let publisher = Publisher::new(&app.wiring.bus).expect("a producer");
    let send = async |body: Value| {
        let key = format!("acme/{}", body["plan_id"].as_str().expect("a plan"));
        let message = Outgoing {
            topic: "execution.approval".to_owned(),
            headers: wire::cloud_event_headers(
                "execution.approval",
                &unique("a"),
                &key,
                &plans::stamp(Duration::zero()),
            ),
            key,
            payload: body.to_string().into_bytes(),
        };
        assert_eq!(publisher.publish(&[message]).await, [true]);
    };
    let patience = std::time::Duration::from_secs(60);
    let service = Service::start(&app, &[("LOG__LEVEL", "warn")]);
    // A word about a plan that has not come is kept where it can be seen, and is worth nothing until somebody says it again.
    send(message(&early, "approve", "bob")).await;
    let letters =
        "SELECT count(*) FROM outbox WHERE topic = 'execution.approval.dlq' AND published_at IS NOT NULL";
    wait_for(&app, letters, 1, patience).await;
    publish(&app, &[early, plan.clone()]).await;
    let asked = "SELECT count(*) FROM touchpoint WHERE kind = 'launch_approval' AND resolved_at IS NULL";
    wait_for(&app, asked, 2, patience).await;
    run(
        &app,
        &[
            "dlq",
            "redrive",
            "--all",
            "--topic",
            "execution.approval",
            "--yes",
        ],
    )
    .ok();
    wait_for(&app, asked, 1, patience).await;
    let keyboard = std::thread::scope(|scope| {
        let keyboard = scope.spawn(|| run(&app, &["approve", "real.1", "--yes", "--reason", "fine"]));
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(send(message(&plan, "approve", "bob")));
        });
        keyboard.join().expect("it ran")
    });
    keyboard.ok();
    let live = "SELECT count(*) FROM leg WHERE state = 'scheduled'";
    wait_for(&app, live, 2, patience).await;
    let late = run(&app, &["reject", "real.1", "--yes"]);
    assert_eq!(late.code, Some(4), "{late:?}");
    assert!(late.err.contains("`rollback real.1` takes it back"), "{late:?}");
    let again = run(&app, &["approve", "real.1", "--yes"]).ok();
    assert!(
        again.out.contains("nothing to do: it was launched already"),
        "{again:?}"
    );
    let resolved = "SELECT count(*) FROM outbox WHERE topic = 'execution.touchpoint' AND payload ->> 'state' = 'resolved'";
    wait_for(&app, resolved, 2, patience).await;
    let (_, code) = service.terminate();
    assert_eq!(code, Some(0));
    app.assert_no_duplicates().await;
    app.assert_audit_whole().await;
}
