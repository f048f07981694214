//! What the rows of a campaign amount to: objects, tracking, eligibility.
//!
//! Must not call, and must not judge tracking: it shows every place that a click passes through, `domain::tracking` judges.

use super::forms::{filled, parameter_map};
use super::kinds::Kind;
use super::lookup::{bids_by_hand, shown, spent};
use super::mapping::unfit;
use super::starts;
use super::wire::{AssetGroup, CustomParameter, PolicySummary, Row};
use crate::domain::error::{ErrorClass, LegError};
use crate::domain::manifest::{Manifest, RemoteObject};
use crate::domain::tracking::Observed;
use crate::platform::{Eligibility, Reading, Seen};
use chrono::{DateTime, Utc};
use std::collections::{HashMap, HashSet};

/// Everything that the rows, read now, say about what the manifest holds.
pub(super) fn reading(manifest: &Manifest, rows: &[Row], now: DateTime<Utc>) -> Reading {
    let manual = bids_by_hand(rows);
    let ours: HashMap<(Kind, &str), &RemoteObject> = manifest
        .existing()
        .filter_map(|object| Some(((Kind::parse(&object.kind)?, object.remote_id.as_deref()?), object)))
        .collect();
    let head = rows
        .iter()
        .find(|row| row.campaign.is_some() && row.ad_group_ad.is_none() && row.asset.is_none());
    let (mut objects, mut tracking) = (Vec::new(), Vec::new());
    let mut once = HashSet::new();
    for row in rows {
        for shown in shown(row, manual) {
            if !once.insert((shown.kind, shown.id.clone())) {
                continue;
            }
            let object = ours.get(&(shown.kind, shown.id.as_str())).copied();
            // What somebody else put beside our objects is not ours to compare, but its clicks are ours to track.
            let name = object.map_or_else(
                || format!("{}/{}", shown.kind.as_str(), shown.id),
                |o| o.key.clone(),
            );
            observe(&mut tracking, &name, shown.kind, row);
            let Some(object) = object else { continue };
            let mut fields = shown.fields;
            if shown.kind == Kind::Campaign {
                starts::settle(&mut fields, &object.applied, now);
            }
            objects.push(Seen {
                key: object.key.clone(),
                remote_id: shown.id,
                serving: shown.serving,
                fields,
            });
        }
    }
    if let Some(customer) = head.and_then(|row| row.customer.as_ref()) {
        place(
            &mut tracking,
            "account",
            "final_url_suffix",
            customer.final_url_suffix.as_ref(),
        );
        place(
            &mut tracking,
            "account",
            "tracking_url_template",
            customer.tracking_url_template.as_ref(),
        );
    }
    Reading {
        objects,
        tracking,
        auto_tagging: head.and_then(|row| row.customer.as_ref()?.auto_tagging_enabled),
        eligibility: eligibility(head, rows),
        finding: finding(rows),
        spent: head.and_then(spent),
    }
}

fn place(into: &mut Vec<Observed>, object: &str, field: &str, value: Option<&String>) {
    if let Some(value) = filled(value) {
        into.push(Observed {
            object: object.to_owned(),
            field: field.to_owned(),
            value,
        });
    }
}

fn urls(into: &mut Vec<Observed>, object: &str, field: &str, values: Option<&Vec<String>>) {
    for (at, value) in values.into_iter().flatten().enumerate() {
        place(into, object, &format!("{field}[{at}]"), Some(value));
    }
}

fn parameters(into: &mut Vec<Observed>, object: &str, list: Option<&Vec<CustomParameter>>) {
    for (key, value) in parameter_map(list.map(Vec::as_slice)) {
        place(
            into,
            object,
            "url_custom_parameters",
            Some(&format!("{key}={value}")),
        );
    }
}

/// Every place of an object that a click passes through.
fn observe(into: &mut Vec<Observed>, name: &str, kind: Kind, row: &Row) {
    match kind {
        Kind::Campaign => {
            let Some(campaign) = &row.campaign else { return };
            place(into, name, "final_url_suffix", campaign.final_url_suffix.as_ref());
            place(
                into,
                name,
                "tracking_url_template",
                campaign.tracking_url_template.as_ref(),
            );
            parameters(into, name, campaign.url_custom_parameters.as_ref());
        }
        Kind::AdGroup => {
            let Some(group) = &row.ad_group else { return };
            place(into, name, "final_url_suffix", group.final_url_suffix.as_ref());
            place(
                into,
                name,
                "tracking_url_template",
                group.tracking_url_template.as_ref(),
            );
            parameters(into, name, group.url_custom_parameters.as_ref());
        }
        Kind::AdGroupCriterion => {
            let Some(criterion) = &row.ad_group_criterion else {
                return;
            };
            urls(into, name, "final_urls", criterion.final_urls.as_ref());
            urls(
                into,
                name,
                "final_mobile_urls",
                criterion.final_mobile_urls.as_ref(),
            );
            place(
                into,
                name,
                "final_url_suffix",
                criterion.final_url_suffix.as_ref(),
            );
            place(
                into,
                name,
                "tracking_url_template",
                criterion.tracking_url_template.as_ref(),
            );
            parameters(into, name, criterion.url_custom_parameters.as_ref());
        }
        Kind::AdGroupAd => {
            let Some(ad) = row.ad_group_ad.as_ref().and_then(|link| link.ad.as_ref()) else {
                return;
            };
            urls(into, name, "final_urls", ad.final_urls.as_ref());
            urls(into, name, "final_mobile_urls", ad.final_mobile_urls.as_ref());
            place(into, name, "final_url_suffix", ad.final_url_suffix.as_ref());
            place(
                into,
                name,
                "tracking_url_template",
                ad.tracking_url_template.as_ref(),
            );
            parameters(into, name, ad.url_custom_parameters.as_ref());
        }
        Kind::AssetGroup => {
            let Some(group) = &row.asset_group else { return };
            urls(into, name, "final_urls", group.final_urls.as_ref());
            urls(into, name, "final_mobile_urls", group.final_mobile_urls.as_ref());
            place(into, name, "final_url_suffix", group.final_url_suffix.as_ref());
            place(
                into,
                name,
                "tracking_url_template",
                group.tracking_url_template.as_ref(),
            );
            parameters(into, name, group.url_custom_parameters.as_ref());
        }
        Kind::CampaignAsset => {
            let Some(asset) = &row.asset else { return };
            urls(into, name, "final_urls", asset.final_urls.as_ref());
            urls(into, name, "final_mobile_urls", asset.final_mobile_urls.as_ref());
            place(into, name, "final_url_suffix", asset.final_url_suffix.as_ref());
            place(
                into,
                name,
                "tracking_url_template",
                asset.tracking_url_template.as_ref(),
            );
            parameters(into, name, asset.url_custom_parameters.as_ref());
        }
        Kind::Budget
        | Kind::Label
        | Kind::CampaignLabel
        | Kind::CampaignCriterion
        | Kind::Asset
        | Kind::ListingGroupFilter
        | Kind::AssetGroupAsset => {}
    }
}

/// Why a campaign that is on waits: not for its start.
/// Source: v26/enums/campaign_primary_status_reason.proto.
const UNDER_REVIEW: [&str; 2] = ["MOST_ADS_UNDER_REVIEW", "MOST_ASSET_GROUPS_UNDER_REVIEW"];

/// One thing that Google reviews: an ad, or an asset in an asset group.
struct Reviewed<'a> {
    name: Option<&'a String>,
    policy: Option<&'a PolicySummary>,
}

fn reviewed(rows: &[Row]) -> Vec<Reviewed<'_>> {
    let ads = rows
        .iter()
        .filter_map(|row| row.ad_group_ad.as_ref())
        .map(|ad| Reviewed {
            name: ad.resource_name.as_ref(),
            policy: ad.policy_summary.as_ref(),
        });
    let links = rows
        .iter()
        .filter_map(|row| row.asset_group_asset.as_ref())
        .map(|link| Reviewed {
            name: link.resource_name.as_ref(),
            policy: link.policy_summary.as_ref(),
        });
    ads.chain(links).collect()
}

impl Reviewed<'_> {
    fn is_refused(&self) -> bool {
        self.policy.and_then(|p| p.approval_status.as_deref()) == Some("DISAPPROVED")
    }
}

/// Asset groups that say of themselves that this is so; and how many there are.
fn groups_that_say(rows: &[Row], reason: &str) -> (usize, usize) {
    // Beside a link a group shows no more than its name.
    let groups = rows.iter().filter_map(|row| row.asset_group.as_ref());
    let groups: Vec<&AssetGroup> = groups.filter(|group| group.status.is_some()).collect();
    let says = |group: &&&AssetGroup| {
        let reasons = group.primary_status_reasons.as_deref().unwrap_or_default();
        reasons.iter().any(|said| said == reason)
    };
    (groups.iter().filter(says).count(), groups.len())
}

/// Whatever is disapproved needs a person, also while the campaign is paused: reviews run then too.
fn finding(rows: &[Row]) -> Option<Box<LegError>> {
    let all = reviewed(rows);
    let refused: Vec<&Reviewed<'_>> = all.iter().filter(|one| one.is_refused()).collect();
    let (groups, of) = groups_that_say(rows, "ASSET_GROUP_DISAPPROVED");
    if !refused.is_empty() {
        return Some(Box::new(disapproved(&refused, all.len())));
    }
    (groups > 0).then(|| Box::new(disapproved(&[], of)))
}

/// Why a campaign that is on serves nothing at all.
const ALL_REFUSED: [&str; 2] = ["HAS_ADS_DISAPPROVED", "HAS_ASSET_GROUPS_DISAPPROVED"];

/// That nothing is left to serve is said while the campaign is paused too. Otherwise the campaign's own primary status counts,
/// which lags behind; where it says nothing, the reviews do. An asset group tells of itself what a campaign tells of its ads.
/// Source: v26/enums/{campaign_primary_status,campaign_primary_status_reason,asset_group_primary_status,
/// asset_group_primary_status_reason,policy_approval_status,policy_review_status}.proto.
fn eligibility(head: Option<&Row>, rows: &[Row]) -> Eligibility {
    let all = reviewed(rows);
    let campaign = head.and_then(|row| row.campaign.as_ref());
    let primary = campaign.and_then(|c| c.primary_status.as_deref());
    let reasons = campaign.and_then(|c| c.primary_status_reasons.as_deref());
    let reasons = reasons.unwrap_or_default();
    let says = |those: [&str; 2]| reasons.iter().any(|reason| those.contains(&reason.as_str()));
    let (groups, of) = groups_that_say(rows, "ASSET_GROUP_DISAPPROVED");
    let nothing_left = all.iter().all(Reviewed::is_refused)
        || groups == of && of > 0
        || primary == Some("NOT_ELIGIBLE") && says(ALL_REFUSED);
    if let Some(finding) = finding(rows).filter(|_| nothing_left) {
        return Eligibility::Disapproved(finding);
    }
    let Some(campaign) = campaign else {
        return Eligibility::Paused;
    };
    if campaign.status.as_deref() == Some("PAUSED") {
        return Eligibility::Paused;
    }
    let reviewing = groups_that_say(rows, "ASSET_GROUP_UNDER_REVIEW").0 > 0
        || all
            .iter()
            .any(|one| one.policy.and_then(|p| p.review_status.as_deref()) == Some("REVIEW_IN_PROGRESS"));
    match primary {
        Some("PENDING") if says(UNDER_REVIEW) => Eligibility::InReview,
        // It waits for its start.
        Some("PENDING") => Eligibility::NotBegun,
        // ENDED is past its end, LIMITED and LEARNING serve.
        Some("ELIGIBLE" | "LIMITED" | "LEARNING" | "ENDED") => Eligibility::Eligible,
        Some("PAUSED") => Eligibility::Paused,
        Some("NOT_ELIGIBLE" | "MISCONFIGURED") => Eligibility::InReview,
        Some(_) | None if reviewing => Eligibility::InReview,
        Some(_) | None => Eligibility::Eligible,
    }
}

fn disapproved(refused: &[&Reviewed<'_>], of: usize) -> LegError {
    let entries = refused
        .iter()
        .filter_map(|one| one.policy?.policy_topic_entries.as_ref())
        .flatten();
    let mut topics: Vec<String> = entries.filter_map(|entry| entry.topic.clone()).collect();
    topics.sort();
    topics.dedup();
    let names: Vec<&str> = refused
        .iter()
        .filter_map(|one| Some(one.name?.split_once('/')?.1.split_once('/')?.1))
        .collect();
    let how_many = refused.len().max(1);
    LegError {
        field: (!names.is_empty()).then(|| names.join(", ")),
        platform_code: Some("DISAPPROVED".to_owned()),
        platform_message: (!topics.is_empty()).then(|| topics.join(", ")),
        class: ErrorClass::Policy,
        code: "google-ads-disapproved".to_owned(),
        ..*unfit(
            format!("Google disapproved {how_many} of {of} ads and assets"),
            "change them in a new approval of the plan, or appeal in Google Ads; then `resume`",
        )
    }
}
