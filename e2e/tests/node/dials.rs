//! A rehearsal dials for real, from a pod of the stage: what is agreed answers, and nothing else, and where nobody holds pods
//! to the policies that are stored, it says so.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use comity::api::condition::{ConditionType, Reason};
use comity::api::contract::AfterPromotion;
use comity::api::decision::DecisionAction;
use comity::api::grant::OpeningStatus;
use comity::api::report::CaseOutcome;
use comity::api::{PartnerGrant, SharingContract, Stage};
use e2e::comity::binary;
use e2e::comity::people::OLGA;
use e2e::node::Node;
use e2e::{Result, eventually};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::json;

use super::ground::SOON;
use super::scene::{Scene, serves};
use super::story::{Story, Wish, ensure};

/// Where the contract of the stories has images come from.
const REPOSITORY: &str = "registry.example/partners/comity";
const DATA: &str = "dial-dataset-transactions";
const API_SERVER: &str = "dial-api-server";
const DNS: [&str; 2] = ["dial-dns-by-udp", "dial-dns-by-tcp"];
const NEIGHBOUR: &str = "dial-pods-of-sandbox";

pub async fn a_rehearsal_dials_for_real(node: Arc<Node>) -> Result<()> {
    let image = node.take(&binary().await?, REPOSITORY, None)?;
    let scene = Scene::set(node.clone()).await?;
    let story = &scene.story;
    let doors = more_to_dial(&scene).await?;
    probed_beside_an_open_sandbox(story, &image.reference).await?;
    let wish = Wish::up_to(Stage::Sandbox);
    story.ask(&wish).await?;
    neighbour(&scene, &story.opened(&wish, Stage::Sandbox).await?).await?;
    let wish = wish.but(Stage::Rehearsal);
    let grant = story.ask(&wish).await?;
    let opened = story.opened(&wish, Stage::Rehearsal).await?;
    story.told(&wish, ConditionType::Rehearsed, true, Reason::Rehearsed).await?;
    let dialled = dialled(story, &grant).await?;
    let shut = format!("{DATA}-of-production");
    for name in [DATA, DNS[0], DNS[1], API_SERVER, NEIGHBOUR, &shut, &format!("{DATA}-of-sandbox")] {
        let passed = dialled.get(name).is_some_and(|(outcome, _)| *outcome == CaseOutcome::Passed);
        ensure(passed, || format!("{name}: {dialled:#?}"))?;
    }
    for door in doors {
        let answers = dialled.get(DATA).is_some_and(|(_, observed)| observed.contains(&door.to_string()));
        ensure(answers, || format!("{door} wasn't dialled: {dialled:#?}"))?;
    }
    let left = story.in_namespace::<Job>(&opened.namespace.0).list(&ListParams::default()).await?.items;
    ensure(left.iter().all(|job| job.metadata.deletion_timestamp.is_some()), || format!("{left:?}"))?;

    it_is_told_that_nobody_enforces(story, &wish, (&grant, &opened), &node).await
}

/// Nobody holds a new pod to anything now, although all policies are stored.
async fn it_is_told_that_nobody_enforces(
    story: &Story,
    wish: &Wish,
    (grant, opened): (&PartnerGrant, &OpeningStatus),
    node: &Node,
) -> Result<()> {
    let paused = node.without_enforcer()?;
    let mut decision = OLGA.decision(grant, DecisionAction::Rehearse);
    decision.spec.digest = Some(opened.digest.as_str().into());
    OLGA.decide(node.cluster(), &decision).await?;
    let told = story.told(wish, ConditionType::Rehearsed, false, Reason::RehearsalFailed).await;
    drop(paused);
    let told = told?;
    ensure(told.contains(API_SERVER), || told.clone())?;
    let report = story.newest_report(grant).await?;
    let failed =
        report.spec.statement.predicate.cases.iter().filter(|case| case.outcome == CaseOutcome::Failed);
    let failed: Vec<&str> = failed.map(|case| case.name.as_str()).collect();
    ensure(failed.contains(&NEIGHBOUR), || format!("{failed:?}"))?;
    let others: Vec<&&str> = failed.iter().filter(|name| !name.starts_with("dial-")).collect();
    ensure(others.is_empty(), || format!("what is stored is as it was, and yet: {others:?}"))
}

/// Has the contract name this image to dial with, and leave the sandbox open beside what is rehearsed.
async fn probed_beside_an_open_sandbox(story: &Story, image: &str) -> Result<()> {
    let contracts = story.api::<SharingContract>();
    let mut stages = contracts.get("fraud-scoring").await?.spec.stages;
    for terms in stages.iter_mut().filter(|terms| terms.stage == Stage::Sandbox) {
        terms.after_promotion = AfterPromotion::Keep;
    }
    let rehearsal = json!({"require": "Executable", "probe": {"image": image}});
    let patch = Patch::Merge(json!({"spec": {"rehearsal": rehearsal, "stages": stages}}));
    contracts.patch("fraud-scoring", &PatchParams::default(), &patch).await?;
    Ok(())
}

/// A second pod behind what serves the dataset, and a Service of the cluster's DNS. Gives where the dataset is served.
async fn more_to_dial(scene: &Scene) -> Result<[SocketAddr; 2]> {
    let (node, masked) = (&scene.node, serves(Stage::Rehearsal));
    let labels = json!({"part-of": "transactions", "app": masked});
    let second = node.pod("second", &labels, &["serve", "8443"]);
    let second = node.run(&scene.story.namespace, &second).await?;
    let resolver = json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "kube-dns", "namespace": "kube-system"},
        "spec": {"selector": {"k8s-app": "kube-dns"}, "ports": [
            {"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "dns-tcp", "port": 53, "protocol": "TCP"}]}});
    node.cluster().apply_yaml(&resolver.to_string()).await?;
    let doors = [scene.dataset(Stage::Rehearsal).door(), SocketAddr::from((second, 8443))];
    let [one, other] = doors;
    known_to_be_ready(node, &[one.ip(), other.ip(), scene.dns.address]).await?;
    Ok(doors)
}

/// A pod in the sandbox that serves something.
async fn neighbour(scene: &Scene, sandbox: &OpeningStatus) -> Result<()> {
    let pod = scene.workload(sandbox, "neighbour", &["serve", "8443"]).await?;
    let service = json!({"apiVersion": "v1", "kind": "Service",
        "metadata": {"name": "neighbour", "namespace": sandbox.namespace.0},
        "spec": {"selector": {"comity.dev/purpose": "fraud-detection"}, "ports": [{"port": 8443}]}});
    scene.node.cluster().apply_yaml(&service.to_string()).await?;
    known_to_be_ready(&scene.node, &[pod.address]).await
}

/// Awaits that all of these stand behind Services, ready.
async fn known_to_be_ready(node: &Node, all: &[IpAddr]) -> Result<()> {
    let slices = Api::<EndpointSlice>::all(node.cluster().client());
    eventually("all of them to be known to be ready", SOON, async || {
        let known = slices.list(&ListParams::default()).await.map_err(|error| error.to_string())?.items;
        let ready = known.iter().flat_map(|slice| slice.endpoints.iter().flatten());
        let ready = ready.filter(|one| one.conditions.as_ref().and_then(|said| said.ready) == Some(true));
        let ready: Vec<&String> = ready.flat_map(|one| &one.addresses).collect();
        let missing = all.iter().find(|one| !ready.contains(&&one.to_string()));
        missing.map_or(Ok(()), |one| Err(format!("{one} isn't")))
    })
    .await
}

/// What came of each dial in the newest report.
async fn dialled(story: &Story, grant: &PartnerGrant) -> Result<BTreeMap<String, (CaseOutcome, String)>> {
    let cases = story.newest_report(grant).await?.spec.statement.predicate.cases.into_iter();
    let dialled = cases.filter(|case| case.name.as_str().starts_with("dial-"));
    Ok(dialled.map(|case| (case.name.as_str().to_owned(), (case.outcome, case.observed))).collect())
}
