//! Drift: whatever somebody who may `override` deletes or spoils in a stage is put back.

use std::fmt::Debug;
use std::time::Duration;

use comity::api::{Stage, StagePolicy, name};
use e2e::{Result, cluster::await_gone, eventually};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{ConfigMap, LimitRange, Namespace, ResourceQuota, Secret, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::{Api, Resource, ResourceExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::access::usable;
use super::story::{SOON, Story, Wish};

/// A Secret is looked at once a minute.
const WITHIN_A_MINUTE: Duration = Duration::from_secs(120);

#[tokio::test]
async fn what_is_deleted_or_spoilt_is_put_back() -> Result<()> {
    let story = Story::begin().await?;
    let wish = Wish::up_to(Stage::Production);
    story.ask(&wish).await?;
    let opening = story.agreed(&wish, Stage::Production).await?;
    let place = Meddler { story: &story, place: opening.namespace.0.clone() };

    place.delete::<ResourceQuota>(name::QUOTA).await?;
    place.delete::<LimitRange>(name::LIMIT_RANGE).await?;
    place.delete::<StagePolicy>(name::STAGE_POLICY).await?;
    place.delete::<RoleBinding>(name::SIGNER_BINDING).await?;
    place.delete::<RoleBinding>("comity-role-model-engineer").await?;
    place.delete::<ServiceAccount>("workload-scorer").await?;
    for policy in [
        name::DEFAULT_DENY,
        name::ALLOW_DNS,
        name::ALLOW_WITHIN,
        name::ALLOW_DESTINATIONS,
        "comity-allow-dataset-transactions",
    ] {
        place.delete::<NetworkPolicy>(policy).await?;
    }
    place.spoil::<ResourceQuota>(name::QUOTA, json!({"spec": {"hard": {"pods": "999"}}})).await?;
    place.spoil::<NetworkPolicy>(name::DEFAULT_DENY, json!({"spec": {"policyTypes": ["Egress"]}})).await?;
    place.spoil::<NetworkPolicy>(name::DEFAULT_DENY, json!({"spec": {"egress": [{}]}})).await?;
    let few = json!({"spec": {"podSelector": {"matchLabels": {"only": "these"}}}});
    place.spoil::<NetworkPolicy>(name::DEFAULT_DENY, few).await?;
    place.spoil::<NetworkPolicy>(name::ALLOW_WITHIN, json!({"spec": {"ingress": [{}]}})).await?;
    let subjects =
        json!({"subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": "default"}]});
    place.spoil::<RoleBinding>("comity-role-model-engineer", subjects).await?;
    let registries = json!({"spec": {"registries": ["evil.example"]}});
    place.spoil::<StagePolicy>(name::STAGE_POLICY, registries).await?;
    let more = json!({"spec": {"nodeSelector": {"pool": "theirs"}}});
    place.spoil::<StagePolicy>(name::STAGE_POLICY, more).await?;
    usable(&story, &place.place).await
}

#[tokio::test]
async fn what_nobody_asks_for_is_taken_away() -> Result<()> {
    let story = Story::begin().await?;
    let wish = Wish::up_to(Stage::Sandbox);
    let grant = story.ask(&wish).await?;
    let opening = story.opened(&wish, Stage::Sandbox).await?;
    let place = opening.namespace.0.as_str();
    let uid = grant.uid().unwrap_or_default();
    let labels = json!({name::LABEL_GRANT_UID: uid, name::LABEL_GRANT: "northpay", name::LABEL_GRANT_NAMESPACE: story.namespace});
    let stray = |kind: &str, version: &str, name: &str, content: Value| {
        let mut object = json!({"apiVersion": version, "kind": kind,
            "metadata": {"name": name, "namespace": place, "labels": labels}});
        object.as_object_mut().unwrap().extend(content.as_object().cloned().unwrap_or_default());
        object.to_string()
    };
    let everything = json!({"spec": {"podSelector": {}, "egress": [{}], "policyTypes": ["Egress"]}});
    let open = stray("NetworkPolicy", "networking.k8s.io/v1", "comity-allow-dataset-more", everything);
    let role = json!({"roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"},
        "subjects": [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "mallory"}]});
    let binding = stray("RoleBinding", "rbac.authorization.k8s.io/v1", "comity-role-more", role);
    let account = stray("ServiceAccount", "v1", "workload-more", json!({}));
    for object in [&open, &binding, &account] {
        story.cluster.apply_yaml(object).await?;
    }
    await_gone(&story.in_namespace::<NetworkPolicy>(place), "comity-allow-dataset-more", SOON).await?;
    await_gone(&story.in_namespace::<RoleBinding>(place), "comity-role-more", SOON).await?;
    await_gone(&story.in_namespace::<ServiceAccount>(place), "workload-more", SOON).await?;
    usable(&story, place).await
}

#[tokio::test]
async fn the_labels_of_a_stage_are_put_back() -> Result<()> {
    let (story, place) = sandbox().await?;
    let (namespaces, place) = (story.everywhere::<Namespace>(), place.as_str());
    let before = namespaces.get(place).await?.labels().clone();
    for label in
        [name::LABEL_STAGE, name::LABEL_PODS, name::LABEL_GRANT, "pod-security.kubernetes.io/enforce"]
    {
        let gone = json!({"metadata": {"labels": {label: null}}});
        namespaces.patch(place, &PatchParams::default(), &Patch::Merge(gone)).await?;
        eventually(&format!("{label} to be put back"), SOON, async || {
            let now = namespaces.get(place).await.map_err(|error| error.to_string())?.labels().clone();
            if now == before { Ok(()) } else { Err(format!("{now:?}")) }
        })
        .await?;
    }
    usable(&story, place).await
}

#[tokio::test]
async fn certificates_are_put_back() -> Result<()> {
    tokio::try_join!(deleted_certificates(), spoilt_certificates()).map(drop)
}

async fn deleted_certificates() -> Result<()> {
    let (story, place) = sandbox().await?;
    let place = Meddler { story: &story, place };
    let (secrets, trust) = (place.api::<Secret>(), name::TRUST_CONFIG_MAP);
    let before = secrets.get("comity-tls-scorer").await?;
    secrets.delete("comity-tls-scorer", &DeleteParams::default()).await?;
    place.api::<ConfigMap>().delete(trust, &DeleteParams::default()).await?;
    place
        .is_back(trust, WITHIN_A_MINUTE, |trust: &ConfigMap| {
            trust.data.as_ref().is_some_and(|data| data.contains_key("scorer.crt"))
        })
        .await?;
    let another = |secret: &Secret| secret.uid() != before.uid();
    place.is_back("comity-tls-scorer", WITHIN_A_MINUTE, another).await?;
    usable(&story, &place.place).await
}

async fn spoilt_certificates() -> Result<()> {
    let (story, place) = sandbox().await?;
    let place = Meddler { story: &story, place };
    let spoilt = Patch::Merge(json!({"data": {"tls.crt": "AAAA", "ca.crt": "AAAA"}}));
    place.api::<Secret>().patch("comity-tls-scorer", &PatchParams::default(), &spoilt).await?;
    place
        .is_back("comity-tls-scorer", WITHIN_A_MINUTE, |secret: &Secret| {
            let whole = |data: &std::collections::BTreeMap<String, k8s_openapi::ByteString>| {
                data["tls.crt"].0.len() > 100 && data["ca.crt"].0.len() > 100
            };
            secret.data.as_ref().is_some_and(whole)
        })
        .await?;
    usable(&story, &place.place).await
}

/// A story with an open sandbox, and the sandbox's namespace.
async fn sandbox() -> Result<(Story, String)> {
    let story = Story::begin().await?;
    let wish = Wish::up_to(Stage::Sandbox);
    story.ask(&wish).await?;
    let opening = story.opened(&wish, Stage::Sandbox).await?;
    Ok((story, opening.namespace.0))
}

/// Somebody who may change what is Comity's.
struct Meddler<'a> {
    story: &'a Story,
    place: String,
}

/// What stands in a stage's namespace.
trait Kept:
    Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned + Serialize
{
}

impl<K> Kept for K where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned
        + Serialize
{
}

impl Meddler<'_> {
    fn api<K: Resource<DynamicType = (), Scope = NamespaceResourceScope>>(&self) -> Api<K> {
        self.story.in_namespace(&self.place)
    }

    /// Deletes an object, and awaits another in its place that says the same.
    async fn delete<K: Kept>(&self, name: &str) -> Result<()> {
        let before = self.api::<K>().get(name).await?;
        self.api::<K>().delete(name, &DeleteParams::default()).await?;
        self.is_back(name, SOON, |now: &K| now.uid() != before.uid() && says(now) == says(&before)).await
    }

    /// Changes an object, and awaits that it says again what it said before.
    async fn spoil<K: Kept>(&self, name: &str, change: Value) -> Result<()> {
        let before = self.api::<K>().get(name).await?;
        let spoilt = self.api::<K>().patch(name, &PatchParams::default(), &Patch::Merge(change)).await?;
        assert_ne!(says(&spoilt), says(&before), "{name} is spoilt");
        self.is_back(name, SOON, |now: &K| says(now) == says(&before)).await
    }

    async fn is_back<K: Kept>(
        &self,
        name: &str,
        within: Duration,
        as_wanted: impl Fn(&K) -> bool,
    ) -> Result<()> {
        let api = self.api::<K>();
        eventually(&format!("{} {name} to be put back", K::kind(&())), within, async || {
            match api.get_opt(name).await {
                Ok(Some(now)) if as_wanted(&now) => Ok(()),
                Ok(now) => {
                    Err(if now.is_some() { "it isn't as it was" } else { "it isn't there" }.to_owned())
                }
                Err(error) => Err(error.to_string()),
            }
        })
        .await
    }
}

/// What an object says, without its metadata and without what other controllers say of it.
fn says<K: Serialize>(object: &K) -> Value {
    let mut value = serde_json::to_value(object).unwrap_or_default();
    let labels = value.pointer("/metadata/labels").cloned();
    for field in ["metadata", "status"] {
        value.as_object_mut().unwrap().remove(field);
    }
    json!([labels, value])
}
