//! What has to succeed and what has to be refused, from what an opening allows. Pure: the same opening has the
//! same cases.

mod access;
pub mod certificates;
pub mod checks;
pub mod dials;
pub mod ephemeral;
mod future;
pub mod login;
pub mod network;
mod objects;
mod pods;

use std::collections::BTreeSet;

use crate::api::condition::cut;
use crate::api::contract::Rehearsal;
use crate::api::effective::EffectivePolicy;
use crate::api::grant::Role;
use crate::api::stage::Stage;
use crate::api::stage_policy::StagePolicySpec;
use crate::generate::rbac::partner;

use super::case::{Attempt, Case, Expected, Request};

/// The most cases that a report holds: those of the most roles and workloads that a grant may have fit.
pub const MOST: usize = 1024;

/// What is rehearsed, in its surroundings.
#[derive(Clone, Debug)]
pub struct Ground<'a> {
    /// The grant's name.
    pub grant: &'a str,
    /// The grant's namespace.
    pub grant_namespace: &'a str,
    /// The namespace of the stage.
    pub namespace: &'a str,
    /// What the opening allows.
    pub policy: &'a EffectivePolicy,
    /// What its pods are held to.
    pub guard: StagePolicySpec,
    /// What the contract says of rehearsals.
    pub rehearsal: Option<&'a Rehearsal>,
    /// Namespaces of other stages, this grant's and others', as far as there are any.
    pub others: Vec<String>,
    /// A pod that runs there, to which something can be added; or why there is none.
    pub running: Result<ephemeral::Running, String>,
    /// What of the network was worked out.
    pub network: Vec<Case>,
    /// What was read beside that, and what it comes to.
    pub seen: Vec<Case>,
}

impl Ground<'_> {
    /// Every case, in the order in which a report tells of them. Where there are more than a report holds, those of
    /// the network are told together; where there still are, the last are left out, and one says so and fails.
    pub fn cases(&self) -> Vec<Case> {
        let mut cases = access::cases(self);
        cases.extend(pods::cases(self));
        cases.extend(ephemeral::cases(self));
        cases.extend(objects::cases(self));
        let behind: Vec<Case> = self.seen.iter().cloned().chain(future::cases(self)).collect();
        let room = MOST.saturating_sub(cases.len()).saturating_sub(behind.len());
        let is_roomy = self.network.len() <= room;
        cases.extend(if is_roomy { self.network.clone() } else { network::summary::of(&self.network) });
        cases.extend(behind);
        tell_apart(&mut cases);
        if cases.len() > MOST {
            cases.truncate(MOST - 1);
            cases.push(too_many());
        }
        cases
    }

    /// The roles of the partner's people, each once.
    fn roles(&self) -> Vec<Role> {
        Role::ALL.into_iter().filter(|role| self.policy.people.iter().any(|one| one.role == *role)).collect()
    }

    /// The first role that may do this to that at Rehearsal, if anybody has one.
    pub fn role_that_may(&self, verb: &str, group: &str, resource: &str) -> Option<Role> {
        self.roles().into_iter().find(|role| {
            partner::rules(*role, Stage::Rehearsal).iter().any(|rule| {
                rule.group == group && rule.resources.contains(&resource) && rule.verbs.contains(&verb)
            })
        })
    }
}

/// Gives a number to every case whose name another has already: a report names each once. Names are cut to
/// what a report holds with it.
fn tell_apart(cases: &mut [Case]) {
    let mut names = BTreeSet::new();
    for case in cases {
        let name = cut(&case.name, 120);
        let numbered = (2..).map(|number| format!("{name}-{number}"));
        let mut free = std::iter::once(name.clone()).chain(numbered).skip_while(|name| names.contains(name));
        case.name = free.next().unwrap_or(name);
        names.insert(case.name.clone());
    }
}

/// What stands for the cases that no report holds.
fn too_many() -> Case {
    Case {
        name: "too-many-cases".to_owned(),
        clause: "rehearsal",
        tried: format!("the cases after the first {}", MOST - 1),
        attempt: Attempt::Seen(super::case::Observed::Refused(
            "the grant has so many people's roles and workloads that not every case of theirs can be reported".to_owned(),
        )),
        expected: Expected::Allowed,
    }
}

/// A request that is tried.
fn request(name: String, clause: &'static str, tried: String, request: Request, expected: Expected) -> Case {
    Case { name, clause, tried, attempt: Attempt::Request(request), expected }
}

#[cfg(test)]
mod tests;
