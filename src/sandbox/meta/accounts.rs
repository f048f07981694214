//! Meta ad accounts: they exist on first use, with sane defaults, and the world can change them.
//!
//! Fields: <https://developers.facebook.com/docs/marketing-api/reference/ad-account>. Must not refuse requests; `mod.rs`
//! does, by what it finds here.

use super::NAME;
use crate::sandbox::store::{Draft, Handle};
use crate::sandbox::world::World;
use chrono_tz::Tz;
use serde_json::{Map, Value, json};

/// The account, made if it may be; None where accounts are strict and it is not known.
pub(super) fn ensure(world: &mut World, account: &str) -> Option<Handle> {
    let key = format!("act_{account}");
    if let Some(handle) = world.store.find(NAME, &key) {
        return Some(handle);
    }
    if world.switches.strict_accounts {
        None
    } else {
        Some(make(world, account))
    }
}

fn make(world: &mut World, account: &str) -> Handle {
    // An account is not part of the request that first names it: it is there at once and stays.
    let hidden_for = std::mem::take(&mut world.store.hidden_for);
    let key = format!("act_{account}");
    let fields = json!({
        "id": key, "account_id": account, "name": format!("Sandbox {account}"), "account_status": 1,
        "disable_reason": 0, "currency": "EUR", "timezone_name": "Europe/Berlin", "timezone_offset_hours_utc": 1,
        "funding_source": "1001", "balance": "0", "spend_cap": "0", "amount_spent": "0", "min_daily_budget": 100,
        "is_prepay_account": false, "user_tasks": ["DRAFT", "ANALYZE", "ADVERTISE", "MANAGE"], "tos_accepted": {},
        "failed_delivery_checks": [], "created_time": "2024-01-15T10:00:00+0100",
    });
    let fields = fields.as_object().cloned().unwrap_or_default();
    let handle = world.store.create(Draft {
        vendor: NAME,
        account: account.to_owned(),
        kind: "account",
        id: account.to_owned(),
        key,
        parent: None,
        fields,
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
    let account = account.strip_prefix("act_").unwrap_or(account);
    let handle = match world.store.find(NAME, &format!("act_{account}")) {
        Some(handle) => handle,
        None => make(world, account),
    };
    set(world, handle, setting, value)
}

fn set(world: &mut World, handle: Handle, setting: &str, value: &Value) -> Result<(), String> {
    let text = || {
        value
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| format!("{setting} must be a text"))
    };
    let number = || {
        value
            .as_u64()
            .ok_or_else(|| format!("{setting} must be a whole number"))
    };
    let truth = || {
        value
            .as_bool()
            .ok_or_else(|| format!("{setting} must be true or false"))
    };
    let fields: Vec<(&str, Value)> = match setting {
        "account_status" => vec![("account_status", number()?.into())],
        "disable_reason" => vec![("disable_reason", number()?.into())],
        "currency" => vec![("currency", text()?.into())],
        "timezone" => {
            let zone = text()?;
            zone.parse::<Tz>().map_err(|e| e.to_string())?;
            vec![("timezone_name", zone.into())]
        }
        "funding_source" => vec![(
            "funding_source",
            if truth()? { "1001".into() } else { Value::Null },
        )],
        // 3 is UNSETTLED.
        "payer" => match value.as_str() {
            Some("settled") => vec![("account_status", 1.into()), ("balance", "0".into())],
            Some("unsettled") => vec![("account_status", 3.into()), ("balance", "12345".into())],
            _ => return Err("payer is settled or unsettled".to_owned()),
        },
        "minimum_daily_budget" => vec![("min_daily_budget", number()?.into())],
        "spend_cap" => vec![("spend_cap", number()?.to_string().into())],
        "amount_spent" => vec![("amount_spent", number()?.to_string().into())],
        "usage_percent" => vec![("_usage", number()?.into())],
        "tier" => match value.as_str() {
            Some("standard_access" | "development_access") => vec![("_tier", value.clone())],
            _ => return Err("tier is standard_access or development_access".to_owned()),
        },
        "default_dsa" => {
            let who = text()?;
            vec![
                ("default_dsa_beneficiary", who.clone().into()),
                ("default_dsa_payor", who.into()),
            ]
        }
        _ => {
            return Err(format!(
                "a meta account has no {setting}; there are: account_status, amount_spent, currency, default_dsa, \
                 disable_reason, funding_source, minimum_daily_budget, payer, spend_cap, tier, timezone, \
                 usage_percent"
            ));
        }
    };
    world
        .store
        .change(handle, &format!("{setting} set to {value}"), |object| {
            for (field, value) in fields {
                if value.is_null() {
                    object.fields.remove(field);
                } else {
                    object.fields.insert(field.to_owned(), value);
                }
            }
        });
    Ok(())
}

/// The fields of an account that exists.
pub(super) fn fields<'a>(world: &'a World, account: &str) -> Option<&'a Map<String, Value>> {
    let handle = world.store.find(NAME, &format!("act_{account}"))?;
    Some(&world.store.get(handle).fields)
}

/// The account's time zone.
pub(super) fn zone(world: &World, account: &str) -> Tz {
    let name = fields(world, account)
        .and_then(|f| f.get("timezone_name"))
        .and_then(Value::as_str);
    name.and_then(|n| n.parse().ok()).unwrap_or(chrono_tz::UTC)
}

/// The least that a daily budget may be, in minor units.
pub(super) fn minimum_daily(world: &World, account: &str) -> u64 {
    fields(world, account)
        .and_then(|f| f.get("min_daily_budget"))
        .and_then(Value::as_u64)
        .unwrap_or(100)
}
