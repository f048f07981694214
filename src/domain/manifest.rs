//! What we made on a platform: one manifest per leg, one entry per remote object, in the order of creation.
//!
//! Must not forget: an object is intended, created and at last removed, never taken out of the list. A written
//! intent without an id means "a call may have been made": look before anything else.

use super::ids::LegKey;
use serde::{Deserialize, Serialize};
use serde_json::Value;

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
    /// A change of it was sent since then, and nobody heard what became of that: it may look otherwise.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unheard: bool,
    /// It was switched off since then, and nobody heard what became of that: it may be off while `serving` says on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may_be_off: bool,
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
    pub fn with_doubts_off(&self) -> Self {
        let mut there = self.clone();
        for object in there
            .objects
            .iter_mut()
            .filter(|o| o.may_be_off && o.serving == Serving::Active)
        {
            object.serving = Serving::Paused;
        }
        there
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
