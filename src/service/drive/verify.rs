//! What the platform really holds, against what should be there: nothing is switched on before this has passed.
//!
//! Must not send anything, except to pause what should never have been on.

use super::{Drive, Halt, fail, wait_for};
use crate::domain::error::{ErrorClass, LegError};
use crate::domain::manifest::{Desired, ObjectState, Serving};
use crate::domain::saga::Report;
use crate::domain::tracking;
use crate::platform::{Eligibility, Reading};
use crate::store::progress::{Then, Wait};
use serde_json::{Value, json};

/// How often a built leg is read again before what is missing there counts as missing.
const READ_BACK_TRIES: i32 = 8;

impl Drive {
    /// Reads back what the platform really holds and checks that.
    pub(super) async fn verify(&mut self, desired: &[Desired]) -> Result<Then, Halt> {
        let reading = self.read().await?;
        for wanted in desired {
            let Some(seen) = reading.objects.iter().find(|o| o.key == wanted.key) else {
                let what = format!("the platform does not show {}", wanted.key);
                if self.polls(Wait::ReadBack) < READ_BACK_TRIES {
                    return Err(wait_for(Wait::ReadBack, self.settle() / 2, what + " yet"));
                }
                return Err(self.missing(what, desired, &reading));
            };
            if wanted.switchable && seen.serving == Serving::Active && !self.switched_on(&wanted.key) {
                return self.born_active(&wanted.key, &reading).await;
            }
            if let Some((field, wanted, found)) = first_difference(&wanted.fields, &seen.fields) {
                return Err(fail(
                    Report::Failed,
                    LegError {
                        field: Some(format!("{}.{field}", seen.key)),
                        ..LegError::new(
                            ErrorClass::Validation,
                            "read-back-differs",
                            format!(
                                "{}.{field} should be {wanted} and the platform holds {found}",
                                seen.key
                            ),
                            "correct the plan so that the platform keeps it as it is, then `retry`",
                        )
                    },
                ));
            }
        }
        self.check_tracking(&reading)?;
        if let Eligibility::Disapproved(finding) = reading.eligibility {
            return Err(fail(Report::Failed, *finding));
        }
        self.pending.finding = reading.finding;
        self.pending.spec_applied = true;
        Ok(Then::Finish {
            report: Report::Built,
            error: None,
        })
    }

    /// What is not there after all this time was removed by somebody, or the platform is very slow: a `retry` looks for it by its name
    /// before it makes it again. But not the campaign: a second one must not be made for a list that came back empty.
    fn missing(&mut self, what: String, desired: &[Desired], reading: &Reading) -> Halt {
        let there = |key: &str| reading.objects.iter().any(|seen| seen.key == key);
        let remedy = if there("campaign") {
            for wanted in desired.iter().filter(|d| !there(&d.key)) {
                if let Some(object) = self.manifest.objects.iter_mut().find(|o| o.key == wanted.key) {
                    object.state = ObjectState::Intended;
                }
            }
            self.pending.manifest = true;
            "see the platform's own screens whether somebody removed it; `retry` makes it again"
        } else {
            "see the platform's own screens whether somebody removed it; `drift --mend` makes it again"
        };
        let error = LegError::new(ErrorClass::Validation, "read-back-missing", what, remedy);
        fail(Report::Failed, error)
    }

    fn check_tracking(&mut self, reading: &Reading) -> Result<(), Halt> {
        let rule = self.tools.platform.traits().tracking;
        let campaign = self.manifest.campaign_id().unwrap_or_default().to_owned();
        match tracking::check(rule, reading.auto_tagging, &campaign, &reading.tracking) {
            Ok(mode) => {
                self.manifest.tracking_mode = Some(mode);
                self.pending.manifest = true;
                self.record(
                    "tracking.verified",
                    json!({ "tracking_mode": mode, "places": reading.tracking.len() }),
                );
                Ok(())
            }
            Err(violations) => {
                let all: Vec<String> = violations
                    .iter()
                    .map(|v| format!("{} {}: {}", v.object, v.field, v.what))
                    .collect();
                self.record("tracking.refused", json!({ "violations": all }));
                Err(fail(
                    Report::Failed,
                    LegError {
                        field: violations.first().map(|v| format!("{}.{}", v.object, v.field)),
                        ..LegError::new(
                            ErrorClass::Validation,
                            "tracking-qc",
                            all.join("; "),
                            "nothing was switched on; correct the tracking and `retry`",
                        )
                    },
                ))
            }
        }
    }

    /// We switched it on ourselves, before its change was asked for; or may have.
    fn switched_on(&self, key: &str) -> bool {
        let on = self
            .manifest
            .get(key)
            .is_some_and(|o| o.serving == Serving::Active);
        on || self.may_be_on(key)
    }

    /// Something that was made paused is on: off with it at once, then a person must look.
    async fn born_active(&mut self, key: &str, reading: &Reading) -> Result<Then, Halt> {
        let on: Vec<&str> = reading
            .objects
            .iter()
            .filter(|seen| seen.serving == Serving::Active)
            .map(|seen| seen.key.as_str())
            .collect();
        for object in &mut self.manifest.objects {
            if object.serving == Serving::Paused && on.contains(&object.key.as_str()) {
                object.serving = Serving::Active;
            }
        }
        self.pending.manifest = true;
        // It is not put back as it was before a pause.
        self.held = None;
        self.switch_off_for_certain().await?;
        Err(fail(
            Report::Failed,
            LegError::new(
                ErrorClass::Validation,
                "not-paused",
                format!("{key} was on although it was made paused; it was paused at once"),
                "find out who switched it on, then `retry`",
            ),
        ))
    }
}

/// The first field of `wanted` that `found` holds otherwise: its path and both values.
fn first_difference(wanted: &Value, found: &Value) -> Option<(String, Value, Value)> {
    let (Value::Object(w), Value::Object(f)) = (wanted, found) else {
        return (wanted != found).then(|| (String::new(), wanted.clone(), found.clone()));
    };
    w.iter().find_map(|(name, value)| {
        let other = f.get(name).unwrap_or(&Value::Null);
        let (path, a, b) = first_difference(value, other)?;
        Some((
            if path.is_empty() {
                name.clone()
            } else {
                format!("{name}.{path}")
            },
            a,
            b,
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_named_by_its_path() {
        let wanted = json!({ "a": 1, "b": { "c": [1, 2] } });
        assert_eq!(
            first_difference(&wanted, &json!({ "a": 1, "b": { "c": [1, 2], "d": 0 }, "e": 1 })),
            None
        );
        let (path, ..) = first_difference(&wanted, &json!({ "a": 1, "b": { "c": [2, 1] } })).unwrap();
        assert_eq!(path, "b.c");
        assert_eq!(
            first_difference(&wanted, &json!({ "b": wanted["b"] })).unwrap().0,
            "a"
        );
    }
}
