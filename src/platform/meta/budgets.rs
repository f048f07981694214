//! The smallest budgets that Meta takes, and what a refused one should have been.
//!
//! `GET /act_X/minimum_budgets` names them per currency and by what is billed; we are always billed by impressions
//! (`min_daily_budget_imp`). Amounts are in minor units.

use super::mapping::decimals;
use super::transport::get;
use super::wire::integer;
use super::{VERSION, wire};
use crate::domain::error::LegError;
use crate::domain::money::{Currency, Money};
use crate::platform::{CallError, Mutation, Session};
use serde_json::Value;

/// An amount in Meta's minor unit.
pub(super) fn money(minor: i64, currency: Currency) -> Option<Money> {
    let unit = 10_i64.pow(6 - decimals(currency));
    Some(Money::from_micros(minor.checked_mul(unit)?, currency))
}

/// Meta's list of smallest budgets; none: this token may not see it, which is no reason not to launch.
pub(super) async fn floors(session: &Session) -> Result<Option<Value>, CallError> {
    let path = format!("{VERSION}/{}/minimum_budgets", session.account.account_id);
    match get(session, &path, &[]).await {
        Ok(list) => Ok(Some(list)),
        Err(CallError::Refused(_)) => Ok(None),
        Err(error @ (CallError::Unavailable { .. } | CallError::Unclear { .. })) => Err(error),
    }
}

/// The smallest daily budget of the account: the larger of what the account itself and the list say.
pub(super) fn minimum(account: &Value, floors: Option<&Value>, currency: Currency) -> Option<Money> {
    let own = account.get("min_daily_budget").and_then(integer);
    let rows = floors.and_then(|f| f.get("data")).and_then(Value::as_array);
    let listed = rows
        .into_iter()
        .flatten()
        .filter(|row| row.get("currency").and_then(Value::as_str) == Some(currency.code()))
        .filter_map(|row| row.get("min_daily_budget_imp").and_then(integer));
    let least = own.into_iter().chain(listed).max().filter(|least| *least > 0)?;
    money(least, currency)
}

/// A refusal of a budget with what the plan asks for beside what Meta allows.
pub(super) async fn explained(
    session: &Session,
    mutation: &Mutation,
    refusal: Box<LegError>,
) -> Box<LegError> {
    let fields = ["daily_budget", "lifetime_budget"];
    let Some(asked) = fields.iter().find_map(|f| mutation.body.get(f).and_then(integer)) else {
        return refusal;
    };
    let path = format!("{VERSION}/{}", session.account.account_id);
    let fields = [("fields", wire::ACCOUNT_FIELDS.to_owned())];
    let (account, floors) = futures::join!(get(session, &path, &fields), floors(session),);
    // The refusal stands, whether or not it can be explained.
    let Ok(account) = account else { return refusal };
    let Ok(currency) = Currency::parse(
        account
            .get("currency")
            .and_then(Value::as_str)
            .unwrap_or_default(),
    ) else {
        return refusal;
    };
    let floors = floors.ok().flatten();
    Box::new(LegError {
        plan_amount: money(asked, currency).map(|m| m.to_string()),
        platform_limit: minimum(&account, floors.as_ref(), currency).map(|m| m.to_string()),
        ..*refusal
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_floor_is_the_accounts_currencys_and_the_larger() {
        let floors = json!({ "data": [
            { "currency": "USD", "min_daily_budget_imp": 900 },
            { "currency": "EUR", "min_daily_budget_imp": 95, "min_daily_budget_low_freq": 4000 },
            { "currency": "JPY", "min_daily_budget_imp": "120" },
        ] });
        let least = |account: Value, currency: &str| {
            let currency = Currency::parse(currency).expect("a currency");
            minimum(&account, Some(&floors), currency).map(|m| m.to_string())
        };
        assert_eq!(least(json!({}), "EUR").as_deref(), Some("0.95 EUR"));
        assert_eq!(
            least(json!({ "min_daily_budget": 100 }), "EUR").as_deref(),
            Some("1.00 EUR")
        );
        assert_eq!(
            least(json!({}), "JPY").as_deref(),
            Some("120 JPY"),
            "yen have no cents"
        );
        assert_eq!(least(json!({ "min_daily_budget": 0 }), "GBP"), None);
    }
}
