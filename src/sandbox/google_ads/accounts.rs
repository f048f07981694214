//! Google Ads customers: they exist on first use, with sane defaults, and the world can change them.
//!
//! Must not refuse requests; `mod.rs` does, by what it finds here.

use super::{NAME, campaigns};
use crate::sandbox::control::micros;
use crate::sandbox::store::{Draft, Handle};
use crate::sandbox::world::World;
use chrono::NaiveDate;
use serde_json::{Map, Value, json};

/// The customer, made if it may be; None where accounts are strict and it is not known.
pub(super) fn ensure(world: &mut World, customer: &str) -> Option<Handle> {
    let key = format!("customers/{customer}");
    if let Some(handle) = world.store.find(NAME, &key) {
        return Some(handle);
    }
    if world.switches.strict_accounts {
        None
    } else {
        Some(make(world, customer))
    }
}

fn make(world: &mut World, customer: &str) -> Handle {
    // An account is not part of the request that first names it: it is there at once and stays.
    let hidden_for = std::mem::take(&mut world.store.hidden_for);
    let customer_key = format!("customers/{customer}");
    let budget_id = world.ids.google();
    let setup_id = world.ids.google();
    let setup_key = format!("{customer_key}/billingSetups/{setup_id}");
    let drafts = [
        (
            "customer",
            customer.to_owned(),
            customer_key.clone(),
            json!({
                "resourceName": customer_key, "id": customer, "descriptiveName": format!("Sandbox {customer}"),
                "currencyCode": "EUR", "timeZone": "Europe/Berlin", "autoTaggingEnabled": false, "manager": false,
                "testAccount": false, "hasPartnersBadge": false, "status": "ENABLED",
            }),
        ),
        (
            "billing_setup",
            setup_id.clone(),
            setup_key.clone(),
            json!({
                "resourceName": setup_key, "id": setup_id, "status": "APPROVED",
                "paymentsAccount": format!("{customer_key}/paymentsAccounts/1111-2222-3333-4444"),
            }),
        ),
        (
            "account_budget",
            budget_id.clone(),
            format!("{customer_key}/accountBudgets/{budget_id}"),
            json!({
                "resourceName": format!("{customer_key}/accountBudgets/{budget_id}"), "id": budget_id,
                "billingSetup": setup_key, "status": "APPROVED", "adjustedSpendingLimitType": "INFINITE",
                "amountServedMicros": "0",
            }),
        ),
    ];
    let links = [link_draft(world, customer, MERCHANT)];
    let mut first = None;
    for (kind, id, key, fields) in drafts.into_iter().chain(links) {
        let fields = match fields {
            Value::Object(map) => map,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                Map::new()
            }
        };
        let handle = world.store.create(Draft {
            vendor: NAME,
            account: customer.to_owned(),
            kind,
            id,
            key,
            parent: None,
            fields,
            what: "exists".to_owned(),
        });
        first.get_or_insert(handle);
    }
    for (vendor, setting, value) in world.switches.account_defaults.clone() {
        if vendor == NAME {
            // A default that does not fit was refused when it was set.
            let _ = set(world, customer, &setting, &value);
        }
    }
    world.store.commit();
    world.store.hidden_for = hidden_for;
    first.unwrap_or_default()
}

/// The Merchant Center account that a customer is linked to, unless the world says otherwise.
const MERCHANT: &str = "555666";

type Parts = (&'static str, String, String, Value);

fn link_draft(world: &mut World, customer: &str, merchant: &str) -> Parts {
    let id = world.ids.google();
    let key = format!("customers/{customer}/productLinks/{id}");
    let fields = json!({
        "resourceName": key, "productLinkId": id, "type": "MERCHANT_CENTER",
        "merchantCenter": {"merchantCenterId": merchant},
    });
    ("product_link", id, key, fields)
}

/// The Merchant Center accounts that a customer is linked to.
pub(super) fn merchants(world: &World, customer: &str) -> Vec<String> {
    let links = world.store.all(NAME, customer, "product_link").iter();
    let ids = links.filter_map(|h| {
        let object = world.store.get(*h);
        object.fields.get("merchantCenter")?["merchantCenterId"]
            .as_str()
            .map(str::to_owned)
    });
    ids.collect()
}

/// Sets one thing about a customer.
pub(super) fn configure(
    world: &mut World,
    account: &str,
    setting: &str,
    value: &Value,
) -> Result<(), String> {
    let customer = account.replace('-', "");
    if world.store.find(NAME, &format!("customers/{customer}")).is_none() {
        make(world, &customer);
    }
    set(world, &customer, setting, value)
}

fn set(world: &mut World, customer: &str, setting: &str, value: &Value) -> Result<(), String> {
    let text = || {
        value
            .as_str()
            .map(str::to_owned)
            .ok_or_else(|| format!("{setting} must be a text"))
    };
    let (kind, fields): (&'static str, Vec<(&str, Value)>) = match setting {
        "undeclared_campaign" => {
            campaigns::old(world, customer, &text()?);
            return Ok(());
        }
        "account_status" => ("customer", vec![("status", text()?.into())]),
        "currency" => ("customer", vec![("currencyCode", text()?.into())]),
        "timezone" => {
            let zone = text()?;
            zone.parse::<chrono_tz::Tz>().map_err(|e| e.to_string())?;
            ("customer", vec![("timeZone", zone.into())])
        }
        "auto_tagging" => (
            "customer",
            vec![(
                "autoTaggingEnabled",
                value.as_bool().ok_or("true or false")?.into(),
            )],
        ),
        "login_customer_id" => ("customer", vec![("_login", text()?.replace('-', "").into())]),
        "minimum_daily_budget" => {
            let minimum = micros(&text()?).ok_or("a decimal in a string")?;
            ("customer", vec![("_minimumDailyMicros", minimum.into())])
        }
        "payer" => match value.as_str() {
            Some("settled") => ("billing_setup", vec![("status", "APPROVED".into())]),
            Some("unsettled") => ("billing_setup", vec![("status", "CANCELLED".into())]),
            _ => return Err("payer is settled or unsettled".to_owned()),
        },
        "billing_status" => ("billing_setup", vec![("status", text()?.into())]),
        "merchant" => {
            let id = text()?;
            if id.is_empty() || !id.bytes().all(|b| b.is_ascii_digit()) {
                return Err("merchant is the id of a Merchant Center account".to_owned());
            }
            (
                "product_link",
                vec![("merchantCenter", json!({"merchantCenterId": id}))],
            )
        }
        "amount_served" => {
            let served = micros(&text()?).ok_or("a decimal in a string")?;
            (
                "account_budget",
                vec![("amountServedMicros", served.to_string().into())],
            )
        }
        "spending_limit" => {
            let limit = micros(&text()?).ok_or("a decimal in a string")?;
            let fields = vec![
                ("adjustedSpendingLimitMicros", limit.to_string().into()),
                ("adjustedSpendingLimitType", Value::Null),
            ];
            ("account_budget", fields)
        }
        _ => {
            return Err(format!(
                "a google-ads account has no {setting}; there are: account_status, amount_served, auto_tagging, \
                 billing_status, currency, login_customer_id, merchant, minimum_daily_budget, payer, spending_limit, \
                 timezone, undeclared_campaign"
            ));
        }
    };
    let handle = world
        .store
        .all(NAME, customer, kind)
        .first()
        .copied()
        .ok_or("the account is not there")?;
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

/// Today in the customer's time zone.
pub(super) fn today(world: &World, customer: &str) -> NaiveDate {
    let zone = world
        .store
        .find(NAME, &format!("customers/{customer}"))
        .and_then(|h| world.store.get(h).text("timeZone").parse::<chrono_tz::Tz>().ok())
        .unwrap_or(chrono_tz::UTC);
    world.now.with_timezone(&zone).date_naive()
}

/// The smallest unit of a currency that a budget may have, in micros.
pub(super) fn minimum_unit(currency: &str) -> i64 {
    match currency {
        "JPY" | "KRW" | "VND" | "CLP" | "PYG" | "ISK" | "UGX" | "XAF" | "XOF" | "IDR" | "COP" | "HUF" => {
            1_000_000
        }
        _ => 10_000,
    }
}
