//! What TikTok takes as an amount of money: how many decimals, how little, how much. Pure.
//!
//! Sources: "Currency" and "Budget" of the vendor's documentation (business-api.tiktok.com/portal/docs?id=1737585839634433), by way of a
//! digest of it. Its pages contradict each other about the least campaign budget (20 or 50); the table by
//! currency is the one that the vendor's own check is described with, so 50 it is.

use super::wire;
use crate::domain::money::{Currency, Money};

/// The ratio by which TikTok multiplies its limits for a currency; a currency that is not here cannot be an account's.
const RATIOS: &[(u32, &[&str])] = &[
    (
        1,
        &[
            "AED", "ARS", "AUD", "BRL", "CAD", "CHF", "EUR", "GBP", "HUF", "ILS", "MYR", "NZD", "PEN", "QAR",
            "RON", "SAR", "SGD", "USD",
        ],
    ),
    (4, &["PLN"]),
    (
        10,
        &[
            "BOB", "CNY", "CZK", "DKK", "EGP", "GTQ", "HKD", "HNL", "MOP", "MXN", "NIO", "NOK", "SEK", "THB",
            "TRY", "TWD", "UAH", "UYU", "ZAR",
        ],
    ),
    (50, &["PHP"]),
    (
        100,
        &["BDT", "DZD", "INR", "ISK", "JPY", "KES", "NGN", "PKR", "RUB"],
    ),
    (1_000, &["CLP", "COP", "CRC", "KRW"]),
    (10_000, &["IDR", "PYG", "VND"]),
];

/// Currencies that TikTok counts in whole units, whatever ISO 4217 says.
const WHOLE: &[&str] = &["CLP", "HUF", "IDR", "ISK", "JPY", "KRW", "PYG", "TWD", "VND"];

/// The least and the limit of a campaign's budget, times the ratio: [50, 10,000,000).
const CAMPAIGN: (i64, i64) = (50, 10_000_000);
/// The least budget of an ad group, times the ratio.
const AD_GROUP: i64 = 20;

fn ratio(currency: Currency) -> Option<i64> {
    let (ratio, _) = RATIOS.iter().find(|(_, list)| list.contains(&currency.code()))?;
    Some(i64::from(*ratio))
}

fn units(count: i64, currency: Currency) -> Option<Money> {
    let micros = count.checked_mul(ratio(currency)?)?.checked_mul(1_000_000)?;
    Some(Money::from_micros(micros, currency))
}

/// The least that a campaign may spend in a day; none: TikTok has no accounts in this currency.
pub(super) fn least_campaign(currency: Currency) -> Option<Money> {
    units(CAMPAIGN.0, currency)
}

/// What a campaign's budget must stay below.
pub(super) fn campaign_limit(currency: Currency) -> Option<Money> {
    units(CAMPAIGN.1, currency)
}

/// The least that an ad group with a budget of its own may spend in a day.
pub(super) fn least_ad_group(currency: Currency) -> Option<Money> {
    units(AD_GROUP, currency)
}

/// How many decimals TikTok takes.
pub(super) fn decimals(currency: Currency) -> u32 {
    if WHOLE.contains(&currency.code()) { 0 } else { 2 }
}

/// The amount in the digits that TikTok takes; none: it has more decimals than that.
pub(super) fn digits(money: Money) -> Option<String> {
    money.in_units(decimals(money.currency))?;
    Some(wire::decimal(money.micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(amount: &str, currency: &str) -> Money {
        Money::parse(amount, Currency::parse(currency).expect("a currency")).expect("money")
    }

    #[test]
    fn limits_follow_the_currency() {
        for (currency, least) in [
            ("EUR", "50"),
            ("PLN", "200"),
            ("PHP", "2500"),
            ("JPY", "5000"),
            ("IDR", "500000"),
        ] {
            assert_eq!(
                least_campaign(money("1", currency).currency),
                Some(money(least, currency))
            );
        }
        assert_eq!(least_campaign(money("1", "KWD").currency), None);
        let all: Vec<&str> = RATIOS.iter().flat_map(|(_, list)| list.iter().copied()).collect();
        for code in all.iter().chain(WHOLE) {
            assert!(Currency::parse(code).is_ok(), "{code}");
            assert_eq!(all.iter().filter(|c| c == &code).count(), 1, "{code}");
        }
    }

    #[test]
    fn no_decimals_where_tiktok_has_none() {
        assert_eq!(digits(money("250.50", "EUR")).as_deref(), Some("250.5"));
        assert_eq!(digits(money("250.00", "HUF")).as_deref(), Some("250"));
        assert_eq!(digits(money("250.50", "HUF")), None);
        assert_eq!(digits(money("1.234", "KWD")), None);
    }
}
