//! How Meta wants things on the wire: form fields whose nested values are JSON, and the fields we read.

use serde_json::Value;

/// What an account is probed with.
pub(super) const ACCOUNT_FIELDS: &str = "account_status,disable_reason,currency,timezone_name,funding_source,balance,\
    spend_cap,amount_spent,min_daily_budget,user_tasks";
/// What a campaign is read with.
pub(super) const CAMPAIGN_FIELDS: &str = "id,name,objective,status,effective_status,special_ad_categories,\
    special_ad_category_country,daily_budget,lifetime_budget,bid_strategy,promoted_object,issues_info";
/// What an ad set is read with.
pub(super) const AD_SET_FIELDS: &str = "id,name,status,effective_status,campaign_id,billing_event,optimization_goal,\
    destination_type,targeting,start_time,end_time,bid_amount,bid_constraints,dsa_beneficiary,dsa_payor,promoted_object,\
    frequency_control_specs";
/// What an ad is read with; its creative comes along.
pub(super) const AD_FIELDS: &str = "id,name,status,effective_status,campaign_id,adset_id,ad_review_feedback,issues_info,\
    creative{id,name,object_story_spec,url_tags,product_set_id}";

/// What a creative is read with when it comes with no ad.
pub(super) const CREATIVE_FIELDS: &str = "id,name,status,object_story_spec,url_tags,product_set_id";

/// A body as form fields: scalars as they are, the rest as JSON.
pub(super) fn form(body: &Value) -> Vec<(String, String)> {
    let Some(fields) = body.as_object() else {
        return Vec::new();
    };
    fields
        .iter()
        .map(|(name, value)| {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                    value.to_string()
                }
            };
            (name.clone(), text)
        })
        .collect()
}

/// An integer that comes as a number or as a string: budgets are sent as one and come back as the other
/// (facebook-business-sdk-codegen `Campaign.json`).
pub(super) fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A time such as `2026-12-01T00:00:00+0100` in UTC, `2026-11-30T23:00:00Z`; anything else as it is.
pub(super) fn utc(text: &str) -> String {
    let parsed = chrono::DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%z");
    let parsed = parsed.or_else(|_| chrono::DateTime::parse_from_rfc3339(text));
    parsed.map_or_else(|_| text.to_owned(), |t| stamp(t.with_timezone(&chrono::Utc)))
}

/// An instant as we send and compare it.
pub(super) fn stamp(at: chrono::DateTime<chrono::Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}
