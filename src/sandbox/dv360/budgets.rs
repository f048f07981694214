//! Dates, money, pacing, frequency caps and bids: the rules that campaigns, insertion orders and line items share.
//!
//! Must not know which resource it looks at. Each rule stands in the reference of its message:
//! <https://developers.google.com/display-video/api/reference/rest/v4/FrequencyCap>,
//! <https://developers.google.com/display-video/api/reference/rest/v4/Pacing>,
//! <https://developers.google.com/display-video/api/reference/rest/v4/BiddingStrategy>,
//! <https://developers.google.com/display-video/api/reference/rest/v4/DateRange>.

use super::Fault;
use chrono::{Datelike, NaiveDate};
use serde_json::{Map, Value, json};

/// "Before the year 2037."
const LAST_YEAR: i32 = 2036;
/// "Smaller than or equal to the upper limit 1000000000."
const HIGHEST_BID: i64 = 1_000_000_000;

/// A number that the schema has already found to be one.
pub(super) fn number(value: Option<&Value>) -> Option<i64> {
    match value? {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => number.as_i64(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A `Date` as a day; positive year, month and day.
pub(super) fn day(value: &Value) -> Result<NaiveDate, Fault> {
    let part = |name: &str| value.get(name).and_then(Value::as_i64).unwrap_or(0);
    let (year, month, day) = (part("year"), part("month"), part("day"));
    let parsed = i32::try_from(year)
        .ok()
        .and_then(|year| NaiveDate::from_ymd_opt(year, u32::try_from(month).ok()?, u32::try_from(day).ok()?));
    let parsed = parsed.filter(|_| year > 0 && month > 0 && day > 0);
    let parsed = parsed.ok_or_else(|| Fault::invalid(format!("Invalid date: {year}-{month}-{day}.")))?;
    if parsed.year() > LAST_YEAR {
        return Err(Fault::invalid("The date must be before the year 2037."));
    }
    Ok(parsed)
}

/// A day as a `Date`.
pub(super) fn shown(day: NaiveDate) -> Value {
    json!({ "year": day.year(), "month": day.month(), "day": day.day() })
}

/// A `DateRange` with both ends.
pub(super) fn range(value: &Value) -> Result<(NaiveDate, NaiveDate), Fault> {
    let end = |name: &str| {
        value
            .get(name)
            .ok_or_else(|| Fault::invalid(format!("The date range has no {name}.")))
    };
    let (from, to) = (day(end("startDate")?)?, day(end("endDate")?)?);
    if to < from {
        return Err(Fault::invalid("The end date must be the start date or later."));
    }
    Ok((from, to))
}

/// A range of a flight or of a budget segment: new ones lie in the future; of one that has begun the start does not move.
pub(super) fn flight(value: &Value, before: Option<&Value>, today: NaiveDate) -> Result<(), Fault> {
    let (from, to) = range(value)?;
    let before = before.and_then(|b| range(b).ok());
    if before == Some((from, to)) {
        return Ok(());
    }
    match before {
        Some((old, _)) if old <= today && from != old => Err(Fault::invalid(
            "The start date is in the past and cannot be changed.",
        )),
        Some((old, _)) if from == old && to >= today => Ok(()),
        Some(_) | None if from <= today => Err(Fault::invalid("The start date must be in the future.")),
        Some(_) | None if to <= today => Err(Fault::invalid("The end date must be in the future.")),
        Some(_) | None => Ok(()),
    }
}

/// An amount that must be there and above nothing.
pub(super) fn positive(value: Option<&Value>, what: &str) -> Result<i64, Fault> {
    number(value)
        .filter(|n| *n > 0)
        .ok_or_else(|| Fault::invalid(format!("{what} must be greater than 0.")))
}

/// `FrequencyCap`: unlimited, or a limit within one of the periods there are; none for a lifetime any more
/// (<https://developers.google.com/display-video/api/deprecations#features.lifetime_frequency_cap>).
pub(super) fn frequency_cap(cap: &Value) -> Result<(), Fault> {
    if cap.get("unlimited") == Some(&Value::Bool(true)) {
        return Ok(());
    }
    if cap.get("maxViews").is_some() {
        return Err(Fault::invalid(
            "max_views is only applicable to YouTube and Partners resources.",
        ));
    }
    positive(cap.get("maxImpressions"), "max_impressions")?;
    let count = number(cap.get("timeUnitCount")).unwrap_or(0);
    let most = match cap.get("timeUnit").and_then(Value::as_str).unwrap_or("") {
        "TIME_UNIT_MONTHS" => 1,
        "TIME_UNIT_WEEKS" => 4,
        "TIME_UNIT_DAYS" => 6,
        "TIME_UNIT_HOURS" => 23,
        "TIME_UNIT_MINUTES" => 59,
        "TIME_UNIT_LIFETIME" => {
            return Err(Fault::invalid(
                "Frequency caps with a time period greater than 30 days are not accepted.",
            ));
        }
        _ => return Err(Fault::invalid("time_unit is required when unlimited is false.")),
    };
    if (1..=most).contains(&count) {
        Ok(())
    } else {
        Err(Fault::invalid(format!(
            "time_unit_count must be between 1 and {most}."
        )))
    }
}

/// `Pacing`. A daily maximum is rounded to whole billable units: down, or up to the first.
pub(super) fn pacing(pacing: &mut Map<String, Value>, unit: i64, of_an_order: bool) -> Result<(), Fault> {
    let is = |name: &str, value: &str| pacing.get(name).and_then(Value::as_str) == Some(value);
    let flight = is("pacingPeriod", "PACING_PERIOD_FLIGHT");
    if of_an_order && flight && is("pacingType", "PACING_TYPE_ASAP") {
        return Err(Fault::invalid(
            "PACING_TYPE_ASAP is not compatible with PACING_PERIOD_FLIGHT.",
        ));
    }
    if !flight && is("pacingType", "PACING_TYPE_AHEAD") {
        return Err(Fault::invalid(
            "PACING_TYPE_AHEAD is only applicable to PACING_PERIOD_FLIGHT.",
        ));
    }
    if pacing.contains_key("dailyMaxImpressions") {
        return Err(Fault::invalid(
            "daily_max_impressions is only applicable when the budget is impression based.",
        ));
    }
    if pacing.contains_key("dailyMaxMicros") {
        let amount = positive(pacing.get("dailyMaxMicros"), "daily_max_micros")?;
        let rounded = (amount / unit * unit).max(unit);
        pacing.insert("dailyMaxMicros".into(), rounded.to_string().into());
    }
    Ok(())
}

/// `BiddingStrategy`: exactly one; some of them only for line items.
pub(super) fn bid_strategy(strategy: &Value, unit: i64, of_an_order: bool) -> Result<(), Fault> {
    let members = strategy
        .as_object()
        .map(|m| m.iter().collect::<Vec<_>>())
        .unwrap_or_default();
    let [(name, bid)] = members[..] else {
        return Err(Fault::invalid("Exactly one bidding strategy must be set."));
    };
    let goal = bid
        .get("performanceGoalType")
        .and_then(Value::as_str)
        .unwrap_or("");
    let goal = goal.trim_start_matches("BIDDING_STRATEGY_PERFORMANCE_GOAL_TYPE_");
    if let Some(cap) = number(bid.get("maxAverageCpmBidAmountMicros"))
        && (cap < unit || goal == "VIEWABLE_CPM")
    {
        return Err(Fault::invalid(
            "max_average_cpm_bid_amount_micros is too small or not applicable.",
        ));
    }
    match (name.as_str(), of_an_order) {
        ("fixedBid", true) => match number(bid.get("bidAmountMicros")) {
            None | Some(0) => Ok(()),
            Some(_) => Err(Fault::invalid(
                "bid_amount_micros must be 0 for an insertion order.",
            )),
        },
        ("fixedBid", false) => match number(bid.get("bidAmountMicros")) {
            Some(amount) if (unit..=HIGHEST_BID).contains(&amount) => Ok(()),
            Some(_) | None => Err(Fault::invalid(
                "bid_amount_micros cannot be too small or too large.",
            )),
        },
        ("maximizeSpendAutoBid", _) if goal == "VIEWABLE_CPM" => Err(Fault::invalid(
            "VIEWABLE_CPM is not supported for maximize_spend_auto_bid.",
        )),
        ("maximizeSpendAutoBid", _) => Ok(()),
        ("performanceGoalAutoBid", true) => Err(Fault::invalid(
            "performance_goal_auto_bid can only be used for a line item.",
        )),
        ("performanceGoalAutoBid", false) => {
            let amount = positive(
                bid.get("performanceGoalAmountMicros"),
                "performance_goal_amount_micros",
            )?;
            // Upper bounds are in USD; here the advertiser's own currency is taken for it.
            let most = if goal == "CPA" {
                10_000_000_000
            } else {
                1_000_000_000
            };
            match goal {
                "CPA" | "CPC" | "VIEWABLE_CPM" | "CUSTOM_ALGO" if (unit..=most).contains(&amount) => Ok(()),
                "CPA" | "CPC" | "VIEWABLE_CPM" | "CUSTOM_ALGO" => Err(Fault::invalid(
                    "performance_goal_amount_micros cannot be too small or too large.",
                )),
                _ => Err(Fault::invalid(
                    "performance_goal_type must be one of CPA, CPC, VIEWABLE_CPM, CUSTOM_ALGO for a line item.",
                )),
            }
        }
        _ => Err(Fault::invalid(format!("{name} cannot be used here."))),
    }
}
