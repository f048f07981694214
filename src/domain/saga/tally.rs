//! Legs counted by state: what a saga needs of them, whether there are two or ten thousand.
//!
//! Must not know what a state means.

use super::LegState;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How many legs are in each state, by the platform's position in the recommended order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Tally(pub(super) BTreeMap<u8, BTreeMap<LegState, u32>>);

impl Tally {
    /// Adds legs.
    pub fn add(&mut self, position: u8, state: LegState, legs: u32) {
        *self.0.entry(position).or_default().entry(state).or_default() += legs;
    }

    /// Takes a leg out; `false` if none was there.
    #[must_use]
    pub(super) fn take(&mut self, position: u8, state: LegState) -> bool {
        let Some(states) = self.0.get_mut(&position) else {
            return false;
        };
        match states.get_mut(&state) {
            Some(count) if *count > 0 => {
                *count -= 1;
                if *count == 0 {
                    states.remove(&state);
                }
                true
            }
            Some(_) | None => false,
        }
    }

    /// Moves so many legs of one platform; `false`: there are not so many, and none was moved.
    #[must_use]
    pub(super) fn shift(&mut self, position: u8, from: LegState, to: LegState, legs: u32) -> bool {
        if self.at(position, from) < legs {
            return false;
        }
        for _ in 0..legs {
            if self.take(position, from) {
                self.add(position, to, 1);
            }
        }
        true
    }

    /// How many legs of one platform are in this state.
    #[must_use]
    pub fn at(&self, position: u8, state: LegState) -> u32 {
        let states = self.0.get(&position);
        states.and_then(|s| s.get(&state)).copied().unwrap_or_default()
    }

    /// Moves all legs in a state (of one platform or of all); how many.
    pub(super) fn sweep(&mut self, position: Option<u8>, from: LegState, to: LegState) -> u32 {
        let mut moved = 0;
        for (p, states) in &mut self.0 {
            if position.is_none_or(|wanted| wanted == *p)
                && let Some(count) = states.remove(&from)
            {
                *states.entry(to).or_default() += count;
                moved += count;
            }
        }
        moved
    }

    /// How many legs are in this state.
    #[must_use]
    pub fn count(&self, state: LegState) -> u32 {
        self.0.values().filter_map(|states| states.get(&state)).sum()
    }

    /// How many legs there are.
    #[must_use]
    pub fn total(&self) -> u32 {
        self.0.values().flat_map(BTreeMap::values).sum()
    }

    pub(super) fn all(&self, test: impl Fn(LegState) -> bool) -> bool {
        self.0.values().all(|states| states.keys().all(|s| test(*s)))
    }
}
