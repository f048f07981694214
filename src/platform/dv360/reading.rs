//! What DV360 shows → the normal form in which `mapping` desires. Pure.
//!
//! Must not call, and must not judge tracking: it shows every place that a click passes through, `domain::tracking` judges.

use super::mapping::Kind;
use super::{dates, targeting};
use crate::domain::error::{ErrorClass, LegError};
use crate::domain::manifest::{Manifest, ObjectState, RemoteObject, Serving};
use crate::domain::money::Currency;
use crate::domain::tracking::Observed;
use crate::platform::{AccountFacts, CallError, Eligibility, Found, Reading, Seen};
use serde_json::{Map, Value, json};

/// Billable units that DV360 may round a daily maximum to, in micros (reference/rest/v4/Pacing, `dailyMaxMicros`).
const BILLABLE: [i64; 4] = [1_000, 10_000, 100_000, 1_000_000];

fn text<'v>(row: &'v Value, name: &str) -> &'v str {
    row.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The account's facts (reference/rest/v4/advertisers).
pub(super) fn facts(advertiser: &Value) -> Result<AccountFacts, CallError> {
    let odd = |what: &str| CallError::Unavailable {
        why: format!("DV360's answer about the advertiser has no usable {what}"),
        after: None,
    };
    let general = advertiser
        .get("generalConfig")
        .ok_or_else(|| odd("configuration"))?;
    let currency = Currency::parse(text(general, "currencyCode")).map_err(|_| odd("currency"))?;
    let timezone = text(general, "timeZone").parse().map_err(|_| odd("time zone"))?;
    let mut problems = Vec::new();
    let status = text(advertiser, "entityStatus");
    if status != "ENTITY_STATUS_ACTIVE" {
        problems.push(LegError {
            platform_code: Some(status.to_owned()),
            ..LegError::new(
                ErrorClass::Account,
                "dv360-account",
                format!(
                    "the advertiser is {}",
                    status.trim_start_matches("ENTITY_STATUS_")
                ),
                "activate the advertiser in DV360; then `retry`",
            )
        });
    }
    // There is no balance and no credit to be read; without a billing profile nobody pays.
    let profile = advertiser
        .get("billingConfig")
        .map(|b| text(b, "billingProfileId"));
    if matches!(profile, None | Some("" | "0")) {
        problems.push(LegError::payer(
            super::NAME,
            "the advertiser has no billing profile",
        ));
    }
    Ok(AccountFacts {
        currency,
        timezone,
        auto_tagging: None,
        minimum_daily: None,
        spendable: None,
        catalogs: Vec::new(),
        problems,
    })
}

/// An advertiser that is not there, or not for us.
pub(super) fn no_account(id: &str) -> LegError {
    LegError {
        platform_code: Some("NOT_FOUND".to_owned()),
        ..LegError::new(
            ErrorClass::Account,
            "dv360-account",
            format!("there is no DV360 advertiser {id} for this credential"),
            "correct the tenant's account map, or give the service's user a role on the advertiser; then `retry`",
        )
    }
}

fn serving(row: &Value) -> Serving {
    if text(row, "entityStatus") == "ENTITY_STATUS_ACTIVE" {
        Serving::Active
    } else {
        Serving::Paused
    }
}

fn code_of(row: &Value) -> &str {
    let of_line = row.get("integrationDetails").map(|d| text(d, "integrationCode"));
    of_line.unwrap_or_else(|| text(row, "integrationCode"))
}

/// A row of a look-up, for the object whose exact name (and key, where it shows one) it bears.
pub(super) fn found(row: &Value, kind: &Kind, objects: &[&RemoteObject]) -> Option<Found> {
    let named = |o: &&&RemoteObject| o.name.as_deref() == Some(text(row, "displayName"));
    let ours = |o: &&&RemoteObject| {
        let code = code_of(row);
        code.is_empty() || o.applied.get("integrationCode").is_none_or(|c| c == code)
    };
    let object = objects.iter().filter(named).find(ours)?;
    let status = text(row, "entityStatus");
    Some(Found {
        key: object.key.clone(),
        remote_id: text(row, kind.id).to_owned(),
        serving: if kind.name == "creative" {
            Serving::None
        } else {
            serving(row)
        },
        created_at: text(row, "createTime").parse().ok(),
        // "Cannot be changed back to DRAFT": a draft was never anything else.
        spent: (status == "ENTITY_STATUS_DRAFT" || kind.name == "creative").then_some(false),
    })
}

/// A line item's targeting, if all of it is there. An edit of which only a part was done is sent again: it says what is missing then.
pub(super) fn found_targeting(object: &RemoteObject, line: &str, rows: &[Value]) -> Option<Found> {
    let options = options_of(rows, line);
    let there = targeting::normal(&options)?;
    (there == object.applied).then(|| Found {
        key: object.key.clone(),
        remote_id: line.to_owned(),
        serving: Serving::None,
        created_at: None,
        spent: Some(false),
    })
}

fn options_of<'r>(rows: &'r [Value], line: &str) -> Vec<&'r Value> {
    rows.iter()
        .filter(|row| text(row, "lineItemId") == line)
        .filter_map(|row| row.get("assignedTargetingOption"))
        .collect()
}

/// What DV360 showed, kind by kind.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// None: it is gone.
    pub(super) campaign: Option<Value>,
    pub(super) orders: Vec<Value>,
    pub(super) lines: Vec<Value>,
    pub(super) creatives: Vec<Value>,
    /// `LineItemAssignedTargetingOption`.
    pub(super) targeting: Vec<Value>,
}

impl Rows {
    fn of(&self, kind: &str, id: &str) -> Option<&Value> {
        let (rows, field) = match kind {
            "campaign" => return self.campaign.as_ref().filter(|row| text(row, "campaignId") == id),
            "insertion_order" => (&self.orders, "insertionOrderId"),
            "line_item" => (&self.lines, "lineItemId"),
            _ => (&self.creatives, "creativeId"),
        };
        rows.iter().find(|row| text(row, field) == id)
    }
}

/// What the leg looks like.
pub(super) fn reading(manifest: &Manifest, rows: &Rows) -> Reading {
    let seen = manifest.existing().filter_map(|object| {
        let id = object.remote_id.as_deref().unwrap_or_default();
        let (serving, fields) = if object.kind == "targeting" {
            (
                Serving::None,
                targeting::normal(&options_of(&rows.targeting, id))?,
            )
        } else {
            let row = rows.of(&object.kind, id)?;
            let serving = match object.kind.as_str() {
                "creative" => Serving::None,
                _ => serving(row),
            };
            (serving, normal(object, row, manifest))
        };
        Some(Seen {
            key: object.key.clone(),
            remote_id: id.to_owned(),
            serving,
            fields,
        })
    });
    Reading {
        objects: seen.collect(),
        tracking: rows
            .creatives
            .iter()
            .flat_map(|row| observed(row, manifest))
            .collect(),
        auto_tagging: None,
        eligibility: eligibility(rows),
        finding: finding(rows),
        spent: spent(manifest, rows),
    }
}

/// DV360 tells no spend. What it does tell: a line item that is a draft was never on, and one whose flight is still to come
/// has not begun; the start of a flight that has begun cannot be moved. So, as long as all are one or the other, none spent. Of a line
/// item that is no longer shown (archived) nobody can tell.
fn spent(manifest: &Manifest, rows: &Rows) -> Option<bool> {
    rows.campaign.as_ref()?;
    let never = |row: &Value| {
        text(row, "entityStatus") == "ENTITY_STATUS_DRAFT" || warnings(row).any(|w| w == "PENDING_FLIGHT")
    };
    let mut made = manifest
        .objects
        .iter()
        .filter(|o| o.kind == "line_item" && o.state != ObjectState::Intended);
    let row = |o: &RemoteObject| rows.of("line_item", o.remote_id.as_deref()?);
    let shown = made.all(|o| row(o).is_some());
    (shown && rows.lines.iter().all(never)).then_some(false)
}

/// A line item's warnings.
fn warnings(row: &Value) -> impl Iterator<Item = &str> {
    let warnings = row["warningMessages"].as_array().into_iter().flatten();
    warnings.filter_map(Value::as_str)
}

/// The manifest's key of an object by its kind and id.
fn key_of<'m>(manifest: &'m Manifest, kind: &str, id: &str) -> Option<&'m str> {
    let mut all = manifest.existing();
    let object = all.find(|o| o.kind == kind && o.remote_id.as_deref() == Some(id))?;
    Some(&object.key)
}

/// A row in the normal form.
fn normal(object: &RemoteObject, row: &Value, manifest: &Manifest) -> Value {
    let mut fields = Map::new();
    let mut take = |name: &str, value: &Value| {
        fields.insert(name.to_owned(), value.clone());
    };
    for name in row.as_object().into_iter().flatten().map(|(name, _)| name) {
        take(name, &row[name]);
    }
    take("integrationCode", &json!(code_of(row)));
    // Nobody sees a zone there; it came from the advertiser.
    take("zone", &object.applied["zone"]);
    match object.kind.as_str() {
        "campaign" => {
            let planned = &row["campaignFlight"]["plannedDates"];
            take("end", &planned["endDate"]);
            // Planned dates "will not affect serving"; when the plan's first day was over, they begin later.
            take("start", &object.applied["start"]);
        }
        "insertion_order" => {
            let (amount, start, end) = segments(row);
            take("amount", &amount);
            take("start", &start);
            take("end", &end);
            take("pacing", &unrounded(&row["pacing"], &object.applied["pacing"]));
        }
        "line_item" => {
            take("flightDateType", &row["flight"]["flightDateType"]);
            take("budgetAllocationType", &row["budget"]["budgetAllocationType"]);
            take("creatives", &creatives(row, manifest));
            take("conversions", &conversions(row));
            take("appId", &row["mobileApp"]["appId"]);
        }
        _ => {
            take("media", &media(row));
            take("exit", &exit(row));
        }
    }
    Value::Object(fields)
}

/// The budget of all segments together, its first day as the plan has it, its last.
fn segments(row: &Value) -> (Value, Value, Value) {
    let segments = row["budget"]["budgetSegments"].as_array();
    let (mut amount, mut first, mut last) = (0_i64, None, None);
    for segment in segments.into_iter().flatten() {
        let micros: i64 = text(segment, "budgetAmountMicros").parse().unwrap_or(0);
        amount = amount.saturating_add(micros);
        let day = |name: &str| dates::day(&segment["dateRange"][name]);
        first = [first, day("startDate")].into_iter().flatten().min();
        last = [last, day("endDate")].into_iter().flatten().max();
    }
    let details = row.get("integrationDetails").map_or("", |d| text(d, "details"));
    let start = first.map_or(Value::Null, |day| dates::date(dates::planned(details, day)));
    (
        json!(amount.to_string()),
        start,
        last.map_or(Value::Null, dates::date),
    )
}

/// A daily maximum that DV360 rounded to a billable unit is the one that was sent.
fn unrounded(shown: &Value, applied: &Value) -> Value {
    let micros = |of: &Value| of["dailyMaxMicros"].as_str().and_then(|t| t.parse::<i64>().ok());
    let mut pacing = shown.clone();
    if let (Some(there), Some(sent)) = (micros(shown), micros(applied))
        && BILLABLE
            .iter()
            .any(|unit| (sent / unit * unit).max(*unit) == there)
    {
        pacing["dailyMaxMicros"] = applied["dailyMaxMicros"].clone();
    }
    pacing
}

/// Creatives by our keys; those that are not ours by their ids.
fn creatives(row: &Value, manifest: &Manifest) -> Value {
    let ids = row["creativeIds"].as_array().into_iter().flatten();
    let mut keys: Vec<&str> = ids
        .filter_map(Value::as_str)
        .map(|id| key_of(manifest, "creative", id).unwrap_or(id))
        .collect();
    keys.sort_unstable();
    json!(keys)
}

fn conversions(row: &Value) -> Value {
    let configs = row["conversionCounting"]["floodlightActivityConfigs"].as_array();
    let mut ids: Vec<&str> = configs
        .into_iter()
        .flatten()
        .map(|c| text(c, "floodlightActivityId"))
        .collect();
    ids.sort_unstable();
    json!(ids)
}

/// The main asset.
fn media(row: &Value) -> Value {
    let assets = row["assets"].as_array().into_iter().flatten();
    let mut main = assets.filter(|a| text(a, "role") == "ASSET_ROLE_MAIN");
    main.next().map_or(Value::Null, |a| a["asset"]["mediaId"].clone())
}

/// Where a click leads; all of it, where there is more than one exit.
fn exit(row: &Value) -> Value {
    match row["exitEvents"].as_array().map(Vec::as_slice) {
        Some([one]) => one["url"].clone(),
        Some(_) | None => row["exitEvents"].clone(),
    }
}

/// Every place of a creative that a click or a tracker passes through.
fn observed(row: &Value, manifest: &Manifest) -> Vec<Observed> {
    let object = key_of(manifest, "creative", text(row, "creativeId"))
        .map_or_else(|| format!("creative {}", text(row, "creativeId")), str::to_owned);
    let mut places = Vec::new();
    let mut place = |field: String, value: &Value| {
        if let Some(value) = value.as_str().filter(|v| !v.is_empty()) {
            places.push(Observed {
                object: object.clone(),
                field,
                value: value.to_owned(),
            });
        }
    };
    for list in ["exitEvents", "thirdPartyUrls", "trackerUrls"] {
        for (i, entry) in row[list].as_array().into_iter().flatten().enumerate() {
            let url = entry.get("url").unwrap_or(entry);
            place(format!("{list}[{i}]"), url);
        }
    }
    for field in ["appendedTag", "thirdPartyTag", "vastTagUrl", "jsTrackerUrl"] {
        place(field.to_owned(), &row[field]);
    }
    places
}

/// Warnings that keep a line item from running and that waiting does not cure (reference/rest/v4/advertisers.lineItems).
const BLOCKING: &[&str] = &[
    "INVALID_FLIGHT_DATES",
    "ALL_PARTNER_ENABLED_EXCHANGES_NEGATIVELY_TARGETED",
    "INVALID_INVENTORY_SOURCE",
    "APP_INVENTORY_INVALID_SITE_TARGETING",
    "APP_INVENTORY_INVALID_AUDIENCE_LISTS",
];

/// The creatives that review leaves so.
fn in_state<'r>(rows: &'r Rows, state: &str) -> Vec<&'r Value> {
    let approval = |row: &Value| {
        row.get("reviewStatus")
            .map_or(String::new(), |r| text(r, "approvalStatus").to_owned())
    };
    let all = rows.creatives.iter();
    all.filter(|row| approval(row) == format!("APPROVAL_STATUS_{state}"))
        .collect()
}

/// A rejected creative needs a person, whatever else can serve.
fn finding(rows: &Rows) -> Option<Box<LegError>> {
    let rejected = in_state(rows, "REJECTED_NOT_SERVABLE");
    (!rejected.is_empty()).then(|| Box::new(disapproved(&rejected, rows.creatives.len())))
}

/// That no creative is left is said also while the campaign is paused: reviews run then too. Otherwise what is switched on
/// counts, and one creative that can serve is enough; and whether the flight has begun, in DV360's own words, since a start
/// that was over is moved (see `dates`).
fn eligibility(rows: &Rows) -> Eligibility {
    let in_state = |state: &str| in_state(rows, state);
    if let Some(finding) = finding(rows)
        && in_state("REJECTED_NOT_SERVABLE").len() == rows.creatives.len()
    {
        return Eligibility::Disapproved(finding);
    }
    let on = |row: &&Value| serving(row) == Serving::Active;
    let lines: Vec<&Value> = rows.lines.iter().filter(on).collect();
    if !rows.campaign.iter().any(|row| on(&row))
        || !rows.orders.iter().any(|row| on(&row))
        || lines.is_empty()
    {
        return Eligibility::Paused;
    }
    let blocked = |row: &&Value| {
        let mut names = warnings(row);
        names.find(|w| BLOCKING.contains(w)).map(str::to_owned)
    };
    if let Some(warning) = lines.first().and_then(blocked)
        && lines.iter().all(|line| blocked(line).is_some())
    {
        return Eligibility::Disapproved(Box::new(LegError {
            platform_code: Some(warning.clone()),
            ..LegError::new(
                ErrorClass::Validation,
                "dv360-will-not-run",
                format!("DV360 does not run the line items: {warning}"),
                "mend in DV360 what the warning names, then `retry`",
            )
        }));
    }
    let pending = !in_state("PENDING_NOT_SERVABLE").is_empty();
    let servable = !in_state("APPROVED_SERVABLE").is_empty() || !in_state("PENDING_SERVABLE").is_empty();
    let all_warn = |of: &str| lines.iter().all(|line| warnings(line).any(|w| w == of));
    // "The line item does not have any valid creatives": none has come through every review yet.
    if pending && !servable || all_warn("NO_VALID_CREATIVE") {
        return Eligibility::InReview;
    }
    if all_warn("PENDING_FLIGHT") {
        return Eligibility::NotBegun;
    }
    Eligibility::Eligible
}

fn disapproved(rejected: &[&Value], of: usize) -> LegError {
    let names: Vec<&str> = rejected.iter().map(|row| text(row, "displayName")).collect();
    let reviews: Vec<&Value> = rejected.iter().map(|row| &row["reviewStatus"]).collect();
    let words: String = json!(reviews).to_string().chars().take(1000).collect();
    LegError {
        field: Some(names.join(", ")),
        platform_code: Some("APPROVAL_STATUS_REJECTED_NOT_SERVABLE".to_owned()),
        // The API gives no reason; DV360's own screens do.
        platform_message: Some(words),
        // An appeal is made on DV360's own screens, not through the API.
        exemptible: Some(false),
        ..LegError::new(
            ErrorClass::Policy,
            "dv360-disapproved",
            format!("DV360 rejected {} of {of} creatives", rejected.len()),
            "see the reason in DV360, change the creative in a new approval of the plan, or appeal there; then `resume`",
        )
    }
}
