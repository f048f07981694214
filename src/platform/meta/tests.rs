//! The contract's example plan as Meta sees it, and every step towards every goal.

mod formats;
mod labels;

pub(in crate::platform) use formats::samples;

use super::reading::{self, Rows};
use super::{Meta, mapping, mutations};
use crate::domain::error::ErrorClass;
use crate::domain::manifest::{Desired, Manifest, ObjectState, RemoteObject, Serving};
use crate::domain::spec::{Asset, LegSpec, leg_specs};
use crate::domain::tenant::Account;
use crate::domain::tracking;
use crate::platform::{Eligibility, Goal, Mutation, Op, Platform};
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub(super) fn spec() -> LegSpec {
    let plan: Value = serde_json::from_str(include_str!("../../../schemas/examples/plan.approved.json"))
        .expect("the example");
    let mut spec = example(&plan);
    let refs = BTreeMap::from([(
        "meta".to_owned(),
        BTreeMap::from([("image_hash".to_owned(), "abc123".to_owned())]),
    )]);
    spec.assets.insert(
        "asset-img-001".to_owned(),
        Asset {
            asset_id: "asset-img-001".to_owned(),
            kind: "image".to_owned(),
            width: Some(1200),
            height: Some(628),
            sha256: None,
            mime_type: None,
            bytes: None,
            url: None,
            platform_refs: refs,
        },
    );
    spec
}

/// The example's Meta leg, read without the wire (a platform may not see it).
fn example(plan: &Value) -> LegSpec {
    use crate::domain::ids::{PlanId, PlanVersion, TenantId};
    use crate::domain::money::{Currency, Money};
    use crate::domain::plan::{Launch, Order, Plan, Tracking};
    let mut campaign = plan["campaigns"][1].clone();
    let currency = Currency::parse("EUR").expect("EUR");
    campaign["budget"]["amount"] = json!(Money::parse("120.00", currency).expect("money"));
    campaign["schedule"] = json!({ "start": "2027-02-28T23:00:00Z", "end": "2027-03-31T21:59:59Z" });
    campaign["crm"] = json!({ "kcid": "SKU 1/2", "kpv": null });
    for group in campaign["ad_groups"].as_array_mut().expect("groups") {
        group["keywords"] = json!([]);
        group["negative_keywords"] = json!([]);
        for ad in group["ads"].as_array_mut().expect("ads") {
            ad["descriptions"] = json!([]);
            ad["landing_url"] = json!("https://shop.acme.example/spring?ref=a%20b&utm_source=old");
        }
    }
    let plan = Plan {
        tenant_id: TenantId::parse("acme").expect("id"),
        plan_id: PlanId::parse("spring").expect("id"),
        plan_version: PlanVersion::parse("spring.3").expect("id"),
        supersedes: None,
        status: "approved".to_owned(),
        approved_at: "2026-11-20T09:30:00Z".parse().expect("a time"),
        approved_by: "p".to_owned(),
        currency,
        timezone: chrono_tz::Europe::Berlin,
        launch: Launch {
            atomic: false,
            order: Order::Parallel,
        },
        tracking: Tracking {
            ga4_property: "properties/1".to_owned(),
            key_events: Vec::new(),
        },
        catalog: None,
        campaigns: vec![serde_json::from_value(campaign).expect("a campaign")],
    };
    leg_specs(&plan, "does_not_contain").remove(0)
}

fn account() -> Account {
    serde_json::from_value(json!({ "account_id": "act_42", "status": "active", "credential": "c" }))
        .expect("an account")
}

fn manifest(spec: &LegSpec) -> Manifest {
    Manifest {
        leg: spec.key.clone(),
        account_id: "act_42".to_owned(),
        campaign_name: spec.campaign_name.clone(),
        revision: 0,
        mutation_count: 0,
        tracking_mode: None,
        objects: Vec::new(),
    }
}

fn made(desired: &Desired, id: &str, serving: Serving) -> RemoteObject {
    RemoteObject {
        state: ObjectState::Created,
        remote_id: Some(id.to_owned()),
        serving: if desired.switchable {
            serving
        } else {
            Serving::None
        },
        ..RemoteObject::intended(desired)
    }
}

fn all_made(spec: &LegSpec, serving: Serving) -> (Vec<Desired>, Manifest) {
    let desired = mapping::desire(spec).expect("desired");
    let mut manifest = manifest(spec);
    manifest.objects = desired
        .iter()
        .enumerate()
        .map(|(i, d)| made(d, &(100 + i).to_string(), serving))
        .collect();
    (desired, manifest)
}

fn keys(mutations: &[Mutation]) -> Vec<&str> {
    mutations
        .iter()
        .flat_map(|m| &m.objects)
        .map(String::as_str)
        .collect()
}

#[test]
fn the_example_is_fine_and_asks_for_what_meta_wants() {
    let spec = spec();
    assert_eq!(Meta.check(&spec), []);
    let desired = mapping::desire(&spec).expect("desired");
    let campaign = &desired[0].fields;
    assert_eq!(campaign["daily_budget"], json!(12_000), "minor units, an integer");
    assert_eq!(campaign["objective"], "OUTCOME_TRAFFIC");
    let ad_set = &desired[1].fields;
    assert_eq!(ad_set["dsa_payor"], "Acme GmbH");
    assert_eq!(ad_set["start_time"], "2027-02-28T23:00:00Z");
    assert_eq!(ad_set["targeting"]["age_min"], json!(25));
    assert!(ad_set["targeting"].get("genders").is_none(), "both is everybody");
    let creative = &desired[2].fields;
    assert_eq!(
        creative["object_story_spec"]["link_data"]["link"],
        "https://shop.acme.example/spring?ref=a%20b"
    );
    assert_eq!(
        creative["url_tags"],
        "utm_source=facebook&utm_medium=paid_social&utm_campaign={{campaign.id}}&utm_content={{ad.id}}&kcid=SKU+1%2F2"
    );
}

#[test]
fn everything_is_built_paused_parents_first() {
    let spec = spec();
    let desired = mapping::desire(&spec).expect("desired");
    let mut manifest = manifest(&spec);
    let mut order = Vec::new();
    for round in 0..10 {
        let ready = mutations::next(Goal::Built, &desired, &manifest, &account());
        if ready.is_empty() {
            break;
        }
        order.push(keys(&ready).join(" "));
        for mutation in ready {
            assert_eq!(mutation.op, Op::Create);
            let wanted = desired
                .iter()
                .find(|d| d.key == mutation.objects[0])
                .expect("desired");
            assert_eq!(
                mutation.body.get("status").and_then(Value::as_str),
                wanted.switchable.then_some("PAUSED")
            );
            assert_eq!(mutation.body["adlabels"][0]["name"], spec.campaign_name);
            manifest.objects.push(made(
                wanted,
                &format!("{round}{}", manifest.objects.len()),
                Serving::Paused,
            ));
        }
    }
    let creative = &desired[2].key;
    assert!(
        creative.starts_with("creative/lookalike-de/carousel-hero/"),
        "{creative}"
    );
    assert_eq!(
        order,
        [
            "campaign".to_owned(),
            format!("ad_set/lookalike-de {creative}"),
            "ad/lookalike-de/carousel-hero".to_owned()
        ]
    );
}

#[test]
fn what_is_intended_is_never_planned_again() {
    let spec = spec();
    let (desired, mut manifest) = all_made(&spec, Serving::Paused);
    manifest.objects[0].state = ObjectState::Intended;
    manifest.objects.truncate(1);
    assert_eq!(mutations::next(Goal::Built, &desired, &manifest, &account()), []);
}

#[test]
fn only_what_changed_is_sent() {
    let spec = spec();
    let (mut desired, manifest) = all_made(&spec, Serving::Active);
    assert_eq!(mutations::next(Goal::Built, &desired, &manifest, &account()), []);
    desired[0].fields["daily_budget"] = json!(13_000);
    let changes = mutations::next(Goal::Built, &desired, &manifest, &account());
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].body, json!({ "daily_budget": 13_000 }));
    assert_eq!(changes[0].path, "/v26.0/100");
}

/// A creative cannot be changed: another content is another creative, and the ad is pointed to it.
#[test]
fn another_text_is_another_creative() {
    let mut spec = spec();
    let (_, mut manifest) = all_made(&spec, Serving::Active);
    spec.campaign.ad_groups[0].ads[0].primary_text = Some("Lighter still.".to_owned());
    let desired = mapping::desire(&spec).expect("desired");
    let first = mutations::next(Goal::Built, &desired, &manifest, &account());
    assert_eq!(keys(&first), [desired[2].key.as_str()]);
    assert_eq!(first[0].op, Op::Create);
    assert_ne!(
        desired[2].name, manifest.objects[2].name,
        "no two creatives bear one name"
    );
    manifest.objects.push(made(&desired[2], "900", Serving::None));
    let second = mutations::next(Goal::Built, &desired, &manifest, &account());
    assert_eq!(keys(&second), ["ad/lookalike-de/carousel-hero"]);
    assert_eq!(second[0].body, json!({ "creative": { "creative_id": "900" } }));
    let Op::Update { applied } = &second[0].op else {
        panic!("an update");
    };
    manifest.objects[3].applied = applied["ad/lookalike-de/carousel-hero"].clone();
    assert_eq!(mutations::next(Goal::Built, &desired, &manifest, &account()), []);
}

#[test]
fn what_the_plan_takes_back_is_taken_back() {
    let mut spec = spec();
    spec.campaign.bidding.strategy = "cost_cap".to_owned();
    spec.campaign.bidding.bid = Some(spec.campaign.budget.amount);
    let (_, manifest) = all_made(&spec, Serving::Active);
    spec.campaign.bidding.strategy = "lowest_cost".to_owned();
    spec.campaign.bidding.bid = None;
    spec.campaign.schedule.end = None;
    // Approved anew after the start: the start is over and stays as it was.
    spec.approved_at = spec.campaign.schedule.start;
    let desired = mapping::desire(&spec).expect("desired");
    let first = mutations::next(Goal::Built, &desired, &manifest, &account());
    assert_eq!(
        keys(&first),
        ["campaign"],
        "the strategy before what depends on it"
    );
    let mut manifest = manifest;
    manifest.objects[0].applied = desired[0].fields.clone();
    let second = mutations::next(Goal::Built, &desired, &manifest, &account());
    assert_eq!(second[0].body, json!({ "bid_amount": 0, "end_time": 0 }));
}

#[test]
fn what_the_plan_no_longer_has_is_archived_ads_first_under_another_name() {
    let mut spec = spec();
    let mut second = spec.campaign.ad_groups[0].clone();
    second.key = crate::domain::ids::LogicalKey::parse("second").expect("a key");
    spec.campaign.ad_groups.push(second);
    let (_, mut manifest) = all_made(&spec, Serving::Active);
    spec.campaign.ad_groups.truncate(1);
    let desired = mapping::desire(&spec).expect("desired");
    let mut order = Vec::new();
    loop {
        let ready = mutations::next(Goal::Built, &desired, &manifest, &account());
        if ready.is_empty() {
            break;
        }
        for mutation in &ready {
            assert_eq!(
                (mutation.op.clone(), mutation.method.as_str()),
                (Op::Remove, "POST")
            );
            assert_eq!(mutation.body["status"], "ARCHIVED");
            let object = manifest.get(&mutation.objects[0]).expect("it");
            assert_ne!(mutation.body["name"].as_str(), object.name.as_deref());
        }
        for key in keys(&ready) {
            order.push(key.to_owned());
        }
        for object in &mut manifest.objects {
            if ready.iter().any(|m| m.objects.contains(&object.key)) {
                object.state = ObjectState::Removed;
            }
        }
    }
    assert_eq!(order, ["ad/second/carousel-hero", "ad_set/second"]);
}

#[test]
fn the_campaign_is_switched_on_last_and_off_first() {
    let spec = spec();
    let (_, mut manifest) = all_made(&spec, Serving::Paused);
    let first = mutations::next(Goal::Active, &[], &manifest, &account());
    assert_eq!(
        keys(&first),
        ["ad_set/lookalike-de", "ad/lookalike-de/carousel-hero"]
    );
    for object in manifest
        .objects
        .iter_mut()
        .filter(|o| o.serving == Serving::Paused && o.key != "campaign")
    {
        object.serving = Serving::Active;
    }
    assert_eq!(
        keys(&mutations::next(Goal::Active, &[], &manifest, &account())),
        ["campaign"]
    );
    assert_eq!(mutations::next(Goal::Paused, &[], &manifest, &account()), []);
    manifest.objects[0].serving = Serving::Active;
    assert_eq!(mutations::next(Goal::Active, &[], &manifest, &account()), []);
    assert_eq!(
        keys(&mutations::next(Goal::Paused, &[], &manifest, &account())),
        ["campaign"]
    );
}

#[test]
fn removing_takes_the_tree_then_the_creatives() {
    let spec = spec();
    let (desired, mut manifest) = all_made(&spec, Serving::Paused);
    let first = mutations::next(Goal::Removed, &[], &manifest, &account());
    assert_eq!(first.len(), 1);
    assert_eq!(first[0].method, "DELETE");
    for object in &mut manifest.objects {
        if first[0].objects.contains(&object.key) {
            object.state = ObjectState::Removed;
        }
    }
    assert_eq!(
        keys(&mutations::next(Goal::Removed, &[], &manifest, &account())),
        [desired[2].key.as_str()]
    );
}

#[test]
fn the_literal_id_is_injected_where_asked_and_compares_equal() {
    let mut spec = spec();
    spec.campaign
        .settings
        .insert("tracking".to_owned(), json!("injected"));
    let (desired, mut made) = all_made(&spec, Serving::Paused);
    made.objects.truncate(2);
    let create = mutations::next(Goal::Built, &desired, &made, &account());
    let tags = create[0].body["url_tags"].as_str().expect("tags").to_owned();
    assert!(tags.contains("utm_campaign=100&"), "{tags}");
    let (_, full) = all_made(&spec, Serving::Paused);
    let read = read_back(&full, &desired, &tags);
    let creative = read
        .objects
        .iter()
        .find(|o| o.key.starts_with("creative/"))
        .expect("the creative");
    assert_eq!(creative.fields["url_tags"], desired[2].fields["url_tags"]);
    let mode = tracking::check(Meta.traits().tracking, None, "100", &read.tracking);
    assert_eq!(mode, Ok(tracking::Mode::UtmInjected));
}

/// What Meta would show of objects made as desired: budgets as texts, times with an offset.
fn read_back(manifest: &Manifest, desired: &[Desired], tags: &str) -> crate::platform::Reading {
    let mut rows: Vec<Value> = desired
        .iter()
        .zip(&manifest.objects)
        .map(|(d, o)| {
            let mut row = d.fields.clone();
            row["id"] = json!(o.remote_id);
            row["status"] = json!("PAUSED");
            row
        })
        .collect();
    rows[0]["daily_budget"] = json!("12000");
    rows[1]["start_time"] = json!("2027-03-01T00:00:00+0100");
    rows[2]["url_tags"] = json!(tags);
    rows[3]["creative"] = rows[2].clone();
    rows[3]["effective_status"] = json!("CAMPAIGN_PAUSED");
    let shown = Rows {
        campaign: Some(rows[0].clone()),
        ad_sets: vec![rows[1].clone()],
        ads: vec![rows[3].clone()],
        ..Rows::default()
    };
    reading::reading(manifest, &shown)
}

/// What Meta would show of a leg with one ad and this creative.
fn read_back_rows(manifest: &Manifest, desired: &[Desired], creative: &Value) -> Rows {
    let row = |n: usize| {
        let mut row = desired[n].fields.clone();
        row["id"] = json!(manifest.objects[n].remote_id);
        row["status"] = json!("PAUSED");
        row
    };
    let (mut creative, mut ad) = (creative.clone(), row(3));
    creative["id"] = json!(manifest.objects[2].remote_id);
    ad["creative"] = creative;
    Rows {
        campaign: Some(row(0)),
        ad_sets: vec![row(1)],
        ads: vec![ad],
        ..Rows::default()
    }
}

#[test]
fn what_meta_shows_equals_what_was_desired() {
    let spec = spec();
    let (desired, manifest) = all_made(&spec, Serving::Paused);
    let tags = desired[2].fields["url_tags"].as_str().expect("tags").to_owned();
    let read = read_back(&manifest, &desired, &tags);
    for wanted in &desired {
        let seen = read.objects.iter().find(|o| o.key == wanted.key).expect("seen");
        for (name, value) in wanted.fields.as_object().expect("fields") {
            assert_eq!(&seen.fields[name], value, "{} {name}", wanted.key);
        }
    }
    assert_eq!(read.eligibility, Eligibility::Paused);
    assert_eq!(read.spent, Some(false));
    assert_eq!(
        tracking::check(Meta.traits().tracking, None, "100", &read.tracking),
        Ok(tracking::Mode::UtmMacro)
    );
}

#[test]
fn disapproval_is_told_even_while_the_campaign_is_off() {
    let spec = spec();
    let (_, manifest) = all_made(&spec, Serving::Paused);
    let eligibility = |on: bool, states: &[&str]| {
        let ads = states
            .iter()
            .map(|state| json!({ "id": "103", "name": "the ad", "status": "ACTIVE", "effective_status": state }))
            .collect();
        let rows = Rows {
            campaign: Some(json!({ "id": "100", "status": if on { "ACTIVE" } else { "PAUSED" } })),
            ads,
            ..Rows::default()
        };
        reading::reading(&manifest, &rows).eligibility
    };
    assert!(
        matches!(eligibility(false, &["DISAPPROVED"]), Eligibility::Disapproved(e) if e.class == ErrorClass::Policy)
    );
    assert_eq!(
        eligibility(false, &["DISAPPROVED", "CAMPAIGN_PAUSED"]),
        Eligibility::Paused
    );
    assert_eq!(
        eligibility(true, &["DISAPPROVED", "ACTIVE"]),
        Eligibility::Eligible
    );
    assert_eq!(
        eligibility(true, &["DISAPPROVED", "PENDING_REVIEW"]),
        Eligibility::InReview
    );
    assert!(matches!(
        eligibility(true, &["DISAPPROVED", "PAUSED"]),
        Eligibility::Disapproved(_)
    ));
    assert!(
        matches!(eligibility(true, &["PENDING_BILLING_INFO"]), Eligibility::Disapproved(e) if e.class == ErrorClass::Payer)
    );
    assert!(matches!(
        eligibility(true, &["WITH_ISSUES"]),
        Eligibility::Disapproved(_)
    ));
}

#[test]
fn what_hangs_on_a_deleted_campaign_is_gone() {
    let spec = spec();
    let (_, manifest) = all_made(&spec, Serving::Paused);
    let rows = Rows {
        ad_sets: vec![json!({ "id": "101", "status": "PAUSED", "effective_status": "DELETED" })],
        ..Rows::default()
    };
    let read = reading::reading(&manifest, &rows);
    assert_eq!((read.objects, read.spent), (Vec::new(), None));
}

#[test]
fn every_objective_is_told_to_meta_as_its_table_wants() {
    use crate::domain::plan::Objective;
    for (objective, goal, promoted) in [
        (Objective::Awareness, "REACH", Some("page_id")),
        (Objective::Traffic, "LINK_CLICKS", None),
        (Objective::Engagement, "POST_ENGAGEMENT", None),
        (Objective::Leads, "OFFSITE_CONVERSIONS", Some("pixel_id")),
        (Objective::Sales, "OFFSITE_CONVERSIONS", Some("pixel_id")),
        (Objective::App, "APP_INSTALLS", Some("application_id")),
    ] {
        let mut spec = spec();
        spec.campaign.objective = objective;
        let settings = &mut spec.campaign.settings;
        if matches!(objective, Objective::Leads | Objective::Sales) {
            settings.insert("pixel_id".to_owned(), json!("77"));
        }
        if objective == Objective::App {
            settings.insert("application_id".to_owned(), json!("88"));
            settings.insert("object_store_url".to_owned(), json!("https://store.example/app"));
            let store = "https://store.example/app".parse().expect("a URL");
            spec.campaign.ad_groups[0].ads[0].landing_url = store;
        }
        assert_eq!(Meta.check(&spec), [], "{objective:?}");
        let ad_set = mapping::desire(&spec).expect("desired").swap_remove(1).fields;
        assert_eq!(ad_set["optimization_goal"], goal, "{objective:?}");
        let object = ad_set.get("promoted_object").and_then(Value::as_object);
        assert_eq!(object.is_some(), promoted.is_some(), "{objective:?}");
        assert!(
            promoted.is_none_or(|field| ad_set["promoted_object"].get(field).is_some()),
            "{objective:?}"
        );
    }
}

#[test]
fn a_least_return_is_ten_thousandths_and_never_beside_a_bid() {
    let mut spec = spec();
    spec.campaign.objective = crate::domain::plan::Objective::Sales;
    spec.campaign.settings.insert("pixel_id".to_owned(), json!("77"));
    spec.campaign.bidding.strategy = "min_roas".to_owned();
    spec.campaign.bidding.target_roas_micros = Some(1_230_000);
    assert_eq!(Meta.check(&spec), []);
    let desired = mapping::desire(&spec).expect("desired");
    assert_eq!(desired[0].fields["bid_strategy"], "LOWEST_COST_WITH_MIN_ROAS");
    assert_eq!(
        desired[1].fields["bid_constraints"],
        json!({ "roas_average_floor": 12_300 })
    );
    assert_eq!(desired[1].fields["optimization_goal"], "VALUE");
    spec.campaign.bidding.bid = Some(spec.campaign.budget.amount);
    spec.campaign.bidding.target_roas_micros = Some(1);
    let pointers: Vec<String> = Meta.check(&spec).into_iter().map(|p| p.pointer).collect();
    assert_eq!(pointers, ["/bidding/bid", "/bidding/target_roas"]);
}

#[test]
fn people_are_within_what_meta_and_the_law_allow() {
    let mut spec = spec();
    spec.campaign.audience.age_max = Some(66);
    spec.campaign.audience.genders = vec!["female".to_owned(), "other".to_owned()];
    spec.campaign
        .settings
        .insert("special_ad_categories".to_owned(), json!(["HOUSING"]));
    let pointers: Vec<String> = Meta.check(&spec).into_iter().map(|p| p.pointer).collect();
    assert_eq!(
        pointers,
        ["/audience/age_max", "/audience/genders/1", "/audience"]
    );
    let campaign = mapping::desire(&spec).expect("desired").swap_remove(0).fields;
    assert_eq!(campaign["special_ad_category_country"], json!(["AT", "DE"]));
}

#[test]
fn problems_are_all_named_with_their_place() {
    let mut bad = spec();
    bad.campaign.settings.remove("dsa_payor");
    bad.campaign.bidding.strategy = "cost_cap".to_owned();
    bad.campaign.ad_groups[0].ads[0].format = "slideshow".to_owned();
    let pointers: Vec<String> = Meta.check(&bad).into_iter().map(|p| p.pointer).collect();
    assert_eq!(
        pointers,
        ["/bidding/bid", "/settings/dsa_payor", "/ad_groups/0/ads/0/format"]
    );
    bad.campaign.settings.insert("page_idd".to_owned(), json!("1"));
    let problems = Meta.check(&bad);
    assert!(
        problems[0].remedy.contains("did you mean page_id?"),
        "{problems:?}"
    );
}

#[test]
fn an_account_that_cannot_pay_is_the_agencys_matter() {
    let facts = |extra: Value| {
        let mut account = json!({ "account_status": 1, "currency": "EUR", "timezone_name": "Europe/Berlin", "funding_source": "1" });
        for (name, value) in extra.as_object().expect("fields") {
            account[name] = value.clone();
        }
        reading::facts(&account, None).expect("facts").problems
    };
    assert_eq!(facts(json!({})), []);
    let unsettled = facts(json!({ "account_status": 3 }));
    assert_eq!(unsettled[0].alert_code.as_deref(), Some("PRE-META-PAYER"));
    assert_eq!(unsettled[0].route.as_deref(), Some("agency_master"));
    assert_eq!(
        facts(json!({ "funding_source": null }))[0].alert_code.as_deref(),
        Some("PRE-META-PAYER")
    );
    assert_eq!(
        facts(json!({ "account_status": 101 }))[0].class,
        ErrorClass::Account
    );
    let capped = facts(json!({ "spend_cap": "100050", "amount_spent": "100050" }));
    assert_eq!(capped[0].platform_limit.as_deref(), Some("1000.50 EUR"));
    for (status, alert) in [(8, true), (9, true), (2, false)] {
        let problem = facts(json!({ "account_status": status, "disable_reason": 1 })).remove(0);
        assert_eq!(problem.alert_code.is_some(), alert, "{status}");
        assert!(
            problem
                .platform_code
                .is_some_and(|code| code.contains(&status.to_string()))
        );
    }
    let risky = facts(json!({ "account_status": 2, "disable_reason": 3 }));
    assert!(
        risky
            .iter()
            .any(|p| p.alert_code.as_deref() == Some("PRE-META-PAYER"))
    );
    assert_eq!(facts(json!({ "spend_cap": "0", "amount_spent": "5" })), []);
    assert_eq!(
        facts(json!({ "user_tasks": ["ANALYZE"] }))[0].class,
        ErrorClass::Auth
    );
}

#[test]
fn what_an_account_may_spend_is_told_exactly() {
    let facts = |currency: &str, cap: &str, spent: &str| {
        let account = json!({ "account_status": 1, "currency": currency, "timezone_name": "Asia/Tokyo", "funding_source": "1",
            "spend_cap": cap, "amount_spent": spent, "min_daily_budget": 130 });
        let facts = reading::facts(&account, None).expect("facts");
        let text = |m: Option<crate::domain::money::Money>| m.map(|m| m.to_string());
        (text(facts.minimum_daily), text(facts.spendable))
    };
    let told = |least: &str, left: Option<&str>| (Some(least.to_owned()), left.map(str::to_owned));
    assert_eq!(facts("EUR", "100050", "99"), told("1.30 EUR", Some("999.51 EUR")));
    assert_eq!(facts("JPY", "100050", "99"), told("130 JPY", Some("99951 JPY")));
    assert_eq!(facts("EUR", "0", "99"), told("1.30 EUR", None), "no cap");
    assert_eq!(
        facts("EUR", "5", "9"),
        told("1.30 EUR", Some("0.00 EUR")),
        "overdrawn"
    );
}

#[test]
fn metas_own_words_stand_in_a_disapproval() {
    let spec = spec();
    let (_, manifest) = all_made(&spec, Serving::Paused);
    let ad = json!({ "id": "103", "name": "the ad", "status": "ACTIVE", "effective_status": "DISAPPROVED",
        "ad_review_feedback": { "global": { "Cryptocurrency": "Not without permission." },
            "placement_specific": { "instagram": { "Nudity": "Not there." } } },
        "issues_info": [{ "level": "AD", "error_code": 1815869, "error_summary": "Ad disapproved" }] });
    let rows = Rows {
        campaign: Some(json!({ "id": "100", "status": "ACTIVE" })),
        ads: vec![ad],
        ..Rows::default()
    };
    let Eligibility::Disapproved(finding) = reading::reading(&manifest, &rows).eligibility else {
        panic!("a disapproval");
    };
    assert_eq!(
        finding.message,
        "Meta disapproved the ad: Cryptocurrency: Not without permission.; instagram: Nudity: Not there."
    );
    assert_eq!(finding.platform_code.as_deref(), Some("1815869"));
    assert_eq!(finding.exemptible, Some(false));
}
