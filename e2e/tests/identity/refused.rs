//! What is refused, and in which words.

use std::time::Duration;

use comity::api::PartnerGrant;
use comity::api::decision::DecisionAction;
use comity::api::record::RecordEvent;
use e2e::cluster::await_gone;
use e2e::comity::people::OLGA;
use e2e::{Cluster, Comity, Result, throughout};
use k8s_openapi::api::core::v1::{Pod, ServiceAccount};
use kube::api::{Api, DeleteParams};
use rcgen::{DnType, KeyPair};
use serde_json::json;

use super::ground::{Ground, settings, shared};
use super::node::{Ask, Node, stub};
use super::story::{SOON, ensure};

fn key() -> KeyPair {
    KeyPair::generate().expect("a key")
}

#[tokio::test]
async fn what_a_pod_says_of_itself_is_refused() -> Result<()> {
    let ground = Ground::begin("12h").await?;
    let pod = ground.node.pod(ground.place(), "scorer").await?;
    let key = key();
    let annotations = [("comity.dev/spiffe-id", "spiffe://comity.local/admin")];
    let annotated = Ask { annotations: &annotations, ..Ask::ordinary(&pod, &key) };
    let answer = ground.node.answer(&ground.node.ask(&annotated).await?).await?;
    answer.refused("InvalidUnverifiedUserAnnotations", "comity.dev/spiffe-id")?;
    let mut named = ground.node.request(&Ask::ordinary(&pod, &key)).await?;
    named.spec.stub_pkc_s10_request =
        stub(&key, |params| params.distinguished_name.push(DnType::CommonName, "admin"))?;
    let named = ground.node.send(&named).await?;
    ground.node.answer(&named).await?.refused("UnsupportedKeyType", "a subject of its own")
}

#[tokio::test]
async fn who_is_in_no_stage_is_refused() -> Result<()> {
    let (cluster, _) = shared().await?;
    let node = Node::join(&cluster).await?;
    let place = cluster.namespace("elsewhere", &[]).await?;
    let pods: Api<Pod> = Api::namespaced(cluster.client(), &place);
    let mut pod = super::node::pod("scorer", &json!([super::node::certificate()]))?;
    if let Some(spec) = &mut pod.spec {
        spec.service_account_name = Some("default".to_owned());
    }
    pods.create(&kube::api::PostParams::default(), &pod).await?;
    node.bind(&place, "scorer").await?;
    let (pod, key) = (pods.get("scorer").await?, key());
    let answer = node.answer(&node.ask(&Ask::ordinary(&pod, &key)).await?).await?;
    answer.refused("NotInAStage", "certifies the workloads of grants, and nobody else")
}

#[tokio::test]
async fn with_less_than_an_hour_left_a_new_pod_is_refused_and_one_that_runs_is_left_waiting() -> Result<()> {
    let ground = Ground::begin("50m").await?;
    let (new, running) =
        (ground.node.pod(ground.place(), "new").await?, ground.node.pod(ground.place(), "running").await?);
    ground.node.runs(&running).await?;
    let key = key();
    let refresh = ground.node.ask(&Ask::ordinary(&running, &key)).await?;
    let answer = ground.node.answer(&ground.node.ask(&Ask::ordinary(&new, &key)).await?).await?;
    answer.refused("TooCloseToTheEnd", "in less than an hour")?;
    throughout("no answer to a refresh", Duration::from_secs(4), async || {
        let now = ground.node.look(&refresh).await?;
        ensure(now.conditions.is_none(), || "a refresh was answered".to_owned())
    })
    .await
}

/// With a Comity of its own, which is away while what was asked for changes.
#[tokio::test]
async fn what_was_asked_for_before_isnt_given_after() -> Result<()> {
    let cluster = Cluster::start(settings()?).await?;
    let comity = Comity::start(&cluster).await?;
    let ground = Ground::on(&cluster, "12h", "[PodCertificate]").await?;
    let other = Ground::on(&cluster, "12h", "[PodCertificate]").await?;
    let key = key();
    let pods = ["made-again", "of-another", "closed"];
    comity.sign().stop().await?;
    let made_again = ground.node.pod(ground.place(), pods[0]).await?;
    let closed = other.node.pod(other.place(), pods[2]).await?;
    let asked_again = ground.node.ask(&Ask::ordinary(&made_again, &key)).await?;
    let asked_closed = other.node.ask(&Ask::ordinary(&closed, &key)).await?;
    let place: Api<Pod> = ground.story.in_namespace(ground.place());
    place.delete(pods[0], &DeleteParams::default().grace_period(0)).await?;
    await_gone(&place, pods[0], SOON).await?;
    ground.node.pod(ground.place(), pods[0]).await?;
    let of_another = ground.node.pod(ground.place(), pods[1]).await?;
    let asked_another = ground.node.ask(&Ask::ordinary(&of_another, &key)).await?;
    // Comity run makes the account again, under the same name.
    let accounts: Api<ServiceAccount> = ground.story.in_namespace(ground.place());
    let before = accounts.get("workload-scorer").await?;
    accounts.delete("workload-scorer", &DeleteParams::default()).await?;
    e2e::eventually("the account to be made again", SOON, async || {
        let now = accounts.get("workload-scorer").await.map_err(|error| error.to_string())?;
        if now.metadata.uid == before.metadata.uid { Err("not yet".to_owned()) } else { Ok(()) }
    })
    .await?;
    // The other grant is lowered below its sandbox: it ends.
    other.story.change::<PartnerGrant>(&other.wish.name, json!({"spec": {"workloads": []}})).await?;
    comity.sign().start().await?;
    ground.node.answer(&asked_again).await?.refused("NotThisPod", "of the UID that was asked for")?;
    ground.node.answer(&asked_another).await?.refused("NotThisServiceAccount", "another identity")?;
    other.node.answer(&asked_closed).await?.refused("NotAWorkload", "workload-scorer")?;
    over(&cluster, &comity).await
}

/// A stage that is over, as far as `comity run` wrote it down: then it is away, so that the stage's
/// namespace is there yet.
async fn over(cluster: &Cluster, comity: &Comity) -> Result<()> {
    let ground = Ground::on(cluster, "12h", "[PodCertificate]").await?;
    let (pod, key) = (ground.node.pod(ground.place(), "scorer").await?, key());
    comity.sign().stop().await?;
    let asked = ground.node.ask(&Ask::ordinary(&pod, &key)).await?;
    OLGA.decide(cluster, &OLGA.decision(&ground.grant, DecisionAction::Expire)).await?;
    e2e::eventually("the sandbox to be over", SOON, async || {
        let journal = ground.story.journal(&ground.grant).await.map_err(|error| error.to_string())?;
        let is_over = journal.iter().any(|line| line.event == RecordEvent::Closed);
        if is_over { Ok(()) } else { Err("not yet".to_owned()) }
    })
    .await?;
    comity.run().kill();
    comity.sign().start().await?;
    ground.node.answer(&asked).await?.refused("StageOver", "its time is over")
}
