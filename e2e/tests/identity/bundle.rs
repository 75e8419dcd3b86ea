//! What the whole cluster may verify by: a bundle for each contract's stage, and none for all.

use comity::api::{SharingContract, Stage, name};
use comity::signer::ca::Chest;
use e2e::attempt::{create, delete, patch};
use e2e::cluster::await_object;
use e2e::{Error, Result};
use k8s_openapi::api::certificates::v1beta1::ClusterTrustBundle;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt as _;
use serde_json::json;

use super::ground::{Ground, refused, shared};
use super::story::{SOON, ensure};

const AT: &str = "/apis/certificates.k8s.io/v1beta1/clustertrustbundles";

/// The bundle of a sandbox, as soon as it is there.
async fn bundle(ground: &Ground) -> Result<ClusterTrustBundle> {
    let contract =
        ground.story.api::<SharingContract>().get("fraud-scoring").await?.uid().unwrap_or_default();
    let name = name::trust_bundle(&Chest::of(&contract, Stage::Sandbox).to_string());
    let all = ground.story.everywhere::<ClusterTrustBundle>();
    await_object(&all, &name, "a bundle", SOON, |found: &ClusterTrustBundle| Ok(found.clone())).await
}

#[tokio::test]
async fn each_contracts_stage_has_a_bundle_of_its_own_and_nobody_publishes_one_for_all() -> Result<()> {
    let (one, other) = (Ground::begin("3h").await?, Ground::begin("3h").await?);
    let (first, second) = (bundle(&one).await?, bundle(&other).await?);
    for (ground, found) in [(&one, &first), (&other, &second)] {
        let stage = ground.story.in_namespace::<ConfigMap>(ground.place());
        let stage = stage.get(name::TRUST_CONFIG_MAP).await?;
        let anchors = stage.data.unwrap_or_default().remove("ca.crt").unwrap_or_default();
        ensure(found.spec.trust_bundle == anchors, || format!("{found:?}"))?;
        ensure(found.spec.signer_name.as_deref() == Some("comity.dev/workload"), || format!("{found:?}"))?;
    }
    ensure(first.spec.trust_bundle != second.spec.trust_bundle, || "one for both".to_owned())?;
    let (cluster, comity) = shared().await?;
    let sign = comity.sign().identity(&cluster)?;
    let pool = format!("{}{}", first.spec.trust_bundle, second.spec.trust_bundle);
    let made = |name: &str, signer: &str| {
        create(AT, json!({"metadata": {"name": name}, "spec": {"signerName": signer, "trustBundle": pool}}))
    };
    let held =
        &["only publish bundles of one contract's stage", "signers of its own", "attest", "is forbidden"];
    for (name, signer) in [
        ("comity.dev:workload:all", "comity.dev/workload"),
        ("comity.dev:other:0123abcd-sandbox", "comity.dev/other"),
        ("example.com:all:x", "example.com/all"),
    ] {
        refused(&made(name, signer), &sign, held).await?;
    }
    let run = comity.run().identity(&cluster)?;
    let own = format!("{AT}/{}", first.name_any());
    refused(&delete(&own), &run, &["is forbidden", "held to"]).await?;
    taken(&first).await
}

/// Who may write bundles and may not attest for the signer publishes nothing under its name.
async fn taken(own: &ClusterTrustBundle) -> Result<()> {
    let (cluster, _) = shared().await?;
    let group = "rbac.authorization.k8s.io";
    let rules =
        json!([{"apiGroups": ["certificates.k8s.io"], "resources": ["clustertrustbundles"], "verbs": ["*"]}]);
    create(
        &format!("/apis/{group}/v1/clusterroles"),
        json!({"metadata": {"name": "bundles"}, "rules": rules}),
    )
    .do_as(&cluster)
    .await?;
    let binding = json!({
        "metadata": {"name": "bundles"},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "bundles"},
        "subjects": [{"kind": "User", "apiGroup": group, "name": "mallory@retail.example"}],
    });
    create(&format!("/apis/{group}/v1/clusterrolebindings"), binding).do_as(&cluster).await?;
    let mallory = cluster.as_user("mallory@retail.example", &[])?;
    let writes =
        patch(&format!("{AT}/{}", own.name_any()), json!({"spec": {"trustBundle": own.spec.trust_bundle}}));
    let words = &["attest", "only Comity"];
    let tried =
        e2e::eventually("mallory to be let as far as admission", SOON, || writes.refused(&mallory, words));
    tried.await.map_err(|error| Error::Failed(error.to_string()))
}
