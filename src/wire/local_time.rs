//! A schedule's times: an instant, or a local time in the plan's zone, decided also where clocks change.
//!
//! Must not ask what time it is.

use chrono::{DateTime, NaiveDateTime, TimeZone, Utc};
use chrono_tz::Tz;

/// The instant that the text means. Where a clock change skips the local time, the first moment after the gap counts; where
/// it occurs twice, the earlier.
pub(super) fn instant(text: &str, zone: Tz) -> Result<DateTime<Utc>, String> {
    if let Ok(instant) = DateTime::parse_from_rfc3339(text) {
        return Ok(instant.with_timezone(&Utc));
    }
    let local: NaiveDateTime = text
        .parse()
        .map_err(|_| format!("{text:?} is not a date and time such as 2027-03-01T00:00:00"))?;
    Ok(match zone.from_local_datetime(&local).earliest() {
        Some(instant) => instant.with_timezone(&Utc),
        None => after_the_gap(local, zone),
    })
}

/// The first moment after the gap into which the local time falls. No zone is further than 15 hours from UTC, so the gap's end
/// lies within 15 hours of the local time taken as UTC; up to it clocks show less than that time, after it more.
fn after_the_gap(local: NaiveDateTime, zone: Tz) -> DateTime<Utc> {
    let near = local.and_utc().timestamp();
    let (mut before, mut after) = (near - 15 * 3600, near + 15 * 3600);
    while after - before > 1 {
        let middle = before + (after - before) / 2;
        let shown = DateTime::from_timestamp(middle, 0).map(|t| t.with_timezone(&zone).naive_local());
        if shown.is_some_and(|shown| shown < local) {
            before = middle;
        } else {
            after = middle;
        }
    }
    DateTime::from_timestamp(after, 0).unwrap_or_else(|| local.and_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_clock_change_skips_or_repeats_is_decided() {
        for (zone, local, expected) in [
            ("Europe/Berlin", "2027-03-01T00:00:00", "2027-02-28T23:00:00Z"),
            ("Europe/Berlin", "2027-03-28T01:59:59", "2027-03-28T00:59:59Z"),
            ("Europe/Berlin", "2027-03-28T02:00:00", "2027-03-28T01:00:00Z"),
            ("Europe/Berlin", "2027-03-28T02:15:00", "2027-03-28T01:00:00Z"),
            ("Europe/Berlin", "2027-03-28T02:59:59.5", "2027-03-28T01:00:00Z"),
            ("Europe/Berlin", "2027-03-28T03:00:00", "2027-03-28T01:00:00Z"),
            (
                "Australia/Lord_Howe",
                "2027-10-03T02:10:00",
                "2027-10-02T15:30:00Z",
            ),
            ("America/New_York", "2027-03-14T02:45:00", "2027-03-14T07:00:00Z"),
            // The day that Samoa left out.
            ("Pacific/Apia", "2011-12-30T12:00:00", "2011-12-30T10:00:00Z"),
            // Twice on the clock: the earlier.
            ("Europe/Berlin", "2027-10-31T02:15:00", "2027-10-31T00:15:00Z"),
            // With an offset the zone does not matter.
            (
                "Europe/Berlin",
                "2027-03-28T02:15:00+05:30",
                "2027-03-27T20:45:00Z",
            ),
        ] {
            let found = instant(local, zone.parse().unwrap()).unwrap();
            let found = found.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
            assert_eq!(found, expected, "{zone} {local}");
        }
        for bad in ["2027-02-30T00:00:00", "2027-03-01", "2027-03-01T24:00:00", ""] {
            assert!(instant(bad, Tz::UTC).is_err(), "{bad}");
        }
    }
}
