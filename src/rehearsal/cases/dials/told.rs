//! What a probe told of the addresses that it dialled, and what that shows.

use std::collections::BTreeMap;
use std::time::Duration;

use super::word::{self, Came};
use super::{Place, SILENT, Target};
use crate::rehearsal::case::{Attempt, Case, Expected, Observed};

/// What is said of who doesn't answer, where that shows that nothing gets there. One that refuses may have been reached.
const SHUT: [&str; 3] = [word::SILENT, word::UNREACHABLE, word::FORBIDDEN];

/// What a probe told.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// What came of each place.
    Dialled(BTreeMap<Place, Came>),
    /// Nobody could dial, for this reason.
    Untried(String),
    /// Nobody did, although somebody could have, for this reason.
    Nothing(String),
}

/// A case for each target, by what a probe told. Silence shows something only of a probe that reached somebody.
pub fn cases(targets: Vec<Target>, told: &Told) -> Vec<Case> {
    let reached = targets.iter().any(|target| told.reached(target));
    let judged = targets.into_iter().map(|target| {
        let attempt = match (told, &target.to) {
            (Told::Untried(why), _) | (_, Err(why)) => Attempt::Nothing(why.clone()),
            (Told::Nothing(why), _) => Attempt::Seen(Observed::Refused(format!("nobody dialled: {why}"))),
            (Told::Dialled(told), Ok(to)) => {
                let came: Vec<One> =
                    to.iter().map(|address| (*address, told.get(address).copied())).collect();
                let took = came.iter().filter_map(|(_, came)| Some((*came)?.took)).max();
                Attempt::Done(observed(&came, target.expected, reached), took.unwrap_or(Duration::ZERO))
            }
        };
        let Target { name, clause, tried, expected, .. } = target;
        Case { name, clause, tried, attempt, expected }
    });
    judged.collect()
}

impl Told {
    /// Whether something answered there that has to.
    fn reached(&self, target: &Target) -> bool {
        let (Self::Dialled(told), Ok(to)) = (self, &target.to) else { return false };
        let answers = |address| told.get(address).is_some_and(|came| came.word == word::OPEN);
        target.expected == Expected::Allowed && to.iter().any(answers)
    }
}

/// A place, and what came of it; `None`: nothing was said of it.
type One = (Place, Option<Came>);

/// What is to be seen of a target. What has to answer does at every address, and what mustn't at none.
fn observed(came: &[One], expected: Expected, reached: bool) -> Observed {
    if let Some((address, _)) = came.iter().find(|(_, came)| came.is_none()) {
        return Observed::Refused(format!("the probe said nothing of {address}"));
    }
    let says = |one: &One, words: &[&str]| one.1.is_some_and(|came| words.contains(&came.word));
    let (open, others): (Vec<One>, Vec<One>) = came.iter().copied().partition(|one| says(one, &[word::OPEN]));
    let is_allowed = expected == Expected::Allowed;
    if !open.is_empty() && (!is_allowed || others.is_empty()) {
        let addresses: Vec<String> = open.iter().map(|(address, _)| address.to_string()).collect();
        let answer = if open.len() == 1 { "answers" } else { "answer" };
        return Observed::AllowedBy(format!("{} {answer}", addresses.join(", ")));
    }
    if is_allowed {
        return Observed::Refused(words(&others));
    }
    let unclear: Vec<One> = others.iter().copied().filter(|one| !says(one, &SHUT)).collect();
    if !unclear.is_empty() {
        return Observed::Untried(format!(
            "{}, by what holds the pod or by what it reached",
            words(&unclear)
        ));
    }
    if !reached {
        return Observed::Untried("nothing answered that has to, so silence shows nothing".to_owned());
    }
    Observed::Refused(format!("{SILENT}: {}", words(&others)))
}

/// What came of these, for people.
fn words(came: &[One]) -> String {
    let word = |came: &Option<Came>| came.map_or("", |came| came.word);
    let each = came.iter().map(|(address, came)| format!("{address}: {}", word(came)));
    each.collect::<Vec<_>>().join(", ")
}
