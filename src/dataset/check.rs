//! What keeps a dataset from being shared. Pure.

use std::collections::BTreeMap;

use kube::ResourceExt as _;

use crate::api::Dataset;
use crate::api::condition::Reason;
use crate::policy::checks::endpoints::{shared_pods, unusable_services};
use crate::policy::checks::{positive, problem};
use crate::policy::{Problem, ServiceFacts};

/// Every problem of a dataset, given the Services of its namespace.
pub fn problems(dataset: &Dataset, services: &BTreeMap<String, ServiceFacts>) -> Vec<Problem> {
    let mut problems: Vec<Problem> = retention_unreadable(dataset).into_iter().collect();
    problems.extend(unusable_services(dataset, services));
    problems.extend(shared_pods(&[dataset], services));
    problems
}

fn retention_unreadable(dataset: &Dataset) -> Option<Problem> {
    let most = &dataset.spec.retention.max;
    let sides = format!("the dataset {} says {:?}, which can't be read", dataset.name_any(), most.0);
    let remedy = "write durations as 720h, longer than nothing";
    positive(most).is_none().then(|| problem(Reason::Invalid, "retention.max", sides, remedy))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::testing::World;

    fn found(world: &mut World) -> Vec<(String, String)> {
        let dataset = world.dataset().clone();
        let problems = problems(&dataset, &world.services);
        problems.into_iter().map(|problem| (problem.clause, problem.message)).collect()
    }

    #[test]
    fn the_storys_dataset_can_be_shared() {
        assert_eq!(found(&mut World::story()), []);
    }

    #[test]
    fn a_service_without_selector_is_named_with_what_to_do() {
        let mut world = World::story();
        world.services.get_mut("tx-features").unwrap().selector.clear();
        let found = found(&mut world);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].0, "datasets[transactions].endpoints[Production].service");
        assert!(found[0].1.contains("tx-features, which has no selector"), "{}", found[0].1);
    }

    #[test]
    fn sandbox_and_production_are_never_the_same_pods() {
        let mut world = World::story();
        let masked = world.services["tx-features"].clone();
        world.services.insert("tx-synthetic".to_owned(), masked);
        let found = found(&mut world);
        assert_eq!(found.len(), 1);
        for side in ["tx-synthetic", "Sandbox", "tx-features", "Production", "same pods"] {
            assert!(found[0].1.contains(side), "{side}: {}", found[0].1);
        }
    }

    #[test]
    fn a_retention_that_cannot_be_read_is_named() {
        let mut world = World::story();
        world.dataset().spec.retention.max = "for ever".into();
        assert_eq!(found(&mut world)[0].0, "retention.max");
    }
}
