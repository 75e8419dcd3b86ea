//! Connections told together, where a report has no room for each: nothing is left untried, however much a contract
//! names.

use crate::api::report::CaseOutcome;
use crate::rehearsal::case::{Attempt, Case, Expected, Observed};
use crate::rehearsal::judge::{SHUT, outcome};

/// One case for each clause and what has to come out, which says of how many connections it speaks. It fails where
/// one of them does, and can't be executed where one of them can't.
pub fn of(cases: &[Case]) -> Vec<Case> {
    let mut groups: Vec<Vec<&Case>> = Vec::new();
    for case in cases {
        let alike = |group: &&mut Vec<&Case>| {
            group.iter().all(|one| (one.clause, one.expected) == (case.clause, case.expected))
        };
        match groups.iter_mut().find(alike) {
            Some(group) => group.push(case),
            None => groups.push(vec![case]),
        }
    }
    groups.iter().filter_map(|group| together(group)).collect()
}

/// Cases of one clause, as one.
fn together(group: &[&Case]) -> Option<Case> {
    let first = group.first()?;
    let came_out = |wanted: CaseOutcome| {
        group.iter().find(|case| outcome(case, &observed(&case.attempt)) == wanted).map(|case| (wanted, case))
    };
    let (outcome, case) = came_out(CaseOutcome::Failed)
        .or_else(|| came_out(CaseOutcome::NotExecutable))
        .or_else(|| came_out(CaseOutcome::Passed))?;
    let told = |words: &str| format!("{} ({}): {words}", case.name, case.tried);
    let attempt = match (outcome, &case.attempt) {
        (CaseOutcome::Passed, _) if first.expected == Expected::Allowed => {
            Attempt::Seen(Observed::AllowedBy("open, all of them".to_owned()))
        }
        (CaseOutcome::Passed, _) => Attempt::Seen(Observed::Refused(format!("{SHUT}, all of them"))),
        (_, Attempt::Seen(Observed::AllowedBy(words))) => Attempt::Seen(Observed::AllowedBy(told(words))),
        (_, Attempt::Seen(Observed::Refused(words))) => Attempt::Seen(Observed::Refused(told(words))),
        (_, attempt) => attempt.clone(),
    };
    let word = if first.expected == Expected::Allowed { "open" } else { SHUT };
    let name = format!("network-{}-{word}", first.clause.replace('.', "-").to_lowercase());
    let tried = format!("{} connections, each by the policies that are stored", group.len());
    Some(Case { name, clause: first.clause, tried, attempt, expected: first.expected })
}

/// What came out of what was worked out already.
fn observed(attempt: &Attempt) -> Observed {
    match attempt {
        Attempt::Seen(observed) | Attempt::Done(observed, _) => observed.clone(),
        Attempt::Nothing(why) => Observed::Untried(why.clone()),
        Attempt::Access(_) | Attempt::Request(_) => Observed::Untried("it has yet to be tried".to_owned()),
    }
}
