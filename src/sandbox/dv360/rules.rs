//! The rules that stand in prose: what a campaign, an insertion order and a line item may be, at creation and after a change.
//!
//! Must not change the store; it sees an object before and after, and may normalise the latter. Sources are the field
//! descriptions of
//! <https://developers.google.com/display-video/api/reference/rest/v4/advertisers.campaigns>,
//! <https://developers.google.com/display-video/api/reference/rest/v4/advertisers.insertionOrders> and
//! <https://developers.google.com/display-video/api/reference/rest/v4/advertisers.lineItems>, unless a rule names another.

use super::budgets::{bid_strategy, flight, frequency_cap, pacing, positive, range};
use super::{Fault, KINDS, accounts, creatives};
use crate::sandbox::store::Handle;
use crate::sandbox::world::World;
use serde_json::{Map, Value};
use std::collections::HashSet;

/// "Must be UTF-8 encoded with a maximum size of 240 bytes."
const LONGEST_NAME: usize = 240;
/// "Must be UTF-8 encoded with a length of no more than 500 characters."
const LONGEST_CODE: usize = 500;

/// What a rule looks at.
pub(super) struct Subject<'a> {
    pub(super) world: &'a World,
    pub(super) advertiser: &'a str,
    /// None: it is being created.
    pub(super) before: Option<&'a Map<String, Value>>,
    /// The parent, where there is one.
    pub(super) parent: Option<Handle>,
}

impl Subject<'_> {
    fn unit(&self) -> i64 {
        accounts::billable_unit(self.world, self.advertiser)
    }

    /// What a field held before.
    fn old(&self, name: &str) -> Option<&Value> {
        self.before?.get(name)
    }
}

/// A text within a value.
pub(super) fn text<'v>(value: &'v Map<String, Value>, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or("")
}

/// Checks and normalises.
pub(super) fn check(kind: &str, subject: &Subject<'_>, after: &mut Map<String, Value>) -> Result<(), Fault> {
    if text(after, "displayName").len() > LONGEST_NAME {
        return Err(Fault::invalid("display_name must not be larger than 240 bytes."));
    }
    status(kind, subject, after)?;
    if let Some(cap) = after.get("frequencyCap") {
        frequency_cap(cap)?;
    }
    let code = after
        .get("integrationDetails")
        .and_then(|d| d.get("integrationCode"));
    if code
        .and_then(Value::as_str)
        .is_some_and(|c| c.chars().count() > LONGEST_CODE)
    {
        return Err(Fault::invalid(
            "integration_code must not be longer than 500 characters.",
        ));
    }
    match kind {
        "campaign" => campaign(subject, after),
        "insertion_order" => insertion_order(subject, after),
        "line_item" => line_item(subject, after),
        _ => creatives::check(subject, after),
    }
}

/// Which status a resource may have, and get.
fn status(kind: &str, subject: &Subject<'_>, after: &Map<String, Value>) -> Result<(), Fault> {
    let (new, old) = (
        text(after, "entityStatus"),
        subject.before.map(|b| text(b, "entityStatus")),
    );
    let accepted: &[&str] = match (kind, old) {
        ("campaign", None) => &["ACTIVE", "PAUSED"],
        ("insertion_order" | "line_item", None) => &["DRAFT"],
        ("insertion_order" | "line_item", Some("ENTITY_STATUS_DRAFT")) => {
            &["DRAFT", "ACTIVE", "PAUSED", "ARCHIVED"]
        }
        _ => &["ACTIVE", "PAUSED", "ARCHIVED"],
    };
    if !accepted.iter().any(|a| new == format!("ENTITY_STATUS_{a}")) {
        let moment = if old.is_none() { "create" } else { "update" };
        return Err(Fault::invalid(format!(
            "Invalid entity status {new} for {moment}: accepted are {}.",
            accepted.join(", ")
        )));
    }
    let parent = subject.parent.map(|p| subject.world.store.get(p));
    if kind == "insertion_order"
        && new == "ENTITY_STATUS_ACTIVE"
        && old != Some(new)
        && parent.is_some_and(|p| p.text("entityStatus") != "ENTITY_STATUS_ACTIVE")
    {
        return Err(Fault::invalid(
            "An insertion order cannot be set to ENTITY_STATUS_ACTIVE if its parent campaign is not active.",
        ));
    }
    if old.is_none() && parent.is_some_and(|p| p.text("entityStatus") == super::write::ARCHIVED) {
        return Err(Fault::invalid("The parent is archived."));
    }
    Ok(())
}

/// `Campaign`.
fn campaign(subject: &Subject<'_>, after: &Map<String, Value>) -> Result<(), Fault> {
    let goal = after.get("campaignGoal").and_then(|g| g.get("performanceGoal"));
    let kind = goal
        .and_then(|g| g.get("performanceGoalType"))
        .and_then(Value::as_str)
        .unwrap_or("");
    match kind.trim_start_matches("PERFORMANCE_GOAL_TYPE_") {
        "CPM" | "CPC" | "CPA" | "CPIAVC" => {
            let amount = goal.and_then(|g| g.get("performanceGoalAmountMicros"));
            positive(amount, "performance_goal_amount_micros")?;
        }
        "CTR" | "VIEWABILITY" => {
            let share = goal.and_then(|g| g.get("performanceGoalPercentageMicros"));
            positive(share, "performance_goal_percentage_micros")?;
        }
        "OTHER" => {}
        _ => {
            return Err(Fault::invalid(format!(
                "{kind} is not an acceptable performance goal of a campaign."
            )));
        }
    }
    let dates = |of: Option<&Map<String, Value>>| of?.get("campaignFlight")?.get("plannedDates").cloned();
    let planned = dates(Some(after)).unwrap_or_default();
    if dates(subject.before).as_ref() != Some(&planned) {
        planned_dates(subject, &planned, dates(subject.before).as_ref())?;
    }
    let budgets = after.get("campaignBudgets").and_then(Value::as_array);
    let mut external = HashSet::new();
    for budget in budgets.into_iter().flatten() {
        positive(budget.get("budgetAmountMicros"), "budget_amount_micros")?;
        range(budget.get("dateRange").unwrap_or(&Value::Null))?;
        let id = budget
            .get("externalBudgetId")
            .and_then(Value::as_str)
            .unwrap_or("");
        if !id.is_empty() && !external.insert(id) {
            return Err(Fault::invalid(
                "external_budget_id must be unique under the campaign.",
            ));
        }
    }
    Ok(())
}

/// `CampaignFlight.plannedDates`: from today on; no end needed.
fn planned_dates(subject: &Subject<'_>, planned: &Value, before: Option<&Value>) -> Result<(), Fault> {
    let start = planned
        .get("startDate")
        .ok_or_else(|| Fault::invalid("start_date is required."))?;
    let from = super::budgets::day(start)?;
    let today = accounts::today(subject.world, subject.advertiser);
    if from < today && before.and_then(|b| b.get("startDate")) != Some(start) {
        return Err(Fault::invalid("start_date must be the current date or later."));
    }
    if planned.get("endDate").is_some() {
        range(planned)?;
    }
    Ok(())
}

/// `InsertionOrder`.
fn insertion_order(subject: &Subject<'_>, after: &mut Map<String, Value>) -> Result<(), Fault> {
    if let Some(Value::Object(pace)) = after.get_mut("pacing") {
        pacing(pace, subject.unit(), true)?;
    }
    if let Some(strategy) = after.get("bidStrategy") {
        bid_strategy(strategy, subject.unit(), true)?;
    }
    let kpi = after.get("kpi");
    let kind = kpi
        .and_then(|k| k.get("kpiType"))
        .and_then(Value::as_str)
        .unwrap_or("");
    match kind.trim_start_matches("KPI_TYPE_") {
        "CPM" | "CPC" | "CPA" | "CPIAVC" | "VCPM" => {
            positive(kpi.and_then(|k| k.get("kpiAmountMicros")), "kpi_amount_micros")?;
        }
        "CTR"
        | "VIEWABILITY"
        | "CLICK_CVR"
        | "IMPRESSION_CVR"
        | "VTR"
        | "AUDIO_COMPLETION_RATE"
        | "VIDEO_COMPLETION_RATE" => {
            positive(
                kpi.and_then(|k| k.get("kpiPercentageMicros")),
                "kpi_percentage_micros",
            )?;
        }
        _ => {}
    }
    let budget = after.get("budget").unwrap_or(&Value::Null);
    if subject
        .old("budget")
        .is_some_and(|old| old.get("budgetUnit") != budget.get("budgetUnit"))
    {
        return Err(Fault::invalid("budget_unit is immutable."));
    }
    let segments = |of: Option<&Value>| of.and_then(|b| b.get("budgetSegments")?.as_array().cloned());
    let old = segments(subject.old("budget")).unwrap_or_default();
    let today = accounts::today(subject.world, subject.advertiser);
    let least =
        accounts::setting(subject.world, subject.advertiser, "_minimumMicros").and_then(Value::as_i64);
    for (i, segment) in segments(Some(budget)).unwrap_or_default().iter().enumerate() {
        let amount = positive(segment.get("budgetAmountMicros"), "budget_amount_micros")?;
        if least.is_some_and(|least| amount < least) {
            return Err(Fault::invalid(
                "The budget amount cannot be too small or too large.",
            ));
        }
        let before = old.get(i).and_then(|s| s.get("dateRange"));
        flight(segment.get("dateRange").unwrap_or(&Value::Null), before, today)?;
    }
    after
        .entry("insertionOrderType".to_owned())
        .or_insert_with(|| "RTB".into());
    after
        .entry("bidStrategy".to_owned())
        .or_insert_with(|| serde_json::json!({ "fixedBid": { "bidAmountMicros": "0" } }));
    if let Some(Value::Object(budget)) = after.get_mut("budget") {
        budget
            .entry("automationType".to_owned())
            .or_insert_with(|| "INSERTION_ORDER_AUTOMATION_TYPE_NONE".into());
    }
    Ok(())
}

/// Line items of these types "cannot be created or updated using the API".
fn untouchable(kind: &str) -> bool {
    kind.contains("YOUTUBE_AND_PARTNERS")
        || kind.ends_with("_OUT_OF_HOME")
        || kind.ends_with("_MOBILE_APP_INVENTORY")
        || kind.ends_with("_UNSPECIFIED")
}

/// `LineItem`.
fn line_item(subject: &Subject<'_>, after: &mut Map<String, Value>) -> Result<(), Fault> {
    let kind = text(after, "lineItemType").to_owned();
    let demand_gen = kind == "LINE_ITEM_TYPE_DEMAND_GEN";
    if untouchable(&kind) {
        return Err(Fault::invalid(format!(
            "Line items of type {kind} cannot be created or updated using the API."
        )));
    }
    if !demand_gen && !after.contains_key("frequencyCap") {
        return Err(Fault::invalid("frequency_cap is required."));
    }
    eu_political(subject, after)?;
    if let Some(Value::Object(pace)) = after.get_mut("pacing") {
        pacing(pace, subject.unit(), false)?;
    }
    if let Some(strategy) = after.get("bidStrategy") {
        bid_strategy(strategy, subject.unit(), false)?;
    }
    line_item_budget(subject, after, demand_gen)?;
    line_item_flight(subject, after)?;
    let revenue = after.get("partnerRevenueModel").unwrap_or(&Value::Null);
    if super::budgets::number(revenue.get("markupAmount")).is_none_or(|n| n < 0) {
        return Err(Fault::invalid(
            "The revenue model cost amount cannot be too small or too large.",
        ));
    }
    if demand_gen && revenue["markupType"] != "PARTNER_REVENUE_MODEL_MARKUP_TYPE_TOTAL_MEDIA_COST_MARKUP" {
        return Err(Fault::invalid(
            "Demand Gen line items need a total media cost markup.",
        ));
    }
    let install = kind.ends_with("_MOBILE_APP_INSTALL");
    if install != after.contains_key("mobileApp") {
        return Err(Fault::invalid(
            "mobile_app is applicable only to line items of a MOBILE_APP_INSTALL type, which need it.",
        ));
    }
    // Those it has already may have been put away since.
    let ids = after
        .get("creativeIds")
        .filter(|ids| subject.old("creativeIds") != Some(ids));
    for id in ids
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
    {
        let creative = super::object(subject.world, subject.advertiser, &KINDS[3], id);
        let creative = creative.map(|h| subject.world.store.get(h));
        let Some(creative) = creative.filter(|c| c.text("entityStatus") != super::write::ARCHIVED) else {
            return Err(Fault::invalid(format!(
                "Creative {id} was not found or is archived."
            )));
        };
        let video = creative.text("creativeType").contains("VIDEO");
        if kind.contains("_VIDEO_") != video {
            return Err(Fault::invalid(format!(
                "Creative {id} does not fit line items of type {kind}."
            )));
        }
    }
    Ok(())
}

/// "This field must be assigned when creating a new line item. Otherwise, the create request will fail", unless the advertiser
/// says that it contains none.
fn eu_political(subject: &Subject<'_>, after: &mut Map<String, Value>) -> Result<(), Fault> {
    const NONE: &str = "DOES_NOT_CONTAIN_EU_POLITICAL_ADVERTISING";
    let said = text(after, "containsEuPoliticalAds");
    if !said.is_empty() && said != "EU_POLITICAL_ADVERTISING_STATUS_UNKNOWN" {
        return Ok(());
    }
    let default = accounts::setting(subject.world, subject.advertiser, "containsEuPoliticalAds");
    if default.is_some_and(|d| d == NONE) {
        after.insert("containsEuPoliticalAds".into(), NONE.into());
        return Ok(());
    }
    Err(Fault::invalid(
        "contains_eu_political_ads must be assigned when creating a new line item.",
    ))
}

fn line_item_budget(
    subject: &Subject<'_>,
    after: &mut Map<String, Value>,
    demand_gen: bool,
) -> Result<(), Fault> {
    let parent = subject.parent.map(|p| subject.world.store.get(p));
    let of_order = |name: &str| parent.and_then(|p| p.fields.get("budget")?.get(name)).cloned();
    let unit = of_order("budgetUnit").unwrap_or_default();
    let Some(Value::Object(budget)) = after.get_mut("budget") else {
        return Ok(());
    };
    match text(budget, "budgetAllocationType").trim_start_matches("LINE_ITEM_BUDGET_ALLOCATION_TYPE_") {
        "FIXED" => {
            positive(budget.get("maxAmount"), "max_amount")?;
        }
        _ if demand_gen => {
            return Err(Fault::invalid("Demand Gen line items need a fixed budget."));
        }
        "AUTOMATIC" => {
            let automation = of_order("automationType").unwrap_or_default();
            if automation == "INSERTION_ORDER_AUTOMATION_TYPE_NONE" {
                return Err(Fault::invalid(
                    "Automatic budget allocation is not enabled for the parent insertion order.",
                ));
            }
        }
        "UNLIMITED" => {
            budget.remove("maxAmount");
        }
        other => {
            return Err(Fault::invalid(format!("Invalid budget allocation type {other}.")));
        }
    }
    budget.insert("budgetUnit".into(), unit);
    Ok(())
}

/// `LineItemFlight`: dates only for a flight of its own.
fn line_item_flight(subject: &Subject<'_>, after: &Map<String, Value>) -> Result<(), Fault> {
    let own = after.get("flight").unwrap_or(&Value::Null);
    let dates = own.get("dateRange");
    match own["flightDateType"].as_str().unwrap_or("") {
        "LINE_ITEM_FLIGHT_DATE_TYPE_CUSTOM" => {
            let old = subject.old("flight").and_then(|f| f.get("dateRange"));
            let today = accounts::today(subject.world, subject.advertiser);
            flight(dates.unwrap_or(&Value::Null), old, today)
        }
        "LINE_ITEM_FLIGHT_DATE_TYPE_INHERITED" if dates.is_none() => Ok(()),
        "LINE_ITEM_FLIGHT_DATE_TYPE_INHERITED" => Err(Fault::invalid(
            "date_range is output only for an inherited flight.",
        )),
        other => Err(Fault::invalid(format!("Invalid flight date type {other}."))),
    }
}
