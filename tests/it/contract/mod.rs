//! What every platform must do, whatever it is: the port's promises, kept against the sandbox, one call at a time. No
//! database, no Kafka.
//!
//! Must not match on a platform: what cannot be said of all alike stands in `support/particulars`, and what only one has in a
//! file of its own (`meta.rs`).

mod bench;
mod catalogs;
mod channels;
mod dv360;
mod formats;
mod google_ads;
mod live;
mod meta;
mod tiktok;
mod uploads;

pub use channels::all as forms;

use crate::support::particulars;
use bench::Bench;
use campaign_execution::domain::error::ErrorClass;
use campaign_execution::domain::manifest::{ObjectState, RemoteObject, Serving};
use campaign_execution::domain::money::Money;
use campaign_execution::domain::tracking;
use campaign_execution::platform::{self, CallError, Goal, Op};
use serde_json::{Value, json};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a_leg_is_built_read_back_switched_on_and_off_and_removed() {
    for platform in platform::all() {
        let name = platform.name();
        let bench = Bench::start(platform).await;
        let mut leg = bench.leg("whole.1").await;
        bench.reach(Goal::Built, &mut leg).await.expect("built");
        assert_eq!(bench.next(Goal::Built, &leg), [], "{name}: built is built");
        let built = bench.read(&leg).await;
        assert_eq!(leg.differences(&built), [] as [String; 0], "{name}");
        assert!(
            built.objects.iter().all(|o| o.serving != Serving::Active),
            "{name}: everything is made paused"
        );
        let id = leg.manifest.campaign_id().expect("the campaign's id").to_owned();
        let rule = bench.platform.traits().tracking;
        let mode = tracking::check(rule, built.auto_tagging, &id, &built.tracking);
        assert!(mode.is_ok(), "{name}: {mode:?}");

        bench.reach(Goal::Active, &mut leg).await.expect("on");
        let active = bench.read(&leg).await;
        for wanted in leg.desired.iter().filter(|d| d.switchable) {
            let seen = active.objects.iter().find(|o| o.key == wanted.key);
            let seen = seen.expect("it is there");
            assert_eq!(seen.serving, Serving::Active, "{name} {}", wanted.key);
        }
        assert_eq!(
            leg.differences(&active),
            [] as [String; 0],
            "{name}: on is not changed"
        );

        bench.reach(Goal::Paused, &mut leg).await.expect("off");
        let paused = bench.read(&leg).await;
        let campaign = paused.objects.iter().find(|o| o.key == "campaign");
        assert_eq!(campaign.expect("the campaign").serving, Serving::Paused, "{name}");
        assert_eq!(paused.spent, Some(false), "{name}");

        let before = leg.manifest.clone();
        let removals = bench.reach(Goal::Removed, &mut leg).await.expect("removed");
        assert_eq!(leg.manifest.existing().count(), 0, "{name}: nothing is forgotten");
        leg.manifest = before;
        let left = bench.read(&leg).await;
        assert_eq!(left.objects, [], "{name}: nothing is left");
        for removal in removals {
            let again = bench.platform.execute(&bench.session, &removal).await;
            assert!(again.is_ok(), "{name}: already gone is success: {again:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lookup_finds_what_is_there_once_and_nothing_else() {
    for platform in platform::all() {
        let name = platform.name();
        let bench = Bench::start(platform).await;
        let mut leg = bench.leg("find.1").await;
        bench.reach(Goal::Built, &mut leg).await.expect("built");
        let keys: Vec<String> = leg.desired.iter().map(|d| d.key.clone()).collect();
        let found = bench.find(&leg, &keys).await;
        for wanted in &leg.desired {
            let ids: Vec<&str> = found
                .iter()
                .filter(|f| f.key == wanted.key)
                .map(|f| f.remote_id.as_str())
                .collect();
            let made = leg.manifest.id(&wanted.key).expect("an id");
            assert_eq!(ids, [made], "{name} {}", wanted.key);
        }
        // A name that ours begins with is not ours.
        let mut other = bench.leg("find.11").await;
        let reset = [json!({ "kind": "reset" })];
        let (_, lost) = bench.strike(&mut other, 0, &reset).await.expect("a call");
        assert!(lost.is_err(), "{name}: {lost:?}");
        let keys: Vec<String> = other.manifest.unresolved().map(|o| o.key.clone()).collect();
        assert_eq!(bench.find(&other, &keys).await, [], "{name}");
    }
}

/// Many legs are read by lists about all of them, each gets what it would be told alone, and it takes hardly more calls than
/// one leg does.
#[tokio::test(flavor = "multi_thread")]
async fn many_legs_are_read_together_and_each_is_told_its_own() {
    const LEGS: usize = 8;
    for platform in platform::all() {
        let name = platform.name();
        let bench = Bench::start(platform).await;
        let mut legs = Vec::new();
        for n in 0..LEGS {
            let mut leg = bench.leg(&format!("many.{n}")).await;
            bench.reach(Goal::Built, &mut leg).await.expect("built");
            legs.push(leg);
        }
        bench.reach(Goal::Active, &mut legs[1]).await.expect("on");
        let before = legs[2].manifest.clone();
        bench.reach(Goal::Removed, &mut legs[2]).await.expect("removed");
        legs[2].manifest = before;
        let not_made = bench.leg("many.none").await;
        legs.push(not_made);

        let mut alone = Vec::new();
        let mut most = 0;
        for leg in &legs {
            let so_far = bench.requests().await.len();
            alone.push(bench.read(leg).await);
            most = most.max(bench.requests().await.len() - so_far);
        }
        let so_far = bench.requests().await.len();
        let manifests: Vec<_> = legs.iter().map(|leg| &leg.manifest).collect();
        let together = bench.platform.read_all(&bench.session, &manifests).await;
        let together = together.expect("all of them");
        let calls = bench.requests().await.len() - so_far;
        assert_eq!(together.len(), legs.len(), "{name}");
        for (n, (one, all)) in alone.iter().zip(&together).enumerate() {
            assert_eq!(format!("{one:?}"), format!("{all:?}"), "{name}, leg {n}");
        }
        assert!(
            together[0].objects.len() > 2,
            "{name}: there is something to tell"
        );
        assert_eq!(together[2].objects, [], "{name}: removed");
        // What lists do not show any more (a removed campaign) may be asked for by its id.
        assert!(
            calls <= 2 * most,
            "{name}: {calls} calls for {LEGS} legs, {most} for one"
        );
    }
}

/// Every way to lose a call, and whether it had its effect.
pub fn losses() -> Vec<(&'static str, Value, bool)> {
    vec![
        (
            "reset before",
            json!({ "kind": "reset", "effect": "before" }),
            false,
        ),
        ("reset after", json!({ "kind": "reset", "effect": "after" }), true),
        (
            "silence before",
            json!({ "kind": "silence_before", "latency_ms": 20 }),
            false,
        ),
        (
            "silence after",
            json!({ "kind": "silence_after", "latency_ms": 20 }),
            true,
        ),
        ("cut", json!({ "kind": "cut" }), true),
        (
            "500 before",
            json!({ "status": 500, "body": "", "effect": "before" }),
            false,
        ),
        (
            "500 after",
            json!({ "status": 500, "body": "", "effect": "after" }),
            true,
        ),
        (
            "503 after, a proxy's page",
            json!({ "status": 503, "body": "<html>", "effect": "after" }),
            true,
        ),
        (
            "200, no JSON",
            json!({ "status": 200, "body": "<html>hello", "effect": "after" }),
            true,
        ),
        (
            "200, no id",
            json!({ "status": 200, "body": {}, "effect": "after" }),
            true,
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_call_is_unclear_and_a_lookup_tells_what_it_did() {
    for platform in platform::all() {
        let name = platform.name();
        for (loss, fault, effect) in losses() {
            let bench = Bench::start(platform.clone()).await;
            let mut struck = 0;
            loop {
                let what = format!("{name}, creation {struck}: {loss}");
                let mut leg = bench.leg(&format!("loss.{struck}")).await;
                let faults = std::slice::from_ref(&fault);
                let Some((mutation, outcome)) = bench.strike(&mut leg, struck, faults).await else {
                    break;
                };
                assert!(
                    matches!(outcome, Err(CallError::Unclear { .. })),
                    "{what}: {outcome:?}"
                );
                let found = bench.find(&leg, &mutation.objects).await;
                for key in &mutation.objects {
                    let times = found.iter().filter(|f| f.key == *key).count();
                    assert_eq!(times, usize::from(effect), "{what}: {key}");
                }
                leg.adopt(&found);
                bench.reach(Goal::Built, &mut leg).await.expect("built");
                let reading = bench.read(&leg).await;
                assert_eq!(leg.differences(&reading), [] as [String; 0], "{what}");
                struck += 1;
            }
            assert!(struck > 0, "{name}: nothing is created");
            assert_eq!(bench.duplicates().await, [] as [String; 0], "{name}: {loss}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_shows_late_is_found_when_it_shows() {
    for platform in platform::all() {
        let name = platform.name();
        let bench = Bench::start(platform).await;
        let mut leg = bench.leg("late.1").await;
        let faults = [
            json!({ "kind": "late_visibility", "late_visibility_ms": 400 }),
            json!({ "kind": "reset", "effect": "after" }),
        ];
        let (mutation, _) = bench.strike(&mut leg, 0, &faults).await.expect("a call");
        assert_eq!(bench.find(&leg, &mutation.objects).await, [], "{name}: not yet");
        tokio::time::sleep(Duration::from_millis(450)).await;
        let found = bench.find(&leg, &mutation.objects).await;
        assert_eq!(found.len(), mutation.objects.len(), "{name}");
    }
}

/// Where a platform lets two objects bear one name, a look-up shows both, and one of them can be removed.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_with_one_name_both_are_found_and_one_can_go() {
    for platform in platform::all() {
        let name = platform.name();
        let bench = Bench::start(platform).await;
        let mut leg = bench.leg("twice.1").await;
        let first = bench.next(Goal::Built, &leg).remove(0);
        bench.send(&mut leg, &first).await.expect("made");
        let again = bench.platform.execute(&bench.session, &first).await;
        let found = bench.find(&leg, &["campaign".to_owned()]).await;
        match again {
            Ok(_) => assert_eq!(found.len(), 2, "{name}: both"),
            // Names are unique here, and the platform says so.
            Err(CallError::Refused(_) | CallError::Unclear { .. }) => assert_eq!(found.len(), 1, "{name}"),
            Err(error @ CallError::Unavailable { .. }) => panic!("{name}: {error:?}"),
        }
        let kept = leg.manifest.campaign_id().expect("the first").to_owned();
        for surplus in found.iter().filter(|f| f.remote_id != kept) {
            assert_eq!(surplus.serving, Serving::Paused, "{name}: made paused");
            let removal = bench
                .platform
                .removal("campaign", &surplus.remote_id, &bench.session.account);
            let removed = bench.platform.execute(&bench.session, &removal).await;
            assert!(removed.is_ok(), "{name}: {removed:?}");
        }
        let left = bench.find(&leg, &["campaign".to_owned()]).await;
        let ids: Vec<&str> = left.iter().map(|f| f.remote_id.as_str()).collect();
        assert_eq!(ids, [kept], "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_that_is_too_low_is_refused_as_such_and_leaves_nothing() {
    for platform in platform::all() {
        let name = platform.name();
        let bench = Bench::start(platform).await;
        let mut leg = bench.leg("low.1").await;
        bench.world(&particulars::of(name).floor).await;
        let refused = bench.reach(Goal::Built, &mut leg).await;
        let Err(CallError::Refused(error)) = refused else {
            panic!("{name}: {refused:?}");
        };
        assert_eq!(error.class, ErrorClass::Budget, "{name}: {error:?}");
        assert!(error.platform_code.is_some(), "{name}: {error:?}");
        assert!(!error.remedy.is_empty(), "{name}");
        let made: Vec<&str> = leg.manifest.objects.iter().map(|o| o.key.as_str()).collect();
        assert_eq!(
            made,
            particulars::of(name).before_the_budget,
            "{name}: no more was made"
        );
        let off = |o: &RemoteObject| o.serving != Serving::Active;
        assert!(leg.manifest.objects.iter().all(off), "{name}");
        bench.reach(Goal::Removed, &mut leg).await.expect("removed");
        assert_eq!(leg.manifest.existing().count(), 0, "{name}: nothing is left");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throttle_changes_nothing_and_says_when_to_come_back() {
    for platform in platform::all() {
        let name = platform.name();
        let bench = Bench::start(platform).await;
        let (own, hint) = particulars::of(name).throttle;
        let cases = [(json!({ "status": 429, "body": "" }), None), (own, Some(hint))];
        for (n, (fault, hint)) in cases.into_iter().enumerate() {
            let mut leg = bench.leg(&format!("throttle.{n}")).await;
            let (_, outcome) = bench
                .strike(&mut leg, 0, std::slice::from_ref(&fault))
                .await
                .expect("a call");
            let Err(CallError::Unavailable { after, .. }) = outcome else {
                panic!("{name} {fault}: {outcome:?}");
            };
            if let Some(hint) = hint {
                assert_eq!(after, Some(hint), "{name} {fault}");
            }
            bench.reach(Goal::Built, &mut leg).await.expect("later it works");
        }
        assert_eq!(bench.duplicates().await, [] as [String; 0], "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_is_no_success_whatever_its_status() {
    for platform in platform::all() {
        let name = platform.name();
        let bench = Bench::start(platform).await;
        let mut leg = bench.leg("inside.1").await;
        let fault = json!({ "status": 200, "body": particulars::of(name).refusal_in_200 });
        let (_, outcome) = bench.strike(&mut leg, 0, &[fault]).await.expect("a call");
        assert!(
            matches!(outcome, Err(CallError::Refused(_) | CallError::Unclear { .. })),
            "{name}: {outcome:?}"
        );
    }
}

/// A token that has run out may be renewed first ("later"); a credential that is revoked ends as what it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_dead_credential_is_an_auth_refusal_for_reads_and_writes() {
    for platform in platform::all() {
        let name = platform.name();
        let bench = Bench::start(platform).await;
        let mut leg = bench.leg("auth.1").await;
        bench
            .world(&json!({ "revoke": ["*"], "token_expired": { name: 1_000 } }))
            .await;
        let mut tries = 0;
        let written = loop {
            match bench.reach(Goal::Built, &mut leg).await {
                Err(CallError::Unavailable { .. }) if tries < 10 => tries += 1,
                end => break end,
            }
        };
        assert!(
            matches!(&written, Err(CallError::Refused(e)) if e.class == ErrorClass::Auth),
            "{name}: {written:?}"
        );
        let probed = bench.platform.probe(&bench.session).await;
        assert!(
            matches!(&probed, Err(CallError::Refused(e)) if e.class == ErrorClass::Auth),
            "{name}: {probed:?}"
        );
        assert_eq!(leg.manifest.objects, [], "{name}: nothing was made");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_changed_is_sent_and_the_same_again_is_nothing() {
    for platform in platform::all() {
        let name = platform.name();
        let bench = Bench::start(platform).await;
        let mut leg = bench.leg("diff.1").await;
        bench.reach(Goal::Built, &mut leg).await.expect("built");
        let budget = &mut leg.spec.campaign.budget.amount;
        *budget = Money::from_micros(budget.micros + 10_000_000, budget.currency);
        bench.desire(&mut leg);
        let sent = bench.reach(Goal::Built, &mut leg).await.expect("changed");
        assert_eq!(sent.len(), 1, "{name}: {sent:?}");
        assert!(matches!(sent[0].op, Op::Update { .. }), "{name}: {sent:?}");
        let reading = bench.read(&leg).await;
        assert_eq!(leg.differences(&reading), [] as [String; 0], "{name}");
        // Another text cannot always be changed in place; either way it ends as desired, with nothing twice.
        let ad = &mut leg.spec.campaign.ad_groups[0].ads[0];
        match ad.descriptions.first_mut() {
            Some(text) => *text = "Another text.".to_owned(),
            None => ad.primary_text = Some("Another text.".to_owned()),
        }
        bench.desire(&mut leg);
        bench.reach(Goal::Built, &mut leg).await.expect("changed");
        assert_eq!(bench.next(Goal::Built, &leg), [], "{name}");
        let reading = bench.read(&leg).await;
        assert_eq!(leg.differences(&reading), [] as [String; 0], "{name}");
        assert_eq!(bench.duplicates().await, [] as [String; 0], "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_intended_is_not_named_and_secrets_are_nowhere() {
    for platform in platform::all() {
        let name = platform.name();
        let bench = Bench::start(platform).await;
        let mut leg = bench.leg("quiet.1").await;
        let sent = bench.reach(Goal::Built, &mut leg).await.expect("built");
        for object in &mut leg.manifest.objects {
            object.state = ObjectState::Intended;
        }
        for goal in [Goal::Built, Goal::Active, Goal::Paused, Goal::Removed] {
            assert_eq!(bench.next(goal, &leg), [], "{name} {goal:?}");
        }
        for mutation in &sent {
            let text = serde_json::to_string(mutation).expect("JSON");
            assert!(!secret(&text), "{name}: {text}");
        }
        for request in bench.requests().await {
            let url = format!("{} {}", request["path"], request["query"]);
            assert!(!secret(&url), "{name}: a secret in a URL: {url}");
        }
    }
}

fn secret(text: &str) -> bool {
    [
        "sandbox-meta-token",
        "sandbox-meta-secret",
        "sandbox-tiktok-token",
        "canary",
        "access_token",
    ]
    .iter()
    .any(|s| text.contains(s))
}
