//! What a rollback cannot undo: said before it is asked for, and in its event.
//!
//! Must not guess: what is told follows from the manifest and from what was sent.

use super::manifest::Manifest;
use super::saga::LegState;
use serde::{Deserialize, Serialize};

/// Something that stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stay {
    /// What: `campaign`, `label …`, `asset …`, `account …`.
    pub what: String,
    /// What the platform calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform_id: Option<String>,
    /// Why.
    pub why: String,
}

/// What was done for a leg besides its own objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Beside {
    /// An asset is in the account's library.
    Upload {
        /// What our library calls it.
        asset_id: String,
        /// What the platform calls it.
        platform_id: Option<String>,
    },
    /// A setting of the account was changed.
    Account {
        /// What was done: `turn auto-tagging on`.
        what: String,
    },
}

/// A leg that goes back, or has.
#[derive(Debug, Clone, Copy)]
pub struct Back<'a> {
    /// Where it stands (when it is at rest).
    pub state: LegState,
    /// The version that its campaign was taken over from.
    pub taken_from: Option<&'a str>,
    /// What was made, as it is afterwards.
    pub manifest: Option<&'a Manifest>,
    /// What was done besides.
    pub beside: &'a [Beside],
}

/// What stays of a leg.
#[must_use]
pub fn stays(back: &Back<'_>) -> Vec<Stay> {
    let mut stays = Vec::new();
    if let Some(manifest) = back.manifest {
        of_manifest(back, manifest, &mut stays);
    }
    for beside in back.beside {
        stays.push(match beside {
            Beside::Upload {
                asset_id,
                platform_id,
            } => Stay {
                what: format!("asset {asset_id}"),
                platform_id: platform_id.clone(),
                why: "what was uploaded stays in the account's library, where others may use it".to_owned(),
            },
            Beside::Account { what } => Stay {
                what: match back.manifest {
                    Some(manifest) => format!("account {}", manifest.account_id),
                    None => "account".to_owned(),
                },
                platform_id: None,
                why: format!("{what}: a setting of the account that other campaigns may rely on"),
            },
        });
    }
    stays
}

fn of_manifest(back: &Back<'_>, manifest: &Manifest, stays: &mut Vec<Stay>) {
    let parts = manifest.existing().filter(|o| o.key != "campaign").count();
    if let Some(id) = manifest.campaign_id() {
        let why = match (back.state, back.taken_from) {
            (LegState::Superseded, _) => {
                "a newer plan version has it, and it is that version's to roll back".to_owned()
            }
            (LegState::Stuck, _) => {
                "it could not be undone and may still be on: `retry` tries again".to_owned()
            }
            (_, Some(older)) => format!("it goes back to {older}, which it was taken over from"),
            (_, None) => format!(
                "paused, with its {parts} parts: it has spent, or the platform does not tell whether it has, and its reports are kept"
            ),
        };
        stays.push(Stay {
            what: "campaign".to_owned(),
            platform_id: Some(id.to_owned()),
            why,
        });
        return;
    }
    for object in manifest.existing() {
        stays.push(Stay {
            what: format!(
                "{} {}",
                object.kind,
                object.name.as_deref().unwrap_or(&object.key)
            ),
            platform_id: object.remote_id.clone(),
            why: "the platform keeps it when the campaign is removed".to_owned(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{LegKey, LogicalKey, PlanVersion, PlatformId, TenantId};
    use crate::domain::manifest::{ObjectState, RemoteObject, Serving};
    use serde_json::Value;

    fn manifest(objects: &[(&str, ObjectState)]) -> Manifest {
        Manifest {
            leg: LegKey {
                tenant_id: TenantId::parse("acme").expect("a tenant"),
                plan_version: PlanVersion::parse("v.1").expect("a version"),
                platform: PlatformId::parse("meta").expect("a platform"),
                logical_campaign_key: LogicalKey::parse("k").expect("a key"),
            },
            account_id: "act_1".to_owned(),
            campaign_name: "n".to_owned(),
            revision: 1,
            mutation_count: 1,
            tracking_mode: None,
            objects: objects
                .iter()
                .map(|(key, state)| RemoteObject {
                    key: (*key).to_owned(),
                    kind: (*key).to_owned(),
                    parent: None,
                    name: None,
                    state: *state,
                    remote_id: Some(format!("id-{key}")),
                    serving: Serving::Paused,
                    applied: Value::Null,
                    unheard_updates: Vec::new(),
                    may_be_off: false,
                })
                .collect(),
        }
    }

    #[test]
    fn what_stays_is_what_is_still_there_and_what_was_done_besides() {
        use ObjectState::{Created, Removed};
        let back = |manifest, state, taken_from| {
            stays(&Back {
                state,
                taken_from,
                manifest: Some(manifest),
                beside: &[],
            })
        };
        let gone = manifest(&[("campaign", Removed), ("adset", Removed), ("label", Created)]);
        let left = back(&gone, LegState::Undone, None);
        assert_eq!((left.len(), left[0].what.as_str()), (1, "label label"));
        let spent = manifest(&[("campaign", Created), ("adset", Created)]);
        let left = back(&spent, LegState::Undone, None);
        assert_eq!(left.len(), 1, "its parts go with it");
        assert_eq!(left[0].platform_id.as_deref(), Some("id-campaign"));
        assert!(left[0].why.contains("with its 1 parts"), "{left:?}");
        assert!(
            back(&spent, LegState::Stuck, None)[0]
                .why
                .contains("may still be on")
        );
        assert!(back(&spent, LegState::Undone, Some("v.0"))[0].why.contains("v.0"));
        let beside = [
            Beside::Upload {
                asset_id: "a".to_owned(),
                platform_id: Some("7".to_owned()),
            },
            Beside::Account {
                what: "turn auto-tagging on".to_owned(),
            },
        ];
        let left = stays(&Back {
            state: LegState::Undone,
            taken_from: None,
            manifest: None,
            beside: &beside,
        });
        assert_eq!(left.len(), 2);
        assert!(left[1].why.starts_with("turn auto-tagging on"));
    }
}
