//! A randomised simulation of the whole life of a launch: seeded, reproducible, with every promise checked after every step.
//!
//! **What is real** here is the code that decides. `Drive` (all of `service/drive`: write-ahead, look-ups, adoption, verification,
//! undo, holds) runs as it runs in production, polled by hand, so that it can be stopped, overtaken or killed between any two
//! awaits. So do `Saga` with both its tables, `LegSpec` and the comparison of payloads (`store::amend::changes`), `domain::hold`,
//! the four adapters' `desire`, `next`, `removal` and traits, `tracking::check`, the composer of events and commands.
//!
//! **What is modelled** is what they stand on. `store.rs` and `plans.rs` are the database: each transaction of `src/store` is one
//! method with the statements' conditions (tokens, leases, `withdraw`, the pause's bar, the inbox's order, the outbox). It is a
//! second writing of the SQL, so a slip in the SQL itself does not show here; `tests/it/chaos.rs` drives the real store for that. No
//! two transactions overlap. `world.rs` is the platforms: objects, late look-ups, refusals, throttling, lost requests, lost
//! answers, requests carried out twice. Bodies, HTTP and the vendors' own rules are not in it; neither are Kafka's protocol, uploads,
//! the gate's checks other than the approval, touchpoints, deadlines and the audit log. Nor is the lease's own word to commands of a
//! version that goes back (`commands.lease`): what a rollback takes back by itself shows without it.
//!
//! **How to use it.** `cargo test --lib sim` runs the number of steps that CI runs. `CAMPAIGN_EXECUTION_SIM_STEPS` and
//! `CAMPAIGN_EXECUTION_SIM_SEED` change that and where it begins; `-- --nocapture` shows what was visited. A failure prints the one
//! command that repeats its episode, and the shortest list of steps that it could find which still fails.
//!
//! Must not sleep, reach the network or depend on anything but the seed.

mod amend;
mod ground;
mod mistake;
mod moves;
mod people;
mod plans;
mod platform;
mod rest;
mod rng;
mod step;
mod store;
mod town;
mod watch;
mod worker;
mod world;

use crate::domain::saga::{LegState, Report, Step as Cell};
use ground::Ground;
use mistake::Mistake;
use std::collections::BTreeSet;
use std::time::Instant;
use step::Step;
use store::Visited;
use town::Town;

/// Steps of one episode before its end.
const EPISODE: usize = 500;
/// Tries to make a failing list of steps shorter.
const SHORTER: usize = 400;

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable)
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(otherwise)
}

/// An episode that went wrong.
struct Broken {
    what: String,
    steps: Vec<Step>,
}

/// Plays an episode; how many steps it had in all.
fn play(ground: &Ground, seed: u64, mistake: Option<Mistake>, visited: &mut Visited) -> Result<u64, Broken> {
    let mut town = Town::new(ground, seed, mistake);
    let mut steps = Vec::with_capacity(EPISODE);
    let result = (0..EPISODE)
        .try_for_each(|_| {
            let step = town.draw();
            steps.push(step);
            town.happen(step)
        })
        .and_then(|()| town.end());
    visited.join(&town.model.visited);
    match result {
        Ok(()) => Ok(town.model.step),
        Err(what) => Err(Broken { what, steps }),
    }
}

/// Plays a given list of steps; what went wrong, and the story of it.
fn replay(
    ground: &Ground,
    seed: u64,
    mistake: Option<Mistake>,
    steps: &[Step],
    tell: bool,
) -> (Option<String>, Vec<String>) {
    let mut town = Town::new(ground, seed, mistake);
    town.story = tell.then(Vec::new);
    let result = steps
        .iter()
        .try_for_each(|step| town.happen(*step))
        .and_then(|()| town.end());
    (result.err(), town.story.unwrap_or_default())
}

/// Leaves out what is not needed for the same failure, larger pieces first.
fn shorter(ground: &Ground, seed: u64, mistake: Option<Mistake>, broken: Broken) -> Broken {
    let kind = |what: &str| {
        what.chars()
            .filter(|c| c.is_alphabetic())
            .take(24)
            .collect::<String>()
    };
    let same = kind(&broken.what);
    let (mut best, mut piece, mut tries) = (broken, EPISODE / 2, 0);
    while piece > 0 && tries < SHORTER {
        let mut from = 0;
        while from < best.steps.len() && tries < SHORTER {
            let mut steps = best.steps.clone();
            steps.drain(from..(from + piece).min(steps.len()));
            tries += 1;
            match replay(ground, seed, mistake, &steps, false).0 {
                Some(what) if kind(&what) == same => best = Broken { what, steps },
                Some(_) | None => from += piece,
            }
        }
        piece /= 2;
    }
    best
}

fn report(ground: &Ground, seed: u64, mistake: Option<Mistake>, broken: Broken) -> String {
    let first = broken.what.clone();
    let short = shorter(ground, seed, mistake, broken);
    let (what, story) = replay(ground, seed, mistake, &short.steps, true);
    format!(
        "{first}\n  repeat it with: CAMPAIGN_EXECUTION_SIM_SEED={seed} CAMPAIGN_EXECUTION_SIM_STEPS=1 cargo test --lib sim\n  \
         made shorter ({} steps): {}\n    {}",
        short.steps.len(),
        what.unwrap_or_default(),
        story.join("\n    ")
    )
}

#[test]
fn the_life_of_a_launch_keeps_every_promise() {
    let (steps, first) = (
        number("CAMPAIGN_EXECUTION_SIM_STEPS", 100_000),
        number("CAMPAIGN_EXECUTION_SIM_SEED", 1),
    );
    let ground = Ground::new();
    let _entered = ground.enter();
    let (mut done, mut seed, mut visited, began) = (0, first, Visited::default(), Instant::now());
    while done < steps {
        match play(&ground, seed, None, &mut visited) {
            Ok(played) => done += played,
            Err(broken) => panic!("{}", report(&ground, seed, None, broken)),
        }
        seed += 1;
    }
    println!(
        "{done} steps in {} episodes (seeds {first} to {}) in {:.1?}",
        seed - first,
        seed - 1,
        began.elapsed()
    );
    println!("{}", visited.table());
    if steps >= 100_000 {
        visited.everything_that_can_be_was(steps);
    }
}

/// The same seed gives the same story, or a failure could not be repeated.
#[test]
fn an_episode_is_reproducible() {
    let ground = Ground::new();
    let _entered = ground.enter();
    let story = |seed| {
        let mut town = Town::new(&ground, seed, None);
        let steps: Vec<Step> = (0..EPISODE).map(|_| town.draw()).collect();
        replay(&ground, seed, None, &steps, true).1
    };
    let mut told = 0;
    for seed in 1..4 {
        let once = story(seed);
        told += once.len();
        assert_eq!(once, story(seed));
    }
    assert!(told > 200, "nothing happened: {told}");
}

/// Each planted mistake is found, and soon.
#[test]
fn planted_mistakes_are_found() {
    let ground = Ground::new();
    let _entered = ground.enter();
    for mistake in Mistake::ALL {
        let mut visited = Visited::default();
        let found = (mistake.shows_from()..).take(250).find_map(|seed| {
            let broken = play(&ground, seed, Some(mistake), &mut visited).err()?;
            Some((seed, broken.what))
        });
        println!("{mistake:?}: {found:?}");
        assert!(found.is_some(), "{mistake:?} is not found in 250 episodes");
    }
}

/// Cells of what comes from outside that must have been visited. (The others are refused, or nothing, by the saga's own table,
/// which the walk beside it visits whole.)
fn by_hand(state: LegState, hand: &str) -> bool {
    match state {
        LegState::Waiting
        | LegState::Building
        | LegState::Built
        | LegState::Activating
        | LegState::Scheduled
        | LegState::Live
        | LegState::Failed => matches!(hand, "change" | "leave" | "hand_over"),
        LegState::Retiring => matches!(hand, "leave" | "hand_over"),
        LegState::Amending | LegState::Unamended => hand == "hand_over",
        LegState::Retired => matches!(hand, "change" | "hand_over" | "take_back"),
        LegState::Superseded => hand == "take_back",
        LegState::Undoing | LegState::Undone | LegState::Stuck | LegState::Outgoing => false,
    }
}

impl Visited {
    fn join(&mut self, other: &Self) {
        self.reports.extend(other.reports.iter().copied());
        self.hands.extend(other.hands.iter().copied());
        self.leases.extend(other.leases.iter().copied());
        self.holds.extend(other.holds.iter().copied());
    }

    /// No cell of the reports' table that moves a leg was left out, and each command was driven where the saga sends it. A longer
    /// run must have visited what comes from outside, too.
    fn everything_that_can_be_was(&self, steps: u64) {
        let mut missing = Vec::new();
        for state in LegState::ALL {
            for report in Report::ALL {
                // What is refused after it was on is rare.
                let rare = matches!(
                    (state.as_str(), report.as_str()),
                    ("retiring", "undo_failed") | ("scheduled" | "amending", "failed")
                );
                let moves = matches!(state.next(*report), Cell::To(_)) && (!rare || steps >= 10_000_000);
                if moves && !self.reports.contains(&(*state, report.as_str())) {
                    missing.push(format!("a leg that is {state:?} hears {report:?}"));
                }
            }
            if let Some(kind) = state.in_flight()
                && !self.leases.contains(&(kind.as_str(), *state))
            {
                missing.push(format!("a {} of a leg that is {state:?}", kind.as_str()));
            }
            for hand in ["change", "leave", "hand_over", "take_back", "replace", "relieve"] {
                if steps >= 10_000_000 && by_hand(*state, hand) && !self.hands.contains(&(*state, hand)) {
                    missing.push(format!("{hand} of a leg that is {state:?}"));
                }
            }
        }
        assert!(missing.is_empty(), "never happened: {missing:#?}");
    }

    /// For a person, a line for each state.
    fn table(&self) -> String {
        let of = |set: &BTreeSet<(LegState, &'static str)>, state: LegState| {
            let names = set.iter().filter(|(s, _)| *s == state).map(|(_, name)| *name);
            names.collect::<Vec<_>>().join(" ")
        };
        let lines = LegState::ALL.iter().map(|state| {
            let driven = self
                .leases
                .iter()
                .filter(|(_, s)| s == state)
                .map(|(kind, _)| *kind);
            let paused = self.holds.iter().filter(|(_, s)| s == state);
            format!(
                "{:<10} hears: {:<28} by hand: {:<36} driven: {:<28} switched in {} ways",
                state.as_str(),
                of(&self.reports, *state),
                of(&self.hands, *state),
                driven.collect::<Vec<_>>().join(" "),
                paused.count()
            )
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}
