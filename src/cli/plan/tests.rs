//! What `comity plan` tells of the story, and that it is what Comity would make.

use std::path::Path;

use jiff::tz::TimeZone;
use serde_json::Value;

use super::annotated::{about, findings};
use super::stage::Plan;
use super::tell::page;
use crate::api::Stage;
use crate::cli::files::annotate;
use crate::cli::files::read::{Source, sources};
use crate::cli::moment::Watch;
use crate::cli::validate::{Examination, Look, Severity};
use crate::grant::build::Installation;

const NOW: &str = "2026-12-01T00:00:00Z";

fn story(grant: &str) -> Vec<Source> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/fraud-scoring");
    let mut all = sources(std::slice::from_ref(&folder), false).expect("they can be read");
    all.retain(|source| !source.name.ends_with("06-grant.yaml"));
    all.extend(sources(&[folder.join(grant)], false).expect("it can be read"));
    all
}

fn installation() -> Installation {
    Installation {
        system_namespace: "comity-system".to_owned(),
        cluster_networks: vec!["10.0.0.0/8".to_owned()],
        dns_namespace: "kube-system".to_owned(),
        dns_selector: [("k8s-app".to_owned(), "kube-dns".to_owned())].into(),
    }
}

fn planned(sources: &[Source]) -> Plan {
    let now = NOW.parse().expect("an instant");
    let examination = Examination::of(sources, Look { namespace: "default", now, strict: true });
    assert_eq!(examination.count(Severity::Error), 0);
    Plan::of(&examination.world, &installation(), now)
}

#[test]
fn the_storys_plan_is_told_to_people() {
    let watch = Watch {
        now: NOW.parse().expect("an instant"),
        zone: TimeZone::get("Europe/Stockholm").expect("a zone"),
    };
    insta::assert_snapshot!(page(&planned(&story("promotions/grant-3-production.yaml")), &watch).text(false));
}

#[test]
fn each_stage_up_to_the_one_that_is_wanted_is_planned_and_no_other() {
    let stages = |grant: &str| {
        let plan = planned(&story(grant));
        let [grant] = plan.grants.as_slice() else { panic!("one grant: {plan:?}") };
        grant.stages.iter().map(|stage| stage.stage).collect::<Vec<_>>()
    };
    assert_eq!(stages("06-grant.yaml"), [Stage::Sandbox]);
    assert_eq!(stages("promotions/grant-2-rehearsal.yaml"), [Stage::Sandbox, Stage::Rehearsal]);
    assert_eq!(stages("promotions/grant-3-production.yaml"), Stage::ALL);
}

#[test]
fn objects_are_whole_in_their_order_and_hold_nothing_that_was_made_up() {
    let plan = planned(&story("promotions/grant-3-production.yaml"));
    let told = serde_json::to_value(&plan).expect("JSON");
    assert!(!told.to_string().contains("file-0"), "{told:#}");
    let objects = told.pointer("/grants/0/stages/2/objects").and_then(Value::as_array).expect("objects");
    let word = |object: &Value, pointer: &str| {
        object.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let kinds: Vec<String> = objects.iter().map(|object| word(object, "/kind")).collect();
    assert_eq!(kinds.first().map(String::as_str), Some("Namespace"));
    assert_eq!(kinds.last().map(String::as_str), Some("RoleBinding"), "the people's binding comes last");
    let namespace = word(&objects[0], "/metadata/name");
    assert_eq!(namespace, "comity-northpay-fraud-production-xxxxxxxx");
    let ingress = objects.iter().find(|object| word(object, "/metadata/namespace") == "risk-data");
    assert_eq!(ingress.map(|object| word(object, "/metadata/name")).as_deref(), Some("comity-from-xxxxxxxx"));
    let egress = told.pointer("/grants/0/stages/0/objects").expect("objects").to_string();
    assert!(
        !egress.contains("192.0.2.0/28") && told.to_string().contains("192.0.2.0/28"),
        "only production sends outside"
    );
}

#[test]
fn what_is_not_agreed_is_not_planned() {
    let mut files = story("06-grant.yaml");
    files.retain(|source| !source.name.ends_with("03-partner.yaml"));
    let now = NOW.parse().expect("an instant");
    let examination = Examination::of(&files, Look { namespace: "default", now, strict: true });
    assert!(examination.count(Severity::Error) > 0);
    assert!(Plan::of(&examination.world, &installation(), now).grants.is_empty());
}

#[test]
fn each_stage_is_a_note_on_the_line_that_asks_for_it_and_what_cannot_be_planned_an_error() {
    let at = |sources: &[Source]| {
        let now = NOW.parse().expect("an instant");
        let examination = Examination::of(sources, Look { namespace: "default", now, strict: true });
        let plan = Plan::of(&examination.world, &installation(), now);
        findings(&plan, &examination, sources)
    };
    let sources = story("promotions/grant-2-rehearsal.yaml");
    let found = at(&sources);
    let grant =
        sources.iter().find(|source| source.name.ends_with("grant-2-rehearsal.yaml")).expect("a file");
    let line = grant.text.lines().position(|line| line.starts_with("  stage:")).expect("it asks") + 1;
    let lines: Vec<u64> = found.iter().map(|finding| finding.line).collect();
    assert_eq!(lines, [line as u64; 2], "{found:#?}");
    assert!(found[0].message.starts_with("Sandbox would open for 7 days, at once: "), "{}", found[0].message);
    assert!(found[1].message.contains("once Sandbox"), "{}", found[1].message);
    let sarif = annotate::sarif("comity plan", &found, about);
    assert_eq!(sarif.pointer("/runs/0/results/0/level").and_then(Value::as_str), Some("note"));
    let without: Vec<Source> =
        sources.into_iter().filter(|source| !source.name.ends_with("05-contract.yaml")).collect();
    let github = annotate::github(&at(&without));
    assert!(github.starts_with("::error file=") && github.contains("UnknownContract"), "{github}");
    assert!(!github.contains("Planned"), "{github}");
}
