//! The rules of display, shopping, Performance Max and demand gen bite; so do those of assets.

use super::super::images::tiny_png;
use super::*;
use base64::engine::general_purpose::STANDARD;

fn operation(kind: &str, verb: &str, value: Value) -> Value {
    json!({ format!("{kind}Operation"): { verb: value } })
}

fn create(kind: &str, value: Value) -> Value {
    operation(kind, "create", value)
}

/// Uploads an image of this size; its resource name.
fn image(world: &mut World, width: u32, height: u32) -> String {
    let (status, body) = upload(world, &tiny_png(width, height), &format!("{width}x{height}"));
    assert_eq!(status, 200, "{body}");
    body["results"][0]["resourceName"].as_str().unwrap().to_owned()
}

fn upload(world: &mut World, bytes: &[u8], name: &str) -> (u16, Value) {
    let asset = json!({"name": name, "type": "IMAGE", "imageAsset": {"data": STANDARD.encode(bytes)}});
    post(
        world,
        "/assets:mutate",
        &json!({"operations": [{"create": asset}]}),
    )
}

/// Budget and campaign of a channel.
fn head(channel: &str, more: &Value) -> Vec<Value> {
    let mut campaign = json!({
        "resourceName": rn("campaigns/-2"), "name": "c", "status": "PAUSED", "advertisingChannelType": channel,
        "campaignBudget": rn("campaignBudgets/-1"),
        "containsEuPoliticalAdvertising": "DOES_NOT_CONTAIN_EU_POLITICAL_ADVERTISING",
    });
    for (field, value) in more.as_object().unwrap() {
        campaign[field] = value.clone();
    }
    let budget = json!({"resourceName": rn("campaignBudgets/-1"), "name": "b", "amountMicros": "50000000", "explicitlyShared": false});
    vec![create("campaignBudget", budget), create("campaign", campaign)]
}

fn ad_group(channel: &str, more: &Value, ad: &Value) -> Value {
    let mut operations = head(channel, more);
    let group = json!({"resourceName": rn("adGroups/-3"), "name": "ag", "campaign": rn("campaigns/-2")});
    operations.push(create("adGroup", group));
    operations.push(create(
        "adGroupAd",
        json!({"adGroup": rn("adGroups/-3"), "ad": ad}),
    ));
    operations.into()
}

fn display(world: &mut World) -> Value {
    let asset = |name: String| json!([{ "asset": name }]);
    let (wide, square) = (image(world, 1200, 628), image(world, 600, 600));
    let logo = image(world, 512, 128);
    let ad = json!({"finalUrls": ["https://www.example.com/"], "responsiveDisplayAd": {
        "headlines": [{"text": "One"}], "longHeadline": {"text": "A long one"}, "descriptions": [{"text": "First."}],
        "businessName": "Acme", "callToActionText": "Shop now", "marketingImages": asset(wide),
        "squareMarketingImages": asset(square), "logoImages": asset(logo)}});
    ad_group("DISPLAY", &json!({"maximizeConversions": {}}), &ad)
}

fn demand_gen(world: &mut World) -> Value {
    let asset = |name: String| json!([{ "asset": name }]);
    let (tall, square) = (image(world, 900, 1600), image(world, 600, 600));
    let logo = image(world, 128, 128);
    let ad = json!({"finalUrls": ["https://www.example.com/"], "demandGenMultiAssetAd": {
        "headlines": [{"text": "One"}], "descriptions": [{"text": "First."}], "businessName": "Acme",
        "tallPortraitMarketingImages": asset(tall), "squareMarketingImages": asset(square), "logoImages": asset(logo)}});
    let more = json!({"targetCpa": {"targetCpaMicros": "1000000"}, "demandGenCampaignSettings": {"upgradedTargeting": false}});
    let mut operations = ad_group("DEMAND_GEN", &more, &ad);
    let location =
        json!({"campaign": rn("campaigns/-2"), "location": {"geoTargetConstant": "geoTargetConstants/2276"}});
    operations
        .as_array_mut()
        .unwrap()
        .insert(2, create("campaignCriterion", location));
    operations
}

fn shopping(_: &mut World) -> Value {
    let more = json!({"manualCpc": {}, "shoppingSetting": {"merchantId": "555666", "campaignPriority": 0}});
    let mut operations = ad_group("SHOPPING", &more, &json!({"shoppingProductAd": {}}));
    let unit = json!({"adGroup": rn("adGroups/-3"), "listingGroup": {"type": "UNIT"}});
    operations
        .as_array_mut()
        .unwrap()
        .insert(3, create("adGroupCriterion", unit));
    operations
}

/// Operations 0 to 9: budget, campaign, two links of the brand, asset group, then links.
fn max(world: &mut World) -> Value {
    let wide = image(world, 1200, 628);
    let (square, logo) = (image(world, 600, 600), image(world, 128, 128));
    let texts = [
        "One",
        "Two",
        "Three",
        "A long one",
        "Short.",
        "Another one.",
        "Acme",
    ];
    let creates: Vec<Value> = texts
        .iter()
        .map(|text| create("asset", json!({"textAsset": {"text": text}})))
        .collect();
    let (_, made) = mutate(world, creates.into());
    let name = |n: usize| made["mutateOperationResponses"][n]["assetResult"]["resourceName"].clone();
    let mut operations = head(
        "PERFORMANCE_MAX",
        &json!({"maximizeConversions": {}, "brandGuidelinesEnabled": true}),
    );
    let brand = |part: &str, asset: Value| {
        create(
            "campaignAsset",
            json!({"campaign": rn("campaigns/-2"), "fieldType": part, "asset": asset}),
        )
    };
    operations.extend([brand("BUSINESS_NAME", name(6)), brand("LOGO", logo.into())]);
    operations.push(create(
        "assetGroup",
        json!({"resourceName": rn("assetGroups/-4"), "name": "group",
        "campaign": rn("campaigns/-2"), "finalUrls": ["https://www.example.com/"]}),
    ));
    let parts = [
        ("HEADLINE", name(0)),
        ("HEADLINE", name(1)),
        ("HEADLINE", name(2)),
        ("LONG_HEADLINE", name(3)),
        ("DESCRIPTION", name(4)),
        ("DESCRIPTION", name(5)),
        ("MARKETING_IMAGE", wide.into()),
        ("SQUARE_MARKETING_IMAGE", square.into()),
    ];
    for (part, asset) in parts {
        operations.push(create(
            "assetGroupAsset",
            json!({"assetGroup": rn("assetGroups/-4"), "fieldType": part, "asset": asset}),
        ));
    }
    operations.into()
}

type Tree = fn(&mut World) -> Value;

#[test]
fn each_channel_is_built_in_one_call_and_found_again() {
    let trees: [(Tree, &str, &str); 4] = [
        (
            display,
            "ad_group_ad",
            "SELECT ad_group_ad.ad.type, ad_group_ad.ad.responsive_display_ad.long_headline, \
            ad_group.type FROM ad_group_ad",
        ),
        (
            demand_gen,
            "ad_group_ad",
            "SELECT ad_group_ad.ad.demand_gen_multi_asset_ad.logo_images FROM ad_group_ad",
        ),
        (
            shopping,
            "ad_group_criterion",
            "SELECT ad_group_criterion.listing_group.type FROM ad_group_criterion",
        ),
        (
            max,
            "asset_group_asset",
            "SELECT asset_group_asset.field_type, asset.text_asset.text, asset_group.name, \
            asset_group_asset.policy_summary.approval_status FROM asset_group_asset WHERE asset_group_asset.field_type = 'HEADLINE'",
        ),
    ];
    for (tree, what, query) in trees {
        let mut world = World::new(7, 0);
        let operations = tree(&mut world);
        let (status, body) = mutate(&mut world, operations);
        assert_eq!(status, 200, "{what}: {body}");
        let rows = find(&mut world, query);
        assert_eq!(
            rows.len(),
            if what == "asset_group_asset" { 3 } else { 1 },
            "{what}: {rows:?}"
        );
    }
    let mut world = World::new(7, 0);
    let operations = max(&mut world);
    mutate(&mut world, operations);
    let group = find(
        &mut world,
        "SELECT asset_group.id, asset_group.primary_status, asset_group.primary_status_reasons FROM asset_group",
    );
    assert_eq!(group[0]["assetGroup"]["primaryStatus"], "PAUSED");
    world.switches.review_pending.push("Two".into());
    let pending = find(
        &mut world,
        "SELECT asset_group.primary_status_reasons FROM asset_group",
    );
    assert_eq!(
        pending[0]["assetGroup"]["primaryStatusReasons"],
        json!(["ASSET_GROUP_UNDER_REVIEW"])
    );
    let links = find(
        &mut world,
        "SELECT product_link.merchant_center.merchant_center_id FROM product_link WHERE product_link.type = 'MERCHANT_CENTER'",
    );
    assert_eq!(
        links[0]["productLink"]["merchantCenter"]["merchantCenterId"],
        "555666"
    );
}

/// Sets, or with null takes out, what a pointer names.
fn put(operations: &mut Value, pointer: &str, value: &Value) {
    if pointer.matches('/').count() == 1 {
        let at: usize = pointer[1..].parse().unwrap();
        let list = operations.as_array_mut().unwrap();
        if value.is_null() {
            list.remove(at);
        } else {
            list.push(list[at].clone());
        }
        return;
    }
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let slot = operations.pointer_mut(parent).unwrap();
    match (slot.as_object_mut(), value) {
        (Some(map), Value::Null) => drop(map.remove(key)),
        (Some(map), _) => drop(map.insert(key.into(), value.clone())),
        (None, _) => slot[key.parse::<usize>().unwrap()] = value.clone(),
    }
}

/// Rule of `tests/conformance/rules.toml` (`-`: a planted mistake shows it), tree, where, what it is set to (`-`: taken out, `+`: once more, `x31`: so many letters), what is said.
const CASES: &str = "
-                                                             display     3:responsiveDisplayAd/headlines              []                 collectionSizeError.TOO_FEW
-                                                             display     3:responsiveDisplayAd/headlines/0/text       x31                stringLengthError.TOO_LONG
google-ads-channels.display-ads-have-a-long-headline          display     3:responsiveDisplayAd/longHeadline           -                  fieldError.REQUIRED
google-ads-channels.long-headlines-to-90                      display     3:responsiveDisplayAd/longHeadline/text      x91                stringLengthError.TOO_LONG
-                                                             display     3:responsiveDisplayAd/businessName           -                  fieldError.REQUIRED
-                                                             display     3:responsiveDisplayAd/businessName           x26                stringLengthError.TOO_LONG
-                                                             display     3:responsiveDisplayAd/callToActionText       \"Run\"              adError.INVALID_CALL_TO_ACTION_TEXT
google-ads-channels.display-ads-have-a-wide-image             display     3:responsiveDisplayAd/marketingImages        -                  collectionSizeError.TOO_FEW
google-ads-channels.assets-exist                              display     3:responsiveDisplayAd/squareMarketingImages/0/asset \"customers/1234567890/assets/1\" mutateError.RESOURCE_NOT_FOUND
-                                                             display     /2/adGroupOperation/create/type              \"SEARCH_STANDARD\"  adGroupError.AD_GROUP_TYPE_NOT_VALID_FOR_ADVERTISING_CHANNEL_TYPE
google-ads-channels.ads-fit-the-channel                       display     /1/campaignOperation/create/advertisingChannelType \"DEMAND_GEN\" contextError.OPERATION_NOT_PERMITTED_FOR_CONTEXT
google-ads-channels.brand-guidelines-only-for-performance-max display     /1/campaignOperation/create/brandGuidelinesEnabled true         campaignError.BRAND_GUIDELINES_UNSUPPORTED_CHANNEL
google-ads-channels.demand-gen-ads-have-an-image              demand_gen  4:demandGenMultiAssetAd/squareMarketingImages -                 collectionSizeError.TOO_FEW
google-ads-channels.demand-gen-ads-have-a-logo                demand_gen  4:demandGenMultiAssetAd/logoImages           -                  collectionSizeError.TOO_FEW
google-ads-channels.demand-gen-has-a-setting                  demand_gen  /1/campaignOperation/create/demandGenCampaignSettings -         contextError.OPERATION_NOT_PERMITTED_FOR_CONTEXT
google-ads-channels.demand-gen-has-its-own-budget             demand_gen  /0/campaignBudgetOperation/create/explicitlyShared true         campaignBudgetError.CAMPAIGN_BUDGET_CANNOT_BE_SHARED
-                                                             demand_gen  /3/adGroupOperation/create/type              \"DISPLAY_STANDARD\" adGroupError.AD_GROUP_TYPE_NOT_VALID_FOR_ADVERTISING_CHANNEL_TYPE
-                                                             shopping    /1/campaignOperation/create/shoppingSetting  -                  campaignError.MISSING_SHOPPING_SETTING
-                                                             shopping    /1/campaignOperation/create/shoppingSetting/merchantId -        fieldError.REQUIRED
-                                                             shopping    /1/campaignOperation/create/shoppingSetting/merchantId \"1\"    merchantCenterError.MERCHANT_ID_CANNOT_BE_ACCESSED
google-ads-channels.shopping-has-a-priority                   shopping    /1/campaignOperation/create/shoppingSetting/campaignPriority -  fieldError.REQUIRED
-                                                             shopping    /1/campaignOperation/create/shoppingSetting/campaignPriority 3  rangeError.TOO_HIGH
google-ads-channels.feed-labels-in-capitals                   shopping    /1/campaignOperation/create/shoppingSetting/feedLabel \"de\"    fieldError.INVALID_VALUE
google-ads-channels.subdivisions-have-an-others-case          shopping    /3/adGroupCriterionOperation/create/listingGroup/type \"SUBDIVISION\" criterionError.LISTING_GROUP_SUBDIVISION_REQUIRES_OTHERS_CASE
google-ads-channels.one-tree-of-products                      shopping    /3                                           +                  criterionError.LISTING_GROUP_ALREADY_EXISTS
google-ads-channels.no-brand-assets-without-guidelines        max         /1/campaignOperation/create/brandGuidelinesEnabled false        assetLinkError.BRAND_ASSETS_NOT_LINKED_AT_ASSET_GROUP_LEVEL
-                                                             max         /2                                           -                  campaignError.REQUIRED_BUSINESS_NAME_ASSET_NOT_LINKED
-                                                             max         /3                                           -                  campaignError.REQUIRED_LOGO_ASSET_NOT_LINKED
-                                                             max         /4/assetGroupOperation/create/finalUrls      -                  assetGroupError.FINAL_URL_REQUIRED
google-ads-channels.asset-group-path2-needs-path1             max         /4/assetGroupOperation/create/path2          \"a\"                assetGroupError.PATH1_REQUIRED_WHEN_PATH2_IS_SET
-                                                             max         /4                                           +                  newResourceCreationError.DUPLICATE_TEMP_IDS
-                                                             max         /5                                           -                  assetGroupError.NOT_ENOUGH_HEADLINE_ASSET
google-ads-channels.asset-group-has-a-long-headline           max         /8                                           -                  assetGroupError.NOT_ENOUGH_LONG_HEADLINE_ASSET
-                                                             max         /9                                           -                  assetGroupError.NOT_ENOUGH_DESCRIPTION_ASSET
-                                                             max         /11                                          -                  assetGroupError.NOT_ENOUGH_MARKETING_IMAGE_ASSET
google-ads-channels.asset-group-has-a-square-image            max         /12                                          -                  assetGroupError.NOT_ENOUGH_SQUARE_MARKETING_IMAGE_ASSET
google-ads-channels.a-link-once                               max         /5                                           +                  assetGroupAssetError.DUPLICATE_RESOURCE
google-ads-channels.images-have-their-shape                   max         /11/assetGroupAssetOperation/create/fieldType \"SQUARE_MARKETING_IMAGE\" imageError.ASPECT_RATIO_NOT_ALLOWED
google-ads-channels.texts-are-no-images                       max         /5/assetGroupAssetOperation/create/fieldType \"MARKETING_IMAGE\"  assetLinkError.FIELD_TYPE_INCOMPATIBLE_WITH_ASSET_TYPE
google-ads-channels.text-is-no-logo                           max         /5/assetGroupAssetOperation/create/fieldType \"LOGO\"             assetLinkError.FIELD_TYPE_INCOMPATIBLE_WITH_ASSET_TYPE
google-ads-channels.known-field-types                         max         /5/assetGroupAssetOperation/create/fieldType \"SITELINK\"         assetLinkError.UNSUPPORTED_FIELD_TYPE
google-ads-channels.brand-assets-at-the-campaign              max         /12/assetGroupAssetOperation/create/fieldType \"LOGO\"            assetLinkError.BRAND_ASSETS_NOT_LINKED_AT_CAMPAIGN_LEVEL
";

#[test]
fn each_rule_of_a_channel_bites() {
    for case in CASES.lines().filter(|line| !line.is_empty()) {
        let parts: Vec<&str> = case.split_whitespace().collect();
        let [_, tree, at, value, code] = parts[..] else {
            panic!("{case}")
        };
        let tree: Tree = match tree {
            "display" => display,
            "demand_gen" => demand_gen,
            "shopping" => shopping,
            _ => max,
        };
        let pointer = match at.split_once(':') {
            Some((n, field)) => format!("/{n}/adGroupAdOperation/create/ad/{field}"),
            None => at.to_owned(),
        };
        let value = match (value, value.strip_prefix('x')) {
            ("-", _) => Value::Null,
            ("+", _) => json!(true),
            (_, Some(letters)) => json!("x".repeat(letters.parse().unwrap())),
            (text, None) => serde_json::from_str(text).unwrap(),
        };
        let mut world = World::new(7, 0);
        let mut operations = tree(&mut world);
        put(&mut operations, &pointer, &value);
        let (_, body) = mutate(&mut world, operations);
        assert!(codes(&body).iter().any(|c| c == code), "{case}: got {body}");
        assert!(
            find(&mut world, "SELECT campaign.id FROM campaign").is_empty(),
            "{case}: all or nothing"
        );
    }
}

#[test]
fn bidding_must_fit_the_channel() {
    for (tree, strategy) in [
        (max as Tree, "manualCpc"),
        // Rule: google-ads-channels.strategies-fit-the-channel
        (shopping, "maximizeConversions"),
        (demand_gen, "manualCpc"),
    ] {
        let mut world = World::new(7, 0);
        let mut operations = tree(&mut world);
        let campaign = operations[1]["campaignOperation"]["create"]
            .as_object_mut()
            .unwrap();
        campaign
            .retain(|field, _| !["maximizeConversions", "manualCpc", "targetCpa"].contains(&field.as_str()));
        campaign.insert(strategy.into(), json!({}));
        let (_, body) = mutate(&mut world, operations);
        let code = "biddingError.CANNOT_CREATE_CAMPAIGN_WITH_BIDDING_STRATEGY";
        assert!(codes(&body).iter().any(|c| c == code), "{strategy}: {body}");
    }
}

#[test]
fn a_group_stays_whole_and_one_link_may_take_anothers_place() {
    let mut world = World::new(7, 0);
    let operations = max(&mut world);
    mutate(&mut world, operations);
    let rows = find(
        &mut world,
        "SELECT asset_group_asset.resource_name, asset_group.resource_name FROM asset_group_asset \
        WHERE asset_group_asset.field_type = 'HEADLINE'",
    );
    let (link, group) = (
        rows[0]["assetGroupAsset"]["resourceName"].clone(),
        rows[0]["assetGroup"]["resourceName"].clone(),
    );
    let removal = operation("assetGroupAsset", "remove", link);
    let (_, body) = mutate(&mut world, json!([removal]));
    assert_eq!(codes(&body), ["assetGroupError.NOT_ENOUGH_HEADLINE_ASSET"]);
    let (_, made) = mutate(
        &mut world,
        json!([create("asset", json!({"textAsset": {"text": "Four"}}))]),
    );
    let four = made["mutateOperationResponses"][0]["assetResult"]["resourceName"].clone();
    let new = create(
        "assetGroupAsset",
        json!({"assetGroup": group, "fieldType": "HEADLINE", "asset": four}),
    );
    assert_eq!(mutate(&mut world, json!([removal, new])).0, 200);
    let last = operation("assetGroup", "remove", group.clone());
    let (_, body) = mutate(&mut world, json!([last]));
    assert_eq!(
        codes(&body),
        ["assetGroupError.CANNOT_REMOVE_ALL_ASSET_GROUPS_FROM_CAMPAIGN"]
    );
    let filter = create(
        "assetGroupListingGroupFilter",
        json!({"assetGroup": group, "type": "UNIT_INCLUDED", "listingSource": "SHOPPING"}),
    );
    let (_, body) = mutate(&mut world, json!([filter]));
    assert_eq!(
        codes(&body),
        ["assetGroupListingGroupFilterError.LISTING_SOURCE_NOT_ALLOWED"]
    );
}

#[test]
fn a_retail_group_may_be_bare_and_has_one_tree_of_products() {
    let mut world = World::new(7, 0);
    let more = json!({"maximizeConversions": {}, "brandGuidelinesEnabled": true, "shoppingSetting": {"merchantId": "555666"}});
    let mut operations = head("PERFORMANCE_MAX", &more);
    operations.push(create(
        "assetGroup",
        json!({"resourceName": rn("assetGroups/-4"), "name": "group",
        "campaign": rn("campaigns/-2"), "finalUrls": ["https://www.example.com/"]}),
    ));
    let filter = create(
        "assetGroupListingGroupFilter",
        json!({"assetGroup": rn("assetGroups/-4"), "type": "UNIT_INCLUDED", "listingSource": "SHOPPING"}),
    );
    operations.push(filter.clone());
    let mut twice = operations.clone();
    twice.push(filter);
    assert_eq!(
        codes(&mutate(&mut world, twice.into()).1),
        ["assetGroupListingGroupFilterError.MULTIPLE_ROOTS"]
    );
    assert_eq!(mutate(&mut world, operations.into()).0, 200);
}

#[test]
fn what_can_never_change_is_refused_and_shopping_knows_no_partial_failure() {
    let mut world = World::new(7, 0);
    let operations = shopping(&mut world);
    let (_, body) = mutate(&mut world, operations);
    let campaign = body["mutateOperationResponses"][1]["campaignResult"]["resourceName"].clone();
    for (mask, fields) in [
        (
            // Rule: google-ads-channels.merchant-is-immutable
            "shoppingSetting.merchantId",
            json!({"shoppingSetting": {"merchantId": "777888"}}),
        ),
        (
            "advertisingChannelType",
            json!({"advertisingChannelType": "SEARCH"}),
        ),
        // Rule: google-ads-channels.brand-guidelines-are-immutable
        ("brandGuidelinesEnabled", json!({"brandGuidelinesEnabled": true})),
    ] {
        let mut fields = fields;
        fields["resourceName"] = campaign.clone();
        let update = json!([{"campaignOperation": {"update": fields, "updateMask": mask}}]);
        assert_eq!(
            codes(&mutate(&mut world, update).1),
            ["fieldError.IMMUTABLE_FIELD"],
            "{mask}"
        );
    }
    let unit = body["mutateOperationResponses"][3]["adGroupCriterionResult"]["resourceName"].clone();
    // Rule: google-ads-channels.no-partial-failure-in-shopping
    let removal =
        json!({"mutateOperations": [operation("adGroupCriterion", "remove", unit)], "partialFailure": true});
    let (_, body) = post(&mut world, "/googleAds:mutate", &removal);
    let errors = &body["partialFailureError"]["details"][0]["errors"][0]["errorCode"];
    assert_eq!(
        errors["adGroupCriterionError"],
        "CAMPAIGN_TYPE_NOT_COMPATIBLE_WITH_PARTIAL_FAILURE"
    );
}

#[test]
fn an_account_holds_the_same_content_once_and_looks_at_what_it_is_given() {
    let mut world = World::new(7, 0);
    let first = image(&mut world, 1200, 628);
    let (_, body) = upload(&mut world, &tiny_png(1200, 628), "another name");
    assert_eq!(body["results"][0]["resourceName"], first.as_str());
    let rows = find(
        &mut world,
        "SELECT asset.name, asset.image_asset.full_size.width_pixels, asset.image_asset.mime_type FROM asset WHERE asset.name = '1200x628'",
    );
    assert_eq!(rows[0]["asset"]["imageAsset"]["fullSize"]["widthPixels"], "1200");
    assert_eq!(rows[0]["asset"]["imageAsset"]["mimeType"], "IMAGE_PNG");
    assert!(
        find(
            &mut world,
            "SELECT asset.name FROM asset WHERE asset.name = 'another name'"
        )
        .is_empty()
    );
    for (bytes, name, code) in [
        // Rule: google-ads-channels.images-are-images
        (b"<html>".to_vec(), "a", "imageError.INVALID_IMAGE"),
        // Rule: google-ads-channels.images-to-5120-kb
        (vec![0; 5_120 * 1024 + 1], "b", "imageError.FILE_TOO_LARGE"),
        (tiny_png(0, 5), "c", "imageError.UNEXPECTED_SIZE"),
        // Rule: google-ads-channels.asset-names-are-unique
        (tiny_png(5, 5), "1200x628", "assetError.DUPLICATE_ASSET_NAME"),
    ] {
        assert_eq!(codes(&upload(&mut world, &bytes, name).1), [code], "{name}");
    }
    let text = create("asset", json!({"textAsset": {"text": "One"}}));
    assert_eq!(
        codes(&mutate(&mut world, json!([text, text])).1),
        ["assetError.DUPLICATE_ASSET"]
    );
    for (asset, code) in [
        (json!({"name": "x"}), "assetError.ASSET_DATA_IS_MISSING"),
        (json!({"textAsset": {"text": " "}}), "fieldError.REQUIRED"),
        (
            json!({"type": "IMAGE", "textAsset": {"text": "One"}}),
            "assetError.FIELD_INCOMPATIBLE_WITH_ASSET_TYPE",
        ),
        (
            // Rule: google-ads-channels.videos-are-on-youtube
            json!({"youtubeVideoAsset": {"youtubeVideoId": "short"}}),
            "youtubeVideoRegistrationError.VIDEO_NOT_FOUND",
        ),
        (json!({"imageAsset": {"data": "@"}}), "imageError.INVALID_IMAGE"),
    ] {
        assert_eq!(
            codes(&mutate(&mut world, json!([create("asset", asset)])).1),
            [code]
        );
    }
    let removal = operation("asset", "remove", json!(first));
    let (status, body) = mutate(&mut world, json!([removal]));
    assert_eq!(status, 400, "there is no such operation: {body}");
}

#[test]
fn pictures_that_are_too_small_or_too_wide_are_refused_where_they_are_shown() {
    for (width, height, code) in [
        (
            300,
            157,
            // Rule: google-ads-channels.images-are-large-enough
            "assetLinkError.IMAGE_NOT_WITHIN_SPECIFIED_DIMENSION_RANGE",
        ),
        (1200, 640, "imageError.ASPECT_RATIO_NOT_ALLOWED"),
    ] {
        let mut world = World::new(7, 0);
        let mut operations = display(&mut world);
        let odd = image(&mut world, width, height);
        put(
            &mut operations,
            "/3/adGroupAdOperation/create/ad/responsiveDisplayAd/marketingImages/0/asset",
            &odd.into(),
        );
        assert_eq!(codes(&mutate(&mut world, operations).1), [code]);
    }
}

/// A small campaign of a channel, and one thing put beneath it.
fn beneath(channel: &str, more: &Value, kind: &str, fields: Value) -> Vec<String> {
    let mut world = World::new(7, 0);
    let mut operations = head(channel, more);
    if channel != "PERFORMANCE_MAX" {
        let group = json!({"resourceName": rn("adGroups/-3"), "name": "ag", "campaign": rn("campaigns/-2")});
        operations.push(create("adGroup", group));
    }
    operations.push(create(kind, fields));
    codes(&mutate(&mut world, operations.into()).1)
}

#[test]
fn what_a_channel_does_not_have_is_refused_there() {
    let max = json!({"maximizeConversions": {}});
    let sells = json!({"manualCpc": {}, "shoppingSetting": {"merchantId": "555666", "campaignPriority": 0}});
    let urls = json!(["https://www.example.com/"]);
    let group = json!({"name": "g", "campaign": rn("campaigns/-2"), "finalUrls": urls});
    assert_eq!(
        // Rule: google-ads-channels.asset-groups-only-in-performance-max
        beneath("SEARCH", &max, "assetGroup", group),
        ["assetGroupError.CANNOT_ADD_ASSET_GROUP_FOR_CAMPAIGN_TYPE"]
    );
    let ag = json!({"name": "g", "campaign": rn("campaigns/-2")});
    assert_eq!(
        // Rule: google-ads-channels.no-ad-groups-in-performance-max
        beneath("PERFORMANCE_MAX", &max, "adGroup", ag),
        ["adGroupError.CANNOT_ADD_AD_GROUP_FOR_CAMPAIGN_TYPE"]
    );
    let unit = json!({"adGroup": rn("adGroups/-3"), "listingGroup": {"type": "UNIT"}});
    assert_eq!(
        // Rule: google-ads-channels.listing-groups-only-in-shopping
        beneath("SEARCH", &max, "adGroupCriterion", unit),
        ["criterionError.INVALID_LISTING_GROUP_TYPE"]
    );
    let keyword = json!({"adGroup": rn("adGroups/-3"), "keyword": {"text": "a", "matchType": "EXACT"}});
    assert_eq!(
        // Rule: google-ads-channels.no-keywords-in-shopping
        beneath("SHOPPING", &sells, "adGroupCriterion", keyword),
        ["adGroupCriterionError.CANNOT_ADD_CRITERIA_TYPE"]
    );
}

#[test]
fn names_lengths_and_numbers_of_an_asset_group_have_limits() {
    let mut world = World::new(7, 0);
    let mut operations = max(&mut world);
    put(
        &mut operations,
        "/4/assetGroupOperation/create/name",
        // Rule: google-ads-channels.asset-group-names-to-128
        &json!("x".repeat(129)),
    );
    assert!(codes(&mutate(&mut world, operations).1).contains(&"stringLengthError.TOO_LONG".to_owned()));

    let mut operations = max(&mut world);
    let texts: Vec<Value> = (0..13)
        .map(|n| create("asset", json!({"textAsset": {"text": format!("Extra {n}")}})))
        .collect();
    let (_, made) = mutate(&mut world, texts.into());
    let long = create("asset", json!({"textAsset": {"text": "y".repeat(61)}}));
    let (_, long) = mutate(&mut world, json!([long]));
    let name =
        |body: &Value, n: usize| body["mutateOperationResponses"][n]["assetResult"]["resourceName"].clone();
    for n in 0..13 {
        let link =
            json!({"assetGroup": rn("assetGroups/-4"), "fieldType": "HEADLINE", "asset": name(&made, n)});
        operations
            .as_array_mut()
            .unwrap()
            .push(create("assetGroupAsset", link));
    }
    let many = codes(&mutate(&mut world, operations).1);
    // Rule: google-ads-channels.asset-group-headlines-to-fifteen
    assert_eq!(many, ["resourceCountLimitExceededError.RESOURCE_LIMIT"]);

    // A headline of 61 characters; two long descriptions and no short one.
    let mut operations = max(&mut world);
    put(
        &mut operations,
        "/5/assetGroupAssetOperation/create/asset",
        &name(&long, 0),
    );
    assert!(codes(&mutate(&mut world, operations).1).contains(&"stringLengthError.TOO_LONG".to_owned()));
    let other = create("asset", json!({"textAsset": {"text": "z".repeat(61)}}));
    let (_, other) = mutate(&mut world, json!([other]));
    let mut operations = max(&mut world);
    put(
        &mut operations,
        "/9/assetGroupAssetOperation/create/asset",
        &name(&long, 0),
    );
    put(
        &mut operations,
        "/10/assetGroupAssetOperation/create/asset",
        &name(&other, 0),
    );
    assert_eq!(
        codes(&mutate(&mut world, operations).1),
        // Rule: google-ads-channels.asset-group-has-a-short-description
        ["assetGroupError.SHORT_DESCRIPTION_REQUIRED"]
    );

    let operations = max(&mut world);
    assert_eq!(mutate(&mut world, operations).0, 200);
    let campaign =
        find(&mut world, "SELECT campaign.resource_name FROM campaign")[0]["campaign"]["resourceName"]
            .clone();
    let twin = json!({"name": "group", "campaign": campaign, "finalUrls": ["https://www.example.com/"]});
    assert!(
        codes(&mutate(&mut world, json!([create("assetGroup", twin)])).1)
            // Rule: google-ads-channels.asset-group-names-are-unique
            .contains(&"assetGroupError.DUPLICATE_NAME".to_owned())
    );
}

#[test]
fn without_brand_guidelines_each_group_needs_its_own_brand() {
    let mut world = World::new(7, 0);
    let mut operations = max(&mut world);
    put(
        &mut operations,
        "/1/campaignOperation/create/brandGuidelinesEnabled",
        &json!(false),
    );
    let list = operations.as_array_mut().unwrap();
    list.drain(2..4);
    let found = codes(&mutate(&mut world, operations).1);
    assert_eq!(
        found,
        [
            // Rule: google-ads-channels.without-guidelines-a-group-has-a-name
            "assetGroupError.NOT_ENOUGH_BUSINESS_NAME_ASSET",
            // Rule: google-ads-channels.without-guidelines-a-group-has-a-logo
            "assetGroupError.NOT_ENOUGH_LOGO_ASSET"
        ]
    );
}
