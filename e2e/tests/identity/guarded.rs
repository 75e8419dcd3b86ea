//! What admission lets in, and what is said of it: pods that have their node make a key, where the
//! contract says so.

use std::collections::BTreeMap;

use comity::api::enforcement::{EnforcementState, Enforcer};
use e2e::attempt::{Attempt, create};
use e2e::{Result, eventually};
use k8s_openapi::api::core::v1::Secret;
use kube::api::Api;
use rcgen::KeyPair;
use serde_json::{Value, json};

use super::ground::{Ground, refused, shared};
use super::node::{Ask, certificate, pod};
use super::story::{SOON, ensure};

fn attempt(place: &str, part: &Value) -> Result<Attempt> {
    Ok(create(
        &format!("/api/v1/namespaces/{place}/pods"),
        serde_json::to_value(pod("tried", &json!([part]))?)?,
    ))
}

/// What is tried, also of pods that run: what is set in one, and what the refusal says.
#[derive(serde::Deserialize)]
struct Tried {
    set: BTreeMap<String, Value>,
    says: String,
}

fn tried() -> Result<Vec<Tried>> {
    serde_saphyr::from_str(include_str!("tries/guard.yaml"))
        .map_err(|error| e2e::Error::Failed(error.to_string()))
}

#[tokio::test]
async fn a_node_may_make_keys_where_the_contract_says_so_and_says_nothing_else_of_a_pod() -> Result<()> {
    let ground = Ground::begin("12h").await?;
    let admin = &ground.story.cluster;
    let plain = attempt(ground.place(), &certificate())?;
    eventually("the pod to be let in", SOON, || plain.try_as(admin)).await?;
    let mut annotated = certificate();
    annotated["podCertificate"]["userAnnotations"] = json!({"example.com/a": "b"});
    refused(&attempt(ground.place(), &annotated)?, admin, &["may not have userAnnotations"]).await?;
    let mut other = certificate();
    other["podCertificate"]["signerName"] = json!("example.com/signer");
    refused(&attempt(ground.place(), &other)?, admin, &["only ask the signer comity.dev/workload"]).await?;
    let said = ground
        .story
        .look(&ground.wish, "keyDelivery to be enforced", |grant| {
            let enforcement = grant.status.iter().flat_map(|status| &status.enforcement);
            let clause = enforcement.clone().find(|clause| clause.clause == "security.keyDelivery");
            let clause = clause.filter(|clause| clause.state == EnforcementState::Enforced);
            clause.cloned().ok_or_else(|| format!("{:?}", enforcement.collect::<Vec<_>>()))
        })
        .await?;
    let message = said.message.unwrap_or_default();
    ensure(said.by == [Enforcer::AdmissionPolicy, Enforcer::Certificate], || format!("{:?}", said.by))?;
    ensure(message.contains("nodes make keys that never leave them"), || message.clone())
}

#[tokio::test]
async fn where_the_contract_doesnt_say_so_no_pod_asks_and_both_ways_stand_side_by_side_where_it_names_both()
-> Result<()> {
    let (cluster, _) = shared().await?;
    let without = Ground::on(&cluster, "12h", "[Secret]").await?;
    let plain = attempt(without.place(), &json!({"configMap": {"name": "comity-trust-stage"}}))?;
    eventually("pods to be let in", SOON, || plain.try_as(&cluster)).await?;
    for Tried { set, says } in tried()? {
        let part = &set["/spec/volumes/1"]["projected"]["sources"][0];
        refused(&attempt(without.place(), part)?, &cluster, &[&says]).await?;
    }
    let both = Ground::on(&cluster, "12h", "[PodCertificate, Secret]").await?;
    let secrets: Api<Secret> = both.story.in_namespace(both.place());
    secrets.get("comity-tls-scorer").await?;
    let (pod, key) = (both.node.pod(both.place(), "scorer").await?, KeyPair::generate().expect("a key"));
    both.node.answer(&both.node.ask(&Ask::ordinary(&pod, &key)).await?).await?.chain().map(drop)
}

#[tokio::test]
async fn nobody_but_its_node_asks_for_a_pod() -> Result<()> {
    let ground = Ground::begin("12h").await?;
    let (pod, key) = (ground.node.pod(ground.place(), "scorer").await?, KeyPair::generate().expect("a key"));
    let request = ground.node.request(&Ask::ordinary(&pod, &key)).await?;
    let ask = create(&ground.node.path(ground.place()), ground.node.written(&request)?);
    refused(&ask, &ground.story.cluster, &["only the node that a pod runs on asks"]).await?;
    let other = super::node::Node::join(&ground.story.cluster).await?;
    refused(&ask, &other.own, &["is not the requesting node", "only the node that a pod runs on asks"]).await
}
