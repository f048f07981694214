//! What TikTok shows → the normal form in which `mapping` desires. Pure.

use super::creatives::ID_PLACE;
use super::kinds::Kind;
use super::{amounts, review, wire};
use crate::domain::error::{ErrorClass, LegError};
use crate::domain::manifest::{Manifest, RemoteObject, Serving};
use crate::domain::money::Currency;
use crate::domain::tracking::Observed;
use crate::platform::{AccountFacts, CallError, Found, Reading, Seen};
use serde_json::{Map, Value, json};

/// A text of a row; nothing where there is none.
pub(super) fn text<'v>(row: &'v Value, name: &str) -> &'v str {
    row.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// The account's facts (`list[0]` of /advertiser/info/).
pub(super) fn facts(data: &Value, account: &str) -> Result<AccountFacts, CallError> {
    let unreadable = |what: &str| CallError::Unavailable {
        why: format!("TikTok's answer about the account has no usable {what}"),
        after: None,
    };
    let rows = data.get("list").and_then(Value::as_array);
    let Some(info) = rows
        .into_iter()
        .flatten()
        .find(|row| text(row, "advertiser_id") == account)
    else {
        return Err(CallError::refused(LegError::new(
            ErrorClass::Account,
            "tiktok-account",
            format!("TikTok shows no ad account {account} to this token"),
            "give the app access to the ad account, then `resume`",
        )));
    };
    let currency = Currency::parse(text(info, "currency")).map_err(|_| unreadable("currency"))?;
    let mut problems = Vec::new();
    problems.extend(standing(text(info, "status"), text(info, "rejection_reason")));
    let balance = info.get("balance").and_then(|b| wire::money(b, currency));
    if let Some(balance) = balance
        && balance.micros <= 0
    {
        problems.push(LegError {
            platform_limit: Some(balance.to_string()),
            ..LegError::payer("tiktok", format!("the ad account's balance is {balance}"))
        });
    }
    Ok(AccountFacts {
        currency,
        // `Etc/GMT-8` and the like are names of the tz database too.
        timezone: text(info, "timezone").parse().unwrap_or(chrono_tz::UTC),
        auto_tagging: None,
        minimum_daily: amounts::least_campaign(currency),
        spendable: balance.filter(|b| b.micros > 0),
        catalogs: Vec::new(),
        problems,
    })
}

/// What the account's status keeps it from (enumeration "advertiser status").
fn standing(status: &str, reason: &str) -> Option<LegError> {
    let (what, remedy) = match status {
        "STATUS_ENABLE" => return None,
        "STATUS_DISABLE" => (
            "closed",
            "open it again in TikTok's Business Center, then `resume`",
        ),
        "STATUS_LIMIT" => ("punished", "appeal in TikTok's Business Center, then `resume`"),
        "STATUS_CONFIRM_FAIL" | "STATUS_CONFIRM_FAIL_END" | "STATUS_CONFIRM_MODIFY_FAIL" => (
            "rejected by TikTok's review",
            "mend what TikTok names in its Business Center, then `resume`",
        ),
        _ => (
            "not approved yet",
            "wait for TikTok's review of the account, or complete it in the Business Center, then `resume`",
        ),
    };
    let reason: String = reason.chars().take(300).collect();
    Some(LegError {
        platform_code: Some(status.to_owned()),
        platform_message: (!reason.is_empty()).then_some(reason),
        ..LegError::new(
            ErrorClass::Account,
            "tiktok-account",
            format!("the ad account is {what}"),
            remedy,
        )
    })
}

fn serving(row: &Value) -> Serving {
    if text(row, "operation_status") == "ENABLE" {
        Serving::Active
    } else {
        Serving::Paused
    }
}

/// Whether the row is of something that is still there; what hangs on something deleted is not (`AD_STATUS_CAMPAIGN_DELETE`).
pub(super) fn alive(row: &Value) -> bool {
    text(row, "operation_status") != "DELETE" && !text(row, "secondary_status").ends_with("_DELETE")
}

/// A row of a look-up, for the key whose exact name it bears.
pub(super) fn found(kind: &Kind, row: &Value, names: &[(&str, &str)]) -> Option<Found> {
    let (_, key) = names.iter().find(|(name, _)| *name == text(row, kind.named))?;
    alive(row).then(|| Found {
        key: (*key).to_owned(),
        remote_id: text(row, kind.id).to_owned(),
        serving: serving(row),
        created_at: wire::instant(text(row, "create_time")),
        spent: None,
    })
}

/// What TikTok showed, kind by kind.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// None: it is gone.
    pub(super) campaign: Option<Value>,
    pub(super) ad_groups: Vec<Value>,
    pub(super) ads: Vec<Value>,
    /// By ad.
    pub(super) reviews: Map<String, Value>,
    pub(super) spend: Vec<Value>,
}

impl Rows {
    fn of(&self, object: &RemoteObject) -> Option<&Value> {
        let id = object.remote_id.as_deref()?;
        let is = |field: &'static str| move |row: &&Value| text(row, field) == id;
        let row = match object.kind.as_str() {
            "campaign" => self.campaign.as_ref().filter(is("campaign_id")),
            "adgroup" => self.ad_groups.iter().find(is("adgroup_id")),
            _ => self.ads.iter().find(is("ad_id")),
        };
        row.filter(|row| alive(row))
    }
}

/// What the leg looks like.
pub(super) fn reading(manifest: &Manifest, rows: &Rows) -> Reading {
    let seen = manifest.existing().filter_map(|object| {
        let row = rows.of(object)?;
        Some(Seen {
            key: object.key.clone(),
            remote_id: object.remote_id.clone().unwrap_or_default(),
            serving: serving(row),
            fields: normal(object, row, manifest),
        })
    });
    let spent = |row: &Value| {
        let spend = row.pointer("/metrics/spend").unwrap_or(&Value::Null);
        wire::micros(spend).is_some_and(|spend| spend > 0)
    };
    let (eligibility, finding) = review::review(rows.campaign.as_ref(), &rows.ads, &rows.reviews);
    Reading {
        objects: seen.collect(),
        tracking: rows
            .ads
            .iter()
            .filter(|ad| alive(ad))
            .map(|ad| observed(ad, manifest))
            .collect(),
        auto_tagging: None,
        eligibility,
        finding,
        spent: rows.campaign.as_ref().map(|_| rows.spend.iter().any(spent)),
    }
}

/// What the clicks of an ad carry, whether or not it is one of ours: the landing page's query, or the parameters that TikTok appends
/// to a catalog's links.
fn observed(ad: &Value, manifest: &Manifest) -> Observed {
    let id = text(ad, "ad_id");
    let ours = manifest.existing().find(|o| o.remote_id.as_deref() == Some(id));
    let object = ours.map_or_else(|| text(ad, "ad_name").to_owned(), |o| o.key.clone());
    let parameters = ad
        .get("utm_params")
        .and_then(Value::as_array)
        .filter(|p| !p.is_empty());
    match parameters {
        Some(parameters) if text(ad, "landing_page_url").is_empty() => {
            let pairs = parameters.iter().map(|p| (text(p, "key"), text(p, "value")));
            Observed {
                object,
                field: "utm_params".to_owned(),
                value: url::form_urlencoded::Serializer::new(String::new())
                    .extend_pairs(pairs)
                    .finish(),
            }
        }
        Some(_) | None => Observed {
            object,
            field: "landing_page_url".to_owned(),
            value: text(ad, "landing_page_url").to_owned(),
        },
    }
}

/// Money in its shortest digits, lists in order, the injected id as its place, a start that was over as it was asked for:
/// comparable with what was desired.
fn normal(object: &RemoteObject, row: &Value, manifest: &Manifest) -> Value {
    let Some(fields) = row.as_object() else {
        return Value::Null;
    };
    let campaign = manifest.campaign_id().unwrap_or_default();
    let mut normal = Map::new();
    for (name, value) in fields {
        let value = match name.as_str() {
            "budget" | "bid_price" | "conversion_bid_price" | "roas_bid" => wire::comparable(value),
            "frequency" | "frequency_schedule" => {
                wire::micros(value).map_or(value.clone(), |n| json!(n / 1_000_000))
            }
            "location_ids" | "languages" | "placements" | "special_industries" => listed(value),
            "landing_page_url" => json!(place(text(row, name), campaign)),
            "utm_params" => parameters(value, campaign),
            "schedule_start_time" => json!(start(object, row)),
            _ => value.clone(),
        };
        normal.insert(name.clone(), value);
    }
    Value::Object(normal)
}

/// A list of names in order.
fn listed(value: &Value) -> Value {
    let mut names: Vec<&str> = value
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    names.sort_unstable();
    json!(names)
}

/// The URL with the place of the campaign's id instead of the id.
fn place(url: &str, campaign: &str) -> String {
    url.replace(
        &format!("utm_campaign={campaign}&"),
        &format!("utm_campaign={ID_PLACE}&"),
    )
}

fn parameters(value: &Value, campaign: &str) -> Value {
    let mut value = value.clone();
    for parameter in value.as_array_mut().into_iter().flatten() {
        if text(parameter, "key") == "utm_campaign" && text(parameter, "value") == campaign {
            parameter["value"] = json!(ID_PLACE);
        }
    }
    value
}

/// "A start in the past starts now": TikTok may show another start then, and it is no difference.
fn start(object: &RemoteObject, row: &Value) -> String {
    let asked = text(&object.applied, "schedule_start_time");
    let created = wire::instant(text(row, "create_time"));
    match (wire::instant(asked), created) {
        (Some(start), Some(created)) if start <= created => asked.to_owned(),
        _ => text(row, "schedule_start_time").to_owned(),
    }
}
