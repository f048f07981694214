//! What DV360 shows, and what it comes to: objects in normal form, tracking, review, what may have spent.

use super::super::mapping::{KINDS, place, put, vendor_value};
use super::super::reading::{Rows, facts, found, found_targeting, reading};
use super::{KEY, NAME, built, day, desired, spec};
use crate::domain::error::ErrorClass;
use crate::domain::manifest::{Manifest, ObjectState, RemoteObject, Serving};
use crate::domain::money::Money;
use crate::domain::plan::Period;
use crate::platform::Eligibility;
use serde_json::{Map, Value, json};

/// What DV360 would show of a leg that was built from these bodies.
fn shown_by(manifest: &Manifest) -> Rows {
    let row = |object: &RemoteObject, id: &str| {
        let fields: &Map<String, Value> = object.applied.as_object().unwrap();
        let mut row = json!({ "entityStatus": "ENTITY_STATUS_DRAFT", id: object.remote_id });
        for name in fields.keys() {
            if let Some(at) = place(&object.kind, name) {
                let ids = |key: &str| manifest.id(key).map(str::to_owned);
                let value = vendor_value(&object.kind, name, fields, &ids).unwrap();
                put(&mut row, at, value);
            }
        }
        row
    };
    let mut rows = Rows::default();
    for object in &manifest.objects {
        match object.kind.as_str() {
            "campaign" => {
                let mut head = row(object, "campaignId");
                head["entityStatus"] = json!("ENTITY_STATUS_PAUSED");
                rows.campaign = Some(head);
            }
            "insertion_order" => rows.orders.push(row(object, "insertionOrderId")),
            "line_item" => rows.lines.push(row(object, "lineItemId")),
            "creative" => {
                let mut creative = row(object, "creativeId");
                creative["entityStatus"] = json!("ENTITY_STATUS_ACTIVE");
                creative["reviewStatus"] = json!({ "approvalStatus": "APPROVAL_STATUS_APPROVED_SERVABLE" });
                rows.creatives.push(creative);
            }
            _ => {
                for id in object.applied["geo"].as_array().unwrap() {
                    rows.targeting.push(
                        json!({ "lineItemId": object.remote_id, "assignedTargetingOption": {
                        "targetingType": "TARGETING_TYPE_GEO_REGION", "assignedTargetingOptionId": id,
                        "inheritance": "NOT_INHERITED", "geoRegionDetails": { "targetingOptionId": id } } }),
                    );
                }
            }
        }
    }
    rows
}

#[test]
fn what_is_read_is_what_was_desired() {
    let spec = spec();
    let manifest = built(&spec);
    let rows = shown_by(&manifest);
    let reading = reading(&manifest, &rows);
    for wanted in desired(&spec) {
        let seen = reading.objects.iter().find(|o| o.key == wanted.key).unwrap();
        for (name, value) in wanted.fields.as_object().unwrap() {
            assert_eq!(seen.fields.get(name), Some(value), "{}.{name}", wanted.key);
        }
        assert_ne!(seen.serving, Serving::Active);
    }
    assert_eq!(reading.spent, Some(false), "drafts never spent");
    assert_eq!(reading.eligibility, Eligibility::Paused);
    let urls: Vec<&str> = reading.tracking.iter().map(|o| o.value.as_str()).collect();
    assert_eq!(urls, ["https://shop.acme.example/spring"]);
}

#[test]
fn a_first_day_that_was_moved_is_the_plans_own() {
    let spec = spec();
    let manifest = built(&spec);
    let mut rows = shown_by(&manifest);
    let order = &mut rows.orders[0];
    order["budget"]["budgetSegments"][0]["dateRange"]["startDate"] = day(2027, 3, 4);
    let start = |rows: &Rows| reading(&manifest, rows).objects[1].fields["start"].clone();
    assert_eq!(start(&rows), day(2027, 3, 4), "somebody moved it");
    rows.orders[0]["integrationDetails"]["details"] =
        json!("start moved from 2027-03-01 to 2027-03-04: it was over when this was sent");
    assert_eq!(start(&rows), day(2027, 3, 1), "we did");
}

#[test]
fn what_may_have_spent_is_not_said_not_to_have() {
    let spec = spec();
    let manifest = built(&spec);
    let mut rows = shown_by(&manifest);
    rows.lines[0]["entityStatus"] = json!("ENTITY_STATUS_ACTIVE");
    assert_eq!(reading(&manifest, &rows).spent, None);
    rows.lines[0]["warningMessages"] = json!(["PENDING_FLIGHT"]);
    assert_eq!(reading(&manifest, &rows).spent, Some(false));
    rows.campaign = None;
    assert_eq!(reading(&manifest, &rows).spent, None, "nobody can tell any more");
}

#[test]
fn a_line_item_that_is_no_longer_shown_may_have_spent() {
    let spec = spec();
    let manifest = built(&spec);
    let mut archived = manifest.clone();
    let line = archived
        .objects
        .iter_mut()
        .find(|o| o.kind == "line_item")
        .unwrap();
    let mut gone = line.clone();
    line.remote_id = Some("77".to_owned());
    gone.key = "line_item/earlier".to_owned();
    gone.state = ObjectState::Removed;
    let mut rows = shown_by(&archived);
    assert_eq!(reading(&archived, &rows).spent, Some(false), "a draft");
    archived.objects.push(gone);
    assert_eq!(
        reading(&archived, &rows).spent,
        None,
        "the one before it, archived since"
    );
    rows.lines.clear();
    assert_eq!(
        reading(&manifest, &rows).spent,
        None,
        "nothing is shown of what was made"
    );
    let mut begun = manifest.clone();
    begun
        .objects
        .retain(|o| o.kind != "line_item" && o.kind != "targeting");
    assert_eq!(reading(&begun, &rows).spent, Some(false), "none was ever made");
}

#[test]
fn without_a_valid_creative_it_is_not_live() {
    let spec = spec();
    let manifest = built(&spec);
    let mut rows = shown_by(&manifest);
    let all = rows
        .campaign
        .iter_mut()
        .chain(&mut rows.orders)
        .chain(&mut rows.lines);
    all.for_each(|row| row["entityStatus"] = json!("ENTITY_STATUS_ACTIVE"));
    assert_eq!(reading(&manifest, &rows).eligibility, Eligibility::Eligible);
    for line in &mut rows.lines {
        line["warningMessages"] = json!(["PENDING_FLIGHT", "NO_VALID_CREATIVE"]);
    }
    assert_eq!(reading(&manifest, &rows).eligibility, Eligibility::InReview);
    let mut other = rows.lines[0].clone();
    other["lineItemId"] = json!("another");
    other["warningMessages"] = json!([]);
    rows.lines.push(other);
    assert_eq!(
        reading(&manifest, &rows).eligibility,
        Eligibility::Eligible,
        "one can serve"
    );
}

#[test]
fn targeting_of_which_only_a_part_was_assigned_is_not_adopted() {
    let spec = spec();
    let manifest = built(&spec);
    let object = manifest.objects.iter().find(|o| o.kind == "targeting").unwrap();
    let line = object.remote_id.as_deref().unwrap();
    let mut rows = shown_by(&manifest).targeting;
    assert!(found_targeting(object, line, &rows).is_some());
    assert!(rows.len() > 1, "the example addresses two countries");
    rows.pop();
    assert_eq!(found_targeting(object, line, &rows), None);
}

#[test]
fn review_decides_once_it_is_switched_on_and_a_rejection_before() {
    let spec = spec();
    let manifest = built(&spec);
    let with = |approval: &str, on: bool| {
        let mut rows = shown_by(&manifest);
        rows.creatives[0]["reviewStatus"]["approvalStatus"] = json!(format!("APPROVAL_STATUS_{approval}"));
        if on {
            let all = rows
                .campaign
                .iter_mut()
                .chain(&mut rows.orders)
                .chain(&mut rows.lines);
            all.for_each(|row| row["entityStatus"] = json!("ENTITY_STATUS_ACTIVE"));
        }
        rows
    };
    let of = |rows: &Rows| reading(&manifest, rows).eligibility;
    assert_eq!(of(&with("PENDING_NOT_SERVABLE", false)), Eligibility::Paused);
    assert_eq!(of(&with("PENDING_NOT_SERVABLE", true)), Eligibility::InReview);
    assert_eq!(of(&with("PENDING_SERVABLE", true)), Eligibility::Eligible);
    assert_eq!(of(&with("APPROVED_SERVABLE", true)), Eligibility::Eligible);
    for on in [false, true] {
        let Eligibility::Disapproved(finding) = of(&with("REJECTED_NOT_SERVABLE", on)) else {
            panic!("it is rejected");
        };
        assert_eq!(finding.class, ErrorClass::Policy);
    }
    let mut blocked = with("APPROVED_SERVABLE", true);
    blocked.lines[0]["warningMessages"] = json!(["INVALID_INVENTORY_SOURCE"]);
    assert!(matches!(of(&blocked), Eligibility::Disapproved(e) if e.class == ErrorClass::Validation));
}

#[test]
fn a_lookup_takes_exact_names_and_our_own_key_only() {
    let spec = spec();
    let manifest = built(&spec);
    let line = manifest.get("line_item/premium-news").unwrap();
    let name = format!("{NAME}/premium-news");
    let row = |name: &str, code: &str| {
        json!({ "lineItemId": "7", "displayName": name, "entityStatus": "ENTITY_STATUS_DRAFT",
            "integrationDetails": { "integrationCode": code } })
    };
    let kind = &KINDS[2];
    let ours = format!("{KEY}/line_item/premium-news");
    assert!(found(&row(&name, &ours), kind, &[line]).is_some());
    assert!(found(&row(&name, ""), kind, &[line]).is_some());
    assert!(found(&row(&name, "another-leg"), kind, &[line]).is_none());
    assert!(found(&row(&format!("{name}1"), &ours), kind, &[line]).is_none());
    assert!(found(&row(&name.to_uppercase(), &ours), kind, &[line]).is_none());
    assert_eq!(
        found(&row(&name, &ours), kind, &[line]).unwrap().spent,
        Some(false)
    );
}

#[test]
fn an_advertiser_that_cannot_launch_says_why() {
    let good = json!({ "entityStatus": "ENTITY_STATUS_ACTIVE",
        "generalConfig": { "currencyCode": "EUR", "timeZone": "Europe/Berlin" },
        "billingConfig": { "billingProfileId": "1" } });
    let known = facts(&good).unwrap();
    assert_eq!(known.problems, []);
    assert_eq!(known.timezone, chrono_tz::Europe::Berlin);
    let mut bad = good.clone();
    bad["billingConfig"] = json!({});
    bad["entityStatus"] = json!("ENTITY_STATUS_SCHEDULED_FOR_DELETION");
    let problems = facts(&bad).unwrap().problems;
    assert_eq!(problems[0].class, ErrorClass::Account);
    assert_eq!(problems[1].alert_code.as_deref(), Some("PRE-DV360-PAYER"));
    assert_eq!(problems[1].route.as_deref(), Some("agency_master"));
    for broken in ["/generalConfig/currencyCode", "/generalConfig/timeZone"] {
        let mut odd = good.clone();
        *odd.pointer_mut(broken).unwrap() = json!("?");
        assert!(facts(&odd).is_err(), "{broken}");
    }
}

#[test]
fn a_daily_budget_is_a_daily_maximum_within_that_of_all_days() {
    let mut spec = spec();
    spec.campaign.budget.period = Period::Daily;
    spec.campaign.budget.amount = Money::parse("100.00", super::eur()).unwrap();
    let order = desired(&spec).remove(1).fields;
    assert_eq!(order["amount"], "3100000000", "31 days");
    assert_eq!(
        order["pacing"],
        json!({ "pacingPeriod": "PACING_PERIOD_DAILY", "pacingType": "PACING_TYPE_EVEN", "dailyMaxMicros": "100000000" })
    );
    // The platform may round it to what it bills; that is no drift.
    let manifest = built(&spec);
    for (shown, same) in [("100000000", true), ("99990000", false), ("90000000", false)] {
        let mut rows = shown_by(&manifest);
        rows.orders[0]["pacing"]["dailyMaxMicros"] = json!(shown);
        let pacing = &reading(&manifest, &rows).objects[1].fields["pacing"];
        assert_eq!(pacing["dailyMaxMicros"] == "100000000", same, "{shown}");
    }
    let mut odd = manifest.clone();
    odd.objects[1].applied["pacing"]["dailyMaxMicros"] = json!("10257770");
    for shown in ["10250000", "10257000", "10000000"] {
        let mut rows = shown_by(&odd);
        rows.orders[0]["pacing"]["dailyMaxMicros"] = json!(shown);
        let pacing = &reading(&odd, &rows).objects[1].fields["pacing"];
        assert_eq!(
            pacing["dailyMaxMicros"], "10257770",
            "{shown} is 10257770, rounded"
        );
    }
}
