//! `change_event`: who changed our objects, as Google's own log tells. Pure.
//!
//! Must not judge whose change one was; it passes on what the log says. The log goes 30 days back, and shows a change within
//! three minutes (developers.google.com/google-ads/api/docs/change-event). A finite range and a limit of at most 10,000 are
//! demanded (`changeEventError`). Labels have no events. A budget's events name no campaign, so events are matched here: by the
//! campaign, or by the object's own resource name.

use super::kinds::id_of;
use super::wire::Row;
use crate::domain::manifest::Manifest;
use crate::platform::Change;
use chrono::{DateTime, Duration, NaiveDateTime, TimeZone, Utc};
use chrono_tz::Tz;
use std::ops::Range;

/// How far back the log goes, counted from a range's end, which may be a day ahead; an hour less, for the request's own time and
/// clock changes.
const REACH: Duration = Duration::hours(30 * 24 - 1);
/// The most rows that may be asked for.
const LIMIT: usize = 10_000;
const TIME: &str = "%Y-%m-%d %H:%M:%S";

/// The query for an account in this zone.
pub(super) fn query(zone: Tz, within: &Range<DateTime<Utc>>) -> String {
    let local = |at: DateTime<Utc>| at.with_timezone(&zone).format(TIME);
    let (first, last) = (local(within.start.max(within.end - REACH)), local(within.end));
    format!(
        "SELECT change_event.change_date_time, change_event.client_type, change_event.user_email, \
         change_event.change_resource_type, change_event.change_resource_name, \
         change_event.resource_change_operation, change_event.changed_fields, change_event.campaign \
         FROM change_event WHERE change_event.change_date_time >= '{first}' \
         AND change_event.change_date_time <= '{last}' \
         ORDER BY change_event.change_date_time DESC LIMIT {LIMIT}"
    )
}

/// What the rows say about what the manifest holds, or held, newest first.
pub(super) fn about(manifest: &Manifest, rows: &[Row], zone: Tz) -> Vec<Change> {
    let campaign = manifest.campaign_id();
    let ours = |row: &&Row| {
        let Some(event) = &row.change_event else {
            return false;
        };
        let of = event.campaign.as_deref().and_then(id_of);
        let name = event.change_resource_name.as_deref().and_then(id_of);
        let kind = event
            .change_resource_type
            .as_deref()
            .unwrap_or_default()
            .to_lowercase();
        let mut objects = manifest.objects.iter();
        (campaign.is_some() && of == campaign)
            || objects.any(|o| o.kind == kind && name.is_some() && o.remote_id.as_deref() == name)
    };
    rows.iter()
        .filter(ours)
        .filter_map(|row| change(row, zone))
        .collect()
}

fn change(row: &Row, zone: Tz) -> Option<Change> {
    let event = row.change_event.as_ref()?;
    let said = |text: &Option<String>| text.clone().unwrap_or_default();
    let through = said(&event.client_type);
    let fields = said(&event.changed_fields);
    let local =
        NaiveDateTime::parse_from_str(event.change_date_time.as_deref()?, "%Y-%m-%d %H:%M:%S%.f").ok()?;
    Some(Change {
        // Of an hour that comes twice, the first.
        at: zone.from_local_datetime(&local).earliest()?.with_timezone(&Utc),
        by: event.user_email.clone().filter(|email| !email.is_empty()),
        program: through == "GOOGLE_ADS_API",
        through,
        object: format!(
            "{} {}",
            said(&event.change_resource_type).to_lowercase(),
            event
                .change_resource_name
                .as_deref()
                .and_then(id_of)
                .unwrap_or_default()
        ),
        operation: said(&event.resource_change_operation).to_lowercase(),
        fields: fields
            .split(',')
            .filter(|f| !f.is_empty())
            .map(str::to_owned)
            .collect(),
    })
}
