//! What an account has used of its quotas, while quotas are on (`quota_speed`): a log of what was taken, so that no stretch of
//! time, wherever it begins, holds more than the vendor allows.
//!
//! Must not know any vendor's quotas; a vendor names them where it answers. With a speed of 60 an hour's quota is a minute's.

use chrono::{DateTime, TimeDelta, Utc};
use std::collections::{HashMap, VecDeque};

/// One quota of one account.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quota {
    /// The vendor's own name of it.
    pub(super) name: &'static str,
    /// How much.
    pub(super) allowed: u64,
    /// In how long, by the vendor's clock.
    pub(super) seconds: i64,
}

/// What came of taking.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Taken {
    /// So much of it is used up now, in percent.
    Used(f64),
    /// There is no room; there will be in so long, by our clock.
    Over(TimeDelta),
}

#[derive(Debug, Default)]
struct Log {
    taken: VecDeque<(DateTime<Utc>, u64)>,
    sum: u64,
}

/// What was taken, by vendor, account and quota.
#[derive(Debug, Default)]
pub(super) struct Quotas {
    logs: HashMap<(&'static str, String, &'static str), Log>,
}

impl Quotas {
    /// Takes so much, if there is room. `speed` 0: quotas are off.
    pub(super) fn take(
        &mut self,
        (vendor, account): (&'static str, &str),
        quota: Quota,
        cost: u64,
        speed: u32,
        now: DateTime<Utc>,
    ) -> Taken {
        if speed == 0 {
            return Taken::Used(0.0);
        }
        let per = TimeDelta::milliseconds(quota.seconds * 1000 / i64::from(speed));
        let key = (vendor, account.to_owned(), quota.name);
        let log = self.logs.entry(key).or_default();
        while let Some((at, cost)) = log.taken.front().copied() {
            if at + per > now {
                break;
            }
            log.taken.pop_front();
            log.sum -= cost;
        }
        if log.sum + cost > quota.allowed {
            let free = log.taken.front().map_or(now, |(at, _)| *at + per);
            return Taken::Over(free - now);
        }
        log.taken.push_back((now, cost));
        log.sum += cost;
        #[expect(clippy::cast_precision_loss, reason = "a percentage for a header")]
        Taken::Used(log.sum as f64 * 100.0 / quota.allowed.max(1) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_stretch_of_time_holds_more_than_is_allowed() {
        let mut quotas = Quotas::default();
        let quota = Quota {
            name: "requests",
            allowed: 10,
            seconds: 60,
        };
        let start = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let mut take = |at_ms: i64, account: &str, cost| {
            let now = start + TimeDelta::milliseconds(at_ms);
            quotas.take(("v", account), quota, cost, 60, now)
        };
        assert_eq!(take(0, "1", 6), Taken::Used(60.0));
        assert_eq!(take(900, "1", 4), Taken::Used(100.0));
        assert_eq!(take(950, "1", 1), Taken::Over(TimeDelta::milliseconds(50)));
        assert_eq!(
            take(950, "2", 1),
            Taken::Used(10.0),
            "another account has its own"
        );
        assert_eq!(
            take(1_000, "1", 6),
            Taken::Used(100.0),
            "a minute is a second here"
        );
        assert_eq!(take(1_001, "1", 1), Taken::Over(TimeDelta::milliseconds(899)));
        let now = start;
        assert_eq!(
            quotas.take(("v", "1"), quota, 99, 0, now),
            Taken::Used(0.0),
            "off"
        );
    }
}
