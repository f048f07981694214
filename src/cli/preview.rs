//! `plan preview`: what a plan would change, before anyone approves it.
//!
//! Must not write anything, neither here nor on a platform.

use super::output::Output;
use super::plan::{LARGEST, load};
use super::status::time;
use super::{Failure, drift};
use crate::domain::diff::{self, CampaignChange, CampaignDiff, FieldChange};
use crate::domain::plan::{Period, Plan};
use crate::domain::saga::LegState;
use crate::domain::spec::{LegSpec, leg_specs};
use crate::domain::tenant::ImmutableChange;
use crate::platform;
use crate::store::replace::free_name;
use crate::store::views::{Before, InForce, LegView};
use crate::wire;
use crate::wiring::Wiring;
use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
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
    /// Another campaign takes its place.
    replaced: Option<Replaced>,
    /// What people would not expect.
    notes: Vec<String>,
}

/// A campaign that cannot be changed, and the one that takes its place.
struct Replaced {
    old: String,
    old_id: Option<String>,
    new: String,
    /// The old one is on.
    on: bool,
    /// What happens, in order.
    steps: Vec<String>,
}

/// What the rows are made from.
struct Ground<'a> {
    policy: ImmutableChange,
    /// An older version's campaigns are taken over.
    adopted: bool,
    /// What each campaign of the plan is called, by platform and key.
    names: HashMap<(String, String), (String, &'a LegSpec)>,
    /// What is built now begins after this.
    now: DateTime<Utc>,
    /// The plan's.
    zone: Tz,
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
    let before_it = match &same {
        Some(_) => Before::Nothing,
        None => wiring.store.before(plan).await?,
    };
    let older = match &before_it {
        Before::Holder(version) => wiring.store.in_force(tenant, version).await?,
        Before::Nothing | Before::Waits(_) | Before::Overtaken(_) => None,
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
    let onboarded = wiring.store.tenant(tenant).await?;
    let specs = leg_specs(plan, "");
    let ground = Ground {
        policy: onboarded.map_or(ImmutableChange::Refuse, |t| t.policy.immutable_change),
        adopted: older.is_some(),
        names: names(&specs, same.as_ref().map_or(&[], |_| &legs)),
        now: wiring.clock.now(),
        zone: plan.timezone,
    };
    let rows: Vec<Row> = diff::campaigns(before, payload)
        .into_iter()
        .map(|d| {
            let leg = by_key.get(&(d.platform.as_str(), d.logical_campaign_key.as_str()));
            row(d.clone(), leg.copied(), &ground)
        })
        .collect();
    let late = match (&same, &before_it) {
        (Some(same), _) => too_late(same, plan, forced),
        (None, Before::Overtaken(by)) => {
            Some(format!("{by}, a newer version of its line, is launched already"))
        }
        (None, Before::Waits(on)) => Some(format!(
            "its gate waits: {on} is being rolled back, and what that gives back is not there yet"
        )),
        (None, Before::Nothing | Before::Holder(_)) => None,
    };
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

/// What each campaign is (or will be) called: a name once given is kept, and nobody else gets it.
fn names<'a>(specs: &'a [LegSpec], legs: &[LegView]) -> HashMap<(String, String), (String, &'a LegSpec)> {
    let mut taken: HashSet<String> = legs
        .iter()
        .filter_map(|l| l.manifest.as_ref().map(|m| m.campaign_name.clone()))
        .collect();
    let place = |spec: &LegSpec| {
        (
            spec.key.platform.to_string(),
            spec.key.logical_campaign_key.to_string(),
        )
    };
    specs
        .iter()
        .map(|spec| (place(spec), (free_name(spec, &mut taken), spec)))
        .collect()
}

fn row(campaign: CampaignDiff, leg: Option<&LegView>, ground: &Ground<'_>) -> Row {
    let place = (campaign.platform.clone(), campaign.logical_campaign_key.clone());
    let name = leg
        .and_then(|l| l.manifest.as_ref())
        .map(|m| m.campaign_name.clone())
        .unwrap_or_default();
    let fixed = platform::by_name(&campaign.platform).map_or(&[][..], |p| p.immutable());
    let (sign, what, fields) = match campaign.change {
        CampaignChange::Added => ("+", built(ground.names.get(&place)), Vec::new()),
        CampaignChange::Gone => ("-", format!("{name} is switched off and kept"), Vec::new()),
        CampaignChange::Changed(fields) => ("~", name, fields),
        CampaignChange::Unchanged if ground.adopted => {
            ("~", format!("{name} is taken over and renamed"), Vec::new())
        }
        CampaignChange::Unchanged => (" ", name, Vec::new()),
    };
    let refused: Vec<String> = fields
        .iter()
        .filter(|f| f.is_within(fixed))
        .map(|f| f.field.clone())
        .collect();
    let new = ground.names.get(&place).filter(|_| !refused.is_empty());
    let (refused, replaced) = match ground.policy {
        ImmutableChange::Refuse => (refused, None),
        ImmutableChange::Replace => (Vec::new(), leg.zip(new).and_then(|both| replaced(both, ground))),
    };
    let (sign, what) = match &replaced {
        Some(replaced) => ("±", format!("{} is replaced by {}", replaced.old, replaced.new)),
        None => (sign, what),
    };
    let made = (sign == "+").then(|| ground.names.get(&place)).flatten();
    let notes = made.or(new.filter(|_| replaced.is_some()));
    let notes = notes.map(|(new, spec)| begins(new, spec, replaced.as_ref(), ground));
    Row {
        replaced,
        notes: notes.unwrap_or_default(),
        sign,
        platform: campaign.platform,
        key: campaign.logical_campaign_key,
        state: leg.map_or_else(|| "new".to_owned(), |l| l.state.clone()),
        what,
        fields,
        refused,
    }
}

fn built(new: Option<&(String, &LegSpec)>) -> String {
    new.map_or_else(String::new, |(name, spec)| {
        format!("{name} is built, {}", budget(spec))
    })
}

/// What people should know of when a campaign begins that is built now: later than its plan says, where the platform begins nothing
/// sooner; and after the one whose place it takes is off.
fn begins(new: &str, spec: &LegSpec, replaced: Option<&Replaced>, ground: &Ground<'_>) -> Vec<String> {
    let (Some(platform), Some(begins)) = (platform::by_name(spec.key.platform.as_str()), begin(spec, ground))
    else {
        return Vec::new();
    };
    let planned = spec.campaign.schedule.start;
    let mut notes = Vec::new();
    if begins != planned {
        notes.push(format!(
            "begins at {}, not at {}: {} begins nothing new sooner",
            time(begins),
            time(planned),
            platform.traits().display_name
        ));
    }
    if let Some(replaced) = replaced.filter(|r| r.on && begins > ground.now) {
        notes.push(format!(
            "{} goes off as soon as {new} is booked: until {} NEITHER is on",
            replaced.old,
            time(begins)
        ));
    }
    notes
}

/// When a campaign begins that is built now.
fn begin(spec: &LegSpec, ground: &Ground<'_>) -> Option<DateTime<Utc>> {
    let platform = platform::by_name(spec.key.platform.as_str())?;
    Some(platform.begins(spec.campaign.schedule.start, ground.now, ground.zone))
}

fn budget(spec: &LegSpec) -> String {
    let budget = &spec.campaign.budget;
    let period = match budget.period {
        Period::Daily => "daily",
        Period::Lifetime => "lifetime",
    };
    format!("{} {period}", budget.amount)
}

/// What it takes, in order, and what it costs; none: nothing was made, so that nothing is replaced.
fn replaced((leg, (new, spec)): (&LegView, &(String, &LegSpec)), ground: &Ground<'_>) -> Option<Replaced> {
    let manifest = leg.manifest.as_ref().filter(|m| !m.objects.is_empty())?;
    let (old, id) = (&manifest.campaign_name, manifest.campaign_id());
    let on = LegState::parse(&leg.state).is_some_and(LegState::on);
    let known = id.map(|id| format!(" ({id})")).unwrap_or_default();
    let mut steps = vec![
        format!("{new} is built paused and verified, {}", budget(spec)),
        format!("{new} is switched on"),
    ];
    let later = begin(spec, ground).is_some_and(|at| at > ground.now);
    if on && later {
        steps.push(format!("{old}{known} is switched off and kept"));
    } else if on {
        steps.push(format!(
            "{old}{known} is switched off and kept; until then both are on, and both may spend"
        ));
    } else {
        steps.insert(0, format!("{old}{known} is off, or switched off, and kept"));
    }
    steps.push(match spec.campaign.budget.period {
        Period::Daily => "the platform begins to learn anew".to_owned(),
        Period::Lifetime => format!(
            "the platform begins to learn anew, and to count: what {old} has spent is not taken off the {}",
            budget(spec)
        ),
    });
    Some(Replaced {
        old: old.clone(),
        old_id: id.map(str::to_owned),
        new: new.clone(),
        on,
        steps,
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
        "to_add": count("+"), "to_change": count("~"), "to_replace": count("±"), "to_switch_off": count("-"),
        "unchanged": count(" "),
        "campaigns": rows.iter().map(|r| json!({
            "platform": r.platform, "logical_campaign_key": r.key, "state": r.state,
            "action": match r.sign { "+" => "add", "-" => "switch_off", "~" => "change", "±" => "replace",
                _ => "none" },
            "cannot_change": r.refused, "notes": r.notes,
            "replaced": r.replaced.as_ref().map(|x| json!({ "campaign_name": x.old, "platform_campaign_id": x.old_id,
                "by": x.new, "steps": x.steps })),
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
        (Some(same), _) => match same.fenced {
            Some(_) => "is over".to_owned(),
            None => "is launched already; this payload amends it".to_owned(),
        },
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
        for note in &row.notes {
            output.line(format!("      ! {note}"));
        }
        for (step, number) in row.replaced.iter().flat_map(|r| &r.steps).zip(1..) {
            output.line(format!("      {number}. {step}"));
        }
    }
    output.line("");
    if let Some(why) = late {
        output.line(format!("Nothing of it would be applied: {why}."));
        return;
    }
    let replaced = match count("±") {
        0 => String::new(),
        n => format!("{n} to replace, "),
    };
    output.line(format!(
        "{} to add, {} to change, {replaced}{} to switch off, {} unchanged. Nothing was written.",
        count("+"),
        count("~"),
        count("-"),
        count(" ")
    ));
}
