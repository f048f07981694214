//! What cannot be said of all platforms alike, one file per platform: the scenarios themselves name none.
//!
//! To add a platform, add its file and its line in [`of`].

mod dv360;
mod google_ads;
mod meta;
mod tiktok;

use serde_json::Value;
use std::time::Duration;

/// A platform's own words for what every platform has.
pub struct Particulars {
    /// Makes the account's smallest budget larger than the example's.
    pub floor: Value,
    /// What is there, switched off, by the time that the platform hears of the budget.
    pub before_the_budget: &'static [&'static str],
    /// A throttle with the platform's own hint, and the hint.
    pub throttle: (Value, Duration),
    /// A refusal that comes with a status of success.
    pub refusal_in_200: Value,
    /// The writes that a build and an activation make, in the sandbox's names; the first creates the campaign.
    pub writes: &'static [&'static str],
    /// The call that switches a campaign off: its method, and a word of its body.
    pub pause: (&'static str, &'static str),
    /// Changes of the world without which a write is not made.
    pub provoked: Vec<(&'static str, Value)>,
    /// Settings of an account that must not launch, each with a word that the reason has; and those of one that may.
    pub closed: Vec<(Value, &'static str)>,
    pub open: Value,
    /// A budget that the probe knows to be too low, and the floor: a change of the world, the amount, the limit as it is told. None: the
    /// platform tells nobody its floors.
    pub told_floor: Option<(Value, &'static str, &'static str)>,
    /// Settings that leave the account less than the example's budget, and what is left as it is told. None: nothing tells.
    pub short: Option<(Value, &'static str)>,
    /// The platform's own catalog, if it has any.
    pub catalog: Option<OwnCatalog>,
    /// What makes the example's campaign one whose ads show assets (a merge patch); nothing: it is one.
    pub showing: Value,
    /// Makes the example's campaign one on another channel (a merge patch). None: the platform has but one.
    pub other_channel: Option<Value>,
    /// The writes that give an account an asset, in the sandbox's names.
    pub uploads: &'static [&'static str],
    /// Whether an account can be asked for an upload whose answer was lost, or takes the same content but once.
    pub uploads_are_found: bool,
}

/// A platform's own catalog as a plan names it, and as the world sets its health.
pub struct OwnCatalog {
    /// The plan's `catalog`.
    pub named: Value,
    /// Its address in the world's `catalogs`.
    pub address: &'static str,
    /// Settings with which the whole of it cannot be relied on, however many critical errors are tolerated.
    pub broken: Vec<Value>,
}

impl Particulars {
    /// Whether a request of the sandbox's journal switches a campaign off.
    pub fn pauses(&self, request: &Value) -> bool {
        let (method, word) = self.pause;
        request["method"].as_str().is_some_and(|m| m.ends_with(method))
            && request["body"].to_string().contains(word)
    }
}

/// The particulars of a platform.
pub fn of(platform: &str) -> Particulars {
    match platform {
        "dv360" => dv360::particulars(),
        "google-ads" => google_ads::particulars(),
        "meta" => meta::particulars(),
        "tiktok" => tiktok::particulars(),
        other => panic!("{other} has no particulars yet: add its file"),
    }
}
