//! Who has to agree before a stage opens, and whether they have. Pure.
//!
//! What contract and boundaries ask for is joined: the stricter in every part. A person counts
//! once, for the one group that they spoke for.

use std::collections::{BTreeMap, BTreeSet};

use jiff::SignedDuration;

use crate::api::boundary::{ApprovalFloor, GroupShare};
use crate::api::contract::Approval;
use crate::api::value::{Duration, Name};
use crate::api::{SharingBoundary, SharingContract, Stage};

/// What is asked for before a stage opens.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ConsentRule {
    /// How many people.
    pub required: usize,
    /// From which groups at least how many of them.
    pub groups: BTreeMap<String, usize>,
    /// How long a request waits for an answer; `None`: for as long as it takes.
    pub pending_for: Option<SignedDuration>,
    /// How long an approval counts; `None`: until the stage opens.
    pub valid_for: Option<SignedDuration>,
}

/// Somebody who agreed, and the group that they spoke for.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Voice<'a> {
    /// The person, as the API server knows them.
    pub person: &'a str,
    /// The group.
    pub group: Option<&'a str>,
}

/// What is missing for a rule to be met.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Missing {
    /// So many people, in all.
    pub people: usize,
    /// Of them from these groups so many.
    pub groups: BTreeMap<String, usize>,
}

impl ConsentRule {
    /// What a contract and the boundaries of its namespace ask for together. Production can't be
    /// without: somebody has to agree, whatever they say. `None` where a duration can't be read.
    pub fn of(stage: Stage, contract: &SharingContract, boundaries: &[&SharingBoundary]) -> Option<Self> {
        let least = Self { required: usize::from(stage == Stage::Production), ..Self::default() };
        let given = contract.spec.approvals.iter().filter(|approval| approval.stage == stage);
        let given = given.map(Self::of_approval);
        let floors = boundaries.iter().filter_map(|boundary| boundary.spec.floors.as_ref());
        let floors = floors.flat_map(|floors| &floors.approvals).filter(|floor| floor.stage == stage);
        given.chain(floors.map(|floor| Some(Self::of_floor(floor)))).try_fold(least, |rule, next| {
            let next = next?;
            Some(rule.join(&next))
        })
    }

    /// What a contract asks for, or a record says that it asked for.
    pub fn of_approval(approval: &Approval) -> Option<Self> {
        let read = |duration: &Option<Duration>| match duration {
            Some(duration) => duration.length().map(Some),
            None => Some(None),
        };
        Some(Self {
            required: count(approval.required),
            groups: shares(&approval.groups),
            pending_for: read(&approval.pending_for)?,
            valid_for: read(&approval.valid_for)?,
        })
    }

    fn of_floor(floor: &ApprovalFloor) -> Self {
        Self { required: count(floor.required), groups: shares(&floor.groups), ..Self::default() }
    }

    /// Both rules at once: the stricter in every part.
    #[must_use]
    pub fn join(&self, other: &Self) -> Self {
        let mut groups = self.groups.clone();
        for (group, least) in &other.groups {
            let known = groups.entry(group.clone()).or_default();
            *known = (*known).max(*least);
        }
        let required = self.required.max(other.required).max(groups.values().sum());
        Self {
            required,
            groups,
            pending_for: shorter(self.pending_for, other.pending_for),
            valid_for: shorter(self.valid_for, other.valid_for),
        }
    }

    /// Whether nobody has to be asked.
    pub const fn is_empty(&self) -> bool {
        self.required == 0
    }

    /// The rule as a record keeps it.
    pub fn to_approval(&self, stage: Stage) -> Approval {
        let share = |(name, least): (&String, &usize)| GroupShare {
            name: Name(name.clone()),
            at_least: i32::try_from(*least).unwrap_or(i32::MAX),
        };
        Approval {
            stage,
            required: i32::try_from(self.required).unwrap_or(i32::MAX),
            groups: self.groups.iter().map(share).collect(),
            pending_for: self.pending_for.map(written),
            valid_for: self.valid_for.map(written),
        }
    }

    /// What is missing when these have agreed; `None`: nothing.
    pub fn missing(&self, voices: &[Voice<'_>]) -> Option<Missing> {
        let mut heard = BTreeSet::new();
        let mut by_group: BTreeMap<&str, usize> = BTreeMap::new();
        for voice in voices.iter().filter(|voice| heard.insert(voice.person)) {
            if let Some(group) = voice.group {
                *by_group.entry(group).or_default() += 1;
            }
        }
        let short = |(group, least): (&String, &usize)| {
            let has = by_group.get(group.as_str()).copied().unwrap_or_default();
            (has < *least).then(|| (group.clone(), least - has))
        };
        let groups: BTreeMap<String, usize> = self.groups.iter().filter_map(short).collect();
        let people = self.required.saturating_sub(heard.len()).max(groups.values().sum());
        (people > 0).then_some(Missing { people, groups })
    }
}

impl std::fmt::Display for Missing {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let people = if self.people == 1 { "person" } else { "people" };
        write!(out, "{} more {people}", self.people)?;
        let mut groups = self.groups.iter();
        if let Some((group, least)) = groups.next() {
            write!(out, ", of them at least {least} from {group}")?;
        }
        groups.try_for_each(|(group, least)| write!(out, " and {least} from {group}"))
    }
}

/// A number of people; less than none is none.
fn count(number: i32) -> usize {
    usize::try_from(number).unwrap_or_default()
}

fn shares(groups: &[GroupShare]) -> BTreeMap<String, usize> {
    groups.iter().map(|share| (share.name.0.clone(), count(share.at_least))).collect()
}

/// A length as it is written: GEP-2257, of which each number has five digits at most.
fn written(length: SignedDuration) -> Duration {
    let seconds = length.as_secs().max(1);
    let parts = [(seconds / 3600, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let parts = parts.iter().filter(|(number, _)| *number > 0);
    let parts: Vec<String> = parts.map(|(number, unit)| format!("{number}{unit}")).collect();
    Duration(parts.concat())
}

/// The shorter of two; absent is longer than any.
fn shorter(one: Option<SignedDuration>, other: Option<SignedDuration>) -> Option<SignedDuration> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rule(required: usize, groups: &[(&str, usize)]) -> ConsentRule {
        let groups = groups.iter().map(|(name, least)| ((*name).to_owned(), *least)).collect();
        ConsentRule { required, groups, ..ConsentRule::default() }.join(&ConsentRule::default())
    }

    fn voice<'a>(person: &'a str, group: &'a str) -> Voice<'a> {
        Voice { person, group: Some(group) }
    }

    #[test]
    fn a_person_counts_once_for_one_group() {
        let asked = rule(2, &[("security", 1), ("data-owners", 1)]);
        let twice = [voice("olga", "security"), voice("olga", "data-owners"), voice("olga", "security")];
        let missing = asked.missing(&twice).expect("one person isn't two");
        assert_eq!(missing.to_string(), "1 more person, of them at least 1 from data-owners");
        assert_eq!(asked.missing(&[voice("olga", "security"), voice("per", "data-owners")]), None);
        let none = asked.missing(&[]).expect("nobody has agreed");
        assert_eq!(
            none.to_string(),
            "2 more people, of them at least 1 from data-owners and 1 from security"
        );
    }

    #[test]
    fn two_of_one_group_are_not_one_of_each() {
        let asked = rule(2, &[("security", 1), ("data-owners", 1)]);
        let missing = asked.missing(&[voice("olga", "security"), voice("per", "security")]);
        assert_eq!(
            missing.expect("nobody of data-owners").to_string(),
            "1 more person, of them at least 1 from data-owners"
        );
    }

    fn rules() -> impl Strategy<Value = ConsentRule> {
        let groups = proptest::collection::btree_map("[a-c]", 0_usize..3, 0..3);
        let length = proptest::option::of((1_i64..100_000_000).prop_map(SignedDuration::from_secs));
        (0_usize..5, groups, length.clone(), length).prop_map(|(required, groups, pending_for, valid_for)| {
            ConsentRule { required, groups, pending_for, valid_for }
        })
    }

    fn voices() -> impl Strategy<Value = Vec<(String, Option<String>)>> {
        proptest::collection::vec(("[p-u]", proptest::option::of("[a-c]")), 0..8)
    }

    proptest! {
        #[test]
        fn who_meets_both_rules_together_meets_each(one in rules(), other in rules(), spoken in voices()) {
            let spoken: Vec<Voice<'_>> =
                spoken.iter().map(|(person, group)| Voice { person, group: group.as_deref() }).collect();
            let both = one.join(&other);
            prop_assert_eq!(&both, &other.join(&one));
            if both.missing(&spoken).is_none() {
                prop_assert_eq!(one.missing(&spoken), None);
                prop_assert_eq!(other.missing(&spoken), None);
            }
        }

        #[test]
        fn one_more_voice_is_never_less_consent(asked in rules(), spoken in voices(), person in "[p-u]", group in "[a-c]") {
            let mut spoken: Vec<Voice<'_>> =
                spoken.iter().map(|(person, group)| Voice { person, group: group.as_deref() }).collect();
            let before = asked.missing(&spoken);
            spoken.push(voice(&person, &group));
            let after = asked.missing(&spoken);
            prop_assert!(after.map_or(0, |missing| missing.people) <= before.map_or(0, |missing| missing.people));
        }

        #[test]
        fn a_rule_is_kept_as_it_is(asked in rules()) {
            let joined = asked.join(&ConsentRule::default());
            let kept = ConsentRule::of_approval(&joined.to_approval(Stage::Production));
            prop_assert_eq!(kept, Some(joined));
        }
    }
}
