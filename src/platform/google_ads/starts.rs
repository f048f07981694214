//! Campaigns whose first day has come before it is sent: a build may wait for days at the gate, or be done again. Pure.
//!
//! Must not ask for the time: who sends or reads says which it is.
//!
//! Google takes no first day that is over (`campaignError: CANNOT_SET_DATE_TO_PAST`), begins a campaign that names none at
//! once, and lets nobody move the first day of one that has begun (`CANNOT_MODIFY_START_DATE_IF_ALREADY_STARTED`).

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use serde_json::Value;

const CAMPAIGN: &str = "campaignOperation";
const FIELD: &str = "startDateTime";

/// The first day that this body gives a campaign, new or not.
pub(super) fn named(body: &Value) -> Option<NaiveDate> {
    let operations = body["mutateOperations"].as_array()?;
    let start = operations.iter().find_map(|operation| {
        let campaign = operation.get(CAMPAIGN)?;
        let fields = campaign.get("create").or_else(|| campaign.get("update"))?;
        fields.get(FIELD)?.as_str()
    })?;
    start.split(' ').next()?.parse().ok()
}

/// The body with "at once" in its place: a new campaign names no first day, one that is there gets today's, which Google takes as long
/// as it has not begun.
pub(super) fn at_once(body: &Value, today: NaiveDate) -> Value {
    let mut body = body.clone();
    let operations = body["mutateOperations"].as_array_mut();
    for operation in operations.into_iter().flatten() {
        let Some(campaign) = operation.get_mut(CAMPAIGN) else {
            continue;
        };
        if let Some(fields) = campaign.get_mut("create").and_then(Value::as_object_mut) {
            fields.remove(FIELD);
        }
        if let Some(start) = campaign.pointer_mut(&format!("/update/{FIELD}")) {
            *start = Value::String(format!("{today} 00:00:00"));
        }
    }
    body
}

/// The day that it is in a zone.
pub(super) fn today(now: DateTime<Utc>, zone: Tz) -> NaiveDate {
    now.with_timezone(&zone).date_naive()
}

/// Whether a day has come anywhere: no zone is further ahead than 14 hours.
pub(super) fn has_come_somewhere(day: NaiveDate, now: DateTime<Utc>) -> bool {
    day <= (now + TimeDelta::hours(14)).date_naive()
}

/// A campaign's form as Google shows it, compared with what was applied: a first day that has come and is later than the one
/// that was wanted is no difference. It was over when the campaign was made, and can no longer be changed.
pub(super) fn settle(shown: &mut Value, applied: &Value, now: DateTime<Utc>) {
    let day = |form: &Value| form.get("start")?.as_str()?.parse::<NaiveDate>().ok();
    if let (Some(really), Some(wanted)) = (day(shown), day(applied))
        && wanted < really
        && has_come_somewhere(really, now)
    {
        shown["start"] = applied["start"].clone();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_first_day_is_left_out_once_it_has_come_there() {
        let body = json!({ "mutateOperations": [
            { "campaignBudgetOperation": { "create": { "name": "b" } } },
            { "campaignOperation": { "create": { "name": "c", "startDateTime": "2027-03-01 00:00:00" } } },
        ] });
        let start = named(&body).unwrap();
        let (auckland, honolulu) = (chrono_tz::Pacific::Auckland, chrono_tz::Pacific::Honolulu);
        let now = at("2027-02-28T12:00:00Z");
        assert!(has_come_somewhere(start, now));
        assert!(start <= today(now, auckland));
        assert!(start > today(now, honolulu));
        assert!(!has_come_somewhere(start, at("2027-02-28T09:59:00Z")));
        let sent = at_once(&body, today(now, auckland));
        assert_eq!(named(&sent), None);
        assert_eq!(
            sent["mutateOperations"][1]["campaignOperation"]["create"],
            json!({ "name": "c" })
        );
        assert_eq!(sent["mutateOperations"][0], body["mutateOperations"][0]);
    }

    #[test]
    fn a_first_day_that_was_over_is_no_difference_and_one_that_was_moved_is() {
        let settled = |really: &str, applied: &str, now: &str| {
            let mut shown = json!({ "start": really });
            settle(&mut shown, &json!({ "start": applied }), at(now));
            shown["start"].as_str().unwrap().to_owned()
        };
        let now = "2027-03-03T12:00:00Z";
        assert_eq!(settled("2027-03-03", "2027-03-01", now), "2027-03-01");
        assert_eq!(
            settled("2027-03-09", "2027-03-01", now),
            "2027-03-09",
            "it is to come"
        );
        assert_eq!(
            settled("2027-02-27", "2027-03-01", now),
            "2027-02-27",
            "it began too early"
        );
    }
}
