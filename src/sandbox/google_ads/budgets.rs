//! The rules of campaign budgets.
//!
//! Must not know campaigns beyond which of them use a budget. Unless said otherwise a rule's source is the
//! comment of its field or error in `resources/*.proto` and `errors/*.proto` of
//! <https://github.com/googleapis/googleapis/tree/master/google/ads/googleads/v25>.

use super::NAME;
use super::accounts::minimum_unit;
use super::derived::users;
use super::errors::Fault;
use super::mutate::{Kind, Ruling, Tx};
use super::rules::{Fields, default, micros, namesakes, none, text};
use crate::sandbox::store::Handle;
use serde_json::{Value, json};

pub(super) const BUDGET: Kind = Kind {
    resource: "campaign_budget",
    collection: "campaignBudgets",
    message: "CampaignBudget",
    composite: false,
    output_only: &[
        "id",
        "status",
        "referenceCount",
        "hasRecommendedBudget",
        "recommendedBudgetAmountMicros",
    ],
    immutable: &["period", "type"],
    references: &[],
    create: Some(create_budget),
    update: Some(update_budget),
    remove: Some(remove_budget),
};

fn create_budget(tx: &mut Tx<'_>, mut fields: Fields) -> Ruling<Handle> {
    default(&mut fields, "period", "DAILY");
    default(&mut fields, "deliveryMethod", "STANDARD");
    default(&mut fields, "explicitlyShared", true);
    default(&mut fields, "type", "STANDARD");
    default(&mut fields, "status", "ENABLED");
    none(budget_faults(tx, &fields, None))?;
    let id = tx.world.ids.google();
    fields.insert("id".into(), id.clone().into());
    Ok(tx.make("campaign_budget", id, None, fields))
}

fn update_budget(tx: &mut Tx<'_>, handle: Handle, after: &mut Fields) -> Ruling<()> {
    let before = tx.world.store.get(handle);
    let shared = |fields: &Fields| {
        fields
            .get("explicitlyShared")
            .and_then(Value::as_bool)
            .unwrap_or(true)
    };
    let mut faults = Vec::new();
    if shared(&before.fields) && !shared(after) {
        let message = "A shared budget cannot become an implicitly shared one.";
        let code = "CANNOT_UPDATE_CAMPAIGN_BUDGET_TO_IMPLICITLY_SHARED";
        faults.push(Fault::new("campaignBudgetError", code, message).at("explicitly_shared"));
    }
    if !shared(&before.fields) && text(&before.fields, "name") != text(after, "name") {
        let message = "The name of an implicitly shared budget follows its campaign.";
        let code = "CANNOT_MODIFY_FIELD_OF_IMPLICITLY_SHARED_CAMPAIGN_BUDGET";
        faults.push(Fault::new("campaignBudgetError", code, message).at("name"));
    }
    faults.extend(budget_faults(tx, after, Some(handle)));
    none(faults)
}

fn budget_faults(tx: &Tx<'_>, fields: &Fields, own: Option<Handle>) -> Vec<Fault> {
    let bad =
        |code: &str, message: &str, field: &str| Fault::new("campaignBudgetError", code, message).at(field);
    let mut faults = Vec::new();
    let (daily, total) = (
        micros(fields, "amountMicros"),
        micros(fields, "totalAmountMicros"),
    );
    let custom = text(fields, "period") == "CUSTOM_PERIOD";
    if custom && daily.is_some() {
        let code = "BUDGET_AMOUNT_MUST_BE_UNSET_FOR_CUSTOM_BUDGET_PERIOD";
        faults.push(bad(
            code,
            "Custom budget period must not have amount_micros.",
            "amount_micros",
        ));
    }
    if !custom && total.is_some() {
        let code = "TOTAL_BUDGET_AMOUNT_MUST_BE_UNSET_FOR_BUDGET_PERIOD_DAILY";
        faults.push(bad(
            code,
            "A daily budget must not have total_amount_micros.",
            "total_amount_micros",
        ));
    }
    let (amount, field) = if custom {
        (total, "total_amount_micros")
    } else {
        (daily, "amount_micros")
    };
    match amount {
        None => faults.push(Fault::required(field)),
        Some(amount) => faults.extend(amount_fault(tx, amount, custom, field)),
    }
    let name = text(fields, "name");
    let shared = fields
        .get("explicitlyShared")
        .and_then(Value::as_bool)
        .unwrap_or(true);
    if shared && name.is_empty() {
        faults.push(Fault::required("name"));
    }
    if name.len() > 255 {
        faults.push(
            Fault::new("stringLengthError", "TOO_LONG", "The name is too long.")
                .at("name")
                .because(name),
        );
    }
    if !name.is_empty() && !namesakes(tx, "campaign_budget", name, own).is_empty() {
        faults.push(
            bad(
                "DUPLICATE_NAME",
                "The campaign budget name is already in use.",
                "name",
            )
            .because(name),
        );
    }
    faults
}

fn amount_fault(tx: &Tx<'_>, amount: i64, total: bool, field: &str) -> Option<Fault> {
    let customer = tx
        .world
        .store
        .find(NAME, &format!("customers/{}", tx.customer))
        .map(|h| tx.world.store.get(h));
    let currency = customer.map_or("", |c| c.text("currencyCode"));
    let unit = minimum_unit(currency);
    let bad = |code: &str, message: &str| Fault::new("campaignBudgetError", code, message).at(field);
    if amount < 0 {
        return Some(bad(
            "NEGATIVE_MONEY_AMOUNT",
            "The money amount must be greater than zero.",
        ));
    }
    if amount % unit != 0 {
        let message = "The money amount is not a multiple of the minimum unit of the currency.";
        return Some(bad("NON_MULTIPLE_OF_MINIMUM_CURRENCY_UNIT", message).because(&amount.to_string()));
    }
    if amount < unit {
        return Some(bad(
            "MONEY_AMOUNT_LESS_THAN_CURRENCY_MINIMUM_CPC",
            "The money amount is too small.",
        ));
    }
    if amount > 1_000_000_000_000_000 {
        return Some(
            bad("MONEY_AMOUNT_TOO_LARGE", "The money amount is too large.").because(&amount.to_string()),
        );
    }
    let minimum = customer
        .and_then(|c| c.fields.get("_minimumDailyMicros"))
        .and_then(Value::as_i64)
        .unwrap_or(0);
    if !total && amount < minimum {
        let details = json!({"budgetPerDayMinimumErrorDetails": {
            "currencyCode": currency, "minimumBudgetAmountMicros": minimum.to_string(),
            "failedBudgetAmountMicros": amount.to_string(),
        }});
        return Some(
            bad(
                "BUDGET_BELOW_PER_DAY_MINIMUM",
                "The budget is below the daily minimum.",
            )
            .with(details),
        );
    }
    None
}

fn remove_budget(tx: &mut Tx<'_>, handle: Handle) -> Ruling<()> {
    if users(tx.world, tx.world.store.get(handle)).is_empty() {
        return Ok(());
    }
    let message = "The campaign budget is associated with at least one campaign.";
    Err(vec![Fault::new(
        "campaignBudgetError",
        "CAMPAIGN_BUDGET_IN_USE",
        message,
    )])
}
