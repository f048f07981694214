//! `plan preview`: what a plan would change, before anyone approves it.
//!
//! Must not write anything, neither here nor on a platform.

use super::output::Output;
use super::plan::{LARGEST, load};
use super::{Failure, drift};
use crate::domain::diff::{self, CampaignChange, CampaignDiff, FieldChange};
use crate::domain::ids::{LegKey, campaign_name};
use crate::domain::plan::Plan;
use crate::platform;
use crate::store::views::{InForce, LegView};
use crate::wire;
use crate::wiring::Wiring;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::Path;

/// What becomes of one campaign.
struct Row {
    sign: &'static str,
    platform: String,
    key: String,
    state: String,
    what: String,
    fields: Vec<FieldChange>,
    refused: Vec<String>,
}

/// Shows it; 5 when something would change.
pub async fn run(wiring: &Wiring, file: &Path, live: bool, output: &Output) -> Result<u8, Failure> {
    let (plan, bytes) = load(file)?;
    // As `load` has read it.
    let envelope =
        wire::unwrap(&[], Some(&bytes), LARGEST).map_err(|p| Failure::invalid(wire::summary(&p)))?;
    let mut shown = show(wiring, (&plan, &envelope.data), false, output).await?;
    let mut differs = shown.differs;
    if let (true, Some(launched)) = (live, shown.launched) {
        output.line("");
        let (looked, found) = drift::compare(wiring, launched, output).await?;
        shown.json["drift"] = json!(looked);
        let becomes = wiring.overwriting().look(launched, &plan, &looked).await?;
        if !becomes.is_empty() {
            output.line("");
            output.line("What this payload does to what somebody changed there:");
        }
        for line in &becomes {
            output.line(format!("  {line}"));
        }
        shown.json["drift_becomes"] = json!(becomes);
        differs |= found > 0;
    }
    output.json(&shown.json);
    Ok(if differs { 5 } else { 0 })
}

/// What was shown.
pub struct Shown {
    /// Something would change.
    pub differs: bool,
    /// The execution that it would change; none: nothing is launched.
    pub launched: Option<i64>,
    /// All of it, for `--json`.
    pub json: Value,
}

/// Shows what a payload would change; `forced`: also if it is older than what is in force.
pub async fn show(
    wiring: &Wiring,
    (plan, payload): (&Plan, &Value),
    forced: bool,
    output: &Output,
) -> Result<Shown, Failure> {
    let tenant = plan.tenant_id.as_str();
    let same = wiring.store.in_force(tenant, plan.plan_version.as_str()).await?;
    let older = match (&same, &plan.supersedes) {
        (None, Some(version)) => wiring.store.in_force(tenant, version.as_str()).await?,
        (Some(_), _) | (None, None) => None,
    };
    let base = same.as_ref().or(older.as_ref());
    let legs = match base {
        Some(base) => wiring.store.legs(base.execution_id, 20_000).await?,
        None => Vec::new(),
    };
    let nothing = json!({ "campaigns": [] });
    let before = base
        .filter(|b| b.fenced.is_none() || same.is_some())
        .map_or(&nothing, |b| &b.payload);
    let by_key: HashMap<(&str, &str), &LegView> = legs
        .iter()
        .map(|l| ((l.platform.as_str(), l.logical_campaign_key.as_str()), l))
        .collect();
    let rows: Vec<Row> = diff::campaigns(before, payload)
        .into_iter()
        .map(|d| {
            let leg = by_key.get(&(d.platform.as_str(), d.logical_campaign_key.as_str()));
            row(d.clone(), plan, leg.copied(), older.is_some())
        })
        .collect();
    let late = same.as_ref().and_then(|s| too_late(s, plan, forced));
    tell(
        output,
        plan,
        (same.as_ref(), older.as_ref()),
        &rows,
        late.as_deref(),
    );
    Ok(Shown {
        json: as_json(plan, (same.as_ref(), older.as_ref()), &rows, late.as_deref()),
        differs: rows.iter().any(|r| r.sign != " ") && late.is_none(),
        launched: base.map(|b| b.execution_id),
    })
}

/// Why the payload would be taken in and change nothing.
fn too_late(same: &InForce, plan: &Plan, forced: bool) -> Option<String> {
    if let Some(why) = same.fenced {
        return Some(format!("{why}: publish a new plan version"));
    }
    (plan.approved_at < same.approved_at && !forced).then(|| {
        format!(
            "it was approved before the payload in force ({}): an older payload does not win",
            same.approved_at.to_rfc3339()
        )
    })
}

fn row(campaign: CampaignDiff, plan: &Plan, leg: Option<&LegView>, adopted: bool) -> Row {
    let name = leg
        .and_then(|l| l.manifest.as_ref())
        .map(|m| m.campaign_name.clone())
        .unwrap_or_default();
    let fixed = platform::by_name(&campaign.platform).map_or(&[][..], |p| p.immutable());
    let (sign, what, fields) = match campaign.change {
        CampaignChange::Added => ("+", new_name(plan, &campaign), Vec::new()),
        CampaignChange::Gone => ("-", format!("{name} is switched off and kept"), Vec::new()),
        CampaignChange::Changed(fields) => ("~", name, fields),
        CampaignChange::Unchanged if adopted => {
            ("~", format!("{name} is taken over and renamed"), Vec::new())
        }
        CampaignChange::Unchanged => (" ", name, Vec::new()),
    };
    let refused = fields
        .iter()
        .filter(|f| f.is_within(fixed))
        .map(|f| f.field.clone())
        .collect();
    Row {
        sign,
        platform: campaign.platform,
        key: campaign.logical_campaign_key,
        state: leg.map_or_else(|| "new".to_owned(), |l| l.state.clone()),
        what,
        fields,
        refused,
    }
}

fn new_name(plan: &Plan, diff: &CampaignDiff) -> String {
    let campaign = plan.campaigns.iter().find(|c| {
        c.platform.as_str() == diff.platform && c.logical_campaign_key.as_str() == diff.logical_campaign_key
    });
    campaign.map_or_else(String::new, |c| {
        let key = LegKey {
            tenant_id: plan.tenant_id.clone(),
            plan_version: plan.plan_version.clone(),
            platform: c.platform.clone(),
            logical_campaign_key: c.logical_campaign_key.clone(),
        };
        let alone = plan
            .campaigns
            .iter()
            .find(|o| o.platform == c.platform && o.objective == c.objective)
            .is_some_and(|first| first.logical_campaign_key == c.logical_campaign_key);
        format!(
            "{} is built, {} {}",
            campaign_name(&key, c.objective.as_str(), alone),
            c.budget.amount,
            match c.budget.period {
                crate::domain::plan::Period::Daily => "daily",
                crate::domain::plan::Period::Lifetime => "lifetime",
            }
        )
    })
}

fn as_json(
    plan: &Plan,
    (same, older): (Option<&InForce>, Option<&InForce>),
    rows: &[Row],
    late: Option<&str>,
) -> Value {
    let count = |sign: &str| rows.iter().filter(|r| r.sign == sign).count();
    json!({
        "plan_version": plan.plan_version, "tenant_id": plan.tenant_id,
        "amends": same.map(|s| &s.plan_version), "supersedes": older.map(|o| &o.plan_version), "refused": late,
        "to_add": count("+"), "to_change": count("~"), "to_switch_off": count("-"), "unchanged": count(" "),
        "campaigns": rows.iter().map(|r| json!({
            "platform": r.platform, "logical_campaign_key": r.key, "state": r.state,
            "action": match r.sign { "+" => "add", "-" => "switch_off", "~" => "change", _ => "none" },
            "cannot_change": r.refused,
            "fields": r.fields.iter().map(|f| json!({ "field": f.field, "old": f.old, "new": f.new })).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
    })
}

fn tell(
    output: &Output,
    plan: &Plan,
    (same, older): (Option<&InForce>, Option<&InForce>),
    rows: &[Row],
    late: Option<&str>,
) {
    let count = |sign: &str| rows.iter().filter(|r| r.sign == sign).count();
    let about = match (same, older) {
        (Some(_), _) => "is launched already; this payload amends it".to_owned(),
        (None, Some(older)) => format!("takes over from {}", older.plan_version),
        (None, None) => "is not launched; everything is new".to_owned(),
    };
    output.line(format!(
        "{} of tenant {} {about}",
        output.bold(plan.plan_version.as_str()),
        plan.tenant_id
    ));
    output.line("");
    for row in rows {
        let place = format!("{}/{}", row.platform, row.key);
        output.line(output.tint(&format!(
            "  {} {place:<36} {:<10} {}",
            row.sign, row.state, row.what
        )));
        for field in &row.fields {
            let money = field.field.ends_with("amount")
                || field.field.ends_with("target_cpa")
                || field.field.ends_with("bid");
            let unit = if money {
                format!(" {}", plan.currency)
            } else {
                String::new()
            };
            let note = if row.refused.contains(&field.field) {
                "   cannot be changed: give the campaign another logical_campaign_key"
            } else {
                ""
            };
            output.line(format!(
                "      {:<40} {} → {}{unit}{note}",
                field.field,
                diff::shown(field.old.as_ref()),
                diff::shown(field.new.as_ref())
            ));
        }
    }
    output.line("");
    if let Some(why) = late {
        output.line(format!("Nothing of it would be applied: {why}."));
        return;
    }
    output.line(format!(
        "{} to add, {} to change, {} to switch off, {} unchanged. Nothing was written.",
        count("+"),
        count("~"),
        count("-"),
        count(" ")
    ));
}
