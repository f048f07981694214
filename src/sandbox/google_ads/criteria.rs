//! The rules of criteria: keywords, locations, languages and the rest, on campaigns and on ad groups.
//!
//! Must not know what else a campaign or an ad group is. Unless said otherwise a rule's source is the
//! comment of its field or error in `resources/*.proto` and `errors/*.proto` of
//! <https://github.com/googleapis/googleapis/tree/master/google/ads/googleads/v25>.

use super::errors::Fault;
use super::mutate::{Kind, Ruling, Tx, snake};
use super::request::Operation;
use super::rules::{Fields, default, none};
use super::{channels, urls};
use crate::sandbox::store::Handle;
use crate::sandbox::world::World;
use serde_json::Value;

pub(super) const CAMPAIGN_CRITERION: Kind = Kind {
    resource: "campaign_criterion",
    collection: "campaignCriteria",
    message: "CampaignCriterion",
    composite: true,
    output_only: &["displayName", "type"],
    immutable: &[
        "campaign",
        "criterionId",
        "negative",
        "keyword",
        "location",
        "language",
    ],
    references: &[("campaign", "campaign")],
    create: Some(create_campaign_criterion),
    update: Some(|_, _, _| Ok(())),
    remove: Some(|_, _| Ok(())),
};

pub(super) const AD_GROUP_CRITERION: Kind = Kind {
    resource: "ad_group_criterion",
    collection: "adGroupCriteria",
    message: "AdGroupCriterion",
    composite: true,
    output_only: &[
        "displayName",
        "type",
        "qualityInfo",
        "systemServingStatus",
        "approvalStatus",
        "primaryStatus",
    ],
    immutable: &[
        "adGroup",
        "criterionId",
        "negative",
        "keyword",
        "listingGroup",
        "ageRange",
        "gender",
    ],
    references: &[("adGroup", "ad_group")],
    create: Some(create_ad_group_criterion),
    update: Some(|_, _, after| none(urls::tracking(after))),
    remove: Some(|_, _| Ok(())),
};

/// A criterion, understood.
struct Criterion {
    /// `KEYWORD`.
    ty: String,
    /// Its id, where the vendor's constants give it one.
    id: Option<String>,
    /// Equal for criteria that are the same to the vendor.
    same: String,
    /// For people.
    label: String,
}

/// Fields of a criterion message that are not a member of its oneof.
const NOT_CRITERIA: &[&str] = &[
    "adGroup",
    "bidModifier",
    "campaign",
    "cpcBidMicros",
    "cpmBidMicros",
    "cpvBidMicros",
    "criterionId",
    "finalMobileUrls",
    "finalUrlSuffix",
    "finalUrls",
    "negative",
    "percentCpcBidMicros",
    "status",
    "trackingUrlTemplate",
    "urlCustomParameters",
];

/// Which criterion a campaign or ad group criterion is, and whether it is well formed.
fn criterion(fields: &Fields) -> Ruling<Criterion> {
    let Some((key, value)) = fields
        .iter()
        .find(|(key, _)| !NOT_CRITERIA.contains(&key.as_str()))
    else {
        let message = "Concrete type of criterion is required for CREATE operations.";
        return Err(vec![Fault::new(
            "criterionError",
            "CONCRETE_TYPE_REQUIRED",
            message,
        )]);
    };
    let ty = snake(key).to_uppercase();
    match key.as_str() {
        "keyword" => {
            let (word, matching) = (
                value["text"].as_str().unwrap_or(""),
                value["matchType"].as_str().unwrap_or(""),
            );
            none(keyword_faults(word, matching))?;
            let same = format!("keyword {matching} {}", word.to_lowercase());
            Ok(Criterion {
                ty,
                id: None,
                same,
                label: word.to_owned(),
            })
        }
        "location" | "language" => {
            let (field, collection) = match key.as_str() {
                "location" => ("geoTargetConstant", "geoTargetConstants/"),
                _ => ("languageConstant", "languageConstants/"),
            };
            let name = value[field].as_str().unwrap_or("");
            let id = name
                .strip_prefix(collection)
                .filter(|id| !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit()));
            let Some(id) = id else {
                let at = format!("{key}.{}", snake(field));
                let fault = Fault::new(
                    "requestError",
                    "RESOURCE_NAME_MALFORMED",
                    "The resource name is malformed.",
                );
                return Err(vec![fault.at(&at).because(name)]);
            };
            Ok(Criterion {
                ty,
                id: Some(id.to_owned()),
                same: name.to_owned(),
                label: name.to_owned(),
            })
        }
        "ageRange" | "gender" => {
            let name = value["type"].as_str().unwrap_or("");
            let Some(id) = person(key, name) else {
                return Err(vec![Fault::required(&format!("{}.type", snake(key)))]);
            };
            Ok(Criterion {
                ty,
                id: Some(id.to_string()),
                same: format!("{key} {name}"),
                label: name.to_owned(),
            })
        }
        // One listing group is another's twin by its place in the tree, whatever its type.
        "listingGroup" => {
            let place = format!("{key} {}{}", value["parentAdGroupCriterion"], value["caseValue"]);
            Ok(Criterion {
                ty,
                id: None,
                same: place,
                label: "products".to_owned(),
            })
        }
        _ => {
            let same = format!("{key} {value}");
            Ok(Criterion {
                ty,
                id: None,
                label: same.clone(),
                same,
            })
        }
    }
}

/// The ids of age ranges and genders, the unknown ones last: <https://developers.google.com/google-ads/api/data/codes-formats>.
const AGES: &[(&str, u32)] = &[
    ("AGE_RANGE_18_24", 503_001),
    ("AGE_RANGE_25_34", 503_002),
    ("AGE_RANGE_35_44", 503_003),
    ("AGE_RANGE_45_54", 503_004),
    ("AGE_RANGE_55_64", 503_005),
    ("AGE_RANGE_65_UP", 503_006),
    ("AGE_RANGE_UNDETERMINED", 503_999),
];
const GENDERS: &[(&str, u32)] = &[("MALE", 10), ("FEMALE", 11), ("UNDETERMINED", 20)];

fn people(kind: &str) -> &'static [(&'static str, u32)] {
    if kind == "ageRange" { AGES } else { GENDERS }
}

fn person(kind: &str, name: &str) -> Option<u32> {
    let (_, id) = people(kind).iter().find(|(known, _)| *known == name)?;
    Some(*id)
}

/// `criterion_error.proto`: an ad group cannot exclude everybody, nor everybody but those it knows nothing of.
fn nobody_left(tx: &Tx<'_>, ad_group: Handle, fields: &Fields) -> Option<Fault> {
    let kind = ["ageRange", "gender"]
        .into_iter()
        .find(|kind| fields.contains_key(*kind))?;
    let name = |fields: &Fields| fields.get(kind)?["type"].as_str().map(str::to_owned);
    let excludes = |fields: &Fields| fields.get("negative").and_then(Value::as_bool) == Some(true);
    if !excludes(fields) {
        return None;
    }
    let siblings = tx.world.store.get(ad_group).children.iter();
    let mut excluded: Vec<String> = siblings
        .map(|h| tx.world.store.get(*h))
        .filter(|o| o.kind == "ad_group_criterion" && o.text("status") != "REMOVED" && excludes(&o.fields))
        .filter_map(|o| name(&o.fields))
        .collect();
    excluded.extend(name(fields));
    let left = people(kind)
        .iter()
        .filter(|(known, _)| !excluded.iter().any(|gone| gone == known));
    let left: Vec<&str> = left.map(|(known, _)| *known).collect();
    match left[..] {
        [] => Some(Fault::new(
            "criterionError",
            "CANNOT_EXCLUDE_ALL_TARGETS",
            "Cannot exclude all demographic targets.",
        )),
        [only] if only.ends_with("UNDETERMINED") => Some(Fault::new(
            "criterionError",
            "CANNOT_TARGET_ONLY_UNDETERMINED",
            "The combination would result in only targeting the undetermined segment.",
        )),
        _ => None,
    }
}

fn keyword_faults(word: &str, matching: &str) -> Vec<Fault> {
    let bad = |code: &str, message: &str| {
        Fault::new("criterionError", code, message)
            .at("keyword.text")
            .because(word)
    };
    let mut faults = Vec::new();
    if word.trim().is_empty() {
        faults.push(Fault::required("keyword.text"));
    }
    if matches!(matching, "" | "UNSPECIFIED" | "UNKNOWN") {
        faults.push(Fault::required("keyword.match_type"));
    }
    if word.chars().count() > 80 {
        faults.push(bad(
            "KEYWORD_TEXT_TOO_LONG",
            "Keyword text should be less than 80 chars.",
        ));
    }
    if word.split_whitespace().count() > 10 {
        faults.push(bad(
            "KEYWORD_HAS_TOO_MANY_WORDS",
            "Keyword text has too many words.",
        ));
    }
    if word.contains([
        '!', '@', '%', ',', '*', '^', '(', ')', '=', '{', '}', ';', '~', '`', '<', '>', '?', '\\', '|',
    ]) {
        faults.push(bad(
            "KEYWORD_HAS_INVALID_CHARS",
            "Keyword text has invalid characters or symbols.",
        ));
    }
    faults
}

fn create_ad_group_criterion(tx: &mut Tx<'_>, mut fields: Fields) -> Ruling<Handle> {
    let Some(ad_group) = tx.referenced(&fields, "adGroup") else {
        return Err(vec![Fault::required("ad_group")]);
    };
    default(&mut fields, "status", "ENABLED");
    default(&mut fields, "negative", false);
    let found = criterion(&fields)?;
    none(urls::tracking(&fields))?;
    let campaign = tx.world.store.get(ad_group).parent.map(|c| tx.world.store.get(c));
    let channel = campaign.map_or("", |c| c.text("advertisingChannelType"));
    none(
        channels::criterion(&fields, &found.ty, channel)
            .into_iter()
            .collect(),
    )?;
    none(nobody_left(tx, ad_group, &fields).into_iter().collect())?;
    let siblings = tx.world.store.get(ad_group).children.clone();
    let twin = siblings.into_iter().find(|h| {
        let o = tx.world.store.get(*h);
        o.kind == "ad_group_criterion" && o.text("_same") == found.same && o.text("status") != "REMOVED"
    });
    if twin.is_some() && found.ty == "LISTING_GROUP" {
        let message = "Listing group cannot be added to the ad group because it already exists.";
        return Err(vec![Fault::new(
            "criterionError",
            "LISTING_GROUP_ALREADY_EXISTS",
            message,
        )]);
    }
    if let Some(twin) = twin {
        // Creating a keyword that is there already acts on the one that is there; its sign cannot change
        // (https://github.com/googleads/google-ads-java/issues/808).
        if tx.world.store.get(twin).fields.get("negative") != fields.get("negative") {
            let message = "The field cannot be changed.";
            return Err(vec![
                Fault::new("fieldError", "IMMUTABLE_FIELD", message).at("negative"),
            ]);
        }
        tx.world
            .store
            .change(twin, "created again", |object| object.fields.extend(fields));
        return Ok(twin);
    }
    let criterion_id = found.id.unwrap_or_else(|| tx.world.ids.google());
    let id = format!("{}~{criterion_id}", tx.world.store.get(ad_group).id);
    fields.insert("criterionId".into(), criterion_id.into());
    fields.insert("type".into(), found.ty.into());
    fields.insert("_same".into(), found.same.into());
    fields.insert("_name".into(), found.label.into());
    Ok(tx.make("ad_group_criterion", id, Some(ad_group), fields))
}

/// "Partial failure is not supported for shopping campaign mutate operations."
pub(super) fn not_partially(world: &World, operation: &Operation) -> Option<Fault> {
    if operation.kind.resource != "ad_group_criterion" {
        return None;
    }
    let name = match (operation.body.get("create"), operation.body.get("remove")) {
        (Some(create), _) => create["adGroup"].as_str()?.to_owned(),
        (None, Some(remove)) => remove.as_str()?.to_owned(),
        (None, None) => operation.body.get("update")?["resourceName"].as_str()?.to_owned(),
    };
    let mut up = world.store.find(super::NAME, &name);
    while let Some(handle) = up {
        let object = world.store.get(handle);
        if object.text("advertisingChannelType") == "SHOPPING" {
            let code = "CAMPAIGN_TYPE_NOT_COMPATIBLE_WITH_PARTIAL_FAILURE";
            let message = "Partial failure is not supported for shopping campaign mutate operations.";
            return Some(Fault::new("adGroupCriterionError", code, message));
        }
        up = object.parent;
    }
    None
}

fn create_campaign_criterion(tx: &mut Tx<'_>, mut fields: Fields) -> Ruling<Handle> {
    let Some(campaign) = tx.referenced(&fields, "campaign") else {
        return Err(vec![Fault::required("campaign")]);
    };
    default(&mut fields, "negative", false);
    default(&mut fields, "status", "ENABLED");
    let found = criterion(&fields)?;
    let negative = fields.get("negative").and_then(Value::as_bool).unwrap_or(false);
    none(
        channels::campaign_criterion(&found.ty, tx.world.store.get(campaign))
            .into_iter()
            .collect(),
    )?;
    if found.ty == "KEYWORD" && !negative {
        let message = "Only negative keywords can be added to a campaign.";
        return Err(vec![
            Fault::new("criterionError", "CANNOT_ADD_CRITERIA_TYPE", message).at("keyword"),
        ]);
    }
    let siblings = &tx.world.store.get(campaign).children;
    let twin = siblings.iter().map(|h| tx.world.store.get(*h)).find(|o| {
        o.kind == "campaign_criterion" && o.text("_same") == found.same && o.text("status") != "REMOVED"
    });
    if let Some(twin) = twin {
        let other = twin
            .fields
            .get("negative")
            .and_then(Value::as_bool)
            .unwrap_or(false)
            != negative;
        let (code, message) = if other {
            (
                "CANNOT_TARGET_AND_EXCLUDE",
                "Cannot target and exclude the same criterion at once.",
            )
        } else {
            (
                "CANNOT_ADD_EXISTING_FIELD",
                "A criterion that exists can be updated with UPDATE operation only.",
            )
        };
        return Err(vec![Fault::new("campaignCriterionError", code, message)]);
    }
    let criterion_id = found.id.unwrap_or_else(|| tx.world.ids.google());
    let id = format!("{}~{criterion_id}", tx.world.store.get(campaign).id);
    fields.insert("criterionId".into(), criterion_id.into());
    fields.insert("type".into(), found.ty.into());
    fields.insert("_same".into(), found.same.into());
    fields.insert("_name".into(), found.label.into());
    Ok(tx.make("campaign_criterion", id, Some(campaign), fields))
}
