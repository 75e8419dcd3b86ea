//! Whether anybody can use anything of a stage, by asking the API server and nobody else.

use std::time::Duration;

use comity::api::name;
use e2e::{Result, cluster::await_gone, eventually};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::ResourceExt as _;
use kube::api::ListParams;

use super::story::{SOON, Story, ensure};

/// The partner's engineers in a stage, as RBAC knows them.
pub fn engineers(place: &str) -> String {
    format!("system:serviceaccount:{place}:role-model-engineer")
}

/// Everything by which somebody could use a stage.
pub async fn ways_in(story: &Story, place: &str) -> Result<Vec<String>> {
    let all = ListParams::default();
    let mut ways = Vec::new();
    for binding in story.in_namespace::<RoleBinding>(place).list(&all).await? {
        if binding.name_any() != name::SIGNER_BINDING {
            ways.push(format!("binding {}", binding.name_any()));
        }
    }
    if let Some(namespace) = story.everywhere::<Namespace>().get_opt(place).await? {
        let gate = namespace.labels().get(name::LABEL_PODS).map(String::as_str);
        if gate == Some(name::PODS_OPEN) && namespace.metadata.deletion_timestamp.is_none() {
            ways.push("pods are let in".to_owned());
        }
    }
    for policy in story.in_namespace::<NetworkPolicy>(place).list(&all).await? {
        if policy.name_any() != name::DEFAULT_DENY {
            ways.push(format!("path {}", policy.name_any()));
        }
    }
    let into_dataset = name::dataset_ingress_policy(place, "transactions");
    if story.api::<NetworkPolicy>().get_opt(&into_dataset).await?.is_some() {
        ways.push("path into the dataset".to_owned());
    }
    if story.cluster.can(&engineers(place), "list", "pods", Some(place)).await? {
        ways.push("RBAC says yes".to_owned());
    }
    Ok(ways)
}

/// Makes sure that a stage can be used in every way in which it should be.
pub async fn usable(story: &Story, place: &str) -> Result<()> {
    eventually(&format!("{place} to be usable"), SOON, async || {
        let ways = ways_in(story, place).await.map_err(|error| error.to_string())?;
        let wanted = ["binding comity-role-model-engineer", "pods are let in", "path comity-allow-within"];
        let more = ["path comity-allow-dns", "path comity-allow-dataset-transactions"];
        let last = ["path into the dataset", "RBAC says yes"];
        let missing: Vec<&str> = [&wanted[..], &more, &last]
            .concat()
            .into_iter()
            .filter(|way| !ways.iter().any(|there| there == way))
            .collect();
        if missing.is_empty() { Ok(()) } else { Err(format!("missing: {missing:?}")) }
    })
    .await
}

/// Awaits that nobody can use a stage in any way, and that its namespace stays.
pub async fn shut_and_kept(story: &Story, place: &str) -> Result<()> {
    shut(story, place).await?;
    let namespace = story.everywhere::<Namespace>().get(place).await?;
    let goes = namespace.metadata.deletion_timestamp.is_some()
        || namespace.labels().contains_key(name::LABEL_CLOSING);
    ensure(!goes, || format!("{place} is being cleared although it is to be kept"))
}

/// Awaits that nobody can use a stage in any way.
pub async fn shut(story: &Story, place: &str) -> Result<()> {
    shut_within(story, place, SOON).await
}

/// The same, for as long as `within`.
pub async fn shut_within(story: &Story, place: &str, within: Duration) -> Result<()> {
    eventually(&format!("{place} to be shut"), within, async || {
        let ways = ways_in(story, place).await.map_err(|error| error.to_string())?;
        if ways.is_empty() { Ok(()) } else { Err(format!("{ways:?}")) }
    })
    .await
}

/// Awaits that nothing of a stage is left, wherever it was.
pub async fn cleared(story: &Story, place: &str) -> Result<()> {
    await_gone(&story.everywhere::<Namespace>(), place, SOON).await?;
    shut(story, place).await
}
