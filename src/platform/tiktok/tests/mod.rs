//! What the adapter says, word for word: bodies as TikTok gets them, and every step towards every goal.

mod bodies;
mod reading;

use super::TikTok;
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
const NAME: &str = "kobi_acme_tiktok_traffic_spring-sale-2027.3";
const VIDEO: &str = "v10033g50000";

fn eur() -> Currency {
    Currency::parse("EUR").unwrap()
}

/// The example's leg, read without the wire (a platform may not see it), with a change to its campaign.
fn spec_with(change: impl Fn(&mut Value)) -> LegSpec {
    let plan: Value = serde_json::from_str(PLAN).unwrap();
    let all = plan["campaigns"].as_array().unwrap();
    let mut campaign = all.iter().find(|c| c["platform"] == "tiktok").unwrap().clone();
    campaign["budget"]["amount"] = json!(Money::parse("80.05", eur()).unwrap());
    campaign["schedule"] = json!({ "start": "2027-02-28T23:00:00Z", "end": "2027-03-31T21:59:59Z" });
    campaign["audience"]["genders"] = json!([]);
    campaign["crm"] = json!({ "kcid": "SKU 1/2", "kpv": null });
    change(&mut campaign);
    for group in campaign["ad_groups"].as_array_mut().unwrap() {
        group["keywords"] = json!([]);
        group["negative_keywords"] = json!([]);
        for ad in group["ads"].as_array_mut().unwrap() {
            ad["headlines"] = json!([]);
            ad["descriptions"] = json!([]);
        }
    }
    let catalog = json!({ "merchant_account": null, "meta_catalog_id": null, "tiktok_catalog_id": "77001", "tiktok_bc_id": "88001",
        "countries": ["DE"], "max_critical": 0 });
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
        catalog: Some(serde_json::from_value(catalog).unwrap()),
        campaigns: vec![serde_json::from_value(campaign).unwrap()],
    };
    let mut spec = leg_specs(&plan, "does_not_contain").remove(0);
    for (id, kind, field, reference) in [
        ("asset-vid-007", "video", "video_id", VIDEO),
        ("asset-img-001", "image", "image_id", "ad-site/1"),
        ("asset-img-002", "image", "image_id", "ad-site/2"),
    ] {
        spec.assets
            .insert(id.to_owned(), asset(id, kind, field, reference));
    }
    spec
}

fn spec() -> LegSpec {
    spec_with(|_| ())
}

fn asset(id: &str, kind: &str, field: &str, reference: &str) -> Asset {
    let refs = BTreeMap::from([(field.to_owned(), reference.to_owned())]);
    Asset {
        asset_id: id.to_owned(),
        kind: kind.to_owned(),
        width: Some(1080),
        height: Some(1920),
        sha256: Some("ab".repeat(32)),
        mime_type: None,
        bytes: None,
        url: None,
        platform_refs: BTreeMap::from([("tiktok".to_owned(), refs)]),
    }
}

fn account() -> Account {
    serde_json::from_value(json!({ "account_id": "7001", "status": "active", "credential": "c" })).unwrap()
}

fn facts() -> AccountFacts {
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
        ("identity_type", json!("AUTH_CODE")),
        ("identity_id", json!("2")),
        ("identity_authorized_bc_id", json!("3")),
        ("pixel_id", json!("9")),
        ("optimization_event", json!("INITIATE_ORDER")),
        ("app_id", json!("7123")),
        ("app_os", json!("android")),
        ("catalog_id", json!("77002")),
        ("catalog_authorized_bc_id", json!("88002")),
        ("product_set_id", json!("5511")),
        ("music_id", json!("699")),
        ("placements", json!(["PLACEMENT_PANGLE"])),
        ("special_industries", json!(["HOUSING"])),
        ("daily_budget", json!("dynamic")),
        ("tracking", json!("injected")),
    ]
}

/// A campaign of every format, one for reach, and one whose purchases are counted.
pub(in crate::platform) fn samples() -> Vec<Sample> {
    let keys: Vec<&str> = settings_known().into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, super::settings::KNOWN, "every setting is tried");
    let ad = |format: &'static str, assets: Value, settings: Value| {
        spec_with(move |campaign| {
            campaign["ad_groups"][0]["ads"][0]["format"] = json!(format);
            campaign["ad_groups"][0]["ads"][0]["asset_ids"] = assets.clone();
            for (name, value) in settings.as_object().unwrap() {
                campaign["settings"][name] = value.clone();
            }
            if settings.get("pixel_id").is_some() {
                campaign["objective"] = json!("sales");
            }
        })
    };
    let music = json!({ "music_id": "698" });
    let pixel = json!({ "pixel_id": "1001" });
    let specs = [
        ("traffic", spec()),
        (
            "cost_cap",
            spec_with(|campaign| {
                campaign["bidding"] =
                    json!({ "strategy": "cost_cap", "bid": Money::parse("1.35", eur()).unwrap() });
            }),
        ),
        (
            "reach",
            spec_with(|campaign| campaign["objective"] = json!("awareness")),
        ),
        (
            "sales",
            ad("single_video", json!(["asset-vid-007", "asset-img-002"]), pixel),
        ),
        (
            "single_image",
            ad("single_image", json!(["asset-img-001"]), music.clone()),
        ),
        (
            "carousel",
            ad("carousel", json!(["asset-img-001", "asset-img-002"]), music),
        ),
        (
            "catalog",
            ad(
                "catalog",
                json!([]),
                json!({ "pixel_id": "1001", "music_id": "698" }),
            ),
        ),
    ];
    let sample = |(what, spec): (&str, LegSpec)| Sample {
        settings: settings_known(),
        unused: if what == "catalog" {
            &["/ad_groups/0/ads/0/landing_url"]
        } else {
            &[]
        },
        what: what.to_owned(),
        spec,
        account: account(),
        facts: facts(),
    };
    specs.into_iter().map(sample).collect()
}

fn desired(spec: &LegSpec) -> Vec<Desired> {
    TikTok.desire(spec, &account(), &facts()).unwrap()
}

fn empty(spec: &LegSpec) -> Manifest {
    Manifest {
        leg: spec.key.clone(),
        account_id: "7001".into(),
        campaign_name: spec.campaign_name.clone(),
        revision: 0,
        mutation_count: 0,
        tracking_mode: None,
        objects: Vec::new(),
    }
}

fn made(wanted: &Desired, id: &str) -> RemoteObject {
    RemoteObject {
        state: ObjectState::Created,
        remote_id: Some(id.to_owned()),
        serving: Serving::Paused,
        ..RemoteObject::intended(wanted)
    }
}

/// Everything is there and off, with ids 100, 101 … in the order of `desired`.
fn built(spec: &LegSpec) -> Manifest {
    let mut manifest = empty(spec);
    let all = desired(spec);
    let objects = all.iter().enumerate();
    manifest.objects = objects.map(|(n, d)| made(d, &(100 + n).to_string())).collect();
    manifest
}

fn next(goal: Goal, spec: &LegSpec, manifest: &Manifest) -> Vec<Mutation> {
    TikTok.next(goal, &desired(spec), manifest, &account())
}

/// The creations of a leg, one after the other, each taken in as the worker would.
fn creations(spec: &LegSpec) -> Vec<Mutation> {
    let (all, mut manifest, mut sent) = (desired(spec), empty(spec), Vec::new());
    loop {
        let ready = next(Goal::Built, spec, &manifest);
        if ready.is_empty() {
            return sent;
        }
        for mutation in ready {
            assert_eq!(mutation.op, Op::Create);
            for key in &mutation.objects {
                let wanted = all.iter().find(|d| d.key == *key).unwrap();
                let id = (100 + manifest.objects.len()).to_string();
                manifest.objects.push(made(wanted, &id));
            }
            sent.push(mutation);
        }
    }
}

fn said(mutations: &[Mutation]) -> Vec<(String, Value)> {
    let all = mutations.iter();
    all.map(|m| (m.path.replace(super::VERSION, ""), m.body.clone()))
        .collect()
}

#[test]
fn it_is_built_from_the_top_and_nothing_twice() {
    let two = |campaign: &mut Value| {
        let mut second = campaign["ad_groups"][0].clone();
        second["key"] = json!("walkers");
        campaign["ad_groups"].as_array_mut().unwrap().push(second);
    };
    let spec = spec_with(two);
    let sent = creations(&spec);
    let paths: Vec<&str> = sent.iter().map(|m| m.path.as_str()).collect();
    let path = |name: &str| format!("/open_api/v1.3/{name}/create/");
    let expected = ["campaign", "adgroup", "adgroup", "ad", "ad"].map(path);
    assert_eq!(paths, expected);
    for mutation in &sent {
        let text = mutation.body.to_string();
        assert!(text.contains(r#""operation_status":"DISABLE""#), "{text}");
        assert!(!text.contains("ENABLE\""), "{text}");
        assert!(!text.contains("request_id"), "{text}");
    }
    assert_eq!(next(Goal::Built, &spec, &built(&spec)), []);
    let mut intended = built(&spec);
    for object in &mut intended.objects {
        object.state = ObjectState::Intended;
    }
    for goal in [Goal::Built, Goal::Active, Goal::Paused, Goal::Removed] {
        assert_eq!(next(goal, &spec, &intended), [], "{goal:?}");
    }
}

#[test]
fn ads_go_twenty_at_a_time() {
    let many = |campaign: &mut Value| {
        let ad = campaign["ad_groups"][0]["ads"][0].clone();
        let ads = (0..41).map(|n| {
            let mut ad = ad.clone();
            ad["key"] = json!(format!("ad-{n}"));
            ad
        });
        campaign["ad_groups"][0]["ads"] = ads.collect();
    };
    let spec = spec_with(many);
    let sizes = |mutations: &[Mutation]| mutations.iter().map(|m| m.objects.len()).collect::<Vec<_>>();
    assert_eq!(sizes(&creations(&spec)[2..]), [20, 20, 1]);
    let on = next(Goal::Active, &spec, &built(&spec));
    assert_eq!(sizes(&on), [1, 20, 20, 1], "the ad group, and its ads");
}

#[test]
fn on_is_from_below_off_is_the_campaign_and_removed_takes_all_along() {
    let spec = spec();
    let mut manifest = built(&spec);
    let below = next(Goal::Active, &spec, &manifest);
    let ids = |ids: &str, list: Value, status: &str| {
        let mut body = json!({ "advertiser_id": "7001", "operation_status": status });
        body[ids] = list;
        body
    };
    let mut group = ids("adgroup_ids", json!(["101"]), "ENABLE");
    group["allow_partial_success"] = json!(true);
    let expected = [
        ("/adgroup/status/update/".to_owned(), group),
        (
            "/ad/status/update/".to_owned(),
            ids("ad_ids", json!(["102"]), "ENABLE"),
        ),
    ];
    assert_eq!(said(&below), expected);
    for object in manifest.objects.iter_mut().skip(1) {
        object.serving = Serving::Active;
    }
    let on = next(Goal::Active, &spec, &manifest);
    let campaign = |status| {
        (
            "/campaign/status/update/".to_owned(),
            ids("campaign_ids", json!(["100"]), status),
        )
    };
    assert_eq!(said(&on), [campaign("ENABLE")]);
    manifest.objects[0].serving = Serving::Active;
    assert_eq!(next(Goal::Active, &spec, &manifest), []);
    assert_eq!(said(&next(Goal::Paused, &spec, &manifest)), [campaign("DISABLE")]);
    let removed = next(Goal::Removed, &spec, &manifest);
    assert_eq!(said(&removed), [campaign("DELETE")]);
    assert_eq!(removed[0].objects.len(), 3, "with all that hangs on it");
    let surplus = TikTok.removal("ad", "9", &account());
    assert_eq!(
        said(&[surplus]),
        [(
            "/ad/status/update/".to_owned(),
            ids("ad_ids", json!(["9"]), "DELETE")
        )]
    );
}

#[test]
fn only_what_changed_is_sent_and_an_ad_goes_whole() {
    let manifest = built(&spec());
    let dearer = spec_with(|c| c["budget"]["amount"] = json!(Money::parse("90.00", eur()).unwrap()));
    let sent = next(Goal::Built, &dearer, &manifest);
    assert_eq!(
        said(&sent),
        [(
            "/campaign/update/".to_owned(),
            json!({ "advertiser_id": "7001", "campaign_id": "100", "budget": "90" })
        )]
    );
    let other = spec_with(|c| c["ad_groups"][0]["ads"][0]["primary_text"] = json!("Another."));
    let sent = next(Goal::Built, &other, &manifest);
    assert_eq!(sent.len(), 1);
    let Op::Update { applied } = &sent[0].op else {
        panic!("{sent:?}")
    };
    assert_eq!(applied["ad/runners/clip-15s"]["ad_text"], "Another.");
    let creative = &sent[0].body["creatives"][0];
    assert_eq!(
        (&sent[0].body["patch_update"], &creative["ad_id"]),
        (&json!(false), &json!("102"))
    );
    assert_eq!(
        (&creative["video_id"], &creative["ad_text"]),
        (&json!(VIDEO), &json!("Another."))
    );
    assert_eq!(
        creative.get("operation_status"),
        None,
        "an update switches nothing"
    );
}

/// What TikTok does not let be changed is not sent: the reading names it.
#[test]
fn what_is_fixed_is_not_sent_and_what_the_plan_takes_back_is_emptied() {
    let manifest = built(&spec());
    let mut elsewhere = spec();
    let wider = json!(["PLACEMENT_TIKTOK", "PLACEMENT_PANGLE"]);
    elsewhere.campaign.settings.insert("placements".to_owned(), wider);
    let sent = next(Goal::Built, &elsewhere, &manifest);
    assert!(
        sent.iter().all(|m| !m.body.to_string().contains("placements")),
        "{sent:?}"
    );
    let mut everybody = spec();
    everybody.campaign.audience.languages.clear();
    let sent = next(Goal::Built, &everybody, &manifest);
    let expected = json!({ "advertiser_id": "7001", "adgroup_id": "101", "languages": [] });
    assert_eq!(said(&sent), [("/adgroup/update/".to_owned(), expected)]);
}

#[test]
fn what_the_plan_no_longer_has_goes_ads_before_their_ad_group() {
    let two = spec_with(|campaign| {
        let mut second = campaign["ad_groups"][0].clone();
        second["key"] = json!("walkers");
        campaign["ad_groups"].as_array_mut().unwrap().push(second);
    });
    let mut manifest = built(&two);
    let ids = |m: &[Mutation]| m.iter().flat_map(|m| m.objects.clone()).collect::<Vec<_>>();
    let sent = next(Goal::Built, &spec(), &manifest);
    assert!(sent.iter().all(|m| m.op == Op::Remove));
    assert_eq!(ids(&sent), ["ad/walkers/clip-15s"]);
    let gone = manifest
        .objects
        .iter_mut()
        .find(|o| o.key == "ad/walkers/clip-15s");
    gone.unwrap().state = ObjectState::Removed;
    assert_eq!(ids(&next(Goal::Built, &spec(), &manifest)), ["ad_group/walkers"]);
}

#[test]
fn a_literal_campaign_id_stands_where_no_macro_is_filled_in() {
    let injected = spec_with(|c| c["settings"]["tracking"] = json!("injected"));
    let sent = creations(&injected);
    let url = sent[2].body["creatives"][0]["landing_page_url"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        url,
        "https://shop.acme.example/spring?utm_source=tiktok&utm_medium=paid_social&utm_campaign=100&utm_content=clip-15s&kcid=SKU+1%2F2"
    );
    // What is desired names the place, so that a difference is one whatever the id.
    assert!(
        desired(&injected)[2].fields["landing_page_url"]
            .as_str()
            .unwrap()
            .contains(super::creatives::ID_PLACE)
    );
    let key = LogicalKey::parse("video-reach").unwrap();
    assert_eq!(injected.key.logical_campaign_key, key);
}
