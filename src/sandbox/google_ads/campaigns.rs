//! The rules of customers, budgets, campaigns, campaign criteria and labels.
//!
//! Must not know how operations, masks and temporary ids work (`mutate.rs`). Unless said otherwise a rule's source is the
//! comment of its field or error in `resources/*.proto` and `errors/*.proto` of
//! <https://github.com/googleapis/googleapis/tree/master/google/ads/googleads/v25>.

use super::accounts::{minimum_unit, today};
use super::ads::criterion;
use super::derived::users;
use super::errors::Fault;
use super::mutate::{Kind, Ruling, Tx, gone};
use super::{NAME, urls};
use crate::sandbox::store::{Handle, Object};
use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use serde_json::{Map, Value, json};

type Fields = Map<String, Value>;

pub(super) const CUSTOMER: Kind = Kind {
    resource: "customer",
    collection: "customers",
    message: "Customer",
    composite: false,
    output_only: &[
        "id",
        "manager",
        "testAccount",
        "status",
        "hasPartnersBadge",
        "optimizationScore",
    ],
    immutable: &["currencyCode", "timeZone"],
    references: &[],
    create: None,
    update: Some(|_, _, after| none(urls::tracking(after))),
    remove: None,
};

pub(super) const BUDGET: Kind = Kind {
    resource: "campaign_budget",
    collection: "campaignBudgets",
    message: "CampaignBudget",
    composite: false,
    output_only: &[
        "id",
        "status",
        "referenceCount",
        "hasRecommendedBudget",
        "recommendedBudgetAmountMicros",
    ],
    immutable: &["period", "type"],
    references: &[],
    create: Some(create_budget),
    update: Some(update_budget),
    remove: Some(remove_budget),
};

pub(super) const CAMPAIGN: Kind = Kind {
    resource: "campaign",
    collection: "campaigns",
    message: "Campaign",
    composite: false,
    output_only: &[
        "id",
        "primaryStatus",
        "primaryStatusReasons",
        "servingStatus",
        "biddingStrategySystemStatus",
        "labels",
        "experimentType",
        "baseCampaign",
        "biddingStrategyType",
        "accessibleBiddingStrategy",
        "optimizationScore",
        "missingEuPoliticalAdvertisingDeclaration",
    ],
    immutable: &[
        "advertisingChannelType",
        "advertisingChannelSubType",
        "brandGuidelinesEnabled",
        "hotelSetting",
    ],
    references: &[("campaignBudget", "campaign_budget")],
    create: Some(create_campaign),
    update: Some(update_campaign),
    remove: Some(remove_campaign),
};

pub(super) const CAMPAIGN_CRITERION: Kind = Kind {
    resource: "campaign_criterion",
    collection: "campaignCriteria",
    message: "CampaignCriterion",
    composite: true,
    output_only: &["displayName", "type"],
    immutable: &[
        "campaign",
        "criterionId",
        "negative",
        "keyword",
        "location",
        "language",
    ],
    references: &[("campaign", "campaign")],
    create: Some(create_campaign_criterion),
    update: Some(|_, _, _| Ok(())),
    remove: Some(|_, _| Ok(())),
};

pub(super) const LABEL: Kind = Kind {
    resource: "label",
    collection: "labels",
    message: "Label",
    composite: false,
    output_only: &["id", "status"],
    immutable: &[],
    references: &[],
    create: Some(create_label),
    update: Some(|tx, handle, after| none(label_faults(tx, after, Some(handle)))),
    remove: Some(|_, _| Ok(())),
};

pub(super) const CAMPAIGN_LABEL: Kind = Kind {
    resource: "campaign_label",
    collection: "campaignLabels",
    message: "CampaignLabel",
    composite: true,
    output_only: &[],
    immutable: &["campaign", "label"],
    references: &[("campaign", "campaign"), ("label", "label")],
    create: Some(|tx, fields| link_label(tx, fields, "campaign", "campaign_label")),
    update: None,
    remove: Some(|_, _| Ok(())),
};

/// No faults, or all of them.
pub(super) fn none(faults: Vec<Fault>) -> Ruling<()> {
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

/// A whole number of micros; None where the field is not set.
fn micros(fields: &Fields, field: &str) -> Option<i64> {
    fields.get(field)?.as_str()?.parse().ok()
}

pub(super) fn text<'a>(fields: &'a Fields, field: &str) -> &'a str {
    fields.get(field).and_then(Value::as_str).unwrap_or("")
}

/// Sets a field that was left out.
pub(super) fn default(fields: &mut Fields, field: &str, value: impl Into<Value>) {
    fields.entry(field).or_insert_with(|| value.into());
}

/// The objects of this name that are not removed, without the one at hand.
pub(super) fn namesakes(tx: &Tx<'_>, resource: &'static str, name: &str, but: Option<Handle>) -> Vec<Handle> {
    let named = tx.world.store.named(NAME, &tx.customer, resource, name);
    named
        .iter()
        .copied()
        .filter(|h| Some(*h) != but && !tx.removed(*h))
        .collect()
}

// Budgets.

fn create_budget(tx: &mut Tx<'_>, mut fields: Fields) -> Ruling<Handle> {
    default(&mut fields, "period", "DAILY");
    default(&mut fields, "deliveryMethod", "STANDARD");
    default(&mut fields, "explicitlyShared", true);
    default(&mut fields, "type", "STANDARD");
    default(&mut fields, "status", "ENABLED");
    none(budget_faults(tx, &fields, None))?;
    let id = tx.world.ids.google();
    fields.insert("id".into(), id.clone().into());
    Ok(tx.make("campaign_budget", id, None, fields))
}

fn update_budget(tx: &mut Tx<'_>, handle: Handle, after: &mut Fields) -> Ruling<()> {
    let before = tx.world.store.get(handle);
    let shared = |fields: &Fields| {
        fields
            .get("explicitlyShared")
            .and_then(Value::as_bool)
            .unwrap_or(true)
    };
    let mut faults = Vec::new();
    if shared(&before.fields) && !shared(after) {
        let message = "A shared budget cannot become an implicitly shared one.";
        let code = "CANNOT_UPDATE_CAMPAIGN_BUDGET_TO_IMPLICITLY_SHARED";
        faults.push(Fault::new("campaignBudgetError", code, message).at("explicitly_shared"));
    }
    if !shared(&before.fields) && text(&before.fields, "name") != text(after, "name") {
        let message = "The name of an implicitly shared budget follows its campaign.";
        let code = "CANNOT_MODIFY_FIELD_OF_IMPLICITLY_SHARED_CAMPAIGN_BUDGET";
        faults.push(Fault::new("campaignBudgetError", code, message).at("name"));
    }
    faults.extend(budget_faults(tx, after, Some(handle)));
    none(faults)
}

fn budget_faults(tx: &Tx<'_>, fields: &Fields, own: Option<Handle>) -> Vec<Fault> {
    let bad =
        |code: &str, message: &str, field: &str| Fault::new("campaignBudgetError", code, message).at(field);
    let mut faults = Vec::new();
    let (daily, total) = (
        micros(fields, "amountMicros"),
        micros(fields, "totalAmountMicros"),
    );
    let custom = text(fields, "period") == "CUSTOM_PERIOD";
    if custom && daily.is_some() {
        let code = "BUDGET_AMOUNT_MUST_BE_UNSET_FOR_CUSTOM_BUDGET_PERIOD";
        faults.push(bad(
            code,
            "Custom budget period must not have amount_micros.",
            "amount_micros",
        ));
    }
    if !custom && total.is_some() {
        let code = "TOTAL_BUDGET_AMOUNT_MUST_BE_UNSET_FOR_BUDGET_PERIOD_DAILY";
        faults.push(bad(
            code,
            "A daily budget must not have total_amount_micros.",
            "total_amount_micros",
        ));
    }
    let (amount, field) = if custom {
        (total, "total_amount_micros")
    } else {
        (daily, "amount_micros")
    };
    match amount {
        None => faults.push(Fault::required(field)),
        Some(amount) => faults.extend(amount_fault(tx, amount, custom, field)),
    }
    let name = text(fields, "name");
    let shared = fields
        .get("explicitlyShared")
        .and_then(Value::as_bool)
        .unwrap_or(true);
    if shared && name.is_empty() {
        faults.push(Fault::required("name"));
    }
    if name.len() > 255 {
        faults.push(
            Fault::new("stringLengthError", "TOO_LONG", "The name is too long.")
                .at("name")
                .because(name),
        );
    }
    if !name.is_empty() && !namesakes(tx, "campaign_budget", name, own).is_empty() {
        faults.push(
            bad(
                "DUPLICATE_NAME",
                "The campaign budget name is already in use.",
                "name",
            )
            .because(name),
        );
    }
    faults
}

fn amount_fault(tx: &Tx<'_>, amount: i64, total: bool, field: &str) -> Option<Fault> {
    let customer = tx
        .world
        .store
        .find(NAME, &format!("customers/{}", tx.customer))
        .map(|h| tx.world.store.get(h));
    let currency = customer.map_or("", |c| c.text("currencyCode"));
    let unit = minimum_unit(currency);
    let bad = |code: &str, message: &str| Fault::new("campaignBudgetError", code, message).at(field);
    if amount < 0 {
        return Some(bad(
            "NEGATIVE_MONEY_AMOUNT",
            "The money amount must be greater than zero.",
        ));
    }
    if amount % unit != 0 {
        let message = "The money amount is not a multiple of the minimum unit of the currency.";
        return Some(bad("NON_MULTIPLE_OF_MINIMUM_CURRENCY_UNIT", message).because(&amount.to_string()));
    }
    if amount < unit {
        return Some(bad(
            "MONEY_AMOUNT_LESS_THAN_CURRENCY_MINIMUM_CPC",
            "The money amount is too small.",
        ));
    }
    if amount > 1_000_000_000_000_000 {
        return Some(
            bad("MONEY_AMOUNT_TOO_LARGE", "The money amount is too large.").because(&amount.to_string()),
        );
    }
    let minimum = customer
        .and_then(|c| c.fields.get("_minimumDailyMicros"))
        .and_then(Value::as_i64)
        .unwrap_or(0);
    if !total && amount < minimum {
        let details = json!({"budgetPerDayMinimumErrorDetails": {
            "currencyCode": currency, "minimumBudgetAmountMicros": minimum.to_string(),
            "failedBudgetAmountMicros": amount.to_string(),
        }});
        return Some(
            bad(
                "BUDGET_BELOW_PER_DAY_MINIMUM",
                "The budget is below the daily minimum.",
            )
            .with(details),
        );
    }
    None
}

fn remove_budget(tx: &mut Tx<'_>, handle: Handle) -> Ruling<()> {
    if users(tx.world, tx.world.store.get(handle)).is_empty() {
        return Ok(());
    }
    let message = "The campaign budget is associated with at least one campaign.";
    Err(vec![Fault::new(
        "campaignBudgetError",
        "CAMPAIGN_BUDGET_IN_USE",
        message,
    )])
}

// Campaigns.

/// The members of `campaign_bidding_strategy`.
const BIDDING: &[&str] = &[
    "biddingStrategy",
    "commission",
    "manualCpa",
    "manualCpc",
    "manualCpm",
    "manualCpv",
    "maximizeConversions",
    "maximizeConversionValue",
    "targetCpa",
    "targetImpressionShare",
    "targetRoas",
    "targetSpend",
    "percentCpc",
    "targetCpm",
    "fixedCpm",
    "targetCpv",
    "targetCpc",
];

fn create_campaign(tx: &mut Tx<'_>, mut fields: Fields) -> Ruling<Handle> {
    // The vendor's default: a campaign created without a status is live.
    default(&mut fields, "status", "ENABLED");
    let mut faults: Vec<Fault> = [
        "name",
        "advertisingChannelType",
        "campaignBudget",
        "containsEuPoliticalAdvertising",
    ]
    .iter()
    .filter(|field| matches!(text(&fields, field), "" | "UNSPECIFIED" | "UNKNOWN"))
    .map(|field| Fault::required(&super::mutate::snake(field)))
    .collect();
    faults.extend(campaign_faults(tx, &mut fields, None));
    none(faults)?;
    let id = tx.world.ids.google();
    fields.insert("id".into(), id.clone().into());
    let start = today(tx.world, &tx.customer)
        .format("%Y-%m-%d 00:00:00")
        .to_string();
    default(&mut fields, "startDateTime", start);
    default(&mut fields, "experimentType", "BASE");
    let handle = tx.make("campaign", id, None, fields);
    attach_budget(tx, handle);
    Ok(handle)
}

fn update_campaign(tx: &mut Tx<'_>, handle: Handle, after: &mut Fields) -> Ruling<()> {
    let before = tx.world.store.get(handle).clone();
    let mut faults = Vec::new();
    for field in ["name", "containsEuPoliticalAdvertising", "campaignBudget"] {
        if text(after, field).is_empty() {
            let message = "The field cannot be cleared.";
            let fault = Fault::new("fieldError", "FIELD_CANNOT_BE_CLEARED", message);
            faults.push(fault.at(&super::mutate::snake(field)));
        }
    }
    faults.extend(campaign_faults(tx, after, Some((handle, &before))));
    none(faults)?;
    let (old, new) = (
        before.text("campaignBudget").to_owned(),
        text(after, "campaignBudget").to_owned(),
    );
    if old != new {
        note_user(tx, &new, &before.key);
    }
    if before.text("name") != text(after, "name") {
        rename_budget(tx, &new, text(after, "name"));
    }
    Ok(())
}

/// What holds at create and at update alike. Normalises dates and derives the bidding strategy's type.
fn campaign_faults(tx: &Tx<'_>, fields: &mut Fields, old: Option<(Handle, &Object)>) -> Vec<Fault> {
    let mut faults = Vec::new();
    let name = text(fields, "name").to_owned();
    if name.contains(['\0', '\n', '\r']) || name.chars().count() > 255 {
        faults
            .push(Fault::new("campaignError", "INVALID_CAMPAIGN_NAME", "The name is not valid.").at("name"));
    }
    if !name.is_empty() && !namesakes(tx, "campaign", &name, old.map(|o| o.0)).is_empty() {
        let message = "A campaign with the same name already exists.";
        faults.push(
            Fault::new("campaignError", "DUPLICATE_CAMPAIGN_NAME", message)
                .at("name")
                .because(&name),
        );
    }
    let strategies: Vec<&&str> = BIDDING.iter().filter(|b| fields.contains_key(**b)).collect();
    match strategies.first() {
        None => faults.push(Fault::required("campaign_bidding_strategy")),
        Some(strategy) => {
            let ty = super::mutate::snake(strategy).to_uppercase();
            fields.insert("biddingStrategyType".into(), ty.into());
        }
    }
    let network = |field: &str| {
        fields
            .get("networkSettings")
            .and_then(|n| n.get(field))
            .and_then(Value::as_bool)
    };
    if network("targetSearchNetwork") == Some(true) && network("targetGoogleSearch") != Some(true) {
        let code = "CANNOT_TARGET_SEARCH_NETWORK_WITHOUT_GOOGLE_SEARCH";
        let fault = Fault::new(
            "campaignError",
            code,
            "Cannot target search network without Google search.",
        );
        faults.push(fault.at("network_settings.target_search_network"));
    }
    faults.extend(budget_use_faults(tx, fields, old.map(|o| o.0)));
    faults.extend(date_faults(tx, fields, old.map(|o| &o.1.fields)));
    faults.extend(urls::tracking(fields));
    faults
}

fn budget_use_faults(tx: &Tx<'_>, fields: &Fields, own: Option<Handle>) -> Vec<Fault> {
    let Some(handle) = tx.referenced(fields, "campaignBudget") else {
        return Vec::new();
    };
    let budget = tx.world.store.get(handle);
    let at = "campaign_budget";
    let mut faults = Vec::new();
    if tx.removed(handle) {
        faults.push(
            Fault::new(
                "campaignBudgetError",
                "CAMPAIGN_BUDGET_REMOVED",
                "The budget is removed.",
            )
            .at(at),
        );
    }
    let shared = budget
        .fields
        .get("explicitlyShared")
        .and_then(Value::as_bool)
        .unwrap_or(true);
    let others = users(tx.world, budget).iter().any(|user| Some(*user) != own);
    if !shared && others {
        let code = "CANNOT_USE_IMPLICITLY_SHARED_CAMPAIGN_BUDGET_WITH_MULTIPLE_CAMPAIGNS";
        faults.push(
            Fault::new(
                "campaignBudgetError",
                code,
                "The budget belongs to another campaign.",
            )
            .at(at),
        );
    }
    if shared
        && ["maximizeConversions", "maximizeConversionValue"]
            .iter()
            .any(|b| fields.contains_key(*b))
    {
        let code = "BIDDING_STRATEGY_TYPE_INCOMPATIBLE_WITH_SHARED_BUDGET";
        faults.push(Fault::new("biddingError", code, "The strategy needs a budget of its own.").at(at));
    }
    if text(&budget.fields, "period") == "CUSTOM_PERIOD" && text(fields, "endDateTime").is_empty() {
        let code = "END_DATE_TIME_REQUIRED_FOR_TOTAL_BUDGET";
        faults
            .push(Fault::new("campaignError", code, "A total budget needs an end date.").at("end_date_time"));
    }
    faults
}

fn parse_date(text: &str) -> Option<NaiveDateTime> {
    ["%Y-%m-%d %H:%M:%S", "%Y%m%d %H:%M:%S"]
        .iter()
        .find_map(|f| NaiveDateTime::parse_from_str(text, f).ok())
}

/// `startDateTime` and `endDateTime`: format, whole days, order, not in the past.
fn date_faults(tx: &Tx<'_>, fields: &mut Fields, old: Option<&Fields>) -> Vec<Fault> {
    let mut faults = Vec::new();
    let today = today(tx.world, &tx.customer);
    let mut dates: [Option<NaiveDate>; 2] = [None, None];
    for (slot, (field, at)) in [
        ("startDateTime", "start_date_time"),
        ("endDateTime", "end_date_time"),
    ]
    .iter()
    .enumerate()
    {
        let sent = text(fields, field).to_owned();
        if sent.is_empty() {
            continue;
        }
        let Some(parsed) = parse_date(&sent) else {
            let message = "The string date time does not match yyyy-MM-dd HH:mm:ss.";
            faults.push(
                Fault::new("dateError", "INVALID_STRING_DATE_TIME_SECONDS", message)
                    .at(at)
                    .because(&sent),
            );
            continue;
        };
        let edge = if slot == 0 {
            NaiveTime::MIN
        } else {
            NaiveTime::from_hms_opt(23, 59, 59).unwrap_or_default()
        };
        if parsed.time() != edge {
            let code = if slot == 0 {
                "DATE_RANGE_ERROR_START_TIME_MUST_BE_THE_START_OF_A_DAY"
            } else {
                "DATE_RANGE_ERROR_END_TIME_MUST_BE_THE_END_OF_A_DAY"
            };
            faults.push(
                Fault::new("dateError", code, "The time of day is not allowed.")
                    .at(at)
                    .because(&sent),
            );
        }
        let normal = parsed.format("%Y-%m-%d %H:%M:%S").to_string();
        let before = old.map_or("", |o| text(o, field));
        if normal != before {
            let started = slot == 0 && parse_date(before).is_some_and(|d| d.date() <= today);
            if started && old.is_some() {
                let code = "CANNOT_MODIFY_START_DATE_IF_ALREADY_STARTED";
                faults.push(Fault::new("campaignError", code, "The campaign has already started.").at(at));
            } else if parsed.date() < today {
                let message = "A date cannot be set to the past.";
                faults.push(
                    Fault::new("campaignError", "CANNOT_SET_DATE_TO_PAST", message)
                        .at(at)
                        .because(&sent),
                );
            }
        }
        dates[slot] = Some(parsed.date());
        fields.insert((*field).to_owned(), normal.into());
    }
    if let [Some(start), Some(end)] = dates
        && end < start
    {
        let fault = Fault::new(
            "dateRangeError",
            "START_DATE_AFTER_END_DATE",
            "The start date is after the end date.",
        );
        faults.push(fault.at("start_date_time"));
    }
    faults
}

/// Remembers on the budget which campaign uses it.
fn note_user(tx: &mut Tx<'_>, budget: &str, campaign: &str) {
    let Some(handle) = tx.world.store.find(NAME, budget) else {
        return;
    };
    let campaign: Value = campaign.into();
    tx.world.store.change(handle, "", |object| {
        let users = object.fields.entry("_users").or_insert_with(|| json!([]));
        if let Value::Array(users) = users
            && !users.contains(&campaign)
        {
            users.push(campaign);
        }
    });
}

/// "The budget's name and status will stay in sync with the campaign's" where it is not explicitly shared.
fn rename_budget(tx: &mut Tx<'_>, budget: &str, name: &str) {
    let Some(handle) = tx.world.store.find(NAME, budget) else {
        return;
    };
    if tx
        .world
        .store
        .get(handle)
        .fields
        .get("explicitlyShared")
        .and_then(Value::as_bool)
        == Some(false)
    {
        tx.world
            .store
            .change(handle, "named after its campaign", |object| {
                object.fields.insert("name".into(), name.into());
            });
    }
}

fn attach_budget(tx: &mut Tx<'_>, campaign: Handle) {
    let object = tx.world.store.get(campaign);
    let (key, budget, name) = (
        object.key.clone(),
        object.text("campaignBudget").to_owned(),
        object.text("name").to_owned(),
    );
    note_user(tx, &budget, &key);
    rename_budget(tx, &budget, &name);
}

fn remove_campaign(tx: &mut Tx<'_>, handle: Handle) -> Ruling<()> {
    let budget = tx.referenced(&tx.world.store.get(handle).fields, "campaignBudget");
    if let Some(budget) = budget
        && tx
            .world
            .store
            .get(budget)
            .fields
            .get("explicitlyShared")
            .and_then(Value::as_bool)
            == Some(false)
        && !tx.removed(budget)
    {
        tx.set_removed(budget);
    }
    Ok(())
}

// Campaign criteria.

fn create_campaign_criterion(tx: &mut Tx<'_>, mut fields: Fields) -> Ruling<Handle> {
    let Some(campaign) = tx.referenced(&fields, "campaign") else {
        return Err(vec![Fault::required("campaign")]);
    };
    default(&mut fields, "negative", false);
    default(&mut fields, "status", "ENABLED");
    let found = criterion(&fields)?;
    let negative = fields.get("negative").and_then(Value::as_bool).unwrap_or(false);
    if found.ty == "KEYWORD" && !negative {
        let message = "Only negative keywords can be added to a campaign.";
        return Err(vec![
            Fault::new("criterionError", "CANNOT_ADD_CRITERIA_TYPE", message).at("keyword"),
        ]);
    }
    let siblings = &tx.world.store.get(campaign).children;
    let twin = siblings.iter().map(|h| tx.world.store.get(*h)).find(|o| {
        o.kind == "campaign_criterion" && o.text("_same") == found.same && o.text("status") != "REMOVED"
    });
    if let Some(twin) = twin {
        let other = twin
            .fields
            .get("negative")
            .and_then(Value::as_bool)
            .unwrap_or(false)
            != negative;
        let (code, message) = if other {
            (
                "CANNOT_TARGET_AND_EXCLUDE",
                "Cannot target and exclude the same criterion at once.",
            )
        } else {
            (
                "CANNOT_ADD_EXISTING_FIELD",
                "A criterion that exists can be updated with UPDATE operation only.",
            )
        };
        return Err(vec![Fault::new("campaignCriterionError", code, message)]);
    }
    let criterion_id = found.id.unwrap_or_else(|| tx.world.ids.google());
    let id = format!("{}~{criterion_id}", tx.world.store.get(campaign).id);
    fields.insert("criterionId".into(), criterion_id.into());
    fields.insert("type".into(), found.ty.into());
    fields.insert("_same".into(), found.same.into());
    fields.insert("_name".into(), found.label.into());
    Ok(tx.make("campaign_criterion", id, Some(campaign), fields))
}

// Labels.

fn create_label(tx: &mut Tx<'_>, mut fields: Fields) -> Ruling<Handle> {
    none(label_faults(tx, &fields, None))?;
    let id = tx.world.ids.google();
    fields.insert("id".into(), id.clone().into());
    default(&mut fields, "status", "ENABLED");
    Ok(tx.make("label", id, None, fields))
}

fn label_faults(tx: &Tx<'_>, fields: &Fields, own: Option<Handle>) -> Vec<Fault> {
    let name = text(fields, "name");
    if name.is_empty() {
        return vec![Fault::required("name")];
    }
    if name.chars().count() > 80 {
        return vec![
            Fault::new("labelError", "INVALID_LABEL_NAME", "The name is too long.")
                .at("name")
                .because(name),
        ];
    }
    if namesakes(tx, "label", name, own).is_empty() {
        return Vec::new();
    }
    let message = "The label name must be unique.";
    vec![
        Fault::new("labelError", "DUPLICATE_NAME", message)
            .at("name")
            .because(name),
    ]
}

/// Links a label to a campaign or an ad group: once, and at most 50 to one of them.
pub(super) fn link_label(
    tx: &mut Tx<'_>,
    mut fields: Fields,
    owner: &str,
    resource: &'static str,
) -> Ruling<Handle> {
    let (Some(parent), Some(label)) = (tx.referenced(&fields, owner), tx.referenced(&fields, "label")) else {
        let missing = if fields.contains_key(owner) {
            "label".to_owned()
        } else {
            super::mutate::snake(owner)
        };
        return Err(vec![Fault::required(&missing)]);
    };
    if tx.removed(label) {
        return Err(vec![gone().at("label")]);
    }
    let id = format!(
        "{}~{}",
        tx.world.store.get(parent).id,
        tx.world.store.get(label).id
    );
    let key = super::resource_name(&tx.customer, resource, &id);
    let (family, code) = if resource == "campaign_label" {
        ("campaignError", "CAMPAIGN_LABEL_ALREADY_EXISTS")
    } else {
        ("adGroupError", "ADGROUP_LABEL_ALREADY_EXISTS")
    };
    if tx.world.store.find(NAME, &key).is_some_and(|h| !tx.removed(h)) {
        return Err(vec![Fault::new(family, code, "The label is already attached.")]);
    }
    let label = tx.world.store.get(label);
    let (label_key, label_name) = (label.key.clone(), label.text("name").to_owned());
    fields.insert("_index".into(), label_key.into());
    fields.insert("_name".into(), label_name.into());
    Ok(tx.make(resource, id, Some(parent), fields))
}
