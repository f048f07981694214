//! The rules of labels and of what links them to campaigns and ad groups.
//!
//! Must not know what else a campaign or an ad group is. Unless said otherwise a rule's source is the
//! comment of its field or error in `resources/*.proto` and `errors/*.proto` of
//! <https://github.com/googleapis/googleapis/tree/master/google/ads/googleads/v25>.

use super::errors::Fault;
use super::mutate::{Kind, Ruling, Tx, gone, snake};
use super::rules::{Fields, default, namesakes, none, text};
use super::{NAME, resource_name};
use crate::sandbox::store::Handle;
use serde_json::json;

/// Labels of one campaign or ad group (`enums/resource_limit_type.proto`, `LABELS_PER_CAMPAIGN`).
const MOST_LABELS: usize = 50;

pub(super) const LABEL: Kind = Kind {
    resource: "label",
    collection: "labels",
    message: "Label",
    composite: false,
    output_only: &["id", "status"],
    immutable: &[],
    references: &[],
    create: Some(create_label),
    update: Some(|tx, handle, after| none(label_faults(tx, after, Some(handle)))),
    remove: Some(|_, _| Ok(())),
};

pub(super) const CAMPAIGN_LABEL: Kind = Kind {
    resource: "campaign_label",
    collection: "campaignLabels",
    message: "CampaignLabel",
    composite: true,
    output_only: &[],
    immutable: &["campaign", "label"],
    references: &[("campaign", "campaign"), ("label", "label")],
    create: Some(|tx, fields| link_label(tx, fields, "campaign", "campaign_label")),
    update: None,
    remove: Some(|_, _| Ok(())),
};
pub(super) const AD_GROUP_LABEL: Kind = Kind {
    resource: "ad_group_label",
    collection: "adGroupLabels",
    message: "AdGroupLabel",
    composite: true,
    output_only: &[],
    immutable: &["adGroup", "label"],
    references: &[("adGroup", "ad_group"), ("label", "label")],
    create: Some(|tx, fields| link_label(tx, fields, "adGroup", "ad_group_label")),
    update: None,
    remove: Some(|_, _| Ok(())),
};

fn create_label(tx: &mut Tx<'_>, mut fields: Fields) -> Ruling<Handle> {
    none(label_faults(tx, &fields, None))?;
    let id = tx.world.ids.google();
    fields.insert("id".into(), id.clone().into());
    default(&mut fields, "status", "ENABLED");
    Ok(tx.make("label", id, None, fields))
}

fn label_faults(tx: &Tx<'_>, fields: &Fields, own: Option<Handle>) -> Vec<Fault> {
    let name = text(fields, "name");
    if name.is_empty() {
        return vec![Fault::required("name")];
    }
    if name.chars().count() > 80 {
        return vec![
            Fault::new("labelError", "INVALID_LABEL_NAME", "The name is too long.")
                .at("name")
                .because(name),
        ];
    }
    if namesakes(tx, "label", name, own).is_empty() {
        return Vec::new();
    }
    let message = "The label name must be unique.";
    vec![
        Fault::new("labelError", "DUPLICATE_NAME", message)
            .at("name")
            .because(name),
    ]
}

/// Links a label to a campaign or an ad group: once, and at most 50 to one of them.
fn link_label(tx: &mut Tx<'_>, mut fields: Fields, owner: &str, resource: &'static str) -> Ruling<Handle> {
    let (Some(parent), Some(label)) = (tx.referenced(&fields, owner), tx.referenced(&fields, "label")) else {
        let missing = if fields.contains_key(owner) {
            "label".to_owned()
        } else {
            snake(owner)
        };
        return Err(vec![Fault::required(&missing)]);
    };
    if tx.removed(label) {
        return Err(vec![gone().at("label")]);
    }
    let id = format!(
        "{}~{}",
        tx.world.store.get(parent).id,
        tx.world.store.get(label).id
    );
    let key = resource_name(&tx.customer, resource, &id);
    let (family, code) = if resource == "campaign_label" {
        ("campaignError", "CAMPAIGN_LABEL_ALREADY_EXISTS")
    } else {
        ("adGroupError", "ADGROUP_LABEL_ALREADY_EXISTS")
    };
    if tx.world.store.find(NAME, &key).is_some_and(|h| !tx.removed(h)) {
        return Err(vec![Fault::new(family, code, "The label is already attached.")]);
    }
    let others = tx.world.store.get(parent).children.iter();
    let others = others
        .map(|h| tx.world.store.get(*h))
        .filter(|o| o.kind == resource && o.text("status") != "REMOVED")
        .count();
    if others >= MOST_LABELS {
        let limit = if resource == "campaign_label" {
            "LABELS_PER_CAMPAIGN"
        } else {
            "LABELS_PER_AD_GROUP"
        };
        let details = json!({"resourceCountDetails": {
            "enclosingId": tx.world.store.get(parent).id, "limit": MOST_LABELS, "limitType": limit, "existingCount": others,
        }});
        let (family, message) = ("resourceCountLimitExceededError", "There are too many labels.");
        return Err(vec![Fault::new(family, "RESOURCE_LIMIT", message).with(details)]);
    }
    let label = tx.world.store.get(label);
    let (label_key, label_name) = (label.key.clone(), label.text("name").to_owned());
    fields.insert("_index".into(), label_key.into());
    fields.insert("_name".into(), label_name.into());
    Ok(tx.make(resource, id, Some(parent), fields))
}
