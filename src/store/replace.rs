//! A campaign that cannot be changed where it stands gives its place to another: its manifest moves to a leg of its own, beside
//! the one that keeps the planner's key and is built anew.
//!
//! What is unknown about it, what it was taken over from and what a pause has switched off go with it. Must not decide what the
//! two legs become: `domain::saga` does.

use super::moves::{Compose, ExecutionRow, LegRow, Moves};
use super::{Conn, StoreError, parse_json, refused, to_json};
use crate::domain::diff::{self, FieldChange};
use crate::domain::hold::Hold;
use crate::domain::ids::{LegKey, campaign_name, campaign_name_again, replaced_key};
use crate::domain::manifest::{ObjectState, RemoteObject, Serving};
use crate::domain::saga::{CommandKind, Effect, LegState, Old};
use crate::domain::spec::LegSpec;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use sqlx::Row;
use std::collections::{BTreeMap, HashMap, HashSet};

/// By platform id: the fields of a campaign that it does not let be changed.
pub type Fixed = BTreeMap<String, &'static [&'static str]>;

/// For the audit log: which leg, and what became of it (`leg.replaced`).
pub(crate) type Note = (String, Value);

/// What of a campaign would have to be another one.
pub(crate) fn unchangeable(old: &LegSpec, new: &LegSpec, fixed: &Fixed) -> Vec<FieldChange> {
    let fields = fixed.get(new.key.platform.as_str()).copied().unwrap_or_default();
    if fields.is_empty() || old.looks_like(new) {
        return Vec::new();
    }
    diff::within(&to_json(&old.campaign), &to_json(&new.campaign), fields)
}

/// What there is of a leg's campaign.
pub(crate) struct There {
    /// On, off, or nothing.
    pub(crate) old: Old,
    /// Something of it is, or was once: it must not be forgotten.
    pub(crate) ever: bool,
    pub(crate) name: String,
    campaign_id: Option<String>,
    pub(crate) held: bool,
}

impl There {
    /// What a manifest with these objects says.
    pub(crate) fn of(
        objects: &[RemoteObject],
        (name, campaign_id): (String, Option<String>),
        held: bool,
    ) -> Self {
        let made = objects.iter().any(|o| o.state != ObjectState::Removed);
        let on = objects
            .iter()
            .any(|o| o.state == ObjectState::Created && o.serving == Serving::Active);
        Self {
            // What a pause has switched off is about to be on again.
            old: match (made, on || held) {
                (true, true) => Old::On,
                (true, false) => Old::Off,
                (false, _) => Old::Nothing,
            },
            ever: !objects.is_empty(),
            name,
            campaign_id,
            held,
        }
    }
}

/// What there is of these legs' campaigns; a leg without a manifest is left out.
pub(crate) async fn there(conn: &mut Conn, legs: &[i64]) -> Result<HashMap<i64, There>, StoreError> {
    if legs.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = sqlx::query(
        "-- replace.there
         SELECT l.id, l.hold IS NOT NULL OR coalesce(jsonb_array_length(m.held), 0) > 0 AS held, m.campaign_name, m.platform_campaign_id, m.objects
         FROM leg l JOIN execution_manifest m ON m.leg_id = l.id WHERE l.id = ANY($1)",
    )
    .bind(legs)
    .fetch_all(conn)
    .await
    .map_err(refused("replace.there"))?;
    rows.into_iter()
        .map(|row| {
            let (id, held): (i64, bool) = (row.get("id"), row.get("held"));
            let objects: Vec<RemoteObject> =
                parse_json("execution_manifest", id, "objects", row.get("objects"))?;
            let names = (row.get("campaign_name"), row.get("platform_campaign_id"));
            let there = There::of(&objects, names, held);
            Ok((id, there))
        })
        .collect()
}

/// The first of its possible names that no other campaign has; it is taken then.
#[must_use]
pub fn free_name(spec: &LegSpec, taken: &mut HashSet<String>) -> String {
    let objective = spec.campaign.objective.as_str();
    let longer = campaign_name(&spec.key, objective, false);
    let name = [spec.campaign_name.clone(), longer]
        .into_iter()
        .chain((2_u32..).map(|n| campaign_name_again(&spec.key, objective, n)))
        .find(|name| !taken.contains(name))
        .unwrap_or_else(|| spec.campaign_name.clone());
    taken.insert(name.clone());
    name
}

/// The spec of a leg that was the campaign of the one with this key: as it was, under a key of its own.
pub(crate) fn set_apart(
    old: &LegSpec,
    (of, name): (&LegKey, &str),
    taken: &mut HashSet<(String, String)>,
) -> LegSpec {
    let platform = of.platform.to_string();
    let key = replaced_key(&of.logical_campaign_key, |k| {
        taken.contains(&(platform.clone(), k.to_owned()))
    });
    taken.insert((platform, key.to_string()));
    LegSpec {
        key: LegKey {
            logical_campaign_key: key,
            ..of.clone()
        },
        campaign_name: name.to_owned(),
        ..old.clone()
    }
}

/// A leg that is built anew.
pub(crate) struct Replacing<'a> {
    /// The leg.
    pub(crate) leg: &'a mut LegRow,
    /// What it was.
    pub(crate) was: &'a LegSpec,
    /// What it shall be.
    pub(crate) spec: &'a LegSpec,
    /// What there is of its campaign.
    pub(crate) there: &'a There,
    /// Why.
    pub(crate) fields: &'a [FieldChange],
}

/// Builds legs anew whose campaigns cannot be changed. Their specs are the new ones already; the execution is locked.
pub(crate) async fn replace(
    conn: &mut Conn,
    compose: &dyn Compose,
    moves: &mut Moves,
    execution: &mut ExecutionRow,
    (legs, keys): (Vec<Replacing<'_>>, &mut HashSet<(String, String)>),
) -> Result<Vec<Note>, StoreError> {
    let mut apart = Vec::with_capacity(legs.len());
    for leg in &legs {
        let Ok(replaced) = execution
            .saga
            .replace(leg.leg.position, leg.leg.state, leg.there.old)
        else {
            continue;
        };
        let spec = set_apart(leg.was, (&leg.was.key, &leg.there.name), keys);
        // What a pause has left off is switched on again by a release, where it stands now.
        let resumed = leg.there.held && replaced.old == LegState::Outgoing;
        apart.push((leg.leg.id, spec, replaced, resumed));
    }
    let rows: Vec<(i64, &LegSpec, LegState, bool)> =
        apart.iter().map(|(id, s, r, on)| (*id, s, r.old, *on)).collect();
    let ids = split(conn, &rows).await?;
    let mut notes = Vec::with_capacity(apart.len());
    for leg in legs {
        let place = apart.iter().zip(&ids).find(|((id, ..), _)| *id == leg.leg.id);
        let Some(((_, spec, replaced, resumed), old_id)) = place else {
            continue;
        };
        let mut old = LegRow {
            id: *old_id,
            platform: leg.leg.platform.clone(),
            logical_campaign_key: spec.key.logical_campaign_key.to_string(),
            position: leg.leg.position,
            state: replaced.old,
            attempt: 0,
            outgoing: 0,
        };
        notes.push(note(&leg, spec, replaced.old));
        moves
            .note(
                conn,
                compose,
                (0, &mut *execution),
                Some(&mut *leg.leg),
                &replaced.effects,
            )
            .await?;
        let resumed = resumed.then_some(CommandKind::Release);
        let effects: Vec<Effect> = std::iter::once(Effect::Leg(replaced.old))
            .chain(replaced.command.or(resumed).map(Effect::Command))
            .collect();
        moves
            .note(conn, compose, (0, &mut *execution), Some(&mut old), &effects)
            .await?;
    }
    Ok(notes)
}

fn note(leg: &Replacing<'_>, old: &LegSpec, state: LegState) -> Note {
    let fields: Vec<Value> = leg.fields.iter().map(field).collect();
    told(
        leg.spec,
        (old, leg.there.campaign_id.as_deref()),
        state,
        fields.into(),
    )
}

/// A field that cannot be changed, for the audit log.
pub(crate) fn field(change: &FieldChange) -> Value {
    json!({ "field": change.field, "old": change.old, "new": change.new })
}

/// The lineage, for the audit log.
pub(crate) fn told(
    new: &LegSpec,
    (old, campaign_id): (&LegSpec, Option<&str>),
    state: LegState,
    fields: Value,
) -> Note {
    let leg = format!("{}/{}", new.key.platform, new.key.logical_campaign_key);
    let detail = json!({
        "fields": fields, "old_campaign": old.campaign_name, "old_campaign_id": campaign_id,
        "old_leg": format!("{}/{}", old.key.platform, old.key.logical_campaign_key), "old_state": state,
        "new_campaign": new.campaign_name,
    });
    (leg, detail)
}

/// Makes the legs that these ones' campaigns are from now on, and moves to them what belongs to the campaign; their ids, in
/// order.
async fn split(conn: &mut Conn, legs: &[(i64, &LegSpec, LegState, bool)]) -> Result<Vec<i64>, StoreError> {
    if legs.is_empty() {
        return Ok(Vec::new());
    }
    let olds: Vec<i64> = legs.iter().map(|l| l.0).collect();
    let keys: Vec<String> = legs
        .iter()
        .map(|l| l.1.key.logical_campaign_key.to_string())
        .collect();
    let specs: Vec<Value> = legs.iter().map(|l| to_json(l.1)).collect();
    let states: Vec<&str> = legs.iter().map(|l| l.2.as_str()).collect();
    let holds: Vec<Option<&str>> = legs
        .iter()
        .map(|l| l.3.then_some(Hold::Releasing.as_str()))
        .collect();
    let starts: Vec<DateTime<Utc>> = legs.iter().map(|l| l.1.campaign.schedule.start).collect();
    let made: Vec<(i64, i64)> = sqlx::query_as(
        "-- replace.split
         INSERT INTO leg (execution_id, tenant_id, plan_version, platform, logical_campaign_key, position, ordinal, spec, state,
                          starts_at, adopted_from, replaced_by, hold)
         SELECT l.execution_id, l.tenant_id, l.plan_version, l.platform, n.key, l.position, l.ordinal, n.spec, n.state,
                n.starts_at, l.adopted_from, l.id, n.hold
         FROM unnest($1::bigint[], $2::text[], $3::jsonb[], $4::text[], $5::timestamptz[], $6::text[])
                  AS n (id, key, spec, state, starts_at, hold) JOIN leg l ON l.id = n.id
         RETURNING replaced_by, id",
    )
    .bind(&olds)
    .bind(keys)
    .bind(specs)
    .bind(states)
    .bind(starts)
    .bind(holds)
    .fetch_all(&mut *conn)
    .await
    .map_err(refused("replace.split"))?;
    let (legs, news): (Vec<i64>, Vec<i64>) = made.iter().copied().unzip();
    for statement in [
        "-- replace.manifest
         UPDATE execution_manifest m SET leg_id = l.id, logical_campaign_key = l.logical_campaign_key
         FROM unnest($1::bigint[], $2::bigint[]) AS n (old, new) JOIN leg l ON l.id = n.new WHERE m.leg_id = n.old",
        "-- replace.unknown
         UPDATE mutation m SET leg_id = n.new FROM unnest($1::bigint[], $2::bigint[]) AS n (old, new)
         WHERE m.leg_id = n.old AND m.state IN ('in_flight', 'unknown')",
        "-- replace.anew
         UPDATE leg SET adopted_from = NULL, gave_up_for = NULL, was_on = false, hold = NULL, review_since = NULL, review_looks = 0
         FROM unnest($1::bigint[], $2::bigint[]) AS n (old, new) WHERE leg.id = n.old",
    ] {
        sqlx::query(statement)
            .bind(&legs)
            .bind(&news)
            .execute(&mut *conn)
            .await
            .map_err(refused("replace.move"))?;
    }
    let ids: HashMap<i64, i64> = made.into_iter().collect();
    Ok(olds.iter().filter_map(|old| ids.get(old).copied()).collect())
}

/// Nothing was ever made under these legs' names: their manifests, if they have one, take the new ones.
pub(crate) async fn rename(conn: &mut Conn, legs: &[i64]) -> Result<(), StoreError> {
    if legs.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "-- replace.rename
         UPDATE execution_manifest m SET campaign_name = l.spec ->> 'campaign_name' FROM leg l
         WHERE l.id = m.leg_id AND l.id = ANY($1)",
    )
    .bind(legs)
    .execute(conn)
    .await
    .map_err(refused("replace.rename"))?;
    Ok(())
}

/// Which legs' campaigns these are.
pub(crate) async fn belong(conn: &mut Conn, olds: &[(i64, i64)]) -> Result<(), StoreError> {
    if olds.is_empty() {
        return Ok(());
    }
    let (legs, by): (Vec<i64>, Vec<i64>) = olds.iter().copied().unzip();
    sqlx::query(
        "-- replace.belong
         UPDATE leg SET replaced_by = n.by FROM unnest($1::bigint[], $2::bigint[]) AS n (id, by) WHERE leg.id = n.id",
    )
    .bind(legs)
    .bind(by)
    .execute(conn)
    .await
    .map_err(refused("replace.belong"))?;
    Ok(())
}
