//! The rules of campaigns, at create and at update alike.
//!
//! Must not store anything. Source: /campaign/create/ (<https://business-api.tiktok.com/portal/docs?id=1739318962329602>) and
//! /campaign/update/.

use super::errors::Fault;
use super::rules::{above_spend, all_of, amount, named, one_of, required};
use super::{Fields, accounts, text, texts};
use crate::sandbox::store::Object;
use crate::sandbox::world::World;
use serde_json::Value;

const OBJECTIVES: &[&str] = &[
    "REACH",
    "TRAFFIC",
    "VIDEO_VIEWS",
    "ENGAGEMENT",
    "LEAD_GENERATION",
    "APP_PROMOTION",
    "WEB_CONVERSIONS",
    "PRODUCT_SALES",
    "RF_REACH",
];
const MODES: &[&str] = &[
    "BUDGET_MODE_DAY",
    "BUDGET_MODE_TOTAL",
    "BUDGET_MODE_DYNAMIC_DAILY_BUDGET",
    "BUDGET_MODE_INFINITE",
];

/// Whether the campaign shares its budget out.
pub(super) fn shares(fields: &Fields) -> bool {
    fields.get("budget_optimize_on").and_then(Value::as_bool) == Some(true)
}

/// The rules of a campaign; `old` is what it was.
pub(super) fn check(
    world: &World,
    account: &str,
    fields: &Fields,
    old: Option<&Object>,
) -> Result<(), Fault> {
    named(fields, "campaign_name", 512)?;
    one_of(fields, "objective_type", OBJECTIVES)?;
    one_of(fields, "operation_status", &["ENABLE", "DISABLE"])?;
    let objective = text(fields, "objective_type");
    if objective == "RF_REACH" {
        return Err(Fault::whitelist("Reach & Frequency"));
    }
    budget(world, account, fields, old)?;
    sales(fields)?;
    app(fields)?;
    industries(fields, old)
}

/// Modes and amounts. With budget optimisation: total, daily or dynamic; the catalog's ads have it by allowlist only. Without:
/// infinite, total or daily.
fn budget(world: &World, account: &str, fields: &Fields, old: Option<&Object>) -> Result<(), Fault> {
    required(fields, "budget_mode")?;
    one_of(fields, "budget_mode", MODES)?;
    let mode = text(fields, "budget_mode");
    if shares(fields) {
        if mode == "BUDGET_MODE_INFINITE" {
            return Err(Fault::field(
                "budget_mode",
                "BUDGET_MODE_INFINITE is not supported when budget_optimize_on is true.",
            ));
        }
        if text(fields, "campaign_product_source") == "CATALOG" {
            return Err(Fault::whitelist("Campaign budget optimization for catalog ads"));
        }
    } else if mode == "BUDGET_MODE_DYNAMIC_DAILY_BUDGET" {
        return Err(Fault::field(
            "budget_mode",
            "BUDGET_MODE_DYNAMIC_DAILY_BUDGET needs budget_optimize_on.",
        ));
    }
    if mode == "BUDGET_MODE_INFINITE" {
        return Ok(());
    }
    required(fields, "budget")?;
    let value = fields.get("budget").unwrap_or(&Value::Null);
    let micros = amount(
        world,
        account,
        "budget",
        value,
        accounts::campaign_range(world, account),
    )?;
    match old {
        Some(old) if old.fields.get("budget") != Some(value) => {
            above_spend("budget", micros, old.spend_micros)
        }
        Some(_) | None => Ok(()),
    }
}

/// "Sales" is website conversions or product sales with these two fields, which go together.
fn sales(fields: &Fields) -> Result<(), Fault> {
    let objective = text(fields, "objective_type");
    one_of(fields, "virtual_objective_type", &["SALES"])?;
    one_of(
        fields,
        "sales_destination",
        &["TIKTOK_SHOP", "WEBSITE", "APP", "WEB_AND_APP"],
    )?;
    one_of(fields, "campaign_product_source", &["CATALOG", "STORE"])?;
    let virtual_objective = !text(fields, "virtual_objective_type").is_empty();
    let destination = text(fields, "sales_destination");
    if virtual_objective && !matches!(objective, "WEB_CONVERSIONS" | "PRODUCT_SALES") {
        return Err(Fault::field(
            "virtual_objective_type",
            "SALES is for WEB_CONVERSIONS and PRODUCT_SALES.",
        ));
    }
    if virtual_objective == destination.is_empty() {
        return Err(Fault::field(
            "sales_destination",
            "Required, and valid only, when virtual_objective_type is specified.",
        ));
    }
    if destination == "WEB_AND_APP" {
        return Err(Fault::whitelist("WEB_AND_APP"));
    }
    if objective == "PRODUCT_SALES" {
        return required(fields, "campaign_product_source");
    }
    if !text(fields, "campaign_product_source").is_empty() {
        return Err(Fault::field(
            "campaign_product_source",
            "is for PRODUCT_SALES only.",
        ));
    }
    Ok(())
}

fn app(fields: &Fields) -> Result<(), Fault> {
    let objective = text(fields, "objective_type");
    one_of(fields, "campaign_type", &["REGULAR_CAMPAIGN", "IOS14_CAMPAIGN"])?;
    one_of(
        fields,
        "app_promotion_type",
        &["APP_INSTALL", "APP_RETARGETING", "APP_PREREGISTRATION"],
    )?;
    if objective == "APP_PROMOTION" {
        required(fields, "app_promotion_type")?;
    }
    if text(fields, "campaign_type") != "IOS14_CAMPAIGN" {
        return Ok(());
    }
    let installs = objective == "APP_PROMOTION" && text(fields, "app_promotion_type") == "APP_INSTALL";
    if !installs && objective != "PRODUCT_SALES" {
        return Err(Fault::field(
            "campaign_type",
            "IOS14_CAMPAIGN is for app installs and product sales.",
        ));
    }
    required(fields, "app_id")
}

/// Special categories can be removed, not changed, and not added to a campaign that has none.
fn industries(fields: &Fields, old: Option<&Object>) -> Result<(), Fault> {
    all_of(fields, "special_industries", &["HOUSING", "EMPLOYMENT", "CREDIT"])?;
    let Some(old) = old else { return Ok(()) };
    let (before, after) = (
        texts(&old.fields, "special_industries"),
        texts(fields, "special_industries"),
    );
    if after.iter().any(|industry| !before.contains(industry)) {
        return Err(Fault::field(
            "special_industries",
            "can be removed, and neither changed nor added.",
        ));
    }
    Ok(())
}
