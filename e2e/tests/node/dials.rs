//! A rehearsal dials for real, from a pod of the stage: what is agreed answers, and nothing else, and where nobody holds pods
//! to the policies that are stored, it says so.

use std::collections::BTreeMap;
use std::sync::Arc;

use comity::api::condition::{ConditionType, Reason};
use comity::api::decision::DecisionAction;
use comity::api::report::CaseOutcome;
use comity::api::{PartnerGrant, SharingContract, Stage};
use e2e::Result;
use e2e::comity::binary;
use e2e::comity::people::OLGA;
use e2e::node::Node;
use k8s_openapi::api::batch::v1::Job;
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::json;

use super::scene::Scene;
use super::story::{Story, Wish, ensure};

/// Where the contract of the stories has images come from.
const REPOSITORY: &str = "registry.example/partners/comity";
const DATA: &str = "dial-dataset-transactions";
const API_SERVER: &str = "dial-api-server";

pub async fn a_rehearsal_dials_for_real(node: Arc<Node>) -> Result<()> {
    let image = node.take(&binary().await?, REPOSITORY, None)?;
    let scene = Scene::set(node.clone()).await?;
    let story = &scene.story;
    let rehearsal = json!({"require": "Executable", "probe": {"image": image.reference}});
    let patch = Patch::Merge(json!({"spec": {"rehearsal": rehearsal}}));
    story.api::<SharingContract>().patch("fraud-scoring", &PatchParams::default(), &patch).await?;
    let wish = Wish::up_to(Stage::Rehearsal);
    let grant = story.ask(&wish).await?;
    let opened = story.opened(&wish, Stage::Rehearsal).await?;
    story.told(&wish, ConditionType::Rehearsed, true, Reason::Rehearsed).await?;
    let dialled = dialled(story, &grant).await?;
    let shut = format!("{DATA}-of-production");
    for name in [DATA, API_SERVER, &shut, &format!("{DATA}-of-sandbox")] {
        let passed = dialled.get(name).is_some_and(|(outcome, _)| *outcome == CaseOutcome::Passed);
        ensure(passed, || format!("{name}: {dialled:#?}"))?;
    }
    let left = story.in_namespace::<Job>(&opened.namespace.0).list(&ListParams::default()).await?.items;
    ensure(left.iter().all(|job| job.metadata.deletion_timestamp.is_some()), || format!("{left:?}"))?;

    // Nobody holds a new pod to anything now, although all policies are stored.
    let paused = node.without_enforcer()?;
    let mut decision = OLGA.decision(&grant, DecisionAction::Rehearse);
    decision.spec.digest = Some(opened.digest.as_str().into());
    OLGA.decide(node.cluster(), &decision).await?;
    let told = story.told(&wish, ConditionType::Rehearsed, false, Reason::RehearsalFailed).await;
    drop(paused);
    let told = told?;
    ensure(told.contains(API_SERVER), || told.clone())?;
    let report = story.newest_report(&grant).await?;
    let failed =
        report.spec.statement.predicate.cases.iter().filter(|case| case.outcome == CaseOutcome::Failed);
    let others: Vec<&str> =
        failed.map(|case| case.name.as_str()).filter(|name| !name.starts_with("dial-")).collect();
    ensure(others.is_empty(), || format!("what is stored is as it was, and yet: {others:?}"))
}

/// What came of each dial in the newest report.
async fn dialled(story: &Story, grant: &PartnerGrant) -> Result<BTreeMap<String, (CaseOutcome, String)>> {
    let cases = story.newest_report(grant).await?.spec.statement.predicate.cases.into_iter();
    let dialled = cases.filter(|case| case.name.as_str().starts_with("dial-"));
    Ok(dialled.map(|case| (case.name.as_str().to_owned(), (case.outcome, case.observed))).collect())
}
