//! What the adapter says, word for word: bodies as DV360 gets them, and what its answers come to.

mod check;
mod reading;

use super::Dv360;
use crate::domain::ids::{LogicalKey, PlanId, PlanVersion, TenantId};
use crate::domain::manifest::{Desired, Manifest, ObjectState, RemoteObject, Serving};
use crate::domain::money::{Currency, Money};
use crate::domain::plan::{Launch, Order, Plan, Tracking};
use crate::domain::spec::{Asset, LegSpec, leg_specs};
use crate::domain::tenant::Account;
use crate::platform::fields::Sample;
use crate::platform::{AccountFacts, Goal, Mutation, Op, Platform};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const PLAN: &str = include_str!("../../../../schemas/examples/plan.approved.json");

/// The example's leg, read without the wire (a platform may not see it).
fn spec() -> LegSpec {
    let plan: Value = serde_json::from_str(PLAN).unwrap();
    let all = plan["campaigns"].as_array().unwrap();
    let mut campaign = all.iter().find(|c| c["platform"] == "dv360").unwrap().clone();
    let money = |amount: &str| json!(Money::parse(amount, eur()).unwrap());
    campaign["budget"]["amount"] = money("9000.00");
    campaign["schedule"] = json!({ "start": "2027-02-28T23:00:00Z", "end": "2027-03-31T21:59:59Z" });
    campaign["bidding"]["bid"] = money("2.40");
    campaign["bidding"]["kpi"]["amount"] = money("5.00");
    campaign["audience"]["languages"] = json!([]);
    campaign["audience"]["genders"] = json!([]);
    campaign["crm"] = json!({ "kcid": null, "kpv": null });
    campaign["settings"] = json!({});
    for group in campaign["ad_groups"].as_array_mut().unwrap() {
        group["keywords"] = json!([]);
        group["negative_keywords"] = json!([]);
        for ad in group["ads"].as_array_mut().unwrap() {
            ad["headlines"] = json!([]);
            ad["descriptions"] = json!([]);
        }
    }
    let plan = Plan {
        tenant_id: TenantId::parse("acme").unwrap(),
        plan_id: PlanId::parse("spring-sale-2027").unwrap(),
        plan_version: PlanVersion::parse("spring-sale-2027.3").unwrap(),
        supersedes: None,
        status: "approved".to_owned(),
        approved_at: "2026-11-20T09:30:00Z".parse().unwrap(),
        approved_by: "p".to_owned(),
        currency: eur(),
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
        campaigns: vec![serde_json::from_value(campaign).unwrap()],
    };
    let mut spec = leg_specs(&plan, "does_not_contain").remove(0);
    spec.assets.insert("asset-img-003".into(), asset(Some("4242")));
    spec
}

fn asset(media: Option<&str>) -> Asset {
    let refs = media.map(|id| BTreeMap::from([("media_id".to_owned(), id.to_owned())]));
    Asset {
        asset_id: "asset-img-003".into(),
        kind: "image".into(),
        width: Some(1200),
        height: Some(628),
        sha256: Some("ab".repeat(32)),
        mime_type: Some("image/jpeg".into()),
        bytes: Some(180_000),
        url: None,
        platform_refs: refs.map(|refs| ("dv360".to_owned(), refs)).into_iter().collect(),
    }
}

fn account() -> Account {
    serde_json::from_value(
        json!({ "account_id": "99", "partner_id": "11", "status": "active", "credential": "c" }),
    )
    .unwrap()
}

fn eur() -> Currency {
    Currency::parse("EUR").unwrap()
}

fn known() -> AccountFacts {
    AccountFacts {
        currency: eur(),
        timezone: chrono_tz::Europe::Berlin,
        auto_tagging: None,
        minimum_daily: None,
        spendable: None,
        catalogs: Vec::new(),
        problems: Vec::new(),
    }
}

/// Every setting, with a value that means something somewhere.
fn settings_known() -> Vec<(&'static str, Value)> {
    vec![
        ("markup_percent", json!("12.5")),
        ("floodlight_activity_ids", json!(["5"])),
        ("app_id", json!("com.acme")),
        ("pacing", json!("asap")),
        ("language_ids", json!(["1001"])),
    ]
}

/// A campaign of each channel.
pub(in crate::platform) fn samples() -> Vec<Sample> {
    let keys: Vec<&str> = settings_known().into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, super::settings::KNOWN, "every setting is tried");
    let mut video = spec();
    video.campaign.channel = Some("video".into());
    let ad = &mut video.campaign.ad_groups[0].ads[0];
    ad.format = "single_video".into();
    ad.width = None;
    ad.height = None;
    if let Some(asset) = video.assets.get_mut("asset-img-003") {
        asset.kind = "video".into();
        asset.mime_type = Some("video/mp4".into());
    }
    let sample = |(what, spec): (&str, LegSpec)| Sample {
        settings: settings_known(),
        unused: &[],
        what: what.to_owned(),
        spec,
        account: account(),
        facts: known(),
    };
    [("display", spec()), ("video", video)]
        .into_iter()
        .map(sample)
        .collect()
}

fn desired(spec: &LegSpec) -> Vec<Desired> {
    Dv360.desire(spec, &account(), &known()).unwrap()
}

fn empty(spec: &LegSpec) -> Manifest {
    Manifest {
        leg: spec.key.clone(),
        account_id: "99".into(),
        campaign_name: spec.campaign_name.clone(),
        revision: 0,
        mutation_count: 0,
        tracking_mode: None,
        objects: Vec::new(),
    }
}

/// Everything is there, with ids 1, 2 … in the order of `desired`; targeting has its line item's.
fn built(spec: &LegSpec) -> Manifest {
    let mut manifest = empty(spec);
    for (i, wanted) in desired(spec).into_iter().enumerate() {
        let mut id = (i + 1).to_string();
        if wanted.kind == "targeting" {
            id = manifest.id(wanted.parent.as_deref().unwrap()).unwrap().to_owned();
        }
        manifest.objects.push(RemoteObject {
            state: ObjectState::Created,
            remote_id: Some(id),
            ..RemoteObject::intended(&wanted)
        });
    }
    manifest
}

fn next(goal: Goal, spec: &LegSpec, manifest: &Manifest) -> Vec<Mutation> {
    Dv360.next(goal, &desired(spec), manifest, &account())
}

/// Takes a creation in as the worker would.
fn take_in(manifest: &mut Manifest, spec: &LegSpec, mutation: &Mutation, id: &str) {
    let wanted = desired(spec)
        .into_iter()
        .find(|d| d.key == mutation.objects[0])
        .unwrap();
    manifest.objects.push(RemoteObject {
        state: ObjectState::Created,
        remote_id: Some(id.to_owned()),
        serving: Serving::Paused,
        ..RemoteObject::intended(&wanted)
    });
}

fn day(year: i32, month: u32, day: u32) -> Value {
    json!({ "year": year, "month": month, "day": day })
}

const NAME: &str = "kobi_acme_dv360_awareness_spring-sale-2027.3";
const KEY: &str = "acme/spring-sale-2027.3/dv360/display-awareness";

#[test]
fn the_examples_bodies_are_these() {
    let spec = spec();
    assert_eq!(Dv360.check(&spec), []);
    let mut manifest = empty(&spec);
    let mut sent = next(Goal::Built, &spec, &manifest);
    assert_eq!(sent.len(), 1, "the campaign first");
    let campaign = sent.remove(0);
    assert_eq!(campaign.path, "/v4/advertisers/99/campaigns");
    assert_eq!(
        campaign.body,
        json!({
            "displayName": NAME, "entityStatus": "ENTITY_STATUS_PAUSED",
            "campaignGoal": {
                "campaignGoalType": "CAMPAIGN_GOAL_TYPE_BRAND_AWARENESS",
                "performanceGoal": { "performanceGoalType": "PERFORMANCE_GOAL_TYPE_CPM", "performanceGoalAmountMicros": "5000000" },
            },
            "campaignFlight": { "plannedDates": { "startDate": day(2027, 3, 1), "endDate": day(2027, 3, 31) } },
            "frequencyCap": { "maxImpressions": 3, "timeUnit": "TIME_UNIT_DAYS", "timeUnitCount": 1 },
            "_zone": "Europe/Berlin",
        })
    );
    take_in(&mut manifest, &spec, &campaign, "555");
    let sent = next(Goal::Built, &spec, &manifest);
    let paths: Vec<&str> = sent.iter().map(|m| m.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "/v4/advertisers/99/insertionOrders",
            "/v4/advertisers/99/creatives"
        ],
        "side by side"
    );
    assert_eq!(
        sent[0].body,
        json!({
            "campaignId": "555", "displayName": format!("{NAME}/io"), "entityStatus": "ENTITY_STATUS_DRAFT",
            "optimizationObjective": "NO_OBJECTIVE", "frequencyCap": { "unlimited": true },
            "pacing": { "pacingPeriod": "PACING_PERIOD_FLIGHT", "pacingType": "PACING_TYPE_EVEN" },
            "kpi": { "kpiType": "KPI_TYPE_CPM", "kpiAmountMicros": "5000000" },
            "budget": { "budgetUnit": "BUDGET_UNIT_CURRENCY", "budgetSegments": [{ "budgetAmountMicros": "9000000000",
                "dateRange": { "startDate": day(2027, 3, 1), "endDate": day(2027, 3, 31) } }] },
            "integrationDetails": { "integrationCode": format!("{KEY}/insertion_order") },
            "_zone": "Europe/Berlin",
        })
    );
    assert_eq!(
        sent[1].body,
        json!({
            "displayName": format!("{NAME}/premium-news/banner-300x250"), "entityStatus": "ENTITY_STATUS_ACTIVE",
            "creativeType": "CREATIVE_TYPE_STANDARD", "hostingSource": "HOSTING_SOURCE_HOSTED",
            "dimensions": { "widthPixels": 300, "heightPixels": 250 },
            "assets": [{ "asset": { "mediaId": "4242" }, "role": "ASSET_ROLE_MAIN" }],
            "exitEvents": [{ "type": "EXIT_EVENT_TYPE_DEFAULT", "url": "https://shop.acme.example/spring" }],
            "integrationCode": format!("{KEY}/creative/premium-news/banner-300x250"),
        })
    );
    for (mutation, id) in sent.iter().zip(["9", "777"]) {
        take_in(&mut manifest, &spec, mutation, id);
    }
    let line = next(Goal::Built, &spec, &manifest).remove(0);
    assert_eq!(
        line.body,
        json!({
            "insertionOrderId": "9", "displayName": format!("{NAME}/premium-news"), "entityStatus": "ENTITY_STATUS_DRAFT",
            "lineItemType": "LINE_ITEM_TYPE_DISPLAY_DEFAULT",
            "flight": { "flightDateType": "LINE_ITEM_FLIGHT_DATE_TYPE_INHERITED" },
            "budget": { "budgetAllocationType": "LINE_ITEM_BUDGET_ALLOCATION_TYPE_UNLIMITED" },
            "pacing": { "pacingPeriod": "PACING_PERIOD_FLIGHT", "pacingType": "PACING_TYPE_ASAP" },
            "frequencyCap": { "unlimited": true },
            "partnerRevenueModel": { "markupType": "PARTNER_REVENUE_MODEL_MARKUP_TYPE_TOTAL_MEDIA_COST_MARKUP", "markupAmount": "0" },
            "bidStrategy": { "fixedBid": { "bidAmountMicros": "2400000" } },
            "creativeIds": ["777"], "containsEuPoliticalAds": "DOES_NOT_CONTAIN_EU_POLITICAL_ADVERTISING",
            "integrationDetails": { "integrationCode": format!("{KEY}/line_item/premium-news") },
        })
    );
    take_in(&mut manifest, &spec, &line, "1");
    let targeting = next(Goal::Built, &spec, &manifest).remove(0);
    assert_eq!(
        targeting.path,
        "/v4/advertisers/99/lineItems:bulkEditAssignedTargetingOptions"
    );
    let geo = |id: &str| json!({ "geoRegionDetails": { "targetingOptionId": id, "negative": false } });
    assert_eq!(
        targeting.body,
        json!({ "lineItemIds": ["1"], "deleteRequests": [], "createRequests": [{
            "targetingType": "TARGETING_TYPE_GEO_REGION", "assignedTargetingOptions": [geo("2040"), geo("2276")] }] })
    );
    take_in(&mut manifest, &spec, &targeting, "1");
    assert_eq!(next(Goal::Built, &spec, &manifest), []);
}

#[test]
fn on_ends_with_the_insertion_order_and_off_is_the_campaign() {
    let spec = spec();
    let mut manifest = built(&spec);
    let mut order = Vec::new();
    loop {
        let ready = next(Goal::Active, &spec, &manifest);
        if ready.is_empty() {
            break;
        }
        for mutation in ready {
            assert_eq!(mutation.body, json!({ "entityStatus": "ENTITY_STATUS_ACTIVE" }));
            assert!(mutation.path.ends_with("?updateMask=entityStatus"));
            let key = mutation.objects[0].clone();
            manifest
                .objects
                .iter_mut()
                .find(|o| o.key == key)
                .unwrap()
                .serving = Serving::Active;
            order.push(key);
        }
    }
    assert_eq!(order, ["line_item/premium-news", "campaign", "insertion_order"]);
    let off = next(Goal::Paused, &spec, &manifest);
    assert_eq!(off.len(), 1, "one call stops all of it");
    assert_eq!(off[0].objects, ["campaign"]);
    assert_eq!(off[0].body, json!({ "entityStatus": "ENTITY_STATUS_PAUSED" }));
    manifest.objects[0].serving = Serving::Paused;
    let on = next(Goal::Active, &spec, &manifest);
    assert_eq!(on.len(), 1, "and one call brings it back");
    assert_eq!(on[0].objects, ["campaign"]);
}

/// 409 ABORTED is what two writes on one line item at once get.
#[test]
fn no_two_writes_for_one_line_item_are_ready_together() {
    let mut spec = spec();
    let mut second = spec.campaign.ad_groups[0].clone();
    second.key = LogicalKey::parse("second").unwrap();
    spec.campaign.ad_groups.push(second);
    let manifest = built(&spec);
    spec.campaign.bidding.bid = Some(Money::parse("3.00", eur()).unwrap());
    spec.campaign.audience.countries = vec!["AT".into()];
    let ready = next(Goal::Built, &spec, &manifest);
    let keys: Vec<&str> = ready.iter().map(|m| m.objects[0].as_str()).collect();
    assert_eq!(keys, ["line_item/premium-news", "line_item/second"]);
    let mut after = manifest.clone();
    for mutation in &ready {
        let Op::Update { applied } = &mutation.op else {
            panic!("{mutation:?}")
        };
        for (key, fields) in applied {
            after.objects.iter_mut().find(|o| o.key == *key).unwrap().applied = fields.clone();
        }
    }
    let ready = next(Goal::Built, &spec, &after);
    let keys: Vec<&str> = ready.iter().map(|m| m.objects[0].as_str()).collect();
    assert_eq!(keys, ["targeting/premium-news", "targeting/second"]);
    for goal in [Goal::Active, Goal::Removed] {
        let ready = next(goal, &spec, &after);
        let mut lines: Vec<&str> = ready.iter().map(|m| m.path.split('?').next().unwrap()).collect();
        lines.sort_unstable();
        lines.dedup();
        assert_eq!(lines.len(), ready.len(), "{goal:?}");
    }
}

#[test]
fn only_what_differs_is_named_by_the_mask() {
    let mut spec = spec();
    let manifest = built(&spec);
    assert_eq!(next(Goal::Built, &spec, &manifest), []);
    spec.campaign.budget.amount = Money::parse("9500.00", eur()).unwrap();
    let ready = next(Goal::Built, &spec, &manifest);
    assert_eq!(ready.len(), 1);
    assert_eq!(
        ready[0].path,
        "/v4/advertisers/99/insertionOrders/2?updateMask=budget.budgetSegments"
    );
    assert_eq!(ready[0].method, "PATCH");
    let segment = &ready[0].body["budget"]["budgetSegments"][0];
    assert_eq!(segment["budgetAmountMicros"], "9500000000");
    spec.campaign.frequency_cap = None;
    spec.campaign.crm.kcid = Some("SKU 1".into());
    let ready = next(Goal::Built, &spec, &manifest);
    let paths: Vec<&str> = ready.iter().map(|m| m.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "/v4/advertisers/99/campaigns/1?updateMask=frequencyCap",
            "/v4/advertisers/99/insertionOrders/2?updateMask=budget.budgetSegments",
            "/v4/advertisers/99/creatives/3?updateMask=exitEvents",
        ]
    );
    assert_eq!(
        ready[2].body["exitEvents"][0]["url"],
        "https://shop.acme.example/spring?kcid=SKU+1"
    );
}

#[test]
fn long_names_are_cut_and_stay_distinct() {
    let mut spec = spec();
    spec.campaign_name = format!("kobi_{}", "x".repeat(180));
    let group = &mut spec.campaign.ad_groups[0];
    group.key = LogicalKey::parse("g".repeat(64)).unwrap();
    let mut other = group.ads[0].clone();
    group.ads[0].key = LogicalKey::parse(format!("{}1", "a".repeat(60))).unwrap();
    other.key = LogicalKey::parse(format!("{}2", "a".repeat(60))).unwrap();
    group.ads.push(other);
    let names: Vec<String> = desired(&spec).into_iter().filter_map(|d| d.name).collect();
    let unique: std::collections::BTreeSet<&String> = names.iter().collect();
    assert_eq!(unique.len(), names.len(), "{names:?}");
    assert!(names.iter().all(|n| n.len() <= 240), "{names:?}");
}
