//! The examples: what is good is agreed on, and what is refused is refused for the reason that its
//! file gives. The API server's own refusals are compared on a real one, in `e2e/tests/refused.rs`.
#![cfg(test)]

#[path = "examples/coverage.rs"]
mod coverage;
#[path = "examples/refusal.rs"]
mod refusal;
#[path = "examples/world.rs"]
mod world;

use refusal::{Expected, Refusal};
use serde_json::Value;
use world::{World, files};

/// The folder of the story.
const STORY: &str = "examples/fraud-scoring";

#[test]
fn the_story_is_agreed_on_at_every_promotion() {
    for folder in ["", "/demo"] {
        let mut world = World::story();
        world.overlay_files(&format!("{STORY}{folder}"));
        world.agreed(&format!("{STORY}{folder}"));
        for file in files(&format!("{STORY}{folder}/promotions")) {
            let mut promoted = world.clone();
            promoted.overlay(&file.documents);
            promoted.agreed(&file.name);
            let only_stage = |world: &World| {
                let mut spec = serde_json::to_value(&world.grant().spec).expect("a spec");
                spec["stage"] = Value::Null;
                spec
            };
            assert_eq!(only_stage(&world), only_stage(&promoted), "{}: one word differs", file.name);
        }
    }
}

/// What kustomize makes of each overlay is tried in `tests/gitops.rs`, where there is a kustomize.
#[test]
fn what_is_shared_from_git_is_agreed_on_in_every_overlay() {
    let folder = "examples/gitops";
    let mut world = World::default();
    world.overlay_files(&format!("{folder}/platform"));
    world.overlay_files(&format!("{folder}/base"));
    let stages = ["sandbox", "rehearsal", "production"].map(|overlay| {
        let patch = files(&format!("{folder}/overlays/{overlay}")).remove(0);
        let mut grant = files(&format!("{folder}/base"))
            .into_iter()
            .flat_map(|file| file.documents)
            .find(|document| document["kind"] == "PartnerGrant")
            .expect("a grant");
        assert_eq!(patch.documents[0]["metadata"], grant["metadata"], "{}", patch.name);
        grant["spec"]["stage"] = patch.documents[0]["spec"]["stage"].clone();
        world.overlay(&[grant]);
        world.agreed(&patch.name);
        world.grant().spec.stage.to_string()
    });
    assert_eq!(stages, ["Sandbox", "Rehearsal", "Production"]);
}

#[test]
fn what_is_not_accepted_says_why() {
    let mut told = 0;
    for refusal in Refusal::all() {
        let Expected::NotAccepted { reason, message } = &refusal.expected else { continue };
        let mut world = World::story();
        world.overlay(&refusal.documents);
        let problems = world.resolve().expect_err(&refusal.name);
        let first = problems.first().expect("at least one");
        assert_eq!(&first.reason.to_string(), reason, "{}: {problems:#?}", refusal.name);
        assert!(first.message.contains(message), "{}: {}", refusal.name, first.message);
        told += 1;
    }
    assert!(told > 30, "only {told} files were looked at");
}

#[test]
fn each_file_is_about_something_of_comitys() {
    for refusal in Refusal::all() {
        for document in &refusal.documents {
            let version = document["apiVersion"].as_str().unwrap_or_default();
            let ours = version == "comity.dev/v1alpha1";
            assert!(ours || document["kind"] == "Service", "{}: {version}", refusal.name);
        }
    }
}
