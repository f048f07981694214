//! Days: the plan's instants as `{year, month, day}` in the advertiser's zone, and what of them may still be sent. Pure.
//!
//! Must not ask for the time: who sends says which day it is.
//!
//! DV360 knows whole days only, "resolved relative to the parent advertiser's time zone": a flight has every day on which the
//! plan's own has a moment. New budget segments must begin in the future, so the earliest day is tomorrow; of a segment that
//! has begun, the start no longer moves (reference/rest/v4/advertisers.insertionOrders, `InsertionOrderBudgetSegment`).

use chrono::{DateTime, Datelike, Days, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use serde_json::{Value, json};

/// "Before the year 2037."
pub(super) const LAST_YEAR: i32 = 2036;

/// The first and the last day of a flight.
pub(super) fn days(start: DateTime<Utc>, end: DateTime<Utc>, zone: Tz) -> (NaiveDate, NaiveDate) {
    let first = start.with_timezone(&zone).date_naive();
    // A flight that ends as a day begins does not have that day.
    let last = (end - TimeDelta::seconds(1)).with_timezone(&zone).date_naive();
    (first, last.max(first))
}

/// Today there.
pub(super) fn today(now: DateTime<Utc>, zone: Tz) -> NaiveDate {
    now.with_timezone(&zone).date_naive()
}

/// The earliest day on which something new may begin.
pub(super) fn earliest(today: NaiveDate) -> NaiveDate {
    today.checked_add_days(Days::new(1)).unwrap_or(today)
}

/// A day as DV360 spells it.
pub(super) fn date(day: NaiveDate) -> Value {
    json!({ "year": day.year(), "month": day.month(), "day": day.day() })
}

/// What DV360 spells so.
pub(super) fn day(date: &Value) -> Option<NaiveDate> {
    let part = |name: &str| date.get(name).and_then(Value::as_i64);
    let year = i32::try_from(part("year")?).ok()?;
    let (month, day) = (
        u32::try_from(part("month")?).ok()?,
        u32::try_from(part("day")?).ok()?,
    );
    NaiveDate::from_ymd_opt(year, month, day)
}

/// Where a segment really begins: as the plan says, tomorrow if that is over, and where it began if it has begun.
pub(super) fn start(wanted: NaiveDate, there: Option<NaiveDate>, today: NaiveDate) -> NaiveDate {
    match there {
        Some(begun) if begun <= today => begun,
        Some(_) | None => wanted.max(earliest(today)),
    }
}

/// When a flight really begins that is booked now: as the plan says, or with the day that is the earliest.
pub(super) fn begins(wanted: DateTime<Utc>, now: DateTime<Utc>, zone: Tz) -> DateTime<Utc> {
    let (first, _) = days(wanted, wanted, zone);
    let really = start(first, None, today(now, zone));
    if really == first {
        return wanted;
    }
    // Where clocks go forward at midnight, the day begins an hour later.
    let beginning = (0..3).find_map(|hour| {
        let at = really.and_hms_opt(hour, 0, 0)?;
        at.and_local_timezone(zone).earliest()
    });
    beginning.map_or(wanted, |at| at.with_timezone(&Utc))
}

const MOVED: &str = "start moved from ";

/// What an insertion order's details say when it begins on another day than the plan's.
pub(super) fn moved(wanted: NaiveDate, really: NaiveDate) -> String {
    if wanted == really {
        String::new()
    } else {
        format!("{MOVED}{wanted} to {really}: it was over when this was sent")
    }
}

/// The plan's day behind the real one, if the details tell of it.
pub(super) fn planned(details: &str, really: NaiveDate) -> NaiveDate {
    let told = details.strip_prefix(MOVED).and_then(|rest| {
        let (wanted, rest) = rest.split_once(" to ")?;
        let (told, _) = rest.split_once(':')?;
        (told.parse::<NaiveDate>().ok()? == really).then(|| wanted.parse::<NaiveDate>().ok())?
    });
    told.unwrap_or(really)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn d(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn days_are_the_advertisers() {
        let (start, end) = (at("2027-03-01T05:00:00Z"), at("2027-03-31T04:00:00Z"));
        assert_eq!(
            days(start, end, chrono_tz::Europe::Berlin),
            (d("2027-03-01"), d("2027-03-31"))
        );
        assert_eq!(
            days(start, end, chrono_tz::America::Los_Angeles),
            (d("2027-02-28"), d("2027-03-30"))
        );
        // Midnight ends the day before.
        let midnight = at("2027-03-31T22:00:00Z");
        assert_eq!(
            days(start, midnight, chrono_tz::Europe::Berlin).1,
            d("2027-03-31")
        );
    }

    #[test]
    fn a_flight_that_has_begun_begins_with_the_next_day_there() {
        let berlin = chrono_tz::Europe::Berlin;
        let now = at("2027-03-05T23:30:00Z");
        // It is the sixth in Berlin already.
        let begins = |start| begins(at(start), now, berlin);
        assert_eq!(begins("2027-03-01T00:00:00Z"), at("2027-03-06T23:00:00Z"));
        assert_eq!(
            begins("2027-03-06T12:00:00Z"),
            at("2027-03-06T23:00:00Z"),
            "later today"
        );
        assert_eq!(
            begins("2027-03-07T12:00:00Z"),
            at("2027-03-07T12:00:00Z"),
            "as planned"
        );
        // São Paulo's clocks went forward at midnight: the fourth began at one.
        let (start, now) = (at("2018-11-01T00:00:00Z"), at("2018-11-03T12:00:00Z"));
        let begins = super::begins(start, now, chrono_tz::America::Sao_Paulo);
        assert_eq!(begins, at("2018-11-04T03:00:00Z"));
    }

    #[test]
    fn what_is_over_begins_tomorrow_and_says_so() {
        let today = d("2027-03-05");
        assert_eq!(start(d("2027-03-01"), None, today), d("2027-03-06"));
        assert_eq!(start(d("2027-03-05"), None, today), d("2027-03-06"));
        assert_eq!(start(d("2027-03-07"), None, today), d("2027-03-07"));
        assert_eq!(
            start(d("2027-03-09"), Some(d("2027-03-05")), today),
            d("2027-03-05")
        );
        assert_eq!(
            start(d("2027-03-09"), Some(d("2027-03-20")), today),
            d("2027-03-09")
        );
        let told = moved(d("2027-03-01"), d("2027-03-06"));
        assert_eq!(planned(&told, d("2027-03-06")), d("2027-03-01"));
        assert_eq!(
            planned(&told, d("2027-03-08")),
            d("2027-03-08"),
            "somebody moved it"
        );
        assert_eq!(planned("", d("2027-03-08")), d("2027-03-08"));
        assert_eq!(moved(d("2027-03-06"), d("2027-03-06")), "");
    }

    fn zone() -> impl Strategy<Value = Tz> {
        prop::sample::select(chrono_tz::TZ_VARIANTS.to_vec())
    }

    proptest! {
        #[test]
        fn a_flight_has_every_day_on_which_the_plan_has_a_moment(
            from in 1_700_000_000_i64..2_100_000_000, length in 0_i64..40_000_000, zone in zone()
        ) {
            let start = DateTime::from_timestamp(from, 0).unwrap();
            let end = start + TimeDelta::seconds(length);
            let (first, last) = days(start, end, zone);
            prop_assert!(first <= last);
            prop_assert_eq!(first, start.with_timezone(&zone).date_naive());
            let end_day = end.with_timezone(&zone).date_naive();
            prop_assert!(last == end_day || last.succ_opt() == Some(end_day));
            prop_assert_eq!(day(&date(first)), Some(first));
        }

        #[test]
        fn nothing_new_begins_before_tomorrow(
            from in 1_700_000_000_i64..2_100_000_000, now in 1_700_000_000_i64..2_100_000_000, zone in zone()
        ) {
            let wanted = DateTime::from_timestamp(from, 0).unwrap().with_timezone(&zone).date_naive();
            let today = today(DateTime::from_timestamp(now, 0).unwrap(), zone);
            let really = start(wanted, None, today);
            prop_assert!(really > today && really >= wanted);
            prop_assert_eq!(planned(&moved(wanted, really), really), wanted);
        }

        #[test]
        fn hostile_dates_are_no_dates(year in any::<i64>(), month in any::<i64>(), d in any::<i64>()) {
            let _ = day(&json!({ "year": year, "month": month, "day": d }));
        }
    }
}
