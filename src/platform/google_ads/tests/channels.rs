//! Every channel but search: what is desired, the request it becomes, what is read back, what is refused.

use super::super::channel::Channel;
use super::super::links::text_key;
use super::super::wire::{Row, SearchResponse};
use super::super::{images, lookup, reading};
use super::*;
use crate::domain::error::ErrorClass;
use crate::domain::plan::{Catalog, FrequencyCap};
use crate::domain::spec::Asset;
use crate::domain::tracking;
use crate::platform::Eligibility;

fn asset(id: &str, kind: &str, size: (u32, u32), number: u64) -> Asset {
    let name = format!("customers/1234567890/assets/{number}");
    Asset {
        asset_id: id.into(),
        kind: kind.into(),
        width: Some(size.0),
        height: Some(size.1),
        sha256: Some("ab".repeat(32)),
        mime_type: Some(if kind == "video" { "video/mp4" } else { "image/png" }.into()),
        bytes: Some(180_000),
        url: None,
        platform_refs: BTreeMap::from([(
            "google-ads".into(),
            BTreeMap::from([("resource_name".to_owned(), name)]),
        )]),
    }
}

/// The example's campaign on another channel, with what that needs.
pub(super) fn on(channel: Channel) -> LegSpec {
    let mut spec = spec();
    let all = [
        asset("hero", "image", (1200, 628), 91),
        asset("square", "image", (1200, 1200), 92),
        asset("logo", "image", (512, 512), 93),
        asset("tall", "image", (1080, 1920), 94),
        asset("clip", "video", (1080, 1920), 95),
    ];
    spec.assets = all.map(|asset| (asset.asset_id.clone(), asset)).into();
    let campaign = &mut spec.campaign;
    campaign.channel = Some(channel.as_str().into());
    let group = &mut campaign.ad_groups[0];
    group.keywords.clear();
    group.negative_keywords.clear();
    let ad = &mut group.ads[0];
    ad.format = channel.formats()[0].into();
    ad.path1 = None;
    ad.asset_ids = ["hero", "square", "logo"].map(String::from).into();
    ad.long_headlines = vec!["Light as air: the new spring colours are here".into()];
    let mut settings = |value: Value| campaign.settings.extend(value.as_object().unwrap().clone());
    match channel {
        Channel::Search => {}
        Channel::Display => settings(json!({"business_name": "Acme Shoes", "logos": ["logo"]})),
        Channel::DemandGen => {
            settings(json!({"business_name": "Acme Shoes", "logos": ["logo"]}));
            ad.long_headlines.clear();
            ad.asset_ids.push("tall".into());
            ad.call_to_action = Some("shop_now".into());
        }
        Channel::Shopping => {
            settings(json!({"priority": 2, "feed_label": "DE"}));
            *ad = Ad {
                headlines: vec![],
                long_headlines: vec![],
                descriptions: vec![],
                asset_ids: vec![],
                ..ad.clone()
            };
            campaign.audience.languages.clear();
            campaign.bidding.strategy = "maximize_conversion_value".into();
            campaign.bidding.target_cpa = None;
            campaign.bidding.target_roas_micros = Some(3_500_000);
            spec.catalog = Some(catalog());
        }
        Channel::PerformanceMax => {
            settings(json!({"business_name": "Acme Shoes", "logos": ["logo"]}));
            ad.headlines[0] = "Acme Shoes".into();
            ad.path1 = Some("spring".into());
            ad.asset_ids.push("clip".into());
            campaign.bidding.strategy = "maximize_conversion_value".into();
            campaign.bidding.target_cpa = None;
            campaign.bidding.target_roas_micros = Some(3_500_000);
        }
    }
    spec
}

/// A demand gen campaign whose ad is a video.
pub(super) fn video() -> LegSpec {
    let mut spec = on(Channel::DemandGen);
    let ad = &mut spec.campaign.ad_groups[0].ads[0];
    ad.format = Channel::DemandGen.formats()[1].into();
    ad.asset_ids = ["clip", "logo"].map(String::from).into();
    ad.long_headlines = vec!["Light as air: the new spring colours are here".into()];
    ad.call_to_action = None;
    spec
}

fn catalog() -> Catalog {
    Catalog {
        merchant_account: Some("555666".into()),
        meta_catalog_id: None,
        tiktok_catalog_id: None,
        tiktok_bc_id: None,
        countries: vec!["DE".into()],
        max_critical: 0,
    }
}

pub(super) const OTHERS: [Channel; 4] = [
    Channel::Display,
    Channel::Shopping,
    Channel::PerformanceMax,
    Channel::DemandGen,
];

/// All creations that lead to a built leg, and the manifest after them.
fn creations(spec: &LegSpec) -> Vec<Mutation> {
    let mut manifest = empty(spec);
    let whole = built(spec);
    let mut sent = Vec::new();
    loop {
        let mut next = mutations::next(Goal::Built, &desired(spec), &manifest, &account());
        let Some(mutation) = next.pop() else { return sent };
        assert_eq!(mutation.op, Op::Create);
        for key in &mutation.objects {
            manifest.objects.push(whole.get(key).unwrap().clone());
        }
        sent.push(mutation);
        assert!(sent.len() < 5);
    }
}

#[test]
fn each_channel_becomes_the_requests_that_google_wants() {
    for channel in OTHERS {
        let spec = on(channel);
        assert_eq!(check::check(&spec), vec![], "{channel:?}");
        let sent = creations(&spec);
        let bodies: Vec<&Value> = sent.iter().map(|mutation| &mutation.body).collect();
        golden(&format!("create.{}.json", channel.as_str()), &json!(bodies));
        let text = json!(bodies).to_string();
        assert!(!text.contains("utm_") && text.contains("kcid={_kcid}"), "{text}");
        assert!(text.contains(r#""status":"PAUSED""#), "{text}");
        let wanted = if channel == Channel::PerformanceMax { 2 } else { 1 };
        assert_eq!(sent.len(), wanted, "{channel:?}");
    }
}

#[test]
fn texts_come_first_and_an_asset_group_comes_whole() {
    let spec = on(Channel::PerformanceMax);
    let sent = creations(&spec);
    assert!(sent[0].objects.iter().all(|key| key.starts_with("text/")));
    let mut last = 0;
    for operation in operations(&sent[1]) {
        let name = operation.as_object().unwrap().keys().next().unwrap().clone();
        let at = Kind::ALL
            .iter()
            .position(|kind| kind.create(json!({})).get(&name).is_some())
            .unwrap();
        assert!(at >= last, "grouped by type, in order: {name}");
        last = at;
    }
    // A text whose making is not known keeps the whole group waiting.
    let mut manifest = built(&spec);
    manifest.objects.retain(|object| object.kind == "asset");
    manifest.objects[0].state = ObjectState::Intended;
    none(Goal::Built, &spec, &manifest);
    manifest.objects[0].state = ObjectState::Created;
    assert!(
        one(Goal::Built, &spec, &manifest)
            .objects
            .contains(&"asset_group/brand-exact".to_owned())
    );
}

#[test]
fn a_link_takes_anothers_place_in_one_request_and_its_text_is_let_go() {
    let mut spec = on(Channel::PerformanceMax);
    let mut manifest = built(&spec);
    spec.campaign
        .settings
        .insert("business_name".into(), "Acme".into());
    let first = one(Goal::Built, &spec, &manifest);
    assert_eq!(first.objects, [text_key("Acme")]);
    let mut text = manifest.get(&text_key("Acme Shoes")).unwrap().clone();
    text.key = text_key("Acme");
    text.remote_id = Some("777".into());
    manifest.objects.push(text);
    let second = one(Goal::Built, &spec, &manifest);
    let operations = operations(&second);
    assert_eq!((second.objects.len(), operations.len()), (1, 2));
    let old = operations[0]["campaignAssetOperation"]["remove"]
        .as_str()
        .unwrap();
    assert!(old.starts_with("customers/1234567890/campaignAssets/"), "{old}");
    assert_eq!(
        operations[1]["campaignAssetOperation"]["create"]["asset"],
        "customers/1234567890/assets/777"
    );
    // The text itself stays with the account: nothing is sent for it.
    manifest.objects.retain(|object| object.kind == "asset");
    let let_go = one(Goal::Removed, &spec, &manifest);
    assert_eq!(
        (let_go.objects.len(), super::operations(&let_go).len()),
        (manifest.objects.len(), 0)
    );
}

#[test]
fn what_can_never_change_is_sent_alone_to_be_refused() {
    let mut spec = on(Channel::Shopping);
    let manifest = built(&spec);
    spec.catalog.as_mut().unwrap().merchant_account = Some("777888".into());
    let facts = AccountFacts {
        catalogs: vec!["777888".into()],
        ..facts()
    };
    let desired = mapping::desire(&spec, &account(), &facts).unwrap();
    let mutation = mutations::next(Goal::Built, &desired, &manifest, &account()).remove(0);
    let operation = &operations(&mutation)[0]["campaignOperation"];
    assert_eq!(operation["updateMask"], "shoppingSetting.merchantId");
    assert_eq!(
        operation["update"]["shoppingSetting"],
        json!({"merchantId": "777888"})
    );
    // Another channel beneath the same key: before anything of the other kind is made.
    let display = on(Channel::Display);
    let mutation = one(Goal::Built, &display, &built(&on(Channel::DemandGen)));
    assert_eq!(
        operations(&mutation)[0]["campaignOperation"]["updateMask"],
        "advertisingChannelType"
    );
    assert_eq!(operations(&mutation).len(), 1);
}

#[test]
fn a_feed_that_is_not_linked_concerns_only_who_sells_from_it() {
    let none = AccountFacts {
        catalogs: Vec::new(),
        ..facts()
    };
    let spec = on(Channel::Shopping);
    let error = mapping::desire(&spec, &account(), &none).unwrap_err();
    assert_eq!(
        (error.class, error.code.as_str()),
        (ErrorClass::Account, "google-ads-merchant")
    );
    assert!(
        error.message.contains("555666") && error.message.contains("linked: none"),
        "{}",
        error.message
    );
    assert!(mapping::desire(&on(Channel::Display), &account(), &none).is_ok());
    let mut max = on(Channel::PerformanceMax);
    max.catalog = Some(catalog());
    assert!(mapping::desire(&max, &account(), &none).is_err());
    max.campaign.settings.insert("products".into(), false.into());
    assert!(mapping::desire(&max, &account(), &none).is_ok());
}

#[test]
fn a_picture_that_is_needed_and_not_there_is_named() {
    let cases = [
        (Channel::Display, "hero", "landscape images (1.91:1)"),
        (Channel::Display, "square", "square images (1:1)"),
        (Channel::DemandGen, "logo", "square logos (1:1)"),
        (Channel::PerformanceMax, "square", "square images (1:1)"),
        (Channel::PerformanceMax, "logo", "square logos (1:1)"),
    ];
    for (channel, missing, what) in cases {
        let mut spec = on(channel);
        spec.campaign.ad_groups[0].ads[0]
            .asset_ids
            .retain(|id| id != missing);
        let error = mapping::desire(&spec, &account(), &facts()).unwrap_err();
        assert_eq!(error.class, ErrorClass::Validation);
        assert!(error.message.contains(what), "{}", error.message);
    }
    let mut spec = on(Channel::Display);
    spec.assets.get_mut("hero").unwrap().width = Some(1000);
    let error = mapping::desire(&spec, &account(), &facts()).unwrap_err();
    assert!(
        error.message.contains("1000 × 628") && error.remedy.contains("1.91:1"),
        "{error:?}"
    );
    spec.assets.get_mut("hero").unwrap().platform_refs.clear();
    let error = mapping::desire(&spec, &account(), &facts()).unwrap_err();
    assert_eq!(error.class, ErrorClass::AssetMissing);
    let foreign = BTreeMap::from([("resource_name".to_owned(), "customers/42/assets/1".to_owned())]);
    spec.assets
        .get_mut("hero")
        .unwrap()
        .platform_refs
        .insert("google-ads".into(), foreign);
    let error = mapping::desire(&spec, &account(), &facts()).unwrap_err();
    assert!(
        error.message.contains("not of account 1234567890"),
        "{}",
        error.message
    );
}

#[test]
fn uploads_are_what_the_account_has_not_got() {
    let spec = on(Channel::Display);
    let mut image = spec.assets["hero"].clone();
    assert_eq!(images::upload(&spec, &image), Ok(None));
    image.platform_refs.clear();
    let upload = images::upload(&spec, &image).unwrap().unwrap();
    assert_eq!(
        (upload.name.as_str(), upload.needs_content),
        ("kobi/hero/abababababababab", true)
    );
    image.mime_type = Some("image/webp".into());
    assert!(images::upload(&spec, &image).unwrap_err().remedy.contains("JPEG"));
    image.mime_type = Some("image/png".into());
    image.bytes = Some(images::LARGEST + 1);
    assert!(
        images::upload(&spec, &image)
            .unwrap_err()
            .message
            .contains("5242880")
    );
    let mut video = spec.assets["clip"].clone();
    video.platform_refs.clear();
    let error = images::upload(&spec, &video).unwrap_err();
    assert_eq!(
        (error.class, error.code.as_str()),
        (ErrorClass::AssetMissing, "google-ads-video")
    );
    let refs = BTreeMap::from([("youtube_video_id".to_owned(), "dQw4w9WgXcQ".to_owned())]);
    video.platform_refs.insert("google-ads".into(), refs);
    let upload = images::upload(&spec, &video).unwrap().unwrap();
    assert_eq!(
        (upload.name.as_str(), upload.needs_content),
        ("kobi/clip/dQw4w9WgXcQ", false)
    );
}

#[test]
fn each_rule_of_a_channel_bites() {
    type Break = fn(&mut LegSpec);
    let cases: Vec<(Channel, Break, &str)> = vec![
        (
            Channel::Display,
            |s| s.campaign.ad_groups[0].ads[0].format = "responsive_search".into(),
            "/ad_groups/0/ads/0/format",
        ),
        (
            Channel::Display,
            |s| s.campaign.ad_groups[0].ads[0].long_headlines.clear(),
            "/ad_groups/0/ads/0/long_headlines",
        ),
        (
            Channel::Display,
            |s| drop(s.campaign.settings.remove("business_name")),
            "/settings/business_name",
        ),
        (
            Channel::Display,
            |s| drop(s.campaign.settings.insert("logos".into(), json!(["other"]))),
            "/settings/logos/0",
        ),
        (
            Channel::Display,
            |s| drop(s.campaign.settings.insert("priority".into(), json!(1))),
            "/settings/priority",
        ),
        (
            Channel::Display,
            |s| {
                s.campaign.ad_groups[0]
                    .keywords
                    .push(keyword("a", MatchType::Exact))
            },
            "/ad_groups/0/keywords",
        ),
        (
            Channel::Display,
            |s| s.campaign.ad_groups[0].ads[0].path1 = Some("a".into()),
            "/ad_groups/0/ads/0/path1",
        ),
        (
            Channel::DemandGen,
            |s| s.campaign.ad_groups[0].ads[0].call_to_action = Some("run".into()),
            "/ad_groups/0/ads/0/call_to_action",
        ),
        (
            Channel::DemandGen,
            |s| s.campaign.bidding.strategy = "manual_cpc".into(),
            "/bidding/strategy",
        ),
        (
            Channel::DemandGen,
            |s| s.campaign.ad_groups[0].ads[0].headlines[0] = "x".repeat(31),
            "/ad_groups/0/ads/0/headlines/0",
        ),
        (
            Channel::DemandGen,
            |s| s.campaign.ad_groups[0].ads[0].asset_ids.clear(),
            "/ad_groups/0/ads/0/asset_ids",
        ),
        (Channel::Shopping, |s| s.catalog = None, "/channel"),
        (
            Channel::Shopping,
            |s| drop(s.campaign.settings.insert("priority".into(), json!(3))),
            "/settings/priority",
        ),
        (
            Channel::Shopping,
            |s| s.campaign.bidding.target_roas_micros = None,
            "/bidding/target_roas",
        ),
        (
            Channel::Shopping,
            |s| s.campaign.audience.languages.push("de".into()),
            "/audience/languages",
        ),
        (
            Channel::Shopping,
            |s| s.campaign.ad_groups[0].ads[0].headlines.push("a".into()),
            "/ad_groups/0/ads/0/headlines",
        ),
        (
            Channel::PerformanceMax,
            |s| s.campaign.bidding.strategy = "maximize_clicks".into(),
            "/bidding/strategy",
        ),
        (
            Channel::PerformanceMax,
            |s| s.campaign.ad_groups[0].ads[0].headlines.truncate(2),
            "/ad_groups/0/ads/0/headlines",
        ),
        (
            Channel::PerformanceMax,
            |s| {
                s.campaign.ad_groups[0].ads[0].headlines =
                    ["Sixteen letters.", "Seventeen letters", "Eighteen letters.."]
                        .map(String::from)
                        .into()
            },
            "/ad_groups/0/ads/0/headlines",
        ),
        (
            Channel::PerformanceMax,
            |s| {
                let twin = s.campaign.ad_groups[0].ads[0].clone();
                s.campaign.ad_groups[0].ads.push(twin);
            },
            "/ad_groups/0/ads/1",
        ),
        (
            Channel::PerformanceMax,
            |s| drop(s.campaign.settings.insert("products".into(), json!(true))),
            "/settings/products",
        ),
        (
            Channel::PerformanceMax,
            |s| {
                drop(
                    s.campaign
                        .settings
                        .insert("business_name".into(), json!("A name of more than 25 letters")),
                )
            },
            "/settings/business_name",
        ),
        (
            Channel::PerformanceMax,
            |s| s.campaign.objective = Objective::Traffic,
            "/channel",
        ),
    ];
    for (channel, change, pointer) in cases {
        let mut spec = on(channel);
        change(&mut spec);
        let found: Vec<String> = check::check(&spec).into_iter().map(|p| p.pointer).collect();
        assert!(
            found.iter().any(|p| p == pointer),
            "{channel:?}: {pointer} not in {found:?}"
        );
    }
}

/// What Google would answer about what was created, as rows.
fn rows(spec: &LegSpec) -> (Manifest, Vec<Row>) {
    let manifest = built(spec);
    let text = match spec.campaign.channel.as_deref() {
        Some("performance_max") => include_str!("../testdata/read.performance_max.answer.json"),
        _ => include_str!("../testdata/read.display.answer.json"),
    };
    (
        manifest,
        serde_json::from_str::<SearchResponse>(text).unwrap().results,
    )
}

#[test]
fn what_google_answers_is_read_as_what_was_desired_and_found_again() {
    for channel in [Channel::Display, Channel::PerformanceMax] {
        let spec = on(channel);
        let (manifest, rows) = rows(&spec);
        let reading = reading::reading(&manifest, &rows, utc("2026-11-20T09:30:00Z"));
        for object in desired(&spec) {
            let seen = reading.objects.iter().find(|seen| seen.key == object.key);
            let seen = seen.unwrap_or_else(|| panic!("{channel:?}: {} is not read", object.key));
            assert_eq!(seen.fields, object.fields, "{channel:?} {}", object.key);
        }
        assert_eq!(reading.eligibility, Eligibility::Paused);
        assert!(tracking::check(tracking::Rule::AutoTagging, Some(true), "13", &reading.tracking).is_ok());
        let keys: Vec<String> = manifest.objects.iter().map(|o| o.key.clone()).collect();
        let found = lookup::found(&manifest, &keys, rows);
        assert_eq!(found.len(), keys.len(), "{channel:?}");
        for found in &found {
            assert_eq!(
                manifest.id(&found.key),
                Some(found.remote_id.as_str()),
                "{}",
                found.key
            );
        }
    }
}

#[test]
fn an_asset_group_tells_of_its_review_and_of_its_tracking() {
    let spec = on(Channel::PerformanceMax);
    let (manifest, rows) = rows(&spec);
    let judge = |status: &str, reason: &str, approval: &str| {
        let mut rows = rows.clone();
        for row in &mut rows {
            if let Some(campaign) = &mut row.campaign {
                campaign.status = Some("ENABLED".into());
                campaign.primary_status = Some("PENDING".into());
                campaign.primary_status_reasons = Some(vec![status.into()]);
            }
            if let Some(group) = row.asset_group.as_mut().filter(|group| group.status.is_some()) {
                group.primary_status_reasons = Some(vec![reason.into()]);
            }
            if let Some(link) = &mut row.asset_group_asset {
                link.policy_summary.get_or_insert_default().approval_status = Some(approval.into());
            }
        }
        reading::reading(&manifest, &rows, utc("2026-11-20T09:30:00Z")).eligibility
    };
    assert_eq!(
        judge(
            "MOST_ASSET_GROUPS_UNDER_REVIEW",
            "ASSET_GROUP_UNDER_REVIEW",
            "UNKNOWN"
        ),
        Eligibility::InReview
    );
    assert_eq!(
        judge("CAMPAIGN_PENDING", "CAMPAIGN_PENDING", "APPROVED"),
        Eligibility::NotBegun
    );
    for (reason, approval) in [
        ("ASSET_GROUP_DISAPPROVED", "APPROVED"),
        ("CAMPAIGN_PENDING", "DISAPPROVED"),
    ] {
        let Eligibility::Disapproved(error) = judge("CAMPAIGN_PENDING", reason, approval) else {
            panic!("{reason} {approval}");
        };
        assert_eq!(error.class, ErrorClass::Policy);
    }
    let mut foreign = rows
        .iter()
        .find(|row| row.asset_group.is_some() && row.asset.is_none())
        .unwrap()
        .clone();
    let group = foreign.asset_group.as_mut().unwrap();
    group.resource_name = Some("customers/1234567890/assetGroups/999".into());
    group.final_url_suffix = Some("utm_source=google".into());
    let mut rows = rows;
    rows.push(foreign);
    let reading = reading::reading(&manifest, &rows, utc("2026-11-20T09:30:00Z"));
    let violations =
        tracking::check(tracking::Rule::AutoTagging, Some(true), "13", &reading.tracking).unwrap_err();
    assert_eq!(violations[0].object, "asset_group/999");
}

/// Women of 25 to 54 see it three times a week; then it is for men of any age, as often as may be.
#[test]
fn who_is_not_meant_is_excluded_and_a_new_audience_takes_the_place_of_the_old_in_one_request() {
    let mut women = on(Channel::Display);
    women.campaign.audience.age_min = Some(25);
    women.campaign.audience.age_max = Some(54);
    women.campaign.audience.genders = vec!["female".into()];
    women.campaign.frequency_cap = Some(FrequencyCap {
        impressions: 3,
        per: "week".into(),
    });
    assert_eq!(check::check(&women), vec![]);
    let sent = creations(&women);
    let operations = sent[0].body["mutateOperations"].as_array().unwrap();
    let excluded: Vec<&Value> = operations
        .iter()
        .filter_map(|operation| operation.pointer("/adGroupCriterionOperation/create"))
        .collect();
    let names = |of: &[&Value]| -> Vec<String> {
        let all = of.iter().map(|criterion| {
            let ty = criterion
                .pointer("/ageRange/type")
                .or(criterion.pointer("/gender/type"));
            ty.unwrap().as_str().unwrap().to_owned()
        });
        all.collect()
    };
    assert_eq!(
        names(&excluded),
        [
            "AGE_RANGE_18_24",
            "AGE_RANGE_55_64",
            "AGE_RANGE_65_UP",
            "AGE_RANGE_UNDETERMINED",
            "MALE",
            "UNDETERMINED"
        ]
    );
    assert!(
        excluded
            .iter()
            .all(|c| c["negative"] == true && c.get("status").is_none()),
        "{excluded:?}"
    );
    let campaign = operations
        .iter()
        .find_map(|operation| operation.pointer("/campaignOperation/create"))
        .unwrap();
    assert_eq!(
        campaign["frequencyCaps"],
        json!([{ "cap": 3, "key": { "level": "CAMPAIGN", "eventType": "IMPRESSION", "timeUnit": "WEEK", "timeLength": 1 } }])
    );

    let mut men = women.clone();
    men.campaign.audience.age_min = None;
    men.campaign.audience.age_max = None;
    men.campaign.audience.genders = vec!["male".into()];
    men.campaign.frequency_cap = None;
    let manifest = built(&women);
    let next = mutations::next(Goal::Built, &desired(&men), &manifest, &account());
    let operations = next[0].body["mutateOperations"].as_array().unwrap();
    assert_eq!(next[0].objects, ["excludes/brand-exact/gender/female"]);
    let (last, before) = operations.split_last().unwrap();
    assert_eq!(
        last.pointer("/adGroupCriterionOperation/create/gender/type"),
        Some(&json!("FEMALE"))
    );
    assert_eq!(
        before.len(),
        5,
        "all but the unknown gender, which stays excluded"
    );
    let removal = |operation: &Value| operation.pointer("/adGroupCriterionOperation/remove").is_some();
    assert!(before.iter().all(removal), "{before:?}");
}
