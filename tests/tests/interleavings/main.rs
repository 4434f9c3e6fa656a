//! Every order in which the things that end a call can happen, with every message under way as long as it
//! likes: the caller gets exactly one answer, and nobody's session suffers.

mod stage;

use crate::stage::{Action, Stage};

/// Runs `actions` in every order that messages under way allow. Returns how many there are.
fn explore(actions: &[Action]) -> usize {
    let mut runs = 0;
    let mut choices: Vec<usize> = Vec::new();
    loop {
        // One run: first as noted, then always the first possibility.
        let mut stage = Stage::new(actions);
        let mut widths = Vec::new();
        loop {
            let possible = stage.possible();
            if possible.is_empty() {
                break;
            }
            let depth = widths.len();
            widths.push(possible.len());
            if depth == choices.len() {
                choices.push(0);
            }
            stage.perform(possible[choices[depth]]);
        }
        stage.finish();
        runs += 1;
        // The next one differs in the last choice that has an alternative left.
        while choices.last().is_some_and(|last| last + 1 == widths[choices.len() - 1]) {
            choices.pop();
        }
        match choices.last_mut() {
            Some(last) => *last += 1,
            None => return runs,
        }
    }
}

#[test]
fn one_thing_happens() {
    for action in Action::ALL {
        assert!(explore(&[action]) >= 1, "{action:?}");
    }
}

#[test]
fn two_things_happen_at_once() {
    let mut runs = 0;
    for (index, first) in Action::ALL.into_iter().enumerate() {
        for second in Action::ALL.into_iter().skip(index + 1) {
            runs += explore(&[first, second]);
        }
    }
    assert!(runs > 1_000, "only {runs} orders were found");
}

/// All three at once would take long; these are the triangles in which races were found elsewhere.
#[test]
fn three_things_happen_at_once() {
    use Action::{CalleeLeaves, CalleeVanishes, CallerLeaves, CallerVanishes, Deadline, Fail, Yield};
    let [skip, kill, killnowait] = Action::CANCELS;
    for actions in [
        [kill, Yield, CalleeLeaves],
        [kill, Fail, CallerVanishes],
        [killnowait, Yield, CallerLeaves],
        [killnowait, Fail, Deadline],
        [skip, Yield, CalleeVanishes],
        [kill, Yield, Deadline],
        [kill, killnowait, Yield],
        [Deadline, CallerVanishes, CalleeVanishes],
    ] {
        explore(&actions);
    }
}
