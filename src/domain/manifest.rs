//! What we made on a platform: one manifest per leg, one entry per remote object, in the order of creation.
//!
//! Must not forget: an object is intended, created and at last removed, never taken out of the list. A written
//! intent without an id means "a call may have been made": look before anything else.

use super::ids::LegKey;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// How far an object has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectState {
    /// The intent is committed; a call may have been made.
    Intended,
    /// The platform gave an id, or we found the object and adopted it.
    Created,
    /// Gone from the platform.
    Removed,
}

/// Whether an object may spend, as we last set or read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Serving {
    /// The object has no such switch (a budget, a label, a creative).
    None,
    /// Off.
    Paused,
    /// On.
    Active,
}

macro_rules! spelled {
    ($t:ty { $($v:ident = $s:literal),+ $(,)? }) => {
        impl $t {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$v),+];
            /// As rows and messages spell it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$v => $s),+ }
            }
            /// The value that `as_str` spells so.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|v| v.as_str() == text)
            }
        }
    };
}
pub(crate) use spelled;

spelled!(ObjectState { Intended = "intended", Created = "created", Removed = "removed" });
spelled!(Serving { None = "none", Paused = "paused", Active = "active" });

/// What a platform folder wants to exist for a leg: one per remote object, parents before children.
#[derive(Debug, Clone, PartialEq)]
pub struct Desired {
    /// Unique within the leg, stable: `campaign`, `ad_group/brand-exact`, `ad/brand-exact/rsa-1`.
    pub key: String,
    /// The vendor's kind: `campaign`, `adset`, `campaign_budget` …
    pub kind: &'static str,
    /// The key of the object it belongs to.
    pub parent: Option<String>,
    /// The external name, deterministic, by which a look-up finds it; none where the vendor has no names there.
    pub name: Option<String>,
    /// What it should look like, in the adapter's normalised form: the same form that `read` gives, so that the two can
    /// be compared field by field.
    pub fields: Value,
    /// Whether it has an on/off switch: if so it is created paused.
    pub switchable: bool,
}

/// One remote object.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RemoteObject {
    /// As in [`Desired::key`].
    pub key: String,
    /// As in [`Desired::kind`].
    pub kind: String,
    /// As in [`Desired::parent`].
    pub parent: Option<String>,
    /// As in [`Desired::name`].
    pub name: Option<String>,
    /// How far it has come.
    pub state: ObjectState,
    /// The platform's id or resource name.
    pub remote_id: Option<String>,
    /// Whether it may spend.
    pub serving: Serving,
    /// The fields last applied.
    pub applied: Value,
    /// What updates since then would have made of it of which nobody heard what became: it looks like `applied`, or like one of these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unheard_updates: Vec<Value>,
    /// It was switched off since then, and nobody heard what became of that: it may be off while `serving` says on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may_be_off: bool,
}

impl RemoteObject {
    /// What is about to be made: as it is wanted, off, and without an id.
    #[must_use]
    pub fn intended(wanted: &Desired) -> Self {
        Self {
            key: wanted.key.clone(),
            kind: wanted.kind.to_owned(),
            parent: wanted.parent.clone(),
            name: wanted.name.clone(),
            state: ObjectState::Intended,
            remote_id: None,
            serving: if wanted.switchable {
                Serving::Paused
            } else {
                Serving::None
            },
            applied: wanted.fields.clone(),
            unheard_updates: Vec::new(),
            may_be_off: false,
        }
    }
}

/// What we made for one leg.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// The leg.
    pub leg: LegKey,
    /// The account it lives in.
    pub account_id: String,
    /// The campaign's name, kept once given.
    pub campaign_name: String,
    /// Counts changes that were applied; 0: nothing was.
    pub revision: i64,
    /// Mutations sent for this leg so far.
    pub mutation_count: i64,
    /// `auto_tagging`, `utm_macro`, `utm_injected`; none until QC passed.
    pub tracking_mode: Option<super::tracking::Mode>,
    /// In the order of creation.
    pub objects: Vec<RemoteObject>,
}

/// Of what may be there, at each place, the first that is not what is wanted; what is wanted where nothing else may be. None: no such
/// field.
fn unlike<'v>(wanted: Option<&'v Value>, may_be: &[Option<&'v Value>]) -> Option<Value> {
    let all = may_be.iter().copied().chain([wanted]);
    let objects: Option<Vec<&Map<String, Value>>> = all.map(|value| value?.as_object()).collect();
    let Some(objects) = objects else {
        let other = may_be.iter().find(|value| **value != wanted);
        return other.copied().unwrap_or(wanted).cloned();
    };
    let names: BTreeSet<&String> = objects.iter().flat_map(|o| o.keys()).collect();
    let fields = names.into_iter().filter_map(|name| {
        let at = |value: Option<&'v Value>| value.and_then(|v| v.get(name));
        let inner: Vec<Option<&Value>> = may_be.iter().copied().map(at).collect();
        Some((name.clone(), unlike(at(wanted), &inner)?))
    });
    Some(Value::Object(fields.collect()))
}

impl Manifest {
    /// The object with this key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&RemoteObject> {
        self.objects.iter().find(|object| object.key == key)
    }

    /// The platform's id of an object that exists.
    #[must_use]
    pub fn id(&self, key: &str) -> Option<&str> {
        let object = self.get(key)?;
        match object.state {
            ObjectState::Created => object.remote_id.as_deref(),
            ObjectState::Intended | ObjectState::Removed => None,
        }
    }

    /// As whoever switches it on has to take it: what may be off is off.
    #[must_use]
    pub fn with_doubts_off(&self) -> Cow<'_, Self> {
        let doubted = |o: &RemoteObject| o.may_be_off && o.serving == Serving::Active;
        if !self.objects.iter().any(doubted) {
            return Cow::Borrowed(self);
        }
        let mut there = self.clone();
        for object in there.objects.iter_mut().filter(|o| doubted(o)) {
            object.serving = Serving::Paused;
        }
        Cow::Owned(there)
    }

    /// As whoever changes it has to take it: where an update of which nobody heard may have left something else than is wanted, that is
    /// there, so that what is wanted is sent (again). The same values again change nothing.
    #[must_use]
    pub fn with_updates_in_doubt(&self, desired: &[Desired]) -> Cow<'_, Self> {
        if self.objects.iter().all(|o| o.unheard_updates.is_empty()) {
            return Cow::Borrowed(self);
        }
        let mut there = self.clone();
        for object in there.objects.iter_mut().filter(|o| !o.unheard_updates.is_empty()) {
            let Some(wanted) = desired.iter().find(|d| d.key == object.key) else {
                continue;
            };
            let may_be: Vec<Option<&Value>> = std::iter::once(&object.applied)
                .chain(&object.unheard_updates)
                .map(Some)
                .collect();
            let unlike = unlike(Some(&wanted.fields), &may_be);
            object.applied = unlike.unwrap_or(Value::Null);
        }
        Cow::Owned(there)
    }

    /// The campaign's id on the platform.
    #[must_use]
    pub fn campaign_id(&self) -> Option<&str> {
        self.id("campaign")
    }

    /// Objects that exist, oldest first.
    pub fn existing(&self) -> impl DoubleEndedIterator<Item = &RemoteObject> {
        self.objects.iter().filter(|o| o.state == ObjectState::Created)
    }

    /// Objects whose creation was intended and whose outcome is not known.
    pub fn unresolved(&self) -> impl Iterator<Item = &RemoteObject> {
        self.objects.iter().filter(|o| o.state == ObjectState::Intended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(applied: Value, unheard: Vec<Value>) -> Manifest {
        let json = json!({
            "leg": { "tenant_id": "acme", "plan_version": "v.1", "platform": "meta", "logical_campaign_key": "k" },
            "account_id": "1", "campaign_name": "n", "revision": 1, "mutation_count": 1, "tracking_mode": null,
            "objects": [{ "key": "a", "kind": "ad", "parent": null, "name": null, "state": "created", "remote_id": "1",
                          "serving": "paused", "applied": applied, "unheard_updates": unheard }],
        });
        serde_json::from_value(json).unwrap()
    }

    /// Wherever the platform may hold something else than is wanted, that is what is compared with.
    #[test]
    fn what_an_unheard_update_may_have_left_is_sent_again() {
        let before = json!({ "budget": 120, "targeting": { "de": true, "genders": [2] } });
        let sent = json!({ "budget": 125, "targeting": { "de": true }, "end": 9 });
        let seen_for = |wanted: &Value| {
            let desired = [Desired {
                key: "a".to_owned(),
                kind: "ad",
                parent: None,
                name: None,
                fields: wanted.clone(),
                switchable: true,
            }];
            let manifest = object(before.clone(), vec![sent.clone()]);
            manifest.with_updates_in_doubt(&desired).objects[0]
                .applied
                .clone()
        };
        assert_eq!(seen_for(&sent), before, "it may not have been carried out");
        let all = json!({ "budget": 125, "targeting": { "de": true }, "end": 9 });
        assert_eq!(seen_for(&before), all, "it may have been");
        let third = json!({ "budget": 130, "targeting": { "de": true } });
        let mixed = json!({ "budget": 120, "targeting": { "de": true, "genders": [2] }, "end": 9 });
        assert_eq!(seen_for(&third), mixed);
        let heard = object(before.clone(), Vec::new());
        assert!(matches!(heard.with_updates_in_doubt(&[]), Cow::Borrowed(_)));
    }

    #[test]
    fn spellings_round_trip() {
        for state in ObjectState::ALL {
            assert_eq!(ObjectState::parse(state.as_str()), Some(*state));
        }
        for serving in Serving::ALL {
            assert_eq!(Serving::parse(serving.as_str()), Some(*serving));
        }
        assert_eq!(Serving::parse("live"), None);
    }
}
