//! The life of grants, explored: every interleaving, to a stated depth, of what people decide, how the
//! contract changes, clocks, crashes and the late writes of processes that were stopped, one request to
//! the API server at a time. The core is the real one; what it has to keep is looked at from outside.
//!
//! Why it is as it is, and what it counted: `docs/decisions/20261121-model-checked.md`.

mod acts;
mod broken;
mod cluster;
mod core;
mod explore;
mod happen;
mod invariants;
mod kept;
mod ledger;
mod run;
mod scenarios;
mod sight;
mod state;
mod story;
mod tried;

use broken::Broken;
use explore::{Counterexample, Report, Scenario, explore};
use tried::tried;

fn print(scenario: &Scenario, report: &Report) {
    println!(
        "{}: {} states, {} transitions, {} states at rest, {} decisions, to depth {}",
        scenario.name, report.states, report.transitions, report.rests, report.decisions, scenario.depth
    );
}

/// Explores a scenario of the core as it is, in which every promise has to hold.
fn holds(scenario: &Scenario) {
    let report = explore(scenario, None);
    print(scenario, &report);
    if let Some(Counterexample { violation, story, .. }) = report.counterexample {
        panic!("{}: {}\n{story}", violation.promise, violation.what);
    }
}

#[test]
fn the_promises_hold_from_the_request_on() {
    holds(&scenarios::from_the_request(2));
}

#[test]
fn the_promises_hold_while_people_are_asked() {
    holds(&scenarios::while_people_are_asked(2));
}

#[test]
fn the_promises_hold_while_it_is_live() {
    holds(&scenarios::while_it_is_live(2));
}

#[test]
fn the_promises_hold_while_things_change() {
    holds(&scenarios::while_things_change(2));
}

#[test]
fn the_promises_hold_while_it_widens() {
    holds(&scenarios::while_it_widens(2));
}

#[test]
fn the_promises_hold_beyond_the_contract() {
    holds(&scenarios::beyond_the_contract(2));
}

#[test]
fn the_promises_hold_for_two_under_one_contract() {
    holds(&scenarios::two_under_one_contract(2));
}

/// Each variant that is broken on purpose breaks a promise, and the exploration shows how.
#[test]
fn every_broken_variant_is_caught() {
    let mut missed = Vec::new();
    for broken in Broken::ALL {
        let Some(found) = explore(&tried(broken), Some(broken)).counterexample else {
            missed.push(broken);
            continue;
        };
        let Counterexample { violation, happenings, steps, story } = found;
        println!("{broken:?}: {}, after {happenings} happenings and {steps} steps", violation.promise);
        println!("  {}\n{story}", violation.what);
    }
    assert!(missed.is_empty(), "nothing catches {missed:?}");
}
