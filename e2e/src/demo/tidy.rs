//! Leaves a cluster that was lent to the demo as it was.

use std::time::Duration;

use ::comity::api::{grant::PartnerGrant, name::DEFAULT_SYSTEM_NAMESPACE};
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, api::DeleteParams};

use super::story::{BEFORE, SUBJECT, example};
use crate::{Cluster, Comity, Error, Explain as _, Result, cluster::await_gone, comity};

/// How long the cluster may take to clear something away.
const GONE_WITHIN: Duration = Duration::from_secs(60);

/// Everything that the demo applies, less the grant.
fn texts() -> Result<Vec<String>> {
    let mut texts = vec![comity::manifest()?];
    for file in BEFORE {
        let path = example(file);
        texts.push(std::fs::read_to_string(&path).explain(format!("read {}", path.display()))?);
    }
    Ok(texts)
}

/// Refuses a cluster in which something already has the name of what the demo applies: it would be
/// overwritten, and removed.
pub(super) async fn check_free(cluster: &Cluster) -> Result<()> {
    let mut taken = Vec::new();
    for text in texts()? {
        taken.extend(cluster.existing(&text).await?);
    }
    if taken.is_empty() {
        return Ok(());
    }
    let some: Vec<_> = taken.iter().take(5).map(String::as_str).collect();
    Err(Error::Failed(format!(
        "the cluster already has {}{}: the demo would overwrite it, and remove it in the end. Remove it first, \
         or use another cluster",
        some.join(", "),
        if taken.len() > some.len() {
            format!(" and {} more", taken.len() - some.len())
        } else {
            String::new()
        }
    )))
}

/// Ends the grant, and removes everything that the demo applied, Comity last.
pub(super) async fn tidy(cluster: &Cluster, comity: Option<&Comity>) -> Result<()> {
    if let Some(comity) = comity {
        let grants = Api::<PartnerGrant>::namespaced(cluster.client(), SUBJECT.namespace);
        match grants.delete(SUBJECT.name, &DeleteParams::default()).await {
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            answer => drop(answer?),
        }
        await_gone(&grants, SUBJECT.name, GONE_WITHIN).await?;
        comity.stop_all().await?;
    }
    for text in texts()?.iter().rev() {
        cluster.delete_yaml(text).await?;
    }
    let namespaces = Api::<Namespace>::all(cluster.client());
    for namespace in [SUBJECT.namespace, DEFAULT_SYSTEM_NAMESPACE] {
        await_gone(&namespaces, namespace, GONE_WITHIN).await?;
    }
    Ok(())
}
