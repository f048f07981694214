//! What the rows about a campaign mean: which objects they show, and which of ours those are.
//!
//! Must not call, nor ask: `queries` says what is asked, the adapter sends it and hands the rows in.

use super::ad_forms::{AdGroupForm, AnyAd, KeywordForm};
use super::bidding::Bidding;
use super::forms::{BudgetForm, CampaignForm};
use super::geo;
use super::kinds::{Kind, id_of};
use super::links::{AssetGroupForm, LinkForm};
use super::mapping::form;
use super::people::ExclusionForm;
use super::wire::{CampaignCriterion, Row};
use crate::domain::manifest::{Manifest, RemoteObject, Serving};
use crate::platform::Found;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};

/// The id of the campaign that a row is about. What hangs directly on a campaign begins with its id: `…/1~2`.
pub(super) fn campaign_of(row: &Row) -> Option<&str> {
    let named = [
        row.campaign.as_ref().and_then(|r| r.resource_name.as_deref()),
        row.ad_group.as_ref().and_then(|r| r.campaign.as_deref()),
        row.asset_group.as_ref().and_then(|r| r.campaign.as_deref()),
        row.campaign_criterion
            .as_ref()
            .and_then(|r| r.resource_name.as_deref()),
        row.campaign_label
            .as_ref()
            .and_then(|r| r.resource_name.as_deref()),
        row.campaign_asset
            .as_ref()
            .and_then(|r| r.resource_name.as_deref()),
    ];
    let id = id_of(named.into_iter().flatten().next()?)?;
    Some(id.split_once('~').map_or(id, |(campaign, _)| campaign))
}

/// One object as a row shows it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Shown {
    pub kind: Kind,
    pub id: String,
    /// By what it says: a criterion's key is made of its content, an ad is known by its fingerprint.
    pub mark: String,
    pub serving: Serving,
    pub fields: Value,
    pub spent: Option<bool>,
}

/// Every object in a row. `manual`: the campaign bids by hand, so that ad groups' bids are ours.
pub(super) fn shown(row: &Row, manual: bool) -> Vec<Shown> {
    let mut all = Vec::new();
    let mut push = |kind: Kind, name: Option<&String>, mark: String, fields: Value| {
        if let Some(id) = name.and_then(|name| id_of(name)) {
            all.push(Shown {
                kind,
                id: id.to_owned(),
                mark,
                serving: serving(row, kind),
                fields,
                spent: None,
            });
        }
    };
    if let Some(budget) = &row.campaign_budget {
        let mark = budget.name.clone().unwrap_or_default();
        push(
            Kind::Budget,
            budget.resource_name.as_ref(),
            mark,
            form(&BudgetForm::seen(budget)),
        );
    }
    if let Some(label) = &row.label {
        let name = label.name.clone().unwrap_or_default();
        push(
            Kind::Label,
            label.resource_name.as_ref(),
            name.clone(),
            json!({"name": name}),
        );
    }
    if let Some(link) = &row.campaign_label {
        let label = row
            .label
            .as_ref()
            .and_then(|label| label.name.clone())
            .unwrap_or_default();
        push(Kind::CampaignLabel, link.resource_name.as_ref(), label, json!({}));
    }
    if let Some(criterion) = &row.campaign_criterion
        && let Some((mark, fields)) = targeting(criterion)
    {
        push(
            Kind::CampaignCriterion,
            criterion.resource_name.as_ref(),
            mark,
            fields,
        );
    }
    if let Some(group) = &row.ad_group {
        let name = group.name.clone().unwrap_or_default();
        push(
            Kind::AdGroup,
            group.resource_name.as_ref(),
            name,
            form(&AdGroupForm::seen(group, manual)),
        );
    }
    let group = row
        .ad_group
        .as_ref()
        .and_then(|group| group.name.clone())
        .unwrap_or_default();
    if let Some(criterion) = &row.ad_group_criterion
        && let Some(listing) = &criterion.listing_group
        && listing.parent_ad_group_criterion.is_none()
    {
        let unit = listing.kind.clone().unwrap_or_default();
        let status = criterion.status.clone().unwrap_or_default();
        let fields = json!({"listing_group": unit, "status": status});
        let mark = format!("{group}#products");
        push(
            Kind::AdGroupCriterion,
            criterion.resource_name.as_ref(),
            mark,
            fields,
        );
    }
    if let Some(criterion) = &row.ad_group_criterion
        && let Some(keyword) = KeywordForm::seen(criterion)
    {
        push(
            Kind::AdGroupCriterion,
            criterion.resource_name.as_ref(),
            keyword.key(&group),
            form(&keyword),
        );
    }
    if let Some(criterion) = &row.ad_group_criterion
        && let Some(exclusion) = ExclusionForm::seen(criterion)
    {
        push(
            Kind::AdGroupCriterion,
            criterion.resource_name.as_ref(),
            exclusion.key(&group),
            form(&exclusion),
        );
    }
    if let Some(ad) = &row.ad_group_ad {
        let seen = AnyAd::seen(ad);
        let mark = format!("{group}#{}", seen.fingerprint());
        push(Kind::AdGroupAd, ad.resource_name.as_ref(), mark, seen.form());
    }
    of_assets(row, &mut push);
    if let Some(campaign) = &row.campaign {
        let name = campaign.name.clone().unwrap_or_default();
        push(
            Kind::Campaign,
            campaign.resource_name.as_ref(),
            name,
            form(&CampaignForm::seen(campaign)),
        );
        if let Some(last) = all.last_mut().filter(|last| last.kind == Kind::Campaign) {
            last.spent = spent(row);
        }
    }
    all
}

/// How the row's object of this kind is switched.
fn serving(row: &Row, kind: Kind) -> Serving {
    let status = match kind {
        Kind::Campaign => row.campaign.as_ref().and_then(|c| c.status.as_deref()),
        Kind::AdGroup => row.ad_group.as_ref().and_then(|g| g.status.as_deref()),
        Kind::AdGroupAd => row.ad_group_ad.as_ref().and_then(|a| a.status.as_deref()),
        Kind::AssetGroup => row.asset_group.as_ref().and_then(|g| g.status.as_deref()),
        Kind::Budget
        | Kind::Label
        | Kind::Asset
        | Kind::CampaignCriterion
        | Kind::CampaignLabel
        | Kind::CampaignAsset
        | Kind::AdGroupCriterion
        | Kind::ListingGroupFilter
        | Kind::AssetGroupAsset => return Serving::None,
    };
    if status == Some("ENABLED") {
        Serving::Active
    } else {
        Serving::Paused
    }
}

/// Asset groups, links, texts.
fn of_assets(row: &Row, push: &mut impl FnMut(Kind, Option<&String>, String, Value)) {
    let group = row.asset_group.as_ref();
    let group_name = group.and_then(|group| group.name.clone()).unwrap_or_default();
    // Beside a link the group shows no more than its name.
    if let Some(group) = group.filter(|group| group.status.is_some()) {
        let fields = form(&AssetGroupForm::seen(group));
        push(
            Kind::AssetGroup,
            group.resource_name.as_ref(),
            group_name.clone(),
            fields,
        );
    }
    if let Some(filter) = &row.asset_group_listing_group_filter
        && filter.parent_listing_group_filter.is_none()
    {
        let all = filter.kind.as_deref() == Some("UNIT_INCLUDED");
        let fields = json!({"products": if all { "all" } else { "some" }});
        let mark = format!("{group_name}#products");
        push(
            Kind::ListingGroupFilter,
            filter.resource_name.as_ref(),
            mark,
            fields,
        );
    }
    let Some(asset) = &row.asset else { return };
    if let Some(text) = asset.text_asset.as_ref().and_then(|text| text.text.as_ref()) {
        let fields = json!({ "text": text });
        push(Kind::Asset, asset.resource_name.as_ref(), text.clone(), fields);
    }
    if let Some(link) = &row.asset_group_asset {
        let seen = LinkForm::seen(link.field_type.as_deref().unwrap_or_default(), asset);
        let mark = format!("{group_name}#{}", seen.key());
        push(
            Kind::AssetGroupAsset,
            link.resource_name.as_ref(),
            mark,
            form(&seen),
        );
    }
    if let Some(link) = &row.campaign_asset {
        let seen = LinkForm::seen(link.field_type.as_deref().unwrap_or_default(), asset);
        push(
            Kind::CampaignAsset,
            link.resource_name.as_ref(),
            seen.key(),
            form(&seen),
        );
    }
}

pub(super) fn spent(row: &Row) -> Option<bool> {
    Some(row.metrics.as_ref()?.cost_micros?.0 > 0)
}

fn targeting(criterion: &CampaignCriterion) -> Option<(String, Value)> {
    if criterion.negative == Some(true) {
        return None;
    }
    if let Some(target) = criterion
        .location
        .as_ref()
        .and_then(|l| l.geo_target_constant.clone())
    {
        let mark = geo::country(&target).map_or(target.clone(), |country| format!("location/{country}"));
        return Some((mark, json!({"geo_target": target})));
    }
    let language = criterion
        .language
        .as_ref()
        .and_then(|l| l.language_constant.clone())?;
    Some((language.clone(), json!({"language": language})))
}

/// Whether the campaign in these rows bids by hand.
pub(super) fn bids_by_hand(rows: &[Row]) -> bool {
    rows.iter()
        .filter_map(|row| row.campaign.as_ref())
        .any(|c| CampaignForm::seen(c).bidding == Bidding::ManualCpc)
}

/// Which of the objects in these rows are those that the keys stand for.
pub(super) fn found(manifest: &Manifest, keys: &[String], mut rows: Vec<Row>) -> Vec<Found> {
    let manual = bids_by_hand(&rows);
    for row in &mut rows {
        if let Some(group) = &mut row.ad_group {
            called(
                manifest,
                Kind::AdGroup,
                group.resource_name.as_ref(),
                &mut group.name,
            );
        }
        if let Some(group) = &mut row.asset_group {
            called(
                manifest,
                Kind::AssetGroup,
                group.resource_name.as_ref(),
                &mut group.name,
            );
        }
    }
    let shown = rows.iter().flat_map(|row| shown(row, manual)).collect();
    matched(manifest, keys, shown)
}

/// A parent that we know by its id bears the name that the manifest has of it, whatever it is called now: later versions of the plan
/// rename it, and what stands below it is known by that name. Another that took over such a name is not ours.
fn called(manifest: &Manifest, kind: Kind, resource: Option<&String>, name: &mut Option<String>) {
    let Some(id) = resource.and_then(|resource| id_of(resource)) else {
        return;
    };
    let known = || {
        manifest
            .existing()
            .filter(|o| o.kind == kind.as_str() && o.remote_id.is_some())
    };
    if let Some(ours) = known().find(|o| o.remote_id.as_deref() == Some(id)) {
        name.clone_from(&ours.name);
    } else if known().any(|o| o.name == *name) {
        *name = None;
    }
}

/// Which of the objects shown are those that the keys stand for.
fn matched(manifest: &Manifest, keys: &[String], shown: Vec<Shown>) -> Vec<Found> {
    let wanted: HashSet<&str> = keys.iter().map(String::as_str).collect();
    let by_mark: HashMap<(Kind, String), &RemoteObject> = manifest
        .objects
        .iter()
        .filter(|object| wanted.contains(object.key.as_str()))
        .filter_map(|object| Some(((Kind::parse(&object.kind)?, mark(object, manifest)?), object)))
        .collect();
    let mut once = HashSet::new();
    shown
        .into_iter()
        .filter_map(|shown| {
            let by_mark = by_mark.get(&(shown.kind, shown.mark)).copied();
            // There is one budget and one label to a campaign that is ours, whatever they are called.
            let object = by_mark.or_else(|| {
                let of_kind =
                    |o: &&RemoteObject| o.kind == shown.kind.as_str() && wanted.contains(o.key.as_str());
                match shown.kind {
                    Kind::Budget => manifest.objects.iter().find(of_kind),
                    Kind::Label
                    | Kind::Campaign
                    | Kind::CampaignCriterion
                    | Kind::CampaignLabel
                    | Kind::AdGroup
                    | Kind::AdGroupCriterion
                    | Kind::AdGroupAd
                    | Kind::Asset
                    | Kind::CampaignAsset
                    | Kind::AssetGroup
                    | Kind::ListingGroupFilter
                    | Kind::AssetGroupAsset => None,
                }
            })?;
            // A row repeats what stands above it: each ad shows its ad group again. Of a text that an account holds twice
            // either will do, for neither can be removed.
            let again = if shown.kind == Kind::Asset {
                object.key.clone()
            } else {
                shown.id.clone()
            };
            once.insert((shown.kind, again)).then(|| Found {
                key: object.key.clone(),
                remote_id: shown.id,
                serving: shown.serving,
                created_at: None,
                spent: shown.spent,
            })
        })
        .collect()
}

/// By what an object of the manifest would be known in a row; see [`Shown::mark`].
fn mark(object: &RemoteObject, manifest: &Manifest) -> Option<String> {
    let group = |key: &str| {
        let parent = manifest.get(&format!("ad_group/{key}"))?;
        parent.name.clone()
    };
    match Kind::parse(&object.kind)? {
        Kind::Budget | Kind::Label | Kind::Campaign | Kind::AdGroup | Kind::Asset | Kind::AssetGroup => {
            object.name.clone()
        }
        Kind::CampaignLabel => manifest.get("label")?.name.clone(),
        Kind::CampaignCriterion => match object.key.strip_prefix("language/") {
            Some(language) => geo::language_constant(language),
            None => Some(object.key.clone()),
        },
        Kind::AdGroupCriterion | Kind::ListingGroupFilter if object.key.starts_with("products/") => {
            let parent = manifest.get(object.parent.as_deref()?)?;
            Some(format!("{}#products", parent.name.as_deref()?))
        }
        Kind::ListingGroupFilter => None,
        // `brand/logo/3f2a…`, `show/<group>/headline/3f2a…`
        Kind::CampaignAsset => object.key.strip_prefix("brand/").map(str::to_owned),
        Kind::AssetGroupAsset => {
            let parent = manifest.get(object.parent.as_deref()?)?;
            let (_, link) = object.key.strip_prefix("show/")?.split_once('/')?;
            Some(format!("{}#{link}", parent.name.as_deref()?))
        }
        Kind::AdGroupCriterion => {
            let (sign, rest) = object.key.split_once('/')?;
            let (key, rest) = rest.split_once('/')?;
            Some(format!("{sign}/{}/{rest}", group(key)?))
        }
        Kind::AdGroupAd => {
            let key = object.key.split('/').nth(1)?;
            let (_, fingerprint) = object.name.as_deref()?.rsplit_once('#')?;
            Some(format!("{}#{fingerprint}", group(key)?))
        }
    }
}
