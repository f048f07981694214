//! How many calls an app may make: per second and per minute, and how many of them may create ads; while quotas are on
//! (`quota_speed`).
//!
//! Limits are per developer app, that is, for all accounts together; beyond them the answer is HTTP 200 with 40100 and no Retry-After
//! ("API rate limits", basic level: 10 a second, 600 a minute; /ad/create/ 5 and 150). Must not know what a call does.

use super::errors::Fault;
use crate::sandbox::world::World;
use chrono::TimeDelta;

/// Calls of any kind, and those that create ads: in a second, in a minute.
const CALLS: (usize, usize) = (10, 600);
const ADS: (usize, usize) = (5, 150);

/// Counts a call, or refuses it.
pub(super) fn count(world: &mut World, path: &str) -> Result<(), Fault> {
    let speed = i64::from(world.switches.quota_speed);
    if speed == 0 {
        return Ok(());
    }
    let creates_ads = path == "ad/create";
    let (second, minute) = (
        TimeDelta::milliseconds(1000 / speed),
        TimeDelta::milliseconds(60_000 / speed),
    );
    let now = world.now;
    let calls = &mut world.tiktok_calls;
    while calls.front().is_some_and(|(at, _)| now - *at >= minute) {
        calls.pop_front();
    }
    let within = |window: TimeDelta, ads: bool| {
        let recent = calls.iter().rev().take_while(|(at, _)| now - *at < window);
        recent.filter(|(_, of_ads)| !ads || *of_ads).count()
    };
    let over = |limits: (usize, usize), ads: bool| {
        within(second, ads) >= limits.0 || within(minute, ads) >= limits.1
    };
    if over(CALLS, false) || creates_ads && over(ADS, true) {
        return Err(Fault::new(
            40_100,
            "Too many requests. Please retry in some time.",
        ));
    }
    calls.push_back((now, creates_ads));
    Ok(())
}
