//! Budgets against what the platform accepts and the account may still spend, and against the tenant's own ceilings, before
//! anything is built. Everything is in the account's currency, which is the plan's (another one is refused earlier).
//!
//! The rule, for the legs of a plan on one account:
//! - a budget, daily or for the whole flight, is not below the platform's smallest daily one;
//! - a budget is not above the tenant's ceiling for its period;
//! - what the account may still spend covers each leg, and all legs together: a budget for the flight counts whole, a daily one
//!   for a day, since a balance is topped up and a cap is raised while a flight runs.
//!
//! Nothing left to spend at all is the payer's trouble, not the plan's.
//!
//! Must not know any platform's numbers: its probe tells them.

use super::error::{ErrorClass, LegError};
use super::gate::Check;
use super::money::Money;
use super::plan::{Budget, Period};

/// An account and what holds for it.
#[derive(Debug, Clone)]
pub struct Limits<'a> {
    /// The platform's id.
    pub platform: &'a str,
    /// For people: `Meta account act_42`.
    pub account: String,
    /// The smallest daily budget, where the platform tells.
    pub minimum_daily: Option<Money>,
    /// What it may still spend, where the platform tells.
    pub spendable: Option<Money>,
    /// The tenant's ceiling for a day.
    pub daily_max: Option<Money>,
    /// The tenant's ceiling for a flight.
    pub lifetime_max: Option<Money>,
}

/// A budget of the plan.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// `meta/prospecting`.
    pub leg: &'a str,
    /// How much.
    pub budget: Budget,
}

/// Every budget that cannot be, each with what the plan asks for beside what is allowed.
#[must_use]
pub fn check(limits: &Limits<'_>, asked: &[Asked<'_>]) -> Vec<Check> {
    if let Some(left) = limits.spendable.filter(|left| left.micros <= 0)
        && !asked.is_empty()
    {
        let error = LegError {
            platform_limit: Some(left.to_string()),
            ..LegError::payer(
                limits.platform,
                format!("{} has nothing left to spend", limits.account),
            )
        };
        return vec![Check::refused(format!("budget:{}", limits.platform), &error)];
    }
    let mut checks: Vec<Check> = asked.iter().flat_map(|one| of_leg(limits, one)).collect();
    let alone = |one: &&Asked<'_>| {
        limits
            .spendable
            .is_some_and(|left| one.budget.amount.micros > left.micros)
    };
    if let (Some(left), None) = (limits.spendable, asked.iter().find(alone)) {
        // Saturated, a sum is above any balance that is not at the very limit itself.
        let sum = asked
            .iter()
            .fold(0_i64, |sum, one| sum.saturating_add(one.budget.amount.micros));
        if sum > left.micros {
            let sum = Money::from_micros(sum, left.currency);
            let what = format!(
                "the plan's {} budgets on {} come to {sum} (daily ones for a day), it may still spend {left}",
                asked.len(),
                limits.account
            );
            let remedy = "lower the budgets, or raise the account's cap or balance";
            checks.push(refused(
                format!("budget:{}", limits.platform),
                "spendable",
                what,
                remedy,
                (sum, Some(left)),
            ));
        }
    }
    checks
}

fn of_leg(limits: &Limits<'_>, one: &Asked<'_>) -> Vec<Check> {
    let Asked { leg, budget } = *one;
    let amount = budget.amount;
    let (per, ceiling) = match budget.period {
        Period::Daily => ("a day", limits.daily_max),
        Period::Lifetime => ("for its flight", limits.lifetime_max),
    };
    let name = || format!("budget:{leg}");
    let mut checks = Vec::new();
    if let Some(least) = limits.minimum_daily.filter(|least| amount.micros < least.micros) {
        let what = format!(
            "the plan asks for {amount} {per}, {} takes no less than {least} a day",
            limits.account
        );
        let limit = (amount, Some(least));
        checks.push(refused(name(), "below-minimum", what, "raise the budget", limit));
    }
    if let Some(left) = limits.spendable.filter(|left| amount.micros > left.micros) {
        let what = format!(
            "the plan asks for {amount} {per}, {} may still spend {left}",
            limits.account
        );
        let remedy = "lower the budget, or raise the account's cap or balance";
        checks.push(refused(name(), "spendable", what, remedy, (amount, Some(left))));
    }
    if let Some(most) = ceiling.filter(|most| amount.micros > most.micros) {
        let what = format!("the plan asks for {amount} {per}, the tenant's limit there is {most}");
        let remedy = "lower the budget, or raise the tenant's limit by onboarding";
        // The limit is the tenant's, not the platform's.
        checks.push(refused(name(), "tenant-limit", what, remedy, (amount, None)));
    }
    checks
}

fn refused(
    check: String,
    code: &str,
    what: String,
    remedy: &str,
    (asked, limit): (Money, Option<Money>),
) -> Check {
    let error = LegError {
        plan_amount: Some(asked.to_string()),
        platform_limit: limit.map(|l| l.to_string()),
        ..LegError::new(ErrorClass::Budget, code, what, remedy)
    };
    Check::refused(check, &error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::money::Currency;

    fn eur(amount: &str) -> Money {
        Money::parse(amount, Currency::parse("EUR").unwrap()).unwrap()
    }

    fn limits(minimum: Option<&str>, spendable: Option<&str>) -> Limits<'static> {
        Limits {
            platform: "meta",
            account: "Meta account act_42".into(),
            minimum_daily: minimum.map(eur),
            spendable: spendable.map(eur),
            daily_max: Some(eur("1000.00")),
            lifetime_max: None,
        }
    }

    fn asked(leg: &'static str, amount: &str, period: Period) -> Asked<'static> {
        Asked {
            leg,
            budget: Budget {
                amount: eur(amount),
                period,
            },
        }
    }

    fn names(checks: &[Check]) -> Vec<&str> {
        checks.iter().map(|c| c.check.as_str()).collect()
    }

    #[test]
    fn the_amounts_stand_beside_each_other() {
        let found = check(
            &limits(Some("5.00"), None),
            &[asked("meta/a", "4.99", Period::Daily)],
        );
        assert_eq!(names(&found), ["budget:meta/a"]);
        assert_eq!(found[0].plan_amount.as_deref(), Some("4.99 EUR"));
        assert_eq!(found[0].platform_limit.as_deref(), Some("5.00 EUR"));
        assert!(
            check(
                &limits(Some("5.00"), None),
                &[asked("meta/a", "5.00", Period::Daily)]
            )
            .is_empty()
        );
        let flight = [asked("meta/a", "4.99", Period::Lifetime)];
        assert_eq!(check(&limits(Some("5.00"), None), &flight).len(), 1);
    }

    #[test]
    fn each_leg_and_all_together_must_be_covered() {
        let two = [
            asked("meta/a", "60.00", Period::Daily),
            asked("meta/b", "60.00", Period::Lifetime),
        ];
        assert!(check(&limits(None, Some("120.00")), &two).is_empty());
        let together = check(&limits(None, Some("119.99")), &two);
        assert_eq!(names(&together), ["budget:meta"]);
        assert_eq!(together[0].plan_amount.as_deref(), Some("120.00 EUR"));
        // What one leg alone exceeds is said of that leg, once.
        let alone = check(&limits(None, Some("59.99")), &two[..1]);
        assert_eq!(names(&alone), ["budget:meta/a"]);
        assert_eq!(names(&check(&limits(None, None), &two)), Vec::<&str>::new());
    }

    #[test]
    fn nothing_left_is_the_payers_trouble() {
        let one = [asked("meta/a", "1.00", Period::Daily)];
        let found = check(&limits(None, Some("0")), &one);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].alert_code.as_deref(), Some("PRE-META-PAYER"));
        assert_eq!(found[0].route.as_deref(), Some("agency_master"));
    }

    #[test]
    fn the_tenants_ceiling_is_for_its_period() {
        let over = [
            asked("meta/a", "1000.01", Period::Daily),
            asked("meta/b", "99999.00", Period::Lifetime),
        ];
        let found = check(&limits(None, None), &over);
        assert_eq!(names(&found), ["budget:meta/a"]);
        assert_eq!(found[0].platform_limit, None);
    }
}
