//! The log of changes: what it demands, what it tells.

use super::*;

const EVENTS: &str = "SELECT change_event.change_date_time, change_event.client_type, change_event.user_email, \
    change_event.change_resource_type, change_event.change_resource_name, change_event.resource_change_operation, \
    change_event.changed_fields, change_event.campaign FROM change_event";

fn day(days: i64) -> String {
    (chrono::Utc::now() + chrono::TimeDelta::days(days))
        .format("%Y-%m-%d")
        .to_string()
}

#[test]
fn a_range_within_thirty_days_and_a_limit_are_demanded() {
    let (mut world, _) = built();
    let mut refused = |rest: String| {
        let (status, body) = post(
            &mut world,
            "/googleAds:search",
            &json!({ "query": format!("{EVENTS} {rest}") }),
        );
        (status, codes(&body))
    };
    let code = |code: &str| (400, vec![format!("changeEventError.{code}")]);
    let at = "change_event.change_date_time";
    let within =
        |first: i64, last: i64| format!("WHERE {at} >= '{}' AND {at} <= '{}'", day(first), day(last));
    // Rule: google-ads.changes-within-a-range
    assert_eq!(refused("LIMIT 10".to_owned()), code("CHANGE_DATE_RANGE_INFINITE"));
    assert_eq!(
        refused(format!("WHERE {at} >= '{}' LIMIT 10", day(-2))),
        code("CHANGE_DATE_RANGE_INFINITE")
    );
    // Rule: google-ads.changes-of-thirty-days
    assert_eq!(
        refused(format!("{} LIMIT 10", within(-33, 1))),
        code("START_DATE_TOO_OLD")
    );
    assert_eq!(
        refused(format!("{} LIMIT 10", within(-1, -3))),
        code("CHANGE_DATE_RANGE_NEGATIVE")
    );
    // Rule: google-ads.changes-have-a-limit
    assert_eq!(refused(within(-2, 1)), code("LIMIT_NOT_SPECIFIED"));
    // Rule: google-ads.changes-to-ten-thousand
    assert_eq!(
        refused(format!("{} LIMIT 10001", within(-2, 1))),
        code("INVALID_LIMIT_CLAUSE")
    );
    assert_eq!(refused(format!("{} LIMIT 10000", within(-2, 1))).0, 200);
}

#[test]
fn it_tells_who_changed_which_fields_of_what() {
    let (mut world, campaign) = built();
    let change = json!([{ "campaignOperation": {
        "update": { "resourceName": campaign, "name": "By hand", "status": "ENABLED" }, "updateMask": "name,status",
    } }]);
    assert_eq!(mutate(&mut world, change).0, 200);
    let remove = json!([{ "campaignOperation": { "remove": campaign } }]);
    assert_eq!(mutate(&mut world, remove).0, 200);
    let at = "change_event.change_date_time";
    let query = format!(
        "{EVENTS} WHERE {at} >= '{}' AND {at} <= '{}' AND change_event.campaign = '{campaign}' ORDER BY {at} DESC LIMIT 100",
        day(-2),
        day(2)
    );
    let events = find(&mut world, &query);
    let of: Vec<&Value> = events
        .iter()
        .map(|row| &row["changeEvent"])
        .filter(|event| event["changeResourceType"] == "CAMPAIGN")
        .collect();
    let said: Vec<(&str, &str)> = of
        .iter()
        .map(|event| {
            (
                event["resourceChangeOperation"].as_str().unwrap(),
                event["changedFields"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        said,
        [("REMOVE", "status"), ("UPDATE", "name,status"), ("CREATE", "")]
    );
    assert_eq!(of[1]["clientType"], "GOOGLE_ADS_WEB_CLIENT");
    assert!(of[1]["userEmail"].as_str().unwrap().contains('@'));
    assert!(of[1].get("adGroup").is_none(), "only what was selected");
    let kinds: Vec<&Value> = events
        .iter()
        .map(|e| &e["changeEvent"]["changeResourceType"])
        .collect();
    assert!(kinds.contains(&&json!("AD_GROUP_AD")), "{kinds:?}");
}
