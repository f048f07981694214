//! Plans for tests: the contract's own examples, cut to the platforms that have an adapter, with dates around today.

use campaign_execution::clock::{Clock, SystemClock};
use campaign_execution::platform;
use chrono::{Duration, SecondsFormat};
use serde_json::{Value, json};

const PLAN: &str = include_str!("../../../schemas/examples/plan.approved.json");
const TENANT: &str = include_str!("../../../schemas/examples/tenant.onboarded.json");

/// The contract's tenant.
pub fn tenant() -> Value {
    serde_json::from_str(TENANT).expect("the example")
}

/// The contract's plan with this version; every flight starts in a month.
pub fn plan(version: &str) -> Value {
    let mut plan: Value = serde_json::from_str(PLAN).expect("the example");
    plan["plan_version"] = json!(version);
    plan["approved_at"] = json!(stamp(Duration::zero()));
    let known: Vec<&str> = platform::all().iter().map(|p| p.name()).collect();
    let campaigns = plan["campaigns"].as_array_mut().expect("campaigns");
    campaigns.retain(|c| known.contains(&c["platform"].as_str().expect("a platform")));
    for campaign in campaigns {
        campaign["schedule"] =
            json!({ "start": stamp(Duration::days(30)), "end": stamp(Duration::days(60)) });
    }
    plan
}

/// The same with flights that have begun.
pub fn running_plan(version: &str) -> Value {
    let mut plan = plan(version);
    for campaign in plan["campaigns"].as_array_mut().expect("campaigns") {
        campaign["schedule"]["start"] = json!(stamp(Duration::hours(-1)));
    }
    plan
}

/// How many campaigns a plan has.
pub fn legs(plan: &Value) -> usize {
    plan["campaigns"].as_array().map_or(0, Vec::len)
}

/// Only one platform's campaigns.
pub fn only(mut plan: Value, platform: &str) -> Value {
    plan["campaigns"]
        .as_array_mut()
        .expect("campaigns")
        .retain(|c| c["platform"] == platform);
    plan
}

/// So far from now, RFC 3339.
pub fn stamp(from_now: Duration) -> String {
    (SystemClock.now() + from_now).to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// This very moment: no two orders of one second are the same.
pub fn moment() -> String {
    SystemClock.now().to_rfc3339_opts(SecondsFormat::Nanos, true)
}

/// Merges a patch in (RFC 7396).
pub fn merge(target: &mut Value, patch: &Value) {
    let (Some(map), Some(patch)) = (target.as_object_mut(), patch.as_object()) else {
        target.clone_from(patch);
        return;
    };
    for (name, value) in patch {
        if value.is_null() {
            map.remove(name);
        } else {
            merge(map.entry(name).or_insert(Value::Null), value);
        }
    }
}
