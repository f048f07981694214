//! What rules share: names, amounts, enumerations, times, and whether an account may write at all.
//!
//! Must not store anything. Sources stand at each rule; "portal" is <https://business-api.tiktok.com/portal/docs>.

use super::accounts;
use super::errors::Fault;
use super::{Fields, text};
use crate::sandbox::world::World;
use chrono::{DateTime, NaiveDateTime, Utc};
use serde_json::Value;

/// How the vendor writes an instant, in UTC.
const TIME: &str = "%Y-%m-%d %H:%M:%S";

/// Only an approved advertiser may make or change something (portal, "Advertiser status").
pub(super) fn open(world: &World, account: &str) -> Result<(), Fault> {
    let status = accounts::fields(world, account).map_or("", |f| text(f, "status"));
    if status == "STATUS_ENABLE" {
        return Ok(());
    }
    Err(Fault::new(
        40_001,
        format!("The advertiser {account} is not allowed to do this: {status}."),
    ))
}

/// One of a list, if it is given.
pub(super) fn one_of(fields: &Fields, name: &str, known: &[&str]) -> Result<(), Fault> {
    match text(fields, name) {
        "" => Ok(()),
        value if known.contains(&value) => Ok(()),
        value => Err(Fault::field(
            name,
            &format!("{value} is not one of {}", known.join(", ")),
        )),
    }
}

/// All of a list are of another.
pub(super) fn all_of(fields: &Fields, name: &str, known: &[&str]) -> Result<(), Fault> {
    match super::texts(fields, name).iter().find(|v| !known.contains(v)) {
        Some(value) => Err(Fault::field(
            name,
            &format!("{value} is not one of {}", known.join(", ")),
        )),
        None => Ok(()),
    }
}

/// A field that must be there and not empty.
pub(super) fn required(fields: &Fields, name: &str) -> Result<(), Fault> {
    let there = match fields.get(name) {
        None | Some(Value::Null) => false,
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(list)) => !list.is_empty(),
        Some(Value::Bool(_) | Value::Number(_) | Value::Object(_)) => true,
    };
    if there {
        Ok(())
    } else {
        Err(Fault::field(name, "Missing data for required field."))
    }
}

/// Characters, where Chinese, Japanese and Korean ones count twice (portal, `campaign_name`).
fn length(text: &str) -> usize {
    text.chars()
        .map(|c| {
            if ('\u{1100}'..='\u{ffef}').contains(&c) {
                2
            } else {
                1
            }
        })
        .sum()
}

fn emoji(c: char) -> bool {
    matches!(c, '\u{2600}'..='\u{27bf}' | '\u{1f000}'..='\u{1faff}' | '\u{fe0f}' | '\u{200d}')
}

/// A text of 1 to `most` characters without emoji ("Emoji is not supported": portal, `campaign_name`, `ad_text`).
pub(super) fn named(fields: &Fields, name: &str, most: usize) -> Result<(), Fault> {
    required(fields, name)?;
    let value = text(fields, name);
    if length(value) > most {
        return Err(Fault::field(name, &format!("Longer than maximum length {most}.")));
    }
    if value.chars().any(emoji) {
        return Err(Fault::field(name, "Emoji is not supported."));
    }
    Ok(())
}

/// An amount within a range, with no more decimals than the currency has (portal, "Currency").
pub(super) fn amount(
    world: &World,
    account: &str,
    name: &str,
    value: &Value,
    range: (i64, i64),
) -> Result<i64, Fault> {
    let micros = accounts::number_micros(value).ok_or_else(|| Fault::field(name, "Not a valid amount."))?;
    let unit = 10_i64.pow(6 - accounts::decimals(world, account));
    if micros % unit != 0 {
        return Err(Fault::field(
            name,
            "has more decimals than the currency of the account allows.",
        ));
    }
    let (least, limit) = range;
    if micros < least {
        let least = crate::sandbox::control::money(least);
        return Err(Fault::field(
            name,
            &format!("The budget must be at least {least}."),
        ));
    }
    if micros >= limit {
        let limit = crate::sandbox::control::money(limit);
        return Err(Fault::field(
            name,
            &format!("The budget must be less than {limit}."),
        ));
    }
    Ok(micros)
}

/// "A budget update must be at least 105 % of what has been spent" (portal, "Budget").
pub(super) fn above_spend(name: &str, budget: i64, spent: i64) -> Result<(), Fault> {
    if spent > 0 && i128::from(budget) * 100 < i128::from(spent) * 105 {
        return Err(Fault::field(
            name,
            "The budget must be at least 105% of what has been spent.",
        ));
    }
    Ok(())
}

/// An instant, or a refusal of its form.
pub(super) fn instant(fields: &Fields, name: &str) -> Result<Option<DateTime<Utc>>, Fault> {
    match text(fields, name) {
        "" => Ok(None),
        value => match NaiveDateTime::parse_from_str(value, TIME) {
            Ok(at) => Ok(Some(at.and_utc())),
            Err(_) => Err(Fault::field(
                name,
                "Not a valid datetime (YYYY-MM-DD HH:MM:SS, UTC+0).",
            )),
        },
    }
}

/// An instant in the vendor's words.
pub(super) fn stamp(at: DateTime<Utc>) -> String {
    at.format(TIME).to_string()
}

/// `request_id`: "a string representation of a 64-bit integer" (portal, /campaign/create/).
pub(super) fn request_id(fields: &Fields) -> Result<(), Fault> {
    match text(fields, "request_id") {
        "" => Ok(()),
        value if value.parse::<i64>().is_ok() => Ok(()),
        _ => Err(Fault::field(
            "request_id",
            "must be the string of a 64-bit integer.",
        )),
    }
}
