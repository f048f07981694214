//! Advertisers: they exist on first use, with sane defaults, and the world can change them. And what their currency means for budgets.
//!
//! Must not refuse requests; others do, by what they find here. Sources: /advertiser/info/ and "Currency" of
//! <https://business-api.tiktok.com/portal/docs?id=1737585839634433>.

use super::NAME;
use crate::sandbox::control::micros;
use crate::sandbox::store::{Draft, Handle};
use crate::sandbox::world::World;
use chrono_tz::Tz;
use serde_json::{Map, Value, json};

/// By what a currency's limits are multiplied.
const RATIOS: &[(i64, &str)] = &[
    (
        1,
        "AED ARS AUD BRL CAD CHF EUR GBP HUF ILS MYR NZD PEN QAR RON SAR SGD USD",
    ),
    (4, "PLN"),
    (
        10,
        "BOB CNY CZK DKK EGP GTQ HKD HNL MOP MXN NIO NOK SEK THB TRY TWD UAH UYU ZAR",
    ),
    (50, "PHP"),
    (100, "BDT DZD INR ISK JPY KES NGN PKR RUB"),
    (1_000, "CLP COP CRC KRW"),
    (10_000, "IDR PYG VND"),
];
/// Currencies without decimals.
const WHOLE: &str = "CLP HUF IDR ISK JPY KRW PYG TWD VND";

fn key(account: &str) -> String {
    format!("advertiser/{account}")
}

/// The account, made if it may be; None where accounts are strict and it is not known, or it is no id at all.
pub(super) fn ensure(world: &mut World, account: &str) -> Option<Handle> {
    if let Some(handle) = world.store.find(NAME, &key(account)) {
        return Some(handle);
    }
    let plausible = !account.is_empty() && account.bytes().all(|b| b.is_ascii_digit());
    if world.switches.strict_accounts || !plausible {
        None
    } else {
        Some(make(world, account))
    }
}

fn make(world: &mut World, account: &str) -> Handle {
    // An account is not part of the request that first names it: it is there at once and stays.
    let hidden_for = std::mem::take(&mut world.store.hidden_for);
    let fields = json!({
        "advertiser_id": account, "name": format!("Sandbox {account}"), "status": "STATUS_ENABLE", "rejection_reason": "",
        "currency": "EUR", "timezone": "Europe/Berlin", "display_timezone": "Europe/Berlin", "balance": 1_000_000.0,
        "role": "ROLE_ADVERTISER", "advertiser_account_type": "AUCTION", "company": "Sandbox", "country": "DE",
        "can_use_custom_identity": true, "create_time": 1_704_067_200,
    });
    let handle = world.store.create(Draft {
        vendor: NAME,
        account: account.to_owned(),
        kind: "advertiser",
        id: account.to_owned(),
        key: key(account),
        parent: None,
        fields: fields.as_object().cloned().unwrap_or_default(),
        what: "exists".to_owned(),
    });
    for (vendor, setting, value) in world.switches.account_defaults.clone() {
        if vendor == NAME {
            // A default that does not fit was refused when it was set.
            let _ = set(world, handle, &setting, &value);
        }
    }
    world.store.commit();
    world.store.hidden_for = hidden_for;
    handle
}

/// Sets one thing about an account.
pub(super) fn configure(
    world: &mut World,
    account: &str,
    setting: &str,
    value: &Value,
) -> Result<(), String> {
    let handle = match world.store.find(NAME, &key(account)) {
        Some(handle) => handle,
        None => make(world, account),
    };
    set(world, handle, setting, value)
}

fn set(world: &mut World, handle: Handle, setting: &str, value: &Value) -> Result<(), String> {
    let text = || {
        let text = value.as_str().map(str::to_owned);
        text.ok_or_else(|| format!("{setting} must be a text"))
    };
    // A decimal text becomes the number that the vendor shows, by its digits.
    let number = || {
        let text = text()?;
        micros(&text).ok_or_else(|| format!("{setting} must be a decimal"))?;
        serde_json::from_str::<Value>(&text).map_err(|e| e.to_string())
    };
    let fields: Vec<(&str, Value)> = match setting {
        "status" | "currency" | "rejection_reason" => vec![(setting, text()?.into())],
        "timezone" => {
            let zone = text()?;
            zone.parse::<Tz>().map_err(|e| e.to_string())?;
            vec![
                ("timezone", zone.clone().into()),
                ("display_timezone", zone.into()),
            ]
        }
        "balance" => vec![("balance", number()?)],
        "payer" => match value.as_str() {
            Some("settled") => vec![("balance", json!(1_000_000.0))],
            Some("unsettled") => vec![("balance", json!(0.0))],
            _ => return Err("payer is settled or unsettled".to_owned()),
        },
        "minimum_daily_budget" => vec![(
            "_minimum",
            micros(&text()?)
                .ok_or("minimum_daily_budget must be a decimal")?
                .into(),
        )],
        _ => {
            return Err(format!(
                "a tiktok account has no {setting}; there are: balance, currency, minimum_daily_budget, payer, \
                 rejection_reason, status, timezone"
            ));
        }
    };
    world
        .store
        .change(handle, &format!("{setting} set to {value}"), |object| {
            for (field, value) in fields {
                object.fields.insert(field.to_owned(), value);
            }
        });
    Ok(())
}

/// The fields of an account that exists.
pub(super) fn fields<'a>(world: &'a World, account: &str) -> Option<&'a Map<String, Value>> {
    let handle = world.store.find(NAME, &key(account))?;
    Some(&world.store.get(handle).fields)
}

fn currency<'a>(world: &'a World, account: &str) -> &'a str {
    let currency = fields(world, account).and_then(|f| f.get("currency"));
    currency.and_then(Value::as_str).unwrap_or("USD")
}

/// Whether there is money left.
pub(super) fn paid(world: &World, account: &str) -> bool {
    let balance = fields(world, account).and_then(|f| f.get("balance"));
    balance.and_then(number_micros).is_none_or(|b| b > 0)
}

/// What the limits of budgets are multiplied by, in millionths of the currency.
fn unit(world: &World, account: &str) -> i64 {
    let currency = currency(world, account);
    let found = RATIOS
        .iter()
        .find(|(_, list)| list.split(' ').any(|c| c == currency));
    found.map_or(1, |(ratio, _)| *ratio) * 1_000_000
}

/// The least a campaign's budget may be, and what it must stay below, in millionths.
pub(super) fn campaign_range(world: &World, account: &str) -> (i64, i64) {
    let unit = unit(world, account);
    let own = fields(world, account)
        .and_then(|f| f.get("_minimum"))
        .and_then(Value::as_i64);
    (own.unwrap_or(50 * unit), 10_000_000 * unit)
}

/// The same for an ad group's.
pub(super) fn adgroup_range(world: &World, account: &str) -> (i64, i64) {
    let unit = unit(world, account);
    (20 * unit, 10_000_000 * unit)
}

/// How many decimals an amount may have there.
pub(super) fn decimals(world: &World, account: &str) -> u32 {
    let currency = currency(world, account);
    if WHOLE.split(' ').any(|c| c == currency) {
        0
    } else {
        2
    }
}

/// A JSON number in millionths, by its digits.
pub(super) fn number_micros(value: &Value) -> Option<i64> {
    micros(&value.as_number()?.to_string())
}
