//! DV360 advertisers: they exist on first use, with sane defaults, and the world can change them; and their quota.
//!
//! Must not refuse requests for what they say; `mod.rs` does, by what it finds here. Quotas:
//! <https://developers.google.com/display-video/api/limits>: 300 requests and 150 writes a minute per advertiser and project,
//! failed requests included. They are counted only where the world says so.

use super::{Fault, KINDS, NAME, PROJECT_QUOTA, QUOTA, write};
use crate::sandbox::control::micros;
use crate::sandbox::quota::{Quota, Taken};
use crate::sandbox::store::{Draft, Handle};
use crate::sandbox::world::World;
use chrono::NaiveDate;
use serde_json::{Map, Value, json};

/// The advertiser, made if it may be; None where accounts are strict and it is not known.
pub(super) fn ensure(world: &mut World, advertiser: &str) -> Option<Handle> {
    let found = world.store.find(NAME, &format!("advertisers/{advertiser}"));
    if found.is_some() || world.switches.strict_accounts {
        found
    } else {
        Some(make(world, advertiser))
    }
}

fn make(world: &mut World, advertiser: &str) -> Handle {
    // An account is not part of the request that first names it: it is there at once and stays.
    let hidden_for = std::mem::take(&mut world.store.hidden_for);
    let fields = json!({
        "partnerId": "11", "displayName": format!("Sandbox {advertiser}"), "entityStatus": "ENTITY_STATUS_ACTIVE",
        "generalConfig": {
            "currencyCode": "EUR", "timeZone": "Europe/Berlin", "domainUrl": "https://shop.acme.example",
        },
        "adServerConfig": { "thirdPartyOnlyConfig": {} },
        "billingConfig": { "billingProfileId": "4711" },
        "creativeConfig": {},
        "containsEuPoliticalAds": "EU_POLITICAL_ADVERTISING_STATUS_UNKNOWN",
    });
    let handle = world.store.create(Draft {
        vendor: NAME,
        account: advertiser.to_owned(),
        kind: "account",
        id: advertiser.to_owned(),
        key: format!("advertisers/{advertiser}"),
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

/// Sets one thing about an advertiser.
pub(super) fn configure(
    world: &mut World,
    account: &str,
    setting: &str,
    value: &Value,
) -> Result<(), String> {
    let handle = match world.store.find(NAME, &format!("advertisers/{account}")) {
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
    let (pointer, value): (&[&str], Value) = match setting {
        "account_status" => (&["entityStatus"], status(&text()?)?.into()),
        "currency" => (&["generalConfig", "currencyCode"], text()?.into()),
        "timezone" => {
            let zone = text()?;
            zone.parse::<chrono_tz::Tz>().map_err(|e| e.to_string())?;
            (&["generalConfig", "timeZone"], zone.into())
        }
        "payer" => match value.as_str() {
            Some("settled") => (&["billingConfig"], json!({ "billingProfileId": "4711" })),
            Some("unsettled") => (&["billingConfig"], json!({})),
            _ => return Err("payer is settled or unsettled".to_owned()),
        },
        "eu_political" => (&["containsEuPoliticalAds"], text()?.into()),
        "minimum_budget" => {
            let minimum = micros(&text()?).ok_or("a decimal in a string")?;
            (&["_minimumMicros"], minimum.into())
        }
        // {"requests": 300, "writes": 150, "minute_ms": 60000}
        "quota" => {
            let number = |name: &str| value.get(name).is_none_or(Value::is_u64);
            if !(value.is_null()
                || value.is_object() && ["requests", "writes", "minute_ms"].into_iter().all(number))
            {
                return Err("quota is null or {requests, writes, minute_ms}".to_owned());
            }
            (&["_quota"], value.clone())
        }
        _ => {
            return Err(format!(
                "a dv360 account has no {setting}; there are: account_status, currency, eu_political, minimum_budget, payer, \
                 quota, timezone"
            ));
        }
    };
    let what = format!("{setting} set to {value}");
    world.store.change(handle, &what, |object| {
        let (last, parents) = (pointer[pointer.len() - 1], &pointer[..pointer.len() - 1]);
        let mut at = &mut object.fields;
        for name in parents {
            let inner = at
                .entry((*name).to_owned())
                .or_insert_with(|| Value::Object(Map::new()));
            let Value::Object(map) = inner else { return };
            at = map;
        }
        if value.is_null() {
            at.remove(last);
        } else {
            at.insert(last.to_owned(), value);
        }
    });
    Ok(())
}

fn status(text: &str) -> Result<String, String> {
    let full = format!("ENTITY_STATUS_{}", text.trim_start_matches("ENTITY_STATUS_"));
    const ACCEPTED: &[&str] = &[
        "ENTITY_STATUS_ACTIVE",
        "ENTITY_STATUS_PAUSED",
        "ENTITY_STATUS_SCHEDULED_FOR_DELETION",
    ];
    if ACCEPTED.contains(&full.as_str()) {
        Ok(full)
    } else {
        Err(format!("account_status is one of {}", ACCEPTED.join(", ")))
    }
}

/// What one advertiser may have in a minute, and what all of a Cloud project share; the sandbox takes all its callers for one
/// project's. Reads count as requests, writes as both.
const OWN: [Quota; 2] = [per_minute("requests", 300), per_minute("writes", 150)];
const PROJECT: [Quota; 2] = [per_minute("requests", 1_500), per_minute("writes", 700)];

const fn per_minute(name: &'static str, allowed: u64) -> Quota {
    Quota {
        name,
        allowed,
        seconds: 60,
    }
}

/// Counts a request, and refuses it if a quota is used up: the vendor's own while quotas are on (`quota_speed`), and what the
/// world gave this advertiser.
pub(super) fn count(world: &mut World, handle: Handle, write: bool) -> Result<(), Fault> {
    let (speed, now) = (world.switches.quota_speed, world.now);
    let advertiser = world.store.get(handle).id.clone();
    let kinds = if write { 2 } else { 1 };
    for (whose, quotas, refusal) in [(advertiser.as_str(), &OWN, QUOTA), ("", &PROJECT, PROJECT_QUOTA)] {
        for quota in &quotas[..kinds] {
            if let Taken::Over(_) = world.quotas.take((NAME, whose), *quota, 1, speed, now) {
                return Err(Fault::new(429, refusal));
            }
        }
    }
    count_own(world, handle, write)
}

/// Counts against the quota that the world gave the advertiser.
fn count_own(world: &mut World, handle: Handle, write: bool) -> Result<(), Fault> {
    let Some(quota) = world.store.get(handle).fields.get("_quota").cloned() else {
        return Ok(());
    };
    let number = |name: &str, default: i64| quota.get(name).and_then(Value::as_i64).unwrap_or(default);
    let window = world.now.timestamp_millis() / number("minute_ms", 60_000).max(1);
    let (most, most_writes) = (number("requests", 300), number("writes", 150));
    let fields = &world.store.get(handle).fields;
    let held = |name: &str| fields.get(name).and_then(Value::as_i64).unwrap_or(0);
    let same = held("_window") == window;
    let requests = if same { held("_requests") } else { 0 } + 1;
    let writes = if same { held("_writes") } else { 0 } + i64::from(write);
    world.store.change(handle, "", |account| {
        account.fields.insert("_window".into(), window.into());
        account.fields.insert("_requests".into(), requests.into());
        account.fields.insert("_writes".into(), writes.into());
    });
    world.store.commit();
    if requests > most || write && writes > most_writes {
        return Err(Fault::new(429, QUOTA));
    }
    Ok(())
}

/// The advertiser as the API shows it.
pub(super) fn render(world: &World, handle: Handle) -> Value {
    let account = world.store.get(handle);
    let mut shown: Map<String, Value> = account
        .fields
        .iter()
        .filter(|(name, _)| !name.starts_with('_'))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    shown.insert("name".into(), account.key.clone().into());
    shown.insert("advertiserId".into(), account.id.clone().into());
    shown.insert(
        "updateTime".into(),
        super::lists::stamp(account.updated_at).into(),
    );
    Value::Object(shown)
}

/// How many of each an advertiser uses.
pub(super) fn audit(world: &World, advertiser: &str) -> Value {
    let mut shown = Map::new();
    for (kind, field) in KINDS.iter().zip([
        "usedCampaignsCount",
        "usedInsertionOrdersCount",
        "usedLineItemsCount",
    ]) {
        let alive = |h: &&Handle| world.store.get(**h).text("entityStatus") != write::DELETED;
        let used = world
            .store
            .all(NAME, advertiser, kind.name)
            .iter()
            .filter(alive)
            .count();
        shown.insert(field.into(), used.to_string().into());
    }
    Value::Object(shown)
}

/// One thing of an advertiser.
pub(super) fn setting<'a>(world: &'a World, advertiser: &str, pointer: &str) -> Option<&'a Value> {
    let handle = world.store.find(NAME, &format!("advertisers/{advertiser}"))?;
    let (first, rest) = pointer.split_once('/').unwrap_or((pointer, ""));
    let value = world.store.get(handle).fields.get(first)?;
    if rest.is_empty() {
        Some(value)
    } else {
        value.get(rest)
    }
}

/// Today in the advertiser's time zone.
pub(super) fn today(world: &World, advertiser: &str) -> NaiveDate {
    let zone = setting(world, advertiser, "generalConfig/timeZone").and_then(Value::as_str);
    let zone = zone.and_then(|z| z.parse::<chrono_tz::Tz>().ok());
    world
        .now
        .with_timezone(&zone.unwrap_or(chrono_tz::UTC))
        .date_naive()
}

/// The smallest amount of the advertiser's currency that is billed, in micros.
pub(super) fn billable_unit(world: &World, advertiser: &str) -> i64 {
    let currency = setting(world, advertiser, "generalConfig/currencyCode").and_then(Value::as_str);
    match currency.unwrap_or("") {
        "JPY" | "KRW" | "CLP" | "COP" | "HUF" | "IDR" | "TWD" => 1_000_000,
        _ => 10_000,
    }
}
