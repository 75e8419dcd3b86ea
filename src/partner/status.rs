//! What is said of a partner. Pure.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use super::observe::Scene;
use crate::api::condition::{Reason, merge};
use crate::api::partner::PartnerStatus;
use crate::plan::situation::{Situation, accepted};
use crate::policy::scope;

/// The status that a partner should have.
pub fn status(scene: &Scene, old: &[Condition]) -> PartnerStatus {
    let generation = scene.partner.metadata.generation;
    let good = "everything in it can be read";
    let findings = situation(scene).findings(accepted(&scene.faults.unusable, good));
    PartnerStatus {
        observed_generation: generation,
        conditions: merge(old, &findings, generation, scene.now),
    }
}

/// Who wrote it has to mend it: nothing else can.
fn situation(scene: &Scene) -> Situation {
    let all = [&scene.faults.unusable[..], &scene.faults.run_out[..]].concat();
    let found = accepted(&all, "");
    if !found.holds {
        return Situation::stuck(found.reason, found.message);
    }
    let named_from = match &scene.partner.spec.allowed_namespaces {
        Some(scope) => scope::describe(scope),
        None => "no namespace".to_owned(),
    };
    let until = scene
        .faults
        .next
        .map_or_else(String::new, |next| format!("; the first of what it has shown runs out at {next}"));
    Situation::settled(Reason::Accepted, format!("may be named from {named_from}{until}"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::plan::situation::SituationKind;
    use crate::policy::testing::{World, instant};

    #[test]
    fn it_says_who_may_name_it_and_what_runs_out_first() {
        let world = World::story();
        let scene = Scene::observe(Arc::new(world.partner.clone()), world.now);
        assert_eq!(
            situation(&scene).message,
            "may be named from the namespaces risk-data; the first of what it has shown runs out at 2036-01-31T00:00:00Z"
        );
    }

    #[test]
    fn one_that_lets_nobody_in_says_so() {
        let mut world = World::story();
        world.partner.spec.allowed_namespaces = None;
        let scene = Scene::observe(Arc::new(world.partner.clone()), world.now);
        assert!(situation(&scene).message.starts_with("may be named from no namespace"));
    }

    #[test]
    fn a_control_that_ran_out_is_for_people_although_the_partner_is_accepted() {
        let world = World::story();
        let scene = Scene::observe(Arc::new(world.partner.clone()), instant("2036-02-01T00:00:00Z"));
        assert_eq!(situation(&scene).kind, SituationKind::Stuck);
        let told = status(&scene, &[]);
        let find = |kind: &str| told.conditions.iter().find(|one| one.type_ == kind).unwrap();
        assert_eq!(find("Accepted").status, "True");
        assert_eq!(
            (find("Ready").status.as_str(), find("Ready").reason.as_str()),
            ("False", "ControlMissing")
        );
        let later = Scene { now: instant("2036-02-02T00:00:00Z"), ..scene };
        assert_eq!(status(&later, &told.conditions), told, "and stays as it is");
    }
}
