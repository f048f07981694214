//! The rules of ad groups and ads.
//!
//! Must not know how operations, masks and temporary ids work (`mutate.rs`). Unless said otherwise a rule's source is the
//! comment of its field or error in `resources/*.proto` and `errors/*.proto` of
//! <https://github.com/googleapis/googleapis/tree/master/google/ads/googleads/v25>; the lengths of responsive search ads are
//! from <https://developers.google.com/google-ads/api/docs/responsive-search-ads/create-responsive-search-ads> and
//! <https://developers.google.com/google-ads/api/docs/best-practices/system-limits>.

use super::errors::Fault;
use super::mutate::{Kind, Ruling, Tx};
use super::rules::{Fields, default, namesakes, none, text};
use super::{channels, creatives, resource_name, urls};
use crate::sandbox::store::Handle;
use crate::sandbox::world::mentions;
use serde_json::{Value, json};

pub(super) const AD_GROUP: Kind = Kind {
    resource: "ad_group",
    collection: "adGroups",
    message: "AdGroup",
    composite: false,
    output_only: &[
        "id",
        "baseAdGroup",
        "effectiveCpcBidMicros",
        "labels",
        "primaryStatus",
        "primaryStatusReasons",
    ],
    immutable: &["campaign", "type"],
    references: &[("campaign", "campaign")],
    create: Some(create_ad_group),
    update: Some(|tx, handle, after| none(ad_group_faults(tx, after, Some(handle)))),
    remove: Some(|_, _| Ok(())),
};

pub(super) const AD_GROUP_AD: Kind = Kind {
    resource: "ad_group_ad",
    collection: "adGroupAds",
    message: "AdGroupAd",
    composite: true,
    output_only: &[
        "policySummary",
        "adStrength",
        "actionItems",
        "labels",
        "primaryStatus",
        "primaryStatusReasons",
    ],
    immutable: &["adGroup", "ad"],
    references: &[("adGroup", "ad_group")],
    create: Some(create_ad),
    update: Some(|tx, handle, after| none(too_many_enabled(tx, handle, after))),
    remove: Some(|_, _| Ok(())),
};

/// An ad by itself: its texts can be changed, it is made and removed through its ad group ad.
pub(super) const AD: Kind = Kind {
    resource: "ad",
    collection: "ads",
    message: "Ad",
    composite: false,
    output_only: &["id", "type", "addedByGoogleAds", "systemManagedResourceSource"],
    immutable: &[],
    references: &[],
    create: None,
    update: Some(|tx, handle, after| {
        let texts: Vec<String> = strings(&Value::Object(after.clone()));
        let made = creatives::faults(tx, after);
        none(
            ad_faults(after)
                .into_iter()
                .chain(made)
                .chain(policy_faults(tx, &texts, Some(handle)))
                .collect(),
        )
    }),
    remove: None,
};

fn create_ad_group(tx: &mut Tx<'_>, mut fields: Fields) -> Ruling<Handle> {
    default(&mut fields, "status", "ENABLED");
    let Some(campaign) = tx.referenced(&fields, "campaign") else {
        return Err(vec![Fault::required("campaign")]);
    };
    let channel = tx
        .world
        .store
        .get(campaign)
        .text("advertisingChannelType")
        .to_owned();
    none(channels::ad_group(&mut fields, &channel).into_iter().collect())?;
    none(ad_group_faults(tx, &fields, None))?;
    let id = tx.world.ids.google();
    fields.insert("id".into(), id.clone().into());
    Ok(tx.make("ad_group", id, Some(campaign), fields))
}

fn ad_group_faults(tx: &Tx<'_>, fields: &Fields, own: Option<Handle>) -> Vec<Fault> {
    let mut faults = urls::tracking(fields);
    let name = text(fields, "name");
    if name.is_empty() {
        faults.push(
            Fault::new(
                "adGroupError",
                "MISSING_ADGROUP_NAME",
                "AdGroup name is required.",
            )
            .at("name"),
        );
    }
    if name.chars().count() >= 255 || name.contains(['\0', '\n', '\r']) {
        faults.push(
            Fault::new(
                "adGroupError",
                "INVALID_ADGROUP_NAME",
                "AdGroup name is not valid.",
            )
            .at("name"),
        );
    }
    let campaign = text(fields, "campaign");
    if namesakes(tx, "ad_group", name, own)
        .iter()
        .any(|h| tx.world.store.get(*h).text("campaign") == campaign)
    {
        let message = "AdGroup with the same name already exists for the campaign.";
        faults.push(
            Fault::new("adGroupError", "DUPLICATE_ADGROUP_NAME", message)
                .at("name")
                .because(name),
        );
    }
    faults
}

fn create_ad(tx: &mut Tx<'_>, mut fields: Fields) -> Ruling<Handle> {
    let Some(ad_group) = tx.referenced(&fields, "adGroup") else {
        return Err(vec![Fault::required("ad_group")]);
    };
    default(&mut fields, "status", "ENABLED");
    let Some(Value::Object(mut ad)) = fields.remove("ad") else {
        return Err(vec![Fault::required("ad")]);
    };
    if ad.contains_key("id") || ad.contains_key("resourceName") {
        let message = "Do not set the id field while creating new resources.";
        let fault = Fault::new("newResourceCreationError", "CANNOT_SET_ID_FOR_CREATE", message);
        return Err(vec![fault.at("ad.resource_name")]);
    }
    let campaign = tx.world.store.get(ad_group).parent.map(|c| tx.world.store.get(c));
    let channel = campaign.map_or("", |c| c.text("advertisingChannelType"));
    let mut all: Vec<Fault> = creatives::misplaced(&ad, channel).into_iter().collect();
    all.extend(creatives::faults(tx, &mut ad));
    all.extend(ad_faults(&ad));
    let mut faults: Vec<Fault> = all
        .into_iter()
        .map(|f| f.under(&[super::errors::Step::field("ad")]))
        .collect();
    let mut texts = strings(&Value::Object(ad.clone()));
    texts.push(tx.world.store.get(ad_group).text("name").to_owned());
    faults.extend(policy_faults(tx, &texts, Some(ad_group)));
    let first_headline = ad
        .get("responsiveSearchAd")
        .or_else(|| ad.values().find(|inner| inner.get("headlines").is_some()))
        .and_then(|inner| inner["headlines"][0]["text"].as_str())
        .unwrap_or("ad")
        .to_owned();
    none(faults)?;
    let ad_id = tx.world.ids.google();
    let ad_key = resource_name(&tx.customer, "ad", &ad_id);
    ad.insert("id".into(), ad_id.clone().into());
    ad.insert("resourceName".into(), ad_key.clone().into());
    if let Some((ty, _)) = creatives::kind(&ad) {
        ad.insert("type".into(), ty.into());
    }
    fields.insert("ad".into(), Value::Object(ad));
    fields.insert("_index".into(), ad_key.into());
    fields.insert("_name".into(), first_headline.into());
    let id = format!("{}~{ad_id}", tx.world.store.get(ad_group).id);
    let handle = tx.make("ad_group_ad", id, Some(ad_group), fields);
    none(too_many_enabled(tx, handle, &tx.world.store.get(handle).fields))?;
    Ok(handle)
}

/// At most three enabled responsive search ads in an ad group (system limits page).
fn too_many_enabled(tx: &Tx<'_>, handle: Handle, fields: &Fields) -> Vec<Fault> {
    let counts = |fields: &Fields| {
        text(fields, "status") == "ENABLED"
            && fields
                .get("ad")
                .is_some_and(|ad| ad.get("responsiveSearchAd").is_some())
    };
    let Some(ad_group) = tx.world.store.get(handle).parent else {
        return Vec::new();
    };
    let siblings = tx
        .world
        .store
        .get(ad_group)
        .children
        .iter()
        .filter(|h| **h != handle);
    let others = siblings
        .map(|h| tx.world.store.get(*h))
        .filter(|o| o.kind == "ad_group_ad" && counts(&o.fields))
        .count();
    if !counts(fields) || others < 3 {
        return Vec::new();
    }
    let details = json!({"resourceCountDetails": {
        "enclosingId": tx.world.store.get(ad_group).id, "limit": 3,
        "limitType": "RESPONSIVE_SEARCH_ADS_PER_AD_GROUP", "existingCount": others,
    }});
    vec![
        Fault::new(
            "resourceCountLimitExceededError",
            "RESOURCE_LIMIT",
            "There are too many enabled ads.",
        )
        .with(details),
    ]
}

/// What holds for an ad's contents.
fn ad_faults(ad: &Fields) -> Vec<Fault> {
    // A product's page is the feed's.
    let mut faults = if ad.contains_key("shoppingProductAd") {
        Vec::new()
    } else {
        urls::final_urls(ad)
    };
    faults.extend(urls::tracking(ad));
    match ad.get("responsiveSearchAd").and_then(Value::as_object) {
        Some(rsa) => faults.extend(responsive_search_faults(rsa)),
        None if ad.keys().any(|k| k.ends_with("Ad")) => {}
        None => {
            let message = "The ad type is required.";
            faults.push(Fault::new("adError", "INVALID_AD_TYPE", message));
        }
    }
    faults
}

fn responsive_search_faults(rsa: &Fields) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (field, least, most, longest) in [("headlines", 3, 15, 30), ("descriptions", 2, 4, 90)] {
        let items = rsa
            .get(field)
            .and_then(Value::as_array)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let at = format!("responsive_search_ad.{field}");
        if items.len() < least {
            faults.push(Fault::new("collectionSizeError", "TOO_FEW", "Too few.").at(&at));
        }
        if items.len() > most {
            faults.push(Fault::new("collectionSizeError", "TOO_MANY", "Too many.").at(&at));
        }
        let mut seen: Vec<String> = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let asset = item["text"].as_str().unwrap_or("");
            let here = |fault: Fault| {
                fault
                    .at("responsive_search_ad")
                    .item(field, index)
                    .at("text")
                    .because(asset)
            };
            if asset.trim().is_empty() {
                faults.push(here(Fault::new(
                    "fieldError",
                    "REQUIRED",
                    "The required field was not present.",
                )));
            }
            if asset.chars().count() > longest {
                faults.push(here(Fault::new("stringLengthError", "TOO_LONG", "Too long.")));
            }
            if seen.contains(&asset.to_owned()) {
                faults.push(here(Fault::new(
                    "assetError",
                    "DUPLICATE_ASSET",
                    "Duplicate asset.",
                )));
            }
            seen.push(asset.to_owned());
        }
    }
    let (path1, path2) = (text(rsa, "path1"), text(rsa, "path2"));
    if path1.is_empty() && !path2.is_empty() {
        let message = "Cannot set path2 without path1.";
        let fault = Fault::new("adError", "CANNOT_SET_PATH2_WITHOUT_PATH1", message);
        faults.push(fault.at("responsive_search_ad.path2"));
    }
    for (field, value) in [("path1", path1), ("path2", path2)] {
        if value.chars().count() > 15 {
            let fault = Fault::new("stringLengthError", "TOO_LONG", "Too long.").because(value);
            faults.push(fault.at("responsive_search_ad").at(field));
        }
    }
    faults
}

/// Every text in a value.
fn strings(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(strings).collect(),
        Value::Object(map) => map.values().flat_map(strings).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

/// A finding, where the world says that these texts break a policy.
fn policy_faults(tx: &Tx<'_>, texts: &[String], under: Option<Handle>) -> Vec<Fault> {
    if tx.world.switches.policy_finding.is_empty() {
        return Vec::new();
    }
    let mut texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let mut up = under;
    while let Some(handle) = up {
        let object = tx.world.store.get(handle);
        texts.push(object.text("name"));
        up = object.parent;
    }
    if !mentions(&tx.world.switches.policy_finding, &texts) {
        return Vec::new();
    }
    let entries = json!([{
        "topic": "TRADEMARKS_IN_AD_TEXT", "type": "PROHIBITED", "evidences": [{"textList": {"texts": ["…"]}}],
    }]);
    let details = json!({"policyFindingDetails": {"policyTopicEntries": entries}});
    let message = "The resource has been disapproved since the policy summary includes policy topics of type PROHIBITED.";
    vec![Fault::new("policyFindingError", "POLICY_FINDING", message).with(details)]
}

/// How many ads an ad group has; for tests.
#[cfg(test)]
pub(super) fn count(world: &crate::sandbox::world::World, customer: &str) -> usize {
    world.store.all(super::NAME, customer, "ad_group_ad").len()
}
