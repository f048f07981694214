//! Walks every reachable state of the saga, with the legs listed one by one beside the saga's own counts, and checks the
//! rules of `saga.rs` on every edge. Must not sample: what is reachable is visited.

use super::*;
use std::collections::{HashSet, VecDeque};

/// The world as it would be in the database: the saga and each leg.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct World {
    saga: Saga,
    legs: Vec<(u8, LegState)>,
    started: bool,
    /// The leg that replaces this one, which was its campaign.
    replaced_by: Vec<Option<usize>>,
    /// Which legs have a command out: kept apart from the states, so that two commands for one leg show.
    out: Vec<Option<CommandKind>>,
    /// Whether all legs were built at the same time once.
    all_were_built: bool,
    /// New payloads and newer versions come too, and the plan may grow to so many legs; 0: they don't.
    grows_to: usize,
    /// And what they change cannot be changed, so that the plan grows by what is replaced alone.
    replaces: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Input {
    Start,
    RollBack,
    Retry,
    Report(usize, Report),
    /// A new payload changes one leg, or no longer has it.
    Amend(usize, Amendment),
    /// A new payload has one leg more, whose campaign is on already or not there.
    Join(Joins),
    /// A new payload after a failed atomic launch.
    StartAnew,
    /// A newer version takes one leg's campaign over, or gives it back.
    HandOver(usize),
    TakeBack(usize, bool),
    /// A new payload changes what cannot be changed of one leg, of which there is so much.
    Replace(usize, Old),
    /// A newer version takes over what it replaces: two legs more, the one to be on and the one that is.
    JoinReplacing,
}

impl World {
    fn new(atomic: bool, order: Order, positions: &[u8]) -> Self {
        Self {
            saga: Saga::new(atomic, order, positions.iter().copied()),
            legs: positions.iter().map(|p| (*p, LegState::Waiting)).collect(),
            started: false,
            replaced_by: vec![None; positions.len()],
            out: vec![None; positions.len()],
            all_were_built: false,
            grows_to: 0,
            replaces: false,
        }
    }

    /// A world in which new payloads come.
    fn amended(atomic: bool, order: Order, positions: &[u8], grows_to: usize) -> Self {
        Self {
            grows_to,
            ..Self::new(atomic, order, positions)
        }
    }

    /// A world in which campaigns are replaced.
    fn replaced(atomic: bool, order: Order, positions: &[u8], grows_to: usize) -> Self {
        Self {
            replaces: true,
            ..Self::amended(atomic, order, positions, grows_to)
        }
    }

    /// Everything that can come next: any report that an outstanding command can make, the scheduled legs' start, and
    /// what people do.
    fn inputs(&self) -> Vec<Input> {
        let mut inputs = vec![Input::RollBack, Input::Retry];
        if !self.started {
            inputs.push(Input::Start);
        }
        for (i, (_, state)) in self.legs.iter().enumerate() {
            let reports: &[Report] = match (self.out[i], state) {
                (Some(CommandKind::Build), _) => &[Report::Built, Report::Failed],
                (Some(CommandKind::Activate), _) => &[Report::Scheduled, Report::Live, Report::Failed],
                (Some(CommandKind::Undo), _) => &[Report::Undone, Report::UndoFailed],
                (Some(CommandKind::Retire), _) => &[Report::Retired, Report::UndoFailed],
                (None, LegState::Scheduled) => &[Report::Live, Report::Failed],
                // No effect of the saga's sends these two.
                (Some(CommandKind::Hold | CommandKind::Release) | None, _) => &[],
            };
            inputs.extend(reports.iter().map(|r| Input::Report(i, *r)));
        }
        if self.grows_to > 0 && self.started {
            for i in 0..self.legs.len() {
                if self.replaced_by[i].is_some() {
                    // No payload names it, and it is given back only off.
                    inputs.push(Input::TakeBack(i, false));
                    continue;
                }
                if self.replaces && self.legs.len() < self.grows_to {
                    inputs.extend([Old::Nothing, Old::Off, Old::On].map(|old| Input::Replace(i, old)));
                }
                inputs.push(Input::Amend(i, Amendment::Change));
                inputs.push(Input::Amend(i, Amendment::Leave));
                inputs.push(Input::HandOver(i));
                inputs.push(Input::TakeBack(i, true));
                inputs.push(Input::TakeBack(i, false));
            }
            if !self.replaces && self.legs.len() < self.grows_to && self.saga.direction == Direction::Forward
            {
                inputs.push(Input::Join(Joins::New));
                inputs.push(Input::Join(Joins::TakenOver { on: true }));
                inputs.push(Input::Join(Joins::TakenOver { on: false }));
            }
            let two_more = self.legs.len() + 1 < self.grows_to;
            if self.replaces && two_more && self.saga.direction == Direction::Forward {
                inputs.push(Input::JoinReplacing);
            }
            if self.saga.may_start_anew() {
                inputs.push(Input::StartAnew);
            }
        }
        inputs
    }

    fn apply(&self, input: Input) -> (Self, Vec<Effect>) {
        let mut next = self.clone();
        let (effects, leg) = match input {
            Input::Start => {
                next.started = true;
                let effects = if self.saga.direction == Direction::Forward {
                    next.saga.start()
                } else {
                    Vec::new()
                };
                (effects, None)
            }
            Input::RollBack => (next.saga.roll_back(), None),
            Input::Retry => (next.saga.retry(), None),
            Input::Amend(i, _) | Input::HandOver(i) | Input::TakeBack(i, _) | Input::Replace(i, _) => {
                (next.by_hand(i, input), Some(i))
            }
            Input::JoinReplacing => {
                let state = next.saga.join(0, Joins::TakenOver { on: true });
                let i = next.push(0, state, None);
                let old = next.saga.join_outgoing(0);
                next.push(0, old, Some(i));
                (next.by_hand(i, Input::Amend(i, Amendment::Change)), Some(i))
            }
            Input::Join(how) => {
                let state = next.saga.join(0, how);
                next.push(0, state, None);
                next.all_were_built &= how == Joins::TakenOver { on: true };
                if how == Joins::New {
                    (next.saga.amended(), None)
                } else {
                    let i = next.legs.len() - 1;
                    (next.by_hand(i, Input::Amend(i, Amendment::Change)), Some(i))
                }
            }
            Input::StartAnew => {
                next.saga.start_anew();
                for leg in &mut next.legs {
                    leg.1 = LegState::Waiting;
                }
                next.all_were_built = false;
                // What was outgoing is no part of the plan.
                for i in 0..next.legs.len() {
                    if next.replaced_by[i].is_some() {
                        next.move_by_hand(i, |saga, position, state| {
                            saga.amend(position, state, Amendment::Leave)
                        });
                    }
                }
                (next.saga.amended(), None)
            }
            Input::Report(i, report) => {
                let (position, state) = self.legs[i];
                next.out[i] = None;
                (
                    next.saga
                        .report_of_replacement(position, state, report, self.outgoing(i))
                        .expect("a command's own report is legal"),
                    Some(i),
                )
            }
        };
        for effect in &effects {
            next.carry_out(*effect, leg);
            // Looked at between the effects: the barrier's own sweep must find all legs built.
            next.all_were_built |= next.legs.iter().all(|(_, s)| s.built_or_apart());
        }
        (next, effects)
    }

    fn push(&mut self, position: u8, state: LegState, replaced_by: Option<usize>) -> usize {
        self.legs.push((position, state));
        self.replaced_by.push(replaced_by);
        self.out.push(None);
        self.legs.len() - 1
    }

    fn of(&self, i: usize) -> Vec<usize> {
        (0..self.legs.len())
            .filter(|j| self.replaced_by[*j] == Some(i))
            .collect()
    }

    /// How many outgoing legs this one replaces, as the store counts them.
    fn outgoing(&self, i: usize) -> u32 {
        let outgoing = |j: &usize| self.legs[*j].1 == LegState::Outgoing;
        u32::try_from(self.of(i).into_iter().filter(outgoing).count()).unwrap()
    }

    /// One leg beside the one that an input is about.
    fn move_by_hand(
        &mut self,
        i: usize,
        step: impl Fn(&mut Saga, u8, LegState) -> Result<Vec<Effect>, Fenced>,
    ) {
        let (position, state) = self.legs[i];
        let Ok(effects) = step(&mut self.saga, position, state) else {
            return;
        };
        if !effects.is_empty() {
            self.out[i] = None;
        }
        for effect in effects {
            self.carry_out(effect, Some(i));
        }
    }

    /// What people and newer payloads do to one leg: its command is withdrawn, then the leg moves, then the whole follows. What
    /// it replaces leaves with it.
    fn by_hand(&mut self, i: usize, input: Input) -> Vec<Effect> {
        let (position, state) = self.legs[i];
        let moved = match input {
            Input::Amend(_, what) => self.saga.amend(position, state, what),
            Input::HandOver(_) => self.saga.hand_over(position, state),
            Input::TakeBack(_, was_on) => self.saga.take_back(position, state, was_on),
            Input::Replace(_, old) => match self.saga.replace(position, state, old) {
                Ok(replaced) => {
                    let j = self.push(position, replaced.old, Some(i));
                    self.out[j] = replaced.command;
                    Ok(replaced.effects)
                }
                Err(fenced) => Err(fenced),
            },
            Input::Start
            | Input::RollBack
            | Input::Retry
            | Input::Report(..)
            | Input::Join(_)
            | Input::JoinReplacing
            | Input::StartAnew => {
                unreachable!("not about one leg")
            }
        };
        let Ok(mut effects) = moved else { return Vec::new() };
        if !effects.is_empty() {
            self.out[i] = None;
        }
        for j in self.of(i) {
            if input == Input::Amend(i, Amendment::Leave) {
                self.move_by_hand(j, |saga, p, s| saga.amend(p, s, Amendment::Leave));
            }
            if input == Input::HandOver(i) && self.legs[j].1 == LegState::Outgoing {
                self.move_by_hand(j, Saga::hand_over);
            }
        }
        effects.extend(self.saga.amended());
        effects
    }

    fn carry_out(&mut self, effect: Effect, leg: Option<usize>) {
        match effect {
            Effect::Leg(state) => self.legs[leg.expect("an effect on this leg")].1 = state,
            Effect::Command(kind) => self.send(leg.expect("a command to this leg"), kind),
            Effect::Sweep {
                position,
                from,
                to,
                command,
            } => {
                for i in 0..self.legs.len() {
                    if self.legs[i].1 == from && position.is_none_or(|p| p == self.legs[i].0) {
                        self.legs[i].1 = to;
                        if let Some(kind) = command {
                            self.send(i, kind);
                        }
                    }
                }
            }
            Effect::Relieve => {
                for j in self.of(leg.expect("the leg that is on")) {
                    if self.legs[j].1 == LegState::Outgoing {
                        self.legs[j].1 = LegState::Retiring;
                        self.send(j, CommandKind::Retire);
                    }
                }
            }
            Effect::Announce(_) | Effect::Settle(_) => {}
        }
    }

    fn send(&mut self, leg: usize, kind: CommandKind) {
        assert_eq!(
            self.out[leg], None,
            "rule 4: a second command while one is in flight: {self:?}"
        );
        self.out[leg] = Some(kind);
    }
}

/// What must hold on an edge.
fn check(before: &World, input: Input, after: &World, effects: &[Effect]) {
    let edge = || format!("{before:?}\n  --{input:?}--> {effects:?}\n{after:?}");
    let mut recount = Tally::default();
    for (position, state) in &after.legs {
        recount.add(*position, *state, 1);
    }
    for state in LegState::ALL {
        assert_eq!(
            after.saga.tally.count(*state),
            recount.count(*state),
            "the tally is off: {}",
            edge()
        );
    }
    for (i, (_, state)) in after.legs.iter().enumerate() {
        assert_eq!(
            state.in_flight(),
            after.out[i],
            "state and command disagree: {}",
            edge()
        );
        let was = before.legs.get(i).map_or(*state, |leg| leg.1);
        if after.saga.atomic {
            let switched_on = *state == LegState::Activating && was != LegState::Activating;
            assert!(
                !switched_on || after.all_were_built || after.saga.launched,
                "rule 1: on before all were built: {}",
                edge()
            );
        }
        let by_a_report = matches!(input, Input::Report(j, _) if j == i);
        assert!(
            !(was.on() && was != LegState::Activating && was != LegState::Scheduled && by_a_report)
                || *state != LegState::Failed,
            "rule 8: on, and called failed: {}",
            edge()
        );
        let back_again = match was {
            LegState::Failed => !matches!(state, LegState::Failed | LegState::Undoing),
            LegState::Retired => !matches!(state, LegState::Retired | LegState::Undoing),
            LegState::Superseded => *state != LegState::Superseded,
            LegState::Unamended => !matches!(state, LegState::Unamended | LegState::Undoing),
            LegState::Amending | LegState::Retiring | LegState::Outgoing => false,
            LegState::Undone => *state != LegState::Undone,
            LegState::Waiting
            | LegState::Building
            | LegState::Built
            | LegState::Activating
            | LegState::Scheduled
            | LegState::Live
            | LegState::Undoing
            | LegState::Stuck => false,
        };
        assert!(
            !back_again
                || input == Input::Retry
                || matches!(
                    input,
                    Input::Amend(..)
                        | Input::Join(_)
                        | Input::StartAnew
                        | Input::JoinReplacing
                        | Input::HandOver(_)
                        | Input::TakeBack(..)
                        | Input::Replace(..)
                ),
            "rule 6: it came back: {}",
            edge()
        );
    }
    if before.saga.direction == Direction::Back && input != Input::StartAnew {
        assert_eq!(
            after.saga.direction,
            Direction::Back,
            "rule 2: it turned twice: {}",
            edge()
        );
        let switched_on = |w: &World| {
            w.out
                .iter()
                .filter(|c| **c == Some(CommandKind::Activate))
                .count()
        };
        assert!(
            switched_on(after) <= switched_on(before),
            "rule 2: activated on the way back: {}",
            edge()
        );
    }
    if let Input::Report(i, Report::Failed) = input
        && !before.saga.atomic
        && before.saga.direction == Direction::Forward
    {
        assert_eq!(after.saga.direction, Direction::Forward, "rule 3: {}", edge());
        for (j, (_, state)) in after.legs.iter().enumerate() {
            let started = before.legs[j].1 == LegState::Waiting && *state == LegState::Building;
            assert!(
                j == i || *state == before.legs[j].1 || started,
                "rule 3: another leg moved: {}",
                edge()
            );
        }
    }
    let settles = effects.iter().filter(|e| matches!(e, Effect::Settle(_))).count();
    assert!(settles <= 1, "settled twice in one step: {}", edge());
    assert_eq!(
        after.saga.settled.is_some(),
        after.saga.at_rest(),
        "rest and end disagree: {}",
        edge()
    );
    what_goes_out_stays_on(before, input, after, &edge);
    repeat_is_nothing(input, after, &edge);
}

/// Rule 9, and that no campaign is forgotten on: what is outgoing has a replacement that is under way or was refused.
fn what_goes_out_stays_on(before: &World, input: Input, after: &World, edge: &dyn Fn() -> String) {
    for (i, (_, state)) in after.legs.iter().enumerate() {
        let Some(by) = after.replaced_by[i] else {
            assert_ne!(*state, LegState::Outgoing, "outgoing, and for nobody: {}", edge());
            continue;
        };
        assert!(
            !matches!(state, LegState::Scheduled | LegState::Live | LegState::Activating),
            "what was replaced is switched on: {}",
            edge()
        );
        let replacement = after.legs[by].1;
        if *state == LegState::Outgoing {
            assert!(
                matches!(
                    replacement,
                    LegState::Amending
                        | LegState::Unamended
                        | LegState::Building
                        | LegState::Built
                        | LegState::Activating
                ) && after.saga.direction == Direction::Forward,
                "rules 8 and 9: it stays on for a replacement that is {replacement:?}: {}",
                edge()
            );
            continue;
        }
        if before.legs.get(i).is_none_or(|leg| leg.1 != LegState::Outgoing) {
            continue;
        }
        let on = matches!(input, Input::Report(j, Report::Scheduled | Report::Live) if j == by)
            && matches!(replacement, LegState::Scheduled | LegState::Live);
        let turned = matches!(input, Input::Report(_, Report::Failed) | Input::RollBack)
            && after.saga.direction == Direction::Back;
        let goes = match state {
            LegState::Retiring => on || input == Input::Amend(by, Amendment::Leave),
            LegState::Undoing => turned,
            LegState::Superseded => input == Input::HandOver(by),
            LegState::Waiting
            | LegState::Building
            | LegState::Built
            | LegState::Activating
            | LegState::Scheduled
            | LegState::Live
            | LegState::Failed
            | LegState::Undone
            | LegState::Stuck
            | LegState::Amending
            | LegState::Unamended
            | LegState::Retired
            | LegState::Outgoing => false,
        };
        assert!(goes, "rule 9: off before its replacement was on: {}", edge());
    }
}

/// Rule 5: the same report again, whatever the leg has become since, changes nothing (or is refused).
fn repeat_is_nothing(input: Input, after: &World, edge: &dyn Fn() -> String) {
    let Input::Report(i, report) = input else { return };
    if after.out[i].is_some_and(|kind| matches!((kind, report), (CommandKind::Build, Report::Failed))) {
        return; // a retry's own command may fail as the first one did
    }
    if after.out[i] == Some(CommandKind::Undo) && report == Report::UndoFailed {
        return; // the undo that waited for a switching off may fail as that did
    }
    let (position, state) = after.legs[i];
    let mut saga = after.saga.clone();
    match saga.report_of_replacement(position, state, report, after.outgoing(i)) {
        Ok(effects) => assert!(effects.is_empty(), "rule 5: heard twice, done twice: {}", edge()),
        Err(_) => assert_eq!(saga, after.saga, "a refused report changed something: {}", edge()),
    }
}

/// All worlds that can be reached, each edge checked; how many states and edges.
fn walk(start: World) -> (usize, usize) {
    let mut seen: HashSet<World> = HashSet::from([start.clone()]);
    let mut queue = VecDeque::from([start]);
    let mut edges = 0;
    while let Some(world) = queue.pop_front() {
        for input in world.inputs() {
            let (next, effects) = world.apply(input);
            check(&world, input, &next, &effects);
            edges += 1;
            if seen.insert(next.clone()) {
                queue.push_back(next);
            }
        }
    }
    every_state_can_rest(&seen);
    (seen.len(), edges)
}

/// Rule 7: from anywhere, if every command reports something, rest is reached within a bounded number of steps.
fn every_state_can_rest(worlds: &HashSet<World>) {
    for world in worlds {
        let mut w = world.clone();
        if !w.started {
            w = w.apply(Input::Start).0;
        }
        for _ in 0..100 {
            let report = w
                .inputs()
                .into_iter()
                .find(|i| matches!(i, Input::Report(leg, _) if w.out[*leg].is_some()));
            match report {
                Some(input) => w = w.apply(input).0,
                None => break,
            }
        }
        assert!(w.saga.at_rest(), "rule 7: never comes to rest: {world:?}\n{w:?}");
    }
}

#[test]
fn every_reachable_state_keeps_the_rules() {
    let (mut states, mut edges) = (0, 0);
    for atomic in [false, true] {
        for order in [Order::Parallel, Order::Recommended] {
            for positions in [&[0][..], &[0, 1], &[0, 0, 1], &[0, 1, 2, 3]] {
                let (s, e) = walk(World::new(atomic, order, positions));
                states += s;
                edges += e;
            }
        }
    }
    assert!(
        states > 5_000 && edges > 30_000,
        "the walk became a stroll: {states} states, {edges} edges"
    );
}

#[test]
fn every_reachable_state_keeps_the_rules_when_payloads_change() {
    let (mut states, mut edges) = (0, 0);
    for atomic in [false, true] {
        for (order, positions, grows_to) in [
            (Order::Parallel, &[0][..], 2),
            (Order::Recommended, &[0, 1], 2),
            (Order::Parallel, &[0, 1], if atomic { 3 } else { 2 }),
        ] {
            let (s, e) = walk(World::amended(atomic, order, positions, grows_to));
            states += s;
            edges += e;
        }
    }
    assert!(
        states > 5_000 && edges > 50_000,
        "the walk became a stroll: {states} states, {edges} edges"
    );
}

#[test]
fn every_reachable_state_keeps_the_rules_when_campaigns_are_replaced() {
    let (mut states, mut edges) = (0, 0);
    for atomic in [false, true] {
        for (order, positions, grows_to) in [(Order::Parallel, &[0][..], 3), (Order::Recommended, &[0, 1], 3)]
        {
            let (s, e) = walk(World::replaced(atomic, order, positions, grows_to));
            states += s;
            edges += e;
        }
    }
    assert!(
        states > 15_000 && edges > 200_000,
        "the walk became a stroll: {states} states, {edges} edges"
    );
}

#[test]
fn the_old_one_goes_off_in_the_step_that_tells_of_the_new_one_and_not_before() {
    let mut saga = Saga::new(false, Order::Parallel, [3]);
    let _ = saga.start();
    for (state, report) in [
        (LegState::Building, Report::Built),
        (LegState::Activating, Report::Live),
    ] {
        saga.report(3, state, report).unwrap();
    }
    assert_eq!(saga.settled, Some(Outcome::Completed));
    let replaced = saga.replace(3, LegState::Live, Old::On).unwrap();
    assert_eq!(
        (replaced.old, replaced.command),
        (LegState::Outgoing, None),
        "it stays on"
    );
    let heard = |saga: &mut Saga, state, report| saga.report_of_replacement(3, state, report, 1).unwrap();
    heard(&mut saga, LegState::Amending, Report::Built);
    // Refused by the platform's review: tried again, and through.
    let refused = heard(&mut saga, LegState::Activating, Report::Failed);
    assert_eq!(
        refused,
        [
            Effect::Leg(LegState::Unamended),
            Effect::Settle(Outcome::MarkedPartial)
        ]
    );
    assert!(!saga.retry().is_empty());
    heard(&mut saga, LegState::Amending, Report::Built);
    assert_eq!(
        heard(&mut saga, LegState::Activating, Report::Live),
        [
            Effect::Leg(LegState::Live),
            Effect::Announce(LegState::Live),
            Effect::Relieve
        ]
    );
    assert_eq!(saga.settled, None, "not over while the old one is on");
    let over = saga.report(3, LegState::Retiring, Report::Retired).unwrap();
    assert_eq!(
        over,
        [Effect::Leg(LegState::Retired), Effect::Settle(Outcome::Completed)]
    );
}

#[test]
fn the_table_names_every_cell() {
    let mut moves = 0;
    for state in LegState::ALL {
        for report in Report::ALL {
            match state.next(*report) {
                Step::To(to) => {
                    assert_ne!(*state, to);
                    moves += 1;
                }
                Step::Repeat | Step::Illegal => {}
            }
        }
    }
    assert_eq!(
        moves, 13,
        "a cell of the table was removed or added: look at the picture in saga.rs too"
    );
}

#[test]
fn recommended_order_takes_one_platform_after_the_other() {
    let mut saga = Saga::new(false, Order::Recommended, [0, 1]);
    let build = |position| Effect::Sweep {
        position: Some(position),
        from: LegState::Waiting,
        to: LegState::Building,
        command: Some(CommandKind::Build),
    };
    assert_eq!(saga.start(), [build(0)]);
    let effects = saga.report(0, LegState::Building, Report::Failed).unwrap();
    assert_eq!(effects, [Effect::Leg(LegState::Failed), build(1)]);
}
