//! How long to wait before a command is tried again: exponential with full jitter, unless the platform says itself.
//!
//! Must not sleep: the delay becomes `not_before` in the command's row, where it survives a crash.

use rand::RngExt;
use std::time::Duration;

/// The first delay's ceiling.
const BASE: Duration = Duration::from_millis(500);
/// No delay is longer, unless the platform asks for it.
const CEILING: Duration = Duration::from_secs(300);
/// The longest that a platform's own hint is believed.
const BELIEVED: Duration = Duration::from_secs(24 * 3600);

/// The delay after the `attempts`-th attempt (1 or more).
#[must_use]
pub fn delay(attempts: i32, hint: Option<Duration>) -> Duration {
    let doubled = BASE
        .saturating_mul(1 << attempts.clamp(1, 12).unsigned_abs())
        .min(CEILING);
    let jittered = doubled.mul_f64(rand::rng().random_range(0.5..1.0));
    match hint {
        // A little later than the hint, and never at the same moment as everybody else.
        Some(hint) => hint.min(BELIEVED) + jittered.min(BASE),
        None => jittered,
    }
}

/// How long to leave alone what is not ours to hurry (a review, a transcoding) after the `polls`-th look, from 0 on: from
/// `first`, doubling, to `last`.
#[must_use]
pub fn poll(polls: i32, first: Duration, last: Duration) -> Duration {
    let doubled = first
        .saturating_mul(1 << polls.clamp(0, 16).unsigned_abs())
        .min(last);
    doubled.mul_f64(rand::rng().random_range(0.9..1.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polling_slows_down_to_its_last_pace() {
        let at = |polls| poll(polls, Duration::from_secs(30), Duration::from_secs(600)).as_secs();
        assert!((27..=33).contains(&at(0)) && (54..=66).contains(&at(1)));
        assert!((540..=660).contains(&at(5)) && (540..=660).contains(&at(i32::MAX)));
    }

    #[test]
    fn grows_to_a_ceiling_and_keeps_to_the_hint() {
        for attempts in 0..40 {
            assert!(delay(attempts, None) <= CEILING);
        }
        assert!(delay(12, None) > Duration::from_secs(100));
        let hinted = delay(1, Some(Duration::from_secs(30)));
        assert!(hinted >= Duration::from_secs(30) && hinted < Duration::from_secs(31));
        assert!(delay(1, Some(Duration::MAX)) < BELIEVED + Duration::from_secs(1));
    }
}
