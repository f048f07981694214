//! What a plan would change: one payload beside another, per campaign and field, in the planner's own words and units.
//!
//! Lists of things with a `key` are compared by it, keywords by their text and match, so that a moved ad is no change and a
//! removed one is named. Must not know any platform's fields: those are each adapter's own, and follow from these.

use serde_json::{Map, Value};
use std::collections::{BTreeSet, HashMap, HashSet};

/// One field that differs.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldChange {
    /// `budget.amount`, `ad_groups[brand-exact].ads[rsa-1].headlines[2]`.
    pub field: String,
    /// What is there; none: it is new.
    pub old: Option<Value>,
    /// What shall be; none: it goes.
    pub new: Option<Value>,
}

impl FieldChange {
    /// Whether the field is one of these, or lies below one.
    #[must_use]
    pub fn is_within(&self, fields: &[&str]) -> bool {
        fields.iter().any(|fixed| {
            self.field
                .strip_prefix(fixed)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        })
    }
}

/// What of a campaign differs and lies within these fields; `Campaign`s and the plan's own JSON spell them alike.
#[must_use]
pub fn within(old: &Value, new: &Value, fields: &[&str]) -> Vec<FieldChange> {
    let mut changes = Vec::new();
    values("", Some(old), Some(new), &mut changes);
    changes.retain(|change| change.is_within(fields));
    changes
}

/// A value as a person reads it: texts without quotes, nothing as a dash.
#[must_use]
pub fn shown(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "–".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// What happens to one campaign.
#[derive(Debug, Clone, PartialEq)]
pub enum CampaignChange {
    /// The plan did not have it.
    Added,
    /// The plan no longer has it.
    Gone,
    /// These fields of it.
    Changed(Vec<FieldChange>),
    /// Nothing.
    Unchanged,
}

/// One campaign of either payload.
#[derive(Debug, Clone, PartialEq)]
pub struct CampaignDiff {
    /// The platform's id.
    pub platform: String,
    /// The planner's key.
    pub logical_campaign_key: String,
    /// What happens to it.
    pub change: CampaignChange,
}

/// Compares the campaigns of two payloads of `plan.approved`, the new one's order first, what is gone last.
#[must_use]
pub fn campaigns(old: &Value, new: &Value) -> Vec<CampaignDiff> {
    let (old, new) = (by_key(old), by_key(new));
    let before: HashMap<(&str, &str), &Value> = old.iter().map(|(p, k, c)| ((*p, *k), *c)).collect();
    let after: HashSet<(&str, &str)> = new.iter().map(|(p, k, _)| (*p, *k)).collect();
    let mut diffs: Vec<CampaignDiff> = new
        .iter()
        .map(|(platform, key, campaign)| {
            let change = match before.get(&(*platform, *key)) {
                None => CampaignChange::Added,
                Some(before) => {
                    let mut fields = Vec::new();
                    values("", Some(before), Some(campaign), &mut fields);
                    if fields.is_empty() {
                        CampaignChange::Unchanged
                    } else {
                        CampaignChange::Changed(fields)
                    }
                }
            };
            diff(platform, key, change)
        })
        .collect();
    let gone = old.iter().filter(|(p, k, _)| !after.contains(&(*p, *k)));
    diffs.extend(gone.map(|(p, k, _)| diff(p, k, CampaignChange::Gone)));
    diffs
}

fn diff(platform: &str, key: &str, change: CampaignChange) -> CampaignDiff {
    CampaignDiff {
        platform: platform.to_owned(),
        logical_campaign_key: key.to_owned(),
        change,
    }
}

fn by_key(plan: &Value) -> Vec<(&str, &str, &Value)> {
    plan.get("campaigns")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|c| {
            Some((
                c.get("platform")?.as_str()?,
                c.get("logical_campaign_key")?.as_str()?,
                c,
            ))
        })
        .collect()
}

/// An absent member, a null, an empty list and an empty object say the same: nothing.
fn there(value: Option<&Value>) -> Option<&Value> {
    value.filter(|v| match v {
        Value::Null => false,
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    })
}

fn values(path: &str, old: Option<&Value>, new: Option<&Value>, out: &mut Vec<FieldChange>) {
    let (old, new) = (there(old), there(new));
    match (old, new) {
        (Some(Value::Object(o)), Some(Value::Object(n))) => members(path, o, n, out),
        (Some(Value::Array(o)), Some(Value::Array(n))) => lists(path, o, n, out),
        (o, n) if o == n || amounts_agree(path, o, n) => {}
        (o, n) => out.push(FieldChange {
            field: path.to_owned(),
            old: o.cloned(),
            new: n.cloned(),
        }),
    }
}

/// `250` and `250.00` are the same amount.
fn amounts_agree(path: &str, old: Option<&Value>, new: Option<&Value>) -> bool {
    let money = ["amount", "bid", "target_cpa"].iter().any(|name| {
        path.strip_suffix(name)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    });
    let plain = |v: Option<&Value>| -> Option<String> {
        let text = v?.as_str()?;
        let (units, decimals) = text.split_once('.').unwrap_or((text, ""));
        Some(format!("{units}.{}", decimals.trim_end_matches('0')))
    };
    money && plain(old).is_some() && plain(old) == plain(new)
}

fn members(path: &str, old: &Map<String, Value>, new: &Map<String, Value>, out: &mut Vec<FieldChange>) {
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for name in names {
        let inner = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        values(&inner, old.get(name), new.get(name), out);
    }
}

fn lists(path: &str, old: &[Value], new: &[Value], out: &mut Vec<FieldChange>) {
    let (old_names, new_names): (Option<Vec<String>>, Option<Vec<String>>) = (
        old.iter().map(name_of).collect(),
        new.iter().map(name_of).collect(),
    );
    let (Some(old_names), Some(new_names)) = (old_names, new_names) else {
        // Texts, in an order that means something.
        for i in 0..old.len().max(new.len()) {
            values(&format!("{path}[{i}]"), old.get(i), new.get(i), out);
        }
        return;
    };
    for (name, value) in new_names.iter().zip(new) {
        let before = old_names.iter().position(|n| n == name).and_then(|i| old.get(i));
        values(&format!("{path}[{name}]"), before, Some(value), out);
    }
    for (name, value) in old_names.iter().zip(old) {
        if !new_names.contains(name) {
            values(&format!("{path}[{name}]"), Some(value), None, out);
        }
    }
}

/// By what a list's element is known: its key, or a keyword's text and match.
fn name_of(value: &Value) -> Option<String> {
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    match (text("key"), text("text"), text("match")) {
        (Some(key), ..) => Some(key.to_owned()),
        (None, Some(words), Some(how)) => Some(format!("{words} ({how})")),
        (None, ..) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const PLAN: &str = include_str!("../../schemas/examples/plan.approved.json");

    fn plan() -> Value {
        serde_json::from_str(PLAN).unwrap()
    }

    fn changed(new: &Value) -> Vec<(String, Option<Value>, Option<Value>)> {
        campaigns(&plan(), new)
            .into_iter()
            .filter_map(|d| match d.change {
                CampaignChange::Changed(fields) => Some(fields),
                CampaignChange::Added | CampaignChange::Gone | CampaignChange::Unchanged => None,
            })
            .flatten()
            .map(|f| (f.field, f.old, f.new))
            .collect()
    }

    #[test]
    fn the_same_plan_differs_nowhere() {
        let mut same = plan();
        same["approved_at"] = json!("2027-01-01T00:00:00Z");
        same["campaigns"][0]["budget"]["amount"] = json!("250.0");
        same["campaigns"][0]["frequency_cap"] = json!(null);
        same["campaigns"].as_array_mut().unwrap().reverse();
        let unchanged = |d: &CampaignDiff| d.change == CampaignChange::Unchanged;
        assert!(campaigns(&plan(), &same).iter().all(unchanged));
    }

    #[test]
    fn each_field_is_named_with_both_values() {
        let mut new = plan();
        new["campaigns"][0]["budget"]["amount"] = json!("260.00");
        new["campaigns"][0]["ad_groups"][0]["ads"][0]["headlines"][1] = json!("Autumn");
        let keywords = new["campaigns"][0]["ad_groups"][0]["keywords"]
            .as_array_mut()
            .unwrap();
        keywords.remove(0);
        keywords.push(json!({ "text": "acme boots", "match": "exact" }));
        let fields = changed(&new);
        let names: Vec<&str> = fields.iter().map(|(f, ..)| f.as_str()).collect();
        assert_eq!(
            names,
            [
                "ad_groups[brand-exact].ads[rsa-1].headlines[1]",
                "ad_groups[brand-exact].keywords[acme boots (exact)]",
                "ad_groups[brand-exact].keywords[acme running shoes (exact)]",
                "budget.amount"
            ]
        );
        assert_eq!(fields[3].1, Some(json!("250.00")));
        assert_eq!(fields[3].2, Some(json!("260.00")));
        assert_eq!((fields[1].1.is_none(), fields[2].2.is_none()), (true, true));
    }

    #[test]
    fn a_field_lies_within_its_parents_and_not_within_its_neighbours() {
        let change = |field: &str| FieldChange {
            field: field.to_owned(),
            old: None,
            new: None,
        };
        assert!(change("budget.period").is_within(&["budget.period"]));
        assert!(change("settings.a[0]").is_within(&["settings.a"]));
        assert!(!change("budget.periods").is_within(&["budget.period"]));
        assert!(!change("budget").is_within(&["budget.period"]));
    }

    #[test]
    fn campaigns_come_and_go() {
        let mut new = plan();
        let all = new["campaigns"].as_array_mut().unwrap();
        let gone = all.pop().unwrap();
        let mut twin = all[0].clone();
        twin["logical_campaign_key"] = json!("twin");
        all.insert(0, twin);
        let diffs = campaigns(&plan(), &new);
        assert_eq!(diffs[0].change, CampaignChange::Added);
        let last = diffs.last().unwrap();
        assert_eq!(last.change, CampaignChange::Gone);
        assert_eq!(json!(last.logical_campaign_key), gone["logical_campaign_key"]);
    }
}
