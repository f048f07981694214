//! What of a planned call only the moment of sending decides: the earliest day, what is there already, two steps of a removal.
//!
//! Must not decide whether a call may be sent. Whatever is sent more than once here is repeatable: reads, archiving, deleting.

use super::errors::{self, Call};
use super::mutations::{WANTED, kind_of};
use super::transport::{Payload, get, send};
use super::{ZONE, dates, lookup, targeting};
use crate::clock::{Clock, SystemClock};
use crate::domain::error::{ErrorClass, LegError};
use crate::outbound::Answer;
use crate::platform::{CallError, Mutation, Op, Session};
use chrono::NaiveDate;
use reqwest::Method;
use serde_json::{Value, json};

/// A call that is ready to go.
struct Ready {
    path: String,
    body: Value,
}

/// Sends a mutation. None: it is so already, or what was to go off or away is gone.
pub(super) async fn sent(
    session: &Session,
    mutation: &Mutation,
    call: Call,
) -> Result<Option<(Answer, Value)>, CallError> {
    let Some(ready) = prepared(session, mutation).await? else {
        return Ok(None);
    };
    if mutation.method == "DELETE" {
        // "The … should be archived first": archiving what is archived changes nothing.
        let path = format!("{}?updateMask=entityStatus", ready.path);
        let archive = json!({ "entityStatus": "ENTITY_STATUS_ARCHIVED" });
        match send(
            session,
            Method::PATCH,
            &path,
            Payload::Json(&archive),
            Call::Remove,
        )
        .await
        {
            Ok(_) => {}
            Err(None) => return Ok(None),
            Err(Some(error)) => return Err(error),
        }
    }
    let (method, payload) = match mutation.method.as_str() {
        "DELETE" => (Method::DELETE, Payload::None),
        "PATCH" => (Method::PATCH, Payload::Json(&ready.body)),
        _ => (Method::POST, Payload::Json(&ready.body)),
    };
    match send(session, method, &ready.path, payload, call).await {
        Ok(sent) => Ok(Some(sent)),
        // Gone serves no more.
        Err(None) if call == Call::Remove || off(mutation) => Ok(None),
        Err(None) => {
            let what = kind_of(&mutation.path).map_or("such object", |k| k.name);
            Err(CallError::refused(errors::gone(what)))
        }
        Err(Some(error)) => Err(error),
    }
}

fn off(mutation: &Mutation) -> bool {
    use crate::domain::manifest::Serving;
    matches!(
        mutation.op,
        Op::Serve {
            serving: Serving::Paused
        }
    )
}

async fn prepared(session: &Session, mutation: &Mutation) -> Result<Option<Ready>, CallError> {
    let mut ready = Ready {
        path: mutation.path.clone(),
        body: mutation.body.clone(),
    };
    if let Some(wanted) = mutation.body.get(WANTED) {
        return edited(session, ready, wanted).await;
    }
    let zone = ready.body.as_object_mut().and_then(|body| body.remove(ZONE));
    let Some(zone) = zone.as_ref().and_then(Value::as_str) else {
        return Ok(Some(ready));
    };
    let zone: chrono_tz::Tz = zone.parse().map_err(|_| {
        CallError::refused(LegError::new(
            ErrorClass::Validation,
            "dv360-zone",
            format!("{zone:?} is no time zone"),
            "see the advertiser's time zone in DV360",
        ))
    })?;
    let today = dates::today(SystemClock.now(), zone);
    if let Some(start) = ready.body.pointer_mut("/campaignFlight/plannedDates/startDate") {
        // "Must be the current date or later."
        let wanted = dates::day(start).unwrap_or(today);
        *start = dates::date(wanted.max(today));
    }
    if ready.body.pointer("/budget/budgetSegments").is_some() {
        ready = flown(session, ready, &mutation.op, today).await?;
    }
    Ok(Some(ready))
}

/// An insertion order's flight: what is there is kept where it cannot be changed, and a first day that is over is moved, which
/// its details then say. Segments are replaced as a whole, so what else one holds is sent along.
async fn flown(session: &Session, mut ready: Ready, op: &Op, today: NaiveDate) -> Result<Ready, CallError> {
    let there = match op {
        Op::Update { .. } => {
            let path = ready.path.split('?').next().unwrap_or_default();
            let there = get(session, path).await?;
            there.ok_or_else(|| CallError::refused(errors::gone("insertion_order")))?
        }
        Op::Create | Op::Serve { .. } | Op::Remove | Op::Account { .. } => Value::Null,
    };
    let Some(wanted) = ready.body.pointer("/budget/budgetSegments/0").cloned() else {
        return Ok(ready);
    };
    let mut segment = there
        .pointer("/budget/budgetSegments/0")
        .cloned()
        .unwrap_or(json!({}));
    let begun = dates::day(&segment["dateRange"]["startDate"]);
    let planned = dates::day(&wanted["dateRange"]["startDate"]).unwrap_or(today);
    let really = dates::start(planned, begun, today);
    let last = dates::day(&wanted["dateRange"]["endDate"]).unwrap_or(really);
    if last < really {
        return Err(CallError::refused(LegError {
            field: Some("/schedule/end".to_owned()),
            ..LegError::new(
                ErrorClass::Validation,
                "dv360-flight-over",
                format!("the flight ends on {last}, and DV360 can begin on {really} at the earliest"),
                "publish a plan whose flight lies in the future",
            )
        }));
    }
    segment["budgetAmountMicros"] = wanted["budgetAmountMicros"].clone();
    segment["dateRange"] = json!({ "startDate": dates::date(really), "endDate": dates::date(last) });
    ready.body["budget"]["budgetSegments"] = json!([segment]);
    let details = dates::moved(planned, really);
    match op {
        Op::Update { .. } => {
            ready.body["integrationDetails"]["details"] = json!(details);
            ready.path.push_str(",integrationDetails.details");
        }
        Op::Create | Op::Serve { .. } | Op::Remove | Op::Account { .. } if !details.is_empty() => {
            ready.body["integrationDetails"]["details"] = json!(details);
        }
        Op::Create | Op::Serve { .. } | Op::Remove | Op::Account { .. } => {}
    }
    Ok(ready)
}

/// A change of targeting: from what is assigned to what is wanted.
async fn edited(session: &Session, mut ready: Ready, wanted: &Value) -> Result<Option<Ready>, CallError> {
    let line = ready.body["lineItemIds"][0]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let there = lookup::targeting_of(session, &line).await?;
    let there: Vec<&Value> = there.iter().collect();
    Ok(targeting::edit(&line, wanted, &there).map(|edit| {
        ready.body = edit;
        ready
    }))
}
