//! A campaign that is on: what is added to it stays off until it was looked at, what review refuses of it is told, and it serves when
//! the platform says so.
//!
//! Must not name a platform.

use super::bench::{Bench, Leg};
use crate::support::plans;
use campaign_execution::domain::error::ErrorClass;
use campaign_execution::domain::manifest::Serving;
use campaign_execution::platform::{self, Eligibility, Goal, Reading};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The example's leg with a second ad of the same kind under this key, built.
async fn two_ads(bench: &Bench, version: &str) -> Leg {
    let mut plan = plans::only(plans::plan(version), bench.platform.name());
    add_ad(&mut plan["campaigns"][0]["ad_groups"][0], "another");
    let mut leg = bench.leg_of(plan).await;
    bench.reach(Goal::Built, &mut leg).await.expect("built");
    leg
}

fn add_ad(group: &mut Value, key: &str) {
    let ads = group["ads"].as_array_mut().expect("ads");
    let mut ad = ads[0].clone();
    ad["key"] = json!(key);
    // Some platforms tell ads apart by what they say.
    for field in ["/headlines/0", "/descriptions/0"] {
        if let Some(text) = ad.pointer_mut(field) {
            *text = json!("Only the second ad's");
        }
    }
    ads.push(ad);
}

fn on(reading: &Reading) -> BTreeSet<String> {
    let active = reading.objects.iter().filter(|o| o.serving == Serving::Active);
    active.map(|o| o.key.clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_child_of_a_live_campaign_is_on_before_it_was_read_back() {
    for platform in platform::all() {
        let name = platform.name();
        let bench = Bench::start(platform).await;
        let mut leg = bench.leg("grown.1").await;
        bench.reach(Goal::Built, &mut leg).await.expect("built");
        bench.reach(Goal::Active, &mut leg).await.expect("on");
        let before = on(&bench.read(&leg).await);
        // An ad beside the first, and an ad group with one of its own.
        let mut plan = plans::only(plans::plan("grown.1"), name);
        let groups = plan["campaigns"][0]["ad_groups"].as_array_mut().expect("groups");
        let mut second = groups[0].clone();
        second["key"] = json!("second");
        add_ad(&mut groups[0], "another");
        groups.push(second);
        let grown = bench.leg_of(plan).await;
        leg.spec = grown.spec;
        bench.desire(&mut leg);
        let wanted: BTreeSet<String> = leg
            .desired
            .iter()
            .filter(|d| d.switchable)
            .map(|d| d.key.clone())
            .collect();
        assert!(wanted.len() > before.len(), "{name}: {wanted:?}");
        loop {
            let ready = bench.next(Goal::Built, &leg);
            if ready.is_empty() {
                break;
            }
            for mutation in ready {
                bench.send(&mut leg, &mutation).await.expect("made");
                // After each call, not only at the end: nothing new was ever on.
                let seen = on(&bench.read(&leg).await);
                assert!(
                    seen.is_subset(&before),
                    "{name}: {seen:?} after {:?}",
                    mutation.objects
                );
            }
        }
        let reading = bench.read(&leg).await;
        assert_eq!(leg.differences(&reading), [] as [String; 0], "{name}");
        assert_eq!(on(&reading), before, "{name}: what was on is on");
        bench.reach(Goal::Active, &mut leg).await.expect("on");
        let reading = bench.read(&leg).await;
        assert_eq!(on(&reading), wanted, "{name}: and then all of it");
        assert_eq!(leg.differences(&reading), [] as [String; 0], "{name}");
        assert_eq!(bench.duplicates().await, [] as [String; 0], "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_disapproved_ad_is_told_and_keeps_the_others_from_nothing() {
    for platform in platform::all() {
        let name = platform.name();
        let bench = Bench::start(platform).await;
        let mut leg = two_ads(&bench, "partly.1").await;
        let well = bench.read(&leg).await;
        assert_eq!(
            (well.eligibility, well.finding),
            (Eligibility::Paused, None),
            "{name}"
        );
        // The second ad alone: by its key in its name, or by what it says.
        bench
            .world(&json!({ "disapprove": ["/another", "Only the second"] }))
            .await;
        let off = bench.read(&leg).await;
        assert_eq!(off.eligibility, Eligibility::Paused, "{name}: the first is fine");
        let finding = off.finding.expect("the finding");
        assert_eq!(finding.class, ErrorClass::Policy, "{name}: {finding:?}");
        assert!(
            finding.exemptible.is_some() || finding.platform_code.is_some(),
            "{name}: {finding:?}"
        );
        bench.reach(Goal::Active, &mut leg).await.expect("on");
        let reading = bench.read(&leg).await;
        let serves = matches!(reading.eligibility, Eligibility::Eligible | Eligibility::NotBegun);
        assert!(serves, "{name}: {:?}", reading.eligibility);
        assert!(reading.finding.is_some(), "{name}: it is told");
        // All of them.
        bench.world(&json!({ "disapprove": ["*"] })).await;
        let reading = bench.read(&leg).await;
        let Eligibility::Disapproved(error) = reading.eligibility else {
            panic!("{name}: {:?}", reading.eligibility)
        };
        assert_eq!(error.class, ErrorClass::Policy, "{name}");
        bench.world(&json!({ "disapprove": [] })).await;
        assert_eq!(bench.read(&leg).await.finding, None, "{name}");
    }
}

/// The platform's own clock decides, not ours: a flight that lies ahead there has not begun.
#[tokio::test(flavor = "multi_thread")]
async fn it_serves_when_its_flight_has_begun_on_the_platform() {
    let mut waited = Vec::new();
    for platform in platform::all() {
        let name = platform.name();
        let bench = Bench::start(platform).await;
        for (plan, days) in [(plans::plan("ahead.1"), 31), (plans::running_plan("now.1"), 2)] {
            let mut leg = bench.leg_of(plans::only(plan, name)).await;
            bench.reach(Goal::Built, &mut leg).await.expect("built");
            bench.reach(Goal::Active, &mut leg).await.expect("on");
            let reading = bench.read(&leg).await;
            if reading.eligibility == Eligibility::NotBegun {
                waited.push((name, days));
            } else {
                assert_eq!(reading.eligibility, Eligibility::Eligible, "{name}");
            }
            bench.world(&json!({ "clock_ahead_s": days * 86_400 })).await;
            let reading = bench.read(&leg).await;
            assert_eq!(
                reading.eligibility,
                Eligibility::Eligible,
                "{name}: its day has come"
            );
            bench.world(&json!({ "clock_ahead_s": 0 })).await;
        }
    }
    assert!(
        waited.iter().filter(|(_, days)| *days == 31).count() >= 3,
        "{waited:?}"
    );
    // DV360 begins nothing on the day on which it is made.
    assert_eq!(
        waited.iter().filter(|(_, days)| *days == 2).count(),
        1,
        "{waited:?}"
    );
}
