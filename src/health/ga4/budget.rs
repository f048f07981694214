//! Whether a property may be asked now.
//!
//! "Standard Analytics Properties and cloud project pairs can have up to 10 server errors per hour" (`PropertyQuota` of
//! `analyticsdata.v1beta`); beyond that every request is refused for the rest of the hour, for everybody who uses the project.
//! So the errors of the last hour are kept, over all instances and restarts; each makes the next look wait three times as long,
//! and none is made that could exceed the ten.
//!
//! Must not read a clock: the database's own is in [`Standing`].

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

/// Server errors that GA4 allows a property and project in an hour.
const ALLOWED: usize = 10;
/// Server errors that one look can cost at most: the property answers, and then all four calls fail.
const LOOK: usize = 4;
/// After the first error; three times as long after each further one.
const FIRST_WAIT: TimeDelta = TimeDelta::seconds(15);

/// What is known about a property's budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// By the database's clock.
    pub now: DateTime<Utc>,
    /// When GA4 answered with a server error, in the last hour.
    pub server_errors: Vec<DateTime<Utc>>,
    /// GA4 said to wait until then.
    pub not_before: Option<DateTime<Utc>>,
}

/// When the property may be asked again, and why not before; none: now.
#[must_use]
pub fn wait(standing: &Standing) -> Option<(DateTime<Utc>, String)> {
    let hour = TimeDelta::hours(1);
    let mut errors: Vec<DateTime<Utc>> = standing
        .server_errors
        .iter()
        .copied()
        .filter(|at| *at + hour > standing.now)
        .collect();
    errors.sort();
    let count = errors.len();
    let until = |at: DateTime<Utc>, why: String| {
        let shown = at.to_rfc3339_opts(SecondsFormat::Secs, true);
        (at > standing.now).then(|| (at, format!("{why}; it is asked again at {shown}")))
    };
    let throttled = standing
        .not_before
        .and_then(|at| until(at, "GA4 says that there were too many requests".to_owned()));
    let spent = (count + LOOK).saturating_sub(ALLOWED);
    let failing = if spent > 0 {
        // Enough of the oldest must be more than an hour ago.
        let why = format!("GA4 answered with {count} server errors in the last hour, of {ALLOWED} it allows");
        errors.get(spent - 1).and_then(|at| until(*at + hour, why))
    } else {
        let factor = 3_i32.saturating_pow(u32::try_from(count.saturating_sub(1)).unwrap_or(u32::MAX));
        let why =
            format!("GA4 answered with a server error ({count} in the last hour, of {ALLOWED} it allows)");
        errors.last().and_then(|at| until(*at + FIRST_WAIT * factor, why))
    };
    [throttled, failing]
        .into_iter()
        .flatten()
        .max_by_key(|(at, _)| *at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(ages_s: &[i64]) -> Standing {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        Standing {
            now,
            server_errors: ages_s.iter().map(|s| now - TimeDelta::seconds(*s)).collect(),
            not_before: None,
        }
    }

    fn waits_s(standing: &Standing) -> i64 {
        wait(standing).map_or(0, |(at, _)| (at - standing.now).num_seconds())
    }

    #[test]
    fn each_error_makes_the_next_look_wait_longer() {
        assert_eq!(waits_s(&standing(&[])), 0);
        assert_eq!(waits_s(&standing(&[0])), 15);
        assert_eq!(waits_s(&standing(&[20])), 0);
        assert_eq!(waits_s(&standing(&[100, 0])), 45);
        assert_eq!(waits_s(&standing(&[4, 3, 2, 1, 0])), 15 * 81);
        assert_eq!(waits_s(&standing(&[3700])), 0);
    }

    #[test]
    fn a_look_that_could_exceed_the_ten_is_not_made() {
        // Seven errors and a look's four are eleven: the oldest must be gone first.
        let seven = standing(&[1000, 900, 800, 700, 600, 500, 400]);
        assert_eq!(waits_s(&seven), 2600);
        // Ten: four of them must be gone.
        let ten = standing(&[1000, 900, 800, 700, 600, 500, 400, 300, 200, 100]);
        assert_eq!(waits_s(&ten), 3600 - 700);
        let (_, why) = wait(&ten).unwrap();
        assert!(why.contains("10 server errors in the last hour"), "{why}");
    }

    #[test]
    fn a_wait_that_ga4_asks_for_is_kept() {
        let mut throttled = standing(&[0]);
        throttled.not_before = Some(throttled.now + TimeDelta::seconds(60));
        assert_eq!(waits_s(&throttled), 60);
        throttled.not_before = Some(throttled.now - TimeDelta::seconds(60));
        assert_eq!(waits_s(&throttled), 15);
    }

    #[test]
    fn an_hour_of_outage_never_costs_more_than_it_may() {
        // One look whenever it is allowed; each costs all it can.
        let mut errors: Vec<i64> = Vec::new();
        for second in 0..20_000_i64 {
            let ages: Vec<i64> = errors.iter().map(|at| second - at).collect();
            if waits_s(&standing(&ages)) == 0 {
                errors.extend([second; LOOK]);
            }
            let recent = errors.iter().filter(|at| second - **at < 3600).count();
            assert!(recent <= ALLOWED, "{recent} errors at second {second}");
        }
        assert!(errors.len() > 20, "it is asked again and again: {}", errors.len());
    }
}
