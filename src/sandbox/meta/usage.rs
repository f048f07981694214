//! How much of its quotas an account has used, and the headers that tell.
//!
//! Must not do anything else with a call. Source: <https://developers.facebook.com/docs/marketing-api/overview/rate-limiting>:
//! a read costs one point, a write three; 9,000 points in 300 seconds (limited access: 60), who is over is blocked for 60
//! seconds (300); beside that calls an hour and changes a second.

use super::errors::Fault;
use super::{NAME, accounts};
use crate::sandbox::http::Answer;
use crate::sandbox::quota::{Quota, Taken};
use crate::sandbox::world::World;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

fn limited(world: &World, account: &str) -> bool {
    accounts::fields(world, account).is_some_and(|f| f.get("_tier") == Some(&json!("development_access")))
}

/// Points, calls an hour, changes a second.
fn quotas(world: &World, account: &str) -> [Quota; 3] {
    let (points, calls) = if limited(world, account) {
        let ads = world.store.all(NAME, account, "ad").iter();
        let live = ads.filter(|h| world.store.get(**h).text("status") == "ACTIVE");
        (60, 300 + 40 * live.count() as u64)
    } else {
        (9_000, 100_000)
    };
    let quota = |name, allowed, seconds| Quota {
        name,
        allowed,
        seconds,
    };
    [
        quota("points", points, 300),
        quota("calls", calls, 3600),
        quota("changes", 100, 1),
    ]
}

/// Counts a call, or refuses it. What the world says (`usage_percent`) holds whether quotas are on or not.
pub(super) fn charge(world: &mut World, account: &str, changes: bool) -> Result<(), Fault> {
    let Some(handle) = world.store.find(NAME, &format!("act_{account}")) else {
        return Ok(());
    };
    let told = world
        .store
        .get(handle)
        .fields
        .get("_usage")
        .and_then(Value::as_u64);
    let too_many = "There have been too many calls to this ad-account. Wait a bit and try again.";
    if told.is_some_and(|percent| percent >= 100) {
        return Err(Fault::new(80_004, too_many).sub(2_446_079));
    }
    let speed = world.switches.quota_speed;
    if speed == 0 {
        return Ok(());
    }
    if blocked(world, account).is_some() {
        return Err(Fault::new(17, "User request limit reached").sub(2_446_079));
    }
    let [points, calls, edits] = quotas(world, account);
    let now = world.now;
    let mut take = |quota, cost| world.quotas.take((NAME, account), quota, cost, speed, now);
    if changes && matches!(take(edits, 1), Taken::Over(_)) {
        return Err(Fault::new(613, "Calls to this api have exceeded the rate limit.").sub(5_044_001));
    }
    let hourly = take(calls, 1);
    let score = take(points, if changes { 3 } else { 1 });
    let percent = |taken| match taken {
        Taken::Used(percent) => percent,
        Taken::Over(_) => 100.0,
    };
    let block = if limited(world, account) { 300 } else { 60 };
    let until = now + TimeDelta::milliseconds(block * 1000 / i64::from(speed));
    world.store.change(handle, "", |object| {
        object.fields.insert("_points".into(), percent(score).into());
        object.fields.insert("_calls".into(), percent(hourly).into());
        if matches!(score, Taken::Over(_)) {
            object.fields.insert("_blocked".into(), until.to_rfc3339().into());
        }
    });
    world.store.commit();
    match (score, hourly) {
        (Taken::Over(_), _) => Err(Fault::new(17, "User request limit reached").sub(2_446_079)),
        (_, Taken::Over(_)) => Err(Fault::new(80_004, too_many).sub(2_446_079)),
        (Taken::Used(_), Taken::Used(_)) => Ok(()),
    }
}

/// How long the account is blocked yet.
fn blocked(world: &World, account: &str) -> Option<TimeDelta> {
    let until = accounts::fields(world, account)?.get("_blocked")?.as_str()?;
    let until = DateTime::parse_from_rfc3339(until).ok()?.with_timezone(&Utc);
    (until > world.now).then(|| until - world.now)
}

/// The answer with its usage headers; without an account there are none.
pub(super) fn with_headers(world: &World, account: &str, answer: Answer) -> Answer {
    let Some(fields) = accounts::fields(world, account) else {
        return answer;
    };
    let number = |name: &str| fields.get(name).and_then(Value::as_f64);
    let told = number("_usage");
    let points = told.or(number("_points")).unwrap_or(1.0);
    let calls = told.or(number("_calls")).unwrap_or(1.0).floor();
    let (seconds, minutes) = match blocked(world, account) {
        Some(left) => (left.num_seconds() + 1, left.num_minutes() + 1),
        None if told.is_some_and(|percent| percent >= 100.0) => (300, 5),
        None => (0, 0),
    };
    let tier = fields
        .get("_tier")
        .cloned()
        .unwrap_or_else(|| "standard_access".into());
    let business = json!({account: [{
        "type": "ads_management", "call_count": calls, "total_cputime": (calls / 2.0).floor(),
        "total_time": (calls / 2.0).floor(), "estimated_time_to_regain_access": minutes, "ads_api_access_tier": tier,
    }]});
    let own = json!({"acc_id_util_pct": points, "reset_time_duration": seconds, "ads_api_access_tier": tier});
    answer
        .with_header("x-business-use-case-usage", business.to_string())
        .with_header("x-ad-account-usage", own.to_string())
}
