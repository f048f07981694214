//! What TikTok shows, as we read it: in the form in which it was desired, whatever the vendor makes of numbers and lists.

use super::super::reading::{Rows, facts, reading};
use super::super::review::review;
use super::*;
use crate::domain::error::ErrorClass;
use crate::domain::tracking;
use crate::platform::Eligibility;
use serde_json::Map;

/// A row as a `get` shows what was created, with a change.
fn row(mutation: &Mutation, of: usize, id: (&str, &str), more: Value) -> Value {
    let made = mutation
        .body
        .get("creatives")
        .map_or(&mutation.body, |all| &all[of]);
    let mut row = made.clone();
    row[id.0] = json!(id.1);
    row["create_time"] = json!("2026-11-26 03:00:00");
    for (field, value) in more.as_object().unwrap() {
        row[field] = value.clone();
    }
    row
}

fn rows(spec: &LegSpec) -> Rows {
    let sent = creations(spec);
    Rows {
        // The vendor's numbers have fractions, its lists their own order.
        campaign: Some(row(
            &sent[0],
            0,
            ("campaign_id", "100"),
            json!({ "budget": "80.050" }),
        )),
        ad_groups: vec![row(
            &sent[1],
            0,
            ("adgroup_id", "101"),
            json!({ "budget": "0.0" }),
        )],
        ads: vec![row(&sent[2], 0, ("ad_id", "102"), json!({ "adgroup_id": "101" }))],
        reviews: Map::new(),
        spend: Vec::new(),
    }
}

/// Everything that is wanted is there, as it should be.
fn holds(wanted: &Value, found: &Value) -> Result<(), String> {
    for (name, value) in wanted.as_object().unwrap() {
        if found.get(name) != Some(value) {
            return Err(format!("{name}: {value} ≠ {:?}", found.get(name)));
        }
    }
    Ok(())
}

#[test]
fn what_was_made_reads_as_it_was_desired() {
    for injected in [false, true] {
        let spec = spec_with(|c| {
            if injected {
                c["settings"]["tracking"] = json!("injected");
            }
        });
        let manifest = built(&spec);
        let seen = reading(&manifest, &rows(&spec));
        for (wanted, seen) in desired(&spec).iter().zip(&seen.objects) {
            assert_eq!(wanted.key, seen.key);
            assert_eq!(seen.serving, Serving::Paused);
            assert_eq!(holds(&wanted.fields, &seen.fields), Ok(()), "{}", wanted.key);
        }
        let rule = TikTok.traits().tracking;
        let mode = tracking::check(rule, seen.auto_tagging, "100", &seen.tracking).unwrap();
        assert_eq!(
            serde_json::to_value(mode).unwrap(),
            if injected { "utm_injected" } else { "utm_macro" }
        );
        assert_eq!(seen.spent, Some(false));
    }
}

#[test]
fn a_start_that_was_over_is_no_difference_and_one_that_was_moved_is() {
    let spec = spec();
    let manifest = built(&spec);
    let mut rows = rows(&spec);
    rows.ad_groups[0]["schedule_start_time"] = json!("2027-03-01 10:00:00");
    let at = |rows: &Rows| reading(&manifest, rows).objects[1].fields["schedule_start_time"].clone();
    assert_eq!(at(&rows), "2027-03-01 10:00:00");
    rows.ad_groups[0]["create_time"] = json!("2027-03-01 10:00:00");
    assert_eq!(
        at(&rows),
        "2027-02-28 23:00:00",
        "it starts now, as was asked for"
    );
}

#[test]
fn what_is_deleted_or_hangs_on_something_deleted_is_gone() {
    let spec = spec();
    let manifest = built(&spec);
    let keys = |rows: &Rows| {
        reading(&manifest, rows)
            .objects
            .into_iter()
            .map(|o| o.key)
            .collect::<Vec<_>>()
    };
    let mut rows = rows(&spec);
    rows.ads[0]["secondary_status"] = json!("AD_STATUS_ADGROUP_DELETE");
    rows.ad_groups[0]["operation_status"] = json!("DELETE");
    assert_eq!(keys(&rows), ["campaign"]);
    let reading = reading(&manifest, &rows);
    assert_eq!(reading.tracking, [], "what is gone is not clicked");
}

#[test]
fn spend_is_seen_whatever_digits_it_comes_in() {
    let spec = spec();
    let manifest = built(&spec);
    for (spend, spent) in [("0.00", false), ("0", false), ("0.01", true), ("1.0e2", true)] {
        let mut rows = rows(&spec);
        rows.spend = vec![json!({ "metrics": { "spend": spend } })];
        assert_eq!(reading(&manifest, &rows).spent, Some(spent), "{spend}");
    }
}

#[test]
fn a_missing_qualification_of_the_industry_is_a_matter_of_policy() {
    for (state, wanted) in [
        (
            "AD_STATUS_ADGROUP_INDUSTRY_QUALIFICATION_MISSING",
            ErrorClass::Policy,
        ),
        (
            "AD_STATUS_ADGROUP_INDUSTRY_QUALIFICATION_EXPIRED",
            ErrorClass::Policy,
        ),
        (
            "AD_STATUS_ADGROUP_INDUSTRY_QUALIFICATION_DENY",
            ErrorClass::Policy,
        ),
        ("AD_STATUS_PIXEL_UNBIND", ErrorClass::Validation),
    ] {
        let Eligibility::Disapproved(error) = judged(&[(state, Some("ALL_AVAILABLE"))], true) else {
            panic!("{state}: not delivered");
        };
        assert_eq!(error.class, wanted, "{state}");
    }
}

/// An ad in a state, with what review says of it.
fn judged(states: &[(&str, Option<&str>)], on: bool) -> Eligibility {
    let campaign = json!({ "operation_status": if on { "ENABLE" } else { "DISABLE" } });
    let mut reviews = Map::new();
    let mut ads = Vec::new();
    for (n, (state, review)) in states.iter().enumerate() {
        ads.push(json!({ "ad_id": n.to_string(), "ad_name": format!("ad {n}"), "secondary_status": state }));
        if let Some(status) = review {
            let refused = *status == "UNAVAILABLE";
            let why = json!([{ "reasons": ["Exaggerated"], "suggestion": "Tone it down." }]);
            reviews.insert(
                n.to_string(),
                json!({ "review_status": status, "appeal_status": "NOT_APPEALED",
                    "reject_info": if refused { why } else { json!([]) } }),
            );
        }
    }
    review(Some(&campaign), &ads, &reviews).0
}

#[test]
fn statuses_and_reviews_together_say_whether_it_serves() {
    let ok = Some("ALL_AVAILABLE");
    for state in ["AD_STATUS_DELIVERY_OK", "AD_STATUS_BUDGET_EXCEED"] {
        assert_eq!(judged(&[(state, ok)], true), Eligibility::Eligible, "{state}");
    }
    assert_eq!(
        judged(&[("AD_STATUS_NOT_START", ok)], true),
        Eligibility::NotBegun
    );
    assert_eq!(judged(&[("AD_STATUS_AUDIT", None)], true), Eligibility::InReview);
    assert_eq!(
        judged(&[("AD_STATUS_CAMPAIGN_DISABLE", ok)], false),
        Eligibility::Paused
    );
    assert_eq!(judged(&[], true), Eligibility::Paused);
    // The status of something that is off hides its review, and the review tells.
    let Eligibility::Disapproved(error) =
        judged(&[("AD_STATUS_CAMPAIGN_DISABLE", Some("UNAVAILABLE"))], false)
    else {
        panic!("a disapproval");
    };
    assert_eq!((error.class, error.exemptible), (ErrorClass::Policy, Some(true)));
    assert_eq!(
        error.platform_message.as_deref(),
        Some("Exaggerated; Tone it down.")
    );
    let Eligibility::Disapproved(error) = judged(&[("AD_STATUS_BALANCE_EXCEED", ok)], true) else {
        panic!("no money");
    };
    assert_eq!(error.alert_code.as_deref(), Some("PRE-TIKTOK-PAYER"));
    let Eligibility::Disapproved(error) = judged(&[("AD_STATUS_VIDEO_LOST", ok)], true) else {
        panic!("an issue");
    };
    assert_eq!(error.platform_code.as_deref(), Some("AD_STATUS_VIDEO_LOST"));
}

#[test]
fn the_account_says_whether_it_can_launch() {
    let told = |change: Value| {
        let mut info = json!({ "advertiser_id": "7001", "status": "STATUS_ENABLE", "currency": "EUR", "timezone": "Europe/Berlin",
            "balance": "5325.43" });
        for (field, value) in change.as_object().unwrap() {
            info[field] = value.clone();
        }
        facts(&json!({ "list": [{ "advertiser_id": "7" }, info] }), "7001")
    };
    let well = told(json!({})).unwrap();
    assert_eq!(well.problems, []);
    assert_eq!(
        well.spendable.map(|m| m.to_string()).as_deref(),
        Some("5325.43 EUR")
    );
    assert!(well.minimum_daily.is_some());
    for (change, class) in [
        (json!({ "status": "STATUS_DISABLE" }), ErrorClass::Account),
        (
            json!({ "status": "STATUS_LIMIT", "rejection_reason": "no" }),
            ErrorClass::Account,
        ),
        (json!({ "status": "STATUS_PENDING_CONFIRM" }), ErrorClass::Account),
        (json!({ "balance": 0 }), ErrorClass::Payer),
        (json!({ "balance": "-3.5" }), ErrorClass::Payer),
    ] {
        let facts = told(change.clone()).unwrap();
        assert_eq!(facts.problems.first().map(|p| p.class), Some(class), "{change}");
        assert!(!facts.problems[0].remedy.is_empty(), "{change}");
    }
    assert!(
        told(json!({ "advertiser_id": "8" })).is_err(),
        "another's account"
    );
    assert!(told(json!({ "currency": "euros" })).is_err());
}
