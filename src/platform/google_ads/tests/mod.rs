//! The pure half of the adapter, on the contract's example plan: what is desired and which calls lead there.
//! `UPDATE_GOLDEN=1` rewrites the golden files.

mod channels;
mod reading;

use super::channel::Channel;
use super::kinds::Kind;
use super::{GoogleAds, check, mapping, mutations};
use crate::domain::ids::{LegKey, LogicalKey, PlanId, PlanVersion, PlatformId, TenantId, campaign_name};
use crate::domain::manifest::{Desired, Manifest, ObjectState, RemoteObject, Serving};
use crate::domain::money::{Currency, Money};
use crate::domain::plan::{
    Ad, AdGroup, Audience, Bidding, Budget, Campaign, Crm, Keyword, MatchType, Objective, Period, Schedule,
};
use crate::domain::spec::LegSpec;
use crate::domain::tenant::Account;
use crate::platform::fields::Sample;
use crate::platform::{AccountFacts, Goal, Mutation, Op, Platform as _};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

fn utc(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}

fn eur(amount: &str) -> Money {
    Money::parse(amount, Currency::parse("EUR").unwrap()).unwrap()
}

fn keyword(text: &str, match_type: MatchType) -> Keyword {
    Keyword {
        text: text.into(),
        match_type,
    }
}

/// The Google Ads campaign of `contract/plan.approved.example.json`.
fn spec() -> LegSpec {
    let key = LegKey {
        tenant_id: TenantId::parse("acme").unwrap(),
        plan_version: PlanVersion::parse("spring-sale-2027.3").unwrap(),
        platform: PlatformId::parse("google-ads").unwrap(),
        logical_campaign_key: LogicalKey::parse("search-brand").unwrap(),
    };
    let ad = Ad {
        key: LogicalKey::parse("rsa-1").unwrap(),
        format: "responsive_search".into(),
        asset_ids: vec![],
        landing_url: "https://shop.acme.example/spring?ref=search&utm_source=x"
            .parse()
            .unwrap(),
        headlines: ["Acme Running Shoes", "Spring Sale: 20 % Off", "Free Returns"]
            .map(String::from)
            .into(),
        long_headlines: vec![],
        descriptions: [
            "New spring colours, light as air.",
            "Order by 6 pm, run tomorrow.",
        ]
        .map(String::from)
        .into(),
        primary_text: None,
        call_to_action: None,
        path1: Some("spring".into()),
        path2: None,
        width: None,
        height: None,
    };
    let group = AdGroup {
        key: LogicalKey::parse("brand-exact").unwrap(),
        keywords: vec![
            keyword("acme running shoes", MatchType::Exact),
            keyword("Acme  Shoes", MatchType::Phrase),
        ],
        negative_keywords: vec![keyword("repair", MatchType::Broad)],
        ads: vec![ad],
    };
    LegSpec {
        campaign_name: campaign_name(&key, "sales", true),
        plan_id: PlanId::parse("spring-sale-2027").unwrap(),
        currency: Currency::parse("EUR").unwrap(),
        timezone: chrono_tz::Europe::Berlin,
        approved_at: utc("2026-11-20T09:30:00Z"),
        eu_political_advertising: "does_not_contain".into(),
        catalog: None,
        assets: BTreeMap::new(),
        campaign: Campaign {
            logical_campaign_key: key.logical_campaign_key.clone(),
            platform: key.platform.clone(),
            objective: Objective::Sales,
            channel: Some("search".into()),
            budget: Budget {
                amount: eur("250.00"),
                period: Period::Daily,
            },
            schedule: Schedule {
                start: utc("2027-02-28T23:00:00Z"),
                end: Some(utc("2027-03-31T21:59:59Z")),
            },
            bidding: Bidding {
                strategy: "maximize_conversions".into(),
                target_cpa: Some(eur("18.50")),
                target_roas_micros: None,
                bid: None,
                kpi: None,
            },
            audience: Audience {
                countries: vec!["DE".into(), "AT".into()],
                languages: vec!["de".into()],
                age_min: None,
                age_max: None,
                genders: vec![],
            },
            crm: Crm {
                kcid: Some("SKU-10442".into()),
                kpv: Some("spring-2027".into()),
            },
            frequency_cap: None,
            settings: Map::new(),
            ad_groups: vec![group],
        },
        key,
    }
}

fn account() -> Account {
    Account {
        account_id: "123-456-7890".into(),
        login_account_id: Some("9876543210".into()),
        partner_id: None,
        status: "active".into(),
        credential: "acme-google".into(),
    }
}

fn facts() -> AccountFacts {
    AccountFacts {
        currency: Currency::parse("EUR").unwrap(),
        timezone: chrono_tz::Europe::Berlin,
        auto_tagging: Some(true),
        minimum_daily: None,
        spendable: None,
        catalogs: vec!["555666".into()],
        problems: vec![],
    }
}

/// Every setting, with a value that means something somewhere.
fn settings_known() -> Vec<(&'static str, Value)> {
    vec![
        ("search_partners", json!(true)),
        ("display_network", json!(true)),
        ("geo_target", json!("presence_or_interest")),
        ("business_name", json!("Acme Boots")),
        ("logos", json!(["square"])),
        ("feed_label", json!("AT")),
        ("priority", json!(1)),
        ("local_products", json!(true)),
        ("products", json!(true)),
        ("brand_guidelines", json!(false)),
        ("generated_content", json!(true)),
    ]
}

/// A campaign of every channel, and one of demand gen's videos.
pub(in crate::platform) fn samples() -> Vec<Sample> {
    let tried: Vec<&str> = settings_known().into_iter().map(|(key, _)| key).collect();
    let all = [Channel::Search].into_iter().chain(channels::OTHERS);
    let missed: Vec<&&str> = all
        .flat_map(|channel| channel.settings())
        .filter(|key| !tried.contains(key))
        .collect();
    assert!(missed.is_empty(), "every setting is tried: {missed:?}");
    let mut specs = vec![("search".to_owned(), spec())];
    for channel in channels::OTHERS {
        specs.push((channel.as_str().to_owned(), channels::on(channel)));
    }
    specs.push(("demand_gen, video".to_owned(), channels::video()));
    let sample = |(what, spec): (String, LegSpec)| Sample {
        settings: settings_known(),
        unused: if what == "shopping" {
            &["/ad_groups/0/ads/0/landing_url"]
        } else {
            &[]
        },
        what,
        spec,
        account: account(),
        facts: facts(),
    };
    specs.into_iter().map(sample).collect()
}

fn desired(spec: &LegSpec) -> Vec<Desired> {
    mapping::desire(spec, &account(), &facts()).unwrap()
}

fn empty(spec: &LegSpec) -> Manifest {
    Manifest {
        leg: spec.key.clone(),
        account_id: "1234567890".into(),
        campaign_name: spec.campaign_name.clone(),
        revision: 0,
        mutation_count: 0,
        tracking_mode: None,
        objects: vec![],
    }
}

/// The manifest after everything was created; ids as Google gives them.
fn built(spec: &LegSpec) -> Manifest {
    let mut manifest = empty(spec);
    let mut next = 10;
    for object in desired(spec) {
        next += 1;
        let parent = |key: Option<&str>| key.and_then(|key| manifest.id(key)).unwrap_or("0").to_owned();
        let remote_id = match Kind::parse(object.kind).unwrap() {
            Kind::Budget | Kind::Label | Kind::Campaign | Kind::AdGroup | Kind::Asset | Kind::AssetGroup => {
                next.to_string()
            }
            Kind::CampaignCriterion
            | Kind::CampaignLabel
            | Kind::AdGroupCriterion
            | Kind::AdGroupAd
            | Kind::CampaignAsset
            | Kind::ListingGroupFilter
            | Kind::AssetGroupAsset => {
                format!("{}~{next}", parent(object.parent.as_deref()))
            }
        };
        manifest.objects.push(RemoteObject {
            state: ObjectState::Created,
            remote_id: Some(remote_id),
            ..RemoteObject::intended(&object)
        });
    }
    manifest
}

fn one(goal: Goal, spec: &LegSpec, manifest: &Manifest) -> Mutation {
    let mut all = mutations::next(goal, &desired(spec), manifest, &account());
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

fn none(goal: Goal, spec: &LegSpec, manifest: &Manifest) {
    assert_eq!(
        mutations::next(goal, &desired(spec), manifest, &account()),
        vec![]
    );
}

fn operations(mutation: &Mutation) -> &Vec<Value> {
    mutation.body["mutateOperations"].as_array().unwrap()
}

fn golden(name: &str, value: &Value) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("src/platform/google_ads/testdata")
        .join(name);
    let text = serde_json::to_string_pretty(value).unwrap() + "\n";
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text, "{name}");
}

#[test]
fn the_example_plan_is_fine_and_becomes_one_request() {
    let spec = spec();
    assert_eq!(check::check(&spec), vec![]);
    let mutation = one(Goal::Built, &spec, &empty(&spec));
    assert_eq!(mutation.op, Op::Create);
    assert_eq!(mutation.path, "/v26/customers/1234567890/googleAds:mutate");
    let keys: Vec<String> = desired(&spec).into_iter().map(|object| object.key).collect();
    assert_eq!(mutation.objects, keys);
    assert_eq!(operations(&mutation).len(), keys.len());
    golden("create.json", &mutation.body);
    assert!(!mutation.body.to_string().contains("utm_"));
}

#[test]
fn operations_are_grouped_by_type() {
    let spec = spec();
    let mutation = one(Goal::Built, &spec, &empty(&spec));
    let mut types: Vec<&String> = operations(&mutation)
        .iter()
        .map(|o| o.as_object().unwrap().keys().next().unwrap())
        .collect();
    types.dedup();
    assert_eq!(types.len(), 8);
}

#[test]
fn nothing_is_sent_when_everything_is_as_desired() {
    let spec = spec();
    let manifest = built(&spec);
    none(Goal::Built, &spec, &manifest);
    none(Goal::Paused, &spec, &manifest);
    none(Goal::Removed, &spec, &empty(&spec));
    none(Goal::Active, &spec, &empty(&spec));
}

#[test]
fn one_missing_object_is_created_beneath_the_real_ones() {
    let spec = spec();
    for missing in desired(&spec) {
        let mut manifest = built(&spec);
        // Only what hangs beneath nothing that is gone, and has nothing beneath it.
        let parents = ["budget", "label", "campaign", "ad_group/brand-exact"];
        if parents.contains(&missing.key.as_str()) {
            continue;
        }
        for object in &mut manifest.objects {
            if object.key == missing.key {
                object.state = ObjectState::Removed;
            }
        }
        let mutation = one(Goal::Built, &spec, &manifest);
        assert_eq!(mutation.objects, std::slice::from_ref(&missing.key));
        let text = mutation.body.to_string();
        assert!(!text.contains("/-"), "{text}");
    }
}

#[test]
fn a_missing_ad_group_comes_back_with_what_hung_beneath_it() {
    let spec = spec();
    let mut manifest = built(&spec);
    manifest
        .objects
        .retain(|object| !object.key.contains("brand-exact"));
    let mutation = one(Goal::Built, &spec, &manifest);
    assert_eq!(mutation.objects.len(), 5);
    let operations = operations(&mutation);
    let campaign = Kind::Campaign.resource_name(&account(), manifest.campaign_id().unwrap());
    assert_eq!(
        operations[0]["adGroupOperation"]["create"]["campaign"],
        campaign.as_str()
    );
    assert_eq!(
        operations[4]["adGroupAdOperation"]["create"]["adGroup"],
        "customers/1234567890/adGroups/-1"
    );
}

#[test]
fn what_is_intended_is_never_named_nor_what_hangs_beneath_it() {
    let spec = spec();
    let mut manifest = built(&spec);
    for object in &mut manifest.objects {
        object.state = ObjectState::Intended;
        object.remote_id = None;
    }
    for goal in [Goal::Built, Goal::Active, Goal::Paused, Goal::Removed] {
        none(goal, &spec, &manifest);
    }
    manifest.objects.retain(|object| object.key == "campaign");
    let mutation = one(Goal::Built, &spec, &manifest);
    assert_eq!(mutation.objects, ["budget", "label"]);
}

#[test]
fn a_changed_budget_is_one_field_of_one_object() {
    let mut spec = spec();
    let manifest = built(&spec);
    spec.campaign.budget.amount = eur("300.00");
    let mutation = one(Goal::Built, &spec, &manifest);
    assert_eq!(mutation.objects, ["budget"]);
    let update =
        json!({"resourceName": "customers/1234567890/campaignBudgets/11", "amountMicros": "300000000"});
    assert_eq!(
        *operations(&mutation),
        [json!({"campaignBudgetOperation": {"update": update, "updateMask": "amountMicros"}})]
    );
    let Op::Update { applied } = &mutation.op else {
        panic!("{:?}", mutation.op)
    };
    assert_eq!(
        applied["budget"],
        json!({"period": "daily", "amount_micros": 300_000_000})
    );
}

#[test]
fn every_changed_field_is_masked_and_nothing_else() {
    let mut spec = spec();
    let manifest = built(&spec);
    let campaign = &mut spec.campaign;
    campaign.schedule.end = None;
    campaign.bidding.strategy = "maximize_conversion_value".into();
    campaign.bidding.target_cpa = None;
    campaign.bidding.target_roas_micros = Some(3_500_000);
    campaign.crm.kpv = None;
    campaign.settings.insert("search_partners".into(), true.into());
    campaign.ad_groups[0].ads[0].headlines[2] = "Free Delivery".into();
    let mutation = one(Goal::Built, &spec, &manifest);
    assert_eq!(mutation.objects, ["campaign", "ad/brand-exact/rsa-1"]);
    golden("update.json", &mutation.body);
}

#[test]
fn a_start_that_was_given_is_kept_once_it_has_come() {
    let mut spec = spec();
    let manifest = built(&spec);
    spec.approved_at = utc("2027-03-10T00:00:00Z");
    none(Goal::Built, &spec, &manifest);
    let start = |spec: &LegSpec| desired(spec)[2].fields["start"].clone();
    // Left out: whatever day the campaign has is right.
    assert_eq!(start(&spec), Value::Null);
    assert!(desired(&spec)[2].fields.get("start").is_none());
    spec.approved_at = utc("2026-11-20T09:30:00Z");
    assert_eq!(start(&spec), "2027-03-01");
}

#[test]
fn days_are_those_of_the_accounts_zone() {
    let mut spec = spec();
    spec.campaign.schedule.end = Some(utc("2027-04-01T04:00:00Z"));
    let facts = AccountFacts {
        timezone: chrono_tz::America::New_York,
        ..facts()
    };
    let fields = mapping::desire(&spec, &account(), &facts)
        .unwrap()
        .swap_remove(2)
        .fields;
    assert_eq!(fields["start"], "2027-02-28");
    // Midnight there: the last day is the one before.
    assert_eq!(fields["end"], "2027-03-31");
}

#[test]
fn what_is_no_longer_desired_is_removed_after_the_rest_is_there() {
    let mut spec = spec();
    let mut manifest = built(&spec);
    spec.campaign.audience.countries = vec!["FR".into()];
    let first = one(Goal::Built, &spec, &manifest);
    assert_eq!(
        (first.op, first.objects),
        (Op::Create, vec!["location/FR".to_owned()])
    );
    let mut france = manifest.objects[3].clone();
    france.key = "location/FR".into();
    france.applied = json!({"geo_target": "geoTargetConstants/2250"});
    manifest.objects.push(france);
    let second = one(Goal::Built, &spec, &manifest);
    assert_eq!(second.op, Op::Remove);
    assert_eq!(second.objects, ["location/DE", "location/AT"]);
    assert_eq!(second.body["partialFailure"], true);
}

#[test]
fn a_keyword_makes_way_for_its_opposite() {
    let mut spec = spec();
    let manifest = built(&spec);
    let group = &mut spec.campaign.ad_groups[0];
    let repair = group.negative_keywords.remove(0);
    group.keywords.push(repair);
    let mutation = one(Goal::Built, &spec, &manifest);
    assert_eq!(mutation.op, Op::Remove);
    assert!(mutation.objects[0].starts_with("negative/brand-exact/broad/"));
}

#[test]
fn one_switch_turns_everything_on_and_off() {
    let spec = spec();
    let mut manifest = built(&spec);
    let on = one(Goal::Active, &spec, &manifest);
    assert_eq!(
        on.objects,
        ["campaign", "ad_group/brand-exact", "ad/brand-exact/rsa-1"]
    );
    let switch = |operation: &str, name: &str| json!({ operation: {"update": {"resourceName": format!("customers/1234567890/{name}"), "status": "ENABLED"}, "updateMask": "status"} });
    let ids =
        ["ad_group/brand-exact", "ad/brand-exact/rsa-1"].map(|key| manifest.id(key).unwrap().to_owned());
    assert_eq!(
        *operations(&on),
        [
            switch("campaignOperation", "campaigns/13"),
            switch("adGroupOperation", &format!("adGroups/{}", ids[0])),
            switch("adGroupAdOperation", &format!("adGroupAds/{}", ids[1])),
        ]
    );
    let campaign = manifest.objects.iter().position(|o| o.key == "campaign").unwrap();
    manifest.objects[campaign].serving = Serving::Active;
    let rest = one(Goal::Active, &spec, &manifest);
    assert_eq!(
        rest.objects,
        on.objects[1..],
        "what was added beneath a campaign that is on"
    );
    for object in manifest
        .objects
        .iter_mut()
        .filter(|o| o.serving == Serving::Paused)
    {
        object.serving = Serving::Active;
    }
    none(Goal::Active, &spec, &manifest);
    none(Goal::Built, &spec, &manifest);
    let off = one(Goal::Paused, &spec, &manifest);
    assert_eq!(
        operations(&off)[0]["campaignOperation"]["update"]["status"],
        "PAUSED"
    );
    assert_eq!(off.objects, ["campaign"], "nothing serves beneath it");
}

#[test]
fn removing_takes_the_campaign_and_the_label_and_means_all() {
    let spec = spec();
    let manifest = built(&spec);
    let mutation = one(Goal::Removed, &spec, &manifest);
    assert_eq!(mutation.objects.len(), manifest.objects.len());
    assert_eq!(
        *operations(&mutation),
        [
            json!({"campaignOperation": {"remove": "customers/1234567890/campaigns/13"}}),
            json!({"labelOperation": {"remove": "customers/1234567890/labels/12"}}),
        ]
    );
    let single = GoogleAds.removal("ad_group_ad", "16~21", &account());
    assert_eq!(
        *operations(&single),
        [json!({"adGroupAdOperation": {"remove": "customers/1234567890/adGroupAds/16~21"}})]
    );
}

#[test]
fn auto_tagging_is_turned_on_only_where_it_is_off() {
    assert_eq!(GoogleAds.account_mutations(&account(), &facts()), vec![]);
    let off = AccountFacts {
        auto_tagging: Some(false),
        ..facts()
    };
    let mutation = GoogleAds.account_mutations(&account(), &off).remove(0);
    assert_eq!(mutation.path, "/v26/customers/1234567890:mutate");
    golden("auto_tagging.json", &mutation.body);
}

#[test]
fn a_strategy_decides_where_the_bid_goes() {
    let mut spec = spec();
    spec.campaign.bidding = Bidding {
        strategy: "manual_cpc".into(),
        target_cpa: None,
        target_roas_micros: None,
        bid: Some(eur("1.20")),
        kpi: None,
    };
    assert_eq!(check::check(&spec), vec![]);
    let mutation = one(Goal::Built, &spec, &empty(&spec));
    let text = mutation.body.to_string();
    assert!(
        text.contains(r#""cpcBidMicros":"1200000""#) && text.contains("manualCpc"),
        "{text}"
    );
    spec.campaign.bidding.strategy = "maximize_clicks".into();
    let text = one(Goal::Built, &spec, &empty(&spec)).body.to_string();
    assert!(
        text.contains(r#""targetSpend":{"cpcBidCeilingMicros":"1200000"}"#),
        "{text}"
    );
}

#[test]
fn a_lifetime_budget_has_a_total() {
    let mut spec = spec();
    spec.campaign.budget = Budget {
        amount: eur("9000.05"),
        period: Period::Lifetime,
    };
    let mutation = one(Goal::Built, &spec, &empty(&spec));
    let budget = &operations(&mutation)[0]["campaignBudgetOperation"]["create"];
    assert_eq!(budget["totalAmountMicros"], "9000050000");
    assert_eq!(budget["period"], "CUSTOM_PERIOD");
    assert!(budget.get("amountMicros").is_none());
    spec.campaign.schedule.end = None;
    assert_eq!(check::check(&spec)[0].pointer, "/schedule/end");
}

#[test]
fn long_names_are_cut_and_stay_unique() {
    let name = |tail: &str| mapping::label_name(&format!("{}{tail}", "n".repeat(100)));
    assert_eq!(name("a").len(), 80);
    assert_ne!(name("a"), name("b"));
    assert_eq!(mapping::label_name("short"), "short");
}

#[test]
fn problems_are_all_named_with_their_place() {
    let mut spec = spec();
    let campaign = &mut spec.campaign;
    campaign.settings.insert("search_partner".into(), true.into());
    campaign.bidding.strategy = "maximise_conversions".into();
    campaign.audience.countries.push("XX".into());
    campaign.audience.languages.push("xx".into());
    campaign.audience.age_min = Some(20);
    campaign.crm.kpv = Some("a b".into());
    let group = &mut campaign.ad_groups[0];
    group
        .keywords
        .push(keyword("ACME running shoes", MatchType::Exact));
    group.keywords.push(keyword("50% off", MatchType::Exact));
    group.ads[0].headlines[0] = "x".repeat(31);
    group.ads[0]
        .headlines
        .push("ランニングシューズを今すぐ購入".into());
    group.ads[0].path1 = None;
    group.ads[0].path2 = Some("a".into());
    let mut found: Vec<String> = check::check(&spec).into_iter().map(|p| p.pointer).collect();
    found.sort();
    let group = "/ad_groups/0";
    let mut wanted = vec![
        "/audience/age_min".to_owned(),
        "/audience/countries/2".into(),
        "/audience/languages/1".into(),
        "/bidding/strategy".into(),
        "/crm/kpv".into(),
        "/settings/search_partner".into(),
        format!("{group}/ads/0/headlines/0"),
        format!("{group}/ads/0/path2"),
        format!("{group}/keywords/2"),
        format!("{group}/keywords/3"),
    ];
    wanted.sort();
    assert_eq!(found, wanted);
    let hints: Vec<String> = check::check(&spec).into_iter().map(|p| p.what).collect();
    assert!(
        hints
            .iter()
            .any(|what| what.contains("did you mean \"search_partners\"?")),
        "{hints:?}"
    );
    spec.campaign.channel = Some("shopping".into());
    spec.campaign.objective = Objective::Leads;
    let not = GoogleAds.offer(Objective::Leads, Some("shopping")).unwrap_err();
    let problems = check::check(&spec);
    assert_eq!((problems[0].what.as_str(), problems.len()), (not.why, 1));
    assert!(problems[0].remedy.contains(not.instead));
}
