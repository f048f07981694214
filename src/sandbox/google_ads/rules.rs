//! What the rules of all Google Ads resources share, and the rules of customers, which are few.
//!
//! Must not know campaigns or ads. Unless said otherwise a rule's source is the
//! comment of its field or error in `resources/*.proto` and `errors/*.proto` of
//! <https://github.com/googleapis/googleapis/tree/master/google/ads/googleads/v25>.

use super::errors::Fault;
use super::mutate::{Kind, Ruling, Tx};
use super::{NAME, urls};
use crate::sandbox::store::Handle;
use serde_json::{Map, Value};

/// A resource's fields.
pub(super) type Fields = Map<String, Value>;

pub(super) const CUSTOMER: Kind = Kind {
    resource: "customer",
    collection: "customers",
    message: "Customer",
    composite: false,
    output_only: &[
        "id",
        "manager",
        "testAccount",
        "status",
        "hasPartnersBadge",
        "optimizationScore",
    ],
    immutable: &["currencyCode", "timeZone"],
    references: &[],
    create: None,
    update: Some(|_, _, after| none(urls::tracking(after))),
    remove: None,
};

/// No faults, or all of them.
pub(super) fn none(faults: Vec<Fault>) -> Ruling<()> {
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

/// A whole number of micros; None where the field is not set.
pub(super) fn micros(fields: &Fields, field: &str) -> Option<i64> {
    fields.get(field)?.as_str()?.parse().ok()
}

pub(super) fn text<'a>(fields: &'a Fields, field: &str) -> &'a str {
    fields.get(field).and_then(Value::as_str).unwrap_or("")
}

/// Sets a field that was left out.
pub(super) fn default(fields: &mut Fields, field: &str, value: impl Into<Value>) {
    fields.entry(field).or_insert_with(|| value.into());
}

/// The objects of this name that are not removed, without the one at hand.
pub(super) fn namesakes(tx: &Tx<'_>, resource: &'static str, name: &str, but: Option<Handle>) -> Vec<Handle> {
    let named = tx.world.store.named(NAME, &tx.customer, resource, name);
    named
        .iter()
        .copied()
        .filter(|h| Some(*h) != but && !tx.removed(*h))
        .collect()
}
