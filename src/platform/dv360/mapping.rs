//! Spec → what should exist on DV360, in the adapter's normal form, and from there to DV360's own fields. Pure.
//!
//! The plan's budget is per campaign, so it stands once, on the one insertion order: its line items have no limit of their own
//! and take what the insertion order paces out. Start and end stand there too; line items inherit them. The frequency cap
//! stands on the campaign.

use super::offers::{Offer, offer};
use super::settings::{LOOKBACK_DAYS, Settings, settings};
use super::{bidding, creatives, dates, targeting};
use crate::domain::error::{ErrorClass, LegError};
use crate::domain::manifest::Desired;
use crate::domain::plan::{AdGroup, FrequencyCap, Period};
use crate::domain::spec::LegSpec;
use crate::platform::{AccountFacts, Problem};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// "Must be UTF-8 encoded with a maximum size of 240 bytes."
const LONGEST_NAME: usize = 240;
/// Hexadecimal digits of a digest in a name.
const DIGEST: usize = 10;

/// The key of the one insertion order.
pub(super) const ORDER: &str = "insertion_order";

/// A kind of object.
pub(super) struct Kind {
    /// As the manifest spells it.
    pub(super) name: &'static str,
    /// The advertiser's collection.
    pub(super) collection: &'static str,
    /// The field of its id.
    pub(super) id: &'static str,
}

/// What has an address of its own, parents before children.
pub(super) const KINDS: [Kind; 4] = [
    Kind {
        name: "campaign",
        collection: "campaigns",
        id: "campaignId",
    },
    Kind {
        name: "insertion_order",
        collection: "insertionOrders",
        id: "insertionOrderId",
    },
    Kind {
        name: "line_item",
        collection: "lineItems",
        id: "lineItemId",
    },
    Kind {
        name: "creative",
        collection: "creatives",
        id: "creativeId",
    },
];

/// The kind with this name.
pub(super) fn kind(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|k| k.name == name)
}

/// A name that is not too long: cut, with a digest of what was cut.
pub(super) fn named(full: &str) -> String {
    if full.len() <= LONGEST_NAME {
        return full.to_owned();
    }
    let mut digest = hex::encode(Sha256::digest(full.as_bytes()));
    digest.truncate(DIGEST);
    let mut end = LONGEST_NAME - DIGEST - 1;
    while !full.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}~{digest}", full.get(..end).unwrap_or_default())
}

/// Our own key of an object, which DV360 keeps and shows in reports: at most 500 characters, ours have half of that.
pub(super) fn code(spec: &LegSpec, key: &str) -> String {
    format!("{}/{key}", spec.key)
}

fn refused(problem: Problem) -> Box<LegError> {
    Box::new(LegError {
        field: Some(problem.pointer),
        ..LegError::new(ErrorClass::Validation, "dv360-plan", problem.what, problem.remedy)
    })
}

/// What should exist for the leg, parents before children.
pub(super) fn desire(spec: &LegSpec, facts: &AccountFacts) -> Result<Vec<Desired>, Box<LegError>> {
    let settings = settings(spec).map_err(refused)?;
    let offer = offer(spec.campaign.objective, spec.campaign.channel.as_deref()).map_err(|no| {
        refused(Problem {
            pointer: "/channel".to_owned(),
            what: no.why.to_owned(),
            remedy: no.instead.to_owned(),
        })
    })?;
    let flight = Flight::of(spec, facts)?;
    let mut desired = vec![
        campaign(spec, &offer, &flight)?,
        insertion_order(spec, &settings, &flight)?,
    ];
    for group in &spec.campaign.ad_groups {
        let mut shown = Vec::new();
        for ad in &group.ads {
            let creative = creatives::creative(spec, group, ad)?;
            shown.push(creative.key.clone());
            desired.push(creative);
        }
        shown.sort_unstable();
        let line = line_item(spec, group, &settings, &offer, &shown)?;
        desired.push(Desired {
            key: format!("targeting/{}", group.key),
            kind: "targeting",
            parent: Some(line.key.clone()),
            name: None,
            fields: targeting::wanted(spec, &settings),
            switchable: false,
        });
        let at = desired.len() - 1;
        desired.insert(at, line);
    }
    Ok(desired)
}

/// The flight as DV360 can have it.
struct Flight {
    start: Value,
    end: Value,
    zone: &'static str,
    days: i64,
}

impl Flight {
    fn of(spec: &LegSpec, facts: &AccountFacts) -> Result<Self, Box<LegError>> {
        let end = spec.campaign.schedule.end.ok_or_else(|| {
            refused(Problem {
                pointer: "/schedule/end".to_owned(),
                what: "a DV360 budget is for a flight that ends".to_owned(),
                remedy: "say when the flight ends".to_owned(),
            })
        })?;
        let (first, last) = dates::days(spec.campaign.schedule.start, end, facts.timezone);
        Ok(Self {
            start: dates::date(first),
            end: dates::date(last),
            zone: facts.timezone.name(),
            days: (last - first).num_days() + 1,
        })
    }
}

/// A frequency cap; none for a lifetime any more
/// (dvdocs/deprecations#features.lifetime_frequency_cap).
pub(super) fn frequency_cap(cap: Option<&FrequencyCap>) -> Option<Value> {
    let Some(cap) = cap else {
        return Some(json!({ "unlimited": true }));
    };
    let unit = match cap.per.as_str() {
        "day" => "DAYS",
        "week" => "WEEKS",
        "month" => "MONTHS",
        _ => return None,
    };
    let unit = format!("TIME_UNIT_{unit}");
    (1..=i32::MAX as u32)
        .contains(&cap.impressions)
        .then(|| json!({ "maxImpressions": cap.impressions, "timeUnit": unit, "timeUnitCount": 1 }))
}

fn campaign(spec: &LegSpec, offer: &Offer, flight: &Flight) -> Result<Desired, Box<LegError>> {
    let goal = bidding::goal(&spec.campaign.bidding).map_err(refused)?;
    let cap = frequency_cap(spec.campaign.frequency_cap.as_ref()).unwrap_or(json!({ "unlimited": true }));
    let name = named(&spec.campaign_name);
    Ok(Desired {
        key: "campaign".to_owned(),
        kind: "campaign",
        parent: None,
        name: Some(name.clone()),
        fields: json!({
            "displayName": name,
            "campaignGoal": { "campaignGoalType": offer.goal, "performanceGoal": goal.of_campaign() },
            "frequencyCap": cap,
            "start": flight.start,
            "end": flight.end,
            "zone": flight.zone,
        }),
        switchable: true,
    })
}

/// What the insertion order spends over the whole flight, and how.
fn money(spec: &LegSpec, settings: &Settings, flight: &Flight) -> Result<(String, Value), Box<LegError>> {
    let budget = &spec.campaign.budget;
    let given = settings.pacing.as_deref().unwrap_or("even");
    let kind = format!("PACING_TYPE_{}", given.to_uppercase());
    match budget.period {
        Period::Lifetime => {
            let pacing = json!({ "pacingPeriod": "PACING_PERIOD_FLIGHT", "pacingType": kind });
            Ok((budget.amount.micros.to_string(), pacing))
        }
        Period::Daily => {
            let unit = bidding::billable_unit(budget.amount.currency);
            let daily = (budget.amount.micros / unit * unit).max(unit);
            let total = daily.checked_mul(flight.days).ok_or_else(|| {
                refused(Problem {
                    pointer: "/budget/amount".to_owned(),
                    what: "the budget of the whole flight is too large to count".to_owned(),
                    remedy: "use a smaller budget or a shorter flight".to_owned(),
                })
            })?;
            let pacing = json!({ "pacingPeriod": "PACING_PERIOD_DAILY", "pacingType": kind,
                "dailyMaxMicros": daily.to_string() });
            Ok((total.to_string(), pacing))
        }
    }
}

/// `NO_OBJECTIVE`: "any KPI or bidding strategy can be used"; the others allow some, and which is documented nowhere.
fn insertion_order(spec: &LegSpec, settings: &Settings, flight: &Flight) -> Result<Desired, Box<LegError>> {
    let goal = bidding::goal(&spec.campaign.bidding).map_err(refused)?;
    let (amount, pacing) = money(spec, settings, flight)?;
    let name = named(&format!("{}/io", spec.campaign_name));
    Ok(Desired {
        key: ORDER.to_owned(),
        kind: "insertion_order",
        parent: Some("campaign".to_owned()),
        name: Some(name.clone()),
        fields: json!({
            "displayName": name,
            "integrationCode": code(spec, ORDER),
            "kpi": goal.kpi(),
            "optimizationObjective": "NO_OBJECTIVE",
            "frequencyCap": { "unlimited": true },
            "pacing": pacing,
            "amount": amount,
            "start": flight.start,
            "end": flight.end,
            "zone": flight.zone,
        }),
        switchable: true,
    })
}

/// The tenant's declaration, which every line item must carry.
fn political(spec: &LegSpec) -> &'static str {
    if spec.eu_political_advertising == "contains" {
        "CONTAINS_EU_POLITICAL_ADVERTISING"
    } else {
        "DOES_NOT_CONTAIN_EU_POLITICAL_ADVERTISING"
    }
}

fn line_item(
    spec: &LegSpec,
    group: &AdGroup,
    settings: &Settings,
    offer: &Offer,
    creatives: &[String],
) -> Result<Desired, Box<LegError>> {
    let key = format!("line_item/{}", group.key);
    let name = named(&format!("{}/{}", spec.campaign_name, group.key));
    let markup = settings.markup_millis().unwrap_or_default();
    let mut fields = json!({
        "displayName": name,
        "integrationCode": code(spec, &key),
        "lineItemType": offer.line_item,
        "flightDateType": "LINE_ITEM_FLIGHT_DATE_TYPE_INHERITED",
        "budgetAllocationType": "LINE_ITEM_BUDGET_ALLOCATION_TYPE_UNLIMITED",
        // The insertion order paces; a line item takes what it gives.
        "pacing": { "pacingPeriod": "PACING_PERIOD_FLIGHT", "pacingType": "PACING_TYPE_ASAP" },
        "frequencyCap": { "unlimited": true },
        "partnerRevenueModel": {
            "markupType": "PARTNER_REVENUE_MODEL_MARKUP_TYPE_TOTAL_MEDIA_COST_MARKUP",
            "markupAmount": markup.to_string(),
        },
        "bidStrategy": bidding::strategy(spec).map_err(refused)?,
        "creatives": creatives,
        "containsEuPoliticalAds": political(spec),
    });
    let mut activities = settings.floodlight_activity_ids.clone();
    activities.sort_unstable();
    activities.dedup();
    if !activities.is_empty() {
        fields["conversions"] = json!(activities);
    }
    if let Some(app) = settings
        .app_id
        .as_ref()
        .filter(|_| offer.line_item.ends_with("_APP_INSTALL"))
    {
        fields["appId"] = json!(app);
    }
    Ok(Desired {
        key,
        kind: "line_item",
        parent: Some(ORDER.to_owned()),
        name: Some(name),
        fields,
        switchable: true,
    })
}

/// Where a field of the normal form stands in DV360's object, as an `updateMask` says it.
pub(super) fn place<'a>(kind: &str, field: &'a str) -> Option<&'a str> {
    Some(match (kind, field) {
        (_, "zone") => return None,
        ("creative", "integrationCode") => "integrationCode",
        (_, "integrationCode") => "integrationDetails.integrationCode",
        ("campaign", "start") => "campaignFlight.plannedDates.startDate",
        ("campaign", "end") => "campaignFlight.plannedDates.endDate",
        ("insertion_order", "start" | "end" | "amount") => "budget.budgetSegments",
        ("line_item", "flightDateType") => "flight.flightDateType",
        ("line_item", "budgetAllocationType") => "budget.budgetAllocationType",
        ("line_item", "creatives") => "creativeIds",
        ("line_item", "conversions") => "conversionCounting",
        ("line_item", "appId") => "mobileApp",
        ("creative", "media") => "assets",
        ("creative", "exit") => "exitEvents",
        (_, field) => field,
    })
}

/// What stands there. `ids`: what creatives are called.
pub(super) fn vendor_value(
    kind: &str,
    field: &str,
    fields: &Map<String, Value>,
    ids: &impl Fn(&str) -> Option<String>,
) -> Option<Value> {
    let value = fields.get(field)?;
    Some(match (kind, field) {
        ("insertion_order", "start" | "end" | "amount") => json!([{
            "budgetAmountMicros": fields.get("amount")?,
            "dateRange": { "startDate": fields.get("start")?, "endDate": fields.get("end")? },
        }]),
        ("line_item", "creatives") => {
            let keys = value.as_array()?.iter().map(|key| ids(key.as_str()?));
            json!(keys.collect::<Option<Vec<String>>>()?)
        }
        ("line_item", "conversions") => {
            let activity = |id: &Value| {
                json!({ "floodlightActivityId": id, "postClickLookbackWindowDays": LOOKBACK_DAYS,
                    "postViewLookbackWindowDays": LOOKBACK_DAYS })
            };
            let all: Vec<Value> = value.as_array()?.iter().map(activity).collect();
            json!({ "floodlightActivityConfigs": all, "postViewCountPercentageMillis": "100000" })
        }
        ("line_item", "appId") => json!({ "appId": value }),
        ("creative", "media") => creatives::assets(value),
        ("creative", "exit") => creatives::exits(value),
        _ => value.clone(),
    })
}

/// Puts a value where a mask says.
pub(super) fn put(body: &mut Value, path: &str, value: Value) {
    match path.split_once('.') {
        None => body[path] = value,
        Some((first, rest)) => put(&mut body[first], rest, value),
    }
}
