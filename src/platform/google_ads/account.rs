//! What an account is, as its probe tells: alive, able to pay, what is left to spend, which feeds it may advertise from.
//!
//! Must not call: the adapter sends the queries and hands the rows in.

use super::NAME;
use super::wire::Row;
use crate::domain::error::{ErrorClass, LegError};
use crate::domain::money::{Currency, Money};
use crate::platform::{AccountFacts, CallError};

/// What the account is. Source: v26/enums/{customer_status,billing_setup_status,account_budget_status}.proto.
pub(super) fn facts(
    customer: &[Row],
    billing: &[Row],
    budgets: &[Row],
    undeclared: &[Row],
) -> Result<AccountFacts, CallError> {
    let odd = |what: &str| CallError::Unavailable {
        why: format!("the account's {what} makes no sense"),
        after: None,
    };
    let customer = customer
        .iter()
        .find_map(|row| row.customer.as_ref())
        .ok_or_else(|| odd("row"))?;
    let currency = customer
        .currency_code
        .as_deref()
        .and_then(|code| Currency::parse(code).ok());
    let timezone = customer.time_zone.as_deref().and_then(|zone| zone.parse().ok());
    let mut problems = Vec::new();
    match customer.status.as_deref() {
        Some("ENABLED") | None => {}
        Some(other) => problems.push(LegError {
            platform_code: Some(other.to_owned()),
            ..LegError::new(
                ErrorClass::Account,
                "google-ads-account",
                format!("the Google Ads account is {other}"),
                "the account must be enabled in Google Ads; then `retry`",
            )
        }),
    }
    // Test accounts serve nothing and have no billing.
    if customer.test_account != Some(true) {
        problems.extend(payer(billing, budgets));
    }
    if let Some(row) = undeclared.first() {
        let name = row
            .campaign
            .as_ref()
            .and_then(|c| c.name.clone())
            .unwrap_or_default();
        problems.push(LegError {
            platform_code: Some("mutateError.EU_POLITICAL_ADVERTISING_DECLARATION_REQUIRED".to_owned()),
            ..LegError::new(
                ErrorClass::Account,
                "google-ads-account",
                format!("campaign {name:?} declares nothing about political advertising in the EU, which blocks all changes"),
                "declare it in Google Ads for every campaign of the account; then `retry`",
            )
        });
    }
    Ok(AccountFacts {
        currency: currency.ok_or_else(|| odd("currency"))?,
        timezone: timezone.ok_or_else(|| odd("time zone"))?,
        auto_tagging: Some(customer.auto_tagging_enabled.unwrap_or(false)),
        // Nothing that can be asked tells the smallest budget: a refusal does (`budgetPerDayMinimumErrorDetails`).
        minimum_daily: None,
        spendable: currency.and_then(|currency| spendable(budgets, currency)),
        catalogs: Vec::new(),
        problems,
    })
}

/// Trouble with who pays, if there is any.
fn payer(billing: &[Row], budgets: &[Row]) -> Option<LegError> {
    let setups: Vec<&str> = billing
        .iter()
        .filter_map(|row| row.billing_setup.as_ref()?.status.as_deref())
        .collect();
    if !setups.contains(&"APPROVED") {
        let states = if setups.is_empty() {
            "none".to_owned()
        } else {
            setups.join(", ")
        };
        return Some(LegError {
            platform_code: Some(format!("billing_setup: {states}")),
            ..LegError::payer(
                NAME,
                format!("the account has no approved billing setup (there is: {states})"),
            )
        });
    }
    // Accounts without monthly invoicing have no account budgets at all.
    let approved = budgets.iter().filter_map(|row| row.account_budget.as_ref());
    let mut approved = approved
        .filter(|budget| budget.status.as_deref() == Some("APPROVED"))
        .peekable();
    approved.peek()?;
    let left =
        approved.any(
            |budget| match (budget.adjusted_spending_limit_micros, budget.amount_served_micros) {
                (Some(limit), Some(served)) => served.0 < limit.0,
                (Some(_), None) | (None, _) => true,
            },
        );
    (!left).then(|| LegError {
        platform_code: Some("account_budget: exhausted".to_owned()),
        ..LegError::payer(NAME, "the account's budget is used up")
    })
}

/// What the account's own budgets leave. Only accounts with monthly invoicing have any, and one without an end leaves all.
/// Source: v26/resources/account_budget.proto, `adjusted_spending_limit_micros`: "the limit after adjustments".
fn spendable(budgets: &[Row], currency: Currency) -> Option<Money> {
    let approved = budgets
        .iter()
        .filter_map(|row| row.account_budget.as_ref())
        .filter(|budget| budget.status.as_deref() == Some("APPROVED"));
    let mut left: i64 = 0;
    let mut any = false;
    for budget in approved {
        // No limit at all: the other budgets don't matter.
        let limit = budget.adjusted_spending_limit_micros?.0;
        let served = budget.amount_served_micros.map_or(0, |served| served.0);
        left = left.saturating_add(limit.saturating_sub(served).max(0));
        any = true;
    }
    any.then(|| Money::from_micros(left, currency))
}

/// The Merchant Center accounts that are linked to it.
pub(super) fn merchants(links: &[Row]) -> Vec<String> {
    let ids = links.iter().filter_map(|row| {
        let link = row.product_link.as_ref()?;
        link.merchant_center.as_ref()?.merchant_center_id
    });
    let mut ids: Vec<String> = ids.map(|id| id.0.to_string()).collect();
    ids.sort();
    ids.dedup();
    ids
}
