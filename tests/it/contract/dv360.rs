//! What only DV360 has: one queue per line item, an order in which nothing spends before the last call, whole days that must lie in
//! the future, targeting by bulk edits, archiving before deleting, uploads that nobody can look up.

mod forms;

pub use forms::{formats, samples};

use super::bench::{Bench, Leg};
use campaign_execution::domain::error::ErrorClass;
use campaign_execution::domain::ids::LogicalKey;
use campaign_execution::domain::manifest::Serving;
use campaign_execution::domain::money::Money;
use campaign_execution::domain::tracking;
use campaign_execution::platform::{self, CallError, Eligibility, Goal, Uploaded};
use chrono::{Datelike, TimeDelta, Timelike};
use serde_json::{Value, json};
use std::collections::BTreeMap;

async fn bench() -> Bench {
    Bench::start(platform::by_name("dv360").expect("the adapter")).await
}

async fn built(bench: &Bench) -> Leg {
    let mut leg = bench.leg("dv.1").await;
    bench.reach(Goal::Built, &mut leg).await.expect("built");
    leg
}

/// Everything that is there, as `(kind, status)`.
async fn statuses(bench: &Bench) -> Vec<(String, String)> {
    let objects = bench.objects().await;
    let text = |o: &Value, name: &str| o[name].as_str().unwrap_or_default().to_owned();
    let ours = objects.iter().filter(|o| o["kind"] != "account");
    ours.map(|o| (text(o, "kind"), text(o, "status"))).collect()
}

/// Writes, in the order in which they came in, as `method status`.
async fn writes(bench: &Bench, since: usize) -> Vec<String> {
    let all = bench.requests().await;
    let writes = all.iter().skip(since).filter(|r| r["http_method"] != "GET");
    writes
        .map(|r| {
            let status = r["body"]["entityStatus"].as_str().unwrap_or_default();
            let method = r["method"].as_str().unwrap_or_default();
            format!("{method} {status}").trim().to_owned()
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_can_spend_before_the_last_call_and_one_call_stops_all() {
    let bench = bench().await;
    let mut leg = built(&bench).await;
    let before = bench.requests().await.len();
    bench.reach(Goal::Active, &mut leg).await.expect("on");
    assert_eq!(
        writes(&bench, before).await,
        [
            "dv360.lineItems.update ENTITY_STATUS_ACTIVE",
            "dv360.campaigns.update ENTITY_STATUS_ACTIVE",
            "dv360.insertionOrders.update ENTITY_STATUS_ACTIVE",
        ]
    );
    assert_eq!(bench.read(&leg).await.eligibility, Eligibility::NotBegun);
    let before = bench.requests().await.len();
    bench.reach(Goal::Paused, &mut leg).await.expect("off");
    bench.reach(Goal::Active, &mut leg).await.expect("on again");
    assert_eq!(
        writes(&bench, before).await,
        [
            "dv360.campaigns.update ENTITY_STATUS_PAUSED",
            "dv360.campaigns.update ENTITY_STATUS_ACTIVE",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn removal_archives_first_and_goes_from_the_line_item_up() {
    let bench = bench().await;
    let mut leg = built(&bench).await;
    let before = bench.requests().await.len();
    bench.reach(Goal::Removed, &mut leg).await.expect("removed");
    let kinds = ["lineItems", "insertionOrders", "campaigns", "creatives"];
    let wanted: Vec<String> = kinds
        .iter()
        .flat_map(|k| {
            [
                format!("dv360.{k}.update ENTITY_STATUS_ARCHIVED"),
                format!("dv360.{k}.delete"),
            ]
        })
        .collect();
    assert_eq!(writes(&bench, before).await, wanted);
    assert!(
        statuses(&bench)
            .await
            .iter()
            .all(|(_, status)| status == "DELETED")
    );
}

/// The worker sends what is returned together at the same time; the platform aborts the second of two writes on one line item.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_at_once_never_meets_on_a_line_item() {
    let bench = bench().await;
    let mut leg = bench.leg("dv.1").await;
    for n in 0..3 {
        let mut group = leg.spec.campaign.ad_groups[0].clone();
        group.key = LogicalKey::parse(format!("group-{n}")).expect("a key");
        leg.spec.campaign.ad_groups.push(group);
    }
    bench.desire(&mut leg);
    // Reads are quick: an edit of the targeting, which reads first, would be sent while the line item is still being changed.
    for write in [
        "lineItems.create",
        "lineItems.update",
        "lineItems.bulkEditAssignedTargetingOptions",
    ] {
        bench.slow(write, 40).await;
    }
    for goal in [Goal::Built, Goal::Active] {
        bench.reach_at_once(goal, &mut leg).await.expect("reached");
    }
    leg.spec.campaign.audience.countries = vec!["FR".into()];
    leg.spec.campaign.bidding.bid = Some(Money::parse("3.10", leg.spec.currency).expect("money"));
    bench.desire(&mut leg);
    bench.reach_at_once(Goal::Built, &mut leg).await.expect("changed");
    let reading = bench.read(&leg).await;
    assert_eq!(leg.differences(&reading), [] as [String; 0]);
    let all = bench.requests().await;
    assert!(all.iter().all(|r| r["status"] != 409), "none was aborted");
    bench
        .reach_at_once(Goal::Removed, &mut leg)
        .await
        .expect("removed");
}

/// A flight that has begun by the time of the call begins tomorrow; the plan's own day is remembered there, so that nothing differs
/// now or later, and a change of the budget keeps the day.
#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_is_over_is_moved_once_and_stays() {
    let bench = bench().await;
    let mut leg = bench.leg("dv.1").await;
    let planned = leg.spec.approved_at - TimeDelta::days(3);
    leg.spec.campaign.schedule.start = planned;
    bench.desire(&mut leg);
    bench.reach(Goal::Built, &mut leg).await.expect("built");
    let zone = leg.facts.timezone;
    let orders = bench.bodies("insertionOrders.create").await;
    let start = &orders[0]["budget"]["budgetSegments"][0]["dateRange"]["startDate"];
    let now = leg.spec.approved_at.with_timezone(&zone);
    let tomorrow = (now + TimeDelta::hours(24)).date_naive();
    let after = tomorrow.succ_opt().expect("a day");
    // The test may run across midnight.
    let days = [tomorrow, after].map(|d| json!({ "year": d.year(), "month": d.month(), "day": d.day() }));
    assert!(days.contains(start), "{start} is not tomorrow, {tomorrow}");
    let reading = bench.read(&leg).await;
    assert_eq!(leg.differences(&reading), [] as [String; 0]);
    assert_eq!(reading.spent, Some(false), "it has not begun");
    let budget = &mut leg.spec.campaign.budget.amount;
    *budget = Money::from_micros(budget.micros + 10_000_000, budget.currency);
    bench.desire(&mut leg);
    let sent = bench.reach(Goal::Built, &mut leg).await.expect("changed");
    assert_eq!(sent.len(), 1, "{sent:?}");
    let reading = bench.read(&leg).await;
    assert_eq!(leg.differences(&reading), [] as [String; 0]);
    assert_eq!(bench.next(Goal::Built, &leg), [], "and again nothing");

    // What is over altogether cannot begin any more; nothing is made for it but what is off.
    let mut late = bench.leg("dv.2").await;
    late.spec.campaign.schedule.start = planned;
    late.spec.campaign.schedule.end = Some(late.spec.approved_at.with_second(0).expect("a time"));
    bench.desire(&mut late);
    let refused = bench.reach(Goal::Built, &mut late).await;
    let Err(CallError::Refused(error)) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(error.code, "dv360-flight-over");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_audience_is_changed_by_one_edit_and_a_lost_one_is_found() {
    let bench = bench().await;
    let mut leg = built(&bench).await;
    let audience = &mut leg.spec.campaign.audience;
    audience.countries = vec!["AT".into(), "FR".into()];
    audience.languages = vec!["de".into(), "fr".into()];
    audience.age_min = Some(25);
    audience.age_max = Some(54);
    audience.genders = vec!["female".into()];
    bench.desire(&mut leg);
    let sent = bench.reach(Goal::Built, &mut leg).await.expect("changed");
    assert_eq!(sent.len(), 1, "{sent:?}");
    let reading = bench.read(&leg).await;
    assert_eq!(leg.differences(&reading), [] as [String; 0]);
    let edits = bench.bodies("lineItems.bulkEditAssignedTargetingOptions").await;
    let edit = edits.last().expect("the edit");
    assert_eq!(
        edit["deleteRequests"][0]["assignedTargetingOptionIds"]
            .as_array()
            .map(Vec::len),
        Some(1),
        "DE"
    );
    assert_eq!(edit["createRequests"].as_array().map(Vec::len), Some(4), "{edit}");
    let again = bench.platform.execute(&bench.session, &sent[0]).await;
    assert!(again.is_ok(), "the same again is no change: {again:?}");
    assert_eq!(
        bench
            .bodies("lineItems.bulkEditAssignedTargetingOptions")
            .await
            .len(),
        edits.len()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ad_group_that_is_gone_from_the_plan_stops_and_may_come_back() {
    let bench = bench().await;
    let mut leg = bench.leg("dv.1").await;
    let mut second = leg.spec.campaign.ad_groups[0].clone();
    second.key = LogicalKey::parse("second").expect("a key");
    leg.spec.campaign.ad_groups.push(second.clone());
    bench.desire(&mut leg);
    bench.reach(Goal::Built, &mut leg).await.expect("built");
    bench.reach(Goal::Active, &mut leg).await.expect("on");
    let first = leg.manifest.id("line_item/second").expect("an id").to_owned();
    leg.spec.campaign.ad_groups.truncate(1);
    bench.desire(&mut leg);
    bench.reach(Goal::Built, &mut leg).await.expect("taken back");
    let reading = bench.read(&leg).await;
    assert_eq!(leg.differences(&reading), [] as [String; 0]);
    assert!(reading.objects.iter().all(|o| o.key != "line_item/second"));
    let campaign = reading.objects.iter().find(|o| o.key == "campaign").expect("it");
    assert_eq!(campaign.serving, Serving::Active, "the campaign runs on");

    leg.spec.campaign.ad_groups.push(second);
    bench.desire(&mut leg);
    let lost = [json!({ "kind": "reset", "effect": "after" })];
    let (mutation, outcome) = bench
        .strike(&mut leg, 0, &lost)
        .await
        .expect("the line item again");
    assert_eq!(mutation.objects, ["line_item/second"]);
    assert!(matches!(outcome, Err(CallError::Unclear { .. })), "{outcome:?}");
    let found = bench.find(&leg, &mutation.objects).await;
    assert_eq!(found.len(), 1, "the archived one gave up its name: {found:?}");
    assert_ne!(found[0].remote_id, first);
}

/// Archived objects count too: what somebody put away after a lost call is not made again.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_archived_meanwhile_is_found() {
    let bench = bench().await;
    let leg = built(&bench).await;
    for (key, collection) in [
        ("campaign", "campaigns"),
        ("insertion_order", "insertionOrders"),
        ("creative/premium-news/banner-300x250", "creatives"),
        ("line_item/premium-news", "lineItems"),
    ] {
        let id = leg.manifest.id(key).expect("an id").to_owned();
        let path = format!("/v4/advertisers/99/{collection}/{id}");
        let archive = json!({ "entityStatus": "ENTITY_STATUS_ARCHIVED" });
        let path = format!("{path}?updateMask=entityStatus");
        bench.call(reqwest::Method::PATCH, &path, &archive).await;
        let found = bench.find(&leg, &[key.to_owned()]).await;
        assert_eq!(found.len(), 1, "{key}: {found:?}");
        assert_eq!(found[0].remote_id, id);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_creative_is_a_matter_of_policy_and_one_under_review_is_waited_for() {
    let bench = bench().await;
    let mut leg = built(&bench).await;
    bench.world(&json!({ "review_pending": ["banner"] })).await;
    bench.reach(Goal::Active, &mut leg).await.expect("on");
    assert_eq!(bench.read(&leg).await.eligibility, Eligibility::InReview);
    bench
        .world(&json!({ "review_pending": [], "disapprove": ["banner"] }))
        .await;
    let eligibility = bench.read(&leg).await.eligibility;
    let Eligibility::Disapproved(finding) = eligibility else {
        panic!("{eligibility:?}");
    };
    assert_eq!(finding.class, ErrorClass::Policy);
    assert!(finding.platform_message.is_some_and(|m| m.contains("REJECTED")));
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_elses_utm_on_a_creative_is_seen() {
    let bench = bench().await;
    let leg = built(&bench).await;
    let id = leg
        .manifest
        .id("creative/premium-news/banner-300x250")
        .expect("an id");
    let path = format!("/v4/advertisers/99/creatives/{id}?updateMask=exitEvents,appendedTag");
    let body = json!({ "appendedTag": "<img src=\"https://t.example/?utm_source=x\">", "exitEvents": [
        { "type": "EXIT_EVENT_TYPE_DEFAULT", "url": "https://shop.acme.example/spring?utm_campaign=y" }] });
    bench.call(reqwest::Method::PATCH, &path, &body).await;
    let reading = bench.read(&leg).await;
    let rule = bench.platform.traits().tracking;
    let violations = tracking::check(rule, reading.auto_tagging, "1", &reading.tracking).expect_err("utm");
    let fields: Vec<&str> = violations.iter().map(|v| v.field.as_str()).collect();
    assert_eq!(fields, ["exitEvents[0]", "appendedTag"]);
    assert_ne!(
        leg.differences(&reading),
        [] as [String; 0],
        "and the exit is another"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_video_leg_is_built_and_read_back() {
    let bench = bench().await;
    let mut leg = bench.leg("dv.1").await;
    let campaign = &mut leg.spec.campaign;
    campaign.channel = Some("video".into());
    let ad = &mut campaign.ad_groups[0].ads[0];
    ad.format = "single_video".into();
    (ad.width, ad.height) = (None, None);
    campaign.bidding.strategy = "maximize_spend".into();
    campaign.bidding.bid = None;
    campaign.bidding.kpi.as_mut().expect("a goal").kind = "cpiavc".into();
    assert_eq!(bench.platform.check(&leg.spec), []);
    bench.desire(&mut leg);
    bench.reach(Goal::Built, &mut leg).await.expect("built");
    let reading = bench.read(&leg).await;
    assert_eq!(leg.differences(&reading), [] as [String; 0]);
    let lines = bench.bodies("lineItems.create").await;
    assert_eq!(lines[0]["lineItemType"], "LINE_ITEM_TYPE_VIDEO_DEFAULT");
    bench.reach(Goal::Active, &mut leg).await.expect("on");
    assert_eq!(bench.read(&leg).await.eligibility, Eligibility::NotBegun);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_asset_gets_a_media_id_and_a_lost_upload_cannot_be_found() {
    let bench = bench().await;
    let leg = bench.leg("dv.1").await;
    let mut asset = leg.spec.assets.values().next().expect("an asset").clone();
    asset.platform_refs = BTreeMap::new();
    let upload = bench
        .platform
        .upload(&leg.spec, &asset)
        .expect("it fits")
        .expect("to be uploaded");
    let content = || Some(b"\x89PNG\r\n--not a boundary".to_vec());
    let sent = bench
        .platform
        .send_upload(&bench.session, &upload, content())
        .await;
    let Ok(Uploaded::Ready { refs }) = sent else {
        panic!("{sent:?}");
    };
    let known = bench
        .platform
        .find_upload(&bench.session, &upload, Some(&refs))
        .await;
    assert_eq!(known, Ok(Uploaded::Ready { refs }));
    bench
        .fault(&json!({ "method": "assets.upload", "kind": "reset", "effect": "after" }))
        .await;
    let lost = bench
        .platform
        .send_upload(&bench.session, &upload, content())
        .await;
    assert!(matches!(lost, Err(CallError::Unclear { .. })), "{lost:?}");
    let found = bench.platform.find_upload(&bench.session, &upload, None).await;
    assert_eq!(found, Ok(Uploaded::Absent));
    let refused = bench.platform.send_upload(&bench.session, &upload, None).await;
    assert!(matches!(refused, Err(CallError::Refused(e)) if e.class == ErrorClass::AssetMissing));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_advertiser_that_cannot_pay_or_is_put_away_is_a_fact_of_the_probe() {
    let bench = bench().await;
    bench
        .world(&json!({ "accounts": { "dv360/99": { "payer": "unsettled", "account_status": "PAUSED", "currency": "JPY" } } }))
        .await;
    let facts = bench.platform.probe(&bench.session).await.expect("a probe");
    let classes: Vec<ErrorClass> = facts.problems.iter().map(|p| p.class).collect();
    assert_eq!(classes, [ErrorClass::Account, ErrorClass::Payer]);
    assert_eq!(facts.problems[1].alert_code.as_deref(), Some("PRE-DV360-PAYER"));
    assert_eq!(facts.currency.code(), "JPY");
    bench.world(&json!({ "strict_accounts": true })).await;
    let mut other = bench.session.clone();
    other.account.account_id = "98".into();
    let unknown = bench.platform.probe(&other).await;
    assert!(matches!(unknown, Err(CallError::Refused(e)) if e.class == ErrorClass::Account));
}
