//! The rules of creatives of every format, of what they show, and of catalogs.

use super::*;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const HASH: &str = "0123456789abcdef0123456789abcdef";

fn made(world: &mut World, change: impl Fn(&mut Value)) -> (u16, Value) {
    let mut params = creative();
    change(&mut params);
    post(world, "act_42/adcreatives", params)
}

fn carousel(cards: usize) -> Value {
    let card = json!({"link": "https://shop.acme.example/", "image_hash": HASH, "name": "One"});
    json!({"page_id": "1", "link_data": {"link": "https://shop.acme.example/", "child_attachments": vec![card; cards]}})
}

fn video() -> Value {
    json!({"page_id": "1", "video_data": {"video_id": "77", "image_hash": HASH,
        "call_to_action": {"type": "SHOP_NOW", "value": {"link": "https://shop.acme.example/"}}}})
}

fn template() -> Value {
    json!({"page_id": "1", "template_data": {"link": "https://shop.acme.example/", "name": "{{product.name}}",
        "call_to_action": {"type": "SHOP_NOW"}}})
}

#[test]
fn every_format_has_rules_that_bite() {
    let mut world = World::new(7, 0);
    let mut tell = |story: Value, set: Option<&str>| {
        made(&mut world, |params| {
            params["object_story_spec"] = story.clone();
            if let Some(set) = set {
                params["product_set_id"] = set.into();
            }
        })
    };
    assert_eq!(tell(carousel(2), None).0, 200);
    assert_eq!(tell(carousel(10), None).0, 200);
    assert_eq!(tell(video(), None).0, 200);
    assert_eq!(tell(template(), Some("55")).0, 200);
    let mut both = carousel(2);
    both["video_data"] = video()["video_data"].clone();
    for (rule, story, set, words) in [
        (
            "meta.carousels-of-two-to-ten",
            carousel(1),
            None,
            "2 to 10 elements",
        ),
        ("", carousel(11), None, "2 to 10 elements"),
        ("meta.a-template-shows-a-set", template(), None, "product_set_id"),
        (
            "meta.only-a-template-shows-a-set",
            carousel(2),
            Some("55"),
            "only with template_data",
        ),
        (
            "meta.a-story-is-told-in-one-way",
            both,
            None,
            "exactly one of link_data",
        ),
    ] {
        let (status, body) = tell(story, set);
        assert_eq!((status, code(&body).0), (400, 100), "{rule}: {body}");
        assert!(body.to_string().contains(words), "{rule}: {body}");
    }
    let unknown = json!({"link": "https://x.example/", "image_hash": HASH, "titel": "x"});
    for (rule, story, pointer, value, words) in [
        (
            "meta.a-card-has-a-link",
            carousel(2),
            "/link_data/child_attachments/1/link",
            Value::Null,
            "each child attachment needs a link",
        ),
        (
            "meta.an-image-is-there",
            carousel(2),
            "/link_data/child_attachments/1/image_hash",
            json!("nope"),
            "image hash nope does not exist",
        ),
        (
            "meta.a-card-shows-something",
            carousel(2),
            "/link_data/child_attachments/1/image_hash",
            Value::Null,
            "needs an image_hash or a picture",
        ),
        (
            "",
            carousel(2),
            "/link_data/child_attachments/1",
            unknown,
            "unknown field titel",
        ),
        (
            "meta.a-videos-id-is-a-number",
            video(),
            "/video_data/video_id",
            json!("not a number"),
            "video",
        ),
        (
            "meta.a-video-has-a-still",
            video(),
            "/video_data/image_hash",
            json!(""),
            "image_hash or image_url",
        ),
        (
            "",
            video(),
            "/video_data/call_to_action/type",
            json!("shop_now"),
            "call to action types",
        ),
        (
            "",
            video(),
            "/video_data/call_to_action/value",
            json!({"url": "https://x.example/"}),
            "unknown field url",
        ),
        (
            "meta.a-templates-button-has-no-value",
            template(),
            "/template_data/call_to_action",
            json!({"type": "SHOP_NOW", "value": {}}),
            "must be omitted",
        ),
        (
            "meta.a-template-leads-away-from-facebook",
            template(),
            "/template_data/link",
            json!("https://www.facebook.com/acme"),
            "cannot be a Facebook URL",
        ),
        (
            "meta.a-story-has-a-page",
            carousel(2),
            "/page_id",
            json!(""),
            "page_id is required",
        ),
        (
            "meta.a-link-ad-has-a-link",
            carousel(2),
            "/link_data/link",
            json!(""),
            "link_data needs a link",
        ),
    ] {
        let mut story = story;
        let set = story.get("template_data").map(|_| "55");
        *story.pointer_mut(pointer).unwrap() = value.clone();
        let (status, body) = tell(story, set);
        assert_eq!(status, 400, "{rule} {pointer} = {value}");
        assert!(
            body.to_string().contains(words),
            "{rule} {pointer} = {value}: {body}"
        );
    }
    for (rule, tags) in [
        ("meta.url-tags-are-a-query", "?utm_source=facebook"),
        ("", "a=b c"),
    ] {
        let (status, body) = made(&mut world, |params| params["url_tags"] = tags.into());
        assert_eq!((status, code(&body).0), (400, 100), "{rule}: {body}");
        assert!(
            body.to_string().contains("must be a query string"),
            "{rule}: {body}"
        );
    }
}

#[test]
fn an_ad_of_products_needs_an_ad_set_that_promotes_them() {
    let (mut world, [_, adset_id, ..]) = built();
    let made = made(&mut world, |params| {
        params["object_story_spec"] = template();
        params["product_set_id"] = "55".into();
    });
    let creative = id(made);
    let ad = json!({"name": "ad2", "adset_id": adset_id, "creative": {"creative_id": creative}, "status": "PAUSED"});
    // Rule: meta.an-ad-set-promotes-what-its-ads-show
    assert_eq!(post(&mut world, "act_42/ads", ad.clone()).0, 400);
    let promoted = json!({"promoted_object": {"product_set_id": "55"}});
    assert_eq!(post(&mut world, &adset_id, promoted).0, 200);
    assert_eq!(post(&mut world, "act_42/ads", ad).0, 200);
    for wrong in [
        json!({"product_sets": "55"}),
        json!({"custom_event_type": "BOUGHT"}),
    ] {
        assert_eq!(
            post(&mut world, &adset_id, json!({"promoted_object": wrong})).0,
            400
        );
    }
    let mut selling = campaign_with_budget();
    selling["objective"] = "OUTCOME_SALES".into();
    selling["promoted_object"] = json!({"product_catalog_id": "900"});
    let selling = id(post(&mut world, "act_42/campaigns", selling));
    let mut set = adset(&selling);
    set.as_object_mut().unwrap().remove("daily_budget");
    // Rule: meta.a-catalogs-ad-sets-name-a-set
    assert_eq!(
        post(&mut world, "act_42/adsets", set.clone()).0,
        400,
        "of which products?"
    );
    set["promoted_object"] = json!({"product_set_id": "55", "custom_event_type": "PURCHASE"});
    assert_eq!(post(&mut world, "act_42/adsets", set).0, 200);
    let mut app = campaign_with_budget();
    app["objective"] = "OUTCOME_APP_PROMOTION".into();
    let app = id(post(&mut world, "act_42/campaigns", app));
    let mut set = adset(&app);
    set.as_object_mut().unwrap().remove("daily_budget");
    set["promoted_object"] = json!({"application_id": "88"});
    // Rule: meta.an-app-has-an-id-and-a-store-page
    assert_eq!(
        post(&mut world, "act_42/adsets", set).0,
        400,
        "an app has a store page"
    );
}

#[test]
fn the_same_bytes_are_the_same_image_and_no_other_file_is_one() {
    let mut world = World::new(7, 0);
    let image = STANDARD.encode(b"\x89PNG\r\n\x1a\nxyz");
    let add = |world: &mut World, bytes: &str| post(world, "act_42/adimages", json!({"bytes": bytes}));
    let (status, first) = add(&mut world, &image);
    assert_eq!(status, 200, "{first}");
    let hash = first["images"]["bytes"]["hash"].clone();
    assert_eq!(add(&mut world, &image).1["images"]["bytes"]["hash"], hash);
    assert_eq!(world.store.all(NAME, "42", "adimage").len(), 1);
    // Rule: meta.images-are-images
    for (bytes, expected) in [("", (100, 0)), ("%%%", (100, 0)), ("AAAA", (100, 1_487_411))] {
        assert_eq!(code(&add(&mut world, bytes).1), expected, "{bytes}");
    }
    let asked = json!({"hashes": [hash], "fields": "hash,status"});
    assert_eq!(
        get(&mut world, "act_42/adimages", asked)["data"][0]["status"],
        "ACTIVE"
    );
    let other = json!({"hashes": [HASH], "fields": "hash"});
    assert_eq!(get(&mut world, "act_42/adimages", other)["data"], json!([]));
}

#[test]
fn a_video_is_another_each_time_and_not_ready_at_once() {
    let mut world = World::new(7, 0);
    world.switches.transcoding_ms = 60_000;
    let params = json!({"file_url": "https://assets.example/v.mp4", "title": "acme/v/1", "name": "acme/v/1"});
    let first = id(post(&mut world, "act_42/advideos", params.clone()));
    assert_ne!(first, id(post(&mut world, "act_42/advideos", params)));
    let read = get(&mut world, &first, json!({"fields": "title,status"}));
    assert_eq!(read["status"]["video_status"], "processing");
    let mut story = video();
    story["video_data"]["video_id"] = first.as_str().into();
    let refused = made(&mut world, |params| params["object_story_spec"] = story.clone());
    assert_eq!(code(&refused.1), (100, 1_885_252));
    world.switches.transcoding_ms = 0;
    let short = json!({"file_url": "https://assets.example/w.mp4", "title": "acme/v/10"});
    story["video_data"]["video_id"] = id(post(&mut world, "act_42/advideos", short)).into();
    assert_eq!(
        made(&mut world, |params| params["object_story_spec"] = story.clone()).0,
        200
    );
    let found = get(
        &mut world,
        "act_42/advideos",
        json!({"title": "acme/v/1", "fields": "title"}),
    );
    assert_eq!(found["data"].as_array().unwrap().len(), 3, "the filter is fuzzy");
    for bad in [json!({"title": "x"}), json!({"file_url": "ftp://x"})] {
        assert_eq!(code(&post(&mut world, "act_42/advideos", bad).1).0, 389);
    }
    let long = json!({"file_url": "https://x.example/", "title": "x".repeat(255)});
    assert_eq!(code(&post(&mut world, "act_42/advideos", long).1), (100, 0));
}

#[test]
fn a_catalog_is_as_well_as_the_world_says() {
    let mut world = World::new(7, 0);
    let state = json!({"critical": 3, "warning": 1, "products": 9, "diagnostics": [
        {"type": "POLICY_VIOLATION", "severity": "MUST_FIX"}, {"type": "CATEGORY", "severity": "OPPORTUNITY"}]});
    let state = state.as_object().unwrap().clone();
    world.switches.catalogs.insert("meta/900".into(), state);
    let head = get(&mut world, "900", json!({"fields": "id,name,product_count"}));
    assert_eq!(head["product_count"], 9);
    let feed =
        get(&mut world, "900/product_feeds", json!({"fields": "id,schedule"}))["data"][0]["id"].clone();
    let feed = feed.as_str().unwrap().to_owned();
    let upload = get(
        &mut world,
        &format!("{feed}/uploads"),
        json!({"fields": "id,error_count,end_time"}),
    );
    assert_eq!(upload["data"][0]["error_count"], 3);
    assert!(upload["data"][0]["end_time"].is_string());
    let upload = upload["data"][0]["id"].as_str().unwrap().to_owned();
    let errors = get(
        &mut world,
        &format!("{upload}/errors"),
        json!({"error_priority": "HIGH", "fields": "severity,total_count"}),
    );
    assert_eq!(
        errors["data"][0],
        json!({"severity": "fatal", "total_count": 3, "id": "90001193"})
    );
    let must = json!({"severities": ["MUST_FIX"], "fields": "type"});
    assert_eq!(
        get(&mut world, "900/diagnostics", must)["data"],
        json!([{"type": "POLICY_VIOLATION"}])
    );
    for (path, params) in [
        ("900/diagnostics", json!({"severities": ["BAD"]})),
        ("900/diagnostics", json!({"fields": "colour"})),
        ("90001/uploads", json!({"limits": 3})),
        ("900011/errors", json!({"error_priority": "URGENT"})),
    ] {
        assert_eq!(
            call(&mut world, Method::GET, path, &params).0,
            400,
            "{path} {params}"
        );
    }
    let gone = json!({"state": "no_access"}).as_object().unwrap().clone();
    world.switches.catalogs.insert("meta/900".into(), gone);
    let (_, body) = call(
        &mut world,
        Method::GET,
        "900",
        &json!({"fields": "product_count"}),
    );
    assert_eq!(code(&body), (100, 33));
}
