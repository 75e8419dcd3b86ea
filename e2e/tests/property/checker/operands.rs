//! What a grant stands on, as it was in the revisions that a record names.

use std::collections::BTreeMap;

use comity::api::Stage;
use comity::api::value::Duration;
use jiff::SignedDuration;
use serde_json::Value;

use super::super::history::{list, text};
use super::{Checker, stage};

/// What a grant stands on, at one time. What is missing isn't there.
#[derive(Clone, Copy, Debug, Default)]
pub struct Operands<'a> {
    pub grant: Option<&'a Value>,
    pub contract: Option<&'a Value>,
    pub boundary: Option<&'a Value>,
    pub partner: Option<&'a Value>,
    pub dataset: Option<&'a Value>,
}

impl Checker {
    /// What a record says that something was opened with, as it was written then.
    pub fn operands(&self, revisions: &Value) -> Operands<'_> {
        let find = |kind: &str| {
            let found = list(revisions).iter().find(|revision| text(&revision["kind"]) == kind)?;
            let known = (text(&found["uid"]).to_owned(), found["generation"].as_i64()?);
            self.written.get(&known).map(AsRef::as_ref)
        };
        Operands {
            grant: find("PartnerGrant"),
            contract: find("SharingContract"),
            boundary: find("SharingBoundary"),
            partner: find("Partner"),
            dataset: find("Dataset"),
        }
    }
}

impl Operands<'_> {
    /// Who has to agree before a stage opens: what contract and boundary ask for, both.
    pub fn rule(&self, of: Stage) -> Rule {
        let contract = self.contract.map_or(&[][..], |contract| list(&contract["spec"]["approvals"]));
        let floors = self.boundary.map_or(&[][..], |found| list(&found["spec"]["floors"]["approvals"]));
        let asked = contract.iter().chain(floors).filter(|asked| stage(&asked["stage"]) == Some(of));
        asked
            .map(Rule::read)
            .fold(Rule::least(usize::from(of == Stage::Production)), |rule, next| rule.and(&next))
    }

    /// How long a stage may be open at most: as the contract and the boundary say.
    pub fn ceiling(&self, of: Stage) -> SignedDuration {
        let contract = self.contract.map(|contract| &contract["spec"]["stages"]);
        let boundary = self.boundary.map(|boundary| &boundary["spec"]["ceilings"]["stages"]);
        let both = [contract, boundary].map(|stages| of_stage(stages?, of, "maxDuration"));
        both.into_iter().map(Option::unwrap_or_default).min().unwrap_or_default()
    }

    /// How long a stage is to be open: as the grant asks, and no longer than it may be.
    pub fn duration(&self, of: Stage) -> SignedDuration {
        let asked = self.grant.and_then(|grant| of_stage(&grant["spec"]["stages"], of, "duration"));
        asked.map_or(self.ceiling(of), |asked| asked.min(self.ceiling(of)))
    }
}

/// A duration that a list of stages has for one of them.
fn of_stage(stages: &Value, of: Stage, field: &str) -> Option<SignedDuration> {
    let found = list(stages).iter().find(|rule| stage(&rule["stage"]) == Some(of))?;
    duration(&found[field])
}

fn duration(value: &Value) -> Option<SignedDuration> {
    Duration(value.as_str()?.to_owned()).length()
}

/// Who has to agree.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Rule {
    pub people: usize,
    pub groups: BTreeMap<String, usize>,
    /// How long it counts that somebody agrees.
    pub valid_for: Option<SignedDuration>,
}

impl Rule {
    /// So many people, whoever they are.
    pub fn least(people: usize) -> Self {
        Self { people, ..Self::default() }
    }

    fn read(asked: &Value) -> Self {
        let number = |value: &Value| usize::try_from(value.as_u64().unwrap_or_default()).unwrap_or_default();
        let groups = list(&asked["groups"]).iter();
        Self {
            people: number(&asked["required"]),
            groups: groups
                .map(|share| (text(&share["name"]).to_owned(), number(&share["atLeast"])))
                .collect(),
            valid_for: duration(&asked["validFor"]),
        }
    }

    /// Both at once.
    pub fn and(mut self, other: &Self) -> Self {
        self.people = self.people.max(other.people);
        for (group, least) in &other.groups {
            let known = self.groups.entry(group.clone()).or_default();
            *known = (*known).max(*least);
        }
        self.valid_for = [self.valid_for, other.valid_for].into_iter().flatten().min();
        self
    }
}
