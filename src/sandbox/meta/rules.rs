//! The rules of campaigns and ad sets.
//!
//! Each function gets the fields as they would be, at create and at update alike, and says what is wrong with them. Must not
//! store anything. Sources: <https://developers.facebook.com/docs/marketing-api/reference/ad-account/campaigns>,
//! <https://developers.facebook.com/docs/marketing-api/reference/ad-account/adsets>,
//! <https://developers.facebook.com/docs/marketing-api/bidding/guides/adset-budget-sharing>,
//! <https://developers.facebook.com/docs/marketing-api/error-reference>.

use super::NAME;
use super::accounts;
use super::api::Api;
use super::errors::Fault;
use super::params::{Params, instant, text};
use crate::sandbox::store::{Handle, Object};
use crate::sandbox::world::World;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

/// What is being checked: where, what it was before, and what hangs on it.
pub(super) struct Context<'a> {
    pub(super) world: &'a World,
    pub(super) account: &'a str,
    /// The object as it is; None while it is being made.
    pub(super) old: Option<(Handle, &'a Object)>,
}

/// A budget that is set, in minor units.
fn amount(fields: &Params, name: &str) -> Option<u64> {
    text(fields, name).parse().ok().filter(|n| *n > 0)
}

fn has_budget(fields: &Params) -> bool {
    amount(fields, "daily_budget").is_some() || amount(fields, "lifetime_budget").is_some()
}

fn both(fields: &Params) -> Result<(), Fault> {
    if amount(fields, "daily_budget").is_some() && amount(fields, "lifetime_budget").is_some() {
        return Err(Fault::invalid(
            "lifetime_budget",
            "only one of daily_budget and lifetime_budget can be set",
        ));
    }
    Ok(())
}

/// The statuses at create: an object cannot begin its life archived or deleted. Left out, it is live.
pub(super) fn first_status(fields: &mut Params) -> Result<(), Fault> {
    match text(fields, "status") {
        "" => {
            fields.insert("status".into(), "ACTIVE".into());
            Ok(())
        }
        "ACTIVE" | "PAUSED" => Ok(()),
        other => Err(Fault::invalid(
            "status",
            &format!("{other}: only ACTIVE and PAUSED are valid during creation"),
        )),
    }
}

const OBJECTIVES: &[&str] = &[
    "OUTCOME_APP_PROMOTION",
    "OUTCOME_AWARENESS",
    "OUTCOME_ENGAGEMENT",
    "OUTCOME_LEADS",
    "OUTCOME_SALES",
    "OUTCOME_TRAFFIC",
];

/// The rules of a campaign.
pub(super) fn campaign(context: &Context<'_>, fields: &Params) -> Result<(), Fault> {
    for required in ["name", "objective"] {
        if text(fields, required).is_empty() {
            return Err(Fault::required(required));
        }
    }
    let objective = text(fields, "objective");
    if !OBJECTIVES.contains(&objective) {
        return Err(Fault::invalid(
            "objective",
            &format!("{objective} cannot be used for a new campaign"),
        ));
    }
    let Some(categories) = fields.get("special_ad_categories").and_then(Value::as_array) else {
        return Err(Fault::required("special_ad_categories"));
    };
    let known = |v: &Value| {
        v.as_str()
            .is_some_and(|v| Api::get().has("enum", "special_ad_categories", v))
    };
    if !categories.iter().all(known) {
        return Err(Fault::invalid(
            "special_ad_categories",
            "not a special ad category",
        ));
    }
    // "special_ad_category_country" goes with every category but none.
    let special = categories.iter().any(|v| v != "NONE");
    let countries = fields
        .get("special_ad_category_country")
        .and_then(Value::as_array);
    if special && countries.is_none_or(Vec::is_empty) {
        return Err(Fault::required("special_ad_category_country"));
    }
    both(fields)?;
    let sharing = fields
        .get("is_adset_budget_sharing_enabled")
        .and_then(Value::as_bool);
    if has_budget(fields) {
        campaign_budget(context, fields, sharing)?;
    } else {
        if sharing.is_none() {
            let message = "Must specify True or False in is_adset_budget_sharing_enabled field if you are not using \
                           campaign budget";
            return Err(Fault::new(100, message)
                .sub(4_834_011)
                .blaming("is_adset_budget_sharing_enabled"));
        }
        if sharing == Some(true) && text(fields, "bid_strategy").is_empty() {
            let message = "Ad set budget sharing needs a bid strategy on the campaign";
            return Err(Fault::new(100, message).sub(4_834_005).blaming("bid_strategy"));
        }
        if sharing == Some(false) && !text(fields, "bid_strategy").is_empty() {
            return Err(Fault::invalid(
                "bid_strategy",
                "a bid strategy needs a budget on the campaign",
            ));
        }
    }
    running(context, fields, sharing)?;
    if amount(fields, "spend_cap")
        .is_some_and(|cap| cap < 100 * accounts::minimum_daily(context.world, context.account))
    {
        return Err(Fault::new(100, "The campaign spend cap is too low")
            .sub(2_446_307)
            .blaming("spend_cap"));
    }
    times(context, fields, "start_time", "stop_time")
}

/// Of a campaign that runs, sharing cannot be turned on, and while it shares its strategy stays
/// (<https://developers.facebook.com/docs/marketing-api/bidding/guides/adset-budget-sharing>).
fn running(context: &Context<'_>, fields: &Params, sharing: Option<bool>) -> Result<(), Fault> {
    let Some((_, old)) = context.old.filter(|(_, old)| old.text("status") == "ACTIVE") else {
        return Ok(());
    };
    let before = old
        .fields
        .get("is_adset_budget_sharing_enabled")
        .and_then(Value::as_bool);
    if sharing == Some(true) && before != Some(true) {
        let message = "Ad set budget sharing cannot be enabled on a running campaign";
        return Err(Fault::new(100, message)
            .sub(3_858_418)
            .blaming("is_adset_budget_sharing_enabled"));
    }
    if sharing == Some(true) && old.text("bid_strategy") != text(fields, "bid_strategy") {
        let message = "The bid strategy cannot be changed while ad sets share their budgets";
        return Err(Fault::new(100, message).sub(4_834_006).blaming("bid_strategy"));
    }
    Ok(())
}

fn campaign_budget(context: &Context<'_>, fields: &Params, sharing: Option<bool>) -> Result<(), Fault> {
    if sharing == Some(true) {
        let message = "Ad set budget sharing cannot be used with a campaign budget";
        return Err(Fault::new(100, message)
            .sub(4_834_002)
            .blaming("is_adset_budget_sharing_enabled"));
    }
    for name in ["daily_budget", "lifetime_budget"] {
        minimum(context, fields, name, 1)?;
    }
    let children = context
        .old
        .map(|(_, old)| old.children.as_slice())
        .unwrap_or_default();
    let budgeted = children.iter().map(|h| context.world.store.get(*h)).any(|child| {
        child.kind == "adset"
            && !matches!(child.text("status"), "DELETED" | "ARCHIVED")
            && has_budget(&child.fields)
    });
    if budgeted {
        return Err(two_levels());
    }
    Ok(())
}

fn two_levels() -> Fault {
    let message = "You can only set an ad set budget or a campaign budget, not both";
    Fault::new(100, message).sub(1_885_621).blaming("daily_budget")
}

/// At least the account's minimum for each day.
fn minimum(context: &Context<'_>, fields: &Params, name: &str, days: u64) -> Result<(), Fault> {
    let least = accounts::minimum_daily(context.world, context.account).saturating_mul(days);
    match amount(fields, name) {
        Some(amount) if amount < least => {
            let message =
                format!("Your budget is too low: it must be at least {least} (minor units of the currency)");
            Err(Fault::new(100, message).sub(1_885_272).blaming(name))
        }
        Some(_) | None => Ok(()),
    }
}

fn time(context: &Context<'_>, fields: &Params, name: &str) -> Option<DateTime<Utc>> {
    let value = text(fields, name);
    if value.is_empty() || value == "0" {
        return None;
    }
    instant(value, accounts::zone(context.world, context.account))
}

/// The end after the start, and not in the past unless it was there already.
fn times(context: &Context<'_>, fields: &Params, start: &str, end: &str) -> Result<(), Fault> {
    let Some(ends) = time(context, fields, end) else {
        return Ok(());
    };
    let unchanged = context
        .old
        .is_some_and(|(_, old)| old.text(end) == text(fields, end));
    if ends <= context.world.now && !unchanged {
        return Err(Fault::new(100, "The end time is in the past")
            .sub(1_487_033)
            .blaming(end));
    }
    if time(context, fields, start).is_some_and(|starts| ends <= starts) {
        return Err(Fault::invalid(end, "the end time must be after the start time"));
    }
    Ok(())
}

/// The rules of an ad set.
pub(super) fn adset(context: &Context<'_>, fields: &Params) -> Result<(), Fault> {
    for required in ["name", "campaign_id", "billing_event", "optimization_goal"] {
        if text(fields, required).is_empty() {
            return Err(Fault::required(required));
        }
    }
    let campaign_id = text(fields, "campaign_id");
    let campaign = context
        .world
        .store
        .find(NAME, campaign_id)
        .map(|h| context.world.store.get(h));
    let Some(campaign) = campaign.filter(|c| c.kind == "campaign" && c.account == context.account) else {
        return Err(Fault::invalid(
            "campaign_id",
            &format!("campaign {campaign_id} does not exist"),
        ));
    };
    if context.old.is_none() && matches!(campaign.text("status"), "DELETED" | "ARCHIVED") {
        return Err(Fault::invalid(
            "campaign_id",
            "the campaign is deleted or archived",
        ));
    }
    times(context, fields, "start_time", "end_time")?;
    budget(context, fields, campaign)?;
    bidding(fields, campaign)?;
    let goal = text(fields, "optimization_goal");
    if goal == "OFFSITE_CONVERSIONS" && !fields.contains_key("promoted_object") {
        return Err(Fault::required("promoted_object"));
    }
    promoted(fields, campaign)?;
    still_promoted(context, fields)?;
    if let Some(caps) = fields.get("frequency_control_specs").and_then(Value::as_array)
        && !caps.is_empty()
        && !matches!(goal, "REACH" | "THRUPLAY")
    {
        return Err(Fault::invalid(
            "frequency_control_specs",
            "only with the goals REACH and THRUPLAY",
        ));
    }
    targeting(context, fields)
}

/// What an ad set promotes, with fields and events that there are; of an app both its id and its store page; of products only
/// what the campaign's catalog has: <https://developers.facebook.com/docs/marketing-api/reference/ad-promoted-object>.
fn promoted(fields: &Params, campaign: &Object) -> Result<(), Fault> {
    let wrong = |why: &str| Err(Fault::invalid("promoted_object", why));
    let promoted = fields.get("promoted_object").and_then(Value::as_object);
    if let Some(promoted) = promoted {
        if let Some(unknown) = promoted
            .keys()
            .find(|k| !Api::get().has("nested", "promoted_object", k))
        {
            return wrong(&format!("unknown field {unknown}"));
        }
        let event = promoted.get("custom_event_type").and_then(Value::as_str);
        if event.is_some_and(|event| !Api::get().has("enum", "custom_event_type", event)) {
            return wrong("custom_event_type is not one of its values");
        }
    }
    let has = |name: &str| promoted.is_some_and(|p| p.contains_key(name));
    if campaign.text("objective") == "OUTCOME_APP_PROMOTION"
        && !(has("application_id") && has("object_store_url"))
    {
        return wrong("an app is promoted by application_id and object_store_url");
    }
    let catalog = campaign.fields.get("promoted_object");
    if catalog.is_some_and(|p| p.get("product_catalog_id").is_some()) && !has("product_set_id") {
        return wrong("a campaign that promotes a catalog has ad sets with a product_set_id");
    }
    Ok(())
}

/// What an ad set with ads promotes stays: <https://github.com/pipeboard-co/meta-ads-mcp/issues/144>.
fn still_promoted(context: &Context<'_>, fields: &Params) -> Result<(), Fault> {
    let Some((_, old)) = context.old else {
        return Ok(());
    };
    let before = old.fields.get("promoted_object");
    let ads = old.children.iter().map(|h| context.world.store.get(*h));
    let published = ads.filter(|ad| ad.text("status") != "DELETED").count() > 0;
    if published && before.is_some_and(|before| Some(before) != fields.get("promoted_object")) {
        let message = "The promoted object of an ad set with published ads cannot be changed";
        return Err(Fault::new(100, message).sub(3_260_011).blaming("promoted_object"));
    }
    Ok(())
}

fn budget(context: &Context<'_>, fields: &Params, campaign: &Object) -> Result<(), Fault> {
    both(fields)?;
    match (has_budget(&campaign.fields), has_budget(fields)) {
        (true, true) => return Err(two_levels()),
        (true, false) => return Ok(()),
        (false, false) => return Err(Fault::required("daily_budget")),
        (false, true) => {}
    }
    let starts = time(context, fields, "start_time").unwrap_or(context.world.now);
    let ends = time(context, fields, "end_time");
    minimum(context, fields, "daily_budget", 1)?;
    if amount(fields, "daily_budget").is_some() {
        if ends.is_some_and(|ends| ends - starts < TimeDelta::hours(24)) {
            return Err(Fault::invalid(
                "end_time",
                "a daily budget needs a duration of more than 24 hours",
            ));
        }
        return Ok(());
    }
    let Some(ends) = ends else {
        return Err(Fault::required("end_time"));
    };
    let days = u64::try_from(((ends - starts).num_hours() + 23) / 24)
        .unwrap_or(1)
        .max(1);
    minimum(context, fields, "lifetime_budget", days)
}

fn bidding(fields: &Params, campaign: &Object) -> Result<(), Fault> {
    let strategy = match text(fields, "bid_strategy") {
        "" => campaign.text("bid_strategy"),
        own => own,
    };
    match strategy {
        "LOWEST_COST_WITH_BID_CAP" | "COST_CAP" if amount(fields, "bid_amount").is_none() => {
            Err(Fault::required("bid_amount"))
        }
        "LOWEST_COST_WITH_MIN_ROAS" if !fields.contains_key("bid_constraints") => {
            Err(Fault::required("bid_constraints"))
        }
        "LOWEST_COST_WITHOUT_CAP" if amount(fields, "bid_amount").is_some() => Err(Fault::invalid(
            "bid_amount",
            "a bid amount cannot be set without a cap",
        )),
        _ => Ok(()),
    }
}

/// The members of the European Union, where the DSA asks who benefits and who pays.
const EU: &[&str] = &[
    "AT", "BE", "BG", "HR", "CY", "CZ", "DK", "EE", "FI", "FR", "DE", "GR", "HU", "IE", "IT", "LV", "LT",
    "LU", "MT", "NL", "PL", "PT", "RO", "SK", "SI", "ES", "SE",
];

fn targeting(context: &Context<'_>, fields: &Params) -> Result<(), Fault> {
    let Some(targeting) = fields.get("targeting").and_then(Value::as_object) else {
        return Err(Fault::required("targeting"));
    };
    if let Some(unknown) = targeting
        .keys()
        .find(|k| !Api::get().has("nested", "targeting", k))
    {
        return Err(Fault::invalid("targeting", &format!("unknown field {unknown}")));
    }
    let places = targeting.get("geo_locations").and_then(Value::as_object);
    let audiences = targeting.get("custom_audiences").and_then(Value::as_array);
    if places.is_none_or(serde_json::Map::is_empty) && audiences.is_none_or(Vec::is_empty) {
        return Err(
            Fault::invalid("targeting", "a location or a custom audience is required").sub(1_885_364),
        );
    }
    let age = |name: &str| targeting.get(name).and_then(Value::as_i64);
    if let Some(name) = ["age_min", "age_max"]
        .into_iter()
        .find(|name| targeting.contains_key(*name) && age(name).is_none())
    {
        return Err(Fault::invalid("targeting", &format!("{name} must be an integer")));
    }
    if age("age_min").is_some_and(|a| !(13..=65).contains(&a))
        || age("age_max").is_some_and(|a| !(13..=65).contains(&a))
    {
        return Err(Fault::invalid("targeting", "ages lie between 13 and 65"));
    }
    if let (Some(min), Some(max)) = (age("age_min"), age("age_max"))
        && min > max
    {
        return Err(Fault::invalid("targeting", "age_min is above age_max"));
    }
    let countries = places.and_then(|p| p.get("countries")).and_then(Value::as_array);
    let european = countries
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .any(|c| EU.contains(&c));
    let account = accounts::fields(context.world, context.account);
    for (field, fallback) in [
        ("dsa_beneficiary", "default_dsa_beneficiary"),
        ("dsa_payor", "default_dsa_payor"),
    ] {
        let known = !text(fields, field).is_empty() || account.is_some_and(|a| a.contains_key(fallback));
        if european && !known {
            let message =
                "To publish ads in the EU you must say who benefits from them and who pays for them";
            return Err(Fault::new(100, message).sub(3_858_152).blaming(field));
        }
    }
    Ok(())
}
