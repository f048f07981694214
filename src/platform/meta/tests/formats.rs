//! Each ad format as Meta is told it, what is refused of each, and how its clicks are tracked.

use super::{account, all_made, manifest, read_back_rows, spec};
use crate::domain::error::ErrorClass;
use crate::domain::manifest::{Desired, Serving};
use crate::domain::plan::{Catalog, Objective};
use crate::domain::spec::{Asset, LegSpec};
use crate::domain::tracking::{self, Mode};
use crate::platform::fields::Sample;
use crate::platform::meta::{Meta, mapping, mutations, reading};
use crate::platform::{AccountFacts, Goal, Platform};
use serde_json::{Value, json};

/// The example with one ad of this format, and the assets it needs.
fn of(format: &str, assets: &[(&str, &str)]) -> LegSpec {
    let mut spec = spec();
    for (id, kind) in assets {
        let (field, digit) = if *kind == "video" {
            ("video_id", "7")
        } else {
            ("image_hash", "a")
        };
        let reference = format!("{}{id}", digit.repeat(4));
        let asset: Asset = serde_json::from_value(json!({ "asset_id": id, "kind": kind,
            "platform_refs": { "meta": { field: reference } } }))
        .expect("an asset");
        spec.assets.insert((*id).to_owned(), asset);
    }
    let ad = &mut spec.campaign.ad_groups[0].ads[0];
    format.clone_into(&mut ad.format);
    ad.asset_ids = assets.iter().map(|(id, _)| (*id).to_owned()).collect();
    spec
}

fn catalog() -> LegSpec {
    let mut spec = of("catalog", &[]);
    spec.campaign.objective = Objective::Sales;
    spec.campaign
        .settings
        .insert("product_set_id".to_owned(), json!("55"));
    spec.catalog = Some(Catalog {
        merchant_account: None,
        meta_catalog_id: Some("900".to_owned()),
        tiktok_catalog_id: None,
        tiktok_bc_id: None,
        countries: Vec::new(),
        max_critical: 0,
    });
    spec
}

/// Every setting, with a value that means something somewhere.
fn settings_known() -> Vec<(&'static str, Value)> {
    vec![
        ("page_id", json!("2")),
        ("instagram_user_id", json!("77")),
        ("dsa_beneficiary", json!("Other GmbH")),
        ("dsa_payor", json!("Other GmbH")),
        ("special_ad_categories", json!(["ISSUES_ELECTIONS_POLITICS"])),
        ("special_ad_category_country", json!(["DE"])),
        ("pixel_id", json!("9")),
        ("custom_event_type", json!("ADD_TO_CART")),
        ("application_id", json!("88")),
        (
            "object_store_url",
            json!("https://play.google.com/store/apps/details?id=a.b"),
        ),
        ("product_set_id", json!("66")),
        ("locales", json!([3])),
        ("tracking", json!("injected")),
    ]
}

/// A campaign of every format, one for reach, and one for an app.
pub(in crate::platform) fn samples() -> Vec<Sample> {
    let keys: Vec<&str> = settings_known().into_iter().map(|(key, _)| key).collect();
    assert_eq!(
        keys,
        crate::platform::meta::settings::KNOWN,
        "every setting is tried"
    );
    let mut reach = spec();
    reach.campaign.objective = Objective::Awareness;
    let mut capped = spec();
    capped.campaign.bidding.strategy = "cost_cap".to_owned();
    capped.campaign.bidding.bid = Some(capped.campaign.budget.amount);
    let mut specs = vec![
        ("single_image".to_owned(), spec()),
        ("reach".to_owned(), reach),
        ("cost_cap".to_owned(), capped),
    ];
    specs.extend(others());
    let sample = |(what, spec): (String, LegSpec)| Sample {
        // What a catalog ad's link carries is literal anyway.
        settings: settings_known()
            .into_iter()
            .filter(|(key, _)| what != "catalog" || *key != "tracking")
            .collect(),
        unused: &[],
        what,
        account: account(),
        facts: AccountFacts {
            currency: spec.currency,
            timezone: chrono_tz::Europe::Berlin,
            auto_tagging: None,
            minimum_daily: None,
            spendable: None,
            catalogs: Vec::new(),
            problems: Vec::new(),
        },
        spec,
    };
    specs.into_iter().map(sample).collect()
}

/// A campaign of every other format, and one whose purchases are counted.
fn others() -> Vec<(String, LegSpec)> {
    let mut sales = spec();
    sales.campaign.objective = Objective::Sales;
    sales
        .campaign
        .settings
        .insert("pixel_id".to_owned(), json!("1001"));
    vec![
        ("sales".to_owned(), sales),
        (
            "single_video".to_owned(),
            of("single_video", &[("v", "video"), ("i", "image")]),
        ),
        (
            "carousel".to_owned(),
            of("carousel", &[("1", "image"), ("2", "image")]),
        ),
        ("catalog".to_owned(), catalog()),
    ]
}

fn desired(spec: &LegSpec) -> Vec<Desired> {
    assert_eq!(Meta.check(spec), []);
    mapping::desire(spec).expect("desired")
}

fn creative(spec: &LegSpec) -> Value {
    let creative = desired(spec).into_iter().find(|d| d.kind == "adcreative");
    creative.expect("a creative").fields
}

fn pointers(spec: &LegSpec) -> Vec<String> {
    Meta.check(spec).into_iter().map(|p| p.pointer).collect()
}

const LINK: &str = "https://shop.acme.example/spring?ref=a%20b";

#[test]
fn a_video_has_its_still_whichever_asset_comes_first() {
    for assets in [[("v", "video"), ("i", "image")], [("i", "image"), ("v", "video")]] {
        let story = creative(&of("single_video", &assets))["object_story_spec"].clone();
        assert_eq!(
            story["video_data"],
            json!({ "video_id": "7777v", "image_hash": "aaaai", "message": "Light as air. Spring is here.",
                "title": "Acme Spring Sale", "call_to_action": { "type": "SHOP_NOW", "value": { "link": LINK } } })
        );
    }
}

#[test]
fn a_carousel_keeps_the_plans_order_and_a_video_takes_the_image_behind_it() {
    let mut spec = of(
        "carousel",
        &[("1", "image"), ("2", "video"), ("3", "image"), ("4", "image")],
    );
    let ad = &mut spec.campaign.ad_groups[0].ads[0];
    ad.headlines = ["One", "Two", "Three"].map(str::to_owned).into();
    ad.descriptions = vec!["All".to_owned()];
    let card = |hash: &str, name: &str| {
        json!({ "link": LINK, "image_hash": hash, "name": name, "description": "All",
        "call_to_action": { "type": "SHOP_NOW" } })
    };
    let mut second = card("aaaa3", "Two");
    second["video_id"] = json!("77772");
    assert_eq!(
        creative(&spec)["object_story_spec"]["link_data"],
        json!({ "link": LINK, "message": "Light as air. Spring is here.", "multi_share_optimized": false,
            "child_attachments": [card("aaaa1", "One"), second, card("aaaa4", "Three")] })
    );
}

#[test]
fn a_catalog_ad_is_a_template_of_a_set_and_its_campaign_promotes_the_catalog() {
    let spec = catalog();
    assert_eq!(Meta.catalog_used(&spec).as_deref(), Some("900"));
    let all = desired(&spec);
    assert_eq!(
        all[0].fields["promoted_object"],
        json!({ "product_catalog_id": "900" })
    );
    assert_eq!(
        all[1].fields["promoted_object"],
        json!({ "product_set_id": "55", "custom_event_type": "PURCHASE" })
    );
    assert_eq!(all[1].fields["optimization_goal"], "OFFSITE_CONVERSIONS");
    let fields = creative(&spec);
    assert_eq!(fields["product_set_id"], "55");
    assert_eq!(
        fields["object_story_spec"]["template_data"],
        json!({ "link": LINK, "message": "Light as air. Spring is here.", "name": "Acme Spring Sale",
            "call_to_action": { "type": "SHOP_NOW" } })
    );
    let mut traffic = spec;
    traffic.campaign.objective = Objective::Traffic;
    let all = desired(&traffic);
    assert_eq!(all[0].fields.get("promoted_object"), None);
    assert_eq!(
        all[1].fields["promoted_object"],
        json!({ "product_set_id": "55" })
    );
}

#[test]
fn nothing_of_an_ad_is_dropped_silently() {
    let image = || of("single_image", &[("i", "image")]);
    let ad = |change: fn(&mut crate::domain::plan::Ad)| {
        let mut spec = image();
        change(&mut spec.campaign.ad_groups[0].ads[0]);
        pointers(&spec)
    };
    let two = || vec!["a".to_owned(), "b".to_owned()];
    assert_eq!(ad(|_| ()), [] as [&str; 0]);
    assert_eq!(ad(|ad| ad.width = Some(300)), ["/ad_groups/0/ads/0/width"]);
    assert_eq!(ad(|ad| ad.path2 = Some("x".into())), ["/ad_groups/0/ads/0/path2"]);
    let mut texts = image();
    let one = &mut texts.campaign.ad_groups[0].ads[0];
    (one.headlines, one.descriptions) = (two(), two());
    assert_eq!(
        pointers(&texts),
        ["/ad_groups/0/ads/0/headlines", "/ad_groups/0/ads/0/descriptions"]
    );
    let wrong: [(&str, &[(&str, &str)]); 9] = [
        ("single_image", &[("v", "video")]),
        ("single_image", &[("1", "image"), ("2", "image")]),
        ("single_video", &[("v", "video")]),
        ("single_video", &[("1", "image"), ("2", "image")]),
        ("carousel", &[("1", "image")]),
        ("carousel", &[("1", "image"), ("v", "video")]),
        ("carousel", &[("v", "video"), ("w", "video"), ("1", "image")]),
        ("catalog", &[("1", "image")]),
        ("slideshow", &[]),
    ];
    for (format, assets) in wrong {
        let place = if format == "slideshow" {
            "format"
        } else {
            "asset_ids"
        };
        let found = pointers(&of(format, assets));
        assert!(
            found.contains(&format!("/ad_groups/0/ads/0/{place}")),
            "{format} {assets:?}: {found:?}"
        );
    }
    let ids: Vec<String> = (0..11).map(|n| n.to_string()).collect();
    let eleven: Vec<(&str, &str)> = ids.iter().map(|id| (id.as_str(), "image")).collect();
    assert_eq!(
        pointers(&of("carousel", &eleven)),
        ["/ad_groups/0/ads/0/asset_ids"]
    );
    let mut texts = of("carousel", &[("1", "image"), ("2", "image"), ("3", "image")]);
    texts.campaign.ad_groups[0].ads[0].headlines = two();
    assert_eq!(pointers(&texts), ["/ad_groups/0/ads/0/headlines"]);
}

#[test]
fn products_need_their_catalog_their_set_and_an_objective_that_sells() {
    let broken = |change: fn(&mut LegSpec)| {
        let mut spec = catalog();
        change(&mut spec);
        pointers(&spec)
    };
    assert_eq!(broken(|s| s.catalog = None), ["/settings/product_set_id"]);
    assert_eq!(
        broken(|s| {
            s.campaign.settings.remove("product_set_id");
        }),
        ["/settings/product_set_id"]
    );
    assert_eq!(
        broken(|s| s.campaign.objective = Objective::Awareness),
        ["/objective"]
    );
    let mixed = broken(|s| {
        let mut image = of("single_image", &[("i", "image")]).campaign.ad_groups.remove(0);
        image.key = crate::domain::ids::LogicalKey::parse("second").expect("a key");
        s.campaign.ad_groups.push(image);
    });
    assert_eq!(mixed, ["/ad_groups"]);
    let mut idle = spec();
    idle.campaign
        .settings
        .insert("product_set_id".to_owned(), json!("55"));
    assert_eq!(pointers(&idle), ["/settings/product_set_id"]);
    idle = spec();
    idle.campaign
        .settings
        .insert("custom_event_type".to_owned(), json!("LEAD"));
    assert_eq!(pointers(&idle), ["/settings/custom_event_type"]);
}

#[test]
fn what_is_offered_is_what_check_says() {
    for objective in Objective::ALL {
        assert!(Meta.offer(objective, None).is_ok(), "{objective:?}");
        let not = Meta.offer(objective, Some("display")).expect_err("no channels");
        let mut spec = spec();
        spec.campaign.channel = Some("display".to_owned());
        let problem = Meta.check(&spec).remove(0);
        assert_eq!(
            (problem.what.as_str(), problem.remedy.as_str()),
            (not.why, not.instead)
        );
    }
    assert_eq!(Meta.channels(), [] as [&str; 0]);
}

#[test]
fn an_app_is_advertised_at_its_store() {
    let mut spec = spec();
    spec.campaign.objective = Objective::App;
    let store = "https://store.example/app";
    spec.campaign
        .settings
        .insert("application_id".to_owned(), json!("88"));
    spec.campaign
        .settings
        .insert("object_store_url".to_owned(), json!(store));
    assert_eq!(pointers(&spec), ["/ad_groups/0/ads/0/landing_url"]);
    spec.campaign.ad_groups[0].ads[0].landing_url = store.parse().expect("a URL");
    assert_eq!(pointers(&spec), [] as [&str; 0]);
}

/// Each format, read back as Meta shows it: tracked once on every link, by macro or by the literal id.
#[test]
fn every_link_of_every_format_is_tracked_once() {
    let cases = [
        (of("single_image", &[("i", "image")]), Mode::UtmMacro, 1),
        (
            of("single_video", &[("v", "video"), ("i", "image")]),
            Mode::UtmMacro,
            1,
        ),
        (
            of("carousel", &[("1", "image"), ("2", "image")]),
            Mode::UtmMacro,
            3,
        ),
        (catalog(), Mode::UtmInjected, 1),
    ];
    for (mut spec, mode, links) in cases {
        // The client's own ids in the landing URL would stand there twice.
        spec.campaign.ad_groups[0].ads[0].landing_url =
            "https://shop.acme.example/?kcid=old&utm_source=x&q=1#top"
                .parse()
                .expect("a URL");
        let (desired, made) = all_made(&spec, Serving::Paused);
        let mut begun = manifest(&spec);
        begun.objects = made.objects[..2].to_vec();
        let create = mutations::next(Goal::Built, &desired, &begun, &account());
        let creative = create[0].body.clone();
        assert!(
            !creative.to_string().contains('@'),
            "the place of the id is filled: {creative}"
        );
        let rows = read_back_rows(&made, &desired, &creative);
        let read = reading::reading(&made, &rows);
        assert_eq!(read.tracking.len(), links, "{:?}", read.tracking);
        for place in &read.tracking {
            let url = url::Url::parse(&place.value).expect("a URL");
            assert_eq!(tracking::repeated_parameters(&url), [] as [&str; 0], "{url}");
            assert_eq!(url.fragment(), Some("top"), "{url}");
        }
        let rule = Meta.traits().tracking;
        assert_eq!(tracking::check(rule, None, "100", &read.tracking), Ok(mode));
        let seen = read
            .objects
            .iter()
            .find(|o| o.key.starts_with("creative/"))
            .expect("it");
        let wanted = desired.iter().find(|d| d.key == seen.key).expect("it");
        assert_eq!(
            seen.fields["object_story_spec"],
            wanted.fields["object_story_spec"]
        );
        assert_eq!(seen.fields["url_tags"], wanted.fields["url_tags"]);
    }
}

#[test]
fn a_tag_in_any_link_of_a_creative_is_seen() {
    let spec = of("carousel", &[("1", "image"), ("2", "image")]);
    let (desired, made) = all_made(&spec, Serving::Paused);
    let mut creative = desired[2].fields.clone();
    let link = "/object_story_spec/link_data/child_attachments/1/link";
    *creative.pointer_mut(link).expect("the second card's link") =
        json!("https://x.example/?utm_source=other");
    let read = reading::reading(&made, &read_back_rows(&made, &desired, &creative));
    let violations = tracking::check(Meta.traits().tracking, None, "100", &read.tracking);
    let violations = violations.expect_err("utm_source twice");
    assert_eq!(violations.len(), 1, "{violations:?}");
    assert!(
        violations[0].field.ends_with("child_attachments/1/link"),
        "{violations:?}"
    );
}

#[test]
fn what_meta_fills_into_a_card_is_no_difference() {
    let spec = of("carousel", &[("1", "image"), ("2", "image")]);
    let (desired, made) = all_made(&spec, Serving::Paused);
    let mut creative = desired[2].fields.clone();
    let cards = creative.pointer_mut("/object_story_spec/link_data/child_attachments");
    for card in cards.and_then(Value::as_array_mut).expect("cards") {
        card["caption"] = json!("shop.acme.example");
        card["picture"] = json!("https://scontent.example/1");
    }
    let read = reading::reading(&made, &read_back_rows(&made, &desired, &creative));
    let seen = read
        .objects
        .iter()
        .find(|o| o.key.starts_with("creative/"))
        .expect("it");
    assert_eq!(
        seen.fields["object_story_spec"]["link_data"]["child_attachments"],
        desired[2].fields["object_story_spec"]["link_data"]["child_attachments"]
    );
}

#[test]
fn a_carousel_that_cannot_be_one_is_refused_before_anything_is_sent() {
    let spec = of("carousel", &[("1", "image")]);
    let refused = mapping::desire(&spec).expect_err("one card is none");
    assert_eq!(refused.class, ErrorClass::Validation);
    let mut missing = of("single_image", &[("i", "image")]);
    missing.assets.clear();
    let refused = mapping::desire(&missing).expect_err("no hash");
    assert_eq!(refused.class, ErrorClass::AssetMissing);
}
