//! Stolen tokens: with `comity run`'s no certificate can be had, and with `comity sign`'s nobody else's
//! request is answered, although its account is bound to cluster-admin.

use comity::api::name;
use e2e::attempt::{Attempt, create, replace};
use e2e::{Cluster, Result, eventually};
use k8s_openapi::api::certificates::v1beta1::PodCertificateRequest;
use k8s_openapi::api::core::v1::Pod;
use kube::api::PostParams;
use kube::{Api, ResourceExt as _};
use rcgen::KeyPair;
use serde_json::json;

use super::ground::{Ground, refused, settings};
use super::node::{Ask, Node, certificate, pod};
use super::story::SOON;

const OTHER: &str = "example.com/signer";

/// Answers a request, as whoever may.
fn answering(node: &Node, request: &PodCertificateRequest) -> Result<Attempt> {
    let place = node.path(&request.namespace().unwrap_or_default());
    let path = format!("{place}/{}/status", request.name_any());
    let condition = json!({"type": "Denied", "status": "True", "reason": "Mine", "message": "mine",
        "lastTransitionTime": "2026-01-01T00:00:00Z"});
    let mut answered = node.written(request)?;
    answered["status"] = json!({"conditions": [condition]});
    Ok(replace(&path, answered))
}

/// What a node asks another signer for, for a pod that nothing of Comity's holds: from Kubernetes 1.37 on the pod has to
/// mount that.
pub async fn of_another_signer(
    cluster: &Cluster,
    node: &Node,
    key: &KeyPair,
) -> Result<PodCertificateRequest> {
    let place = cluster.namespace("elsewhere", &[]).await?;
    let mut part = certificate();
    part["podCertificate"]["signerName"] = json!(OTHER);
    let mut pod = pod("scorer", &json!([part]))?;
    if let Some(spec) = &mut pod.spec {
        spec.service_account_name = Some("default".to_owned());
    }
    let pods: Api<Pod> = Api::namespaced(cluster.client(), &place);
    pods.create(&PostParams::default(), &pod).await?;
    node.bind(&place, "scorer").await?;
    let pod = pods.get("scorer").await?;
    node.ask(&Ask { signer: OTHER, ..Ask::ordinary(&pod, key) }).await
}

#[tokio::test]
async fn only_comity_sign_answers_and_for_its_own_signer_only() -> Result<()> {
    let cluster = Cluster::start(settings()?).await?;
    let comity = e2e::Comity::start(&cluster).await?;
    let ground = Ground::on(&cluster, "12h", "[PodCertificate]").await?;
    let (pod, key) = (ground.node.pod(ground.place(), "scorer").await?, KeyPair::generate().expect("a key"));
    comity.sign().stop().await?;
    let node = &ground.node;
    let own = answering(node, &node.ask(&Ask::ordinary(&pod, &key)).await?)?;
    let others = answering(node, &of_another_signer(&cluster, node, &key).await?)?;
    let (run, sign) = (comity.run().identity(&cluster)?, comity.sign().identity(&cluster)?);
    for attempt in [&own, &others] {
        refused(attempt, &run, &["is forbidden: User"]).await?;
        refused(attempt, &ground.node.own, &["is forbidden: User"]).await?;
    }
    refused(&others, &sign, &["may only answer for signers of its own", "is not permitted to \"sign\""])
        .await?;
    own.try_as(&sign).await?;
    bound_to_everything(&cluster).await?;
    eventually("comity run to be bound", SOON, || own.refused(&run, &["comity-cage-run"])).await?;
    eventually("comity sign to be bound", SOON, || others.refused(&sign, &["comity-cage-sign"])).await
}

async fn bound_to_everything(cluster: &Cluster) -> Result<()> {
    for process in [name::RUN, name::SIGN] {
        let subject =
            json!({"kind": "ServiceAccount", "name": process, "namespace": name::DEFAULT_SYSTEM_NAMESPACE});
        let binding = json!({
            "metadata": {"name": format!("stolen-{process}")},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [subject],
        });
        create("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", binding).do_as(cluster).await?;
    }
    Ok(())
}
