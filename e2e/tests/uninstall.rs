//! Taking Comity away in the order of `docs/uninstall.md` leaves nothing of it, and nothing open.

#[path = "life/story.rs"]
#[expect(dead_code, reason = "shared with the stories of a grant's life")]
mod story;

use comity::api::{PartnerGrant, Stage};
use e2e::{Cluster, Comity, Result, eventually};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ApiResource, DeleteParams, DynamicObject, ListParams};
use kube::core::GroupVersionKind;
use kube::{Api, ResourceExt};
use story::{SOON, Story, Wish};

/// Every kind of which Comity, or its installation, makes something.
const KINDS: [(&str, &str, &str); 19] = [
    ("", "v1", "Namespace"),
    ("", "v1", "Secret"),
    ("", "v1", "ConfigMap"),
    ("", "v1", "ServiceAccount"),
    ("", "v1", "Service"),
    ("", "v1", "ResourceQuota"),
    ("", "v1", "LimitRange"),
    ("apps", "v1", "Deployment"),
    ("networking.k8s.io", "v1", "NetworkPolicy"),
    ("rbac.authorization.k8s.io", "v1", "Role"),
    ("rbac.authorization.k8s.io", "v1", "RoleBinding"),
    ("rbac.authorization.k8s.io", "v1", "ClusterRole"),
    ("rbac.authorization.k8s.io", "v1", "ClusterRoleBinding"),
    ("coordination.k8s.io", "v1", "Lease"),
    ("apiextensions.k8s.io", "v1", "CustomResourceDefinition"),
    ("admissionregistration.k8s.io", "v1", "ValidatingAdmissionPolicy"),
    ("admissionregistration.k8s.io", "v1", "ValidatingAdmissionPolicyBinding"),
    ("admissionregistration.k8s.io", "v1", "MutatingAdmissionPolicy"),
    ("admissionregistration.k8s.io", "v1", "MutatingAdmissionPolicyBinding"),
];

#[tokio::test]
async fn nothing_is_left_of_comity_that_was_taken_away() -> Result<()> {
    let (cluster, comity) = Comity::shared().await?;
    let story = Story::on(&cluster).await?;
    let (open, ended) = (Wish::up_to(Stage::Rehearsal), Wish::up_to(Stage::Sandbox).called("ended"));
    let ended = Wish { purpose: "model-quality", times: ["2s", "1h", "1h"], ..ended };
    story.ask(&open).await?;
    story.ask(&ended).await?;
    story.opened(&open, Stage::Rehearsal).await?;

    // First the grants, while Comity lives.
    let grants: Api<PartnerGrant> = Api::all(cluster.client());
    for grant in grants.list(&ListParams::default()).await? {
        story.api::<PartnerGrant>().delete(&grant.name_any(), &DeleteParams::default()).await?;
    }
    eventually("every grant to be gone", SOON, async || {
        let left = grants.list(&ListParams::default()).await.map_err(|error| error.to_string())?;
        if left.items.is_empty() { Ok(()) } else { Err(format!("{} are left", left.items.len())) }
    })
    .await?;
    // Then the processes and what was installed, the definitions last.
    comity.stop_all().await?;
    let installed = std::fs::read_to_string(e2e::comity::repository().join("install.yaml"))?;
    let (definitions, rest): (Vec<&str>, Vec<&str>) =
        installed.split("\n---\n").partition(|document| document.contains("kind: CustomResourceDefinition"));
    cluster.delete_yaml(&rest.join("\n---\n")).await?;
    cluster.delete_yaml(&definitions.join("\n---\n")).await?;
    let served: Api<CustomResourceDefinition> = Api::all(cluster.client());
    eventually("the definitions to be gone", SOON, async || {
        let left = served.list(&ListParams::default()).await.map_err(|error| error.to_string())?;
        let left: Vec<String> = left.iter().map(ResourceExt::name_any).collect();
        if left.iter().any(|name| name.ends_with("comity.dev")) { Err(format!("{left:?}")) } else { Ok(()) }
    })
    .await?;
    eventually("nothing to be left", SOON, async || {
        let left = left(&cluster).await.map_err(|error| error.to_string())?;
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    })
    .await
}

/// Everything that is called after Comity or carries a label or a finalizer of it.
async fn left(cluster: &Cluster) -> Result<Vec<String>> {
    let mut left = Vec::new();
    for (group, version, kind) in KINDS {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        let api: Api<DynamicObject> = Api::all_with(cluster.client(), &resource);
        for object in api.list(&ListParams::default()).await? {
            let labels = object.labels().keys().chain(object.annotations().keys());
            // What the platform labels is the platform's.
            let is_ours = |key: &String| key.starts_with("comity.dev/") && !is_of_the_platform(key);
            let marked = labels.chain(object.finalizers()).any(is_ours);
            if marked || object.name_any().starts_with("comity") {
                left.push(format!("{kind} {}", object.name_any()));
            }
        }
    }
    Ok(left)
}

fn is_of_the_platform(label: &str) -> bool {
    [comity::api::name::LABEL_SHARES, comity::api::name::LABEL_DATASET_INGRESS].contains(&label)
}
