//! Whether TikTok would serve a campaign: what review and the statuses of its ads say together. Pure.
//!
//! Must not ask. `secondary_status` tells what keeps an ad from being shown, the nearest reason first, so it hides the review of what
//! is off; `/ad/review_info/` tells the review alone. Neither is enough. There is no promise how long a review takes.

use super::reading::{alive, text};
use crate::domain::error::{ErrorClass, LegError};
use crate::platform::Eligibility;
use serde_json::{Map, Value};

/// Its start has not come.
const NOT_BEGUN: &[&str] = &["AD_STATUS_NOT_START", "AD_STATUS_AD_PRE_ONLINE"];

/// Shown, or it would be if its day's budget were not used up, its flight were not over.
const SERVES: &[&str] = &[
    "AD_STATUS_DELIVERY_OK",
    "AD_STATUS_PARTIAL_AUDIT_DELIVERY_OK",
    "AD_STATUS_REVIEW_PARTIALLY_APPROVED",
    "AD_STATUS_CAMPAIGN_EXCEED",
    "AD_STATUS_BUDGET_EXCEED",
    "AD_STATUS_DONE",
];

/// Being looked at.
const WAITS: &[&str] = &[
    "AD_STATUS_AUDIT",
    "AD_STATUS_REAUDIT",
    "AD_STATUS_ADVERTISER_AUDIT",
    "AD_STATUS_ADGROUP_PARTIAL_AUDIT_NO_DELIVERY",
    "AD_STATUS_PARTIAL_AUDIT_NO_DELIVERY",
    "AD_STATUS_PROCESS_AUDIO",
];

/// Off.
const OFF: &[&str] = &[
    "",
    "AD_STATUS_DISABLE",
    "AD_STATUS_ADGROUP_DISABLE",
    "AD_STATUS_CAMPAIGN_DISABLE",
];

fn of<'r>(ad: &Value, reviews: &'r Map<String, Value>) -> &'r Value {
    reviews.get(text(ad, "ad_id")).unwrap_or(&Value::Null)
}

/// Whether review refused the ad for good.
fn denied(ad: &Value, reviews: &Map<String, Value>) -> bool {
    let review = of(ad, reviews);
    let refused = review
        .get("reject_info")
        .and_then(Value::as_array)
        .is_some_and(|r| !r.is_empty());
    let nowhere = text(review, "review_status") == "UNAVAILABLE" && refused;
    nowhere || text(ad, "secondary_status").ends_with("_AUDIT_DENY")
}

/// What the platform would do with the campaign, and what of it review refused.
pub(super) fn review(
    campaign: Option<&Value>,
    ads: &[Value],
    reviews: &Map<String, Value>,
) -> (Eligibility, Option<Box<LegError>>) {
    let ads: Vec<&Value> = ads.iter().filter(|ad| alive(ad)).collect();
    let refused: Vec<&Value> = ads.iter().copied().filter(|ad| denied(ad, reviews)).collect();
    let finding = refused
        .first()
        .map(|ad| Box::new(disapproval(ad, of(ad, reviews), refused.len(), ads.len())));
    (eligibility(campaign, &ads, &refused, finding.as_deref()), finding)
}

fn eligibility(
    campaign: Option<&Value>,
    ads: &[&Value],
    refused: &[&Value],
    finding: Option<&LegError>,
) -> Eligibility {
    let Some(campaign) = campaign else {
        return Eligibility::Paused;
    };
    let in_state = |states: &[&str]| {
        ads.iter()
            .find(|ad| states.contains(&text(ad, "secondary_status")))
    };
    if in_state(SERVES).is_some() {
        return Eligibility::Eligible;
    }
    if in_state(NOT_BEGUN).is_some() {
        return Eligibility::NotBegun;
    }
    if let Some(finding) = finding
        && refused.len() == ads.len()
    {
        return Eligibility::Disapproved(Box::new(finding.clone()));
    }
    if text(campaign, "operation_status") != "ENABLE" {
        return Eligibility::Paused;
    }
    if in_state(&["AD_STATUS_BALANCE_EXCEED"]).is_some() {
        let payer = LegError {
            platform_code: Some("AD_STATUS_BALANCE_EXCEED".to_owned()),
            ..LegError::payer("tiktok", "the ad account's balance is used up")
        };
        return Eligibility::Disapproved(Box::new(payer));
    }
    if in_state(WAITS).is_some() {
        return Eligibility::InReview;
    }
    if let Some(finding) = finding {
        return Eligibility::Disapproved(Box::new(finding.clone()));
    }
    match ads.iter().find(|ad| !OFF.contains(&text(ad, "secondary_status"))) {
        Some(ad) => Eligibility::Disapproved(Box::new(issue(ad))),
        None => Eligibility::Paused,
    }
}

/// What review found about the first of them, as the vendor words it: reasons and what to do.
fn disapproval(ad: &Value, review: &Value, refused: usize, all: usize) -> LegError {
    let info = review.get("reject_info").and_then(Value::as_array);
    let mut said = Vec::new();
    for reject in info.into_iter().flatten() {
        let reasons = reject.get("reasons").and_then(Value::as_array);
        said.extend(reasons.into_iter().flatten().filter_map(Value::as_str));
        said.extend(Some(text(reject, "suggestion")).filter(|s| !s.is_empty()));
    }
    let said: String = said.join("; ").chars().take(1000).collect();
    let appeal = text(review, "appeal_status");
    LegError {
        platform_code: Some(text(ad, "secondary_status").to_owned()).filter(|s| !s.is_empty()),
        platform_message: (!said.is_empty()).then_some(said),
        // An ad group's rejection can be appealed against once (/adgroup/appeal/).
        exemptible: Some(matches!(appeal, "" | "NOT_APPEALED")),
        ..LegError::new(
            ErrorClass::Policy,
            "tiktok-disapproved",
            match refused {
                1 => format!("TikTok disapproved {}", text(ad, "ad_name")),
                _ => format!(
                    "TikTok disapproved {refused} of {all} ads, the first of them {}",
                    text(ad, "ad_name")
                ),
            },
            "change the creative, or appeal in TikTok Ads Manager, then `retry`",
        )
    }
}

/// What else keeps it from being shown. A qualification of the industry that is missing, over or denied is a matter of policy.
fn issue(ad: &Value) -> LegError {
    let status = text(ad, "secondary_status");
    let class = if status.contains("INDUSTRY_QUALIFICATION") {
        ErrorClass::Policy
    } else {
        ErrorClass::Validation
    };
    LegError {
        platform_code: Some(status.to_owned()),
        ..LegError::new(
            class,
            "tiktok-issue",
            format!("TikTok does not deliver {}: {status}", text(ad, "ad_name")),
            "mend what the status names, then `retry`",
        )
    }
}
