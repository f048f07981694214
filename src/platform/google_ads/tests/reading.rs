//! What Google answers is read back as what was desired, and found again by names and content.

use super::super::wire::{Row, SearchResponse};
use super::super::{lookup, queries, reading};
use super::*;
use crate::domain::tracking::{self, Mode};
use crate::platform::{Eligibility, Reading};

fn testdata(text: &str) -> Vec<Row> {
    serde_json::from_str::<SearchResponse>(text).unwrap().results
}

fn now() -> chrono::DateTime<chrono::Utc> {
    utc("2026-11-20T09:30:00Z")
}

fn read_example() -> (LegSpec, Manifest, Vec<Row>) {
    let spec = spec();
    let manifest = built(&spec);
    (
        spec,
        manifest,
        testdata(include_str!("../testdata/read.answer.json")),
    )
}

fn field_by_field(spec: &LegSpec, reading: &Reading) {
    let wanted = desired(spec);
    assert_eq!(reading.objects.len(), wanted.len());
    for object in wanted {
        let seen = reading
            .objects
            .iter()
            .find(|seen| seen.key == object.key)
            .unwrap();
        assert_eq!(seen.fields, object.fields, "{}", object.key);
    }
}

#[test]
fn what_google_answers_is_read_as_what_was_desired() {
    let (spec, manifest, rows) = read_example();
    let reading = reading::reading(&manifest, &rows, now());
    field_by_field(&spec, &reading);
    assert_eq!(reading.auto_tagging, Some(true));
    assert_eq!(reading.eligibility, Eligibility::Paused);
    assert_eq!(reading.spent, Some(false));
    let rule = GoogleAds.traits().tracking;
    assert_eq!(
        tracking::check(rule, reading.auto_tagging, "13", &reading.tracking),
        Ok(Mode::AutoTagging)
    );
    let places: Vec<&str> = reading.tracking.iter().map(|o| o.field.as_str()).collect();
    assert_eq!(
        places,
        [
            "final_url_suffix",
            "url_custom_parameters",
            "url_custom_parameters",
            "final_urls[0]"
        ]
    );
}

#[test]
fn a_utm_anywhere_is_seen_even_in_what_is_not_ours() {
    let (_, manifest, mut rows) = read_example();
    let mut foreign = rows.iter().find(|row| row.ad_group_ad.is_some()).unwrap().clone();
    let link = foreign.ad_group_ad.as_mut().unwrap();
    link.resource_name = Some("customers/1234567890/adGroupAds/17~999".into());
    link.ad.as_mut().unwrap().tracking_url_template = Some("{lpurl}?utm_source=google".into());
    rows.push(foreign);
    let reading = reading::reading(&manifest, &rows, now());
    let violations =
        tracking::check(tracking::Rule::AutoTagging, Some(true), "13", &reading.tracking).unwrap_err();
    assert_eq!(violations[0].object, "ad_group_ad/17~999");
    assert_eq!(reading.objects.len(), manifest.objects.len());
}

#[test]
fn disapproval_review_and_serving_are_told_apart() {
    let (_, manifest, rows) = read_example();
    let judge = |campaign: &str, primary: &str, approval: &str, review: &str| {
        let mut rows = rows.clone();
        for row in &mut rows {
            if let Some(c) = &mut row.campaign {
                c.status = Some(campaign.into());
                c.primary_status = Some(primary.into());
            }
            if let Some(ad) = &mut row.ad_group_ad {
                let policy = ad.policy_summary.get_or_insert_default();
                policy.approval_status = Some(approval.into());
                policy.review_status = Some(review.into());
            }
        }
        reading::reading(&manifest, &rows, now()).eligibility
    };
    assert_eq!(
        judge("ENABLED", "ELIGIBLE", "APPROVED", "REVIEWED"),
        Eligibility::Eligible
    );
    assert_eq!(
        judge("ENABLED", "PENDING", "UNKNOWN", "REVIEW_IN_PROGRESS"),
        Eligibility::NotBegun
    );
    assert_eq!(
        judge("ENABLED", "ENDED", "APPROVED", "REVIEWED"),
        Eligibility::Eligible
    );
    assert_eq!(
        judge("ENABLED", "NOT_ELIGIBLE", "UNKNOWN", "REVIEW_IN_PROGRESS"),
        Eligibility::InReview
    );
    assert_eq!(
        judge("ENABLED", "UNKNOWN", "UNKNOWN", "REVIEW_IN_PROGRESS"),
        Eligibility::InReview
    );
    assert_eq!(
        judge("PAUSED", "PAUSED", "APPROVED", "REVIEWED"),
        Eligibility::Paused
    );
    assert!(matches!(
        judge("PAUSED", "PAUSED", "DISAPPROVED", "REVIEWED"),
        Eligibility::Disapproved(_)
    ));
}

#[test]
fn a_look_up_finds_the_whole_tree_by_name_and_content() {
    let (spec, manifest, rows) = read_example();
    let mut intended = manifest.clone();
    for object in &mut intended.objects {
        object.state = ObjectState::Intended;
        object.remote_id = None;
        object.applied = Value::Null;
    }
    let keys: Vec<String> = intended.objects.iter().map(|o| o.key.clone()).collect();
    let found = lookup::found(&intended, &keys, rows);
    assert_eq!(found.len(), desired(&spec).len());
    for found in &found {
        assert_eq!(
            manifest.id(&found.key),
            Some(found.remote_id.as_str()),
            "{}",
            found.key
        );
    }
    let campaign = found.iter().find(|f| f.key == "campaign").unwrap();
    assert_eq!((campaign.serving, campaign.spent), (Serving::Paused, Some(false)));
}

/// A later version renames the ad group; what is below it is then looked up by the ad group's id.
#[test]
fn a_look_up_knows_a_renamed_parent_by_its_id() {
    let (_, mut manifest, mut rows) = read_example();
    let ad = manifest.get("ad/brand-exact/rsa-1").unwrap().clone();
    let keys = [ad.key.clone()];
    let group = manifest.id("ad_group/brand-exact").unwrap().to_owned();
    for object in manifest.objects.iter_mut().filter(|o| o.key == ad.key) {
        object.state = ObjectState::Intended;
        object.remote_id = None;
    }
    for shown in rows.iter_mut().filter_map(|row| row.ad_group.as_mut()) {
        shown.name = Some("renamed/brand-exact".into());
    }
    let found = lookup::found(&manifest, &keys, rows.clone());
    assert_eq!(found.len(), 1);
    assert_eq!(Some(found[0].remote_id.as_str()), ad.remote_id.as_deref());
    // Somebody else's ad group has the name that ours had.
    let name = manifest.get("ad_group/brand-exact").unwrap().name.clone();
    for shown in rows.iter_mut().filter_map(|row| row.ad_group.as_mut()) {
        let other = shown.resource_name.as_ref().map(|n| n.replace(&group, "99999"));
        (shown.resource_name, shown.name) = (other, name.clone());
    }
    assert_eq!(lookup::found(&manifest, &keys, rows), []);
}

#[test]
fn a_first_day_that_was_over_when_the_campaign_was_made_is_read_as_the_plans() {
    let (spec, manifest, mut rows) = read_example();
    for campaign in rows.iter_mut().filter_map(|row| row.campaign.as_mut()) {
        campaign.start_date_time = Some("2027-03-04 00:00:00".into());
    }
    let late = reading::reading(&manifest, &rows, utc("2027-03-05T09:00:00Z"));
    field_by_field(&spec, &late);
    let early = reading::reading(&manifest, &rows, now());
    let campaign = early.objects.iter().find(|o| o.key == "campaign").unwrap();
    assert_eq!(campaign.fields["start"], "2027-03-04", "somebody moved it");
}

#[test]
fn queries_quote_what_they_are_given() {
    let query = queries::campaigns_named(&["it's", r"a\b"]);
    assert!(
        query.contains(r"campaign.name IN ('it\'s', 'a\\b') AND"),
        "{query}"
    );
    let query = queries::Part::Ads.of(&["13"]);
    assert!(
        query.ends_with(
            "FROM ad_group_ad WHERE campaign.id = 13 AND campaign.status != 'REMOVED' \
         AND ad_group.status != 'REMOVED' AND ad_group_ad.status != 'REMOVED'"
        ),
        "{query}"
    );
}
