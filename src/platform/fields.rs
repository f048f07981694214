//! No field of a plan is dropped: on every platform it changes what is sent, or `check` refuses it and names it.
//!
//! One table of fields, gone through for every sample campaign of every platform (a folder's tests give its own: one for each
//! channel and format). `plan check` and the gate both refuse by [`super::problems`]. Must not know any platform.

use super::{Goal, Op, Platform, problems};
use crate::domain::ids::campaign_name;
use crate::domain::manifest::{Manifest, ObjectState, RemoteObject};
use crate::domain::money::{Currency, Money};
use crate::domain::spec::LegSpec;
use crate::domain::tenant::Account;
use crate::platform::AccountFacts;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A campaign that a platform takes as it is.
pub(super) struct Sample {
    /// For people.
    pub(super) what: String,
    pub(super) spec: LegSpec,
    pub(super) account: Account,
    pub(super) facts: AccountFacts,
    /// Fields that the contract demands and the platform has no use for; `offer` says so.
    pub(super) unused: &'static [&'static str],
    /// Every setting that the platform knows, with a value that it takes somewhere.
    pub(super) settings: Vec<(&'static str, Value)>,
}

/// A field within a campaign, as the plan's pointer names it, and other values for it.
type Field = (&'static str, Vec<Value>);

/// The pointer within `LegSpec` where it is kept under another name.
const KEPT: &[(&str, &str)] = &[("/bidding/target_roas", "/bidding/target_roas_micros")];

/// Fields that decide what others must be: a refusal may point at those.
const DECIDES: &[&str] = &[
    "/objective",
    "/channel",
    "/budget/period",
    "/bidding/strategy",
    "/ad_groups/0/ads/0/format",
    "/ad_groups/0/ads/0/asset_ids",
    "/settings/placements",
    "/settings/special_industries",
];

fn money(amount: &str) -> Value {
    json!(Money::parse(amount, Currency::parse("EUR").unwrap()).unwrap())
}

/// Everything that a plan can say of a campaign, but its key, its platform and its settings, which are each platform's own.
fn fields() -> Vec<Field> {
    let cap = |impressions: u32, per: &str| json!({ "impressions": impressions, "per": per });
    let word = |text: &str| json!([{ "text": text, "match": "exact" }]);
    vec![
        (
            "/objective",
            ["awareness", "traffic", "engagement", "leads", "sales", "app"]
                .map(Value::from)
                .into(),
        ),
        (
            "/channel",
            [
                "search",
                "display",
                "shopping",
                "performance_max",
                "demand_gen",
                "video",
                "radio",
            ]
            .map(Value::from)
            .into(),
        ),
        ("/budget/amount", vec![money("321.00")]),
        ("/budget/period", vec![json!("daily"), json!("lifetime")]),
        ("/schedule/start", vec![json!("2027-03-05T23:00:00Z")]),
        ("/schedule/end", vec![json!("2027-04-20T21:59:59Z"), Value::Null]),
        (
            "/bidding/strategy",
            [
                "lowest_cost",
                "cost_cap",
                "bid_cap",
                "min_roas",
                "maximize_clicks",
                "manual_cpc",
                "fixed",
                "luck",
            ]
            .map(Value::from)
            .into(),
        ),
        ("/bidding/target_cpa", vec![money("7.50"), Value::Null]),
        ("/bidding/target_roas", vec![json!(2_500_000), Value::Null]),
        ("/bidding/bid", vec![money("1.50"), Value::Null]),
        (
            "/bidding/kpi",
            vec![
                json!({ "type": "cpm", "amount": money("4.00") }),
                json!({ "type": "cpc", "amount": money("1.00") }),
                json!({ "type": "fame", "amount": money("1.00") }),
                Value::Null,
            ],
        ),
        ("/audience/countries", vec![json!(["FR"]), json!(["XX"])]),
        ("/audience/languages", vec![json!(["fr"]), json!(["xx"])]),
        (
            "/audience/age_min",
            [13, 18, 20, 25, 35, 65, 70].map(Value::from).into(),
        ),
        (
            "/audience/age_max",
            [17, 24, 30, 54, 64, 65].map(Value::from).into(),
        ),
        (
            "/audience/genders",
            vec![json!(["female"]), json!(["male"]), json!(["other"])],
        ),
        ("/crm/kcid", vec![json!("SKU-99"), json!("a b")]),
        ("/crm/kpv", vec![json!("autumn")]),
        (
            "/frequency_cap",
            vec![
                cap(3, "day"),
                cap(3, "week"),
                cap(5, "month"),
                cap(5, "lifetime"),
                cap(0, "week"),
            ],
        ),
        ("/settings/flavour", vec![json!("salt")]),
        ("/ad_groups/0/keywords", vec![word("shoes")]),
        ("/ad_groups/0/negative_keywords", vec![word("free")]),
        (
            "/ad_groups/0/ads/0/format",
            [
                "responsive_search",
                "responsive_display",
                "single_image",
                "single_video",
                "carousel",
                "catalog",
                "display_image",
                "display_native",
                "video",
                "poem",
            ]
            .map(Value::from)
            .into(),
        ),
        ("/ad_groups/0/ads/0/asset_ids", vec![json!(["other"]), json!([])]),
        (
            "/ad_groups/0/ads/0/landing_url",
            vec![json!("https://shop.acme.example/autumn")],
        ),
        (
            "/ad_groups/0/ads/0/headlines",
            vec![json!(["One", "Two", "Three"]), json!(["x".repeat(300)])],
        ),
        (
            "/ad_groups/0/ads/0/long_headlines",
            vec![json!(["One and another"])],
        ),
        (
            "/ad_groups/0/ads/0/descriptions",
            vec![json!(["One.", "Two."]), json!(["x".repeat(9_000)])],
        ),
        (
            "/ad_groups/0/ads/0/primary_text",
            vec![json!("Autumn is here."), json!("x".repeat(9_000))],
        ),
        (
            "/ad_groups/0/ads/0/call_to_action",
            ["learn_more", "shop_now", "dance"].map(Value::from).into(),
        ),
        ("/ad_groups/0/ads/0/path1", vec![json!("autumn")]),
        ("/ad_groups/0/ads/0/path2", vec![json!("sale")]),
        ("/ad_groups/0/ads/0/width", vec![json!(320)]),
        ("/ad_groups/0/ads/0/height", vec![json!(77)]),
    ]
}

/// The sample with another value in a place.
fn with(spec: &LegSpec, pointer: &str, value: &Value) -> Option<LegSpec> {
    let mut whole = serde_json::to_value(spec).unwrap();
    let kept = KEPT
        .iter()
        .find(|(plan, _)| *plan == pointer)
        .map_or(pointer, |(_, kept)| kept);
    let (parent, name) = kept.rsplit_once('/').unwrap();
    let place = whole.pointer_mut(&format!("/campaign{parent}")).unwrap();
    let now = place.get(name).unwrap_or(&Value::Null);
    // An empty list is the same as none.
    if now == value || now.is_null() && *value == json!([]) {
        return None;
    }
    match (place.as_object_mut(), value) {
        (Some(map), Value::Null) if parent == "/settings" => drop(map.remove(name)),
        (Some(map), _) => drop(map.insert(name.to_owned(), value.clone())),
        (None, _) => return None,
    }
    if pointer == "/objective" {
        // As a plan is taken apart: the name says what it is for.
        let name = campaign_name(&spec.key, value.as_str().unwrap(), true);
        whole["campaign_name"] = json!(name);
    }
    Some(serde_json::from_value(whole).unwrap_or_else(|error| panic!("{pointer} = {value}: {error}")))
}

/// Everything that is sent until the leg is built; none where the platform cannot say it.
fn sent(platform: &dyn Platform, sample: &Sample, spec: &LegSpec) -> Option<Vec<Value>> {
    let desired = platform.desire(spec, &sample.account, &sample.facts).ok()?;
    let mut manifest = Manifest {
        leg: spec.key.clone(),
        account_id: sample.account.account_id.clone(),
        campaign_name: spec.campaign_name.clone(),
        revision: 0,
        mutation_count: 0,
        tracking_mode: None,
        objects: Vec::new(),
    };
    let mut all = Vec::new();
    loop {
        let next = platform.next(Goal::Built, &desired, &manifest, &sample.account);
        if next.is_empty() {
            return Some(all);
        }
        for mutation in next {
            match &mutation.op {
                Op::Create => {
                    for key in &mutation.objects {
                        let wanted = desired.iter().find(|d| d.key == *key).unwrap();
                        let id = format!("{}", 100 + manifest.objects.len());
                        manifest.objects.push(RemoteObject {
                            state: ObjectState::Created,
                            remote_id: Some(id),
                            ..RemoteObject::intended(wanted)
                        });
                    }
                }
                Op::Update { applied } => {
                    for object in &mut manifest.objects {
                        if let Some(fields) = applied.get(&object.key) {
                            object.applied = fields.clone();
                        }
                    }
                }
                other @ (Op::Serve { .. } | Op::Remove | Op::Account { .. }) => {
                    panic!("{other:?} on the way to a built leg")
                }
            }
            all.push(json!([mutation.path, mutation.body]));
            assert!(all.len() < 60, "it never ends");
        }
    }
}

/// What becomes of a value.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    Sent,
    Refused,
    Dropped,
}

/// A refusal is about a field if it points at it, at something within it or at what holds it; and says what to do.
fn about(pointer: &str, told: &str) -> bool {
    let within = |outer: &str, inner: &str| {
        inner
            .strip_prefix(outer)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    told.len() > 1 && (within(pointer, told) || within(told, pointer))
}

fn fate(platform: &dyn Platform, sample: &Sample, base: &[Value], pointer: &str, spec: &LegSpec) -> Fate {
    let found = problems(platform, spec);
    if let Some(problem) = found.iter().find(|p| about(pointer, &p.pointer)) {
        assert!(
            !problem.what.is_empty() && !problem.remedy.is_empty(),
            "{problem:?} says what is wrong and what to do"
        );
        return Fate::Refused;
    }
    if !found.is_empty() && DECIDES.contains(&pointer) {
        return Fate::Refused;
    }
    if !found.is_empty() {
        // Refused, but a reader would look in the wrong place.
        return Fate::Dropped;
    }
    match sent(platform, sample, spec) {
        // The asset is not there: a touchpoint, not a check.
        None if pointer.ends_with("/asset_ids") => Fate::Refused,
        None => Fate::Dropped,
        Some(bodies) if bodies == base => Fate::Dropped,
        Some(_) => Fate::Sent,
    }
}

/// What names things, and what the samples' own settings are.
const NAMES: &[&str] = &[
    "/logical_campaign_key",
    "/platform",
    "/settings",
    "/ad_groups/0/key",
    "/ad_groups/0/ads/0/key",
];

/// Every place within a campaign, of lists the first.
fn places(value: &Value, at: &str, into: &mut Vec<String>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            for (name, inner) in map {
                places(inner, &format!("{at}/{name}"), into);
            }
        }
        Value::Array(list) if list.first().is_some_and(Value::is_object) => {
            places(&list[0], &format!("{at}/0"), into);
        }
        Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)
        | Value::Object(_) => {
            into.push(at.to_owned());
        }
    }
}

/// A field that is added to the plan is added to the table.
#[test]
fn the_table_has_every_field_of_a_campaign() {
    let table = fields();
    let tried = |place: &str| {
        let kept = KEPT
            .iter()
            .find(|(_, kept)| *kept == place)
            .map_or(place, |(plan, _)| plan);
        let mut known = table.iter().map(|(pointer, _)| pointer).chain(NAMES);
        known.any(|pointer| about(pointer, kept))
    };
    for (_, samples) in super::samples() {
        for sample in samples {
            let mut all = Vec::new();
            places(
                &serde_json::to_value(&sample.spec.campaign).unwrap(),
                "",
                &mut all,
            );
            assert!(all.len() > 30, "{all:?}");
            let missed: Vec<&String> = all.iter().filter(|place| !tried(place)).collect();
            assert!(missed.is_empty(), "{missed:?} are not in the table");
        }
    }
}

#[test]
fn every_field_of_a_plan_is_sent_or_refused_by_its_pointer() {
    let mut dropped = Vec::new();
    let mut counts: BTreeMap<(&str, Fate), usize> = BTreeMap::new();
    for (platform, samples) in super::samples() {
        assert!(!samples.is_empty(), "{} has no samples", platform.name());
        for sample in &samples {
            let what = format!("{} ({})", platform.name(), sample.what);
            assert_eq!(problems(&*platform, &sample.spec), [], "{what} is sound");
            let base = sent(&*platform, sample, &sample.spec).unwrap_or_else(|| panic!("{what} can be sent"));
            assert!(!base.is_empty(), "{what}: nothing is sent");
            for pointer in sample.unused {
                let campaign = &sample.spec.campaign;
                let words = platform
                    .offer(campaign.objective, campaign.channel.as_deref())
                    .unwrap();
                assert!(
                    words.contains("own page"),
                    "{what}: {pointer} is not used, and nobody is told: {words}"
                );
            }
            let settings = sample.settings.iter().map(|(key, value)| {
                let unlike = if value.is_array() { json!([]) } else { Value::Null };
                (format!("/settings/{key}"), vec![value.clone(), unlike])
            });
            let plain = fields()
                .into_iter()
                .map(|(pointer, values)| (pointer.to_owned(), values));
            for (pointer, values) in plain.chain(settings) {
                let pointer = pointer.as_str();
                let mut tried = 0;
                for value in &values {
                    let Some(spec) = with(&sample.spec, pointer, value) else {
                        continue;
                    };
                    tried += 1;
                    let fate = fate(&*platform, sample, &base, pointer, &spec);
                    if fate == Fate::Dropped && !sample.unused.contains(&pointer) {
                        let shown: String = value.to_string().chars().take(60).collect();
                        dropped.push(format!("{what}: {pointer} = {shown}"));
                    }
                    *counts.entry((platform.name(), fate)).or_default() += 1;
                }
                assert!(tried > 0, "{what}: no value of {pointer} is another one");
            }
        }
    }
    assert!(
        dropped.is_empty(),
        "{} silently dropped:\n{}",
        dropped.len(),
        dropped.join("\n")
    );
    for (platform, _) in super::samples() {
        for fate in [Fate::Sent, Fate::Refused] {
            let seen = counts
                .iter()
                .any(|((name, f), _)| *name == platform.name() && *f == fate);
            assert!(seen, "{}: nothing is {fate:?}", platform.name());
        }
    }
}
