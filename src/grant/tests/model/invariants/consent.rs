//! P3, counted anew from what people really decided: who they are, what of, for which group, and when.

use std::collections::BTreeSet;

use super::super::acts::{Act, Decided, Group, Person};
use super::super::story::{VALID_FOR, Version};

/// Who has to agree.
pub struct Asked {
    pub people: usize,
    pub groups: BTreeSet<&'static str>,
}

impl Asked {
    /// What all of these versions of the contract ask for together.
    pub fn of(versions: impl Iterator<Item = Version>) -> Self {
        versions.map(Version::allowance).fold(
            Self { people: 0, groups: BTreeSet::new() },
            |mut asked, one| {
                asked.people = asked.people.max(one.people);
                asked.groups.extend(one.groups);
                asked
            },
        )
    }

    /// Whether these are enough: each person counts once, for one group, and whoever asked for the
    /// grant or wrote the contract doesn't count.
    pub fn is_met(&self, voices: &[(Person, Group)]) -> bool {
        let people: BTreeSet<Person> =
            voices.iter().map(|(person, _)| *person).filter(|person| !person.wrote()).collect();
        let groups: Vec<&'static str> = self.groups.iter().copied().collect();
        people.len() >= self.people && is_matched(&groups, &people, voices)
    }
}

/// Whether each group has somebody of its own.
fn is_matched(groups: &[&'static str], people: &BTreeSet<Person>, voices: &[(Person, Group)]) -> bool {
    let Some((group, others)) = groups.split_first() else { return true };
    let speakers = voices.iter().filter(|(person, of)| of.name() == *group && people.contains(person));
    speakers.into_iter().any(|(person, _)| {
        let mut left = people.clone();
        left.remove(person);
        is_matched(others, &left, voices)
    })
}

/// Who agrees at a moment that production opens as a version of the contract has it.
pub fn approvals(decided: &[Decided], version: Option<Version>, at: i32) -> Vec<(Person, Group)> {
    let counting = counting(decided, version, at);
    let voice = |act| match act {
        // Whoever somebody claims to be, it is they who decided.
        Act::Approve(by, group) | Act::ApproveAs(by, _, group) => Some((by, group)),
        _ => None,
    };
    counting.filter_map(voice).collect()
}

/// Who agrees at a moment that Rehearsal opens as a version of the contract has it.
pub fn rehearsals(decided: &[Decided], version: Option<Version>, at: i32) -> Vec<(Person, Group)> {
    let voice = |act| if let Act::Rehearse(by, group) = act { Some((by, group)) } else { None };
    counting(decided, version, at).filter_map(voice).collect()
}

/// Who agrees at a moment that production ends at `hours`.
pub fn extensions(
    decided: &[Decided],
    version: Option<Version>,
    at: i32,
    hours: i32,
) -> Vec<(Person, Group)> {
    let counting = counting(decided, version, at);
    let voice = |act| match act {
        Act::Extend(by, group, to) if to == hours => Some((by, group)),
        _ => None,
    };
    counting.filter_map(voice).collect()
}

/// What was decided of that version, and not too long ago.
fn counting(decided: &[Decided], version: Option<Version>, at: i32) -> impl Iterator<Item = Act> {
    let counts = move |one: &&Decided| one.version == version && at < one.made + VALID_FOR;
    decided.iter().filter(counts).map(|one| one.act)
}

#[test]
fn one_person_is_not_two_and_whoever_asked_is_nobody() {
    let asked = Asked::of([Version::Original].into_iter());
    let (data, security) = (Group::DataOwners, Group::Security);
    assert!(asked.is_met(&[(Person::Olga, security), (Person::Per, data)]));
    assert!(asked.is_met(&[(Person::Olga, data), (Person::Olga, security), (Person::Per, data)]));
    assert!(!asked.is_met(&[(Person::Olga, security), (Person::Olga, data)]));
    assert!(!asked.is_met(&[(Person::Olga, security), (Person::Kim, security)]));
    assert!(!asked.is_met(&[(Person::Ada, security), (Person::Per, data)]));
    assert!(!asked.is_met(&[(Person::Ben, security), (Person::Per, data)]));
}
