//! The rules of campaigns.
//!
//! Must not know how operations, masks and temporary ids work (`mutate.rs`). Unless said otherwise a rule's source is the
//! comment of its field or error in `resources/*.proto` and `errors/*.proto` of
//! <https://github.com/googleapis/googleapis/tree/master/google/ads/googleads/v25>.

use super::accounts::today;
use super::derived::users;
use super::errors::Fault;
use super::mutate::{Kind, Ruling, Tx, snake};
use super::request::Operation;
use super::rules::{Fields, default, namesakes, none, text};
use super::{NAME, channels, resource_name, urls};
use crate::sandbox::store::{Draft, Handle, Object};
use crate::sandbox::world::World;
use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use serde_json::{Value, json};

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
        "demandGenCampaignSettings",
        "hotelSetting",
        "shoppingSetting.merchantId",
        "shoppingSetting.useVehicleInventory",
    ],
    references: &[("campaignBudget", "campaign_budget")],
    create: Some(create_campaign),
    update: Some(update_campaign),
    remove: Some(remove_campaign),
};

/// The members of `campaign_bidding_strategy`.
pub(super) const BIDDING: &[&str] = &[
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
    .map(|field| Fault::required(&snake(field)))
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
        if text(after, field).is_empty() && !before.text(field).is_empty() {
            let message = "The field cannot be cleared.";
            let fault = Fault::new("fieldError", "FIELD_CANNOT_BE_CLEARED", message);
            faults.push(fault.at(&snake(field)));
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
            let ty = snake(strategy).to_uppercase();
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
    faults.extend(channels::campaign(tx, fields));
    faults.extend(channels::frequency_caps(fields));
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
    let own_budget = matches!(
        text(fields, "advertisingChannelType"),
        "PERFORMANCE_MAX" | "DEMAND_GEN"
    );
    if shared && own_budget {
        let code = "CAMPAIGN_BUDGET_CANNOT_BE_SHARED";
        faults.push(
            Fault::new(
                "campaignBudgetError",
                code,
                "The campaign budget cannot be shared.",
            )
            .at(at),
        );
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

/// A campaign of the time before campaigns had to say whether they have EU political advertising.
pub(super) fn old(world: &mut World, customer: &str, name: &str) {
    let id = world.ids.google();
    let key = resource_name(customer, "campaign", &id);
    let fields = json!({
        "resourceName": key, "id": id, "name": name, "status": "ENABLED", "advertisingChannelType": "SEARCH", "manualCpc": {},
        "biddingStrategyType": "MANUAL_CPC",
    });
    world.store.create(Draft {
        vendor: NAME,
        account: customer.to_owned(),
        kind: "campaign",
        id,
        key: key.clone(),
        parent: None,
        fields: fields.as_object().cloned().unwrap_or_default(),
        what: "exists".to_owned(),
    });
    let account = world.store.find(NAME, &format!("customers/{customer}"));
    if let Some(account) = account {
        world.store.change(account, "", |object| {
            object.fields.insert("_undeclared".into(), key.into());
        });
    }
    world.store.commit();
}

/// "If the account has any campaign that declares nothing about EU political advertising, all of its campaigns are closed to
/// changes but the declaration": <https://developers.google.com/google-ads/api/docs/api-policy/eu-par>.
pub(super) fn undeclared(world: &World, customer: &str, operations: &[Operation]) -> Option<Fault> {
    let account = world.store.find(NAME, &format!("customers/{customer}"))?;
    let campaign = world
        .store
        .find(NAME, world.store.get(account).text("_undeclared"))?;
    let campaign = world.store.get(campaign);
    if declared(campaign) || campaign.text("status") == "REMOVED" {
        return None;
    }
    let harmless = |operation: &Operation| {
        matches!(operation.kind.resource, "customer" | "asset" | "label")
            || operation.body.get("updateMask").and_then(Value::as_str)
                == Some("containsEuPoliticalAdvertising")
    };
    let message = "The customer has a campaign without a declaration about EU political advertising.";
    operations
        .iter()
        .find(|operation| !harmless(operation))
        .map(|operation| {
            Fault::new(
                "mutateError",
                "EU_POLITICAL_ADVERTISING_DECLARATION_REQUIRED",
                message,
            )
            .under(&operation.prefix)
        })
}

/// Whether a campaign says something about EU political advertising.
pub(super) fn declared(campaign: &Object) -> bool {
    !campaign.text("containsEuPoliticalAdvertising").is_empty()
}
