//! What is said of a contract. Pure.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::observe::Scene;
use crate::api::condition::{Reason, merge};
use crate::api::contract::SharingContractStatus;
use crate::plan::situation::{Situation, accepted};

/// The status that a contract should have.
pub fn status(scene: &Scene, old: &[Condition]) -> SharingContractStatus {
    let generation = scene.contract.metadata.generation;
    let good = "boundary, datasets and what serves them permit it";
    let findings = situation(scene).findings(accepted(&scene.problems, good));
    SharingContractStatus {
        observed_generation: generation,
        conditions: merge(old, &findings, generation, scene.now),
    }
}

fn situation(scene: &Scene) -> Situation {
    let time = &scene.contract.spec.time;
    // What has had its time is as it can be: nobody has to do anything about it.
    if let Some(ended) = scene.problems.iter().find(|problem| problem.reason == Reason::ContractEnded) {
        return Situation::settled(Reason::ContractEnded, &ended.message);
    }
    let found = accepted(&scene.problems, "");
    if !found.holds {
        return Situation::moving(found.reason, found.message);
    }
    match time.not_before.as_ref().filter(|moment| moment.0 > scene.now) {
        Some(moment) => {
            Situation::settled(Reason::NotYet, format!("nothing opens under it before {}", moment.0))
        }
        None => {
            Situation::settled(Reason::Accepted, format!("may be granted under until {}", time.not_after.0))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use jiff::Timestamp;

    use super::super::check::{self, Ground};
    use super::*;
    use crate::policy::testing::{World, instant};

    fn scene(world: &World, now: Timestamp) -> Scene {
        let named = |dataset: &crate::api::Dataset| dataset.metadata.name.clone().unwrap_or_default();
        let ground = Ground {
            contract: &world.contract,
            datasets: world.datasets.iter().map(|dataset| (named(dataset), dataset)).collect(),
            services: world.services.clone(),
            boundaries: world.boundaries.iter().collect(),
            namespace_labels: world.namespace_labels.clone(),
        };
        Scene { problems: check::problems(&ground, now), contract: Arc::new(world.contract.clone()), now }
    }

    /// `Accepted` and `Ready`, each as status and reason, and the message of `Accepted`.
    fn told(world: &World, now: Timestamp) -> ([String; 2], String) {
        let status = status(&scene(world, now), &[]);
        let find = |kind: &str| status.conditions.iter().find(|one| one.type_ == kind).unwrap();
        let both = |kind: &str| format!("{} {}", find(kind).status, find(kind).reason);
        ([both("Accepted"), both("Ready")], find("Accepted").message.clone())
    }

    #[test]
    fn the_storys_contract_is_accepted() {
        let world = World::story();
        assert_eq!(told(&world, world.now).0, ["True Accepted", "True Accepted"]);
    }

    type Change = fn(&mut World);

    #[test]
    fn what_keeps_it_from_being_granted_under_is_said_with_both_sides() {
        let beyond = |change: Change| {
            let mut world = World::story();
            change(&mut world);
            told(&world, world.now)
        };
        let cases: [(Change, &str, &[&str]); 5] = [
            (|world| world.boundaries.clear(), "NoBoundary", &["risk-data"]),
            (
                |world| world.contract.spec.stages[0].max_duration = "9999h".into(),
                "BeyondBoundary",
                &[
                    "stages[Sandbox].maxDuration",
                    "fraud-scoring gives 9999h",
                    "partners-default at most 720h",
                ],
            ),
            (|world| world.datasets.clear(), "UnknownDataset", &["transactions"]),
            (
                |world| world.dataset().spec.permitted.purposes.clear(),
                "NotPermitted",
                &["fraud-detection", "the dataset transactions permits only: none"],
            ),
            (|world| drop(world.services.remove("tx-masked")), "EndpointUnusable", &["tx-masked"]),
        ];
        for (change, reason, parts) in cases {
            let ([accepted, ready], message) = beyond(change);
            assert_eq!(accepted, format!("False {reason}"));
            assert_eq!(ready, format!("False {reason}"), "{message}");
            for part in parts {
                assert!(message.contains(part), "{part}: {message}");
            }
        }
    }

    #[test]
    fn before_its_time_and_after_it_nobody_has_to_do_anything() {
        let world = World::story();
        assert_eq!(told(&world, instant("2026-10-01T00:00:00Z")).0, ["True Accepted", "True NotYet"]);
        let (words, message) = told(&world, instant("2035-10-31T00:00:00Z"));
        assert_eq!(words, ["False ContractEnded", "True ContractEnded"]);
        assert_eq!(told(&world, instant("2036-10-31T00:00:00Z")).1, message, "and says the same for ever");
    }

    #[test]
    fn it_is_looked_at_again_when_its_time_comes_and_when_it_is_over() {
        let world = World::story();
        let moments = |now: &str| check::moments(&world.contract, instant(now));
        assert_eq!(moments("2026-10-01T00:00:00Z").len(), 2);
        assert_eq!(moments("2026-12-01T00:00:00Z"), [instant("2035-10-31T00:00:00Z")]);
        assert!(moments("2035-10-31T00:00:00Z").is_empty());
    }
}
