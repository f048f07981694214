//! The versions of one plan, and which of them holds the campaigns: what a version that opens takes over, waits for, or comes too
//! late after.
//!
//! A version says which one it supersedes. That one may never have been launched (a person refused it, its gate never opened), may
//! have been rolled back (its own predecessor holds the campaigns again), or may be taken over already. Whoever looked at the
//! named version alone would launch a second campaign beside the one that is on; so the chain is followed to who holds them.
//!
//! Pure. Must not look at legs or payloads.

use chrono::{DateTime, Utc};
use std::collections::HashSet;

/// Where a version stands as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Going {
    /// Its gate has never opened.
    NotLaunched,
    /// It was launched and goes forward.
    Forward,
    /// It goes back and has not come to rest.
    Undoing,
    /// It went back.
    Undone,
}

/// One version of a plan.
#[derive(Debug, Clone)]
pub struct Version {
    /// Its execution.
    pub id: i64,
    /// `plan_version`.
    pub name: String,
    /// The version that its payload (the one in force, if it was launched) supersedes.
    pub supersedes: Option<String>,
    /// Where it stands.
    pub going: Going,
    /// The execution that has taken its campaigns over, or cancelled it.
    pub superseded_by: Option<i64>,
    /// When the payload in force was approved; of one that was never launched, the latest.
    pub approved_at: DateTime<Utc>,
}

/// What a version is to do when its gate opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Nobody holds campaigns that it would take over.
    First,
    /// It takes over what this execution holds.
    After(i64),
    /// This execution is being undone: what it gives back is not there yet.
    Waits(i64),
    /// It comes too late: a newer version holds the campaigns, and it must not be launched.
    Overtaken {
        /// The newer version's execution.
        by: i64,
        /// An older one that still holds campaigns which, as is known now, are the newer one's to switch off.
        holds: Option<i64>,
    },
}

/// A turn, and the versions on the way there that hold nothing: they are never launched (again).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// What to do.
    pub turn: Turn,
    /// Executions.
    pub passed: Vec<i64>,
}

/// What a version is to do, among the versions of its plan (it may be one of them).
#[must_use]
pub fn place(versions: &[Version], own: &Version) -> Place {
    let nothing = Place {
        turn: Turn::First,
        passed: Vec::new(),
    };
    let mut place = own
        .supersedes
        .as_deref()
        .map_or(nothing, |name| before(versions, own, name));
    if let Some(by) = overtaker(versions, own) {
        let holds = match place.turn {
            Turn::After(holder) if holder != by => Some(holder),
            Turn::After(_) | Turn::First | Turn::Waits(_) | Turn::Overtaken { .. } => None,
        };
        place.turn = Turn::Overtaken { by, holds };
    }
    place
}

/// A version that was launched, goes forward, and supersedes this one, directly or over others.
fn overtaker(versions: &[Version], own: &Version) -> Option<i64> {
    let forward = versions
        .iter()
        .filter(|v| v.name != own.name && v.going == Going::Forward);
    let over = forward.filter(|v| ancestors(versions, v).any(|name| name == own.name));
    // The one that holds what the others among them held.
    over.max_by_key(|v| (v.superseded_by.is_none(), v.approved_at, v.id))
        .map(|v| v.id)
}

/// The names of the versions before this one, nearest first, as far as they are known, and one further.
fn ancestors<'a>(versions: &'a [Version], of: &'a Version) -> impl Iterator<Item = &'a str> {
    let mut seen = HashSet::new();
    let mut next = of.supersedes.as_deref();
    std::iter::from_fn(move || {
        let name = next.filter(|name| seen.insert(*name))?;
        let version = versions.iter().find(|v| v.name == name);
        next = version.and_then(|v| v.supersedes.as_deref());
        Some(name)
    })
}

/// Who holds what the version named so would hold.
fn before(versions: &[Version], own: &Version, name: &str) -> Place {
    let mut passed = Vec::new();
    let mut names = HashSet::from([own.name.as_str()]);
    let mut next = Some(name);
    let turn = loop {
        let version = next
            .filter(|name| names.insert(name))
            .and_then(|name| versions.iter().find(|v| v.name == name));
        let Some(version) = version else { break Turn::First };
        match version.going {
            Going::Undoing => break Turn::Waits(version.id),
            Going::NotLaunched | Going::Undone => match taken_by(versions, own, version) {
                // It holds nothing, and another one has taken its place.
                Some(newer) if newer.going == Going::Forward => break holder(versions, own, newer, true),
                Some(newer) if newer.going == Going::Undoing => break Turn::Waits(newer.id),
                Some(_) | None => {
                    passed.push(version.id);
                    next = version.supersedes.as_deref();
                }
            },
            Going::Forward => break holder(versions, own, version, false),
        }
    };
    Place { turn, passed }
}

/// Which other version has taken this one's place.
fn taken_by<'a>(versions: &'a [Version], own: &Version, of: &Version) -> Option<&'a Version> {
    let by = of.superseded_by?;
    versions.iter().find(|v| v.id == by && v.id != own.id)
}

/// Who has the campaigns of a version that was launched now: itself, or who took them over and was not undone. `rival`: it supersedes what
/// this one supersedes, as does everybody further on.
fn holder(versions: &[Version], own: &Version, of: &Version, rival: bool) -> Turn {
    let mut seen = HashSet::from([own.id]);
    let mut version = of;
    while seen.insert(version.id) {
        let newer = taken_by(versions, own, version);
        match newer.map(|v| (v, v.going)) {
            None | Some((_, Going::NotLaunched | Going::Undone)) => break,
            Some((newer, Going::Undoing)) => return Turn::Waits(newer.id),
            Some((newer, Going::Forward)) => version = newer,
        }
    }
    // Two versions supersede the same one: the later approval wins, in whichever order they come.
    if (rival || version.id != of.id) && version.approved_at > own.approved_at {
        return Turn::Overtaken {
            by: version.id,
            holds: None,
        };
    }
    Turn::After(version.id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(id: i64, supersedes: Option<&str>, going: Going) -> Version {
        Version {
            id,
            name: format!("v{id}"),
            supersedes: supersedes.map(str::to_owned),
            going,
            superseded_by: None,
            approved_at: DateTime::from_timestamp(1_800_000_000 + id, 0).unwrap(),
        }
    }

    fn of(versions: &[Version], id: i64) -> Place {
        place(versions, versions.iter().find(|v| v.id == id).unwrap())
    }

    fn turn(versions: &[Version], id: i64) -> Turn {
        of(versions, id).turn
    }

    #[test]
    fn of_two_that_supersede_one_that_holds_nothing_the_later_approval_holds() {
        let versions = |rivals: Going| {
            let mut first = version(1, None, Going::NotLaunched);
            first.superseded_by = Some(2);
            [
                first,
                version(2, Some("v1"), rivals),
                version(3, Some("v1"), Going::NotLaunched),
            ]
        };
        assert_eq!(turn(&versions(Going::Forward), 3), Turn::After(2));
        assert_eq!(turn(&versions(Going::Undoing), 3), Turn::Waits(2));
        assert_eq!(turn(&versions(Going::Undone), 3), Turn::First);
        let mut earlier = versions(Going::Forward);
        earlier[2].approved_at = earlier[1].approved_at - chrono::TimeDelta::seconds(1);
        assert_eq!(turn(&earlier, 3), Turn::Overtaken { by: 2, holds: None });
        // Another payload of the one that took its place.
        assert_eq!(turn(&versions(Going::Forward), 2), Turn::First);
    }

    #[test]
    fn a_version_takes_over_from_the_one_it_names() {
        let versions = [
            version(1, None, Going::Forward),
            version(2, Some("v1"), Going::NotLaunched),
        ];
        assert_eq!(turn(&versions, 2), Turn::After(1));
        assert_eq!(turn(&versions, 1), Turn::First);
    }

    #[test]
    fn a_version_that_was_never_launched_is_passed() {
        let versions = [
            version(1, None, Going::Forward),
            version(2, Some("v1"), Going::NotLaunched),
            version(3, Some("v2"), Going::NotLaunched),
        ];
        let place = of(&versions, 3);
        assert_eq!((place.turn, place.passed), (Turn::After(1), vec![2]));
    }

    #[test]
    fn what_was_rolled_back_has_given_back_and_what_is_being_has_not_yet() {
        let mut versions = [
            version(1, None, Going::Forward),
            version(2, Some("v1"), Going::Undone),
            version(3, Some("v2"), Going::NotLaunched),
        ];
        versions[0].superseded_by = Some(2);
        assert_eq!(turn(&versions, 3), Turn::After(1));
        versions[2].supersedes = Some("v1".to_owned());
        assert_eq!(turn(&versions, 3), Turn::After(1));
        versions[1].going = Going::Undoing;
        assert_eq!(turn(&versions, 3), Turn::Waits(2));
        versions[2].supersedes = Some("v2".to_owned());
        assert_eq!(turn(&versions, 3), Turn::Waits(2));
    }

    #[test]
    fn of_two_that_supersede_the_same_the_later_approval_wins() {
        let mut versions = [
            version(1, None, Going::Forward),
            version(2, Some("v1"), Going::Forward),
            version(3, Some("v1"), Going::NotLaunched),
        ];
        versions[0].superseded_by = Some(2);
        assert_eq!(turn(&versions, 3), Turn::After(2));
        versions[2].approved_at = versions[0].approved_at;
        assert_eq!(turn(&versions, 3), Turn::Overtaken { by: 2, holds: None });
    }

    #[test]
    fn what_comes_late_is_overtaken_also_over_one_that_was_never_launched() {
        let mut versions = [
            version(1, None, Going::NotLaunched),
            version(2, Some("v1"), Going::NotLaunched),
            version(3, Some("v2"), Going::Forward),
        ];
        assert_eq!(turn(&versions, 1), Turn::Overtaken { by: 3, holds: None });
        assert_eq!(turn(&versions, 2), Turn::Overtaken { by: 3, holds: None });
        versions[2].going = Going::Undone;
        assert_eq!(turn(&versions, 2), Turn::First);
    }

    /// v3 and v1 were launched beside each other before v2 told that they are one line.
    #[test]
    fn a_late_link_shows_who_still_holds_what_a_newer_one_should() {
        let versions = [
            version(1, None, Going::Forward),
            version(2, Some("v1"), Going::NotLaunched),
            version(3, Some("v2"), Going::Forward),
        ];
        let holds = Some(1);
        assert_eq!(turn(&versions, 2), Turn::Overtaken { by: 3, holds });
    }

    #[test]
    fn a_circle_ends() {
        let versions = [
            version(1, Some("v2"), Going::NotLaunched),
            version(2, Some("v1"), Going::NotLaunched),
            version(3, Some("v2"), Going::NotLaunched),
        ];
        assert_eq!(turn(&versions, 3), Turn::First);
        assert_eq!(turn(&versions, 1), Turn::First);
    }
}
