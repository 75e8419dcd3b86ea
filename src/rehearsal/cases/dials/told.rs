//! What a probe told of the addresses that it dialled, and what that shows.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::{SILENT, Target};
use crate::rehearsal::case::{Attempt, Case, Expected, Observed};

/// What `comity dial` says of who answers.
const OPEN: &str = "open";
/// What it says of who doesn't, where that shows that nothing gets there. One that refuses may have been reached.
const SHUT: [&str; 3] = ["no answer", "unreachable", "not permitted"];

/// What a probe told.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// What came of each address.
    Dialled(BTreeMap<SocketAddr, String>),
    /// Nobody could dial, for this reason.
    Untried(String),
    /// Nobody did, although somebody could have, for this reason.
    Nothing(String),
}

/// What came of each address, as `comity dial` tells it: a line for each.
pub fn read(told: &str) -> BTreeMap<SocketAddr, String> {
    let lines = told.lines().filter_map(|line| line.split_once(' '));
    lines.filter_map(|(address, came)| Some((address.parse().ok()?, came.to_owned()))).collect()
}

/// A case for each target, by what a probe told. Silence shows something only of a probe that reached somebody.
pub fn cases(targets: Vec<Target>, told: &Told) -> Vec<Case> {
    let answers = |target: &Target| {
        let mut addresses = target.to.iter().flatten();
        target.expected == Expected::Allowed && addresses.any(|address| told.word(address) == Some(OPEN))
    };
    let reached = targets.iter().any(answers);
    let judged = targets.into_iter().map(|target| {
        let attempt = match (told, &target.to) {
            (Told::Untried(why), _) | (_, Err(why)) => Attempt::Nothing(why.clone()),
            (Told::Nothing(why), _) => refused(format!("nobody dialled: {why}")),
            (Told::Dialled(told), Ok(to)) => of(&came(told, to), target.expected, reached),
        };
        let Target { name, clause, tried, expected, .. } = target;
        Case { name, clause, tried, attempt, expected }
    });
    judged.collect()
}

impl Told {
    fn word(&self, address: &SocketAddr) -> Option<&str> {
        match self {
            Self::Dialled(told) => told.get(address).map(String::as_str),
            Self::Untried(_) | Self::Nothing(_) => None,
        }
    }
}

/// What came of an address; `None`: nothing was said of it.
type Came<'a> = (SocketAddr, Option<&'a str>);

fn came<'a>(told: &'a BTreeMap<SocketAddr, String>, to: &[SocketAddr]) -> Vec<Came<'a>> {
    to.iter().map(|address| (*address, told.get(address).map(String::as_str))).collect()
}

fn refused(why: String) -> Attempt {
    Attempt::Seen(Observed::Refused(why))
}

/// What that shows of a target. What has to answer does at every address, and what mustn't at none.
fn of(came: &[Came<'_>], expected: Expected, reached: bool) -> Attempt {
    if let Some((address, _)) = came.iter().find(|(_, word)| word.is_none()) {
        return refused(format!("the probe said nothing of {address}"));
    }
    let (open, others): (Vec<Came<'_>>, Vec<Came<'_>>) =
        came.iter().copied().partition(|(_, word)| *word == Some(OPEN));
    let is_shut = |(_, word): &Came<'_>| word.is_some_and(|word| SHUT.contains(&word));
    let unclear: Vec<Came<'_>> = others.iter().copied().filter(|one| !is_shut(one)).collect();
    let is_allowed = expected == Expected::Allowed;
    if !open.is_empty() && (!is_allowed || others.is_empty()) {
        let addresses: Vec<String> = open.iter().map(|(address, _)| address.to_string()).collect();
        let answer = if open.len() == 1 { "answers" } else { "answer" };
        return Attempt::Seen(Observed::AllowedBy(format!("{} {answer}", addresses.join(", "))));
    }
    if is_allowed {
        return refused(words(&others));
    }
    if !unclear.is_empty() {
        return Attempt::Nothing(format!("{}, by what holds the pod or by what it reached", words(&unclear)));
    }
    if !reached {
        return Attempt::Nothing("nothing answered that has to, so silence shows nothing".to_owned());
    }
    refused(format!("{SILENT}: {}", words(&others)))
}

/// What came of these, for people.
fn words(came: &[Came<'_>]) -> String {
    let each = came.iter().map(|(address, word)| format!("{address}: {}", word.unwrap_or_default()));
    each.collect::<Vec<_>>().join(", ")
}
