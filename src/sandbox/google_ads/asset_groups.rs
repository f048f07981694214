//! The rules of Performance Max: asset groups, links of assets, listing group filters; what an asset group must have is counted when
//! the whole request has been carried out.
//!
//! Must not know how operations and temporary ids work (`mutate.rs`). Sources: `resources/asset_group*.proto`,
//! `errors/{asset_group,asset_group_asset,asset_link,asset_group_listing_group_filter}_error.proto` of
//! <https://github.com/googleapis/googleapis/tree/master/google/ads/googleads/v25>;
//! <https://developers.google.com/google-ads/api/performance-max/asset-groups> (a group and its links in one request),
//! <https://developers.google.com/google-ads/api/performance-max/asset-requirements> (how many of each).

use super::creatives::part_of;
use super::errors::Fault;
use super::mutate::{Kind, Ruling, Tx, gone};
use super::parts::fault;
use super::rules::{Fields, default, namesakes, none, text};
use super::{NAME, resource_name, urls};
use crate::sandbox::store::{Handle, Object};
use crate::sandbox::world::World;
use serde_json::Value;

pub(super) const ASSET_GROUP: Kind = Kind {
    resource: "asset_group",
    collection: "assetGroups",
    message: "AssetGroup",
    composite: false,
    output_only: &[
        "id",
        "primaryStatus",
        "primaryStatusReasons",
        "adStrength",
        "assetCoverage",
    ],
    immutable: &["campaign"],
    references: &[("campaign", "campaign")],
    create: Some(create_group),
    update: Some(|tx, handle, after| none(group_faults(tx, after, Some(handle)))),
    remove: Some(remove_group),
};

pub(super) const ASSET_GROUP_ASSET: Kind = Kind {
    resource: "asset_group_asset",
    collection: "assetGroupAssets",
    message: "AssetGroupAsset",
    composite: true,
    output_only: &[
        "primaryStatus",
        "primaryStatusReasons",
        "primaryStatusDetails",
        "policySummary",
        "source",
    ],
    immutable: &["assetGroup", "asset", "fieldType"],
    references: &[("assetGroup", "asset_group"), ("asset", "asset")],
    create: Some(|tx, fields| link(tx, fields, "assetGroup", "asset_group_asset")),
    update: Some(|_, _, _| Ok(())),
    remove: Some(|_, _| Ok(())),
};

pub(super) const CAMPAIGN_ASSET: Kind = Kind {
    resource: "campaign_asset",
    collection: "campaignAssets",
    message: "CampaignAsset",
    composite: true,
    output_only: &[
        "primaryStatus",
        "primaryStatusReasons",
        "primaryStatusDetails",
        "source",
    ],
    immutable: &["campaign", "asset", "fieldType"],
    references: &[("campaign", "campaign"), ("asset", "asset")],
    create: Some(|tx, fields| link(tx, fields, "campaign", "campaign_asset")),
    update: Some(|_, _, _| Ok(())),
    remove: Some(|_, _| Ok(())),
};

pub(super) const LISTING_GROUP_FILTER: Kind = Kind {
    resource: "asset_group_listing_group_filter",
    collection: "assetGroupListingGroupFilters",
    message: "AssetGroupListingGroupFilter",
    composite: true,
    output_only: &["id", "path"],
    immutable: &["assetGroup", "type", "listingSource", "parentListingGroupFilter"],
    references: &[("assetGroup", "asset_group")],
    create: Some(create_filter),
    update: Some(|_, _, _| Ok(())),
    remove: Some(|_, _| Ok(())),
};

/// Field type, least and most in an asset group, what is said where there are too few.
const COUNTS: &[(&str, usize, usize, &str)] = &[
    ("HEADLINE", 3, 15, "NOT_ENOUGH_HEADLINE_ASSET"),
    ("LONG_HEADLINE", 1, 5, "NOT_ENOUGH_LONG_HEADLINE_ASSET"),
    ("DESCRIPTION", 2, 5, "NOT_ENOUGH_DESCRIPTION_ASSET"),
    ("MARKETING_IMAGE", 1, 20, "NOT_ENOUGH_MARKETING_IMAGE_ASSET"),
    (
        "SQUARE_MARKETING_IMAGE",
        1,
        20,
        "NOT_ENOUGH_SQUARE_MARKETING_IMAGE_ASSET",
    ),
    ("PORTRAIT_MARKETING_IMAGE", 0, 20, ""),
    ("TALL_PORTRAIT_MARKETING_IMAGE", 0, 20, ""),
    ("YOUTUBE_VIDEO", 0, 15, ""),
];
/// The same for name and logos, which brand guidelines move from each group to the campaign.
const BRAND: &[(&str, usize, usize, &str, &str)] = &[
    (
        "BUSINESS_NAME",
        1,
        1,
        "NOT_ENOUGH_BUSINESS_NAME_ASSET",
        "REQUIRED_BUSINESS_NAME_ASSET_NOT_LINKED",
    ),
    (
        "LOGO",
        1,
        5,
        "NOT_ENOUGH_LOGO_ASSET",
        "REQUIRED_LOGO_ASSET_NOT_LINKED",
    ),
    ("LANDSCAPE_LOGO", 0, 5, "", ""),
];

fn create_group(tx: &mut Tx<'_>, mut fields: Fields) -> Ruling<Handle> {
    let Some(campaign) = tx.referenced(&fields, "campaign") else {
        return Err(vec![Fault::required("campaign")]);
    };
    if tx.world.store.get(campaign).text("advertisingChannelType") != "PERFORMANCE_MAX" {
        let code = "CANNOT_ADD_ASSET_GROUP_FOR_CAMPAIGN_TYPE";
        return Err(vec![Fault::new(
            "assetGroupError",
            code,
            "Cannot add asset group for the campaign type.",
        )]);
    }
    default(&mut fields, "status", "ENABLED");
    none(group_faults(tx, &fields, None))?;
    let id = tx.world.ids.google();
    fields.insert("id".into(), id.clone().into());
    Ok(tx.make("asset_group", id, Some(campaign), fields))
}

fn group_faults(tx: &Tx<'_>, fields: &Fields, own: Option<Handle>) -> Vec<Fault> {
    let mut faults = urls::tracking(fields);
    let bad = |code: &str, message: &str| Fault::new("assetGroupError", code, message);
    let no_url = fields
        .get("finalUrls")
        .and_then(Value::as_array)
        .is_none_or(Vec::is_empty);
    if no_url {
        faults.push(
            bad(
                "FINAL_URL_REQUIRED",
                "Final url field is required for asset group.",
            )
            .at("final_urls"),
        );
    } else {
        faults.extend(urls::final_urls(fields));
    }
    let name = text(fields, "name");
    if name.is_empty() {
        faults.push(Fault::required("name"));
    }
    if name.chars().count() > 128 {
        faults.push(
            Fault::new("stringLengthError", "TOO_LONG", "Too long.")
                .at("name")
                .because(name),
        );
    }
    let campaign = text(fields, "campaign");
    let twin = |h: &Handle| tx.world.store.get(*h).text("campaign") == campaign;
    if namesakes(tx, "asset_group", name, own).iter().any(twin) {
        let message = "Each asset group in a single campaign must have a unique name.";
        faults.push(bad("DUPLICATE_NAME", message).at("name").because(name));
    }
    if text(fields, "path1").is_empty() && !text(fields, "path2").is_empty() {
        faults.push(
            bad(
                "PATH1_REQUIRED_WHEN_PATH2_IS_SET",
                "Path1 required when path2 is set.",
            )
            .at("path2"),
        );
    }
    faults
}

fn remove_group(tx: &mut Tx<'_>, handle: Handle) -> Ruling<()> {
    let campaign = tx.world.store.get(handle).parent;
    let others = campaign
        .map(|c| alive(tx.world, c, "asset_group"))
        .unwrap_or_default();
    if others.iter().any(|h| *h != handle) {
        return Ok(());
    }
    let code = "CANNOT_REMOVE_ALL_ASSET_GROUPS_FROM_CAMPAIGN";
    let message = "The asset group cannot be removed because it's the last one in the campaign.";
    Err(vec![Fault::new("assetGroupError", code, message)])
}

fn alive(world: &World, parent: Handle, kind: &str) -> Vec<Handle> {
    let here = |h: &&Handle| {
        let object = world.store.get(**h);
        object.kind == kind && object.text("status") != "REMOVED"
    };
    world
        .store
        .get(parent)
        .children
        .iter()
        .filter(here)
        .copied()
        .collect()
}

/// Joins an asset to an asset group or to a campaign.
fn link(tx: &mut Tx<'_>, mut fields: Fields, owner: &str, resource: &'static str) -> Ruling<Handle> {
    let Some(parent) = tx.referenced(&fields, owner) else {
        return Err(vec![Fault::required(&super::mutate::snake(owner))]);
    };
    let Some(asset) = tx.referenced(&fields, "asset") else {
        return Err(vec![Fault::required("asset")]);
    };
    if tx.removed(parent) {
        return Err(vec![gone().at(&super::mutate::snake(owner))]);
    }
    let field_type = text(&fields, "fieldType").to_owned();
    let part = part_of(&field_type).map_err(|fault| vec![fault])?;
    if let Some(fault) = fault(part, tx.world.store.get(asset)) {
        return Err(vec![fault.at("asset")]);
    }
    if let Some(fault) = brand_place(tx, parent, resource, &field_type) {
        return Err(vec![fault.at("field_type")]);
    }
    default(&mut fields, "status", "ENABLED");
    let (owner, asset) = (tx.world.store.get(parent), tx.world.store.get(asset));
    let id = format!("{}~{}~{field_type}", owner.id, asset.id);
    let label = asset
        .fields
        .get("textAsset")
        .and_then(|t| t["text"].as_str())
        .unwrap_or(&asset.id)
        .to_owned();
    let key = resource_name(&tx.customer, resource, &id);
    if let Some(twin) = tx.world.store.find(NAME, &key) {
        if !tx.removed(twin) {
            let message = "Cannot add duplicated asset group asset.";
            return Err(vec![Fault::new(
                "assetGroupAssetError",
                "DUPLICATE_RESOURCE",
                message,
            )]);
        }
        // What was removed comes back under the name that is made of the same ids.
        tx.world
            .store
            .change(twin, "created again", |object| object.fields.extend(fields));
        return Ok(twin);
    }
    fields.insert("_name".into(), format!("{field_type} {label}").into());
    Ok(tx.make(resource, id, Some(parent), fields))
}

/// Name and logo are linked to the campaign with brand guidelines, to each asset group without.
fn brand_place(tx: &Tx<'_>, parent: Handle, resource: &str, field_type: &str) -> Option<Fault> {
    if !BRAND.iter().any(|(brand, ..)| *brand == field_type) {
        return None;
    }
    let object = tx.world.store.get(parent);
    let campaign = if resource == "campaign_asset" {
        object
    } else {
        tx.world.store.get(object.parent?)
    };
    if campaign.text("advertisingChannelType") != "PERFORMANCE_MAX" {
        return None;
    }
    match (guidelines(campaign), resource) {
        (true, "asset_group_asset") => Some(Fault::new(
            "assetLinkError",
            "BRAND_ASSETS_NOT_LINKED_AT_CAMPAIGN_LEVEL",
            "Business name and logo assets must be linked as CampaignAssets.",
        )),
        (false, "campaign_asset") => Some(Fault::new(
            "assetLinkError",
            "BRAND_ASSETS_NOT_LINKED_AT_ASSET_GROUP_LEVEL",
            "Business name and logo assets must be linked as AssetGroupAssets.",
        )),
        _ => None,
    }
}

fn guidelines(campaign: &Object) -> bool {
    campaign
        .fields
        .get("brandGuidelinesEnabled")
        .and_then(Value::as_bool)
        .unwrap_or(false)
}

fn retail(campaign: &Object) -> bool {
    campaign
        .fields
        .get("shoppingSetting")
        .is_some_and(|s| s.get("merchantId").is_some())
}

fn create_filter(tx: &mut Tx<'_>, mut fields: Fields) -> Ruling<Handle> {
    let Some(group) = tx.referenced(&fields, "assetGroup") else {
        return Err(vec![Fault::required("asset_group")]);
    };
    let bad = |code: &str, message: &str| Fault::new("assetGroupListingGroupFilterError", code, message);
    let mut faults = Vec::new();
    for field in ["type", "listingSource"] {
        if matches!(text(&fields, field), "" | "UNSPECIFIED") {
            faults.push(Fault::required(&super::mutate::snake(field)));
        }
    }
    let campaign = tx.world.store.get(group).parent.map(|c| tx.world.store.get(c));
    if text(&fields, "listingSource") == "SHOPPING" && !campaign.is_some_and(retail) {
        faults.push(
            bad(
                "LISTING_SOURCE_NOT_ALLOWED",
                "The listing source is not allowed here.",
            )
            .at("listing_source"),
        );
    }
    if text(&fields, "type") == "SUBDIVISION" {
        let message = "Listing Group SUBDIVISION node must have everything else child.";
        faults.push(bad("SUBDIVISION_MUST_HAVE_EVERYTHING_ELSE_CHILD", message).at("type"));
    }
    let root = text(&fields, "parentListingGroupFilter").is_empty();
    if root && !alive(tx.world, group, "asset_group_listing_group_filter").is_empty() {
        faults.push(bad(
            "MULTIPLE_ROOTS",
            "Each Listing Group tree must have a single root.",
        ));
    }
    none(faults)?;
    let id = tx.world.ids.google();
    fields.insert("id".into(), id.clone().into());
    let id = format!("{}~{id}", tx.world.store.get(group).id);
    Ok(tx.make("asset_group_listing_group_filter", id, Some(group), fields))
}

/// The asset group that an operation on this object is about.
pub(super) fn group_of(world: &World, handle: Handle) -> Option<Handle> {
    let object = world.store.get(handle);
    match object.kind {
        "asset_group" => Some(handle),
        "asset_group_asset" => object.parent,
        _ => None,
    }
}

/// The Performance Max campaign that an operation on this object is about.
pub(super) fn campaign_of(world: &World, handle: Handle) -> Option<Handle> {
    let object = world.store.get(handle);
    let campaign = match object.kind {
        "campaign" => handle,
        "campaign_asset" => object.parent?,
        _ => return None,
    };
    (world.store.get(campaign).text("advertisingChannelType") == "PERFORMANCE_MAX").then_some(campaign)
}

fn linked(world: &World, parent: Handle, kind: &str, field_type: &str) -> usize {
    let links = alive(world, parent, kind).into_iter();
    links
        .filter(|h| world.store.get(*h).text("fieldType") == field_type)
        .count()
}

fn too_many(field_type: &str) -> Fault {
    let message = format!("There are too many assets of type {field_type}.");
    Fault::new("resourceCountLimitExceededError", "RESOURCE_LIMIT", &message)
}

/// What an asset group lacks, or has too many of, as things stand. A retail campaign's group may have none at all: then the feed
/// makes them.
pub(super) fn incomplete(world: &World, group: Handle) -> Vec<Fault> {
    let object = world.store.get(group);
    let Some(campaign) = object.parent.map(|c| world.store.get(c)) else {
        return Vec::new();
    };
    if object.text("status") == "REMOVED" || campaign.text("status") == "REMOVED" {
        return Vec::new();
    }
    let kind = "asset_group_asset";
    if retail(campaign) && alive(world, group, kind).is_empty() {
        return Vec::new();
    }
    let mut faults = Vec::new();
    let mut count = |field_type: &str, least: usize, most: usize, code: &str| {
        let n = linked(world, group, kind, field_type);
        if n < least {
            faults.push(Fault::new(
                "assetGroupError",
                code,
                "Not enough assets for a valid asset group.",
            ));
        } else if n > most {
            faults.push(too_many(field_type));
        }
    };
    for (field_type, least, most, code) in COUNTS {
        count(field_type, *least, *most, code);
    }
    if !guidelines(campaign) {
        for (field_type, least, most, code, _) in BRAND {
            count(field_type, *least, *most, code);
        }
    }
    // "At least 1 with 60 characters or less".
    let short = |h: &Handle| {
        let link = world.store.get(*h);
        let said = world
            .store
            .find(NAME, link.text("asset"))
            .map(|a| world.store.get(a));
        let said = said.and_then(|a| a.fields.get("textAsset")?["text"].as_str().map(str::to_owned));
        link.text("fieldType") == "DESCRIPTION" && said.is_some_and(|said| said.chars().count() <= 60)
    };
    if !alive(world, group, kind).iter().any(short) {
        let message = "At least one short description asset is required for a valid asset group.";
        faults.push(Fault::new(
            "assetGroupError",
            "SHORT_DESCRIPTION_REQUIRED",
            message,
        ));
    }
    faults
}

/// What a campaign with brand guidelines lacks. A retail campaign without any asset takes both from its feed.
pub(super) fn unbranded(world: &World, campaign: Handle) -> Vec<Fault> {
    let object = world.store.get(campaign);
    if !guidelines(object) || object.text("status") == "REMOVED" {
        return Vec::new();
    }
    let groups = alive(world, campaign, "asset_group");
    let any = groups
        .iter()
        .any(|group| !alive(world, *group, "asset_group_asset").is_empty());
    let mut faults = Vec::new();
    for (field_type, least, most, _, code) in BRAND {
        let n = linked(world, campaign, "campaign_asset", field_type);
        if n < *least && (any || !retail(object)) {
            let message = "Performance Max campaigns with Brand Guidelines enabled require it to be linked as a CampaignAsset.";
            faults.push(Fault::new("campaignError", code, message));
        } else if n > *most {
            faults.push(too_many(field_type));
        }
    }
    faults
}
