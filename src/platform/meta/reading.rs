//! What Meta shows → the normal form in which `mapping` desires. Pure.

use super::creatives::ID_PLACE;
use super::wire::{integer, utc};
use super::{audience, budgets, links};
use crate::domain::error::{ErrorClass, LegError};
use crate::domain::manifest::{Manifest, Serving};
use crate::domain::money::{Currency, Money};
use crate::domain::tracking::Observed;
use crate::platform::{AccountFacts, CallError, Eligibility, Found, Reading, Seen};
use serde_json::{Map, Value, json};

/// The account's facts (reference/ad-account: `account_status`, `disable_reason`), with Meta's list of smallest budgets.
pub(super) fn facts(account: &Value, floors: Option<&Value>) -> Result<AccountFacts, CallError> {
    let text = |name: &str| account.get(name).and_then(Value::as_str).unwrap_or_default();
    let unreadable = |what: &str| CallError::Unavailable {
        why: format!("Meta's answer about the account has no usable {what}"),
        after: None,
    };
    let currency = Currency::parse(text("currency")).map_err(|_| unreadable("currency"))?;
    let timezone = text("timezone_name").parse().unwrap_or(chrono_tz::UTC);
    let status = account
        .get("account_status")
        .and_then(integer)
        .ok_or_else(|| unreadable("account_status"))?;
    let disabled = account.get("disable_reason").and_then(integer).unwrap_or(0);
    let mut problems = Vec::new();
    match status {
        1 => {}
        // In 8 and 9 ads are still delivered, until the payer's time is over: no time to launch more.
        3 | 8 | 9 => problems.push(LegError {
            platform_code: Some(format!("account_status {status}")),
            ..LegError::payer("meta", format!("the ad account is {}", status_name(status)))
        }),
        other => problems.push(LegError {
            platform_code: Some(format!("account_status {other}, disable_reason {disabled}")),
            ..LegError::new(
                ErrorClass::Account,
                "meta-account",
                format!("the ad account is {}", status_name(other)),
                "mend it in Meta's account quality page, then `resume`",
            )
        }),
    }
    if disabled == 3 {
        problems.push(LegError::payer(
            "meta",
            "the ad account was disabled for a risky payment",
        ));
    }
    // "it will still be possible to create ads but these ads will get no delivery"
    if account.get("funding_source").is_none_or(Value::is_null) {
        problems.push(LegError::payer("meta", "the ad account has no payment method"));
    }
    problems.extend(spent_up(account, currency));
    problems.extend(powerless(account));
    Ok(AccountFacts {
        currency,
        timezone,
        auto_tagging: None,
        minimum_daily: budgets::minimum(account, floors, currency),
        spendable: left(account, currency),
        catalogs: Vec::new(),
        problems,
    })
}

/// The account's own spend cap is reached: nothing would be delivered. Minor units, as texts; 0: no cap.
fn spent_up(account: &Value, currency: Currency) -> Option<LegError> {
    let minor = |name: &str| account.get(name).and_then(integer);
    let (cap, spent) = (minor("spend_cap")?, minor("amount_spent")?);
    if cap <= 0 || spent < cap {
        return None;
    }
    let amount = budgets::money(cap, currency)?.to_string();
    Some(LegError {
        platform_limit: Some(amount.clone()),
        ..LegError::new(
            ErrorClass::Budget,
            "meta-spend-cap",
            format!("the ad account has reached its spend cap of {amount}"),
            "raise or reset the account's spend cap in Meta, then `resume`",
        )
    })
}

/// What the account's own cap leaves; none: there is no cap.
fn left(account: &Value, currency: Currency) -> Option<Money> {
    let minor = |name: &str| account.get(name).and_then(integer);
    let cap = minor("spend_cap").filter(|cap| *cap > 0)?;
    let left = cap.checked_sub(minor("amount_spent")?)?;
    budgets::money(left.max(0), currency)
}

/// The token may read the account and not advertise with it (reference/ad-account: `user_tasks`).
fn powerless(account: &Value) -> Option<LegError> {
    let tasks = account.get("user_tasks").and_then(Value::as_array)?;
    let may = tasks
        .iter()
        .any(|t| matches!(t.as_str(), Some("ADVERTISE" | "MANAGE")));
    (!may && !tasks.is_empty()).then(|| {
        LegError::new(
            ErrorClass::Auth,
            "meta-tasks",
            "the token may look at the ad account and not advertise with it",
            "give the system user the task \"Manage campaigns\" on the ad account, then `resume`",
        )
    })
}

fn status_name(status: i64) -> &'static str {
    match status {
        2 => "disabled",
        3 => "unsettled",
        8 => "waiting for a settlement",
        9 => "in its grace period for a payment",
        7 => "under risk review",
        100 => "about to be closed",
        101 => "closed",
        _ => "in a state that cannot launch",
    }
}

fn serving(status: &str) -> Serving {
    if status == "ACTIVE" {
        Serving::Active
    } else {
        Serving::Paused
    }
}

pub(super) fn text<'v>(row: &'v Value, name: &str) -> &'v str {
    row.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A row of a look-up, for the key whose exact name it bears.
pub(super) fn found(row: &Value, names: &[(&str, &str)]) -> Option<Found> {
    let (_, key) = names.iter().find(|(name, _)| *name == text(row, "name"))?;
    let status = text(row, "status");
    if status == "DELETED" {
        return None;
    }
    let created = chrono::DateTime::parse_from_str(text(row, "created_time"), "%Y-%m-%dT%H:%M:%S%z");
    Some(Found {
        key: (*key).to_owned(),
        remote_id: text(row, "id").to_owned(),
        serving: serving(status),
        created_at: created.ok().map(|t| t.with_timezone(&chrono::Utc)),
        spent: None,
    })
}

/// What Meta showed, kind by kind.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// None: it is gone.
    pub(super) campaign: Option<Value>,
    pub(super) ad_sets: Vec<Value>,
    pub(super) ads: Vec<Value>,
    /// Those that came with no ad.
    pub(super) creatives: Vec<Value>,
    pub(super) insights: Vec<Value>,
}

impl Rows {
    /// The row of an object, wherever it came along.
    pub(super) fn of(&self, kind: &str, id: &str) -> Option<&Value> {
        let is = |row: &&Value| text(row, "id") == id;
        match kind {
            "campaign" => self.campaign.as_ref().filter(is),
            "adset" => self.ad_sets.iter().find(is),
            "ad" => self.ads.iter().find(is),
            _ => {
                let shown = self.ads.iter().filter_map(|ad| ad.get("creative"));
                shown.chain(&self.creatives).find(is)
            }
        }
    }
}

/// Whether the row is of something that is still there. The status that counts is the effective one too: what hangs
/// on a deleted campaign keeps its own.
pub(super) fn alive(row: &Value) -> bool {
    let over = |name: &str| matches!(text(row, name), "DELETED" | "ARCHIVED");
    !over("status") && !over("effective_status")
}

/// What the leg looks like.
pub(super) fn reading(manifest: &Manifest, rows: &Rows) -> Reading {
    let seen = manifest.existing().filter_map(|object| {
        let id = object.remote_id.as_deref().unwrap_or_default();
        let row = rows.of(&object.kind, id).filter(|row| alive(row))?;
        Some(Seen {
            key: object.key.clone(),
            remote_id: id.to_owned(),
            serving: if object.kind == "adcreative" {
                Serving::None
            } else {
                serving(text(row, "status"))
            },
            fields: normal(&object.kind, row, manifest),
        })
    });
    let (eligibility, finding) = review(rows.campaign.as_ref(), &rows.ads);
    Reading {
        objects: seen.collect(),
        tracking: rows
            .ads
            .iter()
            .filter(|ad| alive(ad))
            .flat_map(|ad| observed(ad, manifest))
            .collect(),
        auto_tagging: None,
        eligibility,
        finding,
        // A campaign that never delivered has no row of insights at all. Insights come up to a quarter of an hour late.
        spent: rows.campaign.as_ref().map(|_| {
            rows.insights
                .iter()
                .any(|r| !matches!(text(r, "spend"), "" | "0" | "0.00" | "0.0"))
        }),
    }
}

/// The manifest's key of an object by its id.
fn key_of<'m>(manifest: &'m Manifest, id: &str) -> Option<&'m str> {
    let object = manifest.existing().find(|o| o.remote_id.as_deref() == Some(id))?;
    Some(&object.key)
}

/// Every ad that is there shows what its clicks carry, whether or not its creative is one of ours: each link with the tags, so
/// that a `utm_` in the link itself shows as doubled.
fn observed(ad: &Value, manifest: &Manifest) -> Vec<Observed> {
    let creative = ad.get("creative").unwrap_or(&Value::Null);
    let object = key_of(manifest, text(creative, "id"))
        .or_else(|| key_of(manifest, text(ad, "id")))
        .unwrap_or_else(|| text(ad, "name"));
    links::of(creative)
        .into_iter()
        .map(|(field, value)| Observed {
            object: object.to_owned(),
            field,
            value,
        })
        .collect()
}

/// Budgets and bids as integers, times in UTC, the injected id as its place, a creative by its key: comparable with what
/// was desired.
fn normal(kind: &str, row: &Value, manifest: &Manifest) -> Value {
    let Some(fields) = row.as_object() else {
        return Value::Null;
    };
    let mut normal = Map::new();
    for (name, value) in fields {
        let value = match (kind, name.as_str()) {
            (_, "daily_budget" | "lifetime_budget" | "bid_amount") => {
                integer(value).map_or(value.clone(), |n| json!(n))
            }
            (_, "start_time" | "end_time") => json!(utc(value.as_str().unwrap_or_default())),
            ("adset", "targeting") => audience::normal(value),
            ("campaign", "special_ad_categories" | "special_ad_category_country") => listed(value),
            ("ad", "creative") => {
                let id = text(value, "id");
                json!(key_of(manifest, id).unwrap_or(id))
            }
            ("adcreative", "object_story_spec") => cards(value),
            ("adcreative", "url_tags") => {
                let campaign = manifest.campaign_id().unwrap_or_default();
                let tags = value.as_str().unwrap_or_default();
                json!(tags.replace(
                    &format!("utm_campaign={campaign}&"),
                    &format!("utm_campaign={ID_PLACE}&")
                ))
            }
            (_, _) => value.clone(),
        };
        normal.insert(name.clone(), value);
    }
    Value::Object(normal)
}

/// The cards of a carousel with only what we say of them: Meta fills in captions and pictures by itself.
fn cards(story: &Value) -> Value {
    const OURS: [&str; 6] = [
        "link",
        "image_hash",
        "video_id",
        "name",
        "description",
        "call_to_action",
    ];
    let mut story = story.clone();
    if let Some(Value::Array(cards)) = story.pointer_mut("/link_data/child_attachments") {
        for card in cards.iter_mut().filter_map(Value::as_object_mut) {
            card.retain(|name, _| OURS.contains(&name.as_str()));
        }
    }
    story
}

/// A list of names in order, without `NONE`.
fn listed(value: &Value) -> Value {
    let mut names: Vec<&str> = value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .filter(|n| *n != "NONE")
        .collect();
    names.sort_unstable();
    json!(names)
}

fn refused<'a>(ads: &[&'a Value]) -> Vec<&'a Value> {
    let refused = |ad: &&Value| text(ad, "effective_status") == "DISAPPROVED";
    ads.iter().copied().filter(refused).collect()
}

/// Whether it would serve, and what of it Meta disapproved.
fn review(campaign: Option<&Value>, ads: &[Value]) -> (Eligibility, Option<Box<LegError>>) {
    let ads: Vec<&Value> = ads.iter().filter(|ad| alive(ad)).collect();
    let refused = refused(&ads);
    let finding = (!refused.is_empty()).then(|| Box::new(disapproval(&refused, ads.len())));
    (eligibility(campaign, &ads), finding)
}

/// One ad that delivers makes the campaign live; that none can is said even while the campaign is off, since Meta
/// reviews paused ads too (best-practices).
fn eligibility(campaign: Option<&Value>, ads: &[&Value]) -> Eligibility {
    let Some(campaign) = campaign else {
        return Eligibility::Paused;
    };
    let in_state = |state: &str| ads.iter().find(|ad| text(ad, "effective_status") == state);
    if in_state("ACTIVE").is_some() {
        return Eligibility::Eligible;
    }
    let on = text(campaign, "status") == "ACTIVE";
    let waiting = ["PENDING_REVIEW", "IN_PROCESS", "PREAPPROVED"]
        .iter()
        .any(|state| in_state(state).is_some());
    let refused = refused(ads);
    if !refused.is_empty() && (on && !waiting || refused.len() == ads.len()) {
        return Eligibility::Disapproved(Box::new(disapproval(&refused, ads.len())));
    }
    if !on {
        return Eligibility::Paused;
    }
    if in_state("PENDING_BILLING_INFO").is_some() {
        let payer = LegError::payer("meta", "Meta waits for billing information");
        return Eligibility::Disapproved(Box::new(payer));
    }
    if waiting {
        return Eligibility::InReview;
    }
    match in_state("WITH_ISSUES") {
        Some(ad) => Eligibility::Disapproved(Box::new(issues(ad))),
        None => Eligibility::Paused,
    }
}

/// What Meta wrote into a field, cut to what an event may carry.
fn words(row: &Value, name: &str) -> Option<String> {
    let text = row.get(name)?.to_string();
    Some(text.chars().take(1000).collect())
}

/// `ad_review_feedback` as sentences: `{global: {policy: text}, placement_specific: {instagram: {policy: text}}}`.
fn feedback(ad: &Value) -> Option<String> {
    let feedback = ad.get("ad_review_feedback")?;
    let mut all = Vec::new();
    let mut policies = |place: Option<&str>, map: &Value| {
        for (policy, text) in map.as_object().into_iter().flatten() {
            let place = place.map_or(String::new(), |place| format!("{place}: "));
            let text = text.as_str().map_or_else(|| text.to_string(), str::to_owned);
            all.push(format!("{place}{policy}: {text}"));
        }
    };
    if let Some(global) = feedback.get("global") {
        policies(None, global);
    }
    let places = feedback.get("placement_specific").and_then(Value::as_object);
    for (place, map) in places.into_iter().flatten() {
        policies(Some(place), map);
    }
    let text: String = all.join("; ").chars().take(1000).collect();
    (!text.is_empty()).then_some(text)
}

/// `issues_info` as sentences.
fn issue_texts(row: &Value) -> Option<String> {
    let issues = row.get("issues_info").and_then(Value::as_array)?;
    let told: Vec<String> = issues
        .iter()
        .map(|issue| {
            let summary = text(issue, "error_summary");
            match text(issue, "error_message") {
                "" => summary.to_owned(),
                message => format!("{summary}: {message}"),
            }
        })
        .filter(|told| !told.is_empty())
        .collect();
    let told: String = told.join("; ").chars().take(1000).collect();
    (!told.is_empty()).then_some(told)
}

fn issue_code(row: &Value) -> Option<String> {
    let code = row.pointer("/issues_info/0/error_code").and_then(integer)?;
    Some(code.to_string())
}

fn said(name: &str, what: &str, told: Option<&String>) -> String {
    match told {
        Some(told) => format!("Meta {what} {name}: {told}"),
        None => format!("Meta {what} {name}"),
    }
}

/// The first in Meta's words, and which they are.
fn disapproval(refused: &[&Value], of: usize) -> LegError {
    let ad = refused.first().copied().unwrap_or(&Value::Null);
    let told = feedback(ad).or_else(|| issue_texts(ad));
    let names: Vec<&str> = refused.iter().map(|ad| text(ad, "name")).collect();
    let which = if refused.len() == of {
        names.join(", ")
    } else {
        format!("{} of {of} ads ({})", refused.len(), names.join(", "))
    };
    let which: String = which.chars().take(1000).collect();
    LegError {
        platform_code: issue_code(ad),
        platform_message: words(ad, "ad_review_feedback").or_else(|| words(ad, "issues_info")),
        // Meta reviews again where one asks it to; it exempts nobody.
        exemptible: Some(false),
        ..LegError::new(
            ErrorClass::Policy,
            "meta-disapproved",
            said(&which, "disapproved", told.as_ref()),
            "change the creative, or ask for another review in Meta's account quality page, then `retry`",
        )
    }
}

fn issues(ad: &Value) -> LegError {
    LegError {
        platform_code: issue_code(ad),
        platform_message: words(ad, "issues_info"),
        ..LegError::new(
            ErrorClass::Validation,
            "meta-issues",
            said(text(ad, "name"), "does not deliver", issue_texts(ad).as_ref()),
            "mend what Meta names, then `retry`",
        )
    }
}
