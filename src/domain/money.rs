//! Exact money: decimal strings in, micros inside, the vendor's unit out.
//!
//! Must not contain a float. An amount is held in micros (1/1,000,000 of the currency's unit), which is
//! exact for every ISO 4217 currency (at most four decimals) and is what Google's platforms speak.

use serde::{Deserialize, Serialize};
use std::fmt;

/// An ISO 4217 currency code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 3]);

/// Active ISO 4217 codes whose exponent is not 2, and the common ones that are; codes outside the list are refused
/// rather than guessed. Source: ISO 4217 maintenance agency, list one.
const EXPONENT_0: &[&str] = &[
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF",
    "XOF", "XPF",
];
const EXPONENT_3: &[&str] = &["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"];
const EXPONENT_4: &[&str] = &["CLF", "UYW"];
const EXPONENT_2: &[&str] = &[
    "AED", "AFN", "ALL", "AMD", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD", "BDT", "BGN", "BMD", "BND",
    "BOB", "BRL", "BSD", "BTN", "BWP", "BYN", "BZD", "CAD", "CDF", "CHF", "CNY", "COP", "CRC", "CUP", "CVE",
    "CZK", "DKK", "DOP", "DZD", "EGP", "ERN", "ETB", "EUR", "FJD", "FKP", "GBP", "GEL", "GHS", "GIP", "GMD",
    "GTQ", "GYD", "HKD", "HNL", "HTG", "HUF", "IDR", "ILS", "INR", "IRR", "JMD", "KES", "KGS", "KHR", "KPW",
    "KYD", "KZT", "LAK", "LBP", "LKR", "LRD", "LSL", "MAD", "MDL", "MGA", "MKD", "MMK", "MNT", "MOP", "MRU",
    "MUR", "MVR", "MWK", "MXN", "MYR", "MZN", "NAD", "NGN", "NIO", "NOK", "NPR", "NZD", "PAB", "PEN", "PGK",
    "PHP", "PKR", "PLN", "QAR", "RON", "RSD", "RUB", "SAR", "SBD", "SCR", "SDG", "SEK", "SGD", "SHP", "SLE",
    "SOS", "SRD", "SSP", "STN", "SVC", "SYP", "SZL", "THB", "TJS", "TMT", "TOP", "TRY", "TTD", "TWD", "TZS",
    "UAH", "USD", "UYU", "UZS", "VES", "WST", "XCD", "YER", "ZAR", "ZMW", "ZWG",
];

/// Why a text is not an amount of money.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadMoney {
    /// Not a currency that ISO 4217 lists.
    #[error("{0:?} is not an ISO 4217 currency code")]
    Currency(String),
    /// Not a plain decimal.
    #[error("{0:?} is not a decimal amount such as \"250.00\"")]
    Shape(String),
    /// More decimals than the currency has.
    #[error("{amount:?} has more decimals than {currency} allows ({allowed})")]
    Decimals {
        /// The amount as it came.
        amount: String,
        /// The currency.
        currency: Currency,
        /// How many decimals ISO 4217 gives it.
        allowed: u32,
    },
    /// Beyond what we calculate with (about 9.2 million million units).
    #[error("{0:?} is too large")]
    TooLarge(String),
}

impl Currency {
    /// Parses a code that ISO 4217 lists.
    ///
    /// # Errors
    /// [`BadMoney::Currency`] for anything else.
    pub fn parse(code: &str) -> Result<Self, BadMoney> {
        let known = [EXPONENT_2, EXPONENT_0, EXPONENT_3, EXPONENT_4]
            .iter()
            .any(|list| list.contains(&code));
        match <[u8; 3]>::try_from(code.as_bytes()) {
            Ok(bytes) if known => Ok(Self(bytes)),
            Ok(_) | Err(_) => Err(BadMoney::Currency(code.chars().take(20).collect())),
        }
    }

    /// The code, three capitals.
    #[must_use]
    pub fn code(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("???")
    }

    /// How many decimals ISO 4217 gives the currency.
    #[must_use]
    pub fn exponent(&self) -> u32 {
        let code = self.code();
        if EXPONENT_0.contains(&code) {
            0
        } else if EXPONENT_3.contains(&code) {
            3
        } else if EXPONENT_4.contains(&code) {
            4
        } else {
            2
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl TryFrom<String> for Currency {
    type Error = BadMoney;
    fn try_from(code: String) -> Result<Self, BadMoney> {
        Self::parse(&code)
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> String {
        currency.code().to_owned()
    }
}

/// An amount of one currency, exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    /// Micros: one unit of the currency is 1,000,000.
    pub micros: i64,
    /// The currency.
    pub currency: Currency,
}

const MICROS: i64 = 1_000_000;

impl Money {
    /// Parses a non-negative decimal such as `250`, `250.5` or `250.00`.
    ///
    /// # Errors
    /// [`BadMoney`] when it is no plain decimal, has more decimals than the currency, or is too large.
    pub fn parse(amount: &str, currency: Currency) -> Result<Self, BadMoney> {
        let shape = || BadMoney::Shape(amount.chars().take(40).collect());
        let micros = parse_micros(amount).ok_or_else(shape)??;
        let decimals = amount.split_once('.').map_or(0, |(_, d)| d.len());
        let allowed = currency.exponent();
        if decimals > allowed as usize {
            return Err(BadMoney::Decimals {
                amount: amount.to_owned(),
                currency,
                allowed,
            });
        }
        Ok(Self { micros, currency })
    }

    /// Whole units of `10^-decimals`, or `None` when the amount isn't a whole number of them.
    /// `decimals` is the vendor's own (Meta counts minor units its own way for some currencies).
    #[must_use]
    pub fn in_units(&self, decimals: u32) -> Option<i64> {
        let size = MICROS / 10_i64.checked_pow(decimals)?;
        (size > 0 && self.micros % size == 0).then(|| self.micros / size)
    }

    /// From micros.
    #[must_use]
    pub fn from_micros(micros: i64, currency: Currency) -> Self {
        Self { micros, currency }
    }

    /// The amount as a decimal with the currency's number of decimals: `250.00`.
    #[must_use]
    pub fn decimal(&self) -> String {
        let exponent = self.currency.exponent() as usize;
        let (sign, abs) = if self.micros < 0 {
            ("-", -self.micros)
        } else {
            ("", self.micros)
        };
        let (whole, frac) = (abs / MICROS, abs % MICROS);
        let digits = format!("{frac:06}");
        let kept = digits.trim_end_matches('0').len().max(exponent);
        if kept == 0 {
            format!("{sign}{whole}")
        } else {
            format!("{sign}{whole}.{}", &digits[..kept])
        }
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.decimal(), self.currency)
    }
}

/// A non-negative decimal with at most six decimals, in millionths: `None` when it has another shape.
#[must_use]
pub fn parse_micros(text: &str) -> Option<Result<i64, BadMoney>> {
    let (whole, frac) = match text.split_once('.') {
        Some((whole, frac)) if !frac.is_empty() => (whole, frac),
        Some(_) => return None,
        None => (text, ""),
    };
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(frac) || frac.len() > 6 {
        return None;
    }
    if whole.len() > 1 && whole.starts_with('0') {
        return None;
    }
    let too_large = || BadMoney::TooLarge(text.chars().take(40).collect());
    let parsed = whole.parse::<i64>().ok().and_then(|w| w.checked_mul(MICROS));
    let frac = format!("{frac:0<6}").parse::<i64>().unwrap_or(0);
    Some(parsed.and_then(|w| w.checked_add(frac)).ok_or_else(too_large))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn eur() -> Currency {
        Currency::parse("EUR").unwrap()
    }

    #[test]
    fn exact_in_every_unit() {
        let m = Money::parse("250.05", eur()).unwrap();
        assert_eq!(m.micros, 250_050_000);
        assert_eq!(m.in_units(2), Some(25_005));
        assert_eq!(m.in_units(0), None);
        assert_eq!(m.decimal(), "250.05");
        let yen = Money::parse("250", Currency::parse("JPY").unwrap()).unwrap();
        assert_eq!(yen.in_units(0), Some(250));
        assert_eq!(yen.decimal(), "250");
    }

    #[test]
    fn refuses_what_is_not_money() {
        for bad in [
            "",
            ".",
            "1.",
            ".5",
            "-1",
            "+1",
            "1e3",
            "1,5",
            " 1",
            "01",
            "1.0000001",
            "１",
        ] {
            assert!(Money::parse(bad, eur()).is_err(), "{bad}");
        }
        assert!(matches!(
            Money::parse("1.234", eur()),
            Err(BadMoney::Decimals { .. })
        ));
        let jpy = Currency::parse("JPY").unwrap();
        assert!(matches!(
            Money::parse("1.5", jpy),
            Err(BadMoney::Decimals { allowed: 0, .. })
        ));
        assert!(matches!(
            Money::parse("99999999999999999999", eur()),
            Err(BadMoney::TooLarge(_))
        ));
        assert!(Currency::parse("XXX").is_err());
        assert!(Currency::parse("eur").is_err());
    }

    proptest! {
        #[test]
        fn decimal_round_trips(micros in 0..i64::MAX / 2) {
            let minor = micros / 10_000 * 10_000;
            let m = Money::from_micros(minor, eur());
            prop_assert_eq!(Money::parse(&m.decimal(), eur()).unwrap(), m);
        }
    }
}
