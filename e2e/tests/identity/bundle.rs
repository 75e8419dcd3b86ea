//! What the whole cluster may verify by: a bundle for each contract's stage, and none for all.

use comity::api::{SharingContract, Stage, name};
use comity::cluster::asking::{Version, bundles_served};
use comity::signer::ca::Chest;
use e2e::attempt::{Attempt, create, delete, patch};
use e2e::{Cluster, Error, Result, eventually};
use k8s_openapi::api::certificates::v1beta1::ClusterTrustBundleSpec;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::ResourceExt as _;
use serde_json::json;

use super::ground::{Ground, refused, shared};
use super::story::{SOON, ensure};

/// A bundle that is there, and where.
struct Bundle {
    path: String,
    spec: ClusterTrustBundleSpec,
}

/// Where bundles are, in the version that `comity sign` writes them in.
async fn at(cluster: &Cluster) -> Result<String> {
    let version = match bundles_served(&cluster.client()).await {
        Some(Version::V1) => "v1",
        Some(Version::V1Beta1) => "v1beta1",
        None => return Err(Error::Failed("there are no bundles here".to_owned())),
    };
    Ok(format!("/apis/certificates.k8s.io/{version}/clustertrustbundles"))
}

/// The bundle of a sandbox, as soon as it is there.
async fn bundle(ground: &Ground) -> Result<Bundle> {
    let contract =
        ground.story.api::<SharingContract>().get("fraud-scoring").await?.uid().unwrap_or_default();
    let name = name::trust_bundle(&Chest::of(&contract, Stage::Sandbox).to_string());
    let path = format!("{}/{name}", at(&ground.story.cluster).await?);
    let look = Attempt::reading(&path);
    let found = eventually("a bundle", SOON, || look.do_as(&ground.story.cluster)).await?;
    Ok(Bundle { path, spec: serde_json::from_value(found["spec"].clone())? })
}

#[tokio::test]
async fn each_contracts_stage_has_a_bundle_of_its_own_and_nobody_publishes_one_for_all() -> Result<()> {
    let (one, other) = (Ground::begin("3h").await?, Ground::begin("3h").await?);
    let (first, second) = (bundle(&one).await?, bundle(&other).await?);
    for (ground, found) in [(&one, &first), (&other, &second)] {
        let stage = ground.story.in_namespace::<ConfigMap>(ground.place());
        let stage = stage.get(name::TRUST_CONFIG_MAP).await?;
        let anchors = stage.data.unwrap_or_default().remove("ca.crt").unwrap_or_default();
        ensure(found.spec.trust_bundle == anchors, || format!("{:?}", found.spec))?;
        ensure(found.spec.signer_name.as_deref() == Some("comity.dev/workload"), || {
            format!("{:?}", found.spec)
        })?;
    }
    ensure(first.spec.trust_bundle != second.spec.trust_bundle, || "one for both".to_owned())?;
    let (cluster, comity) = shared().await?;
    let sign = comity.sign().identity(&cluster)?;
    let pool = format!("{}{}", first.spec.trust_bundle, second.spec.trust_bundle);
    let at = at(&cluster).await?;
    let made = |name: &str, signer: &str| {
        create(&at, json!({"metadata": {"name": name}, "spec": {"signerName": signer, "trustBundle": pool}}))
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
    refused(&delete(&first.path), &run, &["is forbidden", "held to"]).await?;
    taken(&first).await
}

/// Who may write bundles and may not attest for the signer publishes nothing under its name.
async fn taken(own: &Bundle) -> Result<()> {
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
    let writes = patch(&own.path, json!({"spec": {"trustBundle": own.spec.trust_bundle}}));
    let words = &["attest", "only Comity"];
    let tried =
        e2e::eventually("mallory to be let as far as admission", SOON, || writes.refused(&mallory, words));
    tried.await.map_err(|error| Error::Failed(error.to_string()))
}
