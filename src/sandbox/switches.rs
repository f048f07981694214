//! `POST /control/world`: what each switch is called and where its value goes.
//!
//! Must not decide what a switch means; a vendor reads it where its rule lies. An unknown switch is refused with the list of
//! those there are.

use super::control::micros;
use super::http::Vendor;
use super::world::World;
use serde_json::{Map, Value};

const KNOWN: &[&str] = &[
    "accounts",
    "assets",
    "catalogs",
    "clock_ahead_s",
    "disapprove",
    "ga4",
    "journal_kept",
    "late_visibility_ms",
    "latency_ms",
    "merchant",
    "policy_finding",
    "quota_speed",
    "require_appsecret_proof",
    "restore_tokens",
    "review_pending",
    "revoke",
    "spend",
    "strict_accounts",
    "token_expired",
    "token_ttl_s",
    "transcoding_ms",
];

/// Applies every switch of a body, in its order; stops at the first that is wrong.
pub(super) fn apply(world: &mut World, vendors: &[Vendor], map: &Map<String, Value>) -> Result<(), String> {
    world.tick(chrono::TimeDelta::zero());
    if let Some(unknown) = map.keys().find(|key| !KNOWN.contains(&key.as_str())) {
        return Err(format!(
            "there is no switch {unknown}; there are: {}",
            KNOWN.join(", ")
        ));
    }
    let result = map
        .iter()
        .try_for_each(|(key, value)| one(world, vendors, key, value));
    world.store.commit();
    result
}

fn one(world: &mut World, vendors: &[Vendor], key: &str, value: &Value) -> Result<(), String> {
    match key {
        "latency_ms" => world.switches.latency_ms = number(key, value)?,
        "late_visibility_ms" => world.switches.late_visibility_ms = number(key, value)?,
        "quota_speed" => {
            world.switches.quota_speed =
                u32::try_from(number(key, value)?).map_err(|_| "quota_speed is too large")?;
        }
        "clock_ahead_s" => {
            let ahead = value.as_i64().ok_or("clock_ahead_s must be a number")?;
            world.switches.clock_ahead_s = ahead.clamp(0, 400 * 86_400);
        }
        "strict_accounts" => world.switches.strict_accounts = truth(key, value)?,
        "require_appsecret_proof" => world.switches.require_appsecret_proof = truth(key, value)?,
        "token_ttl_s" => {
            world.switches.token_ttl_s = Some(value.as_i64().ok_or("token_ttl_s must be a number")?)
        }
        "journal_kept" => {
            let kept = usize::try_from(number(key, value)?).map_err(|e| e.to_string())?;
            world.journal.keep(kept);
        }
        "disapprove" => world.switches.disapprove = texts(key, value)?,
        "review_pending" => world.switches.review_pending = texts(key, value)?,
        "policy_finding" => world.switches.policy_finding = texts(key, value)?,
        "revoke" => world.switches.revoked.extend(texts(key, value)?),
        "restore_tokens" => {
            world.switches.revoked.clear();
            world.switches.token_expired.clear();
        }
        "token_expired" => match value {
            Value::Object(map) => {
                for (vendor, n) in map {
                    world
                        .switches
                        .token_expired
                        .insert(vendor.clone(), number(key, n)?);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                world
                    .switches
                    .token_expired
                    .insert("*".into(), number(key, value)?);
            }
        },
        "transcoding_ms" => world.switches.transcoding_ms = number(key, value)?,
        "catalogs" => {
            for (catalog, state) in object(key, value)? {
                let state = object(catalog, state)?.clone();
                world.switches.catalogs.insert(catalog.clone(), state);
            }
        }
        "assets" => {
            for (id, state) in object(key, value)? {
                world.switches.assets.insert(id.clone(), state.clone());
            }
        }
        "ga4" => ga4(world, value)?,
        "merchant" => super::merchant::set(world, value)?,
        "accounts" => accounts(world, vendors, object(key, value)?)?,
        "spend" => spend(world, object(key, value)?)?,
        _ => return Err(format!("there is no switch {key}")),
    }
    Ok(())
}

fn number(key: &str, value: &Value) -> Result<u64, String> {
    value
        .as_u64()
        .ok_or_else(|| format!("{key} must be a whole number"))
}

fn truth(key: &str, value: &Value) -> Result<bool, String> {
    value
        .as_bool()
        .ok_or_else(|| format!("{key} must be true or false"))
}

fn texts(key: &str, value: &Value) -> Result<Vec<String>, String> {
    serde_json::from_value(value.clone()).map_err(|_| format!("{key} must be a list of texts"))
}

fn object<'a>(key: &str, value: &'a Value) -> Result<&'a Map<String, Value>, String> {
    value
        .as_object()
        .ok_or_else(|| format!("{key} must be an object"))
}

/// `"red"` for every property, or `{"properties/1": "red", "*": {"state": "amber", "key_events": […]}}`.
fn ga4(world: &mut World, value: &Value) -> Result<(), String> {
    const SETTINGS: &[&str] = &[
        "state",
        "ads_linked",
        "key_events",
        "measurement_id",
        "default_uri",
        "events",
        "timezone",
    ];
    const STATES: &[&str] = &["green", "amber", "sampled", "red", "silent", "no_access"];
    let set = |world: &mut World, property: &str, value: &Value| {
        let property = property
            .strip_prefix("properties/")
            .unwrap_or(property)
            .to_owned();
        let map = match value {
            Value::String(state) => Map::from_iter([("state".to_owned(), state.as_str().into())]),
            Value::Object(map) => map.clone(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
                return Err("a GA4 property is set to a state or an object".to_owned());
            }
        };
        if let Some(unknown) = map.keys().find(|k| !SETTINGS.contains(&k.as_str())) {
            return Err(format!(
                "GA4 has no {unknown}; there are: {}",
                SETTINGS.join(", ")
            ));
        }
        if let Some(state) = map.get("state").and_then(Value::as_str)
            && !STATES.contains(&state)
        {
            return Err(format!("{state} is not one of {}", STATES.join(", ")));
        }
        world.switches.ga4.entry(property).or_default().extend(map);
        Ok(())
    };
    match value {
        Value::Object(map) => map
            .iter()
            .try_for_each(|(property, value)| set(world, property, value)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            set(world, "*", value)
        }
    }
}

/// `{"google-ads/123": {"account_status": "SUSPENDED"}, "meta/*": {"funding_source": false}}`.
fn accounts(world: &mut World, vendors: &[Vendor], map: &Map<String, Value>) -> Result<(), String> {
    for (address, settings) in map {
        let (name, account) = address
            .split_once('/')
            .ok_or("an account is vendor/id, for example google-ads/1234567890")?;
        let vendor = vendors
            .iter()
            .find(|v| v.name == name)
            .ok_or_else(|| format!("there is no vendor {name}"))?;
        for (setting, value) in object(address, settings)? {
            if account == "*" {
                world
                    .switches
                    .account_defaults
                    .push((name.to_owned(), setting.clone(), value.clone()));
                // An account is one of these, in the vendor's own word.
                for kind in ["account", "advertiser", "customer"] {
                    for known in world.store.accounts(vendor.name, kind) {
                        (vendor.configure)(world, &known, setting, value)?;
                    }
                }
            } else {
                (vendor.configure)(world, account, setting, value)?;
            }
        }
    }
    Ok(())
}

/// `{"<id, resource name or name>": "12.34"}`, in the account's currency.
fn spend(world: &mut World, map: &Map<String, Value>) -> Result<(), String> {
    for (which, amount) in map {
        let amount = amount
            .as_str()
            .and_then(micros)
            .ok_or("spend must be a decimal in a string")?;
        let handles: Vec<usize> = world
            .store
            .every()
            .iter()
            .enumerate()
            .filter(|(_, o)| o.id == *which || o.key == *which || o.text("name") == which)
            .map(|(handle, _)| handle)
            .collect();
        if handles.is_empty() {
            return Err(format!("there is no object {which}"));
        }
        for handle in handles {
            world.store.change(handle, "", |o| o.spend_micros = amount);
        }
    }
    Ok(())
}
