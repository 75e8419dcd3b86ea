//! What is said of a dataset. Pure.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::observe::Scene;
use crate::api::condition::{Reason, merge};
use crate::api::dataset::DatasetStatus;
use crate::plan::situation::{Situation, accepted};

/// The status that a dataset should have.
pub fn status(scene: &Scene, old: &[Condition], now: Timestamp) -> DatasetStatus {
    let generation = scene.dataset.metadata.generation;
    let good = "what serves it can be named, and keeps real data apart";
    let findings = situation(scene).findings(accepted(&scene.problems, good));
    DatasetStatus { observed_generation: generation, conditions: merge(old, &findings, generation, now) }
}

/// Its Services may be mended without touching it.
fn situation(scene: &Scene) -> Situation {
    let found = accepted(&scene.problems, "");
    if !found.holds {
        return Situation::moving(found.reason, found.message);
    }
    let mut endpoints: Vec<_> = scene.dataset.spec.endpoints.iter().collect();
    endpoints.sort_by_key(|endpoint| endpoint.stage);
    let told: Vec<String> = endpoints
        .iter()
        .map(|endpoint| {
            format!("{:?} data by {} at {}", endpoint.data, endpoint.service.name, endpoint.stage)
        })
        .collect();
    let message = if told.is_empty() {
        "in the catalogue, but nothing serves it: no stage reaches it".to_owned()
    } else {
        format!("serves {}", told.join(", "))
    };
    Situation::settled(Reason::Accepted, message)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::check;
    use super::*;
    use crate::policy::testing::World;

    fn scene(mut world: World) -> Scene {
        let dataset = world.dataset().clone();
        Scene { problems: check::problems(&dataset, &world.services), dataset: Arc::new(dataset) }
    }

    #[test]
    fn it_says_what_serves_which_data_at_which_stage() {
        let told = situation(&scene(World::story()));
        assert_eq!(
            told.message,
            "serves Synthetic data by tx-synthetic at Sandbox, Masked data by tx-masked at Rehearsal, \
             Real data by tx-features at Production"
        );
    }

    #[test]
    fn a_missing_service_is_waited_for() {
        let mut world = World::story();
        world.services.remove("tx-masked");
        let now = world.now;
        let told = status(&scene(world), &[], now);
        let holding: Vec<&str> = told
            .conditions
            .iter()
            .filter(|condition| condition.status == "True")
            .map(|condition| condition.type_.as_str())
            .collect();
        assert_eq!(holding, ["Reconciling"]);
        assert!(
            told.conditions
                .iter()
                .all(|condition| condition.status == "False" || condition.reason == "EndpointUnusable")
        );
    }
}
