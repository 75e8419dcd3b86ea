//! What is said of a boundary. Pure.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::observe::Scene;
use crate::api::boundary::SharingBoundaryStatus;
use crate::api::condition::{Reason, merge};
use crate::plan::situation::{Situation, accepted};
use crate::policy::scope;

/// The status that a boundary should have.
pub fn status(scene: &Scene, old: &[Condition], now: Timestamp) -> SharingBoundaryStatus {
    let generation = scene.boundary.metadata.generation;
    let findings = situation(scene).findings(accepted(&scene.problems, "every value can be read"));
    SharingBoundaryStatus {
        observed_generation: generation,
        conditions: merge(old, &findings, generation, now),
    }
}

fn situation(scene: &Scene) -> Situation {
    let found = accepted(&scene.problems, "");
    if found.holds {
        let held = scope::describe(&scene.boundary.spec.namespaces);
        return Situation::settled(Reason::Accepted, format!("holds {held}"));
    }
    Situation::stuck(found.reason, found.message)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::plan::situation::SituationKind;
    use crate::policy::testing::World;

    #[test]
    fn it_says_whom_it_holds() {
        let scene = Scene::observe(Arc::new(World::story().boundary().clone()));
        let situation = situation(&scene);
        assert_eq!(situation.kind, SituationKind::Settled);
        assert_eq!(situation.message, "holds namespaces labelled comity.dev/shares=true");
    }

    #[test]
    fn what_cannot_be_read_is_for_its_author_to_mend() {
        let mut world = World::story();
        world.boundary().spec.ceilings.credential_ttl = "soon".into();
        let scene = Scene::observe(Arc::new(world.boundary().clone()));
        let now = world.now;
        let told = status(&scene, &[], now);
        let holding: Vec<(&str, &str)> = told
            .conditions
            .iter()
            .filter(|condition| condition.status == "True")
            .map(|condition| (condition.type_.as_str(), condition.reason.as_str()))
            .collect();
        assert_eq!(holding, [("Stalled", "Invalid")]);
        assert_eq!(status(&scene, &told.conditions, world.contract.spec.time.not_after.0), told, "and stays");
    }
}
